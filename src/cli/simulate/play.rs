//! A play: the service as it runs, then the new spec, then whatever follows.

use jiff::Timestamp;
use serde_json::json;

use crate::api::labels;
use crate::cli::kubectl::brief::{Hold, State};
use crate::observe::Watched;
use crate::plan::rollout::ratio::Slack;
use crate::simulate::invariants::{Truth, revision};
use crate::simulate::pods::{Fates, Told};
use crate::simulate::{PROMPT, Simulation};

use super::options::{Args, Command, Deed, Failure, Moment, moment};
use super::scenario::Scenario;
use super::sight::Sight;
use super::timeline::{Frame, Mark, Outcome, Source, Timeline, Version};
use super::words;

/// Pods of the version that runs are ready so soon: what came before is not part of the play.
const BEFORE: Moment = 1_000;
/// Within this time the service as it runs is Ready, or never.
const PATIENCE: Moment = 3_600_000;
/// Without a change for so long nothing comes any more: autoscalers have looked twice.
const REST: Moment = 31_000;
/// How long an operator takes to start again.
const RESTART: Moment = 5_000;

/// Plays a scenario; or says why the service as it runs never gets Ready.
pub fn play(scenario: &Scenario, args: &Args) -> Result<Timeline, String> {
    let mut play = Play::ready(scenario, args)?;
    play.begin();
    play.go_on();
    Ok(play.end())
}

struct Play<'a> {
    scenario: &'a Scenario,
    simulation: Simulation,
    /// When the new spec is applied.
    zero: Moment,
    until: Moment,
    auto_promote: Option<Moment>,
    /// Begin of the last pause that somebody ended.
    promoted: Option<Moment>,
    start: Moment,
    quota: Option<usize>,
    applied: bool,
    /// The next one is last.
    deeds: Vec<(Moment, Deed)>,
    old: Version,
    frames: Vec<Frame>,
    marks: Vec<Mark>,
    sight: Sight,
    /// Changes, announcements and broken rules that were looked at.
    seen: (usize, usize, usize),
    /// Time of the last change.
    changed: Moment,
    /// Commands that were given.
    commands: usize,
}

impl<'a> Play<'a> {
    /// The service as it runs.
    fn ready(scenario: &'a Scenario, args: &Args) -> Result<Self, String> {
        let mut simulation = Simulation::new(args.seed, PROMPT);
        simulation.conduct(Fates::Told(Told { start: BEFORE, doom: None }), args.quota);
        simulation.load = scenario.load.into();
        simulation.run(10);
        for (name, gate) in &args.gates {
            simulation.gate(name, *gate);
        }
        if !scenario.webhooks.is_empty() {
            simulation.profile(&json!({"providers": {"webhooks": scenario.webhooks}}));
        }
        simulation.apply(scenario.name(), &scenario.old.manifest);
        let mut deeds = args.deeds();
        deeds.reverse();
        let mut play = Self {
            scenario,
            simulation,
            zero: 0,
            until: moment(args.until),
            auto_promote: args.auto_promote.map(moment),
            promoted: None,
            start: moment(args.pod_ready),
            quota: args.quota,
            applied: false,
            deeds,
            old: Version::default(),
            frames: Vec::new(),
            marks: Vec::new(),
            sight: Sight::of(""),
            seen: (0, 0, 0),
            changed: 0,
            commands: 0,
        };
        let wanted = i64::from(scenario.old.wanted(scenario.load));
        loop {
            let changes = play.simulation.changes();
            // Whole seconds: times in status have no parts of them.
            play.simulation.run(REST + 1_000 - play.simulation.elapsed() % 1_000);
            let rests = play.simulation.changes() == changes;
            let frame = play.frame();
            if rests && frame.said.state == State::Ready && frame.serving() >= wanted {
                break;
            }
            if play.simulation.elapsed() > PATIENCE {
                return Err(format!("the service as it runs does not get Ready: {}", frame.said.words));
            }
        }
        let stable = play.truth().progress().stable_revision().cloned().unwrap_or_default();
        play.sight = Sight::of(&stable);
        play.old = Version { revision: stable, image: scenario.old.service.spec.image.clone() };
        play.zero = play.simulation.elapsed();
        play.seen = (0, play.simulation.announced.len(), play.simulation.violations.len());
        Ok(play)
    }

