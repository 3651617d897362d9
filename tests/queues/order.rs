//! Who is served, and with what: first come, first served, and nothing for those who have been killed.

use super::{leaves, options};
use crate::support::Connection;
use fastrand::Rng;
use resplite::{Server, Value};
use std::collections::BTreeMap;

/// Clients that wait in one round.
const WAITERS: usize = 14;
/// Pushes of one round.
const PUSHES: usize = 10;

#[test]
fn first_come_first_served_and_the_killed_get_nothing() {
    let (rounds, seed) = options();
    for round in 0..rounds * 8 {
        let rng = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(round));
        Round::new(1 + usize::try_from(round % 4).expect("small"), format!("seed {seed}, round {round}"), rng).run();
    }
}

#[test]
fn keys_of_a_transaction_are_served_in_the_order_of_their_changes() {
    const KEYS: usize = 20;
    // Several workers have several shards, among which the keys are spread.
    let server = Server::builder().workers(4).start().expect("a server on a free port starts");
    let open = || Connection::tcp(server.address().expect("it listens"));
    let mut control = open();
    let mut waiters: Vec<Connection> = (0..KEYS).map(|_| open()).collect();
    for (number, waiter) in waiters.iter_mut().enumerate() {
        let id = waiter.call(["CLIENT", "ID"]).as_int().expect("an id").to_string();
        waiter.send(["BLMOVE", &format!("key{number}"), "target", "LEFT", "RIGHT", "0"]);
        while !control.shows_blocked(&id) {}
    }
    control.call(["MULTI"]);
    for number in (0..KEYS).rev() {
        control.call(["RPUSH", &format!("key{number}"), &number.to_string()]);
    }
    control.call(["EXEC"]);
    let expected: Vec<String> = (0..KEYS).rev().map(|number| number.to_string()).collect();
    assert_eq!(texts(&control.call(["LRANGE", "target", "0", "-1"])), expected);
}

/// A client and what it waits for.
struct Waiter {
    connection: Connection,
    id: String,
    keys: Vec<String>,
    /// Whether it takes the first or the last element.
    takes_first: bool,
    most: usize,
    /// Whether what it takes goes to another key.
    moves: bool,
}

/// One round: those who wait, in the order in which they came, and what lies in the keys.
struct Round {
    name: String,
    rng: Rng,
    control: Connection,
    is_sorted: bool,
    waiters: Vec<Waiter>,
    killed: Vec<Connection>,
    /// By key, in the order of the elements.
    held: BTreeMap<String, Vec<(u64, String)>>,
    pushed: u64,
    open: Box<dyn Fn() -> Connection>,
    trace: Trace,
}

/// What was done, for who has to find out why it failed.
struct Trace(Vec<String>);

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.join("\n"));
        }
    }
}

impl Round {
    fn new(workers: usize, name: String, mut rng: Rng) -> Self {
        let server = Server::builder().workers(workers).start().expect("a server on a free port starts");
        let address = server.address().expect("it listens");
        let open = move || {
            let _is_running = &server;
            Connection::tcp(address)
        };
        let (control, is_sorted) = (open(), rng.bool());
        let trace = Trace(vec![format!("{name}, {workers} workers")]);
        Round {
            name,
            rng,
            control,
            is_sorted,
            waiters: Vec::new(),
            killed: Vec::new(),
            held: BTreeMap::new(),
            pushed: 0,
            open: Box::new(open),
            trace,
        }
    }

    fn run(mut self) {
        for _ in 0..WAITERS {
            self.have_one_wait();
        }
        for _ in 0..PUSHES {
            self.have_some_go();
            self.push();
            if self.rng.bool() {
                self.have_one_wait();
            }
        }
        for waiter in &self.waiters {
            assert!(self.control.shows_blocked(&waiter.id), "{}: somebody waits no more", self.name);
        }
        for mut connection in self.killed {
            assert_eq!(connection.read_to_end(), b"", "{}: one who was killed was sent something", self.name);
        }
        for (key, held) in self.held {
            let look = if self.is_sorted { "ZRANGE" } else { "LRANGE" };
            let left = texts(&self.control.call([look, &key, "0", "-1"]));
            let expected: Vec<String> = held.into_iter().map(|(_, element)| element).collect();
            assert_eq!(left, expected, "{}: {key}", self.name);
        }
    }

