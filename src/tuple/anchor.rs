//! What ties a tuple to the spout tuples it came from.

use std::fmt;
use std::ops::Deref;

use crate::base::{EdgeId, RootId, TaskId};

/// One root that a tuple belongs to, and the tuple's own edge in that root's tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The emission of the spout.
    pub root: RootId,
    /// This tuple's edge; XORed in when it is sent and again when it is acked.
    pub edge: EdgeId,
    /// The spout task whose ledger keeps the root.
    pub spout: TaskId,
}

/// A tuple's anchors: one for most tuples, none for an untracked one.
///
/// Reads as a slice. A single anchor lies in the value itself, and is copied as a few registers.
#[derive(Clone, Default)]
pub struct Anchors(Held);

#[derive(Clone, Default)]
enum Held {
    #[default]
    None,
    One(Anchor),
    Many(Vec<Anchor>),
}

impl Anchors {
    /// No anchors.
    pub const fn new() -> Self {
        Self(Held::None)
    }

    /// One anchor.
    #[inline]
    pub const fn one(anchor: Anchor) -> Self {
        Self(Held::One(anchor))
    }

    /// The anchor, where there is exactly one.
    #[inline]
    pub fn single(&self) -> Option<&Anchor> {
        match &self.0 {
            Held::One(anchor) => Some(anchor),
            _ => None,
        }
    }

    /// Adds an anchor.
    #[inline]
    pub fn push(&mut self, anchor: Anchor) {
        match &mut self.0 {
            Held::None => self.0 = Held::One(anchor),
            Held::One(first) => self.0 = Held::Many(vec![*first, anchor]),
            Held::Many(anchors) => anchors.push(anchor),
        }
    }

    /// The anchors.
    #[inline]
    pub fn as_slice(&self) -> &[Anchor] {
        match &self.0 {
            Held::None => &[],
            Held::One(anchor) => std::slice::from_ref(anchor),
            Held::Many(anchors) => anchors,
        }
    }
}

impl Deref for Anchors {
    type Target = [Anchor];

    #[inline]
    fn deref(&self) -> &[Anchor] {
        self.as_slice()
    }
}

impl PartialEq for Anchors {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl FromIterator<Anchor> for Anchors {
    fn from_iter<I: IntoIterator<Item = Anchor>>(anchors: I) -> Self {
        let mut all = Self::new();
        anchors.into_iter().for_each(|anchor| all.push(anchor));
        all
    }
}

impl<'a> IntoIterator for &'a Anchors {
    type Item = &'a Anchor;
    type IntoIter = std::slice::Iter<'a, Anchor>;

    fn into_iter(self) -> Self::IntoIter {
        self.as_slice().iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_keep_their_order_however_many_there_are() {
        let anchor = |n| Anchor { root: RootId(n), edge: EdgeId(n), spout: TaskId(1) };
        for count in 0..5 {
            let all: Vec<_> = (0..count).map(anchor).collect();
            let anchors: Anchors = all.iter().copied().collect();
            assert_eq!(anchors.as_slice(), all);
            assert_eq!(anchors.single(), all.first().filter(|_| count == 1));
            assert_eq!(anchors, anchors.clone());
        }
    }
}
