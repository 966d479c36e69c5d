//! The values in force that the spec leaves out, as `status.defaults` and `render` publish them: the operator never writes
//! to `spec`, and users must still be able to see what they got.

use serde_json::{Map, Value, json};

use super::profile;
use crate::api::v1alpha1::{Isolation, MicroserviceSpec, Protocol, Strategy};
use crate::model::{Autoscaling, Scaling, Service, Target, standard};

/// What the spec would say if its author had written everything, without what the author did write.
pub fn defaults(service: &Service, written: &MicroserviceSpec) -> Map<String, Value> {
    let given = serde_json::to_value(written).unwrap_or_default();
    let all = if service.profile.is_some() { in_force(service) } else { effective(service) };
    match missing(all, &given) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// All values that hold: those of the spec and its profile, and the built-in ones.
pub fn in_force(service: &Service) -> Value {
    let mut all = serde_json::to_value(&service.spec).unwrap_or_default();
    profile::fill(&mut all, &effective(service));
    all
}

fn effective(service: &Service) -> Value {
    let spec = &service.spec;
    let policy = spec.access_policy.clone().unwrap_or_default();
    let mut all = json!({
        "resources": standard::resources(spec.resources.as_ref(), &standard::MAIN),
        "securityContext": {"readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false},
        "podSecurityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "serviceAccount": {"automountToken": false},
        "terminationGracePeriodSeconds": standard::GRACE_SECONDS,
        "placement": {"spread": spec.placement.as_ref().and_then(|placement| placement.spread).unwrap_or_default()},
        "accessPolicy": {"isolation": policy.isolation.unwrap_or(Isolation::Namespace)},
        "rollout": rollout(service),
        "deletionPolicy": service.deletion,
    });
    if let Some(budget) = &service.disruption {
        all["disruption"] = json!({"policy": "Auto", "maxUnavailable": budget});
    }
    if let Scaling::Auto(bounds) = &service.scaling {
        all["autoscaling"] = autoscaling(bounds);
    }
    if let Some(main) = spec.port.and(service.ports.first()) {
        all["protocol"] = json!(main.protocol);
        all["service"] = json!({"port": main.service_port});
        let probes = spec.probes.as_ref();
        if main.protocol != Protocol::UDP && probes.is_none_or(|probes| probes.readiness.is_none()) {
            all["probes"] = json!({"readiness": {"tcpSocket": {"port": main.number}}});
        }
        if spec.lifecycle.as_ref().is_none_or(|hooks| hooks.pre_stop.is_none()) {
            let grace = spec.termination_grace_period_seconds.unwrap_or(standard::GRACE_SECONDS);
            all["lifecycle"] = json!({"preStop": {"sleep": {"seconds": standard::pre_stop_seconds(grace)}}});
        }
    }
    all
}

fn rollout(service: &Service) -> Value {
    let rollout = &service.rollout;
    let mut all = json!({
        "strategy": rollout.strategy,
        "minReadySeconds": rollout.min_ready_seconds,
        "progressDeadlineSeconds": rollout.progress_deadline_seconds,
        "onFailure": rollout.on_failure,
        "revisionHistoryLimit": rollout.history_limit,
    });
    if rollout.strategy != Strategy::Recreate {
        all["maxSurge"] = json!(rollout.max_surge);
        all["maxUnavailable"] = json!(rollout.max_unavailable);
    }
    match rollout.strategy {
        Strategy::RollingUpdate | Strategy::Recreate => {}
        Strategy::Canary => all["onSpecChange"] = json!(rollout.on_spec_change),
        Strategy::BlueGreen => {
            all["onSpecChange"] = json!(rollout.on_spec_change);
            all["scaleDownDelaySeconds"] = json!(rollout.scale_down_delay_seconds);
            all["abortScaleDownDelaySeconds"] = json!(rollout.abort_scale_down_delay_seconds);
            all["blueGreen"] = json!({"autoPromotion": rollout.blue_green.delay_seconds.is_some()});
            if let Some(seconds) = rollout.blue_green.delay_seconds {
                all["blueGreen"]["autoPromotionDelaySeconds"] = json!(seconds);
            }
        }
    }
    all
}

fn autoscaling(bounds: &Autoscaling) -> Value {
    let mut all = json!({"minReplicas": bounds.min, "maxReplicas": bounds.max, "behavior": bounds.behavior});
    for (name, target) in [("cpu", &bounds.cpu), ("memory", &bounds.memory)] {
        match target {
            Some(Target::Utilization(percent)) => all[name] = json!({"averageUtilization": percent}),
            Some(Target::Value(amount)) => all[name] = json!({"averageValue": amount}),
            None => {}
        }
    }
    all
}

/// What is in `all` and not in `given`. Lists are taken as one value.
fn missing(all: Value, given: &Value) -> Option<Value> {
    match (all, given) {
        (all, Value::Null) => Some(all),
        (Value::Object(all), Value::Object(given)) => {
            let left: Map<_, _> = all
                .into_iter()
                .filter_map(|(key, value)| Some((key.clone(), missing(value, given.get(&key).unwrap_or(&Value::Null))?)))
                .collect();
            (!left.is_empty()).then_some(Value::Object(left))
        }
        _ => None,
    }
}
