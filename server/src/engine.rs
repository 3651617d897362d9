//! One server's shared state, and the one door through which every command enters it, whoever sends it.

use crate::acl::Acl;
use crate::acl::refusals::{Context, Reason, Refusal};
use crate::acl::selector::Denied;
use crate::acl::user::User;
use crate::client_eviction::ClientMemory;
use crate::command::{self, Command, Flags, Group, Locks};
use crate::command_stats::{self, CommandStats};
use crate::config::{AppendFsync, Settings};
use crate::context::{Ctx, KeyHashes};
use crate::error::{CmdResult, CommandError};
use crate::eviction::{Evictor, Room};
use crate::monitor::Monitors;
use crate::names::Names;
use crate::notify::EventClasses;
use crate::pause::Pause;
use crate::persistence::{ENDED, LOADING, Persistence, SAVE_FAILED};
use crate::pubsub::PubSub;
use crate::registry::{ClientRecord, Registry};
use crate::script::Scripts;
use crate::session::{ReplyMode, Session, Watched};
use crate::slow::{self, Done, Slow};
use crate::stats::Stats;
use crate::tls::Tls;
use crate::tracking::Tracking;
use crate::waiting::{Waiting, WaitingRoom};
use parking_lot::RwLock;
use resplite_resp::reply::{Checkpoint, Reply};
use resplite_resp::request::{Args, Batch};
use resplite_storage::aof::Log;
use resplite_storage::clock::{Clock, Millis};
use resplite_storage::disk::Disk;
use resplite_storage::entry::Entry;
use resplite_storage::keyspace::{Keyspace, KeyspaceOptions, Locked, ShardSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// Values above this many bytes are freed by another thread, where that is asked for.
const FREE_IN_BACKGROUND: usize = 64 * 1024;

/// After so many commands of a client it is looked how much memory is used, which is the peak perhaps.
const PEAK_LOOKS: u64 = 256;

/// What a client has left in shards that it could not lock.
pub(crate) enum LeftOver {
    Watched(Watched),
    Wait(Arc<Waiting>),
}

/// What the host of a server does when settings change.
pub(crate) type SettingsHook = Box<dyn Fn(&Settings) + Send + Sync>;

/// The allocator of the program that the server runs in, which the library knows nothing of: set by
/// [`ServerBuilder::allocator`](crate::ServerBuilder::allocator), asked by MEMORY PURGE and MEMORY MALLOC-STATS.
#[derive(Clone, Copy, Debug)]
pub struct Allocator {
    /// Gives memory that is not in use back to the system.
    pub purge: fn(),
    /// What it says of itself, as a text for people.
    pub stats: fn() -> String,
}

/// What a server is, without its sockets.
pub(crate) struct Engine {
    /// Itself, for threads that it starts.
    pub(crate) me: Weak<Engine>,
    pub(crate) keyspace: Keyspace,
    pub(crate) clock: Clock,
    pub(crate) log: Arc<Log>,
    pub(crate) persistence: Persistence,
    pub(crate) registry: Registry,
    pub(crate) acl: Acl,
    pub(crate) names: Names,
    pub(crate) pubsub: PubSub,
    pub(crate) monitors: Monitors,
    pub(crate) stats: Stats,
    pub(crate) command_stats: CommandStats,
    pub(crate) waiting_room: WaitingRoom,
    pub(crate) pause: Pause,
    pub(crate) tracking: Tracking,
    pub(crate) slow: Slow,
    pub(crate) tls: Tls,
    pub(crate) scripts: Scripts,
    /// What clients have left in shards that a script kept from them.
    left_over: parking_lot::Mutex<Vec<LeftOver>>,
    /// Called when something is due earlier than all that was known.
    bell: std::sync::OnceLock<Arc<dyn Fn() + Send + Sync>>,
    settings: RwLock<Arc<Settings>>,
    settings_version: AtomicU64,
    on_settings: std::sync::OnceLock<SettingsHook>,
    /// Seeds of chance are drawn from here.
    pub(crate) chance: parking_lot::Mutex<fastrand::Rng>,
    /// Microseconds since the epoch at which the server came up.
    pub(crate) started: u64,
    /// 40 hexadecimal digits that name this run.
    pub(crate) run_id: String,
    pub(crate) tcp_port: AtomicUsize,
    pub(crate) workers: usize,
    pub(crate) peak_memory: AtomicUsize,
    /// Bytes of tables before there was anything in them.
    pub(crate) startup_memory: usize,
    pub(crate) allocator: std::sync::OnceLock<Allocator>,
    pub(crate) evictor: Evictor,
    pub(crate) client_memory: ClientMemory,
    /// The thread that frees what UNLINK and FLUSHALL ASYNC took out; started when it is first needed.
    freer: parking_lot::Mutex<Option<std::sync::mpsc::Sender<Box<dyn Send>>>>,
    stop: AtomicBool,
    on_stop: std::sync::OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// A command of a batch that has been looked up, its first key hashed.
#[derive(Clone, Copy)]
pub(crate) struct Prepared {
    command: Option<&'static Command>,
    hash: u64,
}

/// How far a batch came.
pub(crate) struct Ran {
    /// Commands that have run, the last of which may be waiting.
    pub(crate) commands: usize,
    /// The replies are no longer than they may be.
    pub(crate) is_within_limit: bool,
}

/// Buffers of a batch that are kept from one batch to the next.
#[derive(Default)]
pub(crate) struct BatchScratch {
    prepared: Vec<Prepared>,
}

impl Engine {
    pub(crate) fn new(settings: Settings, clock: Clock, workers: usize, seed: u64, disk: Arc<dyn Disk>) -> Arc<Self> {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut settings = settings;
        settings.types.hash_seed = chance.u64(..);
        let shards = if workers == 1 { 1 } else { 16 * workers };
        let keyspace = Keyspace::new(KeyspaceOptions { shards, databases: settings.databases, seed: chance.u64(..) });
        adjust_keyspace(&keyspace, &settings);
        let mut startup_memory = 0;
        keyspace.for_each_shard(|shard| startup_memory += shard.entry_bytes() + shard.overhead_bytes());
        let run_id = (0..40).map(|_| char::from_digit(chance.u32(..16), 16).unwrap_or('0')).collect();
        let started = clock.micros();
        let engine = Arc::new_cyclic(|me: &Weak<Engine>| Engine {
            me: me.clone(),
            keyspace,
            log: Arc::new(Log::new(disk.clone())),
            persistence: Persistence::new(disk, started),
            started,
            clock,
            registry: Registry::default(),
            acl: Acl::new(&settings),
            names: Names::new(&settings),
            pubsub: PubSub::default(),
            monitors: Monitors::default(),
            stats: Stats::default(),
            command_stats: CommandStats::new(workers),
            waiting_room: WaitingRoom::default(),
            pause: Pause::default(),
            tracking: Tracking::default(),
            slow: Slow::default(),
            tls: Tls::default(),
            scripts: Scripts::default(),
            left_over: parking_lot::Mutex::default(),
            bell: std::sync::OnceLock::new(),
            settings: RwLock::new(Arc::new(settings)),
            settings_version: AtomicU64::new(1),
            on_settings: std::sync::OnceLock::new(),
            chance: parking_lot::Mutex::new(chance),
            run_id,
            tcp_port: AtomicUsize::new(0),
            workers,
            peak_memory: AtomicUsize::new(0),
            startup_memory,
            allocator: std::sync::OnceLock::new(),
            evictor: Evictor::default(),
            client_memory: ClientMemory::default(),
            freer: parking_lot::Mutex::new(None),
            stop: AtomicBool::new(false),
            on_stop: std::sync::OnceLock::new(),
        });
        engine.set_client_memory_limit(&engine.settings().0);
        let me = engine.me.clone();
        engine.keyspace.on_garbage(move |gone| {
            if let Some(engine) = me.upgrade() {
                engine.discard_if_large(gone);
            }
        });
        engine
    }

    /// The settings as they are now, and their version.
    pub(crate) fn settings(&self) -> (Arc<Settings>, u64) {
        let settings = self.settings.read();
        (settings.clone(), self.settings_version.load(Ordering::Acquire))
    }

    /// Replaces the settings by what `change` makes of them; nothing changes if it fails.
    pub(crate) fn change_settings<E>(&self, change: impl FnOnce(&mut Settings) -> Result<(), E>) -> Result<(), E> {
        let mut current = self.settings.write();
        let mut next = Settings::clone(&current);
        change(&mut next)?;
        adjust_keyspace(&self.keyspace, &next);
        if next.requirepass != current.requirepass {
            self.acl.set_default_password(&next);
        }
        *current = Arc::new(next);
        self.settings_version.fetch_add(1, Ordering::AcqRel);
        self.expect_eviction(&current);
        self.set_client_memory_limit(&current);
        // Under the lock, so that of two changes the later one is also heard of later.
        if let Some(hook) = self.on_settings.get() {
            hook(&current);
        }
        Ok(())
    }

    /// Sets what is told of changed settings; it must not change settings itself. Only the first call counts.
    pub(crate) fn on_settings(&self, hook: SettingsHook) {
        let _ = self.on_settings.set(hook);
    }

    /// Gives a session the settings in force; returns whether they have changed since it saw them.
    #[inline]
    pub(crate) fn refresh(&self, session: &mut Session) -> bool {
        let changed = session.settings_version != self.settings_version.load(Ordering::Acquire);
        if changed {
            (session.settings, session.settings_version) = self.settings();
            if !session.user.is_host {
                session.user = self.user_of(&session.record);
            }
        }
        changed
    }

    /// The user that a client is, with the rights of now. Who is not there any more may do nothing until the connection
    /// has ended.
    pub(crate) fn user_of(&self, client: &ClientRecord) -> Arc<User> {
        let user = client.user.lock().clone();
        if user.is_host {
            return user;
        }
        self.acl.find(&user.name).unwrap_or_else(|| Arc::new(User::new(&user.name, false)))
    }

    /// Has every session look at its user's rights again.
    pub(crate) fn users_changed(&self) {
        self.settings_version.fetch_add(1, Ordering::AcqRel);
    }

    /// A session for a new client that `record` describes.
    pub(crate) fn open_session(&self, record: ClientRecord) -> Session {
        let (settings, version) = self.settings();
        // Behind the version: what changes from here on is seen before the first command.
        let user = self.user_of(&record);
        *record.user.lock() = user;
        let record = Arc::new(record);
        let session = Session::new(record.clone(), settings, version, self.chance.lock().fork());
        record.authenticated.store(session.authenticated, Ordering::Relaxed);
        if !record.is_local {
            self.registry.add(record);
        }
        session
    }

    /// Ends a session: its watches, its subscriptions and its place in the registry.
    pub(crate) fn close_session(&self, session: &mut Session) {
        self.end_wait(session, false);
        self.pause.forget(&session.record);
        self.tracking.disable(&session.record);
        self.unwatch(session);
        self.stop_listening(session);
        if !session.record.is_local {
            self.registry.remove(session.record.id);
            self.forget_client_memory(&session.record);
        }
    }

    /// Ends a session's subscriptions, and its watching of commands.
    pub(crate) fn stop_listening(&self, session: &mut Session) {
        self.pubsub.unsubscribe_all(&mut session.subscriptions, &session.record);
        if session.is_monitor {
            session.is_monitor = false;
            self.monitors.remove(&session.record);
        }
    }

    /// Forgets what the session watches.
    pub(crate) fn unwatch(&self, session: &mut Session) {
        let watched = std::mem::take(&mut session.watched);
        session.record.watching.store(0, Ordering::Relaxed);
        for (db, key) in &watched.keys {
            let Some(mut locked) = self.lock_in_time(&ShardSet::one(self.keyspace.shard_of(self.keyspace.hash(key))))
            else {
                return self.leave(LeftOver::Watched(watched));
            };
            let at = locked.key(*db, key);
            locked.shard(at.hash).unwatch(at, &watched.watcher);
        }
    }

    /// Keeps what is to be taken out of the shards when the script is through that holds them.
    pub(crate) fn leave(&self, left: LeftOver) {
        self.left_over.lock().push(left);
        // It may have ended just now, and have looked before this was there.
        if !self.scripts.running.is_long() {
            self.clear_left_over(&mut self.keyspace.lock(&ShardSet::All));
        }
    }

    /// Takes out of the shards, all of which are locked, what was left there.
    pub(crate) fn clear_left_over(&self, locked: &mut Locked<'_>) {
        let left = std::mem::take(&mut *self.left_over.lock());
        for left in left {
            match left {
                LeftOver::Watched(watched) => watched.leave(locked),
                LeftOver::Wait(waiting) => waiting.leave_lines(locked),
            }
        }
    }

    /// Locks shards, unless a script holds them for so long that nobody is kept waiting for its end.
    pub(crate) fn lock_in_time(&self, shards: &ShardSet) -> Option<Locked<'_>> {
        self.keyspace.lock_unless(shards, || self.scripts.running.is_busy())
    }

    /// Has `bell` called when something is due earlier than [`Engine::next_due`] last said. Only the first call counts.
    pub(crate) fn on_earlier_due(&self, bell: Arc<dyn Fn() + Send + Sync>) {
        let of_keys = bell.clone();
        self.keyspace.on_earlier_deadline(move || of_keys());
        let _ = self.bell.set(bell);
    }

    /// Tells whoever sleeps until something is due that it may be earlier now.
    pub(crate) fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            bell();
        }
    }

    /// When a key expires, a client gives up waiting or a pause ends, whichever is first.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        if self.evictor.is_behind() {
            return Some(0);
        }
        let keys = if self.pause.is_on() { None } else { self.keyspace.next_deadline() };
        [keys, self.waiting_room.next_deadline(), self.pause.end()].into_iter().flatten().min()
    }

    /// Does what is due; of keys that expire about `most`.
    ///
    /// Returns false if a script keeps the shards for itself: then what is due there is due still.
    pub(crate) fn run_due(&self, now: Millis, most: usize) -> bool {
        self.pause.end_if_due(now);
        // A wait whose time is up is no reason to look into every shard.
        let mut is_done = true;
        if !self.pause.is_on() && self.keyspace.next_deadline().is_some_and(|due| due <= now) {
            is_done = self.expire(now, most);
        }
        self.waiting_room.time_out(now);
        if self.evictor.is_behind() {
            is_done &= self.catch_up();
        }
        is_done
    }

    /// Removes keys whose time has come, at most about `most`; the log and those who listen hear of each. Returns false if a
    /// script keeps the shards for itself.
    fn expire(&self, now: Millis, most: usize) -> bool {
        let micros = self.clock.micros();
        let mut sweep = self.keyspace.sweep(now, most);
        let mut housekeeper = None;
        while let Some(locked) = sweep.next(&self.keyspace, || self.scripts.running.is_long()) {
            if locked.has_news() {
                let session = housekeeper.get_or_insert_with(|| self.housekeeper());
                let due = now.saturating_mul(1000);
                Ctx::new(self, session, locked, &command::HOUSEKEEPING, due, KeyHashes::default()).settle();
            }
        }
        let done = self.clock.micros();
        self.slow.sample("expire-cycle", done, done.saturating_sub(micros), &self.settings().0);
        !sweep.has_given_up()
    }

    /// A session for what the server does by itself.
    pub(crate) fn housekeeper(&self) -> Session {
        self.open_session(ClientRecord::local(0, String::new(), self.acl.host.clone(), self.clock.millis()))
    }

    /// Frees a removed value on another thread, if it is so large that somebody would wait for it.
    pub(crate) fn discard_if_large(&self, entry: Entry) {
        if entry.heap_bytes() > FREE_IN_BACKGROUND {
            self.discard(entry);
        }
    }

    /// Frees something large on another thread, so that nobody waits for it.
    pub(crate) fn discard(&self, garbage: impl Send + 'static) {
        let mut freer = self.freer.lock();
        let sender = freer.get_or_insert_with(|| {
            let (sender, receiver) = std::sync::mpsc::channel::<Box<dyn Send>>();
            let started = std::thread::Builder::new()
                .name("resplite-free".into())
                .spawn(move || receiver.into_iter().for_each(drop));
            // Without the thread the channel is closed, and what is sent is freed right here.
            drop(started);
            sender
        });
        drop(sender.send(Box::new(garbage)));
    }

    /// Sets what [`Engine::stop`] does besides saying so.
    pub(crate) fn on_stop(&self, action: impl Fn() + Send + Sync + 'static) {
        // Set once, by the server that owns the engine.
        let _ = self.on_stop.set(Box::new(action));
    }

    /// Has the server stop.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.waiting_room.close();
        self.pause.stop();
        if let Some(action) = self.on_stop.get() {
            action();
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Runs all commands of a batch in order and writes their replies.
    ///
    /// Before the first runs, the table line and then the entry of each command's first key are brought closer, so that
    /// the cache misses of a pipeline overlap instead of queueing up.
    ///
    /// Ends early if the replies have become longer than `most_output`, and behind a command that waits.
    pub(crate) fn execute_batch(
        &self,
        session: &mut Session,
        batch: &Batch,
        bytes: &[u8],
        scratch: &mut BatchScratch,
        out: &mut Reply,
        most_output: usize,
    ) -> Ran {
        let prepared = &mut scratch.prepared;
        prepared.clear();
        prepared.extend(batch.iter(bytes).map(|args| self.prepare(self.names.find(args.name()), args)));
        if prepared.len() > 1 {
            self.touch(session.db, prepared);
        }
        let mut micros = self.clock.micros();
        let mut ran = Ran { commands: 0, is_within_limit: true };
        for (prepared, args) in prepared.iter().zip(batch.iter(bytes)) {
            if self.pause.is_on() && self.is_paused(session, prepared.command, args) {
                session.is_paused = true;
                break;
            }
            let times_all = slow::times_all(&session.settings);
            let is_timed = times_all || slow::is_timed(prepared.command, args);
            if is_timed && (times_all || !session.tally.is_empty()) {
                let now = self.clock.micros();
                self.share(session, now.saturating_sub(micros));
                micros = now;
            }
            // Whoever asks for the statistics, or sets them back, has them whole.
            if session.tally.has_timed() && prepared.command.is_some_and(|command| command.group == Group::Server) {
                self.add_timed(session);
            }
            let before = session.ran;
            self.execute(session, *prepared, args, micros, out);
            ran.commands += 1;
            // What was said to this client meanwhile, by itself for example, stands between replies and never in them.
            let is_whole = !session.record.outbox.has_mail() || session.record.outbox.drain(out);
            ran.is_within_limit = is_whole && out.len() <= most_output;
            // Commands that may have taken their time: the next one gets a new reading.
            if is_timed {
                let now = self.clock.micros();
                if session.ran != before {
                    self.note_duration(session, prepared.command, args, micros, now);
                }
                micros = now;
            } else if let (Some(command), true) = (prepared.command, session.ran != before) {
                session.tally.note(command);
            }
            if session.closing || session.pending.is_some() || !ran.is_within_limit {
                break;
            }
        }
        if !session.tally.is_empty() {
            let now = self.clock.micros();
            self.share(session, now.saturating_sub(micros));
            micros = now;
        }
        if session.tally.has_timed() {
            self.add_timed(session);
        }
        let record = &session.record;
        if let Some(last) = ran.commands.checked_sub(1)
            && let Some(command) = prepared[last].command
        {
            let sub = batch.args(last, bytes).get(1).and_then(|name| command::find_subcommand(command, name));
            record.set_last_command(sub.unwrap_or(command));
        }
        record.last_active.store(micros / 1000, Ordering::Relaxed);
        let counted = std::mem::take(&mut session.ran);
        let before = session.record.commands.fetch_add(counted, Ordering::Relaxed);
        if before / PEAK_LOOKS != (before + counted) / PEAK_LOOKS {
            // Notes the peak.
            self.used_memory();
        }
        self.stats.commands.fetch_add(counted, Ordering::Relaxed);
        self.log.throttle();
        self.keyspace.throttle();
        ran
    }

    /// Tells the slow log and the latency monitor how long a command took. One that waits now is told about when it is done.
    #[inline]
    fn note_duration(
        &self,
        session: &mut Session,
        command: Option<&'static Command>,
        args: Args<'_>,
        micros: u64,
        now: u64,
    ) {
        let Some(command) = command.filter(|_| !session.is_replay) else { return };
        let took = now.saturating_sub(micros);
        if let Some(pending) = &session.pending {
            session.tally.has_failed = false;
            return pending.set_time(took);
        }
        // What was run was resolved at the door.
        let ran = command::resolve(Some(command), args).unwrap_or(command);
        if session.tally.note_timed(ran, took) {
            self.add_timed(session);
        }
        self.slow.note(Done { command, args, client: &session.record, micros: now, took }, &session.settings);
    }

    /// Adds what was timed by itself to the statistics.
    fn add_timed(&self, session: &mut Session) {
        let (client, tracks) = (session.record.id, session.settings.latency_tracking);
        session.tally.take_timed(|calls| self.command_stats.add_timed(client, calls, tracks));
    }

    /// Lets the fast commands that have run since the clock was last read share the time.
    fn share(&self, session: &mut Session, micros: u64) {
        let (client, tracks) = (session.record.id, session.settings.latency_tracking);
        session.tally.share(micros, |command, ran| self.command_stats.add(client, command, &ran, tracks));
    }

    /// Adds a command that has run to the statistics.
    pub(crate) fn note_ran(&self, session: &Session, command: &Command, ran: &command_stats::Ran) {
        self.command_stats.add(session.record.id, command, ran, session.settings.latency_tracking);
    }

    /// Whether CLIENT PAUSE keeps a command from running now.
    fn is_paused(&self, session: &Session, command: Option<&'static Command>, args: Args<'_>) -> bool {
        // What is refused is refused at once.
        let Ok(command) = command::resolve(command, args) else { return false };
        let is_refused = session.lacks_login() && !command.flags.has(Flags::NO_AUTH);
        if !command.takes(args.len()) || is_refused || session.user.check(command, args).is_err() {
            return false;
        }
        if self.pause.stops_all() {
            return true;
        }
        let changes = |command: &Command, args: Args<'_>| {
            command.flags.has(Flags::WRITE)
                || command.flags.has(Flags::MAY_REPLICATE) && self.scripts.may_write(command.name, args)
        };
        match &session.transaction {
            Some(transaction) if command.runs_queue() => {
                transaction.queue.iter().any(|(queued, args)| changes(queued, args.as_args()))
            }
            _ => changes(command, args),
        }
    }

    /// Whether the replies of this session that are about to leave have to wait until the log is durable. After the log
    /// has failed what can be read can be read, but a change that slipped in just before that must not look as if it were
    /// kept.
    #[inline]
    pub(crate) fn must_wait(&self, session: &mut Session) -> bool {
        let has_logged = std::mem::take(&mut session.has_logged);
        session.settings.appendfsync == AppendFsync::Always
            && self.log.is_open()
            && session.log_position > self.log.durable()
            && (has_logged || !self.log.has_failed())
    }

    /// The error for what the log could not keep.
    pub(crate) fn log_failed(&self) -> CommandError {
        CommandError::log_failed(&self.log.failure().unwrap_or_default())
    }

    /// Runs one command that did not come in a batch, unless a pause keeps it from running: then `session.is_paused`.
    pub(crate) fn execute_one(&self, session: &mut Session, args: Args<'_>, out: &mut Reply) {
        // A log has the commands' own names.
        let command = if session.is_replay { command::find(args.name()) } else { self.names.find(args.name()) };
        let prepared = self.prepare(command, args);
        session.is_paused = self.pause.is_on() && self.is_paused(session, prepared.command, args);
        if session.is_paused {
            return;
        }
        let micros = self.clock.micros();
        self.execute(session, prepared, args, micros, out);
        if session.ran != 0 {
            self.note_duration(session, prepared.command, args, micros, self.clock.micros());
            self.add_timed(session);
        }
        self.stats.commands.fetch_add(std::mem::take(&mut session.ran), Ordering::Relaxed);
    }

    #[inline]
    fn prepare(&self, command: Option<&'static Command>, args: Args<'_>) -> Prepared {
        let mut hash = 0;
        if let Some(command) = command
            && command.first_key != 0
            && let Some(key) = args.get(usize::from(command.first_key))
        {
            hash = self.keyspace.hash(key);
        }
        Prepared { command, hash }
    }

    fn touch(&self, db: usize, prepared: &[Prepared]) {
        let has_key = |prepared: &&Prepared| prepared.command.is_some_and(|command| command.first_key != 0);
        for Prepared { hash, .. } in prepared.iter().filter(has_key) {
            // A shard that another worker holds is not worth waiting for: this is only a hint.
            if let Some(shard) = self.keyspace.try_lock_one(self.keyspace.shard_of(*hash)) {
                shard.touch_bucket(db, *hash);
            }
        }
        for Prepared { hash, .. } in prepared.iter().filter(has_key) {
            if let Some(shard) = self.keyspace.try_lock_one(self.keyspace.shard_of(*hash)) {
                shard.touch_entry(db, *hash);
            }
        }
    }

    /// The one door: gates, queueing, locks, the handler, and what comes after it.
    fn execute(&self, session: &mut Session, prepared: Prepared, args: Args<'_>, micros: u64, out: &mut Reply) {
        let start = out.checkpoint();
        let mut is_wanted = false;
        if prepared.command.is_none() && is_http(args.name()) {
            log::warn!("client {} speaks HTTP: closing, as a browser may have been made to attack", session.record.id);
            session.closing = true;
            return;
        }
        match self.admit(session, prepared.command, args) {
            Ok(command)
                if session.transaction.is_some() && !command.flags.has(Flags::NO_MULTI) && !controls_queue(command) =>
            {
                self.enqueue(session, command, args);
                out.simple("QUEUED");
            }
            Ok(command) => {
                is_wanted = command.flags.has(Flags::SUBSCRIPTION);
                let mut hashes = KeyHashes::default();
                let key = usize::from(command.single_key);
                if key != 0 {
                    // A subcommand was not known when its container was prepared.
                    let known = prepared.command.is_some_and(|prepared| std::ptr::eq(prepared, command));
                    hashes.add(&args[key], if known { prepared.hash } else { self.keyspace.hash(&args[key]) });
                }
                match self.lock(session, command, args, &mut hashes) {
                    Some(locked) => {
                        let mut ctx = Ctx::new(self, session, locked, command, micros, hashes);
                        ctx.run(command, args, out);
                        ctx.settle();
                    }
                    None => self.reject(session, prepared.command, args, self.busy_error(), out),
                }
                if session.caching.is_some() {
                    session.forget_caching(command);
                }
            }
            Err(error) => self.reject(session, prepared.command, args, error, out),
        }
        if session.reply_mode != ReplyMode::On {
            if let Some(pending) = &mut session.pending {
                pending.is_muted = true;
            }
            mute(session, out, start, is_wanted);
        }
    }

    /// Writes why a command does not run; a transaction that it belongs to fails with it.
    #[cold]
    fn reject(
        &self,
        session: &mut Session,
        command: Option<&'static Command>,
        args: Args<'_>,
        mut error: CommandError,
        out: &mut Reply,
    ) {
        if let Some(transaction) = &mut session.transaction {
            transaction.aborted = true;
        }
        if command.is_some_and(|command| command.name == "exec") {
            // An EXEC that may not run ends its transaction all the same.
            session.transaction = None;
            session.record.queued.store(-1, Ordering::Relaxed);
            self.unwatch(session);
            error = error.exec_rejected();
        }
        if let Ok(command) = command::resolve(command, args) {
            self.command_stats.count_rejected(session.record.id, command);
        }
        self.stats.count_error(error.as_bytes());
        out.error(error.as_bytes());
    }

    /// What is said while a script keeps everything for itself.
    pub(crate) fn busy_error(&self) -> CommandError {
        if self.scripts.running.is_function() { CommandError::BUSY_FUNCTION } else { CommandError::BUSY_SCRIPT }
    }

    /// Whether the command may run at all: it exists, has the right number of arguments, the client may call it.
    #[inline]
    fn admit(
        &self,
        session: &mut Session,
        command: Option<&'static Command>,
        args: Args<'_>,
    ) -> Result<&'static Command, CommandError> {
        let command = command::resolve(command, args).map_err(|container| match container {
            None => CommandError::unknown_command(args),
            Some(container) => CommandError::unknown_subcommand(container.name, &args[1]),
        })?;
        if !command.takes(args.len()) {
            return Err(CommandError::arity(command.name));
        }
        self.refresh(session);
        if session.lacks_login() && !command.flags.has(Flags::NO_AUTH) {
            return Err(CommandError::NOAUTH);
        }
        if !session.user.is_unrestricted() {
            self.admit_by_rights(session, command, args)?;
        }
        let is_busy = self.scripts.running.is_busy();
        if is_busy && !command.flags.has(Flags::ALLOW_BUSY) {
            return Err(self.busy_error());
        }
        let trouble = self.persistence.trouble();
        if trouble != 0 || self.log.has_failed() {
            self.admit_in_trouble(session, command, trouble)?;
        }
        if session.settings.maxmemory != 0 && !session.is_replay && !is_busy {
            self.admit_by_memory(session, command)?;
        } else {
            session.is_short = false;
        }
        if session.is_restricted() && !is_open_to_subscribers(command) {
            return Err(CommandError::subscribed(command.name));
        }
        if session.is_monitor && (command.flags.has(Flags::READONLY) || command.flags.has(Flags::WRITE)) {
            return Err(CommandError::MONITOR_READS_KEYS);
        }
        if session.transaction.is_some() && command.flags.has(Flags::NO_MULTI) {
            return Err(CommandError::NOT_IN_TRANSACTION);
        }
        Ok(command)
    }

    /// Whether the client has the right to the command, its keys and its channels.
    #[cold]
    fn admit_by_rights(&self, session: &Session, command: &'static Command, args: Args<'_>) -> CmdResult {
        let Err(denied) = session.user.check(command, args) else { return Ok(()) };
        let context = if session.transaction.is_some() { Context::Transaction } else { Context::TopLevel };
        self.note_denied((&session.record, &session.user), (command, args), denied, context);
        Err(session.user.error(command, denied))
    }

    /// Notes for ACL LOG what was refused.
    pub(crate) fn note_denied(
        &self,
        (client, user): (&ClientRecord, &User),
        (command, args): (&'static Command, Args<'_>),
        denied: Denied,
        context: Context,
    ) {
        let (reason, object) = match denied {
            Denied::Command => (Reason::Command, command.name.as_bytes()),
            Denied::Key(index) => (Reason::Key, &args[index]),
            Denied::Channel(index) => (Reason::Channel, &args[index]),
        };
        let now = self.clock.millis();
        let client = client.describe(now, Some(command));
        self.acl.note(Refusal { reason, context, object, user: user.name.clone(), client }, now, &self.settings().0);
    }

    /// Whether the command may run as far as memory goes; what a script may do of it turns out later.
    #[cold]
    fn admit_by_memory(&self, session: &mut Session, command: &Command) -> CmdResult {
        let needs = needs_memory(session, command);
        let may_call_others = command.runs_queue() || command.group == Group::Scripting;
        session.is_short = false;
        if (needs || may_call_others) && self.make_room(&session.settings) == Room::None {
            session.is_short = true;
        }
        if needs && session.is_short { Err(CommandError::OOM) } else { Ok(()) }
    }

    /// Whether a script may write now.
    pub(crate) fn admit_write(&self, session: &Session) -> CmdResult {
        let trouble = self.persistence.trouble();
        if (trouble == 0 && !self.log.has_failed()) || session.is_replay {
            return Ok(());
        }
        self.admit_change(session, trouble)
    }

    /// Whether the command may run while data is being loaded, or cannot be kept.
    fn admit_in_trouble(&self, session: &Session, command: &Command, trouble: u8) -> Result<(), CommandError> {
        if session.is_replay {
            return Ok(());
        }
        if trouble & ENDED != 0 {
            return Err(CommandError::ENDED);
        }
        if trouble & LOADING != 0 && !command.flags.has(Flags::LOADING) {
            return Err(CommandError::LOADING);
        }
        let writes = match &session.transaction {
            Some(transaction) if command.runs_queue() => {
                transaction.queue.iter().any(|(queued, _)| queued.flags.has(Flags::WRITE))
            }
            _ => command.flags.has(Flags::WRITE),
        };
        // PING as well: it is what asks whether a server is well.
        if writes || command.name == "ping" { self.admit_change(session, trouble) } else { Ok(()) }
    }

    /// Whether what is changed now can be kept.
    fn admit_change(&self, session: &Session, trouble: u8) -> CmdResult {
        if trouble & SAVE_FAILED != 0
            && session.settings.stop_writes_on_bgsave_error
            && !session.settings.save.is_empty()
        {
            return Err(CommandError::SAVE_FAILED);
        }
        if self.log.has_failed() {
            return Err(self.log_failed());
        }
        Ok(())
    }

    fn enqueue(&self, session: &mut Session, command: &'static Command, args: Args<'_>) {
        let Some(transaction) = &mut session.transaction else { return };
        self.add_shards(command, args, &mut transaction.shards);
        transaction.queue.push((command, args.to_owned()));
        let record = &session.record;
        if transaction.queue.len() == 1 {
            record.queued_bytes.store(0, Ordering::Relaxed);
        }
        record.queued_bytes.fetch_add(args.byte_len(), Ordering::Relaxed);
        session.record.queued.store(transaction.queue.len() as i64, Ordering::Relaxed);
    }

    /// Adds what a queued command will need to what EXEC locks.
    fn add_shards(&self, command: &Command, args: Args<'_>, shards: &mut ShardSet) {
        if command.locks_all(args) {
            *shards = ShardSet::All;
            return;
        }
        command.for_each_key(args, |index| shards.add(self.keyspace.shard_of(self.keyspace.hash(&args[index]))));
    }

    /// Locks what the command needs, unless a script keeps it for itself; the hashes that this takes are kept in `hashes`.
    #[inline]
    fn lock(&self, session: &Session, command: &Command, args: Args<'_>, hashes: &mut KeyHashes) -> Option<Locked<'_>> {
        if let (true, Some(hash)) = (command.single_key != 0, hashes.iter().next()) {
            let locked =
                self.keyspace.lock_one_unless(self.keyspace.shard_of(hash), || self.scripts.running.is_busy())?;
            if command.flags.has(Flags::READONLY) || !locked.is_short() {
                return Some(locked);
            }
        }
        let mut shards = ShardSet::none();
        match command.locks {
            Locks::All => shards = ShardSet::All,
            Locks::AllIf(names_others) if names_others(args) => shards = ShardSet::All,
            Locks::Keys | Locks::AllIf(_) => command.for_each_key(args, |index| {
                let hash = self.keyspace.hash(&args[index]);
                shards.add(self.keyspace.shard_of(hash));
                hashes.add(&args[index], hash);
            }),
            Locks::Watched | Locks::Queue => {
                if let (Locks::Queue, Some(transaction)) = (command.locks, &session.transaction) {
                    shards = transaction.shards.clone();
                }
                for (_, key) in &session.watched.keys {
                    shards.add(self.keyspace.shard_of(self.keyspace.hash(key)));
                }
            }
        }
        let mut locked = self.lock_in_time(&shards)?;
        // Who only reads feeds nobody.
        if !command.flags.has(Flags::READONLY) && locked.is_short() {
            // Somebody who waits here will need more than these shards to be served.
            drop(locked);
            locked = self.lock_in_time(&ShardSet::All)?;
        }
        if hashes.iter().len() > 1 {
            // As for a batch: the cache misses of several keys overlap.
            hashes.iter().for_each(|hash| locked.shard(hash).touch_bucket(session.db, hash));
            hashes.iter().for_each(|hash| locked.shard(hash).touch_entry(session.db, hash));
        }
        Some(locked)
    }
}

