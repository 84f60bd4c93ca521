//! What children say: the messages of Storm's protocol and of batch frames, as spans of their text.
//!
//! Pure. Values are never built here: a message keeps the bytes of its tuples, and [`read_tuple`]
//! turns them into values one tuple at a time.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::component::Level;
use crate::tuple::{JsonError, RawJson, Scanner, Value, Values};

/// The messages of one frame, in order.
pub(super) type Messages<'a> = SmallVec<[Message<'a>; 1]>;

/// A JSON text of the frame that is looked into later.
pub(super) type Json<'a> = &'a str;

/// One message of a child.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message<'a> {
    /// The answer to the handshake.
    Pid(Hello<'a>),
    /// A component that was starting is open.
    Started,
    /// A tuple.
    Emit(Emit<'a>),
    /// A tuple is done.
    Ack { id: Cow<'a, str> },
    /// A tuple has failed.
    Fail { id: Cow<'a, str>, reason: Option<Cow<'a, str>>, trace: Option<Cow<'a, str>> },
    /// A tuple is still being worked on.
    ResetTimeout { id: Cow<'a, str> },
    /// A command or heartbeat has been dealt with.
    Sync,
    /// A line for the log.
    Log { level: Level, text: Cow<'a, str> },
    /// An entry for the list of errors.
    Error { text: Cow<'a, str> },
    /// A metric.
    Metrics { name: Cow<'a, str>, params: Json<'a> },
    /// The answer to `drain`.
    Drained { id: Cow<'a, str> },
    /// The answer to `end`.
    Ended { id: Cow<'a, str> },
    /// A spout has no more input.
    Exhausted,
    /// Consecutive inputs are acked, each with what it emitted.
    Done { first: u64, emits: Json<'a> },
    /// Consecutive inputs are acked without emissions.
    DoneCount { first: u64, count: u64 },
    /// Emissions anchored to one input.
    EmitFrom { input: u64, tuples: Json<'a>, stream: Option<Cow<'a, str>> },
    /// A spout's messages: pairs of id and values.
    Spouted { messages: Json<'a> },
    /// A command that is not known; `text` is the whole message.
    Unknown { text: Json<'a> },
    /// An object that is no message at all: something the child printed.
    Foreign { text: Json<'a> },
}

/// What a child says of itself.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key that a child may send")]
pub(super) struct Hello<'a> {
    pub(super) pid: Cow<'a, str>,
    pub(super) batch: bool,
    pub(super) replay_engine: bool,
    pub(super) memory: bool,
    /// It opens its component now, and says when that is done.
    pub(super) starting: bool,
    /// It shows its stacks on SIGUSR2.
    pub(super) stacks: bool,
    pub(super) sdk: Option<Cow<'a, str>>,
}

/// Storm's `emit`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Emit<'a> {
    pub(super) tuple: Json<'a>,
    /// `None`: the default stream.
    pub(super) stream: Option<Cow<'a, str>>,
    /// A direct emission.
    pub(super) task: Option<u32>,
    pub(super) wants_tasks: bool,
    /// A spout's own name for the message, as it wrote it.
    pub(super) id: Option<Json<'a>>,
    /// Absent, null, a string, or a list of them.
    pub(super) anchors: Option<Json<'a>>,
}

/// Reads a frame: one object, or an array of objects.
///
/// # Errors
/// Where it is neither; nothing may be taken from it then.
pub(super) fn parse_frame(text: &str) -> Result<Messages<'_>, JsonError> {
    let mut scanner = Scanner::new(text);
    let mut messages = Messages::new();
    if scanner.take(b'[') {
        if !scanner.take(b']') {
            loop {
                messages.push(parse_message(&mut scanner)?);
                if !scanner.more(b']')? {
                    break;
                }
            }
        }
    } else {
        messages.push(parse_message(&mut scanner)?);
    }
    scanner.finish()?;
    Ok(messages)
}

macro_rules! keys {
    ($($field:ident = $name:literal,)*) => {
        /// The values of the keys that mean something, as they stand in the text.
        #[derive(Default)]
        struct Keys<'a> { $($field: Option<Json<'a>>,)* }

        impl<'a> Keys<'a> {
            fn set(&mut self, key: &str, value: Json<'a>) {
                match key {
                    $($name => self.$field = (value != "null").then_some(value),)*
                    _ => {}
                }
            }
        }
    };
}

keys! {
    command = "command",
    pid = "pid",
    batch = "batch",
    replay = "replay",
    memory = "memory",
    starting = "starting",
    stacks = "stacks",
    sdk = "sdk",
    id = "id",
    tuple = "tuple",
    stream = "stream",
    task = "task",
    need_task_ids = "need_task_ids",
    anchors = "anchors",
    msg = "msg",
    trace = "trace",
    level = "level",
    name = "name",
    params = "params",
    done = "done",
    emits = "emits",
    count = "count",
    emit = "emit",
    tuples = "tuples",
    messages = "messages",
}

fn parse_message<'a>(scanner: &mut Scanner<'a>) -> Result<Message<'a>, JsonError> {
    scanner.peek();
    let start = scanner.position();
    scanner.expect(b'{', "an object")?;
    let mut keys = Keys::default();
    if !scanner.take(b'}') {
        loop {
            let key = scanner.key()?;
            let span = scanner.skip_value()?;
            keys.set(&key, scanner.slice(span));
            if !scanner.more(b'}')? {
                break;
            }
        }
    }
    let text = scanner.slice(start..scanner.position());
    Ok(classify(&keys, text))
}

fn classify<'a>(keys: &Keys<'a>, text: Json<'a>) -> Message<'a> {
    match keys.command {
        Some(command) => storm_message(&plain_text(command), keys),
        None if keys.done.is_some() => done(keys),
        None if keys.emit.is_some() => emit_from(keys),
        None if keys.messages.is_some() => {
            keys.messages.map(|messages| Message::Spouted { messages })
        }
        None => match keys.pid {
            Some(pid) => Some(Message::Pid(hello(pid, keys))),
            None => return Message::Foreign { text },
        },
    }
    .unwrap_or(Message::Unknown { text })
}

fn emit_from<'a>(keys: &Keys<'a>) -> Option<Message<'a>> {
    Some(Message::EmitFrom {
        input: number(keys.emit?)?,
        tuples: keys.tuples?,
        stream: keys.stream.map(plain_text),
    })
}

fn done<'a>(keys: &Keys<'a>) -> Option<Message<'a>> {
    let first = number(keys.done?)?;
    match keys.emits {
        Some(emits) => Some(Message::Done { first, emits }),
        None => Some(Message::DoneCount { first, count: number(keys.count.unwrap_or("1"))? }),
    }
}

fn hello<'a>(pid: Json<'a>, keys: &Keys<'a>) -> Hello<'a> {
    Hello {
        pid: plain_text(pid),
        batch: keys.batch.and_then(number) == Some(1),
        replay_engine: keys.replay == Some("\"engine\""),
        memory: keys.memory == Some("true"),
        starting: keys.starting == Some("true"),
        stacks: keys.stacks == Some("true"),
        sdk: keys.sdk.map(plain_text),
    }
}

fn storm_message<'a>(command: &str, keys: &Keys<'a>) -> Option<Message<'a>> {
    let id = || keys.id.map(plain_text);
    let text = || plain_text(keys.msg.unwrap_or("\"\""));
    Some(match command {
        "emit" => Message::Emit(Emit {
            tuple: keys.tuple.unwrap_or("[]"),
            stream: keys.stream.map(plain_text),
            task: keys.task.and_then(number).filter(|task| *task != 0).map(|task| task as u32),
            wants_tasks: keys.need_task_ids != Some("false"),
            id: keys.id,
            anchors: keys.anchors,
        }),
        "ack" => Message::Ack { id: id()? },
        "fail" => Message::Fail {
            id: id()?,
            reason: keys.msg.map(plain_text),
            trace: keys.trace.map(plain_text),
        },
        "reset_timeout" => Message::ResetTimeout { id: id()? },
        "sync" => Message::Sync,
        "started" => Message::Started,
        "log" => Message::Log { level: level(keys.level), text: text() },
        "error" => Message::Error { text: text() },
        "metrics" => Message::Metrics {
            name: keys.name.map(plain_text)?,
            params: keys.params.unwrap_or("null"),
        },
        "drained" => Message::Drained { id: id()? },
        "ended" => Message::Ended { id: id()? },
        "exhausted" => Message::Exhausted,
        _ => return None,
    })
}

