//! The log as it grows: records are appended to memory in the order of execution, and a thread writes and syncs them.
//!
//! Positions count bytes since the log was created. [`Log::durable`] says up to where the disk has promised to keep them.
//! After a failed write or sync it says nothing more: the file is never written again, and only a fresh one, made by a
//! rewrite, takes its place.

use super::batch::{Head, LONGEST};
use super::manifest::{FileInfo, Kind, Manifest};
use crate::clock::Stopwatch;
use crate::disk::{Disk, DiskFile, install};
use crate::snapshot::commands::write_command;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes of a batch, about; a longer record makes a longer batch.
const BATCH: usize = 1 << 20;
/// Bytes that may wait to be written before those who append wait as well.
const MOST_WAITING: u64 = 64 << 20;
/// How long the writer rests after a write if nobody waits for it: one call for what comes meanwhile.
const REST: Duration = Duration::from_millis(2);
/// Bytes that end the writer's rest.
const ENOUGH: usize = 1 << 20;
/// The part of a sync's time that the writer waits for others under `always`.
const GATHER: u32 = 8;
/// Shorter rests cost more than they bring.
const LEAST_REST: Duration = Duration::from_micros(50);
const SECOND: Duration = Duration::from_secs(1);
/// A buffer that has grown beyond this is given back.
const KEEP: usize = 4 << 20;

/// When the log is synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum SyncPolicy {
    /// After every write; those who wait for a position share the sync.
    Always = 0,
    /// Once a second, if there is something to sync.
    #[default]
    EverySecond = 1,
    /// Never; the operating system does when it likes.
    No = 2,
}

/// Where the log's files are and how they are written.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Directory of the files; it is created if its parent exists.
    pub directory: PathBuf,
    /// First part of the files' names.
    pub name: String,
    /// When the log is synced.
    pub policy: SyncPolicy,
    /// Leaves syncs out while a rewrite or a snapshot is being written.
    pub no_sync_on_rewrite: bool,
    /// Whether bases are snapshots in the RDB format; their names say so.
    pub rdb_base: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions {
            directory: "appendonlydir".into(),
            name: "appendonly.aof".into(),
            policy: SyncPolicy::default(),
            no_sync_on_rewrite: false,
            rdb_base: true,
        }
    }
}

/// The log cannot keep what was appended.
#[derive(Clone, Debug)]
pub struct LogError(String);

impl fmt::Display for LogError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for LogError {}

/// What INFO shows of a log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogStats {
    /// Bytes of base and increments.
    pub current_size: u64,
    /// Bytes of base and increments after the last rewrite or at the start.
    pub base_size: u64,
    /// Bytes that wait to be written.
    pub buffer_length: u64,
    /// Whether something has been written and not synced.
    pub pending_syncs: u64,
    /// Syncs that came more than a second late.
    pub delayed_syncs: u64,
}

/// A file that records go to.
struct Increment {
    file: Box<dyn DiskFile>,
    sequence: u64,
    size: u64,
    synced: u64,
    /// The manifest names it behind the file before it, so nothing may be written to it unless all of that is safe: what
    /// is loaded must not have a gap.
    is_listed: bool,
}

/// From this position on records go to another file.
struct Switch {
    position: u64,
    increment: Increment,
}

#[derive(Default)]
struct Inner {
    /// Records that the writer has not taken.
    buffer: Vec<u8>,
    /// Where batches may end in it, at least every [`BATCH`] bytes.
    ends: Vec<usize>,
    switches: Vec<Switch>,
    /// Position behind the buffer.
    end: u64,
    /// Calls of `append` since the writer last took the buffer.
    appended: u64,
    /// The database that the last record is of.
    db: Option<usize>,
    failure: Option<String>,
    /// Records are dropped: the file has failed and there is no other yet.
    drops: bool,
    /// Whether the manifest names the file that is written, and everything before it is safe.
    is_listed: bool,
    closes: bool,
    writer_sleeps: bool,
    writer_rests: bool,
    /// The number of the file that is written.
    sequence: u64,
    /// Position up to which the file that is written has been synced.
    synced: u64,
    waiting: Vec<(u64, Waker)>,
    /// Threads that wait for a position.
    sleepers: usize,
    thread: Option<JoinHandle<()>>,
}

impl Inner {
    /// Whether somebody waits for a position.
    fn is_waited_for(&self) -> bool {
        self.sleepers > 0 || !self.waiting.is_empty()
    }
}

