//! The line that stands in a dead-letter file for a message whose retries are spent.

use crate::base::{TaskId, beginning, unix_millis};
use crate::component::Context;
use crate::metrics::FailReason;
use crate::tuple::write_json_string;

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
        match (self.component(context), self.task) {
            (Some(component), Some(task)) => format!("{component} (task {task})"),
            _ => "the topology".to_owned(),
        }
    }

    fn component<'a>(&self, context: &'a Context) -> Option<&'a str> {
        let of = |task| context.tasks.iter().find(|(one, _)| *one == task);
        self.task.and_then(of).map(|(_, component)| component.as_str())
    }
}

/// One JSON object: when, who, why, how often, and the values as they were.
pub(crate) fn line(context: &Context, kept: &Kept, failure: Failure<'_>) -> String {
    let mut out = format!("{{\"time_ms\":{},\"topology\":", unix_millis()).into_bytes();
    write_json_string(&context.topology, &mut out);
    out.extend_from_slice(b",\"spout\":");
    write_json_string(&context.component, &mut out);
    out.extend_from_slice(b",\"stream\":");
    let stream = context.outputs.get(kept.stream.index());
    write_json_string(stream.map_or("default", |output| &output.decl.name), &mut out);
    out.extend_from_slice(b",\"reason\":");
    write_json_string(failure.reason.as_str(), &mut out);
    if let (Some(component), Some(task)) = (failure.component(context), failure.task) {
        out.extend_from_slice(b",\"component\":");
        write_json_string(component, &mut out);
        out.extend_from_slice(format!(",\"task\":{task}").as_bytes());
    }
    out.extend_from_slice(b",\"message\":");
    write_json_string(failure.headline(), &mut out);
    if let Some(detail) = failure.detail() {
        out.extend_from_slice(b",\"detail\":");
        write_json_string(detail, &mut out);
    }
    out.extend_from_slice(format!(",\"failures\":{},\"values\":[", kept.failures).as_bytes());
    for (index, value) in kept.values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        value.write_json(&mut out);
    }
    out.extend_from_slice(b"]}");
    String::from_utf8(out).expect("JSON written here is ASCII")
}

/// The values in short, for people.
pub(crate) fn preview(kept: &Kept) -> String {
    const SHOWN: usize = 200;
    let values: Vec<_> = kept.values.iter().map(|value| short(&value.to_json(), SHOWN)).collect();
    format!("[{}]", short(&values.join(", "), SHOWN))
}

fn short(text: &str, most: usize) -> String {
    let shown = beginning(text, most);
    if shown.len() == text.len() { text.to_owned() } else { format!("{shown}…") }
}
