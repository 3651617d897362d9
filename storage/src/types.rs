//! What all value types share: an element as it is stored, the limits of the compact encodings, and hashing of members.

pub mod bitmap;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod set;
pub mod sorted_set;
pub mod stream;

mod members;

use fastrand::Rng;
use resplite_resp::number::parse_i64;

/// Elements of a collection that are saved in one go; larger ones are saved in parts of this size, so that nobody holds
/// their shard for long.
pub const PART: usize = 1024;

/// An element as its structure stores it: the compact encodings keep integers as integers.
///
/// Two items are equal when their bytes are: `Int(7)` equals `Bytes(b"7")`.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// Stored as bytes.
    Bytes(&'a [u8]),
    /// Stored as an integer; its text is the shortest decimal one.
    Int(i64),
}

impl<'a> Item<'a> {
    /// Length of the text in bytes.
    #[allow(clippy::len_without_is_empty, reason = "nobody asks an element whether it is empty")]
    pub fn len(self) -> usize {
        match self {
            Item::Bytes(bytes) => bytes.len(),
            Item::Int(value) => int_len(value),
        }
    }

    /// Calls `read` with the text, which for integers lives on the stack.
    #[inline]
    pub fn with_bytes<R>(self, read: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Item::Bytes(bytes) => read(bytes),
            Item::Int(value) => read(itoa::Buffer::new().format(value).as_bytes()),
        }
    }

    /// Appends the text to `out`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        self.with_bytes(|bytes| out.extend_from_slice(bytes));
    }

    /// The text, copied.
    pub fn to_vec(self) -> Vec<u8> {
        self.with_bytes(<[u8]>::to_vec)
    }

    /// The value, if the text is exactly how a 64-bit integer is written.
    pub fn to_int(self) -> Option<i64> {
        match self {
            Item::Bytes(bytes) => parse_i64(bytes),
            Item::Int(value) => Some(value),
        }
    }
}

impl PartialEq for Item<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Item::Int(a), Item::Int(b)) => a == b,
            (Item::Bytes(a), Item::Bytes(b)) => a == b,
            (Item::Int(value), Item::Bytes(bytes)) | (Item::Bytes(bytes), Item::Int(value)) => {
                parse_i64(bytes) == Some(value)
            }
        }
    }
}

impl Eq for Item<'_> {}

impl PartialEq<[u8]> for Item<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        *self == Item::Bytes(other)
    }
}

impl PartialEq<&[u8]> for Item<'_> {
    fn eq(&self, other: &&[u8]) -> bool {
        *self == Item::Bytes(other)
    }
}

impl<'a> From<&'a [u8]> for Item<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Item::Bytes(bytes)
    }
}

/// Where the compact encodings end, and how new tables hash; the values of the `*-max-*` settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `hash-max-listpack-entries`: fields of a listpack hash.
    pub hash_max_listpack_entries: usize,
    /// `hash-max-listpack-value`: bytes of a field or value in a listpack hash.
    pub hash_max_listpack_value: usize,
    /// `set-max-intset-entries`: members of an intset.
    pub set_max_intset_entries: usize,
    /// `set-max-listpack-entries`: members of a listpack set.
    pub set_max_listpack_entries: usize,
    /// `set-max-listpack-value`: bytes of a member of a listpack set.
    pub set_max_listpack_value: usize,
    /// `zset-max-listpack-entries`: members of a listpack sorted set.
    pub zset_max_listpack_entries: usize,
    /// `zset-max-listpack-value`: bytes of a member of a listpack sorted set.
    pub zset_max_listpack_value: usize,
    /// `list-max-listpack-size`: entries of a list node, or -1 to -5 for 4, 8, 16, 32, 64 KiB.
    pub list_max_listpack_size: i32,
    /// Elements of at least so many bytes get a list node of their own; 0 means "those above the node's limit".
    pub list_packed_threshold: usize,
    /// `stream-node-max-bytes`: bytes of a stream's block; 0 means no limit.
    pub stream_node_max_bytes: usize,
    /// `stream-node-max-entries`: entries of a stream's block; 0 means no limit.
    pub stream_node_max_entries: usize,
    /// Seed of the hash of tables that come into being under these limits; the server draws it once per start.
    pub hash_seed: u64,
}

impl Limits {
    /// The defaults of Redis 7.4, and a seed of zero.
    pub const DEFAULT: Limits = Limits {
        hash_max_listpack_entries: 512,
        hash_max_listpack_value: 64,
        set_max_intset_entries: 512,
        set_max_listpack_entries: 128,
        set_max_listpack_value: 64,
        zset_max_listpack_entries: 128,
        zset_max_listpack_value: 64,
        list_max_listpack_size: -2,
        list_packed_threshold: 0,
        stream_node_max_bytes: 4096,
        stream_node_max_entries: 100,
        hash_seed: 0,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}

/// Digits and sign of an integer's decimal text.
pub(crate) fn int_len(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
    digits + usize::from(value < 0)
}

/// Whether `items` are groups of `stride`, none cut short, whose first elements differ from each other.
pub(crate) fn keys_differ<'a>(mut items: impl Iterator<Item = Item<'a>>, stride: usize) -> bool {
    /// Equal when the texts are, in an order that means nothing.
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Key<'a> {
        Int(i64),
        Bytes(&'a [u8]),
    }
    let mut keys = Vec::new();
    while let Some(item) = items.next() {
        keys.push(match item {
            Item::Int(value) => Key::Int(value),
            Item::Bytes(bytes) => parse_i64(bytes).map_or(Key::Bytes(bytes), Key::Int),
        });
        if (1..stride).any(|_| items.next().is_none()) {
            return false;
        }
    }
    keys.sort_unstable();
    keys.windows(2).all(|pair| pair[0] != pair[1])
}

/// Keeps `count` elements by chance, each combination equally likely.
pub(crate) fn choose<T>(mut elements: Vec<T>, count: usize, rng: &mut Rng) -> Vec<T> {
    let count = count.min(elements.len());
    for index in 0..count {
        let other = rng.usize(index..elements.len());
        elements.swap(index, other);
    }
    elements.truncate(count);
    elements
}

/// One of two iterators with the same items: one arm per encoding.
#[derive(Clone)]
pub(crate) enum OneOf<A, B> {
    First(A),
    Second(B),
}

impl<A: Iterator, B: Iterator<Item = A::Item>> Iterator for OneOf<A, B> {
    type Item = A::Item;

    #[inline]
    fn next(&mut self) -> Option<A::Item> {
        match self {
            OneOf::First(iter) => iter.next(),
            OneOf::Second(iter) => iter.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            OneOf::First(iter) => iter.size_hint(),
            OneOf::Second(iter) => iter.size_hint(),
        }
    }
}

impl<A: DoubleEndedIterator, B: DoubleEndedIterator<Item = A::Item>> DoubleEndedIterator for OneOf<A, B> {
    #[inline]
    fn next_back(&mut self) -> Option<A::Item> {
        match self {
            OneOf::First(iter) => iter.next_back(),
            OneOf::Second(iter) => iter.next_back(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, int_len, parse_i64};

    #[test]
    fn only_the_shortest_text_is_an_integer() {
        for value in [0, 1, -1, 9, 10, -10, 99, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            let text = value.to_string();
            assert_eq!(parse_i64(text.as_bytes()), Some(value));
            assert_eq!(int_len(value), text.len());
            assert!(Item::Int(value) == text.as_bytes());
        }
        for text in [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "00",
            "1 ",
            " 1",
            "1a",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
    }
}
