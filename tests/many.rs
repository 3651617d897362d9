//! Many clients, and those that do not behave: slow, silent or gone. What they cost is measured, and others get answers
//! meanwhile.

use crate::support::certificates::Files;
use crate::support::running::Running;
use crate::support::socket::encode;
use crate::support::{Connection, builder};
use resplite::{Client, Server};
use rustls::ALL_VERSIONS;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Bytes that an idle connection may cost the server, whatever it has asked for before.
const IDLE_BYTES: usize = 4 * 1024;
/// As much for a connection by TLS, which keeps keys and a record's buffer.
const IDLE_TLS_BYTES: usize = 32 * 1024;

#[test]
fn ten_thousand_are_idle_and_then_ask_at_once() {
    let server = Running::start(&[]);
    let mut control = Connection::tcp(server.address);
    assert!(control.call(["SET", "k", &"v".repeat(1000)]).is_ok());
    let count = server.most_clients(&mut control);
    assert!(count > 100, "the limit of open files leaves room for {count} clients");
    let (before, files) = (server.resident_bytes(), server.open_files());
    let mut clients: Vec<Connection> = (0..count).map(|_| Connection::tcp(server.address)).collect();
    while connected(&mut control) < count + 1 {}
    let idle = server.resident_bytes().saturating_sub(before) / count;
    assert_eq!(server.open_files(), files + count, "a connection is one file");
    // All of them before any of them hears an answer, and one more who comes meanwhile.
    for client in &mut clients {
        client.send(["GET", "k"]);
    }
    assert_eq!(Connection::tcp(server.address).call(["STRLEN", "k"]).as_int(), Some(1000));
    for client in &mut clients {
        assert_eq!(client.read().as_bytes().map(<[u8]>::len), Some(1000));
    }
    let after = server.resident_bytes().saturating_sub(before) / count;
    println!("{count} clients: {idle} bytes each while idle, {after} after a command");
    assert!(idle < IDLE_BYTES && after < IDLE_BYTES, "{idle} bytes for an idle client, {after} after a command");
    server.rest(&mut control);
    // There is an end to them, and it is told.
    while connected(&mut control) != count + 1 {}
    assert!(control.call(["CONFIG", "SET", "maxclients", &(count + 1).to_string()]).is_ok());
    let refused = Connection::tcp(server.address).try_read();
    assert_eq!(refused.and_then(|value| value.as_error().map(str::to_owned)).as_deref(), Some(FULL));
    assert_eq!(clients[0].call(["STRLEN", "k"]).as_int(), Some(1000));
    drop(clients);
    while connected(&mut control) > 1 {}
    assert_eq!(server.open_files(), files);
}

const FULL: &str = "ERR max number of clients reached";

#[test]
fn a_thousand_are_idle_over_tls() {
    let files = Files::new();
    // A port that was free a moment ago, as 0 is none.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (cert, key) = (files.text("server.crt"), files.text("server.key"));
    let server = Running::start(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ]);
    let config = files.client(None, ALL_VERSIONS);
    let connect = || Connection::tls(server.address, config.clone()).expect("it shakes hands");
    let mut control = connect();
    let mut first = connect();
    let count = server.most_clients(&mut control).min(1000);
    let before = server.resident_bytes();
    let mut clients: Vec<Connection> = (0..count).map(|_| connect()).collect();
    while connected(&mut control) < count + 2 {}
    let idle = server.resident_bytes().saturating_sub(before) / count;
    for client in &mut clients {
        client.send(["PING"]);
    }
    assert_eq!(first.call(["PING"]).as_str(), Some("PONG"));
    for client in &mut clients {
        assert_eq!(client.read().as_str(), Some("PONG"));
    }
    let after = server.resident_bytes().saturating_sub(before) / count;
    println!("{count} clients by TLS: {idle} bytes each while idle, {after} after a command");
    assert!(idle < IDLE_TLS_BYTES && after < IDLE_TLS_BYTES, "{idle} bytes by TLS, {after} after a command");
    server.rest(&mut control);
}

/// How many clients are connected.
fn connected(control: &mut Connection) -> usize {
    let info = control.call(["INFO", "clients"]);
    number(info.as_str().expect("a text"), "connected_clients")
}

/// A number of INFO.
fn number(info: &str, name: &str) -> usize {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} in {info}"))
}

fn info(client: &mut Client, section: &str, name: &str) -> usize {
    let text = client.call(["INFO", section]);
    number(text.as_str().expect("a text"), name)
}

/// A server of one thread, so that whoever keeps it keeps it from all, and a client that always gets its answer.
struct Witness {
    server: Server,
    other: Connection,
    asked: i64,
}

impl Witness {
    fn new() -> Self {
        let server = builder().workers(1).start().unwrap();
        let other = Connection::tcp(server.address().unwrap());
        Witness { server, other, asked: 0 }
    }

