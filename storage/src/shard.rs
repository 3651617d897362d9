//! One shard: for every database a table, its deadlines and its watchers, and one byte count; all under one lock.
//!
//! Every change of a key goes through here, and here only the books are kept: bytes, deadlines, watchers, dirty count.
//! Nothing in this file knows commands or replies.

use crate::clock::Millis;
use crate::deadlines::Deadlines;
use crate::entry::{Collection, Entry, Text, Value};
use crate::keyspace::{Alarm, Hasher};
use crate::snapshot::{Large, Output, Progress, Step};
use crate::table::Table;
use crate::uses::Use;
use crate::waiting::{Hope, Waiter, Waiting};
use bytes::Bytes;
use fastrand::Rng;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A key with the database it is in and its hash, computed once.
#[derive(Clone, Copy)]
pub struct KeyRef<'a> {
    /// Index of the database.
    pub db: usize,
    /// [`crate::keyspace::Keyspace::hash`] of `key`.
    pub hash: u64,
    /// The key.
    pub key: &'a [u8],
}

/// What a change did: its result, and whether the value is now another one.
pub struct Edit<R> {
    /// What the caller wants back.
    pub result: R,
    /// Whether watchers, trackers and the log must hear of it.
    pub changed: bool,
}

impl<R> Edit<R> {
    /// A change that happened.
    pub fn changed(result: R) -> Self {
        Edit { result, changed: true }
    }

    /// A look without a change.
    pub fn unchanged(result: R) -> Self {
        Edit { result, changed: false }
    }

    /// A change that happened if `changed`.
    pub fn when(changed: bool, result: R) -> Self {
        Edit { result, changed }
    }
}

/// What SET leaves of a deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// Remove it.
    Never,
    /// Leave it as it is.
    Keep,
    /// Expire at this time.
    At(Millis),
}

/// A new string value: an integer in canonical form is kept as a number.
#[derive(Clone, Copy)]
pub enum NewString<'a> {
    /// Text that reads back the same when written as a number.
    Int(i64),
    /// Anything else.
    Bytes(&'a [u8]),
    /// A long text that can be kept without copying.
    Shared(&'a Bytes),
}

/// A transaction's view of its watched keys: set as soon as one of them changes.
#[derive(Default)]
pub struct Watcher {
    dirty: AtomicBool,
}

impl Watcher {
    /// Whether a watched key changed.
    pub fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    /// Marks the transaction as failed.
    pub fn mark(&self) {
        self.dirty.store(true, Ordering::Release);
    }
}

/// A shard's bytes for those who have not locked it. In a line of the processor's cache of its own: whoever changes a shard writes
/// it, and only he.
#[derive(Default)]
#[repr(align(128))]
pub struct Gauge {
    entries: AtomicUsize,
    tables: AtomicUsize,
}

impl Gauge {
    /// Bytes of entries, and of tables and indexes as of at most some dozens of keys ago.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.entries.load(Ordering::Relaxed) + self.tables.load(Ordering::Relaxed)
    }
}

/// The bytes of a shard's entries, and the gauge that shows them.
#[derive(Default)]
struct Tally {
    entries: usize,
    gauge: Arc<Gauge>,
}

impl Tally {
    /// Something of `before` bytes has `after` now.
    #[inline]
    fn change(&mut self, before: usize, after: usize) {
        self.entries = self.entries - before + after;
        self.gauge.entries.store(self.entries, Ordering::Relaxed);
    }
}

/// Bytes of a value that is freed faster than it is handed to somebody else.
const NOT_WORTH_IT: usize = 1024;

/// Keys that come or go between two looks at the size of the tables.
const TABLE_LOOKS: usize = 64;

/// Counters that a shard keeps; sums over all shards go into INFO.
#[derive(Clone, Copy, Default)]
pub struct ShardStats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys that went because their time was up.
    pub expired: u64,
    /// Fields of hashes that went because their time was up.
    pub expired_fields: u64,
    /// Changes of keys since the start.
    pub dirty: u64,
}

/// One database's part of a shard.
#[derive(Default)]
pub struct Db {
    table: Table<Entry>,
    deadlines: Deadlines,
    /// The earliest deadline of each hash that has fields with one.
    field_deadlines: Deadlines,
    watchers: HashMap<Box<[u8]>, Vec<Arc<Watcher>>>,
    waiting: Waiting,
    /// The database's number when the snapshot on its way was begun.
    number: usize,
    /// Where the snapshot's walk is; `None` when it has been everywhere.
    cursor: Option<u64>,
}

impl Db {
    /// Number of keys, those that are due but not yet swept included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes of the table for each key that it holds: at most a bucket, however empty the table is.
    pub fn bytes_per_key(&self) -> usize {
        self.table.heap_bytes().div_ceil(self.len().max(1)).min(64)
    }

