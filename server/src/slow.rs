//! What took long: the slow log of commands, and the latency monitor's samples of events; times are those that were spent
//! running, not waiting.

use crate::command::{self, Command, Flags};
use crate::config::Settings;
use crate::monitor::is_secret;
use crate::registry::ClientRecord;
use parking_lot::Mutex;
use resplite_resp::request::Args;
use std::collections::{BTreeMap, VecDeque};

/// Most arguments of an entry; if there are more, the last one says how many.
const MOST_ARGS: usize = 32;
/// Longest argument of an entry.
const MOST_ARG: usize = 128;
/// Samples that are kept of each event.
const MOST_SAMPLES: usize = 160;
/// Commands with more arguments than this are not fast, whatever their flags say.
const FAST_ARGS: usize = 64;
/// Below so many microseconds every command's time is taken by itself.
const FINE: i64 = 1000;

/// One slow command.
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// Seconds since the epoch.
    pub(crate) time: u64,
    /// Microseconds.
    pub(crate) took: u64,
    pub(crate) args: Vec<Vec<u8>>,
    pub(crate) addr: String,
    pub(crate) name: String,
}

/// The slow log and the latency monitor of one server.
#[derive(Default)]
pub(crate) struct Slow {
    log: Mutex<Log>,
    events: Mutex<BTreeMap<&'static str, Event>>,
}

#[derive(Default)]
struct Log {
    /// The newest first.
    entries: VecDeque<Entry>,
    next: u64,
}

/// What the latency monitor knows of one kind of event.
#[derive(Clone, Default)]
pub(crate) struct Event {
    /// Second and milliseconds, the oldest first.
    pub(crate) samples: VecDeque<(u64, u64)>,
    /// The longest ever, in milliseconds.
    pub(crate) most: u64,
}

/// A command that has run.
pub(crate) struct Done<'a> {
    pub(crate) command: &'static Command,
    pub(crate) args: Args<'a>,
    pub(crate) client: &'a ClientRecord,
    /// Microseconds since the epoch, when it was done.
    pub(crate) micros: u64,
    /// Microseconds that it ran for.
    pub(crate) took: u64,
}

/// Whether a command's time must be taken by itself, whatever the settings say. The others' is part of their batch's, which
/// costs no reading of the clock: they take next to nothing.
#[inline]
pub(crate) fn is_timed(command: Option<&'static Command>, args: Args<'_>) -> bool {
    command.is_none_or(|command| !command.flags.has(Flags::FAST)) || args.len() > FAST_ARGS
}

/// Whether every command's time is taken by itself.
#[inline]
pub(crate) fn times_all(settings: &Settings) -> bool {
    (0..FINE).contains(&settings.slowlog_log_slower_than)
}

impl Slow {
    /// Notes a command if it was slow.
    #[inline]
    pub(crate) fn note(&self, done: Done<'_>, settings: &Settings) {
        let slower_than = settings.slowlog_log_slower_than;
        if slower_than >= 0 && done.took >= slower_than.unsigned_abs() {
            self.log(&done, settings.slowlog_max_len);
        }
        if settings.latency_monitor_threshold != 0 && done.took / 1000 >= settings.latency_monitor_threshold {
            let event = if done.command.flags.has(Flags::FAST) { "fast-command" } else { "command" };
            self.sample(event, done.micros, done.took, settings);
        }
    }

    #[cold]
    fn log(&self, done: &Done<'_>, most: u64) {
        let sub = done.args.get(1).and_then(|name| command::find_subcommand(done.command, name));
        let command = sub.unwrap_or(done.command);
        if command.flags.has(Flags::SKIP_SLOWLOG) {
            return;
        }
        let mut log = self.log.lock();
        let id = log.next;
        log.next += 1;
        log.entries.push_front(Entry {
            id,
            time: done.micros / 1_000_000,
            took: done.took,
            args: shorten(command, done.args),
            addr: done.client.addr.clone(),
            name: done.client.names.lock().name.clone(),
        });
        log.entries.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    }

    /// Calls `visit` with the newest entries, `most` at most, and before that with how many they are.
    pub(crate) fn entries<R>(
        &self,
        most: usize,
        visit: impl FnOnce(usize, &mut dyn Iterator<Item = &Entry>) -> R,
    ) -> R {
        let log = self.log.lock();
        let count = most.min(log.entries.len());
        visit(count, &mut log.entries.iter().take(count))
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.log.lock().entries.len()
    }

    /// Forgets the entries; numbers go on.
    pub(crate) fn reset(&self) {
        self.log.lock().entries.clear();
    }

    /// Notes an event of the latency monitor if it took as long as the threshold says.
    pub(crate) fn sample(&self, event: &'static str, micros: u64, took: u64, settings: &Settings) {
        let (second, millis) = (micros / 1_000_000, took / 1000);
        if settings.latency_monitor_threshold == 0 || millis < settings.latency_monitor_threshold {
            return;
        }
        let mut events = self.events.lock();
        let event = events.entry(event).or_default();
        event.most = event.most.max(millis);
        match event.samples.back_mut() {
            // The worst of each second.
            Some((last, worst)) if *last == second => *worst = millis.max(*worst),
            _ => {
                if event.samples.len() == MOST_SAMPLES {
                    event.samples.pop_front();
                }
                event.samples.push_back((second, millis));
            }
        }
    }

    /// All events, by name.
    pub(crate) fn events(&self) -> Vec<(&'static str, Event)> {
        self.events.lock().iter().map(|(name, event)| (*name, event.clone())).collect()
    }

    /// What is known of one event.
    pub(crate) fn event(&self, name: &[u8]) -> Option<Event> {
        let events = self.events.lock();
        events.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, event)| event.clone())
    }

    /// Forgets events, all if no names are given; returns how many there were.
    pub(crate) fn reset_events(&self, names: Args<'_>) -> usize {
        let mut events = self.events.lock();
        let before = events.len();
        events.retain(|known, _| {
            !names.is_empty() && !names.iter().any(|name| known.as_bytes().eq_ignore_ascii_case(name))
        });
        before - events.len()
    }
}

/// The arguments as an entry has them: not too many, not too long, and without what is secret.
fn shorten(command: &Command, args: Args<'_>) -> Vec<Vec<u8>> {
    let shown = if args.len() > MOST_ARGS { MOST_ARGS - 1 } else { args.len() };
    let mut all: Vec<Vec<u8>> = Vec::with_capacity(MOST_ARGS.min(args.len()));
    for (at, arg) in args.iter().take(shown).enumerate() {
        all.push(match arg.get(..MOST_ARG) {
            _ if is_secret(command, args, at) => b"(redacted)".to_vec(),
            Some(head) if arg.len() > MOST_ARG => {
                [head, format!("... ({} more bytes)", arg.len() - MOST_ARG).as_bytes()].concat()
            }
            _ => arg.to_vec(),
        });
    }
    if shown < args.len() {
        all.push(format!("... ({} more arguments)", args.len() - shown).into_bytes());
    }
    all
}
