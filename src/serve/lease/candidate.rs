//! The pure part of an election: what a candidate knows, and what it does next. Time enters as a value.

use std::time::{Duration, Instant};

use super::Terms;

/// What matters of a Lease object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `None`: free.
    pub holder: Option<String>,
    /// How long its holder wants it to be respected.
    pub duration: Duration,
    /// Its resourceVersion.
    pub version: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look at the lease.
    Read,
    /// Write our name, provided that the lease is still as it was seen; `None`: that it is absent.
    Write { version: Option<String> },
    /// Do nothing for this long, unless the lease is seen to change.
    Wait(Duration),
    /// Stop working: somebody else leads.
    GiveUp(Lost),
}

/// What a leader found instead of its name on the lease. Somebody led meanwhile, or may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("the lease was taken by {0}")]
    Taken(String),
    #[error("the lease was freed or deleted")]
    Gone,
}

/// What a lease means to `me`: may it be claimed, or is another to be waited for? `seen` is when the lease was first
/// seen as it is.
pub fn evaluate(record: Option<&Record>, me: &str, seen: Instant, now: Instant) -> Step {
    let Some(record) = record else {
        return Step::Write { version: None };
    };
    let claim = Step::Write { version: Some(record.version.clone()) };
    match &record.holder {
        None => claim,
        Some(holder) if holder == me => claim,
        Some(_) => match (seen + record.duration).saturating_duration_since(now) {
            Duration::ZERO => claim,
            left => Step::Wait(left),
        },
    }
}

/// What one candidate knows.
#[derive(Clone, Debug)]
pub struct Candidate {
    me: String,
    terms: Terms,
    view: Option<View>,
    /// When the last write was sent that the server accepted, while we lead.
    renewed: Option<Instant>,
    /// When to try again after a request that came to nothing.
    retry_at: Option<Instant>,
}

#[derive(Clone, Debug)]
struct View {
    record: Option<Record>,
    /// When the record was first seen as it is.
    since: Instant,
    /// When it was last seen at all.
    looked: Instant,
    /// The object was deleted since. Its holder may not know yet, so that its time still runs.
    deleted: bool,
    /// It is known to have changed.
    stale: bool,
}

impl Candidate {
    pub fn new(me: String, terms: Terms) -> Self {
        Self { me, terms, view: None, renewed: None, retry_at: None }
    }

    pub fn me(&self) -> &str {
        &self.me
    }

    /// When the current term was last renewed, if we lead.
    pub fn renewed(&self) -> Option<Instant> {
        self.renewed
    }

    /// Who else holds the lease, as far as we know.
    pub fn other_holder(&self) -> Option<&str> {
        let holder = self.view.as_ref()?.record.as_ref()?.holder.as_deref()?;
        (holder != self.me).then_some(holder)
    }

    pub fn next(&self, now: Instant) -> Step {
        if let Some(lost) = self.lost() {
            return Step::GiveUp(lost);
        }
        if let Some(left) = self.retry_at.map(|at| at.saturating_duration_since(now)).filter(|left| !left.is_zero()) {
            return Step::Wait(left);
        }
        let Some(view) = self.view.as_ref().filter(|view| !view.stale) else {
            return Step::Read;
        };
        let last = self.renewed.unwrap_or(view.looked);
        let pause = (last + self.terms.retry).saturating_duration_since(now);
        if self.renewed.is_some() && !pause.is_zero() {
            return Step::Wait(pause);
        }
        match evaluate(view.record.as_ref(), &self.me, view.since, now) {
            Step::Write { .. } if view.deleted => Step::Write { version: None },
            Step::Wait(_) if pause.is_zero() => Step::Read,
            Step::Wait(left) => Step::Wait(left.min(pause)),
            step => step,
        }
    }

    /// Another name after ours means that its bearer outwaited us; none, that it may have come and gone.
    fn lost(&self) -> Option<Lost> {
        let (Some(_), Some(view)) = (self.renewed, &self.view) else {
            return None;
        };
        match view.record.as_ref().and_then(|record| record.holder.as_ref()) {
            Some(holder) if *holder == self.me => view.deleted.then_some(Lost::Gone),
            Some(other) => Some(Lost::Taken(other.clone())),
            None => Some(Lost::Gone),
        }
    }

