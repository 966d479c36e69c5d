//! Pods of a canary that die after they have served.

use serde_json::{Value, json};

use super::Story;
use crate::api::labels;
use crate::observe::Watched;
use crate::simulate::pods::Nature;

fn canary(weight: i32, rollout: &Value) -> Value {
    let mut spec = json!({
        "image": "orders:1", "port": 8080, "replicas": 5,
        "rollout": {
            "strategy": "Canary", "progressDeadlineSeconds": 600,
            "canary": {"steps": [{"setWeight": weight}, {"pause": {"manual": true}}, {"setWeight": 80}]},
        },
    });
    for (name, value) in rollout.as_object().into_iter().flatten() {
        spec["rollout"][name] = value.clone();
    }
    spec
}

/// The new version has its share, and the rollout waits.
fn paused(spec: &Value) -> Story {
    let mut story = Story::ready(spec);
    story.edit(&json!({"image": "orders:2"})).settled();
    assert_eq!(story.summary(), "Reconciling/RolloutPaused", "{}", story.told());
    story
}

fn candidates(story: &Story) -> Vec<String> {
    let revision = story.progress().candidate_revision().cloned().unwrap_or_default();
    let truth = story.truth();
    let own = truth.all(Watched::Pod).filter(|(_, pod)| pod["metadata"]["labels"][labels::REVISION].as_str() == Some(&revision));
    own.map(|(name, _)| name.to_owned()).collect()
}

fn crash(story: &mut Story) {
    candidates(story).iter().for_each(|pod| story.0.befall(pod, Nature::Crash));
}

fn served(story: &Story) -> usize {
    story.serving().iter().map(|(_, count)| *count).sum()
}

fn sizes(story: &Story) -> Vec<i64> {
    story.truth().deployments().map(|(_, deployment)| deployment["spec"]["replicas"].as_i64().unwrap_or(1)).collect()
}

/// How often the operator has written a Deployment.
fn resized(story: &Story) -> usize {
    story.0.trace.iter().filter(|line| line.contains("operator-1 changes Deployment")).count()
}

#[test]
fn what_a_canary_loses_the_old_version_makes_up_for() {
    for (weight, settings, least) in [
        (20, json!({}), 5),
        (60, json!({}), 5),
        (60, json!({"maxSurge": 1}), 5),
        (60, json!({"maxSurge": 0, "maxUnavailable": 1}), 4),
        (60, json!({"maxUnavailable": 5}), 2),
    ] {
        for held in [false, true] {
            let mut story = paused(&canary(weight, &settings));
            let before = (sizes(&story), story.serving());
            story.edit(&json!({"rollout": {"paused": held}})).run(5);
            crash(&mut story);
            story.run(30);
            assert!(served(&story) >= least, "{weight} {settings} {held}: {}", story.told());
            let (there, writes) = (sizes(&story), resized(&story));
            story.run(90);
            assert_eq!((sizes(&story), resized(&story)), (there, writes), "it rests\n{}", story.told());
            candidates(&story).iter().for_each(|pod| story.0.kill(pod));
            story.run(60);
            assert_eq!((sizes(&story), story.serving()), before, "{weight} {settings} {held}: {}", story.told());
            assert!(story.progress().candidate.is_some_and(|candidate| candidate.unwell_since.is_none() && candidate.step == 1));
            story.sound();
        }
    }
}

/// A container that restarts, or a pod that moves to another node, is back before others have started.
#[test]
fn a_pod_that_is_soon_back_starts_no_others() {
    let mut story = paused(&canary(20, &json!({})));
    let before = sizes(&story);
    let pod = candidates(&story).remove(0);
    story.0.kill(&pod);
    for _ in 0..300 {
        story.0.run(100);
        assert_eq!(sizes(&story), before, "{}", story.told());
    }
    story.sound();
}

/// On its way to the next step, with pods that cannot come.
#[test]
fn what_is_lost_on_the_way_to_the_next_step_is_made_up_for() {
    let mut story = paused(&canary(40, &json!({})));
    let revision = story.progress().candidate_revision().cloned().unwrap_or_default();
    story.0.conduct(crate::simulate::pods::Fates::Told(doomed(&story)), None);
    story.command("promote", &revision).run(15);
    crash(&mut story);
    story.run(30);
    assert_eq!(served(&story), 5, "{}", story.told());
    story.run(1300);
    assert_eq!((story.summary(), story.serving()), ("Stalled/ProgressDeadlineExceeded".into(), vec![("orders:1".into(), 5)]));
    story.sound();
}

/// Pods of every version but the stable one crash from now on.
fn doomed(story: &Story) -> crate::simulate::pods::Told {
    let spared = story.progress().stable_revision().cloned().unwrap_or_default();
    crate::simulate::pods::Told { start: 2_000, doom: Some((spared, Nature::Crash)) }
}

#[test]
fn beside_an_autoscaler_too() {
    for weight in [40, 70] {
        let mut spec = canary(weight, &json!({}));
        spec["replicas"] = Value::Null;
        spec["autoscaling"] = json!({"minReplicas": 2, "maxReplicas": 10});
        spec["resources"] = json!({"requests": {"cpu": "100m", "memory": "64Mi"}});
        let mut story = Story::ready(&spec);
        story.0.load = 6;
        story.run(120);
        story.edit(&json!({"image": "orders:2"})).settled();
        assert!(served(&story) >= 6 && story.serving().len() == 2, "{}", story.told());
        crash(&mut story);
        story.run(40);
        assert!(served(&story) >= 6, "{weight}: {}", story.told());
        candidates(&story).iter().for_each(|pod| story.0.kill(pod));
        story.settled();
        assert!(served(&story) >= 6 && story.serving().len() == 2, "{}", story.told());
        assert!(story.progress().candidate.is_some_and(|candidate| candidate.unwell_since.is_none()), "{}", story.told());
        story.sound();
    }
}
