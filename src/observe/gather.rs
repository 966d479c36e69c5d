//! From the tables to a [`World`] for one service. No requests.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::labels;
use crate::api::v1alpha1::Microservice;
use crate::model::{ChildRef, Kind};

use super::expectations::Expectations;
use super::key::{Key, Watched, is_microservice};
use super::seen::{Fields, Seen};
use super::stores::Stores;
use super::tables::Row;
use super::trim::{self, Class, Fact};
use super::version::Version;
use super::world::{Live, Ownership, Pod, Revision, World};

/// Pods that do not serve, in a [`World`]. One explains a failure; ten show whether they all fail for one cause.
const TROUBLED_PODS: usize = 10;

/// A Microservice that this version's types cannot hold, e.g. one that was written under another schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} cannot be read: {message}; correct the field, or upgrade the operator together with its custom resource definition")]
pub struct Unreadable {
    pub key: Key,
    pub uid: String,
    pub message: String,
}

/// A child as a read past the watch, or the answer to a write, shows it to the Microservice `key` with this uid.
pub fn live(key: &Key, uid: &str, reference: &ChildRef, seen: Seen<Fields>) -> Option<Live> {
    let version = Version::of(&seen.metadata);
    let fact = trim::object(Watched::Child(reference.kind), seen);
    child(key, uid, reference.clone(), &version, &fact).map(|(live, _)| live)
}

impl Expectations {
    /// Remembers a Microservice as the answer to a write of its status, or a read past the watch, shows it.
    pub fn saw(&self, key: &Key, seen: Seen<Fields>) {
        let version = Version::of(&seen.metadata);
        self.wrote(key, Watched::Microservice, &key.name, version, trim::object(Watched::Microservice, seen));
    }

    /// Remembers the answer to a write of a child.
    pub fn answered(&self, key: &Key, uid: &str, reference: &ChildRef, seen: Seen<Fields>) -> Option<Live> {
        let version = Version::of(&seen.metadata);
        let fact = trim::object(Watched::Child(reference.kind), seen);
        let live = child(key, uid, reference.clone(), &version, &fact).map(|(live, _)| live);
        self.wrote(key, Watched::Child(reference.kind), &reference.name, version, fact);
        live
    }
}

impl Stores {
    /// What is known of one service; `None` if there is no such Microservice.
    pub fn gather(&self, key: &Key) -> Result<Option<World>, Unreadable> {
        let rows = {
            let tables = self.tables();
            let mut rows = tables.rows(key).to_vec();
            self.expectations.overlay(key, &mut rows);
            rows
        };
        let mut world = assemble(key, &rows)?;
        if let Some(world) = &mut world {
            world.unserved = self.unserved(&key.namespace);
            world.profile = self.profile(key, &world.object);
            world.user_routes = self.user_routes_of(key, &world.object);
        }
        Ok(world)
    }
}

pub(super) fn unpack<T: DeserializeOwned>(row: &Row) -> Result<T, String> {
    match &row.fact {
        Fact::Object { body, .. } | Fact::Pod { body, .. } => body.open(),
        Fact::Endpoints { .. } => Err("only a number is kept of it".to_owned()),
    }
}

fn assemble(key: &Key, rows: &[Row]) -> Result<Option<World>, Unreadable> {
    let Some(main) = rows.iter().find(|row| row.watched == Watched::Microservice) else {
        return Ok(None);
    };
    let mut object = microservice(key, main)?;
    object.metadata.resource_version = Some(main.version.to_string());
    let uid = object.metadata.uid.clone().unwrap_or_default();

    let mut world = World { object, pods: pods(key, rows), leaving: leaving(rows), endpoints: endpoints(rows), ..World::default() };
    for row in rows {
        let Watched::Child(kind) = row.watched else { continue };
        let reference = ChildRef { kind, name: row.name(key).to_owned() };
        let Some((mut live, whole)) = child(key, &uid, reference, &row.version, &row.fact) else { continue };
        if live.owner == uncontrolled() && is_in_inventory(&world.object, &live.uid) {
            live.owner = Ownership::Ours;
        }
        let own = !matches!(live.owner, Ownership::Foreign(_));
        let namesake = *live.reference.name == *key.name;
        match kind {
            Kind::Deployment if own => world.deployments.extend(serde_json::from_value::<Deployment>(whole)),
            Kind::HorizontalPodAutoscaler if own && namesake => world.autoscaler = serde_json::from_value(whole).ok(),
            Kind::HTTPRoute | Kind::GRPCRoute if own => world.routes.push(whole),
            Kind::ControllerRevision if own => world.revisions.extend(revision(&live)),
            _ => {}
        }
        world.children.push(live);
    }
    world.deployments.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    world.children.sort_by(|a, b| a.reference.cmp(&b.reference));
    world.revisions.sort_by(|a, b| (a.number, &a.hash).cmp(&(b.number, &b.hash)));
    Ok(Some(world))
}

