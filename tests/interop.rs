//! The same files under this server and under real ones: what either has written, the others load with the same content.

use crate::effects::has_shrunk;
use crate::support::builder;
use crate::support::content::{Answers, Content, assert_same, content};
use crate::support::oracle::{Kind, Oracle};
use crate::support::transcript::split;
use crate::twin::FAMILIES;
use crate::twin::generator::Generator;
use fastrand::Rng;
use resplite::{Server, Value};
use resplite_storage::rdb::Checksum;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const KINDS: [Kind; 2] = [Kind::Redis, Kind::Valkey];
/// A deadline that no test lives to see.
const FAR: &str = "4000000000123";

/// This server on a directory.
fn ours(directory: &Path, settings: &[(&str, &str)]) -> Server {
    let mut builder = builder().dir(directory);
    for (name, value) in settings {
        builder = builder.setting(name, value).expect("a setting");
    }
    builder.start().expect("the directory is loaded")
}

/// A real server on a directory.
fn theirs(kind: Kind, directory: &Path, options: &[&str]) -> Option<Oracle> {
    let directory = directory.to_str().expect("a plain path");
    Oracle::start(kind, &[&["--dir", directory], options].concat())
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// Runs lines as redis-cli would, none of which may fail.
#[track_caller]
pub fn run(server: &mut impl Answers, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let args = split(line);
        let reply = server.ask(&args.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert!(reply.as_error().is_none(), "{line}: {reply:?}");
    }
}

/// Values of every type in every encoding, in several databases.
fn fill(server: &mut impl Answers) {
    run(
        server,
        r#"
        SET int 12345
        SET negative -1
        SET least -9223372036854775808
        SET most 9223372036854775807
        SET beyond 9223372036854775808
        SET text hello
        SET padded 007
        SET empty ""
        SET "" "the empty key"
        SET "\x00\xff\r\n" "\x00\xff\r\n"
        APPEND raw some
        APPEND raw thing
        SET temporary value PXAT 4000000000123
        RPUSH list a b "" 1 -1 127 128 -4096 4095 32767 -32769 8388607 -8388609 2147483648 9223372036854775807 "\x00\xff"
        RPUSH passing x
        PEXPIREAT passing 4000000000123
        SADD bytes 1 2 3 -32768 32767
        SADD shorts 1 -32769 2147483647
        SADD longs 1 -2147483649 9223372036854775807 -9223372036854775808
        SADD words a b 1 ""
        HSET hash field value 1 2 "" empty empty "" "\x00" "\xff"
        PEXPIREAT hash 4000000000123
        ZADD scores 1 one 2.5 "two and a half" -inf least inf most 0.1 tenth 1e300 huge 1e-300 tiny 0 zero 3 a 3 b 3 ""
        XADD stream 1-1 field value
        XADD stream 1-2 field value2
        XADD stream 2-1 field "" other 12345
        XADD stream 18446744073709551615-1 "\x00\xff" -1
        XDEL stream 1-2
        XGROUP CREATE stream group 0
        XGROUP CREATE stream "" 1-1
        XREADGROUP GROUP group consumer COUNT 2 STREAMS stream >
        XREADGROUP GROUP group other COUNT 1 STREAMS stream >
        XCLAIM stream group consumer 0 1-1 2-1 TIME 1600000000000 RETRYCOUNT 300
        XCLAIM stream group other 0 18446744073709551615-1 TIME 1600000000123 JUSTID
        XGROUP SETID stream group 2-1 ENTRIESREAD 3
        XGROUP CREATECONSUMER stream group idle
        PEXPIREAT stream 4000000000123
        XGROUP CREATE "no entries" group $ MKSTREAM
        SELECT 1
        SET int 54321
        SET text "of another database" PXAT 4000000000123
        SELECT 5
        SADD one member
        SELECT 15
        HSET last database yes
        ZADD single 1.5 member
        SELECT 0
        "#,
    );
    let mut rng = Rng::with_seed(1);
    let noise: Vec<u8> = (0..100_000).map(|_| rng.u8(..)).collect();
    let pattern = b"a value that repeats itself and can be compressed; ".repeat(6000);
    let mut ask = |args: &[&[u8]]| assert!(server.ask(args).as_error().is_none());
    ask(&[b"SET", b"noise", &noise]);
    ask(&[b"SET", b"pattern", &pattern]);
    ask(&[b"RPUSH", b"large elements", &noise[..9000], b"small", &pattern[..20_000], &noise[..70], b"1"]);
    ask(&[b"HSET", b"large values", b"noise", &noise[..5000], b"pattern", &pattern[..5000], b"int", b"7"]);
    ask(&[b"SADD", b"large members", &noise[..5000], &pattern[..5000], b"7"]);
    ask(&[b"ZADD", b"large members with scores", b"1", &noise[..5000], b"2", &pattern[..5000], b"3.25", b"7"]);
    for id in 1..=3000 {
        let number = id - 1;
        let (number, name) = (number.to_string(), format!("element {number}"));
        let (number, name) = (number.as_bytes(), name.as_bytes());
        ask(&[b"RPUSH", b"many elements", if rng.bool() { number } else { name }]);
        ask(&[b"SADD", b"many members", if rng.bool() { number } else { name }]);
        ask(&[b"SADD", b"many numbers", number]);
        ask(&[b"HSET", b"many fields", name, number]);
        ask(&[b"XADD", b"many entries", format!("{}-{}", id / 9, id).as_bytes(), b"name", name, b"number", number]);
        ask(&[b"ZADD", b"many scores", format!("{}", rng.f64() * 1e6 - 5e5).as_bytes(), name]);
    }
    for number in 0..100 {
        let (number, name) = (number.to_string(), format!("{number}{}", "x".repeat(30)));
        let (number, name) = (number.as_bytes(), name.as_bytes());
        ask(&[b"RPUSH", b"some elements", name]);
        ask(&[b"SADD", b"some members", name]);
        ask(&[b"SADD", b"some numbers", number]);
        ask(&[b"HSET", b"some fields", name, number]);
        ask(&[b"ZADD", b"some scores", number, name]);
    }
}

/// What a log has to hold: commands whose effect is written instead of them, and whatever empties or moves keys.
const CHURN: &str = r#"
    SET counter 10
    INCR counter
    INCRBY counter 5
    INCRBYFLOAT counter 0.1
    INCRBYFLOAT new 3.0e3
    DECRBY down 7
    SET with value PXAT 4000000000123
    INCRBYFLOAT temporary-number 1.5
    PEXPIREAT temporary-number 4000000000123
    INCRBYFLOAT temporary-number 1.5
    SET relative value EX 1000000000
    SETEX relative2 1000000000 value
    PSETEX relative3 1000000000000 value
    EXPIRE text 1000000000
    SET got value
    GETEX got PXAT 4000000000123
    SET kept value PXAT 4000000000123
    GETEX kept PERSIST
    SET gone value
    GETEX gone PXAT 1
    SET taken value
    GETDEL taken
    SET past value
    PEXPIREAT past 1
    SETRANGE ranged 10 "behind a gap"
    APPEND ranged "!"
    MSET m1 1 m2 2
    MSETNX m3 3 m4 4
    HINCRBYFLOAT hash float 1.25
    HINCRBY hash 1 40
    HSETNX hash new value
    HDEL hash field
    RPUSH queue a b c d e f g a
    LPOP queue
    RPOP queue 2
    LMOVE queue stack LEFT RIGHT
    RPOPLPUSH queue stack
    LINSERT queue BEFORE e between
    LSET queue 0 first
    LREM queue 0 between
    LTRIM queue 0 1
    LMPOP 2 nothing queue LEFT COUNT 1
    SADD bag a b c d e f g h i j 1 2 3
    SPOP bag
    SPOP bag 3
    SMOVE bag bag2 a
    SADD all x y z
    SPOP all 100
    SADD left 1 2 3
    SADD right 2 3 4
    SUNIONSTORE union left right
    SINTERSTORE inter left right
    SDIFFSTORE diff left right
    SREM left 1
    ZADD board 1 a 2 b 3 c 4 d 5 e
    ZINCRBY board 1.5 a
    ZADD board GT CH INCR 10 b
    ZPOPMIN board
    ZPOPMAX board
    ZMPOP 1 board MIN
    ZUNIONSTORE zunion 2 board left WEIGHTS 2 3
    ZRANGESTORE zrange board 0 -1
    ZREMRANGEBYRANK zrange 0 0
    XADD log * field value
    DEL log
    XADD log 1-1 field value
    XADD log 1-* field value
    XADD log 2-1 field value
    XADD log MAXLEN ~ 1000 3-1 field value
    XADD log MAXLEN 3 4-1 field value
    XTRIM log MINID 2-1
    XGROUP CREATE log readers 0
    XGROUP CREATE log others $
    XREADGROUP GROUP readers one COUNT 2 STREAMS log >
    XREADGROUP GROUP readers two NOACK COUNT 1 STREAMS log >
    XCLAIM log readers three 0 2-1 JUSTID TIME 1600000000000
    XAUTOCLAIM log readers three 0 3-1 COUNT 1
    XACK log readers 3-1
    XGROUP SETID log readers 3-1 ENTRIESREAD 4
    XGROUP DESTROY log others
    XGROUP CREATECONSUMER log readers four
    XDEL log 4-1
    XSETID log 9-9 ENTRIESADDED 20 MAXDELETEDID 5-5
    XGROUP CREATE made made $ MKSTREAM
    COPY list copied
    COPY hash hash DB 2
    RENAME copied renamed
    RENAMENX m1 m5
    MOVE m2 3
    SET unlinked 1
    UNLINK unlinked m3
    PERSIST passing
    MULTI
    SET inside 1
    SELECT 4
    SET inside 2
    INCRBYFLOAT inside 0.5
    SPOP nothing
    SELECT 0
    EXPIRE inside 1000000000
    EXEC
    SELECT 6
    SET flushed 1
    FLUSHDB
    SELECT 7
    SET swapped 7
    SELECT 8
    SET swapped 8
    SWAPDB 7 8
    SET behind swap
    SELECT 0
"#;

/// Runs [`CHURN`] and restores a dumped value.
fn churn(server: &mut impl Answers) {
    run(server, CHURN);
    for (name, to) in [("some elements", "restored"), ("some scores", "restored until")] {
        let payload = server.ask(&[b"DUMP", name.as_bytes()]);
        let payload = payload.as_bytes().expect("a payload");
        let deadline = if to == "restored" { "0" } else { FAR };
        let args: [&[u8]; 6] = [b"RESTORE", to.as_bytes(), deadline.as_bytes(), payload, b"ABSTTL", b"REPLACE"];
        assert!(server.ask(&args).is_ok());
    }
}

/// Whether an encoding here, the first, is what such a server means by the second.
fn encodings(kind: Kind) -> impl Fn(&str, &str) -> bool {
    move |ours, theirs| match kind {
        // Small lists and sets are listpacks since 7.2.
        Kind::Redis => [("listpack", "quicklist"), ("listpack", "hashtable")].contains(&(ours, theirs)),
        // Valkey keeps longer strings inside the key's allocation.
        Kind::Valkey => [("embstr", "raw"), ("raw", "embstr")].contains(&(ours, theirs)),
    }
}

fn their_content(oracle: &Oracle) -> Content {
    content(&mut oracle.connect())
}

#[test]
fn snapshots_of_ours_load_there() {
    for compression in ["yes", "no"] {
        let place = directory();
        let server = ours(place.path(), &[("appendonly", "no"), ("rdbcompression", compression)]);
        let mut client = server.client();
        fill(&mut client);
        assert!(client.call(["SAVE"]).is_ok());
        let here = content(&mut client);
        for kind in KINDS {
            let Some(oracle) = theirs(kind, place.path(), &[]) else { return };
            let what = format!("rdbcompression {compression}, loaded by {kind:?}");
            assert_same(&what, &here, &their_content(&oracle), encodings(kind));
        }
    }
}

#[test]
fn snapshots_of_theirs_load_here() {
    for kind in KINDS {
        for options in [
            &["--rdbcompression", "yes"][..],
            &["--rdbcompression", "no", "--rdbchecksum", "no"],
            &["--list-compress-depth", "1", "--list-max-listpack-size", "10"],
            &["--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0", "--set-max-intset-entries", "2"],
        ] {
            let place = directory();
            let Some(oracle) = theirs(kind, place.path(), options) else { return };
            let mut connection = oracle.connect();
            // Elements that large get nodes of their own in the file.
            let limit = connection.call(["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "5000b"]);
            assert!(limit.is_ok(), "{limit:?}");
            fill(&mut connection);
            assert!(connection.call(["SAVE"]).is_ok());
            let there = content(&mut connection);
            let server = ours(place.path(), &[("appendonly", "no")]);
            // What the servers' own limits made of a value is not in the file; both agree on it below.
            let here = content(&mut server.client());
            let has_other_limits = options.len() == 6 || options.len() == 4 && options[0].starts_with("--list");
            let same = encodings(kind);
            let what = format!("{kind:?} with {options:?}");
            assert_same(&what, &here, &there, |ours, theirs| has_other_limits || same(ours, theirs));
            // A newer server with the same limits has to see the file as we do.
            let Some(newer) = theirs_with_defaults(place.path()) else { return };
            assert_same(&format!("{what}, as Valkey loads it"), &here, &newer, encodings(Kind::Valkey));
        }
    }
}

fn theirs_with_defaults(directory: &Path) -> Option<Content> {
    Some(their_content(&theirs(Kind::Valkey, directory, &[])?))
}

/// Waits for the end of a rewrite that has been begun.
pub fn rewrite(server: &mut impl Answers) {
    assert!(server.ask(&[b"BGREWRITEAOF"]).as_error().is_none());
    let info = |server: &mut dyn FnMut() -> Value| server().as_str().expect("a text").to_owned();
    loop {
        let text = info(&mut || server.ask(&[b"INFO", b"persistence"]));
        if text.contains("aof_rewrite_in_progress:0") && text.contains("aof_rewrite_scheduled:0") {
            assert!(text.contains("aof_last_bgrewrite_status:ok"), "{text}");
            return;
        }
        std::thread::yield_now();
    }
}

/// Fails unless Redis' own tool has nothing to say against a log. Debian's redis-tools has it, which `./test` installs.
fn check_with_their_tool(directory: &Path) {
    let manifest = directory.join("appendonlydir/appendonly.aof.manifest");
    let output = match Command::new("redis-check-aof").arg(&manifest).output() {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var_os("RESPLITE_REQUIRE_ORACLES").is_none(), "redis-check-aof: {error}");
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("All AOF files and manifest are valid"), "{said}");
}

#[test]
fn logs_of_ours_load_there() {
    for preamble in ["yes", "no"] {
        for (rewrites, grows) in [(false, true), (true, false), (true, true)] {
            let place = directory();
            let server = ours(place.path(), &[("aof-use-rdb-preamble", preamble)]);
            let mut client = server.client();
            fill(&mut client);
            if rewrites {
                rewrite(&mut client);
            }
            if grows {
                client.call(["SET", "short-lived", "value", "PX", "500"]);
                client.call(["RPUSH", "short-lived list", "a"]);
                client.call(["PEXPIRE", "short-lived list", "500"]);
                assert!(server.advance(std::time::Duration::from_millis(501)));
                churn(&mut client);
            }
            let here = content(&mut client);
            drop(client);
            drop(server);
            let what = format!("aof-use-rdb-preamble {preamble}, rewritten {rewrites}, grown {grows}");
            check_with_their_tool(place.path());
            let again = ours(place.path(), &[]);
            assert_same(&format!("{what}, here"), &here, &content(&mut again.client()), |_, _| false);
            drop(again);
            for kind in KINDS {
                let Some(oracle) = theirs(kind, place.path(), &["--appendonly", "yes"]) else { return };
                assert_same(&format!("{what}, {kind:?}"), &here, &their_content(&oracle), encodings(kind));
                oracle.stop();
            }
        }
    }
}

#[test]
fn logs_of_theirs_load_here() {
    for kind in KINDS {
        for preamble in ["yes", "no"] {
            for rewrites in [false, true] {
                let place = directory();
                let options = ["--appendonly", "yes", "--aof-use-rdb-preamble", preamble];
                let options = [&options[..], &["--aof-timestamp-enabled", "yes"]].concat();
                let Some(oracle) = theirs(kind, place.path(), &options) else { return };
                let mut connection = oracle.connect();
                fill(&mut connection);
                if rewrites {
                    rewrite(&mut connection);
                }
                churn(&mut connection);
                let there = content(&mut connection);
                drop(connection);
                oracle.stop();
                let what = format!("{kind:?}, aof-use-rdb-preamble {preamble}, rewritten {rewrites}");
                let server = ours(place.path(), &[]);
                assert_same(&what, &content(&mut server.client()), &there, encodings(kind));
            }
        }
    }
}

#[test]
fn a_log_may_go_there_and_back() {
    for kind in KINDS {
        for rewrites in [false, true] {
            let place = directory();
            let server = ours(place.path(), &[]);
            fill(&mut server.client());
            drop(server);
            let Some(oracle) = theirs(kind, place.path(), &["--appendonly", "yes"]) else { return };
            let mut connection = oracle.connect();
            churn(&mut connection);
            if rewrites {
                rewrite(&mut connection);
            }
            connection.call(["SET", "from", "there"]);
            let there = content(&mut connection);
            drop(connection);
            oracle.stop();
            if kind == Kind::Redis || !rewrites {
                // It does not know the magic of Valkey's snapshots.
                check_with_their_tool(place.path());
            }
            let what = format!("there and back through {kind:?}, rewritten {rewrites}");
            let server = ours(place.path(), &[]);
            let mut client = server.client();
            assert_same(&what, &content(&mut client), &there, encodings(kind));
            // Ours behind theirs behind ours, in one file.
            run(&mut client, "SET from here\nSELECT 3\nSET from \"another database\"\nSELECT 0");
            let here = content(&mut client);
            drop(client);
            drop(server);
            let server = ours(place.path(), &[]);
            assert_same(&format!("{what}, again here"), &content(&mut server.client()), &here, |_, _| false);
            drop(server);
            let Some(oracle) = theirs(kind, place.path(), &["--appendonly", "yes"]) else { return };
            assert_same(&format!("{what}, again there"), &here, &their_content(&oracle), encodings(kind));
        }
    }
}

const LIBRARY: &str =
    "#!lua name=lib\nredis.register_function('hello', function(keys, args) return 'hello ' .. args[1] end)";

/// Functions in snapshots, in logs and by FUNCTION DUMP, from here to there and back.
#[test]
fn functions_go_there_and_back() {
    for kind in KINDS {
        for form in ["snapshot", "log", "rewritten log", "log of commands"] {
            let greets = |place: &str, server: &mut dyn FnMut(&[&[u8]]) -> Value| {
                let answer = server(&[b"FCALL", b"hello", b"0", b"you"]);
                assert_eq!(answer.as_str(), Some("hello you"), "{kind:?}, {form}, {place}: {answer:?}");
            };
            let place = directory();
            let settings: &[(&str, &str)] = match form {
                "snapshot" => &[("appendonly", "no")],
                "log of commands" => &[("appendonly", "yes"), ("aof-use-rdb-preamble", "no")],
                _ => &[("appendonly", "yes")],
            };
            let options: Vec<String> =
                settings.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).into()]).collect();
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let server = ours(place.path(), settings);
            let mut client = server.client();
            assert_eq!(client.call(["FUNCTION", "LOAD", LIBRARY]).as_str(), Some("lib"));
            match form {
                "snapshot" => assert!(client.call(["SAVE"]).is_ok()),
                "log" => {}
                _ => {
                    client.call(["BGREWRITEAOF"]);
                    while client.call(["INFO", "persistence"]).as_str().unwrap().contains("_in_progress:1") {
                        std::thread::yield_now();
                    }
                }
            }
            let ours_dumped = client.call(["FUNCTION", "DUMP"]);
            drop((client, server));
            let Some(oracle) = theirs(kind, place.path(), &options) else { return };
            let mut there = oracle.connect();
            greets("ours there", &mut |args| there.call(args));
            there.call(["FUNCTION", "FLUSH"]);
            assert!(there.call([b"FUNCTION".as_slice(), b"RESTORE", ours_dumped.as_bytes().unwrap()]).is_ok());
            greets("restored there", &mut |args| there.call(args));
            let theirs_dumped = there.call(["FUNCTION", "DUMP"]);
            if form == "snapshot" {
                assert!(there.call(["SAVE"]).is_ok());
            }
            drop(there);
            oracle.stop();
            // What they have written loads here.
            let server = ours(place.path(), settings);
            let mut client = server.client();
            greets("theirs here", &mut |args| client.call(args));
            client.call(["FUNCTION", "FLUSH"]);
            assert!(client.call([b"FUNCTION".as_slice(), b"RESTORE", theirs_dumped.as_bytes().unwrap()]).is_ok());
            greets("restored here", &mut |args| client.call(args));
        }
    }
}

