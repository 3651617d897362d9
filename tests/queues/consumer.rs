//! A thread that takes elements, waiting or not, and notes what it gets; its connection may end at any moment.

use super::ledger::{Element, Ledger, Lost};
use super::{Kind, LANES, Lane, Stage};
use crate::support::Connection;
use crate::support::socket::encode;
use fastrand::Rng;
use resplite::Value;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

/// Elements that one command asks for at most.
const MOST: usize = 4;

pub(super) struct Consumer<'a> {
    stage: &'a Stage,
    lane: usize,
    /// Its number among the consumers of its lane.
    place: usize,
    /// Its number among those who may be killed.
    target: usize,
    rng: Rng,
    ledger: Ledger,
    /// The last number that came from a key, by producer.
    last: HashMap<(String, usize), u64>,
}

/// A command that takes something.
struct Request {
    words: Vec<String>,
    /// Elements that it takes at most.
    most: usize,
    /// The key whose elements it moves on.
    moves_from: Option<&'static str>,
}

impl<'a> Consumer<'a> {
    pub(super) fn new(stage: &'a Stage, lane: usize, place: usize, target: usize, rng: Rng) -> Self {
        Consumer { stage, lane, place, target, rng, ledger: Ledger::default(), last: HashMap::new() }
    }

    /// Takes elements until the round ends.
    pub(super) fn run(mut self) -> Ledger {
        while !self.has_ended() {
            let connection = self.connect();
            self.serve(connection);
        }
        self.stage.targets[self.target].store(0, Ordering::Release);
        self.ledger
    }

