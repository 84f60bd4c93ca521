//! The groupings, as they stand in the plan.

use serde::{Deserialize, Serialize};

/// A grouping's name in topology files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupingName {
    /// In turns among the tasks that have room.
    Shuffle,
    /// In turns among the tasks of the sender's own worker, or among all where it has none.
    LocalOrShuffle,
    /// Every task.
    All,
    /// The task with the lowest id.
    Global,
    /// No matter which; today the same as shuffle.
    None,
    /// The task that the emitter names.
    Direct,
    /// Equal values of these fields go to the same task.
    Fields,
    /// Equal values of these fields go to one of two tasks, whichever has had less.
    PartialKey,
}

impl GroupingName {
    /// The groupings written as a bare string.
    pub const PLAIN: &'static [Self] =
        &[Self::Shuffle, Self::LocalOrShuffle, Self::All, Self::Global, Self::None, Self::Direct];

    /// The name in topology files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shuffle => "shuffle",
            Self::LocalOrShuffle => "local_or_shuffle",
            Self::All => "all",
            Self::Global => "global",
            Self::None => "none",
            Self::Direct => "direct",
            Self::Fields => "fields",
            Self::PartialKey => "partial_key",
        }
    }

    /// Whether it chooses among so many tasks without a look at the values.
    pub fn is_blind(self, tasks: usize) -> bool {
        tasks <= 1 || !matches!(self, Self::Fields | Self::PartialKey)
    }

    /// Storm's name in the multilang handshake. Storm has no name of its own for global (it is
    /// FIELDS without fields) nor for partial key.
    pub fn storm_name(self) -> &'static str {
        match self {
            Self::Shuffle => "SHUFFLE",
            Self::LocalOrShuffle => "LOCAL_OR_SHUFFLE",
            Self::All => "ALL",
            Self::Global | Self::Fields => "FIELDS",
            Self::None => "NONE",
            Self::Direct => "DIRECT",
            Self::PartialKey => "CUSTOM_SERIALIZED",
        }
    }
}

/// A grouping with its fields resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grouping {
    /// Which one.
    pub name: GroupingName,
    /// The fields of a fields or partial-key grouping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Where those fields stand among the stream's fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<usize>,
}

impl Grouping {
    /// A grouping that takes no fields.
    pub fn plain(name: GroupingName) -> Self {
        Self { name, fields: Vec::new(), indexes: Vec::new() }
    }

    /// A grouping over fields, which stand at `indexes` in the stream.
    pub fn over(name: GroupingName, fields: Vec<String>, indexes: Vec<usize>) -> Self {
        Self { name, fields, indexes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_groupings_have_the_names_that_clients_of_storm_know() {
        let known = [
            "FIELDS",
            "SHUFFLE",
            "ALL",
            "NONE",
            "DIRECT",
            "CUSTOM_OBJECT",
            "CUSTOM_SERIALIZED",
            "LOCAL_OR_SHUFFLE",
        ];
        let names =
            GroupingName::PLAIN.iter().chain(&[GroupingName::Fields, GroupingName::PartialKey]);
        for name in names {
            assert!(known.contains(&name.storm_name()), "{name:?}");
        }
        assert_eq!(GroupingName::Global.storm_name(), "FIELDS");
    }
}
