//! One key with its value, deadline and access time, in one allocation where the value is short.
//!
//! Layout behind the header: deadline if there is one (8 bytes), then an integer or a pointer to a boxed value
//! (8 bytes) where the kind says so, then the key, then the bytes of an inline string.

use crate::clock::Millis;
use crate::packed::{Header, Packed};
use crate::types::hash::Hash;
use crate::types::int_len;
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::types::stream::Stream;
use crate::uses::Use;
use bytes::Bytes;
use std::borrow::Cow;

/// Longest string that lies in the entry itself.
const INLINE_MAX: usize = 1023;
/// Longest string whose encoding Redis shows as embstr.
const EMBSTR_MAX: usize = 44;
/// Longest key that lies in the entry itself.
const KEY_MAX: usize = (1 << 22) - 1;
const LEN_BITS: u32 = 10;

const KIND_MASK: u8 = 0x0f;
const HAS_DEADLINE: u8 = 0x10;
const BOXED_KEY: u8 = 0x20;
/// The string was changed in place: Redis shows it as raw whatever its length.
const EDITED: u8 = 0x40;
/// Which of two epochs of snapshots the entry is in; see `snapshot.rs`.
const EPOCH: u8 = 0x80;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Kind {
    Int = 0,
    Inline = 1,
    Text = 2,
    List = 3,
    Set = 4,
    Hash = 5,
    SortedSet = 6,
    Stream = 7,
}

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct EntryHeader {
    bits: u8,
    access: [u8; 3],
    /// Key length in the upper 22 bits, length of an inline string in the lower 10.
    lens: u32,
}

impl EntryHeader {
    #[inline(always)]
    fn kind(self) -> Kind {
        match self.bits & KIND_MASK {
            0 => Kind::Int,
            1 => Kind::Inline,
            2 => Kind::Text,
            3 => Kind::List,
            4 => Kind::Set,
            5 => Kind::Hash,
            6 => Kind::SortedSet,
            _ => Kind::Stream,
        }
    }

    #[inline(always)]
    fn fixed_start(self) -> usize {
        if self.bits & HAS_DEADLINE != 0 { 8 } else { 0 }
    }

    #[inline(always)]
    fn key_start(self) -> usize {
        self.fixed_start() + if self.bits & KIND_MASK == Kind::Inline as u8 { 0 } else { 8 }
    }

    #[inline(always)]
    fn key_len(self) -> usize {
        (self.lens >> LEN_BITS) as usize
    }

    #[inline(always)]
    fn inline_len(self) -> usize {
        (self.lens & ((1 << LEN_BITS) - 1)) as usize
    }
}

// SAFETY: the length follows from the header's own fields, and every change of them goes through `Packed::resize`.
unsafe impl Header for EntryHeader {
    #[inline(always)]
    fn tail_len(&self) -> usize {
        self.key_start() + self.key_len() + self.inline_len()
    }
}

/// A long string: bytes that replies can share, or bytes that are being edited in place.
#[derive(Clone)]
pub enum Text {
    /// Immutable and reference counted: a reply takes it along without copying.
    Shared(Bytes),
    /// Being appended to or written into.
    Owned(Vec<u8>),
}

impl Text {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Text::Shared(bytes) => bytes,
            Text::Owned(bytes) => bytes,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Text::Shared(bytes) => bytes.len(),
            Text::Owned(bytes) => bytes.capacity(),
        }
    }

    fn to_owned_mut(&mut self) -> &mut Vec<u8> {
        if let Text::Shared(bytes) = self {
            *self = Text::Owned(Vec::from(std::mem::take(bytes)));
        }
        match self {
            Text::Owned(bytes) => bytes,
            Text::Shared(_) => unreachable!("made owned above"),
        }
    }
}

