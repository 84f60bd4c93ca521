//! A sender and a receiver with a network between them that breaks, repeats and delivers late.

use proptest::prelude::*;

use crate::base::TaskId;

use super::super::queue::Part;
use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// A part of a lane is queued.
    Queue(Lane, usize),
    /// Whatever may be sent is sent.
    Send,
    /// So many frames of connection `age` (0: the newest) reach the receiver.
    Arrive { age: usize, frames: usize },
    /// The oldest frame under way on the newest connection comes again later.
    Repeat,
    /// A frame in the middle of the newest connection vanishes, or the last one.
    Vanish { last: bool },
    /// The sender pings, behind all that it has sent.
    Ping,
    /// The receiver's number reaches the sender.
    Acknowledge,
    /// The connection breaks; what was under way may still arrive, late.
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), 1..80_usize).prop_map(|(ack, length)| {
            Step::Queue(if ack { Lane::Ack } else { Lane::Data }, length)
        }),
        6 => Just(Step::Send),
        6 => (0..3_usize, 1..5_usize).prop_map(|(age, frames)| Step::Arrive { age, frames }),
        1 => Just(Step::Repeat),
        1 => any::<bool>().prop_map(|last| Step::Vanish { last }),
        1 => Just(Step::Ping),
        3 => Just(Step::Acknowledge),
        1 => Just(Step::Reconnect),
    ]
}

const WINDOWS: PerLane<usize> = [100, 40];
const FULL: usize = 50;

#[derive(Debug)]
struct Flying {
    epoch: u64,
    numbered: Numbered,
}

struct Simulation {
    sender: SenderSequence,
    receiver: ReceiverSequence,
    queue: super::super::queue::PartQueue,
    /// Frames under way, by connection, the newest first.
    connections: VecDeque<VecDeque<Flying>>,
    queued: PerLane<Vec<u32>>,
    arrived: PerLane<Vec<u32>>,
    next_part: u32,
}

impl Simulation {
    fn new() -> Self {
        let mut simulation = Self {
            sender: SenderSequence::new(WINDOWS),
            receiver: ReceiverSequence::default(),
            queue: super::super::queue::PartQueue::default(),
            connections: VecDeque::new(),
            queued: [Vec::new(), Vec::new()],
            arrived: [Vec::new(), Vec::new()],
            next_part: 1,
        };
        simulation.reconnect();
        simulation
    }

    fn reconnect(&mut self) {
        self.sender.disconnect();
        let epoch = self.sender.connect();
        assert!(self.receiver.hello(epoch));
        self.sender.welcome(self.receiver.last()).unwrap();
        self.connections.push_front(VecDeque::new());
        self.connections.truncate(4);
    }

    fn queue(&mut self, lane: Lane, length: usize) {
        let id = self.next_part;
        self.next_part += 1;
        self.queued[lane as usize].push(id);
        let part = Part { task: TaskId(id), bytes: vec![id as u8; length] };
        self.queue.push(lane, part);
    }

    fn send(&mut self) {
        loop {
            while let Some(outgoing) = self.sender.next() {
                let flying = Flying { epoch: self.sender.epoch, numbered: outgoing.numbered };
                self.connections[0].push_back(flying);
            }
            let queued = [self.queue.bytes(Lane::Data), self.queue.bytes(Lane::Ack)];
            let next = [self.queue.next_length(Lane::Data), self.queue.next_length(Lane::Ack)];
            let Some(room) = self.sender.may_begin(queued, next, FULL) else {
                return;
            };
            let parts = self.queue.take(FULL, room);
            assert!(!parts.is_empty(), "a batch that may begin is not empty");
            self.sender.push(Batch::join(parts));
        }
    }

    fn arrive(&mut self, age: usize, frames: usize) {
        for _ in 0..frames {
            let Some(flying) = self.connections.get_mut(age).and_then(VecDeque::pop_front) else {
                return;
            };
            let Numbered { sequence, batch } = flying.numbered;
            match self.receiver.judge(flying.epoch, sequence) {
                Verdict::Take => self.take(&batch),
                Verdict::Gap => self.reconnect(),
                Verdict::Duplicate | Verdict::Stale => {}
            }
        }
    }

    /// All that is under way arrives, and a ping behind it.
    fn ping(&mut self) {
        let (epoch, carried) = (self.sender.epoch, self.sender.last_carried());
        self.arrive(0, usize::MAX);
        match self.receiver.judge_ping(epoch, carried) {
            Verdict::Gap => self.reconnect(),
            Verdict::Duplicate => assert!(self.receiver.last() >= carried),
            Verdict::Stale => assert_ne!(self.receiver.epoch(), epoch, "it was made anew"),
            Verdict::Take => unreachable!("a ping is no batch"),
        }
    }

    fn take(&mut self, batch: &Batch) {
        let mut reader = crate::tuple::wire::Reader::new(&batch.table);
        while !reader.is_empty() {
            let lane = reader.byte().unwrap();
            let task = reader.u32().unwrap();
            reader.varint().unwrap();
            self.arrived[usize::from(lane)].push(task);
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Queue(lane, length) => self.queue(lane, length),
            Step::Send => self.send(),
            Step::Arrive { age, frames } => self.arrive(age, frames),
            Step::Repeat => {
                if let Some(first) = self.connections[0].front() {
                    let flying = Flying { epoch: first.epoch, numbered: first.numbered.clone() };
                    self.connections[0].push_back(flying);
                }
            }
            Step::Vanish { last } => {
                let length = self.connections[0].len();
                self.connections[0].remove(if last {
                    length.saturating_sub(1)
                } else {
                    length / 2
                });
            }
            Step::Ping => self.ping(),
            Step::Acknowledge => self.sender.taken(self.receiver.last()).unwrap(),
            Step::Reconnect => self.reconnect(),
        }
    }

