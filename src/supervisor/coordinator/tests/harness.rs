//! A coordinator that is fed with events, and the plans that it runs.

use std::path::PathBuf;

use crate::base::{BootId, ByteSize, ComponentIdx};
use crate::component::StreamDecl;
use crate::topology::{
    Guarantee, LinkKind, PlannedComponent, PlannedTask, RestartPolicy, RetryPolicy, Settings,
    StallPolicy, Then,
};

use super::super::super::event::Finish;
pub(super) use super::super::*;

pub(super) fn restart_policy() -> RestartPolicy {
    let second = Duration::from_secs(1);
    RestartPolicy {
        max: 3,
        within: Duration::from_secs(60),
        backoff_least: second,
        backoff_greatest: second,
        then: Then::Stop,
    }
}

pub(super) fn component(name: &str, role: Role, keeps_memory: bool) -> PlannedComponent {
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
pub(super) fn plan() -> Plan {
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
            link_relay: None,
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
pub(crate) fn chain(after: Duration) -> Plan {
    let mut plan = plan();
    plan.components.insert(1, component("split", Role::Bolt, false));
    for (number, part) in plan.components.iter_mut().enumerate().skip(1) {
        part.stall.after = after;
        // Made by its text: groupings are of a layer that this one knows nothing of.
        let grouping = serde_json::json!({"name": "shuffle"});
        let input = serde_json::json!({"from": number - 1, "stream": 0, "grouping": grouping});
        part.inputs.push(serde_json::from_value(input).unwrap());
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

pub(crate) fn millis(n: u64) -> Timestamp {
    Timestamp(n * 1_000_000)
}

pub(super) fn seconds(n: u64) -> Timestamp {
    Timestamp(n * 1_000_000_000)
}

pub(super) struct Harness {
    pub(super) run: Coordinator,
    pub(super) now: Timestamp,
    pub(super) effects: Vec<Effect>,
}

impl Harness {
    pub(super) fn started() -> Self {
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

    pub(super) fn event(&mut self, event: Event) {
        self.effects = self.run.handle(event, self.now, 0.0);
    }

    pub(super) fn message(&mut self, slot: u16, incarnation: u32, message: FromWorker) {
        self.event(Event::Message(WorkerSlot(slot), Incarnation(incarnation), message));
    }

    pub(super) fn hello(&mut self, slot: u16, incarnation: u32) {
        let address = WorkerAddress {
            slot: WorkerSlot(slot),
            incarnation: Incarnation(incarnation),
            boot: BootId::random(),
            endpoint: format!("ipc://{slot}"),
        };
        self.message(slot, incarnation, FromWorker::Hello { version: CONTROL_VERSION, address });
    }

    pub(super) fn state(&mut self, task: u32, state: RunState) {
        let slot = task as u16 - 1;
        let incarnation = self.run.slots[usize::from(slot)].incarnation.0;
        self.message(slot, incarnation, FromWorker::State { task: TaskId(task), state });
    }

    pub(super) fn exited(&mut self, slot: u16, incarnation: u32) {
        let how = "killed by SIGKILL".to_owned();
        self.event(Event::Exited(WorkerSlot(slot), Incarnation(incarnation), how));
    }

    pub(super) fn sent(&self, slot: u16, wanted: impl Fn(&ToWorker) -> bool) -> bool {
        self.effects.iter().any(
            |effect| matches!(effect, Effect::Send(to, message) if to.0 == slot && wanted(message)),
        )
    }

    pub(super) fn finish(&self) -> Option<&Finish> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Finish(finish) => Some(finish),
            _ => None,
        })
    }

    pub(super) fn end_tasks(&mut self) {
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
