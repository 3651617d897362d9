//! The string family: values that are bytes or numbers.

mod compare;

use super::keys::ExpireUnit;
use super::{float_error, int, is, write_string};
use crate::command::{Command, Group, KeySpec, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use compare::Comparison;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::clock::Millis;
use resplite_storage::shard::{Edit, Expiry, NewString};

pub(crate) const COMMANDS: &[Command] = &[
    GET,
    SET,
    GETSET,
    GETDEL,
    GETEX,
    SETNX,
    SETEX,
    PSETEX,
    STRLEN,
    APPEND,
    GETRANGE,
    SUBSTR,
    SETRANGE,
    INCR,
    DECR,
    INCRBY,
    DECRBY,
    INCRBYFLOAT,
    MGET,
    MSET,
    MSETNX,
    compare::MSETEX,
    compare::DIGEST,
    compare::DELEX,
    LCS,
];

const fn read(name: &'static str, handler: crate::command::Handler) -> Command {
    Command::read(Group::String, name, handler)
}

const fn write(name: &'static str, handler: crate::command::Handler) -> Command {
    Command::write(Group::String, name, handler)
}

const GET: Command =
    read("get", get).arity(2).key(usage::READ, 1).fast().doc("The string at a key, or nil.").syntax("key");

fn get(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match ctx.string(&args[1])? {
        Some(value) => write_string(out, value),
        None => out.nil(),
    }
    Ok(())
}

const SET: Command = write("set", set)
    .arity(-3)
    .key(&["RW", "ACCESS", "UPDATE", "VARIABLE_FLAGS"], 1)
    .deny_oom()
    .doc("Sets a string, whatever was there before; conditions, expiry and the old value on request.")
    .syntax(
        "key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] [GET] \
         [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    );

/// When SET sets.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Condition {
    #[default]
    Always,
    IfMissing,
    IfPresent,
    If(Comparison),
}

#[derive(Default)]
struct SetOptions {
    condition: Condition,
    get: bool,
    keep: bool,
    persist: bool,
    /// The option's unit and its argument.
    expire: Option<(ExpireUnit, usize)>,
}

impl SetOptions {
    /// Reads the options from the argument `from` on; `getex` allows PERSIST instead of SET's conditions.
    fn parse(args: Args<'_>, from: usize, getex: bool) -> CmdResult<Self> {
        let mut options = SetOptions::default();
        let mut at = from;
        while let Some(word) = args.get(at) {
            let unit = ExpireUnit::of(word);
            // The same unit may be given again, the last one counts; another one may not.
            let same = |unit: ExpireUnit| options.expire.is_none_or(|(other, _)| other == unit);
            let expiry_free = !options.keep && !options.persist && unit.is_none_or(same);
            match unit {
                Some(unit) if expiry_free && at + 1 < args.len() => {
                    options.expire = Some((unit, at + 1));
                    at += 1;
                }
                Some(_) => return Err(CommandError::SYNTAX),
                None if !getex && is(word, "nx") && options.may_become(Condition::IfMissing) => {
                    options.condition = Condition::IfMissing;
                }
                None if !getex && is(word, "xx") && options.may_become(Condition::IfPresent) => {
                    options.condition = Condition::IfPresent;
                }
                None if !getex && options.condition == Condition::Always && Comparison::parse(args, at).is_some() => {
                    options.condition = Comparison::parse(args, at).map_or(Condition::Always, Condition::If);
                    at += 1;
                }
                None if !getex && is(word, "get") => options.get = true,
                None if !getex && is(word, "keepttl") && options.expire.is_none() => options.keep = true,
                None if getex && is(word, "persist") && options.expire.is_none() => options.persist = true,
                None => return Err(CommandError::SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }

    /// A condition may be given again, but not with another one.
    fn may_become(&self, condition: Condition) -> bool {
        self.condition == Condition::Always || self.condition == condition
    }

    /// Whether the value that is there decides.
    fn compares(&self) -> bool {
        matches!(self.condition, Condition::If(_))
    }

    /// Whether a key may be set that is there or not; comparisons say nothing about that.
    fn allows(&self, is_present: bool) -> bool {
        match self.condition {
            Condition::IfMissing => !is_present,
            Condition::IfPresent => is_present,
            Condition::Always | Condition::If(_) => true,
        }
    }

    /// What becomes of the deadline.
    fn expiry(&self, ctx: &Ctx<'_>, args: Args<'_>) -> CmdResult<Expiry> {
        Ok(match self.deadline(ctx, args)? {
            Some(at) => Expiry::At(at),
            None if self.keep => Expiry::Keep,
            None => Expiry::Never,
        })
    }

    fn deadline(&self, ctx: &Ctx<'_>, args: Args<'_>) -> CmdResult<Option<Millis>> {
        self.expire.map(|(unit, at)| deadline(ctx, &args[at], unit)).transpose()
    }
}

/// A point in time from an option's argument; it must be positive and fit.
fn deadline(ctx: &Ctx<'_>, arg: &[u8], unit: ExpireUnit) -> CmdResult<Millis> {
    let invalid = || CommandError::invalid_expire(ctx.command.name);
    let given = int(arg)?;
    if given <= 0 {
        return Err(invalid());
    }
    let millis = if unit.seconds { given.checked_mul(1000).ok_or_else(invalid)? } else { given };
    let base = if unit.absolute { 0 } else { ctx.now() as i64 };
    millis.checked_add(base).map(|at| at as Millis).ok_or_else(invalid)
}

fn set(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if args.len() == 3 {
        set_to(ctx, &args[1], &args[2], Expiry::Never);
        out.ok();
        return Ok(());
    }
    let options = SetOptions::parse(args, 3, false)?;
    let expiry = options.expiry(ctx, args)?;
    let mut met = true;
    let present = if options.get || options.compares() {
        let value = ctx.string(&args[1])?;
        if let Condition::If(comparison) = options.condition {
            met = comparison.holds(value, args)?;
        }
        match value {
            _ if !options.get => {}
            Some(value) => write_string(out, value),
            None => out.nil(),
        }
        value.is_some()
    } else {
        options.condition != Condition::Always && ctx.peek(&args[1]).is_some()
    };
    met &= options.allows(present);
    if met {
        set_to(ctx, &args[1], &args[2], expiry);
        if options.compares() {
            compare::log_set(ctx, &args[1], &args[2], expiry);
        }
    }
    match (options.get, met) {
        (true, _) => {}
        (false, true) => out.ok(),
        (false, false) => out.nil(),
    }
    Ok(())
}

/// Sets a string and says so to those who listen.
fn set_to(ctx: &mut Ctx<'_>, key: &[u8], text: &[u8], expiry: Expiry) {
    ctx.set(key, text, expiry);
    ctx.notify(EventClasses::STRING, "set", key);
    if let Expiry::At(deadline) = expiry {
        ctx.notify(EventClasses::GENERIC, "expire", key);
        if deadline <= ctx.horizon() {
            ctx.notify(EventClasses::EXPIRED, "expired", key);
        }
    }
}

const GETSET: Command = write("getset", getset)
    .arity(3)
    .key(usage::UPDATE_ACCESS, 1)
    .deny_oom()
    .fast()
    .doc("Sets a string and returns the one before; SET with GET does the same.")
    .syntax("key value");

fn getset(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    get(ctx, args, out)?;
    set_to(ctx, &args[1], &args[2], Expiry::Never);
    Ok(())
}

const GETDEL: Command = write("getdel", getdel)
    .arity(2)
    .key(usage::ACCESS_DELETE, 1)
    .fast()
    .since("6.2.0")
    .doc("Returns a string and removes its key.")
    .syntax("key");

fn getdel(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    get(ctx, args, out)?;
    if ctx.remove(&args[1]).is_some() {
        ctx.notify(EventClasses::GENERIC, "del", &args[1]);
    }
    Ok(())
}

const GETEX: Command = write("getex", getex)
    .arity(-2)
    .key(&["RW", "ACCESS", "UPDATE"], 1)
    .fast()
    .since("6.2.0")
    .doc("Returns a string and sets or removes the key's expiry.")
    .syntax("key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]");

fn getex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let options = SetOptions::parse(args, 2, true)?;
    // A missing key or another type is answered before a wrong time is.
    if ctx.string(&args[1])?.is_none() {
        out.nil();
        return Ok(());
    }
    let deadline = options.deadline(ctx, args)?;
    if let Some(value) = ctx.string(&args[1])? {
        write_string(out, value);
    }
    if deadline.is_some() {
        ctx.set_deadline(&args[1], deadline);
    } else if options.persist && ctx.peek(&args[1]).is_some_and(|entry| entry.deadline().is_some()) {
        ctx.set_deadline(&args[1], None);
    }
    Ok(())
}

const SETNX: Command = write("setnx", setnx)
    .arity(3)
    .key(usage::INSERT_ONLY, 1)
    .deny_oom()
    .fast()
    .doc("Sets a string if the key does not exist.")
    .syntax("key value");

fn setnx(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let missing = ctx.peek(&args[1]).is_none();
    if missing {
        set_to(ctx, &args[1], &args[2], Expiry::Never);
    }
    out.int(i64::from(missing));
    Ok(())
}

const SETEX: Command = write("setex", setex)
    .arity(4)
    .key(usage::OVERWRITE, 1)
    .deny_oom()
    .since("2.0.0")
    .doc("Sets a string that expires after some seconds.")
    .syntax("key seconds value");

fn setex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let deadline = deadline(ctx, &args[2], ExpireUnit { seconds: true, absolute: false })?;
    set_to(ctx, &args[1], &args[3], Expiry::At(deadline));
    out.ok();
    Ok(())
}

const PSETEX: Command = write("psetex", psetex)
    .arity(4)
    .key(usage::OVERWRITE, 1)
    .deny_oom()
    .since("2.6.0")
    .doc("Sets a string that expires after some milliseconds.")
    .syntax("key milliseconds value");

fn psetex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let deadline = deadline(ctx, &args[2], ExpireUnit { seconds: false, absolute: false })?;
    set_to(ctx, &args[1], &args[3], Expiry::At(deadline));
    out.ok();
    Ok(())
}

const STRLEN: Command = read("strlen", strlen)
    .arity(2)
    .key(usage::LOOK, 1)
    .fast()
    .since("2.2.0")
    .doc("Length of a string in bytes; 0 if there is none.")
    .syntax("key");

fn strlen(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let len = ctx.string(&args[1])?.map_or(0, |value| value.len());
    out.int(len as i64);
    Ok(())
}

const APPEND: Command = write("append", append)
    .arity(3)
    .key(usage::INSERT, 1)
    .deny_oom()
    .fast()
    .since("2.0.0")
    .doc("Appends to a string, or sets it; returns the new length.")
    .syntax("key value");

fn append(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let len = match ctx.peek(&args[1]) {
        None => {
            ctx.set(&args[1], &args[2], Expiry::Never);
            args[2].len()
        }
        Some(entry) => {
            let len = entry.string().ok_or(CommandError::WRONG_TYPE)?.len();
            check_len(ctx, len.saturating_add(args[2].len()))?;
            ctx.edit_string(&args[1], |bytes| {
                bytes.extend_from_slice(&args[2]);
                bytes.len()
            })?
            .unwrap_or(0)
        }
    };
    ctx.notify(EventClasses::STRING, "append", &args[1]);
    out.int(len as i64);
    Ok(())
}

fn check_len(ctx: &Ctx<'_>, len: usize) -> CmdResult {
    if len as u64 > ctx.settings().proto_max_bulk_len { Err(CommandError::STRING_TOO_LONG) } else { Ok(()) }
}

const GETRANGE: Command = read("getrange", getrange)
    .arity(4)
    .key(usage::READ, 1)
    .since("2.4.0")
    .doc("Part of a string, both ends included, negative ones counted from the end.")
    .syntax("key start end");

fn getrange(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (start, end) = (int(&args[2])?, int(&args[3])?);
    let Some(value) = ctx.string(&args[1])? else {
        out.bulk(b"");
        return Ok(());
    };
    value.with_bytes(|bytes| out.bulk(slice(bytes, start, end)));
    Ok(())
}

/// The bytes from `start` to `end` inclusive, negative ones counted from the end.
fn slice(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let len = bytes.len() as i64;
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let from_end = |index: i64| if index < 0 { index.saturating_add(len).max(0) } else { index };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if start > end || len == 0 { b"" } else { &bytes[start as usize..=end as usize] }
}

const SUBSTR: Command =
    read("substr", getrange).arity(4).key(usage::READ, 1).doc("The old name of GETRANGE.").syntax("key start end");

const SETRANGE: Command = write("setrange", setrange)
    .arity(4)
    .key(usage::UPDATE, 1)
    .deny_oom()
    .since("2.2.0")
    .doc("Overwrites part of a string, padding it with zero bytes; returns the new length.")
    .syntax("key offset value");

fn setrange(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let offset = usize::try_from(int(&args[2])?).map_err(|_| CommandError::OFFSET_OUT_OF_RANGE)?;
    let patch = &args[3];
    let len = match ctx.peek(&args[1]) {
        Some(entry) => Some(entry.string().ok_or(CommandError::WRONG_TYPE)?.len()),
        None => None,
    };
    if patch.is_empty() {
        out.int(len.unwrap_or(0) as i64);
        return Ok(());
    }
    let end = offset.checked_add(patch.len()).ok_or(CommandError::STRING_TOO_LONG)?;
    check_len(ctx, end)?;
    if len.is_none() {
        ctx.set_string(&args[1], NewString::Bytes(b""), Expiry::Never);
    }
    let len = ctx.edit_string(&args[1], |bytes| {
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset..end].copy_from_slice(patch);
        bytes.len()
    })?;
    ctx.notify(EventClasses::STRING, "setrange", &args[1]);
    out.int(len.unwrap_or(0) as i64);
    Ok(())
}