/// A value outside of any entry: on its way in, out, or to another key.
#[derive(Clone)]
pub enum Value {
    /// A string that is an integer in canonical form.
    Int(i64),
    /// Any other string; `edited` ones are shown as raw.
    Text {
        /// The bytes.
        text: Text,
        /// Whether the string was changed in place since it was set.
        edited: bool,
    },
    /// A list.
    List(Box<List>),
    /// A set.
    Set(Box<Set>),
    /// A hash.
    Hash(Box<Hash>),
    /// A sorted set.
    SortedSet(Box<SortedSet>),
    /// A stream.
    Stream(Box<Stream>),
}

/// A string value as it lies in its entry.
#[derive(Clone, Copy)]
pub enum StringRef<'a> {
    /// An integer in canonical form.
    Int(i64),
    /// Bytes to copy.
    Bytes(&'a [u8]),
    /// Bytes that can be shared.
    Shared(&'a Bytes),
}

impl StringRef<'_> {
    /// Length of the text in bytes.
    pub fn len(&self) -> usize {
        match self {
            StringRef::Int(number) => int_len(*number),
            StringRef::Bytes(bytes) => bytes.len(),
            StringRef::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `read` with the text; an integer is written out first.
    pub fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            StringRef::Int(number) => read(number.to_string().as_bytes()),
            StringRef::Bytes(bytes) => read(bytes),
            StringRef::Shared(bytes) => read(bytes),
        }
    }
}

impl<'a> From<StringRef<'a>> for Cow<'a, [u8]> {
    /// The text, to look at together with others; only an integer is written out.
    fn from(string: StringRef<'a>) -> Self {
        match string {
            StringRef::Int(number) => Cow::Owned(number.to_string().into_bytes()),
            StringRef::Bytes(bytes) => Cow::Borrowed(bytes),
            StringRef::Shared(bytes) => Cow::Borrowed(bytes),
        }
    }
}

