//! The time after a canary's promotion in which the version before it comes back at once, if the new one is not well.
//!
//! ```text
//! last step ──all its pods are there──► the Service names it ──► stable, baking ──the time is over, or promote──► stable
//!             (the old ones stay)                                      │ too few pods for 30 s, or abort
//!                                                                      └──► the old one is stable, the new one has failed
//! ```
//!
//! With a canary every pod gets requests. So that the old pods can stay without any, the last step ends like blue-green: they
//! are kept beside the full number of new ones, the Service moves, and only then do they grow to full number again, parked.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::v1alpha1::{Baking, Failure, OnFailure, Strategy};
use crate::model::{Candidate, Placed, Progress, Scaling};
use crate::plan::{Event, diagnose};

use super::Step;
use super::drive::{Drive, parked};
use super::scene::Scene;

/// Why a revision failed, as `status.rollout.failure.reason` says it.
pub const BAKE_FAILED: &str = "BakeFailed";
/// Seconds for which it may have too few pods: a pod that is replaced, because its node is drained, is back within them.
pub const PATIENCE: i64 = 30;
/// Fewest seconds for which pods stay that the Service has yet to turn away from.
const SWITCH: i32 = 5;

/// The candidate's last step, after which the old pods stay for a while.
pub fn is_last(scene: &Scene, candidate: &Candidate) -> bool {
    candidate.strategy == Strategy::Canary && candidate.weight == 100 && scene.service.rollout.bake_seconds > 0
}

/// Its pods are all there, so that it alone gets the requests.
pub fn takes_over(scene: &Scene, candidate: &Candidate) -> bool {
    is_last(scene, candidate) && candidate.observed_weight == 100
}

/// The candidate has become stable in the old one's place.
pub fn start(scene: &Scene, progress: &mut Progress, candidate: &Candidate, old: Placed) {
    let seconds = i64::from(scene.service.rollout.bake_seconds);
    let parked = parked(scene, old, seconds);
    let until = parked.until.clone().unwrap_or(Time(scene.now));
    let pods = scene.workloads.named(&candidate.at.deployment).available;
    progress.bake = Some(Baking { revision: parked.revision.clone(), until, pods, unwell_since: None });
    progress.parked.push(parked);
}

/// Pods that a parked set should have, if it is the one that may come back.
pub fn wanted(scene: &Scene, progress: &Progress, revision: &str) -> Option<i32> {
    progress.bake.as_ref().filter(|bake| bake.revision == revision)?;
    Some(match &scene.service.scaling {
        Scaling::Fixed(count) => *count,
        Scaling::Auto(bounds) => progress.stable.as_ref().map_or(bounds.min, |at| scene.workloads.named(&at.deployment).desired),
    })
}

/// Ends the bake, one way or the other, or says when to look again.
pub fn watch(drive: &mut Drive) {
    let scene = drive.scene;
    let progress = &mut drive.step.progress;
    let Some(bake) = progress.bake.clone() else { return };
    let waits = progress.parked.iter().any(|parked| parked.revision == bake.revision && parked.until.is_some());
    if !waits || progress.candidate.is_some() || scene.service.rollout.bake_seconds == 0 {
        return end(progress);
    }
    let Some(lack) = unwell(scene, progress, &bake) else {
        progress.bake.iter_mut().for_each(|bake| bake.unwell_since = None);
        let left = bake.until.0.as_second() - scene.now.as_second();
        if left > 0 {
            return drive.wake(left);
        }
        end(progress);
        let note = format!("revision {} is left alone; revision {} goes", stable(progress), bake.revision);
        return drive.step.events.push(Event::normal("BakeCompleted", "Rollout", note));
    };
    let since = bake.unwell_since.unwrap_or(Time(scene.now));
    let left = PATIENCE - scene.since(Some(&since));
    progress.bake.iter_mut().for_each(|bake| bake.unwell_since = Some(since.clone()));
    drive.step.lack = Some(lack.clone());
    if left > 0 {
        return drive.wake(left);
    }
    if is_able(scene, &drive.step.progress) {
        let revision = stable(&drive.step.progress);
        let seen = diagnose::worst(scene.pods, Some(&revision)).map(|seen| format!(": {seen}")).unwrap_or_default();
        let message = format!("revision {revision} was not well while it baked; {lack} for {PATIENCE} s{seen}");
        drive.step.events.push(Event::warning("RolloutFailed", "Rollout", message.clone()));
        blame(drive.step, scene, BAKE_FAILED, message);
    }
}

