//! A new image, for better or worse; `rollback.rs` has the worse.

use std::time::Duration;

use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn a_new_image_rolls_out_without_losing_a_ready_pod() {
    let Some(story) = Story::begin("new-image").await else { return };
    // All at once, for each wave of slow pods takes eight seconds.
    let rollout = json!({"maxSurge": "100%"});
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 4, "rollout": rollout})).await;
    let first = story.until_ready("orders").await;
    let available = Recording::of(&story, "Deployment", "orders", "/status/availableReplicas").await;

    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2-slow"}})).await;
    let rolling = story.until(SOON, "rolling", "Microservice", "orders", |o| is_true(o, "Reconciling")).await;
    assert_eq!(reason(&rolling, "Reconciling"), "RolloutInProgress", "{rolling:#}");
    assert!(is_true(&rolling, "Available"), "the old revision still serves: {rolling:#}");

    let second = story.until_ready("orders").await;
    assert_eq!(text(&second, "/status/image"), "example.com/orders:2-slow");
    assert_ne!(text(&first, "/status/revision"), text(&second, "/status/revision"));
    assert_eq!(text(&second, "/status/rollout/stableRevision"), text(&second, "/status/revision"));
    // maxUnavailable is 0 unless the user says otherwise.
    let least = available.values().iter().map(|v| v.as_i64().unwrap_or(0)).min();
    assert_eq!(least, Some(4), "available pods over the rollout: {:?}", available.values());
    for pod in story.list("Pod", "app.kubernetes.io/instance=orders").await {
        assert_eq!(text(&pod, "/spec/containers/0/image"), "example.com/orders:2-slow");
        assert_eq!(text(&pod, "/metadata/labels/microservices.dev~1track"), "rolling");
    }
}

#[tokio::test]
async fn a_change_that_is_not_the_pods_business_restarts_none() {
    let Some(story) = Story::begin("no-restart").await else { return };
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 2})).await;
    let before = story.until_ready("orders").await;
    let pods = story.pods("orders").await;
    let change = json!({"spec": {
        "disruption": {"maxUnavailable": 2}, "accessPolicy": {"isolation": "Strict"}, "service": {"annotations": {"a.example.com/b": "c"}},
        "rollout": {"progressDeadlineSeconds": 99},
    }});
    story.patch("Microservice", "orders", change).await;
    let after = story.until_ready("orders").await;
    assert_eq!(number(&story.get("PodDisruptionBudget", "orders").await, "/spec/maxUnavailable"), 2);
    assert_eq!(number(&story.get("Deployment", "orders").await, "/spec/progressDeadlineSeconds"), 99);
    assert_eq!(text(&story.get("Service", "orders").await, "/metadata/annotations/a.example.com~1b"), "c");
    assert_eq!(story.pods("orders").await, pods);
    assert_eq!(at(&after, "/status/revision"), at(&before, "/status/revision"));
}

#[tokio::test]
async fn the_restart_annotation_replaces_all_pods_once() {
    let Some(story) = Story::begin("restart").await else { return };
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 2})).await;
    story.until_ready("orders").await;
    let before = story.pods("orders").await;
    story.annotate("orders", "microservices.dev/restart", "today").await;
    story
        .until(SOON, "two new pods", "Deployment", "orders", |o| {
            number(o, "/status/observedGeneration") > 1 && number(o, "/status/updatedReplicas") == 2
        })
        .await;
    story.until_ready("orders").await;
    let after = story.pods("orders").await;
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|pod| !before.contains(pod)), "{before:?} became {after:?}");
    story.annotate("orders", "microservices.dev/restart", "today").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(story.pods("orders").await, after, "the same text again asks for nothing");
}

#[tokio::test]
async fn recreate_stops_the_old_pods_first() {
    let Some(story) = Story::begin("recreate").await else { return };
    story.service("ledger", json!({"image": "example.com/ledger:1", "replicas": 2, "rollout": {"strategy": "Recreate"}})).await;
    story.until_ready("ledger").await;
    let total = Recording::of(&story, "Deployment", "ledger", "/status/replicas").await;
    story.patch("Microservice", "ledger", json!({"spec": {"image": "example.com/ledger:2"}})).await;
    story
        .until(SOON, "the new image", "Microservice", "ledger", |o| is_ready(o) && text(o, "/status/image") == "example.com/ledger:2")
        .await;
    let most = total.values().iter().map(|v| v.as_i64().unwrap_or(0)).max();
    assert_eq!(most, Some(2), "old and new pods never stand beside each other: {:?}", total.values());
    assert!(total.values().iter().any(|v| v.as_i64().unwrap_or(0) == 0), "the old ones went first: {:?}", total.values());
}

#[tokio::test]
async fn three_images_in_a_row_end_with_the_last() {
    let Some(story) = Story::begin("in-a-row").await else { return };
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 2})).await;
    story.until_ready("orders").await;
    for tag in ["2-slow", "3-slow", "4"] {
        story.patch("Microservice", "orders", json!({"spec": {"image": format!("example.com/orders:{tag}")}})).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let last = story.until_ready("orders").await;
    assert_eq!(text(&last, "/status/image"), "example.com/orders:4");
    // Back to the first: its recorded revision is found again, not made a second time.
    let revisions = story.list("ControllerRevision", "app.kubernetes.io/instance=orders").await.len();
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:1"}})).await;
    story
        .until(SOON, "the first again", "Microservice", "orders", |o| is_ready(o) && text(o, "/status/image") == "example.com/orders:1")
        .await;
    assert_eq!(story.list("ControllerRevision", "app.kubernetes.io/instance=orders").await.len(), revisions);
}

#[tokio::test]
async fn old_revisions_are_kept_up_to_the_limit() {
    let Some(story) = Story::begin("history").await else { return };
    for tag in 1..=5 {
        let spec =
            json!({"image": format!("example.com/orders:{tag}"), "port": 8080, "replicas": 1, "rollout": {"revisionHistoryLimit": 2}});
        story.service("orders", spec).await;
        story.until_ready("orders").await;
    }
    story.until_settled("orders").await;
    let kept = story.list("ControllerRevision", "app.kubernetes.io/instance=orders").await;
    let images: Vec<_> = kept.iter().map(|r| text(r, "/data/spec/containers/0/image").to_owned()).collect();
    assert!(images.contains(&"example.com/orders:5".to_owned()), "{images:?}");
    assert_eq!(kept.len(), 3, "the present one and two before it: {images:?}");
}
