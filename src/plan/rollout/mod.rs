//! The state machine of a rollout, with automatic return to the last good revision.
//!
//! ```text
//!            another revision                step by step, until it has all pods or all requests
//! stable ───────────────────► candidate ──────────────────────────────────────────────────────► stable (the candidate)
//!    ▲                           │ progress deadline missed, or given up by command
//!    └───────── failed ◄─────────┘   the pods go back, the spec stays; not tried again until changed or asked for
//! ```
//!
//! With `RollingUpdate` and `Recreate` both revisions are in one Deployment, whose controller replaces the pods
//! ([`in_place`]); otherwise each revision has a Deployment of its own ([`drive`]), which [`layout`] sizes. What decides
//! stays in status, so that a pass can be repeated, or made by another process, with the same outcome.

mod bake;
mod begin;
mod blue_green;
mod clock;
pub mod command;
mod drive;
mod dynamic;
mod gate;
mod in_place;
pub mod layout;
#[cfg(test)]
mod model;
pub mod moves;
pub mod ratio;
mod refill;
pub mod routed;
pub mod scene;

use std::time::Duration;

use jiff::Timestamp;

use crate::api::v1alpha1::RolloutState;
use crate::model::profile::Permit;
use crate::model::{Progress, Question, Service, Step as Planned};
use crate::observe::World;

use super::gateway::Gateway;
use super::revision::{self, Target};
use super::workload::{Workload, Workloads};
use super::{Applied, Event};
use scene::{ABORTED, Beginning, Scene, Sight, recover};

pub use bake::BAKE_FAILED;
pub use gate::GATE_REFUSED;

/// Why a revision failed, as `status.rollout.failure.reason` says it.
pub const DEADLINE: &str = "ProgressDeadlineExceeded";

/// Where the rollout goes from here.
pub struct Step {
    pub progress: Progress,
    pub events: Vec<Event>,
    /// When to look again although nothing changed.
    pub wake: Option<Duration>,
    /// Revision of the spec.
    pub target: Target,
    /// Good revision that takes the place of the target, which failed.
    pub back: Option<String>,
    /// Which pods the step in progress waits for.
    pub lack: Option<String>,
    /// What it waits for although it has its pods: somebody, or a time.
    pub pause: Option<String>,
    /// Pods that get requests and are of a revision that nobody wants, if any.
    pub leaving: Option<i32>,
    /// What the rollout of the target waits for, before it begins.
    pub held: Option<String>,
    /// What is to be asked of servers outside the cluster's API.
    pub questions: Vec<Question>,
}

impl Step {
    /// Where the rollout stands, in a word.
    pub fn state(&self) -> RolloutState {
        if self.failed() && self.progress.candidate_revision().is_none_or(|hash| *hash == self.target.hash) {
            let aborted = self.progress.failure.as_ref().is_some_and(|failure| failure.reason == ABORTED);
            return match self.back {
                Some(_) if aborted => RolloutState::Aborted,
                Some(_) => RolloutState::RolledBack,
                None => RolloutState::Failed,
            };
        }
        match &self.progress.candidate {
            None if self.progress.bake.is_some() => RolloutState::Baking,
            Some(_) if self.pause.is_some() => RolloutState::Paused,
            Some(_) => RolloutState::Progressing,
            None if self.held.is_some() => RolloutState::Paused,
            None => RolloutState::Completed,
        }
    }

    /// The spec's revision is one that failed.
    pub fn failed(&self) -> bool {
        self.progress.failed.as_ref() == Some(&self.target.hash)
    }
}

/// One step of the state machine.
pub fn step(before: &Progress, target: Target, scene: &Scene) -> Step {
    let mut step = Step {
        progress: recover(before, scene),
        events: Vec::new(),
        wake: None,
        target,
        back: None,
        lack: None,
        pause: None,
        leaving: None,
        held: None,
        questions: Vec::new(),
    };
    forget(&mut step);
    command::obey(&mut step, scene);
    let began = begin::begin(&mut step, scene);
    if scene.in_place(&step.progress) {
        in_place::watch(&mut step, scene);
    } else {
        drive::drive(&mut step, scene, began);
    }
    step.back = way_back(scene, &step.progress);
    if let (None, Some(failed), Some(good)) = (&before.failed, &step.progress.failed, &step.back) {
        let note = format!("going back from revision {failed} to {good}; the spec is unchanged");
        step.events.push(Event::warning("RolledBack", "Rollback", note));
    }
    step.pause = pause(scene, &step);
    step.questions.extend(gate::question(scene, &step.progress));
    let leaving = scene.others(&step.progress).map(Workload::pods).sum();
    step.leaving = Some(leaving).filter(|pods| *pods > 0);
    hold(&mut step, scene);
    step
}

