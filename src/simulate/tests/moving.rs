//! From one form of rollout to another while something is on its way.

use serde_json::json;

use super::Story;
use crate::api::labels;
use crate::observe::Watched;
use crate::simulate::pods::Nature;

fn rolling(image: &str, replicas: i32) -> serde_json::Value {
    json!({"image": image, "port": 8080, "replicas": replicas, "rollout": {"progressDeadlineSeconds": 120}})
}

/// Most pods are of the version on its way when another strategy wants all requests at the old one.
#[test]
fn a_rolling_update_that_is_replaced_by_blue_green_mid_way_keeps_serving() {
    let mut story = Story::ready(&rolling("orders:1", 5));
    story.edit(&json!({"image": "orders:slow"})).run(75);
    assert!(story.serving().len() == 2, "{}", story.told());
    story.edit(&json!({"image": "orders:3", "rollout": {"strategy": "BlueGreen"}})).settled();
    story.sound();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:3".into(), 5)]), "{}", story.told());
}

/// Half of the pods that serve are the canary's when another strategy wants all requests at the old ones.
#[test]
fn a_canary_that_is_replaced_by_blue_green_mid_way_keeps_serving() {
    let steps = json!({"steps": [{"setWeight": 50}, {"pause": {"manual": true}}]});
    let spec = json!({"image": "orders:1", "port": 8080, "replicas": 4, "rollout": {"strategy": "Canary", "canary": steps}});
    let mut story = Story::ready(&spec);
    story.edit(&json!({"image": "orders:2"})).settled();
    story.edit(&json!({"image": "orders:3", "rollout": {"strategy": "BlueGreen"}})).settled();
    story.sound();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:3".into(), 4)]), "{}", story.told());
}

/// With `Recreate` no two versions run at the same time, on the way back neither.
#[test]
fn a_recreation_in_a_deployment_of_its_own_is_taken_back_without_overlap() {
    let mut story = Story::ready(&json!({"image": "orders:1", "port": 8080, "replicas": 3, "rollout": {"strategy": "Canary"}}));
    story.edit(&json!({"image": "orders:slow", "rollout": {"strategy": "Recreate"}})).run(8);
    let revision = story.progress().candidate_revision().cloned().unwrap_or_default();
    story.command("abort", &revision);
    for _ in 0..300 {
        story.0.run(100);
        let both = story.runs_any(&["orders:1"]) && story.runs_any(&["orders:slow"]);
        assert!(!both, "two versions run at the same time\n{}", story.told());
    }
    story.sound();
}

/// The same beside an autoscaler, and with as many pods as before.
#[test]
fn a_recreation_beside_an_autoscaler_is_taken_back_without_overlap() {
    for after in [3, 8, 20] {
        let mut story = Story::ready(&autoscaled("Canary"));
        story.0.load = 6;
        story.run(120).edit(&json!({"image": "orders:slow", "rollout": {"strategy": "Recreate"}})).run(after);
        let revision = story.progress().candidate_revision().cloned().unwrap_or_default();
        story.command("abort", &revision);
        let mut most = 0;
        for _ in 0..600 {
            story.0.run(100);
            let both = story.runs_any(&["orders:1"]) && story.runs_any(&["orders:slow"]);
            assert!(!both, "two versions run at the same time\n{}", story.told());
            most = most.max(story.serving().iter().map(|(_, count)| *count).sum());
        }
        assert_eq!((story.serving(), most), (vec![("orders:1".into(), 6)], 6), "{}", story.told());
        story.sound();
    }
}

/// A rolling update is half-way, the old version's pods cannot come back, and the next version is to get no requests before
/// it is complete.
#[test]
fn an_old_version_that_died_does_not_hold_up_the_strategy_that_mends_it() {
    for strategy in ["BlueGreen", "Canary"] {
        let mut spec = rolling("orders:1", 4);
        spec["routes"] = json!([{"name": "public", "gatewayRef": {"name": "public", "namespace": "gateways"}}]);
        let mut story = Story::ready(&spec);
        story.edit(&json!({"image": "orders:slow"}));
        for _ in 0..1200 {
            story.0.run(100);
            if story.serving().iter().any(|(image, count)| image == "orders:slow" && *count == 2) {
                break;
            }
        }
        let old = story.progress().stable_revision().cloned().unwrap_or_default();
        for pod in story.0.pods() {
            let of = story.truth().get(Watched::Pod, &pod).map(|pod| pod["metadata"]["labels"][labels::REVISION] == json!(old));
            if of == Some(true) {
                story.0.befall(&pod, Nature::Crash);
            }
        }
        story.run(2).edit(&json!({"image": "orders:3", "rollout": {"strategy": strategy}})).run(80);
        assert_eq!((story.stable(), story.serving()), ("orders:3".into(), vec![("orders:3".into(), 4)]), "{}", story.told());
        story.sound();
    }
}

