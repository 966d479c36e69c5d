//! A service and its pods, as small as they can be.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use serde_json::{Value, json};

use crate::api::v1alpha1::{Baking, Failure, Parked, Strategy};
use crate::model::{Candidate, Commands, Placed, Progress, Service, parse};
use crate::observe::world::Revision;
use crate::plan::workload::{Workload, Workloads};

/// Length of every time that a setting names, in seconds. One tick of the clock is as long, so a time is either fresh or over.
pub const LONG: i64 = super::super::bake::PATIENCE;
/// The third revision never becomes ready.
pub const REVISIONS: [&str; 3] = ["aaaaaaaa", "bbbbbbbb", "badbadba"];
pub const BAD: u8 = 2;
/// The one that replaces pods within itself, and one for each revision.
const DEPLOYMENTS: [&str; 4] = ["s", "s-aaaaaaaa", "s-bbbbbbbb", "s-badbadba"];
/// Pods, unless scaled.
pub const PODS: i32 = 3;

/// What one exploration lets happen.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that may happen or not")]
pub struct Setting {
    pub name: &'static str,
    /// Strategies among which the spec changes, the first one to begin with.
    pub strategies: Vec<Strategy>,
    pub hold: bool,
    pub queue: bool,
    pub manual: bool,
    /// Canaries bake.
    pub bakes: bool,
    /// Views are old, passes end in the middle, and pods fail.
    pub faults: bool,
    /// The number of pods changes.
    pub scales: bool,
    /// There are times in which no rollout may begin.
    pub freezes: bool,
    /// A gateway splits the requests.
    pub routed: bool,
    /// The services that the states have, made once: by strategy, pods, whether held, and command.
    pub made: HashMap<(u8, i32, bool, Order), Service>,
    pub records: Vec<Revision>,
}

impl Setting {
    pub fn all() -> Vec<Self> {
        use Strategy::{BlueGreen, Canary, RollingUpdate};
        let plain = Self {
            name: "canary",
            strategies: vec![Canary],
            hold: false,
            queue: false,
            manual: false,
            bakes: false,
            faults: true,
            scales: false,
            freezes: false,
            routed: false,
            made: HashMap::new(),
            records: records(),
        };
        let all = vec![
            plain.clone(),
            Self { name: "canary, baked", bakes: true, scales: true, ..plain.clone() },
            Self { name: "canary, scaled", scales: true, ..plain.clone() },
            Self { name: "canary behind a gateway", routed: true, ..plain.clone() },
            Self { name: "blue-green", strategies: vec![BlueGreen], manual: true, ..plain.clone() },
            Self { name: "frozen", strategies: vec![RollingUpdate, Canary], freezes: true, ..plain.clone() },
            Self { name: "all strategies", strategies: vec![RollingUpdate, Canary, BlueGreen], ..plain.clone() },
            Self {
                name: "held and queued",
                bakes: true,
                strategies: vec![Canary, BlueGreen],
                hold: true,
                queue: true,
                routed: true,
                ..plain
            },
        ];
        all.into_iter().map(Self::prepared).collect()
    }

    fn prepared(mut self) -> Self {
        for strategy in 0..u8::try_from(self.strategies.len()).unwrap() {
            for pods in [1, PODS] {
                for paused in [false, true] {
                    for order in orders() {
                        let service = Service { commands: commands(order), ..self.make(strategy, pods, paused) };
                        self.made.insert((strategy, pods, paused, order), service);
                    }
                }
            }
        }
        self
    }

    pub fn service(&self, state: &State, order: Order) -> &Service {
        &self.made[&(state.strategy, state.pods, state.paused, order)]
    }

    /// A service as the real parser makes it.
    fn make(&self, strategy: u8, pods: i32, paused: bool) -> Service {
        let spec = json!({"image": "a", "replicas": pods, "rollout": {
            "strategy": self.strategies[usize::from(strategy)], "maxSurge": 1, "maxUnavailable": 0, "progressDeadlineSeconds": LONG,
            "onFailure": if self.hold { "Hold" } else { "Rollback" }, "onSpecChange": if self.queue { "Queue" } else { "Restart" },
            "paused": paused, "scaleDownDelaySeconds": LONG, "abortScaleDownDelaySeconds": LONG,
        }});
        let object = json!({"apiVersion": "microservices.dev/v1alpha1", "kind": "Microservice",
            "metadata": {"name": "s", "namespace": "n", "uid": "u", "generation": 1}, "spec": spec});
        let mut service = parse::parse(&serde_json::from_value(object).unwrap()).unwrap().service;
        service.rollout.steps = vec![
            crate::model::Step::Weight(34),
            crate::model::Step::Pause(if self.manual { None } else { Some(i32::try_from(LONG).unwrap()) }),
            crate::model::Step::Weight(67),
        ];
        if self.routed {
            service.rollout.routing = crate::api::v1alpha1::Routing::Gateway;
        }
        service.rollout.bake_seconds = if self.bakes { i32::try_from(LONG).unwrap() } else { 0 };
        service.rollout.blue_green.delay_seconds = (!self.manual).then_some(i32::try_from(LONG).unwrap());
        service
    }
}

