//! All shards together: which key lies where, how several are locked, and when something expires next.

use crate::clock::Millis;
use crate::entry::Entry;
use crate::shard::{Gauge, KeyRef, Shard, ShardStats};
use crate::snapshot::Backlog;
use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Keys that one lock of a shard may see expire before others get their turn.
const SWEEP: usize = 64;

/// How long a shard is waited for before it is asked whether that is worth it.
const PATIENCE: Duration = Duration::from_millis(5);

/// The seeded hash of keys.
#[derive(Clone, Copy)]
pub struct Hasher(u64);

impl Hasher {
    fn new(seed: u64) -> Self {
        Hasher(seed)
    }

    /// Hash of a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        use std::hash::Hasher as _;
        let mut state = FoldHasher::with_seed(self.0, SharedSeed::global_fixed());
        state.write(key);
        state.finish()
    }
}

/// What all shards share: the next deadline, the bell that rings when an earlier one is set, whether anybody wants to hear
/// of keys that expire, and how many changes somebody has waited for.
pub struct Alarm {
    next: AtomicU64,
    tells_expired: AtomicBool,
    /// Numbers the changes that somebody has waited for, so that they are served in order whatever shards they are in.
    changes: AtomicU64,
    bell: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Takes what need not be freed at once, and whether that is what has expired, or what others have taken the place of.
    freer: OnceLock<Box<dyn Fn(Entry) + Send + Sync>>,
    frees_expired_later: AtomicBool,
    frees_replaced_later: AtomicBool,
}

impl Alarm {
    pub(crate) fn tells_expired(&self) -> bool {
        self.tells_expired.load(Ordering::Relaxed)
    }

    pub(crate) fn frees_replaced_later(&self) -> bool {
        self.frees_replaced_later.load(Ordering::Relaxed)
    }

    pub(crate) fn drop_replaced(&self, gone: Entry) {
        self.drop_entry(gone, &self.frees_replaced_later);
    }

    pub(crate) fn drop_expired(&self, gone: Entry) {
        self.drop_entry(gone, &self.frees_expired_later);
    }

    fn drop_entry(&self, gone: Entry, later: &AtomicBool) {
        if later.load(Ordering::Relaxed)
            && let Some(freer) = self.freer.get()
        {
            freer(gone);
        }
    }

    pub(crate) fn number_change(&self) -> u64 {
        self.changes.fetch_add(1, Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set(&self, at: Millis) {
        // The plain look first: most deadlines are later than the next one, and cost no shared write.
        if at < self.next.load(Ordering::Relaxed)
            && at < self.next.fetch_min(at, Ordering::AcqRel)
            && let Some(bell) = self.bell.get()
        {
            bell();
        }
    }
}

/// Shape of a keyspace.
#[derive(Clone, Copy, Debug)]
pub struct KeyspaceOptions {
    /// Number of shards; rounded up to a power of two, at most 1024.
    pub shards: usize,
    /// Number of databases.
    pub databases: usize,
    /// Seed of the key hash; from the operating system in a server, fixed in tests.
    pub seed: u64,
}

/// Which shards a command needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardSet {
    /// Those with these numbers, ascending and without repeats.
    Some(SmallVec<[u16; 4]>),
    /// Every one.
    All,
}

impl ShardSet {
    /// No shard.
    pub fn none() -> Self {
        ShardSet::Some(SmallVec::new())
    }

    /// One shard.
    pub fn one(shard: usize) -> Self {
        ShardSet::Some(SmallVec::from_slice(&[shard as u16]))
    }

    /// Adds a shard.
    pub fn add(&mut self, shard: usize) {
        if let ShardSet::Some(shards) = self
            && let Err(at) = shards.binary_search(&(shard as u16))
        {
            shards.insert(at, shard as u16);
        }
    }

