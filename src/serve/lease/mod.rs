//! Which of several operators works: the one that holds a `Lease`.
//!
//! The numbers and the protocol are client-go's, with its two conditions for safety: a candidate judges the age of a
//! lease by when *it* saw the lease change, never by the timestamps inside; and every write carries the
//! resourceVersion that was read, so that of two candidates one is refused.
//!
//! **What holds.** A leader counts its term from the moment *before* it sent the write that the server accepted, and
//! [`Leadership::leading`] ends with the renew deadline (10 s), by elapsed time alone, whether or not this process was
//! running meanwhile. Another candidate takes over no earlier than the lease duration (15 s) after it saw that write.
//! So at no instant do two processes answer `leading` with yes, however long either was stopped or a message was
//! under way, as long as their monotonic clocks run at rates within 15 : 10 of each other. No write is sent without
//! asking (see [`super::traffic`]). Three things this cannot give:
//! - A request that was sent while leading may arrive after the term has ended. With 5 s between deadline and duration
//!   this takes a process or a network that stands still for that long between question and arrival. The fence against
//!   it is the resourceVersion on every write of progress, not the lease.
//! - Who frees or deletes the Lease by hand takes it from a leader that does not know yet.
//! - A wall clock that is set back does no harm, but one that stands still hides a suspended machine.
//!
//! A leader that cannot renew is not lost: it stops writing when its term ends, keeps its caches, and goes on when a
//! renewal succeeds, since the resourceVersion then proves that nobody led meanwhile. So an API server that is away for
//! a while restarts nothing. (client-go's leaders end here, because they cannot stop writing otherwise.) A leader that
//! finds its name gone ends the process: what its passes believe is no longer theirs to act upon.
//!
//! The model test in `model.rs` checks the first claim over arbitrary schedules.

mod candidate;
mod election;
#[cfg(test)]
mod model;

use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

pub use candidate::Lost;
pub use election::{Election, Place, identity};

/// The three periods of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long candidates wait for a silent leader.
    pub duration: Duration,
    /// How long a leader works without having renewed.
    pub renew_deadline: Duration,
    /// Between two tries to renew or to acquire.
    pub retry: Duration,
}

impl Terms {
    /// client-go's proportions, 15 : 10 : 2, for any duration of whole seconds; single periods can be replaced.
    pub fn new(duration: Duration, renew_deadline: Option<Duration>, retry: Option<Duration>) -> Result<Self, String> {
        let terms =
            Self { duration, renew_deadline: renew_deadline.unwrap_or(duration * 2 / 3), retry: retry.unwrap_or(duration * 2 / 15) };
        if duration < Duration::from_secs(1) || duration.subsec_nanos() != 0 {
            return Err(format!("the lease duration must be a whole number of seconds, at least 1s; it is {duration:?}"));
        }
        if terms.retry.is_zero() || terms.retry * 2 > terms.renew_deadline || terms.renew_deadline >= duration {
            return Err(format!(
                "the lease duration ({duration:?}) must be longer than the renew deadline ({:?}), and that at least \
                 twice the retry period ({:?}); leave the last two out to have them chosen",
                terms.renew_deadline, terms.retry
            ));
        }
        Ok(terms)
    }
}

/// Whether this process leads, now and in future. Cheap to clone and to ask.
#[derive(Clone, Debug)]
pub struct Leadership {
    term: watch::Receiver<Option<Term>>,
}

impl Leadership {
    /// For a process that works alone.
    pub fn unconditional() -> Self {
        let (_, term) = watch::channel(Some(Term { renewed: None }));
        Self { term }
    }

    /// For tests of what a follower does.
    #[cfg(test)]
    pub fn never() -> Self {
        let (_, term) = watch::channel(None);
        Self { term }
    }

    /// Whether this process may write, now: the answer depends on the time.
    pub fn leading(&self) -> bool {
        self.term.borrow().is_some_and(|term| term.runs(Instant::now(), SystemTime::now()))
    }

    /// Returns as soon as this process leads; never, if it never does.
    pub async fn won(&self) {
        let mut term = self.term.clone();
        loop {
            // In this order, so that a renewal between the two is not missed.
            term.mark_unchanged();
            if self.leading() {
                return;
            }
            if term.changed().await.is_err() {
                // The election has ended, and the process is about to.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// A leader's term as it was last renewed.
#[derive(Clone, Copy, Debug)]
struct Term {
    /// `None`: for ever.
    renewed: Option<Renewed>,
}

#[derive(Clone, Copy, Debug)]
struct Renewed {
    sent: Instant,
    /// The monotonic clock stands still while the machine is suspended, the wall clock does not. A wall clock that is
    /// set forward costs a pause until the next renewal; one that is set back is no worse than none.
    sent_wall: SystemTime,
    valid_for: Duration,
}

impl Term {
    fn runs(self, now: Instant, wall: SystemTime) -> bool {
        self.renewed.is_none_or(|renewed| {
            let elapsed = now.saturating_duration_since(renewed.sent);
            let elapsed_wall = wall.duration_since(renewed.sent_wall).unwrap_or_default();
            elapsed.max(elapsed_wall) < renewed.valid_for
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_default_is_client_gos_and_other_durations_keep_its_proportions() {
        let terms = Terms::new(seconds(15), None, None).unwrap();
        assert_eq!((terms.renew_deadline, terms.retry), (seconds(10), seconds(2)));
        let terms = Terms::new(seconds(60), None, Some(seconds(3))).unwrap();
        assert_eq!((terms.renew_deadline, terms.retry), (seconds(40), seconds(3)));
    }

    #[test]
    fn unsafe_terms_are_refused() {
        for (duration, renew, retry) in [
            (seconds(0), None, None),
            (Duration::from_millis(1500), None, None),
            (seconds(15), Some(seconds(15)), None),
            (seconds(15), None, Some(seconds(6))),
            (seconds(15), None, Some(Duration::ZERO)),
        ] {
            assert!(Terms::new(duration, renew, retry).is_err(), "{duration:?} {renew:?} {retry:?}");
        }
    }

    #[test]
    fn a_term_ends_by_either_clock_and_a_wall_clock_set_back_does_not_extend_it() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let term = Term { renewed: Some(Renewed { sent: now, sent_wall: wall, valid_for: seconds(10) }) };
        assert!(term.runs(now + seconds(9), wall + seconds(9)));
        assert!(!term.runs(now + seconds(10), wall + seconds(10)));
        assert!(!term.runs(now, wall + seconds(3600)), "the machine was suspended");
        assert!(term.runs(now + seconds(9), wall - seconds(3600)));
        assert!(!term.runs(now + seconds(10), wall - seconds(3600)));
    }

    #[tokio::test]
    async fn followers_wait_and_a_process_that_works_alone_does_not() {
        let alone = Leadership::unconditional();
        alone.won().await;
        assert!(alone.leading());
        let (publish, term) = watch::channel(None);
        let follower = Leadership { term };
        assert!(!follower.leading());
        let soon = tokio::time::timeout(Duration::from_millis(20), follower.won()).await;
        assert!(soon.is_err());
        publish.send(Some(Term { renewed: None })).unwrap();
        follower.won().await;
        let over = Renewed { sent: Instant::now(), sent_wall: SystemTime::UNIX_EPOCH, valid_for: seconds(10) };
        publish.send(Some(Term { renewed: Some(over) })).unwrap();
        assert!(!follower.leading());
        assert!(tokio::time::timeout(Duration::from_millis(20), follower.won()).await.is_err(), "the term is over");
        drop(publish);
        assert!(tokio::time::timeout(Duration::from_millis(20), follower.won()).await.is_err());
    }
}