#[test]
fn dumped_values_go_there_and_back() {
    let server = ours(directory().path(), &[("appendonly", "no")]);
    let mut client = server.client();
    fill(&mut client);
    let here = content(&mut client);
    for kind in KINDS {
        let Some(oracle) = Oracle::start(kind, &[]) else { return };
        let mut connection = oracle.connect();
        // A server that only knows what came from there.
        let back = builder().start().expect("a server");
        let mut back = back.client();
        for ((db, key), held) in &here {
            let place = (db.to_string(), key.as_slice(), held.deadline.max(0).to_string());
            carry(&mut client, &mut connection, &place);
            carry(&mut connection, &mut back, &place);
        }
        client.call(["SELECT", "0"]);
        assert_same(&format!("restored by {kind:?}"), &here, &content(&mut connection), encodings(kind));
        assert_same(&format!("back from {kind:?}"), &here, &content(&mut back), encodings(kind));
    }
}

/// Hashes in every encoding, with fields that have deadlines and fields that have none.
fn fill_fields(server: &mut impl Answers) {
    let long = "x".repeat(100);
    let many: Vec<String> = (0..3000).map(|number| format!("f{number} {number}")).collect();
    let pairs = |range: std::ops::Range<usize>| (many[range.clone()].join(" "), range.len());
    run(server, "HSET small plain 1 b 2 c 3\nHPEXPIREAT small 4000000000123 FIELDS 1 b");
    run(server, "HPEXPIREAT small 4000000000000 FIELDS 1 c\nHSETEX only PXAT 5000000000000 FIELDS 2 a 1 b 2");
    run(server, &format!("HSET long plain {long} b 2 {long} 3\nHPEXPIREAT long 4000000000123 FIELDS 2 b {long}"));
    run(server, &format!("HSETEX large PXAT 4000000000123 FIELDS 1000 {}", pairs(0..1000).0));
    run(server, &format!("HSETEX large PXAT 4000000000124 FIELDS 1000 {}", pairs(1000..2000).0));
    run(server, &format!("HSET large {}\nPEXPIREAT large {FAR}", pairs(2000..3000).0));
}

