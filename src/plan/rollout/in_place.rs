//! A rollout within one Deployment. The progress deadline is the Deployment's own: its controller restarts the clock
//! whenever a pod becomes available.

use std::time::Duration;

use crate::model::Placed;
use crate::plan::{Event, diagnose};

use super::drive::Drive;
use super::scene::Scene;
use super::{DEADLINE, Step};

pub fn watch(step: &mut Step, scene: &Scene) {
    if scene.others(&step.progress).next().is_none() {
        step.progress.capacity = None;
    }
    if !complete(step, scene) {
        fail(step, scene);
    }
}

/// Promotes the wanted revision once all its pods are available. Also ends a failure that healed by itself, where there
/// was nothing to go back to. A failed revision that is still in the Deployment, because its template has yet to go back,
/// is not wanted any more, and not promoted for having become ready at the last moment.
fn complete(step: &mut Step, scene: &Scene) -> bool {
    let goal = scene.goal(&step.progress).to_owned();
    let workload = scene.workloads.named(&scene.service.name);
    // While pods of another Deployment leave, this one may not have its full number yet.
    let alone = scene.others(&step.progress).next().is_none();
    if step.progress.stable_revision() == Some(&goal) || !workload.runs(&goal) || !workload.complete() || !alone {
        return false;
    }
    let note = format!("revision {goal} serves with {} of {} pods", workload.available, workload.desired);
    step.events.push(Event::normal("RolloutCompleted", "Rollout", note));
    let progress = &mut step.progress;
    if goal == scene.target {
        progress.forgive();
    }
    progress.stable = Some(Placed { revision: goal, deployment: scene.service.name.clone() });
    progress.candidate = None;
    true
}

/// Gives the candidate up when the Deployment's controller has.
fn fail(step: &mut Step, scene: &Scene) {
    let Some(candidate) = &step.progress.candidate else { return };
    let revision = candidate.at.revision.clone();
    if step.progress.failed.as_ref() == Some(&revision) {
        return;
    }
    let workload = scene.workloads.named(&scene.service.name);
    if !workload.runs(&revision) || !workload.deadline_exceeded {
        return;
    }
    // After a retry the condition of the try before may still stand: our own clock decides whether this try is over.
    let deadline = i64::from(scene.service.rollout.progress_deadline_seconds);
    let elapsed = candidate.started_at.as_ref().map_or(deadline, |at| scene.since(Some(at)));
    if elapsed < deadline {
        step.wake = Some(Duration::from_secs((deadline - elapsed).unsigned_abs()));
        return;
    }
    let seen = diagnose::worst(scene.pods, Some(&revision))
        .or_else(|| workload.refused.clone())
        .unwrap_or_else(|| "its pods are not ready".to_owned());
    let message = format!(
        "revision {revision} made no progress for {deadline} s ({} of {} pods available): {seen}",
        workload.updated_available(),
        workload.desired
    );
    step.events.push(Event::warning("RolloutFailed", "Rollout", message.clone()));
    Drive { step, scene }.give_up(DEADLINE, message);
}
