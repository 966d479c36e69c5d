//! Names of what belongs to a service. They are stable: they depend on the service and on content, never on what else
//! is there or on the time.

use serde_json::Value;

use crate::plan::digest::{self, SHORT};

/// Longest name of a child. A Microservice's own name is held to the same bound by the CRD, so it never needs cutting.
pub const LONGEST: usize = 63;

/// `<name>-<hash>`. A name that is too long for it is cut, and then carries a hash of itself, so that two services whose
/// names begin alike stay apart.
pub fn suffixed(name: &str, hash: &str) -> String {
    if name.len() + 1 + hash.len() <= LONGEST {
        return format!("{name}-{hash}");
    }
    let own = digest::short(&Value::from(name));
    let head = cut(name, LONGEST.saturating_sub(own.len() + hash.len() + 2));
    format!("{head}-{own}-{hash}")
}

/// Whether `candidate` is a name that [`suffixed`] gives to children of the service `name`.
pub fn is_suffixed(name: &str, candidate: &str) -> bool {
    let hash = candidate.len().checked_sub(SHORT).and_then(|start| candidate.get(start..));
    hash.is_some_and(|hash| suffixed(name, hash) == candidate)
}

/// One name for each key, as readable as it can be: a name that is empty, too long or wanted by two keys is told apart
/// by a hash of its key.
pub fn distinct(keys: &[String], longest: usize, readable: impl Fn(&str) -> String) -> Vec<String> {
    let wanted: Vec<String> = keys.iter().map(|key| readable(key)).collect();
    let name = |(key, name): (&String, &String)| {
        let alone = wanted.iter().filter(|other| *other == name).count() == 1;
        if alone && !name.is_empty() && name.len() <= longest {
            return name.clone();
        }
        let hash = digest::short(&Value::from(key.as_str()));
        match cut(name, longest.saturating_sub(hash.len() + 1)).as_str() {
            "" => hash,
            head => format!("{head}-{hash}"),
        }
    };
    keys.iter().zip(&wanted).map(name).collect()
}

/// A DNS label that reads like `text`: lower case, everything else a single hyphen.
pub fn label(text: &str) -> String {
    words(text, |c| c.is_ascii_alphanumeric()).to_ascii_lowercase()
}

/// A key of a ConfigMap that reads like the path `text`.
pub fn key(text: &str) -> String {
    words(text, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_')).trim_matches(['.', '-']).to_owned()
}

/// `text` with every run of other characters turned into one hyphen, and none at the ends.
fn words(text: &str, keep: impl Fn(char) -> bool) -> String {
    text.split(|c| !keep(c)).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// The first `length` characters, without a separator at the end.
fn cut(name: &str, length: usize) -> String {
    let head: String = name.chars().take(length).collect();
    head.trim_end_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "[a-z]([-a-z0-9]{0,61}[a-z0-9])?";
    const HASH: &str = "[0-9a-f]{8}";

    fn is_dns_label(name: &str) -> bool {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        name.len() <= LONGEST
            && edge(name.chars().next())
            && edge(name.chars().last())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        assert_eq!(suffixed("orders", "6f9c1a2b"), "orders-6f9c1a2b");
        let fits = "a".repeat(54);
        assert_eq!(suffixed(&fits, "6f9c1a2b"), format!("{fits}-6f9c1a2b"));
        let (a, b) = (format!("{}a", "x".repeat(60)), format!("{}b", "x".repeat(60)));
        assert_ne!(suffixed(&a, "6f9c1a2b"), suffixed(&b, "6f9c1a2b"));
        assert_eq!(suffixed(&a, "6f9c1a2b").len(), LONGEST);
    }

    #[test]
    fn readable_names() {
        let keys = ["/etc/orders/app.yaml", "/etc/tls", "/Etc/TLS", "/é", "/data_1"].map(str::to_owned);
        let names = distinct(&keys, LONGEST, label);
        assert_eq!(names[0], "etc-orders-app-yaml");
        assert!(names[1].starts_with("etc-tls-") && names[2].starts_with("etc-tls-") && names[1] != names[2], "{names:?}");
        assert!(names[3].len() == SHORT, "{names:?}");
        assert_eq!(names[4], "data-1");
        assert_eq!(distinct(&keys[..1], 253, key), ["etc-orders-app.yaml"]);
        assert_eq!(key("/..hidden/.."), "hidden");
    }

    proptest! {
        #[test]
        fn suffixed_names_are_dns_labels(name in NAME, hash in HASH) {
            let child = suffixed(&name, &hash);
            prop_assert!(is_dns_label(&child), "{}", child);
            prop_assert!(is_suffixed(&name, &child));
        }

        #[test]
        fn two_services_never_share_a_name(a in "[a-z]x{40,61}[a-z0-9]", b in "[a-z]x{40,61}[a-z0-9]", hash in HASH) {
            prop_assume!(a != b);
            prop_assert_ne!(suffixed(&a, &hash), suffixed(&b, &hash));
            prop_assert!(!is_suffixed(&a, &suffixed(&b, &hash)));
        }

        #[test]
        fn distinct_names_are_distinct(keys in proptest::collection::btree_set("/[-./_a-cA-Cé0]{1,80}", 0..12)) {
            let keys: Vec<String> = keys.into_iter().collect();
            let names = distinct(&keys, LONGEST, label);
            let all: std::collections::BTreeSet<_> = names.iter().collect();
            prop_assert_eq!(all.len(), keys.len());
            for name in &names {
                prop_assert!(is_dns_label(name), "{}", name);
            }
        }
    }
}
