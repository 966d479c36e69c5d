//! One process of the operator: its view of the cluster, and its passes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;

use crate::apply::{Applier, Named, Refused, Server};
use crate::controller::pass::{self, Due};
use crate::model::Question;
use crate::observe::{Feed, Key, Watched, World};
use crate::plan::{self, Applied, Decision, Event};

use super::desk::{Desk, Fault, lock};
use super::gates::Asked;
use super::random::Random;
use super::store::Store;

/// After a conflict somebody else's write is on its way to the watch.
const CONFLICT_PAUSE: Duration = Duration::from_millis(300);
/// First pause after a failure, and the longest.
const BACKOFF: (u64, u64) = (500, 60_000);

/// How the watches of an operator tell it of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    /// Milliseconds, usually.
    pub usual: (u64, u64),
    /// Of a hundred changes, so many take longer; up to so many milliseconds.
    pub late: (u64, u64),
}

/// What is remembered of a service between passes.
#[derive(Clone, Debug, Default)]
struct Memory {
    uid: String,
    confirmed: bool,
    reported: Option<i64>,
    failures: u32,
}

/// One process.
pub struct Operator {
    pub name: String,
    feed: Feed,
    desk: Desk,
    applier: Applier<Desk>,
    random: Random,
    delays: Delays,
    /// By kind, how many of its changes were told.
    told: BTreeMap<Watched, usize>,
    /// Until then, nothing is told.
    frozen: i64,
    /// Kinds whose watch is broken until then; what happens in between is only seen by the list after it.
    gaps: BTreeMap<Watched, i64>,
    memory: BTreeMap<Key, Memory>,
    /// Whether it makes passes.
    pub leads: bool,
    /// What went wrong in its last pass.
    pub troubles: Vec<String>,
    /// What it announced in its last pass.
    pub announced: Vec<Event>,
    pub asked: Asked,
    /// What it began to ask in its last pass.
    pub questions: Vec<Question>,
}

/// What came of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// When to look again without being told, if at all.
    Done(Option<Duration>),
    Crashed,
}

impl Operator {
    /// A process whose first lists show the cluster as it was `ago` milliseconds before; then its watches go on from there.
    pub fn start(store: &Arc<Mutex<Store>>, name: String, random: Random, delays: Delays, ago: i64) -> Self {
        let mut feed = Feed::default();
        let mut told = BTreeMap::new();
        {
            let store = lock(store);
            for watched in Watched::ALL {
                let changes = store.changes(watched);
                let count =
                    changes.iter().filter(|place| store.log().get(**place).is_some_and(|change| change.at <= store.now - ago)).count();
                feed.listed(watched, store.past(watched, count));
                told.insert(watched, count);
            }
        }
        let desk = Desk::new(Arc::clone(store), name.clone());
        let applier = Applier::new(desk.clone(), Arc::clone(feed.stores().expectations()));
        Self {
            name,
            feed,
            desk,
            applier,
            random,
            delays,
            told,
            frozen: 0,
            gaps: BTreeMap::new(),
            memory: BTreeMap::new(),
            leads: true,
            troubles: Vec::new(),
            announced: Vec::new(),
            asked: Asked::default(),
            questions: Vec::new(),
        }
    }

    /// Tells nothing until then.
    pub fn freeze(&mut self, until: i64) {
        self.frozen = self.frozen.max(until);
    }

    /// The watch of a kind breaks, until then.
    pub fn lose(&mut self, watched: Watched, until: i64) {
        self.gaps.insert(watched, until);
    }

    pub fn calm(&mut self, delays: Delays) {
        self.delays = delays;
    }

    /// Brings the view up to date, as far as the watches have come. Returns the services that are due, and when more comes.
    pub fn watch(&mut self, store: &Store) -> (Vec<Key>, Option<i64>) {
        let mut next = None;
        for watched in Watched::ALL {
            if let Some(at) = self.follow(store, watched) {
                next = Some(next.map_or(at, |next: i64| next.min(at)));
            }
        }
        (self.feed.touched(), next)
    }

    fn follow(&mut self, store: &Store, watched: Watched) -> Option<i64> {
        let now = store.now;
        if now < self.frozen {
            return Some(self.frozen);
        }
        let changes = store.changes(watched);
        if let Some(until) = self.gaps.get(&watched).copied() {
            if now < until {
                return Some(until);
            }
            self.gaps.remove(&watched);
            self.feed.listed(watched, store.past(watched, changes.len()));
            self.told.insert(watched, changes.len());
        }
        let told = self.told.entry(watched).or_default();
        for place in changes.get(*told..).unwrap_or_default() {
            let Some(change) = store.log().get(*place) else { continue };
            let at = change.at + delay(&self.random, self.delays, change.version);
            if at > now {
                return Some(at);
            }
            *told += 1;
            if let Some(object) = change.told() {
                match change.after {
                    Some(_) => self.feed.applied(watched, object),
                    None => self.feed.deleted(watched, object),
                }
            }
        }
        None
    }

