//! The part of status that cannot be derived again. Children depend on it and on the spec alone, so a crash between any
//! two writes replays safely.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

use crate::api::v1alpha1::{Baking, Failure, LastAction, MicroserviceStatus, Parked, RolloutState, RolloutStatus, Routing, Strategy};

/// Persisted progress of a service's rollout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Last revision that was rolled out in full.
    pub stable: Option<Placed>,
    /// Revision on its way to become stable.
    pub candidate: Option<Candidate>,
    /// Revisions that get no requests, and whose pods stay for a while.
    pub parked: Vec<Parked>,
    /// The stable revision was a canary, and may still be taken back.
    pub bake: Option<Baking>,
    /// Pods of all serving revisions together when their shares began to move, where an autoscaler decides how many
    /// there are.
    pub capacity: Option<i32>,
    /// Revision that failed and is not tried again.
    pub failed: Option<String>,
    pub failure: Option<Failure>,
    /// Revision that takes the failed one's place, if not the stable one.
    pub undo: Option<String>,
    /// Commands that have been handled, with the value of each.
    pub handled: BTreeMap<String, String>,
    pub last_action: Option<LastAction>,
}

/// A revision, and the Deployment that runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Placed {
    pub revision: String,
    pub deployment: String,
}

/// A revision on its way to become stable.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each stands for a word of status of its own")]
pub struct Candidate {
    pub at: Placed,
    /// Strategy under which its rollout began.
    pub strategy: Strategy,
    /// A gateway splits the requests, and not the share of pods.
    pub routed: bool,
    pub started_at: Option<Time>,
    /// Index of the step in progress; as large as `steps` when all are done.
    pub step: usize,
    pub steps: usize,
    /// To the microsecond, so that pauses are as long as they say.
    pub step_started_at: Option<MicroTime>,
    /// Per cent that it is to have.
    pub weight: i32,
    /// Per cent that it has been seen to have.
    pub observed_weight: i32,
    /// Per cent of its pods that the stable revision has given up to this one; 0: it is to have all of them again, and may still
    /// lack some; `None`: it has them.
    pub yielded: Option<i32>,
    /// Since when gateways have given more than that.
    pub yields_since: Option<MicroTime>,
    /// It was given up, and its requests go back as pods of the stable revision become ready.
    pub returning: bool,
    /// Since when it has had fewer available pods than its step needs.
    pub lacking_since: Option<Time>,
    /// How far its step was then: available pods of it, less those of others that had yet to go.
    pub lacking_from: Option<i32>,
    /// Since when pods of it that share the requests have not served, so that too few do.
    pub unwell_since: Option<Time>,
    /// Remaining steps are skipped: by command, or because the revision is known.
    pub full: bool,
    /// Held where it is, by command.
    pub paused: bool,
}

impl Candidate {
    /// Its pods stay out of the Service until it takes over.
    pub fn is_apart(&self) -> bool {
        self.strategy == Strategy::BlueGreen || self.routed
    }

    /// The Service is to select it, and the old revision no longer.
    pub fn takes_over(&self) -> bool {
        if self.routed { self.observed_weight == 100 } else { self.weight == 100 }
    }

    /// The clock of its step starts. How far the step is then is for the end of the pass to say.
    pub fn lacks_from(&mut self, now: Time) {
        (self.lacking_since, self.lacking_from) = (Some(now), None);
    }
}

