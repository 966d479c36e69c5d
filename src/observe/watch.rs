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
    /// Why it does not work now.
    trouble: Option<String>,
    /// The cluster has no such kind, which it may do without.
    absent: bool,
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

    /// The cluster has no such kind, and may do without it.
    pub fn is_absent(&self) -> bool {
        self.health().absent
    }

    /// Something came.
    pub fn works(&self, complete: bool) {
        let mut health = self.health();
        if health.trouble.take().is_some() {
            tracing::info!(kind = self.watched.name(), namespace = self.namespace, "watch works again");
        }
        health.absent = false;
        health.ready |= complete;
        drop(health);
        if complete {
            self.became_ready.notify_waiters();
        }
    }

    /// Something went wrong. Said once for each cause; kube-rs tries again with a growing delay.
    pub fn fails(&self, error: &watcher::Error, errors: &Errors) {
        if self.watched == Watched::Profile && is_not_served(error) {
            return self.is_not_there();
        }
        errors.0[self.watched.ordinal()].fetch_add(1, Ordering::Relaxed);
        let text = explain(self.watched, error);
        let mut health = self.health();
        if health.trouble.as_ref() != Some(&text) {
            tracing::warn!(kind = self.watched.name(), namespace = self.namespace, error = %text, "watch failed; trying again");
            health.trouble = Some(text);
        }
    }

    /// An optional kind is looked for now and then, and nobody waits for it.
    fn is_not_there(&self) {
        let mut health = self.health();
        if !health.ready {
            tracing::info!(kind = self.watched.name(), "the cluster has no such kind; going on without");
        }
        health.absent = true;
        health.ready = true;
        drop(health);
        self.became_ready.notify_waiters();
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_not_served(error: &watcher::Error) -> bool {
    matches!(cause(error), Some(kube::Error::Api(status)) if status.code == 404)
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
        assert_eq!(Watched::ALL.map(|watched| errors.of(watched)), [1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0]);
    }

    #[tokio::test]
    async fn profiles_may_be_absent_but_not_forbidden() {
        let errors = Errors::default();
        let watch = Watch::new(Watched::Profile, None);
        watch.fails(&error(403, "Forbidden", "no"), &errors);
        let (_, why) = watch.missing().unwrap();
        assert!(why.contains("list and watch on microserviceprofiles.microservices.dev"), "{why}");
        watch.fails(&error(404, "NotFound", "404 page not found"), &errors);
        watch.ready().await;
        assert!(watch.is_absent() && watch.missing().is_none());
        assert_eq!(errors.of(Watched::Profile), 1, "an absent kind is no error");
        watch.works(true);
        assert!(!watch.is_absent());
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