    /// Adds all shards of another set.
    pub fn join(&mut self, other: &ShardSet) {
        match other {
            ShardSet::All => *self = ShardSet::All,
            ShardSet::Some(shards) => shards.iter().for_each(|shard| self.add(usize::from(*shard))),
        }
    }
}

#[repr(align(128))]
struct Slot(Mutex<Shard>);

/// The keyspace of one server.
pub struct Keyspace {
    slots: Box<[Slot]>,
    /// How far a hash is shifted right to give the shard's number.
    shift: u32,
    hasher: Hasher,
    databases: usize,
    alarm: Arc<Alarm>,
    active_expire: AtomicBool,
    backlog: Arc<Backlog>,
    gauges: Box<[Arc<Gauge>]>,
}

impl Keyspace {
    /// An empty keyspace.
    pub fn new(options: KeyspaceOptions) -> Self {
        let shards = options.shards.clamp(1, 1024).next_power_of_two();
        let hasher = Hasher::new(options.seed);
        let alarm = Arc::new(Alarm {
            next: AtomicU64::new(Millis::MAX),
            tells_expired: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            bell: OnceLock::new(),
            freer: OnceLock::new(),
            frees_expired_later: AtomicBool::new(false),
            frees_replaced_later: AtomicBool::new(false),
        });
        let shard = || Shard::new(options.databases, hasher, alarm.clone());
        let shards = (0..shards).map(|_| shard()).collect::<Vec<_>>();
        let gauges = shards.iter().map(|shard| shard.gauge().clone()).collect();
        let slots = shards.into_iter().map(|shard| Slot(Mutex::new(shard))).collect::<Box<[_]>>();
        Keyspace {
            shift: 64 - slots.len().ilog2(),
            slots,
            hasher,
            databases: options.databases,
            alarm,
            active_expire: AtomicBool::new(true),
            backlog: Arc::default(),
            gauges,
        }
    }

    /// Number of databases.
    pub fn databases(&self) -> usize {
        self.databases
    }

    /// Number of shards, a power of two.
    pub fn shards(&self) -> usize {
        self.slots.len()
    }

    /// Hash of a key: the high bits choose the shard, the low ones the bucket.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    /// The shard of a hash.
    #[inline]
    pub fn shard_of(&self, hash: u64) -> usize {
        // A shift by 64 is no shift: one shard has no bits.
        hash.checked_shr(self.shift).unwrap_or(0) as usize
    }

    /// Locks one shard.
    #[inline]
    pub fn lock_one(&self, shard: usize) -> Locked<'_> {
        Locked { guards: SmallVec::from_buf([(shard as u16, self.slots[shard].0.lock())]), keyspace: self }
    }

