//! The stream family: adding, reading ranges, trimming; groups, reading with them and inspection have files of their own.

mod groups;
mod ids;
mod info;
mod read;

use super::{int, is, write_item};
use crate::command::{Command, Group, Handler, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use ids::{interval, strict_id, text};
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::entry::Collection;
use resplite_storage::shard::Edit;
use resplite_storage::types::stream::{AddError, Bound, Deletion, Entry, Facts, Id, References, Stream, Trim};

pub(crate) const COMMANDS: &[Command] = &[
    XADD,
    XLEN,
    XRANGE,
    XREVRANGE,
    XDEL,
    XDELEX,
    XTRIM,
    XSETID,
    read::XREAD,
    read::XREADGROUP,
    groups::XGROUP,
    groups::XACK,
    groups::XACKDEL,
    groups::XPENDING,
    groups::XCLAIM,
    groups::XAUTOCLAIM,
    info::XINFO,
];

/// Entries that approximate trimming removes at most if nothing is said, as blocks, and whatever the block.
const TRIM_BLOCKS: u64 = 100;
const TRIM_DEFAULT: u64 = 10_000;
const TRIM_MAX: u64 = 1_000_000;

/// The event of an entry that was added.
const ADDED: &str = "xadd";

const fn reads(name: &'static str, handler: Handler) -> Command {
    Command::read(Group::Stream, name, handler).since("5.0.0")
}

const fn writes(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::Stream, name, handler).since("5.0.0")
}

const XADD: Command = writes("xadd", xadd)
    .arity(-5)
    .key(usage::UPDATE, 1)
    .deny_oom()
    .fast()
    .doc("Adds an entry, and may remove old ones; returns the entry's id.")
    .syntax(
        "key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] \
         <* | id> field value [field value ...]",
    );

fn xadd(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let options = Options::parse(ctx, args, true)?;
    let fields = args.from(args.len().min(options.end + 1));
    if fields.is_empty() || !fields.len().is_multiple_of(2) {
        return Err(CommandError::arity(ctx.command.name));
    }
    if options.id == Some(NewId::Exact(Id::MIN)) {
        return Err(CommandError::ID_ZERO);
    }
    let (now, limits) = (ctx.now(), ctx.limits());
    let add = |stream: &mut Stream| -> CmdResult<(Id, u64, Option<Id>)> {
        if stream.entries().last_id() == Id::MAX {
            return Err(CommandError::IDS_EXHAUSTED);
        }
        let id = options.id.map_or(stream.next_id(now), |id| id.after(stream.entries().last_id()));
        let id = id.ok_or(CommandError::ID_TOO_SMALL)?;
        stream.add(id, fields.iter(), &limits).map_err(|error| match error {
            AddError::IdTooSmall => CommandError::ID_TOO_SMALL,
            AddError::TooLarge => CommandError::ELEMENTS_TOO_LARGE,
        })?;
        let removed = options.trim.map_or(0, |trim| stream.trim(trim));
        let first = options.approximate_at.and_then(|_| stream.entries().first_id());
        Ok((id, removed, first))
    };
    let key = &args[1];
    let Some((id, removed, first)) = add_or_create(ctx, key, options.only_existing, add)? else {
        out.nil();
        return Ok(());
    };
    if removed > 0 {
        ctx.notify(EventClasses::STREAM, "xtrim", key);
    }
    let is_exact = matches!(options.id, Some(NewId::Exact(_)));
    if !(is_exact && options.approximate_at.is_none()) && ctx.is_logged() {
        log_with(ctx, args, &options, Some(id), first)?;
    }
    write_id(out, id);
    Ok(())
}

