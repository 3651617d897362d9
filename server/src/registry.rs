//! The list of connected clients and what others may see of or do to them; no sockets.

use crate::acl::user::User;
use crate::command::Command;
use crate::config::Settings;
use crate::outbox::{Message, Outbox};
use crate::tracking::{Mode, Tracked};
use crate::waiting::Waiting;
use atomic_waker::AtomicWaker;
use dashmap::DashMap;
use parking_lot::Mutex;
use resplite_resp::reply::{Protocol, Reply};
use resplite_storage::waiting::Waiter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Texts that a client says of itself.
#[derive(Clone, Default)]
pub(crate) struct Names {
    pub(crate) name: String,
    pub(crate) lib_name: String,
    pub(crate) lib_version: String,
}

/// What the rest of the server knows of one connection; updated by the connection, read by CLIENT LIST.
pub(crate) struct ClientRecord {
    pub(crate) id: u64,
    /// Peer address as CLIENT LIST shows it: `ip:port`, or `path:0` of a Unix socket.
    pub(crate) addr: String,
    pub(crate) laddr: String,
    pub(crate) fd: i64,
    pub(crate) is_unix: bool,
    /// In-process clients have no socket and are not in CLIENT LIST.
    pub(crate) is_local: bool,
    /// Milliseconds since the epoch.
    pub(crate) created: u64,
    pub(crate) last_active: AtomicU64,
    pub(crate) db: AtomicUsize,
    pub(crate) protocol: AtomicU8,
    /// Queued commands, or -1 outside of MULTI.
    pub(crate) queued: AtomicI64,
    /// Bytes of their arguments; of the last transaction outside of MULTI.
    pub(crate) queued_bytes: AtomicUsize,
    pub(crate) watching: AtomicU32,
    pub(crate) no_evict: AtomicBool,
    pub(crate) no_touch: AtomicBool,
    pub(crate) authenticated: AtomicBool,
    /// Who has logged in, as of then: rights that have changed since are not in it.
    pub(crate) user: Mutex<Arc<User>>,
    /// Unread input and unsent output in bytes, as of the end of the last batch.
    pub(crate) query_len: AtomicUsize,
    pub(crate) query_capacity: AtomicUsize,
    pub(crate) output_len: AtomicUsize,
    /// Its part of the memory of all clients, as it was last counted.
    pub(crate) counted_memory: AtomicUsize,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) commands: AtomicU64,
    last_command: Mutex<Option<&'static Command>>,
    pub(crate) names: Mutex<Names>,
    killed: AtomicBool,
    /// What others have to say to it.
    pub(crate) outbox: Outbox,
    /// Channels, patterns and shard channels that it is subscribed to.
    pub(crate) subscriptions: [AtomicU32; 3],
    /// What it tracks, if it does.
    pub(crate) tracking: Mutex<Option<Tracked>>,
    /// Its next command waits for the end of a pause.
    pub(crate) is_paused: AtomicBool,
    /// MONITOR shows it every command that runs.
    pub(crate) is_monitor: AtomicBool,
    /// What it waits for, if it does.
    pub(crate) waiting: Mutex<Option<Arc<Waiting>>>,
    pub(crate) waker: AtomicWaker,
}

impl ClientRecord {
    pub(crate) fn new(id: u64, user: Arc<User>, addr: String, laddr: String, fd: i64, now: u64) -> Self {
        ClientRecord {
            id,
            is_unix: false,
            is_local: false,
            addr,
            laddr,
            fd,
            created: now,
            last_active: AtomicU64::new(now),
            db: AtomicUsize::new(0),
            protocol: AtomicU8::new(2),
            queued: AtomicI64::new(-1),
            queued_bytes: AtomicUsize::new(0),
            watching: AtomicU32::new(0),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            authenticated: AtomicBool::new(false),
            user: Mutex::new(user),
            query_len: AtomicUsize::new(0),
            query_capacity: AtomicUsize::new(0),
            output_len: AtomicUsize::new(0),
            counted_memory: AtomicUsize::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            last_command: Mutex::new(None),
            names: Mutex::new(Names::default()),
            killed: AtomicBool::new(false),
            outbox: Outbox::default(),
            subscriptions: Default::default(),
            tracking: Mutex::new(None),
            is_paused: AtomicBool::new(false),
            is_monitor: AtomicBool::new(false),
            waiting: Mutex::new(None),
            waker: AtomicWaker::new(),
        }
    }

