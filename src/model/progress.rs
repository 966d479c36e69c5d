//! The part of status that cannot be derived again. Children depend on it and on the spec alone, so a crash between any
//! two writes replays safely.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::v1alpha1::{Failure, LastAction, MicroserviceStatus, RolloutState, RolloutStatus};

/// Persisted progress of a service's rollout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Last revision that was rolled out in full.
    pub stable: Option<String>,
    /// Revision on its way to become stable.
    pub candidate: Option<String>,
    /// When the candidate's rollout began.
    pub started_at: Option<Time>,
    /// Revision that failed and is not tried again.
    pub failed: Option<String>,
    pub failure: Option<Failure>,
    pub last_action: Option<LastAction>,
}

impl Progress {
    pub fn of(status: Option<&MicroserviceStatus>) -> Self {
        let Some(rollout) = status.and_then(|s| s.rollout.as_ref()) else {
            return Self::default();
        };
        Self {
            stable: rollout.stable_revision.clone(),
            candidate: rollout.candidate_revision.clone(),
            started_at: rollout.started_at.clone(),
            failed: rollout.failed_revision.clone(),
            failure: rollout.failure.clone(),
            last_action: rollout.last_action.clone(),
        }
    }

    pub fn into_status(self, state: RolloutState) -> RolloutStatus {
        RolloutStatus {
            state: Some(state),
            stable_revision: self.stable,
            candidate_revision: self.candidate,
            started_at: self.started_at,
            failed_revision: self.failed,
            failure: self.failure,
            last_action: self.last_action,
        }
    }
}
