//! Routes, and a canary by their weights.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

/// How long a kind that comes or goes may go unnoticed: a watch that fails is tried again after half a minute at most.
const NOTICED: Duration = Duration::from_secs(90);

fn routed(image: &str, steps: &Value) -> Value {
    json!({
        "image": format!("example.com/orders:{image}"), "port": 8080, "replicas": 4,
        "routes": [{"name": "public", "hosts": ["orders.example.com"], "gatewayRef": {"name": "public", "namespace": "gateways"}}],
        "rollout": {"strategy": "Canary", "scaleDownDelaySeconds": 5, "progressDeadlineSeconds": 60, "canary": {"steps": steps}},
    })
}

fn image(tag: &str) -> Value {
    json!({"spec": {"image": format!("example.com/orders:{tag}")}})
}

fn state(object: &Value) -> &str {
    text(object, "/status/rollout/state")
}

fn selects(service: &Value) -> &str {
    text(service, "/spec/selector/microservices.dev~1revision")
}

#[tokio::test]
async fn a_canary_by_weights_keeps_the_old_version_whole_until_the_end() {
    let Some(story) = Story::begin("gateway").await else { return };
    let gateway = Gateway::serve(&story, None);
    let steps = json!([{"match": {"headers": [{"name": "x-tester", "value": "yes"}]}}, {"pause": {"manual": true}},
                       {"setWeight": 25}, {"pause": {"manual": true}}, {"setWeight": 50}]);
    story.service("orders", routed("1", &steps)).await;
    let first = story.until_ready("orders").await;
    let old = text(&first, "/status/revision").to_owned();
    story.until(SOON, "routes", "Microservice", "orders", |o| reason(o, "RoutesReady") == "Accepted").await;
    let witness = Witness::of(&story, "orders", 4, 8).await;
    let place = story.audit();

    story.patch("Microservice", "orders", image("2")).await;
    let paused = story.until(SOON, "testers", "Microservice", "orders", |o| state(o) == "Paused").await;
    let new = text(&paused, "/status/rollout/candidateRevision").to_owned();
    assert_eq!((text(&paused, "/status/rollout/routing"), number(&paused, "/status/rollout/step")), ("Gateway", 1));
    let route = story.get("HTTPRoute", "orders-public").await;
    assert_eq!(text(&route, "/spec/rules/0/matches/0/headers/0/name"), "x-tester", "{route:#}");
    assert_eq!(text(&route, "/spec/rules/0/backendRefs/0/name"), "orders-canary");
    assert_eq!((story.pods_of("orders", &new).await.len(), story.pods_of("orders", &old).await.len()), (1, 4));
    let sides =
        [story.get("Service", "orders-stable").await, story.get("Service", "orders-canary").await, story.get("Service", "orders").await];
    assert_eq!(sides.each_ref().map(selects), [old.as_str(), new.as_str(), old.as_str()]);

    story.command("orders", "promote", &new).await;
    let weighted = |o: &Value| state(o) == "Paused" && number(o, "/status/rollout/observedWeight") == 25;
    let quarter = story.until(SOON, "25 %", "Microservice", "orders", weighted).await;
    assert!(message(&quarter, "Reconciling").contains("25 % of the requests"), "{}", message(&quarter, "Reconciling"));
    story.command("orders", "promote", &format!("{new}:2")).await;
    story.until_ready_with("orders", "example.com/orders:2").await;
    story.until_gone("Deployment", &format!("orders-{old}")).await;
    story.until(SOON, "back at rest", "HTTPRoute", "orders-public", |o| number(o, "/spec/rules/0/backendRefs/1/weight") == 0).await;
    let sides =
        [story.get("Service", "orders-stable").await, story.get("Service", "orders-canary").await, story.get("Service", "orders").await];
    assert_eq!(sides.each_ref().map(selects), [new.as_str(); 3]);
    witness.is_content();
    gateway.saw(&[0, 25, 50, 100, 0]).await;
    if let Some(place) = place {
        let routes = story.requests_since(&place).into_iter().filter(|r| r.writes() && r.resource == "httproutes").count();
        // Testers come, and with each weight the route is another: 0, 25, 50, 100, 0.
        assert!(routes <= 5, "{routes} writes of the route");
    }
}

