//! The RDB format, written and read: pure, without files, clock or threads; where the bytes come from and go is elsewhere.
//!
//! A file is a magic with a version, records (facts about the file, databases, keys with their values), an end and a
//! CRC-64. A payload of DUMP is one value with a version and a CRC-64 of its own.

mod checksum;
mod reader;
mod streams;
mod writer;

mod code;
mod error;
mod input;
mod lzf;
mod summary;
mod values;
mod ziplist;

pub use checksum::Checksum;
pub use error::{Problem, RdbError, RestoreError};
pub use reader::{KeyRecord, Loaded, Reader, Record};
pub use summary::{Summary, TypeSummary, check};
pub use writer::{Options, Pieces};

use crate::entry::{Value, ValueRef};
use crate::types::Limits;
use input::Input;
use values::{Loading, Scratch, read_value};

/// The version that is written: the oldest that can say nearly everything, so that Redis from 7.0 and Valkey from 7.2 on load it.
pub const VERSION: u32 = 10;
/// The version that is written where fields of hashes have deadlines: the first that knows of them, that of Redis 7.4.
pub const TIMED_VERSION: u32 = 12;

/// Version and checksum at the end of a payload.
const FOOTER: usize = 10;
/// How much of a payload is copied at a time.
const BLOCK: usize = 1 << 16;

/// Whose numbers of types a file or a payload uses: they differ where Redis and Valkey went their own ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Redis,
    Valkey,
}

/// What DUMP replies: the value in a form that Redis and Valkey restore.
pub fn dump(value: ValueRef<'_>, options: Options) -> Vec<u8> {
    let is_timed = matches!(value, ValueRef::Hash(hash) if hash.next_deadline().is_some());
    let mut pieces = Pieces::new(options);
    pieces.bare(value);
    seal(pieces, if is_timed { TIMED_VERSION } else { VERSION })
}

/// What FUNCTION DUMP replies: the sources of libraries.
pub fn dump_functions<'a>(sources: impl Iterator<Item = &'a [u8]>, options: Options) -> Vec<u8> {
    let mut pieces = Pieces::new(options);
    sources.for_each(|source| pieces.function(source));
    seal(pieces, VERSION)
}

/// Adds a payload's footer.
fn seal(pieces: Pieces, version: u32) -> Vec<u8> {
    let mut payload = pieces.into_vec();
    payload.extend_from_slice(&(version as u16).to_le_bytes());
    let mut checksum = Checksum::new();
    checksum.update(&payload);
    payload.extend_from_slice(&checksum.value().to_le_bytes());
    payload
}

/// What a payload holds, if its version and its checksum are right.
fn unseal(payload: &[u8]) -> Result<(&[u8], Dialect), RestoreError> {
    let (body, footer) = payload.split_last_chunk::<FOOTER>().ok_or(RestoreError::Checksum)?;
    let [a, b, stored @ ..] = *footer;
    let dialect = Dialect::of_payload(u16::from_le_bytes([a, b])).ok_or(RestoreError::Checksum)?;
    let mut checksum = Checksum::new();
    checksum.update(body);
    checksum.update(&[a, b]);
    if checksum.value() != u64::from_le_bytes(stored) {
        return Err(RestoreError::Checksum);
    }
    Ok((body, dialect))
}

/// The value of a payload that a DUMP of Redis up to 7.4, of Valkey or of ours has made. As in Redis, bytes between the
/// value and the footer do not matter.
pub fn restore(payload: &[u8], limits: &Limits) -> Result<Value, RestoreError> {
    let (body, dialect) = unseal(payload)?;
    let (kind, body) = body.split_first().ok_or(RestoreError::Format)?;
    let (mut input, mut scratch) = (Input::new(body, body.len().min(BLOCK)), Scratch::default());
    match read_value(*kind, &mut input, &mut scratch, dialect, limits).map_err(|_| RestoreError::Format)? {
        Loading::Text => Ok(Loaded::Text(&scratch.text).into_value()),
        Loading::Value(value) => Ok(value),
        Loading::Empty => Err(RestoreError::Format),
    }
}