    /// Number of keys of each bucket of the table.
    pub fn bucket_lengths(&self) -> impl Iterator<Item = usize> {
        self.table.bucket_lengths()
    }

    /// Bytes of the table itself.
    pub fn table_bytes(&self) -> usize {
        self.table.heap_bytes()
    }

    /// The deadlines of this part.
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// For each hash that has fields with a deadline, the earliest of them.
    pub fn field_deadlines(&self) -> &Deadlines {
        &self.field_deadlines
    }

    /// Moves a hash in the order of field deadlines.
    fn move_field_deadline(&mut self, hash: u64, old: Option<Millis>, new: Option<Millis>, alarm: &Alarm) {
        if old == new {
            return;
        }
        if let Some(old) = old {
            self.field_deadlines.remove(old, hash);
        }
        if let Some(new) = new {
            self.field_deadlines.insert(new, hash);
            alarm.set(new);
        }
    }

    /// The entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.table.iter()
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn is_walked(&self) -> bool {
        self.cursor.is_none()
    }

    pub(crate) fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut Entry> {
        self.table.find_mut(hash, |entry| entry.key() == key)
    }

    /// Saves what is of an older epoch in the next bucket; returns how many entries were there.
    pub(crate) fn walk(&mut self, epoch: bool, progress: &mut Progress) -> usize {
        let number = self.number;
        self.visit_bucket(|entry| {
            if entry.epoch() != epoch {
                entry.set_epoch(epoch);
                progress.save(number, entry);
            }
        })
    }

    /// As [`Db::walk`], for a database that has been taken out of its shard: nobody waits for it.
    pub(crate) fn walk_alone(&mut self, epoch: bool, progress: &mut Progress) -> usize {
        let number = self.number;
        self.visit_bucket(|entry| {
            if entry.epoch() != epoch {
                progress.save_whole(number, entry);
            }
        })
    }

    fn visit_bucket(&mut self, mut visit: impl FnMut(&mut Entry)) -> usize {
        let Some(cursor) = self.cursor else { return 0 };
        let mut seen = 0;
        let next = self.table.scan_mut(cursor, |entry| {
            seen += 1;
            visit(entry);
        });
        self.cursor = (next != 0).then_some(next);
        seen
    }
}

/// What went because its time was up.
pub struct Expired {
    /// The database.
    pub db: usize,
    /// The key, or that of the hash.
    pub key: Box<[u8]>,
    /// The fields of a hash that went; `None` if it was the key's own time.
    pub fields: Option<Vec<Box<[u8]>>>,
    /// Whether the key has gone.
    pub is_gone: bool,
}

/// A key that has changed and that somebody waits for.
struct Ready {
    /// Its place among such changes in all shards.
    number: u64,
    db: usize,
    key: Box<[u8]>,
}

/// A shard of the keyspace; see the file's head.
pub struct Shard {
    dbs: Vec<Db>,
    bytes: Tally,
    watched: usize,
    /// Keys that somebody waits for.
    awaited: usize,
    /// Waiters who need more shards than this one to be served.
    far_waiters: usize,
    /// Keys that have changed and that somebody waits for.
    ready: VecDeque<Ready>,
    /// Whether `touched` is kept.
    tracks: bool,
    /// Keys that have changed since somebody last asked.
    touched: Vec<Box<[u8]>>,
    /// A whole database has gone since then.
    is_cleared: bool,
    /// Whether anybody wants to hear of changes.
    has_audience: bool,
    /// Whether `ready`, `touched`, `is_cleared` or `expired` may have something: one look behind every command.
    has_news: bool,
    stats: ShardStats,
    hasher: Hasher,
    alarm: Arc<Alarm>,
    /// The bit that all entries have, but for those that the snapshot on its way has yet to save.
    epoch: bool,
    snapshot: Option<Box<Progress>>,
    /// What expired and of which the log and subscribers have yet to hear; empty while there are neither.
    expired: Vec<Expired>,
    keeps_expired: bool,
    /// Position in the log behind the last change of this shard.
    log_position: u64,
}

impl Shard {
    pub(crate) fn new(databases: usize, hasher: Hasher, alarm: Arc<Alarm>) -> Self {
        let dbs = (0..databases).map(|_| Db::default()).collect();
        Shard {
            dbs,
            bytes: Tally::default(),
            watched: 0,
            awaited: 0,
            far_waiters: 0,
            ready: VecDeque::new(),
            tracks: false,
            touched: Vec::new(),
            is_cleared: false,
            has_audience: false,
            has_news: false,
            stats: ShardStats::default(),
            hasher,
            alarm,
            epoch: false,
            snapshot: None,
            expired: Vec::new(),
            keeps_expired: false,
            log_position: 0,
        }
    }

    /// Database `db`'s part.
    pub fn db(&self, db: usize) -> &Db {
        &self.dbs[db]
    }

    /// Bytes of all entries and what they own.
    pub fn entry_bytes(&self) -> usize {
        self.bytes.entries
    }