const INCR: Command = write("incr", incr)
    .arity(2)
    .key(usage::UPDATE_ACCESS, 1)
    .deny_oom()
    .fast()
    .doc("Adds one to the integer at a key, which begins at 0.")
    .syntax("key");

fn incr(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    add(ctx, &args[1], 1, out)
}

const DECR: Command = write("decr", decr)
    .arity(2)
    .key(usage::UPDATE_ACCESS, 1)
    .deny_oom()
    .fast()
    .doc("Subtracts one from the integer at a key, which begins at 0.")
    .syntax("key");

fn decr(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    add(ctx, &args[1], -1, out)
}

const INCRBY: Command = write("incrby", incrby)
    .arity(3)
    .key(usage::UPDATE_ACCESS, 1)
    .deny_oom()
    .fast()
    .doc("Adds to the integer at a key, which begins at 0.")
    .syntax("key increment");

fn incrby(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let by = int(&args[2])?;
    add(ctx, &args[1], by, out)
}

const DECRBY: Command = write("decrby", decrby)
    .arity(3)
    .key(usage::UPDATE_ACCESS, 1)
    .deny_oom()
    .fast()
    .doc("Subtracts from the integer at a key, which begins at 0.")
    .syntax("key decrement");

fn decrby(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let by = int(&args[2])?.checked_neg().ok_or(CommandError::DECREMENT_OVERFLOW)?;
    add(ctx, &args[1], by, out)
}

