//! The pod template, field by field.

use serde_json::{Value, json};

use super::{main, only, pod, service};
use crate::model::Kind;

#[test]
fn safe_by_default() {
    let pod = pod("port: 8080");
    assert_eq!(pod["automountServiceAccountToken"], json!(false));
    assert_eq!(pod["enableServiceLinks"], json!(false));
    assert_eq!(pod["serviceAccountName"], json!("orders"));
    assert_eq!(pod["terminationGracePeriodSeconds"], json!(30));
    assert_eq!(pod["securityContext"], json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}));
    let main = &pod["containers"][0];
    assert_eq!(
        main["securityContext"],
        json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true})
    );
    assert_eq!(main["name"], json!("orders"));
    assert_eq!(main["ports"], json!([{"name": "http", "containerPort": 8080, "protocol": "TCP"}]));
    assert_eq!(main["volumeMounts"], json!([{"name": "tmp", "mountPath": "/tmp"}]));
    assert_eq!(pod["volumes"], json!([{"name": "tmp", "emptyDir": {}}]));
    assert_eq!(main["readinessProbe"], json!({"tcpSocket": {"port": 8080}}));
    assert_eq!(main["lifecycle"], json!({"preStop": {"sleep": {"seconds": 5}}}));
    assert_eq!(main.get("livenessProbe").or(main.get("startupProbe")), None);
}

#[test]
fn a_worker_waits_for_nobody() {
    let main = main("{}");
    for field in ["ports", "readinessProbe", "lifecycle", "env"] {
        assert_eq!(main.get(field), None, "{field}");
    }
}

