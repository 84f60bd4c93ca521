//! What the built-in bolts ask of their inputs' fields. Pure: it looks at declarations only.

use crate::component::{ComponentError, Declaring, EmitError, InputDecl, OptionProblem};

/// The component error for an emission that was refused: the plan and the component disagree.
pub(super) fn refused(error: EmitError) -> ComponentError {
    ComponentError::give_up(error.to_string())
}

/// The component error for options that `declare` would have refused.
pub(super) fn bad_options(problems: Vec<OptionProblem>) -> ComponentError {
    let messages: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
    ComponentError::give_up(messages.join("; "))
}

/// A problem for each input that has no field of that name.
pub(super) fn missing_field(
    inputs: &[InputDecl],
    field: &str,
    problem: impl Fn(String) -> OptionProblem,
) -> Vec<OptionProblem> {
    inputs
        .iter()
        .filter(|input| !input.fields.iter().any(|name| name == field))
        .map(|input| {
            let message = format!("input \"{}\" has no field \"{field}\"", stream_name(input));
            problem(message).with_help(suggest(field, &input.fields))
        })
        .collect()
}

/// The fields that all inputs have in the same order.
///
/// # Errors
/// Two inputs with different fields, or no input at all.
pub(super) fn same_fields(declaring: &Declaring) -> Result<Vec<String>, String> {
    let Some((first, rest)) = declaring.inputs.split_first() else {
        return Ok(Vec::new());
    };
    match rest.iter().find(|input| input.fields != first.fields) {
        None => Ok(first.fields.clone()),
        Some(other) => Err(format!(
            "inputs have different fields: \"{}\" has {}, \"{}\" has {}",
            stream_name(first),
            first.fields.join(", "),
            stream_name(other),
            other.fields.join(", "),
        )),
    }
}

/// `component`, or `component.stream` for a named stream.
pub(super) fn stream_name(input: &InputDecl) -> String {
    if input.stream == "default" {
        input.component.clone()
    } else {
        format!("{}.{}", input.component, input.stream)
    }
}

/// The known name that is nearest to `name`, or all of them.
pub(super) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a String>) -> String {
    let known: Vec<&String> = known.into_iter().collect();
    let near = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4);
    match near {
        Some((_, candidate)) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "the input has no fields".to_owned(),
        None => {
            let names: Vec<_> = known.iter().map(|name| name.as_str()).collect();
            format!("fields are {}", names.join(", "))
        }
    }
}
