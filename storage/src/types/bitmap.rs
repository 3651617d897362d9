//! Bits of strings, whole words at a time: reading, counting, finding and combining them, and integers that lie among them.
//!
//! The first bit is the highest one of the first byte. Behind the end of a string all bits are zero.

use std::ops::Range;

/// Room that a growing string is given beyond what it needs, at most.
const MOST_SPARE: usize = 1 << 20;

/// Whether a bit is set.
#[inline]
pub fn get(bytes: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset / 8).ok().and_then(|at| bytes.get(at)).copied().unwrap_or(0);
    byte & mask(offset) != 0
}

/// Sets or clears a bit, whose byte must be there; returns what it was.
#[inline]
pub fn set(bytes: &mut [u8], offset: u64, on: bool) -> bool {
    let byte = &mut bytes[(offset / 8) as usize];
    let was = *byte & mask(offset) != 0;
    if was != on {
        *byte ^= mask(offset);
    }
    was
}

#[inline]
fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}

/// Appends zeros up to a length; returns whether there were fewer bytes before.
pub fn grow(bytes: &mut Vec<u8>, len: usize) -> bool {
    let before = bytes.len();
    if len <= before {
        return false;
    }
    if len > bytes.capacity() {
        // Doubled, a large string could take half a gigabyte that nobody has asked for.
        bytes.reserve_exact(len - before + len.min(MOST_SPARE));
    }
    bytes.resize(len, 0);
    true
}

/// Number of set bits. O(bytes).
pub fn count(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_word = |word: &[u8; 8]| u64::from(u64::from_ne_bytes(*word).count_ones());
    // A sum that looks for an overflow at each step would take one word at a time.
    let in_words = words.iter().map(in_word).fold(0u64, u64::wrapping_add);
    in_words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// Number of set bits in a range, which must not go beyond the end.
pub fn count_in(bytes: &[u8], bits: Range<u64>) -> u64 {
    let Some(inside) = bytes_of(&bits) else { return 0 };
    let inside = &bytes[inside];
    let before = inside[0] & !(0xff >> (bits.start % 8));
    let behind = inside[inside.len() - 1] & low_bits(bits.end);
    count(inside) - u64::from(before.count_ones()) - u64::from(behind.count_ones())
}

/// The first bit of a range that is set, or that is not. The range must not go beyond the end.
pub fn position(bytes: &[u8], on: bool, bits: Range<u64>) -> Option<u64> {
    let inside = bytes_of(&bits)?;
    // What is looked for is a one after this.
    let flip = if on { 0 } else { u64::MAX };
    let first = (bytes[inside.start] ^ flip as u8) & (0xff >> (bits.start % 8));
    let found = match first {
        0 => 8 * (inside.start as u64 + 1) + first_one(&bytes[inside.start + 1..inside.end], flip)?,
        first => 8 * inside.start as u64 + u64::from(first.leading_zeros()),
    };
    (found < bits.end).then_some(found)
}

/// The first bit that is set once the bits have been flipped.
fn first_one(bytes: &[u8], flip: u64) -> Option<u64> {
    let (words, rest) = bytes.as_chunks::<8>();
    let whole = words.iter().map(|word| u64::from_be_bytes(*word) ^ flip).enumerate().find(|(_, word)| *word != 0);
    if let Some((at, word)) = whole {
        return Some(64 * at as u64 + u64::from(word.leading_zeros()));
    }
    let (at, byte) = rest.iter().map(|byte| *byte ^ flip as u8).enumerate().find(|(_, byte)| *byte != 0)?;
    Some(64 * words.len() as u64 + 8 * at as u64 + u64::from(byte.leading_zeros()))
}

/// The bytes that a range of bits lies in.
fn bytes_of(bits: &Range<u64>) -> Option<Range<usize>> {
    (bits.start < bits.end).then(|| (bits.start / 8) as usize..bits.end.div_ceil(8) as usize)
}

/// The bits of the last byte that are behind `end`.
fn low_bits(end: u64) -> u8 {
    match end % 8 {
        0 => 0,
        within => 0xff >> within,
    }
}

/// What BITOP makes of several strings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// What all have.
    And,
    /// What any of them has.
    Or,
    /// What an odd number of them has.
    Xor,
    /// What the only one has not.
    Not,
    /// What the first one has and no other.
    Diff,
    /// What any other has and the first one has not.
    Diff1,
    /// What the first one and any other have.
    AndOr,
    /// What exactly one of them has.
    One,
}