/// A hash is a table in Valkey as soon as a field has a deadline.
fn field_encodings(ours: &str, theirs: &str) -> bool {
    (ours, theirs) == ("listpackex", "hashtable")
}

#[test]
fn fields_with_deadlines_come_from_valkey() {
    let place = directory();
    let Some(oracle) = theirs(Kind::Valkey, place.path(), &["--appendonly", "yes"]) else { return };
    let mut connection = oracle.connect();
    fill_fields(&mut connection);
    rewrite(&mut connection);
    run(
        &mut connection,
        "HSETEX behind EX 1000000000 FIELDS 2 a 1 b 2\nHGETDEL small FIELDS 1 b\nHPERSIST only FIELDS 1 a",
    );
    assert!(connection.call(["SAVE"]).is_ok());
    let there = content(&mut connection);
    assert!(there.values().filter(|held| held.value.len() % 2 == 1).count() > 1);
    let server = builder().start().expect("a server");
    let mut client = server.client();
    for (db, key) in there.keys() {
        carry(
            &mut connection,
            &mut client,
            &(db.to_string(), key.as_slice(), there[&(*db, key.clone())].deadline.max(0).to_string()),
        );
    }
    assert_same("restored", &content(&mut client), &there, field_encodings);
    drop((connection, oracle));
    let snapshot = ours(place.path(), &[("appendonly", "no")]);
    assert_same("its snapshot", &content(&mut snapshot.client()), &there, field_encodings);
    let log = ours(place.path(), &[]);
    assert_same("its log", &content(&mut log.client()), &there, field_encodings);
}

