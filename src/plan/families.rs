//! One condition for each family of children, so that a reader sees which part is missing.

use std::time::Duration;

use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition};

use crate::api::v1alpha1::AutoscalingStatus;
use crate::model::{Kind, Scaling, Service};
use crate::observe::World;

use super::conditions::{AUTOSCALER, AVAILABLE, Conditions, DISRUPTION, Is, NETWORK, NOT_REQUESTED, OVERRIDDEN, ROUTES, WORKLOAD};
use super::gateway::{self, Verdict};
use super::rollout::Step;
use super::workload::{Workload, minimum};
use super::{Applied, Children, user_routes};

/// For how long no reason is given: in its first minute an autoscaler complains of metrics that cannot be there yet.
const FIRST_METRICS_SECONDS: i64 = 60;
/// How long an autoscaler may be without metrics before that is called a failure: fresh pods need about a minute
/// until the metrics API knows them, and an autoscaler looks each 15 s.
const METRICS_PATIENCE_SECONDS: i64 = 300;

/// Writes the family conditions; says when one of them changes by itself.
pub fn write(
    conditions: &mut Conditions,
    service: &Service,
    world: &World,
    children: &Children,
    applied: &Applied,
    step: &Step,
    workload: &Workload,
) -> Option<Duration> {
    availability(conditions, service, step, workload);
    requested(conditions, DISRUPTION, Kind::PodDisruptionBudget, children, applied);
    requested(conditions, NETWORK, Kind::NetworkPolicy, children, applied);
    routes(conditions, service, world, children, applied);
    for kind in NOT_REQUESTED {
        conditions.set(kind, Is::True, "NotRequested", "not asked for");
    }
    if service.overrides.is_some() {
        conditions.set(
            OVERRIDDEN,
            Is::True,
            "PodTemplate",
            "`spec.podTemplate` changes the generated pods; see them with `microservice-operator render`",
        );
    } else {
        conditions.clear(OVERRIDDEN);
    }
    autoscaler(conditions, service, world, children, applied)
}

/// `Available`: the stable revision serves with at least its minimum, also during and after a failed rollout.
/// `WorkloadReady`: the pods that should run do.
fn availability(conditions: &mut Conditions, service: &Service, step: &Step, workload: &Workload) {
    let least = minimum(service, workload);
    let enough = step.progress.stable.is_some() && workload.available >= least;
    let message = format!("{} of at least {least} pods are available", workload.available);
    if enough {
        conditions.set(AVAILABLE, Is::True, "MinimumAvailable", message);
    } else {
        let reason = if step.progress.stable.is_none() { "NeverRolledOut" } else { "BelowMinimum" };
        conditions.set(AVAILABLE, Is::False, reason, message);
    }
    let text = format!("{} of {} pods are ready", workload.ready, workload.desired);
    if let Some(refused) = &workload.refused {
        conditions.set(WORKLOAD, Is::False, "PodsRefused", refused);
    } else if !workload.current {
        conditions.set(WORKLOAD, Is::Unknown, "Progressing", "the Deployment's controller has yet to see the change");
    } else if step.progress.candidate.is_some() {
        conditions.set(WORKLOAD, Is::Unknown, "RolloutInProgress", text);
    } else if workload.serves(least) {
        conditions.set(WORKLOAD, Is::True, "MinimumAvailable", text);
    } else {
        conditions.set(WORKLOAD, Is::False, "BelowMinimum", text);
    }
}

/// A family that is ready once its child is applied.
fn requested(conditions: &mut Conditions, family: &str, kind: Kind, children: &Children, applied: &Applied) {
    let Some(child) = children.list.iter().map(|c| &c.reference).find(|r| r.kind == kind) else {
        return conditions.set(family, Is::True, "NotRequested", "not asked for");
    };
    match applied.failures.iter().find(|f| &f.child == child) {
        Some(failure) => conditions.set(family, Is::False, "NotApplied", &failure.message),
        None => conditions.set(family, Is::True, "Applied", format!("{child} is applied")),
    }
}

