//! ROLE, REPLICAOF and FAILOVER, as a master answers that has no replicas and never will.

use super::{int, is};
use crate::command::{Command, Flags, Group, Handler};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

pub(crate) const COMMANDS: &[Command] = &[ROLE, REPLICAOF, SLAVEOF, FAILOVER];

const ROLE: Command = Command::control(Group::Server, "role", role)
    .flag(Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE))
    .fast()
    .categories(&["admin", "dangerous"])
    .since("2.8.12")
    .doc("The server's part in replication, how far its log has come, and its replicas.");

fn role(_: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    out.array(3);
    out.bulk("master");
    // Nothing is counted for replicas that cannot be.
    out.int(0);
    out.array(0);
    Ok(())
}

const fn admin(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Server, name, handler).flag(Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::STALE))
}

const REPLICAOF: Command = admin("replicaof", replicaof)
    .arity(3)
    .flag(Flags::NO_ASYNC_LOADING)
    .since("5.0.0")
    .doc("Makes the server a replica of another one, which is not supported, or a master, which it is.")
    .syntax("<host port | NO ONE>");

const SLAVEOF: Command = admin("slaveof", replicaof)
    .arity(3)
    .flag(Flags::NO_ASYNC_LOADING)
    .doc("An older name of REPLICAOF.")
    .syntax("<host port | NO ONE>");

fn replicaof(_: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if is(&args[1], "no") && is(&args[2], "one") {
        out.ok();
        return Ok(());
    }
    let port = number::parse_i64(&args[2]).and_then(|port| u16::try_from(port).ok());
    Err(if port.is_some() { CommandError::NO_REPLICATION } else { CommandError::INVALID_MASTER_PORT })
}

const FAILOVER: Command = admin("failover", failover)
    .arity(-1)
    .since("6.2.0")
    .doc("Has a replica take the server's place; there are none.")
    .syntax("[TO <host port [FORCE]>] [ABORT] [TIMEOUT milliseconds]");

fn failover(_: &mut Ctx<'_>, args: Args<'_>, _: &mut Reply) -> CmdResult {
    if args.len() == 2 && is(&args[1], "abort") {
        return Err(CommandError::NO_FAILOVER);
    }
    let (mut target, mut timeout, mut force) = (false, false, false);
    let mut at = 1;
    while let Some(word) = args.get(at) {
        match word {
            word if is(word, "timeout") && at + 1 < args.len() && !timeout => {
                if int(&args[at + 1])? <= 0 {
                    return Err(CommandError::FAILOVER_TIMEOUT);
                }
                timeout = true;
                at += 1;
            }
            word if is(word, "to") && at + 2 < args.len() && !target => {
                int(&args[at + 2])?;
                target = true;
                at += 2;
            }
            word if is(word, "force") && !force => force = true,
            _ => return Err(CommandError::SYNTAX),
        }
        at += 1;
    }
    Err(CommandError::NO_REPLICAS)
}
