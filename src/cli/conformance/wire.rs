//! What the engine says, as it goes over the wire in either framing. Pure.

use serde_json::{Map, Value};

use super::case::Framing;
use super::json::{Json, object};

/// The component and task that tuples come from.
pub(super) const SOURCE: (&str, i64) = ("source", 1);
/// Tuples in one batch frame, as offered in the handshake.
const MAX_TUPLES: usize = 500;
/// Storm's ids are random 64-bit numbers as text, which no 64-bit float holds.
const STORM_IDS: u64 = 6_955_786_537_413_350_000;
/// Ids of batch framing are consecutive.
const BATCH_IDS: u64 = 1000;

/// The id of tuple `number`, counted from 1.
pub(super) fn tuple_id(framing: Framing, number: usize) -> String {
    let base = if framing == Framing::Batch { BATCH_IDS } else { STORM_IDS };
    (base + number as u64).to_string()
}

/// Tuples, the first of which has `number`: messages, in order.
pub(super) fn tuples(
    framing: Framing,
    stream: &str,
    number: usize,
    rows: &[Json],
    extra: &Map<String, Value>,
) -> Vec<Json> {
    let source = [
        ("comp", Json::string(SOURCE.0)),
        ("stream", Json::string(stream)),
        ("task", Json::number(SOURCE.1)),
    ];
    let message = |id: (&str, Json), values: (&str, Json)| {
        let [comp, stream, task] = source.clone();
        with_extra(object([id, comp, stream, task, values]), extra)
    };
    if framing == Framing::Storm {
        let numbered = rows.iter().zip(number..);
        let id = |number| Json::string(&tuple_id(framing, number));
        return numbered
            .map(|(row, number)| message(("id", id(number)), ("tuple", row.clone())))
            .collect();
    }
    let parts = rows.chunks(MAX_TUPLES).zip((number..).step_by(MAX_TUPLES));
    parts
        .map(|(rows, number)| {
            let first = Json::Leaf(tuple_id(framing, number));
            let [comp, stream, task] = source.clone();
            let tuples = ("tuples", Json::List(rows.to_vec()));
            with_extra(object([comp, stream, task, ("first", first), tuples]), extra)
        })
        .collect()
}

pub(super) fn heartbeat(id: &str) -> Json {
    own(id, Json::null(), "__heartbeat", Vec::new())
}

pub(super) fn tick(id: &str, seconds: Json) -> Json {
    own(id, Json::string("__system"), "__tick", vec![seconds])
}

fn own(id: &str, component: Json, stream: &str, values: Vec<Json>) -> Json {
    object([
        ("id", Json::string(id)),
        ("comp", component),
        ("stream", Json::string(stream)),
        ("task", Json::number(-1)),
        ("tuple", Json::List(values)),
    ])
}

/// A command with an id.
pub(super) fn command(word: &str, id: Json) -> Json {
    object([("command", Json::string(word)), ("id", id)])
}

/// `next` of batch framing.
pub(super) fn next(most: u32) -> Json {
    object([("command", Json::string("next")), ("max", Json::number(i64::from(most)))])
}

/// `ack` or `fail` of batch framing.
pub(super) fn settled(word: &str, ids: Vec<Json>) -> Json {
    object([("command", Json::string(word)), ("ids", Json::List(ids))])
}

/// The answer to an emit that asks.
pub(super) fn task_ids(framing: Framing, ids: &[i64]) -> Json {
    let ids = Json::List(ids.iter().map(|id| Json::number(*id)).collect());
    match framing {
        Framing::Storm => ids,
        Framing::Batch => object([("command", Json::string("task_ids")), ("ids", ids)]),
    }
}

/// Messages as frames: one each, or all in one.
pub(super) fn frames(framing: Framing, messages: Vec<Json>) -> Vec<String> {
    let holds_tuples = |message: &Json| message.get("tuples").is_some();
    let packed = messages.len() > 1 || messages.iter().any(holds_tuples);
    match framing {
        // A frame of one object needs no list, and both ways have to be understood.
        Framing::Batch if packed => vec![Json::List(messages).show()],
        _ => messages.iter().map(Json::show).collect(),
    }
}

fn with_extra(message: Json, extra: &Map<String, Value>) -> Json {
    let Json::Map(mut entries) = message else { return message };
    let extra = extra.iter().map(|(key, value)| (key.clone(), Json::Leaf(value.to_string())));
    entries.extend(extra);
    Json::Map(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn tuples_look_as_the_protocol_says() {
        let rows = [row("[\"a b\"]"), row("[\"c\"]")];
        let batch = tuples(Framing::Batch, "default", 1, &rows, &Map::new());
        assert_eq!(
            frames(Framing::Batch, batch),
            [
                r#"[{"comp":"source","stream":"default","task":1,"first":1001,"tuples":[["a b"],["c"]]}]"#
            ]
        );
        let storm = tuples(Framing::Storm, "default", 2, &rows[..1], &Map::new());
        assert_eq!(
            frames(Framing::Storm, storm),
            [
                r#"{"id":"6955786537413350002","comp":"source","stream":"default","task":1,"tuple":["a b"]}"#
            ]
        );
    }

    #[test]
    fn a_frame_has_no_more_tuples_than_were_offered() {
        let rows = vec![row("[1]"); 600];
        let parts = tuples(Framing::Batch, "default", 1, &rows, &Map::new());
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[1].get("first").and_then(Json::as_int), Some(1501));
    }

    #[test]
    fn task_ids_have_a_form_for_each_framing() {
        assert_eq!(task_ids(Framing::Storm, &[3, 4]).show(), "[3,4]");
        assert_eq!(task_ids(Framing::Batch, &[]).show(), r#"{"command":"task_ids","ids":[]}"#);
    }
}
