//! Damaged files against whoever loads them: real snapshots, payloads of DUMP and logs are changed at random, their
//! checksums made right again, and loaded.
//!
//! Whatever a file says, loading it ends, with an error or with data that can be read; nothing panics, and memory stays in
//! proportion to the file. Short and with a fixed seed as a test; `cargo xtask fuzz-load` runs the same code for long.

#![allow(clippy::disallowed_methods, reason = "a hang shows on the real clock only")]

use crate::fuzz::Watch;
use crate::interop::{old_snapshot, rewrite, run};
use crate::support::builder;
use crate::support::content::{Answers, assert_same, content};
use crate::support::oracle::{Kind, Oracle};
use crate::support::socket::encode;
use crate::support::transcript::split;
use crc::{CRC_64_XZ, Crc};
use fastrand::Rng;
use resplite::Server;
use resplite_storage::rdb::Checksum;
use std::path::Path;
use std::time::{Duration, Instant};

/// What the short run begins with.
const SEED: u64 = 1;
/// Files of the short run, for each target.
const CASES: u64 = 1500;
/// Loading a file of some kilobytes takes milliseconds; a debug build on a busy machine has to manage it.
const SLOWEST: Duration = Duration::from_secs(10);
/// What the process may grow by while one small file is loaded. Tests beside this one may grow too.
const MOST_GROWTH: usize = 512 << 20;
/// Files of a log.
const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";

#[test]
fn damaged_snapshots() {
    fuzz("rdb", |rng, originals| {
        let mut file = mutant(rng, &originals.snapshots);
        if rng.u8(..10) > 0 {
            correct_snapshot(&mut file);
        }
        let place = tempfile::tempdir().expect("a directory");
        std::fs::write(place.path().join("dump.rdb"), &file).expect("a file");
        let Ok(server) = start(place.path(), "no") else { return false };
        let mut client = server.client();
        let loaded = content(&mut client);
        // What was loaded is as good as what was made here: it is written and read again.
        assert!(client.call(["DEBUG", "RELOAD"]).is_ok());
        assert_same("reloaded", &loaded, &content(&mut client), |_, _| true);
        true
    });
}

#[test]
fn damaged_payloads() {
    let server = builder().no_port().start().expect("a server");
    let mut client = server.client();
    fuzz("restore", |rng, originals| {
        let mut payload = mutant(rng, &originals.payloads);
        if rng.u8(..20) > 0 {
            correct_payload(&mut payload);
        }
        let reply = client.ask(&[b"RESTORE", b"key", b"0", &payload, b"REPLACE"]);
        if let Some(error) = reply.as_error() {
            assert!(error.starts_with("ERR Bad data format") || error.starts_with("ERR DUMP payload"), "{error}");
            return false;
        }
        let restored = content(&mut client);
        let dumped = client.call(["DUMP", "key"]);
        let dumped = dumped.as_bytes().expect("there is a key");
        assert!(client.ask(&[b"RESTORE", b"key", b"0", dumped, b"REPLACE"]).is_ok());
        assert_same("dumped and restored", &restored, &content(&mut client), |_, _| true);
        use_value(rng, &mut client);
        true
    });
}

#[test]
fn damaged_logs() {
    fuzz("aof", |rng, originals| {
        let mut log = originals.logs[rng.usize(..originals.logs.len())].clone();
        if rng.u8(..12) == 0 {
            log.manifest = mutant(rng, &[log.manifest]);
        }
        let file = rng.usize(..log.files.len());
        let (_, bytes) = &mut log.files[file];
        let snapshot_len = bytes.starts_with(b"REDIS").then_some(bytes.len());
        let others: Vec<Vec<u8>> =
            originals.logs.iter().flat_map(|log| &log.files).map(|file| file.1.clone()).collect();
        if rng.u8(..3) > 0 || snapshot_len.is_some() {
            *bytes = mutate(rng, bytes.clone(), &others);
        }
        if snapshot_len.is_none() && rng.bool() {
            insert_command(rng, bytes);
        }
        match snapshot_len {
            Some(_) => correct_snapshot(bytes),
            None if rng.u8(..8) > 0 => *bytes = correct_batches(bytes),
            None => {}
        }
        let place = tempfile::tempdir().expect("a directory");
        log.write(place.path());
        let Ok(server) = start(place.path(), "yes") else { return false };
        let mut client = server.client();
        let loaded = content(&mut client);
        client.call(["SET", "after the damage", "1"]);
        let loaded_and_more = content(&mut client);
        drop(client);
        drop(server);
        // A log that was accepted once is accepted again and says the same, and what was appended is there.
        let again = start(place.path(), "yes").expect("what was loaded is loaded again");
        let mut client = again.client();
        assert_same("loaded again", &loaded_and_more, &content(&mut client), |_, _| true);
        assert!(loaded_and_more.len() <= loaded.len() + 1);
        true
    });
}

