//! Listpacks: short sequences of strings and integers in one allocation, byte for byte in Redis' format; no keys, no limits.
//!
//! A header of six bytes (total length as u32, number of entries as u16, both little-endian), the entries, and a closing
//! 0xff. An entry is its encoded value followed by the value's length written backwards, so that both directions are
//! cheap. (Format: "Listpack specification", S. Sanfilippo.)

use crate::types::Item;
use resplite_resp::number::parse_i64;
use std::fmt;

const HEADER: usize = 6;
const END: u8 = 0xff;
/// The header's count when there are too many entries for it.
const UNCOUNTED: u16 = u16::MAX;
/// A listpack never grows beyond this, whatever the limits say: its length has to fit the header.
const MAX_BYTES: usize = 1 << 30;
/// The most that an entry adds to its own bytes.
const MAX_OVERHEAD: usize = 10;

/// A place in a listpack: that of an entry, or the end. Any change before it makes it meaningless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(usize);

impl Position {
    /// The place of the first entry of every listpack.
    pub const FIRST: Position = Position(HEADER);
}

/// Bytes that are no listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidListpack;

impl fmt::Display for InvalidListpack {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not a valid listpack")
    }
}

impl std::error::Error for InvalidListpack {}

/// A sequence of strings and integers in one allocation. Text that is exactly an integer is stored as one.
#[derive(Clone, PartialEq, Eq)]
pub struct Listpack {
    bytes: Vec<u8>,
}

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Listpack {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.iter()).finish()
    }
}

