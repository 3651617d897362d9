//! Consumer groups: what was delivered to whom and not yet acknowledged; the entries themselves are elsewhere.

use super::{Entries, Id};
use crate::clock::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What an entry of a tree costs besides its content: leaves are a little more than half full.
const TREE_SLACK: usize = 12;
const PENDING_BYTES: usize = size_of::<Id>() * 2 + size_of::<Pending>() + 2 * TREE_SLACK;
const CONSUMER_BYTES: usize = 2 * size_of::<Consumer>() + 64;

/// Which consumer of its group; numbers of removed consumers are used again.
pub type ConsumerId = u32;

/// A delivery that nobody has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it was delivered last.
    pub delivered: Millis,
    /// How often it was delivered.
    pub count: u64,
    /// To whom.
    pub consumer: ConsumerId,
}

/// A member of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its name.
    pub name: Arc<[u8]>,
    /// When it last tried to read or claim.
    pub seen: Millis,
    /// When it last got something, if it ever did.
    pub active: Option<Millis>,
    pending: BTreeSet<Id>,
}

impl Consumer {
    /// Ids that were delivered to it and that it has not acknowledged.
    pub fn pending(&self) -> &BTreeSet<Id> {
        &self.pending
    }
}

/// A group: consumers that share the entries of a stream.
#[derive(Clone, Debug)]
pub struct Group {
    last_id: Id,
    entries_read: Option<u64>,
    pending: BTreeMap<Id, Pending>,
    consumers: Vec<Option<Consumer>>,
    /// Numbers of consumers that were removed.
    free: Vec<ConsumerId>,
    by_name: BTreeMap<Arc<[u8]>, ConsumerId>,
    /// Bytes of the consumers' names.
    name_bytes: usize,
}

impl Group {
    /// A group without consumers, to whom everything up to `last_id` counts as delivered.
    pub fn new(last_id: Id, entries_read: Option<u64>) -> Self {
        Group {
            last_id,
            entries_read,
            pending: BTreeMap::new(),
            consumers: Vec::new(),
            free: Vec::new(),
            by_name: BTreeMap::new(),
            name_bytes: 0,
        }
    }

    /// The last id that was delivered.
    pub fn last_id(&self) -> Id {
        self.last_id
    }

    /// How many entries were delivered since the stream began, if that is known.
    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// Sets what counts as delivered.
    pub fn set_last_id(&mut self, last_id: Id, entries_read: Option<u64>) {
        self.last_id = last_id;
        self.entries_read = entries_read;
    }

    /// Has at least everything up to `id` count as delivered; how many entries that are is left as it is.
    pub fn raise_last_id(&mut self, id: Id) -> bool {
        let is_higher = id > self.last_id;
        if is_higher {
            self.last_id = id;
        }
        is_higher
    }

    /// Moves on to an entry that is delivered as new, and keeps count of them as far as that is possible.
    pub fn advance(&mut self, id: Id, entries: &Entries) {
        if id <= self.last_id {
            return;
        }
        let is_counted =
            entries.first_id().is_some_and(|first| self.last_id >= first) && !entries.has_tombstones_from(self.last_id);
        self.entries_read = match self.entries_read {
            Some(read) if is_counted => Some(read.saturating_add(1)),
            read if entries.added() == 0 => read,
            _ => entries.count_up_to(id),
        };
        self.last_id = id;
    }

    /// How many entries are still to be delivered, if that can be told.
    pub fn lag(&self, entries: &Entries) -> Option<i64> {
        let Some(first) = entries.first_id() else { return Some(0) };
        if self.last_id < first && entries.max_deleted_id() < first {
            return Some(entries.len() as i64);
        }
        let read = match self.entries_read {
            Some(read) if !entries.has_tombstones_from(self.last_id) => Some(read),
            _ => entries.count_up_to(self.last_id),
        };
        // Both counters can be set by hand, to anything.
        read.map(|read| entries.added().wrapping_sub(read) as i64)
    }

    /// All deliveries that wait, by id.
    pub fn pending(&self) -> &BTreeMap<Id, Pending> {
        &self.pending
    }

    /// Number of consumers.
    pub fn consumer_count(&self) -> usize {
        self.by_name.len()
    }

    /// The consumers in the order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.by_name.values().filter_map(|id| self.consumer(*id))
    }

    /// The consumer of a number.
    pub fn consumer(&self, id: ConsumerId) -> Option<&Consumer> {
        self.consumers.get(id as usize)?.as_ref()
    }

    /// The number of a consumer.
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        self.by_name.get(name).copied()
    }

    /// The number of a consumer, created if need be and seen now, and whether it was created.
    pub fn see_consumer(&mut self, name: &[u8], now: Millis) -> (ConsumerId, bool) {
        if let Some(id) = self.find_consumer(name) {
            if let Some(consumer) = self.consumer_mut(id) {
                consumer.seen = now;
            }
            return (id, false);
        }
        (self.add_consumer(Consumer { name: name.into(), seen: now, active: None, pending: BTreeSet::new() }), true)
    }

    /// Notes when a consumer was last seen and when it last got something.
    pub fn set_times(&mut self, id: ConsumerId, seen: Millis, active: Option<Millis>) {
        if let Some(consumer) = self.consumer_mut(id) {
            (consumer.seen, consumer.active) = (seen, active);
        }
    }

    /// Notes that a consumer got something now.
    pub fn set_active(&mut self, id: ConsumerId, now: Millis) {
        if let Some(consumer) = self.consumer_mut(id) {
            consumer.active = Some(now);
        }
    }

    /// Removes a consumer and what it had not acknowledged; returns how much that was. O(its deliveries).
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let id = self.by_name.remove(name)?;
        let consumer = self.consumers.get_mut(id as usize)?.take()?;
        self.free.push(id);
        self.name_bytes = self.name_bytes.saturating_sub(name.len());
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// Notes a delivery, which takes the entry from whomever it was delivered to before.
    pub fn set_pending(&mut self, id: Id, pending: Pending) {
        if let Some(old) = self.pending.insert(id, pending) {
            if old.consumer == pending.consumer {
                return;
            }
            if let Some(consumer) = self.consumer_mut(old.consumer) {
                consumer.pending.remove(&id);
            }
        }
        if let Some(consumer) = self.consumer_mut(pending.consumer) {
            consumer.pending.insert(id);
        }
    }

    /// Removes a delivery: it was acknowledged, or there is nothing left to acknowledge.
    pub fn remove_pending(&mut self, id: Id) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumer_mut(pending.consumer) {
            consumer.pending.remove(&id);
        }
        true
    }

    /// Bytes on the heap, about. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.pending.len() * PENDING_BYTES + self.by_name.len() * CONSUMER_BYTES + 2 * self.name_bytes
    }

    fn add_consumer(&mut self, consumer: Consumer) -> ConsumerId {
        let id = self.free.pop().unwrap_or(self.consumers.len() as ConsumerId);
        self.name_bytes += consumer.name.len();
        self.by_name.insert(consumer.name.clone(), id);
        match self.consumers.get_mut(id as usize) {
            Some(free) => *free = Some(consumer),
            None => self.consumers.push(Some(consumer)),
        }
        id
    }

    fn consumer_mut(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.consumers.get_mut(id as usize)?.as_mut()
    }
}
