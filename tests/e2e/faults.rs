//! An API server that refuses, falters and vanishes, and an operator that is killed at any moment.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::audit::{Request, tally};
use crate::harness::*;

/// What a rejected operator may need after the trouble is over.
const RECOVERY: Duration = Duration::from_secs(60);

fn spec(image: &str) -> Value {
    json!({"image": format!("example.com/orders:{image}"), "port": 8080, "replicas": 2, "rollout": {"progressDeadlineSeconds": 30}})
}

/// A story whose operator talks to the API server through a proxy, and has one service Ready.
async fn behind_proxy(title: &'static str) -> Option<(Story, FaultProxy)> {
    let mut story = Story::apart(title).await?;
    let proxy = FaultProxy::start(story.cluster).await;
    let index = story.start_operator("", Setup { server: Some(proxy.url()), lease_seconds: Some(8), ..Setup::default() });
    story.operator_number(index).wait_ready(SOON);
    story.service("orders", spec("1")).await;
    story.until_ready("orders").await;
    Some((story, proxy))
}

async fn follows(story: &Story, name: &str, image: &str) {
    let image = format!("example.com/orders:{image}");
    story.until(RECOVERY, &image, "Microservice", name, |o| is_ready(o) && text(o, "/status/image") == image).await;
}

/// What a kubelet does: an operator that has ended, because it lost its lease to the trouble, is started again.
fn restart_if_ended(story: &Story) {
    if story.operator().alive().is_err() {
        story.operator().kill();
        story.operator().begin();
    }
}

/// Nothing is written once all is as it should be: trouble leaves no echo.
async fn falls_silent(story: &Story) {
    story.until_settled("orders").await;
    let Some(place) = story.audit() else { return };
    tokio::time::sleep(Duration::from_secs(5)).await;
    let written: Vec<_> = story.requests_since(&place).into_iter().filter(Request::writes).collect();
    assert!(written.is_empty(), "{}", tally(&written));
}

#[tokio::test]
async fn a_server_that_answers_429_for_a_while_is_waited_for() {
    let Some((story, proxy)) = behind_proxy("busy-429").await else { return };
    proxy.answer(Fault { methods: vec![], path: "", status: 429, spare_every: 0 });
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2"}})).await;
    story.service("billing", spec("1")).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    let answered = proxy.behave();
    restart_if_ended(&story);
    assert!(answered > 0, "the fault was never met");
    // Some ten streams and two services, each backing off: a hundred a second would be a siege.
    assert!(answered < 400, "{answered} requests in 12 s to a server that asks for patience");
    follows(&story, "orders", "2").await;
    follows(&story, "billing", "1").await;
    falls_silent(&story).await;
}

#[tokio::test]
async fn writes_that_fail_at_random_are_made_good() {
    let Some((story, proxy)) = behind_proxy("flaky").await else { return };
    for (status, path) in [(500, "/deployments"), (503, "/services"), (500, "/status")] {
        proxy.answer(Fault { methods: vec!["PATCH", "POST", "PUT", "DELETE"], path, status, spare_every: 3 });
    }
    for number in 0..4 {
        story.service(&format!("shop-{number}"), spec("1")).await;
    }
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2"}})).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(proxy.behave() > 0, "the fault was never met");
    follows(&story, "orders", "2").await;
    for number in 0..4 {
        follows(&story, &format!("shop-{number}"), "1").await;
    }
    falls_silent(&story).await;
}

#[tokio::test]
async fn a_server_that_goes_away_loses_no_change() {
    let Some((story, mut proxy)) = behind_proxy("gone").await else { return };
    proxy.go_away();
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2"}})).await;
    story.service("billing", spec("1")).await;
    story.delete("Service", "orders").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    restart_if_ended(&story);
    assert_eq!(text(&story.get("Microservice", "orders").await, "/status/image"), "example.com/orders:1", "it could not have heard of it");
    proxy.come_back();
    tokio::time::sleep(Duration::from_secs(2)).await;
    restart_if_ended(&story);
    follows(&story, "orders", "2").await;
    follows(&story, "billing", "1").await;
    story.until(RECOVERY, "back", "Service", "orders", |o| !o.is_null()).await;
    falls_silent(&story).await;
}

