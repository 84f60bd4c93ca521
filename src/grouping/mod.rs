//! Who gets a tuple. Pure: load and credit come in as arguments.

mod choose;
mod spec;

pub use choose::{Chooser, Target};
pub use spec::{Grouping, GroupingName};
