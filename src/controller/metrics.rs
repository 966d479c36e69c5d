//! What the operator counts. Names that controller-runtime has keep its meaning, so that dashboards made for it work;
//! the rest begins with `microservice_`.
//!
//! Left out on purpose: labels with names of services, whose number is unbounded.

mod describe;
mod labels;
mod leader;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::model::{Answer, Kind};
use crate::serve::traffic::{Call, Meter};

use labels::{
    AnswerLabels, Buckets, CONTROLLER, CallLabels, ChildWriteLabels, Code, ControllerLabels, KindLabels, PassLabels, QueueLabels,
    RequestLabels, RequestSecondsLabels,
};

pub use leader::LeaderStatus;

/// Seconds of one pass; from a pass that sends nothing to one that waits for a server that does not answer.
const PASS_SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Seconds of one request.
const REQUEST_SECONDS: [f64; 11] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Seconds of one question; a profile's time-outs are from 1 to 60.
const QUESTION_SECONDS: [f64; 9] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0];
/// What an answer can be.
const ANSWERS: [&str; 4] = ["yes", "no", "not_yet", "trouble"];

/// Handles to all counters. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    passes: Family<PassLabels, Counter>,
    errors: Family<ControllerLabels, Counter>,
    terminal_errors: Family<ControllerLabels, Counter>,
    panics: Family<ControllerLabels, Counter>,
    pass_seconds: Family<ControllerLabels, Histogram, Buckets>,
    active: Family<ControllerLabels, Gauge>,
    queued: Family<QueueLabels, Gauge>,
    child_writes: Family<ChildWriteLabels, Counter>,
    skipped_writes: Family<KindLabels, Counter>,
    status_writes: Counter,
    rollbacks: Counter,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RequestSecondsLabels, Histogram, Buckets>,
    calls: Family<CallLabels, Counter>,
    questions: Family<AnswerLabels, Counter>,
    question_seconds: Histogram,
}

/// How a pass ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing to wait for but events.
    Success,
    /// Looks again at a set time.
    RequeueAfter,
    /// Looks again soon: somebody else wrote in between.
    Requeue,
    /// Failed in a way that may pass; tried again with back-off.
    Error,
    /// Failed in a way that only a changed spec, or the operator's author, can mend.
    TerminalError,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Success, Self::RequeueAfter, Self::Requeue, Self::Error, Self::TerminalError];

    const fn result(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RequeueAfter => "requeue_after",
            Self::Requeue => "requeue",
            Self::Error | Self::TerminalError => "error",
        }
    }
}

/// How a child was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    Apply,
    Delete,
}

impl Write {
    const fn verb(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Delete => "delete",
        }
    }
}

impl Metrics {
    /// The handles, and the registry that prints them. `host` is the API server, as the label of that name.
    pub fn new(host: impl Into<String>, concurrency: u16) -> (Self, Registry) {
        let metrics = Self {
            passes: Family::default(),
            errors: Family::default(),
            terminal_errors: Family::default(),
            panics: Family::default(),
            pass_seconds: Family::new_with_constructor(Buckets(&PASS_SECONDS)),
            active: Family::default(),
            queued: Family::default(),
            child_writes: Family::default(),
            skipped_writes: Family::default(),
            status_writes: Counter::default(),
            rollbacks: Counter::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(Buckets(&REQUEST_SECONDS)),
            calls: Family::default(),
            questions: Family::default(),
            question_seconds: Histogram::new(QUESTION_SECONDS),
        };
        let registry = describe::register(&metrics, host.into(), concurrency);
        metrics.start_at_zero();
        (metrics, registry)
    }

