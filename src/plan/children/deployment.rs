//! The workload.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};

use super::metadata::{child, identity, matching, metadata, track};
use crate::api::labels;
use crate::api::v1alpha1::Strategy;
use crate::model::{Autoscaled, Child, Kind, Placed, Rollout, Service};
use crate::plan::rollout::layout::{Set, Size};

/// Old `ReplicaSet`s that Kubernetes keeps. History is in our records of revisions; these few let a rollback scale up a
/// set that exists and `kubectl rollout history` say something. The default of 10 is an object each, for nothing.
const REPLICA_SETS: i32 = 2;

/// A Deployment with the pods of one revision. The number is left out where it is the autoscaler's: who writes it then
/// depends on the live object (see [`crate::plan::replicas`]).
pub fn build(service: &Service, set: &Set, template: &Value) -> Child {
    let Placed { revision, deployment: name } = &set.at;
    let mut metadata = metadata(service, name);
    metadata.annotations.get_or_insert_default().insert(labels::REVISION.to_owned(), revision.clone());
    metadata.labels.get_or_insert_default().insert(labels::ROLE.to_owned(), set.role.word().to_owned());
    let rollout = &service.rollout;
    let own = track(service, name, revision);
    let mut selected = identity(&service.name);
    selected.extend(own.clone());
    let deployment = Deployment {
        metadata: metadata.clone(),
        spec: Some(DeploymentSpec {
            selector: matching(selected),
            strategy: Some(strategy(rollout)),
            // Zero is not stored, and so must not be sent.
            min_ready_seconds: Some(rollout.min_ready_seconds).filter(|seconds| *seconds > 0),
            progress_deadline_seconds: Some(rollout.progress_deadline_seconds),
            revision_history_limit: Some(REPLICA_SETS),
            template: PodTemplateSpec::default(),
            paused: None,
            replicas: match set.size {
                Size::Fixed(count) => Some(count),
                Size::Autoscaled { .. } => None,
            },
        }),
        status: None,
    };
    let mut child = child(Kind::Deployment, &metadata, &deployment);
    if let Size::Autoscaled { start, at_least } = set.size {
        child.autoscaled = Some(Autoscaled { start, at_least });
    }
    if let Some(spec) = child.object.get_mut("spec").and_then(Value::as_object_mut) {
        // As it was recorded, not through a typed struct: fields that this version does not know would be lost, and
        // every pod replaced.
        spec.insert("template".to_owned(), labelled(template, own, revision));
    }
    child
}

/// The template with the labels that say where it runs, which its hash leaves out: the same pods may run in one
/// Deployment and then in another.
fn labelled(template: &Value, own: BTreeMap<String, String>, revision: &str) -> Value {
    let mut template = template.clone();
    if let Some(all) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        all.extend(own.into_iter().map(|(key, value)| (key, json!(value))));
        all.insert(labels::REVISION.to_owned(), json!(revision));
    }
    template
}

fn strategy(rollout: &Rollout) -> DeploymentStrategy {
    if rollout.strategy == Strategy::Recreate {
        return DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None };
    }
    let numbers =
        RollingUpdateDeployment { max_surge: Some(rollout.max_surge.clone()), max_unavailable: Some(rollout.max_unavailable.clone()) };
    DeploymentStrategy { type_: Some("RollingUpdate".to_owned()), rolling_update: Some(numbers) }
}
