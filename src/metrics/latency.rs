//! Latency histograms that a loop writes without locks and a reporter reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Buckets per power of two; a bucket is at most 12.5 % wide.
const SUB: u32 = 8;
const SUB_BITS: u32 = 3;
/// Buckets from 0 ns to about 18 minutes, then one for all above.
const BUCKETS: usize = 8 + 37 * 8 + 1;

/// A histogram of durations with buckets at most 12.5 % wide.
#[derive(Debug)]
pub struct Latency(Box<[AtomicU64]>);

impl Default for Latency {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

fn bucket_of(nanos: u64) -> usize {
    if nanos < u64::from(SUB) {
        return nanos as usize;
    }
    let exponent = nanos.ilog2();
    let sub = (nanos >> (exponent - SUB_BITS)) as u32 & (SUB - 1);
    (((exponent - SUB_BITS + 1) * SUB + sub) as usize).min(BUCKETS - 1)
}

fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64 + 1;
    let (exponent, sub) = (bucket / u64::from(SUB), bucket % u64::from(SUB));
    if exponent == 0 { sub } else { (u64::from(SUB) + sub) << (exponent - 1) }
}

impl Latency {
    /// Adds `count` values of one duration. One loop writes a histogram.
    #[inline]
    pub fn record(&self, span: Duration, count: u64) {
        self.record_nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX), count);
    }

    /// The same of a duration in nanoseconds.
    #[inline]
    pub fn record_nanos(&self, nanos: u64, count: u64) {
        let bucket = &self.0[bucket_of(nanos)];
        bucket.store(bucket.load(Relaxed) + count, Relaxed);
    }

    /// The filled buckets.
    pub fn summary(&self) -> LatencySummary {
        let filled = self.0.iter().enumerate().filter_map(|(index, count)| {
            let count = count.load(Relaxed);
            (count > 0).then_some((index as u16, count))
        });
        LatencySummary { buckets: filled.collect() }
    }
}

/// The filled buckets of a histogram: bucket number and count, by number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    buckets: Vec<(u16, u64)>,
}

impl LatencySummary {
    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The upper end of the bucket that holds the given part (`0.0..=1.0`) of all values.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let rank = ((self.count() as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        self.buckets.iter().find_map(|&(bucket, count)| {
            seen += count;
            (seen >= rank).then(|| Duration::from_nanos(upper_end(usize::from(bucket))))
        })
    }

    /// Adds the values of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for &(bucket, count) in &other.buckets {
            match self.buckets.binary_search_by_key(&bucket, |&(number, _)| number) {
                Ok(at) => self.buckets[at].1 += count,
                Err(at) => self.buckets.insert(at, (bucket, count)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_they_say_within_an_eighth() {
        let mut last = 0;
        for nanos in (0..64).map(|shift| 1_u64 << shift).chain([7, 9, 1000, 123_456_789]) {
            let bucket = bucket_of(nanos);
            if bucket < BUCKETS - 1 {
                assert!(upper_end(bucket) > nanos, "{nanos}");
                assert!(upper_end(bucket) as f64 <= nanos as f64 * 1.125 + 1.0, "{nanos}");
            }
            last = last.max(bucket);
        }
        assert_eq!(last, BUCKETS - 1);
    }

    #[test]
    fn quantiles_and_merging_agree_with_the_values() {
        let (left, right) = (Latency::default(), Latency::default());
        for millis in 1..=100 {
            let side = if millis % 2 == 0 { &left } else { &right };
            side.record(Duration::from_millis(millis), 1);
        }
        let mut both = left.summary();
        both.merge(&right.summary());
        assert_eq!(both.count(), 100);
        let median = both.quantile(0.5).unwrap().as_secs_f64();
        assert!((0.050..0.058).contains(&median), "{median}");
        assert_eq!(LatencySummary::default().quantile(0.5), None);
    }
}
