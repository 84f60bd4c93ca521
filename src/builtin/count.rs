//! The bolt `count`: how often each key came. Its counts live in memory alone.

use std::collections::HashMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use crate::base::Signal;
use crate::component::{
    Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, FieldSlots,
    OptionProblem, PathSegment, Progress, StreamDecl,
};
use crate::tuple::{KeyBytes, Text, Tuple, Value, Values, key_bytes};

use super::inputs::{missing_field, refused};

/// How many final counts are emitted before the outputs are looked at again.
const FINAL_BATCH: usize = 1024;

const DEFAULT_MAX_KEYS: usize = 10_000_000;

/// When counts are emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Emit {
    /// The new count for each tuple.
    #[default]
    Update,
    /// Each key once, at the end of a bounded run.
    Final,
}

/// Options of the bolt `count`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CountOptions {
    /// The fields whose values are counted (default: the fields of the input's grouping).
    by: Option<Vec<String>>,
    /// "update" (default) emits the new count for each tuple, "final" each key once at the end of
    /// a bounded run.
    #[serde(default)]
    emit: Emit,
    /// How many different keys a task may hold (default 10,000,000); one more is an error.
    max_keys: Option<usize>,
}

/// The kind `count`.
pub(super) struct CountKind;

impl BoltKind for CountKind {
    const NAME: &'static str = "count";
    const SUMMARY: &'static str = "counts tuples by key";
    type Options = CountOptions;

    fn declare(
        options: &CountOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let mut problems = Vec::new();
        let by = match &options.by {
            Some(by) => {
                problems.extend(check_by(by, declaring));
                by.clone()
            }
            None => by_grouping(declaring).unwrap_or_else(|problem| {
                problems.push(problem);
                Vec::new()
            }),
        };
        if by.iter().any(|field| field == "count") {
            problems.push(OptionProblem::whole(
                "the field \"count\" is emitted twice: as a key and as the number",
            ));
        }
        if options.max_keys == Some(0) {
            problems.push(OptionProblem::at("max_keys", "expected at least 1"));
        }
        if problems.is_empty() {
            let fields = by.into_iter().chain(["count".to_owned()]);
            Ok(Declaration {
                streams: vec![StreamDecl::default_stream(fields)],
                keeps_memory: true,
            })
        } else {
            Err(problems)
        }
    }

    fn build(options: CountOptions) -> Box<dyn Bolt> {
        Box::new(Count { options, running: None })
    }
}

fn check_by(by: &[String], declaring: &Declaring) -> Vec<OptionProblem> {
    if by.is_empty() {
        return vec![OptionProblem::at("by", "no field is named")];
    }
    let mut problems = Vec::new();
    for (index, field) in by.iter().enumerate() {
        let at = |message: String| {
            let mut problem = OptionProblem::at("by", message);
            problem.path.push(PathSegment::Index(index));
            problem
        };
        if by[..index].contains(field) {
            problems.push(at(format!("field \"{field}\" is named twice")));
        } else {
            problems.extend(missing_field(&declaring.inputs, field, at));
        }
    }
    problems
}

fn by_grouping(declaring: &Declaring) -> Result<Vec<String>, OptionProblem> {
    let mut groupings = declaring.inputs.iter().map(|input| input.grouping_fields.as_ref());
    match groupings.next().flatten() {
        Some(first) if groupings.all(|fields| fields == Some(first)) => Ok(first.clone()),
        Some(_) => Err(OptionProblem::whole("the inputs are grouped by different fields")
            .with_help("name the fields to count in `by`")),
        None => Err(OptionProblem::whole("it is not said what to count by").with_help(
            "group the input by fields, as in `grouping = { fields = [\"word\"] }`, or name them \
             in `by`",
        )),
    }
}

struct Count {
    options: CountOptions,
    running: Option<Running>,
}

/// What is counted: a lone string is its own key; everything else goes by its canonical bytes.
struct Running {
    by: Vec<FieldSlots>,
    names: Vec<String>,
    words: HashMap<Text, u64, foldhash::fast::RandomState>,
    others: HashMap<KeyBytes, (Values, u64), foldhash::fast::RandomState>,
    scratch: KeyBytes,
    max_keys: usize,
    emit: Emit,
    /// The final counts that are still to be emitted, once the end has come.
    finals: Option<Vec<Values>>,
    waker: Signal,
    full: bool,
}

