//! What a bolt's child says, and what follows from it. Pure, like the rest of the session.

use smallvec::SmallVec;

use crate::base::{StreamIdx, TaskId, Timestamp};
use crate::component::{Collector, Emission, Tasks};
use crate::tuple::{Anchors, Flags, JsonError, Scanner};

use super::super::message::{Emit, Hello, Message, each_anchor, each_element, read_tuple};
use super::ahead::Ahead;
use super::answers::{Named, named};
use super::bolt::BoltSession;
use super::greet::{greet, pass_on};
use super::open::OpenTuple;
use super::settings::SessionError;

/// The open tuples that an emission is anchored to.
type Ids = SmallVec<[u64; 2]>;

impl BoltSession {
    /// Handles one message.
    ///
    /// # Errors
    /// When the child has to be given up.
    pub(super) fn hear(
        &mut self,
        message: &Message<'_>,
        now: Timestamp,
        out: &mut Collector<'_>,
    ) -> Result<(), SessionError> {
        let after_error = std::mem::replace(&mut self.after_error, false);
        match message {
            Message::Done { first, emits } => self.done(*first, emits, out)?,
            Message::DoneCount { first, count } => self.done_count(*first, *count, out),
            Message::EmitFrom { input, tuples, stream } => {
                self.emit_from(*input, tuples, stream.as_deref(), out)?;
            }
            Message::Emit(emit) => self.emit(emit, out)?,
            Message::Ack { id } => self.ack(id, out),
            Message::Fail { id, reason, trace } => {
                self.fail(id, reason.as_deref(), trace.as_deref(), out);
            }
            Message::ResetTimeout { id } => self.reset_timeout(id, now, out),
            Message::Sync if after_error && !self.outbox.batch() => {
                self.ignored_sync = true;
                self.flow.doubtful_sync();
            }
            Message::Sync => self.synced |= self.flow.sync(),
            Message::Error { text } => {
                self.after_error = true;
                self.desk.error(text);
            }
            Message::Pid(hello) => self.greet(hello, now),
            Message::Started if self.answered && !self.greeted => {
                self.greeted = true;
                self.send_waiting(now);
            }
            Message::Drained { id } => self.drain = self.drain.answered(id),
            Message::Ended { id } => self.end = self.end.answered(id),
            _ => pass_on(message, &mut self.desk, "a bolt sent a message of a spout"),
        }
        Ok(())
    }

    fn greet(&mut self, hello: &Hello<'_>, now: Timestamp) {
        let Self { answered, settings, outbox, desk, .. } = self;
        if greet(hello, answered, settings, outbox, desk) {
            // What a child that is starting was not given cannot have killed it.
            self.greeted = !(hello.starting && self.outbox.batch());
            self.keeps_memory = hello.memory;
            self.shows_stacks = hello.pid.parse().ok().filter(|_| hello.stacks);
            self.send_waiting(now);
        }
    }

    /// Inputs that are acked, each with what it emitted: the fast way.
    fn done(
        &mut self,
        first: u64,
        emits: &str,
        out: &mut Collector<'_>,
    ) -> Result<(), SessionError> {
        let stream = self.streams.find(None);
        let mut id = first;
        each_element(&mut Scanner::new(emits), |scanner| {
            let input = self.open.remove(id);
            let none = Anchors::new();
            let anchors = input.as_ref().map_or(&none, |input| &input.ticket.anchors);
            let flags = input.as_ref().map_or(Flags::default(), |input| input.flags);
            let mut refused = None;
            let read = each_element(scanner, |scanner| {
                let emission = Emission {
                    stream: StreamIdx(0),
                    direct: None,
                    anchors: &[anchors],
                    values: read_tuple(scanner)?,
                    flags,
                    tasks: Tasks::Any,
                };
                let sent = match &stream {
                    Ok(stream) => out
                        .emit_with(Emission { stream: *stream, ..emission })
                        .map_err(|error| error.to_string()),
                    Err(reason) => Err(reason.clone()),
                };
                refused = refused.take().or(sent.err());
                Ok::<_, JsonError>(())
            });
            let refused = refused.or(read.as_ref().err().map(ToString::to_string));
            self.settle(id, input, refused, out);
            read?;
            self.answered(id);
            id += 1;
            Ok(())
        })
    }

    fn settle(
        &mut self,
        id: u64,
        input: Option<OpenTuple>,
        refused: Option<String>,
        out: &mut Collector<'_>,
    ) {
        match (input, refused) {
            (Some(input), Some(reason)) if !input.failed => {
                self.desk.refuse("emissions_refused", &reason);
                out.fail(input.ticket, &reason);
            }
            (Some(input), None) if !input.failed => {
                out.ack_held_since(input.ticket, input.since);
            }
            (Some(_), _) => {}
            (None, _) => self.complain_unknown(id),
        }
    }

