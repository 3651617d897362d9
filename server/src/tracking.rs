//! Client-side caching: which clients may have which keys, and telling them when those change.
//!
//! In the default modes the server remembers who read what, in a table of bounded size; with BCAST a client names prefixes
//! instead and costs no memory for each key. Whoever changes a key finds it among the shard's touched keys when his command
//! is done, while the shard is still locked, so no reader can slip in between the change and the message.

use crate::command::Command;
use crate::config::Settings;
use crate::context::Ctx;
use crate::engine::Engine;
use crate::error::{CmdResult, CommandError};
use crate::outbox::Message;
use crate::registry::ClientRecord;
use crate::session::Session;
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use smallvec::{SmallVec, smallvec};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The channel on which clients that redirect hear of changes.
const CHANNEL: &str = "__redis__:invalidate";

/// Readers of one key among whom those who have gone are looked for.
const MANY: usize = 16;

/// Which reads of a client are remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Mode {
    /// All.
    #[default]
    Default,
    /// None: the client is told of every key with one of its prefixes.
    Broadcast,
    /// Those behind CLIENT CACHING YES.
    OptIn,
    /// Those that are not behind CLIENT CACHING NO.
    OptOut,
}

/// What CLIENT TRACKING ON asks for.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// Changes that the client makes itself are not told.
    pub(crate) no_loop: bool,
    /// The client that is told instead.
    pub(crate) redirect: Option<u64>,
    pub(crate) prefixes: BTreeSet<Box<[u8]>>,
}

/// A client's own side of it, visible to others.
#[derive(Default)]
pub(crate) struct Tracked {
    pub(crate) options: Options,
    /// The client that was to be told instead is gone.
    pub(crate) is_broken: bool,
}

/// Who has what, for all clients of one server.
#[derive(Default)]
pub(crate) struct Tracking {
    clients: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Ids of those who may have a key, ascending.
    readers: HashMap<Box<[u8]>, SmallVec<[u64; 2]>, RandomState>,
    /// Clients and keys, each pair counted.
    items: usize,
    prefixes: BTreeMap<Box<[u8]>, Vec<u64>>,
    /// All who track, in whatever mode.
    clients: BTreeMap<u64, Arc<ClientRecord>>,
}

impl Table {
    fn forget_readers(&mut self, key: &[u8]) -> SmallVec<[u64; 2]> {
        let readers = self.readers.remove(key).unwrap_or_default();
        self.items -= readers.len();
        readers
    }
}

/// Numbers for INFO.
pub(crate) struct Counts {
    pub(crate) clients: usize,
    pub(crate) keys: usize,
    pub(crate) items: usize,
    pub(crate) prefixes: usize,
}

