//! One connection: reads a batch, has the engine run it, writes the replies; nothing of commands or keys.

use super::secure::Secure;
use super::{Worker, descriptor, keep_alive};
use crate::config::OutputLimit;
use crate::engine::{BatchScratch, Engine};
use crate::registry::ClientRecord;
use crate::session::Session;
use parking_lot::Mutex;
use resplite_resp::reply::{Protocol, Reply};
use resplite_resp::request::{Batch, Decoder, Limits};
use socket2::{SockRef, Socket};
use std::future::Future;
use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that one read may bring.
const READ_SIZE: usize = 64 * 1024;
/// As much of an unfinished request is read at a time before the login.
const FIRST_READ: usize = 4 * 1024;
/// A reply buffer that has grown beyond this is given back after its batch.
const KEEP_REPLY: usize = 1024 * 1024;
/// Replies that no limit on output is about: in Redis they are in a buffer that every client has.
const SMALL_OUTPUT: usize = 16 * 1024;

/// Buffers of a worker that its connections use in turn: an idle connection owns none.
pub(crate) struct Scratch {
    input: Box<[u8]>,
    batch: Batch,
    reply: Reply,
    engine: BatchScratch,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch {
            input: vec![0; READ_SIZE].into(),
            batch: Batch::new(),
            reply: Reply::new(Protocol::Resp2),
            engine: BatchScratch::default(),
        }
    }
}

/// A socket on its way from the listener to its worker, or at work there.
pub(crate) enum Stream {
    StdTcp(std::net::TcpStream),
    StdUnix(std::os::unix::net::UnixStream),
    /// To be TLS, with all that the peer will be told if it is not let in.
    StdTls(std::net::TcpStream, Arc<rustls::ServerConfig>, Option<&'static [u8]>),
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
    Tls(Box<Secure>),
}

/// Who says whether a socket is ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// The event loop, which also wakes whoever is told that it is not.
    Loop,
    /// The socket itself, as the event loop does not get to run; nobody is woken.
    Socket,
}

impl Stream {
    pub(crate) fn tcp(stream: std::net::TcpStream) -> Self {
        Stream::StdTcp(stream)
    }

    pub(crate) fn unix(stream: std::os::unix::net::UnixStream) -> Self {
        Stream::StdUnix(stream)
    }

    pub(crate) fn tls(stream: std::net::TcpStream, config: Arc<rustls::ServerConfig>) -> Self {
        Stream::StdTls(stream, config, None)
    }

    /// Tells the peer why it is not served. What the socket does not take at once is lost with it. A peer that speaks TLS
    /// understands nothing before the handshake, so it is told nothing.
    pub(crate) fn refuse(mut self, text: &[u8]) {
        use std::io::Write;
        let _ = match &mut self {
            Stream::StdTcp(stream) => stream.write(text),
            Stream::StdUnix(stream) => stream.write(text),
            _ => Ok(0),
        };
    }

    /// Sets what every connection wants: no delay for small replies, and probes against vanished peers.
    pub(crate) fn configure(&self, keepalive: u32) {
        if let Stream::StdTcp(stream) | Stream::StdTls(stream, ..) = self {
            // Failing, the connection is slower but works.
            let _ = stream.set_nodelay(true);
            keep_alive(stream, keepalive);
        }
    }

    /// Registers the socket with the event loop of the current thread.
    pub(crate) fn into_async(self) -> io::Result<Self> {
        Ok(match self {
            Stream::StdTcp(stream) => Stream::Tcp(tokio::net::TcpStream::from_std(stream)?),
            Stream::StdUnix(stream) => Stream::Unix(tokio::net::UnixStream::from_std(stream)?),
            Stream::StdTls(stream, config, refusal) => {
                let socket = Stream::Tcp(tokio::net::TcpStream::from_std(stream)?);
                Stream::Tls(Box::new(Secure::new(socket, config, refusal)?))
            }
            registered => registered,
        })
    }

