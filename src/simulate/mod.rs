//! A small cluster in memory, in which the operator's own passes run unchanged.
//!
//! ```text
//!              ┌──────────── store: objects, and a log of their changes ◄───────────┐
//!     watches, │ late or broken                    ▲                                │ writes, with faults
//!              ▼                                   │                                │
//! operator: feed ──► World ──► plan ──► apply ──► desk          deployments, pods, autoscaler
//! ```
//!
//! No runtime, no thread, no clock: an [agenda](agenda::Agenda) of events in virtual time, and one seed from which all
//! delays and faults follow, so that the same seed gives the same story on every machine. The operator's code is
//! whatever production runs, from what a watch tells to the requests of a pass; only the server's answers are simulated.
//!
//! After every change the [rules](invariants) are checked. Tests play stories here, and so does the subcommand `simulate`.

pub mod agenda;
pub mod autoscaler;
pub mod deployments;
pub mod desk;
pub mod fields;
pub mod gates;
pub mod invariants;
pub mod network;
pub mod operator;
mod outside;
pub mod pods;
pub mod random;
pub mod refusal;
pub mod store;
#[cfg(test)]
mod tests;
pub mod trace;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::api::DeleteParams;

use crate::model::Kind;
use crate::observe::{Key, Watched};
use crate::plan;

use agenda::Agenda;
use deployments::{Deployments, Look};
use desk::{Fault, lock};
use gates::Gates;
use invariants::{Judge, Truth};
use operator::{Delays, Operator, Outcome};
use random::Random;
use store::{By, Id, NAMESPACE, Store};

/// When every story begins: 2026-01-01T00:00:00Z.
const BEGIN: i64 = 1_767_225_600_000;
/// How often autoscalers look.
const AUTOSCALE: i64 = 15_000;
/// How long a change in a child waits for more, as in [`crate::observe`].
const BURST: i64 = 20;
/// A watch that tells of everything within a moment.
pub const PROMPT: Delays = Delays { usual: (2, 60), late: (0, 0) };
/// One that is late now and then.
pub const SLUGGISH: Delays = Delays { usual: (2, 60), late: (7, 4_000) };

const USER: By<'static> = By::other("user");

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Watch(u32),
    Pass(u32, Key),
    Deployment(String),
    Pod(String),
    /// The endpoints of a Service are counted.
    Endpoints(String),
    /// A gateway takes a route.
    Accept(Id),
    /// A webhook answers a question of a process.
    Answer(u32, Key, String),
    Autoscale,
    Collect,
    /// A process starts, whose lists are so many milliseconds old.
    Start(i64),
    /// A process ends.
    End(u32),
}

/// A cluster, and the operators in it.
pub struct Simulation {
    store: Arc<Mutex<Store>>,
    deployments: Deployments,
    gates: Gates,
    operators: BTreeMap<u32, Operator>,
    count: u32,
    agenda: Agenda<Event>,
    random: Random,
    delays: Delays,
    /// Pods that the requests need.
    pub load: i64,
    /// The fault of the next pass.
    fault: Option<(u32, Fault)>,
    judge: Judge,
    /// Changes in the log that were looked at.
    seen: usize,
    /// One line for each change, with the virtual time.
    pub trace: Vec<String>,
    /// Rules that were broken, with the time in milliseconds.
    pub violations: Vec<(i64, String)>,
    /// What the operator announced, as the events of a cluster, with the time in milliseconds.
    pub announced: Vec<(i64, plan::Event)>,
    /// Time of the operator's last write.
    pub written: i64,
    passes: usize,
}

impl Simulation {
    pub fn new(seed: u64, delays: Delays) -> Self {
        let random = Random::new(seed);
        let mut simulation = Self {
            store: Arc::new(Mutex::new(Store::new(BEGIN))),
            deployments: Deployments::new(random.fork(1)),
            gates: Gates::default(),
            operators: BTreeMap::new(),
            count: 0,
            agenda: Agenda::default(),
            random: random.fork(2),
            delays,
            load: 3,
            fault: None,
            judge: Judge::default(),
            seen: 0,
            trace: Vec::new(),
            violations: Vec::new(),
            announced: Vec::new(),
            written: BEGIN,
            passes: 0,
        };
        simulation.agenda.add(BEGIN, Event::Start(0));
        simulation.agenda.add(BEGIN + AUTOSCALE, Event::Autoscale);
        simulation
    }

