//! What the log says about commands: the very records, here and in a real server's log; and that they say enough.

mod families;

use crate::support::builder;
use crate::support::content::{assert_same, content};
use crate::support::oracle::{Kind, Oracle};
use crate::support::socket::encode;
use crate::support::transcript::{quote, split};
use crate::twin::generator::Generator;
use crate::twin::{FAMILIES, NEWER};
use resplite::{Server, Value};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the clock of [`builder`] stands, in milliseconds since the epoch.
const START: i64 = 1_700_000_000_000;
/// A file of a log that commands are appended to.
const INCREMENT: &str = "appendonlydir/appendonly.aof.1.incr.aof";

/// One command of a script and the records that it is to leave in the log.
struct Step {
    line: String,
    records: Vec<String>,
}

/// `>` begins a command, the records that it leaves follow. `@10000` stands for the deadline in ten seconds. Behind `here:`
/// and `there:` stand records that only we or only real servers write: other ways to say the same.
fn parse(script: &str, other_place: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line = match line.split_once(": ") {
            Some((place, _)) if place == other_place => continue,
            Some(("here" | "there", record)) => record,
            _ => line,
        };
        match (line.strip_prefix("> "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { line: command.to_owned(), records: Vec::new() }),
            (None, Some(step)) => step.records.push(line.to_owned()),
            (None, None) => panic!("a record without a command: {line}"),
        }
    }
    steps
}

/// Runs a script here and on redis-server.
#[track_caller]
fn check(script: &str) {
    check_ours(script);
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().to_str().expect("a plain path");
    let options = ["--dir", directory, "--appendonly", "yes", "--appendfsync", "always"];
    let Some(oracle) = Oracle::start(Kind::Redis, &options) else { return };
    let mut connection = oracle.connect();
    run("there", script, place.path(), now, |args| connection.call(args), |_| unreachable!("its clock runs"));
}

/// Runs a script here.
#[track_caller]
fn check_ours(script: &str) {
    let place = tempfile::tempdir().expect("a directory");
    let server = ours(place.path(), START);
    let mut client = server.client();
    let clock = std::cell::Cell::new(START);
    let advance = |millis: i64| {
        clock.set(clock.get() + millis);
        assert!(server.advance(Duration::from_millis(millis.unsigned_abs())));
    };
    run("here", script, place.path(), || clock.get(), |args| client.call(args), advance);
}

fn ours(directory: &Path, now: i64) -> Server {
    let builder = builder().dir(directory).frozen_clock(Duration::from_millis(now.unsigned_abs()));
    builder.setting("appendfsync", "always").expect("a setting").start().expect("a server starts")
}

#[allow(clippy::disallowed_methods, reason = "the real server runs on the real clock")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_millis() as i64
}

#[track_caller]
fn run(
    place: &str,
    script: &str,
    directory: &Path,
    now: impl Fn() -> i64,
    mut call: impl FnMut(&[Vec<u8>]) -> Value,
    advance: impl Fn(i64),
) {
    let path = directory.join(INCREMENT);
    let mut seen = 0;
    let mut wrong = Vec::new();
    for Step { line, records } in parse(script, if place == "here" { "there" } else { "here" }) {
        if let Some(millis) = line.strip_prefix("advance ") {
            // What expires is in the log with the next command that waits for it.
            advance(millis.parse().expect("milliseconds"));
            continue;
        }
        call(&split(&line));
        let file = std::fs::read(&path).expect("there is a log");
        let found = records_of(&file[seen..], now());
        seen = file.len();
        if found != records {
            wrong.push(format!("> {line}\n  expected {records:?}\n  found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{place}\n{}", wrong.join("\n"));
}

/// Records as lines; remarks are left out.
fn records_of(mut bytes: &[u8], now: i64) -> Vec<String> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let line = take_line(&mut bytes);
        let Some(count) = line.strip_prefix('*') else {
            assert!(line.starts_with('#'), "not a record: {line}");
            continue;
        };
        let words = (0..count.parse().expect("a count")).map(|_| {
            let len: usize = take_line(&mut bytes)[1..].parse().expect("a length");
            let (arg, rest) = bytes.split_at(len);
            bytes = &rest[2..];
            show(arg, now)
        });
        records.push(words.collect::<Vec<_>>().join(" "));
    }
    records
}

fn take_line(bytes: &mut &[u8]) -> String {
    let end = bytes.windows(2).position(|end| end == b"\r\n").expect("a line end");
    let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
    *bytes = &bytes[end + 2..];
    line
}

fn show(arg: &[u8], now: i64) -> String {
    let text = std::str::from_utf8(arg).unwrap_or_default();
    let from_now = text.parse::<i64>().ok().and_then(|number| number.checked_sub(now));
    match from_now {
        // Whole seconds: the real server's clock runs between the command and this.
        Some(millis) if (-10_000..1_000_000_000).contains(&millis) => format!("@{}", (millis + 500) / 1000 * 1000),
        _ if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) => text.to_owned(),
        _ => quote(arg),
    }
}

