//! Keyspace notifications: what every writing command tells, compared with real servers.

use crate::support::oracle::{Kind, Oracle};
use crate::support::transcript::split;
use crate::support::{Connection, builder, check, server};
use resplite::{Server, Value};
use std::time::Duration;

/// Commands in an order that brings every event of every family, and every case in which there is none.
const COMMANDS: &str = include_str!("../data/events.txt");

/// Commands of which Valkey tells something else than Redis.
const OTHERWISE_IN_VALKEY: &[&str] = &["EXPIRE e -1"];

#[test]
fn every_event_is_told_as_real_servers_tell_it() {
    for classes in ["AKEmn", "Kg$lshzxe", "Eg", "Km", "En"] {
        let ours = server();
        let ours = Connection::tcp(ours.address().unwrap()).events(Connection::tcp(ours.address().unwrap()), classes);
        for kind in [Kind::Redis, Kind::Valkey] {
            let Some(oracle) = Oracle::start(kind, &[]) else { continue };
            let theirs = oracle.connect().events(oracle.connect(), classes);
            for (command, (ours, theirs)) in COMMANDS.lines().zip(ours.iter().zip(&theirs)) {
                if kind == Kind::Redis || !OTHERWISE_IN_VALKEY.contains(&command) {
                    assert_eq!(ours, theirs, "{kind:?}, {classes}: {command}");
                }
            }
        }
    }
}

trait Listen {
    fn events(self, listener: Connection, classes: &str) -> Vec<Vec<String>>;
}

impl Listen for Connection {
    /// Runs the commands; returns what was told of each.
    fn events(mut self, listener: Connection, classes: &str) -> Vec<Vec<String>> {
        let mut listener = listener.hello3();
        self.call(["CONFIG", "SET", "notify-keyspace-events", classes]);
        listener.call(["PSUBSCRIBE", "__key*"]);
        let run = |command: &str| {
            self.call(split(command));
            arrived(&mut listener)
        };
        COMMANDS.lines().map(run).collect()
    }
}

/// What has come so far, as `channel message`.
fn arrived(listener: &mut Connection) -> Vec<String> {
    listener.send(["PING", "all"]);
    let mut events = Vec::new();
    loop {
        match listener.read() {
            Value::Push(parts) => {
                let part = |at: usize| String::from_utf8_lossy(parts[at].as_bytes().unwrap()).into_owned();
                events.push(format!("{} {}", part(2), part(3)));
            }
            _ => return events,
        }
    }
}

/// A server that tells everything, somebody who listens and somebody who acts.
fn listening(server: &Server) -> (Connection, Connection) {
    let mut listener = Connection::tcp(server.address().unwrap()).hello3();
    listener.call(["PSUBSCRIBE", "__keyevent@*"]);
    let mut client = Connection::tcp(server.address().unwrap());
    client.call(["CONFIG", "SET", "notify-keyspace-events", "AEmn"]);
    (listener, client)
}

#[test]
fn keys_that_expire_are_told_of_at_once() {
    let server = server();
    let (mut listener, mut client) = listening(&server);
    client.call(["SET", "a", "1", "PX", "100"]);
    client.call(["SELECT", "3"]);
    client.call(["SET", "b", "1", "PX", "200"]);
    arrived(&mut listener);
    assert!(server.advance(Duration::from_millis(99)));
    assert!(arrived(&mut listener).is_empty());
    assert!(server.advance(Duration::from_millis(1)));
    assert_eq!(arrived(&mut listener), ["__keyevent@0__:expired a"]);
    assert!(server.advance(Duration::from_millis(1000)));
    assert_eq!(arrived(&mut listener), ["__keyevent@3__:expired b"]);
}

