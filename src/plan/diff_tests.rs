//! Tables of pairs that are equal, and of pairs that are not.

use serde_json::{Value, json};

use super::difference;

#[track_caller]
fn holds(intent: &Value, live: &Value) {
    assert_eq!(difference(intent, live), None, "intent {intent} in {live}");
}

#[track_caller]
fn differs(path: &str, intent: &Value, live: &Value) {
    assert_eq!(difference(intent, live).as_deref(), Some(path), "intent {intent} in {live}");
}

#[test]
fn what_the_server_and_others_add_to_objects_is_no_difference() {
    holds(&json!({}), &json!({"spec": {"replicas": 1}}));
    holds(&json!({"a": {"b": 1}}), &json!({"a": {"b": 1, "c": 2}, "d": 3}));
    holds(&json!({"metadata": {"labels": {"a": "1"}}}), &json!({"metadata": {"labels": {"a": "1", "b": "2"}}}));
}

#[test]
fn missing_changed_and_retyped_values_are_differences() {
    differs("a", &json!({"a": 1}), &json!({}));
    differs("a", &json!({"a": 1}), &json!({"a": null}));
    differs("a.b", &json!({"a": {"b": "x"}}), &json!({"a": {"b": "y"}}));
    differs("a", &json!({"a": {"b": "x"}}), &json!({"a": "x"}));
    differs("a", &json!({"a": {}}), &json!({}));
    // A port by number and a port by name are two things.
    differs("spec.port", &json!({"spec": {"port": 80}}), &json!({"spec": {"port": "80"}}));
    differs("spec.ok", &json!({"spec": {"ok": true}}), &json!({"spec": {"ok": false}}));
}

#[test]
fn keyed_lists_merge_in_any_order() {
    let path = |containers: Value| json!({"spec": {"template": {"spec": {"containers": containers}}}});
    let live = path(json!([{"name": "mesh", "image": "m"}, {"name": "orders", "image": "o:1", "imagePullPolicy": "Always"}]));
    holds(&path(json!([{"name": "orders", "image": "o:1"}])), &live);
    differs("spec.template.spec.containers[name=orders].image", &path(json!([{"name": "orders", "image": "o:2"}])), &live);
    differs("spec.template.spec.containers[name=log]", &path(json!([{"name": "log"}])), &live);
}

