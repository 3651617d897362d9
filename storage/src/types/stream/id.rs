//! Identifiers of stream entries; how clients may abbreviate them is the commands' business.

use std::fmt;

/// A time in milliseconds and a number within it: what orders the entries of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Milliseconds since the epoch, if the server chose the id.
    pub ms: u64,
    /// Tells entries of the same millisecond apart.
    pub seq: u64,
}

impl Id {
    /// Before the id of every entry: `0-0` itself cannot be added.
    pub const MIN: Id = Id { ms: 0, seq: 0 };
    /// The last id of all.
    pub const MAX: Id = Id { ms: u64::MAX, seq: u64::MAX };

    /// An id from its two parts.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Id { ms, seq }
    }

    /// The id right behind this one; `None` behind the last.
    pub fn next(self) -> Option<Id> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => self.ms.checked_add(1).map(|ms| Id { ms, seq: 0 }),
        }
    }

    /// The id right before this one; `None` before the first.
    pub fn previous(self) -> Option<Id> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => self.ms.checked_sub(1).map(|ms| Id { ms, seq: u64::MAX }),
        }
    }

    /// The sixteen bytes that files hold, both parts big-endian.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// The id of sixteen bytes of a file.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Id { ms: (both >> 64) as u64, seq: both as u64 }
    }

    /// Calls `read` with the text, `ms-seq`, which lives on the stack.
    pub fn with_text<R>(self, read: impl FnOnce(&[u8]) -> R) -> R {
        let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (ms, seq) = (ms.format(self.ms).as_bytes(), seq.format(self.seq).as_bytes());
        // Two numbers of up to twenty digits.
        let mut text = [b'-'; 41];
        text[..ms.len()].copy_from_slice(ms);
        let len = ms.len() + 1 + seq.len();
        text[ms.len() + 1..len].copy_from_slice(seq);
        read(&text[..len])
    }

    /// The id that lies this far behind `self`, part by part, as blocks tell it.
    pub(super) fn offset(self, (ms, seq): (i64, i64)) -> Id {
        Id { ms: self.ms.wrapping_add(ms as u64), seq: self.seq.wrapping_add(seq as u64) }
    }

    /// How far `self` lies behind `first`, part by part.
    pub(super) fn offset_from(self, first: Id) -> (i64, i64) {
        (self.ms.wrapping_sub(first.ms) as i64, self.seq.wrapping_sub(first.seq) as i64)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.ms, self.seq)
    }
}