#[test]
fn whoever_finds_a_key_expired_tells_of_it_first() {
    let server = builder().setting("enable-debug-command", "yes").unwrap().start().unwrap();
    let (mut listener, mut client) = listening(&server);
    for key in ["a", "b", "c"] {
        client.call(["SET", key, "1", "PX", "100"]);
    }
    // Nobody sweeps, so that the commands find them.
    assert!(client.call(["DEBUG", "SET-ACTIVE-EXPIRE", "0"]).is_ok());
    arrived(&mut listener);
    server.advance(Duration::from_millis(100));
    assert!(arrived(&mut listener).is_empty());
    client.call(["GET", "a"]);
    assert_eq!(arrived(&mut listener), ["__keyevent@0__:expired a", "__keyevent@0__:keymiss a"]);
    client.call(["SET", "b", "2"]);
    assert_eq!(arrived(&mut listener), ["__keyevent@0__:expired b", "__keyevent@0__:new b", "__keyevent@0__:set b"]);
    client.call(["DEL", "c"]);
    assert_eq!(arrived(&mut listener), ["__keyevent@0__:expired c"]);
    assert_eq!(client.call(["EXISTS", "a", "c"]).as_int(), Some(0));
}

#[test]
fn deadlines_of_fields_are_told_as_redis_tells_them() {
    let server = server();
    let (mut listener, mut client) = listening(&server);
    for (command, told) in [
        ("HSET h a 1 b 2 c 3", &["new h", "hset h"][..]),
        ("HEXPIRE h 100 FIELDS 2 a x", &["hexpire h"]),
        ("HEXPIRE h 100 NX FIELDS 1 a", &[]),
        ("HEXPIRE h 0 FIELDS 1 a", &["hdel h"]),
        ("HPERSIST h FIELDS 1 b", &[]),
        ("HGETEX h EX 100 FIELDS 1 b", &["hexpire h"]),
        ("HGETEX h FIELDS 1 b", &[]),
        ("HGETEX h PERSIST FIELDS 1 b", &["hpersist h"]),
        ("HPEXPIREAT h 1800000000000 FIELDS 1 b", &["hexpire h"]),
        ("HPERSIST h FIELDS 1 b", &["hpersist h"]),
        ("HGETEX h PXAT 1 FIELDS 1 b", &["hdel h"]),
        ("HGETDEL h FIELDS 2 c x", &["hdel h", "del h"]),
        ("HGETDEL h FIELDS 1 c", &[]),
        ("HSETEX h FXX FIELDS 1 a 1", &[]),
        ("HSETEX h FIELDS 1 a 1", &["new h", "hset h"]),
        ("HSETEX h EX 100 FIELDS 1 a 1", &["hset h", "hexpire h"]),
        ("HSETEX h KEEPTTL FIELDS 1 a 1", &["hset h"]),
        ("HSETEX h PXAT 1 FIELDS 1 a 1", &["hset h", "hdel h", "del h"]),
        ("HSETEX h PX 100 FIELDS 2 a 1 b 1", &["new h", "hset h", "hexpire h"]),
        ("HSET h c 1", &["hset h"]),
        ("HEXPIRE h 200 FIELDS 1 c", &["hexpire h"]),
    ] {
        client.call(split(command));
        let told: Vec<String> = told.iter().map(|event| format!("__keyevent@0__:{event}")).collect();
        assert_eq!(arrived(&mut listener), told, "{command}");
    }
    assert!(server.advance(Duration::from_millis(99)));
    assert!(arrived(&mut listener).is_empty());
    assert!(server.advance(Duration::from_millis(1)));
    assert_eq!(arrived(&mut listener), ["__keyevent@0__:hexpired h"]);
    assert!(server.advance(Duration::from_secs(200)));
    assert_eq!(arrived(&mut listener), ["__keyevent@0__:hexpired h", "__keyevent@0__:del h"]);
}

