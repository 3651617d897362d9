//! The table of settings, one row each: reading, showing, changing and writing back a setting follow from its row.

use super::words::{format_memory, parse_memory, quote};
use super::{
    AppendFsync, ClientLimit, DebugAccess, EventClasses, LogLevel, OutputLimit, Policy, SavePoint, Settings,
    TlsAuthClients,
};

/// When a setting can change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Changes {
    /// At any time, by CONFIG SET.
    Anytime,
    /// Only before the server starts.
    AtStart,
    /// Only before the server starts, as it could harm the machine in a client's hands.
    Protected,
}

/// One setting.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// An older name.
    pub(crate) alias: Option<&'static str>,
    pub(crate) changes: Changes,
    kind: Kind,
}

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unit {
    Plain,
    /// Bytes, with units on the way in.
    Memory,
    Octal,
}

/// What values a setting has and where they are kept.
enum Kind {
    Switch {
        get: fn(&Settings) -> bool,
        set: fn(&mut Settings, bool),
    },
    Number {
        unit: Unit,
        min: i128,
        max: i128,
        get: fn(&Settings) -> i128,
        set: fn(&mut Settings, i128),
    },
    Choice {
        words: &'static [&'static str],
        get: fn(&Settings) -> usize,
        set: fn(&mut Settings, usize),
    },
    Text {
        get: fn(&Settings) -> String,
        set: fn(&mut Settings, &str) -> Result<(), String>,
    },
    /// Several words; `per_line` of them make a line of the configuration file, 0 is all.
    Words {
        per_line: usize,
        get: fn(&Settings) -> String,
        set: fn(&mut Settings, &[&str]) -> Result<(), String>,
    },
    /// A part of Redis that is not here: the one value that says so is accepted, in one of its spellings.
    Absent {
        value: &'static str,
        spellings: &'static [&'static str],
        others: Others,
    },
}

/// What is said of the values of an absent part.
#[derive(Clone, Copy)]
enum Others {
    /// Yes and no.
    Switch,
    /// Any text.
    Any,
}

/// A limit of a compact encoding.
macro_rules! limit_row {
    ($name:literal, $field:ident) => {
        number($name, 0, LONG, |s| s.types.$field as i128, |s, v| s.types.$field = v as usize)
    };
}

