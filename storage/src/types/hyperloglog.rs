//! HyperLogLog: how many different elements there have been, in at most twelve kilobytes of a string. The bytes are those of
//! Redis, sparse or dense, so that a value of either server counts the same in the other.
//!
//! 16384 registers of six bits hold, each for the elements whose hash begins with its number, the longest run of zeros that
//! was seen behind. The estimate is Ertl's ("New cardinality estimation algorithms for HyperLogLog sketches", 2017).

use std::fmt;

/// Registers.
pub const REGISTERS: usize = 1 << BITS;
/// Bits of a hash that choose the register.
/// Bytes up to which a value is sparse where nothing else is said: each element is looked for among all runs of it.
pub const USUAL_SPARSE_BYTES: usize = 3000;
const BITS: u32 = 14;
/// The longest run that a hash can show: the bits behind the register's number, and one.
const MOST_RUN: usize = 64 - BITS as usize + 1;
/// Magic, encoding, three unused bytes, and the count that is kept: little endian, its top bit says that it is out of date.
const HEADER: usize = 16;
const MAGIC: &[u8; 4] = b"HYLL";
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// Length of a dense value.
const DENSE_LEN: usize = HEADER + REGISTERS * 6 / 8;
/// Greatest value of a register in the sparse form.
const MOST_SPARSE: u8 = 32;
/// Longest runs of the three opcodes of the sparse form.
const MOST_ZEROS: usize = 64;
const MOST_MANY_ZEROS: usize = 16384;
const MOST_VALUES: usize = 4;
/// Opcodes that are looked at for equal neighbours behind a change.
const MERGE_AHEAD: usize = 5;
/// Seed of the hash.
const SEED: u64 = 0xadc8_3b19;

/// A value is none of a HyperLogLog, or not any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HyperLogLogError {
    /// It does not begin like one, or has the wrong length.
    NotOne,
    /// Its sparse form does not add up.
    Corrupted,
}

impl fmt::Display for HyperLogLogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HyperLogLogError::NotOne => "not a HyperLogLog",
            HyperLogLogError::Corrupted => "a corrupted HyperLogLog",
        })
    }
}

impl std::error::Error for HyperLogLogError {}

/// One opcode of the sparse form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// So many registers are zero; at most 64 in one byte.
    Zeros(usize),
    /// So many registers are zero; two bytes.
    ManyZeros(usize),
    /// So many registers, at most 4, have this value, at most 32.
    Values {
        /// The value of each.
        value: u8,
        /// How many.
        len: usize,
    },
}

impl Run {
    fn read(bytes: &[u8]) -> Option<Run> {
        let first = *bytes.first()?;
        Some(if first & 0x80 != 0 {
            Run::Values { value: (first >> 2 & 0x1f) + 1, len: usize::from(first & 3) + 1 }
        } else if first & 0x40 != 0 {
            Run::ManyZeros((usize::from(first & 0x3f) << 8 | usize::from(*bytes.get(1)?)) + 1)
        } else {
            Run::Zeros(usize::from(first) + 1)
        })
    }

    /// Registers that it covers.
    pub fn len(self) -> usize {
        match self {
            Run::Zeros(len) | Run::ManyZeros(len) | Run::Values { len, .. } => len,
        }
    }

    /// Whether it covers none, which no run does.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    fn byte_len(self) -> usize {
        if matches!(self, Run::ManyZeros(_)) { 2 } else { 1 }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Run::Zeros(len) => out.push((len - 1) as u8),
            Run::ManyZeros(len) => out.extend_from_slice(&[0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]),
            Run::Values { value, len } => out.push(0x80 | (value - 1) << 2 | (len - 1) as u8),
        }
    }

    /// The shortest run of so many zeros.
    fn zeros(len: usize) -> Run {
        if len > MOST_ZEROS { Run::ManyZeros(len) } else { Run::Zeros(len) }
    }
}

/// An empty value, in the sparse form.
pub fn new() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + 2);
    bytes.extend_from_slice(MAGIC);
    bytes.push(SPARSE);
    bytes.resize(HEADER, 0);
    let mut left = REGISTERS;
    while left > 0 {
        let len = left.min(MOST_MANY_ZEROS);
        Run::ManyZeros(len).write(&mut bytes);
        left -= len;
    }
    bytes
}

