//! The settings of a server and their defaults; their rows are in `config/table.rs`, configuration files in `config/file.rs`.

pub(crate) mod file;
pub(crate) mod table;
pub(crate) mod words;

pub use crate::notify::EventClasses;
pub use file::ConfigError;

use resplite_storage::types::Limits as TypeLimits;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How much memory all clients together may take; nothing of either is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientLimit {
    /// So many bytes.
    Bytes(u64),
    /// So many percent of `maxmemory`, up to 100.
    Percent(u8),
}

impl std::fmt::Display for ClientLimit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ClientLimit::Bytes(bytes) => write!(out, "{bytes}"),
            ClientLimit::Percent(0) => write!(out, "0"),
            ClientLimit::Percent(percent) => write!(out, "{percent}%"),
        }
    }
}

/// Output limits of one class of clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputLimit {
    /// Bytes that end the connection at once; 0 is no limit.
    pub hard: u64,
    /// Bytes that end it when exceeded for `soft_seconds`; 0 is no limit.
    pub soft: u64,
    /// Seconds above the soft limit that are still accepted.
    pub soft_seconds: u64,
}

/// Level of the log, in Redis' words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// Many rarely useful lines.
    Verbose,
    /// What production wants.
    Notice,
    /// Only what is important.
    Warning,
    /// Nothing.
    Nothing,
}

/// When the log is synced to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendFsync {
    /// Once a second.
    EverySecond,
    /// Before the reply to what was written leaves.
    Always,
    /// When the operating system likes.
    No,
}

/// The least that `maxmemory-clients` can mean, in bytes.
const LEAST_CLIENT_MEMORY: u64 = 128 * 1024;

/// Who has to go when memory runs out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// Of the keys with a deadline the one that has not been used for the longest time.
    VolatileLru,
    /// Of the keys with a deadline the one that is used least often.
    VolatileLfu,
    /// Any key with a deadline.
    VolatileRandom,
    /// The key whose deadline comes first.
    VolatileTtl,
    /// The key that has not been used for the longest time.
    AllKeysLru,
    /// The key that is used least often.
    AllKeysLfu,
    /// Any key.
    AllKeysRandom,
    /// Nobody: what needs memory is refused.
    NoEviction,
}

impl Policy {
    /// Whether uses are counted, instead of the time of the last one being kept.
    pub fn counts_uses(self) -> bool {
        matches!(self, Policy::VolatileLfu | Policy::AllKeysLfu)
    }

    pub(crate) fn is_volatile(self) -> bool {
        matches!(self, Policy::VolatileLru | Policy::VolatileLfu | Policy::VolatileRandom | Policy::VolatileTtl)
    }

    pub(crate) fn is_random(self) -> bool {
        matches!(self, Policy::VolatileRandom | Policy::AllKeysRandom)
    }
}

/// A point of `save`: a snapshot is due once so many changes are so old.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SavePoint {
    /// Seconds since the last snapshot.
    pub seconds: u64,
    /// Changes since the last snapshot.
    pub changes: u64,
}

/// Who may use DEBUG.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DebugAccess {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Connections from this machine.
    Local,
}

/// Whether clients show a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsAuthClients {
    /// They need not, and nobody would look at it.
    No,
    /// Only those are let in whose certificate is good.
    Yes,
    /// They need not, but who shows one is let in only if it is good.
    Optional,
}

