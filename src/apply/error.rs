//! What a refused or failed request means, and what to do about it.

use kube::core::Status;

use crate::observe::text::cut;
use crate::plan::Cause;

/// Bytes of a message. It ends up in a condition, whose message may have 32 KiB, and in an event, with 1 KiB.
const LONGEST: usize = 900;
/// Wrong fields that are listed; the first ones mostly explain the rest.
const MOST_FIELDS: usize = 5;

/// A request that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub cause: Cause,
    /// For people: what was said, and what to do.
    pub message: String,
}

impl Failure {
    pub fn new(cause: Cause, message: impl AsRef<str>) -> Self {
        Self { cause, message: cut(message.as_ref(), LONGEST).to_owned() }
    }
}

/// What was asked for, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// As roles spell it, e.g. `patch`.
    pub verb: &'a str,
    /// As roles spell it, e.g. `deployments.apps`.
    pub resource: &'a str,
    pub namespace: &'a str,
}

/// Somebody else changed the object in between, or it exists where it should not.
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}

/// Another object has the name now: the server takes the uid of an apply for a change of the uid.
pub fn is_replaced(error: &kube::Error) -> bool {
    has_cause(error, |field| field == "metadata.uid")
}

/// A Service cannot move between an address of its own and none.
pub fn is_fixed_address(error: &kube::Error) -> bool {
    has_cause(error, |field| field.starts_with("spec.clusterIP"))
}

pub fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

fn has_cause(error: &kube::Error, field: impl Fn(&str) -> bool) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_invalid() && causes(status).any(|cause| field(&cause.field)))
}

fn causes(status: &Status) -> impl Iterator<Item = &kube::core::response::StatusCause> {
    status.details.iter().flat_map(|details| &details.causes)
}

/// The class of an error, and words for people.
pub fn explain(asked: Asked, error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) => answer(asked, status),
        other => {
            let innermost = std::iter::successors(Some(other as &dyn std::error::Error), |error| error.source()).last();
            let said = innermost.map(ToString::to_string).unwrap_or_default();
            Failure::new(Cause::Transient, format!("the API server could not be asked to {} {}: {said}", asked.verb, asked.resource))
        }
    }
}

fn answer(asked: Asked, status: &Status) -> Failure {
    let (said, namespace) = (status.message.as_str(), asked.namespace);
    // By what is said first: admission refuses with whatever code it likes (a policy with 422, a webhook with 400).
    if let Some(quota) = after(said, "exceeded quota: ") {
        return Failure::new(Cause::QuotaExceeded, format!("namespace {namespace} has used up its quota {quota}; raise it, or make room"));
    }
    if causes(status).any(|cause| cause.reason == "NamespaceTerminating") {
        return Failure::new(Cause::Terminating, format!("namespace {namespace} is being deleted"));
    }
    if status.is_not_found() && status.details.as_ref().is_some_and(|details| details.kind == "namespaces") {
        return Failure::new(Cause::Terminating, format!("namespace {namespace} does not exist any more"));
    }
    if said.contains("failed calling webhook") {
        let text = format!("{said}; that admission webhook must answer, or be told to ignore failures, before anything can be written");
        return Failure::new(Cause::Transient, text);
    }
    if let Some(policy) = after(said, "ValidatingAdmissionPolicy ") {
        return Failure::new(Cause::Forbidden, format!("the admission policy {policy}; change the spec, or ask whoever owns the policy"));
    }
    if said.starts_with("admission webhook ") {
        return Failure::new(Cause::Forbidden, format!("the {said}; change the spec, or ask whoever owns the webhook"));
    }
    // Without a reason and as a 500, though nothing is wrong with the server.
    if said.starts_with("failed to create typed patch object") {
        let text = format!("the API server does not know a field of {}: {said}; it is older than this operator supports", asked.resource);
        return Failure::new(Cause::Invalid, text);
    }
    by_code(asked, status)
}

fn by_code(asked: Asked, status: &Status) -> Failure {
    let Asked { verb, resource, namespace } = asked;
    let said = status.message.as_str();
    if status.is_forbidden() {
        return forbidden(asked, said);
    }
    if status.is_invalid() {
        return Failure::new(Cause::Invalid, format!("the API server says that {resource} would be invalid: {}", fields(status)));
    }
    if status.is_conflict() || status.is_already_exists() {
        return Failure::new(Cause::Transient, format!("{resource} was changed by somebody else at the same moment"));
    }
    if status.is_not_found() {
        return Failure::new(Cause::Transient, format!("the cluster does not serve {resource} in the version that is needed ({said})"));
    }
    match status.code {
        401 => Failure::new(Cause::Transient, "the API server does not accept the operator's credentials; is its token still valid?"),
        429 => Failure::new(Cause::Transient, "the API server is overloaded and asks to wait (429)"),
        // It was not read as far as to say what is wrong with it, and will not be next time.
        400 | 405 | 406 | 413 | 415 => Failure::new(Cause::Invalid, format!("the API server refuses to {verb} {resource}: {said}")),
        code => {
            Failure::new(Cause::Transient, format!("the API server failed to {verb} {resource} in namespace {namespace} ({code}): {said}"))
        }
    }
}

/// RBAC says who cannot do what; whatever else is forbidden was refused by an admission plugin.
fn forbidden(asked: Asked, said: &str) -> Failure {
    let Asked { resource, namespace, .. } = asked;
    let user = after(said, "User \"").and_then(|rest| rest.split_once('"')).map(|(user, _)| user);
    // Not always the verb that was asked for: an apply to an absent object also needs `create`.
    let lacking = after(said, " cannot ").and_then(|rest| rest.split_whitespace().next());
    match user.zip(lacking) {
        Some((user, verb)) => Failure::new(
            Cause::Forbidden,
            format!(
                "the operator may not {verb} {resource} in namespace {namespace}: grant the verb in its role, then check with \
                 `kubectl auth can-i {verb} {resource} -n {namespace} --as={user}`"
            ),
        ),
        _ => Failure::new(Cause::Forbidden, format!("{said}; change the spec, or ask whoever set that policy")),
    }
}

/// The wrong fields with what is wrong with each.
fn fields(status: &Status) -> String {
    let mut lines: Vec<String> = causes(status).map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    if lines.is_empty() {
        return status.message.clone();
    }
    let more = lines.len().saturating_sub(MOST_FIELDS);
    lines.truncate(MOST_FIELDS);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("; ")
}

fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.split_once(word).map(|(_, rest)| rest)
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
