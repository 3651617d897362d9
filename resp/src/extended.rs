//! 80-bit extended numbers in software: what `INCRBYFLOAT` computes with on x86-64; not the doubles of sorted sets.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Add;

/// Longest text that is a number; Redis copies it into a buffer of 5 KiB.
const MAX_TEXT: usize = 5 * 1024 - 1;

/// Exponent of the last mantissa bit of the smallest numbers.
const MIN_EXPONENT: i32 = -16_445;

/// Exponent of the last mantissa bit of the largest numbers.
const MAX_EXPONENT: i32 = 16_320;

/// Digits behind the point that a number is printed with, before trailing zeros go.
const FRACTION_DIGITS: usize = 17;

/// A number of the x87 extended format: sign, 64 bits of mantissa, 15 bits of exponent. Rounds to nearest, ties to
/// even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extended {
    negative: bool,
    /// The value is `mantissa * 2^exponent`; the top bit is set unless the exponent is the lowest or the number is
    /// zero.
    mantissa: u64,
    exponent: i32,
    class: Class,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Finite,
    Infinite,
    NotANumber,
}

impl Extended {
    const ZERO: Extended = Extended { negative: false, mantissa: 0, exponent: MIN_EXPONENT, class: Class::Finite };

    /// Reads a number as Redis does with `strtold`: decimal or hexadecimal, `inf` and `infinity`; no space in front,
    /// nothing behind, no `nan`. `None` also for what is too large, or so small that it would become zero.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let (negative, digits) = split_sign(text);
        if is_infinity(digits) {
            return Some(Extended { negative, class: Class::Infinite, ..Self::ZERO });
        }
        let parsed = match Hexadecimal::parse(digits) {
            Some(hex) => Self::round(negative, hex.mantissa, hex.exponent),
            None => Decimal::parse(digits)?.to_extended(negative)?,
        };
        let vanished = parsed.mantissa == 0 && digits_are_not_zero(digits);
        (parsed.is_finite() && !vanished).then_some(parsed)
    }

    /// Whether this is neither infinite nor the result of adding opposite infinities.
    pub fn is_finite(self) -> bool {
        self.class == Class::Finite
    }

    /// Whether this is the result of adding opposite infinities.
    pub fn is_nan(self) -> bool {
        self.class == Class::NotANumber
    }

    /// The nearest number to `mantissa * 2^exponent`. The lowest bit of `mantissa` may stand for any rest that is lost
    /// below it, provided that more than 65 bits are significant or the bit is exact.
    fn round(negative: bool, mantissa: u128, exponent: i32) -> Self {
        if mantissa == 0 {
            return Extended { negative, ..Self::ZERO };
        }
        let excess = 64 - mantissa.leading_zeros() as i32;
        let shift = excess.max(MIN_EXPONENT - exponent);
        // Exact where it moves up: fewer than 64 significant bits, or as far as the exponent lets them.
        let mut kept = if shift > 0 { shift_right_to_even(mantissa, shift as u32) } else { mantissa << -shift };
        let mut exponent = exponent + shift;
        if kept > u128::from(u64::MAX) {
            kept >>= 1;
            exponent += 1;
        }
        if exponent > MAX_EXPONENT {
            return Extended { negative, class: Class::Infinite, ..Self::ZERO };
        }
        Extended { negative, mantissa: kept as u64, exponent, class: Class::Finite }
    }

    /// Orders by magnitude; both are finite.
    fn compare_magnitude(self, other: Self) -> Ordering {
        // Normal numbers differ in exponent first, and the others all have the lowest one.
        (self.exponent, self.mantissa).cmp(&(other.exponent, other.mantissa))
    }
}

impl Add for Extended {
    type Output = Extended;

    fn add(self, other: Self) -> Self {
        match (self.class, other.class) {
            (Class::Finite, Class::Finite) => {}
            (Class::Finite, _) => return other,
            (_, Class::Finite) => return self,
            (Class::Infinite, Class::Infinite) if self.negative == other.negative => return self,
            _ => return Extended { class: Class::NotANumber, ..Self::ZERO },
        }
        let (large, small) = match self.compare_magnitude(other) {
            Ordering::Less => (other, self),
            _ => (self, other),
        };
        // 63 bits below the larger mantissa and one above it: enough for a carry, and the rest needs but one bit.
        let distance = (large.exponent - small.exponent) as u32;
        let high = u128::from(large.mantissa) << 63;
        let low = shift_right_sticky(u128::from(small.mantissa) << 63, distance);
        let sum = if large.negative == small.negative { high + low } else { high - low };
        if sum == 0 {
            return Extended { negative: large.negative && small.negative, ..Self::ZERO };
        }
        Self::round(large.negative, sum, large.exponent - 63)
    }
}

