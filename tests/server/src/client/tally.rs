//! Counts while the client runs, and the summary at its end.

use super::histogram::Histogram;
use super::request::Outcome;
use crate::failure::Failure;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Failures of each kind that are told in full; the rest is only counted.
const EXAMPLES_PER_KIND: u64 = 5;

#[derive(Default)]
pub struct Tally {
    requests: u64,
    answered: u64,
    failed: u64,
    failures: BTreeMap<String, u64>,
    examples: Vec<Example>,
    last_failure_at: Option<Duration>,
    revisions: BTreeMap<String, Count>,
    pods: BTreeMap<String, Count>,
    latencies: Histogram,
}

#[derive(Default)]
struct Count {
    answers: u64,
    failed: u64,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Example {
    at_seconds: f64,
    kind: String,
    detail: String,
}

impl Tally {
    /// `at` is when the request was due, since the start of the run; `latency` counts from there.
    pub fn record(&mut self, at: Duration, latency: Duration, outcome: &Outcome) {
        self.requests += 1;
        if let Some(identity) = &outcome.answered_by {
            self.answered += 1;
            self.latencies.record(latency);
            for (counts, key) in [(&mut self.revisions, &identity.revision), (&mut self.pods, &identity.pod)] {
                let count = counts.entry(key.clone()).or_default();
                count.answers += 1;
                count.failed += u64::from(outcome.failure.is_some());
            }
        }
        if let Some(failure) = &outcome.failure {
            self.record_failure(at, failure);
        }
    }

    fn record_failure(&mut self, at: Duration, failure: &Failure) {
        self.failed += 1;
        self.last_failure_at = self.last_failure_at.max(Some(at));
        let kind = failure.kind.to_string();
        let count = self.failures.entry(kind.clone()).or_default();
        *count += 1;
        if *count <= EXAMPLES_PER_KIND {
            self.examples.push(Example { at_seconds: seconds(at), kind, detail: failure.detail.clone() });
        }
    }

    pub fn progress(&self, elapsed: Duration) -> String {
        let shares: Vec<String> = shares(&self.revisions, self.answered)
            .into_iter()
            .map(|(revision, part)| format!("{revision} {:.1} %", part.share * 100.0))
            .collect();
        format!(
            "{:.0} s, {} requests, {} failed, p99 {:.1} ms, {}",
            elapsed.as_secs_f64(),
            self.requests,
            self.failed,
            self.latencies.percentile_ms(99),
            if shares.is_empty() { "no answer yet".to_owned() } else { shares.join(", ") },
        )
    }

    pub fn summary(&self, url: &str, requested_rate: u32, connections: u64, elapsed: Duration, stopped_early: bool) -> Summary {
        Summary {
            url: url.to_owned(),
            requests: self.requests,
            answered: self.answered,
            failed: self.failed,
            failures: self.failures.clone(),
            latency_ms: Latency {
                p50: self.latencies.percentile_ms(50),
                p90: self.latencies.percentile_ms(90),
                p99: self.latencies.percentile_ms(99),
                max: self.latencies.max_ms(),
            },
            revisions: shares(&self.revisions, self.answered),
            pods: shares(&self.pods, self.answered),
            connections,
            elapsed_seconds: seconds(elapsed),
            requested_rate,
            achieved_rate: rounded(self.requests * 1000, millis(elapsed), 100),
            stopped_early,
            last_failure_at_seconds: self.last_failure_at.map(seconds),
            failure_examples: self.examples.clone(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    url: String,
    requests: u64,
    answered: u64,
    failed: u64,
    failures: BTreeMap<String, u64>,
    latency_ms: Latency,
    revisions: BTreeMap<String, Part>,
    pods: BTreeMap<String, Part>,
    connections: u64,
    elapsed_seconds: f64,
    requested_rate: u32,
    achieved_rate: f64,
    stopped_early: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure_at_seconds: Option<f64>,
    failure_examples: Vec<Example>,
}

#[derive(Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

#[derive(Serialize)]
struct Part {
    answers: u64,
    failed: u64,
    /// Of all answers, from 0 to 1.
    share: f64,
}

impl Summary {
    /// A run without a single answer has shown nothing, even if nothing failed.
    pub fn is_clean(&self) -> bool {
        self.failed == 0 && self.answered > 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let early = if self.stopped_early { ", stopped early" } else { "" };
        writeln!(f, "{}: {} requests in {:.1} s ({:.1}/s{early})", self.url, self.requests, self.elapsed_seconds, self.achieved_rate)?;
        writeln!(f, "  failed    {}", self.failed)?;
        for (kind, count) in &self.failures {
            writeln!(f, "            {kind} {count}")?;
        }
        let Latency { p50, p90, p99, max } = self.latency_ms;
        writeln!(f, "  latency   p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, max {max:.1} ms")?;
        for (what, parts) in [("revision", &self.revisions), ("pod", &self.pods)] {
            for (key, part) in parts {
                writeln!(f, "  {what:<9} {key}: {} answers ({:.1} %), {} failed", part.answers, part.share * 100.0, part.failed)?;
            }
        }
        for example in &self.failure_examples {
            writeln!(f, "  at {:.3} s {}: {}", example.at_seconds, example.kind, example.detail)?;
        }
        Ok(())
    }
}

fn shares(counts: &BTreeMap<String, Count>, answered: u64) -> BTreeMap<String, Part> {
    counts
        .iter()
        .map(|(key, count)| {
            (key.clone(), Part { answers: count.answers, failed: count.failed, share: rounded(count.answers, answered, 10_000) })
        })
        .collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn seconds(duration: Duration) -> f64 {
    ratio(millis(duration), 1000)
}

/// A ratio in steps of `1 / steps`, so that nobody reads more digits than there is information.
fn rounded(part: u64, whole: u64, steps: u64) -> f64 {
    ratio((part * steps + whole / 2) / whole.max(1), steps)
}

#[expect(clippy::cast_precision_loss, reason = "counts and times stay far below 2^52")]
pub fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