impl Listpack {
    /// An empty listpack.
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(16);
        bytes.extend_from_slice(&[HEADER as u8 + 1, 0, 0, 0, 0, 0, END]);
        Listpack { bytes }
    }

    /// Takes bytes from a file or a peer, after checking every one of them. O(bytes).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, InvalidListpack> {
        if bytes.len() > MAX_BYTES {
            return Err(InvalidListpack);
        }
        let (header, end) = match bytes.as_slice() {
            [header @ .., END] if header.len() >= HEADER => (header, header.len()),
            _ => return Err(InvalidListpack),
        };
        let total = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        if total as usize != bytes.len() {
            return Err(InvalidListpack);
        }
        let (mut at, mut entries) = (HEADER, 0usize);
        while at < end {
            let size = checked_size(&bytes[at..end]).ok_or(InvalidListpack)?;
            let back = back_len(size);
            let written = bytes[at..end].get(size..size + back).ok_or(InvalidListpack)?;
            if written != encode_back(size).as_slice() {
                return Err(InvalidListpack);
            }
            at += size + back;
            entries += 1;
        }
        let count = u16::from_le_bytes([header[4], header[5]]);
        if count != UNCOUNTED && usize::from(count) != entries {
            return Err(InvalidListpack);
        }
        Ok(Listpack { bytes })
    }

    /// The listpack as Redis writes it into files.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Length of `as_bytes`.
    #[inline]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes on the heap. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Number of entries. O(1) below 65,535 entries.
    #[inline]
    pub fn len(&self) -> usize {
        match self.count() {
            UNCOUNTED => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER + 1
    }

    /// Whether `added` more bytes of elements, `entries` of them, keep it within the format's length.
    pub fn has_room(&self, added: usize, entries: usize) -> bool {
        let overhead = entries.saturating_mul(MAX_OVERHEAD);
        self.bytes.len().saturating_add(added).saturating_add(overhead) < MAX_BYTES
    }

    /// Where the first entry is, or the end.
    #[inline]
    pub fn start(&self) -> Position {
        Position::FIRST
    }

    /// Behind the last entry.
    #[inline]
    pub fn end(&self) -> Position {
        Position(self.bytes.len() - 1)
    }

    /// The entry at `position`; `None` at the end.
    #[inline]
    pub fn get(&self, position: Position) -> Option<Item<'_>> {
        (position < self.end()).then(|| decode(&self.bytes, position.0).0)
    }

    /// The entry at `position` and the place behind it; `None` at the end.
    #[inline]
    pub fn entry(&self, position: Position) -> Option<(Item<'_>, Position)> {
        if position >= self.end() {
            return None;
        }
        let (item, size) = decode(&self.bytes, position.0);
        Some((item, Position(position.0 + size + back_len(size))))
    }

    /// The place behind the entry at `position`; the end stays the end.
    #[inline]
    pub fn next(&self, position: Position) -> Position {
        if position < self.end() { Position(position.0 + entry_len(&self.bytes, position.0)) } else { self.end() }
    }

    /// The place of the entry before `position`; `None` at the start.
    #[inline]
    pub fn previous(&self, position: Position) -> Option<Position> {
        (position.0 > HEADER).then(|| Position(entry_before(&self.bytes, position.0)))
    }

    /// The place of an entry by index, from the back if negative. O(distance from the nearer end).
    pub fn seek(&self, index: i64) -> Option<Position> {
        let len = self.len();
        let index = if index < 0 {
            len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
        } else {
            usize::try_from(index).ok().filter(|index| *index < len)?
        };
        if index <= len / 2 {
            let mut at = HEADER;
            for _ in 0..index {
                at += entry_len(&self.bytes, at);
            }
            return Some(Position(at));
        }
        let mut at = self.bytes.len() - 1;
        for _ in index..len {
            at = entry_before(&self.bytes, at);
        }
        Some(Position(at))
    }

    /// The first entry equal to `needle` among every `skip + 1`st from `from` on.
    #[inline]
    pub fn find(&self, from: Position, needle: &[u8], skip: usize) -> Option<Position> {
        let bytes = self.bytes.as_slice();
        let end = bytes.len() - 1;
        let int = parse_i64(needle);
        let mut at = from.0;
        while at < end {
            let (item, size) = decode(bytes, at);
            let same = match item {
                Item::Bytes(bytes) => bytes == needle,
                Item::Int(value) => int == Some(value),
            };
            if same {
                return Some(Position(at));
            }
            at += size + back_len(size);
            for _ in 0..skip {
                if at >= end {
                    return None;
                }
                at += entry_len(bytes, at);
            }
        }
        None
    }

    /// Adds an entry behind the last.
    pub fn push_back<'a>(&mut self, item: impl Into<Item<'a>>) {
        self.insert(self.end(), item);
    }

    /// Adds entries behind the last, which costs less than one by one.
    ///
    /// # Panics
    /// If the listpack would exceed 1 GiB; `has_room` tells before.
    pub fn extend<'a>(&mut self, items: impl Iterator<Item = Item<'a>>) {
        self.bytes.pop();
        let mut added = 0;
        for item in items {
            let encoded = Encoded::of(item);
            let back = encode_back(encoded.len());
            self.reserve(encoded.len() + back.as_slice().len() + 1);
            self.bytes.extend_from_slice(&encoded.head[..encoded.head_len]);
            self.bytes.extend_from_slice(encoded.body);
            self.bytes.extend_from_slice(back.as_slice());
            added += 1;
        }
        self.reserve(1);
        self.bytes.push(END);
        self.write_total();
        self.set_count(|count| usize::from(count).saturating_add(added).try_into().unwrap_or(UNCOUNTED));
    }

    /// Adds an entry before the first.
    pub fn push_front<'a>(&mut self, item: impl Into<Item<'a>>) {
        self.insert(self.start(), item);
    }

    /// Adds an entry before the one at `position` (at the end: behind the last) and returns the place behind the new one.
    ///
    /// # Panics
    /// If the listpack would exceed 1 GiB; `has_room` tells before.
    pub fn insert<'a>(&mut self, position: Position, item: impl Into<Item<'a>>) -> Position {
        let after = self.splice(position, 0, item.into());
        self.set_count(|count| count.saturating_add(1));
        after
    }

    /// Gives the entry at `position` another value and returns the place behind it.
    ///
    /// # Panics
    /// If the listpack would exceed 1 GiB, as `insert`; or at the end, where there is nothing to replace.
    pub fn replace<'a>(&mut self, position: Position, item: impl Into<Item<'a>>) -> Position {
        assert!(position < self.end(), "nothing to replace at the end");
        self.splice(position, entry_len(&self.bytes, position.0), item.into())
    }

    /// Removes up to `count` entries from `position` on; `position` then names what followed them.
    pub fn remove(&mut self, position: Position, count: usize) -> usize {
        let end = self.bytes.len() - 1;
        let (mut at, mut removed) = (position.0, 0);
        while removed < count && at < end {
            at += entry_len(&self.bytes, at);
            removed += 1;
        }
        self.cut(position.0, at, removed);
        removed
    }

    /// Moves the entries from `position` on into a listpack of their own.
    pub fn split_off(&mut self, position: Position) -> Listpack {
        let end = self.bytes.len() - 1;
        let mut bytes = Vec::with_capacity(HEADER + 1 + (end - position.0));
        bytes.extend_from_slice(&[0; HEADER]);
        bytes.extend_from_slice(&self.bytes[position.0..end]);
        bytes.push(END);
        let mut tail = Listpack { bytes };
        tail.write_total();
        let moved = tail.walk_count();
        tail.store_count(moved);
        self.cut(position.0, end, moved);
        tail
    }

    /// Adds all entries of `other` behind the last.
    ///
    /// # Panics
    /// If the listpack would exceed 1 GiB.
    pub fn append(&mut self, other: &Listpack) {
        let count = self.len() + other.len();
        let added = &other.bytes[HEADER..other.bytes.len() - 1];
        self.reserve(added.len());
        self.bytes.pop();
        self.bytes.extend_from_slice(added);
        self.bytes.push(END);
        self.write_total();
        self.store_count(count);
    }

    /// All entries; reversible.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(self.start())
    }

    /// The entries from `position` on; reversible.
    #[inline]
    pub fn iter_from(&self, position: Position) -> Iter<'_> {
        self.iter_between(position, self.end())
    }

    /// The entries from `from` on that lie before `to`; reversible.
    #[inline]
    pub fn iter_between(&self, from: Position, to: Position) -> Iter<'_> {
        Iter { bytes: &self.bytes, front: from.0, back: to.0.max(from.0) }
    }

    /// Frees what growing has reserved.
    pub fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    fn count(&self) -> u16 {
        u16::from_le_bytes([self.bytes[4], self.bytes[5]])
    }

    fn store_count(&mut self, count: usize) {
        let count = u16::try_from(count).unwrap_or(UNCOUNTED);
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
    }

    fn set_count(&mut self, change: impl FnOnce(u16) -> u16) {
        let count = self.count();
        // Once lost, the count stays lost, as in Redis.
        if count != UNCOUNTED {
            self.bytes[4..HEADER].copy_from_slice(&change(count).to_le_bytes());
        }
    }

    fn walk_count(&self) -> usize {
        self.iter().count()
    }

    fn write_total(&mut self) {
        let total = self.bytes.len();
        assert!(total <= MAX_BYTES, "listpack exceeds its format's length");
        self.bytes[..4].copy_from_slice(&(total as u32).to_le_bytes());
    }

    fn cut(&mut self, from: usize, to: usize, entries: usize) {
        if entries == 0 {
            return;
        }
        self.bytes.drain(from..to);
        self.write_total();
        self.set_count(|count| count - entries.min(usize::from(count)) as u16);
        if self.bytes.capacity() > 2 * self.bytes.len() + 32 {
            self.bytes.shrink_to(roomy(self.bytes.len()));
        }
    }

    /// Room for `added` more bytes, with less slack than a doubling `Vec` leaves: most listpacks are small and stay so.
    fn reserve(&mut self, added: usize) {
        let needed = self.bytes.len() + added;
        if needed > self.bytes.capacity() {
            self.bytes.reserve_exact(roomy(needed) - self.bytes.len());
        }
    }

    /// Puts `item` where `old` bytes are now; returns the place behind it.
    fn splice(&mut self, position: Position, old: usize, item: Item<'_>) -> Position {
        let encoded = Encoded::of(item);
        let size = encoded.len();
        let back = encode_back(size);
        let new = size + back.as_slice().len();
        let (at, len) = (position.0, self.bytes.len());
        if new > old {
            self.reserve(new - old);
            self.bytes.resize(len + new - old, 0);
        }
        self.bytes.copy_within(at + old..len, at + new);
        self.bytes.truncate(len + new - old);
        let place = &mut self.bytes[at..at + new];
        place[..encoded.head_len].copy_from_slice(&encoded.head[..encoded.head_len]);
        place[encoded.head_len..size].copy_from_slice(encoded.body);
        place[size..].copy_from_slice(back.as_slice());
        self.write_total();
        Position(at + new)
    }
}

