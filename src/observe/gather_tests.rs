//! Worlds from rows.

use serde_json::json;

use super::*;
use crate::observe::seen::{Fields, PodFields, Seen};
use crate::observe::trim;
use crate::observe::version::Version;

fn key() -> Key {
    Key::new("shop", "orders")
}

/// A row as the watch of its kind would make it.
fn row(watched: Watched, object: &Value) -> Row {
    let text = object.to_string();
    let (name, fact) = if watched == Watched::Pod {
        let seen: Seen<PodFields> = serde_json::from_str(&text).unwrap();
        (seen.metadata.name.clone().unwrap(), trim::pod(&seen))
    } else {
        let seen: Seen<Fields> = serde_json::from_str(&text).unwrap();
        (seen.metadata.name.clone().unwrap(), trim::object(watched, seen))
    };
    Row::new(&key(), watched, &name, Version::Number(7), fact)
}

fn main_row() -> Row {
    row(
        Watched::Microservice,
        &json!({
            "metadata": {"name": "orders", "namespace": "shop", "uid": "u-1", "generation": 3, "resourceVersion": "7",
                         "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"}},
            "spec": {"image": "orders:1", "port": 8080},
            "status": {"observedGeneration": 2}
        }),
    )
}

fn child(kind: Kind, name: &str, mut fields: Value) -> Row {
    fields["metadata"]["name"] = json!(name);
    fields["metadata"]["namespace"] = json!("shop");
    fields["metadata"]["uid"] = json!(format!("u-{name}"));
    row(Watched::Child(kind), &fields)
}

fn ours() -> Value {
    json!({"ownerReferences": [
        {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u-9"},
        {"apiVersion": "microservices.dev/v1alpha1", "kind": "Microservice", "name": "orders", "uid": "u-1", "controller": true}
    ]})
}

fn pod(name: &str, revision: &str, status: &Value) -> Row {
    row(
        Watched::Pod,
        &json!({"metadata": {"name": name, "namespace": "shop",
                             "labels": {"app.kubernetes.io/instance": "orders", "microservices.dev/revision": revision}},
                "status": status}),
    )
}

fn ready() -> Value {
    json!({
        "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{"name": "orders", "ready": true, "restartCount": 2, "image": "orders:1",
                               "imageID": "docker-pullable://registry.example.com/orders@sha256:aa", "state": {"running": {}}}]
    })
}

fn waiting(reason: &str) -> Value {
    json!({
        "phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "orders", "ready": false, "restartCount": 0, "image": "orders:1", "imageID": "",
                               "state": {"waiting": {"reason": reason, "message": "m"}}}]
    })
}

fn world(rows: &[Row]) -> World {
    assemble(&key(), rows).unwrap().unwrap()
}

#[test]
fn without_a_microservice_there_is_no_world() {
    assert!(assemble(&key(), &[]).unwrap().is_none());
    assert!(assemble(&key(), &[child(Kind::Service, "orders", json!({"metadata": ours()}))]).unwrap().is_none());
}

#[test]
fn the_object_comes_with_status_and_version_and_without_copies_of_itself() {
    let object = world(&[main_row()]).object;
    assert_eq!(object.metadata.resource_version.as_deref(), Some("7"));
    assert_eq!(object.metadata.generation, Some(3));
    assert_eq!(object.spec.port, Some(8080));
    assert_eq!(object.status.unwrap().observed_generation, Some(2));
    assert_eq!(object.metadata.annotations.unwrap().into_keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn an_object_that_the_types_cannot_hold_is_said_by_name_and_field() {
    let row = row(Watched::Microservice, &json!({"metadata": {"name": "orders", "namespace": "shop", "uid": "u-1"}, "spec": {"image": 5}}));
    let error = assemble(&key(), &[row]).unwrap_err();
    assert_eq!((error.key.to_string().as_str(), error.uid.as_str()), ("shop/orders", "u-1"));
    assert!(error.message.contains("invalid type: integer `5`"), "{}", error.message);
    assert!(error.to_string().starts_with("shop/orders cannot be read: "), "{error}");
}

#[test]
fn children_say_whose_they_are() {
    let namesake = json!({"ownerReferences": [
        {"apiVersion": "microservices.dev/v1alpha1", "kind": "Microservice", "name": "orders", "uid": "u-0", "controller": true}]});
    let foreign =
        json!({"ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u-2", "controller": true}]});
    let orphan = |of: &str| json!({"annotations": {"microservices.dev/orphan-of": of}});
    for (metadata, owner, deleting) in [
        (ours(), Ownership::Ours, false),
        (orphan("shop/orders"), Ownership::Orphaned, false),
        (orphan("bank/orders"), Ownership::Foreign("left behind by Microservice bank/orders".to_owned()), false),
        (foreign, Ownership::Foreign("controlled by Deployment web".to_owned()), false),
        (namesake, Ownership::Foreign("controlled by an earlier Microservice orders, which is deleted".to_owned()), true),
        (json!({}), Ownership::Foreign("not controlled by anything".to_owned()), false),
        (json!({"deletionTimestamp": "2026-11-22T10:00:00Z"}), Ownership::Foreign("not controlled by anything".to_owned()), true),
    ] {
        let world =
            world(&[main_row(), child(Kind::Service, "orders", json!({"metadata": metadata, "spec": {}, "status": {"loadBalancer": {}}}))]);
        let [live] = &world.children[..] else { panic!("{:?}", world.children) };
        assert_eq!((&live.owner, live.deleting), (&owner, deleting), "{metadata}");
        assert_eq!((live.uid.as_str(), live.resource_version.as_str()), ("u-orders", "7"));
        assert_eq!((&live.object["kind"], &live.object["apiVersion"], live.object.get("status")), (&json!("Service"), &json!("v1"), None));
    }
}