    /// The new spec is applied.
    fn begin(&mut self) {
        self.look();
        self.conduct(None);
        self.marks.push(Mark { at: 0, source: Source::User, text: "the new spec is applied".to_owned() });
        while self.deeds.last().is_some_and(|(at, deed)| *at == 0 && matches!(deed, Deed::Fail(_))) {
            self.act();
        }
        self.simulation.apply(self.scenario.name(), &self.scenario.new.manifest);
        self.applied = true;
        self.look();
    }

    fn go_on(&mut self) {
        loop {
            let due = self.deeds.last().map(|(at, _)| *at).into_iter().chain(self.promotion()).chain([self.until]).min();
            let due = due.unwrap_or(self.until);
            if self.simulation.step(self.zero + due) {
                self.look();
                let more = !self.deeds.is_empty() || self.promotion().is_some();
                if !more && self.simulation.is_idle() && self.now() - self.changed >= REST {
                    return;
                }
                continue;
            }
            self.simulation.run(self.zero + due - self.simulation.elapsed());
            if due >= self.until {
                return;
            }
            if self.deeds.last().is_some_and(|(at, _)| *at <= due) {
                self.act();
            } else {
                self.promoted = self.paused();
                self.command(Command::Promote);
            }
            self.look();
        }
    }

    fn end(self) -> Timeline {
        let total = self.scenario.new.wanted(self.scenario.load);
        let rollout = &self.scenario.new.service.rollout;
        let promised = i64::from(total - Slack::of(rollout, rollout.strategy, total).unavailable);
        let progress = self.truth().progress();
        let target = progress.candidate_revision().or(progress.failed.as_ref()).or(progress.stable_revision()).cloned();
        let new = Version { revision: target.unwrap_or_default(), image: self.scenario.new.service.spec.image.clone() };
        let cut = (self.now() >= self.until).then_some(self.until);
        let outcome = match self.frames.last().map(Frame::outcome) {
            Some(Outcome::Completed) if new.revision == self.old.revision => Outcome::Unchanged,
            // Somebody would have gone on later.
            Some(Outcome::Waiting) if self.promotion().is_some() || !self.deeds.is_empty() => Outcome::Unfinished,
            outcome => outcome.unwrap_or(Outcome::Unfinished),
        };
        Timeline { frames: self.frames, marks: self.marks, old: self.old, new, outcome, promised, cut }
    }

    /// Milliseconds since the new spec was applied.
    fn now(&self) -> Moment {
        self.simulation.elapsed() - self.zero
    }

    fn truth(&self) -> Truth {
        self.simulation.truth(self.scenario.name()).cloned().unwrap_or_default()
    }

    /// When somebody goes on.
    fn promotion(&self) -> Option<Moment> {
        let since = self.paused().filter(|since| self.promoted != Some(*since))?;
        Some(since + self.auto_promote?)
    }

    /// Since when it waits for a promotion.
    fn paused(&self) -> Option<Moment> {
        let waits = |frame: &&Frame| frame.said.hold == Some(Hold::Promotion);
        self.frames.iter().rev().take_while(waits).last().map(|frame| frame.at)
    }

    fn conduct(&mut self, failure: Option<Failure>) {
        let doom = failure.map(|failure| (self.old.revision.clone(), failure.nature()));
        self.simulation.conduct(Fates::Told(Told { start: self.start, doom }), self.quota);
    }

