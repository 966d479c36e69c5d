//! A rollout with a Deployment of its own for each revision: one step further in each pass, each step in one write.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

use crate::api::v1alpha1::{Failure, OnFailure, Parked, Strategy};
use crate::model::{Answer, Candidate, Placed, Progress, Step as Planned};
use crate::plan::workload::Workload;
use crate::plan::{Event, diagnose};

use super::clock::Left;
use super::layout::{Layout, Role, Set, Size, comes_first, layout};
use super::routed::{self, PROPAGATION_SECONDS};
use super::scene::{Scene, is_rolling};
use super::{DEADLINE, GATE_REFUSED, Step, bake, blue_green, clock, dynamic, gate, refill};

/// A step of the state machine in the making.
pub struct Drive<'a, 'b> {
    pub step: &'a mut Step,
    pub scene: &'a Scene<'b>,
}

/// Goes on with the candidate, as far as its pods and the user let it.
pub fn drive(step: &mut Step, scene: &Scene, began: bool) {
    go_on(step, scene, began);
    dynamic::note(&mut Drive { step, scene });
    clock::note(scene, &mut step.progress);
}

fn go_on(step: &mut Step, scene: &Scene, began: bool) {
    let mut drive = Drive { step, scene };
    bake::watch(&mut drive);
    drive.drain();
    drive.follow_steps();
    if began {
        return;
    }
    let Some(candidate) = drive.step.progress.candidate.clone() else { return };
    if candidate.returning {
        return dynamic::come_back(&mut drive);
    }
    let layout = layout(scene, &drive.step.progress);
    refill::watch(&mut drive, &layout);
    let lack = lack(scene, &layout, &drive.step.progress, &candidate);
    let given_up = drive.step.progress.failed.as_ref() == Some(&candidate.at.revision);
    if given_up {
        // Left in place; where there is nothing to go back to it may still heal.
        if lack.is_none() && drive.step.progress.stable.is_none() {
            drive.promote();
        }
        return;
    }
    let held = scene.service.rollout.paused || candidate.paused;
    if held {
        return drive.lacks_nothing();
    }
    if let Some(lack) = lack {
        return drive.wait_for(&candidate, &layout, &lack);
    }
    drive.lacks_nothing();
    drive.advance(&layout);
}

/// Why the step in progress has not got its pods, if it has not; what the candidate lacks comes first.
pub fn lack(scene: &Scene, layout: &Layout, progress: &Progress, candidate: &Candidate) -> Option<String> {
    pods_lack(scene, layout, progress, candidate).or_else(|| routed::lack(scene, layout, candidate))
}

fn pods_lack(scene: &Scene, layout: &Layout, progress: &Progress, candidate: &Candidate) -> Option<String> {
    let mut sets: Vec<_> = layout.sets.iter().filter(|set| set.role != Role::Parked).collect();
    sets.sort_by_key(|set| set.role != Role::Candidate);
    sets.into_iter().find_map(|set| {
        let workload = scene.workloads.named(&set.at.deployment);
        let revision = &set.at.revision;
        match set.role {
            Role::Candidate => lacking(&workload, set.target, &candidate.at.revision),
            Role::Stable if comes_first(scene, progress, &set.at) => Some(format!("revision {revision} is being restored first")),
            // It keeps all its pods until the switch.
            Role::Stable if candidate.is_apart() => None,
            Role::Stable => surplus(&workload, set),
            // Without requests they hold up nothing.
            Role::Leaving if layout.pinned.is_some() => None,
            // Others are not well, and until there are more of the new ones these must serve.
            Role::Leaving if set.size != Size::Fixed(0) => None,
            Role::Leaving => Some(format!("revision {revision} still has {} pods", workload.pods())),
            Role::Parked => None,
        }
    })
}

fn lacking(workload: &Workload, target: Size, revision: &str) -> Option<String> {
    let wanted = clock::wanted(workload, target);
    let exact = match target {
        Size::Fixed(count) => workload.desired == count && workload.total == count,
        Size::Autoscaled { at_least, .. } => workload.desired >= at_least.max(1),
    };
    let enough = workload.runs(revision) && exact && workload.available >= wanted;
    (!enough).then(|| format!("{} of {wanted} pods of revision {revision} are available", workload.available.min(wanted)))
}

