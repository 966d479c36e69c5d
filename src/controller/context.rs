//! What passes share, and the two ends of each: reading the world, and reporting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::Client;
use tracing::{debug, info, warn};

use crate::apply::{Announcer, Applier, Refused, Remote, reference};
use crate::ask::{Asker, Means};
use crate::observe::{Key, Lane, Stores, Unreadable, World};
use crate::plan::{Applied, Cause, Decision, Event};
use crate::serve::lease::Leadership;

use super::Options;
use super::backoff::Backoff;
use super::metrics::{Metrics, Outcome, Write};
use super::pass::{Due, due};

/// After a conflict somebody else's write is on its way to the watch.
const CONFLICT_PAUSE: Duration = Duration::from_millis(300);

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    pub lane: Lane,
    pub after: Duration,
}

/// Shared by all passes.
pub struct Context {
    pub stores: Arc<Stores>,
    pub applier: Applier,
    pub leadership: Leadership,
    pub metrics: Metrics,
    client: Client,
    announcer: Announcer,
    asker: Asker,
    backoff: Backoff,
    /// Services by key with what is remembered of them between passes; an entry goes with its service.
    memory: Mutex<HashMap<Key, Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    uid: String,
    /// The object was read from the server since this process leads, and no conflict came since: the watch is not behind
    /// anything that another leader wrote.
    confirmed: bool,
    /// Last write of status.
    reported: Option<Instant>,
}

impl Context {
    pub fn new(options: &Options, stores: Arc<Stores>) -> Self {
        let queue = Arc::clone(stores.queue());
        let asker = Asker::new(Means {
            folder: options.credentials.clone(),
            leadership: options.leadership.clone(),
            shutdown: options.shutdown.clone(),
            meter: Arc::new(options.metrics.clone()),
            wake: Box::new(move |key| queue.touch(key, Lane::Fast, Duration::ZERO)),
        });
        Self {
            asker,
            applier: Applier::new(Remote::new(options.client.clone()), Arc::clone(stores.expectations())),
            announcer: Announcer::start(options.client.clone(), std::env::var("HOSTNAME").ok()),
            leadership: options.leadership.clone(),
            metrics: options.metrics.clone(),
            client: options.client.clone(),
            backoff: Backoff::default(),
            memory: Mutex::default(),
            stores,
        }
    }

    /// The world of one service; `None` when there is nothing to do for it.
    pub async fn gather(&self, key: &Key) -> Result<Option<World>, Again> {
        let Some(world) = self.look(key) else { return Ok(None) };
        let uid = world.object.metadata.uid.clone().unwrap_or_default();
        // A status that nobody has written yet cannot be behind what another leader wrote of it.
        let unwritten = world.object.status.as_ref().is_none_or(|status| status.observed_generation.unwrap_or(-1) < 0);
        if self.confirmed(key, &uid) {
            return Ok(Some(world));
        }
        if unwritten {
            self.confirm(key, uid);
            return Ok(Some(world));
        }
        if let Err(error) = self.stores.refresh(&self.client, key).await {
            let after = self.backoff.failed(&uid, world.object.metadata.generation.unwrap_or(0));
            warn!("cannot read the object, looking again in {after:?}: {error}");
            return Err(Again { lane: Lane::Fast, after });
        }
        self.confirm(key, uid);
        Ok(self.look(key))
    }

    fn look(&self, key: &Key) -> Option<World> {
        match self.stores.gather(key) {
            Ok(Some(mut world)) if world.object.metadata.deletion_timestamp.is_none() => {
                world.answers = self.asker.answers(key);
                Some(world)
            }
            Ok(_) => {
                self.asker.ask(key, Vec::new());
                // Deleted, or about to be: owner references take the children along.
                if let Some(memory) = self.memory().remove(key) {
                    self.backoff.forget(&memory.uid);
                }
                None
            }
            Err(unreadable) => {
                self.complain(&unreadable);
                None
            }
        }
    }

    /// Status cannot be written into an object that cannot be read: the log and an event must do. Said once for each state
    /// of the object, since a pass comes only when it changes.
    fn complain(&self, unreadable: &Unreadable) {
        warn!("{unreadable}");
        let event = Event::warning("Unreadable", "Read", unreadable.to_string());
        self.announcer.announce_about(reference(&unreadable.key, &unreadable.uid), None, &event);
    }

