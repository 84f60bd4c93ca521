//! Runs of many seeds, and of one.

use std::env;
use std::panic::{set_hook, take_hook};

use super::super::world::{Outcome, run};

/// Seeds of an ordinary run of the tests; `SEEDS` asks for another number, `SEED` for one alone.
const SEEDS: u64 = 2_000;
/// Lines of a failing run's trace that are shown.
const SHOWN: usize = 200;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// The trace of a failing run, and how to run it alone.
fn story(seed: u64) -> String {
    let Err(failure) = run(seed, true) else {
        return format!("seed {seed} fails only sometimes");
    };
    let first = failure.trace.len().saturating_sub(SHOWN);
    let trace = failure.trace[first..].join("\n");
    format!("{trace}\nseed {seed}: {}\nalone: make simulate SEED={seed}", failure.violation)
}

fn run_all(seeds: impl Iterator<Item = u64>) -> Vec<Outcome> {
    // What panics is a violation and told as one.
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let mut outcomes = Vec::new();
    let mut failures = Vec::new();
    for seed in seeds {
        match run(seed, false) {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) => failures.push((seed, failure.violation)),
        }
    }
    let told = failures.first().map(|(seed, _)| story(*seed));
    set_hook(hook);
    if let Some(told) = told {
        let all: Vec<_> =
            failures.iter().map(|(seed, violation)| format!("seed {seed}: {violation}")).collect();
        panic!("{told}\n\n{} seeds failed:\n{}", all.len(), all.join("\n"));
    }
    outcomes
}

#[test]
fn nothing_is_acked_early_or_forgotten_whatever_goes_wrong() {
    if let Some(seed) = number("SEED") {
        let outcome = run_all(seed..=seed).remove(0);
        eprintln!("{outcome:?}");
        return;
    }
    let first = number("FIRST").unwrap_or(0);
    let outcomes = run_all(first..first + number("SEEDS").unwrap_or(SEEDS));
    if env::var("SHOW").is_ok() {
        for o in &outcomes { eprintln!("{:?} {} {} {:?}", o.seen, o.messages, o.trees, o.finish); }
    }
}