#[test]
fn fields_with_deadlines_survive_restarts() {
    for (preamble, log) in [("yes", "yes"), ("no", "yes"), ("yes", "no")] {
        let place = directory();
        let settings = [("appendonly", log), ("aof-use-rdb-preamble", preamble)];
        let server = ours(place.path(), &settings);
        let mut client = server.client();
        fill_fields(&mut client);
        if log == "yes" {
            rewrite(&mut client);
            run(
                &mut client,
                "HSETEX behind EX 1000 FIELDS 2 a 1 b 2\nHGETDEL small FIELDS 1 b\nHPERSIST only FIELDS 1 a",
            );
        } else {
            assert!(client.call(["SAVE"]).is_ok());
            let version = if preamble == "yes" { "REDIS0012" } else { "" };
            assert!(std::fs::read(place.path().join("dump.rdb")).expect("a file").starts_with(version.as_bytes()));
        }
        let before = content(&mut client);
        drop((client, server));
        let server = ours(place.path(), &settings);
        assert_same(&format!("{settings:?}"), &before, &content(&mut server.client()), crate::effects::has_shrunk);
    }
    // Nothing has changed for data that knows no such deadlines.
    let place = directory();
    let server = ours(place.path(), &[("appendonly", "no")]);
    run(&mut server.client(), "HSETEX h EX 1000 FIELDS 1 a 1\nHPERSIST h FIELDS 1 a\nSAVE");
    assert!(std::fs::read(place.path().join("dump.rdb")).expect("a file").starts_with(b"REDIS0010"));
}