/// All settings, in the order in which CONFIG GET lists them.
pub(crate) const SETTINGS: &[Setting] = &[
    number("port", 0, 65_535, |s| i128::from(s.port.unwrap_or(0)), |s, v| s.port = Some(v as u16)).at_start(),
    words("bind", 0, |s| s.bind.join(" "), set_bind).at_start(),
    text("unixsocket", |s| s.unixsocket.clone(), |s, v| keep(&mut s.unixsocket, v)).at_start(),
    number("unixsocketperm", 0, 0o777, |s| i128::from(s.unixsocketperm), |s, v| s.unixsocketperm = v as u32)
        .unit(Unit::Octal)
        .at_start(),
    // As in Redis, 0 is none.
    number(
        "tls-port",
        0,
        65_535,
        |s| i128::from(s.tls.port.unwrap_or(0)),
        |s, v| s.tls.port = (v > 0).then_some(v as u16),
    )
    .at_start(),
    text("tls-cert-file", |s| s.tls.cert_file.clone(), |s, v| keep(&mut s.tls.cert_file, v)),
    text("tls-key-file", |s| s.tls.key_file.clone(), |s, v| keep(&mut s.tls.key_file, v)),
    text("tls-key-file-pass", |_| String::new(), refuse_pass),
    text("tls-ca-cert-file", |s| s.tls.ca_cert_file.clone(), |s, v| keep(&mut s.tls.ca_cert_file, v)),
    text("tls-ca-cert-dir", |s| s.tls.ca_cert_dir.clone(), |s, v| keep(&mut s.tls.ca_cert_dir, v)),
    choice(
        "tls-auth-clients",
        AUTH_CLIENTS,
        |s| s.tls.auth_clients as usize,
        |s, v| s.tls.auth_clients = AUTH_CLIENTS_OF[v],
    ),
    text("tls-protocols", |s| s.tls.protocols.clone(), |s, v| keep(&mut s.tls.protocols, v)),
    text("tls-ciphers", |s| s.tls.ciphers.clone(), |s, v| keep(&mut s.tls.ciphers, v)),
    text("tls-ciphersuites", |s| s.tls.ciphersuites.clone(), |s, v| keep(&mut s.tls.ciphersuites, v)),
    switch("tls-prefer-server-ciphers", |s| s.tls.prefer_server_ciphers, |s, v| s.tls.prefer_server_ciphers = v),
    switch("tls-session-caching", |s| s.tls.session_caching, |s, v| s.tls.session_caching = v),
    number(
        "tls-session-cache-size",
        0,
        INT,
        |s| i128::from(s.tls.session_cache_size),
        |s, v| s.tls.session_cache_size = v as u32,
    ),
    number(
        "tls-session-cache-timeout",
        0,
        INT,
        |s| i128::from(s.tls.session_cache_timeout),
        |s, v| s.tls.session_cache_timeout = v as u32,
    ),
    absent("tls-dh-params-file", "", &[""], Others::Any),
    absent("tls-client-cert-file", "", &[""], Others::Any),
    absent("tls-client-key-file", "", &[""], Others::Any),
    text("tls-client-key-file-pass", |_| String::new(), refuse_pass),
    absent("tls-replication", "no", &["no"], Others::Switch),
    absent("tls-cluster", "no", &["no"], Others::Switch),
    switch("protected-mode", |s| s.protected_mode, |s, v| s.protected_mode = v),
    number("tcp-backlog", 0, INT, |s| i128::from(s.tcp_backlog), |s, v| s.tcp_backlog = v as u32).at_start(),
    number("tcp-keepalive", 0, INT, |s| i128::from(s.tcp_keepalive), |s, v| s.tcp_keepalive = v as u32),
    number("timeout", 0, INT, |s| i128::from(s.timeout), |s, v| s.timeout = v as u64),
    number(
        "busy-reply-threshold",
        0,
        LONG,
        |s| i128::from(s.busy_reply_threshold),
        |s, v| s.busy_reply_threshold = v as u64,
    )
    .alias("lua-time-limit"),
    number(
        // Beyond, tables could have more entries than Lua can count, which it finds out in the wrong place.
        "lua-memory-limit",
        MEGABYTE,
        2048 * MEGABYTE,
        |s| i128::from(s.lua_memory_limit),
        |s, v| s.lua_memory_limit = v as u64,
    )
    .unit(Unit::Memory),
    number(
        "slowlog-log-slower-than",
        -1,
        LONG,
        |s| i128::from(s.slowlog_log_slower_than),
        |s, v| s.slowlog_log_slower_than = v as i64,
    ),
    number("slowlog-max-len", 0, LONG, |s| i128::from(s.slowlog_max_len), |s, v| s.slowlog_max_len = v as u64),
    number(
        "latency-monitor-threshold",
        0,
        LONG,
        |s| i128::from(s.latency_monitor_threshold),
        |s, v| s.latency_monitor_threshold = v as u64,
    ),
    switch("latency-tracking", |s| s.latency_tracking, |s, v| s.latency_tracking = v),
    words("latency-tracking-info-percentiles", 0, percentiles, set_percentiles),
    number(
        "tracking-table-max-keys",
        0,
        LONG,
        |s| i128::from(s.tracking_table_max_keys),
        |s, v| s.tracking_table_max_keys = v as u64,
    ),
    number("maxclients", 1, UNSIGNED, |s| s.maxclients as i128, |s, v| s.maxclients = v as usize),
    // Every shard has a table for every database: a number without bound would be a memory request without bound.
    number("databases", 1, 16_384, |s| s.databases as i128, |s, v| s.databases = v as usize).at_start(),
    number("io-threads", 0, 128, |s| s.io_threads as i128, |s, v| s.io_threads = v as usize).at_start(),
    text("requirepass", |s| s.requirepass.clone(), |s, v| keep(&mut s.requirepass, v)),
    text("aclfile", |s| s.aclfile.clone(), |s, v| keep(&mut s.aclfile, v)).at_start(),
    number("acllog-max-len", 0, LONG, |s| i128::from(s.acllog_max_len), |s, v| s.acllog_max_len = v as u64),
    choice(
        "acl-pubsub-default",
        &["allchannels", "resetchannels"],
        |s| usize::from(!s.acl_pubsub_default),
        |s, v| s.acl_pubsub_default = v == 0,
    ),
    text("dir", directory, set_dir).protected(),
    text("logfile", |s| s.logfile.clone(), |s, v| keep(&mut s.logfile, v)).at_start(),
    choice("loglevel", LEVELS, |s| s.loglevel as usize, |s, v| s.loglevel = LEVEL_OF[v]),
    text("pidfile", |s| s.pidfile.clone(), |s, v| keep(&mut s.pidfile, v)).at_start(),
    switch("daemonize", |s| s.daemonize, |s, v| s.daemonize = v).at_start(),
    choice(
        "enable-debug-command",
        DEBUG,
        |s| s.enable_debug_command as usize,
        |s, v| {
            s.enable_debug_command = DEBUG_OF[v];
        },
    )
    .at_start(),
    memory("maxmemory", 0, u64::MAX as i128, |s| i128::from(s.maxmemory), |s, v| s.maxmemory = v as u64),
    words("maxmemory-clients", 0, |s| s.maxmemory_clients.to_string(), set_maxmemory_clients),
    choice("maxmemory-policy", POLICIES, |s| s.maxmemory_policy as usize, |s, v| s.maxmemory_policy = POLICY_OF[v]),
    number("maxmemory-samples", 1, 64, |s| s.maxmemory_samples as i128, |s, v| s.maxmemory_samples = v as usize),
    number("lfu-log-factor", 0, INT, |s| i128::from(s.lfu_log_factor), |s, v| s.lfu_log_factor = v as u32),
    number("lfu-decay-time", 0, INT, |s| i128::from(s.lfu_decay_time), |s, v| s.lfu_decay_time = v as u32),
    switch("lazyfree-lazy-eviction", |s| s.lazyfree_lazy_eviction, |s, v| s.lazyfree_lazy_eviction = v),
    switch("lazyfree-lazy-expire", |s| s.lazyfree_lazy_expire, |s, v| s.lazyfree_lazy_expire = v),
    switch("lazyfree-lazy-server-del", |s| s.lazyfree_lazy_server_del, |s, v| s.lazyfree_lazy_server_del = v),
    switch("lazyfree-lazy-user-del", |s| s.lazyfree_lazy_user_del, |s, v| s.lazyfree_lazy_user_del = v),
    switch("lazyfree-lazy-user-flush", |s| s.lazyfree_lazy_user_flush, |s, v| s.lazyfree_lazy_user_flush = v),
    memory(
        "proto-max-bulk-len",
        MEGABYTE,
        LONG,
        |s| i128::from(s.proto_max_bulk_len),
        |s, v| {
            s.proto_max_bulk_len = v as u64;
        },
    ),
    memory(
        "client-query-buffer-limit",
        MEGABYTE,
        LONG,
        |s| i128::from(s.client_query_buffer_limit),
        |s, v| {
            s.client_query_buffer_limit = v as u64;
        },
    ),
    words("client-output-buffer-limit", 4, output_limits, set_output_limits),
    limit_row!("hash-max-listpack-entries", hash_max_listpack_entries).alias("hash-max-ziplist-entries"),
    limit_row!("hash-max-listpack-value", hash_max_listpack_value).alias("hash-max-ziplist-value"),
    number(
        "list-max-listpack-size",
        i32::MIN as i128,
        INT,
        |s| i128::from(s.types.list_max_listpack_size),
        |s, v| {
            s.types.list_max_listpack_size = v as i32;
        },
    )
    .alias("list-max-ziplist-size"),
    number(
        "hll-sparse-max-bytes",
        0,
        LONG,
        |s| i128::from(s.hll_sparse_max_bytes),
        |s, v| s.hll_sparse_max_bytes = v as u64,
    )
    .unit(Unit::Memory),
    limit_row!("set-max-intset-entries", set_max_intset_entries),
    limit_row!("set-max-listpack-entries", set_max_listpack_entries),
    limit_row!("set-max-listpack-value", set_max_listpack_value),
    limit_row!("zset-max-listpack-entries", zset_max_listpack_entries).alias("zset-max-ziplist-entries"),
    limit_row!("zset-max-listpack-value", zset_max_listpack_value).alias("zset-max-ziplist-value"),
    memory(
        "stream-node-max-bytes",
        0,
        LONG,
        |s| s.types.stream_node_max_bytes as i128,
        |s, v| {
            s.types.stream_node_max_bytes = v as usize;
        },
    ),
    limit_row!("stream-node-max-entries", stream_node_max_entries),
    text("dbfilename", |s| s.dbfilename.clone(), set_dbfilename).protected(),
    words("save", 2, save_points, set_save_points),
    switch("appendonly", Settings::keeps_log, |s, v| s.appendonly = Some(v)),
    choice("appendfsync", FSYNCS, |s| s.appendfsync as usize, |s, v| s.appendfsync = FSYNC_OF[v]),
    text("appendfilename", |s| s.appendfilename.clone(), set_appendfilename).at_start(),
    text("appenddirname", |s| s.appenddirname.clone(), set_appenddirname).at_start(),
    switch("aof-use-rdb-preamble", |s| s.aof_use_rdb_preamble, |s, v| s.aof_use_rdb_preamble = v),
    switch("aof-load-truncated", |s| s.aof_load_truncated, |s, v| s.aof_load_truncated = v),
    absent("aof-timestamp-enabled", "no", &["no"], Others::Switch),
    number(
        "auto-aof-rewrite-percentage",
        0,
        INT,
        |s| i128::from(s.auto_aof_rewrite_percentage),
        |s, v| {
            s.auto_aof_rewrite_percentage = v as u64;
        },
    ),
    memory(
        "auto-aof-rewrite-min-size",
        0,
        LONG,
        |s| i128::from(s.auto_aof_rewrite_min_size),
        |s, v| {
            s.auto_aof_rewrite_min_size = v as u64;
        },
    ),
    switch("no-appendfsync-on-rewrite", |s| s.no_appendfsync_on_rewrite, |s, v| s.no_appendfsync_on_rewrite = v),
    switch("rdbcompression", |s| s.rdbcompression, |s, v| s.rdbcompression = v),
    switch("rdbchecksum", |s| s.rdbchecksum, |s, v| s.rdbchecksum = v).at_start(),
    switch("stop-writes-on-bgsave-error", |s| s.stop_writes_on_bgsave_error, |s, v| s.stop_writes_on_bgsave_error = v),
    switch("rdb-save-incremental-fsync", |s| s.rdb_save_incremental_fsync, |s, v| s.rdb_save_incremental_fsync = v),
    switch(
        "aof-rewrite-incremental-fsync",
        |s| s.aof_rewrite_incremental_fsync,
        |s, v| s.aof_rewrite_incremental_fsync = v,
    ),
    text("notify-keyspace-events", |s| s.notify_keyspace_events.to_string(), set_events),
    absent("enable-module-command", "no", &["no"], Others::Any).at_start(),
    absent("replicaof", "", &["", "no one"], Others::Any).alias("slaveof").at_start(),
];

