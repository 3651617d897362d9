//! The forms of old files: ziplists and zipmaps, read into listpacks; nothing writes them any more.
//!
//! A ziplist is a header (bytes, offset of the last entry, both u32, and entries as u16, little-endian), the entries, and
//! a closing 0xff; an entry begins with the length of the one before it. A zipmap is a count, then keys and values with
//! their lengths, and a closing 0xff. (Formats: S. Sanfilippo and P. Noordhuis.)

use crate::listpack::Listpack;
use crate::types::Item;

const HEADER: usize = 10;
const END: u8 = 0xff;
/// Lengths from here on are written in the four bytes behind this one.
const LONG: u8 = 0xfe;
/// The header's count when there are too many entries for it.
const UNCOUNTED: u16 = u16::MAX;

/// The entries of a ziplist, after checking every byte of it; `None` if it is none.
pub(super) fn read_ziplist(bytes: &[u8]) -> Option<Listpack> {
    let (header, entries) = bytes.split_first_chunk::<HEADER>()?;
    let [a, b, c, d, e, f, g, h, i, j] = *header;
    let (total, tail, count) =
        (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]), u16::from_le_bytes([i, j]));
    if total as usize != bytes.len() {
        return None;
    }
    let (mut listpack, mut rest) = (Listpack::new(), entries);
    let (mut last, mut previous, mut found) = (HEADER, 0, 0usize);
    loop {
        let before = rest.len();
        if *rest == [END] {
            break;
        }
        let (said, after) = match rest.split_first()? {
            (&END, _) => return None,
            (&LONG, after) => {
                let (len, after) = after.split_first_chunk()?;
                (u32::from_le_bytes(*len) as usize, after)
            }
            (&len, after) => (usize::from(len), after),
        };
        if said != previous {
            return None;
        }
        let (item, after) = read_entry(after)?;
        push(&mut listpack, item)?;
        last = bytes.len() - before;
        previous = before - after.len();
        found += 1;
        rest = after;
    }
    let is_right = tail as usize == last && (count == UNCOUNTED || usize::from(count) == found);
    is_right.then_some(listpack)
}

/// The keys and values of a zipmap in turn, after checking every byte of it; `None` if it is none.
pub(super) fn read_zipmap(bytes: &[u8]) -> Option<Listpack> {
    let (&count, mut rest) = bytes.split_first()?;
    let (mut listpack, mut found) = (Listpack::new(), 0usize);
    while *rest != [END] {
        let (len, after) = read_zipmap_length(rest)?;
        let (key, after) = after.split_at_checked(len)?;
        let (len, after) = read_zipmap_length(after)?;
        let (&free, after) = after.split_first()?;
        let (value, after) = after.split_at_checked(len)?;
        push(&mut listpack, Item::Bytes(key))?;
        push(&mut listpack, Item::Bytes(value))?;
        rest = after.get(usize::from(free)..)?;
        found += 1;
    }
    (count >= LONG || usize::from(count) == found).then_some(listpack)
}

fn push(listpack: &mut Listpack, item: Item<'_>) -> Option<()> {
    listpack.has_room(item.len(), 1).then(|| listpack.push_back(item))
}

fn read_zipmap_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes.split_first()? {
        (&END, _) => None,
        (&LONG, rest) => {
            let (len, rest) = rest.split_first_chunk()?;
            Some((u32::from_le_bytes(*len) as usize, rest))
        }
        (&len, rest) => Some((usize::from(len), rest)),
    }
}

/// An entry behind the length of the one before it.
fn read_entry(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let len = match first {
        0x00..=0x3f => (usize::from(first), rest),
        0x40..=0x7f => {
            let (&low, rest) = rest.split_first()?;
            (usize::from(u16::from_be_bytes([first & 0x3f, low])), rest)
        }
        0x80 => {
            let (len, rest) = rest.split_first_chunk()?;
            (u32::from_be_bytes(*len) as usize, rest)
        }
        _ => return read_int(first, rest),
    };
    let (text, rest) = len.1.split_at_checked(len.0)?;
    Some((Item::Bytes(text), rest))
}

