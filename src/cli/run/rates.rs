//! Rates between two looks at the counters, and numbers as people read them. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::Timestamp;
use crate::component::Role;
use crate::supervisor::{ComponentCounts, Totals};

/// Remembers the last look.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: Option<(Timestamp, BTreeMap<String, u64>)>,
}

impl Rates {
    /// Tuples a second of each component since the last look.
    pub(super) fn since_last(&mut self, totals: &Totals, now: Timestamp) -> BTreeMap<String, f64> {
        let counts: BTreeMap<_, _> = totals
            .components
            .iter()
            .map(|counts| (counts.component.clone(), throughput(counts)))
            .collect();
        let rates = match &self.last {
            None => BTreeMap::new(),
            Some((at, before)) => {
                let seconds = now.since(*at).as_secs_f64().max(1e-3);
                let rate = |(name, count): (&String, &u64)| {
                    let earlier = before.get(name).copied().unwrap_or(0);
                    (name.clone(), count.saturating_sub(earlier) as f64 / seconds)
                };
                counts.iter().map(rate).collect()
            }
        };
        self.last = Some((now, counts));
        rates
    }
}

/// What a component's rate is about: what a spout emits, what a bolt takes.
pub(super) fn throughput(counts: &ComponentCounts) -> u64 {
    match counts.role {
        Role::Spout => counts.counters.emitted,
        Role::Bolt => counts.counters.executed,
    }
}

/// `1,234,567`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `842`, `12.3k`, `4.56M`
pub(super) fn short(number: f64) -> String {
    match number {
        n if n >= 1e9 => format!("{:.2}G", n / 1e9),
        n if n >= 1e6 => format!("{:.2}M", n / 1e6),
        n if n >= 1e4 => format!("{:.1}k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

/// `850 ns`, `12 µs`, `3.4 ms`, `1.2 s`
pub(super) fn span(span: Duration) -> String {
    let nanos = span.as_nanos() as f64;
    match nanos {
        n if n >= 1e9 => format!("{:.1} s", n / 1e9),
        n if n >= 1e7 => format!("{:.0} ms", n / 1e6),
        n if n >= 1e6 => format!("{:.1} ms", n / 1e6),
        n if n >= 1e3 => format!("{:.0} µs", n / 1e3),
        n => format!("{n:.0} ns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(short(9_999.4), "9999");
        assert_eq!(short(12_345.0), "12.3k");
        assert_eq!(short(4_560_000.0), "4.56M");
        assert_eq!(span(Duration::from_micros(12)), "12 µs");
        assert_eq!(span(Duration::from_millis(1234)), "1.2 s");
    }
}
