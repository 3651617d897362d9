//! Ten thousand who wait: a push serves one of them and wakes nobody else, and while nothing happens nothing runs.
//!
//! The server is a process of its own, so that its threads and its memory can be looked at. Wake-ups are counted, not time.

use crate::support::Connection;
use crate::support::running::Running;

/// Bytes that one waiting connection may cost the server.
const MOST_BYTES: usize = 8 * 1024;
/// Pushes that are looked at one by one.
const PUSHES: usize = 50;

#[test]
fn ten_thousand_wait_for_one_key() {
    let server = Running::start(&[]);
    let mut control = Connection::tcp(server.address);
    let before = server.resident_bytes();
    let mut clients = wait(&server, &mut control, |_| "queue".to_owned());
    let count = clients.len();
    let bytes = server.resident_bytes().saturating_sub(before) / count;
    println!("{count} clients wait for one key: {bytes} bytes each");
    assert!(bytes < MOST_BYTES, "{bytes} bytes for each client that waits");
    server.rest(&mut control);
    // In the order in which they came, one for each push, and nobody else.
    for (number, client) in clients.iter_mut().enumerate().take(PUSHES) {
        let woken = server.wake_ups();
        assert_eq!(control.call(["RPUSH", "queue", &format!("element{number}")]).as_int(), Some(1));
        let answer = client.read();
        assert_eq!(answer.as_slice().and_then(|pair| pair[1].as_str()), Some(format!("element{number}").as_str()));
        assert_eq!(blocked(&mut control), count - number - 1);
        let woken = server.wake_ups() - woken;
        assert!(woken < 50, "one push and a question have made the server wake {woken} times");
    }
    assert!(
        clients.iter_mut().skip(PUSHES).all(|client| client.arrived().is_empty()),
        "only those who were served hear of it"
    );
    // They go, and with them all that was kept for them.
    drop(clients);
    while blocked(&mut control) > 0 {}
    assert_eq!(control.call(["RPUSH", "queue", "for nobody"]).as_int(), Some(1));
    assert_eq!(control.call(["LLEN", "queue"]).as_int(), Some(1));
}

#[test]
fn ten_thousand_wait_for_keys_of_their_own() {
    let server = Running::start(&[]);
    let mut control = Connection::tcp(server.address);
    let before = server.resident_bytes();
    let mut clients = wait(&server, &mut control, |number| format!("queue{number}"));
    let count = clients.len();
    let bytes = server.resident_bytes().saturating_sub(before) / count;
    println!("{count} clients wait for as many keys: {bytes} bytes each");
    assert!(bytes < MOST_BYTES, "{bytes} bytes for each client that waits");
    server.rest(&mut control);
    for number in (0..count).step_by(count / PUSHES) {
        let key = format!("queue{number}");
        assert_eq!(control.call(["LPUSH", &key, "element"]).as_int(), Some(1));
        let answer = clients[number].read();
        assert_eq!(answer.as_slice().and_then(|pair| pair[0].as_str()), Some(key.as_str()));
    }
    let others = clients.iter_mut().enumerate().filter(|(number, _)| number % (count / PUSHES) != 0);
    assert_eq!(
        others.filter_map(|(_, client)| (!client.arrived().is_empty()).then_some(())).count(),
        0,
        "nobody else hears of it"
    );
}

/// As many clients as there may be, each waiting for a key.
fn wait(server: &Running, control: &mut Connection, key: impl Fn(usize) -> String) -> Vec<Connection> {
    let count = server.most_clients(control);
    assert!(count > PUSHES, "the limit of open files leaves room for {count} clients");
    let mut clients = Vec::with_capacity(count);
    for number in 0..count {
        let mut client = Connection::tcp(server.address);
        let id = client.call(["CLIENT", "ID"]).as_int().expect("an id").to_string();
        client.send(["BLPOP", &key(number), "0"]);
        clients.push(client);
        // So that they stand in the order in which they are numbered.
        while !control.shows_blocked(&id) {}
    }
    assert_eq!(blocked(control), count);
    clients
}

/// How many clients wait.
fn blocked(control: &mut Connection) -> usize {
    let text = control.call(["INFO", "clients"]);
    let lines = text.as_str().expect("a text").lines();
    let mut values = lines.filter_map(|line| line.strip_prefix("blocked_clients:"));
    values.next().and_then(|value| value.parse().ok()).expect("a number")
}
