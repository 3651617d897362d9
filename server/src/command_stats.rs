//! How often each command ran, was refused or failed, and how long it took: INFO's commandstats and latencystats, LATENCY
//! HISTOGRAM.
//!
//! Commands that are not marked fast are timed by themselves. Fast ones share the time between two readings of the clock, which is
//! a batch's or a part of it; where they are parts of EXEC or of a script, one of [`SAMPLED`] is timed for all.

use crate::command::{self, Command};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of so many fast commands inside EXEC and scripts one is timed.
pub(crate) const SAMPLED: u32 = 16;
/// Digits of a duration that the histograms tell apart.
const DIGITS: u8 = 2;
/// The longest duration that they know, in nanoseconds: a second, as in Redis.
const LONGEST: u64 = 1_000_000_000;

/// One command's numbers.
#[derive(Default)]
struct Row {
    calls: AtomicU64,
    micros: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
    /// Nanoseconds; made when the command first runs.
    durations: Mutex<Option<Histogram<u64>>>,
}

/// One command's numbers at one moment.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Totals {
    pub(crate) calls: u64,
    pub(crate) micros: u64,
    pub(crate) rejected: u64,
    pub(crate) failed: u64,
}

/// What has run of one command.
pub(crate) struct Ran {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    /// Of all calls together.
    pub(crate) micros: u64,
    /// Calls that a sample stands for, and nanoseconds of each; none if nothing was measured.
    pub(crate) measured: (u64, u64),
}

/// The numbers of all commands of one server. Clients are spread over several sets, so that workers do not write to the same
/// lines of memory all the time.
pub(crate) struct CommandStats {
    stripes: Box<[Box<[Row]>]>,
}

impl CommandStats {
    pub(crate) fn new(stripes: usize) -> Self {
        let rows = || (0..command::numbered().len()).map(|_| Row::default()).collect();
        CommandStats { stripes: (0..stripes.max(1)).map(|_| rows()).collect() }
    }

    /// Adds what has run for a client.
    pub(crate) fn add(&self, client: u64, command: &Command, ran: &Ran, tracks_latency: bool) {
        let row = self.row(client, command);
        row.calls.fetch_add(ran.calls, Ordering::Relaxed);
        row.micros.fetch_add(ran.micros, Ordering::Relaxed);
        if ran.failed != 0 {
            row.failed.fetch_add(ran.failed, Ordering::Relaxed);
        }
        let (calls, nanos) = ran.measured;
        if tracks_latency && calls != 0 {
            let mut durations = row.durations.lock();
            let durations = durations.get_or_insert_with(histogram);
            durations.saturating_record_n(nanos.clamp(1, LONGEST), calls);
        }
    }

    /// Adds calls of one command that were timed one by one.
    pub(crate) fn add_timed(&self, client: u64, calls: &[Timed], tracks_latency: bool) {
        let Some(command) = calls.first().map(|call| call.command) else { return };
        let row = self.row(client, command);
        row.calls.fetch_add(calls.len() as u64, Ordering::Relaxed);
        row.micros.fetch_add(calls.iter().map(|call| call.micros).sum(), Ordering::Relaxed);
        let failed = calls.iter().filter(|call| call.has_failed).count() as u64;
        if failed != 0 {
            row.failed.fetch_add(failed, Ordering::Relaxed);
        }
        if tracks_latency {
            let mut durations = row.durations.lock();
            let durations = durations.get_or_insert_with(histogram);
            for call in calls {
                durations.saturating_record(call.micros.saturating_mul(1000).clamp(1, LONGEST));
            }
        }
    }

    /// Counts a command that was refused.
    pub(crate) fn count_rejected(&self, client: u64, command: &Command) {
        self.row(client, command).rejected.fetch_add(1, Ordering::Relaxed);
    }

    fn row(&self, client: u64, command: &Command) -> &Row {
        &self.stripes[client as usize % self.stripes.len()][command::number(command)]
    }