    fn lane(&self) -> &'static Lane {
        &LANES[self.lane]
    }

    fn has_ended(&self) -> bool {
        self.stage.has_ended.load(Ordering::Acquire)
    }

    fn is_draining(&self) -> bool {
        self.stage.is_draining.load(Ordering::Acquire)
    }

    /// A new connection, whose id everybody knows from now on.
    fn connect(&mut self) -> Connection {
        let mut connection = Connection::tcp(self.stage.address);
        if self.rng.bool() {
            connection = connection.hello3();
        }
        let databases = self.lane().databases;
        connection.call(["SELECT", &databases[self.place % databases.len()].to_string()]);
        let id = connection.call(["CLIENT", "ID"]).as_int().and_then(|id| u64::try_from(id).ok());
        self.stage.targets[self.target].store(id.expect("an id"), Ordering::Release);
        connection
    }

    /// Takes elements until the connection or the round ends.
    fn serve(&mut self, mut connection: Connection) {
        while !self.has_ended() {
            let request = self.request();
            let is_sent = connection.try_send_raw(&encode(&request.words)).is_ok();
            let leaves = is_sent && !self.is_draining() && self.rng.u8(..60) == 0;
            let answer = if is_sent && !leaves { connection.try_read() } else { None };
            let Some(answer) = answer else {
                if request.moves_from.is_none() {
                    self.ledger.lost.push(Lost { lane: self.lane, most: request.most });
                }
                return;
            };
            self.note(&request, &answer);
        }
    }

    fn note(&mut self, request: &Request, answer: &Value) {
        if let Some(error) = answer.as_error() {
            match error.split(' ').next() {
                Some("UNBLOCKED") => self.ledger.unblocked += 1,
                Some("WRONGTYPE") if self.lane().kind == Kind::Wild => {}
                _ => panic!("{:?} answers {error}", request.words),
            }
            return;
        }
        let elements = Element::all_in(answer);
        assert!(elements.len() <= request.most, "{:?} answers {answer:?}", request.words);
        if elements.is_empty() {
            self.ledger.in_vain += 1;
            return;
        }
        // Commands on several keys say which one it was.
        let named = answer.as_slice().and_then(|parts| parts.first()).and_then(Value::as_bytes);
        let named =
            named.filter(|key| Element::parse(key).is_none() && self.lane().keys.iter().any(|k| k.as_bytes() == *key));
        let key = named.map_or_else(|| request.words[1].clone(), |key| String::from_utf8_lossy(key).into_owned());
        for element in elements {
            assert_eq!(element.lane, self.lane, "{:?} answers {answer:?}", request.words);
            if self.lane().kind != Kind::Wild {
                let last = self.last.insert((key.clone(), element.producer), element.number);
                assert!(last < Some(element.number), "{:?} answers {answer:?} after {last:?}", request.words);
            }
            match request.moves_from {
                Some(from) => self.ledger.moved.push((from.to_owned(), element)),
                None => self.ledger.delivered.push(element),
            }
        }
    }

    fn request(&mut self) -> Request {
        let lane = self.lane();
        if lane.is_chain {
            // All but the last stand between two keys.
            let hop = self.place % lane.keys.len();
            return match lane.keys.get(hop + 1) {
                Some(to) => self.hop(lane.keys[hop], to),
                None => self.pop(&lane.keys[hop..]),
            };
        }
        self.pop(lane.keys)
    }

    /// A command that moves an element from one key to another.
    fn hop(&mut self, from: &'static str, to: &str) -> Request {
        let timeout = self.timeout();
        let is_forward = self.lane().kind == Kind::Forward;
        let (take, put) = if is_forward { ("LEFT", "RIGHT") } else { ("RIGHT", "LEFT") };
        let waits = self.is_draining() || self.rng.u8(..5) > 0;
        let is_old = !is_forward && self.rng.bool();
        let words = match (waits, is_old) {
            (true, true) => vec!["BRPOPLPUSH", from, to, &timeout],
            (true, false) => vec!["BLMOVE", from, to, take, put, &timeout],
            (false, true) => vec!["RPOPLPUSH", from, to],
            (false, false) => vec!["LMOVE", from, to, take, put],
        };
        Request { words: words.into_iter().map(str::to_owned).collect(), most: 1, moves_from: Some(from) }
    }

    /// A command that takes elements away.
    fn pop(&mut self, all: &[&'static str]) -> Request {
        let timeout = self.timeout();
        let keys = self.keys(all);
        let key = keys[0].clone();
        let many = self.rng.usize(2..=MOST);
        let side = match self.lane().kind {
            Kind::Forward => "LEFT",
            Kind::Backward => "RIGHT",
            Kind::Wild => ["LEFT", "RIGHT"][self.rng.usize(..2)],
            Kind::Low => "MIN",
            Kind::High => "MAX",
            Kind::Stream | Kind::Group => unreachable!("streams have readers"),
        };
        let (one, several) = match side {
            "LEFT" => ("LPOP", "LMPOP"),
            "RIGHT" => ("RPOP", "LMPOP"),
            "MIN" => ("ZPOPMIN", "ZMPOP"),
            _ => ("ZPOPMAX", "ZMPOP"),
        };
        let has_count = self.rng.bool();
        let count = |words: &mut Vec<String>| {
            if has_count {
                words.extend(["COUNT".to_owned(), many.to_string()]);
            }
            if has_count { many } else { 1 }
        };
        let form = if self.is_draining() { self.rng.u8(..6) } else { self.rng.u8(..9) };
        let mut words = Vec::new();
        let most = match form {
            0..4 => {
                words.push(format!("B{one}"));
                words.extend(keys);
                words.push(timeout);
                1
            }
            4 | 5 => {
                words.extend([format!("B{several}"), timeout, keys.len().to_string()]);
                words.extend(keys);
                words.push(side.to_owned());
                count(&mut words)
            }
            6 => {
                words.extend([several.to_owned(), keys.len().to_string()]);
                words.extend(keys);
                words.push(side.to_owned());
                count(&mut words)
            }
            7 => {
                words.extend([one.to_owned(), key, many.to_string()]);
                many
            }
            _ => {
                words.extend([one.to_owned(), key]);
                1
            }
        };
        Request { words, most, moves_from: None }
    }

    /// Keys to take from: some in any order while the round runs, all of them at its end.
    fn keys(&mut self, all: &[&'static str]) -> Vec<String> {
        let mut keys: Vec<String> = all.iter().map(|key| (*key).to_owned()).collect();
        self.rng.shuffle(&mut keys);
        if !self.is_draining() {
            keys.truncate(self.rng.usize(1..=all.len()));
            match self.rng.u8(..8) {
                0 => keys.push("nothing".to_owned()),
                1 => keys.push(keys[0].clone()),
                _ => {}
            }
        }
        keys
    }

    /// Seconds; for ever in every second case.
    fn timeout(&mut self) -> String {
        match self.is_draining() || self.rng.bool() {
            true => "0".to_owned(),
            false => format!("0.{:03}", self.rng.u16(1..30)),
        }
    }
}
