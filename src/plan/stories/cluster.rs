//! A cluster with one service, in memory: does what is planned, and reports what a test says.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use crate::api::labels;
use crate::api::v1alpha1::{Microservice, MicroserviceStatus};
use crate::model::{ChildRef, Kind, Progress, parse};
use crate::observe::World;
use crate::observe::world::{ContainerState, Live, Ownership, Pod, Revision};

use crate::plan::{Applied, Cause, ChildFailure, Children, Decision, advance, change::Change, children, reject, suspended};

/// A cluster with one service, in which the apply always does what is planned.
pub struct Story {
    pub world: World,
    pub now: Timestamp,
    generation: i64,
    pub failures: Vec<ChildFailure>,
    pub trace: String,
    pub events: Vec<String>,
}

impl Story {
    pub fn of(spec: Value) -> Self {
        let object: Microservice = serde_json::from_value(json!({
            "apiVersion": "microservices.dev/v1alpha1",
            "kind": "Microservice",
            "metadata": {"name": "orders", "namespace": "shop", "uid": "u-1", "generation": 1, "resourceVersion": "1"},
            "spec": spec,
            "status": {"observedGeneration": -1},
        }))
        .expect("a manifest");
        Self {
            world: World { object, ..World::default() },
            now: "2026-11-22T10:00:00Z".parse().expect("a time"),
            generation: 0,
            failures: Vec::new(),
            trace: String::new(),
            events: Vec::new(),
        }
    }

    pub fn note(&mut self, text: &str) -> &mut Self {
        self.trace.push_str(&format!("# {text}\n"));
        self
    }

    pub fn after(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self.settle()
    }

    /// The user edits the spec.
    pub fn edit(&mut self, patch: impl FnOnce(&mut crate::api::v1alpha1::MicroserviceSpec)) -> &mut Self {
        patch(&mut self.world.object.spec);
        *self.world.object.metadata.generation.get_or_insert(0) += 1;
        self.settle()
    }

    pub fn annotate(&mut self, key: &str, value: &str) -> &mut Self {
        self.world.object.metadata.annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        self.settle()
    }

    /// The Deployment's controller reports.
    pub fn deployment(&mut self, desired: i32, updated: i32, total: i32, available: i32) -> &mut Self {
        self.report(desired, updated, total, available, None)
    }

    /// The Deployment's controller gives up.
    pub fn deadline(&mut self, desired: i32, updated: i32, total: i32, available: i32) -> &mut Self {
        self.report(desired, updated, total, available, Some(deployment_condition("Progressing", "False", "ProgressDeadlineExceeded", "")))
    }

    /// The server refuses pods.
    pub fn refuse(&mut self, message: &str) -> &mut Self {
        self.report(2, 0, 0, 0, Some(deployment_condition("ReplicaFailure", "True", "FailedCreate", message)))
    }

    fn report(&mut self, desired: i32, updated: i32, total: i32, available: i32, extra: Option<DeploymentCondition>) -> &mut Self {
        let generation = self.generation;
        if self.world.deployments.is_empty() {
            self.world.deployments.push(Deployment::default());
        }
        let deployment = &mut self.world.deployments[0];
        deployment.spec.get_or_insert_default().replicas = Some(desired);
        deployment.status = Some(DeploymentStatus {
            observed_generation: Some(generation),
            replicas: Some(total),
            updated_replicas: Some(updated),
            ready_replicas: Some(available),
            available_replicas: Some(available),
            conditions: extra.map(|c| vec![c]),
            ..DeploymentStatus::default()
        });
        self.settle()
    }

    /// A pod of the revision that the Deployment runs has trouble.
    pub fn trouble(&mut self, reason: &str, message: &str, exit_code: Option<i32>) -> &mut Self {
        let revision = self.world.deployments.first().and_then(|d| d.metadata.annotations.as_ref()?.get(labels::REVISION).cloned());
        let containers = vec![ContainerState {
            name: "orders".to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            restarts: exit_code.map_or(0, |_| 3),
            exit_code,
            ready: false,
        }];
        self.world.pods =
            vec![Pod { name: "orders-7d9-x2x".to_owned(), revision, phase: "Pending".to_owned(), containers, ..Pod::default() }];
        self.settle()
    }

    pub fn fail(&mut self, kind: Kind, cause: Cause, message: &str) -> &mut Self {
        let child = ChildRef { kind, name: "orders".to_owned() };
        self.failures = vec![ChildFailure { child, cause, message: message.to_owned() }];
        self.settle()
    }

    /// Passes until nothing changes, as our own status writes trigger them.
    pub fn settle(&mut self) -> &mut Self {
        for _ in 0..10 {
            if !self.pass() {
                return self;
            }
        }
        panic!("ten passes did not settle:\n{}", self.trace);
    }

    fn pass(&mut self) -> bool {
        let decision = self.decide();
        for event in &decision.events {
            self.events.push(format!("{}: {}", event.reason, event.note));
        }
        let before = self.world.object.status.clone();
        let changed = Change::between(before.as_ref(), &decision.status) != Change::None;
        if changed {
            self.trace.push_str(&line(&self.world, &decision));
        }
        self.world.object.status = Some(decision.status);
        changed
    }

    pub fn decide(&mut self) -> Decision {
        match parse::parse(&self.world.object) {
            Err(problems) => reject(&self.world, problems, self.now),
            Ok(parsed) if parsed.service.suspend => suspended(&parsed, &self.world, self.now),
            Ok(parsed) => {
                let progress = Progress::of(&parsed.service.name, self.world.object.status.as_ref());
                let planned = children::children(&parsed.service, &progress, &self.world, self.now);
                let before = self.world.clone();
                let applied = self.apply(&planned);
                advance(&parsed, &progress, &before, &planned, &applied, self.now)
            }
        }
    }

