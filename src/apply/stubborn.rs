//! Children that do not stay as they are written.
//!
//! A mutating admission webhook may put another value into a field of ours, on every write. Then the child always
//! differs from its plan, and every pass would write it again, for ever, to no effect. So a write that did not take is
//! remembered, and not repeated until the plan or the live object is another.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::model::ChildRef;
use crate::observe::Key;
use crate::observe::world::Live;
use crate::plan::diff::difference;
use crate::plan::digest::digest;

/// Children that are remembered. When more are stubborn, a cluster-wide webhook is at work; then each costs a write for
/// each pass that has another reason.
const CAPACITY: usize = 10_000;

#[derive(Debug, Default)]
pub struct Stubborn {
    known: Mutex<HashMap<(Key, ChildRef), String>>,
}

impl Stubborn {
    /// Whether this write was tried on this state already, and did not take.
    pub fn knows(&self, key: &Key, body: &Value, live: &Live) -> bool {
        let known = self.lock();
        known.get(&(key.clone(), live.reference.clone())).is_some_and(|pair| *pair == fingerprint(body, live))
    }

    /// Notes whether a write took, given the answer to it.
    pub fn check(&self, key: &Key, body: &Value, written: &Live) {
        let entry = (key.clone(), written.reference.clone());
        let mut known = self.lock();
        match difference(&lasting(body), &written.object) {
            Some(path) => {
                tracing::warn!(
                    service = %key, child = %written.reference, path,
                    "this field was changed while it was written, probably by a mutating admission webhook; leaving it at that"
                );
                if known.len() >= CAPACITY {
                    known.clear();
                }
                known.insert(entry, fingerprint(body, written));
            }
            None => drop(known.remove(&entry)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Key, ChildRef), String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body without the version that it was meant for, which no answer repeats.
fn lasting(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
    }
    body
}

fn fingerprint(body: &Value, live: &Live) -> String {
    digest(&json!([lasting(body), live.object]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::observe::world::Ownership;

    fn live(image: &str) -> Live {
        Live {
            reference: ChildRef { kind: Kind::Deployment, name: "orders".to_owned() },
            uid: "u".to_owned(),
            resource_version: "7".to_owned(),
            owner: Ownership::Ours,
            deleting: false,
            claims_replicas: false,
            object: json!({"metadata": {"uid": "u"}, "spec": {"image": image}}),
        }
    }

    fn body(image: &str, version: &str) -> Value {
        json!({"metadata": {"uid": "u", "resourceVersion": version}, "spec": {"image": image}})
    }

    #[test]
    fn a_write_that_did_not_take_is_known_until_something_changes() {
        let (stubborn, key) = (Stubborn::default(), Key::new("shop", "orders"));
        assert!(!stubborn.knows(&key, &body("a", "6"), &live("mirror/a")));
        stubborn.check(&key, &body("a", "6"), &live("mirror/a"));
        assert!(stubborn.knows(&key, &body("a", "7"), &live("mirror/a")));
        assert!(!stubborn.knows(&key, &body("b", "7"), &live("mirror/a")), "another plan");
        assert!(!stubborn.knows(&key, &body("a", "7"), &live("x")), "another state");
        assert!(!stubborn.knows(&Key::new("bank", "orders"), &body("a", "7"), &live("mirror/a")));
        stubborn.check(&key, &body("a", "7"), &live("a"));
        assert!(!stubborn.knows(&key, &body("a", "7"), &live("mirror/a")), "it took this time");
    }
}
