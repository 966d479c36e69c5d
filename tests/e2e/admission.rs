//! What the API server admits and refuses, by the same table of cases that the offline validator is tested with.

use futures::{StreamExt, stream};
use kube::api::PostParams;
use kube::core::Request;
use serde::Deserialize;
use serde_json::Value;

use crate::harness::*;

#[derive(Deserialize)]
struct Table {
    base: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    patch: Value,
    object: Option<Value>,
    /// Path that the refusal must name; absent: admitted.
    field: Option<String>,
    message: Option<String>,
}

#[tokio::test]
async fn the_server_gives_the_verdict_of_every_case_of_the_table() {
    let Some(story) = Story::begin("admission").await else { return };
    let table: Table = serde_saphyr::from_str(include_str!("admission/cases.yaml")).unwrap();
    let verdicts = stream::iter(&table.cases).map(|case| async {
        let object = case.object.clone().unwrap_or_else(|| {
            let mut object = table.base.clone();
            merge(&mut object, &case.patch);
            object
        });
        wrong(case, create(&story, &object).await)
    });
    let wrong: Vec<String> = verdicts.buffered(8).filter_map(|verdict| async { verdict }).collect().await;
    assert!(table.cases.len() > 100, "the table was read: {} cases", table.cases.len());
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), table.cases.len(), wrong.join("\n"));
}

/// How a verdict differs from what the table says.
fn wrong(case: &Case, verdict: Result<Value, kube::Error>) -> Option<String> {
    let name = &case.name;
    match (verdict, &case.field) {
        (Ok(_), None) => None,
        (Ok(_), Some(field)) => Some(format!("- {name}: admitted, {field} should be refused")),
        (Err(error), None) => Some(format!("- {name}: should be admitted: {error}")),
        (Err(kube::Error::Api(status)), Some(field)) => {
            let said = &status.message;
            let missing: Vec<_> =
                [Some(field), case.message.as_ref()].into_iter().flatten().filter(|part| !said.contains(part.as_str())).collect();
            (!missing.is_empty()).then(|| format!("- {name}: no {missing:?} in: {said}"))
        }
        (Err(error), Some(_)) => Some(format!("- {name}: {error}")),
    }
}

/// `kubectl create --dry-run=server --validate=strict`.
async fn create(story: &Story, object: &Value) -> Result<Value, kube::Error> {
    let path = format!("/apis/microservices.dev/v1alpha1/namespaces/{}/microservices", story.namespace);
    let parameters = PostParams { dry_run: true, field_manager: None };
    let mut request = Request::new(path).create(&parameters, serde_json::to_vec(object).unwrap()).unwrap();
    // kube's parameters of a creation do not know the query parameter.
    *request.uri_mut() = format!("{}&fieldValidation=Strict", request.uri()).parse().unwrap();
    story.client.request(request).await
}

/// JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        if !patch.is_null() {
            *target = patch.clone();
        }
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
