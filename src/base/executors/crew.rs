//! Who runs what next, and who is woken for it.

use std::collections::VecDeque;
use std::thread::Thread;
use std::time::Duration;

use super::super::Timestamp;
use super::help::Help;
use super::task::Task;

/// Where one sleeping thread keeps the time, others sleep so much longer: the one may be at work by then.
const DEPUTY: Duration = Duration::from_millis(1);
/// One thread alone could be held up by a task, and all other tasks with it.
const LEAST: usize = 2;
/// So many woken tasks are too many for one thread.
const CROWD: usize = 16;
/// How often a look is taken for tasks whose thread is held up: every so many tasks.
const ROUND: u64 = 64;

/// The threads and what they have to do.
#[derive(Debug)]
pub(super) struct Crew {
    /// Tasks that wait to be run, by the thread that ran them last.
    ready: Vec<Ready>,
    /// How many of them are there to work, others to step in.
    active: usize,
    waiting: usize,
    /// Tasks that were taken to be run.
    taken: u64,
    /// Who sleeps, and until when; who keeps the time comes first and is woken last.
    asleep: Vec<Sleeper>,
    /// Threads that were woken and have not looked yet.
    woken: usize,
    /// Tasks that wait to be woken, by number.
    resting: Vec<Option<Box<Task>>>,
    pub(super) running: usize,
    pub(super) closed: bool,
    pub(super) help: Help,
}

/// What waits for one thread.
#[derive(Debug, Default)]
struct Ready {
    woken: VecDeque<Box<Task>>,
    /// Tasks that had more to do after their turn.
    yielded: VecDeque<Box<Task>>,
    /// Whether the thread has looked since the last round.
    has_looked: bool,
    /// When it was last given a task.
    since: Timestamp,
}

impl Ready {
    fn len(&self) -> usize {
        self.woken.len() + self.yielded.len()
    }

    pub(super) fn pop(&mut self) -> Option<Box<Task>> {
        self.woken.pop_front().or_else(|| self.yielded.pop_front())
    }
}

#[derive(Debug)]
struct Sleeper {
    number: usize,
    thread: Thread,
    until: Option<Timestamp>,
    /// It is the lookout: it looks whether there is too much for those that are at work, and nobody is woken
    /// meanwhile. How many tasks had been taken when it lay down.
    lookout: Option<u64>,
}

impl Crew {
    /// A crew that has work for so many threads. None of them sleeps.
    pub(super) fn new(active: usize) -> Self {
        let threads = active.max(LEAST);
        Self {
            ready: (0..threads).map(|_| Ready::default()).collect(),
            active,
            waiting: 0,
            taken: 0,
            asleep: Vec::with_capacity(threads),
            woken: 0,
            resting: Vec::new(),
            running: threads,
            closed: false,
            help: if active < threads { Help::spare() } else { Help::default() },
        }
    }

    /// Number and home of the next new task.
    pub(super) fn next_place(&mut self) -> (usize, usize) {
        let number = self.resting.len();
        self.resting.push(None);
        (number, number % self.active)
    }

    /// The threads that sleep.
    pub(super) fn sleepers(&self) -> impl Iterator<Item = &Thread> {
        self.asleep.iter().map(|sleeper| &sleeper.thread)
    }

    /// All tasks that no thread runs; nothing waits any more.
    pub(super) fn take_tasks(&mut self) -> VecDeque<Box<Task>> {
        let resting = self.resting.iter_mut().filter_map(Option::take);
        let ready = self.ready.iter_mut().flat_map(|ready| {
            let (woken, yielded) = (std::mem::take(&mut ready.woken), &mut ready.yielded);
            woken.into_iter().chain(std::mem::take(yielded))
        });
        resting.chain(ready).collect()
    }

    /// A task's turn is over; it is given back where it was woken meanwhile.
    pub(super) fn put_down(&mut self, task: Box<Task>) -> Option<Box<Task>> {
        if !task.rests() {
            return Some(task);
        }
        let number = task.number();
        self.resting[number] = Some(task);
        None
    }

