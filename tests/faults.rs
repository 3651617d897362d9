//! A disk that fails at one place, fills up, or gives back other bytes than it was given: who hears of it, and what a
//! restart finds. Random histories on such disks are in `histories.rs`.

use crate::histories::{builder, info};
use resplite::disk::sim::{Plan, SimDisk};
use resplite::{Client, Server, ServerBuilder, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the clock stands.
const NOW: u64 = 1_700_000_000_000;
const LOG_FAILED: &str = "MISCONF Errors writing to the AOF file: ";
const SAVE_FAILED: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
                           Commands that may modify the data set are disabled, because this instance is configured to \
                           report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). \
                           Please check the Redis logs for details about the RDB error.";
const WORKS: Plan = Plan { fail_at: None, crash_at: None, capacity: None, seed: 0 };

/// A disk that fails from one call on: the client hears of it, and so does everybody who writes, until a rewrite has gone
/// on in a fresh file.
#[test]
fn what_could_not_be_written_is_not_acknowledged() {
    // Under `always` the first call of a write is the write, the second the sync.
    for call in [0, 1] {
        let disk = SimDisk::new();
        let server = builder(&disk, NOW).setting("appendfsync", "always").unwrap().start().unwrap();
        let mut client = server.client();
        assert!(client.call(["SET", "kept", "1"]).is_ok());
        disk.set_plan(Plan { crash_at: Some(call), ..Plan::default() });
        let refuses = |answer: Value| {
            let error = answer.as_error().unwrap_or_default().to_owned();
            assert!(error.starts_with("MISCONF Errors writing to the AOF file: "), "{answer:?}");
        };
        refuses(client.call(["SET", "lost", "1"]));
        refuses(client.call(["SET", "later", "1"]));
        refuses(client.call(["PING"]));
        refuses(server.client().call(["DEL", "kept"]));
        assert_eq!(client.call(["GET", "kept"]).as_str(), Some("1"));
        assert_eq!(info(&mut client, "aof_last_write_status"), "err");
        for seed in 0..10 {
            let after = builder(&disk.crash(seed), NOW).start().unwrap();
            assert_eq!(after.client().call(["GET", "kept"]).as_str(), Some("1"));
            assert!(after.client().call(["GET", "later"]).is_nil());
        }
        disk.set_plan(Plan::default());
        client.call(["BGREWRITEAOF"]);
        while info(&mut client, "aof_last_write_status") != "ok" {
            std::thread::yield_now();
        }
        assert!(client.call(["SET", "again", "1"]).is_ok());
        let after = builder(&disk.crash(1), NOW).start().unwrap();
        let found = after.client().call(["MGET", "kept", "lost", "again"]);
        assert!(found.as_slice().unwrap().iter().all(|value| value.as_str() == Some("1")), "{found:?}");
    }
}

/// Under `everysec` a client hears of a failure only after its write; what was written until then is not lost for that.
#[test]
fn a_failed_write_under_everysec_is_made_good() {
    fails_and_recovers(0, false);
}

#[test]
fn a_failed_sync_under_everysec_is_made_good() {
    fails_and_recovers(1, true);
}

