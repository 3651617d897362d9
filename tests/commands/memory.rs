//! MEMORY and INFO keysizes: what takes memory, measured.

use crate::support::{Connection, builder, check, server};
use resplite::{Allocator, Client, Value};
use std::sync::atomic::{AtomicU64, Ordering};

fn text(client: &mut Client, call: &str) -> String {
    client.call(call.split(' ')).as_str().expect("a text").to_owned()
}

#[test]
fn what_is_asked_wrongly() {
    check(
        r#"
        > MEMORY
        (error) ERR wrong number of arguments for 'memory' command
        > MEMORY FOO
        (error) ERR unknown subcommand 'FOO'. Try MEMORY HELP.
        > MEMORY STATS x
        (error) ERR wrong number of arguments for 'memory|stats' command
        > MEMORY DOCTOR x
        (error) ERR wrong number of arguments for 'memory|doctor' command
        > MEMORY PURGE x
        (error) ERR wrong number of arguments for 'memory|purge' command
        > MEMORY PURGE
        OK
        "#,
    );
}

/// The numbers of MEMORY STATS by their names, those of databases as `db.0.main`.
fn stats(client: &mut Client) -> impl Fn(&str) -> f64 + use<> {
    let mut all: Vec<(String, f64)> = Vec::new();
    let number = |value: &Value| value.as_int().map(|int| int as f64).or_else(|| value.as_double()).expect("a number");
    for (name, value) in client.call(["MEMORY", "STATS"]).into_pairs() {
        let name = name.as_str().expect("a name").to_owned();
        match value {
            Value::Map(parts) => all.extend(parts.iter().map(|(part, value)| {
                (format!("{name}.{}", part.as_str().unwrap().rsplit('.').next().unwrap()), number(value))
            })),
            value => all.push((name, number(&value))),
        }
    }
    move |name: &str| all.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name}: {all:?}")).1
}

#[test]
fn the_numbers_are_those_of_the_data() {
    let server = server();
    let mut other = Connection::tcp(server.address().unwrap());
    other.call(["PING"]);
    let mut client = server.client();
    client.call(["HELLO", "3"]);
    let empty = stats(&mut client);
    assert_eq!(
        (empty("keys.count"), empty("dataset.bytes"), empty("total.allocated")),
        (0.0, 0.0, empty("startup.allocated"))
    );
    assert!(empty("clients.normal") > 0.0);
    for at in 0..2000 {
        client.call(["SET", &format!("key:{at}"), &"x".repeat(500)]);
    }
    client.call(["PEXPIRE", "key:1", "100000"]);
    client.call(["EVAL", "return 1", "0"]);
    let full = stats(&mut client);
    assert_eq!(full("keys.count"), 2000.0);
    assert!((2000.0 * 500.0..2000.0 * 600.0).contains(&full("dataset.bytes")), "{}", full("dataset.bytes"));
    assert_eq!(full("total.allocated"), full("dataset.bytes") + full("overhead.total"));
    assert!(full("peak.allocated") >= full("total.allocated") && full("peak.percentage") <= 100.0);
    assert!(full("db.0.main") > 2000.0 * 8.0 && full("db.0.expires") > 0.0);
    assert!((500.0..700.0).contains(&full("keys.bytes-per-key")), "{}", full("keys.bytes-per-key"));
    assert!(full("lua.caches") > 0.0 && full("dataset.percentage") > 90.0);
    // What was is remembered although nobody had asked meanwhile.
    client.call(["FLUSHALL"]);
    let gone = stats(&mut client);
    assert_eq!((gone("keys.count"), gone("dataset.bytes")), (0.0, 0.0));
    assert!(gone("peak.allocated") >= full("total.allocated"));
    assert!(text(&mut client, "MEMORY DOCTOR").contains("too little"));
}

#[test]
fn a_program_says_what_its_allocator_can_do() {
    static PURGED: AtomicU64 = AtomicU64::new(0);
    let allocator = Allocator {
        purge: || {
            PURGED.fetch_add(1, Ordering::Relaxed);
        },
        stats: || "all is well\n".into(),
    };
    let server = builder().allocator(allocator).start().unwrap();
    let mut client = server.client();
    assert!(client.call(["MEMORY", "PURGE"]).is_ok());
    assert_eq!(PURGED.load(Ordering::Relaxed), 1);
    assert_eq!(text(&mut client, "MEMORY MALLOC-STATS"), "all is well\n");
    let server = crate::support::server();
    let mut client = server.client();
    assert!(client.call(["MEMORY", "PURGE"]).is_ok());
    assert_eq!(PURGED.load(Ordering::Relaxed), 1);
    assert!(text(&mut client, "MEMORY MALLOC-STATS").contains("nobody said"));
}

#[test]
fn lengths_are_counted_by_type_and_power_of_two() {
    let server = server();
    let mut client = server.client();
    assert_eq!(text(&mut client, "INFO keysizes"), "# Keysizes\r\n");
    for (key, len) in [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 511), ("f", 512), ("g", 1500)] {
        client.call(["SET", key, &"x".repeat(len)]);
    }
    client.call(["SET", "number", "12345"]);
    client.call(["RPUSH", "list", "1", "2", "3"]);
    client.call(["SADD", "set", "1"]);
    client.call(["ZADD", "zset", "1", "a", "2", "b", "3", "c", "4", "d"]);
    client.call(["HSET", "hash", "a", "1", "b", "2"]);
    client.call(["XADD", "stream", "*", "a", "1"]);
    client.call(["SELECT", "3"]);
    client.call(["SADD", "set", "1", "2", "3"]);
    let expected = "# Keysizes\r\n\
        db0_distrib_strings_sizes:0=1,1=1,2=2,4=1,256=1,512=1,1K=1\r\n\
        db0_distrib_lists_items:2=1\r\n\
        db0_distrib_sets_items:1=1\r\n\
        db0_distrib_zsets_items:4=1\r\n\
        db0_distrib_hashes_items:2=1\r\n\
        db3_distrib_sets_items:2=1\r\n";
    assert_eq!(text(&mut client, "INFO keysizes"), expected);
    assert!(!text(&mut client, "INFO").contains("Keysizes") && !text(&mut client, "INFO all").contains("Keysizes"));
    assert!(text(&mut client, "INFO everything").contains(expected));
}