#[test]
fn random_values_go_there_and_back() {
    let oracles: Vec<_> = KINDS.into_iter().filter_map(|kind| Some((kind, Oracle::start(kind, &[])?))).collect();
    for (seed, family) in (1..).zip(FAMILIES) {
        let server = builder().setting("enable-debug-command", "yes").expect("a setting").start().expect("a server");
        let mut client = server.client();
        let mut generator = Generator::new(family, seed);
        for _ in 0..400 {
            generator.step().iter().for_each(|call| drop(client.call(&call.args)));
        }
        client.call(["DISCARD"]);
        let mut here = content(&mut client);
        // The clock here stands still in the past, so deadlines stay here.
        here.values_mut().for_each(|held| held.deadline = -1);
        for (kind, oracle) in &oracles {
            let mut connection = oracle.connect();
            let back = builder().setting("enable-debug-command", "yes").expect("a setting").start().expect("a server");
            let mut back = back.client();
            assert!(connection.call(["FLUSHALL"]).is_ok());
            for (db, key) in here.keys() {
                let place = (db.to_string(), key.as_slice(), "0".to_owned());
                carry(&mut client, &mut connection, &place);
                carry(&mut connection, &mut back, &place);
            }
            let what = format!("family {seed} through {kind:?}");
            assert_same(&what, &here, &content(&mut back), has_shrunk);
            assert_same(&format!("{what}, there"), &content(&mut back), &content(&mut connection), encodings(*kind));
            assert!(back.call(["DEBUG", "RELOAD"]).is_ok());
            assert!(connection.call(["DEBUG", "RELOAD"]).is_ok());
            let reloaded = content(&mut back);
            assert_same(&format!("{what}, reloaded"), &reloaded, &content(&mut connection), encodings(*kind));
        }
    }
}

