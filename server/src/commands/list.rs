//! The list family: elements in order, added and taken at both ends.

pub(crate) mod blocking;

use super::{counted_keys, int, is, positive, range, write_item};
use crate::command::{Command, Flags, Group, Handler, KeySpec, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::shard::Edit;
use resplite_storage::types::Item;
use resplite_storage::types::list::{List, Search, Side};

pub(crate) const COMMANDS: &[Command] = &[
    LPUSH, RPUSH, LPUSHX, RPUSHX, LPOP, RPOP, LLEN, LINDEX, LSET, LINSERT, LREM, LTRIM, LRANGE, LPOS, LMOVE, RPOPLPUSH,
    LMPOP,
];

const fn read(name: &'static str, handler: Handler) -> Command {
    Command::read(Group::List, name, handler)
}

const fn write(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::List, name, handler)
}

const LPUSH: Command = write("lpush", lpush)
    .arity(-3)
    .key(usage::INSERT, 1)
    .deny_oom()
    .fast()
    .doc("Adds elements at the left end; returns the new length.")
    .syntax("key element [element ...]");

fn lpush(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    push(ctx, args, Side::Front, out)
}

const RPUSH: Command = write("rpush", rpush)
    .arity(-3)
    .key(usage::INSERT, 1)
    .deny_oom()
    .fast()
    .doc("Adds elements at the right end; returns the new length.")
    .syntax("key element [element ...]");

fn rpush(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    push(ctx, args, Side::Back, out)
}

/// The event of an element that has come to one end.
fn pushed(side: Side) -> &'static str {
    match side {
        Side::Front => "lpush",
        Side::Back => "rpush",
    }
}

/// The event of an element that has gone from one end.
fn popped(side: Side) -> &'static str {
    match side {
        Side::Front => "lpop",
        Side::Back => "rpop",
    }
}

fn push(ctx: &mut Ctx<'_>, args: Args<'_>, side: Side, out: &mut Reply) -> CmdResult {
    let limits = ctx.limits();
    let len = ctx.upsert(&args[1], |list: &mut List| {
        list.push_all(side, args.from(2).iter(), &limits);
        Edit::changed(list.len())
    })?;
    ctx.notify(EventClasses::LIST, pushed(side), &args[1]);
    out.int(len as i64);
    Ok(())
}

const LPUSHX: Command = write("lpushx", lpushx)
    .arity(-3)
    .key(usage::INSERT, 1)
    .deny_oom()
    .fast()
    .since("2.2.0")
    .doc("Adds elements at the left end of an existing list; returns the new length.")
    .syntax("key element [element ...]");

fn lpushx(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    push_existing(ctx, args, Side::Front, out)
}

const RPUSHX: Command = write("rpushx", rpushx)
    .arity(-3)
    .key(usage::INSERT, 1)
    .deny_oom()
    .fast()
    .since("2.2.0")
    .doc("Adds elements at the right end of an existing list; returns the new length.")
    .syntax("key element [element ...]");

fn rpushx(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    push_existing(ctx, args, Side::Back, out)
}

fn push_existing(ctx: &mut Ctx<'_>, args: Args<'_>, side: Side, out: &mut Reply) -> CmdResult {
    let limits = ctx.limits();
    let len = ctx.update(&args[1], |list: &mut List| {
        list.push_all(side, args.from(2).iter(), &limits);
        Edit::changed(list.len())
    })?;
    if len.is_some() {
        ctx.notify(EventClasses::LIST, pushed(side), &args[1]);
    }
    out.int(len.unwrap_or(0) as i64);
    Ok(())
}

const LPOP: Command = write("lpop", lpop)
    .arity(-2)
    .key(usage::ACCESS_DELETE, 1)
    .fast()
    .doc("Takes elements from the left end.")
    .syntax("key [count]");

fn lpop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    pop(ctx, args, Side::Front, out)
}

const RPOP: Command = write("rpop", rpop)
    .arity(-2)
    .key(usage::ACCESS_DELETE, 1)
    .fast()
    .doc("Takes elements from the right end.")
    .syntax("key [count]");

