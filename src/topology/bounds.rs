//! What a component's program may take of the machine, and which variables it inherits, as written.
//!
//! Rules have checked what is read here.

use serde_json::{Value, json};

use crate::base::{ByteSize, show_duration};

use super::node::Table;
use super::shape::Key;

/// The option `limits` of the kind `command`.
pub(crate) fn limits(table: &Table) -> Value {
    let Some(limits) = table.table("limits") else {
        return json!({});
    };
    json!({
        "memory": limits.size("memory").map(|ByteSize(bytes)| bytes),
        "cpu": limits.duration("cpu").map(|span| span.as_secs()),
        "files": limits.number("files"),
    })
}

/// The option `env_inherit` of the kind `command`.
pub(crate) fn env_inherit(table: &Table) -> Option<Vec<String>> {
    let names = table.texts("env_inherit")?;
    Some(names.into_iter().map(|name| name.value).collect())
}

/// Both, for people; nothing where the file says nothing.
pub(crate) fn shown(table: &Table) -> Vec<String> {
    let limits = table.table("limits");
    let limit = |key: &str| {
        let limits = limits?;
        let value = match key {
            "memory" => limits.size(key)?.to_string(),
            "cpu" => show_duration(limits.duration(key)?),
            _ => limits.number(key)?.to_string(),
        };
        Some(format!("{key} {value}"))
    };
    let parts: Vec<String> =
        super::keys::LIMITS.iter().filter_map(|key: &Key| limit(key.name)).collect();
    let limits = (!parts.is_empty()).then(|| format!("limits: {}", parts.join(", ")));
    let inherits = env_inherit(table).map(|names| match names.as_slice() {
        [] => "inherits PATH and the locale".to_owned(),
        names => format!("inherits PATH, the locale, {}", names.join(", ")),
    });
    limits.into_iter().chain(inherits).collect()
}
