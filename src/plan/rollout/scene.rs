//! What a decision looks at, and the questions that several decisions ask of it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

use crate::api::v1alpha1::{OnFailure, OnSpecChange, Routing, Strategy};
use crate::model::profile::Permit;
use crate::model::{Answer, Candidate, Placed, Progress, Scaling, Service, Step};
use crate::observe::World;
use crate::observe::world::{Pod, Revision};
use crate::plan::gateway::Gateway;
use crate::plan::workload::{Workload, Workloads};

use super::bake;
use super::layout::{is_gathering, is_mixed, is_restoring};
use super::ratio::{Slack, follower};

/// Why somebody's command, and not a failure, took a revision out.
pub const ABORTED: &str = "Aborted";
pub const UNDONE: &str = "Undone";

/// Whether a rollout that replaces a version is about to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    No,
    Wanted,
    /// It has begun, and that is not on record yet.
    Begun,
}

/// Which pods get requests, where not all of the service do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Those of one revision.
    Revision(String),
    /// Those of the Deployment that replaces pods within itself, of whatever revision.
    Rolling,
}

/// What a decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub service: &'a Service,
    /// Hash of the revision that the spec asks for.
    pub target: &'a str,
    /// Revisions on record.
    pub revisions: &'a [Revision],
    pub workloads: &'a Workloads,
    pub gateway: &'a Gateway,
    pub pods: &'a [Pod],
    /// The Service was brought to plan in this pass, or there is none.
    pub addressed: bool,
    /// Whether a rollout may begin.
    pub permit: &'a Permit,
    /// What is known of the answers to questions, by what each is about.
    pub answers: &'a BTreeMap<String, Answer>,
    pub now: Timestamp,
}

/// What is derived from a world for a decision.
#[derive(Debug)]
pub struct Sight {
    pub workloads: Workloads,
    pub gateway: Gateway,
    /// See [`Scene::addressed`].
    pub addressed: bool,
}

impl<'a> Scene<'a> {
    /// What a world shows to a decision.
    pub fn of(service: &'a Service, target: &'a str, world: &'a World, sight: &'a Sight, now: Timestamp) -> Self {
        let Sight { workloads, gateway, addressed } = sight;
        let World { revisions, pods, permit, answers, .. } = world;
        Self { service, target, revisions, workloads, gateway, pods, addressed: *addressed, permit, answers, now }
    }
}

