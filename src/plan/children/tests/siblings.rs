//! Service, autoscaler, budget, Deployment, identity and files.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{find, fresh, only, service};
use crate::api::labels;
use crate::model::{ChildRef, Kind};

fn kinds(spec: &str) -> Vec<Kind> {
    fresh(&service(spec)).list.iter().map(|child| child.reference.kind).collect()
}

#[test]
fn which_children_there_are() {
    use Kind::*;
    assert_eq!(
        kinds("port: 8080\nfiles: [{mountPath: /a, content: b}]"),
        [ServiceAccount, NetworkPolicy, PodDisruptionBudget, ConfigMap, ControllerRevision, Service, Deployment, HorizontalPodAutoscaler],
        "in order of apply"
    );
    assert_eq!(
        kinds("replicas: 1\ndisruption: {policy: None}\naccessPolicy: {isolation: None}"),
        [ServiceAccount, ControllerRevision, Deployment]
    );
}

#[test]
fn the_service_speaks_each_protocol() {
    let ports = |spec: &str| only(&service(spec), Kind::Service)["spec"]["ports"].clone();
    let table = [
        ("port: 8080", json!([{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}])),
        (
            "port: 8080\nprotocol: GRPC",
            json!([{"name": "grpc", "port": 80, "targetPort": "grpc", "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"}]),
        ),
        ("port: 5432\nprotocol: TCP", json!([{"name": "tcp", "port": 5432, "targetPort": "tcp", "protocol": "TCP"}])),
        ("port: 53\nprotocol: UDP\nservice: {port: 5353}", json!([{"name": "udp", "port": 5353, "targetPort": "udp", "protocol": "UDP"}])),
        (
            "port: 8080\nports: [{name: admin, port: 9090}]",
            json!([
                {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"},
                {"name": "admin", "port": 9090, "targetPort": "admin", "protocol": "TCP"},
            ]),
        ),
    ];
    for (spec, expected) in table {
        assert_eq!(ports(spec), expected, "{spec}");
    }
}

#[test]
fn settings_of_the_service() {
    let plain = only(&service("port: 8080"), Kind::Service)["spec"].clone();
    assert_eq!(plain["type"], json!("ClusterIP"));
    assert_eq!(plain["selector"], json!({"app.kubernetes.io/name": "orders", "app.kubernetes.io/instance": "orders"}));
    for field in ["clusterIP", "sessionAffinity", "trafficDistribution"] {
        assert_eq!(plain.get(field), None, "{field}");
    }
    let set =
        only(&service("port: 8080\nservice: {headless: true, sessionAffinity: ClientIP, trafficDistribution: PreferClose}"), Kind::Service);
    assert_eq!(set["spec"]["clusterIP"], json!("None"));
    assert_eq!(set["spec"]["sessionAffinity"], json!("ClientIP"));
    assert_eq!(set["spec"]["trafficDistribution"], json!("PreferClose"));
}

#[test]
fn annotations_of_other_tools_stay_away() {
    // Parsing refuses them; they must not get through even if it did not.
    let mut annotations: BTreeMap<String, String> =
        labels::NOT_FOR_CHILDREN.into_iter().map(|prefix| (format!("{prefix}x"), String::new())).collect();
    annotations.insert("example.com/a".to_owned(), "b".to_owned());
    let mut service = service("port: 8080\nservice: {}\nserviceAccount: {}");
    service.spec.service.get_or_insert_default().annotations = Some(annotations.clone());
    service.spec.service_account.get_or_insert_default().annotations = Some(annotations.clone());
    service.overrides = serde_json::from_value(json!({"metadata": {"annotations": annotations}})).ok();
    for object in [
        &only(&service, Kind::Service)["metadata"],
        &only(&service, Kind::ServiceAccount)["metadata"],
        &only(&service, Kind::Deployment)["spec"]["template"]["metadata"],
    ] {
        assert_eq!(object["annotations"], json!({"example.com/a": "b"}));
    }
}

#[test]
fn the_autoscaler_measures_the_main_container_beside_others() {
    let metrics = |spec: &str| only(&service(spec), Kind::HorizontalPodAutoscaler)["spec"]["metrics"].clone();
    let cpu = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}});
    let alone = json!([{"type": "Resource", "resource": cpu}]);
    let mut beside = json!([{"type": "ContainerResource", "containerResource": cpu}]);
    beside[0]["containerResource"]["container"] = json!("orders");
    assert_eq!(metrics("{}"), alone);
    assert_eq!(metrics("initContainers: [{name: a, image: b}]"), alone, "gone before anything is measured");
    assert_eq!(metrics("podTemplate: {spec: {containers: [{name: orders, tty: true}]}}"), alone);
    assert_eq!(metrics("sidecars: [{name: a, image: b}]"), beside);
    assert_eq!(metrics("podTemplate: {spec: {containers: [{name: a, image: b}]}}"), beside);
    assert_eq!(metrics("podTemplate: {spec: {initContainers: [{name: a, image: b, restartPolicy: Always}]}}"), beside);
    assert_eq!(
        metrics("autoscaling: {memory: {averageValue: 1024Mi}, cpu: {averageUtilization: 50}}"),
        json!([
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
            {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
        ])
    );
}

#[test]
fn the_autoscaler_has_bounds_and_full_behavior() {
    let spec = only(&service("autoscaling: {minReplicas: 3, maxReplicas: 9}"), Kind::HorizontalPodAutoscaler)["spec"].clone();
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(3), &json!(9)));
    assert_eq!(spec["scaleTargetRef"], json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders"}));
    for direction in ["scaleUp", "scaleDown"] {
        for field in ["stabilizationWindowSeconds", "selectPolicy", "policies"] {
            assert!(spec["behavior"][direction].get(field).is_some(), "{direction}.{field}");
        }
    }
}

