//! Watches fill the tables, and make services due.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::api::labels;
use crate::model::Kind;

use super::expectations::Expectations;
use super::key::{Key, Watched};
use super::queue::{Lane, Queue};
use super::rollouts::{self, Rollouts};
use super::seen::{Body, Fields, PodFields, Seen, SliceFields};
use super::tables::{Change, Row, Tables};
use super::trim::{self, Fact};
use super::user_routes::UserRoutes;
use super::version::Version;
use super::watch::{Errors, Watch};

/// Objects in a page of a list. A page is in memory as text and as objects before it is packed, one for each kind at the
/// same time; client-go's 500 would be the operator's peak.
const PAGE: u32 = 100;
/// How long a change in a child waits for more. One apply makes eight events, and a rollout a few for each pod, within
/// milliseconds; an edit of the Microservice itself waits for nothing.
const BURST: Duration = Duration::from_millis(20);

/// What the operator may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Cluster,
    /// With nothing but Roles in these namespaces.
    Namespaces(Vec<String>),
}

/// Everything that is watched. Shared by all passes.
#[derive(Debug)]
pub struct Stores {
    pub(super) tables: RwLock<Tables>,
    pub(super) expectations: Arc<Expectations>,
    queue: Arc<Queue>,
    pub(super) watches: Vec<Arc<Watch>>,
    errors: Errors,
    /// Services with the profile that each names, if it names one.
    pub(super) named: Mutex<HashMap<Key, Box<str>>>,
    pub(super) rollouts: Rollouts,
    pub(super) user_routes: UserRoutes,
}

/// The running watches. Dropping this stops them.
#[derive(Debug)]
pub struct Watches(JoinSet<()>);

impl Watches {
    /// Returns only if a watch has ended, which none does of itself: the tables would grow old unnoticed, so the process
    /// should end. Says why.
    pub async fn ended(&mut self) -> String {
        match self.0.join_next().await {
            Some(Err(error)) => format!("a watch failed: {error}"),
            Some(Ok(())) => "a watch ended".to_owned(),
            None => "nothing is watched".to_owned(),
        }
    }
}

impl Stores {
    /// Starts all watches. What they see makes services due in [`queue`](Self::queue) from the first list on; wait for
    /// [`ready`](Self::ready) before taking any from it.
    pub fn start(client: &Client, scope: &Scope) -> (Arc<Self>, Watches) {
        let namespaces: Vec<Option<String>> = match scope {
            Scope::Cluster => vec![None],
            Scope::Namespaces(names) => names.iter().cloned().map(Some).collect(),
        };
        // Roles in namespaces do not reach what is the cluster's.
        let seen = Watched::ALL.into_iter().filter(|watched| *watched != Watched::Profile || *scope == Scope::Cluster);
        let pairs = seen.flat_map(|watched| namespaces.iter().map(move |namespace| (watched, namespace.clone())));
        let watches: Vec<Arc<Watch>> = pairs.map(|(watched, namespace)| Arc::new(Watch::new(watched, namespace))).collect();
        let stores = Arc::new(Self::of(watches));
        let mut tasks = JoinSet::new();
        for watch in &stores.watches {
            let (stores, watch, client) = (Arc::clone(&stores), Arc::clone(watch), client.clone());
            match watch.watched {
                Watched::Pod => tasks.spawn(follow::<PodFields>(stores, watch, client)),
                Watched::EndpointSlice => tasks.spawn(follow::<SliceFields>(stores, watch, client)),
                Watched::Microservice | Watched::Profile | Watched::Child(_) | Watched::UserRoute(_) => {
                    tasks.spawn(follow::<Fields>(stores, watch, client))
                }
            };
        }
        (stores, Watches(tasks))
    }

    pub(super) fn of(watches: Vec<Arc<Watch>>) -> Self {
        Self {
            tables: RwLock::default(),
            expectations: Arc::default(),
            queue: Arc::default(),
            watches,
            errors: Errors::default(),
            named: Mutex::default(),
            rollouts: Rollouts::default(),
            user_routes: UserRoutes::default(),
        }
    }

    /// Services that are due.
    pub fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Where the answers to writes are kept until the watches have told of them.
    pub fn expectations(&self) -> &Arc<Expectations> {
        &self.expectations
    }

    /// Waits for the first list of every kind: before it, the world looks empty.
    pub async fn ready(&self) {
        for watch in &self.watches {
            watch.ready().await;
        }
    }

    /// Kinds whose first list has yet to come, each with the reason and what to do about it.
    pub fn missing(&self) -> Vec<(String, String)> {
        self.watches.iter().filter_map(|watch| watch.missing()).collect()
    }

