//! The set type: an intset or a listpack while small, a table after that; also union, intersection and difference.

use super::members::{Keyed, Members, length};
use super::{Item, Limits, OneOf, choose, int_len};
use crate::intset::Intset;
use crate::listpack::Listpack;
use crate::packed::{Header, Packed};
use fastrand::Rng;
use resplite_resp::number::parse_i64;
use std::ops::ControlFlow;

/// An intset never grows beyond this, whatever the limits say: its length has to fit the header.
const MAX_INTSET: usize = 1 << 30;

/// Members, each once and shorter than 4 GiB.
#[derive(Clone)]
pub struct Set {
    repr: Repr,
}

#[derive(Clone)]
enum Repr {
    Intset(Intset),
    Listpack(Listpack),
    Table(Box<Members<Member>>),
}

/// Length of a member, whose bytes follow.
#[derive(Clone, Copy)]
struct Member {
    len: u32,
}

// SAFETY: the length is that of the member which `insert_in_table` hands over together with this header.
unsafe impl Header for Member {
    #[inline(always)]
    fn tail_len(&self) -> usize {
        self.len as usize
    }
}

impl Keyed for Member {
    #[inline(always)]
    fn key_len(&self) -> usize {
        self.len as usize
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Set {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.iter()).finish()
    }
}

impl From<Intset> for Set {
    fn from(intset: Intset) -> Self {
        Set { repr: Repr::Intset(intset) }
    }
}

impl Set {
    /// An empty set, which is an intset until a member is none.
    pub fn new() -> Self {
        Intset::new().into()
    }

    /// An empty set that is a table from the start, for what is known to be large.
    pub fn new_table(limits: &Limits) -> Self {
        Set { repr: Repr::Table(Box::new(Members::new(limits.hash_seed))) }
    }

    /// Takes a listpack of members from a file; `None` if one comes twice.
    pub fn from_listpack(listpack: Listpack) -> Option<Self> {
        super::keys_differ(listpack.iter(), 1).then_some(Set { repr: Repr::Listpack(listpack) })
    }

    /// The intset, if this is the encoding.
    pub fn as_intset(&self) -> Option<&Intset> {
        match &self.repr {
            Repr::Intset(intset) => Some(intset),
            _ => None,
        }
    }

