//! A canary by the weights of a route that is the user's.

use serde_json::{Value, json};

use crate::harness::*;

fn referring(image: &str, steps: &Value) -> Value {
    json!({
        "image": format!("example.com/orders:{image}"), "port": 8080, "replicas": 4,
        "rollout": {
            "strategy": "Canary", "scaleDownDelaySeconds": 5, "progressDeadlineSeconds": 60,
            "canary": {"routeRefs": [{"kind": "HTTPRoute", "name": "shop"}], "steps": steps},
        },
    })
}

fn image(tag: &str) -> Value {
    json!({"spec": {"image": format!("example.com/orders:{tag}")}})
}

/// What a team may have written, with fields that the operator knows nothing of.
async fn write_route(story: &Story) -> Value {
    story
        .apply(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop", "annotations": {"team": "a"}},
            "spec": {
                "parentRefs": [{"name": "public", "namespace": "gateways"}], "hostnames": ["shop.example.com"],
                "rules": [
                    {"matches": [{"path": {"type": "PathPrefix", "value": "/web"}}], "backendRefs": [{"name": "web", "port": 80}, {"name": "orders", "port": 80, "weight": 3}]},
                    {
                        "matches": [{"path": {"type": "Exact", "value": "/orders"}, "method": "GET"}],
                        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-a", "value": "b"}]}}],
                        "backendRefs": [{"name": "orders", "port": 80}], "timeouts": {"request": "5s"},
                    },
                ],
            },
        }))
        .await;
    story.get("HTTPRoute", "shop").await
}

fn weights(route: &Value, rule: usize) -> Vec<(String, i64)> {
    let backends = at(route, &format!("/spec/rules/{rule}/backendRefs")).as_array().cloned().unwrap_or_default();
    backends.iter().map(|backend| (text(backend, "/name").to_owned(), number(backend, "/weight"))).collect()
}

fn is_open(route: &Value) -> bool {
    weights(route, 1) == [("orders".to_owned(), 75), ("orders-canary".to_owned(), 25)]
}

fn is_accepted(route: &Value) -> bool {
    at(route, "/status/parents/0/conditions/0/observedGeneration") == at(route, "/metadata/generation")
}

fn is_paused(object: &Value) -> bool {
    text(object, "/status/rollout/state") == "Paused"
}

#[tokio::test]
async fn the_weights_of_a_users_route_follow_and_the_route_is_put_back() {
    let Some(story) = Story::begin("route-refs").await else { return };
    let gateway = Gateway::serve(&story, None);
    let wrote = write_route(&story).await;
    story.service("orders", referring("1", &json!([{"setWeight": 25}, {"pause": {"manual": true}}, {"setWeight": 50}]))).await;
    story.until_ready("orders").await;
    story.until(SOON, "routes", "Microservice", "orders", |o| reason(o, "RoutesReady") == "Accepted").await;
    let witness = Witness::of(&story, "orders", 4, 8).await;
    let place = story.audit();

    story.patch("Microservice", "orders", image("2")).await;
    let paused = story.until(SOON, "paused", "Microservice", "orders", is_paused).await;
    let new = text(&paused, "/status/rollout/candidateRevision").to_owned();
    assert_eq!(text(&paused, "/status/rollout/routing"), "Gateway");
    let route = story.get("HTTPRoute", "shop").await;
    assert!(is_open(&route), "{route:#}");
    let first = [("web".to_owned(), 100), ("orders".to_owned(), 225), ("orders-canary".to_owned(), 75)];
    assert_eq!(weights(&route, 0), first, "its part is 3 of 4, of which a quarter goes to the candidate");
    assert_eq!(text(&route, "/metadata/annotations/rollout.microservices.dev~1orders"), "25");
    assert!(story.get("Service", "orders-stable").await.is_null(), "the Service itself is the stable side");

    story.command("orders", "promote", &new).await;
    story.until_ready_with("orders", "example.com/orders:2").await;
    let back = story.until(SOON, "put back", "HTTPRoute", "shop", |o| o["spec"] == wrote["spec"]).await;
    assert_eq!(back["metadata"]["annotations"], wrote["metadata"]["annotations"]);
    witness.is_content();
    story.until(SOON, "accepted", "HTTPRoute", "shop", is_accepted).await;
    gateway.saw(&[0, 25, 50, 100, 0]).await;
    if let Some(place) = place {
        let writes = story.requests_since(&place).into_iter().filter(|r| r.writes() && r.resource == "httproutes").count();
        // The stand-in's, of the status, are not the operator's.
        assert!(writes <= 4, "{writes} writes of the route");
    }
}

#[tokio::test]
async fn an_edit_of_a_users_route_in_the_middle_is_kept() {
    let Some(story) = Story::begin("route-refs-edit").await else { return };
    let _gateway = Gateway::serve(&story, None);
    write_route(&story).await;
    story.service("orders", referring("1", &json!([{"setWeight": 25}, {"pause": {"manual": true}}]))).await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", image("2")).await;
    let paused = story.until(SOON, "paused", "Microservice", "orders", is_paused).await;
    story.patch("HTTPRoute", "shop", json!({"spec": {"hostnames": ["other.example.com"]}})).await;
    // Somebody applies the whole of it again.
    let wrote = write_route(&story).await;
    story.until(SOON, "redone", "HTTPRoute", "shop", is_open).await;
    story.patch("HTTPRoute", "shop", json!({"spec": {"hostnames": ["third.example.com"]}})).await;
    // As long as the gateway has yet to take an edit, the step is not done, and a promotion of it is refused.
    for attempt in 1.. {
        let value = format!("{}:{attempt}", text(&paused, "/status/rollout/candidateRevision"));
        story.command("orders", "promote", &value).await;
        let handled = |o: &Value| text(o, "/status/rollout/lastAction/value") == value;
        let answered = story.until(SOON, "answered", "Microservice", "orders", handled).await;
        if text(&answered, "/status/rollout/lastAction/result") != "Refused" {
            break;
        }
        assert!(attempt < 20, "{answered:#}");
    }
    story.until_ready_with("orders", "example.com/orders:2").await;
    let back = story.until(SOON, "put back", "HTTPRoute", "shop", |o| o["spec"]["rules"] == wrote["spec"]["rules"]).await;
    assert_eq!(text(&back, "/spec/hostnames/0"), "third.example.com");
}

#[tokio::test]
async fn a_users_route_outlives_its_service_as_it_was() {
    let Some(story) = Story::begin("route-refs-gone").await else { return };
    let _gateway = Gateway::serve(&story, None);
    let wrote = write_route(&story).await;
    story.service("orders", referring("1", &json!([{"setWeight": 25}, {"pause": {"manual": true}}]))).await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", image("2")).await;
    story.until(SOON, "paused", "Microservice", "orders", is_paused).await;
    // Without its route the next step waits, and says so.
    story.delete("HTTPRoute", "shop").await;
    let missing = story.until(SOON, "missing", "Microservice", "orders", |o| reason(o, "RoutesReady") == "RouteMissing").await;
    assert!(message(&missing, "RoutesReady").contains("HTTPRoute shop"), "{}", message(&missing, "RoutesReady"));
    write_route(&story).await;
    story.until(SOON, "redone", "HTTPRoute", "shop", is_open).await;
    story.delete("Microservice", "orders").await;
    let back = story.until(SOON, "put back", "HTTPRoute", "shop", |o| o["spec"] == wrote["spec"]).await;
    assert_eq!(back["metadata"]["annotations"], wrote["metadata"]["annotations"]);
}