/// As Redis prints it: never an exponent, 17 digits behind the point exactly rounded, then without trailing zeros;
/// `inf`, `nan`.
impl fmt::Display for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.class {
            Class::NotANumber => "nan".to_owned(),
            Class::Infinite => "inf".to_owned(),
            Class::Finite if self.exponent >= 0 => {
                Natural::from(self.mantissa).shifted_left(self.exponent as u32).to_decimal()
            }
            Class::Finite => fraction_text(self.mantissa, -self.exponent as u32),
        };
        let minus = if self.negative && text != "0" { "-" } else { "" };
        write!(f, "{minus}{text}")
    }
}

/// The text of `mantissa / 2^shift`.
fn fraction_text(mantissa: u64, shift: u32) -> String {
    let unit = 10_u128.pow(FRACTION_DIGITS as u32);
    // 64 bits times 57 bits: it fits, and so the rounding is exact.
    let scaled = shift_right_to_even(u128::from(mantissa) * unit, shift);
    let text = format!("{}.{:0width$}", scaled / unit, scaled % unit, width = FRACTION_DIGITS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Takes the sign off; a plus is allowed.
pub(crate) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// Whether this spells infinity, in any case.
pub(crate) fn is_infinity(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity")
}

/// Whether the digits of an unsigned decimal or hexadecimal number say something else than zero.
pub(crate) fn digits_are_not_zero(text: &[u8]) -> bool {
    let hexadecimal = text.get(1).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'x'));
    let (digits, exponent) = if hexadecimal { (&text[2..], b'p') } else { (text, b'e') };
    digits.iter().take_while(|byte| !byte.eq_ignore_ascii_case(&exponent)).any(|&byte| !matches!(byte, b'0' | b'.'))
}

fn shift_right_to_even(value: u128, shift: u32) -> u128 {
    if shift > 127 {
        // Only a value above half of 2^128 would round up, and only for a shift of 128; no caller has one.
        return 0;
    }
    if shift == 0 {
        return value;
    }
    let kept = value >> shift;
    let half = 1 << (shift - 1);
    let rest = value & ((1 << shift) - 1);
    kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
}

fn shift_right_sticky(value: u128, shift: u32) -> u128 {
    match shift {
        0 => value,
        1..=127 => value >> shift | u128::from(value & ((1 << shift) - 1) != 0),
        _ => u128::from(value != 0),
    }
}

/// A hexadecimal number such as `0x1.8p3`, without its sign, as `mantissa * 2^exponent`. The lowest bit of a mantissa
/// of more than 120 bits may stand for digits behind it.
pub(crate) struct Hexadecimal {
    pub(crate) mantissa: u128,
    pub(crate) exponent: i32,
}

impl Hexadecimal {
    /// `None` if this is not all a hexadecimal number.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let [b'0', b'x' | b'X', digits @ ..] = text else {
            return None;
        };
        let (digits, mut exponent) = split_exponent(digits, b'p')?;
        let mut mantissa = 0_u128;
        let mut point = false;
        let mut any = false;
        for &byte in digits {
            if byte == b'.' && !point {
                point = true;
                continue;
            }
            let digit = u128::from(char::from(byte).to_digit(16)?);
            any = true;
            if mantissa >> 120 == 0 {
                mantissa = mantissa << 4 | digit;
                exponent -= i64::from(point) * 4;
            } else {
                mantissa |= u128::from(digit != 0);
                exponent += i64::from(!point) * 4;
            }
        }
        // Far beyond what any number reaches, and far from wrapping.
        any.then_some(Hexadecimal { mantissa, exponent: exponent.clamp(-100_000, 100_000) as i32 })
    }
}

