//! What must exist for a service, one file for each kind of child.

mod autoscaler;
mod config_map;
mod containers;
mod deployment;
mod disruption_budget;
mod metadata;
pub mod names;
mod network_policy;
mod overrides;
pub mod pod;
mod probes;
mod revision;
mod route;
mod security;
mod service;
mod service_account;
#[cfg(test)]
pub(super) mod tests;
mod tidy;
mod volumes;

use jiff::Timestamp;
use serde::Serialize;

use super::gateway::Gateway;
use super::revision as history;
use super::rollout::layout::{Set, layout};
use super::rollout::{
    self,
    scene::{Scene, Sight},
};
use super::workload::Workloads;
use super::{Applied, Children, user_routes};
use crate::api::v1alpha1::Protocol;
use crate::model::{ChildRef, Kind, Port, Progress, Service};
use crate::observe::World;

pub use metadata::selector_text;
pub use route::weight_of;
pub use service::{canary_name, stable_name};
pub use tidy::tidy;

/// What must exist now: from the spec and persisted progress, and, where a rollout moves pods between Deployments, from how
/// many serve so far.
pub fn children(service: &Service, progress: &Progress, world: &World, now: Timestamp) -> Children {
    let target = history::wanted(service, progress, &world.revisions);
    let workloads = Workloads::of(world, &Applied::default());
    let sight = Sight { workloads, gateway: Gateway::of(service, world), addressed: false };
    let scene = Scene::of(service, &target.hash, world, &sight, now);
    let layout = layout(&scene, progress);
    // A template that was rendered by another version may mount its files under another name; then this version's
    // ConfigMap would be there for nothing.
    let content =
        config_map::build(service).filter(|map| config_map::mounted(service, &target.template).any(|name| name == map.reference.name));

    let mut list = vec![service_account::build(service)];
    list.push(revision::build(service, &target, history::stable_since(&target.hash, progress, &world.revisions, now)));
    list.extend(history::promoted(&target, progress, &world.revisions, now).map(|record| revision::record(service, record)));
    let pods = |set: &Set| history::template(&set.at, &target, world);
    list.extend(layout.sets.iter().filter_map(|set| Some(deployment::build(service, set, &pods(set)?))));
    list.extend(content);
    list.extend(network_policy::build(service));
    list.extend(disruption_budget::build(service, &layout));
    list.extend(service::build(service, &layout, user_routes::keep_side(service, progress, world)));
    list.extend(autoscaler::build(service, layout.follow.as_ref()));
    list.extend(route::build(service, &layout, world));
    list.sort_by(|a, b| a.reference.cmp(&b.reference));

    let kept = history::kept(service, progress, &world.revisions, &target);
    let records = kept.iter().map(|revision| ChildRef { kind: Kind::ControllerRevision, name: revision.name.clone() });
    // The content of a ConfigMap is in no template: once pruned, it could not be made again for a rollback.
    let templates = kept.iter().map(|revision| &revision.template).chain([&target.template]);
    let maps = templates.flat_map(|template| config_map::mounted(service, template));
    let maps = maps.map(|name| ChildRef { kind: Kind::ConfigMap, name: name.to_owned() });
    let mut retained: Vec<_> = records.chain(maps).filter(|reference| list.iter().all(|child| child.reference != *reference)).collect();
    retained.sort();
    retained.dedup();
    let share = layout.share.as_ref().map_or(0, |share| share.weight);
    Children { list, retained, weights: user_routes::due(service, share, world), share }
}

/// What a service becomes that nobody has seen before.
pub fn fresh(service: &Service, now: Timestamp) -> Children {
    let world = World::default();
    let target = history::target(service, &[]);
    let sight = Sight { workloads: Workloads::default(), gateway: Gateway::of(service, &world), addressed: false };
    let hash = target.hash.clone();
    let scene = Scene::of(service, &hash, &world, &sight, now);
    let begun = rollout::step(&Progress::default(), target, &scene).progress;
    children(service, &begun, &world, now)
}

/// The port that `spec.port` names; a worker has none.
pub fn main_port(service: &Service) -> Option<&Port> {
    service.spec.port.and(service.ports.first())
}

/// The protocol below the one that is spoken.
fn transport(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::UDP => "UDP",
        Protocol::HTTP | Protocol::GRPC | Protocol::TCP => "TCP",
    }
}

/// A choice in its own spelling, which is Kubernetes' too, so that no second list of words can differ from the first.
fn word<T: Serialize>(choice: T) -> Option<String> {
    serde_json::to_value(choice).ok()?.as_str().map(str::to_owned)
}