#[tokio::test]
async fn watches_that_break_again_and_again_lose_no_change_and_write_nothing_by_themselves() {
    let Some((story, mut proxy)) = behind_proxy("cut").await else { return };
    falls_silent(&story).await;
    let Some(place) = story.audit() else { return };
    for _ in 0..5 {
        proxy.cut();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let written: Vec<_> = story.requests_since(&place).into_iter().filter(Request::writes).collect();
    assert!(written.is_empty(), "{}", tally(&written));
    for number in 2..6 {
        proxy.cut();
        story.patch("Microservice", "orders", json!({"spec": {"image": format!("example.com/orders:{number}")}})).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    follows(&story, "orders", "5").await;
    falls_silent(&story).await;
}

/// A sequence without a clock: where the kills fall differs with the machine anyway, and a failure prints its number.
fn delays(count: u64) -> impl Iterator<Item = Duration> {
    (0..count).map(|n| Duration::from_millis(n * 7919 % 613))
}

#[tokio::test]
async fn an_operator_that_is_killed_at_any_moment_ends_where_a_calm_one_does() {
    const KILLS: u64 = 18;
    let Some(mut story) = Story::apart("killed").await else { return };
    // Nobody else is there to take over, and each start would wait for the lease of the dead.
    let index = story.start_operator("", Setup { arguments: vec!["--leader-elect=false".to_owned()], ..Setup::default() });
    story.operator_number(index).wait_ready(SOON);
    let images = ["1", "2-slow", "3", "4-bad", "5"];
    for (round, delay) in delays(KILLS).enumerate() {
        let image = images[round % images.len()];
        let mut changing = if round % 2 == 0 { spec(image) } else { with_everything(image) };
        // Short enough for rollbacks to fall among the kills.
        changing["rollout"]["progressDeadlineSeconds"] = json!(1);
        story.service("orders", changing).await;
        story.service(&format!("extra-{}", round % 3), spec("1")).await;
        if round % 4 == 3 {
            story.delete("Microservice", "extra-0").await;
        }
        tokio::time::sleep(delay).await;
        let operator = story.operator_number(index);
        operator.alive().unwrap_or_else(|how| panic!("round {round}: the operator {how} by itself; log:\n{}", operator.log_tail()));
        operator.kill();
        operator.begin();
    }
    let last = with_everything("6");
    for name in ["orders", "extra-0", "extra-1", "extra-2"] {
        story.service(name, last.clone()).await;
    }
    story.service("calm", last).await;
    for name in ["orders", "extra-0", "extra-1", "extra-2", "calm"] {
        follows(&story, name, "6").await;
    }
    falls_silent(&story).await;
    let calm = end_state(&story, "calm").await;
    for name in ["orders", "extra-0", "extra-1", "extra-2"] {
        assert_eq!(end_state(&story, name).await, calm, "{name} and calm have the same spec");
        let owner = story.get("Microservice", name).await;
        for kind in CHILDREN {
            for child in story.list(kind, &format!("app.kubernetes.io/instance={name}")).await {
                assert_eq!(at(&child, "/metadata/ownerReferences/0/uid"), at(&owner, "/metadata/uid"), "{kind} {child:#}");
            }
        }
    }
}

/// Another number of children and other pods than [`spec`], so that rounds create, change and prune.
fn with_everything(image: &str) -> Value {
    let mut spec = spec(image);
    spec["env"] = json!([{"name": "A", "value": "b"}]);
    spec["files"] = json!([{"mountPath": "/etc/a", "content": "x"}]);
    spec["disruption"] = json!({"policy": "None"});
    spec
}

/// Kinds and specs of all children but old revisions, without what must differ: the name.
async fn end_state(story: &Story, name: &str) -> Vec<String> {
    let mut state = Vec::new();
    for kind in CHILDREN.into_iter().filter(|kind| *kind != "ControllerRevision") {
        for child in story.list(kind, &format!("app.kubernetes.io/instance={name}")).await {
            let mut kept = json!({"kind": kind, "labels": child["metadata"]["labels"], "data": child["data"], "spec": child["spec"]});
            if kind == "Service" {
                for given in ["clusterIP", "clusterIPs"] {
                    kept["spec"][given] = Value::Null;
                }
            }
            if kind == "Deployment" {
                // Hashes of texts in which the name is a part.
                kept["spec"]["template"]["metadata"]["labels"]["microservices.dev/revision"] = Value::Null;
                kept["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] = Value::Null;
            }
            // Quoted, so that `calm` does not match inside another word.
            state.push(kept.to_string().replace(&format!("\"{name}\""), "\"NAME\""));
        }
    }
    state.sort();
    state
}

#[tokio::test]
async fn sigterm_ends_the_operator_in_order_and_soon() {
    let Some(mut story) = Story::apart("sigterm").await else { return };
    let index = story.start_operator("", Setup::default());
    story.operator_number(index).wait_ready(SOON);
    for number in 0..20 {
        story.service(&format!("shop-{number}"), spec("1-slow")).await;
    }
    let (took, status) = story.operator_number(index).stop();
    assert!(status.success(), "{status}; {}", story.operator().log_tail());
    // A pass ends within its requests, and the lease is given back; a kubelet would kill it after thirty seconds.
    assert!(took < Duration::from_secs(5), "took {took:?}");
    let from = Instant::now();
    story.operator_number(index).begin();
    for number in 0..20 {
        follows(&story, &format!("shop-{number}"), "1-slow").await;
    }
    say(&format!("  sigterm: ended in {took:.1?}; 20 half-made services Ready {:.1?} after the next start", from.elapsed()));
}