impl<'a> From<i64> for Item<'a> {
    fn from(value: i64) -> Self {
        Item::Int(value)
    }
}

/// Entries of a listpack, from either end.
#[derive(Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    front: usize,
    back: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.front >= self.back {
            return None;
        }
        let (item, size) = decode(self.bytes, self.front);
        self.front += size + back_len(size);
        Some(item)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        self.back = entry_before(self.bytes, self.back);
        Some(decode(self.bytes, self.back).0)
    }
}

impl std::iter::FusedIterator for Iter<'_> {}

fn roomy(needed: usize) -> usize {
    needed.next_multiple_of((needed.next_power_of_two() / 8).max(16))
}

/// A value ready to be written: a head, and bytes for strings.
struct Encoded<'a> {
    head: [u8; 9],
    head_len: usize,
    body: &'a [u8],
}

impl<'a> Encoded<'a> {
    fn of(item: Item<'a>) -> Self {
        match item {
            Item::Int(value) => Self::int(value),
            Item::Bytes(bytes) => match parse_i64(bytes) {
                Some(value) => Self::int(value),
                None => Self::string(bytes),
            },
        }
    }

    fn int(value: i64) -> Self {
        let [a, b, c, d, ..] = value.to_le_bytes();
        match value {
            0..=127 => Self::head([a]),
            -4096..=4095 => Self::head([0xc0 | (b & 0x1f), a]),
            -0x8000..=0x7fff => Self::head([0xf1, a, b]),
            -0x80_0000..=0x7f_ffff => Self::head([0xf2, a, b, c]),
            -0x8000_0000..=0x7fff_ffff => Self::head([0xf3, a, b, c, d]),
            _ => {
                let [e, f, g, h] = ((value >> 32) as i32).to_le_bytes();
                Self::head([0xf4, a, b, c, d, e, f, g, h])
            }
        }
    }