fn rpop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    pop(ctx, args, Side::Back, out)
}

fn pop(ctx: &mut Ctx<'_>, args: Args<'_>, side: Side, out: &mut Reply) -> CmdResult {
    let limits = ctx.limits();
    if args.len() == 2 {
        let taken = ctx.update(&args[1], |list: &mut List| {
            list.pop(side, &limits, |element| write_item(out, element));
            Edit::changed(())
        })?;
        match taken {
            Some(()) => ctx.notify_removal(EventClasses::LIST, popped(side), &args[1]),
            None => out.nil(),
        }
        return Ok(());
    }
    if args.len() > 3 {
        return Err(CommandError::arity(ctx.command.name));
    }
    let count = positive(&args[2])?;
    match ctx.update(&args[1], |list: &mut List| pop_many(list, side, count, &limits, out))? {
        Some(0) => {}
        Some(_) => ctx.notify_removal(EventClasses::LIST, popped(side), &args[1]),
        None => out.nil_array(),
    }
    Ok(())
}

/// Takes up to `count` elements and writes them as an array; returns how many.
fn pop_many(
    list: &mut List,
    side: Side,
    count: usize,
    limits: &resplite_storage::types::Limits,
    out: &mut Reply,
) -> Edit<usize> {
    let count = count.min(list.len());
    out.array(count);
    list.pop_many(side, count, limits, |element| write_item(out, element));
    Edit::when(count > 0, count)
}

const LLEN: Command = read("llen", llen).arity(2).key(usage::LOOK, 1).fast().doc("Number of elements.").syntax("key");

fn llen(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let len = ctx.read::<List>(&args[1])?.map_or(0, List::len);
    out.int(len as i64);
    Ok(())
}

const LINDEX: Command = read("lindex", lindex)
    .arity(3)
    .key(usage::READ, 1)
    .doc("The element at an index, or nil; negative ones count from the right.")
    .syntax("key index");

fn lindex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let Some(list) = ctx.read::<List>(&args[1])? else {
        out.nil();
        return Ok(());
    };
    match list.get(int(&args[2])?) {
        Some(element) => write_item(out, element),
        None => out.nil(),
    }
    Ok(())
}

const LSET: Command = write("lset", lset)
    .arity(4)
    .key(usage::UPDATE, 1)
    .deny_oom()
    .doc("Replaces the element at an index.")
    .syntax("key index element");

fn lset(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    ctx.check_type::<List>(&args[1])?;
    if ctx.peek(&args[1]).is_none() {
        return Err(CommandError::NO_SUCH_KEY);
    }
    let (index, limits) = (int(&args[2])?, ctx.limits());
    let set = ctx.update(&args[1], |list: &mut List| {
        let set = list.set(index, &args[3], &limits);
        Edit::when(set, set)
    })?;
    if set != Some(true) {
        return Err(CommandError::INDEX_OUT_OF_RANGE);
    }
    ctx.notify(EventClasses::LIST, "lset", &args[1]);
    out.ok();
    Ok(())
}

const LINSERT: Command = write("linsert", linsert)
    .arity(5)
    .key(usage::INSERT, 1)
    .deny_oom()
    .since("2.2.0")
    .doc("Inserts an element beside another; returns the new length, -1 if that other is missing.")
    .syntax("key <BEFORE | AFTER> pivot element");

fn linsert(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let before = match &args[2] {
        word if is(word, "before") => true,
        word if is(word, "after") => false,
        _ => return Err(CommandError::SYNTAX),
    };
    let limits = ctx.limits();
    let len = ctx.update(&args[1], |list: &mut List| {
        let inserted = match before {
            true => list.insert_before(&args[3], &args[4], &limits),
            false => list.insert_after(&args[3], &args[4], &limits),
        };
        Edit::when(inserted, if inserted { list.len() as i64 } else { -1 })
    })?;
    if len.is_some_and(|len| len > 0) {
        ctx.notify(EventClasses::LIST, "linsert", &args[1]);
    }
    out.int(len.unwrap_or(0));
    Ok(())
}

