//! Ranges of scores, members and ranks, as clients write them.

use std::ops::Range;

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreBound {
    /// The score; never NaN.
    pub value: f64,
    /// Whether the score itself is outside.
    pub exclusive: bool,
}

/// A range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lower end.
    pub min: ScoreBound,
    /// The upper end.
    pub max: ScoreBound,
}

impl ScoreRange {
    /// All scores.
    pub const ALL: ScoreRange = ScoreRange {
        min: ScoreBound { value: f64::NEG_INFINITY, exclusive: false },
        max: ScoreBound { value: f64::INFINITY, exclusive: false },
    };

    /// Reads `1.5`, `(1.5`, `-inf`, ...; `None` when one of them is not a float.
    pub fn parse(min: &[u8], max: &[u8]) -> Option<Self> {
        Some(ScoreRange { min: ScoreBound::parse(min)?, max: ScoreBound::parse(max)? })
    }

    /// Whether a score is beyond the lower end.
    #[inline]
    pub fn is_below(&self, score: f64) -> bool {
        score < self.min.value || (self.min.exclusive && score == self.min.value)
    }

    /// Whether a score is within the upper end.
    #[inline]
    pub fn reaches(&self, score: f64) -> bool {
        score < self.max.value || (!self.max.exclusive && score == self.max.value)
    }

    /// Whether a score is in the range.
    pub fn contains(&self, score: f64) -> bool {
        !self.is_below(score) && self.reaches(score)
    }
}

impl ScoreBound {
    /// Reads one end as C's `strtod` does, which is what Redis asks: hexadecimal and leading blanks included, nothing at
    /// all is zero, and the text ends at a NUL.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (exclusive, text) = match text {
            [b'(', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        if text.is_empty() {
            return Some(ScoreBound { value: 0.0, exclusive });
        }
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
        let blanks = text.iter().take_while(|byte| is_blank(byte)).count();
        let text = std::str::from_utf8(&text[blanks..]).ok()?;
        let value = parse_hexadecimal(text).or_else(|| text.parse().ok()).filter(|value: &f64| !value.is_nan())?;
        Some(ScoreBound { value, exclusive })
    }
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// `-`: before every member.
    Min,
    /// `+`: after every member.
    Max,
    /// `[member`.
    Included(&'a [u8]),
    /// `(member`.
    Excluded(&'a [u8]),
}

impl<'a> LexBound<'a> {
    /// Reads `-`, `+`, `[a`, `(a`; `None` for anything else.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        match text {
            b"-" => Some(LexBound::Min),
            b"+" => Some(LexBound::Max),
            [b'[', member @ ..] => Some(LexBound::Included(member)),
            [b'(', member @ ..] => Some(LexBound::Excluded(member)),
            _ => None,
        }
    }
}

/// A range of members, for sets whose scores are all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// The lower end.
    pub min: LexBound<'a>,
    /// The upper end.
    pub max: LexBound<'a>,
}

impl<'a> LexRange<'a> {
    /// Reads both ends; `None` if one is neither `-` nor `+` nor begins with `[` or `(`.
    pub fn parse(min: &'a [u8], max: &'a [u8]) -> Option<Self> {
        Some(LexRange { min: LexBound::parse(min)?, max: LexBound::parse(max)? })
    }

    /// Whether a member is beyond the lower end.
    pub fn is_below(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::Min => false,
            LexBound::Max => true,
            LexBound::Included(min) => member < min,
            LexBound::Excluded(min) => member <= min,
        }
    }

    /// Whether a member is within the upper end.
    pub fn reaches(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::Min => false,
            LexBound::Max => true,
            LexBound::Included(max) => member <= max,
            LexBound::Excluded(max) => member < max,
        }
    }
}

/// Indexes as clients give them: both inside, negative ones from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankRange {
    /// First index.
    pub start: i64,
    /// Last index.
    pub stop: i64,
}

impl RankRange {
    /// The ranks that it means in a collection of `len`; an empty range when it means none.
    pub fn resolve(self, len: usize) -> Range<usize> {
        let from_front = |index: i64| {
            let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            if index < 0 { len.checked_sub(distance) } else { Some(distance) }
        };
        let start = from_front(self.start).unwrap_or(0).min(len);
        let end = from_front(self.stop).map_or(0, |stop| stop.saturating_add(1)).min(len);
        start..end.max(start)
    }
}

