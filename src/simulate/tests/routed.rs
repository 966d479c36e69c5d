//! A canary behind a gateway.

use serde_json::{Value, json};

use crate::model::Kind;
use crate::observe::Watched;
use crate::plan::children::weight_of;
use crate::simulate::invariants::Truth;

use super::Story;

fn spec(image: &str, steps: &Value) -> Value {
    json!({
        "image": image, "port": 8080, "replicas": 4,
        "routes": [{"name": "public", "hosts": ["orders.example.com"], "gatewayRef": {"name": "public", "namespace": "gateways"}}],
        "rollout": {"strategy": "Canary", "progressDeadlineSeconds": 60, "canary": {"steps": steps}},
    })
}

fn manual(image: &str) -> Value {
    spec(image, &json!([{"setWeight": 25}, {"pause": {"manual": true}}, {"setWeight": 50}, {"pause": {"seconds": 20}}]))
}

fn route(truth: &Truth) -> Value {
    truth.get(Watched::Child(Kind::HTTPRoute), "orders-public").cloned().unwrap_or_default()
}

/// What the Service of a side selects.
fn side(truth: &Truth, name: &str) -> String {
    let service = truth.get(Watched::Child(Kind::Service), name).cloned().unwrap_or_default();
    service["spec"]["selector"]["microservices.dev/revision"].as_str().unwrap_or("all").to_owned()
}

#[test]
fn weights_follow_pods_and_callers_inside_stay_with_the_old_version() {
    let mut story = Story::ready(&manual("orders:1"));
    let old = story.progress().stable_revision().cloned().unwrap();
    assert_eq!((weight_of(&route(&story.truth())), side(&story.truth(), "orders")), (0, old.clone()), "{}", story.told());

    story.edit(&json!({"image": "orders:2"})).settled();
    let progress = story.progress();
    let new = progress.candidate_revision().cloned().unwrap_or_default();
    assert_eq!((story.summary().as_str(), story.pods()), ("Reconciling/RolloutPaused", 5), "{}", story.told());
    assert_eq!((weight_of(&route(&story.truth())), story.serving()), (25, vec![("orders:1".into(), 4)]), "{}", story.told());
    assert_eq!((side(&story.truth(), "orders-stable"), side(&story.truth(), "orders-canary")), (old, new.clone()));

    story.command("promote", &new).run(15);
    assert_eq!((weight_of(&route(&story.truth())), story.pods()), (50, 6), "{}", story.told());
    story.settled();
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:2".into(), 4)]), "{}", story.told());
    assert_eq!((weight_of(&route(&story.truth())), story.pods()), (0, 4), "{}", story.told());
    assert_eq!((side(&story.truth(), "orders-stable"), side(&story.truth(), "orders-canary")), (new.clone(), new));
    story.sound();
}

#[test]
fn each_weight_is_written_once() {
    let mut story = Story::ready(&spec(
        "orders:1",
        &json!([{"setWeight": 25}, {"pause": {"seconds": 30}}, {"setWeight": 50}, {"pause": {"seconds": 30}}]),
    ));
    let before = story.0.store().log().len();
    story.edit(&json!({"image": "orders:2"})).settled();
    let store = story.0.store();
    let writes = store.log()[before..].iter().filter(|change| change.by_operator && change.id.watched == Watched::Child(Kind::HTTPRoute));
    let weights: Vec<i32> = writes.filter_map(|change| change.after.as_ref().map(|object| weight_of(object))).collect();
    drop(store);
    assert_eq!(weights, [25, 50, 100, 0], "{}", story.told());
    story.sound();
}

#[test]
fn pods_that_are_lost_take_their_weight_along() {
    let mut story = Story::ready(&manual("orders:1"));
    story.edit(&json!({"image": "orders:late-1"})).run(40);
    story.settled();
    assert_eq!((story.summary(), weight_of(&route(&story.truth()))), ("Stalled/ProgressDeadlineExceeded".into(), 0), "{}", story.told());
    assert_eq!(story.serving(), [("orders:1".into(), 4)]);
    story.sound();
}