    fn fd(&self) -> i64 {
        match self {
            Stream::StdTcp(stream) | Stream::StdTls(stream, ..) => descriptor(stream),
            Stream::StdUnix(stream) => descriptor(stream),
            Stream::Tcp(stream) => descriptor(stream),
            Stream::Unix(stream) => descriptor(stream),
            Stream::Tls(secure) => secure.socket().fd(),
        }
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        asking: Asking,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Stream::Tls(secure) = self {
            return secure.poll_read(cx, asking, buffer);
        }
        if asking == Asking::Socket {
            return self.ask(|mut socket| {
                let read = socket.read(buffer.initialize_unfilled())?;
                buffer.advance(read);
                Ok(())
            });
        }
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        asking: Asking,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Stream::Tls(secure) = self {
            return secure.poll_write(cx, asking, slices);
        }
        if asking == Asking::Socket {
            return self.ask(|socket| socket.send_vectored(slices));
        }
        match (self, slices) {
            (Stream::Tcp(stream), [one]) => Pin::new(stream).poll_write(cx, one),
            (Stream::Unix(stream), [one]) => Pin::new(stream).poll_write(cx, one),
            (Stream::Tcp(stream), many) => Pin::new(stream).poll_write_vectored(cx, many),
            (Stream::Unix(stream), many) => Pin::new(stream).poll_write_vectored(cx, many),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Asks the socket itself, which does not wait.
    #[cold]
    fn ask<R>(&self, question: impl FnOnce(&Socket) -> io::Result<R>) -> Poll<io::Result<R>> {
        let socket = match self {
            Stream::Tcp(stream) => SockRef::from(stream),
            Stream::Unix(stream) => SockRef::from(stream),
            _ => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        match question(&socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            answer => Poll::Ready(answer),
        }
    }
}

/// Why a connection ends.
enum End {
    /// The peer or we wanted it.
    Done,
    /// The socket failed.
    Failed(io::Error),
    /// Too much unread input.
    QueryLimit,
    /// Too much unread output.
    OutputLimit,
}

/// A client's connection.
pub(crate) struct Connection {
    engine: Arc<Engine>,
    worker: Arc<Worker>,
    stream: Stream,
    session: Session,
    decoder: Decoder,
    /// The beginning of a request whose end has not arrived, or what came behind a command that waits.
    pending: Vec<u8>,
    /// What is pending is to be run before anything more is read.
    has_backlog: bool,
    /// Replies that the socket has not taken yet.
    unsent: Reply,
    /// Replies that may leave only when the log is durable up to this position.
    held: Option<(u64, Reply)>,
    /// When the unsent replies went over the soft limit, in milliseconds.
    over_soft_limit: Option<u64>,
    /// It has ended while a script kept the thread from its event loop, which is to hear of it.
    ended: Option<End>,
    asking: Asking,
    /// Runs while a `timeout` is set or too much output waits, until the time in milliseconds beside it.
    timer: Option<(u64, Pin<Box<tokio::time::Sleep>>)>,
}

impl Connection {
    pub(crate) fn new(engine: Arc<Engine>, worker: Arc<Worker>, stream: Stream, peer: String, local: String) -> Self {
        let id = engine.registry.next_id();
        let mut record =
            ClientRecord::new(id, engine.acl.default_user(), peer, local, stream.fd(), engine.clock.millis());
        record.is_unix = matches!(stream, Stream::Unix(_) | Stream::StdUnix(_));
        let mut session = engine.open_session(record);
        session.while_busy = worker.while_busy.get().cloned();
        Connection {
            engine,
            worker,
            stream,
            session,
            decoder: Decoder::new(),
            pending: Vec::new(),
            has_backlog: false,
            unsent: Reply::new(Protocol::Resp2),
            held: None,
            over_soft_limit: None,
            ended: None,
            asking: Asking::Loop,
            timer: None,
        }
    }

    /// Has a turn while a script keeps the thread from its event loop.
    pub(crate) fn serve_while_busy(&mut self) {
        // Who waits, waits for what will not come meanwhile.
        if self.session.is_waiting() || self.held.is_some() || self.ended.is_some() {
            return;
        }
        let before = self.session.record.bytes_in.load(Ordering::Relaxed);
        self.asking = Asking::Socket;
        if let Poll::Ready(end) = self.poll_serve(&mut Context::from_waker(Waker::noop())) {
            self.ended = Some(end);
        }
        self.asking = Asking::Loop;
        let has_read = self.session.record.bytes_in.load(Ordering::Relaxed) != before;
        if has_read || self.ended.is_some() || !self.unsent.is_empty() || self.held.is_some() {
            // Whatever it waits for now, the event loop has not been told yet.
            self.session.record.waker.wake();
        }
    }

    /// Reads, runs and answers until the socket has nothing more.
    fn poll_serve(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            if self.session.record.is_killed() {
                // What a client was told before it was killed still reaches it, if the socket takes it at once.
                let _ = self.poll_flush(cx);
                return Poll::Ready(End::Done);
            }
            // Replies that wait for the log come first: what others have to say came behind them.
            if self.held.is_none() && !self.session.record.outbox.drain(&mut self.unsent) {
                return Poll::Ready(End::OutputLimit);
            }
            if !self.unsent.is_empty() {
                match self.poll_flush(cx) {
                    Poll::Ready(Err(error)) => return Poll::Ready(End::Failed(error)),
                    Poll::Ready(Ok(())) => self.over_soft_limit = None,
                    Poll::Pending if self.is_over_output_limit() => return Poll::Ready(End::OutputLimit),
                    Poll::Pending => {}
                }
            }
            self.engine.look_at_client(&self.session.record);
            if self.session.record.is_killed() {
                continue;
            }
            if let Some((position, reply)) = self.held.take() {
                match self.engine.log.is_durable(position) {
                    Some(Ok(())) => self.unsent.append(reply),
                    Some(Err(_)) => {
                        // What the client asked for may be lost: it must not hear that it was done, and one error in the
                        // place of several replies leaves nothing to go on with.
                        self.unsent.error(self.engine.log_failed().as_bytes());
                        self.session.closing = true;
                    }
                    None => {
                        self.held = Some((position, reply));
                        self.worker.hold(position, cx.waker());
                        return Poll::Pending;
                    }
                }
                continue;
            }
            if self.session.closing {
                return if self.unsent.is_empty() { Poll::Ready(End::Done) } else { Poll::Pending };
            }
            let step = if self.session.is_waiting() { self.poll_wait(cx) } else { self.poll_batch(cx) };
            if let Err(end) = ready!(step) {
                return Poll::Ready(end);
            }
            if self.asking == Asking::Socket {
                // Whoever sends without a pause gets his turn again; the script goes on in between.
                return Poll::Pending;
            }
        }
    }

    /// Sees whether a command that waits is done with that; what it answers waits to be sent then.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let mut reply = Reply::new(self.session.protocol);
        let is_over = match &self.session.pending {
            Some(pending) => {
                // Whether it is ready already is asked again below.
                let position = pending.log_position();
                let _ = position.map(|position| self.engine.log.poll_reached(position, cx.waker()));
                let is_over = self.engine.poll_wait(&mut self.session, &mut reply);
                if is_over && position.is_some() {
                    self.engine.log.forget(cx.waker());
                }
                is_over
            }
            None => !self.engine.pause.wait(&self.session.record),
        };
        if is_over {
            self.session.is_paused = false;
            self.has_backlog = !self.pending.is_empty();
            if self.engine.must_wait(&mut self.session) {
                self.held = Some((self.session.log_position, reply));
            } else {
                self.unsent.append(reply);
            }
            return Poll::Ready(Ok(()));
        }
        // Nothing is run meanwhile, but a peer that goes is noticed.
        let worker = self.worker.clone();
        let input = &mut worker.scratch().input;
        let mut buffer = ReadBuf::new(input);
        if let Err(error) = ready!(self.stream.poll_read(cx, self.asking, &mut buffer)) {
            return Poll::Ready(Err(End::Failed(error)));
        }
        if buffer.filled().is_empty() {
            return Poll::Ready(Err(End::Done));
        }
        self.pending.extend_from_slice(buffer.filled());
        self.count_read(buffer.filled().len());
        Poll::Ready(if self.is_over_query_limit() { Err(End::QueryLimit) } else { Ok(()) })
    }

    /// One read and what it brings.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let worker = self.worker.clone();
        let mut scratch = worker.scratch();
        let Scratch { input, batch, reply, engine } = &mut *scratch;
        // Whoever had the buffer before may have ended without sending what it holds: nobody else must see that.
        reply.clear();
        if self.pending.is_empty() {
            let mut buffer = ReadBuf::new(input);
            let read = match ready!(self.stream.poll_read(cx, self.asking, &mut buffer)) {
                Ok(()) => buffer.filled().len(),
                Err(error) => return Poll::Ready(Err(End::Failed(error))),
            };
            if read == 0 {
                return Poll::Ready(Err(End::Done));
            }
            self.count_read(read);
            let consumed = match self.run(&input[..read], batch, engine, reply) {
                Ok(consumed) => consumed,
                Err(end) => return Poll::Ready(Err(end)),
            };
            self.pending.extend_from_slice(&input[consumed..read]);
        } else {
            if !std::mem::take(&mut self.has_backlog) {
                // A large argument is read straight to where it will be decoded, in steps that what has come justifies: as
                // much again, since who announces much may never send it.
                // Before a login it is little that can be meant.
                let least = if self.session.authenticated { READ_SIZE } else { FIRST_READ };
                let wanted = self.decoder.wanted().clamp(least, READ_SIZE.max(self.pending.len()));
                self.pending.reserve(wanted);
                let mut buffer = ReadBuf::uninit(self.pending.spare_capacity_mut());
                let read = match ready!(self.stream.poll_read(cx, self.asking, &mut buffer)) {
                    Ok(()) => buffer.filled().len(),
                    Err(error) => return Poll::Ready(Err(End::Failed(error))),
                };
                if read == 0 {
                    return Poll::Ready(Err(End::Done));
                }
                let filled = self.pending.len() + read;
                // SAFETY: the read has initialised this many bytes of the spare capacity.
                unsafe { self.pending.set_len(filled) };
                self.count_read(read);
            }
            let pending = std::mem::take(&mut self.pending);
            let ran = self.run(&pending, batch, engine, reply);
            self.pending = pending;
            let consumed = match ran {
                Ok(consumed) => consumed,
                Err(end) => return Poll::Ready(Err(end)),
            };
            if consumed == self.pending.len() {
                self.pending = Vec::new();
            } else {
                self.pending.drain(..consumed);
            }
        }
        if self.is_over_query_limit() {
            return Poll::Ready(Err(End::QueryLimit));
        }
        let record = &self.session.record;
        record.query_len.store(self.pending.len(), Ordering::Relaxed);
        record.query_capacity.store(self.pending.capacity(), Ordering::Relaxed);
        self.send(cx, reply)
    }