/// Adds to a stream, or to a new one that is kept only if all goes well; `None` if there is none and shall be none.
fn add_or_create<R>(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    only_existing: bool,
    add: impl Fn(&mut Stream) -> CmdResult<R>,
) -> CmdResult<Option<R>> {
    let added = ctx.update(key, |stream: &mut Stream| {
        let result = add(stream);
        Edit::when(result.is_ok(), result)
    })?;
    if let Some(result) = added {
        let result = result?;
        ctx.notify(EventClasses::STREAM, ADDED, key);
        return Ok(Some(result));
    }
    if only_existing {
        return Ok(None);
    }
    let mut stream = Stream::new();
    let result = add(&mut stream)?;
    ctx.store(key, stream, EventClasses::STREAM, ADDED);
    Ok(Some(result))
}

/// Logs XADD or XTRIM with the id that was given and with the exact bound that trimming came to.
fn log_with(ctx: &mut Ctx<'_>, args: Args<'_>, options: &Options, id: Option<Id>, first: Option<Id>) -> CmdResult {
    let len = existing(ctx, &args[1])?.map_or(0, |stream| stream.entries().len()).to_string();
    let (id, first) = (id.map(|id| id.to_string()), first.map(|first| first.to_string()));
    let mut logged: Vec<&[u8]> = args.iter().collect();
    if let (Some(place), Some(id)) = (logged.get_mut(options.end), &id) {
        *place = id.as_bytes();
    }
    if let Some(at) = options.approximate_at {
        let is_by_len = matches!(options.trim, Some(Trim { bound: Bound::MaxLen(_), .. }));
        // Without an entry there is no first one to name.
        let (word, bound): (&[u8], &str) = match &first {
            Some(first) if !is_by_len => (b"MINID", first),
            _ => (b"MAXLEN", &len),
        };
        logged.splice(at..at + 3, [word, b"=", bound.as_bytes()]);
        if let Some(limit_at) = options.limit_at {
            logged.drain(limit_at..limit_at + 2);
        }
    }
    ctx.log(&logged);
    Ok(())
}

/// The id that XADD is to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NewId {
    Exact(Id),
    /// The next one within a millisecond.
    Within(u64),
}

impl NewId {
    /// The id behind the last one; `None` if a millisecond has no more.
    fn after(self, last: Id) -> Option<Id> {
        match self {
            NewId::Exact(id) => Some(id),
            NewId::Within(ms) if ms == last.ms => Some(Id::new(ms, last.seq.checked_add(1)?)),
            NewId::Within(ms) => Some(Id::new(ms, 0)),
        }
    }
}

/// What XADD and XTRIM say in front of the id or the end.
#[derive(Default)]
struct Options {
    only_existing: bool,
    trim: Option<Trim>,
    /// `None` lets the clock decide.
    id: Option<NewId>,
    /// Where the trimming strategy stands if it is approximate.
    approximate_at: Option<usize>,
    limit_at: Option<usize>,
    /// Where the options end: the place of XADD's id.
    end: usize,
}

