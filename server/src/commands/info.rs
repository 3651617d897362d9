//! INFO: what the server says of itself; every number is counted or measured, none is made up.

mod keysizes;

use super::is;
use super::memory::Measured;
use crate::acl::refusals::Reason;
use crate::command::{self, Command, Flags, Group, Locks};
use crate::command_stats::Totals;
use crate::context::Ctx;
use crate::error::CmdResult;
use crate::persistence::{Job, LOADING};
use crate::pubsub::Kind;
use crate::usage;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const COMMANDS: &[Command] = &[INFO];

const INFO: Command = Command::control(Group::Server, "info", info)
    .arity(-1)
    .flag(Flags::LOADING.with(Flags::STALE))
    .locks(Locks::All)
    .categories(&["dangerous"])
    .doc("What the server says of itself, in sections.")
    .syntax("[section [section ...]]");

/// A section: its heading and what writes its lines.
struct Section {
    heading: &'static str,
    /// Whether it is shown when no section is named.
    default: bool,
    write: fn(&mut Ctx<'_>, &mut Lines),
}

const SECTIONS: &[Section] = &[
    Section { heading: "Server", default: true, write: server },
    Section { heading: "Clients", default: true, write: clients },
    Section { heading: "Memory", default: true, write: memory },
    Section { heading: "Persistence", default: true, write: persistence },
    Section { heading: "Stats", default: true, write: stats },
    Section { heading: "Replication", default: true, write: replication },
    Section { heading: "CPU", default: true, write: cpu },
    // There are no modules, and the empty section says so.
    Section { heading: "Modules", default: true, write: |_, _| {} },
    Section { heading: "Commandstats", default: false, write: command_stats },
    Section { heading: "Errorstats", default: true, write: error_stats },
    Section { heading: "Latencystats", default: false, write: latency_stats },
    Section { heading: "Cluster", default: true, write: |_, lines| lines.add("cluster_enabled", 0) },
    Section { heading: "Keyspace", default: true, write: keyspace },
    Section { heading: "Keysizes", default: false, write: keysizes::write },
];

fn info(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let named = args.from(1);
    let wants = |word: &str| named.iter().any(|name| is(name, word));
    let everything = wants("everything");
    // Looking at every key takes its time, so that has to be asked for.
    let all = |section: &Section| everything || wants("all") && section.heading != "Keysizes";
    let default = named.is_empty() || wants("default");
    let mut lines = Lines::default();
    for section in SECTIONS {
        if all(section) || default && section.default || wants(section.heading) {
            lines.head(section.heading);
            (section.write)(ctx, &mut lines);
        }
    }
    out.verbatim(b"txt", lines.0.as_bytes());
    Ok(())
}

/// The text as it grows.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn head(&mut self, heading: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        self.0.push_str(&format!("# {heading}\r\n"));
    }

    fn add(&mut self, name: &str, value: impl Display) {
        let written = write!(self.0, "{name}:{value}\r\n");
        debug_assert!(written.is_ok(), "a String takes everything");
    }

    /// A number of bytes, and once more for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.add(name, bytes);
        self.add(&format!("{name}_human"), human(bytes));
    }

    fn counter(&mut self, name: &str, counter: &AtomicU64) {
        self.add(name, counter.load(Ordering::Relaxed));
    }
}

/// A number of bytes with a unit.
fn human(bytes: u64) -> String {
    const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", UNITS[unit])
}

/// Parts of a whole in percent.
fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 })
}

fn server(ctx: &mut Ctx<'_>, lines: &mut Lines) {
    let engine = ctx.engine;
    let uptime = ctx.micros().saturating_sub(engine.started) / 1_000_000;
    lines.add("redis_version", crate::REDIS_VERSION);
    lines.add("resplite_version", crate::VERSION);
    lines.add("redis_mode", "standalone");
    lines.add("os", usage::system_name());
    lines.add("arch_bits", usize::BITS);
    lines.add("multiplexing_api", if cfg!(target_os = "linux") { "epoll" } else { "kqueue" });
    lines.add("process_id", std::process::id());
    lines.add("process_supervised", "no");
    lines.add("run_id", &engine.run_id);
    lines.add("tcp_port", engine.tcp_port.load(Ordering::Relaxed));
    lines.add("server_time_usec", ctx.micros());
    lines.add("uptime_in_seconds", uptime);
    lines.add("uptime_in_days", uptime / 86_400);
    // Seconds, as entries remember them while uses are not counted.
    lines.add("lru_clock", (ctx.micros() / 1_000_000) & 0x00ff_ffff);
    let executable = std::env::current_exe().map(|path| path.display().to_string());
    lines.add("executable", executable.unwrap_or_default());
    lines.add("config_file", &ctx.settings().config_file);
    lines.add("io_threads_active", u8::from(engine.workers > 1));
}

