//! What was seen: states of the service, marks of what happened, and what follows from them.

use crate::api::v1alpha1::{RolloutState, Strategy};
use crate::cli::kubectl::brief::{Hold, State};
use crate::model::{Service, Step};

use super::options::Moment;

/// Pods of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    /// That exist and are not told to end.
    pub there: i64,
    pub ready: i64,
    /// That are ready and get requests.
    pub serving: i64,
}

/// What the operator says of the service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub state: State,
    pub rollout: Option<RolloutState>,
    /// The new version is the stable one.
    pub new_is_stable: bool,
    pub strategy: Option<Strategy>,
    /// Index of the step, and how many there are.
    pub step: Option<(usize, usize)>,
    /// Per cent that the new version is to have, and has been seen to have.
    pub weight: Option<(i32, i32)>,
    pub hold: Option<Hold>,
    /// What it waits for, or what came of it.
    pub words: String,
}

/// The service at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Since the new spec was applied.
    pub at: Moment,
    pub old: Pods,
    pub new: Pods,
    /// Pods that there are to be.
    pub wanted: i32,
    /// Per cent of the requests that go to the new version.
    pub share: f64,
    pub said: Said,
}

impl Frame {
    pub fn serving(&self) -> i64 {
        self.old.serving + self.new.serving
    }

    pub fn there(&self) -> i64 {
        self.old.there + self.new.there
    }

    /// How it would end if nothing more happened.
    pub fn outcome(&self) -> Outcome {
        match (self.said.state, self.said.rollout) {
            (State::Ready, _) if self.said.new_is_stable => Outcome::Completed,
            (State::Stalled, Some(RolloutState::RolledBack)) => Outcome::RolledBack,
            (State::Stalled, Some(RolloutState::Aborted)) => Outcome::Aborted,
            (State::Stalled, _) => Outcome::Failed,
            _ if self.waits_for_somebody() => Outcome::Waiting,
            _ => Outcome::Unfinished,
        }
    }

    pub fn waits_for_somebody(&self) -> bool {
        matches!(self.said.hold, Some(Hold::Spec | Hold::Command | Hold::Promotion | Hold::Gate(_)))
    }

    /// The step in progress in a few words; empty without one.
    pub fn step_name(&self, service: &Service) -> String {
        let Some((index, _)) = self.said.step else { return String::new() };
        if self.said.strategy == Some(Strategy::BlueGreen) {
            return ["new pods start", "new pods wait", "new pods grow", "switch"].get(index).copied().unwrap_or_default().to_owned();
        }
        match service.rollout.steps.get(index) {
            Some(Step::Weight(weight)) => format!("setWeight {weight}"),
            Some(Step::Pause(Some(seconds))) => format!("pause {seconds} s"),
            Some(Step::Pause(None)) => "manual pause".to_owned(),
            Some(Step::Scale(_)) => "setScale".to_owned(),
            Some(Step::Match(_)) => "match".to_owned(),
            Some(Step::Mirror(percent)) => format!("mirror {percent}"),
            Some(Step::Gate(name)) => format!("gate {name}"),
            None => "takes over".to_owned(),
        }
    }
}

/// Who or what made something happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    User,
    Operator,
    /// A warning of the operator's.
    Warning,
    Fault,
    /// A safety rule was broken.
    Rule,
}

impl Source {
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "you",
            Self::Operator | Self::Warning => "operator",
            Self::Fault => "fault",
            Self::Rule => "broken rule",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub at: Moment,
    pub source: Source,
    pub text: String,
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    /// No pod is replaced.
    Unchanged,
    /// For somebody to go on.
    Waiting,
    RolledBack,
    Aborted,
    /// Nothing goes on, and nothing was taken back.
    Failed,
    /// It was not over at the end of the play.
    Unfinished,
}

/// A revision and its image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    pub revision: String,
    pub image: String,
}

/// A whole play.
pub struct Timeline {
    /// At least one.
    pub frames: Vec<Frame>,
    pub marks: Vec<Mark>,
    pub old: Version,
    pub new: Version,
    pub outcome: Outcome,
    /// Pods that must serve at every moment, by the new spec.
    pub promised: i64,
    /// Its last moment, where that was reached before everything came to rest.
    pub cut: Option<Moment>,
}

/// What a play comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// When the outcome was there.
    pub decided: Moment,
    /// When nothing changed any more.
    pub settled: Moment,
    /// Fewest pods that served, and when first.
    pub least: (i64, Moment),
    /// Most pods that existed, and when first.
    pub most: (i64, Moment),
    /// Per cent of the requests that the new version got until then: on average, and at most.
    pub share: (f64, f64),
    pub broken: Vec<Mark>,
}

impl Timeline {
    pub fn summary(&self) -> Summary {
        let last = self.frames.last();
        let settled = self.cut.or(last.map(|frame| frame.at)).unwrap_or_default();
        let outcome = last.map(Frame::outcome);
        let tail = self.frames.iter().rev().take_while(|frame| Some(frame.outcome()) == outcome).last();
        let decided = tail.map_or(settled, |frame| frame.at);
        let first_by = |measure: fn(&Frame) -> i64| self.frames.iter().map(move |frame| (measure(frame), frame.at));
        let least = first_by(Frame::serving).min().unwrap_or_default();
        let most = first_by(|frame| -frame.there()).min().map(|(pods, at)| (-pods, at)).unwrap_or_default();
        let spans = self.frames.iter().zip(self.frames.iter().skip(1).map(|frame| frame.at).chain([settled]));
        let until = if decided == 0 { settled } else { decided };
        let weighed = spans.map(|(frame, end)| frame.share * rational((end.min(until) - frame.at).max(0))).sum::<f64>();
        let mean = if until == 0 { 0.0 } else { weighed / rational(until) };
        let peak = self.frames.iter().map(|frame| frame.share).fold(0.0, f64::max);
        let broken = self.marks.iter().filter(|mark| mark.source == Source::Rule).cloned().collect();
        Summary { decided, settled, least, most, share: (mean, peak), broken }
    }

    /// Exit status of the command.
    pub fn status(&self) -> u8 {
        let broken = self.marks.iter().any(|mark| mark.source == Source::Rule);
        match self.outcome {
            _ if broken => 1,
            Outcome::Completed | Outcome::Unchanged | Outcome::Waiting => 0,
            Outcome::RolledBack | Outcome::Aborted | Outcome::Failed => 1,
            Outcome::Unfinished => 3,
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "pods, and milliseconds of a few years")]
pub fn rational(number: i64) -> f64 {
    number as f64
}

/// `1:05`, `1:00:05`.
pub fn clock(at: Moment) -> String {
    let seconds = at / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn times_are_short() {
        assert_eq!([0, 5_900, 65_000, 3_605_000].map(clock), ["0:00", "0:05", "1:05", "1:00:05"]);
    }
}
