//! Transcripts of several connections: who waits, who feeds, who hears of it.
//!
//! `a> LPUSH q x` is a command of the connection `a`, which is opened when it is first named; the lines below are its reply,
//! as in plain transcripts. `(waits)` as a reply says that the command blocks: the transcript goes on when the server shows
//! the client as blocked; `(later)` goes on at once, for when nobody can be asked. `a<` begins what arrives at `a` then: the reply of a command that has waited, or a message. `@waits
//! a` says that `a` is still blocked, `@advance 1500` moves the clock by so many milliseconds, `@unblock a` is CLIENT UNBLOCK
//! and `@kill a` CLIENT KILL. At the end nothing that was not named may have arrived anywhere.

use super::oracle::{Kind, Oracle};
use super::transcript::{as_in_resp2, show, split};
use super::{Connection, server};
use resplite::Server;
use resplite_resp::reply::Protocol;
use std::collections::BTreeMap;
use std::time::Duration;

enum Step {
    Command { who: String, line: String, expected: String },
    Arrival { who: String, expected: String },
    Waits(String),
    Unblock(String),
    Kill(String),
    Advance(Duration),
}

/// Where a transcript runs besides here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peers {
    /// On both real servers.
    Both,
    /// On valkey-server only: Redis 7.0 does not have it, or does it otherwise.
    Modern,
    /// Nowhere.
    None,
}

impl Peers {
    /// Starts them one after the other; those that this machine does not have are left out.
    fn start(self) -> impl Iterator<Item = (&'static str, Oracle)> {
        [(Kind::Redis, "on redis-server"), (Kind::Valkey, "on valkey-server")]
            .into_iter()
            .filter(move |(kind, _)| self == Peers::Both || self == Peers::Modern && *kind == Kind::Valkey)
            .filter_map(|(kind, place)| Some((place, Oracle::start(kind, &[])?)))
    }
}

/// Runs a transcript here over RESP2 and over RESP3, and on the real servers.
#[track_caller]
pub fn check_together(peers: Peers, transcript: &str) {
    let steps = parse(transcript);
    let is_timed = steps.iter().any(|step| matches!(step, Step::Advance(_)));
    for resp3 in [false, true] {
        // Without orders about the clock time-outs come by themselves.
        let ours = if is_timed { server() } else { Server::builder().start().expect("a server on a free port starts") };
        let address = ours.address().expect("it listens");
        let open = || Connection::tcp(address);
        Stage::new(if resp3 { "over RESP3" } else { "over RESP2" }, &open, Some(&ours), resp3).run(&steps);
    }
    if is_timed {
        return;
    }
    for (place, oracle) in peers.start() {
        Stage::new(place, &|| oracle.connect(), None, false).run(&steps);
    }
}

/// Runs a transcript over one protocol only, here and on the real servers, and shows what comes with the protocol's types.
#[track_caller]
pub fn check_together_in(protocol: Protocol, peers: Peers, transcript: &str) {
    let steps = parse(transcript);
    let stage = |place, open: &dyn Fn() -> Connection, ours: Option<&Server>| {
        let stage = Stage::new(place, open, ours, protocol == Protocol::Resp3);
        Stage { is_plain: true, ..stage }.run(&steps);
    };
    let ours = server();
    let address = ours.address().expect("it listens");
    stage("here", &|| Connection::tcp(address), Some(&ours));
    for (kind, oracle) in peers.start() {
        stage(kind, &|| oracle.connect(), None);
    }
}

/// The connections of one run.
struct Stage<'a> {
    place: &'a str,
    open: &'a dyn Fn() -> Connection,
    ours: Option<&'a Server>,
    resp3: bool,
    /// What comes is shown as it is, and not as RESP2 would have it.
    is_plain: bool,
    control: Connection,
    actors: BTreeMap<String, Actor>,
}

struct Actor {
    connection: Connection,
    id: String,
    is_blocked: bool,
    is_gone: bool,
}

impl<'a> Stage<'a> {
    fn new(place: &'a str, open: &'a dyn Fn() -> Connection, ours: Option<&'a Server>, resp3: bool) -> Self {
        Stage { place, open, ours, resp3, is_plain: false, control: open(), actors: BTreeMap::new() }
    }