const INT: i128 = i32::MAX as i128;
const UNSIGNED: i128 = u32::MAX as i128;
const LONG: i128 = i64::MAX as i128;
const MEGABYTE: i128 = 1 << 20;
const POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];
const POLICY_OF: [Policy; 8] = [
    Policy::VolatileLru,
    Policy::VolatileLfu,
    Policy::VolatileRandom,
    Policy::VolatileTtl,
    Policy::AllKeysLru,
    Policy::AllKeysLfu,
    Policy::AllKeysRandom,
    Policy::NoEviction,
];
const AUTH_CLIENTS: &[&str] = &["no", "yes", "optional"];
const AUTH_CLIENTS_OF: [TlsAuthClients; 3] = [TlsAuthClients::No, TlsAuthClients::Yes, TlsAuthClients::Optional];
const LEVELS: &[&str] = &["debug", "verbose", "notice", "warning", "nothing"];
const LEVEL_OF: [LogLevel; 5] =
    [LogLevel::Debug, LogLevel::Verbose, LogLevel::Notice, LogLevel::Warning, LogLevel::Nothing];
const DEBUG: &[&str] = &["no", "yes", "local"];
const DEBUG_OF: [DebugAccess; 3] = [DebugAccess::No, DebugAccess::Yes, DebugAccess::Local];