    /// The bytes, to look at without the shard's lock.
    pub fn gauge(&self) -> &Arc<Gauge> {
        &self.bytes.gauge
    }

    /// Shows how large the tables are, after every few keys that have come or gone.
    #[inline]
    fn look_at_tables(&mut self, keys: usize) {
        if keys.is_multiple_of(TABLE_LOOKS) {
            self.bytes.gauge.tables.store(self.overhead_bytes(), Ordering::Relaxed);
        }
    }

    /// Bytes of tables and indexes.
    pub fn overhead_bytes(&self) -> usize {
        self.dbs
            .iter()
            .map(|db| db.table.heap_bytes() + db.deadlines.heap_bytes() + db.field_deadlines.heap_bytes())
            .sum()
    }

    /// The counters.
    pub fn stats(&self) -> ShardStats {
        self.stats
    }

    /// Sets the hit, miss and expiry counters back to zero, as CONFIG RESETSTAT does.
    pub fn reset_stats(&mut self) {
        self.stats = ShardStats { dirty: self.stats.dirty, ..ShardStats::default() };
    }

    /// Brings the table line of a key closer to the processor.
    #[inline]
    pub fn touch_bucket(&self, db: usize, hash: u64) {
        self.dbs[db].table.touch_bucket(hash);
    }

    /// Brings a key's entry closer to the processor; its table line should be there already.
    #[inline]
    pub fn touch_entry(&self, db: usize, hash: u64) {
        self.dbs[db].table.touch_entry(hash, Entry::address);
    }

    /// The entry of a key for a read command: counts a hit or a miss, and notes the use if there is one.
    #[inline]
    pub fn read(&mut self, at: KeyRef<'_>, now: Millis, used: Option<Use>) -> Option<&Entry> {
        self.purge(at, now);
        match self.dbs[at.db].table.find_mut(at.hash, |entry| entry.key() == at.key) {
            Some(entry) => {
                self.stats.hits += 1;
                if let Some(used) = used {
                    entry.note_use(used);
                }
                Some(entry)
            }
            None => {
                self.stats.misses += 1;
                None
            }
        }
    }

    /// The entry of a key, without counting and without noting a use.
    #[inline]
    pub fn peek(&mut self, at: KeyRef<'_>, now: Millis) -> Option<&Entry> {
        self.purge(at, now);
        self.dbs[at.db].table.find(at.hash, |entry| entry.key() == at.key)
    }

    /// The entry of a key that has been purged, to look at together with entries of other shards.
    pub fn look(&self, at: KeyRef<'_>) -> Option<&Entry> {
        self.dbs[at.db].table.find(at.hash, |entry| entry.key() == at.key)
    }

    /// Removes the key if its time is up, and the fields of a hash whose time is up. Afterwards the table tells the truth
    /// about it.
    #[inline]
    pub fn purge(&mut self, at: KeyRef<'_>, now: Millis) {
        let db = &self.dbs[at.db];
        if db.deadlines.is_empty() && db.field_deadlines.is_empty() {
            return;
        }
        let Some(entry) = db.table.find(at.hash, |entry| entry.key() == at.key) else { return };
        if entry.is_expired(now) {
            self.expire(at);
        } else if !db.field_deadlines.is_empty() && entry.field_deadline().is_some_and(|due| due <= now) {
            self.expire_fields(at, now, usize::MAX);
        }
    }

    fn expire(&mut self, at: KeyRef<'_>) {
        self.stats.expired += 1;
        if let Some(gone) = self.take(at) {
            self.alarm.drop_expired(gone);
        }
        self.tell(at);
        if self.keeps_expired || self.alarm.tells_expired() {
            self.expired.push(Expired { db: at.db, key: at.key.into(), fields: None, is_gone: true });
            self.has_news = true;
        }
    }

    /// Removes at most `most` fields of a hash that are due, and the key with the last of its fields; returns how many fields
    /// went.
    #[cold]
    fn expire_fields(&mut self, at: KeyRef<'_>, now: Millis, most: usize) -> usize {
        let keeps = self.keeps_expired || self.alarm.tells_expired();
        let db = &mut self.dbs[at.db];
        let Some(entry) = db.table.find_mut(at.hash, |entry| entry.key() == at.key) else { return 0 };
        save_first(&mut self.snapshot, self.epoch, db.number, entry);
        let (bytes, old) = (entry.heap_bytes(), entry.field_deadline());
        let mut fields: Vec<Box<[u8]>> = Vec::new();
        let gone = crate::types::hash::Hash::of_mut(entry).map_or(0, |hash| {
            hash.take_due(now, most, |field| {
                if keeps {
                    fields.push(field.into());
                }
            })
        });
        self.bytes.change(bytes, entry.heap_bytes());
        let (new, is_gone) = (entry.field_deadline(), is_empty(entry));
        db.move_field_deadline(at.hash, old, new, &self.alarm);
        self.stats.expired_fields += gone as u64;
        if is_gone {
            self.take(at);
        }
        self.tell(at);
        if keeps {
            self.expired.push(Expired { db: at.db, key: at.key.into(), fields: Some(fields), is_gone });
            self.has_news = true;
        }
        gone
    }