    /// Decodes and runs all complete requests; returns how many bytes they took.
    fn run(
        &mut self,
        input: &[u8],
        batch: &mut Batch,
        engine: &mut BatchScratch,
        reply: &mut Reply,
    ) -> Result<usize, End> {
        reply.set_protocol(self.session.protocol);
        // What others said before this was sent comes before what is answered to it.
        if !self.session.record.outbox.drain(reply) {
            return Err(End::OutputLimit);
        }
        let mut consumed = 0;
        loop {
            let limits = Limits {
                max_bulk: usize::try_from(self.session.settings.proto_max_bulk_len).unwrap_or(usize::MAX),
                authenticated: self.session.authenticated,
                ..Limits::default()
            };
            // Before the login each request may change what the next one may be.
            let most = if self.session.authenticated { usize::MAX } else { 1 };
            batch.clear();
            let decoded = self.decoder.decode(&input[consumed..], &limits, most, batch);
            let most_output = self.most_output();
            let bytes = &input[consumed..];
            let ran = self.engine.execute_batch(&mut self.session, batch, bytes, engine, reply, most_output);
            if !ran.is_within_limit {
                return Err(End::OutputLimit);
            }
            if self.session.is_waiting() && ran.commands < batch.len() {
                // What is behind the command that waits is decoded once more when it runs: that is rare, and noting where
                // each request ends would cost every batch.
                self.decoder = Decoder::new();
                batch.clear();
                consumed += self.decoder.decode(bytes, &limits, ran.commands, batch).consumed;
                return Ok(consumed);
            }
            consumed += decoded.consumed;
            if self.session.is_waiting() {
                return Ok(consumed);
            }
            if self.session.closing {
                return Ok(input.len());
            }
            if let Some(error) = decoded.error {
                reply.error(error.reply());
                self.session.closing = true;
                return Ok(input.len());
            }
            if most != 1 || batch.is_empty() {
                return Ok(consumed);
            }
        }
    }

