//! Messages as msgpack, in place of JSON: bare maps, one behind the other, both ways.
//!
//! It stands at the edge: what a child wrote becomes the JSON text of the same message, and what the
//! engine wrote as JSON becomes msgpack. Sessions know of JSON alone, so that a value is the same
//! whichever of the two its producers and consumers speak. Pure; nothing here trusts a length that
//! a child has claimed.

mod decode;
mod encode;
mod error;
mod frames;

#[cfg(test)]
mod tests;

pub(super) use encode::encode;
pub use error::MsgpackError;
pub(super) use frames::Maps;
