//! Health checks and hooks.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{main_port, word};
use crate::api::v1alpha1::{Handler, HttpGet, Probe, Protocol};
use crate::model::{Service, standard};

/// Port that a check without one means: the main port, unless nothing can connect to it.
pub fn default_port(service: &Service) -> Option<i32> {
    main_port(service).filter(|port| port.protocol != Protocol::UDP).map(|port| port.number)
}

/// A check; `None` where neither the user nor the service says what to connect to.
pub fn probe(probe: &Probe, port: Option<i32>) -> Option<core::Probe> {
    let timing = core::Probe {
        // Zero is not stored, and so must not be sent.
        initial_delay_seconds: probe.initial_delay_seconds.filter(|seconds| *seconds > 0),
        period_seconds: probe.period_seconds,
        timeout_seconds: probe.timeout_seconds,
        success_threshold: probe.success_threshold,
        failure_threshold: probe.failure_threshold,
        ..core::Probe::default()
    };
    if let Some(http) = &probe.http_get {
        return Some(core::Probe { http_get: Some(http_get(http, port)?), ..timing });
    }
    if let Some(exec) = &probe.exec {
        let action = core::ExecAction { command: Some(exec.command.clone()) };
        return Some(core::Probe { exec: Some(action), ..timing });
    }
    if let Some(grpc) = &probe.grpc {
        let action = core::GRPCAction { port: grpc.port.or(port)?, service: grpc.service.clone() };
        return Some(core::Probe { grpc: Some(action), ..timing });
    }
    let given = probe.tcp_socket.as_ref().and_then(|tcp| tcp.port.clone());
    Some(core::Probe { tcp_socket: Some(tcp(given.or(port.map(IntOrString::Int))?)), ..timing })
}

/// The readiness check of a service that has none of its own: somebody listens.
pub fn readiness(service: &Service) -> Option<core::Probe> {
    let port = default_port(service)?;
    Some(core::Probe { tcp_socket: Some(tcp(IntOrString::Int(port))), ..core::Probe::default() })
}

/// Hooks of the main container.
pub fn lifecycle(service: &Service, grace_seconds: i64) -> Option<core::Lifecycle> {
    let port = default_port(service);
    let user = service.spec.lifecycle.as_ref();
    let given = user.and_then(|hooks| hooks.pre_stop.as_ref());
    let pre_stop = match given {
        Some(hook) => handler(hook, port),
        None => main_port(service).and_then(|_| pause(standard::pre_stop_seconds(grace_seconds))),
    };
    let post_start = user.and_then(|hooks| hooks.post_start.as_ref()).and_then(|hook| handler(hook, port));
    let any = pre_stop.is_some() || post_start.is_some();
    any.then_some(core::Lifecycle { post_start, pre_stop, stop_signal: None })
}

/// A hook; `None` for a pause of no length, by which a user turns the default off.
fn handler(hook: &Handler, port: Option<i32>) -> Option<core::LifecycleHandler> {
    if let Some(sleep) = &hook.sleep {
        return pause(sleep.seconds);
    }
    let exec = hook.exec.as_ref().map(|exec| core::ExecAction { command: Some(exec.command.clone()) });
    let http_get = hook.http_get.as_ref().and_then(|http| http_get(http, port));
    let any = exec.is_some() || http_get.is_some();
    any.then_some(core::LifecycleHandler { exec, http_get, sleep: None, tcp_socket: None })
}

/// The server refuses a pause of no length before 1.34.
fn pause(seconds: i64) -> Option<core::LifecycleHandler> {
    let sleep = (seconds > 0).then_some(core::SleepAction { seconds })?;
    Some(core::LifecycleHandler { sleep: Some(sleep), ..core::LifecycleHandler::default() })
}

fn http_get(http: &HttpGet, port: Option<i32>) -> Option<core::HTTPGetAction> {
    let header = |header: &crate::api::v1alpha1::HttpHeader| core::HTTPHeader { name: header.name.clone(), value: header.value.clone() };
    Some(core::HTTPGetAction {
        port: http.port.clone().or(port.map(IntOrString::Int))?,
        path: http.path.clone(),
        scheme: http.scheme.and_then(word),
        http_headers: http.http_headers.as_ref().map(|headers| headers.iter().map(header).collect()),
        host: None,
    })
}

fn tcp(port: IntOrString) -> core::TCPSocketAction {
    core::TCPSocketAction { port, host: None }
}
