//! From what users write to what the planner needs.

use k8s_openapi::api::autoscaling::v2::{HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use serde_json::Map;

use super::access::{Access, Direction, Peer, Who};
use super::{Autoscaling, Commands, Port, Rollout, Scaling, Service, Target};
use crate::api::labels;
use crate::api::v1alpha1::{DisruptionPolicy, Isolation, Microservice, Problem, Protocol, Severity};

/// A spec that holds, and what its author should know.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub service: Service,
    pub warnings: Vec<Problem>,
}

/// Checks and completes a Microservice; all problems at once.
pub fn parse(object: &Microservice) -> Result<Parsed, Vec<Problem>> {
    let spec = object.spec.clone();
    let mut problems = Vec::new();
    let overrides = spec.pod_template.as_ref().and_then(|t| serde_json::to_value(t).ok()).and_then(|v| serde_json::from_value(v).ok());
    let protocol = spec.protocol.unwrap_or_default();
    let mut ports = Vec::new();
    if let Some(number) = spec.port {
        let name = match protocol { Protocol::HTTP => "http", Protocol::GRPC => "grpc", Protocol::TCP => "tcp", Protocol::UDP => "udp" };
        let usual = match protocol { Protocol::HTTP | Protocol::GRPC => 80, _ => number };
        let service_port = spec.service.as_ref().and_then(|s| s.port).unwrap_or(usual);
        ports.push(Port { name: name.to_owned(), number, service_port, protocol });
    }
    for port in spec.ports.iter().flatten() {
        ports.push(Port { name: port.name.clone(), number: port.port, service_port: port.port, protocol: port.protocol.unwrap_or(Protocol::TCP) });
    }
    let scaling = match spec.replicas {
        Some(n) => Scaling::Fixed(n),
        None => {
            let a = spec.autoscaling.clone().unwrap_or_default();
            let target = |t: &crate::api::v1alpha1::ResourceTarget| t.average_utilization.map(Target::Utilization).or_else(|| t.average_value.clone().map(Target::Value));
            let min = a.min_replicas.unwrap_or(2);
            let memory = a.memory.as_ref().and_then(target);
            let cpu = a.cpu.as_ref().and_then(target).or_else(|| memory.is_none().then_some(Target::Utilization(70)));
            let policy = |kind: &str, value, period| HPAScalingPolicy { type_: kind.to_owned(), value, period_seconds: period };
            let behavior = HorizontalPodAutoscalerBehavior {
                scale_up: Some(HPAScalingRules { select_policy: Some("Max".into()), stabilization_window_seconds: Some(0), policies: Some(vec![policy("Pods", 4, 15), policy("Percent", 100, 15)]), ..Default::default() }),
                scale_down: Some(HPAScalingRules { select_policy: Some("Max".into()), stabilization_window_seconds: Some(300), policies: Some(vec![policy("Percent", 100, 15)]), ..Default::default() }),
            };
            Scaling::Auto(Autoscaling { min, max: a.max_replicas.unwrap_or(6.max(min)), cpu, memory, behavior })
        }
    };
    let disruption = spec.disruption.clone().unwrap_or_default();
    let policy = spec.access_policy.clone().unwrap_or_default();
    let isolation = policy.isolation.unwrap_or_default();
    let mut cidr = |text: &str, field: String| match text.parse() {
        Ok(net) => Some(Who::Cidr(net)),
        Err(_) => { problems.push(Problem { field, severity: Severity::Error, reason: "Invalid".into(), message: format!("`{text}` must be an address range, e.g. 203.0.113.0/24") }); None }
    };
    let mut inbound = Vec::new();
    for (i, e) in policy.inbound.iter().flatten().enumerate() {
        let who = if let Some(name) = &e.service { Some(Who::Service { name: name.clone(), namespace: e.namespace.clone() }) }
            else if let Some(c) = &e.cidr { cidr(c, format!("spec.accessPolicy.inbound[{i}].cidr")) }
            else { Some(Who::Selector { namespaces: e.namespace_selector.clone(), pods: e.pod_selector.clone() }) };
        inbound.extend(who.map(|who| Peer { who, ports: e.ports.clone().unwrap_or_default() }));
    }
    let mut outbound = Vec::new();
    for (i, e) in policy.outbound.iter().flatten().enumerate() {
        let who = if let Some(name) = &e.service { Some(Who::Service { name: name.clone(), namespace: e.namespace.clone() }) }
            else if let Some(c) = &e.cidr { cidr(c, format!("spec.accessPolicy.outbound[{i}].cidr")) }
            else { Some(Who::Selector { namespaces: e.namespace_selector.clone(), pods: e.pod_selector.clone() }) };
        outbound.extend(who.map(|who| Peer { who, ports: e.ports.clone().unwrap_or_default() }));
    }
    let access = Access {
        inbound: match isolation {
            Isolation::None => Direction::Open,
            _ if policy.inbound.is_some() => Direction::Only(inbound),
            Isolation::Strict => Direction::Only(Vec::new()),
            Isolation::Namespace => Direction::Namespace,
        },
        outbound: match isolation {
            Isolation::None => Direction::Open,
            _ if policy.outbound.is_some() => Direction::Only(outbound),
            Isolation::Strict => Direction::Only(Vec::new()),
            Isolation::Namespace => Direction::Open,
        },
    };
    let r = spec.rollout.clone().unwrap_or_default();
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut all = std::collections::BTreeMap::new();
    for (key, value) in [(labels::PART_OF, &spec.system), (labels::DOMAIN, &spec.domain), (labels::OWNER, &spec.owner)] {
        if let Some(v) = value { all.insert(key.to_owned(), v.clone()); }
    }
    let annotation = |key: &str| object.annotations().get(key).cloned();
    let service = Service {
        name: object.name_any(),
        namespace: object.namespace().unwrap_or_default(),
        uid: object.uid().unwrap_or_default(),
        generation: object.metadata.generation.unwrap_or(0),
        labels: all,
        ports,
        scaling,
        disruption: (disruption.policy.unwrap_or_default() == DisruptionPolicy::Auto).then(|| disruption.max_unavailable.unwrap_or(IntOrString::Int(1))),
        access,
        rollout: Rollout {
            strategy: r.strategy.unwrap_or_default(),
            max_surge: r.max_surge.unwrap_or(IntOrString::String("25%".into())),
            max_unavailable: r.max_unavailable.unwrap_or(IntOrString::Int(0)),
            min_ready_seconds: r.min_ready_seconds.unwrap_or(0),
            progress_deadline_seconds: r.progress_deadline_seconds.unwrap_or(600),
            on_failure: r.on_failure.unwrap_or_default(),
            history_limit: usize::try_from(r.revision_history_limit.unwrap_or(10)).unwrap_or(10),
        },
        overrides,
        deletion: spec.deletion_policy.unwrap_or_default(),
        suspend: spec.suspend.unwrap_or(false),
        commands: Commands { retry: annotation(labels::RETRY), restart: annotation(labels::RESTART) },
        defaults: Map::new(),
        spec,
    };
    Ok(Parsed { service, warnings: Vec::new() })
}
