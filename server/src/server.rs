//! The library's entrance: building, starting and stopping a server in this process.

use crate::client::Client;
use crate::config::Settings;
use crate::engine::{Allocator, Engine, SettingsHook};
use crate::net::Network;
use resplite_storage::clock::Clock;
use resplite_storage::disk::{Disk, RealDisk};
use resplite_storage::keyspace::ShardSet;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A running server. Dropping it closes its connections, ends its threads and writes out what is kept on disk.
///
/// Several servers live in one process without sharing anything.
pub struct Server {
    network: Network,
    engine: Arc<Engine>,
}

/// What a server will be; made by [`Server::builder`].
pub struct ServerBuilder {
    settings: Settings,
    clock: Clock,
    seed: Option<u64>,
    on_settings: Option<SettingsHook>,
    allocator: Option<Allocator>,
    disk: Arc<dyn Disk>,
}

impl Server {
    /// A builder with Redis' defaults, but on a free port of 127.0.0.1 and with one worker thread.
    ///
    /// ```
    /// let server = resplite::Server::builder().start()?;
    /// println!("redis://{}", server.address().expect("it listens"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> ServerBuilder {
        let settings = Settings { port: Some(0), bind: vec!["127.0.0.1".into()], io_threads: 1, ..Settings::default() };
        ServerBuilder {
            settings,
            clock: Clock::real(),
            seed: None,
            on_settings: None,
            allocator: None,
            disk: Arc::new(RealDisk),
        }
    }

    /// The first TCP address that the server listens on, if it has a port.
    pub fn address(&self) -> Option<SocketAddr> {
        self.network.addresses().first().copied()
    }

    /// All TCP addresses that the server listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.network.addresses()
    }

    /// The first address that the server listens on for TLS, if it does.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.network.tls_addresses().first().copied()
    }

    /// All addresses that the server listens on for TLS.
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        self.network.tls_addresses()
    }

    /// A client that needs no socket.
    pub fn client(&self) -> Client {
        Client::new(self.engine.clone())
    }

    /// Moves a manual clock forward; when this returns, what was due by then has been done, in its order: keys have
    /// expired, and those who waited have been told that their time is up. Returns false, and does nothing, if the server
    /// runs on the real clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// let server = resplite::Server::builder().no_port().frozen_clock(Duration::from_secs(1_700_000_000)).start()?;
    /// let mut client = server.client();
    /// client.call(["SET", "code", "123456", "EX", "300"]);
    /// server.advance(Duration::from_secs(299));
    /// assert_eq!(client.call(["TTL", "code"]).as_int(), Some(1));
    /// server.advance(Duration::from_secs(1));
    /// assert!(client.call(["GET", "code"]).is_nil());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn advance(&self, by: Duration) -> bool {
        let engine = &self.engine;
        if !engine.clock.is_manual() {
            return false;
        }
        // From one due time to the next: what comes earlier is done earlier, and sees the time it was due at.
        let mut left = by;
        while let Some(due) = engine.next_due() {
            let step = Duration::from_micros(due.saturating_mul(1000).saturating_sub(engine.clock.micros()));
            if step > left {
                break;
            }
            left -= step;
            engine.clock.advance(step);
            if !engine.run_due(engine.clock.millis(), usize::MAX) {
                // What is due waits for a script's end, so that is waited for.
                drop(engine.keyspace.lock(&ShardSet::All));
            }
        }
        engine.clock.advance(left)
    }

    /// Waits until the server is told to stop, by SHUTDOWN or by [`Server::stop_handle`], and has written its data out.
    pub fn wait(mut self) {
        self.network.wait();
    }

    /// A function that has the server stop, callable from any thread.
    pub fn stop_handle(&self) -> impl Fn() + Send + Sync + 'static {
        let engine = self.engine.clone();
        move || engine.stop()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.network.stop();
        self.engine.close_persistence();
    }
}

