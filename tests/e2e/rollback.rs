//! A bad image: the template goes back, the spec stays as the user wrote it, and nothing is tried twice by itself.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

/// The least that leaves the simulated pods time to become ready on a busy machine.
const DEADLINE_SECONDS: i64 = 6;

fn spec(image: &str) -> Value {
    json!({"image": image, "port": 8080, "replicas": 3, "rollout": {"progressDeadlineSeconds": DEADLINE_SECONDS}})
}

/// A service that ran image 1 and was given another that failed; returns it once the old one serves again.
async fn rolled_back(story: &Story, image: &str) -> Value {
    story.service("orders", spec("example.com/orders:1")).await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", json!({"spec": {"image": image}})).await;
    let back = |o: &Value| is_stalled(o, "ProgressDeadlineExceeded") && message(o, "Stalled").contains("rolled back");
    story.until(SOON, "rolled back", "Microservice", "orders", back).await
}

#[tokio::test]
async fn a_bad_image_is_rolled_back_while_the_old_one_serves() {
    let Some(story) = Story::begin("bad-image").await else { return };
    story.service("orders", spec("example.com/orders:1")).await;
    let good = story.until_ready("orders").await;
    let pods = story.pods("orders").await;
    let available = Recording::of(&story, "Deployment", "orders", "/status/availableReplicas").await;
    let failed = rolled_back(&story, "example.com/orders:2-bad").await;

    // The user's words are the user's.
    assert_eq!(text(&failed, "/spec/image"), "example.com/orders:2-bad");
    assert_eq!(at(&failed, "/metadata/generation"), &json!(2), "nobody but the user wrote the spec");
    assert_eq!(text(&failed, "/status/revision"), text(&good, "/status/revision"));
    assert_eq!(text(&failed, "/status/image"), "example.com/orders:1");
    assert_eq!(text(&failed, "/status/rollout/state"), "RolledBack");
    assert!(is_true(&failed, "Available"), "{failed:#}");
    let seen = message(&failed, "Stalled");
    let bad = text(&failed, "/status/rollout/failedRevision");
    for part in [
        "pod orders-",
        "container orders",
        "ImagePullBackOff",
        "example.com/orders:2-bad",
        "spec.image",
        &format!("microservices.dev/retry={bad}"),
    ] {
        assert!(seen.contains(part), "no {part:?} in: {seen}");
    }
    assert_eq!(text(&failed, "/status/rollout/failure/reason"), "ProgressDeadlineExceeded");

    let deployment = story
        .until(SOON, "back", "Deployment", "orders", |o| number(o, "/status/replicas") == 3 && number(o, "/status/updatedReplicas") == 3)
        .await;
    assert_eq!(text(&deployment, "/spec/template/spec/containers/0/image"), "example.com/orders:1");
    assert_eq!(story.pods("orders").await, pods, "the good pods were never touched");
    assert_eq!(available.values().iter().map(|v| v.as_i64().unwrap_or(0)).min(), Some(3), "{:?}", available.values());

    let events = story.kubectl(&["get", "events.events.k8s.io", "--output=jsonpath={range .items[*]}{.reason}{\"\\n\"}{end}"]);
    for event in ["RolloutStarted", "RolloutCompleted", "RolloutFailed", "RolledBack"] {
        assert_eq!(
            events.lines().filter(|line| *line == event).count(),
            if event == "RolloutStarted" { 2 } else { 1 },
            "{event} in\n{events}"
        );
    }
}