/// The settings of TLS. Names of files are meant relative to `dir`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsSettings {
    /// Port for TLS; 0 lets the system choose; `None` means no TLS at all.
    pub port: Option<u16>,
    /// File of the server's certificate, with those between it and its authority behind it, in PEM format.
    pub cert_file: String,
    /// File of the key that belongs to it, not encrypted.
    pub key_file: String,
    /// File of the authorities that clients' certificates come from, or empty.
    pub ca_cert_file: String,
    /// Directory of such files, or empty.
    pub ca_cert_dir: String,
    /// Whether clients show a certificate.
    pub auth_clients: TlsAuthClients,
    /// `TLSv1.2`, `TLSv1.3` or both; empty is both.
    pub protocols: String,
    /// Ciphers of TLS 1.2 by OpenSSL's names, separated by colons; empty is all.
    pub ciphers: String,
    /// Ciphers of TLS 1.3; empty is all.
    pub ciphersuites: String,
    /// Whether the server's order of ciphers counts, not the client's.
    pub prefer_server_ciphers: bool,
    /// Whether clients may take up earlier sessions, which saves the most of the handshake.
    pub session_caching: bool,
    /// Sessions that are kept for that; 0 is no limit.
    pub session_cache_size: u32,
    /// Seconds that they are kept for.
    pub session_cache_timeout: u32,
}

impl Default for TlsSettings {
    fn default() -> Self {
        TlsSettings {
            port: None,
            cert_file: String::new(),
            key_file: String::new(),
            ca_cert_file: String::new(),
            ca_cert_dir: String::new(),
            auth_clients: TlsAuthClients::Yes,
            protocols: String::new(),
            ciphers: String::new(),
            ciphersuites: String::new(),
            prefer_server_ciphers: false,
            session_caching: true,
            session_cache_size: 20 * 1024,
            session_cache_timeout: 300,
        }
    }
}

