//! Streams in, passes out. Only this room knows all others.

pub mod backoff;
mod context;
mod guard;
pub mod metrics;
pub mod pass;
mod permit;
mod reconcile;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span};

use crate::observe::{Lane, Scope, Stores, Turn, Watches};
use crate::serve::lease::Leadership;
use crate::serve::readiness::Readiness;

use context::Context;
use metrics::Metrics;

/// How often the missing watches are named anew while there are any.
const NAMING: Duration = Duration::from_secs(1);

/// What the work needs of its surroundings.
pub struct Options {
    pub client: Client,
    /// Empty: all.
    pub namespaces: BTreeSet<String>,
    /// Passes at the same time.
    pub concurrency: u16,
    /// Folder of the credentials for servers outside the cluster's API.
    pub credentials: PathBuf,
    pub leadership: Leadership,
    pub shutdown: CancellationToken,
    pub metrics: Metrics,
    pub readiness: Readiness,
}

/// Why the work cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Without a watch the view of the cluster would grow old unnoticed.
    #[error("{0}; the process ends, so that its restart begins with a fresh view")]
    Blind(String),
}

/// Works until the shutdown token is cancelled and the passes under way have ended. A follower keeps its view warm and
/// makes no pass.
pub async fn run(options: Options) -> Result<(), Error> {
    let scope = match options.namespaces.len() {
        0 => Scope::Cluster,
        _ => Scope::Namespaces(options.namespaces.iter().cloned().collect()),
    };
    let (stores, mut watches) = Stores::start(&options.client, &scope);
    tokio::select! {
        () = warm_up(&stores, &options.readiness) => {}
        why = watches.ended() => return Err(Error::Blind(why)),
        () = options.shutdown.cancelled() => return Ok(()),
    }
    tokio::select! {
        () = options.leadership.won() => {}
        why = watches.ended() => return Err(Error::Blind(why)),
        () = options.shutdown.cancelled() => return Ok(()),
    }
    info!("leading; every service is looked at once");
    // What happened while following was noted, but not acted upon.
    stores.touch_all();
    work(Arc::new(Context::new(&options, Arc::clone(&stores))), &options, &mut watches).await
}

/// Waits for the first list of every kind, and names those that are missing.
async fn warm_up(stores: &Stores, readiness: &Readiness) {
    let mut named: Vec<String> = Vec::new();
    loop {
        let missing = stores.missing();
        for gone in named.iter().filter(|name| missing.iter().all(|(still, _)| still != *name)) {
            readiness.found(gone);
        }
        for (name, why) in &missing {
            readiness.missing(name, why);
        }
        if missing.is_empty() {
            return;
        }
        named = missing.into_iter().map(|(name, _)| name).collect();
        // Waking at the end of the last list, not up to a second after it.
        tokio::select! {
            () = stores.ready() => {}
            () = tokio::time::sleep(NAMING) => {}
        }
    }
}

/// Hands out turns, as many at a time as there are permits.
async fn work(context: Arc<Context>, options: &Options, watches: &mut Watches) -> Result<(), Error> {
    let permits = Arc::new(Semaphore::new(options.concurrency.into()));
    let queue = Arc::clone(context.stores.queue());
    let mut passes = JoinSet::new();
    let next = async |passes: &mut JoinSet<()>| {
        // A closed semaphore would be a defect; then no permit comes, and the shutdown ends the wait.
        let permit = Arc::clone(&permits).acquire_owned().await.ok();
        while passes.try_join_next().is_some() {}
        // A leader that cannot renew its lease pauses here, and goes on if nobody took its place.
        options.leadership.won().await;
        (permit, queue.next().await)
    };
    let outcome = loop {
        tokio::select! {
            (permit, turn) = next(&mut passes) => {
                options.metrics.queued(queue.waiting());
                passes.spawn(pass(Arc::clone(&context), turn, permit));
            }
            why = watches.ended() => break Err(Error::Blind(why)),
            () = options.shutdown.cancelled() => break Ok(()),
        }
    };
    while passes.join_next().await.is_some() {}
    outcome
}

/// One pass, and when the next one is due. The turn goes back into the queue's hands when this ends, however it ends.
async fn pass(context: Arc<Context>, turn: Turn, _permit: Option<OwnedSemaphorePermit>) {
    let key = turn.key();
    if !context.leadership.leading() {
        return context.stores.queue().touch(key, Lane::Fast, Duration::ZERO);
    }
    let span = info_span!("pass", namespace = %key.namespace, name = %key.name);
    if let Some(again) = reconcile::reconcile(&context, key).instrument(span).await {
        context.stores.queue().touch(key, again.lane, again.after);
    }
}
