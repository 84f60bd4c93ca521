//! The bolt `write`: tuples as lines of a file, acked when they are on the disk.
//!
//! A restarted task goes on behind its last complete line. It never writes half a group: what
//! could not be written whole is cut off again.

mod bolt;
mod lines;
mod options;

pub(super) use options::WriteKind;
