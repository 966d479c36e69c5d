//! The kinds of children, and a child as it is sent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::v1alpha1::{RouteKind, RouteRef};

/// A kind of child. The order of the variants is the order of apply: what a pod needs comes before the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(clippy::upper_case_acronyms, reason = "the field's own spelling")]
pub enum Kind {
    ServiceAccount,
    NetworkPolicy,
    PodDisruptionBudget,
    ConfigMap,
    ControllerRevision,
    Service,
    Deployment,
    HorizontalPodAutoscaler,
    HTTPRoute,
    GRPCRoute,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::ServiceAccount,
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::ConfigMap,
        Self::ControllerRevision,
        Self::Service,
        Self::Deployment,
        Self::HorizontalPodAutoscaler,
        Self::HTTPRoute,
        Self::GRPCRoute,
    ];

    /// Kinds that not every cluster serves, and that may come and go.
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::HTTPRoute | Self::GRPCRoute)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::ConfigMap => "ConfigMap",
            Self::ControllerRevision => "ControllerRevision",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::HTTPRoute => "HTTPRoute",
            Self::GRPCRoute => "GRPCRoute",
        }
    }

    pub const fn group(self) -> &'static str {
        match self {
            Self::ServiceAccount | Self::ConfigMap | Self::Service => "",
            Self::NetworkPolicy => "networking.k8s.io",
            Self::PodDisruptionBudget => "policy",
            Self::ControllerRevision | Self::Deployment => "apps",
            Self::HorizontalPodAutoscaler => "autoscaling",
            Self::HTTPRoute | Self::GRPCRoute => "gateway.networking.k8s.io",
        }
    }

    pub const fn version(self) -> &'static str {
        match self {
            Self::HorizontalPodAutoscaler => "v2",
            _ => "v1",
        }
    }

    pub const fn plural(self) -> &'static str {
        match self {
            Self::ServiceAccount => "serviceaccounts",
            Self::NetworkPolicy => "networkpolicies",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::ConfigMap => "configmaps",
            Self::ControllerRevision => "controllerrevisions",
            Self::Service => "services",
            Self::Deployment => "deployments",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
            Self::HTTPRoute => "httproutes",
            Self::GRPCRoute => "grpcroutes",
        }
    }

    /// Children of one rank are applied together, ranks one after the other: identity and policy, then configuration
    /// and history, then the Service, the workload, the autoscaler that targets it, and the routes that lead to it.
    pub const fn rank(self) -> u8 {
        match self {
            Self::ServiceAccount | Self::NetworkPolicy | Self::PodDisruptionBudget => 0,
            Self::ConfigMap | Self::ControllerRevision => 1,
            Self::Service => 2,
            Self::Deployment => 3,
            Self::HorizontalPodAutoscaler => 4,
            Self::HTTPRoute | Self::GRPCRoute => 5,
        }
    }

    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// The kind of an inventory entry, if it is one that this version of the operator makes.
    pub fn find(group: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.group() == group && k.name() == kind)
    }
}

/// Which child: names are unique within a kind, and all children live in their Microservice's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChildRef {
    pub kind: Kind,
    pub name: String,
}

impl From<&RouteRef> for ChildRef {
    fn from(route: &RouteRef) -> Self {
        let kind = match route.kind {
            RouteKind::HTTPRoute => Kind::HTTPRoute,
            RouteKind::GRPCRoute => Kind::GRPCRoute,
        };
        Self { kind, name: route.name.clone() }
    }
}

impl std::fmt::Display for ChildRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

/// A child as it is sent: every field in `object` is one that the operator owns, and no other field is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    pub reference: ChildRef,
    pub object: Value,
    /// For a Deployment whose number of pods is an autoscaler's, and so is not in `object`.
    pub autoscaled: Option<Autoscaled>,
}

/// Bounds for what we say of a number that an autoscaler owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoscaled {
    /// Pods to begin with.
    pub start: i32,
    /// Pods that it must have at once, without waiting for the autoscaler.
    pub at_least: i32,
}
