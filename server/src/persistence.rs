//! What is kept on disk: loading at the start, snapshots and rewrites in the background, and what happens when the disk
//! fails. The formats are storage's.

mod replay;

use crate::config::{AppendFsync, Settings};
use crate::engine::Engine;
use crate::error::{CmdResult, CommandError};
use parking_lot::{Condvar, Mutex};
use replay::{Replay, STOPPED};
use resplite_storage::aof::manifest::Manifest;
use resplite_storage::aof::{self, LoadOptions, Loaded, Log, LogOptions, SyncPolicy};
use resplite_storage::clock::Stopwatch;
use resplite_storage::disk::{Disk, DiskFile, install};
use resplite_storage::keyspace::{Keyspace, Locked, ShardSet};
use resplite_storage::rdb::{Checksum, Options, Pieces, Reader};
use resplite_storage::snapshot::commands::write_command;
use resplite_storage::snapshot::{Form, Snapshot};
use resplite_storage::types::Limits;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// The data is being loaded.
pub(crate) const LOADING: u8 = 1;
/// The last snapshot that `save` asked for has failed, and `stop-writes-on-bgsave-error` says what to do then.
pub(crate) const SAVE_FAILED: u8 = 2;

/// The server has ended: nothing that is done now would be kept.
pub(crate) const ENDED: u8 = 4;

/// Bytes of a snapshot that are written at a time.
const BLOCK: usize = 256 * 1024;
/// Bytes of a snapshot after which it is synced on the way, so that the disk is not handed everything at the end.
const SYNC_EVERY: usize = 4 << 20;
/// Where a server says that the directory is its own.
const LOCK_FILE: &str = "resplite.lock";

/// The state of what is kept on disk.
pub(crate) struct Persistence {
    pub(crate) disk: Arc<dyn Disk>,
    state: Mutex<State>,
    /// Rung when a background job ends, when something may be due, and at the end.
    changed: Condvar,
    trouble: AtomicU8,
    /// Microseconds since the epoch.
    last_save: AtomicU64,
    /// The number of changes when the last snapshot was begun.
    saved_dirty: AtomicU64,
    pub(crate) load: LoadProgress,
    /// The number of changes when SHUTDOWN had a snapshot written.
    saved_at_end: AtomicU64,
    ends: AtomicBool,
    /// Runs while a log that has failed is left alone before it is tried anew: the disk's time, not the clients'.
    paused: Mutex<Option<Stopwatch>>,
    /// What the directory held is in memory, so that it may be written over.
    is_loaded: AtomicBool,
    /// SHUTDOWN NOSAVE: the snapshot that belongs to the end is not wanted.
    skips_last_save: AtomicBool,
}

/// What the loading of data has come to.
#[derive(Default)]
pub(crate) struct LoadProgress {
    pub(crate) started: AtomicU64,
    pub(crate) total: AtomicU64,
    pub(crate) loaded: AtomicU64,
    pub(crate) keys_loaded: AtomicU64,
    pub(crate) keys_expired: AtomicU64,
}

/// What runs in the background; one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Job {
    Save,
    Rewrite,
}

/// Outcomes of one kind of job.
#[derive(Clone, Copy, Default)]
pub(crate) struct Outcomes {
    pub(crate) done: u64,
    pub(crate) has_failed: bool,
    pub(crate) failed_in_a_row: u64,
    pub(crate) seconds: Option<u64>,
    /// When the last one ended, however it went, in seconds since the epoch.
    pub(crate) tried: u64,
}

#[derive(Default)]
struct State {
    /// With the time in microseconds at which it began.
    job: Option<(Job, u64)>,
    save_scheduled: bool,
    rewrite_scheduled: bool,
    saves: Outcomes,
    rewrites: Outcomes,
    threads: Vec<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
    /// Counts what may have made something due, so that nothing is missed between a look and a wait.
    events: u64,
    lock: Option<Box<dyn Send>>,
}

/// What INFO shows of the background.
pub(crate) struct Background {
    pub(crate) job: Option<(Job, u64)>,
    pub(crate) save_scheduled: bool,
    pub(crate) rewrite_scheduled: bool,
    pub(crate) saves: Outcomes,
    pub(crate) rewrites: Outcomes,
}

