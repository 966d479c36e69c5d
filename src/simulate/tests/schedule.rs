//! Random schedules: whatever users, clusters and the operator's own processes may do to each other, within reason.

use serde_json::{Value, json};

use crate::model::{Kind, Progress};
use crate::observe::Watched;
use crate::simulate::desk::Fault;
use crate::simulate::gates::Gate;
use crate::simulate::random::Random;
use crate::simulate::store::Id;
use crate::simulate::{PROMPT, SLUGGISH, Simulation};

use super::{NAME, Story};

/// Schedules in an ordinary run. `SIMULATE_SEEDS=1000` makes more, and `SIMULATE_SEED=17` that one alone.
const SEEDS: u64 = 6;
const IMAGES: [&str; 9] =
    ["orders:1", "orders:2", "orders:3", "orders:4", "orders:bad", "orders:crash", "orders:slow", "orders:flaky", "orders:late"];
const STRATEGIES: [&str; 4] = ["RollingUpdate", "Recreate", "Canary", "BlueGreen"];
const FAULTS: [Fault; 5] = [Fault::CrashBefore, Fault::CrashAfter, Fault::CrashAfter, Fault::Lost, Fault::Broken];

/// What a schedule may do.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that may happen or not")]
struct Scope {
    faults: bool,
    autoscaled: bool,
    routes: Routes,
    gated: bool,
    /// The stable side shrinks as its requests go.
    dynamic: bool,
}

/// Who splits the requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Routes {
    Nobody,
    Operators,
    Users,
}

struct Schedule {
    story: Story,
    random: Random,
    scope: Scope,
    image: String,
    /// The user's route as the user wants it.
    route: Value,
}

fn user_route() -> Id {
    Id::new(Watched::UserRoute(Kind::HTTPRoute), "shop")
}

impl Schedule {
    fn new(seed: u64, scope: Scope) -> Self {
        let mut random = Random::new(seed).fork(3);
        let strategy = *random.pick(&STRATEGIES).unwrap();
        let mut spec = json!({
            "image": "orders:1", "port": 8080,
            "rollout": {
                "strategy": strategy, "progressDeadlineSeconds": 60, "scaleDownDelaySeconds": 20, "abortScaleDownDelaySeconds": 10,
                "canary": {"steps": [{"setWeight": 25}, {"pause": {"seconds": 10}}, {"setWeight": 60}], "bake": random.percent(50).then_some(json!({"seconds": 60}))},
            },
        });
        if scope.autoscaled {
            spec["autoscaling"] = json!({"minReplicas": 2, "maxReplicas": 8});
            spec["resources"] = json!({"requests": {"cpu": "100m", "memory": "64Mi"}});
        } else {
            spec["replicas"] = json!(random.between(1, 5));
        }
        match scope.routes {
            Routes::Nobody => {}
            Routes::Operators => {
                spec["routes"] = json!([{"name": "public", "gatewayRef": {"name": "public", "namespace": "gateways"}}]);
            }
            Routes::Users => spec["rollout"]["canary"]["routeRefs"] = json!([{"kind": "HTTPRoute", "name": "shop"}]),
        }
        if scope.dynamic {
            spec["rollout"]["canary"]["stableScale"] = json!("Dynamic");
        }
        if scope.gated {
            spec["rollout"]["canary"]["steps"][1] = json!({"gate": {"webhook": "approval"}});
        }
        let delays = if scope.faults { SLUGGISH } else { PROMPT };
        let mut story = Story(Simulation::new(seed, delays));
        story.0.run(10);
        if scope.gated {
            story.0.profile(&json!({"providers": {"webhooks": [{"name": "approval", "url": "https://gate.example.com"}]}}));
        }
        story.0.create(NAME, &spec);
        let route = json!({"rules": [
            {"backendRefs": [{"name": "orders", "port": 80, "weight": 1}]},
            {"backendRefs": [{"name": "orders", "port": 80, "weight": 3}, {"name": "other", "port": 80, "weight": 2}]},
        ]});
        if scope.routes == Routes::Users {
            story.0.write(&user_route(), &route);
        }
        story.run(30);
        Self { story, random, scope, image: "orders:1".to_owned(), route }
    }

