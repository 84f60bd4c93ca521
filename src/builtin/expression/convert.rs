//! Values of tuples as values of CEL, and back. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::objects::{Key, Map};

use crate::tuple::{RawJson, Value};

/// What is nested deeper than this stays text.
const DEEPEST: usize = 128;

/// The value as CEL has it; JSON text is parsed.
pub(super) fn to_cel(value: &Value) -> cel::Value {
    convert(value, 0)
}

fn convert(value: &Value, depth: usize) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(flag) => cel::Value::Bool(*flag),
        Value::Int(number) => cel::Value::Int(*number),
        Value::Float(number) => cel::Value::Float(*number),
        Value::Str(text) => cel::Value::String(Arc::new(text.to_string())),
        Value::Json(raw) if depth >= DEEPEST => {
            cel::Value::String(Arc::new(raw.as_str().to_owned()))
        }
        Value::Json(_) => match value.parsed().as_ref() {
            // A number that nothing holds.
            Value::Json(raw) => cel::Value::String(Arc::new(raw.as_str().to_owned())),
            parsed => convert(parsed, depth),
        },
        Value::List(items) => {
            let items = items.iter().map(|item| convert(item, depth + 1));
            cel::Value::List(Arc::new(items.collect()))
        }
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                (Key::String(Arc::new(key.to_string())), convert(value, depth + 1))
            });
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
            Value::Map(Box::new(entries.collect::<Result<_, String>>()?))
        }
        other => return Err(format!("a {} cannot be emitted", other.type_of())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_deep_stays_text_in_its_depth() {
        let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let mut value = to_cel(&Value::Json(RawJson::from_scanned(&text)));
        let mut depth = 0;
        while let cel::Value::List(items) = &value {
            let inner = items[0].clone();
            value = inner;
            depth += 1;
        }
        assert_eq!(depth, DEEPEST);
        assert!(matches!(value, cel::Value::String(_)));
    }
}