    /// Has expired keys kept for [`Shard::take_expired`], or no longer, and forgets those that were.
    pub fn keep_expired(&mut self, keep: bool) {
        self.keeps_expired = keep;
        self.expired.clear();
    }

    /// Whether [`Shard::take_expired`] has something.
    #[inline]
    pub fn has_expired(&self) -> bool {
        !self.expired.is_empty()
    }

    /// What has expired since the last call.
    pub fn take_expired(&mut self) -> impl Iterator<Item = Expired> {
        self.expired.drain(..)
    }

    /// Position in the log behind the last change here; 0 without a log.
    #[inline]
    pub fn log_position(&self) -> u64 {
        self.log_position
    }

    /// Notes where in the log a change of this shard ends.
    #[inline]
    pub fn set_log_position(&mut self, position: u64) {
        self.log_position = position;
    }

    /// Counts a change of what belongs to the data but is no key.
    pub fn count_change(&mut self) {
        self.stats.dirty += 1;
    }

    /// Number of changes since the start, for whoever wants to know whether there was one.
    #[inline]
    pub fn dirty(&self) -> u64 {
        self.stats.dirty
    }

    pub(crate) fn begin_snapshot(&mut self, progress: Progress) {
        self.epoch = !self.epoch;
        self.snapshot = Some(Box::new(progress));
        for (number, db) in self.dbs.iter_mut().enumerate() {
            db.number = number;
            db.cursor = Some(0);
        }
    }

    /// The next step of the snapshot's walk; `None` if there is none on its way here.
    pub(crate) fn snapshot_step(&mut self) -> Option<Step> {
        let step = self.snapshot.as_mut()?.step(self.epoch, &mut self.dbs);
        if let Step::Done(_) = step {
            self.snapshot = None;
        }
        Some(step)
    }

    /// The next part of a collection that is saved in parts; returns whether it was the last.
    pub(crate) fn snapshot_part(&mut self, large: &Large, out: &mut Output) -> bool {
        let hash = self.hasher.hash(large.key());
        self.snapshot.as_mut().is_none_or(|snapshot| snapshot.part(&mut self.dbs, hash, large, out))
    }

    /// Changes an existing entry; an emptied collection goes with it. `None` if there is no such key.
    #[inline]
    pub fn update<R>(&mut self, at: KeyRef<'_>, now: Millis, edit: impl FnOnce(&mut Entry) -> Edit<R>) -> Option<R> {
        self.purge(at, now);
        let db = &mut self.dbs[at.db];
        let entry = db.table.find_mut(at.hash, |entry| entry.key() == at.key)?;
        save_first(&mut self.snapshot, self.epoch, db.number, entry);
        let before = entry.heap_bytes();
        let old = if db.field_deadlines.is_empty() { None } else { entry.field_deadline() };
        let Edit { result, changed } = edit(entry);
        entry.set_epoch(self.epoch);
        self.bytes.change(before, entry.heap_bytes());
        let new = entry.field_deadline();
        // An emptied collection has none any more, so the order is right before the key goes.
        if changed && is_empty(entry) {
            db.move_field_deadline(at.hash, old, new, &self.alarm);
            self.take(at);
            self.mark(at);
            return Some(result);
        }
        db.move_field_deadline(at.hash, old, new, &self.alarm);
        if changed {
            self.mark(at);
        }
        Some(result)
    }

    /// Creates the key with a new collection that `fill` changes; it stays away if `fill` leaves it empty.
    pub fn create<T: Collection, R>(&mut self, at: KeyRef<'_>, used: Use, fill: impl FnOnce(&mut T) -> R) -> R {
        let mut collection = T::default();
        let result = fill(&mut collection);
        if !collection.is_empty() {
            self.add(at.db, at.hash, Entry::new(at.key, collection.into_value(), None, used.first()));
            self.mark(at);
        }
        result
    }

