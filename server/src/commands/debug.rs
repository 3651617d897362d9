//! DEBUG: what tests of servers ask for; refused unless `enable-debug-command` allows it.

mod digest;
mod protocol;

use super::{int, is};
use crate::command::{Command, Flags, Group, Locks};
use crate::config::DebugAccess;
use crate::config::words::parse_memory;
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::registry::ClientRecord;
use digest::Digest;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::entry::{Entry, ValueRef};
use resplite_storage::glob::{self, Case};
use resplite_storage::rdb::{self, Options, RestoreError};
use std::borrow::Cow;
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
    ("CHANGE-REPL-ID", "Does nothing: there are no replicas that could know the id."),
    ("DIGEST", "A digest of all keys, the same on every server that has the same data."),
    ("DIGEST-VALUE <key> [<key> ...]", "Digests of values, zeros for what is not there."),
    ("ERROR <text>", "Answers this error."),
    ("HTSTATS <db> [full]", "How full the tables of a database are."),
    ("HTSTATS-KEY <key> [full]", "How full the table of a value is."),
    ("LISTPACK <key>", "Writes the listpack of a value to the log, and answers how large it is."),
    ("LOG <text>", "Writes a line to the log."),
    ("OBJECT <key>", "How a key and its value are kept."),
    ("PROTOCOL <type>", "Answers a reply of this type."),
    (
        "QUICKLIST-PACKED-THRESHOLD <size>",
        "From this size on an element of a list has a node of its own; 0 is the default.",
    ),
    ("RELOAD", "Takes all data through the format of snapshots and back, in memory."),
    ("SET-ACTIVE-EXPIRE <0|1>", "Whether keys are removed when their time is up, even if nobody looks at them."),
    ("SLEEP <seconds>", "Stops the server for so long; fractions are allowed."),
    ("STRINGMATCH-LEN <length> <pattern>", "Whether a pattern matches a text of so many letters a."),
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
        (sub, 2) if is(sub, "digest") => digest_all(ctx, out),
        (sub, _) if is(sub, "digest-value") => digest_values(ctx, args.from(2), out),
        (sub, 3) if is(sub, "listpack") => return listpack(ctx, &args[2], out),
        (sub, 3 | 4) if is(sub, "htstats") => return table_stats(ctx, &args[2], out),
        (sub, 3 | 4) if is(sub, "htstats-key") => return value_stats(ctx, &args[2], out),
        (sub, 3) if is(sub, "error") => {
            // Line ends become spaces, those at the end as well.
            let line = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
            return Err(CommandError::bytes(args[2].iter().map(line).collect()));
        }
        (sub, 3) if is(sub, "log") => {
            log::warn!("DEBUG LOG: {}", String::from_utf8_lossy(&args[2]));
            out.ok();
        }
        (sub, 3) if is(sub, "protocol") => return protocol::write(&args[2], out),
        (sub, 2) if is(sub, "change-repl-id") => out.ok(),
        (sub, 4) if is(sub, "stringmatch-len") => {
            let len = usize::try_from(int(&args[2])?).ok().filter(|len| *len <= LONGEST_MATCHED);
            let text = vec![b'a'; len.ok_or(CommandError::OUT_OF_RANGE)?];
            out.int(i64::from(glob::matches(&args[3], &text, Case::Sensitive)));
        }
        (sub, _) if CRASHES.iter().any(|word| is(sub, word)) => {
            return Err(CommandError::quoting("ERR DEBUG ", sub, " is refused: this server does not break on purpose"));
        }
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

/// What would end the server, or harm it.
const CRASHES: &[&str] = &["segfault", "panic", "assert", "oom", "restart", "crash-and-recover", "leak"];

/// Longest text that a pattern is tried on.
const LONGEST_MATCHED: usize = 1 << 20;

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

fn digest_all(ctx: &mut Ctx<'_>, out: &mut Reply) {
    let (now, mut all) = (ctx.horizon(), Digest::default());
    for db in 0..ctx.engine.keyspace.databases() {
        for shard in ctx.locked().shards() {
            let there = shard.db(db).entries().filter(|entry| !entry.is_gone(now));
            there.for_each(|entry| all.add_key(db, entry));
        }
    }
    out.simple(all.to_string());
}

