//! A canary behind a gateway whose stable side shrinks as its requests go.

use serde_json::{Value, json};

use crate::model::Kind;
use crate::observe::Watched;
use crate::plan::children::weight_of;
use crate::simulate::desk::Fault;
use crate::simulate::pods::{Fates, Nature, Told};

use super::Story;

fn spec(image: &str) -> Value {
    json!({
        "image": image, "port": 8080, "replicas": 5,
        "routes": [{"name": "public", "hosts": ["orders.example.com"], "gatewayRef": {"name": "public", "namespace": "gateways"}}],
        "rollout": {"strategy": "Canary", "progressDeadlineSeconds": 60, "canary": {"stableScale": "Dynamic", "steps": [
            {"setWeight": 40}, {"pause": {"seconds": 20}}, {"setWeight": 80}, {"pause": {"manual": true}},
        ]}},
    })
}

/// At 80 per cent of a rollout of `image`: one old pod, and four new ones.
fn far(image: &str) -> (Story, String) {
    let mut story = Story::ready(&spec("orders:1"));
    story.edit(&json!({ "image": image })).settled();
    assert_eq!((story.summary().as_str(), story.pods()), ("Reconciling/RolloutPaused", 5), "{}", story.told());
    assert_eq!((weight(&story), story.serving()), (80, vec![("orders:1".into(), 1)]), "{}", story.told());
    let new = story.progress().candidate_revision().cloned().unwrap();
    (story, new)
}

fn weight(story: &Story) -> i32 {
    weight_of(&story.truth().get(Watched::Child(Kind::HTTPRoute), "orders-public").cloned().unwrap_or_default())
}

/// Names of the pods that do not get the stable side's requests.
fn candidates(story: &Story) -> Vec<String> {
    let serving: Vec<String> = story.truth().serving().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    story.0.pods().into_iter().filter(|pod| !serving.contains(pod)).collect()
}

/// Weights that the operator has written since the change of this index.
fn weights(story: &Story, since: usize) -> Vec<i32> {
    let store = story.0.store();
    let writes = store.log()[since..].iter().filter(|change| change.by_operator && change.id.watched == Watched::Child(Kind::HTTPRoute));
    let mut weights: Vec<i32> = writes.filter_map(|change| change.after.as_ref().map(|object| weight_of(object))).collect();
    weights.dedup();
    weights
}

#[test]
fn pods_go_when_their_requests_have_gone() {
    let mut story = Story::ready(&spec("orders:1"));
    let since = story.0.store().log().len();
    story.edit(&json!({"image": "orders:2"})).run(20);
    assert_eq!((weight(&story), story.serving()), (40, vec![("orders:1".into(), 3)]), "{}", story.told());
    story.settled();
    assert_eq!((weight(&story), story.serving()), (80, vec![("orders:1".into(), 1)]), "{}", story.told());
    let status = story.truth().status().unwrap();
    let available = status.conditions.iter().find(|condition| condition.type_ == "Available").unwrap();
    assert_eq!((available.status.as_str(), status.replicas), ("True", Some(5)), "{}", available.message);

    let new = story.progress().candidate_revision().cloned().unwrap();
    story.command("promote", &new).run(20);
    assert_eq!((story.serving(), story.progress().parked.len()), (vec![("orders:2".into(), 5)], 1), "{}", story.told());
    assert_eq!(story.pods(), 6, "what was left of the old version stays for its delay");
    story.settled();
    assert_eq!((story.summary(), story.pods()), ("Ready/Serving".into(), 5), "{}", story.told());
    assert_eq!(weights(&story, since), [40, 80, 100, 0]);
    story.sound();
}

