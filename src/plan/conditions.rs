//! Conditions: their names and reasons in one place, and the rule that a transition time moves only when a status flips.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

pub const READY: &str = "Ready";
pub const RECONCILING: &str = "Reconciling";
pub const STALLED: &str = "Stalled";
pub const AVAILABLE: &str = "Available";
pub const WORKLOAD: &str = "WorkloadReady";
pub const AUTOSCALER: &str = "AutoscalerReady";
pub const DISRUPTION: &str = "DisruptionBudgetReady";
pub const NETWORK: &str = "NetworkPolicyReady";
pub const ROUTES: &str = "RoutesReady";
pub const OVERRIDDEN: &str = "Overridden";
pub const SUSPENDED: &str = "Suspended";

/// Families of children that this version cannot make: always there, so that a watcher need not know the version.
pub const NOT_REQUESTED: [&str; 5] =
    ["TrafficPolicyReady", "AuthenticationReady", "DependenciesReady", "BindingsReady", "ObservabilityReady"];

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Is {
    True,
    False,
    Unknown,
}

impl Is {
    pub const fn text(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// The conditions of one pass.
pub struct Conditions {
    list: Vec<Condition>,
    generation: i64,
    now: Timestamp,
}

impl Conditions {
    pub fn new(previous: &[Condition], generation: i64, now: Timestamp) -> Self {
        Self { list: previous.to_vec(), generation, now }
    }

    /// Sets a condition; its transition time moves only when the status flips.
    pub fn set(&mut self, kind: &str, is: Is, reason: &str, message: impl Into<String>) {
        let before = self.list.iter().position(|c| c.type_ == kind);
        let since = before
            .and_then(|at| self.list.get(at))
            .filter(|c| c.status == is.text())
            .map_or(Time(self.now), |c| c.last_transition_time.clone());
        let condition = Condition {
            type_: kind.to_owned(),
            status: is.text().to_owned(),
            reason: reason.to_owned(),
            message: shorten(message.into()),
            observed_generation: Some(self.generation),
            last_transition_time: since,
        };
        match before.and_then(|at| self.list.get_mut(at)) {
            Some(place) => *place = condition,
            None => self.list.push(condition),
        }
    }

    /// Removes a condition that exists only while true.
    pub fn clear(&mut self, kind: &str) {
        self.list.retain(|c| c.type_ != kind);
    }

    pub fn get(&self, kind: &str) -> Option<&Condition> {
        self.list.iter().find(|c| c.type_ == kind)
    }

    /// Seconds since a condition took its status.
    pub fn age(&self, kind: &str) -> i64 {
        self.get(kind).map_or(0, |c| self.now.as_second() - c.last_transition_time.0.as_second())
    }

    /// All conditions speak of this generation, also those that the pass did not touch.
    pub fn finish(mut self) -> Vec<Condition> {
        for condition in &mut self.list {
            condition.observed_generation = Some(self.generation);
        }
        self.list
    }
}

/// The API server refuses condition messages above 32 768 bytes; a reader stops long before.
const LONGEST_MESSAGE: usize = 1024;

fn shorten(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        let mut end = LONGEST_MESSAGE - '…'.len_utf8();
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    message
}
