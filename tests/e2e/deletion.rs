//! The end of a service, and its sleep.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

#[tokio::test]
async fn a_deleted_service_takes_its_children_with_it_and_leaves_the_rest() {
    let Some(story) = Story::begin("deleted").await else { return };
    story.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}})).await;
    let spec = json!({"image": "example.com/orders:1", "port": 8080, "files": [{"mountPath": "/etc/a", "content": "x"}]});
    story.service("orders", spec.clone()).await;
    story.service("billing", spec).await;
    let ready = story.until_ready("orders").await;
    assert!(at(&ready, "/metadata/finalizers").is_null(), "nothing but garbage collection stands between a user and the end");
    story.until_ready("billing").await;
    story.delete("Microservice", "orders").await;
    story.until_gone("Microservice", "orders").await;
    for kind in CHILDREN.into_iter().chain(["Pod", "ReplicaSet"]) {
        let deadline = std::time::Instant::now() + SOON;
        while !story.list(kind, "app.kubernetes.io/instance=orders").await.is_empty() {
            assert!(std::time::Instant::now() < deadline, "{kind} remains");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(!story.list(kind, "app.kubernetes.io/instance=billing").await.is_empty(), "{kind} of the other service stays");
    }
    assert!(!story.get("ConfigMap", "mine").await.is_null());
}

#[tokio::test]
async fn foreground_deletion_ends_and_recreates_nothing() {
    let Some(story) = Story::begin("foreground").await else { return };
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080})).await;
    story.until_ready("orders").await;
    story.kubectl(&["delete", "msvc", "orders", "--cascade=foreground", "--timeout=30s"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for kind in CHILDREN {
        let left = story.list(kind, "app.kubernetes.io/instance=orders").await;
        assert!(left.is_empty(), "{kind} was left or made again: {left:#?}");
    }
}

#[tokio::test]
async fn orphaned_children_run_on_and_a_namesake_takes_them_over_without_a_restart() {
    let Some(story) = Story::begin("orphan").await else { return };
    let spec = json!({"image": "example.com/orders:1", "port": 8080, "replicas": 2, "deletionPolicy": "Orphan"});
    story.service("orders", spec.clone()).await;
    let first = story.until_ready("orders").await;
    let pods = story.pods("orders").await;
    let mut uids = Vec::new();
    for kind in ["Deployment", "Service", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget"] {
        let child = story.get(kind, "orders").await;
        assert!(at(&child, "/metadata/ownerReferences").is_null(), "{kind}: garbage collection must not find it");
        uids.push((kind, child["metadata"]["uid"].clone()));
    }
    story.delete("Microservice", "orders").await;
    story.until_gone("Microservice", "orders").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(story.pods("orders").await, pods, "the pods run on");

    story.service("orders", spec.clone()).await;
    let second = story.until_ready("orders").await;
    assert_eq!(at(&second, "/status/revision"), at(&first, "/status/revision"));
    for (kind, uid) in &uids {
        assert_eq!(&story.get(kind, "orders").await["metadata"]["uid"], uid, "{kind} is the same object");
    }
    assert_eq!(story.pods("orders").await, pods, "no pod was restarted");

    // From then on the policy can be changed both ways.
    story.patch("Microservice", "orders", json!({"spec": {"deletionPolicy": "Delete"}})).await;
    let owned = |o: &Value| text(o, "/metadata/ownerReferences/0/uid") == text(&second, "/metadata/uid");
    story.until(SOON, "owned", "Deployment", "orders", owned).await;
    story.until_ready("orders").await;
    assert_eq!(story.pods("orders").await, pods);
    story.delete("Microservice", "orders").await;
    for (kind, _) in &uids {
        story.until_gone(kind, "orders").await;
    }
}

#[tokio::test]
async fn a_suspended_service_is_looked_at_and_not_touched() {
    let Some(story) = Story::begin("suspended").await else { return };
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 2})).await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", json!({"spec": {"suspend": true}})).await;
    let suspended = story.until(SOON, "Suspended", "Microservice", "orders", |o| is_true(o, "Suspended")).await;
    assert!(is_true(&suspended, "Ready"), "conditions keep their last values: {suspended:#}");
    story.until_settled("orders").await;

    let Some(place) = story.audit() else { return };
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2", "port": null}})).await;
    story.delete("PodDisruptionBudget", "orders").await;
    story.patch("Deployment", "orders", json!({"spec": {"replicas": 3}})).await;
    story
        .until(SOON, "it follows what it sees", "Microservice", "orders", |o| {
            is_true(o, "Suspended") && number(o, "/status/readyReplicas") == 3
        })
        .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let touched: Vec<_> = story
        .requests_since(&place)
        .into_iter()
        .filter(|r| r.writes() && r.resource != "microservices/status" && r.resource != "events")
        .collect();
    assert!(touched.is_empty(), "{touched:#?}");

    story.patch("Microservice", "orders", json!({"spec": {"suspend": false}})).await;
    let resumed = story
        .until(SOON, "all of it is done now", "Microservice", "orders", |o| {
            is_ready(o) && text(o, "/status/image") == "example.com/orders:2"
        })
        .await;
    assert!(condition(&resumed, "Suspended").is_null());
    story.until_gone("Service", "orders").await;
    assert_eq!(number(&story.get("Deployment", "orders").await, "/spec/replicas"), 2);
    assert!(!story.get("PodDisruptionBudget", "orders").await.is_null());
}
