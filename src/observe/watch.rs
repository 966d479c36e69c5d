//! The watches: one for each kind (and namespace, where the operator may see only some).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::runtime::watcher;
use tokio::sync::Notify;

use super::key::Watched;

/// A watch, and how it does.
#[derive(Debug)]
pub struct Watch {
    pub watched: Watched,
    /// `None`: all.
    pub namespace: Option<String>,
    health: Mutex<Health>,
    became_ready: Notify,
}

#[derive(Debug, Default)]
struct Health {
    /// The first list is complete. Stays true: a table that falls behind is old, not wrong.
    ready: bool,
    /// An optional kind that the cluster does not serve, or does not let the operator see.
    unserved: bool,
    /// Why it does not work now.
    trouble: Option<String>,
}

/// Errors of watches by kind, since the start.
#[derive(Debug, Default)]
pub struct Errors([AtomicU64; Watched::ALL.len()]);

impl Errors {
    pub fn of(&self, watched: Watched) -> u64 {
        self.0[watched.ordinal()].load(Ordering::Relaxed)
    }
}

impl Watch {
    pub fn new(watched: Watched, namespace: Option<String>) -> Self {
        Self { watched, namespace, health: Mutex::default(), became_ready: Notify::new() }
    }

    pub async fn ready(&self) {
        loop {
            let notified = self.became_ready.notified();
            if self.health().ready {
                return;
            }
            notified.await;
        }
    }

    /// What is watched, and why it is not there yet, if the first list has yet to come.
    pub fn missing(&self) -> Option<(String, String)> {
        let health = self.health();
        let place = self.namespace.as_ref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
        let trouble = health.trouble.as_deref().unwrap_or("listing");
        (!health.ready).then(|| (format!("{}{place}", self.watched.name()), trouble.to_owned()))
    }

    /// An optional kind that the cluster does not serve.
    pub fn is_unserved(&self) -> bool {
        self.health().unserved
    }

    /// Something came. Whether it is of a kind that the cluster did not serve until now.
    pub fn works(&self, complete: bool) -> bool {
        let mut health = self.health();
        let appeared = complete && std::mem::take(&mut health.unserved);
        if health.trouble.take().is_some() {
            tracing::info!(kind = self.watched.name(), namespace = self.namespace, "watch works again");
        }
        health.ready |= complete;
        drop(health);
        if complete {
            self.became_ready.notify_waiters();
        }
        appeared
    }

    /// Something went wrong. Said once for each cause; kube-rs tries again with a growing delay. Whether it is of a kind that
    /// the cluster served until now.
    pub fn fails(&self, error: &watcher::Error, errors: &Errors) -> bool {
        errors.0[self.watched.ordinal()].fetch_add(1, Ordering::Relaxed);
        let text = explain(self.watched, error);
        let absent = self.watched.is_optional() && is_absent(self.watched, error);
        let mut health = self.health();
        if health.trouble.as_ref() != Some(&text) {
            if absent {
                tracing::info!(kind = self.watched.name(), namespace = self.namespace, reason = %text, "optional kind; looking again");
            } else {
                tracing::warn!(kind = self.watched.name(), namespace = self.namespace, error = %text, "watch failed; trying again");
            }
            health.trouble = Some(text);
        }
        if !absent {
            return false;
        }
        let vanished = health.ready && !health.unserved;
        (health.ready, health.unserved) = (true, true);
        drop(health);
        self.became_ready.notify_waiters();
        vanished
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server knows no such kind, or does not let us see it. What profiles say must not be passed over for a missing right.
fn is_absent(watched: Watched, error: &watcher::Error) -> bool {
    let forbidden = |status: &kube::core::Status| status.is_forbidden() && watched != Watched::Profile;
    matches!(cause(error), Some(kube::Error::Api(status)) if status.code == 404 || forbidden(status))
}

/// What the server or the way there said.
fn cause(error: &watcher::Error) -> Option<&kube::Error> {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(cause) | WatchStartFailed(cause) | WatchFailed(cause) => Some(cause),
        _ => None,
    }
}

/// What is wrong, and what to do.
fn explain(watched: Watched, error: &watcher::Error) -> String {
    let Some(cause) = cause(error) else { return error.to_string() };
    let name = watched.resource_name();
    match cause {
        kube::Error::Api(status) if status.code == 404 && watched == Watched::Microservice => {
            "not served: the custom resource definition is missing; apply the file under crds/, or run \
             `microservice-operator crd | kubectl apply --server-side -f -`"
                .to_owned()
        }
        kube::Error::Api(status) if status.code == 404 => {
            format!("not served: this cluster has no {name} in {}", watched.resource().api_version)
        }
        kube::Error::Api(status) if status.is_forbidden() => {
            format!("forbidden: grant the operator's role the verbs list and watch on {name} ({})", status.message)
        }
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;
    use crate::model::Kind;

    fn error(code: u16, reason: &str, message: &str) -> watcher::Error {
        watcher::Error::InitialListFailed(kube::Error::Api(Status::failure(message, reason).with_code(code).boxed()))
    }

    #[test]
    fn says_what_is_missing_and_what_to_do() {
        let errors = Errors::default();
        let watch = Watch::new(Watched::Microservice, None);
        assert_eq!(watch.missing(), Some(("Microservice".to_owned(), "listing".to_owned())));
        watch.fails(&error(404, "NotFound", "404 page not found"), &errors);
        assert!(watch.missing().unwrap().1.contains("custom resource definition is missing; apply"), "{:?}", watch.missing());

        let watch = Watch::new(Watched::Child(Kind::Deployment), Some("shop".to_owned()));
        watch.fails(&error(403, "Forbidden", "deployments.apps is forbidden"), &errors);
        let (what, why) = watch.missing().unwrap();
        assert_eq!(what, "Deployment in namespace shop");
        assert!(why.starts_with("forbidden: grant") && why.contains("list and watch on deployments.apps"), "{why}");

        let watch = Watch::new(Watched::Child(Kind::HorizontalPodAutoscaler), None);
        watch.fails(&error(404, "NotFound", "the server could not find the requested resource"), &errors);
        assert!(watch.missing().unwrap().1.ends_with("no horizontalpodautoscalers.autoscaling in autoscaling/v2"));
        assert_eq!(Watched::ALL.map(|watched| errors.of(watched)), [1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[tokio::test]
    async fn profiles_may_be_absent_but_not_forbidden() {
        let errors = Errors::default();
        let watch = Watch::new(Watched::Profile, None);
        assert!(!watch.fails(&error(403, "Forbidden", "no"), &errors));
        let (_, why) = watch.missing().unwrap();
        assert!(why.contains("list and watch on microserviceprofiles.microservices.dev"), "{why}");
        watch.fails(&error(404, "NotFound", "404 page not found"), &errors);
        watch.ready().await;
        assert!(watch.is_unserved() && watch.missing().is_none());
        assert!(watch.works(true) && !watch.is_unserved());
    }

    #[tokio::test]
    async fn ready_after_the_first_list_and_from_then_on() {
        let errors = Errors::default();
        let watch = std::sync::Arc::new(Watch::new(Watched::Pod, None));
        let waiting = tokio::spawn({
            let watch = watch.clone();
            async move { watch.ready().await }
        });
        tokio::task::yield_now().await;
        watch.works(false);
        assert!(watch.missing().is_some());
        watch.works(true);
        waiting.await.unwrap();
        watch.fails(&error(500, "InternalError", "etcd is gone"), &errors);
        watch.ready().await;
        assert_eq!(watch.missing(), None);
    }
}