#[tokio::test]
async fn an_operator_that_is_killed_again_and_again_gives_each_weight_once() {
    let Some(mut story) = Story::apart("gateway-killed").await else { return };
    // Nobody else is there to take over, and each start would wait for the lease of the dead.
    let index = story.start_operator("", Setup { arguments: vec!["--leader-elect=false".to_owned()], ..Setup::default() });
    story.operator_number(index).wait_ready(SOON);
    let gateway = Gateway::serve(&story, None);
    let pause = json!({"pause": {"seconds": 1}});
    let steps = json!([{"setWeight": 20}, pause, {"setWeight": 40}, pause, {"setWeight": 80}, pause]);
    story.service("orders", routed("1", &steps)).await;
    story.until_ready("orders").await;
    let witness = Witness::of(&story, "orders", 4, 8).await;
    let steps = Recording::of(&story, "Microservice", "orders", "/status/rollout/step").await;
    let weights = Recording::of(&story, "HTTPRoute", "orders-public", "/spec/rules/0/backendRefs/1/weight").await;
    story.patch("Microservice", "orders", image("2")).await;
    for round in 0..12u64 {
        tokio::time::sleep(Duration::from_millis(300 + round * 7919 % 613)).await;
        story.operator_number(index).kill();
        story.operator_number(index).begin();
    }
    story.until_ready_with("orders", "example.com/orders:2").await;
    story.until(SOON, "back at rest", "HTTPRoute", "orders-public", |o| number(o, "/spec/rules/0/backendRefs/1/weight") == 0).await;
    let numbers = |recording: &Recording| recording.values().iter().filter_map(Value::as_i64).collect::<Vec<_>>();
    gateway.saw(&[0, 20, 40, 80, 100, 0]).await;
    let deadline = std::time::Instant::now() + SOON;
    while numbers(&weights).last() != Some(&0) {
        assert!(std::time::Instant::now() < deadline, "{:?}", weights.values());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(numbers(&steps), [0, 1, 2, 3, 4, 5, 6], "every step once, in order");
    assert_eq!(numbers(&weights), [0, 20, 40, 80, 100, 0], "every weight once, in order");
    witness.is_content();
}

#[tokio::test]
async fn a_canary_behind_a_gateway_is_aborted() {
    let Some(story) = Story::begin("gateway-abort").await else { return };
    let gateway = Gateway::serve(&story, None);
    story.service("orders", routed("1", &json!([{"setWeight": 30}, {"pause": {"manual": true}}]))).await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", image("2")).await;
    let paused = story.until(SOON, "paused", "Microservice", "orders", |o| state(o) == "Paused").await;
    story.command("orders", "abort", text(&paused, "/status/rollout/candidateRevision")).await;
    story.until(SOON, "no weight", "HTTPRoute", "orders-public", |o| number(o, "/spec/rules/0/backendRefs/1/weight") == 0).await;
    let back = |o: &Value| state(o) == "Aborted" && message(o, "Stalled").contains("rolled back");
    story.until(SOON, "aborted", "Microservice", "orders", back).await;
    // A broken version never gets any.
    story
        .patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:bad", "rollout": {"progressDeadlineSeconds": 6}}}))
        .await;
    story.until(SOON * 2, "rolled back", "Microservice", "orders", |o| state(o) == "RolledBack").await;
    gateway.saw(&[0, 30, 0]).await;
}

#[tokio::test]
async fn a_stable_side_that_shrinks_grows_before_its_requests_come_back() {
    let Some(story) = Story::begin("gateway-dynamic").await else { return };
    let gateway = Gateway::serve(&story, None);
    let mut spec = routed("1", &json!([{"setWeight": 50}, {"pause": {"manual": true}}]));
    spec["rollout"]["canary"]["stableScale"] = json!("Dynamic");
    story.service("orders", spec).await;
    let old = text(&story.until_ready("orders").await, "/status/revision").to_owned();
    let stable = format!("orders-{old}");
    story.patch("Microservice", "orders", image("2")).await;
    let half = story.until(SOON, "half given up", "Microservice", "orders", |o| number(o, "/status/rollout/yieldedWeight") == 50).await;
    story.until(SOON, "half its size", "Deployment", &stable, |o| number(o, "/spec/replicas") == 2).await;
    gateway.saw(&[0, 50]).await;
    story.command("orders", "abort", text(&half, "/status/rollout/candidateRevision")).await;
    story.until(SOON, "no weight", "HTTPRoute", "orders-public", |o| number(o, "/spec/rules/0/backendRefs/1/weight") == 0).await;
    let back = story.get("Deployment", &stable).await;
    assert!(number(&back, "/status/availableReplicas") == 4, "requests came back before the pods: {back:#}");
    let aborted = |o: &Value| state(o) == "Aborted" && message(o, "Stalled").contains("rolled back");
    story.until(SOON, "aborted", "Microservice", "orders", aborted).await;
}

#[tokio::test]
async fn a_route_that_is_refused_says_so_and_fails_the_rollout() {
    let Some(story) = Story::begin("gateway-refused").await else { return };
    let _gateway = Gateway::serve(&story, Some("no listener allows this namespace"));
    story.service("orders", routed("1", &json!([{"setWeight": 30}]))).await;
    story.until_ready("orders").await;
    let refused = story.until(SOON, "refused", "Microservice", "orders", |o| reason(o, "RoutesReady") == "NotAccepted").await;
    assert!(message(&refused, "RoutesReady").contains("no listener allows this namespace"), "{}", message(&refused, "RoutesReady"));
    story
        .patch("Microservice", "orders", json!({"spec": {"image": "example.com/orders:2", "rollout": {"progressDeadlineSeconds": 8}}}))
        .await;
    let failed = story.until(SOON * 2, "rolled back", "Microservice", "orders", |o| state(o) == "RolledBack").await;
    assert!(message(&failed, "Stalled").contains("HTTPRoute orders-public is refused by its gateway"), "{}", message(&failed, "Stalled"));
}

#[tokio::test]
async fn a_route_that_somebody_edits_is_put_right_and_one_that_leaves_the_spec_goes() {
    let Some(story) = Story::begin("gateway-edit").await else { return };
    let _gateway = Gateway::serve(&story, None);
    let mut spec = routed("1", &json!([]));
    spec["protocol"] = json!("GRPC");
    story.service("orders", spec).await;
    story.until_ready("orders").await;
    let change = json!({"spec": {"hostnames": ["stolen.example.com"]}});
    story.patch("GRPCRoute", "orders-public", change).await;
    story.until(SOON, "put right", "GRPCRoute", "orders-public", |o| text(o, "/spec/hostnames/0") == "orders.example.com").await;
    story.patch("Microservice", "orders", json!({"spec": {"routes": null}})).await;
    story.until_gone("GRPCRoute", "orders-public").await;
    story.until_gone("Service", "orders-canary").await;
    story.until(SOON, "not asked for", "Microservice", "orders", |o| reason(o, "RoutesReady") == "NotRequested").await;
}

#[tokio::test]
async fn the_gateway_api_may_come_and_go() {
    let Some(mut story) = Story::bare("gateway-comes").await else { return };
    story.cluster.remove_gateway_api();
    story.cluster.install_crd();
    let index = story.start_operator("", Setup { namespaces: vec![story.namespace.clone()], ..Setup::default() });
    story.operator_number(index).wait_ready(SOON);
    let mut spec = routed("1", &json!([{"setWeight": 25}, {"pause": {"manual": true}}]));
    spec["rollout"]["progressDeadlineSeconds"] = json!(600);
    story.service("orders", spec).await;
    let ready = story.until_ready("orders").await;
    assert_eq!(reason(&ready, "RoutesReady"), "GatewayAPIMissing", "{}", message(&ready, "RoutesReady"));
    story.patch("Microservice", "orders", image("2")).await;
    let paused = story.until(SOON, "by pods", "Microservice", "orders", |o| state(o) == "Paused").await;
    assert_eq!(text(&paused, "/status/rollout/routing"), "", "without a gateway the share of pods is the share of requests");
    story.command("orders", "promote", text(&paused, "/status/rollout/candidateRevision")).await;
    story.until_ready_with("orders", "example.com/orders:2").await;

    story.cluster.install_gateway_api();
    let gateway = Gateway::serve(&story, None);
    story.until(NOTICED, "it came", "Microservice", "orders", |o| reason(o, "RoutesReady") == "Accepted").await;
    story.patch("Microservice", "orders", image("3")).await;
    let paused = story.until(SOON, "by weight", "Microservice", "orders", |o| state(o) == "Paused").await;
    assert_eq!(text(&paused, "/status/rollout/routing"), "Gateway");

    // It goes in the middle: no weight can be given any more, and what was given is gone with the routes.
    drop(gateway);
    story.cluster.remove_gateway_api();
    story.until(NOTICED, "it went", "Microservice", "orders", |o| reason(o, "RoutesReady") == "GatewayAPIMissing").await;
    story.command("orders", "abort", text(&paused, "/status/rollout/candidateRevision")).await;
    let back = |o: &Value| state(o) == "Aborted" && message(o, "Stalled").contains("rolled back");
    story.until(SOON, "aborted", "Microservice", "orders", back).await;
    assert_eq!(story.pods_of("orders", text(&paused, "/status/revision")).await.len(), 4);
}
