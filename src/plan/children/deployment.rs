//! The workload.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};

use super::metadata::{child, metadata, rolling_selector};
use super::word;
use crate::api::labels;
use crate::api::v1alpha1::Strategy;
use crate::model::{Child, Kind, Rollout, Service};
use crate::plan::revision::Target;

/// Old `ReplicaSet`s that Kubernetes keeps. History is in our records of revisions; these few let a rollback scale up a
/// set that exists and `kubectl rollout history` say something. The default of 10 is an object each, for nothing.
const REPLICA_SETS: i32 = 2;

/// The Deployment with the pods of `revision`. `spec.replicas` is left out: who writes it depends on the live object
/// (see [`crate::plan::replicas`]).
pub fn build(service: &Service, revision: &Target) -> Child {
    let mut metadata = metadata(service, &service.name);
    metadata.annotations.get_or_insert_default().insert(labels::REVISION.to_owned(), revision.hash.clone());
    let rollout = &service.rollout;
    let deployment = Deployment {
        metadata: metadata.clone(),
        spec: Some(DeploymentSpec {
            selector: rolling_selector(service),
            strategy: Some(strategy(rollout)),
            // Zero is not stored, and so must not be sent.
            min_ready_seconds: Some(rollout.min_ready_seconds).filter(|seconds| *seconds > 0),
            progress_deadline_seconds: Some(rollout.progress_deadline_seconds),
            revision_history_limit: Some(REPLICA_SETS),
            template: PodTemplateSpec::default(),
            paused: None,
            replicas: None,
        }),
        status: None,
    };
    let mut child = child(Kind::Deployment, &metadata, &deployment);
    if let Some(spec) = child.object.get_mut("spec").and_then(Value::as_object_mut) {
        // As it was recorded, not through a typed struct: fields that this version does not know would be lost, and
        // every pod replaced.
        spec.insert("template".to_owned(), labelled(revision));
    }
    child
}

/// The template with its own hash as a label, which is why the hash leaves this label out.
fn labelled(revision: &Target) -> Value {
    let mut template = revision.template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.insert(labels::REVISION.to_owned(), json!(revision.hash));
    }
    template
}

fn strategy(rollout: &Rollout) -> DeploymentStrategy {
    let numbers =
        RollingUpdateDeployment { max_surge: Some(rollout.max_surge.clone()), max_unavailable: Some(rollout.max_unavailable.clone()) };
    DeploymentStrategy { type_: word(rollout.strategy), rolling_update: (rollout.strategy == Strategy::RollingUpdate).then_some(numbers) }
}