impl Bolt for Count {
    fn open(
        &mut self,
        context: &Arc<Context>,
        _: &mut Collector<'_>,
    ) -> Result<(), ComponentError> {
        let names = self.options.by.clone().or_else(|| {
            let input = context.inputs.first()?;
            Some(input.grouping_fields.clone())
        });
        let names = names.unwrap_or_default();
        self.running = Some(Running {
            by: names.iter().map(|name| FieldSlots::new(context, name)).collect(),
            names,
            words: HashMap::default(),
            others: HashMap::default(),
            scratch: KeyBytes::new(),
            max_keys: self.options.max_keys.unwrap_or(DEFAULT_MAX_KEYS),
            emit: self.options.emit,
            finals: None,
            waker: context.waker.clone(),
            full: false,
        });
        Ok(())
    }

    fn has_idle_work(&self) -> bool {
        false
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let running = self.running.as_mut().expect("the bolt was opened");
        let counted = match running.by.as_slice() {
            [field] => match field.of(&tuple) {
                Some(Value::Str(word)) => Some(running.count_word(word)?),
                Some(value) => match value.as_str() {
                    Some(word) => Some(running.count_word(&word)?),
                    None => None,
                },
                None => None,
            },
            _ => None,
        };
        let count = match counted {
            Some(count) => count,
            None => running.count_other(&tuple)?,
        };
        if running.emit == Emit::Update {
            let mut values = running.key_of(&tuple)?;
            values.push(Value::Int(count as i64));
            out.emit(values).map_err(refused)?;
        }
        Ok(())
    }

    fn execute_error_is_fatal(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.full)
    }

    fn end(&mut self, out: &mut Collector<'_>) -> Result<Progress, ComponentError> {
        let running = self.running.as_mut().expect("the bolt was opened");
        if running.emit == Emit::Update {
            return Ok(Progress::Done);
        }
        let mut finals = match running.finals.take() {
            Some(finals) => finals,
            None => running.take_finals(),
        };
        for values in finals.split_off(finals.len().saturating_sub(FINAL_BATCH)).into_iter().rev() {
            out.emit(values).map_err(refused)?;
        }
        if finals.is_empty() {
            return Ok(Progress::Done);
        }
        running.finals = Some(finals);
        running.waker.ring();
        Ok(Progress::Pending)
    }

    fn holds_memory(&self) -> bool {
        self.running.as_ref().is_some_and(|running| {
            running.finals.is_some() || !running.words.is_empty() || !running.others.is_empty()
        })
    }
}

impl Running {
    #[inline]
    fn count_word(&mut self, word: &str) -> Result<u64, ComponentError> {
        if let Some(count) = self.words.get_mut(word) {
            *count += 1;
            return Ok(*count);
        }
        self.make_room()?;
        self.words.insert(Text::from(word), 1);
        Ok(1)
    }

    fn count_other(&mut self, tuple: &Tuple) -> Result<u64, ComponentError> {
        let key = self.key_of(tuple)?;
        self.scratch.clear();
        key_bytes(&key, &mut self.scratch);
        if let Some((_, count)) = self.others.get_mut(&self.scratch) {
            *count += 1;
            return Ok(*count);
        }
        self.make_room()?;
        self.others.insert(self.scratch.clone(), (key, 1));
        Ok(1)
    }

    fn key_of(&self, tuple: &Tuple) -> Result<Values, ComponentError> {
        let mut values = Values::new();
        for (field, name) in self.by.iter().zip(&self.names) {
            let value = field.of(tuple).cloned().ok_or_else(|| {
                ComponentError::give_up(format!("the tuple has no field \"{name}\""))
            })?;
            values.push(value);
        }
        Ok(values)
    }

    fn make_room(&mut self) -> Result<(), ComponentError> {
        if self.words.len() + self.others.len() < self.max_keys {
            return Ok(());
        }
        self.full = true;
        Err(ComponentError::give_up(format!(
            "there are more than {} different keys; `max_keys` allows more, and more tasks share \
             them",
            self.max_keys
        )))
    }

