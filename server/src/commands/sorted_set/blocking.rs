//! The sorted set commands that wait until there is a member.

use super::{is_max, pop_pairs, popped_from, take};
use crate::command::{Command, Flags, Group, Handler, KeySpec, usage};
use crate::commands::list::pop_count;
use crate::commands::{Awaited, counted_keys, timeout, wait_for, write_item};
use crate::context::Ctx;
use crate::error::CmdResult;
use crate::notify::EventClasses;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::shard::Edit;
use resplite_storage::types::sorted_set::SortedSet;
use resplite_storage::waiting::Hope;

pub(crate) const COMMANDS: &[Command] = &[BZPOPMIN, BZPOPMAX, BZMPOP];

const fn blocking(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::SortedSet, name, handler).flag(Flags::BLOCKING)
}

const BZPOPMIN: Command = blocking("bzpopmin", bzpopmin)
    .arity(-3)
    .keys(KeySpec::range(usage::ACCESS_DELETE, 1, -2, 1))
    .fast()
    .since("5.0.0")
    .doc("Removes the member with the least score from the first sorted set that has any, waiting for one if need be.")
    .syntax("key [key ...] timeout");

fn bzpopmin(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    pop_or_wait(ctx, args, false, out)
}

const BZPOPMAX: Command = blocking("bzpopmax", bzpopmax)
    .arity(-3)
    .keys(KeySpec::range(usage::ACCESS_DELETE, 1, -2, 1))
    .fast()
    .since("5.0.0")
    .doc("Removes the member with the greatest score from the first sorted set that has any, waiting for one if need be.")
    .syntax("key [key ...] timeout");

fn bzpopmax(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    pop_or_wait(ctx, args, true, out)
}

fn pop_or_wait(ctx: &mut Ctx<'_>, args: Args<'_>, greatest: bool, out: &mut Reply) -> CmdResult {
    let last = args.len() - 1;
    let deadline = timeout(ctx, &args[last])?;
    for key in args.slice(1..last).iter() {
        if !ctx.can_see(key) || ctx.peek_as::<SortedSet>(key)?.is_none() {
            continue;
        }
        out.array(3);
        out.bulk(key);
        ctx.update(key, |set: &mut SortedSet| {
            take(set, 1, greatest, |member, score| {
                write_item(out, member);
                out.double(score);
            });
            Edit::changed(())
        })?;
        ctx.notify_removal(EventClasses::SORTED_SET, popped_from(greatest), key);
        ctx.log(&[pop_name(greatest), key]);
        return Ok(());
    }
    wait_for(
        ctx,
        args,
        Awaited { keys: 1..last, target: None, hope: Hope::SortedSet, deadline },
        Reply::nil_array,
        out,
    );
    Ok(())
}

/// The command that does at once what has been done after waiting.
fn pop_name(greatest: bool) -> &'static [u8] {
    if greatest { b"ZPOPMAX" } else { b"ZPOPMIN" }
}

const BZMPOP: Command = blocking("bzmpop", bzmpop)
    .arity(-5)
    .keys(KeySpec::counted(usage::ACCESS_DELETE, 2))
    .flag(Flags::MOVABLEKEYS)
    .since("7.0.0")
    .doc("Removes members from the first of several sorted sets that has any, waiting for one if need be.")
    .syntax("timeout numkeys key [key ...] <MIN | MAX> [COUNT count]");

fn bzmpop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (keys, at) = counted_keys(args, 2)?;
    let greatest = is_max(args.get(at))?;
    let count = pop_count(args, at + 1)?;
    let deadline = timeout(ctx, &args[1])?;
    for key in keys.iter() {
        if !ctx.can_see(key) {
            continue;
        }
        let Some(len) = ctx.peek_as::<SortedSet>(key)?.map(SortedSet::len) else { continue };
        pop_pairs(ctx, key, count, greatest, out)?;
        ctx.log(&[pop_name(greatest), key, count.min(len).to_string().as_bytes()]);
        return Ok(());
    }
    wait_for(ctx, args, Awaited { keys: 3..at, target: None, hope: Hope::SortedSet, deadline }, Reply::nil_array, out);
    Ok(())
}
