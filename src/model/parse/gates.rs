//! Gates whose webhook cannot be asked: a rollout that came to one of them could never end.

use super::Findings;
use crate::api::problem::Reason;
use crate::api::v1alpha1::{MicroserviceProfile, MicroserviceSpec};
use crate::model::profile::{self, Given};

/// Every gate names a webhook of the profile.
pub fn check(spec: &MicroserviceSpec, given: &Given, found: &mut Findings) {
    let canary = spec.rollout.as_ref().and_then(|rollout| rollout.canary.as_ref());
    for (index, step) in canary.and_then(|canary| canary.steps.as_ref()).into_iter().flatten().enumerate() {
        let Some(gate) = &step.gate else { continue };
        let path = format!("spec.rollout.canary.steps[{index}].gate.webhook");
        let name = &gate.webhook;
        match given {
            Given::Found(profile) => {
                if let Err((reason, message)) = known(profile, name) {
                    found.error(path, reason, message);
                }
            }
            Given::Unknown => {
                let message =
                    format!("whether the profile has the webhook `{name}` is not looked at; name the profile with `--profile FILE`");
                found.warning(path, Reason::NotFound, message);
            }
            Given::None | Given::Missing(_) => {
                let message = format!(
                    "webhooks are a profile's, and this service has none: `spec.profileRef` must name one that has `{name}` in \
                     `spec.providers.webhooks`, or the profile `{}` must exist and have it",
                    profile::DEFAULT
                );
                found.error(path, Reason::NotFound, message);
            }
        }
    }
}

fn known(profile: &MicroserviceProfile, name: &str) -> Result<(), (Reason, String)> {
    let of = profile.metadata.name.as_deref().unwrap_or_default();
    match profile::webhooks(profile).find(|(known, _)| *known == name) {
        Some((_, Ok(_))) => Ok(()),
        Some((_, Err(wrong))) => Err((Reason::Invalid, format!("profile `{of}` must be corrected: {wrong}"))),
        None => {
            let known: Vec<String> = profile::webhooks(profile).map(|(known, _)| format!("`{known}`")).collect();
            let has = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err((
                Reason::NotFound,
                format!("it must be a webhook of profile `{of}`, which has {has}: name one of them, or have it added there"),
            ))
        }
    }
}
