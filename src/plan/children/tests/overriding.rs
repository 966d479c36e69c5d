//! `podTemplate` over the generated template.

use serde_json::json;

use super::{only, pod, service};
use crate::model::Kind;

#[test]
fn items_are_merged_by_their_keys() {
    let pod = pod("
port: 8080
env: [{name: A, value: a}, {name: B, value: b}]
placement: {nodeSelector: {disk: ssd}}
podTemplate:
  spec:
    hostAliases: [{ip: 203.0.113.5, hostnames: [legacy]}]
    nodeSelector: {gpu: 'yes'}
    dnsPolicy: None
    containers:
    - name: orders
      tty: true
      env: [{name: B, value: other}, {name: C, value: c}]
      ports: [{containerPort: 8080, hostIP: 192.0.2.1}, {containerPort: 1, name: more}]
      resources: {limits: {cpu: 1000m}}
    - {name: beside, image: b}");
    assert_eq!(pod["hostAliases"], json!([{"ip": "203.0.113.5", "hostnames": ["legacy"]}]));
    assert_eq!(pod["nodeSelector"], json!({"disk": "ssd", "gpu": "yes"}));
    assert_eq!(pod["dnsPolicy"], json!("None"));
    let main = &pod["containers"][0];
    assert_eq!(main["tty"], json!(true));
    assert_eq!(main["image"], json!("ghcr.io/acme/orders:1"), "what is not named stays");
    assert_eq!(main["env"], json!([{"name": "A", "value": "a"}, {"name": "B", "value": "other"}, {"name": "C", "value": "c"}]));
    assert_eq!(
        main["ports"],
        json!([
            {"name": "http", "containerPort": 8080, "hostIP": "192.0.2.1", "protocol": "TCP"},
            {"name": "more", "containerPort": 1, "protocol": "TCP"},
        ])
    );
    assert_eq!(main["resources"]["limits"], json!({"cpu": "1", "memory": "512Mi"}), "quantities are canonical here too");
    assert_eq!(pod["containers"][1], json!({"name": "beside", "image": "b"}));
}

#[test]
fn what_excludes_each_other_is_replaced() {
    let pod = pod("
port: 8080
env: [{name: A, value: a}]
files: [{mountPath: /etc/a, content: x}]
sidecars: [{name: proxy, image: p, env: [{name: A, value: a}]}]
podTemplate:
  spec:
    volumes: [{name: tmp, emptyDir: {medium: Memory}}, {name: files, secret: {secretName: other}}]
    initContainers: [{name: proxy, env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}]
    containers:
    - name: orders
      env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
      readinessProbe: {httpGet: {path: /, port: 1}}
      lifecycle: {preStop: {exec: {command: [stop]}}}
      volumeMounts: [{mountPath: /etc/a, name: tmp}]");
    let main = &pod["containers"][0];
    let by_field = json!([{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]);
    assert_eq!(main["env"], by_field);
    assert_eq!(pod["initContainers"][0]["env"], by_field);
    assert_eq!(pod["initContainers"][0]["image"], json!("p"));
    assert_eq!(main["readinessProbe"], json!({"httpGet": {"path": "/", "port": 1}}), "no second handler");
    assert_eq!(main["lifecycle"], json!({"preStop": {"exec": {"command": ["stop"]}}}));
    assert_eq!(main["volumeMounts"][0], json!({"mountPath": "/etc/a", "name": "tmp"}), "no sub-path of another volume");
    assert_eq!(
        pod["volumes"],
        json!([{"name": "files", "secret": {"secretName": "other"}}, {"name": "tmp", "emptyDir": {"medium": "Memory"}}, {"name": "tmp-proxy", "emptyDir": {}}])
    );
}

#[test]
fn timing_of_a_probe_can_be_changed_alone() {
    let pod = pod("port: 8080\npodTemplate: {spec: {containers: [{name: orders, readinessProbe: {periodSeconds: 1}}]}}");
    assert_eq!(pod["containers"][0]["readinessProbe"], json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1}));
}

#[test]
fn who_the_pods_are_cannot_be_changed() {
    // Parsing refuses most of this; the merge must hold even if it did not.
    let mut service = service("system: shop\nport: 8080");
    let partial = json!({
        "metadata": {"labels": {
            "app.kubernetes.io/name": "evil", "app.kubernetes.io/instance": "evil", "app.kubernetes.io/managed-by": "evil",
            "app.kubernetes.io/part-of": "evil", "microservices.dev/track": "evil", "microservices.dev/revision": "evil",
            "microservices.dev/role": "evil", "app.kubernetes.io/component": "api", "mine": "yes",
        }},
        "spec": {"serviceAccountName": "evil", "serviceAccount": "evil"},
    });
    let before = only(&service, Kind::Deployment);
    service.overrides = serde_json::from_value(partial).ok();
    let after = only(&service, Kind::Deployment);
    let mut expected = before["spec"]["template"]["metadata"]["labels"].clone();
    expected["app.kubernetes.io/component"] = json!("api");
    expected["mine"] = json!("yes");
    expected["microservices.dev/revision"] = after["metadata"]["annotations"]["microservices.dev/revision"].clone();
    assert_eq!(after["spec"]["template"]["metadata"]["labels"], expected);
    assert_eq!(after["spec"]["template"]["spec"]["serviceAccountName"], json!("orders"));
    assert_eq!(after["spec"]["template"]["spec"].get("serviceAccount"), None);
    assert_eq!(after["spec"]["selector"], before["spec"]["selector"]);
}
