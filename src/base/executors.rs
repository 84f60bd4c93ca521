//! The threads that run tasks.
//!
//! A task stays with its thread, whose caches hold what it works on, and goes to another one only where that
//! has nothing to do. A general scheduler wakes one more thread whenever a woken one finds work, in case
//! there is more: here a thread is woken for each task that nobody has time for, and no other. Threads that
//! sleep keep the time of the tasks themselves, so that an alarm is one wake-up and not two.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::time::standing;
use super::{Alarms, Timestamp, hand_on, just_now, now};

/// Where one sleeping thread keeps the time, others sleep so much longer: the one may be at work by then.
const DEPUTY: Duration = Duration::from_millis(1);
/// So many woken tasks are too many for one thread.
const CROWD: usize = 16;
/// What the system may add to an alarm; its own habit is fifty times that.
const SLACK: Duration = Duration::from_micros(1);
/// How often a look is taken for tasks whose thread is held up: every so many tasks.
const ROUND: u64 = 64;

thread_local! {
    /// The crew that this thread is of, by its address; 0: of none.
    static CREW: Cell<usize> = const { Cell::new(0) };
    /// The same while the thread does the last of a task's turn.
    static ENDS_TURN: Cell<usize> = const { Cell::new(0) };
}

/// Does the last of a task's turn. A task that this wakes is left to the thread itself, which looks for one
/// right after; where there are more, or it has something to do, it wakes others for them then. The clock
/// stands still meanwhile.
pub fn end_turn<T>(at: Timestamp, last: impl FnOnce() -> T) -> T {
    ENDS_TURN.set(CREW.get());
    let value = standing(at, last);
    ENDS_TURN.set(0);
    value
}

/// Executor threads.
#[derive(Clone, Debug)]
pub(super) struct Executors(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    crew: Mutex<Crew>,
    /// Told when a thread has ended.
    ended: Condvar,
    alarms: Alarms,
}

#[derive(Debug)]
struct Crew {
    /// Tasks that wait to be run, by the thread that ran them last.
    ready: Vec<Ready>,
    waiting: usize,
    /// Tasks that were taken to be run.
    taken: u64,
    /// Who sleeps, and until when; who keeps the time comes first and is woken last.
    asleep: Vec<Sleeper>,
    /// Threads that were woken and have not looked yet.
    woken: usize,
    /// All tasks that have not ended.
    tasks: Vec<Arc<Task>>,
    running: usize,
    closed: bool,
}

/// What waits for one thread.
#[derive(Clone, Debug, Default)]
struct Ready {
    woken: VecDeque<Arc<Task>>,
    /// Tasks that had more to do after their turn.
    yielded: VecDeque<Arc<Task>>,
    /// Whether the thread has looked since the last round.
    has_looked: bool,
}

impl Ready {
    fn len(&self) -> usize {
        self.woken.len() + self.yielded.len()
    }

    fn pop(&mut self) -> Option<Arc<Task>> {
        self.woken.pop_front().or_else(|| self.yielded.pop_front())
    }
}

#[derive(Debug)]
struct Sleeper {
    number: usize,
    thread: Thread,
    until: Option<Timestamp>,
}

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Task {
    state: AtomicU8,
    /// The thread that ran it last.
    home: AtomicUsize,
    body: Mutex<Option<Body>>,
    shared: Arc<Shared>,
}

/// What a task's state may be: it waits for a waker; for a thread; runs; runs and was woken meanwhile; has ended.
const IDLE: u8 = 0;
const READY: u8 = 1;
const AT_WORK: u8 = 2;
const AGAIN: u8 = 3;
const ENDED: u8 = 4;

