//! A bolt's answers to its tuples: acks, fails, and signs that it is still at work. Pure.
//!
//! An answer to what is not open does no harm: late ones are normal after a time-out.

use crate::base::Timestamp;
use crate::component::{Collector, Level};

use super::bolt::BoltSession;

/// What an id in a child's message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    /// A tuple, open or not.
    Tuple(u64),
    /// A tick: these are not tracked.
    Tick,
    /// A heartbeat, which asks for a `sync` and nothing else.
    Heartbeat,
    /// Something that this engine never gave.
    Nothing(&'a str),
}

/// Reads an id.
#[inline]
pub(super) fn named(id: &str) -> Named<'_> {
    match id.strip_prefix('-') {
        None => id.parse().map_or(Named::Nothing(id), Named::Tuple),
        Some(own) if own.parse::<u64>().is_ok() => Named::Heartbeat,
        Some(own) => match own.strip_prefix('t').map(str::parse::<u64>) {
            Some(Ok(_)) => Named::Tick,
            _ => Named::Nothing(id),
        },
    }
}

impl BoltSession {
    pub(super) fn ack(&mut self, id: &str, out: &mut Collector<'_>) {
        match named(id) {
            Named::Tuple(id) => self.ack_number(id, out),
            Named::Tick => {}
            Named::Heartbeat => self.took_heartbeat(),
            Named::Nothing(id) => self.complain_unknown(id),
        }
    }

    /// A heartbeat was answered like a tuple, as clients do that are older than heartbeats: it never
    /// asks this child anything again.
    pub(super) fn took_heartbeat(&mut self) {
        self.settings.heartbeat = false;
        self.desk.complain(
            "heartbeats_taken",
            "the child takes heartbeats for tuples, as clients older than Storm 0.9.3 do: it gets no \
             more, and what it emitted for them is dropped (`heartbeat = false` spares it the first)",
        );
    }

    pub(super) fn ack_number(&mut self, id: u64, out: &mut Collector<'_>) {
        match self.open.remove(id) {
            Some(tuple) if tuple.failed => {}
            Some(tuple) => out.ack_held_since(tuple.ticket, tuple.since),
            None => self.complain_unknown(id),
        }
        self.answered(id);
    }

    pub(super) fn fail(
        &mut self,
        id: &str,
        reason: Option<&str>,
        trace: Option<&str>,
        out: &mut Collector<'_>,
    ) {
        let number = match named(id) {
            Named::Tuple(number) => number,
            Named::Tick => return,
            Named::Heartbeat => return self.took_heartbeat(),
            Named::Nothing(id) => return self.complain_unknown(id),
        };
        if let Some(trace) = trace {
            self.desk.error(trace);
        }
        if let (None, Some(reason)) = (trace, reason) {
            self.desk.log(Level::Warn, &format!("failed a tuple: {reason}"));
        }
        match self.open.remove(number) {
            Some(tuple) if tuple.failed => {}
            Some(tuple) => out.fail(tuple.ticket, reason.unwrap_or("failed by the bolt")),
            None => self.complain_unknown(number),
        }
        self.answered(number);
    }

    pub(super) fn reset_timeout(&mut self, id: &str, now: Timestamp, out: &mut Collector<'_>) {
        let Named::Tuple(number) = named(id) else {
            return;
        };
        self.flow.mention(number);
        match self.open.get_mut(number) {
            Some(tuple) => {
                tuple.since = now;
                out.reset_timeout(&tuple.ticket);
            }
            None => self.complain_unknown(number),
        }
    }

    /// A tuple was answered: it, and all before it, were taken.
    #[inline]
    pub(super) fn answered(&mut self, id: u64) {
        self.flow.mention(id);
        if self.alone.is_some_and(|alone| alone.id == id) {
            self.alone = None;
        }
    }

    pub(super) fn complain_unknown(&mut self, id: impl std::fmt::Display) {
        self.desk.complain(
            "answers_unknown",
            &format!("acked or failed tuple {id}, which is not open (answered twice, or too late)"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_tuples_ticks_or_nothing() {
        assert_eq!(named("1001"), Named::Tuple(1001));
        assert_eq!(named("-777"), Named::Heartbeat);
        assert_eq!(named("-t7"), Named::Tick);
        assert_eq!(named("-tea"), Named::Nothing("-tea"));
        assert_eq!(named("hb"), Named::Nothing("hb"));
        assert_eq!(named(""), Named::Nothing(""));
        assert_eq!(named("-"), Named::Nothing("-"));
    }
}
