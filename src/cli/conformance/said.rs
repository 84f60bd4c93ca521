//! What a child says, in one form: batch frames are taken apart into Storm's messages, and what may
//! be left out is filled in. A message that is not formed as the protocol says is refused. Pure.

use super::case::Framing;
use super::json::{Json, object};

/// The messages of a frame, in order.
///
/// # Errors
/// What is wrong with the frame, to stand behind "the child".
pub(super) fn messages(frame: &str, framing: Framing) -> Result<Vec<Json>, String> {
    let parsed = Json::parse(frame)
        .map_err(|error| format!("sent a frame that is no JSON ({error}): {}", short(frame)))?;
    let elements = match parsed {
        Json::List(elements) if framing == Framing::Batch => elements,
        Json::List(_) => {
            return Err(format!(
                "sent a list although no batch frames were offered: {}",
                short(frame)
            ));
        }
        one => vec![one],
    };
    let mut messages = Vec::new();
    for element in &elements {
        if element.kind() != "object" {
            return Err(format!(
                "sent a frame with something in it that is no object: {}",
                short(frame)
            ));
        }
        message(element, framing, &mut messages)
            .map_err(|wrong| format!("{wrong}: {}", short(&element.show())))?;
    }
    Ok(messages)
}

fn message(element: &Json, framing: Framing, out: &mut Vec<Json>) -> Result<(), String> {
    if let Some(command) = element.get("command") {
        let command = command.as_text().ok_or("sent a `command` that is no string")?;
        out.push(storm(&command, element)?);
        return Ok(());
    }
    if let Some(pid) = element.get("pid") {
        pid.as_int().ok_or("sent a `pid` that is no whole number")?;
        out.push(with(element, "command", Json::string("hello")));
        return Ok(());
    }
    if framing == Framing::Storm {
        return Err("sent a message without `command`".to_owned());
    }
    batch(element, out)
}

fn batch(element: &Json, out: &mut Vec<Json>) -> Result<(), String> {
    if let Some(first) = element.get("done") {
        let first = first.as_int().ok_or("sent a `done` that is no whole number")?;
        return done(first, element, out);
    }
    if let Some(input) = element.get("emit") {
        let input = input.as_int().ok_or("sent an `emit` that is no whole number")?;
        let stream = element.text_of("stream");
        for tuple in list(element, "tuples")? {
            out.push(emitted(input, tuple, stream.as_deref())?);
        }
        return Ok(());
    }
    if element.get("messages").is_some() {
        for message in list(element, "messages")? {
            let Some([id, values @ Json::List(_)]) = message.as_list() else {
                return Err(
                    "sent `messages` with something in it that is no [ID, [values]]".to_owned()
                );
            };
            out.push(object([
                ("command", Json::string("emit")),
                ("tuple", values.clone()),
                ("stream", Json::string("default")),
                ("id", id.clone()),
                ("need_task_ids", Json::Leaf("false".to_owned())),
            ]));
        }
        return Ok(());
    }
    Err("sent a message that is none of the protocol's".to_owned())
}

fn done(first: i64, element: &Json, out: &mut Vec<Json>) -> Result<(), String> {
    let none = Json::List(Vec::new());
    let counted: Vec<Json>;
    let inputs = if element.get("emits").is_some() {
        list(element, "emits")?
    } else {
        let count = element.get("count").map_or(Some(1), Json::as_int);
        let count = count.filter(|count| (0..1_000_000).contains(count));
        counted = vec![none; count.ok_or("sent a `count` that is no number of inputs")? as usize];
        &counted
    };
    for (id, emits) in (first..).zip(inputs) {
        for tuple in emits.as_list().ok_or("sent `emits` with something in it that is no list")? {
            out.push(emitted(id, tuple, None)?);
        }
        out.push(object([("command", Json::string("ack")), ("id", Json::string(&id.to_string()))]));
    }
    Ok(())
}

fn emitted(input: i64, tuple: &Json, stream: Option<&str>) -> Result<Json, String> {
    tuple.as_list().ok_or("emitted what is no list of values")?;
    Ok(object([
        ("command", Json::string("emit")),
        ("tuple", tuple.clone()),
        ("stream", Json::string(stream.unwrap_or("default"))),
        ("anchors", Json::List(vec![Json::string(&input.to_string())])),
        ("need_task_ids", Json::Leaf("false".to_owned())),
    ]))
}

