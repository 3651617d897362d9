//! Resplite as a library: several servers in one process, in-process clients, time by hand, a clean stop.

use crate::support::Connection;
use resplite::{Server, Value};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn ten_servers_share_nothing() {
    let servers: Vec<Server> = (0..10).map(|_| Server::builder().start().unwrap()).collect();
    for (number, server) in servers.iter().enumerate() {
        let mut client = server.client();
        client.call(["SET", "who", &number.to_string()]);
        assert!(client.call(["SELECT", "1"]).is_ok());
    }
    for (number, server) in servers.iter().enumerate() {
        let mut connection = Connection::tcp(server.address().unwrap());
        assert_eq!(connection.call(["GET", "who"]).as_int(), Some(number as i64));
        assert_eq!(connection.call(["DBSIZE"]).as_int(), Some(1));
    }
}

#[test]
fn in_process_clients_have_state_of_their_own() {
    let server = Server::builder().no_port().start().unwrap();
    let (mut one, mut other) = (server.client(), server.client());
    assert!(one.call(["SELECT", "3"]).is_ok());
    assert!(one.call(["MULTI"]).is_ok());
    assert_eq!(one.call(["SET", "k", "v"]).as_str(), Some("QUEUED"));
    assert!(other.call(["GET", "k"]).is_nil());
    assert_eq!(one.call(["EXEC"]), Value::Array(vec![Value::Simple("OK".into())]));
    assert_eq!(one.call(["GET", "k"]).as_str(), Some("v"));
    assert!(other.call(["GET", "k"]).is_nil());
    assert!(other.call(["NOSUCH"]).as_error().is_some());
    assert!(other.call(Vec::<&str>::new()).as_error().is_some());
    let replies = other.pipeline([vec!["INCR", "n"], vec!["INCR", "n"], vec!["GET", "n"]]);
    assert_eq!(replies.iter().map(|reply| reply.as_int()).collect::<Vec<_>>(), [Some(1), Some(2), Some(2)]);
}

#[test]
fn clients_work_from_many_threads_at_once() {
    let server = Server::builder().no_port().workers(2).start().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut client = server.client();
            scope.spawn(move || (0..2_000).for_each(|_| drop(client.call(["INCR", "n"]))));
        }
    });
    assert_eq!(server.client().call(["GET", "n"]).as_int(), Some(8_000));
}

#[test]
fn a_dropped_server_is_gone() {
    let server = Server::builder().workers(2).start().unwrap();
    let address = server.address().unwrap();
    let mut connection = Connection::tcp(address);
    assert_eq!(connection.call(["PING"]).as_str(), Some("PONG"));
    drop(server);
    assert_eq!(connection.try_read(), None);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_taken_port_is_an_error() {
    let server = Server::builder().start().unwrap();
    let port = server.address().unwrap().port();
    let error = Server::builder().port(port).start().err().expect("the port is taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn time_moves_only_by_hand() {
    let server = Server::builder().frozen_clock(Duration::from_secs(1_000)).start().unwrap();
    let mut connection = Connection::tcp(server.address().unwrap());
    assert!(connection.call(["SET", "k", "v", "PX", "10"]).is_ok());
    assert!(server.advance(Duration::from_millis(9)));
    assert_eq!(connection.call(["PTTL", "k"]).as_int(), Some(1));
    assert!(server.advance(Duration::from_millis(1)));
    assert_eq!(connection.call(["DBSIZE"]).as_int(), Some(0), "what was due is gone when advance returns");
    assert!(!Server::builder().no_port().start().unwrap().advance(Duration::from_secs(1)));
}

#[test]
fn the_real_clock_expires_by_itself() {
    let server = Server::builder().start().unwrap();
    let mut client = server.client();
    client.call(["SET", "k", "v", "PX", "1"]);
    // DBSIZE does not look at deadlines: it falls only when the key has been swept.
    while client.call(["DBSIZE"]).as_int() != Some(0) {
        std::thread::yield_now();
    }
}

#[test]
fn a_client_in_the_process_needs_no_login_after_reset_either() {
    let server = Server::builder().password("secret").start().unwrap();
    let mut client = server.client();
    assert_eq!(client.call(["RESET"]).as_str(), Some("RESET"));
    assert!(client.call(["SET", "k", "v"]).is_ok());
}
