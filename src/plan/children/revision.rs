//! The record of a revision: enough to bring its pods back.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;

use super::metadata::{child, metadata};
use super::names;
use crate::api::labels;
use crate::model::{Child, Kind, Service};
use crate::plan::revision::Target;

pub fn build(service: &Service, target: &Target) -> Child {
    let mut metadata = metadata(service, &names::suffixed(&service.name, &target.hash));
    metadata.annotations.get_or_insert_default().insert(labels::INPUTS.to_owned(), target.inputs.clone());
    let revision =
        ControllerRevision { metadata: metadata.clone(), data: Some(RawExtension(target.template.clone())), revision: target.number };
    child(Kind::ControllerRevision, &metadata, &revision)
}
