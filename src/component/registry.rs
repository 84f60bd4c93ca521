//! The kinds of components: what they are called, what options they take, how they are made.
//!
//! Declaring is pure (no files, no sockets); building may open; only a running task spawns.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, schema_for};
use serde::de::DeserializeOwned;

use super::{Bolt, Spout, StreamDecl};

/// Spout or bolt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A source.
    Spout,
    /// A consumer.
    Bolt,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spout => "spout",
            Self::Bolt => "bolt",
        })
    }
}

/// A step into a component's `config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathSegment {
    /// The key of a table.
    Key(String),
    /// The index of an array.
    Index(usize),
}

/// What an option problem is about, so that the caret stands in the right place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The value.
    Value,
    /// The key itself (an unknown one).
    Key,
}

/// Something wrong with a component's `config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionProblem {
    /// Where in `config`; empty for the whole.
    pub path: Vec<PathSegment>,
    /// Key or value.
    pub subject: Subject,
    /// What is wrong, one lower-case line.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl OptionProblem {
    /// A problem with the value of a top-level key.
    pub fn at(key: &str, message: impl Into<String>) -> Self {
        Self {
            path: vec![PathSegment::Key(key.to_owned())],
            subject: Subject::Value,
            message: message.into(),
            help: None,
        }
    }

    /// A problem with `config` as a whole.
    pub fn whole(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), subject: Subject::Value, message: message.into(), help: None }
    }

    /// The same problem with a way to mend it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A bolt's input as far as a declaration may look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputDecl {
    /// The emitting component.
    pub component: String,
    /// The stream.
    pub stream: String,
    /// The stream's fields.
    pub fields: Vec<String>,
    /// The fields of a fields or partial-key grouping.
    pub grouping_fields: Option<Vec<String>>,
}

/// What a kind may know when it declares.
#[derive(Clone, Debug, Default)]
pub struct Declaring {
    /// The inputs (none for a spout).
    pub inputs: Vec<InputDecl>,
    /// How many tasks there will be.
    pub tasks: usize,
    /// The streams written as `outputs` in the file, for kinds that cannot know them.
    pub outputs: Option<Vec<StreamDecl>>,
}

/// What a component is like, given its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    /// The streams it emits on; none for a sink.
    pub streams: Vec<StreamDecl>,
    /// Whether it keeps something in memory that a restart loses.
    pub keeps_memory: bool,
}

/// Why a component could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// No such kind.
    #[error("there is no {role} of type \"{name}\"")]
    UnknownKind {
        /// Spout or bolt.
        role: Role,
        /// What was asked for.
        name: String,
    },
    /// The options are not what the kind takes (a plan from another version).
    #[error("options of \"{name}\": {message}")]
    Options {
        /// The kind.
        name: String,
        /// What is wrong.
        message: String,
    },
}

/// A component that was made and not opened yet.
pub enum Component {
    /// A spout.
    Spout(Box<dyn Spout>),
    /// A bolt.
    Bolt(Box<dyn Bolt>),
}

/// A kind of spout with typed options.
pub trait SpoutKind: 'static {
    /// The word in `type = "…"`.
    const NAME: &'static str;
    /// One line for people.
    const SUMMARY: &'static str;
    /// Everything under `config`; its doc comments are shown to users.
    type Options: DeserializeOwned + JsonSchema;

    /// Checks options and says what the component will be like. Pure.
    fn declare(
        options: &Self::Options,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>>;

    /// Makes the spout.
    fn build(options: Self::Options) -> Box<dyn Spout>;
}

/// A kind of bolt with typed options.
pub trait BoltKind: 'static {
    /// The word in `type = "…"`.
    const NAME: &'static str;
    /// One line for people.
    const SUMMARY: &'static str;
    /// Everything under `config`; its doc comments are shown to users.
    type Options: DeserializeOwned + JsonSchema;

    /// Checks options and says what the component will be like. Pure.
    fn declare(
        options: &Self::Options,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>>;

    /// Makes the bolt.
    fn build(options: Self::Options) -> Box<dyn Bolt>;
}

type Declare = fn(&serde_json::Value, &Declaring) -> Result<Declaration, Vec<OptionProblem>>;
type Build = fn(&serde_json::Value) -> Result<Component, BuildError>;

/// A kind with its types erased.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Spout or bolt.
    pub role: Role,
    /// The word in `type = "…"`.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Whether only the engine names it, never a file.
    hidden: bool,
    schema: fn() -> Schema,
    check: fn(&serde_json::Value) -> Result<(), OptionProblem>,
    declare: Declare,
    build: Build,
}