impl Tracking {
    /// Whether anybody tracks.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.clients.load(Ordering::Acquire) != 0
    }

    /// How much there is.
    pub(crate) fn counts(&self) -> Counts {
        let table = self.table.lock();
        Counts {
            clients: table.clients.len(),
            keys: table.readers.len(),
            items: table.items,
            prefixes: table.prefixes.len(),
        }
    }

    /// Has a client track, or adds prefixes to what it tracks.
    ///
    /// # Errors
    /// The mode differs from the one that it tracks in, or prefixes overlap.
    pub(crate) fn enable(&self, record: &Arc<ClientRecord>, options: Options) -> CmdResult {
        let mut table = self.table.lock();
        let mut tracked = record.tracking.lock();
        if let Some(before) = &*tracked {
            let (was, is) = (before.options.mode, options.mode);
            if (was == Mode::Broadcast) != (is == Mode::Broadcast) {
                return Err(CommandError::TRACKING_BCAST_SWITCH);
            }
            if matches!((was, is), (Mode::OptIn, Mode::OptOut) | (Mode::OptOut, Mode::OptIn)) {
                return Err(CommandError::TRACKING_OPT_SWITCH);
            }
        }
        let mut prefixes = match &*tracked {
            Some(before) => before.options.prefixes.clone(),
            None => BTreeSet::new(),
        };
        if options.mode == Mode::Broadcast {
            let mut wanted = options.prefixes.clone();
            if wanted.is_empty() {
                wanted.insert(Box::default());
            }
            for prefix in wanted {
                if prefixes.insert(prefix.clone()) {
                    table.prefixes.entry(prefix).or_default().push(record.id);
                }
            }
        }
        if table.clients.insert(record.id, record.clone()).is_none() {
            self.clients.fetch_add(1, Ordering::AcqRel);
        }
        *tracked = Some(Tracked { options: Options { prefixes, ..options }, is_broken: false });
        Ok(())
    }

    /// Ends a client's tracking. What it has read stays in the table until it changes.
    pub(crate) fn disable(&self, record: &ClientRecord) {
        let Some(tracked) = record.tracking.lock().take() else { return };
        let mut table = self.table.lock();
        if table.clients.remove(&record.id).is_some() {
            self.clients.fetch_sub(1, Ordering::AcqRel);
        }
        for prefix in &tracked.options.prefixes {
            if let Some(clients) = table.prefixes.get_mut(prefix) {
                clients.retain(|client| *client != record.id);
                if clients.is_empty() {
                    table.prefixes.remove(prefix);
                }
            }
        }
        if table.clients.is_empty() {
            *table = Table::default();
        }
    }

    /// Remembers that a client has read a key, whose shard is locked. Beyond `most` keys (0: no limit) others are given up,
    /// and their readers told.
    fn remember(&self, engine: &Engine, record: &ClientRecord, key: &[u8], settings: &Settings) {
        let mut table = self.table.lock();
        let Table { readers, items, clients, .. } = &mut *table;
        match readers.get_mut(key) {
            Some(readers) => {
                // In order of their ids, which mostly grow.
                let Err(at) = readers.binary_search(&record.id) else { return };
                readers.insert(at, record.id);
                *items += 1;
                if readers.len() >= MANY && readers.len().is_power_of_two() {
                    // A key that never changes must not keep the ids of all who have ever come and gone.
                    let before = readers.len();
                    readers.retain(|id| clients.contains_key(id));
                    *items -= before - readers.len();
                }
            }
            None => {
                readers.insert(key.into(), smallvec![record.id]);
                *items += 1;
            }
        }
        let most = settings.tracking_table_max_keys;
        while most != 0 && table.readers.len() as u64 > most {
            // Any other key: where a hash table begins is as good as chance.
            let Some(other): Option<Box<[u8]>> = table.readers.keys().find(|other| ***other != *key).cloned() else {
                break;
            };
            let readers = table.forget_readers(&other);
            tell(engine, &table, &readers, None, std::slice::from_ref(&other), settings);
        }
    }

    /// Tells those who may have these keys that they have changed; `by` is the client that has changed them.
    fn invalidate(&self, engine: &Engine, keys: &[Box<[u8]>], by: Option<u64>, settings: &Settings) {
        let mut table = self.table.lock();
        for key in keys {
            let readers = table.forget_readers(key);
            tell(engine, &table, &readers, by, std::slice::from_ref(key), settings);
        }
        for (prefix, clients) in &table.prefixes {
            let concerned: BTreeSet<&Box<[u8]>> = keys.iter().filter(|key| key.starts_with(prefix)).collect();
            let concerned: Vec<Box<[u8]>> = concerned.into_iter().cloned().collect();
            if !concerned.is_empty() {
                tell(engine, &table, clients, by, &concerned, settings);
            }
        }
    }

    /// Tells everybody that all keys are gone.
    fn invalidate_all(&self, engine: &Engine, settings: &Settings) {
        let mut table = self.table.lock();
        table.readers.clear();
        table.items = 0;
        let clients: Vec<u64> = table.clients.keys().copied().collect();
        tell(engine, &table, &clients, None, &[], settings);
    }
}