fn read_int(form: u8, rest: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (value, rest) = match form {
        0xc0 => rest.split_first_chunk().map(|(bytes, rest)| (i64::from(i16::from_le_bytes(*bytes)), rest))?,
        0xd0 => rest.split_first_chunk().map(|(bytes, rest)| (i64::from(i32::from_le_bytes(*bytes)), rest))?,
        0xe0 => rest.split_first_chunk().map(|(bytes, rest)| (i64::from_le_bytes(*bytes), rest))?,
        0xf0 => {
            let (&[a, b, c], rest) = rest.split_first_chunk()?;
            (i64::from(i32::from_le_bytes([0, a, b, c]) >> 8), rest)
        }
        0xfe => rest.split_first().map(|(byte, rest)| (i64::from(*byte as i8), rest))?,
        0xf1..=0xfd => (i64::from(form & 0x0f) - 1, rest),
        _ => return None,
    };
    Some((Item::Int(value), rest))
}

#[cfg(test)]
mod tests {
    use super::{read_ziplist, read_zipmap};
    use crate::listpack::Listpack;
    use crate::types::Item;
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};

    fn texts(listpack: &Listpack) -> Vec<Vec<u8>> {
        listpack.iter().map(Item::to_vec).collect()
    }

    fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
        let (mut body, mut tail, mut previous) = (Vec::new(), 10, 0);
        for entry in entries {
            tail = 10 + body.len() as u32;
            let start = body.len();
            body.push(previous);
            body.extend_from_slice(entry);
            previous = (body.len() - start) as u8;
        }
        let mut bytes = (body.len() as u32 + 11).to_le_bytes().to_vec();
        bytes.extend_from_slice(&tail.to_le_bytes());
        bytes.extend_from_slice(&(entries.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes.push(0xff);
        bytes
    }

    fn sample() -> Vec<u8> {
        ziplist(&[
            b"\x02ab",
            b"\x40\x03abc",
            b"\x80\0\0\0\x01z",
            b"\xc0\xff\xff",
            b"\xd0\0\0\x01\0",
            b"\xe0\0\0\0\0\0\0\0\x80",
            b"\xf0\xfe\xff\xff",
            b"\xfe\x80",
            b"\xf1",
            b"\xfd",
        ])
    }

    #[test]
    fn every_form_of_an_entry_is_read() {
        let listpack = read_ziplist(&sample()).expect("the sample is right");
        let expected = ["ab", "abc", "z", "-1", "65536", "-9223372036854775808", "-2", "-128", "0", "12"];
        assert_eq!(texts(&listpack), expected.map(|text| text.as_bytes().to_vec()));
        assert!(read_ziplist(&ziplist(&[])).is_some_and(|listpack| listpack.is_empty()));
    }

    #[test]
    fn zipmaps_may_hold_unused_bytes() {
        let listpack = read_zipmap(b"\x02\x01a\x01\x02bXX\xfe\x01\0\0\0c\x02\x0012\xff").expect("a right one");
        assert_eq!(texts(&listpack), [b"a".as_slice(), b"b", b"c", b"12"]);
        for wrong in [b"".as_slice(), b"\0", b"\x05\x01a\x01\0b\xff", b"\x01\x01a\x01\x02b\xff", b"\x01\x01a\xff"] {
            assert!(read_zipmap(wrong).is_none());
        }
        assert!(read_zipmap(b"\0\xff").is_some_and(|listpack| listpack.is_empty()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 512 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn damaged_bytes_never_panic(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = sample();
            for (index, byte) in damage {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
                prop_assert!(read_ziplist(&bytes).is_none());
            }
            let (one, other) = (read_ziplist(&bytes), read_zipmap(&bytes));
            for listpack in [one, other].into_iter().flatten() {
                prop_assert_eq!(listpack.iter().count(), listpack.len());
            }
        }
    }
}
