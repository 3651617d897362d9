//! The stream type: entries under growing ids in compact blocks, and the groups that read them; no clock, no arguments.

mod block;
mod blocks;
mod group;
mod id;

pub use block::Fields;
pub use group::{Consumer, ConsumerId, Group, Pending};
pub use id::Id;

use super::Limits;
use crate::clock::Millis;
use crate::listpack::{Listpack, Position};
use block::Walk;
use blocks::Blocks;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// A block is never allowed to become longer, whatever the settings say.
const BLOCK_MAX: usize = 1 << 30;
/// What a group costs besides its content: half-filled leaves of names and groups.
const GROUP_BYTES: usize = 2 * (size_of::<Group>() + size_of::<Box<[u8]>>());

/// Why an entry was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// The id is not greater than the last.
    IdTooSmall,
    /// The elements do not fit a block.
    TooLarge,
}

/// What happens to deliveries of an entry that is to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They stay, and name an entry that is gone.
    #[default]
    Keep,
    /// They go with it.
    Delete,
    /// The entry goes only if every group has read and acknowledged it.
    Acknowledged,
}

/// How a deletion by id ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// There is no such entry.
    Missing,
    /// It is gone.
    Deleted,
    /// It was kept because of [`References::Acknowledged`].
    Referenced,
}

/// What is to remain after trimming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// So many entries.
    MaxLen(u64),
    /// The entries from this id on.
    MinId(Id),
}

/// What XTRIM asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What is to remain.
    pub bound: Bound,
    /// Only whole blocks go.
    pub is_approximate: bool,
    /// Most entries to remove; 0 means all.
    pub limit: u64,
    /// What happens to deliveries.
    pub references: References,
}

/// The entries of a stream with what is remembered of those that are gone.
#[derive(Clone, Default)]
pub struct Entries {
    blocks: Blocks,
    len: u64,
    /// Bytes of the blocks.
    bytes: usize,
    /// The id of the first entry; `0-0`, which no entry has, without one.
    first_id: Id,
    last_id: Id,
    max_deleted_id: Id,
    added: u64,
}

/// Entries, and the groups that read them.
#[derive(Clone, Default)]
pub struct Stream {
    entries: Entries,
    groups: Option<Box<Groups>>,
}

#[derive(Clone, Default)]
struct Groups {
    by_name: BTreeMap<Box<[u8]>, Group>,
    bytes: usize,
}

/// Facts about a stream that do not follow from its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The greatest id that was ever added, or was set as that.
    pub last_id: Id,
    /// The greatest id that was deleted.
    pub max_deleted_id: Id,
    /// How many entries were ever added.
    pub added: u64,
}

/// An entry.
#[derive(Clone)]
pub struct Entry<'a> {
    /// Its id.
    pub id: Id,
    /// Its fields with their values.
    pub fields: Fields<'a>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pairs = |fields: Fields<'_>| fields.map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
        let entries: Vec<(Id, Vec<_>)> =
            self.entries.range(Id::MIN..=Id::MAX).map(|entry| (entry.id, pairs(entry.fields))).collect();
        let groups: Vec<_> = self.groups().collect();
        out.debug_struct("Stream")
            .field("facts", &self.facts())
            .field("entries", &entries)
            .field("groups", &groups)
            .finish()
    }
}

impl Entries {
    /// Number of entries.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The greatest id that was ever added, or was set as that.
    pub fn last_id(&self) -> Id {
        self.last_id
    }

    /// The greatest id that was deleted; `0-0` if none was.
    pub fn max_deleted_id(&self) -> Id {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// The id of the first entry.
    pub fn first_id(&self) -> Option<Id> {
        Some(self.first_id).filter(|first| *first != Id::MIN)
    }

    /// The id of the last entry, which is not always [`Entries::last_id`].
    pub fn last_entry_id(&self) -> Option<Id> {
        self.range_reversed(Id::MIN..=Id::MAX).next().map(|entry| entry.id)
    }

    /// The entries of a range of ids in their order. O(blocks' logarithm + block) to begin.
    pub fn range(&self, ids: RangeInclusive<Id>) -> Range<'_> {
        Range::new(self, ids, false)
    }

