//! A message that is given up, as a dead letter. Pure, but for ids drawn at random.

use std::time::Duration;

use crate::base::{TaskId, beginning};
use crate::component::Context;
use crate::dead_letter::{Attempt, Letter, LetterId, Moment};
use crate::metrics::FailReason;
use crate::tuple::{RawJson, Value, Values};

use super::history::History;
use super::replay::Kept;

/// Why a message failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) reason: FailReason,
    /// The task that failed it; nobody where it timed out.
    pub(crate) task: Option<TaskId>,
    /// What it said: a line, then what more there is, such as a traceback.
    pub(crate) message: &'a str,
}

impl Failure<'static> {
    /// Why a message fails that a lost worker had to do with.
    pub(crate) const WORKER_LOST: Self =
        Self { reason: FailReason::WorkerLost, task: None, message: "a worker was lost" };
}

impl Failure<'_> {
    /// The line that says why.
    pub(crate) fn headline(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    fn detail(&self) -> Option<&str> {
        self.message.split_once('\n').map(|(_, detail)| detail.trim_end())
    }

    /// Where it failed, for people.
    pub(crate) fn place(&self, context: &Context) -> String {
        place(self.component(context), self.task)
    }

    fn component<'a>(&self, context: &'a Context) -> Option<&'a str> {
        let of = |task| context.tasks.iter().find(|(one, _)| *one == task);
        self.task.and_then(of).map(|(_, component)| component.as_str())
    }

    /// The failure as it stands in a letter.
    pub(crate) fn attempt(&self, context: &Context, time: Moment) -> Attempt {
        let component = self.component(context);
        Attempt {
            time,
            reason: self.reason.as_str().to_owned(),
            component: component.map(str::to_owned),
            task: self.task.filter(|_| component.is_some()),
            message: self.headline().to_owned(),
            traceback: self.detail().map(str::to_owned),
        }
    }
}

fn place(component: Option<&str>, task: Option<TaskId>) -> String {
    match (component, task) {
        (Some(component), Some(task)) => format!("{component} (task {task})"),
        _ => "the topology".to_owned(),
    }
}

/// Where and why a letter was given up, for people.
pub(crate) fn cause(letter: &Letter) -> (String, &str) {
    let last = letter.last();
    let component = last.and_then(|last| last.component.as_deref());
    let task = last.and_then(|last| last.task);
    (place(component, task), last.map_or("", |last| last.message.as_str()))
}

/// The letter of a message that was first emitted so long ago. Where the message was a replay of
/// `earlier`, it is that letter again, with all that was known of it.
pub(crate) fn letter(
    context: &Context,
    kept: &Kept,
    age: Duration,
    now: Moment,
    earlier: Option<&Letter>,
) -> Letter {
    let stream = context.outputs.get(kept.stream.index()).map(|output| &output.decl);
    let history = kept.particulars().history.as_deref().cloned().unwrap_or_default();
    let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let mut letter = Letter {
        id: LetterId::random(),
        replays: 0,
        time: now,
        topology: context.topology.clone(),
        run: context
            .run_dir
            .file_name()
            .map(|name| name.to_string_lossy().into())
            .unwrap_or_default(),
        spout: context.component.clone(),
        task: context.task,
        message: kept.id.0,
        stream: stream.map_or_else(|| "default".to_owned(), |stream| stream.name.clone()),
        direct: kept.particulars().direct,
        fields: stream.map(|stream| stream.fields.clone()).unwrap_or_default(),
        values: kept.values.clone(),
        attempts: kept.particulars().failures,
        first_emitted: Moment(now.0.saturating_sub(age)),
        failures: Vec::new(),
        left_out: 0,
    };
    let mut all = History::default();
    if let Some(earlier) = earlier {
        letter.id = earlier.id;
        letter.replays = earlier.replays + 1;
        letter.task = earlier.task;
        letter.message = earlier.message;
        letter.attempts = letter.attempts.saturating_add(earlier.attempts);
        letter.first_emitted = earlier.first_emitted;
        all.go_on(&earlier.failures, earlier.left_out);
    }
    let (failures, left_out) = history.parts();
    all.go_on(&failures, left_out);
    (letter.failures, letter.left_out) = all.parts();
    letter
}

/// What goes out on a stream of dead letters: the values, where and why it failed, and all that is
/// known.
pub(crate) fn values(letter: &Letter) -> Values {
    let last = letter.last();
    let line = String::from_utf8(letter.to_line()).expect("JSON written here is text");
    let text = |text: &str| Value::from(text);
    Values::from_vec(vec![
        Value::List(letter.values.to_vec()),
        last.and_then(|last| last.component.as_deref()).map_or(Value::Null, text),
        last.map_or(Value::Null, |last| text(&last.message)),
        Value::Json(RawJson::from_scanned(&line)),
    ])
}

/// The values in short, for people.
pub(crate) fn preview(values: &[Value]) -> String {
    const SHOWN: usize = 200;
    let values: Vec<_> = values.iter().map(|value| short(&value.to_json(), SHOWN)).collect();
    format!("[{}]", short(&values.join(", "), SHOWN))
}

fn short(text: &str, most: usize) -> String {
    let shown = beginning(text, most);
    if shown.len() == text.len() { text.to_owned() } else { format!("{shown}…") }
}
