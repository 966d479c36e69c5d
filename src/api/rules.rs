//! What must hold between fields. The API server evaluates these rules at admission, `validate` offline; both get them
//! from the CRD. A rule that the server's cost estimate would refuse belongs into `model::parse`.

mod access;
mod pod;
mod profile;
mod scaling;
mod service;

use serde_json::{Value, json};

use super::problem::Reason;

/// A CEL rule.
pub struct Rule {
    /// The fields that it is attached to, as ends of paths (`env[]`), or whole paths (`spec`); the empty path is the root.
    pub at: &'static [&'static str],
    /// True when all is well.
    pub rule: &'static str,
    /// What must hold, and where it is not plain, what to do.
    pub message: &'static str,
    /// The field to name, relative to the one that the rule is attached to.
    pub field: &'static str,
    /// `Invalid`, `Required` or `Forbidden`: for duplicates the server has a reason too, but with it drops the message.
    pub reason: Reason,
    pub of: Of,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A Microservice as a whole: not what a profile holds for it, which is but a part.
    Whole,
    /// A part, wherever it stands.
    Part,
    /// A profile.
    Profile,
}

impl Rule {
    const fn new(at: &'static [&'static str], rule: &'static str, message: &'static str) -> Self {
        Self { at, rule, message, field: "", reason: Reason::Invalid, of: Of::Part }
    }

    const fn of(mut self, of: Of) -> Self {
        self.of = of;
        self
    }

    const fn field(mut self, field: &'static str) -> Self {
        self.field = field;
        self
    }

    const fn required(mut self) -> Self {
        self.reason = Reason::Required;
        self
    }

    const fn forbidden(mut self) -> Self {
        self.reason = Reason::Forbidden;
        self
    }

    /// As an entry of `x-kubernetes-validations`.
    pub fn to_schema(&self) -> Value {
        let mut entry = json!({"rule": self.rule, "message": self.message});
        // `FieldValueInvalid` is what the server assumes.
        if self.reason != Reason::Invalid {
            entry["reason"] = json!(self.reason.word());
        }
        if !self.field.is_empty() {
            entry["fieldPath"] = json!(self.field);
        }
        entry
    }
}

/// All rules.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [service::RULES, pod::RULES, scaling::RULES, access::RULES, profile::RULES].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::crd;

    #[test]
    fn every_rule_finds_its_field_in_the_schema() {
        let text = crd::all().unwrap().map(|crd| crd.to_string()).concat();
        for rule in all() {
            let entry = json!(rule.message).to_string();
            assert!(text.contains(&entry), "nowhere in the CRD: {:?} {}", rule.at, rule.message);
        }
    }

    #[test]
    fn messages_say_what_must_hold() {
        for rule in all() {
            assert!(rule.message.len() < 250 && !rule.message.ends_with('.'), "{}", rule.message);
            assert!(rule.message.contains("must") || rule.message.contains("need") || rule.message.contains("exclude"), "{}", rule.message);
        }
    }
}