impl ServerBuilder {
    /// The TCP port; 0 takes a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.settings.port = Some(port);
        self
    }

    /// No TCP at all: only in-process clients, and a Unix socket if one is set.
    pub fn no_port(mut self) -> Self {
        self.settings.port = None;
        self
    }

    /// Listens for TLS as well, on this port; 0 takes a free one, which [`Server::tls_address`] tells. `cert` and `key` are
    /// files in PEM format. Clients show a certificate, too, unless the setting `tls-auth-clients` says `no`; where it comes
    /// from is what `tls-ca-cert-file` says. [`ServerBuilder::no_port`] leaves nothing but TLS.
    ///
    /// ```no_run
    /// let server = resplite::Server::builder().no_port().tls(0, "server.crt", "server.key");
    /// let server = server.setting("tls-auth-clients", "no")?.start()?;
    /// println!("rediss://{}", server.tls_address().expect("it listens"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn tls(mut self, port: u16, cert: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        let tls = &mut self.settings.tls;
        tls.port = Some(port);
        tls.cert_file = cert.as_ref().to_string_lossy().into_owned();
        tls.key_file = key.as_ref().to_string_lossy().into_owned();
        self
    }

    /// The address to listen on instead of 127.0.0.1.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.settings.bind = vec![address.into()];
        self
    }

    /// Listens on a Unix socket as well.
    pub fn unix_socket(mut self, path: impl Into<String>) -> Self {
        self.settings.unixsocket = path.into();
        self
    }

    /// Keeps the data in this directory: what it holds is loaded, and every change is logged and synced once a second, so
    /// that it is there again after a restart. The directory must exist, and nobody else may keep data there.
    ///
    /// Whatever else redis.conf can say about `save`, `appendonly` and `appendfsync` can be said by
    /// [`ServerBuilder::setting`].
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let builder = || resplite::Server::builder().no_port().dir(directory.path());
    /// builder().start()?.client().call(["SET", "greeting", "hello"]);
    /// let server = builder().start()?;
    /// assert_eq!(server.client().call(["GET", "greeting"]).as_str(), Some("hello"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn dir(mut self, directory: impl AsRef<Path>) -> Self {
        let absolute = std::path::absolute(&directory).unwrap_or_else(|_| directory.as_ref().to_owned());
        self.settings.dir = absolute.to_string_lossy().into_owned();
        self
    }

    /// Uses another disk than the machine's: one that fails on purpose, in tests.
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }

    /// Requires this password of clients that come through a socket.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.settings.requirepass = password.into();
        self
    }

    /// Number of worker threads; 0 is one for each core.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.io_threads = workers;
        self
    }

    /// Runs on a clock that shows `start` since the Unix epoch until [`Server::advance`] moves it.
    pub fn frozen_clock(mut self, start: Duration) -> Self {
        self.clock = Clock::manual(start);
        self
    }

    /// Seeds all chance (hash seeds, SPOP, RANDOMKEY ..) instead of asking the operating system.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Any other setting, by its name in redis.conf.
    ///
    /// # Errors
    /// The name is unknown or the value is not one of its values; the message is the one that a configuration file gets.
    pub fn setting(mut self, name: &str, value: &str) -> io::Result<Self> {
        self.settings.apply(name, &[value]).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(self)
    }

    /// Takes all settings from elsewhere, a configuration file for example.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Has `hook` called with the settings whenever CONFIG SET has changed them, before the client gets its answer.
    ///
    /// What belongs to the process and not to the server follows from there: the level of the log, for example. The hook
    /// must not run commands.
    pub fn on_settings_change(mut self, hook: impl Fn(&Settings) + Send + Sync + 'static) -> Self {
        self.on_settings = Some(Box::new(hook));
        self
    }

    /// Says what MEMORY PURGE and MEMORY MALLOC-STATS can ask of the program's allocator.
    pub fn allocator(mut self, allocator: Allocator) -> Self {
        self.allocator = Some(allocator);
        self
    }

    /// Starts the server. It listens when this returns.
    ///
    /// # Errors
    /// A listener cannot be opened (the port is taken, say), or a thread cannot be started.
    pub fn start(self) -> io::Result<Server> {
        let workers = match self.settings.io_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            given => given,
        };
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(io::Error::other)?,
        };
        if !self.settings.users.is_empty() && !self.settings.aclfile.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "users are declared in the configuration and in an ACL file: it must be one of the two",
            ));
        }
        let engine = Engine::new(self.settings, self.clock, workers, seed, self.disk);
        if let Some(hook) = self.on_settings {
            engine.on_settings(hook);
        }
        if let Some(allocator) = self.allocator {
            let _ = engine.allocator.set(allocator);
        }
        let settings = engine.settings().0;
        if !settings.aclfile.is_empty() {
            engine.acl.load(&settings).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        engine.expect_data();
        let network = Network::start(engine.clone())?;
        engine.on_stop(network.stopper());
        // From here on a drop ends what has been started.
        let server = Server { network, engine };
        server.engine.open_persistence()?;
        Ok(server)
    }
}
