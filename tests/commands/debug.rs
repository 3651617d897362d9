//! DEBUG: digests, tables, replies of every type.

use crate::support::oracle::{Kind, Oracle};
use crate::support::{Connection, builder};
use resplite::{Server, Value};

fn debugged(seed: u64) -> Server {
    builder().seed(seed).setting("enable-debug-command", "yes").unwrap().start().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value:?}")).to_owned()
}

#[test]
fn a_reply_of_every_type_is_the_one_of_redis() {
    let types = "string integer double bignum null array set map attrib push verbatim true false String foo".split(' ');
    let Some(oracle) = Oracle::start(Kind::Redis, &[]) else { return };
    let ours = debugged(1);
    for resp3 in [false, true] {
        let connect = |connection: Connection| if resp3 { connection.hello3() } else { connection };
        let mut theirs = connect(oracle.connect());
        let mut ours = connect(Connection::tcp(ours.address().unwrap()));
        for name in types.clone() {
            // A push comes in front of its reply.
            for reply in 0..if resp3 && name == "push" { 2 } else { 1 } {
                let call = |connection: &mut Connection| match reply {
                    0 => connection.call(["DEBUG", "PROTOCOL", name]),
                    _ => connection.read(),
                };
                assert_eq!(call(&mut ours), call(&mut theirs), "{name}, RESP3 {resp3}");
            }
        }
    }
}

#[test]
fn texts_are_those_of_redis() {
    let Some(oracle) = Oracle::start(Kind::Redis, &[]) else { return };
    let ours = debugged(1);
    let (mut ours, mut theirs) = (Connection::tcp(ours.address().unwrap()), oracle.connect());
    let calls = [
        "SET a b",
        "DEBUG DIGEST x",
        "DEBUG DIGEST-VALUE",
        "DEBUG DIGEST-VALUE nosuch",
        "DEBUG LISTPACK a",
        "DEBUG LISTPACK nosuch",
        "DEBUG LISTPACK",
        "DEBUG CHANGE-REPL-ID",
        "DEBUG HTSTATS 99",
        "DEBUG HTSTATS -1",
        "DEBUG HTSTATS x",
        "DEBUG HTSTATS-KEY a",
        "DEBUG HTSTATS-KEY nosuch",
        "DEBUG ERROR two words",
        "DEBUG ERROR LIKETHIS",
        "DEBUG LOG hello",
        "DEBUG LOG",
        "DEBUG PROTOCOL",
        "DEBUG JMAP",
        "FLUSHALL",
        "DEBUG DIGEST",
    ];
    for call in calls {
        assert_eq!(ours.call(call.split(' ')), theirs.call(call.split(' ')), "{call}");
    }
    let error = ["DEBUG", "ERROR", "CODE of\r\nmany lines\n"];
    assert_eq!(ours.call(error), theirs.call(error));
    for crash in ["SEGFAULT", "PANIC", "ASSERT", "OOM", "RESTART", "crash-and-recover 1", "LEAK x"] {
        let reply = ours.call(format!("DEBUG {crash}").split(' '));
        assert!(reply.as_error().is_some_and(|text| text.contains("does not break on purpose")), "{reply:?}");
    }
    assert_eq!(ours.call(["PING"]), Value::Simple("PONG".into()));
    for (len, pattern, matches) in [("5", "a*a", 1), ("5", "a*b", 0), ("0", "", 1), ("2", "a?", 1)] {
        assert_eq!(ours.call(["DEBUG", "STRINGMATCH-LEN", len, pattern]).as_int(), Some(matches), "{len} {pattern}");
    }
    assert_eq!(ours.call(["DEBUG", "STRINGMATCH-LEN", "-1", "a"]).as_error(), Some("ERR value is out of range"));
}

/// What makes the same data in one order or another.
const DATA: &[&str] = &[
    "SET string value",
    "SET number 12",
    "RPUSH list a b c",
    "SADD set x y z",
    "SADD numbers 1 2 3",
    "HSET hash f1 v1 f2 v2",
    "HEXPIRE hash 1000 FIELDS 1 f1",
    "ZADD zset 1 a 2.5 b",
    "XADD stream 1-1 a 1 b 2",
    "XADD stream 2-1 c 3",
    "XGROUP CREATE stream g 0",
    "SET timed x EX 1000",
];

fn digest(connection: &mut Connection) -> String {
    text(&connection.call(["DEBUG", "DIGEST"]))
}

