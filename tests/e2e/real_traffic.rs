//! Real pods, real packets: no request fails, whatever happens to the pods.

use serde_json::{Value, json};

use crate::harness::*;

#[tokio::test]
async fn a_service_answers_through_its_name() {
    let Some(story) = Story::real("answers").await else { return };
    story.service("orders", server(&TEST_SERVER[0], 2)).await;
    let ready = story.until(POD_TIME, "Ready", "Microservice", "orders", is_ready).await;
    let url = text(&ready, "/status/url").to_owned();
    assert_eq!(url, format!("http://orders.{}", story.namespace));
    let (answered, said) = story.visit("visitor", json!({}), &["probe", "--url", &url, "--tries", "10"]).await;
    assert!(answered, "{said}");
    let (answered, said) = story.visit("neighbour", json!({}), &["probe", "--url", "http://orders/", "--tries", "10"]).await;
    assert!(answered, "the short name, as the README promises: {said}");
    // An image without a registry has no digest to show, but its own name.
    assert!(text(&ready, "/status/image").starts_with(&*TEST_SERVER[0]) || text(&ready, "/status/image").contains("sha256:"), "{ready:#}");
}

#[tokio::test]
async fn evicted_pod_by_pod_it_answers_every_request() {
    let Some(story) = Story::real("evicted").await else { return };
    story.service("orders", server(&TEST_SERVER[0], 3)).await;
    story.until(POD_TIME, "Ready", "Microservice", "orders", is_ready).await;
    story.begin_requests("http://orders/", 75).await;
    let place = story.audit();
    for pod in story.pods("orders").await {
        story.evict(&pod).await;
    }
    story.until(POD_TIME, "three new pods", "Microservice", "orders", |o| is_ready(o) && number(o, "/status/readyReplicas") == 3).await;
    let summary = story.all_answered(1000).await;
    if let Some((log, place)) = place {
        let evictions: Vec<_> =
            audit::since(&log, place).into_iter().filter(|r| r.namespace == story.namespace && r.resource == "pods/eviction").collect();
        assert!(evictions.iter().any(|r| r.code == 429), "the budget never held an eviction back: {}", audit::tally(&evictions));
    }
    assert!(summary["pods"].as_object().unwrap().len() > 3, "old and new pods answered: {summary:#}");
}

#[tokio::test]
async fn rolled_to_a_new_image_it_answers_every_request() {
    let Some(story) = Story::real("rolled").await else { return };
    story.service("orders", server(&TEST_SERVER[0], 3)).await;
    story.until(POD_TIME, "Ready", "Microservice", "orders", is_ready).await;
    story.begin_requests("http://orders/", 60).await;
    story.service("orders", server(&TEST_SERVER[1], 3)).await;
    story.until(POD_TIME, "rolled", "Microservice", "orders", |o| is_ready(o) && text(o, "/status/rollout/state") == "Completed").await;
    let summary = story.all_answered(1000).await;
    let revisions = summary["revisions"].to_string();
    assert!(TEST_SERVER.iter().all(|image| revisions.contains(image.as_str())), "both revisions answered: {summary:#}");
}

#[tokio::test]
async fn a_bad_image_is_rolled_back_while_the_old_one_answers_every_request() {
    let Some(story) = Story::real("real-bad-image").await else { return };
    let mut spec = server(&TEST_SERVER[0], 2);
    spec["rollout"] = json!({"progressDeadlineSeconds": 15});
    story.service("orders", spec.clone()).await;
    story.until(POD_TIME, "Ready", "Microservice", "orders", is_ready).await;
    story.begin_requests("http://orders/", 50).await;
    spec["image"] = json!("localhost/testserver:never-built");
    story.service("orders", spec).await;
    let back = |o: &Value| is_stalled(o, "ProgressDeadlineExceeded") && message(o, "Stalled").contains("rolled back");
    let failed = story.until(POD_TIME, "rolled back", "Microservice", "orders", back).await;
    for part in ["container orders", "ErrImageNeverPull", "spec.image"] {
        assert!(message(&failed, "Stalled").contains(part), "no {part} in {}", message(&failed, "Stalled"));
    }
    story.all_answered(800).await;
}
