//! How requests from outside the cluster reach the service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hosts and paths of a gateway that lead to the service. Becomes an HTTPRoute, or a GRPCRoute where the port speaks GRPC.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Name, unique in the service, e.g. `public`. The object is called `<service>-<name>`.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Host names, e.g. `orders.example.com` or `*.example.com`. Default: all that the gateway's listeners have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 16),
        inner(length(max = 253), regex(pattern = "^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"))
    )]
    pub hosts: Option<Vec<String>>,
    /// Paths. Default: all. Not for GRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub paths: Option<Vec<RoutePath>>,
    /// Name of the port of this service that answers. Default: the main port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub port: Option<String>,
    /// The gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_ref: Option<GatewayRef>,
}

/// A path, and how it is compared.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct RoutePath {
    /// The path, e.g. `/orders`.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/[^?#\\s]*$"))]
    pub path: String,
    /// `Prefix`: also what lies below it, by whole segments. `Exact`: nothing else. Default `Prefix`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<PathType>,
}

/// How paths are compared.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum PathType {
    #[default]
    Prefix,
    Exact,
}

/// A Gateway of the Gateway API.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRef {
    /// Name of the Gateway.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// Its namespace, whose Gateway must allow routes from here. Default: this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// One of its listeners. Default: all that fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub section_name: Option<String>,
}
