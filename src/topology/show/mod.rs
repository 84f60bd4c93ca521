//! A plan as text for people and other programs. Pure: nothing is printed here.

mod draw;
mod memory;
mod table;

pub use draw::{dot, json, mermaid};
pub use memory::memory_line;
pub use table::table;
