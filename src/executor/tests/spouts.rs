//! Spout loops: no wake-up is lost, nothing spins, nothing is skipped at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::ack::{AckBatch, AckEntry, EdgeSums, Touched, WorkerView};
use crate::base::{Incarnation, Job, Signal, TaskId, Timestamp, now};
use crate::component::{
    Component, ComponentError, Context, MessageId, Next, Replay, Spout, SpoutCollector,
};
use crate::metrics::FailReason;
use crate::topology::{DeadLetters, Guarantee};

use super::super::spout_task::SpoutTask;
use super::rig::*;

type Asked = Result<Next, ComponentError>;

/// What a test's spout does; the rest does nothing.
trait Part: Send {
    fn next(&mut self, _: &mut SpoutCollector<'_>) -> Asked;
    fn wake(&mut self, _: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }
    fn ack(&mut self) {}
    fn fail(&mut self) -> Replay {
        Replay::Engine
    }
    fn ready(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct Made<P>(P);

impl<P: Part> Spout for Made<P> {
    fn open(&mut self, _: &Arc<Context>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector<'_>) -> Asked {
        self.0.next(out)
    }

    fn wake(&mut self, out: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        self.0.wake(out)
    }

    fn ack(&mut self, _: MessageId) {
        self.0.ack();
    }

    fn fail(&mut self, _: MessageId, _: &str) -> Replay {
        self.0.fail()
    }

    fn ready(&self) -> bool {
        self.0.ready()
    }
}

fn until_it_waits(task: &mut SpoutTask) {
    task.obey(now());
    while task.turn(now()) {}
}

fn emit(out: &mut SpoutCollector<'_>, id: u64) {
    out.emit(Some(MessageId(id)), vec![large()]).unwrap();
}

/// Has so many large messages, and then nothing at the moment.
struct Plenty(usize);

impl Part for Plenty {
    fn next(&mut self, out: &mut SpoutCollector<'_>) -> Asked {
        if self.0 == 0 {
            return Ok(Next::IdleUntil(now() + Duration::from_secs(3600)));
        }
        self.0 -= 1;
        emit(out, self.0 as u64);
        Ok(Next::More)
    }
}

#[test]
fn an_untracked_spout_goes_on_when_all_that_waited_has_gone_at_once() {
    let mut rig = Rig::with_room(100_000);
    rig.settings.guarantee = Guarantee::AtMostOnce;
    let mut task = rig.spout(|| Made(Plenty(1000)));
    let mark = Delivery::Mark(TASK, Mark::Drain);
    rig.consumer.push(mark, 100_000, &Signal::new()).unwrap();
    let mut got = 0;
    until_it_waits(&mut task);
    loop {
        got += rig.consume();
        if !rig.rung() {
            break;
        }
        until_it_waits(&mut task);
    }
    assert_eq!(got, 1000, "the spout waits for a ring that never comes");
}

/// Counts how often it is asked, and has nothing for an hour.
struct Counting(Arc<AtomicUsize>);

impl Part for Counting {
    fn next(&mut self, _: &mut SpoutCollector<'_>) -> Asked {
        self.0.fetch_add(1, Relaxed);
        Ok(Next::IdleUntil(now() + Duration::from_secs(3600)))
    }
}

#[test]
fn a_spout_that_rings_is_asked_again_at_once() {
    let rig = Rig::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let task = rig.spout(move || Made(Counting(Arc::clone(&count))));
    let running = runtimes().io().spawn(Job::Owned("spout"), task.run());
    let patience = now() + Duration::from_secs(60);
    while asked.load(Relaxed) < 3 {
        assert!(now() < patience, "asked {} times", asked.load(Relaxed));
        rig.mailbox.signal().ring();
        std::thread::yield_now();
    }
    running.abort();
}

/// Had nothing a moment ago, and is not ready to be asked since.
struct Unready(bool);

impl Part for Unready {
    fn next(&mut self, _: &mut SpoutCollector<'_>) -> Asked {
        self.0 = true;
        Ok(Next::IdleUntil(now()))
    }

    fn ready(&self) -> bool {
        !self.0
    }
}

fn is_later(deadline: Option<Timestamp>) -> bool {
    deadline.is_none_or(|at| at > now())
}

#[test]
fn a_spout_that_is_not_ready_is_waited_for() {
    let rig = Rig::new();
    let mut task = rig.spout(|| Made(Unready(false)));
    until_it_waits(&mut task);
    assert!(is_later(task.deadline()), "the loop spins");
}

/// Gives out one message, and dies when it is told to.
struct Mortal(bool);

impl Part for Mortal {
    fn next(&mut self, out: &mut SpoutCollector<'_>) -> Asked {
        emit(out, 1);
        self.0 = true;
        Ok(Next::IdleUntil(now()))
    }

    fn wake(&mut self, _: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        if self.0 { Err(ComponentError::restart("dead")) } else { Ok(()) }
    }
}

#[test]
fn a_dead_spout_is_waited_for_although_replays_are_due() {
    let rig = Rig { surroundings: Arc::default(), ..Rig::new() };
    let mut housing = rig.housing(Box::new(|| Ok(Component::Spout(Box::new(Made(Mortal(false)))))));
    housing.restart.backoff_least = Duration::from_secs(3600);
    housing.restart.backoff_greatest = Duration::from_secs(3600);
    let output = rig.output(&housing);
    rig.mailbox.push_control(Control::Activate);
    let mut task = SpoutTask::new(housing, output);
    until_it_waits(&mut task);
    until_it_waits(&mut task);
    assert_eq!(task.housing.counters.restarts.load(Relaxed), 1);
    answer(&rig, Some(FailReason::Died));
    until_it_waits(&mut task);
    assert_eq!(task.housing.counters.pending.load(Relaxed), 1);
    assert!(is_later(task.deadline()), "the loop spins");
}

#[test]
fn a_spout_goes_on_when_its_last_pending_message_is_a_dead_letter() {
    let mut rig = Rig::new();
    rig.settings.max_spout_pending = 1;
    let mut housing = rig.housing(Box::new(|| Ok(Component::Spout(Box::new(Made(Plenty(2)))))));
    housing.retry.max = Some(0);
    housing.retry.dead_letter = Some(DeadLetters::File("letters".into()));
    let output = rig.output(&housing);
    rig.mailbox.push_control(Control::Activate);
    let mut task = SpoutTask::new(housing, output);
    until_it_waits(&mut task);
    answer(&rig, Some(FailReason::Explicit));
    assert!(rig.rung());
    until_it_waits(&mut task);
    let dead = |task: &SpoutTask| task.housing.counters.dead_letters.load(Relaxed);
    assert_eq!(dead(&task), 1);
    // Nobody will ring again before the second message is out.
    answer(&rig, Some(FailReason::Explicit));
    until_it_waits(&mut task);
    assert_eq!(dead(&task), 2);
}

/// Panics at the first ack.
struct Panicking(Arc<AtomicUsize>, bool);

impl Part for Panicking {
    fn next(&mut self, out: &mut SpoutCollector<'_>) -> Asked {
        if std::mem::replace(&mut self.1, true) {
            return Ok(Next::IdleUntil(now() + Duration::from_secs(3600)));
        }
        emit(out, 1);
        Ok(Next::More)
    }

    fn ack(&mut self) {
        assert!(self.0.fetch_add(1, Relaxed) > 0, "the first ack");
    }
}

#[test]
fn a_panic_in_ack_is_a_death_of_the_component_alone() {
    let rig = Rig::new();
    let acks = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&acks);
    let mut task = rig.spout(move || Made(Panicking(Arc::clone(&count), false)));
    until_it_waits(&mut task);
    answer(&rig, None);
    while task.housing.counters.restarts.load(Relaxed) == 0 || rig.consumer.is_empty() {
        until_it_waits(&mut task);
    }
    answer(&rig, None);
    until_it_waits(&mut task);
    assert_eq!(acks.load(Relaxed), 2);
}

/// Has one message, then more that is not tracked than there is room for. It gives the message out again
/// itself.
#[derive(Default)]
struct Stubborn {
    sent: usize,
    owes: bool,
}

impl Part for Stubborn {
    fn next(&mut self, out: &mut SpoutCollector<'_>) -> Asked {
        if self.sent == 0 {
            self.sent = 1;
            emit(out, 1);
            return Ok(Next::IdleUntil(now()));
        }
        for _ in 0..10 {
            out.emit(None, vec![large()]).unwrap();
        }
        Ok(Next::Exhausted)
    }

    fn fail(&mut self) -> Replay {
        self.owes = true;
        Replay::Source
    }

    fn wake(&mut self, out: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        if std::mem::take(&mut self.owes) {
            emit(out, 1);
        }
        Ok(())
    }
}

#[test]
fn a_message_that_its_spout_gives_out_again_is_not_forgotten_while_outputs_are_full() {
    let rig = Rig::with_room(6_000);
    let mut task = rig.spout(Made::<Stubborn>::default);
    until_it_waits(&mut task);
    let Some(Delivery::Tuples(first)) = rig.consumer.take() else { panic!("nothing came") };
    let mark = Delivery::Mark(TASK, Mark::Drain);
    rig.consumer.push(mark, 100_000, &Signal::new()).unwrap();
    until_it_waits(&mut task);
    assert!(!task.output.has_room());
    let mut sums = EdgeSums::new(TaskId(2), WorkerView::new([Incarnation(0)]));
    sums.fail(&first[0].anchors, FailReason::Explicit, "no");
    sums.take().for_each(|(_, batch)| rig.mailbox.push_acks(batch));
    until_it_waits(&mut task);
    let is_drained = |event: &TaskEvent| matches!(event, TaskEvent::State(_, TaskState::Drained));
    assert!(!rig.events().iter().any(is_drained), "the message was forgotten");
    rig.consume();
    until_it_waits(&mut task);
    assert_eq!(task.housing.counters.pending.load(Relaxed), 1);
}

/// Emits a message after it has said that there is no more.
struct Late(usize);

impl Part for Late {
    fn next(&mut self, _: &mut SpoutCollector<'_>) -> Asked {
        self.0 += 1;
        Ok(Next::Exhausted)
    }

    fn wake(&mut self, out: &mut SpoutCollector<'_>) -> Result<(), ComponentError> {
        if self.0 == 1 {
            self.0 += 1;
            emit(out, 1);
        }
        Ok(())
    }
}

#[test]
fn the_end_waits_for_what_is_still_pending() {
    let rig = Rig::new();
    let mut task = rig.spout(|| Made(Late(0)));
    until_it_waits(&mut task);
    assert_eq!(rig.consume(), 0);
    until_it_waits(&mut task);
    rig.mailbox.push_control(Control::End);
    until_it_waits(&mut task);
    let mut ended = false;
    let mut late = Vec::new();
    while let Some(delivery) = rig.consumer.take() {
        match delivery {
            Delivery::Tuples(tuples) => late.extend(tuples),
            Delivery::Mark(_, mark) => ended |= mark == Mark::End,
            Delivery::Part(..) => {}
        }
    }
    assert_eq!((late.len(), ended), (1, false));
    let anchor = late[0].anchors[0];
    let mut batch = AckBatch::new(WorkerView::new([Incarnation(0)]));
    let (root, xor, touched) = (anchor.root, anchor.edge.0, Touched::default());
    batch.acks.push(AckEntry { root, xor, touched });
    rig.mailbox.push_acks(batch);
    until_it_waits(&mut task);
    assert!(matches!(rig.consumer.take(), Some(Delivery::Mark(_, Mark::End))));
}