fn level(level: Option<Json<'_>>) -> Level {
    match level.and_then(number) {
        Some(0) => Level::Trace,
        Some(1) => Level::Debug,
        Some(3) => Level::Warn,
        Some(4) => Level::Error,
        _ => Level::Info,
    }
}

fn number(json: Json<'_>) -> Option<u64> {
    plain_text(json).parse().ok()
}

/// A string's text, or any other JSON as it stands. Lone surrogates become U+FFFD.
pub(super) fn plain_text(json: Json<'_>) -> Cow<'_, str> {
    if !json.starts_with('"') {
        return Cow::Borrowed(json);
    }
    let inner = &json[1..json.len() - 1];
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let value = Value::Json(RawJson::from_scanned(json));
    Cow::Owned(value.to_text().into_owned())
}

/// Calls `each` with every id in `anchors`: a list, a bare string, or nothing. A whole tuple in the
/// place of an id stands for its id.
///
/// # Errors
/// Where the list is not one (it was scanned before, so this is only its shape).
pub(super) fn each_anchor(
    anchors: Option<Json<'_>>,
    mut each: impl FnMut(&str),
) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(anchors.unwrap_or("[]"));
    if !scanner.take(b'[') {
        each(&plain_text(anchors.unwrap_or_default()));
        return Ok(());
    }
    if scanner.take(b']') {
        return Ok(());
    }
    loop {
        let span = scanner.skip_value()?;
        each(&plain_text(id_of(scanner.slice(span))?));
        if !scanner.more(b']')? {
            return Ok(());
        }
    }
}

