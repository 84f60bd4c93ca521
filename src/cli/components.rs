//! `galewire components`

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

use crate::base::ExitCode;
use crate::component::{Kind, Registry};
use crate::topology::COMMAND_KIND;

use super::output::Output;

const EXAMPLES: &str = "\
Examples:
  galewire components            all of them
  galewire components file       one, with its options";

/// The arguments of `galewire components`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ComponentsArguments {
    /// A kind, to see its options
    kind: Option<String>,
}

pub(super) fn run(
    arguments: &ComponentsArguments,
    registry: &Registry,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let all = || registry.kinds().filter(|kind| kind.name != COMMAND_KIND);
    let Some(wanted) = &arguments.kind else {
        output.result(&overview(all(), output.width()))?;
        return Ok(ExitCode::Success);
    };
    let found: Vec<&Kind> = all().filter(|kind| kind.name == wanted).collect();
    if found.is_empty() {
        let names: Vec<&str> = all().map(|kind| kind.name).collect();
        output.message(&format!(
            "galewire: there is no component `{wanted}`; there are {}\n",
            names.join(", ")
        ));
        return Ok(ExitCode::Usage);
    }
    for kind in found {
        output.result(&detail(kind, output.width()))?;
    }
    Ok(ExitCode::Success)
}

fn plain_table(width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table
}

fn overview<'k>(kinds: impl Iterator<Item = &'k Kind>, width: Option<u16>) -> String {
    let mut kinds: Vec<&Kind> = kinds.collect();
    kinds.sort_by_key(|kind| (kind.role.to_string() != "spout", kind.name));
    let mut table = plain_table(width);
    for kind in kinds {
        table.add_row([kind.role.to_string(), kind.name.to_owned(), kind.summary.to_owned()]);
    }
    let hint = "`galewire components KIND` shows the options of one; any program is a component \
                with `command`, `python` or `node`.";
    format!("{}\n\n{hint}\n", table.trim_fmt())
}

fn detail(kind: &Kind, width: Option<u16>) -> String {
    let schema = kind.schema().to_value();
    let mut table = plain_table(width);
    let required = schema.get("required").and_then(Value::as_array);
    let options = schema.get("properties").and_then(Value::as_object);
    for (name, option) in options.into_iter().flatten() {
        let is_required = required.is_some_and(|names| names.iter().any(|known| known == name));
        let default = match option.get("default") {
            _ if is_required => "required".to_owned(),
            None | Some(Value::Null) => "optional".to_owned(),
            Some(default) => format!("= {default}"),
        };
        let about = option.get("description").and_then(Value::as_str);
        table.add_row([
            format!("  {name}"),
            type_name(option, &schema),
            default,
            about.unwrap_or_default().replace('\n', " "),
        ]);
    }
    let head = format!("{} {}: {}", kind.role, kind.name, kind.summary);
    if table.is_empty() {
        return format!("{head}\n  no options\n");
    }
    format!("{head}\n{}\n", table.trim_fmt())
}

/// The type of an option in a word or two, as its schema has it.
fn type_name(schema: &Value, root: &Value) -> String {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let found = root.pointer(target.trim_start_matches('#'));
        return found.map_or_else(|| "any".to_owned(), |found| type_name(found, root));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return join(words.iter().filter(|word| !word.is_null()).map(Value::to_string));
    }
    if let Some(word) = schema.get("const") {
        return word.to_string();
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema.get(key).and_then(Value::as_array) {
            return join(parts.iter().map(|part| type_name(part, root)));
        }
    }
    match schema.get("type") {
        Some(Value::String(name)) if name == "array" => {
            let items = schema.get("items").map(|items| type_name(items, root));
            format!("list of {}", items.unwrap_or_else(|| "any".to_owned()))
        }
        Some(Value::String(name)) => plain(name).to_owned(),
        Some(Value::Array(names)) => join(names.iter().filter_map(Value::as_str).map(|name| {
            if name == "array" {
                let items = schema.get("items").map(|items| type_name(items, root));
                return format!("list of {}", items.unwrap_or_else(|| "any".to_owned()));
            }
            plain(name).to_owned()
        })),
        _ => "any".to_owned(),
    }
}

/// TOML's word for a type of JSON Schema; null is what is left out.
fn plain(name: &str) -> &str {
    match name {
        "object" => "table",
        "null" => "",
        name => name,
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.dedup();
    parts.join(" | ")
}
