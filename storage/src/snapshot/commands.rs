//! Values as the commands that create them: what a log's base consists of when it is not to be in the RDB format.

use super::LargeKind;
use crate::clock::Millis;
use crate::entry::ValueRef;
use crate::types::Item;
use crate::types::hash::Timed;
use crate::types::stream::{Facts, Group, Id, Stream};
use resplite_resp::number;

/// Elements that one command brings, so that whoever loads it is not held up by a single command.
const GROUP: usize = 64;

/// Encoded commands, and the elements of the next one.
#[derive(Default)]
pub(super) struct Commands {
    bytes: Vec<u8>,
    name: &'static [u8],
    key: Vec<u8>,
    elements: Vec<u8>,
    /// Arguments and elements in `elements`.
    args: usize,
    count: usize,
    /// Commands that belong behind those elements: they set deadlines of fields.
    behind: Vec<u8>,
}

impl Commands {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn select(&mut self, db: usize) {
        write_command(&mut self.bytes, &[b"SELECT", db.to_string().as_bytes()]);
    }

    pub(super) fn entry(&mut self, key: &[u8], value: ValueRef<'_>, deadline: Option<Millis>) {
        match value {
            ValueRef::String(text) => text.with_bytes(|text| write_command(&mut self.bytes, &[b"SET", key, text])),
            ValueRef::List(list) => {
                self.begin_named(b"RPUSH", key);
                list.iter().for_each(|item| self.element(&[item]));
            }
            ValueRef::Set(set) => {
                self.begin(LargeKind::Set, key);
                set.iter().for_each(|member| self.element(&[member]));
            }
            ValueRef::Hash(hash) => {
                self.begin(LargeKind::Hash, key);
                hash.iter_timed().for_each(|field| self.field(field));
            }
            ValueRef::SortedSet(set) => {
                self.begin(LargeKind::SortedSet, key);
                set.iter().for_each(|(member, score)| self.scored(member, score));
            }
            ValueRef::Stream(stream) => self.stream(key, stream),
        }
        self.end();
        self.deadline(key, deadline);
    }

    /// Entries, what is remembered of those that are gone, and the groups with what was delivered to whom.
    fn stream(&mut self, key: &[u8], stream: &Stream) {
        let entries = stream.entries();
        for entry in entries.range(Id::MIN..=Id::MAX) {
            write_count(&mut self.bytes, b'*', 3 + 2 * entry.fields.len());
            write_bulk(&mut self.bytes, b"XADD");
            write_bulk(&mut self.bytes, key);
            write_bulk(&mut self.bytes, entry.id.to_string().as_bytes());
            for (field, value) in entry.fields {
                field.with_bytes(|field| write_bulk(&mut self.bytes, field));
                value.with_bytes(|value| write_bulk(&mut self.bytes, value));
            }
        }
        if entries.is_empty() {
            // The smallest id leaves room for whatever the last one was; the entry goes at once.
            write_command(&mut self.bytes, &[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
        }
        let Facts { last_id, max_deleted_id, added } = stream.facts();
        let (last, deleted, added) = (last_id.to_string(), max_deleted_id.to_string(), added.to_string());
        let facts = [b"ENTRIESADDED", added.as_bytes(), b"MAXDELETEDID", deleted.as_bytes()];
        write_command(&mut self.bytes, &[&[b"XSETID", key, last.as_bytes()], &facts[..]].concat());
        for (name, group) in stream.groups() {
            self.group(key, name, group);
        }
    }

    fn group(&mut self, key: &[u8], name: &[u8], group: &Group) {
        let last = group.last_id().to_string();
        let read = group.entries_read().map_or_else(|| "-1".to_owned(), |read| read.to_string());
        let create = [b"XGROUP", b"CREATE", key, name, last.as_bytes(), b"ENTRIESREAD", read.as_bytes()];
        write_command(&mut self.bytes, &create);
        for consumer in group.consumers() {
            write_command(&mut self.bytes, &[b"XGROUP", b"CREATECONSUMER", key, name, &consumer.name]);
            for id in consumer.pending() {
                let Some(pending) = group.pending().get(id) else { continue };
                let (id, time) = (id.to_string(), pending.delivered.to_string());
                let count = pending.count.to_string();
                let claim: [&[u8]; 6] = [b"XCLAIM", key, name, &consumer.name, b"0", id.as_bytes()];
                let facts: [&[u8]; 6] =
                    [b"TIME", time.as_bytes(), b"RETRYCOUNT", count.as_bytes(), b"JUSTID", b"FORCE"];
                write_command(&mut self.bytes, &[claim, facts].concat());
            }
        }
    }

    /// The elements from here on are of this key.
    pub(super) fn begin(&mut self, kind: LargeKind, key: &[u8]) {
        let name: &[u8] = match kind {
            LargeKind::Set => b"SADD",
            LargeKind::Hash => b"HSET",
            LargeKind::SortedSet => b"ZADD",
        };
        self.begin_named(name, key);
    }

    fn begin_named(&mut self, name: &'static [u8], key: &[u8]) {
        self.name = name;
        self.key.clear();
        self.key.extend_from_slice(key);
    }

    pub(super) fn element(&mut self, parts: &[Item<'_>]) {
        for part in parts {
            part.with_bytes(|bytes| write_bulk(&mut self.elements, bytes));
        }
        self.args += parts.len();
        self.count += 1;
        if self.count == GROUP {
            self.end();
        }
    }

    pub(super) fn field(&mut self, (field, value, deadline): Timed<'_>) {
        if let Some(deadline) = deadline {
            let at = deadline.to_string();
            field.with_bytes(|field| {
                let command: [&[u8]; 6] = [b"HPEXPIREAT", &self.key, at.as_bytes(), b"FIELDS", b"1", field];
                write_command(&mut self.behind, &command);
            });
        }
        self.element(&[field, value]);
    }

    pub(super) fn scored(&mut self, member: Item<'_>, score: f64) {
        let text = number::format_f64(score);
        self.element(&[Item::Bytes(text.as_bytes()), member]);
    }

    /// Ends the elements of the current key.
    pub(super) fn end(&mut self) {
        if self.count == 0 {
            return;
        }
        write_count(&mut self.bytes, b'*', self.args + 2);
        write_bulk(&mut self.bytes, self.name);
        write_bulk(&mut self.bytes, &self.key);
        self.bytes.append(&mut self.elements);
        self.bytes.append(&mut self.behind);
        (self.args, self.count) = (0, 0);
    }

    pub(super) fn deadline(&mut self, key: &[u8], deadline: Option<Millis>) {
        if let Some(deadline) = deadline {
            write_command(&mut self.bytes, &[b"PEXPIREAT", key, deadline.to_string().as_bytes()]);
        }
    }
}

/// Appends a command as an array of bulk strings, which is how logs hold it.
pub fn write_command(out: &mut Vec<u8>, args: &[&[u8]]) {
    write_count(out, b'*', args.len());
    args.iter().for_each(|arg| write_bulk(out, arg));
}

/// Appends the head of an array (`*`) or of a bulk string (`$`).
#[inline]
pub fn write_count(out: &mut Vec<u8>, kind: u8, count: usize) {
    // Nearly all are this short.
    match count {
        0..10 => out.extend_from_slice(&[kind, b'0' + count as u8, b'\r', b'\n']),
        10..100 => out.extend_from_slice(&[kind, b'0' + (count / 10) as u8, b'0' + (count % 10) as u8, b'\r', b'\n']),
        _ => {
            out.push(kind);
            out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends one bulk string.
#[inline]
pub fn write_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    write_count(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}
