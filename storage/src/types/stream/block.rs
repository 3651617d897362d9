//! One block of a stream: a listpack in Redis' layout; which block an entry belongs to is decided elsewhere.
//!
//! It begins with the master entry: how many entries live, how many are marked as deleted, the number of field names and
//! the names, and a zero. Then the entries: flags, the two parts of the id relative to the block's first, the number of
//! fields and the pairs (or only the values, if the names are those of the master entry), and the number of elements the
//! entry has taken, by which it is found from behind.

use super::Id;
use crate::listpack::{Iter, Listpack, Position};
use crate::types::Item;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// Elements of the master entry besides the names.
const MASTER: usize = 4;
/// Elements of an entry besides its pairs: flags, both parts of the id, their own count.
const FRAME: usize = 4;

/// A block that holds no entry yet, whose master entry has the names of these pairs.
pub(super) fn create<'a>(pairs: impl Iterator<Item = &'a [u8]> + Clone) -> Listpack {
    let mut listpack = Listpack::new();
    let count = pairs.clone().count() / 2;
    let head = [0, 0, count as i64].into_iter().map(Item::Int);
    listpack.extend(head.chain(pairs.step_by(2).map(Item::Bytes)).chain([Item::Int(0)]));
    listpack
}

/// Whether an entry of `count` elements (names and values) and so many bytes fits a listpack, be it one of its own.
pub(super) fn has_room(listpack: &Listpack, bytes: usize, count: usize) -> bool {
    listpack.has_room(bytes, count.saturating_add(MASTER + FRAME + 1))
}

/// Appends an entry, whose id must be greater than all others.
pub(super) fn push<'a>(listpack: &mut Listpack, first: Id, id: Id, pairs: impl Iterator<Item = &'a [u8]> + Clone) {
    let Some(master) = Master::read(listpack) else { return };
    let count = pairs.clone().count() / 2;
    let names = listpack.iter_from(master.names).take(master.count);
    let is_same = count == master.count && names.zip(pairs.clone().step_by(2)).all(|(ours, given)| ours == given);
    let (ms, seq) = id.offset_from(first);
    let flags = if is_same { SAME_FIELDS } else { 0 };
    let head = [flags, ms, seq].into_iter().map(Item::Int);
    if is_same {
        let tail = Item::Int((count + FRAME - 1) as i64);
        listpack.extend(head.chain(pairs.skip(1).step_by(2).map(Item::Bytes)).chain([tail]));
    } else {
        let head = head.chain([Item::Int(count as i64)]);
        let tail = Item::Int((2 * count + FRAME) as i64);
        listpack.extend(head.chain(pairs.map(Item::Bytes)).chain([tail]));
    }
    count_change(listpack, 1, 0);
}

/// Marks the living entries at these places as deleted; returns how many are left.
pub(super) fn delete(listpack: &mut Listpack, places: &[Position]) -> usize {
    for at in places {
        if let Some(flags) = listpack.get(*at).and_then(Item::to_int) {
            listpack.replace(*at, flags | DELETED);
        }
    }
    // Last, as it may move what follows.
    let count = places.len() as i64;
    count_change(listpack, -count, count);
    live(listpack)
}

/// Entries that are not marked as deleted.
pub(super) fn live(listpack: &Listpack) -> usize {
    listpack.get(listpack.start()).and_then(Item::to_int).and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// Entries, the deleted ones included.
pub(super) fn total(listpack: &Listpack) -> usize {
    let deleted = listpack.get(listpack.next(listpack.start())).and_then(Item::to_int).unwrap_or(0);
    live(listpack).saturating_add(usize::try_from(deleted).unwrap_or(0))
}

fn count_change(listpack: &mut Listpack, live: i64, deleted: i64) {
    for (index, change) in [(0, live), (1, deleted)] {
        let Some(at) = listpack.seek(index).filter(|_| change != 0) else { continue };
        let count = listpack.get(at).and_then(Item::to_int).unwrap_or(0);
        listpack.replace(at, count.saturating_add(change));
    }
}

/// Whether a listpack from a file is a block: every entry whole, the ids growing from `first` on, the counts right, and
/// at least one entry alive or not. Returns the last id.
pub(super) fn check(listpack: &Listpack, first: Id) -> Option<Id> {
    let mut elements = listpack.iter();
    let mut number = || elements.next().and_then(Item::to_int);
    let (live, deleted, names) = (number()?, number()?, number()?);
    let names = usize::try_from(names).ok()?;
    if names > 0 {
        elements.nth(names - 1)?;
    }
    if elements.next()?.to_int()? != 0 {
        return None;
    }
    let (mut seen_live, mut seen_deleted, mut last) = (0i64, 0i64, None);
    while let Some(flags) = elements.next() {
        let flags = flags.to_int().filter(|flags| flags & !(DELETED | SAME_FIELDS) == 0)?;
        let id = first.offset((elements.next()?.to_int()?, elements.next()?.to_int()?));
        if last.map_or(id < first, |last| id <= last) {
            return None;
        }
        last = Some(id);
        let count = match flags & SAME_FIELDS {
            0 => usize::try_from(elements.next()?.to_int()?).ok()?.checked_mul(2)?,
            _ => names,
        };
        if count > 0 {
            elements.nth(count - 1)?;
        }
        let taken = count.checked_add(FRAME - 1)?.checked_add(usize::from(flags & SAME_FIELDS == 0))?;
        if elements.next()?.to_int()? != i64::try_from(taken).ok()? {
            return None;
        }
        match flags & DELETED {
            0 => seen_live += 1,
            _ => seen_deleted += 1,
        }
    }
    if (live, deleted) == (seen_live, seen_deleted) { last } else { None }
}

#[derive(Clone, Copy)]
struct Master {
    /// Number of names.
    count: usize,
    names: Position,
    /// The first entry.
    entries: Position,
}

impl Master {
    fn read(listpack: &Listpack) -> Option<Self> {
        let at = listpack.next(listpack.next(listpack.start()));
        let (count, names) = listpack.entry(at)?;
        let count = usize::try_from(count.to_int()?).ok()?;
        let end = (0..count).fold(names, |at, _| listpack.next(at));
        Some(Master { count, names, entries: listpack.next(end) })
    }
}

/// An entry as it lies in its block.
pub(super) struct Raw<'a> {
    pub(super) id: Id,
    pub(super) is_deleted: bool,
    pub(super) at: Position,
    pub(super) fields: Fields<'a>,
}

