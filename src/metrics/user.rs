//! Metrics that components report under names of their own.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// One metric of a component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserMetric {
    /// Only grows.
    Counter {
        /// The sum so far.
        value: f64,
    },
    /// The last value.
    Gauge {
        /// The last value.
        value: f64,
    },
    /// A distribution.
    Histogram {
        /// How many values.
        count: u64,
        /// Their sum.
        sum: f64,
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
    /// Anything else, as a child sent it: the last value, JSON.
    Other {
        /// JSON text.
        value: String,
    },
}

/// At most this many names a task may use; more are not kept.
const MAX_NAMES: usize = 1000;

/// The metrics of one task.
#[derive(Debug, Default)]
pub struct UserMetrics(Mutex<BTreeMap<String, UserMetric>>);

impl UserMetrics {
    /// Adds to a counter.
    pub fn count(&self, name: &str, add: f64) {
        self.change(name, UserMetric::Counter { value: 0.0 }, |metric| {
            if let UserMetric::Counter { value } = metric {
                *value += add;
            }
        });
    }

    /// Sets a gauge.
    pub fn gauge(&self, name: &str, now: f64) {
        self.change(name, UserMetric::Gauge { value: now }, |metric| {
            *metric = UserMetric::Gauge { value: now };
        });
    }

    /// Adds a value to a histogram.
    pub fn observe(&self, name: &str, seen: f64) {
        let empty = UserMetric::Histogram {
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        };
        self.change(name, empty, |metric| {
            if let UserMetric::Histogram { count, sum, min, max } = metric {
                *count += 1;
                *sum += seen;
                *min = min.min(seen);
                *max = max.max(seen);
            }
        });
    }

    /// Keeps the last value of anything else.
    pub fn other(&self, name: &str, json: String) {
        self.change(name, UserMetric::Other { value: String::new() }, |metric| {
            *metric = UserMetric::Other { value: json };
        });
    }

    /// All metrics by name.
    pub fn snapshot(&self) -> BTreeMap<String, UserMetric> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, name: &str, new: UserMetric, change: impl FnOnce(&mut UserMetric)) {
        let mut metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(metric) = metrics.get_mut(name) {
            change(metric);
        } else if metrics.len() < MAX_NAMES {
            change(metrics.entry(name.to_owned()).or_insert(new));
        }
    }
}
