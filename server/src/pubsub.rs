//! Who listens to what: channels, patterns and shard channels with their subscribers. How a message reaches a client is
//! the business of its outbox, and what the commands answer that of `commands/pubsub.rs`.

use crate::config::Settings;
use crate::outbox::Message;
use crate::registry::ClientRecord;
use bytes::Bytes;
use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};
use resplite_resp::reply::Reply;
use resplite_storage::glob::{self, Case};
use std::collections::btree_map::Entry as TreeEntry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a client can be subscribed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A channel by its name.
    Channel,
    /// All channels whose names match.
    Pattern,
    /// A channel of a cluster's shard; a server that is alone has them as a second set of names.
    ShardChannel,
}

/// The names that one session is subscribed to.
#[derive(Default)]
pub(crate) struct Subscriptions {
    names: [BTreeSet<Bytes>; 3],
    total: usize,
}

impl Subscriptions {
    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// All names of a kind, in order.
    pub(crate) fn names(&self, kind: Kind) -> &BTreeSet<Bytes> {
        &self.names[kind as usize]
    }

    /// The number that a confirmation gives: shard channels count apart from the rest.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.names(Kind::Channel).len() + self.names(Kind::Pattern).len(),
            Kind::ShardChannel => self.names(Kind::ShardChannel).len(),
        }
    }
}

/// Clients by their ids.
type Subscribers = BTreeMap<u64, Arc<ClientRecord>>;

/// All subscriptions of one server. Whoever publishes holds the place of the name while it hands out a message, so a
/// client that has been taken out gets nothing any more.
#[derive(Default)]
pub(crate) struct PubSub {
    channels: DashMap<Bytes, Subscribers>,
    shard_channels: DashMap<Bytes, Subscribers>,
    patterns: RwLock<Patterns>,
    /// Held while a message is handed out: all who hear several hear them in the same order.
    order: Mutex<()>,
    /// Number of subscriptions to channels and patterns, for whoever has something to tell only if somebody listens.
    listeners: AtomicUsize,
    /// Number of patterns, so that nobody takes their lock while there are none.
    pattern_count: AtomicUsize,
}

impl PubSub {
    /// Subscribes a client; once more changes nothing.
    pub(crate) fn subscribe(
        &self,
        subscriptions: &mut Subscriptions,
        record: &Arc<ClientRecord>,
        kind: Kind,
        name: &[u8],
    ) {
        if subscriptions.names(kind).contains(name) {
            return;
        }
        let name = Bytes::copy_from_slice(name);
        subscriptions.names[kind as usize].insert(name.clone());
        subscriptions.total += 1;
        // The class of its output limit follows from this, so it comes before the first message can.
        record.subscriptions[kind as usize].fetch_add(1, Ordering::Relaxed);
        let (id, record) = (record.id, record.clone());
        if kind != Kind::ShardChannel {
            self.listeners.fetch_add(1, Ordering::Release);
        }
        match kind {
            Kind::Channel => drop(self.channels.entry(name).or_default().insert(id, record)),
            Kind::ShardChannel => drop(self.shard_channels.entry(name).or_default().insert(id, record)),
            Kind::Pattern => {
                let mut patterns = self.patterns.write();
                patterns.insert(name, record);
                self.pattern_count.store(patterns.len, Ordering::Release);
            }
        }
    }

