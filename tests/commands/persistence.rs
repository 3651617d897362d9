//! DUMP, RESTORE and the snapshot commands, as one connection sees them.

use crate::support::{Connection, builder, server};
use resplite::Value;

fn text(value: &Value) -> String {
    format!("{value:?}")
}

#[test]
fn dump_and_restore() {
    let server = server();
    let mut client = server.client();
    client.call(["SET", "number", "1"]);
    client.call(["RPUSH", "list", "a", "b"]);
    let payload = client.call(["DUMP", "number"]);
    let payload = payload.as_bytes().expect("a payload").to_vec();
    // The bytes that redis-server 7.0 gives.
    assert_eq!(payload, b"\x00\xc0\x01\n\x00&x\xe7\xb6\xd1\x01\x11\xfc");
    let mut restore = |words: &[&[u8]]| {
        let reply = client.call(words);
        match reply.as_error() {
            Some(error) => error.to_owned(),
            None => reply.as_str().unwrap_or("?").to_owned(),
        }
    };
    for (words, expected) in [
        (&[b"number".as_slice(), b"0", &payload][..], "BUSYKEY Target key name already exists."),
        (&[b"number", b"x", b"bad"], "BUSYKEY Target key name already exists."),
        (&[b"number", b"0", b"bad", b"REPLACE"], "ERR DUMP payload version or checksum are wrong"),
        (&[b"b", b"-1", &payload], "ERR Invalid TTL value, must be >= 0"),
        (&[b"b", b"x", &payload], "ERR value is not an integer or out of range"),
        (&[b"b", b"0", &payload, b"IDLETIME", b"-1"], "ERR Invalid IDLETIME value, must be >= 0"),
        (&[b"b", b"0", &payload, b"FREQ", b"256"], "ERR Invalid FREQ value, must be >= 0 and <= 255"),
        (&[b"b", b"0", &payload, b"FREQ", b"1", b"IDLETIME", b"1"], "ERR syntax error"),
        (&[b"b", b"0", &payload, b"FOO"], "ERR syntax error"),
        (&[b"b", b"0", &payload, b"replace", b"idletime", b"100"], "OK"),
        (&[b"c", b"0", &payload, b"FREQ", b"10"], "OK"),
        (&[b"past", b"1000", &payload, b"ABSTTL"], "OK"),
        (&[b"c", b"1000", &payload, b"ABSTTL", b"REPLACE"], "OK"),
        (&[b"soon", b"100000", &payload], "OK"),
    ] {
        let words: Vec<&[u8]> = [b"RESTORE".as_slice()].into_iter().chain(words.iter().copied()).collect();
        assert_eq!(restore(&words), expected, "{words:?}");
    }
    assert_eq!(restore(&[b"RESTORE-ASKING", b"asked", b"0", &payload]), "OK");
    assert!(client.call(["DUMP", "nosuch"]).is_nil());
    assert_eq!(client.call(["OBJECT", "IDLETIME", "b"]).as_int(), Some(100));
    assert_eq!(client.call(["EXISTS", "past", "c"]).as_int(), Some(0));
    assert_eq!(client.call(["TTL", "soon"]).as_int(), Some(100));
    assert_eq!(client.call(["GET", "asked"]).as_str(), Some("1"));
}

#[test]
fn a_snapshot_is_written_and_asked_about() {
    let directory = tempfile::tempdir().unwrap();
    let server = builder().dir(directory.path()).setting("appendonly", "no").unwrap().start().unwrap();
    let mut client = server.client();
    client.call(["SET", "key", "value"]);
    let before = client.call(["LASTSAVE"]).as_int().expect("a time");
    server.advance(std::time::Duration::from_secs(5));
    assert!(client.call(["SAVE"]).is_ok());
    assert_eq!(client.call(["BGSAVE", "FOO"]).as_error(), Some("ERR syntax error"));
    assert_eq!(client.call(["LASTSAVE"]).as_int(), Some(before + 5));
    let info = text(&client.call(["INFO", "persistence"]));
    assert!(info.contains("rdb_saves:1") && info.contains("rdb_changes_since_last_save:0"), "{info}");
    drop(client);
    drop(server);
    let server = builder().dir(directory.path()).setting("appendonly", "no").unwrap().start().unwrap();
    let mut connection = Connection::tcp(server.address().unwrap());
    assert_eq!(connection.call(["GET", "key"]).as_str(), Some("value"));
    let started = connection.call(["BGSAVE"]);
    assert_eq!(started.as_str(), Some("Background saving started"));
}
