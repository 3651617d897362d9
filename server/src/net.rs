//! Sockets and threads: listeners, workers and the expiry timer; the only part that knows tokio.

mod connection;
mod secure;
pub(crate) mod target;

use crate::config::Settings;
use crate::engine::Engine;
use connection::{Connection, Scratch, Served, Stream};
use parking_lot::{Mutex, MutexGuard};
use resplite_storage::aof::Log;
use resplite_storage::clock::Stopwatch;
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Keys that may expire before the connections of the same thread get their turn.
const SWEEP: usize = 1024;

/// How long what is due waits for a script that keeps the shards for itself, before it is looked at again.
const SCRIPT_PAUSE: Duration = Duration::from_millis(10);

/// What a worker is sent: a connection that it serves from then on.
type Accepted = (Stream, String, String, Seat);

/// One thread with its own event loop and its own connections.
#[derive(Default)]
pub(crate) struct Worker {
    scratch: Mutex<Scratch>,
    connections: AtomicUsize,
    held: Mutex<Held>,
    /// The connections by their clients' ids, for a script that keeps the thread for long.
    members: Mutex<HashMap<u64, Weak<Mutex<Connection>>>>,
    /// New connections that are to be served here.
    inbox: Mutex<Option<mpsc::UnboundedReceiver<Accepted>>>,
    last_turn: Mutex<Option<Turn>>,
    /// Calls [`Worker::serve_while_busy`].
    while_busy: OnceLock<Arc<dyn Fn() + Send + Sync>>,
}

/// When the connections last had their turn while a script kept the thread, and how long that took.
struct Turn {
    since: Stopwatch,
    took: Duration,
}

/// Least time between two turns of the connections while a script keeps their thread.
const TURN_PAUSE: Duration = Duration::from_millis(10);
/// The script gets at least so many times what a turn of the connections takes.
const TURN_SHARE: u32 = 10;

/// A worker's buffers, or others in their place while those are in use: a script serves the other connections of its
/// thread from within a batch.
enum Buffers<'w> {
    Shared(MutexGuard<'w, Scratch>),
    Own(Box<Scratch>),
}

impl Deref for Buffers<'_> {
    type Target = Scratch;

    #[inline]
    fn deref(&self) -> &Scratch {
        match self {
            Buffers::Shared(scratch) => scratch,
            Buffers::Own(scratch) => scratch,
        }
    }
}

impl DerefMut for Buffers<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Scratch {
        match self {
            Buffers::Shared(scratch) => scratch,
            Buffers::Own(scratch) => scratch,
        }
    }
}

/// Connections that wait for the log. The log wakes one task of each worker, which wakes its connections: that costs no
/// call of the system for each.
#[derive(Default)]
struct Held {
    waiting: Vec<(u64, Waker)>,
    releaser: Option<Waker>,
}

impl Worker {
    /// The buffers that connections use in turn.
    #[inline]
    fn scratch(&self) -> Buffers<'_> {
        match self.scratch.try_lock() {
            Some(scratch) => Buffers::Shared(scratch),
            None => Buffers::Own(Box::default()),
        }
    }

    /// Lets the other connections of this thread have a turn while a script keeps it from its event loop, and new ones in.
    /// They are told that the server is busy; some things they can do.
    fn serve_while_busy(self: &Arc<Self>, hub: &Arc<Hub>) {
        let mut last = self.last_turn.lock();
        let is_early = |turn: &Turn| turn.since.elapsed() < TURN_PAUSE.max(turn.took * TURN_SHARE);
        if last.as_ref().is_some_and(is_early) {
            return;
        }
        let since = Stopwatch::start();
        hub.accept_while_busy(self);
        // Those that came before it was known that the event loop would not get to them.
        while let Some(accepted) = self.inbox.lock().as_mut().and_then(|inbox| inbox.try_recv().ok()) {
            serve_connection(&hub.engine, self, accepted);
        }
        let members: Vec<_> = self.members.lock().values().filter_map(Weak::upgrade).collect();
        for member in members {
            // The one that cannot be had is the one whose script it is.
            if let Some(mut connection) = member.try_lock() {
                connection.serve_while_busy();
            }
        }
        *last = Some(Turn { took: since.elapsed(), since: Stopwatch::start() });
    }

    /// Has a connection of this worker woken when the log is durable up to `position`, or never will be.
    pub(crate) fn hold(&self, position: u64, waker: &Waker) {
        let mut held = self.held.lock();
        held.waiting.push((position, waker.clone()));
        if let Some(releaser) = held.releaser.take() {
            releaser.wake();
        }
    }

    /// Wakes the connections that need not wait any more; pending while there are others.
    fn poll_release(&self, log: &Log, cx: &mut Context<'_>) -> Poll<()> {
        let mut held = self.held.lock();
        while let Some(least) = held.waiting.iter().map(|(position, _)| *position).min() {
            let Poll::Ready(kept) = log.poll_durable(least, cx.waker()) else { break };
            let up_to = if kept.is_ok() { log.durable() } else { u64::MAX };
            held.waiting.retain(|(position, waker)| {
                let waits = *position > up_to;
                if !waits {
                    waker.wake_by_ref();
                }
                waits
            });
        }
        held.releaser = Some(cx.waker().clone());
        if !held.waiting.is_empty() {
            // This task runs behind those that were ready with the first that waits. A worker that is never idle does not
            // get to what it does before it sleeps.
            log.flush();
        }
        Poll::Pending
    }
}

