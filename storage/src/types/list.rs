//! The list type: one listpack while small, a quicklist after that; which element goes where is decided here.

mod quicklist;

pub use quicklist::Node;
pub use resplite_resp::number::parse_i64;

use super::{Item, Limits, OneOf};
use crate::listpack::{Listpack, Position};
use quicklist::Quicklist;
use std::collections::vec_deque;
use std::ops::Range;

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
    /// Match to begin with: 1 is the first from the front, -1 the first from the back; 0 counts as 1.
    pub rank: i64,
    /// Matches to report; 0 means all.
    pub count: usize,
    /// Elements to compare; 0 means all.
    pub max_len: usize,
}

/// Elements in order, each shorter than 4 GiB.
#[derive(Clone)]
pub struct List {
    repr: Repr,
}

#[derive(Clone)]
enum Repr {
    Listpack(Listpack),
    Quicklist(Box<Quicklist>),
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.iter()).finish()
    }
}

impl List {
    /// An empty list.
    pub fn new() -> Self {
        List { repr: Repr::Listpack(Listpack::new()) }
    }

    /// A list of the nodes of a file, whose empty ones are left out; one small node becomes a listpack.
    pub fn from_nodes(nodes: impl IntoIterator<Item = Node>, limits: &Limits) -> Self {
        let mut list = List { repr: Repr::Quicklist(Box::new(nodes.into_iter().collect())) };
        list.try_listpack(1, limits);
        list
    }

    /// The nodes of a quicklist; `None` for a listpack.
    pub fn nodes(&self) -> Option<impl Iterator<Item = &Node>> {
        match &self.repr {
            Repr::Listpack(_) => None,
            Repr::Quicklist(quicklist) => Some(quicklist.nodes()),
        }
    }

