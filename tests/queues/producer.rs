//! A thread that pushes elements in every way there is, and now and then makes trouble for those who wait.

use super::ledger::{Element, Ledger};
use super::{Kind, LANES, OPERATIONS, Stage};
use crate::support::Connection;
use crate::support::socket::encode;
use fastrand::Rng;
use resplite::Value;
use std::sync::atomic::Ordering;

/// Elements that one command pushes at most.
const MOST: usize = 6;
/// Milliseconds of a pause at most.
const LONGEST_PAUSE: u32 = 8;

type Words = Vec<String>;

pub(super) struct Producer<'a> {
    stage: &'a Stage,
    number: usize,
    rng: Rng,
    connection: Connection,
    /// Sends what must not end with the connection.
    control: Connection,
    /// The number of the next element.
    next: u64,
    ledger: Ledger,
}

impl<'a> Producer<'a> {
    pub(super) fn new(stage: &'a Stage, number: usize, rng: Rng) -> Self {
        let open = || Connection::tcp(stage.address);
        Producer { stage, number, rng, connection: open(), control: open(), next: 0, ledger: Ledger::default() }
    }

    pub(super) fn run(mut self) -> Ledger {
        if self.is_fragile() {
            self.connect();
        }
        for _ in 0..OPERATIONS {
            let lane = self.rng.usize(..LANES.len());
            if self.is_fragile() {
                self.push_perhaps(lane);
            } else {
                self.push(lane);
            }
            if self.rng.u8(..10) == 0 {
                self.make_trouble();
            }
        }
        if self.is_fragile() {
            self.stage.targets[0].store(0, Ordering::Release);
        }
        self.ledger
    }

    /// Whether its connection may be killed: it does only what leaves nothing half done.
    fn is_fragile(&self) -> bool {
        self.number == 0
    }

    /// Has somebody else's wait or connection end, or all of them rest.
    fn make_trouble(&mut self) {
        let target = self.rng.usize(..self.stage.targets.len());
        let id = self.stage.targets[target].load(Ordering::Acquire).to_string();
        let pause = self.rng.u32(1..LONGEST_PAUSE).to_string();
        match self.rng.u8(..16) {
            0..4 => {
                let answer = self.control.call(["CLIENT", "KILL", "ID", &id]).as_int();
                self.ledger.kills += usize::from(answer == Some(1));
            }
            4..8 => drop(self.control.call(["CLIENT", "UNBLOCK", &id])),
            8..12 => drop(self.control.call(["CLIENT", "UNBLOCK", &id, "ERROR"])),
            12 => drop(self.control.call(["CLIENT", "PAUSE", &pause])),
            13 => drop(self.control.call(["CLIENT", "PAUSE", &pause, "WRITE"])),
            14 => drop(self.control.call(["CLIENT", "UNPAUSE"])),
            _ => drop(self.control.call(["SWAPDB", "2", "3"])),
        }
    }

    /// A plain push, alone or in a transaction, on a connection that others may end.
    fn push_perhaps(&mut self, lane: usize) {
        let kind = LANES[lane].kind;
        let key = self.key(lane);
        let mut elements = self.elements(lane);
        if LANES[lane].is_stream() {
            elements.truncate(1);
        }
        let side = self.side(kind);
        let push = push_words(side, key, &elements);
        let in_transaction = self.rng.bool();
        let databases = LANES[lane].databases;
        let select = words(&["SELECT", &databases[self.rng.usize(..databases.len())].to_string()]);
        let commands = match in_transaction {
            true => vec![select, words(&["MULTI"]), push, words(&["EXEC"])],
            false => vec![select, push],
        };
        let bytes: Vec<u8> = commands.iter().flat_map(encode).collect();
        let is_sent = self.connection.try_send_raw(&bytes).is_ok();
        let answers: Option<Vec<Value>> =
            commands.iter().map(|_| if is_sent { self.connection.try_read() } else { None }).collect();
        let Some(answers) = answers else {
            self.ledger.perhaps.extend(elements);
            self.connect();
            return;
        };
        let answer = match (answers.last(), in_transaction) {
            (Some(all), true) => all.as_slice().and_then(|all| all.first()),
            (last, _) => last,
        };
        self.note_push(kind, answer.expect("an answer for the push"), elements);
        if self.rng.u8(..20) == 0 {
            self.connect();
        }
    }

    fn connect(&mut self) {
        self.connection = Connection::tcp(self.stage.address);
        let id = self.connection.call(["CLIENT", "ID"]).as_int().and_then(|id| u64::try_from(id).ok());
        self.stage.targets[0].store(id.expect("an id"), Ordering::Release);
    }

