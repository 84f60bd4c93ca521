//! Single parts of the data path: nanoseconds for each operation, or, under valgrind, instructions
//! (`python3 benches/instructions.py`). With `-- NAME COUNT` one part runs so many rounds and prints nothing.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use galewire::ack::{AckEntry, EdgeSums, Ledger, Touched, WorkerView};
use galewire::base::{EdgeId, Incarnation, RootId, Signal, StreamIdx, TaskId, Timestamp};
use galewire::executor::{Delivery, Mailbox};
use galewire::grouping::{Chooser, Grouping, GroupingName, Target};
use galewire::tuple::wire::{Reader, put_tuple};
use galewire::tuple::{Anchor, Anchors, Scanner, Tuple, Value, Values, key_group};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tuples of one batch.
const BATCH: usize = 256;

/// A part: its name, how many operations a round has, and a round.
type Part = (&'static str, usize, Box<dyn FnMut()>);

fn anchor(root: u64) -> Anchor {
    Anchor { root: RootId(root), edge: EdgeId(root ^ 0x9e37_79b9), spout: TaskId(1) }
}

fn word(number: usize) -> Tuple {
    let words = ["storm", "split", "galewire", "of", "a", "counting"];
    let mut tuple = Tuple::new(TaskId(2), StreamIdx(0), [Value::from(words[number % words.len()])]);
    tuple.anchors = Anchors::from_iter([anchor(number as u64 / 6)]);
    tuple
}

fn batch() -> Vec<Tuple> {
    (0..BATCH).map(word).collect()
}

fn encode() -> Part {
    let (tuples, mut out) = (batch(), Vec::new());
    let round = move || {
        out.clear();
        for tuple in &tuples {
            put_tuple(tuple, &mut out);
        }
        black_box(&out);
    };
    ("encode", BATCH, Box::new(round))
}

fn decode() -> Part {
    let mut bytes = Vec::new();
    for tuple in batch() {
        put_tuple(&tuple, &mut bytes);
    }
    let round = move || {
        let mut reader = Reader::new(&bytes);
        while !reader.is_empty() {
            black_box(reader.tuple().expect("it was encoded here"));
        }
    };
    ("decode", BATCH, Box::new(round))
}

fn ledger() -> Part {
    let mut ledger = Ledger::new(7);
    let mut roots = Vec::with_capacity(BATCH);
    let round = move || {
        roots.clear();
        for number in 0..BATCH as u64 {
            let root = ledger.open(number, Timestamp(number));
            ledger.sent(root, number + 1, Touched::default());
            roots.push(root);
        }
        for (root, number) in roots.iter().zip(0_u64..) {
            let entry = AckEntry { root: *root, xor: number + 1, touched: Touched::default() };
            black_box(ledger.ack(&entry, Touched::default()));
        }
    };
    ("ledger: open, sent, ack", BATCH, Box::new(round))
}

fn sums() -> Part {
    let tuples = batch();
    let mut sums = EdgeSums::new(TaskId(2), WorkerView::new([Incarnation(0)]));
    let round = move || {
        for tuple in &tuples {
            sums.ack(&tuple.anchors);
        }
        sums.take().for_each(|taken| drop(black_box(taken)));
    };
    ("sums of acks", BATCH, Box::new(round))
}

fn mailbox() -> Part {
    let signal = Signal::new();
    let mailbox = Mailbox::new(1 << 20, signal.clone());
    let mut tuples = Some(batch());
    let round = move || {
        let delivery = Delivery::Tuples(tuples.take().expect("they come back"));
        assert!(mailbox.push(delivery, 1000, &signal).is_ok(), "it is empty");
        match mailbox.take() {
            Some(Delivery::Tuples(taken)) => tuples = Some(taken),
            other => unreachable!("{other:?}"),
        }
    };
    ("mailbox: a batch in and out", 1, Box::new(round))
}

fn grouping(name: &'static str, grouping: GroupingName) -> Part {
    let targets = (0..8).map(|task| Target { task: TaskId(task), local: true }).collect();
    let fields = || Grouping::over(grouping, vec!["word".to_owned()], vec![0]);
    let plain = grouping == GroupingName::Shuffle;
    let mut chooser =
        Chooser::new(if plain { Grouping::plain(grouping) } else { fields() }, targets);
    let tuples = batch();
    let round = move || {
        for tuple in &tuples {
            let take = |index: usize| {
                black_box(index);
            };
            chooser.choose(&tuple.values, |_| true, take);
        }
    };
    (name, BATCH, Box::new(round))
}

fn keys() -> Part {
    let values: Vec<Values> = (0..BATCH).map(|number| word(number).values).collect();
    let round = move || {
        for value in &values {
            black_box(key_group(value));
        }
    };
    ("key group of a word", BATCH, Box::new(round))
}

fn framing() -> Part {
    let frame = r#"{"command":"emit","anchors":["123456"],"tuple":["counting",12,null,true]}"#;
    let round = move || {
        for _ in 0..BATCH {
            let mut scanner = Scanner::new(frame);
            black_box(scanner.skip_value().expect("it is JSON"));
        }
    };
    ("scan a child's message", BATCH, Box::new(round))
}

fn parts() -> Vec<Part> {
    vec![
        encode(),
        decode(),
        ledger(),
        sums(),
        mailbox(),
        grouping("shuffle over 8", GroupingName::Shuffle),
        grouping("fields over 8", GroupingName::Fields),
        keys(),
        framing(),
    ]
}

/// The least nanoseconds of an operation over several stretches: what disturbs only adds.
fn nanoseconds(operations: usize, round: &mut dyn FnMut()) -> f64 {
    const STRETCH: Duration = Duration::from_millis(60);
    let stretch = |round: &mut dyn FnMut()| {
        let (start, mut rounds) = (Instant::now(), 0_u64);
        while start.elapsed() < STRETCH {
            for _ in 0..16 {
                round();
            }
            rounds += 16;
        }
        start.elapsed().as_nanos() as f64 / (rounds as f64 * operations as f64)
    };
    (0..5).map(|_| stretch(round)).fold(f64::INFINITY, f64::min)
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    match (arguments.next(), arguments.next()) {
        (Some(list), None) if list == "--list" => {
            for (name, operations, _) in parts() {
                println!("{name}\t{operations}");
            }
        }
        (Some(name), Some(count)) => {
            let count: u64 = count.parse().expect("a number of rounds");
            let mut found = parts().into_iter().find(|part| part.0 == name);
            let (_, _, round) = found.as_mut().expect("a part of the list");
            (0..count).for_each(|_| round());
        }
        _ => {
            for (name, operations, mut round) in parts() {
                println!("{name:<32}{:>10.2} ns", nanoseconds(operations, &mut *round));
            }
        }
    }
}
