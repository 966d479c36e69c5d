//! Ports, the Service in front of them, and who may use them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is spoken on a port.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[allow(clippy::upper_case_acronyms, reason = "the field's own spelling")]
pub enum Protocol {
    #[default]
    HTTP,
    GRPC,
    TCP,
    UDP,
}

/// A further port.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct Port {
    /// Name, unique in the service, e.g. `admin`.
    #[schemars(length(max = 15))]
    pub name: String,
    /// Number, in the container and in the Service.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// What is spoken on it. Default `TCP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
}

/// The Service in front of the pods.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSettings {
    /// Port that callers use for the main port. Default: 80 for HTTP and GRPC, else `spec.port`; with `headless` always `spec.port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// Annotations of the Service, e.g. for a load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Whether the name resolves to the pods instead of a virtual address, as clients that balance themselves want. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headless: Option<bool>,
    /// `ClientIP` sends a client to the same pod while it lasts. Default `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<SessionAffinity>,
    /// `PreferClose` prefers pods of the caller's zone. Default: all pods alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_distribution: Option<TrafficDistribution>,
}

/// Whether a client stays with a pod.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum SessionAffinity {
    None,
    ClientIP,
}

/// Which pods are preferred.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum TrafficDistribution {
    PreferClose,
}

/// Who may call this service, and whom it calls. Each direction without a list is open within `isolation`; a list
/// closes it to all but what it names.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicy {
    /// What holds for a direction without a list. `Namespace`: pods of the namespace may call the declared ports, and
    /// the service may call anything. `Strict`: nobody may call, and nobody may be called, DNS excepted. `None`: no
    /// policy at all; excludes the lists. Default `Namespace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Who may call this service. An empty list: nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound: Option<Vec<Inbound>>,
    /// Whom this service calls. An empty list: nobody. DNS is always allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound: Option<Vec<Outbound>>,
}

/// What holds without a list.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum Isolation {
    #[default]
    Namespace,
    Strict,
    None,
}

/// A caller: exactly one of `service`, selectors and `cidr`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inbound {
    /// Name of a calling Microservice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub service: Option<String>,
    /// Its namespace. Default: this service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// Namespaces whose pods may call. With `podSelector`: only those pods of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Pods that may call: of this namespace, or of those of `namespaceSelector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<LabelSelector>,
    /// Addresses that may call, e.g. `203.0.113.0/24`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 49))]
    pub cidr: Option<String>,
    /// Ports of this service, by name or container port. Default: all declared ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<IntOrString>>,
}

/// A callee: exactly one of `service`, selectors and `cidr`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outbound {
    /// Name of a Microservice that this one calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub service: Option<String>,
    /// Its namespace. Default: this service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// Environment variable of this service that receives the callee's URL, e.g. `PAYMENTS_URL` becomes `http://payments`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub env: Option<String>,
    /// Namespaces whose pods may be called. With `podSelector`: only those pods of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Pods that may be called: of this namespace, or of those of `namespaceSelector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<LabelSelector>,
    /// Addresses that may be called, e.g. `198.51.100.0/24`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 49))]
    pub cidr: Option<String>,
    /// Ports of the callee: of a service by name or container port, of others by number. Default: the declared ports of a service; all ports of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<IntOrString>>,
}
