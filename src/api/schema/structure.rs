//! The CRD's schema as JSON Schema.

use serde_json::{Map, Value, json};

use super::API_VERSION;

/// What users may write under `metadata`, and what the server writes there, since people validate what they got from it.
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// A validator of the whole object, of this kind.
pub fn validator(schema: &Value, kind: &str) -> Result<jsonschema::Validator, jsonschema::ValidationError<'static>> {
    let mut schema = schema.clone();
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let metadata = &mut schema["properties"]["metadata"];
    if metadata.is_null() {
        *metadata = json!({"type": "object", "properties": {}});
    }
    if let Some(metadata) = metadata["properties"].as_object_mut() {
        for name in METADATA {
            let known = if ["labels", "annotations"].contains(&name) { texts.clone() } else { json!({}) };
            metadata.entry(name).or_insert(known);
        }
    }
    schema["properties"]["metadata"]["required"] = json!(["name"]);
    schema["properties"]["apiVersion"] = json!({"enum": [API_VERSION]});
    schema["properties"]["kind"] = json!({"enum": [kind]});
    schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    close(&mut schema);
    jsonschema::validator_for(&schema)
}

/// From what Kubernetes means to what JSON Schema says: objects hold what they declare and nothing else.
fn close(node: &mut Value) {
    let Some(schema) = node.as_object_mut() else { return };
    if schema.remove("x-kubernetes-int-or-string").is_some() {
        schema.insert("type".to_owned(), json!(["integer", "string"]));
    }
    let free = schema.contains_key("x-kubernetes-preserve-unknown-fields") || schema.contains_key("additionalProperties");
    // JSON Schema's whole numbers have no end; the server's have 64 bits.
    let whole = schema.get("type").is_some_and(|kind| kind == "integer" || kind.is_array());
    if whole {
        schema.entry("minimum").or_insert(json!(i64::MIN));
        schema.entry("maximum").or_insert(json!(i64::MAX));
    }
    if schema.get("type") == Some(&json!("object")) && !free {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    let extensions: Vec<String> = schema.keys().filter(|key| key.starts_with("x-")).cloned().collect();
    extensions.iter().for_each(|key| drop(schema.remove(key)));
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
    }
    for key in ["items", "additionalProperties"] {
        schema.get_mut(key).filter(|child| child.is_object()).into_iter().for_each(close);
    }
}

/// The part of the CRD's schema that an object's path leads to.
pub fn at<'a>(schema: &'a Value, path: &[Step]) -> &'a Value {
    path.iter().fold(schema, |node, step| match step {
        Step::Field(name) => node["properties"].get(name).unwrap_or(&node["additionalProperties"]),
        Step::Item(_) => &node["items"],
    })
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Field(String),
    Item(usize),
}

/// A path as Kubernetes writes it, `spec.files[0].mountPath`.
pub fn text(path: &[Step]) -> String {
    path.iter().fold(String::new(), |text, step| match step {
        Step::Field(name) if text.is_empty() => name.clone(),
        Step::Field(name) => format!("{text}.{name}"),
        Step::Item(index) => format!("{text}[{index}]"),
    })
}

/// Paths of all fields with this name, shallow ones first.
pub fn places(schema: &Value, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    search(schema, name, "", &mut found);
    found.sort_by_key(|path| (path.matches('.').count(), path.clone()));
    found
}

fn search(node: &Value, name: &str, path: &str, found: &mut Vec<String>) {
    let none = Map::new();
    for (key, child) in node["properties"].as_object().unwrap_or(&none) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if key == name {
            found.push(path.clone());
        }
        search(child, name, &path, found);
    }
    if node["items"].is_object() {
        search(&node["items"], name, &format!("{path}[]"), found);
    }
}
