//! XINFO: what a stream, its groups and their consumers look like.

use super::{reads, write_entries, write_entry, write_id};
use crate::command::{Command, Flags, Group as Family, usage};
use crate::commands::{int, is};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::types::stream::{Consumer, Entries, Entry, Group, Id, Stream};

/// Entries and deliveries that XINFO STREAM FULL shows if nothing is said.
const FULL_DEFAULT: usize = 10;

pub(super) const XINFO: Command = Command::container(
    Family::Stream,
    "xinfo",
    &[
        reads("xinfo|consumers", consumers)
            .arity(4)
            .key(usage::READ, 2)
            .doc("The consumers of a group.")
            .syntax("key group"),
        reads("xinfo|groups", groups).arity(3).key(usage::READ, 2).doc("The groups of a stream.").syntax("key"),
        Command::control(Family::Stream, "xinfo|help", crate::commands::help)
            .arity(2)
            .flag(Flags::LOADING.with(Flags::STALE))
            .since("5.0.0")
            .doc("This list."),
        reads("xinfo|stream", stream)
            .arity(-3)
            .key(usage::READ, 2)
            .doc("Facts about a stream; with FULL also its entries, groups and consumers.")
            .syntax("key [FULL [COUNT count]]"),
    ],
)
.since("5.0.0");

fn consumers(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let now = ctx.now();
    let stream = ctx.read::<Stream>(&args[2])?.ok_or(CommandError::NO_SUCH_KEY)?;
    let group = stream.group(&args[3]).ok_or_else(|| CommandError::no_group_of(&args[2], &args[3]))?;
    out.array(group.consumer_count());
    for consumer in group.consumers() {
        out.map(4);
        out.bulk("name");
        out.bulk(&consumer.name);
        out.bulk("pending");
        out.int(consumer.pending().len() as i64);
        out.bulk("idle");
        out.int(now.saturating_sub(consumer.seen) as i64);
        out.bulk("inactive");
        out.int(consumer.active.map_or(-1, |active| now.saturating_sub(active) as i64));
    }
    Ok(())
}

fn groups(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let stream = ctx.read::<Stream>(&args[2])?.ok_or(CommandError::NO_SUCH_KEY)?;
    out.array(stream.group_count());
    for (name, group) in stream.groups() {
        out.map(6);
        out.bulk("name");
        out.bulk(name);
        out.bulk("consumers");
        out.int(group.consumer_count() as i64);
        out.bulk("pending");
        out.int(group.pending().len() as i64);
        write_progress(out, group, stream.entries());
    }
    Ok(())
}

/// How far a group has come.
fn write_progress(out: &mut Reply, group: &Group, entries: &Entries) {
    write_named_id(out, "last-delivered-id", group.last_id());
    let mut number = |name: &str, value: Option<i64>| {
        out.bulk(name);
        match value {
            Some(value) => out.int(value),
            None => out.nil(),
        }
    };
    let (read, lag) = (group.entries_read().map(|read| read as i64), group.lag(entries));
    number("entries-read", read);
    number("lag", lag);
}

fn stream(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    // The key first: a missing one is the error whatever follows.
    let stream = ctx.read::<Stream>(&args[2])?.ok_or(CommandError::NO_SUCH_KEY)?;
    let full = match (args.get(3), args.get(4), args.get(5)) {
        (None, ..) => None,
        (Some(word), None, _) if is(word, "full") => Some(FULL_DEFAULT),
        (Some(word), Some(option), Some(count)) if is(word, "full") && is(option, "count") && args.len() == 6 => {
            Some(usize::try_from(int(count)?).unwrap_or(FULL_DEFAULT))
        }
        _ => return Err(CommandError::subcommand_syntax("XINFO", &args[1])),
    };
    out.map(if full.is_some() { 9 } else { 10 });
    write_facts(out, stream.entries());
    match full {
        None => write_summary(out, stream),
        Some(count) => write_all(out, stream, if count == 0 { usize::MAX } else { count }),
    }
    Ok(())
}

/// The seven facts that both forms begin with.
fn write_facts(out: &mut Reply, entries: &Entries) {
    out.bulk("length");
    out.int(entries.len() as i64);
    out.bulk("radix-tree-keys");
    out.int(entries.block_count() as i64);
    out.bulk("radix-tree-nodes");
    out.int(entries.tree_nodes() as i64);
    write_named_id(out, "last-generated-id", entries.last_id());
    write_named_id(out, "max-deleted-entry-id", entries.max_deleted_id());
    out.bulk("entries-added");
    out.int(entries.added() as i64);
    write_named_id(out, "recorded-first-entry-id", entries.first_id().unwrap_or_default());
}

fn write_named_id(out: &mut Reply, name: &str, id: Id) {
    out.bulk(name);
    write_id(out, id);
}

fn write_summary(out: &mut Reply, stream: &Stream) {
    out.bulk("groups");
    out.int(stream.group_count() as i64);
    let mut entry = |name: &str, entry: Option<Entry<'_>>| {
        out.bulk(name);
        match entry {
            Some(entry) => write_entry(out, entry),
            None => out.nil(),
        }
    };
    let entries = stream.entries();
    let (first, last) = (entries.range(Id::MIN..=Id::MAX).next(), entries.range_reversed(Id::MIN..=Id::MAX).next());
    entry("first-entry", first);
    entry("last-entry", last);
}

fn write_all(out: &mut Reply, stream: &Stream, count: usize) {
    let entries = stream.entries();
    out.bulk("entries");
    write_entries(out, entries.range(Id::MIN..=Id::MAX).take(count));
    out.bulk("groups");
    out.array(stream.group_count());
    for (name, group) in stream.groups() {
        out.map(7);
        out.bulk("name");
        out.bulk(name);
        write_progress(out, group, entries);
        out.bulk("pel-count");
        out.int(group.pending().len() as i64);
        out.bulk("pending");
        out.array(group.pending().len().min(count));
        for (id, pending) in group.pending().iter().take(count) {
            out.array(4);
            write_id(out, *id);
            out.bulk(group.consumer(pending.consumer).map_or(&b""[..], |consumer| &consumer.name));
            out.int(pending.delivered as i64);
            out.int(pending.count as i64);
        }
        out.bulk("consumers");
        out.array(group.consumer_count());
        group.consumers().for_each(|consumer| write_consumer(out, group, consumer, count));
    }
}

fn write_consumer(out: &mut Reply, group: &Group, consumer: &Consumer, count: usize) {
    out.map(5);
    out.bulk("name");
    out.bulk(&consumer.name);
    out.bulk("seen-time");
    out.int(consumer.seen as i64);
    out.bulk("active-time");
    out.int(consumer.active.map_or(-1, |active| active as i64));
    out.bulk("pel-count");
    out.int(consumer.pending().len() as i64);
    out.bulk("pending");
    out.array(consumer.pending().len().min(count));
    for (id, pending) in consumer.pending().iter().filter_map(|id| group.pending().get_key_value(id)).take(count) {
        out.array(3);
        write_id(out, *id);
        out.int(pending.delivered as i64);
        out.int(pending.count as i64);
    }
}
