//! Resource versions.

use std::fmt;

use kube::core::ObjectMeta;

/// A resource version. Kubernetes 1.35 made them comparable as numbers within a kind (kubernetes/enhancements#5504), and
/// etcd's always were; a server that hands out other text is believed, and never second-guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    Number(u64),
    Text(Box<str>),
}

impl Version {
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self::parse(metadata.resource_version.as_deref().unwrap_or_default())
    }

    pub fn parse(text: &str) -> Self {
        match text.parse() {
            // `007` would be written back as `7`, which the server may not take for the same.
            Ok(number) if !text.starts_with('0') && !text.starts_with('+') => Self::Number(number),
            _ => Self::Text(text.into()),
        }
    }

    /// Whether this is a state before `other`. Never, when that cannot be said.
    pub fn is_before(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Number(this), Self::Number(other)) if this < other)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn numbers_are_compared_as_numbers() {
        assert!(Version::parse("9").is_before(&Version::parse("10")));
        assert!(!Version::parse("10").is_before(&Version::parse("9")));
        assert!(!Version::parse("10").is_before(&Version::parse("10")));
    }

    #[test]
    fn other_text_is_never_before_anything() {
        for (a, b) in [("a", "b"), ("a", "1"), ("1", "b"), ("", "1"), ("1", "")] {
            assert!(!Version::parse(a).is_before(&Version::parse(b)), "{a} {b}");
        }
    }

    #[test]
    fn writes_what_it_read() {
        for text in ["1", "18446744073709551615", "18446744073709551616", "007", "+1", "abc", ""] {
            assert_eq!(Version::parse(text).to_string(), text);
        }
    }
}
