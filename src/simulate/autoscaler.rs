//! The controllers of HorizontalPodAutoscalers and PodDisruptionBudgets.

use serde_json::{Value, json};

use crate::model::Kind;
use crate::observe::Watched;

use super::deployments::share;
use super::store::{By, Id, Store};

const AUTOSCALER: By<'static> = By::other("horizontal-pod-autoscaler");

/// One look of every autoscaler. `load` is how many pods the requests need, whoever gets them: an autoscaler sees only how
/// busy the pods of its target are.
pub fn scale(store: &mut Store, load: i64) {
    let found: Vec<(Id, String, i64, i64)> = store
        .all(Watched::Child(Kind::HorizontalPodAutoscaler))
        .filter_map(|(id, object)| {
            let spec = object.get("spec")?;
            let target = spec.pointer("/scaleTargetRef/name")?.as_str()?.to_owned();
            Some((id.clone(), target, spec.get("minReplicas")?.as_i64()?, spec.get("maxReplicas")?.as_i64()?))
        })
        .collect();
    for (id, target, min, max) in found {
        // Pods that the Service does not name carry nothing.
        let service =
            store.get(&Id::new(Watched::Child(Kind::Service), &id.name)).map(|service| service.pointer("/spec/selector").cloned());
        let carries = |pod: &Value| is_ready(pod) && service.as_ref().is_none_or(|selector| selects(selector.as_ref(), pod));
        let serving = i64::try_from(store.all(Watched::Pod).filter(|(_, pod)| carries(pod)).count()).unwrap_or_default();
        let deployment = Id::deployment(&target);
        let Some(now) = store.get(&deployment).and_then(|object| object.pointer("/spec/replicas")?.as_i64()) else { continue };
        // Zero means switched off.
        if now == 0 {
            continue;
        }
        let busy = if serving == 0 { 1.0 } else { rational(load) / rational(serving) };
        let exact = rational(now) * busy;
        // Within a tenth, it leaves things as they are.
        let wanted = if (busy - 1.0).abs() <= 0.1 { now } else { whole(exact.ceil()) };
        let wanted = wanted.clamp(min, max);
        if wanted != now {
            drop(store.edit(AUTOSCALER, &deployment, |object| object["spec"]["replicas"] = json!(wanted)));
        }
        let status = json!({
            "currentReplicas": now, "desiredReplicas": wanted,
            "conditions": [{"type": "AbleToScale", "status": "True"}, {"type": "ScalingActive", "status": "True"}],
        });
        drop(store.edit(AUTOSCALER, &id, |object| object["status"] = status));
    }
}

#[allow(clippy::cast_precision_loss, reason = "a few pods")]
fn rational(number: i64) -> f64 {
    number as f64
}

#[allow(clippy::cast_possible_truncation, reason = "a few pods")]
fn whole(number: f64) -> i64 {
    number as i64
}

/// Whether the budgets let a pod be evicted. Under more than one, none is.
pub fn may_evict(store: &Store, pod: &Value) -> bool {
    let budgets: Vec<&Value> = store
        .all(Watched::Child(Kind::PodDisruptionBudget))
        .map(|(_, budget)| budget.as_ref())
        .filter(|budget| selects(budget.pointer("/spec/selector/matchLabels"), pod))
        .collect();
    match budgets.as_slice() {
        [] => true,
        _ if !is_ready(pod) => true,
        [budget] => {
            let covered: Vec<&Value> = store
                .all(Watched::Pod)
                .map(|(_, pod)| pod.as_ref())
                .filter(|pod| selects(budget.pointer("/spec/selector/matchLabels"), pod))
                .collect();
            let healthy = covered.iter().filter(|pod| is_ready(pod)).count();
            let expected = covered.len();
            healthy + share(budget.pointer("/spec/maxUnavailable"), expected, true) > expected
        }
        _ => false,
    }
}

/// Whether all of these labels are the pod's.
pub fn selects(labels: Option<&Value>, pod: &Value) -> bool {
    let Some(wanted) = labels.and_then(Value::as_object) else { return false };
    wanted.iter().all(|(key, value)| pod.pointer("/metadata/labels").and_then(|labels| labels.get(key)) == Some(value))
}

/// Whether a pod gets requests that are sent to it.
pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    ready && pod.pointer("/metadata/deletionTimestamp").is_none()
}