    /// The entries of a range of ids from the last to the first.
    pub fn range_reversed(&self, ids: RangeInclusive<Id>) -> Range<'_> {
        Range::new(self, ids, true)
    }

    /// An entry by its id.
    pub fn get(&self, id: Id) -> Option<Entry<'_>> {
        self.range(id..=id).next()
    }

    /// Blocks with their first ids, as files hold them.
    pub fn blocks(&self) -> impl Iterator<Item = (Id, &Listpack)> {
        self.blocks.range(Id::MIN..=Id::MAX)
    }

    /// Number of blocks.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// How many nodes a path-compressed tree over the bytes of the blocks' ids has, which is what Redis tells. O(blocks).
    pub fn tree_nodes(&self) -> usize {
        let ids: Vec<[u8; 16]> = self.blocks().map(|(id, _)| id.to_bytes()).collect();
        tree_nodes(&ids, 0)
    }

    /// Whether an entry was deleted behind `id`, as far as that is remembered.
    pub fn has_tombstones_from(&self, id: Id) -> bool {
        if self.is_empty() || self.max_deleted_id == Id::MIN {
            return false;
        }
        self.first_id().is_none_or(|first| first <= self.max_deleted_id) && id <= self.max_deleted_id
    }

    /// How many entries were added up to `id`, if that can be told.
    pub fn count_up_to(&self, id: Id) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        let Some(first) = self.first_id() else {
            return (id <= self.last_id).then_some(self.added);
        };
        if id != Id::MIN && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.added);
        }
        let is_whole = self.max_deleted_id == Id::MIN || self.max_deleted_id < first;
        match id.cmp(&first) {
            std::cmp::Ordering::Less if is_whole => Some(self.added.saturating_sub(self.len)),
            std::cmp::Ordering::Equal if is_whole => Some(self.added.saturating_sub(self.len).saturating_add(1)),
            _ => None,
        }
    }

    fn add<'a>(
        &mut self,
        id: Id,
        pairs: impl Iterator<Item = &'a [u8]> + Clone,
        limits: &Limits,
    ) -> Result<(), AddError> {
        if id <= self.last_id {
            return Err(AddError::IdTooSmall);
        }
        let (count, bytes) =
            pairs.clone().fold((0, 0usize), |(count, bytes), part| (count + 1, bytes.saturating_add(part.len())));
        let first = match self.blocks.last() {
            Some((first, block)) if has_room(block, bytes, count, limits) => first,
            _ => {
                let block = block::create(std::iter::empty());
                if !block::has_room(&block, bytes, count) {
                    return Err(AddError::TooLarge);
                }
                self.finish_last();
                self.insert_block(id, block::create(pairs.clone()));
                id
            }
        };
        self.edit_block(first, |block| block::push(block, first, id, pairs));
        if self.len == 0 {
            self.first_id = id;
        }
        self.len += 1;
        self.last_id = id;
        self.added = self.added.saturating_add(1);
        Ok(())
    }

    /// The last block will not grow any more.
    fn finish_last(&mut self) {
        if let Some((first, _)) = self.blocks.last() {
            self.edit_block(first, Listpack::shrink_to_fit);
        }
    }

    /// Looks for the first entry, after the one that was it may have gone. O(deleted entries of its block).
    fn find_first(&mut self) {
        self.first_id = self.range(Id::MIN..=Id::MAX).next().map_or(Id::MIN, |entry| entry.id);
    }

    /// Marks an entry as deleted.
    fn delete(&mut self, id: Id) -> bool {
        let Some((first, block)) = self.blocks.find(id) else { return false };
        let Some(at) = seek(first, block, id) else { return false };
        self.delete_at(first, &[at]);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    /// Marks living entries of a block as deleted; a block without living entries goes.
    fn delete_at(&mut self, first: Id, places: &[Position]) {
        let left = self.edit_block(first, |block| block::delete(block, places));
        self.len -= places.len() as u64;
        if left == Some(0) {
            self.remove_block(first);
        }
    }

    fn edit_block<R>(&mut self, first: Id, edit: impl FnOnce(&mut Listpack) -> R) -> Option<R> {
        let block = self.blocks.get_mut(first)?;
        let before = block.heap_bytes();
        let result = edit(block);
        self.bytes = self.bytes - before + block.heap_bytes();
        Some(result)
    }

    fn insert_block(&mut self, first: Id, block: Listpack) {
        self.bytes += block.heap_bytes();
        self.blocks.insert(first, block);
    }

    fn remove_block(&mut self, first: Id) -> Option<Listpack> {
        let block = self.blocks.remove(first)?;
        self.bytes -= block.heap_bytes();
        Some(block)
    }
}

