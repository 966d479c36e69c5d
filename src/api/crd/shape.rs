//! From the derived schema to the one that is installed: one walk that visits every node with its path.

use serde_json::{Map, Value, json};

use super::facets;
use crate::api::rules::{self, Rule};

/// Rewrites a whole schema, from its root. The rules are those that the kind has.
pub fn shape(root: &mut Value, rules: fn(&Rule) -> bool) {
    walk(root, &[], &Guide { facets: facets::facets(), rules });
}

/// What is the same for all nodes.
struct Guide {
    facets: Vec<(&'static str, Value)>,
    rules: fn(&Rule) -> bool,
}

/// `path` says where a node is: names of properties, `[]` for an item of a list, `{}` for a value of a map.
fn walk(node: &mut Value, path: &[&str], guide: &Guide) {
    let Some(schema) = node.as_object_mut() else { return };
    if ends_with(path, facets::FREE) {
        *schema = free();
    }
    plain_types(schema);
    describe(schema, path);
    let whole = path;
    // What a profile holds for Microservices is of the same shape as there, and the same must hold.
    let inner: Vec<&str>;
    let path = match path {
        ["spec", "defaults", field, rest @ ..] => {
            inner = ["spec", field].into_iter().chain(rest.iter().copied()).collect();
            inner.as_slice()
        }
        _ => path,
    };
    if ends_with(path, facets::REFUSED) {
        *schema = refused();
    }
    for (at, facet) in &guide.facets {
        if ends_with(path, at) {
            merge(schema, facet);
        }
    }
    bound(schema, path.first() == Some(&"status"));
    admit(schema, path, guide.rules);
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, child) in properties {
            below(child, name, whole, guide);
        }
    }
    for (keyword, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(child) = schema.get_mut(keyword) {
            below(child, mark, whole, guide);
        }
    }
}

fn below(child: &mut Value, name: &str, path: &[&str], guide: &Guide) {
    walk(child, &[path, &[name]].concat(), guide);
}

/// Takes out what the derive adds and the server misreads.
fn plain_types(schema: &mut Map<String, Value>) {
    schema.remove("title");
    // Every `Option` is derived as nullable, and a null would then be stored and reach the operator. Where null is not
    // allowed the server drops it as if the field were not there, which is what people mean by it.
    schema.remove("nullable");
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    // Servers from 1.34 on warn about formats they do not know (kubernetes/kubernetes#133136).
    // Those of integers say nothing beside a minimum and a maximum.
    let bounded = schema.contains_key("minimum") && schema.contains_key("maximum");
    let known: &[&str] = if bounded { &[] } else { &["int32", "int64", "date-time"] };
    if schema.get("format").and_then(Value::as_str).is_some_and(|format| !known.contains(&format)) {
        schema.remove("format");
    }
    for bound in ["minimum", "maximum"] {
        // Derived as floating point; `1.0` in a document about ports distracts.
        let Some(value) = schema.get(bound).and_then(Value::as_f64) else { continue };
        #[allow(clippy::cast_possible_truncation, reason = "bounds of i32 and i64 fields are whole numbers")]
        schema.insert(bound.to_owned(), json!(value as i64));
    }
}

