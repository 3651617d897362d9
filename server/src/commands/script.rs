//! The scripting family: scripts by source and by name, and what is kept of them. How they run is in `script.rs`.

use super::{int, is};
use crate::command::{Command, Flags, Group, Handler, KeySpec, Locks, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::script::running::Killed;
use crate::script::{Call, hex, parse_sha};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

pub(crate) const COMMANDS: &[Command] = &[EVAL, EVAL_RO, EVALSHA, EVALSHA_RO, SCRIPT];

/// A command that runs a script or a function: it holds every shard, as a script may put the names of its keys together.
pub(super) const fn runner(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Scripting, name, handler)
        .arity(-3)
        .keys(KeySpec::counted(&["RW", "ACCESS", "UPDATE"], 2))
        .flag(RUNNER)
        .flag(Flags::MAY_REPLICATE)
        .locks(Locks::All)
}

/// The same for one that may not write.
pub(super) const fn reader(name: &'static str, handler: Handler) -> Command {
    Command::read(Group::Scripting, name, handler)
        .arity(-3)
        .keys(KeySpec::counted(usage::READ, 2))
        .flag(RUNNER)
        .locks(Locks::All)
        .since("7.0.0")
}

const RUNNER: Flags = Flags::NOSCRIPT
    .with(Flags::STALE)
    .with(Flags::SKIP_MONITOR)
    .with(Flags::NO_MANDATORY_KEYS)
    .with(Flags::MOVABLEKEYS);

const EVAL: Command = runner("eval", eval)
    .since("2.6.0")
    .doc("Runs a Lua script, which is kept by its SHA-1.")
    .syntax("script numkeys [key ...] [arg ...]");

const EVAL_RO: Command =
    reader("eval_ro", eval_ro).doc("Runs a Lua script that only reads.").syntax("script numkeys [key ...] [arg ...]");

const EVALSHA: Command = runner("evalsha", evalsha)
    .since("2.6.0")
    .doc("Runs a Lua script that is kept.")
    .syntax("sha1 numkeys [key ...] [arg ...]");

const EVALSHA_RO: Command = reader("evalsha_ro", evalsha_ro)
    .doc("Runs a Lua script that is kept and only reads.")
    .syntax("sha1 numkeys [key ...] [arg ...]");

fn eval(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    run(ctx, args, false, out)
}

fn eval_ro(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    run(ctx, args, true, out)
}

fn evalsha(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    run_kept(ctx, args, false, out)
}

fn evalsha_ro(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    run_kept(ctx, args, true, out)
}

fn run(ctx: &mut Ctx<'_>, args: Args<'_>, is_read_only: bool, out: &mut Reply) -> CmdResult {
    show(ctx, args);
    let call = call(args, is_read_only)?;
    ctx.engine.scripts.eval(ctx, &args[1], call, out)
}

fn run_kept(ctx: &mut Ctx<'_>, args: Args<'_>, is_read_only: bool, out: &mut Reply) -> CmdResult {
    show(ctx, args);
    let Some(sha) = parse_sha(&args[1]) else { return Err(CommandError::NO_SCRIPT) };
    let call = call(args, is_read_only)?;
    ctx.engine.scripts.evalsha(ctx, &sha, call, out)
}

/// Shows the call to those who watch, before the commands that it brings.
pub(super) fn show(ctx: &Ctx<'_>, args: Args<'_>) {
    if ctx.engine.monitors.is_watched() {
        ctx.show(args);
    }
}

