//! What a spout's child says, and what follows from it. Pure, like the rest of the session.

use crate::base::{StreamIdx, TaskId, Timestamp};
use crate::component::{MessageId, SpoutCollector, SpoutEmission};
use crate::tuple::{JsonError, Scanner};

use super::super::message::{Emit, Hello, Json, Message, each_element, read_tuple};
use super::outbox::BatchLimits;
use super::settings::SessionError;
use super::spout::SpoutSession;

impl SpoutSession {
    /// Handles one message.
    ///
    /// # Errors
    /// When the child has to be given up.
    pub(super) fn hear(
        &mut self,
        message: &Message<'_>,
        now: Timestamp,
        out: &mut SpoutCollector<'_>,
    ) -> Result<(), SessionError> {
        match message {
            Message::Spouted { messages } => self.spouted(messages, out)?,
            Message::Emit(emit) => self.emit(emit, out)?,
            Message::Sync => self.synced(now),
            Message::Exhausted => self.exhausted = true,
            Message::Error { text } => self.desk.error(text),
            Message::Log { level, text } => self.desk.log(*level, text),
            Message::Metrics { name, params } => self.desk.metrics(name, params),
            Message::Pid(hello) => self.greet(hello, now),
            Message::Unknown { text } | Message::Foreign { text } => {
                let text: String = text.chars().take(200).collect();
                self.desk.complain("unknown_messages", &format!("unknown message: {text}"));
            }
            _ => self.desk.complain("unknown_messages", "a spout sent a message of a bolt"),
        }
        Ok(())
    }

    fn greet(&mut self, hello: &Hello<'_>, now: Timestamp) {
        if self.greeted {
            self.desk.complain("unknown_messages", "the child sent its pid again");
            return;
        }
        self.greeted = true;
        self.replay_engine = hello.replay_engine;
        self.desk.introduce(hello);
        if hello.batch && self.settings.offer_batch {
            self.outbox.use_batch(BatchLimits::OFFER);
        }
        self.pump(now);
    }

    fn spouted(
        &mut self,
        messages: Json<'_>,
        out: &mut SpoutCollector<'_>,
    ) -> Result<(), SessionError> {
        let stream = self.streams.find(None).map_err(SessionError::Refused)?;
        each_element(&mut Scanner::new(messages), |scanner| {
            scanner.expect(b'[', "an id and its values")?;
            let id = scanner.skip_value()?;
            let id = scanner.slice(id);
            if !scanner.more(b']')? {
                return Err(
                    JsonError { at: scanner.position(), expected: "values behind the id" }.into()
                );
            }
            let values = read_tuple(scanner)?;
            scanner.expect(b']', "the end of the message")?;
            let emission = SpoutEmission {
                stream,
                direct: None,
                id: self.number(Some(id).filter(|id| *id != "null")),
                values,
                tasks: None,
            };
            self.send(emission, out)
        })
    }

    fn emit(&mut self, emit: &Emit<'_>, out: &mut SpoutCollector<'_>) -> Result<(), SessionError> {
        let stream = self.streams.find(emit.stream.as_deref());
        let direct = emit.task.map(TaskId);
        let wants_tasks = emit.wants_tasks && direct.is_none();
        let mut tasks = Vec::new();
        let emission = SpoutEmission {
            stream: StreamIdx(0),
            direct,
            id: self.number(emit.id),
            values: read_tuple(&mut Scanner::new(emit.tuple))?,
            tasks: wants_tasks.then_some(&mut tasks),
        };
        let sent = match stream {
            Ok(stream) => self.send(SpoutEmission { stream, ..emission }, out),
            Err(reason) => Err(SessionError::Refused(reason)),
        };
        if wants_tasks {
            self.outbox.task_ids(&tasks);
        }
        sent
    }

    /// A number for a message with an id; the id is kept as the child wrote it.
    fn number(&mut self, id: Option<Json<'_>>) -> Option<MessageId> {
        let id = id?;
        let number = self.next_id;
        self.next_id += 1;
        self.open.insert(number, id.into());
        Some(MessageId(number))
    }

    fn send(
        &mut self,
        emission: SpoutEmission<'_>,
        out: &mut SpoutCollector<'_>,
    ) -> Result<(), SessionError> {
        let id = emission.id;
        self.emitted += 1;
        out.emit_with(emission).map_err(|error| {
            if let Some(id) = id {
                self.open.remove(&id.0);
            }
            SessionError::Refused(error.to_string())
        })
    }
}
