//! What to remember and say after a pass.

use jiff::Timestamp;

use crate::api::v1alpha1::{InventoryEntry, MicroserviceStatus, Problem, Protocol, Severity};
use crate::model::{ChildRef, Kind, Progress, Service, parse::Parsed};
use crate::observe::World;
use crate::observe::world::Ownership;

use super::conditions::{Conditions, Is, STALLED, SUSPENDED};
use super::gateway::Gateway;
use super::rollout::layout::layout;
use super::rollout::{
    self, Step,
    scene::{Scene, Sight},
};
use super::verdict::{self, Verdict};
use super::workload::{Workload, Workloads};
use super::{Applied, Children, Decision, Event, families, revision};

/// Looks at what came of a pass.
pub fn advance(parsed: &Parsed, progress: &Progress, world: &World, children: &Children, applied: &Applied, now: Timestamp) -> Decision {
    let service = &parsed.service;
    let target = revision::wanted(service, progress, &world.revisions);
    let hash = target.hash.clone();
    let sight = Sight {
        workloads: Workloads::of(world, applied),
        gateway: Gateway::after(service, world, children, applied),
        addressed: addressed(children, applied),
    };
    let scene = Scene::of(service, &hash, world, &sight, now);
    let step = rollout::step(progress, target, &scene);
    let workload = serving(&scene, &step.progress);

    let mut conditions = Conditions::new(previous(world), service.generation, now);
    conditions.clear(SUSPENDED);
    let (verdict, verdict_wake) = verdict::judge(service, world, applied, &step, &workload, &conditions);
    let family_wake = families::write(&mut conditions, service, world, children, applied, &step, &workload);
    verdict.write(&mut conditions);

    let mut events = step.events.clone();
    events.extend(stalled(world, &verdict));
    let wake = [step.wake, verdict_wake, family_wake].into_iter().flatten().min();
    let status = MicroserviceStatus {
        conditions: conditions.finish(),
        problems: problems(parsed, applied),
        inventory: inventory(world, applied),
        ..facts(service, world, &step, &workload)
    };
    Decision { status, events, wake, questions: step.questions }
}

/// The pods that get requests, as one workload. A candidate behind a gateway is an addition to the stable revision's pods, unless
/// these became fewer for it.
fn serving(scene: &Scene, progress: &Progress) -> Workload {
    let layout = layout(scene, progress);
    let shared = progress.candidate.as_ref().filter(|candidate| candidate.yielded.is_some() && !candidate.takes_over());
    let shared = shared.map(|candidate| candidate.at.deployment.as_str());
    let names: Vec<&str> = layout.serving().map(|set| set.at.deployment.as_str()).chain(shared).collect();
    scene.workloads.sum(&names)
}

/// All Services are as planned.
fn addressed(children: &Children, applied: &Applied) -> bool {
    let mut services = children.list.iter().map(|child| &child.reference).filter(|reference| reference.kind == Kind::Service);
    services.all(|reference| applied.existing.contains_key(reference))
}

/// A spec that passed admission and is still wrong: all problems at once, and the last good children stay.
pub fn reject(world: &World, problems: Vec<Problem>, now: Timestamp) -> Decision {
    let generation = world.object.metadata.generation.unwrap_or(0);
    let mut conditions = Conditions::new(previous(world), generation, now);
    let verdict = Verdict::Stalled { reason: "InvalidSpec", message: listed(&problems) };
    verdict.write(&mut conditions);
    let events = stalled(world, &verdict).into_iter().collect();
    let status = MicroserviceStatus {
        observed_generation: Some(generation),
        conditions: conditions.finish(),
        problems,
        ..world.object.status.clone().unwrap_or_default()
    };
    Decision { status, events, wake: None, questions: Vec::new() }
}

/// The plan itself failed: a fault of the operator, confined to this object.
pub fn broken(world: &World, panic: &str, now: Timestamp) -> Decision {
    let generation = world.object.metadata.generation.unwrap_or(0);
    let mut conditions = Conditions::new(previous(world), generation, now);
    let message =
        format!("the operator failed on this object ({panic}); its children are left as they are. Please report it with the manifest");
    let verdict = Verdict::Stalled { reason: "InternalError", message };
    verdict.write(&mut conditions);
    let events = stalled(world, &verdict).into_iter().collect();
    let before = world.object.status.clone().unwrap_or_default();
    let status = MicroserviceStatus { observed_generation: Some(generation), conditions: conditions.finish(), ..before };
    Decision { status, events, wake: None, questions: Vec::new() }
}

/// `spec.suspend`: conditions keep their last values, and nothing but status is written.
pub fn suspended(parsed: &Parsed, world: &World, now: Timestamp) -> Decision {
    let service = &parsed.service;
    let workloads = Workloads::of(world, &Applied::default());
    let names: Vec<&str> = workloads.0.iter().map(|workload| workload.name.as_str()).collect();
    let workload = workloads.sum(&names);
    let mut conditions = Conditions::new(previous(world), service.generation, now);
    let was = conditions.get(SUSPENDED).is_some();
    conditions.set(SUSPENDED, Is::True, "Suspended", "`spec.suspend` is true: children are left as they are");
    let before = world.object.status.clone().unwrap_or_default();
    let status = MicroserviceStatus {
        observed_generation: Some(service.generation),
        conditions: conditions.finish(),
        replicas: Some(workload.total),
        ready_replicas: Some(workload.ready),
        ready_text: Some(workload.text()),
        problems: parsed.warnings.clone(),
        ..before
    };
    let events = if was {
        Vec::new()
    } else {
        vec![Event::normal("Suspended", "Suspend", "children are left as they are until `spec.suspend` is false")]
    };
    Decision { status, events, wake: None, questions: Vec::new() }
}

