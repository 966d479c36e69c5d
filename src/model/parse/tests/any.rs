//! Any object that the schema admits.

use proptest::prelude::*;
use serde_json::Value;

use crate::api::schema::{self, arbitrary};
use crate::api::v1alpha1::{Microservice, Severity};
use crate::model::{Progress, parse};
use crate::plan::children;

fn admitted(value: &Value) -> bool {
    schema::check(value).iter().all(|problem| problem.severity != Severity::Error)
}

proptest! {
    // Objects are large, and most of the work is making them.
    #![proptest_config(ProptestConfig::with_cases(600))]

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

    /// Few fields at a time, so that the rules hold often enough.
    #[test]
    fn what_is_admitted_and_parsed_has_children(value in arbitrary::microservice(6)) {
        prop_assume!(admitted(&value));
        let object: Microservice = serde_json::from_value(value).unwrap();
        if let Ok(parsed) = parse::parse(&object) {
            let children = children::children(&parsed.service, &Progress::default(), &[]);
            prop_assert!(children.list.len() >= 3);
        }
    }
}