fn clients(ctx: &mut Ctx<'_>, lines: &mut Lines) {
    let clients = ctx.engine.registry.all();
    let most = |read: fn(&crate::registry::ClientRecord) -> usize| clients.iter().map(|client| read(client)).max();
    let watching = |client: &crate::registry::ClientRecord| client.watching.load(Ordering::Relaxed);
    lines.add("connected_clients", clients.len());
    lines.add("cluster_connections", 0);
    lines.add("maxclients", ctx.settings().maxclients);
    let input = most(|client| client.query_capacity.load(Ordering::Relaxed));
    lines.add("client_recent_max_input_buffer", input.unwrap_or(0));
    let output = most(|client| client.output_len.load(Ordering::Relaxed));
    lines.add("client_recent_max_output_buffer", output.unwrap_or(0));
    lines.add("blocked_clients", ctx.engine.waiting_room.len() + ctx.engine.pause.waiting());
    lines.add("tracking_clients", ctx.engine.tracking.counts().clients);
    lines.add("pubsub_clients", clients.iter().filter(|client| client.is_subscriber()).count());
    lines.add("watching_clients", clients.iter().filter(|client| watching(client) > 0).count());
    lines.add("clients_in_timeout_table", ctx.engine.waiting_room.with_deadline());
    let watched: usize = ctx.locked().shards().map(|shard| shard.watched()).sum();
    lines.add("total_watched_keys", watched);
    let awaited: usize = ctx.locked().shards().map(|shard| shard.awaited()).sum();
    lines.add("total_blocking_keys", awaited);
    let by_groups: usize = ctx.locked().shards().map(|shard| shard.awaited_by_groups()).sum();
    lines.add("total_blocking_keys_on_nokey", by_groups);
}

fn memory(ctx: &mut Ctx<'_>, lines: &mut Lines) {
    let measured = Measured::now(ctx);
    let Measured { entries, overhead, peak, resident } = measured;
    let used = measured.used();
    lines.bytes("used_memory", used);
    lines.bytes("used_memory_rss", resident);
    lines.bytes("used_memory_peak", peak);
    lines.add("used_memory_peak_perc", percent(used, peak));
    lines.add("used_memory_overhead", overhead);
    lines.add("used_memory_dataset", entries);
    lines.add("used_memory_dataset_perc", percent(entries, used));
    lines.bytes("total_system_memory", usage::system_memory());
    lines.bytes("maxmemory", ctx.settings().maxmemory);
    let scripts = ctx.engine.scripts.usage();
    lines.add("used_memory_vm_total", scripts.lua_bytes);
    lines.bytes("used_memory_lua", scripts.lua_bytes as u64);
    lines.bytes("used_memory_scripts", (scripts.script_bytes + scripts.library_bytes) as u64);
    lines.add("used_memory_scripts_eval", scripts.script_bytes);
    lines.add("used_memory_functions", scripts.library_bytes);
    lines.add("number_of_cached_scripts", scripts.scripts);
    lines.add("number_of_functions", scripts.functions);
    lines.add("number_of_libraries", scripts.libraries);
    lines.add("maxmemory_policy", ctx.settings().value("maxmemory-policy").unwrap_or_default());
    lines.add("mem_fragmentation_ratio", format!("{:.2}", measured.fragmentation()));
    lines.add("mem_fragmentation_bytes", measured.fragmentation_bytes());
}