impl Executors {
    /// Starts `threads` threads, which ring `alarms` too.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start(threads: usize, alarms: Alarms) -> io::Result<Self> {
        let crew = Crew {
            ready: vec![Ready::default(); threads],
            waiting: 0,
            taken: 0,
            asleep: Vec::with_capacity(threads),
            woken: 0,
            tasks: Vec::new(),
            running: threads,
            closed: false,
        };
        let shared = Arc::new(Shared { crew: Mutex::new(crew), ended: Condvar::new(), alarms });
        for number in 0..threads {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name("executor".to_owned())
                .spawn(move || shared.work(number))?;
        }
        Ok(Self(shared))
    }

    /// Runs a future, which must not need a runtime, to its end.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let mut crew = self.0.lock();
        let task = Arc::new(Task {
            state: AtomicU8::new(READY),
            home: AtomicUsize::new(crew.tasks.len() % crew.ready.len()),
            body: Mutex::new(Some(Box::pin(future))),
            shared: Arc::clone(&self.0),
        });
        crew.tasks.push(Arc::clone(&task));
        let sleeper = crew.push(task);
        drop(crew);
        unpark(sleeper);
    }

    /// Ends the threads, waiting at most `grace` for what they are at, and drops all tasks.
    pub(super) fn shut_down(self, grace: Duration) {
        let end = now() + grace;
        let mut crew = self.0.lock();
        crew.closed = true;
        for sleeper in &crew.asleep {
            sleeper.thread.unpark();
        }
        while crew.running > 0 && now() < end {
            let waited = self.0.ended.wait_timeout(crew, end.since(now()));
            crew = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let tasks = std::mem::take(&mut crew.tasks);
        crew.ready.iter_mut().for_each(|ready| *ready = Ready::default());
        drop(crew);
        for task in tasks {
            if let Ok(mut body) = task.body.try_lock() {
                drop(body.take());
            }
        }
    }
}

fn unpark(sleeper: Option<Thread>) {
    if let Some(thread) = sleeper {
        thread.unpark();
    }
}

impl Crew {
    /// A task was woken; who is to be woken for it, once the lock is free.
    fn push(&mut self, task: Arc<Task>) -> Option<Thread> {
        let home = self.leave(task);
        self.queued(home)
    }

    /// A task was woken, and the thread that did will look for it; whose it is.
    fn leave(&mut self, task: Arc<Task>) -> usize {
        let home = task.home.load(Relaxed);
        self.ready[home].woken.push_back(task);
        self.waiting += 1;
        home
    }

    /// A task has more to do.
    fn push_again(&mut self, task: Arc<Task>) -> Option<Thread> {
        let home = task.home.load(Relaxed);
        self.ready[home].yielded.push_back(task);
        self.waiting += 1;
        self.queued(home)
    }

    /// Who is to be woken for tasks that were left.
    fn wake_for_left(&mut self) -> Option<Thread> {
        let home = self.ready.iter().position(|ready| ready.len() > 0)?;
        self.queued(home)
    }

    fn queued(&mut self, home: usize) -> Option<Thread> {
        (self.waiting > self.woken).then(|| self.wake(Some(home))).flatten()
    }

    /// What thread `number` runs next, unless it goes on with what it is at: what waits for a thread that is
    /// held up; what was woken for itself, or in numbers for others; what yielded, and then anything. What was
    /// woken goes before what yielded, so that producers do not run ahead of what they have produced. Who has
    /// something to do takes nothing from a thread that is about to wake up for it.
    fn pop(&mut self, number: usize, is_free: bool) -> Option<Arc<Task>> {
        self.ready[number].has_looked = true;
        self.taken += 1;
        let is_round = self.taken.is_multiple_of(ROUND);
        let held_up = if is_round { self.held_up() } else { None };
        let task = held_up
            .and_then(|other| self.ready[other].pop())
            .or_else(|| is_round.then(|| self.ready[number].yielded.pop_front()).flatten())
            .or_else(|| self.ready[number].woken.pop_front())
            .or_else(|| self.crowded()?.pop_front())
            .or_else(|| self.ready[number].yielded.pop_front())
            .or_else(|| is_free.then(|| self.longest()?.pop()).flatten())?;
        self.waiting -= 1;
        task.home.store(number, Relaxed);
        Some(task)
    }

    /// Where most waits.
    fn longest(&mut self) -> Option<&mut Ready> {
        self.ready.iter_mut().max_by_key(|ready| ready.len())
    }

