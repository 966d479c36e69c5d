//! What the platform team sets for many services at once.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Autoscaling, GatewayRef, Placement, Probes, Resources, Rollout};

/// What the platform team sets for many services: defaults, locked fields, the gateway, and when rollouts may begin. A
/// Microservice names one in `spec.profileRef`; those that name none use the one called `default`, if there is one.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "microservices.dev",
    version = "v1alpha1",
    kind = "MicroserviceProfile",
    plural = "microserviceprofiles",
    shortname = "msvcprofile",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(
        name = "Max rollouts",
        type_ = "integer",
        json_path = ".spec.rollouts.maxConcurrent",
        description = "Rollouts that may be under way at once"
    ),
    printcolumn(name = "Locks", type_ = "string", json_path = ".spec.locks", description = "Fields that a Microservice may not change"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Time since creation")
)]
#[serde(rename_all = "camelCase")]
pub struct MicroserviceProfileSpec {
    /// Values for whatever a Microservice leaves out, in the place of the built-in defaults. Objects are merged field by
    /// field; a list that the Microservice gives replaces the whole list. Changing one that is part of the pods, such as
    /// `resources`, rolls every service that uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// Paths of fields that a Microservice may not set to anything but what holds without it, e.g.
    /// `spec.securityContext`, `spec.accessPolicy.isolation` or `spec.rollout.strategy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 6, max = 253), regex(pattern = "^spec([.][a-z][a-zA-Z0-9]*)+$")))]
    pub locks: Option<Vec<String>>,
    /// Gateway of routes that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_ref: Option<GatewayRef>,
    /// When rollouts may begin. A first rollout, a return to the version that served before, and scaling never wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollouts: Option<Rollouts>,
    /// Servers outside the cluster's API that the operator asks. Their addresses come from here alone, never from a
    /// Microservice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<Providers>,
}

/// Values for what a Microservice leaves out; of the same shape as there.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    /// As `spec.resources` of a Microservice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// As `spec.autoscaling` of a Microservice. Not for one that sets `replicas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// As `spec.probes` of a Microservice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<Probes>,
    /// As `spec.placement` of a Microservice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// As `spec.rollout` of a Microservice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
}

/// When rollouts may begin.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollouts {
    /// Rollouts of the whole cluster that may be under way when another one of this profile begins. A rollout that is
    /// paused counts; a first one, and one that failed, do not. Default: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_concurrent: Option<i32>,
    /// Times in which no rollout begins. Those under way go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freeze_windows: Option<Vec<FreezeWindow>>,
}

/// A time, again and again, in which no rollout begins.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeWindow {
    /// Name, e.g. `friday`: shown by every service that waits for its end.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Time zone of `start`, from the IANA database, e.g. `Europe/Berlin`. Default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z][-+A-Za-z0-9_]*(/[A-Za-z0-9][-+A-Za-z0-9_]*)*$"))]
    pub time_zone: Option<String>,
    /// When it begins, in five fields as cron has them: minute, hour, day of month, month, day of week; e.g.
    /// `0 14 * * 5` for Fridays at 14:00.
    #[schemars(length(min = 9, max = 128))]
    pub start: String,
    /// Seconds for which it lasts, from a minute to 31 days.
    #[schemars(range(min = 60, max = 2_678_400))]
    pub duration_seconds: i32,
}

/// Servers that the operator asks.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Providers {
    /// Whom the gates of canaries ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Vec<Webhook>>,
}

/// A server that opens gates: by a status of 200 to 299 other than 202. 403 refuses; anything else means not yet.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Name, e.g. `change-approval`, as gates name it.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Where to post to, e.g. `https://approvals.example.com/gate`: with a host, without user info and fragment. The answer
    /// must come from there; redirects are not followed.
    #[schemars(
        length(min = 8, max = 2048),
        regex(
            pattern = "^https?://([A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?([/?][!$-;=?-Z_a-z~\\[\\]]*)?$"
        )
    )]
    pub url: String,
    /// Seconds from the connection to the last byte of the answer, 1 to 60. Default 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: Option<i32>,
    /// Name of a file in the operator's folder of credentials, whose content is sent as `Authorization: Bearer …`. It is read
    /// anew for each request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-_a-zA-Z0-9][-._a-zA-Z0-9]*$"))]
    pub credentials_file: Option<String>,
}

/// The profile of a service.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileRef {
    /// Name of a MicroserviceProfile.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"))]
    pub name: String,
}
