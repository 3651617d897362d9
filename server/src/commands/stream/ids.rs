//! Ids of stream entries as clients write them: whole, without the second part, as bounds of an interval.

use crate::error::{CmdResult, CommandError};
use resplite_resp::number::parse_u64_loose;
use resplite_storage::types::stream::Id;
use std::ops::RangeInclusive;

/// Longest text that Redis takes for an id.
const LONGEST: usize = 127;

/// `ms-seq` or `ms`, which then gets `missing` as its second part.
pub(super) fn strict_id(arg: &[u8], missing: u64) -> CmdResult<Id> {
    if arg.len() > LONGEST {
        return Err(CommandError::INVALID_ID);
    }
    let arg = text(arg);
    let id = match arg.iter().position(|byte| *byte == b'-') {
        None => parse_u64_loose(arg).map(|ms| Id::new(ms, missing)),
        Some(at) => parse_u64_loose(&arg[..at]).zip(parse_u64_loose(&arg[at + 1..])).map(|(ms, seq)| Id::new(ms, seq)),
    };
    id.ok_or(CommandError::INVALID_ID)
}

/// What lies before a zero byte, where C's strings end.
pub(super) fn text(arg: &[u8]) -> &[u8] {
    arg.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// As `strict_id`, or `-` and `+` for the first and the last of all.
pub(super) fn loose_id(arg: &[u8], missing: u64) -> CmdResult<Id> {
    match text(arg) {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        _ => strict_id(arg, missing),
    }
}

/// The bounds of a range, `(` in front of those that are not part of it.
pub(super) fn interval(start: &[u8], end: &[u8]) -> CmdResult<RangeInclusive<Id>> {
    Ok(start_bound(start)?..=end_bound(end)?)
}

/// The first bound of a range.
pub(super) fn start_bound(arg: &[u8]) -> CmdResult<Id> {
    match arg {
        [b'(', id @ ..] if !id.is_empty() => strict_id(id, 0)?.next().ok_or(CommandError::INVALID_START_ID),
        _ => loose_id(arg, 0),
    }
}

fn end_bound(arg: &[u8]) -> CmdResult<Id> {
    match arg {
        [b'(', id @ ..] if !id.is_empty() => strict_id(id, u64::MAX)?.previous().ok_or(CommandError::INVALID_END_ID),
        _ => loose_id(arg, u64::MAX),
    }
}
