//! Intsets: sorted integers of 16, 32 or 64 bits in one allocation, byte for byte in Redis' format; no limits.
//!
//! A header of eight bytes (bytes per integer and number of integers, both u32 little-endian), then the integers.

use std::fmt;

const HEADER: usize = 8;

/// Bytes that are no intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidIntset;

impl fmt::Display for InvalidIntset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not a valid intset")
    }
}

impl std::error::Error for InvalidIntset {}

/// A sorted set of integers that grows from 16 to 32 to 64 bits each as its members need, and never back.
#[derive(Clone, PartialEq, Eq)]
pub struct Intset {
    bytes: Vec<u8>,
}

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Intset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.iter()).finish()
    }
}

impl Intset {
    /// An empty intset of 16-bit integers.
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(16);
        bytes.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
        Intset { bytes }
    }

    /// Takes bytes from a file or a peer, after checking the length and the order. O(bytes).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, InvalidIntset> {
        let [a, b, c, d, e, f, g, h, ..] = *bytes else { return Err(InvalidIntset) };
        let (width, len) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        let content = u64::from(len).checked_mul(u64::from(width)).ok_or(InvalidIntset)?;
        if !matches!(width, 2 | 4 | 8) || (bytes.len() - HEADER) as u64 != content {
            return Err(InvalidIntset);
        }
        let intset = Intset { bytes };
        if intset.iter().zip(intset.iter().skip(1)).any(|(a, b)| a >= b) {
            return Err(InvalidIntset);
        }
        Ok(intset)
    }

    /// The intset as Redis writes it into files.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        (self.bytes.len() - HEADER) / self.width()
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER
    }

    /// The member at an index of the sorted order.
    #[inline]
    pub fn get(&self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.at(index))
    }

    /// Whether the member is there. O(log n).
    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        width_of(value) <= self.width() && self.search(value).is_ok()
    }

    /// Adds a member; returns whether it is new. O(n).
    pub fn insert(&mut self, value: i64) -> bool {
        if width_of(value) > self.width() {
            self.widen(width_of(value));
        }
        let Err(index) = self.search(value) else { return false };
        let (width, at, len) = (self.width(), self.offset(index), self.bytes.len());
        if len + width > self.bytes.capacity() {
            let needed = len + width;
            self.bytes.reserve_exact((needed + needed / 8).next_multiple_of(16) - len);
        }
        self.bytes.resize(len + width, 0);
        self.bytes.copy_within(at..len, at + width);
        self.bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        self.write_len();
        true
    }

    /// Removes a member; returns whether it was there. O(n).
    pub fn remove(&mut self, value: i64) -> bool {
        if width_of(value) > self.width() {
            return false;
        }
        let Ok(index) = self.search(value) else { return false };
        let at = self.offset(index);
        self.bytes.drain(at..at + self.width());
        self.write_len();
        if self.bytes.capacity() > 2 * self.bytes.len() + 32 {
            self.bytes.shrink_to(self.bytes.len().next_multiple_of(16));
        }
        true
    }

    /// Members in ascending order; reversible.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + Clone {
        (0..self.len()).map(|index| self.at(index))
    }

    #[inline(always)]
    fn width(&self) -> usize {
        usize::from(self.bytes[0])
    }

    #[inline(always)]
    fn offset(&self, index: usize) -> usize {
        HEADER + index * self.width()
    }

    #[inline(always)]
    fn at(&self, index: usize) -> i64 {
        let at = self.offset(index);
        let bytes = &self.bytes[at..];
        match self.width() {
            2 => i64::from(i16::from_le_bytes([bytes[0], bytes[1]])),
            4 => i64::from(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
            _ => bytes.first_chunk().copied().map_or(0, i64::from_le_bytes),
        }
    }

    /// The member's index, or the one it would have.
    fn search(&self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        // Members often arrive in ascending order: the end is worth a look of its own.
        if high > 0 && self.at(high - 1) < value {
            return Err(high);
        }
        while low < high {
            let middle = low + (high - low) / 2;
            match self.at(middle).cmp(&value) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }

    fn widen(&mut self, width: usize) {
        let mut bytes = Vec::with_capacity((HEADER + (self.len() + 1) * width).next_multiple_of(16));
        bytes.extend_from_slice(&(width as u32).to_le_bytes());
        bytes.extend_from_slice(&self.bytes[4..HEADER]);
        for value in self.iter() {
            bytes.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        self.bytes = bytes;
    }

    fn write_len(&mut self) {
        let len = u32::try_from(self.len()).unwrap_or(u32::MAX);
        self.bytes[4..HEADER].copy_from_slice(&len.to_le_bytes());
    }
}

fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::Intset;
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy;
    use std::collections::BTreeSet;

    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![
            8 => -20i64..20,
            2 => any::<i16>().prop_map(i64::from),
            1 => any::<i32>().prop_map(i64::from),
            1 => any::<i64>(),
        ]
    }

    #[test]
    fn bytes_are_those_of_redis() {
        let mut intset = Intset::new();
        for value in [3, -1, 70_000] {
            intset.insert(value);
        }
        assert_eq!(intset.as_bytes(), b"\x04\0\0\0\x03\0\0\0\xff\xff\xff\xff\x03\0\0\0\x70\x11\x01\0");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 256 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn behaves_like_a_sorted_set(steps in prop::collection::vec((any::<bool>(), value()), 0..120)) {
            let (mut intset, mut model) = (Intset::new(), BTreeSet::new());
            for (add, value) in steps {
                if add {
                    prop_assert_eq!(intset.insert(value), model.insert(value));
                } else {
                    prop_assert_eq!(intset.remove(value), model.remove(&value));
                }
                prop_assert_eq!(intset.contains(value), model.contains(&value));
                prop_assert_eq!(intset.len(), model.len());
            }
            prop_assert!(intset.iter().eq(model.iter().copied()));
            prop_assert_eq!(Intset::from_bytes(intset.as_bytes().to_vec()), Ok(intset));
        }

        #[test]
        fn damaged_bytes_are_refused_or_readable(
            values in prop::collection::vec(value(), 0..10),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut intset = Intset::new();
            for value in values {
                intset.insert(value);
            }
            let mut bytes = intset.as_bytes().to_vec();
            for (index, byte) in damage {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(mut intset) = Intset::from_bytes(bytes) {
                prop_assert_eq!(intset.iter().count(), intset.len());
                intset.insert(5);
                prop_assert!(intset.contains(5) && intset.remove(5));
            }
        }
    }
}
