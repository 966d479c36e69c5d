//! Which services are due for a pass, and when.
//!
//! Each service is in here once, however often it is touched, and is never handed out twice at a time: a touch during a
//! pass makes it due again after the pass. Three lanes: what was to happen at a time goes ahead of what just happened, so
//! that a pause ends when it says although two hundred others end with it; and that goes ahead of a first list or a
//! take-over, so that a user's edit does not wait behind ten thousand settled services. Every fourth turn goes to the lanes
//! that were passed over, so that none is ever starved.
//!
//! kube-rs's `Controller` was rejected for this: it wants a store of typed objects to look keys up in, which would be
//! most of the operator's memory; its queue has one lane; and a panic in a pass ends its stream, for all objects.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::key::Key;

/// Turns for a lane before one for those behind it, when both wait.
const TURNS_AHEAD: u32 = 3;

/// How urgent a pass is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// A time has come.
    Timed,
    /// Something happened.
    Fast,
    /// A look at what may well be settled.
    Slow,
}

#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    slots: HashMap<Key, Slot>,
    /// Services that are due, by lane.
    lanes: [VecDeque<Key>; 3],
    /// Services that are due later, by time and the order in which they were put.
    later: BTreeMap<(Instant, u64), Key>,
    /// Count of entries ever put into `later`: tells those of the same instant apart.
    count: u64,
    /// Turns of each lane since one that was behind it.
    turns: [u32; 3],
}

#[derive(Debug, Default)]
struct Slot {
    running: bool,
    due: Option<Due>,
}

#[derive(Clone, Copy, Debug)]
enum Due {
    Now(Lane),
    Later(Lane, (Instant, u64)),
    /// As soon as the pass that runs has ended.
    Next(Lane, Instant),
}

impl Queue {
    /// Makes a service due after a delay. It stays due earlier, or in the faster lane, if it was.
    pub fn touch(&self, key: &Key, lane: Lane, after: Duration) {
        self.lock().touch(key, lane, Instant::now() + after);
        self.changed.notify_one();
    }

    /// The next service that is due; waits until there is one. For one caller at a time: others may miss a wake-up.
    pub async fn next(self: &Arc<Self>) -> Turn {
        loop {
            let changed = self.changed.notified();
            let next_look = {
                let mut state = self.lock();
                if let Some(key) = state.pop(Instant::now()) {
                    return Turn { queue: Arc::clone(self), key };
                }
                state.later.first_key_value().map(|((at, _), _)| *at)
            };
            match next_look {
                Some(at) => drop(tokio::time::timeout_at(at, changed).await),
                None => changed.await,
            }
        }
    }

    /// Takes all services out, whenever they are due. For one who keeps the time himself.
    pub fn drain(&self) -> Vec<Key> {
        let mut state = self.lock();
        let mut keys: Vec<Key> = std::mem::take(&mut *state).slots.into_keys().collect();
        keys.sort();
        keys
    }