    /// Locks one shard if nobody holds it.
    #[inline]
    pub fn try_lock_one(&self, shard: usize) -> Option<MutexGuard<'_, Shard>> {
        self.slots[shard].0.try_lock()
    }

    /// Locks shards in ascending order, so that no two callers can wait for each other.
    pub fn lock(&self, set: &ShardSet) -> Locked<'_> {
        let lock = |shard: usize| (shard as u16, self.slots[shard].0.lock());
        let guards = match set {
            ShardSet::All => (0..self.slots.len()).map(lock).collect(),
            ShardSet::Some(shards) => shards.iter().map(|shard| lock(usize::from(*shard))).collect(),
        };
        Locked { guards, keyspace: self }
    }

    /// As [`Keyspace::lock_one`], but asks `gives_up` once in a while as long as another one holds the shard; `None` if the
    /// answer is yes.
    #[inline]
    pub fn lock_one_unless(&self, shard: usize, gives_up: impl Fn() -> bool) -> Option<Locked<'_>> {
        let guard = self.wait_for(shard, &gives_up)?;
        Some(Locked { guards: SmallVec::from_buf([(shard as u16, guard)]), keyspace: self })
    }

    /// As [`Keyspace::lock`], but asks `gives_up` once in a while as long as another one holds a shard; `None`, and nothing
    /// locked, if the answer is yes.
    pub fn lock_unless(&self, set: &ShardSet, gives_up: impl Fn() -> bool) -> Option<Locked<'_>> {
        let lock = |shard: usize| Some((shard as u16, self.wait_for(shard, &gives_up)?));
        let guards = match set {
            ShardSet::All => (0..self.slots.len()).map(lock).collect::<Option<_>>(),
            ShardSet::Some(shards) => shards.iter().map(|shard| lock(usize::from(*shard))).collect::<Option<_>>(),
        };
        Some(Locked { guards: guards?, keyspace: self })
    }

    #[inline]
    fn wait_for(&self, shard: usize, gives_up: impl Fn() -> bool) -> Option<MutexGuard<'_, Shard>> {
        match self.slots[shard].0.try_lock() {
            Some(guard) => Some(guard),
            None => self.wait_long(shard, gives_up),
        }
    }

    #[cold]
    fn wait_long(&self, shard: usize, gives_up: impl Fn() -> bool) -> Option<MutexGuard<'_, Shard>> {
        while !gives_up() {
            if let Some(guard) = self.slots[shard].0.try_lock_for(PATIENCE) {
                return Some(guard);
            }
        }
        None
    }

    /// Calls `look` with every shard, one lock at a time: a sum over shards, not a picture of one moment.
    pub fn for_each_shard(&self, mut look: impl FnMut(&mut Shard)) {
        for slot in &self.slots {
            look(&mut slot.0.lock());
        }
    }

    /// Calls `look` with one shard.
    pub fn with_shard<R>(&self, shard: usize, look: impl FnOnce(&mut Shard) -> R) -> R {
        look(&mut self.slots[shard].0.lock())
    }

    pub(crate) fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// Bytes of values that were saved for a snapshot because they were about to change, and that wait for the disk.
    pub fn snapshot_backlog(&self) -> usize {
        self.backlog.len()
    }

    /// Waits while a snapshot has more than 64 MiB of that, so that a slow disk slows those who write instead of filling the
    /// memory. No shard may be locked.
    #[inline]
    pub fn throttle(&self) {
        self.backlog.throttle();
    }

    /// Bytes of all entries, tables and indexes. Locks nothing.
    #[inline]
    pub fn used_bytes(&self) -> usize {
        self.gauges.iter().map(|gauge| gauge.bytes()).sum()
    }

    /// Sum of all shards' counters.
    pub fn stats(&self) -> ShardStats {
        let mut sum = ShardStats::default();
        self.for_each_shard(|shard| {
            let stats = shard.stats();
            sum.hits += stats.hits;
            sum.misses += stats.misses;
            sum.expired += stats.expired;
            sum.expired_fields += stats.expired_fields;
            sum.dirty += stats.dirty;
        });
        sum
    }

    /// Has `bell` called whenever a deadline is set that is earlier than all others. Only the first call counts.
    pub fn on_earlier_deadline(&self, bell: impl Fn() + Send + Sync + 'static) {
        // A keyspace belongs to one engine, which sets its bell once.
        let _ = self.alarm.bell.set(Box::new(bell));
    }

    /// Has expired keys kept for [`Shard::take_expired`], whatever [`Shard::keep_expired`] says of single shards.
    pub fn tell_expired(&self, tell: bool) {
        self.alarm.tells_expired.store(tell, Ordering::Relaxed);
    }

    /// Hands what need not be freed at once to `freer`, once [`Keyspace::free_later`] has said what that is. Only the first call
    /// counts. It is called while a shard is locked.
    pub fn on_garbage(&self, freer: impl Fn(Entry) + Send + Sync + 'static) {
        let _ = self.alarm.freer.set(Box::new(freer));
    }

    /// Whether entries that expire, and values that others take the place of, are handed on instead of being freed.
    pub fn free_later(&self, expired: bool, replaced: bool) {
        self.alarm.frees_expired_later.store(expired, Ordering::Relaxed);
        self.alarm.frees_replaced_later.store(replaced, Ordering::Relaxed);
    }

    /// Switches the sweeping of expired keys; reads never see them either way.
    pub fn set_active_expire(&self, active: bool) {
        self.active_expire.store(active, Ordering::Release);
        if active && let Some(bell) = self.alarm.bell.get() {
            bell();
        }
    }

    /// When [`Keyspace::sweep`] has work again; `None` while nothing will expire.
    pub fn next_deadline(&self) -> Option<Millis> {
        let next = self.alarm.next.load(Ordering::Acquire);
        (next != Millis::MAX && self.active_expire.load(Ordering::Acquire)).then_some(next)
    }

    /// Begins to remove what is due, at most `most` keys; what is left is due at once in [`Keyspace::next_deadline`], so that
    /// a thread with other duties can see to them in between.
    pub fn sweep(&self, now: Millis, most: usize) -> Sweep {
        let is_on = self.active_expire.load(Ordering::Acquire);
        if is_on {
            // From here on a new deadline rings again; what the sweep finds is added behind it.
            self.alarm.next.store(Millis::MAX, Ordering::Release);
        }
        Sweep { now, left: most, shard: if is_on { 0 } else { self.slots.len() }, has_given_up: false }
    }
}

