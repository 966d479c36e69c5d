//! Events, beside the passes: a pass neither waits for one nor fails with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event as Published, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;

use crate::api::labels;
use crate::api::v1alpha1::Microservice;
use crate::observe::text::cut;
use crate::observe::{Key, World};
use crate::plan::Event;

/// Events that wait to be sent. More are dropped and counted: they are for people, and people read few.
const WAITING: usize = 256;
/// Bytes of a note that the API allows.
const LONGEST_NOTE: usize = 1024;

/// Takes events from passes and sends them one after the other. Clones share the queue.
#[derive(Clone, Debug)]
pub struct Announcer {
    queue: mpsc::Sender<Announcement>,
    dropped: Arc<AtomicU64>,
}

struct Announcement {
    regarding: ObjectReference,
    event: Published,
}

impl Announcer {
    /// Starts the task that sends; it ends with the last clone of this. `instance` is the operator's pod.
    pub fn start(client: Client, instance: Option<String>) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        tokio::spawn(send(client, Reporter { controller: labels::OPERATOR.to_owned(), instance }, waiting));
        Self { queue, dropped: Arc::default() }
    }

    /// Announces an event about a service.
    pub fn announce(&self, world: &World, event: &Event) {
        self.announce_about(world.object.object_ref(&()), related(world, event), event);
    }

    /// Announces an event about a Microservice of which only this much is known.
    pub fn announce_about(&self, regarding: ObjectReference, related: Option<ObjectReference>, event: &Event) {
        let event = Published {
            type_: if event.warning { EventType::Warning } else { EventType::Normal },
            reason: event.reason.to_owned(),
            note: Some(cut(&event.note, LONGEST_NOTE).to_owned()),
            action: event.action.to_owned(),
            secondary: related,
        };
        if self.queue.try_send(Announcement { regarding, event }).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Events that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The Deployment, for what happens to it.
fn related(world: &World, event: &Event) -> Option<ObjectReference> {
    let about_workload = matches!(event.action, "Rollout" | "Rollback");
    let status = world.object.status.as_ref().and_then(|status| status.rollout.as_ref());
    let candidate = status.and_then(|rollout| rollout.candidate_deployment.as_ref());
    let named = |deployment: &&Deployment| deployment.metadata.name.as_ref() == candidate.or(world.object.metadata.name.as_ref());
    world.deployments.iter().filter(|_| about_workload).find(named).map(|deployment| deployment.object_ref(&()))
}

/// A Microservice of which only key and uid are known.
pub fn reference(key: &Key, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(Microservice::api_version(&()).into_owned()),
        kind: Some(Microservice::kind(&()).into_owned()),
        namespace: Some(key.namespace.to_string()),
        name: Some(key.name.to_string()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}

/// Each event gets a recorder of its own. A shared one joins events of the same reason within six minutes into a series
/// and drops the notes of all but the first: of two rollouts the second would be told in the words of the first. Ours are
/// transitions, so there are no repeats to join.
async fn send(client: Client, reporter: Reporter, mut waiting: mpsc::Receiver<Announcement>) {
    while let Some(Announcement { regarding, event }) = waiting.recv().await {
        if let Err(error) = Recorder::new(client.clone(), reporter.clone()).publish(&event, &regarding).await {
            tracing::debug!(name = regarding.name, namespace = regarding.namespace, reason = event.reason, %error, "event not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use kube::core::ObjectMeta;

    use super::*;

    fn event(action: &'static str, note: &str) -> Event {
        Event { warning: true, reason: "RolloutFailed", action, note: note.to_owned() }
    }

    fn world() -> World {
        let metadata = ObjectMeta { name: Some("orders".to_owned()), uid: Some("u-2".to_owned()), ..ObjectMeta::default() };
        let object =
            Microservice { metadata: ObjectMeta { name: metadata.name.clone(), ..ObjectMeta::default() }, ..Microservice::default() };
        World { object, deployments: vec![Deployment { metadata, ..Deployment::default() }], ..World::default() }
    }

    #[test]
    fn what_happens_to_the_workload_names_it() {
        let related = |action| related(&world(), &event(action, ""));
        assert_eq!(related("Rollback").and_then(|found| found.uid).as_deref(), Some("u-2"));
        assert_eq!(related("Suspend"), None);
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_counts_and_notes_are_cut() {
        let (queue, mut waiting) = mpsc::channel(2);
        let announcer = Announcer { queue, dropped: Arc::default() };
        for _ in 0..5 {
            announcer.announce(&world(), &event("Rollout", &"é".repeat(1000)));
        }
        assert_eq!(announcer.dropped(), 3);
        let first = waiting.recv().await.unwrap().event;
        assert_eq!(first.note.map(|note| note.len()), Some(1024));
        assert_eq!((first.type_, first.reason.as_str()), (EventType::Warning, "RolloutFailed"));
    }
}
