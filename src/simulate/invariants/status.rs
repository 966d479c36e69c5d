//! Rules about what is remembered and said.

use crate::api::v1alpha1::{ActionResult, OnFailure};
use crate::model::Progress;
use crate::simulate::store::Change;

use super::truth::{belongs, count};
use super::{Record, Truth};

/// A status was written: rules 8 and 9, and that it says one thing.
pub fn written(record: &Record, before: &Truth, change: &Change, broken: &mut Vec<String>) {
    let (Some(old), Some(new)) = (before.status(), record.truth.status()) else { return };
    if serde_json::to_value(&old).ok() == serde_json::to_value(&new).ok() {
        broken.push("a status was written that says nothing new".to_owned());
    }
    let says = |kind: &str| new.conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True");
    if ["Ready", "Reconciling", "Stalled"].into_iter().filter(|kind| says(kind)).count() != 1 {
        broken.push("not exactly one of Ready, Reconciling and Stalled is True".to_owned());
    }
    let (was, is) = (before.progress(), record.truth.progress());
    failed_is_not_promoted(record, change, &was, &is, broken);
    paused_stays(record, change, &was, &is, broken);
    promotion_keeps_capacity(record, before, change, &was, &is, broken);
}

fn failed_is_not_promoted(record: &Record, change: &Change, was: &Progress, is: &Progress, broken: &mut Vec<String>) {
    let Some(failed) = was.failed.as_ref().filter(|failed| was.stable.is_some() && was.stable_revision() != Some(failed)) else { return };
    let held = record.specs(change).any(|service| service.rollout.on_failure == OnFailure::Hold);
    let asked = is.last_action != was.last_action;
    // Where the way back was deleted, the failed revision may heal.
    let lost = was.stable_revision().is_some_and(|stable| !record.truth.is_recorded(stable));
    let held = held || lost;
    if is.stable_revision() == Some(failed) && !held && !asked && was.undo.as_ref() != Some(failed) {
        broken.push(format!("revision {failed} failed and was promoted all the same"));
    }
    let weight = |progress: &Progress| {
        progress.candidate.as_ref().filter(|candidate| candidate.at.revision == *failed).map_or(0, |candidate| candidate.weight)
    };
    if weight(is) > weight(was) && !asked && is.failed.as_ref() == Some(failed) {
        broken.push(format!("revision {failed} failed, and its weight rises from {} to {}", weight(was), weight(is)));
    }
}

fn paused_stays(record: &Record, change: &Change, was: &Progress, is: &Progress, broken: &mut Vec<String>) {
    let (Some(old), Some(new)) = (&was.candidate, &is.candidate) else { return };
    let by_spec = record.specs(change).all(|service| service.rollout.paused) && record.specs(change).next().is_some();
    let asked = is.last_action.as_ref().filter(|action| was.last_action.as_ref() != Some(*action));
    let released =
        asked.is_some_and(|action| action.result == ActionResult::Accepted && ["resume", "promote"].contains(&action.verb.as_str()));
    let edited = old.steps != new.steps;
    let held = by_spec || old.paused && new.paused;
    if held && old.at == new.at && new.step > old.step && !released && !edited && was.stable.is_some() {
        broken.push(format!("the rollout is paused, and goes from step {} to {}", old.step, new.step));
    }
}

fn promotion_keeps_capacity(record: &Record, before: &Truth, change: &Change, was: &Progress, is: &Progress, broken: &mut Vec<String>) {
    let (Some(old), Some(new)) = (&was.stable, &is.stable) else { return };
    if old.revision == new.revision || old.deployment == new.deployment {
        return;
    }
    let serving = |name: &str| {
        let deployment = before.deployments().find(|(found, _)| *found == name).map(|(_, deployment)| deployment);
        deployment.map_or(0, |deployment| count(before.serving().filter(|pod| belongs(pod, deployment))))
    };
    let (least, unknown) = (record.least(change), record.unknown(change));
    // What comes back after a bake gets requests only once the Service has followed; that its pods could take them counts.
    let comes_back = was.bake.as_ref().is_some_and(|bake| bake.revision == new.revision) && was.candidate.is_none();
    let ready = |name: &str| {
        let deployment = before.deployments().find(|(found, _)| *found == name).map(|(_, deployment)| deployment);
        deployment.map_or(0, |deployment| count(before.ready_pods().filter(|pod| belongs(pod, deployment))))
    };
    let (carried, carries) = (serving(&old.deployment), if comes_back { ready(&new.deployment) } else { serving(&new.deployment) });
    // After a switch of the Service the old pods carry nothing; that it did not move too early is another rule.
    if carries + unknown < carried.min(least) {
        broken.push(format!(
            "revision {} is promoted with {carries} pods that serve, in place of {carried} of revision {}, {least} promised",
            new.revision, old.revision
        ));
    }
}