/// Whether the bytes look like a HyperLogLog.
///
/// # Errors
/// They do not.
pub fn check(bytes: &[u8]) -> Result<(), HyperLogLogError> {
    let is_one = bytes.len() >= HEADER
        && bytes.starts_with(MAGIC)
        && match bytes[4] {
            DENSE => bytes.len() == DENSE_LEN,
            SPARSE => true,
            _ => false,
        };
    if is_one { Ok(()) } else { Err(HyperLogLogError::NotOne) }
}

/// Whether a value is in the dense form.
pub fn is_dense(bytes: &[u8]) -> bool {
    bytes.get(4) == Some(&DENSE)
}

/// The count that is kept in a value, if it is up to date.
pub fn kept_count(bytes: &[u8]) -> Option<u64> {
    let kept = u64::from_le_bytes(bytes.get(8..HEADER)?.try_into().ok()?);
    (kept >> 63 == 0).then_some(kept)
}

/// Keeps a count in a value.
pub fn keep_count(bytes: &mut [u8], count: u64) {
    if let Some(place) = bytes.get_mut(8..HEADER) {
        place.copy_from_slice(&count.to_le_bytes());
    }
}

/// Has the count that is kept in a value be out of date.
pub fn forget_count(bytes: &mut [u8]) {
    if let Some(top) = bytes.get_mut(HEADER - 1) {
        *top |= 0x80;
    }
}

/// Adds an element; returns whether a register has changed. A sparse value of more than `most_sparse` bytes becomes dense.
/// O(1) in the dense form.
///
/// # Errors
/// A sparse form that does not add up.
pub fn add(bytes: &mut Vec<u8>, element: &[u8], most_sparse: usize) -> Result<bool, HyperLogLogError> {
    let (register, run) = place(element);
    let has_changed = raise(bytes, register, run, most_sparse)?;
    if has_changed {
        forget_count(bytes);
    }
    Ok(has_changed)
}

/// The register of an element, and what it raises it to.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let register = (hash & (REGISTERS as u64 - 1)) as usize;
    // The bit that stops the count is above all that the hash has.
    let rest = hash >> BITS | 1 << (64 - BITS);
    (register, rest.trailing_zeros() as u8 + 1)
}

/// Raises a register to a value; returns whether it was lower.
fn raise(bytes: &mut Vec<u8>, register: usize, value: u8, most_sparse: usize) -> Result<bool, HyperLogLogError> {
    if is_dense(bytes) {
        return Ok(raise_dense(&mut bytes[HEADER..], register, value));
    }
    if value <= MOST_SPARSE
        && let Some(has_changed) = raise_sparse(bytes, register, value, most_sparse)?
    {
        return Ok(has_changed);
    }
    make_dense(bytes)?;
    Ok(raise_dense(&mut bytes[HEADER..], register, value))
}

fn read_dense(registers: &[u8], register: usize) -> u8 {
    let (byte, shift) = (register * 6 / 8, register * 6 % 8);
    let two = u16::from(registers[byte]) | u16::from(registers.get(byte + 1).copied().unwrap_or(0)) << 8;
    (two >> shift & 0x3f) as u8
}

/// Four registers of the dense form, which three bytes hold.
#[inline]
fn unpack(packed: [u8; 3]) -> [u8; 4] {
    let word = u32::from_le_bytes([packed[0], packed[1], packed[2], 0]);
    [word, word >> 6, word >> 12, word >> 18].map(|value| (value & 0x3f) as u8)
}

#[inline]
fn pack(values: [u8; 4]) -> [u8; 3] {
    let [a, b, c, d] = values.map(u32::from);
    let [one, two, three, _] = (a | b << 6 | c << 12 | d << 18).to_le_bytes();
    [one, two, three]
}

fn write_dense(registers: &mut [u8], register: usize, value: u8) {
    let (byte, shift) = (register * 6 / 8, register * 6 % 8);
    let (mask, value) = (0x3f_u16 << shift, u16::from(value) << shift);
    registers[byte] = registers[byte] & !(mask as u8) | value as u8;
    if let Some(next) = registers.get_mut(byte + 1) {
        *next = *next & !((mask >> 8) as u8) | (value >> 8) as u8;
    }
}

