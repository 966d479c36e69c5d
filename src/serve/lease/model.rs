//! A model of an election: three candidates with clocks of different speed, one server, and a network that delays,
//! loses and delivers late, under arbitrary schedules. A process that is stopped is one that the schedule leaves out.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::candidate::{Candidate, Record, Step};
use super::{Renewed, Term, Terms};

const CANDIDATES: usize = 3;
/// Seconds of each candidate's clock per second. The extremes are 1.41 apart; safety holds below 15 : 10.
const RATES: [f64; CANDIDATES] = [1.0, 0.85, 1.2];

#[derive(Clone, Debug)]
enum Action {
    /// Time passes, in milliseconds.
    Tick(u64),
    /// A candidate looks at its clock and sends what it decides on, unless a request is under way.
    Act(usize),
    /// The server carries out the candidate's request.
    Serve(usize),
    /// The answer arrives.
    Answer(usize),
    /// All three at once, as on a good day.
    Round(usize),
    /// The candidate gives up waiting. Its request may still reach the server.
    TimeOut(usize),
    /// The oldest request that was given up reaches the server.
    Late,
    /// The candidate gives the lease back and starts anew.
    Release(usize),
    /// The process dies and is replaced by one with a new name.
    Crash(usize),
}

fn action() -> impl Strategy<Value = Action> {
    let who = 0..CANDIDATES;
    prop_oneof![
        8 => (1_u64..3_000).prop_map(Action::Tick),
        2 => (3_000_u64..20_000).prop_map(Action::Tick),
        12 => who.clone().prop_map(Action::Round),
        6 => who.clone().prop_map(Action::Act),
        4 => who.clone().prop_map(Action::Serve),
        4 => who.clone().prop_map(Action::Answer),
        2 => who.clone().prop_map(Action::TimeOut),
        2 => Just(Action::Late),
        1 => who.clone().prop_map(Action::Release),
        1 => who.prop_map(Action::Crash),
    ]
}

#[derive(Clone, Debug)]
enum Request {
    Read,
    Write { record: Record, guard: Option<String> },
}

#[derive(Clone, Debug)]
enum Reply {
    Seen(Option<Record>),
    Written(Record),
    Refused,
}

struct UnderWay {
    request: Request,
    sent_local: Instant,
    sent: u64,
    reply: Option<Reply>,
    /// Whether another name had been on the lease since the term began, when the server replied.
    overtaken: bool,
}

struct Process {
    candidate: Candidate,
    rate: f64,
    under_way: Option<UnderWay>,
    /// When the accepted write was sent that its current term counts from, in the time of the world.
    term_from: u64,
    /// Another name has been on the lease since the term began.
    overtaken: bool,
}

struct World {
    start: Instant,
    now: u64,
    lease: Option<Record>,
    version: u64,
    processes: Vec<Process>,
    late: Vec<Request>,
    names: u32,
    takeovers: u32,
    /// Somebody went on leading though another had led meanwhile.
    blind: bool,
}

