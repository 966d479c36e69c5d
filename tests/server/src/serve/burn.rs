//! Burns CPU time: a steady share in background threads, or a given amount for one request.

use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Length of one stretch of work or rest: short against the kernel's 100 ms CPU quota period and far shorter than the
/// intervals in which CPU use is measured.
const SLICE: Duration = Duration::from_millis(10);
/// A thread that got no CPU for longer than this does not catch up: its debt would be paid in one burst later.
const MAX_DEBT: Duration = Duration::from_millis(500);
const MILLICORES_PER_CORE: u32 = 1000;

/// The background load. Dropping it ends its threads.
pub struct Burner {
    millicores: u32,
    stop: Arc<AtomicBool>,
}

impl Burner {
    pub fn idle() -> Self {
        Self { millicores: 0, stop: Arc::default() }
    }

    /// Replaces the present load. Whole cores get a thread each and the rest one more.
    pub fn set(&mut self, millicores: u32) {
        if millicores == self.millicores {
            return;
        }
        *self = Self { millicores, stop: Arc::default() };
        let mut rest = millicores;
        while rest > 0 {
            let share = rest.min(MILLICORES_PER_CORE);
            rest -= share;
            let stop = Arc::clone(&self.stop);
            let spawned = thread::Builder::new().name("burn".to_owned()).spawn(move || burn_share(share, &stop));
            if let Err(error) = spawned {
                eprintln!("testserver: cannot burn all of {millicores} millicores, no thread to be had: {error}");
                return;
            }
        }
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Keeps this thread's CPU time at `share` thousandths of the time passed. It goes by CPU time and not by wall time,
/// so that a busy machine, where a spinning thread often waits, does not lower the load.
fn burn_share(share: u32, stop: &AtomicBool) {
    let mut since = Instant::now();
    let mut used_before = thread_cpu_time();
    while !stop.load(Ordering::Relaxed) {
        let due = since.elapsed() * share / MILLICORES_PER_CORE;
        let owed = due.saturating_sub(thread_cpu_time().saturating_sub(used_before));
        if owed > MAX_DEBT {
            since = Instant::now();
            used_before = thread_cpu_time();
        } else if owed.is_zero() {
            thread::sleep(SLICE);
        } else {
            burn(owed.min(SLICE));
        }
    }
}

/// Uses this much CPU time on the calling thread.
pub fn burn(amount: Duration) {
    let end = thread_cpu_time() + amount;
    let mut state = 1_u64;
    while thread_cpu_time() < end {
        for _ in 0..1000 {
            state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burn_uses_cpu_time_and_not_only_wall_time() {
        let before = thread_cpu_time();
        burn(Duration::from_millis(50));
        let used = thread_cpu_time().saturating_sub(before);
        assert!((50..80).contains(&used.as_millis()), "{used:?}");
    }
}