fn start(directory: &Path, appendonly: &str) -> std::io::Result<Server> {
    let mut builder = builder().no_port().dir(directory);
    for (name, value) in [("appendonly", appendonly), ("loglevel", "nothing"), ("enable-debug-command", "yes")] {
        builder = builder.setting(name, value).expect("a setting");
    }
    builder.start()
}

/// Runs cases of one target until there are enough; a case says whether its file was accepted.
fn fuzz(target: &'static str, mut case: impl FnMut(&mut Rng, &Originals) -> bool) {
    let variable = |name: &str| std::env::var(format!("RESPLITE_FUZZ_LOAD_{name}")).ok();
    if variable("TARGET").is_some_and(|only| only != target) {
        return;
    }
    let number = |name: &str| variable(name).map(|text| text.parse::<u64>().expect("a number"));
    let seed = number("SEED").unwrap_or(SEED);
    let limit = number("SECONDS").map(Duration::from_secs);
    let originals = Originals::make();
    let watch = Watch::start();
    let begin = Instant::now();
    let (mut cases, mut accepted) = (0, 0);
    while limit.map_or(cases < CASES, |limit| begin.elapsed() < limit) {
        let seed = seed.wrapping_add(cases);
        let _repeat = Repeat(target, seed);
        watch.begin(seed, format!("loading: {target}"));
        reset_peak();
        let before = Watch::resident();
        let start = Instant::now();
        accepted += u64::from(case(&mut Rng::with_seed(seed), &originals));
        let took = start.elapsed();
        assert!(took < SLOWEST, "took {took:?}");
        let grown = peak().saturating_sub(before);
        assert!(grown < MOST_GROWTH, "memory has grown by {grown} bytes");
        watch.check();
        cases += 1;
    }
    println!("fuzz-load {target}: {cases} files, {accepted} accepted, in {:.1?}", begin.elapsed());
    assert!(limit.is_some() || accepted > cases / 50, "files that are all refused test little: {accepted} of {cases}");
}

/// Says how to repeat a failure.
struct Repeat(&'static str, u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat it: cargo xtask fuzz-load --seconds 1 --target {} --seed {}", self.0, self.1);
        }
    }
}

/// Has the kernel measure the most memory anew; where it does not, the most since the start is measured, which is stricter.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most bytes that were resident since [`reset_peak`].
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel tells how large this process is");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

/// The files that damage is done to.
struct Originals {
    snapshots: Vec<Vec<u8>>,
    payloads: Vec<Vec<u8>>,
    logs: Vec<Log>,
}

/// A log's manifest and the files that it names.
#[derive(Clone)]
struct Log {
    manifest: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
}

impl Log {
    fn read(directory: &Path) -> Self {
        let manifest = std::fs::read(directory.join(MANIFEST)).expect("a manifest");
        let text = String::from_utf8_lossy(&manifest).into_owned();
        let files = text.lines().filter_map(|line| line.split(' ').nth(1)).map(|name| {
            let path = directory.join("appendonlydir").join(name);
            (name.to_owned(), std::fs::read(path).expect("the manifest names it"))
        });
        Log { files: files.collect(), manifest }
    }

    fn write(&self, directory: &Path) {
        std::fs::create_dir(directory.join("appendonlydir")).expect("a directory");
        std::fs::write(directory.join(MANIFEST), &self.manifest).expect("a manifest");
        for (name, bytes) in &self.files {
            std::fs::write(directory.join("appendonlydir").join(name), bytes).expect("a file");
        }
    }
}