/// The files, changed only by who opens, rewrites and closes.
#[derive(Default)]
struct Files {
    options: LogOptions,
    manifest: Manifest,
    /// Files of rewrites that came to nothing. A manifest that such a rewrite wrote at its last step may name them, so they
    /// stay until another one has taken its place.
    strays: Vec<PathBuf>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    inner: Mutex<Inner>,
    /// Rung for the writer.
    work: Condvar,
    /// Rung by the writer.
    progress: Condvar,
    is_open: AtomicBool,
    has_failed: AtomicBool,
    end: AtomicU64,
    written: AtomicU64,
    durable: AtomicU64,
    policy: AtomicU8,
    no_sync_on_rewrite: AtomicBool,
    is_busy: AtomicBool,
    size: AtomicU64,
    base_size: AtomicU64,
    unsynced: AtomicU64,
    delayed_syncs: AtomicU64,
    /// The size at which the listener is told.
    alarm: AtomicU64,
    listener: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// The log of a server; closed at first.
pub struct Log {
    shared: Arc<Shared>,
    files: Mutex<Files>,
}

/// A rewrite that has been prepared.
pub struct Rewrite {
    increment: Mutex<Option<Increment>>,
    /// The number of the file that records go to; `None` if none are appended.
    sequence: Option<u64>,
    base: PathBuf,
    base_name: String,
    base_sequence: u64,
}

impl Rewrite {
    /// Where the new base is to be written; [`Log::finish_rewrite`] gives it its name.
    pub fn base_path(&self) -> &Path {
        &self.base
    }
}

impl Log {
    /// A closed log.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        let shared = Shared {
            disk,
            inner: Mutex::default(),
            work: Condvar::new(),
            progress: Condvar::new(),
            is_open: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            end: AtomicU64::new(0),
            written: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            policy: AtomicU8::new(SyncPolicy::EverySecond as u8),
            no_sync_on_rewrite: AtomicBool::new(false),
            is_busy: AtomicBool::new(false),
            size: AtomicU64::new(0),
            base_size: AtomicU64::new(0),
            unsynced: AtomicU64::new(0),
            delayed_syncs: AtomicU64::new(0),
            alarm: AtomicU64::new(u64::MAX),
            listener: OnceLock::new(),
        };
        Log { shared: Arc::new(shared), files: Mutex::default() }
    }

    /// Has `listener` called when the log fails and when it reaches the size of [`Log::set_alarm`]. Only the first call
    /// counts; it must not wait for the log.
    pub fn on_event(&self, listener: impl Fn() + Send + Sync + 'static) {
        let _ = self.shared.listener.set(Box::new(listener));
    }

    /// Has the listener told once when the log's files come to `size` bytes.
    pub fn set_alarm(&self, size: u64) {
        self.shared.alarm.store(size, Ordering::Relaxed);
    }

    /// Says whether the disk is busy with a snapshot or a rewrite, for [`LogOptions::no_sync_on_rewrite`].
    pub fn set_busy(&self, busy: bool) {
        self.shared.is_busy.store(busy, Ordering::Relaxed);
    }

    /// Sets where the next files are and how they are written.
    pub fn set_options(&self, options: LogOptions) {
        self.shared.policy.store(options.policy as u8, Ordering::Relaxed);
        self.shared.no_sync_on_rewrite.store(options.no_sync_on_rewrite, Ordering::Relaxed);
        self.files.lock().options = options;
        // A stricter policy may have something to sync at once.
        self.shared.wake_writer(&mut self.shared.inner.lock());
    }

    /// Whether changes are to be appended. Costs one load.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.shared.is_open.load(Ordering::Relaxed)
    }

    /// Whether the log cannot keep what is appended. Costs one load.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.shared.has_failed.load(Ordering::Relaxed)
    }

    /// Why the log cannot keep what is appended.
    pub fn failure(&self) -> Option<String> {
        self.shared.inner.lock().failure.clone()
    }

    /// Position up to which the disk keeps what was appended.
    #[inline]
    pub fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    /// Appends whole records; the first is of database `first_db`, behind the last one `last_db` is selected. Returns the
    /// position behind them.
    ///
    /// Callers hold the locks of what they have changed: the order of calls is the order of execution.
    #[inline]
    pub fn append(&self, first_db: usize, last_db: usize, records: &[u8]) -> u64 {
        self.append_with(first_db, last_db, |buffer| buffer.extend_from_slice(records))
    }

    /// As [`Log::append`], for records that `write` appends to the log's own buffer: it must do nothing else.
    #[inline]
    pub fn append_with(&self, first_db: usize, last_db: usize, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let mut inner = self.shared.inner.lock();
        let before = inner.buffer.len();
        if inner.db != Some(first_db) {
            write_command(&mut inner.buffer, &[b"SELECT", first_db.to_string().as_bytes()]);
        }
        inner.db = Some(last_db);
        write(&mut inner.buffer);
        let len = inner.buffer.len();
        inner.end += (len - before) as u64;
        inner.appended += 1;
        let end = inner.end;
        self.shared.end.store(end, Ordering::Relaxed);
        if inner.drops {
            inner.buffer.clear();
            return end;
        }
        if len - inner.ends.last().copied().unwrap_or(0) >= BATCH {
            inner.ends.push(len);
        }
        // Where each write is synced, the writer is woken by `flush`: one sync for all that came in the same turn.
        let is_enough = len >= ENOUGH;
        if inner.writer_sleeps && (is_enough || self.shared.policy() != SyncPolicy::Always)
            || inner.writer_rests && is_enough
        {
            self.shared.wake_writer(&mut inner);
        }
        end
    }

    /// Has what was appended written and synced now, where it has to be; for threads that serve clients, when they have
    /// nothing more to do. Costs a few loads if there is nothing.
    #[inline]
    pub fn flush(&self) {
        let shared = &self.shared;
        if shared.end.load(Ordering::Relaxed) != shared.written.load(Ordering::Relaxed)
            && self.is_open()
            && shared.policy() == SyncPolicy::Always
        {
            let mut inner = shared.inner.lock();
            if inner.writer_sleeps {
                shared.wake_writer(&mut inner);
            }
        }
    }

    /// Waits while more than 64 MiB wait to be written, so that a slow disk slows those who write instead of filling the
    /// memory. No locks may be held.
    #[inline]
    pub fn throttle(&self) {
        let shared = &self.shared;
        if shared.end.load(Ordering::Relaxed).saturating_sub(shared.written.load(Ordering::Relaxed)) > MOST_WAITING {
            shared.wait_for_room();
        }
    }

    /// Whether the disk keeps everything up to `position`; `None` if not yet.
    pub fn is_durable(&self, position: u64) -> Option<Result<(), LogError>> {
        if self.durable() >= position {
            return Some(Ok(()));
        }
        if !self.has_failed() && self.is_open() {
            return None;
        }
        match self.poll_durable(position, Waker::noop()) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }

    /// Whether the disk keeps everything up to `position`; if not yet, `waker` is woken when that changes.
    pub fn poll_durable(&self, position: u64, waker: &Waker) -> Poll<Result<(), LogError>> {
        if self.durable() >= position {
            return Poll::Ready(Ok(()));
        }
        let mut inner = self.shared.inner.lock();
        if self.durable() >= position {
            return Poll::Ready(Ok(()));
        }
        if let Some(failure) = &inner.failure {
            return Poll::Ready(Err(LogError(failure.clone())));
        }
        if !self.is_open() && !inner.closes {
            return Poll::Ready(Err(LogError("the log is closed".into())));
        }
        self.register(&mut inner, position, waker);
        Poll::Pending
    }

    /// As [`Log::poll_durable`], but a failure is no end: a rewrite may make it good, and then `waker` is woken. Whoever gives
    /// up says so with [`Log::forget`].
    pub fn poll_reached(&self, position: u64, waker: &Waker) -> Poll<()> {
        if self.durable() >= position {
            return Poll::Ready(());
        }
        let mut inner = self.shared.inner.lock();
        if self.durable() >= position {
            return Poll::Ready(());
        }
        self.register(&mut inner, position, waker);
        Poll::Pending
    }

    /// Has a waker woken no more.
    pub fn forget(&self, waker: &Waker) {
        self.shared.inner.lock().waiting.retain(|(_, known)| !known.will_wake(waker));
    }

    fn register(&self, inner: &mut Inner, position: u64, waker: &Waker) {
        match inner.waiting.iter_mut().find(|(_, known)| known.will_wake(waker)) {
            Some((known, _)) => *known = position.min(*known),
            None => inner.waiting.push((position, waker.clone())),
        }
        if self.shared.policy() == SyncPolicy::No {
            self.shared.wake_writer(inner);
        }
    }

    /// Waits until the disk keeps everything up to `position`.
    ///
    /// # Errors
    /// It never will: the log has failed.
    pub fn wait_durable(&self, position: u64) -> Result<(), LogError> {
        let mut inner = self.shared.inner.lock();
        while self.durable() < position {
            if let Some(failure) = &inner.failure {
                return Err(LogError(failure.clone()));
            }
            if !self.is_open() && !inner.closes {
                return Err(LogError("the log is closed".into()));
            }
            inner.sleepers += 1;
            self.shared.wake_writer(&mut inner);
            self.shared.progress.wait(&mut inner);
            inner.sleepers -= 1;
        }
        Ok(())
    }

    /// Sizes and counters.
    pub fn stats(&self) -> LogStats {
        let shared = &self.shared;
        let (end, written) = (shared.end.load(Ordering::Relaxed), shared.written.load(Ordering::Relaxed));
        LogStats {
            current_size: shared.size.load(Ordering::Relaxed),
            base_size: shared.base_size.load(Ordering::Relaxed),
            buffer_length: if self.has_failed() { 0 } else { end.saturating_sub(written) },
            pending_syncs: u64::from(shared.unsynced.load(Ordering::Relaxed) > 0),
            delayed_syncs: shared.delayed_syncs.load(Ordering::Relaxed),
        }
    }

    /// Goes on with the log that lies in the directory, behind its last file, or begins an empty one. What the directory
    /// held must have been loaded.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open(&self) -> io::Result<()> {
        let disk = &*self.shared.disk;
        let mut files = self.files.lock();
        let (directory, name) = (files.options.directory.clone(), files.options.name.clone());
        disk.create_dir(&directory)?;
        disk.sync_dir(crate::disk::directory_of(&directory))?;
        let path = Manifest::path(&directory, &name);
        let mut manifest = Manifest::read(disk, &path)?.unwrap_or_default();
        remove_history(disk, &directory, &mut manifest, &path)?;
        let mut total = 0;
        for file in &manifest.files {
            let path = directory.join(&file.name);
            total += disk.len(&path)?.unwrap_or(0);
            // What is about to be written behind it needs it, and whoever wrote it may not have come to sync it.
            if file.kind == Kind::Increment {
                disk.append(&path)?.sync()?;
            }
        }
        let last = manifest.increments().next_back().map(|last| (directory.join(&last.name), last.sequence));
        let increment = match last {
            Some((path, sequence)) => {
                let size = disk.len(&path)?.unwrap_or(0);
                let file = disk.append(&path)?;
                Increment { file, sequence, size, synced: size, is_listed: true }
            }
            None => {
                let increment = create_increment(disk, &directory, &name, &mut manifest)?;
                manifest.write(disk, &path)?;
                increment
            }
        };
        files.manifest = manifest;
        let mut inner = self.shared.inner.lock();
        self.shared.size.store(total, Ordering::Relaxed);
        self.shared.base_size.store(total, Ordering::Relaxed);
        inner.is_listed = true;
        self.start(&mut inner, increment)
    }

    fn start(&self, inner: &mut Inner, increment: Increment) -> io::Result<()> {
        let shared = self.shared.clone();
        let end = inner.end;
        (inner.sequence, inner.synced, inner.db) = (increment.sequence, end, None);
        (inner.closes, inner.drops) = (false, false);
        self.shared.written.store(end, Ordering::Relaxed);
        if inner.is_listed {
            self.shared.durable.store(end, Ordering::Release);
        }
        let writer = Writer {
            shared,
            increment: Some(increment),
            position: end,
            since: None,
            sync_took: Duration::ZERO,
            out: Vec::new(),
        };
        inner.thread = Some(std::thread::Builder::new().name("resplite-log".into()).spawn(move || writer.run())?);
        self.shared.is_open.store(true, Ordering::Release);
        Ok(())
    }

    /// Begins a rewrite: creates the file that records will go to. A healthy log's manifest names it from here on, behind
    /// the others; if there is no log yet or it has failed, only [`Log::finish_rewrite`] does. No shard may be locked.
    ///
    /// # Errors
    /// Those of the disk; nothing has changed then.
    pub fn prepare_rewrite(&self) -> io::Result<Rewrite> {
        self.prepare(true)
    }

    /// As [`Log::prepare_rewrite`], for a log that is closed and stays closed: the directory gets a base, and that is all.
    ///
    /// # Errors
    /// Those of the disk; nothing has changed then.
    pub fn prepare_base(&self) -> io::Result<Rewrite> {
        self.prepare(false)
    }

    fn prepare(&self, continues: bool) -> io::Result<Rewrite> {
        let disk = &*self.shared.disk;
        let mut files = self.files.lock();
        let (directory, name) = (files.options.directory.clone(), files.options.name.clone());
        let path = Manifest::path(&directory, &name);
        if !self.is_open() {
            disk.create_dir(&directory)?;
            disk.sync_dir(crate::disk::directory_of(&directory))?;
            files.manifest = Manifest::read(disk, &path)?.unwrap_or_default();
        }
        let mut manifest = files.manifest.clone();
        let mut increment = None;
        if continues {
            let mut created = create_increment(disk, &directory, &name, &mut manifest)?;
            created.is_listed = self.is_open() && self.shared.inner.lock().is_listed;
            if created.is_listed {
                manifest.write(disk, &path)?;
                files.manifest = manifest;
            }
            increment = Some(created);
        }
        let suffix = if files.options.rdb_base { "rdb" } else { "aof" };
        let mut base_sequence = files.manifest.next(Kind::Base);
        // A rewrite that failed at its last step may have left a manifest that counts: its base must not be replaced.
        while disk.len(&directory.join(format!("{name}.{base_sequence}.base.{suffix}")))?.is_some() {
            base_sequence += 1;
        }
        Ok(Rewrite {
            sequence: increment.as_ref().map(|increment| increment.sequence),
            increment: Mutex::new(increment),
            base: directory.join(format!("temp-{name}.{base_sequence}.base.{suffix}")),
            base_name: format!("{name}.{base_sequence}.base.{suffix}"),
            base_sequence,
        })
    }

    /// Has later records go to the file of the rewrite. All shards are locked, so this is the moment that the new base
    /// must be a picture of.
    ///
    /// # Errors
    /// The log was closed and its thread does not start; it has failed since the rewrite was prepared.
    pub fn switch(&self, rewrite: &Rewrite) -> io::Result<()> {
        let Some(increment) = rewrite.increment.lock().take() else { return Ok(()) };
        let mut inner = self.shared.inner.lock();
        if !self.is_open() {
            inner.is_listed = false;
            self.shared.size.store(0, Ordering::Relaxed);
            return self.start(&mut inner, increment);
        }
        if let (true, Some(failure)) = (increment.is_listed, &inner.failure) {
            return Err(io::Error::other(failure.clone()));
        }
        (inner.db, inner.drops) = (None, false);
        // A batch must not go across.
        let (len, position) = (inner.buffer.len(), inner.end);
        if inner.ends.last().copied().unwrap_or(0) < len {
            inner.ends.push(len);
        }
        inner.switches.push(Switch { position, increment });
        self.shared.wake_writer(&mut inner);
        Ok(())
    }

    /// Ends a rewrite whose base has been written and synced: from here on the log is the new base and what came since.
    ///
    /// # Errors
    /// Those of the disk, or the new file has failed meanwhile. The log is what it was, then.
    pub fn finish_rewrite(&self, rewrite: Rewrite) -> io::Result<()> {
        let finished = self.install(&rewrite);
        if finished.is_err() {
            self.abandon_rewrite(rewrite);
        }
        finished
    }

    fn install(&self, rewrite: &Rewrite) -> io::Result<()> {
        let (shared, disk) = (&self.shared, &*self.shared.disk);
        let mut files = self.files.lock();
        let (directory, name) = (files.options.directory.clone(), files.options.name.clone());
        let path = Manifest::path(&directory, &name);
        // Everything before the switch is in the base. The writer must have gone past it: its own error would come later.
        if let Some(sequence) = rewrite.sequence {
            let mut inner = shared.inner.lock();
            while inner.sequence < sequence && !inner.drops && self.is_open() {
                shared.progress.wait(&mut inner);
            }
            if inner.drops || !self.is_open() {
                let reason = inner.failure.clone().unwrap_or_else(|| "the log was closed".into());
                return Err(io::Error::other(reason));
            }
        }
        let base = directory.join(&rewrite.base_name);
        install(disk, &rewrite.base, &base)?;
        let mut manifest = files.manifest.clone();
        for file in &mut manifest.files {
            let stays = file.kind == Kind::Increment && rewrite.sequence.is_some_and(|first| file.sequence >= first);
            if !stays {
                file.kind = Kind::History;
            }
        }
        if let Some(sequence) = rewrite.sequence
            && !manifest.increments().any(|file| file.sequence == sequence)
        {
            manifest.files.push(FileInfo { name: increment_name(&name, sequence), sequence, kind: Kind::Increment });
        }
        let info = FileInfo { name: rewrite.base_name.clone(), sequence: rewrite.base_sequence, kind: Kind::Base };
        manifest.files.insert(0, info);
        manifest.write(disk, &path)?;
        files.manifest = manifest;
        // From here on the new files are the log.
        let mut inner = shared.inner.lock();
        if !inner.drops && rewrite.sequence.is_some() {
            inner.is_listed = true;
            inner.failure = None;
            shared.has_failed.store(false, Ordering::Release);
            let synced = inner.synced;
            shared.publish(&mut inner, synced);
        }
        drop(inner);
        if let Err(error) = remove_history(disk, &directory, &mut files.manifest, &path) {
            log::warn!("files that the log does not need any more stay: {error}");
        }
        let Files { manifest, strays, .. } = &mut *files;
        strays.retain(|stray| {
            let is_named = manifest.files.iter().any(|file| directory.join(&file.name) == *stray);
            !is_named && remove_if_there(disk, stray).is_err()
        });
        let mut total = 0;
        for file in &files.manifest.files {
            total += disk.len(&directory.join(&file.name))?.unwrap_or(0);
        }
        shared.size.store(total, Ordering::Relaxed);
        shared.base_size.store(total, Ordering::Relaxed);
        Ok(())
    }

    /// Gives a rewrite up. A log that had failed, or was not there, is a failed one.
    pub fn abandon_rewrite(&self, rewrite: Rewrite) {
        let disk = &*self.shared.disk;
        // It may never have been written.
        let _ = disk.remove(&rewrite.base);
        let mut files = self.files.lock();
        let base = rewrite.base.with_file_name(&rewrite.base_name);
        let path = Manifest::path(&files.options.directory, &files.options.name);
        // What is sure to be named by no manifest makes room at once: that may be what is missing.
        let is_unnamed = matches!(Manifest::read(disk, &path), Ok(Some(manifest))
            if manifest.files.iter().all(|file| file.name != rewrite.base_name));
        let is_gone = is_unnamed && remove_if_there(disk, &base).is_ok();
        let name = &files.options.name;
        let increment = rewrite.sequence.map(|sequence| base.with_file_name(increment_name(name, sequence)));
        for stray in [(!is_gone).then_some(base), increment].into_iter().flatten() {
            if !files.strays.contains(&stray) {
                files.strays.push(stray);
            }
        }
        drop(files);
        let mut inner = self.shared.inner.lock();
        if self.is_open() && !inner.is_listed {
            let reason = inner.failure.clone().unwrap_or_else(|| "the log could not be begun".into());
            self.shared.fail(&mut inner, reason);
        }
    }

    /// Has nothing appended any more: from here on changes are not logged. All shards are locked; [`Log::close`] does what
    /// takes time, when they are not.
    pub fn begin_close(&self) {
        let mut inner = self.shared.inner.lock();
        inner.closes = inner.thread.is_some();
        self.shared.is_open.store(false, Ordering::Release);
        self.shared.wake_writer(&mut inner);
    }

    /// Writes and syncs what is left and ends the thread.
    ///
    /// # Errors
    /// The log has failed.
    pub fn close(&self) -> io::Result<()> {
        let mut inner = self.shared.inner.lock();
        let Some(thread) = inner.thread.take() else { return Ok(()) };
        inner.closes = true;
        self.shared.wake_writer(&mut inner);
        drop(inner);
        let ended = thread.join();
        let mut inner = self.shared.inner.lock();
        self.shared.is_open.store(false, Ordering::Release);
        let failure = inner.failure.take();
        self.shared.has_failed.store(false, Ordering::Release);
        (inner.is_listed, inner.drops, inner.closes) = (false, false, false);
        self.shared.wake_all(&mut inner);
        if ended.is_err() {
            return Err(io::Error::other("the log's thread has panicked"));
        }
        failure.map_or(Ok(()), |failure| Err(io::Error::other(failure)))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            log::error!("the log could not be written to its end: {error}");
        }
    }
}

