//! What the platform team sets.

use super::{Of, Rule};

pub const RULES: &[Rule] = &[
    Rule::new(
        &["spec.locks"],
        "!self.exists(lock, lock in ['spec.image', 'spec.profileRef'])",
        "`spec.image` and `spec.profileRef` must not be locked: each service has its own",
    )
    .of(Of::Profile),
    Rule::new(&["spec.rollout.canary"], "!has(self.routeRefs)", "`routeRefs` must be left out of a profile: routes are each service's own")
        .field(".routeRefs")
        .forbidden()
        .of(Of::Profile),
    Rule::new(
        &["freezeWindows[].start"],
        "self.matches('^[0-9*,/-]+ [0-9*,/-]+ [0-9*?,/-]+ [0-9A-Za-z*,/-]+ [0-9A-Za-z*?,/-]+$')",
        "must be five fields as cron has them (minute, hour, day of month, month, day of week), e.g. `0 14 * * 5`",
    )
    .of(Of::Profile),
];
