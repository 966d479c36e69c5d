//! What one pass does between reading the world and writing status, and when status is worth a write. The same for a
//! real cluster and for one in memory.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::v1alpha1::{MicroserviceStatus, Problem};
use crate::apply::{Applier, Server};
use crate::model::Progress;
use crate::model::parse::{self, Parsed};
use crate::observe::{Key, Stores, World};
use crate::plan::change::Change;
use crate::plan::{self, Applied, Children, Decision};

use super::guard::guarded;
use super::permit::permit;

/// How long status that only counts waits after the last write of status. Pods of a new service become ready within
/// seconds of each other; the transition to `Ready` then takes the numbers along.
const DISPLAY_PAUSE: Duration = Duration::from_secs(5);

/// Between two tries to put the route of a service that is gone back: nobody is there to be told of a failure, and a missing right
/// may come late.
const WITHDRAW_PAUSE: Duration = Duration::from_secs(10);

/// What the spec asks of this pass.
#[allow(clippy::large_enum_variant, reason = "one for each pass, and never stored")]
enum Intent {
    Reject(Vec<Problem>),
    Suspend(Box<Parsed>),
    Apply(Box<Parsed>, Progress, Children),
}

/// parse → permit → children → apply → advance. The second value is the message of a panic in the plan, if it panicked.
pub async fn work<S: Server>(
    applier: &Applier<S>,
    stores: &Stores,
    key: &Key,
    world: &mut World,
    now: Timestamp,
) -> (Applied, Result<Decision, String>) {
    let intent = guarded(|| intend(stores, key, world, now));
    if !matches!(intent, Ok(Intent::Apply(..))) {
        stores.leave(key);
    }
    let world = &*world;
    match intent {
        Ok(Intent::Apply(parsed, progress, children)) => {
            let applied = applier.apply(world, &parsed.service, &children).await;
            let decision = guarded(|| plan::advance(&parsed, &progress, world, &children, &applied, now));
            (applied, decision)
        }
        Ok(Intent::Reject(problems)) => (Applied::default(), Ok(plan::reject(world, problems, now))),
        Ok(Intent::Suspend(parsed)) => (Applied::default(), Ok(plan::suspended(&parsed, world, now))),
        Err(panic) => (Applied::default(), Err(panic)),
    }
}

/// There is no such service, or it is on its way out: takes its share out of the routes of the user's that still have it. Returns
/// when to look again, if that did not do.
///
/// A finalizer would do it before the Service goes, and was rejected: with the Service go the pods, so that no order of the two
/// helps a request, and without the operator nobody could delete the Microservice, or its namespace.
pub async fn withdraw<S: Server>(applier: &Applier<S>, stores: &Stores, key: &Key) -> Option<Duration> {
    let routes = stores.routes_shared_with(key);
    let mut failed = false;
    for weights in routes.iter().filter_map(|route| plan::user_routes::moved(route, &key.name, 0)) {
        if let Err(failure) = applier.move_weight(key, &weights).await {
            tracing::warn!(route = %weights.route, "its weights cannot be put back, trying again in {WITHDRAW_PAUSE:?}: {}", failure.message);
            failed = true;
        }
    }
    failed.then_some(WITHDRAW_PAUSE)
}

fn intend(stores: &Stores, key: &Key, world: &mut World, now: Timestamp) -> Intent {
    match parse::parse_under(&world.object, &world.profile) {
        Err(problems) => Intent::Reject(problems),
        Ok(parsed) if parsed.service.suspend => Intent::Suspend(Box::new(parsed)),
        Ok(parsed) => {
            let progress = Progress::of(&parsed.service.name, world.object.status.as_ref());
            world.permit = permit(stores, key, &parsed.service, &progress, world, now);
            let children = plan::children::children(&parsed.service, &progress, world, now);
            Intent::Apply(Box::new(parsed), progress, children)
        }
    }
}

/// When status is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Never,
    After(Duration),
    Now,
}

/// Whether status is to be written, given how long ago it last was.
pub fn due(before: Option<&MicroserviceStatus>, after: &MicroserviceStatus, since: Option<Duration>) -> Due {
    match Change::between(before, after) {
        Change::None => Due::Never,
        Change::Transition => Due::Now,
        Change::Display => match since.and_then(|since| DISPLAY_PAUSE.checked_sub(since)) {
            Some(pause) if !pause.is_zero() => Due::After(pause),
            _ => Due::Now,
        },
    }
}
