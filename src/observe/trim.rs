//! What is kept of an object, and which service it belongs to.
//!
//! Everything that is dropped here is also deaf: a change in it neither costs memory nor starts a pass. That is the
//! point for an autoscaler's metrics, which change every few seconds for ever.

use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};
use kube::core::ObjectMeta;
use serde_json::{Map, Value, json};

use crate::api::labels;
use crate::model::Kind;

use super::key::{Key, Watched, is_microservice};
use super::packed::Packed;
use super::seen::{Fields, PodFields, Seen, SliceFields};
use super::text::cut;
use super::world::{ContainerState, Pod};

/// Holds a copy of the whole manifest, made by client-side `kubectl apply`.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Bytes that are kept of a message on a pod. Schedulers list every node, and runtimes the last lines of a program.
const LONGEST_MESSAGE: usize = 512;
/// Prefix of image ids in clusters whose runtime was Docker.
const DOCKER_PULLABLE: &str = "docker-pullable://";

/// Label of an EndpointSlice that names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What is remembered of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A Microservice or a child, as JSON.
    Object { body: Packed, claims_replicas: bool },
    /// Ready endpoints of a Service, of one of its slices.
    Endpoints { service: Box<str>, address_type: Box<str>, ready: i32 },
    /// A [`Pod`].
    Pod { body: Packed, class: Class, revision: Option<Box<str>> },
}

/// State of a pod, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A container cannot start, or does not stay up.
    Failing,
    /// No node takes it.
    Unscheduled,
    /// Not ready, for no reason that it tells.
    Starting,
    /// Ended, e.g. evicted, and not yet collected.
    Over,
    Ready,
    /// Being deleted: tells nothing of the service.
    Leaving,
}

/// A Microservice or a child.
pub fn object(watched: Watched, seen: Seen<Fields>) -> Fact {
    let Seen { mut metadata, claims_replicas, mut body } = seen;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
    // Kept beside the body, so that a change in nothing else is seen as no change.
    metadata.resource_version = None;
    match watched {
        Watched::Microservice | Watched::Profile | Watched::Pod | Watched::EndpointSlice | Watched::Child(Kind::Deployment) => {}
        Watched::Child(Kind::HTTPRoute | Kind::GRPCRoute) => {
            let parents = body.get_mut("status").and_then(|status| status.get_mut("parents")).and_then(Value::as_array_mut);
            parents.into_iter().flatten().filter_map(Value::as_object_mut).for_each(timeless);
        }
        Watched::UserRoute(_) => {
            let annotations = metadata.annotations.take().unwrap_or_default();
            let marks = annotations.into_iter().filter(|(key, _)| key.starts_with(labels::SHARED_FOR)).collect();
            metadata = ObjectMeta {
                name: metadata.name,
                namespace: metadata.namespace,
                uid: metadata.uid,
                generation: metadata.generation,
                annotations: Some(marks),
                ..ObjectMeta::default()
            };
            body = backends(&mut body);
        }
        Watched::Child(Kind::HorizontalPodAutoscaler) => {
            body.get_mut("status").and_then(Value::as_object_mut).into_iter().for_each(quieten);
        }
        Watched::Child(_) => {
            body.remove("status");
        }
    }
    let resource = watched.resource();
    body.insert("apiVersion".to_owned(), Value::String(resource.api_version));
    body.insert("kind".to_owned(), Value::String(resource.kind));
    body.insert("metadata".to_owned(), serde_json::to_value(metadata).unwrap_or_default());
    Fact::Object { body: Packed::of(watched, &Value::Object(body)), claims_replicas }
}

/// All that is needed of a route of the user's to see where it leads and what its gateways say: of thousands of routes most
/// are of no concern, and their matches and filters are the larger part of them.
fn backends(body: &mut Map<String, Value>) -> Map<String, Value> {
    let rules = body.get_mut("spec").and_then(|spec| spec.get_mut("rules")).and_then(Value::as_array_mut);
    let of_rule = |rule: &mut Value| json!({"backendRefs": rule.get_mut("backendRefs").map(Value::take).unwrap_or_default()});
    let rules: Vec<Value> = rules.into_iter().flatten().map(of_rule).collect();
    let parents = body.get_mut("status").and_then(|status| status.get_mut("parents")).and_then(Value::as_array_mut);
    let conditions = |mut parent: Value| {
        parent.as_object_mut().into_iter().for_each(timeless);
        json!({"conditions": parent.get_mut("conditions").map(Value::take).unwrap_or_default()})
    };
    let parents: Vec<Value> = parents.into_iter().flatten().map(|parent| conditions(parent.take())).collect();
    Map::from_iter([("spec".to_owned(), json!({"rules": rules})), ("status".to_owned(), json!({"parents": parents}))])
}

/// Services whose share a route of the user's has at this moment.
pub fn shared_for(metadata: &ObjectMeta) -> Vec<Box<str>> {
    let annotations = metadata.annotations.iter().flatten();
    annotations.filter_map(|(key, _)| key.strip_prefix(labels::SHARED_FOR)).map(Into::into).collect()
}

/// Takes out of an autoscaler's status what changes with every look at the load: the metrics, the times, and the words
/// in which it says that all is well. What is wrong, and which bound it met, stays.
fn quieten(status: &mut Map<String, Value>) {
    status.remove("currentMetrics");
    let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten().filter_map(Value::as_object_mut) {
        condition.remove("lastTransitionTime");
        let well = condition.get("status").and_then(Value::as_str) == Some("True");
        let bound = condition.get("type").and_then(Value::as_str) == Some("ScalingLimited");
        if well || bound {
            condition.remove("message");
        }
        if well && !bound {
            condition.remove("reason");
        }
    }
}

