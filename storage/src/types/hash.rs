//! The hash type: fields and values, each field with a deadline if it has one, as a listpack while small and as a table
//! after that.

use super::members::{Keyed, Members, length};
use super::{Item, Limits, OneOf, choose};
use crate::clock::Millis;
use crate::deadlines::Deadlines;
use crate::listpack::{Listpack, Position};
use crate::packed::{Header, Packed};
use fastrand::Rng;
use std::borrow::Cow;
use std::ops::ControlFlow;

/// Longest field; the bit above this length says that a deadline follows the value.
pub const FIELD_MAX: usize = i32::MAX as usize;
/// The bit of a field's length that says so.
const HAS_DEADLINE: u32 = 1 << 31;
/// Bytes of a deadline in a table.
const DEADLINE: usize = 8;

/// Fields, each shorter than 2 GiB, with their values, each shorter than 4 GiB.
///
/// Nothing here looks at the clock: what is due is there until [`Hash::take_due`] takes it out.
#[derive(Clone, Debug)]
pub struct Hash {
    repr: Repr,
}

#[derive(Clone)]
enum Repr {
    /// Field, value, field, value, ... in the order of arrival.
    Listpack(Listpack),
    /// Field, value, deadline, field, value, deadline, ... the earliest deadline first, those without one (0) at the end:
    /// Redis' own form of a small hash whose fields have had deadlines.
    Triples(Box<Listpack>),
    /// The second part is there once a field has had a deadline.
    Table(Box<Members<Pair>>, Option<Box<Timing>>),
}

// A hash without deadlines pays nothing for them.
const _: () = assert!(size_of::<Hash>() == size_of::<Listpack>());

/// The deadlines of a table's fields in order, by the hashes of the fields.
struct Timing {
    order: Deadlines,
    /// The earliest deadline when the picture on its way was begun.
    pictured: Option<Millis>,
}

impl Clone for Timing {
    fn clone(&self) -> Self {
        Timing { order: self.order.clone(), pictured: None }
    }
}

/// Lengths of a field and of its value, whose bytes follow, and behind them the deadline if the field's length has the bit.
#[derive(Clone, Copy)]
struct Pair {
    field: u32,
    value: u32,
}

impl Pair {
    fn new(field: &[u8], value: &[u8], has_deadline: bool) -> Self {
        assert!(field.len() <= FIELD_MAX, "fields are shorter than 2 GiB");
        Pair { field: length(field), value: length(value) }.with_deadline(has_deadline)
    }

    fn with_deadline(self, has_deadline: bool) -> Self {
        let field = if has_deadline { self.field | HAS_DEADLINE } else { self.field & !HAS_DEADLINE };
        Pair { field, ..self }
    }

    #[inline(always)]
    fn has_deadline(&self) -> bool {
        self.field & HAS_DEADLINE != 0
    }

    #[inline(always)]
    fn value_end(&self) -> usize {
        self.key_len() + self.value as usize
    }
}

// SAFETY: the lengths are those of the parts that `pack` and `set` hand over together with this header.
unsafe impl Header for Pair {
    #[inline(always)]
    fn tail_len(&self) -> usize {
        self.value_end() + if self.has_deadline() { DEADLINE } else { 0 }
    }
}

impl Keyed for Pair {
    #[inline(always)]
    fn key_len(&self) -> usize {
        (self.field & !HAS_DEADLINE) as usize
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Repr {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Repr::Listpack(_) => "Listpack",
            Repr::Triples(_) => "Triples",
            Repr::Table(..) => "Table",
        })
    }
}

impl Hash {
    /// An empty hash.
    pub fn new() -> Self {
        Hash { repr: Repr::Listpack(Listpack::new()) }
    }

    /// Takes a listpack of fields and values from a file; `None` if a value or a field is missing or a field comes twice.
    pub fn from_listpack(listpack: Listpack) -> Option<Self> {
        super::keys_differ(listpack.iter(), 2).then_some(Hash { repr: Repr::Listpack(listpack) })
    }

    /// Takes a listpack of fields, values and deadlines (0 is none) from a file; `None` if something is missing, a field
    /// comes twice or a deadline is no time.
    pub fn from_triples(listpack: Listpack) -> Option<Self> {
        if !super::keys_differ(listpack.iter(), 3) {
            return None;
        }
        let deadlines = listpack.iter().skip(2).step_by(3).map(|item| item.to_int().filter(|at| *at >= 0));
        let deadlines: Vec<i64> = deadlines.collect::<Option<_>>()?;
        let rank = |at: i64| if at == 0 { i64::MAX } else { at };
        if deadlines.is_sorted_by_key(|at| rank(*at)) {
            return Some(Hash { repr: Repr::Triples(Box::new(listpack)) });
        }
        let mut sorted: Vec<_> = triples(&listpack).collect();
        sorted.sort_by_key(|(.., at)| at.unwrap_or(Millis::MAX));
        let mut listpack = Listpack::new();
        for (field, value, at) in sorted {
            [field, value, stored(at)].into_iter().for_each(|item| listpack.push_back(item));
        }
        Some(Hash { repr: Repr::Triples(Box::new(listpack)) })
    }

