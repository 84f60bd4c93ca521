//! The built-in spouts and bolts, and the one list that names them.
//!
//! They stand on the same traits as any other component; nothing here knows how a task is run.

mod commit;
mod complaints;
mod count;
mod csv;
mod decode;
mod encode;
mod expression;
mod file;
mod filter;
mod generate;
mod inputs;
mod json_text;
mod last_line;
mod letters;
mod map;
mod null;
mod print;
mod record_options;
mod records;
mod registry;
mod split;
mod stdin;
mod window;
mod write;

#[cfg(test)]
mod testing;

pub use registry::registry;
