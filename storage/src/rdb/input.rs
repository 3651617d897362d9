//! Buffered input with its checksum, and what the format is made of: lengths, strings, numbers; no records, no values.
//!
//! Nothing is believed before it is read: memory grows with what has arrived, not with what a length promises.

use super::error::{Problem, RdbError};
use super::{Checksum, code, lzf};
use crate::types::Item;
use std::io::{ErrorKind, Read};

/// Longest string of a collection: what its structures can store.
const ELEMENT_MAX: u64 = u32::MAX as u64;
/// What is reserved at first for a string that does not fit the buffer.
const STEP: usize = 1 << 16;

/// Bytes from a reader.
pub(super) struct Input<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The next byte in the buffer.
    at: usize,
    /// Behind the last byte in the buffer.
    filled: usize,
    /// The first byte in the buffer that the checksum lacks.
    summed: usize,
    /// Offset of the buffer's first byte in the whole input.
    base: u64,
    checksum: Checksum,
    /// Compressed strings too long for the buffer.
    packed: Vec<u8>,
}

/// The form of a string that comes next.
#[derive(Clone, Copy)]
pub(super) enum StringHead {
    Int(i64),
    Raw(u64),
    Packed { from: u64, to: u64 },
}

impl StringHead {
    /// Length of the text; integers count as short.
    pub(super) fn len(self) -> u64 {
        match self {
            StringHead::Int(_) => 0,
            StringHead::Raw(len) | StringHead::Packed { to: len, .. } => len,
        }
    }
}

enum Length {
    Count(u64),
    Form(u8),
}

impl<R: Read> Input<R> {
    /// Reads `capacity` bytes (16 at least) at a time.
    pub(super) fn new(reader: R, capacity: usize) -> Self {
        Input {
            reader,
            buffer: vec![0; capacity.max(16)],
            at: 0,
            filled: 0,
            summed: 0,
            base: 0,
            checksum: Checksum::new(),
            packed: Vec::new(),
        }
    }

    /// How many bytes have been consumed.
    pub(super) fn offset(&self) -> u64 {
        self.base.saturating_add(self.at as u64)
    }

    /// Bytes that were read ahead, and the reader behind them.
    pub(super) fn into_parts(mut self) -> (Vec<u8>, R) {
        self.buffer.truncate(self.filled);
        self.buffer.drain(..self.at);
        (self.buffer, self.reader)
    }

    /// The checksum of all that has been consumed.
    pub(super) fn checksum(&mut self) -> u64 {
        self.sum();
        self.checksum.value()
    }

    pub(super) fn error(&self, problem: Problem) -> RdbError {
        RdbError::new(self.offset(), problem)
    }

    pub(super) fn corrupt(&self, what: &'static str) -> RdbError {
        self.error(Problem::Corrupt(what))
    }

    pub(super) fn unsupported(&self, feature: &'static str) -> RdbError {
        self.error(Problem::Unsupported { feature, key: Vec::new() })
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, RdbError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], RdbError> {
        let bytes = self.take(N)?;
        Ok(bytes.first_chunk().copied().unwrap_or([0; N]))
    }

    /// A length that counts something.
    #[inline]
    pub(super) fn length(&mut self) -> Result<u64, RdbError> {
        match self.length_or_form()? {
            Length::Count(count) => Ok(count),
            Length::Form(_) => Err(self.corrupt("a length is expected, not a string")),
        }
    }

    #[inline]
    fn length_or_form(&mut self) -> Result<Length, RdbError> {
        let first = self.byte()?;
        Ok(match first >> 6 {
            0 => Length::Count(u64::from(first)),
            1 => Length::Count(u64::from(u16::from_be_bytes([first, self.byte()?]) & !code::LENGTH_14)),
            2 => match first {
                code::LENGTH_32 => Length::Count(u64::from(u32::from_be_bytes(self.array()?))),
                code::LENGTH_64 => Length::Count(u64::from_be_bytes(self.array()?)),
                _ => return Err(self.corrupt("a length has an unknown form")),
            },
            _ => Length::Form(first),
        })
    }

    #[inline]
    pub(super) fn string_head(&mut self) -> Result<StringHead, RdbError> {
        Ok(match self.length_or_form()? {
            Length::Count(len) => StringHead::Raw(len),
            Length::Form(code::STRING_INT8) => StringHead::Int(i64::from(i8::from_le_bytes(self.array()?))),
            Length::Form(code::STRING_INT16) => StringHead::Int(i64::from(i16::from_le_bytes(self.array()?))),
            Length::Form(code::STRING_INT32) => StringHead::Int(i64::from(i32::from_le_bytes(self.array()?))),
            Length::Form(code::STRING_LZF) => {
                let (from, to) = (self.length()?, self.length()?);
                if !lzf::can_expand(from, to) {
                    return Err(self.corrupt("a compressed string is said to be longer than it can be"));
                }
                StringHead::Packed { from, to }
            }
            Length::Form(_) => return Err(self.corrupt("a string has an unknown form")),
        })
    }

