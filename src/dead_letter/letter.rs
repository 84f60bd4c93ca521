//! A dead letter and its line. Values keep the bytes that their producer wrote. Pure.

use serde::{Deserialize, Serialize};

use crate::base::TaskId;
use crate::tuple::{JsonError, Scanner, Value, Values, write_json_string};

use super::{LetterId, Moment};

/// The form of the lines that are written here.
const VERSION: u64 = 1;
/// The key that every line begins with; its value is the version.
const MARK: &str = "dead_letter";
/// How every line that is written here begins.
pub(super) const BEGINNING: &str = "{\"dead_letter\":1,\"id\":\"";

/// One failure of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it failed.
    pub time: Moment,
    /// Why, as one word: `explicit`, `died`, `died_alone`, `timed_out`, `worker_lost`.
    pub reason: String,
    /// The component that failed it; none where it timed out or a worker was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The task that failed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Why, in one line.
    pub message: String,
    /// More lines: a traceback, or what a dying child wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
}

/// A message whose retries are spent.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Its name in the file.
    pub id: LetterId,
    /// How often it was replayed and put aside again.
    pub replays: u32,
    /// When it was put aside.
    pub time: Moment,
    /// The topology's name.
    pub topology: String,
    /// The run that put it aside.
    pub run: String,
    /// The spout that emitted it.
    pub spout: String,
    /// The spout's task.
    pub task: TaskId,
    /// The engine's number of the message in that task.
    pub message: u64,
    /// The stream it was emitted on.
    pub stream: String,
    /// The task that it was for, on a direct stream.
    pub direct: Option<TaskId>,
    /// The stream's fields.
    pub fields: Vec<String>,
    /// Its values, one for each field.
    pub values: Values,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first emitted.
    pub first_emitted: Moment,
    /// The failures, in order; where there were many, those in the middle are left out.
    pub failures: Vec<Attempt>,
    /// How many failures are left out.
    pub left_out: u32,
}

/// What stands before the values.
#[derive(Serialize, Deserialize)]
struct Head {
    dead_letter: u64,
    id: LetterId,
    time: Moment,
    topology: String,
    run: String,
    spout: String,
    task: TaskId,
    message: u64,
    stream: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direct: Option<TaskId>,
    fields: Vec<String>,
}

/// What stands behind the values.
#[derive(Serialize, Deserialize)]
struct Tail {
    attempts: u32,
    #[serde(default)]
    replays: u32,
    first_emitted: Moment,
    #[serde(default, skip_serializing_if = "is_zero")]
    failures_left_out: u32,
    failures: Vec<Attempt>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why a line is not a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// The line is not a JSON object.
    #[error("it is not a JSON object: {0}")]
    Json(#[from] JsonError),
    /// It is one, but of something else.
    #[error("it has no key `{MARK}`")]
    NoLetter,
    /// A later version of Galewire has written it.
    #[error("its form is {0}, and this version of galewire knows form {VERSION}")]
    Version(String),
    /// A key is missing or has a value of the wrong kind.
    #[error("{0}")]
    Key(String),
    /// There is not one value for each field.
    #[error("it has {values} values for {fields} fields")]
    Values {
        /// How many values it has.
        values: usize,
        /// How many fields it has.
        fields: usize,
    },
}

impl Letter {
    /// The last failure: the one that it was given up for.
    pub fn last(&self) -> Option<&Attempt> {
        self.failures.last()
    }

    /// The line, without its line break, in ASCII where a value or text is not: escaped.
    pub fn to_line(&self) -> Vec<u8> {
        let head = Head {
            dead_letter: VERSION,
            id: self.id,
            time: self.time,
            topology: self.topology.clone(),
            run: self.run.clone(),
            spout: self.spout.clone(),
            task: self.task,
            message: self.message,
            stream: self.stream.clone(),
            direct: self.direct,
            fields: self.fields.clone(),
        };
        let tail = Tail {
            attempts: self.attempts,
            replays: self.replays,
            first_emitted: self.first_emitted,
            failures_left_out: self.left_out,
            failures: self.failures.clone(),
        };
        let mut line = serde_json::to_vec(&head).expect("text and numbers are JSON");
        let tail = serde_json::to_vec(&tail).expect("text and numbers are JSON");
        line.pop();
        line.extend_from_slice(b",\"values\":");
        write_values(&self.values, &mut line);
        line.push(b',');
        line.extend_from_slice(&tail[1..]);
        line
    }

