//! The hash type: fields and values, as a listpack while small and as a table after that; no deadlines yet.

use super::members::{Keyed, Members, length};
use super::{Item, Limits, OneOf, choose};
use crate::listpack::{Listpack, Position};
use crate::packed::{Header, Packed};
use fastrand::Rng;
use std::ops::ControlFlow;

/// Fields with their values, each shorter than 4 GiB.
///
/// A deadline of a field will lie between its header and its bytes in the table (a bit of the value's length says that
/// it is there), and as a third entry behind field and value in the listpack.
#[derive(Clone, Debug)]
pub struct Hash {
    repr: Repr,
}

#[derive(Clone)]
enum Repr {
    /// Field, value, field, value, ... in the order of arrival.
    Listpack(Listpack),
    Table(Box<Members<Pair>>),
}

/// Lengths of a field and of its value, whose bytes follow.
#[derive(Clone, Copy)]
struct Pair {
    field: u32,
    value: u32,
}

// SAFETY: the lengths are those of the parts that `pack` and `set` hand over together with this header.
unsafe impl Header for Pair {
    #[inline(always)]
    fn tail_len(&self) -> usize {
        self.field as usize + self.value as usize
    }
}

impl Keyed for Pair {
    #[inline(always)]
    fn key_len(&self) -> usize {
        self.field as usize
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
            Repr::Table(_) => "Table",
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

    /// The listpack, if this is the encoding.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match &self.repr {
            Repr::Listpack(listpack) => Some(listpack),
            Repr::Table(_) => None,
        }
    }

    /// Number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Listpack(listpack) => listpack.len() / 2,
            Repr::Table(table) => table.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `listpack` or `hashtable`.
    pub fn encoding(&self) -> &'static str {
        match &self.repr {
            Repr::Listpack(_) => "listpack",
            Repr::Table(_) => "hashtable",
        }
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.repr {
            Repr::Listpack(listpack) => listpack.heap_bytes(),
            Repr::Table(table) => size_of::<Members<Pair>>() + table.heap_bytes(),
        }
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<Item<'_>> {
        match &self.repr {
            Repr::Listpack(listpack) => listpack.get(listpack.next(find(listpack, field)?)),
            Repr::Table(table) => table.get(field).map(|entry| items(entry).1),
        }
    }

    /// Whether the field exists.
    #[inline]
    pub fn contains(&self, field: &[u8]) -> bool {
        match &self.repr {
            Repr::Listpack(listpack) => find(listpack, field).is_some(),
            Repr::Table(table) => table.contains(field),
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

    /// Sets a field; returns whether it is new. O(1), or O(fields) in a listpack.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> bool {
        self.expect(0, field.len().max(value.len()), limits);
        if matches!(&self.repr, Repr::Listpack(listpack) if !listpack.has_room(field.len() + value.len(), 2)) {
            self.convert(limits);
        }
        let listpack = match &mut self.repr {
            Repr::Table(table) => return set_in_table(table, field, value),
            Repr::Listpack(listpack) => listpack,
        };
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
        self.expect(self.len(), 0, limits);
        known.is_none()
    }

    /// Removes a field; returns whether it existed.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.repr {
            Repr::Listpack(listpack) => {
                let Some(at) = find(listpack, field) else { return false };
                listpack.remove(at, 2);
                true
            }
            Repr::Table(table) => table.remove(field).is_some(),
        }
    }

    /// Fields with their values, in the order of arrival or in none.
    pub fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
        match &self.repr {
            Repr::Listpack(listpack) => OneOf::First(pairs(listpack)),
            Repr::Table(table) => OneOf::Second(table.iter().map(items)),
        }
    }

    /// Whether saving it takes so long that it is done in parts.
    pub fn is_large(&self) -> bool {
        matches!(&self.repr, Repr::Table(table) if table.len() > super::PART)
    }

    /// Begins a picture of a large hash as it is now; no effect on a small one.
    pub fn begin_picture(&mut self) {
        if let Repr::Table(table) = &mut self.repr {
            table.begin_picture();
        }
    }

    /// Whether a picture has been begun and not taken to its end.
    pub fn has_picture(&self) -> bool {
        matches!(&self.repr, Repr::Table(table) if table.has_picture())
    }

    /// Visits about `most` pairs of the picture, each once over all calls; returns whether that was the last part.
    pub fn take_part(&mut self, most: usize, mut visit: impl FnMut(Item<'_>, Item<'_>)) -> bool {
        let Repr::Table(table) = &mut self.repr else { return true };
        table.take_part(most, |entry| {
            let (field, value) = items(entry);
            visit(field, value);
        })
    }

    /// Visits about `count` fields from `cursor` on and returns the next cursor; 0 begins and 0 ends. A listpack is
    /// visited whole. What stays in the hash from the first call to the last is visited at least once.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>, Item<'_>)) -> u64 {
        match &self.repr {
            Repr::Listpack(listpack) => {
                pairs(listpack).for_each(|(field, value)| visit(field, value));
                0
            }
            Repr::Table(table) => table.scan(cursor, count, |entry| {
                let (field, value) = items(entry);
                visit(field, value);
            }),
        }
    }

    /// A field by chance.
    pub fn random(&self, rng: &mut Rng) -> Option<(Item<'_>, Item<'_>)> {
        match &self.repr {
            Repr::Listpack(listpack) if listpack.is_empty() => None,
            Repr::Listpack(listpack) => {
                let at = listpack.seek(2 * rng.usize(..self.len()) as i64)?;
                Some((listpack.get(at)?, listpack.get(listpack.next(at))?))
            }
            Repr::Table(table) => table.random(rng).map(items),
        }
    }

    /// `count` different fields by chance, all if there are fewer.
    pub fn sample(&self, count: usize, rng: &mut Rng) -> Vec<(Item<'_>, Item<'_>)> {
        match &self.repr {
            Repr::Listpack(listpack) => choose(pairs(listpack).collect(), count, rng),
            Repr::Table(table) => table.sample(count, rng).into_iter().map(items).collect(),
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
            Repr::Listpack(listpack) => {
                let pairs: Vec<_> = pairs(listpack).collect();
                for _ in 0..count {
                    let (field, value) = pairs[rng.usize(..pairs.len())];
                    visit(field, value)?;
                }
            }
            Repr::Table(table) => {
                for (field, value) in (0..count).map_while(|_| table.random(rng).map(items)) {
                    visit(field, value)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn convert(&mut self, limits: &Limits) {
        let Repr::Listpack(listpack) = &self.repr else { return };
        let mut table = Box::new(Members::new(limits.hash_seed));
        for (field, value) in pairs(listpack) {
            field.with_bytes(|field| value.with_bytes(|value| insert_new(&mut table, field, value)));
        }
        self.repr = Repr::Table(table);
    }
}

fn find(listpack: &Listpack, field: &[u8]) -> Option<Position> {
    listpack.find(listpack.start(), field, 1)
}

fn pairs(listpack: &Listpack) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
    let mut items = listpack.iter();
    std::iter::from_fn(move || Some((items.next()?, items.next()?)))
}

fn items(entry: &Packed<Pair>) -> (Item<'_>, Item<'_>) {
    let (field, value) = entry.tail().split_at(entry.header().key_len());
    (Item::Bytes(field), Item::Bytes(value))
}

fn insert_new(table: &mut Members<Pair>, field: &[u8], value: &[u8]) {
    let header = Pair { field: length(field), value: length(value) };
    table.insert_new(table.hash(field), Packed::new(header, &[field, value]));
}

fn set_in_table(table: &mut Members<Pair>, field: &[u8], value: &[u8]) -> bool {
    let known = table.update(field, |entry| {
        let header = Pair { value: length(value), ..*entry.header() };
        entry.resize(header);
        entry.tail_mut()[field.len()..].copy_from_slice(value);
    });
    if known.is_none() {
        insert_new(table, field, value);
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
            if let super::Repr::Table(table) = &hash.repr {
                let bytes: usize = table.iter().map(|entry| entry.heap_bytes()).sum();
                prop_assert!(table.heap_bytes() >= bytes);
                prop_assert!(table.iter().all(|entry| table.contains(key_of(entry))));
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
