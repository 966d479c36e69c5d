//! The thin part of an election: carries out a candidate's steps against the API server and publishes the outcome.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams, WatchEvent, WatchParams};
use kube::core::Status;
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::candidate::{Candidate, Lost, Record, Step};
use super::{Leadership, Renewed, Term, Terms};
use crate::serve::client::explain;

/// Longest time for handing the lease back; the process is on its way out.
const RELEASE_PATIENCE: Duration = Duration::from_secs(3);

/// Where the lease lies.
#[derive(Clone, Debug)]
pub struct Place {
    pub namespace: String,
    pub name: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A name for this process: the pod's or the machine's, and a random part. Without the random part a container that
/// was restarted would find the lease of its former self and lead at once; that is quicker, but the same name can also
/// belong to two processes of one machine, and then both would lead.
pub fn identity() -> String {
    let host = ["POD_NAME", "HOSTNAME"].into_iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty());
    let host = host.or_else(|| Some(std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_owned()));
    let random = RandomState::new().hash_one((std::process::id(), SystemTime::now()));
    format!("{}_{random:016x}", host.as_deref().unwrap_or("unknown"))
}

/// This process's candidacy.
pub struct Election {
    api: Api<Lease>,
    place: Place,
    terms: Terms,
    candidate: Candidate,
    publish: watch::Sender<Option<Term>>,
    /// The object as last seen, so that a write keeps what others put on it.
    lease: Option<Lease>,
    /// Changes of the lease, while another holds it: a lease that is given back is taken within milliseconds instead
    /// of after the retry period. Reading at every retry period goes on, so nothing depends on it.
    changes: Changes,
    /// What was last told to the user, so that it is told once.
    told: Option<String>,
}

enum Changes {
    /// To be opened after the next reading.
    Closed,
    Open(BoxStream<'static, kube::Result<WatchEvent<Lease>>>),
    /// The server does not allow it.
    Unavailable,
}

impl Election {
    /// A candidacy and the view of its outcome. The client should be one of its own: a renewal must not queue behind
    /// other requests.
    pub fn new(client: Client, place: Place, identity: String, terms: Terms) -> (Self, Leadership) {
        let (publish, term) = watch::channel(None);
        let election = Self {
            api: Api::namespaced(client, &place.namespace),
            place,
            terms,
            candidate: Candidate::new(identity, terms),
            publish,
            lease: None,
            changes: Changes::Closed,
            told: None,
        };
        (election, Leadership { term })
    }

    /// Competes, and leads, until `stop`; then gives the lease back. An error means that somebody else leads now:
    /// whoever worked on the strength of the lease must stop at once.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Lost> {
        let outcome = tokio::select! {
            lost = self.compete() => Err(lost),
            () = stop.cancelled() => Ok(()),
        };
        self.publish.send_replace(None);
        if outcome.is_ok() && self.candidate.renewed().is_some() {
            self.candidate.resigned();
            match timeout(RELEASE_PATIENCE, self.release()).await {
                Ok(Ok(())) => info!(lease = %self.place, "gave the lease back"),
                Ok(Err(error)) => warn!(lease = %self.place, %error, "could not give the lease back: a successor waits until it expires"),
                Err(_) => warn!(lease = %self.place, "no time to give the lease back: a successor waits until it expires"),
            }
        }
        outcome
    }

    async fn compete(&mut self) -> Lost {
        loop {
            match self.candidate.next(Instant::now()) {
                Step::Read => self.read().await,
                Step::Write { version } => self.claim(version).await,
                Step::Wait(time) => self.wait(time).await,
                Step::GiveUp(lost) => return lost,
            }
        }
    }

    async fn read(&mut self) {
        let patience = self.candidate.patience(Instant::now());
        match timeout(patience, self.api.get_opt(&self.place.name)).await {
            Ok(Ok(lease)) => {
                self.saw(lease);
                self.follow_changes().await;
            }
            Ok(Err(error)) => self.failed("read", &advice(&error, &self.place)),
            Err(_) => self.failed("read", "no answer in time"),
        }
    }

    async fn claim(&mut self, version: Option<String>) {
        let patience = self.candidate.patience(Instant::now());
        let lease = claimed(self.lease.as_ref(), version, &self.place, self.candidate.me(), self.terms);
        let (sent, sent_wall) = (Instant::now(), SystemTime::now());
        match timeout(patience, put(&self.api, &lease)).await {
            Ok(Ok(lease)) => {
                let first = self.candidate.renewed().is_none();
                self.candidate.wrote(record(&lease), sent, Instant::now());
                self.lease = Some(lease);
                let renewed = Renewed { sent, sent_wall, valid_for: self.terms.renew_deadline };
                self.publish.send_replace(Some(Term { renewed: Some(renewed) }));
                if first {
                    info!(lease = %self.place, identity = self.candidate.me(), "leading");
                } else if self.told.is_some() {
                    info!(lease = %self.place, "the lease is renewed again");
                }
                self.told = None;
                self.changes = Changes::Closed;
            }
            Ok(Err(kube::Error::Api(status))) if changed(&status, &lease) => self.candidate.refused(),
            Ok(Err(error)) => self.failed("write", &advice(&error, &self.place)),
            Err(_) => self.failed("write", "no answer in time"),
        }
    }

