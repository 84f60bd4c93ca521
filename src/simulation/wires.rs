//! The wires between workers: in order, late, cut at any byte.
//!
//! A connection goes from the sender to the receiver and back. Where it is cut, what was on it arrives
//! up to some byte, perhaps behind the first frames of the next connection; the rest is lost.

use std::collections::BTreeMap;

use crate::base::{Timestamp, WorkerSlot};
use crate::transport::simulated::Parcel;

use super::books::Life;

/// Frames that are longer say more than that somebody lives.
const PING: usize = 55;

/// One direction of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way {
    sent: u64,
    arrived: u64,
    last: Timestamp,
    /// What is behind this byte never arrives.
    cut: Option<u64>,
    /// The next frame but so many vanishes. Pings and empty answers do not count, hellos and welcomes do.
    loses: Option<u32>,
}

impl Way {
    /// Puts a frame on the wire: when it arrives, and its end.
    fn send(&mut self, parcel: &Parcel, at: Timestamp) -> (Timestamp, u64) {
        self.sent += parcel.len() as u64;
        self.last = self.last.max(at);
        (self.last, self.sent)
    }

    /// Whether a frame that ends there arrives.
    fn arrive(&mut self, end: u64) -> bool {
        let whole = self.cut.is_none_or(|cut| end <= cut);
        if whole {
            self.arrived = end;
        }
        whole
    }

    /// Whether the frame that arrives vanishes.
    fn vanish(&mut self, length: usize) -> bool {
        let Some(before) = self.loses.filter(|_| self.arrived == 0 || length > PING) else {
            return false;
        };
        self.loses = before.checked_sub(1);
        self.loses.is_none()
    }

    fn break_off(&mut self, dice: &mut fastrand::Rng) {
        if self.cut.is_none() {
            // What a killed process has sent may come as a whole.
            let whole = dice.bool();
            self.cut = Some(if whole { self.sent } else { dice.u64(self.arrived..=self.sent) });
        }
    }
}

/// One connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    pub(super) from: Life,
    pub(super) to: Life,
    open: bool,
    /// What is on it when it is cut arrives not before then.
    held: Timestamp,
    forward: Way,
    back: Way,
}

/// All connections there ever were.
#[derive(Debug, Default)]
pub(super) struct Wires {
    all: BTreeMap<u64, Wire>,
    /// The sender's present connection.
    lines: BTreeMap<(Life, WorkerSlot), u64>,
    numbers: u64,
    /// Frames that have vanished.
    pub(super) lost: u64,
}

impl Wires {
    /// All who had connections are gone.
    pub(super) fn begin_anew(&mut self) {
        self.all.clear();
        self.lines.clear();
    }

    /// A new connection.
    pub(super) fn connect(&mut self, from: Life, to: Life) -> u64 {
        self.numbers += 1;
        let (forward, back) = (Way::default(), Way::default());
        self.all
            .insert(self.numbers, Wire { from, to, open: true, held: Timestamp(0), forward, back });
        self.lines.insert((from, to.0), self.numbers);
        self.numbers
    }

    /// The connection that a sender has now.
    pub(super) fn line(&self, from: Life, to: WorkerSlot) -> Option<u64> {
        self.lines.get(&(from, to)).copied()
    }

    /// The sender has seen that its connection is gone; false where it has another by now.
    pub(super) fn drop_line(&mut self, from: Life, to: WorkerSlot, wire: u64) -> bool {
        let mine = self.line(from, to) == Some(wire);
        if mine {
            self.lines.remove(&(from, to));
        }
        mine
    }

    pub(super) fn get(&self, wire: u64) -> Wire {
        self.all[&wire]
    }

    /// Puts a frame on a wire; nothing where it is cut.
    pub(super) fn send(
        &mut self,
        wire: u64,
        back: bool,
        parcel: &Parcel,
        at: Timestamp,
    ) -> Option<(Timestamp, u64)> {
        let wire = self.all.get_mut(&wire).filter(|wire| wire.open)?;
        let way = if back { &mut wire.back } else { &mut wire.forward };
        Some(way.send(parcel, at))
    }

    /// Whether a frame of a length that ends at a byte arrives.
    pub(super) fn arrive(&mut self, wire: u64, back: bool, end: u64, length: usize) -> bool {
        let wire = self.all.get_mut(&wire).expect("frames are on wires");
        let way = if back { &mut wire.back } else { &mut wire.forward };
        if way.vanish(length) {
            self.lost += 1;
            return false;
        }
        way.arrive(end)
    }

    /// Until when the rest of a wire that was cut is held up.
    pub(super) fn held_until(&self, wire: u64) -> Option<Timestamp> {
        self.all.get(&wire).filter(|wire| !wire.open).map(|wire| wire.held)
    }

    /// The next frame of a wire but so many vanishes, and those behind it arrive.
    pub(super) fn lose(&mut self, wire: u64, back: bool, after: u32) {
        let wire = self.all.get_mut(&wire).expect("wires are numbered");
        let way = if back { &mut wire.back } else { &mut wire.forward };
        way.loses = Some(after);
    }

    /// Cuts a wire; false where it was cut already.
    pub(super) fn cut(&mut self, wire: u64, held: Timestamp, dice: &mut fastrand::Rng) -> bool {
        let wire = self.all.get_mut(&wire).expect("wires are numbered");
        wire.forward.break_off(dice);
        wire.back.break_off(dice);
        wire.held = held;
        std::mem::replace(&mut wire.open, false)
    }

    /// The open connections.
    pub(super) fn open(&self) -> Vec<u64> {
        self.all.iter().filter(|(_, wire)| wire.open).map(|(number, _)| *number).collect()
    }

    /// The open connections from or to a life.
    pub(super) fn of(&self, life: Life) -> Vec<u64> {
        let mine = |wire: &Wire| wire.open && (wire.from == life || wire.to == life);
        self.all.iter().filter(|(_, wire)| mine(wire)).map(|(number, _)| *number).collect()
    }
}
