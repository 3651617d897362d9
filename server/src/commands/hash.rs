//! The hash family: fields with values under one key.

pub(crate) mod deadlines;

use super::keys::{ScanOptions, to_scan};
use super::{Bound, Pick, bounded, float_error, int, is, write_item};
use crate::command::{Command, Group, Handler, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::shard::Edit;
use resplite_storage::types::Item;
use resplite_storage::types::hash::Hash;

pub(crate) const COMMANDS: &[Command] = &[
    HSET,
    HMSET,
    HSETNX,
    HGET,
    HMGET,
    HGETALL,
    HKEYS,
    HVALS,
    HLEN,
    HSTRLEN,
    HEXISTS,
    HDEL,
    HINCRBY,
    HINCRBYFLOAT,
    HRANDFIELD,
    HSCAN,
];

const fn read(name: &'static str, handler: Handler) -> Command {
    Command::read(Group::Hash, name, handler).since("2.0.0")
}

const fn write(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::Hash, name, handler).since("2.0.0")
}

const HSET: Command = write("hset", hset)
    .arity(-4)
    .key(usage::UPDATE, 1)
    .deny_oom()
    .fast()
    .doc("Sets fields; returns how many are new.")
    .syntax("key field value [field value ...]");

fn hset(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let new = set_fields(ctx, args)?;
    out.int(new as i64);
    Ok(())
}

/// Sets the fields and values from the second argument on; returns how many fields are new.
fn set_fields(ctx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult<usize> {
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::arity(ctx.command.name));
    }
    let limits = ctx.limits();
    let new = ctx.upsert(&args[1], |hash: &mut Hash| {
        let added = args.len() / 2 - 1;
        if added > 1 {
            let longest = args.iter().skip(2).map(<[u8]>::len).max().unwrap_or(0);
            hash.expect(added, longest, &limits);
        }
        let fields = (2..args.len()).step_by(2);
        Edit::changed(fields.filter(|at| hash.set(&args[*at], &args[at + 1], &limits)).count())
    })?;
    ctx.notify(EventClasses::HASH, "hset", &args[1]);
    Ok(new)
}

const HMSET: Command = write("hmset", hmset)
    .arity(-4)
    .key(usage::UPDATE, 1)
    .deny_oom()
    .fast()
    .doc("Sets fields; the old form of HSET.")
    .syntax("key field value [field value ...]");

fn hmset(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    set_fields(ctx, args)?;
    out.ok();
    Ok(())
}

const HSETNX: Command = write("hsetnx", hsetnx)
    .arity(4)
    .key(usage::INSERT, 1)
    .deny_oom()
    .fast()
    .doc("Sets a field if it does not exist.")
    .syntax("key field value");

fn hsetnx(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let limits = ctx.limits();
    let new = ctx.upsert(&args[1], |hash: &mut Hash| {
        let new = !hash.contains(&args[2]) && hash.set(&args[2], &args[3], &limits);
        Edit::when(new, new)
    })?;
    if new {
        ctx.notify(EventClasses::HASH, "hset", &args[1]);
    }
    out.int(i64::from(new));
    Ok(())
}

const HGET: Command =
    read("hget", hget).arity(3).key(usage::READ, 1).fast().doc("Value of one field, or nil.").syntax("key field");

fn hget(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match ctx.read::<Hash>(&args[1])?.and_then(|hash| hash.get(&args[2])) {
        Some(value) => write_item(out, value),
        None => out.nil(),
    }
    Ok(())
}

const HMGET: Command = read("hmget", hmget)
    .arity(-3)
    .key(usage::READ, 1)
    .fast()
    .doc("Values of several fields, nil for those that do not exist.")
    .syntax("key field [field ...]");

fn hmget(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let hash = ctx.read::<Hash>(&args[1])?;
    out.array(args.len() - 2);
    for field in args.iter().skip(2) {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => write_item(out, value),
            None => out.nil(),
        }
    }
    Ok(())
}

const HGETALL: Command =
    read("hgetall", hgetall).arity(2).key(usage::READ, 1).doc("All fields with their values.").syntax("key");

