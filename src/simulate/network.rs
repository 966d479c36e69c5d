//! The controllers of EndpointSlices and of a gateway, as far as routes depend on them.

use serde_json::{Value, json};

use crate::api::labels;
use crate::model::Kind;
use crate::observe::Watched;

use super::autoscaler::{is_ready, selects};
use super::store::{By, Change, Id, Store};

const SLICES: By<'static> = By::other("endpointslice-controller");
/// Who says that a route is accepted.
pub const GATEWAY: &str = "gateway";

/// Names of the Services whose endpoints somebody watches.
pub fn routed(store: &Store) -> Vec<String> {
    let services = store.all(Watched::Child(Kind::Service));
    services.filter(|(_, service)| is_marked(service)).map(|(id, _)| id.name.clone()).collect()
}

/// Whether a change of a Service is one that changes its endpoints.
pub fn concerns(change: &Change) -> bool {
    change.before.iter().chain(&change.after).any(|service| is_marked(service))
}

fn is_marked(service: &Value) -> bool {
    service.pointer("/metadata/labels").is_some_and(|all| all.get(labels::ROUTED).is_some())
}

/// One look at a Service: its slice holds the pods that it selects and that are ready.
pub fn sync(store: &mut Store, name: &str) {
    let id = Id::new(Watched::EndpointSlice, &format!("{name}-abcde"));
    let Some(service) = store.get(&Id::child(Kind::Service, name)).cloned() else {
        drop(store.delete(SLICES, &id, &kube::api::DeleteParams::default()));
        return;
    };
    let selector = service.pointer("/spec/selector");
    let ready = store.all(Watched::Pod).filter(|(_, pod)| is_ready(pod) && selects(selector, pod));
    let endpoints: Vec<Value> = ready.map(|(id, _)| json!({"conditions": {"ready": true}, "targetRef": {"name": id.name}})).collect();
    let mut all = service.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    all["kubernetes.io/service-name"] = json!(name);
    let body = json!({"metadata": {"labels": all}, "addressType": "IPv4", "endpoints": endpoints});
    if store.get(&id).is_none() {
        store.create(SLICES, &id, &body);
    } else {
        drop(store.edit(SLICES, &id, |object| {
            object["endpoints"] = body["endpoints"].clone();
            object["metadata"]["labels"] = body["metadata"]["labels"].clone();
        }));
    }
}

/// A gateway takes a route as it is now.
pub fn accept(store: &mut Store, id: &Id) {
    let Some(generation) = store.get(id).and_then(|route| route.pointer("/metadata/generation").cloned()) else { return };
    if store.get(id).and_then(|route| route.pointer("/status/parents/0/conditions/0/observedGeneration")) == Some(&generation) {
        return;
    }
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": generation});
    let status =
        json!({"parents": [{"controllerName": "example.com/gateway", "conditions": [condition("Accepted"), condition("ResolvedRefs")]}]});
    drop(store.edit(By::other(GATEWAY), id, |object| object["status"] = status));
}