/// A connection's place among those of a worker; given back when it is dropped, wherever that happens.
struct Seat(Arc<Worker>);

impl Seat {
    fn take(worker: &Arc<Worker>) -> Self {
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Seat(worker.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The running threads of a server; stopping joins them.
pub(crate) struct Network {
    engine: Arc<Engine>,
    stop: Arc<Notify>,
    threads: Vec<JoinHandle<()>>,
    addresses: Vec<SocketAddr>,
    tls_addresses: Vec<SocketAddr>,
    unixsocket: Option<SocketFile>,
}

/// The file of a Unix socket; it goes with its server, unless another server's is there by now.
struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    fn of(path: PathBuf) -> Self {
        SocketFile { identity: Self::identify(&path), path }
    }

    fn identify(path: &Path) -> Option<(u64, u64)> {
        std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && self.identity == Self::identify(&self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Network {
    /// Opens the listeners that the settings name and starts the workers.
    pub(crate) fn start(engine: Arc<Engine>) -> io::Result<Network> {
        let (settings, _) = engine.settings();
        engine.tls.load(&settings, &engine.clock).map_err(|reason| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("Failed to configure TLS: {reason}"))
        })?;
        let tcp = listen(&settings, settings.port)?;
        let tls = listen(&settings, settings.tls.port)?;
        let (addresses, tls_addresses) = (addresses(&tcp), addresses(&tls));
        if let Some(address) = addresses.first().or(tls_addresses.first()) {
            engine.tcp_port.store(usize::from(address.port()), Ordering::Relaxed);
        }
        let unix = if settings.unixsocket.is_empty() { None } else { Some(listen_unix(&settings)?) };
        let stop = Arc::new(Notify::new());
        let mut network = Network {
            engine: engine.clone(),
            stop: stop.clone(),
            threads: Vec::new(),
            addresses,
            tls_addresses,
            unixsocket: unix.is_some().then(|| SocketFile::of(settings.path(&settings.unixsocket))),
        };
        let mut workers = Vec::new();
        for _ in 0..engine.workers {
            let (sender, inbox) = mpsc::unbounded_channel();
            workers.push((Arc::new(Worker { inbox: Mutex::new(Some(inbox)), ..Worker::default() }), sender));
        }
        let doors = Doors {
            tcp: tcp.iter().map(Socket::try_clone).collect::<io::Result<_>>()?,
            tls: tls.iter().map(Socket::try_clone).collect::<io::Result<_>>()?,
            unix: unix.as_ref().map(std::os::unix::net::UnixListener::try_clone).transpose()?,
        };
        let hub = Arc::new(Hub { engine: engine.clone(), workers, doors });
        for (worker, _) in &hub.workers {
            let (worker_then, hub_then) = (Arc::downgrade(worker), Arc::downgrade(&hub));
            // Each worker is prepared once, here.
            let _ = worker.while_busy.set(Arc::new(move || {
                if let (Some(worker), Some(hub)) = (worker_then.upgrade(), hub_then.upgrade()) {
                    worker.serve_while_busy(&hub);
                }
            }));
        }
        let mut first = Some(Listeners { tcp, tls, unix });
        for number in 0..engine.workers {
            let (hub, stop, sockets) = (hub.clone(), stop.clone(), first.take());
            let log = engine.log.clone();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .enable_time()
                // All that a turn of the loop has changed is synced together.
                .on_thread_park(move || log.flush())
                .build()?;
            let thread = std::thread::Builder::new().name(format!("resplite-{number}")).spawn(move || {
                runtime.block_on(run_worker(hub, number, sockets, stop));
            })?;
            network.threads.push(thread);
        }
        Ok(network)
    }

    /// Addresses of the TCP listeners.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Addresses of the TLS listeners.
    pub(crate) fn tls_addresses(&self) -> &[SocketAddr] {
        &self.tls_addresses
    }

    /// Ends all connections and threads; returns when they are gone.
    pub(crate) fn stop(&mut self) {
        self.engine.stop();
        // Said here as well: a server whose start failed half-way has not told its engine yet whom to notify.
        self.stopper()();
        let here = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // A worker that drops its own server cannot wait for itself.
            if thread.thread().id() != here && thread.join().is_err() {
                log::error!("a worker thread has panicked");
            }
        }
        self.unixsocket = None;
    }

    /// Tells the workers to end without waiting for them.
    pub(crate) fn stopper(&self) -> impl Fn() + Send + Sync + 'static {
        let (stop, workers) = (self.stop.clone(), self.engine.workers);
        move || {
            // One permit each: a notification without waiters would only keep one.
            stop.notify_waiters();
            for _ in 0..workers {
                stop.notify_one();
            }
        }
    }

    /// Waits until the server was told to stop and its threads have ended.
    pub(crate) fn wait(&mut self) {
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a worker thread has panicked");
            }
        }
        self.stop();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What workers share: the engine, and each other's inboxes.
struct Hub {
    engine: Arc<Engine>,
    workers: Vec<(Arc<Worker>, mpsc::UnboundedSender<Accepted>)>,
    doors: Doors,
}

/// The listening sockets once more, for a worker whose event loop does not get to run.
struct Doors {
    tcp: Vec<Socket>,
    tls: Vec<Socket>,
    unix: Option<std::os::unix::net::UnixListener>,
}

impl Hub {
    /// Hands a new connection to the worker with the fewest.
    fn assign(&self, stream: Stream, peer: String, local: String) {
        let least = self.workers.iter().min_by_key(|(worker, _)| worker.connections.load(Ordering::Relaxed));
        let Some((worker, inbox)) = least else { return };
        // A worker that is gone has stopped with its server; the stream closes here.
        let _ = inbox.send((stream, peer, local, Seat::take(worker)));
    }