#[test]
fn deadlines_are_absolute() {
    check(
        "
        > SET a 1 EX 10
        SELECT 0
        SET a 1 PXAT @10000
        > SET a 1 PX 10000 GET
        SET a 1 PXAT @10000
        > SET a 1 EXAT 4000000000
        SET a 1 PXAT 4000000000000
        > SET a 1 PXAT 4000000000123 XX
        SET a 1 PXAT 4000000000123
        > SET a 2 KEEPTTL
        SET a 2 KEEPTTL
        > SET a 2 NX
        > SET a 2 XX GET EX 10
        SET a 2 PXAT @10000
        > SETEX a 10 2
        SET a 2 PXAT @10000
        > PSETEX a 10000 2
        SET a 2 PXAT @10000
        > SET a 3
        SET a 3
        > EXPIRE a 10
        PEXPIREAT a @10000
        > PEXPIRE a 10000
        PEXPIREAT a @10000
        > EXPIREAT a 4000000000
        PEXPIREAT a 4000000000000
        > PEXPIREAT a 4000000000123
        PEXPIREAT a 4000000000123
        > PEXPIREAT a 4000000000123 NX
        > EXPIRE a 10 LT
        here: PEXPIREAT a @10000
        there: PEXPIREAT a @10000 LT
        > EXPIRE nosuch 10
        > PERSIST a
        PERSIST a
        > PERSIST a
        > GETEX a
        > GETEX a EX 10
        PEXPIREAT a @10000
        > GETEX a PX 10000
        PEXPIREAT a @10000
        > GETEX a EXAT 4000000000
        PEXPIREAT a 4000000000000
        > GETEX a PXAT 4000000000123
        PEXPIREAT a 4000000000123
        > GETEX a PERSIST
        PERSIST a
        > GETEX a PERSIST
        > GETDEL a
        here: GETDEL a
        there: DEL a
        > GETDEL a
        ",
    );
}

#[test]
fn deadlines_that_have_passed_are_removals() {
    check(
        "
        > SET a 1
        SELECT 0
        SET a 1
        > EXPIRE a -1
        DEL a
        > SET a 1
        SET a 1
        > PEXPIREAT a 1
        DEL a
        > SET a 1
        SET a 1
        > EXPIREAT a 1
        DEL a
        > SET a 1
        SET a 1
        > GETEX a PXAT 1
        DEL a
        > SET a 1
        SET a 1
        > GETEX a EXAT 1
        DEL a
        > SET a 1 PXAT 1
        there: SET a 1 PXAT 1
        > GET a
        there: DEL a
        > SET a 1
        SET a 1
        > SET a 2 EXAT 1
        here: DEL a
        there: SET a 2 PXAT 1000
        > EXISTS a
        there: DEL a
        > SET b 1 EX 0
        > RPUSH l a
        RPUSH l a
        > EXPIRE l 0
        DEL l
        ",
    );
}

