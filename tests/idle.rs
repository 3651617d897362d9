//! Ten thousand who wait: a push serves one of them and wakes nobody else, and while nothing happens nothing runs.
//!
//! The server is a process of its own, so that its threads and its memory can be looked at. Wake-ups are counted, not time.

use crate::support::Connection;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Clients that are wanted; fewer where the limit of open files lets in fewer.
const CLIENTS: usize = 10_000;
/// Descriptors of this process and of the server that are no clients.
const OTHERS: usize = 200;
/// Bytes that one waiting connection may cost the server.
const MOST_BYTES: usize = 8 * 1024;
/// Pushes that are looked at one by one.
const PUSHES: usize = 50;

#[test]
fn ten_thousand_wait_for_one_key() {
    let server = Running::start();
    let mut control = Connection::tcp(server.address);
    let before = server.resident_bytes();
    let mut clients = wait(&server, &mut control, |_| "queue".to_owned());
    let count = clients.len();
    let bytes = server.resident_bytes().saturating_sub(before) / count;
    println!("{count} clients wait for one key: {bytes} bytes each");
    assert!(bytes < MOST_BYTES, "{bytes} bytes for each client that waits");
    server.rest(&mut control);
    // In the order in which they came, one for each push, and nobody else.
    for (number, client) in clients.iter_mut().enumerate().take(PUSHES) {
        let woken = server.wake_ups();
        assert_eq!(control.call(["RPUSH", "queue", &format!("element{number}")]).as_int(), Some(1));
        let answer = client.read();
        assert_eq!(answer.as_slice().and_then(|pair| pair[1].as_str()), Some(format!("element{number}").as_str()));
        assert_eq!(blocked(&mut control), count - number - 1);
        let woken = server.wake_ups() - woken;
        assert!(woken < 50, "one push and a question have made the server wake {woken} times");
    }
    assert!(
        clients.iter_mut().skip(PUSHES).all(|client| client.arrived().is_empty()),
        "only those who were served hear of it"
    );
    // They go, and with them all that was kept for them.
    drop(clients);
    while blocked(&mut control) > 0 {}
    assert_eq!(control.call(["RPUSH", "queue", "for nobody"]).as_int(), Some(1));
    assert_eq!(control.call(["LLEN", "queue"]).as_int(), Some(1));
}

#[test]
fn ten_thousand_wait_for_keys_of_their_own() {
    let server = Running::start();
    let mut control = Connection::tcp(server.address);
    let before = server.resident_bytes();
    let mut clients = wait(&server, &mut control, |number| format!("queue{number}"));
    let count = clients.len();
    let bytes = server.resident_bytes().saturating_sub(before) / count;
    println!("{count} clients wait for as many keys: {bytes} bytes each");
    assert!(bytes < MOST_BYTES, "{bytes} bytes for each client that waits");
    server.rest(&mut control);
    for number in (0..count).step_by(count / PUSHES) {
        let key = format!("queue{number}");
        assert_eq!(control.call(["LPUSH", &key, "element"]).as_int(), Some(1));
        let answer = clients[number].read();
        assert_eq!(answer.as_slice().and_then(|pair| pair[0].as_str()), Some(key.as_str()));
    }
    let others = clients.iter_mut().enumerate().filter(|(number, _)| number % (count / PUSHES) != 0);
    assert_eq!(
        others.filter_map(|(_, client)| (!client.arrived().is_empty()).then_some(())).count(),
        0,
        "nobody else hears of it"
    );
}

/// As many clients as there may be, each waiting for a key.
fn wait(server: &Running, control: &mut Connection, key: impl Fn(usize) -> String) -> Vec<Connection> {
    let count = CLIENTS.min(open_files().saturating_sub(OTHERS)).min(server.most_clients(control));
    assert!(count > PUSHES, "the limit of open files leaves room for {count} clients");
    let mut clients = Vec::with_capacity(count);
    for number in 0..count {
        let mut client = Connection::tcp(server.address);
        let id = client.call(["CLIENT", "ID"]).as_int().expect("an id").to_string();
        client.send(["BLPOP", &key(number), "0"]);
        clients.push(client);
        // So that they stand in the order in which they are numbered.
        while !control.shows_blocked(&id) {}
    }
    assert_eq!(blocked(control), count);
    clients
}

/// How many clients wait.
fn blocked(control: &mut Connection) -> usize {
    let text = control.call(["INFO", "clients"]);
    let lines = text.as_str().expect("a text").lines();
    let mut values = lines.filter_map(|line| line.strip_prefix("blocked_clients:"));
    values.next().and_then(|value| value.parse().ok()).expect("a number")
}

/// How many files this process may open, after asking for as many as there may be.
fn open_files() -> usize {
    let limits = || -> Option<(usize, usize)> {
        let text = fs::read_to_string("/proc/self/limits").ok()?;
        let mut numbers = text.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace();
        let soft = numbers.next()?.parse().ok()?;
        Some((soft, numbers.next()?.parse().unwrap_or(soft)))
    };
    if let Some((soft, hard)) = limits()
        && soft < CLIENTS + OTHERS
    {
        let wanted = format!("--nofile={}:", hard.min(CLIENTS + OTHERS));
        // Where there is no such program, fewer clients have to do.
        let _ = Command::new("prlimit").args(["--pid", &std::process::id().to_string(), &wanted]).status();
    }
    limits().map_or(1024, |(soft, _)| soft)
}

/// The binary, alone with its clients.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    #[allow(clippy::zombie_processes, reason = "its owner waits for it when it is dropped")]
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_resplite"))
            .args(["--port", "0", "--bind", "127.0.0.1", "--save", "", "--io-threads", "2", "--maxclients", "10100"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut address = None;
        for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
            let line = line.expect("lines of text");
            if let Some(listening) = line.strip_prefix("Listening on ") {
                address = listening.parse().ok();
            }
            if line.contains("Ready to accept connections") {
                break;
            }
        }
        Running { child, address: address.expect("it says where it listens") }
    }

    /// How many clients fit, but for the control.
    fn most_clients(&self, control: &mut Connection) -> usize {
        let pair = control.call(["CONFIG", "GET", "maxclients"]);
        let most = pair.as_slice().and_then(|pair| pair.get(1)?.as_str()?.parse::<usize>().ok());
        most.expect("a number").saturating_sub(OTHERS / 2)
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("a running process")
    }

    fn resident_bytes(&self) -> usize {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the resident memory");
        line.split_whitespace().next().and_then(|kib| kib.parse::<usize>().ok()).expect("a number") * 1024
    }

    /// How often its threads have given up the processor and were woken again.
    fn wake_ups(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("a running process");
        tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
            .filter_map(|status| {
                let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
                line.trim().parse::<u64>().ok()
            })
            .sum()
    }

    /// Fails if it does anything while nobody asks for anything. The quiet is as long as this process takes to do some
    /// work of its own.
    fn rest(&self, control: &mut Connection) {
        assert!(control.call(["PING"]).as_str().is_some());
        // The answer is sent before the thread lies down again.
        let mut before = self.wake_ups();
        let (mut work, mut settled) = (0_u64, 0);
        for _ in 0..200 {
            work = (0..1_000_000_u64).fold(work, |sum, number| std::hint::black_box(sum.wrapping_mul(31) ^ number));
            let now = self.wake_ups();
            settled += usize::from(now == before);
            before = now;
        }
        assert!(settled >= 190, "nobody asks for anything, and the server is busy in {} of 200 looks", 200 - settled);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