/// Tells the keyspace what it has to know of the settings.
fn adjust_keyspace(keyspace: &Keyspace, settings: &Settings) {
    keyspace.tell_expired(settings.notify_keyspace_events.has(EventClasses::EXPIRED));
    keyspace.free_later(settings.lazyfree_lazy_expire, settings.lazyfree_lazy_server_del);
}

/// Whether an unknown command is a line of an HTTP request. What follows it could be the request's body, written by
/// somebody else than the one whose browser sends it, so it must not be run.
fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Whether the command is refused when memory has run out. Queueing takes memory whatever is queued, and EXEC takes what
/// its commands take.
fn needs_memory(session: &Session, command: &Command) -> bool {
    let Some(transaction) = &session.transaction else { return command.flags.has(Flags::DENYOOM) };
    if command.runs_queue() {
        return transaction.queue.iter().any(|(queued, _)| queued.flags.has(Flags::DENYOOM));
    }
    !controls_queue(command)
}

/// Whether a RESP2 connection may still use the command while it has subscriptions.
fn is_open_to_subscribers(command: &Command) -> bool {
    command.flags.has(Flags::SUBSCRIPTION) || matches!(command.name, "ping" | "quit" | "reset")
}

/// Whether the command acts on the queue instead of going into it.
fn controls_queue(command: &Command) -> bool {
    matches!(command.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

/// Takes back a reply that CLIENT REPLY said is not wanted, unless it is: what subscriptions bring comes all the same.
fn mute(session: &mut Session, out: &mut Reply, start: Checkpoint, is_wanted: bool) {
    let start = if is_wanted { out.checkpoint() } else { start };
    match session.reply_mode {
        ReplyMode::On => {}
        ReplyMode::Off => out.rollback(start),
        ReplyMode::SkipNext => {
            out.rollback(start);
            session.reply_mode = ReplyMode::Skip;
        }
        ReplyMode::Skip => {
            out.rollback(start);
            session.reply_mode = ReplyMode::On;
        }
    }
}