#[test]
fn what_depends_on_chance_or_rounding_is_written_as_its_effect() {
    check(
        "
        > INCRBYFLOAT f 0.1
        SELECT 0
        SET f 0.1 KEEPTTL
        > INCRBYFLOAT f 3.0e3
        SET f 3000.10000000000000009 KEEPTTL
        > INCRBY n 5
        INCRBY n 5
        > DECR n
        DECR n
        > INCRBYFLOAT f x
        > EXPIRE f 10
        PEXPIREAT f @10000
        > INCRBYFLOAT f 1
        SET f 3001.10000000000000009 KEEPTTL
        > HINCRBYFLOAT h f 0.5
        HSET h f 0.5
        > HINCRBYFLOAT h f 1e2
        HSET h f 100.5
        > HINCRBY h n 5
        HINCRBY h n 5
        > SADD s only
        SADD s only
        > SPOP s
        SREM s only
        > SADD s a b c
        SADD s a b c
        > SPOP s 3
        here: SREM s a b c
        there: DEL s
        > SADD s a
        SADD s a
        > SPOP s 10
        here: SREM s a
        there: DEL s
        > SPOP s
        > SPOP s 5
        > SADD s a
        SADD s a
        > SPOP s 0
        > APPEND a x
        APPEND a x
        > APPEND a ''
        APPEND a \"\"
        > SETRANGE a 3 y
        SETRANGE a 3 y
        > SETRANGE a 0 ''
        > GETSET a z
        here: GETSET a z
        there: SET a z
        > GETDEL a
        here: GETDEL a
        there: DEL a
        ",
    );
}

#[test]
fn what_changed_nothing_is_not_written() {
    check(
        "
        > DEL nosuch
        > UNLINK nosuch
        > LPUSHX nosuch a
        > LPOP nosuch
        > RPOP nosuch 3
        > LTRIM nosuch 0 1
        > LREM nosuch 0 a
        > LINSERT nosuch BEFORE a b
        > LMOVE nosuch other LEFT RIGHT
        > RPOPLPUSH nosuch other
        > SREM nosuch a
        > SADD s a
        SELECT 0
        SADD s a
        > SADD s a
        > SMOVE s t nosuch
        > SMOVE s s a
        > SINTERSTORE out nosuch nosuch
        > SUNIONSTORE out nosuch
        > ZREM nosuch a
        > ZADD z 1 a
        ZADD z 1 a
        > ZADD z 1 a
        > ZADD z NX 2 a
        > ZADD z XX 2 b
        > ZINCRBY z 0 a
        > ZPOPMIN nosuch
        > ZREMRANGEBYSCORE z 5 6
        > ZUNIONSTORE out 1 nosuch
        > ZRANGESTORE out nosuch 0 -1
        > HSET h f v
        HSET h f v
        > HSET h f v
        HSET h f v
        > HSETNX h f w
        > HDEL h nosuch
        > HINCRBY h n 0
        HINCRBY h n 0
        > RENAME nosuch other
        > RENAMENX s z
        > RENAME s s
        > COPY nosuch other
        > COPY s z
        > MOVE nosuch 1
        > MSETNX s 1 other 2
        > SETNX s 1
        > LPUSH s a
        > SET
        > GET nosuch
        > RPUSH l a b c
        RPUSH l a b c
        > LTRIM l 0 -1
        > LSET l 0 a
        LSET l 0 a
        > LREM l 0 x
        > LINSERT l BEFORE x b
        > LMOVE l l LEFT LEFT
        LMOVE l l LEFT LEFT
        > LPOP l 0
        > LMPOP 1 nosuch LEFT
        > ZMPOP 1 nosuch MIN
        > FLUSHDB
        FLUSHDB
        > FLUSHDB
        FLUSHDB
        > FLUSHALL
        FLUSHALL
        > FLUSHALL ASYNC
        FLUSHALL ASYNC
        > SWAPDB 0 1
        SWAPDB 0 1
        > SWAPDB 0 0
        SWAPDB 0 0
        ",
    );
}

