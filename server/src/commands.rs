//! The commands, a file per family; each command is one constant above its handler.

pub(crate) mod acl;
pub(crate) mod bitmap;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod command;
pub(crate) mod config;
pub(crate) mod connection;
pub(crate) mod debug;
pub(crate) mod dump;
pub(crate) mod function;
pub(crate) mod geo;
pub(crate) mod hash;
pub(crate) mod hyperloglog;
pub(crate) mod info;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod lolwut;
pub(crate) mod memory;
pub(crate) mod migrate;
pub(crate) mod module;
pub(crate) mod persistence;
pub(crate) mod pubsub;
pub(crate) mod replication;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod set;
pub(crate) mod slow;
pub(crate) mod sort;
pub(crate) mod sorted_set;
pub(crate) mod stream;
pub(crate) mod string;
pub(crate) mod tracking;
pub(crate) mod transaction;
pub(crate) mod wait;

use crate::command::Command;
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::waiting::{Answer, Wait};
use resplite_resp::error::FloatError;
use resplite_resp::number;
use resplite_resp::reply::{Checkpoint, Reply};
use resplite_resp::request::Args;
use resplite_storage::clock::Millis;
use resplite_storage::entry::StringRef;
use resplite_storage::types::Item;
use resplite_storage::waiting::Hope;
use std::ops::{ControlFlow, Range};

/// All families.
pub(crate) const FAMILIES: &[&[Command]] = &[
    connection::COMMANDS,
    client::COMMANDS,
    keys::COMMANDS,
    wait::COMMANDS,
    dump::COMMANDS,
    migrate::COMMANDS,
    sort::COMMANDS,
    string::COMMANDS,
    hyperloglog::COMMANDS,
    bitmap::COMMANDS,
    hash::COMMANDS,
    hash::deadlines::COMMANDS,
    list::COMMANDS,
    list::blocking::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    sorted_set::blocking::COMMANDS,
    geo::COMMANDS,
    stream::COMMANDS,
    pubsub::COMMANDS,
    transaction::COMMANDS,
    script::COMMANDS,
    function::COMMANDS,
    server::COMMANDS,
    memory::COMMANDS,
    persistence::COMMANDS,
    config::COMMANDS,
    acl::COMMANDS,
    slow::COMMANDS,
    info::COMMANDS,
    command::COMMANDS,
    cluster::COMMANDS,
    replication::COMMANDS,
    module::COMMANDS,
    lolwut::COMMANDS,
    debug::COMMANDS,
];

/// An argument as an integer.
pub(crate) fn int(arg: &[u8]) -> CmdResult<i64> {
    number::parse_i64(arg).ok_or(CommandError::NOT_INTEGER)
}

/// An argument as a float.
pub(crate) fn float(arg: &[u8]) -> CmdResult<f64> {
    number::parse_f64(arg).ok_or(CommandError::NOT_FLOAT)
}

/// An argument as a count; the error is the same for a negative one and for what is no number.
pub(crate) fn positive(arg: &[u8]) -> CmdResult<usize> {
    number::parse_i64(arg).and_then(|count| usize::try_from(count).ok()).ok_or(CommandError::NOT_POSITIVE)
}

/// How many elements a command may repeat by chance: HRANDFIELD, SRANDMEMBER and ZRANDMEMBER with a negative count are
/// the only ones whose reply is longer than what is stored.
const MOST_REPEATS: u64 = 1 << 24;

/// What the count of a command that picks by chance asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pick {
    /// So many different elements, or all.
    Distinct(usize),
    /// So many elements, each drawn from all.
    Repeating(usize),
}

impl Pick {
    /// Reads the count: negative ones mean repetition.
    pub(crate) fn parse(arg: &[u8]) -> CmdResult<Self> {
        let count = int(arg)?;
        if count >= 0 {
            return Ok(Pick::Distinct(usize::try_from(count).map_err(|_| CommandError::OUT_OF_RANGE)?));
        }
        if count == i64::MIN {
            return Err(CommandError::OUT_OF_LONG_RANGE);
        }
        match count.unsigned_abs() {
            repeats if repeats <= MOST_REPEATS => Ok(Pick::Repeating(repeats as usize)),
            _ => Err(CommandError::OUT_OF_RANGE),
        }
    }
}

/// Bounds a reply that repeats what is stored: elements picked by chance, of which a few bytes of request can ask for any
/// number. As for the other replies that are made up (LCS), the limit is `proto-max-bulk-len`.
pub(crate) struct Bound {
    start: Checkpoint,
    most: u64,
}

impl Bound {
    /// What is written from here on counts.
    pub(crate) fn new(ctx: &Ctx<'_>, out: &Reply) -> Self {
        Bound { start: out.checkpoint(), most: ctx.settings().proto_max_bulk_len }
    }

