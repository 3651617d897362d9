//! Digests of values and of the whole keyspace, which are the same wherever the data is.

use resplite_storage::entry::{Entry, ValueRef};
use resplite_storage::types::Item;
use resplite_storage::types::stream::{Id, Stream};
use sha1::{Digest as _, Sha1};
use std::fmt;

/// A sum over parts in any order; of nothing it is zero.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Digest([u8; 20]);

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl Digest {
    /// Adds a part: the order of parts does not matter.
    fn add(&mut self, part: Digest) {
        self.0.iter_mut().zip(part.0).for_each(|(byte, other)| *byte ^= other);
    }

    /// Adds a key of a database with what it holds.
    pub(super) fn add_key(&mut self, db: usize, entry: &Entry) {
        let mut words = Words::new();
        words.number(db as u64);
        words.bytes(entry.key());
        words.bytes(&value(entry).0);
        self.add(words.digest());
    }
}

/// What follows one another, in an order that matters.
struct Words(Sha1);

impl Words {
    fn new() -> Self {
        Words(Sha1::new())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // With its length, or the same bytes could be cut elsewhere.
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn item(&mut self, item: Item<'_>) {
        item.with_bytes(|bytes| self.bytes(bytes));
    }

    fn digest(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// The digest of some words.
fn of(write: impl FnOnce(&mut Words)) -> Digest {
    let mut words = Words::new();
    write(&mut words);
    words.digest()
}

/// The digest of a value. As in Redis a deadline counts, but not when it is.
pub(super) fn value(entry: &Entry) -> Digest {
    let value = entry.value();
    let content = match value {
        ValueRef::String(ref string) => of(|words| string.with_bytes(|bytes| words.bytes(bytes))),
        ValueRef::List(list) => of(|words| list.iter().for_each(|item| words.item(item))),
        ValueRef::Set(set) => sum(set.iter().map(|member| of(|words| words.item(member)))),
        ValueRef::SortedSet(set) => sum(set.iter().map(|(member, score)| {
            of(|words| {
                words.item(member);
                words.number(score.to_bits());
            })
        })),
        ValueRef::Hash(hash) => sum(hash.iter_timed().map(|(field, value, deadline)| {
            of(|words| {
                words.item(field);
                words.item(value);
                words.number(u64::from(deadline.is_some()));
            })
        })),
        ValueRef::Stream(stream) => of_stream(stream),
    };
    of(|words| {
        words.bytes(entry.value().type_name().as_bytes());
        words.bytes(&content.0);
        words.number(u64::from(entry.deadline().is_some()));
    })
}

fn sum(parts: impl Iterator<Item = Digest>) -> Digest {
    let mut all = Digest::default();
    parts.for_each(|part| all.add(part));
    all
}

fn of_stream(stream: &Stream) -> Digest {
    let id = |words: &mut Words, id: Id| {
        words.number(id.ms);
        words.number(id.seq);
    };
    of(|words| {
        id(words, stream.entries().last_id());
        for entry in stream.entries().range(Id::MIN..=Id::MAX) {
            id(words, entry.id);
            for (field, value) in entry.fields {
                words.item(field);
                words.item(value);
            }
            // Where an entry ends could be mistaken otherwise.
            words.number(u64::MAX);
        }
        let groups = stream.groups().map(|(name, group)| {
            of(|words| {
                words.bytes(name);
                id(words, group.last_id());
                group.pending().keys().for_each(|pending| id(words, *pending));
            })
        });
        words.bytes(&sum(groups).0);
    })
}