    /// A new client begins to wait, unless it finds something at once.
    fn have_one_wait(&mut self) {
        let mut connection = (self.open)();
        let id = connection.call(["CLIENT", "ID"]).as_int().expect("an id").to_string();
        let mut keys = vec!["q".to_owned(), "r".to_owned()];
        self.rng.shuffle(&mut keys);
        keys.truncate(self.rng.usize(1..3));
        let (takes_first, has_count) = (self.rng.bool(), self.rng.bool());
        let moves = !self.is_sorted && self.rng.u8(..4) == 0;
        let most = if has_count && !moves { self.rng.usize(1..4) } else { 1 };
        let side = match (self.is_sorted, takes_first) {
            (true, true) => "MIN",
            (true, false) => "MAX",
            (false, true) => "LEFT",
            (false, false) => "RIGHT",
        };
        let mut words: Vec<String> = Vec::new();
        if moves {
            keys.truncate(1);
            words.extend(["BLMOVE", &keys[0], "target", side, "LEFT", "0"].map(str::to_owned));
        } else if has_count {
            let name = if self.is_sorted { "BZMPOP" } else { "BLMPOP" };
            words.extend([name.to_owned(), "0".to_owned(), keys.len().to_string()]);
            words.extend(keys.iter().cloned());
            words.extend([side, "COUNT", &most.to_string()].map(str::to_owned));
        } else {
            words.push(
                ["BRPOP", "BLPOP", "BZPOPMAX", "BZPOPMIN"][2 * usize::from(self.is_sorted) + usize::from(takes_first)]
                    .to_owned(),
            );
            words.extend(keys.iter().cloned());
            words.push("0".to_owned());
        }
        self.trace.0.push(format!("{id}: {}", words.join(" ")));
        connection.send(&words);
        let mut waiter = Waiter { connection, id, keys, takes_first, most, moves };
        match waiter.keys.iter().find(|key| self.held.get(*key).is_some_and(|held| !held.is_empty())).cloned() {
            Some(key) => {
                let expected = self.take(&waiter, &key);
                assert_eq!(texts(&waiter.connection.read()), expected, "{}: {words:?}", self.name);
            }
            None => {
                // Each question is a round trip, so this yields to the server.
                while !self.control.shows_blocked(&waiter.id) {}
                self.waiters.push(waiter);
            }
        }
    }

    /// Some of those who wait are killed, sent away, or leave.
    fn have_some_go(&mut self) {
        for _ in 0..self.rng.usize(..3) {
            if self.waiters.is_empty() {
                return;
            }
            let index = self.rng.usize(..self.waiters.len());
            let mut gone = self.waiters.remove(index);
            let way = self.rng.u8(..4);
            self.trace.0.push(format!("{} goes, {way}", gone.id));
            match way {
                0 => {
                    assert_eq!(self.control.call(["CLIENT", "KILL", "ID", &gone.id]).as_int(), Some(1));
                    self.killed.push(gone.connection);
                }
                1 => {
                    assert_eq!(self.control.call(["CLIENT", "UNBLOCK", &gone.id]).as_int(), Some(1));
                    let answer = gone.connection.read();
                    assert!(answer.is_nil(), "{}: {answer:?}", self.name);
                }
                2 => {
                    assert_eq!(self.control.call(["CLIENT", "UNBLOCK", &gone.id, "ERROR"]).as_int(), Some(1));
                    let answer = gone.connection.read();
                    let error = answer.as_error().unwrap_or_default();
                    assert!(error.starts_with("UNBLOCKED"), "{}: {answer:?}", self.name);
                }
                _ => {
                    drop(gone.connection);
                    // The server notices in its own time.
                    while self.control.call(["CLIENT", "LIST", "ID", &gone.id]).as_bytes() != Some(b"") {}
                }
            }
        }
    }