    /// Lets in whoever stands at the door, to this worker.
    fn accept_while_busy(&self, worker: &Arc<Worker>) {
        let Doors { tcp, tls, .. } = &self.doors;
        let doors = tcp.iter().map(|door| (door, Door::Tcp)).chain(tls.iter().map(|door| (door, Door::Tls)));
        for (door, kind) in doors {
            while let Ok((socket, _)) = door.accept() {
                // Those that come otherwise are made so by the event loop.
                if socket.set_nonblocking(true).is_err() {
                    continue;
                }
                let stream = std::net::TcpStream::from(socket);
                let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { continue };
                let Some(stream) = self.stream(stream, kind) else { continue };
                admit(self, stream, peer.to_string(), local.to_string(), Some(peer.ip()), Some(worker));
            }
        }
        let path = &self.engine.settings().0.unixsocket;
        while let Some(Ok((stream, _))) = self.doors.unix.as_ref().map(std::os::unix::net::UnixListener::accept) {
            if stream.set_nonblocking(true).is_ok() {
                let place = format!("{path}:0");
                admit(self, Stream::unix(stream), place.clone(), place, None, Some(worker));
            }
        }
    }

    /// A stream as those have to be that came through this door.
    fn stream(&self, stream: std::net::TcpStream, door: Door) -> Option<Stream> {
        match door {
            Door::Tcp => Some(Stream::tcp(stream)),
            Door::Tls => self.engine.tls.config().map(|config| Stream::tls(stream, config)),
        }
    }

