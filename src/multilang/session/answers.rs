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
    /// A heartbeat, by its marker's number.
    Heartbeat(u64),
    /// A tick: these are not tracked.
    Tick,
    /// Something that this engine never gave.
    Nothing(&'a str),
}

/// The id of a heartbeat, without its sign: odd numbers.
pub(super) fn heartbeat_id(marker: u64) -> u64 {
    marker * 2 - 1
}

/// The id of the tick of that number, without its sign: even numbers.
pub(super) fn tick_id(tick: u64) -> u64 {
    tick * 2
}

/// Reads an id.
#[inline]
pub(super) fn named(id: &str) -> Named<'_> {
    let Some(own) = id.strip_prefix('-') else {
        return id.parse().map_or(Named::Nothing(id), Named::Tuple);
    };
    match own.parse::<u64>() {
        Ok(own) if own % 2 == 1 => Named::Heartbeat(own / 2 + 1),
        Ok(_) => Named::Tick,
        Err(_) => Named::Nothing(id),
    }
}

impl BoltSession {
    pub(super) fn ack(&mut self, id: &str, out: &mut Collector<'_>) {
        match named(id) {
            Named::Tuple(id) => self.ack_number(id, out),
            Named::Tick => {}
            Named::Heartbeat(marker) => self.took_for_tuple(marker),
            Named::Nothing(id) => self.complain_unknown(id),
        }
    }

    /// A client that knows no heartbeats takes one for a tuple. Its answer is as good as a `sync`.
    fn took_for_tuple(&mut self, marker: u64) {
        if !self.synced {
            self.flow.answer(marker);
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
        if let Some(trace) = trace {
            self.desk.error(trace);
        }
        if let (None, Some(reason)) = (trace, reason) {
            self.desk.log(Level::Warn, &format!("failed a tuple: {reason}"));
        }
        let number = match named(id) {
            Named::Tuple(number) => number,
            Named::Tick => return,
            Named::Heartbeat(marker) => return self.took_for_tuple(marker),
            Named::Nothing(id) => return self.complain_unknown(id),
        };
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
        self.desk.forget_error();
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
        assert_eq!(named(&format!("-{}", heartbeat_id(389))), Named::Heartbeat(389));
        assert_eq!(named(&format!("-{}", tick_id(389))), Named::Tick);
        assert_eq!(named("hb"), Named::Nothing("hb"));
        assert_eq!(named(""), Named::Nothing(""));
        assert_eq!(named("-"), Named::Nothing("-"));
    }
}