    /// Takes a client out; afterwards no message comes by this subscription. Nothing happens if there is none.
    pub(crate) fn unsubscribe(
        &self,
        subscriptions: &mut Subscriptions,
        record: &ClientRecord,
        kind: Kind,
        name: &[u8],
    ) {
        if !subscriptions.names[kind as usize].remove(name) {
            return;
        }
        subscriptions.total -= 1;
        if kind != Kind::ShardChannel {
            self.listeners.fetch_sub(1, Ordering::Release);
        }
        match kind {
            Kind::Channel => leave(&self.channels, name, record.id),
            Kind::ShardChannel => leave(&self.shard_channels, name, record.id),
            Kind::Pattern => {
                let mut patterns = self.patterns.write();
                patterns.remove(name, record.id);
                self.pattern_count.store(patterns.len, Ordering::Release);
            }
        }
        record.subscriptions[kind as usize].fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes a client out everywhere.
    pub(crate) fn unsubscribe_all(&self, subscriptions: &mut Subscriptions, record: &ClientRecord) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::ShardChannel] {
            while let Some(name) = subscriptions.names(kind).first().cloned() {
                self.unsubscribe(subscriptions, record, kind, &name);
            }
        }
    }

    /// Whether nobody listens to any channel or pattern, so that what is published goes nowhere.
    #[inline]
    pub(crate) fn is_deserted(&self) -> bool {
        self.listeners.load(Ordering::Acquire) == 0
    }

    /// Hands a message to all who listen to the channel, by its name or by a pattern; returns how many that were. A client
    /// gets it once for each subscription.
    pub(crate) fn publish(&self, channel: &[u8], payload: &[u8], settings: &Settings) -> usize {
        let _order = self.order.lock();
        let mut receivers = tell(&self.channels, "message", channel, payload, settings);
        if self.pattern_count.load(Ordering::Acquire) == 0 {
            return receivers;
        }
        self.patterns.read().for_each_match(channel, |pattern, subscribers| {
            let message = Message::new(|out: &mut Reply| {
                out.push(4);
                out.bulk("pmessage");
                out.bulk(pattern);
                out.bulk(channel);
                out.bulk(payload);
            });
            subscribers.values().for_each(|client| client.push(&message, settings));
            receivers += subscribers.len();
        });
        receivers
    }

    /// Hands a message to all who listen to the shard channel; returns how many that were.
    pub(crate) fn publish_to_shard(&self, channel: &[u8], payload: &[u8], settings: &Settings) -> usize {
        let _order = self.order.lock();
        tell(&self.shard_channels, "smessage", channel, payload, settings)
    }

    /// Channels or shard channels with subscribers whose names match, in order; all without a pattern.
    pub(crate) fn channels(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Bytes> {
        let is_asked_for = |name: &Bytes| pattern.is_none_or(|pattern| glob::matches(pattern, name, Case::Sensitive));
        let names = self.map(kind).iter().map(|place| place.key().clone()).filter(is_asked_for);
        let mut names: Vec<Bytes> = names.collect();
        names.sort_unstable();
        names
    }

    /// How many clients are subscribed to a channel or shard channel by its name.
    pub(crate) fn subscriber_count(&self, kind: Kind, name: &[u8]) -> usize {
        self.map(kind).get(name).map_or(0, |subscribers| subscribers.len())
    }

    /// How many different channels or shard channels have subscribers.
    pub(crate) fn channel_count(&self, kind: Kind) -> usize {
        self.map(kind).len()
    }

    /// How many different patterns have subscribers.
    pub(crate) fn pattern_count(&self) -> usize {
        self.pattern_count.load(Ordering::Acquire)
    }

    /// The names that a client is subscribed to; looks at all there are.
    pub(crate) fn names_of(&self, kind: Kind, client: u64) -> Vec<Bytes> {
        if kind == Kind::Pattern {
            return self.patterns.read().names_of(client);
        }
        let is_there = |subscribers: &Subscribers| subscribers.contains_key(&client);
        self.map(kind).iter().filter(|place| is_there(place.value())).map(|place| place.key().clone()).collect()
    }

    fn map(&self, kind: Kind) -> &DashMap<Bytes, Subscribers> {
        if kind == Kind::ShardChannel { &self.shard_channels } else { &self.channels }
    }
}

fn leave(channels: &DashMap<Bytes, Subscribers>, name: &[u8], id: u64) {
    // Empty or not is decided and acted upon under one lock: somebody else may be just about to subscribe.
    channels.remove_if_mut(name, |_, subscribers| {
        subscribers.remove(&id);
        subscribers.is_empty()
    });
}

fn tell(
    channels: &DashMap<Bytes, Subscribers>,
    word: &str,
    channel: &[u8],
    payload: &[u8],
    settings: &Settings,
) -> usize {
    let Some(subscribers) = channels.get(channel) else { return 0 };
    let message = Message::new(|out: &mut Reply| {
        out.push(3);
        out.bulk(word);
        out.bulk(channel);
        out.bulk(payload);
    });
    subscribers.values().for_each(|client| client.push(&message, settings));
    subscribers.len()
}

/// Patterns that share what they are found by.
type Group = BTreeMap<Bytes, Subscribers>;