    /// Counts a pass as active until it is finished, or dropped on the way.
    pub fn begin(&self) -> Pass<'_> {
        self.active.get_or_create(&ControllerLabels::THE_ONE).inc();
        Pass { metrics: self, started: Instant::now(), outcome: None }
    }

    /// Services that are due and wait for a free hand.
    pub fn queued(&self, waiting: usize) {
        self.queued.get_or_create(&QueueLabels::THE_ONE).set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    pub fn panicked(&self) {
        self.panics.get_or_create(&ControllerLabels::THE_ONE).inc();
    }

    pub fn child_written(&self, kind: Kind, write: Write) {
        self.child_writes.get_or_create(&ChildWriteLabels { kind: kind.name(), verb: write.verb() }).inc();
    }

    /// A child that already was as planned.
    pub fn write_skipped(&self, kind: Kind) {
        self.skipped_writes.get_or_create(&KindLabels { kind: kind.name() }).inc();
    }

    pub fn status_written(&self) {
        self.status_writes.inc();
    }

    pub fn rolled_back(&self) {
        self.rollbacks.inc();
    }

    fn finished(&self, outcome: Outcome, took: Duration) {
        let one = &ControllerLabels::THE_ONE;
        self.passes.get_or_create(&PassLabels { controller: CONTROLLER, result: outcome.result() }).inc();
        self.pass_seconds.get_or_create(one).observe(took.as_secs_f64());
        if matches!(outcome, Outcome::Error | Outcome::TerminalError) {
            self.errors.get_or_create(one).inc();
        }
        if outcome == Outcome::TerminalError {
            self.terminal_errors.get_or_create(one).inc();
        }
    }

    /// A series that appears with its first increment hides that increment from `rate()`.
    fn start_at_zero(&self) {
        let one = &ControllerLabels::THE_ONE;
        for outcome in Outcome::ALL {
            drop(self.passes.get_or_create(&PassLabels { controller: CONTROLLER, result: outcome.result() }));
        }
        for counter in [&self.errors, &self.terminal_errors, &self.panics] {
            drop(counter.get_or_create(one));
        }
        drop(self.pass_seconds.get_or_create(one));
        drop(self.active.get_or_create(one));
        drop(self.queued.get_or_create(&QueueLabels::THE_ONE));
        for answer in ANSWERS {
            drop(self.questions.get_or_create(&AnswerLabels { answer }));
        }
        for kind in Kind::ALL {
            drop(self.skipped_writes.get_or_create(&KindLabels { kind: kind.name() }));
            for write in [Write::Apply, Write::Delete] {
                drop(self.child_writes.get_or_create(&ChildWriteLabels { kind: kind.name(), verb: write.verb() }));
            }
        }
    }
}

/// A pass under way.
#[derive(Debug)]
pub struct Pass<'a> {
    metrics: &'a Metrics,
    started: Instant,
    outcome: Option<Outcome>,
}

impl Pass<'_> {
    pub fn finish(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.metrics.active.get_or_create(&ControllerLabels::THE_ONE).dec();
        // Without an outcome the pass was aborted by a shutdown: it neither succeeded nor failed.
        if let Some(outcome) = self.outcome {
            self.metrics.finished(outcome, self.started.elapsed());
        }
    }
}

impl Meter for Metrics {
    fn finished(&self, call: Call, status: Option<u16>, took: Duration) {
        let code = Code(status);
        self.requests.get_or_create(&RequestLabels { code, method: call.method }).inc();
        self.calls.get_or_create(&CallLabels { verb: call.verb, resource: call.resource, code }).inc();
        if !call.watch {
            self.request_seconds.get_or_create(&RequestSecondsLabels { verb: call.method }).observe(took.as_secs_f64());
        }
    }
}

impl crate::ask::Meter for Metrics {
    fn asked(&self, answer: &Answer, took: Duration) {
        let [yes, no, not_yet, trouble] = ANSWERS;
        let answer = match answer {
            Answer::Yes => yes,
            Answer::No => no,
            Answer::NotYet(_) => not_yet,
            Answer::Trouble(_) => trouble,
        };
        self.questions.get_or_create(&AnswerLabels { answer }).inc();
        self.question_seconds.observe(took.as_secs_f64());
    }
}
