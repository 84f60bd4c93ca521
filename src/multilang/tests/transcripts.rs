//! Byte-exact conversations with real client libraries, played against the sessions.
//!
//! What the children wrote is fed in, and all of it has to be understood. What the engine writes
//! for the same events has to be what the clients were tested with, byte for byte, but for the
//! exceptions in one table. Ids differ, since the probe chose its own: they are translated.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::base::Timestamp;
use crate::component::{Collector, MessageId, SpoutCollector};
use crate::multilang::BoltSession;
use crate::multilang::session::{SpoutSession, handshake};
use crate::tuple::{Scanner, Value};

use super::harness::{Event, Recorder, World, options, tuple};

/// What the probe wrote that this engine writes otherwise, told by a part of the line, and why.
const OTHERWISE: &[(&str, &str)] = &[
    (
        "\"pidDir\"",
        "folders and the order of the keys are our own; the context is compared as JSON",
    ),
    ("\u{ef}", "the probe tried raw UTF-8; the engine writes ASCII"),
    ("\u{65e5}", "the probe tried raw UTF-8; the engine writes ASCII"),
    ("{\"id\": \"", "the probe wrote spaces; the engine writes compact JSON"),
    (
        "{\"id\":\"-1\",\"stream\"",
        "the probe left `comp` out to see the client fail; the engine never does",
    ),
];

/// Transcripts that are not played, and why.
const NOT_PLAYED: &[(&str, &str)] =
    &[("streamparse-msgpack.txt", "another encoding, played in a test of its own")];

/// Transcripts whose handshake is not compared, and why.
const REDUCED: &[(&str, &str)] = &[(
    "streamparse-minimal-context-0.9.txt",
    "the probe left maps out on purpose, to see which ones a client needs",
)];

enum Line {
    Engine(String),
    Child(Vec<u8>),
}

fn read_transcript(text: &str) -> Vec<(Duration, Line)> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let Some((time, rest)) = line.trim_start().split_once(' ') else {
            continue;
        };
        let Ok(time) = time.parse().map(Duration::from_secs_f64) else {
            continue;
        };
        let line = match rest.split_at_checked(2) {
            Some(("> ", bytes)) => Line::Engine(String::from_utf8(unquote(bytes)).unwrap()),
            Some(("< ", bytes)) => Line::Child(unquote(bytes)),
            _ if rest == "# stdout EOF" => break, // What the probe wrote afterwards, nobody read.
            _ => continue,
        };
        lines.push((time, line));
    }
    lines
}

