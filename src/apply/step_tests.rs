//! What is to be done about a child, by case.

use serde_json::{Value, json};

use super::*;
use crate::api::v1alpha1::Microservice;
use crate::model::{Autoscaled, ChildRef, parse};

fn service(scaling: Value) -> Service {
    let mut spec = scaling;
    spec["image"] = json!("orders:1");
    let object: Microservice = serde_json::from_value(json!({
        "apiVersion": "microservices.dev/v1alpha1", "kind": "Microservice",
        "metadata": {"name": "orders", "namespace": "shop", "uid": "u-1", "generation": 1}, "spec": spec
    }))
    .unwrap();
    parse::parse(&object).unwrap().service
}

fn child(kind: Kind, spec: &Value) -> Child {
    let object = json!({"kind": kind.name(), "metadata": {"name": "orders", "annotations": {"a": "b"}}, "spec": spec});
    Child { reference: ChildRef { kind, name: "orders".to_owned() }, object, autoscaled: None }
}

/// The live object that applying `child` made, with what the server adds.
fn made(service: &Service, child: &Child) -> Live {
    let Step::Create { body } = step(service, child, None) else { panic!("{child:?}") };
    let mut object = body;
    object["metadata"]["uid"] = json!("u-live");
    object["metadata"]["resourceVersion"] = json!("7");
    object["spec"]["defaulted"] = json!(true);
    Live {
        reference: child.reference.clone(),
        uid: "u-live".to_owned(),
        resource_version: "7".to_owned(),
        owner: Ownership::Ours,
        deleting: false,
        claims_replicas: true,
        object,
    }
}

