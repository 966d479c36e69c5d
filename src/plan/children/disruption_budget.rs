//! How many pods a drain may take at once.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::metadata::{child, matching, metadata, of_revision, of_rolling, selector};
use super::names;
use crate::model::{Child, Kind, Service};
use crate::plan::rollout::layout::{Layout, Role};
use crate::plan::rollout::scene::Pin;

/// None where the user wants no budget. There is never more than one for a pod: an eviction under two is refused for ever.
/// Where every pod gets requests, one budget covers them all; where only one revision does, each has its own, so that pods
/// that serve nobody cannot stand in for some that do.
pub fn build(service: &Service, layout: &Layout) -> Vec<Child> {
    if service.disruption.is_none() {
        return Vec::new();
    }
    if layout.pinned.is_none() {
        return vec![budget(service, &service.name, selector(service))];
    }
    let mixed = layout.pinned == Some(Pin::Rolling);
    let own = layout.sets.iter().filter(|set| !(mixed && set.role == Role::Stable));
    let mut revisions: Vec<&String> = own.map(|set| &set.at.revision).collect();
    revisions.sort_unstable();
    revisions.dedup();
    let of = |revision: &String| budget(service, &names::suffixed(&service.name, revision), matching(of_revision(service, revision)));
    let rolling = mixed.then(|| budget(service, &service.name, matching(of_rolling(service))));
    rolling.into_iter().chain(revisions.into_iter().map(of)).collect()
}

fn budget(service: &Service, name: &str, selector: LabelSelector) -> Child {
    let metadata = metadata(service, name);
    let budget = PodDisruptionBudget {
        metadata: metadata.clone(),
        spec: Some(PodDisruptionBudgetSpec {
            // `minAvailable` beside an autoscaler blocks drains for ever once the service is at that number.
            max_unavailable: service.disruption.clone(),
            min_available: None,
            selector: Some(selector),
            // A pod that is not ready serves nobody; by default it would still hold up the drain of its node.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
        }),
        status: None,
    };
    child(Kind::PodDisruptionBudget, &metadata, &budget)
}