fn digest_values(ctx: &mut Ctx<'_>, keys: Args<'_>, out: &mut Reply) {
    out.array(keys.len());
    for key in keys.iter() {
        out.simple(ctx.peek(key).map_or_else(Digest::default, digest::value).to_string());
    }
}

fn listpack(ctx: &mut Ctx<'_>, key: &[u8], out: &mut Reply) -> CmdResult {
    let entry = ctx.peek(key).ok_or(CommandError::NO_SUCH_KEY)?;
    let listpack = match entry.value() {
        ValueRef::List(list) => list.as_listpack().map(Cow::Borrowed),
        ValueRef::Set(set) => set.as_listpack().map(Cow::Borrowed),
        ValueRef::SortedSet(set) => set.as_listpack().map(Cow::Borrowed),
        ValueRef::Hash(hash) => hash.as_triples().map(Cow::Borrowed).or_else(|| hash.as_listpack()),
        ValueRef::String(_) | ValueRef::Stream(_) => None,
    };
    let listpack = listpack.ok_or(CommandError::NOT_A_LISTPACK)?;
    for (number, item) in listpack.iter().enumerate() {
        log::info!("{number}: {}", item.to_vec().escape_ascii());
    }
    out.simple(format!("entries:{} bytes:{}", listpack.len(), listpack.byte_len()));
    Ok(())
}

/// What can be said of tables from how many entries their buckets hold.
fn describe_tables(lengths: impl Iterator<Item = usize>) -> String {
    let (mut entries, mut buckets, mut counts) = (0, 0, Vec::new());
    for len in lengths {
        entries += len;
        buckets += 1;
        if counts.len() <= len {
            counts.resize(len + 1, 0_usize);
        }
        counts[len] += 1;
    }
    let average = if buckets == 0 { 0.0 } else { entries as f64 / buckets as f64 };
    let mut text = format!(" table size: {buckets} buckets\n number of elements: {entries}\n");
    text.push_str(&format!(" elements in a bucket on the average: {average:.2}\n"));
    for (len, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let share = *count as f64 * 100.0 / buckets as f64;
        text.push_str(&format!("   {len}: {count} ({share:.2}%)\n"));
    }
    text
}

fn table_stats(ctx: &mut Ctx<'_>, db: &[u8], out: &mut Reply) -> CmdResult {
    let db = usize::try_from(int(db)?).ok().filter(|db| *db < ctx.engine.keyspace.databases());
    let db = db.ok_or(CommandError::DEBUG_DB_INDEX)?;
    let (mut lengths, mut keys, mut fields) = (Vec::new(), 0, 0);
    for shard in ctx.locked().shards() {
        let db = shard.db(db);
        lengths.extend(db.bucket_lengths());
        keys += db.deadlines().len();
        fields += db.field_deadlines().len();
    }
    let tables = describe_tables(lengths.into_iter());
    // Deadlines are in an order and not in a table.
    let expires = format!(" keys with a deadline: {keys}\n hashes with deadlines of fields: {fields}\n");
    out.verbatim(b"txt", format!("[Dictionary HT]\n{tables}[Expires HT]\n{expires}").as_bytes());
    Ok(())
}

fn value_stats(ctx: &mut Ctx<'_>, key: &[u8], out: &mut Reply) -> CmdResult {
    let entry = ctx.peek(key).ok_or(CommandError::NO_SUCH_KEY)?;
    let lengths: Option<Vec<usize>> = match entry.value() {
        ValueRef::Hash(hash) => hash.bucket_lengths(),
        ValueRef::Set(set) => set.bucket_lengths(),
        ValueRef::SortedSet(set) => set.bucket_lengths(),
        ValueRef::String(_) | ValueRef::List(_) | ValueRef::Stream(_) => None,
    };
    let lengths = lengths.ok_or(CommandError::NOT_A_TABLE)?;
    out.verbatim(b"txt", describe_tables(lengths.into_iter()).as_bytes());
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
