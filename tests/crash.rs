//! What was acknowledged survives SIGKILL: fifty connections write, the real binary dies at a random moment, and what it
//! comes back with is compared with what it had promised.
//!
//! Each connection has keys of its own and knows the order of its operations, so what a restart brings back must be the
//! state after some number of them: all that were acknowledged under `always`, all but those of the last second under
//! `everysec`, and never a transaction in parts. Between connections, an operation that was acknowledged before another
//! one was sent lies before it in the log: if the later one is there, so is the earlier one.

use crate::support::socket::{Connection, encode};
use fastrand::Rng;
use resplite::{Client, Server, Value};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[allow(clippy::disallowed_methods, reason = "the promise of everysec is about real time")]
fn now() -> Instant {
    Instant::now()
}

const CONNECTIONS: usize = 50;
/// Names of a connection's keys.
const KEYS: usize = 8;
/// What `everysec` may lose.
const ONE_SECOND: Duration = Duration::from_secs(1);

/// Rounds of each policy, and the seed: few in `./test`, many in `cargo xtask crash`.
fn options() -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    (number("RESPLITE_CRASH_ROUNDS").unwrap_or(8), number("RESPLITE_CRASH_SEED").unwrap_or(1))
}

#[test]
fn always_loses_nothing() {
    run("always");
}

#[test]
fn everysec_loses_a_second_at_most() {
    run("everysec");
}

/// A running binary on a directory of its own.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    #[allow(clippy::zombie_processes, reason = "its owner waits for it when it is dropped")]
    fn start(directory: &Path, policy: &str, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_resplite"))
            .args(["--port", "0", "--bind", "127.0.0.1", "--appendfsync", policy, "--loglevel", "warning"])
            .args(["--dir", directory.to_str().expect("a plain path")])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (mut address, mut said) = (None, Vec::new());
        for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
            let line = line.expect("lines of text");
            if let Some(listening) = line.strip_prefix("Listening on ") {
                address = listening.parse().ok();
            }
            if line.contains("Ready to accept connections") {
                return Running { child, address: address.expect("it says where it listens") };
            }
            said.push(line);
        }
        panic!("it did not start: {said:?}");
    }

    fn kill(mut self) {
        // SIGKILL; there is nothing that the process could do about it.
        self.child.kill().expect("it still runs");
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One operation: a command, or a transaction over several keys.
#[derive(Clone, Debug)]
struct Operation {
    commands: Vec<Vec<String>>,
}

impl Operation {
    fn random(owner: usize, number: u64, rng: &mut Rng) -> Self {
        let transaction = rng.u8(..4) == 0;
        let count = if transaction { rng.usize(2..6) } else { 1 };
        Operation { commands: (0..count).map(|_| command(owner, number, rng)).collect() }
    }

    /// The bytes on the wire.
    fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.commands.len() > 1 {
            bytes.extend(encode(["MULTI"]));
        }
        self.commands.iter().for_each(|command| bytes.extend(encode(command)));
        if self.commands.len() > 1 {
            bytes.extend(encode(["EXEC"]));
        }
        bytes
    }

    /// Replies that it brings.
    fn replies(&self) -> usize {
        if self.commands.len() > 1 { self.commands.len() + 2 } else { 1 }
    }

    fn apply(&self, model: &mut Client) {
        for command in &self.commands {
            model.call(command);
        }
    }
}

fn key(owner: usize, number: usize) -> String {
    format!("owner{owner}:{number}")
}