    /// A task was woken; who is to be woken for it, once the lock is free.
    pub(super) fn push(&mut self, number: usize) -> Option<Thread> {
        let home = self.leave(number)?;
        self.queued(home)
    }

    /// A task was woken, and the thread that did will look for it; whose it is. There is none once all are
    /// dropped.
    pub(super) fn leave(&mut self, number: usize) -> Option<usize> {
        let task = self.resting[number].take()?;
        let home = task.home;
        self.ready[home].woken.push_back(task);
        self.waiting += 1;
        Some(home)
    }

    /// A new task waits for its first turn.
    pub(super) fn push_new(&mut self, task: Box<Task>) -> Option<Thread> {
        let number = task.number();
        self.resting[number] = Some(task);
        self.push(number)
    }

    /// A task has more to do.
    pub(super) fn push_again(&mut self, task: Box<Task>) -> Option<Thread> {
        let home = task.home;
        self.ready[home].yielded.push_back(task);
        self.waiting += 1;
        self.queued(home)
    }

    /// Who is to be woken for tasks that were left.
    pub(super) fn wake_for_left(&mut self) -> Option<Thread> {
        let home = self.ready.iter().position(|ready| ready.len() > 0)?;
        self.queued(home)
    }

    fn queued(&mut self, home: usize) -> Option<Thread> {
        let is_wanted = self.waiting > self.woken && !self.is_watched();
        is_wanted.then(|| self.wake(Some(home))).flatten()
    }

    /// Whether what waits is left to those that are at work, and somebody looks that it is not too much.
    fn is_watched(&self) -> bool {
        self.help.nap().is_some() && self.at_work() > 0 && self.has_lookout()
    }

    fn has_lookout(&self) -> bool {
        self.asleep.iter().any(|sleeper| sleeper.lookout.is_some())
    }

    fn at_work(&self) -> usize {
        self.running - self.asleep.len() - self.woken
    }

    /// What thread `number` runs next, unless it goes on with what it is at: what waits for a thread that is
    /// held up; what was woken for itself, or in numbers for others; what yielded, and then anything. What was
    /// woken goes before what yielded, so that producers do not run ahead of what they have produced. Who has
    /// something to do takes nothing from a thread that is about to wake up for it.
    pub(super) fn pop(&mut self, number: usize, is_free: bool, at: Timestamp) -> Option<Box<Task>> {
        self.ready[number].has_looked = true;
        if self.waiting > 0 {
            self.help.waited(at.since(self.ready[number].since));
        }
        self.ready[number].since = at;
        self.taken += 1;
        let is_round = self.taken.is_multiple_of(ROUND);
        let held_up = if is_round { self.held_up() } else { None };
        let mut task = held_up
            .and_then(|other| self.ready[other].pop())
            .or_else(|| is_round.then(|| self.ready[number].yielded.pop_front()).flatten())
            .or_else(|| self.ready[number].woken.pop_front())
            .or_else(|| self.crowded()?.pop_front())
            .or_else(|| self.ready[number].yielded.pop_front())
            .or_else(|| is_free.then(|| self.longest()?.pop()).flatten())?;
        self.waiting -= 1;
        task.home = number;
        Some(task)
    }

    /// Whether the thread is to lie down although there may be something to do, since the one thread that is to
    /// do all is at work. That has what waited for this one then.
    pub(super) fn is_surplus(&mut self, number: usize, again: &mut Option<Box<Task>>) -> bool {
        self.help.looks(number);
        if !self.help.has_surplus() || self.at_work() <= 1 {
            return false;
        }
        if let Some(task) = again.take() {
            self.ready[number].yielded.push_back(task);
            self.waiting += 1;
        }
        let Ready { woken, yielded, .. } = std::mem::take(&mut self.ready[number]);
        let other = &mut self.ready[1 - number];
        other.woken.extend(woken);
        other.yielded.extend(yielded);
        true
    }

