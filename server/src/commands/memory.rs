//! MEMORY: what takes memory, what looks wrong about it, and giving some back.

use super::{int, is};
use crate::command::{Command, Flags, Group, Handler, Locks, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::usage::resident_bytes;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use std::sync::atomic::Ordering;

pub(crate) const COMMANDS: &[Command] = &[MEMORY];

const fn about(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Server, name, handler).arity(2).since("4.0.0")
}

const MEMORY: Command = Command::container(
    Group::Server,
    "memory",
    &[
        about("memory|doctor", doctor).locks(Locks::All).doc("What looks wrong about the use of memory, in words."),
        about("memory|help", super::help).flag(Flags::LOADING.with(Flags::STALE)).doc("This list."),
        about("memory|malloc-stats", malloc_stats).doc("What the allocator says of itself."),
        about("memory|purge", purge).doc("Has the allocator give back what is not in use."),
        about("memory|stats", stats).locks(Locks::All).doc("What takes memory, in numbers."),
        Command::read(Group::Server, "memory|usage", memory_usage)
            .arity(-3)
            .key(usage::LOOK, 2)
            .since("4.0.0")
            .doc("Bytes that a key takes with its value and its place in the table.")
            .syntax("key [SAMPLES count]"),
    ],
)
.since("4.0.0")
.doc("What takes memory.");

/// Bytes of a deadline in the index of deadlines.
const DEADLINE: usize = size_of::<(u64, u64)>() * 3 / 2;

fn memory_usage(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut at = 3;
    while let Some(word) = args.get(at) {
        if !is(word, "samples") || at + 1 >= args.len() {
            return Err(CommandError::SYNTAX);
        }
        // Values know their size, so nothing has to be sampled; the number is only checked.
        if int(&args[at + 1])? < 0 {
            return Err(CommandError::SYNTAX);
        }
        at += 2;
    }
    let (db, key) = (ctx.db(), ctx.at(&args[2]));
    let Some(entry) = ctx.peek(&args[2]) else {
        out.nil();
        return Ok(());
    };
    let own = entry.heap_bytes() + if entry.deadline().is_some() { DEADLINE } else { 0 };
    let share = ctx.shard(key).db(db).bytes_per_key();
    out.int((own + share) as i64);
    Ok(())
}

/// Bytes that the server takes, all shards being locked.
pub(crate) struct Measured {
    /// Keys with their values.
    pub(crate) entries: u64,
    /// Tables and indexes.
    pub(crate) overhead: u64,
    /// The most of both that was ever seen.
    pub(crate) peak: u64,
    /// What the process holds, as the system says.
    pub(crate) resident: u64,
}

impl Measured {
    pub(crate) fn now(ctx: &mut Ctx<'_>) -> Self {
        let (mut entries, mut overhead) = (0, 0);
        for shard in ctx.locked().shards() {
            entries += shard.entry_bytes();
            overhead += shard.overhead_bytes();
        }
        let used = entries + overhead;
        let peak = ctx.engine.peak_memory.fetch_max(used, Ordering::Relaxed).max(used);
        let (entries, overhead, peak) = (entries as u64, overhead as u64, peak as u64);
        Measured { entries, overhead, peak, resident: resident_bytes() }
    }

    /// What `maxmemory` counts.
    pub(crate) fn used(&self) -> u64 {
        self.entries + self.overhead
    }

    /// How many times what is used the process holds.
    pub(crate) fn fragmentation(&self) -> f64 {
        ratio(self.resident, self.used())
    }