/// The bytes of a Python bytes literal.
pub(crate) fn unquote(literal: &str) -> Vec<u8> {
    let inner = literal.strip_prefix('b').unwrap();
    let inner = inner.strip_suffix(['\'', '"']).unwrap_or(inner);
    let mut bytes = Vec::new();
    let mut rest = inner[1..].bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().unwrap() {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    bytes
}

enum Session {
    Bolt(Box<BoltSession>),
    Spout(Box<SpoutSession>),
}

struct Player {
    name: String,
    world: World,
    session: Session,
    out: Recorder,
    now: Timestamp,
    /// Our ids by those of the probe.
    ids: HashMap<String, String>,
    /// Our numbers of spout messages, by the id's JSON, newest last.
    messages: Vec<(String, u64)>,
    tuples: u64,
    heartbeats: u64,
    ticks: u64,
    urgent: String,
    data: String,
    /// Lines of the probe, and what this engine sent in their place.
    differences: Vec<(String, String)>,
}

impl Player {
    fn new(name: &str, lines: &[(Duration, Line)]) -> Self {
        let is_spout = lines.iter().any(
            |(_, line)| matches!(line, Line::Engine(text) if text.contains("\"command\":\"next\"")),
        );
        let world = World::new();
        let first = lines.iter().find_map(|(_, line)| match line {
            Line::Engine(text) => Some(text.clone()),
            Line::Child(_) => None,
        });
        let component = if first.is_some_and(|text| text.contains("\"componentid\":\"count_bolt\""))
        {
            "count_bolt"
        } else {
            "split"
        };
        let mut context = world.context(component);
        context.tick = lines.iter().find_map(|(_, line)| match line {
            Line::Engine(text) if text.contains("__tick") => {
                let tick: Json = serde_json::from_str(text.trim_end_matches("\nend\n")).unwrap();
                tick["tuple"][0].as_u64().map(Duration::from_secs)
            }
            _ => None,
        });
        let now = Timestamp(0);
        let options = options(json!({}));
        let session = if is_spout {
            Session::Spout(Box::new(SpoutSession::new(&options, &context, b"{}", 1, now)))
        } else {
            Session::Bolt(Box::new(BoltSession::new(&options, &context, b"{}", now)))
        };
        let mut player = Self {
            name: name.to_owned(),
            world,
            session,
            out: Recorder::default(),
            now,
            ids: HashMap::new(),
            messages: Vec::new(),
            tuples: 0,
            heartbeats: 0,
            ticks: 0,
            urgent: String::new(),
            data: String::new(),
            differences: Vec::new(),
        };
        player.collect();
        player.data.clear();
        player
    }

    fn collect(&mut self) {
        let (urgent, data) = match &mut self.session {
            Session::Bolt(session) => session.take_bytes(),
            Session::Spout(session) => {
                (session.outbox().take_urgent(), session.outbox().take_data())
            }
        };
        self.urgent += std::str::from_utf8(&urgent).unwrap();
        self.data += std::str::from_utf8(&data).unwrap();
    }

    fn child(&mut self, bytes: &[u8]) {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if matches!(self.session, Session::Bolt(_)) {
            for (theirs, ours) in &self.ids {
                text = text.replace(&format!("\"{theirs}\""), &format!("\"@{ours}\""));
            }
            text = text.replace("\"@", "\"");
        }
        let known = self.out.events.len();
        let result = match &mut self.session {
            Session::Bolt(session) => {
                session.read(text.as_bytes(), self.now, &mut Collector::new(&mut self.out))
            }
            Session::Spout(session) => {
                session.read(text.as_bytes(), self.now, &mut SpoutCollector::new(&mut self.out))
            }
        };
        result.unwrap_or_else(|error| panic!("{}: {error}: {text}", self.name));
        let emitted: Vec<u64> = self.out.events[known..]
            .iter()
            .filter_map(|event| match event {
                Event::Message { id, .. } => *id,
                _ => None,
            })
            .collect();
        if let [number] = emitted[..] {
            let message: Json = serde_json::from_str(text.trim_end_matches("\nend\n")).unwrap();
            self.messages.push((message["id"].to_string(), number));
        }
        self.collect();
    }

    /// Makes the engine do what the probe did, and compares the bytes.
    fn engine(&mut self, expected: &str) {
        for message in expected.split_inclusive("\nend\n") {
            self.engine_message(message);
        }
    }

    fn engine_message(&mut self, expected: &str) {
        let text = expected.trim_end_matches("\nend\n");
        if text.starts_with('[') {
            let (first, rest) = self.urgent.split_once("\nend\n").unwrap_or_default();
            assert_eq!(first, text, "{}: task ids", self.name);
            self.urgent = rest.to_owned();
            return;
        }
        let message: Json = serde_json::from_str(text).unwrap();
        if message.get("pidDir").is_some() {
            self.compare_handshake(&message);
            return;
        }
        let theirs = message["id"].as_str().unwrap_or_default().to_owned();
        let ours = self.act(text, &message);
        self.collect();
        let sent = std::mem::take(&mut self.data);
        let expected = match &ours {
            Some(ours) => expected.replace(&format!("\"{theirs}\""), &format!("\"{ours}\"")),
            None => expected.to_owned(),
        };
        self.ids.extend(ours.map(|ours| (theirs, ours)));
        if sent != expected {
            self.differences.push((expected, sent));
        }
    }

    /// Our id for the message, where it has one of ours.
    fn act(&mut self, text: &str, message: &Json) -> Option<String> {
        let stream = message["stream"].as_str().unwrap_or_default();
        match &mut self.session {
            Session::Bolt(session) => match stream {
                "__heartbeat" => {
                    self.heartbeats += 1;
                    self.now = self.now + Duration::from_secs(1);
                    let mut out = Collector::new(&mut self.out);
                    session.advance(self.now, true, &mut out).unwrap();
                    Some(format!("-{}", self.heartbeats * 2 - 1))
                }
                "__tick" => {
                    self.ticks += 1;
                    session.tick(true);
                    Some(format!("-{}", self.ticks * 2))
                }
                _ => {
                    let mut scanner = Scanner::new(text);
                    let values = values_of(&mut scanner);
                    self.tuples += 1;
                    session.give(tuple(self.tuples, values), self.now);
                    Some(self.tuples.to_string())
                }
            },
            Session::Spout(session) => {
                let id = message["id"].to_string();
                let number = self.messages.iter().rev().find(|(json, _)| *json == id);
                let number = number.map(|(_, number)| MessageId(*number));
                match message["command"].as_str().unwrap() {
                    "next" => {
                        self.now = self.now + Duration::from_millis(10);
                        session.want(1, self.now);
                    }
                    "ack" => session.ack(number.unwrap()),
                    "fail" => {
                        session.fail(number.unwrap());
                    }
                    "activate" => session.set_active(true),
                    "deactivate" => session.set_active(false),
                    other => panic!("{other}"),
                }
                session.pump(self.now);
                None
            }
        }
    }

    fn compare_handshake(&self, expected: &Json) {
        if REDUCED.iter().any(|(name, _)| *name == self.name) {
            return;
        }
        let component = expected["context"]["componentid"].as_str();
        let mut context = self.world.context(component.unwrap_or("split"));
        if expected["context"]["source->stream->grouping"] == json!({}) {
            context.inputs.clear();
        }
        let fields = &expected["context"]["source->stream->fields"]["sentences"]["default"];
        if let (Some(input), Some(fields)) = (context.inputs.first_mut(), fields.as_array()) {
            let names = fields.iter().filter_map(Json::as_str);
            input.decl.fields = names.map(str::to_owned).collect();
        }
        let ours = handshake(&context, &serde_json::Map::new(), None, Path::new("/pids"));
        let ours: Json = serde_json::from_slice(&ours).unwrap();
        for (key, value) in expected["context"].as_object().unwrap() {
            assert_eq!(&ours["context"][key], value, "{}: {key}", self.name);
        }
        for key in expected["conf"].as_object().unwrap().keys() {
            let known = key.starts_with("pystorm.") || ours["conf"].get(key).is_some();
            assert!(known, "{}: conf has no {key}", self.name);
        }
        assert!(ours["pidDir"].is_string());
    }
}

/// The values of a tuple message, as a child of ours would have sent them.
fn values_of(scanner: &mut Scanner<'_>) -> Vec<Value> {
    assert!(scanner.take(b'{'));
    loop {
        let key = scanner.key().unwrap();
        if key != "tuple" {
            scanner.skip_value().unwrap();
            assert!(scanner.more(b'}').unwrap());
            continue;
        }
        assert!(scanner.take(b'['));
        let mut values = Vec::new();
        loop {
            let span = scanner.skip_value().unwrap();
            values.push(Value::from_scanned_json(scanner.slice(span)));
            if !scanner.more(b']').unwrap() {
                return values;
            }
        }
    }
}

/// How often a command stands in what the child wrote.
fn count(lines: &[(Duration, Line)], command: &str) -> usize {
    let patterns = [format!("\"command\": \"{command}\""), format!("\"command\":\"{command}\"")];
    lines
        .iter()
        .map(|(_, line)| match line {
            Line::Child(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                patterns.iter().map(|pattern| text.matches(pattern).count()).sum()
            }
            Line::Engine(_) => 0,
        })
        .sum()
}

fn play(name: &str, text: &str) {
    let lines = read_transcript(text);
    let mut player = Player::new(name, &lines);
    for (time, line) in &lines {
        player.now = player.now.max(Timestamp(0) + *time);
        match line {
            Line::Child(bytes) => player.child(bytes),
            Line::Engine(text) => player.engine(text),
        }
    }
    for (line, sent) in &player.differences {
        assert!(
            OTHERWISE.iter().any(|(part, _)| line.contains(part)),
            "{name}: the engine does not write {line} but {sent}"
        );
        let read = |text: &str| serde_json::from_str::<Json>(text.trim_end_matches("\nend\n"));
        let (mut theirs, ours) = (read(line).unwrap(), read(sent).unwrap());
        if let Some(keys) = theirs.as_object_mut() {
            keys.entry("comp").or_insert(Json::Null);
        }
        assert_eq!(ours, theirs, "{name}: only the spelling may differ");
    }
    assert!(!player.world.reports.has_log("unknown message"), "{name}: {:?}", player.world.reports);
    let answers = player.out.acked().len() + player.out.failed().len();
    if matches!(player.session, Session::Bolt(_)) {
        assert!(answers <= count(&lines, "ack") + count(&lines, "fail"), "{name}");
    }
    assert_eq!(player.out.emitted().len(), count(&lines, "emit"), "{name}: emits");
}

#[test]
fn every_transcript_is_understood_and_answered_as_the_client_expects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("multilang/transcripts");
    let mut played = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        if NOT_PLAYED.iter().any(|(not_played, _)| *not_played == name) {
            continue;
        }
        play(&name, &fs::read_to_string(&path).unwrap());
        played += 1;
    }
    assert_eq!(played, 33);
}
