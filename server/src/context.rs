//! What a handler may do: typed access to the keys its command names, the time, the session and the engine.
//!
//! The write path keeps its own books. A handler changes a value only inside `update` or `upsert`; watchers, byte
//! counts, deadlines and the removal of emptied collections follow from what the closure returns.

use crate::command::{Command, Flags, Group};
use crate::command_stats::{Ran, SAMPLED};
use crate::config::Settings;
use crate::engine::Engine;
use crate::error::{CmdResult, CommandError};
use crate::journal;
use crate::monitor::Event;
use crate::notify::EventClasses;
use crate::session::Session;
use crate::slow::{self, Done};
use crate::waiting::{Attempt, Waiting};
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::clock::Millis;
use resplite_storage::entry::{Collection, Entry, StringRef, Text, Value};
use resplite_storage::keyspace::Locked;
use resplite_storage::shard::{Edit, Expired, Expiry, KeyRef, NewString, Shard};
use resplite_storage::types::Limits;
use resplite_storage::uses::Use;
use smallvec::SmallVec;
use std::cell::Cell;
use std::sync::Arc;

/// Expired fields that one record of the log names at most.
const MOST_FIELDS: usize = 64;

/// The hashes of a command's keys, computed once, found again by where the key lies.
#[derive(Default)]
pub(crate) struct KeyHashes {
    list: SmallVec<[(*const [u8], u64); 2]>,
    /// Where the next search begins: handlers take their keys in order.
    next: Cell<usize>,
}

impl KeyHashes {
    #[inline]
    pub(crate) fn add(&mut self, key: &[u8], hash: u64) {
        self.list.push((&raw const *key, hash));
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = u64> {
        self.list.iter().map(|(_, hash)| *hash)
    }

    #[inline]
    fn find(&self, key: &[u8]) -> Option<u64> {
        let here = self.next.get();
        // The same key again, or the one behind it; whoever jumps about computes the hash anew.
        for at in [here, here + 1, 0] {
            let Some((known, hash)) = self.list.get(at) else { continue };
            if std::ptr::eq(*known, key) {
                self.next.set(at);
                return Some(*hash);
            }
        }
        None
    }
}

/// One command's view of the server while it runs, its shards locked.
pub(crate) struct Ctx<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) session: &'a mut Session,
    /// The command that is running; inside EXEC the queued one.
    pub(crate) command: &'static Command,
    locked: Locked<'a>,
    micros: u64,
    /// Keys with a deadline up to this are gone.
    horizon: Millis,
    /// Whether there is a log that hears of changes.
    is_logged: bool,
    /// Whether the effects of the running command are logged by themselves, and not with those of others.
    is_alone: bool,
    /// Hashes of the keys that the locks were chosen by.
    hashes: KeyHashes,
    /// What runs is not the client's command but that of somebody who waited.
    pub(crate) attempt: Option<Attempt>,
    /// What runs is called by a script.
    in_script: bool,
    /// Those who have waited and are to be told what they got.
    pub(crate) served: Vec<Arc<Waiting>>,
}

