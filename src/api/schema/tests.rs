use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

/// The table that a real API server judges too, in `tests/e2e`.
const CASES: &str = include_str!("../../../tests/e2e/admission/cases.yaml");

#[derive(Deserialize)]
struct Table {
    base: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    patch: Option<Value>,
    object: Option<Value>,
    field: Option<String>,
    #[serde(default)]
    message: String,
}

fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else { return *target = patch.clone() };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        match value {
            Value::Null => drop(target.as_object_mut().unwrap().remove(key)),
            value => merge(&mut target[key], value),
        }
    }
}

fn errors(value: &Value) -> Vec<String> {
    check(value).iter().filter(|problem| problem.severity == Severity::Error).map(ToString::to_string).collect()
}

#[test]
fn the_verdict_is_the_one_of_the_table() {
    let table: Table = serde_saphyr::from_str(CASES).unwrap();
    assert!(table.cases.len() > 150, "{} cases", table.cases.len());
    let mut wrong = Vec::new();
    for case in table.cases {
        let mut object = table.base.clone();
        case.patch.iter().for_each(|patch| merge(&mut object, patch));
        let object = case.object.unwrap_or(object);
        let errors = errors(&object);
        let right = match &case.field {
            None => errors.is_empty(),
            Some(field) => errors.iter().any(|error| error.starts_with(&format!("{field}: ")) && error.contains(&case.message)),
        };
        if !right {
            wrong.push(format!("{}: expected {:?} {:?}, got {errors:#?}", case.name, case.field, case.message));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn messages_help() {
    let said = |spec: Value| {
        let object = json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "orders"}, "spec": spec});
        errors(&object).join("\n")
    };
    assert_eq!(said(json!({"image": "a", "replica": 1})), "spec.replica: unknown field; did you mean `replicas`?");
    assert_eq!(said(json!({"image": "a", "minReplicas": 1})), "spec.minReplicas: unknown field; there is `spec.autoscaling.minReplicas`");
    assert_eq!(said(json!({"image": "a", "frobnicate": 1})), "spec.frobnicate: unknown field");
    assert_eq!(said(json!({"image": "a", "port": 70000})), "spec.port: must be at most 65535, and is 70000");
    assert_eq!(said(json!({"image": "a", "port": "x"})), "spec.port: must be a whole number, and is the string \"x\"");
    assert_eq!(
        said(json!({"image": "a", "rollout": {"onFailure": "Retry"}})),
        "spec.rollout.onFailure: must be `Rollback` or `Hold`, and is \"Retry\""
    );
    assert_eq!(said(json!({})), "spec.image: must be given");
    assert_eq!(said(json!({"image": "a", "args": [null]})), "spec.args[0]: must be a string, and is null");
}

#[test]
fn all_problems_are_found_at_once() {
    let object = json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "orders", "lables": {}}, "spec": {
        "port": 0, "protocol": "http", "ports": [{"name": "a", "port": 1}, {"name": "a", "port": 2}],
    }});
    let fields: Vec<String> = check(&object).into_iter().map(|problem| problem.field).collect();
    assert_eq!(fields, ["metadata.lables", "spec.image", "spec.port", "spec.ports[1]", "spec.protocol"]);
}

#[test]
fn nulls_and_whole_floats_are_read_as_the_server_reads_them() {
    let object = json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "orders"}, "spec": {
        "image": "ghcr.io/acme/orders:1", "replicas": 3.0, "port": null, "podTemplate": {"spec": {"hostname": null}},
    }});
    let admitted = read(object).unwrap();
    assert_eq!(admitted.object.spec.replicas, Some(3));
    assert_eq!(admitted.object.spec.port, None);
    let warnings: Vec<_> = admitted.warnings.iter().map(|warning| warning.field.as_str()).collect();
    assert_eq!(warnings, ["spec.port"], "what is free-form keeps its nulls");
}

#[test]
fn status_is_not_the_authors() {
    let object = json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "orders"}, "spec": {"image": "a:1"}, "status": 5});
    assert_eq!(errors(&object), Vec::<String>::new());
}

#[test]
fn slips_in_the_address_are_not_taken_for_another_kind() {
    let of = |version: &str, kind: &str| address(&json!({"apiVersion": version, "kind": kind}));
    assert_eq!(of("microservices.dev/v1alpha1", "Microservice"), Address::Ours);
    for (version, kind, field) in [
        ("microservices.dev/v1alpha1", "Microservce", "kind"),
        ("microservices.dev/v1", "Microservice", "apiVersion"),
        ("microservice.dev/v1alpha1", "Microservice", "apiVersion"),
    ] {
        let Address::Wrong(problem) = of(version, kind) else { panic!("{version} {kind}") };
        assert_eq!(problem.field, field);
    }
    for (version, kind) in [("v1", "Service"), ("apps/v1", "Deployment"), ("example.com/v1", "Microservice"), ("", "")] {
        assert_eq!(of(version, kind), Address::Other, "{version} {kind}");
    }
}
