//! What is measured, and how several runs of it are summed up. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Figure {
    /// Messages a second, start and end of the run left out.
    Rate,
    /// CPU seconds of all processes for a million messages, start and end included.
    CpuPerMillion,
    /// Microseconds.
    P50,
    /// Microseconds.
    P99,
    /// Microseconds.
    P999,
    /// Milliseconds from the command to the first line of output.
    FirstResult,
    /// CPU time of all processes while next to nothing is done, in percent of one core.
    CpuAtRest,
    /// MiB of memory of the largest process at its peak.
    Largest,
    /// MiB of memory of all processes together at their peaks.
    Memory,
}

impl Figure {
    /// All of them, in the order of the columns.
    pub(super) const ALL: [Self; 9] = [
        Self::Rate,
        Self::CpuPerMillion,
        Self::P50,
        Self::P99,
        Self::P999,
        Self::FirstResult,
        Self::CpuAtRest,
        Self::Largest,
        Self::Memory,
    ];

    /// Its name with its unit.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Rate => "messages/s",
            Self::CpuPerMillion => "CPU s/million",
            Self::P50 => "p50 µs",
            Self::P99 => "p99 µs",
            Self::P999 => "p99.9 µs",
            Self::FirstResult => "first result ms",
            Self::CpuAtRest => "CPU % at rest",
            Self::Largest => "largest process MiB",
            Self::Memory => "memory MiB",
        }
    }

    fn is_better_higher(self) -> bool {
        self == Self::Rate
    }
}

/// The figures of one run.
pub(super) type Sample = BTreeMap<Figure, f64>;

/// The least, the middle and the greatest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) greatest: f64,
}

impl Spread {
    /// The spread of some values; none of none.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() {
            0 => return None,
            count if count % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Some(Self { least: values[0], median, greatest: values[values.len() - 1] })
    }

    /// The spread of one figure over some runs.
    pub(super) fn over(samples: &[Sample], figure: Figure) -> Option<Self> {
        Self::of(samples.iter().filter_map(|sample| sample.get(&figure).copied()))
    }
}

/// By which factor this is better than the other: above one, it is. Runs are compared in pairs, as they
/// were made.
pub(super) fn gain(this: &[Sample], other: &[Sample], figure: Figure) -> Option<Spread> {
    let pairs = this.iter().zip(other).filter_map(|(this, other)| {
        let (this, other) = (this.get(&figure)?, other.get(&figure)?);
        let (good, bad) = if figure.is_better_higher() { (this, other) } else { (other, this) };
        (*bad > 0.0).then(|| good / bad)
    });
    Spread::of(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(figure: Figure, values: &[f64]) -> Vec<Sample> {
        values.iter().map(|&value| Sample::from([(figure, value)])).collect()
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { least: 1.0, median: 2.5, greatest: 4.0 });
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn twice_the_rate_and_half_the_latency_are_both_a_gain_of_two() {
        let gain_of = |figure, this: &[f64], other: &[f64]| {
            gain(&samples(figure, this), &samples(figure, other), figure).unwrap().median
        };
        let rate = gain_of(Figure::Rate, &[200.0], &[100.0]);
        assert_eq!(vec![rate, gain_of(Figure::P99, &[100.0], &[200.0])], [2.0, 2.0]);
    }

    #[test]
    fn runs_are_compared_in_pairs() {
        let this = samples(Figure::Rate, &[10.0, 100.0]);
        let other = samples(Figure::Rate, &[5.0, 50.0]);
        let spread = gain(&this, &other, Figure::Rate).unwrap();
        assert_eq!((spread.least, spread.greatest), (2.0, 2.0));
    }
}
