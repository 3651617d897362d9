//! The categories of commands: their names, and which ones a command is in.

use crate::command::{Command, Flags, Group};

/// Names of all categories in the order in which Redis lists them.
pub(crate) const ALL: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// The categories of a command: its group's, those that its flags imply, and its own.
pub(crate) fn of(command: &Command) -> Vec<&'static str> {
    let flags = command.flags;
    // A container is only a name; what it does is in its subcommands.
    let is_name = !command.subcommands.is_empty();
    // WAIT and its like are among the generic commands, but about the connection; SORT is about three types.
    let is_elsewhere = command.group == Group::Generic
        && ["connection", "list"].iter().any(|category| command.categories.contains(category));
    let group = command.group.category().filter(|_| !is_name && !is_elsewhere);
    let applies = |category: &str| match category {
        "write" => flags.has(Flags::WRITE),
        // A script that only reads may be called without the right to read; its commands are looked at one by one.
        "read" => flags.has(Flags::READONLY) && command.group != Group::Scripting,
        "admin" => flags.has(Flags::ADMIN),
        "pubsub" => flags.has(Flags::PUBSUB),
        "fast" => flags.has(Flags::FAST),
        "slow" => !flags.has(Flags::FAST),
        "blocking" => flags.has(Flags::BLOCKING),
        "dangerous" => flags.has(Flags::ADMIN),
        _ => false,
    };
    let has = |category: &&str| applies(category) || group == Some(category) || command.categories.contains(category);
    ALL.iter().copied().filter(has).collect()
}