#[test]
fn whoever_finds_a_field_expired_tells_of_it_first() {
    let server = builder().setting("enable-debug-command", "yes").unwrap().start().unwrap();
    let (mut listener, mut client) = listening(&server);
    client.call(split("DEBUG SET-ACTIVE-EXPIRE 0"));
    client.call(split("HSETEX h PX 100 FIELDS 2 a 1 b 1"));
    client.call(split("HSETEX h PX 200 FIELDS 1 c 1"));
    arrived(&mut listener);
    server.advance(Duration::from_millis(100));
    assert!(arrived(&mut listener).is_empty());
    client.call(split("HSET h a 2"));
    assert_eq!(arrived(&mut listener), ["__keyevent@0__:hexpired h", "__keyevent@0__:hset h"]);
    client.call(split("HDEL h a"));
    arrived(&mut listener);
    server.advance(Duration::from_millis(100));
    client.call(split("HGET h c"));
    let told = ["hexpired h", "del h", "keymiss h"].map(|event| format!("__keyevent@0__:{event}"));
    assert_eq!(arrived(&mut listener), told);
}

#[test]
fn what_the_server_starts_with_is_told() {
    let server = builder().setting("notify-keyspace-events", "Ex").unwrap().start().unwrap();
    let mut listener = Connection::tcp(server.address().unwrap()).hello3();
    listener.call(["PSUBSCRIBE", "__key*"]);
    server.client().call(["SET", "a", "1", "PX", "100"]);
    assert!(server.advance(Duration::from_millis(100)));
    assert_eq!(arrived(&mut listener), ["__keyevent@0__:expired a"]);
}

#[test]
fn a_deadline_in_the_past_is_told_as_what_it_comes_to() {
    let server = server();
    let (mut listener, mut client) = listening(&server);
    client.call(["SET", "a", "1", "PXAT", "1"]);
    assert_eq!(
        arrived(&mut listener),
        ["__keyevent@0__:new a", "__keyevent@0__:set a", "__keyevent@0__:expire a", "__keyevent@0__:expired a"]
    );
}

#[test]
fn waiting_commands_tell_what_they_take() {
    let server = server();
    let (mut listener, mut client) = listening(&server);
    let mut waiter = Connection::tcp(server.address().unwrap());
    let id = waiter.call(["CLIENT", "ID"]).as_int().unwrap().to_string();
    for (wait, feed, told) in [
        ("BLPOP k 0", "RPUSH k a", &["new k", "rpush k", "lpop k", "del k"][..]),
        ("BRPOP k 0", "RPUSH k a b", &["new k", "rpush k", "rpop k"]),
        ("BLMOVE l m LEFT RIGHT 0", "RPUSH l a", &["new l", "rpush l", "new m", "rpush m", "lpop l", "del l"]),
        ("BRPOPLPUSH l m 0", "RPUSH l a", &["new l", "rpush l", "lpush m", "rpop l", "del l"]),
        ("BLMPOP 0 1 n LEFT COUNT 2", "RPUSH n a b c", &["new n", "rpush n", "lpop n"]),
        ("BZPOPMIN z 0", "ZADD z 1 a", &["new z", "zadd z", "zpopmin z", "del z"]),
        ("BZPOPMAX z 0", "ZADD z 1 a 2 b", &["new z", "zadd z", "zpopmax z"]),
        ("BZMPOP 0 1 y MAX", "ZADD y 1 a", &["new y", "zadd y", "zpopmax y", "del y"]),
    ] {
        waiter.send(split(wait));
        while !client.call(["CLIENT", "LIST", "ID", &id]).as_str().unwrap().contains(" flags=b ") {}
        client.call(split(feed));
        waiter.read();
        let told: Vec<String> = told.iter().map(|event| format!("__keyevent@0__:{event}")).collect();
        assert_eq!(arrived(&mut listener), told, "{wait}");
    }
}

#[test]
fn the_setting_takes_letters() {
    check(
        r#"
        > CONFIG SET notify-keyspace-events KEA
        OK
        > CONFIG GET notify-keyspace-events
        1) "notify-keyspace-events"
        2) "AKE"
        > CONFIG SET notify-keyspace-events KEQ
        (error) ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.
        > CONFIG SET notify-keyspace-events Kg$n
        OK
        > CONFIG GET notify-keyspace-events
        1) "notify-keyspace-events"
        2) "g$nK"
        > CONFIG SET notify-keyspace-events ""
        OK
        > CONFIG GET notify-keyspace-events
        1) "notify-keyspace-events"
        2) ""
    "#,
    );
}
