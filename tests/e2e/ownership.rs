//! What is not ours is never touched.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

/// An object of somebody else under a child's name.
fn foreign(kind: &str, name: &str) -> Value {
    let labels = json!({"app": "somebody-else"});
    let metadata = json!({"name": name, "labels": labels});
    match kind {
        "Service" => {
            json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": {"selector": labels, "ports": [{"port": 9999}]}})
        }
        "ServiceAccount" => json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "automountServiceAccountToken": true}),
        "Deployment" => {
            json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"replicas": 1, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": "example.com/else:1"}]}}}})
        }
        "NetworkPolicy" => {
            json!({"apiVersion": "networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": {"podSelector": {"matchLabels": labels}}})
        }
        "PodDisruptionBudget" => {
            json!({"apiVersion": "policy/v1", "kind": kind, "metadata": metadata, "spec": {"maxUnavailable": 3, "selector": {"matchLabels": labels}}})
        }
        "HorizontalPodAutoscaler" => json!({"apiVersion": "autoscaling/v2", "kind": kind, "metadata": metadata,
            "spec": {"maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "else"}}}),
        other => panic!("no foreign {other}"),
    }
}

/// Names taken by foreign objects, one service each, so that each service lacks exactly one child.
const TAKEN: [&str; 6] = ["Service", "ServiceAccount", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler"];

/// No pod starts under a stranger's identity or without its policy, and no autoscaler takes a stranger's Deployment.
fn waits(child: &str, taken: &str) -> bool {
    match taken {
        "ServiceAccount" | "NetworkPolicy" => ["Deployment", "HorizontalPodAutoscaler"].contains(&child),
        "Deployment" => child == "HorizontalPodAutoscaler",
        _ => false,
    }
}

#[tokio::test]
async fn an_object_that_is_not_ours_is_left_alone_and_named() {
    let Some(story) = Story::begin("foreign").await else { return };
    for kind in TAKEN {
        let name = format!("on-{}", kind.to_lowercase());
        let before = story.apply(foreign(kind, &name)).await;
        story.service(&name, json!({"image": "example.com/orders:1", "port": 8080})).await;
        let stalled = story.until(SOON, "a conflict", "Microservice", &name, |o| is_stalled(o, "OwnershipConflict")).await;
        let said = message(&stalled, "Stalled");
        assert!(said.contains(&format!("{kind} {name}")), "it names the object: {said}");
        for sibling in TAKEN.into_iter().filter(|sibling| *sibling != kind && !waits(sibling, kind)) {
            let there = story.get(sibling, &name).await;
            assert_eq!(
                text(&there, "/metadata/labels/app.kubernetes.io~1managed-by"),
                "microservice-operator",
                "{sibling} beside a foreign {kind}"
            );
        }
        let after = story.get(kind, &name).await;
        assert_eq!(at(&after, "/spec"), at(&before, "/spec"), "untouched");
        assert_eq!(at(&after, "/metadata/labels"), at(&before, "/metadata/labels"), "untouched");
        assert!(at(&after, "/metadata/ownerReferences").is_null(), "untouched");

        story.delete(kind, &name).await;
        // Nobody tells an operator that watches its own children only of the end of a stranger's: it looks again by itself.
        story.until(Duration::from_secs(90), "resolved", "Microservice", &name, is_ready).await;
    }
}

#[tokio::test]
async fn an_object_with_our_label_and_another_owner_is_left_alone() {
    let Some(story) = Story::begin("other-owner").await else { return };
    let owner = story.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "its-owner"}})).await;
    let mut taken = foreign("Service", "orders");
    taken["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "microservice-operator", "app.kubernetes.io/instance": "orders"});
    taken["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "its-owner", "uid": owner["metadata"]["uid"], "controller": true}]);
    let before = story.apply(taken).await;
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080})).await;
    let stalled = story.until(SOON, "a conflict", "Microservice", "orders", |o| is_stalled(o, "OwnershipConflict")).await;
    assert!(message(&stalled, "Stalled").contains("ConfigMap its-owner"), "it says whose: {}", message(&stalled, "Stalled"));
    // And it is not pruned either, when the service no longer wants one.
    story.patch("Microservice", "orders", json!({"spec": {"port": null}})).await;
    story.until_ready("orders").await;
    story.delete("Microservice", "orders").await;
    story.until_gone("Deployment", "orders").await;
    let after = story.get("Service", "orders").await;
    assert_eq!(at(&after, "/metadata/uid"), at(&before, "/metadata/uid"));
    assert_eq!(at(&after, "/spec"), at(&before, "/spec"));
}

#[tokio::test]
async fn no_object_that_is_not_ours_is_ever_written() {
    let Some(story) = Story::begin("no-theft").await else { return };
    let Some(place) = story.audit() else { return };
    for kind in TAKEN {
        story.apply(foreign(kind, "orders")).await;
    }
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080})).await;
    story.until(SOON, "a conflict", "Microservice", "orders", |o| is_stalled(o, "OwnershipConflict")).await;
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2"}})).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let problems = story.get("Microservice", "orders").await;
    let named = at(&problems, "/status/problems").to_string();
    for kind in TAKEN.into_iter().filter(|kind| !waits(kind, "ServiceAccount")) {
        assert!(named.contains(&format!("{kind} orders")), "{kind} is among the problems: {named}");
    }
    let stolen: Vec<_> = story
        .requests_since(&place)
        .into_iter()
        .filter(|r| r.writes() && r.code < 400 && r.name == "orders" && !r.resource.starts_with("microservices"))
        .collect();
    assert!(stolen.is_empty(), "{stolen:#?}");
}

#[tokio::test]
async fn two_services_whose_children_would_share_a_name_do_not_share_a_child() {
    let Some(story) = Story::begin("same-name").await else { return };
    // Long names that differ only past the place where suffixed names are cut.
    let long = |last: char| format!("{}{last}", "a".repeat(62));
    let spec = json!({"image": "example.com/orders:1", "port": 8080, "replicas": 1, "files": [{"mountPath": "/etc/a", "content": "x"}]});
    for last in ['b', 'c'] {
        story.service(&long(last), spec.clone()).await;
    }
    for last in ['b', 'c'] {
        story.until_ready(&long(last)).await;
    }
    for kind in ["ControllerRevision", "ConfigMap"] {
        let all = story.list(kind, "app.kubernetes.io/managed-by=microservice-operator").await;
        assert_eq!(all.len(), 2, "{kind}: one each, {all:#?}");
    }
}

#[tokio::test]
async fn a_namesake_of_a_deleted_service_does_not_inherit_its_children() {
    let Some(story) = Story::begin("recreated").await else { return };
    let spec = json!({"image": "example.com/orders:1", "port": 8080, "replicas": 2});
    let mut last = Value::Null;
    for _ in 0..5 {
        story.service("orders", spec.clone()).await;
        last = story.until_ready("orders").await;
        story.delete("Microservice", "orders").await;
    }
    story.service("orders", spec).await;
    let now = story.until_ready("orders").await;
    assert_ne!(at(&now, "/metadata/uid"), at(&last, "/metadata/uid"));
    // Garbage of the predecessors is collected; what belongs to the living one stays.
    story.until_settled("orders").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    story.until_ready("orders").await;
    for kind in ["Deployment", "Service", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget"] {
        let child = story.get(kind, "orders").await;
        assert_eq!(at(&child, "/metadata/ownerReferences/0/uid"), at(&now, "/metadata/uid"), "{kind}");
    }
}
