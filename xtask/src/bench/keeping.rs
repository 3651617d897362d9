//! What keeping data costs: the log under each policy, snapshots and rewrites under load, and loading.

use super::{Kind, Server, Tools, command, machine, now};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const KINDS: [(Kind, &str); 3] =
    [(Kind::Resplite, "Resplite"), (Kind::Redis, "redis-server"), (Kind::Valkey, "valkey-server")];
const NOTHING: &[&str] = &["--save", "", "--appendonly", "no"];
const EVERYSEC: &[&str] = &["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"];
const ALWAYS: &[&str] = &["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
/// Both cores: what runs in the background has somewhere to run.
const ALL_CORES: &str = "0,1";

/// Prints the tables.
pub(super) fn run(tools: &Tools, keys: u64, rounds: usize) -> Result<(), String> {
    println!("What keeping data costs, {}.\n", machine());
    logging(tools, rounds)?;
    println!();
    background(tools, keys)
}

/// A directory of its own for a server.
fn directory(tools: &Tools, name: &str) -> Result<PathBuf, String> {
    let path = tools.directory.join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).map_err(|error| error.to_string())?;
    Ok(path)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Requests per second of SET without a log, with one that is synced once a second, and with one that is always synced.
fn logging(tools: &Tools, rounds: usize) -> Result<(), String> {
    println!("| SET, requests per second | Resplite | redis-server | valkey-server |");
    println!("|---|---|---|---|");
    let mut piped = [const { [const { Vec::new() }; 3] }; 3];
    let mut single = [const { Vec::new() }; 3];
    for round in 0..rounds {
        for (at, (kind, name)) in KINDS.into_iter().enumerate() {
            for (mode, options) in [NOTHING, EVERYSEC, NOTHING].into_iter().enumerate() {
                let place = directory(tools, &format!("{name}-{mode}-{round}"))?;
                let server = tools.start_on(kind, name, "0", &place, options)?;
                let (_, rate) = server.measure(&["-t", "set", "-d", "16"], 16, 2_000_000)?;
                piped[at][mode].push(rate);
            }
            let place = directory(tools, &format!("{name}-always-{round}"))?;
            let server = tools.start_on(kind, name, "0", &place, ALWAYS)?;
            let (_, rate) = server.measure(&["-t", "set", "-d", "16"], 1, 40_000)?;
            single[at].push(rate);
        }
    }
    let piped = piped.map(|modes| modes.map(median));
    let row = |name: &str, show: &dyn Fn(usize) -> String| {
        println!("| {name} | {} | {} | {} |", show(0), show(1), show(2));
    };
    let thousands = |rate: f64| format!("{:.0}k", rate / 1000.0);
    row("pipeline 16, no log", &|at| thousands(piped[at][0]));
    row("pipeline 16, everysec", &|at| {
        format!("{} ({:.2} of no log)", thousands(piped[at][1]), piped[at][1] / piped[at][0])
    });
    row("pipeline 16, no log again (null)", &|at| {
        format!("{} ({:.2})", thousands(piped[at][2]), piped[at][2] / piped[at][0])
    });
    let single = single.map(median);
    row("50 clients, always", &|at| {
        format!("{:.1}k ({:.1} of redis-server)", single[at] / 1000.0, single[at] / single[1])
    });
    Ok(())
}

/// Latencies of a load, in microseconds.
struct Latencies(Vec<u32>);

impl Latencies {
    fn percentile(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let at = ((self.0.len() as f64 * share) as usize).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }
}

/// Reads and writes of random keys, one at a time on each connection, until `ended`.
fn load_until(port: u16, keys: u64, connections: u64, ended: &AtomicBool) -> Latencies {
    std::thread::scope(|scope| {
        let client = |seed: u64| {
            let mut latencies = Vec::new();
            let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return latencies };
            let _ = stream.set_nodelay(true);
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut reply = [0; 256];
            while !ended.load(Ordering::Relaxed) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let key = format!("key:{:012}", state % keys);
                let bytes = match state >> 60 & 1 {
                    0 => command(&["GET", &key]),
                    _ => command(&["SET", &key, &format!("value:{:010}", state % 1_000_000_000)]),
                };
                let begin = now();
                if stream.write_all(&bytes).is_err() || !matches!(stream.read(&mut reply), Ok(read) if read > 0) {
                    break;
                }
                latencies.push(u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            latencies
        };
        let clients: Vec<_> = (1..=connections).map(|seed| scope.spawn(move || client(seed))).collect();
        Latencies(clients.into_iter().flat_map(|client| client.join().unwrap_or_default()).collect())
    })
}

/// Resident memory of a server and of the children that it has forked, without counting shared pages twice.
fn whole_memory(server: &Server) -> u64 {
    let proportional = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("Pss:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    let own = server.process.id();
    let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    proportional(own) + children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(proportional).sum::<u64>()
}

/// Sends one command, and answers with all that the server says until it has hung up.
pub(super) fn ask(server: &Server, words: &[&str]) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", server.name);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).map_err(failed)?;
    stream.write_all(&[command(words), command(&["QUIT"])].concat()).map_err(failed)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).map_err(failed)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// A snapshot and a rewrite of a full server under load, and how long it takes to load what they wrote.
fn background(tools: &Tools, keys: u64) -> Result<(), String> {
    println!("{keys} strings of 16 byte keys and values; 20 connections read and write them meanwhile.\n");
    println!("| | Resplite | redis-server | valkey-server |");
    println!("|---|---|---|---|");
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    let mut add = |name: &str, value: String| match rows.iter_mut().find(|(known, _)| known == name) {
        Some((_, values)) => values.push(value),
        None => rows.push((name.to_owned(), vec![value])),
    };
    for (kind, name) in KINDS {
        let place = directory(tools, &format!("{name}-background"))?;
        let server = tools.start_on(kind, name, ALL_CORES, &place, EVERYSEC)?;
        server.load((0..keys).map(|n| command(&["SET", &format!("key:{n:012}"), &format!("value:{n:010}")])))?;
        ask(&server, &["CONFIG", "SET", "auto-aof-rewrite-percentage", "0"])?;
        let quiet = Observed::during(&server, keys, |_| {
            std::thread::sleep(Duration::from_secs(3));
            Ok(())
        })?;
        add("p99 / p99.9 / most, nothing in the background (ms)", quiet.latencies());
        for (what, start, field) in [
            ("BGSAVE", "BGSAVE", "rdb_bgsave_in_progress:1"),
            ("BGREWRITEAOF", "BGREWRITEAOF", "aof_rewrite_in_progress:1"),
        ] {
            let seen = Observed::during(&server, keys, |server| {
                ask(server, &[start])?;
                while ask(server, &["INFO", "persistence"])?.contains(field) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(())
            })?;
            add(
                &format!("{what}: most memory, of that before"),
                format!("{:.2}", seen.peak as f64 / seen.before as f64),
            );
            add(&format!("{what}: seconds"), format!("{:.1}", seen.seconds));
            add(&format!("p99 / p99.9 / most, {what} (ms)"), seen.latencies());
        }
        ask(&server, &["SHUTDOWN", "NOSAVE"]).ok();
        drop(server);
        add("loading the rewritten log, seconds", format!("{:.2}", time_to_load(tools, kind, name, &place, EVERYSEC)?));
        add("loading the snapshot, seconds", format!("{:.2}", time_to_load(tools, kind, name, &place, NOTHING)?));
        let _ = std::fs::remove_dir_all(&place);
    }
    for (name, values) in rows {
        println!("| {name} | {} |", values.join(" | "));
    }
    Ok(())
}

/// What was seen of a server while something happened.
struct Observed {
    latencies: Latencies,
    before: u64,
    peak: u64,
    seconds: f64,
}

impl Observed {
    fn during(
        server: &Server,
        keys: u64,
        happening: impl FnOnce(&Server) -> Result<(), String>,
    ) -> Result<Observed, String> {
        let (ended, peak) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let (ended, peak) = (&ended, &peak);
            let load = scope.spawn(move || load_until(server.port, keys, 20, ended));
            // The load has its own memory by then.
            std::thread::sleep(Duration::from_millis(500));
            let before = whole_memory(server);
            let watch = scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    peak.fetch_max(whole_memory(server), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
            let begin = now();
            let done = happening(server);
            let seconds = begin.elapsed().as_secs_f64();
            ended.store(true, Ordering::Relaxed);
            let _ = watch.join();
            let latencies = load.join().map_err(|_| "the load has panicked")?;
            done?;
            Ok(Observed { latencies, before, peak: peak.load(Ordering::Relaxed).max(before), seconds })
        })
    }

    fn latencies(mut self) -> String {
        let latencies = &mut self.latencies;
        let [p99, p999, most] = [0.99, 0.999, 1.0].map(|share| latencies.percentile(share));
        format!("{p99:.2} / {p999:.2} / {most:.1}")
    }
}

/// Seconds from the start of a server on this directory until it answers a read.
fn time_to_load(tools: &Tools, kind: Kind, name: &'static str, place: &Path, options: &[&str]) -> Result<f64, String> {
    let mut times = Vec::new();
    for _ in 0..3 {
        let mut options = options.to_vec();
        let directory = place.display().to_string();
        options.extend(["--dir", &directory]);
        let begin = now();
        let server = tools.start_on(kind, name, ALL_CORES, place, &options)?;
        while ask(&server, &["DBSIZE"])?.starts_with("-LOADING") {
            std::thread::sleep(Duration::from_millis(5));
        }
        times.push(begin.elapsed().as_secs_f64());
        ask(&server, &["SHUTDOWN", "NOSAVE"]).ok();
    }
    Ok(median(times))
}
