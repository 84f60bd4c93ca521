//! What components emit, ack and fail through.
//!
//! No call here waits: the task's loop calls a component again only when its outputs fit.

use crate::base::{StreamIdx, TaskId, Timestamp};
use crate::tuple::{Anchors, Flags, Ticket, Values};

use super::FailKind;

/// A spout's own name for a message; echoed in `ack` and `fail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u64);

/// Why an emission was refused. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The component has no such stream.
    #[error("stream {} is not declared", stream.0)]
    UnknownStream {
        /// The stream asked for.
        stream: StreamIdx,
    },
    /// More or fewer values than fields.
    #[error(
        "stream \"{stream}\" has {expected} fields ({fields}), but the tuple has {found} values"
    )]
    FieldCount {
        /// The stream.
        stream: String,
        /// Its fields, joined by commas.
        fields: String,
        /// How many values there should be.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// A direct emission on a stream that is not direct, or the other way round.
    #[error("stream \"{stream}\" is {}a direct stream", if *.direct { "" } else { "not " })]
    Directness {
        /// The stream.
        stream: String,
        /// Whether the stream is direct.
        direct: bool,
    },
    /// A direct emission to a task that does not subscribe to the stream by direct grouping.
    #[error("task {task} does not subscribe to direct stream \"{stream}\"")]
    NotSubscribed {
        /// The task.
        task: TaskId,
        /// The stream.
        stream: String,
    },
}

/// Who chooses the tasks that get an emission, and whether somebody asks which they are.
#[derive(Debug, Default)]
pub enum Tasks<'a> {
    /// The groupings choose, and nobody asks.
    #[default]
    Any,
    /// The groupings choose; the tasks are put here.
    Tell(&'a mut Vec<TaskId>),
    /// They were chosen before, by [`Collector::choose_ahead`].
    Chosen(&'a [TaskId]),
}

/// One emission of a bolt.
#[derive(Debug)]
pub struct Emission<'a> {
    /// The stream.
    pub stream: StreamIdx,
    /// The task that gets it, on a direct stream.
    pub direct: Option<TaskId>,
    /// The tuples it is anchored to, by their anchors.
    pub anchors: &'a [&'a Anchors],
    /// The values.
    pub values: Values,
    /// Marks that go on (a suspect root stays suspect downstream).
    pub flags: Flags,
    /// Who chooses the tasks that get it.
    pub tasks: Tasks<'a>,
}

/// The engine's side of a bolt's [`Collector`].
pub trait Emitter {
    /// Routes and stamps a tuple.
    fn emit(&mut self, emission: Emission<'_>) -> Result<(), EmitError>;
    /// Acks a tuple by its anchors.
    fn ack(&mut self, anchors: &Anchors);
    /// Fails a tuple by its anchors.
    fn fail(&mut self, anchors: &Anchors, kind: FailKind, reason: &str);
    /// Starts the message time-out of a tuple's roots again.
    fn reset_timeout(&mut self, anchors: &Anchors);
    /// See [`Collector::choose_ahead`].
    fn choose_ahead(&mut self, _stream: StreamIdx, _tasks: &mut Vec<TaskId>) -> bool {
        false
    }
    /// Notes how long an acked tuple was in a component's hands, for its latency.
    fn held_since(&mut self, _since: Timestamp) {}
    /// Whether the outputs take more; the task's doorbell rings when that changes to true.
    fn has_room(&self) -> bool {
        true
    }
}

/// A bolt's way out. In `execute` it knows the tuple in hand, and `emit` anchors to it.
pub struct Collector<'a> {
    emitter: &'a mut dyn Emitter,
    in_hand: &'a Anchors,
    flags: Flags,
}

/// What emissions are anchored to with no tuple in hand.
static NOTHING: Anchors = Anchors::new();

impl<'a> Collector<'a> {
    /// A collector with no tuple in hand.
    pub fn new(emitter: &'a mut dyn Emitter) -> Self {
        Self { emitter, in_hand: &NOTHING, flags: Flags::default() }
    }

    /// A collector with a tuple in hand, by its anchors and flags: emissions are anchored to it.
    #[inline]
    pub fn holding(emitter: &'a mut dyn Emitter, anchors: &'a Anchors, flags: Flags) -> Self {
        Self { emitter, in_hand: anchors, flags }
    }

    /// Emits on the default stream, anchored to the tuple in hand.
    #[inline]
    pub fn emit(&mut self, values: impl Into<Values>) -> Result<(), EmitError> {
        self.emit_on(StreamIdx(0), values)
    }

    /// Emits on a stream, anchored to the tuple in hand.
    #[inline]
    pub fn emit_on(
        &mut self,
        stream: StreamIdx,
        values: impl Into<Values>,
    ) -> Result<(), EmitError> {
        self.emitter.emit(Emission {
            stream,
            direct: None,
            anchors: &[self.in_hand],
            values: values.into(),
            flags: self.flags,
            tasks: Tasks::Any,
        })
    }

    /// Emits to one task of a direct stream, anchored to the tuple in hand.
    pub fn emit_direct(
        &mut self,
        task: TaskId,
        stream: StreamIdx,
        values: impl Into<Values>,
    ) -> Result<(), EmitError> {
        self.emitter.emit(Emission {
            stream,
            direct: Some(task),
            anchors: &[self.in_hand],
            values: values.into(),
            flags: self.flags,
            tasks: Tasks::Any,
        })
    }