    fn rows(&self, number: usize) -> impl Iterator<Item = &Row> {
        self.stripes.iter().map(move |rows| &rows[number])
    }

    /// The numbers of a command.
    pub(crate) fn totals(&self, command: &Command) -> Totals {
        let mut totals = Totals::default();
        for row in self.rows(command::number(command)) {
            totals.calls += row.calls.load(Ordering::Relaxed);
            totals.micros += row.micros.load(Ordering::Relaxed);
            totals.rejected += row.rejected.load(Ordering::Relaxed);
            totals.failed += row.failed.load(Ordering::Relaxed);
        }
        totals
    }

    /// How long a command took, in nanoseconds; `None` if that was never measured.
    pub(crate) fn durations(&self, command: &Command) -> Option<Histogram<u64>> {
        let mut sum: Option<Histogram<u64>> = None;
        for row in self.rows(command::number(command)) {
            let durations = row.durations.lock();
            let Some(durations) = &*durations else { continue };
            match &mut sum {
                None => sum = Some(durations.clone()),
                // Both have the same bounds.
                Some(sum) => drop(sum.add(durations)),
            }
        }
        sum
    }

    /// Forgets everything, as CONFIG RESETSTAT does.
    pub(crate) fn reset(&self) {
        for row in self.stripes.iter().flatten() {
            let Row { calls, micros, rejected, failed, durations } = row;
            [calls, micros, rejected, failed].iter().for_each(|count| count.store(0, Ordering::Relaxed));
            *durations.lock() = None;
        }
    }
}

fn histogram() -> Histogram<u64> {
    // The bounds are constants that it takes.
    Histogram::new_with_bounds(1, LONGEST, DIGITS).unwrap_or_else(|_| unreachable!("these are bounds"))
}

/// A call of a command that was timed by itself.
pub(crate) struct Timed {
    command: &'static Command,
    micros: u64,
    has_failed: bool,
}

/// Calls that a connection has room for between its batches.
const FEW_TIMED: usize = 8;
/// Calls that are kept before they are added to the statistics.
const MOST_TIMED: usize = 256;

/// Commands of a session that are not in the statistics yet: fast ones that have run since the clock was last read, and others of
/// the same batch.
#[derive(Default)]
pub(crate) struct Tally {
    lines: SmallVec<[Line; 1]>,
    timed: Vec<Timed>,
    /// The running command has failed.
    pub(crate) has_failed: bool,
    /// Fast commands inside EXEC and scripts, of which some are timed.
    inner: u32,
}

struct Line {
    command: &'static Command,
    calls: u64,
    failed: u64,
}

impl Tally {
    /// Notes a fast command that has run.
    #[inline]
    pub(crate) fn note(&mut self, command: &'static Command) {
        let failed = u64::from(std::mem::take(&mut self.has_failed));
        if let Some(line) = self.lines.last_mut().filter(|line| std::ptr::eq(line.command, command)) {
            line.calls += 1;
            line.failed += failed;
            return;
        }
        self.note_another(command, failed);
    }

    fn note_another(&mut self, command: &'static Command, failed: u64) {
        match self.lines.iter_mut().find(|line| std::ptr::eq(line.command, command)) {
            Some(line) => {
                line.calls += 1;
                line.failed += failed;
            }
            None => self.lines.push(Line { command, calls: 1, failed }),
        }
    }

    /// Notes a command that was timed by itself; returns whether there are so many of them that they have to be added.
    #[inline]
    pub(crate) fn note_timed(&mut self, command: &'static Command, micros: u64) -> bool {
        let has_failed = std::mem::take(&mut self.has_failed);
        self.timed.push(Timed { command, micros, has_failed });
        self.timed.len() >= MOST_TIMED
    }

    /// Whether there are commands that were timed by themselves.
    #[inline]
    pub(crate) fn has_timed(&self) -> bool {
        !self.timed.is_empty()
    }