    fn string(body: &'a [u8]) -> Self {
        let [a, b, c, d] = (u32::try_from(body.len()).unwrap_or(u32::MAX)).to_le_bytes();
        let head = match body.len() {
            0..64 => Self::head([0x80 | a]),
            64..4096 => Self::head([0xe0 | b, a]),
            _ => Self::head([0xf0, a, b, c, d]),
        };
        Encoded { body, ..head }
    }

    fn head<const N: usize>(bytes: [u8; N]) -> Self {
        let mut head = [0; 9];
        head[..N].copy_from_slice(&bytes);
        Encoded { head, head_len: N, body: &[] }
    }

    fn len(&self) -> usize {
        self.head_len + self.body.len()
    }
}

/// The entry at `at` and the length of its encoded value.
#[inline(always)]
fn decode(bytes: &[u8], at: usize) -> (Item<'_>, usize) {
    let head = bytes[at];
    if head < 0x80 {
        return (Item::Int(i64::from(head)), 1);
    }
    if head < 0xc0 {
        let len = usize::from(head & 0x3f);
        return (Item::Bytes(&bytes[at + 1..][..len]), 1 + len);
    }
    decode_rare(bytes, at)
}

fn decode_rare(bytes: &[u8], at: usize) -> (Item<'_>, usize) {
    match bytes[at] {
        head @ 0xc0..=0xdf => {
            // Shifting the sign bit of the thirteen to the top and back extends it.
            let raw = u16::from_be_bytes([head, bytes[at + 1]]);
            (Item::Int(i64::from((raw << 3) as i16 >> 3)), 2)
        }
        head @ 0xe0..=0xef => {
            let len = usize::from(u16::from_be_bytes([head & 0x0f, bytes[at + 1]]));
            (Item::Bytes(&bytes[at + 2..][..len]), 2 + len)
        }
        0xf0 => {
            let len = little_endian::<4>(bytes, at + 1) as u32 as usize;
            (Item::Bytes(&bytes[at + 5..][..len]), 5 + len)
        }
        0xf1 => (Item::Int(little_endian::<2>(bytes, at + 1)), 3),
        0xf2 => (Item::Int(little_endian::<3>(bytes, at + 1)), 4),
        0xf3 => (Item::Int(little_endian::<4>(bytes, at + 1)), 5),
        0xf4 => (Item::Int(little_endian::<8>(bytes, at + 1)), 9),
        _ => unreachable!("`from_bytes` lets no other head in"),
    }
}

