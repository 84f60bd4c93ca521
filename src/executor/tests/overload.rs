//! Full inputs: what goes, what stays, who waits, and what becomes of the trees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::ack::{AckBatch, EdgeSums, WorkerView};
use crate::base::{Incarnation, RootId, Signal, StreamIdx, TaskId, WorkerSlot, now};
use crate::component::{
    Bolt, Collector, ComponentError, Context, MessageId, Next, Spout, SpoutCollector, StreamDecl,
    Tasks,
};
use crate::grouping::{Chooser, Grouping, GroupingName, Target};
use crate::metrics::{DropReason, FailReason, TaskCounters};
use crate::topology::OnFull;
use crate::tuple::{Anchors, Flags, Tuple, Value, Values};

use super::super::hours::Occupation;
use super::super::lane::{Destination, Lane, Opened, open_part};
use super::super::routes::{Route, Routes, Sent, StreamRoutes};
use super::super::runs::Runs;
use super::rig::*;

const COUNT: usize = 1000;
const POLICIES: [(OnFull, DropReason); 3] = [
    (OnFull::DropNewest, DropReason::DropNewest),
    (OnFull::DropOldest, DropReason::DropOldest),
    (OnFull::Shed, DropReason::Shed),
];

/// About a thousand bytes that begin with a number.
fn numbered(number: usize) -> Value {
    Value::from(format!("{number:08}{}", "x".repeat(1000)))
}

fn number(tuple: &Tuple) -> usize {
    tuple.values[0].as_str().unwrap()[..8].parse().unwrap()
}

/// Gives out so many messages in order, and then nothing for an hour.
struct Flood(usize);

impl Spout for Flood {
    fn open(&mut self, _: &Arc<Context>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector<'_>) -> Result<Next, ComponentError> {
        if self.0 == COUNT {
            return Ok(Next::IdleUntil(now() + Duration::from_secs(3600)));
        }
        out.emit(Some(MessageId(self.0 as u64)), vec![numbered(self.0)]).unwrap();
        self.0 += 1;
        Ok(Next::More)
    }
}

struct Pass;

impl Bolt for Pass {
    fn open(&mut self, _: &Arc<Context>, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        out.emit(tuple.values).map_err(|error| ComponentError::restart(error.to_string()))
    }
}

/// A consumer that takes a hundred thousand bytes, and a lane with half as many.
fn rig(on_full: OnFull) -> Rig {
    let mut rig = Rig { on_full, ..Rig::with_room(100_000) };
    rig.settings.max_spout_pending = 10 * COUNT;
    rig
}

fn taken(consumer: &Mailbox) -> Vec<Tuple> {
    let deliveries = std::iter::from_fn(|| consumer.take());
    let tuples = deliveries.filter_map(|delivery| match delivery {
        Delivery::Tuples(tuples) => Some(tuples),
        Delivery::Part(..) | Delivery::Mark(..) => None,
    });
    tuples.flatten().collect()
}

fn dropped(counters: &TaskCounters, reason: DropReason) -> usize {
    counters.snapshot().dropped(reason) as usize
}

#[test]
fn a_spout_goes_on_before_an_input_that_drops_and_every_tuple_is_accounted_for() {
    for (on_full, reason) in POLICIES {
        let mut rig = rig(on_full);
        // What is shed is not given out again within this test.
        rig.retry_after = Duration::from_secs(3600);
        let mut task = rig.spout(|| Flood(0));
        task.obey(now());
        while task.turn(now()) {}
        let waiting = task.output.routes.waiting_bytes();
        assert!(waiting < 200_000, "{on_full:?}: {waiting} bytes wait");
        let mut got = taken(&rig.consumer);
        while task.turn(now()) || !rig.consumer.is_empty() {
            got.extend(taken(&rig.consumer));
        }
        let counters = Arc::clone(&task.housing.counters);
        assert_eq!(counters.emitted.load(Relaxed) as usize, COUNT, "{on_full:?}");
        assert_eq!(got.len() + dropped(&counters, reason), COUNT, "{on_full:?}");
        assert!(dropped(&counters, reason) > COUNT / 2, "{on_full:?}");
        let numbers: Vec<_> = got.iter().map(number).collect();
        assert!(numbers.is_sorted(), "{on_full:?}: order is kept");
        let has_last = numbers.last() == Some(&(COUNT - 1));
        assert_eq!(has_last, on_full == OnFull::DropOldest, "{on_full:?}");
        // Trees of dropped tuples are over, and those of the others wait for their acks.
        let failed = if on_full == OnFull::Shed { COUNT - got.len() } else { 0 };
        let acked = COUNT - got.len() - failed;
        assert_eq!(counters.failed.load(Relaxed) as usize, failed, "{on_full:?}");
        assert_eq!(counters.acked.load(Relaxed) as usize, acked, "{on_full:?}");
        if on_full == OnFull::Shed {
            assert_eq!(counters.snapshot().failed_by[FailReason::Shed as usize] as usize, failed);
        }
        let mut sums = EdgeSums::new(TaskId(2), WorkerView::new([Incarnation(0)]));
        for tuple in &got {
            sums.ack(&tuple.anchors);
        }
        sums.take().for_each(|(_, batch)| rig.mailbox.push_acks(batch));
        while task.turn(now()) {}
        assert_eq!(counters.acked.load(Relaxed) as usize, COUNT - failed, "{on_full:?}");
    }
}

