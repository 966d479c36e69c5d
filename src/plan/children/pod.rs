//! The pod template: what a revision is.

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::metadata::{common_labels, selector};
use super::volumes::Layout;
use super::{containers, overrides, security, tidy};
use crate::api::labels;
use crate::api::v1alpha1::Spread;
use crate::model::{Service, standard};

/// Node labels over which pods are spread: a zone may fail, and so may a node.
const DOMAINS: [&str; 2] = ["topology.kubernetes.io/zone", "kubernetes.io/hostname"];

/// The template as JSON in canonical form. `restart` is the text of the last restart asked for.
pub fn template(service: &Service, restart: Option<&str>) -> Value {
    let restarted = restart.map(|text| [(labels::RESTART.to_owned(), text.to_owned())].into());
    let generated = PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(common_labels(service)), annotations: restarted, ..ObjectMeta::default() }),
        spec: Some(pod(service)),
    };
    let mut template = match &service.overrides {
        Some(partial) => overrides::merge(service, generated, partial),
        None => generated,
    };
    template.spec.iter_mut().for_each(tidy::pod);
    tidy::json(&template)
}

fn pod(service: &Service) -> PodSpec {
    let spec = &service.spec;
    let layout = Layout::of(service);
    let placement = spec.placement.clone().unwrap_or_default();
    let account = spec.service_account.as_ref();
    PodSpec {
        service_account_name: Some(service.name.clone()),
        automount_service_account_token: Some(account.and_then(|account| account.automount_token).unwrap_or(false)),
        // Variables for every Service of the namespace: they leak its inventory, and thousands of them slow the start.
        enable_service_links: Some(false),
        image_pull_secrets: spec.image_pull_secrets.clone(),
        security_context: Some(security::pod(spec.pod_security_context.as_ref())),
        termination_grace_period_seconds: Some(spec.termination_grace_period_seconds.unwrap_or(standard::GRACE_SECONDS)),
        init_containers: Some(containers::before(service, &layout)),
        containers: vec![containers::main(service, &layout)],
        volumes: Some(layout.volumes),
        node_selector: placement.node_selector,
        tolerations: placement.tolerations,
        affinity: placement.affinity,
        priority_class_name: placement.priority_class_name,
        topology_spread_constraints: Some(spread(service, placement.spread.unwrap_or_default())),
        ..PodSpec::default()
    }
}

fn spread(service: &Service, spread: Spread) -> Vec<TopologySpreadConstraint> {
    let when = match spread {
        Spread::Preferred => "ScheduleAnyway",
        Spread::Required => "DoNotSchedule",
        Spread::None => return Vec::new(),
    };
    let over = |domain: &str| TopologySpreadConstraint {
        topology_key: domain.to_owned(),
        max_skew: 1,
        when_unsatisfiable: when.to_owned(),
        label_selector: Some(selector(service)),
        // Only pods of the same ReplicaSet count: otherwise the old pods of a rollout push the new ones aside, and
        // what is left when they go is uneven.
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    };
    DOMAINS.into_iter().map(over).collect()
}
