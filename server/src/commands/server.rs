//! The server family: the time, who watches commands, and the end of the server.

use super::is;
use crate::command::{Command, Flags, Group};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

pub(crate) const COMMANDS: &[Command] = &[TIME, MONITOR, SHUTDOWN];

/// A container called without a subcommand; its arity lets nothing through to here.
pub(crate) fn bare_container(ctx: &mut Ctx<'_>, _: Args<'_>, _: &mut Reply) -> CmdResult {
    Err(CommandError::arity(ctx.command.name))
}

const TIME: Command = Command::control(Group::Server, "time", time)
    .flag(Flags::LOADING.with(Flags::STALE))
    .fast()
    .since("2.6.0")
    .doc("The server's time: seconds since the epoch, and microseconds of the current second.");

fn time(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let micros = ctx.micros() as i64;
    out.array(2);
    out.bulk_int(micros / 1_000_000);
    out.bulk_int(micros % 1_000_000);
    Ok(())
}

const MONITOR: Command = Command::control(Group::Server, "monitor", monitor)
    .flag(Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE))
    .doc("Shows every command that the server runs from now on.");

fn monitor(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    // Inside the process nothing would bound what piles up.
    if !ctx.is_alone() || ctx.session.record.is_local {
        return Err(CommandError::MONITOR_REFUSED);
    }
    // Who watches already gets no answer, only the lines.
    if !ctx.session.is_monitor {
        ctx.session.is_monitor = true;
        ctx.engine.monitors.add(ctx.session.record.clone());
        out.ok();
    }
    Ok(())
}

const SHUTDOWN: Command = Command::control(Group::Server, "shutdown", shutdown)
    .arity(-1)
    .flag(Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE))
    .flag(Flags::NO_MULTI.with(Flags::ALLOW_BUSY))
    .doc("Ends the server.")
    .syntax("[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]");

fn shutdown(ctx: &mut Ctx<'_>, args: Args<'_>, _: &mut Reply) -> CmdResult {
    let (mut nosave, mut save, mut now, mut force, mut abort) = (false, false, false, false, false);
    for word in args.iter().skip(1) {
        match word {
            word if is(word, "nosave") && !save => nosave = true,
            word if is(word, "save") && !nosave => save = true,
            word if is(word, "now") => now = true,
            word if is(word, "force") => force = true,
            word if is(word, "abort") => abort = true,
            _ => return Err(CommandError::SYNTAX),
        }
    }
    if abort {
        // A shutdown never waits, so there is never one to abort.
        let alone = !(nosave || save || now || force);
        return Err(if alone { CommandError::NO_SHUTDOWN } else { CommandError::SYNTAX });
    }
    if ctx.engine.scripts.running.is_busy() && !nosave {
        // A snapshot would hold half of what the script does.
        return Err(ctx.engine.busy_error());
    }
    let wants_snapshot = save || !nosave && !ctx.settings().save.is_empty();
    if wants_snapshot {
        if ctx.engine.save_at_end().is_err() && !force {
            return Err(CommandError::SHUTDOWN_FAILED);
        }
    } else {
        ctx.engine.skip_save_at_end();
    }
    if nosave {
        ctx.engine.scripts.running.abandon();
    }
    log::warn!("A client asked for the server's end");
    ctx.session.closing = true;
    ctx.engine.stop();
    Ok(())
}