/// The sources of the libraries in a payload of FUNCTION DUMP.
pub fn restore_functions(payload: &[u8]) -> Result<Vec<Vec<u8>>, RestoreError> {
    let (body, _) = unseal(payload)?;
    let mut input = Input::new(body, body.len().min(BLOCK));
    let mut sources = Vec::new();
    while input.offset() < body.len() as u64 {
        let mut source = Vec::new();
        let kind = input.byte().map_err(|_| RestoreError::Format)?;
        if kind != code::FUNCTION {
            return Err(RestoreError::Format);
        }
        input.read_element(&mut source).map_err(|_| RestoreError::Format)?;
        sources.push(source);
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::{
        Checksum, Loaded, Options, Pieces, Problem, RdbError, Reader, Record, RestoreError, check, dump, restore,
    };
    use crate::entry::{Collection, Entry, StringRef, Text, Value, ValueRef};
    use crate::types::hash::{Hash, Timed};
    use crate::types::list::{List, Side};
    use crate::types::set::Set;
    use crate::types::sorted_set::{AddOptions, SortedSet};
    use crate::types::stream::{Group, Id, Pending, References, Stream};
    use crate::types::{Item, Limits};
    use bytes::Bytes;
    use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy;
    use std::collections::BTreeMap;

    const LIMITS: Limits = Limits::DEFAULT;
    const TINY: Limits = Limits {
        hash_max_listpack_entries: 3,
        hash_max_listpack_value: 8,
        set_max_intset_entries: 3,
        set_max_listpack_entries: 3,
        set_max_listpack_value: 8,
        zset_max_listpack_entries: 3,
        zset_max_listpack_value: 8,
        list_max_listpack_size: 3,
        list_packed_threshold: 40,
        stream_node_max_bytes: 100,
        stream_node_max_entries: 3,
        hash_seed: 7,
    };
    const PLAIN: Options = Options { compress: false };
    const COMPRESSED: Options = Options { compress: true };

    /// What clients can see of a value.
    #[derive(PartialEq, Debug, Clone)]
    enum Seen {
        String(Vec<u8>),
        List(Vec<Vec<u8>>),
        Set(BTreeMap<Vec<u8>, ()>),
        Hash(BTreeMap<Vec<u8>, Vec<u8>>),
        SortedSet(Vec<(Vec<u8>, f64)>),
        Stream(String),
    }

    fn see(value: &ValueRef<'_>) -> Seen {
        match value {
            ValueRef::String(string) => Seen::String(string.with_bytes(<[u8]>::to_vec)),
            ValueRef::List(list) => Seen::List(list.iter().map(Item::to_vec).collect()),
            ValueRef::Set(set) => Seen::Set(set.iter().map(|member| (member.to_vec(), ())).collect()),
            ValueRef::Hash(hash) => {
                let until = |at: Option<u64>| at.map(|at| format!(" until {at}")).unwrap_or_default();
                let seen =
                    |(field, value, at): Timed<'_>| (field.to_vec(), [value.to_vec(), until(at).into()].concat());
                Seen::Hash(hash.iter_timed().map(seen).collect())
            }
            ValueRef::SortedSet(set) => {
                Seen::SortedSet(set.iter().map(|(member, score)| (member.to_vec(), score)).collect())
            }
            ValueRef::Stream(stream) => Seen::Stream(format!("{stream:?}")),
        }
    }

    fn entry(value: Value) -> Entry {
        Entry::new(b"key", value, None, 0)
    }

    fn sealed(body: &[u8], version: u16) -> Vec<u8> {
        let mut payload = body.to_vec();
        payload.extend_from_slice(&version.to_le_bytes());
        let mut checksum = Checksum::new();
        checksum.update(&payload);
        payload.extend_from_slice(&checksum.value().to_le_bytes());
        payload
    }

    fn restored(body: &[u8]) -> Result<(&'static str, Seen), RestoreError> {
        let entry = entry(restore(&sealed(body, 10), &LIMITS)?);
        Ok((entry.encoding(), see(&entry.value())))
    }

    fn encoding(body: &[u8]) -> &'static str {
        restored(body).map_or("refused", |(encoding, _)| encoding)
    }

    fn texts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
        texts.map(|text| text.as_bytes().to_vec()).to_vec()
    }

    /// A file of several databases with each form that is written.
    fn sample(options: Options) -> Vec<u8> {
        let mut pieces = Pieces::new(options);
        pieces.header(false, &[("redis-ver", "7.4.0"), ("redis-bits", "64")]);
        pieces.select(0);
        pieces.resize(9, 1);
        let repeated = Bytes::from(b"repeat".repeat(300));
        for (number, text) in [b"".as_slice(), b"short", b"-7", b"1000", b"100000", b"12345678901"].iter().enumerate() {
            let deadline = (number == 3).then_some(1_900_000_000_000);
            pieces.entry(format!("s{number}").as_bytes(), ValueRef::String(StringRef::Bytes(text)), deadline);
        }
        pieces.entry(b"inline", ValueRef::String(StringRef::Bytes(&repeated[..600])), None);
        pieces.entry(b"shared", ValueRef::String(StringRef::Shared(&repeated)), None);
        pieces.entry(b"int", ValueRef::String(StringRef::Int(i64::MIN)), None);
        for limits in [LIMITS, TINY] {
            let (mut list, mut set, mut hash, mut sorted) = (List::new(), Set::new(), Hash::new(), SortedSet::new());
            for number in 0..9_u8 {
                let text = format!("element {number}").repeat(usize::from(number) + 1).into_bytes();
                list.push(Side::Back, &text, &limits);
                set.insert(&text, &limits);
                hash.set(&text, number.to_string().as_bytes(), &limits);
                sorted.add(&text, f64::from(number) / 3.0, AddOptions::default(), &limits);
            }
            pieces.entry(b"list", ValueRef::List(&list), None);
            pieces.entry(b"set", ValueRef::Set(&set), None);
            pieces.entry(b"hash", ValueRef::Hash(&hash), None);
            pieces.entry(b"sorted", ValueRef::SortedSet(&sorted), None);
            let texts = (0..9_u8).map(|number| (format!("element {number}").into_bytes(), f64::from(number)));
            pieces.entry(b"stream", ValueRef::Stream(&stream(&texts.collect::<Vec<_>>(), &limits)), None);
            pieces.select(3);
        }
        pieces.hash_head(b"h", Some(5), None, 2);
        pieces.hash_field(None, (Item::Int(1), Item::Bytes(b"one"), None));
        pieces.hash_field(None, (Item::Bytes(b"two"), Item::Int(2), None));
        pieces.set_head(b"s", None, 1);
        pieces.set_member(Item::Bytes(b"member"));
        pieces.sorted_set_head(b"z", None, 2);
        pieces.sorted_set_pair(Item::Bytes(b"high"), f64::INFINITY);
        pieces.sorted_set_pair(Item::Bytes(b"low"), f64::NEG_INFINITY);
        pieces.end();
        let len = pieces.len();
        let mut bytes = pieces.into_vec();
        assert!(bytes.len() <= len + 100);
        let mut checksum = Checksum::new();
        checksum.update(&bytes);
        bytes.extend_from_slice(&checksum.value().to_le_bytes());
        bytes
    }

    fn without_checksum(mut file: Vec<u8>) -> Vec<u8> {
        let end = file.len() - 8;
        file[end..].fill(0);
        file
    }

    fn read_all(file: &[u8], limits: &Limits) -> Result<Vec<(Vec<u8>, Seen)>, RdbError> {
        let (mut reader, mut entries) = (Reader::new(file, *limits)?, Vec::new());
        while let Some(record) = reader.next()? {
            if let Record::Entry(record) = record {
                let entry = record.into_entry(0);
                entries.push((entry.key().to_vec(), see(&entry.value())));
            }
        }
        Ok(entries)
    }

    #[test]
    fn files_are_read_as_they_were_written() {
        let (plain, compressed) = (sample(PLAIN), sample(COMPRESSED));
        assert!(compressed.len() < plain.len() - 1000);
        let entries = read_all(&plain, &LIMITS).expect("the sample is right");
        assert_eq!(entries, read_all(&compressed, &LIMITS).expect("the sample is right"));
        // Other limits give other encodings of the same values.
        assert_eq!(entries, read_all(&compressed, &TINY).expect("the sample is right"));
        assert_eq!(entries.len(), 22);
        assert_eq!(entries[2], (b"s2".to_vec(), Seen::String(b"-7".to_vec())));
        assert_eq!(entries[7].1, Seen::String(b"repeat".repeat(300)));
        assert_eq!(entries[9].0, b"list");
        assert_eq!(entries[9].1, entries[14].1);
    }

    #[test]
    fn records_say_what_the_file_says() {
        let file = sample(PLAIN);
        let mut reader = Reader::new([&file[..], b"*1\r\n"].concat().leak() as &[u8], LIMITS).expect("a magic");
        let Ok(Some(Record::Aux { name: b"redis-ver", value: b"7.4.0" })) = reader.next() else { panic!("aux") };
        let Ok(Some(Record::Aux { name: b"redis-bits", value: b"64" })) = reader.next() else { panic!("aux") };
        assert!(matches!(reader.next(), Ok(Some(Record::Select(0)))));
        assert!(matches!(reader.next(), Ok(Some(Record::Resize { keys: 9, expires: 1 }))));
        let mut deadlines = Vec::new();
        while let Some(record) = reader.next().expect("the rest is right") {
            if let Record::Entry(entry) = record {
                deadlines.extend(entry.deadline.map(|deadline| (entry.key.to_vec(), deadline)));
            }
        }
        assert_eq!(deadlines, [(b"s3".to_vec(), 1_900_000_000_000), (b"h".to_vec(), 5)]);
        assert_eq!((reader.offset(), reader.version()), (file.len() as u64, 10));
        assert!(matches!(reader.next(), Ok(None)));
        // What follows the file is not lost.
        assert_eq!(reader.into_parts().0, b"*1\r\n");
    }

    #[test]
    fn old_and_foreign_records_are_understood() {
        let parts: [&[u8]; 12] = [
            b"REDIS0003",
            b"\xfe\x02",
            b"\xf8\x40\x64\xfd\x10\0\0\0\0\x01a\x01x",
            b"\xf9\x07\0\x01b\xc0\x05",
            b"\xf4\x01\x02\x03",
            b"\xf7\x81\0\0\0\0\0\0\0\x01\x02\x05\x05\x03abc\x04\0\0\0\0\0\0\0\0\x03\0\0\0\0\0",
            b"\xf5\x03lib",
            b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff\0\x01c\x01x",
            b"\xfc\xfe\xff\xff\xff\xff\xff\xff\xff\0\x01d\x01x",
            b"\x02\x05empty\0",
            b"\0\x01e\x01x",
            b"\xff",
        ];
        let file = parts.concat();
        let (mut seen, mut libraries) = (Vec::new(), Vec::new());
        let summary = check(&file[..], LIMITS, |record| match record {
            Record::Entry(entry) => seen.push((entry.key.to_vec(), entry.deadline, entry.idle, entry.frequency)),
            Record::Function(source) => libraries.push(source.to_vec()),
            _ => {}
        });
        let summary = summary.expect("a file without a checksum, as old ones are");
        let key = |key: &str| key.as_bytes().to_vec();
        let expected = [
            (key("a"), Some(16_000), Some(100), None),
            (key("b"), None, None, Some(7)),
            (key("c"), None, None, None),
            (key("d"), Some(0), None, None),
            (key("e"), None, None, None),
        ];
        assert_eq!(seen, expected);
        assert_eq!(libraries, [b"lib"]);
        assert_eq!((summary.keys, summary.expires, summary.skipped, summary.functions), (5, 2, 1, 1));
        assert_eq!((summary.version, summary.databases, summary.bytes), (3, 1, file.len() as u64));
        assert_eq!(summary.strings.keys, 5);
    }

    #[test]
    fn each_form_of_a_stream_is_read() {
        let id = Id::new(1, 2);
        let mut stream = Stream::new();
        stream.add(id, [b"f".as_slice(), b"v"].into_iter(), &LIMITS).expect("the first id");
        let block = stream.entries().blocks().next().expect("a block").1.as_bytes().to_vec();
        stream.add_group(b"g", Group::new(id, Some(1)));
        let mut see = |active| {
            stream.edit_group(b"g", |_, group| {
                let (consumer, _) = group.see_consumer(b"c", 9);
                group.set_times(consumer, 9, active);
                group.set_pending(id, Pending { delivered: 7, count: 3, consumer });
            });
            Ok(("stream", Seen::Stream(format!("{stream:?}"))))
        };
        let (id, delivered, seen) = (id.to_bytes(), 7u64.to_le_bytes(), 9u64.to_le_bytes());
        let body = |kind: u8, facts: &[u8], read: &[u8], active: &[u8]| {
            let entries = [&[kind, 1, 16][..], &id, &[block.len() as u8], &block, &[1, 1, 2], facts].concat();
            let group = [&[1, 1, b'g', 1, 2][..], read, &[1], &id, &delivered, &[3]].concat();
            let consumer = [&[1, 1, b'c'][..], &seen, active, &[1], &id].concat();
            [entries, group, consumer].concat()
        };
        // The first id, the greatest deleted one and the number added came with the second form.
        let facts = [1, 2, 0, 0, 1];
        assert_eq!(restored(&body(super::code::STREAM, b"", b"", b"")), see(Some(9)));
        assert_eq!(restored(&body(super::code::STREAM_2, &facts, &[1], b"")), see(Some(9)));
        assert_eq!(restored(&body(super::code::STREAM_3, &facts, &[1], &8u64.to_le_bytes())), see(Some(8)));
        assert_eq!(restored(&body(super::code::STREAM_3, &facts, &[1], &[0xff; 8])), see(None));
        assert!(restored(&body(super::code::STREAM_2, &[0, 0, 0, 0, 1], &[1], &[1])).is_err());
    }

    #[test]
    fn other_files_are_refused() {
        let problem = |file: &[u8]| Reader::new(file, LIMITS).err().map(|error| format!("{error}"));
        assert_eq!(problem(b"").as_deref(), Some("at byte 0: this is not an RDB file"));
        assert_eq!(problem(b"*1\r\n$4\r\nPING\r\n").as_deref(), Some("at byte 0: this is not an RDB file"));
        assert_eq!(problem(b"REDIS0099").as_deref(), Some("at byte 0: RDB version 99 is not known"));
        assert_eq!(problem(b"VALKEY081").as_deref(), Some("at byte 0: RDB version 81 is not known"));
        assert_eq!(problem(b"VALKEY080"), None);
        let error = read_all(b"REDIS0009\x07\x02\nk\x00", &LIMITS).expect_err("a stream");
        assert_eq!(format!("{error}"), "at byte 13: the key \"\\nk\" needs a module's type: not supported yet");
    }

    #[test]
    fn dumps_are_those_of_redis() {
        let string = |text: &'static [u8]| dump(ValueRef::String(StringRef::Bytes(text)), COMPRESSED);
        assert_eq!(string(b"hello"), b"\x00\x05hello\x0a\x00\x63\x72\xdf\x76\x65\x34\x20\x0a".to_vec());
        let body = |payload: Vec<u8>| payload[..payload.len() - 10].to_vec();
        assert_eq!(body(string(b"-7")), b"\0\xc0\xf9");
        assert_eq!(body(string(b"1000")), b"\0\xc1\xe8\x03");
        assert_eq!(body(string(b"100000")), b"\0\xc2\xa0\x86\x01\0");
        assert_eq!(body(string(b"2147483648")), b"\0\x0a2147483648");
        assert_eq!(body(string(b"007")), b"\0\x03007");
        let mut list = List::new();
        list.push_all(Side::Back, [b"a".as_slice(), b"1"].into_iter(), &LIMITS);
        let expected = b"\x12\x01\x02\x0c\x0c\0\0\0\x02\0\x81a\x02\x01\x01\xff";
        assert_eq!(body(dump(ValueRef::List(&list), COMPRESSED)), expected);
    }

    #[test]
    fn payloads_are_checked_before_they_are_read() {
        let payload = sealed(b"\0\x01a", 10);
        assert!(restore(&payload, &LIMITS).is_ok());
        for index in 0..payload.len() {
            let mut damaged = payload.clone();
            damaged[index] ^= 1;
            assert_eq!(restore(&damaged, &LIMITS).err(), Some(RestoreError::Checksum));
            assert!(restore(&payload[..index], &LIMITS).is_err());
        }
        for (version, is_known) in [(0, true), (12, true), (13, false), (79, false), (80, true), (81, false)] {
            assert_eq!(restore(&sealed(b"\0\x01a", version), &LIMITS).is_ok(), is_known);
        }
        assert_eq!(restore(&sealed(b"", 10), &LIMITS).err(), Some(RestoreError::Format));
        // As Redis does: bytes behind the value are not looked at, lengths need not be minimal.
        assert_eq!(encoding(b"\0\x01aGARBAGE"), "embstr");
        assert_eq!(encoding(b"\0\x80\0\0\0\x01a"), "embstr");
    }

    #[test]
    fn every_type_has_the_encoding_that_redis_gives_it() {
        assert_eq!(restored(b"\x01\x02\x01a\xc0\x05"), Ok(("listpack", Seen::List(texts(["a", "5"])))));
        assert_eq!(encoding(b"\x02\x02\xc0\x01\xc0\x02"), "intset");
        assert_eq!(encoding(b"\x02\x03\xc0\x01\xc0\x02\x01a"), "listpack");
        let numbers = |count: u16| -> Vec<u8> {
            (0..count).flat_map(|number| [vec![0xc1], number.to_le_bytes().to_vec()].concat()).collect()
        };
        assert_eq!(encoding(&[b"\x02\x40\xc8", &numbers(200)[..]].concat()), "intset");
        assert_eq!(encoding(&[b"\x02\x42\x58", &numbers(600)[..]].concat()), "hashtable");
        assert_eq!(encoding(&[b"\x02\x01\x40\x50", &[b'x'; 80][..]].concat()), "hashtable");
        let expected = vec![(b"m".to_vec(), 2.5), (b"i".to_vec(), f64::INFINITY)];
        assert_eq!(restored(b"\x03\x02\x01m\x032.5\x01i\xfe"), Ok(("listpack", Seen::SortedSet(expected))));
        assert_eq!(encoding(b"\x04\x01\x01f\x01v"), "listpack");
        assert_eq!(encoding(b"\x09\x08\x01\x01a\x01\0b\xff\x00"), "refused");
        assert_eq!(encoding(b"\x09\x07\x01\x01a\x01\0b\xff"), "listpack");
        let long = [b"\x09\x40\x56\x01\x01a\x50\0".as_slice(), &[b'b'; 80], b"\xff"].concat();
        assert_eq!(encoding(&long), "hashtable");
        assert_eq!(encoding(b"\x0b\x0a\x02\0\0\0\x01\0\0\0\x07\0"), "intset");
        let ziplist = b"\x13\x13\0\0\0\x0e\0\0\0\x02\0\0\x02ab\x04\xc0\x07\0\xff";
        let read = |kind: u8| restored(&[&[kind], &ziplist[..]].concat());
        assert_eq!(read(10), Ok(("listpack", Seen::List(texts(["ab", "7"])))));
        assert_eq!(read(12), Ok(("listpack", Seen::SortedSet(vec![(b"ab".to_vec(), 7.0)]))));
        assert_eq!(read(13), Ok(("listpack", Seen::Hash([(b"ab".to_vec(), b"7".to_vec())].into()))));
        let quicklist = [b"\x0e\x02", &ziplist[..], &ziplist[..]].concat();
        assert_eq!(restored(&quicklist), Ok(("quicklist", Seen::List(texts(["ab", "7", "ab", "7"])))));
        let listpack = b"\x0c\x0c\0\0\0\x02\0\x81a\x02\x01\x01\xff";
        let read = |kind: &[u8]| restored(&[kind, &listpack[..]].concat());
        assert_eq!(read(b"\x10"), Ok(("listpack", Seen::Hash([(b"a".to_vec(), b"1".to_vec())].into()))));
        assert_eq!(read(b"\x11"), Ok(("listpack", Seen::SortedSet(vec![(b"a".to_vec(), 1.0)]))));
        assert_eq!(read(b"\x14"), Ok(("listpack", Seen::Set([(b"a".to_vec(), ()), (b"1".to_vec(), ())].into()))));
        assert_eq!(read(b"\x12\x01\x02"), Ok(("listpack", Seen::List(texts(["a", "1"])))));
        assert_eq!(read(b"\x12\x02\x01\x01z\x02"), Ok(("quicklist", Seen::List(texts(["z", "a", "1"])))));
    }

    #[test]
    fn fields_may_have_deadlines() {
        let hash = |body: &[u8], version| {
            let entry = entry(restore(&sealed(body, version), &LIMITS)?);
            Ok((entry.encoding(), see(&entry.value())))
        };
        let plain = |encoding, value: &str| Ok((encoding, Seen::Hash([(b"f".to_vec(), value.into())].into())));
        let minus_one = [0xff; 8];
        assert_eq!(hash(&[b"\x16\x01\x01f\x01v".as_slice(), &minus_one].concat(), 80), plain("listpack", "v"));
        assert_eq!(hash(b"\x16\x01\x01f\x01v\x07\x01\0\0\0\0\0\0", 80), plain("listpackex", "v until 263"));
        assert_eq!(hash(b"\x16\x01\0\x01f\x01v", 12), plain("listpack", "v"));
        assert_eq!(hash(b"\x16\x01\x07\x01f\x01v", 12), plain("listpackex", "v until 7"));
        assert_eq!(hash(b"\x18\0\0\0\0\0\0\0\0\x01\0\x01f\x01v", 12), plain("listpack", "v"));
        assert_eq!(hash(b"\x18\x05\0\0\0\0\0\0\0\x01\x01\x01f\x01v", 12), plain("listpackex", "v until 5"));
        assert_eq!(hash(b"\x18\x05\0\0\0\0\0\0\0\x01\x0a\x01f\x01v", 12), plain("listpackex", "v until 14"));
        let listpack = b"\x0f\x0f\0\0\0\x03\0\x81f\x02\x81v\x02\0\x01\xff";
        assert_eq!(hash(&[b"\x17", &listpack[..]].concat(), 12), plain("listpackex", "v"));
        assert_eq!(hash(&[b"\x19\0\0\0\0\0\0\0\0", &listpack[..]].concat(), 12), plain("listpackex", "v"));
        let timed = b"\x0f\x0f\0\0\0\x03\0\x81f\x02\x81v\x02\x09\x01\xff";
        let payload = [b"\x19\x09\0\0\0\0\0\0\0", &timed[..]].concat();
        assert_eq!(hash(&payload, 12), plain("listpackex", "v until 9"));
        // What is written is what was read.
        let value = entry(restore(&sealed(&payload, 12), &LIMITS).expect("it was read above"));
        assert_eq!(dump(value.value(), PLAIN), sealed(&payload, 12));
        // A time behind the last there is, and one before the first.
        let late = b"\x18\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x02\x01f\x01v";
        assert_eq!(hash(late, 12), Err(RestoreError::Format));
        let early = b"\x0f\x0f\0\0\0\x03\0\x81f\x02\x81v\x02\xdf\xff\xff";
        assert_eq!(hash(&[b"\x17", &early[..]].concat(), 12), Err(RestoreError::Format));
    }

    #[test]
    fn hostile_payloads_are_refused() {
        let huge = [0x81, 0x10, 0, 0, 0, 0, 0, 0, 0];
        let mut bodies: Vec<Vec<u8>> = [
            b"".as_slice(),
            b"\x02\0",
            b"\x01\0",
            b"\x12\0",
            b"\x02\x02\x01a\x01a",
            b"\x04\x02\x01a\x01b\x01a\x01c",
            b"\x05\x02\x01a\0\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\0\0",
            b"\x05\x01\x01a\0\0\0\0\0\0\xf8\x7f",
            b"\x03\x01\x01a\xfd",
            b"\x03\x01\x01a\x03x.5",
            b"\x03\x01\x01a\0",
            b"\x12\x01\x03\x01a",
            b"\x12\x01\x01\0",
            b"\x0b\x08\x02\0\0\0\0\0\0\0",
            b"\x0b\x0c\x02\0\0\0\x02\0\0\0\x07\0\x07\0",
            b"\0\xc4\0",
            b"\0\x82\0",
            b"\0\xc3\x04\x05\0a\x60\0",
            b"\x04\xc0\x01",
            b"\x06\x01a",
            b"\x07\x01a",
            b"\x13\x01a",
            b"\x1a\x01a",
            b"\xfc\0\0\0\0\0\0\0\0\0\x01a",
        ]
        .map(<[u8]>::to_vec)
        .to_vec();
        for kind in 0..=25_u8 {
            // A length of 2^60, and a compressed string that is said to become as long.
            bodies.push([&[kind], huge.as_slice(), b"abcdefgh"].concat());
            bodies.push([&[kind, 0xc3, 4], huge.as_slice(), b"\0a\x60\0"].concat());
            bodies.push([&[kind, 0xc3], huge.as_slice(), &huge, b"\0a\x60\0"].concat());
        }
        for body in bodies {
            assert_eq!(restored(&body).err(), Some(RestoreError::Format), "{body:x?}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let file = sample(COMPRESSED);
        for len in 0..file.len() {
            let error = read_all(&file[..len], &LIMITS).expect_err("it is cut");
            assert!(matches!(error.problem(), Problem::Truncated | Problem::NotRdb), "{len}: {error}");
            assert!(error.offset() <= len as u64);
        }
    }

    #[test]
    fn a_changed_bit_is_noticed() {
        let file = sample(COMPRESSED);
        for index in 0..file.len() {
            for bit in [0, 3, 7] {
                let mut damaged = file.clone();
                damaged[index] ^= 1 << bit;
                assert!(read_all(&damaged, &LIMITS).is_err(), "{index}");
                // Without the checksum it may pass, but never with a panic.
                let _ = read_all(&without_checksum(damaged), &TINY);
            }
        }
    }

    #[test]
    fn long_strings_go_past_the_buffer() {
        let long: Vec<u8> = (0..700_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut pieces = Pieces::new(COMPRESSED);
        pieces.header(false, &[]);
        pieces.entry(&long, ValueRef::String(StringRef::Shared(&Bytes::from(long.clone()))), None);
        pieces.hash_head(b"hash", None, None, 1);
        pieces.hash_field(None, (Item::Bytes(&long), Item::Bytes(&b"ab".repeat(500_000)), None));
        pieces.end();
        let mut written = Vec::new();
        assert!(pieces.write_to(&mut written).is_ok());
        let mut checksum = Checksum::new();
        checksum.update(&written);
        written.extend_from_slice(&checksum.value().to_le_bytes());
        let entries = read_all(&written, &LIMITS).expect("what was written is right");
        assert_eq!(entries[0], (long.clone(), Seen::String(long.clone())));
        assert_eq!(entries[1].1, Seen::Hash([(long, b"ab".repeat(500_000))].into()));
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
            4 => (-200i64..200).prop_map(|number| number.to_string().into_bytes()),
            6 => prop::collection::vec(any::<u8>(), 0..12),
            2 => prop::collection::vec(97u8..99, 0..200),
            1 => Just(b"long".repeat(400)),
        ]
    }

    fn score() -> impl Strategy<Value = f64> {
        prop_oneof![
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(0.1),
            Just(-0.0),
            (-1000i32..1000).prop_map(f64::from),
            any::<f64>().prop_filter("a score", |score| !score.is_nan()),
        ]
    }

    /// A stream with an entry for each text, some of which are delivered and some deleted.
    fn stream(texts: &[(Vec<u8>, f64)], limits: &Limits) -> Stream {
        let mut stream = Stream::new();
        for (number, (text, _)) in texts.iter().enumerate() {
            let id = Id::new(5 + number as u64 / 2, number as u64);
            stream.add(id, [b"field", text.as_slice()].into_iter(), limits).expect("ids grow");
            if number == 2 {
                stream.add_group(b"group", Group::new(Id::new(5, 0), None));
                stream.add_group(text, Group::new(Id::MIN, Some(3)));
            }
            stream.edit_group(b"group", |entries, group| {
                let (consumer, _) = group.see_consumer(if number % 2 == 0 { b"even" } else { b"odd" }, 70);
                group.set_active(consumer, 70);
                group.advance(id, entries);
                group.set_pending(id, Pending { delivered: 60, count: 300, consumer });
            });
            if number % 4 == 1 {
                stream.delete(id, References::Keep);
            }
        }
        stream
    }

    fn value(texts: Vec<(Vec<u8>, f64)>, kind: u8, limits: &Limits) -> Value {
        if kind == 4 {
            return stream(&texts, limits).into_value();
        }
        let (mut list, mut set, mut hash, mut sorted) = (List::new(), Set::new(), Hash::new(), SortedSet::new());
        for (text, score) in &texts {
            match kind {
                0 => list.push(Side::Back, text, limits),
                1 => _ = set.insert(text, limits),
                2 => {
                    hash.set(text, score.to_string().as_bytes(), limits);
                    let at = (*score > 1.0).then_some(*score as u64);
                    hash.set_deadline(text, at, limits);
                }
                3 => _ = sorted.add(text, *score, AddOptions::default(), limits),
                _ => {}
            }
        }
        match kind {
            0 => list.into_value(),
            1 => set.into_value(),
            2 => hash.into_value(),
            3 => sorted.into_value(),
            _ => {
                let (text, _) = texts.into_iter().next().unwrap_or_default();
                Value::Text { text: Text::Owned(text), edited: false }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 512 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_value_comes_back(
            texts in prop::collection::vec((text(), score()), 1..20), kind in 0u8..6,
            write_tiny in any::<bool>(), read_tiny in any::<bool>(), compress in any::<bool>(),
        ) {
            let limits = |tiny| if tiny { TINY } else { LIMITS };
            let original = entry(value(texts, kind, &limits(write_tiny)));
            let payload = dump(original.value(), Options { compress });
            let restored = restore(&payload, &limits(read_tiny));
            prop_assert!(restored.is_ok());
            let restored = restored.map(entry).expect("checked above");
            prop_assert_eq!(see(&restored.value()), see(&original.value()));
            if write_tiny == read_tiny && original.encoding() != "hashtable" {
                prop_assert_eq!(dump(restored.value(), Options { compress }), payload);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_a_value(kind in 0u8..26, bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let body = [&[kind], &bytes[..]].concat();
            for version in [10, 80] {
                if let Ok(value) = restore(&sealed(&body, version), &TINY) {
                    let entry = entry(value);
                    prop_assert!(restore(&dump(entry.value(), COMPRESSED), &LIMITS).is_ok());
                }
            }
        }

        #[test]
        fn damaged_payloads_are_refused_or_values(
            texts in prop::collection::vec((text(), score()), 1..6), kind in 0u8..6, tiny in any::<bool>(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let original = entry(value(texts, kind, if tiny { &TINY } else { &LIMITS }));
            let payload = dump(original.value(), COMPRESSED);
            let mut body = payload[..payload.len() - 10].to_vec();
            for (index, byte) in damage {
                let index = index.index(body.len());
                body[index] = byte;
            }
            if let Ok(value) = restore(&sealed(&body, 10), &LIMITS) {
                let entry = entry(value);
                prop_assert!(restore(&dump(entry.value(), COMPRESSED), &LIMITS).is_ok());
            }
        }
    }

    #[test]
    fn lent_strings_become_values() {
        let value = Loaded::Text(b"text").into_value();
        assert_eq!(see(&entry(value).value()), Seen::String(b"text".to_vec()));
    }
}