    /// Reads a line. Keys that are not known are passed over.
    ///
    /// # Errors
    /// A line that is something else.
    pub fn parse(line: &str) -> Result<Self, LetterError> {
        let (version, values, rest) = split(line)?;
        if version != VERSION.to_string() {
            return Err(LetterError::Version(version));
        }
        let values = values.ok_or_else(|| LetterError::Key("missing field `values`".to_owned()))?;
        let key = |error: serde_json::Error| LetterError::Key(plain(&error));
        let head: Head = serde_json::from_str(&rest).map_err(key)?;
        let tail: Tail = serde_json::from_str(&rest).map_err(key)?;
        if values.len() != head.fields.len() {
            let (values, fields) = (values.len(), head.fields.len());
            return Err(LetterError::Values { values, fields });
        }
        Ok(Self {
            id: head.id,
            replays: tail.replays,
            time: head.time,
            topology: head.topology,
            run: head.run,
            spout: head.spout,
            task: head.task,
            message: head.message,
            stream: head.stream,
            direct: head.direct,
            fields: head.fields,
            values,
            attempts: tail.attempts,
            first_emitted: tail.first_emitted,
            failures: tail.failures,
            left_out: tail.failures_left_out,
        })
    }
}

/// Serde's words without the place, which is one in another text.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// The version, the values, and the object without its values, which a library may parse.
fn split(line: &str) -> Result<(String, Option<Values>, String), LetterError> {
    let mut scanner = Scanner::new(line);
    let (mut version, mut values) = (None, None);
    let mut rest = b"{".to_vec();
    scanner.expect(b'{', "an object")?;
    let mut more = !scanner.take(b'}');
    while more {
        let key = scanner.key()?;
        if key == "values" {
            values = Some(list(&mut scanner)?);
        } else {
            let span = scanner.skip_value()?;
            let text = scanner.slice(span);
            if key == MARK {
                version = Some(text.to_owned());
            }
            if rest.len() > 1 {
                rest.push(b',');
            }
            write_json_string(&key, &mut rest);
            rest.push(b':');
            rest.extend_from_slice(text.as_bytes());
        }
        more = scanner.more(b'}')?;
    }
    scanner.finish()?;
    rest.push(b'}');
    let rest = String::from_utf8(rest).expect("parts of a text are text");
    Ok((version.ok_or(LetterError::NoLetter)?, values, rest))
}

fn list(scanner: &mut Scanner<'_>) -> Result<Values, JsonError> {
    let mut values = Values::new();
    scanner.expect(b'[', "a list")?;
    let mut more = !scanner.take(b']');
    while more {
        let span = scanner.skip_value()?;
        values.push(Value::from_scanned_json(scanner.slice(span)));
        more = scanner.more(b']')?;
    }
    Ok(values)
}

/// `[1,"a"]`
fn write_values(values: &[Value], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        value.write_json(out);
    }
    out.push(b']');
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A letter with values as they stand in a line.
    pub(in super::super) fn letter(values: &[&str]) -> Letter {
        Letter {
            id: LetterId::random(),
            replays: 0,
            time: Moment(1_795_412_081_020),
            topology: "dl".to_owned(),
            run: "galewire-1".to_owned(),
            spout: "numbers".to_owned(),
            task: TaskId(1),
            message: 17,
            stream: "default".to_owned(),
            direct: None,
            fields: (0..values.len()).map(|field| format!("f{field}")).collect(),
            values: values.iter().map(|text| Value::from_scanned_json(text)).collect(),
            attempts: 2,
            first_emitted: Moment(1_795_412_080_000),
            failures: vec![Attempt {
                time: Moment(1_795_412_081_000),
                reason: "explicit".to_owned(),
                component: Some("check".to_owned()),
                task: Some(TaskId(2)),
                message: "ValueError: naïve \u{1b}".to_owned(),
                traceback: Some("Traceback\n  line 1\n".to_owned()),
            }],
            left_out: 0,
        }
    }

    #[test]
    fn a_letter_reads_back_and_its_values_keep_their_bytes() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let texts = [
            "1e400",
            "-0.0",
            "1180591620717411303424",
            "\"\\ud800\"",
            "NaN",
            "{\"b\":1,\"a\":1.0,\"b\":2}",
            "\"\\u0000\"",
            &deep,
        ];
        let letter = letter(&texts);
        let line = String::from_utf8(letter.to_line()).unwrap();
        assert!(line.starts_with(BEGINNING) && !line.contains('\n'), "{line}");
        let read = Letter::parse(&line).unwrap();
        assert_eq!(read, letter);
        let values: Vec<_> = read.values.iter().map(Value::to_json).collect();
        assert_eq!(values, texts);
    }

    #[test]
    fn keys_in_any_order_and_unknown_ones_are_taken() {
        let line = String::from_utf8(letter(&["1"]).to_line()).unwrap();
        let line = line.replacen('{', "{ \"new\" : [1e400, {}],\"values\":[1],", 1);
        let again = line.replacen(",\"values\":[1],\"attempts\"", ",\"attempts\"", 1);
        assert_eq!(Letter::parse(&again).unwrap().values.len(), 1);
    }

    #[test]
    fn what_is_no_letter_is_told_from_one_that_is_broken() {
        let line = String::from_utf8(letter(&["1"]).to_line()).unwrap();
        let error = |line: &str| Letter::parse(line).unwrap_err().to_string();
        assert!(error("").contains("expected an object"), "{}", error(""));
        assert_eq!(error("{\"n\":1}"), "it has no key `dead_letter`");
        assert!(error(&line[..line.len() / 2]).contains("not a JSON object"));
        let later = line.replace("\"dead_letter\":1", "\"dead_letter\":2");
        assert!(error(&later).starts_with("its form is 2, "));
        let less = line.replace("\"topology\"", "\"topologie\"");
        assert_eq!(error(&less), "missing field `topology`");
        assert_eq!(error(&line.replace("[1]", "[]")), "it has 0 values for 1 fields");
    }
}