/// Everything in status that is neither a condition, a problem nor the inventory.
fn facts(service: &Service, world: &World, step: &Step, workload: &Workload) -> MicroserviceStatus {
    MicroserviceStatus {
        observed_generation: Some(service.generation),
        replicas: Some(workload.total),
        ready_replicas: Some(workload.ready),
        ready_text: Some(workload.text()),
        selector: Some(super::children::selector_text(service)),
        url: url(service),
        image: Some(image(service, world, step)),
        revision: step.progress.stable_revision().cloned(),
        rollout: Some(step.progress.clone().into_status(step.state())),
        autoscaling: families::autoscaling(service, world),
        defaults: Some(service.defaults.clone()),
        ..MicroserviceStatus::default()
    }
}

/// Address inside the cluster: `http://orders.shop`, with the port where it is not the scheme's own.
fn url(service: &Service) -> Option<String> {
    let port = service.ports.first()?;
    let (scheme, usual) = match port.protocol {
        Protocol::HTTP => ("http", 80),
        Protocol::GRPC => ("grpc", 80),
        Protocol::TCP => ("tcp", 0),
        Protocol::UDP => ("udp", 0),
    };
    let host = format!("{scheme}://{}.{}", service.name, service.namespace);
    Some(if port.service_port == usual { host } else { format!("{host}:{}", port.service_port) })
}

/// The image that serves: with its digest once a ready pod of the revision tells it.
fn image(service: &Service, world: &World, step: &Step) -> String {
    let serving = step.progress.stable_revision().unwrap_or(&step.target.hash);
    let mut seen = world.pods.iter().filter(|pod| pod.ready && pod.revision.as_deref() == Some(serving.as_str()));
    seen.find_map(|pod| pod.images.get(&service.name)).cloned().unwrap_or_else(|| {
        let recorded = world.revisions.iter().find(|r| r.hash == *serving);
        let main = recorded.and_then(|r| r.template.pointer("/spec/containers/0/image")).and_then(|v| v.as_str());
        main.unwrap_or(&service.spec.image).to_owned()
    })
}

/// Warnings of the spec and failures of children.
fn problems(parsed: &Parsed, applied: &Applied) -> Vec<Problem> {
    let failed = applied.failures.iter().map(|failure| Problem {
        field: match failure.cause {
            super::Cause::OwnershipConflict => "metadata.name".to_owned(),
            _ => "spec".to_owned(),
        },
        severity: Severity::Error,
        reason: format!("{:?}", failure.cause),
        message: format!("{}: {}", failure.child, failure.message),
    });
    parsed.warnings.iter().cloned().chain(failed).collect()
}

/// Children that exist because of this object: what was there and was not pruned, and what this pass made.
fn inventory(world: &World, applied: &Applied) -> Vec<InventoryEntry> {
    let there = world.children.iter().filter(|live| live.owner == Ownership::Ours && !applied.pruned.contains(&live.reference));
    let there = there.map(|live| (&live.reference, &live.uid));
    let mut entries: Vec<InventoryEntry> = there
        .filter(|(reference, _)| !applied.existing.contains_key(reference))
        .chain(&applied.existing)
        .map(|(reference, uid)| entry(reference, uid))
        .collect();
    entries.sort();
    entries
}

fn entry(reference: &ChildRef, uid: &str) -> InventoryEntry {
    let kind: Kind = reference.kind;
    InventoryEntry {
        group: kind.group().to_owned(),
        version: kind.version().to_owned(),
        kind: kind.name().to_owned(),
        name: reference.name.clone(),
        uid: uid.to_owned(),
    }
}

/// A warning for the moment in which the object stalls, or stalls for another reason.
fn stalled(world: &World, verdict: &Verdict) -> Option<Event> {
    let Verdict::Stalled { reason, message } = verdict else { return None };
    // The rollout tells of its own failures, with more detail.
    if [rollout::DEADLINE, rollout::BAKE_FAILED, rollout::GATE_REFUSED, "RolloutAborted"].contains(reason) {
        return None;
    }
    let known = previous(world).iter().any(|c| c.type_ == STALLED && c.reason == *reason);
    (!known).then(|| Event::warning(reason, "Reconcile", message.clone()))
}

fn previous(world: &World) -> &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition] {
    world.object.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default()
}

/// How many problems a condition's message spells out; the rest is in `status.problems`.
const SPELLED_OUT: usize = 3;

fn listed(problems: &[Problem]) -> String {
    let mut parts: Vec<String> = problems.iter().take(SPELLED_OUT).map(|p| format!("{}: {}", p.field, p.message)).collect();
    if problems.len() > SPELLED_OUT {
        parts.push(format!("and {} more, see `status.problems`", problems.len() - SPELLED_OUT));
    }
    parts.join("; ")
}

impl Event {
    pub fn normal(reason: &'static str, action: &'static str, note: impl Into<String>) -> Self {
        Self { warning: false, reason, action, note: note.into() }
    }

    pub fn warning(reason: &'static str, action: &'static str, note: impl Into<String>) -> Self {
        Self { warning: true, reason, action, note: note.into() }
    }
}
