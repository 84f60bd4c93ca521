//! A case as its file has it: what the engine says, and what the child must say.
//!
//! `multilang/conformance/README.md` describes the form. Nothing is run here.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::json::Json;

/// How much of the protocol a child speaks; each level has those before it in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// Storm's protocol
    Storm,
    /// Batch frames as well
    Batch,
    /// Everything that a full SDK has
    Sdk,
}

/// What is offered to the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Framing {
    /// One message a frame, as Storm does.
    Storm,
    /// Batch frames.
    Batch,
}

impl Framing {
    pub(super) const BOTH: [Self; 2] = [Self::Storm, Self::Batch];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Storm => "storm",
            Self::Batch => "batch",
        }
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which side of a topology the component is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    #[default]
    Bolt,
    Spout,
}

/// How the child has to leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Exit {
    /// With status 0.
    #[default]
    Success,
    /// With any other status, by itself.
    Failure,
}

/// Whether messages have to come in the order of the patterns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    #[default]
    Exact,
    Any,
}

/// What the engine says, whatever the framing.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Say {
    /// Tuples of the source, numbered `$t1`, `$t2`, … through the case.
    Tuples(Vec<Vec<Json>>),
    Heartbeat,
    /// A tick of so many seconds.
    Tick(Json),
    Drain(String),
    End(String),
    /// So many messages are wanted of a spout.
    Next(u32),
    Ack(Vec<Json>),
    Fail(Vec<Json>),
    Activate,
    Deactivate,
    /// The child's input is closed.
    Close,
    /// SIGTERM.
    Terminate,
    /// A message as it stands.
    Message(Json),
    /// All of these in one frame, where frames can hold more than one.
    Together(Vec<Say>),
}

/// One step: something said, or something that has to be heard.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// For readers.
    #[serde(default, rename = "note")]
    _note: Option<String>,
    #[serde(default)]
    pub(super) say: Option<Say>,
    /// Patterns.
    #[serde(default)]
    pub(super) hear: Option<Vec<Json>>,
    #[serde(default)]
    pub(super) order: Order,
    /// The tuples or patterns, so many times over.
    #[serde(default = "once")]
    pub(super) times: usize,
    /// The tuple that `$t+` is the first time.
    #[serde(default = "once")]
    pub(super) from: usize,
    /// The stream of tuples.
    #[serde(default)]
    pub(super) stream: Option<String>,
    /// Keys that are added to what is said.
    #[serde(default)]
    pub(super) extra: Map<String, Value>,
}

fn once() -> usize {
    1
}

/// A case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// The name of its file.
    #[serde(skip)]
    pub(super) name: String,
    /// One sentence: what is checked.
    pub(super) about: String,
    pub(super) level: Level,
    /// The reference component.
    pub(super) component: String,
    #[serde(default)]
    pub(super) role: Role,
    /// Numbers in the list of what children expect of an engine.
    pub(super) requirements: Vec<String>,
    /// Headings of PROTOCOL.md.
    pub(super) sections: Vec<String>,
    /// The framings that it is for; both by default, batch alone at level batch.
    #[serde(default)]
    framing: Vec<Framing>,
    #[serde(default)]
    pub(super) config: Map<String, Value>,
    /// Input streams of the component `source`, with their fields.
    #[serde(default)]
    pub(super) inputs: BTreeMap<String, Vec<String>>,
    /// Output streams with their fields.
    #[serde(default)]
    pub(super) outputs: BTreeMap<String, Vec<String>>,
    /// Output streams whose emitter names the task.
    #[serde(default)]
    pub(super) direct: Vec<String>,
    /// Whether the child may print what is no message.
    #[serde(default)]
    pub(super) prints: bool,
    /// Whether tuples may be left unanswered.
    #[serde(default)]
    pub(super) leaves_open: bool,
    /// Answers to emits that ask for task ids, in turn; `[3]` where there are no more.
    #[serde(default)]
    pub(super) task_ids: Vec<Vec<i64>>,
    #[serde(default)]
    pub(super) exit: Exit,
    pub(super) steps: Vec<Step>,
}

impl Case {
    /// Reads a case file.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let case: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let one_each = |step: &Step| step.say.is_some() != step.hear.is_some();
        if let Some(at) = case.steps.iter().position(|step| !one_each(step)) {
            return Err(format!("step {} has to have either `say` or `hear`", at + 1));
        }
        if case.sections.is_empty() {
            return Err("it names no section of PROTOCOL.md".to_owned());
        }
        Ok(Self { name: name.to_owned(), ..case })
    }

    /// The framings that it is for.
    pub(super) fn framings(&self) -> &[Framing] {
        match (self.framing.as_slice(), self.level) {
            ([], Level::Batch) => &[Framing::Batch],
            ([], _) => &Framing::BOTH,
            (given, _) => given,
        }
    }

    /// Why a child of this level is not asked to pass it in that framing.
    pub(super) fn skipped(&self, framing: Framing, level: Level) -> Option<String> {
        if !self.framings().contains(&framing) {
            return Some(format!("not for {framing} framing"));
        }
        if framing == Framing::Batch && level == Level::Storm {
            return Some("batch frames are not of level storm".to_owned());
        }
        (self.level > level).then(|| format!("of level {:?}", self.level).to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(text: &str) -> Result<Case, String> {
        Case::parse("x", text)
    }

    const HEAD: &str =
        r#""about":"a","component":"split","requirements":["C1"],"sections":["Framing"]"#;

    #[test]
    fn a_step_says_or_hears() {
        let steps = r#"[{"say":"heartbeat"},{"hear":[{"command":"sync"}]}]"#;
        let good = format!(r#"{{{HEAD},"level":"storm","steps":{steps}}}"#);
        assert_eq!(case(&good).unwrap().steps.len(), 2);
        let bad = format!(r#"{{{HEAD},"level":"storm","steps":[{{"note":"nothing"}}]}}"#);
        assert!(case(&bad).unwrap_err().contains("step 1"));
    }

    #[test]
    fn levels_say_what_is_skipped() {
        let of =
            |level: &str| case(&format!(r#"{{{HEAD},"level":"{level}","steps":[]}}"#)).unwrap();
        assert_eq!(of("storm").skipped(Framing::Storm, Level::Storm), None);
        assert!(of("storm").skipped(Framing::Batch, Level::Storm).is_some());
        assert_eq!(of("storm").skipped(Framing::Batch, Level::Batch), None);
        assert!(of("batch").skipped(Framing::Storm, Level::Sdk).is_some());
        assert!(of("sdk").skipped(Framing::Batch, Level::Batch).is_some());
    }
}
