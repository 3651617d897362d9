//! The table behind hashes, sets and sorted sets: allocations that begin with a key of bytes; no encodings, no limits.

use super::choose;
use crate::packed::{Header, Packed};
use crate::table::Table;
use fastrand::Rng;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};

/// A header whose bytes begin with a key.
///
/// Implementors give the length of the key as a prefix of the tail; it must not exceed `tail_len`.
pub(super) trait Keyed: Header {
    fn key_len(&self) -> usize;
}

/// The key at the start of an entry's bytes.
#[inline(always)]
pub(super) fn key_of<H: Keyed>(entry: &Packed<H>) -> &[u8] {
    &entry.tail()[..entry.header().key_len()]
}

/// The length of an element as headers store it.
///
/// # Panics
/// At 4 GiB, which the protocol's limit on strings keeps away.
#[inline]
pub(super) fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("elements are shorter than 4 GiB")
}

/// A table of entries that are found by their keys.
pub(super) struct Members<H: Keyed> {
    table: Table<Packed<H>>,
    seed: u64,
    entry_bytes: usize,
    picture: Option<Box<Picture<H>>>,
}

/// A picture of the members as they were when it was begun, taken in parts while they change.
///
/// The parts follow the table's scan, whose cursor is a position among reversed hashes: what lies before it has been
/// visited. What changes behind it is put aside as it was, once.
struct Picture<H: Keyed> {
    cursor: u64,
    /// Keys behind the cursor that are not to be visited: put aside already, or not there when the picture was begun.
    handled: HashSet<Box<[u8]>>,
    aside: Vec<Packed<H>>,
}

impl<H: Keyed> Picture<H> {
    fn has_passed(&self, hash: u64) -> bool {
        hash.reverse_bits() < self.cursor.reverse_bits()
    }
}