/// Sends clients, or those they redirect to, the message that some keys, or all if there are none, are not what they were.
fn tell(engine: &Engine, table: &Table, clients: &[u64], by: Option<u64>, keys: &[Box<[u8]>], settings: &Settings) {
    let pushed = Message::new(|reply: &mut Reply| {
        reply.push(2);
        reply.bulk("invalidate");
        write_keys(reply, keys);
    });
    let published = Message::new(|reply: &mut Reply| {
        reply.push(3);
        reply.bulk("message");
        reply.bulk(CHANNEL);
        write_keys(reply, keys);
    });
    for id in clients {
        // Whoever tracks no more, or otherwise by now, is told nothing.
        let Some(client) = table.clients.get(id) else { continue };
        let mut tracked = client.tracking.lock();
        let Some(tracked) = tracked.as_mut() else { continue };
        if tracked.options.no_loop && by == Some(*id) {
            continue;
        }
        let Some(redirect) = tracked.options.redirect else {
            if client.speaks_resp3() {
                client.push(&pushed, settings);
            }
            continue;
        };
        match engine.registry.find(redirect) {
            Some(other) if other.speaks_resp3() => other.push(&pushed, settings),
            Some(other) if other.is_subscriber() => other.push(&published, settings),
            Some(_) => {}
            None => {
                tracked.is_broken = true;
                if client.speaks_resp3() {
                    let broken = Message::new(|reply: &mut Reply| {
                        reply.push(2);
                        reply.bulk("tracking-redir-broken");
                        reply.int(redirect as i64);
                    });
                    client.push(&broken, settings);
                }
            }
        }
    }
}

fn write_keys(reply: &mut Reply, keys: &[Box<[u8]>]) {
    if keys.is_empty() {
        return reply.nil();
    }
    reply.array(keys.len());
    keys.iter().for_each(|key| reply.bulk(key));
}

impl Session {
    /// Ends what CLIENT CACHING said, behind the one command that it was about; what MULTI gathers is one.
    pub(crate) fn forget_caching(&mut self, command: &Command) {
        if self.transaction.is_none() && !command.name.starts_with("client|") {
            self.caching = None;
        }
    }
}

impl Ctx<'_> {
    /// Remembers the keys of a command that has read them, if this client tracks what it reads.
    pub(crate) fn remember_reads(&self, command: &'static Command, args: Args<'_>) {
        let record = &self.session.record;
        let remembers = match record.tracking.lock().as_ref().map(|tracked| tracked.options.mode) {
            None | Some(Mode::Broadcast) => false,
            Some(Mode::Default) => true,
            Some(Mode::OptIn) => self.session.caching == Some(true),
            Some(Mode::OptOut) => self.session.caching != Some(false),
        };
        if remembers {
            let (tracking, engine, settings) = (&self.engine.tracking, self.engine, &self.session.settings);
            command.for_each_key(args, |index| tracking.remember(engine, record, &args[index], settings));
        }
    }

    /// Tells those who track the keys that have changed since the last call.
    pub(crate) fn tell_trackers(&mut self) {
        let mut keys: Vec<Box<[u8]>> = Vec::new();
        let is_on = self.engine.tracking.is_on();
        let mut all = false;
        for shard in self.locked().shards() {
            if !is_on {
                shard.track(false);
                continue;
            }
            all |= shard.take_cleared();
            keys.extend(shard.take_touched());
        }
        // What those who waited have changed is nobody's own change: NOLOOP must not hide it from whoever fed them.
        let own = self.session.record.id;
        let by = (own != 0 && self.served.is_empty()).then_some(own);
        let settings = self.settings().clone();
        if !keys.is_empty() {
            self.engine.tracking.invalidate(self.engine, &keys, by, &settings);
        }
        if all {
            self.engine.tracking.invalidate_all(self.engine, &settings);
        }
    }
}
