//! Who decides how many pods there are, when the user does not.

use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};

use super::metadata::{child, metadata};
use crate::model::{Child, Kind, Scaling, Service, Target, quantity};
use crate::plan::rollout::layout::Follow;

/// `None` where the number is fixed.
pub fn build(service: &Service, follow: Option<&Follow>) -> Option<Child> {
    let (Scaling::Auto(bounds), Some(follow)) = (&service.scaling, follow) else {
        return None;
    };
    // Of fixed order: the list is compared with the live one item by item.
    let targets = [("cpu", &bounds.cpu), ("memory", &bounds.memory)];
    let metrics = targets.into_iter().filter_map(|(resource, target)| Some(metric(service, resource, target.as_ref()?)));
    let metadata = metadata(service, &service.name);
    let autoscaler = HorizontalPodAutoscaler {
        metadata: metadata.clone(),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(Kind::Deployment.api_version()),
                kind: Kind::Deployment.name().to_owned(),
                name: follow.deployment.clone(),
            },
            min_replicas: Some(follow.min),
            max_replicas: follow.max,
            metrics: Some(metrics.collect()),
            behavior: Some(bounds.behavior.clone()),
        }),
        status: None,
    };
    Some(child(Kind::HorizontalPodAutoscaler, &metadata, &autoscaler))
}

/// Beside companions the main container is measured alone: a busy or idle sidecar would blur the average, and one
/// without a request (kubernetes/kubernetes#79365) would stop the autoscaler altogether.
fn metric(service: &Service, resource: &str, target: &Target) -> MetricSpec {
    let (name, target) = (resource.to_owned(), metric_target(target));
    if has_companions(service) {
        return MetricSpec {
            type_: "ContainerResource".to_owned(),
            container_resource: Some(ContainerResourceMetricSource { container: service.name.clone(), name, target }),
            ..MetricSpec::default()
        };
    }
    MetricSpec { type_: "Resource".to_owned(), resource: Some(ResourceMetricSource { name, target }), ..MetricSpec::default() }
}

fn metric_target(target: &Target) -> MetricTarget {
    match target {
        Target::Utilization(percent) => {
            MetricTarget { type_: "Utilization".to_owned(), average_utilization: Some(*percent), ..MetricTarget::default() }
        }
        Target::Value(amount) => {
            MetricTarget { type_: "AverageValue".to_owned(), average_value: Some(quantity::canonical(amount)), ..MetricTarget::default() }
        }
    }
}

/// Whether anything runs beside the main container, whichever way the user asked for it.
fn has_companions(service: &Service) -> bool {
    let overrides = service.overrides.as_ref().and_then(|template| template.spec.as_ref());
    let further = overrides.is_some_and(|pod| {
        let beside = pod.containers.iter().any(|container| container.name != service.name);
        beside || pod.init_containers.iter().flatten().any(|container| container.restart_policy.is_some())
    });
    further || service.spec.sidecars.as_ref().is_some_and(|sidecars| !sidecars.is_empty())
}
