//! The sorted set type: a listpack while small; a table and a tree of (score, member) after that.

use super::set::Set;
use super::{Item, Limits};
use fastrand::Rng;
use std::ops::Range;

/// Members, each with a score, in the order of scores and then of bytes.
#[derive(Clone, Default)]
pub struct SortedSet {}

/// Conditions of ZADD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddOptions {
    /// NX: never change a member that is there.
    pub only_new: bool,
    /// XX: never add a member.
    pub only_existing: bool,
    /// GT: change a score only to a greater one.
    pub only_greater: bool,
    /// LT: change a score only to a smaller one.
    pub only_less: bool,
    /// INCR: the score is added to the present one.
    pub increment: bool,
}

/// What an addition did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AddOutcome {
    /// The member is new and has this score.
    Added(f64),
    /// The member's score changed to this one.
    Updated(f64),
    /// The member had this score already.
    Unchanged(f64),
    /// The options forbade it.
    Refused,
    /// The score is or would become NaN; nothing changed.
    NotANumber,
}

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreBound {
    /// The score.
    pub value: f64,
    /// Whether the score itself is outside.
    pub exclusive: bool,
}

/// A range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lower end.
    pub min: ScoreBound,
    /// The upper end.
    pub max: ScoreBound,
}

#[allow(unused_variables, clippy::todo)]
impl ScoreRange {
    /// Reads `1.5`, `(1.5`, `-inf`, ...; `None` when one is not a float.
    pub fn parse(min: &[u8], max: &[u8]) -> Option<Self> {
        todo!()
    }
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// `-`: before every member.
    Min,
    /// `+`: after every member.
    Max,
    /// `[member`.
    Included(&'a [u8]),
    /// `(member`.
    Excluded(&'a [u8]),
}

/// A range of members, for sets whose scores are all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// The lower end.
    pub min: LexBound<'a>,
    /// The upper end.
    pub max: LexBound<'a>,
}

#[allow(unused_variables, clippy::todo)]
impl<'a> LexRange<'a> {
    /// Reads `-`, `+`, `[a`, `(a`; `None` for anything else.
    pub fn parse(min: &'a [u8], max: &'a [u8]) -> Option<Self> {
        todo!()
    }
}

/// Indexes as clients give them: inclusive, negative from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankRange {
    /// First index.
    pub start: i64,
    /// Last index, inside.
    pub stop: i64,
}

#[allow(unused_variables, clippy::todo)]
impl RankRange {
    /// The ranks it means in a collection of `len`; empty when it means none.
    pub fn resolve(self, len: usize) -> Range<usize> {
        todo!()
    }
}

/// How the scores of one member in several sets become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregate {
    /// Their sum.
    #[default]
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// An input of union, intersection and difference; members of plain sets score 1.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// The key is absent.
    Empty,
    /// A set.
    Plain(&'a Set),
    /// A sorted set.
    Sorted(&'a SortedSet),
}

#[allow(unused_variables, clippy::todo)]
impl SortedSet {
    /// An empty sorted set.
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
    /// `listpack` or `skiplist`.
    pub fn encoding(&self) -> &'static str {
        todo!()
    }
    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        todo!()
    }
    /// Converts ahead, as ZADD does for `added` members of at most `longest` bytes.
    pub fn expect(&mut self, added: usize, longest: usize, limits: &Limits) {
        todo!()
    }
    /// Adds a member or changes its score.
    pub fn add(&mut self, member: &[u8], score: f64, options: AddOptions, limits: &Limits) -> AddOutcome {
        todo!()
    }
    /// Removes a member; returns whether it existed.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        todo!()
    }
    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        todo!()
    }
    /// The rank (from 0, ascending) and score of a member; the reverse rank is `len() - 1 - rank`.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        todo!()
    }
    /// The ranks of the members whose scores are in a range.
    pub fn ranks_by_score(&self, range: ScoreRange) -> Range<usize> {
        todo!()
    }
    /// The ranks of the members in a range of members.
    pub fn ranks_by_lex(&self, range: LexRange<'_>) -> Range<usize> {
        todo!()
    }
    /// Members with scores at these ranks, in order; reversible, so that REV and LIMIT are `rev`, `skip` and `take` on ranks.
    pub fn range(&self, ranks: Range<usize>) -> impl DoubleEndedIterator<Item = (Item<'_>, f64)> {
        std::iter::empty()
    }
    /// Removes the members at these ranks; returns how many.
    pub fn remove_range(&mut self, ranks: Range<usize>) -> usize {
        todo!()
    }
    /// Removes up to `count` members with the least scores, visiting each in ascending order.
    pub fn pop_min(&mut self, count: usize, visit: impl FnMut(Item<'_>, f64)) {
        todo!()
    }
    /// Removes up to `count` members with the greatest scores, visiting each in descending order.
    pub fn pop_max(&mut self, count: usize, visit: impl FnMut(Item<'_>, f64)) {
        todo!()
    }
    /// All members in order; reversible.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Item<'_>, f64)> {
        std::iter::empty()
    }
    /// Visits about `count` members, returns the next cursor.
    pub fn scan(&self, cursor: u64, count: usize, visit: impl FnMut(Item<'_>, f64)) -> u64 {
        todo!()
    }
    /// A member by chance.
    pub fn random(&self, rng: &mut Rng) -> Option<(Item<'_>, f64)> {
        todo!()
    }
    /// `count` different members by chance (all if there are fewer).
    pub fn sample(&self, count: usize, rng: &mut Rng) -> Vec<(Item<'_>, f64)> {
        todo!()
    }
    /// Visits `count` members by chance, the same one possibly again.
    pub fn sample_repeating(&self, count: usize, rng: &mut Rng, visit: impl FnMut(Item<'_>, f64)) {
        todo!()
    }
    /// Members of any source.
    pub fn union(sources: &[(Source<'_>, f64)], aggregate: Aggregate, limits: &Limits) -> SortedSet {
        todo!()
    }
    /// Members of all sources.
    pub fn intersection(sources: &[(Source<'_>, f64)], aggregate: Aggregate, limits: &Limits) -> SortedSet {
        todo!()
    }
    /// Number of members of all sources, counted up to `limit` (0: no limit).
    pub fn intersection_count(sources: &[Source<'_>], limit: usize) -> usize {
        todo!()
    }
    /// Members of the first source that are in none of the others.
    pub fn difference(sources: &[Source<'_>], limits: &Limits) -> SortedSet {
        todo!()
    }
}