impl Originals {
    fn make() -> Self {
        let mut originals = Originals { snapshots: vec![old_snapshot()], payloads: Vec::new(), logs: Vec::new() };
        for preamble in ["yes", "no"] {
            let place = tempfile::tempdir().expect("a directory");
            let builder = builder().dir(place.path()).setting("aof-use-rdb-preamble", preamble).expect("a setting");
            let server = builder.start().expect("a server");
            let mut client = server.client();
            originals.add(&mut client, place.path());
            drop(client);
            drop(server);
            originals.logs.push(Log::read(place.path()));
        }
        for kind in [Kind::Redis, Kind::Valkey] {
            let place = tempfile::tempdir().expect("a directory");
            let directory = place.path().to_str().expect("a plain path");
            let Some(oracle) = Oracle::start(kind, &["--dir", directory, "--appendonly", "yes"]) else { continue };
            let mut connection = oracle.connect();
            originals.add(&mut connection, place.path());
            drop(connection);
            oracle.stop();
            originals.logs.push(Log::read(place.path()));
        }
        originals
    }

    /// Fills a server and takes its snapshot and its payloads; its log has a base and an increment then.
    fn add(&mut self, server: &mut impl Answers, directory: &Path) {
        let long = "a long text that repeats itself, ".repeat(8);
        let many: Vec<String> = (0..140).map(|number| format!("{number} m{number}")).collect();
        let many = many.join(" ");
        let entries: String = (0..140).map(|id| format!("\nXADD entries {id}-1 a {id} b x")).collect();
        let before = format!(
            "SET int 12345\nSET text hello PXAT 4000000000123\nSET long \"{long}\"\nRPUSH list a 1 -300 70000 \"{long}\"\n\
             SADD ints 1 2 70000\nSADD words a b 1\nSADD set {many}\nHSET hash a 1 b \"{long}\"\nHSET table {many}\n\
             ZADD scores 1 a 2.5 b inf c\nZADD skiplist {many}\nSELECT 3\nSET int 3\nSELECT 0{entries}\n\
             XADD stream 1-1 a 1\nXADD stream 1-2 b 2 c 3\nXDEL stream 1-1\nXGROUP CREATE stream g 0\n\
             XREADGROUP GROUP g one STREAMS stream >\nXGROUP CREATE entries h 9-1\nXREADGROUP GROUP h two COUNT 9 STREAMS entries >"
        );
        run(server, &before);
        // What not every server has.
        let timed: Vec<String> = (0..140).map(|number| format!("{number} \"{long}\"")).collect();
        let fields = [
            "HSETEX fields PXAT 4000000000123 FIELDS 2 a 1 b 2".to_owned(),
            "HSETEX fields PXAT 4000000000000 FIELDS 1 c 3".to_owned(),
            format!("HSETEX timed PXAT 4000000000123 FIELDS 140 {}", timed.join(" ")),
        ];
        let ask = |line: &String| server.ask(&split(line).iter().map(Vec::as_slice).collect::<Vec<_>>());
        let has_fields = fields.iter().map(ask).filter(|reply| reply.as_int() == Some(1)).count() == fields.len();
        if has_fields {
            run(server, "HSET fields plain 1\nHSET timed plain 1");
        }
        rewrite(server);
        let after = "INCR int\nMULTI\nSET inside 1\nSELECT 2\nLPUSH inside a b\nSELECT 0\nEXEC\nEXPIRE int 1000000000\n\
                     SPOP words\nLPOP list\nRENAME ints integers\nZINCRBY scores 1.5 a\nHINCRBYFLOAT hash a 0.5\nCOPY hash copy\nXADD stream 5-* a 1\n\
                     XREADGROUP GROUP g two STREAMS stream >\nXTRIM entries MAXLEN 100";
        run(server, after);
        assert!(server.ask(&[b"SAVE"]).is_ok());
        self.snapshots.push(std::fs::read(directory.join("dump.rdb")).expect("a snapshot"));
        for key in [
            "int", "long", "list", "integers", "words", "set", "hash", "table", "scores", "skiplist", "stream",
            "entries",
        ] {
            self.payloads.push(server.ask(&[b"DUMP", key.as_bytes()]).as_bytes().expect("a payload").to_vec());
        }
        for key in ["fields", "timed"].iter().filter(|_| has_fields) {
            self.payloads.push(server.ask(&[b"DUMP", key.as_bytes()]).as_bytes().expect("a payload").to_vec());
        }
    }
}

