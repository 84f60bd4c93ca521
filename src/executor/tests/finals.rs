//! Final results: kept until they are acked, given out again where they fail, and once where all went well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::ack::{EdgeSums, Touched, WorkerView};
use crate::base::{EdgeId, Incarnation, TaskId, WorkerSlot, now};
use crate::component::{Collector, ComponentError, Progress};
use crate::metrics::{DropReason, FailReason};
use crate::tuple::{Anchor, Tuple, Value};

use super::super::bolt_task::BoltTask;
use super::super::pause::Step;
use super::bolts::{Made, Outcome, Part, until_it_waits};
use super::rig::*;

/// Emits this many final results, while there is room.
struct Finals(i64);

impl Part for Finals {
    fn execute(&mut self, _: Tuple, out: &mut Collector<'_>) -> Outcome {
        out.emit(vec![Value::from(0)]).map_err(|error| ComponentError::restart(error.to_string()))
    }

    fn end(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        while self.0 > 0 {
            if !out.has_room() {
                return Ok(Progress::Pending);
            }
            out.emit(vec![Value::from(self.0)]).unwrap();
            self.0 -= 1;
        }
        Ok(Progress::Done)
    }
}

fn numbers(tuples: &[Tuple]) -> Vec<String> {
    tuples.iter().map(|tuple| tuple.values[0].to_json()).collect()
}

/// Turns the task until something has come to the consumer, which says so.
fn answered(rig: &Rig, task: &mut BoltTask, fail: Option<FailReason>) -> Vec<String> {
    let given = given(rig, task);
    say(rig, &given, fail);
    numbers(&given)
}

/// Turns the task until something has come to the consumer.
fn given(rig: &Rig, task: &mut BoltTask) -> Vec<Tuple> {
    loop {
        until_it_waits(task);
        let tuples = taken(rig);
        if !tuples.is_empty() {
            return tuples;
        }
    }
}

/// What has come to the consumer; whether it ends with the end mark.
fn marked(rig: &Rig) -> bool {
    let mut last = None;
    while let Some(delivery) = rig.consumer.take() {
        last = Some(delivery);
    }
    matches!(last, Some(Delivery::Mark(TASK, Mark::End)))
}

#[test]
fn the_end_mark_waits_for_the_acks_of_the_final_results() {
    let rig = Rig { tick: Some(Duration::from_nanos(1)), ..Rig::new() };
    let mut task = rig.bolt(|| Made(Finals(2)));
    rig.give_mark(Mark::End);
    let given = given(&rig, &mut task);
    let due = task.deadline().expect("consumers are asked then");
    assert!(due.since(now()) > Duration::from_millis(50), "no ticks behind final results");
    assert_eq!(numbers(&given), ["2", "1"]);
    until_it_waits(&mut task);
    task.show_backlog();
    assert_eq!(task.housing.counters.open_finals.load(Relaxed), 2, "they are kept");
    assert!(!marked(&rig));
    say(&rig, &given, None);
    until_it_waits(&mut task);
    assert!(marked(&rig));
    task.show_backlog();
    assert_eq!(task.housing.counters.open_finals.load(Relaxed), 0);
    assert_eq!(task.housing.counters.replayed.load(Relaxed), 0);
}

#[test]
fn a_final_result_is_given_out_again_until_it_is_acked() {
    let rig = Rig::new();
    let mut task = rig.bolt(|| Made(Finals(1)));
    rig.give_mark(Mark::End);
    for reason in [FailReason::Explicit, FailReason::Died, FailReason::Explicit] {
        assert_eq!(answered(&rig, &mut task, Some(reason)), ["1"]);
        until_it_waits(&mut task);
        let due = task.deadline().expect("it is to be given out again, or has been");
        assert!(reason == FailReason::Died || due.since(now()) <= rig.retry_after);
    }
    assert_eq!(answered(&rig, &mut task, None), ["1"]);
    until_it_waits(&mut task);
    assert!(marked(&rig));
    assert_eq!(task.housing.counters.replayed.load(Relaxed), 3);
    let logged = rig.surroundings.logged.lock().unwrap();
    let [line] = &logged[..] else { panic!("{logged:?}") };
    assert!(line.contains("a final result failed in sink (task 2): no"), "{line}");
}

#[test]
fn what_is_on_its_way_to_a_lost_worker_is_given_out_again() {
    let rig = Rig::new();
    let mut task = rig.bolt(|| Made(Finals(1)));
    rig.give_mark(Mark::End);
    let given_first = given(&rig, &mut task);
    // The consumer has sent a child of it to another worker, and tells so …
    let anchor = Anchor { edge: EdgeId::random(), ..given_first[0].anchors[0] };
    let view = |other| WorkerView::new([Incarnation(0), Incarnation(other)]);
    let mut sums = EdgeSums::new(TaskId(2), view(0));
    sums.add(anchor, Touched::worker(WorkerSlot(1)));
    sums.take().for_each(|(_, batch)| rig.mailbox.push_acks(batch));
    until_it_waits(&mut task);
    // … which is lost.
    rig.mailbox.push_control(Control::PeerLost(WorkerSlot(1), view(1)));
    assert_eq!(given(&rig, &mut task).len(), 1);
    assert_eq!(task.housing.counters.failed_by[FailReason::WorkerLost as usize].load(Relaxed), 1);
}