/// Adds to an integer in place: the key's deadline stays.
fn add(ctx: &mut Ctx<'_>, key: &[u8], by: i64, out: &mut Reply) -> CmdResult {
    let sum = ctx.update_entry(key, |entry| {
        let sum = entry.string().ok_or(CommandError::WRONG_TYPE).and_then(|value| {
            let number = match value {
                resplite_storage::entry::StringRef::Int(number) => number,
                text => text.with_bytes(number::parse_i64).ok_or(CommandError::NOT_INTEGER)?,
            };
            number.checked_add(by).ok_or(CommandError::OVERFLOW)
        });
        if let Ok(sum) = sum {
            entry.set_int(sum);
        }
        Edit::when(sum.is_ok(), sum)
    });
    let sum = match sum {
        Some(sum) => sum?,
        None => {
            ctx.set_string(key, NewString::Int(by), Expiry::Never);
            by
        }
    };
    ctx.notify(EventClasses::STRING, "incrby", key);
    out.int(sum);
    Ok(())
}

const INCRBYFLOAT: Command = write("incrbyfloat", incrbyfloat)
    .arity(3)
    .key(usage::UPDATE_ACCESS, 1)
    .deny_oom()
    .fast()
    .since("2.6.0")
    .doc("Adds to the decimal number at a key, which begins at 0.")
    .syntax("key increment");