    /// Time for one request. A leader must know the outcome before its term ends, with room for a second try.
    pub fn patience(&self, now: Instant) -> Duration {
        let half = self.terms.renew_deadline / 2;
        let left = self.renewed.map(|renewed| (renewed + self.terms.renew_deadline).saturating_duration_since(now));
        match left {
            None | Some(Duration::ZERO) => half,
            Some(left) => left.min(half).max(self.terms.retry / 2),
        }
    }

    /// The lease as it was read or watched; `None`: there is none.
    pub fn saw(&mut self, record: Option<Record>, now: Instant) {
        self.retry_at = None;
        match &mut self.view {
            Some(view) if record.is_none() && view.record.is_some() => {
                (view.deleted, view.stale, view.looked) = (true, false, now);
            }
            Some(view) if view.record == record && !view.deleted => (view.stale, view.looked) = (false, now),
            view => *view = Some(View { record, since: now, looked: now, deleted: false, stale: false }),
        }
    }

    /// The server accepted our write that was sent at `sent`.
    pub fn wrote(&mut self, record: Record, sent: Instant, now: Instant) {
        self.saw(Some(record), now);
        self.renewed = Some(sent);
    }

    /// The server refused our write: the lease is not as we saw it.
    pub fn refused(&mut self) {
        self.retry_at = None;
        if let Some(view) = &mut self.view {
            view.stale = true;
        }
    }

    /// A request came to nothing; whether it had an effect is unknown.
    pub fn failed(&mut self, now: Instant) {
        self.retry_at = Some(now + self.terms.retry);
    }

