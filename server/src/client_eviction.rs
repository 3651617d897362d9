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
        let mut clients = self.registry.all();
        clients.retain(|client| !client.is_killed());
        let mut total = 0;
        for client in &clients {
            let bytes = client.memory();
            memory.count(client, bytes);
            total += bytes as u64;
        }
        clients.retain(|client| !client.no_evict.load(Ordering::Relaxed));
        clients.sort_by_cached_key(|client| std::cmp::Reverse(client.counted_memory.load(Ordering::Relaxed)));
        for client in clients {
            if total <= limit {
                break;
            }
            let bytes = client.counted_memory.load(Ordering::Relaxed);
            total -= bytes as u64;
            client.kill();
            memory.count(&client, 0);
            self.stats.evicted_clients.fetch_add(1, Ordering::Relaxed);
            log::info!("client {} at {} has to go: it takes {bytes} bytes", client.id, client.addr);
        }
    }
}
