//! The plugin, as people and pipelines use it, against a real API server.

use serde_json::json;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_watched_promoted_and_undone_from_the_command_line() {
    let Some(story) = Story::begin("plugin").await else { return };
    let plugin = |expected: i32, arguments: &[&str]| {
        let all = [arguments, &["--namespace", &story.namespace]].concat();
        let (status, said) = story.cluster.plugin(&all);
        assert_eq!(status, Some(expected), "{arguments:?}: {said}");
        said
    };
    let steps = json!([{"setWeight": 50}, {"pause": {"manual": true}}]);
    let rollout = json!({"strategy": "Canary", "canary": {"steps": steps}});
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 2, "rollout": rollout})).await;
    plugin(0, &["status", "orders", "--for=ready", "--timeout=60s"]);
    let first = text(&story.get("Microservice", "orders").await, "/status/revision").to_owned();

    plugin(0, &["set", "image", "orders", "example.com/orders:2"]);
    plugin(0, &["status", "orders", "--for=paused", "--timeout=60s"]);
    let shown = plugin(0, &["get"]);
    assert!(shown.contains("orders") && shown.contains("RolloutPaused"), "{shown}");
    let tree = plugin(0, &["tree", "orders"]);
    assert!(tree.contains(&format!("orders-{first}")) && tree.contains("candidate"), "{tree}");
    let why = plugin(0, &["why", "orders"]);
    assert!(why.contains("promote"), "it says what to type next: {why}");

    plugin(0, &["promote", "orders"]);
    plugin(0, &["status", "orders", "--for=completed", "--timeout=60s"]);
    let refused = plugin(1, &["promote", "orders"]);
    assert!(refused.contains("no rollout"), "{refused}");
    let history = plugin(0, &["history", "orders"]);
    assert!(history.contains(&first) && history.contains("example.com/orders:2"), "{history}");

    plugin(0, &["undo", "orders", "--to", &first]);
    let paused =
        |o: &serde_json::Value| text(o, "/status/rollout/state") == "Paused" || text(o, "/status/rollout/candidateRevision") == first;
    story.until(SOON, "undone, step by step", "Microservice", "orders", paused).await;
    plugin(1, &["get", "nothing"]);
}
