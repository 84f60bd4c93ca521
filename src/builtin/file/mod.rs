//! The spout `file`: reads files from a place that is known to be acked, follows them through
//! rotation and truncation, and says how far all is acked.
//!
//! Tasks share files, never one file: a file named in `path` belongs to the task of its place in
//! the list, a file found by a pattern to the task that its inode is hashed to (so that a renamed
//! file stays with its task). Tasks without a file are idle. It never changes a file that it reads.

mod discover;
mod identity;
mod options;
mod position;
mod reading;
mod source;
mod spout;
#[cfg(test)]
mod tests;

pub(super) use options::FileKind;