const LREM: Command = write("lrem", lrem)
    .arity(4)
    .key(usage::DELETE, 1)
    .doc("Removes the first, the last or all elements that equal one; returns how many.")
    .syntax("key count element");

fn lrem(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (count, limits) = (int(&args[2])?, ctx.limits());
    if count == i64::MIN {
        return Err(CommandError::OUT_OF_LONG_RANGE);
    }
    let removed = ctx.update(&args[1], |list: &mut List| {
        let removed = list.remove(count, &args[3], &limits);
        Edit::when(removed > 0, removed)
    })?;
    let removed = removed.unwrap_or(0);
    if removed > 0 {
        ctx.notify_removal(EventClasses::LIST, "lrem", &args[1]);
    }
    out.int(removed as i64);
    Ok(())
}

const LTRIM: Command = write("ltrim", ltrim)
    .arity(4)
    .key(usage::DELETE, 1)
    .doc("Keeps only the elements of a range.")
    .syntax("key start stop");

fn ltrim(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (start, stop, limits) = (int(&args[2])?, int(&args[3])?, ctx.limits());
    let removed = ctx.update(&args[1], |list: &mut List| {
        let before = list.len();
        list.trim(range(start, stop, before).unwrap_or(0..0), &limits);
        Edit::changed(before - list.len())
    })?;
    if removed == Some(0) {
        // Watchers hear of it nevertheless. The log does not: capped lists are trimmed after each push.
        ctx.log_nothing();
    }
    if removed.is_some() {
        ctx.notify_removal(EventClasses::LIST, "ltrim", &args[1]);
    }
    out.ok();
    Ok(())
}

const LRANGE: Command = read("lrange", lrange)
    .arity(4)
    .key(usage::READ, 1)
    .doc("The elements of a range, both ends included.")
    .syntax("key start stop");

fn lrange(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (start, stop) = (int(&args[2])?, int(&args[3])?);
    let Some(list) = ctx.read::<List>(&args[1])? else {
        out.array(0);
        return Ok(());
    };
    let range = range(start, stop, list.len()).unwrap_or(0..0);
    out.array(range.len());
    list.range(range).for_each(|element| write_item(out, element));
    Ok(())
}

const LPOS: Command = read("lpos", lpos)
    .arity(-3)
    .key(usage::READ, 1)
    .since("6.0.6")
    .doc("Where an element stands in a list.")
    .syntax("key element [RANK rank] [COUNT num-matches] [MAXLEN len]");

fn lpos(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (mut rank, mut count, mut max_len) = (1, None, 0);
    let mut at = 3;
    while let Some(word) = args.get(at) {
        let Some(value) = args.get(at + 1) else { return Err(CommandError::SYNTAX) };
        let natural =
            |error: CommandError| number::parse_i64(value).and_then(|value| usize::try_from(value).ok()).ok_or(error);
        match word {
            word if is(word, "rank") => {
                rank = int(value)?;
                if rank == 0 {
                    return Err(CommandError::RANK_ZERO);
                }
                if rank == i64::MIN {
                    return Err(CommandError::OUT_OF_LONG_RANGE);
                }
            }
            word if is(word, "count") => count = Some(natural(CommandError::NEGATIVE_COUNT)?),
            word if is(word, "maxlen") => max_len = natural(CommandError::NEGATIVE_MAXLEN)?,
            _ => return Err(CommandError::SYNTAX),
        }
        at += 2;
    }
    let search = Search { rank, count: count.unwrap_or(1), max_len };
    let list = ctx.read::<List>(&args[1])?;
    let positions = list.map(|list| list.positions(&args[2], search)).unwrap_or_default();
    match count {
        Some(_) => {
            out.array(positions.len());
            positions.iter().for_each(|position| out.int(*position as i64));
        }
        None => match positions.first() {
            Some(position) => out.int(*position as i64),
            None => out.nil(),
        },
    }
    Ok(())
}

const LMOVE: Command = write("lmove", lmove)
    .arity(5)
    .key(usage::ACCESS_DELETE, 1)
    .key(usage::INSERT, 2)
    .deny_oom()
    .since("6.2.0")
    .doc("Moves an element from an end of a list to an end of another.")
    .syntax("source destination <LEFT | RIGHT> <LEFT | RIGHT>");

