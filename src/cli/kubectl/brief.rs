//! What a Microservice says of itself, in the words that screens and verdicts need.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::{Value, json};

use crate::api::labels;
use crate::api::v1alpha1::{LastAction, Microservice, MicroserviceStatus, Rollout, RolloutState, Strategy};
use crate::model::Progress;
use crate::model::parse::fill;
use crate::plan::conditions::{READY, RECONCILING, STALLED, SUSPENDED};
use crate::plan::rollout::command::remembered;

use super::screen::{Tone, Word, word};

/// Commands that the operator handles once for each value, and remembers.
pub const REMEMBERED: [(&str, &str); 6] = [
    ("promote", labels::PROMOTE),
    ("abort", labels::ABORT),
    ("retry", labels::RETRY),
    ("pause", labels::PAUSE),
    ("resume", labels::RESUME),
    ("undo", labels::UNDO),
];

/// Merge patch that lets the operator work again.
pub const UNSUSPEND: &str = r#"{"spec":{"suspend":false}}"#;
/// Reasons of `Stalled` with which nothing of the spec was done.
const REFUSALS: [&str; 2] = ["InvalidSpec", "InternalError"];

/// A Microservice as it was read, and when.
pub struct Brief<'a> {
    pub object: &'a Microservice,
    pub status: MicroserviceStatus,
    pub progress: Progress,
    pub now: Timestamp,
    /// What commands to type need to find the namespace.
    flag: &'a str,
}

/// The service in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The operator has yet to look at the spec as it is now.
    #[default]
    Unseen,
    Deleting,
    Suspended,
    Ready,
    Reconciling,
    Stalled,
}

/// What a rollout waits for that is not a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// `spec.rollout.paused`.
    Spec,
    /// The command `pause`.
    Command,
    /// A promotion by somebody.
    Promotion,
    /// The webhook of this name.
    Gate(String),
    /// A time, if it is known.
    Until(Option<Timestamp>),
}

impl<'a> Brief<'a> {
    pub fn of(object: &'a Microservice, now: Timestamp, flag: &'a str) -> Self {
        let status = object.status.clone().unwrap_or_default();
        let progress = Progress::of(object.metadata.name.as_deref().unwrap_or_default(), Some(&status));
        Self { object, status, progress, now, flag }
    }

    /// A command of this plugin about this service, to be typed.
    pub fn command(&self, verb: &str) -> String {
        format!("kubectl microservice {verb} {}{}", self.name(), self.flag)
    }

    /// A change by kubectl's own means.
    pub fn patch(&self, patch: &str) -> String {
        format!("kubectl patch microservice {}{} --type merge -p '{patch}'", self.name(), self.flag)
    }

    /// A command of kubectl in this namespace.
    pub fn kubectl(&self, rest: &str) -> String {
        format!("kubectl{} {rest}", self.flag)
    }

    /// The failed revision gives way to another one at this moment.
    pub fn is_going_back(&self) -> bool {
        let failed = self.progress.failed.as_ref();
        failed.is_some() && self.progress.candidate_revision().is_some_and(|candidate| Some(candidate) != failed)
    }

