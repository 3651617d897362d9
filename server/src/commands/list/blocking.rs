//! The list commands that wait until there is an element.

use super::{move_element, pop_count, pop_many, popped, side};
use crate::command::{Command, Flags, Group, Handler, KeySpec, usage};
use crate::commands::{Awaited, counted_keys, timeout, wait_for, write_item};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::shard::Edit;
use resplite_storage::types::list::{List, Side};
use resplite_storage::waiting::Hope;

pub(crate) const COMMANDS: &[Command] = &[BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP];

const fn blocking(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::List, name, handler).flag(Flags::BLOCKING)
}

const BLPOP: Command = blocking("blpop", blpop)
    .arity(-3)
    .keys(KeySpec::range(usage::ACCESS_DELETE, 1, -2, 1))
    .since("2.0.0")
    .doc("Takes an element from the left end of the first list that has any, waiting for one if need be.")
    .syntax("key [key ...] timeout");

fn blpop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    pop_or_wait(ctx, args, Side::Front, out)
}

const BRPOP: Command = blocking("brpop", brpop)
    .arity(-3)
    .keys(KeySpec::range(usage::ACCESS_DELETE, 1, -2, 1))
    .since("2.0.0")
    .doc("Takes an element from the right end of the first list that has any, waiting for one if need be.")
    .syntax("key [key ...] timeout");

fn brpop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    pop_or_wait(ctx, args, Side::Back, out)
}

fn pop_or_wait(ctx: &mut Ctx<'_>, args: Args<'_>, from: Side, out: &mut Reply) -> CmdResult {
    let last = args.len() - 1;
    let (deadline, limits) = (timeout(ctx, &args[last])?, ctx.limits());
    for key in args.slice(1..last).iter() {
        if !ctx.can_see(key) || ctx.peek_as::<List>(key)?.is_none() {
            continue;
        }
        out.array(2);
        out.bulk(key);
        ctx.update(key, |list: &mut List| {
            list.pop(from, &limits, |element| write_item(out, element));
            Edit::changed(())
        })?;
        ctx.notify_removal(EventClasses::LIST, popped(from), key);
        ctx.log(&[pop_name(from), key]);
        return Ok(());
    }
    wait_for(ctx, args, Awaited { keys: 1..last, target: None, hope: Hope::List, deadline }, Reply::nil_array, out);
    Ok(())
}

/// The command that does at once what has been done after waiting.
fn pop_name(side: Side) -> &'static [u8] {
    match side {
        Side::Front => b"LPOP",
        Side::Back => b"RPOP",
    }
}

const BLMOVE: Command = blocking("blmove", blmove)
    .arity(6)
    .key(usage::ACCESS_DELETE, 1)
    .key(usage::INSERT, 2)
    .deny_oom()
    .since("6.2.0")
    .doc("Moves an element from an end of a list to an end of another, waiting for one if need be.")
    .syntax("source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout");

fn blmove(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (from, to) = (side(&args[3])?, side(&args[4])?);
    let deadline = timeout(ctx, &args[5])?;
    let effect: [&[u8]; 5] = [b"LMOVE", &args[1], &args[2], &args[3], &args[4]];
    move_or_wait(ctx, args, (from, to), deadline, &effect, out)
}

const BRPOPLPUSH: Command = blocking("brpoplpush", brpoplpush)
    .arity(4)
    .key(usage::ACCESS_DELETE, 1)
    .key(usage::INSERT, 2)
    .deny_oom()
    .since("2.2.0")
    .doc("Moves the last element of a list to the front of another, waiting for one if need be.")
    .syntax("source destination timeout");

fn brpoplpush(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let deadline = timeout(ctx, &args[3])?;
    let effect: [&[u8]; 3] = [b"RPOPLPUSH", &args[1], &args[2]];
    move_or_wait(ctx, args, (Side::Back, Side::Front), deadline, &effect, out)
}

fn move_or_wait(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    (from, to): (Side, Side),
    deadline: Option<u64>,
    effect: &[&[u8]],
    out: &mut Reply,
) -> CmdResult {
    if ctx.peek_as::<List>(&args[1])?.is_none() {
        wait_for(ctx, args, Awaited { keys: 1..2, target: Some(2), hope: Hope::List, deadline }, Reply::nil, out);
        return Ok(());
    }
    move_element(ctx, (&args[1], from), (&args[2], to), out)?;
    ctx.log(effect);
    Ok(())
}

const BLMPOP: Command = blocking("blmpop", blmpop)
    .arity(-5)
    .keys(KeySpec::counted(usage::ACCESS_DELETE, 2))
    .flag(Flags::MOVABLEKEYS)
    .since("7.0.0")
    .doc("Takes elements from the first of several lists that has any, waiting for one if need be.")
    .syntax("timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]");

fn blmpop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (keys, at) = counted_keys(args, 2)?;
    let from = side(args.get(at).ok_or(CommandError::SYNTAX)?)?;
    let count = pop_count(args, at + 1)?;
    let deadline = timeout(ctx, &args[1])?;
    let limits = ctx.limits();
    for key in keys.iter() {
        if !ctx.can_see(key) {
            continue;
        }
        let Some(len) = ctx.peek_as::<List>(key)?.map(List::len) else { continue };
        out.array(2);
        out.bulk(key);
        ctx.update(key, |list: &mut List| pop_many(list, from, count, &limits, out))?;
        ctx.notify_removal(EventClasses::LIST, popped(from), key);
        ctx.log(&[pop_name(from), key, count.min(len).to_string().as_bytes()]);
        return Ok(());
    }
    wait_for(ctx, args, Awaited { keys: 3..at, target: None, hope: Hope::List, deadline }, Reply::nil_array, out);
    Ok(())
}
