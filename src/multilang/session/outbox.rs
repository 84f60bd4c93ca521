//! What the engine says, as bytes in two lanes: task ids overtake everything else.
//!
//! Pure. Storm's messages go out one by one; for a child that takes batch frames, consecutive inputs
//! of one source are packed into one element. It never holds a tuple back longer than until `seal`.

use std::io::Write as _;

use crate::base::{StreamIdx, TaskId};
use crate::component::Context;
use crate::tuple::{Value, Values, write_json_string};

use super::super::framing::Protocol;
use super::super::msgpack::encode;

const END: &[u8] = b"\nend\n";

/// A frame is sealed at this size, so that it seldom straddles a pipe's 64 KiB.
const FULL: usize = 56 << 10;

/// How numbers that strict JSON does not know are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// `NaN` and infinities as they are.
    AsTheyAre,
    /// `null` in their place, for children whose parser is strict.
    Strict,
}

/// The offer of batch frames, as it stands in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchLimits {
    /// Inputs in one frame.
    pub(crate) max_tuples: usize,
    /// Bytes in one frame.
    pub(crate) max_bytes: usize,
}

impl BatchLimits {
    /// What is offered to every child.
    pub(crate) const OFFER: Self = Self { max_tuples: 500, max_bytes: 256 << 10 };
}

/// Writes who sent a tuple; remembers the last source.
#[derive(Debug)]
pub(crate) struct Sources {
    known: Vec<(TaskId, StreamIdx, Vec<u8>)>,
    last: usize,
}

impl Sources {
    /// The sources of a task's inputs.
    pub(crate) fn new(context: &Context) -> Self {
        let mut known = Vec::new();
        for input in &context.inputs {
            for task in &input.tasks {
                let mut text = b"\"comp\":".to_vec();
                write_json_string(&input.component, &mut text);
                text.extend_from_slice(b",\"stream\":");
                write_json_string(&input.decl.name, &mut text);
                write!(text, ",\"task\":{task}").expect("a vector takes every write");
                known.push((*task, input.stream, text));
            }
        }
        Self { known, last: 0 }
    }

    /// The place of a source; one that is not among the inputs is named by its numbers.
    fn place(&mut self, task: TaskId, stream: StreamIdx) -> usize {
        let is = |(known_task, known_stream, _): &(TaskId, StreamIdx, Vec<u8>)| {
            *known_task == task && *known_stream == stream
        };
        if self.known.get(self.last).is_none_or(|known| !is(known)) {
            self.last = self.known.iter().position(is).unwrap_or_else(|| {
                let text = format!("\"comp\":\"{task}\",\"stream\":\"{stream}\",\"task\":{task}");
                self.known.push((task, stream, text.into_bytes()));
                self.known.len() - 1
            });
        }
        self.last
    }
}

/// An element of inputs that may still grow.
#[derive(Clone, Copy, Debug)]
struct OpenInputs {
    place: usize,
    next: u64,
}

/// The bytes that wait to be written.
#[derive(Debug)]
pub(crate) struct Outbox {
    protocol: Protocol,
    urgent: Vec<u8>,
    data: Vec<u8>,
    numbers: Numbers,
    batch: Option<BatchLimits>,
    /// Where the open frame starts, and how many inputs it has.
    frame: Option<(usize, usize)>,
    inputs: Option<OpenInputs>,
}

impl Outbox {
    /// An empty outbox that speaks Storm's framing.
    pub(crate) fn new(protocol: Protocol, numbers: Numbers) -> Self {
        Self {
            protocol,
            urgent: Vec::new(),
            data: Vec::new(),
            numbers,
            batch: None,
            frame: None,
            inputs: None,
        }
    }

    /// Speaks batch frames from now on.
    pub(crate) fn use_batch(&mut self, limits: BatchLimits) {
        self.batch = Some(limits);
    }

    /// Whether batch frames are spoken.
    pub(crate) fn batch(&self) -> bool {
        self.batch.is_some()
    }

