//! Pods, and what becomes of them. In tests their image's tag says how they behave; otherwise they are told.

use serde_json::{Value, json};

use crate::api::labels;

use super::random::Random;
use super::store::time;

/// What an image does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Starts within seconds, and stays.
    Sound,
    /// Starts, after much longer.
    Slow,
    /// Its image cannot be pulled.
    Bad,
    /// Ends as soon as it starts, again and again.
    Crash,
    /// Is ready and unready by turns.
    Flaky,
    /// Becomes ready, and some time later dies for good.
    Late,
    /// Runs, and is never ready.
    Mute,
}

impl Nature {
    /// By the tag of an image, e.g. `orders:bad` or `orders:bad-2`.
    pub fn of(image: &str) -> Self {
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        match tag.split_once('-').map_or(tag, |(first, _)| first) {
            "bad" => Self::Bad,
            "crash" => Self::Crash,
            "slow" => Self::Slow,
            "flaky" => Self::Flaky,
            "late" => Self::Late,
            _ => Self::Sound,
        }
    }
}

/// How pods come to behave as they do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fates {
    /// By their image's tag, with times that differ from pod to pod.
    #[default]
    ByTag,
    Told(Told),
}

/// Every pod is sound and takes the same time, but for those of revisions that are doomed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Milliseconds from its creation until a pod is ready.
    pub start: i64,
    /// What becomes of the pods of all revisions but the one that is named.
    pub doom: Option<(String, Nature)>,
}

/// What lies before a pod.
#[derive(Clone, Copy, Debug)]
struct Fate {
    nature: Nature,
    /// Milliseconds until something happens to it by itself.
    start: i64,
    /// Milliseconds that it takes to end; `None`: any.
    end: Option<i64>,
}