    /// Sets a string, whatever was there before. The key must not be expired (see [`Shard::purge`]).
    #[inline]
    pub fn set_string(&mut self, at: KeyRef<'_>, value: NewString<'_>, expiry: Expiry, used: Use) {
        let db = &mut self.dbs[at.db];
        let Some(entry) = db.table.find_mut(at.hash, |entry| entry.key() == at.key) else {
            let deadline = if let Expiry::At(at) = expiry { Some(at) } else { None };
            let access = used.first();
            let entry = match value {
                NewString::Int(number) => Entry::new(at.key, Value::Int(number), deadline, access),
                NewString::Bytes(bytes) => Entry::with_text(at.key, bytes, deadline, access),
                NewString::Shared(bytes) => Entry::new(at.key, shared(bytes), deadline, access),
            };
            self.add(at.db, at.hash, entry);
            self.mark(at);
            return;
        };
        if let Some(snapshot) = &mut self.snapshot {
            save_first_in(snapshot, self.epoch, db.number, entry);
            snapshot.finish(db.number, entry);
        }
        let before = entry.heap_bytes();
        let old = entry.field_deadline();
        if self.alarm.frees_replaced_later() && before > NOT_WORTH_IT {
            let gone = Entry::new(b"", entry.take_value(), None, 0);
            self.alarm.drop_replaced(gone);
        }
        match value {
            NewString::Int(number) => entry.set_int(number),
            NewString::Bytes(bytes) => entry.set_text(bytes),
            NewString::Shared(bytes) => entry.set_value(shared(bytes)),
        }
        entry.set_epoch(self.epoch);
        entry.note_use(used);
        self.bytes.change(before, entry.heap_bytes());
        db.move_field_deadline(at.hash, old, None, &self.alarm);
        match expiry {
            Expiry::Keep => {}
            Expiry::Never => self.move_deadline(at, None),
            Expiry::At(deadline) => self.move_deadline(at, Some(deadline)),
        }
        self.mark(at);
    }

    /// Sets a value of any type with its deadline, whatever was there before.
    pub fn put(&mut self, at: KeyRef<'_>, value: Value, deadline: Option<Millis>, access: u32) {
        if let Some(gone) = self.take(at) {
            self.alarm.drop_replaced(gone);
        }
        self.add(at.db, at.hash, Entry::new(at.key, value, deadline, access));
        self.mark(at);
    }

    /// Puts an entry that was read from a file in its place, whatever was there before; `hash` is its key's.
    pub fn load(&mut self, db: usize, hash: u64, entry: Entry) {
        let here = self.dbs[db].table.find(hash, |other| other.key() == entry.key()).is_some();
        if here {
            self.take(KeyRef { db, hash, key: entry.key() });
        }
        self.stats.dirty += 1;
        self.add(db, hash, entry);
    }

    /// Removes a key that is not expired and returns what was there.
    pub fn remove(&mut self, at: KeyRef<'_>, now: Millis) -> Option<Entry> {
        self.purge(at, now);
        let entry = self.take(at)?;
        self.mark(at);
        Some(entry)
    }

    /// Sets or removes the deadline of an existing key; returns whether the key exists.
    pub fn set_deadline(&mut self, at: KeyRef<'_>, now: Millis, deadline: Option<Millis>) -> bool {
        if self.peek(at, now).is_none() {
            return false;
        }
        self.move_deadline(at, deadline);
        self.mark(at);
        true
    }

    fn move_deadline(&mut self, at: KeyRef<'_>, deadline: Option<Millis>) {
        let db = &mut self.dbs[at.db];
        let Some(entry) = db.table.find_mut(at.hash, |entry| entry.key() == at.key) else { return };
        let old = entry.deadline();
        if old == deadline {
            return;
        }
        save_first(&mut self.snapshot, self.epoch, db.number, entry);
        let before = entry.heap_bytes();
        entry.set_deadline(deadline);
        self.bytes.change(before, entry.heap_bytes());
        if let Some(old) = old {
            db.deadlines.remove(old, at.hash);
        }
        if let Some(deadline) = deadline {
            db.deadlines.insert(deadline, at.hash);
            self.alarm.set(deadline);
        }
    }

    /// Visits the entries of one bucket that have not expired; the cursor is the table's.
    pub fn scan(&self, db: usize, cursor: u64, now: Millis, mut visit: impl FnMut(&Entry)) -> u64 {
        self.dbs[db].table.scan(cursor, |entry| {
            if !entry.is_gone(now) {
                visit(entry);
            }
        })
    }

    /// Visits about `count` entries by chance, some perhaps twice; of those with a deadline, if `volatile`.
    pub fn sample(&self, db: usize, rng: &mut Rng, count: usize, volatile: bool, mut visit: impl FnMut(&Entry)) {
        let Db { table, deadlines, .. } = &self.dbs[db];
        if !volatile {
            return table.sample(rng, count, Entry::address, visit);
        }
        for _ in 0..count.min(deadlines.len()) {
            let drawn = deadlines.nth(rng.usize(..deadlines.len()));
            drawn.and_then(|drawn| self.expiring(db, drawn)).into_iter().for_each(&mut visit);
        }
    }

    /// The entry that expires first.
    pub fn first_to_expire(&self, db: usize) -> Option<&Entry> {
        self.expiring(db, self.dbs[db].deadlines.first()?)
    }

    fn expiring(&self, db: usize, (at, hash): (Millis, u64)) -> Option<&Entry> {
        self.dbs[db].table.find(hash, |entry| entry.deadline() == Some(at))
    }

