//! Whether the rollout of a service may begin now: by the calendar of its profile, and by the number of others.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::model::profile::Permit;
use crate::model::{Progress, Service};
use crate::observe::{Key, Stores, World};
use crate::plan::rollout::{self, scene::Beginning};

/// Asks for a place where a rollout would begin, and gives it back where none would.
pub fn permit(stores: &Stores, key: &Key, service: &Service, progress: &Progress, world: &World, now: Timestamp) -> Permit {
    let limits = service.profile.as_ref().filter(|profile| profile.limits_rollouts());
    let beginning = limits.map_or(Beginning::No, |_| rollout::beginning(service, progress, world, now));
    // Begun, though the record, or the watch's word of it, is yet to come.
    let begun = beginning == Beginning::Begun || limits.is_some() && progress.is_replacing();
    let Some(profile) = limits.filter(|_| beginning == Beginning::Wanted) else {
        if begun {
            stores.take(key);
        } else {
            stores.leave(key);
        }
        return Permit::Granted;
    };
    let held = |reason, until: Option<Timestamp>| Permit::Held { reason, until: until.map(Time) };
    if let Err(wrong) = &profile.freezes {
        stores.leave(key);
        return held(format!("profile `{}` must be corrected: {wrong}", profile.name), None);
    }
    if let Some((window, until)) = profile.frozen(now) {
        stores.leave(key);
        return held(format!("freeze window `{window}` of profile `{}`", profile.name), Some(until));
    }
    let Some(most) = profile.max_concurrent else {
        stores.take(key);
        return Permit::Granted;
    };
    match stores.ask(key, most) {
        Ok(()) => Permit::Granted,
        Err(taken) => held(format!("{taken} of {most} rollouts are under way"), None),
    }
}