/// The disk stops at a call of the writer's, and works again later. A rewrite takes over, `asked` for or not.
fn fails_and_recovers(call: u64, asked: bool) {
    let disk = SimDisk::new();
    let server = with(&disk, &[("appendfsync", "always"), ("save", "")]).start().unwrap();
    let (mut client, mut queues) = (server.client(), server.client());
    ok(&mut client, "SET kept 1");
    ok(&mut client, "CONFIG SET appendfsync everysec");
    // Queued while all is well: as soon as the writer has found out, nothing is queued any more.
    ok(&mut queues, "MULTI");
    assert_eq!(queues.call(["SET", "queued", "1"]).as_str(), Some("QUEUED"));
    disk.set_plan(Plan { crash_at: Some(call), ..WORKS });
    ok(&mut client, "SET unnoticed 1");
    until(&mut client, "aof_last_write_status", "err");
    refuses_writes(&server, LOG_FAILED);
    let aborted = queues.call(["EXEC"]);
    assert!(
        error(&aborted).starts_with(&format!("EXECABORT Transaction discarded because of: {LOG_FAILED}")),
        "{aborted:?}"
    );
    assert_eq!(error(&queues.call(["EXEC"])), "ERR EXEC without MULTI");
    assert_eq!(client.call(["MGET", "kept", "unnoticed"]).as_slice().map(<[Value]>::len), Some(2));
    for seed in 0..10 {
        let after = builder(&disk.crash(seed), NOW).start().unwrap();
        assert_eq!(after.client().call(["GET", "kept"]).as_str(), Some("1"));
        assert!(after.client().call(["EXISTS", "refused", "queued"]).as_int() == Some(0));
    }

    disk.set_plan(WORKS);
    if asked {
        client.call(["BGREWRITEAOF"]);
    }
    until(&mut client, "aof_last_write_status", "ok");
    ok(&mut client, "CONFIG SET appendfsync always");
    ok(&mut client, "SET again 1");
    for seed in 0..10 {
        let after = builder(&disk.crash(seed), NOW).start().unwrap();
        assert_eq!(after.client().call(["EXISTS", "kept", "unnoticed", "again"]).as_int(), Some(3));
        assert_eq!(after.client().call(["EXISTS", "refused", "queued"]).as_int(), Some(0));
    }
}

#[test]
fn a_full_disk_is_left_as_soon_as_there_is_room() {
    for policy in ["always", "everysec"] {
        for room in (0..800).step_by(16) {
            let disk = SimDisk::new();
            let server = with(&disk, &[("appendfsync", policy), ("save", "")]).start().unwrap();
            let mut client = server.client();
            ok(&mut client, "SET kept 1");
            disk.set_plan(Plan { capacity: Some(disk.used() + room), ..WORKS });
            let long = client.call(["SET", "long", &"x".repeat(1000)]);
            assert!(policy == "everysec" && long.is_ok() || error(&long).starts_with(LOG_FAILED), "{long:?}");
            until(&mut client, "aof_last_write_status", "err");
            refuses_writes(&server, LOG_FAILED);
            for _ in 0..5 {
                client.call(["BGREWRITEAOF"]);
                until(&mut client, "aof_rewrite_in_progress", "0");
                assert_eq!(info(&mut client, "aof_last_write_status"), "err");
            }
            assert_eq!(info(&mut client, "aof_last_bgrewrite_status"), "err");
            refuses_writes(&server, LOG_FAILED);

            disk.set_plan(WORKS);
            client.call(["BGREWRITEAOF"]);
            until(&mut client, "aof_last_write_status", "ok");
            until(&mut client, "aof_rewrite_in_progress", "0");
            assert_eq!(stray_bytes(&disk), 0, "{policy}, room for {room}");
            ok(&mut client, "CONFIG SET appendfsync always");
            ok(&mut client, "SET again 1");
            let after = builder(&disk.crash(room), NOW).start().unwrap();
            assert_eq!(after.client().call(["EXISTS", "kept", "long", "again"]).as_int(), Some(3));
            assert_eq!(after.client().call(["EXISTS", "refused"]).as_int(), Some(0));
        }
    }
}

