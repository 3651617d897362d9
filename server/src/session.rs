//! What the server remembers of one connection: database, protocol, name, transaction; no sockets.

use crate::acl::user::User;
use crate::command::Command;
use crate::command_stats::Tally;
use crate::config::Settings;
use crate::journal::Journal;
use crate::pubsub::Subscriptions;
use crate::registry::ClientRecord;
use crate::waiting::Pending;
use resplite_resp::reply::Protocol;
use resplite_resp::request::OwnedArgs;
use resplite_storage::keyspace::{Locked, ShardSet};
use resplite_storage::shard::Watcher;
use std::sync::Arc;

/// Which replies the client wants, as CLIENT REPLY says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum ReplyMode {
    #[default]
    On,
    Off,
    /// The next command's reply is left out.
    SkipNext,
    /// This command's reply is left out.
    Skip,
}

/// Commands between MULTI and EXEC.
pub(crate) struct Transaction {
    pub(crate) queue: Vec<(&'static Command, OwnedArgs)>,
    /// What the queued commands need locked.
    pub(crate) shards: ShardSet,
    /// A command could not be queued: EXEC will refuse.
    pub(crate) aborted: bool,
}

/// The keys that WATCH named, and whether one of them changed.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) watcher: Arc<Watcher>,
    /// Database and key.
    pub(crate) keys: Vec<(usize, Box<[u8]>)>,
}

impl Watched {
    /// Takes the watcher out of the shards of its keys, all of which are locked.
    pub(crate) fn leave(&self, locked: &mut Locked<'_>) {
        for (db, key) in &self.keys {
            let at = locked.key(*db, key);
            locked.shard(at.hash).unwatch(at, &self.watcher);
        }
    }
}

/// One connection's state; in-process clients have one as well.
pub(crate) struct Session {
    /// What CLIENT LIST shows of it, shared with the registry.
    pub(crate) record: Arc<ClientRecord>,
    pub(crate) settings: Arc<Settings>,
    /// Decides whether counters of uses grow.
    pub(crate) chance: fastrand::Rng,
    /// Which version of the engine's settings `settings` is.
    pub(crate) settings_version: u64,
    pub(crate) db: usize,
    pub(crate) protocol: Protocol,
    /// Who has logged in, or `default`, with the rights of now.
    pub(crate) user: Arc<User>,
    pub(crate) authenticated: bool,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) watched: Watched,
    /// What is published there comes to this connection.
    pub(crate) subscriptions: Subscriptions,
    /// Every command that runs is shown to this connection.
    pub(crate) is_monitor: bool,
    pub(crate) reply_mode: ReplyMode,
    /// CLIENT NO-TOUCH: reads leave the access time alone.
    pub(crate) no_touch: bool,
    /// Fast commands that have run and are not in the statistics yet.
    pub(crate) tally: Tally,
    /// Commands that have run and are not in the counters yet; those inside EXEC count as well, refused ones do not.
    pub(crate) ran: u64,
    /// Records of the running command, on their way to the log.
    pub(crate) journal: Journal,
    /// Where the log must be durable before replies may leave, under `appendfsync always`.
    pub(crate) log_position: u64,
    /// What ran since replies last left has changed something that the log heard of.
    pub(crate) has_logged: bool,
    /// This session runs what a log holds: nothing expires, nothing is refused, nothing is logged again.
    pub(crate) is_replay: bool,
    /// CLIENT TRACKING: keys that this client reads are remembered, perhaps.
    pub(crate) is_tracking: bool,
    /// CLIENT CACHING has said whether the next command's keys are.
    pub(crate) caching: Option<bool>,
    /// The last command waits: nothing else runs until it is served, times out or is unblocked.
    pub(crate) pending: Option<Pending>,
    /// The next command waits for the end of CLIENT PAUSE.
    pub(crate) is_paused: bool,
    /// Memory had run out when the last command that may call others was let in.
    pub(crate) is_short: bool,
    /// Serves the other connections of the same thread, for a script that takes its time.
    pub(crate) while_busy: Option<Arc<dyn Fn() + Send + Sync>>,
    /// The connection ends after the replies so far were sent.
    pub(crate) closing: bool,
}

impl Session {
    pub(crate) fn new(
        record: Arc<ClientRecord>,
        settings: Arc<Settings>,
        settings_version: u64,
        chance: fastrand::Rng,
    ) -> Self {
        let user = record.user.lock().clone();
        let authenticated = user.is_open();
        Session {
            record,
            chance,
            settings,
            settings_version,
            db: 0,
            protocol: Protocol::Resp2,
            user,
            authenticated,
            transaction: None,
            watched: Watched::default(),
            subscriptions: Subscriptions::default(),
            is_monitor: false,
            reply_mode: ReplyMode::On,
            no_touch: false,
            tally: Tally::default(),
            ran: 0,
            journal: Journal::default(),
            log_position: 0,
            has_logged: false,
            is_replay: false,
            is_tracking: false,
            caching: None,
            pending: None,
            is_paused: false,
            is_short: false,
            while_busy: None,
            closing: false,
        }
    }

    /// Whether its subscriptions leave it hardly any commands: in RESP2 a message looks like a reply.
    #[inline]
    pub(crate) fn is_restricted(&self) -> bool {
        !self.subscriptions.is_empty() && self.protocol == Protocol::Resp2
    }

    /// Whether it has to log in before anything else; what does not ask for a password any more asks nobody.
    #[inline]
    pub(crate) fn lacks_login(&self) -> bool {
        !self.authenticated && !self.user.is_open()
    }

    /// Whether nothing may run for this session now.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.pending.is_some() || self.is_paused
    }
}
