//! Services in the situations that people meet, as the operator reports them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::api::v1alpha1::Microservice;
use crate::cli::kubectl::family::{Family, Member, PodView};

pub const STABLE: &str = "5e6f7a8b";
pub const CANDIDATE: &str = "77ab01cd";

pub fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// A Microservice of generation 2, with these parts of spec and status in place of the usual ones.
pub fn service(spec: Value, status: Value) -> Microservice {
    let mut object = json!({
        "apiVersion": "microservices.dev/v1alpha1",
        "kind": "Microservice",
        "metadata": {
            "name": "orders", "namespace": "shop", "uid": "u-1", "generation": 2, "resourceVersion": "7",
            "creationTimestamp": "2026-11-20T09:00:00Z",
        },
        "spec": {"image": "ghcr.io/acme/orders:1.4.3", "port": 8080, "replicas": 4},
        "status": {
            "observedGeneration": 2,
            "readyText": "4/4",
            "revision": STABLE,
            "image": "ghcr.io/acme/orders:1.4.2@sha256:5ca1ab1e",
            "url": "http://orders.shop",
        },
    });
    for (part, changes) in [("spec", spec), ("status", status)] {
        let Value::Object(changes) = changes else { panic!("a map") };
        object[part].as_object_mut().unwrap().extend(changes);
    }
    serde_json::from_value(object).unwrap()
}

/// Conditions `type=status/reason: message`, the summary's three at once.
pub fn conditions(summary: &str, reason: &str, message: &str, available: bool) -> Value {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "observedGeneration": 2, "lastTransitionTime": "2026-11-22T09:58:00Z"})
    };
    let ready = match summary {
        "Ready" => "True",
        "Reconciling" => "Unknown",
        _ => "False",
    };
    let mut all = vec![condition("Ready", ready, reason, message)];
    if summary != "Ready" {
        all.push(condition(summary, "True", reason, message));
    }
    let is = if available { "True" } else { "False" };
    all.push(condition("Available", is, "MinimumAvailable", "enough pods serve"));
    Value::from(all)
}

pub fn ready() -> Family {
    let rollout = json!({"state": "Completed", "stableRevision": CANDIDATE, "stableDeployment": "orders"});
    let status = json!({
        "revision": CANDIDATE,
        "image": "ghcr.io/acme/orders:1.4.3@sha256:0ff1ce",
        "conditions": conditions("Ready", "Serving", "4 of 4 pods serve revision 77ab01cd", true),
        "rollout": rollout,
    });
    let mut family = family(service(json!({}), status), vec![deployment("orders", "stable", CANDIDATE, 4, 4)]);
    family.pods = (1..=4).map(|index| pod("orders-6d4cf56db6", index, &json!({"ready": true}))).collect();
    family
}

const CANARY: &str = r#"{"strategy": "Canary", "canary": {"steps": [
    {"setWeight": 25}, {"pause": {"manual": true}}, {"setWeight": 50}, {"pause": {"seconds": 600}}]}}"#;

fn canary() -> Value {
    serde_json::from_str(CANARY).unwrap()
}

fn under_way(more: Value) -> Value {
    let mut rollout = json!({
        "state": "Paused", "strategy": "Canary", "stableRevision": STABLE, "candidateRevision": CANDIDATE,
        "stableDeployment": "orders-5e6f7a8b", "candidateDeployment": "orders-77ab01cd", "steps": 4, "step": 1,
        "weight": 25, "observedWeight": 25, "startedAt": "2026-11-22T09:55:00Z", "stepStartedAt": "2026-11-22T09:57:00Z",
    });
    rollout.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    rollout
}

pub fn paused() -> Family {
    let message = "rolling from revision 5e6f7a8b to 77ab01cd: step 2 of 4, 25 % of the pods; go on with the annotation \
                   microservices.dev/promote=77ab01cd";
    let status = json!({"conditions": conditions("Reconciling", "RolloutPaused", message, true), "rollout": under_way(json!({}))});
    let mut family = family(service(json!({"rollout": canary()}), status), two(3, 1));
    family.pods = three_stable();
    family.pods.push(pod("orders-77ab01cd-9dccb4794", 4, &json!({"ready": true})));
    family
}

