//! Writing: the pieces of a file and of a payload; no files, no checksums, no decision about what is saved when.

use super::lzf::Compressor;
use super::{TIMED_VERSION, VERSION, code};
use crate::clock::Millis;
use crate::entry::{StringRef, ValueRef};
use crate::types::Item;
use crate::types::hash::{Hash, Timed};
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::types::stream::{Group, Id, Stream};
use bytes::Bytes;
use resplite_resp::number::parse_i64;
use std::io::{self, Write};

/// Redis does not try to compress strings up to this length.
const COMPRESS_ABOVE: usize = 20;
/// Bytes that compression must save.
const WORTHWHILE: usize = 4;
/// Longest text that may be an integer of 32 bits.
const INT_TEXT_MAX: usize = 11;
/// Shared strings below this are copied: a reference would cost more.
const SHARE_FROM: usize = 256;
/// How much is gathered before it goes to the output.
const BLOCK: usize = 1 << 16;

/// How strings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `rdbcompression`: strings of more than 20 bytes are compressed where that saves at least four.
    pub compress: bool,
}

/// Encoded parts of a file or of a payload, in order.
///
/// Adding is cheap enough to be done under a lock: long shared strings are kept by reference, and nothing is compressed
/// before [`Pieces::write_to`] or [`Pieces::into_vec`].
pub struct Pieces {
    options: Options,
    bytes: Vec<u8>,
    /// Strings whose form is not decided yet, in order.
    strings: Vec<Undecided>,
    shared: usize,
}

/// A string that begins at `at` of the bytes.
struct Undecided {
    at: usize,
    content: Content,
}

enum Content {
    /// So many of the bytes themselves.
    Copied(usize),
    /// None of the bytes.
    Shared(Bytes),
}

impl Pieces {
    /// No pieces yet.
    pub fn new(options: Options) -> Self {
        Pieces { options, bytes: Vec::new(), strings: Vec::new(), shared: 0 }
    }

    /// About how many bytes these pieces will make: strings count as they are before compression.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.shared
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The start of a file: the magic, the version and facts about the file by name. `has_field_deadlines` says whether
    /// fields of hashes may have deadlines, of which older versions know nothing.
    pub fn header(&mut self, has_field_deadlines: bool, aux: &[(&str, &str)]) {
        let version = if has_field_deadlines { TIMED_VERSION } else { VERSION };
        self.bytes.extend_from_slice(format!("REDIS{version:04}").as_bytes());
        for (name, value) in aux {
            self.bytes.push(code::AUX);
            self.string(name.as_bytes());
            self.string(value.as_bytes());
        }
    }

    /// The source of a library of functions; in front of all databases.
    pub fn function(&mut self, source: &[u8]) {
        self.bytes.push(code::FUNCTION);
        self.raw(source);
    }

    /// The entries that follow belong to this database.
    pub fn select(&mut self, db: usize) {
        self.bytes.push(code::SELECT);
        self.length(db);
    }

    /// The database will have so many keys, and so many of them with a deadline.
    pub fn resize(&mut self, keys: usize, expires: usize) {
        self.bytes.push(code::RESIZE);
        self.length(keys);
        self.length(expires);
    }

    /// A whole key.
    pub fn entry(&mut self, key: &[u8], value: ValueRef<'_>, deadline: Option<Millis>) {
        self.head(key, deadline, type_code(&value));
        self.value(value);
    }

    /// The start of a hash of `len` fields, which follow by [`Pieces::hash_field`] in any order; `earliest` is the first
    /// deadline of any of them.
    pub fn hash_head(&mut self, key: &[u8], deadline: Option<Millis>, earliest: Option<Millis>, len: usize) {
        self.head(key, deadline, if earliest.is_some() { code::HASH_DEADLINES } else { code::HASH });
        self.fields_head(earliest, len);
    }

    fn fields_head(&mut self, earliest: Option<Millis>, len: usize) {
        if let Some(earliest) = earliest {
            self.bytes.extend_from_slice(&earliest.to_le_bytes());
        }
        self.length(len);
    }

