//! `stableScale: Dynamic`: behind a gateway, the stable revision gives up pods as its requests go.
//!
//! Size lags weight on the way there, and leads it on the way back:
//!
//! ```text
//! weight in force ──a moment──► the stable revision shrinks to its share      grows to its new share ──ready──► weight goes back
//! ```
//!
//! What was given up stands in status, and never exceeds a weight that a gateway may still have: so an old view, or a pass that
//! ends in the middle, can make the stable revision larger than it need be, and not smaller. A candidate that is given up keeps
//! its pods, and the requests that the stable one cannot take yet, until that has all its pods.
//!
//! To let go of it at once, and to mix both revisions behind one Service until the pods are there, was rejected: the version that
//! has just failed would also answer those who never asked for it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

use crate::api::v1alpha1::StableScale;
use crate::model::{Candidate, Placed, Progress, Scaling};

use super::drive::Drive;
use super::ratio::part;
use super::routed::{self, PROPAGATION_SECONDS, carried, full};
use super::scene::Scene;

/// Pods that the stable revision keeps of so many: what its share needs now, and what it will need next.
pub fn kept(scene: &Scene, progress: &Progress, stable: &Placed, candidate: &Candidate, count: i32) -> i32 {
    let Some(yielded) = candidate.yielded.filter(|_| is_wanted(scene)) else { return count };
    let (_, _, ready) = routed::behind(scene, candidate);
    let carries = routed::weight(candidate, count, routed::wanted(scene, progress, stable, candidate), ready);
    let given = yielded.min(candidate.weight).min(carries).min(scene.gateway.written);
    part(count, 100 - given.max(0)).max(1).min(count)
}

fn is_wanted(scene: &Scene) -> bool {
    scene.service.rollout.stable_scale == StableScale::Dynamic && matches!(scene.service.scaling, Scaling::Fixed(_))
}

/// Ready pods of the stable revision behind its side.
pub fn ready(scene: &Scene, stable: &Placed) -> i32 {
    let pods = scene.workloads.named(&stable.deployment);
    pods.available.min(scene.gateway.stable_endpoints.unwrap_or(i32::MAX))
}

/// Per cent for the candidate where neither side may have more than its ready pods carry: those of the stable revision, and its
/// own. Where both together are too few, they share what there is.
pub fn balanced(candidate: &Candidate, full: i32, wanted: i32, (stable, ready): (i32, i32)) -> i32 {
    let weight = routed::weight(candidate, full, wanted, ready);
    if candidate.yielded.is_none() || full == 0 {
        return weight;
    }
    let least = 100 - (stable.max(0) * 100 / full).min(100);
    if weight >= least {
        return weight;
    }
    let most = candidate.observed_weight.max(weight);
    let able = carried(most, full, wanted, ready);
    if least <= able || able == 0 {
        return least.min(able);
    }
    let even = ready * 100 / (ready + stable).max(1);
    // A side without any pod would answer nobody.
    even.clamp(able, least).min(if stable > 0 { most } else { 100 })
}

/// Notes what has been given up, and what is no longer.
pub fn note(drive: &mut Drive) {
    let scene = drive.scene;
    let progress = &mut drive.step.progress;
    let (Some(share), Some(stable)) = (routed::share(scene, progress), progress.stable.clone()) else { return };
    let count = full(scene, progress, &stable);
    let failed = progress.failed.clone();
    let Some(candidate) = &mut progress.candidate else { return };
    if let Some(yielded) = candidate.yielded {
        let given = if is_wanted(scene) { yielded.min(share.weight).min(scene.gateway.written).max(0) } else { 0 };
        let pods = scene.workloads.named(&stable.deployment);
        candidate.yielded = (given > 0 || !pods.current || pods.available < count).then_some(given);
    }
    let weight = candidate.weight;
    let arrived = weight == candidate.observed_weight && weight == share.weight && scene.gateway.accepted == Ok(weight);
    // At 100 the whole of it is about to be parked, or to bake.
    let more = weight > candidate.yielded.unwrap_or(0) && weight < 100;
    if !(arrived && more && is_wanted(scene)) || candidate.returning || failed.as_ref() == Some(&candidate.at.revision) {
        candidate.yields_since = None;
        return;
    }
    let since = candidate.yields_since.get_or_insert(MicroTime(scene.now)).clone();
    if let Some(left) = scene.left(PROPAGATION_SECONDS, Some(&since)) {
        return drive.wake_in(left);
    }
    (candidate.yielded, candidate.yields_since) = (Some(weight), None);
    // Should an autoscaler take over on the way, this is what it begins with.
    progress.capacity = Some(count);
}