#[test]
fn final_results_time_out_but_not_in_a_pause() {
    let mut rig = Rig::new();
    rig.settings.message_timeout = Duration::from_secs(30);
    let mut task = rig.bolt(|| Made(Finals(1)));
    rig.give_mark(Mark::End);
    assert_eq!(given(&rig, &mut task).len(), 1);
    rig.mailbox.push_control(Control::Pause);
    task.obey();
    assert_eq!(task.deadline(), None);
    let late = now() + Duration::from_secs(31);
    task.turn(late);
    assert_eq!(task.housing.counters.timeouts_deferred.load(Relaxed), 1);
    rig.mailbox.push_control(Control::Resume);
    task.obey();
    let timed_out = |task: &BoltTask| {
        task.housing.counters.failed_by[FailReason::TimedOut as usize].load(Relaxed)
    };
    task.turn(now() + Duration::from_secs(29));
    assert_eq!(timed_out(&task), 0);
    task.turn(now() + Duration::from_secs(31));
    assert_eq!(timed_out(&task), 1);
}

#[test]
fn what_comes_behind_its_producers_end_mark_is_acked_and_dropped() {
    let rig = Rig::new();
    let mut task = rig.bolt(|| Made(Finals(1)));
    rig.give_mark(Mark::End);
    rig.give([Value::from(1), Value::from(2)]);
    assert_eq!(answered(&rig, &mut task, None), ["1"], "only its own");
    assert_eq!(rig.acked().iter().map(|batch| batch.acks.len()).sum::<usize>(), 2);
    let dropped = &task.housing.counters.dropped_by[DropReason::AfterEnd as usize];
    assert_eq!(dropped.load(Relaxed), 2);
}

#[test]
fn a_task_that_has_ended_tells_a_successor_so() {
    let mut rig = Rig::new();
    rig.settings.workers = 2;
    let mut task = rig.bolt(|| Made(Finals(0)));
    rig.give_mark(Mark::End);
    while !rig.events().contains(&TaskEvent::State(TASK, TaskState::Ended)) {
        task.step(now());
    }
    assert!(marked(&rig));
    // The consumer's lane is local in a rig, so it is the task itself that is begun anew, in a worker alone.
    let rig = Rig { restarted: true, ..Rig::new() };
    let mut again =
        rig.bolt(|| -> Made<Finals> { panic!("there is nothing to do for a component") });
    again.skip();
    while !rig.events().contains(&TaskEvent::State(TASK, TaskState::Ended)) {
        again.step(now());
    }
    assert!(marked(&rig));
    rig.give([Value::from(1)]);
    assert_ne!(again.step(now()), Step::Over);
    assert!(rig.mailbox.is_empty(), "what comes is taken");
    assert_eq!(rig.acked().iter().map(|batch| batch.acks.len()).sum::<usize>(), 1);
}

#[test]
fn consumers_are_asked_once_for_what_they_hold_where_nothing_is_done() {
    let rig = Rig::new();
    let mut task = rig.bolt(|| Made(Finals(2)));
    rig.give_mark(Mark::End);
    let held = given(&rig, &mut task);
    let late = now() + Duration::from_millis(250);
    assert!(task.deadline().is_some_and(|at| at <= late));
    let mut asked = |at| {
        task.turn(at);
        let deliveries = std::iter::from_fn(|| rig.consumer.take());
        let is_drain = |delivery: &Delivery| matches!(delivery, Delivery::Mark(_, Mark::Drain));
        deliveries.filter(is_drain).count()
    };
    assert_eq!((asked(late), asked(late + Duration::from_secs(5))), (1, 0));
    // Something has moved since.
    say(&rig, &held[..1], None);
    let later = late + Duration::from_secs(6);
    assert_eq!((asked(later), asked(later + Duration::from_millis(250))), (0, 1));
}

/// Counts how often it is asked to drain.
struct Drains(Arc<AtomicUsize>);

impl Part for Drains {
    fn drain(&mut self) -> Progress {
        self.0.fetch_add(1, Relaxed);
        Progress::Done
    }
}

#[test]
fn a_drain_mark_that_comes_again_is_passed_on_unless_its_producer_has_ended() {
    let rig = Rig::new();
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    let mut task = rig.bolt(move || Made(Drains(Arc::clone(&asked))));
    for expected in [1, 2] {
        rig.give_mark(Mark::Drain);
        until_it_waits(&mut task);
        assert_eq!(count.load(Relaxed), expected);
        assert!(matches!(rig.consumer.take(), Some(Delivery::Mark(_, Mark::Drain))));
    }
    rig.give_mark(Mark::End);
    rig.give_mark(Mark::Drain);
    until_it_waits(&mut task);
    assert_eq!(count.load(Relaxed), 2);
}

#[test]
fn acks_that_were_left_without_a_ring_ring_where_a_worker_is_lost() {
    let rig = Rig::new();
    let mut task = rig.bolt(|| Made(Finals(0)));
    rig.give([Value::from(1)]);
    until_it_waits(&mut task);
    assert!(!rung(&rig.acks));
    let view = WorkerView::new([Incarnation(0), Incarnation(1)]);
    rig.mailbox.push_control(Control::PeerLost(WorkerSlot(1), view));
    until_it_waits(&mut task);
    assert!(rung(&rig.acks));
}
