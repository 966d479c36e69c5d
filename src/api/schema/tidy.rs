//! What the server does to an object before it looks at it.

use serde_json::{Map, Value};

/// Takes out nulls, which stand for absent fields, and writes whole numbers as integers.
pub fn tidy(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| !(value.is_null() && child(schema, key).is_some()));
            for (key, value) in map {
                tidy(value, child(schema, key).unwrap_or(&Value::Null));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| tidy(item, &schema["items"])),
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

/// Below 2^53 every whole number has a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The schema of a property or of a map's value, if it is known. What a free-form object holds is not.
fn child<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.and_then(|properties: &Map<String, Value>| properties.get(key)).or_else(|| schema.get("additionalProperties"))
}