    /// A key by chance, expired or not.
    pub fn random(&self, db: usize, rng: &mut Rng) -> Option<&Entry> {
        self.dbs[db].table.random(rng)
    }

    /// Removes keys and fields that are due, the earliest of each database first, at most `most` of them; returns how many
    /// went.
    pub fn expire_due(&mut self, now: Millis, most: usize) -> usize {
        let mut gone = 0;
        for db in 0..self.dbs.len() {
            while gone < most {
                let Db { deadlines, field_deadlines, table, .. } = &mut self.dbs[db];
                let (key, field) = (deadlines.first(), field_deadlines.first());
                let is_key = key.is_some_and(|(key, _)| field.is_none_or(|(field, _)| key <= field));
                let Some((deadline, hash)) = (if is_key { key } else { field }) else { break };
                if deadline > now {
                    break;
                }
                let due = |entry: &Entry| {
                    let of_entry = if is_key { entry.deadline() } else { entry.field_deadline() };
                    of_entry == Some(deadline) && self.hasher.hash(entry.key()) == hash
                };
                let Some(key) = table.find(hash, due).map(|entry| entry.key().to_vec()) else {
                    // Only a book-keeping error could get here; dropping the stale line keeps the sweep from spinning.
                    debug_assert!(false, "a deadline without its entry");
                    if is_key {
                        deadlines.remove(deadline, hash)
                    } else {
                        field_deadlines.remove(deadline, hash)
                    }
                    continue;
                };
                let at = KeyRef { db, hash, key: &key };
                if is_key {
                    self.expire(at);
                    gone += 1;
                } else {
                    gone += self.expire_fields(at, now, most - gone).max(1);
                }
            }
        }
        gone
    }

    /// The earliest deadline in any database.
    pub fn next_deadline(&self) -> Option<Millis> {
        let firsts = |db: &Db| [db.deadlines.first(), db.field_deadlines.first()];
        self.dbs.iter().flat_map(firsts).flatten().map(|(at, _)| at).min()
    }

    /// Takes all keys of a database away; the caller drops them, outside of the lock if it likes. Watchers hear of it.
    pub fn clear(&mut self, db: usize) -> Db {
        self.is_cleared |= self.tracks;
        self.has_news |= self.tracks;
        let watchers = std::mem::take(&mut self.dbs[db].watchers);
        let waiting = std::mem::take(&mut self.dbs[db].waiting);
        let old = std::mem::take(&mut self.dbs[db]);
        self.dbs[db].number = usize::MAX;
        self.dbs[db].waiting = waiting;
        if self.awaited != 0 {
            self.note_awaited(db, |_, key, hash| old.table.find(hash, |entry| entry.key() == key).is_some());
        }
        for (key, watching) in &watchers {
            if old.table.find(self.hasher.hash(key), |entry| entry.key() == &**key).is_some() {
                watching.iter().for_each(|watcher| watcher.mark());
            }
        }
        self.dbs[db].watchers = watchers;
        let gone = old.table.iter().map(Entry::heap_bytes).sum::<usize>();
        self.bytes.change(gone, 0);
        self.look_at_tables(0);
        self.stats.dirty += old.len() as u64;
        match &mut self.snapshot {
            Some(snapshot) if !old.is_empty() => {
                snapshot.keep(old);
                Db::default()
            }
            _ => old,
        }
    }

    /// Exchanges two databases; watchers of keys that exist on either side hear of it.
    pub fn swap(&mut self, one: usize, other: usize) {
        if one == other {
            return;
        }
        let [left, right] = [one, other].map(|db| std::mem::take(&mut self.dbs[db]));
        for watching in [&left.watchers, &right.watchers] {
            for (key, watchers) in watching {
                let hash = self.hasher.hash(key);
                let here = |db: &Db| db.table.find(hash, |entry| entry.key() == &**key).is_some();
                if here(&left) || here(&right) {
                    watchers.iter().for_each(|watcher| watcher.mark());
                }
            }
        }
        // Watchers and waiters stay with the database's number, the keys move.
        let (left_waiting, right_waiting) = (left.waiting, right.waiting);
        self.dbs[one] = Db { watchers: left.watchers, waiting: left_waiting, ..right };
        self.dbs[other] = Db { watchers: right.watchers, waiting: right_waiting, ..left };
        if self.awaited != 0 {
            for (db, from) in [(one, other), (other, one)] {
                // What was here is there now.
                self.note_awaited(db, |shard, key, hash| shard.look(KeyRef { db: from, hash, key }).is_some());
            }
        }
    }

    /// Tells `watcher` of every change of this key from now on.
    pub fn watch(&mut self, at: KeyRef<'_>, now: Millis, watcher: Arc<Watcher>) {
        self.purge(at, now);
        self.dbs[at.db].watchers.entry(at.key.into()).or_default().push(watcher);
        self.watched += 1;
        self.has_audience = true;
    }