fn raise_dense(registers: &mut [u8], register: usize, value: u8) -> bool {
    let is_higher = value > read_dense(registers, register);
    if is_higher {
        write_dense(registers, register, value);
    }
    is_higher
}

/// The same in the sparse form; `None` if that would become too long.
fn raise_sparse(
    bytes: &mut Vec<u8>,
    register: usize,
    value: u8,
    most_sparse: usize,
) -> Result<Option<bool>, HyperLogLogError> {
    // The run that the register is in, and the one before it.
    let (mut at, mut before, mut first) = (HEADER, None, 0);
    let run = loop {
        let run = Run::read(&bytes[at..]).ok_or(HyperLogLogError::Corrupted)?;
        if register < first + run.len() {
            break run;
        }
        before = Some(at);
        first += run.len();
        at += run.byte_len();
    };
    let old_value = match run {
        Run::Values { value: old, .. } if old >= value => return Ok(Some(false)),
        Run::Values { value: old, .. } => Some(old),
        _ => None,
    };
    let of_old = |len: usize| match old_value {
        Some(value) => Run::Values { value, len },
        None => Run::zeros(len),
    };
    let mut new = Vec::with_capacity(5);
    if register > first {
        of_old(register - first).write(&mut new);
    }
    Run::Values { value, len: 1 }.write(&mut new);
    if register + 1 < first + run.len() {
        of_old(first + run.len() - register - 1).write(&mut new);
    }
    let grown = new.len().saturating_sub(run.byte_len());
    if grown > 0 && bytes.len() + grown > most_sparse {
        return Ok(None);
    }
    bytes.splice(at..at + run.byte_len(), new);
    merge(bytes, before.unwrap_or(HEADER));
    Ok(Some(true))
}

/// Makes one run of neighbours with the same value, where one can hold them, for a few runs from `at` on.
fn merge(bytes: &mut Vec<u8>, mut at: usize) {
    let mut left = MERGE_AHEAD;
    while left > 0
        && let Some(run) = Run::read(&bytes[at..])
    {
        left -= 1;
        if let Run::Values { value, len } = run
            && let Some(Run::Values { value: next, len: next_len }) = Run::read(&bytes[at + 1..])
            && value == next
            && len + next_len <= MOST_VALUES
        {
            let mut merged = Vec::with_capacity(1);
            Run::Values { value, len: len + next_len }.write(&mut merged);
            bytes.splice(at..at + 2, merged);
            continue;
        }
        at += run.byte_len();
    }
}

/// The runs of a sparse value, whether or not they cover all registers.
pub fn runs(bytes: &[u8]) -> impl Iterator<Item = Run> {
    let mut left = bytes.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let run = Run::read(left)?;
        left = &left[run.byte_len()..];
        Some(run)
    })
}

/// Calls `found` with the first register, the number of registers and the value of each run that has one.
fn for_each_value(bytes: &[u8], mut found: impl FnMut(usize, usize, u8)) -> Result<(), HyperLogLogError> {
    let (mut register, mut taken) = (0, HEADER);
    for run in runs(bytes) {
        taken += run.byte_len();
        if register + run.len() > REGISTERS {
            return Err(HyperLogLogError::Corrupted);
        }
        if let Run::Values { value, len } = run {
            found(register, len, value);
        }
        register += run.len();
    }
    // Half a run behind the last one is one too many.
    if register == REGISTERS && taken == bytes.len() { Ok(()) } else { Err(HyperLogLogError::Corrupted) }
}

/// Makes a value dense, which a dense one is already.
///
/// # Errors
/// A sparse form that does not add up.
pub fn make_dense(bytes: &mut Vec<u8>) -> Result<(), HyperLogLogError> {
    if is_dense(bytes) {
        return Ok(());
    }
    let mut dense = vec![0; DENSE_LEN];
    dense[..HEADER].copy_from_slice(&bytes[..HEADER]);
    dense[4] = DENSE;
    for_each_value(bytes, |first, len, value| {
        (first..first + len).for_each(|register| write_dense(&mut dense[HEADER..], register, value));
    })?;
    *bytes = dense;
    Ok(())
}

