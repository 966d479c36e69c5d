//! The time after a canary's promotion.

use serde_json::json;

use super::Story;

fn baked(image: &str, seconds: i32) -> serde_json::Value {
    json!({
        "image": image, "port": 8080, "replicas": 4,
        "rollout": {
            "strategy": "Canary", "progressDeadlineSeconds": 60,
            "canary": {"steps": [{"setWeight": 50}], "bake": {"seconds": seconds}},
        },
    })
}

/// A service whose version `image` bakes.
fn baking(image: &str, seconds: i32) -> Story {
    let mut story = Story::ready(&baked("orders:1", seconds));
    story.edit(&json!({ "image": image }));
    for _ in 0..240 {
        if story.run(1).summary() == "Reconciling/RolloutBaking" {
            return story;
        }
    }
    panic!("it does not bake\n{}", story.told());
}

fn all(image: &str, count: usize) -> Vec<(String, usize)> {
    vec![(image.to_owned(), count)]
}

#[test]
fn the_old_pods_stay_without_requests_for_as_long_as_it_takes() {
    let mut story = baking("orders:2", 120);
    story.run(30);
    assert_eq!((story.stable(), story.serving(), story.pods()), ("orders:2".into(), all("orders:2", 4), 8), "{}", story.told());
    story.run(60);
    assert_eq!((story.summary(), story.pods()), ("Reconciling/RolloutBaking".into(), 8), "{}", story.told());
    story.settled();
    assert_eq!((story.summary(), story.serving(), story.pods()), ("Ready/Serving".into(), all("orders:2", 4), 4), "{}", story.told());
    story.sound();
}

#[test]
fn a_version_that_dies_while_it_bakes_gives_way() {
    let mut story = baking("orders:late", 900);
    story.settled();
    let found = (story.summary(), story.serving(), story.pods());
    assert_eq!(found, ("Stalled/BakeFailed".into(), all("orders:1", 4), 4), "{}", story.told());
    let failure = story.progress().failure.map(|failure| failure.message).unwrap_or_default();
    assert!(failure.contains("pod orders-") && failure.contains("container orders: CrashLoopBackOff"), "{failure}");
    story.edit(&json!({"image": "orders:3", "rollout": {"canary": {"bake": null}}})).settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), all("orders:3", 4)), "{}", story.told());
    story.sound();
}

#[test]
fn nothing_comes_back_by_itself_where_failures_are_held() {
    let mut spec = baked("orders:1", 240);
    spec["rollout"]["onFailure"] = json!("Hold");
    let mut story = Story::ready(&spec);
    story.edit(&json!({"image": "orders:late"})).settled();
    assert_eq!((story.stable(), story.progress().failed), ("orders:late".into(), None), "{}", story.told());
    story.sound();
}

#[test]
fn commands_while_it_bakes() {
    for (verb, expected, image) in [("abort", "Stalled/RolloutAborted", "orders:1"), ("promote", "Ready/Serving", "orders:2")] {
        let mut story = baking("orders:2", 3600);
        story.run(20);
        let revision = story.progress().stable_revision().cloned().unwrap_or_default();
        story.command(verb, &revision).run(2);
        assert_eq!(story.serving(), all(image, 4), "at once: {}", story.told());
        story.settled();
        assert_eq!((story.summary(), story.serving(), story.pods()), (expected.into(), all(image, 4), 4), "{}", story.told());
        story.sound();
    }
}

#[test]
fn a_spec_that_changes_while_it_bakes_ends_that() {
    let mut story = baking("orders:2", 3600);
    story.run(20).edit(&json!({"image": "orders:1"})).run(2);
    assert_eq!(story.serving(), all("orders:1", 4), "a switch and nothing else: {}", story.told());
    story.settled();
    assert_eq!((story.summary(), story.pods()), ("Ready/Serving".into(), 4), "{}", story.told());
    story.sound();

    let mut story = baking("orders:2", 60);
    story.run(20).edit(&json!({"image": "orders:3"})).settled();
    assert_eq!((story.summary(), story.serving(), story.pods()), ("Ready/Serving".into(), all("orders:3", 4), 4), "{}", story.told());
    story.sound();
}

/// More pods than it was promoted with are no fault of it while they start.
#[test]
fn a_version_that_is_scaled_while_it_bakes_is_well() {
    let mut story = baking("orders:slow", 120);
    story.edit(&json!({"replicas": 9})).settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), all("orders:slow", 9)), "{}", story.told());
    story.sound();
}

#[test]
fn it_bakes_beside_an_autoscaler() {
    let mut story = Story::ready(&json!({
        "image": "orders:1", "port": 8080, "autoscaling": {"minReplicas": 2, "maxReplicas": 10},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "rollout": {"strategy": "Canary", "canary": {"steps": [{"setWeight": 50}], "bake": {"seconds": 300}}},
    }));
    story.0.load = 6;
    story.run(120).settled();
    story.edit(&json!({"image": "orders:2"})).run(200);
    assert_eq!(
        (story.summary(), story.serving(), story.pods()),
        ("Reconciling/RolloutBaking".into(), all("orders:2", 6), 12),
        "{}",
        story.told()
    );
    let revision = story.progress().stable_revision().cloned().unwrap_or_default();
    story.command("abort", &revision).settled();
    assert_eq!((story.serving(), story.pods()), (all("orders:1", 6), 6), "{}", story.told());
    story.sound();
}