/// Pods of the old version that are not well hold up nothing; too many of them do.
fn surplus(workload: &Workload, set: &Set) -> Option<String> {
    let (target, there) = match set.target {
        Size::Fixed(count) => (count, workload.current && workload.desired == count && workload.total.min(workload.available) <= count),
        Size::Autoscaled { at_least, .. } => (at_least, workload.desired >= at_least),
    };
    (!there).then(|| format!("revision {} has {} pods on its way to {target}", set.at.revision, workload.pods()))
}

/// Begins a step: its index and its time. The weight follows from the index.
pub fn enter(scene: &Scene, candidate: &mut Candidate, index: usize) {
    candidate.step = index;
    candidate.step_started_at = Some(MicroTime(scene.now));
    // What a gateway has to do for it takes a moment; said here, it costs no write of its own.
    if planned(scene, candidate.strategy).get(index).is_some_and(Planned::needs_gateway) {
        candidate.lacks_from(Time(scene.now));
    }
}

impl Drive<'_, '_> {
    /// The weight is the one that the steps say: also when they are edited on the way. The step in progress keeps its
    /// index, or is the last one if there are fewer now.
    fn follow_steps(&mut self) {
        // Pods of a candidate of before still carry a part of it.
        let noted = self.scene.others(&self.step.progress).next().and(self.step.progress.capacity).unwrap_or_default();
        let capacity = self.scene.capacity(&self.step.progress).max(noted);
        let (scene, autoscaled) = (self.scene, self.scene.is_autoscaled());
        let Progress { candidate: Some(candidate), capacity: persisted, stable, .. } = &mut self.step.progress else { return };
        if candidate.strategy == Strategy::BlueGreen {
            candidate.steps = blue_green::STEPS;
            return;
        }
        let steps = planned(scene, candidate.strategy);
        candidate.steps = steps.len();
        if candidate.returning {
            return;
        }
        if stable.is_none() || candidate.full {
            candidate.step = steps.len();
        }
        candidate.step = candidate.step.min(steps.len());
        let weight = match steps.get(candidate.step) {
            Some(Planned::Weight(weight)) => *weight,
            Some(_) => candidate.weight,
            None => 100,
        };
        if weight != candidate.weight {
            candidate.weight = weight;
            candidate.lacks_from(Time(scene.now));
            *persisted = autoscaled.then_some(capacity);
        }
    }

    /// Pods that were to stay for a while have stayed that long; and what had to grow before others left has grown.
    fn drain(&mut self) {
        let scene = self.scene;
        let progress = &mut self.step.progress;
        let baking = progress.bake.as_ref().map(|bake| &bake.revision);
        for parked in progress.parked.iter_mut().filter(|parked| Some(&parked.revision) != baking) {
            parked.until = parked.until.take().filter(|until| until.0 > scene.now);
        }
        progress.parked.retain(|parked| parked.until.is_some() || scene.workloads.named(&parked.deployment).pods() > 0);
        if progress.candidate.is_none() && scene.others(progress).next().is_none() {
            progress.capacity = None;
        }
        let timed = progress.parked.iter().filter(|parked| Some(&parked.revision) != baking);
        let next = timed.filter_map(|parked| parked.until.as_ref()).map(|until| until.0).min();
        if let Some(next) = next {
            self.wake(next.as_second() - scene.now.as_second());
        }
    }

    /// The candidate has the pods of its step, or does not get any more.
    fn lacks_nothing(&mut self) {
        if let Some(candidate) = &mut self.step.progress.candidate {
            (candidate.lacking_since, candidate.lacking_from) = (None, None);
        }
    }