impl Persistence {
    pub(crate) fn new(disk: Arc<dyn Disk>, now: u64) -> Self {
        Persistence {
            disk,
            state: Mutex::default(),
            changed: Condvar::new(),
            trouble: AtomicU8::new(0),
            last_save: AtomicU64::new(now),
            saved_dirty: AtomicU64::new(0),
            load: LoadProgress::default(),
            saved_at_end: AtomicU64::new(u64::MAX),
            ends: AtomicBool::new(false),
            paused: Mutex::default(),
            is_loaded: AtomicBool::new(false),
            skips_last_save: AtomicBool::new(false),
        }
    }

    /// [`LOADING`] and [`SAVE_FAILED`], or 0: the fast path of the door.
    #[inline]
    pub(crate) fn trouble(&self) -> u8 {
        self.trouble.load(Ordering::Relaxed)
    }

    /// Whether data is being loaded.
    pub(crate) fn is_loading(&self) -> bool {
        self.trouble() & LOADING != 0
    }

    fn set_trouble(&self, bit: u8, on: bool) {
        if on {
            self.trouble.fetch_or(bit, Ordering::AcqRel);
        } else {
            self.trouble.fetch_and(!bit, Ordering::AcqRel);
        }
    }

    /// When the last snapshot was completed, in microseconds since the epoch; at first when the server came up.
    pub(crate) fn last_save(&self) -> u64 {
        self.last_save.load(Ordering::Relaxed)
    }

    /// What INFO shows.
    pub(crate) fn background(&self) -> Background {
        let state = self.state.lock();
        Background {
            job: state.job,
            save_scheduled: state.save_scheduled,
            rewrite_scheduled: state.rewrite_scheduled,
            saves: state.saves,
            rewrites: state.rewrites,
        }
    }

    /// Says that something may be due.
    pub(crate) fn ring(&self) {
        self.state.lock().events += 1;
        self.changed.notify_all();
    }

    /// Changes since the last snapshot, of so many altogether.
    pub(crate) fn unsaved(&self, dirty: u64) -> u64 {
        dirty.saturating_sub(self.saved_dirty.load(Ordering::Relaxed))
    }
}

/// A snapshot file on its way to the disk: written in blocks, with a running checksum.
struct SnapshotFile {
    file: Box<dyn DiskFile>,
    block: Vec<u8>,
    checksum: Option<Checksum>,
    unsynced: usize,
    syncs: bool,
}

impl SnapshotFile {
    fn create(disk: &dyn Disk, path: &Path, checksum: bool, syncs: bool) -> io::Result<Self> {
        let checksum = checksum.then(Checksum::new);
        Ok(SnapshotFile { file: disk.create(path)?, block: Vec::with_capacity(BLOCK), checksum, unsynced: 0, syncs })
    }

    fn write_block(&mut self) -> io::Result<()> {
        if let Some(checksum) = &mut self.checksum {
            checksum.update(&self.block);
        }
        self.file.write_all(&self.block)?;
        self.unsynced += self.block.len();
        self.block.clear();
        if self.syncs && self.unsynced >= SYNC_EVERY {
            self.unsynced = 0;
            self.file.sync()?;
        }
        Ok(())
    }

    /// Writes what is left, and the checksum that an RDB file ends with.
    fn finish(mut self, is_rdb: bool) -> io::Result<()> {
        self.write_block()?;
        if is_rdb {
            // Zero says that there is none.
            let checksum = self.checksum.take().map_or(0, |checksum| checksum.value());
            self.file.write_all(&checksum.to_le_bytes())?;
        }
        self.file.sync()
    }
}

impl Write for SnapshotFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() + bytes.len() > BLOCK {
            self.write_block()?;
        }
        self.block.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the server holds at one moment: its keys, and the sources of its libraries of functions.
struct Picture {
    keys: Snapshot,
    libraries: Vec<Arc<[u8]>>,
}

/// How a snapshot is to be written.
struct SnapshotPlan {
    path: PathBuf,
    form: Form,
    /// Whether it is the base of a log.
    is_base: bool,
    checksum: bool,
    syncs: bool,
}

impl Engine {
    fn snapshot_form(settings: &Settings) -> Form {
        Form::Rdb(Options { compress: settings.rdbcompression })
    }

    /// Begins a snapshot of this moment. Whoever begins one must walk it to its end.
    fn begin_picture(&self, locked: &mut Locked<'_>, form: Form) -> Picture {
        Picture { keys: Keyspace::begin_snapshot(locked, form), libraries: self.scripts.library_codes() }
    }

