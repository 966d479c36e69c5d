//! Who may call the service, and whom it may call.
//!
//! Probes need no rule: a NetworkPolicy never stops traffic between a pod and the node that it runs on
//! (<https://kubernetes.io/docs/concepts/services-networking/network-policies/>).

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{child, identity, matching, metadata, selector};
use super::transport;
use crate::model::{Child, Direction, Kind, Peer, Port, Service, Who};

/// Label that Kubernetes puts on every namespace, with its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// Port of DNS.
const DNS: i32 = 53;

/// `None` where both directions are open: a policy without a type would restrict inbound traffic.
pub fn build(service: &Service) -> Option<Child> {
    let (inbound, outbound) = (&service.access.inbound, &service.access.outbound);
    let directions = [("Ingress", *inbound != Direction::Open), ("Egress", matches!(outbound, Direction::Only(_)))];
    let types: Vec<String> = directions.into_iter().filter(|(_, closed)| *closed).map(|(name, _)| name.to_owned()).collect();
    if types.is_empty() {
        return None;
    }
    let metadata = metadata(service, &service.name);
    let policy = NetworkPolicy {
        metadata: metadata.clone(),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(selector(service)),
            policy_types: Some(types),
            ingress: Some(ingress(service)),
            egress: Some(egress(service)),
        }),
    };
    Some(child(Kind::NetworkPolicy, &metadata, &policy))
}

/// Allowed callers. No rule at all means nobody.
fn ingress(service: &Service) -> Vec<NetworkPolicyIngressRule> {
    let mut rules: Vec<_> = match &service.access.inbound {
        Direction::Open => return Vec::new(),
        Direction::Namespace => caller(pods(LabelSelector::default()), declared(&service.ports)).into_iter().collect(),
        Direction::Only(peers) => {
            let own = NetworkPolicyIngressRule { from: Some(vec![pods(selector(service))]), ports: None };
            let others = peers.iter().filter_map(|peer| caller(named(&peer.who), inbound_ports(service, peer)));
            std::iter::once(own).chain(others).collect()
        }
    };
    let gateways = gateways(service);
    rules.extend(gateways.into_iter().filter(|rule| !rules.contains(rule)).collect::<Vec<_>>());
    rules
}

/// The namespaces of the gateways that routes name, where most implementations run their proxies. Others are for `inbound`.
fn gateways(service: &Service) -> Vec<NetworkPolicyIngressRule> {
    let mut rules = Vec::new();
    for route in &service.routes {
        let namespace = route.gateway.namespace.clone().unwrap_or_else(|| service.namespace.clone());
        if namespace == service.namespace && service.access.inbound == Direction::Namespace {
            continue;
        }
        let from = NetworkPolicyPeer {
            namespace_selector: Some(matching([(NAMESPACE_NAME.to_owned(), namespace)].into())),
            ..pods(LabelSelector::default())
        };
        let ports: Vec<Port> = service.ports.iter().filter(|port| port.name == route.port.0).cloned().collect();
        let rule = caller(from, declared(&ports));
        rules.extend(rule.filter(|rule| !rules.contains(rule)));
    }
    rules
}

/// A rule, unless it has no ports: without the field it would open all of them, and a service without ports has none
/// to open.
fn caller(from: NetworkPolicyPeer, ports: Vec<NetworkPolicyPort>) -> Option<NetworkPolicyIngressRule> {
    (!ports.is_empty()).then(|| NetworkPolicyIngressRule { from: Some(vec![from]), ports: Some(ports) })
}

/// Allowed callees.
fn egress(service: &Service) -> Vec<NetworkPolicyEgressRule> {
    match &service.access.outbound {
        Direction::Open | Direction::Namespace => Vec::new(),
        Direction::Only(peers) => {
            let own = NetworkPolicyEgressRule { to: Some(vec![pods(selector(service))]), ports: None };
            let others = peers.iter().map(callee);
            [dns(), own].into_iter().chain(others).collect()
        }
    }
}

/// A callee of ours has a policy of its own that opens its declared ports and no others; which those are this service
/// cannot know. So an entry without ports opens all of them on this side.
fn callee(peer: &Peer) -> NetworkPolicyEgressRule {
    // The entry names no protocol, and what the callee speaks is not known here.
    let both = |port: &IntOrString| ["TCP", "UDP"].map(|protocol| policy_port(port.clone(), protocol));
    let ports: Vec<_> = peer.ports.iter().flat_map(both).collect();
    NetworkPolicyEgressRule { to: Some(vec![named(&peer.who)]), ports: (!ports.is_empty()).then_some(ports) }
}

/// Name servers: pods in any namespace, because where they run and how they are labelled differs between clusters.
/// The rule opens port 53 of pods only, not of addresses outside the cluster.
fn dns() -> NetworkPolicyEgressRule {
    let anywhere = NetworkPolicyPeer { namespace_selector: Some(LabelSelector::default()), ..pods(LabelSelector::default()) };
    let ports = ["UDP", "TCP"].map(|protocol| policy_port(IntOrString::Int(DNS), protocol));
    NetworkPolicyEgressRule { to: Some(vec![anywhere]), ports: Some(ports.into()) }
}

fn named(who: &Who) -> NetworkPolicyPeer {
    match who {
        Who::Service { name, namespace } => NetworkPolicyPeer {
            namespace_selector: namespace.clone().map(|name| matching([(NAMESPACE_NAME.to_owned(), name)].into())),
            ..pods(matching(identity(name)))
        },
        Who::Selector { namespaces, pods } => {
            NetworkPolicyPeer { namespace_selector: namespaces.clone(), pod_selector: pods.clone(), ip_block: None }
        }
        // Without host bits: the server warns about `10.0.0.1/8`.
        Who::Cidr(net) => {
            NetworkPolicyPeer { ip_block: Some(IPBlock { cidr: net.trunc().to_string(), except: None }), ..NetworkPolicyPeer::default() }
        }
    }
}

fn pods(selector: LabelSelector) -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(selector), ..NetworkPolicyPeer::default() }
}

/// Ports of an inbound entry, with the protocols under which the service declares them: a number may stand for one TCP
/// and one UDP port. A number that is not declared is taken for TCP.
fn inbound_ports(service: &Service, peer: &Peer) -> Vec<NetworkPolicyPort> {
    if peer.ports.is_empty() {
        return declared(&service.ports);
    }
    let wanted = |port: &IntOrString| {
        let same = |known: &&Port| match port {
            IntOrString::Int(number) => known.number == *number,
            IntOrString::String(name) => known.name == *name,
        };
        let mut protocols: Vec<_> = service.ports.iter().filter(same).map(|known| transport(known.protocol)).collect();
        protocols.dedup();
        if protocols.is_empty() {
            protocols.push("TCP");
        }
        protocols.into_iter().map(|protocol| policy_port(port.clone(), protocol)).collect::<Vec<_>>()
    };
    peer.ports.iter().flat_map(wanted).collect()
}

/// The ports by name, which each pod resolves for itself: while a rollout changes the number, old and new pods stay
/// reachable.
fn declared(ports: &[Port]) -> Vec<NetworkPolicyPort> {
    ports.iter().map(|port| policy_port(IntOrString::String(port.name.clone()), transport(port.protocol))).collect()
}

fn policy_port(port: IntOrString, protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(port), protocol: Some(protocol.to_owned()), end_port: None }
}
