//! Who decides how many pods there are.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

/// The metrics of a new pod are known after about 20 s, and then the autoscaler needs to look.
const METRICS: Duration = Duration::from_secs(90);

#[tokio::test]
async fn kubectl_scale_sets_a_fixed_number() {
    let Some(story) = Story::begin("scale-fixed").await else { return };
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 2})).await;
    story.until_ready("orders").await;
    story.kubectl(&["scale", "msvc/orders", "--replicas=4"]);
    let scaled = story.until(SOON, "four pods", "Microservice", "orders", |o| is_ready(o) && number(o, "/status/readyReplicas") == 4).await;
    assert_eq!(text(&scaled, "/status/readyText"), "4/4");
    assert!(story.get("HorizontalPodAutoscaler", "orders").await.is_null());
    story.kubectl(&["scale", "msvc/orders", "--replicas=0"]);
    let zero = story.until(SOON, "no pods", "Microservice", "orders", |o| is_ready(o) && number(o, "/status/replicas") == 0).await;
    assert_eq!(reason(&zero, "Ready"), "ScaledToZero");
    story.kubectl(&["scale", "msvc/orders", "--replicas=1"]);
    story.until(SOON, "one pod", "Microservice", "orders", |o| is_ready(o) && number(o, "/status/readyReplicas") == 1).await;
}

#[tokio::test]
async fn kubectl_scale_is_refused_where_an_autoscaler_decides() {
    let Some(story) = Story::begin("scale-refused").await else { return };
    story
        .service("orders", json!({"image": "example.com/orders:1", "port": 8080, "autoscaling": {"minReplicas": 2, "maxReplicas": 4}}))
        .await;
    story.until_ready("orders").await;
    let (succeeded, said) = story.cluster.try_kubectl(&["--namespace", &story.namespace, "scale", "msvc/orders", "--replicas=3"], "");
    assert!(!succeeded, "{said}");
    assert!(said.contains("replicas") && said.contains("autoscaling"), "it says why: {said}");
    assert_eq!(number(&story.get("Deployment", "orders").await, "/spec/replicas"), 2);
}

#[tokio::test]
async fn the_autoscaler_grows_the_service_and_no_change_of_the_template_undoes_it() {
    let Some(story) = Story::begin("autoscale").await else { return };
    // Three times the target: the autoscaler wants 6 pods and may have 5. The annotation is what the simulated kubelet reports as usage.
    let template = json!({"metadata": {"annotations": {"kwok.x-k8s.io/usage-cpu": "210m"}}});
    let scaling = json!({"minReplicas": 2, "maxReplicas": 5, "cpu": {"averageUtilization": 70}});
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "autoscaling": scaling, "podTemplate": template})).await;
    let replicas = {
        story.until(SOON, "a Deployment", "Deployment", "orders", |o| !o.is_null()).await;
        Recording::of(&story, "Deployment", "orders", "/spec/replicas").await
    };
    let grown = story.until(METRICS, "grown to the most", "Microservice", "orders", |o| number(o, "/status/readyReplicas") == 5).await;
    assert_eq!(replicas.values().first(), Some(&json!(2)), "it began with the fewest");
    story
        .until(SOON, "the number is explained", "Microservice", "orders", |o| text(o, "/status/autoscaling/limitedBy") == "maxReplicas")
        .await;
    assert!(is_true(&grown, "AutoscalerReady"), "{grown:#}");

    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2"}})).await;
    story
        .until(METRICS, "the new image", "Microservice", "orders", |o| is_ready(o) && text(o, "/status/image") == "example.com/orders:2")
        .await;
    story.patch("Microservice", "orders", json!({"spec": {"env": [{"name": "A", "value": "b"}]}})).await;
    story.until(SOON, "the new variable", "Deployment", "orders", |o| text(o, "/spec/template/spec/containers/0/env/0/name") == "A").await;
    story.until_ready("orders").await;
    let seen = replicas.values();
    assert!(seen.windows(2).all(|pair| pair[0].as_i64() <= pair[1].as_i64()), "the number only grew: {seen:?}");
    let managers = story.kubectl(&["get", "deployment", "orders", "--show-managed-fields", "--output=json"]);
    let managers: Value = serde_json::from_str(&managers).unwrap();
    let claims =
        at(&managers, "/metadata/managedFields").as_array().unwrap().iter().filter(|f| !at(f, "/fieldsV1/f:spec/f:replicas").is_null());
    let claims: Vec<_> = claims.map(|f| text(f, "/manager").to_owned()).collect();
    assert!(!claims.contains(&"microservice-operator".to_owned()), "the autoscaler's number is the autoscaler's: {claims:?}");
}

#[tokio::test]
async fn from_fixed_to_scaled_and_back_never_passes_through_one() {
    let Some(story) = Story::begin("handover").await else { return };
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 4})).await;
    story.until_ready("orders").await;
    let replicas = Recording::of(&story, "Deployment", "orders", "/spec/replicas").await;
    let uid = story.get("Deployment", "orders").await["metadata"]["uid"].clone();

    let scaled = json!({"image": "example.com/orders:1", "port": 8080, "autoscaling": {"minReplicas": 3, "maxReplicas": 6}});
    story.service("orders", scaled.clone()).await;
    story.until(SOON, "an autoscaler", "HorizontalPodAutoscaler", "orders", |o| number(o, "/spec/minReplicas") == 3).await;
    story.until_ready("orders").await;
    // Give the autoscaler the time to look; without load it may shrink to its minimum, and not below.
    tokio::time::sleep(Duration::from_secs(8)).await;
    // A change of the template while the autoscaler decides: the apply in which a number could get lost.
    let mut changed = scaled;
    changed["env"] = json!([{"name": "A", "value": "b"}]);
    story.service("orders", changed).await;
    story.until_ready("orders").await;

    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 5})).await;
    story.until(SOON, "five pods", "Microservice", "orders", |o| is_ready(o) && number(o, "/status/readyReplicas") == 5).await;
    story.until_gone("HorizontalPodAutoscaler", "orders").await;
    let seen: Vec<_> = replicas.values().iter().map(|v| v.as_i64().unwrap_or(-1)).collect();
    assert!(seen.iter().all(|n| *n >= 3), "{seen:?}");
    assert_eq!(seen.last(), Some(&5), "{seen:?}");
    assert_eq!(story.get("Deployment", "orders").await["metadata"]["uid"], uid, "one Deployment all the time");
}

#[tokio::test]
async fn a_service_that_was_at_zero_starts_with_the_autoscalers_minimum() {
    let Some(story) = Story::begin("from-zero").await else { return };
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 0})).await;
    story.until_ready("orders").await;
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "autoscaling": {"minReplicas": 3}})).await;
    // An autoscaler takes a workload at zero for switched off and would leave it there for ever.
    story.until(SOON, "three pods", "Microservice", "orders", |o| is_ready(o) && number(o, "/status/readyReplicas") == 3).await;
}