    fn act(&mut self) {
        let Some((_, deed)) = self.deeds.pop() else { return };
        match deed {
            Deed::Fail(failure) => {
                self.mark(Source::Fault, failure.words().to_owned());
                self.conduct(Some(failure));
                let truth = self.truth();
                for (name, _) in truth.all(Watched::Pod).filter(|(_, pod)| revision(pod) != self.old.revision) {
                    self.simulation.befall(name, failure.nature());
                }
            }
            Deed::Lose(count) => {
                let mut left = self.simulation.pods();
                let mut lost = Vec::new();
                for _ in 0..count {
                    let Some(pod) = self.simulation.random().pick(&left).cloned() else { break };
                    left.retain(|other| *other != pod);
                    self.simulation.kill(&pod);
                    lost.push(pod);
                }
                self.mark(Source::Fault, format!("{} pods are lost with their nodes", lost.len()));
            }
            Deed::Restart => {
                self.mark(Source::Fault, "the operator ends, and starts again".to_owned());
                self.simulation.restart(RESTART);
            }
            Deed::Command(command) => self.command(command),
        }
    }

    /// What `kubectl microservice` would write.
    fn command(&mut self, command: Command) {
        let progress = self.truth().progress();
        let (verb, key) = match command {
            Command::Promote => ("promote", labels::PROMOTE),
            Command::PromoteFull => ("promote --full", labels::PROMOTE),
            Command::Abort => ("abort", labels::ABORT),
            Command::Pause => ("pause", labels::PAUSE),
            Command::Resume => ("resume", labels::RESUME),
            Command::Retry => ("retry", labels::RETRY),
        };
        let revision = if command == Command::Retry { progress.failed } else { progress.candidate_revision().cloned() };
        let Some(revision) = revision else {
            return self.mark(Source::User, format!("{verb}: nothing is there for it"));
        };
        self.mark(Source::User, verb.to_owned());
        self.commands += 1;
        let full = if command == Command::PromoteFull { ":full" } else { "" };
        // Each value is handled once, and a second promotion is another one.
        let again = if self.commands > 1 { format!(":{}", self.commands) } else { String::new() };
        let value = format!("{revision}{full}{again}");
        self.simulation.patch(self.scenario.name(), &json!({"metadata": {"annotations": {key: value}}}));
    }

    fn mark(&mut self, source: Source, text: String) {
        let mark = Mark { at: self.now(), source, text };
        self.marks.push(mark);
    }

    /// Takes down what has changed.
    fn look(&mut self) {
        let changes = self.simulation.changes();
        if changes == self.seen.0 {
            return;
        }
        self.seen.0 = changes;
        self.changed = self.now();
        let frame = self.frame();
        let same = |last: &Frame| Frame { at: frame.at, ..last.clone() } == frame;
        if !self.frames.last().is_some_and(same) {
            // Of one moment, only what is left of it.
            self.frames.pop_if(|last| last.at == frame.at && last.at > 0);
            self.frames.push(frame);
        }
        let (zero, mut marks) = (self.zero, Vec::new());
        for (at, event) in self.simulation.announced.iter().skip(self.seen.1) {
            let source = if event.warning { Source::Warning } else { Source::Operator };
            marks.push(Mark { at: at - zero, source, text: format!("{}: {}", event.reason, words::relative(&event.note, self.epoch())) });
        }
        for (at, rule) in self.simulation.violations.iter().skip(self.seen.2) {
            marks.push(Mark { at: at - zero, source: Source::Rule, text: rule.clone() });
        }
        self.marks.append(&mut marks);
        (self.seen.1, self.seen.2) = (self.simulation.announced.len(), self.simulation.violations.len());
    }

    /// The moment at which the new spec was applied, as the cluster's clock shows it.
    fn epoch(&self) -> Timestamp {
        let now = self.simulation.store().now;
        Timestamp::from_millisecond(now - self.now()).unwrap_or_default()
    }

    fn frame(&mut self) -> Frame {
        let (truth, at, zero) = (self.truth(), self.now(), self.epoch());
        let side = if self.applied { &self.scenario.new } else { &self.scenario.old };
        self.sight.frame(&truth, (at, zero), side.wanted(self.scenario.load))
    }
}
