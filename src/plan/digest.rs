//! Hashes of content. Equal JSON gives an equal hash whatever the order of its keys, so the hash of what the server
//! gives back equals the hash of what was sent.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Characters of the hash in names: 32 bits, enough for the few dozen revisions that a service keeps. Where a
/// collision would matter, the caller looks for it (see `revision::unused`).
pub const SHORT: usize = 8;

/// SHA-256 in lower-case hexadecimal.
pub fn digest(value: &Value) -> String {
    let mut hasher = Sha256::new();
    feed(&mut hasher, value);
    hasher.finalize().iter().flat_map(|byte| [byte >> 4, byte & 0xf]).filter_map(|n| char::from_digit(n.into(), 16)).collect()
}

/// The first [`SHORT`] characters of [`digest`].
pub fn short(value: &Value) -> String {
    let mut hash = digest(value);
    hash.truncate(SHORT);
    hash
}

/// Canonical JSON: keys sorted here and not by `serde_json`'s map, which keeps the order of insertion as soon as any
/// dependency turns on its `preserve_order`.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            hasher.update(b"{");
            for (key, value) in entries {
                feed(hasher, &Value::from(key.as_str()));
                hasher.update(b":");
                feed(hasher, value);
                hasher.update(b",");
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            for item in items {
                feed(hasher, item);
                hasher.update(b",");
            }
            hasher.update(b"]");
        }
        scalar => hasher.update(scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn is_sha_256_in_hexadecimal() {
        // printf 1 | sha256sum
        assert_eq!(digest(&json!(1)), "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b");
        assert_eq!(short(&json!(1)), "6b86b273");
    }

    #[test]
    fn tells_structures_apart() {
        let all = [
            json!(null),
            json!([]),
            json!({}),
            json!(""),
            json!("null"),
            json!([[]]),
            json!([[], []]),
            json!({"a": {}}),
            json!(["a"]),
            json!("1"),
            json!(1),
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                assert_ne!(digest(a), digest(b), "{a} and {b}");
            }
        }
    }
}
