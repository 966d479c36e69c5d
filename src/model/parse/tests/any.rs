//! Any object that the schema admits.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::api::schema::{self, arbitrary};
use crate::api::v1alpha1::{Microservice, Severity};
use crate::model::parse;
use crate::plan::children;

proptest! {
    /// One object that the watch cannot read would stop the operator for all.
    #[test]
    fn what_the_schema_admits_can_be_read_and_parsed(value in arbitrary::microservice(25)) {
        let object: Result<Microservice, _> = serde_json::from_value(value);
        let parsed = parse::parse(&object.map_err(|error| TestCaseError::fail(error.to_string()))?);
        if let Err(problems) = parsed {
            prop_assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
            prop_assert!(problems.iter().all(|problem| problem.field.starts_with("spec") && !problem.message.is_empty()), "{:?}", problems);
        }
    }
}

/// Few fields at a time, so that the rules hold often enough.
#[test]
fn what_is_admitted_and_parsed_has_children() {
    let mut runner = TestRunner::default();
    let mut rendered = 0;
    for _ in 0..400 {
        let value = arbitrary::microservice(6).new_tree(&mut runner).unwrap().current();
        let Ok(admitted) = schema::read(value.clone()) else { continue };
        let Ok(parsed) = parse::parse(&admitted.object) else { continue };
        let children = children::fresh(&parsed.service, jiff::Timestamp::UNIX_EPOCH).list;
        assert!(children.len() >= 3, "{value}");
        rendered += 1;
    }
    assert!(rendered > 20, "only {rendered} of 400 were valid: this shows nothing");
}