    /// All counts, sorted by key from the last to the first, and none any more.
    fn take_finals(&mut self) -> Vec<Values> {
        let mut words: Vec<_> = self.words.drain().collect();
        words.sort_unstable_by(|left, right| right.cmp(left));
        let mut others: Vec<_> = self.others.drain().collect();
        others.sort_unstable_by(|left, right| right.0.cmp(&left.0));
        let others = others.into_iter().map(|(_, (mut values, count))| {
            values.push(Value::Int(count as i64));
            values
        });
        let words = words
            .into_iter()
            .map(|(word, count)| smallvec![Value::Str(word), Value::Int(count as i64)]);
        others.chain(words).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::builtin::testing::{BoltOut, bolt, bolt_context, bolt_problems, declaring};

    fn counter(options: serde_json::Value, fields: &[&str]) -> (Box<dyn Bolt>, BoltOut) {
        let mut bolt = bolt::<CountKind>(options);
        let mut out = BoltOut::default();
        out.open(bolt.as_mut(), &bolt_context(&[("in", fields)]));
        (bolt, out)
    }

    fn end(bolt: &mut dyn Bolt, out: &mut BoltOut) {
        while bolt.end(&mut Collector::new(out)).unwrap() == Progress::Pending {}
    }

    #[test]
    fn equal_keys_are_counted_as_one_however_they_are_spelled() {
        let (mut bolt, mut out) = counter(json!({"by": ["k"], "emit": "final"}), &["k"]);
        let values = ["\"a\"", "\"\\u0061\"", "1", "1.0", "1e0", "[1, 2]", "[1,2.0]", "null"];
        for json in values {
            out.give(bolt.as_mut(), [Value::from_scanned_json(json)]).unwrap();
        }
        assert!(out.emitted.is_empty());
        assert!(bolt.holds_memory());
        end(bolt.as_mut(), &mut out);
        assert_eq!(out.texts(), ["\"a\" 2", "null 1", "1 3", "[1, 2] 2"]);
        assert!(!bolt.holds_memory());
    }

    #[test]
    fn updates_carry_the_new_count() {
        let (mut bolt, mut out) = counter(json!({"by": ["b", "a"]}), &["a", "b"]);
        for (a, b) in [("x", 1_i64), ("y", 1), ("x", 1)] {
            out.give(bolt.as_mut(), [Value::from(a), Value::from(b)]).unwrap();
        }
        assert_eq!(out.texts(), ["1 \"x\" 1", "1 \"y\" 1", "1 \"x\" 2"]);
        end(bolt.as_mut(), &mut out);
        assert_eq!(out.emitted.len(), 3);
        assert!(bolt.holds_memory());
    }

    #[test]
    fn final_counts_come_sorted_and_in_portions() {
        let (mut bolt, mut out) = counter(json!({"by": ["k"], "emit": "final"}), &["k"]);
        for key in 0..3000 {
            out.give(bolt.as_mut(), [Value::from(format!("{:04}", (key * 7) % 3000))]).unwrap();
        }
        assert_eq!(bolt.end(&mut Collector::new(&mut out)).unwrap(), Progress::Pending);
        assert_eq!(out.emitted.len(), FINAL_BATCH);
        end(bolt.as_mut(), &mut out);
        let expected: Vec<_> = (0..3000).map(|key| format!("\"{key:04}\" 1")).collect();
        assert_eq!(out.texts(), expected);
    }

    #[test]
    fn one_key_too_many_ends_the_bolt() {
        let (mut bolt, mut out) = counter(json!({"by": ["k"], "max_keys": 2}), &["k"]);
        for key in ["a", "b", "a"] {
            out.give(bolt.as_mut(), [Value::from(key)]).unwrap();
        }
        assert!(!bolt.execute_error_is_fatal());
        let error = out.give(bolt.as_mut(), [Value::from("c")]).unwrap_err();
        assert!(error.message.starts_with("there are more than 2 different keys"));
        assert!(bolt.execute_error_is_fatal());
    }

    #[test]
    fn the_grouping_says_what_to_count_where_nothing_else_does() {
        let mut inputs = declaring(&[("in", &["word", "line"])], 1);
        let problems = bolt_problems::<CountKind>(json!({}), &inputs);
        assert_eq!(problems[0].message, "it is not said what to count by");
        inputs.inputs[0].grouping_fields = Some(vec!["word".to_owned()]);
        let options = serde_json::from_value(json!({})).unwrap();
        let declaration = CountKind::declare(&options, &inputs).unwrap();
        assert_eq!(declaration.streams[0].fields, ["word", "count"]);
        assert!(declaration.keeps_memory);
    }
}