    /// The listpack, if this is the encoding.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match &self.repr {
            Repr::Listpack(listpack) => Some(listpack),
            _ => None,
        }
    }

    /// Number of members of each bucket of the table, if there is one.
    pub fn bucket_lengths(&self) -> Option<Vec<usize>> {
        match &self.repr {
            Repr::Intset(_) | Repr::Listpack(_) => None,
            Repr::Table(table) => Some(table.bucket_lengths()),
        }
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Intset(intset) => intset.len(),
            Repr::Listpack(listpack) => listpack.len(),
            Repr::Table(table) => table.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `intset`, `listpack` or `hashtable`.
    pub fn encoding(&self) -> &'static str {
        match &self.repr {
            Repr::Intset(_) => "intset",
            Repr::Listpack(_) => "listpack",
            Repr::Table(_) => "hashtable",
        }
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.repr {
            Repr::Intset(intset) => intset.heap_bytes(),
            Repr::Listpack(listpack) => listpack.heap_bytes(),
            Repr::Table(table) => size_of::<Members<Member>>() + table.heap_bytes(),
        }
    }

    /// Whether the member is there. O(1), O(log n) in an intset, O(n) in a listpack.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.repr {
            Repr::Intset(intset) => parse_i64(member).is_some_and(|value| intset.contains(value)),
            Repr::Listpack(listpack) => listpack.find(listpack.start(), member, 0).is_some(),
            Repr::Table(table) => table.contains(member),
        }
    }

    /// As `contains`, for a member of another set.
    pub fn contains_item(&self, member: Item<'_>) -> bool {
        match (&self.repr, member) {
            (Repr::Intset(intset), Item::Int(value)) => intset.contains(value),
            _ => member.with_bytes(|member| self.contains(member)),
        }
    }

    /// Chooses the encoding as SADD does for `added` members of which `first` is the first: Redis counts what a command
    /// names, not what turns out to be new.
    pub fn expect(&mut self, added: usize, first: &[u8], limits: &Limits) {
        let is_new = self.is_empty();
        let fits = match &self.repr {
            Repr::Intset(_) if is_new && parse_i64(first).is_none() => false,
            Repr::Intset(_) => added <= limits.set_max_intset_entries,
            Repr::Listpack(_) => added <= limits.set_max_listpack_entries,
            Repr::Table(_) => true,
        };
        if fits {
            return;
        }
        if is_new && added <= limits.set_max_listpack_entries {
            self.repr = Repr::Listpack(Listpack::new());
        } else {
            self.convert_to_table(limits);
        }
    }

    /// Adds a member; returns whether it is new. O(1), or O(n) in an intset or a listpack.
    #[inline]
    pub fn insert(&mut self, member: &[u8], limits: &Limits) -> bool {
        match &mut self.repr {
            Repr::Table(table) => insert_in_table(table, member),
            _ => self.insert_item(Item::Bytes(member), limits),
        }
    }

    /// As `insert`, for a member of another set.
    pub fn insert_item(&mut self, member: Item<'_>, limits: &Limits) -> bool {
        match &mut self.repr {
            Repr::Table(table) => member.with_bytes(|member| insert_in_table(table, member)),
            Repr::Intset(intset) => {
                let Some(value) = member.to_int() else {
                    self.leave_intset(member.len(), limits);
                    return self.insert_item(member, limits);
                };
                let is_new = intset.insert(value);
                if intset.len() > limits.set_max_intset_entries.min(MAX_INTSET) {
                    self.convert_to_table(limits);
                }
                is_new
            }
            Repr::Listpack(listpack) => {
                if member.with_bytes(|member| listpack.find(listpack.start(), member, 0)).is_some() {
                    return false;
                }
                if fits_listpack(listpack.len(), member.len(), limits) && listpack.has_room(member.len(), 1) {
                    listpack.push_back(member);
                    return true;
                }
                self.convert_to_table(limits);
                self.insert_item(member, limits)
            }
        }
    }

    /// Removes a member; returns whether it existed.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.repr {
            Repr::Intset(intset) => parse_i64(member).is_some_and(|value| intset.remove(value)),
            Repr::Listpack(listpack) => {
                let Some(at) = listpack.find(listpack.start(), member, 0) else { return false };
                listpack.remove(at, 1);
                true
            }
            Repr::Table(table) => table.remove(member).is_some(),
        }
    }

    /// As `remove`, for a member of another set.
    pub fn remove_item(&mut self, member: Item<'_>) -> bool {
        match (&mut self.repr, member) {
            (Repr::Intset(intset), Item::Int(value)) => intset.remove(value),
            _ => member.with_bytes(|member| self.remove(member)),
        }
    }

    /// Members: ascending in an intset, in the order of arrival in a listpack, else in no order.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        match &self.repr {
            Repr::Intset(intset) => OneOf::First(OneOf::First(intset.iter().map(Item::Int))),
            Repr::Listpack(listpack) => OneOf::First(OneOf::Second(listpack.iter())),
            Repr::Table(table) => OneOf::Second(table.iter().map(item)),
        }
    }

    /// Whether saving it takes so long that it is done in parts.
    pub fn is_large(&self) -> bool {
        matches!(&self.repr, Repr::Table(table) if table.len() > super::PART)
    }

    /// Begins a picture of a large set as it is now; no effect on a small one.
    pub fn begin_picture(&mut self) {
        if let Repr::Table(table) = &mut self.repr {
            table.begin_picture();
        }
    }

    /// Whether a picture has been begun and not taken to its end.
    pub fn has_picture(&self) -> bool {
        matches!(&self.repr, Repr::Table(table) if table.has_picture())
    }

    /// Visits about `most` members of the picture, each once over all calls; returns whether that was the last part.
    pub fn take_part(&mut self, most: usize, mut visit: impl FnMut(Item<'_>)) -> bool {
        let Repr::Table(table) = &mut self.repr else { return true };
        table.take_part(most, |entry| visit(Item::Bytes(entry.tail())))
    }

    /// Visits about `count` members from `cursor` on and returns the next cursor; 0 begins and 0 ends. Intsets and
    /// listpacks are visited whole. What stays in the set from the first call to the last is visited at least once.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>)) -> u64 {
        match &self.repr {
            Repr::Table(table) => table.scan(cursor, count, |entry| visit(item(entry))),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// A member by chance.
    pub fn random(&self, rng: &mut Rng) -> Option<Item<'_>> {
        match &self.repr {
            _ if self.is_empty() => None,
            Repr::Intset(intset) => intset.get(rng.usize(..intset.len())).map(Item::Int),
            Repr::Listpack(listpack) => listpack.get(listpack.seek(rng.usize(..listpack.len()) as i64)?),
            Repr::Table(table) => table.random(rng).map(item),
        }
    }

    /// `count` different members by chance, all if there are fewer.
    pub fn sample(&self, count: usize, rng: &mut Rng) -> Vec<Item<'_>> {
        match &self.repr {
            Repr::Table(table) => table.sample(count, rng).into_iter().map(item).collect(),
            _ => choose(self.iter().collect(), count, rng),
        }
    }

    /// Visits `count` members by chance, each independent of the others, until `visit` breaks off; returns whether it has.
    pub fn sample_repeating(
        &self,
        count: usize,
        rng: &mut Rng,
        mut visit: impl FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.is_empty() {
            return ControlFlow::Continue(());
        }
        match &self.repr {
            Repr::Table(table) => (0..count).map_while(|_| table.random(rng)).try_for_each(|entry| visit(item(entry))),
            _ => {
                let members: Vec<_> = self.iter().collect();
                (0..count).try_for_each(|_| visit(members[rng.usize(..members.len())]))
            }
        }
    }

    /// Removes up to `count` members by chance and visits each. O(count), or O(n) when most go.
    pub fn pop(&mut self, count: usize, rng: &mut Rng, limits: &Limits, mut visit: impl FnMut(Item<'_>)) {
        if self.has_picture() {
            // The table stays until its picture is taken, whoever owns it by then.
            (0..count.min(self.len())).for_each(|_| self.pop_one(rng, &mut visit));
            return;
        }
        if count >= self.len() {
            self.iter().for_each(visit);
            *self = Set::new();
            return;
        }
        let remaining = self.len() - count;
        // Where few stay, they move to a new set, which may again be small enough for a compact encoding: Redis draws the
        // line here, and OBJECT ENCODING shows it.
        if remaining.saturating_mul(5) <= count {
            let mut stay = match &self.repr {
                Repr::Intset(_) => Set::new(),
                _ => Set { repr: Repr::Listpack(Listpack::new()) },
            };
            for _ in 0..remaining {
                self.pop_one(rng, |member| {
                    stay.insert_item(member, limits);
                });
            }
            self.iter().for_each(visit);
            *self = stay;
            return;
        }
        for _ in 0..count {
            self.pop_one(rng, &mut visit);
        }
    }

    /// The members of any of the sets.
    pub fn union(sets: &[&Set], limits: &Limits) -> Set {
        let mut result = Set::new();
        for member in sets.iter().flat_map(|set| set.iter()) {
            result.insert_item(member, limits);
        }
        result
    }

    /// The members that all sets share (none if there are no sets). O(smallest set x number of sets).
    pub fn intersection(sets: &[&Set], limits: &Limits) -> Set {
        let from_listpack = sets.iter().min_by_key(|set| set.len()).is_some_and(|set| set.as_listpack().is_some());
        let mut result = Set::new();
        if from_listpack {
            result.repr = Repr::Listpack(Listpack::new());
        }
        Set::for_each_common(sets, |member| {
            result.insert_item(member, limits);
            true
        });
        result.try_intset(limits);
        result
    }

    /// Visits the members that all sets share, in the order of the smallest one, until `visit` returns false.
    pub fn for_each_common(sets: &[&Set], mut visit: impl FnMut(Item<'_>) -> bool) {
        let mut sets: Vec<&Set> = sets.to_vec();
        sets.sort_by_key(|set| set.len());
        let Some((smallest, others)) = sets.split_first() else { return };
        for member in smallest.iter() {
            if others.iter().all(|set| set.contains_item(member)) && !visit(member) {
                return;
            }
        }
    }

    /// Number of members that all sets share, counted up to `limit` (0: to the end).
    pub fn intersection_count(sets: &[&Set], limit: usize) -> usize {
        let mut count = 0;
        Set::for_each_common(sets, |_| {
            count += 1;
            count != limit
        });
        count
    }

    /// The members of the first set that are in none of the others.
    pub fn difference(sets: &[&Set], limits: &Limits) -> Set {
        let mut result = Set::new();
        let Some((first, others)) = sets.split_first() else { return result };
        let mut others: Vec<&Set> = others.iter().copied().filter(|set| !set.is_empty()).collect();
        // Either ask all others for each member of the first, or copy the first and remove what the others have: the
        // estimate is that of Redis, because the second way can leave a larger encoding behind.
        let asking = first.len().saturating_mul(others.len() + 1) / 2;
        let removing = others.iter().map(|set| set.len()).sum::<usize>() + first.len();
        if asking <= removing {
            // The larger a set, the likelier it ends the question.
            others.sort_by_key(|set| std::cmp::Reverse(set.len()));
            for member in first.iter().filter(|member| !others.iter().any(|set| set.contains_item(*member))) {
                result.insert_item(member, limits);
            }
            return result;
        }
        for member in first.iter() {
            result.insert_item(member, limits);
        }
        for member in others.iter().flat_map(|set| set.iter()) {
            if result.remove_item(member) && result.is_empty() {
                break;
            }
        }
        result
    }

    /// Removes one member by chance and shows it.
    fn pop_one(&mut self, rng: &mut Rng, visit: impl FnOnce(Item<'_>)) {
        match &mut self.repr {
            Repr::Intset(intset) => {
                let Some(value) = intset.get(rng.usize(..intset.len().max(1))) else { return };
                intset.remove(value);
                visit(Item::Int(value));
            }
            Repr::Listpack(listpack) => {
                let Some(at) = listpack.seek(rng.usize(..listpack.len().max(1)) as i64) else { return };
                if let Some(member) = listpack.get(at) {
                    visit(member);
                }
                listpack.remove(at, 1);
            }
            Repr::Table(table) => {
                if let Some(entry) = table.pop_random(rng) {
                    visit(item(&entry));
                }
            }
        }
    }

    /// Makes room for a member of `len` bytes that is no integer.
    fn leave_intset(&mut self, len: usize, limits: &Limits) {
        let Repr::Intset(intset) = &self.repr else { return };
        let ends = [intset.get(0), intset.len().checked_sub(1).and_then(|last| intset.get(last))];
        let longest = ends.into_iter().flatten().map(int_len).max().unwrap_or(0);
        let mut listpack = Listpack::new();
        let has_room = listpack.has_room(longest.saturating_mul(intset.len()) + len, intset.len() + 1);
        if !has_room || !fits_listpack(intset.len(), len.max(longest), limits) {
            return self.convert_to_table(limits);
        }
        intset.iter().for_each(|value| listpack.push_back(value));
        self.repr = Repr::Listpack(listpack);
    }

    fn convert_to_table(&mut self, limits: &Limits) {
        let mut table = Box::new(Members::new(limits.hash_seed));
        for member in self.iter() {
            member.with_bytes(|member| {
                let hash = table.hash(member);
                insert_new(&mut table, hash, member);
            });
        }
        self.repr = Repr::Table(table);
    }

    /// Turns a listpack of nothing but integers into an intset.
    fn try_intset(&mut self, limits: &Limits) {
        let Repr::Listpack(listpack) = &self.repr else { return };
        if listpack.len() > limits.set_max_intset_entries.min(MAX_INTSET) {
            return;
        }
        let mut intset = Intset::new();
        for member in listpack.iter() {
            let Some(value) = member.to_int() else { return };
            intset.insert(value);
        }
        self.repr = Repr::Intset(intset);
    }
}

fn fits_listpack(present: usize, len: usize, limits: &Limits) -> bool {
    present < limits.set_max_listpack_entries && len <= limits.set_max_listpack_value
}

fn item(entry: &Packed<Member>) -> Item<'_> {
    Item::Bytes(entry.tail())
}

#[inline]
fn insert_in_table(table: &mut Members<Member>, member: &[u8]) -> bool {
    let hash = table.hash(member);
    if table.get_hashed(hash, member).is_some() {
        return false;
    }
    insert_new(table, hash, member);
    true
}

fn insert_new(table: &mut Members<Member>, hash: u64, member: &[u8]) {
    table.insert_new(hash, Packed::new(Member { len: length(member) }, &[member]));
}

#[cfg(test)]
mod tests {
    use super::{Item, Limits, Rng, Set};
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy;
    use std::collections::{BTreeSet, HashSet};
    use std::ops::ControlFlow;

    const LIMITS: Limits = Limits::DEFAULT;
    const TINY: Limits =
        Limits { set_max_intset_entries: 4, set_max_listpack_entries: 6, set_max_listpack_value: 8, ..LIMITS };

    fn set<'a>(members: impl IntoIterator<Item = &'a Vec<u8>>, limits: &Limits) -> Set {
        let mut set = Set::new();
        for member in members {
            set.insert(member, limits);
        }
        set
    }

    fn numbers(range: std::ops::Range<u32>) -> Set {
        set(&range.map(|value| value.to_string().into_bytes()).collect::<Vec<_>>(), &LIMITS)
    }

    fn contents(set: &Set) -> BTreeSet<Vec<u8>> {
        set.iter().map(Item::to_vec).collect()
    }

    #[test]
    fn encodings_change_where_those_of_redis_do() {
        assert_eq!(numbers(0..512).encoding(), "intset");
        assert_eq!(numbers(0..513).encoding(), "hashtable");
        for (count, encoding) in [(127, "listpack"), (128, "hashtable")] {
            let mut set = numbers(0..count);
            set.insert(b"a", &LIMITS);
            assert_eq!(set.encoding(), encoding);
        }
        for (len, encoding) in [(64, "listpack"), (65, "hashtable")] {
            let mut set = numbers(0..2);
            set.insert(&vec![b'x'; len], &LIMITS);
            assert_eq!(set.encoding(), encoding);
        }
    }

    #[test]
    fn a_command_of_many_members_chooses_ahead() {
        let encoding = |present: &[&str], added, first: &str, limits: &Limits| {
            let mut set = Set::new();
            present.iter().for_each(|member| {
                set.insert(member.as_bytes(), limits);
            });
            set.expect(added, first.as_bytes(), limits);
            set.encoding()
        };
        assert_eq!(encoding(&[], 512, "1", &LIMITS), "intset");
        assert_eq!(encoding(&[], 513, "1", &LIMITS), "hashtable");
        assert_eq!(encoding(&[], 128, "a", &LIMITS), "listpack");
        assert_eq!(encoding(&[], 129, "a", &LIMITS), "hashtable");
        assert_eq!(encoding(&[], 5, "1", &TINY), "listpack");
        assert_eq!(encoding(&["1"], 600, "1", &LIMITS), "hashtable");
        assert_eq!(encoding(&["1"], 512, "a", &LIMITS), "intset");
        assert_eq!(encoding(&["a"], 129, "a", &LIMITS), "hashtable");
    }

    #[test]
    fn popping_most_of_a_table_compacts_it() {
        for (count, encoding) in [(249, "hashtable"), (250, "listpack"), (299, "listpack")] {
            let mut set = numbers(0..299);
            set.insert(b"x", &LIMITS);
            let before = contents(&set);
            let mut popped = BTreeSet::new();
            set.pop(count, &mut Rng::with_seed(3), &LIMITS, |member| {
                popped.insert(member.to_vec());
            });
            assert_eq!((set.encoding(), popped.len()), (encoding, count));
            assert_eq!(&before - &popped, contents(&set));
        }
    }

    #[test]
    fn results_have_the_encodings_of_redis() {
        let with = |mut set: Set, member: &str| {
            set.insert(member.as_bytes(), &LIMITS);
            set
        };
        let large = [with(numbers(0..200), "x"), with(numbers(0..200), "y"), with(numbers(100..500), "z")];
        let small = with(numbers(0..100), "y");
        assert_eq!(Set::intersection(&[&large[0], &large[1]], &LIMITS).encoding(), "intset");
        assert_eq!(Set::intersection(&[&large[0], &large[2]], &LIMITS).encoding(), "intset");
        assert_eq!(Set::intersection(&[&large[0], &small], &LIMITS).encoding(), "intset");
        assert_eq!(Set::intersection(&[&large[0]], &LIMITS).encoding(), "hashtable");
        assert_eq!(Set::union(&[&numbers(0..200), &numbers(100..300)], &LIMITS).encoding(), "intset");
        assert_eq!(Set::difference(&[&large[0], &large[1]], &LIMITS).encoding(), "listpack");
    }

    #[test]
    fn chance_reaches_every_member() {
        for size in if cfg!(miri) { [2, 5, 20] } else { [10, 100, 600] } {
            for mut set in [numbers(0..size), set(&[b"word".to_vec()], &LIMITS)] {
                let (rng, len) = (&mut Rng::with_seed(1), set.len());
                for count in [0, 1, len / 4, len / 2, len, len + 1] {
                    let sample: HashSet<_> = set.sample(count, rng).into_iter().map(Item::to_vec).collect();
                    assert_eq!(sample.len(), count.min(len));
                }
                let mut seen = HashSet::new();
                let end = set.sample_repeating(20 * len, rng, |member| {
                    seen.insert(member.to_vec());
                    ControlFlow::Continue(())
                });
                assert!(end.is_continue());
                let picked: HashSet<_> = (0..20 * len).filter_map(|_| set.random(rng)).map(Item::to_vec).collect();
                assert_eq!((seen.len(), picked.len()), (len, len));
                set.pop(len + 5, rng, &LIMITS, |member| assert!(seen.remove(&member.to_vec())));
                assert!(set.is_empty() && set.random(rng).is_none());
            }
        }
    }

    fn member() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            6 => (0u8..12).prop_map(|value| value.to_string().into_bytes()),
            1 => "[a-c]{0,2}".prop_map(String::into_bytes),
            1 => "[x-z]{7,10}".prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 256 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn behaves_like_a_sorted_set(steps in prop::collection::vec((0u8..9, member()), 0..100), seed in any::<u64>()) {
            let (mut set, mut model, mut rng) = (Set::new(), BTreeSet::new(), Rng::with_seed(seed));
            for (what, member) in steps {
                match what {
                    0..3 => prop_assert_eq!(set.remove(&member), model.remove(&member)),
                    3 => {
                        let count = member.len();
                        let mut popped = Vec::new();
                        set.pop(count, &mut rng, &TINY, |member| popped.push(member.to_vec()));
                        prop_assert_eq!(popped.len(), count.min(model.len()));
                        prop_assert!(popped.iter().all(|member| model.remove(member)));
                    }
                    _ => prop_assert_eq!(set.insert(&member, &TINY), model.insert(member.clone())),
                }
                prop_assert_eq!(set.len(), model.len());
                prop_assert_eq!(set.contains(&member), model.contains(&member));
            }
            prop_assert_eq!(contents(&set), contents(&set.clone()));
            prop_assert_eq!(contents(&set), model);
        }

        #[test]
        fn algebra_is_that_of_sets(groups in prop::collection::vec(prop::collection::btree_set(member(), 0..14), 1..4), limit in 0usize..5) {
            let sets: Vec<Set> = groups.iter().map(|group| set(group, &TINY)).collect();
            let sets: Vec<&Set> = sets.iter().collect();
            let union = groups.iter().flatten().cloned().collect();
            prop_assert_eq!(contents(&Set::union(&sets, &TINY)), union);
            let common: BTreeSet<_> =
                groups[0].iter().filter(|member| groups.iter().all(|group| group.contains(*member))).cloned().collect();
            prop_assert_eq!(Set::intersection_count(&sets, limit), if limit == 0 { common.len() } else { common.len().min(limit) });
            prop_assert_eq!(contents(&Set::intersection(&sets, &TINY)), common);
            let rest: BTreeSet<_> = groups[0].iter()
                .filter(|member| !groups[1..].iter().any(|group| group.contains(*member))).cloned().collect();
            prop_assert_eq!(contents(&Set::difference(&sets, &TINY)), rest);
        }

        #[test]
        fn a_scan_sees_all_that_stays(
            stay in prop::collection::hash_set(0u32..500, 0..60),
            churn in prop::collection::vec((any::<bool>(), 500u32..560), 0..200),
            count in 1usize..12,
        ) {
            let mut set = Set::new();
            for member in &stay {
                set.insert(&member.to_be_bytes(), &TINY);
            }
            let (mut cursor, mut seen, mut churn) = (0, HashSet::new(), churn.into_iter());
            loop {
                cursor = set.scan(cursor, count, |member| { seen.insert(member.to_vec()); });
                for (add, member) in churn.by_ref().take(7) {
                    if add { set.insert(&member.to_be_bytes(), &TINY); } else { set.remove(&member.to_be_bytes()); }
                }
                if cursor == 0 { break }
            }
            prop_assert!(stay.iter().all(|member| seen.contains(member.to_be_bytes().as_slice())));
        }
    }
}
