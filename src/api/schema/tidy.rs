//! What the server does to an object before it looks at it.

use serde_json::{Map, Value};

/// Below 2^53 every whole number has a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Takes out nulls, which stand for absent fields, and writes whole numbers as integers. Gives the paths of the nulls.
pub fn tidy(value: &mut Value, schema: &Value) -> Vec<String> {
    let mut nulls = Vec::new();
    walk(value, schema, "", &mut nulls);
    nulls
}

fn walk(value: &mut Value, schema: &Value, path: &str, nulls: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            map.retain(|key, value| {
                let absent = value.is_null() && child(schema, key).is_some();
                nulls.extend(absent.then(|| below(key)));
                !absent
            });
            for (key, value) in map {
                walk(value, child(schema, key).unwrap_or(&Value::Null), &below(key), nulls);
            }
        }
        Value::Array(list) => {
            for (index, item) in list.iter_mut().enumerate() {
                walk(item, &schema["items"], &format!("{path}[{index}]"), nulls);
            }
        }
        Value::Number(number) => {
            // `3.0` is an integer to the server, and stored as `3`.
            #[allow(clippy::cast_possible_truncation, reason = "whole, and within the range in which floats are exact")]
            if let Some(float) = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT) {
                *value = Value::from(float as i64);
            }
        }
        _ => {}
    }
}

/// The schema of a property or of a map's value, if it is known. What a free-form object holds is not.
fn child<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.and_then(|properties: &Map<String, Value>| properties.get(key)).or_else(|| schema.get("additionalProperties"))
}
