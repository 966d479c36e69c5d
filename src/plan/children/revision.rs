//! The record of a revision: enough to bring its pods back.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;

use super::metadata::{child, metadata};
use super::names;
use crate::api::labels;
use crate::model::{Child, Kind, Service};
use crate::observe::world::Revision;
use crate::plan::revision::Target;

/// The record of the spec's revision. `stable_since`: when that last became stable.
pub fn build(service: &Service, target: &Target, stable_since: Option<Time>) -> Child {
    let Target { hash, inputs, template, number, .. } = target.clone();
    record(service, Revision { name: names::suffixed(&service.name, &hash), hash, number, inputs, template, stable_since, created: None })
}

/// A record that exists, and is to say something else.
pub fn record(service: &Service, revision: Revision) -> Child {
    let mut metadata = metadata(service, &revision.name);
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(labels::INPUTS.to_owned(), revision.inputs);
    annotations.extend(revision.stable_since.map(|since| (labels::STABLE_SINCE.to_owned(), since.0.to_string())));
    let record = ControllerRevision { metadata: metadata.clone(), data: Some(RawExtension(revision.template)), revision: revision.number };
    child(Kind::ControllerRevision, &metadata, &record)
}
