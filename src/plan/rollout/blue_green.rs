//! Blue-green: a second set starts without requests, and takes over by a switch of the Service.
//!
//! ```text
//! 0 start ──pods available──► 1 wait ──delay over, or promote──► 2 grow ──as many as the old──► 3 switch ──Service moved──► stable
//! ```

use crate::model::{Candidate, Placed, Scaling};

use super::drive::{Drive, enter};
use super::scene::Scene;

/// Steps of the strategy, as `status.rollout.steps` counts them.
pub const STEPS: usize = 3;
/// Index of the step that waits for a time or for somebody.
pub const WAIT: usize = 1;
/// Index of the step that grows to full size.
pub const GROW: usize = 2;

/// Pods that the candidate should have.
pub fn wanted(scene: &Scene, stable: &Placed, candidate: &Candidate) -> i32 {
    let full = match &scene.service.scaling {
        Scaling::Fixed(count) => *count,
        Scaling::Auto(bounds) => scene.workloads.named(&stable.deployment).desired.max(bounds.min),
    };
    match scene.service.rollout.blue_green.preview {
        Some(preview) if candidate.step < GROW && !candidate.full => preview,
        _ => full,
    }
}

/// One step further, once the pods of the step in progress are there.
pub fn advance(drive: &mut Drive) {
    let (scene, service) = (drive.scene, drive.scene.service);
    let Some(candidate) = &mut drive.step.progress.candidate else { return };
    match candidate.step {
        0 => enter(scene, candidate, if candidate.full { GROW } else { WAIT }),
        WAIT => {
            let left = match service.rollout.blue_green.delay_seconds {
                _ if candidate.full => None,
                Some(seconds) => scene.left(seconds.into(), candidate.step_started_at.as_ref()),
                None => return,
            };
            if let Some(left) = left {
                return drive.wake_in(left);
            }
            enter(scene, candidate, GROW);
        }
        GROW => {
            enter(scene, candidate, STEPS);
            candidate.weight = 100;
        }
        _ if scene.addressed => drive.promote(),
        _ => {}
    }
}