/// Wherever a rewrite fails, the log goes on, and the next one leaves nothing of it behind.
#[test]
fn a_failed_rewrite_loses_nothing_and_takes_up_no_room() {
    for stops in [false, true] {
        for failures in 0.. {
            let disk = SimDisk::new();
            let server = with(&disk, &[("appendfsync", "always"), ("save", "")]).start().unwrap();
            let mut client = server.client();
            ok(&mut client, "SET kept 1");
            let at = Some(failures);
            disk.set_plan(if stops { Plan { crash_at: at, ..WORKS } } else { Plan { fail_at: at, ..WORKS } });
            client.call(["BGREWRITEAOF"]);
            until(&mut client, "aof_rewrite_in_progress", "0");
            let has_failed = info(&mut client, "aof_last_bgrewrite_status") == "err";
            disk.set_plan(WORKS);
            if info(&mut client, "aof_last_write_status") == "ok" {
                ok(&mut client, "SET later 1");
            }
            let later = client.call(["EXISTS", "later"]).as_int();
            for seed in 0..5 {
                let after = builder(&disk.crash(seed), NOW).start().unwrap();
                assert_eq!(after.client().call(["EXISTS", "kept"]).as_int(), Some(1), "call {failures}");
                assert_eq!(after.client().call(["EXISTS", "later"]).as_int(), later, "call {failures}");
            }
            let rewrites: u64 = info(&mut client, "aof_rewrites").parse().unwrap();
            client.call(["BGREWRITEAOF"]);
            while info(&mut client, "aof_rewrites").parse::<u64>().unwrap() == rewrites {
                std::thread::yield_now();
            }
            until(&mut client, "aof_rewrite_in_progress", "0");
            assert_eq!(stray_bytes(&disk), 0, "call {failures}, stops: {stops}");
            if !has_failed && disk.calls() > failures {
                assert!(failures > 10, "{failures}");
                break;
            }
        }
    }
}

#[test]
fn a_failed_background_snapshot_stops_writes_until_a_good_one() {
    let disk = SimDisk::new();
    let server = with(&disk, &[("appendonly", "no"), ("save", "3600 1")]).start().unwrap();
    let (mut client, mut queues) = (server.client(), server.client());
    ok(&mut client, "SET kept 1");
    ok(&mut queues, "MULTI");
    assert_eq!(queues.call(["SET", "queued", "1"]).as_str(), Some("QUEUED"));
    disk.set_plan(Plan { crash_at: Some(0), ..WORKS });
    // In the foreground only who asks hears of it.
    assert_eq!(error(&client.call(["SAVE"])), "ERR");
    assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "ok");
    assert_eq!(info(&mut client, "rdb_last_bgsave_time_sec"), "-1");
    ok(&mut client, "SET kept 2");

    let fail = |client: &mut Client| {
        disk.set_plan(Plan { crash_at: Some(0), ..WORKS });
        assert_eq!(client.call(["BGSAVE"]).as_str(), Some("Background saving started"));
        until(client, "rdb_bgsave_in_progress", "0");
        assert_eq!(info(client, "rdb_last_bgsave_status"), "err");
    };
    fail(&mut client);
    refuses_writes(&server, SAVE_FAILED);
    let aborted = queues.call(["EXEC"]);
    assert_eq!(error(&aborted), format!("EXECABORT Transaction discarded because of: {SAVE_FAILED}"));
    ok(&mut client, "CONFIG SET stop-writes-on-bgsave-error no");
    ok(&mut client, "SET kept 3");
    ok(&mut client, "CONFIG SET stop-writes-on-bgsave-error yes");
    refuses_writes(&server, SAVE_FAILED);
    ok(&mut client, "CONFIG SET save ''");
    ok(&mut client, "SET kept 4");
    client.call(["CONFIG", "SET", "save", "3600 1"]);
    refuses_writes(&server, SAVE_FAILED);

    disk.set_plan(WORKS);
    assert_eq!(client.call(["BGSAVE"]).as_str(), Some("Background saving started"));
    until(&mut client, "rdb_bgsave_in_progress", "0");
    assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "ok");
    ok(&mut client, "SET kept 5");
    fail(&mut client);
    refuses_writes(&server, SAVE_FAILED);
    disk.set_plan(WORKS);
    ok(&mut client, "SAVE");
    assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "ok");
    ok(&mut client, "SET kept 6");
}

#[test]
fn a_snapshot_that_has_failed_is_not_begun_again_at_once() {
    let disk = SimDisk::new();
    let server = with(&disk, &[("appendonly", "no"), ("save", "10 1")]).start().unwrap();
    let mut client = server.client();
    disk.set_plan(Plan { crash_at: Some(0), ..WORKS });
    ok(&mut client, "SET key 1");
    server.advance(Duration::from_secs(60));
    until(&mut client, "rdb_last_bgsave_status", "err");
    let calls = disk.calls();
    for _ in 0..2000 {
        assert_eq!(info(&mut client, "rdb_bgsave_in_progress"), "0");
    }
    assert_eq!(disk.calls(), calls);
    disk.set_plan(WORKS);
    server.advance(Duration::from_secs(6));
    until(&mut client, "rdb_last_bgsave_status", "ok");
    assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "0");
}

