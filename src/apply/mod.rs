//! From a plan to the cluster: children, status, events.
//!
//! Nothing is sent that would change nothing, nothing is overwritten that is not ours, and a child that fails stops no
//! other. Bounds on requests under way and on their time are the client's (see `serve::traffic`).

mod announce;
mod error;
mod fields;
mod prune;
mod quiet;
mod report;
mod server;
mod step;
mod stubborn;
mod weights;
mod wire;

use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use serde_json::Value;

use crate::model::{Child, ChildRef, Kind, Service};
use crate::observe::world::Live;
use crate::observe::{Expectations, World};
use crate::plan::{Applied, Cause, ChildFailure, Children};

use error::Failure;
use step::Step;
use stubborn::Stubborn;
use wire::Wire;

pub use announce::{Announcer, reference};
pub use report::Refused;
pub use server::{Named, Remote, Server};

/// Children of one service that are written at the same time. Ranks have three at most; only a long list of
/// configuration gets here, and one service should not take all of the client's connections.
const AT_ONCE: usize = 4;

/// Brings children to plan. Shared by all passes.
#[derive(Clone)]
pub struct Applier<S = Remote> {
    wire: Wire<S>,
    stubborn: Arc<Stubborn>,
}

/// What came of one child.
enum Outcome {
    /// It was as planned already.
    Kept {
        uid: String,
    },
    Written {
        uid: String,
        /// It has another spec than the one that was seen, so its status speaks of the past.
        outdated: bool,
    },
    Failed(Failure),
    /// It waits for another child that failed.
    Held,
}

impl Outcome {
    fn written(before: Option<&Live>, after: Option<Live>) -> Self {
        let generation = |live: &Live| live.object.pointer("/metadata/generation").and_then(Value::as_i64);
        let same = before.and_then(generation).zip(after.as_ref().and_then(generation)).is_some_and(|(before, after)| before == after);
        Self::Written { uid: after.map(|live| live.uid).unwrap_or_default(), outdated: !same }
    }

    /// Not now; nobody need do anything.
    fn passing(message: String) -> Self {
        Self::Failed(Failure::new(Cause::Transient, message))
    }
}

impl<S: Server> Applier<S> {
    pub fn new(server: S, expectations: Arc<Expectations>) -> Self {
        Self { wire: Wire::new(server, expectations), stubborn: Arc::default() }
    }

    /// Brings all children to plan, rank by rank, then deletes those that nothing asks for.
    pub async fn apply(&self, world: &World, service: &Service, children: &Children) -> Applied {
        let mut applied = Applied::default();
        if world.object.metadata.deletion_timestamp.is_some() {
            // The garbage collector is at work; whatever was made now would be in its way.
            return applied;
        }
        let unwanted = prune::candidates(world, children);
        let (first, last): (Vec<&Live>, Vec<&Live>) = unwanted.into_iter().partition(|live| prune::goes_first(live));
        self.prune(service, &first, &mut applied).await;

        let mut ranks: Vec<u8> = children.list.iter().map(|child| child.reference.kind.rank()).collect();
        ranks.sort_unstable();
        ranks.dedup();
        for rank in ranks {
            let of_rank = children.list.iter().filter(|child| child.reference.kind.rank() == rank);
            let before = &applied;
            // Collected first: a closure in a stream of references is not general enough for a spawned task
            // (rust-lang/rust#89976).
            let work: Vec<_> =
                of_rank.map(|child| async move { (&child.reference, self.bring(world, service, child, before).await) }).collect();
            let outcomes: Vec<_> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
            for (reference, outcome) in outcomes {
                note(&mut applied, reference, outcome);
            }
            // Nothing can be created in a namespace that goes; each further try would be one more refusal.
            if applied.failures.iter().any(|failure| failure.cause == Cause::Terminating) {
                break;
            }
        }
        self.move_weights(service, children, &mut applied).await;
        // What failed may be what replaces something that looks unwanted.
        if applied.failures.is_empty() {
            self.prune(service, &last, &mut applied).await;
        }
        applied.failures.sort_by(|a, b| (a.child.kind.rank(), &a.child).cmp(&(b.child.kind.rank(), &b.child)));
        applied
    }

    /// Brings one child to plan.
    async fn bring(&self, world: &World, service: &Service, child: &Child, before: &Applied) -> Outcome {
        let live = world.children.iter().find(|live| live.reference == child.reference);
        if must_wait(world, child, live, before) {
            return Outcome::Held;
        }
        match self.carry_out(service, child, live).await {
            Ok(outcome) => outcome,
            Err(error) if live.is_none() && error::is_conflict(&error) => self.look_closer(service, child).await,
            Err(error) => Outcome::Failed(wire::explain(service, child.reference.kind, "patch", &error)),
        }
    }

    /// The name is taken by an object that the watch does not show: one without our label, or one that is too new.
    async fn look_closer(&self, service: &Service, child: &Child) -> Outcome {
        let kind = child.reference.kind;
        match self.wire.read(service, &child.reference).await {
            // Planned without knowing of it: whether its pods may go is for a pass to say that does.
            Ok(Some(live)) if step::takes_pods(child, &live) => {
                Outcome::passing(format!("{} is there, and was not yet seen; looking again before any of its pods go", child.reference))
            }
            Ok(Some(live)) => match self.carry_out(service, child, Some(&live)).await {
                Ok(outcome) => outcome,
                Err(error) => Outcome::Failed(wire::explain(service, kind, "patch", &error)),
            },
            Ok(None) => Outcome::passing(format!("{} was deleted by somebody else at the same moment", child.reference)),
            Err(error) => Outcome::Failed(wire::explain(service, kind, "get", &error)),
        }
    }

