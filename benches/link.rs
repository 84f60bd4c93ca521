//! How much one link carries: two transports with an I/O thread each, units of 100 bytes packed by the
//! producer and walked over by the consumer, credits on. Prints; asserts only that all arrived.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::hint::black_box;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use galewire::base::{BootId, Incarnation, Runtimes, Signal, TaskId, WorkerSlot, now};
use galewire::transport::{
    EndpointKind, Inbound, Lane, Outbound, Refused, Transport, TransportOptions,
};

const UNIT: usize = 100;
const TASK: TaskId = TaskId(1);

/// A mailbox: parts go to the consumer's thread.
struct Mailbox(Sender<Bytes>);

impl Inbound for Mailbox {
    fn deliver(&self, _from: WorkerSlot, _task: TaskId, _lane: Lane, part: Bytes) {
        self.0.send(part).expect("the consumer outlives the link");
    }
}

struct Run {
    kind: EndpointKind,
    units_per_part: usize,
    parts: usize,
}

fn bind(slot: u16, run: &Run, dir: &Path, inbound: Arc<dyn Inbound>, on: &Runtimes) -> Transport {
    let options = TransportOptions {
        kind: run.kind,
        ..TransportOptions::new(
            WorkerSlot(slot),
            BootId::random(),
            Incarnation(0),
            dir.join("links"),
        )
    };
    let bound = Transport::bind(options, inbound, |_| {}, on.io());
    on.io().block_on(bound).expect("a fresh folder can be bound")
}

fn produce(outbound: &Outbound, run: &Run, on: &Runtimes) {
    let bell = Signal::new();
    for number in 0..run.parts {
        let mut part = Vec::with_capacity(run.units_per_part * UNIT);
        for unit in 0..run.units_per_part {
            part.extend_from_slice(&[(number + unit) as u8; UNIT]);
        }
        while let Err(refused) = outbound.try_send(TASK, part, &bell) {
            let Refused::Full(back) = refused else {
                panic!("the peer stays");
            };
            part = back;
            on.io().block_on(bell.wait());
        }
    }
}

fn consume(mailbox: &Receiver<Bytes>, taker: &Transport, run: &Run) {
    let mut sum = 0_u64;
    for _ in 0..run.parts {
        let part = mailbox.recv().expect("all parts come");
        taker.return_credit(WorkerSlot(0), TASK, part.len());
        sum += part
            .chunks_exact(UNIT)
            .map(|unit| u64::from(unit[0]) + u64::from(unit[UNIT - 1]))
            .sum::<u64>();
    }
    black_box(sum);
}

fn measure(run: &Run) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let runtimes = || Runtimes::io_only().expect("a runtime");
    let (left, right, waiting) = (runtimes(), runtimes(), runtimes());
    let (to_nobody, _nobody) = channel();
    let (to_consumer, mailbox) = channel();
    let sender = bind(0, run, dir.path(), Arc::new(Mailbox(to_nobody)), &left);
    let taker = bind(1, run, dir.path(), Arc::new(Mailbox(to_consumer)), &right);
    sender.set_peer(taker.address()).expect("the address is local");
    let began = now();
    std::thread::scope(|threads| {
        threads.spawn(|| produce(&sender.peer(WorkerSlot(1)), run, &waiting));
        consume(&mailbox, &taker, run);
    });
    let seconds = now().since(began).as_secs_f64();
    let units = (run.units_per_part * run.parts) as f64;
    let stats = &sender.stats().peers[0];
    println!(
        "{:?} {:>6} B parts: {:>7.0} MB/s {:>6.2} M units/s, {:>6} B per batch",
        run.kind,
        run.units_per_part * UNIT,
        units * UNIT as f64 / seconds / 1e6,
        units / seconds / 1e6,
        stats.sent_bytes / stats.sent_batches.max(1),
    );
}

/// Sends every part back to where it came from.
struct Bouncer(OnceLock<Outbound>);

impl Inbound for Bouncer {
    fn deliver(&self, _from: WorkerSlot, task: TaskId, _lane: Lane, part: Bytes) {
        let back = self.0.get().expect("set before anything is sent");
        back.try_send_acks(task, part.to_vec(), &Signal::new())
            .expect("one part at a time has room");
    }
}

/// The way there and back of one small part on the ack lane, which needs no consumer.
fn measure_round_trip(kind: EndpointKind) {
    const ROUNDS: usize = 20_000;
    let dir = tempfile::tempdir().expect("a temporary folder");
    let runtimes = || Runtimes::io_only().expect("a runtime");
    let (left, right) = (runtimes(), runtimes());
    let (to_caller, mailbox) = channel();
    let run = Run { kind, units_per_part: 1, parts: ROUNDS };
    let near = bind(0, &run, dir.path(), Arc::new(Mailbox(to_caller)), &left);
    let bouncer = Arc::new(Bouncer(OnceLock::new()));
    let far = bind(1, &run, dir.path(), Arc::clone(&bouncer) as _, &right);
    far.set_peer(near.address()).expect("the address is local");
    near.set_peer(far.address()).expect("the address is local");
    assert!(bouncer.0.set(far.peer(WorkerSlot(0))).is_ok());
    let outbound = near.peer(WorkerSlot(1));
    let mut micros: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let began = now();
            outbound
                .try_send_acks(TASK, vec![7; 64], &Signal::new())
                .expect("one part at a time has room");
            mailbox.recv().expect("it comes back");
            now().since(began).as_micros()
        })
        .collect();
    micros.sort_unstable();
    println!(
        "{kind:?}     64 B there and back: {} µs median, {} µs p99",
        micros[ROUNDS / 2],
        micros[ROUNDS * 99 / 100],
    );
}

fn main() {
    for kind in [EndpointKind::Ipc, EndpointKind::Tcp] {
        for (units_per_part, parts) in
            [(1, 2_000_000), (40, 500_000), (160, 200_000), (655, 60_000)]
        {
            measure(&Run { kind, units_per_part, parts });
        }
        measure_round_trip(kind);
    }
}