#[test]
fn the_same_data_has_the_same_digest_everywhere() {
    let (one, other) = (debugged(1), debugged(2));
    let mut one = Connection::tcp(one.address().unwrap());
    let mut other = Connection::tcp(other.address().unwrap());
    assert_eq!(digest(&mut one), "0".repeat(40));
    DATA.iter().for_each(|call| drop(one.call(call.split(' '))));
    // The other way round, members too, and with what is gone again.
    for call in [3, 4, 7].map(|at| DATA[at]) {
        let words: Vec<&str> = call.split(' ').collect();
        for part in words[2..].chunks(if words[0] == "ZADD" { 2 } else { 1 }).rev() {
            other.call([&words[..2], part].concat());
        }
    }
    other.call(["SET", "gone", "1"]);
    for at in [11, 8, 9, 10, 5, 6, 2, 1, 0] {
        other.call(DATA[at].split(' '));
    }
    other.call(["DEL", "gone"]);
    let full = digest(&mut one);
    assert_ne!(full, "0".repeat(40));
    assert_eq!(full, digest(&mut other));
    assert!(one.call(["DEBUG", "RELOAD"]).is_ok());
    assert_eq!(full, digest(&mut one));
    // Encodings do not matter.
    other.call(["CONFIG", "SET", "hash-max-listpack-entries", "0", "zset-max-listpack-entries", "0"]);
    other.call(["CONFIG", "SET", "set-max-listpack-entries", "0", "set-max-intset-entries", "0"]);
    other.call(["DEBUG", "RELOAD"]);
    assert_eq!(text(&other.call(["OBJECT", "ENCODING", "zset"])), "skiplist");
    assert_eq!(full, digest(&mut other));
    // Each change makes another digest, and back.
    let changes = [
        ("SET string valuf", "SET string value"),
        ("RPUSH list d", "RPOP list"),
        ("LPUSH list c", "LPOP list"),
        ("SADD set w", "SREM set w"),
        ("HSET hash f2 v3", "HSET hash f2 v2"),
        ("ZADD zset 3 a", "ZADD zset 1 a"),
        ("PERSIST timed", "EXPIRE timed 50"),
        ("HPERSIST hash FIELDS 1 f1", "HEXPIRE hash 50 FIELDS 1 f1"),
        ("XGROUP SETID stream g 1-1", "XGROUP SETID stream g 0"),
        ("RENAME string gnirts", "RENAME gnirts string"),
        ("MOVE number 1", "SWAPDB 0 0"),
    ];
    for (change, back) in changes {
        assert!(one.call(change.split(' ')).as_error().is_none(), "{change}");
        assert_ne!(digest(&mut one), full, "{change}");
        if change.starts_with("MOVE") {
            break;
        }
        assert!(one.call(back.split(' ')).as_error().is_none(), "{back}");
        assert_eq!(digest(&mut one), full, "{back}");
    }
}

#[test]
fn values_have_digests_of_their_own() {
    let server = debugged(1);
    let mut connection = Connection::tcp(server.address().unwrap());
    for call in ["RPUSH a 1 2", "RPUSH b 1 2", "RPUSH c 2 1", "SADD d 1 2", "RPUSH e 12"] {
        connection.call(call.split(' '));
    }
    let digests = connection.call("DEBUG DIGEST-VALUE a b c d e nosuch".split(' ')).into_vec();
    let digests: Vec<String> = digests.iter().map(text).collect();
    assert_eq!(digests[0], digests[1], "the name does not count");
    let mut different = digests[1..].to_vec();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 5, "{digests:?}");
    assert_eq!(digests[5], "0".repeat(40));
}

#[test]
fn tables_are_described_as_they_are() {
    let server = debugged(1);
    let mut connection = Connection::tcp(server.address().unwrap());
    for at in 0..1000 {
        connection.call(["SADD", "set", &format!("member{at}")]);
        connection.call(["SET", &format!("key{at}"), "x"]);
    }
    connection.call(["EXPIRE", "key1", "100"]);
    connection.call(["ZADD", "small", "1", "a"]);
    connection.call(["HSET", "hash", "field", "value", "number", "17"]);
    for call in [["DEBUG", "HTSTATS", "0"], ["DEBUG", "HTSTATS-KEY", "set"]] {
        let shown = text(&connection.call(call));
        let expected = if call[1] == "HTSTATS" { 1003 } else { 1000 };
        assert!(shown.contains(&format!(" number of elements: {expected}\n")), "{shown}");
        // `length: count (share%)` of buckets.
        let row = |line: &str| {
            let (len, rest) = line.strip_prefix("   ")?.split_once(": ")?;
            Some((len.parse::<u64>().ok()?, rest.split(' ').next()?.parse::<u64>().ok()?))
        };
        let rows: Vec<(u64, u64)> = shown.lines().filter_map(row).collect();
        assert_eq!(rows.iter().map(|(len, count)| len * count).sum::<u64>(), expected, "{shown}");
        let buckets: u64 = rows.iter().map(|(_, count)| count).sum();
        assert!(shown.contains(&format!(" table size: {buckets} buckets\n")), "{shown}");
    }
    assert!(text(&connection.call(["DEBUG", "HTSTATS", "0"])).contains("keys with a deadline: 1\n"));
    assert!(connection.call(["DEBUG", "HTSTATS-KEY", "small"]).as_error().is_some());
    // Six bytes of header, one at the end, and what the entries take.
    assert_eq!(text(&connection.call(["DEBUG", "LISTPACK", "hash"])), "entries:4 bytes:31");
}