#[test]
fn what_moves_keys_is_written_as_sent() {
    check(
        "
        > SET a 1
        SELECT 0
        SET a 1
        > COPY a b
        COPY a b
        > COPY a b REPLACE DB 1
        COPY a b REPLACE DB 1
        > RENAME a c
        RENAME a c
        > RENAMENX c d
        RENAMENX c d
        > MOVE d 2
        MOVE d 2
        > MSET a 1 b 2
        MSET a 1 b 2
        > MSETNX e 1 f 2
        MSETNX e 1 f 2
        > RPUSH l a b c d e
        RPUSH l a b c d e
        > LMOVE l m LEFT RIGHT
        LMOVE l m LEFT RIGHT
        > RPOPLPUSH l m
        RPOPLPUSH l m
        > LMPOP 2 none l LEFT COUNT 2
        here: LMPOP 2 none l LEFT COUNT 2
        there: LPOP l 2
        > LPOP l
        LPOP l
        > ZADD z 1 a 2 b 3 c
        ZADD z 1 a 2 b 3 c
        > ZPOPMIN z
        ZPOPMIN z
        > ZMPOP 1 z MAX
        here: ZMPOP 1 z MAX
        there: ZPOPMAX z 1
        > ZADD z INCR 5 b
        ZADD z INCR 5 b
        > ZINCRBY z 1.5 b
        ZINCRBY z 1.5 b
        > SELECT 3
        > SET three 3
        SELECT 3
        SET three 3
        > SELECT 0
        > SET zero 0
        SELECT 0
        SET zero 0
        > DEL zero nosuch
        DEL zero nosuch
        > UNLINK a b
        UNLINK a b
        > SWAPDB 0 3
        SWAPDB 0 3
        > FLUSHDB
        FLUSHDB
        > FLUSHALL ASYNC
        FLUSHALL ASYNC
        ",
    );
}

#[test]
fn streams_are_written_with_what_was_decided() {
    check(
        r#"
        > XADD s 1-1 a 1
        SELECT 0
        XADD s 1-1 a 1
        > XADD s 1-* a 2
        XADD s 1-2 a 2
        > XADD s MAXLEN ~ 1 2-1 a 3
        here: XADD s MAXLEN = 3 2-1 a 3
        there: XADD s MAXLEN = 3 2-1 a 3
        > XADD s MINID ~ 2 LIMIT 10 2-2 a 3
        here: XADD s MINID = 1-1 2-2 a 3
        there: XADD s MINID = 1-1 LIMIT 10 2-2 a 3
        > XADD s NOMKSTREAM MAXLEN = 4 3-1 a 3
        XADD s NOMKSTREAM MAXLEN = 4 3-1 a 3
        > XTRIM s MAXLEN ~ 1
        > XTRIM s MAXLEN 9
        > XTRIM s MAXLEN ~ 0
        XTRIM s MAXLEN = 0
        > XDEL s 1-1
        > XADD s 4-1 a 4
        XADD s 4-1 a 4
        > XSETID s 5-1
        XSETID s 5-1
        > XREAD STREAMS s 0
        > XADD s 1-1 a 4
        "#,
    );
}

#[test]
fn groups_are_written_with_what_was_delivered_to_whom() {
    check(
        r#"
        > XADD s 1-1 a 1
        SELECT 0
        XADD s 1-1 a 1
        > XADD s 2-1 a 1
        XADD s 2-1 a 1
        > XADD s 3-1 a 1
        XADD s 3-1 a 1
        > XGROUP CREATE s g 0
        XGROUP CREATE s g 0
        > XGROUP CREATE s h $ MKSTREAM
        XGROUP CREATE s h $ MKSTREAM
        > XREADGROUP GROUP g c COUNT 1 STREAMS s >
        here: MULTI
        XCLAIM s g c 0 1-1 TIME @0 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1
        here: XGROUP SETID s g 1-1 ENTRIESREAD 1
        here: EXEC
        > XREADGROUP GROUP g d COUNT 1 NOACK STREAMS s >
        here: MULTI
        here: XGROUP CREATECONSUMER s g d
        here: XGROUP SETID s g 2-1 ENTRIESREAD 2
        here: EXEC
        there: MULTI
        there: XGROUP CREATECONSUMER s g d
        there: XGROUP SETID s g 2-1 ENTRIESREAD 2
        there: EXEC
        > XREADGROUP GROUP g c STREAMS s 0
        here: XCLAIM s g c 0 1-1 TIME @0 RETRYCOUNT 2 FORCE JUSTID LASTID 2-1
        > XCLAIM s g e 0 1-1 3-1 FORCE TIME 1000 RETRYCOUNT 4
        MULTI
        XCLAIM s g e 0 1-1 TIME 1000 RETRYCOUNT 4 FORCE JUSTID LASTID 2-1
        XCLAIM s g e 0 3-1 TIME 1000 RETRYCOUNT 4 FORCE JUSTID LASTID 2-1
        EXEC
        > XCLAIM s g e 100000 9-9
        > XCLAIM s g e 0 9-9 LASTID 3-1
        XGROUP SETID s g 3-1 ENTRIESREAD 2
        > XAUTOCLAIM s g e 0 2-1 JUSTID
        XCLAIM s g e 0 3-1 TIME @0 RETRYCOUNT 4 FORCE JUSTID LASTID 3-1
        > XDEL s 3-1
        XDEL s 3-1
        > XAUTOCLAIM s g e 0 2-1
        here: XACK s g 3-1
        there: XCLAIM s g e 0 3-1 TIME @0 RETRYCOUNT 4 FORCE JUSTID LASTID 3-1
        > XGROUP CREATECONSUMER s g f
        XGROUP CREATECONSUMER s g f
        > XGROUP CREATECONSUMER s g f
        > XGROUP DELCONSUMER s g f
        XGROUP DELCONSUMER s g f
        > XGROUP DELCONSUMER s g f
        > XACK s g 9-9
        > XACK s g 1-1
        XACK s g 1-1
        > XGROUP SETID s g $
        XGROUP SETID s g $
        > XPENDING s g
        > XGROUP DESTROY s h
        XGROUP DESTROY s h
        > XGROUP DESTROY s h
        "#,
    );
}