#[test]
fn the_budget() {
    let budget = |spec: &str| find(&fresh(&service(spec)), Kind::PodDisruptionBudget).map(|budget| budget["spec"].clone());
    let expected = |max: Value| {
        Some(json!({
            "maxUnavailable": max, "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": {"app.kubernetes.io/name": "orders", "app.kubernetes.io/instance": "orders"}},
        }))
    };
    assert_eq!(budget("{}"), expected(json!(1)));
    assert_eq!(budget("disruption: {maxUnavailable: 25%}"), expected(json!("25%")));
    assert_eq!(budget("disruption: {policy: None}"), None);
}

#[test]
fn the_deployment() {
    let spec = |text: &str| only(&service(text), Kind::Deployment)["spec"].clone();
    let default = spec("replicas: 3");
    assert_eq!(default["strategy"], json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}));
    assert_eq!((&default["progressDeadlineSeconds"], &default["revisionHistoryLimit"]), (&json!(600), &json!(2)));
    assert_eq!((default.get("minReadySeconds"), &default["replicas"]), (None, &json!(3)));
    assert_eq!(spec("{}").get("replicas"), None, "the autoscaler's");
    let set = spec("rollout: {strategy: Recreate, minReadySeconds: 7, progressDeadlineSeconds: 60}");
    assert_eq!(set["strategy"], json!({"type": "Recreate"}));
    assert_eq!((&set["minReadySeconds"], &set["progressDeadlineSeconds"]), (&json!(7), &json!(60)));
}

#[test]
fn owner_or_orphan() {
    for child in fresh(&service("port: 8080\nfiles: [{mountPath: /a, content: b}]")).list {
        let owner = json!([{
            "apiVersion": "microservices.dev/v1alpha1", "kind": "Microservice", "name": "orders", "uid": "0a1b2c3d",
            "controller": true, "blockOwnerDeletion": true,
        }]);
        assert_eq!(child.object["metadata"]["ownerReferences"], owner, "{}", child.reference);
        assert_eq!(child.object["metadata"]["namespace"], json!("shop"));
    }
    for child in fresh(&service("port: 8080\ndeletionPolicy: Orphan\nfiles: [{mountPath: /a, content: b}]")).list {
        assert_eq!(child.object["metadata"].get("ownerReferences"), None, "{}", child.reference);
        assert_eq!(child.object["metadata"]["annotations"]["microservices.dev/orphan-of"], json!("shop/orders"), "{}", child.reference);
    }
    let mut offline = service("port: 8080");
    offline.uid = String::new();
    assert_eq!(only(&offline, Kind::Service)["metadata"].get("ownerReferences"), None, "a reference without uid is refused");
}

#[test]
fn labels_of_children() {
    let labels = only(&service("system: shop\ndomain: ordering\nowner: team"), Kind::ServiceAccount)["metadata"]["labels"].clone();
    assert_eq!(
        labels,
        json!({
            "app.kubernetes.io/name": "orders", "app.kubernetes.io/instance": "orders",
            "app.kubernetes.io/managed-by": "microservice-operator", "app.kubernetes.io/part-of": "shop",
            "microservices.dev/domain": "ordering", "microservices.dev/owner": "team",
        })
    );
}

#[test]
fn inline_files_follow_their_content() {
    let map = |content: &str| {
        only(
            &service(&format!("files: [{{mountPath: /etc/a.yaml, content: '{content}'}}, {{mountPath: /b, content: ''}}]")),
            Kind::ConfigMap,
        )
    };
    let one = map("x");
    assert_eq!((&one["data"], &one["immutable"]), (&json!({"etc-a.yaml": "x", "b": ""}), &json!(true)));
    assert_eq!(one["metadata"]["name"], map("x")["metadata"]["name"]);
    assert_ne!(one["metadata"]["name"], map("y")["metadata"]["name"]);

    // Long names are cut, so the hash alone must keep two services with equal files apart.
    let mut other = service("files: [{mountPath: /b, content: x}]");
    let ours = only(&other, Kind::ConfigMap)["metadata"]["name"].clone();
    other.name = "stock".to_owned();
    let theirs = only(&other, Kind::ConfigMap)["metadata"]["name"].clone();
    let hash = |name: &Value| name.as_str().and_then(|name| name.rsplit_once('-')).map(|(_, hash)| hash.to_owned());
    assert_ne!(hash(&ours), hash(&theirs));
}

#[test]
fn the_record_holds_the_template() {
    let service = service("port: 8080");
    let (record, deployment) = (only(&service, Kind::ControllerRevision), only(&service, Kind::Deployment));
    let mut template = deployment["spec"]["template"].clone();
    let labels = template["metadata"]["labels"].as_object_mut().unwrap();
    let label = labels.remove("microservices.dev/revision");
    assert_eq!(labels.remove("microservices.dev/track"), Some(json!("rolling")));
    assert_eq!(record["data"], template, "all but the labels that say where it runs");
    assert_eq!(label.as_ref(), deployment["metadata"]["annotations"].get("microservices.dev/revision"));
    assert_eq!(record["metadata"]["name"], json!(format!("orders-{}", label.as_ref().and_then(Value::as_str).unwrap_or_default())));
    assert_eq!(record["revision"], json!(1));
    let reference = ChildRef { kind: Kind::ControllerRevision, name: record["metadata"]["name"].as_str().unwrap_or_default().to_owned() };
    assert!(!fresh(&service).retained.contains(&reference), "what is in the list is not also retained");
}
