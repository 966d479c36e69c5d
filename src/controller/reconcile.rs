//! One pass over one service: the recipe.

use jiff::Timestamp;

use crate::api::v1alpha1::Problem;
use crate::model::Progress;
use crate::model::parse::{self, Parsed};
use crate::observe::{Key, World};
use crate::plan::{self, Applied, Children, Decision};

use super::context::{Again, Context};
use super::guard::guarded;

/// What the spec asks of this pass.
#[allow(clippy::large_enum_variant, reason = "one for each pass, and never stored")]
enum Intent {
    Reject(Vec<Problem>),
    Suspend(Box<Parsed>),
    Apply(Box<Parsed>, Progress, Children),
}

/// gather → parse → children → apply → advance → report. Returns when to look again without being told, if at all.
pub async fn reconcile(context: &Context, key: &Key) -> Option<Again> {
    let pass = context.metrics.begin();
    let world = match context.gather(key).await {
        Ok(Some(world)) => world,
        Ok(None) => return None,
        Err(again) => return Some(again),
    };
    let now = Timestamp::now();
    let (applied, decision) = match guarded(|| intend(&world, now)) {
        Ok(Intent::Apply(parsed, progress, children)) => {
            let applied = context.applier.apply(&world, &parsed.service, &children).await;
            context.count(&applied);
            let decision = guarded(|| plan::advance(&parsed, &progress, &world, &children, &applied, now));
            (applied, decision.unwrap_or_else(|panic| broken(context, &world, &panic, now)))
        }
        Ok(Intent::Reject(problems)) => (Applied::default(), plan::reject(&world, problems, now)),
        Ok(Intent::Suspend(parsed)) => (Applied::default(), plan::suspended(&parsed, &world, now)),
        Err(panic) => (Applied::default(), broken(context, &world, &panic, now)),
    };
    let (outcome, again) = context.report(key, &world, &applied, decision).await;
    tracing::debug!(written = applied.written.len(), failed = applied.failures.len(), ?outcome, "passed");
    pass.finish(outcome);
    again
}

fn intend(world: &World, now: Timestamp) -> Intent {
    match parse::parse(&world.object) {
        Err(problems) => Intent::Reject(problems),
        Ok(parsed) if parsed.service.suspend => Intent::Suspend(Box::new(parsed)),
        Ok(parsed) => {
            let progress = Progress::of(&parsed.service.name, world.object.status.as_ref());
            let children = plan::children::children(&parsed.service, &progress, world, now);
            Intent::Apply(Box::new(parsed), progress, children)
        }
    }
}

fn broken(context: &Context, world: &World, panic: &str, now: Timestamp) -> Decision {
    context.metrics.panicked();
    tracing::error!("the plan panicked: {panic}");
    plan::broken(world, panic, now)
}
