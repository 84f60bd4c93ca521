//! The table of `galewire plan`.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::base::{ComponentIdx, show_duration};
use crate::component::StreamDecl;
use crate::topology::{Guarantee, Plan, PlannedComponent, PlannedInput};

use super::memory_line;

/// The plan as a table of components, with a line about the whole before and after it; `width` is
/// that of the terminal, in columns.
pub fn table(plan: &Plan, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header([
        "component",
        "runs",
        "tasks",
        "workers",
        "inputs",
        "outputs",
    ]);
    if let Some(width) = width {
        table.set_width(width);
    }
    for (index, component) in plan.components.iter().enumerate() {
        let index = ComponentIdx(index as u16);
        table.add_row([
            format!("{} {}", component.role, component.name),
            runs(plan, component),
            tasks(plan, index),
            workers(plan, index),
            lines(component.inputs.iter().map(|input| show_input(plan, input))),
            lines(component.outputs.iter().map(show_stream)),
        ]);
    }
    format!("{}\n\n{}\n\n{}\n", headline(plan), table.trim_fmt(), memory_line(plan))
}

fn headline(plan: &Plan) -> String {
    let settings = &plan.settings;
    let guarantee = match settings.guarantee {
        Guarantee::AtMostOnce => "at most once",
        Guarantee::AtLeastOnce => "at least once",
    };
    let plural = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    let mut line = format!(
        "{}: {} on {}, {guarantee}",
        plan.name,
        plural(plan.tasks.len(), "task"),
        plural(usize::from(settings.workers), "worker"),
    );
    if settings.guarantee == Guarantee::AtLeastOnce {
        let timeout = show_duration(settings.message_timeout);
        // Writing to a string cannot fail.
        let _ = write!(line, " (message_timeout {timeout})");
    }
    line
}

/// The kind, or the command as it is started.
fn runs(plan: &Plan, component: &PlannedComponent) -> String {
    let Some(program) = &component.program else {
        return component.kind.clone();
    };
    let command = match program.command.as_slice() {
        // A handler, run by an SDK's own runner.
        [python, flag, module, handler] if flag == "-m" && module == "galewire" => {
            format!("{python}: {handler}")
        }
        [node, run, handler] if run.starts_with("{sdk}/") => format!("{node}: {handler}"),
        words => words.join(" "),
    };
    let mut lines = vec![command];
    match program.dir.strip_prefix(&plan.dir) {
        Ok(dir) if dir.as_os_str().is_empty() => {}
        Ok(dir) => lines.push(format!("in {}", dir.display())),
        Err(_) => lines.push(format!("in {}", program.dir.display())),
    }
    lines.extend_from_slice(&program.bounds);
    lines.extend_from_slice(&component.chosen);
    lines.join("\n")
}

fn tasks(plan: &Plan, component: ComponentIdx) -> String {
    let ids: Vec<u32> = plan.tasks_of(component).map(|task| task.id.0).collect();
    match ids.as_slice() {
        [] => String::new(),
        [only] => format!("1 (#{only})"),
        [first, .., last] => format!("{} (#{first}-{last})", ids.len()),
    }
}

fn workers(plan: &Plan, component: ComponentIdx) -> String {
    let mut counts = vec![0_usize; usize::from(plan.settings.workers)];
    for task in plan.tasks_of(component) {
        counts[task.worker.index()] += 1;
    }
    let used = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let shown: Vec<String> = used
        .map(|(worker, count)| match count {
            1 => worker.to_string(),
            _ => format!("{worker}×{count}"),
        })
        .collect();
    shown.join(" ")
}

/// `split.errors by word`
fn show_input(plan: &Plan, input: &PlannedInput) -> String {
    let producer = plan.component(input.from);
    let stream = &producer.outputs[input.stream.index()].name;
    let from = match stream.as_str() {
        "default" => producer.name.clone(),
        stream => format!("{}.{stream}", producer.name),
    };
    format!("{from} ({})", show_grouping(input))
}

pub(super) fn show_grouping(input: &PlannedInput) -> String {
    let name = input.grouping.name.as_str();
    let mut shown = name.to_owned();
    if !input.grouping.fields.is_empty() {
        shown = format!("{name} {}", input.grouping.fields.join(", "));
    }
    if !input.on_full.blocks() {
        shown = format!("{shown}; {}", input.on_full.as_str());
    }
    shown
}

fn show_stream(stream: &StreamDecl) -> String {
    let fields = stream.fields.join(", ");
    let direct = if stream.direct { " (direct)" } else { "" };
    match stream.name.as_str() {
        "default" => format!("{fields}{direct}"),
        name => format!("{name}: {fields}{direct}"),
    }
}

fn lines(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join("\n") }
}
