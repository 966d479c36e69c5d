//! Pods of a candidate that share the requests and are lost: the stable revision makes up for them.
//!
//! A canary by pod ratio takes pods from the stable revision. If its own die, in a pause or on the way to the next step, fewer
//! serve than `replicas` − `maxUnavailable`, and nothing but its deadline would end that; while the rollout is held, nothing at
//! all. So after a moment the stable side grows by what is missing, and the candidate gives up pods that do not serve where
//! `maxSurge` leaves no room. The step keeps its split: it is not done until the candidate has its pods again, and then both
//! sides go back to it.
//!
//! Not the fall of the weight was chosen, which some controllers do: the step would begin again for a pod that restarts.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::model::{Candidate, Progress, Scaling};

use super::drive::Drive;
use super::layout::{Layout, Role, Set, Size};
use super::moves::Moving;
use super::ratio::Slack;
use super::scene::Scene;

/// Seconds for which pods may be lost: the kubelet restarts a container at once when it fails for the first time, and after
/// 10 s when it fails again (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>).
pub const GRACE_SECONDS: i64 = 10;

/// Notes since when pods are lost, and looks again when the grace is over.
pub fn watch(drive: &mut Drive, layout: &Layout) {
    let scene = drive.scene;
    let progress = &mut drive.step.progress;
    let Some(candidate) = progress.candidate.as_ref().filter(|candidate| progress.stable.is_some() && !candidate.is_apart()) else {
        return;
    };
    let since = match (lacks(scene, progress, layout, candidate), &candidate.unwell_since) {
        (Some(true), None) => Some(Time(scene.now)),
        (Some(false), _) => None,
        (_, since) => since.clone(),
    };
    // What the load needs is known now: a number that follows from sizes that grow would grow with them.
    if since.is_some() && candidate.unwell_since.is_none() && scene.is_autoscaled() {
        progress.capacity = Some(scene.capacity(progress));
    }
    let left = since.as_ref().map(|since| GRACE_SECONDS - scene.since(Some(since)));
    if let Some(candidate) = &mut progress.candidate {
        candidate.unwell_since = since;
    }
    if let Some(left) = left.filter(|left| *left > 0) {
        drive.wake(left);
    }
}

/// Whether too few pods serve because the candidate's do not; `None`: the numbers are out of date.
fn lacks(scene: &Scene, progress: &Progress, layout: &Layout, candidate: &Candidate) -> Option<bool> {
    let pods = scene.workloads.named(&candidate.at.deployment);
    if !pods.current {
        return None;
    }
    let lost = pods.desired - pods.available;
    if lost <= 0 || layout.pinned.is_some() {
        return Some(false);
    }
    let arrived = candidate.weight == candidate.observed_weight;
    let strategy = scene.strategy(progress);
    let Scaling::Fixed(total) = &scene.service.scaling else {
        // On the way the side that loses keeps its pods until the other has its own.
        let capacity = progress.capacity.unwrap_or_else(|| scene.capacity(progress));
        return Some(arrived && lost > scene.slack(strategy, capacity).unavailable);
    };
    let carries = |set: &Set| {
        let workload = scene.workloads.named(&set.at.deployment);
        let serves = workload.available.min(workload.desired);
        match (set.role, set.target) {
            (Role::Parked, _) => 0,
            // Its own pods come back by themselves.
            (Role::Stable, Size::Fixed(count)) if arrived => count,
            // Pods that are on their way are not lost, unless they have been waited for before.
            (Role::Stable, _) if candidate.unwell_since.is_none() && workload.available < workload.desired => workload.desired.max(*total),
            _ => serves,
        }
    };
    let carried: i32 = layout.sets.iter().map(carries).sum();
    Some(carried < total - scene.slack(strategy, *total).unavailable)
}

/// The grace is over.
pub fn is_due(scene: &Scene, candidate: &Candidate) -> bool {
    candidate.unwell_since.as_ref().is_some_and(|since| scene.since(Some(since)) >= GRACE_SECONDS)
}

/// Sizes to move to instead of the split's, while pods of the candidate are lost. `total` pods are wanted.
pub fn raise(scene: &Scene, progress: &Progress, sets: &[Set], moving: &mut [Moving], total: i32, slack: Slack) {
    let due = progress.candidate.as_ref().is_some_and(|candidate| is_due(scene, candidate));
    let index = |role| sets.iter().position(|set| set.role == role);
    let (true, Some(stable), Some(candidate)) = (due && !scene.is_autoscaled(), index(Role::Stable), index(Role::Candidate)) else {
        return;
    };
    let sum = |of: fn(&Moving) -> i32, but: &[usize]| -> i32 {
        moving.iter().enumerate().filter(|(index, _)| !but.contains(index)).map(|(_, set)| of(set)).sum()
    };
    let serves = |set: &Moving| set.available.min(set.size);
    let wanted = total - slack.unavailable - sum(serves, &[stable]);
    let others = sum(|set| set.size.max(set.pods), &[stable, candidate]);
    let mut raised = 0;
    if let Some(set) = moving.get_mut(stable) {
        set.target = set.target.max(wanted);
        raised = set.target.max(set.size);
    }
    if let Some(set) = moving.get_mut(candidate) {
        let room = total + slack.surge - others - raised;
        // One at least, by which it is seen to heal.
        set.target = set.target.min(set.size.min(room).max(serves(set)).max(1));
    }
}
