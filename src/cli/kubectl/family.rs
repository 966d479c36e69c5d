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

use super::failure::{Failure, Result};
use super::session::Session;

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
    /// The whole object; null when it is not there, or may not be read.
    pub value: Value,
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
            of_container().unwrap_or(&self.facts.phase).to_owned()
        }
    }
}

impl Family {
    pub async fn fetch(session: &Session, object: Microservice) -> Result<Self> {
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
                session.list(kind.plural(), api, own).await
            }
        });
        let pods: Api<Pod> = Api::namespaced(session.client.clone(), &session.namespace);
        let selector = status.selector.as_deref().unwrap_or(&own);
        let (lists, pods) = futures::join!(join_all(lists), session.list("pods", pods, selector));

        let mut unread = Vec::new();
        let mut found: Vec<DynamicObject> = Vec::new();
        lists.into_iter().for_each(|list| match list {
            Ok(list) => found.extend(list),
            Err(error) => unread.extend(words(error)),
        });
        let children = inventory.into_iter().map(|entry| {
            let live = found.iter().find(|live| live.metadata.uid.as_deref() == Some(entry.uid.as_str()));
            let value = live.and_then(|live| serde_json::to_value(live).ok()).unwrap_or_default();
            Member { kind: entry.kind, name: entry.name, value }
        });
        let children = children.collect();
        let pods = pods.unwrap_or_else(|error| {
            unread.extend(words(error));
            Vec::new()
        });
        let mut pods: Vec<PodView> = pods.iter().map(PodView::of).collect();
        pods.sort_by(|a, b| a.facts.name.cmp(&b.facts.name));
        Ok(Self { object, children, pods, unread })
    }
}

fn words(failure: Failure) -> Option<String> {
    match failure {
        Failure::Refused(text) | Failure::Usage(text) | Failure::TimedOut(text) => Some(text),
        Failure::Closed => None,
    }
}
