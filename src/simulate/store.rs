//! What an API server keeps: objects by kind and name, in one namespace, and a log of every change, which is what watches
//! tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::model::Kind;
use crate::observe::Watched;

use super::fields::{self, Owners};
use super::refusal;

/// The one namespace that there is.
pub const NAMESPACE: &str = "shop";

/// An object by kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    pub watched: Watched,
    pub name: String,
}

impl Id {
    pub fn new(watched: Watched, name: &str) -> Self {
        Self { watched, name: name.to_owned() }
    }

    pub fn child(kind: Kind, name: &str) -> Self {
        Self::new(Watched::Child(kind), name)
    }

    pub fn deployment(name: &str) -> Self {
        Self::child(Kind::Deployment, name)
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.watched.name(), self.name)
    }
}

/// Who makes a change, and how much of the past it may have been made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By<'a> {
    pub name: &'a str,
    pub is_operator: bool,
    /// Milliseconds for which the view of who makes the change may lag behind.
    pub lag: i64,
}

impl<'a> By<'a> {
    pub const fn other(name: &'a str) -> Self {
        By { name, is_operator: false, lag: 0 }
    }
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// Milliseconds since the epoch.
    pub at: i64,
    pub version: u64,
    pub id: Id,
    pub by: String,
    pub by_operator: bool,
    pub lag: i64,
    /// As it was, and as it is; without managed fields. `None`: it did not exist, or is gone.
    pub before: Option<Arc<Value>>,
    pub after: Option<Arc<Value>>,
    /// Whether the operator owns `spec.replicas` now.
    pub claims_replicas: bool,
}

impl Change {
    /// The object as a watch tells of it: as it is, or as it last was.
    pub fn told(&self) -> Option<Value> {
        let object = self.after.as_ref().or(self.before.as_ref())?;
        let mut object = with_managers(object, self.claims_replicas);
        if self.after.is_none() {
            set_text(&mut object, "resourceVersion", &self.version.to_string());
        }
        Some(object)
    }
}

#[derive(Clone, Debug)]
struct Stored {
    object: Arc<Value>,
    owners: Owners,
}

/// Objects, and the log of their changes.
#[derive(Debug, Default)]
pub struct Store {
    /// Milliseconds since the epoch.
    pub now: i64,
    version: u64,
    uids: u64,
    objects: BTreeMap<Id, Stored>,
    log: Vec<Change>,
    /// By kind, places in the log: a watch tells of one kind.
    by_kind: BTreeMap<Watched, Vec<usize>>,
    /// Writes by the operator that changed nothing, with the lag of its view.
    pub vain: Vec<(Id, i64)>,
}

impl Store {
    pub fn new(now: i64) -> Self {
        // The versions up to 1 are those of an empty etcd.
        Self { now, version: 1, ..Self::default() }
    }

    pub fn get(&self, id: &Id) -> Option<&Arc<Value>> {
        self.objects.get(id).map(|stored| &stored.object)
    }

    /// The object as a reader gets it.
    pub fn shown(&self, id: &Id) -> Option<Value> {
        let stored = self.objects.get(id)?;
        Some(with_managers(&stored.object, stored.owners.claims_replicas()))
    }

    /// All objects of a kind, by name.
    pub fn all(&self, watched: Watched) -> impl Iterator<Item = (&Id, &Arc<Value>)> {
        self.objects.iter().filter(move |(id, _)| id.watched == watched).map(|(id, stored)| (id, &stored.object))
    }

    pub fn log(&self) -> &[Change] {
        &self.log
    }

    /// Changes of one kind, as places in the log.
    pub fn changes(&self, watched: Watched) -> &[usize] {
        self.by_kind.get(&watched).map(Vec::as_slice).unwrap_or_default()
    }

    /// Objects of a kind as they were after the first `count` of its changes.
    pub fn past(&self, watched: Watched, count: usize) -> Vec<Value> {
        let mut objects = BTreeMap::new();
        for change in self.changes(watched).iter().take(count).filter_map(|place| self.log.get(*place)) {
            match &change.after {
                Some(_) => drop(objects.insert(&change.id.name, change)),
                None => drop(objects.remove(&change.id.name)),
            }
        }
        objects.into_values().filter_map(Change::told).collect()
    }