fn mutant(rng: &mut Rng, originals: &[Vec<u8>]) -> Vec<u8> {
    let original = originals[rng.usize(..originals.len())].clone();
    mutate(rng, original, originals)
}

/// A few changes, most of them small: one that destroys everything finds nothing behind it.
fn mutate(rng: &mut Rng, mut bytes: Vec<u8>, others: &[Vec<u8>]) -> Vec<u8> {
    for _ in 0..[1, 1, 1, 2, 2, 3, 5, 10][rng.usize(..8)] {
        if bytes.is_empty() {
            return bytes;
        }
        // Near the front more often: that is where kinds and lengths of small files stand.
        let at = if rng.u8(..4) == 0 { rng.usize(..bytes.len().min(64)) } else { rng.usize(..bytes.len()) };
        let most = 1 << rng.u8(..8);
        let end = (at + rng.usize(1..=most)).min(bytes.len());
        match rng.u8(..12) {
            0..3 => bytes[at] ^= 1 << rng.u8(..8),
            3 => bytes[at] = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc1, 0xc2, 0xc3, 0xfe, 0xff][rng.usize(..13)],
            4 => bytes[at] = rng.u8(..26),
            5 => bytes[at] = rng.u8(0xf3..),
            6 => bytes[at] = bytes[at].wrapping_add([1, 2, 0xff, 0xfe][rng.usize(..4)]),
            7 if rng.u8(..4) == 0 => bytes.truncate(at),
            7 => drop(bytes.drain(at..end)),
            8 => {
                let copy = bytes[at..end].to_vec();
                let to = rng.usize(..=bytes.len());
                drop(bytes.splice(to..to, copy));
            }
            9 => {
                let other = &others[rng.usize(..others.len())];
                let from = rng.usize(..=other.len());
                let piece = other[from..(from + end - at).min(other.len())].to_vec();
                let end = if rng.bool() { at } else { end };
                drop(bytes.splice(at..end, piece));
            }
            10 => drop(bytes.splice(at..at + 1, length(rng))),
            _ => change_number(rng, &mut bytes, at),
        }
    }
    bytes
}

/// A length as RDB files have them, larger than what follows.
fn length(rng: &mut Rng) -> Vec<u8> {
    let len =
        [0, 63, 64, 16383, 16384, 1 << 24, 1 << 31, u64::from(u32::MAX), 1 << 40, 1 << 63, u64::MAX][rng.usize(..11)];
    match rng.u8(..3) {
        0 => vec![0x40 | (len >> 8) as u8 & 0x3f, len as u8],
        1 => [&[0x80][..], &(len as u32).to_be_bytes()].concat(),
        _ => [&[0x81][..], &len.to_be_bytes()].concat(),
    }
}

/// Replaces the first number written in digits behind `at`.
fn change_number(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|start| at + start) else { return };
    let end = start + bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let numbers = [
        "0",
        "1",
        "-1",
        "2147483648",
        "4294967296",
        "9223372036854775807",
        "18446744073709551615",
        "99999999999999999999",
    ];
    let number = numbers[rng.usize(..numbers.len())];
    bytes.splice(start..end, number.bytes());
}

fn correct_snapshot(file: &mut [u8]) {
    if let Some((body, footer)) = file.split_last_chunk_mut::<8>() {
        let mut checksum = Checksum::new();
        checksum.update(body);
        *footer = checksum.value().to_le_bytes();
    }
}

/// The footer covers itself up to the checksum, as that of a snapshot does.
fn correct_payload(payload: &mut [u8]) {
    correct_snapshot(payload);
}