#[test]
fn workload_and_autoscaler_come_typed_with_status_if_they_are_ours() {
    let deployment = |metadata: Value| {
        child(
            Kind::Deployment,
            "orders",
            json!({
        "metadata": metadata, "spec": {"replicas": 3, "selector": {}, "template": {}}, "status": {"replicas": 2}}),
        )
    };
    let autoscaler = child(
        Kind::HorizontalPodAutoscaler,
        "orders",
        json!({
        "metadata": ours(), "spec": {"maxReplicas": 6, "scaleTargetRef": {"kind": "Deployment", "name": "orders"}},
        "status": {"desiredReplicas": 4, "currentMetrics": [{"type": "Resource"}], "conditions": [
            {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": "m",
             "lastTransitionTime": "2026-11-22T10:00:00Z"},
            {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "m"},
            {"type": "ScalingLimited", "status": "True", "reason": "TooFewReplicas", "message": "m"}]}}),
    );
    let found = world(&[main_row(), deployment(ours()), autoscaler]);
    assert_eq!(found.deployments[0].clone().status.unwrap().replicas, Some(2));
    let status = found.autoscaler.unwrap().status.unwrap();
    assert_eq!((status.desired_replicas, status.current_metrics), (4, None), "metrics tick for ever and are not kept");
    let conditions = status.conditions.unwrap();
    let kept: Vec<_> = conditions
        .iter()
        .map(|c| (c.type_.as_str(), c.reason.as_deref(), c.message.as_deref(), c.last_transition_time.is_some()))
        .collect();
    assert_eq!(
        kept,
        [
            ("AbleToScale", None, None, false),
            ("ScalingActive", Some("FailedGetResourceMetric"), Some("m"), false),
            ("ScalingLimited", Some("TooFewReplicas"), None, false)
        ]
    );
    assert!(found.children.iter().all(|live| live.object.get("status").is_none()));

    assert!(world(&[main_row(), deployment(json!({}))]).deployments.is_empty());
    let orphan = json!({"annotations": {"microservices.dev/orphan-of": "shop/orders"}});
    assert!(!world(&[main_row(), deployment(orphan)]).deployments.is_empty(), "with deletionPolicy Orphan, ours look like this");
}

#[test]
fn revisions_come_oldest_first_and_only_complete_ones() {
    let recorded = |name: &str, number: i64, metadata: Value| {
        child(
            Kind::ControllerRevision,
            name,
            json!({
        "metadata": metadata, "revision": number, "data": {"spec": {"containers": []}}}),
        )
    };
    let with_inputs = || {
        let mut metadata = ours();
        metadata["annotations"] = json!({"microservices.dev/inputs": "i-1"});
        metadata
    };
    let found = world(&[
        main_row(),
        recorded("orders-bbbbbbbb", 2, with_inputs()),
        recorded("orders-aaaaaaaa", 1, with_inputs()),
        recorded("orders-cccccccc", 3, ours()),
        recorded("orders-dddddddd", 4, json!({"annotations": {"microservices.dev/inputs": "i-1"}})),
    ]);
    let hashes: Vec<_> = found.revisions.iter().map(|revision| (revision.hash.as_str(), revision.number)).collect();
    assert_eq!(hashes, [("aaaaaaaa", 1), ("bbbbbbbb", 2)]);
    assert_eq!((found.revisions[0].inputs.as_str(), &found.revisions[0].template), ("i-1", &json!({"spec": {"containers": []}})));
    assert_eq!(found.children.len(), 4);
}

