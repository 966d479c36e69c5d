//! Canary and blue-green under steady requests: none fails, and each version answers its share.

use serde_json::{Value, json};

use crate::harness::*;

fn state(object: &Value) -> &str {
    text(object, "/status/rollout/state")
}

fn candidate(object: &Value) -> String {
    text(object, "/status/rollout/candidateRevision").to_owned()
}

async fn given(story: &Story, image: &str) {
    story.patch("Microservice", "orders", json!({"spec": {"image": image, "env": [{"name": "REVISION", "value": image}]}})).await;
}

#[tokio::test]
async fn a_canary_answers_every_request_and_its_share_of_them() {
    let Some(story) = Story::real("real-canary").await else { return };
    let mut spec = server(&TEST_SERVER[0], 4);
    let steps = json!([{"setWeight": 25}, {"pause": {"manual": true}}, {"setWeight": 50}, {"pause": {"seconds": 3}}]);
    spec["rollout"] = json!({"strategy": "Canary", "canary": {"steps": steps}});
    story.service("orders", spec).await;
    let first = story.until(POD_TIME, "Ready", "Microservice", "orders", is_ready).await;
    let old = text(&first, "/status/revision").to_owned();
    story.begin_requests("http://orders/", 100).await;

    given(&story, &TEST_SERVER[1]).await;
    let paused = story.until(POD_TIME, "paused", "Microservice", "orders", |o| state(o) == "Paused").await;
    let new = candidate(&paused);
    let (share, all) = story.sample("sampler", "http://orders/", &TEST_SERVER[1]).await;
    // Four and a half standard deviations: one run in a hundred thousand is further off by chance.
    let error = 4.5 * (0.25 * 0.75 / all).sqrt();
    say(&format!("  canary: {:.1} % of {all} requests at a weight of 25 %", share * 100.0));
    assert!((share - 0.25).abs() < error, "{share:.3} of {all} requests, and 0.25 ± {error:.3} was due");

    // A drain in the middle of it.
    let victim = story.pods_of("orders", &old).await.remove(0);
    story.evict(&victim).await;
    story.command("orders", "promote", &new).await;
    let done = |o: &Value| is_ready(o) && text(o, "/status/revision") == new;
    story.until(POD_TIME, "promoted", "Microservice", "orders", done).await;

    given(&story, &TEST_SERVER[0]).await;
    let again = story.until(POD_TIME, "paused", "Microservice", "orders", |o| state(o) == "Paused").await;
    assert_eq!(candidate(&again), old, "the same pods are the same revision");
    story.command("orders", "abort", &old).await;
    let back = |o: &Value| state(o) == "Aborted" && message(o, "Stalled").contains("rolled back");
    story.until(POD_TIME, "aborted", "Microservice", "orders", back).await;
    let summary = story.all_answered(1500).await;
    let revisions = summary["revisions"].to_string();
    assert!(TEST_SERVER.iter().all(|image| revisions.contains(image.as_str())), "both revisions answered: {summary:#}");
}

#[tokio::test]
async fn a_switch_and_its_return_answer_every_new_connection() {
    let Some(story) = Story::real("real-blue-green").await else { return };
    let mut spec = server(&TEST_SERVER[0], 2);
    spec["rollout"] =
        json!({"strategy": "BlueGreen", "scaleDownDelaySeconds": 40, "blueGreen": {"autoPromotion": false, "previewReplicas": 1}});
    story.service("orders", spec).await;
    let first = story.until(POD_TIME, "Ready", "Microservice", "orders", is_ready).await;
    // Cilium does the Services of this cluster's pods, and sends what comes on an open connection to another pod as soon as
    // the old one leaves the Service, which resets it. So each request has a connection of its own, and of the two switches
    // each may meet one request under way.
    story.begin_requests_of("http://orders/", 90, "1").await;

    given(&story, &TEST_SERVER[1]).await;
    let waits = story.until(POD_TIME, "waits", "Microservice", "orders", |o| state(o) == "Paused").await;
    let (seen, _) = story.sample("looks-ahead", "http://orders-preview/", &TEST_SERVER[1]).await;
    let (served, _) = story.sample("looks-around", "http://orders/", &TEST_SERVER[1]).await;
    assert_eq!((seen, served), (1.0, 0.0), "the new version answers at its preview address and nowhere else");

    story.command("orders", "promote", &candidate(&waits)).await;
    story.until(POD_TIME, "switched", "Microservice", "orders", |o| is_ready(o) && text(o, "/status/revision") == candidate(&waits)).await;
    let (served, _) = story.sample("looks-again", "http://orders/", &TEST_SERVER[1]).await;
    assert!(served > 0.99, "{served} of all requests go to the new version");
    given(&story, &TEST_SERVER[0]).await;
    let back = |o: &Value| is_ready(o) && text(o, "/status/revision") == text(&first, "/status/revision");
    story.until(POD_TIME, "back", "Microservice", "orders", back).await;
    story.answered_but_for_resets(1400, 2).await;
}
