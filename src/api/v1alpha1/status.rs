//! What users read. Written at most once per pass, and only when something changed; nothing in it ticks.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Routing, Strategy};

/// What the operator observed and did.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MicroserviceStatus {
    /// Generation of the spec that this status speaks of; -1 before the first look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions. Exactly one of `Ready`, `Reconciling` and `Stalled` is True after the first look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Pods that exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Pods that are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Ready pods of wanted pods, for people, e.g. `3/3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_text: Option<String>,
    /// Label selector of the pods, as autoscalers read it from the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Address inside the cluster, e.g. `http://orders.shop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Image that serves, with its digest once a pod has pulled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Revision that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Progress of the rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
    /// The autoscaler's number and bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<AutoscalingStatus>,
    /// What is wrong with the spec, or cannot be realised here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Children that exist because of this object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inventory: Vec<InventoryEntry>,
    /// Values in force that the spec leaves out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::super::crd::free_form")]
    pub defaults: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Progress of the rollout.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// For people; everything that counts is in the other fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<RolloutState>,
    /// Last revision that was rolled out in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_revision: Option<String>,
    /// Revision on its way to become stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_revision: Option<String>,
    /// Deployment that runs the stable revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_deployment: Option<String>,
    /// Deployment that runs the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_deployment: Option<String>,
    /// Strategy of the rollout under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Who splits the requests in the rollout under way: `Pods` or `Gateway`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// Index of the step in progress, from 0; `steps` when all are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<i32>,
    /// How many steps there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<i32>,
    /// When the step in progress began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_started_at: Option<MicroTime>,
    /// Per cent that the candidate is to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// Per cent that the candidate has been seen to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_weight: Option<i32>,
    /// Per cent of its pods that the stable version has given up to the candidate, with `stableScale: Dynamic`; 0: it is to have
    /// all of them again, and may still lack some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yielded_weight: Option<i32>,
    /// Since when gateways have given the candidate more than that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yields_since: Option<MicroTime>,
    /// The candidate was given up, and its requests go back as pods of the stable version become ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returning: Option<bool>,
    /// Since when its step lacks pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacking_since: Option<Time>,
    /// Available pods at `lackingSince`, less those of others that had yet to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacking_from: Option<i32>,
    /// Since when too few pods serve because those of the candidate do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwell_since: Option<Time>,
    /// Pods of both revisions when the step began, with an autoscaler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<i32>,
    /// Revision whose remaining steps are skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_promotion: Option<String>,
    /// Revision that is held where it is, by command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_revision: Option<String>,
    /// Revision in the place of the spec's, by the command `undo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_revision: Option<String>,
    /// Revisions that get no requests, and whose pods stay for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parked: Vec<Parked>,
    /// The stable revision may still be taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<Baking>,
    /// When the rollout of the candidate began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// Revision that failed, and is not tried again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_revision: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Commands that have been handled, with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub handled: BTreeMap<String, String>,
    /// The last command, and what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_action: Option<LastAction>,
}

/// A revision that gets no requests, and whose pods stay for a while.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    /// The revision.
    pub revision: String,
    /// Deployment that runs it.
    pub deployment: String,
    /// When its pods go; absent once they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// Time after a canary's promotion in which the version before it comes back at once.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baking {
    /// Revision that comes back.
    pub revision: String,
    /// When it is over.
    pub until: Time,
    /// Available pods at the promotion.
    pub pods: i32,
    /// Since when too few are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwell_since: Option<Time>,
}

/// Where a rollout stands.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum RolloutState {
    /// Pods of the candidate start, or its share grows.
    Progressing,
    /// It waits for somebody, or for a time.
    Paused,
    /// It serves, and the version before it may still come back by itself.
    Baking,
    Completed,
    /// It failed, and the last good revision took its place.
    RolledBack,
    /// Somebody gave it up, and the last good revision took its place.
    Aborted,
    /// It failed, and is left in place.
    Failed,
}

/// Why a revision failed.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
pub struct Failure {
    /// Stable word, e.g. `ProgressDeadlineExceeded`.
    pub reason: String,
    /// What was seen, down to the pod and container.
    pub message: String,
    /// When.
    pub at: Time,
}

/// A command by annotation.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
pub struct LastAction {
    /// The command, e.g. `retry`.
    pub verb: String,
    /// The annotation's value.
    pub value: String,
    /// `Accepted` or `Refused`.
    pub result: ActionResult,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it was handled.
    pub at: Time,
}

/// What came of a command.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum ActionResult {
    Accepted,
    Refused,
}

/// The autoscaler's number and bounds.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoscalingStatus {
    /// Who scales: `HPA`.
    pub engine: String,
    /// Pods that the autoscaler asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<i32>,
    /// Fewest pods.
    pub min_replicas: i32,
    /// Most pods.
    pub max_replicas: i32,
    /// What keeps the autoscaler from another number, e.g. `maxReplicas`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub limited_by: String,
    /// For people, e.g. `3 (2-6)`.
    pub text: String,
}

/// Something wrong with one field.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct Problem {
    /// Path of the field, e.g. `spec.accessPolicy.inbound[0].cidr`.
    pub field: String,
    /// `Error` stops the spec from being applied; `Warning` does not.
    pub severity: Severity,
    /// Stable word.
    pub reason: String,
    /// What must hold, and what to do.
    pub message: String,
}

/// Weight of a problem.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub enum Severity {
    Error,
    Warning,
}

/// A child.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
pub struct InventoryEntry {
    /// API group; empty for core.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Name, in the namespace of the Microservice.
    pub name: String,
    /// Unique identifier, so that a namesake is never taken for it.
    pub uid: String,
}
