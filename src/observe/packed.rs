//! Objects at rest: JSON, compressed against an example of each kind.
//!
//! Most of an object is the same as in every other of its kind, so that an example takes most of it away, for a few
//! microseconds each way. Typed structs were rejected, since most of their room is for fields that are absent, and so
//! were JSON trees, in which every small object takes 600 bytes.

use std::sync::{Arc, LazyLock};

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::key::Watched;

/// Objects as they are kept, one of each kind in the order of [`Watched::ALL`], each on a line of its own. Any change is
/// harmless: nothing packed outlives the process.
const EXAMPLES: &str = include_str!("example.json");

/// The example of each kind. One for each and not one for all: whatever packs must first read its example.
static EXAMPLE: LazyLock<Vec<&'static [u8]>> =
    LazyLock::new(|| EXAMPLES.lines().filter(|line| line.starts_with('{')).map(|line| line.trim_end_matches(',').as_bytes()).collect());

/// A value at rest. Equal values have equal bytes, so comparing needs no unpacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    bytes: Arc<[u8]>,
    like: Watched,
}

impl Packed {
    /// Packs a value that is like others of its kind. A value that has no JSON form (no API object is one) is packed as
    /// nothing, and says so when it is opened.
    pub fn of(like: Watched, value: &impl Serialize) -> Self {
        let json = serde_json::to_vec(value).unwrap_or_default();
        Self { bytes: compress_prepend_size_with_dict(&json, example(like)).into(), like }
    }

    /// Bytes, without the example.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub fn open<T: DeserializeOwned>(&self) -> Result<T, String> {
        let json = decompress_size_prepended_with_dict(&self.bytes, example(self.like)).map_err(|error| error.to_string())?;
        serde_json::from_slice(&json).map_err(|error| error.to_string())
    }
}

fn example(like: Watched) -> &'static [u8] {
    EXAMPLE.get(like.ordinal()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn opens_to_what_was_packed() {
        for value in [json!({}), json!({"a": [1, "é", null]}), json!("x".repeat(100_000))] {
            assert_eq!(Packed::of(Watched::Pod, &value).open::<Value>(), Ok(value));
        }
    }

    #[test]
    fn equal_values_have_equal_bytes() {
        let (a, b) = (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}));
        assert_eq!(Packed::of(Watched::Pod, &a), Packed::of(Watched::Pod, &b));
        assert_ne!(Packed::of(Watched::Pod, &a), Packed::of(Watched::Pod, &json!({"a": 1})));
    }

    /// Another service, as far from the example as one can be that is still of the same kind: another name, and another
    /// digit wherever there is one, in uids, hashes, times and numbers.
    #[test]
    fn another_service_packs_to_less_than_a_third() {
        let text = EXAMPLES.replace("cart", "payments");
        // Zeros stay: a number cannot begin with one.
        let next = |c: char| c.to_digit(10).filter(|digit| *digit > 0).and_then(|digit| char::from_digit(digit % 9 + 1, 10)).unwrap_or(c);
        let others: Vec<Value> = serde_json::from_str(&text.chars().map(next).collect::<String>()).unwrap();
        let (mut packed, mut plain) = (0, 0);
        for (like, other) in Watched::ALL.into_iter().zip(&others) {
            packed += Packed::of(like, other).bytes.len();
            plain += other.to_string().len();
        }
        assert!(packed * 3 < plain, "{packed} of {plain} bytes");
    }

    #[test]
    fn there_is_an_example_of_each_kind() {
        for like in Watched::ALL {
            let example: Value = serde_json::from_slice(example(like)).unwrap();
            if like == Watched::Pod {
                assert!(serde_json::from_value::<crate::observe::world::Pod>(example).is_ok());
            } else {
                assert_eq!(example["kind"], json!(like.resource().kind));
            }
        }
        assert_eq!(EXAMPLE.len(), Watched::ALL.len());
    }

    #[test]
    fn a_value_of_another_shape_is_an_error() {
        assert!(Packed::of(Watched::Pod, &json!({"a": 1})).open::<Vec<u8>>().is_err());
        assert!(Packed::of(Watched::Pod, &f64::NAN).open::<f64>().is_err());
    }
}
