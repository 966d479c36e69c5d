//! Objects at rest: JSON, compressed against an example of each kind.
//!
//! Most of an object is the same as in every other of its kind, so that an example takes most of it away, for a few
//! microseconds each way. Typed structs were rejected, since most of their room is for fields that are absent, and so
//! were JSON trees, in which every small object takes 600 bytes.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Objects as the server returns them, one of each kind. Any change is harmless: nothing packed outlives the process.
const EXAMPLE: &[u8] = include_bytes!("example.json");

/// A value at rest. Equal values have equal bytes, so comparing needs no unpacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    bytes: Arc<[u8]>,
}

impl Packed {
    /// A value that has no JSON form (no API object is one) is packed as nothing, and says so when it is opened.
    pub fn of(value: &impl Serialize) -> Self {
        let json = serde_json::to_vec(value).unwrap_or_default();
        Self { bytes: lz4_flex::block::compress_prepend_size_with_dict(&json, EXAMPLE).into() }
    }

    pub fn open<T: DeserializeOwned>(&self) -> Result<T, String> {
        let json = lz4_flex::block::decompress_size_prepended_with_dict(&self.bytes, EXAMPLE).map_err(|error| error.to_string())?;
        serde_json::from_slice(&json).map_err(|error| error.to_string())
    }

}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn opens_to_what_was_packed() {
        for value in [json!({}), json!({"a": [1, "é", null]}), json!("x".repeat(100_000))] {
            assert_eq!(Packed::of(&value).open::<Value>(), Ok(value));
        }
    }

    #[test]
    fn equal_values_have_equal_bytes() {
        let (a, b) = (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}));
        assert_eq!(Packed::of(&a), Packed::of(&b));
        assert_ne!(Packed::of(&a), Packed::of(&json!({"a": 1})));
    }

    /// Another service, as far from the example as one can be that is still of the same kind: another name, and another
    /// digit wherever there is one, in uids, hashes, times and numbers.
    #[test]
    fn another_service_packs_to_less_than_a_third() {
        let text = std::str::from_utf8(EXAMPLE).unwrap().replace("cart", "payments");
        // Zeros stay: a number cannot begin with one.
        let next = |c: char| c.to_digit(10).filter(|digit| *digit > 0).and_then(|digit| char::from_digit(digit % 9 + 1, 10)).unwrap_or(c);
        let other: String = text.chars().map(next).collect();
        let examples: Vec<Value> = serde_json::from_str(&other).unwrap();
        assert_eq!(examples.len(), 10, "one of each kind");
        let (mut packed, mut plain) = (0, 0);
        for example in examples {
            packed += Packed::of(&example).bytes.len();
            plain += example.to_string().len();
        }
        assert!(packed * 3 < plain, "{packed} of {plain} bytes");
    }

    #[test]
    fn a_value_of_another_shape_is_an_error() {
        assert!(Packed::of(&json!({"a": 1})).open::<Vec<u8>>().is_err());
        assert!(Packed::of(&f64::NAN).open::<f64>().is_err());
    }
}