impl Fates {
    fn of(&self, template: &Value, image: &str, revision: &str, random: &mut Random) -> Fate {
        match self {
            Self::ByTag => {
                let nature = Nature::of(image);
                let (low, high) = if nature == Nature::Slow { (20_000, 45_000) } else { (800, 5_000) };
                Fate { nature, start: signed(random.between(low, high)), end: None }
            }
            Self::Told(told) => {
                let doom = told.doom.as_ref().filter(|(spared, _)| spared != revision).map(|(_, nature)| *nature);
                let pause = template.pointer("/spec/containers/0/lifecycle/preStop/sleep/seconds").and_then(Value::as_i64);
                Fate { nature: doom.unwrap_or(Nature::Sound), start: told.start, end: Some(1000 * (pause.unwrap_or(0) + 1)) }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Ready,
    Unready,
    PullFailed,
    Crashed,
    Leaving,
}

/// A pod.
#[derive(Clone, Debug)]
pub struct Pod {
    pub name: String,
    /// Uid of the Deployment.
    pub owner: String,
    /// Hash of the template.
    pub template: String,
    labels: Value,
    container: String,
    image: String,
    fate: Fate,
    state: State,
    since: i64,
    restarts: u32,
    /// When something happens to it by itself.
    pub next: Option<i64>,
    pub born: u64,
}

impl Pod {
    /// `place`: the uid of its Deployment, and the hash of the template.
    pub fn new(name: String, place: (&str, &str), template: &Value, fates: &Fates, (now, born): (i64, u64), random: &mut Random) -> Self {
        let (owner, template_hash) = place;
        let text =
            |field: &str| template.pointer(&format!("/spec/containers/0/{field}")).and_then(Value::as_str).unwrap_or_default().to_owned();
        let image = text("image");
        let mut labels = template.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
        let fate = fates.of(template, &image, revision(&labels), random);
        labels["pod-template-hash"] = json!(template_hash);
        Self {
            name,
            owner: owner.to_owned(),
            template: template_hash.to_owned(),
            labels,
            container: text("name"),
            image,
            fate,
            state: State::Starting,
            since: now,
            restarts: 0,
            next: Some(now + fate.start),
            born,
        }
    }

    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    pub fn is_leaving(&self) -> bool {
        self.state == State::Leaving
    }

    /// When it will have been ready for so long, if it is ready.
    pub fn available_at(&self, min_ready: i64) -> Option<i64> {
        self.is_ready().then_some(self.since + min_ready)
    }

    /// It is told to end.
    pub fn leave(&mut self, now: i64, random: &mut Random) {
        let grace = self.fate.end.unwrap_or_else(|| signed(random.between(500, 4_000)));
        self.turn(State::Leaving, now, Some(grace));
    }

    /// From now on it is of this nature.
    pub fn befall(&mut self, nature: Nature, now: i64) {
        self.fate.nature = nature;
        match nature {
            Nature::Crash => self.crash(now, Some(20_000)),
            Nature::Mute => self.turn(State::Unready, now, None),
            _ => {}
        }
    }

    /// What was to happen by itself happens. `false`: it is gone.
    pub fn step(&mut self, now: i64, random: &mut Random) -> bool {
        let mut after = |low, high| Some(signed(random.between(low, high)));
        match (self.state, self.fate.nature) {
            (State::Leaving, _) => return false,
            (State::Starting, Nature::Bad) => self.turn(State::PullFailed, now, None),
            (State::Starting, Nature::Crash) => self.crash(now, after(10_000, 40_000)),
            (State::Starting | State::Unready, Nature::Flaky) => self.turn(State::Ready, now, after(15_000, 60_000)),
            (State::Starting, Nature::Mute) => self.turn(State::Unready, now, None),
            (State::Starting, Nature::Late) => self.turn(State::Ready, now, after(20_000, 150_000)),
            (State::Starting, _) => self.turn(State::Ready, now, None),
            (State::Ready, Nature::Flaky) => self.turn(State::Unready, now, after(3_000, 20_000)),
            (State::Ready, Nature::Late) => self.crash(now, None),
            // Each further end of the same program is no news to anybody here.
            (State::Crashed, _) if self.restarts >= 3 => self.next = None,
            (State::Crashed, _) => self.crash(now, after(10_000, 40_000)),
            _ => self.next = None,
        }
        true
    }

    fn crash(&mut self, now: i64, next: Option<i64>) {
        self.restarts += 1;
        self.turn(State::Crashed, now, next);
    }

    fn turn(&mut self, state: State, now: i64, next: Option<i64>) {
        self.state = state;
        self.since = now;
        self.next = next.map(|after| now + after);
    }

    /// As the API server shows it.
    pub fn object(&self) -> Value {
        let waiting = |reason: &str, message: &str| json!({"waiting": {"reason": reason, "message": message}});
        let state = match self.state {
            State::Starting => waiting("ContainerCreating", ""),
            State::PullFailed => waiting("ImagePullBackOff", "not found"),
            State::Crashed => waiting("CrashLoopBackOff", "back-off restarting failed container"),
            State::Ready | State::Unready | State::Leaving => json!({"running": {}}),
        };
        let last = if self.state == State::Crashed { json!({"terminated": {"exitCode": 1, "reason": "Error"}}) } else { json!({}) };
        let ready = self.is_ready();
        let phase = if matches!(self.state, State::Starting | State::PullFailed) { "Pending" } else { "Running" };
        let mut metadata = json!({"labels": self.labels, "annotations": {}});
        if self.is_leaving() {
            metadata["deletionTimestamp"] = json!(time(self.since));
        }
        json!({
            "metadata": metadata,
            "status": {
                "phase": phase,
                "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
                "containerStatuses": [{
                    "name": self.container, "image": self.image, "imageID": format!("{}@sha256:0", self.image),
                    "ready": ready, "restartCount": self.restarts, "state": state, "lastState": last,
                }],
            },
        })
    }
}

fn revision(all: &Value) -> &str {
    all.get(labels::REVISION).and_then(Value::as_str).unwrap_or_default()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or_default()
}
