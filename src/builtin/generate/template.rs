//! Text with placeholders: `"user-{counter}-{choose:a|b}"`.
//!
//! `{counter}` (from 0) or `{counter:START:STEP}`; `{choose:a|b}` draws, `{cycle:a|b}` goes round;
//! `{random:1..6}` draws an integer with both ends, `{random:0.0..1.0}` a float below the upper
//! one; `{time:ms}` (or `us`, `ns`) is the intended emit time. `{{` and `}}` are braces. Pure.

use crate::tuple::{Text, Value};

use super::field::{Field, Message, TimeUnit};

/// A template that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Plain(Text),
    Made(Field),
}

/// The placeholders, for people.
pub(super) const FORMS: &str = "placeholders are {counter}, {counter:START:STEP}, {choose:a|b}, {cycle:a|b}, \
                     {random:MIN..MAX} and {time:ms}; a brace is written twice";

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at character {at}")]
pub(super) struct TemplateError {
    what: String,
    /// Counted from 1.
    at: usize,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// An unknown placeholder or a lone brace, with its place.
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut plain = Text::default();
        let mut rest = text;
        while let Some(place) = rest.find(['{', '}']) {
            plain.push_str(&rest[..place]);
            let at = text[..text.len() - rest.len() + place].chars().count() + 1;
            let error = |what: String| TemplateError { what, at };
            let brace = &rest[place..=place];
            let behind = &rest[place + 1..];
            if let Some(behind) = behind.strip_prefix(brace) {
                plain.push_str(brace);
                rest = behind;
                continue;
            }
            let inner = (brace == "{").then(|| behind.split_once('}')).flatten();
            let Some((inner, behind)) = inner else {
                return Err(error(format!("lone `{brace}`")));
            };
            if !plain.is_empty() {
                parts.push(Part::Plain(std::mem::take(&mut plain)));
            }
            let made = placeholder(inner)
                .ok_or_else(|| error(format!("unknown placeholder `{{{inner}}}`")))?;
            parts.push(Part::Made(made));
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        Ok(Self { parts })
    }

    /// The text for one message.
    pub(super) fn fill(&self, message: &Message, place: u64) -> Text {
        let mut out = Text::default();
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Plain(text) => out.push_str(text),
                Part::Made(field) => field.write(message, place << 16 | index as u64, &mut out),
            }
        }
        out
    }

    /// Whether a placeholder asks for the message's time.
    pub(super) fn needs_time(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Made(Field::EmitTime(_))))
    }
}

fn placeholder(inner: &str) -> Option<Field> {
    let (name, argument) = match inner.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (inner, None),
    };
    match (name, argument) {
        ("counter", None) => Some(Field::Counter { start: 0, step: 1 }),
        ("counter", Some(argument)) => {
            let (start, step) = argument.split_once(':').unwrap_or((argument, "1"));
            Some(Field::Counter { start: start.parse().ok()?, step: step.parse().ok()? })
        }
        ("choose", Some(argument)) => Some(Field::Choose(alternatives(argument))),
        ("cycle", Some(argument)) => Some(Field::Cycle(alternatives(argument))),
        ("random", Some(argument)) => {
            let (min, max) = argument.split_once("..")?;
            if let (Ok(min), Ok(max)) = (min.parse(), max.parse()) {
                return (min <= max).then_some(Field::Ints { min, max });
            }
            let (min, max) = (min.parse::<f64>().ok()?, max.parse::<f64>().ok()?);
            let fine = min <= max && (max - min).is_finite();
            fine.then_some(Field::Floats { min, max })
        }
        ("time", Some(unit)) => Some(Field::EmitTime(match unit {
            "ms" => TimeUnit::Millis,
            "us" => TimeUnit::Micros,
            "ns" => TimeUnit::Nanos,
            _ => return None,
        })),
        _ => None,
    }
}

fn alternatives(argument: &str) -> Vec<Value> {
    argument.split('|').map(Value::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, number: u64) -> String {
        let message = Message { number, seed: 0, time: 5_000_000 };
        Template::parse(text).unwrap().fill(&message, 0).to_string()
    }

    #[test]
    fn placeholders_are_filled_and_doubled_braces_are_braces() {
        assert_eq!(fill("user-{counter}-{cycle:a|b}", 3), "user-3-b");
        assert_eq!(fill("{{{counter:10:5}}}é", 2), "{20}é");
        assert_eq!(fill("{time:ms} {random:7..7} {random:0.5..0.5}", 0), "5 7 0.5");
        assert!(["x", "y"].contains(&fill("{choose:x|y}", 9).as_str()));
        assert_eq!(fill("", 0), "");
    }

    #[test]
    fn errors_name_the_character() {
        let error = |text: &str| Template::parse(text).unwrap_err().to_string();
        assert_eq!(error("é{nope}"), "unknown placeholder `{nope}` at character 2");
        assert_eq!(error("a{counter"), "lone `{` at character 2");
        assert_eq!(error("a}b"), "lone `}` at character 2");
        assert_eq!(error("{random:2..1}"), "unknown placeholder `{random:2..1}` at character 1");
    }
}