/// Combines strings bit by bit; the result is as long as the longest. O(bytes of all).
pub fn combine(operation: Operation, sources: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let Some((first, others)) = sources.split_first() else { return Vec::new() };
    let first = first.as_ref();
    let len = sources.iter().map(|source| source.as_ref().len()).max().unwrap_or(0);
    match operation {
        Operation::And => {
            let mut result = padded(first, len);
            others.iter().for_each(|other| keep_in(&mut result, other.as_ref()));
            result
        }
        Operation::Or => any_of(first, others, len),
        Operation::Xor => {
            let mut result = padded(first, len);
            others.iter().for_each(|other| merge(&mut result, other.as_ref(), |bits, other| bits ^ other));
            result
        }
        Operation::Not => first.iter().map(|byte| !byte).collect(),
        Operation::Diff => {
            let mut result = padded(first, len);
            others.iter().for_each(|other| merge(&mut result, other.as_ref(), |bits, other| bits & !other));
            result
        }
        Operation::Diff1 => {
            let mut result = any_of(b"", others, len);
            merge(&mut result, first, |bits, first| bits & !first);
            result
        }
        Operation::AndOr => {
            let mut result = any_of(b"", others, len);
            keep_in(&mut result, first);
            result
        }
        Operation::One => {
            let (mut any, mut several) = (padded(first, len), vec![0; len]);
            for other in others {
                for ((any, several), other) in any.iter_mut().zip(&mut several).zip(other.as_ref()) {
                    *several |= *any & other;
                    *any |= other;
                }
            }
            merge(&mut any, &several, |any, several| any & !several);
            any
        }
    }
}

fn padded(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut padded = Vec::with_capacity(len);
    padded.extend_from_slice(bytes);
    padded.resize(len, 0);
    padded
}

fn any_of(first: &[u8], others: &[impl AsRef<[u8]>], len: usize) -> Vec<u8> {
    let mut result = padded(first, len);
    others.iter().for_each(|other| merge(&mut result, other.as_ref(), |bits, other| bits | other));
    result
}

/// Clears what `mask` does not have.
fn keep_in(result: &mut [u8], mask: &[u8]) {
    let (inside, behind) = result.split_at_mut(mask.len());
    merge(inside, mask, |bits, mask| bits & mask);
    behind.fill(0);
}

/// Changes the bits that `other` reaches. The compiler takes as many bytes at once as the processor has room for.
#[inline(always)]
fn merge(result: &mut [u8], other: &[u8], operation: impl Fn(u8, u8) -> u8) {
    for (bits, other) in result.iter_mut().zip(other) {
        *bits = operation(*bits, *other);
    }
}

/// What becomes of a number that does not fit its field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overflow {
    /// Its lowest bits are kept.
    Wrap,
    /// The nearest number that fits is taken instead.
    Saturate,
    /// Nothing is written.
    Fail,
}

/// A number in a field before and after it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// The one before.
    pub old: i64,
    /// The one that is there now.
    pub new: i64,
}

/// The place of an integer among the bits, its highest bit first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    offset: u64,
    width: u8,
    is_signed: bool,
}

impl Field {
    /// A field of `width` bits from `offset` on: up to 64 if it is signed, otherwise up to 63. `None` for any other width.
    pub fn new(is_signed: bool, width: u8, offset: u64) -> Option<Self> {
        let most = if is_signed { 64 } else { 63 };
        (1..=most).contains(&width).then_some(Field { offset, width, is_signed })
    }

    /// Length of the shortest string that has all of its bits.
    pub fn len_needed(self) -> usize {
        (self.offset + u64::from(self.width)).div_ceil(8) as usize
    }

    /// The number in it.
    pub fn get(self, bytes: &[u8]) -> i64 {
        let window = self.window(bytes) << (self.offset % 8);
        let unused = 128 - u32::from(self.width);
        if self.is_signed { (window as i128 >> unused) as i64 } else { (window >> unused) as i64 }
    }

    /// Writes a number; the string must have all of the field's bits. `None` if it does not fit and must.
    pub fn set(self, bytes: &mut [u8], value: i64, overflow: Overflow) -> Option<Written> {
        let (least, most) = self.limits();
        let exact = i128::from(value);
        // As in Redis: for an unsigned field a negative number is a very large one, and so it is for a signed one if it is
        // so low that its distance from the greatest does not fit 64 bits.
        let is_large = !self.is_signed || exact < least && most - exact > i128::from(i64::MAX);
        self.write(bytes, if is_large { i128::from(value as u64) } else { exact }, overflow)
    }