impl Stream {
    /// A stream without entries and groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// A stream of the blocks of a file. `None` if they are no blocks, are not in order, or contradict the facts.
    pub fn from_blocks(blocks: Vec<(Id, Listpack)>, facts: Facts) -> Option<Self> {
        let mut stream = Stream::new();
        let mut last = None;
        for (first, block) in blocks {
            if first <= last.unwrap_or(Id::MIN) {
                return None;
            }
            last = Some(block::check(&block, first)?);
            stream.entries.len = stream.entries.len.checked_add(block::live(&block) as u64)?;
            stream.entries.insert_block(first, block);
        }
        if last.is_some_and(|last| last > facts.last_id) {
            return None;
        }
        stream.set_facts(facts);
        stream.entries.find_first();
        Some(stream)
    }

    /// The entries.
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Adds an entry of names and values in turns, at least one pair; elements are shorter than 4 GiB. O(block).
    ///
    /// # Errors
    /// When the id is not greater than [`Entries::last_id`] or the entry is larger than a block can be.
    pub fn add<'a>(
        &mut self,
        id: Id,
        pairs: impl Iterator<Item = &'a [u8]> + Clone,
        limits: &Limits,
    ) -> Result<(), AddError> {
        self.entries.add(id, pairs, limits)
    }

    /// The id that an entry gets which is added now; `None` when there is none left.
    pub fn next_id(&self, now: Millis) -> Option<Id> {
        match Id::new(now, 0) {
            id if now > self.entries.last_id.ms => Some(id),
            _ => self.entries.last_id.next(),
        }
    }

    /// Deletes an entry. O(block), and O(groups) if their deliveries matter.
    pub fn delete(&mut self, id: Id, references: References) -> Deletion {
        let exists = self.entries.get(id).is_some();
        match references {
            References::Acknowledged if exists && self.is_referenced(id) => return Deletion::Referenced,
            References::Delete => self.forget(id),
            References::Acknowledged | References::Keep => {}
        }
        if !self.entries.delete(id) {
            return Deletion::Missing;
        }
        self.entries.max_deleted_id = self.entries.max_deleted_id.max(id);
        Deletion::Deleted
    }

    /// Removes old entries; returns how many. O(removed + block).
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let mut removed = 0u64;
        let mut from = Id::MIN;
        while let Some((first, block)) = self.entries.blocks.range(from..=Id::MAX).next() {
            let live = block::live(block) as u64;
            let is_enough = match trim.bound {
                Bound::MaxLen(most) => self.entries.len <= most,
                Bound::MinId(least) => first >= least,
            };
            if is_enough || (trim.limit > 0 && removed.saturating_add(live) > trim.limit) {
                break;
            }
            let is_whole = match trim.bound {
                Bound::MaxLen(most) => self.entries.len - live >= most,
                Bound::MinId(least) => {
                    let last = Walk::backward(first, block).and_then(|mut walk| walk.next_back());
                    last.is_none_or(|last| last.id < least)
                }
            };
            if is_whole && trim.references == References::Keep {
                self.entries.remove_block(first);
                self.entries.len -= live;
                removed += live;
                continue;
            }
            if trim.is_approximate && !is_whole {
                break;
            }
            removed += self.trim_block(first, trim);
            // What had to be kept because of its references is passed by: others may have to go in its stead.
            let goes_on = is_whole || trim.references == References::Acknowledged;
            let Some(next) = first.next().filter(|_| goes_on) else { break };
            from = next;
        }
        if removed > 0 {
            self.entries.find_first();
        }
        removed
    }

    /// Removes entries of one block, one by one.
    fn trim_block(&mut self, first: Id, trim: Trim) -> u64 {
        let (most, least) = match trim.bound {
            Bound::MaxLen(len) => (self.entries.len.saturating_sub(len), None),
            Bound::MinId(least) => (u64::MAX, Some(least)),
        };
        let Some(block) = self.entries.blocks.get(first) else { return 0 };
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        let mut walk = Walk::forward(first, block);
        while (ids.len() as u64) < most
            && let Some(raw) = walk.as_mut().and_then(Walk::next)
            && least.is_none_or(|least| raw.id < least)
        {
            let is_kept = trim.references == References::Acknowledged && self.is_referenced(raw.id);
            if !raw.is_deleted && !is_kept {
                ids.push(raw.id);
                places.push(raw.at);
            }
        }
        if trim.references == References::Delete {
            ids.iter().for_each(|id| self.forget(*id));
        }
        self.entries.delete_at(first, &places);
        places.len() as u64
    }

    /// Sets what does not follow from the entries.
    pub fn set_facts(&mut self, facts: Facts) {
        self.entries.last_id = facts.last_id;
        self.entries.max_deleted_id = facts.max_deleted_id;
        self.entries.added = facts.added;
    }

    /// What does not follow from the entries.
    pub fn facts(&self) -> Facts {
        let Entries { last_id, max_deleted_id, added, .. } = self.entries;
        Facts { last_id, max_deleted_id, added }
    }

    /// Number of groups.
    pub fn group_count(&self) -> usize {
        self.groups.as_ref().map_or(0, |groups| groups.by_name.len())
    }

    /// Deliveries that wait in all groups. O(groups).
    pub fn pending_count(&self) -> usize {
        self.groups().map(|(_, group)| group.pending().len()).sum()
    }

    /// The groups in the order of their names.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.groups.iter().flat_map(|groups| groups.by_name.iter().map(|(name, group)| (&**name, group)))
    }

    /// A group by its name.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.as_ref()?.by_name.get(name)
    }

    /// Adds a group; false if there is one of that name.
    pub fn add_group(&mut self, name: &[u8], group: Group) -> bool {
        if self.group(name).is_some() {
            return false;
        }
        let groups = self.groups.get_or_insert_default();
        groups.bytes += group.heap_bytes() + name.len() + GROUP_BYTES;
        groups.by_name.insert(name.into(), group);
        true
    }

    /// Removes a group with its consumers; false if there is none of that name.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        let Some(groups) = &mut self.groups else { return false };
        let Some(group) = groups.by_name.remove(name) else { return false };
        groups.bytes -= group.heap_bytes() + name.len() + GROUP_BYTES;
        if groups.by_name.is_empty() {
            self.groups = None;
        }
        true
    }

    /// Changes a group, with the entries to look at; `None` if there is no group of that name.
    pub fn edit_group<R>(&mut self, name: &[u8], edit: impl FnOnce(&Entries, &mut Group) -> R) -> Option<R> {
        let groups = self.groups.as_deref_mut()?;
        let group = groups.by_name.get_mut(name)?;
        let before = group.heap_bytes();
        let result = edit(&self.entries, group);
        groups.bytes = groups.bytes - before + group.heap_bytes();
        Some(result)
    }

    /// Never: a stream stays, with what it remembers and its groups, when its last entry goes.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Bytes on the heap, about. O(1).
    pub fn heap_bytes(&self) -> usize {
        let groups = self.groups.as_ref().map_or(0, |groups| size_of::<Groups>() + groups.bytes);
        self.entries.bytes + self.entries.blocks.overhead() + groups
    }

    /// Whether some group has not read the entry, or has not acknowledged it.
    fn is_referenced(&self, id: Id) -> bool {
        self.groups().any(|(_, group)| group.last_id() < id || group.pending().contains_key(&id))
    }

    /// Removes the deliveries of an entry from all groups.
    fn forget(&mut self, id: Id) {
        let Some(groups) = &mut self.groups else { return };
        for group in groups.by_name.values_mut() {
            let before = group.heap_bytes();
            group.remove_pending(id);
            groups.bytes = groups.bytes - before + group.heap_bytes();
        }
    }
}

