//! What the operator believes about one service: plain data, cloneable, serialisable, so that a pass can be replayed
//! from a file.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::v1alpha1::Microservice;
use crate::model::profile::{Given, Permit};
use crate::model::{Answer, ChildRef, Kind};

/// One service and all that belongs to it, as last seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct World {
    pub object: Microservice,
    /// Children that carry our label, by kind and name, whoever owns them.
    pub children: Vec<Live>,
    /// Its Deployments, those that are ours, by name.
    pub deployments: Vec<Deployment>,
    /// The autoscaler, if it is ours.
    pub autoscaler: Option<HorizontalPodAutoscaler>,
    /// Recorded revisions, oldest first.
    pub revisions: Vec<Revision>,
    /// Pods of the service that do not serve, and one of each revision that does: enough to say what is wrong and
    /// which digest runs, bounded whatever the number of pods.
    pub pods: Vec<Pod>,
    /// Pods of each revision that are being deleted, and still run.
    pub leaving: BTreeMap<String, i32>,
    /// What the platform team sets for it.
    #[serde(default)]
    pub profile: Given,
    /// Whether a rollout may begin now.
    #[serde(default)]
    pub permit: Permit,
    /// What is known of the answers to its questions, by what each is about.
    #[serde(default)]
    pub answers: BTreeMap<String, Answer>,
    /// Its routes with their status, those that are ours.
    pub routes: Vec<Value>,
    /// Ready endpoints of its Services that routes lead to, by name.
    pub endpoints: BTreeMap<String, i32>,
    /// Optional kinds that the cluster does not serve.
    pub unserved: BTreeSet<Kind>,
}

/// A child as it is in the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Live {
    pub reference: ChildRef,
    pub uid: String,
    pub resource_version: String,
    pub owner: Ownership,
    pub deleting: bool,
    /// Whether our field manager owns `spec.replicas` (Deployments only).
    pub claims_replicas: bool,
    /// The object as JSON, without managed fields and status.
    pub object: Value,
}

/// Whose a child is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// Controlled by this object (same uid).
    Ours,
    /// Left behind by a namesake with `deletionPolicy: Orphan`; may be taken over.
    Orphaned,
    /// Somebody else's. The text says whose, e.g. `controlled by Deployment web` or `not controlled by anything`.
    Foreign(String),
}

/// A recorded revision: a pod template and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// The revision's hash.
    pub hash: String,
    /// Name of the `ControllerRevision`.
    pub name: String,
    /// Ordinal: the greatest is the newest.
    pub number: i64,
    /// Hash of the spec's part that made it. The same input finds the same revision again, whatever the operator's
    /// version renders from it today.
    pub inputs: String,
    /// The pod template, as JSON.
    pub template: Value,
    /// When it last became stable; `None` if it never did, or before records said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_since: Option<Time>,
    /// When the record was made.
    pub created: Option<Time>,
}

/// What is known of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    pub name: String,
    /// From its label.
    pub revision: Option<String>,
    pub ready: bool,
    pub phase: String,
    /// Why it is not scheduled, from its `PodScheduled` condition.
    pub unscheduled: Option<String>,
    pub containers: Vec<ContainerState>,
    /// Image of the main container with the digest that runs, by container name.
    pub images: BTreeMap<String, String>,
}

/// What is known of a container that does not run well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerState {
    pub name: String,
    pub ready: bool,
    pub restarts: i32,
    /// `waiting` or `terminated` reason, e.g. `ImagePullBackOff`.
    pub reason: String,
    pub message: String,
    /// Exit code of the last run that ended.
    pub exit_code: Option<i32>,
}
