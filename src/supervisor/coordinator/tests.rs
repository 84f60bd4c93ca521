//! The coordinator's decisions, by tables of events.

use std::path::PathBuf;

use crate::base::{BootId, ByteSize, ComponentIdx, StreamIdx};
use crate::component::StreamDecl;
use crate::grouping::{Grouping, GroupingName};
use crate::metrics::TaskSnapshot;
use crate::topology::{
    Guarantee, LinkKind, OnStall, PlannedComponent, PlannedInput, PlannedTask, RestartPolicy,
    RetryPolicy, Settings, StallPolicy, Then,
};

use super::super::event::Finish;
use super::*;
use crate::control::TaskReport;

fn restart_policy() -> RestartPolicy {
    let second = Duration::from_secs(1);
    RestartPolicy {
        max: 3,
        within: Duration::from_secs(60),
        backoff_least: second,
        backoff_greatest: second,
        then: Then::Stop,
    }
}

fn component(name: &str, role: Role, keeps_memory: bool) -> PlannedComponent {
    let second = Duration::from_secs(1);
    PlannedComponent {
        name: name.to_owned(),
        role,
        kind: name.to_owned(),
        options: serde_json::Value::Null,
        program: None,
        chosen: Vec::new(),
        outputs: vec![StreamDecl::default_stream(["x"])],
        inputs: Vec::new(),
        tick: None,
        restart: restart_policy(),
        stall: StallPolicy::default(),
        retry: RetryPolicy {
            max: None,
            backoff_least: second,
            backoff_greatest: second,
            dead_letter: None,
        },
        keeps_memory,
    }
}

/// A spout (task 1) on worker 0 and a counting bolt (task 2) on worker 1.
fn plan() -> Plan {
    let task = |id, component, worker| PlannedTask {
        id: TaskId(id),
        component: ComponentIdx(component),
        index: 0,
        worker: WorkerSlot(worker),
    };
    Plan {
        version: 1,
        name: "test".to_owned(),
        dir: PathBuf::from("/"),
        settings: Settings {
            workers: 2,
            guarantee: Guarantee::AtLeastOnce,
            message_timeout: Duration::from_secs(30),
            max_spout_pending: 10,
            mailbox: ByteSize(1),
            link_window: ByteSize(1),
            link: LinkKind::Ipc,
            executor_threads: 1,
            drain_timeout: Duration::from_secs(60),
            state_dir: PathBuf::from("/"),
            worker_restart: restart_policy(),
            debug: false,
        },
        components: vec![
            component("lines", Role::Spout, false),
            component("count", Role::Bolt, true),
        ],
        tasks: vec![task(1, 0, 0), task(2, 1, 1)],
    }
}

/// lines -> split -> count on one worker, where bolts stall after this long.
pub(in crate::supervisor) fn chain(after: Duration) -> Plan {
    let mut plan = plan();
    plan.components.insert(1, component("split", Role::Bolt, false));
    for (number, part) in plan.components.iter_mut().enumerate().skip(1) {
        part.stall.after = after;
        part.inputs.push(PlannedInput {
            from: ComponentIdx(number as u16 - 1),
            stream: StreamIdx(0),
            grouping: Grouping::plain(GroupingName::Shuffle),
        });
    }
    plan.tasks = (0..3)
        .map(|number| PlannedTask {
            id: TaskId(number + 1),
            component: ComponentIdx(number as u16),
            index: 0,
            worker: WorkerSlot(0),
        })
        .collect();
    plan
}

pub(in crate::supervisor) fn millis(n: u64) -> Timestamp {
    Timestamp(n * 1_000_000)
}

fn seconds(n: u64) -> Timestamp {
    Timestamp(n * 1_000_000_000)
}

struct Harness {
    run: Coordinator,
    now: Timestamp,
    effects: Vec<Effect>,
}

impl Harness {
    fn started() -> Self {
        let (run, effects) = Coordinator::new(plan(), seconds(0));
        assert_eq!(effects.len(), 2);
        let mut harness = Self { run, now: seconds(0), effects };
        harness.hello(0, 0);
        assert!(!harness.sent(0, |message| matches!(message, ToWorker::Begin { .. })));
        harness.hello(1, 0);
        assert!(harness.sent(0, |message| matches!(message, ToWorker::Begin { .. })));
        harness.state(1, RunState::Running);
        harness.state(2, RunState::Running);
        harness
    }

    fn event(&mut self, event: Event) {
        self.effects = self.run.handle(event, self.now, 0.0);
    }

    fn message(&mut self, slot: u16, incarnation: u32, message: FromWorker) {
        self.event(Event::Message(WorkerSlot(slot), Incarnation(incarnation), message));
    }

    fn hello(&mut self, slot: u16, incarnation: u32) {
        let address = WorkerAddress {
            slot: WorkerSlot(slot),
            incarnation: Incarnation(incarnation),
            boot: BootId::random(),
            endpoint: format!("ipc://{slot}"),
        };
        self.message(slot, incarnation, FromWorker::Hello { version: CONTROL_VERSION, address });
    }

    fn state(&mut self, task: u32, state: RunState) {
        let slot = task as u16 - 1;
        let incarnation = self.run.slots[usize::from(slot)].incarnation.0;
        self.message(slot, incarnation, FromWorker::State { task: TaskId(task), state });
    }

    fn exited(&mut self, slot: u16, incarnation: u32) {
        let how = "killed by SIGKILL".to_owned();
        self.event(Event::Exited(WorkerSlot(slot), Incarnation(incarnation), how));
    }

    fn sent(&self, slot: u16, wanted: impl Fn(&ToWorker) -> bool) -> bool {
        self.effects.iter().any(
            |effect| matches!(effect, Effect::Send(to, message) if to.0 == slot && wanted(message)),
        )
    }

    fn finish(&self) -> Option<&Finish> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Finish(finish) => Some(finish),
            _ => None,
        })
    }

    fn end_tasks(&mut self) {
        self.state(1, RunState::Drained);
        assert!(self.sent(1, |message| *message == ToWorker::End));
        self.state(1, RunState::Ended);
        self.state(2, RunState::Ended);
        assert!(self.sent(0, |message| *message == ToWorker::Exit));
        let incarnations: Vec<_> = self.run.slots.iter().map(|slot| slot.incarnation.0).collect();
        self.exited(0, incarnations[0]);
        self.exited(1, incarnations[1]);
    }
}

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
fn a_worker_lost_after_the_end_mark_fails_the_run() {
    let mut harness = Harness::started();
    harness.state(1, RunState::Drained);
    harness.exited(1, 0);
    let Some(Finish::Failed { reason, .. }) = harness.finish() else { panic!("no failure") };
    assert!(reason.contains("final results"), "{reason}");
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