/// A child as it is in the eyes of the Microservice `key` with this uid; and the object with its status, where that is
/// kept.
fn child(key: &Key, uid: &str, reference: ChildRef, version: &Version, fact: &Fact) -> Option<(Live, Value)> {
    let Fact::Object { body, claims_replicas } = fact else { return None };
    let mut object: Value = body.open().ok()?;
    let told = matches!(reference.kind, Kind::Deployment | Kind::HorizontalPodAutoscaler | Kind::HTTPRoute | Kind::GRPCRoute);
    let whole = if told { object.clone() } else { Value::Null };
    if let Value::Object(fields) = &mut object {
        fields.remove("status");
    }
    let live = Live {
        uid: text(&object, "/metadata/uid"),
        resource_version: version.to_string(),
        deleting: is_leaving(key, uid, &object),
        owner: ownership(key, uid, &object),
        claims_replicas: *claims_replicas,
        reference,
        object,
    };
    Some((live, whole))
}

fn microservice(key: &Key, row: &Row) -> Result<Microservice, Unreadable> {
    let unreadable = |uid, message| Unreadable { key: key.clone(), uid, message };
    let Fact::Object { body, .. } = &row.fact else {
        return Err(unreadable(String::new(), "not an object".to_owned()));
    };
    body.open().map_err(|message| {
        let uid = body.open::<Value>().map(|whole| text(&whole, "/metadata/uid")).unwrap_or_default();
        unreadable(uid, message)
    })
}