#[test]
fn an_abort_takes_the_weight_back_at_once() {
    let mut story = Story::ready(&manual("orders:1"));
    story.edit(&json!({"image": "orders:2"})).settled();
    let new = story.progress().candidate_revision().cloned().unwrap();
    story.command("abort", &new).run(2);
    assert_eq!(weight_of(&route(&story.truth())), 0, "{}", story.told());
    assert_eq!(story.pods(), 5, "they stay for a while to be looked at");
    story.settled();
    assert_eq!((story.summary(), story.pods()), ("Stalled/RolloutAborted".into(), 4), "{}", story.told());
    story.command("retry", &new).settled();
    assert_eq!((story.summary().as_str(), weight_of(&route(&story.truth()))), ("Reconciling/RolloutPaused", 25), "{}", story.told());
    story.sound();
}

#[test]
fn testers_and_copies_come_before_any_weight() {
    let steps = json!([
        {"setScale": {"replicas": 2}},
        {"match": {"headers": [{"name": "X-Tester", "value": "yes"}], "cookies": [{"name": "beta", "value": "1"}]}},
        {"pause": {"manual": true}},
        {"mirror": {"percent": 20}},
        {"pause": {"manual": true}},
        {"match": {}}, {"mirror": {"percent": 0}}, {"setScale": {"matchWeight": true}}, {"setWeight": 25}, {"pause": {"manual": true}},
    ]);
    let mut story = Story::ready(&spec("orders:1", &steps));
    story.edit(&json!({"image": "orders:2"})).settled();
    let new = story.progress().candidate_revision().cloned().unwrap();
    let found = route(&story.truth());
    assert_eq!((found["spec"]["rules"].as_array().unwrap().len(), weight_of(&found), story.pods()), (2, 0, 6), "{}", story.told());
    let headers = &found["spec"]["rules"][0]["matches"][0]["headers"];
    assert_eq!(headers[0], json!({"type": "Exact", "name": "x-tester", "value": "yes"}));
    assert_eq!(headers[1]["value"], "^(.*;\\s*)?beta=1(;.*)?$");
    assert_eq!(found["spec"]["rules"][0]["backendRefs"][0]["name"], "orders-canary");

    story.command("promote", &new).settled();
    let found = route(&story.truth());
    assert_eq!(found["spec"]["rules"][1]["filters"][0]["requestMirror"]["percent"], 20, "{}", story.told());
    assert_eq!(found["spec"]["rules"][1]["filters"][0]["requestMirror"]["backendRef"]["name"], "orders-canary");

    story.command("promote", &format!("{new}:again")).settled();
    let found = route(&story.truth());
    assert_eq!((found["spec"]["rules"].as_array().unwrap().len(), weight_of(&found), story.pods()), (1, 25, 5), "{}", story.told());
    assert!(found["spec"]["rules"][0].get("filters").is_none());
    story.sound();
}

#[test]
fn any_strategy_comes_to_it_and_leaves_it() {
    for strategy in ["RollingUpdate", "Recreate", "BlueGreen"] {
        let mut first = spec("orders:1", &json!([{"setWeight": 25}]));
        first["rollout"] = json!({"strategy": strategy, "progressDeadlineSeconds": 60});
        let mut story = Story::ready(&first);
        let pods: Vec<String> = story.0.pods();
        story
            .edit(&json!({"rollout": {"strategy": "Canary", "canary": {"steps": [{"setWeight": 25}, {"pause": {"seconds": 20}}]}}}))
            .settled();
        assert_eq!(story.0.pods(), pods, "a change of strategy restarts nothing");
        story.edit(&json!({"image": "orders:2"})).settled();
        assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:2".into(), 4)]), "{}", story.told());
        story.edit(&json!({"rollout": {"strategy": strategy, "canary": null}, "image": "orders:3"})).settled();
        assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:3".into(), 4)]), "{}", story.told());
        story.sound();
    }
}
