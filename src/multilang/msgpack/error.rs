//! Why bytes are no message. Fits behind "sent a message that ".

use super::frames::DEEPEST;

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MsgpackError {
    /// Lists and maps within each other, deeper than any client writes.
    #[error("nests lists and maps more than {} deep", DEEPEST)]
    TooDeep,
    /// An extension type, or the one byte that has no meaning.
    #[error("has a value of a type that tuples cannot carry (byte 0x{0:02x})")]
    Unsupported(u8),
    /// A list, a map or a number with a fraction as a key.
    #[error("has a map whose keys are not text")]
    Key,
    /// It breaks off, where it was not framed before.
    #[error("breaks off")]
    Short,
}
