//! One child that is a spout: which command is due, what it emitted, which messages are open.
//!
//! Pure. A message keeps the id its child chose, as the same JSON; towards the engine it has a number
//! that no other life of the child uses, so that no child ever hears of a message it did not send.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use compact_str::CompactString;

use crate::base::Timestamp;
use crate::component::{Context, MessageId, Replay, SpoutCollector};
use crate::tuple::{RawJson, Value};

use super::super::framing::{Framer, MAX_MESSAGE, Piece};
use super::super::lessons::Suspicion;
use super::super::options::CommandOptions;
use super::ahead::Ahead;
use super::desk::Desk;
use super::listen::listen;
use super::liveness::Liveness;
use super::outbox::Outbox;
use super::settings::{SessionError, Settings};
use super::streams::Streams;

/// How long a `sync` is waited for behind a command that many clients do not answer.
const GRACE: Duration = Duration::from_secs(1);
/// The pause after an empty `next`; doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(8);
/// Messages that one `next` asks for.
const MOST: usize = 256;
/// Batch children may have so many `next` to answer, so that they need not wait for the engine.
const NEXTS: usize = 2;
/// Commands under way that keep a child busy for longer than its output may gather.
const PLENTY: usize = 32;
/// The longest span between two looks that counts as silence.
const LOOK: Duration = Duration::from_secs(2);

/// A command without its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Command {
    Next,
    Ack,
    Fail,
    Activate,
    Deactivate,
}

impl Command {
    fn word(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Ack => "ack",
            Self::Fail => "fail",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
        }
    }
}

/// A command that the child has not answered.
#[derive(Clone, Copy, Debug)]
struct Asked {
    command: Command,
    at: Timestamp,
    wanted: usize,
}

/// What to do about the next messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The child was asked, or has been: its answer rings.
    Asked,
    /// It had nothing the last time: not before then.
    NotBefore(Timestamp),
    /// It will have nothing any more.
    Exhausted,
}

/// The session of one life of one child.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts about the child, each true on its own")]
pub(crate) struct SpoutSession {
    pub(super) framer: Framer,
    pub(super) settings: Settings,
    pub(super) outbox: Outbox,
    pub(super) desk: Desk,
    pub(super) streams: Streams,
    /// Answers that the child has before it asks, where it takes them.
    pub(super) ahead: Option<Ahead>,
    pub(super) greeted: bool,
    pub(super) replay_engine: bool,
    pub(super) exhausted: bool,
    pub(super) emitted: u64,
    pub(super) open: HashMap<u64, CompactString, foldhash::fast::RandomState>,
    pub(super) next_id: u64,
    queue: VecDeque<(Command, CompactString)>,
    asked: VecDeque<Asked>,
    /// `next` commands of Storm's protocol that may be under way: doubles as long as the child has
    /// something.
    window: usize,
    /// Emissions of the session when the last `next` was answered.
    heard: u64,
    /// Ids to ack and to fail with the next batch frame, joined by commas.
    acks: Vec<u8>,
    fails: Vec<u8>,
    active: bool,
    told_active: bool,
    /// Commands that this child does not answer.
    unanswered: Vec<Command>,
    pause: Duration,
    not_before: Timestamp,
    liveness: Liveness,
    started: Timestamp,
}

impl SpoutSession {
    /// A session that begins with `handshake` in its outbox. Its messages are numbered from
    /// `first_id`, which no other life may use.
    pub(crate) fn new(
        options: &CommandOptions,
        context: &Context,
        handshake: &[u8],
        first_id: u64,
        now: Timestamp,
    ) -> Self {
        let settings = options.settings(context);
        let mut outbox = Outbox::new(settings.protocol, settings.numbers);
        outbox.message(handshake);
        Self {
            framer: Framer::new(settings.protocol, MAX_MESSAGE),
            window: 1,
            heard: 0,
            ahead: settings.ids_ahead.then(|| Ahead::new(context)),
            settings,
            outbox,
            desk: Desk::new(context.reporter.clone()),
            streams: Streams::new(context),
            greeted: false,
            replay_engine: false,
            exhausted: false,
            emitted: 0,
            open: HashMap::default(),
            next_id: first_id,
            queue: VecDeque::new(),
            asked: VecDeque::new(),
            acks: Vec::new(),
            fails: Vec::new(),
            active: false,
            told_active: false,
            unanswered: Vec::new(),
            pause: PAUSE,
            not_before: now,
            liveness: Liveness::new(now, LOOK),
            started: now,
        }
    }