/// The setting of that name or alias, in any case.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.names().any(|own| own.eq_ignore_ascii_case(name)))
}

impl Setting {
    /// Its name and its alias.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.alias)
    }

    /// Its value as CONFIG GET shows it.
    pub(crate) fn value(&self, settings: &Settings) -> String {
        match &self.kind {
            Kind::Switch { get, .. } => if get(settings) { "yes" } else { "no" }.into(),
            Kind::Number { unit: Unit::Octal, get, .. } => format!("{:o}", get(settings)),
            Kind::Number { get, .. } => get(settings).to_string(),
            Kind::Choice { words, get, .. } => words.get(get(settings)).copied().unwrap_or_default().into(),
            Kind::Text { get, .. } | Kind::Words { get, .. } => get(settings),
            Kind::Absent { value, .. } => (*value).into(),
        }
    }

    /// The lines of a configuration file that say the same.
    pub(crate) fn lines(&self, settings: &Settings) -> Vec<String> {
        let name = self.name;
        let value = self.value(settings);
        match &self.kind {
            Kind::Number { unit: Unit::Memory, get, .. } => {
                let bytes = u64::try_from(get(settings)).unwrap_or_default();
                vec![format!("{name} {}", format_memory(bytes))]
            }
            Kind::Words { per_line, .. } if *per_line > 0 && !value.is_empty() => {
                let words: Vec<&str> = value.split(' ').collect();
                words.chunks(*per_line).map(|line| format!("{name} {}", line.join(" "))).collect()
            }
            Kind::Text { .. } => vec![format!("{name} {}", quote(&value))],
            _ if value.is_empty() => vec![format!("{name} \"\"")],
            _ => vec![format!("{name} {value}")],
        }
    }

    /// Takes the words behind its name; on an error nothing has changed.
    pub(crate) fn set(&self, settings: &mut Settings, words: &[&str]) -> Result<(), String> {
        match &self.kind {
            Kind::Words { set, .. } => {
                if words.is_empty() {
                    return Err(WRONG_NUMBER.into());
                }
                // CONFIG SET brings all words in one argument.
                let words: Vec<&str> = words.iter().flat_map(|word| word.split_ascii_whitespace()).collect();
                set(settings, &words)
            }
            Kind::Absent { spellings, others, .. } => self.refuse_unless(words, spellings, *others),
            single => match words {
                [word] => single.set(settings, word),
                _ => Err(WRONG_NUMBER.into()),
            },
        }
    }

    fn refuse_unless(&self, words: &[&str], spellings: &[&str], others: Others) -> Result<(), String> {
        if words.is_empty() || words.len() > 1 && !matches!(others, Others::Any) {
            return Err(WRONG_NUMBER.into());
        }
        let given = words.join(" ");
        if spellings.iter().any(|spelling| spelling.eq_ignore_ascii_case(&given)) {
            return Ok(());
        }
        let is_known = |known: &[&str]| known.iter().any(|word| word.eq_ignore_ascii_case(&given));
        match others {
            Others::Switch if !is_known(&["yes"]) => Err(NOT_A_SWITCH.into()),
            _ => Err(format!("'{given}' is not supported yet, only '{}' is", spellings.last().unwrap_or(&""))),
        }
    }

    const fn at_start(mut self) -> Self {
        self.changes = Changes::AtStart;
        self
    }

    const fn protected(mut self) -> Self {
        self.changes = Changes::Protected;
        self
    }

    const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    const fn unit(mut self, given: Unit) -> Self {
        if let Kind::Number { unit, .. } = &mut self.kind {
            *unit = given;
        }
        self
    }
}

