//! What holds for every service.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Map, Value, json};

use super::{find, fresh, manifest, yaml};
use crate::model::{Kind, Service, parse};
use crate::plan::children::tidy;
use crate::plan::{Children, digest};

/// Parts of a spec that go together in any combination.
const PARTS: &[&str] = &[
    "{system: shop, domain: ordering, owner: team}",
    "{port: 8080}",
    "{port: 9999, protocol: GRPC}",
    "{ports: [{name: admin, port: 9090}, {name: dns, port: 53, protocol: UDP}], port: 8080}",
    "{imagePullPolicy: Always, imagePullSecrets: [{name: registry}], command: [a], args: [b], workingDir: /srv}",
    "{imagePullSecrets: [], command: [], args: [], env: [], envFrom: [], initContainers: [], sidecars: [], files: [], ports: []}",
    "{env: [{name: A, value: ''}, {name: B, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1000m}}}], envFrom: [{prefix: P_, secretRef: {name: s}}]}",
    "{files: [{mountPath: /etc/a.yaml, content: x}, {mountPath: /Etc/A.yaml, content: z}, {mountPath: /tmp, emptyDir: {}}]}",
    "{files: [{mountPath: /c, configMap: {name: c}}, {mountPath: /s, secret: {secretName: s}}, {mountPath: /p, projected: {sources: [{secret: {name: s}}]}}]}",
    "{resources: {requests: {cpu: 1000m, memory: 1Gi}}}",
    "{resources: {requests: {}, limits: {}}}",
    "{lifecycle: {}, probes: {}}",
    "{terminationGracePeriodSeconds: 0}",
    "{initContainers: [{name: one, image: i, resources: {limits: {memory: 32Mi}}}]}",
    "{sidecars: [{name: proxy, image: p, ports: [{containerPort: 9901}]}]}",
    "{securityContext: {readOnlyRootFilesystem: false, capabilities: {add: [CHOWN]}}, podSecurityContext: {fsGroup: 5}}",
    "{securityContext: {}, podSecurityContext: {}, serviceAccount: {}, service: {}, placement: {}, accessPolicy: {}, rollout: {}, disruption: {}}",
    "{serviceAccount: {annotations: {a: b}, automountToken: true}}",
    "{service: {port: 81, headless: true, annotations: {a: b}}}",
    "{replicas: 0}",
    "{disruption: {policy: None}}",
    "{placement: {spread: None, nodeSelector: {a: b}, tolerations: [{key: a, operator: Exists}]}}",
    "{accessPolicy: {isolation: Strict}}",
    "{accessPolicy: {inbound: [], outbound: []}}",
    "{accessPolicy: {inbound: [{service: web}, {podSelector: {}}], outbound: [{service: pay, env: PAY_URL}, {cidr: 10.0.0.0/8}]}}",
    "{accessPolicy: {isolation: None}}",
    "{rollout: {strategy: Recreate}}",
    "{rollout: {maxSurge: 1, maxUnavailable: 10%, minReadySeconds: 5}}",
    "{podTemplate: {metadata: {labels: {mine: 'yes'}, annotations: {}}, spec: {hostAliases: [], tolerations: []}}}",
    "{podTemplate: {spec: {containers: [{name: beside, image: b}], volumes: [{name: v, emptyDir: {}}]}}}",
    "{deletionPolicy: Orphan}",
];

/// Any name that a Microservice may have, and any combination of the parts.
fn services() -> impl Strategy<Value = Service> {
    let name = "[a-z]([-a-z0-9]{0,61}[a-z0-9])?";
    (name, subsequence(PARTS, 0..12)).prop_map(|(name, parts)| built(&name, &parts))
}

fn built(name: &str, parts: &[&str]) -> Service {
    let mut spec = Map::from_iter([("image".to_owned(), json!("orders:1"))]);
    for part in parts {
        if let Value::Object(fields) = yaml(part) {
            spec.extend(fields);
        }
    }
    parse::parse(&manifest(name, &Value::Object(spec))).unwrap_or_else(|problems| panic!("{parts:?}: {problems:?}")).service
}

/// The selectors of all children, in which adding a field must change nothing.
fn selectors(children: &Children) -> Vec<(Kind, Value)> {
    let of = |kind: Kind, path: &str| Some((kind, find(children, kind)?.pointer(path)?.clone()));
    let all = [
        of(Kind::Deployment, "/spec/selector/matchLabels"),
        of(Kind::Service, "/spec/selector"),
        of(Kind::PodDisruptionBudget, "/spec/selector/matchLabels"),
        of(Kind::NetworkPolicy, "/spec/podSelector/matchLabels"),
    ];
    all.into_iter().flatten().collect()
}

/// Visits every object with its path.
fn visit(path: &str, value: &Value, see: &mut impl FnMut(&str, &Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            see(path, map);
            map.iter().for_each(|(key, value)| visit(&format!("{path}.{key}"), value, see));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| visit(&format!("{path}[{index}]"), item, see)),
        _ => {}
    }
}

