//! Many services, a profile, and fewer rollouts at once than there are services.

use serde_json::{Value, json};

use crate::observe::Watched;
use crate::simulate::desk::Fault;
use crate::simulate::store::Id;
use crate::simulate::{Delays, PROMPT, SLUGGISH, Simulation, USER};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const MOST: usize = 2;

/// Services that are ready, under a profile.
fn cluster(seed: u64, delays: Delays, profile: &Value) -> Simulation {
    let mut simulation = Simulation::new(seed, delays);
    simulation.run(10);
    simulation.profile(profile);
    for name in NAMES {
        simulation.create(name, &json!({"image": "orders:1", "port": 8080, "replicas": 2, "rollout": {"strategy": strategy(name)}}));
    }
    assert!(simulation.settle(150_000, 1_800_000), "{}", simulation.trace.join("\n"));
    simulation
}

fn strategy(name: &str) -> &str {
    if name < "d" { "RollingUpdate" } else { "BlueGreen" }
}

fn text(simulation: &Simulation, name: &str, path: &str) -> String {
    let object = simulation.object(Watched::Microservice, name);
    object.and_then(|object| object.pointer(path)?.as_str().map(str::to_owned)).unwrap_or_default()
}

fn reason(simulation: &Simulation, name: &str) -> String {
    let object = simulation.object(Watched::Microservice, name);
    let conditions = object.and_then(|object| object.pointer("/status/conditions")?.as_array().cloned()).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    ready.map(|ready| format!("{}: {}", ready["reason"].as_str().unwrap(), ready["message"].as_str().unwrap())).unwrap_or_default()
}

fn under_way(simulation: &Simulation) -> Vec<&'static str> {
    let rolls = |name: &&str| !text(simulation, name, "/status/rollout/candidateRevision").is_empty();
    NAMES.into_iter().filter(rolls).collect()
}

fn all_serve(simulation: &Simulation) -> bool {
    NAMES.iter().all(|name| text(simulation, name, "/status/image").contains("orders:2") && reason(simulation, name).starts_with("Serving"))
}

/// Lets all roll out; returns how many were seen to be under way at once, and to wait.
fn roll(simulation: &mut Simulation) -> (usize, usize) {
    for name in NAMES {
        simulation.patch(name, &json!({"spec": {"image": "orders:2"}}));
    }
    let (mut most, mut waiting) = (0, 0);
    for _ in 0..12_000 {
        simulation.run(50);
        most = most.max(under_way(simulation).len());
        let waits = |name: &&&str| reason(simulation, name).contains("2 of 2 rollouts are under way");
        waiting = waiting.max(NAMES.iter().filter(waits).count());
        if all_serve(simulation) {
            return (most, waiting);
        }
    }
    panic!("{:?}\n{}", NAMES.map(|name| reason(simulation, name)), simulation.trace.join("\n"));
}

#[test]
fn no_more_rollouts_are_under_way_than_the_profile_allows_and_each_gets_its_turn() {
    for (seed, delays) in [(1, PROMPT), (2, PROMPT), (3, SLUGGISH), (4, SLUGGISH)] {
        let mut simulation = cluster(seed, delays, &json!({"rollouts": {"maxConcurrent": MOST}}));
        assert_eq!(roll(&mut simulation), (MOST, NAMES.len() - MOST), "seed {seed}\n{}", simulation.trace.join("\n"));
        assert!(simulation.violations.is_empty(), "{:?}", simulation.violations);
    }
}

#[test]
fn after_a_crash_the_statuses_are_counted_and_nobody_waits_for_ever() {
    for seed in 1..4 {
        let mut simulation = cluster(seed, PROMPT, &json!({"rollouts": {"maxConcurrent": MOST}}));
        simulation.fail(3, Fault::CrashAfter);
        // One more, whose Deployment was changed and whose status was not written when the process ended.
        let (most, _) = roll(&mut simulation);
        assert!((MOST..=MOST + 1).contains(&most), "seed {seed}: {most}\n{}", simulation.trace.join("\n"));
        assert!(simulation.violations.is_empty(), "{:?}", simulation.violations);
    }
}

