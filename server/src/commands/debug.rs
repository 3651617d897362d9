//! DEBUG: what tests of servers ask for; refused unless `enable-debug-command` allows it.

use super::is;
use crate::command::{Command, Flags, Group, Locks};
use crate::config::DebugAccess;
use crate::config::words::parse_memory;
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::registry::ClientRecord;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::entry::Entry;
use resplite_storage::rdb::{self, Options, RestoreError};
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) const COMMANDS: &[Command] = &[DEBUG];

const DEBUG: Command = Command::control(Group::Server, "debug", debug)
    .arity(-2)
    .flag(Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE))
    .locks(Locks::All)
    .doc("Tools for testing a server.");

/// Subcommands and what they do.
const HELP: &[(&str, &str)] = &[
    ("OBJECT <key>", "How a key and its value are kept."),
    (
        "QUICKLIST-PACKED-THRESHOLD <size>",
        "From this size on an element of a list has a node of its own; 0 is the default.",
    ),
    ("RELOAD", "Takes all data through the format of snapshots and back, in memory."),
    ("SET-ACTIVE-EXPIRE <0|1>", "Whether keys are removed when their time is up, even if nobody looks at them."),
    ("SLEEP <seconds>", "Stops the server for so long; fractions are allowed."),
    ("HELP", "This list."),
];

fn debug(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let allowed = match ctx.settings().enable_debug_command {
        DebugAccess::No => false,
        DebugAccess::Yes => true,
        DebugAccess::Local => is_local(&ctx.session.record),
    };
    if !allowed {
        return Err(CommandError::NO_DEBUG);
    }
    match (&args[1], args.len()) {
        (sub, 2) if is(sub, "help") => help(out),
        (sub, 3) if is(sub, "sleep") => sleep(&args[2], out),
        (sub, 3) if is(sub, "object") => return object(ctx, &args[2], out),
        (sub, len) if is(sub, "reload") => {
            // What would be left out of saving, emptying and loading is all the same here.
            let known = |option: &[u8]| ["nosave", "noflush", "merge"].iter().any(|word| is(option, word));
            if !(2..len).all(|at| known(&args[at])) {
                return Err(CommandError::text(
                    "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
            return reload(ctx, out);
        }
        (sub, 3) if is(sub, "set-active-expire") => {
            // As for Redis, what is not a number is 0.
            ctx.engine.keyspace.set_active_expire(number::parse_i64(&args[2]).unwrap_or(0) != 0);
            out.ok();
        }
        (sub, 3) if is(sub, "quicklist-packed-threshold") => return packed_threshold(ctx, &args[2], out),
        (sub, _) => {
            let sub = String::from_utf8_lossy(&sub[..sub.len().min(128)]);
            return Err(CommandError::text(format!(
                "ERR unknown subcommand or wrong number of arguments for '{sub}'. Try DEBUG HELP."
            )));
        }
    }
    Ok(())
}

/// Whether the client is on this machine.
fn is_local(client: &ClientRecord) -> bool {
    let is_loopback = |address: SocketAddr| address.ip().to_canonical().is_loopback();
    client.is_local || client.is_unix || client.addr.parse().is_ok_and(is_loopback)
}

fn help(out: &mut Reply) {
    out.array(1 + 2 * HELP.len());
    out.simple("DEBUG <subcommand> [<argument> ...], where the subcommand is one of:");
    for (call, effect) in HELP {
        out.simple(call);
        out.simple(format!("    {effect}"));
    }
}

/// Longest sleep: a typing error must not stop a server for ever.
const LONGEST_SLEEP: f64 = 24.0 * 3600.0;

fn sleep(seconds: &[u8], out: &mut Reply) {
    // As for Redis, what is not a number is 0. All shards are locked meanwhile, so everybody waits.
    let seconds = number::parse_f64(seconds).unwrap_or(0.0).clamp(0.0, LONGEST_SLEEP);
    std::thread::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    out.ok();
}

/// What DUMP puts around a value: type, version, checksum.
const DUMP_FRAME: usize = 11;

fn object(ctx: &mut Ctx<'_>, key: &[u8], out: &mut Reply) -> CmdResult {
    let now = ctx.access();
    let compress = Options { compress: ctx.settings().rdbcompression };
    let entry = ctx.peek(key).ok_or(CommandError::NO_SUCH_KEY)?;
    let idle = now.idle_seconds(entry.access()).unwrap_or(0);
    out.simple(format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle}",
        entry.address(),
        entry.encoding(),
        rdb::dump(entry.value(), compress).len() - DUMP_FRAME,
        entry.access(),
    ));
    Ok(())
}

/// Takes all keys out, encodes them and puts back what the bytes say.
fn reload(ctx: &mut Ctx<'_>, out: &mut Reply) -> CmdResult {
    let (databases, limits, access) = (ctx.engine.keyspace.databases(), ctx.limits(), ctx.access());
    let options = Options { compress: ctx.settings().rdbcompression };
    for db in 0..databases {
        let mut entries = Vec::new();
        for shard in ctx.locked().shards() {
            let encoded = |entry: &Entry| (entry.key().to_vec(), rdb::dump(entry.value(), options), entry.deadline());
            entries.extend(shard.db(db).entries().map(encoded));
        }
        let decoded: Result<Vec<_>, _> = entries
            .into_iter()
            .map(|(key, bytes, deadline)| Ok((key, rdb::restore(&bytes, &limits)?, deadline)))
            .collect();
        let decoded = decoded.map_err(|_: RestoreError| {
            CommandError::text("ERR Error trying to load the RDB dump, check server logs.")
        })?;
        ctx.locked().shards().for_each(|shard| drop(shard.clear(db)));
        for (key, value, deadline) in decoded {
            let at = ctx.at_db(db, &key);
            ctx.shard(at).put(at, value, deadline, access.first());
        }
    }
    out.ok();
    Ok(())
}

/// Redis' upper limit of the threshold.
const MOST_PACKED: u64 = 4 << 30;

fn packed_threshold(ctx: &mut Ctx<'_>, size: &[u8], out: &mut Reply) -> CmdResult {
    let size = std::str::from_utf8(size).ok().and_then(parse_memory).filter(|size| *size <= MOST_PACKED);
    let size = size.and_then(|size| usize::try_from(size).ok()).ok_or(CommandError::PACKED_THRESHOLD)?;
    ctx.engine.change_settings(|settings| {
        settings.types.list_packed_threshold = size;
        CmdResult::Ok(())
    })?;
    ctx.engine.refresh(ctx.session);
    out.ok();
    Ok(())
}
