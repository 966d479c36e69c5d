//! What is switched off is removed.

use serde_json::{Value, json};

use crate::harness::*;

/// A service with everything, a change, and the child that must go with it and come back with it.
async fn comes_and_goes(title: &'static str, off: Value, on: Value, kind: &str) {
    let Some(story) = Story::begin(title).await else { return };
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080})).await;
    story.until_ready("orders").await;
    let listed = |o: &Value| at(o, "/status/inventory").as_array().is_some_and(|list| list.iter().any(|entry| entry["kind"] == kind));
    assert!(!story.get(kind, "orders").await.is_null(), "there is a {kind} to begin with");

    story.patch("Microservice", "orders", json!({"spec": off})).await;
    story.until_gone(kind, "orders").await;
    story.until(SOON, "out of the inventory", "Microservice", "orders", |o| is_ready(o) && !listed(o)).await;
    // The others are still there.
    for other in ["Deployment", "ServiceAccount"] {
        assert!(!story.get(other, "orders").await.is_null(), "{other} stays");
    }

    story.patch("Microservice", "orders", json!({"spec": on})).await;
    story.until(SOON, "back again", kind, "orders", |o| !o.is_null()).await;
    story.until(SOON, "in the inventory", "Microservice", "orders", |o| is_ready(o) && listed(o)).await;
}

#[tokio::test]
async fn without_a_port_the_service_goes() {
    comes_and_goes("no-port", json!({"port": null}), json!({"port": 8080}), "Service").await;
}

#[tokio::test]
async fn without_isolation_the_network_policy_goes() {
    let off = json!({"accessPolicy": {"isolation": "None"}});
    comes_and_goes("no-isolation", off, json!({"accessPolicy": null}), "NetworkPolicy").await;
}

#[tokio::test]
async fn with_a_fixed_number_the_autoscaler_goes() {
    comes_and_goes("no-autoscaler", json!({"replicas": 2}), json!({"replicas": null}), "HorizontalPodAutoscaler").await;
}

#[tokio::test]
async fn without_disruption_policy_the_budget_goes() {
    let off = json!({"disruption": {"policy": "None"}});
    comes_and_goes("no-budget", off, json!({"disruption": null}), "PodDisruptionBudget").await;
}

#[tokio::test]
async fn a_field_that_is_taken_back_is_gone_from_the_child() {
    let Some(story) = Story::begin("taken-back").await else { return };
    let bare = json!({"image": "example.com/orders:1", "port": 8080, "replicas": 1});
    story.service("orders", bare.clone()).await;
    story.until_ready("orders").await;
    let before = story.get("Deployment", "orders").await["spec"]["template"].clone();
    let mut full = bare.clone();
    full["env"] = json!([{"name": "A", "value": "b"}]);
    full["command"] = json!(["/run"]);
    full["files"] = json!([{"mountPath": "/etc/a", "content": "x"}, {"mountPath": "/cache", "emptyDir": {}}]);
    full["placement"] = json!({"nodeSelector": {"kubernetes.io/os": "linux"}});
    full["service"] = json!({"annotations": {"a.example.com/b": "c"}, "trafficDistribution": "PreferClose"});
    full["podTemplate"] = json!({"spec": {"hostAliases": [{"ip": "203.0.113.5", "hostnames": ["legacy"]}]}});
    story.service("orders", full).await;
    let there = |o: &Value| !at(o, "/spec/template/spec/hostAliases").is_null() && !at(o, "/spec/template/spec/containers/0/env").is_null();
    story.until(SOON, "all of it is there", "Deployment", "orders", there).await;
    let overridden = story.until(SOON, "Overridden", "Microservice", "orders", |o| is_true(o, "Overridden")).await;
    assert!(message(&overridden, "Overridden").contains("podTemplate"));
    story.service("orders", bare).await;
    story.until(SOON, "the template of the beginning", "Deployment", "orders", |o| o["spec"]["template"] == before).await;
    story
        .until(SOON, "no annotation", "Service", "orders", |o| {
            at(o, "/metadata/annotations/a.example.com~1b").is_null() && at(o, "/spec/trafficDistribution").is_null()
        })
        .await;
    story.until(SOON, "not Overridden", "Microservice", "orders", |o| is_ready(o) && condition(o, "Overridden").is_null()).await;
}
