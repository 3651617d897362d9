//! Clients whose command has found nothing yet: what they wait for, who serves them, and when they give up.
//!
//! A waiter stands in line in the shards of his keys (`storage/src/waiting.rs`). Whoever changes such a key tries the
//! waiter's command again before he lets go of the shard, so nobody is overtaken and nothing lies between being woken and
//! being served. What the command answers is handed to the waiter's connection once the log has a position for it.

use crate::acl::refusals::Context;
use crate::command::Command;
use crate::command_stats::Ran;
use crate::config::Settings;
use crate::context::Ctx;
use crate::engine::{Engine, LeftOver};
use crate::error::CommandError;
use crate::registry::ClientRecord;
use crate::session::Session;
use crate::slow::{self, Done};
use parking_lot::Mutex;
use resplite_resp::reply::{Protocol, Reply};
use resplite_resp::request::OwnedArgs;
use resplite_storage::clock::Millis;
use resplite_storage::entry::ValueRef;
use resplite_storage::keyspace::{Locked, ShardSet};
use resplite_storage::shard::KeyRef;
use resplite_storage::waiting::{Hope, Waiter};
use smallvec::SmallVec;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a handler that has found nothing wants to wait for.
pub(crate) struct Wait {
    /// Which arguments are the keys whose change has the command tried again.
    pub(crate) keys: SmallVec<[usize; 1]>,
    /// Which argument is a key that is needed as well once there is something: where it is moved to.
    pub(crate) target: Option<usize>,
    pub(crate) hope: Hope,
    /// When the client gives up; `None` is never.
    pub(crate) deadline: Option<Millis>,
    /// What it is told then.
    pub(crate) answer: Answer,
    /// The command as it is to be tried again.
    pub(crate) args: OwnedArgs,
}

/// What a client is told that has waited in vain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// The null array.
    Nil,
    /// How many replicas have what it wrote: none, as there are none.
    Replicas,
    /// The same behind the number of local logs, one or none, that have synced up to this position. That ends the wait.
    Synced(u64),
    /// The same, but the wait goes on, as replicas are waited for as well.
    Reached(u64),
}

impl Answer {
    /// Writes the answer as things stand.
    pub(crate) fn write(self, engine: &Engine, out: &mut Reply) {
        match self {
            Answer::Nil => out.nil_array(),
            Answer::Replicas => out.int(0),
            Answer::Synced(position) | Answer::Reached(position) => {
                out.array(2);
                out.int(i64::from(engine.log.is_open() && engine.log.durable() >= position));
                out.int(0);
            }
        }
    }
}

/// How a wait ended.
enum End {
    Served {
        reply: Reply,
        log_position: u64,
    },
    TimedOut,
    Unblocked,
    /// The log that was waited for has been switched off.
    WithoutLog,
    /// The server has ended.
    Ended,
}

enum State {
    Waiting,
    /// Served, but the log has no position yet for what the command did.
    Served(Reply),
    Done(End),
}

/// A client that waits.
pub(crate) struct Waiting {
    number: u64,
    client: Arc<ClientRecord>,
    command: &'static Command,
    db: usize,
    protocol: Protocol,
    wait: Wait,
    /// Whether the target lies in another shard than the key; then it is the only key.
    is_far: bool,
    /// Microseconds that the command ran for before it began to wait.
    took: AtomicU64,
    /// Locked while the command is tried, so that a time-out that comes just then finds either all done or nothing.
    state: Mutex<State>,
    is_over: AtomicBool,
}

impl Waiter for Waiting {
    fn is_waiting(&self) -> bool {
        !self.is_over.load(Ordering::Acquire) && !self.client.is_killed()
    }
}

impl Waiting {
    /// Ends the wait unless it has ended already; returns whether it did.
    fn finish(&self, end: End) -> bool {
        let mut state = self.state.lock();
        let waits = matches!(*state, State::Waiting);
        if waits {
            *state = State::Done(end);
            self.is_over.store(true, Ordering::Release);
            self.client.waker.wake();
        }
        waits
    }

    /// Ends the wait as CLIENT UNBLOCK does; returns whether the client was still waiting.
    pub(crate) fn unblock(&self, with_error: bool) -> bool {
        self.finish(if with_error { End::Unblocked } else { End::TimedOut })
    }

    /// Hands over what the client was served.
    fn deliver(&self, log_position: u64) {
        let mut state = self.state.lock();
        if let State::Served(reply) = &mut *state {
            let reply = std::mem::replace(reply, Reply::new(self.protocol));
            *state = State::Done(End::Served { reply, log_position });
            self.client.waker.wake();
        }
    }