/// The keys and the other arguments of a call.
fn call(args: Args<'_>, is_read_only: bool) -> CmdResult<Call<'_>> {
    call_of(args, int(&args[2])?, is_read_only)
}

/// The same, with so many keys.
pub(super) fn call_of(args: Args<'_>, count: i64, is_read_only: bool) -> CmdResult<Call<'_>> {
    let given = args.len() - 3;
    let Ok(count) = usize::try_from(count) else { return Err(CommandError::NEGATIVE_NUMKEYS) };
    if count > given {
        return Err(CommandError::MORE_KEYS_THAN_ARGS);
    }
    Ok(Call { args, keys: args.slice(3..3 + count), argv: args.from(3 + count), is_read_only })
}

const fn sub(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Scripting, name, handler).flag(Flags::NOSCRIPT)
}

const SCRIPT: Command = Command::container(
    Group::Scripting,
    "script",
    &[
        sub("script|debug", debug)
            .arity(3)
            .since("3.2.0")
            .doc("Switches the debugger, which does not exist here: all but NO is refused.")
            .syntax("<YES | SYNC | NO>"),
        sub("script|exists", exists)
            .arity(-3)
            .locks(Locks::All)
            .since("2.6.0")
            .doc("Which scripts are kept.")
            .syntax("sha1 [sha1 ...]"),
        sub("script|flush", flush)
            .arity(-2)
            .locks(Locks::All)
            .since("2.6.0")
            .doc("Forgets all scripts.")
            .syntax("[ASYNC | SYNC]"),
        Command::control(Group::Scripting, "script|help", super::help)
            .arity(2)
            .flag(Flags::LOADING.with(Flags::STALE))
            .since("5.0.0")
            .doc("This list."),
        sub("script|kill", kill)
            .arity(2)
            .flag(Flags::ALLOW_BUSY)
            .since("2.6.0")
            .doc("Ends the running script, unless it has written."),
        sub("script|load", load)
            .arity(3)
            .flag(Flags::STALE)
            .locks(Locks::All)
            .since("2.6.0")
            .doc("Keeps a script and says its name, the SHA-1 of its source.")
            .syntax("script"),
        sub("script|show", source)
            .arity(3)
            .flag(Flags::STALE)
            .locks(Locks::All)
            .since("8.0.0")
            .doc("The source of a script that is kept.")
            .syntax("sha1"),
    ],
)
.since("2.6.0")
.doc("What is kept of scripts.");

fn debug(_: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match &args[2] {
        word if is(word, "no") => out.ok(),
        word if is(word, "yes") || is(word, "sync") => return Err(CommandError::NO_SCRIPT_DEBUG),
        _ => return Err(CommandError::SCRIPT_DEBUG_MODE),
    }
    Ok(())
}

fn exists(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    out.array(args.len() - 2);
    for name in args.iter().skip(2) {
        let is_kept = parse_sha(name).is_some_and(|sha| ctx.engine.scripts.contains(&sha));
        out.int(is_kept.into());
    }
    Ok(())
}

/// Whether the word behind FLUSH is one that it knows. There is nothing that would take long enough to be put off.
pub(super) fn is_flush_mode(args: Args<'_>) -> bool {
    match args.len() {
        2 => true,
        3 => is(&args[2], "sync") || is(&args[2], "async"),
        _ => false,
    }
}

fn flush(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if !is_flush_mode(args) {
        return Err(CommandError::SCRIPT_FLUSH_MODE);
    }
    ctx.engine.scripts.flush();
    out.ok();
    Ok(())
}

fn kill(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    end_running(ctx, false, out)
}

/// Ends what runs, if it is of that kind.
pub(super) fn end_running(ctx: &Ctx<'_>, function: bool, out: &mut Reply) -> CmdResult {
    match ctx.engine.scripts.running.kill(function) {
        Killed::Yes => out.ok(),
        Killed::NotRunning => return Err(CommandError::NOT_BUSY),
        Killed::OtherKind if function => return Err(CommandError::BUSY_SCRIPT),
        Killed::OtherKind => return Err(CommandError::BUSY_FUNCTION),
        Killed::HasWritten => return Err(CommandError::UNKILLABLE),
    }
    Ok(())
}

fn load(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let sha = ctx.engine.scripts.load(ctx, &args[2])?;
    out.bulk(hex(&sha));
    Ok(())
}

fn source(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let source = parse_sha(&args[2]).and_then(|sha| ctx.engine.scripts.source(&sha));
    out.bulk(source.ok_or(CommandError::NO_SCRIPT)?);
    Ok(())
}
