//! What the subcommands print: YAML with sorted keys, long lines left to the reader's window, and quotes wherever some
//! YAML reader could take a string for something else.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use serde_saphyr::{FlowMap, FlowSeq, SerializerOptions, ser_error::Error};

/// Writes to standard output. A reader that has seen enough, such as `head`, is no error; `println!` would panic.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// One document.
pub fn yaml(value: &impl Serialize) -> Result<String, Error> {
    serde_saphyr::to_string_with_options(value, options())
}

/// One document in which a map or list of a few plain values takes one line: for schemas, which are deep, and of which
/// indentation would be the better half.
pub fn compact_yaml(value: &Value) -> Result<String, Error> {
    yaml(&Compact(value, 0))
}

fn options() -> SerializerOptions {
    // Folding would break messages and patterns over lines, where nobody finds them again.
    serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX }
}

/// Longest map or list on one line, in bytes: with the indentation of a schema it still fits a wide window.
const LINE: usize = 200;

/// A value, and how deep it lies.
struct Compact<'a>(&'a Value, usize);

impl Serialize for Compact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) if self.fits() => FlowMap(map).serialize(serializer),
            Value::Array(list) if self.fits() => FlowSeq(list).serialize(serializer),
            Value::Object(map) => {
                let mut out = serializer.serialize_map(Some(map.len()))?;
                for (key, value) in map {
                    out.serialize_entry(key, &Compact(value, self.1 + 1))?;
                }
                out.end()
            }
            Value::Array(list) => {
                let mut out = serializer.serialize_seq(Some(list.len()))?;
                for value in list {
                    out.serialize_element(&Compact(value, self.1 + 1))?;
                }
                out.end()
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

impl Compact<'_> {
    /// Whether it goes on one line. The parts of an object are blocks of their own, for readers and for templates.
    fn fits(&self) -> bool {
        let holds_more = match self.0 {
            Value::Object(map) => map.values().any(|value| value.is_object() || value.is_array()),
            Value::Array(list) => list.iter().any(|value| value.is_object() || value.is_array()),
            _ => false,
        };
        (self.1 > 1 || !holds_more) && width(self.0).is_some_and(|width| width <= LINE)
    }
}

/// Bytes on one line; `None` for what cannot be on one.
fn width(value: &Value) -> Option<usize> {
    match value {
        Value::Object(map) => map.iter().try_fold(2, |sum, (key, value)| Some(sum + key.len() + width(value)? + 4)),
        Value::Array(list) => list.iter().try_fold(2, |sum, value| Some(sum + width(value)? + 2)),
        Value::String(text) if text.contains('\n') => None,
        Value::String(text) => Some(text.len()),
        scalar => Some(scalar.to_string().len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_other_readers_would_misread_is_quoted() {
        let text = yaml(&json!({"a": "yes", "b": "0644", "c": "1:30", "d": "~", "e": "1e3", "f": "off", "g": "2026-11-23", "h": "plain"}))
            .unwrap();
        for line in text.lines().filter(|line| !line.contains("plain")) {
            assert!(line.contains('"') || line.contains('\''), "{line}");
        }
    }

    #[test]
    fn texts_of_several_lines_are_blocks() {
        assert_eq!(yaml(&json!({"a": "one\ntwo\n"})).unwrap(), "a: |\n  one\n  two\n");
    }

    #[test]
    fn small_leaves_take_one_line() {
        let value = json!({"port": {"type": "integer", "minimum": 1}, "list": [1, 2], "deep": {"a": {"b": "c"}}});
        assert_eq!(compact_yaml(&value).unwrap(), "deep:\n  a: {b: c}\nlist: [1, 2]\nport: {minimum: 1, type: integer}\n");
    }
}
