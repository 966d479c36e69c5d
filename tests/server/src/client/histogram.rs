//! Latencies in constant memory: exact below 128 µs and within 1 % above, whatever the length of the run.

use super::tally::ratio;
use std::time::Duration;

/// Sub-buckets per power of two: 64 give an error of at most 1/64, halved by reporting the middle.
const SUB_BITS: u32 = 6;
const EXACT_BELOW: u64 = 1 << (SUB_BITS + 1);

#[derive(Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max_micros: u64,
}

impl Histogram {
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let index = index_of(micros);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.total += 1;
        self.max_micros = self.max_micros.max(micros);
    }

    /// The latency, in milliseconds, that this percentage of the recorded ones does not exceed. Zero when empty.
    pub fn percentile_ms(&self, percent: u64) -> f64 {
        let rank = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return millis(middle_of(index).min(self.max_micros));
            }
        }
        0.0
    }

    pub fn max_ms(&self) -> f64 {
        millis(self.max_micros)
    }
}

/// Values below `EXACT_BELOW` have a bucket each; above, each power of two has `1 << SUB_BITS` of them.
fn index_of(micros: u64) -> usize {
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(SUB_BITS + 1);
    let index = (u64::from(shift) << SUB_BITS) + (micros >> shift);
    usize::try_from(index).unwrap_or(usize::MAX)
}

fn middle_of(index: usize) -> u64 {
    let index = index as u64;
    if index < EXACT_BELOW {
        return index;
    }
    let shift = (index >> SUB_BITS) - 1;
    let lowest = (index - (shift << SUB_BITS)) << shift;
    lowest + (1 << shift) / 2
}

fn millis(micros: u64) -> f64 {
    ratio(micros, 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_hold_their_middle() {
        let mut last = 0;
        for micros in (0..100_000).chain([1 << 40, u64::MAX]) {
            let index = index_of(micros);
            assert!(index >= last, "{micros}");
            assert_eq!(index_of(middle_of(index)), index, "{micros}");
            assert!(middle_of(index).abs_diff(micros) <= micros / 100, "{micros}");
            last = index;
        }
    }

    #[test]
    fn percentiles_of_known_latencies() {
        let mut histogram = Histogram::default();
        for millis in 1..=100 {
            histogram.record(Duration::from_millis(millis));
        }
        for (percent, expected) in [(50, 50.0), (90, 90.0), (99, 99.0), (100, 100.0)] {
            let got = histogram.percentile_ms(percent);
            assert!((got - expected).abs() <= expected / 100.0, "p{percent} = {got}");
        }
        assert!((histogram.max_ms() - 100.0).abs() < 0.001);
        assert!(Histogram::default().percentile_ms(99).abs() < f64::EPSILON);
    }
}
