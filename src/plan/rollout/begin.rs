//! How a rollout begins, and how it ends because the spec went back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::v1alpha1::Strategy;
use crate::model::{Candidate, Placed};
use crate::plan::Event;

use super::drive::Drive;
use super::scene::{Scene, is_rolling};
use super::{Step, blue_green};

/// Makes the wanted revision the candidate, unless it already serves or has failed.
pub fn begin(step: &mut Step, scene: &Scene) {
    let goal = scene.goal(&step.progress).to_owned();
    let stable = step.progress.stable_revision().cloned();
    if stable.as_ref() == Some(&goal) {
        return revert(step, scene, &goal);
    }
    if step.progress.failed.as_ref() == Some(&goal) {
        if scene.in_place(&step.progress) {
            step.progress.candidate = None;
        }
        return;
    }
    if step.progress.candidate_revision() == Some(&goal) {
        return;
    }
    if !clear(step, scene) {
        return;
    }
    step.events.push(Event::normal(
        "RolloutStarted",
        "Rollout",
        match &stable {
            Some(stable) => format!("rolling from revision {stable} to {goal}"),
            None => format!("first rollout, revision {goal}"),
        },
    ));
    step.progress.candidate = Some(candidate(step, scene, &goal));
}

/// The spec is back at the revision that served before.
fn revert(step: &mut Step, scene: &Scene, goal: &str) {
    if step.progress.candidate.is_none() {
        return;
    }
    if scene.in_place(&step.progress) {
        step.progress.candidate = None;
    } else {
        let delay = scene.service.rollout.abort_scale_down_delay_seconds;
        Drive { step, scene }.release(delay.into());
    }
    let note = format!("revision {goal}, which served before, takes its place again");
    step.events.push(Event::normal("RolloutReverted", "Rollout", note));
}

/// Takes a candidate of before out of the way, and all pods that get no requests where every pod is about to get them.
/// `false`: they are on their way.
fn clear(step: &mut Step, scene: &Scene) -> bool {
    if step.progress.candidate.is_some() && !scene.in_place(&step.progress) {
        // Nobody wants to look at what was replaced before it was finished.
        Drive { step, scene }.release(0);
    }
    if scene.service.rollout.strategy == Strategy::BlueGreen {
        return true;
    }
    for parked in &mut step.progress.parked {
        parked.until = None;
    }
    step.progress.parked.retain(|parked| scene.workloads.named(&parked.deployment).pods() > 0);
    step.progress.parked.is_empty()
}

fn candidate(step: &mut Step, scene: &Scene, goal: &str) -> Candidate {
    let strategy = scene.service.rollout.strategy;
    let known = step.progress.parked.iter().position(|parked| parked.revision == goal);
    let waiting = known.map(|index| step.progress.parked.remove(index));
    let in_place = is_rolling(strategy) && step.progress.stable.as_ref().is_none_or(|at| at.deployment == scene.service.name);
    let first = step.progress.stable.is_none();
    // Pods that served a moment ago, or were looked at before: no second wait.
    let started = if waiting.is_some() { blue_green::GROW } else { 0 };
    let at = match waiting {
        Some(parked) => Placed { revision: parked.revision, deployment: parked.deployment },
        None => scene.place(goal, strategy),
    };
    Candidate {
        at,
        strategy,
        started_at: Some(Time(scene.now)),
        step: if strategy != Strategy::BlueGreen {
            0
        } else if first {
            blue_green::STEPS
        } else {
            started
        },
        steps: 0,
        step_started_at: (!in_place).then_some(Time(scene.now)),
        weight: if first && !in_place { 100 } else { 0 },
        observed_weight: 0,
        lacking_since: (!in_place).then_some(Time(scene.now)),
        full: false,
        paused: false,
    }
}
