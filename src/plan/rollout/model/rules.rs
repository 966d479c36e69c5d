//! The rules that hold in every state, and the end that every fair course comes to.

use crate::api::v1alpha1::Strategy;
use crate::model::Service;

use super::super::layout::{Layout, Set as Planned};
use super::act::{self, Action};
use super::saved::{Bake, Saved};
use super::state::{BAD, GATES, REVISIONS, ROLLING, Set, Setting, State, deployment};

/// A pass under way: what it read, and what it has done so far.
pub struct Pass<'a> {
    pub state: &'a State,
    pub saved: &'a Saved,
    pub sets: &'a [Option<Set>; 4],
    pub stale: bool,
    pub shrunk: usize,
    pub plan: &'a Layout,
}

type Verdict = Result<(), String>;

fn require(holds: bool, rule: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(rule()) }
}

/// Available pods that a Service reaches which selects this.
pub fn ready(sets: &[Option<Set>; 4], pin: u8) -> i32 {
    if pin == ROLLING {
        return sets[0].as_ref().map_or(0, |set| set.available + set.others);
    }
    sets.iter().flatten().filter(|set| set.revision == pin).map(|set| set.available).sum()
}

impl Pass<'_> {
    fn seen(&self, name: &str) -> Option<&Set> {
        (0..4u8).find(|index| deployment(*index) == name).and_then(|index| self.sets[usize::from(index)].as_ref())
    }

    /// A Deployment gets another size or another revision.
    pub fn writes(&mut self, planned: &Planned, size: i32, bakes: bool) -> Verdict {
        let before = self.seen(&planned.at.deployment);
        let serves = self.plan.serving().any(|set| set.at == planned.at);
        let asked: i32 = self.plan.serving().map(|set| self.seen(&set.at.deployment).map_or(0, |seen| seen.desired)).sum();
        let had = before.map_or(0, |seen| seen.desired);
        if size > had && self.plan.pinned.is_none() {
            let total = asked - had + size;
            // Those that are about to be parked stay beside the full number of new ones.
            let last = self.saved.candidate.as_ref().filter(|on| bakes && on.strategy == Strategy::Canary && on.weight == 100);
            let parked = last.and(self.saved.stable).and_then(|(_, home)| self.seen(deployment(home))).map_or(0, |seen| seen.desired);
            require(total <= (self.state.pods + 1 + parked).max(asked), || format!("rule 1: {total} pods are asked for"))?;
        }
        // What the gateway gives the candidate, or may still give it, its pods must carry.
        let routed = self.state.canary.and_then(|pin| REVISIONS.get(usize::from(pin))) == Some(&planned.at.revision.as_str());
        let given = if self.state.route.1 { self.state.route.0 } else { self.state.route.0.max(self.state.before) };
        let stays = size * 100 >= given.min(100) * self.state.pods.min(had) || self.state.pods < had;
        require(size >= had || !routed || self.stale || self.state.pinned == self.state.canary || stays, || {
            format!("rule 3: {} shrinks to {size} with {given} % of the requests", planned.at.revision)
        })?;
        if size >= had || !serves {
            return Ok(());
        }
        self.shrunk += 1;
        require(self.shrunk <= 1, || "rule 4: a pass takes pods away in two places".to_owned())?;
        let yields = self.saved.candidate.as_ref().is_some_and(|on| on.yielded.is_some());
        if yields && self.saved.stable.is_some_and(|(_, home)| deployment(home) == planned.at.deployment) {
            // What the gateway may still leave to the stable revision, its pods must carry.
            let kept = 100 - self.state.least;
            return require(size * 100 >= kept * self.state.pods, || format!("rule 3: the stable side shrinks to {size} with {kept} %"));
        }
        // Scaling down by the user is the user's.
        let carried = |name: &str, limit: Option<i32>| {
            self.seen(name).map_or(0, |seen| (seen.available + seen.others).min(limit.unwrap_or(seen.desired)))
        };
        let after: i32 = self.plan.serving().map(|set| carried(&set.at.deployment, (set.at == planned.at).then_some(size))).sum();
        let now: i32 = self.plan.serving().map(|set| carried(&set.at.deployment, None)).sum();
        require(after >= now.min(self.state.pods), || format!("rule 1: {after} of {} pods are left to serve", self.state.pods))
    }

    /// The Service selects another revision, or all of them.
    pub fn moves(&self, to: Option<u8>) -> Verdict {
        let available = |revision: u8| -> i32 {
            if revision == ROLLING {
                return ready(self.sets, ROLLING);
            }
            self.sets.iter().flatten().map(|set| if set.revision == revision { set.available } else { set.others }).sum()
        };
        let Some(to) = to else {
            // From one revision to all: nothing that nobody wants may come back into the line.
            let strangers = self.sets.iter().enumerate().find(|(index, set)| {
                let known = self.plan.sets.iter().any(|planned| {
                    planned.at.deployment == deployment(u8::try_from(*index).unwrap())
                        && planned.role != super::super::layout::Role::Leaving
                });
                set.as_ref().is_some_and(|set| set.pods > 0 && self.state.pinned != Some(set.revision)) && !known
            });
            // Before there is a stable revision, whatever serves is better than nothing.
            return require(self.stale || self.saved.stable.is_none() || strangers.is_none(), || {
                "rule 2: pods that nobody wants get requests again".to_owned()
            });
        };
        let most = (0..=ROLLING).map(available).max().unwrap_or(0);
        require(self.stale || self.saved.stable.is_none() || available(to) > 0 || most == 0, || {
            format!("rule 2: all requests go to {to}, which has no pod")
        })
    }

    /// The routes give the candidate another weight: no more than its pods carry, unless that is what they gave it before.
    pub fn gives(&self, next: &State, weight: i32) -> Verdict {
        let ready = next.canary.map_or(0, |pin| ready(self.sets, pin));
        let on = self.saved.candidate.as_ref().filter(|on| on.yielded.is_some());
        // Where both sides together are too few, each has its part of it.
        let stable = on.and(self.saved.stable).map_or(0, |(_, home)| self.seen(deployment(home)).map_or(0, |set| set.available));
        let short = on.is_some() && (100 - weight) * self.state.pods >= stable * 100;
        require(self.stale || weight * self.state.pods <= ready * 100 || weight < self.state.route.0 || short, || {
            format!("rule 2: {weight} % of the requests go to {ready} of {} pods", self.state.pods)
        })?;
        let (left, asked) = (100 - weight, on.map_or(0, |on| on.weight.max(on.observed)));
        let fair = left * self.state.pods <= stable * 100 || (weight + 1) * (ready + stable) >= ready * 100 || weight >= asked;
        require(self.stale || on.is_none() || weight >= self.state.route.0 || fair, || {
            format!("rule 2: {left} % of the requests go back to {stable} of {} pods, while {ready} others are there", self.state.pods)
        })
    }

    /// The Service of the candidate's side selects another revision: never one without pods, if a gateway may send requests
    /// there.
    pub fn turns(&self, to: Option<u8>) -> Verdict {
        let ready = |pin: u8| ready(self.sets, pin) > 0;
        let given = self.state.route != (0, true);
        let any = self.sets.iter().flatten().any(|set| set.available > 0);
        require(self.stale || !given || !any || to.is_none_or(ready) || to == self.state.pinned, || {
            format!("rule 2: requests go to {to:?}, which has no pod")
        })
    }

    /// A Deployment goes.
    pub fn deletes(&self, live: &Set, index: u8) -> Verdict {
        require(live.pods + live.others == 0 || self.stale || live.desired == 0, || {
            format!("rule 3: {} goes with its pods", deployment(index))
        })
    }
}

