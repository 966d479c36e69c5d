use serde_json::json;

use super::Story;
use crate::model::Kind;
use crate::observe::Watched;

pub fn canary(image: &str) -> serde_json::Value {
    json!({
        "image": image, "port": 8080, "replicas": 4,
        "rollout": {
            "strategy": "Canary", "progressDeadlineSeconds": 60,
            "canary": {"steps": [{"setWeight": 25}, {"pause": {"manual": true}}, {"setWeight": 50}, {"pause": {"seconds": 20}}]},
        },
    })
}

fn blue_green(image: &str, automatic: bool) -> serde_json::Value {
    json!({
        "image": image, "port": 8080, "replicas": 3,
        "rollout": {"strategy": "BlueGreen", "progressDeadlineSeconds": 60, "blueGreen": {"autoPromotion": automatic}},
    })
}

fn rolling(image: &str) -> serde_json::Value {
    json!({"image": image, "port": 8080, "replicas": 3, "rollout": {"strategy": "RollingUpdate", "progressDeadlineSeconds": 60}})
}

#[test]
fn a_rolling_update_replaces_all_pods() {
    let mut story = Story::ready(&rolling("orders:1"));
    story.edit(&json!({"image": "orders:2"})).settled();
    assert_eq!(
        (story.summary(), story.stable(), story.serving()),
        ("Ready/Serving".into(), "orders:2".into(), vec![("orders:2".into(), 3)])
    );
    story.sound();
}

#[test]
fn a_rolling_update_that_fails_is_rolled_back() {
    for image in ["orders:bad", "orders:crash"] {
        let mut story = Story::ready(&rolling("orders:1"));
        story.edit(&json!({"image": image})).settled();
        assert_eq!(story.summary(), "Stalled/ProgressDeadlineExceeded", "{}", story.told());
        assert_eq!((story.stable(), story.serving()), ("orders:1".into(), vec![("orders:1".into(), 3)]));
        story.edit(&json!({"image": "orders:2"})).settled();
        assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:2".into(), 3)]), "{}", story.told());
        story.sound();
    }
}

#[test]
fn a_canary_goes_by_its_steps() {
    let mut story = Story::ready(&canary("orders:1"));
    story.edit(&json!({"image": "orders:2"})).settled();
    assert_eq!(story.summary(), "Reconciling/RolloutPaused", "{}", story.told());
    assert_eq!(story.serving(), [("orders:1".into(), 3), ("orders:2".into(), 1)], "{}", story.told());
    let revision = story.progress().candidate_revision().cloned().unwrap_or_default();
    story.command("promote", "00000000").settled();
    assert_eq!(story.serving(), [("orders:1".into(), 3), ("orders:2".into(), 1)], "a stale command does nothing");
    story.command("promote", &revision).run(30);
    assert_eq!(story.serving(), [("orders:1".into(), 2), ("orders:2".into(), 2)], "{}", story.told());
    story.settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:2".into(), 4)]), "{}", story.told());
    story.sound();
}

/// Back to a version that served a short while ago, and to one that did so before that.
#[test]
fn a_known_version_comes_back_without_steps() {
    for (revisions, seconds, skips) in [(1, 3600, false), (2, 3600, true), (2, 60, false), (0, 3600, false), (2, 0, false)] {
        for mut spec in [canary("orders:1"), blue_green("orders:1", false)] {
            let window = json!({"revisions": revisions, "seconds": seconds});
            spec["rollout"]["rollbackWindow"] = window;
            let mut story = Story::ready(&spec);
            for image in ["orders:2", "orders:3"] {
                story.edit(&json!({ "image": image })).run(30);
                let revision = story.progress().candidate_revision().cloned().unwrap_or_default();
                story.command("promote", &format!("{revision}:full")).settled();
                assert_eq!(story.summary(), "Ready/Serving", "{}", story.told());
            }
            story.edit(&json!({"image": "orders:1"})).settled();
            let expected = if skips { "Ready/Serving" } else { "Reconciling/RolloutPaused" };
            assert_eq!(story.summary(), expected, "{revisions} revisions, {seconds} s\n{}", story.told());
            story.sound();
        }
    }
}

