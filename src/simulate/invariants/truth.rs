//! What a service and its pods are at one moment, from plain objects: those of a simulation, or of a real API server.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::api::labels;
use crate::api::v1alpha1::{Microservice, MicroserviceStatus};
use crate::model::{Kind, Progress};
use crate::observe::Watched;
use crate::simulate::autoscaler::{is_ready, selects};
use crate::simulate::store::Id;

/// The objects of one service.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub name: String,
    pub objects: BTreeMap<Id, Arc<Value>>,
}

impl Truth {
    pub fn get(&self, watched: Watched, name: &str) -> Option<&Value> {
        self.objects.get(&Id::new(watched, name)).map(AsRef::as_ref)
    }

    pub fn all(&self, watched: Watched) -> impl Iterator<Item = (&str, &Value)> {
        self.objects.iter().filter(move |(id, _)| id.watched == watched).map(|(id, object)| (id.name.as_str(), object.as_ref()))
    }

    pub fn microservice(&self) -> Option<Microservice> {
        serde_json::from_value(self.get(Watched::Microservice, &self.name)?.clone()).ok()
    }

    pub fn status(&self) -> Option<MicroserviceStatus> {
        let object = self.get(Watched::Microservice, &self.name)?;
        serde_json::from_value(object.get("status")?.clone()).ok()
    }

    pub fn progress(&self) -> Progress {
        Progress::of(&self.name, self.status().as_ref())
    }

    pub fn deployments(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.all(Watched::Child(Kind::Deployment))
    }

    pub fn ready_pods(&self) -> impl Iterator<Item = &Value> {
        self.all(Watched::Pod).map(|(_, pod)| pod).filter(|pod| is_ready(pod))
    }

    /// Whether a pod gets requests as soon as it is ready. Without a Service, whoever runs works.
    pub fn is_addressed(&self, pod: &Value) -> bool {
        match self.get(Watched::Child(Kind::Service), &self.name) {
            Some(service) => selects(service.pointer("/spec/selector"), pod),
            None => true,
        }
    }

    /// Ready pods that get requests.
    pub fn serving(&self) -> impl Iterator<Item = &Value> {
        self.ready_pods().filter(|pod| self.is_addressed(pod))
    }

    /// Pods that Deployments ask for, and those that are there beyond that; `all`: also those that nobody asks for any more, of
    /// Deployments that ask for none, or whose controller has yet to see that it is to have fewer.
    ///
    /// Where one that is to go is half-way in an update, pods beyond its number count only as far as they serve: its controller
    /// keeps a broken one for as long as no other takes its place, and it must not stand in the way of those that would.
    pub fn asked(&self, all: bool) -> i64 {
        let counted = self.deployments().filter(|(_, deployment)| all || replicas(deployment) > 0);
        let seen = |deployment: &Value| deployment.pointer("/status/observedGeneration") == deployment.pointer("/metadata/generation");
        let progress = self.progress();
        let wanted = [progress.stable.as_ref(), progress.candidate.as_ref().map(|candidate| &candidate.at)];
        let there = |name: &str, deployment: &Value| match seen(deployment) {
            true if wanted.iter().flatten().all(|at| at.deployment != name) && is_half_way(deployment) => {
                status(deployment, "availableReplicas")
            }
            seen if seen || all => self.there(deployment),
            _ => 0,
        };
        counted.map(|(name, deployment)| replicas(deployment).max(there(name, deployment))).sum()
    }

    /// Whether the template of a revision is on record.
    pub fn is_recorded(&self, revision: &str) -> bool {
        self.all(Watched::Child(Kind::ControllerRevision)).any(|(name, _)| name.ends_with(revision))
    }

    fn there(&self, deployment: &Value) -> i64 {
        let pods = self.all(Watched::Pod).filter(|(_, pod)| belongs(pod, deployment));
        count(pods.filter(|(_, pod)| pod.pointer("/metadata/deletionTimestamp").is_none()))
    }

    /// The revision that the Service names, or the kind of Deployment, if it names one.
    pub fn pinned(&self) -> Option<&str> {
        let selector = self.get(Watched::Child(Kind::Service), &self.name)?.pointer("/spec/selector")?;
        selector.get(labels::REVISION).or_else(|| selector.get(labels::TRACK))?.as_str()
    }
}

pub fn replicas(deployment: &Value) -> i64 {
    deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

/// A number of a Deployment's status.
fn status(deployment: &Value, field: &str) -> i64 {
    deployment.pointer("/status").and_then(|status| status.get(field)).and_then(Value::as_i64).unwrap_or_default()
}

/// Some of its pods are of a template of before.
fn is_half_way(deployment: &Value) -> bool {
    status(deployment, "replicas") > status(deployment, "updatedReplicas")
}

/// Whether a Deployment selects a pod.
pub fn belongs(pod: &Value, deployment: &Value) -> bool {
    selects(deployment.pointer("/spec/selector/matchLabels"), pod)
}

pub fn revision(pod: &Value) -> &str {
    pod.pointer("/metadata/labels").and_then(|all| all.get(labels::REVISION)).and_then(Value::as_str).unwrap_or_default()
}

pub fn count(items: impl Iterator) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}