#[test]
fn transactions_are_groups() {
    check(
        "
        > MULTI
        > SET a 1
        > INCR a
        > EXEC
        SELECT 0
        MULTI
        SET a 1
        INCR a
        EXEC
        > MULTI
        > SET a 1
        > EXEC
        SET a 1
        > MULTI
        > GET a
        > DEL nosuch
        > EXEC
        > MULTI
        > EXEC
        > MULTI
        > SET a 1
        > SELECT 2
        > SET a 2
        > INCRBYFLOAT a 0.5
        > SELECT 0
        > EXPIRE a 10
        > EXEC
        MULTI
        SET a 1
        SELECT 2
        SET a 2
        SET a 2.5 KEEPTTL
        SELECT 0
        PEXPIREAT a @10000
        EXEC
        > SET b 1
        SET b 1
        > MULTI
        > SELECT 5
        > SET five 5
        > EXEC
        SELECT 5
        SET five 5
        > SET five 6
        SET five 6
        > SELECT 0
        > MULTI
        > SET c 1
        > LPUSH c wrong
        > SET d 1
        > EXEC
        SELECT 0
        MULTI
        SET c 1
        SET d 1
        EXEC
        > MULTI
        > SET c 1
        > DISCARD
        > MULTI
        > SELECT 7
        > GET a
        > EXEC
        > SET seven 7
        SELECT 7
        SET seven 7
        ",
    );
}

#[test]
fn who_waits_is_served_in_the_same_transaction_as_the_script_that_feeds_him() {
    let place = tempfile::tempdir().expect("a directory");
    let server = ours(place.path(), START);
    let mut waiter = crate::support::Connection::tcp(server.address().expect("it listens"));
    waiter.send(["BLPOP", "queue", "0"]);
    let mut client = server.client();
    while !client.call(["INFO", "clients"]).as_str().is_some_and(|info| info.contains("blocked_clients:1")) {}
    client.call(["EVAL", "redis.call('RPUSH', 'queue', 'a') redis.call('SET', 'k', 'v')", "0"]);
    assert!(!waiter.read().is_nil());
    let file = std::fs::read(place.path().join(INCREMENT)).expect("there is a log");
    assert_eq!(records_of(&file, START)[1..], ["MULTI", "RPUSH queue a", "SET k v", "LPOP queue", "EXEC"]);
}

#[test]
fn keys_that_expire_are_removed_in_front_of_what_finds_them_gone() {
    check_ours(
        "
        > SET a 1 PX 1000
        SELECT 0
        SET a 1 PXAT @1000
        > SET b 1 PX 1000
        SET b 1 PXAT @1000
        > SELECT 2
        > SET c 1 PX 1000
        SELECT 2
        SET c 1 PXAT @1000
        > SELECT 0
        > advance 1000
        > SET a 2
        SELECT 0
        MULTI
        DEL b
        DEL a
        SELECT 2
        DEL c
        EXEC
        SELECT 0
        SET a 2
        > GET b
        > SET d 1
        SET d 1
        ",
    );
}

