//! The rules that a topology must hold, one small function each. They report and decide nothing.

mod bounds;
mod graph;
mod kinds;
mod names;
mod options;
mod programs;
mod settings;
mod streams;
mod wiring;

pub(crate) use bounds::bounds;
pub(crate) use graph::{loops, reach, unheard};
pub(crate) use kinds::kinds;
pub(crate) use names::{names, python_names};
pub(crate) use options::{declare, options_of};
pub(crate) use programs::programs;
pub(crate) use settings::{settings, too_large};
pub(crate) use streams::{unheard_dead_letters, written_streams};
pub(crate) use wiring::{connect, link};
