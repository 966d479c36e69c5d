//! Why a verb did not do what it was asked for: one sentence, with what to do next, and an exit status.

use std::process::ExitCode;

use kube::core::Status;
use kube::runtime::watcher;

use crate::serve::client;

/// Exit status when something was refused, is not there, or can no longer hold.
const REFUSED: u8 = 1;
/// Exit status when the time ran out. 2 is clap's, for wrong usage.
const TIMED_OUT: u8 = 3;

pub type Result<T> = std::result::Result<T, Failure>;

/// Why a verb ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It cannot be done.
    #[error("{0}")]
    Refused(String),
    /// It took too long.
    #[error("{0}")]
    TimedOut(String),
    /// The reader has seen enough, as `head` does: no error.
    #[error("nobody reads on")]
    Closed,
}

impl Failure {
    /// Tells the reason, and turns it into the exit status.
    pub fn report(self) -> ExitCode {
        let code = match self {
            Self::Closed => return ExitCode::SUCCESS,
            Self::Refused(_) => REFUSED,
            Self::TimedOut(_) => TIMED_OUT,
        };
        eprintln!("error: {self}");
        ExitCode::from(code)
    }
}

/// From the server's answer to a sentence. `doing` completes "cannot …".
pub fn explain(doing: &str, error: &kube::Error) -> Failure {
    Failure::Refused(match error {
        kube::Error::Api(status) => answered(doing, status),
        kube::Error::SerdeError(error) => {
            format!("cannot {doing}: the answer is not understood ({error}); is this plugin older than the cluster's operator?")
        }
        error => format!(
            "cannot {doing}: the API server does not answer ({}); check --context and the network with: kubectl version",
            client::explain(error)
        ),
    })
}

/// Whether waiting helps: it does when the network fails, and never when the server refuses.
pub fn is_lasting(error: &watcher::Error) -> Option<&Status> {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status)) | watcher::Error::WatchStartFailed(kube::Error::Api(status))) = error
    else {
        return None;
    };
    (status.is_forbidden() || status.is_not_found() || status.code == 401).then_some(status)
}

pub fn answered(doing: &str, status: &Status) -> String {
    let said = status.message.trim_end_matches('.');
    if status.code == 401 {
        return format!("cannot {doing}: the cluster does not know you; log in again, or choose another --context");
    }
    if status.is_forbidden() {
        return format!("cannot {doing}: {said}; ask the cluster's administrator for this right");
    }
    // A name that is not there has details; a kind that is not there has none.
    let unnamed = status.details.as_ref().is_none_or(|details| details.name.is_empty());
    if status.is_not_found() && unnamed {
        return format!(
            "cannot {doing}: the cluster does not know Microservices; install them with: microservice-operator crd | kubectl apply --server-side -f -"
        );
    }
    if status.is_not_found() {
        return format!("cannot {doing}: {said}; see what there is with: kubectl microservice get --all-namespaces");
    }
    format!("cannot {doing}: {said}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_say_what_to_do() {
        let status = |code, reason: &str, name: &str, message: &str| Status {
            code,
            reason: reason.to_owned(),
            message: message.to_owned(),
            details: (!name.is_empty()).then(|| serde_json::from_value(json!({"name": name})).unwrap()),
            ..Status::default()
        };
        let table = [
            (status(401, "Unauthorized", "", "Unauthorized"), "log in again"),
            (status(403, "Forbidden", "a", "microservices is forbidden"), "microservices is forbidden; ask the cluster's administrator"),
            (status(404, "NotFound", "", "404 page not found"), "microservice-operator crd"),
            (status(404, "NotFound", "a", "microservices \"a\" not found"), "\"a\" not found; see what there is"),
            (status(422, "Invalid", "a", "spec.image: must not be empty."), "cannot read: spec.image: must not be empty"),
        ];
        for (status, expected) in table {
            let text = answered("read", &status);
            assert!(text.contains(expected), "{text}");
        }
    }
}
