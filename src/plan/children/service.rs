//! The stable address in front of the pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{annotated, child, identity, of_revision, of_rolling};
use super::{main_port, names, transport, word};
use crate::api::labels;
use crate::api::v1alpha1::Protocol;
use crate::model::{Child, Kind, Port, Service};
use crate::plan::rollout::layout::Layout;
use crate::plan::rollout::scene::Pin;

/// The service's address; with blue-green, that of the new version before it serves; with routes, those of their two sides.
/// None for a worker. `keep`: a route may still lead to the candidate's side.
pub fn build(service: &Service, layout: &Layout, keep: bool) -> Vec<Child> {
    if main_port(service).is_none() {
        return Vec::new();
    }
    let usual = match &layout.pinned {
        Some(Pin::Revision(revision)) => of_revision(service, revision),
        Some(Pin::Rolling) => of_rolling(service),
        None => identity(&service.name),
    };
    let main = address(service, &service.name, usual.clone(), false);
    let shown = |revision: &String| address(service, &preview_name(&service.name), of_revision(service, revision), false);
    let preview = layout.preview.as_ref().map(shown);
    // Without a candidate of their own both sides lead to the same pods, so that no weight can lead astray.
    let candidate = layout.share.as_ref().filter(|share| share.selects).map(|share| of_revision(service, &share.revision));
    let candidate = candidate.unwrap_or_else(|| usual.clone());
    // In a route of the user's the Service itself is the stable side.
    let sides = [
        (stable_name(&service.name), usual, !service.routes.is_empty()),
        (canary_name(&service.name), candidate, keep || service.has_routes()),
    ];
    let sides = sides.into_iter().filter(|(_, _, needed)| *needed);
    let sides = sides.map(|(name, selector, _)| address(service, &name, selector, true));
    std::iter::once(main).chain(preview).chain(sides).collect()
}

/// Name of the Service that routes give the stable revision's share to.
pub fn stable_name(name: &str) -> String {
    names::suffixed(name, "stable")
}

/// Name of the Service that routes give the candidate's share to.
pub fn canary_name(name: &str) -> String {
    names::suffixed(name, "canary")
}

/// Name of the Service that shows a new version before it serves.
pub fn preview_name(name: &str) -> String {
    names::suffixed(name, "preview")
}

/// `routed`: a side of the routes, whose endpoints are watched, and which needs endpoints and no name that callers resolve.
fn address(service: &Service, name: &str, selector: BTreeMap<String, String>, routed: bool) -> Child {
    let settings = service.spec.service.clone().unwrap_or_default();
    let annotations = settings.annotations.as_ref().filter(|_| !routed);
    let mut metadata = annotated(service, name, annotations);
    if routed {
        metadata.labels.get_or_insert_default().insert(labels::ROUTED.to_owned(), "true".to_owned());
    }
    let object = core::Service {
        metadata: metadata.clone(),
        spec: Some(core::ServiceSpec {
            // Written though it is the default: without it, a change to LoadBalancer by somebody else would stay.
            type_: Some("ClusterIP".to_owned()),
            cluster_ip: (settings.headless.unwrap_or(false) && !routed).then(|| "None".to_owned()),
            ports: Some(service.ports.iter().map(port).collect()),
            selector: Some(selector),
            session_affinity: settings.session_affinity.and_then(word),
            traffic_distribution: settings.traffic_distribution.and_then(word),
            ..core::ServiceSpec::default()
        }),
        status: None,
    };
    child(Kind::Service, &metadata, &object)
}

fn port(port: &Port) -> core::ServicePort {
    core::ServicePort {
        name: Some(port.name.clone()),
        port: port.service_port,
        protocol: Some(transport(port.protocol).to_owned()),
        // By name: while a rollout changes the number, old and new pods each answer on their own.
        target_port: Some(IntOrString::String(port.name.clone())),
        app_protocol: app_protocol(port.protocol).map(str::to_owned),
        node_port: None,
    }
}

/// What is spoken inside TCP, for meshes and gateways. Names without a prefix are IANA's service names, and `grpc` is
/// none; Kubernetes' own name for HTTP/2 without TLS, which gRPC is, is the one that Gateway API implementations,
/// Istio and Linkerd all read.
fn app_protocol(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::HTTP => Some("http"),
        Protocol::GRPC => Some("kubernetes.io/h2c"),
        Protocol::TCP | Protocol::UDP => None,
    }
}
