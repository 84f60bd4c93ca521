//! Whether a second thread is worth waking. Pure: time is an argument.

use std::time::Duration;

use super::super::Timestamp;

/// So short a time at work beside others does not pay for waking up and lying down again.
const SHORT: Duration = Duration::from_micros(50);
/// So many short times in a row, and no thread is woken any more for what another one has time for.
const PATIENCE: u32 = 64;
/// How long a lookout naps, at first and at last.
const NAP_LEAST: Duration = Duration::from_micros(200);
const NAP_GREATEST: Duration = Duration::from_millis(5);
/// A turn so long has held up what waited behind it.
const LONG: Duration = Duration::from_micros(200);

/// What became of threads that were woken while others were at work. Where they go on for long they are welcome;
/// where each finds next to nothing, waking them costs more than it gives.
#[derive(Debug, Default)]
pub(super) struct Help {
    /// When one last began.
    began: Timestamp,
    /// How many in a row were short.
    short: u32,
    /// The second thread is a spare one.
    is_spare: bool,
    /// The thread that steps in for another, which has not looked since.
    relief: Option<usize>,
}

impl Help {
    /// Where one thread is to do all, and a second one is there for what waits while the first is held up.
    pub(super) fn spare() -> Self {
        Self { is_spare: true, ..Self::default() }
    }

    /// A thread has found something to do while others are at work.
    pub(super) fn begins(&mut self, at: Timestamp) {
        self.began = at;
    }

    /// A thread has no more to do while others are at work.
    pub(super) fn ends(&mut self, at: Timestamp) {
        if at.since(self.began) < SHORT {
            self.was_in_vain();
        } else {
            self.short = 0;
        }
    }

    /// A thread was woken while others are at work, and there was nothing for it.
    pub(super) fn was_in_vain(&mut self) {
        self.short = self.short.saturating_add(1);
    }

    /// A task took so long, while others waited for its thread.
    pub(super) fn waited(&mut self, turn: Duration) {
        if turn >= LONG {
            self.short = 0;
        }
    }

    /// Something has waited for as long as the lookout, thread `number`, has napped, and nobody that is at work
    /// has looked.
    pub(super) fn all_are_held_up(&mut self, number: usize) {
        self.short = 0;
        self.relief = self.is_spare.then_some(number);
    }

    /// A thread looks for something to do.
    pub(super) fn looks(&mut self, number: usize) {
        if self.relief.is_some_and(|relief| relief != number) {
            self.relief = None;
        }
    }

    /// Whether one of two threads that are at work is too many.
    pub(super) fn has_surplus(&self) -> bool {
        self.is_spare && self.relief.is_none()
    }

    /// How long the lookout naps: whoever is at work does what there is, and one of those that sleep looks
    /// from time to time whether there is too much. `None`: a thread is woken for each task that waits.
    pub(super) fn nap(&self) -> Option<Duration> {
        if self.is_spare {
            // However much there is: only who is held up is helped.
            return self.relief.is_none().then_some(NAP_GREATEST);
        }
        let times = self.short.checked_sub(PATIENCE)?;
        Some((NAP_LEAST * (1 << times.min(10))).min(NAP_GREATEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Help that has begun and ended `times` times and lasted that long each time.
    fn helped(help: &mut Help, times: u32, lasted: Duration) {
        let start = Timestamp(1_000_000);
        for _ in 0..times {
            help.begins(start);
            help.ends(start + lasted);
        }
    }

    #[test]
    fn short_help_in_a_row_ends_in_naps_that_grow() {
        let mut help = Help::default();
        helped(&mut help, PATIENCE - 1, SHORT / 2);
        assert_eq!(help.nap(), None);
        helped(&mut help, 1, SHORT / 2);
        assert_eq!(help.nap(), Some(NAP_LEAST));
        help.was_in_vain();
        assert_eq!(help.nap(), Some(NAP_LEAST * 2));
        (0..1000).for_each(|_| help.was_in_vain());
        assert_eq!(help.nap(), Some(NAP_GREATEST));
    }

    #[test]
    fn help_that_lasts_and_turns_that_hold_others_up_end_the_naps() {
        let mut help = Help::default();
        helped(&mut help, PATIENCE, Duration::ZERO);
        helped(&mut help, 1, SHORT);
        assert_eq!(help.nap(), None);
        helped(&mut help, PATIENCE, Duration::ZERO);
        help.waited(LONG / 2);
        assert!(help.nap().is_some());
        help.waited(LONG);
        assert_eq!(help.nap(), None);
    }

    #[test]
    fn a_spare_thread_is_woken_as_long_as_the_other_is_held_up() {
        let mut help = Help::spare();
        assert_eq!(help.nap(), Some(NAP_GREATEST));
        help.waited(LONG);
        helped(&mut help, 1, SHORT);
        assert_eq!(help.nap(), Some(NAP_GREATEST));
        assert!(help.has_surplus());
        help.all_are_held_up(1);
        for _ in 0..1000 {
            helped(&mut help, 1, Duration::ZERO);
            help.was_in_vain();
            help.looks(1);
            assert_eq!((help.nap(), help.has_surplus()), (None, false));
        }
        help.looks(0);
        assert_eq!((help.nap(), help.has_surplus()), (Some(NAP_GREATEST), true));
    }
}
