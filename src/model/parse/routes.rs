//! Routes of gateways.

use super::Findings;
use crate::api::problem::Reason;
use crate::api::v1alpha1::{GatewayRef, MicroserviceSpec, Protocol, Route as Given};
use crate::model::{Kind, Port, Route};

/// Checks and completes the routes. `usual`: the gateway of those that name none.
pub fn routes(spec: &MicroserviceSpec, ports: &[Port], usual: Option<&GatewayRef>, found: &mut Findings) -> Vec<Route> {
    let given = spec.routes.iter().flatten().enumerate();
    given.filter_map(|(index, given)| route(given, &format!("spec.routes[{index}]"), ports, usual, found)).collect()
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
