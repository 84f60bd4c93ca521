//! A few kinds of components to check files against: they declare like real ones, and do nothing
//! when they run.

use std::collections::BTreeMap;
use std::sync::Arc;

use galewire::component::{
    Bolt, BoltKind, Collector, ComponentError, Context, Declaration, Declaring, Next,
    OptionProblem, Registry, Spout, SpoutCollector, SpoutKind, StreamDecl,
};
use galewire::tuple::Tuple;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) fn registry() -> Registry {
    Registry::new().spout::<FileKind>().bolt::<CountKind>().bolt::<WriteKind>().bolt::<PrintKind>()
}

struct Idle;

impl Spout for Idle {
    fn open(&mut self, _: &Arc<Context>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn next_tuple(&mut self, _: &mut SpoutCollector<'_>) -> Result<Next, ComponentError> {
        Ok(Next::Exhausted)
    }
}

impl Bolt for Idle {
    fn open(&mut self, _: &Arc<Context>, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }

    fn execute(&mut self, _: Tuple, _: &mut Collector<'_>) -> Result<(), ComponentError> {
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Text,
    Json,
}

struct FileKind;

/// Options of `file`.
#[derive(Debug, Deserialize, JsonSchema)]
struct FileOptions {
    /// The file to read.
    path: String,
    /// How its lines are read.
    #[serde(default)]
    format: Format,
    /// The fields of a JSON line.
    #[serde(default)]
    fields: Vec<String>,
    /// Values that stand in for fields that a line does not have.
    #[serde(default)]
    #[expect(dead_code, reason = "only its shape is of interest here")]
    stand_ins: BTreeMap<String, i64>,
}

impl SpoutKind for FileKind {
    const NAME: &'static str = "file";
    const SUMMARY: &'static str = "reads the lines of a file";
    type Options = FileOptions;

    fn declare(options: &FileOptions, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        if options.path.is_empty() {
            return Err(vec![OptionProblem::at("path", "the path is empty")]);
        }
        let fields = match options.format {
            Format::Text => vec!["line".to_owned()],
            Format::Json if options.fields.is_empty() => {
                let problem = OptionProblem::at("format", "format \"json\" needs `fields`");
                return Err(vec![problem.with_help("add `fields = [\"NAME\"]`")]);
            }
            Format::Json => options.fields.clone(),
        };
        Ok(Declaration { streams: vec![StreamDecl::default_stream(fields)], keeps_memory: false })
    }

    fn build(_: FileOptions) -> Box<dyn Spout> {
        Box::new(Idle)
    }
}

struct CountKind;

/// Options of `count`.
#[derive(Debug, Deserialize, JsonSchema)]
struct CountOptions {
    /// The fields to count by; default: those of the grouping.
    by: Option<Vec<String>>,
    /// When counts are emitted.
    #[serde(default)]
    #[expect(dead_code, reason = "only its shape is of interest here")]
    emit: Emit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Emit {
    /// With each tuple.
    #[default]
    Update,
    /// At the end of the run.
    Final,
}

impl BoltKind for CountKind {
    const NAME: &'static str = "count";
    const SUMMARY: &'static str = "counts tuples by fields";
    type Options = CountOptions;

    fn declare(
        options: &CountOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let grouping = declaring.inputs.iter().find_map(|input| input.grouping_fields.clone());
        let Some(mut fields) = options.by.clone().or(grouping) else {
            return Err(vec![OptionProblem::whole("there is nothing to count by")]);
        };
        fields.push("count".to_owned());
        Ok(Declaration { streams: vec![StreamDecl::default_stream(fields)], keeps_memory: true })
    }

    fn build(_: CountOptions) -> Box<dyn Bolt> {
        Box::new(Idle)
    }
}

struct WriteKind;

/// Options of `write`.
#[derive(Debug, Deserialize, JsonSchema)]
struct WriteOptions {
    /// The file to write.
    path: String,
}

impl BoltKind for WriteKind {
    const NAME: &'static str = "write";
    const SUMMARY: &'static str = "writes tuples to a file";
    type Options = WriteOptions;

    fn declare(
        options: &WriteOptions,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        if declaring.tasks > 1 && !options.path.contains("{task}") {
            let problem = OptionProblem::at("path", "several tasks would write to one file");
            return Err(vec![problem.with_help("put `{task}` into the path")]);
        }
        Ok(Declaration::default())
    }

    fn build(_: WriteOptions) -> Box<dyn Bolt> {
        Box::new(Idle)
    }
}

struct PrintKind;

/// Options of `print`.
#[derive(Debug, Deserialize, JsonSchema)]
struct PrintOptions {}

impl BoltKind for PrintKind {
    const NAME: &'static str = "print";
    const SUMMARY: &'static str = "prints tuples";
    type Options = PrintOptions;

    fn declare(_: &PrintOptions, _: &Declaring) -> Result<Declaration, Vec<OptionProblem>> {
        Ok(Declaration::default())
    }

    fn build(_: PrintOptions) -> Box<dyn Bolt> {
        Box::new(Idle)
    }
}
