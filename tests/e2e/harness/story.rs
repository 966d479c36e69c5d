//! A story: a fresh namespace, an operator, and what a user does.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kube::Client;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::audit::{self, Request};
use super::cluster::{Cluster, MADE_BY_US, RUN, Where, cluster, selected};
use super::operator::{Operator, Setup};
use super::process::say;

/// Stories run beside each other, except those that measure time: they have the machine to themselves.
static MACHINE: RwLock<()> = RwLock::const_new(());
/// The bare cluster is one story's at a time.
static BARE: Mutex<()> = Mutex::const_new(());

/// Kept for what its end releases.
#[allow(dead_code, reason = "holding it is its use")]
struct Turn {
    bare: Option<MutexGuard<'static, ()>>,
    machine: Machine,
}

#[allow(dead_code, reason = "holding it is its use")]
enum Machine {
    Beside(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
    /// The turn is another story's, of which this one is a part.
    Shared,
}

/// What a story asks for, before it waits for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Beside,
    Alone,
    /// It is a part of a story that has its turn.
    Shared,
}

impl Turn {
    /// The bare cluster first, for all in the same order: so no two stories wait for each other.
    async fn wait(place: Where, wish: Wish) -> Self {
        let bare = if place == Where::Bare && wish != Wish::Shared { Some(BARE.lock().await) } else { None };
        let machine = match wish {
            Wish::Beside => Machine::Beside(MACHINE.read().await),
            Wish::Alone => Machine::Alone(MACHINE.write().await),
            Wish::Shared => Machine::Shared,
        };
        Self { bare, machine }
    }
}

/// The patience of most steps: far above what an idle machine takes, for CI machines are not idle.
pub const SOON: Duration = Duration::from_secs(30);

pub struct Story {
    pub cluster: &'static Cluster,
    pub client: Client,
    pub namespace: String,
    title: &'static str,
    own: Vec<Operator>,
    began: Instant,
    audit_from: u64,
    _turn: Turn,
}

impl Story {
    /// A story on the shared cluster. `None` where this run leaves it out, which has been said.
    pub async fn begin(title: &'static str) -> Option<Self> {
        Self::new(Where::Shared, title, Wish::Beside, json!({})).await
    }

    /// A story on the shared cluster that measures.
    pub async fn alone(title: &'static str) -> Option<Self> {
        Self::new(Where::Shared, title, Wish::Alone, json!({})).await
    }

    /// A story on the shared cluster in a namespace with labels.
    pub async fn labelled(title: &'static str, labels: Value) -> Option<Self> {
        Self::new(Where::Shared, title, Wish::Beside, labels).await
    }

    /// A story with operators of its own, none of which runs yet.
    pub async fn apart(title: &'static str) -> Option<Self> {
        Self::new(Where::Apart, title, Wish::Beside, json!({})).await
    }

    /// A story with a cluster of its own.
    pub async fn bare(title: &'static str) -> Option<Self> {
        Self::new(Where::Bare, title, Wish::Beside, json!({})).await
    }

    /// A story with a cluster of its own that measures.
    pub async fn bare_alone(title: &'static str) -> Option<Self> {
        Self::new(Where::Bare, title, Wish::Alone, json!({})).await
    }

    /// A story with real pods, and an operator of its own.
    pub async fn real(title: &'static str) -> Option<Self> {
        let mut story = Self::new(Where::Real, title, Wish::Beside, json!({})).await?;
        let index = story.start_operator("", Setup::default());
        story.operator_number(index).wait_ready(SOON);
        Some(story)
    }

    /// A story with real pods and no operator, while no other story runs.
    pub async fn real_alone(title: &'static str) -> Option<Self> {
        Self::new(Where::Real, title, Wish::Alone, json!({})).await
    }

    /// Another namespace of the same story, in which its operator does not work.
    pub async fn abroad(&self, title: &'static str) -> Self {
        // Not a turn of its own: waiting for one while holding another is how two stories wait for each other.
        Self::new(self.cluster.place, title, Wish::Shared, json!({})).await.expect("the story's cluster runs")
    }