fn open<T: DeserializeOwned>(row: &Row) -> Option<T> {
    unpack(row).ok()
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn uncontrolled() -> Ownership {
    Ownership::Foreign("not controlled by anything".to_owned())
}

/// An object of which we once noted that we made it, uid and all, stays ours when somebody takes its owner reference off.
fn is_in_inventory(service: &Microservice, uid: &str) -> bool {
    service.status.iter().flat_map(|status| &status.inventory).any(|entry| entry.uid == uid)
}

/// Whose a child is, in the eyes of the Microservice `key` with this uid.
fn ownership(key: &Key, uid: &str, child: &Value) -> Ownership {
    if let Some(owner) = controller(child) {
        return match owner {
            _ if owner.uid == uid => Ownership::Ours,
            _ if is_microservice(&owner.api_version, &owner.kind) && *owner.name == *key.name => {
                Ownership::Foreign(format!("controlled by an earlier Microservice {}, which is deleted", owner.name))
            }
            _ => Ownership::Foreign(format!("controlled by {} {}", owner.kind, owner.name)),
        };
    }
    let annotations = child.pointer("/metadata/annotations");
    match annotations.and_then(|all| all.get(labels::ORPHAN_OF)).and_then(Value::as_str) {
        Some(of) if *of == key.to_string() => Ownership::Orphaned,
        Some(of) => Ownership::Foreign(format!("left behind by Microservice {of}")),
        None => uncontrolled(),
    }
}

/// The owner that manages a child, if any.
pub fn controller(child: &Value) -> Option<OwnerReference> {
    let owners = child.pointer("/metadata/ownerReferences")?;
    let owners: Vec<OwnerReference> = serde_json::from_value(owners.clone()).ok()?;
    owners.into_iter().find(|owner| owner.controller == Some(true))
}

/// Whether a child is being deleted, or is bound to be: the garbage collector takes what an earlier Microservice of this
/// name has left, a moment after it was deleted and made anew.
fn is_leaving(key: &Key, uid: &str, child: &Value) -> bool {
    child.pointer("/metadata/deletionTimestamp").is_some()
        || controller(child)
            .is_some_and(|owner| owner.uid != uid && *owner.name == *key.name && is_microservice(&owner.api_version, &owner.kind))
}

/// A `ControllerRevision` as a revision. Its name ends in the hash.
fn revision(live: &Live) -> Option<Revision> {
    let (_, hash) = live.reference.name.rsplit_once('-')?;
    let annotations = live.object.pointer("/metadata/annotations");
    let since = annotations.and_then(|all| all.get(labels::STABLE_SINCE)).and_then(Value::as_str);
    Some(Revision {
        hash: hash.to_owned(),
        name: live.reference.name.clone(),
        number: live.object.get("revision").and_then(Value::as_i64).unwrap_or_default(),
        inputs: annotations.and_then(|all| all.get(labels::INPUTS)).and_then(Value::as_str)?.to_owned(),
        template: live.object.get("data")?.clone(),
        stable_since: since.and_then(|since| since.parse().ok()).map(Time),
        created: text(&live.object, "/metadata/creationTimestamp").parse().ok().map(Time),
    })
}

/// Pods that are being deleted, by revision.
fn leaving(rows: &[Row]) -> BTreeMap<String, i32> {
    let mut count = BTreeMap::new();
    for row in rows {
        if let Fact::Pod { class: Class::Leaving, revision: Some(revision), .. } = &row.fact {
            *count.entry(revision.to_string()).or_default() += 1;
        }
    }
    count
}

/// Ready endpoints by Service. With two address families each pod is in slices of both.
fn endpoints(rows: &[Row]) -> BTreeMap<String, i32> {
    let mut sums: BTreeMap<(&str, &str), i32> = BTreeMap::new();
    for row in rows {
        if let Fact::Endpoints { service, address_type, ready } = &row.fact {
            *sums.entry((service, address_type)).or_default() += ready;
        }
    }
    let mut most: BTreeMap<String, i32> = BTreeMap::new();
    for ((service, _), ready) in sums {
        let entry = most.entry(service.to_owned()).or_default();
        *entry = ready.max(*entry);
    }
    most
}

/// One ready pod of each revision, and the most telling of those that are not: first the worst of each revision, then
/// the second-worst of each, so that a broken old revision does not hide a broken new one.
fn pods(key: &Key, rows: &[Row]) -> Vec<Pod> {
    let name = |row: &Row| row.name(key).to_owned();
    let mut serving: BTreeMap<Option<&str>, &Row> = BTreeMap::new();
    let mut troubled: BTreeMap<Option<&str>, Vec<(Class, &Row)>> = BTreeMap::new();
    for row in rows {
        match &row.fact {
            Fact::Pod { class: Class::Leaving, .. } | Fact::Object { .. } | Fact::Endpoints { .. } => {}
            Fact::Pod { class: Class::Ready, revision, .. } => {
                let first = serving.entry(revision.as_deref()).or_insert(row);
                if row.name(key) < first.name(key) {
                    *first = row;
                }
            }
            Fact::Pod { class, revision, .. } => troubled.entry(revision.as_deref()).or_default().push((*class, row)),
        }
    }
    let mut ranked: Vec<(usize, Class, &Row)> = Vec::new();
    for mut pods in troubled.into_values() {
        pods.sort_by_cached_key(|(class, row)| (*class, name(row)));
        ranked.extend(pods.into_iter().take(TROUBLED_PODS).enumerate().map(|(place, (class, row))| (place, class, row)));
    }
    ranked.sort_by_cached_key(|(place, class, row)| (*place, *class, name(row)));
    let ranked = ranked.into_iter().take(TROUBLED_PODS).map(|(_, _, row)| row);
    ranked.chain(serving.into_values()).filter_map(open).collect()
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
