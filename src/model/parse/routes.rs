//! Routes of gateways.

use super::Findings;
use crate::api::problem::Reason;
use crate::api::v1alpha1::{GatewayRef, MicroserviceSpec, Protocol, Route as Given};
use crate::model::{ChildRef, Kind, Port, Route};

/// Checks and completes the routes. `usual`: the gateway of those that name none.
pub fn routes(spec: &MicroserviceSpec, ports: &[Port], usual: Option<&GatewayRef>, found: &mut Findings) -> Vec<Route> {
    let given = spec.routes.iter().flatten().enumerate();
    given.filter_map(|(index, given)| route(given, &format!("spec.routes[{index}]"), ports, usual, found)).collect()
}

/// Checks the routes that are not ours. Admission sees the spec alone, and not what a profile adds to it.
pub fn references(spec: &MicroserviceSpec, found: &mut Findings) -> Vec<ChildRef> {
    const PATH: &str = "spec.rollout.canary.routeRefs";
    let canary = spec.rollout.as_ref().and_then(|rollout| rollout.canary.as_ref());
    let given = canary.and_then(|canary| canary.route_refs.as_deref()).unwrap_or_default();
    if !given.is_empty() && spec.routes.as_ref().is_some_and(|routes| !routes.is_empty()) {
        found.error(PATH, Reason::Forbidden, "excludes `spec.routes`: name routes of your own, or have them made, not both");
    }
    if !given.is_empty() && spec.port.is_none() {
        found.error(PATH, Reason::Forbidden, "needs `spec.port`: a worker answers no requests");
    }
    given.iter().map(ChildRef::from).collect()
}

fn route(given: &Given, path: &str, ports: &[Port], usual: Option<&GatewayRef>, found: &mut Findings) -> Option<Route> {
    let port = match &given.port {
        None => ports.first(),
        Some(name) => ports.iter().find(|port| port.name == *name),
    };
    let Some(port) = port else {
        let known: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
        found.error(format!("{path}.port"), Reason::NotFound, format!("must be the name of a port of this service: {}", known.join(", ")));
        return None;
    };
    let kind = match port.protocol {
        Protocol::HTTP => Kind::HTTPRoute,
        Protocol::GRPC => Kind::GRPCRoute,
        // A further port is TCP unless it says otherwise; a gateway needs to know what is spoken on it.
        Protocol::TCP | Protocol::UDP => {
            let message = format!("port `{}` must speak HTTP or GRPC to be behind a gateway: set its `protocol`", port.name);
            found.error(format!("{path}.port"), Reason::NotSupported, message);
            return None;
        }
    };
    if kind == Kind::GRPCRoute && given.paths.is_some() {
        found.error(format!("{path}.paths"), Reason::Forbidden, "GRPC has no paths: it must be left out");
    }
    let Some(gateway) = given.gateway_ref.clone().or_else(|| usual.cloned()) else {
        found.error(format!("{path}.gatewayRef"), Reason::Required, "must name the Gateway that the route is for");
        return None;
    };
    Some(Route {
        name: given.name.clone(),
        kind,
        hosts: given.hosts.clone().unwrap_or_default(),
        paths: given.paths.iter().flatten().map(|path| (path.path.clone(), path.kind.unwrap_or_default())).collect(),
        port: (port.name.clone(), port.service_port),
        gateway,
    })
}
