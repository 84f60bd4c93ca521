//! The hidden spout `dead_letters`: stands in for any spout when its dead letters are replayed.
//!
//! It gives out chosen letters of a file on the streams that they were on, and takes each out of the
//! file when its tree is acked. Files cannot name it; `galewire dlq replay` puts it into a plan.

mod remover;
mod spout;

pub(super) use spout::LettersKind;
