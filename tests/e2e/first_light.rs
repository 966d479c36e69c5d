//! A new service, as its user sees it.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::*;

#[tokio::test]
async fn a_service_becomes_the_children_that_render_shows_and_no_others() {
    let Some(story) = Story::begin("first-light").await else { return };
    let spec = json!({
        "image": "example.com/shop/orders:1.4.2", "port": 8080, "system": "shop", "domain": "ordering", "owner": "team-orders",
        "env": [{"name": "LOG_LEVEL", "value": "info"}],
        "files": [{"mountPath": "/etc/orders/app.yaml", "content": "mode: fast\n"}],
        "resources": {"requests": {"cpu": "0.1"}},
    });
    let mut object = microservice("orders", spec);
    object["metadata"]["namespace"] = json!(story.namespace);
    story.apply(object.clone()).await;
    let ready = story.until_ready("orders").await;
    assert!(is_true(&ready, "Available"), "{ready:#}");

    let mut expected = BTreeSet::new();
    for planned in render(&object) {
        let (kind, name) = (text(&planned, "/kind").to_owned(), text(&planned, "/metadata/name").to_owned());
        let live = story.get(&kind, &name).await;
        contains(&live, &planned, &format!("{kind} {name}"));
        owned(&live, &ready);
        expected.insert((kind, name));
    }
    let mut found = BTreeSet::new();
    for kind in CHILDREN {
        for child in story.list(kind, "app.kubernetes.io/instance=orders").await {
            // The controller of EndpointSlices and ReplicaSets copies labels too, to kinds that are not in this list.
            found.insert((kind.to_owned(), text(&child, "/metadata/name").to_owned()));
        }
    }
    assert_eq!(found, expected);
    let kinds: BTreeSet<_> = expected.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(CHILDREN), "a service with a file has a child of every kind");

    let listed = at(&ready, "/status/inventory").as_array().unwrap();
    let listed: BTreeSet<_> = listed.iter().map(|entry| (text(entry, "/kind").to_owned(), text(entry, "/name").to_owned())).collect();
    assert_eq!(listed, expected, "the inventory lists what exists");
}

/// What the offline command makes of a manifest.
fn render(object: &Value) -> Vec<Value> {
    let output = run(Command::new(operator_binary()).args(["render", "-f", "-"]), &object.to_string());
    let documents: Vec<Value> = serde_saphyr::from_multiple(&output).unwrap();
    assert!(!documents.is_empty(), "render printed nothing");
    documents
}

/// Every planned field is in the live object, lists in the same order.
fn contains(live: &Value, planned: &Value, path: &str) {
    match (live, planned) {
        (Value::Object(live), Value::Object(planned)) => {
            for (key, value) in planned {
                // The uid of an owner is not known offline, and is looked at by `owned`.
                if key == "ownerReferences" || key == "replicas" {
                    continue;
                }
                let found = live.get(key).unwrap_or_else(|| panic!("{path}.{key} is missing, planned: {value}"));
                contains(found, value, &format!("{path}.{key}"));
            }
        }
        (Value::Array(live), Value::Array(planned)) => {
            assert_eq!(live.len(), planned.len(), "{path}: {live:?} instead of {planned:?}");
            for (index, (live, planned)) in live.iter().zip(planned).enumerate() {
                contains(live, planned, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(live, planned, "{path}"),
    }
}

/// Exactly one owner, which controls it: garbage collection depends on it.
fn owned(child: &Value, owner: &Value) {
    let owners = at(child, "/metadata/ownerReferences").as_array().unwrap_or_else(|| panic!("no owner: {child:#}"));
    assert_eq!(owners.len(), 1, "{owners:?}");
    assert_eq!(at(&owners[0], "/uid"), at(owner, "/metadata/uid"));
    assert_eq!(at(&owners[0], "/controller"), &json!(true));
    assert_eq!(text(child, "/metadata/labels/app.kubernetes.io~1managed-by"), "microservice-operator");
}

#[tokio::test]
async fn kubectl_get_shows_what_a_user_asks_first() {
    let Some(story) = Story::begin("columns").await else { return };
    story.service("orders", json!({"image": "example.com/shop/orders:1.4.2", "port": 8080, "replicas": 3})).await;
    let ready = story.until_ready("orders").await;
    let table = story.kubectl(&["get", "msvc", "orders"]);
    let (head, row) = table.trim().split_once('\n').unwrap();
    let columns: Vec<_> = head.split_whitespace().collect();
    assert_eq!(columns, ["NAME", "READY", "REASON", "REVISION", "REPLICAS", "AGE"], "{table}");
    let cells: Vec<_> = row.split_whitespace().collect();
    assert_eq!(cells[..5], ["orders", "True", "Serving", text(&ready, "/status/revision"), "3/3"], "{table}");
    let wide = story.kubectl(&["get", "msvc", "orders", "--output=wide"]);
    for part in ["IMAGE", "URL", "AUTOSCALING", "MESSAGE", "example.com/shop/orders:1.4.2", &format!("http://orders.{}", story.namespace)] {
        assert!(wide.contains(part), "no {part} in\n{wide}");
    }
}

#[tokio::test]
async fn a_worker_has_no_service_and_no_default_checks() {
    let Some(story) = Story::begin("worker").await else { return };
    story.service("mailer", json!({"image": "example.com/shop/mailer:1"})).await;
    let ready = story.until_ready("mailer").await;
    assert!(story.get("Service", "mailer").await.is_null());
    let deployment = story.get("Deployment", "mailer").await;
    let main = at(&deployment, "/spec/template/spec/containers/0");
    assert!(at(main, "/readinessProbe").is_null() && at(main, "/ports").is_null(), "{main:#}");
    assert!(at(&ready, "/status/url").is_null());
}

#[tokio::test]
async fn exactly_one_summary_condition_is_true_at_every_moment_of_a_life() {
    let Some(story) = Story::begin("summary").await else { return };
    story.service("orders", json!({"image": "example.com/shop/orders:1", "port": 8080, "replicas": 2})).await;
    let recording = Recording::of(&story, "Microservice", "orders", "/status").await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/shop/orders:2-slow"}})).await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", json!({"spec": {"replicas": 4}})).await;
    story.until_ready("orders").await;
    let seen = recording.values();
    assert!(seen.len() > 5, "too few moments to speak of: {}", seen.len());
    for status in &seen {
        let Some(conditions) = status["conditions"].as_array().filter(|list| !list.is_empty()) else { continue };
        let summary: Vec<_> = conditions.iter().filter(|c| ["Ready", "Reconciling", "Stalled"].contains(&text(c, "/type"))).collect();
        assert_eq!(summary.iter().filter(|c| c["status"] == "True").count(), 1, "{summary:#?}");
        assert!(
            summary.iter().all(|c| c["type"] == "Ready" || c["status"] == "True"),
            "a condition that exists only while true: {summary:#?}"
        );
        assert!(conditions.iter().all(|c| c["observedGeneration"] == status["observedGeneration"]), "{conditions:#?}");
    }
}
