//! The restart policy of one component under random deaths, held against a count of its own.

use std::time::Duration;

use crate::base::Timestamp;
use crate::component::ComponentError;
use crate::executor::simulated::{Blame, Death, Restarts, Verdict};
use crate::topology::{RestartPolicy, Then};

/// One component's lives under one seed, as long as it is started again.
fn live(seed: u64) -> Result<(), String> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let policy = RestartPolicy {
        max: dice.u32(..6),
        within: Duration::from_millis(dice.u64(100..5_000)),
        backoff_least: Duration::from_millis(dice.u64(1..50)),
        backoff_greatest: Duration::from_millis(dice.u64(50..500)),
        then: Then::default(),
    };
    let mut restarts = Restarts::new(policy.clone());
    let mut now = Timestamp(1);
    let mut granted: Vec<Timestamp> = Vec::new();
    let error = ComponentError::restart("died");
    for _ in 0..200 {
        restarts.started(now);
        now = now + Duration::from_millis(dice.u64(..2_000));
        let death = Death { blame: Blame::Unknown, progress: dice.bool() };
        let recent = granted.iter().filter(|at| now.since(**at) <= policy.within).count();
        match restarts.after(&error, death, now, dice.f64()) {
            Verdict::Restart(_) if recent >= policy.max as usize => {
                return Err(format!("seed {seed}: restarted with {recent} restarts behind it"));
            }
            Verdict::Restart(at) if at.since(now) > policy.backoff_greatest => {
                return Err(format!("seed {seed}: it waits for {:?}", at.since(now)));
            }
            Verdict::Restart(at) if at.since(now) < policy.backoff_least / 2 => {
                return Err(format!("seed {seed}: it waits for {:?} only", at.since(now)));
            }
            Verdict::Restart(at) => {
                granted.push(now);
                now = at;
            }
            Verdict::GiveUp(_) if recent >= policy.max as usize => return Ok(()),
            other => return Err(format!("seed {seed}: {other:?} after {recent} restarts")),
        }
    }
    Ok(())
}

#[test]
fn a_component_is_restarted_exactly_as_often_as_its_policy_says() {
    for seed in 0..2_000 {
        live(seed).unwrap();
    }
}
