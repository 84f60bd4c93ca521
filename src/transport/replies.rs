//! When the receiver answers. Pure: counts in, a verdict out.

/// An answer is sent at once after so many batches.
pub(super) const FRAMES_PER_REPLY: u32 = 4;

/// So many answers that carry credit alone may go to a sender that is not heard meanwhile. It keeps
/// what waits on a connection to a stopped process bounded.
const UNHEARD_REPLIES: u32 = 1000;

/// What speaks for answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing is to be said.
    Nothing,
    /// It can wait a moment for more.
    Soon,
    /// The sender may be waiting for it.
    Now,
}

/// Gathers what the next answer will say.
#[derive(Clone, Debug)]
pub(super) struct Replies {
    bytes_at_once: u64,
    credit_at_once: u64,
    frames: u32,
    bytes: u64,
    asked: bool,
    unheard: u32,
}

impl Replies {
    /// For a link's window and a task's credit, in bytes.
    pub(super) fn new(window: usize, credit: usize) -> Self {
        Self {
            bytes_at_once: (window / 4) as u64,
            credit_at_once: (credit / 4).max(1) as u64,
            frames: 0,
            bytes: 0,
            asked: false,
            unheard: 0,
        }
    }

    /// A batch was taken, or dropped as a repetition.
    pub(super) fn batch(&mut self, bytes: usize) {
        self.unheard = 0;
        self.frames += 1;
        self.bytes += bytes as u64;
    }

    /// The sender asks for a sign of life.
    pub(super) fn ping(&mut self) {
        self.unheard = 0;
        self.asked = true;
    }

    /// Whether the sender asks for a sign of life.
    pub(super) fn is_asked(&self) -> bool {
        self.asked
    }

    /// Whether to answer; `credit` bytes have been given back and not been reported.
    pub(super) fn due(&self, credit: u64) -> Due {
        let batches = self.frames >= FRAMES_PER_REPLY || self.bytes >= self.bytes_at_once;
        let may_tell = self.frames > 0 || self.unheard < UNHEARD_REPLIES;
        if self.asked || (self.frames > 0 && batches) || (may_tell && credit >= self.credit_at_once)
        {
            Due::Now
        } else if self.frames > 0 || (may_tell && credit > 0) {
            Due::Soon
        } else {
            Due::Nothing
        }
    }

    /// An answer was sent.
    pub(super) fn sent(&mut self) {
        self.unheard += u32::from(self.frames == 0 && !self.asked);
        self.frames = 0;
        self.bytes = 0;
        self.asked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_goes_for_four_batches_or_a_quarter_of_the_window() {
        let mut replies = Replies::new(1000, 1000);
        for _ in 0..3 {
            replies.batch(10);
            assert_eq!(replies.due(0), Due::Soon);
        }
        replies.batch(10);
        assert_eq!(replies.due(0), Due::Now);
        replies.sent();
        assert_eq!(replies.due(0), Due::Nothing);
        replies.batch(250);
        assert_eq!(replies.due(0), Due::Now);
    }

    #[test]
    fn credit_waits_until_it_is_a_quarter_and_pings_never_wait() {
        let mut replies = Replies::new(1000, 1000);
        assert_eq!(replies.due(249), Due::Soon);
        assert_eq!(replies.due(250), Due::Now);
        replies.batch(1);
        assert_eq!(replies.due(250), Due::Now);
        replies.ping();
        assert_eq!(replies.due(0), Due::Now);
    }

    #[test]
    fn credit_alone_is_not_told_for_ever_to_a_sender_that_is_silent() {
        let mut replies = Replies::new(1000, 1000);
        let told = std::iter::from_fn(|| (replies.due(500) == Due::Now).then(|| replies.sent()));
        assert_eq!(told.count(), 1000);
        replies.ping();
        assert_eq!(replies.due(500), Due::Now);
    }
}