const WRONG_NUMBER: &str = "wrong number of arguments";
const NOT_A_SWITCH: &str = "argument must be 'yes' or 'no'";

fn not_one_of(words: &[&str]) -> String {
    format!("argument(s) must be one of the following: {}", words.join(", "))
}

impl Kind {
    /// Takes the one word that is the value.
    fn set(&self, settings: &mut Settings, word: &str) -> Result<(), String> {
        match self {
            Kind::Switch { set, .. } => match word {
                word if word.eq_ignore_ascii_case("yes") => set(settings, true),
                word if word.eq_ignore_ascii_case("no") => set(settings, false),
                _ => return Err(NOT_A_SWITCH.into()),
            },
            Kind::Number { unit, min, max, set, .. } => set(settings, number_in(word, *unit, *min, *max)?),
            Kind::Choice { words, set, .. } => {
                let place = words.iter().position(|known| known.eq_ignore_ascii_case(word));
                set(settings, place.ok_or_else(|| not_one_of(words))?);
            }
            Kind::Text { set, .. } => set(settings, word)?,
            Kind::Words { .. } | Kind::Absent { .. } => {}
        }
        Ok(())
    }
}

fn number_in(word: &str, unit: Unit, min: i128, max: i128) -> Result<i128, String> {
    let number = match unit {
        Unit::Plain => resplite_resp::number::parse_i64(word.as_bytes())
            .map(i128::from)
            .ok_or("argument couldn't be parsed into an integer")?,
        Unit::Memory => parse_memory(word).map(i128::from).ok_or("argument must be a memory value")?,
        Unit::Octal => u32::from_str_radix(word, 8)
            .map(i128::from)
            .map_err(|_| "argument couldn't be parsed as an octal number")?,
    };
    if !(min..=max).contains(&number) {
        return Err(match unit {
            Unit::Octal => format!("argument must be between {min:o} and {max:o} inclusive"),
            _ => format!("argument must be between {min} and {max} inclusive"),
        });
    }
    Ok(number)
}

