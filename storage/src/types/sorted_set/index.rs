//! The large form of a sorted set: a table from member to score, and a tree of scores with handles on the members.

use crate::packed::{Header, Packed, PackedRef};
use crate::tree::Tree;
use crate::types::members::{Keyed, Members, key_of, length};
use crate::types::{Item, Limits};
use fastrand::Rng;
use std::cmp::Ordering;
use std::ops::Range;

/// Members with scores, found by member and by rank. No score is NaN.
///
/// Every entry of `members` has exactly one key in `ranks`, with its score and a handle on its allocation. Allocations
/// stay where they are while the table moves their owners, and members are never resized. A key leaves the tree before
/// its entry is dropped; that keeps the handles valid.
pub(super) struct Index {
    members: Members<Scored>,
    ranks: Tree<Ranked>,
}

/// Score and length of a member, whose bytes follow; packed so that they begin after twelve bytes and not after sixteen.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
struct Scored {
    score: f64,
    len: u32,
}

// SAFETY: the length is that of the member which `entry` hands over together with this header, and no one changes it.
unsafe impl Header for Scored {
    #[inline(always)]
    fn tail_len(&self) -> usize {
        self.len as usize
    }
}

impl Keyed for Scored {
    #[inline(always)]
    fn key_len(&self) -> usize {
        self.len as usize
    }
}

/// A member in the order of scores and then of bytes. The score is here as well as behind the handle: only members of
/// the same score make a comparison leave the leaf.
#[derive(Clone, Copy)]
struct Ranked {
    score: f64,
    member: PackedRef<Scored>,
}

impl Ranked {
    /// The key of an entry, with its own score or another.
    fn of(entry: &Packed<Scored>, score: f64) -> Self {
        // SAFETY: `Index` removes the key from its tree before it drops the entry, and never resizes an entry.
        Ranked { score, member: unsafe { entry.alias() } }
    }

    fn pair(&self) -> (Item<'_>, f64) {
        (Item::Bytes(self.member.tail()), self.score)
    }
}

impl Ord for Ranked {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        if self.score < other.score {
            Ordering::Less
        } else if self.score > other.score {
            Ordering::Greater
        } else {
            self.member.tail().cmp(other.member.tail())
        }
    }
}

impl PartialOrd for Ranked {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

impl Index {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Number of members of each bucket of the table.
    pub(super) fn bucket_lengths(&self) -> Vec<usize> {
        self.members.bucket_lengths()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.members.heap_bytes() + self.ranks.heap_bytes()
    }

    #[inline]
    pub(super) fn hash(&self, member: &[u8]) -> u64 {
        self.members.hash(member)
    }

    /// The score of a member with this hash.
    #[inline]
    pub(super) fn score(&self, hash: u64, member: &[u8]) -> Option<f64> {
        self.members.get_hashed(hash, member).map(|entry| entry.header().score)
    }

    /// Adds a member that is not there.
    pub(super) fn insert_new(&mut self, hash: u64, member: &[u8], score: f64) {
        let entry = entry(member, score);
        self.ranks.insert(Ranked::of(&entry, score));
        self.members.insert_new(hash, entry);
    }

    /// Gives a member another score.
    pub(super) fn set_score(&mut self, hash: u64, member: &[u8], score: f64) {
        let Some(entry) = self.members.get_hashed(hash, member) else { return };
        self.ranks.replace(&Ranked::of(entry, entry.header().score), Ranked::of(entry, score));
        self.members.update_hashed(hash, member, |entry| entry.set_header(Scored { score, ..*entry.header() }));
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        let Some(entry) = self.members.get(member) else { return false };
        self.ranks.remove(&Ranked::of(entry, entry.header().score));
        self.members.remove(member).is_some()
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let entry = self.members.get(member)?;
        let score = entry.header().score;
        Some((self.ranks.rank(&Ranked::of(entry, score))?, score))
    }

    /// How many members come before the first for which `before` does not hold.
    pub(super) fn partition_point(&self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        self.ranks.partition_point(|key| before(key.score, key.member.tail()))
    }

    /// Members in the order of ranks; reversible.
    pub(super) fn range(&self, ranks: Range<usize>) -> impl DoubleEndedIterator<Item = (Item<'_>, f64)> {
        self.ranks.range(ranks).map(Ranked::pair)
    }

    pub(super) fn remove_range(&mut self, ranks: Range<usize>) {
        let members = &mut self.members;
        self.ranks.remove_range(ranks, |key| {
            members.remove_at(key.member.tail(), key.member.address());
        });
    }

    pub(super) fn begin_picture(&mut self) {
        self.members.begin_picture();
    }

    pub(super) fn has_picture(&self) -> bool {
        self.members.has_picture()
    }

    pub(super) fn take_part(&mut self, most: usize, mut visit: impl FnMut(Item<'_>, f64)) -> bool {
        self.members.take_part(most, |entry| visit(Item::Bytes(key_of(entry)), entry.header().score))
    }

    pub(super) fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>, f64)) -> u64 {
        self.members.scan(cursor, count, |entry| visit(Item::Bytes(key_of(entry)), entry.header().score))
    }

    pub(super) fn random(&self, rng: &mut Rng) -> Option<(Item<'_>, f64)> {
        self.members.random(rng).map(pair)
    }

    pub(super) fn sample(&self, count: usize, rng: &mut Rng) -> Vec<(Item<'_>, f64)> {
        self.members.sample(count, rng).into_iter().map(pair).collect()
    }
}

impl Clone for Index {
    fn clone(&self) -> Self {
        let (mut members, mut keys) = (Members::new(self.members.seed()), Vec::with_capacity(self.len()));
        for key in self.ranks.iter() {
            let entry = entry(key.member.tail(), key.score);
            keys.push(Ranked::of(&entry, key.score));
            members.insert_new(members.hash(key.member.tail()), entry);
        }
        Index { members, ranks: Tree::from_sorted(&keys) }
    }
}

/// Members that gather scores before anyone asks for their order: unions, conversions.
pub(super) struct Builder {
    members: Members<Scored>,
}

impl Builder {
    pub(super) fn new(limits: &Limits) -> Self {
        Builder { members: Members::new(limits.hash_seed) }
    }

    /// Adds a member with a score, or combines the score with the present one.
    pub(super) fn add(&mut self, member: &[u8], score: f64, combine: impl FnOnce(f64, f64) -> f64) {
        let hash = self.members.hash(member);
        let known = self.members.update_hashed(hash, member, |entry| {
            let header = *entry.header();
            entry.set_header(Scored { score: combine(header.score, score), ..header });
        });
        if known.is_none() {
            self.members.insert_new(hash, entry(member, score));
        }
    }

    /// Orders the members. O(n log n).
    pub(super) fn finish(self) -> Index {
        let mut keys: Vec<Ranked> = self.members.iter().map(|entry| Ranked::of(entry, entry.header().score)).collect();
        keys.sort_unstable();
        Index { ranks: Tree::from_sorted(&keys), members: self.members }
    }
}

fn entry(member: &[u8], score: f64) -> Packed<Scored> {
    Packed::new(Scored { score, len: length(member) }, &[member])
}

fn pair(entry: &Packed<Scored>) -> (Item<'_>, f64) {
    (Item::Bytes(key_of(entry)), entry.header().score)
}