/// The mark of the revisions that served: one write for each promotion, none for one that was given up.
#[test]
fn records_say_who_served() {
    let mut story = Story::ready(&canary("orders:1"));
    story.edit(&json!({"image": "orders:2"})).settled();
    let revision = story.progress().candidate_revision().cloned().unwrap_or_default();
    story.command("abort", &revision).settled();
    story.edit(&json!({"image": "orders:3", "rollout": {"canary": {"steps": null}}})).settled();
    story.lose_status();
    story.settled();
    let marks = |story: &Story| -> Vec<(String, bool)> {
        let truth = story.truth();
        let records = truth.all(Watched::Child(Kind::ControllerRevision));
        let found = records.map(|(name, record)| {
            let hash = name.rsplit_once('-').map(|(_, hash)| hash.to_owned());
            (story.image(hash.as_ref()), record.pointer("/metadata/annotations/microservices.dev~1stable-since").is_some())
        });
        let mut found: Vec<_> = found.collect();
        found.sort();
        found
    };
    assert_eq!(marks(&story), [("orders:1".into(), true), ("orders:2".into(), false), ("orders:3".into(), true)], "{}", story.told());
    let writes = story.0.trace.iter().filter(|line| line.contains("ControllerRevision") && line.contains("changes")).count();
    assert!(writes <= 3, "{writes} writes of records\n{}", story.told());
    story.sound();
}

#[test]
fn a_canary_is_aborted_by_command() {
    let mut story = Story::ready(&canary("orders:1"));
    story.edit(&json!({"image": "orders:2"})).settled();
    let revision = story.progress().candidate_revision().cloned().unwrap_or_default();
    story.command("abort", &revision).settled();
    assert_eq!((story.summary(), story.serving()), ("Stalled/RolloutAborted".into(), vec![("orders:1".into(), 4)]), "{}", story.told());
    story.command("retry", &revision).settled();
    assert_eq!(story.serving(), [("orders:1".into(), 3), ("orders:2".into(), 1)], "{}", story.told());
    story.sound();
}

#[test]
fn a_canary_that_fails_is_taken_back() {
    for image in ["orders:bad", "orders:crash"] {
        let mut story = Story::ready(&canary("orders:1"));
        story.edit(&json!({"image": image})).settled();
        let found = (story.summary(), story.serving(), story.pods());
        assert_eq!(found, ("Stalled/ProgressDeadlineExceeded".into(), vec![("orders:1".into(), 4)], 4), "{}", story.told());
        story.sound();
    }
}

/// Four pods one after the other take twice as long as a step may stand still.
#[test]
fn a_step_is_not_given_up_while_its_pods_keep_coming() {
    let mut spec = canary("orders:1");
    spec["rollout"] = json!({"strategy": "Canary", "progressDeadlineSeconds": 60, "maxSurge": 1});
    let mut story = Story::ready(&spec);
    story.edit(&json!({"image": "orders:slow"})).run(90);
    assert_eq!(story.summary(), "Reconciling/RolloutInProgress", "{}", story.told());
    assert!(story.serving().len() == 2, "{}", story.told());
    story.settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:slow".into(), 4)]), "{}", story.told());
    let again = story.0.trace.iter().filter(|line| line.contains("lackingSince 20") && line.contains("Z→20")).count();
    assert!((1..=2).contains(&again), "the clock starts again {again} times\n{}", story.told());
    story.sound();
}

#[test]
fn a_spec_that_goes_back_mid_way_ends_the_rollout() {
    for spec in [canary("orders:1"), blue_green("orders:1", false), rolling("orders:1")] {
        let mut story = Story::ready(&spec);
        story.edit(&json!({"image": "orders:slow"})).run(12);
        story.edit(&json!({"image": "orders:1"})).settled();
        assert_eq!((story.summary(), story.serving().len()), ("Ready/Serving".into(), 1), "{}", story.told());
        assert_eq!(story.pods(), story.serving()[0].1, "{}", story.told());
        story.sound();
    }
}