#[test]
fn a_freeze_holds_what_begins_and_nothing_else_and_ends_by_itself() {
    // Stories begin at midnight; this one is frozen from 01:00 to 02:00.
    let window = json!({"name": "night", "start": "0 1 * * *", "durationSeconds": 3600});
    let mut simulation = cluster(1, PROMPT, &json!({"rollouts": {"freezeWindows": [window]}}));
    simulation.run(3_600_000 + 60_000 - simulation.elapsed());
    simulation.patch("a", &json!({"spec": {"image": "orders:2"}}));
    simulation.patch("b", &json!({"spec": {"replicas": 3}}));
    simulation.patch("d", &json!({"spec": {"image": "orders:2"}}));
    simulation.create("new", &json!({"image": "orders:1", "port": 8080, "replicas": 1}));
    simulation.run(60_000);
    for name in ["a", "d"] {
        let said = reason(&simulation, name);
        let until = "waits: freeze window `night` of profile `default` until 2026-01-01T02:00:00Z";
        assert!(said.starts_with("RolloutWaiting: 2 of 2 pods serve; revision ") && said.ends_with(until), "{said}");
        assert_eq!(text(&simulation, name, "/status/rollout/state"), "Paused");
        assert!(text(&simulation, name, "/status/image").contains("orders:1"));
    }
    assert!(reason(&simulation, "b").starts_with("Serving: 3 of 3"), "{}", reason(&simulation, "b"));
    assert!(reason(&simulation, "new").starts_with("Serving: 1 of 1"), "{}", reason(&simulation, "new"));
    simulation.patch("a", &json!({"spec": {"image": "orders:1"}}));
    simulation.run(30_000);
    assert!(reason(&simulation, "a").starts_with("Serving"), "back at what serves: {}", reason(&simulation, "a"));
    simulation.run(2 * 3_600_000 + 120_000 - simulation.elapsed());
    assert!(text(&simulation, "d", "/status/image").contains("orders:2"), "{}", simulation.trace.join("\n"));
    assert!(simulation.violations.is_empty(), "{:?}", simulation.violations);
}

#[test]
fn a_changed_profile_reaches_the_services_that_use_it() {
    let mut simulation = cluster(1, PROMPT, &json!({"defaults": {"rollout": {"minReadySeconds": 1}}}));
    let seconds = |simulation: &Simulation, name: &str| {
        let object = simulation.object(Watched::Microservice, name).unwrap();
        object.pointer("/status/defaults/rollout/minReadySeconds").and_then(Value::as_i64)
    };
    assert_eq!(seconds(&simulation, "a"), Some(1));
    simulation.patch("b", &json!({"spec": {"profileRef": {"name": "other"}}}));
    simulation.run(10_000);
    let missing = "InvalidSpec: spec.profileRef.name: there is no MicroserviceProfile `other`: create it, or name another one";
    assert_eq!(reason(&simulation, "b"), missing);
    let profile = |simulation: &mut Simulation, name: &str, seconds: i64| {
        let spec = json!({"defaults": {"rollout": {"minReadySeconds": seconds}}});
        let id = Id::new(Watched::Profile, name);
        drop(simulation.store().delete(USER, &id, &kube::api::DeleteParams::default()));
        simulation.store().create(USER, &id, &json!({ "spec": spec }));
        simulation.absorb();
        simulation.run(10_000);
    };
    profile(&mut simulation, "default", 2);
    assert_eq!((seconds(&simulation, "a"), reason(&simulation, "b").as_str()), (Some(2), missing));
    profile(&mut simulation, "other", 3);
    assert_eq!((seconds(&simulation, "a"), seconds(&simulation, "b")), (Some(2), Some(3)));
    assert!(reason(&simulation, "b").starts_with("Serving"), "{}", reason(&simulation, "b"));
}
