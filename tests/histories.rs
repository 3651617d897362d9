//! Random histories on a disk that fails, fills up and loses power: what a restart finds is a state that there was, and
//! under `always` none older than the last one that was acknowledged..
//!
//! A history is several lives of one data directory. In each life random commands run, a part of them while the disk
//! misbehaves, and at random moments the machine loses its power: of what was not synced by then any part may be left.
//! Every such picture must start, and what it holds is compared with the states that the running server went through.

use fastrand::Rng;
use resplite::disk::sim::{Plan, SimDisk};
use resplite::{Client, Server, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Databases that are written to.
const DATABASES: usize = 3;
/// Names of keys.
const KEYS: usize = 9;
/// Lives of one history.
const LIVES: usize = 3;
/// Where the clock stands at first, in milliseconds.
const BEGIN: u64 = 1_700_000_000_000;

/// Number of histories and the seed: few in `./test`, many in `cargo xtask histories`.
fn options() -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    (number("RESPLITE_HISTORIES").unwrap_or(60), number("RESPLITE_HISTORIES_SEED").unwrap_or(1))
}

#[test]
fn every_crash_leaves_a_state_that_there_was() {
    let (count, seed) = options();
    for number in 0..count {
        History::new(seed, number).run();
    }
}

/// Everything that clients can see: by database and key the deadline, the type and the value.
type State = BTreeMap<(usize, String), (Option<u64>, String)>;

struct History {
    name: String,
    rng: Rng,
    now: u64,
    disk: SimDisk,
    /// States in the order in which they were reached.
    states: Vec<State>,
    /// The oldest state that a restart may find.
    floor: usize,
    /// What was done in this life, for who has to find out why.
    trace: Vec<String>,
}

