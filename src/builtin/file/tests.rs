//! The spout `file` as a whole: what it gives out, what it keeps, and files that are renamed, cut
//! and written while it reads.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use crate::base::Timestamp;
use crate::builtin::testing::{Heard, SpoutOut, context_in, spout, until};
use crate::component::{Context, MessageId, Next, Progress, Spout, SpoutCollector};

use super::FileKind;
use super::options::FileOptions;
use super::position::Position;
use super::reading::{Earlier, Reading};

fn opened(options: serde_json::Value, context: Context) -> Box<dyn Spout> {
    let mut spout = spout::<FileKind>(options);
    spout.open(&Arc::new(context)).unwrap();
    spout
}

fn lines(options: serde_json::Value, folder: &Path) -> Vec<String> {
    let mut spout = opened(options, context_in(folder));
    let mut out = SpoutOut::default();
    assert_eq!(out.drain(spout.as_mut()), Next::Exhausted);
    out.lines()
}

#[test]
fn every_line_of_every_file_comes_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.txt"), "3\r\n\n4").unwrap();
    fs::write(folder.path().join("a.txt"), "1\n2\n").unwrap();
    fs::write(folder.path().join("c.txt"), "").unwrap();
    let texts = lines(json!({"path": "*.txt"}), folder.path());
    assert_eq!(texts, ["1", "2", "3", "", "4"]);
    let texts = lines(json!({"path": ["b.txt", "a.txt"]}), folder.path());
    assert_eq!(texts, ["3", "", "4", "1", "2"]);
}

#[test]
fn bad_records_are_left_out_and_named_or_stop_the_spout() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "{\"x\": 1}\n\nnope\n{\"x\": [2]}\n").unwrap();
    let heard = Heard::default();
    let context = Context { reporter: heard.reporter(), ..context_in(folder.path()) };
    let options = json!({"path": "a", "format": "json", "fields": ["x"]});
    let mut spout = opened(options, context);
    let mut out = SpoutOut::default();
    assert_eq!(out.drain(spout.as_mut()), Next::Exhausted);
    assert_eq!(out.texts(), ["1", "[2]"]);
    assert_eq!(heard.errors().len(), 1);
    assert!(heard.errors()[0].contains("/a:3: not a JSON object"), "{:?}", heard.errors());

    let options = json!({"path": "a", "format": "json", "fields": ["x"], "on_error": "stop"});
    let mut spout = opened(options, context_in(folder.path()));
    let mut out = SpoutOut::default();
    let error = spout.next_batch(10, &mut SpoutCollector::new(&mut out));
    let error = error.and_then(|_| spout.next_batch(10, &mut SpoutCollector::new(&mut out)));
    assert!(error.unwrap_err().message.contains("/a:3: "));
}

#[test]
fn a_line_beyond_the_limit_is_an_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["ok\n".to_owned() + &"x".repeat(3000), format!("ok\n{}\n", "x".repeat(3000))] {
        fs::write(folder.path().join("a"), text).unwrap();
        let mut spout = opened(json!({"path": "a", "max_line": "2KiB"}), context_in(folder.path()));
        let mut out = SpoutOut::default();
        let mut error = None;
        for _ in 0..4 {
            error = error.or(spout.next_batch(10, &mut SpoutCollector::new(&mut out)).err());
        }
        let message = error.unwrap().message;
        assert!(
            message.ends_with("/a:2: the line is longer than 2KiB; `max_line` allows more"),
            "{message}"
        );
        assert_eq!(out.lines(), ["ok"]);
    }
}

#[test]
fn a_saved_position_holds_over_runs_and_follows_a_renamed_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "n,x\n1,a\n2,b\n3,c\n").unwrap();
    let options = json!({"path": "a*", "start": "saved", "format": "csv", "fields": ["x"]});
    let mut first = opened(options.clone(), context_in(folder.path()));
    let mut out = SpoutOut::default();
    out.drain(first.as_mut());
    assert_eq!(out.lines(), ["a", "b", "c"]);
    first.ack(out.emitted[0].0);
    first.ack(out.emitted[2].0);
    assert!(first.position().is_some());
    assert!(first.position().is_none());
    until("the position to be saved", || first.close() == Progress::Done);
    fs::rename(&path, folder.path().join("a.1")).unwrap();
    assert_eq!(lines(options.clone(), folder.path()), ["b", "c"]);
    // Another file in its place is read whole.
    fs::write(folder.path().join("a.1"), "x\nq\n").unwrap();
    assert_eq!(lines(options, folder.path()), ["q"]);
}

