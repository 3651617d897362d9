//! What a server counts for INFO and CONFIG RESETSTAT; what it counts for each command is in `command_stats.rs`.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters for INFO and CONFIG RESETSTAT.
#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) connections: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) commands: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) errors: AtomicU64,
    /// Error replies by their code.
    pub(crate) errors_by_code: Mutex<BTreeMap<String, u64>>,
    pub(crate) evicted_clients: AtomicU64,
    pub(crate) query_limit_disconnections: AtomicU64,
    pub(crate) output_limit_disconnections: AtomicU64,
    rates: Mutex<RateSample>,
}

/// What the counters were when somebody last asked for rates, and the rates of then.
#[derive(Clone, Copy, Default)]
struct RateSample {
    micros: u64,
    counts: [u64; 3],
    rates: [f64; 3],
}

/// Codes that are counted apart; error texts can come from clients, and their number must not grow without bound.
const MOST_ERROR_CODES: usize = 128;

impl Stats {
    /// Counts an error reply, given its text with the code in front.
    pub(crate) fn count_error(&self, text: &[u8]) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        let code = &*String::from_utf8_lossy(code);
        let mut codes = self.errors_by_code.lock();
        if let Some(count) = codes.get_mut(code) {
            *count += 1;
        } else if codes.len() < MOST_ERROR_CODES {
            codes.insert(code.to_owned(), 1);
        }
    }

    /// Commands, bytes in and bytes out per second, since the last time that somebody asked (or since `started`): nothing
    /// samples them in the meantime, as an idle server does nothing. Asked again within a second it gives the same answer.
    pub(crate) fn rates(&self, started: u64, now: u64) -> [f64; 3] {
        let counts = [&self.commands, &self.bytes_in, &self.bytes_out].map(|count| count.load(Ordering::Relaxed));
        let mut sample = self.rates.lock();
        let micros = now.saturating_sub(sample.micros.max(started));
        if micros >= 1_000_000 {
            // CONFIG RESETSTAT may have set the counters back.
            let grown = |at: usize| counts[at].saturating_sub(sample.counts[at]) as f64 * 1e6 / micros as f64;
            let rates = [grown(0), grown(1), grown(2)];
            *sample = RateSample { micros: now, counts, rates };
        }
        sample.rates
    }

    /// Sets all counters back to zero.
    pub(crate) fn reset(&self, now: u64) {
        let Stats {
            connections,
            rejected,
            commands,
            bytes_in,
            bytes_out,
            reads,
            writes,
            errors,
            errors_by_code,
            evicted_clients,
            query_limit_disconnections,
            output_limit_disconnections,
            rates,
        } = self;
        *rates.lock() = RateSample { micros: now, ..RateSample::default() };
        for counter in [
            connections,
            rejected,
            commands,
            bytes_in,
            bytes_out,
            reads,
            writes,
            errors,
            evicted_clients,
            query_limit_disconnections,
            output_limit_disconnections,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        errors_by_code.lock().clear();
    }
}
