//! The API server's verdict without the API server: the schema of the CRD, its keyed lists and its rules, for `validate`
//! and `render`. A strict server also refuses fields that it does not know, so this does too.

mod keys;
mod structure;
mod tidy;
mod words;

use std::sync::LazyLock;

use kube::core::cel::{CompiledSchema, RootContext, Validator as Rules, compile_schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::crd;
use super::problem::Reason;
use super::v1alpha1::{Microservice, MicroserviceProfile, Problem, Severity};

const GROUP: &str = "microservices.dev";
const API_VERSION: &str = "microservices.dev/v1alpha1";
const KIND: &str = "Microservice";
const PROFILE: &str = "MicroserviceProfile";

/// Everything that can be prepared once. Building it takes some 50 ms, mostly for the rules.
struct Checker {
    schema: Value,
    structure: jsonschema::Validator,
    rules: CompiledSchema,
    kind: &'static str,
}

static CHECKER: LazyLock<Result<Checker, String>> = LazyLock::new(|| Checker::of(crd::microservice(), KIND));
static PROFILES: LazyLock<Result<Checker, String>> = LazyLock::new(|| Checker::of(crd::profile(), PROFILE));

impl Checker {
    fn of(crd: Result<Value, serde_json::Error>, kind: &'static str) -> Result<Self, String> {
        let schema = crd::schema(&crd.map_err(|error| error.to_string())?).clone();
        let structure = structure::validator(&schema, kind).map_err(|error| error.to_string())?;
        Ok(Self { rules: compile_schema(&schema), structure, schema, kind })
    }
}

/// Whom an object is addressed to.
#[derive(Debug, PartialEq, Eq)]
pub enum Address {
    /// A Microservice of this version.
    Ours,
    /// A profile of this version.
    Profile,
    /// Meant for us, as it seems, and of no kind or version that we know.
    Wrong(Problem),
    /// Another kind.
    Other,
}

/// Tells a slip in `apiVersion` or `kind`, which would go unnoticed, from an object of somebody else's.
pub fn address(value: &Value) -> Address {
    let (version, kind) = (value["apiVersion"].as_str().unwrap_or_default(), value["kind"].as_str().unwrap_or_default());
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let wrong = |field, is| Address::Wrong(Problem::error(field, Reason::NotSupported, format!("must be `{is}`")));
    match (version == API_VERSION, kind == KIND) {
        (true, true) => Address::Ours,
        (true, false) if kind == PROFILE => Address::Profile,
        (true, false) if words::similar(kind, PROFILE) => wrong("kind", PROFILE),
        (true, false) => wrong("kind", KIND),
        (false, true) if words::similar(group, GROUP) => wrong("apiVersion", API_VERSION),
        (false, _) if group == GROUP => wrong("apiVersion", API_VERSION),
        _ => Address::Other,
    }
}

/// An object that the server admits, and what its author should know.
#[derive(Debug)]
pub struct Admitted {
    pub object: Microservice,
    pub warnings: Vec<Problem>,
}

/// Reads an object as the server does, or says everything that keeps it from being admitted.
pub fn read(value: Value) -> Result<Admitted, Vec<Problem>> {
    let (object, warnings) = admit(value, &CHECKER)?;
    Ok(Admitted { object, warnings })
}

/// Reads a profile likewise, with what its author should know.
pub fn read_profile(value: Value) -> Result<(MicroserviceProfile, Vec<Problem>), Vec<Problem>> {
    let (profile, mut warnings): (MicroserviceProfile, _) = admit(value, &PROFILES)?;
    for (index, lock) in profile.spec.locks.iter().flatten().enumerate() {
        if !is_field(lock) {
            let message = format!("`{lock}` is no field of a Microservice: the lock holds nothing");
            warnings.push(Problem::warning(format!("spec.locks[{index}]"), Reason::NotFound, message));
        }
    }
    Ok((profile, warnings))
}

/// Whether a Microservice has a field of this path.
fn is_field(path: &str) -> bool {
    let Ok(checker) = &*CHECKER else { return true };
    let steps: Vec<_> = path.split('.').map(|name| structure::Step::Field(name.to_owned())).collect();
    structure::at(&checker.schema, &steps).is_object()
}

fn admit<T: DeserializeOwned>(mut value: Value, checker: &Result<Checker, String>) -> Result<(T, Vec<Problem>), Vec<Problem>> {
    let problems = check_mut(&mut value, checker);
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(problems);
    }
    // What the schema admits can be read: a property test holds this.
    let object = serde_json::from_value(value).map_err(|error| vec![Problem::error("", Reason::TypeInvalid, error.to_string())])?;
    Ok((object, problems))
}

/// All that the API server would refuse, and what it would not do everywhere.
pub fn check(value: &Value) -> Vec<Problem> {
    let checker = if address(value) == Address::Profile { &PROFILES } else { &CHECKER };
    check_mut(&mut value.clone(), checker)
}

fn check_mut(value: &mut Value, checker: &Result<Checker, String>) -> Vec<Problem> {
    let checker = match checker {
        Ok(checker) => checker,
        Err(error) => return vec![Problem::error("", Reason::Invalid, format!("the CRD's own schema is broken: {error}"))],
    };
    // Status is not the author's: the server ignores it.
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    let nulls = tidy::tidy(value, &checker.schema);
    let errors = checker.structure.iter_errors(value);
    let mut problems: Vec<Problem> = errors.flat_map(|error| words::problems(&error, &checker.schema)).collect();
    problems.extend(keys::duplicates(value, &checker.schema));
    // Rules are written for objects of the right shape; on others the server does not run them either.
    if problems.is_empty() {
        problems.extend(rules(value, checker));
    }
    problems.extend(nulls.into_iter().map(|path| Problem::warning(path, Reason::TypeInvalid, NULL)));
    problems.sort_by(|a, b| (a.severity, &a.field, &a.message).cmp(&(b.severity, &b.field, &b.message)));
    problems.dedup();
    problems
}

/// Seen on 1.36: create, update and merge patch drop nulls, server-side apply refuses them.
const NULL: &str = "null means absent, but server-side apply (Helm 4, Flux, Argo CD) refuses it: remove the line";

fn rules(value: &Value, checker: &Checker) -> Vec<Problem> {
    let context = RootContext { api_version: API_VERSION.to_owned(), api_group: GROUP.to_owned(), kind: checker.kind.to_owned() };
    let failed = Rules::new().validate_compiled_with_context(&checker.rules, value, None, Some(&context));
    let errors = failed.err().map(kube::core::cel::ValidationErrors::into_vec).unwrap_or_default();
    errors
        .into_iter()
        .map(|error| Problem {
            // A rule at the root names its field with a dot before it.
            field: error.field_path.trim_start_matches('.').to_owned(),
            reason: error.reason.unwrap_or_else(|| Reason::Invalid.word().to_owned()),
            ..Problem::error("", Reason::Invalid, error.message)
        })
        .collect()
}

#[cfg(test)]
pub mod arbitrary;
#[cfg(test)]
mod tests;
