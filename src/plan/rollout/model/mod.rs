//! A model check of the state machine: every state that a small service can get into, by whatever order of passes, crashes,
//! stale views, pods that come and go, edits, commands and time, up to a bound on their number.
//!
//! The decisions are the real ones ([`super::step`] and [`super::layout`]). What is around them is small: three revisions, of
//! which one never becomes ready, four Deployments, three pods, and clocks on which a time is either over or not. Properties
//! are in [`rules`]; the numbers of states are printed.
//!
//! A crate for this (stateright) was rejected: a queue and a set of fingerprints are all that is needed of it.

mod act;
mod pass;
mod rules;
mod saved;
mod state;

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use act::Action;
use state::{Setting, State};

/// States that are looked at, shared between the settings. The order is breadth first, so that what is left out is what takes
/// the most steps to get to. `MODEL_STATES` asks for more.
const STATES: usize = 1_000_000;
/// From one in so many states it is also shown that a fair course without faults ends well, and that one in which the
/// candidate's pods never come keeps serving.
const ENDINGS: usize = 211;

fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// How a state was come by: the fingerprint of the one before, and what happened.
struct Path {
    steps: Vec<(usize, Action)>,
}

impl Path {
    /// What happened from the beginning, for the reader of a failure.
    fn tell(&self, setting: &Setting, mut at: usize, last: Option<&Action>) -> String {
        let mut actions: Vec<Action> = last.cloned().into_iter().collect();
        while at > 0 {
            let (before, action) = &self.steps[at];
            actions.push(action.clone());
            at = *before;
        }
        let mut state = setting.start();
        let mut text = format!("{}\n      {state:?}\n", setting.name);
        for action in actions.iter().rev() {
            let outcome = act::apply(setting, &state, action);
            state = outcome.map_or_else(|_| state.clone(), |(next, _)| next);
            text.push_str(&format!("{action:?}\n      {state:?}\n"));
        }
        text
    }
}

/// How many states there are; or the rule that is broken, and how it was come to.
fn explore(setting: &Setting, most: usize) -> Result<usize, String> {
    let start = setting.start();
    let mut seen = HashSet::new();
    let mut queue = VecDeque::from([(0, start.clone())]);
    let mut path = Path { steps: vec![(0, Action::Tick)] };
    seen.insert(fingerprint(&start));
    let mut endings = 0;
    while let Some((at, state)) = queue.pop_front() {
        if at % ENDINGS == 0 {
            endings += 1;
            if let Err(why) = rules::ends_well(setting, &state).and_then(|()| rules::keeps_serving(setting, &state)) {
                return Err(format!("{why}\n{}", path.tell(setting, at, None)));
            }
        }
        for action in act::possible(setting, &state) {
            let next = match act::apply(setting, &state, &action) {
                Ok((next, _)) => next,
                Err(why) => return Err(format!("{why}\n{}", path.tell(setting, at, Some(&action)))),
            };
            if seen.len() < most && seen.insert(fingerprint(&next)) {
                path.steps.push((at, action));
                queue.push_back((path.steps.len() - 1, next));
            }
        }
    }
    println!("{}: {} distinct states, from {endings} of them to the end", setting.name, seen.len());
    Ok(seen.len())
}

#[test]
fn no_order_of_events_breaks_a_rule() {
    // `MODEL_SETTING` is a part of the name of those that are to be looked at alone.
    let only = std::env::var("MODEL_SETTING").unwrap_or_default();
    let settings: Vec<Setting> = Setting::all().into_iter().filter(|setting| setting.name.contains(&only)).collect();
    let wanted = std::env::var("MODEL_STATES").map_or(STATES, |text| text.parse().expect("MODEL_STATES is a number"));
    let most = wanted.div_ceil(settings.len());
    let worker = |setting: Setting| std::thread::spawn(move || explore(&setting, most).unwrap_or_else(|why| panic!("{why}")));
    let workers: Vec<_> = settings.into_iter().map(worker).collect();
    let states: Vec<usize> = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|why| std::panic::resume_unwind(why))).collect();
    let total: usize = states.iter().sum();
    println!("{total} distinct states in all");
    assert!(total >= wanted, "{states:?}");
}

/// The rule about gates can fail, and the search gets to where it would.
#[test]
fn a_gate_that_takes_the_answer_to_another_question_is_found_out() {
    let gated = Setting::all().into_iter().find(|setting| setting.gated).unwrap();
    let why = explore(&Setting { forged: true, ..gated }, STATES).unwrap_err();
    assert!(why.starts_with("a gate that is closed lets a revision pass"), "{why}");
}
