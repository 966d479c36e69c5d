//! Who may call a service, and whom it calls, without Kubernetes' double meanings of empty and absent.

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString};

/// Both directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    pub inbound: Direction,
    pub outbound: Direction,
}

/// One direction.
#[derive(Clone, Debug, PartialEq)]
pub enum Direction {
    /// No policy.
    Open,
    /// Inbound only: every pod of the namespace, on the declared ports.
    Namespace,
    /// Only these peers; nobody when empty. Pods of the service itself, and DNS outbound, are always allowed.
    Only(Vec<Peer>),
}

/// Somebody at the other end.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    pub who: Who,
    /// Empty: the callee's declared ports for services, inbound also for everybody else; all ports otherwise.
    pub ports: Vec<IntOrString>,
}

/// How a peer is named.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// A Microservice; without a namespace, of this one.
    Service { name: String, namespace: Option<String> },
    /// Pods by labels; without `namespaces`, of this namespace.
    Selector { namespaces: Option<LabelSelector>, pods: Option<LabelSelector> },
    /// Addresses.
    Cidr(IpNet),
}
