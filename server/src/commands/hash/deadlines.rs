//! Deadlines of hash fields: set, asked for and removed, also by commands that read or set the fields themselves.

use super::super::keys::{ExpireOptions, ExpireUnit};
use super::super::{int, is, write_item};
use crate::command::{Command, Group, Handler, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::clock::Millis;
use resplite_storage::shard::Edit;
use resplite_storage::types::hash::Hash;

pub(crate) const COMMANDS: &[Command] = &[
    HEXPIRE,
    HPEXPIRE,
    HEXPIREAT,
    HPEXPIREAT,
    HTTL,
    HPTTL,
    HEXPIRETIME,
    HPEXPIRETIME,
    HPERSIST,
    HGETEX,
    HSETEX,
    HGETDEL,
];

/// What is answered of a field that does not exist.
const NO_FIELD: i64 = -2;
/// What is answered of a field that has no deadline.
const NO_DEADLINE: i64 = -1;
/// What is answered of a field whose deadline was to stay.
const NOT_MET: i64 = 0;
/// What is answered of a field that was changed.
const DONE: i64 = 1;
/// What is answered of a field that went, as its new deadline has passed.
const GONE: i64 = 2;

const fn read(name: &'static str, handler: Handler) -> Command {
    Command::read(Group::Hash, name, handler).arity(-5).key(usage::READ, 1).fast().since("7.4.0")
}

const fn write(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::Hash, name, handler).fast()
}

const fn expiring(name: &'static str, handler: Handler) -> Command {
    write(name, handler).arity(-6).key(usage::UPDATE, 1).deny_oom().since("7.4.0")
}

/// The fields that a command names, each of `parts` arguments: alone, or with its value.
#[derive(Clone, Copy)]
struct Fields<'a> {
    args: Args<'a>,
    parts: usize,
}

impl<'a> Fields<'a> {
    /// Those behind the word FIELDS at `at` and their number; `wrong` is the error if that is another one.
    fn parse(args: Args<'a>, at: usize, parts: usize, wrong: CommandError) -> CmdResult<Self> {
        let count = int(&args[at + 1])?;
        let fields = Fields { args: args.from(at + 2), parts };
        let is_right = fields.args.len().is_multiple_of(parts) && count > 0 && count as u64 == fields.len() as u64;
        if is_right { Ok(fields) } else { Err(wrong) }
    }

    /// As [`Fields::parse`], where the word is the third argument.
    fn only(args: Args<'a>, wrong: CommandError) -> CmdResult<Self> {
        if is(&args[2], "fields") { Self::parse(args, 2, 1, wrong) } else { Err(CommandError::SYNTAX) }
    }

    fn len(self) -> usize {
        self.args.len() / self.parts
    }

    fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.args.iter().step_by(self.parts)
    }

    /// Fields with their values.
    fn pairs(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.iter().zip(self.args.iter().skip(1).step_by(self.parts))
    }
}

/// Splits arguments at the word FIELDS: the options from `from` on, and where the word is.
fn split_options(args: Args<'_>, from: usize) -> CmdResult<(Args<'_>, usize)> {
    let word = (from..args.len() - 1).find(|at| is(&args[*at], "fields")).ok_or(CommandError::NUMFIELDS)?;
    Ok((args.slice(from..word), word))
}

/// The point in time that an argument says; unlike a key's it may be in the past, but not negative.
fn time(ctx: &Ctx<'_>, arg: &[u8], unit: ExpireUnit) -> CmdResult<Millis> {
    let given = int(arg)?;
    let base = if unit.absolute { 0 } else { ctx.now() as i64 };
    let millis = if unit.seconds { given.checked_mul(1000) } else { Some(given) };
    let at = millis.filter(|millis| *millis >= 0).and_then(|millis| millis.checked_add(base));
    at.map(|at| at as Millis).ok_or_else(|| CommandError::invalid_expire(ctx.command.name))
}

const HEXPIRE: Command = expiring("hexpire", hexpire)
    .doc("Has fields go in so many seconds.")
    .syntax("key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]");

fn hexpire(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    expire_as(ctx, args, ExpireUnit { seconds: true, absolute: false }, out)
}

const HPEXPIRE: Command = expiring("hpexpire", hpexpire)
    .doc("Has fields go in so many milliseconds.")
    .syntax("key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]");

fn hpexpire(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    expire_as(ctx, args, ExpireUnit { seconds: false, absolute: false }, out)
}