    fn count_read(&self, read: usize) {
        self.engine.stats.bytes_in.fetch_add(read as u64, Ordering::Relaxed);
        self.engine.stats.reads.fetch_add(1, Ordering::Relaxed);
        self.session.record.bytes_in.fetch_add(read as u64, Ordering::Relaxed);
    }

    /// Sends a batch's replies, behind those that are still unsent; what the socket does not take is kept.
    fn send(&mut self, cx: &mut Context<'_>, reply: &mut Reply) -> Poll<Result<(), End>> {
        if reply.is_empty() {
            self.session.has_logged = false;
            reply.shrink_to(KEEP_REPLY);
            return Poll::Ready(Ok(()));
        }
        if self.engine.must_wait(&mut self.session) {
            self.held = Some((self.session.log_position, std::mem::replace(reply, Reply::new(Protocol::Resp2))));
            return Poll::Ready(Ok(()));
        }
        if self.unsent.is_empty() {
            if let Poll::Ready(Err(error)) =
                poll_send(&self.engine, &self.session, &mut self.stream, cx, self.asking, reply)
            {
                reply.clear();
                return Poll::Ready(Err(End::Failed(error)));
            }
            if !reply.is_empty() {
                self.unsent = std::mem::replace(reply, Reply::new(Protocol::Resp2));
            }
        } else {
            self.unsent.append(std::mem::replace(reply, Reply::new(Protocol::Resp2)));
        }
        if reply.capacity() > KEEP_REPLY {
            *reply = Reply::new(Protocol::Resp2);
        }
        self.session.record.output_len.store(self.unsent.len(), Ordering::Relaxed);
        if self.is_over_output_limit() { Poll::Ready(Err(End::OutputLimit)) } else { Poll::Ready(Ok(())) }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = poll_send(&self.engine, &self.session, &mut self.stream, cx, self.asking, &mut self.unsent);
        if self.unsent.is_empty() {
            self.unsent = Reply::new(Protocol::Resp2);
        }
        self.session.record.output_len.store(self.unsent.len(), Ordering::Relaxed);
        sent
    }

