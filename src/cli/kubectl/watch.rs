//! Looking on: a stream that says when to look again, and a screen that is drawn over, or, where that cannot be, lines.

use std::time::Duration;

use futures::stream::{BoxStream, select_all};
use futures::{FutureExt, Stream, StreamExt};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, watch_object, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;

use crate::api::labels;
use crate::api::v1alpha1::Microservice;

use super::failure::{Failure, Result, answered, is_lasting};
use super::screen::{Line, Screen, Word};
use super::session::{Paper, Session, put};

/// Changes come in bursts; nobody reads more than a few screens a second.
const BURST: Duration = Duration::from_millis(200);
/// How often a screen on a terminal is drawn again although nothing changed: it shows ages.
pub const TICK: Duration = Duration::from_secs(5);

/// What to do with an error of a watch: end when the server refuses, go on when the network fails.
fn sift<T>(what: &str, item: std::result::Result<T, watcher::Error>) -> Option<Result<T>> {
    match item {
        Ok(item) => Some(Ok(item)),
        Err(error) => is_lasting(&error).map(|status| Err(Failure::Refused(answered(&format!("watch {what}"), status)))),
    }
}

/// A Microservice, now and after each change; `None` while there is none.
pub fn follow(session: &Session, name: &str) -> impl Stream<Item = Result<Option<Microservice>>> + Send + use<> {
    let what = format!("Microservice {}/{name}", session.namespace);
    let states = watch_object(session.services(), name).default_backoff();
    states.filter_map(move |state| futures::future::ready(sift(&what, state))).boxed()
}

/// The next state.
pub async fn next(states: &mut (impl Stream<Item = Result<Option<Microservice>>> + Unpin)) -> Result<Option<Microservice>> {
    states.next().await.unwrap_or_else(|| Err(Failure::Refused("the watch has ended".to_owned())))
}

fn signals<K>(what: &'static str, api: Api<K>, config: Config) -> BoxStream<'static, Result<()>>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let events = watcher(api, config).default_backoff();
    events.filter_map(move |event| futures::future::ready(sift(what, event.map(|_| ())))).boxed()
}

/// Without what may not be watched: the rest is still worth looking at.
fn if_allowed(signals: BoxStream<'static, Result<()>>) -> BoxStream<'static, Result<()>> {
    signals.take_while(|signal| futures::future::ready(signal.is_ok())).boxed()
}

/// Says when something of a service changed: the Microservice, a pod, or a Deployment.
pub struct Changes(futures::stream::SelectAll<BoxStream<'static, Result<()>>>);

impl Changes {
    pub fn of(session: &Session, name: &str) -> Self {
        let (client, namespace) = (&session.client, session.namespace.as_str());
        let own = Config::default().labels(&format!("{}={name}", labels::INSTANCE));
        let itself = Config::default().fields(&format!("metadata.name={name}"));
        Self(select_all([
            signals("Microservices", session.services(), itself),
            if_allowed(signals("pods", Api::<Pod>::namespaced(client.clone(), namespace), own.clone())),
            if_allowed(signals("Deployments", Api::<Deployment>::namespaced(client.clone(), namespace), own)),
        ]))
    }

    /// Until something changed, or, on a terminal, ages did.
    pub async fn wait(&mut self, paper: Paper) -> Result<()> {
        let first = if paper.terminal { timeout(TICK, self.0.next()).await.unwrap_or(Some(Ok(()))) } else { self.0.next().await };
        first.transpose()?;
        sleep(BURST).await;
        while let Some(Some(more)) = self.0.next().now_or_never() {
            more?;
        }
        Ok(())
    }
}

/// A screen on a terminal that is drawn over.
pub struct Canvas {
    paper: Paper,
    rows: usize,
}

impl Canvas {
    pub const fn new(paper: Paper) -> Self {
        Self { paper, rows: 0 }
    }

    pub fn draw(&mut self, screen: &Screen) -> Result<()> {
        self.paper.replace(self.rows, screen)?;
        self.rows = screen.0.len();
        Ok(())
    }
}

/// Lines that are printed when they differ from the last one.
pub struct Log {
    paper: Paper,
    last: Option<Line>,
}

impl Log {
    pub const fn new(paper: Paper) -> Self {
        Self { paper, last: None }
    }

    pub fn tell(&mut self, words: Vec<Word>) -> Result<()> {
        let line = Line(words);
        if self.last.as_ref() == Some(&line) {
            return Ok(());
        }
        put(&(line.text(self.paper.colour) + "\n"))?;
        self.last = Some(line);
        Ok(())
    }
}