    fn bytes_in_flight(&self, lane: Lane) -> usize {
        let kept = self.sender.kept();
        kept.map(|batch| batch.bytes[lane as usize]).sum()
    }
}

proptest! {
    #[test]
    fn each_part_arrives_once_and_in_order_whatever_the_network_does(
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut simulation = Simulation::new();
        for step in steps {
            simulation.run(step);
            for lane in Lane::ALL {
                let (arrived, queued) =
                    (&simulation.arrived[lane as usize], &simulation.queued[lane as usize]);
                prop_assert!(queued.starts_with(arrived));
                prop_assert!(simulation.bytes_in_flight(lane) <= WINDOWS[lane as usize].max(80));
            }
        }
        // With a network that works again, everything gets through, on the connection that there is.
        simulation.ping();
        for _ in 0..10_000 {
            if simulation.queue.is_empty() && simulation.sender.is_settled() {
                break;
            }
            simulation.send();
            simulation.arrive(0, 1);
            simulation.sender.taken(simulation.receiver.last()).unwrap();
        }
        prop_assert!(simulation.queue.is_empty() && simulation.sender.is_settled());
        prop_assert_eq!(simulation.sender.bytes_in_flight(), 0);
        prop_assert_eq!(simulation.arrived, simulation.queued);
    }
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let mut sender = SenderSequence::new(WINDOWS);
    sender.connect();
    assert_eq!(sender.welcome(1), Err(SequenceError::Future { named: 1, sent: 0 }));
    sender.welcome(0).unwrap();
    sender.push(Batch::default());
    sender.next().unwrap();
    sender.taken(1).unwrap();
    sender.connect();
    assert_eq!(sender.welcome(0), Err(SequenceError::Past { named: 0, acknowledged: 1 }));
}

#[test]
fn small_batches_wait_while_eight_are_under_way() {
    let mut sender = SenderSequence::new([1000, 1000]);
    sender.connect();
    sender.welcome(0).unwrap();
    let batch = Batch { bytes: [1, 0], ..Batch::default() };
    let begin =
        |sender: &SenderSequence, queued| sender.may_begin([queued, 0], [Some(1), None], 50);
    for _ in 0..8 {
        assert!(begin(&sender, 1).is_some());
        sender.push(batch.clone());
        sender.next().unwrap();
    }
    assert!(begin(&sender, 49).is_none());
    assert!(begin(&sender, 50).is_some(), "a full batch goes");
    sender.taken(1).unwrap();
    assert!(begin(&sender, 1).is_some());
}

#[test]
fn a_former_connection_s_batches_are_dropped_whatever_their_number() {
    let mut receiver = ReceiverSequence::default();
    assert!(receiver.hello(1));
    assert_eq!(receiver.judge(1, 1), Verdict::Take);
    assert!(receiver.hello(2));
    assert!(!receiver.hello(1), "an old hello changes nothing");
    for late in 1..4 {
        assert_eq!(receiver.judge(1, late), Verdict::Stale);
    }
    assert_eq!(receiver.judge(2, 1), Verdict::Duplicate);
    assert_eq!(receiver.judge(2, 2), Verdict::Take);
}

#[test]
fn after_a_gap_nothing_counts_until_a_new_connection() {
    let mut receiver = ReceiverSequence::default();
    assert!(receiver.hello(1));
    assert_eq!(receiver.judge(1, 2), Verdict::Gap);
    assert_eq!(receiver.judge(1, 1), Verdict::Stale);
    assert!(receiver.hello(2));
    assert_eq!(receiver.judge(2, 1), Verdict::Take);
}

#[test]
fn a_ping_misses_the_last_batch() {
    let mut sender = SenderSequence::new(WINDOWS);
    let mut receiver = ReceiverSequence::default();
    let epoch = sender.connect();
    assert!(receiver.hello(epoch));
    assert_eq!(sender.last_carried(), 0, "nothing goes before the welcome");
    sender.welcome(0).unwrap();
    for _ in 0..2 {
        sender.push(Batch::default());
    }
    sender.next().unwrap();
    assert_eq!(receiver.judge(epoch, 1), Verdict::Take);
    assert_eq!(receiver.judge_ping(epoch, sender.last_carried()), Verdict::Duplicate);
    sender.next().unwrap();
    assert_eq!(receiver.judge_ping(epoch, sender.last_carried()), Verdict::Gap);
    assert_eq!(receiver.judge(epoch, 2), Verdict::Stale, "it is too late for this connection");
    let epoch = sender.connect();
    assert!(receiver.hello(epoch));
    assert_eq!(sender.last_carried(), 0);
    sender.welcome(receiver.last()).unwrap();
    assert_eq!(receiver.judge_ping(epoch, sender.last_carried()), Verdict::Duplicate);
    assert_eq!(sender.next().unwrap().numbered.sequence, 2);
    assert_eq!(receiver.judge(epoch, 2), Verdict::Take);
}