    /// Bytes that wait in both lanes.
    pub(crate) fn len(&self) -> usize {
        self.urgent.len() + self.data.len()
    }

    /// Whether enough waits that it should be taken now.
    pub(crate) fn is_full(&self) -> bool {
        self.data.len() >= FULL
    }

    /// Adds a tuple.
    pub(crate) fn tuple(
        &mut self,
        sources: &mut Sources,
        (task, stream): (TaskId, StreamIdx),
        id: u64,
        values: &Values,
    ) {
        let place = sources.place(task, stream);
        let source = &sources.known[place].2;
        if self.batch.is_some() {
            self.batch_tuple(source, place, id, values);
            return;
        }
        let start = self.data.len();
        write!(self.data, "{{\"id\":\"{id}\",").expect("a vector takes every write");
        self.data.extend_from_slice(source);
        self.data.extend_from_slice(b",\"tuple\":");
        self.values(values);
        self.data.push(b'}');
        close(self.protocol, &mut self.data, start);
    }

    /// Adds a tuple that the child gets nothing beside of, and says so where batch frames are spoken:
    /// there is nothing to gather.
    pub(crate) fn tuple_alone(
        &mut self,
        sources: &mut Sources,
        source: (TaskId, StreamIdx),
        id: u64,
        values: &Values,
    ) {
        self.end_inputs();
        self.tuple(sources, source, id, values);
        if self.inputs.take().is_some() {
            self.data.extend_from_slice(b"],\"alone\":true}");
        }
    }

    fn batch_tuple(&mut self, source: &[u8], place: usize, id: u64, values: &Values) {
        let goes_on = self.inputs.is_some_and(|open| open.place == place && open.next == id);
        if goes_on {
            self.data.push(b',');
        } else {
            self.begin_element();
            self.data.push(b'{');
            self.data.extend_from_slice(source);
            write!(self.data, ",\"first\":{id},\"tuples\":[").expect("a vector takes every write");
        }
        self.values(values);
        self.inputs = Some(OpenInputs { place, next: id + 1 });
        if let (Some((start, tuples)), Some(limits)) = (&mut self.frame, self.batch) {
            *tuples += 1;
            let bytes = self.data.len() - *start;
            if *tuples >= limits.max_tuples || bytes >= FULL.min(limits.max_bytes) {
                self.seal();
            }
        }
    }

    fn values(&mut self, values: &Values) {
        self.data.push(b'[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.data.push(b',');
            }
            write_value(value, self.numbers, &mut self.data);
        }
        self.data.push(b']');
    }

    /// Adds any other message, given as one JSON object.
    pub(crate) fn message(&mut self, json: &[u8]) {
        if self.batch.is_some() {
            self.begin_element();
            self.data.extend_from_slice(json);
        } else {
            let start = self.data.len();
            self.data.extend_from_slice(json);
            close(self.protocol, &mut self.data, start);
        }
    }

    /// Answers an emit; overtakes what waits in the other lane.
    pub(crate) fn task_ids(&mut self, tasks: &[TaskId]) {
        let start = self.urgent.len();
        if self.batch.is_some() {
            self.urgent.extend_from_slice(b"{\"command\":\"task_ids\",\"ids\":");
        }
        self.urgent.push(b'[');
        for (index, task) in tasks.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(self.urgent, "{comma}{task}").expect("a vector takes every write");
        }
        self.urgent.push(b']');
        if self.batch.is_some() {
            self.urgent.push(b'}');
        }
        close(self.protocol, &mut self.urgent, start);
    }

    /// Ends the open frame; what was added may go out.
    pub(crate) fn seal(&mut self) {
        self.end_inputs();
        if self.frame.take().is_some() {
            self.data.push(b']');
            self.data.extend_from_slice(END);
        }
    }

    /// Takes the urgent lane's bytes.
    pub(crate) fn take_urgent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.urgent)
    }

    /// Seals and takes the other lane's bytes.
    pub(crate) fn take_data(&mut self) -> Vec<u8> {
        self.seal();
        let capacity = self.data.len().min(FULL * 2);
        std::mem::replace(&mut self.data, Vec::with_capacity(capacity))
    }

    fn begin_element(&mut self) {
        self.end_inputs();
        if self.frame.is_some() {
            self.data.push(b',');
        } else {
            self.frame = Some((self.data.len(), 0));
            self.data.push(b'[');
        }
    }

    fn end_inputs(&mut self) {
        if self.inputs.take().is_some() {
            self.data.extend_from_slice(b"]}");
        }
    }
}

