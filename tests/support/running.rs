//! The real binary as a process of its own, whose threads, memory and files can be looked at.

use super::Connection;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Clients that are wanted; fewer where the limit of open files lets in fewer.
const CLIENTS: usize = 10_000;
/// Descriptors of this process and of the server that are no clients.
const OTHERS: usize = 200;

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
pub struct Running {
    child: Child,
    pub address: SocketAddr,
}

impl Running {
    #[allow(clippy::zombie_processes, reason = "its owner waits for it when it is dropped")]
    pub fn start(options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_resplite"))
            .args(["--port", "0", "--bind", "127.0.0.1", "--save", "", "--io-threads", "2", "--maxclients", "10100"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut address = None;
        for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
            let line = line.expect("lines of text");
            if let Some(listening) = line.strip_prefix("Listening on ") {
                address = address.or(listening.trim_start_matches("tls:").parse().ok());
            }
            if line.contains("Ready to accept connections") {
                break;
            }
        }
        Running { child, address: address.expect("it says where it listens") }
    }

    /// As many clients as are wanted, or as this process and the server have files for.
    pub fn most_clients(&self, control: &mut Connection) -> usize {
        let pair = control.call(["CONFIG", "GET", "maxclients"]);
        let most = pair.as_slice().and_then(|pair| pair.get(1)?.as_str()?.parse::<usize>().ok());
        let here = open_files().saturating_sub(OTHERS);
        CLIENTS.min(here).min(most.expect("a number").saturating_sub(OTHERS / 2))
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("a running process")
    }

    /// How many files it has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("a running process").count()
    }

    pub fn resident_bytes(&self) -> usize {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the resident memory");
        line.split_whitespace().next().and_then(|kib| kib.parse::<usize>().ok()).expect("a number") * 1024
    }

    /// How often its threads have given up the processor and were woken again.
    pub fn wake_ups(&self) -> u64 {
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
    pub fn rest(&self, control: &mut Connection) {
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