/// Takes the times out of a route's verdict: controllers renew them with no news.
fn timeless(parent: &mut Map<String, Value>) {
    let conditions = parent.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten().filter_map(Value::as_object_mut) {
        condition.remove("lastTransitionTime");
    }
}

/// An EndpointSlice.
pub fn endpoints(seen: &Seen<SliceFields>) -> Fact {
    let service = seen.metadata.labels.as_ref().and_then(|all| all.get(SERVICE_NAME)).map(String::as_str).unwrap_or_default();
    let ready = i32::try_from(seen.body.ready).unwrap_or(i32::MAX);
    Fact::Endpoints { service: service.into(), address_type: seen.body.address_type.as_str().into(), ready }
}

/// A pod.
pub fn pod(seen: &Seen<PodFields>) -> Fact {
    let pod = summary(&seen.metadata, &seen.body.0);
    let class = class(&pod, seen.metadata.deletion_timestamp.is_some());
    Fact::Pod { body: Packed::of(Watched::Pod, &pod), class, revision: pod.revision.as_deref().map(Into::into) }
}

/// The service that a child belongs to: the Microservice that controls it; else the one that left it behind; else the
/// one that its label names, so that a child in the way of a service is found with that service.
pub fn family(metadata: &ObjectMeta) -> Key {
    let key = Key::of(metadata);
    let owners = metadata.owner_references.iter().flatten();
    let controller = owners.filter(|owner| owner.controller == Some(true)).find(|owner| is_microservice(&owner.api_version, &owner.kind));
    if let Some(owner) = controller {
        return Key { name: owner.name.as_str().into(), ..key };
    }
    let annotation = metadata.annotations.as_ref().and_then(|all| all.get(labels::ORPHAN_OF));
    if let Some((namespace, name)) = annotation.and_then(|of| of.split_once('/'))
        && *namespace == *key.namespace
    {
        return Key { name: name.into(), ..key };
    }
    let instance = metadata.labels.as_ref().and_then(|all| all.get(labels::INSTANCE));
    instance.map_or(key.clone(), |name| Key { name: name.as_str().into(), ..key })
}

/// What counts of a pod.
pub fn summary(metadata: &ObjectMeta, status: &PodStatus) -> Pod {
    let scheduled = status.conditions.iter().flatten().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    let ready = status.conditions.iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let main = status.container_statuses.iter().flatten();
    let images = main.clone().filter(|container| !container.image_id.is_empty()).map(|container| {
        let id = container.image_id.strip_prefix(DOCKER_PULLABLE).unwrap_or(&container.image_id);
        (container.name.clone(), id.to_owned())
    });
    // A pod that serves has nothing to tell of its containers.
    let first = status.init_container_statuses.iter().flatten().filter(|container| !has_done_its_work(container));
    let containers = if ready { Vec::new() } else { first.chain(main).filter_map(container).collect() };
    Pod {
        name: metadata.name.clone().unwrap_or_default(),
        revision: metadata.labels.as_ref().and_then(|all| all.get(labels::REVISION)).cloned(),
        ready,
        phase: status.phase.clone().unwrap_or_default(),
        unscheduled: scheduled.map(|condition| short(condition.message.as_ref().or(condition.reason.as_ref()))),
        containers,
        images: images.collect(),
    }
}

/// An init container that ended well is no trouble; any other container that ended is.
fn has_done_its_work(init: &ContainerStatus) -> bool {
    init.state.as_ref().and_then(|state| state.terminated.as_ref()).is_some_and(|ended| ended.exit_code == 0)
}

/// A container that does not run well; `None` for one that does.
fn container(status: &ContainerStatus) -> Option<ContainerState> {
    if status.ready {
        return None;
    }
    let state = status.state.clone().unwrap_or_default();
    let last = status.last_state.clone().unwrap_or_default();
    let ended = state.terminated.or(last.terminated);
    let (reason, message) = match (state.waiting, &ended) {
        (Some(waiting), _) => (waiting.reason, waiting.message),
        (None, Some(ended)) => (ended.reason.clone(), ended.message.clone()),
        (None, None) => (None, None),
    };
    Some(ContainerState {
        name: status.name.clone(),
        ready: false,
        restarts: status.restart_count,
        reason: short(reason.as_ref()),
        message: short(message.as_ref()),
        exit_code: ended.map(|ended| ended.exit_code),
    })
}

fn short(text: Option<&String>) -> String {
    text.map(|text| cut(text, LONGEST_MESSAGE).to_owned()).unwrap_or_default()
}

fn class(pod: &Pod, leaving: bool) -> Class {
    let failing = |container: &ContainerState| {
        container.restarts > 0 || !matches!(container.reason.as_str(), "" | "ContainerCreating" | "PodInitializing")
    };
    match pod.phase.as_str() {
        _ if leaving => Class::Leaving,
        "Failed" | "Succeeded" => Class::Over,
        _ if pod.ready => Class::Ready,
        _ if pod.containers.iter().any(failing) => Class::Failing,
        _ if pod.unscheduled.is_some() => Class::Unscheduled,
        _ => Class::Starting,
    }
}
