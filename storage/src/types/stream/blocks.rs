//! The blocks of a stream in order, by their first ids: one in place, several in a tree; what is in them is elsewhere.

use super::Id;
use crate::listpack::Listpack;
use crate::types::OneOf;
use std::collections::{BTreeMap, btree_map};
use std::ops::RangeInclusive;

/// What a block costs in the tree besides its own bytes: half-filled leaves of keys and handles.
const TREE_SHARE: usize = 72;

/// Blocks by their first ids.
#[derive(Clone, Default)]
pub(super) enum Blocks {
    #[default]
    None,
    One(Id, Listpack),
    Many(BTreeMap<Id, Listpack>),
}

type Iter<'a> = OneOf<std::option::IntoIter<(Id, &'a Listpack)>, Pairs<'a>>;

impl Blocks {
    pub(super) fn len(&self) -> usize {
        match self {
            Blocks::None => 0,
            Blocks::One(..) => 1,
            Blocks::Many(tree) => tree.len(),
        }
    }

    /// What the blocks cost besides their own bytes.
    pub(super) fn overhead(&self) -> usize {
        match self {
            Blocks::None | Blocks::One(..) => 0,
            Blocks::Many(tree) => TREE_SHARE * tree.len(),
        }
    }

    /// The block that an id lies in if any does: the last that begins at it or before.
    pub(super) fn find(&self, id: Id) -> Option<(Id, &Listpack)> {
        self.range(Id::MIN..=id).next_back()
    }

    pub(super) fn get(&self, first: Id) -> Option<&Listpack> {
        self.range(first..=first).next().map(|(_, block)| block)
    }

    pub(super) fn get_mut(&mut self, first: Id) -> Option<&mut Listpack> {
        match self {
            Blocks::One(id, block) if *id == first => Some(block),
            Blocks::Many(tree) => tree.get_mut(&first),
            Blocks::None | Blocks::One(..) => None,
        }
    }

    pub(super) fn last(&self) -> Option<(Id, &Listpack)> {
        match self {
            Blocks::None => None,
            Blocks::One(id, block) => Some((*id, block)),
            Blocks::Many(tree) => tree.last_key_value().map(|(id, block)| (*id, block)),
        }
    }

    /// Blocks that begin in the range; reversible.
    pub(super) fn range(&self, range: RangeInclusive<Id>) -> Iter<'_> {
        match self {
            Blocks::None => OneOf::First(None.into_iter()),
            Blocks::One(id, block) => OneOf::First(range.contains(id).then_some((*id, block)).into_iter()),
            Blocks::Many(tree) => {
                let range = if range.is_empty() { Id::MIN..=Id::MIN } else { range };
                OneOf::Second(Pairs(tree.range(range)))
            }
        }
    }

    pub(super) fn insert(&mut self, first: Id, block: Listpack) {
        match std::mem::take(self) {
            Blocks::None => *self = Blocks::One(first, block),
            Blocks::One(id, other) => *self = Blocks::Many([(id, other), (first, block)].into()),
            Blocks::Many(mut tree) => {
                tree.insert(first, block);
                *self = Blocks::Many(tree);
            }
        }
    }

    pub(super) fn remove(&mut self, first: Id) -> Option<Listpack> {
        match std::mem::take(self) {
            Blocks::One(id, block) if id == first => Some(block),
            Blocks::Many(mut tree) => {
                let removed = tree.remove(&first);
                *self = match tree.len() {
                    0 | 1 => tree.pop_first().map_or(Blocks::None, |(id, block)| Blocks::One(id, block)),
                    _ => Blocks::Many(tree),
                };
                removed
            }
            other => {
                *self = other;
                None
            }
        }
    }
}

/// A tree's pairs, the keys by value.
#[derive(Clone)]
pub(super) struct Pairs<'a>(btree_map::Range<'a, Id, Listpack>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (Id, &'a Listpack);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(id, block)| (*id, block))
    }
}

impl DoubleEndedIterator for Pairs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(id, block)| (*id, block))
    }
}