/// All settings of a server. Made by [`crate::ServerBuilder`] or from a configuration file and arguments.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// TCP port; 0 lets the system choose; `None` means no TCP at all.
    pub port: Option<u16>,
    /// Addresses to listen on; a leading `-` makes an address optional.
    pub bind: Vec<String>,
    /// Path of the Unix socket, or empty.
    pub unixsocket: String,
    /// Permissions of the Unix socket, or 0 for the system's default.
    pub unixsocketperm: u32,
    /// TLS.
    pub tls: TlsSettings,
    /// Refuse clients from other machines while the default user needs no password.
    pub protected_mode: bool,
    /// Length of the queue of connections that wait to be accepted.
    pub tcp_backlog: u32,
    /// Seconds between keep-alive probes; 0 switches them off.
    pub tcp_keepalive: u32,
    /// Seconds after which an idle client is disconnected; 0 is never.
    pub timeout: u64,
    /// Most clients at a time.
    pub maxclients: usize,
    /// Number of databases.
    pub databases: usize,
    /// Worker threads; 0 is one for each core.
    pub io_threads: usize,
    /// Password of the default user, or empty.
    pub requirepass: String,
    /// Users that the configuration declares: name and rules of each, as `user` lines have them.
    pub users: Vec<Vec<Vec<u8>>>,
    /// Commands that go by another name, or by none if it is empty: the name and the new name of each.
    pub renamed_commands: Vec<(String, String)>,
    /// File of the users, or empty; then there must be no `users`.
    pub aclfile: String,
    /// Entries that ACL LOG keeps.
    pub acllog_max_len: u64,
    /// Whether new users may listen to every channel.
    pub acl_pubsub_default: bool,
    /// Directory of the data and of relative file names, as an absolute path. Empty is the current directory, and says that
    /// nothing is kept unless `appendonly` or `save` ask for it.
    pub dir: String,
    /// Name of the snapshot file in `dir`.
    pub dbfilename: String,
    /// When snapshots are due; none by default.
    pub save: Vec<SavePoint>,
    /// Whether changes are logged; `None`, the default, is yes if there is a `dir`.
    pub appendonly: Option<bool>,
    /// When the log is synced.
    pub appendfsync: AppendFsync,
    /// First part of the names of the log's files.
    pub appendfilename: String,
    /// Directory of the log's files, in `dir`.
    pub appenddirname: String,
    /// Whether a rewritten log begins with a snapshot in the RDB format instead of commands.
    pub aof_use_rdb_preamble: bool,
    /// Whether a log that ends in the middle of a command is cut and loaded, or refused.
    pub aof_load_truncated: bool,
    /// Growth of the log, in percent of its size after the last rewrite, at which it is rewritten; 0 is never.
    pub auto_aof_rewrite_percentage: u64,
    /// Bytes below which the log is not rewritten by itself.
    pub auto_aof_rewrite_min_size: u64,
    /// Leaves syncing the log out while a snapshot or a rewrite is being written.
    pub no_appendfsync_on_rewrite: bool,
    /// Whether long strings in snapshots are compressed.
    pub rdbcompression: bool,
    /// Whether snapshots carry a checksum.
    pub rdbchecksum: bool,
    /// Whether writes are refused after a snapshot of `save` has failed.
    pub stop_writes_on_bgsave_error: bool,
    /// Whether a snapshot is synced every few megabytes instead of once at its end.
    pub rdb_save_incremental_fsync: bool,
    /// As `rdb_save_incremental_fsync`, for the rewriting of the log.
    pub aof_rewrite_incremental_fsync: bool,
    /// Log file, or empty for standard output.
    pub logfile: String,
    /// What is logged.
    pub loglevel: LogLevel,
    /// Bytes of data at which keys have to go, or commands that need memory are refused; 0 is no limit.
    pub maxmemory: u64,
    /// Memory of all clients at which some have to go.
    pub maxmemory_clients: ClientLimit,
    /// Which keys have to go.
    pub maxmemory_policy: Policy,
    /// Keys that are looked at for each that goes.
    pub maxmemory_samples: usize,
    /// How much more slowly counters of uses grow the higher they are.
    pub lfu_log_factor: u32,
    /// Minutes without a use that cost such a counter one; 0: none do.
    pub lfu_decay_time: u32,
    /// Whether large values that have to go are freed by another thread.
    pub lazyfree_lazy_eviction: bool,
    /// As `lazyfree_lazy_eviction`, for values that expire.
    pub lazyfree_lazy_expire: bool,
    /// As `lazyfree_lazy_eviction`, for values that others take the place of.
    pub lazyfree_lazy_server_del: bool,
    /// Whether DEL frees large values by another thread, as UNLINK does.
    pub lazyfree_lazy_user_del: bool,
    /// Whether FLUSHALL and FLUSHDB without a word are ASYNC.
    pub lazyfree_lazy_user_flush: bool,
    /// Longest argument.
    pub proto_max_bulk_len: u64,
    /// Most unread input of a client.
    pub client_query_buffer_limit: u64,
    /// Milliseconds that a script runs for before others are told that the server is busy; 0: they are kept waiting.
    pub busy_reply_threshold: u64,
    /// Most bytes that the code of scripts and functions may have allocated; at most 2 GiB.
    pub lua_memory_limit: u64,
    /// Bytes of a sparse HyperLogLog that grows dense beyond.
    pub hll_sparse_max_bytes: u64,
    /// Microseconds that a command runs for to be in the slow log; negative: none is.
    pub slowlog_log_slower_than: i64,
    /// Entries of the slow log that are kept.
    pub slowlog_max_len: u64,
    /// Milliseconds that make an event one of the latency monitor's; 0: none is.
    pub latency_monitor_threshold: u64,
    /// Whether it is kept how long each command took.
    pub latency_tracking: bool,
    /// The percentiles of that which INFO shows.
    pub latency_tracking_info_percentiles: Vec<f64>,
    /// Most keys that are remembered for client-side caching; 0 is no limit.
    pub tracking_table_max_keys: u64,
    /// Output limits of normal, replica and pubsub clients.
    pub client_output_buffer_limit: [OutputLimit; 3],
    /// Which events of keys are told to subscribers; none by default.
    pub notify_keyspace_events: EventClasses,
    /// Encoding limits of the value types.
    pub types: TypeLimits,
    /// Who may use DEBUG.
    pub enable_debug_command: DebugAccess,
    /// File that receives the process id, or empty.
    pub pidfile: String,
    /// Whether the process detaches from its terminal; only the binary can.
    pub daemonize: bool,
    /// Absolute path of the configuration file that was read, or empty; CONFIG REWRITE writes it.
    pub config_file: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            port: Some(6379),
            bind: vec!["127.0.0.1".into(), "-::1".into()],
            unixsocket: String::new(),
            unixsocketperm: 0,
            tls: TlsSettings::default(),
            protected_mode: true,
            tcp_backlog: 511,
            tcp_keepalive: 300,
            timeout: 0,
            maxclients: 10_000,
            databases: 16,
            io_threads: 0,
            requirepass: String::new(),
            users: Vec::new(),
            renamed_commands: Vec::new(),
            aclfile: String::new(),
            acllog_max_len: 128,
            acl_pubsub_default: false,
            dir: String::new(),
            dbfilename: "dump.rdb".into(),
            save: Vec::new(),
            appendonly: None,
            appendfsync: AppendFsync::EverySecond,
            appendfilename: "appendonly.aof".into(),
            appenddirname: "appendonlydir".into(),
            aof_use_rdb_preamble: true,
            aof_load_truncated: true,
            auto_aof_rewrite_percentage: 100,
            auto_aof_rewrite_min_size: 64 << 20,
            no_appendfsync_on_rewrite: false,
            rdbcompression: true,
            rdbchecksum: true,
            stop_writes_on_bgsave_error: true,
            rdb_save_incremental_fsync: true,
            aof_rewrite_incremental_fsync: true,
            logfile: String::new(),
            loglevel: LogLevel::Notice,
            maxmemory: 0,
            maxmemory_clients: ClientLimit::Bytes(0),
            maxmemory_policy: Policy::NoEviction,
            maxmemory_samples: 5,
            lfu_log_factor: 10,
            lfu_decay_time: 1,
            lazyfree_lazy_eviction: false,
            lazyfree_lazy_expire: false,
            lazyfree_lazy_server_del: false,
            lazyfree_lazy_user_del: false,
            lazyfree_lazy_user_flush: false,
            proto_max_bulk_len: 512 << 20,
            client_query_buffer_limit: 1 << 30,
            busy_reply_threshold: 5000,
            lua_memory_limit: 1 << 30,
            hll_sparse_max_bytes: resplite_storage::types::hyperloglog::USUAL_SPARSE_BYTES as u64,
            slowlog_log_slower_than: 10_000,
            slowlog_max_len: 128,
            latency_monitor_threshold: 0,
            latency_tracking: true,
            latency_tracking_info_percentiles: vec![50.0, 99.0, 99.9],
            tracking_table_max_keys: 1_000_000,
            client_output_buffer_limit: [
                OutputLimit { hard: 0, soft: 0, soft_seconds: 0 },
                OutputLimit { hard: 256 << 20, soft: 64 << 20, soft_seconds: 60 },
                OutputLimit { hard: 32 << 20, soft: 8 << 20, soft_seconds: 60 },
            ],
            notify_keyspace_events: EventClasses::default(),
            types: TypeLimits::default(),
            enable_debug_command: DebugAccess::No,
            pidfile: String::new(),
            daemonize: false,
            config_file: String::new(),
        }
    }
}

