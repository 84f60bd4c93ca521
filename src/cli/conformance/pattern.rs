//! Patterns for what has to be heard, and the variables in them. Pure.

use std::collections::BTreeMap;

use super::json::Json;

/// What variables stand for. `$t1`, `$t2`, … are the ids of tuples; others take the first value
/// that they meet.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables(BTreeMap<String, Json>);

impl Variables {
    pub(super) fn set(&mut self, name: &str, value: Json) {
        self.0.insert(name.to_owned(), value);
    }

    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// What people call a value that is a tuple's id.
    pub(super) fn name_of(&self, value: &Json) -> Option<&str> {
        self.0.iter().find(|(_, known)| known.same(value)).map(|(name, _)| name.as_str())
    }

    /// A value to be said: variables and operators filled in.
    pub(super) fn fill(&self, json: &Json) -> Json {
        if let Some(bound) = variable(json).and_then(|name| self.get(&name)) {
            return bound.clone();
        }
        match (operator(json), json) {
            (Some(("$raw", text)), _) => Json::Leaf(text.as_text().unwrap_or_default()),
            (Some(("$repeat", what)), _) => repeated(what),
            (_, Json::List(items)) => {
                Json::List(items.iter().map(|item| self.fill(item)).collect())
            }
            (_, Json::Map(entries)) => {
                let filled = entries.iter().map(|(key, value)| (key.clone(), self.fill(value)));
                Json::Map(filled.collect())
            }
            _ => json.clone(),
        }
    }
}

/// Whether a message fits, and then with which variables. It may have keys that the pattern has not;
/// objects inside of it may not.
pub(super) fn fits(pattern: &Json, message: &Json, variables: &Variables) -> Option<Variables> {
    let mut bound = variables.clone();
    let Json::Map(entries) = pattern else { return None };
    let all = entries.iter().all(|(key, value)| match message.get(key) {
        Some(found) => value_fits(value, found, &mut bound),
        None => value.is_null(),
    });
    all.then_some(bound)
}

fn value_fits(pattern: &Json, value: &Json, bound: &mut Variables) -> bool {
    if let Some(name) = variable(pattern) {
        if let Some(known) = bound.get(&name) {
            return known.same(value);
        }
        bound.set(&name, value.clone());
        return true;
    }
    if let Some((operator, what)) = operator(pattern) {
        return operator_fits(operator, what, value, bound);
    }
    match (pattern, value) {
        (Json::List(patterns), Json::List(values)) => {
            let pairs = patterns.iter().zip(values);
            patterns.len() == values.len()
                && pairs.into_iter().all(|(pattern, value)| value_fits(pattern, value, bound))
        }
        (Json::Map(patterns), Json::Map(values)) => {
            patterns.len() == values.len()
                && patterns.iter().all(|(key, pattern)| {
                    let found = values.iter().find(|(name, _)| name == key);
                    found.is_some_and(|(_, value)| value_fits(pattern, value, bound))
                })
        }
        _ => pattern.same(value),
    }
}

fn operator_fits(operator: &str, what: &Json, value: &Json, bound: &mut Variables) -> bool {
    match operator {
        "$any" => {
            let kind = what.as_text().unwrap_or_default();
            kind == "value" || kind == value.kind()
        }
        "$has" => {
            let (text, part) = (value.as_text(), what.as_text());
            text.zip(part).is_some_and(|(text, part)| text.contains(&part))
        }
        "$most" => value.as_number().zip(what.as_number()).is_some_and(|(is, most)| is <= most),
        "$or" => what.as_list().unwrap_or_default().iter().any(|one| value_fits(one, value, bound)),
        "$unordered" => unordered(what, value, bound),
        "$raw" => matches!(value, Json::Leaf(text) if Some(text) == what.as_text().as_ref()),
        "$repeat" => repeated(what).same(value),
        _ => false,
    }
}

fn unordered(what: &Json, value: &Json, bound: &mut Variables) -> bool {
    let (Some(patterns), Some(values)) = (what.as_list(), value.as_list()) else { return false };
    let mut left: Vec<&Json> = values.iter().collect();
    patterns.iter().all(|pattern| {
        let found = left.iter().position(|value| value_fits(pattern, value, bound));
        found.map(|at| left.remove(at)).is_some()
    }) && left.is_empty()
}

