//! The graph for Graphviz and Mermaid, and the plan as JSON.

use std::fmt::Write as _;

use crate::base::ComponentIdx;
use crate::component::Role;
use crate::topology::{Plan, PlannedComponent};

use super::table::show_grouping;

/// Stands for the value of a variable.
const HIDDEN: &str = "(hidden)";

/// The plan as JSON: everything the engine is told, but for the values of variables, which are where
/// people put secrets.
pub fn json(plan: &Plan) -> String {
    let mut plan = plan.clone();
    for component in &mut plan.components {
        if let Some(program) = &mut component.program {
            program.env.values_mut().for_each(|value| HIDDEN.clone_into(value));
            if let Some(env) = component.options.get_mut("env").and_then(|env| env.as_object_mut())
            {
                env.values_mut().for_each(|value| *value = HIDDEN.into());
            }
        }
    }
    let text = serde_json::to_string_pretty(&plan);
    text.expect("invariant: a plan has string keys and finite numbers")
}

/// The graph in Graphviz' language.
pub fn dot(plan: &Plan) -> String {
    let mut text = format!("digraph {} {{\n  rankdir=LR;\n", quoted(&plan.name));
    for component in &plan.components {
        let shape = match component.role {
            Role::Spout => "oval",
            Role::Bolt => "box",
        };
        let name = quoted(&component.name);
        let label = quoted(&label(plan, component, "\n"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name} [shape={shape}, label={label}];");
    }
    each_edge(plan, |from, to, label| {
        let (from, to) = (quoted(&from.name), quoted(&to.name));
        let _ = writeln!(text, "  {from} -> {to} [label={}];", quoted(label));
    });
    text.push_str("}\n");
    text
}

/// The graph in Mermaid's language.
pub fn mermaid(plan: &Plan) -> String {
    let mut text = "flowchart LR\n".to_owned();
    let id = |component: &PlannedComponent| {
        let place = plan.components.iter().position(|other| other.name == component.name);
        format!("c{}", place.unwrap_or_default())
    };
    for component in &plan.components {
        let label = label(plan, component, "<br/>").replace('"', "#quot;");
        let (open, close) = match component.role {
            Role::Spout => ("([", "])"),
            Role::Bolt => ("[", "]"),
        };
        let _ = writeln!(text, "  {}{open}\"{label}\"{close}", id(component));
    }
    each_edge(plan, |from, to, label| {
        let label = label.replace('"', "#quot;");
        let _ = writeln!(text, "  {} -->|\"{label}\"| {}", id(from), id(to));
    });
    text
}

fn each_edge(plan: &Plan, mut draw: impl FnMut(&PlannedComponent, &PlannedComponent, &str)) {
    for component in &plan.components {
        for input in &component.inputs {
            let from = plan.component(input.from);
            let grouping = show_grouping(input);
            let label = match from.outputs[input.stream.index()].name.as_str() {
                "default" => grouping,
                stream => format!("{stream}: {grouping}"),
            };
            draw(from, component, &label);
        }
    }
}

/// `split ×2` and what it runs.
fn label(plan: &Plan, component: &PlannedComponent, line: &str) -> String {
    let place = plan.components.iter().position(|other| other.name == component.name);
    let tasks = plan.tasks_of(ComponentIdx(place.unwrap_or_default() as u16)).count();
    let runs = match &component.program {
        Some(program) => program.command.last().unwrap_or(&component.kind),
        None => &component.kind,
    };
    let count = if tasks == 1 { String::new() } else { format!(" ×{tasks}") };
    format!("{}{count}{line}{runs}", component.name)
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