    /// Whether [`Shard::watch`] has been called for this key and watcher.
    pub fn is_watched_by(&self, at: KeyRef<'_>, watcher: &Arc<Watcher>) -> bool {
        let watching = self.dbs[at.db].watchers.get(at.key);
        watching.is_some_and(|watching| watching.iter().any(|other| Arc::ptr_eq(other, watcher)))
    }

    /// Ends what [`Shard::watch`] began.
    pub fn unwatch(&mut self, at: KeyRef<'_>, watcher: &Arc<Watcher>) {
        let Some(watching) = self.dbs[at.db].watchers.get_mut(at.key) else { return };
        let before = watching.len();
        watching.retain(|other| !Arc::ptr_eq(other, watcher));
        self.watched -= before - watching.len();
        if watching.is_empty() {
            self.dbs[at.db].watchers.remove(at.key);
        }
        self.count_audience();
    }

    /// Number of watched keys, counted once per watcher.
    pub fn watched(&self) -> usize {
        self.watched
    }

    #[inline]
    fn mark(&mut self, at: KeyRef<'_>) {
        self.stats.dirty += 1;
        self.tell(at);
    }

    #[inline]
    fn tell(&mut self, at: KeyRef<'_>) {
        if self.has_audience {
            self.tell_audience(at);
        }
    }

    #[cold]
    fn tell_audience(&mut self, at: KeyRef<'_>) {
        if self.watched != 0
            && let Some(watching) = self.dbs[at.db].watchers.get(at.key)
        {
            watching.iter().for_each(|watcher| watcher.mark());
        }
        if self.awaited != 0 && self.dbs[at.db].waiting.note_change(at.key) {
            self.note_ready(at.db, at.key.into());
        }
        if self.tracks && self.touched.last().is_none_or(|last| **last != *at.key) {
            self.touched.push(at.key.into());
            self.has_news = true;
        }
    }

    /// Puts a waiter at the end of the line before a key. `is_far` if he needs other shards as well to be served.
    pub fn wait(&mut self, at: KeyRef<'_>, hope: &Hope, waiter: Arc<dyn Waiter>, is_far: bool) {
        self.far_waiters += usize::from(is_far);
        self.change_waiting(at.db, |waiting| waiting.add(at.key, hope, waiter));
    }

    /// Takes a waiter out of the line before a key; called once for each [`Shard::wait`] with the same `is_far`, unless he
    /// is near and has been served here.
    pub fn stop_waiting(&mut self, at: KeyRef<'_>, hope: &Hope, waiter: &Arc<dyn Waiter>, is_far: bool) {
        self.far_waiters -= usize::from(is_far);
        self.change_waiting(at.db, |waiting| waiting.remove(at.key, hope, waiter));
    }

    /// The first in a line before a key.
    pub fn first_waiter(&mut self, db: usize, key: &[u8], hope: &Hope) -> Option<Arc<dyn Waiter>> {
        self.change_waiting(db, |waiting| waiting.first(key, hope))
    }

    /// Drops those who wait no more from a line.
    pub fn prune_waiters(&mut self, db: usize, key: &[u8], hope: &Hope) {
        self.change_waiting(db, |waiting| waiting.prune(key, hope));
    }

    fn change_waiting<R>(&mut self, db: usize, change: impl FnOnce(&mut Waiting) -> R) -> R {
        let waiting = &mut self.dbs[db].waiting;
        let before = waiting.len();
        let result = change(waiting);
        self.awaited = self.awaited + waiting.len() - before;
        self.count_audience();
        result
    }

    /// Those who wait for keys of a database.
    pub fn waiting(&self, db: usize) -> &Waiting {
        &self.dbs[db].waiting
    }

    /// Number of keys that somebody waits for.
    pub fn awaited(&self) -> usize {
        self.awaited
    }

    /// Number of keys for whose end somebody waits as well: those who read for a consumer group.
    pub fn awaited_by_groups(&self) -> usize {
        self.dbs.iter().map(|db| db.waiting.by_groups()).sum()
    }

    /// Whether somebody waits here who needs more shards than this one to be served.
    #[inline]
    pub fn has_far_waiters(&self) -> bool {
        self.far_waiters != 0
    }

    /// Whether there may be something to take by [`Shard::take_ready`], [`Shard::take_touched`], [`Shard::take_cleared`] or
    /// [`Shard::take_expired`].
    #[inline]
    pub fn has_news(&self) -> bool {
        self.has_news
    }

    /// To be called when all of that has been taken.
    pub fn forget_news(&mut self) {
        self.has_news = self.has_ready() || self.has_touched() || self.has_expired();
    }

    /// Whether [`Shard::take_ready`] has something.
    #[inline]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The key that changed first among those that somebody waits for, and its database.
    pub fn take_ready(&mut self) -> Option<(usize, Box<[u8]>)> {
        let Ready { db, key, .. } = self.ready.pop_front()?;
        self.dbs[db].waiting.forget_change(&key);
        Some((db, key))
    }