    /// Server-side apply, forced.
    pub fn apply(&mut self, by: By<'_>, manager: &'static str, id: &Id, body: &Value) -> kube::Result<Value> {
        let text = |field: &str| body.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
        let stored = self.objects.get(id).cloned();
        match &stored {
            Some(stored) => preconditions(id, &stored.object, None, text("resourceVersion"))?,
            None if manager.ends_with("/status") => return Err(refusal::not_found(id)),
            None if text("uid").is_some() => return Err(refusal::conflict(id, "uid mismatch: no existing object was found")),
            None => {}
        }
        if let (Some(stored), Some(uid)) = (&stored, text("uid"))
            && stored.object.pointer("/metadata/uid").and_then(Value::as_str) != Some(uid)
        {
            return Err(refusal::invalid(id, "metadata.uid", "field is immutable"));
        }
        let mut next = match &stored {
            Some(stored) => Stored { object: Arc::clone(&stored.object), owners: stored.owners.clone() },
            None => Stored { object: Arc::new(self.skeleton(id)), owners: Owners::default() },
        };
        let selector = "/spec/selector";
        if let (Some(stored), Some(wanted)) = (&stored, body.pointer(selector))
            && id.watched == Watched::Child(Kind::Deployment)
            && stored.object.pointer(selector) != Some(wanted)
        {
            return Err(refusal::invalid(id, "spec.selector", "field is immutable"));
        }
        let mut object = Value::clone(&next.object);
        next.owners.apply(manager, &mut object, body);
        complete(id, &mut object, self.version);
        next.object = Arc::new(object);
        self.commit(by, id, Some(next));
        self.shown(id).ok_or_else(|| refusal::not_found(id))
    }

    /// Any other write: whoever changes a field of somebody's takes it over.
    pub fn edit(&mut self, by: By<'_>, id: &Id, change: impl FnOnce(&mut Value)) -> kube::Result<()> {
        let stored = self.objects.get(id).cloned().ok_or_else(|| refusal::not_found(id))?;
        let mut object = Value::clone(&stored.object);
        change(&mut object);
        let mut owners = stored.owners;
        owners.lose_changed(&stored.object, &object);
        self.commit(by, id, Some(Stored { object: Arc::new(object), owners }));
        Ok(())
    }

