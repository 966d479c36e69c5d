//! A service and its pods, as small as they can be.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::v1alpha1::Strategy;
use crate::model::{Commands, Service, parse};
use crate::observe::world::Revision;
use crate::plan::workload::{Workload, Workloads};

use super::saved::Saved;

/// Length of every time that a setting names, in seconds. One tick of the clock is as long, so a time is either fresh or over.
pub const LONG: i64 = super::super::bake::PATIENCE;
/// The third revision never becomes ready.
pub const REVISIONS: [&str; 3] = ["aaaaaaaa", "bbbbbbbb", "badbadba"];
pub const BAD: u8 = 2;
/// What the Service selects where it names the Deployment that rolls, instead of a revision.
pub const ROLLING: u8 = 3;
/// The one that replaces pods within itself, and one for each revision.
const DEPLOYMENTS: [&str; 4] = ["s", "s-aaaaaaaa", "s-bbbbbbbb", "s-badbadba"];
/// The step that waits.
const PAUSE: usize = 1;
/// The steps that are gates, where there are some.
pub const GATES: [usize; 2] = [0, 2];
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
    /// The stable side shrinks as its requests go.
    pub dynamic: bool,
    /// A canary begins with a gate, and has another one for its pause.
    pub gated: bool,
    /// Every gate gets the answer to another question, as if it did not look whose it is.
    pub forged: bool,
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
            dynamic: false,
            gated: false,
            forged: false,
            made: HashMap::new(),
            records: records(),
        };
        let all = vec![
            plain.clone(),
            Self { name: "canary, baked", bakes: true, scales: true, ..plain.clone() },
            Self { name: "canary, scaled", scales: true, ..plain.clone() },
            Self { name: "canary behind a gateway", routed: true, ..plain.clone() },
            Self { name: "canary behind a gateway, dynamic", routed: true, dynamic: true, scales: true, ..plain.clone() },
            Self { name: "canary, gated", gated: true, ..plain.clone() },
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

    /// Where the exploration begins. To get to a gate takes a service that is there already: from nothing, the search would end
    /// before it.
    pub fn start(&self) -> State {
        if self.gated { super::rules::rest(self, State::new()) } else { State::new() }
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
        if self.gated {
            let profile = json!({"apiVersion": "microservices.dev/v1alpha1", "kind": "MicroserviceProfile", "metadata": {"name": "p"},
                "spec": {"providers": {"webhooks": [{"name": "g", "url": "https://g"}]}}});
            service.profile = Some(crate::model::Profile::of(&serde_json::from_value(profile).unwrap()));
            let gate = crate::model::Step::Gate("g".to_owned());
            service.rollout.steps[PAUSE] = gate.clone();
            service.rollout.steps.insert(GATES[0], gate);
        }
        if self.routed {
            service.rollout.routing = crate::api::v1alpha1::Routing::Gateway;
        }
        if self.dynamic {
            service.rollout.stable_scale = crate::api::v1alpha1::StableScale::Dynamic;
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
    /// The least per cent that the gateway may still give it.
    pub least: i32,
    /// The webhook is being asked about the candidate's step.
    pub asked: bool,
    /// What it has said of that.
    pub said: Option<bool>,
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
            least: 0,
            asked: false,
            said: None,
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

pub fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
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
