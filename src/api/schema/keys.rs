//! Lists that are keyed: each key once, as server-side apply needs it.

use serde_json::Value;

use crate::api::problem::Reason;
use crate::api::v1alpha1::Problem;

pub fn duplicates(value: &Value, schema: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    walk(value, schema, String::new(), &mut found);
    found
}

fn walk(value: &Value, schema: &Value, path: String, found: &mut Vec<Problem>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let below = schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]);
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(value, below, path, found);
            }
        }
        Value::Array(list) => {
            let keys = match schema["x-kubernetes-list-type"].as_str() {
                Some("map") => schema["x-kubernetes-list-map-keys"].as_array().map(Vec::as_slice),
                Some("set") => Some(&[][..]),
                _ => None,
            };
            if let Some(keys) = keys {
                let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
                once(list, &keys, &path, found);
            }
            for (index, item) in list.iter().enumerate() {
                walk(item, &schema["items"], format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn once(list: &[Value], keys: &[&str], path: &str, found: &mut Vec<Problem>) {
    let of_keys = |item: &Value| keys.iter().map(|key| item.get(key).map(Value::to_string)).collect::<Option<Vec<String>>>();
    let identity = |item: &Value| if keys.is_empty() { Some(item.to_string()) } else { of_keys(item).map(|all| all.join(" ")) };
    for (index, item) in list.iter().enumerate() {
        let Some(id) = identity(item) else { continue };
        if let Some(first) = list[..index].iter().position(|earlier| identity(earlier).as_ref() == Some(&id)) {
            let what = if keys.is_empty() { "the value".to_owned() } else { keys.join(" and ") };
            let message = format!("{what} {id} must appear once, and entry {first} has it already");
            found.push(Problem::error(format!("{path}[{index}]"), Reason::Duplicate, message));
        }
    }
}