fn storm(command: &str, element: &Json) -> Result<Json, String> {
    let text = |key: &str| {
        let value = element.get(key).and_then(Json::as_text);
        value.ok_or_else(|| format!("sent `{command}` without a string `{key}`"))
    };
    match command {
        "emit" => emit(element),
        "ack" | "fail" | "reset_timeout" | "drained" | "ended" => {
            text("id")?;
            Ok(element.clone())
        }
        "sync" | "exhausted" | "started" => Ok(element.clone()),
        "error" => text("msg").map(|_| element.clone()),
        "log" => {
            text("msg")?;
            let level = element.get("level").cloned().unwrap_or_else(|| Json::number(2));
            if !level.as_int().is_some_and(|level| (0..=4).contains(&level)) {
                return Err("sent `log` with a `level` that is none of 0 to 4".to_owned());
            }
            Ok(with(element, "level", level))
        }
        "metrics" => text("name").map(|_| element.clone()),
        _ => Err("sent a command that there is not".to_owned()),
    }
}

fn emit(element: &Json) -> Result<Json, String> {
    let tuple = element.get("tuple").ok_or("sent `emit` without `tuple`")?;
    let tuple = match tuple {
        Json::List(_) => tuple.clone(),
        scalar => Json::List(vec![scalar.clone()]),
    };
    let anchors = match element.get("anchors") {
        Some(Json::List(anchors)) => anchors.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    if anchors.iter().any(|anchor| anchor.as_text().is_none()) {
        return Err("sent `emit` with an anchor that is no string".to_owned());
    }
    let stream = element.text_of("stream").unwrap_or_else(|| "default".to_owned());
    let asks = element.get("need_task_ids").is_none_or(|need| need.show() != "false");
    let task = element.get("task").filter(|task| task.as_int() != Some(0));
    Ok(object([
        ("command", Json::string("emit")),
        ("tuple", tuple),
        ("stream", Json::string(&stream)),
        ("anchors", Json::List(anchors)),
        ("task", task.cloned().unwrap_or_else(Json::null)),
        ("id", element.get("id").cloned().unwrap_or_else(Json::null)),
        ("need_task_ids", Json::Leaf(asks.to_string())),
    ]))
}

fn list<'a>(element: &'a Json, key: &str) -> Result<&'a [Json], String> {
    let found = element.get(key).and_then(Json::as_list);
    found.ok_or_else(|| format!("sent `{key}` that is no list"))
}

/// The object with one key set.
fn with(element: &Json, key: &str, value: Json) -> Json {
    let Json::Map(entries) = element else { return element.clone() };
    let mut entries = entries.clone();
    entries.retain(|(name, _)| name != key);
    entries.insert(0, (key.to_owned(), value));
    Json::Map(entries)
}

/// The beginning of a text.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 400;
    let kept: String = text.chars().take(MOST).collect();
    if kept.len() < text.len() { format!("{kept}… ({} bytes)", text.len()) } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(frame: &str) -> Vec<String> {
        messages(frame, Framing::Batch).unwrap().iter().map(Json::show).collect()
    }

    #[test]
    fn batch_forms_are_storms_messages() {
        let frame = r#"[{"done":7,"emits":[[["a"]],[]]},{"emit":9,"tuples":[["b"]],"stream":"s"}]"#;
        let all = shown(frame);
        assert_eq!(all.len(), 4);
        assert!(all[0].contains(r#""tuple":["a"],"stream":"default","anchors":["7"]"#), "{all:?}");
        assert_eq!(all[1..3], [r#"{"command":"ack","id":"7"}"#, r#"{"command":"ack","id":"8"}"#]);
        assert!(all[3].contains(r#""stream":"s","anchors":["9"]"#), "{all:?}");
        assert_eq!(shown(r#"{"done":1,"count":2}"#).len(), 2);
        assert!(shown(r#"{"messages":[[0,["x"]]]}"#)[0].contains(r#""id":0"#));
    }

    #[test]
    fn what_may_be_left_out_is_filled_in() {
        let all = shown(r#"{"command":"emit","tuple":"a","anchors":"1","task":0}"#);
        let expected = r#"{"command":"emit","tuple":["a"],"stream":"default","anchors":["1"],"task":null,"id":null,"need_task_ids":true}"#;
        assert_eq!(all, [expected]);
    }

    #[test]
    fn malformed_messages_are_refused_with_a_reason() {
        for (frame, wrong) in [
            ("{\"command\"", "no JSON"),
            ("[1]", "no object"),
            (r#"{"command":"ack","id":7}"#, "string `id`"),
            (r#"{"command":"dance"}"#, "there is not"),
            (r#"{"command":"log","msg":"a","level":9}"#, "0 to 4"),
            (r#"{"a":1}"#, "none of the protocol's"),
            (r#"{"done":"x"}"#, "whole number"),
            (r#"{"pid":"x"}"#, "whole number"),
            (r#"{"command":"emit","tuple":[],"anchors":[1]}"#, "no string"),
        ] {
            let error = messages(frame, Framing::Batch).unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
        let error = messages(r#"[{"command":"sync"}]"#, Framing::Storm).unwrap_err();
        assert!(error.contains("no batch frames were offered"), "{error}");
    }
}
