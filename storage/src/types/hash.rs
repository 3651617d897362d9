//! The hash type: fields and values, as a listpack while small and as a table after that; no deadlines yet.

use super::{Item, Limits};
use fastrand::Rng;

/// Fields with their values.
#[derive(Clone, Default)]
pub struct Hash {}

#[allow(unused_variables, clippy::todo)]
impl Hash {
    /// An empty hash.
    pub fn new() -> Self {
        todo!()
    }
    /// Number of fields.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// `listpack` or `hashtable`.
    pub fn encoding(&self) -> &'static str {
        todo!()
    }
    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        todo!()
    }
    /// The value of a field.
    pub fn get(&self, field: &[u8]) -> Option<Item<'_>> {
        todo!()
    }
    /// Whether the field exists.
    pub fn contains(&self, field: &[u8]) -> bool {
        todo!()
    }
    /// Bytes of the field's value, 0 without the field.
    pub fn value_len(&self, field: &[u8]) -> usize {
        todo!()
    }
    /// Converts ahead, as a command does that brings `added` fields with elements of at most `longest` bytes.
    pub fn expect(&mut self, added: usize, longest: usize, limits: &Limits) {
        todo!()
    }
    /// Sets a field; returns whether it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> bool {
        todo!()
    }
    /// Removes a field; returns whether it existed.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        todo!()
    }
    /// Fields with values.
    pub fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
        std::iter::empty()
    }
    /// Visits about `count` fields, returns the next cursor.
    pub fn scan(&self, cursor: u64, count: usize, visit: impl FnMut(Item<'_>, Item<'_>)) -> u64 {
        todo!()
    }
    /// A field by chance.
    pub fn random(&self, rng: &mut Rng) -> Option<(Item<'_>, Item<'_>)> {
        todo!()
    }
    /// `count` different fields by chance (all if there are fewer).
    pub fn sample(&self, count: usize, rng: &mut Rng) -> Vec<(Item<'_>, Item<'_>)> {
        todo!()
    }
    /// Visits `count` fields by chance, the same one possibly again.
    pub fn sample_repeating(&self, count: usize, rng: &mut Rng, visit: impl FnMut(Item<'_>, Item<'_>)) {
        todo!()
    }
}
