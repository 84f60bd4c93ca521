//! The spout `generate`: made-up tuples, as fast as asked or at a steady rate.
//!
//! A message is a function of the seed and its number, so a restarted task makes the same ones
//! again from the lowest that is not acked. With several tasks, task `t` of `n` makes the numbers
//! `t`, `t + n`, `t + 2n`, … and all keep one schedule. It never drops what is overdue.

mod field;
mod options;
mod schedule;
mod spout;
mod template;

pub(super) use options::GenerateKind;
