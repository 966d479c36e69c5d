//! How a rollout begins, and how it ends because the spec went back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

use crate::api::v1alpha1::Strategy;
use crate::model::{Candidate, Placed};
use crate::plan::Event;
use crate::plan::children::names;
use crate::plan::workload::Workload;

use super::drive::{Drive, lack};
use super::layout::layout;
use super::scene::{Scene, is_rolling};
use super::{Step, bake, blue_green};

/// Makes the wanted revision the candidate, unless it already serves or has failed. Whether it did: what goes on from there
/// waits until that is on record.
pub fn begin(step: &mut Step, scene: &Scene) -> bool {
    if step.progress.candidate.as_ref().is_some_and(|candidate| candidate.returning) {
        // One thing after the other: what is on its way back carries requests.
        return false;
    }
    let goal = scene.goal(&step.progress).to_owned();
    let stable = step.progress.stable_revision().cloned();
    if stable.as_ref() == Some(&goal) {
        return revert(step, scene, &goal);
    }
    if step.progress.failed.as_ref() == Some(&goal) {
        return fallen(step, scene, &goal);
    }
    if step.progress.bake.as_ref().is_some_and(|bake| bake.revision == goal) && bake::is_able(scene, &step.progress) {
        bake::give_back(step, scene);
        let note = format!("revision {goal}, whose pods are still there, takes its place again");
        step.events.push(Event::normal("RolloutReverted", "Rollout", note));
        return false;
    }
    if step.progress.candidate_revision() == Some(&goal) || finished(step, scene) || !clear(step, scene) {
        return false;
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
    true
}

/// The wanted revision has failed, and nothing is there to take its place. Within one Deployment it is the one that stays;
/// with a Deployment of its own it stays the candidate.
fn fallen(step: &mut Step, scene: &Scene, goal: &str) -> bool {
    if is_rolling(scene.service.rollout.strategy) && scene.in_place(&step.progress) {
        step.progress.candidate = None;
    } else if step.progress.stable.is_none() && step.progress.candidate.is_none() {
        step.progress.candidate = Some(candidate(step, scene, goal));
    }
    false
}

/// The spec is back at the revision that served before.
fn revert(step: &mut Step, scene: &Scene, goal: &str) -> bool {
    if step.progress.candidate.is_none() {
        return false;
    }
    if scene.in_place(&step.progress) {
        step.progress.candidate = None;
    } else {
        let delay = scene.service.rollout.abort_scale_down_delay_seconds;
        Drive { step, scene }.release(delay.into());
    }
    let note = format!("revision {goal}, which served before, takes its place again");
    step.events.push(Event::normal("RolloutReverted", "Rollout", note));
    false
}

/// A first version that has all its pods is taken for stable before another one takes its turn: there is something to go
/// back to then.
fn finished(step: &mut Step, scene: &Scene) -> bool {
    let (None, Some(candidate)) = (&step.progress.stable, &step.progress.candidate) else { return false };
    let finished = !scene.in_place(&step.progress) && lack(scene, &layout(scene, &step.progress), &step.progress, candidate).is_none();
    if finished {
        Drive { step, scene }.promote();
    }
    finished
}

/// Takes a candidate of before out of the way, and all pods that get no requests where every pod is about to get them.
/// `false`: they are on their way.
fn clear(step: &mut Step, scene: &Scene) -> bool {
    if step.progress.candidate.is_some() && !scene.in_place(&step.progress) {
        // Nobody wants to look at what was replaced before it was finished.
        Drive { step, scene }.release(0);
        if step.progress.candidate.is_some() {
            return false;
        }
    }
    bake::end(&mut step.progress);
    if scene.begins_apart() {
        return true;
    }
    for parked in &mut step.progress.parked {
        parked.until = None;
    }
    step.progress.parked.retain(|parked| scene.workloads.named(&parked.deployment).pods() > 0);
    step.progress.parked.is_empty()
}

/// Where the pods of a revision run whose rollout begins: where there are some of them already, or else where its strategy
/// says.
fn place(scene: &Scene, revision: &str, strategy: Strategy) -> Placed {
    let name = &scene.service.name;
    let runs = |workload: &&Workload| workload.pods() > 0 && workload.revision.as_deref() == Some(revision);
    let found = scene.workloads.0.iter().filter(runs).max_by_key(|workload| workload.available);
    let deployment = match found.filter(|_| !is_rolling(strategy)) {
        Some(workload) => workload.name.clone(),
        None if is_rolling(strategy) => name.clone(),
        None => names::suffixed(name, revision),
    };
    Placed { revision: revision.to_owned(), deployment }
}

/// The revision served a short while ago, so that its steps are skipped: it is among the last stable ones before the present
/// one, and the one that took its place did so within the window.
fn is_known(scene: &Scene, goal: &str) -> bool {
    let (revisions, seconds) = scene.service.rollout.rollback_window;
    let since = |hash: &str| scene.revisions.iter().find(|known| known.hash == hash)?.stable_since.clone();
    let Some(began) = since(goal) else { return false };
    let after: Vec<&Time> = scene.revisions.iter().filter_map(|known| known.stable_since.as_ref()).filter(|at| **at > began).collect();
    // The one after it may be so new that its record does not say so yet.
    let ended = after.iter().min().map_or(0, |ended| scene.since(Some(ended)));
    seconds > 0 && after.len().max(1) <= revisions && ended <= seconds
}

fn candidate(step: &mut Step, scene: &Scene, goal: &str) -> Candidate {
    let strategy = scene.service.rollout.strategy;
    let known = step.progress.parked.iter().position(|parked| parked.revision == goal);
    let waiting = known.map(|index| step.progress.parked.remove(index));
    let first = step.progress.stable.is_none();
    // Somebody named this very version, to be rid of another: that is no time for steps.
    let asked_for = step.progress.undo.as_deref() == Some(goal);
    // Pods that served a moment ago, or were looked at before: no second wait.
    let started = if waiting.is_some() { blue_green::GROW } else { 0 };
    let at = match waiting {
        Some(parked) => Placed { revision: parked.revision, deployment: parked.deployment },
        None => place(scene, goal, strategy),
    };
    let home = &scene.service.name;
    let in_place = at.deployment == *home && step.progress.stable.as_ref().is_none_or(|at| at.deployment == *home);
    Candidate {
        at,
        strategy,
        routed: scene.begins_routed(),
        started_at: Some(Time(scene.now)),
        step: if strategy != Strategy::BlueGreen {
            0
        } else if first {
            blue_green::STEPS
        } else {
            started
        },
        steps: 0,
        step_started_at: (!in_place).then_some(MicroTime(scene.now)),
        weight: if first && !in_place { 100 } else { 0 },
        observed_weight: 0,
        yielded: None,
        yields_since: None,
        returning: false,
        lacking_since: (!in_place).then_some(Time(scene.now)),
        lacking_from: None,
        unwell_since: None,
        full: !first && (is_known(scene, goal) || asked_for),
        paused: false,
    }
}
