//! What becomes of a tuple whose way to a consuming task is full. Nothing is done about it here.

use serde::{Deserialize, Serialize};

/// What an input does when its budget of bytes is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// The producing task waits, and so does what feeds it, back to the spouts.
    #[default]
    Block,
    /// The tuple that comes is dropped; its tree completes without it.
    DropNewest,
    /// The tuples that have waited longest are dropped; their trees complete without them.
    DropOldest,
    /// The tuple that comes is dropped, and its tree fails: the spout's `retry` decides.
    Shed,
}

impl OnFull {
    /// Every word, as in the file.
    pub(crate) const WORDS: &'static [&'static str] =
        &["block", "drop_newest", "drop_oldest", "shed"];

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// The policy of a word in the file.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Block, Self::DropNewest, Self::DropOldest, Self::Shed];
        all.into_iter().find(|policy| policy.as_str() == word)
    }

    /// Whether the producing task waits for room.
    #[inline]
    pub fn blocks(self) -> bool {
        self == Self::Block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_plan() {
        for word in OnFull::WORDS {
            let policy = OnFull::of_word(word).unwrap();
            assert_eq!(serde_json::to_string(&policy).unwrap(), format!("\"{word}\""));
        }
        assert_eq!(OnFull::of_word("drop"), None);
    }
}
