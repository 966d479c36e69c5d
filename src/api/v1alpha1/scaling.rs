//! How many pods, what may take them away, and where they run.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration};
use k8s_openapi::apimachinery::pkg::{api::resource::Quantity, util::intstr::IntOrString};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Autoscaling by load.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Autoscaling {
    /// Fewest pods. Default 2, so that one may fail, or `maxReplicas` where that is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub min_replicas: Option<i32>,
    /// Most pods. Default 6, or `minReplicas` where that is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_replicas: Option<i32>,
    /// Target for CPU. Default 70 % of the request, unless another target is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<ResourceTarget>,
    /// Target for memory. Off unless given: many programs never give memory back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ResourceTarget>,
    /// How fast to grow and shrink, as in autoscaling/v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behavior: Option<Behavior>,
}

/// A target: exactly one of `averageUtilization` and `averageValue`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceTarget {
    /// Per cent of the request, averaged over the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub average_utilization: Option<i32>,
    /// Amount per pod, averaged over the pods, e.g. `400Mi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_value: Option<Quantity>,
}

/// How fast to grow and shrink.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Behavior {
    /// Growth. Default: by 4 pods or 100 % each 15 s, whichever is more, at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_up: Option<ScalingRules>,
    /// Shrinking. Default: by any number each 15 s, to the most that was wanted in the last 300 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<ScalingRules>,
}

/// Rules of one direction.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingRules {
    /// Seconds over which recommendations are held against each other before one is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub stabilization_window_seconds: Option<i32>,
    /// Which policy counts: `Max` (largest change), `Min` (smallest) or `Disabled` (no change in this direction). Default `Max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select_policy: Option<SelectPolicy>,
    /// Limits of change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10))]
    pub policies: Option<Vec<ScalingPolicy>>,
}

/// Which policy counts.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum SelectPolicy {
    Max,
    Min,
    Disabled,
}

/// A limit of change.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPolicy {
    /// `Pods` counts pods, `Percent` per cent of the present number.
    pub r#type: ScalingPolicyType,
    /// How many.
    #[schemars(range(min = 1, max = 10000))]
    pub value: i32,
    /// In how many seconds.
    #[schemars(range(min = 1, max = 1800))]
    pub period_seconds: i32,
}

/// Unit of a limit of change.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum ScalingPolicyType {
    Pods,
    Percent,
}

/// What voluntary disruptions may take.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disruption {
    /// `Auto` keeps a PodDisruptionBudget; `None` keeps none. Default `Auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<DisruptionPolicy>,
    /// Pods that may be away at once, as a number of at least 1 or a percentage (rounded up). Default 1. Pods that are not ready never block a drain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,
}

/// Whether there is a PodDisruptionBudget.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum DisruptionPolicy {
    #[default]
    Auto,
    None,
}

/// Where the pods run.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Spread over zones and nodes. `Preferred` as evenly as the nodes allow; `Required` leaves a pod pending rather
    /// than uneven; `None` leaves it to the scheduler. Default `Preferred`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// Labels that a node must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints that the pods bear, as in core/v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Toleration>>,
    /// Affinity to nodes and pods, as in core/v1: see `kubectl explain pod.spec.affinity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Priority class of the pods. Classes whose names begin with `system-` are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
}

/// How pods spread.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum Spread {
    #[default]
    Preferred,
    Required,
    None,
}
