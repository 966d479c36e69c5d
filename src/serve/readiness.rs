//! What the process still waits for before it can do its work, by name, so that a probe that fails says why.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// What is missing. Clones share it. Empty: ready.
#[derive(Clone, Debug)]
pub struct Readiness {
    missing: Arc<watch::Sender<BTreeMap<String, String>>>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { missing: Arc::new(watch::Sender::default()) }
    }
}

impl Readiness {
    /// Notes that `what` is missing, and why, or what to do about it.
    pub fn missing(&self, what: &str, why: impl Into<String>) {
        let why = why.into();
        self.missing.send_if_modified(|missing| missing.insert(what.to_owned(), why.clone()).as_ref() != Some(&why));
    }

    /// Notes that `what` is there.
    pub fn found(&self, what: &str) {
        self.missing.send_if_modified(|missing| missing.remove(what).is_some());
    }

    /// What is missing now, with reasons.
    pub fn report(&self) -> BTreeMap<String, String> {
        self.missing.borrow().clone()
    }

    /// Returns as soon as nothing is missing.
    pub async fn ready(&self) {
        let mut missing = self.missing.subscribe();
        // Fails only if the sender is gone, which we hold.
        let _ = missing.wait_for(BTreeMap::is_empty).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ready_when_the_last_missing_thing_is_found() {
        let readiness = Readiness::default();
        readiness.missing("crd", "not installed");
        readiness.missing("pods", "first list");
        readiness.missing("crd", "still not installed");
        readiness.found("pods");
        assert_eq!(readiness.report(), BTreeMap::from([("crd".to_owned(), "still not installed".to_owned())]));
        let waiting = tokio::spawn({
            let readiness = readiness.clone();
            async move { readiness.ready().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        readiness.found("crd");
        waiting.await.unwrap();
    }
}