    /// A field of a hash whose earliest deadline of a field is `earliest`.
    pub fn hash_field(&mut self, earliest: Option<Millis>, (field, value, deadline): Timed<'_>) {
        if let Some(earliest) = earliest {
            // 0 is none, so that the earliest is 1.
            self.length_of(deadline.map_or(0, |at| at.saturating_sub(earliest) + 1));
        }
        self.item(field);
        self.item(value);
    }

    /// The start of a set of `len` members, which follow by [`Pieces::set_member`] in any order.
    pub fn set_head(&mut self, key: &[u8], deadline: Option<Millis>, len: usize) {
        self.head(key, deadline, code::SET);
        self.length(len);
    }

    /// A member of a set.
    pub fn set_member(&mut self, member: Item<'_>) {
        self.item(member);
    }

    /// The start of a sorted set of `len` members, which follow by [`Pieces::sorted_set_pair`] in any order.
    pub fn sorted_set_head(&mut self, key: &[u8], deadline: Option<Millis>, len: usize) {
        self.head(key, deadline, code::SORTED_SET_BINARY);
        self.length(len);
    }

    /// A member of a sorted set with its score.
    pub fn sorted_set_pair(&mut self, member: Item<'_>, score: f64) {
        self.item(member);
        self.bytes.extend_from_slice(&score.to_le_bytes());
    }

    /// The end of the file; the checksum of everything so far follows it and is up to the caller.
    pub fn end(&mut self) {
        self.bytes.push(code::END);
    }

    /// Compresses and writes everything.
    pub fn write_to(self, out: &mut impl Write) -> io::Result<()> {
        if self.strings.is_empty() {
            return out.write_all(&self.bytes);
        }
        let mut block = Vec::with_capacity(self.len().min(BLOCK));
        self.assemble(&mut block, |block, rest| {
            if block.len() + rest.len() >= BLOCK {
                out.write_all(block)?;
                block.clear();
                if rest.len() >= BLOCK {
                    return out.write_all(rest);
                }
            }
            block.extend_from_slice(rest);
            Ok(())
        })?;
        out.write_all(&block)
    }

    /// Compresses everything into one vector.
    pub fn into_vec(mut self) -> Vec<u8> {
        if self.strings.is_empty() {
            return std::mem::take(&mut self.bytes);
        }
        let mut out = Vec::with_capacity(self.len());
        // Appending to a vector cannot fail.
        let _ = self.assemble(&mut out, |out, rest| {
            out.extend_from_slice(rest);
            Ok(())
        });
        out
    }