/// The patterns, found by the text that every name which they match begins or ends with, so that publishing does not
/// have to try all of them.
#[derive(Default)]
struct Patterns {
    by_prefix: Index,
    by_suffix: Index,
    others: Group,
    len: usize,
}

/// Groups by a text, and how many texts there are of each length.
#[derive(Default)]
struct Index {
    groups: HashMap<Box<[u8]>, Group>,
    lengths: BTreeMap<usize, usize>,
}

/// What a pattern is found by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Handle<'a> {
    Prefix(&'a [u8]),
    Suffix(&'a [u8]),
    Nothing,
}

impl<'a> Handle<'a> {
    fn of(pattern: &'a [u8]) -> Self {
        let special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
        let prefix = pattern.iter().position(special).unwrap_or(pattern.len());
        if prefix > 0 {
            return Handle::Prefix(&pattern[..prefix]);
        }
        // Where a class begins is known only from the front: stars and question marks are what can be seen from behind.
        if pattern.iter().any(|byte| matches!(byte, b'[' | b'\\')) {
            return Handle::Nothing;
        }
        match pattern.iter().rposition(special) {
            Some(last) if last + 1 < pattern.len() => Handle::Suffix(&pattern[last + 1..]),
            _ => Handle::Nothing,
        }
    }
}

impl Patterns {
    fn insert(&mut self, pattern: Bytes, record: Arc<ClientRecord>) {
        let handle = Handle::of(&pattern);
        let group = match handle {
            Handle::Prefix(text) => self.by_prefix.group_or_new(text),
            Handle::Suffix(text) => self.by_suffix.group_or_new(text),
            Handle::Nothing => &mut self.others,
        };
        let subscribers = match group.entry(pattern.clone()) {
            TreeEntry::Occupied(place) => place.into_mut(),
            TreeEntry::Vacant(place) => {
                self.len += 1;
                place.insert(Subscribers::new())
            }
        };
        subscribers.insert(record.id, record);
    }

    fn remove(&mut self, pattern: &[u8], id: u64) {
        let handle = Handle::of(pattern);
        let group = match handle {
            Handle::Prefix(text) => self.by_prefix.groups.get_mut(text),
            Handle::Suffix(text) => self.by_suffix.groups.get_mut(text),
            Handle::Nothing => Some(&mut self.others),
        };
        let Some(group) = group else { return };
        let Some(subscribers) = group.get_mut(pattern) else { return };
        subscribers.remove(&id);
        if !subscribers.is_empty() {
            return;
        }
        group.remove(pattern);
        self.len -= 1;
        if !group.is_empty() {
            return;
        }
        match handle {
            Handle::Prefix(text) => self.by_prefix.forget(text),
            Handle::Suffix(text) => self.by_suffix.forget(text),
            Handle::Nothing => {}
        }
    }

    /// The patterns that a client is subscribed to; looks at all there are.
    fn names_of(&self, client: u64) -> Vec<Bytes> {
        let indexed = self.by_prefix.groups.values().chain(self.by_suffix.groups.values());
        let all = indexed.chain(std::iter::once(&self.others)).flatten();
        all.filter(|(_, subscribers)| subscribers.contains_key(&client)).map(|(pattern, _)| pattern.clone()).collect()
    }

    /// Calls `found` with each pattern that matches.
    fn for_each_match(&self, channel: &[u8], mut found: impl FnMut(&Bytes, &Subscribers)) {
        let mut look = |group: &Group| {
            for (pattern, subscribers) in group {
                if glob::matches(pattern, channel, Case::Sensitive) {
                    found(pattern, subscribers);
                }
            }
        };
        for len in self.by_prefix.lengths_up_to(channel.len()) {
            self.by_prefix.groups.get(&channel[..len]).into_iter().for_each(&mut look);
        }
        for len in self.by_suffix.lengths_up_to(channel.len()) {
            self.by_suffix.groups.get(&channel[channel.len() - len..]).into_iter().for_each(&mut look);
        }
        look(&self.others);
    }
}

impl Index {
    fn group_or_new(&mut self, text: &[u8]) -> &mut Group {
        if !self.groups.contains_key(text) {
            *self.lengths.entry(text.len()).or_default() += 1;
        }
        self.groups.entry(text.into()).or_default()
    }

    fn forget(&mut self, text: &[u8]) {
        self.groups.remove(text);
        if let TreeEntry::Occupied(mut count) = self.lengths.entry(text.len()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    fn lengths_up_to(&self, most: usize) -> impl Iterator<Item = usize> {
        self.lengths.range(..=most).map(|(len, _)| *len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::user::User;
    use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};

    fn record(id: u64) -> Arc<ClientRecord> {
        Arc::new(ClientRecord::new(id, Arc::new(User::initial()), "test".into(), "test".into(), -1, 0))
    }

    fn mail(record: &ClientRecord) -> String {
        let mut out = Reply::default();
        assert!(record.outbox.drain(&mut out));
        String::from_utf8_lossy(&out.as_bytes()).replace("\r\n", " ")
    }

    #[test]
    fn a_message_comes_once_for_each_subscription() {
        let (pubsub, settings) = (PubSub::default(), Settings::default());
        let (client, mut own) = (record(1), Subscriptions::default());
        assert!(pubsub.is_deserted());
        for (kind, name) in
            [(Kind::Channel, "a"), (Kind::Pattern, "a*"), (Kind::Channel, "a"), (Kind::ShardChannel, "a")]
        {
            pubsub.subscribe(&mut own, &client, kind, name.as_bytes());
        }
        assert_eq!((own.count(Kind::Pattern), own.count(Kind::ShardChannel)), (2, 1));
        assert_eq!(pubsub.publish(b"a", b"x", &settings), 2);
        assert_eq!(mail(&client), "*3 $7 message $1 a $1 x *4 $8 pmessage $2 a* $1 a $1 x ");
        assert_eq!(pubsub.publish_to_shard(b"a", b"y", &settings), 1);
        assert_eq!(mail(&client), "*3 $8 smessage $1 a $1 y ");
        pubsub.unsubscribe_all(&mut own, &client);
        assert!(own.is_empty() && pubsub.is_deserted() && !client.is_subscriber());
        assert_eq!((pubsub.publish(b"a", b"x", &settings), pubsub.channels(Kind::Channel, None).len()), (0, 0));
    }

    #[test]
    fn patterns_are_found_by_what_is_certain_about_them() {
        for (pattern, handle) in [
            ("news", Handle::Prefix(b"news")),
            ("news.*", Handle::Prefix(b"news.")),
            ("a\\*b", Handle::Prefix(b"a")),
            ("*.end", Handle::Suffix(b".end")),
            ("?x]", Handle::Suffix(b"x]")),
            ("*[a]b", Handle::Nothing),
            ("[*ab", Handle::Nothing),
            ("*\\", Handle::Nothing),
            ("*", Handle::Nothing),
            ("", Handle::Nothing),
        ] {
            assert_eq!(Handle::of(pattern.as_bytes()), handle, "{pattern}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

        #[test]
        fn the_index_finds_what_trying_all_finds(
            changes in prop::collection::vec(("[ab*?\\[\\]\\\\^]{0,4}", 1u64..4, prop::bool::weighted(0.7)), 0..40),
            channels in prop::collection::vec("[ab\\]]{0,4}", 1..10),
        ) {
            let mut patterns = Patterns::default();
            let mut model: BTreeSet<(Bytes, u64)> = BTreeSet::new();
            for (pattern, id, subscribes) in changes {
                let pattern = Bytes::from(pattern);
                if subscribes {
                    patterns.insert(pattern.clone(), record(id));
                    model.insert((pattern, id));
                } else {
                    patterns.remove(&pattern, id);
                    model.remove(&(pattern, id));
                }
            }
            let names: BTreeSet<&Bytes> = model.iter().map(|(pattern, _)| pattern).collect();
            prop_assert_eq!(patterns.len, names.len());
            for channel in channels {
                let mut found = BTreeSet::new();
                patterns.for_each_match(channel.as_bytes(), |pattern, subscribers| {
                    found.extend(subscribers.keys().map(|id| (pattern.clone(), *id)));
                });
                let mut wanted = model.clone();
                wanted.retain(|(pattern, _)| glob::matches(pattern, channel.as_bytes(), Case::Sensitive));
                prop_assert_eq!(found, wanted);
            }
        }
    }
}
