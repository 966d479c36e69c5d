//! A canary by the weights of a route that is the user's.

use serde_json::{Value, json};

use crate::model::Kind;
use crate::observe::Watched;
use crate::plan::user_routes::shares;
use crate::simulate::store::Id;
use crate::simulate::{PROMPT, Simulation};

use super::{NAME, Story};

fn id() -> Id {
    Id::new(Watched::UserRoute(Kind::HTTPRoute), "shop")
}

fn spec(steps: &Value) -> Value {
    json!({
        "image": "orders:1", "port": 8080, "replicas": 4,
        "rollout": {
            "strategy": "Canary", "progressDeadlineSeconds": 60,
            "canary": {"routeRefs": [{"kind": "HTTPRoute", "name": "shop"}], "steps": steps},
        },
    })
}

fn manual() -> Value {
    spec(&json!([{"setWeight": 25}, {"pause": {"manual": true}}, {"setWeight": 50}, {"pause": {"seconds": 20}}]))
}

/// As the user wrote it.
fn users() -> Value {
    json!({"hostnames": ["shop.example.com"], "rules": [
        {"matches": [{"path": {"type": "PathPrefix", "value": "/orders"}}], "backendRefs": [{"name": "orders", "port": 80, "weight": 1}]},
        {"backendRefs": [{"name": "web", "port": 80, "weight": 3}, {"name": "orders", "port": 80, "weight": 1}], "timeouts": {"request": "1s"}},
    ]})
}

/// A service that is ready behind the route.
fn ready(spec: &Value) -> Story {
    let mut simulation = Simulation::new(1, PROMPT);
    simulation.run(10);
    simulation.write(&id(), &users());
    simulation.create(NAME, spec);
    let mut story = Story(simulation);
    story.settled();
    assert_eq!((story.summary().as_str(), condition(&story).as_str()), ("Ready/Serving", "Accepted"), "{}", story.told());
    story
}

fn route(story: &Story) -> Value {
    story.0.object(id().watched, "shop").map(|route| (*route).clone()).unwrap_or_default()
}

fn given(story: &Story) -> Vec<i32> {
    shares(&route(story), NAME)
}

/// Why `RoutesReady` is what it is.
fn condition(story: &Story) -> String {
    let status = story.truth().status().unwrap_or_default();
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "RoutesReady")
        .map(|condition| condition.reason.clone())
        .unwrap_or_default()
}

#[test]
fn each_weight_is_written_once_and_the_route_is_put_back() {
    let mut story = ready(&spec(&json!([{"setWeight": 25}, {"pause": {"seconds": 30}}, {"setWeight": 50}, {"pause": {"seconds": 30}}])));
    let before = story.0.store().log().len();
    story.edit(&json!({"image": "orders:2"})).settled();
    let store = story.0.store();
    let writes = store.log()[before..].iter().filter(|change| change.by_operator && change.id == id());
    let weights: Vec<Vec<i32>> = writes.filter_map(|change| change.after.as_ref().map(|object| shares(object, NAME))).collect();
    drop(store);
    assert_eq!(weights, [[25, 25], [50, 50], [100, 100], [0, 0]], "{}", story.told());
    let found = route(&story);
    assert_eq!((&found["spec"], &found["metadata"]["annotations"]), (&users(), &json!({})), "{}", story.told());
    assert_eq!((story.summary(), story.serving()), ("Ready/Serving".into(), vec![("orders:2".into(), 4)]));
    assert!(story.truth().get(Watched::Child(Kind::Service), "orders-stable").is_none(), "the Service itself is the stable side");
    story.sound();
}

#[test]
fn an_edit_in_the_middle_is_kept_and_a_reset_is_redone() {
    let mut story = ready(&manual());
    story.edit(&json!({"image": "orders:2"})).settled();
    assert_eq!(given(&story), [25, 25], "{}", story.told());
    // Somebody edits what stands there.
    let mut edited = route(&story)["spec"].clone();
    edited["rules"][0]["timeouts"] = json!({"request": "5s"});
    story.0.write(&id(), &edited);
    story.settled();
    assert_eq!((given(&story), &route(&story)["spec"]), (vec![25, 25], &edited), "{}", story.told());
    // A tool writes its own form, with yet another edit.
    let mut wanted = users();
    wanted["rules"][0]["timeouts"] = json!({"request": "9s"});
    story.0.write(&id(), &wanted);
    assert_eq!((given(&story), story.serving()), (vec![0, 0], vec![("orders:1".into(), 4)]), "all requests go where all pods are");
    story.run(5);
    assert_eq!(given(&story), [25, 25], "{}", story.told());
    let new = story.progress().candidate_revision().cloned().unwrap();
    story.command("promote", &new).settled();
    assert_eq!((story.summary().as_str(), &route(&story)["spec"]), ("Ready/Serving", &wanted), "{}", story.told());
    story.sound();
}