fn increment_name(name: &str, sequence: u64) -> String {
    format!("{name}.{sequence}.incr.aof")
}

/// Creates the next increment and adds it to the manifest, which is not written.
fn create_increment(disk: &dyn Disk, directory: &Path, name: &str, manifest: &mut Manifest) -> io::Result<Increment> {
    let mut sequence = manifest.next(Kind::Increment);
    // A rewrite that came to nothing may have left a file that no manifest names.
    while disk.len(&directory.join(increment_name(name, sequence)))?.is_some_and(|len| len > 0) {
        sequence += 1;
    }
    let info = FileInfo { name: increment_name(name, sequence), sequence, kind: Kind::Increment };
    let mut file = disk.create(&directory.join(&info.name))?;
    file.sync()?;
    disk.sync_dir(directory)?;
    manifest.files.push(info);
    Ok(Increment { file, sequence, size: 0, synced: 0, is_listed: false })
}

/// Removes the files that the manifest calls history, and then their lines.
fn remove_history(disk: &dyn Disk, directory: &Path, manifest: &mut Manifest, path: &Path) -> io::Result<()> {
    let is_history = |file: &FileInfo| file.kind == Kind::History;
    if !manifest.files.iter().any(is_history) {
        return Ok(());
    }
    for file in manifest.files.iter().filter(|file| is_history(file)) {
        remove_if_there(disk, &directory.join(&file.name))?;
    }
    manifest.files.retain(|file| !is_history(file));
    manifest.write(disk, path)
}

fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    if disk.len(path)?.is_some() {
        disk.remove(path)?;
    }
    Ok(())
}

impl Shared {
    fn wake_writer(&self, inner: &mut Inner) {
        if inner.writer_sleeps || inner.writer_rests {
            (inner.writer_sleeps, inner.writer_rests) = (false, false);
            self.work.notify_one();
        }
    }

    #[cold]
    fn wait_for_room(&self) {
        let mut inner = self.inner.lock();
        while inner.end.saturating_sub(self.written.load(Ordering::Relaxed)) > MOST_WAITING
            && !inner.drops
            && self.is_open.load(Ordering::Relaxed)
        {
            self.progress.wait(&mut inner);
        }
    }

    fn policy(&self) -> SyncPolicy {
        match self.policy.load(Ordering::Relaxed) {
            0 => SyncPolicy::Always,
            1 => SyncPolicy::EverySecond,
            _ => SyncPolicy::No,
        }
    }

    /// Whether syncs are left out for now.
    fn skips_sync(&self) -> bool {
        self.no_sync_on_rewrite.load(Ordering::Relaxed) && self.is_busy.load(Ordering::Relaxed)
    }

    /// Says that everything up to `position` is kept.
    fn publish(&self, inner: &mut Inner, position: u64) {
        inner.synced = position;
        if !inner.is_listed || inner.failure.is_some() {
            return;
        }
        self.durable.fetch_max(position, Ordering::AcqRel);
        let mut index = 0;
        while index < inner.waiting.len() {
            if inner.waiting[index].0 <= position {
                inner.waiting.swap_remove(index).1.wake();
            } else {
                index += 1;
            }
        }
        self.progress.notify_all();
    }