    /// How much more it holds.
    pub(crate) fn fragmentation_bytes(&self) -> i64 {
        self.resident as i64 - self.used() as i64
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Number and bytes of all connections with their buffers.
fn clients(ctx: &Ctx<'_>) -> (usize, usize) {
    let all = ctx.engine.registry.all();
    (all.len(), all.iter().map(|client| client.memory()).sum())
}

/// As in INFO, the total is that of data and tables, which `maxmemory` is about; what else takes memory has its own line.
fn stats(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let measured = Measured::now(ctx);
    let scripts = ctx.engine.scripts.usage();
    let (_, client_bytes) = clients(ctx);
    let log_buffer = if ctx.engine.log.is_open() { ctx.engine.log.stats().buffer_length } else { 0 };
    let (mut keys, mut dbs) = (0, Vec::new());
    for db in 0..ctx.engine.keyspace.databases() {
        let (mut count, mut main, mut expires) = (0, 0, 0);
        for shard in ctx.locked().shards() {
            let db = shard.db(db);
            count += db.len();
            main += db.table_bytes();
            expires += db.deadlines().heap_bytes() + db.field_deadlines().heap_bytes();
        }
        if count > 0 {
            dbs.push((db, main, expires));
        }
        keys += count;
    }
    out.map(15 + dbs.len());
    let mut number = |name: &str, number: u64| {
        out.bulk(name);
        out.int(number as i64);
    };
    number("peak.allocated", measured.peak);
    number("total.allocated", measured.used());
    number("startup.allocated", ctx.engine.startup_memory as u64);
    number("clients.normal", client_bytes as u64);
    number("aof.buffer", log_buffer);
    number("lua.caches", scripts.script_bytes as u64);
    number("functions.caches", scripts.library_bytes as u64);
    number("overhead.total", measured.overhead);
    number("keys.count", keys as u64);
    let net = measured.used().saturating_sub(ctx.engine.startup_memory as u64);
    number("keys.bytes-per-key", net.checked_div(keys as u64).unwrap_or(0));
    number("dataset.bytes", measured.entries);
    for (db, main, expires) in dbs {
        out.bulk(format!("db.{db}"));
        out.map(2);
        out.bulk("overhead.hashtable.main");
        out.int(main as i64);
        out.bulk("overhead.hashtable.expires");
        out.int(expires as i64);
    }
    out.bulk("dataset.percentage");
    out.double(ratio(measured.entries, measured.used()) * 100.0);
    out.bulk("peak.percentage");
    out.double(ratio(measured.used(), measured.peak) * 100.0);
    out.bulk("fragmentation");
    out.double(measured.fragmentation());
    out.bulk("fragmentation.bytes");
    out.int(measured.fragmentation_bytes());
    Ok(())
}

/// Data below this says nothing about how memory is used.
const LITTLE: u64 = 5 << 20;
/// The process may hold this much more than is used, whatever the ratio.
const USUAL_SURPLUS: i64 = 32 << 20;
/// What a connection may take on the average.
const USUAL_CLIENT: usize = 200 << 10;
/// So many scripts are not all meant: somebody puts values into their texts.
const USUAL_SCRIPTS: usize = 1000;

fn doctor(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let measured = Measured::now(ctx);
    let (count, client_bytes) = clients(ctx);
    let scripts = ctx.engine.scripts.usage().scripts;
    out.verbatim(b"txt", diagnose(&measured, count, client_bytes, scripts).as_bytes());
    Ok(())
}

fn diagnose(measured: &Measured, clients: usize, client_bytes: usize, scripts: usize) -> String {
    let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let used = measured.used();
    let mut findings = Vec::new();
    if used >= LITTLE {
        if measured.peak as f64 > used as f64 * 1.5 {
            findings.push(format!(
                "The peak was {:.1} MB and {:.1} MB are in use now. The allocator may still hold what was freed since: \
                 MEMORY PURGE gives back what it can.",
                megabytes(measured.peak),
                megabytes(used)
            ));
        }
        if measured.fragmentation() > 1.5 && measured.fragmentation_bytes() > USUAL_SURPLUS {
            findings.push(format!(
                "The process holds {:.1} MB for {:.1} MB of data and tables, {:.2} times as much. Fragmentation is one \
                 reason, buffers of clients, scripts and the log are others.",
                megabytes(measured.resident),
                megabytes(used),
                measured.fragmentation()
            ));
        }
    }
    if clients > 0 && client_bytes / clients > USUAL_CLIENT {
        findings.push(format!(
            "{clients} clients take {:.1} MB with their buffers, {} KB each. CLIENT LIST shows who (tot-mem): clients that \
             do not read their replies, or send very long commands. client-output-buffer-limit and maxmemory-clients bound it.",
            megabytes(client_bytes as u64),
            client_bytes / clients / 1024
        ));
    }
    if scripts > USUAL_SCRIPTS {
        findings.push(format!(
            "{scripts} scripts are cached. Probably values are written into their texts instead of being passed as KEYS \
             and ARGV. SCRIPT FLUSH forgets them."
        ));
    }
    if !findings.is_empty() {
        let list: Vec<String> = findings.iter().map(|finding| format!(" * {finding}\n")).collect();
        return format!("This looks wrong about memory:\n\n{}", list.concat());
    }
    if used < LITTLE {
        return format!("There are only {:.1} MB of data: too little to say much about.\n", megabytes(used));
    }
    format!("{:.1} MB are in use, and nothing looks wrong about it.\n", megabytes(used))
}

fn purge(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    if let Some(allocator) = ctx.engine.allocator.get() {
        (allocator.purge)();
    }
    out.ok();
    Ok(())
}

fn malloc_stats(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    match ctx.engine.allocator.get() {
        Some(allocator) => out.verbatim(b"txt", (allocator.stats)().as_bytes()),
        None => out.bulk("The allocator belongs to the program that this server runs in, and nobody said what it is."),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABYTE: u64 = 1 << 20;

    fn well() -> Measured {
        Measured { entries: 90 * MEGABYTE, overhead: 10 * MEGABYTE, peak: 100 * MEGABYTE, resident: 120 * MEGABYTE }
    }

    #[test]
    fn every_finding_has_its_numbers() {
        let one = |measured: Measured, clients, bytes, scripts| {
            let text = diagnose(&measured, clients, bytes, scripts);
            assert_eq!(text.matches(" * ").count(), 1, "{text}");
            text
        };
        assert_eq!(diagnose(&well(), 1, 1000, 3), "100.0 MB are in use, and nothing looks wrong about it.\n");
        assert!(one(Measured { peak: 200 * MEGABYTE, ..well() }, 1, 0, 0).contains("peak was 200.0 MB and 100.0 MB"));
        assert!(one(Measured { resident: 160 * MEGABYTE, ..well() }, 1, 0, 0).contains("1.60 times"));
        assert!(one(well(), 2, 1 << 20, 0).contains("2 clients take 1.0 MB with their buffers, 512 KB each"));
        assert!(one(well(), 0, 0, 1001).contains("1001 scripts"));
        let empty = Measured { entries: 0, overhead: 1000, peak: 100 * MEGABYTE, resident: 100 * MEGABYTE };
        assert!(diagnose(&empty, 0, 0, 0).contains("too little"));
        assert!(one(empty, 1, 1 << 20, 0).contains("1024 KB each"));
    }
}
