//! The list type: one listpack while small, a sequence of listpack nodes (a quicklist) after that.

use super::{Item, Limits};

/// Which end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The left end, index 0.
    Front,
    /// The right end, index -1.
    Back,
}

/// What LPOS asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// Match to begin with: 1 is the first from the front, -1 the first from the back; never 0.
    pub rank: i64,
    /// Matches to report; 0 means all.
    pub count: usize,
    /// Elements to compare; 0 means all.
    pub max_len: usize,
}

/// Elements in order.
#[derive(Clone, Default)]
pub struct List {}

#[allow(unused_variables, clippy::todo)]
impl List {
    /// An empty list.
    pub fn new() -> Self {
        todo!()
    }
    /// Number of elements.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// `listpack` or `quicklist`.
    pub fn encoding(&self) -> &'static str {
        todo!()
    }
    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        todo!()
    }
    /// Adds an element at one end.
    pub fn push(&mut self, side: Side, value: &[u8], limits: &Limits) {
        todo!()
    }
    /// Adds elements at one end one after the other, converting as one command does.
    pub fn push_all<'a>(&mut self, side: Side, values: impl Iterator<Item = &'a [u8]> + Clone, limits: &Limits) {
        todo!()
    }
    /// Takes an element from one end, shows it to `read` before it goes.
    pub fn pop<R>(&mut self, side: Side, limits: &Limits, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        todo!()
    }
    /// Takes up to `count` elements from one end, in the order of taking.
    pub fn pop_many(&mut self, side: Side, count: usize, limits: &Limits, visit: impl FnMut(Item<'_>)) {
        todo!()
    }
    /// The element at an index; negative ones count from the back.
    pub fn get(&self, index: i64) -> Option<Item<'_>> {
        todo!()
    }
    /// Replaces the element at an index; false when there is none.
    pub fn set(&mut self, index: i64, value: &[u8], limits: &Limits) -> bool {
        todo!()
    }
    /// Inserts before the first element equal to `pivot`; false without one.
    pub fn insert_before(&mut self, pivot: &[u8], value: &[u8], limits: &Limits) -> bool {
        todo!()
    }
    /// Inserts after the first element equal to `pivot`; false without one.
    pub fn insert_after(&mut self, pivot: &[u8], value: &[u8], limits: &Limits) -> bool {
        todo!()
    }
    /// Removes elements equal to `value`: the first `count`, the last `-count`, or all for 0; returns how many went.
    pub fn remove(&mut self, count: i64, value: &[u8], limits: &Limits) -> usize {
        todo!()
    }
    /// Keeps `start..end` (as positions from the front) only.
    pub fn trim(&mut self, range: std::ops::Range<usize>, limits: &Limits) {
        todo!()
    }
    /// Elements of `start..end` (positions from the front); reversible.
    pub fn range(&self, range: std::ops::Range<usize>) -> impl DoubleEndedIterator<Item = Item<'_>> {
        std::iter::empty()
    }
    /// All elements; reversible.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Item<'_>> {
        std::iter::empty()
    }
    /// Positions (from the front) of matches.
    pub fn positions(&self, value: &[u8], search: Search) -> Vec<usize> {
        todo!()
    }
}
