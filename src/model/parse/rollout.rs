//! How a new version replaces the old one.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Findings;
use crate::api::problem::Reason;
use crate::api::v1alpha1::{MicroserviceSpec, Step as Given, Strategy};
use crate::model::{BlueGreen, Rollout, Step};

/// Seconds without progress after which an update has failed; Kubernetes' own default.
const DEADLINE_SECONDS: i32 = 600;
/// Revisions that are kept; Kubernetes' own default.
const HISTORY: usize = 10;
/// Seconds for which replaced pods stay: how long proxies and clients may hold on to an old address.
const DELAY_SECONDS: i32 = 30;

pub fn rollout(spec: &MicroserviceSpec, found: &mut Findings) -> Rollout {
    let rollout = complete(spec, found);
    // Admission sees the spec alone, and what a profile adds to it may contradict it.
    let none = |amount: &IntOrString| [IntOrString::Int(0), IntOrString::String("0%".to_owned())].contains(amount);
    if rollout.strategy != Strategy::Recreate && none(&rollout.max_surge) && none(&rollout.max_unavailable) {
        let message = "`maxSurge` and `maxUnavailable` must not both be zero: no pod could be replaced";
        found.error("spec.rollout.maxSurge", Reason::Invalid, message);
    }
    if rollout.progress_deadline_seconds <= rollout.min_ready_seconds {
        let message = "`progressDeadlineSeconds` must exceed `minReadySeconds`: no update could succeed";
        found.error("spec.rollout.progressDeadlineSeconds", Reason::Invalid, message);
    }
    rollout
}

fn complete(spec: &MicroserviceSpec, found: &mut Findings) -> Rollout {
    let given = spec.rollout.clone().unwrap_or_default();
    let blue_green = given.blue_green.unwrap_or_default();
    let automatic = blue_green.auto_promotion.unwrap_or(true);
    Rollout {
        strategy: given.strategy.unwrap_or_default(),
        max_surge: given.max_surge.unwrap_or_else(|| IntOrString::String("25%".to_owned())),
        max_unavailable: given.max_unavailable.unwrap_or(IntOrString::Int(0)),
        min_ready_seconds: given.min_ready_seconds.unwrap_or(0),
        progress_deadline_seconds: given.progress_deadline_seconds.unwrap_or(DEADLINE_SECONDS),
        on_failure: given.on_failure.unwrap_or_default(),
        history_limit: given.revision_history_limit.and_then(|limit| limit.try_into().ok()).unwrap_or(HISTORY),
        paused: given.paused.unwrap_or_default(),
        on_spec_change: given.on_spec_change.unwrap_or_default(),
        scale_down_delay_seconds: given.scale_down_delay_seconds.unwrap_or(DELAY_SECONDS),
        abort_scale_down_delay_seconds: given.abort_scale_down_delay_seconds.unwrap_or(DELAY_SECONDS),
        steps: steps(given.canary.and_then(|canary| canary.steps).unwrap_or_default(), found),
        blue_green: BlueGreen {
            delay_seconds: automatic.then(|| blue_green.auto_promotion_delay_seconds.unwrap_or(0)),
            preview: blue_green.preview_replicas,
        },
    }
}

fn steps(given: Vec<Given>, found: &mut Findings) -> Vec<Step> {
    let mut steps = Vec::new();
    for (index, step) in given.into_iter().enumerate() {
        let path = format!("spec.rollout.canary.steps[{index}]");
        match (step.set_weight, step.pause) {
            (Some(weight), None) => steps.push(Step::Weight(weight)),
            (None, Some(pause)) => match (pause.seconds, pause.manual.unwrap_or_default()) {
                (Some(seconds), false) => steps.push(Step::Pause(Some(seconds))),
                (None, true) => steps.push(Step::Pause(None)),
                _ => found.error(format!("{path}.pause"), Reason::Invalid, "a pause must have exactly one of `seconds` and `manual: true`"),
            },
            _ => found.error(path, Reason::Invalid, "a step must have exactly one of `setWeight` and `pause`"),
        }
    }
    steps
}
