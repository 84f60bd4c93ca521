//! What each consuming task may still be sent. Pure: no clock, no I/O, no locks.
//!
//! Both sides keep running totals for each task, and the receiver always names its total: a lost or
//! repeated reply does no harm, and a new connection begins with all totals.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::base::TaskId;

/// A task's total of bytes given back, as the receiver names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Returned {
    /// The consuming task.
    pub(super) task: TaskId,
    /// All bytes that it has taken since this sender's boot.
    pub(super) total: u64,
}

/// Why a credit message cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CreditError {
    /// More came back than went out.
    #[error("task {0} gave back more than it was sent")]
    TooMuch(TaskId),
    /// A total for a task that nothing was sent to.
    #[error("task {0} gave back without having been sent anything")]
    Unknown(TaskId),
    /// More tasks than a worker can have.
    #[error("parts for more than {MAX_TASKS} tasks came")]
    TooManyTasks,
}

/// A bound on what a confused peer can make the account hold.
const MAX_TASKS: usize = 65_536;

#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    sent: u64,
    returned: u64,
}

/// The sender's account of one peer.
#[derive(Clone, Debug)]
pub(super) struct SenderCredit {
    limit: u64,
    tasks: HashMap<TaskId, Spent>,
    outstanding: u64,
}

impl SenderCredit {
    /// An account that allows `limit` bytes to each task.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit as u64, tasks: HashMap::new(), outstanding: 0 }
    }

    /// Spends, where the task's credit allows it, or where all of it is free: so a part larger than the
    /// whole credit gets through alone.
    pub(super) fn try_spend(&mut self, task: TaskId, bytes: usize) -> bool {
        let spent = self.tasks.entry(task).or_default();
        let out = spent.sent - spent.returned;
        if out > 0 && out + bytes as u64 > self.limit {
            return false;
        }
        spent.sent += bytes as u64;
        self.outstanding += bytes as u64;
        true
    }

    /// Books what a task has given back; true where that was news.
    pub(super) fn give_back(&mut self, back: Returned) -> Result<bool, CreditError> {
        let spent = self.tasks.get_mut(&back.task).ok_or(CreditError::Unknown(back.task))?;
        if back.total > spent.sent {
            return Err(CreditError::TooMuch(back.task));
        }
        let freed = back.total.saturating_sub(spent.returned);
        spent.returned += freed;
        self.outstanding -= freed;
        Ok(freed > 0)
    }

    /// Bytes that all tasks together have not yet given back.
    pub(super) fn outstanding(&self) -> u64 {
        self.outstanding
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    delivered: u64,
    returned: u64,
    /// Bytes of the sender's former lives that the task has still to take; they count for nobody.
    stale: u64,
    listed: bool,
}

/// The receiver's account of one peer.
#[derive(Clone, Debug, Default)]
pub(super) struct ReceiverCredit {
    tasks: HashMap<TaskId, Taken>,
    changed: Vec<TaskId>,
    unreported: u64,
    held: u64,
}

