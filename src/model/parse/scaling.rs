//! Who decides how many pods there are, and within which bounds.

use k8s_openapi::api::autoscaling::v2::{HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior};

use super::Findings;
use crate::api::problem::Reason;
use crate::api::v1alpha1::{
    Autoscaling as Given, Behavior, MicroserviceSpec, ResourceTarget, ScalingPolicyType, ScalingRules, SelectPolicy,
};
use crate::model::quantity::Amount;
use crate::model::{Autoscaling, Scaling, Target};

/// Two, so that one may fail.
const MIN: i32 = 2;
const MAX: i32 = 6;
/// Per cent of the CPU request: room for the minute that new pods take.
const CPU_UTILIZATION: i32 = 70;

pub fn scaling(spec: &MicroserviceSpec, found: &mut Findings) -> Scaling {
    let Some(replicas) = spec.replicas else {
        return Scaling::Auto(autoscaling(&spec.autoscaling.clone().unwrap_or_default(), spec, found));
    };
    if spec.autoscaling.is_some() {
        let message = "`replicas` and `autoscaling` exclude each other: remove one";
        found.error("spec.replicas", Reason::Forbidden, message);
    }
    Scaling::Fixed(replicas)
}

fn autoscaling(given: &Given, spec: &MicroserviceSpec, found: &mut Findings) -> Autoscaling {
    // Each default gives way to the bound that the user names.
    let min = given.min_replicas.unwrap_or_else(|| MIN.min(given.max_replicas.unwrap_or(MIN)));
    let max = given.max_replicas.unwrap_or_else(|| MAX.max(min));
    if min > max {
        found.error(
            "spec.autoscaling.minReplicas",
            Reason::Invalid,
            format!("`minReplicas` ({min}) must not exceed `maxReplicas` ({max})"),
        );
    }
    let memory = target(given.memory.as_ref(), "memory", spec, found);
    let cpu = match &given.cpu {
        None => memory.is_none().then_some(Target::Utilization(CPU_UTILIZATION)),
        given => target(given.as_ref(), "cpu", spec, found),
    };
    if cpu == Some(Target::Utilization(CPU_UTILIZATION)) && given.cpu.is_none() {
        requested("spec.autoscaling", "cpu", spec, found);
    }
    Autoscaling { min, max, cpu, memory, behavior: behavior(given.behavior.as_ref()) }
}

fn target(given: Option<&ResourceTarget>, resource: &str, spec: &MicroserviceSpec, found: &mut Findings) -> Option<Target> {
    let given = given?;
    let path = format!("spec.autoscaling.{resource}");
    match (given.average_utilization, &given.average_value) {
        (Some(percent), None) => {
            requested(&format!("{path}.averageUtilization"), resource, spec, found);
            Some(Target::Utilization(percent))
        }
        (None, Some(amount)) => {
            if Amount::parse(&amount.0).is_none_or(|amount| amount.nanos() <= 0) {
                let message = format!("`{}` must be an amount above zero, e.g. `400Mi` or `500m`", amount.0);
                found.error(format!("{path}.averageValue"), Reason::Invalid, message);
            }
            Some(Target::Value(amount.clone()))
        }
        _ => {
            found.error(path, Reason::Invalid, "exactly one of `averageUtilization` and `averageValue` must be given");
            None
        }
    }
}

/// Utilisation is a share of the request, so there must be one. The default request applies where the user names none.
fn requested(path: &str, resource: &str, spec: &MicroserviceSpec, found: &mut Findings) {
    let request = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()?.get(resource));
    if request.and_then(|amount| Amount::parse(&amount.0)).is_some_and(|amount| amount.nanos() == 0) {
        let message = format!(
            "a share of nothing cannot be measured: `resources.requests.{resource}` must be above zero, or scale by `averageValue`"
        );
        found.error(path, Reason::Invalid, message);
    }
}

/// Always in full: what autoscaling/v2 assumes when a part is absent differs between its text and its code. The numbers
/// are those of the code (`pkg/apis/autoscaling/v2/defaults.go`).
fn behavior(given: Option<&Behavior>) -> HorizontalPodAutoscalerBehavior {
    let policy = |kind: &str, value| HPAScalingPolicy { type_: kind.to_owned(), value, period_seconds: 15 };
    let up = given.and_then(|given| given.scale_up.as_ref());
    let down = given.and_then(|given| given.scale_down.as_ref());
    HorizontalPodAutoscalerBehavior {
        scale_up: Some(rules(up, 0, vec![policy("Pods", 4), policy("Percent", 100)])),
        scale_down: Some(rules(down, 300, vec![policy("Percent", 100)])),
    }
}

fn rules(given: Option<&ScalingRules>, window: i32, policies: Vec<HPAScalingPolicy>) -> HPAScalingRules {
    let given = given.cloned().unwrap_or_default();
    let select = match given.select_policy {
        None | Some(SelectPolicy::Max) => "Max",
        Some(SelectPolicy::Min) => "Min",
        Some(SelectPolicy::Disabled) => "Disabled",
    };
    let own = |list: Vec<crate::api::v1alpha1::ScalingPolicy>| {
        list.into_iter().map(|policy| HPAScalingPolicy {
            type_: match policy.r#type {
                ScalingPolicyType::Pods => "Pods".to_owned(),
                ScalingPolicyType::Percent => "Percent".to_owned(),
            },
            value: policy.value,
            period_seconds: policy.period_seconds,
        })
    };
    HPAScalingRules {
        stabilization_window_seconds: Some(given.stabilization_window_seconds.unwrap_or(window)),
        select_policy: Some(select.to_owned()),
        policies: Some(given.policies.map_or(policies, |list| own(list).collect())),
        ..HPAScalingRules::default()
    }
}