/// A write of some type; the number makes values that no other operation writes.
fn command(owner: usize, number: u64, rng: &mut Rng) -> Vec<String> {
    let kind = rng.usize(..KEYS);
    let key = self::key(owner, kind);
    let value = if rng.u8(..50) == 0 { format!("{number}-").repeat(2000) } else { format!("value{number}") };
    let member = format!("m{}", rng.u8(..12));
    let far = (4_000_000_000_000 + number).to_string();
    let words: Vec<String> = match (kind, rng.u8(..5)) {
        (_, 0) if rng.u8(..4) == 0 => vec!["DEL".into(), key],
        (_, 0) if rng.u8(..2) == 0 => vec!["PEXPIREAT".into(), key, far],
        (_, 0) if rng.u8(..3) == 0 => vec!["PERSIST".into(), key],
        (0..6, 0) if rng.u8(..4) == 0 => vec!["COPY".into(), key, self::key(owner, 6), "REPLACE".into()],
        (0, 1) => vec!["APPEND".into(), key, format!("+{number}")],
        (0, 2) => vec!["SET".into(), key, value, "PXAT".into(), far],
        (0, 3) => vec!["GETSET".into(), key, value],
        (0, _) => vec!["SET".into(), key, value],
        (1, 1) => vec!["INCRBYFLOAT".into(), key, "0.25".into()],
        (1, _) => vec!["INCRBY".into(), key, number.to_string()],
        (2, 1) => vec!["HDEL".into(), key, member],
        (2, 2) => vec!["HINCRBY".into(), key, "count".into(), number.to_string()],
        (2, _) => vec!["HSET".into(), key, member, value],
        (3, 1) => vec!["LPOP".into(), key],
        (3, 2) => vec!["LTRIM".into(), key, "0".into(), "40".into()],
        (3, 3) => vec!["LPUSH".into(), key, value],
        (3, _) => vec!["RPUSH".into(), key, value],
        (4, 1) => vec!["SREM".into(), key, member],
        (4, 2) => vec!["SADD".into(), key, format!("n{}", number % 3000)],
        (4, _) => vec!["SADD".into(), key, member, number.to_string()],
        (5, 1) => vec!["ZPOPMIN".into(), key],
        (5, 2) => vec!["ZREMRANGEBYRANK".into(), key, "60".into(), "-1".into()],
        (5, _) => vec!["ZADD".into(), key, number.to_string(), member],
        (_, 1) => vec!["RENAME".into(), self::key(owner, 0), key],
        (_, 2) => vec!["SUNIONSTORE".into(), key, self::key(owner, 4)],
        (_, _) => vec!["ZUNIONSTORE".into(), key, "1".into(), self::key(owner, 5)],
    };
    words
}

/// What a connection did in a round.
struct History {
    operations: Vec<Operation>,
    sent: Vec<Instant>,
    /// When the replies came, of those that came.
    acknowledged: Vec<Instant>,
}

fn write_until_the_end(address: SocketAddr, owner: usize, first: u64, seed: u64, ended: &AtomicBool) -> History {
    let mut rng = Rng::with_seed(seed);
    let mut history = History { operations: Vec::new(), sent: Vec::new(), acknowledged: Vec::new() };
    let Some(mut connection) = Connection::try_tcp(address) else { return history };
    let mut number = first;
    while !ended.load(Ordering::Relaxed) {
        let batch: Vec<Operation> = (0..rng.usize(1..6))
            .map(|_| {
                number += 1;
                Operation::random(owner, number, &mut rng)
            })
            .collect();
        let bytes: Vec<u8> = batch.iter().flat_map(Operation::encoded).collect();
        let sent = now();
        history.sent.extend(batch.iter().map(|_| sent));
        let replies: Vec<usize> = batch.iter().map(Operation::replies).collect();
        history.operations.extend(batch);
        if connection.try_send_raw(&bytes).is_err() {
            break;
        }
        for count in replies {
            for _ in 0..count {
                match connection.try_read() {
                    Some(Value::Error(error)) => {
                        // Types differ between a renamed key and the commands on it; that is an answer like others.
                        let known =
                            ["WRONGTYPE", "ERR no such key", "ERR value is not", "ERR increment or", "ERR hash value"];
                        assert!(known.iter().any(|known| error.starts_with(known)), "{error}");
                    }
                    Some(_) => {}
                    None => return history,
                }
            }
            history.acknowledged.push(now());
        }
    }
    history
}

/// All of an owner's keys with type, value and deadline.
fn state(owner: usize, mut call: impl FnMut(Vec<String>) -> Value) -> Vec<String> {
    let mut ask = |words: &[&str]| call(words.iter().map(|word| (*word).to_owned()).collect());
    let mut state = Vec::new();
    for number in 0..KEYS {
        let key = key(owner, number);
        let kind = ask(&["TYPE", &key]);
        let kind = kind.as_str().unwrap_or_default();
        let mut value = match kind {
            "string" => vec![ask(&["GET", &key])],
            "list" => elements(ask(&["LRANGE", &key, "0", "-1"])),
            "set" => sorted(elements(ask(&["SMEMBERS", &key]))),
            "zset" => elements(ask(&["ZRANGE", &key, "0", "-1", "WITHSCORES"])),
            "hash" => {
                let all = elements(ask(&["HGETALL", &key]));
                sorted(all.chunks(2).map(|pair| Value::Array(pair.to_vec())).collect())
            }
            _ => Vec::new(),
        };
        value.push(ask(&["PEXPIRETIME", &key]));
        state.push(format!("{key} {kind} {value:?}"));
    }
    state
}

fn elements(value: Value) -> Vec<Value> {
    value.as_slice().map(<[Value]>::to_vec).unwrap_or_default()
}

fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by_key(|value| format!("{value:?}"));
    values
}