/// Entries of a range of ids, in one direction.
#[derive(Clone)]
pub struct Range<'a> {
    entries: &'a Entries,
    /// What is still to be seen.
    ids: RangeInclusive<Id>,
    is_reversed: bool,
    walk: Option<Walk<'a>>,
    /// The block that is being walked.
    block: Option<Id>,
    is_done: bool,
}

impl<'a> Range<'a> {
    fn new(entries: &'a Entries, ids: RangeInclusive<Id>, is_reversed: bool) -> Self {
        let is_done = ids.is_empty();
        let mut range = Range { entries, ids, is_reversed, walk: None, block: None, is_done };
        if !is_done {
            range.enter(None);
        }
        range
    }

    /// Goes on to the next block, or to the first one.
    fn enter(&mut self, behind: Option<Id>) {
        let (start, end) = (*self.ids.start(), *self.ids.end());
        let blocks = &self.entries.blocks;
        let next = match (self.is_reversed, behind) {
            (true, None) => blocks.find(end),
            (true, Some(first)) => first.previous().filter(|last| *last >= start).and_then(|last| blocks.find(last)),
            (false, None) => blocks.find(start).or_else(|| blocks.range(start..=end).next()),
            (false, Some(first)) => {
                first.next().filter(|next| *next <= end).and_then(|next| blocks.range(next..=end).next())
            }
        };
        self.block = next.map(|(first, _)| first);
        self.walk = next.and_then(|(first, block)| match self.is_reversed {
            true => Walk::backward(first, block),
            false => Walk::from(first, block, start),
        });
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        while !self.is_done {
            let Some(walk) = &mut self.walk else { break };
            let raw = if self.is_reversed { walk.next_back() } else { walk.next() };
            let Some(raw) = raw else {
                self.enter(self.block);
                continue;
            };
            self.is_done = match self.is_reversed {
                true => raw.id < *self.ids.start(),
                false => raw.id > *self.ids.end(),
            };
            if !raw.is_deleted && self.ids.contains(&raw.id) {
                return Some(Entry { id: raw.id, fields: raw.fields });
            }
        }
        self.is_done = true;
        None
    }
}