    /// Adds to the number; otherwise as [`Field::set`].
    pub fn add(self, bytes: &mut [u8], by: i64, overflow: Overflow) -> Option<Written> {
        let sum = i128::from(self.get(bytes)) + i128::from(by);
        self.write(bytes, sum, overflow)
    }

    fn write(self, bytes: &mut [u8], exact: i128, overflow: Overflow) -> Option<Written> {
        let (least, most) = self.limits();
        let fitting = match overflow {
            _ if (least..=most).contains(&exact) => exact,
            Overflow::Wrap => exact,
            Overflow::Saturate => exact.clamp(least, most),
            Overflow::Fail => return None,
        };
        let old = self.get(bytes);
        let shift = 128 - u32::from(self.width) - (self.offset % 8) as u32;
        let mask = (u128::MAX >> (128 - u32::from(self.width))) << shift;
        let window = self.window(bytes) & !mask | (fitting as u128) << shift & mask;
        let (start, end) = ((self.offset / 8) as usize, self.len_needed());
        bytes[start..end].copy_from_slice(&window.to_be_bytes()[..end - start]);
        Some(Written { old, new: self.get(bytes) })
    }

    fn limits(self) -> (i128, i128) {
        let values = 1i128 << self.width;
        if self.is_signed { (-values / 2, values / 2 - 1) } else { (0, values - 1) }
    }

    /// The bytes that the field lies in, nine at most, in front of zeros.
    fn window(self, bytes: &[u8]) -> u128 {
        let mut window = [0; 16];
        let start = usize::try_from(self.offset / 8).unwrap_or(usize::MAX).min(bytes.len());
        let end = self.len_needed().min(bytes.len());
        window[..end - start].copy_from_slice(&bytes[start..end]);
        u128::from_be_bytes(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bits one by one.
    fn bits(bytes: &[u8]) -> Vec<bool> {
        bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> (7 - bit) & 1 == 1)).collect()
    }