    /// Emits anchored to any number of held tuples; to none, the tuple is not tracked.
    pub fn emit_anchored(
        &mut self,
        tickets: &[&Ticket],
        stream: StreamIdx,
        values: impl Into<Values>,
    ) -> Result<(), EmitError> {
        let anchors: smallvec::SmallVec<[&Anchors; 4]> =
            tickets.iter().map(|ticket| &ticket.anchors).collect();
        self.emitter.emit(Emission {
            stream,
            direct: None,
            anchors: &anchors,
            values: values.into(),
            flags: Flags::default(),
            tasks: Tasks::Any,
        })
    }

    /// Emits with everything said.
    pub fn emit_with(&mut self, emission: Emission<'_>) -> Result<(), EmitError> {
        self.emitter.emit(emission)
    }

    /// Adds to `tasks` those that get an emission to come, which has to say so by
    /// [`Tasks::Chosen`]. False, and nothing is chosen, where that depends on the emission's values.
    pub fn choose_ahead(&mut self, stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        self.emitter.choose_ahead(stream, tasks)
    }

    /// Whether the outputs take more. An emission is never refused for want of room, but a
    /// component whose output comes from elsewhere should read no more of it until there is some.
    pub fn has_room(&self) -> bool {
        self.emitter.has_room()
    }

    /// Acks a held tuple. Its ticket is spent.
    pub fn ack(&mut self, ticket: Ticket) {
        self.emitter.ack(&ticket.anchors);
    }

    /// Acks a held tuple that the component has had since `since`, which counts for its latency.
    pub fn ack_held_since(&mut self, ticket: Ticket, since: Timestamp) {
        self.emitter.ack(&ticket.anchors);
        self.emitter.held_since(since);
    }

    /// Fails a held tuple, so that its roots are given out again at once.
    pub fn fail(&mut self, ticket: Ticket, reason: &str) {
        self.emitter.fail(&ticket.anchors, FailKind::Explicit, reason);
    }

    /// Fails a held tuple for a reason other than the component's own.
    pub fn fail_as(&mut self, ticket: Ticket, kind: FailKind, reason: &str) {
        self.emitter.fail(&ticket.anchors, kind, reason);
    }

    /// Starts the message time-out of a held tuple's roots again (Storm's `resetTimeout`).
    pub fn reset_timeout(&mut self, ticket: &Ticket) {
        self.emitter.reset_timeout(&ticket.anchors);
    }
}

/// One emission of a spout.
#[derive(Debug)]
pub struct SpoutEmission<'a> {
    /// The stream.
    pub stream: StreamIdx,
    /// The task that gets it, on a direct stream.
    pub direct: Option<TaskId>,
    /// The spout's name for the message; without one it is not tracked.
    pub id: Option<MessageId>,
    /// The values.
    pub values: Values,
    /// Who chooses the tasks that get it.
    pub tasks: Tasks<'a>,
}

/// The engine's side of a spout's [`SpoutCollector`].
pub trait SpoutEmitter {
    /// Routes and stamps a tuple.
    fn emit(&mut self, emission: SpoutEmission<'_>) -> Result<(), EmitError>;
    /// See [`SpoutCollector::choose_ahead`].
    fn choose_ahead(&mut self, _stream: StreamIdx, _tasks: &mut Vec<TaskId>) -> bool {
        false
    }
    /// Whether the outputs take more; the task's doorbell rings when that changes to true.
    fn has_room(&self) -> bool {
        true
    }
}

/// A spout's way out.
pub struct SpoutCollector<'a>(&'a mut dyn SpoutEmitter);

impl<'a> SpoutCollector<'a> {
    /// A collector that hands emissions to `emitter`.
    pub fn new(emitter: &'a mut dyn SpoutEmitter) -> Self {
        Self(emitter)
    }

    /// Whether the outputs take more; see [`Collector::has_room`].
    pub fn has_room(&self) -> bool {
        self.0.has_room()
    }

    /// Chooses the tasks of an emission to come; see [`Collector::choose_ahead`].
    pub fn choose_ahead(&mut self, stream: StreamIdx, tasks: &mut Vec<TaskId>) -> bool {
        self.0.choose_ahead(stream, tasks)
    }

    /// Emits a message on the default stream. With an id it is acked or failed; until then the
    /// engine keeps its values, and gives them out again when the tree fails.
    #[inline]
    pub fn emit(
        &mut self,
        id: Option<MessageId>,
        values: impl Into<Values>,
    ) -> Result<(), EmitError> {
        self.emit_on(StreamIdx(0), id, values)
    }

    /// Emits a message on a stream.
    pub fn emit_on(
        &mut self,
        stream: StreamIdx,
        id: Option<MessageId>,
        values: impl Into<Values>,
    ) -> Result<(), EmitError> {
        let values = values.into();
        self.0.emit(SpoutEmission { stream, direct: None, id, values, tasks: Tasks::Any })
    }

    /// Emits with everything said.
    pub fn emit_with(&mut self, emission: SpoutEmission<'_>) -> Result<(), EmitError> {
        self.0.emit(emission)
    }
}