/// A signed integer of `N` bytes.
#[inline(always)]
fn little_endian<const N: usize>(bytes: &[u8], at: usize) -> i64 {
    let mut wide = [0; 8];
    wide[8 - N..].copy_from_slice(&bytes[at..at + N]);
    i64::from_le_bytes(wide) >> (64 - 8 * N)
}

/// Length of the encoded value at `at`.
#[inline(always)]
fn value_len(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        0..=0x7f => 1,
        head @ 0x80..=0xbf => 1 + usize::from(head & 0x3f),
        0xc0..=0xdf => 2,
        head @ 0xe0..=0xef => 2 + usize::from(u16::from_be_bytes([head & 0x0f, bytes[at + 1]])),
        0xf0 => 5 + little_endian::<4>(bytes, at + 1) as u32 as usize,
        0xf1 => 3,
        0xf2 => 4,
        0xf3 => 5,
        _ => 9,
    }
}

/// As `value_len`, for bytes that nobody has checked: `None` when they end too early or the head is unknown.
fn checked_size(bytes: &[u8]) -> Option<usize> {
    let size = match *bytes.first()? {
        0xe0..=0xef => {
            bytes.get(1)?;
            value_len(bytes, 0)
        }
        0xf0 => {
            bytes.get(4)?;
            5usize.checked_add(value_len(bytes, 0) - 5)?
        }
        0xf5.. => return None,
        _ => value_len(bytes, 0),
    };
    (size <= bytes.len()).then_some(size)
}

#[inline(always)]
fn entry_len(bytes: &[u8], at: usize) -> usize {
    let size = value_len(bytes, at);
    size + back_len(size)
}