    /// Tells the slow log and the statistics how long the command ran; the time that it waited does not count.
    fn note(&self, engine: &Engine, settings: &Settings, took: u64, has_failed: bool) {
        let (args, micros) = (self.wait.args.as_args(), engine.clock.micros());
        let took = took + self.took.load(Ordering::Relaxed);
        engine.slow.note(Done { command: self.command, args, client: &self.client, micros, took }, settings);
        let ran = Ran { calls: 1, failed: has_failed.into(), micros: took, measured: (1, took * 1000) };
        engine.command_stats.add(self.client.id, self.command, &ran, settings.latency_tracking);
    }

    /// Takes the client out of the lines of its keys, whose shards are locked.
    pub(crate) fn leave_lines(self: &Arc<Self>, locked: &mut Locked<'_>) {
        let me: Arc<dyn Waiter> = self.clone();
        let args = self.wait.args.as_args();
        for index in &self.wait.keys {
            let at = locked.key(self.db, &args[*index]);
            locked.shard(at.hash).stop_waiting(at, &self.wait.hope, &me, self.is_far);
        }
    }

    /// Where it stands in the waiting room.
    fn place(&self) -> (Millis, u64) {
        (self.wait.deadline.unwrap_or(NEVER), self.number)
    }

    /// The position in the log that ends the wait once it is durable.
    fn log_position(&self) -> Option<u64> {
        if let Answer::Synced(position) = self.wait.answer { Some(position) } else { None }
    }
}

/// A session's own wait.
pub(crate) struct Pending {
    waiting: Arc<Waiting>,
    /// CLIENT REPLY said that nobody wants to hear how it ends.
    pub(crate) is_muted: bool,
}

impl Pending {
    /// Notes how many microseconds the command ran for before it began to wait.
    pub(crate) fn set_time(&self, took: u64) {
        self.waiting.took.store(took, Ordering::Relaxed);
    }

    /// The position in the log that ends the wait once it is durable.
    pub(crate) fn log_position(&self) -> Option<u64> {
        self.waiting.log_position()
    }
}

/// All who wait on one server.
#[derive(Default)]
pub(crate) struct WaitingRoom {
    last: AtomicU64,
    inner: Mutex<Room>,
}

#[derive(Default)]
struct Room {
    /// By deadline; those without one are last.
    waits: BTreeMap<(Millis, u64), Arc<Waiting>>,
    /// The server has ended: nobody waits any more.
    is_closed: bool,
}

/// The deadline of those who never give up.
const NEVER: Millis = Millis::MAX;

impl WaitingRoom {
    /// How many clients wait: who has been served does not, though his connection may have yet to hear of it.
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().waits.values().filter(|waiting| waiting.is_waiting()).count()
    }

    /// How many of them will give up some time.
    pub(crate) fn with_deadline(&self) -> usize {
        self.inner.lock().waits.range(..(NEVER, 0)).count()
    }

    /// When the next one gives up.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        let first = self.inner.lock().waits.first_key_value().map(|((deadline, _), _)| *deadline);
        first.filter(|deadline| *deadline != NEVER)
    }

    /// The wait of a client that no list of connections has: one in process.
    pub(crate) fn find_local(&self, client: u64) -> Option<Arc<Waiting>> {
        let inner = self.inner.lock();
        inner.waits.values().find(|waiting| waiting.client.is_local && waiting.client.id == client).cloned()
    }

    /// Ends the waits whose time is up.
    pub(crate) fn time_out(&self, now: Millis) {
        loop {
            let mut inner = self.inner.lock();
            let Some(first) = inner.waits.first_entry().filter(|first| first.key().0 <= now) else { return };
            let waiting = first.remove();
            drop(inner);
            waiting.finish(End::TimedOut);
        }
    }

    /// Ends all waits, now and from now on, as the server does.
    pub(crate) fn close(&self) {
        let mut inner = self.inner.lock();
        inner.is_closed = true;
        let waits = std::mem::take(&mut inner.waits);
        drop(inner);
        for waiting in waits.values() {
            waiting.finish(End::Ended);
        }
    }

    /// Adds a wait; returns whether its deadline is now the first.
    fn enter(&self, waiting: &Arc<Waiting>) -> bool {
        let mut inner = self.inner.lock();
        if inner.is_closed {
            drop(inner);
            waiting.finish(End::Ended);
            return false;
        }
        let key = waiting.place();
        inner.waits.insert(key, waiting.clone());
        key.0 != NEVER && inner.waits.first_key_value().is_some_and(|(first, _)| *first == key)
    }

    fn leave(&self, waiting: &Waiting) {
        self.inner.lock().waits.remove(&waiting.place());
    }
}

