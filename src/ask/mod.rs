//! Asks servers outside the cluster's API, and keeps what they said for the passes to come.
//!
//! ```text
//! report: status is stored ──questions──► asker ──► a task for each: call, keep, wait, call again
//!                                           ▲                            │ a new answer makes the service due
//! gather ◄──────────answers─────────────────┴────────────────────────────┘
//! ```
//!
//! A question is asked for as long as passes name it, one request at a time, and by the leader alone. Nothing is stored: a
//! process that starts asks again. A store of answers was rejected, because it would be one more thing that can be out of date.

mod call;
mod pace;
#[cfg(test)]
mod tests;
mod trust;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info};

use crate::model::{Answer, Question};
use crate::observe::Key;
use crate::serve::lease::Leadership;

use call::Caller;
use pace::Pace;

/// Requests under way: each is a socket and a little memory.
const UNDER_WAY: usize = 16;
/// Of them, to one host and port: one that hangs must not keep the others from being asked.
const TO_ONE_HOST: usize = 4;

/// Is told of every answer.
pub trait Meter: Send + Sync + 'static {
    fn asked(&self, answer: &Answer, took: Duration);
}

/// What asking needs of its surroundings.
pub struct Means {
    /// Folder of credentials, and of `ca.crt`.
    pub folder: PathBuf,
    pub leadership: Leadership,
    pub shutdown: CancellationToken,
    pub meter: Arc<dyn Meter>,
    /// Makes a service due.
    pub wake: Box<dyn Fn(&Key) + Send + Sync>,
}

/// Questions by service, and what is known of their answers. Clones share them.
#[derive(Clone)]
pub struct Asker(Arc<Inner>);

struct Inner {
    means: Means,
    caller: Caller,
    all: Arc<Semaphore>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
    services: Mutex<HashMap<Key, HashMap<String, Asked>>>,
}

/// A question that is being asked. Dropped, it is not asked any more.
struct Asked {
    question: Question,
    answer: Option<Answer>,
    _task: AbortOnDropHandle<()>,
}

impl Asker {
    pub fn new(means: Means) -> Self {
        let caller = Caller::new(means.folder.clone());
        let (all, hosts, services) = (Arc::new(Semaphore::new(UNDER_WAY)), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { means, caller, all, hosts, services }))
    }

    /// These are the questions of the service now: new ones begin to be asked, and others are forgotten with their answers.
    pub fn ask(&self, key: &Key, questions: Vec<Question>) {
        let mut services = lock(&self.0.services);
        if questions.is_empty() {
            services.remove(key);
            return;
        }
        let asked = services.entry(key.clone()).or_default();
        // One that differs in anything, its address for instance, is another one.
        asked.retain(|_, known| questions.contains(&known.question));
        for question in questions.into_iter().filter(|_| !self.0.means.shutdown.is_cancelled()) {
            let (inner, about) = (Arc::clone(&self.0), key.clone());
            asked.entry(question.id.clone()).or_insert_with(|| {
                let task = tokio::spawn(pursue(inner, about, question.clone()));
                Asked { question, answer: None, _task: AbortOnDropHandle::new(task) }
            });
        }
    }

    /// What is known of the answers to the questions of a service, by what each is about.
    pub fn answers(&self, key: &Key) -> BTreeMap<String, Answer> {
        let services = lock(&self.0.services);
        let asked = services.get(key).into_iter().flatten();
        asked.filter_map(|(id, asked)| Some((id.clone(), asked.answer.clone()?))).collect()
    }

    /// How many services have questions.
    #[cfg(test)]
    fn services(&self) -> usize {
        lock(&self.0.services).len()
    }
}

/// Asks until the answer is final.
async fn pursue(inner: Arc<Inner>, key: Key, question: Question) {
    let mut pace = Pace::default();
    let asking = async {
        loop {
            inner.means.leadership.won().await;
            let reply = inner.call(&question).await;
            let (last, pause) = (reply.answer.is_final(), pace.after(&reply));
            debug!(namespace = %key.namespace, name = %key.name, webhook = question.webhook.name, answer = ?reply.answer, "asked");
            inner.note(&key, &question, reply.answer);
            if last {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    };
    inner.means.shutdown.run_until_cancelled(asking).await;
}

impl Inner {
    /// One request, as soon as there is room for it.
    async fn call(&self, question: &Question) -> call::Reply {
        let host = self.host(&question.webhook.url);
        // The host's own room first: who waits for a host that hangs takes nothing from others meanwhile. A closed semaphore
        // would be a defect; the request is then made without a bound.
        let _at_host = host.acquire_owned().await.ok();
        let _among_all = Arc::clone(&self.all).acquire_owned().await.ok();
        let started = Instant::now();
        let reply = self.caller.call(question).await;
        self.means.meter.asked(&reply.answer, started.elapsed());
        reply
    }

    fn host(&self, url: &http::Uri) -> Arc<Semaphore> {
        let mut hosts = lock(&self.hosts);
        hosts.retain(|_, room| Arc::strong_count(room) > 1);
        let name = url.authority().map(|authority| authority.as_str().to_ascii_lowercase()).unwrap_or_default();
        Arc::clone(hosts.entry(name).or_insert_with(|| Arc::new(Semaphore::new(TO_ONE_HOST))))
    }

    /// Keeps an answer, if it was asked for and is news.
    fn note(&self, key: &Key, question: &Question, answer: Answer) {
        {
            let mut services = lock(&self.services);
            let asked = services.get_mut(key).and_then(|asked| asked.get_mut(&question.id));
            let Some(asked) = asked.filter(|asked| asked.question == *question && asked.answer.as_ref() != Some(&answer)) else { return };
            info!(namespace = %key.namespace, name = %key.name, webhook = question.webhook.name, ?answer, "a new answer");
            asked.answer = Some(answer);
        }
        (self.means.wake)(key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change behind these locks is a single step, so what is in a poisoned one is still sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
