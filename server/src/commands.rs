//! The commands, a file per family; each command is one constant above its handler.

pub(crate) mod client;
pub(crate) mod command;
pub(crate) mod config;
pub(crate) mod connection;
pub(crate) mod debug;
pub(crate) mod info;
pub(crate) mod keys;
pub(crate) mod server;
pub(crate) mod string;
pub(crate) mod transaction;

use crate::command::Command;
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::entry::StringRef;
use resplite_storage::types::Item;

/// All families.
pub(crate) const FAMILIES: &[&[Command]] = &[
    connection::COMMANDS,
    client::COMMANDS,
    keys::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
    server::COMMANDS,
    config::COMMANDS,
    info::COMMANDS,
    command::COMMANDS,
    debug::COMMANDS,
];

/// An argument as an integer.
pub(crate) fn int(arg: &[u8]) -> CmdResult<i64> {
    number::parse_i64(arg).ok_or(CommandError::NOT_INTEGER)
}

/// An argument as a float.
pub(crate) fn float(arg: &[u8]) -> CmdResult<f64> {
    number::parse_f64(arg).ok_or(CommandError::NOT_FLOAT)
}

/// Whether an argument is this word, in any case.
pub(crate) fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// HELP of a container: its subcommands with what they do.
pub(crate) fn help(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let container = ctx.command.name.split('|').next().unwrap_or_default();
    let Some(container) = crate::command::find(container.as_bytes()) else { return Ok(()) };
    let name = container.name.to_uppercase();
    out.array(1 + 2 * container.subcommands.len());
    out.simple(format!("{name} <subcommand> [<argument> ...], where the subcommand is one of:"));
    for sub in container.subcommands {
        let (_, sub_name) = sub.name.split_once('|').unwrap_or_default();
        out.simple(format!("{} {}", sub_name.to_uppercase(), sub.syntax).trim_end());
        out.simple(format!("    {}", sub.summary));
    }
    Ok(())
}

/// Writes a string value as a bulk.
#[inline]
pub(crate) fn write_string(out: &mut Reply, value: StringRef<'_>) {
    match value {
        StringRef::Int(number) => out.bulk_int(number),
        StringRef::Bytes(bytes) => out.bulk(bytes),
        StringRef::Shared(bytes) => out.shared(bytes.clone()),
    }
}

/// Writes an element of a collection as a bulk.
#[inline]
pub(crate) fn write_item(out: &mut Reply, item: Item<'_>) {
    match item {
        Item::Int(number) => out.bulk_int(number),
        Item::Bytes(bytes) => out.bulk(bytes),
    }
}