    /// Milliseconds since the story began.
    pub fn elapsed(&self) -> i64 {
        self.store().now - BEGIN
    }

    pub fn passes(&self) -> usize {
        self.passes
    }

    /// The cluster as it is.
    pub fn store(&self) -> std::sync::MutexGuard<'_, Store> {
        lock(&self.store)
    }

    /// The service as it is.
    pub fn truth(&self, name: &str) -> Option<&Truth> {
        self.judge.truth(name)
    }

    /// Changes that were made so far.
    pub fn changes(&self) -> usize {
        self.seen
    }

    /// Nothing is to happen any more but the looks of autoscalers.
    pub fn is_idle(&self) -> bool {
        self.agenda.pending().all(|event| *event == Event::Autoscale)
    }

    /// Lets time pass.
    pub fn run(&mut self, milliseconds: i64) {
        let until = self.elapsed() + milliseconds;
        while self.step(until) {}
        self.store().now = BEGIN + until;
    }

    /// Lets the next thing happen, unless that is later than `until`, in milliseconds since the story began.
    pub fn step(&mut self, until: i64) -> bool {
        let Some((at, event)) = self.agenda.next(BEGIN + until) else { return false };
        {
            let mut store = lock(&self.store);
            store.now = store.now.max(at);
        }
        self.happen(event);
        self.absorb();
        true
    }

    /// Lets time pass until nothing but counting happens for a while, or for so long at most.
    pub fn settle(&mut self, quiet: i64, most: i64) -> bool {
        let end = self.store().now + most;
        while self.store().now < end {
            self.run(1_000);
            if self.store().now - self.written >= quiet {
                return true;
            }
        }
        false
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Watch(id) => self.watch(id),
            Event::Pass(id, key) => self.pass(id, &key),
            Event::Deployment(name) => {
                let looks = self.deployments.sync(&mut lock(&self.store), &name);
                self.look(looks);
            }
            Event::Pod(name) => {
                let looks = self.deployments.live(&mut lock(&self.store), &name);
                self.look(looks);
            }
            Event::Endpoints(name) => network::sync(&mut lock(&self.store), &name),
            Event::Accept(id) => network::accept(&mut lock(&self.store), &id),
            Event::Answer(id, key, question) => self.answered(id, &key, &question),
            Event::Autoscale => {
                let mut store = lock(&self.store);
                autoscaler::scale(&mut store, self.load);
                self.agenda.add(store.now + AUTOSCALE, Event::Autoscale);
            }
            Event::Collect => {
                let mut store = lock(&self.store);
                for id in store.orphans() {
                    // It was there a moment ago.
                    drop(store.delete(By::other("garbage-collector"), &id, &DeleteParams::default()));
                }
            }
            Event::Start(ago) => drop(self.start(ago)),
            Event::End(id) => {
                self.note(&format!("operator-{id} ends"));
                self.operators.remove(&id);
            }
        }
    }

    /// Starts a process whose lists are so many milliseconds old. It leads at once.
    fn start(&mut self, ago: i64) -> u32 {
        self.count += 1;
        let id = self.count;
        let operator = Operator::start(&self.store, format!("operator-{id}"), self.random.fork(u64::from(id) + 100), self.delays, ago);
        self.operators.insert(id, operator);
        self.note(&format!("operator-{id} starts, with lists {ago} ms old"));
        let now = self.store().now;
        self.agenda.add(now, Event::Watch(id));
        id
    }

    fn watch(&mut self, id: u32) {
        let store = lock(&self.store);
        let Some(operator) = self.operators.get_mut(&id) else { return };
        let (due, next) = operator.watch(&store);
        for key in due {
            self.agenda.add(store.now + BURST, Event::Pass(id, key));
        }
        if let Some(next) = next {
            self.agenda.add(next, Event::Watch(id));
        }
    }

    fn pass(&mut self, id: u32, key: &Key) {
        let Some(operator) = self.operators.get_mut(&id).filter(|operator| operator.leads) else { return };
        self.passes += 1;
        let fault = self.fault.take();
        let outcome = operator.pass(&self.store, key, fault);
        let troubles: Vec<String> = operator.troubles.iter().map(|trouble| format!("operator-{id} has trouble: {trouble}")).collect();
        troubles.iter().for_each(|trouble| self.note(trouble));
        let now = self.store().now;
        if let Some(operator) = self.operators.get_mut(&id) {
            self.announced.extend(operator.announced.drain(..).map(|event| (now - BEGIN, event)));
            let questions = std::mem::take(&mut operator.questions);
            self.asks(id, key, questions);
        }
        match outcome {
            Outcome::Done(Some(after)) => self.agenda.add(now + milliseconds(after), Event::Pass(id, key.clone())),
            Outcome::Done(None) => {}
            Outcome::Crashed => {
                self.operators.remove(&id);
                let after = self.random.between(500, 20_000);
                let ago = if self.random.percent(30) { self.random.between(0, 30_000) } else { 0 };
                self.note(&format!("operator-{id} crashes"));
                self.agenda.add(now + signed(after), Event::Start(signed(ago)));
            }
        }
        if let Some((left, fault)) = fault {
            self.note(&format!("(in that pass of operator-{id}, after {left} writes: {fault:?})"));
        }
    }

    fn look(&mut self, looks: Vec<Look>) {
        for look in looks {
            match look {
                Look::Deployment(name, at) => self.agenda.add(at, Event::Deployment(name)),
                Look::Pod(name, at) => self.agenda.add(at, Event::Pod(name)),
            }
        }
    }

    /// Whatever follows from the changes that were just made.
    fn absorb(&mut self) {
        let (changes, vain) = {
            let mut store = lock(&self.store);
            let changes = store.log().get(self.seen..).unwrap_or_default().to_vec();
            self.seen = store.log().len();
            (changes, std::mem::take(&mut store.vain))
        };
        let now = self.store().now;
        for change in changes {
            if change.by_operator {
                self.written = now;
            }
            self.trace.extend(trace::line(&change).map(|line| format!("{} {line}", clock(now - BEGIN))));
            for broken in self.judge.see(&change) {
                self.violate(&broken);
            }
            match change.id.watched {
                Watched::Child(Kind::Deployment) if change.by != "deployment-controller" => {
                    let lag = signed(self.random.between(10, 800));
                    self.agenda.add(now + lag, Event::Deployment(change.id.name.clone()));
                }
                Watched::Child(Kind::Service) if network::concerns(&change) => self.count(change.id.name.clone(), now),
                Watched::Pod => {
                    let routed = network::routed(&self.store());
                    routed.into_iter().for_each(|name| self.count(name, now));
                }
                Watched::Child(Kind::HTTPRoute | Kind::GRPCRoute) if change.by_operator && change.after.is_some() => {
                    let lag = signed(self.random.between(50, 1_500));
                    self.agenda.add(now + lag, Event::Accept(change.id.clone()));
                }
                Watched::Microservice if change.after.is_none() => self.agenda.add(now + 500, Event::Collect),
                _ => {}
            }
            for id in self.operators.keys() {
                self.agenda.add(now + 1, Event::Watch(*id));
            }
        }
        for (id, lag) in vain {
            if lag == 0 {
                self.violate(&format!("a write to {id} changed nothing"));
            }
        }
    }

    /// The endpoints of a Service are counted a moment from now.
    fn count(&mut self, service: String, now: i64) {
        let lag = signed(self.random.between(10, 800));
        self.agenda.add(now + lag, Event::Endpoints(service));
    }

    fn violate(&mut self, what: &str) {
        self.note(&format!("!!! {what}"));
        self.violations.push((self.elapsed(), what.to_owned()));
    }

    pub fn note(&mut self, text: &str) {
        let at = clock(self.elapsed());
        self.trace.push(format!("{at} # {text}"));
    }
}

/// Key of a service of this name.
pub fn key(name: &str) -> Key {
    Key::new(NAMESPACE, name)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX / 4)
}

/// Virtual time as people read it.
fn clock(milliseconds: i64) -> String {
    format!("{:>4}:{:02}.{:03}", milliseconds / 60_000, milliseconds / 1000 % 60, milliseconds % 1000)
}
