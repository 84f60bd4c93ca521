//! Runs that start, lose workers, stop and end.

use crate::control::TaskReport;
use crate::metrics::TaskSnapshot;

use super::super::super::event::Finish;
use super::harness::*;

#[test]
fn a_bounded_run_ends_by_itself() {
    let mut harness = Harness::started();
    harness.end_tasks();
    assert_eq!(harness.finish(), Some(&Finish::Complete));
}

#[test]
fn a_lost_worker_is_replaced_and_its_memory_is_missed() {
    let mut harness = Harness::started();
    harness.exited(1, 0);
    assert!(harness.sent(0, |message| {
        matches!(message, ToWorker::PeerLost { slot: WorkerSlot(1), successor: Incarnation(1) })
    }));
    let spawn = |effect: &Effect| matches!(effect, Effect::Spawn(WorkerSlot(1), Incarnation(1), _));
    assert!(harness.effects.iter().any(spawn));
    // The dead life is not heard any more.
    harness.exited(1, 0);
    assert!(harness.effects.is_empty());
    harness.hello(1, 1);
    assert!(harness.sent(0, |message| matches!(message, ToWorker::PeerReplaced { .. })));
    assert!(harness.sent(1, |message| matches!(
        message,
        ToWorker::Begin { incarnations, .. } if incarnations[1] == Incarnation(1)
    )));
    harness.state(2, RunState::Running);
    harness.end_tasks();
    assert_eq!(harness.finish(), Some(&Finish::MemoryLost(vec!["count".to_owned()])));
}

#[test]
fn a_worker_lost_after_the_end_mark_is_replaced_too() {
    let mut harness = Harness::started();
    harness.state(1, RunState::Drained);
    harness.exited(1, 0);
    let spawn = |effect: &Effect| matches!(effect, Effect::Spawn(WorkerSlot(1), Incarnation(1), _));
    assert!(harness.effects.iter().any(spawn));
    harness.hello(1, 1);
    assert!(harness.sent(1, |message| matches!(
        message,
        ToWorker::Begin { producing: false, ended, .. } if ended.is_empty()
    )));
    assert!(harness.sent(1, |message| *message == ToWorker::End));
    harness.state(1, RunState::Ended);
    harness.state(2, RunState::Ended);
    assert!(harness.sent(0, |message| *message == ToWorker::Exit));
    harness.exited(0, 0);
    harness.exited(1, 1);
    assert_eq!(harness.finish(), Some(&Finish::MemoryLost(vec!["count".to_owned()])));
}

#[test]
fn what_had_ended_is_not_done_again_and_no_memory_is_missed() {
    let mut harness = Harness::started();
    harness.state(1, RunState::Drained);
    harness.state(2, RunState::Ended);
    harness.exited(1, 0);
    harness.hello(1, 1);
    let told = |message: &ToWorker| matches!(message, ToWorker::Begin { ended, .. } if *ended == [TaskId(2)]);
    assert!(harness.sent(1, told));
    harness.state(1, RunState::Ended);
    assert!(!harness.sent(0, |message| *message == ToWorker::Exit));
    // It is lost once more, before it has said that it has ended again.
    harness.exited(1, 1);
    harness.hello(1, 2);
    assert!(harness.sent(1, told));
    harness.state(2, RunState::Ended);
    assert!(harness.sent(0, |message| *message == ToWorker::Exit));
    harness.exited(0, 0);
    harness.exited(1, 2);
    assert_eq!(harness.finish(), Some(&Finish::Complete));
}

#[test]
fn the_run_does_not_end_while_a_worker_is_missing() {
    let mut harness = Harness::started();
    harness.exited(1, 0);
    harness.state(1, RunState::Drained);
    assert!(!harness.sent(0, |message| *message == ToWorker::End));
    harness.hello(1, 1);
    assert!(harness.sent(0, |message| *message == ToWorker::End));
}