impl Options {
    fn parse(ctx: &Ctx<'_>, args: Args<'_>, is_add: bool) -> CmdResult<Self> {
        let (mut options, mut references, mut limit) = (Options::default(), None, None);
        let mut bound: Option<(Bound, bool)> = None;
        let mut at = 2;
        while let Some(word) = args.get(at) {
            let value = args.get(at + 1);
            match (word, value) {
                (b"*", _) if is_add => break,
                (word, Some(_)) if is(word, "maxlen") || is(word, "minid") => {
                    if bound.is_some() {
                        return Err(CommandError::MAXLEN_AND_MINID);
                    }
                    let (start, is_by_len) = (at, is(word, "maxlen"));
                    let operator = value.filter(|value| matches!(*value, b"=" | b"~") && at + 2 < args.len());
                    at += 1 + usize::from(operator.is_some());
                    let threshold = args.get(at).unwrap_or_default();
                    let is_approximate = operator == Some(b"~");
                    options.approximate_at = is_approximate.then_some(start);
                    bound = Some((if is_by_len { max_len(threshold)? } else { min_id(threshold)? }, is_approximate));
                }
                (word, Some(count)) if is(word, "limit") => {
                    let count = u64::try_from(int(count)?).map_err(|_| CommandError::NEGATIVE_TRIM_LIMIT)?;
                    (limit, options.limit_at) = (Some(count), Some(at));
                    at += 1;
                }
                (word, _) if is_add && is(word, "nomkstream") => options.only_existing = true,
                (word, _) if references.is_none() && reference_word(word).is_some() => {
                    references = reference_word(word);
                }
                (word, _) if is_add => {
                    options.id = Some(new_id(word)?);
                    break;
                }
                _ => return Err(CommandError::SYNTAX),
            }
            at += 1;
        }
        options.end = at;
        if limit.is_some_and(|limit| limit > 0) && bound.is_none() {
            return Err(CommandError::LIMIT_WITHOUT_TRIM);
        }
        if !is_add && bound.is_none() {
            return Err(CommandError::NO_TRIM_STRATEGY);
        }
        let is_replay = ctx.session.is_replay;
        if limit.is_some() && !is_replay && !matches!(bound, Some((_, true))) {
            return Err(CommandError::LIMIT_WITHOUT_TILDE);
        }
        let Some((bound, is_approximate)) = bound else { return Ok(options) };
        let limit = match limit {
            // A log holds what trimming came to, and the limit that had its say in it.
            _ if is_replay => 0,
            Some(limit) => limit,
            None if is_approximate => match ctx.limits().stream_node_max_entries as u64 {
                0 => TRIM_DEFAULT,
                entries => entries.saturating_mul(TRIM_BLOCKS).min(TRIM_MAX),
            },
            None => 0,
        };
        options.trim = Some(Trim { bound, is_approximate, limit, references: references.unwrap_or_default() });
        Ok(options)
    }
}

fn max_len(arg: &[u8]) -> CmdResult<Bound> {
    u64::try_from(int(arg)?).map(Bound::MaxLen).map_err(|_| CommandError::NEGATIVE_STREAM_MAXLEN)
}

fn min_id(arg: &[u8]) -> CmdResult<Bound> {
    strict_id(arg, 0).map(Bound::MinId)
}

fn new_id(arg: &[u8]) -> CmdResult<NewId> {
    match text(arg).strip_suffix(b"-*") {
        Some(ms) => Ok(NewId::Within(strict_id(ms, 0)?.ms)),
        None => strict_id(arg, 0).map(NewId::Exact),
    }
}

fn reference_word(word: &[u8]) -> Option<References> {
    match word {
        word if is(word, "keepref") => Some(References::Keep),
        word if is(word, "delref") => Some(References::Delete),
        word if is(word, "acked") => Some(References::Acknowledged),
        _ => None,
    }
}

const XLEN: Command = reads("xlen", xlen).arity(2).key(usage::LOOK, 1).fast().doc("Number of entries.").syntax("key");

fn xlen(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let len = ctx.read::<Stream>(&args[1])?.map_or(0, |stream| stream.entries().len());
    out.int(len as i64);
    Ok(())
}

const XRANGE: Command = reads("xrange", xrange)
    .arity(-4)
    .key(usage::READ, 1)
    .doc("The entries of a range of ids.")
    .syntax("key start end [COUNT count]");

fn xrange(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    range(ctx, args, &args[2], &args[3], false, out)
}

const XREVRANGE: Command = reads("xrevrange", xrevrange)
    .arity(-4)
    .key(usage::READ, 1)
    .doc("The entries of a range of ids, the last first.")
    .syntax("key end start [COUNT count]");

fn xrevrange(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    range(ctx, args, &args[3], &args[2], true, out)
}

fn range(ctx: &mut Ctx<'_>, args: Args<'_>, start: &[u8], end: &[u8], is_reversed: bool, out: &mut Reply) -> CmdResult {
    let ids = interval(start, end)?;
    let (mut count, mut at) = (usize::MAX, 4);
    while let Some(word) = args.get(at) {
        let Some(value) = args.get(at + 1).filter(|_| is(word, "count")) else { return Err(CommandError::SYNTAX) };
        count = usize::try_from(int(value)?).unwrap_or(0);
        at += 2;
    }
    let Some(stream) = ctx.read::<Stream>(&args[1])? else {
        out.array(0);
        return Ok(());
    };
    if count == 0 {
        out.nil_array();
        return Ok(());
    }
    let entries = stream.entries();
    match is_reversed {
        true => write_entries(out, entries.range_reversed(ids).take(count)),
        false => write_entries(out, entries.range(ids).take(count)),
    }
    Ok(())
}

