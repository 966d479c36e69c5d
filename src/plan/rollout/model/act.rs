//! What can happen next, and what comes of it.

use crate::model::profile::Permit;
use crate::plan::revision::Target;
use crate::plan::rollout;

use super::super::layout::{Role, Size, layout};
use crate::plan::gateway::Gateway;

use super::super::scene::Scene;
use super::rules::{self, Pass};
use super::state::{BAD, REVISIONS, Saved, Set, Setting, State, now, number, workloads};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// One pass: on old news or on new ones, and of its writes only so many arrive.
    Pass {
        stale: bool,
        writes: usize,
        command: Option<(&'static str, bool)>,
    },
    /// A Deployment's controller sees the spec, and does what it says about the number of pods.
    Observe(usize),
    PodReady(usize),
    PodFails(usize),
    /// In place: one pod of the new revision starts; one of the old goes; the controller gives up.
    RollStarts,
    RollEnds,
    RollLate,
    /// The gateway takes the route as it is.
    Accept,
    Edit {
        target: u8,
    },
    Strategy(u8),
    Scale(i32),
    Pause,
    /// A time in which no rollout may begin comes, or ends.
    Freeze,
    /// Every time that has begun is over.
    Tick,
    /// From now on somebody looks at what is there now.
    Remember,
}

/// All of a pass's writes arrive.
pub const ALL: usize = 12;
const SURGE: i32 = 1;