#[test]
fn the_first_interrupt_drains_and_the_second_kills() {
    let mut harness = Harness::started();
    harness.event(Event::Interrupt);
    assert!(harness.sent(0, |message| *message == ToWorker::StopInput));
    assert_eq!(harness.finish(), None);
    harness.now = Timestamp(200_000_000);
    harness.event(Event::Interrupt);
    assert_eq!(harness.finish(), None, "one Ctrl-C that came twice");
    harness.now = seconds(1);
    harness.event(Event::Interrupt);
    assert_eq!(harness.finish(), Some(&Finish::Killed));
}

#[test]
fn a_silent_worker_is_killed_but_not_after_the_supervisor_itself_stood_still() {
    let mut harness = Harness::started();
    for second in 1..5 {
        harness.now = seconds(second);
        harness.event(Event::Tick);
        let report = FromWorker::Report { tasks: Vec::new(), rss: 1 };
        harness.message(0, 0, report);
    }
    harness.now = seconds(5);
    harness.event(Event::Tick);
    assert!(harness.effects.contains(&Effect::Kill(WorkerSlot(1))));
    assert!(!harness.effects.contains(&Effect::Kill(WorkerSlot(0))));
    harness.now = seconds(60);
    harness.event(Event::Tick);
    assert!(!harness.effects.iter().any(|effect| matches!(effect, Effect::Kill(_))));
}

#[test]
fn congestion_is_shared_once_per_change_and_counters_survive_a_worker() {
    let mut harness = Harness::started();
    let counters = TaskSnapshot { executed: 7, pending: 3, ..TaskSnapshot::default() };
    let report = |congested| FromWorker::Report {
        tasks: vec![TaskReport {
            task: TaskId(2),
            counters: counters.clone(),
            congested,
            wanted: false,
            blocked_on: None,
            user: std::collections::BTreeMap::new(),
        }],
        rss: 10,
    };
    harness.message(1, 0, report(true));
    let tasks = vec![TaskId(2)];
    assert!(harness.sent(0, |message| *message == ToWorker::Congested { tasks: tasks.clone() }));
    harness.message(1, 0, report(true));
    assert!(harness.effects.is_empty());
    harness.exited(1, 0);
    harness.hello(1, 1);
    harness.message(1, 1, report(false));
    let totals = harness.run.totals();
    assert_eq!(totals.components[1].counters.executed, 14);
    assert_eq!(totals.components[1].counters.pending, 3);
}

#[test]
fn all_tasks_of_a_worker_that_stands_still_are_congested_until_they_have_caught_up() {
    let mut harness = Harness::started();
    let told = |harness: &mut Harness, millis: u64| {
        harness.now = Timestamp(millis * 1_000_000);
        harness.event(Event::Tick);
        let mut effects = std::mem::take(&mut harness.effects);
        harness.message(0, 0, FromWorker::Report { tasks: Vec::new(), rss: 1 });
        effects.append(&mut harness.effects);
        effects.iter().find_map(|effect| match effect {
            Effect::Send(WorkerSlot(0), ToWorker::Congested { tasks }) => Some(tasks.clone()),
            _ => None,
        })
    };
    let tasks: Vec<_> = plan().tasks_on(WorkerSlot(1)).map(|task| task.id).collect();
    assert!(!tasks.is_empty());
    assert_eq!(told(&mut harness, 400), None);
    assert_eq!(told(&mut harness, 800), Some(tasks));
    assert_eq!(told(&mut harness, 1200), None, "it has been said");
    harness.message(1, 0, FromWorker::Report { tasks: Vec::new(), rss: 1 });
    assert_eq!(told(&mut harness, 1600), None, "what waited is not looked at yet");
    for millis in (1800..31_200).step_by(200) {
        harness.message(1, 0, FromWorker::Report { tasks: Vec::new(), rss: 1 });
        assert_eq!(told(&mut harness, millis), None);
    }
    harness.message(1, 0, FromWorker::Report { tasks: Vec::new(), rss: 1 });
    assert_eq!(told(&mut harness, 31_300), Some(Vec::new()));
}