    /// Frees the lease; again if it changed meanwhile, as by a renewal that was under way.
    async fn release(&mut self) -> kube::Result<()> {
        while let Some(mut lease) = self.lease.take().filter(|lease| holder(lease) == Some(self.candidate.me())) {
            let spec = lease.spec.get_or_insert_default();
            // As client-go does: emptied, not removed; and the shortest duration that the server admits.
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            match self.api.replace(&self.place.name, &PostParams::default(), &lease).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.is_conflict() => self.lease = self.api.get_opt(&self.place.name).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn wait(&mut self, time: Duration) {
        let pause = tokio::time::sleep(time);
        let Changes::Open(changes) = &mut self.changes else {
            return pause.await;
        };
        let change = tokio::select! {
            change = changes.next() => change,
            () = pause => return,
        };
        match change {
            Some(Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease))) => self.saw(Some(lease)),
            Some(Ok(WatchEvent::Deleted(_))) => self.saw(None),
            Some(Ok(WatchEvent::Bookmark(_))) => {}
            // It is opened again after the next reading.
            Some(Ok(WatchEvent::Error(_)) | Err(_)) | None => self.changes = Changes::Closed,
        }
    }

    /// Opens the watch from what was just read, as a follower.
    async fn follow_changes(&mut self) {
        let Some(version) = self.lease.as_ref().and_then(ResourceExt::resource_version) else {
            return;
        };
        if !matches!(self.changes, Changes::Closed) || self.candidate.other_holder().is_none() {
            return;
        }
        let options = WatchParams::default().fields(&format!("metadata.name={}", self.place.name)).disable_bookmarks();
        self.changes = match timeout(self.terms.retry, self.api.watch(&options, &version)).await {
            Ok(Ok(stream)) => Changes::Open(stream.boxed()),
            Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => {
                debug!(lease = %self.place, "may not watch the lease; reading it every {:?} instead", self.terms.retry);
                Changes::Unavailable
            }
            _ => Changes::Closed,
        };
    }

    fn saw(&mut self, lease: Option<Lease>) {
        self.candidate.saw(lease.as_ref().map(record), Instant::now());
        self.lease = lease;
        let Some(other) = self.candidate.other_holder().filter(|_| self.candidate.renewed().is_none()) else {
            return;
        };
        let told = format!("{other} leads; following with warm caches");
        if self.told.as_ref() != Some(&told) {
            info!(lease = %self.place, "{told}");
            self.told = Some(told);
        }
    }

    fn failed(&mut self, what: &str, why: &str) {
        let now = Instant::now();
        self.candidate.failed(now);
        let over = self.candidate.renewed().is_some_and(|sent| now.saturating_duration_since(sent) >= self.terms.renew_deadline);
        let outlook = if over { "; nothing is written until the lease is renewed" } else { "" };
        let told = format!("cannot {what} the lease: {why}{outlook}");
        if self.told.as_ref() != Some(&told) {
            warn!(lease = %self.place, "{told}");
            self.told = Some(told);
        }
    }
}

async fn put(api: &Api<Lease>, lease: &Lease) -> kube::Result<Lease> {
    let options = PostParams::default();
    match &lease.metadata.resource_version {
        Some(_) => api.replace(&lease.name_any(), &options, lease).await,
        None => api.create(&options, lease).await,
    }
}

/// Whether the server refused a write because the lease is not as it was seen.
fn changed(status: &Status, lease: &Lease) -> bool {
    let gone = status.is_not_found() && lease.metadata.resource_version.is_some();
    status.is_conflict() || status.is_already_exists() || gone
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

fn record(lease: &Lease) -> Record {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
    Record {
        holder: holder(lease).map(str::to_owned),
        duration: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
        version: lease.resource_version().unwrap_or_default(),
    }
}

/// The lease with our name and the current time. `version`: the one that it must have; `None`: it must be absent.
fn claimed(seen: Option<&Lease>, version: Option<String>, place: &Place, me: &str, terms: Terms) -> Lease {
    let now = MicroTime(Timestamp::now());
    let fresh = || Lease {
        metadata: ObjectMeta { name: Some(place.name.clone()), namespace: Some(place.namespace.clone()), ..ObjectMeta::default() },
        spec: None,
    };
    let mut lease = if version.is_some() { seen.cloned().unwrap_or_else(fresh) } else { fresh() };
    let renewal = holder(&lease) == Some(me);
    let before = lease.spec.take().unwrap_or_default();
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(terms.duration.as_secs()).ok(),
        acquire_time: if renewal { before.acquire_time } else { Some(now.clone()) },
        lease_transitions: Some(before.lease_transitions.unwrap_or_default() + i32::from(!renewal && version.is_some())),
        renew_time: Some(now),
        ..before
    });
    lease.metadata.resource_version = version;
    lease.metadata.managed_fields = None;
    lease
}

/// The error, and what to do about those that do not pass by themselves.
fn advice(error: &kube::Error, place: &Place) -> String {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => format!(
            "{}. Grant get, create and update on leases.coordination.k8s.io in namespace {}, or choose another one \
             with --lease-namespace",
            status.message, place.namespace
        ),
        kube::Error::Api(status) if status.is_not_found() => {
            format!("namespace {} does not exist. Create it, or choose another one with --lease-namespace", place.namespace)
        }
        error => explain(error),
    }
}