    /// The listpack of fields and values, if the hash is compact.
    pub fn as_listpack(&self) -> Option<Cow<'_, Listpack>> {
        match &self.repr {
            Repr::Listpack(listpack) => Some(Cow::Borrowed(listpack)),
            Repr::Triples(listpack) => {
                let mut pairs = Listpack::new();
                pairs.extend(triples(listpack).flat_map(|(field, value, _)| [field, value]));
                Some(Cow::Owned(pairs))
            }
            Repr::Table(..) => None,
        }
    }

    /// The listpack of fields, values and deadlines, the earliest first, if this is the encoding.
    pub fn as_triples(&self) -> Option<&Listpack> {
        match &self.repr {
            Repr::Triples(listpack) => Some(listpack),
            Repr::Listpack(_) | Repr::Table(..) => None,
        }
    }

    /// Whether this is one of the compact encodings.
    pub fn is_compact(&self) -> bool {
        !matches!(self.repr, Repr::Table(..))
    }

    /// Number of fields of each bucket of the table, if there is one.
    pub fn bucket_lengths(&self) -> Option<Vec<usize>> {
        match &self.repr {
            Repr::Listpack(_) | Repr::Triples(_) => None,
            Repr::Table(table, _) => Some(table.bucket_lengths()),
        }
    }

    /// Number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Listpack(listpack) => listpack.len() / 2,
            Repr::Triples(listpack) => listpack.len() / 3,
            Repr::Table(table, _) => table.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `listpack`, `listpackex` or `hashtable`.
    pub fn encoding(&self) -> &'static str {
        match &self.repr {
            Repr::Listpack(_) => "listpack",
            Repr::Triples(_) => "listpackex",
            Repr::Table(..) => "hashtable",
        }
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.repr {
            Repr::Listpack(listpack) => listpack.heap_bytes(),
            Repr::Triples(listpack) => size_of::<Listpack>() + listpack.heap_bytes(),
            Repr::Table(table, timing) => {
                let timing = timing.as_ref().map_or(0, |timing| size_of::<Timing>() + timing.order.heap_bytes());
                size_of::<Members<Pair>>() + table.heap_bytes() + timing
            }
        }
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<Item<'_>> {
        match &self.repr {
            Repr::Listpack(listpack) => listpack.get(listpack.next(find(listpack, field)?)),
            Repr::Triples(listpack) => listpack.get(listpack.next(find_triple(listpack, field)?)),
            Repr::Table(table, _) => table.get(field).map(|entry| items(entry).1),
        }
    }

    /// Whether the field exists.
    #[inline]
    pub fn contains(&self, field: &[u8]) -> bool {
        match &self.repr {
            Repr::Listpack(listpack) => find(listpack, field).is_some(),
            Repr::Triples(listpack) => find_triple(listpack, field).is_some(),
            Repr::Table(table, _) => table.contains(field),
        }
    }

    /// Bytes of the field's value, 0 without the field.
    pub fn value_len(&self, field: &[u8]) -> usize {
        self.get(field).map_or(0, Item::len)
    }

    /// Converts ahead, as a command does that brings `added` fields with elements of at most `longest` bytes: Redis
    /// counts what a command names, not what turns out to be new.
    pub fn expect(&mut self, added: usize, longest: usize, limits: &Limits) {
        if added > limits.hash_max_listpack_entries || longest > limits.hash_max_listpack_value {
            self.convert(limits);
        }
    }

    /// Sets a field, which has no deadline from then on; returns whether it is new. O(1), or O(fields) in a listpack.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> bool {
        self.put(field, value, false, limits)
    }

    /// As [`Hash::set`], but a deadline stays.
    pub fn set_value(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> bool {
        self.put(field, value, true, limits)
    }

    fn put(&mut self, field: &[u8], value: &[u8], keeps_deadline: bool, limits: &Limits) -> bool {
        self.expect(0, field.len().max(value.len()), limits);
        self.make_room(field.len() + value.len(), limits);
        let is_new = match &mut self.repr {
            Repr::Table(table, timing) => return set_in_table(table, timing, field, value, keeps_deadline),
            Repr::Listpack(listpack) => {
                let known = find(listpack, field);
                match known {
                    Some(at) => {
                        listpack.replace(listpack.next(at), value);
                    }
                    None => {
                        listpack.push_back(field);
                        listpack.push_back(value);
                    }
                }
                known.is_none()
            }
            Repr::Triples(listpack) => {
                let known = find_triple(listpack, field);
                match known {
                    Some(at) if keeps_deadline || deadline_at(listpack, at).is_none() => {
                        listpack.replace(listpack.next(at), value);
                    }
                    _ => {
                        if let Some(at) = known {
                            listpack.remove(at, 3);
                        }
                        listpack.push_back(field);
                        listpack.push_back(value);
                        listpack.push_back(0);
                    }
                }
                known.is_none()
            }
        };
        self.expect(self.len(), 0, limits);
        is_new
    }

    /// Converts if a listpack could not hold so many more bytes of elements.
    fn make_room(&mut self, added: usize, limits: &Limits) {
        let has_room = match &self.repr {
            Repr::Listpack(listpack) => listpack.has_room(added, 2),
            Repr::Triples(listpack) => listpack.has_room(added, 3),
            Repr::Table(..) => true,
        };
        if !has_room {
            self.convert(limits);
        }
    }

    /// Removes a field; returns whether it existed.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.repr {
            Repr::Listpack(listpack) => {
                let Some(at) = find(listpack, field) else { return false };
                listpack.remove(at, 2);
                true
            }
            Repr::Triples(listpack) => {
                let Some(at) = find_triple(listpack, field) else { return false };
                listpack.remove(at, 3);
                true
            }
            Repr::Table(table, timing) => {
                let Some(entry) = table.remove(field) else { return false };
                if let (Some(timing), Some(at)) = (timing, deadline_in(&entry)) {
                    timing.order.remove(at, table.hash(field));
                }
                true
            }
        }
    }

    /// When a field is to go, if ever; `None` as well without the field.
    pub fn deadline(&self, field: &[u8]) -> Option<Millis> {
        match &self.repr {
            Repr::Listpack(_) => None,
            Repr::Triples(listpack) => deadline_at(listpack, find_triple(listpack, field)?),
            Repr::Table(table, _) => table.get(field).and_then(deadline_in),
        }
    }

    /// Sets or removes the deadline of a field; returns whether the field exists. O(log fields), or O(fields) in a listpack.
    pub fn set_deadline(&mut self, field: &[u8], deadline: Option<Millis>, limits: &Limits) -> bool {
        // 0 stands for none in a listpack, whose integers are signed.
        let deadline = deadline.map(|at| at.clamp(1, i64::MAX as Millis));
        if deadline.is_some() && self.contains(field) {
            self.make_triples(limits);
        }
        match &mut self.repr {
            Repr::Listpack(listpack) => find(listpack, field).is_some(),
            Repr::Triples(listpack) => {
                let Some(at) = find_triple(listpack, field) else { return false };
                if deadline_at(listpack, at) != deadline {
                    let value = listpack.get(listpack.next(at)).map(Item::to_vec).unwrap_or_default();
                    listpack.remove(at, 3);
                    insert_triple(listpack, field, &value, deadline);
                }
                true
            }
            Repr::Table(table, timing) => {
                let hash = table.hash(field);
                let Some(old) = table.update_hashed(hash, field, |entry| replace_deadline(entry, deadline)) else {
                    return false;
                };
                move_deadline(timing, hash, old, deadline);
                true
            }
        }
    }

    /// Gives the fields of a plain listpack room for deadlines.
    fn make_triples(&mut self, limits: &Limits) {
        let Repr::Listpack(listpack) = &self.repr else { return };
        // Counts twice the entries that are added, and is rarely asked.
        if !listpack.has_room(0, listpack.len()) {
            return self.convert(limits);
        }
        let mut wider = Listpack::new();
        wider.extend(pairs(listpack).flat_map(|(field, value)| [field, value, Item::Int(0)]));
        self.repr = Repr::Triples(Box::new(wider));
    }

    /// The earliest deadline of any field. O(1).
    #[inline]
    pub fn next_deadline(&self) -> Option<Millis> {
        match &self.repr {
            Repr::Listpack(_) => None,
            Repr::Triples(listpack) => deadline_at(listpack, listpack.start()),
            Repr::Table(_, timing) => timing.as_ref().and_then(|timing| timing.order.first()).map(|(at, _)| at),
        }
    }

    /// Whether every field is due. O(log fields).
    pub fn is_all_due(&self, now: Millis) -> bool {
        let last = match &self.repr {
            Repr::Listpack(_) => None,
            Repr::Triples(listpack) => listpack.previous(listpack.end()).and_then(|at| time_at(listpack, at)),
            Repr::Table(table, timing) => {
                let timing = timing.as_ref().filter(|timing| timing.order.len() == table.len());
                timing.and_then(|timing| timing.order.last())
            }
        };
        last.is_some_and(|last| last <= now)
    }

    /// Removes at most `most` fields that are due, the earliest first, and shows them; returns how many went.
    pub fn take_due(&mut self, now: Millis, most: usize, mut visit: impl FnMut(&[u8])) -> usize {
        let mut gone = 0;
        match &mut self.repr {
            Repr::Listpack(_) => {}
            Repr::Triples(listpack) => {
                let due = triples(listpack).take_while(|(.., at)| at.is_some_and(|at| at <= now)).take(most);
                for (field, ..) in due {
                    field.with_bytes(&mut visit);
                    gone += 1;
                }
                listpack.remove(listpack.start(), 3 * gone);
            }
            Repr::Table(_, None) => {}
            Repr::Table(table, Some(timing)) => {
                while gone < most
                    && let Some((at, hash)) = timing.order.first().filter(|(at, _)| *at <= now)
                {
                    timing.order.remove(at, hash);
                    let entry = table.find_where(hash, |entry| {
                        deadline_in(entry) == Some(at) && table.hash(super::members::key_of(entry)) == hash
                    });
                    let Some(field) = entry.map(|entry| super::members::key_of(entry).to_vec()) else {
                        debug_assert!(false, "a deadline without its field");
                        continue;
                    };
                    table.remove(&field);
                    visit(&field);
                    gone += 1;
                }
            }
        }
        gone
    }

    /// Fields with their values, in the order of arrival or in none.
    pub fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
        match &self.repr {
            Repr::Listpack(listpack) => OneOf::First(pairs(listpack)),
            Repr::Triples(listpack) => {
                OneOf::Second(OneOf::First(triples(listpack).map(|(field, value, _)| (field, value))))
            }
            Repr::Table(table, _) => OneOf::Second(OneOf::Second(table.iter().map(items))),
        }
    }

    /// Fields with their values and deadlines.
    pub fn iter_timed(&self) -> impl Iterator<Item = Timed<'_>> {
        match &self.repr {
            Repr::Listpack(listpack) => OneOf::First(pairs(listpack).map(|(field, value)| (field, value, None))),
            Repr::Triples(listpack) => OneOf::Second(OneOf::First(triples(listpack))),
            Repr::Table(table, _) => OneOf::Second(OneOf::Second(table.iter().map(timed))),
        }
    }

    /// Whether saving it takes so long that it is done in parts.
    pub fn is_large(&self) -> bool {
        matches!(&self.repr, Repr::Table(table, _) if table.len() > super::PART)
    }

    /// Begins a picture of a large hash as it is now; no effect on a small one.
    pub fn begin_picture(&mut self) {
        let earliest = self.next_deadline();
        if let Repr::Table(table, timing) = &mut self.repr {
            table.begin_picture();
            if let Some(timing) = timing {
                timing.pictured = earliest;
            }
        }
    }

    /// Whether a picture has been begun and not taken to its end.
    pub fn has_picture(&self) -> bool {
        matches!(&self.repr, Repr::Table(table, _) if table.has_picture())
    }

    /// The earliest deadline of the picture's fields.
    pub fn pictured_deadline(&self) -> Option<Millis> {
        match &self.repr {
            Repr::Table(_, Some(timing)) => timing.pictured,
            _ => None,
        }
    }

    /// Visits about `most` fields of the picture, each once over all calls; returns whether that was the last part.
    pub fn take_part(&mut self, most: usize, mut visit: impl FnMut(Timed<'_>)) -> bool {
        let Repr::Table(table, _) = &mut self.repr else { return true };
        table.take_part(most, |entry| visit(timed(entry)))
    }

    /// Visits about `count` fields from `cursor` on and returns the next cursor; 0 begins and 0 ends. A listpack is
    /// visited whole. What stays in the hash from the first call to the last is visited at least once.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>, Item<'_>)) -> u64 {
        if let Repr::Table(table, _) = &self.repr {
            return table.scan(cursor, count, |entry| {
                let (field, value) = items(entry);
                visit(field, value);
            });
        }
        self.iter().for_each(|(field, value)| visit(field, value));
        0
    }

    /// A field by chance.
    pub fn random(&self, rng: &mut Rng) -> Option<(Item<'_>, Item<'_>)> {
        let (listpack, stride): (&Listpack, _) = match &self.repr {
            Repr::Listpack(listpack) => (listpack, 2),
            Repr::Triples(listpack) => (listpack, 3),
            Repr::Table(table, _) => return table.random(rng).map(items),
        };
        if listpack.is_empty() {
            return None;
        }
        let at = listpack.seek(stride * rng.usize(..self.len()) as i64)?;
        Some((listpack.get(at)?, listpack.get(listpack.next(at))?))
    }

    /// `count` different fields by chance, all if there are fewer.
    pub fn sample(&self, count: usize, rng: &mut Rng) -> Vec<(Item<'_>, Item<'_>)> {
        match &self.repr {
            Repr::Listpack(_) | Repr::Triples(_) => choose(self.iter().collect(), count, rng),
            Repr::Table(table, _) => table.sample(count, rng).into_iter().map(items).collect(),
        }
    }

    /// Visits `count` fields by chance, each independent of the others, until `visit` breaks off; returns whether it has.
    pub fn sample_repeating(
        &self,
        count: usize,
        rng: &mut Rng,
        mut visit: impl FnMut(Item<'_>, Item<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.is_empty() {
            return ControlFlow::Continue(());
        }
        match &self.repr {
            Repr::Listpack(_) | Repr::Triples(_) => {
                let pairs: Vec<_> = self.iter().collect();
                for _ in 0..count {
                    let (field, value) = pairs[rng.usize(..pairs.len())];
                    visit(field, value)?;
                }
            }
            Repr::Table(table, _) => {
                for (field, value) in (0..count).map_while(|_| table.random(rng).map(items)) {
                    visit(field, value)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn convert(&mut self, limits: &Limits) {
        if !self.is_compact() {
            return;
        }
        let (mut table, mut timing) = (Box::new(Members::new(limits.hash_seed)), None);
        for (field, value, at) in self.iter_timed() {
            field.with_bytes(|field| value.with_bytes(|value| insert_new(&mut table, &mut timing, field, value, at)));
        }
        self.repr = Repr::Table(table, timing);
    }
}

/// A field, its value and its deadline.
pub type Timed<'a> = (Item<'a>, Item<'a>, Option<Millis>);

fn find(listpack: &Listpack, field: &[u8]) -> Option<Position> {
    listpack.find(listpack.start(), field, 1)
}

fn find_triple(listpack: &Listpack, field: &[u8]) -> Option<Position> {
    listpack.find(listpack.start(), field, 2)
}

/// The deadline of the field at a place.
fn deadline_at(listpack: &Listpack, field: Position) -> Option<Millis> {
    if field == listpack.end() {
        return None;
    }
    time_at(listpack, listpack.next(listpack.next(field)))
}

/// The time at a place, of which 0 is none.
fn time_at(listpack: &Listpack, at: Position) -> Option<Millis> {
    listpack.get(at).and_then(time)
}

fn time(item: Item<'_>) -> Option<Millis> {
    item.to_int().and_then(|at| Millis::try_from(at).ok()).filter(|at| *at != 0)
}

fn stored(deadline: Option<Millis>) -> Item<'static> {
    Item::Int(deadline.unwrap_or(0) as i64)
}

/// Adds a field that is not there, behind those that go earlier or at the same time.
fn insert_triple(listpack: &mut Listpack, field: &[u8], value: &[u8], deadline: Option<Millis>) {
    let mut at = if deadline.is_some() { listpack.start() } else { listpack.end() };
    while at != listpack.end() && deadline_at(listpack, at).is_some_and(|other| Some(other) <= deadline) {
        at = listpack.next(listpack.next(listpack.next(at)));
    }
    // The last first: each goes in front of the one before.
    listpack.insert(at, stored(deadline));
    listpack.insert(at, value);
    listpack.insert(at, field);
}

fn pairs(listpack: &Listpack) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
    let mut items = listpack.iter();
    std::iter::from_fn(move || Some((items.next()?, items.next()?)))
}

fn triples(listpack: &Listpack) -> impl Iterator<Item = Timed<'_>> {
    let mut items = listpack.iter();
    std::iter::from_fn(move || Some((items.next()?, items.next()?, time(items.next()?))))
}