    async fn carry_out(&self, service: &Service, child: &Child, live: Option<&Live>) -> kube::Result<Outcome> {
        let reference = &child.reference;
        match (step::step(service, child, live), live) {
            (Step::Keep { uid }, _) => Ok(Outcome::Kept { uid }),
            (Step::Wait { message }, _) => Ok(Outcome::passing(message)),
            (Step::Refuse { message }, _) => Ok(Outcome::Failed(Failure::new(Cause::OwnershipConflict, message))),
            (Step::Replace { body, why }, Some(live)) => self.replace(service, live, &body, why).await,
            (Step::Create { body } | Step::Replace { body, .. }, _) => {
                let written = self.wire.apply(service, reference, &body).await?;
                tracing::debug!(service = %wire::key(service), child = %reference, "created");
                Ok(Outcome::written(None, written))
            }
            (Step::Update { body, path }, live) => self.update(service, child, live, &body, &path).await,
        }
    }

    async fn update(&self, service: &Service, child: &Child, live: Option<&Live>, body: &Value, path: &str) -> kube::Result<Outcome> {
        let (key, reference) = (wire::key(service), &child.reference);
        if let Some(live) = live.filter(|live| self.stubborn.knows(&key, body, live)) {
            return Ok(Outcome::Kept { uid: live.uid.clone() });
        }
        if let Some((live, ports)) =
            live.filter(|_| reference.kind == Kind::Service).and_then(|live| Some((live, step::alien_ports(body, live)?)))
        {
            self.wire.set_ports(service, live, ports).await?;
        }
        let written = match (self.wire.apply(service, reference, body).await, live) {
            // The number holds only for the state that was read; the watch tells of the new one, and brings the next pass.
            (Err(error), Some(_)) if error::is_conflict(&error) && body.pointer("/metadata/resourceVersion").is_some() => {
                return Ok(Outcome::Held);
            }
            (Err(error), _) if error::is_replaced(&error) => {
                return Ok(Outcome::passing(format!("{reference} was replaced by another object at the same moment")));
            }
            (Err(error), Some(live)) if reference.kind == Kind::Service && error::is_fixed_address(&error) => {
                return self.replace(service, live, &step::creation(body), "the server does not let its address change").await;
            }
            (answer, _) => answer?,
        };
        tracing::debug!(service = %key, child = %reference, differed = path, "updated");
        if let Some(written) = &written {
            self.stubborn.check(&key, body, written);
        }
        Ok(Outcome::written(live, written))
    }

    /// Deletes and makes anew.
    async fn replace(&self, service: &Service, live: &Live, body: &Value, why: &str) -> kube::Result<Outcome> {
        let reference = &live.reference;
        tracing::info!(service = %wire::key(service), child = %reference, why, "deleting, to make it anew");
        if !self.wire.delete(service, live).await? {
            return Ok(Outcome::passing(format!("{reference} is being deleted, to be made anew because {why}")));
        }
        Ok(Outcome::written(None, self.wire.apply(service, reference, body).await?))
    }

    /// Deletes what nothing asks for.
    async fn prune(&self, service: &Service, unwanted: &[&Live], applied: &mut Applied) {
        for live in unwanted {
            match self.wire.delete(service, live).await {
                Ok(_) => {
                    let service = wire::key(service);
                    tracing::info!(%service, child = %live.reference, "deleted: nothing asks for it any more");
                    applied.pruned.push(live.reference.clone());
                }
                Err(error) => {
                    let failure = wire::explain(service, live.reference.kind, "delete", &error);
                    note(applied, &live.reference, Outcome::Failed(failure));
                }
            }
        }
    }
}

/// Whether a child must wait for others that failed before it.
fn must_wait(world: &World, child: &Child, live: Option<&Live>, before: &Applied) -> bool {
    let failed = |kinds: &[Kind]| before.failures.iter().any(|failure| kinds.contains(&failure.child.kind));
    match child.reference.kind {
        // No pod starts before who it is, what it may reach, and what it reads are there, and its revision is on record.
        Kind::Deployment => {
            failed(&[Kind::ServiceAccount, Kind::NetworkPolicy, Kind::ConfigMap, Kind::ControllerRevision])
                && step::starts_pods(child, live)
        }
        // It names its target, and must not scale a Deployment that is somebody else's.
        Kind::HorizontalPodAutoscaler => failed(&[Kind::Deployment]) && world.deployments.is_empty(),
        _ => false,
    }
}

fn note(applied: &mut Applied, reference: &ChildRef, outcome: Outcome) {
    match outcome {
        Outcome::Held => {}
        Outcome::Kept { uid } => drop(applied.existing.insert(reference.clone(), uid)),
        Outcome::Written { uid, outdated } => {
            applied.existing.insert(reference.clone(), uid);
            applied.written.insert(reference.clone());
            if outdated {
                applied.outdated.insert(reference.clone());
            }
        }
        Outcome::Failed(Failure { cause, message }) => {
            tracing::debug!(child = %reference, ?cause, message, "not as planned");
            applied.failures.push(ChildFailure { child: reference.clone(), cause, message });
        }
    }
}
