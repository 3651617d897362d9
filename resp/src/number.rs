//! The text of numbers as clients write and read it: strict integers, doubles, sums of decimals.

use crate::error::FloatError;
use crate::extended::{Extended, Hexadecimal, digits_are_not_zero, is_infinity, split_sign};
use crate::shortest::Digits;
use std::io::Write;

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

/// Reads an unsigned integer as `strtoull` does, which is how Redis takes the parts of a stream ID: space and sign in
/// front, leading zeros; a negative number wraps around.
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

/// Reads a double as Redis does with `strtod`: decimal or hexadecimal, `inf` and `infinity`; no space in front, nothing
/// behind, no `nan`. `None` also for what overflows, or is so small that it would become zero.
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
    let Hexadecimal { mantissa, exponent } = *hex;
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
    // `kept` has 53 bits at most, so both steps are exact; two of them, because no single power of two reaches
    // everywhere.
    let half = exponent.clamp(-2200, 2200) / 2;
    kept as f64 * 2_f64.powi(half) * 2_f64.powi(exponent.clamp(-2200, 2200) - half)
}

/// Writes a double as Redis 7.4 does: an integer as one, else the shortest digits that read back the same, with an
/// exponent where the plain form would be long.
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

/// The text of a double with up to 17 digits, which is more than are needed to tell it apart.
pub fn format_f64_long(value: f64) -> String {
    let mut text = Vec::with_capacity(24);
    write_f64_digits(value, 17, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes a double with up to so many digits, as C's `%.<digits>g` does; no more than 30.
pub fn write_f64_digits(value: f64, digits: usize, out: &mut Vec<u8>) {
    if !value.is_finite() {
        return write_f64(value, out);
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let (value, most) = (value.abs(), digits.clamp(1, 30));
    // A power of ten below 2^63 is exact, and so is an integer below it.
    if value.fract() == 0.0 && most <= 18 && value < 10_f64.powi(most as i32) {
        return out.extend_from_slice(itoa::Buffer::new().format(value as u64).as_bytes());
    }
    let mut buffer = [0; 40];
    let mut left = buffer.as_mut_slice();
    // A digit, a point, 29 digits more and an exponent of five characters at most fit.
    let _ = write!(left, "{value:.places$e}", places = most - 1);
    let unused = left.len();
    let text = &buffer[..buffer.len() - unused];
    let end = text.iter().position(|byte| *byte == b'e').unwrap_or(text.len());
    let magnitude = text.get(end + 1..).and_then(parse_i64).unwrap_or(0) as i32;
    let mut digits = [0; 40];
    let mut count = 0;
    for digit in text[..end].iter().filter(|byte| **byte != b'.') {
        digits[count] = *digit;
        count += 1;
    }
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    let digits = &digits[..count];
    if (-4..most as i32).contains(&magnitude) {
        return write_plainly(digits, magnitude + 1 - count as i32, out);
    }
    write_with_exponent(digits, out);
    let sign: &[u8] = match magnitude {
        ..-9 => b"e-",
        -9..0 => b"e-0",
        0..10 => b"e+0",
        _ => b"e+",
    };
    out.extend_from_slice(sign);
    out.extend_from_slice(itoa::Buffer::new().format(magnitude.unsigned_abs()).as_bytes());
}

/// Writes digits, of which the last one stands for this power of ten, without an exponent.
fn write_plainly(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    let whole = digits.len() as i32 + exponent;
    if exponent >= 0 {
        out.extend_from_slice(digits);
        out.resize(out.len() + exponent as usize, b'0');
    } else if whole <= 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + whole.unsigned_abs() as usize, b'0');
        out.extend_from_slice(digits);
    } else {
        let (whole, fraction) = digits.split_at(whole as usize);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

/// Writes digits as they are in front of an exponent.
fn write_with_exponent(digits: &[u8], out: &mut Vec<u8>) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
}

/// The double at the beginning of a text, as C's `strtod` reads it, and how many bytes it takes: also what overflows or
/// becomes zero, and `nan` with or without something in parentheses behind it. No space in front.
pub fn read_f64(text: &[u8]) -> Option<(f64, usize)> {
    let (negative, unsigned) = split_sign(text);
    let (value, len) = read_word(unsigned).or_else(|| read_hexadecimal(unsigned)).or_else(|| read_decimal(unsigned))?;
    Some((if negative { -value } else { value }, text.len() - unsigned.len() + len))
}

fn read_word(text: &[u8]) -> Option<(f64, usize)> {
    let begins = |word: &[u8]| text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    if begins(b"nan") {
        let tail = text[3..].strip_prefix(b"(").and_then(|tail| {
            let word = tail.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            (tail.get(word) == Some(&b')')).then_some(word + 2)
        });
        return Some((f64::NAN, 3 + tail.unwrap_or(0)));
    }
    let word = [b"infinity".as_slice(), b"inf"].into_iter().find(|word| begins(word))?;
    Some((f64::INFINITY, word.len()))
}

fn read_hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X"))?;
    let len = 2 + number_len(digits, |byte| byte.is_ascii_hexdigit(), b'p')?;
    Some((hexadecimal_to_f64(&Hexadecimal::parse(&text[..len])?), len))
}

fn read_decimal(text: &[u8]) -> Option<(f64, usize)> {
    let len = number_len(text, |byte| byte.is_ascii_digit(), b'e')?;
    Some((std::str::from_utf8(&text[..len]).ok()?.parse().ok()?, len))
}

/// Length of the number that a text begins with: digits, among them a point, and an exponent that has digits.
fn number_len(text: &[u8], is_digit: impl Fn(u8) -> bool, exponent: u8) -> Option<usize> {
    let digits = |from: usize| text[from..].iter().take_while(|byte| is_digit(**byte)).count();
    let mut len = digits(0);
    let mut count = len;
    if text.get(len) == Some(&b'.') {
        let behind = digits(len + 1);
        count += behind;
        len += 1 + behind;
    }
    if count == 0 {
        return None;
    }
    if let Some((letter, tail)) = text[len..].split_first()
        && letter.eq_ignore_ascii_case(&exponent)
    {
        let (_, power) = split_sign(tail);
        let power_len = power.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if power_len > 0 {
            len += 1 + tail.len() - power.len() + power_len;
        }
    }
    Some(len)
}

/// Writes a positive, finite number that is no small integer.
fn write_shortest(value: f64, out: &mut Vec<u8>) {
    let shortest = Digits::of(value);
    let (digits, exponent) = (shortest.as_slice(), shortest.exponent);
    let count = digits.len() as i32;
    // The first digit's power of ten.
    let magnitude = exponent + count - 1;
    let is_plain = match exponent {
        0.. => magnitude.abs() < count + 7,
        _ => exponent > -7 || magnitude.abs() < 4,
    };
    if is_plain {
        return write_plainly(digits, exponent, out);
    }
    write_with_exponent(digits, out);
    out.extend_from_slice(if magnitude < 0 { b"e-" } else { b"e+" });
    out.extend_from_slice(itoa::Buffer::new().format(magnitude.unsigned_abs()).as_bytes());
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_doubles_are_those_of_c() {
        for (value, text) in [
            (86.2, "86.200000000000003"),
            (0.1, "0.10000000000000001"),
            (-0.0, "-0"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5000000000000001e+300"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (-2.5, "-2.5"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(format_f64_long(value), text);
        }
    }

    #[test]
    fn digits_are_cut_as_c_does() {
        for (value, digits, text) in [
            (1.0 / 3.0, 14, "0.33333333333333"),
            (1.0 / 3.0, 1, "0.3"),
            (123_456.0, 3, "1.23e+05"),
            (123_456.0, 6, "123456"),
            (999_999.5, 6, "1e+06"),
            (0.000_099_999, 3, "0.0001"),
            (0.0, 5, "0"),
            (0.5, 0, "0.5"),
            (1e300, 14, "1e+300"),
        ] {
            let mut written = Vec::new();
            write_f64_digits(value, digits, &mut written);
            assert_eq!(String::from_utf8_lossy(&written), text);
        }
    }

    #[test]
    fn doubles_begin_texts() {
        for (text, value, len) in [
            ("1", 1.0, 1),
            ("-1.5e3x", -1500.0, 6),
            ("+.5.5", 0.5, 3),
            ("1.", 1.0, 2),
            ("1e", 1.0, 1),
            ("1e+", 1.0, 1),
            ("1e400", f64::INFINITY, 5),
            ("1e-400", 0.0, 6),
            ("1e99999999999999999999", f64::INFINITY, 22),
            ("infinit", f64::INFINITY, 3),
            ("-INFINITY", f64::NEG_INFINITY, 9),
            ("0x", 0.0, 1),
            ("0xg", 0.0, 1),
            ("0x.p3", 0.0, 1),
            ("0x.8p3", 4.0, 6),
            ("0X1Fp", 31.0, 4),
            ("0x1p-2000", 0.0, 9),
            ("0x1p2000", f64::INFINITY, 8),
            ("0x1.fffffffffffff8p0", 2.0, 20),
        ] {
            assert_eq!(read_f64(text.as_bytes()), Some((value, len)), "{text}");
        }
        for (text, len) in [("nan", 3), ("-NaN(a_1)b", 9), ("nan(1-2)", 3), ("nan(", 3), ("nan()", 5)] {
            let (value, read) = read_f64(text.as_bytes()).unwrap();
            assert!(value.is_nan() && value.is_sign_negative() == text.starts_with('-') && read == len, "{text}");
        }
        for text in ["", "-", "+", ".", "-.", "--1", "x", " 1", "e5", "in", "na"] {
            assert_eq!(read_f64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn integers_have_one_form() {
        for text in ["", "-", "-0", "+1", "01", "-01", " 1", "1 ", "1a", "9223372036854775808", "-9223372036854775809"]
        {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
        for value in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }
        assert_eq!(parse_i64(b"123456789012345678901234567890"), None);
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        for text in ["18446744073709551616", "184467440737095516150", "-1", "00"] {
            assert_eq!(parse_u64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn stream_ids_are_read_loosely() {
        for (text, value) in [("007", 7), (" 8", 8), ("+9", 9), ("18446744073709551615", u64::MAX)] {
            assert_eq!(parse_u64_loose(text.as_bytes()), Some(value), "{text:?}");
        }
        for text in ["", " ", "+", "8 ", "-5", "0x1", "18446744073709551616"] {
            assert_eq!(parse_u64_loose(text.as_bytes()), None, "{text:?}");
        }
    }

    /// Every line was answered by a server: ZADD, then ZSCORE.
    #[test]
    fn doubles_read_and_written_as_servers_do() {
        for (text, written) in [
            ("1e21", "1e+21"),
            ("1e22", "1e+22"),
            ("1e23", "99999999999999990000000"),
            ("1e-7", "1e-7"),
            ("123456789012345680000", "123456789012345680000"),
            ("0.1", "0.1"),
            ("1e100", "1e+100"),
            ("-0", "-0"),
            ("5e-324", "5e-324"),
            ("3", "3"),
            ("3.1", "3.1"),
            ("+inf", "inf"),
            ("-INFINITY", "-inf"),
            ("1.", "1"),
            (".5", "0.5"),
            ("0x1p3", "8"),
            ("0x.8", "0.5"),
            ("0x1.8p-1075", "5e-324"),
            ("0x1.00000000000018p0", "1.0000000000000004"),
            ("4611686018427387904", "4611686018427387904"),
            ("9223372036854775807", "9223372036854776000"),
            ("0.0001", "0.0001"),
            ("1.234e-7", "1.234e-7"),
            ("6.652264087228344e+125", "6.6522640872283444e+125"),
            ("7.113578243725634e-249", "7.1135782437256335e-249"),
            ("1.7976931348623158e308", "1.7976931348623157e+308"),
        ] {
            let value = parse_f64(text.as_bytes());
            assert_eq!(value.map(format_f64).as_deref(), Some(written), "{text:?}");
        }
        for text in [
            "",
            " 1",
            "1 ",
            "nan",
            "-nan",
            "1e400",
            "-1e400",
            "1e-400",
            ".",
            "+",
            "+-1",
            "1e",
            "e5",
            "0x",
            "0xp1",
            "0x1p",
            "1_0",
            "infinit",
            "0x1p1024",
            "0x1p-1075",
            "1d",
            "2.4703282292062327e-324",
        ] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(format_f64(f64::NAN), "nan");
    }

    #[test]
    fn sums_carry_80_bits() {
        for (a, b, sum) in [
            ("10.5", "0.1", "10.6"),
            ("3.0e3", "0", "3000"),
            ("5.0e3", "200", "5200"),
            ("1e20", "1", "100000000000000000000"),
            ("0.1", "0.2", "0.3"),
            ("-0", "0", "0"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("18446744073709551615", "0.5", "18446744073709551616"),
        ] {
            assert_eq!(add_decimal(a.as_bytes(), b.as_bytes()).as_deref(), Ok(sum), "{a} + {b}");
        }
        assert_eq!(add_decimal(b"1", b"x"), Err(FloatError::NotFloat));
        assert_eq!(add_decimal(b"1", b"inf"), Err(FloatError::NotFinite));
        assert_eq!(add_decimal(b"inf", b"-inf"), Err(FloatError::NotFinite));
    }

    proptest! {
        #[test]
        fn integers_round_trip(value in any::<i64>(), noise in "[-+ 0-9a]{0,22}") {
            prop_assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
            let strict = noise.parse::<i64>().ok().filter(|value| value.to_string() == noise);
            prop_assert_eq!(parse_i64(noise.as_bytes()), strict);
            let strict = noise.parse::<u64>().ok().filter(|value| value.to_string() == noise);
            prop_assert_eq!(parse_u64(noise.as_bytes()), strict);
        }

        #[test]
        fn doubles_round_trip(bits in any::<u64>(), short in -1_000_000_000_i64..1_000_000_000, scale in 0..12) {
            let value = f64::from_bits(bits);
            if !value.is_nan() {
                prop_assert_eq!(parse_f64(format_f64(value).as_bytes()), Some(value));
            }
            let value = short as f64 / 10_f64.powi(scale);
            prop_assert_eq!(parse_f64(format_f64(value).as_bytes()), Some(value));
        }

        #[test]
        fn digits_are_those_of_the_standard_library(value in any::<f64>(), whole in -1_000_000_000_000_i64..1_000_000_000_000, digits in 1_usize..20) {
            for value in [value, whole as f64, whole as f64 / 1000.0] {
                let model = |value: f64| {
                    let scientific = format!("{value:.places$e}", places = digits - 1);
                    let (mantissa, magnitude) = scientific.split_once('e').unwrap();
                    let magnitude: i32 = magnitude.parse().unwrap();
                    let trim = |text: &str| match text.contains('.') {
                        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                        false => text.to_owned(),
                    };
                    if (-4..digits as i32).contains(&magnitude) {
                        return trim(&format!("{value:.places$}", places = (digits as i32 - 1 - magnitude) as usize));
                    }
                    let sign = if magnitude < 0 { '-' } else { '+' };
                    format!("{}e{sign}{:02}", trim(mantissa), magnitude.abs())
                };
                let mut written = Vec::new();
                write_f64_digits(value, digits, &mut written);
                let expected = if value.is_finite() { model(value) } else { format_f64(value) };
                prop_assert_eq!(String::from_utf8_lossy(&written), expected);
            }
        }

        #[test]
        fn hexadecimal_doubles_are_exact(value in any::<f64>()) {
            let bits = value.to_bits();
            let (fraction, biased) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
            let (lead, exponent) = if biased == 0 { (0, -1022) } else { (1, biased - 1023) };
            let sign = if value.is_sign_negative() { "-" } else { "" };
            let text = format!("{sign}0x{lead}.{fraction:013x}p{exponent}");
            prop_assert_eq!(parse_f64(text.as_bytes()), Some(value));
        }

        #[test]
        fn anything_may_be_asked(text in proptest::collection::vec(prop::sample::select(b"0123456789.eExXpPaf+-inf ".to_vec()), 0..24)) {
            let parsed = parse_f64(&text);
            let extended = Extended::parse(&text);
            // The wider format reads all that the narrower one does.
            prop_assert!(parsed.is_none() || extended.is_some());
        }
    }
}