#[test]
fn requests_go_back_as_pods_become_ready() {
    let (mut story, new) = far("orders:2");
    let since = story.0.store().log().len();
    story.command("abort", &new).run(1);
    assert_eq!((weight(&story), story.progress().candidate.map(|candidate| candidate.returning)), (80, Some(true)), "{}", story.told());
    story.run(15);
    assert_eq!((weight(&story), story.pods()), (0, 9), "they stay for a while to be looked at: {}", story.told());
    story.settled();
    assert_eq!((story.summary(), story.pods()), ("Stalled/RolloutAborted".into(), 5), "{}", story.told());
    let back = weights(&story, since);
    assert!(back.is_sorted_by(|a, b| a >= b) && back.last() == Some(&0), "{back:?}");
    story.command("retry", &new).settled();
    assert_eq!((story.summary().as_str(), weight(&story), story.pods()), ("Reconciling/RolloutPaused", 80, 5), "{}", story.told());
    story.sound();
}

#[test]
fn while_the_stable_side_has_no_pod_the_other_answers() {
    let (mut story, _) = far("orders:2");
    let since = story.0.store().log().len();
    let truth = story.truth();
    let old = truth.serving().next().unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    story.0.kill(&old);
    story.settled();
    assert_eq!(weights(&story, since), [100, 80], "{}", story.told());
    assert_eq!((story.summary().as_str(), story.pods()), ("Reconciling/RolloutPaused", 5), "{}", story.told());
    story.sound();
}

#[test]
fn a_candidate_that_dies_leaves_nobody_waiting_for_it() {
    let (mut story, _) = far("orders:2");
    for pod in candidates(&story) {
        story.0.kill(&pod);
    }
    story.0.run(400);
    assert_eq!(weight(&story), 0, "{}", story.told());
    story.settled();
    assert_eq!(
        (story.summary().as_str(), weight(&story), story.pods()),
        ("Reconciling/RolloutPaused", 80, 5),
        "they came back: {}",
        story.told()
    );
    story.sound();
}

#[test]
fn at_the_deadline_the_stable_side_has_all_its_pods() {
    let (mut story, _) = far("orders:2");
    for pod in candidates(&story) {
        story.0.befall(&pod, Nature::Mute);
    }
    story.run(2);
    assert_eq!(weight(&story), 0, "{}", story.told());
    story.settled();
    assert_eq!((story.summary(), weight(&story)), ("Stalled/ProgressDeadlineExceeded".into(), 0), "{}", story.told());
    assert_eq!((story.serving(), story.pods()), (vec![("orders:1".into(), 5)], 5));
    story.sound();
}

#[test]
fn another_version_begins_when_the_stable_one_is_back() {
    let (mut story, old) = far("orders:2");
    story.edit(&json!({"image": "orders:3"})).run(1);
    assert_eq!(story.progress().candidate_revision(), Some(&old), "{}", story.told());
    story.run(40);
    assert_eq!(story.image(story.progress().candidate_revision()), "orders:3", "{}", story.told());
    story.settled();
    assert_eq!((story.summary().as_str(), weight(&story), story.pods()), ("Reconciling/RolloutPaused", 80, 5), "{}", story.told());
    story.edit(&json!({"image": "orders:1"})).settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:1".into(), 5)]), "{}", story.told());
    story.sound();
}

#[test]
fn an_operator_that_starts_again_goes_on_from_there() {
    for writes in [0, 1, 3] {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let (mut story, new) = far("orders:2");
            story.0.fail(writes, fault);
            story.command("abort", &new).run(60);
            story.settled();
            assert_eq!((story.summary(), weight(&story), story.pods()), ("Stalled/RolloutAborted".into(), 0, 5), "{}", story.told());
            story.sound();
        }
    }
}

#[test]
fn a_mend_does_not_wait_for_ever_for_an_old_version_that_does_not_come_back() {
    let (mut story, new) = far("orders:2");
    // Nobody has its image any more.
    story.0.conduct(Fates::Told(Told { start: 2_000, doom: Some((new.clone(), Nature::Bad)) }), None);
    story.edit(&json!({"image": "orders:3"})).run(50);
    assert_eq!((story.progress().candidate_revision(), weight(&story)), (Some(&new), 80), "{}", story.told());
    story.run(15);
    assert_eq!(story.image(story.progress().candidate_revision()), "orders:3", "{}", story.told());
}