    async fn new(place: Where, title: &'static str, wish: Wish, mut labels: Value) -> Option<Self> {
        if !selected(place, wish) {
            return None;
        }
        let turn = Turn::wait(place, wish).await;
        let cluster = cluster(place)?;
        labels[MADE_BY_US] = json!(*RUN);
        let namespace = format!("{title}-{}", *RUN);
        let client = cluster.client().await;
        let story = Self {
            cluster,
            client,
            namespace: namespace.clone(),
            title,
            own: Vec::new(),
            began: Instant::now(),
            audit_from: cluster.audit_log.as_deref().map_or(0, audit::end),
            _turn: turn,
        };
        story.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})).await;
        if place == Where::Shared {
            cluster.operator();
        }
        Some(story)
    }

    /// Starts an operator for this story's namespace; `setup` may say otherwise.
    pub fn start_operator(&mut self, suffix: &str, mut setup: Setup) -> usize {
        if setup.namespaces.is_empty() && matches!(self.cluster.place, Where::Apart | Where::Real) {
            setup.namespaces = vec![self.namespace.clone()];
        }
        self.own.push(Operator::start(self.cluster, &format!("{}{suffix}", self.title), setup));
        self.own.len() - 1
    }

    /// The operator that works for this story: its first own one, or the shared one.
    pub fn operator(&self) -> &Operator {
        self.own.first().unwrap_or_else(|| self.cluster.operator())
    }

    pub fn operator_number(&self, index: usize) -> &Operator {
        &self.own[index]
    }

    /// Place in the audit log; `None`, said loudly, for a cluster that keeps its log to itself.
    pub fn audit(&self) -> Option<(PathBuf, u64)> {
        let Some(log) = &self.cluster.audit_log else {
            super::cluster::skip("the given cluster's audit log is out of reach, so requests are not counted");
            return None;
        };
        Some((log.clone(), audit::end(log)))
    }

    /// Requests of this story's operators in its namespace since it began.
    pub fn requests(&self) -> Vec<Request> {
        let Some(log) = &self.cluster.audit_log else { return Vec::new() };
        self.requests_since(&(log.clone(), self.audit_from))
    }

    pub fn requests_since(&self, place: &(PathBuf, u64)) -> Vec<Request> {
        let users: Vec<_> = match self.own.as_slice() {
            [] => vec![self.cluster.operator().account.user()],
            own => own.iter().map(|operator| operator.account.user()).collect(),
        };
        audit::since(&place.0, place.1).into_iter().filter(|r| users.contains(&r.user) && r.namespace == self.namespace).collect()
    }

    /// Everything in one place, for the reader of a failure.
    fn dump(&self) -> String {
        let show = |arguments: &[&str]| {
            let namespaced: Vec<_> = ["--namespace", &self.namespace].into_iter().chain(arguments.iter().copied()).collect();
            self.cluster.try_kubectl(&namespaced, "").1
        };
        let kinds =
            "deployments,replicasets,pods,services,hpa,pdb,networkpolicies,serviceaccounts,controllerrevisions,configmaps,resourcequotas";
        let operator = self.own.first().or_else(|| self.cluster.started_operator());
        format!(
            "---- {} ----\n{}\n{}\n{}\n---- operator's log ----\n{}\n---- operator's requests ----\n{}\n",
            self.namespace,
            show(&["get", "microservices", "--output=yaml"]),
            show(&["get", kinds]),
            show(&["get", "events", "--sort-by=.metadata.creationTimestamp"]),
            operator.map(Operator::log_tail).unwrap_or_default(),
            operator.map(|_| audit::tally(&self.requests())).unwrap_or_default(),
        )
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        let took = self.began.elapsed().as_secs_f64();
        let failed = std::thread::panicking();
        if failed {
            // To a file: a story that fails among thirty should not bury the others' last words.
            let path = super::cluster::folder().join(format!("{}.txt", self.title));
            let _ = std::fs::write(&path, self.dump());
            say(&format!("  FAILED   {:<28} {took:5.1} s; what was seen: {}", self.title, path.display()));
        } else {
            say(&format!("  finished {:<28} {took:5.1} s", self.title));
        }
        if !(failed && std::env::var_os("E2E_KEEP").is_some()) {
            self.cluster.try_kubectl(&["delete", "namespace", &self.namespace, "--wait=false", "--ignore-not-found"], "");
        }
    }
}
