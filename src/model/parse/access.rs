//! Who may call, and whom the service calls.

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Findings, companions, labels, ports};
use crate::api::problem::Reason;
use crate::api::v1alpha1::{AccessPolicy, Inbound, Isolation, MicroserviceSpec, Outbound};
use crate::model::{Access, Direction, Peer, Port, Who};

pub fn access(spec: &MicroserviceSpec, ports: &[Port], found: &mut Findings) -> Access {
    let policy = spec.access_policy.clone().unwrap_or_default();
    let isolation = policy.isolation.unwrap_or_default();
    let inbound = policy.inbound.as_deref().map(|list| peers("inbound", list, found));
    let outbound = policy.outbound.as_deref().map(|list| peers("outbound", list, found));
    exposed(spec, ports, &policy, found);
    numbered(&policy, found);
    let close = |list: Option<Vec<Peer>>, open| match (isolation, list) {
        (Isolation::None, _) => Direction::Open,
        (_, Some(list)) => Direction::Only(list),
        (Isolation::Strict, None) => Direction::Only(Vec::new()),
        (Isolation::Namespace, None) => open,
    };
    Access { inbound: close(inbound, Direction::Namespace), outbound: close(outbound, Direction::Open) }
}

/// What both directions have in common.
struct Entry<'a> {
    service: Option<&'a String>,
    namespace: Option<&'a String>,
    namespaces: Option<&'a LabelSelector>,
    pods: Option<&'a LabelSelector>,
    cidr: Option<&'a String>,
    ports: &'a [IntOrString],
}

impl<'a> From<&'a Inbound> for Entry<'a> {
    fn from(of: &'a Inbound) -> Self {
        Self {
            service: of.service.as_ref(),
            namespace: of.namespace.as_ref(),
            namespaces: of.namespace_selector.as_ref(),
            pods: of.pod_selector.as_ref(),
            cidr: of.cidr.as_ref(),
            ports: of.ports.as_deref().unwrap_or_default(),
        }
    }
}

impl<'a> From<&'a Outbound> for Entry<'a> {
    fn from(of: &'a Outbound) -> Self {
        Self {
            service: of.service.as_ref(),
            namespace: of.namespace.as_ref(),
            namespaces: of.namespace_selector.as_ref(),
            pods: of.pod_selector.as_ref(),
            cidr: of.cidr.as_ref(),
            ports: of.ports.as_deref().unwrap_or_default(),
        }
    }
}

fn peers<'a, T>(direction: &str, list: &'a [T], found: &mut Findings) -> Vec<Peer>
where
    Entry<'a>: From<&'a T>,
{
    let mut peers: Vec<Peer> = Vec::new();
    for (index, entry) in list.iter().map(Entry::from).enumerate() {
        let path = format!("spec.accessPolicy.{direction}[{index}]");
        let Some(who) = who(&path, &entry, found) else { continue };
        if peers.iter().any(|peer| peer.who == who) {
            found.error(&path, Reason::Duplicate, "the list names this peer twice: put all its ports into one entry");
        }
        for (index, port) in entry.ports.iter().enumerate() {
            if entry.ports[..index].contains(port) {
                found.error(format!("{path}.ports[{index}]"), Reason::Duplicate, format!("the list names port `{}` twice", text(port)));
            }
        }
        peers.push(Peer { who, ports: entry.ports.to_vec() });
    }
    peers
}

fn who(path: &str, entry: &Entry<'_>, found: &mut Findings) -> Option<Who> {
    if let Some(name) = entry.service {
        return Some(Who::Service { name: name.clone(), namespace: entry.namespace.cloned() });
    }
    if let Some(text) = entry.cidr {
        return cidr(&format!("{path}.cidr"), text, found).map(Who::Cidr);
    }
    if entry.namespaces.is_none() && entry.pods.is_none() {
        found.error(path, Reason::Required, "it must name a peer: `service`, `cidr`, `namespaceSelector` or `podSelector`");
        return None;
    }
    for (name, selector) in [("namespaceSelector", entry.namespaces), ("podSelector", entry.pods)] {
        labels::selector(&format!("{path}.{name}"), selector, found);
    }
    Some(Who::Selector { namespaces: entry.namespaces.cloned(), pods: entry.pods.cloned() })
}

fn cidr(path: &str, text: &str, found: &mut Findings) -> Option<IpNet> {
    let Ok(network) = text.parse::<IpNet>() else {
        let message = match text.parse::<std::net::IpAddr>() {
            Ok(address) => format!("`{text}` is one address; as a network it is `{}`", IpNet::from(address)),
            Err(_) => format!("`{text}` must be a network such as `203.0.113.0/24` or `2001:db8::/32`; host names cannot be enforced"),
        };
        found.error(path, Reason::Invalid, message);
        return None;
    };
    if network.trunc() != network {
        found.error(path, Reason::Invalid, format!("`{text}` has bits set beyond its prefix: the network is `{}`", network.trunc()));
    }
    Some(network)
}

/// Ports of inbound entries are this pod's own. Others would open nothing, which is not what their author meant.
fn exposed(spec: &MicroserviceSpec, declared: &[Port], policy: &AccessPolicy, found: &mut Findings) {
    let beside = companions(spec).flat_map(|(_, companion)| companion.ports.as_deref().unwrap_or_default());
    let (names, numbers): (Vec<_>, Vec<_>) = beside.map(|port| (port.name.as_deref(), port.container_port)).unzip();
    let names: Vec<&str> = declared.iter().map(|port| port.name.as_str()).chain(names.into_iter().flatten()).collect();
    let numbers: Vec<i32> = declared.iter().map(|port| port.number).chain(numbers).collect();
    for (entry, inbound) in policy.inbound.iter().flatten().enumerate() {
        for (index, port) in inbound.ports.iter().flatten().enumerate() {
            let known = match port {
                IntOrString::Int(number) => numbers.contains(number),
                IntOrString::String(name) => names.contains(&name.as_str()),
            };
            if !known {
                let message = format!(
                    "the pods declare no port `{}`: {}; numbers are those of containers, not of the Service",
                    text(port),
                    ports::choice(&names)
                );
                found.error(format!("spec.accessPolicy.inbound[{entry}].ports[{index}]"), Reason::NotFound, message);
            }
        }
    }
}

/// A name of a port means something only where the callee's pods are known.
fn numbered(policy: &AccessPolicy, found: &mut Findings) {
    let unnamed = policy.outbound.iter().flatten().enumerate().filter(|(_, entry)| entry.service.is_none());
    for (entry, outbound) in unnamed {
        for (index, port) in outbound.ports.iter().flatten().enumerate() {
            if let IntOrString::String(name) = port {
                let message = format!("`{name}` must be a number: names of ports need `service`");
                found.error(format!("spec.accessPolicy.outbound[{entry}].ports[{index}]"), Reason::Invalid, message);
            }
        }
    }
}

fn text(port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}