    /// The longest queue of woken tasks, where its thread cannot keep up with it.
    fn crowded(&mut self) -> Option<&mut VecDeque<Arc<Task>>> {
        let longest =
            self.ready.iter_mut().map(|ready| &mut ready.woken).max_by_key(|queue| queue.len());
        longest.filter(|queue| queue.len() >= CROWD)
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

    /// Lies down until then: somebody sleeps exactly until the next alarm.
    fn lie_down(
        &mut self,
        number: usize,
        thread: &Thread,
        alarm: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let keeps = |sleeper: &Sleeper| sleeper.until.is_some_and(|until| Some(until) <= alarm);
        let (until, place) = match alarm {
            Some(at) if self.asleep.iter().any(keeps) => (Some(at + DEPUTY), self.asleep.len()),
            Some(at) => (Some(at), 0),
            None => (None, self.asleep.len()),
        };
        self.asleep.insert(place, Sleeper { number, thread: thread.clone(), until });
        until
    }

    /// A thread is up again, woken or by itself.
    fn get_up(&mut self, number: usize) {
        match self.asleep.iter().position(|sleeper| sleeper.number == number) {
            Some(place) => drop(self.asleep.remove(place)),
            None => self.woken -= 1,
        }
    }

    /// A thread goes to work although an alarm was set since it last slept: who sleeps and has to know.
    fn uncovered(&mut self, alarm: Timestamp) -> Option<Thread> {
        let covers = |sleeper: &Sleeper| sleeper.until.is_some_and(|until| until <= alarm + DEPUTY);
        let nobody = self.woken == 0 && !self.asleep.iter().any(covers);
        nobody.then(|| self.wake(None)).flatten()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(self: Arc<Self>, number: usize) {
        if let Err(error) = nix::sys::prctl::set_timerslack(SLACK.as_nanos() as u64) {
            tracing::debug!(%error, "alarms ring up to fifty microseconds late");
        }
        CREW.set(self.address());
        let thread = thread::current();
        let mut again = None;
        while let Some(task) = self.next(number, &thread, again.take()) {
            again = task.run();
        }
        self.lock().running -= 1;
        self.ended.notify_all();
    }

    /// What thread `number` runs now, which has just run `again`; it sleeps while there is nothing. `None` at
    /// the end.
    fn next(
        &self,
        number: usize,
        thread: &Thread,
        mut again: Option<Arc<Task>>,
    ) -> Option<Arc<Task>> {
        let mut slept = false;
        loop {
            let at = just_now();
            self.alarms.ring_due(at);
            let mut crew = self.lock();
            if slept {
                crew.get_up(number);
            }
            if crew.closed {
                return None;
            }
            let (task, sleeper) = match (crew.pop(number, again.is_none()), again.take()) {
                (Some(task), Some(again)) => (Some(task), crew.push_again(again)),
                (task, again) => (task.or(again), None),
            };
            let news = self.alarms.take_news();
            if task.is_some() {
                let sleeper = sleeper.or_else(|| crew.wake_for_left());
                let alarm = self.alarms.next().filter(|_| news);
                let keeper = alarm.and_then(|alarm| crew.uncovered(alarm));
                drop(crew);
                unpark(sleeper);
                unpark(keeper);
                hand_on(at);
                return task;
            }
            let until = crew.lie_down(number, thread, self.alarms.next());
            drop(crew);
            match until {
                Some(until) => thread::park_timeout(until.since(now())),
                None => thread::park(),
            }
            slept = true;
        }
    }

    /// Has a task run that does not run.
    fn schedule(self: &Arc<Self>, task: Arc<Task>) {
        if ENDS_TURN.get() == self.address() {
            self.lock().leave(task);
        } else {
            let sleeper = self.lock().push(task);
            unpark(sleeper);
        }
    }

    fn address(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self) as usize
    }
}

impl Task {
    /// Runs until it waits; given back where it does not.
    fn run(self: Arc<Self>) -> Option<Arc<Self>> {
        self.state.store(AT_WORK, Release);
        let waker = Waker::from(Arc::clone(&self));
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        let future = body.as_mut()?;
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.state.store(ENDED, Release);
            drop(body.take());
            self.shared.lock().tasks.retain(|task| !Arc::ptr_eq(task, &self));
            return None;
        }
        drop(body);
        if self.state.compare_exchange(AT_WORK, IDLE, AcqRel, Acquire).is_ok() {
            return None;
        }
        self.state.store(READY, Release);
        Some(self)
    }