    /// Optional kinds that the cluster does not serve in a namespace.
    pub(super) fn unserved(&self, namespace: &str) -> BTreeSet<Kind> {
        let here = |watch: &&Arc<Watch>| watch.namespace.as_deref().is_none_or(|only| only == namespace);
        let kinds = self.watches.iter().filter(here).filter(|watch| watch.is_unserved()).filter_map(|watch| match watch.watched {
            Watched::Child(kind) => Some(kind),
            _ => None,
        });
        kinds.collect()
    }

    /// Errors of watches.
    pub fn errors(&self) -> &Errors {
        &self.errors
    }

    /// Objects of a kind that are held.
    pub fn size(&self, watched: Watched) -> usize {
        self.tables().size(watched)
    }

    /// Makes every service due, e.g. after winning the lease.
    pub fn touch_all(&self) {
        let all: Vec<Key> = self.tables().services().cloned().collect();
        for key in &all {
            self.queue.touch(key, Lane::Slow, Duration::ZERO);
        }
    }

    /// Reads a Microservice past the watch: for the first pass after winning the lease and after a conflict, when an old
    /// view could undo what another leader did.
    pub async fn refresh(&self, client: &Client, key: &Key) -> kube::Result<()> {
        let api: Api<Seen<Fields>> = Api::namespaced_with(client.clone(), &key.namespace, &Watched::Microservice.resource());
        if let Some(seen) = api.get_opt(&key.name).await? {
            self.expectations.saw(key, seen);
            return Ok(());
        }
        let held = self.tables().rows(key).iter().find(|row| row.watched == Watched::Microservice).map(|row| row.version.clone());
        if let Some(version) = held {
            self.expectations.removed(key, Watched::Microservice, &key.name, version);
        }
        Ok(())
    }

    pub(super) fn tables(&self) -> RwLockReadGuard<'_, Tables> {
        // A panic between two steps of a change to the tables is ruled out by their having no step that can fail.
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object was seen by a list or told of by a watch.
    fn put(&self, watched: Watched, seen: Sighting, epoch: u32, lane: Lane) {
        let Sighting { key, family, version, fact, rolling, shared_for } = seen;
        let row = Row::new(&family, watched, &key.name, version.clone(), fact);
        let change = {
            let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
            let change = tables.put(&family, &key, epoch, row);
            // Under the same lock: a pass must not read the table from before and the expectations from after.
            self.expectations.arrived(&family, watched, &key.name, &version);
            change
        };
        if watched == Watched::Microservice {
            self.call(self.rollouts.seen(&key, rolling));
        }
        if let Watched::UserRoute(_) = watched {
            self.call(self.user_routes.seen(watched, &key, shared_for));
        }
        let wait = if watched == Watched::Microservice || lane == Lane::Slow { Duration::ZERO } else { BURST };
        match change {
            Change::Nothing => {}
            Change::Content => self.touch(watched, &family, lane, wait),
            Change::Moved { from } => {
                self.touch(watched, &from, lane, wait);
                self.touch(watched, &family, lane, wait);
            }
        }
    }

    fn remove(&self, watched: Watched, seen: &Sighting) {
        let home = {
            let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
            let home = tables.remove(watched, &seen.key);
            self.expectations.arrived(&seen.family, watched, &seen.key.name, &seen.version);
            home
        };
        if watched == Watched::Microservice {
            self.named().remove(&seen.key);
            self.call(self.rollouts.gone(&seen.key));
            self.user_routes.forget(&seen.key);
        }
        if let Watched::UserRoute(_) = watched {
            self.call(self.user_routes.seen(watched, &seen.key, Vec::new()));
        }
        for family in home.iter().chain([&seen.family]) {
            self.touch(watched, family, Lane::Fast, Duration::ZERO);
        }
    }

    fn finish(&self, watch: &Watch, list: &List) {
        let namespace = watch.namespace.as_deref();
        let (gone, forgotten) = {
            let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
            let gone = tables.finish(watch.watched, namespace, list.epoch);
            (gone, self.expectations.listed(watch.watched, namespace, list.since))
        };
        for (key, _) in gone.iter().filter(|_| watch.watched == Watched::Microservice) {
            self.named().remove(key);
            self.call(self.rollouts.gone(key));
            self.user_routes.forget(key);
        }
        if let Watched::UserRoute(_) = watch.watched {
            for (key, _) in &gone {
                self.call(self.user_routes.seen(watch.watched, key, Vec::new()));
            }
        }
        for family in gone.iter().map(|(_, family)| family).chain(&forgotten) {
            self.touch(watch.watched, family, Lane::Fast, Duration::ZERO);
        }
    }

    pub(super) fn begin(&self) -> List {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        List { epoch: tables.begin(), since: Instant::now() }
    }
}