fn persistence(ctx: &mut Ctx<'_>, lines: &mut Lines) {
    let dirty = ctx.locked().dirty();
    let (engine, now) = (ctx.engine, ctx.micros());
    let persistence = &engine.persistence;
    let background = persistence.background();
    let is_loading = persistence.trouble() & LOADING != 0;
    let running = |job: Job| background.job.filter(|(running, _)| *running == job).map(|(_, began)| began);
    let seconds_of = |job: Job| running(job).map_or(-1, |began| (now.saturating_sub(began) / 1_000_000) as i64);
    let status = |has_failed: bool| if has_failed { "err" } else { "ok" };
    let seconds = |seconds: Option<u64>| seconds.map_or(-1, |seconds| seconds as i64);
    let load = &persistence.load;
    lines.add("loading", u8::from(is_loading));
    lines.add("async_loading", 0);
    lines.add("current_cow_size", engine.keyspace.snapshot_backlog());
    lines.add("rdb_changes_since_last_save", persistence.unsaved(dirty));
    lines.add("rdb_bgsave_in_progress", u8::from(running(Job::Save).is_some()));
    lines.add("rdb_last_save_time", persistence.last_save() / 1_000_000);
    lines.add("rdb_last_bgsave_status", status(background.saves.has_failed));
    lines.add("rdb_last_bgsave_time_sec", seconds(background.saves.seconds));
    lines.add("rdb_current_bgsave_time_sec", seconds_of(Job::Save));
    lines.add("rdb_saves", background.saves.done);
    lines.counter("rdb_last_load_keys_expired", &load.keys_expired);
    lines.counter("rdb_last_load_keys_loaded", &load.keys_loaded);
    lines.add("aof_enabled", u8::from(engine.log.is_open()));
    lines.add("aof_rewrite_in_progress", u8::from(running(Job::Rewrite).is_some()));
    lines.add("aof_rewrite_scheduled", u8::from(background.rewrite_scheduled));
    lines.add("aof_last_rewrite_time_sec", seconds(background.rewrites.seconds));
    lines.add("aof_current_rewrite_time_sec", seconds_of(Job::Rewrite));
    lines.add("aof_last_bgrewrite_status", status(background.rewrites.has_failed));
    lines.add("aof_rewrites", background.rewrites.done);
    lines.add("aof_rewrites_consecutive_failures", background.rewrites.failed_in_a_row);
    lines.add("aof_last_write_status", status(engine.log.has_failed()));
    if engine.log.is_open() {
        let stats = engine.log.stats();
        lines.add("aof_current_size", stats.current_size);
        lines.add("aof_base_size", stats.base_size);
        lines.add("aof_pending_rewrite", u8::from(background.rewrite_scheduled));
        lines.add("aof_buffer_length", stats.buffer_length);
        lines.add("aof_pending_bio_fsync", stats.pending_syncs);
        lines.add("aof_delayed_fsync", stats.delayed_syncs);
    }
    if is_loading {
        let counter = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (started, total, loaded) = (counter(&load.started), counter(&load.total), counter(&load.loaded));
        let elapsed = now.saturating_sub(started) / 1_000_000;
        let share = if total == 0 { 0.0 } else { loaded.min(total) as f64 * 100.0 / total as f64 };
        let eta = if loaded == 0 {
            1
        } else {
            (u128::from(elapsed) * u128::from(total.saturating_sub(loaded)) / u128::from(loaded)) as u64
        };
        lines.add("loading_start_time", started / 1_000_000);
        lines.add("loading_total_bytes", total);
        lines.add("loading_loaded_bytes", loaded);
        lines.add("loading_loaded_perc", format!("{share:.2}"));
        lines.add("loading_eta_seconds", eta);
    }
}

fn stats(ctx: &mut Ctx<'_>, lines: &mut Lines) {
    let (mut hits, mut misses, mut expired, mut expired_fields) = (0, 0, 0, 0);
    for shard in ctx.locked().shards() {
        let stats = shard.stats();
        hits += stats.hits;
        misses += stats.misses;
        expired += stats.expired;
        expired_fields += stats.expired_fields;
    }
    let stats = &ctx.engine.stats;
    lines.counter("total_connections_received", &stats.connections);
    lines.counter("total_commands_processed", &stats.commands);
    let [commands, bytes_in, bytes_out] = stats.rates(ctx.engine.started, ctx.micros());
    lines.add("instantaneous_ops_per_sec", format!("{commands:.0}"));
    lines.counter("total_net_input_bytes", &stats.bytes_in);
    lines.counter("total_net_output_bytes", &stats.bytes_out);
    lines.add("instantaneous_input_kbps", format!("{:.2}", bytes_in / 1024.0));
    lines.add("instantaneous_output_kbps", format!("{:.2}", bytes_out / 1024.0));
    lines.counter("rejected_connections", &stats.rejected);
    lines.add("sync_full", 0);
    lines.add("sync_partial_ok", 0);
    lines.add("sync_partial_err", 0);
    lines.add("expired_subkeys", expired_fields);
    lines.add("expired_keys", expired);
    lines.counter("evicted_keys", ctx.engine.evictor.evicted());
    lines.counter("evicted_clients", &stats.evicted_clients);
    lines.add("evicted_scripts", ctx.engine.scripts.usage().evicted);
    lines.add("keyspace_hits", hits);
    lines.add("keyspace_misses", misses);
    let pubsub = &ctx.engine.pubsub;
    lines.add("pubsub_channels", pubsub.channel_count(Kind::Channel));
    lines.add("pubsub_patterns", pubsub.pattern_count());
    lines.add("pubsubshard_channels", pubsub.channel_count(Kind::ShardChannel));
    let tracking = ctx.engine.tracking.counts();
    lines.add("tracking_total_keys", tracking.keys);
    lines.add("tracking_total_items", tracking.items);
    lines.add("tracking_total_prefixes", tracking.prefixes);
    // Nothing here forks.
    lines.add("latest_fork_usec", 0);
    lines.add("total_forks", 0);
    lines.counter("total_error_replies", &stats.errors);
    lines.counter("total_reads_processed", &stats.reads);
    lines.counter("total_writes_processed", &stats.writes);
    for (name, reason) in
        [("auth", Reason::Auth), ("cmd", Reason::Command), ("key", Reason::Key), ("channel", Reason::Channel)]
    {
        lines.add(&format!("acl_access_denied_{name}"), ctx.engine.acl.denied(reason));
    }
    lines.counter("client_query_buffer_limit_disconnections", &stats.query_limit_disconnections);
    lines.counter("client_output_buffer_limit_disconnections", &stats.output_limit_disconnections);
}