fn replicas_of(step: &Step) -> Option<&Value> {
    match step {
        Step::Create { body } | Step::Update { body, .. } => body.pointer("/spec/replicas"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_absent_child_is_created_and_never_taken_over() {
    let child = child(Kind::Service, &json!({"type": "ClusterIP"}));
    let Step::Create { body } = step(&service(json!({})), &child, None) else { panic!() };
    assert_eq!(body["metadata"]["resourceVersion"], json!("1"));
    assert_eq!(body["metadata"]["annotations"]["a"], json!("b"));
    assert_eq!(body["metadata"]["annotations"][labels::APPLIED].as_str().map(str::len), Some(HASH));
    assert_eq!(body["spec"], child.object["spec"]);
}

#[test]
fn what_is_as_planned_is_kept() {
    let (service, child) = (service(json!({})), child(Kind::Service, &json!({"type": "ClusterIP"})));
    assert_eq!(step(&service, &child, Some(&made(&service, &child))), Step::Keep { uid: "u-live".to_owned() });
}

#[test]
fn an_edit_by_others_is_undone_for_this_very_object() {
    let (service, child) = (service(json!({})), child(Kind::Service, &json!({"type": "ClusterIP"})));
    let mut live = made(&service, &child);
    live.object["spec"]["type"] = json!("NodePort");
    let Step::Update { body, path } = step(&service, &child, Some(&live)) else { panic!() };
    assert_eq!((path.as_str(), &body["metadata"]["uid"]), ("spec.type", &json!("u-live")));
    assert_eq!(body["metadata"].get("resourceVersion"), None, "others may change the rest of it meanwhile");
}

#[test]
fn a_field_that_left_the_plan_is_seen_by_the_hash() {
    let service = service(json!({}));
    let live = made(&service, &child(Kind::Service, &json!({"type": "ClusterIP", "sessionAffinity": "ClientIP"})));
    let smaller = child(Kind::Service, &json!({"type": "ClusterIP"}));
    let Step::Update { body, path } = step(&service, &smaller, Some(&live)) else { panic!() };
    assert_eq!(path, "metadata.annotations.microservices.dev/applied");
    assert_eq!(body["spec"].get("sessionAffinity"), None);
}

#[test]
fn whose_name_is_taken_is_refused_with_what_can_be_done() {
    let (service, child) = (service(json!({})), child(Kind::Service, &json!({})));
    let mut live = made(&service, &child);
    live.owner = Ownership::Foreign("not controlled by anything".to_owned());
    let Step::Refuse { message } = step(&service, &child, Some(&live)) else { panic!() };
    assert_eq!(
        message,
        "Service orders exists and is not controlled by anything; give this Microservice another name, delete that object, \
         or hand it over with the annotation microservices.dev/orphan-of=shop/orders"
    );
    live.owner = Ownership::Foreign("controlled by Helm web".to_owned());
    live.object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Helm", "name": "web", "uid": "u", "controller": true}]);
    let Step::Refuse { message } = step(&service, &child, Some(&live)) else { panic!() };
    assert!(message.ends_with("or remove that object through its owner"), "{message}");
}

#[test]
fn a_deployment_with_other_pods_cannot_be_taken_over() {
    let service = service(json!({"replicas": 3}));
    let with = |track: &str| child(Kind::Deployment, &json!({"selector": {"matchLabels": {"track": track}}}));
    for owner in [Ownership::Ours, Ownership::Orphaned, Ownership::Foreign("not controlled by anything".to_owned())] {
        let live = Live { owner, ..made(&service, &with("old")) };
        let Step::Refuse { message } = step(&service, &with("new"), Some(&live)) else { panic!() };
        assert_eq!(
            message,
            "Deployment orders exists and selects other pods, which the server does not let change; \
             give this Microservice another name, or delete that Deployment"
        );
    }
}

#[test]
fn what_was_left_behind_is_taken_over_and_what_is_going_is_waited_for() {
    let (service, child) = (service(json!({})), child(Kind::Service, &json!({})));
    let mut live = made(&service, &child);
    live.owner = Ownership::Orphaned;
    live.object["metadata"]["annotations"] = json!({});
    assert!(matches!(step(&service, &child, Some(&live)), Step::Update { .. }));
    live.deleting = true;
    live.owner = Ownership::Foreign("controlled by an earlier Microservice orders, which is deleted".to_owned());
    assert!(matches!(step(&service, &child, Some(&live)), Step::Wait { .. }), "it will be gone in a moment");
}

#[test]
fn a_service_does_not_move_between_an_address_and_none() {
    let service = service(json!({}));
    let headless = child(Kind::Service, &json!({"clusterIP": "None"}));
    let plain = child(Kind::Service, &json!({"type": "ClusterIP"}));
    let mut addressed = made(&service, &plain);
    addressed.object["spec"]["clusterIP"] = json!("10.0.0.7");
    for (wanted, live) in [(&headless, addressed), (&plain, made(&service, &headless))] {
        let Step::Replace { body, .. } = step(&service, wanted, Some(&live)) else { panic!() };
        assert_eq!((&body["metadata"]["resourceVersion"], body["metadata"].get("uid")), (&json!("1"), None));
        assert_eq!(body["spec"], wanted.object["spec"]);
    }
    assert!(matches!(step(&service, &headless, Some(&made(&service, &headless))), Step::Keep { .. }));
}

#[test]
fn a_fixed_number_is_ours_always() {
    let (service, child) = (service(json!({"replicas": 3})), child(Kind::Deployment, &json!({"replicas": 3})));
    assert_eq!(replicas_of(&step(&service, &child, None)), Some(&json!(3)));
    let mut live = made(&service, &child);
    assert!(matches!(step(&service, &child, Some(&live)), Step::Keep { .. }));
    live.object["spec"]["replicas"] = json!(5);
    live.claims_replicas = false;
    let update = step(&service, &child, Some(&live));
    assert_eq!(replicas_of(&update), Some(&json!(3)));
    let Step::Update { body, path } = update else { panic!() };
    assert_eq!(path, "spec.replicas");
    assert_eq!(body["metadata"]["resourceVersion"], json!("7"), "pods are taken away only from the state that was read");
    live.object["spec"]["replicas"] = json!(1);
    let Step::Update { body, .. } = step(&service, &child, Some(&live)) else { panic!() };
    assert_eq!(body["metadata"].get("resourceVersion"), None, "and added to any");
}

#[test]
fn an_autoscalers_number_is_neither_written_nor_undone() {
    let scaled = |spec: Value| Child { autoscaled: Some(Autoscaled { start: 2, at_least: 0 }), ..child(Kind::Deployment, &spec) };
    let (service, before) = (service(json!({})), scaled(json!({"paused": false})));
    assert_eq!(replicas_of(&step(&service, &before, None)), Some(&json!(2)), "the minimum, at creation");
    let after = scaled(json!({"paused": true}));
    let mut live = made(&service, &before);
    live.object["spec"]["replicas"] = json!(4);

    // Not yet taken over by the autoscaler: the number is repeated, for exactly the state that was read.
    assert!(matches!(step(&service, &before, Some(&live)), Step::Keep { .. }));
    let Step::Update { body, .. } = step(&service, &after, Some(&live)) else { panic!() };
    assert_eq!((&body["spec"]["replicas"], &body["metadata"]["resourceVersion"]), (&json!(4), &json!("7")));

    live.claims_replicas = false;
    assert!(matches!(step(&service, &before, Some(&live)), Step::Keep { .. }));
    let Step::Update { body, .. } = step(&service, &after, Some(&live)) else { panic!() };
    assert_eq!((body["spec"].get("replicas"), body["metadata"].get("resourceVersion")), (None, None));
}

#[test]
fn the_hash_does_not_depend_on_the_number_of_pods() {
    let child = child(Kind::Deployment, &json!({}));
    let hash = |service: &Service| match step(service, &child, None) {
        Step::Create { body } => body["metadata"]["annotations"][labels::APPLIED].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(hash(&service(json!({"replicas": 3}))), hash(&service(json!({"replicas": 4}))));
}

#[test]
fn pods_start_at_creation_and_with_another_template() {
    let service = service(json!({"replicas": 3}));
    let with = |image: &str, deadline: i32| {
        child(
            Kind::Deployment,
            &json!({"progressDeadlineSeconds": deadline, "template": {"spec": {"containers": [{"name": "a", "image": image}]}}}),
        )
    };
    let live = made(&service, &with("a", 1));
    assert!(starts_pods(&with("a", 1), None));
    assert!(!starts_pods(&with("a", 2), Some(&live)));
    assert!(starts_pods(&with("b", 1), Some(&live)));
}

#[test]
fn pods_are_taken_only_from_a_deployment_of_ours_that_has_more() {
    let service = service(json!({"replicas": 3}));
    let child = child(Kind::Deployment, &json!({"replicas": 3}));
    for (found, owner, expected) in
        [(5, Ownership::Ours, true), (3, Ownership::Ours, false), (1, Ownership::Ours, false), (5, Ownership::Orphaned, false)]
    {
        let mut live = Live { owner, ..made(&service, &child) };
        live.object["spec"]["replicas"] = json!(found);
        assert_eq!(takes_pods(&child, &live), expected, "{found}");
    }
}
