//! Emissions as JSON lines, checked as the engine would check them. Nothing is routed: of each
//! subscriber the first task is named to components that ask who got a tuple.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::{StreamIdx, TaskId};
use crate::component::{
    Context, Emission, EmitError, Emitter, FailKind, MessageId, Output, SpoutEmission,
    SpoutEmitter, Tasks,
};
use crate::tuple::{Anchors, Values, write_json_string};

use super::events::{Event, Events};

/// Lines that wait to be printed, before the component should hold back.
const ROOM: usize = 1 << 20;

/// The engine's side of a lone bolt.
pub(super) struct Printer {
    context: Arc<Context>,
    events: Arc<Events>,
    text: Vec<u8>,
    /// Input lines that are neither acked nor failed.
    open: BTreeSet<u64>,
    pub(super) emitted: u64,
    pub(super) acked: u64,
    pub(super) failed: u64,
}

impl Printer {
    pub(super) fn new(context: &Arc<Context>, events: &Arc<Events>) -> Self {
        Self {
            context: Arc::clone(context),
            events: Arc::clone(events),
            text: Vec::new(),
            open: BTreeSet::new(),
            emitted: 0,
            acked: 0,
            failed: 0,
        }
    }

    /// The lines that were not taken yet.
    pub(super) fn take(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        String::from_utf8(text).expect("values are written as ASCII, and names are text")
    }

    /// Whether little enough waits to be printed.
    pub(super) fn has_room(&self) -> bool {
        self.text.len() < ROOM
    }

    /// A line was given to the component.
    pub(super) fn given(&mut self, line: u64) {
        self.open.insert(line);
    }

    /// How many lines have no answer yet.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Fails everything that has no answer.
    pub(super) fn fail_open(&mut self, reason: &str) {
        for line in std::mem::take(&mut self.open) {
            self.failed += 1;
            self.events.add(Event::Failed { line, reason: reason.to_owned() });
        }
    }

    pub(super) fn print(
        &mut self,
        stream: StreamIdx,
        direct: Option<TaskId>,
        values: &Values,
        tasks: Tasks<'_>,
    ) -> Result<(), EmitError> {
        let output =
            self.context.outputs.get(stream.index()).ok_or(EmitError::UnknownStream { stream })?;
        check(output, direct, values)?;
        write_line(output, direct, values, &mut self.text);
        self.emitted += 1;
        if let Tasks::Tell(tasks) = tasks {
            tasks.extend(subscribed(output));
        }
        Ok(())
    }

    fn choose_ahead(&self, stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        let output = self.context.outputs.get(stream.index());
        tasks.extend(output.into_iter().flat_map(subscribed));
        output.is_some()
    }
}

/// The tasks that a child is told: one of each subscriber, since nothing is sent to any.
fn subscribed(output: &Output) -> impl Iterator<Item = TaskId> {
    output.subscribers.iter().filter_map(|one| one.tasks.first().copied())
}

fn check(output: &Output, direct: Option<TaskId>, values: &Values) -> Result<(), EmitError> {
    let decl = &output.decl;
    if values.len() != decl.fields.len() {
        return Err(EmitError::FieldCount {
            stream: decl.name.clone(),
            fields: decl.fields.join(", "),
            expected: decl.fields.len(),
            found: values.len(),
        });
    }
    if direct.is_some() != decl.direct {
        return Err(EmitError::Directness { stream: decl.name.clone(), direct: decl.direct });
    }
    let subscribed = |task| output.subscribers.iter().any(|one| one.tasks.contains(&task));
    match direct {
        Some(task) if !subscribed(task) => {
            Err(EmitError::NotSubscribed { task, stream: decl.name.clone() })
        }
        _ => Ok(()),
    }
}

fn write_line(output: &Output, direct: Option<TaskId>, values: &Values, text: &mut Vec<u8>) {
    let mut separator = b'{';
    let mut key = |name: &str, text: &mut Vec<u8>| {
        text.push(separator);
        separator = b',';
        write_json_string(name, text);
        text.push(b':');
    };
    if output.decl.name != "default" {
        key("$stream", text);
        write_json_string(&output.decl.name, text);
    }
    if let Some(task) = direct {
        key("$task", text);
        text.extend_from_slice(task.to_string().as_bytes());
    }
    for (field, value) in output.decl.fields.iter().zip(values) {
        key(field, text);
        value.write_json(text);
    }
    text.extend_from_slice(if separator == b'{' { b"{}\n" } else { b"}\n" });
}

impl Emitter for Printer {
    fn emit(&mut self, emission: Emission<'_>) -> Result<(), EmitError> {
        self.print(emission.stream, emission.direct, &emission.values, emission.tasks)
    }

    fn ack(&mut self, anchors: &Anchors) {
        for anchor in anchors {
            let line = anchor.edge.0;
            if self.open.remove(&line) {
                self.acked += 1;
                self.events.add(Event::Acked { line });
            }
        }
    }

    fn fail(&mut self, anchors: &Anchors, _kind: FailKind, reason: &str) {
        for anchor in anchors {
            let line = anchor.edge.0;
            if self.open.remove(&line) {
                self.failed += 1;
                self.events.add(Event::Failed { line, reason: reason.to_owned() });
            }
        }
    }

    fn reset_timeout(&mut self, _anchors: &Anchors) {}

    fn choose_ahead(&mut self, stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        Self::choose_ahead(self, stream, tasks)
    }

    fn has_room(&self) -> bool {
        Self::has_room(self)
    }
}

/// The engine's side of a lone spout: takes so many messages and leaves the others.
pub(super) struct Taker {
    pub(super) printer: Printer,
    /// How many may still be taken.
    pub(super) left: u64,
    /// Messages that were taken and are to be acked.
    pub(super) to_ack: Vec<MessageId>,
    /// Messages beyond what was asked for.
    pub(super) beyond: u64,
}

impl SpoutEmitter for Taker {
    fn emit(&mut self, emission: SpoutEmission<'_>) -> Result<(), EmitError> {
        if self.left == 0 {
            self.beyond += 1;
            return Ok(());
        }
        let SpoutEmission { stream, direct, id, values, tasks } = emission;
        self.printer.print(stream, direct, &values, tasks)?;
        self.left -= 1;
        self.to_ack.extend(id);
        Ok(())
    }

    fn choose_ahead(&mut self, stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        self.printer.choose_ahead(stream, tasks)
    }

    fn has_room(&self) -> bool {
        self.printer.has_room()
    }
}