    /// Appends everything to `block`; what may be long goes through `append`, which may empty the block.
    fn assemble(
        &self,
        block: &mut Vec<u8>,
        mut append: impl FnMut(&mut Vec<u8>, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let longest = self.strings.iter().map(|string| string.len()).max().unwrap_or(0);
        let mut compressor = self.options.compress.then(|| Compressor::new(longest));
        let (mut written, mut packed) = (0, Vec::new());
        for string in &self.strings {
            append(block, &self.bytes[written..string.at])?;
            let text = match &string.content {
                Content::Copied(len) => &self.bytes[string.at..string.at + len],
                Content::Shared(bytes) => bytes,
            };
            written = string.end();
            packed.clear();
            let most = text.len().saturating_sub(WORTHWHILE);
            let is_packed = text.len() > COMPRESS_ABOVE
                && compressor.as_mut().is_some_and(|compressor| compressor.compress(text, most, &mut packed));
            if is_packed {
                block.push(code::STRING_LZF);
                write_length(packed.len() as u64, block);
                write_length(text.len() as u64, block);
                append(block, &packed)?;
            } else {
                write_length(text.len() as u64, block);
                append(block, text)?;
            }
        }
        append(block, &self.bytes[written..])
    }

    fn head(&mut self, key: &[u8], deadline: Option<Millis>, kind: u8) {
        if let Some(deadline) = deadline {
            self.bytes.push(code::DEADLINE_MILLIS);
            self.bytes.extend_from_slice(&deadline.to_le_bytes());
        }
        self.bytes.push(kind);
        self.string(key);
    }

    /// The type's code and the value, without a key.
    pub(super) fn bare(&mut self, value: ValueRef<'_>) {
        self.bytes.push(type_code(&value));
        self.value(value);
    }

    fn value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::String(StringRef::Int(number)) => self.int(number),
            ValueRef::String(StringRef::Bytes(bytes)) => self.string(bytes),
            ValueRef::String(StringRef::Shared(bytes)) => self.shared(bytes),
            ValueRef::List(list) => self.list(list),
            ValueRef::Set(set) => self.set(set),
            ValueRef::Hash(hash) => self.hash(hash),
            ValueRef::SortedSet(set) => self.sorted_set(set),
            ValueRef::Stream(stream) => self.stream(stream),
        }
    }

    fn list(&mut self, list: &List) {
        if let Some(listpack) = list.as_listpack() {
            self.length(1);
            self.length(code::NODE_PACKED);
            return self.raw(listpack.as_bytes());
        }
        let nodes = || list.nodes().into_iter().flatten();
        // A long list is copied under a lock: once, not again each time that the bytes have to grow.
        self.bytes.reserve(list.heap_bytes());
        self.length(nodes().count());
        for node in nodes() {
            if let Some(element) = node.as_plain() {
                self.length(code::NODE_PLAIN);
                self.string(element);
            } else if let Some(listpack) = node.as_listpack() {
                self.length(code::NODE_PACKED);
                self.raw(listpack.as_bytes());
            }
        }
    }

    fn set(&mut self, set: &Set) {
        if let Some(intset) = set.as_intset() {
            return self.raw(intset.as_bytes());
        }
        self.length(set.len());
        set.iter().for_each(|member| self.item(member));
    }

    fn hash(&mut self, hash: &Hash) {
        let earliest = hash.next_deadline();
        if let (Some(earliest), Some(listpack)) = (earliest, hash.as_triples()) {
            self.bytes.extend_from_slice(&earliest.to_le_bytes());
            return self.raw(listpack.as_bytes());
        }
        if let Some(listpack) = hash.as_listpack() {
            return self.raw(listpack.as_bytes());
        }
        self.fields_head(earliest, hash.len());
        hash.iter_timed().for_each(|field| self.hash_field(earliest, field));
    }

    fn sorted_set(&mut self, set: &SortedSet) {
        if let Some(listpack) = set.as_listpack() {
            return self.raw(listpack.as_bytes());
        }
        self.length(set.len());
        // The greatest first, as Redis does: its own loading is fastest that way.
        set.iter().rev().for_each(|(member, score)| self.sorted_set_pair(member, score));
    }

    fn stream(&mut self, stream: &Stream) {
        let entries = stream.entries();
        // As for long lists: copied once, not again each time that the bytes have to grow.
        self.bytes.reserve(stream.heap_bytes());
        self.length(entries.block_count());
        for (first, block) in entries.blocks() {
            self.raw(&first.to_bytes());
            self.raw(block.as_bytes());
        }
        self.length_of(entries.len());
        self.id(entries.last_id());
        self.id(entries.first_id().unwrap_or_default());
        self.id(entries.max_deleted_id());
        self.length_of(entries.added());
        self.length(stream.group_count());
        for (name, group) in stream.groups() {
            self.raw(name);
            self.group(group);
        }
    }

    fn group(&mut self, group: &Group) {
        self.id(group.last_id());
        // What is not known is -1 in Redis.
        self.length_of(group.entries_read().unwrap_or(u64::MAX));
        self.length(group.pending().len());
        for (id, pending) in group.pending() {
            self.bytes.extend_from_slice(&id.to_bytes());
            self.bytes.extend_from_slice(&pending.delivered.to_le_bytes());
            self.length_of(pending.count);
        }
        self.length(group.consumer_count());
        for consumer in group.consumers() {
            self.raw(&consumer.name);
            self.bytes.extend_from_slice(&consumer.seen.to_le_bytes());
            self.length(consumer.pending().len());
            consumer.pending().iter().for_each(|id| self.bytes.extend_from_slice(&id.to_bytes()));
        }
    }

    fn id(&mut self, id: Id) {
        self.length_of(id.ms);
        self.length_of(id.seq);
    }

    fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Int(number) => self.int(number),
            Item::Bytes(bytes) => self.string(bytes),
        }
    }

    fn string(&mut self, text: &[u8]) {
        let number = if text.len() <= INT_TEXT_MAX { parse_i64(text) } else { None };
        if let Some(number) = number.filter(|number| i32::try_from(*number).is_ok()) {
            return self.int(number);
        }
        self.raw(text);
    }

    /// A string that is not to become an integer, whatever it looks like.
    fn raw(&mut self, text: &[u8]) {
        if self.options.compress && text.len() > COMPRESS_ABOVE {
            self.strings.push(Undecided { at: self.bytes.len(), content: Content::Copied(text.len()) });
        } else {
            self.length(text.len());
        }
        self.bytes.extend_from_slice(text);
    }

    fn shared(&mut self, text: &Bytes) {
        if text.len() < SHARE_FROM {
            return self.string(text);
        }
        self.shared += text.len();
        self.strings.push(Undecided { at: self.bytes.len(), content: Content::Shared(text.clone()) });
    }

    fn int(&mut self, number: i64) {
        if let Ok(number) = i8::try_from(number) {
            self.bytes.push(code::STRING_INT8);
            self.bytes.extend_from_slice(&number.to_le_bytes());
        } else if let Ok(number) = i16::try_from(number) {
            self.bytes.push(code::STRING_INT16);
            self.bytes.extend_from_slice(&number.to_le_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.bytes.push(code::STRING_INT32);
            self.bytes.extend_from_slice(&number.to_le_bytes());
        } else {
            self.raw(itoa::Buffer::new().format(number).as_bytes());
        }
    }

    fn length(&mut self, len: usize) {
        self.length_of(len as u64);
    }

    /// A number in the form of a length.
    fn length_of(&mut self, number: u64) {
        write_length(number, &mut self.bytes);
    }
}