    #[track_caller]
    fn run(mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Command { who, line, expected } => {
                    let args = split(line);
                    let actor = self.actor(who);
                    actor.connection.send(&args);
                    if expected == "(later)" {
                        actor.is_blocked = true;
                    } else if expected == "(waits)" {
                        actor.is_blocked = true;
                        self.until_blocked(who);
                    } else {
                        self.compare(who, &format!("{who}> {line}"), expected);
                    }
                }
                Step::Arrival { who, expected } => {
                    self.actor(who).is_blocked = false;
                    self.compare(who, &format!("{who}<"), expected);
                }
                Step::Waits(who) => assert!(self.is_blocked(who), "{}: {who} waits no more", self.place),
                Step::Unblock(who) => {
                    let id = self.actor(who).id.clone();
                    assert_eq!(self.control.call(["CLIENT", "UNBLOCK", &id]).as_int(), Some(1), "{who} waits");
                }
                Step::Kill(who) => {
                    let actor = self.actor(who);
                    actor.is_gone = true;
                    let id = actor.id.clone();
                    assert_eq!(self.control.call(["CLIENT", "KILL", "ID", &id]).as_int(), Some(1), "{who} is there");
                }
                Step::Advance(by) => assert!(self.ours.is_some_and(|server| server.advance(*by))),
            }
        }
        for (who, actor) in &mut self.actors {
            if actor.is_blocked || actor.is_gone {
                continue;
            }
            let answer = show(actor.connection.call(["PING", "nothing more"]).to_resp2());
            assert!(answer.contains("nothing more"), "{}: {who} was also sent {answer}", self.place);
        }
    }

    fn actor(&mut self, who: &str) -> &mut Actor {
        let (open, resp3) = (self.open, self.resp3);
        self.actors.entry(who.to_owned()).or_insert_with(|| {
            let mut connection = if resp3 { open().hello3() } else { open() };
            let id = connection.call(["CLIENT", "ID"]).as_int().expect("an id").to_string();
            Actor { connection, id, is_blocked: false, is_gone: false }
        })
    }

    #[track_caller]
    fn compare(&mut self, who: &str, what: &str, expected: &str) {
        let place = self.place;
        let value = self.actor(who).connection.try_read();
        let shown = match value {
            None => "(closed)".to_owned(),
            Some(value) if self.is_plain || value.as_error().is_some() => show(value),
            Some(value) => as_in_resp2(value, expected),
        };
        assert!(expected == "(any)" || expected == shown, "{place}\n{what}\nexpected\n{expected}\ngot\n{shown}");
        if shown == "(closed)" {
            self.actor(who).is_gone = true;
        }
    }

    /// Whether the server shows a client as blocked.
    fn is_blocked(&mut self, who: &str) -> bool {
        let id = self.actor(who).id.clone();
        self.control.shows_blocked(&id)
    }

    fn until_blocked(&mut self, who: &str) {
        // Each question is a round trip, so this yields to the server; nextest ends it if it never comes.
        while !self.is_blocked(who) {}
    }
}

fn parse(transcript: &str) -> Vec<Step> {
    let lines: Vec<&str> = transcript.lines().collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let common = lines.iter().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let mut steps: Vec<Step> = Vec::new();
    for line in lines {
        let line = line.get(common..).unwrap_or("").trim_end();
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
        if let Some((who, command)) = line.split_once("> ").filter(|(who, _)| is_name(who)) {
            let (who, line) = (who.to_owned(), command.to_owned());
            steps.push(Step::Command { who, line, expected: String::new() });
        } else if let Some(who) = line.strip_suffix('<').filter(|who| is_name(who)) {
            steps.push(Step::Arrival { who: who.to_owned(), expected: String::new() });
        } else if let Some(order) = line.strip_prefix('@') {
            let (verb, rest) = order.split_once(' ').expect("an order and what it is about");
            steps.push(match verb {
                "advance" => Step::Advance(Duration::from_millis(rest.parse().expect("milliseconds"))),
                "waits" => Step::Waits(rest.to_owned()),
                "unblock" => Step::Unblock(rest.to_owned()),
                "kill" => Step::Kill(rest.to_owned()),
                other => panic!("no such order: {other}"),
            });
        } else if !line.is_empty() {
            let (Some(Step::Command { expected, .. }) | Some(Step::Arrival { expected, .. })) = steps.last_mut() else {
                panic!("a reply without a command: {line}")
            };
            if !expected.is_empty() {
                expected.push('\n');
            }
            expected.push_str(line);
        }
    }
    steps
}
