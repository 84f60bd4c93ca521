//! What a step waits for, and how parts of a metric come together. Pure.

use std::collections::VecDeque;

use super::case::Step;
use super::json::Json;
use super::pattern::numbered;

/// Patterns that wait for their messages.
#[derive(Debug)]
pub(super) struct Expected {
    /// Tuples, acks, syncs: in order, or in any.
    pub(super) told: VecDeque<Json>,
    /// Logs, errors, metrics: their place does not matter.
    pub(super) notes: Vec<Json>,
}

impl Expected {
    /// The patterns of a step, as often as it says.
    pub(super) fn of(patterns: &[Json], step: &Step) -> Self {
        let mut left = Self { told: VecDeque::new(), notes: Vec::new() };
        for number in step.from..step.from + step.times {
            for pattern in patterns {
                let pattern = complete(numbered(pattern, number));
                let command = pattern.text_of("command").unwrap_or_default();
                if matches!(command.as_str(), "log" | "error" | "metrics" | "hello") {
                    left.notes.push(pattern);
                } else {
                    left.told.push_back(pattern);
                }
            }
        }
        left
    }
}

/// An emit without a stream is one on the default stream, and one without a task is not direct.
fn complete(pattern: Json) -> Json {
    let Json::Map(mut entries) = pattern else { return pattern };
    let has = |entries: &[(String, Json)], key| entries.iter().any(|(name, _)| name == key);
    if entries.contains(&("command".to_owned(), Json::string("emit"))) {
        for (key, value) in [("stream", Json::string("default")), ("task", Json::null())] {
            if !has(&entries, key) {
                entries.push((key.to_owned(), value));
            }
        }
    }
    Json::Map(entries)
}

/// Two parts of one metric.
pub(super) fn merged(old: &Json, new: &Json) -> Option<Json> {
    let kind = new.text_of("type").filter(|kind| old.text_of("type").as_ref() == Some(kind))?;
    let entries = |key: &str, value| {
        let entries = [("type".to_owned(), Json::string(&kind)), (key.to_owned(), value)];
        Some(Json::Map(entries.to_vec()))
    };
    match kind.as_str() {
        "counter" => {
            let sum = old.get("add")?.as_number()? + new.get("add")?.as_number()?;
            entries("add", Json::Leaf(sum.to_string()))
        }
        "gauge" => Some(new.clone()),
        "histogram" => {
            let values = [old.get("values")?.as_list()?, new.get("values")?.as_list()?].concat();
            entries("values", Json::List(values))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn an_emit_is_on_the_default_stream_unless_its_pattern_says_otherwise() {
        let whole = complete(json(r#"{"command":"emit","tuple":[1]}"#)).show();
        assert_eq!(whole, r#"{"command":"emit","tuple":[1],"stream":"default","task":null}"#);
        let named = r#"{"command":"emit","stream":"s","task":3}"#;
        assert_eq!(complete(json(named)).show(), named);
        assert_eq!(complete(json(r#"{"command":"sync"}"#)).show(), r#"{"command":"sync"}"#);
    }

    #[test]
    fn parts_of_a_metric_come_together() {
        let both = |old: &str, new: &str| Some(merged(&json(old), &json(new))?.show());
        assert_eq!(
            both(r#"{"type":"counter","add":1}"#, r#"{"type":"counter","add":2}"#).unwrap(),
            r#"{"type":"counter","add":3}"#
        );
        assert_eq!(
            both(r#"{"type":"gauge","value":1}"#, r#"{"type":"gauge","value":7}"#).unwrap(),
            r#"{"type":"gauge","value":7}"#
        );
        assert_eq!(
            both(r#"{"type":"histogram","values":[1]}"#, r#"{"type":"histogram","values":[2]}"#)
                .unwrap(),
            r#"{"type":"histogram","values":[1,2]}"#
        );
        assert_eq!(both(r#"{"type":"counter","add":1}"#, r#"{"type":"gauge","value":7}"#), None);
    }
}