fn keep(field: &mut String, value: &str) -> Result<(), String> {
    value.clone_into(field);
    Ok(())
}

/// A passphrase would have to lie beside the key that it protects. Its text is not repeated.
fn refuse_pass(_: &mut Settings, pass: &str) -> Result<(), String> {
    if pass.is_empty() {
        Ok(())
    } else {
        Err("encrypted keys are not supported: store the key without a passphrase".into())
    }
}

fn set_events(settings: &mut Settings, letters: &str) -> Result<(), String> {
    settings.notify_keyspace_events = EventClasses::parse(letters)?;
    Ok(())
}

fn set_bind(settings: &mut Settings, words: &[&str]) -> Result<(), String> {
    settings.bind = words.iter().map(|&word| word.to_owned()).collect();
    Ok(())
}

fn percentiles(settings: &Settings) -> String {
    settings.latency_tracking_info_percentiles.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
}

fn set_percentiles(settings: &mut Settings, words: &[&str]) -> Result<(), String> {
    let parse = |word: &&str| {
        let number = resplite_resp::number::parse_f64(word.as_bytes())
            .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if (0.0..=100.0).contains(&number) {
            return Ok(number);
        }
        Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
    };
    settings.latency_tracking_info_percentiles = words.iter().map(parse).collect::<Result<_, _>>()?;
    Ok(())
}

const FSYNCS: &[&str] = &["everysec", "always", "no"];
const FSYNC_OF: [AppendFsync; 3] = [AppendFsync::EverySecond, AppendFsync::Always, AppendFsync::No];

/// A name of a file that lies in the directory of the data and nowhere else.
fn plain_name(field: &mut String, setting: &str, name: &str) -> Result<(), String> {
    if name.contains('/') {
        return Err(format!("{setting} can't be a path, just a filename"));
    }
    keep(field, name)
}

fn set_dbfilename(settings: &mut Settings, name: &str) -> Result<(), String> {
    plain_name(&mut settings.dbfilename, "dbfilename", name)
}

fn set_appendfilename(settings: &mut Settings, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("appendfilename can't be empty".into());
    }
    plain_name(&mut settings.appendfilename, "appendfilename", name)
}

fn set_appenddirname(settings: &mut Settings, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("appenddirname can't be empty".into());
    }
    plain_name(&mut settings.appenddirname, "appenddirname", name)
}

fn save_points(settings: &Settings) -> String {
    let shown: Vec<String> = settings.save.iter().map(|point| format!("{} {}", point.seconds, point.changes)).collect();
    shown.join(" ")
}

fn set_save_points(settings: &mut Settings, words: &[&str]) -> Result<(), String> {
    if words.is_empty() {
        settings.save.clear();
        return Ok(());
    }
    let invalid = || "Invalid save parameters".to_owned();
    if !words.len().is_multiple_of(2) {
        return Err(invalid());
    }
    let mut points = Vec::new();
    for pair in words.chunks_exact(2) {
        let number = |word: &str| resplite_resp::number::parse_u64(word.as_bytes());
        let (Some(seconds), Some(changes)) = (number(pair[0]).filter(|seconds| *seconds > 0), number(pair[1])) else {
            return Err(invalid());
        };
        points.push(SavePoint { seconds, changes });
    }
    settings.save = points;
    Ok(())
}

fn directory(settings: &Settings) -> String {
    if settings.dir.is_empty() {
        return std::env::current_dir().map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default();
    }
    settings.dir.clone()
}

