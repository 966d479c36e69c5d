//! Bad input and bad surroundings: each has a message that says what to do, and nothing is lost.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::audit::{Request, tally};
use crate::harness::*;

/// Above every back-off that the operator and the controllers of Kubernetes have by then reached.
const AFTER_BACK_OFF: Duration = Duration::from_secs(120);

#[allow(clippy::needless_pass_by_value, reason = "callers write `json!` in place")]
fn quota(hard: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}, "spec": {"hard": hard}})
}

/// A quota counts with a delay; until then it refuses nothing.
async fn enforced(story: &Story) {
    story.until(SOON, "the quota is counted", "ResourceQuota", "quota", |o| !at(o, "/status/hard").is_null()).await;
}

#[tokio::test]
async fn a_quota_that_is_full_of_pods_is_named_and_freed_pods_follow() {
    let Some(story) = Story::begin("quota-pods").await else { return };
    story.apply(quota(json!({"pods": "1"}))).await;
    enforced(&story).await;
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 3})).await;
    let stalled = story.until(SOON, "QuotaExceeded", "Microservice", "orders", |o| is_stalled(o, "QuotaExceeded")).await;
    let said = message(&stalled, "Stalled");
    assert!(said.contains("exceeded quota: quota") && said.contains("ResourceQuota"), "{said}");
    story.delete("ResourceQuota", "quota").await;
    story.until(AFTER_BACK_OFF, "three pods", "Microservice", "orders", |o| is_ready(o) && number(o, "/status/readyReplicas") == 3).await;
}

#[tokio::test]
async fn a_quota_that_refuses_one_child_holds_back_no_other() {
    let Some(story) = Story::begin("quota-child").await else { return };
    story.apply(quota(json!({"count/services": "0"}))).await;
    enforced(&story).await;
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 1})).await;
    let stalled = story.until(SOON, "QuotaExceeded", "Microservice", "orders", |o| is_stalled(o, "QuotaExceeded")).await;
    assert!(message(&stalled, "Stalled").contains("Service orders"), "{}", message(&stalled, "Stalled"));
    story.until(SOON, "the pod runs", "Deployment", "orders", |o| number(o, "/status/readyReplicas") == 1).await;
    story.apply(quota(json!({"count/services": "5"}))).await;
    story.until(AFTER_BACK_OFF, "Ready", "Microservice", "orders", is_ready).await;
}

#[tokio::test]
async fn ten_lines_pass_pod_security_restricted_and_root_is_refused_with_advice() {
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let Some(story) = Story::labelled("restricted", labels).await else { return };
    let files = json!([{"mountPath": "/etc/a", "content": "x"}, {"mountPath": "/cache", "emptyDir": {}}]);
    let sidecars = json!([{"name": "proxy", "image": "example.com/proxy:1"}]);
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "files": files, "sidecars": sidecars})).await;
    story.until_ready("orders").await;
    story
        .service(
            "root",
            json!({"image": "example.com/orders:1", "port": 8080, "podSecurityContext": {"runAsNonRoot": false, "runAsUser": 0}}),
        )
        .await;
    let stalled = story.until(SOON, "Forbidden", "Microservice", "root", |o| is_stalled(o, "Forbidden")).await;
    let said = message(&stalled, "Stalled");
    for part in ["restricted", "runAsNonRoot", "spec.podSecurityContext"] {
        assert!(said.contains(part), "no {part} in: {said}");
    }
    story.service("root", json!({"image": "example.com/orders:1", "port": 8080})).await;
    story.until(AFTER_BACK_OFF, "Ready once it asks for less", "Microservice", "root", is_ready).await;
}

#[tokio::test]
async fn a_forbidden_verb_is_named_the_rest_goes_on_and_a_grant_heals() {
    let Some(mut story) = Story::apart("forbidden").await else { return };
    let index = story.start_operator("", Setup { without: vec![("create", "poddisruptionbudgets")], ..Setup::default() });
    story.operator_number(index).wait_ready(SOON);
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 2})).await;
    let stalled = story.until(SOON, "Forbidden", "Microservice", "orders", |o| is_stalled(o, "Forbidden")).await;
    let said = message(&stalled, "Stalled");
    assert!(said.contains("create") && said.contains("poddisruptionbudgets"), "verb and resource: {said}");
    assert_eq!(condition(&stalled, "DisruptionBudgetReady")["status"], "False", "{stalled:#}");
    story.until(SOON, "the pods run", "Deployment", "orders", |o| number(o, "/status/readyReplicas") == 2).await;
    assert!(!story.get("Service", "orders").await.is_null());
    story.operator().account.grant_all(story.cluster, &story.namespace);
    story.until(AFTER_BACK_OFF, "healed", "Microservice", "orders", is_ready).await;
}