impl<H: Keyed> Members<H> {
    pub(super) fn new(seed: u64) -> Self {
        Members { table: Table::new(), seed, entry_bytes: 0, picture: None }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Number of entries of each bucket of the table.
    pub(super) fn bucket_lengths(&self) -> Vec<usize> {
        self.table.bucket_lengths().collect()
    }

    /// Bytes on the heap, of the table and of its entries. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.entry_bytes
    }

    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        hash_of(self.seed, key)
    }

    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Option<&Packed<H>> {
        self.get_hashed(self.hash(key), key)
    }

    /// As `get`, for a caller that needs the hash again.
    #[inline]
    pub(super) fn get_hashed(&self, hash: u64, key: &[u8]) -> Option<&Packed<H>> {
        self.table.find(hash, |entry| key_of(entry) == key)
    }

    /// An entry with this hash that `is` picks.
    pub(super) fn find_where(&self, hash: u64, is: impl Fn(&Packed<H>) -> bool) -> Option<&Packed<H>> {
        self.table.find(hash, is)
    }

    #[inline]
    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// As `get_hashed`, to change the entry; the key must stay as it is. `None` if there is none.
    #[inline]
    pub(super) fn update_hashed<R>(
        &mut self,
        hash: u64,
        key: &[u8],
        change: impl FnOnce(&mut Packed<H>) -> R,
    ) -> Option<R> {
        self.put_aside(hash, key);
        let entry = self.table.find_mut(hash, |entry| key_of(entry) == key)?;
        let before = entry.heap_bytes();
        let result = change(entry);
        self.entry_bytes = self.entry_bytes - before + entry.heap_bytes();
        Some(result)
    }

    /// Adds an entry whose key is not there yet; `hash` is its key's.
    pub(super) fn insert_new(&mut self, hash: u64, entry: Packed<H>) {
        self.entry_bytes += entry.heap_bytes();
        if let Some(picture) = &mut self.picture
            && !picture.has_passed(hash)
        {
            picture.handled.insert(key_of(&entry).into());
        }
        let seed = self.seed;
        self.table.insert(hash, entry, |entry| hash_of(seed, key_of(entry)));
    }

    #[inline]
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Removes the entry with this key that lies at this address.
    pub(super) fn remove_at(&mut self, key: &[u8], address: *const u8) -> Option<Packed<H>> {
        let (seed, hash) = (self.seed, self.hash(key));
        self.put_aside(hash, key);
        let entry =
            self.table.remove(hash, |entry| entry.address() == address, |entry| hash_of(seed, key_of(entry)))?;
        self.entry_bytes -= entry.heap_bytes();
        Some(entry)
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Packed<H>> {
        let (seed, hash) = (self.seed, self.hash(key));
        self.put_aside(hash, key);
        let entry = self.table.remove(hash, |entry| key_of(entry) == key, |entry| hash_of(seed, key_of(entry)))?;
        self.entry_bytes -= entry.heap_bytes();
        Some(entry)
    }

    /// Takes out an entry by chance.
    pub(super) fn pop_random(&mut self, rng: &mut Rng) -> Option<Packed<H>> {
        let (seed, entry) = (self.seed, self.random(rng)?);
        // By address: the key cannot be borrowed from the entry while the table changes.
        let (hash, address) = (self.hash(key_of(entry)), entry.address());
        if self.picture.is_some() {
            let key = key_of(entry).to_vec();
            self.put_aside(hash, &key);
        }
        let entry =
            self.table.remove(hash, |entry| entry.address() == address, |entry| hash_of(seed, key_of(entry)))?;
        self.entry_bytes -= entry.heap_bytes();
        Some(entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Packed<H>> {
        self.table.iter()
    }

    /// Visits about `count` entries from `cursor` on and returns the next cursor, 0 at the end.
    pub(super) fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&Packed<H>)) -> u64 {
        // A table that has shrunk holds many empty buckets: looking at more than these would make one call slow.
        let mut buckets = count.saturating_mul(10).max(1);
        let (mut cursor, mut seen) = (cursor, 0usize);
        loop {
            cursor = self.table.scan(cursor, |entry| {
                seen += 1;
                visit(entry);
            });
            buckets -= 1;
            if cursor == 0 || seen >= count || buckets == 0 {
                return cursor;
            }
        }
    }

    /// Begins a picture of the members as they are now; [`Members::take_part`] takes it.
    pub(super) fn begin_picture(&mut self) {
        self.picture = Some(Box::new(Picture { cursor: 0, handled: HashSet::new(), aside: Vec::new() }));
    }

    /// Whether a picture has been begun and not taken to its end.
    #[inline]
    pub(super) fn has_picture(&self) -> bool {
        self.picture.is_some()
    }

    /// Visits about `most` members as they were when the picture was begun, each once over all calls; returns whether
    /// that was the last part.
    pub(super) fn take_part(&mut self, most: usize, mut visit: impl FnMut(&Packed<H>)) -> bool {
        let Some(mut picture) = self.picture.take() else { return true };
        picture.aside.drain(..).for_each(|entry| visit(&entry));
        let mut seen = 0;
        while seen < most {
            let from = picture.cursor.reverse_bits();
            picture.cursor = self.table.scan(picture.cursor, |entry| {
                // Buckets that have merged since the last part may reach back to before the cursor.
                let is_behind = from != 0 && self.hash(key_of(entry)).reverse_bits() < from;
                if !is_behind && (picture.handled.is_empty() || !picture.handled.contains(key_of(entry))) {
                    visit(entry);
                }
                seen += 1;
            });
            if picture.cursor == 0 {
                return true;
            }
            seen += 1;
        }
        self.picture = Some(picture);
        false
    }

    /// Keeps an entry that is about to change or to go for the picture that is being taken.
    #[inline]
    fn put_aside(&mut self, hash: u64, key: &[u8]) {
        let Some(picture) = &mut self.picture else { return };
        if picture.has_passed(hash) || picture.handled.contains(key) {
            return;
        }
        if let Some(entry) = self.table.find(hash, |entry| key_of(entry) == key) {
            picture.aside.push(Packed::new(*entry.header(), &[entry.tail()]));
            picture.handled.insert(key.into());
        }
    }

    pub(super) fn random(&self, rng: &mut Rng) -> Option<&Packed<H>> {
        self.table.random(rng)
    }

    /// `count` different entries by chance, all if there are fewer. O(count) expected.
    pub(super) fn sample(&self, count: usize, rng: &mut Rng) -> Vec<&Packed<H>> {
        if count.saturating_mul(3) > self.len() {
            return choose(self.iter().collect(), count, rng);
        }
        let (mut seen, mut sample) = (HashSet::with_capacity(count), Vec::with_capacity(count));
        while sample.len() < count {
            let Some(entry) = self.random(rng) else { break };
            if seen.insert(entry.address()) {
                sample.push(entry);
            }
        }
        sample
    }
}

impl<H: Keyed> Clone for Members<H> {
    fn clone(&self) -> Self {
        let mut copy = Members::new(self.seed);
        for entry in self.iter() {
            copy.insert_new(self.hash(key_of(entry)), Packed::new(*entry.header(), &[entry.tail()]));
        }
        copy
    }
}

#[inline]
fn hash_of(seed: u64, bytes: &[u8]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(seed).build_hasher();
    hasher.write(bytes);
    hasher.finish()
}
