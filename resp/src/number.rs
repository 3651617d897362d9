//! The text of numbers as clients write and read it: strict integers, doubles, sums of decimals.

use crate::error::FloatError;
use crate::extended::{Extended, Hexadecimal, digits_are_not_zero, is_infinity, split_sign};

/// Reads an integer in the only form that Redis takes for one: no sign but a minus, no leading zero, no space, no `-0`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'] => Some(0),
        [b'-', digits @ ..] => {
            let magnitude = parse_magnitude(digits)?;
            (magnitude <= i64::MIN.unsigned_abs()).then(|| (magnitude as i64).wrapping_neg())
        }
        _ => i64::try_from(parse_magnitude(text)?).ok(),
    }
}

/// The same for an unsigned integer.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match text {
        [b'0'] => Some(0),
        _ => parse_magnitude(text),
    }
}

/// Digits that do not start with zero.
#[inline]
fn parse_magnitude(digits: &[u8]) -> Option<u64> {
    if !matches!(digits, [b'1'..=b'9', ..]) || digits.len() > 20 {
        return None;
    }
    let (safe, last) = digits.split_at(digits.len().min(19));
    let mut value = 0_u64;
    for &byte in safe {
        value = value * 10 + u64::from(decimal_digit(byte)?);
    }
    match last {
        [byte] => value.checked_mul(10)?.checked_add(u64::from(decimal_digit(*byte)?)),
        _ => Some(value),
    }
}

#[inline]
fn decimal_digit(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit)
}

/// Reads an unsigned integer as `strtoull` does, which is how Redis takes the parts of a stream ID: space and sign in front, leading
/// zeros; a negative number wraps around.
pub fn parse_u64_loose(text: &[u8]) -> Option<u64> {
    let start = text.iter().position(|byte| !matches!(byte, b' ' | 0x09..=0x0d))?;
    if parse_i64(text).is_some_and(|value| value < 0) {
        return None;
    }
    let (negative, digits) = split_sign(&text[start..]);
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for &byte in digits {
        value = value.checked_mul(10)?.checked_add(u64::from(decimal_digit(byte)?))?;
    }
    Some(if negative { value.wrapping_neg() } else { value })
}

/// Reads a double as Redis does with `strtod`: decimal or hexadecimal, `inf` and `infinity`; no space in front, nothing behind, no `nan`.
/// `None` also for what overflows, or is so small that it would become zero.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let (negative, digits) = split_sign(text);
    let value = if is_infinity(digits) {
        f64::INFINITY
    } else {
        // The standard library knows words and signs that have been dealt with above.
        if !matches!(digits, [b'0'..=b'9' | b'.', ..]) {
            return None;
        }
        let value = match Hexadecimal::parse(digits) {
            Some(hex) => hexadecimal_to_f64(&hex),
            None => std::str::from_utf8(digits).ok()?.parse().ok()?,
        };
        if value == f64::INFINITY || (value == 0.0 && digits_are_not_zero(digits)) {
            return None;
        }
        value
    };
    Some(if negative { -value } else { value })
}

fn hexadecimal_to_f64(hex: &Hexadecimal) -> f64 {
    if hex.mantissa == 0 {
        return 0.0;
    }
    let mantissa = u128::from(hex.mantissa) << 8 | u128::from(hex.sticky);
    let exponent = hex.exponent - 8;
    let bits = 128 - mantissa.leading_zeros() as i32;
    // How many bits go: all but 53, or more where the exponent can sink no lower.
    let shift = (bits - 53).max(-1074 - exponent);
    if shift > 127 {
        return 0.0;
    }
    let (kept, exponent) = if shift > 0 {
        let rest = mantissa & ((1 << shift) - 1);
        let half = 1_u128 << (shift - 1);
        let kept = mantissa >> shift;
        (kept + u128::from(rest > half || (rest == half && kept & 1 == 1)), exponent + shift)
    } else {
        (mantissa, exponent)
    };
    // `kept` has 53 bits at most, so both steps are exact; two of them, because no single power of two reaches everywhere.
    let half = exponent.clamp(-2200, 2200) / 2;
    kept as f64 * 2_f64.powi(half) * 2_f64.powi(exponent.clamp(-2200, 2200) - half)
}

/// Writes a double as Redis 7.4 does: an integer as one, else the shortest digits that read back the same, with an exponent where
/// the plain form would be long.
pub fn write_f64(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let magnitude = value.abs();
    // Half of the range of i64, where Redis stops trying.
    if magnitude <= (i64::MAX / 2) as f64 && magnitude.fract() == 0.0 {
        out.extend_from_slice(itoa::Buffer::new().format(magnitude as u64).as_bytes());
        return;
    }
    write_shortest(magnitude, out);
}

/// The text of a double, as [`write_f64`] writes it.
pub fn format_f64(value: f64) -> String {
    let mut text = Vec::with_capacity(24);
    write_f64(value, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes a positive, finite number that is no small integer.
fn write_shortest(value: f64, out: &mut Vec<u8>) {
    let mut buffer = ryu::Buffer::new();
    let (digits, exponent) = shortest_digits(buffer.format_finite(value));
    let digits = digits.as_slice();
    let count = digits.len() as i32;
    // The first digit's power of ten.
    let magnitude = exponent + count - 1;
    if exponent >= 0 && magnitude.abs() < count + 7 {
        out.extend_from_slice(digits);
        out.resize(out.len() + exponent as usize, b'0');
        return;
    }
    if exponent < 0 && (exponent > -7 || magnitude.abs() < 4) {
        let whole = count + exponent;
        if whole <= 0 {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + whole.unsigned_abs() as usize, b'0');
            out.extend_from_slice(digits);
        } else {
            let (whole, fraction) = digits.split_at(whole as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
        return;
    }
    out.push(digits[0]);
    if count > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.extend_from_slice(if magnitude < 0 { b"e-" } else { b"e+" });
    out.extend_from_slice(itoa::Buffer::new().format(magnitude.unsigned_abs()).as_bytes());
}

/// The significant digits of a number, and the power of ten of the last one.
struct Digits {
    bytes: [u8; 17],
    len: usize,
}

impl Digits {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Takes `12.5` or `1.25e20` apart; there are never more than 17 significant digits.
fn shortest_digits(text: &str) -> (Digits, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let mut exponent: i32 = exponent.parse().unwrap_or(0);
    let mut digits = Digits { bytes: [0; 17], len: 0 };
    let mut point = false;
    let mut zeros = 0;
    for byte in mantissa.bytes() {
        match byte {
            b'.' => {
                point = true;
                continue;
            }
            b'0' => zeros += 1,
            _ => {
                // Zeros count once something else follows them, and once something else precedes them.
                if digits.len > 0 {
                    digits.bytes[digits.len..digits.len + zeros].fill(b'0');
                    digits.len += zeros;
                }
                zeros = 0;
                digits.bytes[digits.len] = byte;
                digits.len += 1;
            }
        }
        exponent -= i32::from(point);
    }
    (digits, exponent + zeros as i32)
}

/// Adds two numbers as `INCRBYFLOAT` does: in 80-bit extended precision, printed with 17 digits behind the point and no
/// trailing zeros.
pub fn add_decimal(a: &[u8], b: &[u8]) -> Result<String, FloatError> {
    let a = Extended::parse(a).ok_or(FloatError::NotFloat)?;
    let b = Extended::parse(b).ok_or(FloatError::NotFloat)?;
    let sum = a + b;
    if !sum.is_finite() {
        return Err(FloatError::NotFinite);
    }
    Ok(sum.to_string())
}