    /// The listpack, if this is the encoding.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match &self.repr {
            Repr::Listpack(listpack) => Some(listpack),
            Repr::Quicklist(_) => None,
        }
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Listpack(listpack) => listpack.len(),
            Repr::Quicklist(quicklist) => quicklist.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `listpack` or `quicklist`.
    pub fn encoding(&self) -> &'static str {
        match &self.repr {
            Repr::Listpack(_) => "listpack",
            Repr::Quicklist(_) => "quicklist",
        }
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.repr {
            Repr::Listpack(listpack) => listpack.heap_bytes(),
            Repr::Quicklist(quicklist) => size_of::<Quicklist>() + quicklist.heap_bytes(),
        }
    }

    /// Adds an element at one end. O(1), but O(node) at the front.
    pub fn push(&mut self, side: Side, value: &[u8], limits: &Limits) {
        self.expect(1, value.len(), limits);
        self.push_unchecked(side, value, limits);
    }

    /// Adds elements at one end, one after the other; the encoding is chosen for all of them at once, as by Redis.
    pub fn push_all<'a>(&mut self, side: Side, values: impl Iterator<Item = &'a [u8]> + Clone, limits: &Limits) {
        let (count, bytes) =
            values.clone().fold((0, 0usize), |(count, bytes), value| (count + 1, bytes.saturating_add(value.len())));
        self.expect(count, bytes, limits);
        values.for_each(|value| self.push_unchecked(side, value, limits));
    }

    /// Takes the element at one end and shows it to `read` before it goes.
    pub fn pop<R>(&mut self, side: Side, limits: &Limits, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let result = match &mut self.repr {
            Repr::Listpack(listpack) => {
                let at = match side {
                    Side::Front => listpack.start(),
                    Side::Back => listpack.previous(listpack.end())?,
                };
                let result = read(listpack.get(at)?);
                listpack.remove(at, 1);
                result
            }
            Repr::Quicklist(quicklist) => quicklist.pop(side, read)?,
        };
        self.try_listpack(2, limits);
        Some(result)
    }

    /// Takes up to `count` elements from one end and visits them in the order of taking. O(count).
    pub fn pop_many(&mut self, side: Side, count: usize, limits: &Limits, visit: impl FnMut(Item<'_>)) {
        let len = self.len();
        let count = count.min(len);
        match side {
            Side::Front => {
                self.range(0..count).for_each(visit);
                self.remove_range(0..count, limits);
            }
            Side::Back => {
                self.range(len - count..len).rev().for_each(visit);
                self.remove_range(len - count..len, limits);
            }
        }
    }

    /// The element at an index; negative ones count from the back. O(nodes) from the nearer end.
    pub fn get(&self, index: i64) -> Option<Item<'_>> {
        match &self.repr {
            Repr::Listpack(listpack) => listpack.get(listpack.seek(index)?),
            Repr::Quicklist(quicklist) => {
                let (node, offset) = quicklist.locate(self.position(index)?)?;
                quicklist.node(node)?.item_at(offset)
            }
        }
    }

    /// Replaces the element at an index; false when there is none. (Even then the encoding may change, as in Redis.)
    pub fn set(&mut self, index: i64, value: &[u8], limits: &Limits) -> bool {
        self.expect(1, value.len(), limits);
        let Some(position) = self.position(index) else { return false };
        match &mut self.repr {
            Repr::Listpack(listpack) => {
                let Some(at) = listpack.seek(index) else { return false };
                listpack.replace(at, value);
            }
            Repr::Quicklist(quicklist) => quicklist.replace(position, value, limits),
        }
        self.try_listpack(2, limits);
        true
    }

    /// Inserts before the first element equal to `pivot`; false without one. O(n).
    pub fn insert_before(&mut self, pivot: &[u8], value: &[u8], limits: &Limits) -> bool {
        self.insert_at(Side::Front, pivot, value, limits)
    }

    /// Inserts after the first element equal to `pivot`; false without one. O(n).
    pub fn insert_after(&mut self, pivot: &[u8], value: &[u8], limits: &Limits) -> bool {
        self.insert_at(Side::Back, pivot, value, limits)
    }

    /// Removes elements equal to `value`: the first `count`, the last `-count`, or all of them for 0; returns how many
    /// went. O(n).
    pub fn remove(&mut self, count: i64, value: &[u8], limits: &Limits) -> usize {
        let side = if count < 0 { Side::Back } else { Side::Front };
        let most = match count {
            0 => usize::MAX,
            _ => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
        };
        let removed = match &mut self.repr {
            Repr::Listpack(listpack) => remove_equal(listpack, side, most, value),
            Repr::Quicklist(quicklist) => quicklist.remove_equal(side, most, value),
        };
        if removed > 0 {
            self.try_listpack(2, limits);
        }
        removed
    }

    /// Keeps only the elements at these positions from the front.
    pub fn trim(&mut self, range: Range<usize>, limits: &Limits) {
        let len = self.len();
        let end = range.end.min(len);
        self.remove_range(end..len, limits);
        self.remove_range(0..range.start.min(end), limits);
    }

    /// Removes the elements at these positions from the front. O(nodes).
    pub fn remove_range(&mut self, range: Range<usize>, limits: &Limits) {
        let end = range.end.min(self.len());
        let Some(count) = end.checked_sub(range.start).filter(|count| *count > 0) else { return };
        match &mut self.repr {
            Repr::Listpack(listpack) => {
                if let Some(at) = listpack.seek(range.start as i64) {
                    listpack.remove(at, count);
                }
            }
            Repr::Quicklist(quicklist) => quicklist.remove_range(range.start, count),
        }
        self.try_listpack(2, limits);
    }

    /// The elements at these positions from the front; reversible. O(nodes) to begin.
    pub fn range(&self, range: Range<usize>) -> Elements<'_> {
        let end = range.end.min(self.len());
        Elements::new(self, range.start.min(end)..end)
    }

    /// All elements; reversible.
    pub fn iter(&self) -> Elements<'_> {
        self.range(0..self.len())
    }

    /// The positions from the front at which `value` is, in the order of the search. O(n).
    pub fn positions(&self, value: &[u8], search: Search) -> Vec<usize> {
        let needle = Needle::new(value);
        let most = |count: usize| if count == 0 { usize::MAX } else { count };
        let skip = usize::try_from(search.rank.unsigned_abs().saturating_sub(1)).unwrap_or(usize::MAX);
        let found = |(position, item): (usize, Item<'_>)| needle.is(item).then_some(position);
        if search.rank >= 0 {
            let seen = self.iter().enumerate().take(most(search.max_len));
            return seen.filter_map(found).skip(skip).take(most(search.count)).collect();
        }
        let seen = (0..self.len()).rev().zip(self.iter().rev()).take(most(search.max_len));
        seen.filter_map(found).skip(skip).take(most(search.count)).collect()
    }

    /// Leaves the listpack if `added` elements of `bytes` in all would make it larger than a node may be.
    fn expect(&mut self, added: usize, bytes: usize, limits: &Limits) {
        let Repr::Listpack(listpack) = &mut self.repr else { return };
        let bytes = listpack.byte_len().saturating_add(bytes);
        if NodeLimit::of(limits).excludes(bytes, listpack.len().saturating_add(added)) {
            let first = Node::from(std::mem::take(listpack));
            self.repr = Repr::Quicklist(Box::new([first].into_iter().collect()));
        }
    }

    /// Returns to a listpack if one node is left that fills no more than `1 / part` of what a node may hold.
    fn try_listpack(&mut self, part: usize, limits: &Limits) {
        let Repr::Quicklist(quicklist) = &mut self.repr else { return };
        let limit = NodeLimit::of(limits).divided(part);
        if let Some(listpack) = quicklist.take_single(|node| !limit.excludes_exactly(node.byte_len(), node.len())) {
            self.repr = Repr::Listpack(listpack);
        }
    }

    fn push_unchecked(&mut self, side: Side, value: &[u8], limits: &Limits) {
        match (&mut self.repr, side) {
            (Repr::Quicklist(quicklist), _) => quicklist.push(side, value, limits),
            (Repr::Listpack(listpack), Side::Front) => listpack.push_front(value),
            (Repr::Listpack(listpack), Side::Back) => listpack.push_back(value),
        }
    }

    fn insert_at(&mut self, side: Side, pivot: &[u8], value: &[u8], limits: &Limits) -> bool {
        // Before the search, as in Redis: a pivot that is not there changes the encoding all the same.
        self.expect(1, value.len(), limits);
        match &mut self.repr {
            Repr::Listpack(listpack) => {
                let Some(at) = listpack.find(listpack.start(), pivot, 0) else { return false };
                let at = if side == Side::Front { at } else { listpack.next(at) };
                listpack.insert(at, value);
                true
            }
            Repr::Quicklist(quicklist) => match quicklist.find(pivot) {
                Some((node, at)) => {
                    quicklist.insert(node, at, side, value, limits);
                    true
                }
                None => false,
            },
        }
    }

    /// The position from the front that an index means.
    fn position(&self, index: i64) -> Option<usize> {
        let len = self.len();
        if index < 0 {
            return len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
        }
        usize::try_from(index).ok().filter(|index| *index < len)
    }
}

