//! What is to be done about one child. Pure: the live object, or its absence, enters as a value.

use serde_json::{Value, json};

use crate::api::labels;
use crate::model::{Child, Kind, Service};
use crate::observe::controller;
use crate::observe::world::{Live, Ownership};
use crate::plan::diff::{difference, foreign_ports};
use crate::plan::digest::digest;
use crate::plan::replicas::{LiveReplicas, replicas};

/// A version that no live object has: etcd's revisions begin at 1 with nothing stored, so the first object has 2. An
/// apply that carries it creates an absent object, because creating ignores the version, and is refused with 409 where
/// an object exists. So a name that is taken is never taken over, without a read before every creation. (Seen on 1.36;
/// a POST would refuse too, but owns fields as `Update`, which later applies could not remove.)
const ABSENT: &str = "1";
/// Characters of the hash in [`labels::APPLIED`]: 64 bits. It tells two intents for one child apart, not one of millions.
const HASH: usize = 16;

/// The way out that always is.
const RENAME: &str = "give this Microservice another name";

/// What is to be done about a child.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// It is as planned.
    Keep { uid: String },
    /// It does not exist; the body is refused where it does.
    Create { body: Value },
    /// `path` differs; the body is refused where the object has been replaced.
    Update { body: Value, path: String },
    /// It must be deleted and made anew, because the server does not let it change.
    Replace { body: Value, why: &'static str },
    /// Its name will be free in a moment.
    Wait { message: String },
    /// Its name is taken.
    Refuse { message: String },
}

pub fn step(service: &Service, child: &Child, live: Option<&Live>) -> Step {
    let intent = intent(child, live);
    let Some(live) = live else {
        return Step::Create { body: creation(&intent) };
    };
    let named = &child.reference;
    if live.deleting {
        return Step::Wait { message: format!("{named} of before is being deleted; it is made anew as soon as it is gone") };
    }
    let taken = format!("{named} exists");
    if named.kind == Kind::Deployment && selector(&intent) != selector(&live.object) {
        let message = format!("{taken} and selects other pods, which the server does not let change; {RENAME}, or delete that Deployment");
        return Step::Refuse { message };
    }
    if let Ownership::Foreign(whose) = &live.owner {
        let message = match controller(&live.object) {
            Some(_) => format!("{taken} and is {whose}; {RENAME}, or remove that object through its owner"),
            None => format!(
                "{taken} and is {whose}; {RENAME}, delete that object, or hand it over with the annotation {}={}/{}",
                labels::ORPHAN_OF,
                service.namespace,
                service.name
            ),
        };
        return Step::Refuse { message };
    }
    if named.kind == Kind::Service && is_headless(&intent) != is_headless(&live.object) {
        // Taking `clusterIP: None` away would be silently ignored by the server; setting it is refused.
        let why = "`spec.service.headless` changed, and the server does not let a Service change between the two";
        return Step::Replace { body: creation(&intent), why };
    }
    match difference(&intent, &live.object) {
        None => Step::Keep { uid: live.uid.clone() },
        Some(path) => Step::Update { body: change(child, intent, live), path },
    }
}

/// Whether doing `step` about a Deployment starts pods of another template, or the first ones.
pub fn starts_pods(child: &Child, live: Option<&Live>) -> bool {
    let template = |object: &Value| object.pointer("/spec/template").cloned().unwrap_or_default();
    live.is_none_or(|live| difference(&template(&child.object), &template(&live.object)).is_some())
}

/// Whether bringing a Deployment of ours to plan leaves it with fewer pods.
pub fn takes_pods(child: &Child, live: &Live) -> bool {
    live.owner == Ownership::Ours && child.reference.kind == Kind::Deployment && shrinks(&intent(child, Some(live)), live)
}

/// The planned ports of a Service, if the live one has others beside them.
pub fn alien_ports<'a>(body: &'a Value, live: &Live) -> Option<&'a Value> {
    let planned = body.pointer("/spec/ports")?;
    let found = live.object.pointer("/spec/ports")?.as_array()?;
    foreign_ports(planned.as_array()?, found).next().is_some().then_some(planned)
}

/// The body that creates an absent object and nothing else.
pub fn creation(intent: &Value) -> Value {
    let mut body = intent.clone();
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("uid");
    }
    set(&mut body, "resourceVersion", ABSENT);
    body
}

/// Every field that we own, stamped with the hash of those that come from the plan.
fn intent(child: &Child, live: Option<&Live>) -> Value {
    let mut intent = child.object.clone();
    let mut hash = digest(&intent);
    hash.truncate(HASH);
    if let Some(metadata) = intent.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        annotations[labels::APPLIED] = json!(hash);
    }
    if let Some(bounds) = child.autoscaled
        && let Some(count) = replicas(bounds, live.map(live_replicas))
        && let Some(spec) = intent.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.insert("replicas".to_owned(), json!(count));
    }
    intent
}

/// The body that changes this very object and no namesake. Where it repeats a number that was read, it also holds only
/// for the state that was read, or it could undo what an autoscaler has written since; and where it takes pods away, so
/// that nobody who looks at an older state can.
fn change(child: &Child, mut intent: Value, live: &Live) -> Value {
    set(&mut intent, "uid", &live.uid);
    let repeats = child.autoscaled.is_some() && count(&intent).is_some();
    if child.reference.kind == Kind::Deployment && (repeats || shrinks(&intent, live)) {
        set(&mut intent, "resourceVersion", &live.resource_version);
    }
    intent
}

fn shrinks(intent: &Value, live: &Live) -> bool {
    count(intent).zip(count(&live.object)).is_some_and(|(planned, found)| planned < found)
}

fn count(object: &Value) -> Option<i64> {
    object.pointer("/spec/replicas").and_then(Value::as_i64)
}

fn set(object: &mut Value, field: &str, value: &str) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert(field.to_owned(), json!(value));
    }
}

fn live_replicas(live: &Live) -> LiveReplicas {
    // The server fills in 1; an object without the field cannot be read from it.
    let count = count(&live.object).and_then(|count| i32::try_from(count).ok());
    LiveReplicas { count: count.unwrap_or(1), claimed: live.claims_replicas }
}

fn is_headless(object: &Value) -> bool {
    object.pointer("/spec/clusterIP").and_then(Value::as_str) == Some("None")
}

fn selector(deployment: &Value) -> Option<&Value> {
    deployment.pointer("/spec/selector")
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