    /// Hands out the commands that were timed by themselves, those of one kind that followed each other together.
    pub(crate) fn take_timed(&mut self, add: impl FnMut(&[Timed])) {
        self.timed.chunk_by(|one, next| std::ptr::eq(one.command, next.command)).for_each(add);
        self.timed.clear();
        // An idle connection keeps next to nothing.
        self.timed.shrink_to(FEW_TIMED);
    }

    /// Whether there is anything to share a time.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether the next fast command inside EXEC or a script is timed.
    #[inline]
    pub(crate) fn is_sampled(&mut self) -> bool {
        self.inner = self.inner.wrapping_add(1);
        self.inner.is_multiple_of(SAMPLED)
    }

    /// Lets the commands share so many microseconds, and begins anew.
    pub(crate) fn share(&mut self, micros: u64, mut add: impl FnMut(&'static Command, Ran)) {
        let all: u64 = self.lines.iter().map(|line| line.calls).sum();
        let mut left = (micros, all);
        for Line { command, calls, failed } in self.lines.drain(..) {
            // What does not divide goes to the later ones.
            let share = left.0 * calls / left.1.max(1);
            left = (left.0 - share, left.1 - calls);
            let nanos = micros.saturating_mul(1000) / all.max(1);
            add(command, Ran { calls, failed, micros: share, measured: (calls, nanos) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(name: &str) -> &'static Command {
        command::find(name.as_bytes()).unwrap()
    }

    #[test]
    fn fast_commands_share_what_was_measured() {
        let stats = CommandStats::new(2);
        let mut tally = Tally::default();
        for name in ["get", "get", "set", "get"] {
            tally.has_failed = name == "set";
            tally.note(command(name));
        }
        tally.share(10, |command, ran| stats.add(1, command, &ran, true));
        assert!(tally.is_empty());
        let get = stats.totals(command("get"));
        let set = stats.totals(command("set"));
        assert_eq!((get.calls, get.failed, set.calls, set.failed), (3, 0, 1, 1));
        assert_eq!((get.micros, set.micros), (7, 3), "nothing is lost");
        let durations = stats.durations(command("get")).unwrap();
        assert_eq!((durations.len(), durations.max() / 100), (3, 25), "each took a quarter");
        assert!(stats.durations(command("del")).is_none());
        stats.count_rejected(0, command("get"));
        assert_eq!(stats.totals(command("get")).rejected, 1);
        stats.reset();
        assert_eq!(stats.totals(command("get")), Totals::default());
        assert!(stats.durations(command("get")).is_none());
    }

    #[test]
    fn what_was_timed_by_itself_is_added_in_one_go() {
        let stats = CommandStats::new(1);
        let mut tally = Tally::default();
        for (name, micros) in [("set", 3), ("set", 5), ("lrange", 7), ("set", 11)] {
            tally.has_failed = micros == 5;
            assert!(!tally.note_timed(command(name), micros));
        }
        tally.take_timed(|calls| stats.add_timed(0, calls, true));
        assert!(!tally.has_timed() && !tally.has_failed);
        let expected = Totals { calls: 3, micros: 19, rejected: 0, failed: 1 };
        assert_eq!(stats.totals(command("set")), expected);
        assert_eq!(stats.totals(command("lrange")), Totals { calls: 1, micros: 7, ..Totals::default() });
        let durations = stats.durations(command("set")).unwrap();
        assert_eq!((durations.len(), durations.min() / 1000, durations.max() / 1000), (3, 2, 11));
        assert!((1..MOST_TIMED).all(|_| !tally.note_timed(command("set"), 1)) && tally.note_timed(command("set"), 1));
    }

    #[test]
    fn one_of_a_few_is_sampled() {
        let mut tally = Tally::default();
        let sampled = (0..10 * SAMPLED).filter(|_| tally.is_sampled()).count();
        assert_eq!(sampled, 10);
    }
}