/// The old version's Deployment is deleted by hand when the new one has all the pods.
#[test]
fn the_pods_that_serve_stay_when_the_old_deployment_is_deleted() {
    let mut story = Story::ready(&json!({"image": "orders:1", "port": 8080, "replicas": 3, "rollout": {"strategy": "Canary"}}));
    story.edit(&json!({"image": "orders:2", "rollout": {"strategy": "Recreate", "paused": true}})).run(30);
    assert_eq!(story.serving(), [("orders:2".into(), 3)], "{}", story.told());
    let old = story.progress().stable.map(|at| at.deployment).unwrap_or_default();
    story.0.delete(&crate::simulate::store::Id::deployment(&old));
    for _ in 0..200 {
        story.0.run(100);
        assert_eq!(story.serving(), [("orders:2".into(), 3)], "{}", story.told());
    }
}

fn autoscaled(strategy: &str) -> serde_json::Value {
    json!({
        "image": "orders:1", "port": 8080, "autoscaling": {"minReplicas": 2, "maxReplicas": 8},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "rollout": {"strategy": strategy, "canary": {"steps": [{"setWeight": 50}, {"pause": {"manual": true}}]}},
    })
}

/// Beside an autoscaler the side that gains grows first. What there is then is not what is needed.
#[test]
fn a_rollout_that_begins_again_needs_no_more_pods() {
    let mut story = Story::ready(&autoscaled("Canary"));
    story.0.load = 6;
    story.run(120).edit(&json!({"rollout": {"strategy": "RollingUpdate"}})).run(30);
    assert_eq!(story.pods(), 6, "{}", story.told());
    for image in ["orders:slow", "orders:slow-2", "orders:slow-3"] {
        story.edit(&json!({ "image": image })).run(12);
        assert!(story.pods() <= 14, "{} pods, where 8 are the most\n{}", story.pods(), story.told());
    }
    story.settled().sound();
}

/// The canary's pods carry load until others do, also when another canary takes its turn.
#[test]
fn a_canary_that_is_replaced_beside_an_autoscaler_keeps_serving() {
    let mut story = Story::ready(&autoscaled("Canary"));
    story.0.load = 2;
    story.run(120).edit(&json!({"image": "orders:2"})).run(120);
    assert_eq!(story.serving(), [("orders:1".into(), 1), ("orders:2".into(), 1)], "{}", story.told());
    story.edit(&json!({"image": "orders:slow"})).run(240);
    story.sound();
}

/// The old version is broken beyond repair, with another one half-way in its Deployment.
#[test]
fn a_broken_version_does_not_stand_in_the_way_of_the_one_that_mends_it() {
    for strategy in ["RollingUpdate", "Recreate", "Canary", "BlueGreen"] {
        let mut story = Story::ready(&rolling("orders:1", 3));
        story.edit(&json!({"image": "orders:late"})).run(40).edit(&json!({"replicas": 2})).run(300);
        story.edit(&json!({"image": "orders:bad"})).run(30);
        story.edit(&json!({"image": "orders:3", "rollout": {"strategy": strategy}})).settled();
        story.sound();
        assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:3".into(), 2)]), "{}", story.told());
    }
}

/// Every pod that serves is of a first version whose rollout is held.
#[test]
fn a_first_version_that_is_replaced_before_it_is_complete_keeps_serving() {
    for strategy in ["Canary", "BlueGreen"] {
        for next in ["RollingUpdate", "Canary", "BlueGreen"] {
            let spec = json!({"image": "orders:flaky", "port": 8080, "replicas": 4, "rollout": {"strategy": strategy, "paused": true}});
            let mut story = Story::with(3, super::PROMPT, &spec);
            story.run(20).edit(&json!({"image": "orders:2", "rollout": {"strategy": next, "paused": false}})).settled();
            story.sound();
            assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:2".into(), 4)]), "{}", story.told());
        }
    }
}