fn items(entry: &Packed<Pair>) -> (Item<'_>, Item<'_>) {
    let header = entry.header();
    let (field, value) = entry.tail()[..header.value_end()].split_at(header.key_len());
    (Item::Bytes(field), Item::Bytes(value))
}

fn timed(entry: &Packed<Pair>) -> Timed<'_> {
    let (field, value) = items(entry);
    (field, value, deadline_in(entry))
}

fn deadline_in(entry: &Packed<Pair>) -> Option<Millis> {
    if !entry.header().has_deadline() {
        return None;
    }
    entry.tail().last_chunk().map(|bytes| Millis::from_ne_bytes(*bytes))
}

/// Sets or removes the deadline of an entry; returns the old one.
fn replace_deadline(entry: &mut Packed<Pair>, deadline: Option<Millis>) -> Option<Millis> {
    let old = deadline_in(entry);
    // The deadline is last, so what is in front of it stays where it is.
    entry.resize(entry.header().with_deadline(deadline.is_some()));
    if let Some(deadline) = deadline {
        let at = entry.header().value_end();
        entry.tail_mut()[at..].copy_from_slice(&deadline.to_ne_bytes());
    }
    old
}

/// Brings the order of deadlines up to date.
fn move_deadline(timing: &mut Option<Box<Timing>>, hash: u64, old: Option<Millis>, new: Option<Millis>) {
    if old == new {
        return;
    }
    if timing.is_none() && new.is_none() {
        return;
    }
    let timing = timing.get_or_insert_with(|| Box::new(Timing { order: Deadlines::default(), pictured: None }));
    if let Some(old) = old {
        timing.order.remove(old, hash);
    }
    if let Some(new) = new {
        timing.order.insert(new, hash);
    }
}

