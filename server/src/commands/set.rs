//! The set family: members without order, and what sets have in common.

use super::keys::{ScanOptions, to_scan};
use super::{Bound, Pick, bounded, intersection_limit, is, positive, write_item};
use crate::command::{Command, Group, Handler, KeySpec, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::shard::Edit;
use resplite_storage::types::Item;
use resplite_storage::types::set::Set;

pub(crate) const COMMANDS: &[Command] = &[
    SADD,
    SREM,
    SISMEMBER,
    SMISMEMBER,
    SCARD,
    SMEMBERS,
    SPOP,
    SRANDMEMBER,
    SMOVE,
    SINTER,
    SINTERCARD,
    SINTERSTORE,
    SUNION,
    SUNIONSTORE,
    SDIFF,
    SDIFFSTORE,
    SUNIONCARD,
    SDIFFCARD,
    SSCAN,
];

const fn read(name: &'static str, handler: Handler) -> Command {
    Command::read(Group::Set, name, handler)
}

const fn write(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::Set, name, handler)
}

const SADD: Command = write("sadd", sadd)
    .arity(-3)
    .key(usage::INSERT, 1)
    .deny_oom()
    .fast()
    .doc("Adds members; returns how many are new.")
    .syntax("key member [member ...]");

fn sadd(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let limits = ctx.limits();
    let added = ctx.upsert(&args[1], |set: &mut Set| {
        set.expect(args.len() - 2, &args[2], &limits);
        let added = args.iter().skip(2).filter(|member| set.insert(member, &limits)).count();
        Edit::when(added > 0, added)
    })?;
    if added > 0 {
        ctx.notify(EventClasses::SET, "sadd", &args[1]);
    }
    out.int(added as i64);
    Ok(())
}

const SREM: Command = write("srem", srem)
    .arity(-3)
    .key(usage::DELETE, 1)
    .fast()
    .doc("Removes members; returns how many existed. The key goes with its last member.")
    .syntax("key member [member ...]");

fn srem(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let removed = ctx.update(&args[1], |set: &mut Set| {
        let removed = args.iter().skip(2).filter(|member| set.remove(member)).count();
        Edit::when(removed > 0, removed)
    })?;
    let removed = removed.unwrap_or(0);
    if removed > 0 {
        ctx.notify_removal(EventClasses::SET, "srem", &args[1]);
    }
    out.int(removed as i64);
    Ok(())
}

const SISMEMBER: Command = read("sismember", sismember)
    .arity(3)
    .key(usage::LOOK, 1)
    .fast()
    .doc("Whether the set has the member.")
    .syntax("key member");

fn sismember(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let is_member = ctx.read::<Set>(&args[1])?.is_some_and(|set| set.contains(&args[2]));
    out.int(i64::from(is_member));
    Ok(())
}

const SMISMEMBER: Command = read("smismember", smismember)
    .arity(-3)
    .key(usage::READ, 1)
    .fast()
    .since("6.2.0")
    .doc("Whether the set has each of the members.")
    .syntax("key member [member ...]");

