//! The set type: an intset or a listpack while small, a table after that.

use super::{Item, Limits};
use fastrand::Rng;

/// Members, each once.
#[derive(Clone, Default)]
pub struct Set {}

#[allow(unused_variables, clippy::todo)]
impl Set {
    /// An empty set.
    pub fn new() -> Self {
        todo!()
    }
    /// Number of members.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// `intset`, `listpack` or `hashtable`.
    pub fn encoding(&self) -> &'static str {
        todo!()
    }
    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        todo!()
    }
    /// Whether the member is there.
    pub fn contains(&self, member: &[u8]) -> bool {
        todo!()
    }
    /// As `contains`, for a member of another set.
    pub fn contains_item(&self, member: Item<'_>) -> bool {
        todo!()
    }
    /// Converts ahead, as SADD does for `added` members of which `first` is the first.
    pub fn expect(&mut self, added: usize, first: &[u8], limits: &Limits) {
        todo!()
    }
    /// Adds a member; returns whether it is new.
    pub fn insert(&mut self, member: &[u8], limits: &Limits) -> bool {
        todo!()
    }
    /// As `insert`, for a member of another set.
    pub fn insert_item(&mut self, member: Item<'_>, limits: &Limits) -> bool {
        todo!()
    }
    /// Removes a member; returns whether it existed.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        todo!()
    }
    /// Members.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        std::iter::empty()
    }
    /// Visits about `count` members, returns the next cursor.
    pub fn scan(&self, cursor: u64, count: usize, visit: impl FnMut(Item<'_>)) -> u64 {
        todo!()
    }
    /// A member by chance.
    pub fn random(&self, rng: &mut Rng) -> Option<Item<'_>> {
        todo!()
    }
    /// `count` different members by chance (all if there are fewer).
    pub fn sample(&self, count: usize, rng: &mut Rng) -> Vec<Item<'_>> {
        todo!()
    }
    /// Visits `count` members by chance, the same one possibly again.
    pub fn sample_repeating(&self, count: usize, rng: &mut Rng, visit: impl FnMut(Item<'_>)) {
        todo!()
    }
    /// Removes up to `count` members by chance, visiting each.
    pub fn pop(&mut self, count: usize, rng: &mut Rng, limits: &Limits, visit: impl FnMut(Item<'_>)) {
        todo!()
    }
    /// Members of any of the sets.
    pub fn union(sets: &[&Set], limits: &Limits) -> Set {
        todo!()
    }
    /// Members of all sets; an absent key is an empty set.
    pub fn intersection(sets: &[&Set], limits: &Limits) -> Set {
        todo!()
    }
    /// Visits the members of all sets until `visit` returns false.
    pub fn for_each_common(sets: &[&Set], visit: impl FnMut(Item<'_>) -> bool) {
        todo!()
    }
    /// Number of members of all sets, counted up to `limit` (0: no limit).
    pub fn intersection_count(sets: &[&Set], limit: usize) -> usize {
        todo!()
    }
    /// Members of the first set that are in none of the others.
    pub fn difference(sets: &[&Set], limits: &Limits) -> Set {
        todo!()
    }
}