fn insert_new(
    table: &mut Members<Pair>,
    timing: &mut Option<Box<Timing>>,
    field: &[u8],
    value: &[u8],
    deadline: Option<Millis>,
) {
    let hash = table.hash(field);
    let (header, bytes) = (Pair::new(field, value, deadline.is_some()), deadline.unwrap_or(0).to_ne_bytes());
    let parts = [field, value, &bytes];
    table.insert_new(hash, Packed::new(header, if deadline.is_some() { &parts } else { &parts[..2] }));
    if deadline.is_some() {
        move_deadline(timing, hash, None, deadline);
    }
}

fn set_in_table(
    table: &mut Members<Pair>,
    timing: &mut Option<Box<Timing>>,
    field: &[u8],
    value: &[u8],
    keeps_deadline: bool,
) -> bool {
    let hash = table.hash(field);
    let known = table.update_hashed(hash, field, |entry| {
        let old = deadline_in(entry);
        let kept = old.filter(|_| keeps_deadline);
        entry.resize(Pair { value: length(value), ..*entry.header() }.with_deadline(kept.is_some()));
        let tail = &mut entry.tail_mut()[field.len()..];
        tail[..value.len()].copy_from_slice(value);
        if let Some(kept) = kept {
            tail[value.len()..].copy_from_slice(&kept.to_ne_bytes());
        }
        (old, kept)
    });
    match known {
        Some((old, kept)) => move_deadline(timing, hash, old, kept),
        None => insert_new(table, timing, field, value, None),
    }
    known.is_none()
}

