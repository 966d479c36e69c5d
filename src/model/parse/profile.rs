//! What a profile does to a spec: defaults below it, and locks on it.

use serde_json::{Map, Value};

use super::{Findings, complete};
use crate::api::problem::Reason;
use crate::api::v1alpha1::{Defaults, Microservice, MicroserviceProfile, MicroserviceSpec, Problem};
use crate::model::parse::defaults;
use crate::model::quantity::Amount;

/// How a probe may ask; a probe has one of them.
const HANDLERS: [&str; 4] = ["httpGet", "grpc", "tcpSocket", "exec"];

/// The object as if its author had written the profile's defaults where the spec is silent.
pub fn below(object: &Microservice, profile: Option<&MicroserviceProfile>, found: &mut Findings) -> Microservice {
    let mut object = object.clone();
    if let Some(defaults) = profile.and_then(|profile| profile.spec.defaults.as_ref()) {
        match merged(&object.spec, defaults) {
            Ok(spec) => object.spec = spec,
            Err(error) => found.error("spec.profileRef", Reason::TypeInvalid, format!("the profile's defaults do not fit: {error}")),
        }
    }
    object
}

fn merged(spec: &MicroserviceSpec, defaults: &Defaults) -> Result<MicroserviceSpec, serde_json::Error> {
    let mut whole = serde_json::to_value(spec)?;
    let mut defaults = serde_json::to_value(defaults)?;
    give_way(&whole, &mut defaults);
    fill(&mut whole, &defaults);
    serde_json::from_value(whole)
}

/// Puts in what is missing. Objects are merged field by field; a list is one value.
pub fn fill(whole: &mut Value, defaults: &Value) {
    let (Value::Object(whole), Value::Object(defaults)) = (whole, defaults) else { return };
    for (key, value) in defaults {
        match whole.get_mut(key) {
            Some(there) => fill(there, value),
            None => drop(whole.insert(key.clone(), value.clone())),
        }
    }
}

/// Takes out of the defaults what would contradict the spec, as the built-in ones give way too.
fn give_way(spec: &Value, defaults: &mut Value) {
    let Value::Object(sections) = defaults else { return };
    if spec.get("replicas").is_some() {
        sections.remove("autoscaling");
    }
    for probe in ["liveness", "readiness", "startup"] {
        let path = ["probes", probe];
        alternatives(at(spec, &path), at_mut(sections, &path), &HANDLERS);
    }
    for resource in ["cpu", "memory"] {
        let path = ["autoscaling", resource];
        alternatives(at(spec, &path), at_mut(sections, &path), &["averageUtilization", "averageValue"]);
    }
    let number = |key| at(spec, &["autoscaling", key]).and_then(Value::as_i64);
    let (least, most) = (number("minReplicas"), number("maxReplicas"));
    if let Some(bounds) = at_mut(sections, &["autoscaling"]) {
        bound(bounds, "minReplicas", most, |default, most| default > most);
        bound(bounds, "maxReplicas", least, |default, least| default < least);
    }
    for (side, other, exceeds) in [("requests", "limits", 1), ("limits", "requests", -1)] {
        amounts(at(spec, &["resources", other]), at_mut(sections, &["resources", side]), exceeds);
    }
    if let Some(rollout) = at_mut(sections, &["rollout"]) {
        let chosen = at(spec, &["rollout", "strategy"]).or_else(|| rollout.get("strategy"));
        let strategy = chosen.and_then(Value::as_str).unwrap_or_default().to_owned();
        for (of, fields) in [("Canary", ["canary"].as_slice()), ("BlueGreen", &["blueGreen"])] {
            if strategy != of {
                fields.iter().for_each(|field| drop(rollout.remove(*field)));
            }
        }
        if strategy == "Recreate" {
            ["maxSurge", "maxUnavailable"].iter().for_each(|field| drop(rollout.remove(*field)));
        }
    }
}

/// Of fields that exclude each other the spec's own stays.
fn alternatives(spec: Option<&Value>, defaults: Option<&mut Map<String, Value>>, fields: &[&str]) {
    let given = |field: &&str| spec.is_some_and(|spec| spec.get(*field).is_some());
    if let Some(defaults) = defaults.filter(|_| fields.iter().any(given)) {
        fields.iter().for_each(|field| drop(defaults.remove(*field)));
    }
}

