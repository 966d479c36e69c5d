//! The network policy: what each form of `accessPolicy` opens.

use serde_json::{Value, json};

use super::{find, fresh, service};
use crate::model::Kind;

fn policy(spec: &str) -> Option<Value> {
    find(&fresh(&service(spec)), Kind::NetworkPolicy).map(|policy| policy["spec"].clone())
}

fn own() -> Value {
    labelled("orders")
}

fn labelled(name: &str) -> Value {
    json!({"podSelector": {"matchLabels": {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name}}})
}

fn of_namespace(mut peer: Value, namespace: &str) -> Value {
    peer["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
    peer
}

fn port(port: impl Into<Value>, protocol: &str) -> Value {
    json!({"port": port.into(), "protocol": protocol})
}

fn dns() -> Value {
    json!({"to": [{"namespaceSelector": {}, "podSelector": {}}], "ports": [port(53, "UDP"), port(53, "TCP")]})
}

#[test]
fn no_isolation_no_policy() {
    assert_eq!(policy("port: 8080\naccessPolicy: {isolation: None}"), None);
}

#[test]
fn by_default_the_namespace_may_call_the_declared_ports() {
    let spec = "port: 8080\nports: [{name: admin, port: 9090}, {name: dns, port: 53, protocol: UDP}]";
    let expected = json!({
        "podSelector": own()["podSelector"],
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {}}], "ports": [port("http", "TCP"), port("admin", "TCP"), port("dns", "UDP")]}],
    });
    assert_eq!(policy(spec), Some(expected));
}

#[test]
fn nobody_calls_a_worker() {
    let expected = json!({"podSelector": own()["podSelector"], "policyTypes": ["Ingress"]});
    assert_eq!(policy("{}"), Some(expected), "no rule, and not a rule without ports, which would open all");
    let listed = policy("accessPolicy: {inbound: [{service: web}]}").unwrap_or_default();
    assert_eq!(listed["ingress"], json!([{"from": [own()]}]), "a caller without a port to call is no rule");
}

#[test]
fn strict_leaves_its_own_pods_and_name_servers() {
    let policy = policy("port: 8080\naccessPolicy: {isolation: Strict}").unwrap_or_default();
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(policy["ingress"], json!([{"from": [own()]}]));
    assert_eq!(policy["egress"], json!([dns(), {"to": [own()]}]));
}

#[test]
fn an_inbound_list_closes_inbound_only() {
    let policy = policy(
        "
port: 8080
ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
accessPolicy:
  inbound:
  - {service: web}
  - {service: billing, namespace: finance, ports: [http]}
  - {namespaceSelector: {matchLabels: {team: data}}, podSelector: {matchLabels: {app: batch}}, ports: [53]}
  - {namespaceSelector: {}, ports: [dns]}
  - {podSelector: {}, ports: [8080]}
  - {cidr: 203.0.113.0/24}",
    )
    .unwrap_or_default();
    let declared = json!([port("http", "TCP"), port("dns", "UDP"), port("dns-tcp", "TCP")]);
    assert_eq!(policy["policyTypes"], json!(["Ingress"]));
    assert_eq!(
        policy["ingress"],
        json!([
            {"from": [own()]},
            {"from": [labelled("web")], "ports": declared},
            {"from": [of_namespace(labelled("billing"), "finance")], "ports": [port("http", "TCP")]},
            {"from": [{"namespaceSelector": {"matchLabels": {"team": "data"}}, "podSelector": {"matchLabels": {"app": "batch"}}}],
                "ports": [port(53, "UDP"), port(53, "TCP")]},
            {"from": [{"namespaceSelector": {}}], "ports": [port("dns", "UDP")]},
            {"from": [{"podSelector": {}}], "ports": [port(8080, "TCP")]},
            {"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": declared},
        ])
    );
}

#[test]
fn an_outbound_list_closes_outbound_too() {
    let policy = policy(
        "
port: 8080
accessPolicy:
  outbound:
  - {service: payments}
  - {service: ledger, namespace: finance, ports: [http]}
  - {podSelector: {matchLabels: {app: db}}}
  - {cidr: 198.51.100.0/24, ports: [5432]}",
    )
    .unwrap_or_default();
    let both = |number: Value| json!([port(number.clone(), "TCP"), port(number, "UDP")]);
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(policy["ingress"], json!([{"from": [{"podSelector": {}}], "ports": [port("http", "TCP")]}]), "unchanged");
    assert_eq!(
        policy["egress"],
        json!([
            dns(),
            {"to": [own()]},
            {"to": [labelled("payments")]},
            {"to": [of_namespace(labelled("ledger"), "finance")], "ports": both(json!("http"))},
            {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]},
            {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}], "ports": both(json!(5432))},
        ])
    );
}

#[test]
fn an_empty_list_is_nobody() {
    let inbound = policy("port: 8080\naccessPolicy: {inbound: []}").unwrap_or_default();
    assert_eq!((&inbound["policyTypes"], &inbound["ingress"]), (&json!(["Ingress"]), &json!([{"from": [own()]}])));
    let outbound = policy("port: 8080\naccessPolicy: {outbound: []}").unwrap_or_default();
    assert_eq!((&outbound["policyTypes"], &outbound["egress"]), (&json!(["Ingress", "Egress"]), &json!([dns(), {"to": [own()]}])));
}