/// Restores a key, by database, name and deadline, as the other server dumps it.
fn carry(from: &mut impl Answers, to: &mut impl Answers, (db, key, deadline): &(String, &[u8], String)) {
    assert!(from.ask(&[b"SELECT", db.as_bytes()]).is_ok());
    assert!(to.ask(&[b"SELECT", db.as_bytes()]).is_ok());
    let payload = from.ask(&[b"DUMP", key]);
    let payload = payload.as_bytes().expect("a payload");
    let reply = to.ask(&[b"RESTORE", key, deadline.as_bytes(), payload, b"ABSTTL"]);
    assert!(reply.is_ok(), "{}: {reply:?}", key.escape_ascii());
}

#[test]
fn a_log_of_one_file_is_taken_over() {
    // As servers before 7.0 wrote it: a snapshot with commands behind it, or commands alone.
    for with_snapshot in [false, true] {
        let place = directory();
        let old = place.path().join("appendonly.aof");
        let mut bytes = if with_snapshot { old_snapshot() } else { Vec::new() };
        for line in
            ["SELECT 0", "SET key value", "RPUSH numbers 1 2", "PEXPIREAT key 4000000000123", "SELECT 9", "SET nine 9"]
        {
            bytes.extend(crate::support::socket::encode(split(line)));
        }
        std::fs::write(&old, bytes).expect("a file");
        for round in 0..2 {
            let server = ours(place.path(), &[]);
            let mut client = server.client();
            assert_eq!(client.call(["GET", "key"]).as_str(), Some("value"), "round {round}");
            assert_eq!(client.call(["PEXPIRETIME", "key"]).as_int(), Some(4_000_000_000_123));
            assert_eq!(client.call(["LLEN", "numbers"]).as_int(), Some(2));
            assert_eq!(client.call(["EXISTS", "ziplist of a list"]).as_int(), Some(i64::from(with_snapshot)));
            let counted = client.call(["INCR", "rounds"]).as_int();
            assert_eq!(counted, Some(round + 1), "what came after the change is kept too");
            client.call(["SELECT", "9"]);
            assert_eq!(client.call(["GET", "nine"]).as_str(), Some("9"));
        }
        assert!(!old.exists());
        check_with_their_tool(place.path());
        let Some(oracle) = theirs(Kind::Redis, place.path(), &["--appendonly", "yes"]) else { return };
        assert_eq!(oracle.connect().call(["GET", "rounds"]).as_str(), Some("2"));
    }
}