    /// Services that are due now and wait for a free hand.
    pub fn waiting(&self) -> usize {
        let state = self.lock();
        state.lanes.iter().map(VecDeque::len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned queue is still a sound one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service whose pass runs. However the pass ends, even by a panic, dropping this lets the next one begin.
#[derive(Debug)]
pub struct Turn {
    queue: Arc<Queue>,
    key: Key,
}

impl Turn {
    pub fn key(&self) -> &Key {
        &self.key
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.lock().done(&self.key);
        self.queue.changed.notify_one();
    }
}

impl State {
    fn touch(&mut self, key: &Key, lane: Lane, at: Instant) {
        let slot = self.slots.entry(key.clone()).or_default();
        let running = slot.running;
        let (lane, at) = match slot.due {
            // Already in line: only a faster lane is news.
            Some(Due::Now(now)) if now <= lane => return,
            Some(Due::Now(_)) => (lane, None),
            Some(Due::Later(before, (then, _)) | Due::Next(before, then)) => {
                let (lane, at) = both((before, then), (lane, at));
                (lane, Some(at))
            }
            None => (lane, Some(at)),
        };
        self.withdraw(key);
        match at {
            Some(at) if running => self.set(key, Due::Next(lane, at)),
            Some(at) => self.schedule(key, lane, at),
            None => self.line_up(key, lane),
        }
    }

    fn done(&mut self, key: &Key) {
        match self.slots.get_mut(key) {
            Some(Slot { due: Some(Due::Next(lane, at)), running }) => {
                let (lane, at) = (*lane, *at);
                *running = false;
                self.schedule(key, lane, at);
            }
            _ => drop(self.slots.remove(key)),
        }
    }

    fn pop(&mut self, now: Instant) -> Option<Key> {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let key = entry.remove();
            if let Some(Slot { due: Some(Due::Later(lane, _)), .. }) = self.slots.get(&key) {
                let lane = *lane;
                self.line_up(&key, lane);
            }
        }
        let key = self.first()?;
        self.slots.insert(key.clone(), Slot { running: true, due: None });
        Some(key)
    }

    fn first(&mut self) -> Option<Key> {
        let last = self.lanes.iter().rposition(|lane| !lane.is_empty())?;
        for (lane, turns) in self.lanes[..last].iter_mut().zip(&mut self.turns) {
            if *turns >= TURNS_AHEAD {
                *turns = 0;
            } else if let Some(key) = lane.pop_front() {
                *turns += 1;
                return Some(key);
            }
        }
        self.lanes[last].pop_front()
    }

    /// Takes a service out of wherever it waits.
    fn withdraw(&mut self, key: &Key) {
        match self.slots.get(key).and_then(|slot| slot.due) {
            Some(Due::Later(_, place)) => drop(self.later.remove(&place)),
            // Seldom: only when something more urgent happens to a service that is in line.
            Some(Due::Now(lane)) => self.lanes[lane as usize].retain(|waiting| waiting != key),
            Some(Due::Next(..)) | None => {}
        }
    }

    fn schedule(&mut self, key: &Key, lane: Lane, at: Instant) {
        if at <= Instant::now() {
            return self.line_up(key, lane);
        }
        self.count += 1;
        let place = (at, self.count);
        self.later.insert(place, key.clone());
        self.set(key, Due::Later(lane, place));
    }

    fn line_up(&mut self, key: &Key, lane: Lane) {
        self.lanes[lane as usize].push_back(key.clone());
        self.set(key, Due::Now(lane));
    }

    fn set(&mut self, key: &Key, due: Due) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.due = Some(due);
        }
    }
}

