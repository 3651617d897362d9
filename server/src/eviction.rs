//! Making room when memory runs out: who has to go, by which policy. What counts as memory, the keyspace knows.

use crate::command::HOUSEKEEPING;
use crate::config::{Policy, Settings};
use crate::context::{Ctx, KeyHashes};
use crate::engine::Engine;
use crate::session::Session;
use parking_lot::Mutex;
use resplite_storage::clock::Millis;
use resplite_storage::entry::Entry;
use resplite_storage::uses::Use;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Candidates that are remembered from one victim to the next: the best of many samples, as in Redis.
const POOL: usize = 16;
/// Keys that one command sees go at most; what is still too much then goes a little later, and the command may run.
const MOST_AT_ONCE: usize = 4096;

/// A key that may have to go; the greatest score goes first.
struct Candidate {
    score: u64,
    db: usize,
    key: Box<[u8]>,
}

/// Whether there is room for what a command needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room {
    Enough,
    /// Not yet, but keys go on going.
    Soon,
    /// There is nothing that may go.
    None,
}

/// A script that takes its time keeps the shards for itself, so that nobody knows what may go.
struct KeptByScript;

/// What one server knows of its victims.
#[derive(Default)]
pub(crate) struct Evictor {
    pool: Mutex<Vec<Candidate>>,
    /// Who removes keys; kept from one time to the next.
    housekeeper: Mutex<Option<Session>>,
    evicted: AtomicU64,
    /// More than may go at once has to go.
    is_behind: AtomicBool,
}

impl Evictor {
    /// Keys that have gone.
    pub(crate) fn evicted(&self) -> &AtomicU64 {
        &self.evicted
    }

    /// Whether there is work that waits for no command.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Acquire)
    }
}

impl Settings {
    /// A use of an entry now, in the way in which uses are noted.
    #[inline]
    pub(crate) fn use_at(&self, micros: u64, dice: impl FnOnce() -> u32) -> Use {
        if self.maxmemory_policy.counts_uses() {
            return Use::Counted {
                minute: (micros / 60_000_000) as u16,
                log_factor: self.lfu_log_factor,
                decay_minutes: self.lfu_decay_time,
                dice: dice(),
            };
        }
        Use::At((micros / 1_000_000) as u32 & 0x00ff_ffff)
    }
}

impl Engine {
    /// Bytes of data and tables. Looks at no shard.
    pub(crate) fn used_memory(&self) -> usize {
        let bytes = self.keyspace.used_bytes();
        // The plain look first: a new peak is rare, and others look as well.
        if bytes > self.peak_memory.load(Ordering::Relaxed) {
            self.peak_memory.fetch_max(bytes, Ordering::Relaxed);
        }
        bytes
    }

    /// Has keys go until there is room. No shard may be locked.
    pub(crate) fn make_room(&self, settings: &Settings) -> Room {
        // What is being loaded goes on with keys that must still be there.
        if self.used_memory() as u64 <= settings.maxmemory || self.persistence.is_loading() {
            return Room::Enough;
        }
        if settings.maxmemory_policy == Policy::NoEviction {
            return Room::None;
        }
        let began = self.clock.micros();
        let mut kept = self.evictor.housekeeper.lock();
        let housekeeper = kept.get_or_insert_with(|| self.housekeeper());
        self.refresh(housekeeper);
        let mut room = Room::Soon;
        for _ in 0..MOST_AT_ONCE {
            if self.used_memory() as u64 <= settings.maxmemory {
                room = Room::Enough;
                break;
            }
            match self.next_victim(began, settings) {
                Ok(Some(victim)) => self.evict(housekeeper, &victim, began, settings),
                Ok(None) => {
                    room = Room::None;
                    break;
                }
                // The command waits for the script as any other does, and keys go on going behind it.
                Err(KeptByScript) => break,
            }
        }
        let now = self.clock.micros();
        self.slow.sample("eviction-cycle", now, now.saturating_sub(began), settings);
        let was_behind = self.evictor.is_behind.swap(room == Room::Soon, Ordering::AcqRel);
        if room == Room::Soon && !was_behind {
            self.ring();
        }
        room
    }

    /// Has the keys that are too many go although no command asks for room, as after a lower limit has been set.
    pub(crate) fn expect_eviction(&self, settings: &Settings) {
        let may_evict = settings.maxmemory != 0 && !self.persistence.is_loading();
        let is_too_much = may_evict && self.used_memory() as u64 > settings.maxmemory;
        if is_too_much && settings.maxmemory_policy != Policy::NoEviction {
            self.evictor.is_behind.store(true, Ordering::Release);
            self.ring();
        }
    }