pub fn gated() -> Family {
    let message = "rolling from revision 5e6f7a8b to 77ab01cd: step 2 of 4, 25 % of the pods; gate `change-approval` is closed: answered 503; \
                   asked again every 10 to 60 s";
    let mut family = paused();
    let status = json!({"conditions": conditions("Reconciling", "RolloutPaused", message, true), "rollout": under_way(json!({}))});
    let mut rollout = canary();
    rollout["canary"]["steps"][1] = json!({"gate": {"webhook": "change-approval"}});
    family.object = service(json!({"rollout": rollout}), status);
    family
}

pub fn lacking() -> Family {
    let message = "rolling from revision 5e6f7a8b to 77ab01cd: step 1 of 4, 25 % of the pods; 0 of 1 pods of revision 77ab01cd are \
                   available; pod orders-77ab01cd-9dccb4794-4, container orders: ImagePullBackOff: not found; check `spec.image` and \
                   `spec.imagePullSecrets`";
    let rollout = under_way(json!({
        "state": "Progressing", "step": 0, "observedWeight": 0, "lackingSince": "2026-11-22T09:59:20Z",
        "handled": {"promote": CANDIDATE},
        "lastAction": {"verb": "promote", "value": CANDIDATE, "result": "Refused", "at": "2026-11-22T09:59:30Z",
            "message": "step 0 waits for its pods, not for a promotion; `77ab01cd:full` skips all steps that are left"},
    }));
    let status =
        json!({"readyText": "3/4", "conditions": conditions("Reconciling", "RolloutInProgress", message, true), "rollout": rollout});
    let mut family = family(service(json!({"rollout": canary(), "image": "ghcr.io/acme/orders:bad"}), status), two(3, 0));
    family.pods = three_stable();
    family.pods.push(pod(
        "orders-77ab01cd-9dccb4794",
        4,
        &json!({"ready": false, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}),
    ));
    family
}

pub fn waiting() -> Family {
    let message = "rolling from revision 5e6f7a8b to 77ab01cd: new pods are ready; go on with the annotation \
                   microservices.dev/promote=77ab01cd";
    let rollout = under_way(json!({"strategy": "BlueGreen", "steps": 3, "step": 1, "weight": 0, "observedWeight": 0}));
    let status = json!({"conditions": conditions("Reconciling", "RolloutPaused", message, true), "rollout": rollout});
    let spec = json!({"rollout": {"strategy": "BlueGreen", "blueGreen": {"autoPromotion": false}}});
    let mut family = family(service(spec, status), two(4, 4));
    for member in family.children.iter_mut().filter(|member| member.kind == "Service") {
        member.value["spec"]["selector"]["microservices.dev/revision"] = json!(STABLE);
    }
    family.pods = (1..=4).map(|index| pod("orders-5e6f7a8b-75586b575c", index, &json!({"ready": true}))).collect();
    family.pods.extend((5..=8).map(|index| pod("orders-77ab01cd-9dccb4794", index, &json!({"ready": true}))));
    family
}

pub fn rolled_back() -> Family {
    let failure = "0 of 1 pods of revision 77ab01cd are available; pod orders-77ab01cd-9dccb4794-4, container orders: ImagePullBackOff: \
                   not found; check `spec.image` and `spec.imagePullSecrets`";
    let message = format!(
        "{failure}; rolled back to revision 5e6f7a8b, which serves with 4 pods. Change the spec, or try again with the annotation \
         microservices.dev/retry=77ab01cd"
    );
    let rollout = json!({
        "state": "RolledBack", "stableRevision": STABLE, "stableDeployment": "orders-5e6f7a8b", "failedRevision": CANDIDATE,
        "failure": {"reason": "ProgressDeadlineExceeded", "message": failure, "at": "2026-11-22T09:50:00Z"},
        "parked": [{"revision": CANDIDATE, "deployment": "orders-77ab01cd", "until": "2026-11-22T10:00:25Z"}],
    });
    let status = json!({"conditions": conditions("Stalled", "ProgressDeadlineExceeded", &message, true), "rollout": rollout});
    let children = vec![deployment("orders-5e6f7a8b", "stable", STABLE, 4, 4), deployment("orders-77ab01cd", "parked", CANDIDATE, 0, 1)];
    let mut family = family(service(json!({"rollout": canary(), "image": "ghcr.io/acme/orders:bad"}), status), children);
    family.pods = (1..=4).map(|index| pod("orders-5e6f7a8b-75586b575c", index, &json!({"ready": true}))).collect();
    family.unread = vec!["you may not list networkpolicies; ask the cluster's administrator for these rights".to_owned()];
    for member in family.children.iter_mut().filter(|member| member.kind == "NetworkPolicy") {
        *member = Member { value: Value::Null, read: false, ..member.clone() };
    }
    family
}