/// Reads `0x1.8p3` and the like; `None` for what is not hexadecimal.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let rest = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"))?;
    let (mantissa, exponent) = match rest.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    // The first sixty bits; of the rest only whether anything is there, which is all that rounding asks.
    let (mut bits, mut scale) = (0u64, i64::from(exponent));
    for (index, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        let is_fraction = index >= whole.len();
        if bits >> 56 == 0 {
            bits = bits << 4 | digit;
            scale -= if is_fraction { 4 } else { 0 };
        } else {
            bits |= u64::from(digit != 0);
            scale += if is_fraction { 0 } else { 4 };
        }
    }
    Some(sign * scaled(bits as f64, scale))
}

/// The value times two to the power of `scale`, in steps that are themselves exact powers.
fn scaled(value: f64, scale: i64) -> f64 {
    let (mut value, mut left) = (value, scale.clamp(-2200, 2200));
    while left != 0 {
        let step = left.clamp(-1022, 1023);
        value *= f64::from_bits(((step + 1023) as u64) << 52);
        left -= step;
    }
    value
}

fn parse_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse::<i32>().unwrap_or(i32::MAX).min(100_000);
    Some(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::{LexBound, LexRange, RankRange, ScoreBound, ScoreRange};

    #[test]
    fn score_bounds_are_read_as_by_redis() {
        let good = [
            ("", 0.0),
            ("(", 0.0),
            ("( 1", 1.0),
            (" 1", 1.0),
            ("0x10", 16.0),
            ("inf", f64::INFINITY),
            ("5.", 5.0),
            ("(inf", f64::INFINITY),
            ("infinity", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("1e400", f64::INFINITY),
            ("1\0x", 1.0),
            ("(1e3", 1000.0),
            (".5", 0.5),
            ("0x1p3", 8.0),
            ("-0x.8p-1", -0.25),
            ("0xfffffffffffffffff", 295147905179352825856.0),
            ("0x1p-1074", 5e-324),
            ("0x1p99999999999", f64::INFINITY),
        ];
        for (text, value) in good {
            let exclusive = text.starts_with('(');
            assert_eq!(ScoreBound::parse(text.as_bytes()), Some(ScoreBound { value, exclusive }), "{text}");
        }
        for text in ["1 ", "nan", "++1", "1e", "0x", "-", "1_0", " ", "0x1p", "((1", "0xg", "a"] {
            assert_eq!(ScoreBound::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn score_ranges_know_their_ends() {
        let range = ScoreRange::parse(b"(1", b"3").unwrap();
        assert!(!range.contains(1.0) && range.contains(1.5) && range.contains(3.0) && !range.contains(3.5));
        assert!(ScoreRange::ALL.contains(f64::INFINITY) && ScoreRange::ALL.contains(f64::NEG_INFINITY));
    }

    #[test]
    fn lex_bounds_need_a_sign() {
        assert_eq!(LexRange::parse(b"-", b"+"), Some(LexRange { min: LexBound::Min, max: LexBound::Max }));
        assert_eq!(LexBound::parse(b"["), Some(LexBound::Included(b"")));
        assert_eq!(LexBound::parse(b"(a"), Some(LexBound::Excluded(b"a")));
        for text in ["", "a", "+a", "-a", " [a"] {
            assert_eq!(LexBound::parse(text.as_bytes()), None);
        }
    }

    #[test]
    fn rank_ranges_count_from_both_ends() {
        let resolve = |start, stop| RankRange { start, stop }.resolve(5);
        assert_eq!(resolve(0, -1), 0..5);
        assert_eq!(resolve(-2, -1), 3..5);
        assert_eq!(resolve(-100, 1), 0..2);
        assert_eq!(resolve(1, 100), 1..5);
        assert!(resolve(3, 2).is_empty() && resolve(5, 9).is_empty() && resolve(0, -6).is_empty());
        assert!(resolve(i64::MIN, i64::MIN).is_empty());
        assert_eq!(resolve(i64::MIN, i64::MAX), 0..5);
    }
}