/// Wherever SAVE fails, what lies there is a whole snapshot: the old one, or at its very last step the new one.
#[test]
fn a_failed_save_leaves_the_last_snapshot_whole() {
    let path = Path::new("/data/dump.rdb");
    for stops in [false, true] {
        let mut failures = 0;
        loop {
            let disk = SimDisk::new();
            let server = with(&disk, &[("appendonly", "no"), ("save", "")]).start().unwrap();
            let mut client = server.client();
            ok(&mut client, "SET state old");
            ok(&mut client, "SAVE");
            let (old, used) = (disk.content(path).unwrap(), disk.used());
            client.call(["SET", "state", &"new".repeat(1000)]);
            let at = Some(failures);
            disk.set_plan(if stops { Plan { crash_at: at, ..WORKS } } else { Plan { fail_at: at, ..WORKS } });
            let answer = client.call(["SAVE"]);
            if answer.is_ok() {
                break;
            }
            assert_eq!(error(&answer), "ERR");
            let is_old = disk.content(path).as_ref() == Some(&old);
            // A single failure leaves nothing half done behind.
            assert!(stops || !is_old || disk.used() == used, "call {failures}");
            for seed in 0..10 {
                let after = with(&disk.crash(seed), &[("appendonly", "no"), ("save", "")]).start().unwrap();
                let found = after.client().call(["STRLEN", "state"]).as_int();
                assert!(found == Some(3) || !is_old && found == Some(3000), "call {failures}: {found:?}");
            }
            failures += 1;
        }
        // Creating, writing twice, syncing, renaming, syncing the directory.
        assert_eq!(failures, 6);
    }
}

