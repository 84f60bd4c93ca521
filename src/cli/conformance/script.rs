//! A case as a conversation: what is said next, whether what came is what had to come. Pure: time
//! and the child's words come in, words to the child come out.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::{Timestamp, show_duration};
use crate::multilang::Said;

use super::case::{Case, Exit, Framing, Order, Step};
use super::expected::{Expected, merged};
use super::json::Json;
use super::pattern::{Variables, fits};
use super::rules::{Asked, Follows, Rules};
use super::said::{messages, short};
use super::wire;

/// The answer to an emit that asks for task ids, where the case has none.
const TASKS: &[i64] = &[3];

/// What is to be done to the child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Send(String),
    Close,
    Terminate,
}

/// Why a case has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The step in hand, counted from 1; `None` outside of steps.
    pub(super) step: Option<usize>,
    /// What was waited for.
    pub(super) expected: String,
    /// What came.
    pub(super) came: String,
}

/// How far a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing can be done before something comes, or until then.
    Waits(Timestamp),
    Done,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Script<'c> {
    pub(super) case: &'c Case,
    pub(super) framing: Framing,
    patience: Duration,
    pub(super) rules: Rules,
    pub(super) variables: Variables,
    at: usize,
    left: Option<Expected>,
    waits_since: Timestamp,
    told: VecDeque<Json>,
    notes: Vec<Json>,
    /// Commands to a spout that wait for their turn.
    pub(super) commands: VecDeque<(Json, Option<Asked>)>,
    pub(super) actions: Vec<Action>,
    pub(super) given: usize,
    pub(super) own_ids: usize,
    asked_ids: usize,
    pub(super) closed: bool,
    wrong: Option<String>,
    ended: Option<(Option<i32>, String)>,
}

impl<'c> Script<'c> {
    /// A conversation that begins with `handshake`; `patience` is how long each step may take.
    pub(super) fn new(
        case: &'c Case,
        framing: Framing,
        handshake: String,
        patience: Duration,
        now: Timestamp,
    ) -> Self {
        Self {
            case,
            framing,
            patience,
            rules: Rules::new(framing, case.role),
            variables: Variables::default(),
            at: 0,
            left: None,
            waits_since: now,
            told: VecDeque::new(),
            notes: Vec::new(),
            commands: VecDeque::new(),
            actions: vec![Action::Send(handshake)],
            given: 0,
            own_ids: 0,
            asked_ids: 0,
            closed: false,
            wrong: None,
            ended: None,
        }
    }

    /// What is to be done now.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Takes what the child said.
    pub(super) fn hear(&mut self, said: Said) {
        if self.wrong.is_some() {
            return; // The first mistake is the one that is told.
        }
        let heard = match said {
            Said::Frame(text) => self.hear_frame(&text),
            Said::Stray(text) if self.case.prints || text.trim().is_empty() => Ok(()),
            Said::Stray(text) => Err(format!("printed what is no message: {}", short(&text))),
            Said::Broken(error) => Err(error.to_string()),
            Said::Ended { status, how } => {
                self.ended = Some((status, how));
                Ok(())
            }
        };
        self.wrong = heard.err();
    }

    /// Goes on as far as it can.
    ///
    /// # Errors
    /// Why the case has failed.
    pub(super) fn advance(&mut self, now: Timestamp) -> Result<Progress, Failure> {
        loop {
            if let Some(wrong) = self.wrong.take() {
                return Err(self.failure(format!("the child {wrong}")));
            }
            if !self.rules.greeted() {
                return self.wait(now);
            }
            self.send_commands();
            let Some(step) = self.case.steps.get(self.at) else {
                return self.finish(now);
            };
            let done = match (&step.say, &step.hear) {
                (Some(say), _) => self.say(say, step),
                (None, Some(patterns)) => self.listen(patterns, step)?,
                (None, None) => true,
            };
            if !done {
                return self.wait(now);
            }
            self.at += 1;
            self.left = None;
            self.waits_since = now;
        }
    }

    // What the child says.

    fn hear_frame(&mut self, text: &str) -> Result<(), String> {
        for message in messages(text, self.framing)? {
            match self.rules.hear(&message)? {
                Follows::Nothing => {}
                Follows::Noted => self.note(message),
                Follows::Told => self.told.push_back(message),
                Follows::TaskIds => {
                    let ids = self.case.task_ids.get(self.asked_ids).map(Vec::as_slice);
                    self.asked_ids += 1;
                    let answer = wire::task_ids(self.framing, ids.unwrap_or(TASKS));
                    self.actions.push(Action::Send(answer.show()));
                    self.told.push_back(message);
                }
            }
            self.send_commands();
        }
        Ok(())
    }