impl Progress {
    /// What status says. Before there were Deployments for single revisions it named none: then it is `<name>`.
    pub fn of(name: &str, status: Option<&MicroserviceStatus>) -> Self {
        let Some(rollout) = status.and_then(|s| s.rollout.clone()) else {
            return Self::default();
        };
        let placed = |revision, deployment: Option<String>| Placed { revision, deployment: deployment.unwrap_or_else(|| name.to_owned()) };
        let index = |number: Option<i32>| number.and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
        let candidate = rollout.candidate_revision.map(|revision| Candidate {
            full: rollout.full_promotion.as_ref() == Some(&revision),
            paused: rollout.paused_revision.as_ref() == Some(&revision),
            at: placed(revision, rollout.candidate_deployment),
            strategy: rollout.strategy.unwrap_or_default(),
            routed: rollout.routing == Some(Routing::Gateway),
            started_at: rollout.started_at,
            step: index(rollout.step),
            steps: index(rollout.steps),
            step_started_at: rollout.step_started_at,
            weight: rollout.weight.unwrap_or_default(),
            observed_weight: rollout.observed_weight.unwrap_or_default(),
            yielded: rollout.yielded_weight,
            yields_since: rollout.yields_since,
            returning: rollout.returning.unwrap_or_default(),
            lacking_since: rollout.lacking_since,
            lacking_from: rollout.lacking_from,
            unwell_since: rollout.unwell_since,
        });
        Self {
            stable: rollout.stable_revision.map(|revision| placed(revision, rollout.stable_deployment)),
            candidate,
            parked: rollout.parked,
            bake: rollout.bake,
            capacity: rollout.capacity,
            failed: rollout.failed_revision,
            failure: rollout.failure,
            undo: rollout.undo_revision,
            handled: rollout.handled,
            last_action: rollout.last_action,
        }
    }

    pub fn into_status(self, state: RolloutState) -> RolloutStatus {
        let (stable_revision, stable_deployment) = self.stable.map(|at| (at.revision, at.deployment)).unzip();
        let number = |index: usize| i32::try_from(index).ok();
        let status = RolloutStatus {
            state: Some(state),
            stable_revision,
            stable_deployment,
            parked: self.parked,
            bake: self.bake,
            capacity: self.capacity,
            failed_revision: self.failed,
            failure: self.failure,
            undo_revision: self.undo,
            handled: self.handled,
            last_action: self.last_action,
            ..RolloutStatus::default()
        };
        let Some(candidate) = self.candidate else { return status };
        let steps = number(candidate.steps).filter(|steps| *steps > 0);
        // Within one Deployment there is no weight.
        let weighted = matches!(candidate.strategy, Strategy::Canary | Strategy::BlueGreen) || candidate.weight > 0;
        RolloutStatus {
            strategy: Some(candidate.strategy),
            routing: candidate.routed.then_some(Routing::Gateway),
            started_at: candidate.started_at,
            step: steps.and_then(|_| number(candidate.step)),
            steps,
            step_started_at: candidate.step_started_at,
            weight: weighted.then_some(candidate.weight),
            observed_weight: weighted.then_some(candidate.observed_weight),
            yielded_weight: candidate.yielded,
            yields_since: candidate.yields_since,
            returning: candidate.returning.then_some(true),
            lacking_since: candidate.lacking_since,
            lacking_from: candidate.lacking_from,
            unwell_since: candidate.unwell_since,
            full_promotion: candidate.full.then(|| candidate.at.revision.clone()),
            paused_revision: candidate.paused.then(|| candidate.at.revision.clone()),
            candidate_revision: Some(candidate.at.revision),
            candidate_deployment: Some(candidate.at.deployment),
            ..status
        }
    }

    /// No revision is to blame any more.
    pub fn forgive(&mut self) {
        (self.failed, self.failure, self.undo) = (None, None, None);
    }

    /// A version is being replaced, and that has not failed.
    pub fn is_replacing(&self) -> bool {
        self.stable.is_some() && self.candidate_revision().is_some_and(|candidate| self.failed.as_ref() != Some(candidate))
    }

    /// Hash of the stable revision.
    pub fn stable_revision(&self) -> Option<&String> {
        self.stable.as_ref().map(|at| &at.revision)
    }

    /// Hash of the candidate.
    pub fn candidate_revision(&self) -> Option<&String> {
        self.candidate.as_ref().map(|candidate| &candidate.at.revision)
    }
}
