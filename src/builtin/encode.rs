//! From a tuple's values to a line: text, JSON, CSV. It writes to memory alone.

use std::sync::Arc;

use crate::component::Context;
use crate::tuple::{Tuple, write_json_string};

use super::csv;
use super::decode::Format;

/// One input: what its tuples are known by, and its field names as JSON keys with their colons.
struct Keys {
    context_input: usize,
    keys: Vec<Vec<u8>>,
}

/// Writes tuples as lines.
pub(super) struct Encoder {
    format: Format,
    delimiter: u8,
    fields: Vec<String>,
    keys: Vec<Keys>,
    context: Arc<Context>,
}

impl Encoder {
    /// An encoder for the inputs of `context`.
    pub(super) fn new(format: Format, delimiter: u8, context: &Arc<Context>) -> Self {
        let keys = context.inputs.iter().enumerate().map(|(index, input)| Keys {
            context_input: index,
            keys: input.decl.fields.iter().map(|name| json_key(name)).collect(),
        });
        Self {
            format,
            delimiter,
            fields: context
                .inputs
                .first()
                .map(|input| input.decl.fields.clone())
                .unwrap_or_default(),
            keys: keys.collect(),
            context: Arc::clone(context),
        }
    }

    /// What stands before the first line of a file, if anything.
    pub(super) fn header(&self) -> Option<Vec<u8>> {
        (self.format == Format::Csv).then(|| {
            let mut out = Vec::new();
            let names = self.fields.iter().map(|name| name.as_str().into());
            csv::write_record(names, self.delimiter, &mut out);
            out
        })
    }

    /// Appends the tuple's line with its line break.
    #[inline]
    pub(super) fn encode(&self, tuple: &Tuple, out: &mut Vec<u8>) {
        match self.format {
            Format::Text => {
                for (index, value) in tuple.values.iter().enumerate() {
                    if index > 0 {
                        out.push(b'\t');
                    }
                    out.extend_from_slice(value.to_text().as_bytes());
                }
                out.push(b'\n');
            }
            Format::Json => self.encode_json(tuple, out),
            Format::Csv => {
                let texts = tuple.values.iter().map(|value| match value {
                    crate::tuple::Value::Null => "".into(),
                    value => value.to_text(),
                });
                csv::write_record(texts, self.delimiter, out);
            }
        }
    }

    fn encode_json(&self, tuple: &Tuple, out: &mut Vec<u8>) {
        let keys = self.keys_of(tuple);
        out.push(b'{');
        for (index, value) in tuple.values.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match keys.and_then(|keys| keys.get(index)) {
                Some(key) => out.extend_from_slice(key),
                None => out.extend_from_slice(&json_key(&format!("field{index}"))),
            }
            value.write_json(out);
        }
        out.extend_from_slice(b"}\n");
    }

    fn keys_of(&self, tuple: &Tuple) -> Option<&Vec<Vec<u8>>> {
        let found = match self.keys.as_slice() {
            [one] => Some(one),
            many => many.iter().find(|keys| {
                let input = &self.context.inputs[keys.context_input];
                input.stream == tuple.stream && input.tasks.contains(&tuple.source)
            }),
        };
        found.map(|keys| &keys.keys)
    }
}

fn json_key(name: &str) -> Vec<u8> {
    let mut key = Vec::new();
    write_json_string(name, &mut key);
    key.push(b':');
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::testing::{bolt_context, tuple};
    use crate::tuple::{RawJson, Value};

    fn lines(format: Format, values: &[Value]) -> String {
        let context = bolt_context(&[("source", &["name", "data"])]);
        let encoder = Encoder::new(format, b',', &context);
        let mut out = encoder.header().unwrap_or_default();
        encoder.encode(&tuple(values.iter().cloned()), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_format_writes_one_line_a_tuple() {
        let raw = Value::Json(RawJson::new("{\"k\": 1.0}").unwrap());
        let values = [Value::from("a \"b\""), raw];
        assert_eq!(lines(Format::Text, &values), "a \"b\"\t{\"k\": 1.0}\n");
        assert_eq!(
            lines(Format::Json, &values),
            "{\"name\":\"a \\\"b\\\"\",\"data\":{\"k\": 1.0}}\n"
        );
        assert_eq!(
            lines(Format::Csv, &values),
            "name,data\n\"a \"\"b\"\"\",\"{\"\"k\"\": 1.0}\"\n"
        );
    }
}
