//! What was refused of late, for ACL LOG.

use resplite_storage::clock::Millis;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a refusal was about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    Command,
    Key,
    Channel,
    Auth,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Auth => "auth",
        }
    }
}

/// Where the command came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Context {
    TopLevel,
    Transaction,
    Script,
}

impl Context {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Context::TopLevel => "toplevel",
            Context::Transaction => "multi",
            Context::Script => "lua",
        }
    }
}

/// A refusal, to be noted.
pub(crate) struct Refusal<'a> {
    pub(crate) reason: Reason,
    pub(crate) context: Context,
    /// The command, key or channel.
    pub(crate) object: &'a [u8],
    pub(crate) user: Arc<[u8]>,
    /// The client, as CLIENT LIST shows it.
    pub(crate) client: String,
}

/// Refusals that are alike.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) count: u64,
    pub(crate) reason: Reason,
    pub(crate) context: Context,
    pub(crate) object: Box<[u8]>,
    pub(crate) user: Arc<[u8]>,
    pub(crate) client: String,
    pub(crate) created: Millis,
    pub(crate) updated: Millis,
}

/// How long refusals that are alike are one entry, in milliseconds.
const ALIKE: Millis = 60_000;
/// Bytes of an object that are kept: what is refused is of any length.
const MOST_SHOWN: usize = 1024;

/// The newest refusals, newest first.
#[derive(Default)]
pub(crate) struct AclLog {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl AclLog {
    /// Notes a refusal; of the entries at most `most` stay.
    pub(crate) fn note(&mut self, refusal: Refusal<'_>, now: Millis, most: usize) {
        let Refusal { reason, context, object, user, client } = refusal;
        let object = &object[..object.len().min(MOST_SHOWN)];
        let is_alike = |entry: &Entry| {
            entry.reason == reason
                && entry.context == context
                && *entry.object == *object
                && entry.user == user
                && now.saturating_sub(entry.updated) <= ALIKE
        };
        let entry = match self.entries.iter().position(is_alike).and_then(|at| self.entries.remove(at)) {
            Some(known) => Entry { count: known.count + 1, client, updated: now, ..known },
            None => {
                let id = self.next_id;
                self.next_id += 1;
                Entry { id, count: 1, reason, context, object: object.into(), user, client, created: now, updated: now }
            }
        };
        self.entries.push_front(entry);
        self.entries.truncate(most);
    }

    /// The entries, newest first.
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Forgets all entries.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