    /// A merge patch with the preconditions in it.
    pub fn merge(&mut self, by: By<'_>, id: &Id, patch: &Value) -> kube::Result<Value> {
        let text = |field: &str| patch.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
        let object = self.get(id).ok_or_else(|| refusal::not_found(id))?;
        preconditions(id, object, text("uid"), text("resourceVersion"))?;
        let mut patch = patch.clone();
        if let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|field, _| !["uid", "resourceVersion"].contains(&field.as_str()));
        }
        self.edit(by, id, |object| fields::merge(object, &patch))?;
        self.shown(id).ok_or_else(|| refusal::not_found(id))
    }

    /// Makes an object that nobody applies: a Microservice, or a pod.
    pub fn create(&mut self, by: By<'_>, id: &Id, body: &Value) {
        let mut object = self.skeleton(id);
        fields::merge(&mut object, body);
        self.commit(by, id, Some(Stored { object: Arc::new(object), owners: Owners::default() }));
    }

    /// What is left of the object is `None`, unless a finalizer holds it up.
    pub fn delete(&mut self, by: By<'_>, id: &Id, params: &DeleteParams) -> kube::Result<Option<Value>> {
        let object = self.get(id).cloned().ok_or_else(|| refusal::not_found(id))?;
        let wanted = params.preconditions.as_ref();
        let uid = wanted.and_then(|wanted| wanted.uid.as_deref());
        preconditions(id, &object, uid, wanted.and_then(|wanted| wanted.resource_version.as_deref()))?;
        if object.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|held| !held.is_empty()) {
            let now = time(self.now);
            self.edit(by, id, |object| set_text(object, "deletionTimestamp", &now))?;
            return Ok(self.shown(id));
        }
        self.commit(by, id, None);
        Ok(None)
    }

    /// Objects whose controlling owner is gone.
    pub fn orphans(&self) -> Vec<Id> {
        let alive: Vec<&str> = self.all(Watched::Microservice).filter_map(|(_, object)| uid(object)).collect();
        let owner = |object: &Value| object.pointer("/metadata/ownerReferences/0/uid").and_then(Value::as_str).map(str::to_owned);
        let children = self.objects.iter().filter(|(id, _)| matches!(id.watched, Watched::Child(_)));
        let orphaned = children.filter(|(_, stored)| owner(&stored.object).is_some_and(|uid| !alive.contains(&uid.as_str())));
        orphaned.map(|(id, _)| id.clone()).collect()
    }

    fn skeleton(&mut self, id: &Id) -> Value {
        self.uids += 1;
        let resource = id.watched.resource();
        let namespace = (id.watched != Watched::Profile).then_some(NAMESPACE);
        let metadata = json!({
            "name": id.name, "namespace": namespace, "uid": format!("uid-{}", self.uids), "creationTimestamp": time(self.now),
        });
        json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata})
    }

    fn commit(&mut self, by: By<'_>, id: &Id, next: Option<Stored>) {
        let before = self.objects.get(id).map(|stored| Arc::clone(&stored.object));
        let claims_replicas = next.as_ref().is_some_and(|next| next.owners.claims_replicas());
        let mut after = None;
        match next {
            None => drop(self.objects.remove(id)),
            Some(mut next) if before.as_ref().is_some_and(|before| *before == next.object) => {
                if by.is_operator {
                    self.vain.push((id.clone(), by.lag));
                }
                if let Some(before) = before {
                    next.object = before;
                }
                self.objects.insert(id.clone(), next);
                return;
            }
            Some(mut next) => {
                let object = Arc::make_mut(&mut next.object);
                let changed = before.as_ref().is_none_or(|before| before.get("spec") != object.get("spec"));
                let generation = before.as_ref().and_then(|before| before.pointer("/metadata/generation")?.as_i64()).unwrap_or(0);
                if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.insert("generation".to_owned(), json!(generation + i64::from(changed)));
                    metadata.insert("resourceVersion".to_owned(), json!((self.version + 1).to_string()));
                }
                after = Some(Arc::clone(&next.object));
                self.objects.insert(id.clone(), next);
            }
        }
        self.version += 1;
        let change = Change {
            at: self.now,
            version: self.version,
            id: id.clone(),
            by: by.name.to_owned(),
            by_operator: by.is_operator,
            lag: by.lag,
            before,
            after,
            claims_replicas,
        };
        self.by_kind.entry(id.watched).or_default().push(self.log.len());
        self.log.push(change);
    }
}

/// What the server fills in, as far as anything depends on it.
fn complete(id: &Id, object: &mut Value, version: u64) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let (field, value) = match id.watched {
        Watched::Child(Kind::Deployment) => ("replicas", json!(1)),
        Watched::Child(Kind::HorizontalPodAutoscaler) => ("minReplicas", json!(1)),
        Watched::Child(Kind::Service) => ("clusterIP", json!(format!("10.0.{}.{}", version / 256, version % 256))),
        _ => return,
    };
    spec.entry(field).or_insert(value);
}

fn preconditions(id: &Id, object: &Value, uid: Option<&str>, version: Option<&str>) -> kube::Result<()> {
    let is = |field: &str, wanted: &str| object.pointer(&format!("/metadata/{field}")).and_then(Value::as_str) == Some(wanted);
    if uid.is_some_and(|wanted| !is("uid", wanted)) {
        return Err(refusal::conflict(id, "Precondition failed: UID in precondition differs from that of the object"));
    }
    if version.is_some_and(|wanted| !is("resourceVersion", wanted)) {
        return Err(refusal::conflict(id, "the object has been modified; please apply your changes to the latest version and try again"));
    }
    Ok(())
}

fn with_managers(object: &Value, claims_replicas: bool) -> Value {
    let mut object = object.clone();
    if claims_replicas && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let fields = json!({"f:spec": {"f:replicas": {}}});
        metadata.insert(
            "managedFields".to_owned(),
            json!([{"manager": crate::api::labels::OPERATOR, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields}]),
        );
    }
    object
}

fn set_text(object: &mut Value, field: &str, text: &str) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert(field.to_owned(), json!(text));
    }
}

pub fn uid(object: &Value) -> Option<&str> {
    object.pointer("/metadata/uid")?.as_str()
}

/// A time as objects carry it: whole seconds.
pub fn time(milliseconds: i64) -> String {
    jiff::Timestamp::from_second(milliseconds.div_euclid(1000)).map(|time| time.to_string()).unwrap_or_default()
}