/// Removal of expired keys, a few dozen for each lock of a shard.
pub struct Sweep {
    now: Millis,
    left: usize,
    shard: usize,
    has_given_up: bool,
}

impl Sweep {
    /// Goes on until something was removed; returns the shard where, still locked, for [`Shard::take_expired`] and those who
    /// waited. `None` at the end, or once `gives_up` has said yes while another one held a shard; then what is left is due
    /// still.
    pub fn next<'k>(&mut self, keyspace: &'k Keyspace, gives_up: impl Fn() -> bool) -> Option<Locked<'k>> {
        while self.shard < keyspace.slots.len() {
            let Some(mut locked) = keyspace.lock_one_unless(self.shard, &gives_up) else {
                self.has_given_up = true;
                self.shard = keyspace.slots.len();
                keyspace.alarm.next.fetch_min(self.now, Ordering::AcqRel);
                return None;
            };
            let asked = self.left.min(SWEEP);
            let mut gone = 0;
            if let Some(shard) = locked.only() {
                gone = shard.expire_due(self.now, asked);
                self.left -= gone;
                if gone < asked || self.left == 0 {
                    if let Some(next) = shard.next_deadline() {
                        keyspace.alarm.next.fetch_min(next, Ordering::AcqRel);
                    }
                    self.shard += 1;
                }
            }
            if gone > 0 {
                return Some(locked);
            }
        }
        None
    }
}

impl Sweep {
    /// Whether it ended before it was through.
    pub fn has_given_up(&self) -> bool {
        self.has_given_up
    }
}