#[test]
fn from_the_end_means_from_the_last_whole_line_also_for_a_second_life() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "old\nha").unwrap();
    let options = json!({"path": "a", "start": "end", "follow": true});
    drop(opened(options.clone(), context_in(folder.path())));
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"lf\nnew\n").unwrap();
    // It died before any position was kept.
    let context = Context { restarted: true, ..context_in(folder.path()) };
    let mut second = opened(options, context);
    let mut out = SpoutOut::default();
    out.drain(second.as_mut());
    assert_eq!(out.lines(), ["half", "new"]);
}

#[test]
fn ids_of_an_earlier_life_ack_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "1\n2\n").unwrap();
    let mut spout = opened(json!({"path": "a"}), context_in(folder.path()));
    let mut out = SpoutOut::default();
    out.drain(spout.as_mut());
    let other_life = 1 << 48;
    spout.settle(MessageId(out.emitted[0].0.0 ^ other_life));
    assert_eq!(spout.position().unwrap()["files"][0]["offset"], 0);
    spout.settle(out.emitted[0].0);
    assert_eq!(spout.position().unwrap()["files"][0]["offset"], 2);
}

#[test]
fn missing_files_are_named_when_the_task_opens() {
    let folder = tempfile::tempdir().unwrap();
    let mut spout = spout::<FileKind>(json!({"path": "nope.txt"}));
    let error = spout.open(&Arc::new(context_in(folder.path()))).unwrap_err();
    assert!(error.message.ends_with("/nope.txt does not exist"), "{error}");
}

proptest! {
    #[test]
    fn the_position_never_passes_an_unacked_line(
        steps in prop::collection::vec((0usize..9, prop::collection::vec(0usize..80, 0..12)), 1..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let text: String = (0..80).map(|line| "x".repeat(line % 7) + "\n").collect();
        fs::write(folder.path().join("a"), &text).unwrap();
        let mut spout = opened(json!({"path": "a"}), context_in(folder.path()));
        let mut out = SpoutOut::default();
        let mut acked = [false; 80];
        let mut position = 0;
        for (asked, acks) in steps {
            out.ask(spout.as_mut(), asked);
            for line in acks {
                if let Some((id, _)) = out.emitted.get(line) {
                    spout.ack(*id);
                    acked[line] = true;
                }
            }
            if let Some(json) = spout.position() {
                position = json["files"][0]["offset"].as_u64().unwrap() as usize;
            }
            let done = acked.iter().take_while(|acked| **acked).count().min(out.emitted.len());
            let expected: usize = text.split_inclusive('\n').take(done).map(str::len).sum();
            prop_assert_eq!(position, expected);
        }
    }
}

/// A reader of `app.log` whose time is the test's.
struct Tail {
    folder: PathBuf,
    glob: bool,
    reading: Reading,
    out: SpoutOut,
    acked: usize,
    now: Timestamp,
}

impl Tail {
    fn reading(folder: &Path, glob: bool, position: Option<Position>, now: Timestamp) -> Reading {
        let path = if glob { "app.log*" } else { "app.log" };
        let options = json!({"path": path, "follow": true});
        let options: FileOptions = serde_json::from_value(options).unwrap();
        let begun = position.is_some();
        let position = position.unwrap_or_default();
        let context = Arc::new(context_in(folder));
        let settings = options.check().unwrap();
        Reading::start(settings, &context, Earlier { position, begun }, now).unwrap()
    }

    fn new(folder: &Path, glob: bool) -> Self {
        let now = Timestamp(0);
        Self {
            folder: folder.to_owned(),
            glob,
            reading: Self::reading(folder, glob, None, now),
            out: SpoutOut::default(),
            acked: 0,
            now,
        }
    }

    /// Gives out everything that can be found after some time.
    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now <= until {
            let mut out = SpoutCollector::new(&mut self.out);
            match self.reading.next_batch(3, self.now, &mut out).unwrap() {
                Next::IdleUntil(at) => self.now = at,
                Next::More => {}
                other => panic!("a followed file never comes to {other:?}"),
            }
        }
    }

    fn ack(&mut self, count: usize) {
        let to = (self.acked + count).min(self.out.emitted.len());
        for (id, _) in &self.out.emitted[self.acked..to] {
            self.reading.ack(*id);
        }
        self.acked = to;
    }

    /// Another life goes on from what this one says.
    fn restart(&mut self) {
        let position = serde_json::to_value(self.reading.position()).unwrap();
        let position = serde_json::from_value(position).unwrap();
        self.reading = Self::reading(&self.folder, self.glob, Some(position), self.now);
        self.acked = self.out.emitted.len(); // Of the old ones, none is heard of again.
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append { lines: usize, broken: bool },
    Rotate,
    Cut,
    Wait,
    Ack(usize),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..6, any::<bool>()).prop_map(|(lines, broken)| Step::Append { lines, broken }),
        2 => Just(Step::Rotate),
        1 => Just(Step::Cut),
        3 => Just(Step::Wait),
        2 => (0usize..9).prop_map(Step::Ack),
        1 => Just(Step::Restart),
    ]
}

