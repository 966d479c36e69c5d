//! Progress without the words, and back.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

use crate::api::v1alpha1::{Baking, Failure, Parked, Strategy};
use crate::model::{Candidate, Placed, Progress};

use super::state::{LONG, REVISIONS, deployment, now, number};

/// Progress without the words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Saved {
    pub stable: Option<(u8, u8)>,
    pub candidate: Option<On>,
    /// Revision, Deployment, and whether its time still runs (fresh, over) or it leaves.
    pub parked: Vec<(u8, u8, Option<bool>)>,
    pub bake: Option<Bake>,
    pub failed: Option<u8>,
    pub reason: Option<&'static str>,
    pub undo: Option<u8>,
    pub version: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bake {
    pub revision: u8,
    pub pods: i32,
    /// Whether its time still runs.
    pub runs: bool,
    /// Whether it has been unwell for long.
    pub unwell: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "as in what is remembered of a candidate")]
pub struct On {
    pub at: (u8, u8),
    pub strategy: Strategy,
    pub routed: bool,
    pub step: u8,
    pub weight: i32,
    pub observed: i32,
    pub yielded: Option<i32>,
    /// Whether the time since then is over.
    pub yields: Option<bool>,
    pub returning: bool,
    /// Whether the time since then is over.
    pub since: Option<bool>,
    pub lacking: Option<bool>,
    /// How far the step was then.
    pub from: Option<i32>,
    /// Whether too few pods have served for long, because its own do not.
    pub unwell: Option<bool>,
    pub started: Option<bool>,
    pub full: bool,
    pub paused: bool,
}

impl Saved {
    pub fn progress(&self) -> Progress {
        let hash = |revision: u8| REVISIONS[usize::from(revision)].to_owned();
        Progress {
            stable: self.stable.map(placed),
            candidate: self.candidate.as_ref().map(|on| Candidate {
                at: placed(on.at),
                strategy: on.strategy,
                routed: on.routed,
                started_at: on.started.map(ago),
                step: on.step.into(),
                steps: 0,
                step_started_at: on.since.map(|over| MicroTime(ago(over).0)),
                weight: on.weight,
                observed_weight: on.observed,
                yielded: on.yielded,
                yields_since: on.yields.map(|over| MicroTime(ago(over).0)),
                returning: on.returning,
                lacking_since: on.lacking.map(ago),
                lacking_from: on.from,
                unwell_since: on.unwell.map(ago),
                full: on.full,
                paused: on.paused,
            }),
            parked: self
                .parked
                .iter()
                .map(|(revision, home, left)| Parked {
                    revision: hash(*revision),
                    deployment: deployment(*home).to_owned(),
                    until: left.map(until),
                })
                .collect(),
            bake: self.bake.as_ref().map(|bake| Baking {
                revision: hash(bake.revision),
                until: until(bake.runs),
                pods: bake.pods,
                unwell_since: bake.unwell.map(ago),
            }),
            failed: self.failed.map(hash),
            failure: self.reason.map(|reason| Failure { reason: reason.to_owned(), message: String::new(), at: Time(now()) }),
            undo: self.undo.map(hash),
            ..Progress::default()
        }
    }

    pub fn of(progress: &Progress, version: u8) -> Self {
        let reasons = [
            super::super::DEADLINE,
            super::super::BAKE_FAILED,
            super::super::GATE_REFUSED,
            super::super::scene::ABORTED,
            super::super::scene::UNDONE,
        ];
        Self {
            stable: progress.stable.as_ref().map(pair),
            candidate: progress.candidate.as_ref().map(|candidate| On {
                at: pair(&candidate.at),
                strategy: candidate.strategy,
                routed: candidate.routed,
                step: u8::try_from(candidate.step).unwrap(),
                weight: candidate.weight,
                observed: candidate.observed_weight,
                yielded: candidate.yielded,
                yields: candidate.yields_since.as_ref().map(|at| is_over(&Time(at.0))),
                returning: candidate.returning,
                since: candidate.step_started_at.as_ref().map(|at| is_over(&Time(at.0))),
                lacking: candidate.lacking_since.as_ref().map(is_over),
                from: candidate.lacking_from,
                unwell: candidate.unwell_since.as_ref().map(is_over),
                started: candidate.started_at.as_ref().map(is_over),
                full: candidate.full,
                paused: candidate.paused,
            }),
            parked: progress
                .parked
                .iter()
                .map(|parked| (number(&parked.revision), place(&parked.deployment), parked.until.as_ref().map(|until| until.0 > now())))
                .collect(),
            bake: progress.bake.as_ref().map(|bake| Bake {
                revision: number(&bake.revision),
                pods: bake.pods,
                runs: bake.until.0 > now(),
                unwell: bake.unwell_since.as_ref().map(is_over),
            }),
            failed: progress.failed.as_deref().map(number),
            reason: progress.failure.as_ref().and_then(|failure| reasons.into_iter().find(|known| **known == failure.reason)),
            undo: progress.undo.as_deref().map(number),
            version,
        }
    }

    /// A time as long as any setting's has passed.
    pub fn ages(&mut self) {
        if let Some(on) = &mut self.candidate {
            for time in [&mut on.since, &mut on.yields, &mut on.lacking, &mut on.started, &mut on.unwell] {
                *time = time.map(|_| true);
            }
        }
        for (_, _, left) in &mut self.parked {
            *left = left.map(|_| false);
        }
        if let Some(bake) = &mut self.bake {
            bake.runs = false;
            bake.unwell = bake.unwell.map(|_| true);
        }
    }
}

fn place(name: &str) -> u8 {
    (0..4).find(|index| deployment(*index) == name).unwrap()
}

fn placed((revision, home): (u8, u8)) -> Placed {
    Placed { revision: REVISIONS[usize::from(revision)].to_owned(), deployment: deployment(home).to_owned() }
}

fn pair(at: &Placed) -> (u8, u8) {
    (number(&at.revision), place(&at.deployment))
}

fn ago(over: bool) -> Time {
    Time(if over { now() - SignedDuration::from_secs(LONG) } else { now() })
}

fn until(runs: bool) -> Time {
    Time(if runs { now() + SignedDuration::from_secs(LONG) } else { now() })
}

fn is_over(time: &Time) -> bool {
    (now() - time.0).get_seconds() >= LONG
}