impl Scene<'_> {
    /// The revision to work towards: the spec's, or the one that takes its place because it failed or must wait.
    pub fn goal<'a>(&'a self, progress: &'a Progress) -> &'a str {
        if progress.failed.as_deref() == Some(self.target) {
            return self.replacement(progress).unwrap_or(self.target);
        }
        if self.is_held(progress) {
            return self.meanwhile(progress).unwrap_or(self.target);
        }
        let queued = self.service.rollout.on_spec_change == OnSpecChange::Queue
            && progress.stable_revision().map(String::as_str) != Some(self.target);
        let under_way = progress
            .candidate
            .as_ref()
            .filter(|candidate| !self.in_place(progress) && Some(&candidate.at.revision) != progress.failed.as_ref());
        match under_way {
            Some(candidate) if queued && self.is_recorded(&candidate.at.revision) => &candidate.at.revision,
            _ => self.target,
        }
    }

    /// A rollout waits for the permit to begin. The way back to what serves, and a first rollout, need none.
    pub fn is_held(&self, progress: &Progress) -> bool {
        matches!(self.permit, Permit::Held { .. }) && self.beginning(progress) == Beginning::Wanted
    }

    /// Whether the spec asks for a revision that neither serves nor is on its way, while there is another one that serves.
    pub fn beginning(&self, progress: &Progress) -> Beginning {
        let known = [progress.stable_revision(), progress.candidate_revision(), progress.failed.as_ref()];
        if known.into_iter().flatten().any(|known| known == self.target) || self.meanwhile(progress).is_none() {
            return Beginning::No;
        }
        // A pass may end after the Deployment was changed and before that was recorded.
        let changed = self.workloads.named(&self.service.name).revision.as_deref() == Some(self.target);
        if changed && self.in_place(progress) { Beginning::Begun } else { Beginning::Wanted }
    }

    /// What runs while a rollout waits: the one that is under way goes on, or else what serves stays.
    fn meanwhile<'a>(&self, progress: &'a Progress) -> Option<&'a str> {
        let had = |revision: &&String| self.is_recorded(revision) || self.is_placed(progress, revision);
        let stable = progress.stable_revision().filter(had)?;
        let under_way = progress.candidate_revision().filter(|revision| Some(*revision) != progress.failed.as_ref());
        Some(under_way.filter(|revision| self.is_recorded(revision)).unwrap_or(stable))
    }

    /// The revision that takes the place of the spec's, which failed.
    fn replacement<'a>(&self, progress: &'a Progress) -> Option<&'a str> {
        let by_command = progress.failure.as_ref().is_some_and(|failure| [ABORTED, UNDONE].contains(&failure.reason.as_str()));
        let back = (by_command || self.service.rollout.on_failure == OnFailure::Rollback).then_some(progress.stable_revision()).flatten();
        let replacement = progress.undo.as_ref().filter(|hash| self.is_recorded(hash)).or(back)?;
        (replacement != self.target && (self.is_recorded(replacement) || self.is_placed(progress, replacement))).then_some(replacement)
    }

    pub fn is_recorded(&self, revision: &str) -> bool {
        self.revisions.iter().any(|known| known.hash == revision)
    }

    /// A Deployment of its own runs it, so that its pods can be had without the record.
    fn is_placed(&self, progress: &Progress, revision: &str) -> bool {
        let at = progress.stable.as_ref().filter(|at| at.revision == revision && at.deployment != self.service.name);
        at.is_some_and(|at| self.workloads.find(&at.deployment).is_some())
    }

    /// The Deployment `<name>` replaces its pods itself: both revisions are in it.
    pub fn in_place(&self, progress: &Progress) -> bool {
        let home = &self.service.name;
        let stays = progress.stable.as_ref().is_none_or(|at| at.deployment == *home);
        match &progress.candidate {
            Some(candidate) => stays && candidate.at.deployment == *home,
            None => {
                let alone = self.unplaced(progress).all(|workload| workload.name == *home);
                stays && is_rolling(self.service.rollout.strategy) && progress.parked.is_empty() && alone
            }
        }
    }

    /// Deployments with pods that are neither of the stable revision's nor of the candidate's nor parked.
    pub fn others<'a>(&'a self, progress: &'a Progress) -> impl Iterator<Item = &'a Workload> {
        let home = self.in_place(progress).then_some(&self.service.name);
        self.unplaced(progress).filter(move |workload| Some(&workload.name) != home)
    }

    fn unplaced<'a>(&'a self, progress: &'a Progress) -> impl Iterator<Item = &'a Workload> {
        let stable = progress.stable.as_ref().map(|at| &at.deployment);
        let candidate = progress.candidate.as_ref().map(|candidate| &candidate.at.deployment);
        let placed = [stable, candidate];
        // Where no two versions may run at the same time, a pod counts until it is gone.
        let strict = self.service.rollout.strategy == Strategy::Recreate;
        self.workloads.0.iter().filter(move |workload| {
            let parked = progress.parked.iter().any(|parked| parked.deployment == workload.name);
            let there = workload.pods() > 0 || (strict && workload.leaving > 0);
            there && !parked && !placed.contains(&Some(&workload.name))
        })
    }

    /// The only pods that get requests; `None`: all of the service do.
    ///
    /// As long as there are pods that must get none, whatever strategy made them, the Service names those that do.
    pub fn pinned(&self, progress: &Progress) -> Option<Pin> {
        let switches = progress.candidate.as_ref().filter(|candidate| candidate.takes_over());
        let revision = match (is_mixed(self, progress), switches) {
            (true, Some(candidate)) => Some(candidate.at.revision.as_str()),
            (true, None) => return Some(Pin::Rolling),
            (false, _) => self.pinned_revision(progress),
        };
        revision.map(|revision| Pin::Revision(revision.to_owned()))
    }

    fn pinned_revision<'a>(&self, progress: &'a Progress) -> Option<&'a str> {
        let stable = progress.stable.as_ref();
        if let (Some(candidate), Some(_)) = (&progress.candidate, stable)
            && progress.parked.is_empty()
            && bake::takes_over(self, candidate)
        {
            return Some(&candidate.at.revision);
        }
        if !self.apart(progress) && progress.parked.is_empty() {
            return None;
        }
        // A rolling update that another strategy has put an end to is taken back pod by pod, and until then all of them serve.
        if stable.is_some_and(|at| progress.parked.is_empty() && is_restoring(self, at)) || is_gathering(self, progress) {
            return None;
        }
        match (&progress.candidate, stable) {
            // Before the first version is complete, whatever serves is better than nothing.
            (Some(candidate), None) => self.others(progress).next().is_none().then_some(&candidate.at.revision),
            (Some(candidate), Some(_)) if candidate.takes_over() => Some(&candidate.at.revision),
            (_, stable) => stable.map(|at| at.revision.as_str()),
        }
    }

    /// The strategy in force: that of the rollout under way, or the spec's.
    pub fn strategy(&self, progress: &Progress) -> Strategy {
        progress.candidate.as_ref().map_or(self.service.rollout.strategy, |candidate| candidate.strategy)
    }

    /// The new pods stay out of the Service until they take over.
    pub fn apart(&self, progress: &Progress) -> bool {
        progress.candidate.as_ref().map_or_else(|| self.begins_apart(), Candidate::is_apart)
    }

    /// The same of the next rollout.
    pub fn begins_apart(&self) -> bool {
        self.service.rollout.strategy == Strategy::BlueGreen || self.begins_routed()
    }

    /// A gateway splits the requests of the next rollout.
    pub fn begins_routed(&self) -> bool {
        let rollout = &self.service.rollout;
        rollout.strategy == Strategy::Canary
            && match rollout.routing {
                Routing::Pods => false,
                Routing::Gateway => true,
                // What no split of pods could do is not left out in silence.
                Routing::Auto => self.service.has_routes() && (self.gateway.served || rollout.steps.iter().any(Step::needs_gateway)),
            }
    }

    pub fn slack(&self, strategy: Strategy, total: i32) -> Slack {
        Slack::of(&self.service.rollout, strategy, total)
    }

    pub fn is_autoscaled(&self) -> bool {
        matches!(self.service.scaling, Scaling::Auto(_))
    }

    /// Pods that the load needs, by the autoscaler's word: those of the set that it leads, and those of the other side at the
    /// share that is seen.
    pub fn capacity(&self, progress: &Progress) -> i32 {
        let desired = |at: &Placed| self.workloads.named(&at.deployment).desired;
        let led = |at: &Placed, share| desired(at) + follower(desired(at), share);
        match (&progress.stable, &progress.candidate) {
            // The stable revision keeps the pods for all of it.
            (Some(stable), Some(candidate)) if candidate.is_apart() => {
                // Unless it has given some up; then it was said how many there were.
                desired(stable).max(candidate.yielded.and(progress.capacity).unwrap_or_default())
            }
            (_, Some(candidate)) if candidate.observed_weight > 50 => led(&candidate.at, candidate.observed_weight),
            (Some(stable), Some(candidate)) => led(stable, 100 - candidate.observed_weight),
            (Some(at), None) => desired(at),
            (None, candidate) => candidate.as_ref().map_or(0, |candidate| desired(&candidate.at)),
        }
    }

    /// What is left of so many seconds from a moment on; `None`: they are over. A clock that was put back makes none longer.
    pub fn left(&self, seconds: i64, from: Option<&MicroTime>) -> Option<Duration> {
        let all = SignedDuration::from_secs(seconds);
        let left = (from?.0 + all).duration_since(self.now).min(all);
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }

    /// Seconds since a time, or 0 if it is unknown.
    pub fn since(&self, time: Option<&Time>) -> i64 {
        time.map_or(0, |time| self.now.as_second() - time.0.as_second())
    }
}

/// Progress with the stable revision, where status was lost, as a restored backup loses it: the one that a Deployment says it
/// is, or that has all its pods. What was on its way begins anew.
pub fn recover(progress: &Progress, scene: &Scene) -> Progress {
    let mut progress = progress.clone();
    if progress.stable.is_none() && progress.candidate.is_none() {
        // The Deployment `<name>` says it from its creation on, so that the end of a first rollout costs no write.
        let says = |workload: &Workload| workload.stable && workload.name != scene.service.name;
        let complete = |workload: &Workload| workload.total == workload.updated && workload.available >= workload.desired;
        let blamed = |workload: &Workload| workload.revision.is_none() || workload.revision == progress.failed;
        let served = |workload: &&Workload| workload.available > 0 && !blamed(workload) && (says(workload) || complete(workload));
        let best = scene.workloads.0.iter().filter(served).max_by_key(|workload| (says(workload), workload.available));
        progress.stable =
            best.and_then(|workload| Some(Placed { revision: workload.revision.clone()?, deployment: workload.name.clone() }));
    }
    progress
}

/// Pods are replaced within one Deployment.
pub fn is_rolling(strategy: Strategy) -> bool {
    matches!(strategy, Strategy::RollingUpdate | Strategy::Recreate)
}
