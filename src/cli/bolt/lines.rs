//! From a line of JSON to a tuple of one of the component's inputs. Pure; values keep their bytes.

use std::borrow::Cow;

use crate::base::TaskId;
use crate::component::Input;
use crate::tuple::{JsonError, Scanner, Tuple, Value, Values};

/// Chooses the emitting component.
const COMPONENT: &str = "$component";
/// Chooses its stream.
const STREAM: &str = "$stream";

/// An object's keys and values, in order.
type Fields<'a> = Vec<(Cow<'a, str>, Value)>;

/// Reads a line; nothing where it is blank.
///
/// # Errors
/// Why it is no tuple of these inputs.
pub(super) fn read(line: &str, inputs: &[Input]) -> Result<Option<Tuple>, String> {
    let mut scanner = Scanner::new(line);
    match scanner.peek() {
        None => Ok(None),
        Some(b'[') => {
            let values = array(&mut scanner).map_err(|error| error.to_string())?;
            let input = choose(inputs, None, None)?;
            let fields = &input.decl.fields;
            if values.len() != fields.len() {
                return Err(format!(
                    "there are {} fields ({}), but {} values",
                    fields.len(),
                    fields.join(", "),
                    values.len()
                ));
            }
            Ok(Some(tuple(input, values)))
        }
        Some(b'{') => {
            let fields = object(&mut scanner).map_err(|error| error.to_string())?;
            from_fields(fields, inputs).map(Some)
        }
        Some(_) => Err("a tuple is an object or an array".to_owned()),
    }
}

fn array(scanner: &mut Scanner<'_>) -> Result<Values, JsonError> {
    let mut values = Values::new();
    scanner.expect(b'[', "an array")?;
    if !scanner.take(b']') {
        loop {
            let span = scanner.skip_value()?;
            values.push(Value::from_scanned_json(scanner.slice(span)));
            if !scanner.more(b']')? {
                break;
            }
        }
    }
    scanner.finish()?;
    Ok(values)
}

fn object<'a>(scanner: &mut Scanner<'a>) -> Result<Fields<'a>, JsonError> {
    let mut fields = Vec::new();
    scanner.expect(b'{', "an object")?;
    if !scanner.take(b'}') {
        loop {
            let key = scanner.key()?;
            let span = scanner.skip_value()?;
            fields.push((key, Value::from_scanned_json(scanner.slice(span))));
            if !scanner.more(b'}')? {
                break;
            }
        }
    }
    scanner.finish()?;
    Ok(fields)
}

fn from_fields(mut fields: Fields<'_>, inputs: &[Input]) -> Result<Tuple, String> {
    let mut take = |name: &str| {
        let place = fields.iter().rposition(|(key, _)| key == name)?;
        Some(fields.remove(place).1)
    };
    let (component, stream) = (take(COMPONENT), take(STREAM));
    let text = |value: &Option<Value>| value.as_ref().map(|value| value.to_text().into_owned());
    let input = choose(inputs, text(&component).as_deref(), text(&stream).as_deref())?;
    let all = || format!("the fields of {} are {}", name(input), input.decl.fields.join(", "));
    let mut values = Values::new();
    for field in &input.decl.fields {
        let found = take(field);
        values.push(found.ok_or_else(|| format!("`{field}` is missing; {}", all()))?);
    }
    match fields.first() {
        Some((key, _)) => Err(format!("there is no field `{key}`; {}", all())),
        None => Ok(tuple(input, values)),
    }
}

fn choose<'i>(
    inputs: &'i [Input],
    component: Option<&str>,
    stream: Option<&str>,
) -> Result<&'i Input, String> {
    let found = inputs.iter().find(|input| {
        component.is_none_or(|name| input.component == name)
            && stream.is_none_or(|name| input.decl.name == name)
    });
    found.ok_or_else(|| {
        let all: Vec<String> = inputs.iter().map(name).collect();
        let wanted = [component, stream].into_iter().flatten().collect::<Vec<_>>().join(".");
        format!("there is no input {wanted}; inputs are {}", all.join(", "))
    })
}

fn name(input: &Input) -> String {
    format!("{}.{}", input.component, input.decl.name)
}

fn tuple(input: &Input, values: Values) -> Tuple {
    let source = input.tasks.first().copied().unwrap_or(TaskId(0));
    Tuple::new(source, input.stream, values)
}

#[cfg(test)]
mod tests {
    use crate::base::StreamIdx;
    use crate::component::StreamDecl;

    use super::*;

    fn inputs() -> Vec<Input> {
        let input = |task: u32, stream: u16, name: &str, fields: &[&str]| Input {
            component: "lines".to_owned(),
            tasks: vec![TaskId(task)],
            stream: StreamIdx(stream),
            decl: StreamDecl {
                name: name.to_owned(),
                fields: fields.iter().map(ToString::to_string).collect(),
                direct: false,
            },
            grouping: "SHUFFLE",
            grouping_fields: Vec::new(),
        };
        vec![input(1, 0, "default", &["word", "count"]), input(1, 1, "errors", &["text"])]
    }

    fn shown(line: &str) -> Result<String, String> {
        let tuple = read(line, &inputs())?.ok_or("blank")?;
        let values: Vec<_> = tuple.values.iter().map(Value::to_json).collect();
        Ok(format!("{} {}", tuple.stream, values.join(",")))
    }

    #[test]
    fn arrays_and_objects_are_tuples() {
        assert_eq!(shown("[\"a\", 1.0]\n").unwrap(), "0 \"a\",1.0");
        assert_eq!(shown(r#"{"count": 1e400, "word": "a"}"#).unwrap(), "0 \"a\",1e400");
        assert_eq!(shown(r#"{"$stream": "errors", "text": null}"#).unwrap(), "1 null");
        assert_eq!(read(" \n", &inputs()), Ok(None));
    }

    #[test]
    fn what_is_no_tuple_says_why() {
        for (line, why) in [
            ("[1]", "there are 2 fields (word, count), but 1 values"),
            (r#"{"word": 1}"#, "`count` is missing; the fields of lines.default are word, count"),
            (
                r#"{"$stream": "errors", "text": 1, "x": 2}"#,
                "there is no field `x`; the fields of lines.errors are text",
            ),
            (
                r#"{"$component": "other", "text": 1}"#,
                "there is no input other; inputs are lines.default, lines.errors",
            ),
            ("7", "a tuple is an object or an array"),
            ("[1", "expected a comma or a closing bracket at byte 2"),
        ] {
            assert_eq!(shown(line).unwrap_err(), why);
        }
    }
}
