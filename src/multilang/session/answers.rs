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
    /// A tick or heartbeat: these are not tracked.
    Own,
    /// Something that this engine never gave.
    Nothing(&'a str),
}

/// Reads an id.
#[inline]
pub(super) fn named(id: &str) -> Named<'_> {
    match id.strip_prefix('-') {
        None => id.parse().map_or(Named::Nothing(id), Named::Tuple),
        Some(own) if own.parse::<u64>().is_ok() => Named::Own,
        Some(_) => Named::Nothing(id),
    }
}

impl BoltSession {
    pub(super) fn ack(&mut self, id: &str, out: &mut Collector<'_>) {
        match named(id) {
            Named::Tuple(id) => self.ack_number(id, out),
            Named::Own => {}
            Named::Nothing(id) => self.complain_unknown(id),
        }
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
            Named::Own => return,
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
            Some(tuple) => {
                let reason = reason.unwrap_or("failed by the bolt");
                match trace {
                    Some(trace) => out.fail(tuple.ticket, &format!("{reason}\n{trace}")),
                    None => out.fail(tuple.ticket, reason),
                }
            }
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
        assert_eq!(named("-777"), Named::Own);
        assert_eq!(named("hb"), Named::Nothing("hb"));
        assert_eq!(named(""), Named::Nothing(""));
        assert_eq!(named("-"), Named::Nothing("-"));
    }
}