const XDEL: Command = writes("xdel", xdel)
    .arity(-3)
    .key(usage::DELETE, 1)
    .fast()
    .doc("Deletes entries; returns how many there were.")
    .syntax("key id [id ...]");

fn xdel(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if existing(ctx, &args[1])?.is_none() {
        out.int(0);
        return Ok(());
    }
    let ids = strict_ids(args.from(2))?;
    let deleted = ctx.update(&args[1], |stream: &mut Stream| {
        let is_deleted = |id: &&Id| stream.delete(**id, References::Keep) == Deletion::Deleted;
        let deleted = ids.iter().filter(is_deleted).count();
        Edit::when(deleted > 0, deleted)
    })?;
    let deleted = deleted.unwrap_or(0);
    if deleted > 0 {
        ctx.notify(EventClasses::STREAM, "xdel", &args[1]);
    }
    out.int(deleted as i64);
    Ok(())
}

const XDELEX: Command = writes("xdelex", xdelex)
    .arity(-5)
    .key(usage::DELETE, 1)
    .fast()
    .since("8.2.0")
    .doc("Deletes entries with or without what groups hold of them; tells what became of each.")
    .syntax("key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]");

fn xdelex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (references, ids) = counted_ids(args, 2)?;
    let deletions = ctx.update(&args[1], |stream: &mut Stream| {
        let before = stream.pending_count();
        let deletions: Vec<Deletion> = ids.iter().map(|id| stream.delete(*id, references)).collect();
        let is_changed = deletions.contains(&Deletion::Deleted) || stream.pending_count() != before;
        Edit::when(is_changed, deletions)
    })?;
    let deletions = deletions.unwrap_or_else(|| vec![Deletion::Missing; ids.len()]);
    if deletions.contains(&Deletion::Deleted) {
        ctx.notify(EventClasses::STREAM, "xdel", &args[1]);
    }
    out.array(deletions.len());
    deletions.into_iter().for_each(|deletion| out.int(outcome(deletion)));
    Ok(())
}

/// What XDELEX and XACKDEL answer for an entry.
fn outcome(deletion: Deletion) -> i64 {
    match deletion {
        Deletion::Missing => -1,
        Deletion::Deleted => 1,
        Deletion::Referenced => 2,
    }
}

/// `[KEEPREF | DELREF | ACKED] IDS numids id ..` at `at`.
fn counted_ids(args: Args<'_>, at: usize) -> CmdResult<(References, Vec<Id>)> {
    let (mut references, mut ids, mut at) = (None, None, at);
    while let Some(word) = args.get(at) {
        if let (Some(given), None) = (reference_word(word), references) {
            references = Some(given);
            at += 1;
            continue;
        }
        let Some(count) = args.get(at + 1).filter(|_| is(word, "ids") && ids.is_none()) else {
            return Err(CommandError::SYNTAX);
        };
        let count = number::parse_i64(count).and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count > 0).ok_or(CommandError::NUMIDS_NOT_POSITIVE)?;
        let end = (at + 2).checked_add(count).filter(|end| *end <= args.len()).ok_or(CommandError::NUMIDS)?;
        ids = Some(strict_ids(args.slice(at + 2..end))?);
        at = end;
    }
    Ok((references.unwrap_or_default(), ids.ok_or(CommandError::SYNTAX)?))
}

fn strict_ids(args: Args<'_>) -> CmdResult<Vec<Id>> {
    args.iter().map(|arg| strict_id(arg, 0)).collect()
}

const XTRIM: Command = writes("xtrim", xtrim)
    .arity(-4)
    .key(usage::DELETE, 1)
    .doc("Removes old entries; returns how many.")
    .syntax("key <<MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]>");