/// Whether the entry still belongs into this block.
fn has_room(block: &Listpack, bytes: usize, count: usize, limits: &Limits) -> bool {
    let most = match limits.stream_node_max_bytes {
        0 => BLOCK_MAX,
        most => most.min(BLOCK_MAX),
    };
    let has_place = limits.stream_node_max_entries == 0 || block::total(block) < limits.stream_node_max_entries;
    has_place && block.byte_len().saturating_add(bytes) < most && block::has_room(block, bytes, count)
}

/// The place of a living entry in its block.
fn seek(first: Id, block: &Listpack, id: Id) -> Option<Position> {
    let raw = Walk::from(first, block, id)?.next()?;
    (raw.id == id && !raw.is_deleted).then_some(raw.at)
}

/// Nodes of a path-compressed tree over sorted keys that agree in their first `from` bytes.
fn tree_nodes(keys: &[[u8; 16]], from: usize) -> usize {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return 1 };
    let common = (from..16).take_while(|at| first[*at] == last[*at]).count();
    let chain = usize::from(common > 0);
    let at = from + common;
    if at == 16 {
        return chain + 1;
    }
    let branches = keys.chunk_by(|one, other| one[at] == other[at]);
    chain + 1 + branches.map(|branch| tree_nodes(branch, at + 1)).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    #[derive(Clone, Debug)]
    enum Step {
        Add(u64, u64, Pairs),
        Delete(usize),
        Trim(Trim),
        Range(usize, usize),
        Deliver(usize, bool),
    }

    fn pairs() -> impl Strategy<Value = Pairs> {
        let value = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..8),
            any::<i64>().prop_map(|number| number.to_string().into_bytes())
        ];
        let same = value.clone().prop_map(|value| vec![(b"field".to_vec(), value)]);
        prop_oneof![3 => same, 1 => proptest::collection::vec((value.clone(), value), 1..4)]
    }

    fn trim() -> impl Strategy<Value = Trim> {
        let bound = prop_oneof![
            (0u64..60).prop_map(Bound::MaxLen),
            (0u64..60, 0u64..4).prop_map(|(ms, seq)| Bound::MinId(Id::new(ms, seq)))
        ];
        let references = prop_oneof![Just(References::Keep), Just(References::Delete), Just(References::Acknowledged)];
        (bound, any::<bool>(), 0u64..30, references).prop_map(|(bound, is_approximate, limit, references)| Trim {
            bound,
            is_approximate,
            limit: if is_approximate { limit } else { 0 },
            references,
        })
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0u64..3, 0u64..4, pairs()).prop_map(|(ms, seq, pairs)| Step::Add(ms, seq, pairs)),
            3 => any::<usize>().prop_map(Step::Delete),
            1 => trim().prop_map(Step::Trim),
            1 => (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Step::Range(from, to)),
            1 => (any::<usize>(), any::<bool>()).prop_map(|(at, acknowledge)| Step::Deliver(at, acknowledge)),
        ]
    }

    fn flat(pairs: &Pairs) -> impl Iterator<Item = &[u8]> + Clone {
        pairs.iter().flat_map(|(field, value)| [field.as_slice(), value.as_slice()])
    }

    fn read<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Vec<(Id, Pairs)> {
        let pairs = |entry: Entry<'a>| entry.fields.map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
        entries.map(|entry| (entry.id, pairs(entry))).collect()
    }

    /// The ids that exact trimming removes, one by one and by the book.
    fn trimmed(model: &BTreeMap<Id, Pairs>, trim: Trim, is_referenced: impl Fn(Id) -> bool) -> Vec<Id> {
        let mut gone = Vec::new();
        for id in model.keys() {
            let is_enough = match trim.bound {
                Bound::MaxLen(most) => (model.len() - gone.len()) as u64 <= most,
                Bound::MinId(least) => *id >= least,
            };
            if is_enough {
                break;
            }
            if trim.references != References::Acknowledged || !is_referenced(*id) {
                gone.push(*id);
            }
        }
        gone
    }

    proptest! {
        #[test]
        fn a_stream_is_a_sorted_map(steps in proptest::collection::vec(step(), 0..150), most in 1usize..12) {
            let limits = Limits { stream_node_max_entries: most, ..Limits::DEFAULT };
            let (mut stream, mut model) = (Stream::new(), BTreeMap::<Id, Pairs>::new());
            let (mut added, mut last, mut pending) = (0u64, Id::MIN, std::collections::BTreeSet::new());
            stream.add_group(b"g", Group::new(Id::MIN, None));
            let mut read_to = Id::MIN;
            for step in steps {
                let ids: Vec<Id> = model.keys().copied().collect();
                let pick = |at: usize| ids.get(at % ids.len().max(1)).copied().unwrap_or(Id::new(7, 0));
                match step {
                    Step::Add(ms, seq, pairs) => {
                        let id = Id::new(last.ms + ms, if ms == 0 { last.seq + seq } else { seq });
                        let result = stream.add(id, flat(&pairs), &limits);
                        prop_assert_eq!(result.is_ok(), id > last);
                        if result.is_ok() {
                            model.insert(id, pairs);
                            last = id;
                            added += 1;
                        }
                    }
                    Step::Delete(at) => {
                        let is_gone = stream.delete(pick(at), References::Keep) == Deletion::Deleted;
                        prop_assert_eq!(is_gone, model.remove(&pick(at)).is_some());
                    }
                    Step::Trim(trim) => {
                        let gone = trimmed(&model, trim, |id| id > read_to || pending.contains(&id));
                        let before = model.len();
                        let removed = stream.trim(trim);
                        if trim.is_approximate {
                            prop_assert!(removed <= gone.len() as u64);
                            prop_assert!(trim.limit == 0 || removed <= trim.limit);
                            let left: Vec<Id> = read(stream.entries().range(Id::MIN..=Id::MAX)).into_iter().map(|(id, _)| id).collect();
                            model.retain(|id, _| left.contains(id));
                            prop_assert_eq!(before - model.len(), removed as usize);
                        } else {
                            prop_assert_eq!(removed, gone.len() as u64);
                            model.retain(|id, _| !gone.contains(id));
                        }
                        if trim.references == References::Delete {
                            pending.retain(|id| model.contains_key(id) || !ids.contains(id));
                        }
                    }
                    Step::Range(from, to) => {
                        let (from, to) = (pick(from).previous().unwrap_or(Id::MIN), pick(to));
                        let expected: Vec<_> =
                            model.iter().filter(|(id, _)| (from..=to).contains(id)).map(|(id, pairs)| (*id, pairs.clone())).collect();
                        prop_assert_eq!(read(stream.entries().range(from..=to)), expected.clone());
                        let reversed: Vec<_> = expected.into_iter().rev().collect();
                        prop_assert_eq!(read(stream.entries().range_reversed(from..=to)), reversed);
                    }
                    Step::Deliver(at, acknowledge) => {
                        let id = pick(at);
                        stream.edit_group(b"g", |entries, group| {
                            let (consumer, _) = group.see_consumer(b"c", 1);
                            group.advance(id, entries);
                            group.set_pending(id, Pending { delivered: 1, count: 1, consumer });
                            if acknowledge {
                                group.remove_pending(id);
                            }
                        });
                        read_to = read_to.max(id);
                        if acknowledge { pending.remove(&id); } else { pending.insert(id); }
                    }
                }
                let expected: Vec<_> = model.iter().map(|(id, pairs)| (*id, pairs.clone())).collect();
                prop_assert_eq!(read(stream.entries().range(Id::MIN..=Id::MAX)), expected.clone());
                prop_assert_eq!(stream.entries().len(), model.len() as u64);
                prop_assert_eq!(stream.entries().first_id(), model.keys().next().copied());
                prop_assert_eq!(stream.entries().last_entry_id(), model.keys().next_back().copied());
                prop_assert_eq!((stream.facts().added, stream.facts().last_id), (added, last));
                let waiting: Vec<Id> = stream.group(b"g").map(|group| group.pending().keys().copied().collect()).unwrap_or_default();
                prop_assert_eq!(waiting, pending.iter().copied().collect::<Vec<_>>());
                let blocks: Vec<_> = stream.entries().blocks().map(|(id, block)| (id, block.clone())).collect();
                prop_assert_eq!(stream.entries().bytes, blocks_bytes(&stream));
                let again = Stream::from_blocks(blocks, stream.facts()).expect("its own blocks are sound");
                prop_assert_eq!(read(again.entries().range(Id::MIN..=Id::MAX)), expected);
            }
            if let Some(groups) = &stream.groups {
                let bytes: usize = groups.by_name.iter().map(|(name, group)| group.heap_bytes() + name.len() + GROUP_BYTES).sum();
                prop_assert_eq!(groups.bytes, bytes);
            }
        }

        #[test]
        fn damaged_blocks_do_no_harm(
            pairs in proptest::collection::vec(pairs(), 1..6),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut stream = Stream::new();
            for (seq, pairs) in pairs.iter().enumerate() {
                stream.add(Id::new(1, seq as u64), flat(pairs), &Limits::DEFAULT).ok();
            }
            let facts = stream.facts();
            let blocks = stream.entries().blocks().filter_map(|(id, block)| {
                let mut bytes = block.as_bytes().to_vec();
                for (at, byte) in &damage {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                Some((id, Listpack::from_bytes(bytes).ok()?))
            });
            if let Some(mut damaged) = Stream::from_blocks(blocks.collect(), facts) {
                let forward = read(damaged.entries().range(Id::MIN..=Id::MAX));
                let mut backward = read(damaged.entries().range_reversed(Id::MIN..=Id::MAX));
                backward.reverse();
                prop_assert_eq!(&forward, &backward);
                for (id, _) in forward {
                    prop_assert_eq!(damaged.delete(id, References::Delete), Deletion::Deleted);
                }
                prop_assert!(damaged.entries().is_empty());
            }
        }
    }

    fn blocks_bytes(stream: &Stream) -> usize {
        stream.entries().blocks().map(|(_, block)| block.heap_bytes()).sum()
    }

    #[test]
    fn a_small_stream_is_small() {
        let mut stream = Stream::new();
        stream.add(Id::new(1, 1), [&b"field"[..], b"value"].into_iter(), &Limits::DEFAULT).ok();
        assert!(size_of::<Stream>() + stream.heap_bytes() <= 192, "{}", stream.heap_bytes());
    }

    #[test]
    fn nodes_are_counted_as_in_a_tree_over_the_ids() {
        let nodes = |ids: &[u64]| tree_nodes(&ids.iter().map(|ms| Id::new(*ms, 0).to_bytes()).collect::<Vec<_>>(), 0);
        assert_eq!((nodes(&[]), nodes(&[1]), nodes(&[1, 2]), nodes(&[1, 2, 256])), (1, 2, 6, 9));
    }
}