#[test]
fn restored_values_are_written_with_their_deadline() {
    // The bytes of a number, which are the same in every version; `?` stands for them.
    let payload = r#""\x00\xc0\x01\n\x00&x\xe7\xb6\xd1\x01\x11\xfc""#;
    let script = "
        > RESTORE a 0 ?
        SELECT 0
        RESTORE a 0 ?
        > RESTORE a 10000 ? REPLACE
        RESTORE a @10000 ? REPLACE ABSTTL
        > RESTORE a 4000000000123 ? REPLACE ABSTTL
        RESTORE a 4000000000123 ? REPLACE ABSTTL
        > RESTORE a 1 ? REPLACE ABSTTL
        DEL a
        > RESTORE a 1 ? ABSTTL
        > RESTORE a 0 ? IDLETIME 5
        RESTORE a 0 ? IDLETIME 5
        > RESTORE a 0 ?
        > RESTORE a 0 junk REPLACE
        ";
    check(&script.replace('?', payload));
}

#[test]
fn nothing_expires_while_a_log_is_loaded() {
    let place = tempfile::tempdir().expect("a directory");
    let mut log = Vec::new();
    for line in ["SET a 1", "PEXPIREAT a 1000"] {
        log.extend(encode(split(line)));
    }
    // Long enough for whatever sweeps to come by.
    for number in 0..20_000 {
        log.extend(encode(["SET", "busy", &number.to_string()]));
    }
    for line in ["COPY a b", "PERSIST b", "DEL a"] {
        log.extend(encode(split(line)));
    }
    std::fs::write(place.path().join("appendonly.aof"), log).expect("a file");
    let server = ours(place.path(), START);
    assert_eq!(server.client().call(["GET", "b"]).as_str(), Some("1"));
}

/// Commands between two restarts of a random run.
const LIFE: usize = 600;
/// Restarts of the short run.
const LIVES: u64 = 16;

#[test]
fn a_log_of_random_commands_brings_everything_back() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = number("RESPLITE_TWIN_SEED").unwrap_or(1);
    let lives = number("RESPLITE_TWIN_COMMANDS").map_or(LIVES, |commands| commands / LIFE as u64);
    for life in 0..lives {
        let family = FAMILIES.get(life as usize % (FAMILIES.len() + 1)).copied().unwrap_or(NEWER);
        live_and_restart(Generator::new(family, seed.wrapping_add(life)), &format!("seed {seed}, life {life}"));
    }
}

fn live_and_restart(mut generator: Generator, what: &str) {
    let place = tempfile::tempdir().expect("a directory");
    let mut now = START;
    let start = |now: i64| {
        let builder = builder().dir(place.path()).frozen_clock(Duration::from_millis(now.unsigned_abs()));
        builder.setting("enable-debug-command", "yes").expect("a setting").start().expect("a server starts")
    };
    // The log grows over two lives, so that one goes on where another has ended.
    for half in 0..2 {
        let server = start(now);
        let mut clients = [server.client(), server.client()];
        let mut left = LIFE / 2;
        while left > 0 {
            for call in generator.step() {
                clients[call.client].call(&call.args);
                left = left.saturating_sub(1);
            }
            if generator.chance.u8(..20) == 0 {
                let by = generator.chance.i64(1..2_000_000);
                now += by;
                assert!(server.advance(Duration::from_millis(by.unsigned_abs())));
            }
        }
        clients.iter_mut().for_each(|client| drop(client.call(["DISCARD"])));
        let before = content(&mut clients[0]);
        drop(clients);
        drop(server);
        let server = start(now);
        let mut client = server.client();
        let after = content(&mut client);
        let what = format!("{what}, half {half}");
        assert_same(&what, &before, &after, |_, _| false);
        // Through the format of snapshots as well; what has shrunk is written as what it would be made of today.
        assert!(client.call(["DEBUG", "RELOAD"]).is_ok());
        assert_same(&format!("{what}, reloaded"), &before, &content(&mut client), has_shrunk);
    }
}

/// Whether a value that was kept as the first encoding comes back as the second, smaller one.
pub fn has_shrunk(before: &str, after: &str) -> bool {
    let larger = ["hashtable", "skiplist", "quicklist"].contains(&before);
    let smaller = [("listpack", "intset"), ("listpackex", "listpack")];
    larger && ["listpack", "listpackex", "intset"].contains(&after) || smaller.contains(&(before, after))
}