impl<'a> Ctx<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        session: &'a mut Session,
        locked: Locked<'a>,
        command: &'static Command,
        micros: u64,
        hashes: KeyHashes,
    ) -> Self {
        // While a log is replayed nothing expires: it says itself what went, and when.
        let horizon = if session.is_replay { 0 } else { micros / 1000 };
        let is_logged = engine.log.is_open() && !session.is_replay;
        Ctx {
            engine,
            session,
            command,
            locked,
            micros,
            horizon,
            is_logged,
            is_alone: true,
            hashes,
            attempt: None,
            in_script: false,
            served: Vec::new(),
        }
    }

    /// Runs a handler; a failed one leaves nothing of its reply behind but the error.
    #[inline]
    pub(crate) fn run(&mut self, command: &'static Command, args: Args<'_>, out: &mut Reply) {
        self.is_alone = !command.runs_queue();
        self.run_part(command, args, out);
    }

    /// Runs a handler as a part of the command that is running, with which its effects are logged.
    pub(crate) fn run_part(&mut self, command: &'static Command, args: Args<'_>, out: &mut Reply) {
        let start = out.checkpoint();
        self.command = command;
        self.session.ran += 1;
        let is_logged = self.is_logged && command.flags.has(Flags::WRITE);
        let before = if is_logged { self.locked.dirty() } else { 0 };
        if let Err(error) = (command.handler)(self, args, out) {
            out.rollback(start);
            out.error(error.as_bytes());
            self.session.tally.has_failed = true;
            self.engine.stats.count_error(error.as_bytes());
        }
        if is_logged {
            self.note(args, before);
        }
        // What a script names it may never read; the commands that it calls say what was read.
        let reads = command.flags.has(Flags::READONLY) && command.group != Group::Scripting;
        if self.session.is_tracking && self.attempt.is_none() && reads {
            self.remember_reads(command, args);
        }
        // What is tried again for somebody who waits was shown when it was sent.
        if self.engine.monitors.is_watched() && self.attempt.is_none() && !command.flags.has(Flags::SKIP_MONITOR) {
            self.show(args);
        }
    }

    /// As [`Ctx::run_part`], and tells the slow log how long it took.
    pub(crate) fn run_timed(&mut self, command: &'static Command, args: Args<'_>, out: &mut Reply) {
        let is_timed = slow::times_all(self.settings()) || slow::is_timed(Some(command), args);
        let is_sampled = !is_timed && self.session.tally.is_sampled();
        let start = if is_timed || is_sampled { self.engine.clock.micros() } else { 0 };
        self.run_part(command, args, out);
        let failed = u64::from(std::mem::take(&mut self.session.tally.has_failed));
        if self.session.is_replay {
            return;
        }
        let mut ran = Ran { calls: 1, failed, micros: 0, measured: (0, 0) };
        if is_timed || is_sampled {
            let micros = self.engine.clock.micros();
            let took = micros.saturating_sub(start);
            let weight = if is_sampled { u64::from(SAMPLED) } else { 1 };
            (ran.micros, ran.measured) = (took * weight, (weight, took * 1000));
            if is_timed {
                let done = Done { command, args, client: &self.session.record, micros, took };
                self.engine.slow.note(done, &self.session.settings);
            }
        }
        self.engine.note_ran(self.session, command, &ran);
    }

    /// Prepares for the commands of a script, which are parts of the one that is running; returns whether what they do is
    /// logged.
    pub(crate) fn begin_script(&mut self) -> bool {
        self.is_alone = false;
        self.in_script = true;
        self.is_logged
    }

    /// Runs a command that a script calls.
    #[inline]
    pub(crate) fn run_in_script(&mut self, command: &'static Command, args: Args<'_>, out: &mut Reply) {
        self.run_timed(command, args, out);
    }

    /// Puts back what a script may have changed for its own commands.
    pub(crate) fn end_script(&mut self, outer: &'static Command, db: usize, is_logged: bool) {
        self.in_script = false;
        self.command = outer;
        self.session.db = db;
        self.is_logged = is_logged;
    }

    /// Whether what commands do from now on is logged.
    pub(crate) fn set_logged(&mut self, is_logged: bool) {
        self.is_logged = is_logged;
    }

    /// Has nothing of what the running command has done come to be kept, nor of what is done from now on: the server ends in
    /// the middle of it.
    pub(crate) fn abandon(&mut self) {
        self.session.journal = journal::Journal::default();
        self.is_logged = false;
        self.engine.log.begin_close();
        log::error!("A script that has written was ended with the server: what it did is not kept");
    }

    /// Takes those out of the shards, all of which are locked, who left while a script kept the shards for itself.
    pub(crate) fn clear_left_over(&mut self) {
        let engine = self.engine;
        engine.clear_left_over(&mut self.locked);
    }

    /// Shows the command that has just run to those who watch.
    #[cold]
    pub(crate) fn show(&self, args: Args<'_>) {
        if self.session.is_replay {
            return;
        }
        let (command, db, client) = (self.command, self.session.db, &*self.session.record);
        let event = Event { command, args, micros: self.micros, db, client, in_script: self.in_script };
        self.engine.monitors.show(&event, &self.session.settings);
    }

    /// Tries a command on behalf of another client; returns whether it has failed, or `None` if it was in vain.
    pub(crate) fn attempt_for(
        &mut self,
        command: &'static Command,
        db: usize,
        args: Args<'_>,
        out: &mut Reply,
    ) -> Option<bool> {
        let had_failed = std::mem::take(&mut self.session.tally.has_failed);
        let before = (self.command, self.is_alone, self.session.db, self.session.ran);
        self.attempt = Some(Attempt { is_in_vain: false });
        self.is_alone = false;
        self.session.db = db;
        self.run_part(command, args, out);
        // It was counted when it was sent.
        (self.command, self.is_alone, self.session.db, self.session.ran) = before;
        let has_failed = std::mem::replace(&mut self.session.tally.has_failed, had_failed);
        let is_in_vain = self.attempt.take().is_some_and(|attempt| attempt.is_in_vain);
        (!is_in_vain).then_some(has_failed)
    }

    /// Does what is left to do while the shards are still locked: serves those who waited for what has changed, tells the
    /// log, and hands over what was served.
    #[inline]
    pub(crate) fn settle(&mut self) {
        let has_news = self.locked.has_news();
        if has_news {
            self.tell_news();
        }
        if self.is_logged {
            self.publish();
        }
        if has_news {
            self.deliver();
            self.locked.shards().for_each(Shard::forget_news);
        }
    }

    #[cold]
    fn tell_news(&mut self) {
        self.serve();
        if self.locked.has_touched() {
            self.tell_trackers();
        }
        if !self.is_logged {
            self.note_expired();
        }
    }

    /// Notes for the log what the running command did.
    #[inline]
    fn note(&mut self, args: Args<'_>, before: u64) {
        if self.is_alone
            && self.session.journal.is_untouched()
            && let Some(shard) = self.locked.only()
            && !shard.has_expired()
        {
            // What nearly all commands are: one shard, and nothing goes with them that would have to be gathered.
            if shard.dirty() != before {
                let db = self.session.db;
                let name = self.engine.names.own(self.command, args);
                let position = self.engine.log.append_with(db, db, |buffer| journal::write(buffer, name, args));
                shard.set_log_position(position);
                self.session.has_logged = true;
            }
            return;
        }
        let is_rewritten = std::mem::take(&mut self.session.journal.is_rewritten);
        let is_forced = std::mem::take(&mut self.session.journal.is_forced);
        if !is_rewritten && (is_forced || self.locked.dirty() != before) {
            self.note_expired();
            let name = self.engine.names.own(self.command, args);
            self.session.journal.command(self.session.db, name, args);
        }
    }

    /// Notes for the log which keys and fields have expired, and tells those who listen.
    pub(crate) fn note_expired(&mut self) {
        for shard in self.locked.shards().filter(|shard| shard.has_expired()) {
            for Expired { db, key, fields, is_gone } in shard.take_expired() {
                let tell = |class, event| self.engine.tell(&self.session.settings, class, event, db, &key);
                let Some(fields) = fields else {
                    if self.is_logged {
                        self.session.journal.effect(db, &[b"DEL", &key]);
                    }
                    tell(EventClasses::EXPIRED, "expired");
                    continue;
                };
                tell(EventClasses::HASH, "hexpired");
                if is_gone {
                    tell(EventClasses::GENERIC, "del");
                }
                if self.is_logged {
                    for some in fields.chunks(MOST_FIELDS) {
                        let record: [&[u8]; 2] = [b"HDEL", &key];
                        let record: Vec<&[u8]> = record.into_iter().chain(some.iter().map(|field| &**field)).collect();
                        self.session.journal.effect(db, &record);
                    }
                }
            }
        }
    }

    /// Hands the records of the command to the log, while its shards are still locked: the log's order is the order of
    /// execution.
    #[inline]
    fn publish(&mut self) {
        if self.session.journal.is_empty()
            && let Some(shard) = self.locked.only()
            && !shard.has_expired()
        {
            self.session.log_position = self.session.log_position.max(shard.log_position());
            return;
        }
        self.note_expired();
        if !self.session.journal.is_empty() {
            let log = &self.engine.log;
            let position = self.session.journal.publish(|first, last, bytes| log.append(first, last, bytes));
            self.locked.shards().for_each(|shard| shard.set_log_position(position));
            self.session.has_logged = true;
        }
        let seen = self.locked.shards().map(|shard| shard.log_position()).max();
        self.session.log_position = self.session.log_position.max(seen.unwrap_or(0));
    }

    /// Whether the running command is no part of another one.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Whether a key that somebody waits for has changed.
    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        self.locked.has_ready()
    }

    /// Whether the shard of a key is locked.
    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        self.locked.holds(self.at(key).hash)
    }

    /// Whether a script calls the running command.
    pub(crate) fn is_in_script(&self) -> bool {
        self.in_script
    }

    /// Whether handlers whose effect depends on chance, or is relative, have to say what it was.
    #[inline]
    pub(crate) fn is_logged(&self) -> bool {
        self.is_logged
    }

    /// Has the log say this instead of the command as it was sent; may be called several times.
    pub(crate) fn log(&mut self, args: &[&[u8]]) {
        if self.is_logged {
            self.note_expired();
            self.session.journal.is_rewritten = true;
            self.session.journal.effect(self.session.db, args);
        }
    }

    /// Has the log say this of a command that only reads, but for what it keeps in the value it has read.
    pub(crate) fn log_besides(&mut self, args: &[&[u8]]) {
        if self.is_logged {
            self.note_expired();
            self.session.journal.effect(self.session.db, args);
        }
    }

    /// Has the log hear nothing of the running command, which touched a key and left it as it was.
    pub(crate) fn log_nothing(&mut self) {
        self.session.journal.is_rewritten = self.is_logged;
    }

    /// Has the running command logged even if it changes no key.
    pub(crate) fn log_always(&mut self) {
        self.session.journal.is_forced = self.is_logged;
    }

    /// Has the running command count, and logged, as a change of the data although it changes no key. All shards are locked.
    pub(crate) fn count_change(&mut self) {
        if let Some(shard) = self.locked.shards().next() {
            shard.count_change();
        }
    }

    /// Milliseconds since the epoch, the same for the whole command and for all of EXEC.
    #[inline]
    pub(crate) fn now(&self) -> Millis {
        self.micros / 1000
    }

    /// Keys with a deadline up to this time are gone: now, or never while a log is replayed.
    #[inline]
    pub(crate) fn horizon(&self) -> Millis {
        self.horizon
    }

    /// Microseconds since the epoch.
    pub(crate) fn micros(&self) -> u64 {
        self.micros
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.session.settings
    }

    /// Encoding limits of the value types.
    #[inline]
    pub(crate) fn limits(&self) -> Limits {
        self.session.settings.types
    }

    /// The selected database.
    pub(crate) fn db(&self) -> usize {
        self.session.db
    }

    /// The locked shards, for commands that look at the whole keyspace.
    pub(crate) fn locked(&mut self) -> &mut Locked<'a> {
        &mut self.locked
    }

    /// A fresh generator for a command that lets chance decide.
    pub(crate) fn chance(&self) -> fastrand::Rng {
        self.engine.chance.lock().fork()
    }

    /// A use of a value now, to be noted with it.
    #[inline]
    pub(crate) fn access(&mut self) -> Use {
        let Session { settings, chance, .. } = &mut *self.session;
        settings.use_at(self.micros, || chance.u32(..))
    }

    /// Names a key of the selected database.
    #[inline]
    pub(crate) fn at<'k>(&self, key: &'k [u8]) -> KeyRef<'k> {
        self.at_db(self.session.db, key)
    }

    /// Names a key of any database.
    #[inline]
    pub(crate) fn at_db<'k>(&self, db: usize, key: &'k [u8]) -> KeyRef<'k> {
        match self.hashes.find(key) {
            Some(hash) => KeyRef { db, hash, key },
            None => self.locked.key(db, key),
        }
    }

    #[inline]
    pub(crate) fn shard(&mut self, at: KeyRef<'_>) -> &mut Shard {
        self.locked.shard(at.hash)
    }

    /// The entry of a key, whatever its type; counts as a read.
    #[inline]
    pub(crate) fn entry(&mut self, key: &[u8]) -> Option<&Entry> {
        self.notify_miss(key);
        let (at, now) = (self.at(key), self.horizon());
        let access = if self.session.no_touch { None } else { Some(self.access()) };
        self.shard(at).read(at, now, access)
    }

    /// The entry of a key to look at from outside; counts as a read, but not as a use of the value.
    pub(crate) fn look(&mut self, key: &[u8]) -> Option<&Entry> {
        self.notify_miss(key);
        let (at, now) = (self.at(key), self.horizon());
        self.shard(at).read(at, now, None)
    }

    /// The entry of a key without counting a read or noting a use.
    pub(crate) fn peek(&mut self, key: &[u8]) -> Option<&Entry> {
        let (at, now) = (self.at(key), self.horizon());
        self.shard(at).peek(at, now)
    }

    /// An entry that the running command has read before: counts nothing.
    pub(crate) fn look_again(&self, key: &[u8]) -> Option<&Entry> {
        let at = self.at(key);
        self.locked.shard_ref(at.hash).look(at)
    }

    /// A collection to look at; `None` if there is no such key.
    #[inline]
    pub(crate) fn read<T: Collection>(&mut self, key: &[u8]) -> CmdResult<Option<&T>> {
        match self.entry(key) {
            None => Ok(None),
            Some(entry) => T::of(entry).map(Some).ok_or(CommandError::WRONG_TYPE),
        }
    }

    /// A collection that is about to be changed: nothing is counted.
    pub(crate) fn peek_as<T: Collection>(&mut self, key: &[u8]) -> CmdResult<Option<&T>> {
        match self.peek(key) {
            None => Ok(None),
            Some(entry) => T::of(entry).map(Some).ok_or(CommandError::WRONG_TYPE),
        }
    }

    /// Several collections to look at together; `None` for each key that does not exist. Every type is checked.
    pub(crate) fn read_all<'k, T: Collection>(
        &mut self,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
    ) -> CmdResult<Vec<Option<&T>>> {
        let typed = |entry: Option<&'_ Entry>| entry.is_none_or(|entry| T::of(entry).is_some());
        let entries = self.entries(keys);
        if !entries.iter().all(|entry| typed(*entry)) {
            return Err(CommandError::WRONG_TYPE);
        }
        Ok(entries.into_iter().map(|entry| entry.and_then(T::of)).collect())
    }

    /// The entries of several keys, whatever their types; counts as reads.
    pub(crate) fn entries<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]> + Clone) -> Vec<Option<&Entry>> {
        for key in keys.clone() {
            self.entry(key);
        }
        let this = &*self;
        keys.map(|key| this.look_again(key)).collect()
    }

    /// A string to look at; `None` if there is no such key.
    #[inline]
    pub(crate) fn string(&mut self, key: &[u8]) -> CmdResult<Option<StringRef<'_>>> {
        match self.entry(key) {
            None => Ok(None),
            Some(entry) => entry.string().map(Some).ok_or(CommandError::WRONG_TYPE),
        }
    }

    /// Refuses a key that holds another type than `T`; a missing key is fine.
    pub(crate) fn check_type<T: Collection>(&mut self, key: &[u8]) -> CmdResult {
        match self.peek(key) {
            Some(entry) if T::of(entry).is_none() => Err(CommandError::WRONG_TYPE),
            _ => Ok(()),
        }
    }

    /// Changes an existing collection; `None` if there is no such key. A collection that `edit` empties goes.
    #[inline]
    pub(crate) fn update<T: Collection, R>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut T) -> Edit<R>,
    ) -> CmdResult<Option<R>> {
        let (at, now, access) = (self.at(key), self.horizon(), self.access());
        self.shard(at).update(at, now, |entry| edit_as(entry, access, edit)).transpose()
    }

    /// Changes a collection, creating it if there is no such key; one that stays empty is not kept.
    #[inline]
    pub(crate) fn upsert<T: Collection, R>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut T) -> Edit<R>,
    ) -> CmdResult<R> {
        let (at, now, access) = (self.at(key), self.horizon(), self.access());
        let mut edit = Some(edit);
        let shard = self.shard(at);
        let updated = shard.update(at, now, |entry| match edit.take() {
            Some(edit) => edit_as(entry, access, edit),
            None => Edit::unchanged(Err(CommandError::WRONG_TYPE)),
        });
        match (updated, edit) {
            (Some(result), _) => result,
            (None, Some(edit)) => {
                let result = shard.create(at, access, |collection| edit(collection).result);
                self.notify_if_created(key);
                Ok(result)
            }
            (None, None) => unreachable!("the closure is used up only by an existing entry"),
        }
    }

    /// Changes a string's bytes in place; `None` if there is no such key.
    pub(crate) fn edit_string<R>(&mut self, key: &[u8], edit: impl FnOnce(&mut Vec<u8>) -> R) -> CmdResult<Option<R>> {
        let (at, now, access) = (self.at(key), self.horizon(), self.access());
        self.shard(at)
            .update(at, now, |entry| {
                entry.note_use(access);
                match entry.edit_string(edit) {
                    Some(result) => Edit::changed(Ok(result)),
                    None => Edit::unchanged(Err(CommandError::WRONG_TYPE)),
                }
            })
            .transpose()
    }

    /// Changes an existing entry of any type.
    pub(crate) fn update_entry<R>(&mut self, key: &[u8], edit: impl FnOnce(&mut Entry) -> Edit<R>) -> Option<R> {
        let (at, now) = (self.at(key), self.horizon());
        self.shard(at).update(at, now, edit)
    }

    /// Sets a string, whatever was there before; text that is a canonical integer is kept as a number.
    #[inline]
    pub(crate) fn set(&mut self, key: &[u8], text: &[u8], expiry: Expiry) {
        let value = match number::parse_i64(text) {
            Some(number) => NewString::Int(number),
            None => NewString::Bytes(text),
        };
        self.set_string(key, value, expiry);
    }

    /// Sets a string as it is.
    #[inline]
    pub(crate) fn set_string(&mut self, key: &[u8], value: NewString<'_>, expiry: Expiry) {
        let is_new = self.notifies(EventClasses::NEW) && self.peek(key).is_none();
        let (at, now, access) = (self.at(key), self.horizon(), self.access());
        let shard = self.shard(at);
        if let Expiry::At(deadline) = expiry
            && deadline <= now
        {
            // A deadline in the past removes the key at once.
            let removed = shard.remove(at, now).is_some();
            if removed {
                self.log(&[b"DEL", key]);
            }
            if is_new {
                self.notify(EventClasses::NEW, "new", key);
            }
            return;
        }
        shard.purge(at, now);
        shard.set_string(at, value, expiry, access);
        if is_new {
            self.notify(EventClasses::NEW, "new", key);
        }
        if let (Expiry::At(deadline), true) = (expiry, self.is_logged) {
            let (text, mut buffer) = (deadline.to_string(), itoa::Buffer::new());
            let value = match value {
                NewString::Int(number) => buffer.format(number).as_bytes(),
                NewString::Bytes(bytes) => bytes,
                NewString::Shared(bytes) => bytes,
            };
            self.log(&[b"SET", key, value, b"PXAT", text.as_bytes()]);
        }
    }

    /// Stores the result of an operation under `key`, without a deadline; an empty one removes the key. Those who listen
    /// hear of either, of the first as `event`.
    pub(crate) fn store<T: Collection>(&mut self, key: &[u8], collection: T, class: EventClasses, event: &str) {
        if collection.is_empty() {
            if self.remove(key).is_some() {
                self.notify(EventClasses::GENERIC, "del", key);
            }
            return;
        }
        self.put_result(key, collection.into_value());
        self.notify(class, event, key);
    }

    /// Sets a string that has been put together, without a deadline; as in Redis it is raw, however short it is.
    pub(crate) fn set_raw(&mut self, key: &[u8], bytes: Vec<u8>) {
        self.put_result(key, Value::Text { text: Text::Shared(bytes.into()), edited: true });
    }

    fn put_result(&mut self, key: &[u8], value: Value) {
        let is_new = self.notifies(EventClasses::NEW) && self.peek(key).is_none();
        self.put(key, value, None);
        if is_new {
            self.notify(EventClasses::NEW, "new", key);
        }
    }

    /// Sets a value of any type with its deadline, whatever was there before.
    pub(crate) fn put(&mut self, key: &[u8], value: Value, deadline: Option<Millis>) {
        let (at, now, access) = (self.at(key), self.horizon(), self.access());
        let shard = self.shard(at);
        shard.purge(at, now);
        shard.put(at, value, deadline, access.first());
    }

    /// Removes a key; returns what was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let (at, now) = (self.at(key), self.horizon());
        self.shard(at).remove(at, now)
    }

    /// Has a key remember this of its uses, if that is what keys remember.
    pub(crate) fn set_uses(&mut self, key: &[u8], uses: Option<u32>) {
        let Some(uses) = uses else { return };
        self.update_entry(key, |entry| {
            entry.set_access(uses);
            Edit::unchanged(())
        });
    }

    /// Removes a key to make room; returns what was there.
    pub(crate) fn evict(&mut self, key: &[u8]) -> Option<Entry> {
        let gone = self.remove(key)?;
        self.log_besides(&[b"DEL", key]);
        self.notify(EventClasses::EVICTED, "evicted", key);
        Some(gone)
    }

    /// Sets or removes a deadline; a past one removes the key. Returns whether the key existed; those who listen hear what
    /// was done.
    pub(crate) fn set_deadline(&mut self, key: &[u8], deadline: Option<Millis>) -> bool {
        let (at, now) = (self.at(key), self.horizon());
        let existed = match deadline {
            Some(deadline) if deadline <= now => {
                let existed = self.shard(at).remove(at, now).is_some();
                if existed {
                    self.log(&[b"DEL", key]);
                    self.notify(EventClasses::GENERIC, "del", key);
                }
                return existed;
            }
            _ => self.shard(at).set_deadline(at, now, deadline),
        };
        match deadline {
            Some(deadline) if existed => self.log(&[b"PEXPIREAT", key, deadline.to_string().as_bytes()]),
            None if existed => self.log(&[b"PERSIST", key]),
            _ => {}
        }
        if existed {
            let event = if deadline.is_some() { "expire" } else { "persist" };
            self.notify(EventClasses::GENERIC, event, key);
        }
        existed
    }
}

fn edit_as<T: Collection, R>(
    entry: &mut Entry,
    access: Use,
    edit: impl FnOnce(&mut T) -> Edit<R>,
) -> Edit<CmdResult<R>> {
    entry.note_use(access);
    match T::of_mut(entry) {
        Some(collection) => {
            let Edit { result, changed } = edit(collection);
            Edit { result: Ok(result), changed }
        }
        None => Edit::unchanged(Err(CommandError::WRONG_TYPE)),
    }
}