fn bound(defaults: &mut Map<String, Value>, field: &str, other: Option<i64>, contradicts: impl Fn(i64, i64) -> bool) {
    let default = defaults.get(field).and_then(Value::as_i64);
    if let (Some(default), Some(other)) = (default, other)
        && contradicts(default, other)
    {
        defaults.insert(field.to_owned(), other.into());
    }
}

/// A default request never exceeds the spec's limit, nor the spec's request a default limit.
fn amounts(spec: Option<&Value>, defaults: Option<&mut Map<String, Value>>, exceeds: i128) {
    let (Some(spec), Some(defaults)) = (spec, defaults) else { return };
    for (resource, default) in defaults {
        let nanos = |value: &Value| Some(Amount::parse(value.as_str()?)?.nanos() * exceeds);
        if let Some(given) = spec.get(resource)
            && nanos(default) > nanos(given)
        {
            *default = given.clone();
        }
    }
}

/// Fields that the profile locks and the spec sets to something else than what holds without it.
pub fn locks(object: &Microservice, profile: &MicroserviceProfile, found: &mut Findings) {
    let name = profile.metadata.name.as_deref().unwrap_or_default();
    let spec = serde_json::to_value(&object.spec).unwrap_or_default();
    let paths = profile.spec.locks.iter().flatten().map(|lock| (lock, lock.split('.').skip(1).collect::<Vec<_>>()));
    let written: Vec<_> = paths.filter(|(_, path)| at(&spec, path).is_some()).collect();
    if written.is_empty() {
        return;
    }
    let mut without = spec.clone();
    written.iter().for_each(|(_, path)| remove(&mut without, path));
    let holds = holding(object, without, profile);
    for (lock, path) in written {
        let (value, held) = (at(&spec, &path).unwrap_or(&Value::Null), at(&holds, &path));
        if !within(value, held) {
            let else_ = held.map_or_else(String::new, |held| format!(", or be {}", shown(held)));
            found.error(lock, Reason::Forbidden, format!("locked by profile `{name}`: it must be left out{else_}"));
        }
    }
}

/// The values in force where the spec is this one.
fn holding(object: &Microservice, spec: Value, profile: &MicroserviceProfile) -> Value {
    let mut ignored = Findings::default();
    let service = serde_json::from_value(spec).ok().and_then(|spec| {
        let bare = Microservice { spec, ..object.clone() };
        complete(&below(&bare, Some(profile), &mut ignored), profile.spec.gateway_ref.as_ref(), &mut ignored)
    });
    // A spec that does not hold even so has problems of its own; the profile's values are known all the same.
    service.map_or_else(|| serde_json::to_value(&profile.spec.defaults).unwrap_or_default(), |service| defaults::in_force(&service))
}

/// Whether all that is written is also held.
fn within(written: &Value, held: Option<&Value>) -> bool {
    match (written, held) {
        (Value::Object(written), held) => written.iter().all(|(key, value)| within(value, held.and_then(|held| held.get(key)))),
        (Value::String(a), Some(Value::String(b))) => a == b || Amount::parse(a).is_some_and(|a| Some(a) == Amount::parse(b)),
        (written, held) => Some(written) == held,
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("`{value}`"), |text| format!("`{text}`"))
}

/// Says of a problem with a value that the author did not write where it comes from.
pub fn attribute(problems: &mut [Problem], written: &MicroserviceSpec, profile: &MicroserviceProfile) {
    let name = profile.metadata.name.as_deref().unwrap_or_default();
    let written = serde_json::to_value(written).unwrap_or_default();
    let defaults = serde_json::to_value(&profile.spec.defaults).unwrap_or_default();
    for problem in problems {
        let path: Vec<&str> = problem.field.split('[').next().unwrap_or_default().split('.').skip(1).collect();
        if at(&written, &path).is_none() && at(&defaults, &path).is_some() {
            problem.message.push_str(&format!(" (a value of profile `{name}`)"));
        }
    }
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

fn at_mut<'a>(sections: &'a mut Map<String, Value>, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    path.iter().try_fold(sections, |map, key| map.get_mut(*key)?.as_object_mut())
}

fn remove(value: &mut Value, path: &[&str]) {
    if let Some((last, parents)) = path.split_last()
        && let Some(map) = parents.iter().try_fold(value, |value, key| value.get_mut(key)).and_then(Value::as_object_mut)
    {
        map.remove(*last);
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