#[test]
fn a_spec_that_changes_mid_way_begins_again() {
    for spec in [canary("orders:1"), blue_green("orders:1", true), rolling("orders:1")] {
        let mut story = Story::ready(&spec);
        story.edit(&json!({"image": "orders:slow"})).run(12);
        story.edit(&json!({"image": "orders:3", "rollout": {"canary": {"steps": null}}})).settled();
        assert_eq!((story.summary(), story.stable()), ("Ready/Serving".into(), "orders:3".into()), "{}", story.told());
        story.sound();
    }
}

#[test]
fn a_canary_is_scaled_mid_way() {
    for (replicas, expected) in [(8, [6, 2]), (2, [2, 1])] {
        let mut story = Story::ready(&canary("orders:1"));
        story.edit(&json!({"image": "orders:2"})).settled();
        story.edit(&json!({"replicas": replicas})).settled();
        let found: Vec<usize> = story.serving().iter().map(|(_, count)| *count).collect();
        assert_eq!(found, expected, "{}", story.told());
        story.sound();
    }
}

#[test]
fn blue_green_switches_by_itself_and_keeps_the_old_pods_for_a_while() {
    let mut story = Story::ready(&blue_green("orders:1", true));
    story.edit(&json!({"image": "orders:2"})).run(25);
    assert_eq!((story.stable(), story.serving(), story.pods()), ("orders:2".into(), vec![("orders:2".into(), 3)], 6), "{}", story.told());
    story.settled();
    assert_eq!((story.summary(), story.pods()), ("Ready/Serving".into(), 3), "{}", story.told());
    story.sound();
}

#[test]
fn blue_green_waits_for_the_word() {
    let mut story = Story::ready(&blue_green("orders:1", false));
    story.edit(&json!({"image": "orders:2"})).settled();
    assert_eq!(story.summary(), "Reconciling/RolloutPaused", "{}", story.told());
    assert_eq!((story.serving(), story.pods()), (vec![("orders:1".into(), 3)], 6), "{}", story.told());
    let revision = story.progress().candidate_revision().cloned().unwrap_or_default();
    story.command("promote", &revision).settled();
    assert_eq!((story.serving(), story.pods()), (vec![("orders:2".into(), 3)], 3), "{}", story.told());
    story.sound();
}

#[test]
fn any_strategy_follows_any_other() {
    let all = ["RollingUpdate", "Recreate", "Canary", "BlueGreen"];
    for first in all {
        for second in all {
            let mut story = Story::ready(&json!({"image": "orders:1", "port": 8080, "replicas": 3, "rollout": {"strategy": first}}));
            story.edit(&json!({"rollout": {"strategy": second}})).settled();
            assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:1".into(), 3)]), "{}", story.told());
            story.edit(&json!({"image": "orders:2"})).settled();
            assert_eq!(
                (story.summary(), story.serving()),
                ("Ready/Serving".into(), vec![("orders:2".into(), 3)]),
                "{first} then {second}\n{}",
                story.told()
            );
            assert_eq!(story.pods(), 3, "{}", story.told());
            story.sound();
        }
    }
}

#[test]
fn an_autoscaler_keeps_its_number() {
    for strategy in ["RollingUpdate", "Canary", "BlueGreen"] {
        let mut story = Story::ready(&json!({
            "image": "orders:1", "port": 8080, "autoscaling": {"minReplicas": 2, "maxReplicas": 10},
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}, "rollout": {"strategy": strategy},
        }));
        story.0.load = 6;
        story.run(120).settled();
        assert_eq!(story.pods(), 6, "{}", story.told());
        story.edit(&json!({"image": "orders:2"})).settled();
        assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:2".into(), 6)]), "{}", story.told());
        story.sound();
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let tell = || {
        let mut story = Story::with(7, super::super::SLUGGISH, &canary("orders:1"));
        story.run(60).edit(&json!({"image": "orders:2"})).run(60);
        story.told()
    };
    assert_eq!(tell(), tell());
}
