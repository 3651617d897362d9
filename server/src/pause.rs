//! CLIENT PAUSE: which commands do not run for a while, and who waits for its end.

use crate::registry::ClientRecord;
use parking_lot::Mutex;
use resplite_storage::clock::Millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const OFF: u8 = 0;
const WRITES: u8 = 1;
const ALL: u8 = 2;

/// The pause of one server. While it lasts nothing expires either.
#[derive(Default)]
pub(crate) struct Pause {
    /// Looked at before every command.
    mode: AtomicU8,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    end: Millis,
    waiting: Vec<Arc<ClientRecord>>,
}

impl Pause {
    /// Whether there is a pause.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.mode.load(Ordering::Acquire) != OFF
    }

    /// Whether it stops every command, and not only those that change something.
    pub(crate) fn stops_all(&self) -> bool {
        self.mode.load(Ordering::Acquire) == ALL
    }

    /// When it ends.
    pub(crate) fn end(&self) -> Option<Millis> {
        self.is_on().then(|| self.inner.lock().end)
    }

    /// Begins a pause, or makes the one that there is longer or stricter; it never becomes shorter or milder.
    pub(crate) fn begin(&self, end: Millis, all: bool) {
        let mut inner = self.inner.lock();
        let mode = self.mode.load(Ordering::Acquire);
        inner.end = if mode == OFF { end } else { inner.end.max(end) };
        self.mode.store(mode.max(if all { ALL } else { WRITES }), Ordering::Release);
    }

    /// Ends the pause and wakes those who wait for that.
    pub(crate) fn stop(&self) {
        let mut inner = self.inner.lock();
        self.mode.store(OFF, Ordering::Release);
        for client in inner.waiting.drain(..) {
            client.is_paused.store(false, Ordering::Relaxed);
            client.waker.wake();
        }
    }

    /// Ends the pause if its time is up.
    pub(crate) fn end_if_due(&self, now: Millis) {
        if self.end().is_some_and(|end| end <= now) {
            self.stop();
        }
    }

    /// Has a client woken when the pause ends; returns false if there is none.
    pub(crate) fn wait(&self, client: &Arc<ClientRecord>) -> bool {
        let mut inner = self.inner.lock();
        let is_on = self.is_on();
        if is_on && !client.is_paused.swap(true, Ordering::Relaxed) {
            inner.waiting.push(client.clone());
        }
        is_on
    }

    /// Does not wake a client, which is gone.
    pub(crate) fn forget(&self, client: &ClientRecord) {
        if client.is_paused.swap(false, Ordering::Relaxed) {
            self.inner.lock().waiting.retain(|waiting| waiting.id != client.id);
        }
    }

    /// How many clients wait for the end.
    pub(crate) fn waiting(&self) -> usize {
        self.inner.lock().waiting.len()
    }
}