impl ReceiverCredit {
    /// Books a part that goes to a task's mailbox.
    pub(super) fn delivered(&mut self, task: TaskId, bytes: usize) -> Result<(), CreditError> {
        let count = self.tasks.len();
        let taken = match self.tasks.entry(task) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if count >= MAX_TASKS => return Err(CreditError::TooManyTasks),
            Entry::Vacant(entry) => entry.insert(Taken::default()),
        };
        taken.delivered += bytes as u64;
        self.held += bytes as u64;
        Ok(())
    }

    /// Books a part that a task has taken.
    pub(super) fn take(&mut self, task: TaskId, bytes: usize) -> Result<(), CreditError> {
        let taken = self.tasks.get_mut(&task).ok_or(CreditError::Unknown(task))?;
        let stale = taken.stale.min(bytes as u64);
        taken.stale -= stale;
        let fresh = bytes as u64 - stale;
        if fresh > taken.delivered - taken.returned {
            return Err(CreditError::TooMuch(task));
        }
        taken.returned += fresh;
        self.unreported += fresh;
        self.held -= fresh;
        if fresh > 0 && !taken.listed {
            taken.listed = true;
            self.changed.push(task);
        }
        Ok(())
    }

    /// Bytes given back that no report has named yet.
    pub(super) fn unreported(&self) -> u64 {
        self.unreported
    }

    /// Bytes delivered and not yet taken.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// The totals that changed since the last report.
    pub(super) fn report(&mut self) -> Vec<Returned> {
        self.unreported = 0;
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .filter_map(|task| {
                let taken = self.tasks.get_mut(&task)?;
                taken.listed = false;
                Some(Returned { task, total: taken.returned })
            })
            .collect()
    }

    /// Every total, for a new connection.
    pub(super) fn full_report(&mut self) -> Vec<Returned> {
        self.changed.clear();
        self.unreported = 0;
        // A task that holds parts of an earlier life alone means nothing to this one.
        self.tasks
            .iter_mut()
            .filter(|(_, taken)| taken.delivered > 0)
            .map(|(&task, taken)| {
                taken.listed = false;
                Returned { task, total: taken.returned }
            })
            .collect()
    }

    /// Begins anew for another life of the sender; what tasks still hold of the old one will count
    /// for nobody.
    pub(super) fn begin_anew(&mut self) {
        for taken in self.tasks.values_mut() {
            *taken =
                Taken { stale: taken.stale + taken.delivered - taken.returned, ..Taken::default() };
        }
        self.tasks.retain(|_, taken| taken.stale > 0);
        self.changed.clear();
        self.unreported = 0;
        self.held = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const TASK: TaskId = TaskId(7);

    #[test]
    fn a_new_life_is_not_told_of_what_an_earlier_one_sent() {
        let mut receiver = ReceiverCredit::default();
        receiver.delivered(TASK, 100).unwrap();
        receiver.begin_anew();
        assert_eq!(receiver.full_report(), []);
        receiver.take(TASK, 100).unwrap();
        assert_eq!(receiver.report(), []);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Send(u32, usize),
        Take(u32),
        Report { lost: bool },
        Reconnect,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1..4_u32, 1..1500_usize).prop_map(|(task, bytes)| Step::Send(task, bytes)),
            4 => (1..4_u32).prop_map(Step::Take),
            2 => any::<bool>().prop_map(|lost| Step::Report { lost }),
            1 => Just(Step::Reconnect),
        ]
    }

    proptest! {
        #[test]
        fn credit_is_never_exceeded_and_all_of_it_comes_back(
            steps in prop::collection::vec(step(), 0..300),
        ) {
            const LIMIT: usize = 1000;
            let mut sender = SenderCredit::new(LIMIT);
            let mut receiver = ReceiverCredit::default();
            let mut held: HashMap<TaskId, VecDeque<usize>> = HashMap::new();
            for step in steps {
                match step {
                    Step::Send(task, bytes) => {
                        let task = TaskId(task);
                        let mailbox = held.entry(task).or_default();
                        if sender.try_spend(task, bytes) {
                            let before: usize = mailbox.iter().sum();
                            prop_assert!(before == 0 || before + bytes <= LIMIT);
                            mailbox.push_back(bytes);
                            receiver.delivered(task, bytes).unwrap();
                        }
                    }
                    Step::Take(task) => {
                        let task = TaskId(task);
                        if let Some(bytes) = held.entry(task).or_default().pop_front() {
                            receiver.take(task, bytes).unwrap();
                        }
                    }
                    Step::Report { lost } => {
                        for back in receiver.report() {
                            if !lost {
                                sender.give_back(back).unwrap();
                            }
                        }
                    }
                    Step::Reconnect => {
                        for back in receiver.full_report() {
                            sender.give_back(back).unwrap();
                            prop_assert!(!sender.give_back(back).unwrap(), "a repetition is no news");
                        }
                    }
                }
                let in_mailboxes: usize = held.values().flatten().sum();
                prop_assert_eq!(receiver.held(), in_mailboxes as u64);
                prop_assert!(sender.outstanding() >= in_mailboxes as u64);
            }
            for (task, parts) in held {
                for bytes in parts {
                    receiver.take(task, bytes).unwrap();
                }
            }
            for back in receiver.full_report() {
                sender.give_back(back).unwrap();
            }
            prop_assert_eq!(sender.outstanding(), 0);
        }
    }

    #[test]
    fn a_part_larger_than_the_credit_goes_alone() {
        let mut sender = SenderCredit::new(100);
        assert!(sender.try_spend(TASK, 1));
        assert!(!sender.try_spend(TASK, 500));
        sender.give_back(Returned { task: TASK, total: 1 }).unwrap();
        assert!(sender.try_spend(TASK, 500));
        assert!(!sender.try_spend(TASK, 1));
        assert!(sender.try_spend(TaskId(8), 1), "another task has its own credit");
    }

    #[test]
    fn totals_that_cannot_be_are_refused() {
        let mut sender = SenderCredit::new(100);
        sender.try_spend(TASK, 10);
        let back = |task, total| Returned { task, total };
        assert_eq!(sender.give_back(back(TASK, 11)), Err(CreditError::TooMuch(TASK)));
        let other = TaskId(9);
        assert_eq!(sender.give_back(back(other, 0)), Err(CreditError::Unknown(other)));
    }

    #[test]
    fn parts_of_a_former_life_give_no_credit_to_the_next() {
        let mut receiver = ReceiverCredit::default();
        receiver.delivered(TASK, 30).unwrap();
        receiver.take(TASK, 10).unwrap();
        receiver.begin_anew();
        receiver.delivered(TASK, 5).unwrap();
        receiver.take(TASK, 20).unwrap();
        assert_eq!(receiver.unreported(), 0);
        receiver.take(TASK, 5).unwrap();
        assert_eq!(receiver.report(), [Returned { task: TASK, total: 5 }]);
        assert_eq!(receiver.take(TASK, 1), Err(CreditError::TooMuch(TASK)));
    }
}
