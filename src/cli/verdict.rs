//! What is said of an object without a cluster: by admission's schema and rules, then by the operator's own parser.

use crate::api::schema::{self, Address};
use crate::api::v1alpha1::{Problem, Severity};
use crate::model::Service;
use crate::model::parse::parse;

use super::input::Document;

/// What came of an object.
pub enum Verdict {
    /// A Microservice, and what its author should know.
    Valid(Box<Service>, Vec<Problem>),
    /// Problems, errors first.
    Invalid(Vec<Problem>),
    /// Another kind.
    Other,
}

pub fn judge(document: &Document) -> Verdict {
    match schema::address(&document.value) {
        Address::Other | Address::Profile => return Verdict::Other,
        Address::Wrong(problem) => return Verdict::Invalid(vec![problem]),
        Address::Ours => {}
    }
    let admitted = match schema::read(document.value.clone()) {
        Ok(admitted) => admitted,
        Err(problems) => return Verdict::Invalid(problems),
    };
    let mut warnings = admitted.warnings;
    match parse(&admitted.object) {
        Ok(parsed) => {
            warnings.extend(parsed.warnings);
            Verdict::Valid(Box::new(parsed.service), warnings)
        }
        Err(problems) => Verdict::Invalid(problems.into_iter().chain(warnings).collect()),
    }
}

/// `FILE:LINE: Microservice/orders: spec.port: must be …`
pub fn line(document: &Document, problem: &Problem) -> String {
    let place = document.line(&problem.field).map_or_else(String::new, |line| format!(":{line}"));
    let weight = if problem.severity == Severity::Warning { "warning: " } else { "" };
    format!("{}{place}: {}/{}: {weight}{problem}", document.file(), document.kind(), document.name())
}