fn xtrim(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let options = Options::parse(ctx, args, false)?;
    let Some(trim) = options.trim else { return Err(CommandError::NO_TRIM_STRATEGY) };
    let trimmed = ctx.update(&args[1], |stream: &mut Stream| {
        let removed = stream.trim(trim);
        Edit::when(removed > 0, (removed, stream.entries().first_id()))
    })?;
    let (removed, first) = trimmed.unwrap_or_default();
    if removed > 0 {
        ctx.notify(EventClasses::STREAM, "xtrim", &args[1]);
    }
    if removed > 0 && options.approximate_at.is_some() && ctx.is_logged() {
        log_with(ctx, args, &options, None, first)?;
    }
    out.int(removed as i64);
    Ok(())
}

const XSETID: Command = writes("xsetid", xsetid)
    .arity(-3)
    .key(usage::UPDATE, 1)
    .deny_oom()
    .fast()
    .doc("Sets the last id of a stream, and what else it remembers.")
    .syntax("key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]");

fn xsetid(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let id = strict_id(&args[2], 0)?;
    let (mut added, mut max_deleted, mut at) = (None, None, 3);
    while let Some(word) = args.get(at) {
        let Some(value) = args.get(at + 1) else { return Err(CommandError::SYNTAX) };
        match word {
            word if is(word, "entriesadded") => {
                added = Some(u64::try_from(int(value)?).map_err(|_| CommandError::NEGATIVE_ADDED)?);
            }
            word if is(word, "maxdeletedid") => {
                let given = strict_id(value, 0)?;
                if id < given {
                    return Err(CommandError::ID_BELOW_GIVEN_DELETED);
                }
                max_deleted = Some(given).filter(|given| *given != Id::MIN);
            }
            _ => return Err(CommandError::SYNTAX),
        }
        at += 2;
    }
    let set = ctx.update(&args[1], |stream: &mut Stream| {
        let (facts, entries) = (stream.facts(), stream.entries());
        if id < facts.max_deleted_id {
            return Edit::unchanged(Err(CommandError::ID_BELOW_DELETED));
        }
        if entries.last_entry_id().is_some_and(|last| id < last) {
            return Edit::unchanged(Err(CommandError::ID_BELOW_LAST));
        }
        if added.is_some_and(|added| added < entries.len()) {
            return Edit::unchanged(Err(CommandError::ADDED_BELOW_LEN));
        }
        stream.set_facts(Facts {
            last_id: id,
            max_deleted_id: max_deleted.unwrap_or(facts.max_deleted_id),
            added: added.unwrap_or(facts.added),
        });
        Edit::changed(Ok(()))
    })?;
    set.unwrap_or(Err(CommandError::NO_SUCH_KEY))?;
    ctx.notify(EventClasses::STREAM, "xsetid", &args[1]);
    out.ok();
    Ok(())
}

/// A stream that is about to be changed: to look at it is no use of it, and no miss if there is none.
fn existing<'c>(ctx: &'c mut Ctx<'_>, key: &[u8]) -> CmdResult<Option<&'c Stream>> {
    match ctx.peek(key) {
        None => Ok(None),
        Some(entry) => Stream::of(entry).map(Some).ok_or(CommandError::WRONG_TYPE),
    }
}

/// Writes entries as an array.
fn write_entries<'a>(out: &mut Reply, entries: impl Iterator<Item = Entry<'a>>) {
    let mark = out.defer();
    let count = entries.map(|entry| write_entry(out, entry)).count();
    out.array_at(mark, count);
}

/// Writes an entry: its id, and its fields with their values in one array.
fn write_entry(out: &mut Reply, entry: Entry<'_>) {
    out.array(2);
    write_id(out, entry.id);
    write_fields(out, entry);
}

fn write_id(out: &mut Reply, id: Id) {
    id.with_text(|text| out.bulk(text));
}

fn write_fields(out: &mut Reply, entry: Entry<'_>) {
    out.array(2 * entry.fields.len());
    for (field, value) in entry.fields {
        write_item(out, field);
        write_item(out, value);
    }
}