/// Elements of a list, from either end.
#[derive(Clone)]
pub struct Elements<'a> {
    remaining: usize,
    front: NodeItems<'a>,
    back: NodeItems<'a>,
    /// Nodes behind that of `front`, and before that of `back`: the count says when the two ends have met.
    after_front: vec_deque::Iter<'a, Node>,
    before_back: vec_deque::Iter<'a, Node>,
}

type NodeItems<'a> = OneOf<crate::listpack::Iter<'a>, std::option::IntoIter<Item<'a>>>;

impl<'a> Elements<'a> {
    fn new(list: &'a List, range: Range<usize>) -> Self {
        let nothing: NodeItems<'a> = OneOf::Second(None.into_iter());
        let mut elements = Elements {
            remaining: range.len(),
            front: nothing.clone(),
            back: nothing,
            after_front: vec_deque::Iter::default(),
            before_back: vec_deque::Iter::default(),
        };
        if range.is_empty() {
            return elements;
        }
        match &list.repr {
            Repr::Listpack(listpack) => {
                let place = |offset: usize| listpack.seek(offset as i64).unwrap_or(listpack.end());
                elements.front = OneOf::First(listpack.iter_between(place(range.start), place(range.end)));
                elements.back = elements.front.clone();
            }
            Repr::Quicklist(quicklist) => {
                if let Some((node, offset)) = quicklist.locate(range.start) {
                    elements.after_front = quicklist.range(node..quicklist.node_count());
                    elements.front = elements.after_front.next().map_or(elements.front, |node| node.items_from(offset));
                }
                if let Some((node, offset)) = quicklist.locate(range.end - 1) {
                    elements.before_back = quicklist.range(0..node + 1);
                    let last = elements.before_back.next_back();
                    elements.back = last.map_or(elements.back, |node| node.items_until(offset + 1));
                }
            }
        }
        elements
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        loop {
            if let Some(item) = self.front.next() {
                return Some(item);
            }
            self.front = self.after_front.next()?.items_from(0);
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl DoubleEndedIterator for Elements<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.remaining = self.remaining.checked_sub(1)?;
        loop {
            if let Some(item) = self.back.next_back() {
                return Some(item);
            }
            let node = self.before_back.next_back()?;
            self.back = node.items_until(node.len());
        }
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// A value to look for: parsed once, compared often.
struct Needle<'a> {
    bytes: &'a [u8],
    int: Option<i64>,
}

impl<'a> Needle<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Needle { bytes, int: parse_i64(bytes) }
    }