    /// Number of connections, those included that their workers have yet to take on.
    fn connections(&self) -> usize {
        self.workers.iter().map(|(worker, _)| worker.connections.load(Ordering::Relaxed)).sum()
    }
}

/// The listening sockets on their way to the worker that watches them.
struct Listeners {
    tcp: Vec<Socket>,
    tls: Vec<Socket>,
    unix: Option<std::os::unix::net::UnixListener>,
}

/// What those speak who come through a listening socket of TCP.
#[derive(Clone, Copy)]
enum Door {
    Tcp,
    Tls,
}

async fn run_worker(hub: Arc<Hub>, number: usize, sockets: Option<Listeners>, stop: Arc<Notify>) {
    if let Some(Listeners { tcp, tls, unix }) = sockets {
        let tcp = tcp.into_iter().map(|listener| (listener, Door::Tcp));
        for (listener, door) in tcp.chain(tls.into_iter().map(|listener| (listener, Door::Tls))) {
            match tokio::net::TcpListener::from_std(listener.into()) {
                Ok(listener) => drop(tokio::spawn(accept_tcp(hub.clone(), listener, door))),
                Err(error) => log::error!("cannot watch a listening socket: {error}"),
            }
        }
        if let Some(listener) = unix {
            match tokio::net::UnixListener::from_std(listener) {
                Ok(listener) => drop(tokio::spawn(accept_unix(hub.clone(), listener))),
                Err(error) => log::error!("cannot watch the Unix socket: {error}"),
            }
        }
        tokio::spawn(act_when_due(hub.engine.clone()));
    }
    let worker = hub.workers[number].0.clone();
    let (engine, releaser) = (hub.engine.clone(), worker.clone());
    tokio::spawn(std::future::poll_fn(move |cx| releaser.poll_release(&engine.log, cx)));
    let serve = async {
        let next = |cx: &mut Context<'_>| match &mut *worker.inbox.lock() {
            Some(inbox) => inbox.poll_recv(cx),
            None => Poll::Ready(None),
        };
        while let Some(accepted) = std::future::poll_fn(next).await {
            serve_connection(&hub.engine, &worker, accepted);
        }
    };
    let mut stopped = std::pin::pin!(stop.notified());
    let mut serve = std::pin::pin!(serve);
    std::future::poll_fn(|cx| {
        if stopped.as_mut().poll(cx).is_ready() || hub.engine.is_stopping() {
            return std::task::Poll::Ready(());
        }
        serve.as_mut().poll(cx)
    })
    .await;
    // Who comes now is not served any more.
    *worker.inbox.lock() = None;
    // Connections that still have output get it sent on a best effort when the runtime drops them.
}

/// Begins to serve a connection on the thread that calls this, which is the worker's.
fn serve_connection(engine: &Arc<Engine>, worker: &Arc<Worker>, (stream, peer, local, seat): Accepted) {
    match stream.into_async() {
        Ok(stream) => {
            let served = Served::new(engine.clone(), worker.clone(), stream, peer, local);
            tokio::spawn(async move {
                served.await;
                drop(seat);
            });
        }
        Err(error) => log::warn!("cannot serve a connection: {error}"),
    }
}

/// Sweeps expired keys and ends waits exactly when the next one is due, and sleeps without a deadline while nothing is.
async fn act_when_due(engine: Arc<Engine>) {
    let earlier = Arc::new(Notify::new());
    let bell = earlier.clone();
    engine.on_earlier_due(Arc::new(move || bell.notify_one()));
    loop {
        let Some(next) = engine.next_due() else {
            earlier.notified().await;
            continue;
        };
        let now = engine.clock.millis();
        if next <= now {
            if engine.run_due(now, SWEEP) {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(SCRIPT_PAUSE).await;
            }
            continue;
        }
        if engine.clock.is_manual() {
            // Whoever moves the clock sweeps.
            earlier.notified().await;
            continue;
        }
        let pause = Duration::from_millis(next - now);
        let _ = tokio::time::timeout(pause, earlier.notified()).await;
    }
}