/// Every route is applied and accepted by its gateway.
fn routes(conditions: &mut Conditions, service: &Service, world: &World, children: &Children, applied: &Applied) {
    if !service.has_routes() {
        return conditions.set(ROUTES, Is::True, "NotRequested", "not asked for");
    }
    if let Some(kind) = gateway::unserved(service, world) {
        let message = format!(
            "this cluster does not serve {} {}, or does not let the operator see it: install the Gateway API, or take the routes out of the spec",
            kind.api_version(),
            kind.name()
        );
        return conditions.set(ROUTES, Is::False, "GatewayAPIMissing", message);
    }
    if let Some(failure) = applied.failures.iter().find(|failure| failure.child.kind.is_optional()) {
        return conditions.set(ROUTES, Is::False, "NotApplied", &failure.message);
    }
    let planned = children.list.iter().map(|child| &child.reference).filter(|reference| reference.kind.is_optional());
    let planned = planned.map(|route| (route, gateway::verdict_of(world, route)));
    let mut referenced = Vec::new();
    for route in &service.route_refs {
        match user_routes::look(service, world, route) {
            Ok(live) => referenced.push((route, gateway::verdict(live))),
            Err((reason, message)) => return conditions.set(ROUTES, Is::False, reason, message),
        }
    }
    let mut waits = None;
    for (route, verdict) in planned.chain(referenced) {
        match verdict {
            Verdict::Accepted => {}
            Verdict::Waits => waits = Some(route),
            Verdict::Refused(why) => {
                return conditions.set(ROUTES, Is::False, "NotAccepted", format!("{route} is refused by its gateway: {why}"));
            }
        }
    }
    match waits {
        // A new weight is accepted within a moment, which is no news; a rollout says itself what it waits for.
        Some(_) if conditions.get(ROUTES).is_some_and(|c| c.reason == "Accepted") => {}
        Some(route) => {
            let message = format!("{route} waits for its gateway; if none takes it, check its Gateway, and that it allows this namespace");
            conditions.set(ROUTES, Is::Unknown, "Pending", message);
        }
        None => conditions.set(ROUTES, Is::True, "Accepted", "all routes are accepted by their gateways"),
    }
}

fn autoscaler(conditions: &mut Conditions, service: &Service, world: &World, children: &Children, applied: &Applied) -> Option<Duration> {
    if !matches!(service.scaling, Scaling::Auto(_)) || applied.failures.iter().any(|f| f.child.kind == Kind::HorizontalPodAutoscaler) {
        requested(conditions, AUTOSCALER, Kind::HorizontalPodAutoscaler, children, applied);
        return None;
    }
    let nothing = HorizontalPodAutoscaler::default();
    let live = world.autoscaler.as_ref().unwrap_or(&nothing);
    let sick = ["AbleToScale", "ScalingActive"].into_iter().filter_map(|kind| find(live, kind)).find(|c| c.status == "False");
    let young = conditions.get(AUTOSCALER).is_none_or(|c| c.status == "Unknown") && conditions.age(AUTOSCALER) < FIRST_METRICS_SECONDS;
    match (sick, find(live, "ScalingActive")) {
        (Some(_), _) if young => {
            starting(conditions);
            Some(Duration::from_secs((FIRST_METRICS_SECONDS - conditions.age(AUTOSCALER)).unsigned_abs()))
        }
        (Some(c), _) => {
            let reason = c.reason.as_deref().unwrap_or("NotActive");
            let message = format!(
                "{}; it needs a metrics API (metrics-server) and resource requests",
                c.message.as_deref().unwrap_or("the autoscaler does not act")
            );
            // The autoscaler's own transition time would do, but clocks differ: ours is measured against ours.
            let waited = match conditions.get(AUTOSCALER).map(|c| c.status.as_str()) {
                Some("False") => true,
                Some("Unknown") => conditions.age(AUTOSCALER) >= METRICS_PATIENCE_SECONDS,
                _ => false,
            };
            conditions.set(AUTOSCALER, if waited { Is::False } else { Is::Unknown }, reason, message);
            (!waited).then(|| Duration::from_secs((METRICS_PATIENCE_SECONDS - conditions.age(AUTOSCALER)).max(1).unsigned_abs()))
        }
        (None, Some(_)) => {
            conditions.set(AUTOSCALER, Is::True, "Active", "the autoscaler sees its metrics");
            None
        }
        (None, None) => {
            starting(conditions);
            None
        }
    }
}

fn starting(conditions: &mut Conditions) {
    conditions.set(AUTOSCALER, Is::Unknown, "Starting", "waiting for its first metrics, which fresh pods have after up to a minute");
}

/// `status.autoscaling`.
pub fn autoscaling(service: &Service, world: &World) -> Option<AutoscalingStatus> {
    let Scaling::Auto(bounds) = &service.scaling else { return None };
    let live = world.autoscaler.as_ref();
    let desired = live.and_then(|h| h.status.as_ref()).map(|s| s.desired_replicas).filter(|n| *n > 0);
    // At the minimum, or for the length of a window, is where an autoscaler of a calm service always is, and it says so with
    // every other look: news of it would be a write for nothing.
    let limited = live.and_then(|h| find(h, "ScalingLimited")).filter(|c| c.status == "True").and_then(|c| c.reason.as_deref());
    let limited_by = if limited == Some("TooManyReplicas") { "maxReplicas" } else { "" };
    let asked = desired.map_or_else(|| "?".to_owned(), |n| n.to_string());
    Some(AutoscalingStatus {
        engine: "HPA".to_owned(),
        desired,
        min_replicas: bounds.min,
        max_replicas: bounds.max,
        limited_by: limited_by.to_owned(),
        text: format!("{asked} ({}-{})", bounds.min, bounds.max),
    })
}

fn find<'a>(autoscaler: &'a HorizontalPodAutoscaler, kind: &str) -> Option<&'a HorizontalPodAutoscalerCondition> {
    autoscaler.status.as_ref()?.conditions.as_ref()?.iter().find(|c| c.type_ == kind)
}
