//! Weights in routes that are the user's.
//!
//! The Service of the microservice, which the user's route names, is the stable side and stays where it is. For the time in
//! which a candidate has a share, the candidate's side stands right behind it as a backend of its own:
//!
//! ```text
//! at rest       orders: 1                              other: 3
//! 25 per cent   orders: 75    orders-canary: 25        other: 300
//! ```
//!
//! All weights of such a rule are a hundred times the user's, so that every share is exact, and the way back needs no record:
//! one is added to the other, and all are divided. Whoever writes the user's own form over it sends all requests to the stable
//! side, which has all its pods until the end. (Two other Services instead of the user's own were rejected: without the operator
//! they would be the end of the route. A record of the weights in an annotation was too: a record can be older than the route.)

use serde_json::{Value, json};

use crate::api::labels;
use crate::model::{ChildRef, Kind, Progress, Service};
use crate::observe::World;

use super::children::canary_name;
use super::gateway::in_force;
use super::{Applied, Weights};

/// Parts into which a weight is divided: one for each per cent.
const PARTS: i64 = 100;
/// Largest weight that can be divided, since the Gateway API allows 1,000,000.
const HEAVIEST: i64 = 1_000_000 / PARTS;

/// A service in the eyes of a route of its namespace.
struct Side<'a> {
    name: &'a str,
    canary: String,
    namespace: Option<&'a Value>,
}

impl<'a> Side<'a> {
    fn of(route: &'a Value, name: &'a str) -> Self {
        Self { name, canary: canary_name(name), namespace: route.pointer("/metadata/namespace") }
    }

    fn is(&self, backend: &Value, name: &str) -> bool {
        let usual = |field: &str, usual: &str| backend.get(field).is_none_or(|value| value == usual);
        let here = backend.get("namespace").is_none_or(|namespace| Some(namespace) == self.namespace);
        backend["name"] == name && usual("kind", "Service") && usual("group", "") && here
    }

    fn is_stable(&self, backend: &Value) -> bool {
        self.is(backend, self.name)
    }

    fn is_canary(&self, backend: &Value) -> bool {
        self.is(backend, &self.canary)
    }

    /// Both sides stand in these backends.
    fn shares(&self, backends: &[Value]) -> bool {
        backends.iter().any(|backend| self.is_canary(backend)) && backends.iter().any(|backend| self.is_stable(backend))
    }

    /// The backends as the user wrote them. A candidate's side that stands alone is what is left of an edit by hand.
    fn close(&self, backends: &[Value], divided: bool) -> Vec<Value> {
        if !backends.iter().any(|backend| self.is_canary(backend)) {
            return backends.to_vec();
        }
        let mut closed: Vec<Value> = Vec::new();
        for backend in backends {
            if !self.is_canary(backend) {
                closed.push(backend.clone());
                continue;
            }
            let mut stable = backend.clone();
            stable["name"] = json!(self.name);
            match closed.iter_mut().find(|other| weighing(other, 0) == weighing(&stable, 0)) {
                Some(other) => *other = weighing(other, weight(other) + weight(&stable)),
                None => closed.push(stable),
            }
        }
        // Weights that somebody changed by hand stay in their proportions.
        let exact = closed.iter().all(|backend| weight(backend) % PARTS == 0);
        if divided || !exact {
            return closed;
        }
        closed.iter().map(|backend| weighing(backend, weight(backend) / PARTS)).collect()
    }

    /// The backends with so many per cent for the candidate. `divided`: by another service's rollout, already.
    fn open(&self, backends: &[Value], share: i32, divided: bool) -> Result<Vec<Value>, String> {
        if share == 0 || !backends.iter().any(|backend| self.is_stable(backend) && weight(backend) > 0) {
            return Ok(backends.to_vec());
        }
        let most = backends.iter().map(weight).max().unwrap_or_default();
        if !divided && most > HEAVIEST {
            return Err(format!("a weight of {most} cannot be divided: beside Service {} weights must be at most {HEAVIEST}", self.name));
        }
        let factor = if divided { 1 } else { PARTS };
        let mut open = Vec::new();
        for backend in backends {
            let whole = weight(backend) * factor;
            if !self.is_stable(backend) {
                open.push(weighing(backend, whole));
                continue;
            }
            let given = whole * i64::from(share) / PARTS;
            let mut canary = weighing(backend, given);
            canary["name"] = json!(self.canary);
            open.extend([weighing(backend, whole - given), canary]);
        }
        Ok(open)
    }
}

/// A backend without a weight has 1, which the server writes out.
fn weight(backend: &Value) -> i64 {
    backend.get("weight").and_then(Value::as_i64).unwrap_or(1)
}

fn weighing(backend: &Value, weight: i64) -> Value {
    let mut backend = backend.clone();
    backend["weight"] = json!(weight);
    backend
}

/// Other services that have a share in the route.
fn others<'a>(route: &'a Value, service: &str) -> Vec<Side<'a>> {
    let annotations = route.pointer("/metadata/annotations").and_then(Value::as_object);
    let names = annotations.into_iter().flat_map(|all| all.keys()).filter_map(|key| key.strip_prefix(labels::SHARED_FOR));
    names.filter(|name| *name != service).map(|name| Side::of(route, name)).collect()
}

/// Name of the annotation that says that the service has a share.
pub fn mark(service: &str) -> String {
    format!("{}{service}", labels::SHARED_FOR)
}

