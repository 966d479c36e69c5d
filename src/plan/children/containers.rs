//! The main container and its companions.

use k8s_openapi::api::core::v1 as core;

use super::volumes::Layout;
use super::{probes, security, transport, word};
use crate::api::v1alpha1::{Container, Probe, Probes};
use crate::model::Service;
use crate::model::standard::{self, Amounts};

/// The service itself. Its container has the service's name.
pub fn main(service: &Service, layout: &Layout) -> core::Container {
    let spec = &service.spec;
    let shared = Container {
        name: service.name.clone(),
        image: spec.image.clone(),
        image_pull_policy: spec.image_pull_policy,
        command: spec.command.clone(),
        args: spec.args.clone(),
        working_dir: spec.working_dir.clone(),
        env: Some(environment(service)),
        env_from: spec.env_from.clone(),
        resources: spec.resources.clone(),
        security_context: spec.security_context.clone(),
        ..Container::default()
    };
    let default_port = probes::default_port(service);
    let grace = spec.termination_grace_period_seconds.unwrap_or(standard::GRACE_SECONDS);
    let ports = service.ports.iter().map(|port| container_port(Some(&port.name), port.number, transport(port.protocol)));
    let mut main = container(&shared, &standard::MAIN, layout.mounts(&service.name, None));
    main.ports = Some(ports.collect());
    main.lifecycle = probes::lifecycle(service, grace);
    check(&mut main, spec.probes.as_ref(), default_port);
    if spec.probes.as_ref().is_none_or(|probes| probes.readiness.is_none()) {
        main.readiness_probe = probes::readiness(service);
    }
    main
}

/// What runs before the service: first the sidecars, which stay (Kubernetes calls such init containers native
/// sidecars), then the init containers, one after the other. In this order init containers can use the sidecars, as a
/// migration does that reaches its database through a proxy; the other way round they could not.
pub fn before(service: &Service, layout: &Layout) -> Vec<core::Container> {
    let companion = |of: &Container| container(of, &standard::COMPANION, layout.mounts(&of.name, of.mounts.as_deref().or(Some(&[]))));
    let sidecar = |of: &Container| {
        let mut sidecar = companion(of);
        sidecar.restart_policy = Some("Always".to_owned());
        check(&mut sidecar, of.probes.as_ref(), None);
        sidecar
    };
    let sidecars = service.spec.sidecars.iter().flatten().map(sidecar);
    sidecars.chain(service.spec.init_containers.iter().flatten().map(companion)).collect()
}

/// What all containers have in common.
fn container(of: &Container, defaults: &Amounts, mounts: Vec<core::VolumeMount>) -> core::Container {
    let ports = of.ports.iter().flatten().map(|port| container_port(port.name.as_ref(), port.container_port, "TCP"));
    let resources = standard::resources(of.resources.as_ref(), defaults);
    core::Container {
        name: of.name.clone(),
        image: Some(of.image.clone()),
        image_pull_policy: of.image_pull_policy.and_then(word),
        command: of.command.clone(),
        args: of.args.clone(),
        working_dir: of.working_dir.clone(),
        env: of.env.clone(),
        env_from: of.env_from.clone(),
        ports: Some(ports.collect()),
        resources: Some(core::ResourceRequirements { requests: resources.requests, limits: resources.limits, claims: None }),
        security_context: Some(security::container(of.security_context.as_ref())),
        volume_mounts: Some(mounts),
        ..core::Container::default()
    }
}

/// Sets the checks that the user gives.
fn check(container: &mut core::Container, given: Option<&Probes>, default_port: Option<i32>) {
    let probe = |probe: Option<&Probe>| probe.and_then(|given| probes::probe(given, default_port));
    container.liveness_probe = probe(given.and_then(|probes| probes.liveness.as_ref()));
    container.readiness_probe = probe(given.and_then(|probes| probes.readiness.as_ref()));
    container.startup_probe = probe(given.and_then(|probes| probes.startup.as_ref()));
}

/// The user's variables, then the URLs of the services that this one calls. A variable of the user's is never
/// overwritten.
fn environment(service: &Service) -> Vec<core::EnvVar> {
    let mut variables = service.spec.env.clone().unwrap_or_default();
    let outbound = service.spec.access_policy.iter().filter_map(|policy| policy.outbound.as_ref()).flatten();
    for entry in outbound {
        let (Some(callee), Some(name)) = (&entry.service, &entry.env) else {
            continue;
        };
        if variables.iter().any(|variable| variable.name == *name) {
            continue;
        }
        let url = match entry.namespace.as_ref().filter(|namespace| **namespace != service.namespace) {
            Some(namespace) => format!("http://{callee}.{namespace}"),
            None => format!("http://{callee}"),
        };
        variables.push(core::EnvVar { name: name.clone(), value: Some(url), value_from: None });
    }
    variables
}

fn container_port(name: Option<&String>, number: i32, protocol: &str) -> core::ContainerPort {
    core::ContainerPort {
        name: name.cloned(),
        container_port: number,
        protocol: Some(protocol.to_owned()),
        ..core::ContainerPort::default()
    }
}
