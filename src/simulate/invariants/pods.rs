//! Rules about pods, and who sends them requests.

use serde_json::Value;

use crate::api::v1alpha1::Strategy;
use crate::model::{Kind, Scaling};
use crate::observe::Watched;
use crate::simulate::store::Change;

use super::truth::{belongs, count, replicas, revision};
use super::{COUNTING, Record, Slack, Truth, is_ready, most, selects, total};

/// Milliseconds for which a pod may be under two budgets: as long as an old leader may go on from an old view.
const LONGEST_DOUBLED: i64 = 45_000;
/// Milliseconds for which pods of a canary may be lost: the grace, a view that is late, and an operator that starts again.
const LONGEST_SHORT: i64 = 90_000;

/// A Deployment was written: rules 1, 3, 4, 5, and who owns the number of pods.
pub fn deployment(record: &mut Record, before: &Truth, change: &Change, broken: &mut Vec<String>) {
    let name = &change.id.name;
    let size = |object: &Option<std::sync::Arc<Value>>| object.as_ref().map_or(0, |object| replicas(object));
    let (was, is) = (size(&change.before), size(&change.after));
    if is < was {
        shrink(record, before, change, (was, is), broken);
    } else if is > was {
        grow(record, before, change, (was, is), broken);
    }
    // The server puts 1 where the only owner of the number drops it.
    if is < was && is == 1 && !change.claims_replicas && change.after.is_some() {
        broken.push(format!("{name} fell from {was} pods to 1, because its number was dropped"));
    }
}

fn shrink(record: &mut Record, before: &Truth, change: &Change, (was, is): (i64, i64), broken: &mut Vec<String>) {
    let name = &change.id.name;
    let Some(deployment) = change.before.as_ref() else { return };
    let serving = count(before.serving());
    let own = count(before.serving().filter(|pod| belongs(pod, deployment)));
    if own > is && !record.shrunk.contains(name) {
        record.shrunk.push(name.clone());
        if record.shrunk.len() > 1 {
            broken.push(format!("one pass takes pods that serve from {}", record.shrunk.join(" and ")));
        }
    }
    let progress = before.progress();
    let yields = progress.candidate.as_ref().is_some_and(|candidate| candidate.yielded.is_some());
    if yields && progress.stable.as_ref().is_some_and(|stable| stable.deployment == *name) {
        let kept = 100 - record.given.least(change.at);
        let total = record.specs(change).map(|service| i64::from(total(service))).min().unwrap_or(0);
        if is * 100 < kept * total {
            broken.push(format!("{name} shrinks from {was} to {is} of {total}, and routes may still leave it {kept} %"));
        }
        return;
    }
    let after = serving - own + own.min(is);
    let (least, unknown) = (record.least(change), record.unknown(change));
    if after + unknown < least.min(serving) {
        broken.push(format!(
            "{name} shrinks from {was} to {is}: then {after} pods serve of {serving} now and {least} promised ({unknown} came or went unseen)"
        ));
    }
}

fn grow(record: &Record, before: &Truth, change: &Change, (was, is): (i64, i64), broken: &mut Vec<String>) {
    let name = &change.id.name;
    // Where a revision is named, the others carry no load, and their pods are there on top until they are gone.
    let named = before.pinned().is_some() || record.truth.pinned().is_some();
    let (asked, now) = (before.asked(!named), record.truth.asked(!named));
    let allowed = record.specs(change).map(|service| {
        let total = i64::from(most(service));
        // Autoscaled shares grow before the others shrink, up to twice of what there is.
        let total = if matches!(service.scaling, Scaling::Auto(_)) { total.max(2 * asked) } else { total };
        // By the most generous strategy: the rollout under way may have begun under another one.
        let surge = Slack::of(&service.rollout, Strategy::Canary, i32::try_from(total).unwrap_or(i32::MAX)).surge;
        // Those that are about to be parked stay beside the full number of new ones.
        let apart = named || service.rollout.bake_seconds > 0 && service.rollout.strategy == Strategy::Canary;
        total + i64::from(surge) + if apart { total } else { 0 }
    });
    let idle: i64 =
        record.truth.progress().parked.iter().filter_map(|parked| before.get(change.id.watched, &parked.deployment)).map(replicas).sum();
    let allowed = allowed.max().unwrap_or(0) + idle;
    // Who looks at an older state may ask for what was right then; what is too much goes again.
    if change.lag <= COUNTING && now > asked && now > allowed {
        broken.push(format!("{name} grows from {was} to {is}: then there are {now} pods, of {allowed} at most"));
    }
    let progress = before.progress();
    let Some(candidate) = progress.candidate.filter(|candidate| candidate.at.deployment == *name && progress.stable.is_some()) else {
        return;
    };
    let Some(deployment) = change.before.as_ref().filter(|_| candidate.strategy == Strategy::Canary && !candidate.routed) else { return };
    let known = deployment.pointer("/status/observedGeneration") == deployment.pointer("/metadata/generation");
    let available = deployment.pointer("/status/availableReplicas").and_then(Value::as_i64).unwrap_or_default();
    let fixed = record.specs(change).all(|service| matches!(service.scaling, Scaling::Fixed(_)));
    if fixed && change.lag == 0 && known && available < was && candidate.weight == candidate.observed_weight && !candidate.full {
        broken
            .push(format!("{name} grows from {was} to {is} although only {available} of its pods serve: the growth is the stable side's"));
    }
}

