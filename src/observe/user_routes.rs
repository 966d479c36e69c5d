//! Routes that are not the operator's: who names them, and who has a share in them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::api::v1alpha1::Microservice;
use crate::model::ChildRef;

use super::gather::unpack;
use super::key::{Key, Watched};
use super::seen::{Fields, Seen};
use super::stores::Stores;
use super::version::Version;
use super::{Expectations, trim};

/// Who is to be told of a change of a route. Routes that nobody names are in neither map.
#[derive(Debug, Default)]
pub struct UserRoutes(Mutex<Index>);

#[derive(Debug, Default)]
struct Index {
    /// Services with the routes that they name.
    named: HashMap<Key, Vec<ChildRef>>,
    /// Routes with the services that have a share in them.
    shared: HashMap<(Watched, Key), Vec<Box<str>>>,
}

impl UserRoutes {
    /// A route was seen, in which these services have a share. Returns those that had one or have one now.
    pub fn seen(&self, watched: Watched, route: &Key, services: Vec<Box<str>>) -> Vec<Key> {
        let mut index = self.lock();
        let place = (watched, route.clone());
        let key = |name: &Box<str>| Key { namespace: route.namespace.clone(), name: (**name).into() };
        let mut told: BTreeSet<Key> = services.iter().map(key).collect();
        let before = if services.is_empty() { index.shared.remove(&place) } else { index.shared.insert(place, services) };
        told.extend(before.iter().flatten().map(key));
        told.into_iter().collect()
    }

    /// The service is gone.
    pub fn forget(&self, service: &Key) {
        self.lock().named.remove(service);
    }

    /// Services that name the route, as far as they were looked at; all others have yet to be.
    pub fn users(&self, watched: Watched, route: &Key) -> Vec<Key> {
        let Watched::UserRoute(kind) = watched else { return Vec::new() };
        let is = |reference: &ChildRef| reference.kind == kind && *reference.name == *route.name;
        let index = self.lock();
        let named = index.named.iter().filter(|(key, references)| key.namespace == route.namespace && references.iter().any(is));
        named.map(|(key, _)| key.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // Every change to it is a single step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expectations {
    /// Remembers a route of the user's as the answer to a write shows it.
    pub fn saw_route(&self, namespace: &str, route: &ChildRef, seen: Seen<Fields>) {
        let (key, watched) = (Key::new(namespace, route.name.as_str()), Watched::UserRoute(route.kind));
        let version = Version::of(&seen.metadata);
        self.wrote(&key, watched, &route.name, version, trim::object(watched, seen));
    }
}

impl Stores {
    /// The routes that a service names, and those in which it has a share. Whom it names is noted before they are looked up, so
    /// that a change of them after that makes the service due.
    pub(super) fn user_routes_of(&self, key: &Key, object: &Microservice) -> Vec<Value> {
        let canary = object.spec.rollout.as_ref().and_then(|rollout| rollout.canary.as_ref());
        let named = canary.and_then(|canary| canary.route_refs.as_deref()).unwrap_or_default();
        let named: Vec<ChildRef> = named.iter().map(ChildRef::from).collect();
        let mut all: BTreeSet<ChildRef> = named.iter().cloned().collect();
        {
            let mut index = self.user_routes.lock();
            if named.is_empty() {
                index.named.remove(key);
            } else {
                index.named.insert(key.clone(), named);
            }
        }
        all.extend(self.shared_routes(key));
        all.iter().filter_map(|route| self.user_route(&key.namespace, route)).collect()
    }

    /// The routes in which a service has a share, whether or not there still is such a service.
    pub fn routes_shared_with(&self, key: &Key) -> Vec<Value> {
        self.shared_routes(key).iter().filter_map(|route| self.user_route(&key.namespace, route)).collect()
    }

    fn shared_routes(&self, key: &Key) -> Vec<ChildRef> {
        let index = self.user_routes.lock();
        let has = |services: &[Box<str>]| services.iter().any(|service| **service == *key.name);
        let shared = index.shared.iter().filter(|((_, route), services)| route.namespace == key.namespace && has(services));
        let reference = |(watched, route): &(Watched, Key)| match watched {
            Watched::UserRoute(kind) => Some(ChildRef { kind: *kind, name: route.name.to_string() }),
            _ => None,
        };
        shared.filter_map(|(place, _)| reference(place)).collect()
    }

    fn user_route(&self, namespace: &str, route: &ChildRef) -> Option<Value> {
        let (key, watched) = (Key::new(namespace, route.name.as_str()), Watched::UserRoute(route.kind));
        let rows = {
            // Of whatever else has this name, too: the answers to writes are laid over all of it.
            let tables = self.tables();
            let mut rows = tables.rows(&key).to_vec();
            self.expectations.overlay(&key, &mut rows);
            rows
        };
        let row = rows.iter().find(|row| row.is(&key, watched, &route.name))?;
        let mut object: Value = unpack(row).ok()?;
        object["metadata"]["resourceVersion"] = json!(row.version.to_string());
        Some(object)
    }
}