    fn wake_all(&self, inner: &mut Inner) {
        inner.waiting.drain(..).for_each(|(_, waker)| waker.wake());
        self.progress.notify_all();
    }

    fn fail(&self, inner: &mut Inner, reason: String) {
        log::error!("the log has failed: {reason}");
        inner.failure = Some(reason);
        (inner.drops, inner.is_listed) = (inner.switches.is_empty(), false);
        if inner.drops {
            inner.buffer.clear();
            inner.ends.clear();
        }
        self.has_failed.store(true, Ordering::Release);
        self.wake_all(inner);
        self.tell();
    }

    fn tell(&self) {
        if let Some(listener) = self.listener.get() {
            listener();
        }
    }
}

/// The thread that writes.
struct Writer {
    shared: Arc<Shared>,
    /// `None` after a failure.
    increment: Option<Increment>,
    /// Position behind what has been written.
    position: u64,
    /// Runs since the first write that has not been synced.
    since: Option<Stopwatch>,
    /// What the last sync took.
    sync_took: Duration,
    out: Vec<u8>,
}

impl Writer {
    fn run(mut self) {
        let shared = self.shared.clone();
        let (mut buffer, mut ends) = (Vec::new(), Vec::new());
        let mut inner = shared.inner.lock();
        loop {
            self.wait_for_work(&shared, &mut inner);
            std::mem::swap(&mut inner.buffer, &mut buffer);
            std::mem::swap(&mut inner.ends, &mut ends);
            let switches = std::mem::take(&mut inner.switches);
            let closes = inner.closes;
            let appended = std::mem::take(&mut inner.appended);
            // While records are dropped the end goes on without them.
            self.position = inner.end - buffer.len() as u64;
            drop(inner);
            let done = self.write(&buffer, &ends, switches);
            buffer.clear();
            ends.clear();
            if buffer.capacity() > KEEP {
                buffer = Vec::new();
            }
            let done = done.and_then(|()| self.sync_if_due(closes));
            inner = shared.inner.lock();
            match done {
                Ok(()) => {}
                Err(error) => {
                    self.increment = None;
                    // There is nothing left to sync.
                    self.since = None;
                    shared.unsynced.store(0, Ordering::Relaxed);
                    shared.fail(&mut inner, error.to_string());
                }
            }
            shared.progress.notify_all();
            if closes && inner.buffer.is_empty() {
                drop(inner);
                return self.seal();
            }
            let rest = match shared.policy() {
                // Who has just been told that his change is kept is about to send the next one: on a slow disk it pays to
                // wait for them all, as the next sync would otherwise begin with the first.
                SyncPolicy::Always if appended > 1 => self.sync_took / GATHER,
                SyncPolicy::Always => Duration::ZERO,
                SyncPolicy::EverySecond | SyncPolicy::No => REST,
            };
            if rest > LEAST_REST && !inner.closes && inner.buffer.len() < ENOUGH {
                inner.writer_rests = true;
                shared.work.wait_for(&mut inner, rest);
                inner.writer_rests = false;
            }
        }
    }

