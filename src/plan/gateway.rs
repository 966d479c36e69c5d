//! What is seen of gateways: whether the cluster knows routes, who is behind the candidate's Service, and whether the routes
//! are accepted.

use serde_json::Value;

use crate::api::labels;
use crate::model::{Child, ChildRef, Kind, Service};
use crate::observe::World;

use super::children::{canary_name, stable_name, weight_of};
use super::{Applied, Children, user_routes};

/// What is seen of gateways.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The cluster serves every kind of route that the service needs.
    pub served: bool,
    /// Ready endpoints of the Service that the candidate's share goes to.
    pub endpoints: i32,
    /// Ready endpoints of the Service that the stable revision's share goes to, where they are watched.
    pub stable_endpoints: Option<i32>,
    /// The least per cent that any of the routes says, whether a gateway has taken it or not.
    pub written: i32,
    /// The revision that this Service selects, if it selects one.
    pub selected: Option<String>,
    /// A gateway may still give that Service a part of the requests.
    pub gives: bool,
    /// Per cent that all routes give it, accepted by a gateway; or why not.
    pub accepted: Result<i32, String>,
}

impl Gateway {
    /// What a world shows before anything is applied.
    pub fn of(service: &Service, world: &World) -> Self {
        Self {
            served: unserved(service, world).is_none(),
            endpoints: world.endpoints.get(&canary_name(&service.name)).copied().unwrap_or_default(),
            stable_endpoints: world.endpoints.get(&stable_name(&service.name)).copied(),
            written: written(service, world),
            selected: selected(service, world),
            gives: world.routes.iter().any(|route| verdict(route) != Verdict::Accepted || gives(route))
                || world.user_routes.iter().any(|route| verdict(route) != Verdict::Accepted || user_routes::gives(route, &service.name)),
            accepted: Err("the routes have yet to be applied".to_owned()),
        }
    }

    /// The same, with what came of the pass.
    pub fn after(service: &Service, world: &World, children: &Children, applied: &Applied) -> Self {
        let planned = children.list.iter().filter(|child| child.reference.kind.is_optional());
        let planned = planned.map(|child| accepted(child, world, applied));
        let share = children.share;
        let referenced = service.route_refs.iter().filter(|route| !world.unserved.contains(&route.kind));
        let referenced = referenced.map(|route| user_routes::accepted(service, world, applied, route, share));
        let weights: Result<Vec<i32>, String> = planned.chain(referenced).collect();
        let least = |weights: Vec<i32>| weights.into_iter().min().ok_or_else(|| "the cluster serves no Gateway API".to_owned());
        Self { accepted: weights.and_then(least), ..Self::of(service, world) }
    }
}

fn written(service: &Service, world: &World) -> i32 {
    let own = world.routes.iter().map(weight_of);
    let named = world.user_routes.iter().filter(|route| service.route_refs.iter().any(|reference| user_routes::is(route, reference)));
    own.chain(named.flat_map(|route| user_routes::shares(route, &service.name))).min().unwrap_or_default()
}

fn selected(service: &Service, world: &World) -> Option<String> {
    let side = ChildRef { kind: Kind::Service, name: canary_name(&service.name) };
    let live = world.children.iter().find(|live| live.reference == side)?;
    live.object.pointer("/spec/selector")?.get(labels::REVISION)?.as_str().map(str::to_owned)
}

/// A share, requests of its own, or copies.
fn gives(route: &Value) -> bool {
    let rules = route.pointer("/spec/rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    weight_of(route) > 0 || rules.len() > 1 || rules.iter().any(|rule| rule.get("filters").is_some())
}

/// The weight that a route gives the candidate, once a gateway has accepted the route as planned.
fn accepted(child: &Child, world: &World, applied: &Applied) -> Result<i32, String> {
    let reference = &child.reference;
    if let Some(failure) = applied.failures.iter().find(|failure| failure.child == *reference) {
        return Err(format!("{reference}: {}", failure.message));
    }
    let live = find(world, reference).filter(|_| !applied.outdated.contains(reference));
    let Some(live) = live else { return Err(format!("{reference} is new to the gateway")) };
    in_force(reference, live, weight_of(&child.object))
}

/// The weight, if a gateway has accepted the route as it is.
pub(super) fn in_force(reference: &ChildRef, route: &Value, weight: i32) -> Result<i32, String> {
    match verdict(route) {
        Verdict::Accepted => Ok(weight),
        Verdict::Waits => Err(format!("{reference} is not yet accepted by its gateway")),
        Verdict::Refused(why) => Err(format!("{reference} is refused by its gateway: {why}")),
    }
}

fn find<'a>(world: &'a World, reference: &ChildRef) -> Option<&'a Value> {
    let kind = reference.kind.name();
    world.routes.iter().find(|route| route["kind"] == kind && route["metadata"]["name"] == reference.name.as_str())
}

/// What the gateways say of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// No controller has looked at the present form.
    Waits,
    Refused(String),
}

/// What the gateways say of the route `reference` of this world.
pub fn verdict_of(world: &World, reference: &ChildRef) -> Verdict {
    find(world, reference).map_or(Verdict::Waits, verdict)
}

/// Each controller has an entry of its own in `status.parents`. Accepted is a route that one of them accepts and none refuses,
/// in its present generation.
pub(super) fn verdict(route: &Value) -> Verdict {
    let generation = route.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    let parents = route.pointer("/status/parents").and_then(Value::as_array).into_iter().flatten();
    let conditions = parents.flat_map(|parent| parent["conditions"].as_array().into_iter().flatten());
    let fresh = conditions.filter(|condition| condition["observedGeneration"].as_i64().unwrap_or_default() >= generation);
    let mut verdict = Verdict::Waits;
    for condition in fresh {
        let (kind, status) = (condition["type"].as_str().unwrap_or_default(), condition["status"].as_str().unwrap_or_default());
        match (kind, status) {
            ("Accepted" | "ResolvedRefs", "False") => {
                let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
                return Verdict::Refused(format!("{} ({})", text("message"), text("reason")));
            }
            ("Accepted", "True") => verdict = Verdict::Accepted,
            _ => {}
        }
    }
    verdict
}

/// A kind of route that the service needs and the cluster does not serve, if there is one.
pub fn unserved(service: &Service, world: &World) -> Option<Kind> {
    let references = service.route_refs.iter().map(|route| route.kind);
    service.routes.iter().map(|route| route.kind).chain(references).find(|kind| world.unserved.contains(kind))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(conditions: &Value) -> Value {
        json!({"kind": "HTTPRoute", "metadata": {"name": "orders-public", "generation": 3}, "status": {"parents": [{"conditions": conditions}]}})
    }

    fn condition(kind: &str, status: &str, generation: i64) -> Value {
        json!({"type": kind, "status": status, "observedGeneration": generation, "reason": "R", "message": "m"})
    }

    #[test]
    fn a_route_counts_in_its_present_form_only() {
        assert_eq!(verdict(&route(&json!([]))), Verdict::Waits);
        assert_eq!(verdict(&route(&json!([condition("Accepted", "True", 2)]))), Verdict::Waits);
        assert_eq!(verdict(&route(&json!([condition("Accepted", "True", 3)]))), Verdict::Accepted);
        let refused = Verdict::Refused("m (R)".to_owned());
        assert_eq!(verdict(&route(&json!([condition("Accepted", "True", 3), condition("ResolvedRefs", "False", 3)]))), refused);
        assert_eq!(verdict(&json!({"metadata": {"generation": 1}})), Verdict::Waits);
    }
}