/// A file as Redis before 3.2 and 7.0 wrote it, with encodings that nobody writes any more.
pub fn old_snapshot() -> Vec<u8> {
    let ziplist = ziplist(&[b"ab", b"7", b"cd", b"300"]);
    let keys: [(u8, &[u8], Vec<u8>); 8] = [
        (10, b"ziplist of a list", string(&ziplist)),
        (12, b"ziplist of a sorted set", string(&ziplist)),
        (13, b"ziplist of a hash", string(&ziplist)),
        (14, b"quicklist of ziplists", [b"\x02".as_slice(), &string(&ziplist), &string(&ziplist)].concat()),
        (9, b"zipmap", string(b"\x02\x01a\x01\x00b\x01c\x03\x01def\x00\xff")),
        (11, b"intset", string(b"\x04\0\0\0\x02\0\0\0\xff\xff\xff\xff\x00\x00\x01\x00")),
        (1, b"plain list", [b"\x02".as_slice(), &string(b"x"), b"\xc1\x00\x01"].concat()),
        (3, b"scores as text", [b"\x02".as_slice(), &string(b"m"), b"\x032.5", &string(b"i"), b"\xfe"].concat()),
    ];
    let mut file = b"REDIS0006\xfe\x00".to_vec();
    for (index, (kind, key, value)) in keys.iter().enumerate() {
        if index % 2 == 0 {
            // Milliseconds, and a kind of deadline in seconds that is older still.
            file.extend([&[0xfc][..], &4_000_000_000_123u64.to_le_bytes()].concat());
        }
        file.push(*kind);
        file.extend([string(key), value.clone()].concat());
    }
    file.push(0xff);
    let mut checksum = Checksum::new();
    checksum.update(&file);
    file.extend(checksum.value().to_le_bytes());
    file
}