#[test]
fn a_flipped_byte_is_never_loaded() {
    // Everything synced; the last batch not known to be; nothing known to be.
    for (policy, ends) in [("always", true), ("always", false), ("no", false)] {
        let disk = SimDisk::new();
        let server = with(&disk, &[("appendfsync", policy), ("save", "")]).start().unwrap();
        let mut client = server.client();
        for number in 0..3 {
            client.call(["RPUSH", "history", &number.to_string()]);
        }
        client.call(["BGREWRITEAOF"]);
        until(&mut client, "aof_rewrites", "1");
        until(&mut client, "aof_rewrite_in_progress", "0");
        for number in 3..7 {
            client.call(["RPUSH", "history", &number.to_string()]);
            until(&mut client, "aof_buffer_length", "0");
        }
        let frozen = if ends { disk.clone() } else { copy(&disk) };
        drop((client, server));
        let files = log_files(&frozen);
        assert_eq!(files.len(), 2);
        for file in &files {
            let whole = frozen.content(file).unwrap();
            let is_base = file.to_string_lossy().contains("base");
            let last = whole.windows(10).rposition(|window| window == b"#resplite:").unwrap_or(0);
            for at in 0..whole.len() {
                for flip in [1 << (at % 8), 0x20, 0xff] {
                    let damaged = copy(&frozen);
                    let mut bytes = whole.clone();
                    bytes[at] ^= flip;
                    damaged.put(file, &bytes);
                    let where_it_is = format!("{policy}, {}, byte {at} ^ {flip}", file.display());
                    let server = match builder(&damaged, NOW).start() {
                        Ok(server) => server,
                        Err(error) => {
                            let text = error.to_string();
                            let name = file.to_string_lossy();
                            assert!(text.contains(&*name) && text.contains("offset"), "{where_it_is}: {text}");
                            // What was not promised stops nobody.
                            assert!(is_base || policy == "always" && at < last, "{where_it_is}: {text}");
                            continue;
                        }
                    };
                    let found = server.client().call(["LRANGE", "history", "0", "-1"]);
                    let found = found.as_slice().unwrap_or_default();
                    let is_prefix =
                        found.iter().enumerate().all(|(index, value)| value.as_str() == Some(&index.to_string()));
                    assert!(is_prefix && found.len() >= 3, "{where_it_is}: {found:?}");
                    // What was promised is there.
                    let promised = match (policy, ends) {
                        ("always", true) => 7,
                        ("always", false) => 6,
                        _ => 3,
                    };
                    assert!(found.len() >= promised, "{where_it_is}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn a_torn_end_is_cut_or_refused_as_the_setting_says() {
    let disk = SimDisk::new();
    let server = with(&disk, &[("appendfsync", "always"), ("save", "")]).start().unwrap();
    let mut client = server.client();
    for number in 0..3 {
        client.call(["RPUSH", "history", &number.to_string()]);
    }
    let frozen = copy(&disk);
    drop((client, server));
    let file = log_files(&frozen).pop().unwrap();
    let whole = frozen.content(&file).unwrap();
    let ends: Vec<usize> = places_of(&whole, b"#resplite:").into_iter().chain([whole.len()]).collect();
    for len in 0..whole.len() {
        let torn = copy(&frozen);
        torn.put(&file, &whole[..len]);
        let strict = with(&torn, &[("aof-load-truncated", "no")]).start();
        assert_eq!(strict.is_ok(), ends.contains(&len), "{len} bytes");
        if let Err(error) = &strict {
            let text = error.to_string();
            for word in [file.to_str().unwrap(), "offset", "check-aof --fix"] {
                assert!(text.contains(word), "{text}");
            }
            assert_eq!(torn.content(&file).unwrap().len(), len, "who refuses changes nothing");
        }
        drop(strict);
        torn.put(&file, &whole[..len]);
        let server = builder(&torn, NOW).start().unwrap();
        let batches = ends.iter().filter(|end| **end > 0 && **end <= len).count();
        assert_eq!(server.client().call(["LLEN", "history"]).as_int(), Some(batches as i64), "{len} bytes");
    }
}

#[test]
fn damage_in_a_file_that_is_not_the_last_is_refused() {
    let (frozen, files) = (0..).find_map(two_files).unwrap();
    let first = frozen.content(&files[0]).unwrap();
    for len in 0..first.len() {
        let torn = copy(&frozen);
        torn.put(&files[0], &first[..len]);
        let Err(error) = builder(&torn, NOW).start() else {
            // Between two batches nobody sees that one is missing.
            assert!(places_of(&first, b"#resplite:").contains(&len), "{len} bytes");
            continue;
        };
        let text = error.to_string();
        assert!(text.contains(files[0].to_str().unwrap()) && text.contains("offset"), "{text}");
        // As long as the later one is empty, nothing was ever written behind what is torn.
        torn.put(&files[1], b"");
        assert!(builder(&torn, NOW).start().is_ok(), "{len} bytes");
    }
}

/// The log after a rewrite that failed at this call, if it has gone on in a second file.
fn two_files(call: u64) -> Option<(SimDisk, Vec<PathBuf>)> {
    let disk = SimDisk::new();
    let server = with(&disk, &[("appendfsync", "always"), ("save", "")]).start().unwrap();
    let mut client = server.client();
    ok(&mut client, "SET one 1");
    ok(&mut client, "SET two 2");
    disk.set_plan(Plan { fail_at: Some(call), ..WORKS });
    client.call(["BGREWRITEAOF"]);
    until(&mut client, "aof_rewrite_in_progress", "0");
    assert_eq!(info(&mut client, "aof_last_bgrewrite_status"), "err", "it never goes on in a second file");
    ok(&mut client, "SET three 3");
    let files = log_files(&disk);
    let holds = |file: &PathBuf| disk.content(file).is_some_and(|content| !content.is_empty());
    (files.len() == 2 && files.iter().all(holds)).then(|| (copy(&disk), files))
}

fn with(disk: &SimDisk, settings: &[(&str, &str)]) -> ServerBuilder {
    settings.iter().fold(builder(disk, NOW), |builder, (name, value)| builder.setting(name, value).unwrap())
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').map(|word| word.trim_matches('\'')).collect()
}

fn ok(client: &mut Client, line: &str) {
    let answer = client.call(words(line));
    assert!(answer.is_ok(), "{line}: {answer:?}");
}

fn error(answer: &Value) -> &str {
    answer.as_error().unwrap_or_else(|| panic!("no error: {answer:?}"))
}

/// Waits until INFO says so.
fn until(client: &mut Client, name: &str, value: &str) {
    while info(client, name) != value {
        std::thread::yield_now();
    }
}

/// Writes, PING and transactions with writes are answered with such an error; reads go on.
fn refuses_writes(server: &Server, expected: &str) {
    let mut client = server.client();
    for line in ["SET refused 1", "DEL kept", "FLUSHALL", "PING", "EXPIRE kept 1"] {
        let answer = client.call(words(line));
        assert!(error(&answer).starts_with(expected), "{line}: {answer:?}");
    }
    ok(&mut client, "MULTI");
    assert!(error(&client.call(["SET", "refused", "1"])).starts_with(expected));
    assert_eq!(error(&client.call(["EXEC"])), "EXECABORT Transaction discarded because of previous errors.");
    ok(&mut client, "MULTI");
    assert_eq!(client.call(["GET", "kept"]).as_str(), Some("QUEUED"));
    assert_eq!(client.call(["EXEC"]).as_slice().map(<[Value]>::len), Some(1));
    assert_eq!(client.call(["EXISTS", "kept", "refused"]).as_int(), Some(1));
    // What is wrong with a command is said first.
    assert_eq!(error(&client.call(["SET", "refused"])), "ERR wrong number of arguments for 'set' command");
}

fn manifest() -> PathBuf {
    "/data/appendonlydir/appendonly.aof.manifest".into()
}

/// Base and increments, in their order.
fn log_files(disk: &SimDisk) -> Vec<PathBuf> {
    let text = String::from_utf8(disk.content(&manifest()).unwrap()).unwrap();
    let names = text.lines().filter_map(|line| line.split(' ').nth(1));
    names.map(|name| manifest().with_file_name(name)).collect()
}

/// Bytes of files that the log does not need.
fn stray_bytes(disk: &SimDisk) -> u64 {
    let files = log_files(disk).into_iter().chain([manifest()]);
    disk.used() - files.map(|file| disk.content(&file).unwrap().len() as u64).sum::<u64>()
}

/// What the disk holds of the log, on a disk of its own.
fn copy(disk: &SimDisk) -> SimDisk {
    let copy = SimDisk::new();
    for file in log_files(disk).into_iter().chain([manifest()]) {
        copy.put(&file, &disk.content(&file).unwrap());
    }
    copy
}

/// Where the word stands.
fn places_of(bytes: &[u8], word: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|at| bytes[*at..].starts_with(word)).collect()
}

#[test]
fn a_start_that_fails_leaves_the_files_as_they_are() {
    let disk = SimDisk::new();
    let dump = Path::new("/data/dump.rdb");
    let settings = [("appendonly", "no"), ("save", "3600 1")];
    let server = with(&disk, &settings).start().unwrap();
    let mut client = server.client();
    (0..500).for_each(|number| ok(&mut client, &format!("SET key{number} value")));
    ok(&mut client, "SAVE");
    let whole = disk.content(dump).unwrap();
    let error = with(&disk, &settings).start().map(drop).unwrap_err().to_string();
    assert!(error.contains("another server keeps its data"), "{error}");
    assert!(disk.content(dump).unwrap() == whole, "it belongs to somebody else");
    drop(client);
    drop(server);
    let mut damaged = disk.content(dump).unwrap();
    let at = damaged.len() - 100;
    damaged[at] ^= 0xff;
    disk.put(dump, &damaged);
    let error = with(&disk, &settings).start().map(drop).unwrap_err().to_string();
    assert!(error.contains("dump.rdb") && error.contains("resplite check-rdb"), "{error}");
    assert!(disk.content(dump).unwrap() == damaged, "what could not be loaded is not written over");
}

#[test]
fn a_torn_end_behind_a_preamble_is_cut_where_it_is() {
    let disk = SimDisk::new();
    {
        let server = with(&disk, &[("appendonly", "no")]).start().unwrap();
        let mut client = server.client();
        (0..300).for_each(|number| ok(&mut client, &format!("SET key{number} value")));
        ok(&mut client, "SAVE");
    }
    // What Redis 4 to 6 left behind after a crash: one file, a snapshot with commands behind it, the last one in part.
    let mut old = disk.content(Path::new("/data/dump.rdb")).unwrap();
    let torn = b"*3\r\n$3\r\nSET\r\n$4\r\ntail\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$4\r\nto";
    old.extend_from_slice(torn);
    let disk = SimDisk::new();
    disk.put(Path::new("/data/appendonly.aof"), &old);
    for _ in 0..2 {
        let server = with(&disk, &[]).start().unwrap();
        let mut client = server.client();
        assert_eq!(client.call(["DBSIZE"]).as_int(), Some(301));
        assert_eq!(client.call(["GET", "tail"]).as_str(), Some("1"));
    }
    let kept = disk.content(Path::new("/data/appendonlydir/appendonly.aof")).unwrap();
    assert_eq!(kept.len(), old.len() - b"*3\r\n$3\r\nSET\r\n$4\r\nto".len());
}

#[test]
fn without_a_log_a_rewrite_writes_a_base_and_begins_none() {
    let disk = SimDisk::new();
    {
        let server = with(&disk, &[("appendonly", "no")]).start().unwrap();
        let mut client = server.client();
        ok(&mut client, "SET before 1");
        client.call(["BGREWRITEAOF"]);
        until(&mut client, "aof_rewrite_in_progress", "0");
        assert_eq!((info(&mut client, "aof_enabled"), info(&mut client, "aof_rewrites")), ("0".into(), "1".into()));
        ok(&mut client, "SET after 1");
    }
    assert_eq!(log_files(&disk).len(), 1, "a base and nothing else");
    let server = with(&disk, &[]).start().unwrap();
    let found = server.client().call(["MGET", "before", "after"]);
    let found: Vec<Option<&str>> = found.as_slice().unwrap().iter().map(Value::as_str).collect();
    assert_eq!(found, [Some("1"), None]);
}

#[test]
fn a_client_hears_that_its_server_has_ended() {
    let disk = SimDisk::new();
    let server = with(&disk, &[]).start().unwrap();
    let mut client = server.client();
    ok(&mut client, "SET key value");
    drop(server);
    for command in [&["SET", "key", "other"][..], &["GET", "key"]] {
        assert_eq!(client.call(command).as_error(), Some("ERR the server has ended"));
    }
}

/// Who waits for a sync that will not come is told so, and does not wait for ever.
#[test]
fn waitaof_ends_when_the_log_fails() {
    let disk = SimDisk::new();
    let server = with(&disk, &[("appendfsync", "always"), ("save", "")]).port(0).start().unwrap();
    let mut client = server.client();
    ok(&mut client, "SET kept 1");
    assert_eq!(client.call(["WAITAOF", "1", "0", "0"]).as_slice(), Some(&[Value::Int(1), Value::Int(0)][..]));
    ok(&mut client, "CONFIG SET appendfsync everysec");
    ok(&mut client, "SET kept 2");
    assert_eq!(client.call(["WAITAOF", "1", "0", "0"]).as_slice(), Some(&[Value::Int(1), Value::Int(0)][..]));
    disk.set_plan(Plan { crash_at: Some(0), ..WORKS });
    let mut socket = crate::support::Connection::tcp(server.address().unwrap());
    socket.call(["SET", "lost", "1"]);
    assert_eq!(socket.call(["WAITAOF", "1", "0", "0"]).as_slice(), Some(&[Value::Int(0), Value::Int(0)][..]));
}