/// The Service was written: rule 2.
pub fn service(record: &Record, before: &Truth, change: &Change, broken: &mut Vec<String>) {
    if change.id.name != record.truth.name || change.before.is_none() {
        return;
    }
    let selector = |object: &Option<std::sync::Arc<Value>>| object.as_ref().and_then(|object| object.pointer("/spec/selector").cloned());
    if selector(&change.before) == selector(&change.after) {
        return;
    }
    let (served, serves) = (count(before.serving()), count(record.truth.serving()));
    let (least, unknown) = (record.least(change), record.unknown(change));
    if serves + unknown < least.min(served) {
        broken.push(format!(
            "the Service moves to {}: then {serves} pods serve of {served} now and {least} promised ({unknown} came or went unseen)",
            record.truth.pinned().unwrap_or("all pods")
        ));
    }
}

/// Requests go to no pod that is parked, or that waits for a switch.
pub fn requests(truth: &Truth, change: &Change, broken: &mut Vec<String>) {
    let begins = match change.id.watched {
        Watched::Pod => change.after.as_ref().is_some_and(|pod| is_ready(pod)) && !change.before.as_ref().is_some_and(|pod| is_ready(pod)),
        Watched::Microservice | Watched::Child(Kind::Service) => true,
        Watched::Child(_) | Watched::EndpointSlice | Watched::Profile | Watched::UserRoute(_) => false,
    };
    if !begins {
        return;
    }
    let progress = truth.progress();
    let stable = progress.stable_revision();
    let waits = progress.candidate.as_ref().filter(|candidate| {
        candidate.is_apart()
            && (candidate.routed || candidate.weight == 0)
            && !candidate.takes_over()
            && stable.is_some_and(|stable| *stable != candidate.at.revision)
    });
    let waiting = waits.map(|candidate| candidate.at.revision.as_str());
    let parked = progress.parked.iter().map(|parked| parked.revision.as_str());
    for idle in parked.chain(waiting).filter(|idle| stable.is_none_or(|stable| stable != idle)) {
        let reached = count(truth.serving().filter(|pod| revision(pod) == idle));
        // The switch itself: the Service is moved before status says so, or after.
        let pinned = truth.pinned();
        if reached > 0 && pinned != Some(idle) {
            broken.push(format!("requests go to {reached} pods of revision {idle}, which is to get none (the Service names {pinned:?})"));
        }
    }
}

/// No pod is under two budgets, or not for long: two processes that both lead may each make one.
pub fn budgets(record: &mut Record, change: &Change, broken: &mut Vec<String>) {
    let budget = change.id.watched == Watched::Child(Kind::PodDisruptionBudget);
    if budget {
        record.doubled = doubled(&record.truth).map(|text| record.doubled.take().unwrap_or((change.at, text)));
    }
    let overdue = record.doubled.as_ref().filter(|(since, _)| change.at - since > LONGEST_DOUBLED);
    if let Some((_, text)) = overdue {
        broken.push(text.clone());
        record.doubled = None;
    }
}

fn doubled(truth: &Truth) -> Option<String> {
    let budgets: Vec<(&str, &Value)> = truth.all(Watched::Child(Kind::PodDisruptionBudget)).collect();
    truth.all(Watched::Pod).find_map(|(name, pod)| {
        let over = budgets.iter().filter(|(_, budget)| selects(budget.pointer("/spec/selector/matchLabels"), pod));
        let over: Vec<&str> = over.map(|(name, _)| *name).collect();
        (over.len() > 1).then(|| format!("pod {name} is under the budgets {}: no eviction is possible", over.join(" and ")))
    })
}

/// Rules 1 and 5: what a canary by pod ratio loses, the stable revision is told to make up for. Its own pods come back by
/// themselves, and as soon as they can.
pub fn refilled(record: &mut Record, change: &Change, broken: &mut Vec<String>) {
    let missing = missing(record, change);
    record.short = missing.map(|_| record.short.unwrap_or(change.at));
    if let (Some(missing), Some(_)) = (missing, record.short.filter(|since| change.at - since > LONGEST_SHORT)) {
        broken.push(format!("{missing} pods of the canary are lost, and the stable revision does not make up for them"));
        record.short = None;
    }
}

fn missing(record: &Record, change: &Change) -> Option<i64> {
    let (truth, progress) = (&record.truth, record.truth.progress());
    let (stable, candidate) = (progress.stable?, progress.candidate?);
    let apart = stable.deployment != candidate.at.deployment;
    if candidate.strategy != Strategy::Canary || candidate.routed || !apart || truth.pinned().is_some() {
        return None;
    }
    let fixed = record.specs(change).all(|service| matches!(service.scaling, Scaling::Fixed(_)));
    let asked = truth.get(Watched::Child(Kind::Deployment), &stable.deployment).map(replicas)?;
    let others = count(truth.serving().filter(|pod| revision(pod) != stable.revision));
    Some(record.least(change) - asked - others).filter(|missing| fixed && *missing > 0)
}

/// No Deployment has two autoscalers.
pub fn autoscalers(truth: &Truth, change: &Change, broken: &mut Vec<String>) {
    if change.id.watched != Watched::Child(Kind::HorizontalPodAutoscaler) {
        return;
    }
    let mut targets: Vec<&str> =
        truth.all(change.id.watched).filter_map(|(_, autoscaler)| autoscaler.pointer("/spec/scaleTargetRef/name")?.as_str()).collect();
    targets.sort_unstable();
    if targets.windows(2).any(|pair| pair.first() == pair.last()) {
        broken.push(format!("two autoscalers target one Deployment: {}", targets.join(", ")));
    }
}