#[cfg(test)]
mod tests {
    use super::super::members::key_of;
    use super::{Hash, Item, Limits, Rng};
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
    use proptest::strategy::Strategy;
    use std::collections::{BTreeMap, HashSet};
    use std::ops::ControlFlow;

    const LIMITS: Limits = Limits::DEFAULT;
    const TINY: Limits = Limits { hash_max_listpack_entries: 6, hash_max_listpack_value: 8, ..LIMITS };

    fn contents(hash: &Hash) -> BTreeMap<Vec<u8>, Vec<u8>> {
        hash.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect()
    }

    #[test]
    fn encodings_change_where_those_of_redis_do() {
        let mut hash = Hash::new();
        for field in 0..512 {
            assert!(hash.set(format!("f{field}").as_bytes(), b"1", &LIMITS));
        }
        assert_eq!(hash.encoding(), "listpack");
        assert!(!hash.set(b"f7", &[b'x'; 64], &LIMITS));
        assert_eq!(hash.encoding(), "listpack");
        hash.set(b"one more", b"1", &LIMITS);
        assert_eq!((hash.encoding(), hash.len()), ("hashtable", 513));

        let mut hash = Hash::new();
        hash.set(b"f", &[b'x'; 65], &LIMITS);
        assert_eq!(hash.encoding(), "hashtable");

        let mut hash = Hash::new();
        hash.expect(512, 64, &LIMITS);
        assert_eq!(hash.encoding(), "listpack");
        hash.expect(513, 1, &LIMITS);
        assert_eq!(hash.encoding(), "hashtable");
    }