    /// Pushes some elements in some way; those who are to have them do.
    fn push(&mut self) {
        let count = self.rng.usize(1..3);
        let is_transaction = self.rng.bool();
        if is_transaction {
            self.trace.0.push("MULTI".to_owned());
            self.control.call(["MULTI"]);
        }
        let mut keys: Vec<String> = Vec::new();
        for _ in 0..count {
            let key = ["q", "r"][self.rng.usize(..2)].to_owned();
            self.push_to(&key);
            if !is_transaction {
                self.serve(&key);
            } else if !keys.contains(&key) {
                keys.push(key);
            }
        }
        if is_transaction {
            let answer = self.control.call(["EXEC"]);
            assert_eq!(answer.as_slice().map(<[_]>::len), Some(count), "{}: {answer:?}", self.name);
            for key in keys {
                self.serve(&key);
            }
        }
    }

    fn push_to(&mut self, key: &str) {
        let is_left = self.rng.bool();
        let mut words = vec![
            if self.is_sorted {
                "ZADD"
            } else if is_left {
                "LPUSH"
            } else {
                "RPUSH"
            }
            .to_owned(),
            key.to_owned(),
        ];
        let held = self.held.entry(key.to_owned()).or_default();
        for _ in 0..self.rng.usize(1..4) {
            self.pushed += 1;
            let element = format!("element{}", self.pushed);
            if self.is_sorted {
                // No two have the same score.
                let score = self.rng.u64(..1000) * 1000 + self.pushed;
                words.push(score.to_string());
                held.push((score, element.clone()));
                held.sort_unstable();
            } else if is_left {
                held.insert(0, (0, element.clone()));
            } else {
                held.push((0, element.clone()));
            }
            words.push(element);
        }
        self.trace.0.push(words.join(" "));
        let answer = self.control.call(&words);
        assert!(answer.as_error().is_none(), "{}: {answer:?}", self.name);
    }

    /// Those who wait for a key get what there is, in the order in which they came.
    fn serve(&mut self, key: &str) {
        while self.held.get(key).is_some_and(|held| !held.is_empty()) {
            let Some(first) = self.waiters.iter().position(|waiter| waiter.keys.iter().any(|other| other == key))
            else {
                return;
            };
            let mut waiter = self.waiters.remove(first);
            // After a transaction there may be something under several keys: the client's own order decides.
            let found =
                waiter.keys.iter().find(|key| self.held.get(*key).is_some_and(|held| !held.is_empty())).cloned();
            let expected = self.take(&waiter, found.as_deref().unwrap_or(key));
            self.trace.0.push(format!("  {} gets {expected:?}", waiter.id));
            assert_eq!(texts(&waiter.connection.read()), expected, "{}: number {first}", self.name);
        }
    }

    /// What a client gets from a key.
    fn take(&mut self, waiter: &Waiter, key: &str) -> Vec<String> {
        let held = self.held.entry(key.to_owned()).or_default();
        let mut answer = if waiter.moves { Vec::new() } else { vec![key.to_owned()] };
        for _ in 0..waiter.most.min(held.len()) {
            let (score, element) = held.remove(if waiter.takes_first { 0 } else { held.len() - 1 });
            answer.push(element.clone());
            if self.is_sorted {
                answer.push(score.to_string());
            }
        }
        answer
    }
}

fn texts(value: &Value) -> Vec<String> {
    leaves(value).into_iter().map(|leaf| leaf.as_str().map_or_else(|| format!("{leaf:?}"), str::to_owned)).collect()
}
