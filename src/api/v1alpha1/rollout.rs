//! How a new version replaces the old one.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a new version replaces the old one.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// `RollingUpdate` replaces pods step by step; `Recreate` stops the old ones first. Default `RollingUpdate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Pods above the wanted number during an update, as a number or a percentage (rounded up). Default `25%`. For `RollingUpdate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_surge: Option<IntOrString>,
    /// Pods below the wanted number during an update, as a number or a percentage (rounded down). Default 0. For `RollingUpdate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,
    /// Seconds for which a new pod must be ready without a break before it counts. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub min_ready_seconds: Option<i32>,
    /// Seconds without progress after which the update has failed. Must exceed `minReadySeconds`. Default 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub progress_deadline_seconds: Option<i32>,
    /// What a failed update does: `Rollback` puts the last good version back; `Hold` leaves things as they are. Default
    /// `Rollback`. The spec is never changed, and a version that failed is not tried again until the spec changes or
    /// the annotation `microservices.dev/retry` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Old revisions that are kept. Default 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub revision_history_limit: Option<i32>,
}

/// How pods are replaced.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum Strategy {
    #[default]
    RollingUpdate,
    Recreate,
}

/// What a failed update does.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum OnFailure {
    #[default]
    Rollback,
    Hold,
}