    /// Sleeps until there is something to write, to sync or to end.
    fn wait_for_work(&mut self, shared: &Shared, inner: &mut MutexGuard<'_, Inner>) {
        loop {
            if !inner.buffer.is_empty() || !inner.switches.is_empty() || inner.closes {
                return;
            }
            let pause = match (&self.since, shared.policy()) {
                (Some(_), _) if shared.skips_sync() => Some(SECOND),
                (Some(_), SyncPolicy::Always) => return,
                (Some(since), SyncPolicy::EverySecond) => match SECOND.checked_sub(since.elapsed()) {
                    Some(left) if !left.is_zero() => Some(left),
                    _ => return,
                },
                // Somebody was promised a sync, under another policy.
                (Some(_), SyncPolicy::No) if inner.is_waited_for() => return,
                _ => None,
            };
            inner.writer_sleeps = true;
            match pause {
                Some(pause) => drop(shared.work.wait_for(inner, pause)),
                None => shared.work.wait(inner),
            }
            inner.writer_sleeps = false;
        }
    }

    /// Writes what was taken, going from one file to the next where the switches say.
    fn write(&mut self, buffer: &[u8], ends: &[usize], switches: Vec<Switch>) -> io::Result<()> {
        let (mut switches, start) = (switches.into_iter().peekable(), self.position);
        let mut done = Ok(());
        let mut from = 0;
        for end in ends.iter().copied().chain([buffer.len()]) {
            while let Some(switch) = switches.next_if(|switch| switch.position <= start + from as u64) {
                done = self.switch(switch.increment, done);
            }
            if end > from && done.is_ok() {
                done = self.write_batch(&buffer[from..end]);
            }
            from = end;
            self.position = start + end as u64;
        }
        for switch in switches {
            done = self.switch(switch.increment, done);
        }
        self.shared.written.store(self.position, Ordering::Relaxed);
        done
    }

