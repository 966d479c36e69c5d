//! Routes of the Gateway API: which requests lead here, and how they split between the revisions.
//!
//! A route is ours as a whole. Weights cannot be shared with anybody: rules and their backends are atomic lists.

use serde_json::{Value, json};

use super::metadata::{child, metadata};
use super::names;
use super::service::{canary_name, stable_name};
use crate::api::v1alpha1::PathType;
use crate::model::{Child, Header, Kind, Route, Service};
use crate::observe::World;
use crate::plan::rollout::layout::Layout;
use crate::plan::rollout::routed::Share;

const GROUP: &str = "gateway.networking.k8s.io";

/// The routes of the kinds that the cluster serves. Each default is written out: what the server fills in inside a list would
/// otherwise look like somebody's edit.
pub fn build(service: &Service, layout: &Layout, world: &World) -> Vec<Child> {
    let served = service.routes.iter().filter(|route| !world.unserved.contains(&route.kind));
    served.map(|route| one(service, route, layout.share.as_ref())).collect()
}

fn one(service: &Service, route: &Route, share: Option<&Share>) -> Child {
    let metadata = metadata(service, &names::suffixed(&service.name, &route.name));
    let mut parent = json!({
        "group": GROUP, "kind": "Gateway", "name": route.gateway.name,
        "namespace": route.gateway.namespace.as_ref().unwrap_or(&service.namespace),
    });
    if let Some(section) = &route.gateway.section_name {
        parent["sectionName"] = json!(section);
    }
    let object = json!({
        "apiVersion": route.kind.api_version(), "kind": route.kind.name(), "metadata": metadata,
        "spec": {"parentRefs": [parent], "hostnames": route.hosts, "rules": rules(service, route, share)},
    });
    child(route.kind, &metadata, &object)
}

/// The requests that are the candidate's own come first: of two rules that match equally well the first one counts.
fn rules(service: &Service, route: &Route, share: Option<&Share>) -> Vec<Value> {
    let weight = share.map_or(0, |share| share.weight);
    let backend = |name: String, weight: i32| json!({"group": "", "kind": "Service", "name": name, "port": route.port.1, "weight": weight});
    let (stable, canary) = (stable_name(&service.name), canary_name(&service.name));
    let backends = json!([backend(stable, 100 - weight), backend(canary.clone(), weight)]);
    let mut main = json!({"matches": matches(route, &[]), "backendRefs": backends});
    let mirror = share.map_or(0, |share| share.mirror);
    if mirror > 0 {
        let target = json!({"group": "", "kind": "Service", "name": canary, "port": route.port.1});
        main["filters"] = json!([{"type": "RequestMirror", "requestMirror": {"backendRef": target, "percent": mirror}}]);
    }
    let own = share
        .filter(|share| !share.headers.is_empty())
        .map(|share| json!({"matches": matches(route, &share.headers), "backendRefs": [backend(canary_name(&service.name), 100)]}));
    own.into_iter().chain([main]).collect()
}

fn matches(route: &Route, headers: &[Header]) -> Vec<Value> {
    let headers: Vec<Value> =
        headers.iter().map(|header| json!({"type": header.kind, "name": header.name, "value": header.value})).collect();
    let with = |mut entry: Value| {
        if !headers.is_empty() {
            entry["headers"] = json!(headers);
        }
        entry
    };
    if route.kind == Kind::GRPCRoute {
        return if headers.is_empty() { Vec::new() } else { vec![with(json!({}))] };
    }
    let all = [("/".to_owned(), PathType::Prefix)];
    let paths = if route.paths.is_empty() { &all[..] } else { &route.paths };
    let path = |(path, kind): &(String, PathType)| {
        let kind = if *kind == PathType::Exact { "Exact" } else { "PathPrefix" };
        with(json!({"path": {"type": kind, "value": path}}))
    };
    paths.iter().map(path).collect()
}

/// The weight that a route of ours gives to the candidate: that of the second backend of its last rule.
pub fn weight_of(route: &Value) -> i32 {
    let rules = route.pointer("/spec/rules").and_then(Value::as_array);
    let weight = rules.and_then(|rules| rules.last()).and_then(|rule| rule.pointer("/backendRefs/1/weight")).and_then(Value::as_i64);
    weight.and_then(|weight| i32::try_from(weight).ok()).unwrap_or_default()
}