    /// Writes a snapshot that has been begun. It is walked to its end even if the disk fails on the way.
    fn write_snapshot(&self, picture: Picture, plan: &SnapshotPlan) -> io::Result<()> {
        let Picture { keys: mut snapshot, libraries } = picture;
        let mut file = SnapshotFile::create(&*self.persistence.disk, &plan.path, plan.checksum, plan.syncs);
        if let (Ok(out), Form::Rdb(options)) = (&mut file, plan.form) {
            let mut head = Pieces::new(options);
            let (ctime, used) = ((self.clock.micros() / 1_000_000).to_string(), self.used_memory().to_string());
            let bits = usize::BITS.to_string();
            head.header(
                snapshot.has_field_deadlines(),
                &[
                    ("redis-ver", crate::REDIS_VERSION),
                    ("redis-bits", &bits),
                    ("ctime", &ctime),
                    ("used-mem", &used),
                    ("aof-base", if plan.is_base { "1" } else { "0" }),
                ],
            );
            libraries.iter().for_each(|code| head.function(code));
            for (db, (keys, expires)) in snapshot.sizes().iter().enumerate().filter(|(_, sizes)| sizes.0 > 0) {
                head.select(db);
                head.resize(*keys, *expires);
            }
            if let Err(error) = head.write_to(out) {
                file = Err(error);
            }
        }
        if let (Ok(out), Form::Commands) = (&mut file, plan.form) {
            let mut commands = Vec::new();
            libraries.iter().for_each(|code| write_command(&mut commands, &[b"FUNCTION", b"LOAD", code]));
            if let Err(error) = out.write_all(&commands) {
                file = Err(error);
            }
        }
        while let Some(part) = snapshot.advance(&self.keyspace) {
            if let Ok(out) = &mut file
                && let Err(error) = part.write_to(out)
            {
                file = Err(error);
            }
            if let (Ok(_), true) = (&file, self.persistence.ends.load(Ordering::Relaxed)) {
                file = Err(io::Error::new(io::ErrorKind::Interrupted, "the server ends"));
            }
        }
        let mut file = file?;
        let is_rdb = matches!(plan.form, Form::Rdb(_));
        if let Form::Rdb(options) = plan.form {
            let mut tail = Pieces::new(options);
            tail.end();
            tail.write_to(&mut file)?;
        }
        file.finish(is_rdb)
    }

    /// Where snapshots lie.
    fn snapshot_path(settings: &Settings) -> PathBuf {
        settings.path(&settings.dbfilename)
    }

    /// Writes a snapshot under a name of its own and then puts it in the place of the last one.
    fn write_rdb(&self, snapshot: Picture, settings: &Settings) -> io::Result<()> {
        let path = Self::snapshot_path(settings);
        let temporary = settings.path(&format!("temp-{}-{}.rdb", std::process::id(), &self.run_id[..8]));
        let plan = SnapshotPlan {
            path: temporary.clone(),
            form: Self::snapshot_form(settings),
            is_base: false,
            checksum: settings.rdbchecksum,
            syncs: settings.rdb_save_incremental_fsync,
        };
        let disk = &*self.persistence.disk;
        let done = self.write_snapshot(snapshot, &plan).and_then(|()| install(disk, &temporary, &path));
        if done.is_err() {
            // What is left of it helps nobody; the error that matters is the one above.
            let _ = disk.remove(&temporary);
        }
        done
    }

    /// Takes the place of the one job in the background.
    fn claim(&self, job: Job) -> CmdResult {
        let mut state = self.persistence.state.lock();
        match (state.job, job) {
            (None, _) => {}
            (Some((Job::Save, _)), Job::Save) => return Err(CommandError::SAVE_IN_PROGRESS),
            (Some((Job::Rewrite, _)), Job::Rewrite) => return Err(CommandError::REWRITE_IN_PROGRESS),
            (Some(_), _) => return Err(CommandError::SAVE_WHILE_REWRITING),
        }
        state.job = Some((job, self.clock.micros()));
        self.log.set_busy(true);
        match job {
            Job::Save => state.save_scheduled = false,
            Job::Rewrite => state.rewrite_scheduled = false,
        }
        Ok(())
    }

    /// As [`Engine::claim`], but waits for whatever is on its way.
    fn claim_when_free(&self, job: Job) {
        while self.claim(job).is_err() {
            self.wait_while(|_| true);
        }
    }

    /// Gives the place of the one job back without having done it.
    fn release(&self) {
        self.log.set_busy(false);
        self.persistence.state.lock().job = None;
        self.persistence.ring();
    }

    /// Notes that there is a snapshot of the moment when there had been so many changes.
    fn note_saved(&self, dirty: u64) {
        let persistence = &self.persistence;
        persistence.last_save.store(self.clock.micros(), Ordering::Relaxed);
        persistence.saved_dirty.store(dirty, Ordering::Relaxed);
        persistence.set_trouble(SAVE_FAILED, false);
        log::info!("The snapshot is on disk");
    }