/// Walks a block in one direction.
#[derive(Clone)]
pub(super) struct Walk<'a> {
    listpack: &'a Listpack,
    first: Id,
    master: Master,
    at: Position,
}

impl<'a> Walk<'a> {
    /// From the first entry on.
    pub(super) fn forward(first: Id, listpack: &'a Listpack) -> Option<Self> {
        let master = Master::read(listpack)?;
        Some(Walk { listpack, first, master, at: master.entries })
    }

    /// From the first entry with at least this id on. It is looked for from both ends at once, as most who read want the
    /// newest entries.
    pub(super) fn from(first: Id, listpack: &'a Listpack, id: Id) -> Option<Self> {
        let mut front = Self::forward(first, listpack)?;
        if id <= first {
            return Some(front);
        }
        let mut back = Walk { at: listpack.end(), ..front.clone() };
        loop {
            let here = front.at;
            if front.next().is_none_or(|raw| raw.id >= id) {
                return Some(Walk { at: here, ..front });
            }
            let here = back.at;
            if back.next_back().is_none_or(|raw| raw.id < id) {
                return Some(Walk { at: here, ..back });
            }
        }
    }

    /// From the last entry back.
    pub(super) fn backward(first: Id, listpack: &'a Listpack) -> Option<Self> {
        let master = Master::read(listpack)?;
        Some(Walk { listpack, first, master, at: listpack.end() })
    }

    /// The next entry.
    pub(super) fn next(&mut self) -> Option<Raw<'a>> {
        let (raw, behind) = self.read(self.at)?;
        self.at = behind;
        Some(raw)
    }

    /// The entry before.
    pub(super) fn next_back(&mut self) -> Option<Raw<'a>> {
        if self.at <= self.master.entries {
            return None;
        }
        let mut at = self.listpack.previous(self.at)?;
        for _ in 0..self.listpack.get(at)?.to_int()? {
            at = self.listpack.previous(at)?;
        }
        self.at = at;
        self.read(at).map(|(raw, _)| raw)
    }

    fn read(&self, at: Position) -> Option<(Raw<'a>, Position)> {
        let (flags, ms) = self.listpack.entry(at)?;
        let (ms, seq) = self.listpack.entry(ms)?;
        let (seq, behind) = self.listpack.entry(seq)?;
        let flags = flags.to_int()?;
        let id = self.first.offset((ms.to_int()?, seq.to_int()?));
        let is_same = flags & SAME_FIELDS != 0;
        let (count, values) = if is_same {
            (self.master.count, behind)
        } else {
            let (count, values) = self.listpack.entry(behind)?;
            (usize::try_from(count.to_int()?).ok()?, values)
        };
        let elements = if is_same { count } else { 2 * count };
        let end = (0..elements).fold(values, |at, _| self.listpack.next(at));
        let names = is_same.then(|| self.listpack.iter_from(self.master.names));
        let fields = Fields { left: count, names, elements: self.listpack.iter_between(values, end) };
        let raw = Raw { id, is_deleted: flags & DELETED != 0, at, fields };
        Some((raw, self.listpack.next(end)))
    }
}

/// The fields of an entry with their values, in the order in which they were given.
#[derive(Clone)]
pub struct Fields<'a> {
    left: usize,
    /// Those of the master entry, if they are the entry's as well.
    names: Option<Iter<'a>>,
    elements: Iter<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.next()?,
            None => self.elements.next()?,
        };
        Some((name, self.elements.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}
