//! Bolt loops: no wake-up is lost, nothing grows without bound, nothing spins.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::base::{Signal, StreamIdx, TaskId, now};
use crate::component::{Acking, Bolt, Collector, ComponentError, Context, FailKind, Progress};
use crate::tuple::{Anchor, Anchors, Tuple, Value};

use super::super::bolt_task::BoltTask;
use super::rig::*;

pub(super) type Outcome = Result<(), ComponentError>;

/// What a test's bolt does; the rest does nothing.
pub(super) trait Part: Send {
    fn open(&mut self, _: &Context) -> Outcome {
        Ok(())
    }
    fn execute(&mut self, _: Tuple, _: &mut Collector<'_>) -> Outcome {
        Ok(())
    }
    fn wake(&mut self, _: &mut Collector<'_>) -> Outcome {
        Ok(())
    }
    fn end(&mut self, _: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        Ok(Progress::Done)
    }
    fn drain(&mut self) -> Progress {
        Progress::Done
    }
    fn close(&mut self) -> Progress {
        Progress::Done
    }
    fn holds_memory(&self) -> bool {
        false
    }
}

pub(super) struct Made<P>(pub(super) P);

impl<P: Part> Bolt for Made<P> {
    fn open(&mut self, context: &Arc<Context>, _: &mut Collector<'_>) -> Outcome {
        self.0.open(context)
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Outcome {
        self.0.execute(tuple, out)
    }

    fn acking(&self) -> Acking {
        Acking::Automatic
    }

    fn wake(&mut self, out: &mut Collector<'_>) -> Outcome {
        self.0.wake(out)
    }

    fn drain(&mut self, _: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        Ok(self.0.drain())
    }

    fn end(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        self.0.end(out)
    }

    fn holds_memory(&self) -> bool {
        self.0.holds_memory()
    }

    fn abandon(&mut self, _: FailKind, _: &mut Collector<'_>) {}

    fn close(&mut self, _: &mut Collector<'_>) -> Progress {
        self.0.close()
    }
}

/// Turns a task as its loop would, until it waits.
pub(super) fn until_it_waits(task: &mut BoltTask) {
    task.obey();
    while task.turn(now()) {}
}

#[derive(Default)]
struct Pass;

impl Part for Pass {
    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Outcome {
        out.emit(tuple.values).map_err(|error| ComponentError::restart(error.to_string()))
    }
}

#[test]
fn a_bolt_goes_on_when_all_that_waited_has_gone_at_once() {
    let rig = Rig::with_room(100_000);
    let mut task = rig.bolt(|| Made(Pass));
    // The consumer is full of something else.
    let mark = Delivery::Mark(TASK, Mark::Drain);
    rig.consumer.push(mark, 100_000, &Signal::new()).unwrap();
    for _ in 0..4 {
        rig.give((0..256).map(|_| large()));
    }
    let mut got = 0;
    until_it_waits(&mut task);
    loop {
        got += rig.consume();
        if !rig.rung() {
            break;
        }
        until_it_waits(&mut task);
    }
    assert_eq!(got, 4 * 256, "the bolt waits for a ring that never comes");
}

struct Sink;

impl Part for Sink {}

#[test]
fn a_bolt_goes_on_when_its_sums_have_left() {
    let rig = Rig::new();
    let mut task = rig.bolt(|| Made(Sink));
    for _ in 0..40 {
        rig.give((0..256_i64).map(Value::from));
    }
    // All of it happens within one moment: nothing is flushed because time has passed.
    let moment = now();
    while task.turn(moment) {}
    let roots: usize = rig.acked().iter().map(|batch| batch.acks.len()).sum();
    assert_eq!(roots, 40 * 256);
}

#[test]
fn acks_wake_a_spout_only_where_a_tree_may_be_complete() {
    let rig = Rig::new();
    let mut task = rig.bolt(|| Made(Pass));
    rig.give([Value::from(1)]);
    until_it_waits(&mut task);
    assert!(!rung(&rig.acks), "there is a child behind it");
    assert_eq!(rig.acked().len(), 1, "it is there all the same");
    // A batch of them is full within a turn, and leaves before the acks do.
    rig.give((0..300).map(Value::from));
    until_it_waits(&mut task);
    assert!(rung(&rig.acks), "children are acked before");
    let leaf = Rig::new();
    let mut task = leaf.bolt(|| Made(Sink));
    leaf.give([Value::from(1)]);
    until_it_waits(&mut task);
    assert!(rung(&leaf.acks));
}

struct Closing;

impl Part for Closing {
    fn close(&mut self) -> Progress {
        Progress::Pending
    }
}

#[test]
fn a_closing_bolt_is_not_woken_for_ticks() {
    let rig = Rig { tick: Some(Duration::from_nanos(1)), ..Rig::new() };
    let mut task = rig.bolt(|| Made(Closing));
    rig.give_mark(Mark::End);
    until_it_waits(&mut task);
    assert_eq!(task.deadline(), None);
}

/// Emits for ever, as the final results of a large table would be.
struct Endless;

impl Part for Endless {
    fn end(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        emit_much(out);
        Ok(Progress::Pending)
    }
}

fn emit_much(out: &mut Collector<'_>) {
    for _ in 0..100 {
        out.emit(vec![large()]).unwrap();
    }
}

#[test]
fn final_results_wait_for_room() {
    let rig = Rig::with_room(100_000);
    let mut task = rig.bolt(|| Made(Endless));
    rig.give_mark(Mark::End);
    for _ in 0..100 {
        until_it_waits(&mut task);
    }
    let waiting = task.output.routes.waiting_bytes();
    assert!(waiting < 400_000, "{waiting} bytes wait");
}

/// A child that answers and answers.
struct Talkative;

impl Part for Talkative {
    fn wake(&mut self, out: &mut Collector<'_>) -> Outcome {
        emit_much(out);
        Ok(())
    }
}

#[test]
fn a_bolt_is_not_listened_to_while_its_outputs_are_full() {
    let rig = Rig::with_room(100_000);
    let mut task = rig.bolt(|| Made(Talkative));
    for _ in 0..100 {
        until_it_waits(&mut task);
    }
    let waiting = task.output.routes.waiting_bytes();
    assert!(waiting < 400_000, "{waiting} bytes wait");
}

/// Like a child that has gone: it knows no more what it kept.
struct Forgetful {
    gone: bool,
}

impl Part for Forgetful {
    fn execute(&mut self, _: Tuple, _: &mut Collector<'_>) -> Outcome {
        self.gone = true;
        Ok(())
    }

    fn wake(&mut self, _: &mut Collector<'_>) -> Outcome {
        if self.gone { Err(ComponentError::restart("gone")) } else { Ok(()) }
    }

    fn holds_memory(&self) -> bool {
        !self.gone
    }
}

fn lost_memory(events: &[TaskEvent]) -> Vec<bool> {
    let lost = |event: &TaskEvent| match event {
        TaskEvent::Restarted { lost_memory, .. } => Some(*lost_memory),
        _ => None,
    };
    events.iter().filter_map(lost).collect()
}

#[test]
fn what_a_child_kept_is_missed_although_it_is_gone() {
    let rig = Rig::new();
    let mut task = rig.bolt(|| Made(Forgetful { gone: false }));
    until_it_waits(&mut task);
    task.show_backlog();
    rig.give([Value::from(1)]);
    until_it_waits(&mut task);
    assert_eq!(lost_memory(&rig.events()), [true]);
}

/// Fails at its first opening, and once in each life after that.
struct Unlucky {
    lives: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<bool>>>,
}

impl Part for Unlucky {
    fn open(&mut self, context: &Context) -> Outcome {
        self.told.lock().unwrap().push(context.restarted);
        if self.lives.fetch_add(1, Relaxed) == 0 {
            return Err(ComponentError::restart("not yet"));
        }
        Ok(())
    }

    fn wake(&mut self, _: &mut Collector<'_>) -> Outcome {
        Err(ComponentError::restart("and again"))
    }
}

fn told_of_restarts(rig: &Rig) -> Vec<bool> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let lives = Arc::new(AtomicUsize::new(0));
    let (to, count) = (Arc::clone(&told), Arc::clone(&lives));
    let mut task =
        rig.bolt(move || Made(Unlucky { lives: Arc::clone(&count), told: Arc::clone(&to) }));
    while lives.load(Relaxed) < 3 {
        until_it_waits(&mut task);
    }
    let told = told.lock().unwrap();
    told.clone()
}

#[test]
fn a_later_life_is_told_that_it_continues_but_not_before_one_has_begun() {
    let rig = Rig::new();
    assert_eq!(told_of_restarts(&rig), [false, false, true]);
    // The worker is replaced, and its predecessor's task had begun …
    let again = Rig { restarted: true, surroundings: rig.surroundings.clone(), ..Rig::new() };
    assert_eq!(told_of_restarts(&again), [true, true, true]);
    // … or it had not.
    let fresh = Rig { restarted: true, ..Rig::new() };
    assert_eq!(told_of_restarts(&fresh), [false, false, true]);
}

/// Panics when it is built anew, and where nobody expects it.
struct Panicking(Arc<AtomicBool>);

impl Part for Panicking {
    fn drain(&mut self) -> Progress {
        assert!(self.0.swap(true, Relaxed), "the first drain");
        Progress::Done
    }