    /// Notes how a job in the background went; what waits for its end is rung for.
    fn conclude(&self, job: Job, done: &io::Result<()>, dirty: u64) {
        let persistence = &self.persistence;
        let now = self.clock.micros();
        match (job, done) {
            (Job::Save, Ok(())) => self.note_saved(dirty),
            (Job::Save, Err(error)) => {
                persistence.set_trouble(SAVE_FAILED, true);
                log::error!("The snapshot failed: {error}");
            }
            (Job::Rewrite, Ok(())) => log::info!("The log has been rewritten"),
            (Job::Rewrite, Err(error)) => log::error!("The rewriting of the log failed: {error}"),
        }
        self.log.set_busy(false);
        if job == Job::Rewrite && done.is_err() {
            *self.persistence.paused.lock() = Some(Stopwatch::start());
        }
        // Last, so that whoever sees that the job is done sees what it did.
        let mut state = persistence.state.lock();
        let began = state.job.take().map_or(now, |(_, began)| began);
        let outcomes = match job {
            Job::Save => &mut state.saves,
            Job::Rewrite => &mut state.rewrites,
        };
        outcomes.seconds = Some(now.saturating_sub(began) / 1_000_000);
        outcomes.tried = now / 1_000_000;
        outcomes.has_failed = done.is_err();
        match done {
            Ok(()) => (outcomes.done, outcomes.failed_in_a_row) = (outcomes.done + 1, 0),
            Err(_) => outcomes.failed_in_a_row += 1,
        }
        drop(state);
        persistence.ring();
    }

    /// Runs a job on a thread of its own.
    fn in_background(&self, work: impl FnOnce(&Engine) + Send + 'static) -> io::Result<()> {
        let engine = self.me.upgrade().ok_or_else(|| io::Error::other("the server ends"))?;
        let thread = std::thread::Builder::new().name("resplite-save".into()).spawn(move || {
            crate::usage::give_way();
            work(&engine);
        })?;
        let mut state = self.persistence.state.lock();
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        Ok(())
    }

    /// Writes a snapshot and returns when it is there. No shard may be locked.
    pub(crate) fn save(&self) -> CmdResult {
        self.wait_while(|job| job == Job::Rewrite);
        self.claim(Job::Save)?;
        let (settings, _) = self.settings();
        let (snapshot, dirty) = {
            let mut locked = self.keyspace.lock(&ShardSet::All);
            (self.begin_picture(&mut locked, Self::snapshot_form(&settings)), locked.dirty())
        };
        let done = self.write_rdb(snapshot, &settings);
        match &done {
            Ok(()) => self.note_saved(dirty),
            Err(error) => log::error!("The snapshot failed: {error}"),
        }
        self.log.set_busy(false);
        let mut state = self.persistence.state.lock();
        state.job = None;
        // Who asked hears of a failure. What the background is like it does not say, but a snapshot that is there does.
        if done.is_ok() {
            let saves = &mut state.saves;
            (saves.done, saves.has_failed, saves.failed_in_a_row) = (saves.done + 1, false, 0);
        }
        drop(state);
        self.persistence.ring();
        done.map_err(|_| CommandError::text("ERR"))
    }

