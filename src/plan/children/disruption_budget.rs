//! How many pods a drain may take at once.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};

use super::metadata::{child, metadata, selector};
use crate::model::{Child, Kind, Service};

/// `None` where the user wants no budget.
pub fn build(service: &Service) -> Option<Child> {
    let max_unavailable = service.disruption.clone()?;
    let metadata = metadata(service, &service.name);
    let budget = PodDisruptionBudget {
        metadata: metadata.clone(),
        spec: Some(PodDisruptionBudgetSpec {
            // `minAvailable` beside an autoscaler blocks drains for ever once the service is at that number.
            max_unavailable: Some(max_unavailable),
            min_available: None,
            selector: Some(selector(service)),
            // A pod that is not ready serves nobody; by default it would still hold up the drain of its node.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
        }),
        status: None,
    };
    Some(child(Kind::PodDisruptionBudget, &metadata, &budget))
}