    /// Where most waits.
    fn longest(&mut self) -> Option<&mut Ready> {
        self.ready.iter_mut().max_by_key(|ready| ready.len())
    }

    /// The longest queue of woken tasks, where its thread cannot keep up with it, or is not woken for it.
    fn crowded(&mut self) -> Option<&mut VecDeque<Box<Task>>> {
        let crowd = if self.help.nap().is_some() { 1 } else { CROWD };
        let longest =
            self.ready.iter_mut().map(|ready| &mut ready.woken).max_by_key(|queue| queue.len());
        longest.filter(|queue| queue.len() >= crowd)
    }

    /// A thread that has not looked for a round although something waits for it: its task is a long one.
    fn held_up(&mut self) -> Option<usize> {
        let held_up = self.ready.iter().position(|ready| !ready.has_looked && ready.len() > 0);
        self.ready.iter_mut().for_each(|ready| ready.has_looked = false);
        held_up
    }

    /// Takes somebody from the sleepers, `home` where it is one of them.
    fn wake(&mut self, home: Option<usize>) -> Option<Thread> {
        let is_home = |sleeper: &Sleeper| Some(sleeper.number) == home;
        let place = self.asleep.iter().rposition(is_home);
        let place = place.or(self.asleep.len().checked_sub(1))?;
        self.woken += 1;
        Some(self.asleep.remove(place).thread)
    }

    /// Lies down, and sleeps until then: somebody sleeps exactly until the next alarm.
    pub(super) fn lie_down(
        &mut self,
        number: usize,
        thread: &Thread,
        alarm: Option<Timestamp>,
        (at, in_vain): (Timestamp, bool),
    ) -> Option<Timestamp> {
        let nap = self.nap(at, in_vain);
        let keeps = |sleeper: &Sleeper| sleeper.until.is_some_and(|until| Some(until) <= alarm);
        let (until, place) = match alarm {
            Some(at) if self.asleep.iter().any(keeps) => (Some(at + DEPUTY), self.asleep.len()),
            Some(at) => (Some(at), 0),
            None => (None, self.asleep.len()),
        };
        let (until, lookout, place) = match nap {
            Some(nap) => (Some(until.map_or(nap, |until| until.min(nap))), Some(self.taken), 0),
            None => (until, None, place),
        };
        let thread = thread.clone();
        self.asleep.insert(place, Sleeper { number, thread, until, lookout });
        until
    }

    /// Until when a thread naps that lies down, where it is the lookout.
    fn nap(&mut self, at: Timestamp, in_vain: bool) -> Option<Timestamp> {
        if self.at_work() <= 1 {
            return None;
        }
        if in_vain {
            self.help.was_in_vain();
        } else {
            self.help.ends(at);
        }
        let nap = self.help.nap()?;
        (!self.has_lookout()).then(|| at + nap)
    }

    /// A thread is up again, woken or by itself.
    pub(super) fn get_up(&mut self, number: usize, at: Timestamp) {
        self.ready[number].since = at;
        match self.asleep.iter().position(|sleeper| sleeper.number == number) {
            Some(place) => {
                let sleeper = self.asleep.remove(place);
                if self.waiting > 0 && sleeper.lookout == Some(self.taken) {
                    self.help.all_are_held_up(number);
                }
            }
            None => self.woken -= 1,
        }
    }

    /// A thread that was up again has found something to do.
    pub(super) fn joins(&mut self, at: Timestamp) {
        if self.at_work() > 1 {
            self.help.begins(at);
        }
    }

    /// A thread goes to work although an alarm was set since it last slept: who sleeps and has to know.
    pub(super) fn uncovered(&mut self, alarm: Timestamp) -> Option<Thread> {
        let covers = |sleeper: &Sleeper| sleeper.until.is_some_and(|until| until <= alarm + DEPUTY);
        let nobody = self.woken == 0 && !self.asleep.iter().any(covers);
        nobody.then(|| self.wake(None)).flatten()
    }
}
