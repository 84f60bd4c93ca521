//! What holds in every case, whatever it checks: nothing is acked twice, every anchor is open, every
//! command is answered once. Pure.

use std::collections::{BTreeMap, VecDeque};

use super::case::{Framing, Role};
use super::json::Json;

/// A command to a spout that a `sync` has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) word: &'static str,
    /// Messages that are wanted; `None` where as many come as the spout likes.
    pub(super) most: Option<u32>,
    /// Whether the case hears of its `sync`.
    pub(super) told: bool,
}

/// What follows from a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// The case has to be told, in order with others of its kind.
    Told,
    /// The case looks for it where it wants to.
    Noted,
    /// The case is told, and the child is told the tasks.
    TaskIds,
    /// Nothing.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Acked,
    Failed,
}

/// The ledger of one conversation.
#[derive(Debug)]
pub(super) struct Rules {
    framing: Framing,
    role: Role,
    greeted: bool,
    /// It has said that it opens its component, and not yet that it has.
    starting: bool,
    /// Tuples by their id.
    tuples: BTreeMap<String, State>,
    /// Ids of ticks and heartbeats, which are not tracked.
    own: Vec<String>,
    heartbeats: usize,
    /// Marks that were not answered.
    marks: Vec<String>,
    asked: VecDeque<Asked>,
    messages: u32,
}

impl Rules {
    pub(super) fn new(framing: Framing, role: Role) -> Self {
        Self {
            framing,
            role,
            greeted: false,
            starting: false,
            tuples: BTreeMap::new(),
            own: Vec::new(),
            heartbeats: 0,
            marks: Vec::new(),
            asked: VecDeque::new(),
            messages: 0,
        }
    }

    /// Whether the handshake was answered.
    pub(super) fn greeted(&self) -> bool {
        self.greeted
    }

