//! The scripts of children: bolts and spouts that speak Storm's protocol over simulated pipes, and now
//! and then answer late, twice, or not at all.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::base::TaskId;
use crate::multilang::simulated::ChildPipes;

use super::stage::{Deed, Given, Shared, lock};

const END: &[u8] = b"\nend\n";

/// One life of one child.
pub(super) struct Script {
    stage: Shared,
    component: String,
    pipes: ChildPipes,
    /// What it has read and not taken up.
    input: Vec<u8>,
    input_ended: bool,
    part: Part,
    pub(super) over: bool,
    /// It is to look at its input then; a later order replaces an earlier one.
    pub(super) ticket: u64,
    /// It is to look at once.
    pub(super) is_called: bool,
}

enum Part {
    /// A bolt, with the tuples that it holds.
    Bolt(Vec<usize>),
    /// A spout, with what it has given out.
    Spout { given_out: BTreeSet<u64>, again: Vec<u64> },
}

/// What a child has written, and how its turn ended.
#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    dies: bool,
}

impl Written {
    fn say(&mut self, message: &Value) {
        self.bytes.extend_from_slice(message.to_string().as_bytes());
        self.bytes.extend_from_slice(END);
    }
}

impl Script {
    pub(super) fn new(stage: Shared, component: String, pipes: ChildPipes, spout: bool) -> Self {
        let part = if spout {
            Part::Spout { given_out: BTreeSet::new(), again: Vec::new() }
        } else {
            Part::Bolt(Vec::new())
        };
        if spout {
            let mut stage = lock(&stage);
            let messages = stage.messages_of(pipes.task);
            stage.oracle.reborn(&messages);
            stage.opened(pipes.task);
        }
        let (input, input_ended, over, ticket, is_called) = (Vec::new(), false, false, 0, false);
        Self { stage, component, pipes, input, input_ended, part, over, ticket, is_called }
    }

    pub(super) fn task(&self) -> TaskId {
        self.pipes.task
    }

    /// Reads what waits; whether there is anything to do.
    pub(super) fn listen(&mut self) -> bool {
        if self.over {
            return false;
        }
        if self.pipes.is_killed() {
            self.end(9);
            return false;
        }
        while !self.input_ended {
            match self.pipes.read() {
                Some(bytes) if bytes.is_empty() => break,
                Some(bytes) => self.input.extend_from_slice(&bytes),
                None => self.input_ended = true,
            }
        }
        self.input_ended || self.next_end().is_some()
    }

    /// Whether it holds tuples that it should look at again.
    pub(super) fn is_holding(&self) -> bool {
        matches!(&self.part, Part::Bolt(held) if !held.is_empty()) && !self.over
    }

    pub(super) fn pulse(&self) {
        self.pipes.pulse();
    }

    /// It ends, with this wait status.
    pub(super) fn end(&mut self, status: i32) {
        if !std::mem::replace(&mut self.over, true) {
            self.pipes.end(status);
            let task = self.task();
            let mut stage = lock(&self.stage);
            stage.seen.child_deaths += 1;
            stage.say(|| format!("the child of task {task} ends with {status}"));
            if matches!(self.part, Part::Spout { .. }) {
                // From now on it hears nothing of what it has given out.
                let messages = stage.messages_of(task);
                stage.oracle.reborn(&messages);
            }
        }
    }

    fn next_end(&self) -> Option<usize> {
        self.input.windows(END.len()).position(|bytes| bytes == END)
    }

    /// Deals with the messages that it has, or some of them.
    pub(super) fn work(&mut self) {
        self.is_called = false;
        let mut written = Written::default();
        let most = lock(&self.stage).dice.usize(1..6);
        if self.is_holding() && lock(&self.stage).dice.bool() {
            self.release(&mut written);
        }
        for _ in 0..most {
            let Some(end) = self.next_end().filter(|_| !written.dies) else { break };
            let rest = self.input.split_off(end + END.len());
            let message = std::mem::replace(&mut self.input, rest);
            let message: Value =
                serde_json::from_slice(&message[..end]).expect("the engine's JSON");
            self.take(&message, &mut written);
        }
        if written.dies {
            let cut = lock(&self.stage).dice.usize(..=written.bytes.len());
            self.pipes.write(&written.bytes[..cut]);
            return self.end(11);
        }
        if !written.bytes.is_empty() {
            self.pipes.write(&written.bytes);
        }
        if self.input_ended && self.next_end().is_none() {
            self.end(0);
        }
    }