    /// Whether more of this client's input waits than is allowed. What MULTI has queued has not been run yet either.
    fn is_over_query_limit(&self) -> bool {
        let queued = match &self.session.transaction {
            Some(transaction) if !transaction.queue.is_empty() => {
                // Short commands take more memory for their book-keeping than for their arguments.
                size_of_val(transaction.queue.as_slice()) + self.session.record.queued_bytes.load(Ordering::Relaxed)
            }
            _ => 0,
        };
        (self.pending.len() + queued) as u64 > self.session.settings.client_query_buffer_limit
    }

    fn output_limit(&self) -> OutputLimit {
        self.session.settings.client_output_buffer_limit[self.session.record.output_class()]
    }

    /// What the replies of one batch may come to. They wait until the batch is done, as there is nobody to write them in
    /// between, so without this a pipeline of large replies would be held in memory whatever the limit says.
    fn most_output(&self) -> usize {
        match self.output_limit().hard {
            0 => usize::MAX,
            hard => usize::try_from(hard).unwrap_or(usize::MAX).saturating_sub(self.unsent.len()).max(SMALL_OUTPUT),
        }
    }

    /// Whether more output waits for this client than its class allows.
    fn is_over_output_limit(&mut self) -> bool {
        let limit = self.output_limit();
        let waiting = self.unsent.len() as u64;
        if limit.hard != 0 && waiting > limit.hard {
            return true;
        }
        if limit.soft == 0 || waiting <= limit.soft {
            self.over_soft_limit = None;
            return false;
        }
        let now = self.engine.clock.millis();
        let since = *self.over_soft_limit.get_or_insert(now);
        now.saturating_sub(since) > limit.soft_seconds.saturating_mul(1000)
    }

