//! The topology file: as written, as checked, and as planned.
//!
//! Files are read to a table that knows where each part was written (`load`, `node`), its shape is
//! checked against one declaration of every key (`keys`, `shape`), read as a spec (`spec`), held
//! against every rule (`check`, `rules`), and planned (`placement`, `plan`). The only module
//! that reads the environment. Nothing here starts anything.

mod bounds;
mod budget;
mod check;
mod clients;
mod command;
mod defaults;
mod diagnostic;
mod environment;
mod graph;
mod handlers;
mod hint;
mod interpolate;
mod keys;
mod load;
mod node;
mod on_full;
mod overrides;
mod placement;
mod plan;
mod programs;
mod read;
mod render;
mod rules;
mod schema;
mod settings;
mod shape;
mod show;
mod source;
mod spec;
mod suggest;
mod switches;
mod syntax;

pub use budget::{BATCH_BYTES, messages_aside, worst_case_bytes};
pub use command::KIND as COMMAND_KIND;
pub use defaults::DEFAULTS_TOML;
pub use diagnostic::{Diagnostic, Diagnostics, Severity, Trouble};
pub use environment::{Environment, find_program};
pub use load::{Checked, load};
pub use on_full::OnFull;
pub use overrides::Overrides;
pub use plan::{
    DeadLetters, Guarantee, LinkKind, OnStall, Plan, PlannedComponent, PlannedInput, PlannedTask,
    Program, RestartPolicy, RetryPolicy, Settings, StallPolicy, Then,
};
pub use programs::{ProgramNeed, ProgramProblem, Version, programs};
pub use schema::schema;
pub use show::{dot, json, memory_line, mermaid, table};
pub use source::{SourceId, Sources, Span};