    /// Somebody edits the route as it stands, or applies the whole of it again.
    fn reroute(&mut self) {
        let whole = self.random.percent(50);
        let edit = json!([{"path": {"type": "PathPrefix", "value": format!("/{}", self.random.between(0, 9))}}]);
        self.route["rules"][0]["matches"] = edit.clone();
        let present = self.story.0.object(Watched::UserRoute(Kind::HTTPRoute), "shop");
        let mut spec = self.route.clone();
        if let (false, Some(present)) = (whole, present) {
            spec = present["spec"].clone();
            spec["rules"][0]["matches"] = edit;
        }
        self.story.0.write(&user_route(), &spec);
    }

    fn act(&mut self) {
        let what = self.random.between(0, 99);
        match what {
            0..=29 => {
                self.image = (*self.random.pick(&IMAGES).unwrap()).to_owned();
                let image = self.image.clone();
                self.story.edit(&json!({ "image": image }));
            }
            30..=37 => {
                let strategy = self.random.pick(&STRATEGIES).unwrap();
                self.story.edit(&json!({"rollout": {"strategy": strategy}}));
            }
            38..=45 => self.scale(),
            46..=50 => {
                let held = self.random.percent(50);
                self.story.edit(&json!({"rollout": {"paused": held}}));
            }
            51..=53 if self.scope.routes == Routes::Users => self.reroute(),
            51..=56 => self.reshape(),
            57..=71 => self.command(),
            72..=79 => {
                let pods = self.story.0.pods();
                if let Some(pod) = self.random.pick(&pods) {
                    if self.random.percent(50) { self.story.0.kill(pod) } else { self.story.0.evict(pod) }
                }
            }
            80..=81 if self.scope.gated => {
                let gate = *self.random.pick(&[Gate::Never, Gate::Opens(0), Gate::Opens(25_000), Gate::Refuses]).unwrap();
                self.story.0.gate("approval", gate);
            }
            80..=81 => self.remove(),
            // A backup is restored, without status.
            82 => self.story.lose_status(),
            _ if !self.scope.faults => {}
            83..=89 => {
                let fault = *self.random.pick(&FAULTS).unwrap();
                let writes = u32::try_from(self.random.between(0, 4)).unwrap();
                self.story.0.fail(writes, fault);
            }
            90..=93 => {
                let span = i64::try_from(self.random.between(1_000, 25_000)).unwrap();
                self.story.0.freeze(span);
            }
            94..=96 => {
                let watched = *self.random.pick(&Watched::ALL).unwrap();
                let span = i64::try_from(self.random.between(1_000, 25_000)).unwrap();
                self.story.0.lose(watched, span);
            }
            _ => {
                let mut any = |most| i64::try_from(self.random.between(0, most)).unwrap();
                let (ago, frozen, together) = (any(20_000), any(15_000), any(30_000));
                self.story.0.split(ago, frozen, together);
            }
        }
    }

    fn scale(&mut self) {
        if self.scope.autoscaled {
            self.story.0.load = i64::try_from(self.random.between(1, 9)).unwrap();
            self.story.0.note("the load changes");
        } else {
            let replicas = self.random.between(u64::from(self.random.clone().percent(80)), 6);
            self.story.edit(&json!({ "replicas": replicas }));
        }
    }