/// A string of less than 64 bytes as RDB files have it.
fn string(bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 64);
    [&[bytes.len() as u8][..], bytes].concat()
}

/// A ziplist of short texts, those that are numbers below 32768 as such.
fn ziplist(elements: &[&[u8]]) -> Vec<u8> {
    let (mut entries, mut previous, mut tail) = (Vec::new(), 0, 10);
    for element in elements {
        tail = 10 + entries.len();
        let number = std::str::from_utf8(element).ok().and_then(|text| text.parse::<i16>().ok());
        let entry = match number {
            Some(number) => [&[previous, 0xc0][..], &number.to_le_bytes()].concat(),
            None => [&[previous, element.len() as u8], *element].concat(),
        };
        previous = entry.len() as u8;
        entries.extend(entry);
    }
    let length = (11 + entries.len()) as u32;
    let count = elements.len() as u16;
    [&length.to_le_bytes()[..], &(tail as u32).to_le_bytes(), &count.to_le_bytes(), &entries, b"\xff"].concat()
}

#[test]
fn snapshots_of_old_servers_load_here_as_there() {
    let place = directory();
    std::fs::write(place.path().join("dump.rdb"), old_snapshot()).expect("a file");
    let server = ours(place.path(), &[("appendonly", "no")]);
    let here = content(&mut server.client());
    assert_eq!(here.len(), 8);
    for kind in KINDS {
        let Some(oracle) = theirs(kind, place.path(), &[]) else { return };
        // They leave a list from before Redis 3.2 in the form for long ones until it changes.
        let differs = |ours: &str, theirs: &str| (ours, theirs) == ("listpack", "quicklist");
        let same = |ours: &str, theirs: &str| differs(ours, theirs) || encodings(kind)(ours, theirs);
        assert_same(&format!("{kind:?}"), &here, &their_content(&oracle), same);
    }
}