/// Ends the message that was written as JSON from `start` on.
fn close(protocol: Protocol, out: &mut Vec<u8>, start: usize) {
    match protocol {
        Protocol::Json => out.extend_from_slice(END),
        Protocol::Msgpack => {
            let json = out.split_off(start);
            let json = str::from_utf8(&json).expect("JSON is written here as ASCII");
            encode(json, out).expect("what was written here is JSON");
        }
    }
}

/// Appends a value as ASCII on one line.
#[inline]
fn write_value(value: &Value, numbers: Numbers, out: &mut Vec<u8>) {
    match value {
        Value::Float(_) | Value::Json(_) | Value::List(_) | Value::Map(_)
            if numbers == Numbers::Strict =>
        {
            let json = value.to_json();
            if json.contains("NaN") || json.contains("Infinity") {
                write_strict(json.as_bytes(), out);
            } else {
                out.extend_from_slice(json.as_bytes());
            }
        }
        _ => value.write_json(out),
    }
}

/// Copies JSON with `null` for each number that strict JSON does not know.
fn write_strict(json: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    let mut in_string = false;
    while at < json.len() {
        let rest = &json[at..];
        let token = [&b"NaN"[..], b"Infinity", b"-Infinity"]
            .into_iter()
            .find(|token| !in_string && rest.starts_with(token));
        if let Some(token) = token {
            out.extend_from_slice(b"null");
            at += token.len();
            continue;
        }
        let escaped = in_string && rest[0] == b'\\';
        in_string ^= rest[0] == b'"';
        let width = rest.len().min(if escaped { 2 } else { 1 });
        out.extend_from_slice(&rest[..width]);
        at += width;
    }
}

#[cfg(test)]
mod tests {
    use crate::tuple::RawJson;

    use super::*;

    fn sources() -> Sources {
        let text = |name: &str, task: u32| {
            format!("\"comp\":\"{name}\",\"stream\":\"default\",\"task\":{task}").into_bytes()
        };
        Sources {
            known: vec![
                (TaskId(4), StreamIdx(0), text("lines", 4)),
                (TaskId(5), StreamIdx(0), text("lines", 5)),
            ],
            last: 0,
        }
    }

    fn text(outbox: &mut Outbox) -> String {
        String::from_utf8(outbox.take_data()).unwrap()
    }

    fn values(text: &str) -> Values {
        [Value::from(text)].into_iter().collect()
    }

    #[test]
    fn storms_tuples_are_messages_of_their_own() {
        let mut outbox = Outbox::new(Protocol::Json, Numbers::AsTheyAre);
        let from = (TaskId(4), StreamIdx(0));
        outbox.tuple(&mut sources(), from, 1001, &values("naïve"));
        outbox.message(b"{\"command\":\"next\",\"id\":\"\"}");
        assert_eq!(
            text(&mut outbox),
            "{\"id\":\"1001\",\"comp\":\"lines\",\"stream\":\"default\",\"task\":4,\"tuple\":[\"na\\u00efve\"]}\nend\n\
             {\"command\":\"next\",\"id\":\"\"}\nend\n"
        );
        outbox.task_ids(&[TaskId(5), TaskId(6)]);
        outbox.task_ids(&[]);
        assert_eq!(outbox.take_urgent(), b"[5,6]\nend\n[]\nend\n");
    }

