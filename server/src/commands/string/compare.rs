//! Commands that look at a string before they change it, by its value or by its digest, and those that change many at once:
//! DIGEST, DELEX, MSETEX, and the conditions of SET.

use super::{SetOptions, read, set_to, write};
use crate::command::{Command, Find, KeySpec, usage};
use crate::commands::is;
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::entry::StringRef;
use resplite_storage::shard::Expiry;
use twox_hash::XxHash3_64;

/// What a string is compared with; the argument's index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Equal(usize),
    Different(usize),
    SameDigest(usize),
    OtherDigest(usize),
}

impl Comparison {
    /// The comparison that the word at `at` begins; its argument must follow.
    pub(super) fn parse(args: Args<'_>, at: usize) -> Option<Self> {
        let word = args.get(at).filter(|_| at + 1 < args.len())?;
        match word {
            word if is(word, "ifeq") => Some(Comparison::Equal(at + 1)),
            word if is(word, "ifne") => Some(Comparison::Different(at + 1)),
            word if is(word, "ifdeq") => Some(Comparison::SameDigest(at + 1)),
            word if is(word, "ifdne") => Some(Comparison::OtherDigest(at + 1)),
            _ => None,
        }
    }

    /// Whether it is true of what is at a key; of a key that is not there only what says that something is different.
    pub(super) fn holds(self, value: Option<StringRef<'_>>, args: Args<'_>) -> CmdResult<bool> {
        let digest = |at: usize| parse_digest(&args[at]).ok_or(CommandError::DIGEST_LENGTH);
        let wanted = match self {
            Comparison::SameDigest(at) | Comparison::OtherDigest(at) => digest(at)?,
            Comparison::Equal(_) | Comparison::Different(_) => 0,
        };
        let Some(value) = value else {
            return Ok(matches!(self, Comparison::Different(_) | Comparison::OtherDigest(_)));
        };
        Ok(value.with_bytes(|bytes| match self {
            Comparison::Equal(at) => *bytes == args[at],
            Comparison::Different(at) => *bytes != args[at],
            Comparison::SameDigest(_) => XxHash3_64::oneshot(bytes) == wanted,
            Comparison::OtherDigest(_) => XxHash3_64::oneshot(bytes) != wanted,
        }))
    }
}

/// A digest as DIGEST shows it: 16 hexadecimal digits.
fn parse_digest(text: &[u8]) -> Option<u64> {
    let is_plain = text.len() == 16 && text.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_plain)?;
    u64::from_str_radix(text, 16).ok()
}

pub(super) const DIGEST: Command = read("digest", digest)
    .arity(2)
    .key(usage::READ, 1)
    .fast()
    .since("8.4.0")
    .doc("The XXH3 hash of a string in 16 hexadecimal digits, or nil.")
    .syntax("key");

fn digest(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match ctx.string(&args[1])? {
        Some(value) => out.bulk(format!("{:016x}", value.with_bytes(XxHash3_64::oneshot))),
        None => out.nil(),
    }
    Ok(())
}

pub(super) const DELEX: Command = write("delex", delex)
    .arity(-2)
    .key(usage::DELETE, 1)
    .fast()
    .since("8.4.0")
    .doc("Removes a key, or a string only if it is what the condition says; returns how many have gone.")
    .syntax("key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]");

fn delex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let key = &args[1];
    match args.len() {
        2 => {}
        4 => {
            let comparison = Comparison::parse(args, 2).ok_or(CommandError::SYNTAX)?;
            let entry = ctx.entry(key);
            let value = entry.map(|entry| entry.string().ok_or(CommandError::DELEX_TYPE)).transpose()?;
            // What is not there cannot go, whatever is true of it.
            if !comparison.holds(value, args)? {
                out.int(0);
                return Ok(());
            }
        }
        _ => return Err(CommandError::arity("delex")),
    }
    let is_gone = ctx.remove(key).is_some();
    if is_gone {
        ctx.log(&[b"DEL", key]);
        ctx.notify(EventClasses::GENERIC, "del", key);
    }
    out.int(i64::from(is_gone));
    Ok(())
}

pub(super) const MSETEX: Command = write("msetex", msetex)
    .arity(-4)
    .keys(KeySpec { find: Find::Count { count: 0, first: 1, step: 2 }, ..KeySpec::counted(usage::OVERWRITE, 1) })
    .flag(crate::command::Flags::MOVABLEKEYS)
    .deny_oom()
    .since("8.4.0")
    .doc("Sets several strings at once with one expiry, or none of them if the condition is not true of all keys.")
    .syntax(
        "numkeys key value [key value ...] [NX | XX] \
         [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    );

fn msetex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let count = number::parse_i64(&args[1]).and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|count| *count > 0).ok_or(CommandError::MSETEX_COUNT)?;
    let end = count.checked_mul(2).and_then(|words| words.checked_add(2)).filter(|end| *end <= args.len());
    let end = end.ok_or(CommandError::MSETEX_PAIRS)?;
    let options = SetOptions::parse(args, end, false)?;
    if options.get || options.compares() {
        return Err(CommandError::SYNTAX);
    }
    let expiry = options.expiry(ctx, args)?;
    let keys = || (2..end).step_by(2);
    let is_met = keys().all(|at| options.allows(ctx.peek(&args[at]).is_some()));
    if is_met {
        for at in keys() {
            set_to(ctx, &args[at], &args[at + 1], expiry);
            log_set(ctx, &args[at], &args[at + 1], expiry);
        }
    }
    out.int(i64::from(is_met));
    Ok(())
}

/// Has the log say what was set: other servers do not know the condition. What has a deadline says so by itself.
pub(super) fn log_set(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], expiry: Expiry) {
    match expiry {
        Expiry::At(_) => {}
        Expiry::Never => ctx.log(&[b"SET", key, value]),
        Expiry::Keep => ctx.log(&[b"SET", key, value, b"KEEPTTL"]),
    }
}
