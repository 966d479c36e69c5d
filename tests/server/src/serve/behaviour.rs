//! How the server misbehaves: set by flags at start, read and switched through `/control` while it runs.

use super::percent::Percent;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest latency and jitter: longer ones hold connections for ever and test nothing more.
const MAX_LATENCY_MS: u64 = 600_000;
/// Sixteen cores; each full core is a thread of its own.
const MAX_BURN_MILLICORES: u32 = 16_000;

/// A day. A bound is needed, because no clock holds the instant that is 2⁶⁴ seconds away.
const MAX_CRASH_AFTER_SECONDS: u64 = 86_400;

/// One definition for flags and for the JSON of `/control`, so that both always offer the same switches.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Behaviour {
    /// Share of requests that fail, in percent with at most two decimals; spread evenly, 5 fails every 20th
    #[arg(long, value_name = "PERCENT", env = "FAIL_PERCENT", default_value = "0")]
    pub fail_percent: Percent,
    /// Status of the requests that fail
    #[arg(long, value_name = "STATUS", env = "FAIL_STATUS", default_value_t = 500, value_parser = clap::value_parser!(u16).range(400..=599))]
    pub fail_status: u16,
    /// Time that every answer waits
    #[arg(long, value_name = "MS", env = "LATENCY_MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=MAX_LATENCY_MS))]
    pub latency_ms: u64,
    /// Further time, between 0 and this, spread evenly over the requests by a fixed rule
    #[arg(long, value_name = "MS", env = "LATENCY_JITTER_MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=MAX_LATENCY_MS))]
    pub latency_jitter_ms: u64,
    /// CPU time to burn all the time, in thousandths of a core
    #[arg(long, value_name = "MILLICORES", env = "BURN_MILLICORES", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_BURN_MILLICORES)))]
    pub burn_millicores: u32,
    /// What `/ready` says, once `--ready-after-seconds` have passed and as long as the server does not shut down
    #[arg(skip = true)]
    pub ready: bool,
    /// What `/live` says
    #[arg(skip = true)]
    pub live: bool,
    /// Exit abruptly this many seconds after the start, or after the change through `/control`
    #[arg(long, value_name = "SECONDS", env = "CRASH_AFTER_SECONDS", value_parser = clap::value_parser!(u64).range(..=MAX_CRASH_AFTER_SECONDS))]
    pub crash_after_seconds: Option<u64>,
    /// Exit code of that crash
    #[arg(long, value_name = "CODE", env = "EXIT_CODE", default_value_t = 1)]
    pub exit_code: u8,
}

impl Behaviour {
    /// This behaviour with the fields of a JSON object in place of its own; `null` clears a field that may be absent.
    pub fn changed(&self, change: &[u8]) -> Result<Self, String> {
        let change: serde_json::Value = serde_json::from_slice(change).map_err(|error| format!("the body is not JSON: {error}"))?;
        let serde_json::Value::Object(change) = change else {
            return Err("the body must be a JSON object such as {\"failPercent\": 5}".to_owned());
        };
        let mut merged = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Some(fields) = merged.as_object_mut() {
            fields.extend(change);
        }
        let behaviour: Self = serde_json::from_value(merged).map_err(|error| error.to_string())?;
        behaviour.within_bounds()?;
        Ok(behaviour)
    }

    /// The bounds that the flags' parsers enforce at start.
    fn within_bounds(&self) -> Result<(), String> {
        if !(400..=599).contains(&self.fail_status) {
            return Err(format!("failStatus must be from 400 to 599, not {}", self.fail_status));
        }
        for (field, value) in [("latencyMs", self.latency_ms), ("latencyJitterMs", self.latency_jitter_ms)] {
            if value > MAX_LATENCY_MS {
                return Err(format!("{field} must be at most {MAX_LATENCY_MS}, not {value}"));
            }
        }
        if let Some(seconds) = self.crash_after_seconds.filter(|seconds| *seconds > MAX_CRASH_AFTER_SECONDS) {
            return Err(format!("crashAfterSeconds must be at most {MAX_CRASH_AFTER_SECONDS}, not {seconds}"));
        }
        if self.burn_millicores > MAX_BURN_MILLICORES {
            return Err(format!("burnMillicores must be at most {MAX_BURN_MILLICORES}, not {}", self.burn_millicores));
        }
        Ok(())
    }

    pub fn fails(&self, number: u64) -> bool {
        self.fail_percent.takes(number)
    }

    /// Latency of the request with this number. The jitter follows multiples of the golden ratio, which fill the range
    /// evenly without a random generator: the same number always waits the same time.
    pub fn latency(&self, number: u64) -> Duration {
        /// 2³² divided by the golden ratio.
        const STEP: u64 = 2_654_435_769;
        let position = number.wrapping_mul(STEP) % (1 << 32);
        Duration::from_millis(self.latency_ms + ((self.latency_jitter_ms * position) >> 32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Behaviour {
        Behaviour {
            fail_percent: Percent::default(),
            fail_status: 500,
            latency_ms: 0,
            latency_jitter_ms: 0,
            burn_millicores: 0,
            ready: true,
            live: true,
            crash_after_seconds: None,
            exit_code: 1,
        }
    }

    #[test]
    fn change_keeps_every_field_that_it_does_not_name() {
        let first = usual().changed(br#"{"failPercent": 2.5, "crashAfterSeconds": 9}"#).unwrap();
        let second = first.changed(br#"{"ready": false, "crashAfterSeconds": null}"#).unwrap();
        let expected = Behaviour { fail_percent: "2.5".parse().unwrap(), ready: false, ..usual() };
        assert_eq!(second, expected);
    }

    #[test]
    fn bad_change_is_refused_with_its_field() {
        let cases = [
            ("{", "not JSON"),
            ("[]", "JSON object"),
            (r#"{"failPercnt": 5}"#, "failPercnt"),
            (r#"{"failPercent": 101}"#, "101"),
            (r#"{"failStatus": 200}"#, "failStatus"),
            (r#"{"latencyMs": 600001}"#, "latencyMs"),
            (r#"{"latencyJitterMs": -1}"#, "-1"),
            (r#"{"burnMillicores": 99999}"#, "burnMillicores"),
            (r#"{"crashAfterSeconds": 86401}"#, "crashAfterSeconds"),
            (r#"{"ready": "no"}"#, "boolean"),
        ];
        for (change, reason) in cases {
            let message = usual().changed(change.as_bytes()).unwrap_err();
            assert!(message.contains(reason), "{change}: {message}");
        }
    }

    #[test]
    fn jitter_fills_its_range_evenly_and_repeats() {
        let behaviour = Behaviour { latency_ms: 100, latency_jitter_ms: 50, ..usual() };
        let waits: Vec<u128> = (1..=1000).map(|number| behaviour.latency(number).as_millis()).collect();
        assert!(waits.iter().all(|wait| (100..150).contains(wait)));
        let upper_half = waits.iter().filter(|wait| **wait >= 125).count();
        assert!((490..=510).contains(&upper_half), "{upper_half}");
        assert_eq!(behaviour.latency(7), behaviour.latency(7));
        assert_eq!(usual().latency(7), Duration::ZERO);
    }
}
