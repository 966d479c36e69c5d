//! The errors of an API server, with its codes and reasons, so that they are classified as real ones are.

use kube::core::Status;
use kube::core::response::{StatusCause, StatusDetails};

use super::store::Id;

pub fn not_found(id: &Id) -> kube::Error {
    refuse(id, 404, "NotFound", format!("{id} not found"), None)
}

pub fn conflict(id: &Id, why: &str) -> kube::Error {
    refuse(id, 409, "Conflict", format!("Operation cannot be fulfilled on {id}: {why}"), None)
}

pub fn invalid(id: &Id, field: &str, why: &str) -> kube::Error {
    let cause = StatusCause { field: field.to_owned(), message: why.to_owned(), reason: "FieldValueInvalid".to_owned() };
    refuse(id, 422, "Invalid", format!("{id} is invalid: {field}: {why}"), Some(cause))
}

pub fn overloaded(id: &Id) -> kube::Error {
    refuse(id, 429, "TooManyRequests", "the server has received too many requests and has asked us to try again later".to_owned(), None)
}

pub fn broken(id: &Id) -> kube::Error {
    refuse(id, 500, "InternalError", "etcdserver: request timed out".to_owned(), None)
}

fn refuse(id: &Id, code: u16, reason: &str, message: String, cause: Option<StatusCause>) -> kube::Error {
    let details = StatusDetails {
        name: id.name.clone(),
        group: String::new(),
        kind: id.watched.resource().plural,
        uid: String::new(),
        causes: cause.into_iter().collect(),
        retry_after_seconds: 0,
    };
    kube::Error::Api(Status::failure(&message, reason).with_code(code).with_details(details).boxed())
}