    /// A string as an element of a collection, lent from the buffer or from `scratch`.
    #[inline]
    pub(super) fn element<'a>(&'a mut self, scratch: &'a mut Vec<u8>) -> Result<Item<'a>, RdbError> {
        let head = self.string_head()?;
        self.element_of(head, scratch)
    }

    /// As `element`, behind its head.
    #[inline]
    pub(super) fn element_of<'a>(
        &'a mut self,
        head: StringHead,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Item<'a>, RdbError> {
        match head {
            StringHead::Int(value) => Ok(Item::Int(value)),
            StringHead::Raw(len) if len <= self.buffer.len() as u64 => Ok(Item::Bytes(self.take(len as usize)?)),
            _ if head.len() > ELEMENT_MAX => Err(self.corrupt("a string is longer than the format's users allow")),
            _ => {
                self.read_string(head, scratch)?;
                Ok(Item::Bytes(scratch))
            }
        }
    }

    /// Replaces `out` by a string.
    pub(super) fn read_element(&mut self, out: &mut Vec<u8>) -> Result<(), RdbError> {
        match self.string_head()? {
            StringHead::Raw(len) if len <= self.buffer.len() as u64 => {
                out.clear();
                out.extend_from_slice(self.take(len as usize)?);
                Ok(())
            }
            head if head.len() > ELEMENT_MAX => Err(self.corrupt("a string is longer than the format's users allow")),
            head => self.read_string(head, out),
        }
    }

    /// A string of its own, without spare capacity.
    pub(super) fn owned(&mut self) -> Result<Vec<u8>, RdbError> {
        let mut out = Vec::new();
        let head = self.string_head()?;
        self.read_string(head, &mut out)?;
        Ok(out)
    }

    /// Replaces `out` by the string behind its head, of whatever length.
    pub(super) fn read_string(&mut self, head: StringHead, out: &mut Vec<u8>) -> Result<(), RdbError> {
        match head {
            StringHead::Int(value) => {
                out.clear();
                out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
                Ok(())
            }
            StringHead::Raw(len) => self.read(len, out),
            StringHead::Packed { from, to } => {
                let mut packed = std::mem::take(&mut self.packed);
                let result = if from <= self.buffer.len() as u64 {
                    lzf::decompress(self.take(from as usize)?, to as usize, out)
                } else {
                    self.read(from, &mut packed)?;
                    lzf::decompress(&packed, to as usize, out)
                };
                packed.clear();
                packed.shrink_to(STEP);
                self.packed = packed;
                result.ok_or_else(|| self.corrupt("a compressed string is damaged"))
            }
        }
    }

    /// `len` bytes, no more than the buffer holds, lent until the next call.
    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&[u8], RdbError> {
        if self.filled - self.at < len {
            self.fill(len)?;
        }
        let start = self.at;
        self.at += len;
        Ok(&self.buffer[start..self.at])
    }

    /// Skips `len` bytes.
    pub(super) fn skip(&mut self, len: u64) -> Result<(), RdbError> {
        let mut left = len;
        while left > 0 {
            let step = left.min(self.buffer.len() as u64);
            self.take(step as usize)?;
            left -= step;
        }
        Ok(())
    }

    #[cold]
    fn fill(&mut self, len: usize) -> Result<(), RdbError> {
        self.sum();
        self.buffer.copy_within(self.at..self.filled, 0);
        self.base = self.offset();
        self.filled -= self.at;
        (self.at, self.summed) = (0, 0);
        while self.filled < len {
            match self.reader.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err(RdbError::new(self.base + self.filled as u64, Problem::Truncated)),
                Ok(count) => self.filled = (self.filled + count).min(self.buffer.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(Problem::Io(error))),
            }
        }
        Ok(())
    }

    fn sum(&mut self) {
        self.checksum.update(&self.buffer[self.summed..self.at]);
        self.summed = self.at;
    }

    /// Replaces `out` by `len` bytes; what the buffer does not have goes past it.
    fn read(&mut self, len: u64, out: &mut Vec<u8>) -> Result<(), RdbError> {
        out.clear();
        let buffered = len.min((self.filled - self.at) as u64) as usize;
        let mut left = len - buffered as u64;
        if left == 0 {
            out.reserve_exact(buffered);
        }
        out.extend_from_slice(self.take(buffered)?);
        if left == 0 {
            return Ok(());
        }
        self.sum();
        while left > 0 {
            let step = left.min(out.len().max(STEP) as u64);
            let before = out.len();
            out.reserve_exact(step as usize);
            let read =
                (&mut self.reader).take(step).read_to_end(out).map_err(|error| self.error(Problem::Io(error)))?;
            self.checksum.update(&out[before..]);
            self.base = self.base.saturating_add(read as u64);
            if (read as u64) < step {
                return Err(self.error(Problem::Truncated));
            }
            left -= step;
        }
        Ok(())
    }
}
