//! What the platform team sets: defaults, locks, and when rollouts begin.

use serde_json::{Value, json};

use crate::harness::*;

/// A profile of this story's own.
async fn profile(story: &Story, spec: Value) -> String {
    let name = format!("{}-profile", story.namespace);
    story
        .apply(json!({
            "apiVersion": "microservices.dev/v1alpha1", "kind": "MicroserviceProfile",
            "metadata": {"name": name, "labels": {MADE_BY_US: *RUN}}, "spec": spec,
        }))
        .await;
    name
}

fn spec(profile: &str, tag: &str) -> Value {
    json!({"image": format!("example.com/orders:{tag}"), "port": 8080, "replicas": 2, "profileRef": {"name": profile}})
}

/// Nothing that touches a pod or a rollout; an empty spec is none to server-side apply.
fn harmless() -> Value {
    json!({"defaults": {"rollout": {"revisionHistoryLimit": 3}}})
}

fn image(tag: &str) -> Value {
    json!({"spec": {"image": format!("example.com/orders:{tag}")}})
}

#[tokio::test]
async fn defaults_hold_below_the_spec_and_a_changed_one_rolls() {
    let Some(story) = Story::begin("profile-defaults").await else { return };
    let name =
        profile(&story, json!({"defaults": {"resources": {"requests": {"cpu": "11m"}}, "rollout": {"revisionHistoryLimit": 3}}})).await;
    story.service("orders", spec(&name, "1")).await;
    let first = story.until_ready("orders").await;
    assert_eq!(text(&first, "/status/defaults/resources/requests/cpu"), "11m");
    assert_eq!(number(&first, "/status/defaults/rollout/revisionHistoryLimit"), 3);
    let cpu = "/spec/template/spec/containers/0/resources/requests/cpu";
    assert_eq!(text(&story.get("Deployment", "orders").await, cpu), "11m");

    profile(&story, json!({"defaults": {"resources": {"requests": {"cpu": "12m"}}}})).await;
    story.until(SOON, "the new default", "Deployment", "orders", |o| text(o, cpu) == "12m").await;
    let rolled = |o: &Value| is_ready(o) && text(o, "/status/revision") != text(&first, "/status/revision");
    story.until(SOON, "another revision that serves", "Microservice", "orders", rolled).await;
    story.delete("MicroserviceProfile", &name).await;
    let stalled = story.until(SOON, "Stalled", "Microservice", "orders", |o| reason(o, "Stalled") == "InvalidSpec").await;
    assert_eq!(text(&stalled, "/status/problems/0/reason"), "ProfileNotFound");
    assert_eq!(text(&story.get("Deployment", "orders").await, cpu), "12m", "the children stay");
    profile(&story, json!({"defaults": {"resources": {"requests": {"cpu": "12m"}}}})).await;
    story.until_ready("orders").await;
    story.delete("MicroserviceProfile", &name).await;
}

#[tokio::test]
async fn a_broken_lock_is_told_and_the_last_good_children_stay() {
    let Some(story) = Story::begin("profile-locks").await else { return };
    let name = profile(&story, json!({"locks": ["spec.rollout.strategy"]})).await;
    story.service("orders", spec(&name, "1")).await;
    story.until_ready("orders").await;
    let mut patch = image("2");
    patch["spec"]["rollout"] = json!({"strategy": "Recreate"});
    story.patch("Microservice", "orders", patch).await;
    let stalled = story.until(SOON, "Stalled", "Microservice", "orders", |o| reason(o, "Stalled") == "InvalidSpec").await;
    assert_eq!(text(&stalled, "/status/problems/0/field"), "spec.rollout.strategy");
    assert!(message(&stalled, "Stalled").contains(&format!("locked by profile `{name}`")), "{}", message(&stalled, "Stalled"));
    let running = "/spec/template/spec/containers/0/image";
    assert_eq!(text(&story.get("Deployment", "orders").await, running), "example.com/orders:1");
    profile(&story, harmless()).await;
    story.until_ready_with("orders", "example.com/orders:2").await;
    story.delete("MicroserviceProfile", &name).await;
}

#[tokio::test]
async fn a_freeze_holds_a_rollout_and_says_until_when() {
    let Some(story) = Story::begin("profile-freeze").await else { return };
    let always = json!({"name": "always", "start": "0 0 * * *", "durationSeconds": 86_400});
    let name = profile(&story, json!({"rollouts": {"freezeWindows": [always]}})).await;
    story.service("orders", spec(&name, "1")).await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", image("2")).await;
    let waits = story.until(SOON, "waiting", "Microservice", "orders", |o| reason(o, "Reconciling") == "RolloutWaiting").await;
    let said = message(&waits, "Reconciling");
    assert!(said.contains(&format!("waits: freeze window `always` of profile `{name}` until 2")), "{said}");
    story.patch("Microservice", "orders", json!({"spec": {"replicas": 3}})).await;
    story.until(SOON, "three pods", "Deployment", "orders", |o| number(o, "/status/readyReplicas") == 3).await;
    let why = story.cluster.plugin(&["why", "orders", "--namespace", &story.namespace]).1;
    assert!(why.contains("freeze window `always`"), "{why}");
    profile(&story, harmless()).await;
    story.until_ready_with("orders", "example.com/orders:2").await;
    story.delete("MicroserviceProfile", &name).await;
}

#[tokio::test]
async fn the_server_refuses_a_profile_that_makes_no_sense() {
    let Some(story) = Story::begin("profile-admission").await else { return };
    for (spec, said) in [
        (
            json!({"rollouts": {"freezeWindows": [{"name": "a", "start": "daily", "durationSeconds": 60}]}}),
            "must be five fields as cron has them",
        ),
        (json!({"locks": ["spec.image"]}), "must not be locked"),
        (json!({"defaults": {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}}), "`minReplicas` must not exceed `maxReplicas`"),
        (json!({"rollouts": {"maxConcurrent": 0}}), "spec.rollouts.maxConcurrent"),
    ] {
        let object = json!({"apiVersion": "microservices.dev/v1alpha1", "kind": "MicroserviceProfile",
            "metadata": {"name": format!("{}-bad", story.namespace), "labels": {MADE_BY_US: *RUN}}, "spec": spec});
        let error = story.try_apply(&object).await.expect_err("it is refused").to_string();
        assert!(error.contains(said), "{error}");
    }
}
