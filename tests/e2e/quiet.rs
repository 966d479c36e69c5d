//! Nothing changes, so nothing is written.

use std::time::Duration;

use serde_json::json;

use crate::harness::audit::{Request, tally};
use crate::harness::*;

/// The issue asks for ten minutes; CI for what it can wait for.
fn quiet_time() -> Duration {
    let seconds = std::env::var("E2E_QUIET_SECONDS").map_or(30, |text| text.parse().expect("E2E_QUIET_SECONDS is a number"));
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn nothing_is_written_while_nothing_changes_not_even_over_a_restart_and_a_new_leader() {
    let Some(mut story) = Story::apart("quiet").await else { return };
    let first = story.start_operator("", Setup::default());
    let second = {
        let account = story.operator_number(first).account.clone();
        story.start_operator("-2", Setup { replica_of: Some(account), ..Setup::default() })
    };
    // One of everything: scaled and fixed, suspended, stalled by a bad image, rolled back, refused for its content.
    story
        .service("scaled", json!({"image": "example.com/a:1", "port": 8080, "resources": {"requests": {"cpu": "0.1", "memory": "1e9"}}}))
        .await;
    story
        .service(
            "fixed",
            json!({"image": "example.com/a:1", "port": 8080, "replicas": 2, "files": [{"mountPath": "/etc/a", "content": "x"}]}),
        )
        .await;
    story.service("never", json!({"image": "example.com/a:bad", "replicas": 1, "rollout": {"progressDeadlineSeconds": 2}})).await;
    let rollout = json!({"progressDeadlineSeconds": 6});
    story.service("back", json!({"image": "example.com/a:1", "port": 8080, "replicas": 2, "rollout": rollout})).await;
    story.service("held", json!({"image": "example.com/a:1", "port": 8080, "suspend": true})).await;
    story.until_ready("back").await;
    story.patch("Microservice", "back", json!({"spec": {"image": "example.com/a:bad"}})).await;
    story.until(SOON, "given up", "Microservice", "never", |o| is_stalled(o, "ProgressDeadlineExceeded")).await;
    story.until(SOON, "rolled back", "Microservice", "back", |o| text(o, "/status/rollout/state") == "RolledBack").await;
    // The autoscaler looks for its metrics until it finds them; that is news, and news are written.
    story.until(Duration::from_secs(90), "metrics seen", "Microservice", "scaled", |o| is_true(o, "AutoscalerReady")).await;
    for name in ["scaled", "fixed", "never", "back", "held"] {
        story.until_settled(name).await;
    }

    let silent = |place: &_, during: &str| {
        let written: Vec<_> = story.requests_since(place).into_iter().filter(Request::writes).collect();
        assert!(written.is_empty(), "written {during}: {}\n{written:#?}", tally(&written));
    };
    let Some(place) = story.audit() else { return };
    tokio::time::sleep(quiet_time()).await;
    silent(&place, "while nothing changed");

    let (leader, follower) = if leads(&story, first).await { (first, second) } else { (second, first) };
    story.operator_number(leader).stop();
    wait_until_leading(&story, follower).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    silent(&place, "by a new leader");

    story.operator_number(follower).stop();
    story.operator_number(follower).begin();
    wait_until_leading(&story, follower).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    silent(&place, "over a restart");

    // The count above could only be zero because nobody works: a change is still followed.
    story.patch("Microservice", "fixed", json!({"spec": {"replicas": 3}})).await;
    story.until(SOON, "three pods", "Deployment", "fixed", |o| number(o, "/spec/replicas") == 3).await;
    let seen = story.requests_since(&place).into_iter().filter(Request::writes).count();
    assert!(seen > 0, "the audit log shows the write that was just made");
}

async fn leads(story: &Story, operator: usize) -> bool {
    holder(story, story.operator()).await.contains(&story.operator_number(operator).name)
}

/// Who holds the lease of an operator.
pub async fn holder(story: &Story, operator: &Operator) -> String {
    let arguments =
        ["get", "lease", "microservice-operator", "--namespace", &operator.account.namespace, "--output=jsonpath={.spec.holderIdentity}"];
    story.cluster.try_kubectl(&arguments, "").1
}

async fn wait_until_leading(story: &Story, operator: usize) {
    let deadline = std::time::Instant::now() + SOON;
    while !leads(story, operator).await {
        assert!(std::time::Instant::now() < deadline, "operator {} does not take over", story.operator_number(operator).name);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
