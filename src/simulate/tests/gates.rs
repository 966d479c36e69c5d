//! Canaries that wait for a webhook.

use serde_json::{Value, json};

use super::{NAME, Story};
use crate::observe::Watched;
use crate::simulate::gates::Gate;
use crate::simulate::{PROMPT, Simulation};

const GATE: &str = "approval";

fn gated(image: &str) -> Value {
    json!({
        "image": image, "port": 8080, "replicas": 4,
        "rollout": {
            "strategy": "Canary", "progressDeadlineSeconds": 60,
            "canary": {"steps": [{"setWeight": 25}, {"gate": {"webhook": GATE}}, {"setWeight": 50}]},
        },
    })
}

/// A service that is ready, and whose gate behaves so.
fn ready(gate: Gate, spec: &Value) -> Story {
    let mut simulation = Simulation::new(1, PROMPT);
    simulation.run(10);
    simulation.profile(&json!({"providers": {"webhooks": [{"name": GATE, "url": "https://gate.example.com"}]}}));
    simulation.gate(GATE, gate);
    simulation.create(NAME, spec);
    let mut story = Story(simulation);
    story.settled();
    assert_eq!(story.summary(), "Ready/Serving", "{}", story.told());
    story
}

fn message(story: &Story) -> String {
    let status = story.truth().status().unwrap_or_default();
    status.conditions.into_iter().find(|condition| condition.type_ == "Ready").map(|condition| condition.message).unwrap_or_default()
}

fn candidate(story: &Story) -> String {
    story.progress().candidate_revision().cloned().unwrap_or_default()
}

/// Writes of the service's status so far.
fn writes(story: &Story) -> usize {
    let log = story.0.store();
    log.log().iter().filter(|change| change.by_operator && change.id.watched == Watched::Microservice).count()
}

fn quarter() -> Vec<(String, usize)> {
    vec![("orders:1".to_owned(), 3), ("orders:2".to_owned(), 1)]
}

fn all(image: &str) -> Vec<(String, usize)> {
    vec![(image.to_owned(), 4)]
}

#[test]
fn a_gate_that_opens_lets_the_rollout_go_on() {
    let mut story = ready(Gate::Opens(300_000), &gated("orders:1"));
    // Its deadline is a minute.
    story.edit(&json!({"image": "orders:2"})).run(240);
    assert_eq!((story.summary(), story.serving()), ("Reconciling/RolloutPaused".into(), quarter()), "{}", story.told());
    let expected = "step 2 of 3, 25 % of the pods; gate `approval` is closed: answered 202; asked again every 10 s";
    assert!(message(&story).ends_with(expected), "{}", message(&story));
    let before = writes(&story);
    story.run(40);
    assert_eq!(writes(&story), before, "nothing ticks\n{}", story.told());
    story.run(60).settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), all("orders:2")), "{}", story.told());
    story.sound();
}

#[test]
fn a_gate_that_refuses_ends_the_rollout() {
    let mut story = ready(Gate::Refuses, &gated("orders:1"));
    story.edit(&json!({"image": "orders:2"})).settled();
    assert_eq!((story.summary(), story.serving()), ("Stalled/GateRefused".into(), all("orders:1")), "{}", story.told());
    assert!(message(&story).contains("was refused by gate `approval` at step 2 of 3; rolled back"), "{}", message(&story));
    let failed = story.progress().failed.unwrap_or_default();
    // Another try asks anew.
    story.0.gate(GATE, Gate::Opens(0));
    story.command("retry", &failed).settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), all("orders:2")), "{}", story.told());
    story.sound();
}

#[test]
fn where_failures_are_held_a_refused_version_stays_until_it_is_tried_again() {
    let mut spec = gated("orders:1");
    spec["rollout"]["onFailure"] = json!("Hold");
    let mut story = ready(Gate::Refuses, &spec);
    story.edit(&json!({"image": "orders:2"})).settled();
    assert_eq!((story.summary(), story.serving()), ("Stalled/GateRefused".into(), quarter()), "{}", story.told());
    let failed = story.progress().failed.unwrap_or_default();
    story.0.gate(GATE, Gate::Opens(20_000));
    story.run(60);
    assert_eq!(story.summary(), "Stalled/GateRefused", "it is not asked again by itself\n{}", story.told());
    story.command("retry", &failed).settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), all("orders:2")), "{}", story.told());
    story.sound();
}