    #[test]
    fn chance_reaches_every_field_and_repeats_none_it_should_not() {
        for limits in [LIMITS, TINY] {
            let mut hash = Hash::new();
            for field in 0..40 {
                hash.set(format!("f{field}").as_bytes(), b"v", &limits);
            }
            let rng = &mut Rng::with_seed(1);
            for count in [0, 1, 5, 13, 14, 39, 40, 100] {
                let sample: HashSet<_> = hash.sample(count, rng).into_iter().map(|(field, _)| field.to_vec()).collect();
                assert_eq!(sample.len(), count.min(40));
            }
            let (mut seen, mut visits) = (HashSet::new(), 0);
            let end = hash.sample_repeating(2000, rng, |field, _| {
                seen.insert(field.to_vec());
                visits += 1;
                ControlFlow::Continue(())
            });
            assert!(end.is_continue());
            assert_eq!((seen.len(), visits), (40, 2000));
            let picked: HashSet<_> =
                (0..2000).filter_map(|_| hash.random(rng)).map(|(field, _)| field.to_vec()).collect();
            assert_eq!(picked.len(), 40);
        }
        assert!(Hash::new().random(&mut Rng::with_seed(1)).is_none());
    }

    #[test]
    fn deadlines_change_the_encoding_as_in_redis() {
        let mut hash = Hash::new();
        (0..512).for_each(|field| _ = hash.set(format!("f{field}").as_bytes(), b"1", &LIMITS));
        assert!(!hash.set_deadline(b"none", Some(5), &LIMITS) && hash.set_deadline(b"f1", None, &LIMITS));
        assert_eq!(hash.encoding(), "listpack");
        assert!(hash.set_deadline(b"f1", Some(5), &LIMITS));
        assert_eq!((hash.encoding(), hash.len(), hash.next_deadline()), ("listpackex", 512, Some(5)));
        assert!(hash.set_deadline(b"f1", None, &LIMITS));
        assert_eq!((hash.encoding(), hash.next_deadline()), ("listpackex", None));
        hash.set_deadline(b"f7", Some(9), &LIMITS);
        hash.set(b"one more", b"1", &LIMITS);
        assert_eq!((hash.encoding(), hash.len(), hash.next_deadline()), ("hashtable", 513, Some(9)));
        assert_eq!(hash.deadline(b"f7"), Some(9));
    }

