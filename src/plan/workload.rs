//! What the Deployments show, in the words that decisions need.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};

use crate::api::labels;
use crate::model::{ChildRef, Kind, Scaling, Service};
use crate::observe::World;

use super::Applied;
use super::rollout::layout::Role;

/// One Deployment of a service as last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Workload {
    /// Name of the Deployment.
    pub name: String,
    /// It was last told that it is the stable one.
    pub stable: bool,
    /// Revision that the Deployment was last told to run.
    pub revision: Option<String>,
    /// The Deployment's controller has seen the present spec, and this pass has not changed it: the numbers speak of it.
    pub current: bool,
    /// Pods wanted.
    pub desired: i32,
    /// Pods of any revision.
    pub total: i32,
    /// Pods of the present revision.
    pub updated: i32,
    pub ready: i32,
    /// Pods that have been ready for `minReadySeconds`.
    pub available: i32,
    /// Pods of the present revision that are being deleted, and still run; in no other number.
    pub leaving: i32,
    /// The Deployment's controller gave the present revision up.
    pub deadline_exceeded: bool,
    /// Why pods cannot be created: the server's words, e.g. of a full quota.
    pub refused: Option<String>,
}

impl Workload {
    fn of(deployment: &Deployment, applied: &Applied) -> Self {
        let status = deployment.status.clone().unwrap_or_default();
        let observed = status.observed_generation.unwrap_or(0) >= deployment.metadata.generation.unwrap_or(0);
        let name = deployment.metadata.name.clone().unwrap_or_default();
        let reference = ChildRef { kind: Kind::Deployment, name: name.clone() };
        let condition = |kind| find(status.conditions.as_deref().unwrap_or_default(), kind);
        Self {
            name,
            stable: deployment.metadata.labels.as_ref().and_then(|l| l.get(labels::ROLE)).is_some_and(|role| role == Role::Stable.word()),
            revision: deployment.metadata.annotations.as_ref().and_then(|a| a.get(labels::REVISION)).cloned(),
            current: observed && !applied.outdated.contains(&reference),
            desired: wanted(deployment),
            total: status.replicas.unwrap_or(0),
            updated: status.updated_replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            leaving: 0,
            deadline_exceeded: condition("Progressing")
                .is_some_and(|c| c.status == "False" && c.reason.as_deref() == Some("ProgressDeadlineExceeded")),
            refused: condition("ReplicaFailure").filter(|c| c.status == "True").and_then(|c| c.message.clone()),
        }
    }

    /// The Deployment runs `revision`, and its numbers speak of it.
    pub fn runs(&self, revision: &str) -> bool {
        self.current && self.revision.as_deref() == Some(revision)
    }

    /// Every wanted pod is of the present revision and available, and no other is left.
    pub fn complete(&self) -> bool {
        self.current && self.updated >= self.desired && self.total == self.updated && self.available >= self.desired
    }

    /// No pod of another revision is left, and enough are available. Unlike [`complete`](Self::complete) this stays true
    /// while an autoscaler adds pods.
    pub fn serves(&self, minimum: i32) -> bool {
        self.current && self.total == self.updated && self.available >= minimum
    }

    /// Pods of the present revision that are surely available: a Deployment counts all revisions together, and at worst
    /// every pod of another one is among them.
    pub fn updated_available(&self) -> i32 {
        (self.available - (self.total - self.updated)).max(0)
    }

    /// Pods that are there or will be.
    pub fn pods(&self) -> i32 {
        self.desired.max(self.total)
    }

    /// Ready pods of wanted pods, for people.
    pub fn text(&self) -> String {
        format!("{}/{}", self.ready, self.desired)
    }
}

/// All Deployments of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Workloads(pub Vec<Workload>);

impl Workloads {
    pub fn of(world: &World, applied: &Applied) -> Self {
        let leaving = |workload: Workload| {
            let count = workload.revision.as_ref().and_then(|revision| world.leaving.get(revision)).copied().unwrap_or_default();
            Workload { leaving: count, ..workload }
        };
        Self(world.deployments.iter().map(|deployment| leaving(Workload::of(deployment, applied))).collect())
    }

    pub fn find(&self, name: &str) -> Option<&Workload> {
        self.0.iter().find(|workload| workload.name == name)
    }

    /// The one of this name; all zeros if there is none.
    pub fn named(&self, name: &str) -> Workload {
        self.find(name).cloned().unwrap_or_else(|| Workload { name: name.to_owned(), ..Workload::default() })
    }

    /// Those of these names taken together: the numbers added up, current if all are.
    pub fn sum(&self, names: &[&str]) -> Workload {
        let mut parts = names.iter().map(|name| self.named(name));
        let first = parts.next().unwrap_or_default();
        parts.fold(first, |sum, part| Workload {
            current: sum.current && part.current,
            desired: sum.desired + part.desired,
            total: sum.total + part.total,
            updated: sum.updated + part.updated,
            ready: sum.ready + part.ready,
            available: sum.available + part.available,
            deadline_exceeded: sum.deadline_exceeded || part.deadline_exceeded,
            refused: sum.refused.or(part.refused),
            ..sum
        })
    }
}

/// Fewest available pods with which the service keeps its promise.
pub fn minimum(service: &Service, workload: &Workload) -> i32 {
    match &service.scaling {
        Scaling::Fixed(replicas) => *replicas,
        // Below the bound only for the moment that the autoscaler needs to raise the number.
        Scaling::Auto(bounds) => bounds.min.min(workload.desired.max(1)),
    }
}

/// `spec.replicas`, which the server defaults to 1.
fn wanted(deployment: &Deployment) -> i32 {
    deployment.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1)
}

fn find<'a>(conditions: &'a [DeploymentCondition], kind: &str) -> Option<&'a DeploymentCondition> {
    conditions.iter().find(|c| c.type_ == kind)
}