fn run(policy: &str) {
    let (rounds, seed) = options();
    let mut rng = Rng::with_seed(seed);
    let directory = tempfile::tempdir().expect("a directory");
    // The same commands on a server without a disk say what the state has to be.
    let model = Server::builder().no_port().start().expect("a server without sockets");
    let mut model = model.client();
    let mut first = 0;
    for round in 0..rounds {
        let server = Running::start(directory.path(), policy, &["--auto-aof-rewrite-min-size", "1mb"]);
        let address = server.address;
        let ended = AtomicBool::new(false);
        let life = Duration::from_millis(rng.u64(5..150));
        let (rewrites, saves) = (rng.u8(..3) == 0, rng.u8(..6) == 0);
        let seeds: Vec<u64> = (0..CONNECTIONS).map(|_| rng.u64(..)).collect();
        let (histories, killed) = std::thread::scope(|scope| {
            let ended = &ended;
            let writers: Vec<_> = seeds
                .iter()
                .enumerate()
                .map(|(owner, seed)| scope.spawn(move || write_until_the_end(address, owner, first, *seed, ended)))
                .collect();
            let begin = now();
            if rewrites || saves {
                std::thread::sleep(life / 2);
                let mut control = Connection::tcp(address);
                control.call([if rewrites { "BGREWRITEAOF" } else { "BGSAVE" }]);
            }
            // The moment of death is what this test is about, so here is the one place that waits for time to pass.
            std::thread::sleep(life.saturating_sub(begin.elapsed()));
            let killed = now();
            server.kill();
            ended.store(true, Ordering::Relaxed);
            let histories: Vec<History> = writers.into_iter().map(|writer| writer.join().expect("no panic")).collect();
            (histories, killed)
        });
        let what = format!("{policy}, seed {seed}, round {round}");
        let back = Running::start(directory.path(), policy, &[]);
        let mut connection = Connection::tcp(back.address);
        let mut kept = Vec::new();
        for (owner, history) in histories.iter().enumerate() {
            let found = state(owner, |words| connection.call(words));
            kept.push(
                matching(owner, history, &found, &mut model)
                    .unwrap_or_else(|| panic!("{what}: owner {owner} is in a state that never was: {found:#?}")),
            );
        }
        check_promises(policy, &what, &histories, &kept, killed);
        back.kill();
        first += histories.iter().map(|history| history.operations.len() as u64).max().unwrap_or(0);
    }
}

/// After how many operations, at least and at most, an owner's state was the one that was found. The model is moved to
/// the latter.
fn matching(owner: usize, history: &History, found: &[String], model: &mut Client) -> Option<(usize, usize)> {
    let matches = |model: &mut Client| state(owner, |words| model.call(words)) == found;
    let mut range = matches(model).then_some((0, 0));
    // Only operations near the end can be missing, but all are looked at: a loss is to be shown as what it is.
    let mut saved = snapshot(owner, model);
    for (number, operation) in history.operations.iter().enumerate() {
        operation.apply(model);
        if matches(model) {
            range = Some((range.map_or(number + 1, |(least, _)| least), number + 1));
            saved = snapshot(owner, model);
        }
    }
    restore(owner, &saved, model);
    range
}

/// An owner's keys as DUMP gives them, with their deadlines.
fn snapshot(owner: usize, model: &mut Client) -> Vec<(Value, Value)> {
    (0..KEYS)
        .map(|number| key(owner, number))
        .map(|key| (model.call(["DUMP", &key]), model.call(["PEXPIRETIME", &key])))
        .collect()
}

fn restore(owner: usize, saved: &[(Value, Value)], model: &mut Client) {
    for (number, (value, deadline)) in saved.iter().enumerate() {
        let key = key(owner, number);
        model.call(["DEL", &key]);
        if let Some(bytes) = value.as_bytes() {
            let deadline = deadline.as_int().filter(|at| *at > 0).unwrap_or(0).to_string();
            let restored = model.call([b"RESTORE", key.as_bytes(), deadline.as_bytes(), bytes, b"ABSTTL"]);
            assert!(restored.is_ok(), "{restored:?}");
        }
    }
}

fn check_promises(policy: &str, what: &str, histories: &[History], kept: &[(usize, usize)], killed: Instant) {
    // The latest that something was sent of which we know that it is there.
    let mut latest: Option<Instant> = None;
    for (history, (least, _)) in histories.iter().zip(kept) {
        latest = latest.max(least.checked_sub(1).map(|last| history.sent[last]));
    }
    for (owner, (history, (_, most))) in histories.iter().zip(kept).enumerate() {
        for (number, acknowledged) in history.acknowledged.iter().enumerate().skip(*most) {
            assert!(policy != "always", "{what}: owner {owner}'s operation {number} was acknowledged and is lost");
            let age = killed.saturating_duration_since(*acknowledged);
            assert!(age <= ONE_SECOND, "{what}: owner {owner}'s operation {number} was {age:?} old and is lost");
            assert!(
                latest.is_none_or(|latest| latest <= *acknowledged),
                "{what}: owner {owner}'s operation {number} is lost, and what came after it is there"
            );
        }
    }
}