    /// We stop leading of our own will.
    pub fn resigned(&mut self) {
        self.renewed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: &str = "me";

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn record(holder: &str, version: u32) -> Record {
        let holder = (!holder.is_empty()).then(|| holder.to_owned());
        Record { holder, duration: seconds(15), version: version.to_string() }
    }

    fn candidate() -> Candidate {
        Candidate::new(ME.to_owned(), Terms::new(seconds(15), None, None).unwrap())
    }

    fn write(version: u32) -> Step {
        Step::Write { version: Some(version.to_string()) }
    }

    #[test]
    fn an_absent_a_free_and_our_own_lease_are_claimed_at_once() {
        let now = Instant::now();
        assert_eq!(evaluate(None, ME, now, now), Step::Write { version: None });
        assert_eq!(evaluate(Some(&record("", 3)), ME, now, now), write(3));
        assert_eq!(evaluate(Some(&record(ME, 4)), ME, now, now), write(4));
    }

    #[test]
    fn a_lease_of_another_is_claimed_only_after_its_duration_without_a_change() {
        let seen = Instant::now();
        let other = record("other", 5);
        assert_eq!(evaluate(Some(&other), ME, seen, seen), Step::Wait(seconds(15)));
        assert_eq!(evaluate(Some(&other), ME, seen, seen + seconds(14)), Step::Wait(seconds(1)));
        assert_eq!(evaluate(Some(&other), ME, seen, seen + seconds(15)), write(5));
    }

    #[test]
    fn a_follower_looks_again_every_two_seconds_and_each_change_starts_the_wait_anew() {
        let mut follower = candidate();
        let start = Instant::now();
        assert_eq!(follower.next(start), Step::Read);
        for round in 0..20 {
            let now = start + seconds(2 * round);
            assert_eq!(follower.next(now), Step::Read, "{round}");
            follower.saw(Some(record("other", u32::try_from(round).unwrap())), now);
            assert_eq!(follower.next(now), Step::Wait(seconds(2)), "{round}");
        }
        let silent_since = start + seconds(38);
        for round in 1..=7 {
            let now = silent_since + seconds(2 * round);
            assert_eq!(follower.next(now), Step::Read, "{round}");
            follower.saw(Some(record("other", 19)), now);
        }
        assert_eq!(follower.next(silent_since + seconds(14)), Step::Wait(seconds(1)));
        assert_eq!(follower.next(silent_since + seconds(15)), write(19));
    }

    #[test]
    fn a_released_lease_is_taken_as_soon_as_it_is_seen() {
        let mut follower = candidate();
        let now = Instant::now();
        follower.saw(Some(record("other", 1)), now);
        follower.saw(Some(record("", 2)), now + seconds(1));
        assert_eq!(follower.next(now + seconds(1)), write(2));
    }

    #[test]
    fn a_leader_renews_every_two_seconds_counted_from_sending() {
        let mut leader = candidate();
        let now = Instant::now();
        leader.saw(None, now);
        leader.wrote(record(ME, 1), now, now + Duration::from_millis(1500));
        assert_eq!(leader.renewed(), Some(now));
        assert_eq!(leader.next(now + Duration::from_millis(1500)), Step::Wait(Duration::from_millis(500)));
        assert_eq!(leader.next(now + seconds(2)), write(1));
    }

    #[test]
    fn a_leader_whose_renewals_fail_tries_on_every_two_seconds() {
        let mut leader = candidate();
        let start = Instant::now();
        leader.saw(None, start);
        leader.wrote(record(ME, 1), start, start);
        for at in [2, 4, 60] {
            assert_eq!(leader.next(start + seconds(at)), write(1), "{at}");
            leader.failed(start + seconds(at));
            assert_eq!(leader.next(start + seconds(at)), Step::Wait(seconds(2)), "{at}");
        }
    }

    #[test]
    fn a_leader_that_was_stopped_goes_on_if_nobody_took_its_place_and_ends_otherwise() {
        let mut leader = candidate();
        let start = Instant::now();
        leader.saw(None, start);
        leader.wrote(record(ME, 1), start, start);
        let woken = start + seconds(300);
        assert_eq!(leader.next(woken), write(1));
        let mut replaced = leader.clone();
        leader.wrote(record(ME, 2), woken, woken);
        assert_eq!(leader.next(woken), Step::Wait(seconds(2)));

        replaced.refused();
        assert_eq!(replaced.next(woken), Step::Read);
        replaced.saw(Some(record("other", 9)), woken);
        assert_eq!(replaced.next(woken), Step::GiveUp(Lost::Taken("other".to_owned())));
    }

    #[test]
    fn a_renewal_that_took_effect_without_an_answer_is_recognised() {
        let mut leader = candidate();
        let start = Instant::now();
        leader.saw(None, start);
        leader.wrote(record(ME, 1), start, start);
        leader.failed(start + seconds(5));
        let again = start + seconds(7);
        assert_eq!(leader.next(again), write(1));
        leader.refused();
        assert_eq!(leader.next(again), Step::Read);
        leader.saw(Some(record(ME, 2)), again);
        assert_eq!(leader.next(again), write(2));
        assert_eq!(leader.renewed(), Some(start), "only an accepted write starts a term");
    }

    #[test]
    fn a_leader_whose_lease_was_freed_or_deleted_cannot_know_who_led_meanwhile() {
        let start = Instant::now();
        for found in [Some(record("", 7)), None] {
            let mut leader = candidate();
            leader.saw(None, start);
            leader.wrote(record(ME, 1), start, start);
            leader.refused();
            leader.saw(found, start + seconds(60));
            assert_eq!(leader.next(start + seconds(60)), Step::GiveUp(Lost::Gone));
        }
    }

    #[test]
    fn a_follower_waits_out_the_holder_of_a_lease_that_was_deleted() {
        let mut follower = candidate();
        let start = Instant::now();
        follower.saw(Some(record("other", 1)), start);
        follower.saw(None, start + seconds(2));
        assert_eq!(follower.next(start + seconds(2)), Step::Wait(seconds(2)));
        follower.saw(None, start + seconds(15));
        assert_eq!(follower.next(start + seconds(15)), Step::Write { version: None });
    }

    #[test]
    fn requests_of_a_leader_end_before_its_term() {
        let mut leader = candidate();
        let start = Instant::now();
        assert_eq!(leader.patience(start), seconds(5));
        leader.saw(None, start);
        leader.wrote(record(ME, 1), start, start);
        assert_eq!(leader.patience(start + seconds(2)), seconds(5));
        assert_eq!(leader.patience(start + seconds(7)), seconds(3));
        assert_eq!(leader.patience(start + Duration::from_millis(9_500)), seconds(1));
        assert_eq!(leader.patience(start + seconds(300)), seconds(5));
    }
}