/// Descriptions are paragraphs of one line, since `kubectl explain` breaks lines itself. What is said in full elsewhere
/// is shortened here.
fn describe(schema: &mut Map<String, Value>, path: &[&str]) {
    let Some(text) = schema.get("description").and_then(Value::as_str) else { return };
    let below = |places: &[&str]| places.iter().any(|at| (1..path.len()).any(|end| ends_with(&path[..end], at)));
    if below(facets::UNDESCRIBED) || path.last().is_some_and(|last| *last == "[]" || *last == "{}") {
        schema.remove("description");
        return;
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short = if below(facets::SHORTENED) { first_sentence(&line) } else { line };
    schema.insert("description".to_owned(), json!(short));
}

/// A field that exists to be refused with a reason: if it were unknown, clients that do not ask for strict validation
/// would lose it without a word.
fn refused() -> Map<String, Value> {
    let mut schema = free();
    schema.insert("description".to_owned(), json!("Not for containers that run to completion."));
    schema
}

fn free() -> Map<String, Value> {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    schema.as_object().cloned().unwrap_or_default()
}

fn first_sentence(text: &str) -> String {
    let sentence = text.split_once(". ").map_or(text, |(first, _)| first);
    // An abbreviation is not an end.
    let sentence = if sentence.ends_with("e.g") || sentence.ends_with("i.e") { text } else { sentence };
    format!("{}.", sentence.trim_end_matches(['.', ':']))
}

/// Adds what the node does not say itself; for `properties` and the like, inside.
fn merge(schema: &mut Map<String, Value>, facet: &Value) {
    for (key, value) in facet.as_object().into_iter().flatten() {
        schema.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

/// A bound for whatever has none: the server's estimate of a rule's cost assumes the worst that the schema allows.
fn bound(schema: &mut Map<String, Value>, status: bool) {
    // In status only our own words appear, which may be long, but never without end.
    let (string, list, map) = if status { (32_768, 1000, 64) } else { (4096, 64, 64) };
    let has = |key: &str| schema.contains_key(key);
    let add = match schema.get("type").and_then(Value::as_str) {
        Some("string") if !has("enum") && !has("format") && !has("maxLength") => ("maxLength", string),
        Some("array") if !has("maxItems") => ("maxItems", list),
        Some("object") if has("additionalProperties") && !has("maxProperties") => ("maxProperties", map),
        _ => return,
    };
    schema.insert(add.0.to_owned(), json!(add.1));
}

fn admit(schema: &mut Map<String, Value>, path: &[&str], wanted: fn(&Rule) -> bool) {
    let here = rules::all().filter(|rule| wanted(rule) && rule.at.iter().any(|at| ends_with(path, at)));
    let here: Vec<Value> = here.map(Rule::to_schema).collect();
    if !here.is_empty() {
        schema.insert("x-kubernetes-validations".to_owned(), json!(here));
    }
}

/// Whether a path ends with a pattern such as `env[].name`; patterns that begin with `spec` or `status`, and the empty
/// one, are whole paths.
fn ends_with(path: &[&str], pattern: &str) -> bool {
    let mut wanted: Vec<&str> = Vec::new();
    for part in pattern.split('.').filter(|part| !part.is_empty()) {
        let name = part.trim_end_matches(['[', ']', '{', '}']);
        wanted.push(name);
        for mark in part.as_bytes().iter().skip(name.len()).copied().collect::<Vec<u8>>().chunks(2) {
            wanted.push(if mark == b"[]" { "[]" } else { "{}" });
        }
    }
    match wanted.first() {
        None => path.is_empty(),
        Some(&("spec" | "status")) => path == wanted,
        Some(_) => path.ends_with(&wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_ends_of_paths() {
        let path = ["spec", "sidecars", "[]", "env", "[]", "name"];
        assert!(ends_with(&path, "env[].name"));
        assert!(ends_with(&path, "spec.sidecars[].env[].name"));
        assert!(!ends_with(&path, "spec.env[].name"));
        assert!(!ends_with(&path, "env.name"));
        assert!(ends_with(&["spec", "resources", "limits", "{}"], "limits{}"));
        assert!(ends_with(&["x", "requests", "{}", "[]"], "requests{}[]"));
        assert!(ends_with(&[], "") && !ends_with(&path, ""));
    }

    #[test]
    fn the_first_sentence_ends_at_a_stop_and_not_at_an_abbreviation() {
        assert_eq!(first_sentence("One thing. Another"), "One thing.");
        assert_eq!(first_sentence("Only:"), "Only.");
        assert_eq!(first_sentence("Names, e.g. this one, matter. More"), "Names, e.g. this one, matter. More.");
    }
}