impl Settings {
    /// Bytes that all clients together may take; 0 is no limit.
    pub(crate) fn client_memory_limit(&self) -> u64 {
        let limit = match self.maxmemory_clients {
            ClientLimit::Bytes(bytes) => bytes,
            ClientLimit::Percent(percent) => (u128::from(self.maxmemory) * u128::from(percent) / 100) as u64,
        };
        // Less would let nobody in any more, not even who wants to take it back.
        if limit == 0 { 0 } else { limit.max(LEAST_CLIENT_MEMORY) }
    }

    /// Sets one setting from the words behind its name, as a line of a configuration file does.
    ///
    /// # Errors
    /// The name is unknown or a word is not one of its values; nothing has changed then.
    pub fn apply(&mut self, name: &str, words: &[&str]) -> Result<(), String> {
        if name.eq_ignore_ascii_case("user") {
            let words = match words {
                [line] => line.split_ascii_whitespace().map(|word| word.as_bytes().to_vec()).collect(),
                words => words.iter().map(|word| word.as_bytes().to_vec()).collect(),
            };
            return self.declare_user(words);
        }
        if name.eq_ignore_ascii_case("rename-command") {
            let [old, new] = *words else { return Err("wrong number of arguments".into()) };
            crate::names::check(self, old, new)?;
            self.renamed_commands.push((old.to_owned(), new.to_owned()));
            return Ok(());
        }
        let setting = table::find(name).ok_or("Bad directive or wrong number of arguments")?;
        let before = self.save.clone();
        setting.set(self, words)?;
        if setting.name == "save" && !self.save.is_empty() {
            // Each line adds a point; CONFIG SET replaces them all.
            self.save.splice(0..0, before);
        }
        Ok(())
    }

