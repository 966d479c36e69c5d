//! What the children of a service look like. Services come from manifests through the real parser.

mod golden;
mod history;
mod overriding;
mod pods;
mod policy;
mod properties;
mod siblings;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::v1alpha1::Microservice;
use crate::model::{Candidate, Kind, Placed, Progress, Service, parse};
use crate::observe::World;
use crate::observe::world::Revision;
use crate::plan::{Children, revision};

/// Children do not depend on it.
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A manifest of the service `name`, from the YAML of its spec.
fn manifest(name: &str, spec: &Value) -> Microservice {
    let object = json!({
        "apiVersion": "microservices.dev/v1alpha1",
        "kind": "Microservice",
        "metadata": {"name": name, "namespace": "shop", "uid": "0a1b2c3d", "generation": 1},
        "spec": spec,
    });
    serde_json::from_value(object).expect("a manifest")
}

fn yaml(spec: &str) -> Value {
    serde_saphyr::from_str(spec).expect("YAML")
}

/// The service `orders` of the namespace `shop`; an image is added.
pub fn service(spec: &str) -> Service {
    let mut spec = yaml(spec);
    if spec.is_null() {
        spec = json!({});
    }
    spec.as_object_mut().expect("a map").entry("image").or_insert(json!("ghcr.io/acme/orders:1"));
    parse::parse(&manifest("orders", &spec)).expect("a valid spec").service
}

/// What must exist for a service that nobody has seen before.
fn fresh(service: &Service) -> Children {
    super::fresh(service, NOW)
}

/// What must exist for a service with these revisions on record.
fn with(service: &Service, progress: &Progress, revisions: &[Revision]) -> Children {
    super::children(service, progress, &World { revisions: revisions.to_vec(), ..World::default() }, NOW)
}

/// A revision in the Deployment that replaces pods within itself.
fn placed(revision: &str) -> Placed {
    Placed { revision: revision.to_owned(), deployment: "orders".to_owned() }
}

fn find(children: &Children, kind: Kind) -> Option<Value> {
    children.list.iter().find(|child| child.reference.kind == kind).map(|child| child.object.clone())
}

/// The only child of a kind.
fn only(service: &Service, kind: Kind) -> Value {
    find(&fresh(service), kind).unwrap_or_else(|| panic!("no {}", kind.name()))
}

/// The pods' spec.
fn pod(spec: &str) -> Value {
    only(&service(spec), Kind::Deployment)["spec"]["template"]["spec"].clone()
}

/// The main container.
fn main(spec: &str) -> Value {
    pod(spec)["containers"][0].clone()
}

/// The record that applying a service's target leaves behind.
fn record(service: &Service, revisions: &[Revision]) -> Revision {
    let target = revision::target(service, revisions);
    Revision {
        name: super::names::suffixed(&service.name, &target.hash),
        hash: target.hash,
        number: target.number,
        inputs: target.inputs,
        template: target.template,
        stable_since: None,
        created: None,
    }
}
