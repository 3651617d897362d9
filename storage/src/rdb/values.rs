//! Reading values: each form of each type, into the encoding that the limits ask for; no keys, no records.

use super::error::RdbError;
use super::input::{Input, StringHead};
use super::streams;
use super::ziplist::{read_ziplist, read_zipmap};
use super::{Dialect, code};
use crate::clock::Millis;
use crate::entry::{Collection, Text, Value};
use crate::intset::Intset;
use crate::listpack::Listpack;
use crate::types::hash::{FIELD_MAX, Hash};
use crate::types::list::{List, Node, Side};
use crate::types::set::Set;
use crate::types::sorted_set::{AddOptions, AddOutcome, SortedSet};
use crate::types::{Item, Limits};
use bytes::Bytes;
use resplite_resp::number::{parse_f64, parse_i64};
use std::io::Read;

/// Strings up to this length are lent, longer ones owned.
const LENT_MAX: u64 = 1023;

const TWICE: &str = "a collection holds an element twice";

/// Buffers that outlive the values which are read with their help.
#[derive(Default)]
pub(super) struct Scratch {
    /// Where a lent string is found afterwards.
    pub(super) text: Vec<u8>,
    first: Vec<u8>,
    second: Vec<u8>,
}

/// What was read.
pub(super) enum Loading {
    /// A short string that is no integer, in the scratch.
    Text,
    /// Anything else.
    Value(Value),
    /// A collection without elements, which has no place in a keyspace.
    Empty,
}

/// Reads a value of the type with this code.
pub(super) fn read_value<R: Read>(
    kind: u8,
    input: &mut Input<R>,
    scratch: &mut Scratch,
    dialect: Dialect,
    limits: &Limits,
) -> Result<Loading, RdbError> {
    let mut values = Values { input, scratch, limits };
    match kind {
        code::STRING => values.string(),
        code::LIST => values.list(),
        code::LIST_ZIPLIST => {
            let listpack = values.ziplist()?;
            Ok(checked(List::from_nodes([Node::from(listpack)], limits)))
        }
        code::LIST_QUICKLIST | code::LIST_QUICKLIST_2 => values.quicklist(kind),
        code::SET => values.set(),
        code::SET_INTSET => values.intset(),
        code::SET_LISTPACK => {
            let listpack = values.listpack()?;
            let mut set = Set::from_listpack(listpack).ok_or_else(|| values.input.corrupt(TWICE))?;
            set.expect(set.len(), b"", limits);
            Ok(checked(set))
        }
        code::SORTED_SET_TEXT | code::SORTED_SET_BINARY => values.sorted_set(kind),
        code::SORTED_SET_ZIPLIST => {
            let listpack = values.ziplist()?;
            values.sorted_set_of(listpack)
        }
        code::SORTED_SET_LISTPACK => {
            let listpack = values.listpack()?;
            values.sorted_set_of(listpack)
        }
        code::HASH => values.hash(),
        code::HASH_ZIPMAP => {
            let bytes = values.input.owned()?;
            let listpack = read_zipmap(&bytes).ok_or_else(|| values.input.corrupt("a zipmap is damaged"))?;
            let longest = listpack.iter().map(Item::len).max().unwrap_or(0);
            values.hash_of(listpack, longest)
        }
        code::HASH_ZIPLIST => {
            let listpack = values.ziplist()?;
            values.hash_of(listpack, 0)
        }
        code::HASH_LISTPACK => {
            let listpack = values.listpack()?;
            values.hash_of(listpack, 0)
        }
        code::HASH_DEADLINES_EARLY if dialect == Dialect::Valkey => values.hash_with_deadlines_of_valkey(),
        code::HASH_DEADLINES_EARLY | code::HASH_DEADLINES => values.hash_with_deadlines(kind),
        code::HASH_LISTPACK_DEADLINES_EARLY | code::HASH_LISTPACK_DEADLINES => {
            values.listpack_hash_with_deadlines(kind)
        }
        code::STREAM | code::STREAM_2 | code::STREAM_3 => streams::read(kind, values.input),
        code::MODULE | code::MODULE_2 => Err(values.input.unsupported("a module's type")),
        _ => Err(values.input.corrupt("a value has an unknown type")),
    }
}

struct Values<'a, R> {
    input: &'a mut Input<R>,
    scratch: &'a mut Scratch,
    limits: &'a Limits,
}

