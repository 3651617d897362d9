//! The clock: the only place where real time enters; everything else is told what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, the unit of every deadline.
pub type Millis = u64;

/// Source of the current time: the system's, or one that stands still until it is moved by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Microseconds since the Unix epoch of a manual clock; `None` asks the system.
    manual: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system's clock.
    pub fn real() -> Self {
        Clock { manual: None }
    }

    /// A clock that shows `start` since the Unix epoch until it is advanced.
    pub fn manual(start: Duration) -> Self {
        Clock { manual: Some(Arc::new(AtomicU64::new(as_micros(start)))) }
    }

    /// Whether the clock is moved by hand.
    pub fn is_manual(&self) -> bool {
        self.manual.is_some()
    }

    /// Microseconds since the Unix epoch.
    #[inline]
    pub fn micros(&self) -> u64 {
        match &self.manual {
            Some(now) => now.load(Ordering::Acquire),
            None => system_micros(),
        }
    }

    /// Milliseconds since the Unix epoch.
    #[inline]
    pub fn millis(&self) -> Millis {
        self.micros() / 1000
    }

    /// Moves a manual clock forward; a real one stays with the system. Returns whether it moved.
    pub fn advance(&self, by: Duration) -> bool {
        let Some(now) = &self.manual else { return false };
        now.fetch_add(as_micros(by), Ordering::AcqRel);
        true
    }
}

fn as_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[allow(clippy::disallowed_methods, reason = "this is the clock")]
fn system_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, as_micros)
}

/// Real time that passes, for the pace of work that no data depends on: how often a disk is synced.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts at zero.
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Stopwatch(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Clock::manual(Duration::from_secs(1_000));
        assert_eq!(clock.millis(), 1_000_000);
        assert!(clock.clone().advance(Duration::from_millis(5)));
        assert_eq!(clock.millis(), 1_000_005);
        assert!(!Clock::real().advance(Duration::from_secs(1)));
    }
}
