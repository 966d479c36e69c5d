//! Names, labels, selectors and owners, the same for every child.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::Resource;
use serde::Serialize;

use super::tidy;
use crate::api::labels;
use crate::api::v1alpha1::{DeletionPolicy, Microservice};
use crate::model::{Child, ChildRef, Kind, Service};

/// A child as it is sent.
pub fn child<T: Serialize>(kind: Kind, metadata: &ObjectMeta, object: &T) -> Child {
    let name = metadata.name.clone().unwrap_or_default();
    Child { reference: ChildRef { kind, name }, object: tidy::json(object), autoscaled: None }
}

/// Metadata of the child `name`.
pub fn metadata(service: &Service, name: &str) -> ObjectMeta {
    // Offline (`render`) there is no uid yet, and a reference without one is refused by the server.
    let owner = (!service.uid.is_empty()).then(|| OwnerReference {
        api_version: Microservice::api_version(&()).into_owned(),
        kind: Microservice::kind(&()).into_owned(),
        name: service.name.clone(),
        uid: service.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    });
    let orphan = (labels::ORPHAN_OF.to_owned(), format!("{}/{}", service.namespace, service.name));
    let (owner_references, annotations) = match service.deletion {
        DeletionPolicy::Delete => (owner.map(|owner| vec![owner]), None),
        DeletionPolicy::Orphan => (None, Some([orphan].into())),
    };
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(service.namespace.clone()),
        labels: Some(common_labels(service)),
        annotations,
        owner_references,
        ..ObjectMeta::default()
    }
}

/// [`metadata`] with annotations of the user's. The operator's own win.
pub fn annotated(service: &Service, name: &str, annotations: Option<&BTreeMap<String, String>>) -> ObjectMeta {
    let mut metadata = metadata(service, name);
    let mut all = annotations.map(allowed).unwrap_or_default();
    all.extend(metadata.annotations.take().unwrap_or_default());
    metadata.annotations = Some(all);
    metadata
}

/// A user's annotations without those that a child must not carry. Parsing refuses them; here they cannot get through.
pub fn allowed(annotations: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let refused = |key: &str| labels::NOT_FOR_CHILDREN.iter().any(|prefix| key.starts_with(prefix));
    annotations.iter().filter(|(key, _)| !refused(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Labels of every child and of the pods. Those that selectors use come last: nothing overrides them.
pub fn common_labels(service: &Service) -> BTreeMap<String, String> {
    let mut all = service.labels.clone();
    all.extend(identity(&service.name));
    all.insert(labels::MANAGED_BY.to_owned(), labels::OPERATOR.to_owned());
    all
}

/// The labels that make a pod one of the service `name`'s. The same in every version of the operator: selectors are
/// immutable.
pub fn identity(name: &str) -> BTreeMap<String, String> {
    [labels::NAME, labels::INSTANCE].into_iter().map(|key| (key.to_owned(), name.to_owned())).collect()
}

/// Selects all pods of the service, whatever workload made them.
pub fn selector(service: &Service) -> LabelSelector {
    matching(identity(&service.name))
}

/// What tells the pods of a Deployment from those of the service's other ones: the Deployment `<name>` replaces pods within
/// itself, any other has those of one revision.
pub fn track(service: &Service, deployment: &str, revision: &str) -> BTreeMap<String, String> {
    if deployment == service.name {
        return [(labels::TRACK.to_owned(), labels::TRACK_ROLLING.to_owned())].into();
    }
    let pairs = [(labels::TRACK, labels::TRACK_REVISION), (labels::REVISION, revision)];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Labels of all pods of one revision, whatever Deployment made them.
pub fn of_revision(service: &Service, revision: &str) -> BTreeMap<String, String> {
    let mut labels = identity(&service.name);
    labels.insert(labels::REVISION.to_owned(), revision.to_owned());
    labels
}

/// Labels of all pods of the Deployment `<name>`, of whatever revision.
pub fn of_rolling(service: &Service) -> BTreeMap<String, String> {
    let mut labels = identity(&service.name);
    labels.insert(labels::TRACK.to_owned(), labels::TRACK_ROLLING.to_owned());
    labels
}

/// [`selector`] as text, as the scale subresource reports it.
pub fn selector_text(service: &Service) -> String {
    let pairs = identity(&service.name).into_iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}

pub fn matching(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), match_expressions: None }
}