/// What it lacks: more pods than may be unavailable, of as many as it was promoted with.
///
/// What a user or an autoscaler asks for beyond those is new, and no fault of it. With `onFailure: Hold` nothing is taken
/// back by itself. Numbers that are out of date say what they said.
fn unwell(scene: &Scene, progress: &Progress, bake: &Baking) -> Option<String> {
    let workload = scene.workloads.named(&progress.stable.as_ref()?.deployment);
    let wanted = workload.desired.min(bake.pods);
    let least = wanted - scene.slack(Strategy::Canary, wanted).unavailable;
    let lacks = if workload.current { workload.available < least } else { bake.unwell_since.is_some() };
    let watched = scene.service.rollout.on_failure == OnFailure::Rollback;
    (lacks && watched).then(|| format!("{} of at least {least} pods are available", workload.available))
}

/// The parked pods can take the requests: enough of them, or at least more than there are of the others.
pub fn is_able(scene: &Scene, progress: &Progress) -> bool {
    let Some(bake) = &progress.bake else { return false };
    let old = progress.parked.iter().find(|parked| parked.revision == bake.revision);
    let available = old.map_or(0, |parked| scene.workloads.named(&parked.deployment).available);
    let wanted = wanted(scene, progress, &bake.revision).unwrap_or_default();
    let enough = wanted - scene.slack(Strategy::Canary, wanted).unavailable;
    let serve = progress.stable.as_ref().map_or(0, |at| scene.workloads.named(&at.deployment).available);
    available > 0 && (available >= enough || available > serve)
}

/// A revision that is baking, and can be spoken of by commands.
pub fn is_baking(progress: &Progress, revision: &str) -> bool {
    progress.bake.is_some() && progress.candidate.is_none() && progress.stable_revision().is_some_and(|stable| stable == revision)
}

/// The parked pods go.
pub fn end(progress: &mut Progress) {
    let Some(bake) = progress.bake.take() else { return };
    let over = progress.parked.iter_mut().filter(|parked| parked.revision == bake.revision);
    over.for_each(|parked| parked.until = None);
}

/// The new revision has failed, and the old one is stable again.
pub fn blame(step: &mut Step, scene: &Scene, reason: &str, message: String) {
    let revision = stable(&step.progress);
    give_back(step, scene);
    // What took a failed revision's place by command fails in its turn: the blame stays where it is.
    let in_place_of = step.progress.undo.take().is_some_and(|undo| undo == revision);
    if !in_place_of {
        step.progress.failed = Some(revision);
    }
    step.progress.failure = Some(Failure { reason: reason.to_owned(), message, at: Time(scene.now) });
}

/// The parked revision is stable again, and the Service moves with the next pass.
pub fn give_back(step: &mut Step, scene: &Scene) {
    let progress = &mut step.progress;
    let Some(bake) = progress.bake.take() else { return };
    let Some(index) = progress.parked.iter().position(|parked| parked.revision == bake.revision) else { return };
    let old = progress.parked.remove(index);
    let new = progress.stable.replace(Placed { revision: old.revision, deployment: old.deployment });
    progress.capacity = new.as_ref().filter(|_| scene.is_autoscaled()).map(|at| scene.workloads.named(&at.deployment).desired);
    let seconds = scene.service.rollout.abort_scale_down_delay_seconds.max(SWITCH);
    progress.parked.extend(new.map(|new| parked(scene, new, seconds.into())));
}

fn stable(progress: &Progress) -> String {
    progress.stable_revision().cloned().unwrap_or_default()
}
