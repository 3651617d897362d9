//! Snapshots and the rewriting of the log on request; how they are made is in `persistence.rs`.

use super::is;
use crate::command::{Command, Flags, Group, Locks};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

pub(crate) const COMMANDS: &[Command] = &[SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF];

const ADMIN: Flags = Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::NO_ASYNC_LOADING);

const SAVE: Command = Command::control(Group::Server, "save", save)
    .flag(ADMIN.with(Flags::NO_MULTI))
    .doc("Writes a snapshot to disk and answers when it is there.");

fn save(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    ctx.engine.save()?;
    out.ok();
    Ok(())
}

const BGSAVE: Command = Command::control(Group::Server, "bgsave", bgsave)
    .arity(-1)
    .flag(ADMIN)
    .locks(Locks::All)
    .doc("Begins a snapshot of this moment, which is written to disk in the background.")
    .syntax("[SCHEDULE]");

fn bgsave(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let schedule = match args.len() {
        1 => false,
        2 if is(&args[1], "schedule") => true,
        _ => return Err(CommandError::SYNTAX),
    };
    let engine = ctx.engine;
    if engine.begin_save(ctx.locked(), schedule)? {
        out.simple("Background saving started");
    } else {
        out.simple("Background saving scheduled");
    }
    Ok(())
}

const LASTSAVE: Command = Command::control(Group::Server, "lastsave", lastsave)
    .flag(Flags::LOADING.with(Flags::STALE))
    .fast()
    .categories(&["admin", "dangerous"])
    .doc("When the last snapshot was completed, in seconds since the epoch.");

fn lastsave(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    out.int((ctx.engine.persistence.last_save() / 1_000_000) as i64);
    Ok(())
}

const BGREWRITEAOF: Command = Command::control(Group::Server, "bgrewriteaof", bgrewriteaof)
    .flag(ADMIN)
    .doc("Begins to write the log anew in the background, as short as the data is.");

fn bgrewriteaof(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    if ctx.engine.begin_rewrite()? {
        out.simple("Background append only file rewriting started");
    } else {
        out.simple("Background append only file rewriting scheduled");
    }
    Ok(())
}
