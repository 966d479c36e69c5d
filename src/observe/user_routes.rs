//! Routes that are not the operator's: who names them, and who has a share in them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

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
    /// A route was seen, in which these services have a share. Returns those that had one or have one now, where that changed.
    pub fn seen(&self, watched: Watched, route: &Key, services: Vec<Box<str>>) -> Vec<Key> {
        let mut index = self.lock();
        let place = (watched, route.clone());
        let key = |name: &str| Key { namespace: route.namespace.clone(), name: name.into() };
        if index.shared.get(&place).map_or(&[][..], Vec::as_slice) == services {
            return Vec::new();
        }
        let mut told: BTreeSet<Key> = services.iter().map(|name| key(name)).collect();
        let before = if services.is_empty() { index.shared.remove(&place) } else { index.shared.insert(place, services) };
        told.extend(before.iter().flatten().map(|name| key(name)));
        told.into_iter().collect()
    }

    /// The service is gone.
    pub fn forget(&self, service: &Key) {
        self.lock().named.remove(service);
    }

    /// Services that have a share in the route, and those that name it, as far as they were looked at; all others have yet to be.
    pub fn users(&self, watched: Watched, route: &Key) -> BTreeSet<Key> {
        let Watched::UserRoute(kind) = watched else { return BTreeSet::new() };
        let is = |reference: &ChildRef| reference.kind == kind && *reference.name == *route.name;
        let index = self.lock();
        let named = index.named.iter().filter(|(key, references)| key.namespace == route.namespace && references.iter().any(is));
        let shared = index.shared.get(&(watched, route.clone())).into_iter().flatten();
        let shared = shared.map(|name| Key { namespace: route.namespace.clone(), name: (**name).into() });
        named.map(|(key, _)| key.clone()).chain(shared).collect()
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
        unpack(row).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Kind;
    use crate::observe::feed::Feed;
    use crate::observe::trim::Fact;

    fn route(annotations: &Value) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {
                "name": "payments-front", "namespace": "shop", "uid": "5c2f7a63-1111-4a0c-9d5e-c1b0f3a7e9d2", "resourceVersion": "7", "generation": 4,
                "labels": {"team": "payments"}, "annotations": annotations,
            },
            "spec": {
                "parentRefs": [{"name": "public", "namespace": "gateways"}], "hostnames": ["payments.example.com"],
                "rules": [{
                    "matches": [{"path": {"type": "PathPrefix", "value": "/v1/payments"}, "headers": [{"name": "x-tenant", "value": "a"}]}],
                    "filters": [{"type": "URLRewrite", "urlRewrite": {"hostname": "payments"}}],
                    "backendRefs": [{"group": "", "kind": "Service", "name": "payments", "port": 80, "weight": 1}],
                }],
            },
            "status": {"parents": [{"parentRef": {"name": "public"}, "controllerName": "example.com/gateway", "conditions": [
                {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "observedGeneration": 4, "lastTransitionTime": "2026-01-01T00:00:00Z"},
            ]}]},
        })
    }

    fn service(refs: &Value) -> Value {
        json!({"metadata": {"name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "1"},
               "spec": {"image": "orders:1", "port": 8080, "rollout": {"strategy": "Canary", "canary": {"routeRefs": refs}}}})
    }

    const HTTP: Watched = Watched::UserRoute(Kind::HTTPRoute);

    #[test]
    fn little_is_kept_of_a_route() {
        let seen: Seen<Fields> = serde_json::from_value(route(&json!({"note": "x".repeat(1000)}))).unwrap();
        let Fact::Object { body, .. } = trim::object(HTTP, seen) else { panic!() };
        let kept: Value = body.open().unwrap();
        assert!(kept.pointer("/spec/rules/0/matches").is_none() && kept.pointer("/metadata/annotations/note").is_none(), "{kept:#}");
        assert_eq!(kept.pointer("/spec/rules/0/backendRefs/0/name"), Some(&json!("payments")));
        assert_eq!(kept.pointer("/status/parents/0/conditions/0/type"), Some(&json!("Accepted")));
        assert!(body.size() < 500, "{} bytes", body.size());
    }

    #[test]
    fn a_route_is_told_to_those_that_name_it_and_those_that_share_it() {
        let mut feed = Feed::default();
        let names = |feed: &Feed| feed.touched().iter().map(|key| key.name.to_string()).collect::<Vec<_>>();
        let orders = Key::new("shop", "orders");
        feed.applied(Watched::Microservice, service(&json!([{"kind": "HTTPRoute", "name": "payments-front"}])));
        let world = feed.stores().gather(&orders).unwrap().unwrap();
        assert!(world.user_routes.is_empty());
        names(&feed);
        feed.applied(HTTP, route(&json!({"rollout.microservices.dev/web": "25"})));
        assert_eq!(names(&feed), ["orders", "web"]);
        let world = feed.stores().gather(&orders).unwrap().unwrap();
        assert_eq!(world.user_routes[0].pointer("/metadata/generation"), Some(&json!(4)));
        assert_eq!(feed.stores().routes_shared_with(&Key::new("shop", "web")).len(), 1);
        assert_eq!(feed.stores().routes_shared_with(&Key::new("bank", "web")).len(), 0);

        // With another spec it is told again.
        let mut next = route(&json!({"rollout.microservices.dev/web": "25"}));
        (next["metadata"]["resourceVersion"], next["metadata"]["generation"]) = (json!("8"), json!(5));
        feed.applied(HTTP, next);
        assert_eq!(names(&feed), ["orders", "web"]);

        // It shares no longer: told once more, and to nobody after that.
        feed.applied(Watched::Microservice, service(&json!(null)));
        feed.stores().gather(&orders).unwrap();
        names(&feed);
        let mut next = route(&json!({}));
        next["metadata"]["resourceVersion"] = json!("9");
        feed.applied(HTTP, next.clone());
        assert_eq!(names(&feed), ["web"]);
        feed.deleted(HTTP, next);
        assert!(names(&feed).is_empty());
    }
}
