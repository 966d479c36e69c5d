//! How much two statuses differ. A transition is written at once; numbers that merely move are written a little later,
//! so that a service coming up costs two writes and not one for each pod.

use serde_json::Value;

use crate::api::v1alpha1::MicroserviceStatus;

use super::conditions::{READY, RECONCILING, STALLED};

/// How a status differs from the one on the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Not at all: nothing is written.
    None,
    /// Numbers, messages and images for people.
    Display,
    /// Something that a machine may wait for, or that the next pass depends on.
    Transition,
}

impl Change {
    /// Compares as the server stores it: an absent list and an empty one are the same.
    pub fn between(before: Option<&MicroserviceStatus>, after: &MicroserviceStatus) -> Self {
        match before {
            Some(before) if json(before) == json(after) => Self::None,
            Some(before) if json(&machine(before)) == json(&machine(after)) => Self::Display,
            _ => Self::Transition,
        }
    }
}

/// What is left of a status when everything that is only for people is taken out.
fn machine(status: &MicroserviceStatus) -> MicroserviceStatus {
    let mut rest =
        MicroserviceStatus { replicas: None, ready_replicas: None, ready_text: None, image: None, autoscaling: None, ..status.clone() };
    for condition in &mut rest.conditions {
        condition.message.clear();
        // Of a family it is the status that a machine waits for; of the summary the reason counts too.
        if ![READY, RECONCILING, STALLED].contains(&condition.type_.as_str()) {
            condition.reason.clear();
        }
    }
    rest
}

fn json(status: &MicroserviceStatus) -> Value {
    // A status has string keys only, so it always serialises; equal nulls would merely skip a write.
    serde_json::to_value(status).unwrap_or_default()
}