/// Whether a candidate that is given up goes back bit by bit, because the stable revision lacks pods that it gave up to it.
pub fn returns(scene: &Scene, progress: &mut Progress) -> bool {
    let (Some(stable), false) = (progress.stable.clone(), is_back(scene, progress)) else { return false };
    let Some(candidate) = progress.candidate.as_mut().filter(|candidate| candidate.yielded.is_some()) else { return false };
    if !candidate.returning && stable.deployment != candidate.at.deployment {
        (candidate.returning, candidate.weight, candidate.paused) = (true, 0, false);
        candidate.lacks_from(Time(scene.now));
    }
    candidate.returning
}

/// The stable revision has all its pods.
fn is_back(scene: &Scene, progress: &Progress) -> bool {
    let Some(stable) = &progress.stable else { return true };
    let pods = scene.workloads.named(&stable.deployment);
    // Right after it was made smaller a Deployment still counts pods that are about to go.
    pods.current && pods.desired.min(ready(scene, stable)) >= full(scene, progress, stable)
}

/// The way back of a candidate that was given up.
pub fn come_back(drive: &mut Drive) {
    let scene = drive.scene;
    let progress = &drive.step.progress;
    let (Some(stable), Some(candidate)) = (&progress.stable, &progress.candidate) else { return };
    let home = scene.goal(progress) == stable.revision;
    let deadline = i64::from(scene.service.rollout.progress_deadline_seconds);
    let left = deadline - scene.since(candidate.lacking_since.as_ref());
    // What may mend it must not wait for ever for pods that do not come.
    if is_back(scene, progress) || !home && left <= 0 {
        let delay = scene.service.rollout.abort_scale_down_delay_seconds;
        return drive.take_out(if home { delay.into() } else { 0 });
    }
    let (available, count) = (scene.workloads.named(&stable.deployment).available, full(scene, progress, stable));
    let lack = format!("requests go back to revision {} as its pods become ready: {available} of {count} are", stable.revision);
    drive.step.lack = Some(lack);
    if !home {
        drive.wake(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_side_has_more_than_its_pods_carry() {
        // asked, seen, ready of 10 stable, ready of 8 new → weight
        for (asked, seen, stable, ready, expected) in [
            (80, 80, 2, 8, 80),
            // On the way back.
            (0, 80, 2, 8, 80),
            (0, 80, 5, 8, 50),
            (0, 80, 10, 8, 0),
            (20, 80, 4, 8, 60),
            // A pod of the stable one is lost: what is asked is not exceeded, unless nobody else is left.
            (80, 80, 1, 8, 80),
            (80, 80, 0, 8, 100),
            (0, 80, 0, 8, 100),
            // Pods of the new one are lost: what is left is shared, and nobody gets what has no pod.
            (80, 80, 2, 4, 66),
            (80, 80, 6, 4, 40),
            (80, 80, 2, 0, 0),
            (80, 80, 0, 0, 0),
            (0, 80, 2, 0, 0),
        ] {
            let candidate = Candidate { weight: asked, observed_weight: seen, yielded: Some(80), ..Candidate::default() };
            assert_eq!(balanced(&candidate, 10, 8, (stable, ready)), expected, "{asked} {seen} {stable} {ready}");
        }
    }

    #[test]
    fn who_has_given_nothing_up_is_not_asked() {
        let candidate = Candidate { weight: 0, observed_weight: 80, ..Candidate::default() };
        assert_eq!(balanced(&candidate, 10, 8, (2, 8)), 0);
    }
}