#[test]
fn an_abort_puts_the_route_back_at_once() {
    let mut story = ready(&manual());
    story.edit(&json!({"image": "orders:2"})).settled();
    let new = story.progress().candidate_revision().cloned().unwrap();
    story.command("abort", &new).run(2);
    assert_eq!((&route(&story)["spec"], story.pods()), (&users(), 5), "{}", story.told());
    story.settled();
    assert_eq!((story.summary(), story.pods()), ("Stalled/RolloutAborted".into(), 4), "{}", story.told());
    story.sound();
}

#[test]
fn without_its_route_the_rollout_waits_and_then_goes_back() {
    for (spec, reason) in
        [(None, "RouteMissing"), (Some(json!({"rules": [{"backendRefs": [{"name": "web", "weight": 1}]}]})), "BackendMissing")]
    {
        let mut story = ready(&manual());
        story.edit(&json!({"image": "orders:2"})).settled();
        let new = story.progress().candidate_revision().cloned().unwrap();
        match &spec {
            None => story.0.delete(&id()),
            Some(spec) => story.0.write(&id(), spec),
        }
        story.command("promote", &new).run(20);
        assert_eq!((story.summary().as_str(), condition(&story).as_str()), ("Reconciling/RolloutInProgress", reason), "{}", story.told());
        assert_eq!(story.serving(), [("orders:1".into(), 4)], "{}", story.told());
        story.settled();
        assert_eq!(story.summary(), "Stalled/ProgressDeadlineExceeded", "{}", story.told());
        story.0.write(&id(), &users());
        story.settled();
        assert_eq!((condition(&story).as_str(), &route(&story)["spec"]), ("Accepted", &users()), "{}", story.told());
        story.command("retry", &new).settled();
        assert_eq!(given(&story), [25, 25], "{}", story.told());
        story.sound();
    }
}

#[test]
fn a_route_that_leaves_the_spec_is_put_back_before_its_side_goes() {
    let mut story = ready(&manual());
    story.edit(&json!({"image": "orders:2"})).settled();
    story.edit(&json!({"rollout": {"canary": {"routeRefs": null}}})).run(5);
    assert_eq!(&route(&story)["spec"], &users(), "{}", story.told());
    assert!(story.truth().get(Watched::Child(Kind::Service), "orders-canary").is_some(), "{}", story.told());
    story.settled();
    assert_eq!(story.summary(), "Stalled/ProgressDeadlineExceeded", "{}", story.told());
    assert!(story.truth().get(Watched::Child(Kind::Service), "orders-canary").is_none(), "{}", story.told());
    story.sound();
}

#[test]
fn a_service_that_goes_in_the_middle_leaves_the_route_as_it_was() {
    for meanwhile in [0, 60_000] {
        let mut story = ready(&manual());
        story.edit(&json!({"image": "orders:2"})).settled();
        if meanwhile > 0 {
            // Nobody is there when it goes.
            story.0.restart(meanwhile);
        }
        story.0.delete(&Id::new(Watched::Microservice, NAME));
        story.0.run(meanwhile + 10_000);
        let found = route(&story);
        assert_eq!((&found["spec"], &found["metadata"]["annotations"]), (&users(), &json!({})), "{}", story.told());
    }
}

#[test]
fn nobody_gets_requests_of_a_service_that_is_somebody_elses() {
    let mut simulation = Simulation::new(1, PROMPT);
    simulation.run(10);
    simulation.write(&id(), &users());
    simulation.write(&Id::child(Kind::Service, NAME), &json!({"selector": {"app": "payments"}, "ports": [{"port": 80}]}));
    simulation.create(NAME, &spec(&json!([{"setWeight": 50}, {"pause": {"manual": true}}])));
    let mut story = Story(simulation);
    story.run(60);
    story.edit(&json!({"image": "orders:2"})).run(120);
    let touched = story.0.store().log().iter().any(|change| change.by_operator && change.id == id());
    assert!(!touched, "{}", story.told());
}