    fn bytes(bits: &[bool]) -> Vec<u8> {
        bits.chunks(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
    }

    const OPERATIONS: [Operation; 8] = [
        Operation::And,
        Operation::Or,
        Operation::Xor,
        Operation::Not,
        Operation::Diff,
        Operation::Diff1,
        Operation::AndOr,
        Operation::One,
    ];

    fn combined(operation: Operation, first: bool, others: &[bool]) -> bool {
        let set = others.iter().filter(|other| **other).count() + usize::from(first);
        let any_other = others.contains(&true);
        match operation {
            Operation::And => set == others.len() + 1,
            Operation::Or => set > 0,
            Operation::Xor => set % 2 == 1,
            Operation::Not => !first,
            Operation::Diff => first && !any_other,
            Operation::Diff1 => !first && any_other,
            Operation::AndOr => first && any_other,
            Operation::One => set == 1,
        }
    }

    #[test]
    fn fields_are_one_to_sixty_four_bits_wide() {
        assert!([0, 65, 255].iter().all(|width| Field::new(true, *width, 0).is_none()));
        assert!([0, 64, 255].iter().all(|width| Field::new(false, *width, 0).is_none()));
        assert!(Field::new(true, 64, 0).is_some() && Field::new(false, 63, u64::MAX / 16).is_some());
        // Far behind the end there are zeros, too.
        assert_eq!(Field::new(true, 64, u64::MAX / 16).map(|field| field.get(b"\xff")), Some(0));
    }

    #[test]
    fn growing_large_strings_takes_little_more_than_is_needed() {
        let mut bytes = vec![1; 10 << 20];
        assert!(grow(&mut bytes, (10 << 20) + 1) && bytes.capacity() <= (11 << 20) + 1);
        assert!(!grow(&mut bytes, 5) && bytes.len() == (10 << 20) + 1 && bytes.last() == Some(&0));
    }

    /// Long runs of the same bits as well as bits that differ.
    fn string() -> impl Strategy<Value = Vec<u8>> {
        let run = prop_oneof![
            (prop_oneof![Just(0u8), Just(0xff)], 0usize..24).prop_map(|(byte, len)| vec![byte; len]),
            prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(run, 0..5).prop_map(|runs| runs.concat())
    }

    fn field() -> impl Strategy<Value = Field> {
        let width = prop_oneof![1u8..=64, 62u8..=64, 1u8..=3];
        (any::<bool>(), width, 0u64..120)
            .prop_filter_map("a width", |(is_signed, width, offset)| Field::new(is_signed, width, offset))
    }

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![any::<i64>(), -4i64..4, Just(i64::MIN), Just(i64::MAX), (0u32..63).prop_map(|bit| 1 << bit)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 512 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn bits_are_got_and_set_one_by_one(mut string in string(), steps in prop::collection::vec((0u64..400, any::<bool>()), 0..20)) {
            let mut model = bits(&string);
            for (offset, on) in steps {
                let at = offset as usize;
                prop_assert_eq!(get(&string, offset), model.get(at).copied().unwrap_or(false));
                let len = at / 8 + 1;
                prop_assert_eq!(grow(&mut string, len), model.len() < 8 * len);
                model.resize(model.len().max(8 * len), false);
                prop_assert_eq!(set(&mut string, offset, on), std::mem::replace(&mut model[at], on));
                prop_assert_eq!(bits(&string), model.as_slice());
            }
        }

        #[test]
        fn ranges_are_counted_and_searched(string in string(), start in 0.0f64..1.0, len in 0.0f64..=1.0, on: bool) {
            let model = bits(&string);
            let start = (start * model.len() as f64) as usize;
            let end = start + (len * (model.len() - start) as f64) as usize;
            let range = start as u64..end as u64;
            let set = model[start..end].iter().filter(|bit| **bit).count() as u64;
            prop_assert_eq!(count_in(&string, range.clone()), set);
            let first = model[start..end].iter().position(|bit| *bit == on).map(|at| (start + at) as u64);
            prop_assert_eq!(position(&string, on, range), first);
            prop_assert_eq!(count(&string), model.iter().filter(|bit| **bit).count() as u64);
        }

        #[test]
        fn strings_are_combined_bit_by_bit(sources in prop::collection::vec(string(), 1..5)) {
            let len = sources.iter().map(Vec::len).max().unwrap_or(0);
            let models: Vec<Vec<bool>> = sources.iter().map(|source| bits(&padded(source, len))).collect();
            for operation in OPERATIONS {
                let (sources, models) = if operation == Operation::Not { (&sources[..1], &models[..1]) } else { (&sources[..], &models[..]) };
                let len = if operation == Operation::Not { sources[0].len() } else { len };
                let model = (0..8 * len).map(|at| {
                    let column: Vec<bool> = models.iter().map(|model| model[at]).collect();
                    combined(operation, column[0], &column[1..])
                });
                prop_assert_eq!(combine(operation, sources), bytes(&model.collect::<Vec<_>>()), "{:?}", operation);
            }
        }

        #[test]
        fn fields_are_numbers_in_binary(mut string in string(), field in field(), value in number(), adds: bool, overflow in 0..3) {
            let overflow = [Overflow::Wrap, Overflow::Saturate, Overflow::Fail][overflow as usize];
            let (start, width) = (field.offset as usize, usize::from(field.width));
            let read = |bits: &[bool]| {
                let unsigned = bits[start..start + width].iter().fold(0i128, |number, bit| number * 2 + i128::from(*bit));
                if field.is_signed && bits[start] { unsigned - (1 << width) } else { unsigned }
            };
            let mut model = bits(&string);
            model.resize(model.len().max(start + width).next_multiple_of(8), false);
            let old = read(&model);
            prop_assert_eq!(i128::from(field.get(&string)), old);
            grow(&mut string, field.len_needed());
            let least = if field.is_signed { -(1i128 << (width - 1)) } else { 0 };
            let most = least + (1i128 << width) - 1;
            let exact = match adds {
                true => old + i128::from(value),
                false if !field.is_signed => i128::from(value as u64),
                false => i128::from(value),
            };
            // What Redis takes for a large number.
            let is_far_below = !adds && exact < least && most - exact >= 1 << 63;
            let new = match overflow {
                _ if (least..=most).contains(&exact) => Some(exact),
                Overflow::Wrap => Some(least + (exact - least).rem_euclid(1 << width)),
                Overflow::Saturate => Some(if exact > most || is_far_below { most } else { least }),
                Overflow::Fail => None,
            };
            let written = if adds { field.add(&mut string, value, overflow) } else { field.set(&mut string, value, overflow) };
            prop_assert_eq!(written.map(|written| (i128::from(written.old), i128::from(written.new))), new.map(|new| (old, new)));
            for (at, bit) in model[start..start + width].iter_mut().rev().enumerate() {
                *bit = new.unwrap_or(old) >> at & 1 == 1;
            }
            prop_assert_eq!(bits(&string), model);
        }
    }
}