const HEXPIREAT: Command = expiring("hexpireat", hexpireat)
    .doc("Has fields go at a Unix time in seconds.")
    .syntax("key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]");

fn hexpireat(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    expire_as(ctx, args, ExpireUnit { seconds: true, absolute: true }, out)
}

const HPEXPIREAT: Command = expiring("hpexpireat", hpexpireat)
    .doc("Has fields go at a Unix time in milliseconds.")
    .syntax("key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]");

fn hpexpireat(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    expire_as(ctx, args, ExpireUnit { seconds: false, absolute: true }, out)
}

fn expire_as(ctx: &mut Ctx<'_>, args: Args<'_>, unit: ExpireUnit, out: &mut Reply) -> CmdResult {
    let (words, at) = split_options(args, 3)?;
    let options = ExpireOptions::parse(words.iter())?;
    let fields = Fields::parse(args, at, 1, CommandError::NUMFIELDS)?;
    let deadline = time(ctx, &args[2], unit)?;
    let decide = |old: Option<Millis>| {
        if options.allow(old.map(|old| old as i64), deadline as i64) { DONE } else { NOT_MET }
    };
    let codes = change(ctx, &args[1], fields, Some(deadline), decide)?;
    answer_codes(&codes, out);
    Ok(())
}

fn answer_codes(codes: &[i64], out: &mut Reply) {
    out.array(codes.len());
    codes.iter().for_each(|code| out.int(*code));
}

/// Sets or removes the deadlines of those fields of which `decide`, which is shown the old one, says [`DONE`]; a past deadline
/// removes the field. Returns what to answer of each; the log and those who listen hear of what was done.
fn change(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    fields: Fields<'_>,
    deadline: Option<Millis>,
    decide: impl Fn(Option<Millis>) -> i64,
) -> CmdResult<Vec<i64>> {
    let limits = ctx.limits();
    let is_past = deadline.is_some_and(|deadline| deadline <= ctx.horizon());
    let mut changed = Vec::new();
    let codes = ctx.update(key, |hash: &mut Hash| {
        let mut codes = Vec::with_capacity(fields.len());
        for field in fields.iter() {
            let mut code = if hash.contains(field) { decide(hash.deadline(field)) } else { NO_FIELD };
            if code == DONE {
                changed.push(field);
                if is_past {
                    hash.remove(field);
                    code = GONE;
                } else {
                    hash.set_deadline(field, deadline, &limits);
                }
            }
            codes.push(code);
        }
        Edit::when(!changed.is_empty(), codes)
    })?;
    if !changed.is_empty() {
        tell(ctx, key, deadline, &changed);
    }
    Ok(codes.unwrap_or_else(|| vec![NO_FIELD; fields.len()]))
}

/// Has the log and those who listen hear that these fields have got this deadline, or have gone if it is in the past.
fn tell(ctx: &mut Ctx<'_>, key: &[u8], deadline: Option<Millis>, fields: &[&[u8]]) {
    let (count, at) = (fields.len().to_string(), deadline.unwrap_or(0).to_string());
    let count = count.as_bytes();
    match deadline {
        Some(deadline) if deadline <= ctx.horizon() => {
            ctx.log(&[&[b"HDEL", key], fields].concat());
            ctx.notify_removal(EventClasses::HASH, "hdel", key);
        }
        Some(_) => {
            ctx.log(&[&[b"HPEXPIREAT", key, at.as_bytes(), b"FIELDS", count], fields].concat());
            ctx.notify(EventClasses::HASH, "hexpire", key);
        }
        None => {
            ctx.log(&[&[b"HPERSIST", key, b"FIELDS", count], fields].concat());
            ctx.notify(EventClasses::HASH, "hpersist", key);
        }
    }
}

const HTTL: Command = read("httl", httl)
    .doc("Seconds until fields go; -1 for one that never does, -2 for one that does not exist.")
    .syntax("key FIELDS numfields field [field ...]");

fn httl(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let now = ctx.now();
    answer_deadlines(ctx, args, out, |at| (at.saturating_sub(now) as i64).saturating_add(500) / 1000)
}

const HPTTL: Command = read("hpttl", hpttl)
    .doc("Milliseconds until fields go; -1 for one that never does, -2 for one that does not exist.")
    .syntax("key FIELDS numfields field [field ...]");

fn hpttl(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let now = ctx.now();
    answer_deadlines(ctx, args, out, |at| at.saturating_sub(now) as i64)
}