impl Undecided {
    /// Behind what the string takes of the bytes.
    fn end(&self) -> usize {
        match &self.content {
            Content::Copied(len) => self.at + len,
            Content::Shared(_) => self.at,
        }
    }

    fn len(&self) -> usize {
        match &self.content {
            Content::Copied(len) => *len,
            Content::Shared(bytes) => bytes.len(),
        }
    }
}

fn type_code(value: &ValueRef<'_>) -> u8 {
    match value {
        ValueRef::String(_) => code::STRING,
        ValueRef::List(_) => code::LIST_QUICKLIST_2,
        ValueRef::Set(set) if set.as_intset().is_some() => code::SET_INTSET,
        ValueRef::Set(_) => code::SET,
        ValueRef::Hash(hash) => match (hash.is_compact(), hash.next_deadline().is_some()) {
            (true, false) => code::HASH_LISTPACK,
            (true, true) => code::HASH_LISTPACK_DEADLINES,
            (false, false) => code::HASH,
            (false, true) => code::HASH_DEADLINES,
        },
        ValueRef::SortedSet(set) if set.as_listpack().is_some() => code::SORTED_SET_LISTPACK,
        ValueRef::SortedSet(_) => code::SORTED_SET_BINARY,
        ValueRef::Stream(_) => code::STREAM_2,
    }
}

fn write_length(len: u64, out: &mut Vec<u8>) {
    if len < 1 << 6 {
        out.push(len as u8);
    } else if len < 1 << 14 {
        out.extend_from_slice(&(len as u16 | code::LENGTH_14).to_be_bytes());
    } else if let Ok(len) = u32::try_from(len) {
        out.push(code::LENGTH_32);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(code::LENGTH_64);
        out.extend_from_slice(&len.to_be_bytes());
    }
}
