//! Blue-green: a second set beside the first, a look at it, a switch, and back.

use serde_json::{Value, json};

use crate::harness::*;

fn spec(tag: &str, settings: Value) -> Value {
    let rollout = json!({"strategy": "BlueGreen", "progressDeadlineSeconds": 60, "scaleDownDelaySeconds": 6, "abortScaleDownDelaySeconds": 4, "blueGreen": settings});
    json!({"image": format!("example.com/orders:{tag}"), "port": 8080, "replicas": 3, "rollout": rollout})
}

fn image(tag: &str) -> Value {
    json!({"spec": {"image": format!("example.com/orders:{tag}")}})
}

fn paused(object: &Value) -> bool {
    text(object, "/status/rollout/state") == "Paused"
}

fn shown(service: &Value) -> &str {
    service["spec"]["selector"]["microservices.dev/revision"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_second_set_is_looked_at_switched_to_and_back_at_once() {
    let Some(story) = Story::begin("blue-green").await else { return };
    story.service("orders", spec("1", json!({"autoPromotion": false, "previewReplicas": 1}))).await;
    let first = story.until_ready("orders").await;
    let old = text(&first, "/status/revision").to_owned();
    let witness = Witness::of(&story, "orders", 3, 6).await;
    story.patch("Microservice", "orders", image("2")).await;
    let waiting = story.until(SOON, "waits", "Microservice", "orders", paused).await;
    let new = text(&waiting, "/status/rollout/candidateRevision").to_owned();
    assert!(message(&waiting, "Reconciling").contains(&format!("microservices.dev/promote={new}")), "{}", message(&waiting, "Reconciling"));
    assert_eq!(shown(&story.get("Service", "orders").await), old);
    assert_eq!(shown(&story.get("Service", "orders-preview").await), new);
    assert_eq!(story.pods_of("orders", &new).await.len(), 1);

    story.command("orders", "promote", &new).await;
    let done = story.until_ready_with("orders", "example.com/orders:2").await;
    assert_eq!(text(&done, "/status/rollout/parked/0/revision"), old);
    assert_eq!(shown(&story.get("Service", "orders").await), new);
    assert_eq!((story.pods_of("orders", &new).await.len(), story.pods_of("orders", &old).await.len()), (3, 3), "both sets are there");

    // Within the delay, back is a switch and nothing else.
    let pods = story.pods_of("orders", &old).await;
    story.patch("Microservice", "orders", image("1")).await;
    story.until_ready_with("orders", "example.com/orders:1").await;
    assert_eq!(shown(&story.get("Service", "orders").await), old);
    assert_eq!(story.pods_of("orders", &old).await, pods);
    story.until_gone("Deployment", &format!("orders-{new}")).await;
    assert_eq!(story.pods("orders").await, pods);
    let budgets = story.list("PodDisruptionBudget", "").await;
    assert_eq!(budgets.iter().map(|o| text(o, "/metadata/name").to_owned()).collect::<Vec<_>>(), [format!("orders-{old}")]);
    witness.is_content();
}

#[tokio::test]
async fn a_second_set_that_fails_or_is_given_up_never_serves() {
    let Some(story) = Story::begin("blue-green-bad").await else { return };
    story.service("orders", spec("1", json!({"autoPromotionDelaySeconds": 2}))).await;
    let first = story.until_ready("orders").await;
    let old = text(&first, "/status/revision").to_owned();
    let (pods, witness) = (story.pods("orders").await, Witness::of(&story, "orders", 3, 6).await);
    let services = Recording::of(&story, "Service", "orders", "/spec/selector").await;
    let soon = json!({"spec": {"image": "example.com/orders:2-bad", "rollout": {"progressDeadlineSeconds": 8}}});
    story.patch("Microservice", "orders", soon).await;
    let back = |o: &Value| is_stalled(o, "ProgressDeadlineExceeded");
    let failed = story.until(SOON, "rolled back", "Microservice", "orders", back).await;
    assert_eq!(text(&failed, "/status/rollout/state"), "RolledBack");
    let bad = text(&failed, "/status/rollout/failedRevision").to_owned();
    assert_eq!(text(&failed, "/status/rollout/parked/0/revision"), bad, "to be looked at for a while");
    story.until_gone("Deployment", &format!("orders-{bad}")).await;
    assert_eq!(story.pods("orders").await, pods);
    assert_eq!(services.values().len(), 1, "the Service has not moved: {:?}", services.values());

    story
        .patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:3", "rollout": {"progressDeadlineSeconds": 60}}}))
        .await;
    let delayed = story.until(SOON, "waits", "Microservice", "orders", paused).await;
    assert!(message(&delayed, "Reconciling").contains("it goes on at"), "{}", message(&delayed, "Reconciling"));
    let done = story.until_ready_with("orders", "example.com/orders:3").await;
    assert_ne!(text(&done, "/status/revision"), old);
    story.until_gone("Deployment", &format!("orders-{old}")).await;
    witness.is_content();
}