/// The registers of one value or of several together, one byte each.
#[derive(Clone)]
pub struct Registers(Box<[u8]>);

impl Default for Registers {
    fn default() -> Self {
        Registers(vec![0; REGISTERS].into())
    }
}

impl Registers {
    /// Raises each register to what a value has.
    ///
    /// # Errors
    /// A sparse form that does not add up.
    pub fn merge(&mut self, bytes: &[u8]) -> Result<(), HyperLogLogError> {
        if is_dense(bytes) {
            let (packed, highest) = (bytes[HEADER..].as_chunks::<3>().0, self.0.as_chunks_mut::<4>().0);
            for (packed, highest) in packed.iter().zip(highest) {
                let values = unpack(*packed);
                for (highest, value) in highest.iter_mut().zip(values) {
                    *highest = value.max(*highest);
                }
            }
            return Ok(());
        }
        for_each_value(bytes, |first, len, value| {
            self.0[first..first + len].iter_mut().for_each(|highest| *highest = value.max(*highest));
        })
    }

    /// Raises each register of a value to what is here.
    ///
    /// # Errors
    /// A sparse form that does not add up.
    pub fn write_to(&self, bytes: &mut Vec<u8>, most_sparse: usize) -> Result<(), HyperLogLogError> {
        if is_dense(bytes) {
            let (packed, highest) = (bytes[HEADER..].as_chunks_mut::<3>().0, self.0.as_chunks::<4>().0);
            for (packed, highest) in packed.iter_mut().zip(highest) {
                let mut values = unpack(*packed);
                for (value, highest) in values.iter_mut().zip(highest) {
                    *value = (*value).max(*highest);
                }
                *packed = pack(values);
            }
        } else {
            for (register, value) in self.0.iter().enumerate().filter(|(_, value)| **value > 0) {
                raise(bytes, register, *value, most_sparse)?;
            }
        }
        forget_count(bytes);
        Ok(())
    }

    /// The value of each register.
    pub fn values(&self) -> &[u8] {
        &self.0
    }

    /// About how many different elements there have been; the standard error is 0.81 percent.
    pub fn count(&self) -> u64 {
        // Several histograms, so that one register need not wait for what the one before has changed.
        let mut parts = [[0_u32; 64]; 4];
        for values in self.0.as_chunks::<4>().0 {
            for (part, value) in parts.iter_mut().zip(values) {
                part[usize::from(value & 63)] += 1;
            }
        }
        let mut histogram = [0_u32; MOST_RUN + 1];
        for part in parts {
            for (value, count) in part.into_iter().enumerate() {
                histogram[value.min(MOST_RUN)] += count;
            }
        }
        const REGISTERS_AS_FLOAT: f64 = REGISTERS as f64;
        let top = MOST_RUN - 1;
        let full = f64::from(histogram[top + 1]);
        let mut z = REGISTERS_AS_FLOAT * tau((REGISTERS_AS_FLOAT - full) / REGISTERS_AS_FLOAT);
        for run in (1..=top).rev() {
            z += f64::from(histogram[run]);
            z *= 0.5;
        }
        z += REGISTERS_AS_FLOAT * sigma(f64::from(histogram[0]) / REGISTERS_AS_FLOAT);
        /// 1 / (2 ln 2).
        const ALPHA: f64 = 0.721_347_520_444_481_7;
        (ALPHA * REGISTERS_AS_FLOAT * REGISTERS_AS_FLOAT / z).round() as u64
    }
}

/// x + sum of x^(2^k) 2^(k-1), for empty registers.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

/// (1 - x - sum of (1 - x^(2^-k))^2 2^-k) / 3, for full registers.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