fn set_dir(settings: &mut Settings, dir: &str) -> Result<(), String> {
    let found = std::fs::canonicalize(dir).map_err(|error| super::file::reason(&error))?;
    if !found.is_dir() {
        return Err("Not a directory".into());
    }
    settings.dir = found.to_string_lossy().into_owned();
    Ok(())
}

fn set_maxmemory_clients(settings: &mut Settings, words: &[&str]) -> Result<(), String> {
    let [word] = words else { return Err("argument must be a memory or percent value".into()) };
    settings.maxmemory_clients = match word.strip_suffix('%') {
        Some(percent) => match percent.parse::<u8>() {
            Ok(percent) if percent <= 100 => ClientLimit::Percent(percent),
            _ if percent.bytes().all(|byte| byte.is_ascii_digit()) && !percent.is_empty() => {
                return Err("percentage argument must be less or equal to 100".into());
            }
            _ => return Err("argument must be a memory or percent value".into()),
        },
        None => ClientLimit::Bytes(parse_memory(word).ok_or("argument must be a memory or percent value")?),
    };
    Ok(())
}

/// The classes of clients as they are shown, in the order of the limits.
const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

fn output_limits(settings: &Settings) -> String {
    let shown =
        |(class, limit): (&str, &OutputLimit)| format!("{class} {} {} {}", limit.hard, limit.soft, limit.soft_seconds);
    let shown: Vec<String> = CLASSES.into_iter().zip(&settings.client_output_buffer_limit).map(shown).collect();
    shown.join(" ")
}

fn set_output_limits(settings: &mut Settings, words: &[&str]) -> Result<(), String> {
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits = settings.client_output_buffer_limit;
    for group in words.chunks_exact(4) {
        let class = if group[0].eq_ignore_ascii_case("replica") { "slave" } else { group[0] };
        let place = CLASSES.iter().position(|known| known.eq_ignore_ascii_case(class));
        let place = place.ok_or("Invalid client class specified in buffer limit configuration.")?;
        let (Some(hard), Some(soft), Ok(soft_seconds)) =
            (parse_memory(group[1]), parse_memory(group[2]), group[3].parse::<u32>())
        else {
            return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.".into());
        };
        limits[place] = OutputLimit { hard, soft, soft_seconds: soft_seconds.into() };
    }
    settings.client_output_buffer_limit = limits;
    Ok(())
}

const fn setting(name: &'static str, kind: Kind) -> Setting {
    Setting { name, alias: None, changes: Changes::Anytime, kind }
}

const fn switch(name: &'static str, get: fn(&Settings) -> bool, set: fn(&mut Settings, bool)) -> Setting {
    setting(name, Kind::Switch { get, set })
}

const fn number(
    name: &'static str,
    min: i128,
    max: i128,
    get: fn(&Settings) -> i128,
    set: fn(&mut Settings, i128),
) -> Setting {
    setting(name, Kind::Number { unit: Unit::Plain, min, max, get, set })
}

const fn memory(
    name: &'static str,
    min: i128,
    max: i128,
    get: fn(&Settings) -> i128,
    set: fn(&mut Settings, i128),
) -> Setting {
    number(name, min, max, get, set).unit(Unit::Memory)
}

const fn choice(
    name: &'static str,
    words: &'static [&'static str],
    get: fn(&Settings) -> usize,
    set: fn(&mut Settings, usize),
) -> Setting {
    setting(name, Kind::Choice { words, get, set })
}

const fn text(
    name: &'static str,
    get: fn(&Settings) -> String,
    set: fn(&mut Settings, &str) -> Result<(), String>,
) -> Setting {
    setting(name, Kind::Text { get, set })
}

const fn words(
    name: &'static str,
    per_line: usize,
    get: fn(&Settings) -> String,
    set: fn(&mut Settings, &[&str]) -> Result<(), String>,
) -> Setting {
    setting(name, Kind::Words { per_line, get, set })
}