impl History {
    fn new(seed: u64, number: u64) -> Self {
        History {
            name: format!("seed {seed}, history {number}"),
            rng: Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number)),
            now: BEGIN,
            disk: SimDisk::new(),
            states: vec![State::new()],
            floor: 0,
            trace: Vec::new(),
        }
    }

    fn run(mut self) {
        for life in 0..LIVES {
            let Some(server) = self.start(life) else { continue };
            self.live(server);
        }
        self.lose_power();
    }

    /// Starts on the disk; `None` if the machine stopped on the way, which it sometimes does.
    fn start(&mut self, life: usize) -> Option<Server> {
        let policy = ["always", "always", "everysec", "no"][self.rng.usize(..4)];
        let preamble = if self.rng.u8(..4) == 0 { "no" } else { "yes" };
        let stops = life > 0 && self.rng.u8(..4) == 0;
        if stops {
            self.disk.set_plan(Plan { crash_at: Some(self.rng.u64(..20)), ..Plan::default() });
        }
        let server = builder(&self.disk, self.now)
            .setting("appendfsync", policy)
            .and_then(|builder| builder.setting("aof-use-rdb-preamble", preamble))
            .and_then(|builder| builder.start());
        match server {
            Ok(server) if !stops => {
                let found = state(&mut server.client());
                self.compare(&found);
                (self.states, self.floor) = (vec![found], 0);
                self.trace = vec![format!("life {life} begins, {policy}, rdb preamble {preamble}")];
                Some(server)
            }
            Err(error) if !stops => panic!("{}: it does not start: {error}", self.name),
            _ => {
                self.lose_power();
                self.disk = self.disk.crash(self.rng.u64(..));
                None
            }
        }
    }

    /// One life, to its end in one way or another.
    fn live(&mut self, server: Server) {
        let mut life = Life {
            writer: server.client(),
            reader: server.client(),
            server,
            is_logged: true,
            rewrite: None,
            rewrites: 0,
            has_trouble: false,
        };
        let steps = self.rng.usize(10..60);
        let trouble_at = self.rng.usize(..steps * 2);
        let repair_at = trouble_at + self.rng.usize(1..20);
        for step in 0..steps {
            if step == trouble_at {
                life.has_trouble = true;
                let plan = self.trouble();
                self.trace.push(format!("{plan:?}"));
                self.disk.set_plan(plan);
            }
            if step == repair_at {
                self.disk.set_plan(Plan::default());
                life.has_trouble = false;
                self.trace.push("the disk works again".into());
                life.writer.call(["BGREWRITEAOF"]);
            }
            self.step(&mut life);
            if self.rng.u8(..6) == 0 {
                self.lose_power();
            }
        }
        for _ in 0..2 {
            self.lose_power();
        }
        if self.rng.u8(..3) > 0 {
            self.disk = self.disk.crash(self.rng.u64(..));
            return;
        }
        // A stop in peace keeps everything, whatever the policy is.
        let is_well = life.is_logged && !life.has_trouble && life.says("aof_last_write_status") == "ok";
        drop(life);
        if is_well {
            self.floor = self.states.len() - 1;
        }
        self.disk.set_plan(Plan::default());
    }

    fn trouble(&mut self) -> Plan {
        let rng = &mut self.rng;
        let mut plan = Plan { seed: rng.u64(..), ..Plan::default() };
        match rng.u8(..3) {
            0 => plan.fail_at = Some(rng.u64(..30)),
            1 => plan.crash_at = Some(rng.u64(..60)),
            _ => plan.capacity = Some(self.disk.used() + rng.u64(..2000)),
        }
        plan
    }

    /// Runs one command, or one transaction, or lets time pass, and notes what came of it.
    fn step(&mut self, life: &mut Life) {
        if self.rng.u8(..12) == 0 {
            let by = self.rng.u64(1..40);
            self.now += by;
            life.server.advance(Duration::from_millis(by));
        }
        let is_promised = life.is_logged && life.setting("appendfsync") == "always";
        let answer = match self.rng.u8(..40) {
            0..6 => {
                self.call(life, &["MULTI"]);
                for _ in 0..self.rng.usize(1..5) {
                    let words = command(&mut self.rng);
                    self.call(life, &words);
                }
                self.call(life, &["EXEC"])
            }
            6 => self.administration(life),
            _ => {
                let words = command(&mut self.rng);
                self.call(life, &words)
            }
        };
        let found = state(&mut life.reader);
        let is_refused = answer.as_error().is_some_and(|error| error.starts_with("MISCONF"));
        let last = self.states.last().expect("there is always one");
        if found != alive(last, self.now) {
            self.states.push(found);
            if is_promised && !is_refused {
                self.floor = self.states.len() - 1;
            }
        }
        self.trace.push(format!("  now state {}, floor {}", self.states.len() - 1, self.floor));
        self.note_rewrite(life);
    }

    fn call(&mut self, life: &mut Life, words: &[impl AsRef<str>]) -> Value {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let answer = life.writer.call(&words);
        let brief = |text: String| text.chars().take(100).collect::<String>();
        self.trace.push(format!("{}: {}", brief(words.join(" ")), brief(format!("{answer:?}"))));
        answer
    }

    /// A command that has to do with what is kept.
    fn administration(&mut self, life: &mut Life) -> Value {
        match self.rng.u8(..12) {
            0..4 => {
                let answer = self.call(life, &["BGREWRITEAOF"]);
                // What the next completed rewrite holds is at least what there is now.
                if answer.as_str() == Some("Background append only file rewriting started") && life.is_logged {
                    life.rewrite = Some(self.states.len() - 1);
                    // Asked behind it, so that one that has ended before does not count.
                    life.rewrites = life.says("aof_rewrites").parse().expect("a number");
                }
                answer
            }
            4 => self.call(life, &["BGSAVE"]),
            5 => self.call(life, &["SAVE"]),
            6 => {
                let policy = ["always", "everysec", "no"][self.rng.usize(..3)];
                self.call(life, &["CONFIG", "SET", "appendfsync", policy])
            }
            7 | 8 => {
                life.is_logged = false;
                life.rewrite = None;
                self.call(life, &["CONFIG", "SET", "appendonly", "no"])
            }
            _ => {
                let answer = self.call(life, &["CONFIG", "SET", "appendonly", "yes"]);
                life.is_logged = life.setting("appendonly") == "yes";
                assert!(answer.is_ok() == life.is_logged, "{}: {answer:?}", self.name);
                answer
            }
        }
    }

    fn note_rewrite(&mut self, life: &mut Life) {
        let Some(begun) = life.rewrite else { return };
        let rewrites = life.says("aof_rewrites").parse().expect("a number");
        if rewrites > life.rewrites {
            self.floor = self.floor.max(begun);
            life.rewrites = rewrites;
            life.rewrite = None;
        }
    }

    /// Starts a server on what is left if the power is lost now, and compares what it finds.
    fn lose_power(&mut self) {
        let left = &self.disk.crash(self.rng.u64(..));
        let server = builder(left, self.now).start();
        let server = server
            .unwrap_or_else(|error| panic!("{}\n{}\nit does not start: {error}", self.name, self.trace.join("\n")));
        let found = state(&mut server.client());
        drop(server);
        self.compare(&found);
        // What was found once is found again.
        let again = builder(left, self.now).start().expect("it has started before");
        assert_eq!(state(&mut again.client()), found, "{}: a second start differs", self.name);
    }

    fn compare(&self, found: &State) {
        let is_known = |state: &State| alive(state, self.now) == *found;
        if self.states[self.floor..].iter().any(is_known) {
            return;
        }
        let name = format!("{}\n{}\n", self.name, self.trace.join("\n"));
        match self.states.iter().rposition(is_known) {
            Some(old) => panic!("{name}: state {old} came back, and {} was acknowledged: {found:#?}", self.floor),
            None => panic!("{name}: a state that never was: {found:#?}, the last was {:#?}", self.states.last()),
        }
    }
}

