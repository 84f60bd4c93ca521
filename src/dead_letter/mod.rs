//! Dead letters: messages whose retries are spent, one JSON object a line of a file.
//!
//! Says what stands in a line and how lines are added, read and taken out, by any number of
//! processes at once. Never decides when a message is given up.

mod file;
mod id;
mod letter;
mod moment;
mod read;

pub use file::{append, prepare, remove};
pub use id::{BadLetterId, LetterId};
pub use letter::{Attempt, Letter, LetterError};
pub use moment::Moment;
pub use read::{Entry, LetterKey, Letters, ReadError, newest};
