//! How a bolt task passes marks and ends, once or again in another life of its worker.

use crate::base::TaskId;
use crate::component::Progress;
use crate::metrics::DropReason;
use crate::topology::Guarantee;
use crate::tuple::Tuple;

use super::super::housing::TaskState;
use super::super::mark::Mark;
use super::{BoltTask, Life, Redrain, Stage};

impl BoltTask {
    /// The task had ended in an earlier life of its worker.
    pub(in super::super) fn skip(&mut self) {
        (self.stage, self.life) = (Stage::Closed, Life::Over);
        self.output.mark(Mark::End);
    }

    /// What a producer sends behind its end mark was all there before: it ended, its worker was lost, and
    /// its successor did not know that.
    pub(super) fn take_tuples(&mut self, tuples: Vec<Tuple>) {
        let ended = tuples.first().is_some_and(|first| self.board.has_ended(first.source));
        if ended || matches!(self.life, Life::Over) {
            self.housing.counters.count_dropped(DropReason::AfterEnd, tuples.len() as u64);
            for tuple in &tuples {
                self.output.complete(&tuple.anchors);
            }
        } else {
            self.taken = tuples.into_iter();
        }
    }

    /// A drain mark that comes again asks the component to give up what it has held since.
    pub(super) fn note_mark(&mut self, from: TaskId, mark: Mark) {
        let has_ended = self.board.has_ended(from);
        if self.board.note(from, mark) && mark == Mark::Drain && !has_ended {
            self.redrain = Redrain::Wanted;
        }
    }

    /// Passes marks that all producers have sent, once the component lets them. It may emit a part of
    /// its results at a time, and is not asked for more while the outputs are full.
    pub(super) fn pass_marks(&mut self) {
        if self.taken.len() > 0 || !self.output.has_room() {
            return;
        }
        let reached = self.board.reached();
        if self.stage == Stage::Working
            && reached >= Some(Mark::Drain)
            && self.guarded(|bolt, out| bolt.drain(out)) == Some(Progress::Done)
        {
            self.stage = Stage::Drained;
            self.output.mark(Mark::Drain);
            self.housing.enter(TaskState::Drained);
        }
        self.drain_again();
        if self.stage == Stage::Drained
            && self.redrain == Redrain::Done
            && reached == Some(Mark::End)
            && self.end() == Some(Progress::Done)
        {
            self.stage = Stage::Ending;
        }
        if self.stage == Stage::Ending && self.output.open_finals() == 0 {
            self.stage = Stage::Closing;
            self.output.mark(Mark::End);
        }
        if self.stage == Stage::Closing
            && self.guarded(|bolt, out| Ok(bolt.close(out))) == Some(Progress::Done)
        {
            self.stage = Stage::Closed;
        }
    }

    fn drain_again(&mut self) {
        if self.redrain == Redrain::Done || self.stage == Stage::Working {
            return;
        }
        if self.redrain == Redrain::Wanted {
            self.redrain = Redrain::Asked;
            if let Life::Open(bolt, _) = &mut self.life {
                bolt.drain_anew();
            }
        }
        if self.guarded(|bolt, out| bolt.drain(out)) == Some(Progress::Done) {
            self.redrain = Redrain::Done;
            if self.stage < Stage::Closing {
                // What was given up may be held further on.
                self.output.mark(Mark::Drain);
            }
        }
    }

    fn end(&mut self) -> Option<Progress> {
        if self.housing.shop.settings.guarantee == Guarantee::AtLeastOnce {
            self.output.track_finals(&self.housing);
        }
        self.guarded(|bolt, out| bolt.end(out))
    }
}