pub fn possible(setting: &Setting, state: &State) -> Vec<Action> {
    let mut all = vec![Action::Pass { stale: false, writes: ALL, command: None }];
    for (index, set) in state.sets.iter().enumerate() {
        let Some(set) = set else { continue };
        if !set.current {
            all.push(Action::Observe(index));
        }
        if set.available < set.pods && set.revision != BAD {
            all.push(Action::PodReady(index));
        }
        if setting.faults && set.available > 0 {
            all.push(Action::PodFails(index));
        }
    }
    if let Some(home) = state.sets[0].as_ref().filter(|home| home.current) {
        if home.pods < home.desired && home.pods + home.others < home.desired + SURGE {
            all.push(Action::RollStarts);
        }
        if home.others > 0 && home.others - 1 + home.available >= home.desired {
            all.push(Action::RollEnds);
        }
        if home.available < home.desired && !home.late {
            all.push(Action::RollLate);
        }
    }
    if !state.route.1 {
        all.push(Action::Accept);
    }
    for target in (0..3).filter(|target| *target != state.target) {
        all.push(Action::Edit { target });
    }
    let strategies = u8::try_from(setting.strategies.len()).unwrap();
    all.extend((0..strategies).filter(|strategy| *strategy != state.strategy).map(Action::Strategy));
    if setting.scales {
        all.extend([1, 3].into_iter().filter(|pods| *pods != state.pods).map(Action::Scale));
    }
    if let Some(on) = &state.saved.candidate {
        let verbs: &[&'static str] = if on.paused { &["resume", "abort", "promote"] } else { &["pause", "abort", "promote"] };
        all.extend(verbs.iter().map(|verb| Action::Pass { stale: false, writes: ALL, command: Some((verb, false)) }));
        all.push(Action::Pass { stale: false, writes: ALL, command: Some(("promote", true)) });
    } else if state.saved.bake.is_some() {
        all.extend(["abort", "promote"].map(|verb| Action::Pass { stale: false, writes: ALL, command: Some((verb, false)) }));
    } else if state.saved.failed.is_some() {
        all.push(Action::Pass { stale: false, writes: ALL, command: Some(("retry", false)) });
    }
    all.push(Action::Pause);
    if setting.freezes {
        all.push(Action::Freeze);
    }
    all.push(Action::Tick);
    if setting.faults {
        all.extend([0, 1].map(|writes| Action::Pass { stale: false, writes, command: None }));
        match &state.news {
            None => all.push(Action::Remember),
            Some(_) => all.push(Action::Pass { stale: true, writes: ALL, command: None }),
        }
    }
    all
}

/// What comes of an action; or the rule that it breaks.
pub fn apply(setting: &Setting, state: &State, action: &Action) -> Result<(State, bool), String> {
    let mut next = state.clone();
    let index = match action {
        Action::Observe(index) | Action::PodReady(index) | Action::PodFails(index) => *index,
        _ => 0,
    };
    if let Action::Pass { stale, writes, command } = action {
        return pass(setting, state, *stale, *writes, *command);
    }
    let set = next.sets[index].as_mut();
    match (action, set) {
        (Action::Observe(_), Some(set)) => observe(set, index),
        (Action::PodReady(_), Some(set)) => set.available += 1,
        (Action::PodFails(_), Some(set)) => set.available -= 1,
        (Action::RollStarts, Some(set)) => set.pods += 1,
        (Action::RollEnds, Some(set)) => set.others -= 1,
        (Action::RollLate, Some(set)) => set.late = true,
        (Action::Accept, _) => (next.route.1, next.before) = (true, state.route.0),
        (Action::Edit { target }, _) => next.target = *target,
        (Action::Strategy(strategy), _) => next.strategy = *strategy,
        (Action::Scale(pods), _) => next.pods = *pods,
        (Action::Pause, _) => next.paused = !next.paused,
        (Action::Freeze, _) => next.frozen = !next.frozen,
        (Action::Tick, _) => {
            next.saved.ages();
            next.news.iter_mut().for_each(|news| news.0.ages());
        }
        (Action::Remember, _) => next.news = Some(Box::new((state.saved.clone(), state.sets.clone()))),
        _ => {}
    }
    let changed = next != *state;
    Ok((next, changed))
}

/// A set that has one revision gets its pods and loses those that are too many, not ready ones first. The one that rolls in
/// place grows and shrinks by its own steps, but obeys a smaller number at once.
fn observe(set: &mut Set, index: usize) {
    set.current = true;
    if index > 0 {
        set.pods = set.desired;
    } else {
        let surplus = (set.pods + set.others - set.desired - SURGE).max(0);
        let old = surplus.min(set.others).min((set.others + set.available - set.desired).max(0));
        set.others -= old;
        set.pods -= (surplus - old).min(set.pods);
        if set.others == 0 {
            set.pods = set.desired;
        }
    }
    set.available = set.available.min(set.pods);
    if set.desired == 0 {
        (set.pods, set.others, set.available) = (0, 0, 0);
    }
}

/// One pass, as `controller::reconcile` makes it: children from what was read, then the decision, then its record.
fn pass(
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
    let (view, before) = (workloads(sets), saved.progress());
    let target = REVISIONS[usize::from(state.target)];
    let held = Permit::Held { reason: "frozen".to_owned(), until: None };
    let permit = if state.frozen { &held } else { &Permit::Granted };
    let selected = state.canary.and_then(|revision| sets.iter().flatten().find(|set| set.revision == revision));
    let mut gateway = Gateway {
        served: true,
        endpoints: selected.map_or(0, |set| set.available),
        accepted: Err(String::new()),
        selected: state.canary.map(|revision| REVISIONS[usize::from(revision)].to_owned()),
        gives: state.route != (0, true),
    };
    let first = gateway.clone();
    let mut scene = Scene {
        service,
        target,
        revisions: &setting.records,
        workloads: &view,
        gateway: &first,
        pods: &[],
        addressed: true,
        permit,
        now: now(),
    };
    let plan = layout(&scene, &before);
    let mut report = Pass { state, saved, sets, stale, shrunk: 0, plan: &plan };

    let pinned = plan.pinned.as_deref().map(|hash| u8::try_from(REVISIONS.iter().position(|known| *known == hash).unwrap()).unwrap());
    let mut left = writes;
    if pinned != next.pinned && left > 0 {
        report.moves(pinned)?;
        next.pinned = pinned;
        left -= 1;
    }
    let share = plan.share.as_ref();
    let canary = share.filter(|share| share.selects).map(|share| number(&share.revision)).or(pinned);
    if setting.routed && canary != next.canary && left > 0 {
        report.turns(canary)?;
        next.canary = canary;
        left -= 1;
    }
    let mut written = [false; 4];
    for planned in &plan.sets {
        let index = (0..4).find(|index| super::state::deployment(*index) == planned.at.deployment).unwrap();
        let revision = u8::try_from(REVISIONS.iter().position(|known| *known == planned.at.revision).unwrap()).unwrap();
        let Size::Fixed(size) = planned.size else { continue };
        let (seen, live) = (sets[usize::from(index)].as_ref(), &mut next.sets[usize::from(index)]);
        let stable = planned.role == Role::Stable;
        if seen.is_some_and(|seen| seen.desired == size && seen.revision == revision && seen.stable == stable) || left == 0 {
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
        left -= 1;
    }
    // What nothing asks for goes, if all else went well.
    for index in 0..4u8 {
        let wanted = plan.sets.iter().any(|set| set.at.deployment == super::state::deployment(index));
        let seen = sets[usize::from(index)].as_ref();
        if let (false, Some(seen), Some(live)) = (wanted, seen, &next.sets[usize::from(index)])
            && left > 0
            && seen.version == live.version
            && seen.desired == live.desired
        {
            report.deletes(live, index)?;
            next.sets[usize::from(index)] = None;
            left -= 1;
        }
    }
    let weight = share.map_or(0, |share| share.weight);
    if setting.routed && weight != next.route.0 && left > 0 {
        report.gives(&next, weight)?;
        // A gateway that has not yet taken the last weight may still have the one before.
        next.before = if next.route.1 { next.route.0 } else { next.before.max(next.route.0) };
        next.route = (weight, false);
        left -= 1;
    }
    if left == 0 {
        return Ok((next, true));
    }
    if setting.routed && next.route == (weight, true) && state.route.1 {
        gateway.accepted = Ok(weight);
    }
    scene.gateway = &gateway;
    let mut view = view.clone();
    for workload in &mut view.0 {
        let index = (0..4).find(|index| super::state::deployment(*index) == workload.name).unwrap();
        workload.current &= !written[usize::from(index)];
    }
    scene.workloads = &view;
    scene.addressed = next.pinned == pinned;
    let target = Target { hash: target.to_owned(), inputs: String::new(), template: serde_json::Value::Null, number: 1, recorded: true };
    let step = rollout::step(&before, target, &scene);
    // The write carries the version that was read.
    if saved.version == state.saved.version {
        let version = saved.version;
        let mut after = Saved::of(&step.progress, version);
        if after != *saved {
            after.version = version.wrapping_add(1) % 8;
            rules::decides(&report, service, &after, command)?;
            next.saved = after;
        }
    }
    let changed = next != *state;
    Ok((next, changed))
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