/// The edges of each root, and the roots that failed.
fn settled(batches: &[AckBatch]) -> (BTreeMap<RootId, u64>, BTreeMap<RootId, FailReason>) {
    let mut sums = BTreeMap::new();
    for ack in batches.iter().flat_map(|batch| &batch.acks) {
        *sums.entry(ack.root).or_default() ^= ack.xor;
    }
    let fails = batches.iter().flat_map(|batch| &batch.fails);
    (sums, fails.map(|fail| (fail.root, fail.reason)).collect())
}

#[test]
fn a_bolt_goes_on_before_an_input_that_drops_and_its_trees_are_settled() {
    for (on_full, reason) in POLICIES {
        let rig = rig(on_full);
        let mut task = rig.bolt(|| Pass);
        let tuples: Vec<_> = (0..COUNT).map(|n| tuple(numbered(n))).collect();
        let given: BTreeMap<_, _> =
            tuples.iter().map(|tuple| (tuple.anchors[0].root, tuple.anchors[0].edge.0)).collect();
        rig.mailbox.push(Delivery::Tuples(tuples), 1, &Signal::new()).unwrap();
        task.obey();
        while task.turn(now()) {}
        assert_eq!(task.housing.counters.executed.load(Relaxed) as usize, COUNT, "{on_full:?}");
        let mut got = taken(&rig.consumer);
        while task.turn(now()) || !rig.consumer.is_empty() {
            got.extend(taken(&rig.consumer));
        }
        assert_eq!(got.len() + dropped(&task.housing.counters, reason), COUNT, "{on_full:?}");
        let (mut sums, fails) = settled(&rig.acked());
        for anchor in got.iter().flat_map(|tuple| &tuple.anchors) {
            *sums.get_mut(&anchor.root).unwrap() ^= anchor.edge.0;
        }
        // Once the others are acked, of every tree the edge of the input alone is left.
        assert_eq!(sums, given, "{on_full:?}");
        let missing = given.keys().filter(|root| !got.iter().any(|t| t.anchors[0].root == **root));
        let shed: BTreeSet<_> = missing.copied().filter(|_| on_full == OnFull::Shed).collect();
        assert_eq!(fails.keys().copied().collect::<BTreeSet<_>>(), shed, "{on_full:?}");
        assert!(fails.values().all(|reason| *reason == FailReason::Shed));
    }
}

#[test]
fn a_full_input_is_told_of_at_first_and_at_each_tenfold() {
    let rig = rig(OnFull::DropOldest);
    let mut task = rig.spout(|| Flood(0));
    task.obey(now());
    while task.turn(now()) {}
    let logged = rig.surroundings.logged.lock().unwrap();
    let count = dropped(&task.housing.counters, DropReason::DropOldest);
    assert!((1..=4).contains(&logged.len()), "{count} dropped: {logged:?}");
    assert!(logged[0].starts_with("sink (task 2) is full: "), "{logged:?}");
    assert!(logged[0].ends_with(" for it dropped so far (drop_oldest)"), "{logged:?}");
}

