//! Runs of many seeds, and of one.

use std::collections::BTreeSet;
use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::panic::{set_hook, take_hook};
use std::sync::Once;

use super::super::stage::{self, Seen};
use super::super::world::{Outcome, run};

/// Seeds of an ordinary run of the tests.
const FEW: Range<u64> = 0..300;
/// Seeds of a thorough one.
const MANY: Range<u64> = 0..20_000;
/// Lines of a failing run's trace that are shown.
const SHOWN: usize = 200;

/// One seed that is asked for: `SEED=7`.
fn asked() -> Option<u64> {
    env::var("SEED").ok().map(|text| text.parse().expect("SEED is a number"))
}

/// What panics in a run is a violation and told as one; others speak as ever.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !stage::is_set() {
                others(panic);
            }
        }));
    });
}

/// The trace of a failing run, its end last.
fn story(seed: u64) -> String {
    let Err(failure) = run(seed, true) else {
        return format!("seed {seed} does not fail again: the run is not deterministic");
    };
    let first = failure.trace.len().saturating_sub(SHOWN);
    failure.trace[first..].join("\n")
}

/// Runs these seeds. Where any fail, panics with the story of the first and one line for each: the seed,
/// what it showed, and what the run was.
fn run_all(seeds: Range<u64>) -> Vec<Outcome> {
    quiet();
    let mut outcomes = Vec::new();
    let mut failures = Vec::new();
    for seed in asked().map_or(seeds, |seed| seed..seed + 1) {
        match run(seed, false) {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) => failures.push((seed, failure)),
        }
    }
    if let Some((first, _)) = failures.first() {
        let lines = failures.iter().map(|(seed, failure)| {
            format!("seed {seed}: {} [{}]", failure.violation, failure.scenario)
        });
        let lines: Vec<_> = lines.collect();
        let alone = format!("SEED={first} cargo test --lib simulation::tests::runs::nothing");
        panic!(
            "{}\n\n{} seeds failed; the first alone: {alone}\n{}",
            story(*first),
            lines.len(),
            lines.join("\n")
        );
    }
    outcomes
}

/// What all these runs have seen, by name.
fn total(outcomes: &[Outcome], of: impl Fn(&Seen) -> u64) -> u64 {
    outcomes.iter().map(|outcome| of(&outcome.seen)).sum()
}

/// A simulator in which nothing goes wrong shows nothing.
fn must_have_seen_everything(outcomes: &[Outcome]) {
    let seen = [
        ("workers that were killed", total(outcomes, |seen| seen.kills)),
        (
            "workers that were killed while something was on its way",
            total(outcomes, |seen| seen.ambushes),
        ),
        ("connections that were cut", total(outcomes, |seen| seen.cuts)),
        ("frames that vanished", total(outcomes, |seen| seen.lost)),
        ("children that died", total(outcomes, |seen| seen.child_deaths)),
        ("components that were started again", total(outcomes, |seen| seen.restarts)),
        ("tuples of several trees", total(outcomes, |seen| seen.joins)),
        ("tuples that failed", total(outcomes, |seen| seen.fails)),
        ("tuples that were forgotten", total(outcomes, |seen| seen.forgotten)),
        ("time-outs", total(outcomes, |seen| seen.timeouts)),
        ("tuples that kill", total(outcomes, |seen| seen.poisoned)),
        ("dead letters", total(outcomes, |seen| seen.letters)),
        ("pauses", total(outcomes, |seen| seen.pauses)),
        ("final results", total(outcomes, |seen| seen.finals)),
        ("runs that were started again", total(outcomes, |seen| seen.started_again)),
    ];
    let never: Vec<_> = seen.iter().filter(|(_, count)| *count == 0).collect();
    assert!(never.is_empty(), "these never happened: {never:?}");
}

#[test]
fn nothing_is_acked_early_or_forgotten_whatever_goes_wrong() {
    let outcomes = run_all(FEW);
    if asked().is_none() {
        must_have_seen_everything(&outcomes);
    }
}

#[test]
#[ignore = "takes minutes"]
fn nothing_is_acked_early_or_forgotten_in_thousands_of_runs() {
    must_have_seen_everything(&run_all(MANY));
}

fn traced(seed: u64) -> (u64, usize) {
    let trace = match run(seed, true) {
        Ok(outcome) => outcome.trace,
        Err(failure) => failure.trace,
    };
    let mut hasher = DefaultHasher::new();
    trace.hash(&mut hasher);
    (hasher.finish(), trace.len())
}

#[test]
fn one_seed_gives_one_run() {
    quiet();
    let mut hashes = BTreeSet::new();
    for seed in 0..25 {
        let (hash, length) = traced(seed);
        assert!(length > 10, "seed {seed}: a run leaves a trace");
        assert_eq!((hash, length), traced(seed), "seed {seed}");
        hashes.insert(hash);
    }
    assert_eq!(hashes.len(), 25, "other seeds give other runs");
}
