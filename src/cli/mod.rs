//! The `galewire` command: one file per subcommand.
//!
//! The only module that prints. A program with components of its own calls [`main_with`] from its
//! `main`, with a registry that has them beside the built-in ones.

mod arguments;
mod bench;
mod bolt;
mod check;
mod components;
mod conformance;
mod dlq;
mod guard;
mod log;
mod main;
mod new;
mod output;
mod plan;
mod run;
mod scaffold;
mod schema;
mod sdk;
mod topology_file;
mod worker;

pub use main::{main_from, main_with};
pub use output::Output;