/// Shards that are locked together.
pub struct Locked<'a> {
    guards: SmallVec<[(u16, MutexGuard<'a, Shard>); 1]>,
    keyspace: &'a Keyspace,
}

impl<'a> Locked<'a> {
    /// The keyspace that these shards belong to.
    pub fn keyspace(&self) -> &'a Keyspace {
        self.keyspace
    }

    /// The shard of a hash.
    ///
    /// # Panics
    /// If that shard was not locked: the command's key positions did not name the key.
    #[inline]
    pub fn shard(&mut self, hash: u64) -> &mut Shard {
        let shard = self.keyspace.shard_of(hash);
        let at = match self.guards.len() {
            1 => 0,
            all if all == self.keyspace.slots.len() => shard,
            _ => self.guards.binary_search_by_key(&(shard as u16), |guard| guard.0).unwrap_or(usize::MAX),
        };
        let (number, guard) = self.guards.get_mut(at).expect("a key's shard is locked before its command runs");
        assert_eq!(usize::from(*number), shard, "a key's shard is locked before its command runs");
        guard
    }

    /// The shard of a hash, to look at together with others.
    ///
    /// # Panics
    /// As [`Locked::shard`].
    pub fn shard_ref(&self, hash: u64) -> &Shard {
        let shard = self.keyspace.shard_of(hash);
        let at = self.guards.binary_search_by_key(&(shard as u16), |guard| guard.0);
        &self.guards[at.expect("a key's shard is locked before its command runs")].1
    }

    /// All locked shards.
    pub fn shards(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.guards.iter_mut().map(|(_, guard)| &mut **guard)
    }

    /// The locked shard, if it is only one.
    #[inline]
    pub fn only(&mut self) -> Option<&mut Shard> {
        match &mut self.guards[..] {
            [(_, guard)] => Some(guard),
            _ => None,
        }
    }

    /// Whether the shard of a hash is locked.
    pub fn holds(&self, hash: u64) -> bool {
        let shard = self.keyspace.shard_of(hash);
        self.guards.binary_search_by_key(&(shard as u16), |guard| guard.0).is_ok()
    }

    /// Whether a shard has something to tell: [`Shard::has_news`].
    #[inline]
    pub fn has_news(&self) -> bool {
        match &self.guards[..] {
            [(_, guard)] => guard.has_news(),
            guards => guards.iter().any(|(_, guard)| guard.has_news()),
        }
    }

    /// Whether [`Locked::take_ready`] has something.
    #[inline]
    pub fn has_ready(&self) -> bool {
        self.guards.iter().any(|(_, guard)| guard.has_ready())
    }

    /// Whether a shard has changes to tell: [`Shard::has_touched`].
    #[inline]
    pub fn has_touched(&self) -> bool {
        self.guards.iter().any(|(_, guard)| guard.has_touched())
    }

    /// The key that changed first among those that somebody waits for, and its database.
    pub fn take_ready(&mut self) -> Option<(usize, Box<[u8]>)> {
        let number = |guard: &Shard| guard.first_ready().unwrap_or(u64::MAX);
        let (_, first) = self.guards.iter_mut().min_by_key(|(_, guard)| number(guard))?;
        first.take_ready()
    }

    /// Whether somebody waits here who cannot be served with these shards alone.
    #[inline]
    pub fn is_short(&self) -> bool {
        self.guards.iter().any(|(_, guard)| guard.has_far_waiters()) && !self.is_all()
    }

    /// Changes of keys in the locked shards since the start.
    #[inline]
    pub fn dirty(&self) -> u64 {
        if let [(_, guard)] = &self.guards[..] {
            return guard.dirty();
        }
        self.guards.iter().map(|(_, guard)| guard.dirty()).sum()
    }

    /// Whether no shard is locked.
    pub fn is_none(&self) -> bool {
        self.guards.is_empty()
    }

    /// Whether every shard is locked.
    pub fn is_all(&self) -> bool {
        self.guards.len() == self.keyspace.slots.len()
    }

    /// Names a key in a database.
    #[inline]
    pub fn key<'k>(&self, db: usize, key: &'k [u8]) -> KeyRef<'k> {
        KeyRef { db, hash: self.keyspace.hash(key), key }
    }

    /// Number of keys of a database in the locked shards.
    pub fn len(&mut self, db: usize) -> usize {
        self.shards().map(|shard| shard.db(db).len()).sum()
    }

    /// Whether a database has no keys in the locked shards.
    pub fn is_empty(&mut self, db: usize) -> bool {
        self.len(db) == 0
    }

    /// One step of a walk over a database: visits a bucket and returns the next cursor, 0 at the end. All shards must be
    /// locked. Keys that stay from the first step to the last are visited at least once.
    pub fn scan(&mut self, db: usize, cursor: u64, now: Millis, visit: impl FnMut(&crate::entry::Entry)) -> u64 {
        let bits = self.keyspace.slots.len().ilog2();
        let shard = (cursor & (self.keyspace.slots.len() as u64 - 1)) as usize;
        let Some((_, guard)) = self.guards.get(shard) else { return 0 };
        let next = guard.scan(db, cursor >> bits, now, visit);
        if next != 0 {
            return next << bits | shard as u64;
        }
        let following = shard + 1;
        if following == self.keyspace.slots.len() { 0 } else { following as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::{Expiry, NewString, Watcher};
    use crate::types::Limits;
    use crate::types::hash::Hash;
    use crate::uses::Use;
    use crate::waiting::{Hope, Waiter};
    use std::sync::atomic::AtomicUsize;

    fn keyspace(shards: usize) -> Keyspace {
        Keyspace::new(KeyspaceOptions { shards, databases: 2, seed: 1 })
    }

    fn set(keyspace: &Keyspace, key: &str, expiry: Expiry) {
        let mut locked = keyspace.lock_one(keyspace.shard_of(keyspace.hash(key.as_bytes())));
        let at = locked.key(0, key.as_bytes());
        locked.shard(at.hash).set_string(at, NewString::Bytes(b"value"), expiry, Use::At(0));
    }

    fn exists(keyspace: &Keyspace, key: &str, now: Millis) -> bool {
        let mut locked = keyspace.lock(&ShardSet::All);
        let at = locked.key(0, key.as_bytes());
        locked.shard(at.hash).peek(at, now).is_some()
    }

    #[test]
    fn expired_keys_are_invisible_and_then_swept() {
        let keyspace = keyspace(4);
        let rings = Arc::new(AtomicUsize::new(0));
        let counter = rings.clone();
        keyspace.on_earlier_deadline(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        for number in 0..200 {
            set(&keyspace, &format!("key{number}"), Expiry::At(100 + number));
        }
        set(&keyspace, "stays", Expiry::Never);
        assert_eq!((keyspace.next_deadline(), rings.load(Ordering::Relaxed)), (Some(100), 1));
        assert!(exists(&keyspace, "key50", 149) && !exists(&keyspace, "key50", 150));
        let sweep = |now, most| {
            let mut sweep = keyspace.sweep(now, most);
            while sweep.next(&keyspace, || false).is_some() {}
        };
        sweep(249, 100);
        assert!(keyspace.next_deadline().is_some_and(|next| next <= 249), "what is left is due at once");
        sweep(249, usize::MAX);
        let mut locked = keyspace.lock(&ShardSet::All);
        assert_eq!(locked.len(0), 51);
        drop(locked);
        assert_eq!((keyspace.next_deadline(), keyspace.stats().expired), (Some(250), 150));
        sweep(1000, usize::MAX);
        assert_eq!((keyspace.next_deadline(), keyspace.lock(&ShardSet::All).len(0)), (None, 1));
    }

    /// A hash whose fields `0`, `1`, .. have these deadlines.
    fn set_fields(keyspace: &Keyspace, key: &str, deadlines: &[Option<Millis>]) {
        let mut locked = keyspace.lock(&ShardSet::All);
        let at = locked.key(0, key.as_bytes());
        locked.shard(at.hash).create(at, Use::At(0), |hash: &mut Hash| {
            for (field, deadline) in deadlines.iter().enumerate() {
                hash.set(field.to_string().as_bytes(), b"value", &Limits::DEFAULT);
                hash.set_deadline(field.to_string().as_bytes(), *deadline, &Limits::DEFAULT);
            }
        });
        let shard = locked.shard(at.hash);
        // Creating is a change as any other: the books follow.
        assert_eq!(shard.db(0).field_deadlines().first().map(|(at, _)| at), deadlines.iter().copied().flatten().min());
    }

    #[test]
    fn fields_and_keys_are_swept_in_the_order_of_their_deadlines() {
        let keyspace = keyspace(1);
        keyspace.tell_expired(true);
        set(&keyspace, "string", Expiry::At(25));
        set_fields(&keyspace, "hash", &[Some(30), Some(10), None, Some(20), Some(10)]);
        assert_eq!(keyspace.next_deadline(), Some(10));
        let mut told = Vec::new();
        for now in [9, 10, 24, 40] {
            let mut sweep = keyspace.sweep(now, usize::MAX);
            while let Some(mut locked) = sweep.next(&keyspace, || false) {
                for shard in locked.shards() {
                    told.extend(shard.take_expired().map(|gone| {
                        let fields = gone.fields.map_or(0, |fields| fields.len());
                        (now, String::from_utf8_lossy(&gone.key).into_owned(), fields, gone.is_gone)
                    }));
                }
            }
        }
        let expected =
            [(10, "hash", 2, false), (24, "hash", 1, false), (40, "string", 0, true), (40, "hash", 1, false)];
        assert!(
            told.iter().map(|(at, key, fields, gone)| (*at, key.as_str(), *fields, *gone)).eq(expected),
            "{told:?}"
        );
        let stats = keyspace.stats();
        assert_eq!((stats.expired, stats.expired_fields, keyspace.next_deadline()), (1, 4, None));
    }

    #[test]
    fn a_hash_goes_with_its_last_field_whoever_looks() {
        let keyspace = keyspace(1);
        set_fields(&keyspace, "hash", &[Some(10), Some(20)]);
        assert!(exists(&keyspace, "hash", 19));
        let mut seen = 0;
        keyspace.lock(&ShardSet::All).scan(0, 0, 20, |_| seen += 1);
        assert_eq!(seen, 0);
        assert!(!exists(&keyspace, "hash", 20));
        set_fields(&keyspace, "other", &[Some(10)]);
        set(&keyspace, "other", Expiry::Never);
        set_fields(&keyspace, "third", &[Some(10)]);
        let mut locked = keyspace.lock(&ShardSet::All);
        for name in ["other", "third"] {
            let at = locked.key(0, name.as_bytes());
            locked.shard(at.hash).remove(at, 0);
        }
        let shard = locked.shards().next().unwrap();
        assert_eq!((shard.entry_bytes(), shard.db(0).field_deadlines().len()), (0, 0));
    }

    #[test]
    fn bytes_return_to_zero() {
        let keyspace = keyspace(1);
        for number in 0..100 {
            set(&keyspace, &format!("key{}", number % 40), if number % 3 == 0 { Expiry::At(5) } else { Expiry::Never });
        }
        let mut locked = keyspace.lock(&ShardSet::All);
        for number in 0..40 {
            let name = format!("key{number}");
            let at = locked.key(0, name.as_bytes());
            locked.shard(at.hash).remove(at, 0);
        }
        let shard = locked.shards().next().unwrap();
        assert_eq!((shard.entry_bytes(), shard.db(0).deadlines().len()), (0, 0));
    }

    #[test]
    fn watchers_hear_of_change_expiry_and_flush() {
        let keyspace = keyspace(2);
        set(&keyspace, "a", Expiry::At(10));
        set(&keyspace, "b", Expiry::Never);
        let watch = |key: &str| {
            let watcher = Arc::new(Watcher::default());
            let mut locked = keyspace.lock(&ShardSet::All);
            let at = locked.key(0, key.as_bytes());
            locked.shard(at.hash).watch(at, 0, watcher.clone());
            watcher
        };
        let (a, b, c) = (watch("a"), watch("b"), watch("c"));
        assert!(!a.is_dirty() && exists(&keyspace, "a", 9) && !a.is_dirty());
        assert!(!exists(&keyspace, "a", 10) && a.is_dirty());
        keyspace.for_each_shard(|shard| drop(shard.clear(0)));
        assert!(b.is_dirty() && !c.is_dirty());
        set(&keyspace, "c", Expiry::Never);
        assert!(c.is_dirty());
    }

    struct Somebody;

    impl Waiter for Somebody {
        fn is_waiting(&self) -> bool {
            true
        }
    }

    #[test]
    fn changes_are_ready_in_their_order_whatever_shards_they_are_in() {
        let keyspace = keyspace(16);
        let mut locked = keyspace.lock(&ShardSet::All);
        let names: Vec<String> = (0..50).rev().map(|number| format!("key{number}")).collect();
        for name in &names {
            let at = locked.key(0, name.as_bytes());
            locked.shard(at.hash).wait(at, &Hope::List, Arc::new(Somebody), false);
        }
        for name in &names {
            let at = locked.key(0, name.as_bytes());
            locked.shard(at.hash).set_string(at, NewString::Bytes(b"x"), Expiry::Never, Use::At(0));
        }
        let ready: Vec<_> = std::iter::from_fn(|| locked.take_ready()).collect();
        assert!(ready.iter().map(|(_, key)| &**key).eq(names.iter().map(String::as_bytes)), "{ready:?}");
    }

    #[test]
    fn a_scan_walks_all_shards_once() {
        let keyspace = keyspace(8);
        for number in 0..1000 {
            set(&keyspace, &format!("key{number}"), Expiry::Never);
        }
        let mut locked = keyspace.lock(&ShardSet::All);
        let (mut cursor, mut seen) = (0, Vec::new());
        loop {
            cursor = locked.scan(0, cursor, 0, |entry| seen.push(entry.key().to_vec()));
            if cursor == 0 {
                break;
            }
        }
        seen.sort();
        assert_eq!(seen.len(), 1000);
        seen.dedup();
        assert_eq!(seen.len(), 1000);
    }
}