    /// Begins a snapshot of this moment, all shards being locked. Returns false if it was only scheduled, behind a job
    /// that is on its way.
    pub(crate) fn begin_save(&self, locked: &mut Locked<'_>, schedule: bool) -> CmdResult<bool> {
        match self.claim(Job::Save) {
            Ok(()) => {}
            Err(error) if schedule && error == CommandError::SAVE_WHILE_REWRITING => {
                self.persistence.state.lock().save_scheduled = true;
                self.start_keeper();
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        let (settings, _) = self.settings();
        let dirty = locked.dirty();
        // The thread first: a snapshot that has been begun must be walked to its end.
        let (sender, receiver) = mpsc::sync_channel::<Picture>(1);
        let form = Self::snapshot_form(&settings);
        let started = self.in_background(move |engine| {
            if let Ok(snapshot) = receiver.recv() {
                let done = engine.write_rdb(snapshot, &settings);
                engine.conclude(Job::Save, &done, dirty);
            }
        });
        if let Err(error) = started {
            let reply = CommandError::text(format!("ERR Can't save in background: {error}"));
            self.conclude(Job::Save, &Err(error), dirty);
            return Err(reply);
        }
        // The thread waits for exactly this.
        let _ = sender.send(self.begin_picture(locked, form));
        log::info!("A snapshot has been begun");
        Ok(true)
    }

    /// Waits for the job in the background while it is one of these.
    fn wait_while(&self, is_in_the_way: impl Fn(Job) -> bool) {
        let mut state = self.persistence.state.lock();
        while state.job.is_some_and(|(job, _)| is_in_the_way(job)) {
            self.persistence.changed.wait(&mut state);
        }
    }

    /// Begins to write the log anew in the background; without a log it only writes what would be its base, as Redis does.
    /// Returns false if it was only scheduled, behind a snapshot that is on its way.
    pub(crate) fn begin_rewrite(&self) -> CmdResult<bool> {
        match self.claim(Job::Rewrite) {
            Ok(()) => {}
            Err(error) if error == CommandError::SAVE_WHILE_REWRITING => {
                self.persistence.state.lock().rewrite_scheduled = true;
                self.start_keeper();
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        let started = self.in_background(|engine| {
            let done = engine.rewrite_log(|| {});
            engine.conclude(Job::Rewrite, &done, 0);
        });
        if let Err(error) = started {
            let reply = CommandError::text(format!("ERR Can't execute an AOF background rewriting: {error}"));
            self.conclude(Job::Rewrite, &Err(error), 0);
            return Err(reply);
        }
        log::info!("The rewriting of the log has been begun");
        Ok(true)
    }

    /// Begins a log with what is there. When this returns every change is logged; its base is written in the background.
    fn begin_log(&self) -> io::Result<()> {
        self.watch_log();
        self.claim_when_free(Job::Rewrite);
        let (sender, receiver) = mpsc::channel();
        let begun = sender.clone();
        let started = self.in_background(move |engine| {
            let done = engine.rewrite_log(|| {
                // Nobody listens only if nobody wants to know.
                let _ = begun.send(Ok(()));
            });
            if let Err(error) = &done {
                let _ = sender.send(Err(io::Error::other(error.to_string())));
            }
            engine.conclude(Job::Rewrite, &done, 0);
        });
        if let Err(error) = started {
            let reason = io::Error::other(error.to_string());
            self.conclude(Job::Rewrite, &Err(error), 0);
            return Err(reason);
        }
        receiver.recv().unwrap_or_else(|_| Err(io::Error::other("the log could not be begun")))
    }

    /// Writes the log anew: its base is a snapshot of the moment at which it goes on in a new file, and then `has_begun`
    /// is called.
    fn rewrite_log(&self, has_begun: impl FnOnce()) -> io::Result<()> {
        let (settings, _) = self.settings();
        let continues = settings.keeps_log();
        if !self.log.is_open() {
            self.log.set_options(log_options(&settings));
        }
        let rewrite = if continues { self.log.prepare_rewrite()? } else { self.log.prepare_base()? };
        let form = if settings.aof_use_rdb_preamble { Self::snapshot_form(&settings) } else { Form::Commands };
        let snapshot = {
            let mut locked = self.keyspace.lock(&ShardSet::All);
            self.log.switch(&rewrite)?;
            locked.shards().for_each(|shard| shard.keep_expired(continues));
            self.begin_picture(&mut locked, form)
        };
        has_begun();
        let plan = SnapshotPlan {
            path: rewrite.base_path().to_owned(),
            form,
            is_base: true,
            checksum: settings.rdbchecksum,
            syncs: settings.aof_rewrite_incremental_fsync,
        };
        match self.write_snapshot(snapshot, &plan) {
            Ok(()) => self.log.finish_rewrite(rewrite),
            Err(error) => {
                self.log.abandon_rewrite(rewrite);
                Err(error)
            }
        }
    }
}

/// Seconds before the log is tried anew after it has failed; doubled with each attempt, up to a minute.
const RETRY_SECONDS: u64 = 1;
/// Seconds before a snapshot of `save` is tried anew after one has failed.
const SAVE_RETRY_SECONDS: u64 = 5;

impl Engine {
    /// Starts the thread that begins what is due: snapshots of `save`, rewrites of a log that has grown, what was
    /// scheduled. It sleeps while nothing can become due.
    pub(crate) fn start_keeper(&self) {
        let Some(engine) = self.me.upgrade() else { return };
        let mut state = self.persistence.state.lock();
        if state.keeper.is_none() {
            let started = std::thread::Builder::new().name("resplite-keeper".into()).spawn(move || engine.keep());
            match started {
                Ok(thread) => state.keeper = Some(thread),
                Err(error) => log::error!("snapshots and rewrites will not begin by themselves: {error}"),
            }
        }
        drop(state);
        self.persistence.ring();
    }

    fn keep(&self) {
        let persistence = &self.persistence;
        loop {
            let seen = persistence.state.lock().events;
            let pause = self.begin_what_is_due();
            let mut state = persistence.state.lock();
            while state.events == seen && !persistence.ends.load(Ordering::Acquire) {
                match pause {
                    Some(pause) if persistence.changed.wait_for(&mut state, pause).timed_out() => break,
                    Some(_) => {}
                    None => persistence.changed.wait(&mut state),
                }
            }
            if persistence.ends.load(Ordering::Acquire) {
                return;
            }
        }
    }

    /// Begins one job if one is due; returns when to look again, or `None` if only an event can make something due.
    fn begin_what_is_due(&self) -> Option<Duration> {
        let (settings, _) = self.settings();
        let background = self.persistence.background();
        if background.job.is_some() || self.persistence.is_loading() {
            // Its end is an event.
            return None;
        }
        if background.save_scheduled {
            let mut locked = self.keyspace.lock(&ShardSet::All);
            // Somebody else may have been faster; then there is a job now.
            let _ = self.begin_save(&mut locked, true);
            return None;
        }
        if background.rewrite_scheduled {
            let _ = self.begin_rewrite();
            return None;
        }
        let now = self.clock.micros() / 1_000_000;
        let mut pause = None;
        let mut look_again = |after: Duration| pause = Some(pause.map_or(after, |pause: Duration| pause.min(after)));
        let limit = if self.log.is_open() { size_to_rewrite(&self.log, &settings) } else { None };
        let is_overgrown = limit.is_some_and(|limit| self.log.stats().current_size >= limit);
        let wants_rewrite = self.log.has_failed() || is_overgrown;
        if wants_rewrite {
            let mut paused = self.persistence.paused.lock();
            // After a failure not at once again: a second, two, four .. a minute.
            let pause = match (self.log.has_failed(), background.rewrites.failed_in_a_row) {
                (false, 0) => Duration::ZERO,
                (_, failed) => Duration::from_secs((RETRY_SECONDS << failed.min(6)).min(60)),
            };
            let left = pause.saturating_sub(paused.get_or_insert_with(Stopwatch::start).elapsed());
            if left.is_zero() {
                *paused = None;
                drop(paused);
                log::info!(
                    "The log is to be rewritten: it has {}",
                    if self.log.has_failed() { "failed" } else { "grown" }
                );
                let _ = self.begin_rewrite();
                return None;
            }
            look_again(left);
        }
        if let Some(limit) = limit {
            self.log.set_alarm(limit);
        }
        if !settings.save.is_empty() {
            let dirty = self.persistence.unsaved(self.keyspace.stats().dirty);
            let age = now.saturating_sub(self.persistence.last_save() / 1_000_000);
            // After a failure not at once again.
            let wait = if background.saves.has_failed {
                (background.saves.tried + SAVE_RETRY_SECONDS).saturating_sub(now)
            } else {
                0
            };
            let is_due = settings.save.iter().any(|point| dirty >= point.changes && age > point.seconds && dirty > 0);
            if is_due && wait == 0 {
                let mut locked = self.keyspace.lock(&ShardSet::All);
                let _ = self.begin_save(&mut locked, true);
                return None;
            }
            look_again(Duration::from_secs(wait.max(1)));
        }
        pause
    }

    /// Ends the background: what is on its way is given up or waited for, the log is written out. With save points a last
    /// snapshot is written.
    pub(crate) fn close_persistence(&self) {
        let persistence = &self.persistence;
        let (settings, _) = self.settings();
        if persistence.ends.swap(true, Ordering::AcqRel) {
            return;
        }
        persistence.set_trouble(ENDED, true);
        // Whoever is in the middle of a command gets to its end.
        drop(self.keyspace.lock(&ShardSet::All));
        persistence.ring();
        // The keeper may have begun one more job before it noticed.
        loop {
            let threads: Vec<_> = {
                let mut state = persistence.state.lock();
                let keeper = state.keeper.take();
                state.threads.drain(..).chain(keeper).collect()
            };
            if threads.is_empty() {
                break;
            }
            for thread in threads {
                if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                    log::error!("a thread that keeps data has panicked");
                }
            }
        }
        // What SHUTDOWN has saved may have been changed since by those who were still connected.
        let is_saved = persistence.saved_at_end.load(Ordering::Acquire) == self.keyspace.stats().dirty;
        let is_wanted = !settings.save.is_empty() && !persistence.skips_last_save.load(Ordering::Acquire);
        if is_wanted && !is_saved && persistence.is_loaded.load(Ordering::Acquire) {
            persistence.ends.store(false, Ordering::Release);
            if let Err(error) = self.save() {
                log::error!("The last snapshot failed: {}", String::from_utf8_lossy(error.as_bytes()));
            }
            persistence.ends.store(true, Ordering::Release);
        }
        if let Err(error) = self.log.close() {
            log::error!("The log could not be written to its end: {error}");
        }
        persistence.state.lock().lock = None;
    }

    /// SHUTDOWN with a snapshot: writes it while there is somebody to tell if it fails.
    pub(crate) fn save_at_end(&self) -> CmdResult {
        if !self.persistence.is_loaded.load(Ordering::Acquire) {
            // What the disk holds is more than what has been loaded of it.
            return Ok(());
        }
        self.wait_while(|_| true);
        self.save()?;
        let saved = self.persistence.saved_dirty.load(Ordering::Relaxed);
        self.persistence.saved_at_end.store(saved, Ordering::Release);
        Ok(())
    }

    /// SHUTDOWN NOSAVE.
    pub(crate) fn skip_save_at_end(&self) {
        self.persistence.skips_last_save.store(true, Ordering::Release);
    }
}

/// The size at which a log has grown by as much as the settings say, if they say anything.
fn size_to_rewrite(log: &Log, settings: &Settings) -> Option<u64> {
    let growth = u128::from(settings.auto_aof_rewrite_percentage);
    let grown = u128::from(log.stats().base_size) * (100 + growth) / 100;
    (growth > 0).then(|| u64::try_from(grown).unwrap_or(u64::MAX).max(settings.auto_aof_rewrite_min_size).max(1))
}

/// How the log is synced under these settings.
fn policy(settings: &Settings) -> SyncPolicy {
    match settings.appendfsync {
        AppendFsync::Always => SyncPolicy::Always,
        AppendFsync::EverySecond => SyncPolicy::EverySecond,
        AppendFsync::No => SyncPolicy::No,
    }
}

impl Engine {
    /// Has clients hear LOADING until the data is there, if there may be data.
    pub(crate) fn expect_data(&self) {
        if self.settings().0.has_data() {
            self.persistence.load.started.store(self.clock.micros(), Ordering::Relaxed);
            self.persistence.set_trouble(LOADING, true);
            // A log says itself what went, and when: what looks expired may be given more time by what follows.
            self.keyspace.set_active_expire(false);
        }
    }

    /// Loads what the directory holds and opens the log, as the settings say. Until this returns clients hear LOADING.
    ///
    /// # Errors
    /// The directory is in use, the data is damaged, or the disk fails; the message names the file and what can be done.
    pub(crate) fn open_persistence(&self) -> io::Result<()> {
        let (settings, _) = self.settings();
        if !settings.has_data() {
            self.persistence.is_loaded.store(true, Ordering::Release);
            return Ok(());
        }
        if settings.writes_data() {
            self.lock_directory(&settings)?;
        }
        let load = &self.persistence.load;
        load.started.store(self.clock.micros(), Ordering::Relaxed);
        let loaded = self.load_data(&settings);
        if self.is_stopping() {
            // Somebody did not want to wait for it.
            return Err(io::Error::new(io::ErrorKind::Interrupted, STOPPED));
        }
        loaded?;
        let dirty = self.keyspace.stats().dirty;
        self.persistence.saved_dirty.store(dirty, Ordering::Relaxed);
        if settings.keeps_log() {
            self.open_log(&settings)?;
        }
        self.persistence.is_loaded.store(true, Ordering::Release);
        // Only now: the log has to hear of every change, and of every key that expires.
        self.persistence.set_trouble(LOADING, false);
        self.keyspace.set_active_expire(true);
        self.expect_eviction(&settings);
        if settings.writes_data() {
            self.start_keeper();
        }
        Ok(())
    }

    fn lock_directory(&self, settings: &Settings) -> io::Result<()> {
        let mut state = self.persistence.state.lock();
        if state.lock.is_none() {
            state.lock = Some(self.persistence.disk.lock(&settings.path(LOCK_FILE))?);
        }
        Ok(())
    }

    /// Acts upon settings that CONFIG SET has changed. No shard may be locked.
    pub(crate) fn follow_settings(&self, before: &Settings) -> io::Result<()> {
        let (settings, _) = self.settings();
        if settings.writes_data() {
            self.lock_directory(&settings)?;
        }
        self.log.set_options(log_options(&settings));
        match (before.keeps_log(), settings.keeps_log()) {
            (false, true) => {
                // Until the new base is written, the old state of the directory is what counts.
                self.begin_log()?;
            }
            (true, false) => {
                // No rewrite may begin the log again meanwhile.
                self.claim_when_free(Job::Rewrite);
                {
                    let mut locked = self.keyspace.lock(&ShardSet::All);
                    locked.shards().for_each(|shard| shard.keep_expired(false));
                    self.log.begin_close();
                }
                let closed = self.log.close();
                self.release();
                // A log that has failed can be turned off as well.
                if let Err(error) = closed {
                    log::error!("The log could not be written to its end: {error}");
                }
            }
            _ => {}
        }
        if !settings.save.is_empty() {
            self.start_keeper();
        }
        Ok(())
    }

    /// Loads the log or the snapshot, whichever counts.
    fn load_data(&self, settings: &Settings) -> io::Result<()> {
        let disk = &*self.persistence.disk;
        let mut replay = Replay::new(self);
        if settings.keeps_log() {
            let options = LoadOptions {
                directory: settings.path(&settings.appenddirname),
                name: settings.appendfilename.clone(),
                accepts_truncated: settings.aof_load_truncated,
            };
            let total = aof::size(disk, &options)?;
            self.persistence.load.total.store(total, Ordering::Relaxed);
            match aof::load(disk, &options, &mut replay).map_err(|error| io::Error::other(error.to_string()))? {
                Loaded::Nothing => {}
                Loaded::Log { .. } => {
                    if replay.errors > 0 {
                        log::warn!("{} commands of the log answered with an error", replay.errors);
                    }
                    self.say_loaded();
                    return Ok(());
                }
            }
        }
        let path = Self::snapshot_path(settings);
        let Some(len) = disk.len(&path)? else { return Ok(()) };
        if settings.appendonly == Some(true) {
            log::warn!("{} is not loaded: with `appendonly yes` only the log counts", path.display());
            return Ok(());
        }
        self.persistence.load.total.store(len, Ordering::Relaxed);
        let damaged = |error: String| {
            let remedy = format!("see what of it is well with: resplite check-rdb {}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged: {error}; {remedy}", path.display()))
        };
        let mut reader =
            Reader::new(disk.read(&path)?, settings_limits(self)).map_err(|error| damaged(error.to_string()))?;
        replay.snapshot_records(&mut reader, false).map_err(damaged)?;
        self.say_loaded();
        Ok(())
    }

    fn say_loaded(&self) {
        let load = &self.persistence.load;
        let millis = self.clock.micros().saturating_sub(load.started.load(Ordering::Relaxed)) / 1000;
        let keys: usize = (0..self.keyspace.databases()).map(|db| self.keyspace.lock(&ShardSet::All).len(db)).sum();
        log::info!("{keys} keys were loaded in {millis} ms");
    }

    /// Opens the log behind what has been loaded. Where there was none, it begins with what is there.
    fn open_log(&self, settings: &Settings) -> io::Result<()> {
        self.log.set_options(log_options(settings));
        self.watch_log();
        let is_empty = (0..self.keyspace.databases()).all(|db| self.keyspace.lock(&ShardSet::All).is_empty(db));
        let manifest = Manifest::path(&settings.path(&settings.appenddirname), &settings.appendfilename);
        if self.persistence.disk.len(&manifest)?.is_some() || is_empty {
            let mut locked = self.keyspace.lock(&ShardSet::All);
            self.log.open()?;
            locked.shards().for_each(|shard| shard.keep_expired(true));
            return Ok(());
        }
        log::info!("The log begins with the snapshot that was loaded");
        self.rewrite_log(|| {})
    }

    /// Has the keeper look at the log when it fails and when it has grown.
    fn watch_log(&self) {
        let me = self.me.clone();
        self.log.on_event(move || {
            if let Some(engine) = me.upgrade() {
                engine.persistence.ring();
            }
        });
        self.start_keeper();
    }
}

/// Limits of the value types that are loaded.
fn settings_limits(engine: &Engine) -> Limits {
    engine.settings().0.types
}

fn log_options(settings: &Settings) -> LogOptions {
    LogOptions {
        directory: settings.path(&settings.appenddirname),
        name: settings.appendfilename.clone(),
        policy: policy(settings),
        no_sync_on_rewrite: settings.no_appendfsync_on_rewrite,
        rdb_base: settings.aof_use_rdb_preamble,
    }
}