struct Life {
    writer: Client,
    reader: Client,
    server: Server,
    /// Whether changes are logged.
    is_logged: bool,
    /// The state at which a rewrite was begun.
    rewrite: Option<usize>,
    rewrites: u64,
    has_trouble: bool,
}

impl Life {
    /// A line of INFO.
    fn says(&mut self, name: &str) -> String {
        info(&mut self.reader, name)
    }

    fn setting(&mut self, name: &str) -> String {
        let pair = self.reader.call(["CONFIG", "GET", name]);
        let value = pair.as_slice().and_then(|pair| pair.get(1)).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    }
}

/// The value of a line of INFO's section on what is kept.
pub fn info(client: &mut Client, name: &str) -> String {
    let text = client.call(["INFO", "persistence"]);
    let lines = text.as_str().unwrap_or_default().lines();
    let value = lines.filter_map(|line| line.split_once(':')).find(|(found, _)| *found == name);
    value.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// A server on a simulated disk whose clock stands still at `now`.
pub fn builder(disk: &SimDisk, now: u64) -> resplite::ServerBuilder {
    Server::builder()
        .no_port()
        .dir("/data")
        .disk(Arc::new(disk.clone()))
        .frozen_clock(Duration::from_millis(now))
        .seed(1)
}

/// What is left of a state at a time.
fn alive(state: &State, now: u64) -> State {
    let lives = |deadline: &Option<u64>| deadline.is_none_or(|at| at > now);
    state.iter().filter(|(_, (deadline, _))| lives(deadline)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn state(client: &mut Client) -> State {
    let mut state = State::new();
    for db in 0..DATABASES {
        ask(client, &["SELECT", &db.to_string()]);
        for key in ask(client, &["KEYS", "*"]).as_slice().unwrap_or_default() {
            let key = key.as_str().expect("keys are text").to_owned();
            let kind = ask(client, &["TYPE", &key]);
            let kind = kind.as_str().unwrap_or_default();
            let mut value = match kind {
                "string" => vec![ask(client, &["GET", &key])],
                "list" => elements(ask(client, &["LRANGE", &key, "0", "-1"])),
                "set" => elements(ask(client, &["SMEMBERS", &key])),
                "zset" => pairs(ask(client, &["ZRANGE", &key, "0", "-1", "WITHSCORES"])),
                "hash" => {
                    let mut fields = pairs(ask(client, &["HGETALL", &key]));
                    for pair in &mut fields {
                        let Value::Array(parts) = pair else { continue };
                        let field = parts[0].as_str().expect("fields are text").to_owned();
                        parts.extend(elements(ask(client, &["HPEXPIRETIME", &key, "FIELDS", "1", &field])));
                    }
                    fields
                }
                other => panic!("{key} is a {other}"),
            };
            if kind != "list" {
                value.sort_by_key(|value| format!("{value:?}"));
            }
            let deadline = ask(client, &["PEXPIRETIME", &key]).as_int().and_then(|at| u64::try_from(at).ok());
            state.insert((db, key), (deadline, format!("{kind} {value:?}")));
        }
    }
    state
}

/// A read. It waits for what it shows, so it may be told that the log has failed meanwhile; then it does not wait again.
fn ask(client: &mut Client, words: &[&str]) -> Value {
    let answer = client.call(words);
    match answer.as_error() {
        Some(error) if error.starts_with("MISCONF") => client.call(words),
        _ => answer,
    }
}

fn elements(value: Value) -> Vec<Value> {
    value.as_slice().map(<[Value]>::to_vec).unwrap_or_default()
}

fn pairs(value: Value) -> Vec<Value> {
    elements(value).chunks(2).map(|pair| Value::Array(pair.to_vec())).collect()
}

/// A random write. Keys have any type, so some of them answer with an error, and change nothing.
fn command(rng: &mut Rng) -> Vec<String> {
    let pick = rng.u8(..61);
    // Most often a key has the type that its command is for.
    let kind = match pick {
        0..15 => 0,
        15..20 | 58 | 59 => 1,
        20..28 => 2,
        28..36 => 3,
        36..42 => 4,
        _ => rng.usize(..5),
    };
    let mut key = || match rng.u8(..12) {
        0 => format!("key{}", rng.usize(..KEYS)),
        _ => format!("key{}", (kind + 5 * rng.usize(..2)) % KEYS),
    };
    let (one, other) = (key(), key());
    let value = match rng.u8(..30) {
        0 => "long ".repeat(rng.usize(1..3000)),
        _ => format!("value{}", rng.u32(..)),
    };
    let member = format!("member{}", rng.u8(..15));
    let number = rng.i32(-50..500).to_string();
    let db = rng.usize(..DATABASES).to_string();
    let millis = rng.u64(1..200).to_string();
    let words: Vec<&str> = match pick {
        0..4 => vec!["SET", &one, &value],
        4 => vec!["SET", &one, &value, "PX", &millis],
        5 => vec!["SET", &one, &value, "NX"],
        6 => vec!["MSET", &one, &value, &other, &number],
        7 => vec!["APPEND", &one, &value],
        8..11 => vec!["INCRBY", &one, &number],
        11 => vec!["INCRBYFLOAT", &one, "0.125"],
        12 => vec!["GETEX", &one, "PX", &millis],
        13 => vec!["GETDEL", &one],
        14 => vec!["SETRANGE", &one, "3", &value],
        15..18 => vec!["HSET", &one, &member, &value, "count", &number],
        18 => vec!["HINCRBY", &one, "count", &number],
        19 => vec!["HDEL", &one, &member],
        20..23 => vec!["RPUSH", &one, &value, &number],
        23 => vec!["LPUSH", &one, &value],
        24 => vec!["LPOP", &one],
        25 => vec!["LMOVE", &one, &other, "LEFT", "RIGHT"],
        26 => vec!["LTRIM", &one, "0", "10"],
        27 => vec!["LREM", &one, "0", &number],
        28..31 => vec!["SADD", &one, &member, &number],
        31 | 32 => vec!["SPOP", &one],
        33 => vec!["SREM", &one, &member],
        34 => vec!["SMOVE", &one, &other, &member],
        35 => vec!["SUNIONSTORE", &one, &one, &other],
        36..39 => vec!["ZADD", &one, &number, &member],
        39 => vec!["ZINCRBY", &one, "1.5", &member],
        40 => vec!["ZPOPMIN", &one],
        41 => vec!["ZUNIONSTORE", &one, "2", &one, &other],
        42 => vec!["DEL", &one, &other],
        43 => vec!["UNLINK", &one],
        44 => vec!["RENAME", &one, &other],
        45 => vec!["COPY", &one, &other, "REPLACE"],
        46 => vec!["COPY", &one, &other, "DB", &db, "REPLACE"],
        47 => vec!["MOVE", &one, &db],
        48..51 => vec!["PEXPIRE", &one, &millis],
        51 => vec!["PERSIST", &one],
        52 => vec!["EXPIRE", &one, "0"],
        53 | 54 => vec!["SELECT", &db],
        55 => vec!["SWAPDB", &db, "0"],
        56 if rng.u8(..3) == 0 => vec!["FLUSHALL"],
        57 if rng.u8(..2) == 0 => vec!["FLUSHDB"],
        // Far away: what these histories are about is whether they are kept.
        58 => vec!["HPEXPIREAT", &one, "4000000000000", "FIELDS", "2", &member, "count"],
        59 => vec!["HSETEX", &one, "PXAT", "4000000000123", "FIELDS", "1", &member, &value],
        _ => vec!["SET", &one, &number],
    };
    words.into_iter().map(str::to_owned).collect()
}
