//! One pass in the model.

use std::collections::BTreeMap;

use crate::model::profile::Permit;
use crate::model::{Answer, Progress, Service};
use crate::plan::gateway::Gateway;
use crate::plan::revision::Target;
use crate::plan::rollout;

use super::super::layout::{Layout, Role, Size, layout};
use super::super::scene::{Pin, Scene};
use super::rules::{self, Pass};
use super::saved::Saved;
use super::state::{REVISIONS, ROLLING, Set, Setting, State, now, number, workloads};

type Sets = [Option<Set>; 4];

/// One pass, as `controller::reconcile` makes it: children from what was read, then the decision, then its record.
pub fn pass(
    setting: &Setting,
    state: &State,
    stale: bool,
    writes: usize,
    command: Option<(&'static str, bool)>,
) -> Result<(State, bool), String> {
    let (saved, sets) = match (&state.news, stale) {
        (Some(news), true) => (&news.0, &news.1),
        _ => (&state.saved, &state.sets),
    };
    let mut next = state.clone();
    if stale {
        next.news = None;
    }
    let baking = saved.bake.as_ref().and(saved.stable).map(|(revision, _)| revision);
    let about = saved.candidate.as_ref().map(|on| on.at.0).or(baking).or(saved.failed).unwrap_or_default();
    let service = setting.service(state, command.map(|(verb, full)| (verb, full, about)));
    let (mut view, before) = (workloads(sets), saved.progress());
    let target = REVISIONS[usize::from(state.target)];
    let held = Permit::Held { reason: "frozen".to_owned(), until: None };
    let permit = if state.frozen { &held } else { &Permit::Granted };
    let gateway = gateway(state, sets);
    let answers = answers(setting, state, saved, &before, service);
    let retried = command.is_some_and(|(verb, _)| verb == "retry");
    let (revisions, workloads) = (&setting.records[..], view.clone());
    let mut scene = Scene {
        service,
        target,
        revisions,
        workloads: &workloads,
        gateway: &gateway,
        pods: &[],
        addressed: true,
        permit,
        answers: &answers,
        now: now(),
    };
    let plan = layout(&scene, &before);
    let mut report = Pass { state, saved, sets, stale, shrunk: 0, plan: &plan };

    let mut left = writes;
    let pinned = plan.pinned.as_ref().map(|pin| match pin {
        Pin::Revision(revision) => number(revision),
        Pin::Rolling => ROLLING,
    });
    sides(setting, &report, &mut next, pinned, &mut left)?;
    let written = resize(setting, &mut report, &plan, &mut next, &mut left)?;
    remove(&report, &plan, &mut next, &mut left)?;
    let weight = plan.share.as_ref().map_or(0, |share| share.weight);
    route(setting, &report, &mut next, weight, &mut left)?;
    if left == 0 {
        return Ok((next, true));
    }
    let mut gateway = gateway.clone();
    if setting.routed && next.route == (weight, true) && state.route.1 {
        gateway.accepted = Ok(weight);
    }
    for workload in &mut view.0 {
        let index = (0..4).find(|index| super::state::deployment(*index) == workload.name).unwrap();
        workload.current &= !written[usize::from(index)];
    }
    (scene.gateway, scene.workloads, scene.addressed) = (&gateway, &view, next.pinned == pinned);
    let target = Target { hash: target.to_owned(), inputs: String::new(), template: serde_json::Value::Null, number: 1, recorded: true };
    let step = rollout::step(&before, target, &scene);
    // The write carries the version that was read.
    if saved.version == state.saved.version {
        let version = saved.version;
        let mut after = Saved::of(&step.progress, version);
        if after != *saved {
            after.version = version.wrapping_add(1) % 8;
            rules::decides(&report, service, &after, command)?;
            rules::passes(setting, &report, &after)?;
            next.saved = after;
        }
        // Another entry into a step is another question.
        let place = |saved: &Saved| saved.candidate.as_ref().map(|on| (on.at, on.step));
        let same = place(&state.saved) == place(&next.saved) && !retried;
        next.asked = !step.questions.is_empty();
        next.said = state.said.filter(|_| next.asked && same);
    }
    let changed = next != *state;
    Ok((next, changed))
}

/// What the pass sees of the gateway before it writes anything.
fn gateway(state: &State, sets: &Sets) -> Gateway {
    Gateway {
        served: true,
        endpoints: state.canary.map_or(0, |pin| rules::ready(sets, pin)),
        accepted: Err(String::new()),
        stable_endpoints: None,
        written: state.route.0,
        selected: state.canary.and_then(|pin| REVISIONS.get(usize::from(pin))).map(|revision| (*revision).to_owned()),
        gives: state.route != (0, true),
    }
}

/// The Services.
fn sides(setting: &Setting, report: &Pass, next: &mut State, pinned: Option<u8>, left: &mut usize) -> Result<(), String> {
    if pinned != next.pinned && *left > 0 {
        report.moves(pinned)?;
        next.pinned = pinned;
        *left -= 1;
    }
    let share = report.plan.share.as_ref();
    let canary = share.filter(|share| share.selects).map(|share| number(&share.revision)).or(pinned);
    if setting.routed && canary != next.canary && *left > 0 {
        report.turns(canary)?;
        next.canary = canary;
        *left -= 1;
    }
    Ok(())
}

/// The Deployments. Which of them were written.
fn resize(setting: &Setting, report: &mut Pass, plan: &Layout, next: &mut State, left: &mut usize) -> Result<[bool; 4], String> {
    let mut written = [false; 4];
    for planned in &plan.sets {
        let index = (0..4).find(|index| super::state::deployment(*index) == planned.at.deployment).unwrap();
        let revision = number(&planned.at.revision);
        let Size::Fixed(size) = planned.size else { continue };
        let (seen, live) = (report.sets[usize::from(index)].as_ref(), &mut next.sets[usize::from(index)]);
        let stable = planned.role == Role::Stable;
        if seen.is_some_and(|seen| seen.desired == size && seen.revision == revision && seen.stable == stable) || *left == 0 {
            continue;
        }
        // Taking pods away holds only for the state that was read; creating only where nothing is.
        let same = live.as_ref().map(|live| live.version) == seen.map(|seen| seen.version);
        let shrinks = seen.is_some_and(|seen| size < seen.desired);
        if (shrinks || seen.is_none()) && !same {
            continue;
        }
        report.writes(planned, size, setting.bakes)?;
        write(live, revision, size);
        live.iter_mut().for_each(|live| live.stable = stable);
        written[usize::from(index)] = true;
        *left -= 1;
    }
    Ok(written)
}

/// What nothing asks for goes, if all else went well.
fn remove(report: &Pass, plan: &Layout, next: &mut State, left: &mut usize) -> Result<(), String> {
    for index in 0..4u8 {
        let wanted = plan.sets.iter().any(|set| set.at.deployment == super::state::deployment(index));
        let seen = report.sets[usize::from(index)].as_ref();
        if let (false, Some(seen), Some(live)) = (wanted, seen, &next.sets[usize::from(index)])
            && *left > 0
            && seen.version == live.version
            && seen.desired == live.desired
        {
            report.deletes(live, index)?;
            next.sets[usize::from(index)] = None;
            *left -= 1;
        }
    }
    Ok(())
}

/// The route.
fn route(setting: &Setting, report: &Pass, next: &mut State, weight: i32, left: &mut usize) -> Result<(), String> {
    if !setting.routed || weight == next.route.0 || *left == 0 {
        return Ok(());
    }
    report.gives(next, weight)?;
    // A gateway that has not yet taken the last weight may still have the one before.
    next.before = if next.route.1 { next.route.0 } else { next.before.max(next.route.0) };
    next.least = next.least.min(weight);
    next.route = (weight, false);
    *left -= 1;
    Ok(())
}

fn write(live: &mut Option<Set>, revision: u8, size: i32) {
    let set = live.get_or_insert_with(|| Set { revision, ..Set::default() });
    if set.revision != revision {
        set.others += set.available;
        (set.pods, set.available, set.revision) = (0, 0, revision);
    }
    set.desired = size;
    set.current = false;
    set.late = false;
    set.version = (set.version + 1) % 4;
}

/// What is known of the answers: the one to the present question, if it was given, and a yes to one of before, which opens
/// nothing. Who looks at old news knows of none.
fn answers(setting: &Setting, state: &State, saved: &Saved, progress: &Progress, service: &Service) -> BTreeMap<String, Answer> {
    let Some(candidate) = progress.candidate.as_ref().filter(|_| setting.gated) else { return BTreeMap::new() };
    let about = |entered: i64| format!("{}/{}/{}/{entered}/g", service.uid, candidate.at.revision, candidate.step);
    let entered = candidate.step_started_at.as_ref().map_or(0, |at| at.0.as_microsecond());
    let said = state.said.filter(|_| saved.candidate == state.saved.candidate);
    let said = said.map(|yes| (about(entered), if yes { Answer::Yes } else { Answer::No }));
    let forged = setting.forged.then(|| (about(entered), Answer::Yes));
    said.into_iter().chain(forged).chain([(about(entered - 1), Answer::Yes)]).collect()
}