const fn absent(
    name: &'static str,
    value: &'static str,
    spellings: &'static [&'static str],
    others: Others,
) -> Setting {
    setting(name, Kind::Absent { value, spellings, others })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, words: &[&str]) -> Result<String, String> {
        let mut settings = Settings::default();
        settings.apply(name, words)?;
        Ok(settings.value(name).unwrap())
    }

    #[test]
    fn names_are_unique_and_defaults_are_their_own_values() {
        let mut names: Vec<&str> = SETTINGS.iter().flat_map(Setting::names).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        let defaults = Settings::default();
        for setting in SETTINGS {
            let value = setting.value(&defaults);
            assert_eq!(set(setting.name, &[&value]), Ok(value.clone()), "{}", setting.name);
            let mut read = Settings::default();
            for line in setting.lines(&defaults) {
                read.read_text(line.as_bytes()).unwrap();
            }
            assert_eq!(setting.value(&read), value, "{}", setting.name);
        }
    }

    #[test]
    fn values_are_shown_as_redis_shows_them() {
        for (name, words, shown) in [
            ("maxmemory", &["100Mb"][..], "104857600"),
            ("MAXMEMORY", &["1k"], "1000"),
            ("maxmemory-clients", &["1mb"], "1048576"),
            ("maxmemory-clients", &["7%"], "7%"),
            ("maxmemory-clients", &["0%"], "0"),
            ("protected-mode", &["NO"], "no"),
            ("loglevel", &["Warning"], "warning"),
            ("unixsocketperm", &["700"], "700"),
            ("bind", &["127.0.0.1", "-::1"], "127.0.0.1 -::1"),
            ("bind", &["127.0.0.1 ::1"], "127.0.0.1 ::1"),
            ("save", &[""], ""),
            ("save", &["3600", "1", "60 100"], "3600 1 60 100"),
            ("appendonly", &["no"], "no"),
            ("replicaof", &["no", "one"], ""),
            ("notify-keyspace-events", &["KEA"], "AKE"),
            ("hash-max-ziplist-entries", &["7"], "7"),
            ("list-max-listpack-size", &["-5"], "-5"),
            (
                "client-output-buffer-limit",
                &["replica 1mb 2 3 normal 4 5 6"],
                "normal 4 5 6 slave 1048576 2 3 pubsub 33554432 8388608 60",
            ),
        ] {
            assert_eq!(set(name, words).as_deref(), Ok(shown), "{name} {words:?}");
        }
    }

    #[test]
    fn wrong_values_are_refused_in_redis_words() {
        for (name, words, error) in [
            ("nosuch", &["1"][..], "Bad directive or wrong number of arguments"),
            ("port", &[], "wrong number of arguments"),
            ("port", &["1", "2"], "wrong number of arguments"),
            ("port", &["x"], "argument couldn't be parsed into an integer"),
            ("port", &["65536"], "argument must be between 0 and 65535 inclusive"),
            ("timeout", &["-1"], "argument must be between 0 and 2147483647 inclusive"),
            ("maxmemory", &["10%"], "argument must be a memory value"),
            ("maxmemory-clients", &["101%"], "percentage argument must be less or equal to 100"),
            ("maxmemory-clients", &["-5%"], "argument must be a memory or percent value"),
            ("maxmemory-clients", &["5.5%"], "argument must be a memory or percent value"),
            ("maxmemory-clients", &["%"], "argument must be a memory or percent value"),
            ("maxmemory-clients", &["-1"], "argument must be a memory or percent value"),
            ("unixsocketperm", &["888"], "argument couldn't be parsed as an octal number"),
            ("protected-mode", &["maybe"], "argument must be 'yes' or 'no'"),
            ("appendonly", &["maybe"], "argument must be 'yes' or 'no'"),
            ("notify-keyspace-events", &["KQ"], "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
            ("save", &["3600"], "Invalid save parameters"),
            ("save", &["0", "1"], "Invalid save parameters"),
            ("dbfilename", &["a/b"], "dbfilename can't be a path, just a filename"),
            ("appendfilename", &[""], "appendfilename can't be empty"),
            ("appendfsync", &["x"], "argument(s) must be one of the following: everysec, always, no"),
            (
                "loglevel",
                &["loud"],
                "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
            ),
            (
                "client-output-buffer-limit",
                &["normal", "1"],
                "Wrong number of arguments in buffer limit configuration.",
            ),
            (
                "client-output-buffer-limit",
                &["master 1 2 3"],
                "Invalid client class specified in buffer limit configuration.",
            ),
            (
                "client-output-buffer-limit",
                &["normal 1 2 -3"],
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ),
        ] {
            assert_eq!(set(name, words), Err(error.into()), "{name} {words:?}");
        }
    }
}
