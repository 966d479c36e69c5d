//! A Microservice and what belongs to it, fetched with the caller's rights. What may not be read is left out, and said.

use std::collections::BTreeSet;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject};
use serde_json::Value;

use crate::api::labels;
use crate::api::v1alpha1::Microservice;
use crate::model::Kind;
use crate::observe::world::Pod as Facts;
use crate::observe::{Watched, pod_summary};
use crate::plan::diagnose;

use super::failure::explain;
use super::session::{Session, list};

/// All that screens are made of.
#[derive(Clone, Debug, Default)]
pub struct Family {
    pub object: Microservice,
    /// Those of the inventory that were found.
    pub children: Vec<Member>,
    pub pods: Vec<PodView>,
    /// What could not be read, in words.
    pub unread: Vec<String>,
}

/// A child.
#[derive(Clone, Debug, Default)]
pub struct Member {
    pub kind: String,
    pub name: String,
    /// The whole object; null when it was not found.
    pub value: Value,
    /// It would have been found if it were there.
    pub read: bool,
}

/// A pod as people look at it.
#[derive(Clone, Debug, Default)]
pub struct PodView {
    pub facts: Facts,
    /// Deployment that it came from.
    pub deployment: Option<String>,
    pub created: Option<Timestamp>,
    pub restarts: i32,
    pub leaving: bool,
}

impl PodView {
    pub fn of(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let owner = pod.metadata.owner_references.iter().flatten().find(|owner| owner.kind == "ReplicaSet");
        // A ReplicaSet is named after its Deployment and a hash: that spares a request, and a right, for ReplicaSets.
        let deployment = owner.and_then(|owner| owner.name.rsplit_once('-')).map(|(name, _)| name.to_owned());
        Self {
            facts: pod_summary(&pod.metadata, &status),
            deployment,
            created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
            restarts: status.container_statuses.iter().flatten().map(|container| container.restart_count).sum(),
            leaving: pod.metadata.deletion_timestamp.is_some(),
        }
    }

    /// What keeps it from being ready, in a sentence.
    pub fn trouble(&self) -> Option<String> {
        if self.leaving { None } else { diagnose::worst(std::slice::from_ref(&self.facts), None) }
    }

    /// The same in a word or two.
    pub fn state(&self) -> String {
        let of_container = || self.facts.containers.iter().map(|container| container.reason.as_str()).find(|reason| !reason.is_empty());
        if self.leaving {
            "Terminating".to_owned()
        } else if self.facts.unscheduled.is_some() {
            "Unschedulable".to_owned()
        } else {
            let phase = if self.facts.phase == "Running" { "not ready" } else { &self.facts.phase };
            of_container().unwrap_or(phase).to_owned()
        }
    }
}

impl Family {
    pub async fn fetch(session: &Session, object: Microservice) -> Self {
        let name = object.metadata.name.clone().unwrap_or_default();
        let own = format!("{}={name}", labels::INSTANCE);
        let status = object.status.clone().unwrap_or_default();
        let inventory = status.inventory;
        let kinds: BTreeSet<Kind> = inventory.iter().filter_map(|entry| Kind::find(&entry.group, &entry.kind)).collect();
        let lists = kinds.into_iter().map(|kind| {
            let own = &own;
            async move {
                let api: Api<DynamicObject> =
                    Api::namespaced_with(session.client.clone(), &session.namespace, &Watched::Child(kind).resource());
                (kind, list(api, own).await)
            }
        });
        let pods: Api<Pod> = Api::namespaced(session.client.clone(), &session.namespace);
        let selector = status.selector.as_deref().unwrap_or(&own);
        let (lists, pods) = futures::join!(join_all(lists), list(pods, selector));

        let mut unread = Unread::default();
        let mut found: Vec<DynamicObject> = Vec::new();
        for (kind, list) in lists {
            found.extend(unread.sift(kind.plural(), list));
        }
        let pods = unread.sift("pods", pods);
        let children = inventory.into_iter().map(|entry| {
            let live = found.iter().find(|live| live.metadata.uid.as_deref() == Some(entry.uid.as_str()));
            let value = live.and_then(|live| serde_json::to_value(live).ok()).unwrap_or_default();
            let read = Kind::find(&entry.group, &entry.kind).is_some_and(|kind| !unread.kinds.contains(&kind.plural()));
            Member { kind: entry.kind, name: entry.name, value, read }
        });
        let children = children.collect();
        let mut pods: Vec<PodView> = pods.iter().map(PodView::of).collect();
        pods.sort_by(|a, b| a.facts.name.cmp(&b.facts.name));
        Self { object, children, pods, unread: unread.words() }
    }
}

/// What could not be read.
#[derive(Default)]
struct Unread {
    kinds: Vec<&'static str>,
    forbidden: Vec<&'static str>,
    others: Vec<String>,
}

impl Unread {
    fn sift<T>(&mut self, kind: &'static str, list: kube::Result<Vec<T>>) -> Vec<T> {
        list.unwrap_or_else(|error| {
            self.kinds.push(kind);
            match error {
                kube::Error::Api(status) if status.is_forbidden() => self.forbidden.push(kind),
                error => self.others.push(explain(&format!("list {kind}"), &error).to_string()),
            }
            Vec::new()
        })
    }

    /// In sentences. Rights that are missing are usually missing together.
    fn words(mut self) -> Vec<String> {
        if !self.forbidden.is_empty() {
            let kinds = self.forbidden.join(", ");
            self.others.push(format!("you may not list {kinds}; ask the cluster's administrator for these rights"));
        }
        self.others
    }
}