    fn address(&self) -> SocketAddr {
        self.server.address().unwrap()
    }

    fn connect(&self) -> Connection {
        Connection::tcp(self.address())
    }

    #[track_caller]
    fn gets_an_answer(&mut self) {
        self.asked += 1;
        assert_eq!(self.other.call(["INCR", "asked"]).as_int(), Some(self.asked));
    }
}

#[test]
fn those_who_never_read_are_waited_for_or_cut_off() {
    const MEGABYTE: usize = 1 << 20;
    let mut witness = Witness::new();
    let mut client = witness.server.client();
    assert!(client.call([b"SET".as_slice(), b"big", &vec![b'x'; 16 * MEGABYTE]]).is_ok());
    // Without a limit they are waited for, and what they asked for is there when they read at last.
    let mut slow: Vec<Connection> = (0..20).map(|_| witness.connect()).collect();
    for connection in &mut slow {
        connection.send(["GET", "big"]);
        connection.send(["PING"]);
        witness.gets_an_answer();
    }
    let waiting = |client: &mut Client| {
        let list = client.call(["CLIENT", "LIST"]);
        let list = list.as_str().unwrap().to_owned();
        list.lines().filter(|line| line.contains(" cmd=ping ") && !line.contains(" omem=0 ")).count()
    };
    while waiting(&mut client) < slow.len() {}
    witness.gets_an_answer();
    let mut patient = slow.split_off(10);
    for connection in &mut patient {
        assert_eq!(connection.read().as_bytes().map(<[u8]>::len), Some(16 * MEGABYTE));
        assert_eq!(connection.read().as_str(), Some("PONG"));
        witness.gets_an_answer();
    }
    // Under a limit their next word is their last.
    assert!(client.call(["CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"]).is_ok());
    for connection in &mut slow {
        let _ = connection.try_send_raw(b"PING\r\n");
    }
    while info(&mut client, "stats", "client_output_buffer_limit_disconnections") < slow.len() {
        witness.gets_an_answer();
    }
    for connection in &mut slow {
        assert!(connection.read_to_end().len() < 16 * MEGABYTE, "they get what was under way, and then the end");
    }
    // A soft limit lets them be for its seconds.
    assert!(client.call(["CONFIG", "SET", "client-output-buffer-limit", "normal 0 1mb 10"]).is_ok());
    let mut connection = witness.connect();
    connection.send(["GET", "big"]);
    connection.send(["PING"]);
    while waiting(&mut client) < 1 {}
    witness.server.advance(Duration::from_secs(9));
    connection.send(["ECHO", "still here"]);
    witness.gets_an_answer();
    let told = |client: &mut Client| client.call(["CLIENT", "LIST"]).as_str().unwrap().contains(" cmd=echo ");
    while !told(&mut client) {}
    witness.server.advance(Duration::from_millis(1001));
    let _ = connection.try_send_raw(b"PING\r\n");
    while info(&mut client, "stats", "client_output_buffer_limit_disconnections") < slow.len() + 1 {
        witness.gets_an_answer();
    }
}

#[test]
fn a_subscriber_that_never_reads_is_cut_off() {
    let mut witness = Witness::new();
    let mut client = witness.server.client();
    assert!(client.call(["CONFIG", "SET", "client-output-buffer-limit", "pubsub 4mb 0 0"]).is_ok());
    let (mut deaf, mut listener) = (witness.connect(), witness.connect());
    for connection in [&mut deaf, &mut listener] {
        connection.call(["SUBSCRIBE", "news"]);
    }
    let message = "m".repeat(1 << 18);
    let mut sent = 0;
    while client.call(["PUBLISH", "news", &message]).as_int() == Some(2) {
        sent += 1;
        assert_eq!(listener.read().as_slice().and_then(|push| push[2].as_bytes()), Some(message.as_bytes()));
        witness.gets_an_answer();
        assert!(sent < 1000, "{sent} messages of 256 KB wait for one client");
    }
    assert!(deaf.read_to_end().len() < (sent + 1) * (message.len() + 100));
    assert_eq!(info(&mut client, "stats", "client_output_buffer_limit_disconnections"), 1);
}

#[test]
fn those_who_send_byte_by_byte_are_heard_and_keep_nobody() {
    let mut witness = Witness::new();
    let mut slow: Vec<Connection> = (0..100).map(|_| witness.connect()).collect();
    let request = [encode(["SET", "k", "value"]), b"GET k\r\n".to_vec()].concat();
    for byte in &request {
        for connection in &mut slow {
            connection.send_raw(&[*byte]);
        }
        witness.gets_an_answer();
    }
    for connection in &mut slow {
        assert!(connection.read().is_ok());
        assert_eq!(connection.read().as_str(), Some("value"));
    }
    witness.gets_an_answer();
}