/// A decision is about to be recorded.
pub fn decides(pass: &Pass, service: &Service, after: &Saved, command: Option<(&'static str, bool)>) -> Verdict {
    let before = pass.saved;
    let (was, is) = (before.candidate.as_ref(), after.candidate.as_ref());
    if let (Some(was), Some(is)) = (was, is)
        && was.at == is.at
        && command.is_none()
    {
        let held = was.paused || service.rollout.paused;
        let split = !(was.at.1 == 0 && before.stable.is_none_or(|stable| stable.1 == 0));
        // An edit of the strategy's steps is not among the actions, so nothing else moves the weight.
        require(!held || !split || was.step == is.step, || "rule 8: a rollout that is held goes on".to_owned())?;
        require(before.failed != Some(was.at.0) || is.step == was.step, || "rule 8: a revision that failed goes on".to_owned())?;
    }
    if let (Some((stable, home)), Some(is)) = (before.stable, is) {
        let new = was.is_none_or(|was| was.at.0 != is.at.0) && is.at.0 == pass.state.target && is.at.0 != stable;
        // Its record was lost: it began before.
        let begun = home == 0 && pass.sets[0].as_ref().is_some_and(|set| set.revision == is.at.0);
        require(!new || !pass.state.frozen || begun, || "a rollout begins while none may".to_owned())?;
    }
    if let Some(was) = was.filter(|was| was.at.1 != 0 && before.failed.is_none() && after.failed == Some(was.at.0))
        && after.reason == Some(super::super::DEADLINE)
    {
        require(was.lacking == Some(true), || "a revision is given up before its time".to_owned())?;
    }
    if after.stable == before.stable {
        return Ok(());
    }
    let Some((revision, home)) = after.stable else { return Err("the stable revision is forgotten".to_owned()) };
    if let Some(bake) = before.bake.as_ref().filter(|bake| bake.revision == revision && was.is_none()) {
        return comes_back(pass, bake, before.stable, (revision, home), after, command.is_some());
    }
    let lost = before.stable.is_none() && was.is_none();
    require(was.is_some_and(|was| was.at == (revision, home)) || home == 0 || lost, || "what was no candidate is promoted".to_owned())?;
    let failed = before.failed == Some(revision) && before.stable.is_some();
    require(!failed || command.is_some(), || "rule 8: a revision that failed is promoted".to_owned())?;
    let Some(set) = &pass.sets[usize::from(home)] else { return Err("what is promoted has no Deployment".to_owned()) };
    let enough =
        set.current && set.revision == revision && set.available >= pass.state.pods.min(set.desired) && set.desired >= pass.state.pods;
    // What is found to be stable after status was lost has been so before.
    require(enough || pass.stale || lost, || {
        format!("rule 9: {} is promoted with {} pods of {}", REVISIONS[usize::from(revision)], set.available, pass.state.pods)
    })
}

/// Nothing gets past a gate that has not opened: no time, no command, no crash.
pub fn passes(setting: &Setting, pass: &Pass, after: &Saved) -> Verdict {
    let Some(was) = pass.saved.candidate.as_ref().filter(|was| was.strategy == Strategy::Canary && pass.saved.stable.is_some()) else {
        return Ok(());
    };
    let promoted = after.candidate.is_none() && after.stable == Some(was.at);
    let passed = |gate: &&usize| {
        let moved = after.candidate.as_ref().is_some_and(|is| is.at == was.at && usize::from(is.step) > **gate);
        usize::from(was.step) <= **gate && (moved || promoted)
    };
    // What was said is said of the step in progress.
    let passed = GATES.iter().filter(passed).count();
    let open = pass.state.said == Some(true) && passed == 1;
    require(!setting.gated || passed == 0 || open, || "a gate that is closed lets a revision pass".to_owned())
}

/// A version that bakes gives way to the one before it: not without a reason, and only to pods that can take over.
fn comes_back(pass: &Pass, bake: &Bake, from: Option<(u8, u8)>, to: (u8, u8), after: &Saved, asked: bool) -> Verdict {
    let available = |(_, home): (u8, u8)| pass.seen(deployment(home)).map_or(0, |set| set.available);
    let (old, new) = (available(to), from.map_or(0, available));
    require(old > 0 && (old >= pass.state.pods.min(bake.pods) || old > new), || {
        format!("rule 2: what baked gives way to {old} pods, and has {new}")
    })?;
    let wanted = pass.state.target == to.0 || after.undo == Some(to.0);
    require(asked || wanted || bake.unwell == Some(true), || "what bakes gives way before its patience is over".to_owned())?;
    let kept = from.is_none_or(|(revision, home)| after.parked.contains(&(revision, home, Some(true))));
    require(kept, || "the pods that get requests until the Service moves are not kept".to_owned())
}

/// Steps of a fair course after which everything must be as it should.
const COURSE: usize = 200;

/// From here on nobody interferes: passes are made, controllers work, pods of good revisions become ready, time goes by. Then
/// the spec's revision serves, or it failed and the last good one does, or somebody's word is waited for; and nothing moves.
pub fn ends_well(setting: &Setting, from: &State) -> Verdict {
    let mut course = Vec::new();
    runs_out(setting, from, &mut course).map_err(|why| format!("{why}\nthe last of its course:\n      {}", course.join("\n      ")))
}

/// A pass, and what controllers, gateways and sound pods do after it.
fn round(setting: &Setting, from: &State) -> Result<State, String> {
    let mut state = act::apply(setting, from, &Action::Pass { stale: false, writes: act::ALL, command: None })?.0;
    for index in 0..4 {
        state = act::apply(setting, &state, &Action::Observe(index))?.0;
        for _ in 0..4 {
            if state.sets[index].as_ref().is_some_and(|set| set.revision != BAD && set.available < set.pods) {
                state = act::apply(setting, &state, &Action::PodReady(index))?.0;
            }
        }
    }
    state = act::apply(setting, &state, &Action::Accept)?.0;
    for action in [Action::RollStarts, Action::RollEnds, Action::RollLate] {
        let possible = act::possible(setting, &state).contains(&action);
        // The controller gives up only what makes no progress.
        let fair = action != Action::RollLate || state.sets[0].as_ref().is_some_and(|set| set.revision == BAD);
        if possible && fair {
            state = act::apply(setting, &state, &action)?.0;
        }
    }
    Ok(state)
}

/// The service at rest, with the first version, which nobody changes.
pub fn rest(setting: &Setting, from: State) -> State {
    let next = |state: State, _| round(setting, &state).and_then(|state| act::apply(setting, &state, &Action::Tick)).unwrap().0;
    (0..8).fold(from, next)
}

fn runs_out(setting: &Setting, from: &State, course: &mut Vec<String>) -> Verdict {
    let mut state = from.clone();
    state.news = None;
    state.paused = false;
    state.frozen = false;
    if let Some(on) = &mut state.saved.candidate {
        on.paused = false;
    }
    let mut quiet = 0;
    for _ in 0..COURSE {
        let before = state.clone();
        state = round(setting, &state)?;
        quiet = if state == before { quiet + 1 } else { 0 };
        course.push(format!("{state:?}"));
        if course.len() > 6 {
            course.remove(0);
        }
        // All that is left to wait for is time.
        state = act::apply(setting, &state, &Action::Tick)?.0;
        if quiet > 2 {
            return settled(&state);
        }
    }
    Err(format!("after {COURSE} rounds without any trouble it still moves: {state:?}"))
}

/// Whatever the candidate's pods do, as many as are promised serve after a while, also where the rollout is held and no
/// deadline ends it: the stable revision makes up for those that are lost.
pub fn keeps_serving(setting: &Setting, from: &State) -> Verdict {
    let (Some((stable, _)), Some(on)) = (from.saved.stable, &from.saved.candidate) else { return Ok(()) };
    if on.strategy != Strategy::Canary || on.routed || from.pinned.is_some() || stable == BAD {
        return Ok(());
    }
    let lost = on.at.0;
    let mut state = State { news: None, paused: true, ..from.clone() };
    for _ in 0..COURSE {
        state.sets.iter_mut().flatten().filter(|set| set.revision == lost).for_each(|set| set.available = 0);
        state = act::apply(setting, &state, &Action::Pass { stale: false, writes: act::ALL, command: None })?.0;
        for index in 0..4 {
            state = act::apply(setting, &state, &Action::Observe(index))?.0;
            let comes = |set: &Set| set.revision != BAD && set.revision != lost && set.available < set.pods;
            while state.sets[index].as_ref().is_some_and(comes) {
                state = act::apply(setting, &state, &Action::PodReady(index))?.0;
            }
        }
        for action in [Action::RollStarts, Action::RollEnds, Action::Tick] {
            if act::possible(setting, &state).contains(&action) {
                state = act::apply(setting, &state, &action)?.0;
            }
        }
    }
    let all = || state.sets.iter().flatten().map(|set| set.available + set.others).sum();
    let serve: i32 = state.pinned.map_or_else(all, |pin| ready(&state.sets, pin));
    require(serve >= state.pods, || format!("rule 1: with the candidate's pods lost for long, {serve} of {} serve: {state:?}", state.pods))
}

fn settled(state: &State) -> Verdict {
    let saved = &state.saved;
    let serving = saved.stable.map(|(_, home)| state.sets[usize::from(home)].clone().unwrap_or_default());
    let complete = serving.as_ref().is_some_and(|set| set.available == state.pods && set.others == 0);
    let waits = saved.candidate.is_some();
    let good = match () {
        () if saved.failed == Some(state.target) => saved.stable.is_none() || complete || waits,
        () if waits => true,
        () => saved.stable.is_some_and(|(revision, _)| revision == state.target) && complete,
    };
    require(good, || format!("it came to rest in the wrong place: {state:?}"))
}