const HEXPIRETIME: Command = read("hexpiretime", hexpiretime)
    .doc("Unix time in seconds at which fields go; -1 for one that never does, -2 for one that does not exist.")
    .syntax("key FIELDS numfields field [field ...]");

fn hexpiretime(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_deadlines(ctx, args, out, |at| (at as i64).saturating_add(500) / 1000)
}

const HPEXPIRETIME: Command = read("hpexpiretime", hpexpiretime)
    .doc("Unix time in milliseconds at which fields go; -1 for one that never does, -2 for one that does not exist.")
    .syntax("key FIELDS numfields field [field ...]");

fn hpexpiretime(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_deadlines(ctx, args, out, |at| at as i64)
}

fn answer_deadlines(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, show: impl Fn(Millis) -> i64) -> CmdResult {
    let fields = Fields::only(args, CommandError::SYNTAX)?;
    let hash = ctx.read::<Hash>(&args[1])?;
    out.array(fields.len());
    for field in fields.iter() {
        out.int(match hash {
            Some(hash) if hash.contains(field) => hash.deadline(field).map_or(NO_DEADLINE, &show),
            _ => NO_FIELD,
        });
    }
    Ok(())
}

const HPERSIST: Command = write("hpersist", hpersist)
    .arity(-5)
    .key(usage::UPDATE, 1)
    .since("7.4.0")
    .doc("Has fields stay for good; -1 for one that had no deadline, -2 for one that does not exist.")
    .syntax("key FIELDS numfields field [field ...]");

fn hpersist(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let fields = Fields::only(args, CommandError::NUMFIELDS)?;
    let codes = change(ctx, &args[1], fields, None, only_with_deadline)?;
    answer_codes(&codes, out);
    Ok(())
}

/// There is something to remove only where there is a deadline.
fn only_with_deadline(old: Option<Millis>) -> i64 {
    if old.is_some() { DONE } else { NO_DEADLINE }
}

/// The options of HGETEX and HSETEX in front of the fields.
#[derive(Default)]
struct FieldOptions<'a> {
    condition: Condition,
    /// PERSIST of HGETEX, KEEPTTL of HSETEX.
    is_plain: bool,
    expire: Option<(ExpireUnit, &'a [u8])>,
}

/// When HSETEX sets anything.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Condition {
    #[default]
    Always,
    /// If none of the fields exists.
    IfMissing,
    /// If all of them exist.
    IfPresent,
}

impl<'a> FieldOptions<'a> {
    /// `plain` is the word that stands where a time could; conditions only if `has_conditions`.
    fn parse(words: Args<'a>, plain: &str, has_conditions: bool) -> CmdResult<Self> {
        let (mut options, mut at) = (FieldOptions::default(), 0);
        while let Some(word) = words.get(at) {
            at += 1;
            if let Some(unit) = ExpireUnit::of(word) {
                // The same unit may be given again, the last one counts; another one may not.
                let is_free = !options.is_plain && options.expire.is_none_or(|(other, _)| other == unit);
                let time = words.get(at).filter(|_| is_free).ok_or(CommandError::SYNTAX)?;
                options.expire = Some((unit, time));
                at += 1;
            } else if is(word, plain) && options.expire.is_none() {
                options.is_plain = true;
            } else if has_conditions && is(word, "fnx") && options.condition != Condition::IfPresent {
                options.condition = Condition::IfMissing;
            } else if has_conditions && is(word, "fxx") && options.condition != Condition::IfMissing {
                options.condition = Condition::IfPresent;
            } else {
                return Err(CommandError::SYNTAX);
            }
        }
        Ok(options)
    }

    fn deadline(&self, ctx: &Ctx<'_>) -> CmdResult<Option<Millis>> {
        self.expire.map(|(unit, arg)| time(ctx, arg, unit)).transpose()
    }
}

const HGETEX: Command = write("hgetex", hgetex)
    .arity(-5)
    .key(usage::UPDATE_ACCESS, 1)
    .since("8.0.0")
    .doc("Values of fields, nil for those that do not exist; sets or removes the deadlines of the fields.")
    .syntax(
        "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] \
         FIELDS numfields field [field ...]",
    );