impl Kind {
    /// The JSON Schema of the kind's options.
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }

    /// Checks options (unknown keys included) and says what the component will be like.
    ///
    /// # Errors
    /// All problems at once.
    pub fn declare(
        &self,
        options: &serde_json::Value,
        declaring: &Declaring,
    ) -> Result<Declaration, Vec<OptionProblem>> {
        let unknown = self.unknown_keys(options);
        if unknown.is_empty() { (self.declare)(options, declaring) } else { Err(unknown) }
    }

    /// Checks options alone, without the inputs that `declare` wants to know.
    ///
    /// # Errors
    /// Unknown keys, or else the first value of the wrong type.
    pub fn check_options(&self, options: &serde_json::Value) -> Result<(), Vec<OptionProblem>> {
        let unknown = self.unknown_keys(options);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        (self.check)(options).map_err(|problem| vec![problem])
    }

    /// Makes a component.
    ///
    /// # Errors
    /// Options that `declare` would have refused.
    pub fn build(&self, options: &serde_json::Value) -> Result<Component, BuildError> {
        (self.build)(options)
    }

    /// The option names, in the order of their declaration.
    pub fn option_names(&self) -> Vec<String> {
        let schema = self.schema();
        let properties = schema.get("properties").and_then(serde_json::Value::as_object);
        properties.map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }

    fn unknown_keys(&self, options: &serde_json::Value) -> Vec<OptionProblem> {
        let schema = self.schema();
        if schema.get("additionalProperties").is_some_and(|more| more.as_bool() != Some(false)) {
            return Vec::new(); // The kind takes any key.
        }
        let known = self.option_names();
        let keys = options.as_object().into_iter().flat_map(serde_json::Map::keys);
        keys.filter(|key| !known.contains(key))
            .map(|key| OptionProblem {
                path: vec![PathSegment::Key(key.clone())],
                subject: Subject::Key,
                message: format!("{} \"{}\" has no option \"{key}\"", self.role, self.name),
                help: Some(suggest(key, &known)),
            })
            .collect()
    }
}

fn suggest(key: &str, known: &[String]) -> String {
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4);
    match near {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "it takes no options".to_owned(),
        None => format!("options are {}", known.join(", ")),
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.name)
    }
}

/// Reads typed options; a problem names its place.
fn read<T: DeserializeOwned>(options: &serde_json::Value) -> Result<T, OptionProblem> {
    serde_path_to_error::deserialize(options).map_err(|error| {
        let path = error.path().iter().filter_map(|segment| match segment {
            serde_path_to_error::Segment::Map { key } => Some(PathSegment::Key(key.clone())),
            serde_path_to_error::Segment::Seq { index } => Some(PathSegment::Index(*index)),
            _ => None,
        });
        OptionProblem {
            path: path.collect(),
            subject: Subject::Value,
            message: error.inner().to_string(),
            help: None,
        }
    })
}

/// Every kind that topologies may name.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    kinds: BTreeMap<(String, &'static str), Kind>,
}

impl Registry {
    /// A registry without kinds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind of spout; a kind of the same name is replaced.
    #[must_use]
    pub fn spout<K: SpoutKind>(mut self) -> Self {
        self.add(Kind {
            role: Role::Spout,
            name: K::NAME,
            summary: K::SUMMARY,
            hidden: false,
            schema: || schema_for!(K::Options),
            check: |options| read::<K::Options>(options).map(|_| ()),
            declare: |options, declaring| {
                let options = read::<K::Options>(options).map_err(|problem| vec![problem])?;
                K::declare(&options, declaring)
            },
            build: |options| {
                let options = read::<K::Options>(options)
                    .map_err(|problem| build_error(K::NAME, &problem))?;
                Ok(Component::Spout(K::build(options)))
            },
        });
        self
    }

    /// Adds a kind of bolt; a kind of the same name is replaced.
    #[must_use]
    pub fn bolt<K: BoltKind>(mut self) -> Self {
        self.add(Kind {
            role: Role::Bolt,
            name: K::NAME,
            summary: K::SUMMARY,
            hidden: false,
            schema: || schema_for!(K::Options),
            check: |options| read::<K::Options>(options).map(|_| ()),
            declare: |options, declaring| {
                let options = read::<K::Options>(options).map_err(|problem| vec![problem])?;
                K::declare(&options, declaring)
            },
            build: |options| {
                let options = read::<K::Options>(options)
                    .map_err(|problem| build_error(K::NAME, &problem))?;
                Ok(Component::Bolt(K::build(options)))
            },
        });
        self
    }

    /// Adds a kind of spout that files cannot name: commands put it in a plan.
    #[must_use]
    pub fn hidden_spout<K: SpoutKind>(self) -> Self {
        let mut registry = self.spout::<K>();
        let added = registry.kinds.get_mut(&(Role::Spout.to_string(), K::NAME));
        added.expect("it was added just now").hidden = true;
        registry
    }

    fn add(&mut self, kind: Kind) {
        self.kinds.insert((kind.role.to_string(), kind.name), kind);
    }

    /// The kind of that role and name that a file may name.
    pub fn get(&self, role: Role, name: &str) -> Option<&Kind> {
        self.kinds().find(|kind| kind.role == role && kind.name == name)
    }

    /// All kinds that files may name, bolts before spouts, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.values().filter(|kind| !kind.hidden)
    }

    /// Makes a component.
    ///
    /// # Errors
    /// An unknown kind, or options it does not take.
    pub fn build(
        &self,
        role: Role,
        name: &str,
        options: &serde_json::Value,
    ) -> Result<Component, BuildError> {
        let mut kinds = self.kinds.values();
        let kind = kinds
            .find(|kind| kind.role == role && kind.name == name)
            .ok_or_else(|| BuildError::UnknownKind { role, name: name.to_owned() })?;
        kind.build(options)
    }
}

fn build_error(name: &str, problem: &OptionProblem) -> BuildError {
    BuildError::Options { name: name.to_owned(), message: problem.message.clone() }
}