#[tokio::test]
async fn a_namespace_that_ends_sees_no_loop_of_creations() {
    let Some(story) = Story::begin("terminating").await else { return };
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080})).await;
    story.until_ready("orders").await;
    // Two finalizers, so that the namespace and the service stay in the middle of their end.
    let hold = json!({"metadata": {"finalizers": ["e2e.microservices.dev/hold"]}});
    story
        .apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hold", "finalizers": ["e2e.microservices.dev/hold"]}}))
        .await;
    story.patch("Microservice", "orders", hold).await;
    let place = story.audit();
    story.kubectl(&["delete", "namespace", &story.namespace, "--wait=false"]);
    story.until(AFTER_BACK_OFF, "the children are gone", "Deployment", "orders", Value::is_null).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let free = json!({"metadata": {"finalizers": null}});
    story.patch("ConfigMap", "hold", free.clone()).await;
    let written: Vec<_> = place.map(|place| story.requests_since(&place)).unwrap_or_default().into_iter().filter(Request::writes).collect();
    story.patch("Microservice", "orders", free).await;
    story.until(AFTER_BACK_OFF, "the namespace is gone", "Namespace", &story.namespace, Value::is_null).await;
    say(&format!("  terminating: {}", tally(&written)));
    // Each child that goes wakes the operator once, and a pass ends with the first rank that is refused, which has three
    // children; a loop would make hundreds.
    assert!(written.len() <= 30, "{}", tally(&written));
}

#[tokio::test]
async fn a_name_of_sixty_characters_works_and_a_longer_than_a_service_may_have_is_refused() {
    let Some(story) = Story::begin("long-name").await else { return };
    let name = "a-service-with-a-name-of-sixty-characters-that-is-very-long1";
    assert_eq!(name.len(), 60);
    let spec = json!({"image": "example.com/orders:1", "port": 8080, "files": [{"mountPath": "/etc/a", "content": "x"}]});
    story.service(name, spec.clone()).await;
    let ready = story.until_ready(name).await;
    for entry in at(&ready, "/status/inventory").as_array().unwrap() {
        assert!(text(entry, "/name").len() <= 63, "{entry}");
    }
    for refused in ["a".repeat(64), "1-starts-with-a-digit".to_owned(), "with.dots".to_owned()] {
        let error = story.try_apply(&microservice(&refused, spec.clone())).await.expect_err("a name that no Service could have");
        assert!(error.to_string().contains("metadata.name") || error.to_string().contains("63"), "{error}");
    }
}

#[tokio::test]
async fn what_passes_admission_and_is_wrong_is_listed_and_the_last_good_children_stay() {
    let Some(story) = Story::begin("invalid").await else { return };
    let good = json!({"image": "example.com/orders:1", "port": 8080, "replicas": 2});
    story.service("orders", good.clone()).await;
    story.until_ready("orders").await;
    let before = story.get("Deployment", "orders").await;
    // The schema passes podTemplate on as it is; two things are wrong in it.
    let bad = json!({"spec": {"image": "example.com/orders:2", "podTemplate": {"spec": {"hostNetwork": true, "nodeName": "node-1"}}}});
    story.patch("Microservice", "orders", bad).await;
    let stalled = story.until(SOON, "InvalidSpec", "Microservice", "orders", |o| is_stalled(o, "InvalidSpec")).await;
    let problems = at(&stalled, "/status/problems").to_string();
    for part in ["hostNetwork", "nodeName"] {
        assert!(problems.contains(part) && message(&stalled, "Stalled").contains(part), "no {part} in {problems}");
    }
    let after = story.get("Deployment", "orders").await;
    assert_eq!(at(&after, "/metadata/generation"), at(&before, "/metadata/generation"));
    story.patch("Microservice", "orders", json!({"spec": {"podTemplate": null}})).await;
    let healed = story.until_ready("orders").await;
    assert_eq!(text(&healed, "/status/image"), "example.com/orders:2");
    assert!(at(&healed, "/status/problems").as_array().is_none_or(Vec::is_empty));
}

#[tokio::test]
async fn a_watched_namespace_that_is_missing_or_goes_away_hurts_no_other() {
    let Some(mut story) = Story::apart("lost-namespace").await else { return };
    let doomed = format!("{}-b", story.namespace);
    story.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": doomed}})).await;
    let namespaces = vec![story.namespace.clone(), doomed.clone()];
    let index = story.start_operator("", Setup { namespaces, ..Setup::default() });
    story.operator_number(index).wait_ready(SOON);
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 1})).await;
    story.until_ready("orders").await;
    // With the namespace its Role goes, so that every list and watch there is refused.
    story.kubectl(&["delete", "namespace", &doomed, "--timeout=60s"]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2"}})).await;
    story.until(SOON, "followed", "Microservice", "orders", |o| is_ready(o) && text(o, "/status/image") == "example.com/orders:2").await;
    story.operator().alive().unwrap();
}
