//! Values as JSON for people and files: UTF-8 as it is, and what came as JSON byte for byte.
//!
//! The form between processes is another one, in ASCII; nothing here is sent.

use std::borrow::Cow;

use crate::tuple::Value;

/// Appends a value as JSON on one line.
pub(super) fn write_json(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Str(text) => json_string(text, out),
        Value::Json(raw) => {
            let start = out.len();
            out.extend_from_slice(raw.as_str().as_bytes());
            // Strings hold no bare line break, so one that is there stands between values.
            for byte in &mut out[start..] {
                if matches!(byte, b'\n' | b'\r') {
                    *byte = b' ';
                }
            }
        }
        Value::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json(item, out);
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            out.push(b'{');
            for (index, (key, item)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json_string(key, out);
                out.push(b':');
                write_json(item, out);
            }
            out.push(b'}');
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => value.write_json(out),
    }
}

/// The value as text: strings bare, everything else as JSON.
pub(super) fn plain_text(value: &Value) -> Cow<'_, str> {
    value.as_str().unwrap_or_else(|| {
        let mut out = Vec::new();
        write_json(value, &mut out);
        Cow::Owned(String::from_utf8(out).expect("JSON is made of text"))
    })
}

/// Appends text as a JSON string.
pub(super) fn json_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tuple::parse_value;

    #[test]
    fn json_stays_as_it_came_but_for_line_breaks() {
        let text = "{\"é\":\n[1.0, \"\\u00e9\", 1e400]}";
        let value = Value::from_scanned_json(text);
        assert_eq!(plain_text(&value), text.replace('\n', " "));
        let list = Value::List(vec![Value::from("é"), Value::Int(1)]);
        assert_eq!(plain_text(&list), "[\"é\",1]");
        assert_eq!(plain_text(&Value::from("é")), "é");
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text in any::<String>()) {
            let mut json = Vec::new();
            json_string(&text, &mut json);
            let json = String::from_utf8(json).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.clone());
            prop_assert_eq!(parse_value(&json), Value::from(text));
        }
    }
}
