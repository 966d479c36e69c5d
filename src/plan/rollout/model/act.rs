//! What can happen next, and what comes of it.

use super::state::{BAD, Set, Setting, State};

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
    /// The webhook says yes or no.
    Answer(bool),
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
    if state.asked && state.said.is_none() {
        all.extend([true, false].map(Action::Answer));
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
        return super::pass::pass(setting, state, *stale, *writes, *command);
    }
    let set = next.sets[index].as_mut();
    match (action, set) {
        (Action::Observe(_), Some(set)) => observe(set, index),
        (Action::PodReady(_), Some(set)) => set.available += 1,
        (Action::PodFails(_), Some(set)) => set.available -= 1,
        (Action::RollStarts, Some(set)) => set.pods += 1,
        (Action::RollEnds, Some(set)) => set.others -= 1,
        (Action::RollLate, Some(set)) => set.late = true,
        (Action::Accept, _) => (next.route.1, next.before, next.least) = (true, state.route.0, state.route.0),
        (Action::Answer(yes), _) => next.said = Some(*yes),
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
