//! What a pass wants to know of a server outside the cluster's API, and what is known of it.
//!
//! The plan names its questions, and looks up their answers by what they are about; who asks, when and how often is no
//! concern of it. An answer is nothing that is stored: after a restart the same question is simply asked again.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Webhook;

/// Seconds until a webhook that has not said yes is asked again: soon enough for somebody who has just approved, and no load.
pub const AGAIN_SECONDS: u64 = 10;
/// Longest time between two questions, to a server that is in trouble or asks for patience.
pub const SLOWEST_SECONDS: u64 = 60;

/// A question, as it is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it is about: the object, the revision, the step, the time at which that began, and who is asked. An answer to
    /// another question, however alike, has another one.
    pub id: String,
    pub webhook: Webhook,
    /// What is sent, as JSON.
    pub body: Value,
}

/// What is known of the answer. The words are ours: nothing that a server says is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Go on.
    Yes,
    /// Never: the version is to be given up.
    No,
    /// It may still become a yes. What was answered.
    NotYet(String),
    /// It may still become a yes, but the server is in trouble, or out of reach. What is known of that.
    Trouble(String),
}

impl Answer {
    /// Nothing will change it.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Yes | Self::No)
    }
}
