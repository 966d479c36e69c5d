//! The summary: exactly one of `Ready`, `Reconciling` and `Stalled` is True.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::v1alpha1::Strategy;
use crate::model::{Candidate, Service};
use crate::observe::World;

use super::conditions::{Conditions, Is, READY, RECONCILING, STALLED, WORKLOAD};
use super::rollout::{BAKE_FAILED, DEADLINE, GATE_REFUSED, Step};
use super::workload::{Workload, minimum};
use super::{Applied, Cause, diagnose};

/// What the summary conditions say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ready {
        reason: &'static str,
        message: String,
    },
    /// Work goes on. `down`: fewer pods serve than promised.
    Reconciling {
        reason: &'static str,
        message: String,
        down: bool,
    },
    /// Nothing moves without a change by somebody.
    Stalled {
        reason: &'static str,
        message: String,
    },
}

impl Verdict {
    /// Writes the three summary conditions.
    pub fn write(&self, conditions: &mut Conditions) {
        match self {
            Self::Ready { reason, message } => {
                conditions.set(READY, Is::True, reason, message);
                conditions.clear(RECONCILING);
                conditions.clear(STALLED);
            }
            Self::Reconciling { reason, message, down } => {
                conditions.set(READY, if *down { Is::False } else { Is::Unknown }, reason, message);
                conditions.set(RECONCILING, Is::True, reason, message);
                conditions.clear(STALLED);
            }
            Self::Stalled { reason, message } => {
                conditions.set(READY, Is::False, reason, message);
                conditions.clear(RECONCILING);
                conditions.set(STALLED, Is::True, reason, message);
            }
        }
    }
}

/// Weighs everything that was seen; the first that applies wins. Also says when the verdict changes by itself.
pub fn judge(
    service: &Service,
    world: &World,
    applied: &Applied,
    step: &Step,
    workload: &Workload,
    conditions: &Conditions,
) -> (Verdict, Option<Duration>) {
    if let Some(verdict) = refused_children(applied) {
        return (verdict, None);
    }
    if step.failed() {
        return (given_up(step, workload), None);
    }
    if let Some(verdict) = refused_pods(workload) {
        return (verdict, None);
    }
    if step.progress.candidate.is_some() {
        return (rolling(step, world, workload), None);
    }
    if step.progress.bake.is_some() {
        return (baking(step, world, workload, minimum(service, workload)), None);
    }
    if let Some(leaving) = step.leaving {
        let message = format!("{leaving} pods of another revision have yet to go");
        return (Verdict::Reconciling { reason: "RolloutInProgress", message, down: false }, None);
    }
    let least = minimum(service, workload);
    if let Some(held) = &step.held {
        let down = !workload.serves(least);
        let message = format!("{} of {} pods serve; {held}", workload.available, workload.desired);
        return (Verdict::Reconciling { reason: "RolloutWaiting", message, down }, None);
    }
    if workload.serves(least) {
        return (serving(step, workload), None);
    }
    lacking(service, world, workload, least, conditions)
}

/// A child that could not be applied. What needs a human comes before what may pass.
fn refused_children(applied: &Applied) -> Option<Verdict> {
    let worst = applied.failures.iter().min_by(|a, b| a.cause.cmp(&b.cause).then_with(|| a.child.cmp(&b.child)))?;
    let more = match applied.failures.len() {
        1 => String::new(),
        n => format!(" (and {} more, see `status.problems`)", n - 1),
    };
    let message = format!("{}: {}{more}", worst.child, worst.message);
    let stalled = |reason| Verdict::Stalled { reason, message: message.clone() };
    Some(match worst.cause {
        Cause::OwnershipConflict => stalled("OwnershipConflict"),
        Cause::Forbidden => stalled("Forbidden"),
        Cause::QuotaExceeded => stalled("QuotaExceeded"),
        Cause::Invalid => stalled("InvalidSpec"),
        Cause::Terminating => Verdict::Reconciling { reason: "Progressing", message, down: false },
        Cause::Transient => Verdict::Reconciling { reason: "ProgressingWithRetry", message, down: false },
    })
}

/// The spec's revision has failed, or was given up.
fn given_up(step: &Step, workload: &Workload) -> Verdict {
    let (cause, why) = step.progress.failure.as_ref().map(|f| (f.message.as_str(), f.reason.as_str())).unwrap_or_default();
    let failed = &step.target.hash;
    let now = match &step.back {
        Some(stable) if workload.runs(stable) && workload.complete() => {
            format!("rolled back to revision {stable}, which serves with {} pods", workload.available)
        }
        Some(stable) => {
            let returning = step.progress.candidate.as_ref().is_some_and(|candidate| candidate.returning);
            let lack = step.lack.clone().filter(|_| returning);
            lack.unwrap_or_else(|| format!("going back to revision {stable}"))
        }
        None => "it is left in place".to_owned(),
    };
    Verdict::Stalled {
        reason: [DEADLINE, BAKE_FAILED, GATE_REFUSED].into_iter().find(|known| *known == why).unwrap_or("RolloutAborted"),
        message: format!("{cause}; {now}. Change the spec, or try again with the annotation microservices.dev/retry={failed}"),
    }
}

