//! From the tables to a [`World`] for one service. No requests.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::labels;
use crate::api::v1alpha1::Microservice;
use crate::model::{ChildRef, Kind};

use super::key::{Key, Watched, is_microservice};
use super::stores::Stores;
use super::tables::Row;
use super::trim::{Class, Fact};
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

impl Stores {
    /// What is known of one service; `None` if there is no such Microservice.
    pub fn gather(&self, key: &Key) -> Result<Option<World>, Unreadable> {
        let rows = {
            let tables = self.tables();
            let mut rows = tables.rows(key).to_vec();
            self.expectations.overlay(key, &mut rows);
            rows
        };
        assemble(key, &rows)
    }
}

fn assemble(key: &Key, rows: &[Row]) -> Result<Option<World>, Unreadable> {
    let Some(main) = rows.iter().find(|row| row.watched == Watched::Microservice) else {
        return Ok(None);
    };
    let mut object = microservice(key, main)?;
    object.metadata.resource_version = Some(main.version.to_string());
    let uid = object.metadata.uid.clone().unwrap_or_default();

    let mut world = World { object, pods: pods(key, rows), ..World::default() };
    for row in rows {
        let Watched::Child(kind) = row.watched else { continue };
        let Some(mut whole) = open::<Value>(row) else { continue };
        let name = row.name(key).to_owned();
        let owner = ownership(key, &uid, &whole);
        let own = !matches!(owner, Ownership::Foreign(_));
        match kind {
            Kind::Deployment if own && *name == *key.name => world.deployment = serde_json::from_value(whole.clone()).ok(),
            Kind::HorizontalPodAutoscaler if own && *name == *key.name => world.autoscaler = serde_json::from_value(whole.clone()).ok(),
            Kind::ControllerRevision if own => world.revisions.extend(revision(&name, &whole)),
            _ => {}
        }
        if let Value::Object(fields) = &mut whole {
            fields.remove("status");
        }
        world.children.push(Live {
            reference: ChildRef { kind, name },
            uid: text(&whole, "/metadata/uid"),
            resource_version: row.version.to_string(),
            deleting: is_leaving(key, &uid, &whole),
            owner,
            claims_replicas: matches!(row.fact, Fact::Object { claims_replicas: true, .. }),
            object: whole,
        });
    }
    world.children.sort_by(|a, b| a.reference.cmp(&b.reference));
    world.revisions.sort_by(|a, b| (a.number, &a.hash).cmp(&(b.number, &b.hash)));
    Ok(Some(world))
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
    let (Fact::Object { body, .. } | Fact::Pod { body, .. }) = &row.fact;
    body.open().ok()
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Whose a child is, in the eyes of the Microservice `key` with this uid.
pub fn ownership(key: &Key, uid: &str, child: &Value) -> Ownership {
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
        None => Ownership::Foreign("not controlled by anything".to_owned()),
    }
}

fn controller(child: &Value) -> Option<OwnerReference> {
    let owners = child.pointer("/metadata/ownerReferences")?;
    let owners: Vec<OwnerReference> = serde_json::from_value(owners.clone()).ok()?;
    owners.into_iter().find(|owner| owner.controller == Some(true))
}

/// Whether a child is being deleted, or is bound to be: the garbage collector takes what an earlier Microservice of this
/// name has left, a moment after it was deleted and made anew.
pub fn is_leaving(key: &Key, uid: &str, child: &Value) -> bool {
    child.pointer("/metadata/deletionTimestamp").is_some()
        || controller(child)
            .is_some_and(|owner| owner.uid != uid && *owner.name == *key.name && is_microservice(&owner.api_version, &owner.kind))
}

/// A ControllerRevision as a revision. Its name ends in the hash.
fn revision(name: &str, whole: &Value) -> Option<Revision> {
    let (_, hash) = name.rsplit_once('-')?;
    Some(Revision {
        hash: hash.to_owned(),
        name: name.to_owned(),
        number: whole.get("revision").and_then(Value::as_i64).unwrap_or_default(),
        inputs: whole.pointer("/metadata/annotations").and_then(|all| all.get(labels::INPUTS)).and_then(Value::as_str)?.to_owned(),
        template: whole.get("data")?.clone(),
    })
}

/// One ready pod of each revision, and the most telling of those that are not: first the worst of each revision, then
/// the second-worst of each, so that a broken old revision does not hide a broken new one.
fn pods(key: &Key, rows: &[Row]) -> Vec<Pod> {
    let name = |row: &Row| row.name(key).to_owned();
    let mut serving: BTreeMap<Option<&str>, &Row> = BTreeMap::new();
    let mut troubled: BTreeMap<Option<&str>, Vec<(Class, &Row)>> = BTreeMap::new();
    for row in rows {
        match &row.fact {
            Fact::Pod { class: Class::Leaving, .. } | Fact::Object { .. } => {}
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