fn incrbyfloat(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let sum = match ctx.peek(&args[1]) {
        None => number::add_decimal(b"0", &args[2]),
        Some(entry) => {
            let value = entry.string().ok_or(CommandError::WRONG_TYPE)?;
            value.with_bytes(|bytes| number::add_decimal(bytes, &args[2]))
        }
    };
    let sum = sum.map_err(float_error)?;
    ctx.set_string(&args[1], NewString::Bytes(sum.as_bytes()), Expiry::Keep);
    ctx.notify(EventClasses::STRING, "incrbyfloat", &args[1]);
    // Another server might add in another precision.
    ctx.log(&[b"SET", &args[1], sum.as_bytes(), b"KEEPTTL"]);
    out.bulk(&sum);
    Ok(())
}

const MGET: Command = read("mget", mget)
    .arity(-2)
    .keys(KeySpec::range(usage::READ, 1, -1, 1))
    .fast()
    .doc("The strings at several keys, nil for those that are none.")
    .syntax("key [key ...]");

fn mget(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    out.array(args.len() - 1);
    for key in args.iter().skip(1) {
        match ctx.entry(key).and_then(|entry| entry.string()) {
            Some(value) => write_string(out, value),
            None => out.nil(),
        }
    }
    Ok(())
}

const MSET: Command = write("mset", mset)
    .arity(-3)
    .keys(KeySpec::range(usage::OVERWRITE, 1, -1, 2))
    .deny_oom()
    .since("1.0.1")
    .doc("Sets several strings at once.")
    .syntax("key value [key value ...]");