    /// Notes that there is something to do; whether it has to be queued.
    fn note(&self) -> bool {
        let mut state = self.state.load(Acquire);
        loop {
            let to = match state {
                IDLE => READY,
                AT_WORK => AGAIN,
                _ => return false,
            };
            match self.state.compare_exchange_weak(state, to, AcqRel, Acquire) {
                Ok(_) => return to == READY,
                Err(found) => state = found,
            }
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.note() {
            self.shared.schedule(Arc::clone(self));
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", self.state.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::super::Signal;
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn crew(threads: usize) -> (Executors, Alarms) {
        let alarms = Alarms::default();
        (Executors::start(threads, alarms.clone()).unwrap(), alarms)
    }

    /// A task that answers each ring.
    fn answering(
        executors: &Executors,
        signal: Signal,
        answers: Sender<&'static str>,
        name: &'static str,
    ) {
        executors.spawn(async move {
            loop {
                signal.wait().await;
                answers.send(name).unwrap();
            }
        });
    }

    /// Holds a thread up until it is let go, and says when it does.
    fn blocking(executors: &Executors, until: Receiver<()>) {
        let (held, holds) = channel();
        executors.spawn(async move {
            held.send(()).unwrap();
            until.recv().unwrap_err();
        });
        holds.recv_timeout(SOON).unwrap();
    }

    #[test]
    fn every_ring_is_answered() {
        let (executors, _) = crew(3);
        let (answers, answered) = channel();
        let signals: Vec<_> = (0..20).map(|_| Signal::new()).collect();
        for signal in &signals {
            answering(&executors, signal.clone(), answers.clone(), "answer");
        }
        for _ in 0..500 {
            signals.iter().for_each(Signal::ring);
            for _ in &signals {
                answered.recv_timeout(SOON).unwrap();
            }
        }
        executors.shut_down(SOON);
        drop(answers);
        assert!(answered.recv().is_err(), "all tasks are dropped");
    }

    #[test]
    fn what_is_rung_at_the_end_of_a_turn_is_answered() {
        let (executors, _) = crew(3);
        let (answers, answered) = channel();
        let bells: Vec<_> = (0..4).map(|_| Signal::new()).collect();
        // A ring goes round: each task rings the next ones at the end of its turn, more than there are threads.
        for place in 0..bells.len() {
            let (bells, answers) = (bells.clone(), answers.clone());
            executors.spawn(async move {
                loop {
                    bells[place].wait().await;
                    answers.send(place).unwrap();
                    end_turn(now(), || {
                        let others = (0..bells.len()).filter(|other| place == 0 && *other > 0);
                        others.for_each(|other| bells[other].ring());
                    });
                }
            });
        }
        for _ in 0..500 {
            bells[0].ring();
            let mut all: Vec<_> =
                bells.iter().map(|_| answered.recv_timeout(SOON).unwrap()).collect();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3]);
        }
        executors.shut_down(SOON);
    }

    #[test]
    fn what_was_woken_goes_before_what_yielded() {
        let (executors, _) = crew(1);
        let (signal, answers) = (Signal::new(), channel());
        answering(&executors, signal.clone(), answers.0, "answer");
        let (done, ended) = channel();
        executors.spawn(async move {
            for _ in 0..20 {
                signal.ring();
                tokio::task::yield_now().await;
                answers.1.try_recv().expect("it was rung before the turn ended");
            }
            done.send(()).unwrap();
        });
        ended.recv_timeout(SOON).unwrap();
        executors.shut_down(SOON);
    }

    #[test]
    fn tasks_of_a_thread_that_is_held_up_are_run_by_others() {
        let (executors, _) = crew(2);
        let (release, until) = channel();
        blocking(&executors, until);
        let (answers, answered) = channel();
        let signals: Vec<_> = (0..6).map(|_| Signal::new()).collect();
        for signal in &signals {
            answering(&executors, signal.clone(), answers.clone(), "answer");
        }
        // The other thread always has something of its own to do.
        executors.spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        for signal in &signals {
            signal.ring();
            answered.recv_timeout(SOON).unwrap();
        }
        drop(release);
        executors.shut_down(SOON);
    }

    #[test]
    fn alarms_ring_while_all_sleep_and_while_one_is_held_up() {
        let (executors, alarms) = crew(2);
        let (answers, answered) = channel();
        let ringing = |every: Duration, name| {
            let (alarms, answers) = (alarms.clone(), answers.clone());
            let signal = Signal::new();
            async move {
                let mut alarm = alarms.alarm(&signal);
                loop {
                    let due = now() + every;
                    alarm.set(due, now());
                    signal.wait().await;
                    answers.send((name, now() >= due)).unwrap();
                }
            }
        };
        executors.spawn(ringing(Duration::from_millis(1), "often"));
        executors.spawn(ringing(Duration::from_millis(7), "seldom"));
        let hear = |name| {
            let heard = std::iter::repeat_with(|| answered.recv_timeout(SOON).unwrap());
            assert_eq!(
                heard.filter(|heard| heard.0 == name).take(5).filter(|heard| heard.1).count(),
                5
            );
        };
        hear("often");
        hear("seldom");
        let (release, until) = channel();
        blocking(&executors, until);
        hear("often");
        hear("seldom");
        drop(release);
        executors.shut_down(SOON);
    }
}