#[test]
fn marks_are_not_dropped_and_stay_where_they_are() {
    let rig = rig(OnFull::DropOldest);
    let mut lane = Lane::new(TaskId(2), Destination::Local(Arc::clone(&rig.consumer)), 2_000);
    rig.consumer.push(Delivery::Mark(TASK, Mark::Drain), 100_000, &Signal::new()).unwrap();
    lane.set_policy(OnFull::DropOldest);
    for number in 0..10 {
        lane.push(tuple(numbered(number)));
        lane.flush(&Signal::new());
        if number == 4 {
            lane.push_mark(TASK, Mark::Drain);
        }
    }
    while lane.is_spent() {
        lane.take_oldest().unwrap();
    }
    rig.consumer.take();
    lane.flush(&Signal::new());
    assert!(matches!(rig.consumer.take(), Some(Delivery::Mark(TASK, Mark::Drain))));
    assert_eq!(taken(&rig.consumer).iter().map(number).collect::<Vec<_>>(), [9]);
    assert_eq!(lane.waiting_bytes(), 0);
}

/// A link that takes so many parts.
struct Narrow(Mutex<(usize, Vec<Vec<u8>>)>);

impl RemoteLink for Narrow {
    fn try_send(&self, _: TaskId, part: Vec<u8>, _: &Signal) -> Result<(), Refused> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.0 == 0 {
            return Err(Refused::Full(part));
        }
        inside.0 -= 1;
        inside.1.push(part);
        Ok(())
    }

    fn try_send_acks(&self, _: TaskId, _: Vec<u8>, _: &Signal) -> Result<(), Refused> {
        Ok(())
    }
}

impl Narrow {
    fn numbers(&self) -> Vec<usize> {
        let inside = self.0.lock().unwrap();
        let tuples = inside.1.iter().flat_map(|part| match open_part(part) {
            Ok(Opened::Tuples(tuples)) => tuples,
            _ => panic!("tuples"),
        });
        tuples.map(|tuple| number(&tuple)).collect()
    }
}

fn routes(lanes: Vec<Lane>, streams: &[&[OnFull]], budget: usize) -> Routes {
    let streams = streams.iter().map(|policies| {
        let routes = policies.iter().map(|&on_full| route(&lanes, on_full)).collect();
        StreamRoutes::new(StreamDecl::default_stream(["x"]), routes)
    });
    let streams = streams.collect();
    Routes::new(TASK, streams, lanes, budget, Runs::new(1), Signal::new())
}

fn route(lanes: &[Lane], on_full: OnFull) -> Route {
    let targets = lanes.iter().map(|lane| Target { task: lane.task(), local: true }).collect();
    let chooser = Chooser::new(Grouping::plain(GroupingName::Shuffle), targets);
    Route { chooser, lanes: (0..lanes.len()).collect(), on_full }
}

fn send(routes: &mut Routes, stream: u16, number: usize, tasks: Tasks<'_>) -> Sent {
    let values = Values::from_iter([numbered(number)]);
    let (stream, flags) = (StreamIdx(stream), Flags::default());
    routes.send(stream, None, values, flags, |_| Anchors::new(), tasks).unwrap()
}

#[test]
fn a_remote_lane_takes_back_what_it_has_encoded() {
    let link = Arc::new(Narrow(Mutex::new((1, Vec::new()))));
    let remote: Arc<dyn RemoteLink> = link.clone();
    let lane = Lane::new(TaskId(2), Destination::Remote(WorkerSlot(1), remote), 100_000);
    let mut routes = routes(vec![lane], &[&[OnFull::DropOldest]], 1);
    for number in 0..COUNT {
        assert_eq!(send(&mut routes, 0, number, Tasks::Any).copies, 1);
        assert!(routes.have_room());
    }
    let recalled: Vec<_> = routes.overload().take_recalled().map(|tuple| number(&tuple)).collect();
    link.0.lock().unwrap().0 = usize::MAX;
    routes.flush();
    let mut all = recalled.clone();
    all.extend(link.numbers());
    all.sort_unstable();
    assert_eq!(all, (0..COUNT).collect::<Vec<_>>());
    assert!(link.numbers().is_sorted() && link.numbers().ends_with(&[COUNT - 1]));
    assert!(recalled.len() > COUNT / 2, "{} of {COUNT}", recalled.len());
    assert_eq!(routes.waiting_bytes(), 0);
}

fn full_mailbox() -> Arc<Mailbox> {
    let mailbox = Arc::new(Mailbox::new(10, Signal::new()));
    mailbox.push(Delivery::Mark(TASK, Mark::Drain), 10, &Signal::new()).unwrap();
    mailbox
}