    #[inline]
    fn is(&self, item: Item<'_>) -> bool {
        match item {
            Item::Bytes(bytes) => bytes == self.bytes,
            Item::Int(value) => self.int == Some(value),
        }
    }
}

/// Removes up to `most` entries equal to `value`, beginning at one end.
fn remove_equal(listpack: &mut Listpack, side: Side, most: usize, value: &[u8]) -> usize {
    let mut removed = 0;
    if side == Side::Front {
        let mut from = listpack.start();
        while removed < most {
            let Some(at) = listpack.find(from, value, 0) else { break };
            removed += listpack.remove(at, 1);
            from = at;
        }
        return removed;
    }
    let (needle, mut from) = (Needle::new(value), listpack.end());
    while removed < most {
        let Some(at) = listpack.previous(from) else { break };
        if listpack.get(at).is_some_and(|item| needle.is(item)) {
            removed += listpack.remove(at, 1);
        }
        from = at;
    }
    removed
}

/// What `list-max-listpack-size` allows a node: so many bytes, or so many entries within 8 KiB.
#[derive(Clone, Copy)]
struct NodeLimit {
    bytes: usize,
    entries: usize,
}

/// Nodes that are limited by entries still keep to this.
const SAFE_BYTES: usize = 8192;

impl NodeLimit {
    fn of(limits: &Limits) -> Self {
        match limits.list_max_listpack_size {
            entries @ 0.. => NodeLimit { bytes: usize::MAX, entries: entries.max(1) as usize },
            class => NodeLimit { bytes: 2048 << class.unsigned_abs().min(5), entries: usize::MAX },
        }
    }

    fn divided(self, by: usize) -> Self {
        NodeLimit { bytes: self.bytes / by, entries: self.entries / by }
    }

    /// Whether a node of this size is too large.
    fn excludes(self, bytes: usize, entries: usize) -> bool {
        let most = if self.bytes == usize::MAX { SAFE_BYTES } else { self.bytes };
        bytes > most || entries > self.entries
    }

    /// As `excludes`, for the way back to a listpack, where a limit in entries is all there is to it.
    fn excludes_exactly(self, bytes: usize, entries: usize) -> bool {
        bytes > self.bytes || entries > self.entries
    }

    /// Whether an element of this length gets a node of its own.
    fn is_large(limits: &Limits, len: usize) -> bool {
        match limits.list_packed_threshold {
            0 => NodeLimit::of(limits).excludes(len, 0),
            threshold => len >= threshold,
        }
    }
}