#[test]
fn a_failed_component_fails_the_run_with_its_name_and_reason() {
    let mut harness = Harness::started();
    let reason = "exited with status 1".to_owned();
    harness.message(
        1,
        0,
        FromWorker::Failed { task: TaskId(2), reason, detail: None, lost_memory: false },
    );
    let Some(Finish::Failed { reason, .. }) = harness.finish() else { panic!("no failure") };
    assert_eq!(reason, "count (task 2) failed: exited with status 1");
}

#[test]
fn a_worker_that_waited_for_the_others_is_not_taken_for_silent() {
    let (run, effects) = Coordinator::new(plan(), seconds(0));
    let mut harness = Harness { run, now: seconds(0), effects };
    harness.hello(0, 0);
    for second in 1..20 {
        harness.now = seconds(second);
        harness.event(Event::Tick);
    }
    harness.hello(1, 0);
    harness.event(Event::Tick);
    assert_eq!(harness.effects, []);
}

#[test]
fn a_worker_that_never_says_hello_is_killed() {
    let (run, effects) = Coordinator::new(plan(), seconds(0));
    let mut harness = Harness { run, now: seconds(0), effects };
    harness.hello(0, 0);
    let mut killed = Vec::new();
    for second in 1..40 {
        harness.now = seconds(second);
        harness.event(Event::Tick);
        killed.append(&mut harness.effects);
    }
    assert_eq!(killed.first(), Some(&Effect::Kill(WorkerSlot(1))));
}

#[test]
fn a_replaced_worker_is_told_who_is_congested() {
    let mut harness = Harness::started();
    let counters = TaskSnapshot::default();
    let user = std::collections::BTreeMap::new();
    let (wanted, blocked_on) = (false, None);
    let report =
        TaskReport { task: TaskId(2), counters, congested: true, wanted, blocked_on, user };
    harness.message(1, 0, FromWorker::Report { tasks: vec![report], rss: 1 });
    harness.exited(0, 0);
    harness.hello(0, 1);
    let tasks = vec![TaskId(2)];
    assert!(harness.sent(0, |message| *message == ToWorker::Congested { tasks: tasks.clone() }));
}

#[test]
fn what_stops_the_input_before_the_start_makes_a_run_without_input() {
    for event in [Event::TimeIsUp, Event::Interrupt] {
        let (run, effects) = Coordinator::new(plan(), seconds(0));
        let mut harness = Harness { run, now: seconds(0), effects };
        harness.hello(0, 0);
        harness.event(event);
        assert_eq!(harness.finish(), None);
        harness.hello(1, 0);
        let idle = |message: &ToWorker| matches!(message, ToWorker::Begin { producing: false, .. });
        assert!(harness.sent(0, idle) && harness.sent(1, idle));
        harness.end_tasks();
        assert_eq!(harness.finish(), Some(&Finish::Complete));
    }
}

#[test]
fn a_second_interrupt_kills_before_the_start_too() {
    let (run, effects) = Coordinator::new(plan(), seconds(0));
    let mut harness = Harness { run, now: seconds(0), effects };
    harness.event(Event::Interrupt);
    harness.now = seconds(1);
    harness.event(Event::Interrupt);
    assert_eq!(harness.finish(), Some(&Finish::Killed));
}

#[test]
fn a_suspicion_from_before_the_supervisor_stood_still_kills_nobody() {
    let mut harness = Harness::started();
    let boot = harness.run.slots[1].address().unwrap().boot;
    harness.now = seconds(60);
    harness.message(0, 0, FromWorker::PeerUnresponsive { slot: WorkerSlot(1), boot });
    assert_eq!(harness.effects, []);
}

#[test]
fn a_worker_that_does_not_leave_is_killed_and_the_run_is_complete() {
    let mut harness = Harness::started();
    harness.state(1, RunState::Drained);
    harness.state(1, RunState::Ended);
    harness.state(2, RunState::Ended);
    harness.exited(0, 0);
    let mut killed = Vec::new();
    for second in 1..30 {
        harness.now = seconds(second);
        harness.event(Event::Tick);
        killed.append(&mut harness.effects);
    }
    assert_eq!(killed.first(), Some(&Effect::Kill(WorkerSlot(1))));
    harness.exited(1, 0);
    assert_eq!(harness.finish(), Some(&Finish::Complete));
}