    pub fn name(&self) -> &'a str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    pub fn namespace(&self) -> &'a str {
        self.object.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.type_ == kind)
    }

    pub fn is(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }

    /// The status speaks of the spec as it is now.
    pub fn is_seen(&self) -> bool {
        self.status.observed_generation.is_some_and(|seen| seen >= 0 && Some(seen) == self.object.metadata.generation)
    }

    pub fn state(&self) -> State {
        if self.object.metadata.deletion_timestamp.is_some() {
            State::Deleting
        } else if !self.is_seen() {
            State::Unseen
        } else if self.is(SUSPENDED) {
            State::Suspended
        } else if self.is(STALLED) {
            State::Stalled
        } else if self.is(READY) {
            State::Ready
        } else if self.is(RECONCILING) {
            State::Reconciling
        } else {
            State::Unseen
        }
    }

    /// Reason and message of the summary.
    pub fn summary(&self) -> (String, String) {
        match self.state() {
            State::Unseen => {
                let generation = self.object.metadata.generation.unwrap_or_default();
                ("NotSeen".to_owned(), format!("the operator has yet to look at this spec (generation {generation})"))
            }
            State::Deleting => ("Deleting".to_owned(), "it is being deleted".to_owned()),
            State::Suspended => said(self.condition(SUSPENDED)),
            State::Stalled | State::Ready | State::Reconciling => said(self.condition(READY)),
        }
    }

    /// Where the rollout stands, as far as the status is about this spec. With a spec that was refused it still tells of
    /// the one before.
    pub fn rollout_state(&self) -> Option<RolloutState> {
        self.status.rollout.as_ref().filter(|_| self.is_seen() && !self.is_refused())?.state
    }

    /// Nothing of the spec was done, and no command is.
    pub fn is_refused(&self) -> bool {
        self.condition(STALLED).is_some_and(|stalled| REFUSALS.contains(&stalled.reason.as_str()))
    }

    pub fn strategy(&self) -> Strategy {
        let under_way = self.progress.candidate.as_ref().map(|candidate| candidate.strategy);
        under_way.or_else(|| self.settings().strategy).unwrap_or_default()
    }

    /// How rollouts go: by the spec, and where it is silent by what the status says to be in force, a profile's steps included.
    fn settings(&self) -> Rollout {
        let mut whole = json!({ "rollout": self.object.spec.rollout.clone().unwrap_or_default() });
        let in_force = self.status.defaults.clone().unwrap_or_default();
        fill(&mut whole, &Value::Object(in_force));
        serde_json::from_value(whole["rollout"].take()).unwrap_or_default()
    }

    /// What a paused rollout waits for. As the operator decides it, from the spec that holds now.
    pub fn hold(&self) -> Option<Hold> {
        if self.rollout_state() != Some(RolloutState::Paused) {
            return None;
        }
        let candidate = self.progress.candidate.as_ref()?;
        let rollout = self.settings();
        if rollout.paused == Some(true) {
            return Some(Hold::Spec);
        }
        if candidate.paused {
            return Some(Hold::Command);
        }
        let seconds = if candidate.strategy == Strategy::BlueGreen {
            let switch = rollout.blue_green.unwrap_or_default();
            (switch.auto_promotion != Some(false)).then(|| switch.auto_promotion_delay_seconds.unwrap_or_default())
        } else {
            let steps = rollout.canary.and_then(|canary| canary.steps).unwrap_or_default();
            let step = steps.get(candidate.step);
            if let Some(gate) = step.and_then(|step| step.gate.as_ref()) {
                return Some(Hold::Gate(gate.webhook.clone()));
            }
            step.and_then(|step| step.pause.as_ref()?.seconds)
        };
        let end = |seconds: i32| candidate.step_started_at.as_ref()?.0.checked_add(SignedDuration::from_secs(seconds.into())).ok();
        Some(seconds.map_or(Hold::Promotion, |seconds| Hold::Until(end(seconds))))
    }

    /// How far the rollout has come, in a few characters: `Paused 2/4 25%`.
    pub fn rollout(&self) -> String {
        let Some(state) = self.rollout_state() else { return "-".to_owned() };
        let shown = self.status.rollout.clone().unwrap_or_default();
        let steps = shown.steps.zip(shown.step).map(|(steps, step)| format!(" {}/{steps}", (step + 1).min(steps)));
        let weight = shown.weight.map(|weight| format!(" {weight}%"));
        format!("{state:?}{}{}", steps.unwrap_or_default(), weight.unwrap_or_default())
    }

    pub fn replicas(&self) -> String {
        self.status.ready_text.clone().unwrap_or_else(|| "-".to_owned())
    }

    pub fn age(&self) -> String {
        self.object.metadata.creation_timestamp.as_ref().map_or_else(|| "-".to_owned(), |time| self.since(time))
    }

    pub fn since(&self, time: &Time) -> String {
        age(self.now.as_second() - time.0.as_second())
    }

    pub fn annotation(&self, key: &str) -> Option<&'a str> {
        self.object.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// A command that the operator has not handled yet. The generation does not tell: an annotation does not change it.
    pub fn pending(&self) -> Option<(&'static str, &'a str)> {
        REMEMBERED.into_iter().find_map(|(verb, key)| {
            let value = self.annotation(key).filter(|value| self.progress.handled.get(verb) != Some(&remembered(value)))?;
            Some((verb, value))
        })
    }

    pub fn last_action(&self) -> Option<&LastAction> {
        self.progress.last_action.as_ref()
    }

    /// What a revision is to the service.
    pub fn role(&self, revision: &str) -> Option<&'static str> {
        let is = |hash: Option<&String>| hash.is_some_and(|hash| hash == revision);
        let progress = &self.progress;
        if is(progress.failed.as_ref()) {
            Some("failed")
        } else if is(progress.candidate_revision()) {
            Some("candidate")
        } else if is(progress.stable_revision()) {
            Some("stable")
        } else if progress.parked.iter().any(|parked| parked.revision == revision) {
            Some("parked")
        } else {
            None
        }
    }
}

impl Hold {
    pub fn text(&self, now: Timestamp) -> String {
        match self {
            Self::Spec => "held by `spec.rollout.paused`".to_owned(),
            Self::Command => "held by the command `pause`".to_owned(),
            Self::Promotion => "waits for a promotion".to_owned(),
            Self::Gate(name) => format!("waits for gate `{name}`"),
            Self::Until(Some(end)) => format!("goes on by itself in {}", age(end.as_second() - now.as_second())),
            Self::Until(None) => "goes on by itself after a while".to_owned(),
        }
    }
}

impl State {
    pub const fn tone(self) -> Tone {
        match self {
            Self::Ready => Tone::Good,
            Self::Unseen | Self::Reconciling | Self::Deleting | Self::Suspended => Tone::Busy,
            Self::Stalled => Tone::Bad,
        }
    }

    pub fn word(self) -> Word {
        word(self.tone(), format!("{self:?}"))
    }
}

/// The tone of a role.
pub fn role_tone(role: &str) -> Tone {
    match role {
        "stable" => Tone::Good,
        "candidate" => Tone::Busy,
        "failed" => Tone::Bad,
        _ => Tone::Quiet,
    }
}

fn said(condition: Option<&Condition>) -> (String, String) {
    condition.map(|condition| (condition.reason.clone(), condition.message.clone())).unwrap_or_default()
}

/// A duration as kubectl shortens it.
pub fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds, seconds / 60, seconds / 3600, seconds / 86_400) {
        (0..120, ..) => format!("{seconds}s"),
        (_, 0..120, ..) => format!("{}m", seconds / 60),
        (_, _, 0..48, _) => format!("{}h", seconds / 3600),
        (.., days) => format!("{days}d"),
    }
}

/// `1 pod`, `2 pods`.
pub fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}
