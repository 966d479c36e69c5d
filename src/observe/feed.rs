//! Tables whose watches are fed by hand: for a cluster in memory. Everything behind the watch is the real thing.

use std::sync::Arc;

use kube::runtime::watcher::Event;
use serde_json::Value;

use super::key::{Key, Watched};
use super::seen::{Fields, PodFields, Seen, SliceFields};
use super::stores::{List, Sight, Stores, absorb};
use super::watch::Watch;

/// One watch for each kind, and the tables that they fill.
#[derive(Debug)]
pub struct Feed {
    stores: Arc<Stores>,
    watches: Vec<(Watch, List)>,
}

impl Default for Feed {
    fn default() -> Self {
        let stores = Arc::new(Stores::of(Vec::new()));
        let watches = Watched::ALL.into_iter().map(|watched| (Watch::new(watched, None), stores.begin())).collect();
        Self { stores, watches }
    }
}

impl Feed {
    pub fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    /// The watch tells of an object that was made or changed.
    pub fn applied(&mut self, watched: Watched, object: Value) {
        match watched {
            Watched::Pod => self.tell::<PodFields>(watched, object, Event::Apply),
            Watched::EndpointSlice => self.tell::<SliceFields>(watched, object, Event::Apply),
            Watched::Microservice | Watched::Profile | Watched::Child(_) | Watched::UserRoute(_) => {
                self.tell::<Fields>(watched, object, Event::Apply);
            }
        }
    }

    /// The watch tells of an object that is gone, as it last was.
    pub fn deleted(&mut self, watched: Watched, object: Value) {
        match watched {
            Watched::Pod => self.tell::<PodFields>(watched, object, Event::Delete),
            Watched::EndpointSlice => self.tell::<SliceFields>(watched, object, Event::Delete),
            Watched::Microservice | Watched::Profile | Watched::Child(_) | Watched::UserRoute(_) => {
                self.tell::<Fields>(watched, object, Event::Delete);
            }
        }
    }

    /// The watch begins anew, with a list of all that there is.
    pub fn listed(&mut self, watched: Watched, objects: impl IntoIterator<Item = Value>) {
        match watched {
            Watched::Pod => self.list::<PodFields>(watched, objects),
            Watched::EndpointSlice => self.list::<SliceFields>(watched, objects),
            Watched::Microservice | Watched::Profile | Watched::Child(_) | Watched::UserRoute(_) => self.list::<Fields>(watched, objects),
        }
    }

    /// Services of which something was told since they were last asked for.
    pub fn touched(&self) -> Vec<Key> {
        self.stores.queue().drain()
    }

    fn list<B: Sight>(&mut self, watched: Watched, objects: impl IntoIterator<Item = Value>) {
        self.send::<B>(watched, Event::Init);
        for object in objects {
            self.tell::<B>(watched, object, Event::InitApply);
        }
        self.send::<B>(watched, Event::InitDone);
    }

    fn tell<B: Sight>(&mut self, watched: Watched, object: Value, event: impl Fn(Seen<B>) -> Event<Seen<B>>) {
        // What is no object at all never gets out of a server.
        if let Ok(seen) = serde_json::from_value(object) {
            self.send(watched, event(seen));
        }
    }

    fn send<B: Sight>(&mut self, watched: Watched, event: Event<Seen<B>>) {
        if let Some((watch, list)) = self.watches.get_mut(watched.ordinal()) {
            absorb(&self.stores, watch, list, Ok(event));
        }
    }
}
