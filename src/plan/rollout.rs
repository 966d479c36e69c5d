//! The state machine of a rollout in place, with automatic return to the last good revision.
//!
//! ```text
//!            new revision                     every pod available, no other left
//! stable ───────────────► candidate ─────────────────────────────────────────────► stable (the candidate)
//!    ▲                        │ progress deadline missed
//!    └──────── failed ◄───────┘   the template goes back, the spec stays; not tried again until changed or asked for
//! ```
//!
//! The progress deadline is the Deployment's own: its controller restarts the clock whenever a pod becomes available.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::v1alpha1::{ActionResult, Failure, LastAction, RolloutState};
use crate::model::{Progress, Service};
use crate::observe::World;

use super::revision::{self, Target};
use super::workload::Workload;
use super::{Event, diagnose};

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
}

impl Step {
    /// Where the rollout stands, in a word.
    pub fn state(&self) -> RolloutState {
        if self.progress.candidate.is_some() {
            RolloutState::Progressing
        } else if self.failed() {
            if self.back.is_some() { RolloutState::RolledBack } else { RolloutState::Failed }
        } else {
            RolloutState::Completed
        }
    }

    /// The spec's revision is one that failed.
    pub fn failed(&self) -> bool {
        self.progress.failed.as_ref() == Some(&self.target.hash)
    }
}

/// One step of the state machine.
pub fn step(service: &Service, before: &Progress, world: &World, workload: &Workload, now: Timestamp) -> Step {
    let target = revision::target(service, &world.revisions);
    let back = way_back(service, before, world, &target);
    let mut step = Step { progress: before.clone(), events: Vec::new(), wake: None, target, back };
    forget(&mut step);
    retry(&mut step, service, now);
    begin(&mut step, now);
    if !complete(&mut step, workload) {
        fail(&mut step, service, world, workload, now);
    }
    step.back = way_back(service, &step.progress, world, &step.target);
    if let (None, Some(failed), Some(stable)) = (&before.failed, &step.progress.failed, &step.back) {
        step.events.push(Event::warning(
            "RolledBack",
            "Rollback",
            format!("going back from revision {failed} to {stable}; the spec is unchanged"),
        ));
    }
    step
}

/// The revision that is applied in the target's place under this progress, if another one is.
fn way_back(service: &Service, progress: &Progress, world: &World, target: &Target) -> Option<String> {
    let effective = revision::effective(target, service, progress, &world.revisions);
    (effective.hash != target.hash).then_some(effective.hash)
}

/// A spec that asks for something else than the failed revision takes the blame off it.
fn forget(step: &mut Step) {
    if step.progress.failed.is_some() && !step.failed() {
        step.progress.failed = None;
        step.progress.failure = None;
    }
}

/// The command `retry`: handled once for each value of the annotation.
fn retry(step: &mut Step, service: &Service, now: Timestamp) {
    let Some(value) = &service.commands.retry else { return };
    let handled = |last: &LastAction| last.verb == "retry" && &last.value == value;
    if step.progress.last_action.as_ref().is_some_and(handled) {
        return;
    }
    let asked = value.split(':').next().unwrap_or_default();
    let refusal = match &step.progress.failed {
        Some(failed) if failed == asked => None,
        Some(failed) => Some(format!("revision {asked} is not the failed one; the failed revision is {failed}")),
        None => Some(format!("revision {asked} has not failed; there is nothing to try again")),
    };
    let result = if refusal.is_none() { ActionResult::Accepted } else { ActionResult::Refused };
    let message = refusal.unwrap_or_default();
    step.events.push(match result {
        ActionResult::Accepted => Event::normal("RetryAccepted", "Retry", format!("trying revision {asked} again")),
        ActionResult::Refused => Event::warning("CommandRefused", "Retry", format!("retry refused: {message}")),
    });
    if result == ActionResult::Accepted {
        step.progress.failed = None;
        step.progress.failure = None;
    }
    step.progress.last_action = Some(LastAction { verb: "retry".to_owned(), value: value.clone(), result, message, at: Time(now) });
}

/// Makes the spec's revision the candidate, unless it already serves or has failed.
fn begin(step: &mut Step, now: Timestamp) {
    let target = &step.target.hash;
    if step.progress.stable.as_ref() == Some(target) {
        if step.progress.candidate.take().is_some() {
            step.progress.started_at = None;
            step.events.push(Event::normal(
                "RolloutReverted",
                "Rollout",
                format!("the spec is back at revision {target}, which served before"),
            ));
        }
    } else if step.failed() {
        step.progress.candidate = None;
    } else if step.progress.candidate.as_ref() != Some(target) {
        step.events.push(Event::normal(
            "RolloutStarted",
            "Rollout",
            match &step.progress.stable {
                Some(stable) => format!("rolling from revision {stable} to {target}"),
                None => format!("first rollout, revision {target}"),
            },
        ));
        step.progress.candidate = Some(target.clone());
        step.progress.started_at = Some(Time(now));
    }
}

/// Promotes the spec's revision once all its pods are available. Also ends a failure that healed by itself, where there
/// was nothing to go back to.
fn complete(step: &mut Step, workload: &Workload) -> bool {
    let target = &step.target.hash;
    if step.progress.stable.as_ref() == Some(target) || !workload.runs(target) || !workload.complete() {
        return false;
    }
    // A failed revision that is still in the Deployment, because its template has yet to go back, is not promoted for
    // having become ready at the last moment: it would be rolled back all the same a moment later.
    if step.back.is_some() {
        return false;
    }
    step.events.push(Event::normal(
        "RolloutCompleted",
        "Rollout",
        format!("revision {target} serves with {} of {} pods", workload.available, workload.desired),
    ));
    step.progress = Progress { stable: Some(target.clone()), last_action: step.progress.last_action.take(), ..Progress::default() };
    true
}

/// Gives the candidate up when the Deployment's controller has.
fn fail(step: &mut Step, service: &Service, world: &World, workload: &Workload, now: Timestamp) {
    let target = step.target.hash.clone();
    if step.progress.candidate.as_ref() != Some(&target) || !workload.runs(&target) || !workload.deadline_exceeded {
        return;
    }
    // After a retry the condition of the try before may still stand: our own clock decides whether this try is over.
    let deadline = i64::from(service.rollout.progress_deadline_seconds);
    let elapsed = step.progress.started_at.as_ref().map_or(deadline, |at| now.as_second() - at.0.as_second());
    if elapsed < deadline {
        step.wake = Some(Duration::from_secs((deadline - elapsed).unsigned_abs()));
        return;
    }
    let seen = diagnose::worst(&world.pods, Some(&target))
        .or_else(|| workload.refused.clone())
        .unwrap_or_else(|| "its pods are not ready".to_owned());
    let message = format!(
        "revision {target} made no progress for {deadline} s ({} of {} pods available): {seen}",
        workload.updated_available(),
        workload.desired
    );
    step.events.push(Event::warning("RolloutFailed", "Rollout", message.clone()));
    step.progress.candidate = None;
    step.progress.failed = Some(target);
    step.progress.failure = Some(Failure { reason: DEADLINE.to_owned(), message, at: Time(now) });
}
