//! Which rollouts are under way in the whole cluster, and who waits for one of them to end.
//!
//! What watches tell of is counted, and beside it what was granted and has yet to be told of, so that two passes at the
//! same moment cannot both take the last place. After a restart the statuses alone say it again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::key::Key;
use super::seen::Fields;

/// Services that are told of a place that became free. More than one, because whoever is first in line may not want it
/// any more; few, because a thousand that wait need not all look.
const TOLD: usize = 8;

#[derive(Debug, Default)]
pub struct Rollouts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    under_way: HashSet<Key>,
    granted: HashSet<Key>,
    /// In the order in which they came.
    line: BTreeMap<u64, Key>,
    places: HashMap<Key, u64>,
    count: u64,
}

impl Rollouts {
    /// Takes a place among so many. If none is free, the number of rollouts under way; whoever asked is then in line.
    pub fn ask(&self, key: &Key, most: usize) -> Result<(), usize> {
        self.lock().ask(key, most)
    }

    /// The service wants no rollout to begin now. Returns who may have its place.
    pub fn leave(&self, key: &Key) -> Vec<Key> {
        let mut state = self.lock();
        state.step_out(key);
        if state.granted.remove(key) { state.next() } else { Vec::new() }
    }

    /// A watch told whether a rollout of the service is under way. Returns who may have its place.
    pub fn seen(&self, key: &Key, rolling: bool) -> Vec<Key> {
        let mut state = self.lock();
        if rolling {
            state.granted.remove(key);
            state.under_way.insert(key.clone());
            return Vec::new();
        }
        if state.under_way.remove(key) { state.next() } else { Vec::new() }
    }

    /// There is no such service any more.
    pub fn gone(&self, key: &Key) -> Vec<Key> {
        let mut state = self.lock();
        state.step_out(key);
        let free = state.under_way.remove(key) | state.granted.remove(key);
        if free { state.next() } else { Vec::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned state is still a sound one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ask(&mut self, key: &Key, most: usize) -> Result<(), usize> {
        if self.under_way.contains(key) || self.granted.contains(key) {
            self.step_out(key);
            return Ok(());
        }
        let taken = self.under_way.len() + self.granted.len();
        if taken >= most {
            if !self.places.contains_key(key) {
                self.count += 1;
                self.line.insert(self.count, key.clone());
                self.places.insert(key.clone(), self.count);
            }
            return Err(taken);
        }
        self.step_out(key);
        self.granted.insert(key.clone());
        Ok(())
    }

    fn step_out(&mut self, key: &Key) {
        if let Some(place) = self.places.remove(key) {
            self.line.remove(&place);
        }
    }

    fn next(&self) -> Vec<Key> {
        self.line.values().take(TOLD).cloned().collect()
    }
}

/// Whether a Microservice's status tells of a rollout that replaces a version, and has not failed.
pub fn is_under_way(body: &Fields) -> bool {
    let rollout = body.get("status").and_then(|status| status.get("rollout"));
    let revision = |field: &str| rollout.and_then(|rollout| rollout.get(field)).and_then(Value::as_str);
    let candidate = revision("candidateRevision");
    candidate.is_some() && revision("stableRevision").is_some() && candidate != revision("failedRevision")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str) -> Key {
        Key::new("shop", name)
    }

    #[test]
    fn two_that_ask_at_the_same_moment_do_not_both_get_the_last_place() {
        let rollouts = Rollouts::default();
        rollouts.seen(&key("a"), true);
        assert_eq!(rollouts.ask(&key("b"), 2), Ok(()));
        assert_eq!(rollouts.ask(&key("c"), 2), Err(2));
        assert_eq!(rollouts.ask(&key("b"), 2), Ok(()), "who has a place keeps it");
        assert_eq!(rollouts.ask(&key("a"), 2), Ok(()), "and so does the one whose rollout is replaced by another");
        assert_eq!(rollouts.seen(&key("b"), false), [], "an old view does not take a place away");
        assert_eq!(rollouts.ask(&key("c"), 2), Err(2));
        rollouts.seen(&key("b"), true);
        assert_eq!(rollouts.ask(&key("c"), 2), Err(2), "seen is not counted twice, and not forgotten");
        assert_eq!(rollouts.seen(&key("b"), false), [key("c")]);
        assert_eq!(rollouts.ask(&key("c"), 2), Ok(()));
    }

    #[test]
    fn a_place_that_is_given_back_goes_to_the_first_in_line() {
        let rollouts = Rollouts::default();
        assert_eq!(rollouts.ask(&key("a"), 1), Ok(()));
        for name in ["b", "c", "b", "d"] {
            assert_eq!(rollouts.ask(&key(name), 1), Err(1));
        }
        assert_eq!(rollouts.leave(&key("c")), [], "it had no place to give");
        assert_eq!(rollouts.leave(&key("a")), [key("b"), key("d")]);
        assert_eq!(rollouts.ask(&key("b"), 1), Ok(()));
        assert_eq!(rollouts.gone(&key("b")), [key("d")]);
        assert_eq!(rollouts.gone(&key("b")), []);
    }

    #[test]
    fn a_higher_limit_of_another_profile_counts_the_same_rollouts() {
        let rollouts = Rollouts::default();
        (0..3).for_each(|number| drop(rollouts.seen(&key(&number.to_string()), true)));
        assert_eq!((rollouts.ask(&key("x"), 3), rollouts.ask(&key("y"), 4)), (Err(3), Ok(())));
    }

    #[test]
    fn a_first_rollout_and_a_failed_one_take_no_place() {
        let rolling = |rollout: Value| is_under_way(&serde_json::from_value(json!({"status": {"rollout": rollout}})).unwrap());
        assert!(rolling(json!({"stableRevision": "a", "candidateRevision": "b"})));
        assert!(rolling(json!({"stableRevision": "a", "candidateRevision": "b", "failedRevision": "c"})));
        assert!(!rolling(json!({"candidateRevision": "b"})));
        assert!(!rolling(json!({"stableRevision": "a", "candidateRevision": "b", "failedRevision": "b"})));
        assert!(!rolling(json!({"stableRevision": "a"})));
    }
}