/// A Deployment. `others` are pods of revisions before, which only the one that rolls in place has; all of them serve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Set {
    pub revision: u8,
    /// Its label says that it is the stable one.
    pub stable: bool,
    pub desired: i32,
    pub pods: i32,
    pub available: i32,
    pub others: i32,
    /// Its controller has seen the present spec.
    pub current: bool,
    /// Its controller gave the revision up.
    pub late: bool,
    /// Changes with each write of it: what a precondition compares.
    pub version: u8,
}

/// Progress without the words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Saved {
    pub stable: Option<(u8, u8)>,
    pub candidate: Option<On>,
    /// Revision, Deployment, and whether its time still runs (fresh, over) or it leaves.
    pub parked: Vec<(u8, u8, Option<bool>)>,
    pub bake: Option<Bake>,
    pub failed: Option<u8>,
    pub reason: Option<&'static str>,
    pub undo: Option<u8>,
    pub version: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bake {
    pub revision: u8,
    pub pods: i32,
    /// Whether its time still runs.
    pub runs: bool,
    /// Whether it has been unwell for long.
    pub unwell: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct On {
    pub at: (u8, u8),
    pub strategy: Strategy,
    pub routed: bool,
    pub step: u8,
    pub weight: i32,
    pub observed: i32,
    /// Whether the time since then is over.
    pub since: Option<bool>,
    pub lacking: Option<bool>,
    /// How far the step was then.
    pub from: Option<i32>,
    pub started: Option<bool>,
    pub full: bool,
    pub paused: bool,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub target: u8,
    pub strategy: u8,
    pub pods: i32,
    pub paused: bool,
    pub frozen: bool,
    pub saved: Saved,
    /// By Deployment: `s`, then one for each revision.
    pub sets: [Option<Set>; 4],
    /// What the Service selects.
    pub pinned: Option<u8>,
    /// What the Service of the candidate's share selects; per cent that the route gives it, and whether a gateway has accepted
    /// that.
    pub canary: Option<u8>,
    pub route: (i32, bool),
    /// Per cent that the gateway gave it before, and may still give it.
    pub before: i32,
    /// What somebody who looks at old news sees: another leader, or an operator behind a slow watch.
    pub news: Option<Box<(Saved, [Option<Set>; 4])>>,
}

impl State {
    pub fn new() -> Self {
        Self {
            target: 0,
            strategy: 0,
            pods: PODS,
            paused: false,
            frozen: false,
            saved: Saved::default(),
            sets: [None, None, None, None],
            pinned: None,
            canary: None,
            route: (0, true),
            before: 0,
            news: None,
        }
    }
}

/// A command: its verb, whether it is for all steps, and the revision that it is about.
pub type Order = Option<(&'static str, bool, u8)>;

fn orders() -> impl Iterator<Item = Order> {
    let verbs = [("promote", false), ("promote", true), ("abort", false), ("pause", false), ("resume", false), ("retry", false)];
    let all = verbs.into_iter().flat_map(|(verb, full)| (0..3).map(move |about| Some((verb, full, about))));
    std::iter::once(None).chain(all)
}

fn commands(order: Order) -> Commands {
    let mut commands = Commands::default();
    let Some((verb, full, about)) = order else { return commands };
    let value = Some(format!("{}{}", REVISIONS[usize::from(about)], if full { ":full" } else { "" }));
    match verb {
        "promote" => commands.promote = value,
        "abort" => commands.abort = value,
        "pause" => commands.pause = value,
        "resume" => commands.resume = value,
        _ => commands.retry = value,
    }
    commands
}

pub const fn deployment(index: u8) -> &'static str {
    DEPLOYMENTS[index as usize]
}

pub fn number(revision: &str) -> u8 {
    u8::try_from(REVISIONS.iter().position(|known| *known == revision).unwrap()).unwrap()
}

fn place(name: &str) -> u8 {
    (0..4).find(|index| deployment(*index) == name).unwrap()
}

fn placed((revision, home): (u8, u8)) -> Placed {
    Placed { revision: REVISIONS[usize::from(revision)].to_owned(), deployment: deployment(home).to_owned() }
}

fn pair(at: &Placed) -> (u8, u8) {
    (number(&at.revision), place(&at.deployment))
}

pub fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn ago(over: bool) -> Time {
    Time(if over { now() - SignedDuration::from_secs(LONG) } else { now() })
}

fn until(runs: bool) -> Time {
    Time(if runs { now() + SignedDuration::from_secs(LONG) } else { now() })
}

fn is_over(time: &Time) -> bool {
    (now() - time.0).get_seconds() >= LONG
}

fn records() -> Vec<Revision> {
    let record = |(index, hash): (usize, &&str)| Revision {
        hash: (*hash).to_owned(),
        name: format!("s-{hash}"),
        number: i64::try_from(index).unwrap(),
        inputs: String::new(),
        template: Value::Null,
        stable_since: None,
        created: None,
    };
    REVISIONS.iter().enumerate().map(record).collect()
}

pub fn workloads(sets: &[Option<Set>; 4]) -> Workloads {
    let workload = |(index, set): (usize, &Option<Set>)| {
        let set = set.as_ref()?;
        Some(Workload {
            name: deployment(u8::try_from(index).unwrap()).to_owned(),
            revision: Some(REVISIONS[usize::from(set.revision)].to_owned()),
            stable: set.stable,
            current: set.current,
            desired: set.desired,
            total: set.pods + set.others,
            updated: set.pods,
            ready: set.available + set.others,
            available: set.available + set.others,
            leaving: 0,
            deadline_exceeded: set.late,
            refused: None,
        })
    };
    Workloads(sets.iter().enumerate().filter_map(workload).collect())
}

impl Saved {
    pub fn progress(&self) -> Progress {
        let hash = |revision: u8| REVISIONS[usize::from(revision)].to_owned();
        Progress {
            stable: self.stable.map(placed),
            candidate: self.candidate.as_ref().map(|on| Candidate {
                at: placed(on.at),
                strategy: on.strategy,
                routed: on.routed,
                started_at: on.started.map(ago),
                step: on.step.into(),
                steps: 0,
                step_started_at: on.since.map(|over| MicroTime(ago(over).0)),
                weight: on.weight,
                observed_weight: on.observed,
                lacking_since: on.lacking.map(ago),
                lacking_from: on.from,
                full: on.full,
                paused: on.paused,
            }),
            parked: self
                .parked
                .iter()
                .map(|(revision, home, left)| Parked {
                    revision: hash(*revision),
                    deployment: deployment(*home).to_owned(),
                    until: left.map(until),
                })
                .collect(),
            bake: self.bake.as_ref().map(|bake| Baking {
                revision: hash(bake.revision),
                until: until(bake.runs),
                pods: bake.pods,
                unwell_since: bake.unwell.map(ago),
            }),
            failed: self.failed.map(hash),
            failure: self.reason.map(|reason| Failure { reason: reason.to_owned(), message: String::new(), at: Time(now()) }),
            undo: self.undo.map(hash),
            ..Progress::default()
        }
    }

    pub fn of(progress: &Progress, version: u8) -> Self {
        let reasons = [super::super::DEADLINE, super::super::BAKE_FAILED, super::super::scene::ABORTED, super::super::scene::UNDONE];
        Self {
            stable: progress.stable.as_ref().map(pair),
            candidate: progress.candidate.as_ref().map(|candidate| On {
                at: pair(&candidate.at),
                strategy: candidate.strategy,
                routed: candidate.routed,
                step: u8::try_from(candidate.step).unwrap(),
                weight: candidate.weight,
                observed: candidate.observed_weight,
                since: candidate.step_started_at.as_ref().map(|at| is_over(&Time(at.0))),
                lacking: candidate.lacking_since.as_ref().map(is_over),
                from: candidate.lacking_from,
                started: candidate.started_at.as_ref().map(is_over),
                full: candidate.full,
                paused: candidate.paused,
            }),
            parked: progress
                .parked
                .iter()
                .map(|parked| (number(&parked.revision), place(&parked.deployment), parked.until.as_ref().map(|until| until.0 > now())))
                .collect(),
            bake: progress.bake.as_ref().map(|bake| Bake {
                revision: number(&bake.revision),
                pods: bake.pods,
                runs: bake.until.0 > now(),
                unwell: bake.unwell_since.as_ref().map(is_over),
            }),
            failed: progress.failed.as_deref().map(number),
            reason: progress.failure.as_ref().and_then(|failure| reasons.into_iter().find(|known| **known == failure.reason)),
            undo: progress.undo.as_deref().map(number),
            version,
        }
    }

    /// A time as long as any setting's has passed.
    pub fn ages(&mut self) {
        if let Some(on) = &mut self.candidate {
            for time in [&mut on.since, &mut on.lacking, &mut on.started] {
                *time = time.map(|_| true);
            }
        }
        for (_, _, left) in &mut self.parked {
            *left = left.map(|_| false);
        }
        if let Some(bake) = &mut self.bake {
            bake.runs = false;
            bake.unwell = bake.unwell.map(|_| true);
        }
    }
}