fn smismember(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let set = ctx.read::<Set>(&args[1])?;
    out.array(args.len() - 2);
    for member in args.iter().skip(2) {
        out.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

const SCARD: Command = read("scard", scard).arity(2).key(usage::LOOK, 1).fast().doc("Number of members.").syntax("key");

fn scard(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let len = ctx.read::<Set>(&args[1])?.map_or(0, Set::len);
    out.int(len as i64);
    Ok(())
}

const SMEMBERS: Command = read("smembers", smembers).arity(2).key(usage::READ, 1).doc("All members.").syntax("key");

fn smembers(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match ctx.read::<Set>(&args[1])? {
        Some(set) => write_set(out, set),
        None => out.set(0),
    }
    Ok(())
}

fn write_set(out: &mut Reply, set: &Set) {
    out.set(set.len());
    set.iter().for_each(|member| write_item(out, member));
}

const SPOP: Command = write("spop", spop)
    .arity(-2)
    .key(usage::ACCESS_DELETE, 1)
    .fast()
    .doc("Removes members by chance and returns them.")
    .syntax("key [count]");

/// Members that one record of the log removes.
const SREM_GROUP: usize = 1024;

fn spop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let count = match args.len() {
        2 => None,
        3 => Some(positive(&args[2])?),
        _ => return Err(CommandError::SYNTAX),
    };
    let (limits, mut chance) = (ctx.limits(), ctx.chance());
    let is_logged = ctx.is_logged();
    let mut gone: Vec<Vec<u8>> = Vec::new();
    let popped = ctx.update(&args[1], |set: &mut Set| {
        let popped = count.unwrap_or(1).min(set.len());
        if count.is_some() {
            out.set(popped);
        }
        set.pop(popped, &mut chance, &limits, |member| {
            write_item(out, member);
            if is_logged {
                gone.push(member.to_vec());
            }
        });
        Edit::when(popped > 0, popped)
    })?;
    // Chance is not repeated: the log says which members went.
    for group in gone.chunks(SREM_GROUP) {
        let mut effect: Vec<&[u8]> = vec![b"SREM", &args[1]];
        effect.extend(group.iter().map(Vec::as_slice));
        ctx.log(&effect);
    }
    if popped.is_some_and(|popped| popped > 0) {
        ctx.notify_removal(EventClasses::SET, "spop", &args[1]);
    }
    match (popped, count) {
        (Some(_), _) => {}
        (None, Some(_)) => out.set(0),
        (None, None) => out.nil(),
    }
    Ok(())
}

const SRANDMEMBER: Command =
    read("srandmember", srandmember).arity(-2).key(usage::READ, 1).doc("Members by chance.").syntax("key [count]");

fn srandmember(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut chance = ctx.chance();
    if args.len() == 2 {
        match ctx.read::<Set>(&args[1])?.and_then(|set| set.random(&mut chance)) {
            Some(member) => write_item(out, member),
            None => out.nil(),
        }
        return Ok(());
    }
    if args.len() > 3 {
        return Err(CommandError::SYNTAX);
    }
    let pick = Pick::parse(&args[2])?;
    let bound = Bound::new(ctx, out);
    let Some(set) = ctx.read::<Set>(&args[1])? else {
        out.array(0);
        return Ok(());
    };
    match pick {
        Pick::Distinct(count) => {
            let sample = set.sample(count, &mut chance);
            out.array(sample.len());
            sample.into_iter().for_each(|member| write_item(out, member));
        }
        Pick::Repeating(count) => {
            out.array(count);
            let end = set.sample_repeating(count, &mut chance, |member| {
                write_item(out, member);
                bound.check(out)
            });
            bounded(end)?;
        }
    }
    Ok(())
}

const SMOVE: Command = write("smove", smove)
    .arity(4)
    .key(usage::ACCESS_DELETE, 1)
    .key(usage::INSERT, 2)
    .fast()
    .doc("Moves a member from one set to another.")
    .syntax("source destination member");

fn smove(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (source, destination, member) = (&args[1], &args[2], &args[3]);
    let Some(set) = ctx.peek_as::<Set>(source)? else {
        out.int(0);
        return Ok(());
    };
    let is_member = set.contains(member);
    ctx.check_type::<Set>(destination)?;
    if is_member && source != destination {
        let limits = ctx.limits();
        ctx.update(source, |set: &mut Set| Edit::changed(set.remove(member)))?;
        ctx.notify_removal(EventClasses::SET, "srem", source);
        let new = ctx.upsert(destination, |set: &mut Set| {
            let new = set.insert(member, &limits);
            Edit::when(new, new)
        })?;
        if new {
            ctx.notify(EventClasses::SET, "sadd", destination);
        }
    }
    out.int(i64::from(is_member));
    Ok(())
}

/// Which members of several sets.
#[derive(Clone, Copy)]
enum Algebra {
    Union,
    Intersection,
    Difference,
}

/// Combines the sets at `keys`; a missing one is an empty set.
fn combine(ctx: &mut Ctx<'_>, keys: Args<'_>, algebra: Algebra) -> CmdResult<Set> {
    let limits = ctx.limits();
    let sets = ctx.read_all::<Set>(keys.iter())?;
    let present: Vec<&Set> = sets.iter().flatten().copied().collect();
    Ok(match algebra {
        Algebra::Union => Set::union(&present, &limits),
        Algebra::Intersection if present.len() < sets.len() => Set::new(),
        Algebra::Intersection => Set::intersection(&present, &limits),
        Algebra::Difference if sets[0].is_none() => Set::new(),
        Algebra::Difference => Set::difference(&present, &limits),
    })
}

fn answer(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, algebra: Algebra) -> CmdResult {
    let set = combine(ctx, args.from(1), algebra)?;
    write_set(out, &set);
    Ok(())
}

fn store(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, algebra: Algebra) -> CmdResult {
    let set = combine(ctx, args.from(2), algebra)?;
    let len = set.len();
    ctx.store(&args[1], set, EventClasses::SET, ctx.command.name);
    out.int(len as i64);
    Ok(())
}

const SINTER: Command = read("sinter", sinter)
    .arity(-2)
    .keys(KeySpec::range(usage::READ, 1, -1, 1))
    .doc("The members that all sets share.")
    .syntax("key [key ...]");

fn sinter(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer(ctx, args, out, Algebra::Intersection)
}

const SINTERSTORE: Command = write("sinterstore", sinterstore)
    .arity(-3)
    .key(usage::OVERWRITE, 1)
    .keys(KeySpec::range(usage::READ, 2, -1, 1))
    .deny_oom()
    .doc("Keeps the members that all sets share under a key; returns how many.")
    .syntax("destination key [key ...]");

fn sinterstore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    store(ctx, args, out, Algebra::Intersection)
}

const SUNION: Command = read("sunion", sunion)
    .arity(-2)
    .keys(KeySpec::range(usage::READ, 1, -1, 1))
    .doc("The members of any of the sets.")
    .syntax("key [key ...]");