fn lmove(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (from, to) = (side(&args[3])?, side(&args[4])?);
    move_element(ctx, (&args[1], from), (&args[2], to), out)
}

fn side(word: &[u8]) -> CmdResult<Side> {
    match word {
        word if is(word, "left") => Ok(Side::Front),
        word if is(word, "right") => Ok(Side::Back),
        _ => Err(CommandError::SYNTAX),
    }
}

const RPOPLPUSH: Command = write("rpoplpush", rpoplpush)
    .arity(3)
    .key(usage::ACCESS_DELETE, 1)
    .key(usage::INSERT, 2)
    .deny_oom()
    .since("1.2.0")
    .doc("Moves the last element of a list to the front of another; LMOVE does the same and more.")
    .syntax("source destination");

fn rpoplpush(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    move_element(ctx, (&args[1], Side::Back), (&args[2], Side::Front), out)
}

fn move_element(
    ctx: &mut Ctx<'_>,
    (source, from): (&[u8], Side),
    (destination, to): (&[u8], Side),
    out: &mut Reply,
) -> CmdResult {
    if ctx.peek_as::<List>(source)?.is_none() {
        out.nil();
        return Ok(());
    }
    ctx.check_type::<List>(destination)?;
    let limits = ctx.limits();
    if source == destination {
        // In one change: a list of one element must not vanish between the two halves, its deadline with it.
        ctx.update(source, |list: &mut List| {
            if let Some(element) = list.pop(from, &limits, |element: Item<'_>| element.to_vec()) {
                list.push(to, &element, &limits);
                out.bulk(&element);
            }
            Edit::changed(())
        })?;
        ctx.notify(EventClasses::LIST, pushed(to), destination);
        ctx.notify(EventClasses::LIST, popped(from), source);
        return Ok(());
    }
    let taken = ctx.update(source, |list: &mut List| {
        Edit::changed(list.pop(from, &limits, |element: Item<'_>| element.to_vec()))
    })?;
    let Some(element) = taken.flatten() else {
        out.nil();
        return Ok(());
    };
    ctx.upsert(destination, |list: &mut List| {
        list.push(to, &element, &limits);
        Edit::changed(())
    })?;
    ctx.notify(EventClasses::LIST, pushed(to), destination);
    ctx.notify_removal(EventClasses::LIST, popped(from), source);
    out.bulk(&element);
    Ok(())
}

const LMPOP: Command = write("lmpop", lmpop)
    .arity(-4)
    .keys(KeySpec::counted(usage::ACCESS_DELETE, 1))
    .flag(Flags::MOVABLEKEYS)
    .since("7.0.0")
    .doc("Takes elements from the first of several lists that has any.")
    .syntax("numkeys key [key ...] <LEFT | RIGHT> [COUNT count]");

fn lmpop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (keys, at) = counted_keys(args, 1)?;
    let side = side(args.get(at).ok_or(CommandError::SYNTAX)?)?;
    let count = pop_count(args, at + 1)?;
    let limits = ctx.limits();
    for key in keys.iter() {
        if ctx.peek_as::<List>(key)?.is_none() {
            continue;
        }
        out.array(2);
        out.bulk(key);
        ctx.update(key, |list: &mut List| pop_many(list, side, count, &limits, out))?;
        ctx.notify_removal(EventClasses::LIST, popped(side), key);
        return Ok(());
    }
    out.nil_array();
    Ok(())
}

/// The option COUNT of the commands that pop from several keys, at `at`; 1 without it.
pub(crate) fn pop_count(args: Args<'_>, at: usize) -> CmdResult<usize> {
    let Some(word) = args.get(at) else { return Ok(1) };
    let Some(count) = args.get(at + 1).filter(|_| is(word, "count")) else { return Err(CommandError::SYNTAX) };
    let count = number::parse_i64(count)
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| *count > 0)
        .ok_or(CommandError::COUNT_NOT_POSITIVE)?;
    if args.len() > at + 2 { Err(CommandError::SYNTAX) } else { Ok(count) }
}