/// Pods that the server refuses to create.
fn refused_pods(workload: &Workload) -> Option<Verdict> {
    let said = workload.refused.as_ref()?;
    let (reason, next) = if said.contains("exceeded quota") || said.contains("failed quota") {
        (
            "QuotaExceeded",
            "Free or raise the ResourceQuota of the namespace, or ask for less in `spec.resources`; it is tried again by itself",
        )
    } else if said.contains("PodSecurity") {
        (
            "Forbidden",
            "The namespace enforces a stricter Pod Security level than the spec asks for: take back `spec.securityContext`, `spec.podSecurityContext` or `spec.podTemplate`, or relabel the namespace",
        )
    } else {
        ("Forbidden", "An admission policy refuses the pods: change what it names, or the policy")
    };
    Some(Verdict::Stalled { reason, message: format!("pods are refused: {said}. {next}") })
}

fn rolling(step: &Step, world: &World, workload: &Workload) -> Verdict {
    let Some(candidate) = &step.progress.candidate else { return serving(step, workload) };
    let revision = &candidate.at.revision;
    let what = match &step.progress.stable {
        Some(stable) => format!("rolling from revision {} to {revision}", stable.revision),
        None => format!("first rollout, revision {revision}"),
    };
    let next = step.held.as_ref().map(|held| format!("; {held}")).unwrap_or_default();
    let trouble = diagnose::worst(&world.pods, Some(revision)).map(|t| format!("; {t}")).unwrap_or_default() + &next;
    if let Some(pause) = &step.pause {
        let message = format!("{what}: {}; {pause}{trouble}", place(candidate));
        return Verdict::Reconciling { reason: "RolloutPaused", message, down: false };
    }
    let reason = if step.progress.stable.is_some() { "RolloutInProgress" } else { "Progressing" };
    let message = match &step.lack {
        Some(lack) => format!("{what}: {}; {lack}{trouble}", place(candidate)),
        None if candidate.steps > 0 => format!("{what}: {}{trouble}", place(candidate)),
        None => {
            let pods = if workload.runs(revision) { workload.updated_available() } else { 0 };
            if workload.current {
                format!("{what}: {pods} of {} pods available{trouble}", workload.desired)
            } else {
                format!("{what}{trouble}")
            }
        }
    };
    Verdict::Reconciling { reason, message, down: false }
}

/// How far a candidate has come.
fn place(candidate: &Candidate) -> String {
    match candidate.strategy {
        Strategy::BlueGreen => {
            let phase = ["new pods start", "new pods are ready", "new pods grow to full number", "the Service switches"];
            phase.get(candidate.step).copied().unwrap_or_default().to_owned()
        }
        _ if candidate.steps == 0 => format!("{} % of the {}", candidate.observed_weight, shared(candidate)),
        _ => {
            let step = (candidate.step + 1).min(candidate.steps);
            format!("step {step} of {}, {} % of the {}", candidate.steps, candidate.weight, shared(candidate))
        }
    }
}

const fn shared(candidate: &Candidate) -> &'static str {
    if candidate.routed { "requests" } else { "pods" }
}

/// The new version serves, and may still be taken back: not ready in the sense that nothing is left to wait for.
fn baking(step: &Step, world: &World, workload: &Workload, least: i32) -> Verdict {
    let Some(bake) = &step.progress.bake else { return serving(step, workload) };
    let revision = step.progress.stable_revision().unwrap_or(&step.target.hash);
    let serves = format!("{} of {} pods serve revision {revision}", workload.available, workload.desired);
    let message = match &step.lack {
        Some(lack) => {
            let trouble = diagnose::worst(&world.pods, Some(revision)).map(|t| format!("; {t}")).unwrap_or_default();
            format!("{serves}: {lack}, and revision {} comes back unless that changes{trouble}", bake.revision)
        }
        None => format!(
            "{serves}, and revision {} can come back at once until {}, or the annotation microservices.dev/promote={revision}",
            bake.revision,
            Timestamp::from_second(bake.until.0.as_second()).unwrap_or(bake.until.0)
        ),
    };
    Verdict::Reconciling { reason: "RolloutBaking", message, down: workload.available < least }
}

fn serving(step: &Step, workload: &Workload) -> Verdict {
    let revision = step.progress.stable_revision().unwrap_or(&step.target.hash);
    if workload.desired == 0 {
        return Verdict::Ready { reason: "ScaledToZero", message: "scaled to zero by `spec.replicas: 0`; no pod serves".to_owned() };
    }
    Verdict::Ready { reason: "Serving", message: format!("{} of {} pods serve revision {revision}", workload.available, workload.desired) }
}

/// Everything was rolled out once, and now too few pods serve: patience until the progress deadline, then `Stalled`.
fn lacking(service: &Service, world: &World, workload: &Workload, least: i32, conditions: &Conditions) -> (Verdict, Option<Duration>) {
    let deadline = i64::from(service.rollout.progress_deadline_seconds);
    let age = if conditions.get(WORKLOAD).is_some_and(|c| c.status == "False") { conditions.age(WORKLOAD) } else { 0 };
    let trouble = diagnose::worst(&world.pods, None).map(|t| format!("; {t}")).unwrap_or_default();
    let message = if workload.current {
        format!("{} of at least {least} pods are available{trouble}", workload.available)
    } else {
        "the Deployment's controller has yet to see the change".to_owned()
    };
    if workload.current && age >= deadline {
        return (Verdict::Stalled { reason: DEADLINE, message: format!("{message}; so for {deadline} s or more") }, None);
    }
    let down = workload.current && workload.available < least;
    let wake = Duration::from_secs((deadline - age).max(1).unsigned_abs());
    (Verdict::Reconciling { reason: "Progressing", message, down }, down.then_some(wake))
}