    /// Pushes in one of the many ways.
    fn push(&mut self, lane: usize) {
        let it = &LANES[lane];
        if it.is_stream() {
            return self.append(lane);
        }
        let database = it.databases[self.rng.usize(..it.databases.len())].to_string();
        self.connection.call(["SELECT", &database]);
        let key = self.key(lane);
        let side = self.side(it.kind);
        let elements = self.elements(lane);
        let push = push_words(side, key, &elements);
        match self.rng.u8(..24) {
            0..10 => {
                let answer = self.connection.call(&push);
                self.note_push(it.kind, &answer, elements);
            }
            10..13 => self.push_to_two(lane, push, elements),
            13 => self.push_and_pop(lane, push, elements),
            14 => self.push_to_existing(lane, key, elements),
            15 | 16 => self.replace(lane, key, elements),
            17 => self.remove(lane, key),
            18 if it.kind == Kind::Wild => self.put_in_the_way(key),
            19 if it.kind == Kind::Wild => {
                drop(self.connection.call(["MOVE", key, if database == "2" { "3" } else { "2" }]))
            }
            _ => self.move_there(lane, key, elements),
        }
    }

    /// Adds entries to streams, one by one or in a transaction.
    fn append(&mut self, lane: usize) {
        let kind = LANES[lane].kind;
        let elements = self.elements(lane);
        let commands: Vec<Words> =
            elements.iter().map(|element| push_words(kind, self.key(lane), std::slice::from_ref(element))).collect();
        self.connection.call(["SELECT", "0"]);
        let answers = match self.rng.u8(..3) {
            0 => self.transaction(commands),
            1 => {
                self.connection.send_raw(&commands.iter().flat_map(encode).collect::<Vec<u8>>());
                commands.iter().map(|_| self.connection.read()).collect()
            }
            _ => commands.iter().map(|command| self.connection.call(command)).collect(),
        };
        for (answer, element) in answers.iter().zip(elements) {
            self.note_push(kind, answer, vec![element]);
        }
    }

    fn push_to_two(&mut self, lane: usize, push: Words, elements: Vec<Element>) {
        let kind = LANES[lane].kind;
        let (key, side, more) = (self.key(lane), self.side(kind), self.elements(lane));
        let answers = self.transaction(vec![push, push_words(side, key, &more)]);
        self.note_push(kind, &answers[0], elements);
        self.note_push(kind, &answers[1], more);
    }

    /// Takes one away before those who wait can see it.
    fn push_and_pop(&mut self, lane: usize, push: Words, elements: Vec<Element>) {
        let kind = LANES[lane].kind;
        let pop = match kind {
            Kind::Backward => "RPOP",
            Kind::Low => "ZPOPMIN",
            Kind::High => "ZPOPMAX",
            _ => "LPOP",
        };
        let key = push[1].clone();
        let answers = self.transaction(vec![push, words(&[pop, &key])]);
        self.note_push(kind, &answers[0], elements);
        self.ledger.delivered.extend(Element::all_in(&answers[1]));
    }

    /// Pushes only if there is something already; or one member by its increment.
    fn push_to_existing(&mut self, lane: usize, key: &str, elements: Vec<Element>) {
        let kind = LANES[lane].kind;
        let (first, all): (Element, Vec<Element>) = (elements[0], elements);
        let (command, noted) = match kind {
            Kind::Low | Kind::High => (words(&["ZINCRBY", key, &score(kind, first), &first.to_string()]), vec![first]),
            _ => {
                let verb = if kind == Kind::Backward { "LPUSHX" } else { "RPUSHX" };
                let named = all.iter().map(Element::to_string);
                ([verb.to_owned(), key.to_owned()].into_iter().chain(named).collect(), all)
            }
        };
        let answer = self.connection.call(&command);
        self.note_push(kind, &answer, noted);
    }

    /// Puts other elements in the place of those that there are.
    fn replace(&mut self, lane: usize, key: &str, elements: Vec<Element>) {
        let kind = LANES[lane].kind;
        let store = self.store(kind);
        let push = push_words(self.side(kind), &store, &elements);
        let mut commands = vec![push, look(kind, key)];
        match (self.rng.bool(), self.rng.bool(), is_sorted(kind)) {
            (true, ..) => commands.push(words(&["RENAME", &store, key])),
            (_, true, true) => {
                commands.extend([words(&["ZRANGESTORE", key, &store, "0", "-1"]), words(&["DEL", &store])]);
            }
            _ => commands.extend([words(&["COPY", &store, key, "REPLACE"]), words(&["DEL", &store])]),
        }
        let answers = self.transaction(commands);
        self.note_push(kind, &answers[0], elements);
        self.ledger.discarded.extend(Element::all_in(&answers[1]));
    }

    fn remove(&mut self, lane: usize, key: &str) {
        let remove = ["DEL", "UNLINK"][self.rng.usize(..2)];
        let answers = self.transaction(vec![look(LANES[lane].kind, key), words(&[remove, key])]);
        self.ledger.discarded.extend(Element::all_in(&answers[0]));
    }

