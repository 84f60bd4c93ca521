//! One field of a generated message. Pure: a function of the message's number, time and seed.

use std::fmt::Write as _;

use crate::tuple::{Text, Value};

use super::template::Template;

/// What the fields of one message are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    /// Its number among all messages of the spout.
    pub(super) number: u64,
    /// The topology's seed.
    pub(super) seed: u64,
    /// When it is to be emitted, nanoseconds since 1970.
    pub(super) time: u64,
}

/// The unit of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Millis,
    Micros,
    Nanos,
}

/// How a field's values are made.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    Constant(Value),
    /// Goes round.
    Cycle(Vec<Value>),
    /// Drawn at random.
    Choose(Vec<Value>),
    Counter {
        start: i64,
        step: i64,
    },
    /// Both ends are drawn.
    Ints {
        min: i64,
        max: i64,
    },
    /// The upper end is not drawn.
    Floats {
        min: f64,
        max: f64,
    },
    Template(Template),
    EmitTime(TimeUnit),
}

impl Field {
    /// The field's value; `place` tells fields of one message apart.
    #[inline]
    pub(super) fn value(&self, message: &Message, place: u64) -> Value {
        match self {
            Self::Constant(value) => fresh(value),
            Self::Cycle(values) => fresh(&values[(message.number % values.len() as u64) as usize]),
            Self::Choose(values) => {
                let drawn = below(message.draw(place), values.len() as u128);
                fresh(&values[drawn as usize])
            }
            Self::Counter { start, step } => {
                Value::Int(start.wrapping_add(step.wrapping_mul(message.number as i64)))
            }
            Self::Ints { min, max } => {
                let span = (i128::from(*max) - i128::from(*min) + 1) as u128;
                let drawn = below(message.draw(place), span);
                Value::Int((i128::from(*min) + drawn as i128) as i64)
            }
            Self::Floats { min, max } => {
                // 53 random bits are a number from 0 to below 1.
                let part = (message.draw(place) >> 11) as f64 / (1_u64 << 53) as f64;
                Value::Float(min + part * (max - min))
            }
            Self::Template(template) => Value::Str(template.fill(message, place)),
            Self::EmitTime(unit) => Value::Int(message.time_in(*unit)),
        }
    }

    /// Appends the value as text.
    pub(super) fn write(&self, message: &Message, place: u64, out: &mut Text) {
        match self.value(message, place) {
            Value::Str(text) => out.push_str(&text),
            Value::Int(number) => write!(out, "{number}").expect("a string takes every write"),
            other => out.push_str(&other.to_text()),
        }
    }

    /// Whether it asks for the message's time.
    pub(super) fn needs_time(&self) -> bool {
        match self {
            Self::EmitTime(_) => true,
            Self::Template(template) => template.needs_time(),
            _ => false,
        }
    }
}

/// A value to give out. A short text is copied: tasks on other cores would fight for the count of a
/// shared one.
fn fresh(value: &Value) -> Value {
    const SHORT: usize = 512;
    match value {
        Value::Str(text) if text.len() <= SHORT => Value::Str(Text::from(text.as_str())),
        other => other.clone(),
    }
}

impl Message {
    fn time_in(&self, unit: TimeUnit) -> i64 {
        let divisor = match unit {
            TimeUnit::Millis => 1_000_000,
            TimeUnit::Micros => 1_000,
            TimeUnit::Nanos => 1,
        };
        (self.time / divisor) as i64
    }

    /// Random bits that depend on nothing but seed, number and place (SplitMix64, Steele et al.).
    fn draw(&self, place: u64) -> u64 {
        let mix = |mut bits: u64| {
            bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            bits ^ bits >> 31
        };
        let step = |state: u64, by: u64| {
            state.wrapping_add(by.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        };
        mix(step(mix(step(mix(step(0, self.seed)), place)), self.number))
    }
}

/// A number below `span`, spread evenly over it.
fn below(bits: u64, span: u128) -> u128 {
    if span > u128::from(u64::MAX) { u128::from(bits) } else { (u128::from(bits) * span) >> 64 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn values(field: &Field, count: u64) -> Vec<Value> {
        let message = |number| Message { number, seed: 1, time: 1_234_567_890 };
        (0..count).map(|number| field.value(&message(number), 0)).collect()
    }

    #[test]
    fn random_numbers_stay_in_their_range_and_reach_all_of_it() {
        let dice = values(&Field::Ints { min: -3, max: 3 }, 1000);
        let seen: BTreeSet<_> = dice.iter().filter_map(Value::as_int).collect();
        assert_eq!(seen, (-3..=3).collect());
        let widest = values(&Field::Ints { min: i64::MIN, max: i64::MAX }, 100);
        assert!(widest.iter().any(|value| value.as_int() < Some(0)));
        for value in values(&Field::Floats { min: 0.5, max: 0.75 }, 1000) {
            let number = value.as_float().unwrap();
            assert!((0.5..0.75).contains(&number));
        }
    }

    #[test]
    fn lists_go_round_and_counters_step() {
        let cycle = Field::Cycle(vec![Value::from("a"), Value::from("b")]);
        assert_eq!(values(&cycle, 3), ["a", "b", "a"].map(Value::from));
        let counter = Field::Counter { start: 10, step: -5 };
        assert_eq!(values(&counter, 3), [10, 5, 0].map(Value::Int));
        let micros = Field::EmitTime(TimeUnit::Micros);
        assert_eq!(values(&micros, 1), [Value::Int(1_234_567)]);
    }

    #[test]
    fn one_seed_draws_the_same_and_another_something_else() {
        let choose = Field::Choose((0..1000).map(Value::Int).collect());
        let draw = |seed| {
            let message = |number| Message { number, seed, time: 0 };
            (0..20).map(|number| choose.value(&message(number), 0)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