/// Writes lines with names of their own, and knows which of them are to be found.
struct Writer {
    path: PathBuf,
    file: File,
    next: usize,
    broken: Option<String>,
    expected: Vec<String>,
    rotations: usize,
}

impl Writer {
    fn new(folder: &Path) -> Self {
        let path = folder.join("app.log");
        let file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        Self { path, file, next: 0, broken: None, expected: Vec::new(), rotations: 0 }
    }

    fn append(&mut self, lines: usize, broken: bool) {
        for _ in 0..lines {
            let start = self.broken.take();
            let rest = format!("line-{}", self.next);
            self.next += 1;
            self.file.write_all(format!("{rest}\n").as_bytes()).unwrap();
            self.expected.push(start.unwrap_or_default() + &rest);
        }
        if broken && self.broken.is_none() {
            let start = format!("half-{}-", self.next);
            self.next += 1;
            self.file.write_all(start.as_bytes()).unwrap();
            self.broken = Some(start);
        }
    }

    fn rotate(&mut self) {
        self.rotations += 1;
        let to = format!("{}.{}", self.path.display(), self.rotations);
        fs::rename(&self.path, to).unwrap();
        self.file = OpenOptions::new().append(true).create(true).open(&self.path).unwrap();
        // A last line without a break is given out once its writer has left the file.
        self.expected.extend(self.broken.take());
    }
}

const A_WHILE: Duration = Duration::from_millis(1500);
const LONG: Duration = Duration::from_secs(25);

fn run_steps(glob: bool, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path());
    let mut tail = Tail::new(folder.path(), glob);
    let mut restarted = false;
    for step in steps {
        match step {
            Step::Append { lines, broken } => writer.append(lines, broken),
            Step::Rotate => {
                if glob && writer.broken.is_some() {
                    writer.append(1, false); // A file that still has its pattern has no end.
                } else if !glob {
                    tail.wait(A_WHILE); // A file that comes and goes unseen cannot be found.
                }
                writer.rotate();
            }
            Step::Cut => {
                // What is cut before it was read, or before it was acked, is nobody's to find.
                tail.wait(A_WHILE);
                tail.ack(usize::MAX >> 1);
                writer.broken = None;
                writer.file.set_len(0).unwrap();
            }
            Step::Wait => tail.wait(A_WHILE),
            Step::Ack(count) => tail.ack(count),
            Step::Restart => {
                restarted = true;
                tail.restart();
            }
        }
    }
    tail.wait(LONG);
    let mut seen: HashMap<String, usize> = HashMap::new();
    for line in tail.out.lines() {
        *seen.entry(line).or_default() += 1;
    }
    for line in &writer.expected {
        let count = seen.remove(line).unwrap_or(0);
        prop_assert!(count >= 1, "{line} was lost");
        prop_assert!(restarted || count == 1, "{line} came {count} times");
    }
    prop_assert!(seen.is_empty(), "never written: {seen:?}");
    if !restarted {
        tail.ack(usize::MAX >> 1);
        let before = tail.out.emitted.len();
        tail.restart();
        tail.wait(LONG);
        prop_assert_eq!(tail.out.emitted.len(), before, "acked lines came again");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_followed_file_loses_nothing_to_rotation_truncation_and_restarts(
        steps in prop::collection::vec(step(), 1..25),
        glob in any::<bool>(),
    ) {
        run_steps(glob, steps)?;
    }
}