    #[test]
    fn consecutive_inputs_of_one_source_share_an_element() {
        let mut outbox = Outbox::new(Protocol::Json, Numbers::AsTheyAre);
        outbox.use_batch(BatchLimits::OFFER);
        let mut sources = sources();
        for (task, id, word) in [(4, 1, "a b"), (4, 2, "c"), (5, 3, "d"), (5, 5, "e")] {
            outbox.tuple(&mut sources, (TaskId(task), StreamIdx(0)), id, &values(word));
        }
        outbox.message(b"{\"command\":\"drain\",\"id\":\"7\"}");
        let element = |task: u32, first: u64, tuples: &str| {
            format!(
                "{{\"comp\":\"lines\",\"stream\":\"default\",\"task\":{task},\"first\":{first},\"tuples\":[{tuples}]}}"
            )
        };
        let expected = format!(
            "[{},{},{},{{\"command\":\"drain\",\"id\":\"7\"}}]\nend\n",
            element(4, 1, "[\"a b\"],[\"c\"]"),
            element(5, 3, "[\"d\"]"),
            element(5, 5, "[\"e\"]"),
        );
        assert_eq!(text(&mut outbox), expected);
        outbox.task_ids(&[TaskId(5)]);
        assert_eq!(outbox.take_urgent(), b"{\"command\":\"task_ids\",\"ids\":[5]}\nend\n");
        assert_eq!(text(&mut outbox), "");
    }

    #[test]
    fn a_tuple_that_is_given_alone_says_so_in_an_element_of_its_own() {
        let mut outbox = Outbox::new(Protocol::Json, Numbers::AsTheyAre);
        outbox.use_batch(BatchLimits::OFFER);
        let (mut sources, from) = (sources(), (TaskId(4), StreamIdx(0)));
        outbox.tuple(&mut sources, from, 1, &values("a"));
        outbox.tuple_alone(&mut sources, from, 2, &values("b"));
        outbox.tuple(&mut sources, from, 3, &values("c"));
        let element = |id: u32, rest: &str| {
            format!(
                "{{\"comp\":\"lines\",\"stream\":\"default\",\"task\":4,\"first\":{id},{rest}}}"
            )
        };
        let expected = [
            element(1, "\"tuples\":[[\"a\"]]"),
            element(2, "\"tuples\":[[\"b\"]],\"alone\":true"),
            element(3, "\"tuples\":[[\"c\"]]"),
        ];
        assert_eq!(text(&mut outbox), format!("[{}]\nend\n", expected.join(",")));
    }

    #[test]
    fn a_frame_has_at_most_the_inputs_that_were_offered() {
        let mut outbox = Outbox::new(Protocol::Json, Numbers::AsTheyAre);
        outbox.use_batch(BatchLimits { max_tuples: 2, max_bytes: 1 << 20 });
        for id in 1..=3 {
            outbox.tuple(&mut sources(), (TaskId(4), StreamIdx(0)), id, &values("a"));
        }
        assert_eq!(text(&mut outbox).matches("\nend\n").count(), 2);
    }

    #[test]
    fn c20_strict_children_get_null_for_numbers_they_cannot_read() {
        let write = |value: Value| {
            let mut out = Vec::new();
            write_value(&value, Numbers::Strict, &mut out);
            String::from_utf8(out).unwrap()
        };
        let raw = |text: &str| Value::Json(RawJson::from_scanned(text));
        assert_eq!(write(Value::Float(f64::NAN)), "null");
        assert_eq!(write(raw("-Infinity")), "null");
        assert_eq!(
            write(raw(r#"{"a\"NaN":[NaN,-Infinity,"Infinity"]}"#)),
            r#"{"a\"NaN":[null,null,"Infinity"]}"#
        );
        assert_eq!(write(raw("1e400")), "1e400");
        assert_eq!(write(Value::from("NaN")), "\"NaN\"");
    }
}
