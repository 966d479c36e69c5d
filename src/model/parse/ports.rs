//! Ports, and references to them by name.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Findings, companions};
use crate::api::problem::Reason;
use crate::api::v1alpha1::{ContainerPort, HttpGet, MicroserviceSpec, Probes, Protocol};
use crate::model::Port;

/// Where callers of HTTP and GRPC expect a service that says nothing else.
const HTTP_PORT: i32 = 80;

/// The main port, then the others.
pub fn ports(spec: &MicroserviceSpec) -> Vec<Port> {
    let main = spec.port.map(|number| {
        let protocol = spec.protocol.unwrap_or_default();
        Port { name: main_name(protocol).to_owned(), number, service_port: service_port(spec, number, protocol), protocol }
    });
    let others = spec.ports.iter().flatten().map(|port| Port {
        name: port.name.clone(),
        number: port.port,
        service_port: port.port,
        protocol: port.protocol.unwrap_or(Protocol::TCP),
    });
    main.into_iter().chain(others).collect()
}

const fn main_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::HTTP => "http",
        Protocol::GRPC => "grpc",
        Protocol::TCP => "tcp",
        Protocol::UDP => "udp",
    }
}

fn service_port(spec: &MicroserviceSpec, number: i32, protocol: Protocol) -> i32 {
    let settings = spec.service.clone().unwrap_or_default();
    // Without a virtual address nothing translates ports: callers reach the container's own.
    let same = settings.headless.unwrap_or_default() || matches!(protocol, Protocol::TCP | Protocol::UDP);
    settings.port.unwrap_or(if same { number } else { HTTP_PORT })
}

/// Names of ports in checks and hooks are names of the same container's ports.
pub fn references(spec: &MicroserviceSpec, ports: &[Port], found: &mut Findings) {
    let own: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    probes("spec.probes", spec.probes.as_ref(), &own, found);
    let hooks = spec.lifecycle.iter().flat_map(|hooks| [("postStart", &hooks.post_start), ("preStop", &hooks.pre_stop)]);
    for (name, hook) in hooks {
        http(&format!("spec.lifecycle.{name}"), hook.as_ref().and_then(|hook| hook.http_get.as_ref()), &own, found);
    }
    let mut seen: Vec<&str> = own;
    for (path, companion) in companions(spec) {
        let ports = companion.ports.as_deref().unwrap_or_default();
        let names: Vec<&str> = ports.iter().filter_map(|port| port.name.as_deref()).collect();
        probes(&format!("{path}.probes"), companion.probes.as_ref(), &names, found);
        distinct(&path, ports, &mut seen, found);
    }
}

/// A Service and a NetworkPolicy find a port of a pod by its name, so one pod has each name once.
fn distinct<'a>(path: &str, ports: &'a [ContainerPort], seen: &mut Vec<&'a str>, found: &mut Findings) {
    for (index, port) in ports.iter().enumerate() {
        let Some(name) = port.name.as_deref() else { continue };
        if seen.contains(&name) {
            let message = format!("another container of the pod already has a port named `{name}`: choose another name");
            found.error(format!("{path}.ports[{index}].name"), Reason::Duplicate, message);
        }
        seen.push(name);
    }
}

fn probes(path: &str, probes: Option<&Probes>, known: &[&str], found: &mut Findings) {
    let Some(probes) = probes else { return };
    let all = [("liveness", &probes.liveness), ("readiness", &probes.readiness), ("startup", &probes.startup)];
    for (name, probe) in all {
        let Some(probe) = probe else { continue };
        http(&format!("{path}.{name}"), probe.http_get.as_ref(), known, found);
        let port = probe.tcp_socket.as_ref().and_then(|tcp| tcp.port.as_ref());
        reference(&format!("{path}.{name}.tcpSocket.port"), port, known, found);
    }
}

fn http(path: &str, get: Option<&HttpGet>, known: &[&str], found: &mut Findings) {
    reference(&format!("{path}.httpGet.port"), get.and_then(|get| get.port.as_ref()), known, found);
}

fn reference(path: &str, port: Option<&IntOrString>, known: &[&str], found: &mut Findings) {
    let Some(IntOrString::String(name)) = port else { return };
    if !known.contains(&name.as_str()) {
        found.error(path, Reason::NotFound, format!("this container has no port named `{name}`: {}", choice(known)));
    }
}

/// The end of a sentence that says what there is.
pub fn choice(known: &[&str]) -> String {
    match known {
        [] => "it declares none by name".to_owned(),
        names => format!("there is {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}