    fn write_batch(&mut self, records: &[u8]) -> io::Result<()> {
        // After a failure there is nothing to write to, and what was appended has been given up.
        let Some(increment) = &mut self.increment else { return Ok(()) };
        self.out.clear();
        self.out.reserve(records.len() + LONGEST);
        Head::new(records, increment.synced).write(&mut self.out);
        self.out.extend_from_slice(records);
        increment.file.write_all(&self.out)?;
        let len = self.out.len() as u64;
        increment.size += len;
        if self.out.capacity() > KEEP {
            self.out = Vec::new();
        }
        self.since.get_or_insert_with(Stopwatch::start);
        self.shared.unsynced.store(1, Ordering::Relaxed);
        let size = self.shared.size.fetch_add(len, Ordering::Relaxed) + len;
        if size >= self.shared.alarm.load(Ordering::Relaxed) {
            self.shared.alarm.store(u64::MAX, Ordering::Relaxed);
            self.shared.tell();
        }
        Ok(())
    }

    /// Goes on in another file. The old one is synced first; if it has failed, the new one is a fresh start, unless the
    /// manifest names it already.
    fn switch(&mut self, next: Increment, done: io::Result<()>) -> io::Result<()> {
        let done = done.and_then(|()| self.sync());
        let mut inner = self.shared.inner.lock();
        if next.is_listed {
            let failure = inner.failure.clone();
            done.and_then(|()| failure.map_or(Ok(()), |failure| Err(io::Error::other(failure))))
                .inspect_err(|_| self.increment = None)?;
        } else if let Err(error) = done {
            inner.failure = Some(error.to_string());
            inner.is_listed = false;
            self.shared.has_failed.store(true, Ordering::Release);
            self.shared.wake_all(&mut inner);
        }
        // What lies before is in the base that this file belongs to.
        (inner.sequence, inner.synced) = (next.sequence, self.position);
        self.since = None;
        self.increment = Some(next);
        Ok(())
    }