/// The name of a variable.
fn variable(json: &Json) -> Option<String> {
    json.as_text().filter(|text| text.len() > 1 && text.starts_with('$'))
}

/// `{"$name": what}`.
fn operator(json: &Json) -> Option<(&str, &Json)> {
    match json {
        Json::Map(entries) => match entries.as_slice() {
            [(name, what)] if name.starts_with('$') => Some((name, what)),
            _ => None,
        },
        _ => None,
    }
}

/// `["text", 1000]`: the text so many times over.
fn repeated(what: &Json) -> Json {
    let parts = what.as_list().unwrap_or_default();
    let text = parts.first().and_then(Json::as_text).unwrap_or_default();
    let times = parts.get(1).and_then(Json::as_int).unwrap_or_default();
    Json::string(&text.repeat(times.max(0) as usize))
}

/// The pattern with `$t+` as the tuple of that number.
pub(super) fn numbered(pattern: &Json, number: usize) -> Json {
    match pattern {
        Json::Leaf(text) if text == "\"$t+\"" => Json::string(&format!("$t{number}")),
        Json::Leaf(_) => pattern.clone(),
        Json::List(items) => Json::List(items.iter().map(|item| numbered(item, number)).collect()),
        Json::Map(entries) => {
            let all = entries.iter().map(|(key, value)| (key.clone(), numbered(value, number)));
            Json::Map(all.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    fn fit(pattern: &str, message: &str) -> bool {
        let mut variables = Variables::default();
        variables.set("$t1", Json::string("1001"));
        fits(&json(pattern), &json(message), &variables).is_some()
    }

    #[test]
    fn a_message_may_have_more_keys_and_values_may_not() {
        assert!(fit(r#"{"command":"ack"}"#, r#"{"command":"ack","id":"7"}"#));
        assert!(!fit(r#"{"tuple":[{"a":1}]}"#, r#"{"tuple":[{"a":1,"b":2}]}"#));
        assert!(!fit(r#"{"tuple":["a"]}"#, r#"{"tuple":["a","b"]}"#));
        assert!(fit(r#"{"task":null}"#, r#"{"command":"emit"}"#));
        assert!(!fit(r#"{"task":null}"#, r#"{"task":3}"#));
    }

    #[test]
    fn variables_are_bound_once() {
        assert!(fit(r#"{"id":"$t1"}"#, r#"{"id":"1001"}"#));
        assert!(!fit(r#"{"id":"$t1"}"#, r#"{"id":"1002"}"#));
        assert!(fit(r#"{"a":"$x","b":"$x"}"#, r#"{"a":5,"b":5}"#));
        assert!(!fit(r#"{"a":"$x","b":"$x"}"#, r#"{"a":5,"b":6}"#));
    }

    #[test]
    fn operators_say_what_is_enough() {
        assert!(fit(r#"{"pid":{"$any":"number"}}"#, r#"{"pid":7}"#));
        assert!(!fit(r#"{"pid":{"$any":"number"}}"#, r#"{"pid":"7"}"#));
        assert!(fit(r#"{"msg":{"$has":"no"}}"#, r#"{"msg":"oh no!"}"#));
        assert!(fit(r#"{"n":{"$most":2}}"#, r#"{"n":2}"#));
        assert!(!fit(r#"{"n":{"$most":2}}"#, r#"{"n":3}"#));
        assert!(fit(r#"{"n":{"$or":[{"$raw":"NaN"},{"$any":"null"}]}}"#, r#"{"n":NaN}"#));
        assert!(fit(r#"{"a":{"$unordered":["x","$t1"]}}"#, r#"{"a":["1001","x"]}"#));
        assert!(!fit(r#"{"a":{"$unordered":["x"]}}"#, r#"{"a":["x","x"]}"#));
        assert!(fit(r#"{"a":{"$repeat":["ab",2]}}"#, r#"{"a":"abab"}"#));
    }

    #[test]
    fn numbered_patterns_name_their_tuple() {
        let pattern = json(r#"{"command":"ack","id":"$t+","x":["$t+"]}"#);
        assert_eq!(numbered(&pattern, 12).show(), r#"{"command":"ack","id":"$t12","x":["$t12"]}"#);
    }
}
