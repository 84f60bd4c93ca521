//! One emitting task's view of one subscription: which of the consuming tasks gets a tuple.

use crate::base::TaskId;
use crate::tuple::{Value, key_group, key_hash};

use super::{Grouping, GroupingName};

/// A consuming task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The task.
    pub task: TaskId,
    /// Whether it runs on the emitter's worker.
    pub local: bool,
}

/// Picks targets by index. One emitting task owns it, so turns and loads are its own.
#[derive(Clone, Debug)]
pub struct Chooser {
    grouping: Grouping,
    targets: Vec<Target>,
    /// The targets that shuffling takes turns among.
    turns: Vec<usize>,
    next_turn: usize,
    /// Whose turn it is, how many tuples more it gets, and how many each gets in its turn.
    last_turn: usize,
    left: usize,
    run: usize,
    /// Tuples sent by target, for partial key.
    sent: Vec<u64>,
    global: usize,
}

impl Chooser {
    /// A chooser among `targets`, which stand in the order of the tasks' indexes.
    ///
    /// # Panics
    /// Without targets: a component has at least one task.
    pub fn new(grouping: Grouping, targets: Vec<Target>) -> Self {
        let local: Vec<_> = (0..targets.len()).filter(|&index| targets[index].local).collect();
        let turns = if grouping.name == GroupingName::LocalOrShuffle && !local.is_empty() {
            local
        } else {
            (0..targets.len()).collect()
        };
        let lowest = targets.iter().enumerate().min_by_key(|(_, target)| target.task);
        let global = lowest.expect("a component has at least one task").0;
        let sent = vec![0; targets.len()];
        let (next_turn, last_turn, left, run) = (0, 0, 0, 1);
        Self { grouping, targets, turns, next_turn, last_turn, left, run, sent, global }
    }

    /// The consuming tasks, by index.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The grouping's name.
    pub fn name(&self) -> GroupingName {
        self.grouping.name
    }

    /// How many tuples shuffling gives a target in its turn, from now on (at first one).
    pub fn stay(&mut self, run: usize) {
        self.run = run;
        self.left = self.left.min(run.saturating_sub(1));
    }

    /// Hands the index of each target of a tuple to `take`. `room` tells whether a target has room;
    /// shuffling passes over those that have none, unless none has.
    ///
    /// A direct grouping picks nothing here: see [`Chooser::direct`].
    #[inline]
    pub fn choose(
        &mut self,
        values: &[Value],
        room: impl Fn(usize) -> bool,
        mut take: impl FnMut(usize),
    ) {
        match self.grouping.name {
            GroupingName::Shuffle | GroupingName::LocalOrShuffle | GroupingName::None => {
                take(self.take_turn(room));
            }
            GroupingName::Fields => {
                let tasks = self.targets.len();
                take(if tasks == 1 { 0 } else { key_group(self.key(values)).task_index(tasks) });
            }
            GroupingName::PartialKey => {
                let tasks = self.targets.len();
                let hash = key_hash(self.key(values));
                let first = (hash % tasks as u64) as usize;
                // The second candidate is another task, by other bits of the hash.
                let step = 1 + (hash >> 32) as usize % (tasks - 1).max(1);
                let second = (first + step) % tasks;
                let less = if self.sent[second] < self.sent[first] { second } else { first };
                self.sent[less] += 1;
                take(less);
            }
            GroupingName::Global => take(self.global),
            GroupingName::All => (0..self.targets.len()).for_each(take),
            GroupingName::Direct => {}
        }
    }

    /// Whether it chooses without a look at the values, so that it can choose ahead.
    pub fn is_blind(&self) -> bool {
        self.grouping.name.is_blind(self.targets.len())
    }

    /// How many targets each tuple has.
    pub fn choices(&self) -> usize {
        match self.grouping.name {
            GroupingName::All => self.targets.len(),
            GroupingName::Direct => 0,
            _ => 1,
        }
    }

    /// The index of `task`, where this subscription is by direct grouping.
    pub fn direct(&self, task: TaskId) -> Option<usize> {
        let direct = self.grouping.name == GroupingName::Direct;
        self.targets.iter().position(|target| target.task == task).filter(|_| direct)
    }

    fn key<'v>(&'v self, values: &'v [Value]) -> impl Iterator<Item = &'v Value> {
        self.grouping.indexes.iter().filter_map(|&index| values.get(index))
    }