    /// Milliseconds by which the view is behind; 0 only if it is not.
    pub fn lag(&self, store: &Store) -> i64 {
        let oldest = Watched::ALL.into_iter().filter_map(|watched| {
            let told = self.told.get(&watched).copied().unwrap_or_default();
            store.changes(watched).get(told).and_then(|place| store.log().get(*place)).map(|change| change.at)
        });
        oldest.min().map_or(0, |at| (store.now - at).max(1))
    }

    /// One pass over one service, in no time.
    pub fn pass(&mut self, store: &Arc<Mutex<Store>>, key: &Key, fault: Option<(u32, Fault)>) -> Outcome {
        let (now, lag) = {
            let store = lock(store);
            (store.now, self.lag(&store))
        };
        self.desk.begin(lag, fault);
        self.troubles.clear();
        self.announced.clear();
        let outcome = self.reconcile(key, now).now_or_never();
        self.desk.begin(lag, None);
        match outcome {
            Some(again) if !self.desk.crashed() => Outcome::Done(again),
            _ => Outcome::Crashed,
        }
    }

    async fn reconcile(&mut self, key: &Key, now: i64) -> Option<Duration> {
        let mut world = self.gather(key).await?;
        let time = Timestamp::from_millisecond(now).unwrap_or_default();
        let (applied, decision) = pass::work(&self.applier, self.feed.stores(), key, &mut world, time).await;
        self.troubles = applied.failures.iter().map(|failure| format!("{}: {}", failure.child, failure.message)).collect();
        self.troubles.extend(decision.as_ref().err().cloned());
        let decision = decision.unwrap_or_else(|panic| plan::broken(&world, &panic, time));
        self.report(key, now, &world, &applied, decision).await
    }

    async fn gather(&mut self, key: &Key) -> Option<World> {
        let world = self.look(key)?;
        let uid = world.object.metadata.uid.clone().unwrap_or_default();
        let memory = self.memory.entry(key.clone()).or_default();
        let unwritten = world.object.status.as_ref().is_none_or(|status| status.observed_generation.unwrap_or(-1) < 0);
        if memory.confirmed && memory.uid == uid {
            return Some(world);
        }
        memory.uid = uid;
        memory.confirmed = true;
        if unwritten {
            return Some(world);
        }
        if let Ok(Some(seen)) = self.desk.read(Named::microservice(key)).await {
            self.feed.stores().expectations().saw(key, seen);
        }
        self.look(key)
    }

    fn look(&self, key: &Key) -> Option<World> {
        let mut world = self.feed.stores().gather(key).ok()??;
        world.answers = self.asked.answers(key);
        world.object.metadata.deletion_timestamp.is_none().then_some(world)
    }

    async fn report(&mut self, key: &Key, now: i64, world: &World, applied: &Applied, mut decision: Decision) -> Option<Duration> {
        let mut wake = decision.wake;
        let questions = std::mem::take(&mut decision.questions);
        let memory = self.memory.entry(key.clone()).or_default();
        let since = memory.reported.map(|at| Duration::from_millis((now - at).unsigned_abs()));
        match pass::due(world.object.status.as_ref(), &decision.status, since) {
            Due::Never => {}
            Due::After(pause) => wake = Some(wake.map_or(pause, |wake| wake.min(pause))),
            Due::Now => match self.applier.report(world, &decision.status).await {
                Ok(()) => {
                    memory.reported = Some(now);
                    self.announced = decision.events;
                }
                Err(Refused::Conflict) => {
                    self.troubles.push("somebody else wrote the object in between".to_owned());
                    memory.confirmed = false;
                    return Some(CONFLICT_PAUSE);
                }
                Err(Refused::Gone) => return None,
                Err(Refused::Failed(failure)) => {
                    self.troubles.push(failure.message);
                    return Some(memory.back_off());
                }
            },
        }
        self.questions = self.asked.ask(key, questions);
        if applied.failures.is_empty() {
            memory.failures = 0;
            return wake;
        }
        let after = memory.back_off();
        Some(wake.map_or(after, |wake| wake.min(after)))
    }
}

impl Memory {
    fn back_off(&mut self) -> Duration {
        let (first, most) = BACKOFF;
        let pause = first.saturating_mul(1 << self.failures.min(10)).min(most);
        self.failures += 1;
        Duration::from_millis(pause)
    }
}

/// How long a change takes to get here: the same for the same change, whenever it is asked for.
fn delay(random: &Random, delays: Delays, version: u64) -> i64 {
    let mut random = random.fork(version);
    let (percent, most) = delays.late;
    let (low, high) = if random.percent(percent) { (delays.usual.1, most.max(delays.usual.1)) } else { delays.usual };
    i64::try_from(random.between(low, high)).unwrap_or_default()
}
