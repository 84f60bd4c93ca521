//! Tuples and their values, in memory, as JSON, on the wire, and as grouping keys.
//!
//! Nothing here decides where a tuple goes, and no value from a child is changed on its way.

mod anchor;
mod canonical;
mod json;
mod model;
mod value;
pub mod wire;

pub use anchor::{Anchor, Anchors};
pub use canonical::{KEY_GROUPS, KeyBytes, KeyGroup, key_bytes, key_group, key_hash};
pub use json::{JsonError, Scanner, parse_value, write_json_string};
pub use model::{Flags, Ticket, Tuple, Values};
pub use value::{RawJson, Text, Value};
