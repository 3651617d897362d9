//! A thread that reads streams: all that there is, or its part of what a group reads; its connection may end at any moment.

use super::ledger::{Element, Ledger, Lost};
use super::{Kind, LANES, Stage};
use crate::support::Connection;
use crate::support::socket::encode;
use fastrand::Rng;
use resplite::Value;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

/// The group of all streams that are read by one.
pub(super) const GROUP: &str = "group";
/// Entries of a stream that one command asks for at most.
const MOST: usize = 4;

/// How a reader reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Every entry, by the id of the last one.
    Alone,
    /// As a consumer of the group who says what it has got, and looks for what it may have missed.
    Careful,
    /// As a consumer of the group who does not want to be asked.
    Careless,
}

pub(super) struct Reader<'a> {
    stage: &'a Stage,
    lane: usize,
    name: String,
    way: Way,
    /// Its number among those who may be killed.
    target: usize,
    rng: Rng,
    ledger: Ledger,
    /// The last id that was read of each stream.
    ids: HashMap<&'static str, String>,
    /// All that was read, by stream.
    read: HashMap<&'static str, Vec<Element>>,
    /// Entries that were delivered and not acknowledged yet.
    open: HashSet<(&'static str, String)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(stage: &'a Stage, lane: usize, place: usize, target: usize, rng: Rng) -> Self {
        let way = match (LANES[lane].kind, place) {
            (Kind::Group, 0) => Way::Careless,
            (Kind::Group, _) => Way::Careful,
            _ => Way::Alone,
        };
        Reader {
            stage,
            lane,
            name: format!("reader{place}"),
            way,
            target,
            rng,
            ledger: Ledger::default(),
            ids: HashMap::new(),
            read: HashMap::new(),
            open: HashSet::new(),
        }
    }

    /// Reads until the round ends.
    pub(super) fn run(mut self) -> Ledger {
        while !self.has_ended() {
            let connection = self.connect();
            self.serve(connection);
        }
        self.stage.targets[self.target].store(0, Ordering::Release);
        if self.way == Way::Careful {
            // Nobody can be killed any more whose id is not known.
            let recovered = self.recover(&mut Connection::tcp(self.stage.address));
            recovered.expect("nobody ends this connection");
        }
        if self.way == Way::Alone {
            self.ledger.readers.push(self.read);
        }
        self.ledger
    }

    fn has_ended(&self) -> bool {
        self.stage.has_ended.load(Ordering::Acquire)
    }

    fn is_draining(&self) -> bool {
        self.stage.is_draining.load(Ordering::Acquire)
    }

    fn connect(&mut self) -> Connection {
        let mut connection = Connection::tcp(self.stage.address);
        if self.rng.bool() {
            connection = connection.hello3();
        }
        let id = connection.call(["CLIENT", "ID"]).as_int().and_then(|id| u64::try_from(id).ok());
        self.stage.targets[self.target].store(id.expect("an id"), Ordering::Release);
        connection
    }

    /// Reads until the connection, which is the answer, or the round ends.
    fn serve(&mut self, mut connection: Connection) -> Option<()> {
        if self.way == Way::Careful {
            self.recover(&mut connection)?;
        }
        while !self.has_ended() {
            let (words, most) = self.request();
            let is_sent = connection.try_send_raw(&encode(&words)).is_ok();
            let leaves = is_sent && !self.is_draining() && self.rng.u8(..60) == 0;
            let answer = if is_sent && !leaves { connection.try_read() } else { None };
            let Some(answer) = answer else {
                if self.way == Way::Careless {
                    self.ledger.lost.push(Lost { lane: self.lane, most });
                }
                return None;
            };
            self.note(&words, answer);
            if self.way == Way::Careful && self.rng.u8(..4) > 0 {
                self.acknowledge(&mut connection)?;
            }
        }
        Some(())
    }

    /// Takes what was delivered to this consumer, but has not arrived. It may come behind newer entries: a connection that
    /// was left is served until the server notices.
    fn recover(&mut self, connection: &mut Connection) -> Option<()> {
        let keys = LANES[self.lane].keys;
        let mut words = vec!["XREADGROUP", "GROUP", GROUP, &self.name, "STREAMS"];
        words.extend(keys);
        words.extend(keys.iter().map(|_| "0"));
        connection.try_send_raw(&encode(&words)).ok()?;
        let answer = connection.try_read()?;
        let known: Vec<(&str, String)> = self.open.iter().cloned().collect();
        for (key, entries) in streams(answer) {
            let key = self.key(&key);
            for (id, element) in entries {
                if !known.contains(&(key, id.clone())) {
                    self.take(key, id, element);
                }
            }
        }
        self.acknowledge(connection)
    }

    fn acknowledge(&mut self, connection: &mut Connection) -> Option<()> {
        for key in LANES[self.lane].keys {
            let ids: Vec<String> =
                self.open.iter().filter(|(other, _)| other == key).map(|(_, id)| id.clone()).collect();
            if ids.is_empty() {
                continue;
            }
            let words = ["XACK", key, GROUP].into_iter().chain(ids.iter().map(String::as_str));
            connection.try_send_raw(&encode(words)).ok()?;
            let answer = connection.try_read()?;
            assert!(answer.as_int().is_some(), "XACK answers {answer:?}");
            self.open.retain(|(other, _)| other != key);
        }
        Some(())
    }

    fn note(&mut self, words: &[String], answer: Value) {
        if let Some(error) = answer.as_error() {
            assert!(error.starts_with("UNBLOCKED"), "{words:?} answers {error}");
            self.ledger.unblocked += 1;
            return;
        }
        let streams = streams(answer);
        if streams.is_empty() {
            self.ledger.in_vain += 1;
        }
        for (key, entries) in streams {
            let key = self.key(&key);
            for (id, element) in entries {
                let mut read = self.read.get(key).into_iter().flatten();
                let last = read.rfind(|other| other.producer == element.producer);
                assert!(last.is_none_or(|last| last.number < element.number), "{element} after {last:?} in {key}");
                self.take(key, id, element);
            }
        }
    }

    /// Notes an entry that has come.
    fn take(&mut self, key: &'static str, id: String, element: Element) {
        assert_eq!(element.lane, self.lane, "{element} in {key}");
        self.ids.insert(key, id.clone());
        self.stage.seen[self.target].fetch_add(1, Ordering::AcqRel);
        let read = self.read.entry(key).or_default();
        read.push(element);
        if self.way != Way::Alone {
            self.ledger.delivered.push(element);
        }
        if self.way == Way::Careful {
            self.open.insert((key, id));
        }
    }

    fn key(&self, name: &str) -> &'static str {
        LANES[self.lane].keys.iter().find(|key| **key == name).expect("a stream that was asked for")
    }

    /// A command that reads, and how many entries it reads at most.
    fn request(&mut self) -> (Vec<String>, usize) {
        let mut keys = LANES[self.lane].keys.to_vec();
        self.rng.shuffle(&mut keys);
        if !self.is_draining() {
            keys.truncate(self.rng.usize(1..=keys.len()));
        }
        let mut words: Vec<String> = match self.way {
            Way::Alone => vec!["XREAD".to_owned()],
            _ => ["XREADGROUP", "GROUP", GROUP, &self.name].map(str::to_owned).to_vec(),
        };
        if self.way == Way::Careless {
            words.push("NOACK".to_owned());
        }
        let count = self.rng.usize(1..=MOST);
        words.extend(["COUNT".to_owned(), count.to_string()]);
        if self.is_draining() || self.rng.u8(..4) > 0 {
            let timeout = if self.is_draining() || self.rng.bool() { 0 } else { self.rng.u32(1..30) };
            words.extend(["BLOCK".to_owned(), timeout.to_string()]);
        }
        words.push("STREAMS".to_owned());
        words.extend(keys.iter().map(|key| (*key).to_owned()));
        words.extend(keys.iter().map(|key| match self.way {
            Way::Alone => self.ids.get(key).cloned().unwrap_or_else(|| "0".to_owned()),
            _ => ">".to_owned(),
        }));
        (words, count * keys.len())
    }
}

/// The entries of each stream in a reply.
fn streams(answer: Value) -> Vec<(String, Vec<(String, Element)>)> {
    let pairs = match answer {
        Value::Nil => Vec::new(),
        Value::Map(pairs) => pairs,
        other => {
            let pair = |pair: Value| {
                let mut pair = pair.into_vec().into_iter();
                (pair.next().unwrap_or(Value::Nil), pair.next().unwrap_or(Value::Nil))
            };
            other.into_vec().into_iter().map(pair).collect()
        }
    };
    let entry = |entry: &Value| {
        let id = entry.as_slice().and_then(|parts| parts.first()).and_then(Value::as_str).expect("an id").to_owned();
        (id, Element::all_in(entry).pop().expect("an entry with an element"))
    };
    pairs
        .into_iter()
        .map(|(key, entries)| {
            let entries = entries.as_slice().expect("entries").iter().map(entry).collect::<Vec<_>>();
            (key.as_str().expect("a key").to_owned(), entries)
        })
        .filter(|(_, entries)| !entries.is_empty())
        .collect()
}
