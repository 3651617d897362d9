//! The server family: what the server says of itself and how it is told to behave.

use crate::command::Command;
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

pub(crate) const COMMANDS: &[Command] = &[];

/// A container called without a subcommand; its arity lets nothing through to here.
pub(crate) fn bare_container(ctx: &mut Ctx<'_>, _: Args<'_>, _: &mut Reply) -> CmdResult {
    Err(CommandError::arity(ctx.command.name))
}