    /// Ends a connection that has been idle for as long as `timeout` says, or over its soft output limit for too long.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let settings = &self.session.settings;
            let last_active = self.session.record.last_active.load(Ordering::Relaxed);
            // Who waits, or listens, is not idle.
            let is_patient = self.session.is_waiting() || self.session.record.is_subscriber();
            let idle =
                settings.idle_timeout().filter(|_| !is_patient).map(|timeout| (after(last_active, timeout), End::Done));
            let patience = Duration::from_secs(self.output_limit().soft_seconds);
            let full = self.over_soft_limit.map(|since| (after(since, patience), End::OutputLimit));
            let Some((at, end)) = idle.into_iter().chain(full).min_by_key(|(at, _)| *at) else {
                self.timer = None;
                return Poll::Pending;
            };
            let Some(left) = at.checked_sub(self.engine.clock.millis()).filter(|left| *left > 0) else {
                return Poll::Ready(end);
            };
            // A timer that rings too early only looks again, so it need not be moved each time the client is heard of.
            if self.timer.as_ref().is_none_or(|(rings, _)| *rings > at) {
                self.timer = Some((at, Box::pin(tokio::time::sleep(Duration::from_millis(left)))));
            }
            if let Some((_, timer)) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
            }
            self.timer = None;
        }
    }
}

/// A time in milliseconds, some time later.
fn after(millis: u64, pause: Duration) -> u64 {
    millis.saturating_add(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX))
}

fn poll_send(
    engine: &Engine,
    session: &Session,
    stream: &mut Stream,
    cx: &mut Context<'_>,
    asking: Asking,
    reply: &mut Reply,
) -> Poll<io::Result<()>> {
    while !reply.is_empty() {
        let sent = match reply.single() {
            Some(piece) => ready!(stream.poll_write(cx, asking, &[IoSlice::new(piece)]))?,
            None => {
                let mut slices = [IoSlice::new(&[]); 32];
                let used = reply.slices(&mut slices);
                ready!(stream.poll_write(cx, asking, &slices[..used]))?
            }
        };
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        engine.stats.bytes_out.fetch_add(sent as u64, Ordering::Relaxed);
        engine.stats.writes.fetch_add(1, Ordering::Relaxed);
        session.record.bytes_out.fetch_add(sent as u64, Ordering::Relaxed);
        reply.advance(sent);
    }
    Poll::Ready(Ok(()))
}

/// A connection as a future that ends with it; the worker can reach it besides.
pub(crate) struct Served {
    connection: Arc<Mutex<Connection>>,
    worker: Arc<Worker>,
    id: u64,
}

impl Served {
    pub(crate) fn new(engine: Arc<Engine>, worker: Arc<Worker>, stream: Stream, peer: String, local: String) -> Self {
        let connection = Connection::new(engine, worker.clone(), stream, peer, local);
        let id = connection.session.record.id;
        let connection = Arc::new(Mutex::new(connection));
        worker.members.lock().insert(id, Arc::downgrade(&connection));
        Served { connection, worker, id }
    }
}

impl Future for Served {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Only the thread that polls ever has it.
        self.connection.lock().poll_turn(cx)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.worker.members.lock().remove(&self.id);
    }
}

impl Connection {
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.session.record.waker.register(cx.waker());
        if self.engine.refresh(&mut self.session) {
            // The time-out may be another one now.
            self.timer = None;
        }
        let end = match self.ended.take() {
            Some(end) => end,
            None => match self.poll_serve(cx) {
                Poll::Ready(end) => end,
                Poll::Pending => ready!(self.poll_deadline(cx)),
            },
        };
        let record = &self.session.record;
        match end {
            End::Done => {}
            // What comes in is not what TLS wants: the operator should know why a client cannot connect.
            End::Failed(error) if error.kind() == io::ErrorKind::InvalidData => {
                log::warn!("closing client {} ({}): {error}", record.id, record.addr);
            }
            End::Failed(error) => log::debug!("client {} ({}): {error}", record.id, record.addr),
            End::QueryLimit => {
                self.engine.stats.query_limit_disconnections.fetch_add(1, Ordering::Relaxed);
                log::warn!("closing client {} ({}): it reached the query buffer limit", record.id, record.addr);
            }
            End::OutputLimit => {
                self.engine.stats.output_limit_disconnections.fetch_add(1, Ordering::Relaxed);
                log::warn!("closing client {} ({}): it reached its output buffer limit", record.id, record.addr);
            }
        }
        Poll::Ready(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let engine = self.engine.clone();
        if self.session.pending.as_ref().is_some_and(|pending| pending.log_position().is_some())
            && let Some(waker) = self.session.record.waker.take()
        {
            engine.log.forget(&waker);
        }
        engine.close_session(&mut self.session);
    }
}