#[test]
fn every_keyed_list_goes_by_its_own_key() {
    for (list, wanted, other) in [
        ("initContainers", json!({"name": "a"}), json!({"name": "b"})),
        ("volumes", json!({"name": "a", "emptyDir": {}}), json!({"name": "b", "emptyDir": {}})),
        ("env", json!({"name": "A", "value": "1"}), json!({"name": "B", "value": "1"})),
        ("imagePullSecrets", json!({"name": "a"}), json!({"name": "b"})),
        ("volumeMounts", json!({"mountPath": "/a", "name": "v"}), json!({"mountPath": "/b", "name": "v"})),
        ("hostAliases", json!({"ip": "203.0.113.5", "hostnames": ["a"]}), json!({"ip": "203.0.113.6", "hostnames": ["a"]})),
        ("ownerReferences", json!({"uid": "1", "name": "a"}), json!({"uid": "2", "name": "a"})),
        (
            "topologySpreadConstraints",
            json!({"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1}),
            json!({"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1}),
        ),
    ] {
        let of = |items: &[&Value]| json!({list: items});
        holds(&of(&[&wanted]), &of(&[&other, &wanted]));
        assert!(difference(&of(&[&wanted]), &of(&[&other])).is_some_and(|path| path.starts_with(list)), "{list}");
    }
}

#[test]
fn ports_are_keyed_in_containers_and_services_and_atomic_in_network_policies() {
    let container = |ports: Value| json!({"containers": [{"name": "a", "ports": ports}]});
    holds(
        &container(json!([{"containerPort": 80, "name": "http"}])),
        &container(json!([{"containerPort": 9, "protocol": "UDP"}, {"containerPort": 80, "name": "http", "protocol": "TCP"}])),
    );
    differs(
        "containers[name=a].ports[containerPort=53,protocol=UDP]",
        &container(json!([{"containerPort": 53, "protocol": "UDP"}])),
        &container(json!([{"containerPort": 53, "protocol": "TCP"}])),
    );

    let service = |ports: Value| json!({"spec": {"ports": ports}});
    let live = service(json!([{"port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 31000}]));
    let more = service(json!([{"port": 80, "protocol": "TCP", "targetPort": "http"}, {"port": 81, "protocol": "TCP"}]));
    differs("spec.ports", &service(json!([{"port": 80, "protocol": "TCP", "targetPort": "http"}])), &more);
    holds(&service(json!([{"port": 80, "protocol": "TCP", "targetPort": "http"}])), &live);
    differs("spec.ports[port=80,protocol=TCP].targetPort", &service(json!([{"port": 80, "protocol": "TCP", "targetPort": "web"}])), &live);

    let policy = |ports: Value| json!({"spec": {"ingress": [{"ports": ports}]}});
    holds(&policy(json!([{"port": 80}])), &policy(json!([{"port": 80, "protocol": "TCP"}])));
    differs(
        "spec.ingress[0].ports",
        &policy(json!([{"port": 80, "protocol": "TCP"}])),
        &policy(json!([{"port": 80, "protocol": "TCP"}, {"port": 22, "protocol": "TCP"}])),
    );
    differs(
        "spec.ingress[0].ports[0].endPort",
        &policy(json!([{"port": 80, "protocol": "TCP"}])),
        &policy(json!([{"port": 80, "protocol": "TCP", "endPort": 90}])),
    );
}

#[test]
fn atomic_lists_must_be_equal_but_for_defaults() {
    let command = |words: Value| json!({"containers": [{"name": "a", "args": words}]});
    holds(&command(json!(["--a", "--b"])), &command(json!(["--a", "--b"])));
    differs("containers[name=a].args", &command(json!(["--a"])), &command(json!(["--a", "--b"])));
    differs("containers[name=a].args[0]", &command(json!(["--a", "--b"])), &command(json!(["--b", "--a"])));
    differs("containers[name=a].args", &command(json!(["--a"])), &json!({"containers": [{"name": "a"}]}));

    let sources = |token: Value| json!({"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": token}]}}]});
    holds(&sources(json!({"path": "t"})), &sources(json!({"path": "t", "expirationSeconds": 3600})));
    differs(
        "volumes[name=v].projected.sources[0].serviceAccountToken.expirationSeconds",
        &sources(json!({"path": "t"})),
        &sources(json!({"path": "t", "expirationSeconds": 60})),
    );
}

#[test]
fn a_peer_that_somebody_narrowed_or_widened_is_a_difference() {
    let policy = |peer: Value| json!({"spec": {"ingress": [{"from": [peer]}]}});
    let wanted = policy(json!({"podSelector": {"matchLabels": {"app": "web"}}}));
    holds(&wanted, &wanted);
    differs(
        "spec.ingress[0].from[0].namespaceSelector",
        &wanted,
        &policy(json!({"podSelector": {"matchLabels": {"app": "web"}}, "namespaceSelector": {}})),
    );
    // Everybody: the label was taken out of the selector.
    differs("spec.ingress[0].from[0].podSelector.matchLabels", &wanted, &policy(json!({"podSelector": {}})));
}

#[test]
fn selectors_are_whole() {
    let wanted = json!({"spec": {"selector": {"app": "orders"}}});
    differs("spec.selector.pod", &wanted, &json!({"spec": {"selector": {"app": "orders", "pod": "x"}}}));
    let wanted = json!({"spec": {"podSelector": {"matchLabels": {"app": "orders"}}}});
    differs(
        "spec.podSelector.matchLabels.extra",
        &wanted,
        &json!({"spec": {"podSelector": {"matchLabels": {"app": "orders", "extra": "1"}}}}),
    );
    differs("spec.nodeSelector.disk", &json!({"spec": {"nodeSelector": {}}}), &json!({"spec": {"nodeSelector": {"disk": "ssd"}}}));
}

#[test]
fn references_of_variables_are_whole_but_for_defaults() {
    let env = |from: Value| json!({"env": [{"name": "A", "valueFrom": from}]});
    holds(
        &env(json!({"fieldRef": {"fieldPath": "status.podIP"}})),
        &env(json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}})),
    );
    holds(
        &env(json!({"resourceFieldRef": {"resource": "limits.memory"}})),
        &env(json!({"resourceFieldRef": {"resource": "limits.memory", "divisor": "0"}})),
    );
    differs(
        "env[name=A].valueFrom.secretKeyRef.optional",
        &env(json!({"secretKeyRef": {"name": "s", "key": "k"}})),
        &env(json!({"secretKeyRef": {"name": "s", "key": "k", "optional": true}})),
    );
}

#[test]
fn quantities_are_equal_by_value_where_the_api_has_quantities() {
    let requests = |cpu: Value| json!({"resources": {"requests": {"cpu": cpu}}});
    holds(&requests(json!("1000m")), &requests(json!("1")));
    holds(&requests(json!(1)), &requests(json!("1")));
    holds(&requests(json!("1Gi")), &requests(json!("1024Mi")));
    differs("resources.requests.cpu", &requests(json!("100m")), &requests(json!("0.2")));
    differs("resources.requests.cpu", &requests(json!("100m")), &requests(json!("plenty")));
    holds(&json!({"emptyDir": {"sizeLimit": "1024Mi"}}), &json!({"emptyDir": {"sizeLimit": "1Gi"}}));
    let metric = |target: Value| json!({"metrics": [{"type": "Resource", "resource": {"name": "memory", "target": target}}]});
    holds(&metric(json!({"averageValue": "1024Mi"})), &metric(json!({"averageValue": "1Gi"})));
    holds(&metric(json!({"value": "1000m"})), &metric(json!({"value": "1"})));
    // Text elsewhere is text.
    differs("env[name=A].value", &json!({"env": [{"name": "A", "value": "1000m"}]}), &json!({"env": [{"name": "A", "value": "1"}]}));
    differs("data.sizeLimit", &json!({"data": {"sizeLimit": "1000m"}}), &json!({"data": {"sizeLimit": "1"}}));
    differs("labels.divisor", &json!({"labels": {"divisor": "1000m"}}), &json!({"labels": {"divisor": "1"}}));
}

#[test]
fn finalizers_are_a_set() {
    let with = |names: Value| json!({"metadata": {"finalizers": names}});
    holds(&with(json!(["a"])), &with(json!(["b", "a"])));
    differs("metadata.finalizers", &with(json!(["a"])), &with(json!(["b"])));
}
