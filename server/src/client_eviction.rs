//! `maxmemory-clients`: who has to go when all connections together take too much memory. Keys are the subject of `eviction`.

use crate::config::Settings;
use crate::engine::Engine;
use crate::registry::ClientRecord;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A client whose memory has changed by less is not counted anew, so that clients seldom meet at the sum.
const STEP: usize = 1024;

/// What one server knows of its clients' memory.
#[derive(Default)]
pub(crate) struct ClientMemory {
    /// Bytes, 0 is no limit.
    limit: AtomicU64,
    /// The sum of what is counted of each client. Nothing is counted while there is no limit.
    total: AtomicUsize,
    /// Held by whoever looks for clients that have to go.
    evicting: Mutex<()>,
}

impl ClientMemory {
    fn count(&self, client: &ClientRecord, bytes: usize) {
        let before = client.counted_memory.swap(bytes, Ordering::Relaxed);
        // Sums wrap on their way and not in the end.
        self.total.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
    }
}

impl Engine {
    /// Has the limit hold that the settings say, from now on.
    pub(crate) fn set_client_memory_limit(&self, settings: &Settings) {
        let limit = settings.client_memory_limit();
        self.client_memory.limit.store(limit, Ordering::Relaxed);
        if limit != 0 {
            self.evict_clients(limit);
        }
    }

    /// Counts what a client takes now, and has clients go if that is too much.
    #[inline]
    pub(crate) fn look_at_client(&self, client: &ClientRecord) {
        let limit = self.client_memory.limit.load(Ordering::Relaxed);
        if limit != 0 {
            self.count_client(client, limit);
        }
    }

    fn count_client(&self, client: &ClientRecord, limit: u64) {
        let (bytes, before) = (client.memory(), client.counted_memory.load(Ordering::Relaxed));
        // Whoever has to go is not counted any more.
        if before != 0 && bytes.abs_diff(before) < STEP || client.is_killed() {
            return;
        }
        self.client_memory.count(client, bytes);
        if self.client_memory.total.load(Ordering::Relaxed) as u64 > limit {
            self.evict_clients(limit);
        }
    }

    /// Counts a client that has gone no more.
    pub(crate) fn forget_client_memory(&self, client: &ClientRecord) {
        self.client_memory.count(client, 0);
    }

    /// Looks at all clients, and ends those that take most until the others may stay.
    #[cold]
    fn evict_clients(&self, limit: u64) {
        let memory = &self.client_memory;
        // Somebody else is at it.
        let Some(_evicting) = memory.evicting.try_lock() else { return };
        // What each takes is read once: they go on meanwhile, and come and go.
        let mut clients: Vec<_> = self.registry.all().into_iter().map(|client| (client.memory(), client)).collect();
        clients.retain(|(_, client)| !client.is_killed());
        for (bytes, client) in &clients {
            memory.count(client, *bytes);
            // Whoever has gone since has been forgotten before this, and must be once more.
            if self.registry.find(client.id).is_none() {
                memory.count(client, 0);
            }
        }
        let mut total: u64 = clients.iter().map(|(bytes, _)| *bytes as u64).sum();
        clients.retain(|(_, client)| !client.no_evict.load(Ordering::Relaxed));
        clients.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        for (bytes, client) in clients {
            if total <= limit {
                break;
            }
            total = total.saturating_sub(bytes as u64);
            client.kill();
            memory.count(&client, 0);
            self.stats.evicted_clients.fetch_add(1, Ordering::Relaxed);
            log::info!("client {} at {} has to go: it takes {bytes} bytes", client.id, client.addr);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resplite_storage::clock::Clock;
    use resplite_storage::disk::RealDisk;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn nothing_is_left_of_clients_that_come_and_go_while_others_are_looked_for() {
        let settings =
            Settings { maxmemory_clients: crate::config::ClientLimit::Bytes(200 << 10), ..Settings::default() };
        let engine = Engine::new(settings.clone(), Clock::manual(Duration::from_secs(1)), 2, 1, Arc::new(RealDisk));
        engine.set_client_memory_limit(&settings);
        let rounds = if cfg!(miri) { 20 } else { 3000 };
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let engine = &engine;
                scope.spawn(move || {
                    for round in 0..rounds {
                        let id = engine.registry.next_id();
                        let user = engine.acl.default_user();
                        let record = ClientRecord::new(id, user, "peer".into(), "here".into(), -1, 0);
                        let mut session = engine.open_session(record);
                        for step in 0..4 {
                            let bytes = (round * 37 + step * 40_000 + thread * 10_000) % 150_000;
                            session.record.query_capacity.store(bytes, Ordering::Relaxed);
                            engine.look_at_client(&session.record);
                        }
                        engine.close_session(&mut session);
                    }
                });
            }
        });
        assert_eq!(engine.client_memory.total.load(Ordering::Relaxed), 0);
    }
}
