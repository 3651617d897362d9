//! `maxmemory-clients`: who takes most has to go, and nobody else.

use crate::support::Connection;
use crate::support::socket::encode;
use resplite::{Server, ServerBuilder};

fn start(settings: &[(&str, &str)]) -> Server {
    let set = |builder: ServerBuilder, (name, value): &(&str, &str)| builder.setting(name, value).unwrap();
    settings.iter().fold(Server::builder(), set).start().unwrap()
}

fn connect(server: &Server) -> Connection {
    Connection::tcp(server.address().unwrap())
}

/// The beginning of a command whose argument is never sent to its end: so many bytes wait for it.
fn fill(connection: &mut Connection, bytes: usize) {
    connection.send_raw(format!("*2\r\n$4\r\nECHO\r\n${}\r\n", bytes + 1).as_bytes());
    // Who has to go may be gone before all is sent.
    let _ = connection.try_send_raw(&vec![b'x'; bytes]);
}

fn evicted(client: &mut Connection) -> u64 {
    let info = client.call(["INFO", "stats"]);
    let line = info.as_str().unwrap().lines().find_map(|line| line.strip_prefix("evicted_clients:"));
    line.expect("it is counted").parse().unwrap()
}

/// What CLIENT LIST says that each client takes, by its name.
fn taken(observer: &mut Connection) -> Vec<(String, u64)> {
    let list = observer.call(["CLIENT", "LIST"]);
    let field =
        |line: &str, name: &str| line.split(name).nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    let parse = |line: &str| Some((field(line, " name=")?, field(line, " tot-mem=")?.parse().ok()?));
    list.as_str().expect("a text").lines().filter_map(parse).collect()
}

/// Waits until all that a client has sent is there.
fn wait_for(observer: &mut Connection, name: &str, sent: usize) {
    let has_sent = |line: &str| {
        let there = line.split(" qbuf=").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
        line.contains(&format!(" name={name} ")) && there >= Some(sent)
    };
    while !observer.call(["CLIENT", "LIST"]).as_str().expect("a text").lines().any(has_sent) {}
}

#[test]
fn who_sends_too_much_at_once_has_to_go() {
    let server = start(&[("maxmemory-clients", "4mb")]);
    let (mut small, mut large) = (connect(&server), connect(&server));
    assert!(small.call(["PING"]).as_error().is_none());
    fill(&mut large, 5 << 20);
    assert_eq!(large.read_to_end(), b"");
    assert_eq!(evicted(&mut small), 1);
    assert!(small.call(["CONFIG", "RESETSTAT"]).is_ok());
    assert_eq!(evicted(&mut small), 0);
    // What has gone is not counted any more.
    let mut next = connect(&server);
    fill(&mut next, 300 << 10);
    assert_eq!(evicted(&mut small), 0);
}

#[test]
fn the_largest_goes_first_and_no_more_than_needed() {
    let server = start(&[]);
    let mut observer = connect(&server);
    let mut all = [("a", 3_usize), ("b", 5), ("c", 1)].map(|(name, megabytes)| {
        let mut connection = connect(&server);
        connection.call(["CLIENT", "SETNAME", name]);
        fill(&mut connection, megabytes << 20);
        wait_for(&mut observer, name, megabytes << 20);
        (name, connection)
    });
    assert_eq!(evicted(&mut observer), 0, "without a limit nobody goes");
    let before = taken(&mut observer);
    let total: u64 = before.iter().map(|(_, bytes)| bytes).sum();
    observer.call(["CONFIG", "SET", "maxmemory-clients", &(total - 1).to_string()]);
    assert_eq!(evicted(&mut observer), 1);
    // Buffers grow ahead of what they hold, so two may be of the same size.
    let most = before.iter().map(|(_, bytes)| *bytes).max();
    let mut left = taken(&mut observer);
    while left.len() == 4 {
        left = taken(&mut observer);
    }
    let gone: Vec<_> = before.iter().filter(|(name, _)| !left.iter().any(|(known, _)| known == name)).collect();
    assert!(gone.len() == 1 && Some(gone[0].1) == most, "{before:?} {left:?}");
    let connection = all.iter_mut().find(|(name, _)| *name == gone[0].0).expect("one of the three");
    assert_eq!(connection.1.read_to_end(), b"");
}

#[test]
fn no_evict_protects() {
    let server = start(&[]);
    let (mut observer, mut protected, mut other) = (connect(&server), connect(&server), connect(&server));
    protected.call(["CLIENT", "NO-EVICT", "ON"]);
    protected.call(["CLIENT", "SETNAME", "protected"]);
    other.call(["CLIENT", "SETNAME", "other"]);
    observer.call(["CLIENT", "NO-EVICT", "ON"]);
    fill(&mut protected, 3 << 20);
    fill(&mut other, 1 << 20);
    wait_for(&mut observer, "protected", 3 << 20);
    wait_for(&mut observer, "other", 1 << 20);
    observer.call(["CONFIG", "SET", "maxmemory-clients", "1mb"]);
    assert_eq!(other.read_to_end(), b"");
    assert_eq!(evicted(&mut observer), 1);
    assert!(observer.call(["CLIENT", "LIST"]).as_str().unwrap().contains(" name=protected "));
}

#[test]
fn what_is_not_read_and_what_is_queued_counts() {
    let server = start(&[("maxmemory-clients", "50%"), ("maxmemory", "40mb")]);
    let mut observer = connect(&server);
    let value = "x".repeat(1 << 20);
    observer.call(["SET", "large", &value]);
    let mut lazy = connect(&server);
    // More than the sockets take by themselves; who has to go may be gone before all is sent.
    for _ in 0..60 {
        let _ = lazy.try_send_raw(&encode(["GET", "large"]));
    }
    let mut queue = connect(&server);
    queue.call(["MULTI"]);
    while evicted(&mut observer) == 0 {}
    let said = lazy.read_to_end().len();
    assert!(said < 60 << 20, "{said}");
    for _ in 0..25 {
        let _ = queue.try_send_raw(&encode(["SET", "other", &value]));
    }
    assert!(queue.read_to_end().len() < 25 * "+QUEUED\r\n".len());
    assert_eq!(evicted(&mut observer), 2);
    // The percentage is one of nothing then.
    observer.call(["CONFIG", "SET", "maxmemory", "0"]);
    let mut queue = connect(&server);
    queue.call(["MULTI"]);
    for _ in 0..25 {
        assert_eq!(queue.call(["SET", "other", &value]).as_str(), Some("QUEUED"));
    }
}

#[test]
fn the_least_limit_lets_somebody_in_who_can_take_it_back() {
    let server = start(&[]);
    let mut client = connect(&server);
    assert!(client.call(["CONFIG", "SET", "maxmemory-clients", "1"]).is_ok());
    assert!(connect(&server).call(["PING"]).as_error().is_none());
    assert!(client.call(["CONFIG", "SET", "maxmemory-clients", "0"]).is_ok());
    assert_eq!(evicted(&mut client), 0);
}