    fn holds_memory(&self) -> bool {
        panic!("never to be asked")
    }
}

#[test]
fn a_panic_is_a_death_of_the_component_alone() {
    let rig = Rig::new();
    let once = Arc::new(AtomicBool::new(false));
    let mut task = rig.bolt(move || Made(Panicking(Arc::clone(&once))));
    rig.give_mark(Mark::Drain);
    while !rig.events().contains(&TaskEvent::State(TASK, TaskState::Drained)) {
        until_it_waits(&mut task);
    }
    assert_eq!(task.housing.counters.restarts.load(Relaxed), 1);
}

struct Join(Vec<crate::tuple::Ticket>);

impl Part for Join {
    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Outcome {
        self.0.push(tuple.ticket());
        if let [first, second] = &self.0[..] {
            out.emit_anchored(&[first, second], StreamIdx(0), vec![large()]).unwrap();
        }
        Ok(())
    }
}

#[test]
fn roots_of_two_spouts_with_one_number_are_two_roots() {
    let rig = Rig::new();
    let mut task = rig.bolt(|| Made(Join(Vec::new())));
    let mut tuples = [tuple(Value::from(1)), tuple(Value::from(2))];
    let first = tuples[0].anchors[0];
    let edge = tuples[1].anchors[0].edge;
    tuples[1].anchors = Anchors::one(Anchor { edge, spout: TaskId(10), ..first });
    rig.mailbox.push(Delivery::Tuples(tuples.into()), 1, &Signal::new()).unwrap();
    until_it_waits(&mut task);
    let Some(Delivery::Tuples(joined)) = rig.consumer.take() else { panic!("nothing came") };
    assert_eq!(joined[0].anchors.len(), 2);
}

/// Panics at the second tuple of its first life.
struct Fragile(Arc<AtomicUsize>);

impl Part for Fragile {
    fn execute(&mut self, _: Tuple, _: &mut Collector<'_>) -> Outcome {
        assert_ne!(self.0.fetch_add(1, Relaxed), 1, "the second tuple");
        Ok(())
    }
}

#[test]
fn a_panic_fails_the_tuple_in_hand_and_no_other() {
    let rig = Rig::new();
    let count = Arc::new(AtomicUsize::new(0));
    let executed = Arc::clone(&count);
    let mut task = rig.bolt(move || Made(Fragile(Arc::clone(&executed))));
    rig.give((0..5).map(Value::from));
    while count.load(Relaxed) < 5 {
        until_it_waits(&mut task);
    }
    until_it_waits(&mut task);
    let batches = rig.acked();
    assert_eq!(batches.iter().map(|batch| batch.acks.len()).sum::<usize>(), 4);
    let fails: Vec<_> = batches.iter().flat_map(|batch| &batch.fails).collect();
    assert_eq!(fails.len(), 1);
    assert_eq!(fails[0].reason, crate::metrics::FailReason::DiedAlone);
    assert_eq!(task.housing.counters.restarts.load(Relaxed), 1);
}