fn mset(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    set_pairs(ctx, args)?;
    out.ok();
    Ok(())
}

fn set_pairs(ctx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::arity(ctx.command.name));
    }
    for at in (1..args.len()).step_by(2) {
        set_to(ctx, &args[at], &args[at + 1], Expiry::Never);
    }
    Ok(())
}

const MSETNX: Command = write("msetnx", msetnx)
    .arity(-3)
    .keys(KeySpec::range(usage::INSERT_ONLY, 1, -1, 2))
    .deny_oom()
    .since("1.0.1")
    .doc("Sets several strings at once, or none if one of the keys exists.")
    .syntax("key value [key value ...]");

fn msetnx(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::arity(ctx.command.name));
    }
    let free = (1..args.len()).step_by(2).all(|at| ctx.peek(&args[at]).is_none());
    if free {
        set_pairs(ctx, args)?;
    }
    out.int(i64::from(free));
    Ok(())
}

const LCS: Command = read("lcs", lcs)
    .arity(-3)
    .keys(KeySpec::range(usage::READ, 1, 1, 1))
    .since("7.0.0")
    .doc("The longest common subsequence of two strings, its length, or where it matches.")
    .syntax("key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]");

fn lcs(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    const NOT_STRINGS: &str = "ERR The specified keys must contain string values";
    let mut strings = [Vec::new(), Vec::new()];
    for (at, string) in strings.iter_mut().enumerate() {
        if let Some(entry) = ctx.entry(&args[at + 1]) {
            let value = entry.string().ok_or(CommandError::text(NOT_STRINGS))?;
            *string = value.with_bytes(<[u8]>::to_vec);
        }
    }
    let (mut only_len, mut index, mut with_len, mut shortest) = (false, false, false, 0);
    let mut at = 3;
    while let Some(word) = args.get(at) {
        match word {
            word if is(word, "len") => only_len = true,
            word if is(word, "idx") => index = true,
            word if is(word, "withmatchlen") => with_len = true,
            word if is(word, "minmatchlen") && at + 1 < args.len() => {
                at += 1;
                shortest = int(&args[at])?.max(0);
            }
            _ => return Err(CommandError::SYNTAX),
        }
        at += 1;
    }
    if only_len && index {
        return Err(CommandError::text("ERR If you want both the length and indexes, please just use IDX."));
    }
    let [a, b] = &strings;
    let table = LcsTable::new(a, b, ctx.settings().proto_max_bulk_len)?;
    if only_len {
        out.int(i64::from(table.len()));
        return Ok(());
    }
    let matches = table.matches(a, b);
    if !index {
        let mut common = Vec::with_capacity(table.len() as usize);
        matches.iter().rev().for_each(|run| common.extend_from_slice(&a[run.a..run.a + run.len]));
        out.bulk(&common);
        return Ok(());
    }
    let shown: Vec<_> = matches.iter().filter(|run| run.len as i64 >= shortest).collect();
    out.map(2);
    out.bulk(b"matches");
    out.array(shown.len());
    for run in shown {
        out.array(if with_len { 3 } else { 2 });
        for start in [run.a, run.b] {
            out.array(2);
            out.int(start as i64);
            out.int((start + run.len - 1) as i64);
        }
        if with_len {
            out.int(run.len as i64);
        }
    }
    out.bulk(b"len");
    out.int(i64::from(table.len()));
    Ok(())
}