    /// Writes what was decided, if it says anything new, and tells of it.
    pub async fn report(&self, key: &Key, world: &World, applied: &Applied, mut decision: Decision) -> (Outcome, Option<Again>) {
        let metadata = &world.object.metadata;
        let uid = metadata.uid.clone().unwrap_or_default();
        let mut wake = decision.wake;
        let questions = std::mem::take(&mut decision.questions);
        match self.due(key, world, &decision) {
            Due::Never => {}
            Due::After(pause) => wake = Some(wake.map_or(pause, |wake| wake.min(pause))),
            Due::Now => match self.applier.report(world, &decision.status).await {
                Ok(()) => {
                    self.metrics.status_written();
                    self.memory().entry(key.clone()).or_default().reported = Some(Instant::now());
                    self.tell(world, &decision);
                }
                Err(Refused::Conflict) => {
                    debug!("somebody else wrote in between; looking again");
                    self.memory().entry(key.clone()).or_default().confirmed = false;
                    return (Outcome::Requeue, Some(Again { lane: Lane::Fast, after: CONFLICT_PAUSE }));
                }
                Err(Refused::Gone) => return (Outcome::Success, None),
                Err(Refused::Failed(failure)) => {
                    let after = self.backoff.failed(&uid, metadata.generation.unwrap_or(0));
                    warn!("cannot write status, trying again in {after:?}: {}", failure.message);
                    return (Outcome::Error, Some(Again { lane: Lane::Fast, after }));
                }
            },
        }
        // Only now: what they follow from is stored.
        self.asker.ask(key, questions);
        self.conclude(&uid, metadata.generation.unwrap_or(0), applied, wake)
    }

    /// Counts what a pass did to children.
    pub fn count(&self, applied: &Applied) {
        for child in applied.existing.keys() {
            if applied.written.contains(child) {
                self.metrics.child_written(child.kind, Write::Apply);
            } else {
                self.metrics.write_skipped(child.kind);
            }
        }
        for child in &applied.pruned {
            self.metrics.child_written(child.kind, Write::Delete);
        }
    }

    /// Whether status is to be written.
    fn due(&self, key: &Key, world: &World, decision: &Decision) -> Due {
        let since = self.memory().get(key).and_then(|memory| memory.reported).map(|at| at.elapsed());
        due(world.object.status.as_ref(), &decision.status, since)
    }

    fn tell(&self, world: &World, decision: &Decision) {
        for event in &decision.events {
            if event.warning {
                warn!(reason = event.reason, "{}", event.note);
            } else {
                info!(reason = event.reason, "{}", event.note);
            }
            if event.reason == "RolledBack" {
                self.metrics.rolled_back();
            }
            self.announcer.announce(world, event);
        }
    }

    /// Back-off after failures, else the time that was decided.
    fn conclude(&self, uid: &str, generation: i64, applied: &Applied, wake: Option<Duration>) -> (Outcome, Option<Again>) {
        let Some(worst) = applied.failures.iter().map(|failure| failure.cause).max() else {
            self.backoff.forget(uid);
            let outcome = if wake.is_some() { Outcome::RequeueAfter } else { Outcome::Success };
            return (outcome, wake.map(|after| Again { lane: Lane::Timed, after }));
        };
        // What needs a human is tried again too: nobody tells us when a foreign object goes or a role is granted.
        let after = self.backoff.failed(uid, generation);
        for failure in &applied.failures {
            warn!(child = %failure.child, cause = ?failure.cause, "{}; trying again in {after:?}", failure.message);
        }
        let outcome = if worst == Cause::Transient { Outcome::Error } else { Outcome::TerminalError };
        (outcome, Some(Again { lane: Lane::Slow, after: wake.map_or(after, |wake| wake.min(after)) }))
    }

    fn confirmed(&self, key: &Key, uid: &str) -> bool {
        self.memory().get(key).is_some_and(|memory| memory.confirmed && memory.uid == uid)
    }

    fn confirm(&self, key: &Key, uid: String) {
        let mut memory = self.memory();
        let entry = memory.entry(key.clone()).or_default();
        *entry = Memory { uid, confirmed: true, reported: entry.reported };
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<Key, Memory>> {
        // Every change to it is a single step, so a poisoned map is still a sound one.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
