//! Values of tuples as values of CEL, and back. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::objects::{Key, Map};

use crate::tuple::{RawJson, Value};

/// The value as CEL has it; JSON text is parsed.
pub(super) fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(flag) => cel::Value::Bool(*flag),
        Value::Int(number) => cel::Value::Int(*number),
        Value::Float(number) => cel::Value::Float(*number),
        Value::Str(text) => cel::Value::String(Arc::new(text.to_string())),
        Value::Json(_) => match value.parsed().as_ref() {
            // Deeper than the parser goes: the text itself.
            Value::Json(raw) => cel::Value::String(Arc::new(raw.as_str().to_owned())),
            parsed => to_cel(parsed),
        },
        Value::List(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (Key::String(Arc::new(key.to_string())), to_cel(value)));
            cel::Value::Map(Map { map: Arc::new(entries.collect::<HashMap<_, _>>()) })
        }
    }
}

/// The value of an expression as a tuple has it.
///
/// # Errors
/// It is of a kind that tuples do not have.
pub(super) fn from_cel(value: &cel::Value) -> Result<Value, String> {
    Ok(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(flag) => Value::Bool(*flag),
        cel::Value::Int(number) => Value::Int(*number),
        cel::Value::UInt(number) => i64::try_from(*number)
            .map_or_else(|_| Value::Json(RawJson::from_scanned(&number.to_string())), Value::Int),
        cel::Value::Float(number) => Value::Float(*number),
        cel::Value::String(text) => Value::from(text.as_str()),
        cel::Value::List(items) => {
            Value::List(items.iter().map(from_cel).collect::<Result<_, _>>()?)
        }
        cel::Value::Map(map) => {
            // Sorted, so that one result always has one form.
            let sorted: BTreeMap<_, _> =
                map.map.iter().map(|(key, value)| (key.to_string(), value)).collect();
            let entries = sorted.into_iter();
            let entries = entries.map(|(key, value)| Ok((key.into(), from_cel(value)?)));
            Value::Map(entries.collect::<Result<_, String>>()?)
        }
        other => return Err(format!("a {} cannot be emitted", other.type_of())),
    })
}