fn sunion(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer(ctx, args, out, Algebra::Union)
}

const SUNIONSTORE: Command = write("sunionstore", sunionstore)
    .arity(-3)
    .key(usage::OVERWRITE, 1)
    .keys(KeySpec::range(usage::READ, 2, -1, 1))
    .deny_oom()
    .doc("Keeps the members of any of the sets under a key; returns how many.")
    .syntax("destination key [key ...]");

fn sunionstore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    store(ctx, args, out, Algebra::Union)
}

const SDIFF: Command = read("sdiff", sdiff)
    .arity(-2)
    .keys(KeySpec::range(usage::READ, 1, -1, 1))
    .doc("The members of the first set that are in none of the others.")
    .syntax("key [key ...]");

fn sdiff(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer(ctx, args, out, Algebra::Difference)
}

const SDIFFSTORE: Command = write("sdiffstore", sdiffstore)
    .arity(-3)
    .key(usage::OVERWRITE, 1)
    .keys(KeySpec::range(usage::READ, 2, -1, 1))
    .deny_oom()
    .doc("Keeps the members of the first set that are in none of the others under a key; returns how many.")
    .syntax("destination key [key ...]");

fn sdiffstore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    store(ctx, args, out, Algebra::Difference)
}

/// The number of keys of a command that only counts.
fn counted(args: Args<'_>) -> CmdResult<usize> {
    let count = number::parse_i64(&args[1]).filter(|count| *count > 0).ok_or(CommandError::NUMKEYS)?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > args.len() - 2 { Err(CommandError::MORE_KEYS_THAN_ARGS) } else { Ok(count) }
}

const SUNIONCARD: Command = read("sunioncard", sunioncard)
    .arity(-3)
    .keys(KeySpec::counted(usage::READ, 1))
    .flag(crate::command::Flags::MOVABLEKEYS)
    .since("8.10.0")
    .doc("How many members any of the sets has, counted up to a limit; the count is exact even where APPROX allows a guess.")
    .syntax("numkeys key [key ...] [APPROX] [LIMIT limit]");

fn sunioncard(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let end = 2 + counted(args)?;
    let is_approx = args.get(end).is_some_and(|word| is(word, "approx"));
    let limit = intersection_limit(args, end + usize::from(is_approx))?;
    count_members(ctx, args.slice(2..end), limit, Algebra::Union, out)
}

const SDIFFCARD: Command = read("sdiffcard", sdiffcard)
    .arity(-3)
    .keys(KeySpec::counted(usage::READ, 1))
    .flag(crate::command::Flags::MOVABLEKEYS)
    .since("8.10.0")
    .doc("How many members of the first set are in none of the others, counted up to a limit.")
    .syntax("numkeys key [key ...] [LIMIT limit]");

fn sdiffcard(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let end = 2 + counted(args)?;
    let limit = intersection_limit(args, end)?;
    count_members(ctx, args.slice(2..end), limit, Algebra::Difference, out)
}

/// Answers how many members a union or a difference has; a limit of 0 is none.
fn count_members(ctx: &mut Ctx<'_>, keys: Args<'_>, limit: usize, algebra: Algebra, out: &mut Reply) -> CmdResult {
    let len = combine(ctx, keys, algebra)?.len();
    out.int(if limit == 0 { len } else { len.min(limit) } as i64);
    Ok(())
}

const SINTERCARD: Command = read("sintercard", sintercard)
    .arity(-3)
    .keys(KeySpec::counted(usage::READ, 1))
    .flag(crate::command::Flags::MOVABLEKEYS)
    .since("7.0.0")
    .doc("How many members all sets share, counted up to a limit.")
    .syntax("numkeys key [key ...] [LIMIT limit]");

fn sintercard(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let count = counted(args)?;
    let limit = intersection_limit(args, 2 + count)?;
    let sets = ctx.read_all::<Set>(args.slice(2..2 + count).iter())?;
    let present: Vec<&Set> = sets.iter().flatten().copied().collect();
    let shared = if present.len() < sets.len() { 0 } else { Set::intersection_count(&present, limit) };
    out.int(shared as i64);
    Ok(())
}

const SSCAN: Command = read("sscan", sscan)
    .arity(-3)
    .key(usage::READ, 1)
    .since("2.8.0")
    .doc("One step of a walk over all members.")
    .syntax("key cursor [MATCH pattern] [COUNT count]");

fn sscan(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let set = to_scan::<Set>(ctx, args)?;
    let options = ScanOptions::parse(args, set.is_some(), "")?;
    options.answer(out, |cursor, count, out| {
        let mut shown = 0;
        let next = set.map_or(0, |set| {
            set.scan(cursor, count, |member: Item<'_>| {
                if member.with_bytes(|member| options.matches(member)) {
                    shown += 1;
                    write_item(out, member);
                }
            })
        });
        (next, shown)
    });
    Ok(())
}