    /// Breaks off when the reply has become too long.
    #[inline]
    pub(crate) fn check(&self, out: &Reply) -> ControlFlow<()> {
        if out.len_since(self.start) as u64 > self.most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The reply of a pick whose reply went over its [`Bound`].
pub(crate) fn bounded(end: ControlFlow<()>) -> CmdResult {
    if end.is_break() { Err(CommandError::OUT_OF_RANGE) } else { Ok(()) }
}

/// A count of keys and the keys behind it, at `at`; returns the keys and the index of what follows.
pub(crate) fn counted_keys(args: Args<'_>, at: usize) -> CmdResult<(Args<'_>, usize)> {
    let count = number::parse_i64(&args[at]).ok_or(CommandError::NUMKEYS)?;
    let count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(CommandError::NUMKEYS)?;
    let end = (at + 1).checked_add(count).filter(|end| *end <= args.len());
    match end {
        Some(end) => Ok((args.slice(at + 1..end), end)),
        None => Err(CommandError::SYNTAX),
    }
}

/// A time-out in seconds as the time at which it ends, rounded up to milliseconds; `None` is never.
pub(crate) fn timeout(ctx: &Ctx<'_>, arg: &[u8]) -> CmdResult<Option<Millis>> {
    let seconds = number::parse_f64(arg).ok_or(CommandError::TIMEOUT_NOT_FLOAT)?;
    let millis = (seconds * 1000.0).ceil();
    if millis > i64::MAX as f64 {
        return Err(CommandError::TIMEOUT_OUT_OF_RANGE);
    }
    deadline(ctx, millis as i64)
}

/// A time-out in milliseconds as the time at which it ends; `None` is never.
pub(crate) fn timeout_millis(ctx: &Ctx<'_>, arg: &[u8]) -> CmdResult<Option<Millis>> {
    deadline(ctx, number::parse_i64(arg).ok_or(CommandError::TIMEOUT_NOT_INTEGER)?)
}

fn deadline(ctx: &Ctx<'_>, millis: i64) -> CmdResult<Option<Millis>> {
    match u64::try_from(millis) {
        Err(_) => Err(CommandError::TIMEOUT_NEGATIVE),
        Ok(0) => Ok(None),
        Ok(millis) => {
            let deadline = ctx.now().checked_add(millis).filter(|deadline| *deadline <= i64::MAX as u64);
            deadline.map(Some).ok_or(CommandError::TIMEOUT_OUT_OF_RANGE)
        }
    }
}

/// What a command waits for that takes something from the first of several keys that has any.
pub(crate) struct Awaited {
    /// Which arguments are the keys.
    pub(crate) keys: Range<usize>,
    /// Which argument is the key that it is moved to.
    pub(crate) target: Option<usize>,
    pub(crate) hope: Hope,
    pub(crate) deadline: Option<Millis>,
}

/// Has the client wait; where that cannot be, inside a transaction, it is told at once that there is nothing.
pub(crate) fn wait_for(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    awaited: Awaited,
    nothing: impl FnOnce(&mut Reply),
    out: &mut Reply,
) {
    if !ctx.may_wait() {
        return nothing(out);
    }
    let Awaited { keys, target, hope, deadline } = awaited;
    // A key that was named twice is waited for once.
    let keys = keys.clone().filter(|at| !args.slice(keys.start..*at).iter().any(|key| *key == args[*at])).collect();
    ctx.wait(Wait { keys, target, hope, deadline, answer: Answer::Nil, args: args.to_owned() });
}

/// The option LIMIT of SINTERCARD and ZINTERCARD, at `at`; 0, without it, counts to the end.
pub(crate) fn intersection_limit(args: Args<'_>, at: usize) -> CmdResult<usize> {
    let (mut limit, mut at) = (0, at);
    while let Some(word) = args.get(at) {
        if !is(word, "limit") || at + 1 >= args.len() {
            return Err(CommandError::SYNTAX);
        }
        let given = number::parse_i64(&args[at + 1]).ok_or(CommandError::NEGATIVE_LIMIT)?;
        limit = usize::try_from(given).map_err(|_| CommandError::NEGATIVE_LIMIT)?;
        at += 2;
    }
    Ok(limit)
}

/// The first and the last index of a range of `len` elements, negative ones counted from the end; `None` if it is empty.
pub(crate) fn range(start: i64, stop: i64, len: usize) -> Option<std::ops::Range<usize>> {
    let len = i64::try_from(len).ok()?;
    let from_end = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
    (start <= stop && start < len).then(|| start as usize..stop as usize + 1)
}

/// Whether an argument is this word, in any case.
pub(crate) fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// HELP of a container: its subcommands with what they do.
pub(crate) fn help(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let container = ctx.command.name.split('|').next().unwrap_or_default();
    let Some(container) = crate::command::find(container.as_bytes()) else { return Ok(()) };
    let name = container.name.to_uppercase();
    out.array(1 + 2 * container.subcommands.len());
    out.simple(format!("{name} <subcommand> [<argument> ...], where the subcommand is one of:"));
    for sub in container.subcommands {
        let (_, sub_name) = sub.name.split_once('|').unwrap_or_default();
        out.simple(format!("{} {}", sub_name.to_uppercase(), sub.syntax).trim_end());
        out.simple(format!("    {}", sub.summary));
    }
    Ok(())
}

/// The reply for a decimal addition that failed.
pub(crate) fn float_error(error: FloatError) -> CommandError {
    match error {
        FloatError::NotFinite => CommandError::NAN_OR_INFINITY,
        _ => CommandError::NOT_FLOAT,
    }
}

/// Writes a string value as a bulk.
#[inline]
pub(crate) fn write_string(out: &mut Reply, value: StringRef<'_>) {
    match value {
        StringRef::Int(number) => out.bulk_int(number),
        StringRef::Bytes(bytes) => out.bulk(bytes),
        StringRef::Shared(bytes) => out.shared(bytes.clone()),
    }
}

/// Writes an element of a collection as a bulk.
#[inline]
pub(crate) fn write_item(out: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(number) => out.bulk_int(number),
        Item::Bytes(bytes) => out.bulk(bytes),
    }
}