#[test]
fn every_part_is_a_valid_spec() {
    for part in PARTS {
        built("orders", &[part]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn selectors_match_the_pods(service in services()) {
        let children = fresh(&service);
        let deployment = find(&children, Kind::Deployment).unwrap_or_default();
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        for (kind, selector) in selectors(&children) {
            prop_assert!(selector.as_object().is_some_and(|selector| !selector.is_empty()), "{:?}", kind);
            for (key, value) in selector.as_object().into_iter().flatten() {
                prop_assert_eq!(labels.get(key), Some(value), "{:?}", kind);
            }
        }
    }

    #[test]
    fn nothing_is_empty_that_says_nothing(service in services()) {
        for child in fresh(&service).list {
            prop_assert_eq!(tidy(child.object.clone()), child.object);
        }
    }

    #[test]
    fn what_is_sent_is_what_is_meant(service in services()) {
        for child in fresh(&service).list {
            let (mut half_keyed, mut zero) = (Vec::new(), Vec::new());
            visit("", &child.object, &mut |path, map| {
                let port = map.contains_key("containerPort") || path.contains(".ports[");
                if port && !map.contains_key("protocol") {
                    half_keyed.push(path.to_owned());
                }
                // Fields that the server does not store when they are zero.
                for (field, zero_value) in [("minReadySeconds", json!(0)), ("initialDelaySeconds", json!(0)), ("readOnly", json!(false))] {
                    if map.get(field) == Some(&zero_value) {
                        zero.push(format!("{path}.{field}"));
                    }
                }
            });
            prop_assert!(half_keyed.is_empty(), "{}: {:?}", child.reference, half_keyed);
            prop_assert!(zero.is_empty(), "{}: {:?}", child.reference, zero);
            // Exactly one says how many pods there are: the plan, or the autoscaler.
            let counted = child.object.pointer("/spec/replicas").is_some();
            prop_assert_eq!(counted, child.reference.kind == Kind::Deployment && child.autoscaled.is_none());
        }
    }

    #[test]
    fn every_child_is_known_for_ours(service in services()) {
        let children = fresh(&service);
        let references: BTreeSet<_> = children.list.iter().map(|child| &child.reference).collect();
        prop_assert_eq!(references.len(), children.list.len());
        prop_assert!(children.list.is_sorted_by_key(|child| child.reference.kind));
        for child in &children.list {
            let metadata = &child.object["metadata"];
            prop_assert_eq!(&metadata["name"], &json!(child.reference.name));
            prop_assert_eq!(&metadata["labels"]["app.kubernetes.io/managed-by"], &json!("microservice-operator"));
            prop_assert_eq!(&metadata["labels"]["app.kubernetes.io/name"], &json!(service.name));
            prop_assert_eq!(&child.object["kind"], &json!(child.reference.kind.name()));
            prop_assert_eq!(&child.object["apiVersion"], &json!(child.reference.kind.api_version()));
            let owned = metadata.get("ownerReferences").is_some() != metadata.pointer("/annotations/microservices.dev~1orphan-of").is_some();
            prop_assert!(owned);
            let name = &child.reference.name;
            prop_assert!(name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-'), "{}", name);
            prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{}", name);
        }
    }

    #[test]
    fn volumes_and_mounts_fit_together(service in services()) {
        let deployment = find(&fresh(&service), Kind::Deployment).unwrap_or_default();
        let pod = &deployment["spec"]["template"]["spec"];
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let volumes: Vec<_> = list(&pod["volumes"]).iter().map(|volume| volume["name"].to_string()).collect();
        prop_assert_eq!(volumes.iter().collect::<BTreeSet<_>>().len(), volumes.len());
        for container in list(&pod["containers"]).iter().chain(&list(&pod["initContainers"])) {
            let mounts = list(&container["volumeMounts"]);
            let paths: BTreeSet<_> = mounts.iter().map(|mount| mount["mountPath"].to_string()).collect();
            prop_assert_eq!(paths.len(), mounts.len());
            for mount in mounts {
                prop_assert!(volumes.contains(&mount["name"].to_string()), "{}", mount);
            }
        }
    }

    #[test]
    fn the_same_service_is_the_same_to_the_byte(name in "[a-z]{1,20}", parts in subsequence(PARTS, 0..12)) {
        let text = || serde_json::to_string(&fresh(&built(&name, &parts)).list.into_iter().map(|child| child.object).collect::<Vec<_>>());
        prop_assert_eq!(text().ok(), text().ok());
    }

    #[test]
    fn adding_a_field_changes_no_selector(parts in subsequence(PARTS, 0..12), more in proptest::sample::select(PARTS)) {
        let before = selectors(&fresh(&built("orders", &parts)));
        let after = selectors(&fresh(&built("orders", &[parts.as_slice(), &[more]].concat())));
        for (kind, selector) in before {
            for (other, changed) in &after {
                prop_assert!(*other != kind || *changed == selector, "{:?}", kind);
            }
        }
    }

    #[test]
    fn scaling_is_no_revision(parts in subsequence(PARTS, 0..12), count in 0..20, min in 1..5, max in 5..50) {
        let hash = |scaling: Value| {
            let mut all: Vec<String> = parts.iter().filter(|part| !part.contains("replicas")).map(|part| (*part).to_owned()).collect();
            all.push(scaling.to_string());
            let service = built("orders", &all.iter().map(String::as_str).collect::<Vec<_>>());
            crate::plan::revision::target(&service, &[])
        };
        let (fixed, scaled) = (hash(json!({"replicas": count})), hash(json!({"autoscaling": {"minReplicas": min, "maxReplicas": max}})));
        prop_assert_eq!(fixed, scaled);
    }

    #[test]
    fn the_hash_is_the_templates(service in services()) {
        let target = crate::plan::revision::target(&service, &[]);
        prop_assert_eq!(&target.hash, &digest::short(&target.template));
        // What the server gives back has lost the order of its keys, if it ever had one.
        let read: Value = serde_json::from_str(&target.template.to_string()).unwrap_or_default();
        prop_assert_eq!(digest::short(&read), target.hash);
    }

    #[test]
    fn two_services_never_share_a_child(a in services(), b in services()) {
        prop_assume!(a.name != b.name);
        let references = |service: &Service| -> BTreeSet<_> { fresh(service).list.into_iter().map(|child| child.reference).collect() };
        prop_assert!(references(&a).is_disjoint(&references(&b)));
    }
}