    fn done_count(&mut self, first: u64, count: u64, out: &mut Collector<'_>) {
        // A count beyond what was ever given is one complaint, not a loop without end.
        let last = first.saturating_add(count).saturating_sub(1);
        let given = self.flow.taken() + self.flow.in_flight();
        for id in first..=last.min(given) {
            self.ack_number(id, out);
        }
        if last > given {
            self.complain_unknown(last);
        }
    }

    fn emit_from(
        &mut self,
        input: u64,
        tuples: &str,
        stream: Option<&str>,
        out: &mut Collector<'_>,
    ) -> Result<(), SessionError> {
        self.flow.mention(input);
        let mut ids = Ids::new();
        self.anchor(Named::Tuple(input), &mut ids);
        each_element(&mut Scanner::new(tuples), |scanner| {
            let values = read_tuple(scanner)?;
            let emission = Emission {
                stream: StreamIdx(0),
                direct: None,
                anchors: &[],
                values,
                flags: Flags::default(),
                tasks: Tasks::Any,
            };
            self.send_emission(emission, stream, &ids, out);
            Ok(())
        })
    }

    fn emit(&mut self, emit: &Emit<'_>, out: &mut Collector<'_>) -> Result<(), SessionError> {
        let mut ids = Ids::new();
        let mut of_heartbeat = false;
        each_anchor(emit.anchors, |id| {
            let id = named(id);
            of_heartbeat |= matches!(id, Named::Heartbeat(_));
            self.anchor(id, &mut ids);
        })?;
        let values = read_tuple(&mut Scanner::new(emit.tuple))?;
        let direct = emit.task.map(TaskId);
        let wants_tasks = emit.wants_tasks && direct.is_none();
        let early = self.ahead.as_mut().filter(|_| wants_tasks).and_then(Ahead::take);
        if of_heartbeat && ids.is_empty() {
            self.drop_emission(wants_tasks && early.is_none());
            return Ok(());
        }
        let mut tasks = Vec::new();
        let emission = Emission {
            stream: StreamIdx(0),
            direct,
            anchors: &[],
            values,
            flags: Flags::default(),
            tasks: match &early {
                Some(answer) => Tasks::Chosen(answer),
                None if wants_tasks => Tasks::Tell(&mut tasks),
                None => Tasks::Any,
            },
        };
        self.send_emission(emission, emit.stream.as_deref(), &ids, out);
        if wants_tasks && early.is_none() {
            self.asked = true;
            self.outbox.task_ids(&tasks);
        }
        Ok(())
    }

    /// Drops what came of a heartbeat that the child took for a tuple.
    fn drop_emission(&mut self, wants_tasks: bool) {
        self.desk.complain(
            "heartbeats_taken_for_tuples",
            "the child takes heartbeats for tuples; what it emits for them is dropped \
             (`heartbeat = false` in the file leaves them out)",
        );
        if wants_tasks {
            self.outbox.task_ids(&[]);
        }
    }

    fn anchor(&mut self, id: Named<'_>, ids: &mut Ids) {
        match id {
            Named::Tuple(id) => {
                self.flow.mention(id);
                if self.open.get(id).is_some() {
                    ids.push(id);
                } else {
                    self.desk.complain(
                        "anchors_unknown",
                        &format!("emitted with an anchor that is not open any more: {id}"),
                    );
                }
            }
            Named::Heartbeat(_) | Named::Tick => {}
            Named::Nothing(id) => self.desk.complain(
                "anchors_unknown",
                &format!("emitted with an anchor that never was: {id}"),
            ),
        }
    }

    /// Sends an emission on; where it is refused, the tuples it is anchored to fail at once, since
    /// acking them would lose it.
    fn send_emission(
        &mut self,
        emission: Emission<'_>,
        stream: Option<&str>,
        ids: &Ids,
        out: &mut Collector<'_>,
    ) {
        let sent = self.streams.find(stream).and_then(|stream| {
            let inputs = || ids.iter().filter_map(|id| self.open.get(*id));
            let anchors: SmallVec<[&Anchors; 4]> =
                inputs().map(|input| &input.ticket.anchors).collect();
            let flags = inputs().fold(Flags::default(), |all, input| all.union(input.flags));
            let tasks = match &self.ahead {
                Some(ahead) => ahead.on(stream, emission.tasks),
                None => emission.tasks,
            };
            out.emit_with(Emission { stream, anchors: &anchors, flags, tasks, ..emission })
                .map_err(|error| error.to_string())
        });
        let Err(reason) = sent else { return };
        self.desk.refuse("emissions_refused", &reason);
        for id in ids {
            if let Some(input) = self.open.get_mut(*id).filter(|input| !input.failed) {
                input.failed = true;
                out.fail(std::mem::take(&mut input.ticket), &reason);
            }
        }
    }
}
