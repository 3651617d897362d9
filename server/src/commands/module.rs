//! MODULE: there are no modules, and none can be loaded.

use crate::command::{Command, Flags, Group, Handler};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

pub(crate) const COMMANDS: &[Command] = &[MODULE];

const fn admin(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Server, name, handler).flag(Flags::ADMIN.with(Flags::NOSCRIPT)).since("4.0.0")
}

const fn change(name: &'static str) -> Command {
    admin(name, refused).flag(Flags::NO_ASYNC_LOADING)
}

const MODULE: Command = Command::container(
    Group::Server,
    "module",
    &[
        Command::control(Group::Server, "module|help", super::help)
            .arity(2)
            .flag(Flags::LOADING.with(Flags::STALE))
            .since("5.0.0")
            .doc("This list."),
        admin("module|list", list).arity(2).doc("The modules that are loaded: none."),
        change("module|load").arity(-3).doc("Would load a module.").syntax("path [arg [arg ...]]"),
        change("module|loadex")
            .arity(-3)
            .since("7.0.0")
            .doc("Would load a module with settings.")
            .syntax("path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]"),
        change("module|unload").arity(3).doc("Would unload a module.").syntax("name"),
    ],
)
.since("4.0.0")
.doc("Code that is loaded into the server, of which there is none.");

fn list(_: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    out.array(0);
    Ok(())
}

fn refused(_: &mut Ctx<'_>, _: Args<'_>, _: &mut Reply) -> CmdResult {
    Err(CommandError::NO_MODULES)
}