    /// The best of what is remembered and of some more keys; `None` if no key may go.
    fn next_victim(&self, micros: u64, settings: &Settings) -> Result<Option<Candidate>, KeptByScript> {
        let mut pool = self.evictor.pool.lock();
        let mut chance = self.chance.lock().fork();
        let shards = self.keyspace.shards();
        let first = chance.usize(..shards);
        let now = settings.use_at(micros, || 0);
        for step in 0..shards {
            let shard = (first + step) % shards;
            // A script that keeps its shards would keep whoever waits here.
            let locked = self.keyspace.lock_one_unless(shard, || self.scripts.running.is_long());
            let mut locked = locked.ok_or(KeptByScript)?;
            let Some(shard) = locked.only() else { break };
            for db in 0..self.keyspace.databases() {
                let policy = settings.maxmemory_policy;
                let mut offer = |entry: &Entry| offer(&mut pool, score(entry, policy, now), db, entry.key());
                match policy {
                    // No need to guess.
                    Policy::VolatileTtl => shard.first_to_expire(db).into_iter().for_each(&mut offer),
                    // Each with the same probability: were neighbours drawn together, some buckets would run full and others empty.
                    Policy::AllKeysRandom => shard.random(db, &mut chance).into_iter().for_each(&mut offer),
                    Policy::VolatileRandom => shard.sample(db, &mut chance, 1, true, &mut offer),
                    _ => shard.sample(db, &mut chance, settings.maxmemory_samples, policy.is_volatile(), &mut offer),
                }
            }
            if !pool.is_empty() {
                break;
            }
        }
        if settings.maxmemory_policy.is_random() {
            // What is left over must not be the first to go the next time.
            let victim = (!pool.is_empty()).then(|| chance.usize(..pool.len())).map(|at| pool.swap_remove(at));
            pool.clear();
            return Ok(victim);
        }
        Ok(pool.pop())
    }

    /// Removes a key; those who log, watch, track and listen hear of it.
    fn evict(&self, housekeeper: &mut Session, victim: &Candidate, micros: u64, settings: &Settings) {
        let Candidate { score: then, db, key } = victim;
        let shard = self.keyspace.shard_of(self.keyspace.hash(key));
        let Some(locked) = self.keyspace.lock_one_unless(shard, || self.scripts.running.is_long()) else { return };
        let now = settings.use_at(micros, || 0);
        housekeeper.db = *db;
        let mut ctx = Ctx::new(self, housekeeper, locked, &HOUSEKEEPING, micros, KeyHashes::default());
        // It may have been used since it was chosen, or be another one by now.
        let stays = |entry: &Entry| {
            let policy = settings.maxmemory_policy;
            policy.is_volatile() && entry.deadline().is_none() || score(entry, policy, now) < *then
        };
        let gone = if ctx.peek(key).is_none_or(stays) { None } else { ctx.evict(key) };
        ctx.settle();
        drop(ctx);
        if let Some(entry) = gone {
            self.evictor.evicted.fetch_add(1, Ordering::Relaxed);
            if settings.lazyfree_lazy_eviction {
                self.discard_if_large(entry);
            }
        }
    }

    /// Goes on with what was too much for one command; returns false if a script keeps the shards for itself.
    pub(crate) fn catch_up(&self) -> bool {
        let settings = self.settings().0;
        if self.scripts.running.is_long() {
            return false;
        }
        if settings.maxmemory == 0 || self.make_room(&settings) != Room::Soon {
            self.evictor.is_behind.store(false, Ordering::Release);
        }
        true
    }
}

/// How much a key has to go under a policy.
fn score(entry: &Entry, policy: Policy, now: Use) -> u64 {
    match policy {
        Policy::VolatileTtl => Millis::MAX - entry.deadline().unwrap_or(Millis::MAX),
        Policy::AllKeysRandom | Policy::VolatileRandom | Policy::NoEviction => 0,
        _ => match now.frequency(entry.access()) {
            Some(frequency) => u64::from(u8::MAX - frequency),
            None => now.idle_seconds(entry.access()).unwrap_or(0).into(),
        },
    }
}

/// Remembers a candidate if it is among the best; they are in ascending order.
fn offer(pool: &mut Vec<Candidate>, score: u64, db: usize, key: &[u8]) {
    if pool.len() == POOL && pool[0].score >= score || pool.iter().any(|known| known.db == db && *known.key == *key) {
        return;
    }
    if pool.len() == POOL {
        pool.remove(0);
    }
    let at = pool.partition_point(|known| known.score <= score);
    pool.insert(at, Candidate { score, db, key: key.into() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use resplite_storage::clock::Clock;
    use resplite_storage::disk::RealDisk;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn nothing_goes_while_data_is_being_loaded() {
        let mut settings = Settings { dir: "/nowhere".into(), ..Settings::default() };
        (settings.maxmemory, settings.maxmemory_policy) = (1, Policy::AllKeysRandom);
        let clock = Clock::manual(Duration::from_secs(1));
        let engine = Engine::new(settings.clone(), clock, 1, 1, Arc::new(RealDisk));
        engine.expect_data();
        // As the loader does it.
        let mut session = engine.housekeeper();
        let locked = engine.keyspace.lock_one(0);
        Ctx::new(&engine, &mut session, locked, &HOUSEKEEPING, 0, KeyHashes::default()).set(
            b"k",
            b"v",
            resplite_storage::shard::Expiry::Never,
        );
        assert_eq!(engine.make_room(&settings), Room::Enough);
        engine.expect_eviction(&settings);
        assert!(!engine.evictor.is_behind());
        // What is let in all the same, as it may have to be asked for at any time.
        let mut client = Client::new(engine.clone());
        client.call(["EXEC"]);
        client.call(["CONFIG", "SET", "maxmemory", "2"]);
        assert!(engine.catch_up());
        assert_eq!(engine.evictor.evicted().load(Ordering::Relaxed), 0);
        assert!(engine.used_memory() > 2);
    }
}
