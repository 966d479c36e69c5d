//! Somebody else edits or deletes children.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

async fn full_service(story: &Story) -> Value {
    let spec = json!({"image": "example.com/orders:1", "port": 8080, "files": [{"mountPath": "/etc/a", "content": "x"}]});
    story.service("orders", spec).await;
    story.until_ready("orders").await
}

/// Name of the service's one child of a kind.
async fn child(story: &Story, kind: &str) -> String {
    let all = story.list(kind, "app.kubernetes.io/instance=orders,app.kubernetes.io/managed-by=microservice-operator").await;
    assert_eq!(all.len(), 1, "one {kind}: {all:#?}");
    text(&all[0], "/metadata/name").to_owned()
}

#[tokio::test]
async fn every_kind_of_child_that_is_deleted_comes_back() {
    let Some(story) = Story::begin("deleted-child").await else { return };
    full_service(&story).await;
    for kind in CHILDREN {
        let name = child(&story, kind).await;
        let before = story.get(kind, &name).await["metadata"]["uid"].clone();
        story.delete(kind, &name).await;
        let back = |o: &Value| !o.is_null() && o["metadata"]["uid"] != before && at(o, "/metadata/deletionTimestamp").is_null();
        story.until(Duration::from_secs(5), "another one in its place", kind, &name, back).await;
        let ready = story.until_ready("orders").await;
        let now = story.get(kind, &name).await["metadata"]["uid"].clone();
        let listed = story
            .until(SOON, "its uid in the inventory", "Microservice", "orders", |o| {
                at(o, "/status/inventory").to_string().contains(now.as_str().unwrap())
            })
            .await;
        assert!(
            !at(&listed, "/status/inventory").to_string().contains(before.as_str().unwrap()),
            "{kind}: the old uid is still listed; {ready:#}"
        );
    }
}

#[tokio::test]
async fn a_deleted_deployment_comes_back_with_the_autoscalers_number() {
    let Some(story) = Story::begin("deleted-scaled").await else { return };
    story
        .service("orders", json!({"image": "example.com/orders:1", "port": 8080, "autoscaling": {"minReplicas": 3, "maxReplicas": 6}}))
        .await;
    story.until_ready("orders").await;
    let before = story.get("Deployment", "orders").await["metadata"]["uid"].clone();
    story.delete("Deployment", "orders").await;
    let back = story.until(SOON, "another one", "Deployment", "orders", |o| !o.is_null() && o["metadata"]["uid"] != before).await;
    assert!(number(&back, "/spec/replicas") >= 3, "it did not begin with 1: {back:#}");
}

#[tokio::test]
async fn every_managed_field_that_is_edited_is_repaired() {
    let Some(story) = Story::begin("edited-child").await else { return };
    full_service(&story).await;
    // Kind, an edit as a user's merge patch, and the field by which the repair shows.
    let edits = [
        ("ServiceAccount", json!({"automountServiceAccountToken": true}), "/automountServiceAccountToken"),
        (
            "ServiceAccount",
            json!({"metadata": {"labels": {"app.kubernetes.io/name": "other"}}}),
            "/metadata/labels/app.kubernetes.io~1name",
        ),
        ("NetworkPolicy", json!({"spec": {"ingress": [{}]}}), "/spec/ingress"),
        (
            "NetworkPolicy",
            json!({"spec": {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "other"}}}}),
            "/spec/podSelector/matchLabels/app.kubernetes.io~1name",
        ),
        ("PodDisruptionBudget", json!({"spec": {"maxUnavailable": 5}}), "/spec/maxUnavailable"),
        ("PodDisruptionBudget", json!({"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}}), "/spec/unhealthyPodEvictionPolicy"),
        (
            "ConfigMap",
            json!({"metadata": {"labels": {"app.kubernetes.io/instance": null, "app.kubernetes.io/name": "other"}}}),
            "/metadata/labels/app.kubernetes.io~1name",
        ),
        (
            "ControllerRevision",
            json!({"metadata": {"labels": {"app.kubernetes.io/name": "other"}}}),
            "/metadata/labels/app.kubernetes.io~1name",
        ),
        ("Service", json!({"spec": {"ports": [{"name": "http", "port": 81, "targetPort": 9}]}}), "/spec/ports"),
        ("Service", json!({"spec": {"selector": {"app.kubernetes.io/name": "other"}}}), "/spec/selector/app.kubernetes.io~1name"),
        ("Deployment", json!({"spec": {"progressDeadlineSeconds": 1200}}), "/spec/progressDeadlineSeconds"),
        (
            "Deployment",
            json!({"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": "50%"}}}}),
            "/spec/strategy/rollingUpdate/maxUnavailable",
        ),
        (
            "Deployment",
            json!({"spec": {"template": {"spec": {"automountServiceAccountToken": true}}}}),
            "/spec/template/spec/automountServiceAccountToken",
        ),
        ("HorizontalPodAutoscaler", json!({"spec": {"maxReplicas": 60}}), "/spec/maxReplicas"),
        ("HorizontalPodAutoscaler", json!({"metadata": {"ownerReferences": null}}), "/metadata/ownerReferences/0/controller"),
    ];
    for (kind, edit, field) in edits {
        let name = child(&story, kind).await;
        let planned = story.get(kind, &name).await;
        let edited = story.patch(kind, &name, edit.clone()).await;
        assert_ne!(at(&edited, field), at(&planned, field), "the edit {edit} of the {kind} shows in {field}");
        story
            .until(Duration::from_secs(10), &format!("{field} repaired after {edit}"), kind, &name, |o| at(o, field) == at(&planned, field))
            .await;
    }
    story.until_ready("orders").await;
    assert_eq!(at(&story.get("Deployment", "orders").await, "/spec/template/spec/automountServiceAccountToken"), &json!(false));
}

