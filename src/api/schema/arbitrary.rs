//! Objects of the CRD's shape, made from the CRD itself: what the schema admits, rules aside. For property tests.

use proptest::prelude::*;
use proptest::string::string_regex;
use serde_json::{Map, Value, json};

use crate::api::crd;

/// A Microservice whose spec is as the schema wants it, in which a field that need not be there is there with the
/// probability `fill`.
pub fn microservice(fill: f64) -> BoxedStrategy<Value> {
    let crd = crd::microservice().unwrap();
    let spec = of(&crd::schema(&crd)["properties"]["spec"], fill);
    ("[a-z][a-z0-9-]{0,20}[a-z0-9]", spec)
        .prop_map(|(name, spec)| {
            json!({
                "apiVersion": super::API_VERSION,
                "kind": super::KIND,
                "metadata": {"name": name, "namespace": "shop"},
                "spec": spec,
            })
        })
        .boxed()
}

fn of(schema: &Value, fill: f64) -> BoxedStrategy<Value> {
    if let Some(options) = schema["enum"].as_array() {
        return proptest::sample::select(options.clone()).boxed();
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return free(3).prop_map(|value| if value.is_object() { value } else { json!({"hostAliases": value}) }).boxed();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return prop_oneof![number(schema), text(schema)].boxed();
    }
    match schema["type"].as_str() {
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("integer") => number(schema),
        Some("string") => text(schema),
        Some("array") => {
            let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap();
            proptest::collection::vec(of(&schema["items"], fill), least..=least + 2).prop_map(Value::from).boxed()
        }
        _ => object(schema, fill),
    }
}

fn object(schema: &Value, fill: f64) -> BoxedStrategy<Value> {
    if schema["additionalProperties"].is_object() {
        let key = prop_oneof![Just("cpu".to_owned()), Just("memory".to_owned()), "[a-z./-]{0,12}"];
        let values = of(&schema["additionalProperties"], fill);
        return proptest::collection::btree_map(key, values, 0..3).prop_map(|map| json!(map)).boxed();
    }
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut all = Just(Map::new()).boxed();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let value = of(property, fill);
        let value = if required.contains(&name.as_str()) { value.prop_map(Some).boxed() } else { proptest::option::weighted(fill, value).boxed() };
        let name = name.clone();
        all = (all, value)
            .prop_map(move |(mut map, value)| {
                map.extend(value.map(|value| (name.clone(), value)));
                map
            })
            .boxed();
    }
    all.prop_map(Value::Object).boxed()
}

fn number(schema: &Value) -> BoxedStrategy<Value> {
    let small = schema["format"] != "int64";
    let (low, high) = if small { (i64::from(i32::MIN), i64::from(i32::MAX)) } else { (i64::MIN, i64::MAX) };
    (schema["minimum"].as_i64().unwrap_or(low)..=schema["maximum"].as_i64().unwrap_or(high)).prop_map(Value::from).boxed()
}

fn text(schema: &Value) -> BoxedStrategy<Value> {
    let most = usize::try_from(schema["maxLength"].as_u64().unwrap_or(64)).unwrap();
    let least = usize::from(schema["minLength"].as_u64().is_some_and(|least| least > 0));
    match schema["pattern"].as_str() {
        Some(pattern) => {
            let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
            string_regex(pattern).unwrap().prop_filter("too long", move |text| text.len() <= most).prop_map(Value::from).boxed()
        }
        None => {
            let words = ["/etc/a", "/tmp", "ghcr.io/acme/orders:1", "a", "10.0.0.0/8", "http", "x/y"].map(str::to_owned);
            let words = proptest::sample::select(words.to_vec());
            prop_oneof![4 => words, 1 => string_regex(&format!("\\PC{{{least},12}}")).unwrap()]
                .prop_filter("too long", move |text| text.chars().count() <= most)
                .prop_map(Value::from)
                .boxed()
        }
    }
}

/// Any JSON.
fn free(depth: u32) -> BoxedStrategy<Value> {
    let names = ["containers", "name", "volumes", "securityContext", "hostNetwork", "ports", "image", "env"].map(str::to_owned);
    let key = prop_oneof![proptest::sample::select(names.to_vec()), "[a-zA-Z]{1,8}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(depth, 16, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
    .boxed()
}