    /// Whoever is inside the process.
    pub(crate) fn local(id: u64, addr: String, host: Arc<User>, now: u64) -> Self {
        let laddr = addr.clone();
        ClientRecord { is_local: true, ..Self::new(id, host, addr, laddr, -1, now) }
    }

    /// Notes which command ran last.
    #[inline]
    pub(crate) fn set_last_command(&self, command: &'static Command) {
        *self.last_command.lock() = Some(command);
    }

    /// The command that ran last.
    pub(crate) fn last_command(&self) -> Option<&'static Command> {
        *self.last_command.lock()
    }

    /// Has the connection end, wherever it waits.
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Adds a message to what waits for this client and wakes its connection; one that reads too slowly is dropped.
    pub(crate) fn push<W: Fn(&mut Reply)>(&self, message: &Message<W>, settings: &Settings) {
        let protocol = if self.speaks_resp3() { Protocol::Resp3 } else { Protocol::Resp2 };
        let most = settings.client_output_buffer_limit[self.output_class()].hard;
        self.outbox.push(message.bytes(protocol), self.output_len.load(Ordering::Relaxed), most);
        self.waker.wake();
    }

    /// Whether it has switched to RESP3.
    pub(crate) fn speaks_resp3(&self) -> bool {
        self.protocol.load(Ordering::Relaxed) == 3
    }

    /// The client that is told of changed keys instead: 0 is none, -1 says that this one tracks nothing.
    pub(crate) fn redirect(&self) -> i64 {
        self.tracking.lock().as_ref().map_or(-1, |tracked| tracked.options.redirect.unwrap_or(0) as i64)
    }

    /// Whether its command waits, for whatever.
    pub(crate) fn is_blocked(&self) -> bool {
        // Whoever has been served is not blocked any more, though its connection may have yet to hear of it.
        let waits = |waiting: &Arc<Waiting>| waiting.is_waiting();
        self.is_paused.load(Ordering::Relaxed) || self.waiting.lock().as_ref().is_some_and(waits)
    }

    /// Whether it has subscribed to anything.
    pub(crate) fn is_subscriber(&self) -> bool {
        self.subscriptions.iter().any(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// Which of the limits of `client-output-buffer-limit` holds for it: the first, or the third for subscribers.
    pub(crate) fn output_class(&self) -> usize {
        if self.is_subscriber() { 2 } else { 0 }
    }

    /// Bytes of output that has not left.
    fn output_bytes(&self) -> usize {
        self.output_len.load(Ordering::Relaxed) + self.outbox.len()
    }

    /// Bytes of queued commands.
    fn queued_bytes_now(&self) -> usize {
        if self.queued.load(Ordering::Relaxed) > 0 { self.queued_bytes.load(Ordering::Relaxed) } else { 0 }
    }

    /// Bytes of the connection with all its buffers, as of the end of its last batch.
    pub(crate) fn memory(&self) -> usize {
        let text = {
            let names = self.names.lock();
            names.name.len() + names.lib_name.len() + names.lib_version.len()
        };
        let query = self.query_capacity.load(Ordering::Relaxed);
        size_of::<Self>() + text + query + self.output_bytes() + self.queued_bytes_now()
    }

    /// The connection's line of CLIENT LIST, in the order of fields of Redis 7.4; `running` is the command that asks, if it
    /// is this connection's.
    pub(crate) fn describe(&self, now: u64, running: Option<&Command>) -> String {
        let seconds_since = |then: u64| now.saturating_sub(then) / 1000;
        let idle = if running.is_some() { 0 } else { seconds_since(self.last_active.load(Ordering::Relaxed)) };
        let command = running.or_else(|| self.last_command());
        let user = self.user.lock().name.clone();
        let queued = self.queued.load(Ordering::Relaxed);
        let mut flags = String::new();
        let tracked = self.tracking.lock().as_ref().map(|tracked| (tracked.options.mode, tracked.is_broken));
        for (set, flag) in [
            (self.is_monitor.load(Ordering::Relaxed), 'O'),
            (self.is_subscriber(), 'P'),
            (queued >= 0, 'x'),
            (self.is_blocked(), 'b'),
            (tracked.is_some(), 't'),
            (tracked.is_some_and(|(_, is_broken)| is_broken), 'R'),
            (tracked.is_some_and(|(mode, _)| mode == Mode::Broadcast), 'B'),
            (self.is_unix, 'U'),
            (self.no_evict.load(Ordering::Relaxed), 'e'),
            (self.no_touch.load(Ordering::Relaxed), 'T'),
        ] {
            if set {
                flags.push(flag);
            }
        }
        if flags.is_empty() {
            flags.push('N');
        }
        let query = self.query_len.load(Ordering::Relaxed);
        let query_capacity = self.query_capacity.load(Ordering::Relaxed);
        let output = self.output_bytes();
        let queued_bytes = self.queued_bytes_now();
        let total = self.memory();
        let names = self.names.lock().clone();
        let [sub, psub, ssub] = [0, 1, 2].map(|kind| self.subscriptions[kind].load(Ordering::Relaxed));
        // A connection has no reply buffer of its own (rbs, rbp, obl): what its socket did not take at once is a list.
        format!(
            "id={} addr={} laddr={} fd={} name={} age={} idle={idle} flags={flags} db={} sub={sub} psub={psub} ssub={ssub} multi={queued} \
             watch={} qbuf={query} qbuf-free={} argv-mem=0 multi-mem={queued_bytes} rbs=0 rbp=0 obl=0 oll={} omem={output} \
             tot-mem={total} events={} cmd={} user={} redir={} resp={} lib-name={} lib-ver={}",
            self.id,
            self.addr,
            self.laddr,
            self.fd,
            names.name,
            seconds_since(self.created),
            self.db.load(Ordering::Relaxed),
            self.watching.load(Ordering::Relaxed),
            query_capacity.saturating_sub(query),
            usize::from(output > 0),
            if output > 0 { "rw" } else { "r" },
            command.map_or("NULL", |command| command.name),
            String::from_utf8_lossy(&user),
            self.redirect(),
            self.protocol.load(Ordering::Relaxed),
            names.lib_name,
            names.lib_version,
        )
    }

    /// Whether the connection was told to end.
    #[inline]
    pub(crate) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }
}

/// All clients of one server by id.
#[derive(Default)]
pub(crate) struct Registry {
    clients: DashMap<u64, Arc<ClientRecord>>,
    last_id: AtomicU64,
}

impl Registry {
    /// The next client's id.
    pub(crate) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn add(&self, record: Arc<ClientRecord>) {
        self.clients.insert(record.id, record);
    }

    pub(crate) fn remove(&self, id: u64) {
        self.clients.remove(&id);
    }

    /// The client with this id.
    pub(crate) fn find(&self, id: u64) -> Option<Arc<ClientRecord>> {
        self.clients.get(&id).map(|client| client.clone())
    }

    /// All clients, by ascending id.
    pub(crate) fn all(&self) -> Vec<Arc<ClientRecord>> {
        let mut all: Vec<_> = self.clients.iter().map(|client| client.value().clone()).collect();
        all.sort_by_key(|client| client.id);
        all
    }
}