    /// Counters and histograms are sent in as many parts as the child likes.
    fn note(&mut self, message: Json) {
        let known = self.notes.iter_mut().find_map(|note| {
            let same = |key| note.text_of(key) == message.text_of(key);
            let is_metric = message.text_of("command").as_deref() == Some("metrics");
            (is_metric && same("command") && same("name"))
                .then(|| merged(note.get("params")?, message.get("params")?))
                .flatten()
                .map(|params| (note, params))
        });
        match known {
            Some((Json::Map(entries), params)) => {
                entries.retain(|(key, _)| key != "params");
                entries.push(("params".to_owned(), params));
            }
            _ => self.notes.push(message),
        }
    }

    /// Whether all that the step waits for has come.
    fn listen(&mut self, patterns: &[Json], step: &Step) -> Result<bool, Failure> {
        let mut left = self.left.take().unwrap_or_else(|| Expected::of(patterns, step));
        while !left.told.is_empty() {
            let Some(message) = self.told.front() else { break };
            let reach = if step.order == Order::Any { left.told.len() } else { 1 };
            let mut found = left.told.iter().take(reach).enumerate();
            let found = found
                .find_map(|(at, pattern)| Some((at, fits(pattern, message, &self.variables)?)));
            let Some((at, variables)) = found else {
                let came = format!("the child sent {}", self.show(message));
                self.left = Some(left);
                return Err(self.failure(came));
            };
            self.variables = variables;
            left.told.remove(at);
            self.told.pop_front();
        }
        left.notes.retain(|pattern| {
            let mut found = self.notes.iter().enumerate();
            let found =
                found.find_map(|(at, note)| Some((at, fits(pattern, note, &self.variables)?)));
            let Some((at, variables)) = found else { return true };
            self.variables = variables;
            self.notes.remove(at);
            false
        });
        let done = left.told.is_empty() && left.notes.is_empty();
        self.left = Some(left);
        Ok(done)
    }

    // The end.

    fn finish(&mut self, now: Timestamp) -> Result<Progress, Failure> {
        if let Some(message) = self.told.front() {
            return Err(self.failure(format!("the child sent {}", self.show(message))));
        }
        if self.ended.is_none() && !self.is_answered() {
            return self.wait(now);
        }
        if !self.closed && self.ended.is_none() {
            self.closed = true;
            self.waits_since = now;
            self.actions.push(Action::Close);
        }
        let Some((status, how)) = &self.ended else {
            return self.wait(now);
        };
        let left_well = match self.case.exit {
            Exit::Success => *status == Some(0),
            Exit::Failure => status.is_some_and(|status| status != 0),
        };
        if !left_well {
            return Err(self.failure(format!("the child {how}")));
        }
        let is_error = |note: &&Json| note.text_of("command").as_deref() == Some("error");
        if let Some(error) = self.notes.iter().find(is_error) {
            let came = format!("the child reported an error: {}", short(&error.show()));
            return Err(self.failure(came));
        }
        let leaves_open = self.case.leaves_open || self.case.exit == Exit::Failure;
        match self.rules.finish(leaves_open) {
            Ok(()) => Ok(Progress::Done),
            Err(wrong) => Err(self.failure(format!("the child {wrong}"))),
        }
    }

    fn wait(&self, now: Timestamp) -> Result<Progress, Failure> {
        if let Some((_, how)) = &self.ended {
            return Err(self.failure(format!("the child {how}")));
        }
        let until = self.waits_since + self.patience;
        if now < until {
            return Ok(Progress::Waits(until));
        }
        Err(self.failure(format!("nothing for {}", show_duration(self.patience))))
    }

    fn failure(&self, came: String) -> Failure {
        let in_step = self.rules.greeted() && self.at < self.case.steps.len();
        Failure { step: in_step.then_some(self.at + 1), expected: self.expected(), came }
    }

    /// What the conversation is waiting for, in words.
    fn expected(&self) -> String {
        if !self.rules.greeted() {
            return "the answer to the handshake".to_owned();
        }
        if let Some(left) = &self.left {
            let all: Vec<&Json> = left.told.iter().chain(&left.notes).collect();
            let shown: Vec<String> = all.iter().take(3).map(|json| short(&json.show())).collect();
            let more = if all.len() > 3 { ", …" } else { "" };
            return format!("{}{more}", shown.join(", "));
        }
        if let Some(word) = self.rules.awaits() {
            return format!("a sync that answers `{word}`");
        }
        match (self.case.steps.get(self.at), self.case.exit) {
            (Some(_), _) => "nothing that breaks a rule of the protocol".to_owned(),
            (None, Exit::Success) => "nothing more, and an exit with status 0".to_owned(),
            (None, Exit::Failure) => {
                "nothing more, and an exit with another status than 0".to_owned()
            }
        }
    }

    /// A message with the names of tuples beside their ids.
    fn show(&self, message: &Json) -> String {
        let id = message.get("id").and_then(|id| self.variables.name_of(id));
        let named = id.map(|name| format!(" ({name})")).unwrap_or_default();
        format!("{}{named}", short(&message.show()))
    }
}