impl<R: Read> Values<'_, R> {
    fn string(&mut self) -> Result<Loading, RdbError> {
        let head = self.input.string_head()?;
        if let StringHead::Int(number) = head {
            return Ok(Loading::Value(Value::Int(number)));
        }
        if head.len() <= LENT_MAX {
            let Item::Bytes(text) = self.input.element_of(head, &mut self.scratch.first)? else {
                return Err(self.input.corrupt("a string has an unknown form"));
            };
            if let Some(number) = parse_i64(text) {
                return Ok(Loading::Value(Value::Int(number)));
            }
            self.scratch.text.clear();
            self.scratch.text.extend_from_slice(text);
            return Ok(Loading::Text);
        }
        let mut text = Vec::new();
        self.input.read_string(head, &mut text)?;
        Ok(Loading::Value(Value::Text { text: Text::Shared(Bytes::from(text)), edited: false }))
    }

    fn list(&mut self) -> Result<Loading, RdbError> {
        let (len, mut list) = (self.input.length()?, List::new());
        for _ in 0..len {
            let element = self.input.element(&mut self.scratch.first)?;
            element.with_bytes(|element| list.push(Side::Back, element, self.limits));
        }
        Ok(checked(list))
    }

    fn quicklist(&mut self, kind: u8) -> Result<Loading, RdbError> {
        let (len, mut nodes) = (self.input.length()?, Vec::new());
        for _ in 0..len {
            let form = if kind == code::LIST_QUICKLIST_2 { self.input.length()? } else { 0 };
            let node = if kind == code::LIST_QUICKLIST {
                Node::from(self.ziplist()?)
            } else if form == code::NODE_PACKED as u64 {
                Node::from(self.listpack()?)
            } else if form == code::NODE_PLAIN as u64 {
                self.input.read_element(&mut self.scratch.first)?;
                if self.scratch.first.is_empty() {
                    return Err(self.input.corrupt("a list node is empty"));
                }
                Node::plain(&self.scratch.first)
            } else {
                return Err(self.input.corrupt("a list node has an unknown form"));
            };
            // What is empty must not cost memory, however many there are.
            if node.len() > 0 {
                nodes.push(node);
            }
        }
        Ok(checked(List::from_nodes(nodes, self.limits)))
    }

    fn set(&mut self) -> Result<Loading, RdbError> {
        let len = self.input.length()?;
        let is_large = usize::try_from(len).is_ok_and(|len| len > self.limits.set_max_intset_entries);
        let mut set = if is_large { Set::new_table(self.limits) } else { Set::new() };
        for _ in 0..len {
            let member = self.input.element(&mut self.scratch.first)?;
            if !set.insert_item(member, self.limits) {
                return Err(self.input.corrupt(TWICE));
            }
        }
        Ok(checked(set))
    }

    fn intset(&mut self) -> Result<Loading, RdbError> {
        let bytes = self.input.owned()?;
        let intset = Intset::from_bytes(bytes).map_err(|_| self.input.corrupt("an intset is damaged"))?;
        let mut set = Set::from(intset);
        set.expect(set.len(), b"0", self.limits);
        Ok(checked(set))
    }

    fn sorted_set(&mut self, kind: u8) -> Result<Loading, RdbError> {
        let len = self.input.length()?;
        let (limits, input, scratch) = (self.limits, &mut *self.input, &mut *self.scratch);
        if len > limits.zset_max_listpack_entries as u64 {
            let set = SortedSet::from_unordered(len, limits, |member| {
                input.read_element(member)?;
                read_score(input, kind)
            })?;
            return set.map(checked).ok_or_else(|| input.corrupt(TWICE));
        }
        // The longest member decides before the first is added: a listpack would not keep the sign of a zero.
        let mut members = Vec::new();
        for _ in 0..len {
            input.read_element(&mut scratch.first)?;
            members.push((scratch.first.clone(), read_score(input, kind)?));
        }
        let mut set = SortedSet::new();
        set.expect(0, members.iter().map(|(member, _)| member.len()).max().unwrap_or(0), limits);
        for (member, score) in members {
            if !matches!(set.add(&member, score, AddOptions::default(), limits), AddOutcome::Added(_)) {
                return Err(input.corrupt(TWICE));
            }
        }
        Ok(checked(set))
    }

    fn sorted_set_of(&mut self, listpack: Listpack) -> Result<Loading, RdbError> {
        let set = SortedSet::from_listpack(listpack);
        let mut set = set.ok_or_else(|| self.input.corrupt("a compact sorted set is damaged"))?;
        set.expect(set.len(), 0, self.limits);
        Ok(checked(set))
    }

    fn hash(&mut self) -> Result<Loading, RdbError> {
        let (len, mut hash) = self.large_hash()?;
        for _ in 0..len {
            self.pair(&mut hash)?;
        }
        Ok(checked(hash))
    }

    fn hash_of(&mut self, listpack: Listpack, longest: usize) -> Result<Loading, RdbError> {
        let hash = Hash::from_listpack(listpack);
        let mut hash = hash.ok_or_else(|| self.input.corrupt("a compact hash is damaged"))?;
        if !hash.is_empty() {
            hash.expect(hash.len(), longest, self.limits);
        }
        Ok(checked(hash))
    }

    fn hash_with_deadlines_of_valkey(&mut self) -> Result<Loading, RdbError> {
        let (len, mut hash) = self.large_hash()?;
        for _ in 0..len {
            self.pair(&mut hash)?;
            let deadline = i64::from_le_bytes(self.input.array()?);
            // What lies before 1970 is past in any case.
            self.put_deadline(&mut hash, (deadline != -1).then(|| Millis::try_from(deadline).unwrap_or(0)));
        }
        Ok(checked(hash))
    }

    fn hash_with_deadlines(&mut self, kind: u8) -> Result<Loading, RdbError> {
        // Each deadline counts from this one, which is 1: so 0 is none. The early form has them as they are.
        let base = if kind == code::HASH_DEADLINES { u64::from_le_bytes(self.input.array()?) } else { 1 };
        let (len, mut hash) = self.large_hash()?;
        for _ in 0..len {
            let after = self.input.length()?;
            let deadline = after.checked_sub(1).map(|after| base.checked_add(after).filter(|at| is_time(*at)));
            if deadline == Some(None) {
                return Err(self.input.corrupt("a deadline is no time"));
            }
            self.pair(&mut hash)?;
            self.put_deadline(&mut hash, deadline.flatten());
        }
        Ok(checked(hash))
    }

    /// An empty hash for as many fields as are said to follow.
    fn large_hash(&mut self) -> Result<(u64, Hash), RdbError> {
        let len = self.input.length()?;
        let mut hash = Hash::new();
        hash.expect(usize::try_from(len).unwrap_or(usize::MAX), 0, self.limits);
        Ok((len, hash))
    }

    /// Gives the field that was read last its deadline.
    fn put_deadline(&mut self, hash: &mut Hash, deadline: Option<Millis>) {
        if deadline.is_some() {
            hash.set_deadline(&self.scratch.first, deadline, self.limits);
        }
    }

    fn listpack_hash_with_deadlines(&mut self, kind: u8) -> Result<Loading, RdbError> {
        if kind == code::HASH_LISTPACK_DEADLINES {
            // The earliest deadline, which is that of the first triple as well.
            self.input.skip(8)?;
        }
        let hash = Hash::from_triples(self.listpack()?);
        let mut hash = hash.ok_or_else(|| self.input.corrupt("a compact hash is damaged"))?;
        if !hash.is_empty() {
            hash.expect(hash.len(), 0, self.limits);
        }
        Ok(checked(hash))
    }

    fn pair(&mut self, hash: &mut Hash) -> Result<(), RdbError> {
        self.input.read_element(&mut self.scratch.first)?;
        if self.scratch.first.len() > FIELD_MAX {
            return Err(self.input.unsupported("fields of 2 GiB and more"));
        }
        let value = self.input.element(&mut self.scratch.second)?;
        let is_new = value.with_bytes(|value| hash.set(&self.scratch.first, value, self.limits));
        if is_new { Ok(()) } else { Err(self.input.corrupt(TWICE)) }
    }

    fn listpack(&mut self) -> Result<Listpack, RdbError> {
        let bytes = self.input.owned()?;
        Listpack::from_bytes(bytes).map_err(|_| self.input.corrupt("a listpack is damaged"))
    }

    fn ziplist(&mut self) -> Result<Listpack, RdbError> {
        self.input.read_element(&mut self.scratch.first)?;
        let mut listpack =
            read_ziplist(&self.scratch.first).ok_or_else(|| self.input.corrupt("a ziplist is damaged"))?;
        listpack.shrink_to_fit();
        Ok(listpack)
    }
}

fn checked<C: Collection>(collection: C) -> Loading {
    if collection.is_empty() { Loading::Empty } else { Loading::Value(collection.into_value()) }
}

/// Whether a time is one that files and replies can say.
fn is_time(at: Millis) -> bool {
    i64::try_from(at).is_ok()
}

fn read_score<R: Read>(input: &mut Input<R>, kind: u8) -> Result<f64, RdbError> {
    let score = if kind == code::SORTED_SET_BINARY {
        Some(f64::from_le_bytes(input.array()?))
    } else {
        match input.byte()? {
            253 => None,
            254 => Some(f64::INFINITY),
            255 => Some(f64::NEG_INFINITY),
            len => parse_f64(input.take(usize::from(len))?),
        }
    };
    score.filter(|score| !score.is_nan()).ok_or_else(|| input.corrupt("a score is not a number"))
}