#[test]
fn those_who_announce_much_and_send_little_cost_little() {
    let server = Running::start(&[]);
    let mut control = Connection::tcp(server.address);
    let before = server.resident_bytes();
    let mut announced: Vec<Connection> = (0..200).map(|_| Connection::tcp(server.address)).collect();
    for (number, connection) in announced.iter_mut().enumerate() {
        connection.send_raw([&b"*2\r\n$4\r\nECHO\r\n$536870912\r\nx"[..], b"*1048576\r\n$1\r\nx"][number % 2]);
    }
    // They have been read when they are seen in the list with what they have sent.
    let heard = |control: &mut Connection| {
        let list = control.call(["CLIENT", "LIST"]);
        let list = String::from_utf8_lossy(list.as_bytes().expect("a list")).into_owned();
        list.lines().filter(|line| line.contains(" cmd=NULL ") && !line.contains(" qbuf=0 ")).count()
    };
    while heard(&mut control) < announced.len() {}
    let bytes = server.resident_bytes().saturating_sub(before) / announced.len();
    println!("a client that announces half a gigabyte: {bytes} bytes");
    // They would come to 100 GB.
    assert!(bytes < 256 * 1024, "{bytes} bytes for a client that has announced much");
    assert_eq!(control.call(["PING"]).as_str(), Some("PONG"));
}

#[test]
fn peers_that_have_vanished_are_asked_for_and_end_by_their_timeout() {
    let mut witness = Witness::new();
    let mut client = witness.server.client();
    let address = witness.address();
    // What a peer that loses its power leaves: a connection without an end, within a request or before the first.
    let mut vanished = Vec::new();
    for half in [&b""[..], b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nval", b"MULTI\r\nSET k v\r\n"] {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(half).unwrap();
        vanished.push(socket);
    }
    let mut silent = vanished.iter().map(|socket| socket.local_addr().unwrap().port());
    let mut probes = |seconds: u64| {
        let port = silent.next().expect("one of them");
        let timer = keepalive_timer(address.port(), port);
        assert!(timer.is_some_and(|left| left <= seconds), "probes within {seconds} seconds: {timer:?}");
    };
    while info(&mut client, "clients", "connected_clients") < vanished.len() + 1 {
        witness.gets_an_answer();
    }
    // The system asks after them, and ends what nobody answers for.
    (0..3).for_each(|_| probes(300));
    assert!(client.call(["CONFIG", "SET", "tcp-keepalive", "60"]).is_ok());
    let mut asked_sooner = witness.connect();
    asked_sooner.call(["CLIENT", "SETNAME", "sooner"]);
    assert!(keepalive_timer(address.port(), port_of(&mut asked_sooner)).is_some_and(|left| left <= 60));
    assert!(client.call(["CONFIG", "SET", "tcp-keepalive", "0"]).is_ok());
    let mut never = witness.connect();
    never.call(["PING"]);
    assert_eq!(keepalive_timer(address.port(), port_of(&mut never)), None);
    // And so does the server, where it is told to.
    witness.server.advance(Duration::from_secs(60));
    witness.gets_an_answer();
    for connection in [&mut asked_sooner, &mut never] {
        assert_eq!(connection.call(["PING"]).as_str(), Some("PONG"));
    }
    assert!(client.call(["CONFIG", "SET", "timeout", "30"]).is_ok());
    while info(&mut client, "clients", "connected_clients") > 3 {
        witness.gets_an_answer();
    }
    assert!(client.call(["GET", "k"]).is_nil(), "half a request is none");
}

/// The port of a client's own end.
fn port_of(connection: &mut Connection) -> u16 {
    let line = connection.call(["CLIENT", "INFO"]);
    let line = String::from_utf8_lossy(line.as_bytes().expect("a line")).into_owned();
    let port = line.split(' ').find_map(|field| field.strip_prefix("addr=")?.rsplit_once(':')?.1.parse().ok());
    port.expect("an address")
}

/// Seconds until the system asks for the peer of a connection, as seen from `here`; `None` if it never does.
fn keepalive_timer(here: u16, there: u16) -> Option<u64> {
    // Units of the kernel's interface, whatever its clock.
    const TICKS: u64 = 100;
    const KEEPALIVE: &str = "02";
    const RESENDS: &str = "01";
    let ends = (format!(":{here:04X}"), format!(":{there:04X}"));
    loop {
        let table = fs::read_to_string("/proc/net/tcp").expect("the table of connections");
        let connection = table.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            (fields.get(1)?.ends_with(&ends.0) && fields.get(2)?.ends_with(&ends.1)).then(|| fields[5].to_owned())
        });
        let (kind, left) =
            connection.as_deref().and_then(|timer| timer.split_once(':')).expect("the connection is there");
        // Until this end has confirmed the last answer, that is what the system waits for.
        if kind != RESENDS {
            return (kind == KEEPALIVE).then(|| u64::from_str_radix(left, 16).expect("a number") / TICKS);
        }
    }
}
