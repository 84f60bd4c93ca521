//! A bolt's session with a script in the child's place.

use std::time::Duration;

use crate::base::Timestamp;
use crate::component::Collector;
use crate::multilang::{BoltSession, SessionError};
use crate::tuple::{Tuple, Value};

use super::harness::{Recorder, World, options, tuple};

pub(super) struct Talk {
    pub(super) world: World,
    pub(super) session: BoltSession,
    pub(super) out: Recorder,
    pub(super) now: Timestamp,
}

impl Talk {
    pub(super) fn new(more: serde_json::Value) -> Self {
        let world = World::new();
        let context = world.context("split");
        let now = Timestamp(1_000_000_000);
        let session = BoltSession::new(&options(more), &context, b"{}", now);
        let mut talk = Self { world, session, out: Recorder::default(), now };
        assert_eq!(talk.sent(), "{}\nend\n");
        talk
    }

    pub(super) fn greeted(more: serde_json::Value) -> Self {
        let mut talk = Self::new(more);
        talk.hear("{\"pid\":7}");
        talk
    }

    pub(super) fn batch(more: serde_json::Value) -> Self {
        let mut talk = Self::new(more);
        talk.hear("{\"pid\":7,\"batch\":1}");
        talk
    }

    pub(super) fn hear(&mut self, message: &str) {
        self.try_hear(message).unwrap();
    }

    pub(super) fn try_hear(&mut self, message: &str) -> Result<(), SessionError> {
        let frame = format!("{message}\nend\n");
        let mut out = Collector::new(&mut self.out);
        self.session.read(frame.as_bytes(), self.now, &mut out)
    }

    pub(super) fn give(&mut self, tuple: Tuple) {
        self.session.give(tuple, self.now);
    }

    pub(super) fn pass(&mut self, span: Duration) -> Result<(), SessionError> {
        self.now = self.now + span;
        self.session.advance(self.now, true, &mut Collector::new(&mut self.out))
    }

    pub(super) fn sent(&mut self) -> String {
        let (mut urgent, data) = self.session.take_bytes();
        urgent.extend(data);
        String::from_utf8(urgent).unwrap()
    }
}

pub(super) fn word(edge: u64) -> Tuple {
    tuple(edge, [Value::from("a")])
}

/// What tells a heartbeat from the rest.
pub(super) const HEARTBEAT: &str = "\"stream\":\"__heartbeat\"";