fn replication(_: &mut Ctx<'_>, lines: &mut Lines) {
    lines.add("role", "master");
    lines.add("connected_slaves", 0);
    lines.add("master_failover_state", "no-failover");
    lines.add("master_repl_offset", 0);
    lines.add("repl_backlog_active", 0);
}

fn cpu(_: &mut Ctx<'_>, lines: &mut Lines) {
    let (own, children) = usage::cpu();
    lines.add("used_cpu_sys", format!("{:.6}", own.system));
    lines.add("used_cpu_user", format!("{:.6}", own.user));
    lines.add("used_cpu_sys_children", format!("{:.6}", children.system));
    lines.add("used_cpu_user_children", format!("{:.6}", children.user));
}

fn command_stats(ctx: &mut Ctx<'_>, lines: &mut Lines) {
    for command in command::numbered() {
        let Totals { calls, micros, rejected, failed } = ctx.engine.command_stats.totals(command);
        if calls != 0 || rejected != 0 || failed != 0 {
            let each = if calls == 0 { 0.0 } else { micros as f64 / calls as f64 };
            let value = format!(
                "calls={calls},usec={micros},usec_per_call={each:.2},rejected_calls={rejected},failed_calls={failed}"
            );
            lines.add(&format!("cmdstat_{}", command.name), value);
        }
    }
}

fn latency_stats(ctx: &mut Ctx<'_>, lines: &mut Lines) {
    for command in command::numbered() {
        let Some(durations) = ctx.engine.command_stats.durations(command) else { continue };
        let percentile = |wanted: &f64| {
            let nanos = durations.value_at_percentile(*wanted);
            format!("p{wanted}={:.3}", nanos as f64 / 1000.0)
        };
        let shown = ctx.settings().latency_tracking_info_percentiles.iter().map(percentile);
        let name = format!("latency_percentiles_usec_{}", command.name);
        lines.add(&name, shown.collect::<Vec<_>>().join(","));
    }
}

fn error_stats(ctx: &mut Ctx<'_>, lines: &mut Lines) {
    for (code, count) in &*ctx.engine.stats.errors_by_code.lock() {
        lines.add(&format!("errorstat_{code}"), format!("count={count}"));
    }
}

fn keyspace(ctx: &mut Ctx<'_>, lines: &mut Lines) {
    let now = u128::from(ctx.now());
    for db in 0..ctx.engine.keyspace.databases() {
        let (mut keys, mut expires, mut deadlines, mut with_fields) = (0, 0, 0, 0);
        for shard in ctx.locked().shards() {
            let db = shard.db(db);
            keys += db.len();
            expires += db.deadlines().len();
            deadlines += db.deadlines().sum();
            with_fields += db.field_deadlines().len();
        }
        if keys > 0 {
            let left = deadlines.saturating_sub(now * expires as u128);
            let average = left.checked_div(expires as u128).unwrap_or(0);
            let counts = format!("keys={keys},expires={expires},avg_ttl={average},subexpiry={with_fields}");
            lines.add(&format!("db{db}"), counts);
        }
    }
}
