//! LZF, the compression of strings in RDB files: both directions; which strings are compressed is decided elsewhere.
//!
//! The format is a sequence of runs: a byte below 32 announces that number plus one literal bytes; any other byte holds
//! a length in its upper three bits (7: the next byte adds to it), two more than which are copied from as far back as
//! its lower five bits and one more byte say, plus one. (Format: M. Lehmann, liblzf.)

const MAX_LITERALS: usize = 32;
const MAX_DISTANCE: usize = 1 << 13;
const MIN_MATCH: usize = 3;
const MAX_MATCH: usize = 264;
/// The most that one byte of input can become: three bytes make a copy of the greatest length.
const MAX_EXPANSION: u64 = (MAX_MATCH as u64).div_ceil(3);

/// Whether `from` bytes can become `to` by decompression.
pub(super) fn can_expand(from: u64, to: u64) -> bool {
    to <= from.saturating_mul(MAX_EXPANSION)
}

/// Replaces `out` by what `input` stands for; `None` unless that is exactly `len` bytes. Reserves `len` at once, so ask
/// [`can_expand`] first.
pub(super) fn decompress(input: &[u8], len: usize, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    out.reserve_exact(len);
    let mut rest = input;
    while let [control, after @ ..] = rest {
        let control = usize::from(*control);
        if control < MAX_LITERALS {
            let (literals, after) = after.split_at_checked(control + 1)?;
            if out.len() + literals.len() > len {
                return None;
            }
            out.extend_from_slice(literals);
            rest = after;
            continue;
        }
        let (extra, after) = match control >> 5 {
            7 => {
                let (extra, after) = after.split_first()?;
                (usize::from(*extra), after)
            }
            _ => (0, after),
        };
        let (low, after) = after.split_first()?;
        let count = (control >> 5) + extra + 2;
        let distance = ((control & 31) << 8 | usize::from(*low)) + 1;
        let start = out.len().checked_sub(distance)?;
        if out.len() + count > len {
            return None;
        }
        // A copy may reach into what it is writing: then what lies there is repeated.
        let mut left = count;
        while left > 0 {
            let step = left.min(out.len() - start);
            out.extend_from_within(start..start + step);
            left -= step;
        }
        rest = after;
    }
    (out.len() == len).then_some(())
}

/// A compressor, to be used for many strings: it keeps its table.
pub(super) struct Compressor {
    /// Where the last three bytes with this hash began, counted over all strings so far; what is below `base` is stale.
    heads: Box<[u32]>,
    base: u32,
    shift: u32,
}

impl Compressor {
    /// A compressor for strings of about `typical` bytes and longer ones too.
    pub(super) fn new(typical: usize) -> Self {
        let bits = typical.clamp(1 << 8, 1 << 14).next_power_of_two().ilog2();
        Compressor { heads: vec![0; 1 << bits].into_boxed_slice(), base: 1, shift: 32 - bits }
    }

    /// Appends the compressed form of `input` to `out`, if that takes no more than `most` bytes; else `out` stays.
    pub(super) fn compress(&mut self, input: &[u8], most: usize, out: &mut Vec<u8>) -> bool {
        let Some(next_base) = u32::try_from(input.len()).ok().and_then(|len| self.base.checked_add(len)) else {
            return self.restart(input, most, out);
        };
        let base = self.base;
        self.base = next_base;
        let (start, mut at, mut pending) = (out.len(), 0, 0);
        while let Some(&[a, b, c]) = input.get(at..).and_then(<[u8]>::first_chunk::<MIN_MATCH>) {
            let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> self.shift;
            let head = std::mem::replace(&mut self.heads[hash as usize], base + at as u32);
            let earlier = head.checked_sub(base).map(|earlier| earlier as usize);
            let matched = earlier.filter(|earlier| at - earlier <= MAX_DISTANCE && input[*earlier..][..3] == [a, b, c]);
            let Some(earlier) = matched else {
                at += 1;
                continue;
            };
            let longest = (input.len() - at).min(MAX_MATCH);
            let same = input[at..at + longest].iter().zip(&input[earlier..]).skip(MIN_MATCH);
            let count = MIN_MATCH + same.take_while(|(one, other)| one == other).count();
            write_literals(&input[pending..at], out);
            write_copy(at - earlier, count, out);
            at += count;
            pending = at;
            if out.len() - start > most {
                break;
            }
        }
        write_literals(&input[pending..], out);
        let fits = out.len() - start <= most;
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// As `compress`, once the positions have used up their range; strings beyond the range are not compressed.
    fn restart(&mut self, input: &[u8], most: usize, out: &mut Vec<u8>) -> bool {
        self.heads.fill(0);
        self.base = 1;
        input.len() < u32::MAX as usize && self.compress(input, most, out)
    }
}

fn write_literals(literals: &[u8], out: &mut Vec<u8>) {
    for run in literals.chunks(MAX_LITERALS) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

fn write_copy(distance: usize, count: usize, out: &mut Vec<u8>) {
    let (distance, count) = (distance - 1, count - 2);
    let high = (distance >> 8) as u8;
    if count < 7 {
        out.push((count as u8) << 5 | high);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (count - 7) as u8]);
    }
    out.push(distance as u8);
}

#[cfg(test)]
mod tests {
    use super::{Compressor, can_expand, decompress};
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn repetition_is_compressed_and_chance_is_not() {
        let mut compressor = Compressor::new(0);
        let (mut packed, mut unpacked) = (Vec::new(), Vec::new());
        let text = vec![b'a'; 10_000];
        assert!(compressor.compress(&text, text.len() - 4, &mut packed));
        assert!(packed.len() < 200 && can_expand(packed.len() as u64, 10_000));
        assert_eq!(decompress(&packed, text.len(), &mut unpacked), Some(()));
        assert_eq!(unpacked, text);
        packed.clear();
        assert!(!compressor.compress(b"abcdefghijklmnopqrstuvwxyz", 22, &mut packed) && packed.is_empty());
        assert!(!can_expand(4, 1 << 40));
    }

    #[test]
    fn positions_may_run_out() {
        let mut compressor = Compressor::new(0);
        compressor.base = u32::MAX - 50;
        for _ in 0..3 {
            let (mut packed, mut unpacked) = (Vec::new(), Vec::new());
            assert!(compressor.compress(&[b'x'; 40], 36, &mut packed));
            assert_eq!(decompress(&packed, 40, &mut unpacked), Some(()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 256 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_compressed_comes_back(texts in prop::collection::vec("[ab]{0,40}([a-z]{0,20}[ab]{0,300}){0,3}", 1..5)) {
            let (mut compressor, mut unpacked) = (Compressor::new(0), Vec::new());
            for text in texts {
                let mut packed = Vec::new();
                prop_assert!(compressor.compress(text.as_bytes(), usize::MAX, &mut packed));
                prop_assert!(can_expand(packed.len() as u64, text.len() as u64));
                prop_assert_eq!(decompress(&packed, text.len(), &mut unpacked), Some(()));
                prop_assert_eq!(&unpacked[..], text.as_bytes());
                prop_assert_eq!(decompress(&packed, text.len() + 1, &mut unpacked), None);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_fit(bytes in prop::collection::vec(any::<u8>(), 0..200), len in 0usize..400) {
            let mut unpacked = Vec::new();
            if decompress(&bytes, len, &mut unpacked).is_some() {
                prop_assert_eq!(unpacked.len(), len);
            }
        }
    }
}