    #[test]
    fn triples_from_files_are_checked_and_put_in_order() {
        let build = |items: &[&str]| {
            let mut listpack = crate::listpack::Listpack::new();
            items.iter().for_each(|item| listpack.push_back(item.as_bytes()));
            Hash::from_triples(listpack)
        };
        let hash = build(&["a", "1", "0", "b", "2", "30", "c", "3", "20"]).unwrap();
        let fields: Vec<_> = hash.iter_timed().map(|(field, _, at)| (field.to_vec(), at)).collect();
        assert_eq!(fields, [(b"c".to_vec(), Some(20)), (b"b".to_vec(), Some(30)), (b"a".to_vec(), None)]);
        assert!(build(&["a", "1", "5", "b", "2"]).is_none());
        assert!(build(&["a", "1", "5", "a", "2", "6"]).is_none());
        assert!(build(&["a", "1", "-5"]).is_none());
        assert!(build(&["a", "1", "x"]).is_none());
    }

    #[test]
    fn listpacks_from_files_need_pairs_of_different_fields() {
        let build = |items: &[&str]| {
            let mut listpack = crate::listpack::Listpack::new();
            items.iter().for_each(|item| listpack.push_back(item.as_bytes()));
            Hash::from_listpack(listpack).map(|hash| hash.len())
        };
        assert_eq!(build(&["a", "1", "b", "1"]), Some(2));
        assert_eq!(build(&["a", "1", "b"]), None);
        assert_eq!(build(&["a", "1", "a", "2"]), None);
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        proptest::prelude::prop_oneof![
            (0u8..30).prop_map(|value| value.to_string().into_bytes()),
            "[a-d]{0,3}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 6..12),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 256 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn behaves_like_a_map(steps in prop::collection::vec((0u8..4, text(), text()), 0..120)) {
            let (mut hash, mut model) = (Hash::new(), BTreeMap::new());
            for (what, field, value) in steps {
                if what == 0 {
                    prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some());
                } else {
                    prop_assert_eq!(hash.set(&field, &value, &TINY), model.insert(field.clone(), value).is_none());
                }
                prop_assert_eq!(hash.len(), model.len());
                prop_assert_eq!(hash.get(&field).map(Item::to_vec), model.get(&field).cloned());
                prop_assert_eq!(hash.contains(&field), model.contains_key(&field));
                prop_assert_eq!(hash.value_len(&field), model.get(&field).map_or(0, Vec::len));
            }
            prop_assert_eq!(contents(&hash), model);
            prop_assert_eq!(contents(&hash.clone()), contents(&hash));
            if let super::Repr::Table(table, _) = &hash.repr {
                let bytes: usize = table.iter().map(|entry| entry.heap_bytes()).sum();
                prop_assert!(table.heap_bytes() >= bytes);
                prop_assert!(table.iter().all(|entry| table.contains(key_of(entry))));
            }
        }