    /// When what [`Shard::take_ready`] has changed, to be compared with other shards of the same keyspace.
    pub fn first_ready(&self) -> Option<u64> {
        self.ready.front().map(|ready| ready.number)
    }

    fn note_ready(&mut self, db: usize, key: Box<[u8]>) {
        self.has_news = true;
        let number = self.alarm.number_change();
        self.ready.push_back(Ready { number, db, key });
    }

    /// Has changed keys kept for [`Shard::take_touched`], or no longer.
    pub fn track(&mut self, tracks: bool) {
        self.tracks = tracks;
        if !tracks {
            self.touched = Vec::new();
            self.is_cleared = false;
        }
        self.count_audience();
    }

    /// Whether [`Shard::take_touched`] or [`Shard::take_cleared`] has something.
    #[inline]
    pub fn has_touched(&self) -> bool {
        !self.touched.is_empty() || self.is_cleared
    }

    /// Whether [`Shard::clear`] was called since the last call.
    pub fn take_cleared(&mut self) -> bool {
        std::mem::take(&mut self.is_cleared)
    }

    /// The keys that have changed since the last call, in any database, those of [`Shard::clear`] not among them.
    pub fn take_touched(&mut self) -> impl Iterator<Item = Box<[u8]>> {
        self.touched.drain(..)
    }

    fn count_audience(&mut self) {
        self.has_audience = self.watched != 0 || self.awaited != 0 || self.tracks;
    }

    /// Notes the keys of a database that somebody waits for and that are there, or were there.
    fn note_awaited(&mut self, db: usize, was: impl Fn(&Self, &[u8], u64) -> bool) {
        let awaited: Vec<Box<[u8]>> = self.dbs[db].waiting.keys().map(Into::into).collect();
        for key in awaited {
            let hash = self.hasher.hash(&key);
            let is_here = self.look(KeyRef { db, hash, key: &key }).is_some();
            if (is_here || was(self, &key, hash)) && self.dbs[db].waiting.note_change(&key) {
                self.note_ready(db, key);
            }
        }
    }

    fn add(&mut self, db: usize, hash: u64, mut entry: Entry) {
        entry.set_epoch(self.epoch);
        self.bytes.change(0, entry.heap_bytes());
        let db = &mut self.dbs[db];
        if let Some(deadline) = entry.deadline() {
            db.deadlines.insert(deadline, hash);
            self.alarm.set(deadline);
        }
        db.move_field_deadline(hash, None, entry.field_deadline(), &self.alarm);
        let hasher = self.hasher;
        db.table.insert(hash, entry, |entry| hasher.hash(entry.key()));
        let keys = db.table.len();
        self.look_at_tables(keys);
    }

    fn take(&mut self, at: KeyRef<'_>) -> Option<Entry> {
        let hasher = self.hasher;
        let db = &mut self.dbs[at.db];
        if let Some(snapshot) = &mut self.snapshot
            && let Some(entry) = db.table.find_mut(at.hash, |entry| entry.key() == at.key)
        {
            save_first_in(snapshot, self.epoch, db.number, entry);
            snapshot.finish(db.number, entry);
        }
        let entry = db.table.remove(at.hash, |entry| entry.key() == at.key, |entry| hasher.hash(entry.key()))?;
        if let Some(deadline) = entry.deadline() {
            db.deadlines.remove(deadline, at.hash);
        }
        db.move_field_deadline(at.hash, entry.field_deadline(), None, &self.alarm);
        let keys = db.table.len();
        self.bytes.change(entry.heap_bytes(), 0);
        self.look_at_tables(keys);
        Some(entry)
    }
}

/// Lets the snapshot on its way, if any, save an entry before it changes.
#[inline]
fn save_first(snapshot: &mut Option<Box<Progress>>, epoch: bool, db: usize, entry: &mut Entry) {
    if let Some(snapshot) = snapshot {
        save_first_in(snapshot, epoch, db, entry);
    }
}

fn save_first_in(snapshot: &mut Progress, epoch: bool, db: usize, entry: &mut Entry) {
    if entry.epoch() != epoch {
        entry.set_epoch(epoch);
        snapshot.save(db, entry);
    }
}

fn shared(bytes: &Bytes) -> Value {
    Value::Text { text: Text::Shared(bytes.clone()), edited: false }
}

fn is_empty(entry: &Entry) -> bool {
    use crate::entry::ValueRef::{Hash, List, Set, SortedSet, Stream, String};
    match entry.value() {
        // A stream stays without entries, for what it remembers.
        String(_) | Stream(_) => false,
        List(list) => list.is_empty(),
        Set(set) => set.is_empty(),
        Hash(hash) => hash.is_empty(),
        SortedSet(set) => set.is_empty(),
    }
}