fn hgetall(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let Some(hash) = ctx.read::<Hash>(&args[1])? else {
        out.map(0);
        return Ok(());
    };
    out.map(hash.len());
    for (field, value) in hash.iter() {
        write_item(out, field);
        write_item(out, value);
    }
    Ok(())
}

const HKEYS: Command = read("hkeys", hkeys).arity(2).key(usage::READ, 1).doc("The names of all fields.").syntax("key");

fn hkeys(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    list(ctx, args, out, |(field, _)| field)
}

const HVALS: Command = read("hvals", hvals).arity(2).key(usage::READ, 1).doc("The values of all fields.").syntax("key");

fn hvals(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    list(ctx, args, out, |(_, value)| value)
}

fn list(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    out: &mut Reply,
    pick: impl for<'a> Fn((Item<'a>, Item<'a>)) -> Item<'a>,
) -> CmdResult {
    let Some(hash) = ctx.read::<Hash>(&args[1])? else {
        out.array(0);
        return Ok(());
    };
    out.array(hash.len());
    hash.iter().for_each(|pair| write_item(out, pick(pair)));
    Ok(())
}

const HLEN: Command = read("hlen", hlen).arity(2).key(usage::LOOK, 1).fast().doc("Number of fields.").syntax("key");

fn hlen(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let len = ctx.read::<Hash>(&args[1])?.map_or(0, Hash::len);
    out.int(len as i64);
    Ok(())
}

const HSTRLEN: Command = read("hstrlen", hstrlen)
    .arity(3)
    .key(usage::LOOK, 1)
    .fast()
    .since("3.2.0")
    .doc("Length of a field's value in bytes; 0 if there is none.")
    .syntax("key field");

fn hstrlen(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let len = ctx.read::<Hash>(&args[1])?.map_or(0, |hash| hash.value_len(&args[2]));
    out.int(len as i64);
    Ok(())
}

const HEXISTS: Command =
    read("hexists", hexists).arity(3).key(usage::LOOK, 1).fast().doc("Whether a field exists.").syntax("key field");

fn hexists(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let exists = ctx.read::<Hash>(&args[1])?.is_some_and(|hash| hash.contains(&args[2]));
    out.int(i64::from(exists));
    Ok(())
}

const HDEL: Command = write("hdel", hdel)
    .arity(-3)
    .key(usage::DELETE, 1)
    .fast()
    .doc("Removes fields; returns how many existed. The key goes with its last field.")
    .syntax("key field [field ...]");

fn hdel(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let removed = ctx.update(&args[1], |hash: &mut Hash| {
        let removed = args.iter().skip(2).filter(|field| hash.remove(field)).count();
        Edit::when(removed > 0, removed)
    })?;
    let removed = removed.unwrap_or(0);
    if removed > 0 {
        ctx.notify_removal(EventClasses::HASH, "hdel", &args[1]);
    }
    out.int(removed as i64);
    Ok(())
}

const HINCRBY: Command = write("hincrby", hincrby)
    .arity(4)
    .key(usage::UPDATE_ACCESS, 1)
    .deny_oom()
    .fast()
    .doc("Adds to the integer in a field, which begins at 0.")
    .syntax("key field increment");

fn hincrby(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let by = int(&args[3])?;
    let limits = ctx.limits();
    let sum = ctx.upsert(&args[1], |hash: &mut Hash| {
        let old = hash.get(&args[2]).map_or(Some(0), Item::to_int);
        let sum = match old {
            None => Err(CommandError::HASH_NOT_INTEGER),
            Some(old) => old.checked_add(by).ok_or(CommandError::OVERFLOW),
        };
        if let Ok(sum) = sum {
            Item::Int(sum).with_bytes(|text| hash.set_value(&args[2], text, &limits));
        }
        Edit::when(sum.is_ok(), sum)
    })??;
    ctx.notify(EventClasses::HASH, "hincrby", &args[1]);
    out.int(sum);
    Ok(())
}

const HINCRBYFLOAT: Command = write("hincrbyfloat", hincrbyfloat)
    .arity(4)
    .key(usage::UPDATE_ACCESS, 1)
    .deny_oom()
    .fast()
    .since("2.6.0")
    .doc("Adds to the decimal number in a field, which begins at 0.")
    .syntax("key field increment");

