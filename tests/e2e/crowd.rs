//! A cluster with nothing else in it: what happens before the CRD is there, and with very many services at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};

use crate::harness::audit::tally;
use crate::harness::*;

/// The bar, for 1 000 services.
const MOST_MEMORY_MIB: u64 = 80;
/// Its bar for passes that any one object needs again, because one failed or met somebody else's write.
const MOST_REPEATS: usize = 5;
/// How many passes an object may need on average: one to create, the others to look at what came of it.
const MEAN_PASSES: f64 = 5.0;
const METRICS_API: &str = "v1beta1.metrics.k8s.io";
/// Fresh pods are measured after about 20 s, an autoscaler looks each 15 s, and the server forgets an API in its own time.
const METRICS: Duration = Duration::from_secs(120);
const CRD: &str = "microservices.microservices.dev";

#[tokio::test]
async fn without_the_crd_the_operator_waits_and_begins_when_it_comes() {
    let Some(mut story) = Story::bare("no-crd").await else { return };
    story.cluster.kubectl(&["delete", "crd", CRD, "--ignore-not-found"], "");
    let index = story.start_operator("", Setup::default());
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        let operator = story.operator_number(index);
        operator.alive().unwrap_or_else(|how| panic!("the operator {how}; log:\n{}", operator.log_tail()));
        assert!(!operator.is_ready(), "ready for what?");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let operator = story.operator_number(index);
    assert_eq!(operator.health("/healthz").map(|(status, _)| status), Some(200), "alive, though not ready");
    let (_, said) = operator.health("/readyz").unwrap();
    assert!(said.to_lowercase().contains("microservice"), "it says what it waits for: {said}");

    story.cluster.install_crd();
    operator.wait_ready(Duration::from_secs(60));
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 1})).await;
    story.until_ready("orders").await;

    // And goes away in the middle of the work: the services are gone with it, the operator is not.
    story.cluster.kubectl(&["delete", "crd", CRD, "--timeout=60s"], "");
    tokio::time::sleep(Duration::from_secs(3)).await;
    operator.alive().unwrap();
    story.cluster.install_crd();
    // Under another name: the garbage collector takes its time with children whose owner's kind has gone.
    story.service("billing", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 1})).await;
    story.until(Duration::from_secs(90), "Ready", "Microservice", "billing", is_ready).await;
}

#[tokio::test]
async fn a_microservice_that_cannot_be_read_hurts_no_other() {
    let Some(mut story) = Story::bare("unreadable").await else { return };
    story.cluster.install_crd();
    // Written while an older or a broken CRD was in force: a list where a text is due.
    let loose = json!([{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema",
        "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]);
    story.cluster.kubectl(&["patch", "crd", CRD, "--type=json", &format!("--patch={loose}")], "");
    let broken = json!({"image": ["not", "text"], "port": "http"});
    let deadline = Instant::now() + SOON;
    // The server takes a moment to use the new schema.
    while let Err(error) = story.try_apply(&microservice("broken", broken.clone())).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    story.cluster.install_crd();
    let index = story.start_operator("", Setup::default());
    story.operator_number(index).wait_ready(SOON);
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 1})).await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", json!({"spec": {"replicas": 2}})).await;
    story.until(SOON, "followed", "Microservice", "orders", |o| is_ready(o) && number(o, "/status/readyReplicas") == 2).await;
    let deadline = Instant::now() + SOON;
    while !story.operator().log_tail().contains("broken") {
        assert!(Instant::now() < deadline, "the log does not name the one that cannot be read: {}", story.operator().log_tail());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Its owner can repair it.
    story.patch("Microservice", "broken", json!({"spec": {"image": "example.com/orders:1", "port": 8080, "replicas": 1}})).await;
    story.until_ready("broken").await;
}

/// The metrics API is the one optional API that this operator's children need: an autoscaler without it does not act.
#[tokio::test]
async fn a_metrics_api_that_vanishes_is_told_and_hurts_nothing_else_and_comes_back() {
    let Some(mut story) = Story::bare("no-metrics").await else { return };
    story.cluster.install_crd();
    let index = story.start_operator("", Setup::default());
    story.operator_number(index).wait_ready(SOON);
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080})).await;
    story.until(METRICS, "metrics seen", "Microservice", "orders", |o| is_ready(o) && is_true(o, "AutoscalerReady")).await;

    let api = story.cluster.kubectl(&["get", "apiservice", METRICS_API, "--output=json"], "");
    story.cluster.kubectl(&["delete", "apiservice", METRICS_API], "");
    let told = story
        .until(METRICS, "told", "Microservice", "orders", |o| !is_true(o, "AutoscalerReady") && reason(o, "AutoscalerReady") != "Starting")
        .await;
    let said = message(&told, "AutoscalerReady");
    assert!(said.contains("metrics-server") && said.contains("metrics.k8s.io"), "it says what is missing: {said}");
    assert!(is_ready(&told), "the pods serve as before: {told:#}");
    // A change goes out as if nothing were amiss.
    story.patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2"}})).await;
    story.until(SOON, "changed", "Microservice", "orders", |o| is_ready(o) && text(o, "/status/image") == "example.com/orders:2").await;

    let mut api: Value = serde_json::from_str(&api).unwrap();
    api["metadata"] = json!({"name": METRICS_API});
    api["status"] = Value::Null;
    story.cluster.kubectl(&["apply", "--filename=-"], &api.to_string());
    story.until(METRICS, "back", "Microservice", "orders", |o| is_ready(o) && is_true(o, "AutoscalerReady")).await;
}

