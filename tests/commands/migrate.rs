//! MIGRATE: to real servers and to this one, and to what is no server at all.

use crate::support::oracle::{Kind, Oracle};
use crate::support::{Connection, builder, check, server};
use resplite::{Client, Server, Value};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// A port that nobody has.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn migrate(client: &mut Client, port: u16, rest: &str) -> String {
    let call = format!("MIGRATE 127.0.0.1 {port} {rest}");
    let words = call.split(' ').map(|word| if word == "''" { "" } else { word });
    match client.call(words) {
        Value::Error(text) => text,
        other => other.as_str().unwrap_or_else(|| panic!("{other:?}")).to_owned(),
    }
}

fn port_of(server: &Server) -> u16 {
    server.address().expect("it listens").port()
}

#[test]
fn what_is_wrong_about_the_arguments() {
    check(
        r#"
        > SET b 1
        OK
        > MIGRATE 127.0.0.1 1
        (error) ERR wrong number of arguments for 'migrate' command
        > MIGRATE 127.0.0.1 1 b x 1000
        (error) ERR value is not an integer or out of range
        > MIGRATE 127.0.0.1 1 b 0 x
        (error) ERR value is not an integer or out of range
        > MIGRATE 127.0.0.1 1 b x x FOO
        (error) ERR syntax error
        > MIGRATE 127.0.0.1 1 b 0 1000 AUTH
        (error) ERR syntax error
        > MIGRATE 127.0.0.1 1 b 0 1000 AUTH2 default
        (error) ERR syntax error
        > MIGRATE 127.0.0.1 1 b 0 1000 KEYS b
        (error) ERR When using MIGRATE KEYS option, the key argument must be set to the empty string
        > MIGRATE 127.0.0.1 1 "" 0 1000 KEYS
        NOKEY
        > MIGRATE 127.0.0.1 1 "" 0 1000
        NOKEY
        > MIGRATE 127.0.0.1 1 "" 0 1000 AUTH KEYS
        NOKEY
        > MIGRATE 127.0.0.1 1 "" 0 1000 AUTH KEYS KEYS x y
        NOKEY
        > MIGRATE 127.0.0.1 1 x 0 -1
        NOKEY
        > MIGRATE 127.0.0.1 1 b 0 100
        (error) IOERR error or timeout writing to target instance
        > MIGRATE 127.0.0.1 nonsense b 0 100
        (error) IOERR error or timeout writing to target instance
        > MIGRATE no.such.host.invalid 1 b 0 100
        (error) IOERR error or timeout connecting to the client
        > GET b
        "1"
        > COMMAND GETKEYS MIGRATE 127.0.0.1 1 a 0 1000
        1) "a"
        > COMMAND GETKEYS MIGRATE 127.0.0.1 1 "" 0 1000 COPY KEYS a b
        1) "a"
        2) "b"
        "#,
    );
}

/// Moves keys of every type and looks at what is where afterwards.
fn moves(target: &mut Connection, port: u16, password: &str) {
    let source = server();
    let mut client = source.client();
    let mut ask = |line: &str| client.call(line.split(' '));
    for line in [
        "SET string value",
        "SET timed value PX 1000000",
        "RPUSH list a b 3",
        "SADD set a b",
        "HSET hash f v",
        "ZADD zset 1.5 a",
        "XADD stream 1-1 f v",
    ] {
        assert!(ask(line).as_error().is_none(), "{line}");
    }
    let auth = format!("AUTH {password}");
    assert_eq!(
        migrate(&mut client, port, "string 0 5000 AUTH wrong"),
        "ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled."
    );
    assert_eq!(
        migrate(&mut client, port, "string 0 5000"),
        "ERR Target instance replied with error: NOAUTH Authentication required."
    );
    assert_eq!(
        migrate(&mut client, port, &format!("string 99 5000 {auth}")),
        "ERR Target instance replied with error: ERR DB index is out of range"
    );
    assert_eq!(client.call(["EXISTS", "string"]).as_int(), Some(1));
    assert_eq!(migrate(&mut client, port, &format!("string 3 5000 COPY {auth}")), "OK");
    assert_eq!(client.call(["EXISTS", "string"]).as_int(), Some(1), "a copy leaves the key");
    let busy = "ERR Target instance replied with error: BUSYKEY Target key name already exists.";
    assert_eq!(migrate(&mut client, port, &format!("string 3 5000 {auth}")), busy);
    assert_eq!(migrate(&mut client, port, &format!("string 3 5000 REPLACE {auth}")), "OK");
    assert_eq!(migrate(&mut client, port, &format!("string 3 5000 REPLACE {auth}")), "NOKEY");
    client.call(["SET", "string", "again"]);
    let all = format!("'' 3 5000 AUTH2 default {password} KEYS timed list nosuch set string hash zset stream");
    // One is there already: the others move.
    assert_eq!(migrate(&mut client, port, &all), busy);
    assert_eq!(client.call(["KEYS", "*"]).into_vec(), [Value::Bulk("string".into())]);
    target.call(["SELECT", "3"]);
    assert_eq!(target.call(["DBSIZE"]).as_int(), Some(7));
    assert_eq!(target.call(["GET", "string"]).as_str(), Some("value"));
    let ttl = target.call(["PTTL", "timed"]).as_int();
    assert!(ttl > Some(900_000) && ttl <= Some(1_000_000), "{ttl:?}");
    assert_eq!(target.call(["LRANGE", "list", "0", "-1"]).into_vec().len(), 3);
    assert_eq!(target.call(["ZSCORE", "zset", "a"]).as_str(), Some("1.5"));
    assert_eq!(target.call(["XLEN", "stream"]).as_int(), Some(1));
}