    /// The bytes to write.
    pub(crate) fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// What the child says to people.
    pub(crate) fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// How many tuples the child has emitted.
    pub(crate) fn emitted(&self) -> u64 {
        self.emitted
    }

    /// Whether messages may be wanted.
    pub(crate) fn ready(&self) -> bool {
        self.greeted && (self.exhausted || (self.queue.is_empty() && self.may_ask()))
    }

    /// Whether another command may be under way.
    fn may_ask(&self) -> bool {
        self.asked.len() < if self.outbox.batch() { NEXTS } else { self.window }
    }

    /// Up to `max` messages are wanted.
    pub(crate) fn want(&mut self, max: usize, now: Timestamp) -> Wanted {
        self.pump(now);
        if self.exhausted {
            let answered = self.asked.iter().all(|asked| asked.command != Command::Next);
            return if answered { Wanted::Exhausted } else { Wanted::Asked };
        }
        if !self.ready() || !self.active {
            return Wanted::Asked;
        }
        if now < self.not_before {
            return Wanted::NotBefore(self.not_before);
        }
        let under_way: usize = self.asked.iter().map(|asked| asked.wanted).sum();
        let wanted = max.saturating_sub(under_way).min(MOST);
        if wanted == 0 {
            return Wanted::Asked;
        }
        if self.outbox.batch() {
            self.outbox.message(format!("{{\"command\":\"next\",\"max\":{wanted}}}").as_bytes());
            self.ask(Command::Next, wanted, now);
        } else {
            for _ in 0..wanted.min(self.window - self.asked.len()) {
                self.write(Command::Next, "\"\"");
                self.ask(Command::Next, 1, now);
            }
        }
        Wanted::Asked
    }

    fn ask(&mut self, command: Command, wanted: usize, now: Timestamp) {
        self.asked.push_back(Asked { command, at: now, wanted });
    }

    fn write(&mut self, command: Command, id: &str) {
        let mut text = format!("{{\"command\":\"{}\",\"id\":", command.word()).into_bytes();
        Value::Json(RawJson::from_scanned(id)).write_json(&mut text);
        text.push(b'}');
        self.outbox.message(&text);
    }

    /// The message's tree is complete.
    pub(crate) fn ack(&mut self, id: MessageId) {
        if let Some(json) = self.open.remove(&id.0) {
            self.tell(Command::Ack, json);
        }
    }

    /// The message's tree failed; who gives it out again.
    pub(crate) fn fail(&mut self, id: MessageId) -> Replay {
        if self.replay_engine {
            if let Some(json) = self.open.get(&id.0).cloned() {
                self.tell(Command::Fail, json);
            }
            return Replay::Engine;
        }
        // Without an entry it is a message of an earlier life, or unknown: the engine has it.
        let Some(json) = self.open.remove(&id.0) else {
            return Replay::Engine;
        };
        self.tell(Command::Fail, json);
        Replay::Source
    }

    fn tell(&mut self, command: Command, id: CompactString) {
        if !self.outbox.batch() {
            self.queue.push_back((command, id));
            return;
        }
        let list = if command == Command::Ack { &mut self.acks } else { &mut self.fails };
        if !list.is_empty() {
            list.push(b',');
        }
        Value::Json(RawJson::from_scanned(&id)).write_json(list);
    }

    /// Whether messages are wanted at all.
    pub(crate) fn set_active(&mut self, active: bool) {
        self.active = active;
    }

    /// Writes the commands that are due.
    pub(crate) fn pump(&mut self, now: Timestamp) {
        if !self.greeted {
            return;
        }
        self.tell_activity();
        for (list, word) in [(&mut self.acks, "ack"), (&mut self.fails, "fail")] {
            if !list.is_empty() {
                let mut text = format!("{{\"command\":\"{word}\",\"ids\":[").into_bytes();
                text.append(list);
                text.extend_from_slice(b"]}");
                self.outbox.message(&text);
            }
        }
        self.give_grace(now);
        while self.may_ask() || self.outbox.batch() {
            let Some((command, id)) = self.queue.pop_front() else {
                return;
            };
            self.write(command, &id);
            if !self.outbox.batch() && !self.unanswered.contains(&command) {
                self.ask(command, 0, now);
            }
        }
    }

    /// The child is about to be stopped: it gets what it has not been told yet, whether or not it
    /// owes an answer.
    pub(crate) fn stop(&mut self, now: Timestamp) {
        self.desk.stopping();
        self.active = false;
        self.pump(now);
        while let Some((command, id)) = self.queue.pop_front() {
            self.write(command, &id);
        }
    }