pub fn stalled() -> Family {
    let problem = "spec.probes.readiness.httpGet.port: this container has no port named `htpp`: there is `http`";
    let status = json!({
        "conditions": conditions("Stalled", "InvalidSpec", problem, true),
        "rollout": {"state": "Completed", "stableRevision": STABLE, "stableDeployment": "orders"},
        "problems": [
            {"field": "spec.probes.readiness.httpGet.port", "severity": "Error", "reason": "UnknownPort",
                "message": "this container has no port named `htpp`: there is `http`"},
            {"field": "spec.image", "severity": "Warning", "reason": "MovingTag", "message": "no tag means `latest`, which moves"},
        ],
    });
    family(service(json!({}), status), vec![deployment("orders", "stable", STABLE, 4, 4)])
}

pub fn fresh() -> Family {
    let mut object = service(json!({}), json!({}));
    object.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now()));
    object.status = None;
    Family { object, ..Family::default() }
}

fn two(stable: i64, candidate: i64) -> Vec<Member> {
    let wanted = candidate.max(1);
    vec![
        deployment("orders-5e6f7a8b", "stable", STABLE, stable, stable),
        deployment("orders-77ab01cd", "candidate", CANDIDATE, candidate, wanted),
    ]
}

fn three_stable() -> Vec<PodView> {
    (1..=3).map(|index| pod("orders-5e6f7a8b-75586b575c", index, &json!({"ready": true}))).collect()
}

/// A service with these Deployments, and the other children that every service with a fixed number of pods has.
pub fn family(object: Microservice, mut children: Vec<Member>) -> Family {
    let service = json!({"spec": {"type": "ClusterIP", "clusterIP": "10.96.4.2", "ports": [{"port": 80, "targetPort": "http"}]}});
    let others = [
        ("Service", "orders", service),
        ("PodDisruptionBudget", "orders", json!({"status": {"disruptionsAllowed": 1}})),
        ("NetworkPolicy", "orders", json!({"spec": {"ingress": [{}], "egress": [{}, {}]}})),
        ("ServiceAccount", "orders", json!({})),
        ("ControllerRevision", "orders-5e6f7a8b", json!({"revision": 1})),
        ("ControllerRevision", "orders-77ab01cd", json!({"revision": 2})),
    ];
    children.extend(others.map(|(kind, name, value)| Member { kind: kind.to_owned(), name: name.to_owned(), value, read: true }));
    Family { object, children, ..Family::default() }
}

fn deployment(name: &str, role: &str, revision: &str, ready: i64, wanted: i64) -> Member {
    let value = json!({
        "metadata": {"labels": {"microservices.dev/role": role}, "annotations": {"microservices.dev/revision": revision}},
        "spec": {"replicas": wanted},
        "status": {"readyReplicas": ready},
    });
    Member { kind: "Deployment".to_owned(), name: name.to_owned(), value, read: true }
}

/// A pod of a ReplicaSet, with one container in this state.
fn pod(set: &str, index: usize, container: &Value) -> PodView {
    let mut status = json!({"name": "orders", "image": "", "imageID": "", "restartCount": 0});
    status.as_object_mut().unwrap().extend(container.as_object().cloned().unwrap());
    let ready = if container["ready"] == true { "True" } else { "False" };
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {
            "name": format!("{set}-{index}"),
            "creationTimestamp": "2026-11-22T09:55:00Z",
            "labels": {"microservices.dev/revision": if set.contains(CANDIDATE) { CANDIDATE } else { STABLE }},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set, "uid": "r", "controller": true}],
        },
        "status": {"phase": if ready == "True" { "Running" } else { "Pending" }, "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [status]},
    }))
    .unwrap();
    PodView::of(&pod)
}