#[tokio::test]
async fn what_others_add_to_children_is_theirs() {
    let Some(story) = Story::begin("foreign-fields").await else { return };
    full_service(&story).await;
    let mut kept = BTreeMap::new();
    for kind in CHILDREN {
        let name = child(&story, kind).await;
        let addition = json!({"metadata": {"labels": {"team.example.com/cost": "7"}, "annotations": {"team.example.com/note": "mine"}}});
        story.patch(kind, &name, addition).await;
        kept.insert(kind, name);
    }
    story
        .patch("Deployment", "orders", json!({"spec": {"template": {"metadata": {"annotations": {"team.example.com/injected": "yes"}}}}}))
        .await;
    // Every child is looked at again, and the Deployment, the Service and the budget are written.
    let change = json!({"spec": {"image": "example.com/orders:2", "service": {"port": 81}, "disruption": {"maxUnavailable": 2}}});
    story.patch("Microservice", "orders", change).await;
    story
        .until(SOON, "the new image", "Microservice", "orders", |o| is_ready(o) && text(o, "/status/image") == "example.com/orders:2")
        .await;
    assert_eq!(number(&story.get("Service", "orders").await, "/spec/ports/0/port"), 81);
    for (kind, name) in kept {
        let now = story.get(kind, &name).await;
        assert_eq!(text(&now, "/metadata/labels/team.example.com~1cost"), "7", "label of {kind} {name}");
        assert_eq!(text(&now, "/metadata/annotations/team.example.com~1note"), "mine", "annotation of {kind} {name}");
    }
    let deployment = story.get("Deployment", "orders").await;
    assert_eq!(text(&deployment, "/spec/template/metadata/annotations/team.example.com~1injected"), "yes");
}

#[tokio::test]
async fn the_operator_writes_no_status_but_its_own() {
    let Some(story) = Story::begin("own-status").await else { return };
    let Some(place) = story.audit() else { return };
    full_service(&story).await;
    let name = child(&story, "Deployment").await;
    story.patch("Deployment", &name, json!({"spec": {"progressDeadlineSeconds": 1200}})).await;
    story.until(SOON, "repaired", "Deployment", &name, |o| number(o, "/spec/progressDeadlineSeconds") == 600).await;
    let requests = story.requests_since(&place);
    let subresources: Vec<_> = requests.iter().filter(|r| r.resource.contains('/')).map(|r| r.resource.as_str()).collect();
    assert!(!subresources.is_empty() && subresources.iter().all(|r| *r == "microservices/status"), "{subresources:?}");
    assert!(!requests.iter().any(|r| r.writes() && r.resource == "microservices"), "the spec is the user's");
}