#[tokio::test]
async fn a_crowd_of_services_created_at_once_becomes_ready_in_little_memory() {
    let Some(mut story) = Story::bare_alone("crowd").await else { return };
    let count: usize = std::env::var("E2E_SCALE").map_or(200, |text| text.parse().expect("E2E_SCALE is a number"));
    story.cluster.install_crd();
    room_for(&story, count);
    let index =
        story.start_operator("", Setup { log: Some("info,microservice_operator::controller::reconcile=debug"), ..Setup::default() });
    story.operator_number(index).wait_ready(SOON);
    let Some(place) = story.audit() else { return };

    let from = Instant::now();
    let services = stream::iter(0..count).map(|n| {
        let story = &story;
        async move { story.service(&format!("shop-{n}"), json!({"image": "example.com/orders:1", "port": 8080, "replicas": 1})).await }
    });
    services.buffer_unordered(32).collect::<Vec<_>>().await;
    let created = from.elapsed();
    let deadline = Instant::now() + Duration::from_secs(60) + Duration::from_millis(300) * u32::try_from(count).unwrap();
    loop {
        let all = story.list("Microservice", "").await;
        let waiting: Vec<&Value> = all.iter().filter(|o| !is_ready(o)).collect();
        if waiting.is_empty() && all.len() == count {
            break;
        }
        assert!(Instant::now() < deadline, "{} of {count} are not Ready, e.g. {:#}", waiting.len(), waiting[0]["status"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let ready = from.elapsed();
    tokio::time::sleep(Duration::from_secs(3)).await;

    let operator = story.operator();
    let memory = operator.peak_memory();
    let log = operator.log_text();
    let (all, repeats) =
        (passes(&log, |_| true), passes(&log, |pass| pass.contains("outcome=Error ") || pass.contains("outcome=Requeue ")));
    let mean = f64_of(all.values().sum()) / f64_of(count);
    let (most, repeated) = (all.values().max().unwrap(), repeats.values().max().unwrap_or(&0));
    let requests = story.requests_since(&place);
    say(&format!(
        "  crowd: {count} services created in {created:.1?}, all Ready after {ready:.1?}; at most {memory} MiB; {mean:.2} passes each, {most} at most, {repeated} of them repeats, and {:.2} requests; {}",
        f64_of(requests.len()) / f64_of(count),
        tally(&requests)
    ));
    let bar = if cfg!(debug_assertions) && std::env::var_os("OPERATOR_BIN").is_none() { MOST_MEMORY_MIB * 2 } else { MOST_MEMORY_MIB };
    assert!(memory < bar, "{memory} MiB, the bar is {bar}");
    assert_eq!(all.len(), count, "the log tells of every pass");
    assert!(mean <= MEAN_PASSES, "{mean:.2} passes per object");
    assert!(*repeated <= MOST_REPEATS, "{repeats:?}");
    let again = requests.iter().filter(|r| r.code == 409).count();
    assert!(again <= count, "{again} conflicts");
}

/// Passes by service, from the operator's log, whose lines of a pass read `… debug <namespace>/<name>: passed …`.
fn passes(log: &str, which: impl Fn(&str) -> bool) -> BTreeMap<String, usize> {
    let mut passes = BTreeMap::new();
    for (before, _) in log.lines().filter_map(|line| line.split_once(": passed ")).filter(|(_, pass)| which(pass)) {
        *passes.entry(before.rsplit(' ').next().unwrap().to_owned()).or_insert(0) += 1;
    }
    passes
}

#[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn f64_of(count: usize) -> f64 {
    count as f64
}

/// A whole quantity; kwok's nodes say `1k`.
fn whole(quantity: &str) -> usize {
    match quantity.strip_suffix('k') {
        Some(thousands) => thousands.parse::<usize>().unwrap() * 1000,
        None => quantity.parse().unwrap(),
    }
}

/// Enough simulated nodes for the pods: a node takes so many.
fn room_for(story: &Story, pods: usize) {
    let nodes: Value = serde_json::from_str(&story.cluster.kubectl(&["get", "nodes", "--output=json"], "")).unwrap();
    let sizes = nodes["items"].as_array().unwrap().iter().map(|node| whole(text(node, "/status/allocatable/pods")));
    let room: usize = sizes.sum();
    assert!(room > pods, "the nodes take {room} pods, {pods} are needed: start the cluster with more of them");
}