#[test]
fn security_settings_are_merged() {
    let main = main(
        "securityContext: {runAsNonRoot: false, runAsUser: 0, allowPrivilegeEscalation: true, capabilities: {add: [NET_BIND_SERVICE, CHOWN]}, seccompProfile: {type: Localhost, localhostProfile: p.json}}",
    );
    assert_eq!(
        main["securityContext"],
        json!({
            "runAsNonRoot": false, "runAsUser": 0, "allowPrivilegeEscalation": true, "readOnlyRootFilesystem": true,
            "capabilities": {"add": ["NET_BIND_SERVICE", "CHOWN"], "drop": ["ALL"]},
            "seccompProfile": {"type": "Localhost", "localhostProfile": "p.json"},
        })
    );
    let of_pod = |settings: &str| pod(&format!("podSecurityContext: {settings}"))["securityContext"].clone();
    assert_eq!(
        of_pod("{fsGroup: 5, runAsUser: 7, supplementalGroups: [9]}"),
        json!({
            "fsGroup": 5, "fsGroupChangePolicy": "OnRootMismatch", "runAsUser": 7, "supplementalGroups": [9],
            "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
    assert_eq!(of_pod("{fsGroup: 5, fsGroupChangePolicy: Always}")["fsGroupChangePolicy"], json!("Always"));
}

#[test]
fn where_tmp_is_writable() {
    let mounts = |spec: &str| main(spec).get("volumeMounts").cloned();
    assert_eq!(mounts("securityContext: {readOnlyRootFilesystem: false}"), None);
    assert_eq!(mounts("files: [{mountPath: /tmp, emptyDir: {medium: Memory}}]"), Some(json!([{"name": "tmp", "mountPath": "/tmp"}])));
    assert_eq!(
        pod("files: [{mountPath: /tmp, emptyDir: {medium: Memory}}]")["volumes"],
        json!([{"name": "tmp", "emptyDir": {"medium": "Memory"}}])
    );
    let beside = pod("sidecars: [{name: proxy, image: p}, {name: open, image: p, securityContext: {readOnlyRootFilesystem: false}}]");
    assert_eq!(beside["initContainers"][0]["volumeMounts"], json!([{"name": "tmp-proxy", "mountPath": "/tmp"}]), "its own");
    assert_eq!(beside["initContainers"][1].get("volumeMounts"), None);
    let clash = pod("files: [{mountPath: /Tmp, emptyDir: {}}]");
    let names: Vec<_> = clash["volumes"].as_array().into_iter().flatten().map(|volume| &volume["name"]).collect();
    assert!(names.len() == 2 && names[0] != names[1], "{names:?}");
}

#[test]
fn files_of_every_kind() {
    let pod = pod("
files:
- {mountPath: /etc/orders/app.yaml, content: 'a: 1'}
- {mountPath: /etc/orders/b.yaml, content: ''}
- {mountPath: /flags, configMap: {name: flags, items: [{key: a, path: b}], defaultMode: 256, optional: true}}
- {mountPath: /tls, secret: {secretName: tls}}
- {mountPath: /cache, emptyDir: {sizeLimit: 1024Mi}}
- {mountPath: /data, persistentVolumeClaim: {claimName: data}}
- {mountPath: /all, projected: {sources: [{configMap: {name: flags}}, {downwardAPI: {}}]}, readOnly: false}
securityContext: {readOnlyRootFilesystem: false}");
    let content = pod["volumes"][5]["configMap"]["name"].as_str().unwrap_or_default().to_owned();
    assert!(content.starts_with("orders-"), "{content}");
    assert_eq!(
        pod["volumes"],
        json!([
            {"name": "flags", "configMap": {"name": "flags", "items": [{"key": "a", "path": "b"}], "defaultMode": 256, "optional": true}},
            {"name": "tls", "secret": {"secretName": "tls"}},
            {"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "all", "projected": {"sources": [{"configMap": {"name": "flags"}}, {"downwardAPI": {}}]}},
            {"name": "files", "configMap": {"name": content}},
        ])
    );
    assert_eq!(
        pod["containers"][0]["volumeMounts"],
        json!([
            {"name": "files", "mountPath": "/etc/orders/app.yaml", "subPath": "etc-orders-app.yaml", "readOnly": true},
            {"name": "files", "mountPath": "/etc/orders/b.yaml", "subPath": "etc-orders-b.yaml", "readOnly": true},
            {"name": "flags", "mountPath": "/flags", "readOnly": true},
            {"name": "tls", "mountPath": "/tls", "readOnly": true},
            {"name": "cache", "mountPath": "/cache"},
            {"name": "data", "mountPath": "/data"},
            {"name": "all", "mountPath": "/all"},
        ])
    );
}

#[test]
fn companions_start_in_order_and_see_what_they_ask_for() {
    let pod = pod("
port: 8080
files: [{mountPath: /cache, emptyDir: {}}, {mountPath: /etc/a, content: x}]
initContainers: [{name: one, image: i, mounts: [/cache, /etc/a]}, {name: two, image: i}]
sidecars: [{name: proxy, image: p, ports: [{containerPort: 9901}], probes: {startup: {tcpSocket: {port: 9901}}}}]");
    let before = pod["initContainers"].as_array().cloned().unwrap_or_default();
    let names: Vec<_> = before.iter().map(|container| container["name"].clone()).collect();
    assert_eq!(names, ["proxy", "one", "two"], "sidecars first");
    let policies: Vec<_> = before.iter().map(|container| container.get("restartPolicy").cloned()).collect();
    assert_eq!(policies, [Some(json!("Always")), None, None]);
    assert_eq!(before[0]["ports"], json!([{"containerPort": 9901, "protocol": "TCP"}]));
    assert_eq!(before[0]["startupProbe"], json!({"tcpSocket": {"port": 9901}}));
    assert_eq!(before[0]["resources"], json!({"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}));
    let paths = |container: &Value| -> Vec<Value> {
        container["volumeMounts"].as_array().into_iter().flatten().map(|mount| mount["mountPath"].clone()).collect()
    };
    assert_eq!(paths(&before[1]), ["/cache", "/etc/a", "/tmp"]);
    assert_eq!(paths(&before[2]), ["/tmp"]);
    for container in before.iter().chain(pod["containers"].as_array().into_iter().flatten()) {
        assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]), "{}", container["name"]);
    }
}

#[test]
fn checks_fall_back_on_the_main_port() {
    let probe = |text: &str| main(&format!("port: 8080\nprobes: {{readiness: {text}}}"))["readinessProbe"].clone();
    let table = [
        ("{httpGet: {path: /ready}}", json!({"httpGet": {"path": "/ready", "port": 8080}})),
        (
            "{httpGet: {port: http, scheme: HTTPS, httpHeaders: [{name: A, value: b}]}}",
            json!({"httpGet": {"port": "http", "scheme": "HTTPS", "httpHeaders": [{"name": "A", "value": "b"}]}}),
        ),
        ("{grpc: {}}", json!({"grpc": {"port": 8080}})),
        ("{grpc: {port: 1, service: a}}", json!({"grpc": {"port": 1, "service": "a"}})),
        ("{tcpSocket: {}}", json!({"tcpSocket": {"port": 8080}})),
        ("{exec: {command: [a]}}", json!({"exec": {"command": ["a"]}})),
        (
            "{periodSeconds: 3, initialDelaySeconds: 0, timeoutSeconds: 2, failureThreshold: 4, successThreshold: 5}",
            json!({"tcpSocket": {"port": 8080}, "periodSeconds": 3, "timeoutSeconds": 2, "failureThreshold": 4, "successThreshold": 5}),
        ),
    ];
    for (text, expected) in table {
        assert_eq!(probe(text), expected, "{text}");
    }
    assert_eq!(main("port: 53\nprotocol: UDP").get("readinessProbe"), None, "nobody connects to UDP");
    assert_eq!(main("port: 1\nprobes: {liveness: {}}")["readinessProbe"], json!({"tcpSocket": {"port": 1}}), "stays beside others");
}

#[test]
fn the_pause_before_the_stop_signal() {
    let hooks = |text: &str| main(&format!("port: 8080\n{text}")).get("lifecycle").cloned();
    let sleep = |seconds: i64| Some(json!({"preStop": {"sleep": {"seconds": seconds}}}));
    assert_eq!(hooks("lifecycle: {preStop: {sleep: {seconds: 9}}}"), sleep(9));
    assert_eq!(hooks("lifecycle: {preStop: {sleep: {seconds: 0}}}"), None, "turned off");
    assert_eq!(hooks("terminationGracePeriodSeconds: 6"), sleep(3), "half of a short grace period");
    assert_eq!(hooks("terminationGracePeriodSeconds: 1"), None);
    assert_eq!(
        hooks("lifecycle: {preStop: {httpGet: {path: /stop}}, postStart: {exec: {command: [a]}}}"),
        Some(json!({"preStop": {"httpGet": {"path": "/stop", "port": 8080}}, "postStart": {"exec": {"command": ["a"]}}}))
    );
    assert_eq!(
        hooks("lifecycle: {postStart: {exec: {command: [a]}}}"),
        Some(json!({"preStop": {"sleep": {"seconds": 5}}, "postStart": {"exec": {"command": ["a"]}}}))
    );
}

#[test]
fn urls_of_callees_follow_the_users_variables() {
    let env = main(
        "
env: [{name: B, value: ''}, {name: A, value: x}]
accessPolicy:
  outbound:
  - {service: payments, env: PAYMENTS_URL}
  - {service: ledger, namespace: finance, env: LEDGER_URL}
  - {service: stock, namespace: shop, env: STOCK_URL}
  - {service: silent}",
    )["env"]
        .clone();
    assert_eq!(
        env,
        json!([
            {"name": "B"}, {"name": "A", "value": "x"},
            {"name": "PAYMENTS_URL", "value": "http://payments"},
            {"name": "LEDGER_URL", "value": "http://ledger.finance"},
            {"name": "STOCK_URL", "value": "http://stock"},
        ])
    );
}

#[test]
fn spread_over_zones_and_nodes() {
    let constraints = |spread: &str| pod(&format!("placement: {{spread: {spread}}}")).get("topologySpreadConstraints").cloned();
    let over = |domain: &str, when: &str| {
        json!({
            "topologyKey": domain, "whenUnsatisfiable": when, "maxSkew": 1, "matchLabelKeys": ["pod-template-hash"],
            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "orders", "app.kubernetes.io/instance": "orders"}},
        })
    };
    let both = |when| Some(json!([over("topology.kubernetes.io/zone", when), over("kubernetes.io/hostname", when)]));
    assert_eq!(constraints("Preferred"), both("ScheduleAnyway"));
    assert_eq!(constraints("Required"), both("DoNotSchedule"));
    assert_eq!(constraints("None"), None);
    assert_eq!(pod("{}").get("topologySpreadConstraints").cloned(), both("ScheduleAnyway"), "by default");
}

#[test]
fn the_token_is_mounted_only_on_request() {
    let spec = "serviceAccount: {automountToken: true}";
    assert_eq!(pod(spec)["automountServiceAccountToken"], json!(true));
    assert_eq!(only(&service(spec), Kind::ServiceAccount)["automountServiceAccountToken"], json!(false), "the pod decides");
}

#[test]
fn what_status_shows_is_what_the_pods_get() {
    for spec in ["port: 8080", "port: 8080\nterminationGracePeriodSeconds: 6\nresources: {requests: {memory: 1Gi}, limits: {cpu: 50m}}"] {
        let service = service(spec);
        let main = main(spec);
        let shown = Value::Object(service.defaults.clone());
        for side in ["requests", "limits"] {
            for (name, amount) in shown["resources"][side].as_object().into_iter().flatten() {
                assert_eq!(main["resources"][side].get(name), Some(amount), "{spec}: {side}.{name}");
            }
        }
        assert_eq!(shown["resources"]["requests"]["cpu"], main["resources"]["requests"]["cpu"], "{spec}");
        assert_eq!(shown["lifecycle"], main["lifecycle"], "{spec}");
        assert_eq!(shown["probes"]["readiness"], main["readinessProbe"], "{spec}");
    }
}