/// Bytes that the backward length of an encoded value takes.
#[inline(always)]
fn back_len(size: usize) -> usize {
    // The odd bounds are the format's: 16383 would fit two bytes, but three are written.
    match size {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

struct Back {
    bytes: [u8; 5],
    len: usize,
}

impl Back {
    #[inline(always)]
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The length as groups of seven bits, the highest first; all but the first carry the top bit.
#[inline(always)]
fn encode_back(size: usize) -> Back {
    let len = back_len(size);
    let mut bytes = [0; 5];
    if len == 1 {
        bytes[0] = size as u8;
        return Back { bytes, len };
    }
    for (index, byte) in bytes[..len].iter_mut().enumerate() {
        let group = (size >> (7 * (len - 1 - index))) as u8 & 0x7f;
        *byte = if index == 0 { group } else { group | 0x80 };
    }
    Back { bytes, len }
}

/// Start of the entry that ends at `end`.
#[inline(always)]
fn entry_before(bytes: &[u8], end: usize) -> usize {
    let (mut size, mut shift, mut at) = (0, 0, end - 1);
    loop {
        size |= usize::from(bytes[at] & 0x7f) << shift;
        if bytes[at] & 0x80 == 0 {
            return at - size;
        }
        shift += 7;
        at -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{Listpack, Position, UNCOUNTED};
    use crate::types::Item;
    use proptest::prelude::{
        Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
    };

    fn listpack<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Listpack {
        let mut listpack = Listpack::new();
        for item in items {
            listpack.push_back(item);
        }
        listpack
    }

    fn contents(listpack: &Listpack) -> Vec<Vec<u8>> {
        listpack.iter().map(Item::to_vec).collect()
    }

    /// Integers around every bound of the encodings, and strings around every length.
    fn element() -> impl Strategy<Value = Vec<u8>> {
        let bound = prop_oneof![
            Just(0i64),
            Just(127),
            Just(128),
            Just(4095),
            Just(-4096),
            Just(i64::from(i16::MAX)),
            Just(0x7f_ffff),
            Just(-0x80_0000),
            Just(i64::from(i32::MIN)),
            Just(i64::MAX),
            Just(i64::MIN)
        ];
        prop_oneof![
            4 => (bound, -2i64..3).prop_map(|(bound, step)| bound.wrapping_add(step).to_string().into_bytes()),
            4 => prop::collection::vec(any::<u8>(), 0..70),
            1 => (4090usize..4100).prop_map(|len| vec![b'x'; len]),
            1 => (16_375usize..16_390).prop_map(|len| vec![b'y'; len]),
        ]
    }

    #[test]
    fn bytes_are_those_of_redis() {
        let items: [&[u8]; 8] =
            [b"1", b"-1", b"hello", b"4096", b"-8388608", b"2147483647", b"9223372036854775807", b"01"];
        let expected = b"\x30\0\0\0\x08\0\x01\x01\xdf\xff\x02\x85hello\x06\xf1\x00\x10\x03\xf2\x00\x00\x80\x04\
            \xf3\xff\xff\xff\x7f\x05\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09\x8201\x03\xff";
        assert_eq!(listpack(items).as_bytes(), expected);
    }

    #[test]
    fn more_entries_than_the_header_counts() {
        let count = if cfg!(miri) { 100 } else { 65_540 };
        let mut listpack = Listpack::new();
        for _ in 0..count {
            listpack.push_back(1);
        }
        assert_eq!(listpack.len(), count);
        assert_eq!(listpack.seek(-1), listpack.seek(count as i64 - 1));
        assert_eq!(listpack.remove(listpack.start(), 10), 10);
        assert_eq!(listpack.len(), count - 10);
        if count > usize::from(UNCOUNTED) {
            assert_eq!(Listpack::from_bytes(listpack.as_bytes().to_vec()).map(|copy| copy.len()), Ok(count - 10));
        }
    }

    #[test]
    fn finding_skips() {
        let pairs = listpack([b"b".as_slice(), b"a", b"a", b"b", b"7", b"8"]);
        assert_eq!(pairs.find(pairs.start(), b"a", 1), pairs.seek(2));
        assert_eq!(pairs.find(pairs.start(), b"7", 1), pairs.seek(4));
        assert_eq!(pairs.find(pairs.start(), b"8", 1), None);
        assert_eq!(pairs.find(pairs.start(), b"8", 0), pairs.seek(5));
        assert_eq!(pairs.find(pairs.end(), b"8", 0), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 256 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn extending_is_pushing(first in prop::collection::vec(element(), 0..9), more in prop::collection::vec(element(), 0..9)) {
            let mut extended = listpack(first.iter().map(Vec::as_slice));
            let mut pushed = extended.clone();
            extended.extend(more.iter().map(|item| Item::Bytes(item)));
            more.iter().for_each(|item| pushed.push_back(item.as_slice()));
            prop_assert_eq!(extended.as_bytes(), pushed.as_bytes());
        }

        #[test]
        fn behaves_like_a_vector(steps in prop::collection::vec((0u8..6, any::<prop::sample::Index>(), element(), 0usize..4), 0..60)) {
            let (mut listpack, mut model) = (Listpack::new(), Vec::<Vec<u8>>::new());
            for (what, index, value, count) in steps {
                let index = index.index(model.len() + 1);
                let at = listpack.seek(index as i64).unwrap_or(listpack.end());
                match what {
                    0 => { listpack.push_front(value.as_slice()); model.insert(0, value); }
                    1 => { listpack.push_back(value.as_slice()); model.push(value); }
                    2 => {
                        let after = listpack.insert(at, value.as_slice());
                        model.insert(index, value);
                        prop_assert_eq!(Some(after), listpack.seek(index as i64 + 1).or(Some(listpack.end())));
                    }
                    3 if index < model.len() => { listpack.replace(at, value.as_slice()); model[index] = value; }
                    4 => {
                        let end = (index + count).min(model.len());
                        prop_assert_eq!(listpack.remove(at, count), model.drain(index..end).count());
                    }
                    5 => {
                        let tail = listpack.split_off(at);
                        prop_assert_eq!(contents(&tail), &model[index..]);
                        listpack.append(&tail);
                    }
                    _ => {}
                }
                prop_assert_eq!(listpack.len(), model.len());
            }
            prop_assert_eq!(contents(&listpack), &model[..]);
            prop_assert!(listpack.iter().rev().map(Item::to_vec).eq(model.iter().rev().cloned()));
            for (index, value) in model.iter().enumerate() {
                let found = listpack.find(listpack.start(), value, 0).and_then(|at| listpack.get(at));
                prop_assert!(found.is_some_and(|item| item == value.as_slice()));
                prop_assert_eq!(listpack.seek(index as i64), listpack.seek(index as i64 - model.len() as i64));
                let next = listpack.seek(index as i64).map(|at| listpack.next(at));
                prop_assert_eq!(next.and_then(|at| listpack.previous(at)), listpack.seek(index as i64));
            }
            prop_assert_eq!(Listpack::from_bytes(listpack.as_bytes().to_vec()), Ok(listpack));
        }

        #[test]
        fn damaged_bytes_are_refused_or_readable(
            items in prop::collection::vec(element(), 0..8),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = listpack(items.iter().map(Vec::as_slice)).as_bytes().to_vec();
            for (index, byte) in damage {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(mut listpack) = Listpack::from_bytes(bytes) {
                let forward = contents(&listpack);
                let mut backward: Vec<_> = listpack.iter().rev().map(Item::to_vec).collect();
                backward.reverse();
                prop_assert_eq!(&forward, &backward);
                prop_assert_eq!(forward.len(), listpack.len());
                listpack.push_front(b"new".as_slice());
                listpack.remove(Position(6), 2);
                prop_assert_eq!(contents(&listpack), forward.get(1..).unwrap_or_default());
            }
        }

        #[test]
        fn any_bytes_are_refused_or_readable(mut bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            // With a header that is right, the entries get their turn to be wrong.
            if bytes.len() >= 7 {
                let len = bytes.len();
                bytes[..6].copy_from_slice(&[len as u8, 0, 0, 0, 0xff, 0xff]);
                bytes[len - 1] = 0xff;
            }
            if let Ok(listpack) = Listpack::from_bytes(bytes) {
                prop_assert_eq!(listpack.iter().count(), listpack.iter().rev().count());
            }
        }
    }
}
