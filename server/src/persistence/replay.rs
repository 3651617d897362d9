//! Running what a log or a snapshot holds into the keyspace; where it lies and what comes after it is the parent's.

use super::settings_limits;
use crate::command::Flags;
use crate::engine::Engine;
use crate::registry::ClientRecord;
use crate::session::Session;
use resplite_resp::reply::{Protocol, Reply};
use resplite_resp::request::{Args, OwnedArgs};
use resplite_storage::aof;
use resplite_storage::entry::Entry;
use resplite_storage::keyspace::ShardSet;
use resplite_storage::rdb::{Reader, Record};
use std::io::{self, Read};
use std::sync::atomic::Ordering;
use std::sync::mpsc;

/// Runs what a log or a snapshot holds into the keyspace.
pub(super) struct Replay<'e> {
    engine: &'e Engine,
    session: Session,
    reply: Reply,
    /// Commands that answered with an error.
    pub(super) errors: u64,
    /// When progress was last logged.
    said: u64,
}

/// Why loading ended early, if somebody wanted it to.
pub(super) const STOPPED: &str = "the server was told to stop";
/// Entries that are put in their places together.
const LOAD_BATCH: usize = 256;
/// Batches that may be read ahead.
const LOAD_AHEAD: usize = 16;
/// Keys between two looks at the clock while data is loaded.
const PROGRESS_KEYS: u64 = 1 << 16;

impl<'e> Replay<'e> {
    pub(super) fn new(engine: &'e Engine) -> Self {
        let record = ClientRecord::local(0, "log".into(), engine.acl.host.clone(), engine.clock.millis());
        let mut session = engine.open_session(record);
        session.is_replay = true;
        Replay { engine, session, reply: Reply::new(Protocol::Resp2), errors: 0, said: engine.clock.micros() }
    }

    /// The records of a snapshot. `keeps_expired` is for a log's base: the log itself says what goes.
    ///
    /// One thread reads and decodes, another one puts the entries in their places.
    pub(super) fn snapshot_records<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        keeps_expired: bool,
    ) -> Result<(), String> {
        let engine = self.engine;
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel::<Vec<(usize, Entry)>>(LOAD_AHEAD);
            let settler = move || receiver.into_iter().for_each(|batch| settle(engine, batch));
            let settler = std::thread::Builder::new().name("resplite-load".into()).spawn_scoped(scope, settler);
            let settler = settler.map_err(|error| error.to_string())?;
            let read = self.read_records(reader, keeps_expired, |batch| {
                // Who settles ends only when there is no more to come.
                let _ = sender.send(batch);
            });
            drop(sender);
            settler.join().map_err(|_| "loading has panicked".to_owned())?;
            read
        })
    }

    /// A library of functions, which a snapshot holds by its source.
    fn library(&mut self, code: &[u8]) -> Result<(), String> {
        let args: OwnedArgs = [b"FUNCTION", b"LOAD".as_slice(), b"REPLACE", code].into_iter().collect();
        self.reply.clear();
        self.engine.execute_one(&mut self.session, args.as_args(), &mut self.reply);
        match self.reply.as_bytes().strip_prefix(b"-") {
            None => Ok(()),
            Some(error) => Err(format!("a library of functions: {}", String::from_utf8_lossy(error).trim_end())),
        }
    }

    fn read_records<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        keeps_expired: bool,
        mut settle: impl FnMut(Vec<(usize, Entry)>),
    ) -> Result<(), String> {
        let engine = self.engine;
        let (progress, now) = (&engine.persistence.load, engine.clock.micros());
        let (before, mut db, mut keys, mut seen) = (progress.loaded.load(Ordering::Relaxed), 0, 0u64, 0u64);
        let mut batch = Vec::with_capacity(LOAD_BATCH);
        while let Some(record) = reader.next().map_err(|error| error.to_string())? {
            match record {
                Record::Select(selected) if selected < engine.keyspace.databases() => db = selected,
                Record::Select(selected) => {
                    return Err(format!(
                        "it has a database {selected}, and there are {} (see the setting `databases`)",
                        engine.keyspace.databases()
                    ));
                }
                Record::Entry(record) => {
                    seen += 1;
                    if !keeps_expired && record.deadline.is_some_and(|at| at <= now / 1000) {
                        progress.keys_expired.fetch_add(1, Ordering::Relaxed);
                    } else {
                        keys += 1;
                        let used = (now / 1_000_000).saturating_sub(record.idle.unwrap_or(0));
                        batch.push((db, record.into_entry(used as u32 & 0x00ff_ffff)));
                    }
                    if batch.len() == LOAD_BATCH {
                        settle(std::mem::replace(&mut batch, Vec::with_capacity(LOAD_BATCH)));
                    }
                    if seen.is_multiple_of(PROGRESS_KEYS) {
                        if engine.is_stopping() {
                            return Err(STOPPED.into());
                        }
                        progress.loaded.store(before + reader.offset(), Ordering::Relaxed);
                        self.said = say_progress(engine, self.said);
                    }
                }
                Record::Function(code) => self.library(code)?,
                Record::Aux { .. } | Record::Resize { .. } => {}
            }
        }
        settle(batch);
        progress.keys_loaded.fetch_add(keys, Ordering::Relaxed);
        progress.loaded.store(before + reader.offset(), Ordering::Relaxed);
        Ok(())
    }
}