        #[test]
        fn behaves_like_a_map_with_deadlines(
            steps in prop::collection::vec((0u8..8, text(), text(), 1u64..20), 0..120),
            limits in prop::sample::select(vec![LIMITS, TINY]),
        ) {
            let (mut hash, mut model) = (Hash::new(), BTreeMap::<Vec<u8>, (Vec<u8>, Option<u64>)>::new());
            for (what, field, value, at) in steps {
                match what {
                    0 => prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
                    1 => {
                        let old = model.get(&field).and_then(|known| known.1);
                        let is_new = model.insert(field.clone(), (value.clone(), old)).is_none();
                        prop_assert_eq!(hash.set_value(&field, &value, &limits), is_new);
                    }
                    2..5 => {
                        let deadline = (what != 2).then_some(at);
                        let known = model.get_mut(&field).map(|known| known.1 = deadline).is_some();
                        prop_assert_eq!(hash.set_deadline(&field, deadline, &limits), known);
                    }
                    5 => {
                        let (now, most) = (at / 2, value.len());
                        let mut due: Vec<_> = model.iter().filter_map(|(field, known)| Some((known.1?, field.clone())))
                            .filter(|(at, _)| *at <= now).collect();
                        due.sort();
                        prop_assert_eq!(
                            hash.is_all_due(now),
                            !model.is_empty() && due.len() == model.len()
                        );
                        let mut gone = Vec::new();
                        let count = hash.take_due(now, most, |field| gone.push(field.to_vec()));
                        prop_assert_eq!(count, gone.len());
                        prop_assert_eq!(count, due.len().min(most));
                        let times: Vec<_> = gone.iter().filter_map(|field| model.remove(field)?.1).collect();
                        prop_assert_eq!(times, due.iter().take(most).map(|(at, _)| *at).collect::<Vec<_>>());
                    }
                    _ => {
                        let is_new = model.insert(field.clone(), (value.clone(), None)).is_none();
                        prop_assert_eq!(hash.set(&field, &value, &limits), is_new);
                    }
                }
                prop_assert_eq!(hash.len(), model.len());
                prop_assert_eq!(hash.get(&field).map(Item::to_vec), model.get(&field).map(|known| known.0.clone()));
                prop_assert_eq!(hash.deadline(&field), model.get(&field).and_then(|known| known.1));
                prop_assert_eq!(hash.next_deadline(), model.values().filter_map(|known| known.1).min());
            }
            for hash in [hash.clone(), hash] {
                let seen: BTreeMap<_, _> =
                    hash.iter_timed().map(|(field, value, at)| (field.to_vec(), (value.to_vec(), at))).collect();
                prop_assert_eq!(&seen, &model);
                prop_assert_eq!(contents(&hash), model.iter().map(|(field, known)| (field.clone(), known.0.clone())).collect());
                prop_assert_eq!(hash.as_listpack().is_some(), hash.is_compact());
                if let Some(listpack) = hash.as_listpack() {
                    prop_assert_eq!(contents(&Hash::from_listpack(listpack.into_owned()).unwrap()), contents(&hash));
                }
                if let Some(listpack) = hash.as_triples() {
                    prop_assert!(Hash::from_triples(listpack.clone()).unwrap().as_triples() == Some(listpack));
                }
                if let super::Repr::Table(table, timing) = &hash.repr {
                    let bytes: usize = table.iter().map(|entry| entry.heap_bytes()).sum();
                    prop_assert!(table.heap_bytes() >= bytes);
                    let timed = model.values().filter(|known| known.1.is_some()).count();
                    prop_assert_eq!(timing.as_ref().map_or(0, |timing| timing.order.len()), timed);
                }
            }
        }

        #[test]
        fn a_scan_sees_all_that_stays(
            stay in prop::collection::hash_set(0u32..500, 0..60),
            churn in prop::collection::vec((any::<bool>(), 500u32..560), 0..200),
            count in 1usize..12,
        ) {
            let mut hash = Hash::new();
            for field in &stay {
                hash.set(&field.to_be_bytes(), b"v", &TINY);
            }
            let (mut cursor, mut seen, mut churn) = (0, HashSet::new(), churn.into_iter());
            loop {
                cursor = hash.scan(cursor, count, |field, _| { seen.insert(field.to_vec()); });
                for (add, field) in churn.by_ref().take(7) {
                    if add { hash.set(&field.to_be_bytes(), b"w", &TINY); } else { hash.remove(&field.to_be_bytes()); }
                }
                if cursor == 0 { break }
            }
            prop_assert!(stay.iter().all(|field| seen.contains(field.to_be_bytes().as_slice())));
        }
    }
}