async fn accept_tcp(hub: Arc<Hub>, listener: tokio::net::TcpListener, door: Door) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let local = stream.local_addr().map_or_else(|_| String::new(), |local| local.to_string());
                match stream.into_std() {
                    Ok(stream) => {
                        if let Some(stream) = hub.stream(stream, door) {
                            admit(&hub, stream, peer.to_string(), local, Some(peer.ip()), None);
                        }
                    }
                    Err(error) => log::warn!("cannot hand over a connection: {error}"),
                }
            }
            Err(error) => {
                log::warn!("accept: {error}");
                // Out of descriptors, most likely; waiting is what lets others close theirs.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn accept_unix(hub: Arc<Hub>, listener: tokio::net::UnixListener) {
    let path = hub.engine.settings().0.unixsocket.clone();
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => admit(&hub, Stream::unix(stream), format!("{path}:0"), format!("{path}:0"), None, None),
            Err(error) => {
                log::warn!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Protected mode's answer to a remote client.
const PROTECTED: &str = "-DENIED Resplite is running in protected mode because protected mode is enabled and no password \
    is set for the default user. In this mode connections are only accepted from the loopback interface. To accept \
    connections from other computers, set a password with requirepass, or bind the interfaces that are meant and set \
    protected-mode to no.\r\n";

/// Lets a new connection in, or tells it why not: to the worker that has the fewest, or to this one, whose thread calls.
fn admit(hub: &Hub, mut stream: Stream, peer: String, local: String, ip: Option<IpAddr>, here: Option<&Arc<Worker>>) {
    let engine = &hub.engine;
    let (settings, _) = engine.settings();
    let refusal = if hub.connections() >= settings.maxclients {
        Some("-ERR max number of clients reached\r\n")
    } else if settings.protected_mode
        && engine.acl.default_user().needs_no_password()
        && ip.is_some_and(|ip| !ip.to_canonical().is_loopback())
    {
        Some(PROTECTED)
    } else {
        None
    };
    match (refusal, &mut stream) {
        (None, _) => drop(engine.stats.connections.fetch_add(1, Ordering::Relaxed)),
        (Some(text), Stream::StdTls(.., last_words)) if text == PROTECTED => {
            engine.stats.rejected.fetch_add(1, Ordering::Relaxed);
            *last_words = Some(text.as_bytes());
        }
        (Some(text), _) => {
            engine.stats.rejected.fetch_add(1, Ordering::Relaxed);
            return stream.refuse(text.as_bytes());
        }
    }
    stream.configure(settings.tcp_keepalive);
    match here {
        Some(worker) => serve_connection(engine, worker, (stream, peer, local, Seat::take(worker))),
        None => hub.assign(stream, peer, local),
    }
}

fn addresses(listeners: &[Socket]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()?.as_socket()).collect()
}

/// Opens the listeners of a port. An optional address (`-` in front) that this machine does not have is left out.
fn listen(settings: &Settings, port: Option<u16>) -> io::Result<Vec<Socket>> {
    let Some(mut port) = port else { return Ok(Vec::new()) };
    let mut sockets: Vec<Socket> = Vec::new();
    for bind in &settings.bind {
        let (name, optional) = match bind.strip_prefix('-') {
            Some(name) => (name, true),
            None => (bind.as_str(), false),
        };
        let name = match name {
            "*" => "0.0.0.0",
            "::*" => "::",
            name => name,
        };
        match listen_on(name, port, settings.tcp_backlog) {
            Ok(socket) => {
                // With port 0 the first listener chooses, the others follow.
                if let Some(address) = socket.local_addr()?.as_socket() {
                    port = address.port();
                }
                sockets.push(socket);
            }
            Err(error) if optional && is_unavailable(&error) => {}
            Err(error) => {
                return Err(io::Error::new(error.kind(), format!("{name}:{port}: {error}")));
            }
        }
    }
    Ok(sockets)
}

fn is_unavailable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported | io::ErrorKind::AddrInUse)
        && error.kind() != io::ErrorKind::AddrInUse
        || matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT))
}

fn listen_on(name: &str, port: u16, backlog: u32) -> io::Result<Socket> {
    let address = (name, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "no such address"))?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

fn listen_unix(settings: &Settings) -> io::Result<std::os::unix::net::UnixListener> {
    let path = settings.path(&settings.unixsocket);
    let path = path.as_path();
    // A socket that an earlier run left behind must not keep this one from starting. Whatever else lies there stays.
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        let _ = std::fs::remove_file(path);
    }
    let in_context = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?).map_err(in_context)?;
    // Before anybody can connect.
    if settings.unixsocketperm != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(settings.unixsocketperm)).map_err(in_context)?;
    }
    socket.listen(i32::try_from(settings.tcp_backlog).unwrap_or(i32::MAX)).map_err(in_context)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Keep-alive for a connection, so that a peer that vanished is noticed.
fn keep_alive(socket: &impl std::os::fd::AsFd, seconds: u32) {
    if seconds == 0 {
        return;
    }
    let probe = Duration::from_secs(u64::from((seconds / 3).max(1)));
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(u64::from(seconds))).with_interval(probe).with_retries(3);
    // A connection without keep-alive is still a connection.
    let _ = socket2::SockRef::from(socket).set_tcp_keepalive(&keepalive);
}

fn descriptor(socket: &impl AsRawFd) -> i64 {
    i64::from(socket.as_raw_fd())
}