fn hgetex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (words, at) = split_options(args, 2)?;
    let options = FieldOptions::parse(words, "persist", false)?;
    let fields = Fields::parse(args, at, 1, CommandError::NUMFIELDS)?;
    let hash = ctx.read::<Hash>(&args[1])?;
    out.array(fields.len());
    for field in fields.iter() {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => write_item(out, value),
            None => out.nil(),
        }
    }
    let deadline = options.deadline(ctx)?;
    if deadline.is_some() {
        change(ctx, &args[1], fields, deadline, |_| DONE)?;
    } else if options.is_plain {
        change(ctx, &args[1], fields, None, only_with_deadline)?;
    }
    Ok(())
}

const HSETEX: Command = write("hsetex", hsetex)
    .arity(-6)
    .key(usage::UPDATE, 1)
    .deny_oom()
    .since("8.0.0")
    .doc("Sets fields and their deadline, all of them or none; returns whether it has.")
    .syntax(
        "key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] \
         FIELDS numfields field value [field value ...]",
    );

fn hsetex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (words, at) = split_options(args, 2)?;
    let options = FieldOptions::parse(words, "keepttl", true)?;
    let fields = Fields::parse(args, at, 2, CommandError::NUMFIELDS)?;
    let (key, limits) = (&args[1], ctx.limits());
    ctx.check_type::<Hash>(key)?;
    let deadline = options.deadline(ctx)?;
    let is_past = deadline.is_some_and(|deadline| deadline <= ctx.horizon());
    let (is_met, removed) = ctx.upsert(key, |hash: &mut Hash| {
        let is_met = match options.condition {
            Condition::Always => true,
            Condition::IfMissing => fields.iter().all(|field| !hash.contains(field)),
            Condition::IfPresent => fields.iter().all(|field| hash.contains(field)),
        };
        if !is_met {
            return Edit::unchanged((false, Vec::new()));
        }
        if is_past {
            // They would go at once.
            let removed: Vec<_> = fields.iter().filter(|field| hash.remove(field)).collect();
            return Edit::when(!removed.is_empty(), (true, removed));
        }
        let longest = fields.args.iter().map(<[u8]>::len).max().unwrap_or(0);
        hash.expect(fields.len(), longest, &limits);
        for (field, value) in fields.pairs() {
            if options.is_plain {
                hash.set_value(field, value, &limits);
            } else {
                hash.set(field, value, &limits);
            }
            if deadline.is_some() {
                hash.set_deadline(field, deadline, &limits);
            }
        }
        Edit::changed((true, Vec::new()))
    })?;
    out.int(i64::from(is_met));
    if !is_met {
        return Ok(());
    }
    ctx.notify(EventClasses::HASH, "hset", key);
    if is_past {
        if !removed.is_empty() {
            ctx.log(&[&[b"HDEL", key], &removed[..]].concat());
        }
        ctx.notify_removal(EventClasses::HASH, "hdel", key);
    } else if let Some(deadline) = deadline {
        let (at, count) = (deadline.to_string(), fields.len().to_string());
        let head: [&[u8]; 6] = [b"HSETEX", key, b"PXAT", at.as_bytes(), b"FIELDS", count.as_bytes()];
        ctx.log(&head.into_iter().chain(fields.args.iter()).collect::<Vec<_>>());
        ctx.notify(EventClasses::HASH, "hexpire", key);
    }
    Ok(())
}

const HGETDEL: Command = write("hgetdel", hgetdel)
    .arity(-5)
    .key(usage::ACCESS_DELETE, 1)
    .since("8.0.0")
    .doc("Removes fields; returns their values, nil for those that do not exist. The key goes with its last field.")
    .syntax("key FIELDS numfields field [field ...]");

fn hgetdel(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let fields = Fields::only(args, CommandError::NUMFIELDS)?;
    out.array(fields.len());
    let removed = ctx.update(&args[1], |hash: &mut Hash| {
        let mut removed: Vec<&[u8]> = Vec::new();
        for field in fields.iter() {
            match hash.get(field) {
                Some(value) => {
                    write_item(out, value);
                    hash.remove(field);
                    removed.push(field);
                }
                None => out.nil(),
            }
        }
        Edit::when(!removed.is_empty(), removed)
    })?;
    let Some(removed) = removed else {
        (0..fields.len()).for_each(|_| out.nil());
        return Ok(());
    };
    if !removed.is_empty() {
        ctx.log(&[&[b"HDEL", &args[1]], &removed[..]].concat());
        ctx.notify_removal(EventClasses::HASH, "hdel", &args[1]);
    }
    Ok(())
}