#[test]
fn of_many_pods_a_few_tell_the_story() {
    let mut rows = vec![main_row()];
    for number in 0..200 {
        rows.push(pod(&format!("orders-1-{number:04}"), "aaaaaaaa", &ready()));
        rows.push(pod(&format!("orders-2-{number:04}"), "bbbbbbbb", &waiting("ImagePullBackOff")));
    }
    rows.push(pod("orders-2-ready", "bbbbbbbb", &ready()));
    rows.push(pod("orders-0-old", "cccccccc", &waiting("ContainerCreating")));
    let pods = world(&rows).pods;
    let names: Vec<_> = pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(names[..3], ["orders-2-0000", "orders-0-old", "orders-2-0001"], "the worst of each revision, then the next of each");
    assert_eq!(names[10..], ["orders-1-0000", "orders-2-ready"]);
    assert_eq!(pods[10].images["orders"], "registry.example.com/orders@sha256:aa");
    assert!(pods[10].containers.is_empty());
}

#[test]
fn pods_tell_why_they_do_not_serve() {
    let crash = json!({
        "phase": "Running", "conditions": [{"type": "Ready", "status": "False"}],
        "initContainerStatuses": [
            {"name": "done", "ready": true, "restartCount": 0, "image": "", "imageID": "",
             "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
            {"name": "also-done", "ready": false, "restartCount": 1, "image": "", "imageID": "", "state": {"terminated": {"exitCode": 0}}}],
        "containerStatuses": [
            {"name": "orders", "ready": false, "restartCount": 4, "image": "", "imageID": "x",
             "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
             "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}},
            {"name": "proxy", "ready": true, "restartCount": 0, "image": "", "imageID": "y", "state": {"running": {}}}]
    });
    let unscheduled = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]});
    let ended = json!({"phase": "Running", "containerStatuses": [
        {"name": "orders", "ready": false, "restartCount": 0, "image": "", "imageID": "",
         "state": {"terminated": {"exitCode": 0, "reason": "Completed", "message": "x".repeat(2000)}}}]});
    let mut leaving = pod("leaving", "r", &waiting("ImagePullBackOff"));
    if let Fact::Pod { class, .. } = &mut leaving.fact {
        *class = Class::Leaving;
    }
    let found = world(&[
        main_row(),
        leaving,
        pod("over", "r", &json!({"phase": "Failed"})),
        pod("starting", "r", &waiting("PodInitializing")),
        pod("unscheduled", "r", &unscheduled),
        pod("ended", "r", &ended),
        pod("crash", "r", &crash),
    ]);
    let names: Vec<_> = found.pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(names, ["crash", "ended", "unscheduled", "starting", "over"]);
    let [orders] = &found.pods[0].containers[..] else { panic!("{:?}", found.pods[0]) };
    assert_eq!((orders.reason.as_str(), orders.restarts, orders.exit_code), ("CrashLoopBackOff", 4, Some(137)));
    assert_eq!((found.pods[1].containers[0].exit_code, found.pods[1].containers[0].message.len()), (Some(0), 512));
    assert_eq!(found.pods[2].unscheduled.as_deref(), Some("0/3 nodes"));
}

#[test]
fn a_pod_that_is_being_deleted_is_told_by_its_timestamp() {
    let object = json!({"metadata": {"name": "a", "namespace": "shop", "deletionTimestamp": "2026-11-22T10:00:00Z"}, "status": ready()});
    assert!(matches!(row(Watched::Pod, &object).fact, Fact::Pod { class: Class::Leaving, .. }));
}

#[test]
fn a_child_whose_owner_reference_was_taken_off_stays_ours_if_it_is_in_the_inventory() {
    let main = row(
        Watched::Microservice,
        &json!({
            "metadata": {"name": "orders", "namespace": "shop", "uid": "u-1", "generation": 1, "resourceVersion": "7"},
            "spec": {"image": "orders:1"},
            "status": {"observedGeneration": 1, "inventory": [{"version": "v1", "kind": "Service", "name": "orders", "uid": "u-orders"}]}
        }),
    );
    let stripped = world(&[main.clone(), child(Kind::Service, "orders", json!({}))]);
    assert_eq!(stripped.children[0].owner, Ownership::Ours);
    let namesake = world(&[main, child(Kind::Service, "other", json!({}))]);
    assert!(matches!(namesake.children[0].owner, Ownership::Foreign(_)), "another uid is another object");
}
