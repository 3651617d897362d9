//! The transaction family: MULTI queues, EXEC runs the queue under one set of locks, WATCH makes it conditional.

use crate::acl::refusals::Context;
use crate::acl::selector::Denied;
use crate::command::{Command, Flags, Group, KeySpec, Locks, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::session::Transaction;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::keyspace::ShardSet;
use std::sync::atomic::Ordering;

pub(crate) const COMMANDS: &[Command] = &[MULTI, EXEC, DISCARD, WATCH, UNWATCH];

const CONTROL: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::ALLOW_BUSY);

const MULTI: Command = Command::control(Group::Transactions, "multi", multi)
    .flag(CONTROL)
    .fast()
    .since("1.2.0")
    .doc("Begins a transaction: commands are queued until EXEC.");

fn multi(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    if ctx.session.transaction.is_some() {
        return Err(CommandError::NESTED_MULTI);
    }
    ctx.session.transaction = Some(Transaction { queue: Vec::new(), shards: ShardSet::none(), aborted: false });
    ctx.session.record.queued.store(0, Ordering::Relaxed);
    out.ok();
    Ok(())
}

const DISCARD: Command = Command::control(Group::Transactions, "discard", discard)
    .flag(CONTROL)
    .fast()
    .locks(Locks::Watched)
    .since("2.0.0")
    .doc("Forgets the queued commands and the watched keys.");

fn discard(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    take_transaction(ctx).ok_or(CommandError::DISCARD_WITHOUT_MULTI)?;
    unwatch_locked(ctx);
    out.ok();
    Ok(())
}

fn take_transaction(ctx: &mut Ctx<'_>) -> Option<Transaction> {
    ctx.session.record.queued.store(-1, Ordering::Relaxed);
    ctx.session.transaction.take()
}

/// Forgets queued commands and watched keys, whose shards are locked.
pub(crate) fn forget(ctx: &mut Ctx<'_>) {
    take_transaction(ctx);
    unwatch_locked(ctx);
}

/// Forgets the watched keys, whose shards are locked.
fn unwatch_locked(ctx: &mut Ctx<'_>) {
    let watched = std::mem::take(&mut ctx.session.watched);
    watched.leave(ctx.locked());
    ctx.session.record.watching.store(0, Ordering::Relaxed);
}

const EXEC: Command = Command::control(Group::Transactions, "exec", exec)
    .flag(Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::SKIP_SLOWLOG))
    .locks(Locks::Queue)
    .since("1.2.0")
    .doc("Runs the queued commands as one, unless a watched key has changed.");

fn exec(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let transaction = take_transaction(ctx).ok_or(CommandError::EXEC_WITHOUT_MULTI)?;
    // A watched key whose time has come is gone, whether or not anything has swept it.
    let now = ctx.horizon();
    for (db, key) in ctx.session.watched.keys.clone() {
        let at = ctx.at_db(db, &key);
        ctx.shard(at).purge(at, now);
    }
    let dirty = ctx.session.watched.watcher.is_dirty();
    unwatch_locked(ctx);
    if transaction.aborted {
        return Err(CommandError::EXECABORT);
    }
    if dirty {
        out.nil_array();
        return Ok(());
    }
    let exec = ctx.command;
    out.array(transaction.queue.len());
    for (command, args) in &transaction.queue {
        let args = args.as_args();
        if let Err(denied) = ctx.session.user.check(command, args) {
            let who = (&*ctx.session.record, &*ctx.session.user);
            ctx.engine.note_denied(who, (command, args), denied, Context::Transaction);
            ctx.engine.command_stats.count_rejected(ctx.session.record.id, command);
            let error = CommandError::right_lost(match denied {
                Denied::Command => "no permission to execute the command or subcommand",
                Denied::Key(_) => "no permission to touch the specified keys",
                Denied::Channel(_) => "no permission to access one of the channels used as arguments",
            });
            ctx.engine.stats.count_error(error.as_bytes());
            out.error(error.as_bytes());
            continue;
        }
        ctx.run_timed(command, args, out);
    }
    ctx.command = exec;
    Ok(())
}

const WATCH: Command = Command::control(Group::Transactions, "watch", watch)
    .arity(-2)
    .keys(KeySpec::range(usage::LOOK, 1, -1, 1))
    .flag(CONTROL)
    .fast()
    .since("2.2.0")
    .doc("Has the next EXEC run only if none of these keys has changed by then.")
    .syntax("key [key ...]");

fn watch(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if ctx.session.transaction.is_some() {
        return Err(CommandError::WATCH_INSIDE_MULTI);
    }
    let (db, now) = (ctx.db(), ctx.horizon());
    for key in args.iter().skip(1) {
        let at = ctx.at(key);
        let watcher = ctx.session.watched.watcher.clone();
        // Asked of the key, which few watch, and not of the session, which may watch a million keys.
        if ctx.shard(at).is_watched_by(at, &watcher) {
            continue;
        }
        ctx.shard(at).watch(at, now, watcher);
        ctx.session.watched.keys.push((db, key.into()));
    }
    ctx.session.record.watching.store(ctx.session.watched.keys.len() as u32, Ordering::Relaxed);
    out.ok();
    Ok(())
}

const UNWATCH: Command = Command::control(Group::Transactions, "unwatch", unwatch)
    .flag(CONTROL)
    .fast()
    .locks(Locks::Watched)
    .since("2.2.0")
    .doc("Forgets the watched keys.");

fn unwatch(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    // Inside EXEC there is nothing left to forget.
    unwatch_locked(ctx);
    out.ok();
    Ok(())
}