fn terms() -> Terms {
    Terms::new(Duration::from_secs(15), None, None).unwrap()
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            start: Instant::now(),
            now: 0,
            lease: None,
            version: 0,
            processes: Vec::new(),
            late: Vec::new(),
            names: 0,
            takeovers: 0,
            blind: false,
        };
        for rate in RATES {
            let candidate = world.newcomer();
            world.processes.push(Process { candidate, rate, under_way: None, term_from: 0, overtaken: false });
        }
        world
    }

    fn newcomer(&mut self) -> Candidate {
        self.names += 1;
        Candidate::new(format!("p{}", self.names), terms())
    }

    fn local(&self, who: usize) -> Instant {
        self.start + Duration::from_millis(self.now).mul_f64(self.processes[who].rate)
    }

    fn leads(&self, who: usize) -> bool {
        let wall = SystemTime::UNIX_EPOCH;
        self.processes[who].candidate.renewed().is_some_and(|sent| {
            let renewed = Renewed { sent, sent_wall: wall, valid_for: terms().renew_deadline };
            Term { renewed: Some(renewed) }.runs(self.local(who), wall)
        })
    }

    fn leaders(&self) -> Vec<usize> {
        (0..CANDIDATES).filter(|&who| self.leads(who)).collect()
    }

    fn apply(&mut self, action: &Action) {
        match *action {
            Action::Tick(time) => self.now += time,
            Action::Act(who) => self.act(who),
            Action::Serve(who) => self.serve(who),
            Action::Answer(who) => self.answer(who),
            Action::Round(who) => {
                self.act(who);
                self.serve(who);
                self.answer(who);
            }
            Action::TimeOut(who) => {
                let now = self.local(who);
                if let Some(UnderWay { request, reply, .. }) = self.processes[who].under_way.take() {
                    self.processes[who].candidate.failed(now);
                    self.late.extend(reply.is_none().then_some(request));
                }
            }
            Action::Late => {
                if !self.late.is_empty() {
                    let request = self.late.remove(0);
                    self.server(&request);
                }
            }
            Action::Release(who) => self.leave(who, true),
            Action::Crash(who) => self.leave(who, false),
        }
    }

    fn act(&mut self, who: usize) {
        let now = self.local(who);
        let process = &self.processes[who];
        if process.under_way.is_some() {
            return;
        }
        let request = match process.candidate.next(now) {
            Step::Wait(_) => return,
            Step::GiveUp(_) => return self.leave(who, false),
            Step::Read => Request::Read,
            Step::Write { version } => {
                let holder = Some(process.candidate.me().to_owned());
                Request::Write { record: Record { holder, duration: terms().duration, version: String::new() }, guard: version }
            }
        };
        self.processes[who].under_way = Some(UnderWay { request, sent_local: now, sent: self.now, reply: None, overtaken: false });
    }

    fn serve(&mut self, who: usize) {
        if let Some(mut under_way) = self.processes[who].under_way.take() {
            if under_way.reply.is_none() {
                let reply = self.server(&under_way.request);
                let process = &mut self.processes[who];
                under_way.overtaken = process.overtaken;
                process.overtaken &= !matches!(reply, Reply::Written(_));
                under_way.reply = Some(reply);
            }
            self.processes[who].under_way = Some(under_way);
        }
    }

    fn server(&mut self, request: &Request) -> Reply {
        let Request::Write { record, guard } = request else {
            return Reply::Seen(self.lease.clone());
        };
        if self.lease.as_ref().map(|lease| &lease.version) != guard.as_ref() {
            return Reply::Refused;
        }
        self.version += 1;
        let record = Record { version: self.version.to_string(), ..record.clone() };
        for process in &mut self.processes {
            process.overtaken |= record.holder.as_deref().is_some_and(|holder| holder != process.candidate.me());
        }
        self.lease = Some(record.clone());
        Reply::Written(record)
    }

    fn answer(&mut self, who: usize) {
        let now = self.local(who);
        let process = &mut self.processes[who];
        let Some(UnderWay { reply: Some(reply), sent_local, sent, overtaken, .. }) = process.under_way.take_if(|u| u.reply.is_some())
        else {
            return;
        };
        match reply {
            Reply::Seen(record) => process.candidate.saw(record, now),
            Reply::Refused => process.candidate.refused(),
            Reply::Written(record) => {
                let first = process.candidate.renewed().is_none();
                self.takeovers += u32::from(first);
                self.blind |= overtaken && !first;
                process.candidate.wrote(record, sent_local, now);
                process.term_from = sent;
            }
        }
    }

    /// The process ends, in order or not, and another one starts in its place.
    fn leave(&mut self, who: usize, in_order: bool) {
        let led = self.processes[who].candidate.renewed().is_some();
        let me = Some(self.processes[who].candidate.me().to_owned());
        if let Some(UnderWay { request, reply: None, .. }) = self.processes[who].under_way.take() {
            self.late.push(request);
        }
        self.processes[who].candidate = self.newcomer();
        self.processes[who].overtaken = false;
        if let Some(lease) = self.lease.clone().filter(|lease| in_order && led && lease.holder == me) {
            let record = Record { holder: None, ..lease.clone() };
            self.server(&Request::Write { record, guard: Some(lease.version) });
        }
    }

    /// The terms of two processes, as spans of the world's time, have nothing in common; this also covers the moments
    /// between actions.
    fn overlap(&self) -> Option<String> {
        let terms = self.processes.iter().filter(|process| process.candidate.renewed().is_some()).map(|process| {
            let length = terms().renew_deadline.div_f64(process.rate);
            (process.term_from, process.term_from + u64::try_from(length.as_millis()).unwrap(), process.candidate.me())
        });
        let mut terms: Vec<_> = terms.collect();
        terms.sort_unstable();
        terms.windows(2).find(|pair| pair[1].0 < pair[0].1).map(|pair| format!("{pair:?}"))
    }
}

/// More schedules by `PROPTEST_CASES=100000`.
#[test]
fn never_two_leaders_whatever_the_schedule() {
    let takeovers = Cell::new(0);
    let config = Config { failure_persistence: None, ..Config::default() };
    let cases = config.cases;
    let mut runner = TestRunner::new(config);
    let schedules = proptest::collection::vec(action(), 0..250);
    let outcome = runner.run(&schedules, |schedule| {
        let mut world = World::new();
        for action in &schedule {
            world.apply(action);
            let leaders = world.leaders();
            prop_assert!(leaders.len() < 2, "{leaders:?} after {action:?} at {} ms", world.now);
            prop_assert!(!world.blind, "went on after another leader, after {action:?} at {} ms", world.now);
            prop_assert_eq!(world.overlap(), None, "after {:?} at {} ms", action, world.now);
        }
        takeovers.set(takeovers.get() + world.takeovers);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    // Else the schedules would show nothing.
    assert!(takeovers.get() > 2 * cases, "{} in {cases} schedules", takeovers.get());
}

/// Everybody is served twice a second; returns when somebody leads.
fn time_until_led(world: &mut World) -> u64 {
    let start = world.now;
    while world.leaders().is_empty() {
        world.now += 500;
        for who in 0..CANDIDATES {
            world.apply(&Action::Round(who));
        }
        assert!(world.now < start + 60_000, "nobody leads");
    }
    world.now - start
}

#[test]
fn somebody_leads_soon_after_the_start_after_a_release_and_after_a_crash() {
    let mut world = World::new();
    assert!(time_until_led(&mut world) <= 1000);
    for _ in 0..20 {
        let leader = world.leaders()[0];
        world.apply(&Action::Release(leader));
        assert!(time_until_led(&mut world) <= 3000);

        let leader = world.leaders()[0];
        world.apply(&Action::Crash(leader));
        // The duration on the slowest clock, and one retry.
        let silence = time_until_led(&mut world);
        assert!((11_000..=20_500).contains(&silence), "{silence}");
    }
}

#[test]
fn a_leader_keeps_the_lease_while_it_can_renew() {
    let mut world = World::new();
    time_until_led(&mut world);
    let leader = world.leaders();
    for _ in 0..2000 {
        world.now += 700;
        for who in 0..CANDIDATES {
            world.apply(&Action::Round(who));
        }
        assert_eq!(world.leaders(), leader);
    }
}