fn local(task: u32, mailbox: &Arc<Mailbox>) -> Lane {
    Lane::new(TaskId(task), Destination::Local(Arc::clone(mailbox)), 100_000)
}

#[test]
fn two_inputs_of_one_task_keep_their_order_and_each_its_own_policy() {
    let mailbox = full_mailbox();
    let streams: [&[OnFull]; 2] = [&[OnFull::Block], &[OnFull::DropNewest]];
    let mut routes = routes(vec![local(2, &mailbox)], &streams, 100_000);
    let mut kept = Vec::new();
    for number in 0..COUNT {
        // One in a hundred blocks: that is within the budget.
        let stream = u16::from(number % 100 != 0);
        if send(&mut routes, stream, number, Tasks::Any).copies > 0 {
            kept.push(number);
        }
        assert!(routes.have_room(), "what can be dropped holds nobody up");
    }
    assert!(kept.len() < COUNT / 2 && kept.contains(&900), "{} of {COUNT}", kept.len());
    for number in COUNT..COUNT + 100 {
        send(&mut routes, 0, number, Tasks::Any);
        kept.push(number);
    }
    assert!(!routes.have_room(), "what blocks does");
    let mut got = Vec::new();
    for _ in 0..10 * COUNT {
        routes.flush();
        got.extend(taken(&mailbox).iter().map(number));
    }
    assert_eq!(got, kept);
    assert!(routes.have_room() && routes.are_clear());
}

#[test]
fn shuffling_drops_only_where_every_task_is_full_and_says_who_got_what() {
    let (full, free) = (full_mailbox(), Arc::new(Mailbox::new(1 << 20, Signal::new())));
    let lanes = vec![local(2, &full), local(3, &free)];
    let mut routes = routes(lanes, &[&[OnFull::DropNewest]], 1);
    let mut told = Vec::new();
    for number in 0..COUNT {
        let before = told.len();
        let sent = send(&mut routes, 0, number, Tasks::Tell(&mut told));
        assert_eq!(sent.copies, told.len() - before);
    }
    let count = |task: u32| told.iter().filter(|to| **to == TaskId(task)).count();
    routes.flush();
    let at_once = taken(&free).len();
    // The free mailbox takes a mebibyte; what does not fit there waits on both lanes, and then no more.
    assert!(at_once > 800, "{at_once}");
    assert!(count(2) + count(3) < COUNT + 1 && count(3) > 800, "{} {}", count(2), count(3));
    let dropped = routes.overload().take_fresh().map_or(0, |by| by.iter().sum::<u64>()) as usize;
    assert_eq!(told.len() + dropped, COUNT);
}

#[test]
fn a_task_that_waits_for_room_is_blocked_and_one_without_work_is_idle() {
    let mut rig = rig(OnFull::Block);
    let mut spout = rig.spout(|| Flood(0));
    spout.obey(now());
    while spout.turn(now()) {}
    assert_eq!(spout.waits_for(), Occupation::Blocked, "no room");
    while spout.turn(now()) || !rig.consumer.is_empty() {
        rig.consume();
    }
    assert_eq!(spout.waits_for(), Occupation::Idle, "no input");
    rig.settings.max_spout_pending = 10;
    let mut spout = rig.spout(|| Flood(0));
    spout.obey(now());
    while spout.turn(now()) {}
    assert_eq!(spout.waits_for(), Occupation::Blocked, "no ack");
    rig.consume();
    let mut bolt = rig.bolt(|| Pass);
    rig.give((0..COUNT).map(numbered));
    while bolt.turn(now()) {}
    assert_eq!(bolt.waits_for(), Occupation::Blocked);
    while bolt.turn(now()) || !rig.consumer.is_empty() {
        rig.consume();
    }
    assert_eq!(bolt.waits_for(), Occupation::Idle);
}

/// Has an hour's work elsewhere.
struct Elsewhere;

impl Bolt for Elsewhere {
    fn open(&mut self, _: &Arc<Context>, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn execute(&mut self, _: Tuple, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn held(&self) -> usize {
        1
    }
}

#[test]
fn a_task_whose_child_works_is_busy() {
    let rig = rig(OnFull::Block);
    let mut bolt = rig.bolt(|| Elsewhere);
    while bolt.turn(now()) {}
    assert_eq!(bolt.waits_for(), Occupation::Busy);
}
