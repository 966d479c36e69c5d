//! The stable address in front of the pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{annotated, child, identity, of_revision};
use super::{main_port, names, transport, word};
use crate::api::v1alpha1::Protocol;
use crate::model::{Child, Kind, Port, Service};
use crate::plan::rollout::layout::Layout;

/// The service's address, and, with blue-green, that of the new version before it serves. None for a worker.
pub fn build(service: &Service, layout: &Layout) -> Vec<Child> {
    if main_port(service).is_none() {
        return Vec::new();
    }
    let selected = |revision: Option<&String>| match revision {
        Some(revision) => of_revision(service, revision),
        None => identity(&service.name),
    };
    let main = address(service, &service.name, selected(layout.pinned.as_ref()));
    let preview = layout.preview.as_ref().map(|revision| address(service, &preview_name(&service.name), selected(Some(revision))));
    std::iter::once(main).chain(preview).collect()
}

/// Name of the Service that shows a new version before it serves.
pub fn preview_name(name: &str) -> String {
    names::suffixed(name, "preview")
}

fn address(service: &Service, name: &str, selector: BTreeMap<String, String>) -> Child {
    let settings = service.spec.service.clone().unwrap_or_default();
    let metadata = annotated(service, name, settings.annotations.as_ref());
    let object = core::Service {
        metadata: metadata.clone(),
        spec: Some(core::ServiceSpec {
            // Written though it is the default: without it, a change to LoadBalancer by somebody else would stay.
            type_: Some("ClusterIP".to_owned()),
            cluster_ip: settings.headless.unwrap_or(false).then(|| "None".to_owned()),
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
