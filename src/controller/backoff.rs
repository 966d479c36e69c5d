//! How long to leave a failing object alone: one exponential delay for each object.
//!
//! The runtime's error policy is never told of success (kube-rs/kube#1916, #34, #297), so it cannot keep count; and a
//! count that every trigger advances runs away when unrelated events arrive (kubernetes/kubernetes#132805). Here the
//! delay grows only by failures that come after the previous delay has run out.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// First delay: long enough for a conflict or a slow cache to settle.
const FIRST: Duration = Duration::from_millis(200);
/// Longest delay before jitter: a quota that was raised or a policy that was changed is noticed within minutes.
const LONGEST: Duration = Duration::from_secs(300);
/// Jitter, as a share of the delay in either direction, so that objects that failed together do not return together.
const JITTER: f64 = 0.2;
/// Objects that are remembered. Far more than fail at once anywhere; the map must not grow without bound all the same.
const CAPACITY: usize = 65_536;

/// Failures by object, shared by all passes.
#[derive(Debug, Default)]
pub struct Backoff {
    delays: Mutex<Delays>,
    seed: RandomState,
}

impl Backoff {
    /// Notes a failed pass; returns when to try again. `generation` is the one that was tried: a changed spec starts
    /// from the first delay.
    pub fn failed(&self, uid: &str, generation: i64) -> Duration {
        let now = Instant::now();
        let jitter = unit(self.seed.hash_one((uid, now)));
        self.lock().failed(uid, generation, now, jitter)
    }

    /// Forgets the object: after a pass that succeeded, and after its deletion.
    pub fn forget(&self, uid: &str) {
        self.lock().forget(uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Delays> {
        // Nothing in here can panic half-way, so a poisoned map is still a sound one.
        self.delays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hash as a number from −1 to 1.
fn unit(hash: u64) -> f64 {
    let bits = u32::try_from(hash >> 32).unwrap_or(u32::MAX);
    f64::from(bits) / f64::from(u32::MAX) * 2.0 - 1.0
}

/// The pure part: time and chance enter as values.
#[derive(Debug, Default)]
struct Delays {
    by_uid: HashMap<String, Delay>,
}

#[derive(Debug)]
struct Delay {
    generation: i64,
    /// Delay without jitter.
    length: Duration,
    /// When it runs out.
    due: Instant,
}

impl Delays {
    fn failed(&mut self, uid: &str, generation: i64, now: Instant, jitter: f64) -> Duration {
        let length = match self.by_uid.get(uid) {
            Some(last) if last.generation != generation => FIRST,
            Some(last) if now < last.due => return last.due - now,
            Some(last) => (last.length * 2).min(LONGEST),
            None => {
                self.make_room();
                FIRST
            }
        };
        let wait = length.mul_f64(1.0 + JITTER * jitter.clamp(-1.0, 1.0));
        let due = now + wait;
        self.by_uid.insert(uid.to_owned(), Delay { generation, length, due });
        wait
    }

    fn forget(&mut self, uid: &str) {
        self.by_uid.remove(uid);
    }

    /// Drops the older half by due time when the map is full. What is dropped starts again from the first delay.
    fn make_room(&mut self) {
        if self.by_uid.len() < CAPACITY {
            return;
        }
        let mut due: Vec<Instant> = self.by_uid.values().map(|delay| delay.due).collect();
        let (_, &mut middle, _) = due.select_nth_unstable(CAPACITY / 2);
        self.by_uid.retain(|_, delay| delay.due > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATION: i64 = 1;

    #[test]
    fn each_failure_after_its_delay_doubles_the_next_up_to_five_minutes() {
        let mut delays = Delays::default();
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..13 {
            let wait = delays.failed("a", GENERATION, now, 0.0);
            waits.push(wait.as_millis());
            now += wait;
        }
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 102_400, 204_800, 300_000, 300_000]);
    }

    #[test]
    fn a_failure_before_the_delay_has_run_out_neither_extends_nor_doubles_it() {
        let mut delays = Delays::default();
        let start = Instant::now();
        assert_eq!(delays.failed("a", GENERATION, start, 0.0), FIRST);
        for early in [1, 50, 199] {
            let now = start + Duration::from_millis(early);
            assert_eq!(delays.failed("a", GENERATION, now, 0.0), Duration::from_millis(200 - early));
        }
        assert_eq!(delays.failed("a", GENERATION, start + FIRST, 0.0), FIRST * 2);
    }

    #[test]
    fn success_and_a_changed_spec_start_again_and_objects_are_apart() {
        let mut delays = Delays::default();
        let mut now = Instant::now();
        for _ in 0..5 {
            now += delays.failed("a", GENERATION, now, 0.0);
        }
        assert_eq!(delays.failed("b", GENERATION, now, 0.0), FIRST);
        assert_eq!(delays.failed("a", GENERATION + 1, now, 0.0), FIRST);
        now += FIRST;
        assert_eq!(delays.failed("a", GENERATION + 1, now, 0.0), FIRST * 2);
        delays.forget("a");
        assert_eq!(delays.failed("a", GENERATION + 1, now, 0.0), FIRST);
    }

    #[test]
    fn jitter_is_a_fifth_at_most_and_does_not_accumulate() {
        for (jitter, first, second) in [(1.0, 240, 480), (-1.0, 160, 320), (7.0, 240, 480)] {
            let mut delays = Delays::default();
            let now = Instant::now();
            let wait = delays.failed("a", GENERATION, now, jitter);
            assert_eq!(wait.as_millis(), first);
            assert_eq!(delays.failed("a", GENERATION, now + wait, jitter).as_millis(), second);
        }
    }

    #[test]
    fn hashes_become_numbers_between_minus_one_and_one() {
        assert!((unit(0) + 1.0).abs() < 1e-9);
        assert!((unit(u64::MAX) - 1.0).abs() < 1e-9);
        assert!(unit(1 << 63).abs() < 1e-6);
    }

    #[test]
    fn a_full_map_forgets_those_that_were_due_first() {
        let mut delays = Delays::default();
        let start = Instant::now();
        for number in 0..CAPACITY {
            delays.failed(&number.to_string(), GENERATION, start + Duration::from_millis(number as u64), 0.0);
        }
        let later = start + Duration::from_secs(3600);
        assert_eq!(delays.failed("new", GENERATION, later, 0.0), FIRST);
        assert!(delays.by_uid.len() <= CAPACITY / 2 + 1, "{}", delays.by_uid.len());
        assert!(delays.by_uid.contains_key(&(CAPACITY - 1).to_string()));
        assert!(!delays.by_uid.contains_key("0"));
    }

    #[test]
    fn shared_between_passes_with_real_time() {
        let backoff = Backoff::default();
        let wait = backoff.failed("a", GENERATION);
        assert!((FIRST.mul_f64(0.8)..=FIRST.mul_f64(1.2)).contains(&wait), "{wait:?}");
        assert!(backoff.failed("a", GENERATION) <= wait);
        backoff.forget("a");
        assert!(backoff.failed("a", GENERATION) >= FIRST.mul_f64(0.8));
    }
}