#[test]
fn keys_move_to_real_servers_and_to_this_one() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let port = free_port();
        let Some(oracle) = Oracle::start(kind, &["--port", &port.to_string(), "--requirepass", "secret"]) else {
            continue;
        };
        let mut target = oracle.connect();
        target.call(["AUTH", "secret"]);
        moves(&mut target, port, "secret");
    }
    // The clocks of both stand still, at the same time.
    let ours = builder().password("secret").start().unwrap();
    let mut target = Connection::tcp(ours.address().unwrap());
    target.call(["AUTH", "secret"]);
    moves(&mut target, port_of(&ours), "secret");
}

/// Something that listens, and does this with whoever connects.
fn listener(serve: fn(std::net::TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    address
}

#[test]
fn what_does_not_answer_ok_gets_nothing() {
    let source = server();
    let mut client = source.client();
    client.call(["SET", "a", "1"]);
    let reading = "IOERR error or timeout reading to target instance";
    let frozen = TcpListener::bind("127.0.0.1:0").expect("a port");
    assert_eq!(migrate(&mut client, frozen.local_addr().unwrap().port(), "a 0 50"), reading);
    let web = listener(|mut stream| {
        let mut some = [0; 16];
        let _ = stream.read(&mut some);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>");
    });
    assert_eq!(migrate(&mut client, web.port(), "a 0 5000"), reading);
    let endless = listener(|mut stream| while stream.write_all(&[b'+'; 1024]).is_ok() {});
    assert_eq!(migrate(&mut client, endless.port(), "a 0 5000"), reading);
    let gone = listener(drop);
    assert!(migrate(&mut client, gone.port(), "a 0 5000").starts_with("IOERR error or timeout "));
    // It takes the first key and then says no more.
    // Each byte comes in time, and the line does not: nobody would wait for sixteen thousand of them.
    let trickling = listener(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut request = [0; 1024];
        loop {
            // What has been sent is taken, and then nothing comes for a while.
            while stream.read(&mut request).is_ok_and(|len| len > 0) {}
            if stream.write_all(b"+").is_err() {
                return;
            }
        }
    });
    assert_eq!(migrate(&mut client, trickling.port(), "a 0 200"), reading);
    let halfway = listener(|mut stream| {
        let mut some = [0; 4096];
        let _ = stream.read(&mut some);
        let _ = stream.write_all(b"+OK\r\n+OK\r\n+OK\r\n:17\r\n");
        while stream.read(&mut some).is_ok_and(|read| read > 0) {}
    });
    client.call(["MSET", "b", "2", "c", "3"]);
    assert_eq!(migrate(&mut client, halfway.port(), "'' 0 5000 KEYS a b c"), reading);
    let left = client.call(["MGET", "a", "b", "c"]).into_vec();
    // Two were acknowledged.
    assert_eq!(left, [Value::Nil, Value::Nil, Value::Bulk("3".into())]);
}

#[test]
fn the_log_says_what_has_gone() {
    let place = tempfile::tempdir().unwrap();
    let target = server();
    let start = || builder().dir(place.path()).setting("appendfsync", "always").unwrap().start().unwrap();
    let source = start();
    let mut client = source.client();
    client.call(["MSET", "a", "1", "b", "2", "c", "3"]);
    assert_eq!(migrate(&mut client, port_of(&target), "'' 0 5000 COPY KEYS c"), "OK");
    assert_eq!(migrate(&mut client, port_of(&target), "'' 0 5000 KEYS a nosuch b"), "OK");
    drop(source);
    let log = std::fs::read(place.path().join("appendonlydir/appendonly.aof.1.incr.aof")).unwrap();
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("*3\r\n$3\r\nDEL\r\n$1\r\na\r\n$1\r\nb\r\n") && !log.contains("MIGRATE"), "{log}");
    let source = start();
    assert_eq!(source.client().call(["KEYS", "*"]).into_vec(), [Value::Bulk("c".into())]);
    assert_eq!(target.client().call(["DBSIZE"]).as_int(), Some(3));
}

#[test]
fn rights_are_asked_for_the_keys_that_move() {
    let (source, target) = (server(), server());
    let mut client = source.client();
    client.call(["SET", "ann:1", "x"]);
    client.call(["SET", "bob:1", "x"]);
    client.call("ACL SETUSER ann on nopass ~ann:* +@all".split(' '));
    client.call(["AUTH", "ann", "x"]);
    let port = port_of(&target);
    assert!(migrate(&mut client, port, "bob:1 0 5000").starts_with("NOPERM "));
    assert!(migrate(&mut client, port, "'' 0 5000 KEYS ann:1 bob:1").starts_with("NOPERM "));
    assert_eq!(migrate(&mut client, port, "'' 0 5000 KEYS ann:1"), "OK");
}
