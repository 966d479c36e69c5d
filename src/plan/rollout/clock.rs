//! The clock of a step: how long it may make no progress.
//!
//! Progress is what Deployments call so: another pod of the candidate is available, or another pod that is to go has gone.
//! A write for each pod would be noise, so status keeps only how far the step was when the clock started. If it is further
//! than that when the time is up, the clock starts again, from there: one write for each deadline. A step that stands still
//! from the beginning fails after one deadline, one that stops on the way after two at the latest. What was reached once
//! counts once, so pods that come and go do not keep a step alive for longer than as many deadlines as it wants pods.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::model::Progress;
use crate::plan::workload::Workload;

use super::layout::{Layout, Role, Set, Size, layout};
use super::scene::Scene;

/// What the clock says of a step that lacks pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Seconds(i64),
    /// The time is up, and nothing has come of it.
    Nothing,
}

/// Time that is left to the candidate, which lacks pods. Starts the clock where it does not run, or where the step is
/// further than it was.
pub fn left(scene: &Scene, progress: &mut Progress, layout: &Layout) -> Left {
    let deadline = i64::from(scene.service.rollout.progress_deadline_seconds);
    let Some(candidate) = &mut progress.candidate else { return Left::Seconds(deadline) };
    let left = match &candidate.lacking_since {
        Some(since) => deadline - scene.since(Some(since)),
        None => 0,
    };
    if left > 0 {
        return Left::Seconds(left);
    }
    let further = candidate.lacking_from.is_some_and(|from| reached(scene, layout) > from);
    if candidate.lacking_since.is_some() && !further {
        return Left::Nothing;
    }
    candidate.lacks_from(Time(scene.now));
    Left::Seconds(deadline)
}

/// Notes how far the step is, where its clock has just started.
pub fn note(scene: &Scene, progress: &mut Progress) {
    let started =
        progress.candidate.as_ref().is_some_and(|candidate| candidate.lacking_since.is_some() && candidate.lacking_from.is_none());
    let from = started.then(|| reached(scene, &layout(scene, progress)));
    if let (Some(candidate), Some(_)) = (&mut progress.candidate, from) {
        candidate.lacking_from = from;
    }
}

/// How far a step is: available pods of the candidate, less those of others that have yet to go.
fn reached(scene: &Scene, layout: &Layout) -> i32 {
    layout.sets.iter().map(|set| share(&scene.workloads.named(&set.at.deployment), set)).sum()
}

fn share(workload: &Workload, set: &Set) -> i32 {
    match (set.role, set.target) {
        (Role::Candidate, target) => workload.available.min(wanted(workload, target)),
        (Role::Stable | Role::Leaving, target) => {
            let surplus = match target {
                Size::Fixed(count) => workload.total - count,
                Size::Autoscaled { .. } => 0,
            };
            // Pods of yet another version may be in the stable one's Deployment, where a rolling update is being taken back.
            -surplus.max(0) - (workload.total - workload.updated).max(0)
        }
        (Role::Parked, _) => 0,
    }
}

/// Available pods that a set needs for a step to be done.
pub fn wanted(workload: &Workload, target: Size) -> i32 {
    match target {
        Size::Fixed(count) => count,
        Size::Autoscaled { at_least, .. } => workload.desired.max(at_least),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::model::{Candidate, Placed};
    use crate::plan::children::tests::service;
    use crate::plan::workload::Workloads;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    /// What the clock says so many seconds after the start, with so many available pods of the new version and so many of
    /// the old; and the progress after it.
    fn look(progress: &Progress, at: i64, new: i32, old: i32) -> (Left, Progress) {
        let service = service("replicas: 4\nrollout: {strategy: Canary, progressDeadlineSeconds: 60}");
        let set = |name: &str, desired, available| Workload {
            name: format!("orders-{name}"),
            revision: Some(name.to_owned()),
            current: true,
            desired,
            total: desired,
            updated: desired,
            available,
            ..Workload::default()
        };
        let workloads = Workloads(vec![set("aaaaaaaa", old, old), set("bbbbbbbb", 4, new)]);
        let now = START + SignedDuration::from_secs(at);
        let gateway = crate::plan::gateway::Gateway::of(&service, &crate::observe::World::default());
        let scene = Scene {
            service: &service,
            target: "bbbbbbbb",
            revisions: &[],
            workloads: &workloads,
            gateway: &gateway,
            pods: &[],
            addressed: true,
            permit: &crate::model::profile::Permit::Granted,
            answers: &std::collections::BTreeMap::new(),
            now,
        };
        let mut progress = progress.clone();
        let layout = layout(&scene, &progress);
        let left = left(&scene, &mut progress, &layout);
        note(&scene, &mut progress);
        (left, progress)
    }

    fn under_way() -> Progress {
        let at = |revision: &str| Placed { revision: revision.to_owned(), deployment: format!("orders-{revision}") };
        let strategy = crate::api::v1alpha1::Strategy::Canary;
        let candidate = Candidate { at: at("bbbbbbbb"), strategy, weight: 100, ..Candidate::default() };
        Progress { stable: Some(at("aaaaaaaa")), candidate: Some(candidate), ..Progress::default() }
    }

    #[test]
    fn a_step_that_stands_still_has_one_deadline() {
        let (left, started) = look(&under_way(), 0, 1, 3);
        assert_eq!(left, Left::Seconds(60));
        assert_eq!(look(&started, 59, 1, 3).0, Left::Seconds(1));
        assert_eq!(look(&started, 60, 1, 3).0, Left::Nothing);
    }

    #[test]
    fn progress_starts_the_clock_again_in_one_write_for_each_deadline() {
        for (new, old) in [(2, 3), (1, 2)] {
            let started = look(&under_way(), 0, 1, 3).1;
            let (left, waiting) = look(&started, 30, new, old);
            assert_eq!((left, &waiting), (Left::Seconds(30), &started), "nothing to write for a pod");
            let (left, again) = look(&started, 60, new, old);
            assert_eq!(left, Left::Seconds(60));
            assert_eq!(look(&again, 119, new, old), (Left::Seconds(1), again.clone()));
            assert_eq!(look(&again, 120, new, old).0, Left::Nothing, "it stood still for a whole deadline");
        }
    }

    #[test]
    fn what_was_reached_once_counts_once() {
        let started = look(&under_way(), 0, 1, 3).1;
        let again = look(&started, 60, 3, 3).1;
        assert_eq!(look(&again, 90, 1, 3), (Left::Seconds(30), again.clone()), "pods die");
        assert_eq!(look(&again, 120, 3, 3).0, Left::Nothing, "and are back, but no more of them than before");
    }

    /// Status of a version before this one says since when, and not from where.
    #[test]
    fn a_clock_without_a_mark_runs_as_it_did() {
        let mut progress = under_way();
        progress.candidate.iter_mut().for_each(|candidate| candidate.lacking_since = Some(Time(START)));
        assert_eq!(look(&progress, 60, 3, 1).0, Left::Nothing);
    }
}