/// A decimal number without its sign: `digits * 10^exponent`.
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &[u8]) -> Option<Self> {
        let (text, exponent) = split_exponent(text, b'e')?;
        let mut decimal = Decimal { digits: Vec::with_capacity(text.len()), exponent };
        let mut point = false;
        for &byte in text {
            match byte {
                b'.' if !point => point = true,
                b'0'..=b'9' => {
                    decimal.digits.push(byte - b'0');
                    decimal.exponent -= i64::from(point);
                }
                _ => return None,
            }
        }
        if decimal.digits.is_empty() {
            return None;
        }
        let zeros = decimal.digits.iter().take_while(|&&digit| digit == 0).count();
        decimal.digits.drain(..zeros);
        Some(decimal)
    }

    /// The nearest extended number, `None` if it is out of range. Exact: long division of as many digits as there are.
    fn to_extended(&self, negative: bool) -> Option<Extended> {
        // Where the first digit stands in powers of ten; beyond these bounds no arithmetic is needed, nor affordable.
        let magnitude = self.exponent + self.digits.len() as i64;
        if self.digits.is_empty() {
            return Some(Extended { negative, ..Extended::ZERO });
        }
        if !(-5_000..=5_000).contains(&magnitude) {
            return None;
        }
        let mut numerator = Natural::from_digits(&self.digits);
        let mut denominator = Natural::from(1);
        let power = if self.exponent < 0 { &mut denominator } else { &mut numerator };
        power.multiply_by_power_of_ten(self.exponent.unsigned_abs());
        // Bring the quotient between 1/2 and 2, then take its bits one at a time.
        let exponent = numerator.bits() as i32 - denominator.bits() as i32;
        if exponent < 0 {
            numerator = numerator.shifted_left(exponent.unsigned_abs());
        } else {
            denominator = denominator.shifted_left(exponent.unsigned_abs());
        }
        const BITS: i32 = 68;
        let mut quotient = 0_u128;
        for _ in 0..BITS {
            quotient <<= 1;
            if numerator.subtract_if_not_less(&denominator) {
                quotient |= 1;
            }
            numerator.double();
        }
        quotient |= u128::from(!numerator.is_zero());
        Some(Extended::round(negative, quotient, exponent - (BITS - 1)))
    }
}

/// Takes the exponent off a number, if there is one; `None` if it is not all an integer.
fn split_exponent(text: &[u8], mark: u8) -> Option<(&[u8], i64)> {
    let Some(at) = text.iter().position(|byte| byte.eq_ignore_ascii_case(&mark)) else {
        return Some((text, 0));
    };
    let (negative, digits) = split_sign(&text[at + 1..]);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Saturation keeps what is absurd absurd; the text is short enough that no mantissa can make up for it.
    let value = digits.iter().fold(0_i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1_000_000_000));
    Some((&text[..at], if negative { -value } else { value }))
}

/// A natural number of any size, lowest limb first, no zero limb on top.
#[derive(Clone)]
struct Natural {
    limbs: Vec<u64>,
}

impl Natural {
    fn from(value: u64) -> Self {
        let mut number = Natural { limbs: vec![value] };
        number.trim();
        number
    }

    fn from_digits(digits: &[u8]) -> Self {
        let mut number = Natural { limbs: Vec::new() };
        for group in digits.chunks(19) {
            let value = group.iter().fold(0, |value, &digit| value * 10 + u64::from(digit));
            number.multiply_add(10_u64.pow(group.len() as u32), value);
        }
        number
    }

    fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    fn bits(&self) -> u32 {
        self.limbs.last().map_or(0, |top| self.limbs.len() as u32 * 64 - top.leading_zeros())
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }

    fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = u128::from(addend);
        for limb in &mut self.limbs {
            let product = u128::from(*limb) * u128::from(factor) + carry;
            *limb = product as u64;
            carry = product >> 64;
        }
        if carry > 0 {
            self.limbs.push(carry as u64);
        }
    }

    fn multiply_by_power_of_ten(&mut self, power: u64) {
        for _ in 0..power / 19 {
            self.multiply_add(10_u64.pow(19), 0);
        }
        self.multiply_add(10_u64.pow((power % 19) as u32), 0);
    }

    fn shifted_left(&self, shift: u32) -> Self {
        let (limbs, bits) = ((shift / 64) as usize, shift % 64);
        let mut shifted = Natural { limbs: vec![0; limbs] };
        let mut carry = 0;
        for &limb in &self.limbs {
            shifted.limbs.push(limb << bits | carry);
            carry = if bits == 0 { 0 } else { limb >> (64 - bits) };
        }
        shifted.limbs.push(carry);
        shifted.trim();
        shifted
    }

    fn double(&mut self) {
        let mut carry = 0;
        for limb in &mut self.limbs {
            (*limb, carry) = (*limb << 1 | carry, *limb >> 63);
        }
        if carry > 0 {
            self.limbs.push(carry);
        }
    }

    /// Subtracts `other` if the result is not negative and says whether it did.
    fn subtract_if_not_less(&mut self, other: &Natural) -> bool {
        let order = self.limbs.len().cmp(&other.limbs.len());
        if order.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev())).is_lt() {
            return false;
        }
        let mut borrow = false;
        for (i, limb) in self.limbs.iter_mut().enumerate() {
            let (difference, under) = limb.overflowing_sub(other.limbs.get(i).copied().unwrap_or(0));
            let (difference, under_again) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = under || under_again;
        }
        self.trim();
        true
    }

    fn to_decimal(&self) -> String {
        const GROUP: u64 = 10_u64.pow(19);
        let mut rest = self.clone();
        let mut groups = Vec::new();
        while !rest.is_zero() {
            let mut remainder = 0_u128;
            for limb in rest.limbs.iter_mut().rev() {
                let value = remainder << 64 | u128::from(*limb);
                *limb = (value / u128::from(GROUP)) as u64;
                remainder = value % u128::from(GROUP);
            }
            groups.push(remainder);
            rest.trim();
        }
        let mut groups = groups.iter().rev();
        let mut text = groups.next().map_or("0".to_owned(), u128::to_string);
        for group in groups {
            text.push_str(&format!("{group:019}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(input: &str) -> Option<String> {
        Extended::parse(input.as_bytes()).map(|number| number.to_string())
    }

    /// Every line was answered by redis-server on x86-64.
    #[test]
    fn reads_and_prints_as_the_hardware_does() {
        for (input, output) in [
            ("0.1", "0.1"),
            ("1e-18", "0"),
            ("5.5e-18", "0.00000000000000001"),
            ("-4e-18", "0"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551617", "18446744073709551616"),
            ("18446744073709551615.5", "18446744073709551616"),
            ("0x1p3", "8"),
            ("1e-4950", "0"),
            ("inf", "inf"),
            ("-Infinity", "-inf"),
            ("1e25", "10000000000000000000000000"),
        ] {
            assert_eq!(text(input).as_deref(), Some(output), "{input}");
        }
        for input in
            ["", " 1", "1 ", "nan", "1e", "e1", ".", "0x", "1e4933", "1e-4960", "1e99999999999999999999", "0x1p16384"]
        {
            assert_eq!(text(input), None, "{input}");
        }
        assert_eq!(text(&"1".repeat(5120)), None);
        assert!(text("1e4932").is_some_and(|text| text.len() == 4933));
    }

    #[test]
    fn infinities_meet() {
        let parse = |text: &[u8]| Extended::parse(text).unwrap();
        assert!((parse(b"inf") + parse(b"-inf")).is_nan());
        assert_eq!(parse(b"inf") + parse(b"1"), parse(b"inf"));
        assert!(!(parse(b"1e4932") + parse(b"1e4932")).is_finite());
        assert_eq!((parse(b"1.5") + parse(b"-1.5")).to_string(), "0");
    }

    proptest! {
        #[test]
        fn integers_add_exactly(a in -(1_i64 << 62)..1 << 62, b in -(1_i64 << 62)..1 << 62) {
            let sum = Extended::parse(a.to_string().as_bytes()).unwrap() + Extended::parse(b.to_string().as_bytes()).unwrap();
            prop_assert_eq!(sum.to_string(), (a + b).to_string());
        }

        /// Doubles are a subset, so that the standard library can judge exact cases: a double and its 17 digits behind
        /// the point.
        #[test]
        fn doubles_print_exactly(value in -1e15..1e15_f64) {
            let hex = format!("{value:.17}");
            let expected = hex.trim_end_matches('0').trim_end_matches('.');
            let mantissa = (value.to_bits() & ((1 << 52) - 1)) | 1 << 52;
            let exponent = (value.to_bits() >> 52 & 0x7ff) as i32 - 1075;
            let sign = if value < 0.0 { "-" } else { "" };
            let number = format!("{sign}0x{mantissa:x}p{exponent}");
            let expected = if expected == "-0" { "0" } else { expected };
            prop_assert_eq!(text(&number).unwrap(), expected);
        }

        #[test]
        fn order_does_not_matter(a in "-?[0-9]{1,30}(\\.[0-9]{0,30})?(e-?[0-9]{1,3})?", b in "-?[0-9]{1,30}(\\.[0-9]{0,30})?(e-?[0-9]{1,3})?") {
            let (a, b) = (Extended::parse(a.as_bytes()).unwrap(), Extended::parse(b.as_bytes()).unwrap());
            prop_assert_eq!((a + b).to_string(), (b + a).to_string());
        }
    }
}
