//! Weights of routes, with a gateway that moves packets: Traefik, as a pod in a namespace of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

/// Where it listens; a Gateway's listener must name the port of one of its entry points.
const PORT: i32 = 8000;
/// Traefik puts what it has accepted in force at most every 2 s.
const IN_FORCE: Duration = Duration::from_secs(4);
const RIGHTS: &str = "traefik";

/// The gateway's image.
static TRAEFIK: LazyLock<String> = LazyLock::new(|| {
    let built = run(Command::new(checkout().join("clusters/build")).args(["--path", "traefik"]), "");
    image_of("traefik:e2e", &PathBuf::from(built.trim()), "FROM scratch\nCOPY traefik /traefik\nUSER 65532\nENTRYPOINT [\"/traefik\"]\n")
});

fn state(object: &Value) -> &str {
    text(object, "/status/rollout/state")
}

/// Starts the gateway `public` in a namespace of its own, which serves the namespace of the story.
async fn gateway(story: &Story) -> Story {
    story.cluster.install_gateway_api();
    let gateways = story.abroad("real-gateways").await;
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let read = ["get", "list", "watch"];
    let rules = json!([
        rule("", &["services", "secrets", "configmaps", "namespaces", "nodes"], &read),
        rule("discovery.k8s.io", &["endpointslices"], &read),
        rule(
            "gateway.networking.k8s.io",
            &["gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants", "backendtlspolicies"],
            &read
        ),
        rule(
            "gateway.networking.k8s.io",
            &["gatewayclasses/status", "gateways/status", "httproutes/status", "grpcroutes/status", "backendtlspolicies/status"],
            &["update", "patch"]
        ),
    ]);
    let name = format!("{RIGHTS}-{}", gateways.namespace);
    let object = |version: &str, kind: &str, name: &str, fields: Value| {
        let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": {"e2e.microservices.dev/run": gateways.namespace}}});
        object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        object
    };
    let (rbac, api) = ("rbac.authorization.k8s.io/v1", "gateway.networking.k8s.io/v1");
    let subject = json!([{"kind": "ServiceAccount", "name": "default", "namespace": gateways.namespace}]);
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name});
    let listener = json!([{"name": "web", "port": PORT, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}]);
    let arguments = [
        "--providers.kubernetesgateway=true".to_owned(),
        format!("--providers.kubernetesgateway.namespaces={},{}", gateways.namespace, story.namespace),
        format!("--entrypoints.web.address=:{PORT}"),
        "--entrypoints.traefik.address=:8080".to_owned(),
        "--ping=true".to_owned(),
        "--global.checknewversion=false".to_owned(),
        "--global.sendanonymoususage=false".to_owned(),
    ];
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "traefik", "labels": {"app": "traefik"}},
        "spec": {"containers": [{
            "name": "traefik", "image": &*TRAEFIK, "imagePullPolicy": "Never", "args": arguments,
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
            "readinessProbe": {"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 1},
        }]},
    });
    gateways.apply(object(rbac, "ClusterRole", &name, json!({"rules": rules}))).await;
    gateways.apply(object(rbac, "ClusterRoleBinding", &name, json!({"roleRef": role, "subjects": subject}))).await;
    gateways.apply(object(api, "GatewayClass", "traefik", json!({"spec": {"controllerName": "traefik.io/gateway-controller"}}))).await;
    gateways.apply(object(api, "Gateway", "public", json!({"spec": {"gatewayClassName": "traefik", "listeners": listener}}))).await;
    gateways
        .apply(object(
            "v1",
            "Service",
            "public",
            json!({"spec": {"selector": {"app": "traefik"}, "ports": [{"port": 80, "targetPort": PORT}]}}),
        ))
        .await;
    gateways.apply(pod).await;
    gateways.until(POD_TIME, "the gateway runs", "Pod", "traefik", |o| o["status"]["containerStatuses"][0]["ready"] == true).await;
    gateways
}

#[tokio::test]
async fn a_gateway_gives_each_version_its_weight_and_loses_no_request() {
    let Some(story) = Story::real("real-gateway").await else { return };
    let gateways = gateway(&story).await;
    let url = format!("http://public.{}/", gateways.namespace);
    let mut spec = server(&TEST_SERVER[0], 3);
    spec["routes"] = json!([{"name": "public", "gatewayRef": {"name": "public", "namespace": gateways.namespace}}]);
    let steps = json!([{"match": {"headers": [{"name": "x-tester", "value": "yes"}]}}, {"pause": {"manual": true}},
                       {"setWeight": 20}, {"pause": {"manual": true}}, {"setWeight": 50}]);
    spec["rollout"] = json!({"strategy": "Canary", "scaleDownDelaySeconds": 10, "canary": {"steps": steps}});
    story.service("orders", spec).await;
    let first = story.until(POD_TIME, "Ready", "Microservice", "orders", |o| is_ready(o) && reason(o, "RoutesReady") == "Accepted").await;
    let old = text(&first, "/status/revision").to_owned();
    story.begin_requests(&url, 100).await;

    story
        .patch("Microservice", "orders", json!({"spec": {"image": TEST_SERVER[1], "env": [{"name": "REVISION", "value": TEST_SERVER[1]}]}}))
        .await;
    let paused = story.until(POD_TIME, "testers", "Microservice", "orders", |o| state(o) == "Paused").await;
    let new = text(&paused, "/status/rollout/candidateRevision").to_owned();
    tokio::time::sleep(IN_FORCE).await;
    let (tester, _) = story.sample_with("tester", &url, &TEST_SERVER[1], &["--header", "x-tester: yes", "--seconds", "3"]).await;
    let (anybody, _) = story.sample_with("anybody", &url, &TEST_SERVER[1], &["--seconds", "3"]).await;
    assert_eq!((tester, anybody), (1.0, 0.0), "testers see the new version, and nobody else does");

    story.command("orders", "promote", &new).await;
    let weighted = |o: &Value| state(o) == "Paused" && number(o, "/status/rollout/observedWeight") == 20;
    story.until(POD_TIME, "20 %", "Microservice", "orders", weighted).await;
    tokio::time::sleep(IN_FORCE).await;
    let (share, all) = story.sample("sampler", &url, &TEST_SERVER[1]).await;
    let error = 4.5 * (0.2 * 0.8 / all).sqrt();
    say(&format!("  gateway: {:.1} % of {all} requests at a weight of 20 %", share * 100.0));
    assert!((share - 0.2).abs() < error, "{share:.3} of {all} requests, and 0.2 ± {error:.3} was due");

    let victim = story.pods_of("orders", &old).await.remove(0);
    story.evict(&victim).await;
    story.command("orders", "promote", &format!("{new}:2")).await;
    story.until(POD_TIME, "promoted", "Microservice", "orders", |o| is_ready(o) && text(o, "/status/revision") == new).await;
    let summary = story.all_answered(1500).await;
    let revisions = summary["revisions"].to_string();
    assert!(TEST_SERVER.iter().all(|image| revisions.contains(image.as_str())), "both revisions answered: {summary:#}");
}
