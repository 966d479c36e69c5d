//! Leaving the API server alone when it asks for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Quiet after an answer 429 that does not say for how long: API priority and fairness says one second in a header
/// that the client does not pass on.
const USUAL: Duration = Duration::from_secs(1);
/// Most that is granted. A pass waits that long with its slot held; longer and it had better fail.
const LONGEST: Duration = Duration::from_secs(30);

/// Shared by all writes: the server's load is everybody's matter.
#[derive(Debug, Default)]
pub struct Quiet {
    until: Mutex<Option<Instant>>,
}

impl Quiet {
    /// Returns when writing is welcome.
    pub async fn over(&self) {
        while let Some(until) = self.until().filter(|until| *until > Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Takes note of an error: of 429, and of any that says when to come back.
    pub fn heed(&self, error: &kube::Error) {
        let kube::Error::Api(status) = error else { return };
        let asked = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        let wait = match asked {
            0 if status.code == 429 => USUAL,
            0 => return,
            seconds => Duration::from_secs(seconds.into()).min(LONGEST),
        };
        let until = Instant::now() + wait;
        let mut held = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none_or(|earlier| earlier < until) {
            *held = Some(until);
        }
    }

    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use kube::core::response::StatusDetails;

    use super::*;

    fn error(code: u16, retry_after_seconds: u32) -> kube::Error {
        let details = StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds,
        };
        kube::Error::Api(Status::failure("", "").with_code(code).with_details(details).boxed())
    }

    #[tokio::test(start_paused = true)]
    async fn waits_as_long_as_the_server_asks_within_reason() {
        for (errors, seconds) in [
            (vec![], 0),
            (vec![error(409, 0)], 0),
            (vec![error(500, 0)], 0),
            (vec![error(429, 0)], 1),
            (vec![error(429, 7)], 7),
            (vec![error(500, 2)], 2),
            (vec![error(429, 3600)], 30),
            (vec![error(429, 7), error(429, 2)], 7),
        ] {
            let quiet = Quiet::default();
            for error in &errors {
                quiet.heed(error);
            }
            let start = Instant::now();
            quiet.over().await;
            assert_eq!(start.elapsed().as_secs(), seconds, "{errors:?}");
        }
    }
}