    /// Puts a string where a list is waited for, and takes it away again, but no list that has come meanwhile.
    fn put_in_the_way(&mut self, key: &str) {
        self.connection.call(["SETNX", key, "in the way"]);
        self.connection.call(["GETDEL", key]);
    }

    /// Pushes to a key of its own, and moves it from there.
    fn move_there(&mut self, lane: usize, key: &str, elements: Vec<Element>) {
        let kind = LANES[lane].kind;
        let store = self.store(kind);
        let mut commands = vec![push_words(self.side(kind), &store, &elements)];
        if is_sorted(kind) {
            commands.extend([words(&["ZUNIONSTORE", key, "2", key, &store]), words(&["DEL", &store])]);
        } else {
            let is_old = kind == Kind::Backward && self.rng.bool();
            let (take, put) = if kind == Kind::Backward { ("RIGHT", "LEFT") } else { ("LEFT", "RIGHT") };
            let hop = match is_old {
                true => words(&["RPOPLPUSH", &store, key]),
                false => words(&["LMOVE", &store, key, take, put]),
            };
            commands.extend(elements.iter().map(|_| hop.clone()));
        }
        let answers = self.transaction(commands);
        self.note_push(kind, &answers[0], elements);
        // A string in the way lets nothing in: what has stayed where it was is given up.
        if kind == Kind::Wild {
            let answers = self.transaction(vec![look(kind, &store), words(&["DEL", &store])]);
            self.ledger.discarded.extend(Element::all_in(&answers[0]));
        }
    }

    fn transaction(&mut self, commands: Vec<Words>) -> Vec<Value> {
        let count = commands.len();
        let bytes: Vec<u8> = std::iter::once(words(&["MULTI"]))
            .chain(commands)
            .chain([words(&["EXEC"])])
            .flat_map(|words| encode(&words))
            .collect();
        self.connection.send_raw(&bytes);
        (0..=count).for_each(|_| drop(self.connection.read()));
        let answers = self.connection.read();
        assert_eq!(answers.as_slice().map(<[_]>::len), Some(count), "{answers:?}");
        answers.into_vec()
    }

    /// Notes what a push has answered; 0 is that of a push to what is not there.
    fn note_push(&mut self, kind: Kind, answer: &Value, elements: Vec<Element>) {
        match answer.as_error() {
            Some(error) => assert!(kind == Kind::Wild && error.starts_with("WRONGTYPE"), "{elements:?}: {error}"),
            None if answer.as_int() == Some(0) => {}
            None => self.ledger.pushed.extend(elements),
        }
    }

    fn elements(&mut self, lane: usize) -> Vec<Element> {
        let count = self.rng.usize(1..=MOST);
        (0..count)
            .map(|_| {
                self.next += 1;
                Element { lane, producer: self.number, number: self.next }
            })
            .collect()
    }

    /// One of the keys where elements come in.
    fn key(&mut self, lane: usize) -> &'static str {
        let lane = &LANES[lane];
        if lane.is_chain { lane.keys[0] } else { lane.keys[self.rng.usize(..lane.keys.len())] }
    }

    fn side(&mut self, kind: Kind) -> Kind {
        match kind {
            Kind::Wild => [Kind::Forward, Kind::Backward][self.rng.usize(..2)],
            other => other,
        }
    }

    /// A key of its own.
    fn store(&self, kind: Kind) -> String {
        format!("store:{}:{kind:?}", self.number)
    }
}

fn words(words: &[&str]) -> Words {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn is_sorted(kind: Kind) -> bool {
    matches!(kind, Kind::Low | Kind::High)
}

/// What comes first is to be taken first.
fn score(kind: Kind, element: Element) -> String {
    format!("{}{}", if kind == Kind::High { "-" } else { "" }, element.number)
}

/// A command that pushes all of them; a stream takes one.
fn push_words(kind: Kind, key: &str, elements: &[Element]) -> Words {
    let verb = match kind {
        Kind::Low | Kind::High => "ZADD",
        Kind::Backward => "LPUSH",
        Kind::Stream | Kind::Group => "XADD",
        Kind::Forward | Kind::Wild => "RPUSH",
    };
    let mut words = words(&[verb, key]);
    if verb == "XADD" {
        words.extend(["*", "element"].map(str::to_owned));
    }
    for element in elements {
        if is_sorted(kind) {
            words.push(score(kind, *element));
        }
        words.push(element.to_string());
    }
    words
}

/// A command that shows all there is.
fn look(kind: Kind, key: &str) -> Words {
    words(&[if is_sorted(kind) { "ZRANGE" } else { "LRANGE" }, key, "0", "-1"])
}