impl Node {
    fn items_from(&self, offset: usize) -> NodeItems<'_> {
        match self.as_listpack() {
            Some(listpack) if offset == 0 => OneOf::First(listpack.iter()),
            Some(listpack) => OneOf::First(listpack.iter_from(listpack.seek(offset as i64).unwrap_or(listpack.end()))),
            None => OneOf::Second(self.item_at(offset).into_iter()),
        }
    }

    fn items_until(&self, offset: usize) -> NodeItems<'_> {
        match self.as_listpack() {
            Some(listpack) => {
                let end = listpack.seek(offset as i64).unwrap_or(listpack.end());
                OneOf::First(listpack.iter_between(Position::FIRST, end))
            }
            None => OneOf::Second((offset > 0).then(|| self.item_at(0)).flatten().into_iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, Limits, List, Node, Search, Side};
    use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy;

    const LIMITS: Limits = Limits::DEFAULT;

    fn contents(list: &List) -> Vec<Vec<u8>> {
        list.iter().map(Item::to_vec).collect()
    }

    fn value(number: usize) -> Vec<u8> {
        format!("abcdefgh{number:04}").into_bytes()
    }

    /// Elements after which one more push leaves the listpack, and the length at which popping returns to it.
    fn turning_points(size: i32) -> (usize, usize) {
        let limits = Limits { list_max_listpack_size: size, ..LIMITS };
        let mut list = List::new();
        while list.encoding() == "listpack" {
            list.push(Side::Back, &value(list.len()), &limits);
        }
        let left = list.len();
        while list.encoding() == "quicklist" && !list.is_empty() {
            list.pop(Side::Front, &limits, |_| ());
        }
        (left, list.len())
    }

    #[test]
    fn encodings_change_where_those_of_redis_do() {
        assert_eq!(turning_points(-1), (293, 1));
        assert_eq!(turning_points(-2), (585, 1));
        assert_eq!(turning_points(4), (5, 1));
        assert_eq!(turning_points(0), (2, 0));
        assert_eq!(turning_points(1), (2, 0));
    }

    #[test]
    fn one_command_of_many_elements_chooses_once() {
        for (count, encoding) in [(682, "listpack"), (683, "quicklist")] {
            let values: Vec<_> = (0..count).map(value).collect();
            let mut list = List::new();
            list.push_all(Side::Back, values.iter().map(Vec::as_slice), &LIMITS);
            assert_eq!((list.encoding(), list.len()), (encoding, count));
            assert_eq!(contents(&list), values);
        }
    }

    #[test]
    fn large_elements_have_their_own_nodes() {
        let mut list = List::new();
        for element in [b"a".to_vec(), vec![b'x'; 9000], b"b".to_vec()] {
            list.push(Side::Back, &element, &LIMITS);
        }
        let plain: Vec<_> = list.nodes().into_iter().flatten().map(|node| node.as_plain().map(<[u8]>::len)).collect();
        assert_eq!(plain, [None, Some(9000), None]);
        assert!(list.set(1, b"small", &LIMITS));
        assert_eq!(contents(&list), [b"a".as_slice(), b"small", b"b"]);
        assert!(list.set(0, &[b'y'; 9000], &LIMITS));
        assert!(list.set(-1, &[b'z'; 9000], &LIMITS) && !list.set(3, b"", &LIMITS));
        assert_eq!(list.iter().map(Item::len).collect::<Vec<_>>(), [9000, 5, 9000]);
        list.trim(1..2, &LIMITS);
        assert_eq!((list.encoding(), contents(&list)), ("listpack", vec![b"small".to_vec()]));
    }

    #[test]
    fn files_give_nodes_back() {
        let mut list = List::new();
        for number in 0..2000 {
            list.push(Side::Front, &value(number), &LIMITS);
        }
        let nodes = |list: &List| list.nodes().into_iter().flatten().cloned().collect::<Vec<Node>>();
        assert_eq!(contents(&List::from_nodes(nodes(&list), &LIMITS)), contents(&list));
        assert_eq!(List::from_nodes(nodes(&list).into_iter().take(1), &LIMITS).encoding(), "listpack");
        assert!(List::from_nodes([], &LIMITS).is_empty());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(bool, Vec<u8>),
        Pop(bool, usize),
        Set(i64, Vec<u8>),
        Insert(bool, Vec<u8>, Vec<u8>),
        Remove(i64, Vec<u8>),
        Trim(usize, usize),
    }

    fn element() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            8 => (0u8..6).prop_map(|value| value.to_string().into_bytes()),
            4 => "[a-c]{1,2}".prop_map(String::into_bytes),
            1 => Just(vec![b'L'; 300]),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            12 => (any::<bool>(), element()).prop_map(|(front, value)| Step::Push(front, value)),
            2 => (any::<bool>(), 0usize..5).prop_map(|(front, count)| Step::Pop(front, count)),
            3 => (-30i64..30, element()).prop_map(|(index, value)| Step::Set(index, value)),
            5 => (any::<bool>(), element(), element()).prop_map(|(after, pivot, value)| Step::Insert(after, pivot, value)),
            1 => (-3i64..4, element()).prop_map(|(count, value)| Step::Remove(count, value)),
            1 => (0usize..8, 0usize..40).prop_map(|(start, end)| Step::Trim(start, end)),
        ]
    }

    fn side(front: bool) -> Side {
        if front { Side::Front } else { Side::Back }
    }

    fn model_remove(model: &mut Vec<Vec<u8>>, count: i64, value: &[u8]) -> usize {
        let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
        let mut places: Vec<usize> = (0..model.len()).filter(|place| model[*place] == value).collect();
        if count < 0 {
            places.reverse();
        }
        places.truncate(most);
        places.sort_unstable();
        places.iter().rev().for_each(|place| {
            model.remove(*place);
        });
        places.len()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 512 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn behaves_like_a_vector(
            steps in prop::collection::vec(step(), 0..120),
            size in prop_oneof![Just(-1), Just(0), Just(1), Just(3), Just(7)],
            threshold in prop_oneof![Just(0usize), Just(100)],
        ) {
            let limits = Limits { list_max_listpack_size: size, list_packed_threshold: threshold, ..LIMITS };
            let (mut list, mut model) = (List::new(), Vec::<Vec<u8>>::new());
            for step in steps {
                match step {
                    Step::Push(front, value) => {
                        list.push(side(front), &value, &limits);
                        model.insert(if front { 0 } else { model.len() }, value);
                    }
                    Step::Pop(front, 1) => {
                        let expected = if front { (!model.is_empty()).then(|| model.remove(0)) } else { model.pop() };
                        prop_assert_eq!(list.pop(side(front), &limits, |item| item.to_vec()), expected);
                    }
                    Step::Pop(front, count) => {
                        let count_there = count.min(model.len());
                        let expected: Vec<_> = if front {
                            model.drain(..count_there).collect()
                        } else {
                            model.split_off(model.len() - count_there).into_iter().rev().collect()
                        };
                        let mut popped = Vec::new();
                        list.pop_many(side(front), count, &limits, |item| popped.push(item.to_vec()));
                        prop_assert_eq!(popped, expected);
                    }
                    Step::Set(index, value) => {
                        let place = if index < 0 { model.len() as i64 + index } else { index };
                        let place = usize::try_from(place).ok().filter(|place| *place < model.len());
                        prop_assert_eq!(list.set(index, &value, &limits), place.is_some());
                        if let Some(place) = place { model[place] = value; }
                    }
                    Step::Insert(after, pivot, value) => {
                        let place = model.iter().position(|element| *element == pivot);
                        let done = if after {
                            list.insert_after(&pivot, &value, &limits)
                        } else {
                            list.insert_before(&pivot, &value, &limits)
                        };
                        prop_assert_eq!(done, place.is_some());
                        if let Some(place) = place { model.insert(place + usize::from(after), value); }
                    }
                    Step::Remove(count, value) => {
                        prop_assert_eq!(list.remove(count, &value, &limits), model_remove(&mut model, count, &value));
                    }
                    Step::Trim(start, end) => {
                        list.trim(start..end, &limits);
                        let end = end.min(model.len());
                        model = model[start.min(end)..end].to_vec();
                    }
                }
                prop_assert_eq!(list.len(), model.len());
                if let super::Repr::Quicklist(quicklist) = &list.repr {
                    quicklist.check();
                }
            }
            prop_assert_eq!(contents(&list), &model[..]);
            prop_assert!(list.iter().rev().map(Item::to_vec).eq(model.iter().rev().cloned()));
            let len = model.len();
            for (index, value) in model.iter().enumerate() {
                prop_assert!(list.get(index as i64).is_some_and(|item| item == value.as_slice()));
                prop_assert!(list.get(index as i64 - len as i64).is_some_and(|item| item == value.as_slice()));
                prop_assert_eq!(list.range(index..len).map(Item::to_vec).collect::<Vec<_>>(), &model[index..]);
                prop_assert_eq!(list.range(0..index).rev().map(Item::to_vec).collect::<Vec<_>>(),
                    model[..index].iter().rev().cloned().collect::<Vec<_>>());
            }
            prop_assert!(list.get(len as i64).is_none() && list.get(-(len as i64) - 1).is_none());
            // Both ends in turn, until they meet.
            let (mut ends, mut taken) = (list.iter(), 0);
            while let Some(item) = if taken % 2 == 0 { ends.next() } else { ends.next_back() } {
                let place = if taken % 2 == 0 { taken / 2 } else { len - 1 - taken / 2 };
                prop_assert_eq!(item.to_vec(), model[place].clone());
                taken += 1;
            }
            prop_assert_eq!(taken, len);
        }

        #[test]
        fn positions_are_those_of_a_search(
            elements in prop::collection::vec(0u8..3, 0..30),
            rank in prop_oneof![-4i64..0, 1i64..5], count in 0usize..4, max_len in 0usize..20,
        ) {
            let limits = Limits { list_max_listpack_size: 4, ..LIMITS };
            let mut list = List::new();
            elements.iter().for_each(|element| list.push(Side::Back, element.to_string().as_bytes(), &limits));
            let mut order: Vec<usize> = (0..elements.len()).collect();
            if rank < 0 { order.reverse(); }
            if max_len > 0 { order.truncate(max_len); }
            let mut expected: Vec<usize> = order.into_iter().filter(|place| elements[*place] == 1)
                .skip(rank.unsigned_abs() as usize - 1).collect();
            if count > 0 { expected.truncate(count); }
            prop_assert_eq!(list.positions(b"1", Search { rank, count, max_len }), expected);
        }
    }
}