/// A list in progress, or the last one.
#[derive(Debug)]
pub(super) struct List {
    epoch: u32,
    since: Instant,
}

/// What is kept of an object that was seen.
pub(super) struct Sighting {
    key: Key,
    family: Key,
    version: Version,
    fact: Fact,
    /// A rollout is under way, of a Microservice.
    rolling: bool,
    /// Services whose share a route of the user's has.
    shared_for: Vec<Box<str>>,
}

/// How an object becomes what is kept of it.
pub(super) trait Sight: Body + Clone + std::fmt::Debug + Send + 'static {
    fn sight(watched: Watched, seen: Seen<Self>) -> Sighting;
}

impl Sight for Fields {
    fn sight(watched: Watched, seen: Seen<Self>) -> Sighting {
        let key = Key::of(&seen.metadata);
        let own = matches!(watched, Watched::Microservice | Watched::Profile | Watched::UserRoute(_));
        let family = if own { key.clone() } else { trim::family(&seen.metadata) };
        let rolling = watched == Watched::Microservice && rollouts::is_under_way(&seen.body);
        let shared_for = if let Watched::UserRoute(_) = watched { trim::shared_for(&seen.metadata) } else { Vec::new() };
        Sighting { rolling, shared_for, family, version: Version::of(&seen.metadata), key, fact: trim::object(watched, seen) }
    }
}

impl Sight for PodFields {
    fn sight(_: Watched, seen: Seen<Self>) -> Sighting {
        Sighting {
            key: Key::of(&seen.metadata),
            family: trim::family(&seen.metadata),
            version: Version::of(&seen.metadata),
            fact: trim::pod(&seen),
            rolling: false,
            shared_for: Vec::new(),
        }
    }
}

impl Sight for SliceFields {
    fn sight(_: Watched, seen: Seen<Self>) -> Sighting {
        Sighting {
            key: Key::of(&seen.metadata),
            family: trim::family(&seen.metadata),
            version: Version::of(&seen.metadata),
            fact: trim::endpoints(&seen),
            rolling: false,
            shared_for: Vec::new(),
        }
    }
}

/// Follows one watch for ever.
async fn follow<B: Sight>(stores: Arc<Stores>, watch: Arc<Watch>, client: Client)
where
    Seen<B>: Resource<DynamicType = kube::core::ApiResource, Scope = kube::core::DynamicResourceScope> + DeserializeOwned,
{
    let resource = watch.watched.resource();
    let api: Api<Seen<B>> = match &watch.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let config = watcher::Config::default().page_size(PAGE);
    let config = match watch.watched {
        Watched::Microservice | Watched::Profile => config,
        Watched::UserRoute(_) => config.labels(&format!("{}!={}", labels::MANAGED_BY, labels::OPERATOR)),
        Watched::Child(_) | Watched::Pod => config.labels(&format!("{}={}", labels::MANAGED_BY, labels::OPERATOR)),
        // Its controller copies the labels of the Service.
        Watched::EndpointSlice => config.labels(&format!("{}={},{}", labels::MANAGED_BY, labels::OPERATOR, labels::ROUTED)),
    };
    // Without the back-off a watch that fails is tried again at once, for ever.
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    let mut list = stores.begin();
    while let Some(event) = events.next().await {
        absorb(&stores, &watch, &mut list, event);
    }
}

/// Takes in one event.
pub(super) fn absorb<B: Sight>(stores: &Stores, watch: &Watch, list: &mut List, event: watcher::Result<watcher::Event<Seen<B>>>) {
    let watched = watch.watched;
    match event {
        Ok(watcher::Event::Init) => *list = stores.begin(),
        Ok(watcher::Event::InitApply(seen)) => stores.put(watched, B::sight(watched, seen), list.epoch, Lane::Slow),
        Ok(watcher::Event::InitDone) => {
            stores.finish(watch, list);
            if watch.works(true) {
                stores.touch_all();
            }
        }
        Ok(watcher::Event::Apply(seen)) => {
            stores.put(watched, B::sight(watched, seen), list.epoch, Lane::Fast);
            watch.works(false);
        }
        Ok(watcher::Event::Delete(seen)) => {
            stores.remove(watched, &B::sight(watched, seen));
            watch.works(false);
        }
        Err(error) => {
            // What the platform team has set holds until a list says otherwise.
            if watch.fails(&error, &stores.errors) && watched != Watched::Profile {
                // What the cluster does not serve it does not hold either.
                *list = stores.begin();
                stores.finish(watch, list);
                stores.touch_all();
            }
        }
    }
}

#[cfg(test)]
#[path = "stores_tests.rs"]
mod tests;
