//! One pass over one service: the recipe.

use jiff::Timestamp;

use crate::observe::{Key, World};
use crate::plan::{self, Decision};

use super::context::{Again, Context};
use super::pass;

/// gather → parse → permit → children → apply → advance → report. Returns when to look again without being told, if at all.
pub async fn reconcile(context: &Context, key: &Key) -> Option<Again> {
    let pass = context.metrics.begin();
    let mut world = match context.gather(key).await {
        Ok(Some(world)) => world,
        Ok(None) => return context.withdraw(key).await,
        Err(again) => return Some(again),
    };
    let now = Timestamp::now();
    let (applied, decision) = pass::work(&context.applier, &context.stores, key, &mut world, now).await;
    context.count(&applied);
    let decision = decision.unwrap_or_else(|panic| broken(context, &world, &panic, now));
    let (outcome, again) = context.report(key, &world, &applied, decision).await;
    tracing::debug!(written = applied.written.len(), failed = applied.failures.len(), ?outcome, "passed");
    pass.finish(outcome);
    again
}

fn broken(context: &Context, world: &World, panic: &str, now: Timestamp) -> Decision {
    context.metrics.panicked();
    tracing::error!("the plan panicked: {panic}");
    plan::broken(world, panic, now)
}