    fn take_turn(&mut self, room: impl Fn(usize) -> bool) -> usize {
        let count = self.turns.len();
        if count == 1 {
            return self.turns[0];
        }
        if self.left > 0 && room(self.last_turn) {
            self.left -= 1;
            return self.last_turn;
        }
        let start = self.next_turn;
        let mut at = start;
        loop {
            let target = self.turns[at];
            at = if at + 1 == count { 0 } else { at + 1 };
            if room(target) || at == start {
                self.next_turn = at;
                self.last_turn = target;
                self.left = self.run.saturating_sub(1);
                return target;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chooser(grouping: Grouping, local: &[bool]) -> Chooser {
        let targets = local
            .iter()
            .enumerate()
            .map(|(index, &local)| Target { task: TaskId(10 + index as u32), local });
        Chooser::new(grouping, targets.collect())
    }

    fn picks(chooser: &mut Chooser, values: &[Value]) -> Vec<usize> {
        let mut picked = Vec::new();
        chooser.choose(values, |_| true, |index| picked.push(index));
        picked
    }

    fn over(name: GroupingName) -> Grouping {
        Grouping::over(name, vec!["word".to_owned()], vec![0])
    }

    #[test]
    fn shuffling_stays_for_a_run_while_there_is_room() {
        let mut chooser = chooser(Grouping::plain(GroupingName::Shuffle), &[false; 3]);
        let pick = |chooser: &mut Chooser, full: usize| {
            let mut picked = 9;
            chooser.choose(&[], |index| index != full, |index| picked = index);
            picked
        };
        chooser.stay(3);
        let picked: Vec<_> = (0..7).map(|_| pick(&mut chooser, 9)).collect();
        assert_eq!(picked, [0, 0, 0, 1, 1, 1, 2]);
        assert_eq!([pick(&mut chooser, 2), pick(&mut chooser, 9)], [0, 0]);
        chooser.stay(1);
        assert_eq!([pick(&mut chooser, 9), pick(&mut chooser, 9)], [1, 2]);
    }

    #[test]
    fn shuffle_takes_turns_and_passes_over_full_tasks() {
        let mut chooser = chooser(Grouping::plain(GroupingName::Shuffle), &[false; 3]);
        let turns: Vec<_> = (0..4).flat_map(|_| picks(&mut chooser, &[])).collect();
        assert_eq!(turns, [0, 1, 2, 0]);
        let mut picked = Vec::new();
        chooser.choose(&[], |index| index == 2, |index| picked.push(index));
        assert_eq!(picked, [2]);
        // None has room: it is somebody's turn all the same.
        chooser.choose(&[], |_| false, |index| picked.push(index));
        assert_eq!(picked.len(), 2);
    }

    #[test]
    fn local_or_shuffle_stays_at_home_where_it_can() {
        let grouping = Grouping::plain(GroupingName::LocalOrShuffle);
        let mut home = chooser(grouping.clone(), &[false, true, false, true]);
        let turns: Vec<_> = (0..4).flat_map(|_| picks(&mut home, &[])).collect();
        assert_eq!(turns, [1, 3, 1, 3]);
        let mut away = chooser(grouping, &[false, false]);
        assert_eq!(picks(&mut away, &[]), [0]);
        assert_eq!(picks(&mut away, &[]), [1]);
    }

    #[test]
    fn fields_send_equal_values_to_one_task_and_use_all_tasks() {
        let mut chooser = chooser(over(GroupingName::Fields), &[true; 4]);
        let mut used = [0; 4];
        for number in 0..1000 {
            let word = Value::from(format!("word{number}"));
            let first = picks(&mut chooser, std::slice::from_ref(&word));
            assert_eq!(picks(&mut chooser, &[word]), first);
            used[first[0]] += 1;
        }
        assert!(used.iter().all(|&count| count > 150), "{used:?}");
    }

    #[test]
    fn partial_key_spreads_one_hot_key_over_two_tasks() {
        let mut chooser = chooser(over(GroupingName::PartialKey), &[true; 5]);
        let mut used = [0; 5];
        for _ in 0..100 {
            used[picks(&mut chooser, &[Value::from("hot")])[0]] += 1;
        }
        assert_eq!(used.iter().filter(|&&count| count == 50).count(), 2, "{used:?}");
    }

    #[test]
    fn only_keys_over_several_tasks_need_the_values() {
        use GroupingName::{
            All, Direct, Fields, Global, LocalOrShuffle, None, PartialKey, Shuffle,
        };
        for (name, tasks, blind) in [
            (Shuffle, 3, true),
            (LocalOrShuffle, 3, true),
            (None, 3, true),
            (Global, 3, true),
            (All, 3, true),
            (Direct, 3, true),
            (Fields, 1, true),
            (PartialKey, 1, true),
            (Fields, 2, false),
            (PartialKey, 2, false),
        ] {
            let chooser = chooser(over(name), &vec![true; tasks]);
            assert_eq!(chooser.is_blind(), blind, "{name:?} over {tasks}");
        }
    }

    #[test]
    fn global_all_and_direct_pick_what_they_say() {
        let mut global = chooser(Grouping::plain(GroupingName::Global), &[false; 3]);
        assert_eq!(picks(&mut global, &[]), [0]);
        let mut all = chooser(Grouping::plain(GroupingName::All), &[false; 3]);
        assert_eq!(picks(&mut all, &[]), [0, 1, 2]);
        let mut direct = chooser(Grouping::plain(GroupingName::Direct), &[false; 3]);
        assert_eq!(picks(&mut direct, &[]), [0; 0]);
        assert_eq!(direct.direct(TaskId(12)), Some(2));
        assert_eq!(direct.direct(TaskId(1)), None);
        assert_eq!(all.direct(TaskId(12)), None);
    }
}
