//! Errors of the schema in plain words.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::LocationSegment;
use serde_json::Value;

use super::structure::{self, Step};
use crate::api::patterns;
use crate::api::problem::Reason;
use crate::api::v1alpha1::Problem;

/// Longest value that is repeated in a message, in characters.
const SHOWN: usize = 60;

/// One problem, or one for each field that is unknown.
pub fn problems(error: &ValidationError<'_>, schema: &Value) -> Vec<Problem> {
    let path: Vec<Step> = error
        .instance_path()
        .iter()
        .map(|segment| match segment {
            LocationSegment::Property(name) => Step::Field(name.into_owned()),
            LocationSegment::Index(index) => Step::Item(index),
        })
        .collect();
    if let Kind::AdditionalProperties { unexpected } = error.kind() {
        return unexpected.iter().map(|name| unknown(&path, name, schema)).collect();
    }
    let value = shown(error.instance());
    let number = |text: &str, limit: &dyn std::fmt::Display| format!("must be {text} {limit}, and is {value}");
    let (reason, message) = match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let place = structure::text(&[path, vec![Step::Field(name.to_owned())]].concat());
            return vec![Problem::error(place, Reason::Required, "must be given")];
        }
        Kind::Type { kind } => (Reason::TypeInvalid, format!("must be {}, and is {}", expected(kind), typed(error.instance()))),
        Kind::Enum { options } => (Reason::NotSupported, format!("must be {}, and is {value}", one_of(options))),
        Kind::Minimum { limit } => (Reason::Invalid, number("at least", limit)),
        Kind::Maximum { limit } => (Reason::Invalid, number("at most", limit)),
        Kind::MinLength { .. } => (Reason::Required, "must not be empty".to_owned()),
        Kind::MaxLength { limit } => (Reason::TooLong, format!("must have at most {limit} characters")),
        Kind::MinItems { limit } => (Reason::Required, format!("must have at least {limit} {}", plural(*limit, "entry", "entries"))),
        Kind::MaxItems { limit } => (Reason::TooMany, format!("must have at most {limit} entries")),
        Kind::MaxProperties { limit } => (Reason::TooMany, format!("must have at most {limit} keys")),
        Kind::Pattern { pattern } => {
            let wanted = patterns::meaning(pattern).map_or_else(|| format!("a match of `{pattern}`"), str::to_owned);
            (Reason::Invalid, format!("must be {wanted}, and is {value}"))
        }
        _ => (Reason::Invalid, error.to_string()),
    };
    vec![Problem::error(structure::text(&path), reason, message)]
}

fn unknown(path: &[Step], name: &str, schema: &Value) -> Problem {
    let place = structure::text(&[path, &[Step::Field(name.to_owned())]].concat());
    let here = structure::at(schema, path)["properties"].as_object();
    let near = here.into_iter().flatten().map(|(known, _)| known).min_by_key(|known| distance(known, name));
    let elsewhere = || structure::places(schema, name).into_iter().next();
    let hint = match near.filter(|known| similar(known, name)) {
        Some(known) => format!("; did you mean `{known}`?"),
        None => elsewhere().map(|place| format!("; there is `{place}`")).unwrap_or_default(),
    };
    Problem::error(place, Reason::Unknown, format!("unknown field{hint}"))
}

/// Whether one word may be a slip for the other: two slips make it so, and in short words one.
pub fn similar(known: &str, name: &str) -> bool {
    distance(known, name) <= if name.len() <= 4 { 1 } else { 2 }
}

/// Insertions, deletions, replacements and swaps of neighbours between two words, case aside.
fn distance(a: &str, b: &str) -> usize {
    strsim::osa_distance(&a.to_lowercase(), &b.to_lowercase())
}

fn expected(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => name(&one.to_string()),
        TypeKind::Multiple(_) => "a whole number or a string in quotes".to_owned(),
    }
}

fn typed(value: &Value) -> String {
    let kind = match value {
        Value::Null => return "null".to_owned(),
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match value {
        // YAML reads `on` as true and `1.20` as 1.2, which surprises: show what came of it.
        Value::Bool(_) | Value::Number(_) | Value::String(_) => format!("the {kind} {}", shown(value)),
        _ => name(kind),
    }
}

fn name(kind: &str) -> String {
    match kind {
        "integer" => "a whole number".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "a map".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => format!("a {other}"),
    }
}

fn one_of(options: &Value) -> String {
    let options: Vec<String> =
        options.as_array().into_iter().flatten().map(|option| format!("`{}`", option.as_str().unwrap_or_default())).collect();
    match options.as_slice() {
        [init @ .., last] if !init.is_empty() => format!("{} or {last}", init.join(", ")),
        _ => options.concat(),
    }
}

fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