impl Engine {
    /// Ends the session's wait if it is over, and writes what came of it; returns whether there is no wait any more.
    pub(crate) fn poll_wait(&self, session: &mut Session, out: &mut Reply) -> bool {
        let Some(pending) = &session.pending else { return true };
        let waiting = &pending.waiting;
        if let Some(position) = waiting.log_position() {
            if !self.log.is_open() {
                waiting.finish(End::WithoutLog);
            } else if self.log.durable() >= position {
                waiting.finish(End::TimedOut);
            }
        }
        let end = match &mut *waiting.state.lock() {
            State::Done(end) => std::mem::replace(end, End::TimedOut),
            _ => return false,
        };
        let (answer, is_muted) = (waiting.wait.answer, pending.is_muted);
        let was_served = matches!(end, End::Served { .. });
        if !was_served {
            waiting.note(self, &session.settings, 0, !matches!(end, End::TimedOut));
        }
        self.end_wait(session, was_served);
        let start = out.checkpoint();
        match end {
            End::Served { reply, log_position } => {
                out.append(reply);
                session.log_position = session.log_position.max(log_position);
                session.has_logged = true;
            }
            End::TimedOut => answer.write(self, out),
            End::Unblocked => self.refuse(&CommandError::UNBLOCKED, out),
            End::WithoutLog => self.refuse(&CommandError::WAITAOF_WITHOUT_LOG, out),
            End::Ended => self.refuse(&CommandError::ENDED, out),
        }
        if is_muted {
            out.rollback(start);
        }
        true
    }

    fn refuse(&self, error: &CommandError, out: &mut Reply) {
        self.stats.count_error(error.as_bytes());
        out.error(error.as_bytes());
    }

    /// Forgets the session's wait, whatever became of it.
    pub(crate) fn end_wait(&self, session: &mut Session, was_served: bool) {
        let Some(Pending { waiting, .. }) = session.pending.take() else { return };
        *session.record.waiting.lock() = None;
        self.waiting_room.leave(&waiting);
        waiting.is_over.store(true, Ordering::Release);
        if was_served && waiting.wait.keys.len() == 1 && !waiting.is_far {
            // Whoever served it has taken it out of its only line.
            return;
        }
        let mut shards = ShardSet::none();
        for index in &waiting.wait.keys {
            shards.add(self.keyspace.shard_of(self.keyspace.hash(&waiting.wait.args.as_args()[*index])));
        }
        match self.lock_in_time(&shards) {
            Some(mut locked) => waiting.leave_lines(&mut locked),
            None => self.leave(LeftOver::Wait(waiting)),
        }
    }
}

