//! In-band marks and who has sent which. Pure.

use std::collections::BTreeMap;

use crate::base::TaskId;

/// A mark that travels in the same lane as tuples, behind all that was emitted before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// The producing task has no more input; replays may still come.
    Drain,
    /// Every tuple of the run is done.
    End,
}

impl Mark {
    /// The mark's byte on the wire.
    pub fn code(self) -> u8 {
        match self {
            Self::Drain => 1,
            Self::End => 2,
        }
    }

    /// The mark of a byte on the wire.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Drain),
            2 => Some(Self::End),
            _ => None,
        }
    }
}

/// Which marks have come from which producing task. It is looked at in each turn, and there may be a thousand
/// producers: so they are counted.
#[derive(Clone, Debug)]
pub(crate) struct MarkBoard {
    last: BTreeMap<TaskId, Option<Mark>>,
    /// How many have sent a drain mark, or more.
    drained: usize,
    ended: usize,
}

impl MarkBoard {
    /// A board for these producing tasks.
    pub(crate) fn new(producers: impl IntoIterator<Item = TaskId>) -> Self {
        let last = producers.into_iter().map(|task| (task, None)).collect();
        Self { last, drained: 0, ended: 0 }
    }

    /// Notes a mark; whether it had come before (from an earlier life of the producer, or because that asks
    /// once more for what is held).
    pub(crate) fn note(&mut self, from: TaskId, mark: Mark) -> bool {
        let Some(last) = self.last.get_mut(&from) else { return false };
        let came_before = *last >= Some(mark);
        if !came_before {
            self.drained += usize::from(last.is_none());
            self.ended += usize::from(mark == Mark::End);
            *last = Some(mark);
        }
        came_before
    }

    /// Whether a producing task has sent its last.
    pub(crate) fn has_ended(&self, from: TaskId) -> bool {
        self.ended > 0 && self.last.get(&from) == Some(&Some(Mark::End))
    }

    /// The greatest mark that all producing tasks have sent.
    pub(crate) fn reached(&self) -> Option<Mark> {
        match self.last.len() {
            0 => None,
            all if self.ended == all => Some(Mark::End),
            all if self.drained == all => Some(Mark::Drain),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_reached_when_every_producer_has_sent_it() {
        let mut board = MarkBoard::new([TaskId(1), TaskId(2)]);
        assert!(!board.note(TaskId(1), Mark::Drain));
        assert!(board.note(TaskId(1), Mark::Drain));
        assert_eq!(board.reached(), None);
        board.note(TaskId(2), Mark::End);
        assert_eq!(board.reached(), Some(Mark::Drain));
        board.note(TaskId(1), Mark::End);
        board.note(TaskId(1), Mark::Drain);
        board.note(TaskId(9), Mark::Drain);
        assert_eq!(board.reached(), Some(Mark::End));
        assert!(board.has_ended(TaskId(1)) && !board.has_ended(TaskId(9)));
    }
}