/// Looks again, where nobody tells that a rollout may begin. A place that becomes free is told of, but the one who was
/// told may have gone.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Notes what keeps a rollout from beginning, and when that ends.
fn hold(step: &mut Step, scene: &Scene) {
    let Permit::Held { reason, until } = scene.permit else { return };
    if !scene.is_held(&step.progress) {
        return;
    }
    let left = until.as_ref().map(|until| until.0.as_second() - scene.now.as_second());
    let wake = left.map_or(LOOK_AGAIN, |seconds| Duration::from_secs(seconds.max(1).unsigned_abs()));
    step.wake = Some(step.wake.map_or(wake, |earlier| earlier.min(wake)));
    let until = until.as_ref().map(|until| format!(" until {}", until.0)).unwrap_or_default();
    step.held = Some(format!("revision {} waits: {reason}{until}", step.target.hash));
}

/// Whether a rollout is about to begin: its place must be asked for before.
pub fn beginning(service: &Service, progress: &Progress, world: &World, now: Timestamp) -> Beginning {
    let target = revision::target(service, &world.revisions);
    let sight = Sight { workloads: Workloads::of(world, &Applied::default()), gateway: Gateway::of(service, world), addressed: false };
    let scene = Scene::of(service, &target.hash, world, &sight, now);
    // A try that was asked for is a new one.
    let retried = progress.failed.as_ref() == Some(&target.hash) && command::is_retried(&service.commands, progress);
    if retried { Beginning::Wanted } else { scene.beginning(progress) }
}

/// A spec that asks for something else than the failed revision takes the blame off it.
fn forget(step: &mut Step) {
    if step.progress.failed.is_some() && !step.failed() {
        step.progress.forgive();
    }
}

/// Revision that is wanted in the target's place, if another one is.
fn way_back(scene: &Scene, progress: &Progress) -> Option<String> {
    let goal = scene.goal(progress);
    (progress.failed.as_deref() == Some(scene.target) && goal != scene.target).then(|| goal.to_owned())
}

/// What the candidate waits for, if it lacks nothing.
fn pause(scene: &Scene, step: &Step) -> Option<String> {
    let candidate = step.progress.candidate.as_ref().filter(|_| !scene.in_place(&step.progress))?;
    let revision = &candidate.at.revision;
    let go_on = format!("go on with the annotation microservices.dev/promote={revision}");
    if scene.service.rollout.paused {
        return Some("held by `spec.rollout.paused`".to_owned());
    }
    if candidate.paused {
        return Some(format!("held by command; go on with the annotation microservices.dev/resume={revision}"));
    }
    if step.lack.is_some() || candidate.lacking_since.is_some() {
        return None;
    }
    let seconds = if candidate.strategy == crate::api::v1alpha1::Strategy::BlueGreen {
        (candidate.step == blue_green::WAIT).then_some(scene.service.rollout.blue_green.delay_seconds)?
    } else {
        match scene.service.rollout.steps.get(candidate.step)? {
            Planned::Pause(seconds) => *seconds,
            Planned::Gate(name) => return Some(gate::closed(name, gate::answer(scene, candidate))),
            _ => return None,
        }
    };
    let until = seconds.and_then(|seconds| {
        let began = candidate.step_started_at.as_ref()?;
        Timestamp::from_second(began.0.as_second() + i64::from(seconds)).ok()
    });
    Some(match (seconds, until) {
        (Some(_), Some(until)) => format!("it goes on at {until}, or sooner with the annotation microservices.dev/promote={revision}"),
        _ => go_on,
    })
}