    /// Waits for pods until the deadline.
    fn wait_for(&mut self, candidate: &Candidate, layout: &Layout, lack: &str) {
        self.step.lack = Some(lack.to_owned());
        if let Left::Seconds(left) = clock::left(self.scene, &mut self.step.progress, layout) {
            return self.wake(left);
        }
        let deadline = self.scene.service.rollout.progress_deadline_seconds;
        let revision = &candidate.at.revision;
        let refused = self.scene.workloads.named(&candidate.at.deployment).refused;
        let seen = diagnose::worst(self.scene.pods, Some(revision)).or(refused).map(|seen| format!(": {seen}")).unwrap_or_default();
        let message = format!("revision {revision} made no progress for {deadline} s; {lack}{seen}");
        self.fail(DEADLINE, message);
    }

    fn fail(&mut self, reason: &str, message: String) {
        self.step.events.push(Event::warning("RolloutFailed", "Rollout", message.clone()));
        self.give_up(reason, message);
    }

    /// The step in progress has its pods.
    fn advance(&mut self, layout: &Layout) {
        let scene = self.scene;
        let Some(candidate) = &mut self.step.progress.candidate else { return };
        if candidate.strategy == Strategy::BlueGreen {
            return blue_green::advance(self);
        }
        if candidate.observed_weight != candidate.weight {
            candidate.observed_weight = candidate.weight;
            if candidate.routed && candidate.weight == 100 && layout.share.is_some() {
                candidate.step_started_at = Some(MicroTime(scene.now));
                return self.wake(PROPAGATION_SECONDS);
            }
            // With an autoscaler the other side leaves only now that this one has grown.
            if !candidate.routed && self.scene.is_autoscaled() && layout.sets.len() > 1 {
                candidate.lacks_from(Time(scene.now));
                return;
            }
        }
        let steps = planned(scene, candidate.strategy);
        match steps.get(candidate.step) {
            None if candidate.routed && layout.share.is_some() => {
                match scene.left(PROPAGATION_SECONDS, candidate.step_started_at.as_ref()) {
                    Some(left) => self.wake_in(left),
                    None if scene.addressed => self.promote(),
                    None => {}
                }
                return;
            }
            // The Service names it first.
            None if bake::is_last(scene, candidate) && layout.sets.len() > 1 && !(layout.pinned.is_some() && scene.addressed) => return,
            None => return self.promote(),
            Some(Planned::Pause(None)) => return,
            Some(Planned::Pause(Some(seconds))) => {
                if let Some(left) = scene.left(i64::from(*seconds), candidate.step_started_at.as_ref()) {
                    return self.wake_in(left);
                }
                enter(scene, candidate, candidate.step + 1);
            }
            Some(Planned::Gate(name)) => match gate::answer(scene, candidate) {
                Some(Answer::Yes) => enter(scene, candidate, candidate.step + 1),
                Some(Answer::No) => {
                    let (revision, place, steps) = (&candidate.at.revision, candidate.step + 1, steps.len());
                    let message = format!("revision {revision} was refused by gate `{name}` at step {place} of {steps}");
                    return self.fail(GATE_REFUSED, message);
                }
                _ => return,
            },
            Some(_) => enter(scene, candidate, candidate.step + 1),
        }
        self.follow_steps();
        if let Some(Planned::Pause(Some(seconds))) = self.step.progress.candidate.as_ref().and_then(|candidate| steps.get(candidate.step)) {
            self.wake(i64::from(*seconds));
        }
    }

    /// The candidate becomes stable: a change of role, with no second roll.
    pub fn promote(&mut self) {
        let scene = self.scene;
        let delay = i64::from(scene.service.rollout.scale_down_delay_seconds);
        let progress = &mut self.step.progress;
        let Some(candidate) = progress.candidate.take() else { return };
        let old = progress.stable.replace(candidate.at.clone());
        progress.capacity = None;
        progress.parked.retain(|parked| parked.deployment != candidate.at.deployment);
        if let Some(old) = old {
            if bake::is_last(scene, &candidate) {
                bake::start(scene, progress, &candidate, old);
            } else if candidate.is_apart() {
                progress.parked.push(parked(scene, old, if candidate.routed { delay.max(PROPAGATION_SECONDS) } else { delay }));
            }
        }
        if progress.failed.as_deref() == Some(scene.target) && progress.undo.as_ref() != Some(&candidate.at.revision)
            || candidate.at.revision == scene.target
        {
            progress.forgive();
        }
        let pods = scene.workloads.named(&candidate.at.deployment);
        let note = format!("revision {} serves with {} of {} pods", candidate.at.revision, pods.available, pods.desired);
        self.step.events.push(Event::normal("RolloutCompleted", "Rollout", note));
    }

