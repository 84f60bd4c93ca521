//! Runs that pause, and tasks that stand still.

use crate::base::BootId;
use crate::control::TaskReport;
use crate::metrics::TaskSnapshot;
use crate::topology::{OnStall, RestartPolicy, StallPolicy, Then};

use super::super::super::event::Finish;
use super::harness::*;

/// A run whose components and workers pause it when their restarts are used up.
fn that_pauses() -> Harness {
    let mut harness = Harness::started();
    harness.run.plan.components.iter_mut().for_each(|part| part.restart.then = Then::Pause);
    harness.run.plan.settings.worker_restart.then = Then::Pause;
    harness
}

fn count_fails(harness: &mut Harness) {
    let (reason, detail) = ("exited with status 1".to_owned(), None);
    let failed = FromWorker::Failed { task: TaskId(2), reason, detail, lost_memory: false };
    harness.message(1, 0, failed);
    let state = FromWorker::State { task: TaskId(2), state: RunState::Failed };
    let mut effects = std::mem::take(&mut harness.effects);
    harness.message(1, 0, state);
    effects.append(&mut harness.effects);
    harness.effects = effects;
}

#[test]
fn a_failed_component_pauses_the_run_until_somebody_lets_it_go_on() {
    let mut harness = that_pauses();
    count_fails(&mut harness);
    assert!(harness.sent(0, |message| *message == ToWorker::Pause));
    let told = |effect: &Effect| matches!(effect, Effect::Notify(RunEvent::Paused { .. }));
    assert!(harness.effects.iter().any(told));
    harness.event(Event::Resume);
    assert!(harness.sent(0, |message| *message == ToWorker::Resume));
    assert!(harness.sent(1, |message| *message == ToWorker::Resume));
    harness.event(Event::Resume);
    assert_eq!(harness.effects, [], "there is nothing to go on with");
    harness.state(2, RunState::Running);
    harness.end_tasks();
    assert_eq!(harness.finish(), Some(&Finish::Complete));
}

#[test]
fn an_interrupt_ends_a_paused_run_with_the_reason() {
    let mut harness = that_pauses();
    count_fails(&mut harness);
    harness.event(Event::Interrupt);
    let Some(Finish::Failed { reason, .. }) = harness.finish() else { panic!("no failure") };
    assert!(reason.contains("count (task 2) failed: exited with status 1"), "{reason}");
    assert!(reason.contains("paused"), "{reason}");
}

#[test]
fn a_pause_takes_no_time_from_the_drain() {
    let mut harness = that_pauses();
    harness.event(Event::TimeIsUp);
    count_fails(&mut harness);
    harness.now = seconds(1000);
    harness.event(Event::Tick);
    assert_eq!(harness.finish(), None);
    harness.event(Event::Resume);
    harness.now = seconds(1059);
    harness.event(Event::Tick);
    assert_eq!(harness.finish(), None);
    harness.now = seconds(1060);
    harness.event(Event::Tick);
    assert!(matches!(harness.finish(), Some(Finish::Failed { .. })));
}

#[test]
fn a_worker_that_is_replaced_during_a_pause_is_told_of_it_and_ends_it() {
    let mut harness = that_pauses();
    count_fails(&mut harness);
    harness.exited(1, 0);
    harness.hello(1, 1);
    assert!(harness.sent(1, |message| matches!(message, ToWorker::Begin { paused: true, .. })));
    // All that had failed has started again with its worker.
    harness.state(2, RunState::Running);
    assert!(harness.sent(0, |message| *message == ToWorker::Resume));
}

#[test]
fn a_worker_that_is_lost_too_often_pauses_the_run_and_starts_when_it_goes_on() {
    let mut harness = that_pauses();
    let policy = RestartPolicy { max: 1, then: Then::Pause, ..restart_policy() };
    harness.run.slots[1] = Slot::new(policy, seconds(0));
    harness.exited(1, 0);
    harness.hello(1, 1);
    harness.exited(1, 1);
    let spawns = |effect: &Effect| matches!(effect, Effect::Spawn(..));
    assert!(!harness.effects.iter().any(spawns) && harness.finish().is_none());
    assert!(harness.sent(0, |message| matches!(
        message,
        ToWorker::PeerLost { successor: Incarnation(2), .. }
    )));
    assert!(harness.sent(0, |message| *message == ToWorker::Pause));
    harness.now = seconds(500);
    harness.event(Event::Tick);
    assert_eq!(harness.effects, [], "nobody waits for a hello of it");
    harness.event(Event::Resume);
    let spawn = Effect::Spawn(WorkerSlot(1), Incarnation(2), Duration::ZERO);
    assert!(harness.effects.contains(&spawn));
    harness.hello(1, 2);
    assert!(harness.sent(1, |message| matches!(message, ToWorker::Begin { paused: false, .. })));
}