    /// Adds a user: its name and its rules.
    fn declare_user(&mut self, words: Vec<Vec<u8>>) -> Result<(), String> {
        crate::acl::declared_user(&words, self.acl_pubsub_default)?;
        if self.users.iter().any(|user| user.first() == words.first()) {
            let name = String::from_utf8_lossy(&words[0]);
            return Err(format!(
                "Error in user declaration '{name}': Duplicate user found. A user can only be defined once in config files"
            ));
        }
        self.users.push(words);
        Ok(())
    }

    /// The value of a setting as CONFIG GET shows it; `None` if there is no such setting.
    ///
    /// ```
    /// let mut settings = resplite::config::Settings::default();
    /// settings.apply("maxmemory", &["6mb"])?;
    /// assert_eq!(settings.value("maxmemory").as_deref(), Some("6291456"));
    /// # Ok::<(), String>(())
    /// ```
    pub fn value(&self, name: &str) -> Option<String> {
        table::find(name).map(|setting| setting.value(self))
    }

    /// Reads a configuration file and remembers its path for CONFIG REWRITE.
    ///
    /// # Errors
    /// The file or one that it includes cannot be read, or a line of it is wrong; the lines before have been applied.
    pub fn read_file(&mut self, path: impl AsRef<Path>) -> Result<(), ConfigError> {
        file::read(self, path.as_ref())?;
        let absolute = std::path::absolute(path.as_ref()).unwrap_or_else(|_| path.as_ref().into());
        self.config_file = absolute.to_string_lossy().into_owned();
        Ok(())
    }

    /// Reads the text of a configuration file that lies nowhere.
    ///
    /// # Errors
    /// A line is wrong, or a file that it includes cannot be read; the lines before have been applied.
    pub fn read_text(&mut self, text: &[u8]) -> Result<(), ConfigError> {
        file::read_text(self, text)
    }

    /// Where a file that a setting names lies: relative names are meant relative to `dir`.
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.dir).join(name)
    }

    /// Whether changes are logged.
    pub fn keeps_log(&self) -> bool {
        self.appendonly.unwrap_or(!self.dir.is_empty())
    }

    /// Whether a server with these settings looks for data when it starts.
    pub(crate) fn has_data(&self) -> bool {
        !self.dir.is_empty() || self.writes_data()
    }

    /// Whether a server with these settings writes data by itself.
    pub(crate) fn writes_data(&self) -> bool {
        self.keeps_log() || !self.save.is_empty()
    }

    /// The idle time after which a client is disconnected, if any.
    pub(crate) fn idle_timeout(&self) -> Option<Duration> {
        (self.timeout != 0).then(|| Duration::from_secs(self.timeout))
    }
}
