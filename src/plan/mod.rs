//! The two pure functions. No client, no clock, no randomness: everything enters as a value.
//!
//! [`children`] says what must exist now, from the spec and persisted progress alone. [`advance`] looks at what came of
//! it and says what to remember, what to tell the user, and when to look again.

mod advance;
pub mod change;
pub mod children;
pub mod conditions;
pub mod diagnose;
pub mod diff;
pub mod digest;
mod families;
pub mod gateway;
pub mod replicas;
pub mod revision;
pub mod rollout;
#[cfg(test)]
mod stories;
mod verdict;
pub mod workload;

pub use advance::{advance, broken, reject, suspended};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::api::v1alpha1::MicroserviceStatus;
use crate::model::{Child, ChildRef, Question};

/// What must exist now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Children {
    /// In order of apply.
    pub list: Vec<Child>,
    /// Children that must not be pruned though they are not in the list: older revisions.
    pub retained: Vec<ChildRef>,
}

/// What came of applying children; nothing here is fatal to the pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Children that exist as planned now, with their uids.
    pub existing: BTreeMap<ChildRef, String>,
    /// Children that this pass created or changed.
    pub written: BTreeSet<ChildRef>,
    /// Those of them that got another spec: what the snapshot says of their status is out of date.
    pub outdated: BTreeSet<ChildRef>,
    /// Children that could not be brought to plan.
    pub failures: Vec<ChildFailure>,
    /// Children that were pruned.
    pub pruned: Vec<ChildRef>,
}

/// Why a child is not as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildFailure {
    pub child: ChildRef,
    pub cause: Cause,
    /// For people: what the server said, and what to do.
    pub message: String,
}

/// Class of a failure; decides between waiting for the user and trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The name is taken by an object that is not ours.
    OwnershipConflict,
    /// The server refuses the verb, or an admission policy refuses the object.
    Forbidden,
    /// A resource quota is full.
    QuotaExceeded,
    /// The server says that the object is invalid.
    Invalid,
    /// The namespace is being deleted.
    Terminating,
    /// Anything that may pass: conflicts, time-outs, an absent server, 429, 5xx.
    Transient,
}

/// What to remember and say after a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The whole status, inventory included; written only if it differs from the one on the object.
    pub status: MicroserviceStatus,
    pub events: Vec<Event>,
    /// When to look again without being told, if at all.
    pub wake: Option<Duration>,
    /// What it wants to know of servers outside the cluster's API. They follow from the status above: they are to be asked once
    /// that is stored, and no longer than they are named here.
    pub questions: Vec<Question>,
}

/// An event: on transitions only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub warning: bool,
    /// Stable CamelCase word, one for each kind of transition.
    pub reason: &'static str,
    /// What was done, e.g. `Rollback`.
    pub action: &'static str,
    pub note: String,
}
