//! `${VAR}`, `${VAR:-default}`, `${file:PATH}` and `$$` in strings.
//!
//! What is put in is not looked at again.

/// A reference that could not be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unresolved {
    /// The reference as written, `${…}`.
    pub(crate) reference: String,
    pub(crate) problem: Problem,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// No such variable.
    Unset(String),
    /// The file cannot be read.
    File(String),
    /// No closing brace.
    Open,
    /// Nothing, or no name, between the braces.
    Malformed,
}

/// Replaces the references in `text`; `None` where there is none.
pub(crate) fn interpolate(
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
    file: impl Fn(&str) -> Result<String, String>,
) -> Result<Option<String>, Unresolved> {
    if !text.contains('$') {
        return Ok(None);
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$$") {
            result.push('$');
            rest = after;
        } else if rest.starts_with("${") {
            let end = rest
                .find('}')
                .ok_or_else(|| Unresolved { reference: "${".to_owned(), problem: Problem::Open })?;
            let (reference, after) = rest.split_at(end + 1);
            let value = resolve(&reference[2..end], &variable, &file);
            result.push_str(
                &value
                    .map_err(|problem| Unresolved { reference: reference.to_owned(), problem })?,
            );
            rest = after;
        } else {
            result.push('$');
            rest = &rest[1..];
        }
    }
    result.push_str(rest);
    Ok(Some(result))
}

fn resolve(
    inner: &str,
    variable: impl Fn(&str) -> Option<String>,
    file: impl Fn(&str) -> Result<String, String>,
) -> Result<String, Problem> {
    if let Some(path) = inner.strip_prefix("file:") {
        let text = file(path).map_err(Problem::File)?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(text.strip_suffix('\r').unwrap_or(text).to_owned());
    }
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(letters) {
        return Err(Problem::Malformed);
    }
    match (variable(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Problem::Unset(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str) -> Result<Option<String>, Problem> {
        let variable = |name: &str| match name {
            "BOOK" => Some("moby.txt".to_owned()),
            "EMPTY" => Some(String::new()),
            "SLY" => Some("${BOOK}".to_owned()),
            _ => None,
        };
        let file = |path: &str| match path {
            "key" => Ok("secret\n".to_owned()),
            _ => Err("not found".to_owned()),
        };
        interpolate(text, variable, file).map_err(|unresolved| unresolved.problem)
    }

    #[test]
    fn references_are_replaced_once() {
        for (text, expected) in [
            ("data/${BOOK}", "data/moby.txt"),
            ("${NONE:-data/book.txt}", "data/book.txt"),
            ("${EMPTY:-full}", "full"),
            ("[${EMPTY}]", "[]"),
            ("${file:key}!", "secret!"),
            ("$$5 and $${BOOK}", "$5 and ${BOOK}"),
            ("a$b $", "a$b $"),
            ("${SLY}", "${BOOK}"),
        ] {
            assert_eq!(put(text), Ok(Some(expected.to_owned())), "{text}");
        }
        assert_eq!(put("plain"), Ok(None));
    }

    #[test]
    fn references_that_lead_nowhere_are_errors() {
        assert_eq!(put("${NONE}"), Err(Problem::Unset("NONE".to_owned())));
        assert_eq!(put("${file:x}"), Err(Problem::File("not found".to_owned())));
        assert_eq!(put("${BOOK"), Err(Problem::Open));
        assert_eq!(put("${}"), Err(Problem::Malformed));
        assert_eq!(put("${a b}"), Err(Problem::Malformed));
    }
}