    fn reshape(&mut self) {
        let all = [
            json!({"canary": {"steps": null}}),
            json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {"manual": true}}]}}),
            json!({"canary": {"steps": [{"setWeight": 10}, {"setWeight": 40}, {"pause": {"seconds": 5}}, {"setWeight": 80}, {"pause": {"seconds": 5}}]}}),
            json!({"canary": {"bake": {"seconds": 90}}}),
            json!({"canary": {"bake": null}}),
            json!({"blueGreen": {"autoPromotion": false}}),
            json!({"blueGreen": {"autoPromotion": true, "previewReplicas": 1}}),
            json!({"onFailure": "Hold"}),
            json!({"onFailure": "Rollback"}),
            json!({"onSpecChange": "Queue"}),
            json!({"onSpecChange": "Restart"}),
            json!({"maxSurge": 0, "maxUnavailable": 1}),
            json!({"maxSurge": "50%", "maxUnavailable": 0}),
        ];
        let gate = json!({"gate": {"webhook": "approval"}});
        let gated = [
            json!({"canary": {"steps": [gate, {"setWeight": 30}]}}),
            json!({"canary": {"steps": [{"setWeight": 30}, gate, {"pause": {"seconds": 5}}, gate]}}),
        ];
        let scales = [json!({"canary": {"stableScale": "Full"}}), json!({"canary": {"stableScale": "Dynamic"}})];
        let all = if self.scope.dynamic { [&scales[..], &all[..]].concat() } else { all.to_vec() };
        let all = if self.scope.gated { [&gated[..], &all[..]].concat() } else { all };
        if let Some(rollout) = self.random.pick(&all) {
            self.story.edit(&json!({ "rollout": rollout }));
        }
    }

    fn command(&mut self) {
        let progress = self.story.progress();
        let Progress { stable, candidate, failed, .. } = &progress;
        let known = [stable.as_ref().map(|at| &at.revision), candidate.as_ref().map(|candidate| &candidate.at.revision), failed.as_ref()];
        let fitting = |verb: &str| match verb {
            "retry" => failed.clone(),
            "undo" => stable.as_ref().map(|at| at.revision.clone()),
            _ => candidate
                .as_ref()
                .map(|candidate| &candidate.at)
                .or(progress.bake.as_ref().and(stable.as_ref()))
                .map(|at| at.revision.clone()),
        };
        let verb = *self.random.pick(&["promote", "promote", "abort", "retry", "pause", "resume", "undo"]).unwrap();
        let any = || self.random.clone().pick(&known).copied().flatten().cloned();
        let revision = if self.random.clone().percent(80) { fitting(verb) } else { any() };
        self.random.draw();
        let Some(revision) = revision else { return };
        let full = verb == "promote" && self.random.percent(40);
        let again = self.random.between(0, 9);
        let value = if full { format!("{revision}:full") } else { format!("{revision}:{again}") };
        let value = if verb == "promote" && !full { revision } else { value };
        self.story.command(verb, &value);
    }

    fn remove(&mut self) {
        let kind = if self.random.percent(50) { Kind::Deployment } else { Kind::ControllerRevision };
        let names = self.story.0.names(Watched::Child(kind));
        if let Some(name) = self.random.pick(&names) {
            self.story.0.delete(&Id::child(kind, name));
        }
    }

    fn play(&mut self, actions: usize) {
        for _ in 0..actions {
            self.act();
            let pause = match self.random.between(0, 9) {
                0..=4 => self.random.between(0, 3_000),
                5..=7 => self.random.between(3_000, 25_000),
                _ => self.random.between(25_000, 90_000),
            };
            self.story.0.run(i64::try_from(pause).unwrap());
            if !self.story.0.violations.is_empty() {
                return;
            }
        }
    }

    /// What is wrong once there are no more faults, and then the user asks for something that works.
    fn end(&mut self) -> Option<String> {
        self.story.0.calm();
        self.story.0.run(60_000);
        if !self.image.contains("flaky") && !self.image.contains("late") {
            let quiet = self.story.0.settle(100_000, 600_000);
            let summary = self.story.summary();
            let rests = ["Ready/", "Stalled/", "Reconciling/RolloutPaused"].iter().any(|state| summary.starts_with(state));
            // Pods of such images keep things moving for ever.
            let moving = self.story.runs_any(&["orders:flaky", "orders:late"]);
            if !moving && !quiet {
                return Some("it does not come to rest".to_owned());
            }
            if !moving && !rests {
                return Some(format!("it came to rest as {summary}"));
            }
        }
        if !self.story.0.violations.is_empty() {
            return None;
        }
        let rollout = json!({"paused": false, "canary": {"steps": [{"setWeight": 50}]}, "blueGreen": {"autoPromotion": true}, "onSpecChange": "Restart"});
        self.story.edit(&json!({"image": "orders:final", "rollout": rollout}));
        let quiet = self.story.0.settle(100_000, 900_000);
        let (summary, stable) = (self.story.summary(), self.story.stable());
        if !quiet || !summary.starts_with("Ready/") || stable != "orders:final" {
            return Some(format!("after a sound spec it is {summary} with {stable}{}", if quiet { "" } else { ", and not at rest" }));
        }
        let progress = self.story.progress();
        let (pods, sets) = (self.story.pods(), self.story.0.names(Watched::Child(Kind::Deployment)));
        if progress.candidate.is_some() || !progress.parked.is_empty() || sets.len() != 1 {
            return Some(format!("something is left over: {sets:?}, {pods} pods, {progress:?}"));
        }
        if self.scope.routes == Routes::Users {
            let found = self.story.0.object(Watched::UserRoute(Kind::HTTPRoute), "shop").unwrap();
            let marks = found["metadata"]["annotations"].as_object().is_some_and(|all| !all.is_empty());
            if found["spec"] != self.route || marks {
                return Some(format!("the user's route is not as the user wrote it: {found}"));
            }
        }
        let served: usize = self.story.serving().iter().map(|(_, count)| *count).sum();
        (served != pods).then(|| format!("{served} of {pods} pods get requests"))
    }
}