/// Two reasons for one pass: it comes when the first of them is due. A time that is yet to come makes it no more urgent
/// than something that happened: the pass says again when to look.
fn both(one: (Lane, Instant), other: (Lane, Instant)) -> (Lane, Instant) {
    let (first, second) = if one.1 <= other.1 { (one, other) } else { (other, one) };
    (first.0.min(second.0.max(Lane::Fast)), first.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn key(name: &str) -> Key {
        Key::new("shop", name)
    }

    fn touch(queue: &Queue, name: &str, lane: Lane, milliseconds: u64) {
        queue.touch(&key(name), lane, Duration::from_millis(milliseconds));
    }

    /// Names in the order in which they are handed out without waiting.
    async fn drain(queue: &Arc<Queue>) -> String {
        let mut names = Vec::new();
        while let Ok(turn) = tokio::time::timeout(Duration::from_nanos(1), queue.next()).await {
            names.push(turn.key().name.to_string());
        }
        names.join(" ")
    }

    #[tokio::test(start_paused = true)]
    async fn many_touches_are_one_turn_in_order_of_the_first() {
        let queue = Arc::new(Queue::default());
        for name in ["b", "a", "b", "b", "a"] {
            touch(&queue, name, Lane::Fast, 0);
        }
        assert_eq!(queue.waiting(), 2);
        assert_eq!(drain(&queue).await, "b a");
        assert_eq!(queue.lock().slots.len(), 0, "what is settled takes no memory");
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_is_never_handed_out_twice_and_a_touch_meanwhile_is_not_lost() {
        let queue = Arc::new(Queue::default());
        touch(&queue, "a", Lane::Fast, 0);
        let turn = queue.next().await;
        touch(&queue, "a", Lane::Slow, 50);
        touch(&queue, "a", Lane::Fast, 10);
        touch(&queue, "b", Lane::Fast, 0);
        tokio::time::advance(Duration::from_millis(60)).await;
        assert_eq!(drain(&queue).await, "b");
        drop(turn);
        assert_eq!(drain(&queue).await, "a");
        assert_eq!(drain(&queue).await, "");
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_time_counts() {
        let queue = Arc::new(Queue::default());
        let start = Instant::now();
        for milliseconds in [500, 100, 300] {
            touch(&queue, "a", Lane::Fast, milliseconds);
        }
        touch(&queue, "b", Lane::Fast, 200);
        assert_eq!(queue.lock().later.len(), 2, "a superseded time is not kept");
        for (name, milliseconds) in [("a", 100), ("b", 200)] {
            let turn = queue.next().await;
            assert_eq!((&*turn.key().name, start.elapsed().as_millis()), (name, milliseconds));
        }
        assert_eq!(drain(&queue).await, "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_that_was_asked_for_during_a_pass_runs_from_then() {
        let queue = Arc::new(Queue::default());
        touch(&queue, "a", Lane::Fast, 0);
        let turn = queue.next().await;
        let start = Instant::now();
        touch(&queue, "a", Lane::Fast, 100);
        tokio::time::advance(Duration::from_millis(30)).await;
        drop(turn);
        queue.next().await;
        assert_eq!(start.elapsed().as_millis(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn the_fast_lane_goes_ahead_and_the_slow_lane_is_not_starved() {
        let queue = Arc::new(Queue::default());
        for name in ["s1", "s2", "s3"] {
            touch(&queue, name, Lane::Slow, 0);
        }
        for name in ["f1", "f2", "f3", "f4", "f5"] {
            touch(&queue, name, Lane::Fast, 0);
        }
        assert_eq!(drain(&queue).await, "f1 f2 f3 s1 f4 f5 s2 s3");
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_has_come_goes_ahead_and_starves_nobody() {
        let queue = Arc::new(Queue::default());
        for name in ["f1", "f2", "f3", "f4"] {
            touch(&queue, name, Lane::Fast, 0);
        }
        touch(&queue, "s1", Lane::Slow, 0);
        for name in ["t1", "t2", "t3", "t4", "t5"] {
            touch(&queue, name, Lane::Timed, 10);
        }
        tokio::time::advance(Duration::from_millis(10)).await;
        assert_eq!(drain(&queue).await, "t1 t2 t3 f1 t4 t5 f2 f3 s1 f4");
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_before_the_time_has_come_is_an_event() {
        let queue = Arc::new(Queue::default());
        touch(&queue, "a", Lane::Timed, 1000);
        touch(&queue, "b", Lane::Fast, 0);
        touch(&queue, "a", Lane::Fast, 0);
        touch(&queue, "c", Lane::Timed, 0);
        assert_eq!(drain(&queue).await, "c b a");
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_moves_a_waiting_service_to_the_fast_lane() {
        let queue = Arc::new(Queue::default());
        for name in ["s1", "s2", "s3"] {
            touch(&queue, name, Lane::Slow, 0);
        }
        touch(&queue, "s3", Lane::Fast, 20);
        touch(&queue, "s1", Lane::Slow, 0);
        assert_eq!(drain(&queue).await, "s3 s1 s2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_caller_is_woken_by_a_touch_and_by_time() {
        let queue = Arc::new(Queue::default());
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.next().await.key().clone() }
        });
        tokio::task::yield_now().await;
        queue.touch(&key("late"), Lane::Fast, Duration::from_secs(60));
        tokio::task::yield_now().await;
        queue.touch(&key("soon"), Lane::Fast, NOW);
        assert_eq!(waiting.await.unwrap(), key("soon"));
        assert_eq!(queue.next().await.key(), &key("late"));
    }

    #[tokio::test]
    async fn a_panic_in_a_pass_lets_the_next_begin() {
        let queue = Arc::new(Queue::default());
        touch(&queue, "a", Lane::Fast, 0);
        let pass = tokio::spawn({
            let queue = queue.clone();
            async move {
                let _turn = queue.next().await;
                panic!("a fault in a pass");
            }
        });
        assert!(pass.await.is_err());
        touch(&queue, "a", Lane::Fast, 0);
        assert_eq!(drain(&queue).await, "a");
    }
}
