//! What time brings to a bolt's child: heartbeats, time-outs, tuples that are never answered. Pure.

use std::time::Duration;

use crate::base::Timestamp;
use crate::component::Collector;

use super::bolt::BoltSession;
use super::open::OpenTuple;
use super::settings::SessionError;

/// A heartbeat is sent when none was for this long.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often what takes long is looked for.
pub(super) const CHECK: Duration = Duration::from_millis(500);
/// How long a suspect stays alone after the child has taken it without an answer.
pub(super) const ALONE: Duration = Duration::from_secs(2);
/// Nobody has listened where more time passes between two looks, which come several times a second.
const PAUSE: Duration = Duration::from_secs(2);
/// A tuple that was taken and is not answered is forgotten after so many message time-outs: its root
/// is long gone, or was put off a few times.
pub(super) const FORGET_AFTER: u32 = 4;

impl BoltSession {
    /// Does what is due. Called after output was handled, and at least twice a second; `room`
    /// says whether the pipe takes more.
    ///
    /// # Errors
    /// When the child has to be given up.
    pub fn advance(
        &mut self,
        now: Timestamp,
        room: bool,
        out: &mut Collector<'_>,
    ) -> Result<(), SessionError> {
        self.forgive_pause(now);
        let silent = self.liveness.listened(now);
        if !self.greeted {
            let limit = self.settings.handshake_timeout;
            return if now.since(self.started) > limit {
                Err(if self.answered {
                    SessionError::NotStarted(limit)
                } else {
                    SessionError::NoHandshake(limit)
                })
            } else {
                Ok(())
            };
        }
        if self.tick_due {
            self.tick(room);
        }
        if self.settings.heartbeat {
            let limit = self.silence_limit();
            if silent > limit && (self.flow.is_marked() || !room) {
                return Err(SessionError::Silent(limit));
            }
            if room && !self.flow.is_marked() && now.since(self.last_marker) >= HEARTBEAT {
                self.mark(now);
            }
        }
        self.note_taken(now);
        if now.since(self.last_check) >= CHECK {
            self.last_check = now;
            self.check(now, out)?;
        }
        self.send_waiting(now);
        Ok(())
    }

    /// While what the child emits has nowhere to go it is not listened to, and its answers wait unread:
    /// that time is not the child's.
    fn forgive_pause(&mut self, now: Timestamp) {
        let pause = now.since(std::mem::replace(&mut self.last_advance, now));
        if pause >= PAUSE {
            self.open.put_off(pause);
        }
    }

    /// A child that works on a tuple within that tuple's own time-out may be silent for as long.
    fn silence_limit(&self) -> Duration {
        let limit = self.settings.heartbeat_timeout;
        match self.settings.tuple_timeout {
            // A little longer, so that the more telling error comes first.
            Some(timeout) if self.open.len() > 0 => limit.max(timeout + CHECK * 4),
            _ => limit,
        }
    }

    /// A tuple's own time-out runs from when the child may have begun with it.
    fn note_taken(&mut self, now: Timestamp) {
        let taken = self.flow.taken();
        self.uptake.note(taken, now);
        if self.settings.tuple_timeout.is_some() && taken > self.timed {
            for id in self.timed + 1..=taken + 1 {
                if let Some(tuple) = self.open.get_mut(id) {
                    tuple.since = now;
                }
            }
            self.timed = taken;
        }
        if let Some(alone) = self.alone.as_mut().filter(|alone| taken >= alone.id) {
            alone.taken.get_or_insert(now);
        }
    }

    fn check(&mut self, now: Timestamp, out: &mut Collector<'_>) -> Result<(), SessionError> {
        self.release_alone(now);
        let Some(timeout) = self.settings.tuple_timeout else {
            self.forget(now);
            return Ok(());
        };
        let in_hand = self.flow.taken() + 1;
        let hangs =
            |(id, tuple): (u64, &OpenTuple)| id <= in_hand && now.since(tuple.since) > timeout;
        let mut overdue = self.open.iter().filter(|(id, tuple)| hangs((*id, tuple)));
        if let Some((id, _)) = overdue.next() {
            let only = overdue.next().is_none();
            self.overdue = only.then_some(id);
            self.alone = None;
            return Err(SessionError::TupleTimeout(timeout));
        }
        if now.since(self.last_keepalive) >= self.settings.message_timeout / 3 {
            self.last_keepalive = now;
            for (_, tuple) in self.open.iter().filter(|(_, tuple)| !tuple.failed) {
                out.reset_timeout(&tuple.ticket);
            }
        }
        Ok(())
    }

    /// A suspect that was taken and neither answered nor deadly for a while need not be alone.
    fn release_alone(&mut self, now: Timestamp) {
        let over = self.alone.is_some_and(|alone| {
            let waited = alone.taken.or_else(|| {
                // Without heartbeats nobody says that it was taken.
                let since = self.open.get(alone.id).map(|tuple| tuple.since);
                since.filter(|_| !self.settings.heartbeat)
            });
            waited.is_some_and(|since| now.since(since) >= ALONE)
        });
        if over {
            self.alone = None;
        }
    }

    /// What waits in front of a child that stands still is not forgotten: it may be long until the
    /// child goes on, and time-outs are put off meanwhile.
    fn forget(&mut self, now: Timestamp) {
        let limit = self.settings.message_timeout * FORGET_AFTER;
        while let Some(oldest) = self.open.oldest() {
            let given = self.open.get(oldest).map_or(now, |tuple| tuple.since);
            let since = if self.settings.heartbeat {
                self.uptake.taken_at(oldest).map_or(now, |taken| taken.max(given))
            } else {
                given // Nobody says that it was taken.
            };
            if now.since(since) <= limit {
                return;
            }
            self.open.remove(oldest);
            self.desk.complain(
                "tuples_never_answered",
                "a tuple was neither acked nor failed; its time-out has taken care of it",
            );
        }
    }
}
