//! From one form of rollout to another while something is on its way.

use serde_json::json;

use super::Story;

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

/// With `Recreate` no two versions run at the same time, on the way back neither.
#[test]

fn a_recreation_in_a_deployment_of_its_own_is_taken_back_without_overlap() {
    let mut story = Story::ready(&json!({"image": "orders:1", "port": 8080, "replicas": 3, "rollout": {"strategy": "Canary"}}));
    story.edit(&json!({"image": "orders:slow", "rollout": {"strategy": "Recreate"}})).run(8);
    let revision = story.progress().candidate_revision().cloned().unwrap_or_default();
    story.command("abort", &revision).settled();
    story.sound();
    assert_eq!(story.serving(), [("orders:1".into(), 3)], "{}", story.told());
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
