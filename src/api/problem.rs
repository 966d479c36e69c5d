//! How problems are made, and the words for their reasons: those that the API server uses for causes of a refusal, so
//! that admission, `validate` and status speak alike.

use std::fmt;

use super::v1alpha1::{Problem, Severity};

/// Class of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Invalid,
    Required,
    Forbidden,
    Duplicate,
    /// Refers to something that is not there.
    NotFound,
    /// Not one of the values that are allowed.
    NotSupported,
    TypeInvalid,
    TooLong,
    TooMany,
    /// No field of this name.
    Unknown,
    /// The profile that is named cannot be had.
    ProfileNotFound,
}

impl Reason {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Invalid => "FieldValueInvalid",
            Self::Required => "FieldValueRequired",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
            Self::NotFound => "FieldValueNotFound",
            Self::NotSupported => "FieldValueNotSupported",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Unknown => "FieldUnknown",
            Self::ProfileNotFound => "ProfileNotFound",
        }
    }
}

impl Problem {
    /// A problem that keeps the spec from being applied.
    pub fn error(field: impl Into<String>, reason: Reason, message: impl Into<String>) -> Self {
        Self { field: field.into(), severity: Severity::Error, reason: reason.word().to_owned(), message: message.into() }
    }

    /// A problem that does not.
    pub fn warning(field: impl Into<String>, reason: Reason, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(field, reason, message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}