    fn tell_activity(&mut self) {
        if !self.settings.activation || self.active == self.told_active {
            return;
        }
        self.told_active = self.active;
        let command = if self.active { Command::Activate } else { Command::Deactivate };
        self.queue.push_back((command, "\"\"".into()));
    }

    /// Goes on without a `sync` that many clients never send.
    fn give_grace(&mut self, now: Timestamp) {
        let Some(asked) = self.asked.front().copied() else {
            return;
        };
        if asked.command == Command::Next || now.since(asked.at) < GRACE {
            return;
        }
        self.asked.pop_front();
        self.unanswered.push(asked.command);
        let word = asked.command.word();
        self.desk.complain(
            "syncs_missing",
            &format!(
                "the child does not answer `{word}` with a sync; it is not waited for any more"
            ),
        );
    }

    /// The child has dealt with a command. One sync too many is none of its faults.
    pub(super) fn synced(&mut self, now: Timestamp) {
        let Some(asked) = self.asked.pop_front() else {
            return;
        };
        if asked.command != Command::Next {
            return;
        }
        if self.emitted > std::mem::replace(&mut self.heard, self.emitted) {
            self.pause = PAUSE;
            self.window = (self.window * 2).min(self.settings.nexts);
        } else {
            self.not_before = now + self.pause;
            self.window = 1;
            if self.asked.is_empty() {
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Tells the child more task ids before it asks; a child of batch frames does not wait for any.
    fn refill(&mut self, out: &mut SpoutCollector<'_>) {
        let Some(ahead) = self.ahead.as_mut().filter(|_| self.greeted) else {
            return;
        };
        let fills = !self.outbox.batch()
            && ahead.refill(&mut self.outbox, |stream, tasks| out.choose_ahead(stream, tasks));
        if !fills {
            self.ahead = None;
        }
    }

    /// Handles bytes that the child wrote, as far as they are whole messages.
    ///
    /// # Errors
    /// When the child has to be given up.
    pub(crate) fn read(
        &mut self,
        chunk: &[u8],
        now: Timestamp,
        out: &mut SpoutCollector<'_>,
    ) -> Result<(), SessionError> {
        self.liveness.heard(now);
        let mut framer = std::mem::take(&mut self.framer);
        let result = listen(&mut framer, chunk, |heard| match heard.for_session(&mut self.desk) {
            Some(message) => self.hear(message, now, out),
            None => Ok(()),
        });
        self.framer = framer;
        self.refill(out);
        result
    }

    /// The child's output is not read for now, so its silence says nothing.
    pub(crate) fn pause(&mut self, now: Timestamp) {
        self.liveness.paused(now);
    }

    /// Whether the child has plenty to do and waits for no answer.
    pub(crate) fn is_patient(&self) -> bool {
        self.ahead.is_some() && self.asked.len() >= PLENTY
    }

    /// Whether the child has emitted anything.
    pub(crate) fn has_worked(&self) -> bool {
        self.emitted > 0
    }

    /// What the child may have ended on, by what it was sent and did not answer.
    pub(crate) fn suspicion(&self) -> Option<Suspicion> {
        let asked = self.asked.front().filter(|asked| asked.command == Command::Activate);
        let nothing_else = self.emitted == 0 && !self.desk.is_stopping();
        asked.filter(|_| nothing_else).map(|_| Suspicion::Activation)
    }

    /// The child will write no more: what it left unfinished is text.
    pub(crate) fn finish(&mut self) {
        if let Some(Piece::Stray(text) | Piece::Frame(text)) = self.framer.finish() {
            self.desk.stray(&text);
        }
    }

    /// Does what is due. Called after output was handled, and at least twice a second.
    ///
    /// # Errors
    /// When the child has to be given up.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Result<(), SessionError> {
        let silent = self.liveness.listened(now);
        if !self.greeted {
            let limit = self.settings.handshake_timeout;
            return if now.since(self.started) > limit {
                Err(SessionError::NoHandshake(limit))
            } else {
                Ok(())
            };
        }
        let limit = self.settings.heartbeat_timeout;
        if self.asked.is_empty() {
            self.liveness.heard(now); // Nothing is asked of it, so silence says nothing.
        } else if self.settings.heartbeat && silent > limit {
            return Err(SessionError::Silent(limit));
        }
        self.pump(now);
        Ok(())
    }
}