/// Puts entries that were read in their places; the cache misses of a batch overlap.
fn settle(engine: &Engine, batch: Vec<(usize, Entry)>) {
    let mut locked = engine.keyspace.lock(&ShardSet::All);
    let mut hashes = [0; LOAD_BATCH];
    for ((db, entry), hash) in batch.iter().zip(&mut hashes) {
        *hash = engine.keyspace.hash(entry.key());
        locked.shard(*hash).touch_bucket(*db, *hash);
    }
    for ((db, entry), hash) in batch.into_iter().zip(hashes) {
        locked.shard(hash).load(db, hash, entry);
    }
}

impl aof::Replay for Replay<'_> {
    fn begin_file(&mut self) {
        self.session.db = 0;
    }

    fn snapshot(&mut self, input: Box<dyn Read + Send>) -> Result<(u64, Box<dyn Read + Send>), String> {
        let mut reader = Reader::new(input, settings_limits(self.engine)).map_err(|error| error.to_string())?;
        self.snapshot_records(&mut reader, true)?;
        let len = reader.offset();
        let (ahead, rest) = reader.into_parts();
        Ok((len, Box::new(io::Cursor::new(ahead).chain(rest))))
    }

    /// Errors are what the command answered when it first ran, so they stop nothing; a command that does not exist does.
    fn command(&mut self, args: Args<'_>) -> Result<(), String> {
        if self.engine.is_stopping() {
            return Err(STOPPED.into());
        }
        let shown = || String::from_utf8_lossy(args.name()).into_owned();
        let Some(command) = crate::command::find(args.name()) else {
            return Err(format!("unknown command '{}'", shown()));
        };
        // Nobody logs anything else, and what stops, saves or rewrites must not run in the middle of loading.
        let sub = args.get(1).and_then(|name| crate::command::find_subcommand(command, name));
        let flags = sub.map_or(command.flags, |sub| sub.flags);
        let is_data = flags.has(Flags::WRITE) || flags.has(Flags::READONLY);
        // Scripts stand in logs of Redis before 7, where they were not yet logged by what they did.
        let is_script = ["eval", "evalsha"].contains(&command.name) || sub.is_some_and(|sub| sub.name == "script|load");
        if !is_data && !is_script && !["select", "multi", "exec", "discard"].contains(&command.name) {
            return Err(format!("the command '{}', which has no place in a log", shown()));
        }
        self.reply.clear();
        self.engine.execute_one(&mut self.session, args, &mut self.reply);
        let reply = self.reply.as_bytes();
        if reply.first() != Some(&b'-') {
            return Ok(());
        }
        self.errors += 1;
        if args.name().eq_ignore_ascii_case(b"select") {
            // What follows would go into another database than it belongs to.
            let error = String::from_utf8_lossy(&reply[1..]).trim_end().to_owned();
            return Err(format!("SELECT answers \"{error}\" (see the setting `databases`)"));
        }
        Ok(())
    }

    fn discard(&mut self) {
        self.session.transaction = None;
    }

    fn progress(&mut self, bytes: u64) {
        self.engine.persistence.load.loaded.store(bytes, Ordering::Relaxed);
        self.said = say_progress(self.engine, self.said);
    }
}

/// Logs how far loading has come, at most once a second; returns when it was last said.
fn say_progress(engine: &Engine, said: u64) -> u64 {
    let now = engine.clock.micros();
    if now.saturating_sub(said) < 1_000_000 {
        return said;
    }
    let load = &engine.persistence.load;
    let (loaded, total) = (load.loaded.load(Ordering::Relaxed), load.total.load(Ordering::Relaxed));
    log::info!("Loading: {loaded} of {total} bytes");
    now
}