/// The route with so many per cent for the candidate of a service, and otherwise as it is.
pub fn with_share(route: &Value, service: &str, share: i32) -> Result<Value, String> {
    let (side, others) = (Side::of(route, service), others(route, service));
    let mut planned = route.clone();
    let mut shared = false;
    for rule in planned.pointer_mut("/spec/rules").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(backends) = rule.get("backendRefs").and_then(Value::as_array) else { continue };
        let divided = others.iter().any(|other| other.shares(backends));
        let open = side.open(&side.close(backends, divided), share, divided)?;
        shared |= side.shares(&open);
        if open != *backends {
            rule["backendRefs"] = Value::Array(open);
        }
    }
    let (key, marked) = (mark(service), route.pointer("/metadata/annotations").and_then(Value::as_object));
    if shared {
        planned["metadata"]["annotations"][key] = json!(share.to_string());
    } else if marked.is_some_and(|all| all.contains_key(&key))
        && let Some(all) = planned.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
    {
        all.remove(&key);
    }
    Ok(planned)
}

/// The same; a route whose weights cannot be divided is as the user wrote it.
pub fn planned(route: &Value, service: &str, share: i32) -> Value {
    with_share(route, service, share).or_else(|_| with_share(route, service, 0)).unwrap_or_else(|_| route.clone())
}

/// Per cent of the service's requests through each rule that go to its candidate; no rule leads to the service: none.
pub fn shares(route: &Value, service: &str) -> Vec<i32> {
    let side = Side::of(route, service);
    let rules = route.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
    let share = |rule: &Value| {
        let backends = rule.get("backendRefs")?.as_array()?;
        let sum = |wanted: &dyn Fn(&Value) -> bool| backends.iter().filter(|backend| wanted(backend)).map(weight).sum::<i64>();
        let leads = backends.iter().any(|backend| side.is_stable(backend) || side.is_canary(backend));
        let (stable, canary) = (sum(&|backend| side.is_stable(backend)), sum(&|backend| side.is_canary(backend)));
        leads.then(|| i32::try_from(canary * PARTS / (stable + canary).max(1)).unwrap_or_default())
    };
    rules.filter_map(share).collect()
}

/// The route gives the candidate's side a part of the requests.
pub fn gives(route: &Value, service: &str) -> bool {
    shares(route, service).iter().any(|share| *share > 0)
}

/// Routes that are not as they should be. One that left the spec in the middle is put back.
pub fn due(service: &Service, share: i32, world: &World) -> Vec<Weights> {
    let wanted = |route: &Value| if service.route_refs.iter().any(|reference| is(route, reference)) { share } else { 0 };
    world.user_routes.iter().filter_map(|route| moved(route, &service.name, wanted(route))).collect()
}

/// What is to be done about a route, if it has not got that share.
pub fn moved(route: &Value, service: &str, share: i32) -> Option<Weights> {
    let text = |pointer: &str| route.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = [Kind::HTTPRoute, Kind::GRPCRoute].into_iter().find(|kind| kind.name() == text("/kind"))?;
    let reference = ChildRef { kind, name: text("/metadata/name").to_owned() };
    let generation = route.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    (planned(route, service, share) != *route).then_some(Weights { route: reference, share, generation })
}

/// The candidate's side stays although nothing in the spec asks for it: a route of the user's may lead there, or a gateway may
/// not yet know that it does not.
pub fn keep_side(service: &Service, progress: &Progress, world: &World) -> bool {
    let name = canary_name(&service.name);
    let there = world.children.iter().any(|live| live.reference.kind == Kind::Service && live.reference.name == name);
    let moving = progress.candidate.as_ref().is_some_and(|candidate| candidate.routed) || !progress.parked.is_empty();
    there && (moving || world.user_routes.iter().any(|route| gives(route, &service.name)))
}

/// The route as it is; or what is wrong with it, in a word and for people.
pub fn look<'a>(service: &Service, world: &'a World, reference: &ChildRef) -> Result<&'a Value, (&'static str, String)> {
    let name = &service.name;
    let Some(route) = world.user_routes.iter().find(|route| is(route, reference)) else {
        let message = format!("there is no {reference} in this namespace: create it, or take it out of `routeRefs`");
        return Err(("RouteMissing", message));
    };
    if shares(route, name).is_empty() {
        let message = format!("{reference} has no rule with a backend for Service {name}: add one, or take it out of `routeRefs`");
        return Err(("BackendMissing", message));
    }
    match with_share(route, name, 1) {
        Ok(_) => Ok(route),
        Err(why) => Err(("WeightTooLarge", format!("{reference}: {why}"))),
    }
}

pub(super) fn is(route: &Value, reference: &ChildRef) -> bool {
    route["kind"] == reference.kind.name() && route["metadata"]["name"] == reference.name.as_str()
}

/// The weight that a route gives the candidate, once a gateway has accepted the route with it.
pub fn accepted(service: &Service, world: &World, applied: &Applied, reference: &ChildRef, share: i32) -> Result<i32, String> {
    if let Some(failure) = applied.failures.iter().find(|failure| failure.child == *reference) {
        return Err(format!("{reference}: {}", failure.message));
    }
    let route = look(service, world, reference).map_err(|(_, message)| message)?;
    if applied.outdated.contains(reference) || planned(route, &service.name, share) != *route {
        return Err(format!("{reference} has yet to get its weights"));
    }
    in_force(reference, route, share)
}

#[cfg(test)]
#[path = "user_routes_tests.rs"]
mod tests;