    fn take(&mut self, message: &Value, written: &mut Written) {
        if message.is_array() {
            return; // The tasks that got an emission.
        }
        if message.get("pidDir").is_some() {
            return written.say(&json!({"pid": 4_000_000}));
        }
        match (message["command"].as_str(), message["stream"].as_str()) {
            (Some(command), _) => self.obey(command, &message["id"], written),
            (None, Some("__heartbeat")) => written.say(&json!({"command": "sync"})),
            (None, Some("__tick")) => self.release(written),
            _ => self.tuple(message, written),
        }
    }

    fn tuple(&mut self, message: &Value, written: &mut Written) {
        let id = match &message["id"] {
            Value::String(text) => text.parse().expect("ids are numbers"),
            other => other.as_u64().expect("ids are numbers"),
        };
        let id: usize = id as usize;
        let of = message["tuple"][0].as_u64().expect("its message is a number");
        let deed = lock(&self.stage).deed(&self.component, of);
        match deed {
            Deed::Die => written.dies = true,
            Deed::Fail => {
                written.say(&json!({"command": "fail", "id": id.to_string()}));
                lock(&self.stage).seen.fails += 1;
            }
            Deed::Forget => lock(&self.stage).seen.forgotten += 1,
            Deed::Hold => {
                if let Part::Bolt(held) = &mut self.part {
                    held.push(id);
                }
            }
            Deed::Act => {
                let joined = lock(&self.stage).dice.bool();
                let mut ids = vec![id];
                if let (Part::Bolt(held), true) = (&mut self.part, joined) {
                    ids.extend(held.pop());
                }
                self.act(&ids, written);
            }
        }
    }

    fn release(&mut self, written: &mut Written) {
        if let Part::Bolt(held) = &mut self.part {
            for id in std::mem::take(held) {
                self.act(&[id], written);
            }
        }
    }

    fn act(&self, ids: &[usize], written: &mut Written) {
        let (task, component) = (self.task(), &self.component);
        let mut stage = lock(&self.stage);
        let given: Vec<Given> = ids.iter().map(|id| stage.given[&task][id - 1].clone()).collect();
        let at_sink = stage.is_sink(component);
        let count = if at_sink { 0 } else { 1 + stage.dice.u64(..4) / 3 };
        let anchors: Vec<_> = given.iter().map(|given| given.anchors.clone()).collect();
        for _ in 0..count {
            let number = stage.made(component, &anchors);
            let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let wants = stage.dice.bool();
            written.say(&json!({
                "command": "emit", "anchors": names, "need_task_ids": wants,
                "tuple": [given[0].message, number],
            }));
        }
        for (id, given) in ids.iter().zip(&given) {
            stage.oracle.acked(&given.anchors, given.message, at_sink);
            stage.say(|| format!("the child of task {task} acks message {}", given.message));
            written.say(&json!({"command": "ack", "id": id.to_string()}));
            let babble = stage.habits.babble;
            if stage.mischief(babble) {
                written.say(&json!({"command": "ack", "id": id.to_string()}));
                written.say(&json!({"command": "fail", "id": id.to_string()}));
                written.say(&json!({"command": "ack", "id": "9999999"}));
                written.bytes.extend_from_slice(b"hello there\n");
            }
        }
    }

    fn obey(&mut self, command: &str, id: &Value, written: &mut Written) {
        let task = self.task();
        let Part::Spout { given_out, again } = &mut self.part else { return };
        let mut stage = lock(&self.stage);
        let message = id.as_u64().or_else(|| id.as_str()?.parse().ok());
        match (command, message) {
            ("next", _) => {
                let habits = stage.habits;
                written.dies = stage.mischief(habits.die / 4);
                let acked = &stage.disks.entry(task).or_default().acked;
                let due = again.pop().filter(|message| !acked.contains(message));
                let acked = acked.clone();
                let fresh = || {
                    let all = stage.messages_of(task);
                    all.into_iter().find(|one| !acked.contains(one) && !given_out.contains(one))
                };
                if let Some(message) = due.or_else(fresh) {
                    given_out.insert(message);
                    stage.oracle.emitted(message);
                    let number = stage.oracle.number();
                    stage.say(|| format!("the child of task {task} emits message {message}"));
                    written.say(&json!({
                        "command": "emit", "id": message, "tuple": [message, number],
                        "need_task_ids": false,
                    }));
                }
            }
            ("ack", Some(message)) => {
                stage.say(|| format!("the child of task {task} hears that {message} is done"));
                stage.oracle.done(message);
                stage.disks.entry(task).or_default().acked.insert(message);
            }
            ("fail", Some(message)) => {
                stage.oracle.failed(message);
                stage.seen.fails += 1;
                again.push(message);
            }
            _ => {}
        }
        written.say(&json!({"command": "sync"}));
    }
}