/// Austin Appleby's MurmurHash2 for 64 bits (variant A), which the format of the values names.
fn murmur(element: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const R: u32 = 47;
    let mut hash = SEED ^ (element.len() as u64).wrapping_mul(M);
    let (words, rest) = element.as_chunks::<8>();
    for word in words {
        let mut k = u64::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = (hash ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(M);
    }
    hash ^= hash >> R;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> R
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = USUAL_SPARSE_BYTES;

    fn registers(bytes: &[u8]) -> Vec<u8> {
        let mut registers = Registers::default();
        registers.merge(bytes).unwrap();
        registers.values().to_vec()
    }

    #[test]
    fn registers_that_are_taken_together_are_those_that_are_taken_one_by_one() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..20 {
            let mut one = new();
            make_dense(&mut one).unwrap();
            one[HEADER..].fill_with(|| rng.u8(..));
            let mut other = Registers::default();
            other.0.fill_with(|| rng.u8(..64));
            let plain: Vec<u8> = (0..REGISTERS).map(|register| read_dense(&one[HEADER..], register)).collect();
            assert_eq!(registers(&one), plain);
            let mut raised = one.clone();
            other.write_to(&mut raised, MOST).unwrap();
            for register in 0..REGISTERS {
                raise_dense(&mut one[HEADER..], register, other.0[register]);
            }
            assert_eq!(raised[HEADER..], one[HEADER..]);
        }
    }

    #[test]
    fn an_empty_one_counts_nothing() {
        let bytes = new();
        assert_eq!(bytes.len(), 18);
        assert_eq!(check(&bytes), Ok(()));
        assert_eq!(kept_count(&bytes), Some(0));
        assert_eq!(Registers::default().count(), 0);
    }

    #[test]
    fn counts_are_about_right() {
        let mut bytes = new();
        for count in 1_u64..=100_000 {
            add(&mut bytes, count.to_string().as_bytes(), MOST).unwrap();
            if [1, 10, 100, 1000, 10_000, 100_000].contains(&count) {
                let mut registers = Registers::default();
                registers.merge(&bytes).unwrap();
                let error = (registers.count() as f64 - count as f64).abs() / count as f64;
                assert!(error < 0.03, "{} for {count}", registers.count());
            }
        }
        assert!(is_dense(&bytes));
    }

    proptest! {
        /// Whatever order and whatever limit: the registers are the highest of all, and the sparse form adds up.
        #[test]
        fn the_forms_agree(elements in prop::collection::vec(any::<u32>(), 0..1200), most in 0_usize..4000) {
            let (mut sparse, mut dense) = (new(), new());
            make_dense(&mut dense).unwrap();
            let mut naive = vec![0; REGISTERS];
            for element in &elements {
                let element = element.to_le_bytes();
                let (register, run) = place(&element);
                let is_higher = run > naive[register];
                naive[register] = naive[register].max(run);
                prop_assert_eq!(add(&mut sparse, &element, most), Ok(is_higher));
                prop_assert_eq!(add(&mut dense, &element, most), Ok(is_higher));
            }
            prop_assert_eq!(&registers(&sparse), &naive);
            prop_assert_eq!(&registers(&dense), &naive);
            make_dense(&mut sparse).unwrap();
            prop_assert_eq!(&sparse[HEADER..], &dense[HEADER..]);
        }

        #[test]
        fn merging_is_adding_all(one in prop::collection::vec(any::<u16>(), 0..400), other in prop::collection::vec(any::<u16>(), 0..400)) {
            let build = |elements: &[u16]| {
                let mut bytes = new();
                for element in elements {
                    add(&mut bytes, &element.to_le_bytes(), MOST).unwrap();
                }
                bytes
            };
            let mut merged = Registers::default();
            merged.merge(&build(&one)).unwrap();
            merged.merge(&build(&other)).unwrap();
            let both = [one, other].concat();
            prop_assert_eq!(merged.values(), &registers(&build(&both))[..]);
            let mut written = new();
            merged.write_to(&mut written, MOST).unwrap();
            prop_assert_eq!(registers(&written), registers(&build(&both)));
        }

        /// Bytes from elsewhere end in an error or in something that can be used.
        #[test]
        fn no_bytes_do_harm(tail in prop::collection::vec(any::<u8>(), 0..200), encoding in 0_u8..3) {
            let mut bytes = new();
            bytes.truncate(HEADER);
            bytes[4] = encoding;
            bytes.extend_from_slice(&tail);
            if check(&bytes).is_ok() {
                let _ = Registers::default().merge(&bytes);
                for number in 0..50_u32 {
                    let _ = add(&mut bytes, &number.to_le_bytes(), MOST);
                }
            }
        }
    }
}
