//! WAIT and WAITAOF: until others, or the disk, have what this client wrote.

use super::{int, positive, timeout_millis};
use crate::command::{Command, Flags, Group};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::waiting::{Answer, Wait};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::clock::Millis;
use resplite_storage::waiting::Hope;
use smallvec::SmallVec;

pub(crate) const COMMANDS: &[Command] = &[WAIT, WAITAOF];

const WAIT: Command = Command::control(Group::Generic, "wait", wait)
    .arity(3)
    .flag(Flags::BLOCKING)
    .categories(&["connection"])
    .since("3.0.0")
    .doc("Waits until so many replicas have what this connection wrote; returns how many have, and there are none.")
    .syntax("numreplicas timeout");

fn wait(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let replicas = int(&args[1])?;
    let deadline = timeout_millis(ctx, &args[2])?;
    if replicas <= 0 || !ctx.may_wait() {
        Answer::Replicas.write(ctx.engine, out);
        return Ok(());
    }
    wait_for_others(ctx, args, deadline, Answer::Replicas);
    Ok(())
}

const WAITAOF: Command = Command::control(Group::Generic, "waitaof", waitaof)
    .arity(4)
    .flag(Flags::BLOCKING)
    .categories(&["connection"])
    .since("7.2.0")
    .doc("Waits until what this connection wrote is synced to disk here and on so many replicas, of which there are none.")
    .syntax("numlocal numreplicas timeout");

fn waitaof(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let local = int(&args[1])?;
    if !matches!(local, 0 | 1) {
        return Err(CommandError::OUT_OF_BIT_RANGE);
    }
    let replicas = positive(&args[2])?;
    let deadline = timeout_millis(ctx, &args[3])?;
    if local == 1 && !ctx.engine.log.is_open() {
        return Err(CommandError::WAITAOF_WITHOUT_LOG);
    }
    let (engine, position) = (ctx.engine, ctx.session.log_position);
    let is_synced = local == 0 || engine.log.durable() >= position;
    if is_synced && replicas == 0 || !ctx.may_wait() {
        Answer::Synced(position).write(engine, out);
        return Ok(());
    }
    let until_synced = replicas == 0;
    wait_for_others(
        ctx,
        args,
        deadline,
        if until_synced { Answer::Synced(position) } else { Answer::Reached(position) },
    );
    Ok(())
}

/// Has the client wait for something that no key has to do with.
fn wait_for_others(ctx: &mut Ctx<'_>, args: Args<'_>, deadline: Option<Millis>, answer: Answer) {
    ctx.wait(Wait {
        keys: SmallVec::new(),
        target: None,
        hope: Hope::Entries,
        deadline,
        answer,
        args: args.to_owned(),
    });
}
