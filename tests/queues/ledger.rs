//! The books of a round: what was pushed, what was delivered, what went with a broken connection; and whether they agree.

use super::{GROUP, Kind, LANES, leaves};
use crate::support::Connection;
use resplite::Value;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// One element, named after its lane, its producer and its number there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Element {
    pub(super) lane: usize,
    pub(super) producer: usize,
    pub(super) number: u64,
}

impl Element {
    /// Reads an element's name; anything else, a key or a score, is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.strip_prefix("e:")?;
        let mut parts = text.split(':');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (lane, producer, number) = (number()?, number()?, number()?);
        Some(Element { lane: usize::try_from(lane).ok()?, producer: usize::try_from(producer).ok()?, number })
    }

    /// The elements in a reply, in order.
    pub(super) fn all_in(value: &Value) -> Vec<Self> {
        leaves(value).into_iter().filter_map(|leaf| Element::parse(leaf.as_bytes()?)).collect()
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e:{}:{}:{}", self.lane, self.producer, self.number)
    }
}

/// A command whose reply nobody has seen: the connection ended before.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) lane: usize,
    /// Elements that it can have taken at most.
    pub(super) most: usize,
}

/// What was done and seen; of one thread, and in the end of all.
#[derive(Default)]
pub(super) struct Ledger {
    /// Pushes that were acknowledged.
    pub(super) pushed: Vec<Element>,
    /// Pushes of which nobody knows.
    pub(super) perhaps: Vec<Element>,
    /// Elements that were removed on purpose, by overwriting their key.
    pub(super) discarded: Vec<Element>,
    /// Elements that were delivered.
    pub(super) delivered: Vec<Element>,
    /// Elements that were moved on, with the key where they lay.
    pub(super) moved: Vec<(String, Element)>,
    pub(super) lost: Vec<Lost>,
    /// Replies that said that there was nothing, and that somebody had ended the wait.
    pub(super) in_vain: usize,
    pub(super) unblocked: usize,
    pub(super) kills: usize,
    /// What each of those has read who read streams to their end.
    pub(super) readers: Vec<HashMap<&'static str, Vec<Element>>>,
    left: Vec<Element>,
    /// What streams hold that are not read by a group.
    streams: HashMap<String, Vec<Element>>,
}

impl Ledger {
    /// Adds what another thread has seen.
    pub(super) fn add(&mut self, other: Ledger) {
        self.pushed.extend(other.pushed);
        self.perhaps.extend(other.perhaps);
        self.discarded.extend(other.discarded);
        self.delivered.extend(other.delivered);
        self.moved.extend(other.moved);
        self.lost.extend(other.lost);
        self.readers.extend(other.readers);
        self.in_vain += other.in_vain;
        self.unblocked += other.unblocked;
        self.kills += other.kills;
    }

    /// Notes what is left in the keys, whatever they are called.
    pub(super) fn leave(&mut self, control: &mut Connection) {
        for database in 0..16 {
            control.call(["SELECT", &database.to_string()]);
            let keys = control.call(["KEYS", "*"]).into_vec();
            for key in keys.iter().filter_map(Value::as_str) {
                let left = match control.call(["TYPE", key]).as_str() {
                    Some("list") => control.call(["LRANGE", key, "0", "-1"]),
                    Some("zset") => control.call(["ZRANGE", key, "0", "-1"]),
                    Some("stream") if is_of_a_group(key) => {
                        let pending = control.call(["XPENDING", key, GROUP]);
                        let count = pending.as_slice().and_then(|parts| parts.first()).and_then(Value::as_int);
                        assert_eq!(count, Some(0), "{key} has entries that nobody has acknowledged: {pending:?}");
                        continue;
                    }
                    Some("stream") => {
                        let entries = control.call(["XRANGE", key, "-", "+"]);
                        self.streams.insert(key.to_owned(), Element::all_in(&entries));
                        entries
                    }
                    other => panic!("{key} is a {other:?}"),
                };
                self.left.extend(Element::all_in(&left));
            }
        }
    }

    /// Fails unless every element is accounted for.
    pub(super) fn check(&self, name: &str) {
        let mut seen = HashMap::new();
        for (place, elements) in [("delivered", &self.delivered), ("left", &self.left), ("discarded", &self.discarded)]
        {
            for element in elements {
                if let Some(before) = seen.insert(*element, place) {
                    panic!("{name}: {element} is {before} and {place}");
                }
            }
        }
        let known: HashSet<_> = self.pushed.iter().chain(&self.perhaps).collect();
        assert_eq!(known.len(), self.pushed.len() + self.perhaps.len(), "{name}: each element is pushed once");
        for element in seen.keys() {
            assert!(known.contains(element), "{name}: nobody has pushed {element}");
        }
        let mut hops = HashSet::new();
        for (from, element) in &self.moved {
            assert!(hops.insert((from, element)), "{name}: {element} was moved twice from {from}");
        }
        for read in &self.readers {
            for (key, elements) in &self.streams {
                let read = read.get(key.as_str()).map(Vec::as_slice).unwrap_or_default();
                assert!(read == elements, "{name}: of {key} one has read {read:?}, and it holds {elements:?}");
            }
        }
        for (number, lane) in LANES.iter().enumerate() {
            let missing: Vec<String> = self
                .pushed
                .iter()
                .filter(|element| element.lane == number && !seen.contains_key(element))
                .map(Element::to_string)
                .collect();
            let most: usize = self.lost.iter().filter(|lost| lost.lane == number).map(|lost| lost.most).sum();
            assert!(
                missing.len() <= most,
                "{name}: of {:?} {missing:?} are missing, and those who went can have had {most}",
                lane.keys
            );
        }
    }

    /// What happened, in a line.
    pub(super) fn summary(&self) -> String {
        let (pushed, delivered, left) = (self.pushed.len(), self.delivered.len(), self.left.len());
        format!(
            "{pushed} pushed, {delivered} delivered, {left} left, {} discarded, {} moves, {} in vain, {} unblocked, {} kills, {} replies lost",
            self.discarded.len(),
            self.moved.len(),
            self.in_vain,
            self.unblocked,
            self.kills,
            self.lost.len()
        )
    }
}

fn is_of_a_group(key: &str) -> bool {
    LANES.iter().any(|lane| lane.kind == Kind::Group && lane.keys.contains(&key))
}
