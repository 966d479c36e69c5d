//! Whether what somebody waits for holds, may still come, or cannot come any more without somebody's doing.

use clap::ValueEnum;

use crate::api::v1alpha1::RolloutState;
use crate::plan::conditions::{AVAILABLE, READY, STALLED, WORKLOAD};

use super::brief::{Brief, Hold, State};

/// What `status --for` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Goal {
    /// The spec as it is now serves, in full
    Ready,
    /// Its rollout is over
    Completed,
    /// Its rollout waits for somebody, or for a time
    Paused,
    /// It failed or was given up, and the last good revision serves
    RolledBack,
    /// Nothing moves until somebody changes something
    Stalled,
    /// Enough pods serve, of whatever revision
    Available,
}

impl Goal {
    /// As it is written on the command line.
    pub fn text(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The outlook for a goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    Holds,
    /// Not yet, for this reason.
    Waits(String),
    /// Not without somebody's doing, for this reason.
    Never(String),
}

use Outlook::{Holds, Never, Waits};

/// Judges only a status that speaks of the spec as it is now, and only when all commands have been handled.
pub fn judge(goal: Goal, brief: &Brief) -> Outlook {
    let (_, message) = brief.summary();
    match brief.state() {
        State::Deleting => return Never(message),
        State::Unseen => return Waits(message),
        // While it is suspended, conditions keep their last values.
        State::Suspended => return Never(format!("{message}; set `spec.suspend` to false")),
        _ => {}
    }
    let Some(rollout) = brief.rollout_state() else { return without_rollout(goal, brief, message) };
    if let Some((verb, value)) = brief.pending() {
        return Waits(format!("the operator has yet to handle the command {verb} {value}"));
    }
    let stalled = brief.is(STALLED);
    match goal {
        Goal::Ready if brief.is(READY) => Holds,
        Goal::Completed if rollout == RolloutState::Completed && !stalled => Holds,
        // One that waits to begin has nothing to be promoted yet.
        Goal::Paused if rollout == RolloutState::Paused && brief.progress.candidate.is_some() => Holds,
        Goal::RolledBack if is_back(rollout) && brief.is(AVAILABLE) && are_replaced(brief) => Holds,
        Goal::RolledBack if is_back(rollout) || brief.is_going_back() => Waits(message),
        Goal::Stalled if stalled => Holds,
        Goal::Available if brief.is(AVAILABLE) => Holds,
        Goal::Stalled if brief.is(READY) => Never(format!("it is ready: {message}")),
        Goal::Paused | Goal::RolledBack if rollout == RolloutState::Completed => Never(format!("the rollout is complete: {message}")),
        Goal::Ready | Goal::Completed | Goal::RolledBack | Goal::Stalled if is_held(brief) => Never(message),
        Goal::Stalled => Waits(message),
        _ if stalled => Never(message),
        _ => Waits(message),
    }
}

/// Before the first rollout there is only the summary to go by: a spec that was refused, for instance.
fn without_rollout(goal: Goal, brief: &Brief, message: String) -> Outlook {
    match (goal, brief.is(STALLED)) {
        (Goal::Stalled, true) => Holds,
        (_, true) => Never(message),
        (..) => Waits(message),
    }
}

const fn is_back(state: RolloutState) -> bool {
    matches!(state, RolloutState::RolledBack | RolloutState::Aborted)
}

/// No pod of another revision is left where one revision's pods take the place of another's.
fn are_replaced(brief: &Brief) -> bool {
    brief.condition(WORKLOAD).is_none_or(|workload| workload.status == "True")
}

/// It waits for somebody, and not for a time or a server.
fn is_held(brief: &Brief) -> bool {
    brief.hold().is_some_and(|hold| !matches!(hold, Hold::Until(_) | Hold::Gate(_)))
}