#[test]
fn no_promotion_opens_a_gate_and_a_spec_without_it_does() {
    let mut story = ready(Gate::Never, &gated("orders:1"));
    story.edit(&json!({"image": "orders:2"})).settled();
    let revision = candidate(&story);
    for value in [revision.clone(), format!("{revision}:full")] {
        story.command("promote", &value).run(30);
        let action = story.progress().last_action.unwrap();
        assert_eq!((format!("{:?}", action.result), action.value), ("Refused".to_owned(), value));
        assert!(action.message.contains("step 2 is gate `approval`, which opens only by its webhook"), "{}", action.message);
        assert_eq!(story.serving(), quarter(), "{}", story.told());
    }
    story.edit(&json!({"rollout": {"canary": {"steps": [{"setWeight": 25}]}}})).settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), all("orders:2")), "{}", story.told());
    story.sound();
}

/// A full promotion, before the gate is even reached, would go past it.
#[test]
fn a_gate_that_lies_ahead_keeps_the_steps_before_it_from_being_skipped_with_it() {
    let mut spec = gated("orders:1");
    spec["rollout"]["canary"]["steps"] = json!([{"setWeight": 25}, {"pause": {"manual": true}}, {"gate": {"webhook": GATE}}]);
    let mut story = ready(Gate::Never, &spec);
    story.edit(&json!({"image": "orders:2"})).settled();
    let revision = candidate(&story);
    story.command("promote", &format!("{revision}:full")).run(30);
    assert_eq!(story.progress().candidate.map(|candidate| candidate.step), Some(1), "{}", story.told());
    story.command("promote", &revision).settled();
    assert_eq!(story.progress().candidate.map(|candidate| candidate.step), Some(2), "{}", story.told());
    story.sound();
}

#[test]
fn a_gate_does_not_let_pass_what_is_held() {
    let mut story = ready(Gate::Opens(30_000), &gated("orders:1"));
    story.edit(&json!({"image": "orders:2"})).run(20);
    story.edit(&json!({"rollout": {"paused": true}})).run(120);
    assert_eq!((story.summary(), story.serving()), ("Reconciling/RolloutPaused".into(), quarter()), "{}", story.told());
    story.edit(&json!({"rollout": {"paused": false}})).settled();
    assert_eq!(story.summary(), "Ready/Serving", "{}", story.told());
    story.sound();
}

#[test]
fn a_process_that_starts_while_it_waits_asks_again() {
    let mut story = ready(Gate::Opens(120_000), &gated("orders:1"));
    story.edit(&json!({"image": "orders:2"})).run(60);
    let before = candidate(&story);
    story.0.restart(5_000);
    story.run(30);
    assert_eq!((story.summary(), candidate(&story)), ("Reconciling/RolloutPaused".into(), before), "{}", story.told());
    assert!(story.told().contains("gate approval answers operator-2"), "{}", story.told());
    story.run(60).settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), all("orders:2")), "{}", story.told());
    story.sound();
}

/// The answer to the version before must not let the next one pass.
#[test]
fn a_new_spec_while_it_waits_has_a_question_of_its_own() {
    let mut story = ready(Gate::Opens(40_000), &gated("orders:1"));
    story.edit(&json!({"image": "orders:2"})).run(30);
    assert_eq!(story.serving(), quarter(), "{}", story.told());
    story.edit(&json!({"image": "orders:3"})).run(40);
    let waiting = vec![("orders:1".to_owned(), 3), ("orders:3".to_owned(), 1)];
    assert_eq!((story.summary(), story.serving()), ("Reconciling/RolloutPaused".into(), waiting), "{}", story.told());
    story.settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), all("orders:3")), "{}", story.told());
    // And the version of before, on its second way, has one too.
    story.0.gate(GATE, Gate::Never);
    story.edit(&json!({"image": "orders:2"})).settled();
    assert_eq!(story.summary(), "Reconciling/RolloutPaused", "{}", story.told());
    story.sound();
}

#[test]
fn a_version_that_served_passes_within_the_window() {
    let mut spec = gated("orders:1");
    spec["rollout"]["rollbackWindow"] = json!({"revisions": 1, "seconds": 3600});
    let mut story = ready(Gate::Opens(0), &spec);
    story.edit(&json!({"image": "orders:2"})).settled();
    story.0.gate(GATE, Gate::Never);
    story.edit(&json!({"image": "orders:1"})).settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), all("orders:1")), "{}", story.told());
    story.sound();
}

#[test]
fn without_its_webhook_nothing_begins() {
    let mut story = ready(Gate::Opens(0), &gated("orders:1"));
    let steps = json!([{"gate": {"webhook": "other"}}]);
    story.edit(&json!({"image": "orders:2", "rollout": {"canary": {"steps": steps}}})).settled();
    assert_eq!((story.summary(), story.serving()), ("Stalled/InvalidSpec".into(), all("orders:1")), "{}", story.told());
    let expected = "spec.rollout.canary.steps[0].gate.webhook: it must be a webhook of profile `default`, which has `approval`";
    assert!(message(&story).starts_with(expected), "{}", message(&story));
}