/// Writes the heads of our batches anew: each goes on to the next one, and some promise what is not there.
fn correct_batches(bytes: &[u8]) -> Vec<u8> {
    const MARK: &[u8] = b"#resplite:";
    let starts: Vec<usize> =
        bytes.windows(MARK.len()).enumerate().filter(|(_, at)| *at == MARK).map(|(at, _)| at).collect();
    let Some(first) = starts.first() else { return bytes.to_vec() };
    let mut out = bytes[..*first].to_vec();
    for (index, start) in starts.iter().enumerate() {
        let batch = &bytes[*start..starts.get(index + 1).copied().unwrap_or(bytes.len())];
        let head = batch.iter().position(|byte| *byte == b'\n').map_or(batch.len(), |end| end + 1);
        let (head, payload) = batch.split_at(head);
        let digits = String::from_utf8_lossy(head);
        let synced = digits.trim_end().rsplit(':').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let crc = Crc::<u64>::new(&CRC_64_XZ);
        let mut digest = crc.digest();
        digest.update(&(payload.len() as u64).to_le_bytes());
        digest.update(&synced.to_le_bytes());
        digest.update(payload);
        out.extend(format!("#resplite:{}:{:016x}:{synced}\r\n", payload.len(), digest.finalize()).bytes());
        out.extend(payload);
    }
    out
}

/// Puts a whole command somewhere between others: nobody logs most of these, so a log that has them is not from here.
fn insert_command(rng: &mut Rng, log: &mut Vec<u8>) {
    const COMMANDS: &[&str] = &[
        "MULTI",
        "EXEC",
        "DISCARD",
        "WATCH int",
        "UNWATCH",
        "SELECT 1",
        "SELECT 99",
        "SELECT x",
        "HELLO 3",
        "QUIT",
        "RESET",
        "CLIENT REPLY OFF",
        "CLIENT REPLY SKIP",
        "DEBUG RELOAD",
        "FLUSHALL",
        "SWAPDB 0 3",
        "SAVE",
        "BGSAVE",
        "BGREWRITEAOF",
        "SHUTDOWN NOSAVE",
        "SHUTDOWN",
        "AUTH x",
        "CLIENT KILL TYPE normal",
        "CLIENT NO-EVICT on",
        "CONFIG SET appendonly no",
        "CONFIG SET appendfsync always",
        "COMMAND",
        "NOSUCH a b",
        "GET",
        "SPOP set 3",
        "DEL set",
        "PEXPIREAT list 1",
        "XGROUP SETID stream g 1",
        "XCLAIM stream g one 0 1-2 FORCE",
        "XADD stream * a 1",
        "SET int 1 PX 1",
        "RESTORE int 0 x",
        "MOVE int 5",
        "INFO everything",
        "SCAN 0",
    ];
    let places: Vec<usize> =
        log.windows(3).enumerate().filter(|(_, at)| at.starts_with(b"\n*")).map(|(at, _)| at + 1).collect();
    for _ in 0..rng.usize(1..4) {
        let command = encode(COMMANDS[rng.usize(..COMMANDS.len())].split(' '));
        let at = if places.is_empty() { log.len() } else { places[rng.usize(..places.len())] };
        log.splice(at..at, command);
    }
}

/// Changes a restored value, as later commands do.
fn use_value(rng: &mut Rng, server: &mut impl Answers) {
    for line in [
        "LPUSH key x",
        "RPOP key",
        "LINSERT key BEFORE x y",
        "LSET key 0 z",
        "LTRIM key 1 -2",
        "LPOS key a",
        "SADD key x 1",
        "SREM key a 1 m5",
        "SPOP key 2",
        "SINTER key key",
        "HSET key a 1 zz 2",
        "HDEL key a b",
        "HINCRBY key n 1",
        "HRANDFIELD key -3",
        "ZADD key 3 zz",
        "ZREM key a m5",
        "ZPOPMIN key",
        "ZRANGEBYLEX key - +",
        "ZRANK key b",
        "ZREMRANGEBYRANK key 1 2",
        "APPEND key x",
        "INCR key",
        "SETRANGE key 3 x",
        "GETRANGE key 0 -1",
        "XADD key 99999-1 a 1",
        "XDEL key 1-1 1-2 50-1",
        "XREVRANGE key + - COUNT 3",
        "XTRIM key MAXLEN 3",
        "XREADGROUP GROUP g one STREAMS key >",
        "XAUTOCLAIM key g two 0 0",
        "XPENDING key g",
        "XINFO GROUPS key",
        "XGROUP DELCONSUMER key h two",
        "COPY key copy",
        "SORT key",
        "DEBUG OBJECT key",
        "OBJECT FREQ key",
    ] {
        if rng.bool() {
            server.ask(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        }
    }
    content(server);
    assert!(server.ask(&[b"FLUSHALL"]).is_ok());
}