fn hincrbyfloat(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    use resplite_resp::extended::Extended;
    let by = Extended::parse(&args[3]).ok_or(CommandError::NOT_FLOAT)?;
    if !by.is_finite() {
        return Err(CommandError::text("ERR value is NaN or Infinity"));
    }
    let limits = ctx.limits();
    let (sum, has_deadline) = ctx.upsert(&args[1], |hash: &mut Hash| {
        let old = hash.get(&args[2]).map(Item::to_vec).unwrap_or_else(|| b"0".to_vec());
        let sum = match Extended::parse(&old) {
            None => Err(CommandError::HASH_NOT_FLOAT),
            Some(_) => number::add_decimal(&old, &args[3]).map_err(float_error),
        };
        if let Ok(sum) = &sum {
            hash.set_value(&args[2], sum.as_bytes(), &limits);
        }
        Edit::when(sum.is_ok(), sum.map(|sum| (sum, hash.deadline(&args[2]).is_some())))
    })??;
    // Another server might add in another precision.
    if has_deadline {
        ctx.log(&[b"HSETEX", &args[1], b"KEEPTTL", b"FIELDS", b"1", &args[2], sum.as_bytes()]);
    } else {
        ctx.log(&[b"HSET", &args[1], &args[2], sum.as_bytes()]);
    }
    ctx.notify(EventClasses::HASH, "hincrbyfloat", &args[1]);
    out.bulk(&sum);
    Ok(())
}

const HRANDFIELD: Command = read("hrandfield", hrandfield)
    .arity(-2)
    .key(usage::READ, 1)
    .since("6.2.0")
    .doc("Fields by chance, with their values on request.")
    .syntax("key [count [WITHVALUES]]");

fn hrandfield(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut chance = ctx.chance();
    if args.len() == 2 {
        match ctx.read::<Hash>(&args[1])?.and_then(|hash| hash.random(&mut chance)) {
            Some((field, _)) => write_item(out, field),
            None => out.nil(),
        }
        return Ok(());
    }
    let pick = Pick::parse(&args[2])?;
    let with_values = match args.len() {
        3 => false,
        4 if is(&args[3], "withvalues") => true,
        _ => return Err(CommandError::SYNTAX),
    };
    if with_values && int(&args[2])?.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::OUT_OF_RANGE);
    }
    let bound = Bound::new(ctx, out);
    let Some(hash) = ctx.read::<Hash>(&args[1])? else {
        out.array(0);
        return Ok(());
    };
    let pairs_apart = out.is_resp3();
    let len = |count: usize| if with_values && !pairs_apart { count * 2 } else { count };
    let write = |out: &mut Reply, field: Item<'_>, value: Item<'_>| {
        if with_values && pairs_apart {
            out.array(2);
        }
        write_item(out, field);
        if with_values {
            write_item(out, value);
        }
    };
    match pick {
        Pick::Distinct(count) => {
            let sample = hash.sample(count, &mut chance);
            out.array(len(sample.len()));
            sample.into_iter().for_each(|(field, value)| write(out, field, value));
        }
        Pick::Repeating(count) => {
            out.array(len(count));
            let end = hash.sample_repeating(count, &mut chance, |field, value| {
                write(out, field, value);
                bound.check(out)
            });
            bounded(end)?;
        }
    }
    Ok(())
}

const HSCAN: Command = read("hscan", hscan)
    .arity(-3)
    .key(usage::READ, 1)
    .since("2.8.0")
    .doc("One step of a walk over all fields.")
    .syntax("key cursor [MATCH pattern] [COUNT count] [NOVALUES]");

fn hscan(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let hash = to_scan::<Hash>(ctx, args)?;
    let options = ScanOptions::parse(args, hash.is_some(), "novalues")?;
    options.answer(out, |cursor, count, out| {
        let mut shown = 0;
        let next = hash.map_or(0, |hash| {
            hash.scan(cursor, count, |field, value| {
                if !field.with_bytes(|field| options.matches(field)) {
                    return;
                }
                shown += 1;
                write_item(out, field);
                if !options.no_values {
                    shown += 1;
                    write_item(out, value);
                }
            })
        });
        (next, shown)
    });
    Ok(())
}