#[test]
fn a_long_life_of_a_worker_starts_its_back_off_anew() {
    let policy = RestartPolicy { max: 100, ..restart_policy() };
    let mut slot =
        Slot::new(RestartPolicy { backoff_least: Duration::from_millis(20), ..policy }, seconds(0));
    let address = || WorkerAddress {
        slot: WorkerSlot(0),
        incarnation: Incarnation(0),
        boot: BootId::random(),
        endpoint: String::new(),
    };
    let mut delays = Vec::new();
    for at in [0, 0, 0, 1000] {
        slot.begin(address(), seconds(at));
        delays.extend(slot.replace(seconds(at + at / 10), 1.0));
    }
    assert_eq!(delays.iter().map(Duration::as_millis).collect::<Vec<_>>(), [20, 40, 80, 20]);
}

/// Until the counting bolt, which has input, has stood still for so long.
fn stand_still(harness: &mut Harness, from: u64, until: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    for at in (from * 5)..=(until * 5) {
        harness.now = millis(at * 200);
        let user = std::collections::BTreeMap::new();
        let (counters, blocked_on) = (TaskSnapshot::default(), None);
        let report = TaskReport {
            task: TaskId(2),
            counters,
            congested: false,
            wanted: true,
            blocked_on,
            user,
        };
        harness.message(0, 0, FromWorker::Report { tasks: Vec::new(), rss: 1 });
        harness.message(1, 0, FromWorker::Report { tasks: vec![report], rss: 1 });
        harness.event(Event::Tick);
        effects.append(&mut harness.effects);
    }
    effects
}

fn that_watches_stalls(then: OnStall) -> Harness {
    let mut harness = Harness::started();
    harness.run.plan.components[1].stall = StallPolicy { after: Duration::from_secs(3), then };
    harness
}

#[test]
fn a_stalled_component_is_asked_for_its_stacks_told_of_and_started_again() {
    let mut harness = that_watches_stalls(OnStall::Restart);
    let asked = Effect::Send(WorkerSlot(1), ToWorker::ShowStacks { task: TaskId(2) });
    let effects = stand_still(&mut harness, 0, 4);
    assert_eq!(effects.iter().filter(|effect| **effect == asked).count(), 1, "{effects:?}");
    let text = "File \"split.py\", line 3".to_owned();
    harness.message(1, 0, FromWorker::Stacks { task: TaskId(2), text: text.clone() });
    let told = |effect: &Effect| match effect {
        Effect::Notify(RunEvent::Stalled { stack, .. }) => stack.as_ref() == Some(&text),
        _ => false,
    };
    assert!(harness.effects.iter().any(told), "{:?}", harness.effects);
    assert!(
        harness.sent(1, |message| matches!(message, ToWorker::Restart { task: TaskId(2), .. }))
    );
    // Where that has no effect, the task's own loop hangs.
    let effects = stand_still(&mut harness, 4, 9);
    assert!(effects.contains(&Effect::Kill(WorkerSlot(1))), "{effects:?}");
}

#[test]
fn a_stalled_component_that_shows_nothing_is_told_of_all_the_same() {
    for (then, fails) in [(OnStall::Report, false), (OnStall::Stop, true)] {
        let mut harness = that_watches_stalls(then);
        let effects = stand_still(&mut harness, 0, 8);
        let told = |effect: &&Effect| {
            matches!(effect, Effect::Notify(RunEvent::Stalled { stack: None, .. }))
        };
        assert_eq!(effects.iter().filter(told).count(), 1);
        let failed = |effect: &Effect| match effect {
            Effect::Finish(Finish::Failed { reason, .. }) => reason.contains("no progress for 3s"),
            _ => false,
        };
        assert_eq!(effects.iter().any(failed), fails, "{effects:?}");
    }
}

#[test]
fn nothing_stalls_in_a_paused_run() {
    let mut harness = that_watches_stalls(OnStall::Stop);
    harness.run.plan.components[0].restart.then = Then::Pause;
    let (reason, detail) = ("gone".to_owned(), None);
    let failed = FromWorker::Failed { task: TaskId(1), reason, detail, lost_memory: false };
    harness.message(0, 0, failed);
    let effects = stand_still(&mut harness, 0, 20);
    assert_eq!(effects, []);
}
