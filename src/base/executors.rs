//! The threads that run tasks.
//!
//! A task stays with its thread, whose caches hold what it works on, and goes to another one only where that
//! has nothing to do. A general scheduler wakes one more thread whenever a woken one finds work, in case
//! there is more: here a thread is woken for each task that nobody has time for, and no other. Threads that
//! sleep keep the time of the tasks themselves, so that an alarm is one wake-up and not two.

mod crew;
mod help;
mod task;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use super::time::standing;
use super::{Alarms, Job, Timestamp, hand_on, just_now, now};
use crew::Crew;
use task::Task;

/// What the system may add to an alarm; its own habit is fifty times that.
const SLACK: Duration = Duration::from_micros(1);

thread_local! {
    /// The crew that this thread is of, by its address; 0: of none.
    static CREW: Cell<usize> = const { Cell::new(0) };
    /// The same while the thread does the last of a task's turn.
    static ENDS_TURN: Cell<usize> = const { Cell::new(0) };
    /// Tasks that were woken meanwhile.
    static LEFT: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
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

impl Executors {
    /// Starts threads that do the work of `active`, at least one, and ring `alarms` too.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start(active: usize, alarms: Alarms) -> io::Result<Self> {
        let crew = Crew::new(active);
        let threads = crew.running;
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
    pub(super) fn spawn(&self, job: Job, future: impl Future<Output = ()> + Send + 'static) {
        let mut crew = self.0.lock();
        let task = Task::new(job, future, crew.next_place(), Arc::clone(&self.0));
        let sleeper = crew.push_new(Box::new(task));
        drop(crew);
        unpark(sleeper);
    }

    /// Ends the threads, waiting at most `grace` for what they are at, and drops all tasks.
    pub(super) fn shut_down(self, grace: Duration) {
        let end = now() + grace;
        let mut crew = self.0.lock();
        crew.closed = true;
        crew.sleepers().for_each(Thread::unpark);
        while crew.running > 0 && now() < end {
            let waited = self.0.ended.wait_timeout(crew, end.since(now()));
            crew = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let tasks = crew.take_tasks();
        // They wake each other as they are dropped.
        drop(crew);
        drop(tasks);
    }
}

fn unpark(sleeper: Option<Thread>) {
    if let Some(thread) = sleeper {
        thread.unpark();
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
        let mut done = None;
        while let Some(mut task) = self.next(number, &thread, done.take()) {
            if !task.run() {
                done = Some(task);
            }
        }
        self.lock().running -= 1;
        self.ended.notify_all();
    }

    /// What thread `number` runs now, which has just run `done`; it sleeps while there is nothing. `None` at
    /// the end.
    fn next(
        &self,
        number: usize,
        thread: &Thread,
        mut done: Option<Box<Task>>,
    ) -> Option<Box<Task>> {
        let mut slept = false;
        loop {
            let at = just_now();
            self.alarms.ring_due(at);
            let mut crew = self.lock();
            if slept {
                crew.get_up(number, at);
            }
            if crew.closed {
                // What it has just run is dropped when the lock is free.
                drop(crew);
                return None;
            }
            let mut again = done.take().and_then(|task| crew.put_down(task));
            LEFT.with_borrow_mut(|left| {
                for task in left.drain(..) {
                    crew.leave(task);
                }
            });
            let popped = if crew.is_surplus(number, &mut again) {
                None
            } else {
                crew.pop(number, again.is_none(), at)
            };
            let (task, sleeper) = match (popped, again.take()) {
                (Some(task), Some(again)) => (Some(task), crew.push_again(again)),
                (task, again) => (task.or(again), None),
            };
            let news = self.alarms.take_news();
            if task.is_some() {
                if slept {
                    crew.joins(at);
                }
                let sleeper = sleeper.or_else(|| crew.wake_for_left());
                let alarm = self.alarms.next().filter(|_| news || slept);
                let keeper = alarm.and_then(|alarm| crew.uncovered(alarm));
                drop(crew);
                unpark(sleeper);
                unpark(keeper);
                hand_on(at);
                return task;
            }
            let until = crew.lie_down(number, thread, self.alarms.next(), (at, slept));
            drop(crew);
            match until {
                Some(until) => thread::park_timeout(until.since(now())),
                None => thread::park(),
            }
            slept = true;
        }
    }

    /// Has a task run that rests.
    fn schedule(self: &Arc<Self>, task: usize) {
        if ENDS_TURN.get() == self.address() {
            LEFT.with_borrow_mut(|left| left.push(task));
        } else {
            let sleeper = self.lock().push(task);
            unpark(sleeper);
        }
    }

    fn address(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

    use super::super::Signal;
    use super::*;

    const JOB: Job = Job::Owned("test");
    const SOON: Duration = Duration::from_secs(20);

    fn crew(threads: usize) -> (Executors, Alarms) {
        let alarms = Alarms::default();
        (Executors::start(threads, alarms.clone()).unwrap(), alarms)
    }

    /// A task that answers each ring, where somebody listens.
    fn answering(
        executors: &Executors,
        signal: Signal,
        answers: Sender<&'static str>,
        name: &'static str,
    ) {
        executors.spawn(JOB, async move {
            loop {
                signal.wait().await;
                let _unheard = answers.send(name);
            }
        });
    }

    /// Holds a thread up until it is let go, and says when it does.
    fn blocking(executors: &Executors, until: Receiver<()>) {
        let (held, holds) = channel();
        executors.spawn(JOB, async move {
            held.send(()).unwrap();
            until.recv().unwrap_err();
        });
        holds.recv_timeout(SOON).unwrap();
    }

    /// A crew of one thread and the spare one, which is held up until the sender is dropped.
    fn one_thread() -> (Executors, Sender<()>) {
        let (executors, _) = crew(1);
        let (release, until) = channel();
        blocking(&executors, until);
        (executors, release)
    }

    #[test]
    fn every_ring_is_answered() {
        for threads in [1, 3] {
            let (executors, _) = crew(threads);
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
    }

    #[test]
    fn what_is_rung_at_the_end_of_a_turn_is_answered() {
        for threads in [1, 3] {
            let (executors, _) = crew(threads);
            let (answers, answered) = channel();
            let bells: Vec<_> = (0..4).map(|_| Signal::new()).collect();
            // A ring goes round: each task rings the next ones at the end of its turn, more than there are threads.
            for place in 0..bells.len() {
                let (bells, answers) = (bells.clone(), answers.clone());
                executors.spawn(JOB, async move {
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
    }

    #[test]
    fn what_was_woken_goes_before_what_yielded() {
        let (executors, release) = one_thread();
        let (signal, answers) = (Signal::new(), channel());
        answering(&executors, signal.clone(), answers.0, "answer");
        let (done, ended) = channel();
        executors.spawn(JOB, async move {
            for _ in 0..20 {
                signal.ring();
                tokio::task::yield_now().await;
                answers.1.try_recv().expect("it was rung before the turn ended");
            }
            done.send(()).unwrap();
        });
        ended.recv_timeout(SOON).unwrap();
        drop(release);
        executors.shut_down(SOON);
    }

    #[test]
    fn a_task_that_holds_the_only_thread_up_holds_no_other_up() {
        let (executors, release) = one_thread();
        let (answers, answered) = channel();
        for name in ["one", "other"] {
            let signal = Signal::new();
            answering(&executors, signal.clone(), answers.clone(), name);
            signal.ring();
            assert_eq!(answered.recv_timeout(SOON), Ok(name));
        }
        drop(release);
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
        executors.spawn(JOB, async {
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
    fn who_does_all_alone_and_is_held_up_is_relieved_by_the_lookout() {
        let (executors, _) = crew(2);
        let (answers, answered) = channel();
        let (quick, late) = (Signal::new(), Signal::new());
        answering(&executors, quick.clone(), channel().0, "quick");
        answering(&executors, late.clone(), answers, "late");
        let (release, until) = channel::<()>();
        let (bell, crew) = (late.clone(), executors.clone());
        executors.spawn(JOB, async move {
            let is_alone = || {
                let crew = crew.0.lock();
                crew.help.nap().is_some() && crew.sleepers().count() == 1
            };
            // Each turn wakes a task that takes no time worth waking a thread for.
            while !is_alone() {
                quick.ring();
                tokio::task::yield_now().await;
            }
            bell.ring();
            until.recv().unwrap_err();
        });
        assert_eq!(answered.recv_timeout(SOON), Ok("late"));
        // Nothing is left any more to a thread that does not look.
        let end = now() + SOON;
        while executors.0.lock().help.nap().is_some() {
            assert!(now() < end, "tasks are left to a thread that is held up");
            late.ring();
            assert_eq!(answered.recv_timeout(SOON), Ok("late"));
        }
        drop(release);
        executors.shut_down(SOON);
    }

    #[test]
    fn what_a_task_has_woken_is_run_before_its_next_turn() {
        let (executors, release) = one_thread();
        let (answers, answered) = channel();
        let (own, other) = (Signal::new(), Signal::new());
        answering(&executors, other.clone(), answers, "answer");
        let (tells, told) = channel();
        executors.spawn(JOB, async move {
            end_turn(now(), || other.ring());
            own.ring();
            own.wait_a_turn().await;
            tells.send(answered.try_recv()).unwrap();
        });
        assert_eq!(told.recv_timeout(SOON).unwrap(), Ok("answer"));
        drop(release);
        executors.shut_down(SOON);
    }

    #[test]
    fn a_task_that_outlives_the_end_is_dropped_when_it_lets_its_thread_go() {
        let (executors, _) = crew(2);
        let (held, holds) = channel();
        let (release, until) = channel::<()>();
        let (alive, dropped) = channel::<()>();
        executors.spawn(JOB, async move {
            let _alive = alive;
            held.send(()).unwrap();
            until.recv().unwrap_err();
            std::future::pending::<()>().await;
        });
        holds.recv_timeout(SOON).unwrap();
        executors.shut_down(Duration::ZERO);
        drop(release);
        assert_eq!(dropped.recv_timeout(SOON), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_ring_that_meets_a_turn_is_answered() {
        const RINGS: u64 = 100_000;
        let (executors, _) = crew(2);
        let (signal, rung) = (Signal::new(), Arc::new([const { AtomicU64::new(0) }; 2]));
        let answered = Arc::new([const { AtomicU64::new(0) }; 2]);
        let (bell, asked, answers) = (signal.clone(), Arc::clone(&rung), Arc::clone(&answered));
        executors.spawn(JOB, async move {
            loop {
                bell.wait_a_turn().await;
                for (asked, answer) in asked.iter().zip(answers.iter()) {
                    answer.store(asked.load(SeqCst), SeqCst);
                }
            }
        });
        let ringers = [0, 1].map(|place| {
            let (signal, rung, answered) =
                (signal.clone(), Arc::clone(&rung), Arc::clone(&answered));
            thread::spawn(move || {
                let end = now() + SOON;
                (1..=RINGS).all(|ring| {
                    rung[place].store(ring, SeqCst);
                    signal.ring();
                    std::iter::repeat_with(|| answered[place].load(SeqCst) >= ring)
                        .inspect(|_| thread::yield_now())
                        .any(|answered| answered || now() > end)
                        && answered[place].load(SeqCst) >= ring
                })
            })
        });
        for ringer in ringers {
            assert!(ringer.join().unwrap(), "a ring was not answered");
        }
        executors.shut_down(SOON);
    }

    #[test]
    fn alarms_ring_while_all_sleep_and_while_one_is_held_up() {
        for threads in [1, 2] {
            let (executors, alarms) = crew(threads);
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
            executors.spawn(JOB, ringing(Duration::from_millis(1), "often"));
            executors.spawn(JOB, ringing(Duration::from_millis(7), "seldom"));
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
}