/// The value of `id` where an object stands in the place of an id.
fn id_of(anchor: Json<'_>) -> Result<Json<'_>, JsonError> {
    let mut scanner = Scanner::new(anchor);
    if !scanner.take(b'{') || scanner.take(b'}') {
        return Ok(anchor);
    }
    loop {
        let is_id = scanner.key()? == "id";
        let span = scanner.skip_value()?;
        if is_id {
            return Ok(scanner.slice(span));
        }
        if !scanner.more(b'}')? {
            return Ok(anchor);
        }
    }
}

/// Takes a list of values; anything that is not a list is a tuple of one.
///
/// # Errors
/// Where no value comes next.
#[inline]
pub(super) fn read_tuple(scanner: &mut Scanner<'_>) -> Result<Values, JsonError> {
    let mut values = Values::new();
    if !scanner.take(b'[') {
        values.push(read_value(scanner)?);
        return Ok(values);
    }
    if scanner.take(b']') {
        return Ok(values);
    }
    loop {
        values.push(read_value(scanner)?);
        if !scanner.more(b']')? {
            return Ok(values);
        }
    }
}

#[inline]
fn read_value(scanner: &mut Scanner<'_>) -> Result<Value, JsonError> {
    let span = scanner.skip_value()?;
    Ok(Value::from_scanned_json(scanner.slice(span)))
}

/// Takes a list and calls `each` at the start of every element; `each` takes the element.
///
/// # Errors
/// Where no list comes next, and what `each` returns.
pub(super) fn each_element<'a, E: From<JsonError>>(
    scanner: &mut Scanner<'a>,
    mut each: impl FnMut(&mut Scanner<'a>) -> Result<(), E>,
) -> Result<(), E> {
    scanner.expect(b'[', "a list")?;
    if scanner.take(b']') {
        return Ok(());
    }
    loop {
        each(scanner)?;
        if !scanner.more(b']')? {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Message<'_> {
        let mut messages = parse_frame(text).unwrap();
        assert_eq!(messages.len(), 1, "{text}");
        messages.remove(0)
    }

    fn emit(text: &str) -> Emit<'_> {
        match one(text) {
            Message::Emit(emit) => emit,
            other => panic!("{other:?}"),
        }
    }

    fn anchors(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        each_anchor(emit(text).anchors, |id| all.push(id.to_owned())).unwrap();
        all
    }

    #[test]
    fn c25_task_stream_and_need_task_ids_may_be_absent_or_null() {
        let bare = emit(r#"{"command":"emit","tuple":["a"]}"#);
        let nulls = emit(
            r#"{"tuple":["a"],"stream":null,"task":null,"need_task_ids":null,"anchors":null,"id":null,"command":"emit"}"#,
        );
        assert_eq!(bare, nulls);
        assert!(bare.wants_tasks);
        assert_eq!(emit(r#"{"command":"emit","tuple":[],"task":0}"#).task, None);
        assert_eq!(emit(r#"{"command":"emit","tuple":[],"task":6}"#).task, Some(6));
    }

    #[test]
    fn c25_anchors_may_be_a_list_a_string_or_nothing() {
        assert_eq!(anchors(r#"{"command":"emit","anchors":["1","2"]}"#), ["1", "2"]);
        assert_eq!(anchors(r#"{"command":"emit","anchors":"1"}"#), ["1"]);
        assert_eq!(anchors(r#"{"command":"emit","anchors":[]}"#), [""; 0]);
        assert_eq!(anchors(r#"{"command":"emit"}"#), [""; 0]);
    }

    #[test]
    fn c25_a_tuple_in_the_place_of_an_anchor_stands_for_its_id() {
        let tuple = r#"{"values":[{"id":"7"}],"task":1,"id":"1"}"#;
        let emit = format!(r#"{{"command":"emit","anchors":[{tuple},"2",{{}}]}}"#);
        assert_eq!(anchors(&emit), ["1", "2", "{}"]);
    }

    #[test]
    fn c35_spout_ids_keep_their_json() {
        for id in ["0", "\"\"", "false", "{\"a\": 1}", "\"u-1\"", "1.50"] {
            let text = format!(r#"{{"command":"emit","id":{id},"tuple":[1]}}"#);
            assert_eq!(emit(&text).id, Some(id));
        }
    }

    #[test]
    fn c22_a_scalar_is_a_tuple_of_one_and_values_keep_their_bytes() {
        let text = r#"[NaN, Infinity, 1180591620717411303424, 1e-07, -0.0, null, true, {"k": [1]}, "\ud800"]"#;
        let values = read_tuple(&mut Scanner::new(text)).unwrap();
        let back: Vec<String> = values.iter().map(Value::to_json).collect();
        assert_eq!(format!("[{}]", back.join(", ")), text);
        assert_eq!(read_tuple(&mut Scanner::new("7")).unwrap().as_slice(), [Value::Int(7)]);
    }

    #[test]
    fn batch_forms_are_told_apart() {
        assert_eq!(
            one(r#"{"done":1001,"emits":[[["a"],["b"]],[]]}"#),
            Message::Done { first: 1001, emits: r#"[[["a"],["b"]],[]]"# }
        );
        assert_eq!(
            one(r#"{"done":1001,"count":500}"#),
            Message::DoneCount { first: 1001, count: 500 }
        );
        assert_eq!(
            one(r#"{"emit":7,"tuples":[["a"]],"stream":"s"}"#),
            Message::EmitFrom { input: 7, tuples: r#"[["a"]]"#, stream: Some("s".into()) }
        );
        assert_eq!(
            one(r#"{"messages":[[1,["a"]]]}"#),
            Message::Spouted { messages: r#"[[1,["a"]]]"# }
        );
        assert_eq!(
            parse_frame("[{\"command\":\"sync\"}, {\"command\":\"exhausted\"}]").unwrap().len(),
            2
        );
    }

    #[test]
    fn hello_says_what_the_child_can_do() {
        let Message::Pid(hello) = one(
            r#"{"pid":12,"batch":1,"replay":"engine","sdk":"python 0.1.0","memory":true,"starting":true,"stacks":true}"#,
        ) else {
            panic!("no pid");
        };
        assert_eq!(hello.pid, "12");
        assert!(hello.batch && hello.replay_engine && hello.memory && hello.stacks);
        assert_eq!(hello.sdk.as_deref(), Some("python 0.1.0"));
    }

    #[test]
    fn what_is_not_known_is_kept_whole() {
        for text in [r#"{"command":"dance"}"#, r#"{"command":"ack"}"#, r#"{"done":"x"}"#] {
            assert_eq!(one(text), Message::Unknown { text });
        }
        for text in [r#"{"a":1}"#, "{}"] {
            assert_eq!(one(text), Message::Foreign { text });
        }
        assert!(parse_frame("[1,2]").is_err());
        assert!(parse_frame("{} x").is_err());
        assert!(parse_frame("7").is_err());
    }

    #[test]
    fn c50_a_log_level_that_is_absent_or_no_number_is_info() {
        let level_of = |text: &str| match one(text) {
            Message::Log { level, .. } => level,
            other => panic!("{other:?}"),
        };
        assert_eq!(level_of(r#"{"command":"log","msg":"a"}"#), Level::Info);
        assert_eq!(level_of(r#"{"command":"log","msg":"a","level":4}"#), Level::Error);
        assert_eq!(level_of(r#"{"command":"log","msg":7,"level":"x"}"#), Level::Info);
    }
}