/// A borrowed value.
pub enum ValueRef<'a> {
    /// Any string.
    String(StringRef<'a>),
    /// A list.
    List(&'a List),
    /// A set.
    Set(&'a Set),
    /// A hash.
    Hash(&'a Hash),
    /// A sorted set.
    SortedSet(&'a SortedSet),
    /// A stream.
    Stream(&'a Stream),
}

impl ValueRef<'_> {
    /// The type's name as TYPE answers it.
    pub fn type_name(&self) -> &'static str {
        match self {
            ValueRef::String(_) => "string",
            ValueRef::List(_) => "list",
            ValueRef::Set(_) => "set",
            ValueRef::Hash(_) => "hash",
            ValueRef::SortedSet(_) => "zset",
            ValueRef::Stream(_) => "stream",
        }
    }
}

/// A collection type that entries hold in a box of its own.
pub trait Collection: Default + Clone + Send + Sync {
    /// The collection in `entry`, or `None` if another type is there.
    fn of(entry: &Entry) -> Option<&Self>;
    /// As [`Collection::of`], to change it.
    fn of_mut(entry: &mut Entry) -> Option<&mut Self>;
    /// The value to put into an entry.
    fn into_value(self) -> Value;
    /// Whether it has no elements; such a collection does not stay in the keyspace.
    fn is_empty(&self) -> bool;
    /// Bytes that it owns on the heap.
    fn heap_bytes(&self) -> usize;
}

macro_rules! collection {
    ($type:ident) => {
        impl Collection for $type {
            #[inline]
            fn of(entry: &Entry) -> Option<&Self> {
                // SAFETY: the kind says that the fixed word is the box of a value of this type.
                (entry.kind() == Kind::$type).then(|| unsafe { entry.boxed::<$type>() })
            }

            #[inline]
            fn of_mut(entry: &mut Entry) -> Option<&mut Self> {
                // SAFETY: as in `of`; the exclusive borrow of the entry covers what it owns.
                (entry.kind() == Kind::$type).then(|| unsafe { entry.boxed_mut::<$type>() })
            }

            fn into_value(self) -> Value {
                Value::$type(Box::new(self))
            }

            fn is_empty(&self) -> bool {
                $type::is_empty(self)
            }

            fn heap_bytes(&self) -> usize {
                $type::heap_bytes(self)
            }
        }
    };
}

collection!(List);
collection!(Set);
collection!(Hash);
collection!(SortedSet);
collection!(Stream);

/// A key, its value, its deadline if any, and when it was last used: one word that owns one allocation (two for
/// collections and strings of more than a kilobyte).
pub struct Entry(Packed<EntryHeader>);

// SAFETY: an entry owns everything it points at, and all of it is Send.
unsafe impl Send for Entry {}
// SAFETY: shared access only reads.
unsafe impl Sync for Entry {}

impl Entry {
    /// An entry for `value` under `key`, last used at `access` (see [`Entry::access`]).
    pub fn new(key: &[u8], value: Value, deadline: Option<Millis>, access: u32) -> Self {
        match value {
            Value::Int(number) => Self::build(key, Kind::Int, 0, Some(number as u64), b"", deadline, access),
            Value::Text { text, edited } => {
                if text.as_slice().len() <= INLINE_MAX {
                    let mut entry = Self::with_text(key, text.as_slice(), deadline, access);
                    entry.mark_edited(edited);
                    return entry;
                }
                let flags = if edited { EDITED } else { 0 };
                let word = Box::into_raw(Box::new(text)).expose_provenance() as u64;
                Self::build(key, Kind::Text, flags, Some(word), b"", deadline, access)
            }
            Value::List(value) => Self::with_box(key, Kind::List, value, deadline, access),
            Value::Set(value) => Self::with_box(key, Kind::Set, value, deadline, access),
            Value::Hash(value) => Self::with_box(key, Kind::Hash, value, deadline, access),
            Value::SortedSet(value) => Self::with_box(key, Kind::SortedSet, value, deadline, access),
            Value::Stream(value) => Self::with_box(key, Kind::Stream, value, deadline, access),
        }
    }

    /// An entry for a string that is not an integer in canonical form; short ones need no second allocation.
    pub fn with_text(key: &[u8], text: &[u8], deadline: Option<Millis>, access: u32) -> Self {
        if text.len() <= INLINE_MAX {
            return Self::build(key, Kind::Inline, 0, None, text, deadline, access);
        }
        let text = Text::Shared(Bytes::copy_from_slice(text));
        Self::new(key, Value::Text { text, edited: false }, deadline, access)
    }

    fn with_box<T>(key: &[u8], kind: Kind, value: Box<T>, deadline: Option<Millis>, access: u32) -> Self {
        let word = Box::into_raw(value).expose_provenance() as u64;
        Self::build(key, kind, 0, Some(word), b"", deadline, access)
    }

    #[inline]
    fn build(
        key: &[u8],
        kind: Kind,
        flags: u8,
        word: Option<u64>,
        text: &[u8],
        deadline: Option<Millis>,
        access: u32,
    ) -> Self {
        let mut bits = kind as u8 | flags;
        let boxed_key;
        let mut stored_key = key;
        if key.len() > KEY_MAX {
            let owned: Box<Box<[u8]>> = Box::new(key.into());
            boxed_key = (Box::into_raw(owned).expose_provenance() as u64).to_ne_bytes();
            stored_key = &boxed_key;
            bits |= BOXED_KEY;
        }
        let deadline_bytes = deadline.unwrap_or(0).to_ne_bytes();
        let deadline_part: &[u8] = if deadline.is_some() {
            bits |= HAS_DEADLINE;
            &deadline_bytes
        } else {
            b""
        };
        let word_bytes = word.unwrap_or(0).to_ne_bytes();
        let word_part: &[u8] = if word.is_some() { &word_bytes } else { b"" };
        let [a, b, c, _] = access.to_le_bytes();
        let header =
            EntryHeader { bits, access: [a, b, c], lens: ((stored_key.len() as u32) << LEN_BITS) | text.len() as u32 };
        Entry(Packed::new(header, &[deadline_part, word_part, stored_key, text]))
    }

    #[inline(always)]
    fn kind(&self) -> Kind {
        self.0.header().kind()
    }

    #[inline(always)]
    fn word(&self) -> u64 {
        let at = self.0.header().fixed_start();
        u64::from_ne_bytes(self.0.tail()[at..at + 8].try_into().expect("eight bytes"))
    }

    fn set_word(&mut self, word: u64) {
        let at = self.0.header().fixed_start();
        self.0.tail_mut()[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    }

    /// # Safety
    /// The entry's kind must be the one whose box holds a `T`.
    #[inline(always)]
    unsafe fn boxed<T>(&self) -> &T {
        // SAFETY: the caller vouches for the kind; the word came from Box::into_raw and is freed only by us.
        unsafe { &*std::ptr::with_exposed_provenance::<T>(self.word() as usize) }
    }

    /// # Safety
    /// As for [`Entry::boxed`].
    #[inline(always)]
    unsafe fn boxed_mut<T>(&mut self) -> &mut T {
        // SAFETY: as in `boxed`, and the exclusive borrow of the entry covers what it owns.
        unsafe { &mut *std::ptr::with_exposed_provenance_mut::<T>(self.word() as usize) }
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let header = self.0.header();
        let start = header.key_start();
        let stored = &self.0.tail()[start..start + header.key_len()];
        if header.bits & BOXED_KEY == 0 {
            return stored;
        }
        let word = u64::from_ne_bytes(stored.try_into().expect("a boxed key is one word"));
        // SAFETY: BOXED_KEY says that the key's place holds the box made in `build`, which lives as long as the entry.
        unsafe { &*std::ptr::with_exposed_provenance::<Box<[u8]>>(word as usize) }
    }

    /// When the key expires, if ever.
    #[inline]
    pub fn deadline(&self) -> Option<Millis> {
        if self.0.header().bits & HAS_DEADLINE == 0 {
            return None;
        }
        Some(u64::from_ne_bytes(self.0.tail()[..8].try_into().expect("eight bytes")))
    }

    /// Whether the key's time is up.
    #[inline]
    pub fn is_expired(&self, now: Millis) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    /// When the first field of a hash goes, if ever.
    #[inline]
    pub fn field_deadline(&self) -> Option<Millis> {
        Hash::of(self)?.next_deadline()
    }

    /// Whether nobody is to meet the key any more: its time is up, or that of all fields of a hash.
    #[inline]
    pub fn is_gone(&self, now: Millis) -> bool {
        self.is_expired(now) || Hash::of(self).is_some_and(|hash| hash.is_all_due(now))
    }

    /// Sets or removes the deadline. Not the index of deadlines: that is the shard's.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Millis>) {
        let old = *self.0.header();
        match (old.bits & HAS_DEADLINE != 0, deadline) {
            (false, None) => {}
            (true, Some(at)) => self.0.tail_mut()[..8].copy_from_slice(&at.to_ne_bytes()),
            (false, Some(at)) => {
                let len = old.tail_len();
                self.0.resize(EntryHeader { bits: old.bits | HAS_DEADLINE, ..old });
                let tail = self.0.tail_mut();
                tail.copy_within(..len, 8);
                tail[..8].copy_from_slice(&at.to_ne_bytes());
            }
            (true, None) => {
                self.0.tail_mut().copy_within(8.., 0);
                self.0.resize(EntryHeader { bits: old.bits & !HAS_DEADLINE, ..old });
            }
        }
    }

    /// The 24 bits that say when the key was last used: the low bits of the clock's seconds.
    #[inline]
    pub fn access(&self) -> u32 {
        let [a, b, c] = self.0.header().access;
        u32::from_le_bytes([a, b, c, 0])
    }

    /// Notes a use.
    #[inline]
    pub fn note_use(&mut self, used: Use) {
        self.set_access(used.again(self.access()));
    }

    /// Remembers this of its uses (see [`Entry::access`]).
    #[inline]
    pub fn set_access(&mut self, access: u32) {
        if self.access() != access & 0x00ff_ffff {
            let [a, b, c, _] = access.to_le_bytes();
            let header = EntryHeader { access: [a, b, c], ..*self.0.header() };
            self.0.set_header(header);
        }
    }

    /// The epoch of snapshots that the entry is in.
    #[inline]
    pub(crate) fn epoch(&self) -> bool {
        self.0.header().bits & EPOCH != 0
    }

    /// Puts the entry into an epoch. Every value written over the old one begins in the first.
    #[inline]
    pub(crate) fn set_epoch(&mut self, epoch: bool) {
        if self.epoch() != epoch {
            let header = *self.0.header();
            self.0.set_header(EntryHeader { bits: header.bits ^ EPOCH, ..header });
        }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_> {
        // SAFETY: each arm asks for the type that its kind stands for.
        unsafe {
            match self.kind() {
                Kind::List => ValueRef::List(self.boxed()),
                Kind::Set => ValueRef::Set(self.boxed()),
                Kind::Hash => ValueRef::Hash(self.boxed()),
                Kind::SortedSet => ValueRef::SortedSet(self.boxed()),
                Kind::Stream => ValueRef::Stream(self.boxed()),
                Kind::Int => ValueRef::String(StringRef::Int(self.word() as i64)),
                Kind::Inline => ValueRef::String(StringRef::Bytes(self.inline())),
                Kind::Text => ValueRef::String(match self.boxed::<Text>() {
                    Text::Shared(bytes) => StringRef::Shared(bytes),
                    Text::Owned(bytes) => StringRef::Bytes(bytes),
                }),
            }
        }
    }

    /// The string, or `None` if the value is of another type.
    #[inline]
    pub fn string(&self) -> Option<StringRef<'_>> {
        match self.value() {
            ValueRef::String(string) => Some(string),
            _ => None,
        }
    }

    #[inline(always)]
    fn inline(&self) -> &[u8] {
        let header = self.0.header();
        &self.0.tail()[header.key_start() + header.key_len()..]
    }

    /// The encoding as OBJECT ENCODING names it.
    pub fn encoding(&self) -> &'static str {
        match self.value() {
            ValueRef::String(StringRef::Int(_)) => "int",
            ValueRef::String(string) => {
                let embedded = string.len() <= EMBSTR_MAX && self.0.header().bits & EDITED == 0;
                if embedded { "embstr" } else { "raw" }
            }
            ValueRef::List(list) => list.encoding(),
            ValueRef::Set(set) => set.encoding(),
            ValueRef::Hash(hash) => hash.encoding(),
            ValueRef::SortedSet(set) => set.encoding(),
            ValueRef::Stream(_) => "stream",
        }
    }

    /// Overwrites the value by an integer; key, deadline and access time stay.
    pub fn set_int(&mut self, number: i64) {
        if self.kind() == Kind::Int {
            self.set_word(number as u64);
        } else {
            *self = Self::build(self.key(), Kind::Int, 0, Some(number as u64), b"", self.deadline(), self.access());
        }
    }

    /// Overwrites the value by a string that is not an integer in canonical form; key, deadline and access time stay.
    #[inline]
    pub fn set_text(&mut self, text: &[u8]) {
        let header = *self.0.header();
        if header.kind() != Kind::Inline || text.len() > INLINE_MAX {
            *self = Self::with_text(self.key(), text, self.deadline(), self.access());
            return;
        }
        let lens = (header.lens >> LEN_BITS << LEN_BITS) | text.len() as u32;
        self.0.resize(EntryHeader { bits: header.bits & !EDITED, lens, ..header });
        let start = header.key_start() + header.key_len();
        self.0.tail_mut()[start..].copy_from_slice(text);
    }

    /// Overwrites the value; key, deadline and access time stay.
    pub fn set_value(&mut self, value: Value) {
        *self = Self::new(self.key(), value, self.deadline(), self.access());
    }

    /// Changes the string's bytes in place; an integer is written out first. Must not be called on other types.
    ///
    /// Returns `None` without calling `edit` if the value is no string. Appending costs amortised O(appended).
    pub fn edit_string<R>(&mut self, edit: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
        let result = match self.value() {
            ValueRef::String(StringRef::Shared(_)) => {
                // SAFETY: only a value of kind Text is shown as Shared.
                edit(unsafe { self.boxed_mut::<Text>() }.to_owned_mut())
            }
            ValueRef::String(StringRef::Bytes(_)) if self.kind() == Kind::Text => {
                // SAFETY: the guard has looked at the kind.
                edit(unsafe { self.boxed_mut::<Text>() }.to_owned_mut())
            }
            ValueRef::String(string) => {
                let mut bytes = string.with_bytes(<[u8]>::to_vec);
                let result = edit(&mut bytes);
                self.set_value(Value::Text { text: Text::Owned(bytes), edited: true });
                result
            }
            _ => return None,
        };
        self.mark_edited(true);
        Some(result)
    }

    fn mark_edited(&mut self, edited: bool) {
        if edited {
            let header = EntryHeader { bits: self.0.header().bits | EDITED, ..*self.0.header() };
            self.0.set_header(header);
        }
    }

    /// A copy of the value, as COPY needs it. O(size).
    pub fn clone_value(&self) -> Value {
        match self.value() {
            ValueRef::String(StringRef::Int(number)) => Value::Int(number),
            ValueRef::String(StringRef::Shared(bytes)) => self.text_value(Text::Shared(bytes.clone())),
            ValueRef::String(StringRef::Bytes(bytes)) => self.text_value(Text::Owned(bytes.to_vec())),
            ValueRef::List(list) => list.clone().into_value(),
            ValueRef::Set(set) => set.clone().into_value(),
            ValueRef::Hash(hash) => hash.clone().into_value(),
            ValueRef::SortedSet(set) => set.clone().into_value(),
            ValueRef::Stream(stream) => stream.clone().into_value(),
        }
    }

    fn text_value(&self, text: Text) -> Value {
        Value::Text { text, edited: self.0.header().bits & EDITED != 0 }
    }

    /// Takes the value out, leaving the integer 0 behind, to move it to another key. O(1) for collections.
    pub fn take_value(&mut self) -> Value {
        let kind = self.kind();
        // SAFETY: the kind names the type; the word is replaced below, so the box has one owner again.
        let value = unsafe {
            match kind {
                Kind::Int | Kind::Inline => self.clone_value(),
                Kind::Text => self.text_value(*self.unbox::<Text>()),
                Kind::List => Value::List(self.unbox()),
                Kind::Set => Value::Set(self.unbox()),
                Kind::Hash => Value::Hash(self.unbox()),
                Kind::SortedSet => Value::SortedSet(self.unbox()),
                Kind::Stream => Value::Stream(self.unbox()),
            }
        };
        if !matches!(kind, Kind::Int | Kind::Inline) {
            let header = *self.0.header();
            self.0.set_header(EntryHeader { bits: header.bits & !KIND_MASK, ..header });
            self.set_word(0);
        }
        value
    }

    /// # Safety
    /// As for [`Entry::boxed`], and the entry must not use the word as a box afterwards.
    unsafe fn unbox<T>(&self) -> Box<T> {
        // SAFETY: the word came from Box::into_raw for this type; the caller sees to single ownership.
        unsafe { Box::from_raw(std::ptr::with_exposed_provenance_mut::<T>(self.word() as usize)) }
    }

    /// Bytes of the entry and of all it owns. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        let own = self.0.heap_bytes();
        // SAFETY: each arm asks for the type that its kind stands for.
        own + unsafe {
            match self.kind() {
                Kind::Int | Kind::Inline => 0,
                Kind::Text => size_of::<Text>() + self.boxed::<Text>().heap_bytes(),
                Kind::List => size_of::<List>() + self.boxed::<List>().heap_bytes(),
                Kind::Set => size_of::<Set>() + self.boxed::<Set>().heap_bytes(),
                Kind::Hash => size_of::<Hash>() + self.boxed::<Hash>().heap_bytes(),
                Kind::SortedSet => size_of::<SortedSet>() + self.boxed::<SortedSet>().heap_bytes(),
                Kind::Stream => size_of::<Stream>() + self.boxed::<Stream>().heap_bytes(),
            }
        }
    }

    /// Where the entry lies, for prefetching.
    #[inline]
    pub fn address(&self) -> *const u8 {
        self.0.address()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let header = *self.0.header();
        if header.bits & KIND_MASK > Kind::Inline as u8 {
            drop(self.take_value());
        }
        if header.bits & BOXED_KEY != 0 {
            let start = self.0.header().key_start();
            let word = u64::from_ne_bytes(self.0.tail()[start..start + 8].try_into().expect("one word"));
            // SAFETY: BOXED_KEY says that this is the box made in `build`; the entry is going away.
            drop(unsafe { Box::from_raw(std::ptr::with_exposed_provenance_mut::<Box<[u8]>>(word as usize)) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(entry: &Entry) -> Vec<u8> {
        entry.string().unwrap().with_bytes(<[u8]>::to_vec)
    }

    #[test]
    fn a_short_string_with_its_key_is_forty_bytes() {
        let entry = Entry::with_text(b"0123456789abcdef", b"0123456789abcdef", None, 0);
        assert_eq!(entry.heap_bytes(), 40);
    }

    #[test]
    fn key_value_and_deadline_change_independently() {
        let mut entry = Entry::with_text(b"key", b"value", None, 7);
        for deadline in [Some(99), Some(100), None, Some(5)] {
            entry.set_deadline(deadline);
            assert_eq!((entry.key(), text(&entry), entry.deadline()), (&b"key"[..], b"value".to_vec(), deadline));
        }
        entry.set_int(-12);
        assert_eq!((entry.key(), text(&entry), entry.deadline()), (&b"key"[..], b"-12".to_vec(), Some(5)));
        entry.set_int(13);
        entry.edit_string(|bytes| bytes.extend_from_slice(b"!")).unwrap();
        assert_eq!((text(&entry), entry.encoding(), entry.access()), (b"13!".to_vec(), "raw", 7));
        entry.set_text(b"");
        assert_eq!((text(&entry), entry.encoding(), entry.deadline()), (b"".to_vec(), "embstr", Some(5)));
        entry.set_text(&[b'x'; 5000]);
        assert_eq!((text(&entry).len(), entry.encoding(), entry.key()), (5000, "raw", &b"key"[..]));
        entry.set_deadline(None);
        entry.edit_string(|bytes| bytes.truncate(2)).unwrap();
        assert_eq!((text(&entry), entry.key()), (b"xx".to_vec(), &b"key"[..]));
        entry.set_int(4);
        assert_eq!(entry.encoding(), "int");
    }

    #[test]
    fn values_move_out_whole() {
        let mut entry = Entry::new(b"k", List::default().into_value(), Some(3), 0);
        assert!(matches!(entry.take_value(), Value::List(_)));
        assert_eq!((entry.key(), entry.deadline(), text(&entry)), (&b"k"[..], Some(3), b"0".to_vec()));
        let mut entry = Entry::with_text(b"k", &[b'y'; 2000], None, 0);
        let Value::Text { text, .. } = entry.take_value() else { panic!("a string was set") };
        assert_eq!(text.as_slice(), [b'y'; 2000]);
    }

    #[test]
    fn very_long_keys_live_in_a_box() {
        let key = vec![b'k'; KEY_MAX + 1];
        let mut entry = Entry::with_text(&key, b"v", None, 0);
        entry.set_deadline(Some(1));
        assert_eq!((entry.key().len(), text(&entry)), (key.len(), b"v".to_vec()));
        let entry = Entry::new(&key, Set::default().into_value(), None, 0);
        assert_eq!(entry.key(), key);
    }
}
