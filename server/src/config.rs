//! The settings of a server and their defaults; their rows are in `config/table.rs`, configuration files in `config/file.rs`.

pub(crate) mod file;
pub(crate) mod table;
pub(crate) mod words;

pub use file::ConfigError;

use resplite_storage::types::Limits as TypeLimits;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// Refuse remote clients while there is neither a password nor an explicit bind.
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
    /// Directory in which relative file names are looked up, as an absolute path; empty is the current directory.
    pub dir: String,
    /// Log file, or empty for standard output.
    pub logfile: String,
    /// What is logged.
    pub loglevel: LogLevel,
    /// Bytes of data at which commands that need memory are refused; 0 is no limit.
    pub maxmemory: u64,
    /// Longest argument.
    pub proto_max_bulk_len: u64,
    /// Most unread input of a client.
    pub client_query_buffer_limit: u64,
    /// Output limits of normal, replica and pubsub clients.
    pub client_output_buffer_limit: [OutputLimit; 3],
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
            protected_mode: true,
            tcp_backlog: 511,
            tcp_keepalive: 300,
            timeout: 0,
            maxclients: 10_000,
            databases: 16,
            io_threads: 0,
            requirepass: String::new(),
            dir: String::new(),
            logfile: String::new(),
            loglevel: LogLevel::Notice,
            maxmemory: 0,
            proto_max_bulk_len: 512 << 20,
            client_query_buffer_limit: 1 << 30,
            client_output_buffer_limit: [
                OutputLimit { hard: 0, soft: 0, soft_seconds: 0 },
                OutputLimit { hard: 256 << 20, soft: 64 << 20, soft_seconds: 60 },
                OutputLimit { hard: 32 << 20, soft: 8 << 20, soft_seconds: 60 },
            ],
            types: TypeLimits::default(),
            enable_debug_command: DebugAccess::No,
            pidfile: String::new(),
            daemonize: false,
            config_file: String::new(),
        }
    }
}

impl Settings {
    /// Sets one setting from the words behind its name, as a line of a configuration file does.
    ///
    /// # Errors
    /// The name is unknown or a word is not one of its values; nothing has changed then.
    pub fn apply(&mut self, name: &str, words: &[&str]) -> Result<(), String> {
        let setting = table::find(name).ok_or("Bad directive or wrong number of arguments")?;
        setting.set(self, words)
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

    /// The idle time after which a client is disconnected, if any.
    pub(crate) fn idle_timeout(&self) -> Option<Duration> {
        (self.timeout != 0).then(|| Duration::from_secs(self.timeout))
    }
}