impl Ctx<'_> {
    /// Whether the running command may wait: it was sent by a client, alone and not in a transaction.
    pub(crate) fn may_wait(&self) -> bool {
        self.attempt.is_some() || self.is_alone() && !self.session.is_replay && self.session.transaction.is_none()
    }

    /// Has the client wait, or go on waiting if its command is being tried again. The handler must not have written
    /// anything, and [`Ctx::may_wait`] must have said yes.
    pub(crate) fn wait(&mut self, wait: Wait) {
        if let Some(attempt) = &mut self.attempt {
            attempt.is_in_vain = true;
            return;
        }
        let session = &mut *self.session;
        let shard = |index: usize| {
            let keyspace = &self.engine.keyspace;
            keyspace.shard_of(keyspace.hash(&wait.args.as_args()[index]))
        };
        let is_far = wait.target.is_some_and(|target| wait.keys.iter().any(|key| shard(*key) != shard(target)));
        let waiting = Arc::new(Waiting {
            number: self.engine.waiting_room.last.fetch_add(1, Ordering::Relaxed),
            client: session.record.clone(),
            command: self.command,
            db: session.db,
            protocol: session.protocol,
            wait,
            is_far,
            took: AtomicU64::new(0),
            state: Mutex::new(State::Waiting),
            is_over: AtomicBool::new(false),
        });
        *session.record.waiting.lock() = Some(waiting.clone());
        session.pending = Some(Pending { waiting: waiting.clone(), is_muted: false });
        let args = waiting.wait.args.as_args();
        for index in &waiting.wait.keys {
            let at = self.at(&args[*index]);
            self.shard(at).wait(at, &waiting.wait.hope, waiting.clone(), is_far);
        }
        if self.engine.waiting_room.enter(&waiting) {
            self.engine.ring();
        }
    }

    /// Whether a handler may look at a key: always, but for the tries on behalf of somebody who waits, whose other keys
    /// need not be locked. There is nothing to take under those: whatever fed them would have served him.
    pub(crate) fn can_see(&self, key: &[u8]) -> bool {
        self.attempt.is_none() || self.holds(key)
    }

    /// Tries again the commands of those who wait for keys that have changed.
    #[inline]
    pub(crate) fn serve(&mut self) {
        if self.has_ready() {
            self.serve_waiting();
        }
    }

    #[cold]
    fn serve_waiting(&mut self) {
        // Each service ends a wait, so this ends however many feed each other.
        while let Some((db, key)) = self.locked().take_ready() {
            let at = self.at_db(db, &key);
            for hope in self.shard(at).waiting(db).hopes(&key) {
                if hope == Hope::Entries {
                    if self.fulfils(at, &hope) {
                        for waiter in self.shard(at).waiting(db).all(&key, &hope) {
                            self.try_again(waiter);
                        }
                        self.shard(at).prune_waiters(db, &key, &hope);
                    }
                    continue;
                }
                // Once the key has nothing left, whoever is next here must not find something under another key of his,
                // where others may have come before him. Where one finds nothing, those behind him need not look.
                // Looking for the first comes first: it takes those out of the line who have been served.
                while let Some(first) = self.shard(at).first_waiter(db, &key, &hope)
                    && self.fulfils(at, &hope)
                    && self.try_again(first)
                {}
            }
        }
    }

    /// Whether there is something under a key that those who hope for this want to know of; a group's readers want to
    /// know of its end as well. To try in vain would bring back consumers that have just been deleted.
    fn fulfils(&mut self, at: KeyRef<'_>, hope: &Hope) -> bool {
        let horizon = self.horizon();
        let value = self.shard(at).peek(at, horizon).map(|entry| entry.value());
        match (hope, value) {
            (Hope::List, value) => matches!(value, Some(ValueRef::List(_))),
            (Hope::SortedSet, value) => matches!(value, Some(ValueRef::SortedSet(_))),
            (Hope::Entries, value) => matches!(value, Some(ValueRef::Stream(_))),
            (Hope::Group(name), Some(ValueRef::Stream(stream))) => {
                let last = stream.entries().last_entry_id();
                stream.group(name).is_none_or(|group| last.is_some_and(|last| last > group.last_id()))
            }
            (Hope::Group(_), _) => true,
        }
    }

    /// Tries the command of one who waits; returns whether he waits no more.
    fn try_again(&mut self, waiter: Arc<dyn Waiter>) -> bool {
        let any: Arc<dyn Any + Send + Sync> = waiter;
        let Ok(waiting) = any.downcast::<Waiting>() else {
            debug_assert!(false, "only clients wait");
            return true;
        };
        let mut state = waiting.state.lock();
        if !matches!(*state, State::Waiting) || waiting.client.is_killed() {
            return true;
        }
        let mut reply = Reply::new(waiting.protocol);
        let args = waiting.wait.args.as_args();
        let start = slow::times_all(self.settings()).then(|| self.engine.clock.micros());
        // Rights that have been taken away meanwhile are gone for what waits as well.
        let user = self.engine.user_of(&waiting.client);
        let has_failed = match user.check(waiting.command, args) {
            Err(denied) => {
                let command = waiting.command;
                self.engine.note_denied((&waiting.client, &user), (command, args), denied, Context::TopLevel);
                self.engine.command_stats.count_rejected(waiting.client.id, command);
                self.engine.refuse(&user.error(command, denied), &mut reply);
                None
            }
            Ok(()) => match self.attempt_for(waiting.command, waiting.db, args, &mut reply) {
                None => return false,
                has_failed => has_failed,
            },
        };
        let took = start.map_or(0, |start| self.engine.clock.micros().saturating_sub(start));
        // What was refused did not run.
        if let Some(has_failed) = has_failed {
            waiting.note(self.engine, self.settings(), took, has_failed);
        }
        *state = State::Served(reply);
        waiting.is_over.store(true, Ordering::Release);
        drop(state);
        self.served.push(waiting);
        true
    }

    /// Hands over what has been served, once the log has a position for it.
    #[inline]
    pub(crate) fn deliver(&mut self) {
        for waiting in self.served.drain(..) {
            waiting.deliver(self.session.log_position);
        }
    }
}

/// A try on behalf of somebody who waits.
pub(crate) struct Attempt {
    /// There is still nothing.
    pub(crate) is_in_vain: bool,
}