    fn sync_if_due(&mut self, closes: bool) -> io::Result<()> {
        let Some(since) = &self.since else { return Ok(()) };
        if self.shared.skips_sync() && !closes {
            // As the setting asks: what has been handed to the operating system counts as kept.
            self.shared.publish(&mut self.shared.inner.lock(), self.position);
            return Ok(());
        }
        let is_due = match self.shared.policy() {
            _ if closes => true,
            SyncPolicy::Always => true,
            SyncPolicy::EverySecond => since.elapsed() >= SECOND,
            SyncPolicy::No => self.shared.inner.lock().is_waited_for(),
        };
        if !is_due {
            return Ok(());
        }
        if self.shared.policy() == SyncPolicy::EverySecond && since.elapsed() > 2 * SECOND && !closes {
            self.shared.delayed_syncs.fetch_add(1, Ordering::Relaxed);
        }
        self.sync()
    }

    /// Ends the file with an empty batch that says that everything before it was synced: damage there will be known for
    /// what it is.
    fn seal(mut self) {
        let Some(increment) = self.increment.as_mut().filter(|increment| increment.size > 0) else { return };
        self.out.clear();
        Head::new(&[], increment.synced).write(&mut self.out);
        if let Err(error) = increment.file.write_all(&self.out).and_then(|()| increment.file.sync()) {
            // All that matters has been synced.
            log::warn!("the log could not be sealed: {error}");
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let Some(increment) = &mut self.increment else { return Ok(()) };
        if increment.synced < increment.size {
            let began = Stopwatch::start();
            increment.file.sync()?;
            self.sync_took = began.elapsed();
            increment.synced = increment.size;
        }
        self.since = None;
        self.shared.unsynced.store(0, Ordering::Relaxed);
        let mut inner = self.shared.inner.lock();
        self.shared.publish(&mut inner, self.position);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Log, LogOptions, SyncPolicy};
    use crate::disk::sim::SimDisk;
    use std::path::Path;
    use std::sync::Arc;

    const RECORD: &[u8] = b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";

    fn log(disk: &SimDisk, policy: SyncPolicy) -> Log {
        let log = Log::new(Arc::new(disk.clone()));
        log.set_options(LogOptions { directory: "/data/appendonlydir".into(), policy, ..LogOptions::default() });
        log
    }

    #[test]
    fn who_was_promised_a_sync_gets_it_under_any_policy() {
        let disk = SimDisk::new();
        let log = log(&disk, SyncPolicy::Always);
        log.open().unwrap();
        let first = log.append(0, 0, RECORD);
        log.wait_durable(first).unwrap();
        log.set_options(LogOptions {
            directory: "/data/appendonlydir".into(),
            policy: SyncPolicy::No,
            ..LogOptions::default()
        });
        let second = log.append(0, 0, RECORD);
        log.wait_durable(second).unwrap();
        let path = Path::new("/data/appendonlydir/appendonly.aof.1.incr.aof");
        assert_eq!(disk.crash(1).content(path), disk.content(path));
        log.close().unwrap();
        assert!(!log.is_open() && log.wait_durable(second + 1).is_err());
    }

    #[test]
    fn a_database_is_selected_where_it_changes_and_in_every_file() {
        let disk = SimDisk::new();
        let log = log(&disk, SyncPolicy::Always);
        log.open().unwrap();
        log.append(0, 0, RECORD);
        log.append(0, 3, RECORD);
        log.append(3, 3, RECORD);
        let end = log.append(1, 1, RECORD);
        log.wait_durable(end).unwrap();
        let rewrite = log.prepare_rewrite().unwrap();
        log.switch(&rewrite).unwrap();
        let end = log.append(1, 1, RECORD);
        log.wait_durable(end).unwrap();
        let selects = |number: u32| {
            let path = format!("/data/appendonlydir/appendonly.aof.{number}.incr.aof");
            let text = String::from_utf8(disk.content(Path::new(&path)).unwrap()).unwrap();
            text.matches("SELECT").count()
        };
        assert_eq!((selects(1), selects(2)), (2, 1));
        log.abandon_rewrite(rewrite);
    }
}
