//! The bolt `split`: one tuple for each word of a text. It keeps nothing.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use smallvec::smallvec;

use crate::component::{
    Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, FieldSlots,
    OptionProblem, StreamDecl,
};
use crate::tuple::{Text, Tuple, Value};

use super::inputs::{missing_field, refused};

/// Options of the bolt `split`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SplitOptions {
    /// The field to split (default "line").
    #[serde(default = "line")]
    field: String,
    /// What stands between words (default: any white space). Nothing is emitted for an empty word.
    by: Option<String>,
}

fn line() -> String {
    "line".to_owned()
}

/// The kind `split`.
pub(super) struct SplitKind;

impl BoltKind for SplitKind {
    const NAME: &'static str = "split";
    const SUMMARY: &'static str = "splits a text into words, one tuple a word";
    type Options = SplitOptions;

    fn declare(
        options: &SplitOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let mut problems = missing_field(&declaring.inputs, &options.field, |message| {
            OptionProblem::at("field", message)
        });
        if options.by.as_deref() == Some("") {
            let problem = OptionProblem::at("by", "nothing stands between words");
            problems.push(problem.with_help("leave `by` out to split at white space"));
        }
        if problems.is_empty() {
            Ok(Declaration {
                streams: vec![StreamDecl::default_stream(["word"])],
                keeps_memory: false,
            })
        } else {
            Err(problems)
        }
    }

    fn build(options: SplitOptions) -> Box<dyn Bolt> {
        Box::new(Split { options, field: None })
    }
}

struct Split {
    options: SplitOptions,
    field: Option<FieldSlots>,
}

impl Bolt for Split {
    fn open(
        &mut self,
        context: &Arc<Context>,
        _: &mut Collector<'_>,
    ) -> Result<(), ComponentError> {
        self.field = Some(FieldSlots::new(context, &self.options.field));
        Ok(())
    }

    fn has_idle_work(&self) -> bool {
        false
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector<'_>) -> Result<(), ComponentError> {
        let slots = self.field.as_ref().expect("the bolt was opened");
        let value = slots.of(&tuple).ok_or_else(|| {
            ComponentError::give_up(format!("the tuple has no field \"{}\"", self.options.field))
        })?;
        let text = value.to_text();
        let mut emit = |word: &str| {
            if word.is_empty() {
                return Ok(());
            }
            let word = Value::Str(Text::from(word));
            out.emit(smallvec![word]).map_err(refused)
        };
        match &self.options.by {
            Some(by) => text.split(by.as_str()).try_for_each(emit),
            None if text.is_ascii() => text.split_ascii_whitespace().try_for_each(&mut emit),
            None => text.split_whitespace().try_for_each(emit),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::builtin::testing::{BoltOut, bolt, bolt_context, bolt_problems, declaring};

    fn words(options: serde_json::Value, text: impl Into<Value>) -> Vec<String> {
        let mut bolt = bolt::<SplitKind>(options);
        let mut out = BoltOut::default();
        out.open(bolt.as_mut(), &bolt_context(&[("in", &["id", "line"])]));
        out.give(bolt.as_mut(), [Value::Int(1), text.into()]).unwrap();
        let words = out.emitted.iter();
        words.map(|values| values[0].to_text().into_owned()).collect()
    }

    #[test]
    fn white_space_of_any_script_separates_words() {
        assert_eq!(words(json!({}), " a  b\tc\n"), ["a", "b", "c"]);
        assert_eq!(words(json!({}), "ä\u{3000}b"), ["ä", "b"]);
        assert_eq!(words(json!({}), ""), [""; 0]);
        assert_eq!(words(json!({}), 12_i64), ["12"]);
        assert_eq!(words(json!({}), Value::from_scanned_json("\"a\\u0020b\"")), ["a", "b"]);
    }

    #[test]
    fn a_separator_of_ones_own_leaves_no_empty_words() {
        assert_eq!(words(json!({"by": ", "}), "a b, c, , "), ["a b", "c"]);
        assert_eq!(words(json!({"field": "id", "by": ","}), "x"), ["1"]);
    }

    #[test]
    fn a_misspelled_field_is_suggested() {
        let declaring = declaring(&[("in", &["sentence"])], 1);
        let problems = bolt_problems::<SplitKind>(json!({"field": "sentense"}), &declaring);
        assert_eq!(problems[0].message, "input \"in\" has no field \"sentense\"");
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `sentence`?"));
    }
}