    /// Whether a `sync` of a spout is missing.
    pub(super) fn awaits(&self) -> Option<&'static str> {
        self.asked.front().map(|asked| asked.word)
    }

    pub(super) fn gave(&mut self, id: String) {
        self.tuples.insert(id, State::Open);
    }

    pub(super) fn gave_heartbeat(&mut self, id: String) {
        self.heartbeats += 1;
        self.own.push(id);
    }

    pub(super) fn gave_tick(&mut self, id: String) {
        self.own.push(id);
    }

    pub(super) fn gave_mark(&mut self, id: String) {
        self.marks.push(id);
    }

    pub(super) fn asked(&mut self, asked: Asked) {
        self.asked.push_back(asked);
    }

    /// Handles a message.
    ///
    /// # Errors
    /// The rule that it breaks, to stand behind "the child".
    pub(super) fn hear(&mut self, message: &Json) -> Result<Follows, String> {
        let command = message.text_of("command").unwrap_or_default();
        if !self.greeted && command != "hello" {
            return Err(format!("sent `{command}` before it answered the handshake"));
        }
        let id = || message.text_of("id").unwrap_or_default();
        match (command.as_str(), self.role) {
            ("hello", _) => self.hello(message).map(|()| Follows::Noted),
            ("log" | "error" | "metrics", _) => Ok(Follows::Noted),
            ("started", Role::Bolt) if self.starting => {
                self.starting = false;
                Ok(Follows::Nothing)
            }
            ("started", _) => {
                Err("sent `started` without having said that it is starting".to_owned())
            }
            ("emit", _) => self.emit(message),
            ("sync", Role::Bolt) => self.heartbeat_answered(),
            ("sync", Role::Spout) => self.command_answered(),
            ("ack", Role::Bolt) => self.settle(&id(), State::Acked),
            ("fail", Role::Bolt) => self.settle(&id(), State::Failed),
            ("reset_timeout", Role::Bolt) => {
                self.must_be_open(&id(), "touched").map(|()| Follows::Told)
            }
            ("drained" | "ended", Role::Bolt) => self.mark_answered(&command, &id()),
            ("exhausted", Role::Spout) if self.framing == Framing::Batch => Ok(Follows::Told),
            ("exhausted", Role::Spout) => {
                Err("sent `exhausted` although no batch frames were offered".to_owned())
            }
            (_, Role::Bolt) => Err(format!("is a bolt and sent `{command}`")),
            (_, Role::Spout) => Err(format!("is a spout and sent `{command}`")),
        }
    }

    /// Checks what has to be so when the child has left.
    ///
    /// # Errors
    /// What is missing, to stand behind "the child".
    pub(super) fn finish(&self, leaves_open: bool) -> Result<(), String> {
        let open = self.tuples.values().filter(|state| **state == State::Open).count();
        if open > 0 && !leaves_open {
            return Err(format!("left {open} tuples neither acked nor failed"));
        }
        if self.heartbeats > 0 {
            return Err(format!("did not answer {} heartbeats with a `sync`", self.heartbeats));
        }
        match self.awaits() {
            Some(word) => Err(format!("did not answer `{word}` with a `sync`")),
            None => Ok(()),
        }
    }

    fn hello(&mut self, message: &Json) -> Result<(), String> {
        if std::mem::replace(&mut self.greeted, true) {
            return Err("sent its pid twice".to_owned());
        }
        let batch = message.get("batch").and_then(Json::as_int);
        self.starting = batch.is_some() && message.get("starting").is_some();
        match (self.framing, batch) {
            (Framing::Storm, Some(_)) => {
                Err("answered `batch` although no batch frames were offered".to_owned())
            }
            (Framing::Batch, Some(1)) | (Framing::Storm, None) => Ok(()),
            (Framing::Batch, _) => {
                Err("did not answer `\"batch\":1` although batch frames were offered".to_owned())
            }
        }
    }

    fn emit(&mut self, message: &Json) -> Result<Follows, String> {
        for anchor in message.get("anchors").and_then(Json::as_list).unwrap_or_default() {
            self.must_be_open(&anchor.as_text().unwrap_or_default(), "anchored to")?;
        }
        if self.role == Role::Spout {
            self.messages += 1;
            let most = self.asked.front().and_then(|asked| asked.most);
            if most.is_some_and(|most| self.messages > most) {
                return Err(format!("gave {} messages where fewer were wanted", self.messages));
            }
        }
        let is = |key: &str| message.get(key).is_some();
        let asks = message.get("need_task_ids").is_some_and(|need| need.show() == "true");
        Ok(if asks && !is("task") { Follows::TaskIds } else { Follows::Told })
    }

    fn must_be_open(&self, id: &str, verb: &str) -> Result<(), String> {
        match self.tuples.get(id) {
            Some(State::Open) => Ok(()),
            Some(State::Acked) => Err(format!("{verb} tuple {id}, which it had acked")),
            Some(State::Failed) => Err(format!("{verb} tuple {id}, which it had failed")),
            None => Err(format!("{verb} tuple {id}, which it was never given")),
        }
    }

    fn settle(&mut self, id: &str, state: State) -> Result<Follows, String> {
        if self.own.iter().any(|own| own == id) {
            return Ok(Follows::Nothing);
        }
        let verb = if state == State::Acked { "acked" } else { "failed" };
        self.must_be_open(id, verb)?;
        self.tuples.insert(id.to_owned(), state);
        Ok(Follows::Told)
    }

    fn heartbeat_answered(&mut self) -> Result<Follows, String> {
        match self.heartbeats.checked_sub(1) {
            Some(left) => {
                self.heartbeats = left;
                Ok(Follows::Told)
            }
            None => Err("sent a `sync` that answers nothing".to_owned()),
        }
    }

    fn command_answered(&mut self) -> Result<Follows, String> {
        let asked = self.asked.pop_front().ok_or("sent a `sync` that answers nothing")?;
        self.messages = 0;
        Ok(if asked.told { Follows::Told } else { Follows::Nothing })
    }

    fn mark_answered(&mut self, command: &str, id: &str) -> Result<Follows, String> {
        let found = self.marks.iter().position(|mark| mark == id);
        let found =
            found.ok_or_else(|| format!("sent `{command}` with an id that nobody asked by"))?;
        self.marks.remove(found);
        Ok(Follows::Told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bolt() -> Rules {
        let mut rules = Rules::new(Framing::Batch, Role::Bolt);
        hear(&mut rules, r#"{"command":"hello","pid":7,"batch":1}"#).unwrap();
        rules.gave("1".to_owned());
        rules
    }

    fn hear(rules: &mut Rules, message: &str) -> Result<Follows, String> {
        rules.hear(&Json::parse(message).unwrap())
    }

    #[test]
    fn a_tuple_is_settled_once() {
        let mut rules = bolt();
        assert!(rules.finish(false).unwrap_err().contains("left 1 tuples"));
        assert!(rules.finish(true).is_ok());
        assert_eq!(hear(&mut rules, r#"{"command":"ack","id":"1"}"#), Ok(Follows::Told));
        let again = hear(&mut rules, r#"{"command":"fail","id":"1"}"#).unwrap_err();
        assert_eq!(again, "failed tuple 1, which it had acked");
        assert!(
            hear(&mut rules, r#"{"command":"ack","id":"2"}"#).unwrap_err().contains("never given")
        );
        let late =
            hear(&mut rules, r#"{"command":"emit","tuple":[],"anchors":["1"]}"#).unwrap_err();
        assert!(late.contains("anchored to tuple 1"), "{late}");
        assert!(rules.finish(false).is_ok());
    }

    #[test]
    fn acks_of_ticks_and_heartbeats_do_no_harm() {
        let mut rules = bolt();
        rules.gave_tick("-5".to_owned());
        assert_eq!(hear(&mut rules, r#"{"command":"ack","id":"-5"}"#), Ok(Follows::Nothing));
        assert!(hear(&mut rules, r#"{"command":"sync"}"#).is_err());
        rules.gave_heartbeat("-6".to_owned());
        assert_eq!(hear(&mut rules, r#"{"command":"sync"}"#), Ok(Follows::Told));
    }

    #[test]
    fn a_spout_answers_every_command_once() {
        let mut rules = Rules::new(Framing::Storm, Role::Spout);
        hear(&mut rules, r#"{"command":"hello","pid":7}"#).unwrap();
        rules.asked(Asked { word: "ack", most: None, told: false });
        assert!(rules.finish(false).unwrap_err().contains("`ack`"));
        assert_eq!(hear(&mut rules, r#"{"command":"sync"}"#), Ok(Follows::Nothing));
        assert!(hear(&mut rules, r#"{"command":"sync"}"#).is_err());
        assert!(hear(&mut rules, r#"{"command":"exhausted"}"#).is_err());
        rules.asked(Asked { word: "next", most: Some(1), told: true });
        let emit = r#"{"command":"emit","tuple":[1]}"#;
        assert_eq!(hear(&mut rules, emit), Ok(Follows::Told));
        assert!(hear(&mut rules, emit).unwrap_err().contains("2 messages"));
    }

    #[test]
    fn the_handshake_is_answered_first_and_once() {
        let mut rules = Rules::new(Framing::Storm, Role::Bolt);
        assert!(hear(&mut rules, r#"{"command":"sync"}"#).unwrap_err().contains("before"));
        let batch = hear(&mut rules, r#"{"command":"hello","pid":7,"batch":1}"#);
        assert!(batch.unwrap_err().contains("offered"));
        let mut rules = Rules::new(Framing::Batch, Role::Bolt);
        assert!(hear(&mut rules, r#"{"command":"hello","pid":7}"#).is_err());
        let started = r#"{"command":"started"}"#;
        assert!(hear(&mut rules, started).is_err());
        let mut rules = Rules::new(Framing::Batch, Role::Bolt);
        hear(&mut rules, r#"{"command":"hello","pid":7,"batch":1,"starting":true}"#).unwrap();
        assert_eq!(hear(&mut rules, started), Ok(Follows::Nothing));
        assert!(hear(&mut rules, started).is_err(), "twice");
        assert!(hear(&mut bolt(), r#"{"command":"hello","pid":7,"batch":1}"#).is_err());
    }
}