    /// Does what the API server would.
    fn apply(&mut self, planned: &Children) -> Applied {
        let mut applied = Applied { failures: self.failures.clone(), ..Applied::default() };
        for child in &planned.list {
            if self.failures.iter().any(|f| f.child == child.reference) {
                continue;
            }
            let uid = format!("uid-{}", child.reference.name);
            applied.existing.insert(child.reference.clone(), uid.clone());
            let live = self.world.children.iter_mut().find(|l| l.reference == child.reference);
            if live.as_ref().is_some_and(|l| l.object == child.object) {
                continue;
            }
            applied.written.insert(child.reference.clone());
            applied.outdated.insert(child.reference.clone());
            match live {
                Some(live) => live.object = child.object.clone(),
                None => self.world.children.push(live_child(&child.reference, uid, child.object.clone())),
            }
            match child.reference.kind {
                Kind::Deployment => self.take(&child.object),
                Kind::ControllerRevision => self.record(&child.object),
                _ => {}
            }
        }
        let doomed: Vec<ChildRef> = self
            .world
            .children
            .iter()
            .map(|l| l.reference.clone())
            .filter(|r| !planned.retained.contains(r) && !planned.list.iter().any(|c| &c.reference == r))
            .collect();
        self.world.children.retain(|l| !doomed.contains(&l.reference));
        applied.pruned = doomed;
        applied
    }

    fn take(&mut self, object: &Value) {
        self.generation += 1;
        let status = self.world.deployments.pop().and_then(|d| d.status);
        let mut deployment: Deployment = serde_json::from_value(object.clone()).expect("a Deployment");
        deployment.metadata.generation = Some(self.generation);
        let spec = deployment.spec.get_or_insert_default();
        spec.replicas = spec.replicas.or(Some(2));
        deployment.status = status;
        self.world.deployments.push(deployment);
    }

    fn record(&mut self, object: &Value) {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let revision = Revision {
            hash: text("/metadata/name").rsplit('-').next().unwrap_or_default().to_owned(),
            name: text("/metadata/name"),
            number: object.pointer("/revision").and_then(Value::as_i64).unwrap_or(0),
            inputs: text("/metadata/annotations/microservices.dev~1inputs"),
            template: object.pointer("/data").cloned().unwrap_or_default(),
            stable_since: text("/metadata/annotations/microservices.dev~1stable-since").parse().ok().map(Time),
            created: None,
        };
        assert!(!revision.hash.is_empty() && !revision.inputs.is_empty(), "a ControllerRevision names its hash and inputs: {object}");
        self.world.revisions.retain(|r| r.name != revision.name);
        self.world.revisions.push(revision);
        self.world.revisions.sort_by_key(|r| r.number);
    }

    pub fn status(&self) -> MicroserviceStatus {
        self.world.object.status.clone().unwrap_or_default()
    }

    pub fn image(&self) -> String {
        let deployment = self.world.deployments.first().cloned().unwrap_or_default();
        let spec = deployment.spec.unwrap_or_default().template.spec.unwrap_or_default();
        spec.containers.into_iter().next().and_then(|c| c.image).unwrap_or_default()
    }

    pub fn condition(&self, kind: &str) -> (String, String, String) {
        let status = self.status();
        let found = status.conditions.iter().find(|c| c.type_ == kind);
        found.map(|c| (c.status.clone(), c.reason.clone(), c.message.clone())).unwrap_or_default()
    }
}

fn live_child(reference: &ChildRef, uid: String, object: Value) -> Live {
    Live {
        reference: reference.clone(),
        uid,
        resource_version: "1".to_owned(),
        owner: Ownership::Ours,
        deleting: false,
        claims_replicas: false,
        object,
    }
}

fn deployment_condition(kind: &str, status: &str, reason: &str, message: &str) -> DeploymentCondition {
    DeploymentCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        ..DeploymentCondition::default()
    }
}

/// One line of a trace: the summary, what the rollout does, and the message.
fn line(world: &World, decision: &Decision) -> String {
    let find = |kind: &str| decision.status.conditions.iter().find(|c| c.type_ == kind);
    let summary = ["Ready", "Reconciling", "Stalled"]
        .into_iter()
        .filter_map(|kind| find(kind).filter(|c| c.status == "True"))
        .map(|c| format!("{}/{}", c.type_, c.reason))
        .collect::<Vec<_>>()
        .join("+");
    let available = find("Available").map_or("-", |c| c.status.as_str());
    let rollout = decision.status.rollout.clone().unwrap_or_default();
    let image = |hash: &Option<String>| {
        let recorded = world.revisions.iter().find(|r| Some(&r.hash) == hash.as_ref());
        recorded.and_then(|r| r.template.pointer("/spec/containers/0/image")).and_then(Value::as_str).unwrap_or("-").to_owned()
    };
    let message = find("Ready").map(|c| mask(world, &c.message)).unwrap_or_default();
    format!(
        "{summary:<38} available {available:<5} stable {:<9} candidate {:<9} failed {:<9} {message}\n",
        image(&rollout.stable_revision),
        image(&rollout.candidate_revision),
        image(&rollout.failed_revision),
    )
}

/// Hashes would make the trace change with every default; images tell as much.
pub fn mask(world: &World, text: &str) -> String {
    world.revisions.iter().fold(text.to_owned(), |text, revision| {
        let image = revision.template.pointer("/spec/containers/0/image").and_then(Value::as_str).unwrap_or("?");
        text.replace(&revision.hash, &format!("‹{image}›"))
    })
}