#[tokio::test]
async fn a_failed_image_is_not_tried_again_until_asked() {
    let Some(story) = Story::begin("retry").await else { return };
    let failed = rolled_back(&story, "example.com/orders:2-bad").await;
    let revision = text(&failed, "/status/rollout/failedRevision").to_owned();
    let images = Recording::of(&story, "Deployment", "orders", "/spec/template/spec/containers/0/image").await;

    // The same manifest again, and a change that is not the pods' business, are no reason to try again.
    story.service("orders", spec("example.com/orders:2-bad")).await;
    story.patch("Microservice", "orders", json!({"spec": {"disruption": {"maxUnavailable": 2}}})).await;
    story.until(SOON, "the other change is followed", "PodDisruptionBudget", "orders", |o| number(o, "/spec/maxUnavailable") == 2).await;
    story.stays(Duration::from_secs(3), "stalled", "Microservice", "orders", |o| text(o, "/status/rollout/state") == "RolledBack").await;
    assert_eq!(images.values(), [json!("example.com/orders:1")]);

    // A stale command is refused, and said so.
    story.annotate("orders", "microservices.dev/retry", "00000000").await;
    let refused =
        story.until(SOON, "an answer", "Microservice", "orders", |o| text(o, "/status/rollout/lastAction/value") == "00000000").await;
    assert_eq!(text(&refused, "/status/rollout/lastAction/result"), "Refused");
    assert!(text(&refused, "/status/rollout/lastAction/message").contains(&revision), "it names the revision that failed: {refused:#}");
    assert_eq!(images.values(), [json!("example.com/orders:1")]);

    // Asked properly it is tried once more, and fails once more.
    story.annotate("orders", "microservices.dev/retry", &revision).await;
    story
        .until(SOON, "tried", "Deployment", "orders", |o| text(o, "/spec/template/spec/containers/0/image") == "example.com/orders:2-bad")
        .await;
    let again = story
        .until(SOON, "back again", "Microservice", "orders", |o| {
            is_stalled(o, "ProgressDeadlineExceeded") && message(o, "Stalled").contains("rolled back")
        })
        .await;
    assert_eq!(text(&again, "/status/rollout/lastAction/result"), "Accepted");
    story
        .stays(Duration::from_secs(3), "the command is spent", "Microservice", "orders", |o| {
            text(o, "/status/rollout/state") == "RolledBack"
        })
        .await;

    // Another image is a new beginning.
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:3"}})).await;
    let healed = story.until_ready("orders").await;
    assert_eq!(text(&healed, "/status/image"), "example.com/orders:3");
    assert!(at(&healed, "/status/rollout/failedRevision").is_null() && at(&healed, "/status/rollout/failure").is_null(), "{healed:#}");
}

#[tokio::test]
async fn a_crashing_image_is_rolled_back_and_its_exit_code_told() {
    let Some(story) = Story::begin("crash").await else { return };
    let failed = rolled_back(&story, "example.com/orders:2-crash").await;
    let seen = message(&failed, "Stalled");
    for part in ["pod orders-", "container orders", "exit code 1", "kubectl logs", "--previous"] {
        assert!(seen.contains(part), "no {part:?} in: {seen}");
    }
}

#[tokio::test]
async fn going_back_to_the_good_image_by_hand_is_ready_at_once() {
    let Some(story) = Story::begin("by-hand").await else { return };
    rolled_back(&story, "example.com/orders:2-bad").await;
    let pods = story.pods("orders").await;
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:1"}})).await;
    let healed = story.until_ready("orders").await;
    assert_eq!(text(&healed, "/status/rollout/state"), "Completed");
    assert_eq!(story.pods("orders").await, pods);
}

#[tokio::test]
async fn a_first_deployment_that_fails_stays_and_heals_when_fixed() {
    let Some(story) = Story::begin("first-bad").await else { return };
    story.service("orders", spec("example.com/orders:1-bad")).await;
    let failed = story.until(SOON, "given up", "Microservice", "orders", |o| is_stalled(o, "ProgressDeadlineExceeded")).await;
    assert!(!is_true(&failed, "Available"));
    assert_eq!(text(&failed, "/status/rollout/state"), "Failed", "there is nothing to go back to: {failed:#}");
    assert!(message(&failed, "Stalled").contains("ImagePullBackOff"), "{failed:#}");
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:1"}})).await;
    let healed = story.until_ready("orders").await;
    assert!(is_true(&healed, "Available"));
}

#[tokio::test]
async fn hold_leaves_the_failed_pods_for_a_look() {
    let Some(story) = Story::begin("hold").await else { return };
    let mut held = spec("example.com/orders:1");
    held["rollout"]["onFailure"] = json!("Hold");
    story.service("orders", held).await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2-bad"}})).await;
    story.until(SOON, "given up", "Microservice", "orders", |o| is_stalled(o, "ProgressDeadlineExceeded")).await;
    let image = |o: &Value| text(o, "/spec/template/spec/containers/0/image") == "example.com/orders:2-bad";
    story.stays(Duration::from_secs(3), "left in place", "Deployment", "orders", image).await;
    let now = story.get("Microservice", "orders").await;
    assert_eq!(text(&now, "/status/rollout/state"), "Failed");
    assert!(is_true(&now, "Available"), "maxUnavailable 0 keeps the old pods: {now:#}");
}
