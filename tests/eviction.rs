//! Memory that runs out: who has to go by which policy, who hears of it, and what is refused when nobody may go.

use crate::support::{Connection, check};
use resplite::{Client, Server};
use std::time::Duration;

const START: Duration = Duration::from_secs(1_700_000_000);

/// A server with room for the 1000 keys that it has, of 100 bytes each, and for some more; those with odd numbers have
/// deadlines, the later the number the later.
fn full(policy: &str) -> (Server, Client) {
    let server = Server::builder().no_port().frozen_clock(START).seed(7).start().expect("it starts");
    let mut client = server.client();
    for number in 0..1000 {
        let key = format!("key{number}");
        client.call(["SET", &key, &"x".repeat(100)]);
        if number % 2 == 1 {
            client.call(["EXPIRE", &key, &(10_000 + number).to_string()]);
        }
    }
    client.call(["CONFIG", "SET", "maxmemory-policy", policy]);
    limit_to(&mut client, 110);
    (server, client)
}

/// Lets the data be so many percent of what it is.
fn limit_to(client: &mut Client, percent: usize) {
    let limit = number(client, "memory", "used_memory") * percent / 100;
    assert!(client.call(["CONFIG", "SET", "maxmemory", &limit.to_string()]).is_ok());
}

fn number(client: &mut Client, section: &str, name: &str) -> usize {
    let info = client.call(["INFO", section]);
    let text = info.as_str().expect("INFO is text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect("the line is there").parse().expect("it is a number")
}

fn survivors(client: &mut Client, of: impl Iterator<Item = usize>) -> usize {
    of.filter(|number| client.call(["EXISTS", &format!("key{number}")]).as_int() == Some(1)).count()
}

fn add(client: &mut Client, keys: usize) {
    for number in 0..keys {
        let reply = client.call(["SET", &format!("new{number}"), &"y".repeat(100)]);
        assert!(reply.is_ok(), "{reply:?}");
    }
}

#[test]
fn what_was_not_used_for_long_goes_first() {
    for (policy, may_go) in [("allkeys-lru", 1000), ("volatile-lru", 500)] {
        let (server, mut client) = full(policy);
        server.advance(Duration::from_secs(60));
        for number in 0..500 {
            client.call(["GET", &format!("key{number}")]);
        }
        server.advance(Duration::from_secs(60));
        add(&mut client, 300);
        let evicted = number(&mut client, "stats", "evicted_keys");
        assert!(evicted > 150, "{policy}: only {evicted} have gone");
        let used = survivors(&mut client, 0..500);
        assert!(used >= 485, "{policy}: of 500 keys that were used {used} are left");
        if may_go == 500 {
            assert_eq!(survivors(&mut client, (0..1000).step_by(2)), 500, "who has no deadline stays");
        }
        // Room is made before a command runs, which then takes its own.
        assert!(number(&mut client, "memory", "used_memory") <= number(&mut client, "memory", "maxmemory") + 1024);
    }
}

#[test]
fn what_is_used_seldom_goes_first() {
    for policy in ["allkeys-lfu", "volatile-lfu"] {
        let (_server, mut client) = full(policy);
        for _ in 0..20 {
            for number in 0..500 {
                client.call(["GET", &format!("key{number}")]);
            }
        }
        // What is new has a counter of its own to begin with, and is not used.
        add(&mut client, 300);
        let used = survivors(&mut client, 0..500);
        assert!(used >= 485, "{policy}: of 500 keys that were used {used} are left");
        assert!(number(&mut client, "stats", "evicted_keys") > 150, "{policy}");
    }
}

#[test]
fn what_expires_first_goes_first() {
    let (_server, mut client) = full("volatile-ttl");
    add(&mut client, 250);
    let evicted = number(&mut client, "stats", "evicted_keys");
    assert!((100..300).contains(&evicted), "{evicted}");
    let first = survivors(&mut client, (1..2 * evicted).step_by(2));
    assert!(first <= evicted / 10, "of the {evicted} keys that expire first {first} are left");
    assert_eq!(survivors(&mut client, (0..1000).step_by(2)), 500, "who has no deadline stays");
}

#[test]
fn any_key_goes_by_chance() {
    for (policy, from) in [("allkeys-random", 0), ("volatile-random", 1)] {
        let (_server, mut client) = full(policy);
        add(&mut client, 300);
        let evicted = number(&mut client, "stats", "evicted_keys");
        assert!(evicted > 150, "{policy}: {evicted}");
        let halves = [0..500, 500..1000].map(|half| survivors(&mut client, half.filter(|number| number % 2 == from)));
        assert!(halves.iter().all(|left| *left < 250 && *left > 20), "{policy}: {halves:?}");
    }
}

#[test]
fn what_needs_memory_is_refused_when_nobody_may_go() {
    let oom = "OOM command not allowed when used memory > 'maxmemory'.";
    for policy in ["noeviction", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let (_server, mut client) = full("noeviction");
        for number in (1..1000).step_by(2) {
            client.call(["PERSIST", &format!("key{number}")]);
        }
        client.call(["CONFIG", "SET", "maxmemory-policy", policy]);
        limit_to(&mut client, 90);
        assert_eq!(client.call(["SET", "more", "x"]).as_error(), Some(oom), "{policy}");
        assert!(client.call(["GET", "key1"]).as_str().is_some(), "{policy}: reads go on");
        assert_eq!(client.call(["DEL", "key1"]).as_int(), Some(1), "{policy}");
        assert_eq!(number(&mut client, "stats", "evicted_keys"), 0, "{policy}");
        assert_eq!(client.call(["DBSIZE"]).as_int(), Some(999), "{policy}");
    }
}

#[test]
fn a_lower_limit_is_reached_without_any_command() {
    let (server, mut client) = full("allkeys-lru");
    for number in 0..20_000 {
        // In the second database as well.
        client.call(["SELECT", if number % 2 == 0 { "0" } else { "1" }]);
        client.call(["SET", &format!("many{number}"), "z"]);
        if number == 0 {
            client.call(["CONFIG", "SET", "maxmemory", "0"]);
        }
    }
    limit_to(&mut client, 20);
    // More than goes at once: the clock's thread goes on with it, here the one who moves the clock.
    server.advance(Duration::from_millis(1));
    assert!(number(&mut client, "memory", "used_memory") <= number(&mut client, "memory", "maxmemory") + 1024);
}

#[test]
fn those_who_watch_track_listen_and_log_hear_of_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::builder().seed(3).dir(directory.path()).start().expect("it starts");
    let address = server.address().expect("it listens");
    let mut client = server.client();
    client.call(["CONFIG", "SET", "notify-keyspace-events", "Ee"]);
    let (mut watching, mut tracking, mut listening) =
        (server.client(), Connection::tcp(address).hello3(), Connection::tcp(address));
    listening.call(["SUBSCRIBE", "__keyevent@0__:evicted"]);
    client.call(["SET", "victim", &"v".repeat(10_000)]);
    tracking.call(["CLIENT", "TRACKING", "ON"]);
    tracking.call(["GET", "victim"]);
    watching.call(["WATCH", "victim"]);
    watching.call(["MULTI"]);
    watching.call(["PING"]);
    client.call(["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]);
    limit_to(&mut client, 50);
    // It may have gone by itself already; in any case it has when this is through.
    assert!(client.call(["SET", "small", "s"]).is_ok());
    assert!(watching.call(["EXEC"]).is_nil());
    let message = listening.read().into_vec();
    assert_eq!(message[2].as_str(), Some("victim"));
    let told = tracking.read();
    assert!(format!("{told:?}").contains("victim"), "{told:?}");
    drop((server, client, watching));
    let server = Server::builder().no_port().dir(directory.path()).start().expect("it starts");
    let mut client = server.client();
    assert_eq!(client.call(["KEYS", "*"]).into_vec().len(), 1);
    assert_eq!(client.call(["GET", "small"]).as_str(), Some("s"));
}

#[test]
fn uses_are_counted_or_dated() {
    // Without a factor every use counts.
    check(
        r#"
        > CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0
        OK
        > SET k v
        OK
        > OBJECT FREQ k
        (integer) 5
        > GET k
        "v"
        > APPEND k w
        (integer) 2
        > OBJECT FREQ k
        (integer) 7
        > OBJECT FREQ nobody
        (nil)
        > OBJECT IDLETIME k
        (error) ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
        > CONFIG SET maxmemory-policy volatile-lru
        OK
        > SET k v
        OK
        > OBJECT IDLETIME k
        (integer) 0
        > OBJECT FREQ k
        (error) ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
        > CONFIG SET maxmemory-policy nosuch
        (error) ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction
        "#,
    );
}

#[test]
fn large_values_are_freed_by_others_if_that_is_asked_for() {
    let server = Server::builder().no_port().frozen_clock(START).start().expect("it starts");
    let mut client = server.client();
    for setting in ["eviction", "expire", "server-del", "user-del", "user-flush"] {
        assert!(client.call(["CONFIG", "SET", &format!("lazyfree-lazy-{setting}"), "yes"]).is_ok());
    }
    let fill = |client: &mut Client| {
        for number in 0..2000 {
            client.call(["RPUSH", "list", &format!("{number}{}", "x".repeat(100))]);
        }
    };
    let emptied = |client: &mut Client, what: &str| {
        assert_eq!(client.call(["EXISTS", "list"]).as_int(), Some(0), "{what}");
        client.call(["FLUSHALL"]);
        assert_eq!(client.call(["DBSIZE"]).as_int(), Some(0));
        assert!(number(client, "memory", "used_memory_dataset") == 0, "{what}");
    };
    fill(&mut client);
    client.call(["DEL", "list"]);
    emptied(&mut client, "DEL");
    fill(&mut client);
    client.call(["PEXPIRE", "list", "5"]);
    server.advance(Duration::from_millis(5));
    emptied(&mut client, "expiry");
    fill(&mut client);
    client.call(["SET", "list", "a string"]);
    assert_eq!(client.call(["GET", "list"]).as_str(), Some("a string"));
    client.call(["DEL", "list"]);
    emptied(&mut client, "SET");
    fill(&mut client);
    client.call(["SET", "other", "x"]);
    client.call(["RENAME", "other", "list"]);
    assert_eq!(client.call(["GET", "list"]).as_str(), Some("x"));
    client.call(["DEL", "list"]);
    emptied(&mut client, "RENAME");
}

#[test]
fn a_script_that_takes_its_time_is_no_lack_of_memory() {
    let server = Server::builder().workers(2).start().expect("it starts");
    let address = server.address().expect("it listens");
    let (mut scripting, mut writing) = (Connection::tcp(address), Connection::tcp(address));
    writing.call(["CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "2mb"]);
    let value = "v".repeat(100_000);
    // Each one needs another one to go, also while the script keeps all of them for itself.
    for round in 0..3 {
        scripting.send(["EVAL", "local x = 0 for i = 1, 2e7 do x = x + i end return x", "0"]);
        for number in 0..40 {
            let reply = writing.call(["SET", &format!("key{round}:{number}"), &value]);
            assert!(reply.is_ok(), "{reply:?}");
        }
        assert!(scripting.read().as_int().is_some());
    }
}
