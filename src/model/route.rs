//! Routes of gateways, and what a canary does with them.

use crate::api::v1alpha1::{GatewayRef, HeaderMatchType, PathType};

use super::Kind;

/// Hosts and paths of a gateway that lead to the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub name: String,
    /// `HTTPRoute` or `GRPCRoute`.
    pub kind: Kind,
    pub hosts: Vec<String>,
    pub paths: Vec<(String, PathType)>,
    /// Name of the port that answers, and its number in the Service.
    pub port: (String, i32),
    pub gateway: GatewayRef,
}

/// Pods of a canary behind a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scale {
    Replicas(i32),
    /// Per cent of the stable version's.
    Percent(i32),
    /// What its weight needs.
    Weight,
}

/// A header that a request must have. Cookies are headers here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    pub name: String,
    pub value: String,
    pub kind: HeaderMatchType,
}