    /// The candidate is not to become stable. Where there is something to go back to, and nothing says to hold, its pods
    /// go; the spec stays.
    pub fn give_up(&mut self, reason: &str, message: String) {
        let scene = self.scene;
        let progress = &mut self.step.progress;
        let Some(revision) = progress.candidate_revision().cloned() else { return };
        // What was to take the failed revision's place by command fails in its turn: the blame stays where it is.
        let in_place_of = progress.undo.take().is_some_and(|undo| undo == revision);
        if !in_place_of {
            progress.failed = Some(revision);
        }
        progress.failure = Some(Failure { reason: reason.to_owned(), message, at: Time(scene.now) });
        let stays = scene.service.rollout.on_failure == OnFailure::Hold && [DEADLINE, GATE_REFUSED].contains(&reason);
        // Another one has waited for the end of this one.
        let queued = progress.failed.as_deref().is_some_and(|failed| failed != scene.target);
        if scene.in_place(progress) {
            // Without another to go back to it stays where it is.
            progress.candidate.take_if(|_| progress.stable.is_some() || is_rolling(scene.service.rollout.strategy));
        } else if queued || !stays && progress.stable.is_some() {
            let delay = scene.service.rollout.abort_scale_down_delay_seconds;
            self.release(i64::from(delay));
        } else {
            self.lacks_nothing();
        }
    }

    /// Takes the candidate out of the rollout. Where it gets no requests, its pods stay for so many seconds.
    ///
    /// Where the stable revision has given pods up to it, it goes back bit by bit instead, and is taken out in the end.
    pub fn release(&mut self, seconds: i64) {
        let scene = self.scene;
        if dynamic::returns(scene, &mut self.step.progress) {
            return;
        }
        self.take_out(seconds);
    }

    pub fn take_out(&mut self, seconds: i64) {
        let scene = self.scene;
        let capacity = scene.capacity(&self.step.progress);
        let progress = &mut self.step.progress;
        let Some(candidate) = progress.candidate.take() else { return };
        let apart = candidate.is_apart() && progress.stable.is_some();
        // Its Deployment may have been made a moment ago, by this very pass: then nobody else would keep its pods out of the
        // Service.
        let workload = scene.workloads.find(&candidate.at.deployment);
        if apart && workload.is_none_or(|workload| workload.pods() > 0) {
            let seconds = if candidate.routed || workload.is_none() { seconds.max(PROPAGATION_SECONDS) } else { seconds };
            progress.parked.push(parked(scene, candidate.at, seconds));
        } else if !apart && scene.is_autoscaled() {
            // With `Recreate` neither side may have pods to tell it by.
            let noted = progress.capacity.filter(|_| candidate.strategy == Strategy::Recreate).unwrap_or_default();
            progress.capacity = Some(capacity.max(noted));
        }
    }

    /// Looks again in so many seconds, or sooner.
    pub fn wake(&mut self, seconds: i64) {
        self.wake_in(Duration::from_secs(seconds.max(1).unsigned_abs()));
    }

    /// The same, to the part of a second.
    pub fn wake_in(&mut self, wake: Duration) {
        self.step.wake = Some(self.step.wake.map_or(wake, |sooner| sooner.min(wake)));
    }
}

/// A set without requests whose pods stay for so many seconds.
pub fn parked(scene: &Scene, at: Placed, seconds: i64) -> Parked {
    let until = (seconds > 0).then(|| scene.now.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()).flatten();
    Parked { revision: at.revision, deployment: at.deployment, until: until.map(Time) }
}

/// Steps of a canary; the other strategies have none.
fn planned<'a>(scene: &Scene<'a>, strategy: Strategy) -> &'a [Planned] {
    if strategy == Strategy::Canary { &scene.service.rollout.steps } else { &[] }
}