/// Plays one schedule, and tells of it if a rule was broken.
fn broken(seed: u64, scope: Scope, actions: usize) -> Option<String> {
    let mut schedule = Schedule::new(seed, scope);
    schedule.play(actions);
    let mut wrong = schedule.story.broken();
    if wrong.is_none() {
        wrong = schedule.end();
        wrong = schedule.story.broken().or(wrong);
    }
    let wrong = wrong?;
    if std::env::var("SIMULATE_TRACE").is_ok() {
        return Some(format!("{}\n", schedule.story.told()));
    }
    Some(format!("seed {seed}: {wrong}"))
}

fn run(scope: Scope, actions: usize) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("SIMULATE_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = number("SIMULATE_FIRST").unwrap_or(0);
            (first..first + number("SIMULATE_SEEDS").unwrap_or(SEEDS)).collect()
        }
    };
    let found: Vec<String> = seeds.into_iter().filter_map(|seed| broken(seed, scope, actions)).collect();
    assert!(
        found.is_empty(),
        "{} schedules broke a rule; SIMULATE_SEED=… SIMULATE_TRACE=1 tells one in full\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn users_alone_break_no_rule() {
    run(Scope { faults: false, autoscaled: false, routes: Routes::Nobody, gated: false, dynamic: false }, 12);
}

#[test]
fn no_fault_breaks_a_rule() {
    run(Scope { faults: true, autoscaled: false, routes: Routes::Nobody, gated: false, dynamic: false }, 15);
}

#[test]
fn with_an_autoscaler_no_fault_breaks_a_rule() {
    run(Scope { faults: true, autoscaled: true, routes: Routes::Nobody, gated: false, dynamic: false }, 15);
}

#[test]
fn behind_a_gateway_no_fault_breaks_a_rule() {
    run(Scope { faults: true, autoscaled: false, routes: Routes::Operators, gated: false, dynamic: false }, 15);
}

#[test]
fn behind_a_gateway_with_an_autoscaler_no_fault_breaks_a_rule() {
    run(Scope { faults: true, autoscaled: true, routes: Routes::Operators, gated: false, dynamic: false }, 15);
}

#[test]
fn behind_a_users_route_no_fault_breaks_a_rule() {
    run(Scope { faults: true, autoscaled: false, routes: Routes::Users, gated: false, dynamic: false }, 15);
}

#[test]
fn behind_a_users_route_with_an_autoscaler_no_fault_breaks_a_rule() {
    run(Scope { faults: true, autoscaled: true, routes: Routes::Users, gated: false, dynamic: false }, 15);
}

#[test]
fn with_gates_no_fault_breaks_a_rule() {
    run(Scope { faults: true, autoscaled: false, routes: Routes::Nobody, gated: true, dynamic: false }, 15);
}

#[test]
fn with_a_dynamic_stable_side_no_fault_breaks_a_rule() {
    run(Scope { faults: true, autoscaled: false, routes: Routes::Operators, gated: false, dynamic: true }, 15);
}

#[test]
fn with_a_dynamic_stable_side_behind_a_users_route_no_fault_breaks_a_rule() {
    run(Scope { faults: true, autoscaled: false, routes: Routes::Users, gated: false, dynamic: true }, 15);
}