/// Lengths of the common subsequences of all prefixes of two strings: the textbook table of dynamic programming.
struct LcsTable {
    lens: Vec<u32>,
    width: usize,
}

/// A stretch that both strings share.
struct Run {
    a: usize,
    b: usize,
    len: usize,
}

impl LcsTable {
    fn new(a: &[u8], b: &[u8], most_bytes: u64) -> CmdResult<Self> {
        let width = b.len() + 1;
        let cells = (a.len() + 1).checked_mul(width).filter(|cells| *cells as u64 <= most_bytes / 4).ok_or(
            CommandError::text("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"),
        )?;
        let mut lens = vec![0u32; cells];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                lens[i * width + j] = if a[i - 1] == b[j - 1] {
                    lens[(i - 1) * width + j - 1] + 1
                } else {
                    lens[(i - 1) * width + j].max(lens[i * width + j - 1])
                };
            }
        }
        Ok(LcsTable { lens, width })
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.lens[i * self.width + j]
    }

    fn len(&self) -> u32 {
        self.lens[self.lens.len() - 1]
    }

    /// The stretches of one longest common subsequence, the last first.
    fn matches(&self, a: &[u8], b: &[u8]) -> Vec<Run> {
        let (mut i, mut j) = (a.len(), b.len());
        let mut runs: Vec<Run> = Vec::new();
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                i -= 1;
                j -= 1;
                match runs.last_mut() {
                    Some(run) if run.a == i + 1 && run.b == j + 1 => {
                        *run = Run { a: i, b: j, len: run.len + 1 };
                    }
                    _ => runs.push(Run { a: i, b: j, len: 1 }),
                }
            } else if self.at(i - 1, j) > self.at(i, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_string() {
        for (start, end, expected) in [
            (0, -1, "hello"),
            (1, 3, "ell"),
            (-3, -2, "ll"),
            (-100, 1, "he"),
            (3, 100, "lo"),
            (4, 2, ""),
            (-1, -3, ""),
            (5, 5, ""),
            (i64::MIN, i64::MAX, "hello"),
        ] {
            assert_eq!(slice(b"hello", start, end), expected.as_bytes(), "{start} {end}");
        }
        assert_eq!(slice(b"", 0, -1), b"");
    }
}
