//! The protocol and the connection family over real sockets.

use crate::support::socket::encode;
use crate::support::{Connection, builder, check, other_address, server};
use resplite::Value;
use resplite_resp::reply::Protocol;
use std::os::unix::fs::PermissionsExt;

#[test]
fn small_talk() {
    check(
        r#"
        > PING
        PONG
        > PING hello
        "hello"
        > PING a b
        (error) ERR wrong number of arguments for 'ping' command
        > ECHO hi
        "hi"
        > NOSUCH
        (error) ERR unknown command 'NOSUCH', with args beginning with: 
        > RESET
        RESET
    "#,
    );
}

#[test]
fn inline_commands_and_pipelines() {
    let server = server();
    let mut connection = Connection::tcp(server.address().unwrap());
    connection.send_raw(b"\r\nPING\r\nSET k \"a \\x41\"\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*0\r\nECHO 'x y'\n");
    assert_eq!(connection.read().as_str(), Some("PONG"));
    assert!(connection.read().is_ok());
    assert_eq!(connection.read().as_str(), Some("a A"));
    assert_eq!(connection.read().as_str(), Some("x y"));
}

#[test]
fn a_command_may_come_in_any_pieces() {
    let server = server();
    let mut connection = Connection::tcp(server.address().unwrap());
    let bytes = [encode(["SET", "k", "some value"]), encode(["GET", "k"]), b"PING\r\n".to_vec()].concat();
    for byte in &bytes {
        connection.send_raw(&[*byte]);
    }
    assert!(connection.read().is_ok());
    assert_eq!(connection.read().as_str(), Some("some value"));
    assert_eq!(connection.read().as_str(), Some("PONG"));
}

#[test]
fn ten_thousand_commands_in_one_write() {
    let server = server();
    let mut connection = Connection::tcp(server.address().unwrap());
    let many: Vec<u8> = (0..10_000).flat_map(|_| encode(["INCR", "n"])).collect();
    connection.send_raw(&many);
    for number in 1..=10_000 {
        assert_eq!(connection.read().as_int(), Some(number));
    }
}

#[test]
fn large_values_go_in_and_come_out() {
    let server = server();
    let mut connection = Connection::tcp(server.address().unwrap());
    let value: Vec<u8> = (0..32 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert!(connection.call([b"SET".as_slice(), b"big", &value]).is_ok());
    assert_eq!(connection.call(["STRLEN", "big"]).as_int(), Some(value.len() as i64));
    // More output than the socket takes at once, asked for again before any of it is read.
    connection.send(["GET", "big"]);
    connection.send(["GETRANGE", "big", "0", "9"]);
    assert_eq!(connection.read().as_bytes(), Some(&value[..]));
    assert_eq!(connection.read().as_bytes(), Some(&value[..10]));
}

#[test]
fn a_client_that_reads_only_after_it_has_sent_everything() {
    let server = server();
    let mut connection = Connection::tcp(server.address().unwrap());
    connection.call([b"SET".as_slice(), b"k", &[b'x'; 10_000]]);
    let many: Vec<u8> = (0..5_000).flat_map(|_| encode(["GET", "k"])).collect();
    connection.send_raw(&many);
    for _ in 0..5_000 {
        assert_eq!(connection.read().as_bytes().map(<[u8]>::len), Some(10_000));
    }
}

#[test]
fn a_protocol_error_answers_what_came_before_it_and_closes() {
    for (bytes, error) in [
        (&b"*x\r\n"[..], "ERR Protocol error: invalid multibulk length"),
        (b"*1\r\n:1\r\n", "ERR Protocol error: expected '$', got ':'"),
        (b"*1\r\n$-5\r\n", "ERR Protocol error: invalid bulk length"),
        (b"GET \"open\r\n", "ERR Protocol error: unbalanced quotes in request"),
    ] {
        let server = server();
        let mut connection = Connection::tcp(server.address().unwrap());
        connection.send_raw(&[b"PING\r\n", bytes, b"PING\r\n"].concat());
        assert_eq!(connection.read().as_str(), Some("PONG"));
        assert_eq!(connection.read().as_error(), Some(error));
        assert_eq!(connection.try_read(), None);
    }
}

#[test]
fn passwords() {
    let server = builder().password("secret").start().unwrap();
    let connect = || Connection::tcp(server.address().unwrap());
    let mut connection = connect();
    assert_eq!(connection.call(["GET", "k"]).as_error(), Some("NOAUTH Authentication required."));
    assert_eq!(
        connection.call(["AUTH", "wrong"]).as_error(),
        Some("WRONGPASS invalid username-password pair or user is disabled.")
    );
    assert_eq!(
        connection.call(["AUTH", "nobody", "secret"]).as_error(),
        Some("WRONGPASS invalid username-password pair or user is disabled.")
    );
    assert!(connection.call(["HELLO", "3"]).as_error().is_some_and(|error| error.starts_with("NOAUTH HELLO must")));
    assert!(connection.call(["AUTH", "secret"]).is_ok());
    assert!(connection.call(["GET", "k"]).is_nil());
    // In one write: what follows a login is decoded under the limits of those who are logged in.
    let mut connection = connect();
    let many: Vec<String> = ["MSET".to_owned()].into_iter().chain((0..40).map(|n| n.to_string())).collect();
    connection.send_raw(&[encode(["AUTH", "default", "secret"]), encode(many)].concat());
    assert!(connection.read().is_ok());
    assert!(connection.read().is_ok());
    // Strangers may not send much.
    let mut connection = connect();
    connection.send_raw(b"*11\r\n");
    assert_eq!(connection.read().as_error(), Some("ERR Protocol error: unauthenticated multibulk length"));
    assert_eq!(connection.try_read(), None);
    let mut connection = connect();
    connection.send_raw(b"*1\r\n$20000\r\n");
    assert_eq!(connection.read().as_error(), Some("ERR Protocol error: unauthenticated bulk length"));
}

#[test]
fn auth_without_a_password() {
    check(
        r#"
        > AUTH x
        (error) ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
        > AUTH default anything
        OK
        > AUTH nobody x
        (error) WRONGPASS invalid username-password pair or user is disabled.
        > AUTH a b c
        (error) ERR syntax error
    "#,
    );
}

#[test]
fn hello_chooses_the_protocol() {
    let server = server();
    let mut connection = Connection::tcp(server.address().unwrap());
    let fields = connection.call(["HELLO"]).into_pairs();
    assert_eq!(fields[0], (Value::from("server"), Value::from("redis")));
    assert_eq!(fields[2].1.as_int(), Some(2));
    assert_eq!(connection.call(["HELLO", "4"]).as_error(), Some("NOPROTO unsupported protocol version"));
    assert_eq!(
        connection.call(["HELLO", "x"]).as_error(),
        Some("ERR Protocol version is not an integer or out of range")
    );
    assert_eq!(
        connection.call(["HELLO", "3", "SETNAME", "a b"]).as_error(),
        Some("ERR Client names cannot contain spaces, newlines or special characters.")
    );
    assert_eq!(connection.call(["HELLO", "3", "NOPE"]).as_error(), Some("ERR Syntax error in HELLO option 'NOPE'"));
    connection.protocol = Protocol::Resp3;
    let reply = connection.call(["HELLO", "3", "AUTH", "default", "any", "SETNAME", "me"]);
    assert!(matches!(reply, Value::Map(_)), "{reply:?}");
    connection.send(["GET", "missing"]);
    assert_eq!(connection.read_raw(), b"_\r\n");
    assert!(matches!(connection.call(["RESET"]), Value::Simple(_)));
    connection.send(["GET", "missing"]);
    assert_eq!(connection.read_raw(), b"$-1\r\n");
}

#[test]
fn quit_closes_after_its_answer() {
    let server = server();
    let mut connection = Connection::tcp(server.address().unwrap());
    connection.send_raw(b"PING\r\nQUIT\r\nPING\r\n");
    assert_eq!(connection.read().as_str(), Some("PONG"));
    assert!(connection.read().is_ok());
    assert_eq!(connection.try_read(), None);
}

#[test]
fn a_unix_socket_works_like_a_port() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("resplite.sock");
    let server = builder().no_port().unix_socket(path.to_str().unwrap()).start().unwrap();
    let mut connection = Connection::unix(&path).unwrap();
    assert_eq!(connection.call(["PING"]).as_str(), Some("PONG"));
    assert_eq!(server.address(), None);
    drop(server);
    assert!(!path.exists(), "the socket's file goes with its server");
}

#[test]
fn a_unix_socket_is_for_those_whom_its_permissions_let_in() {
    let directory = tempfile::tempdir().unwrap();
    for mode in [0o700, 0o770, 0o777, 0o600] {
        let path = directory.path().join("resplite.sock");
        let builder = builder().no_port().unix_socket(path.to_str().unwrap());
        let server = builder.setting("unixsocketperm", &format!("{mode:o}")).unwrap().start().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        let mut connection = Connection::unix(&path).unwrap();
        assert_eq!(connection.call(["CONFIG", "GET", "unixsocketperm"]).into_pairs().len(), 1);
        drop(server);
        assert!(!path.exists());
    }
}

#[test]
fn the_file_of_a_unix_socket_belongs_to_the_server_that_made_it_last() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("resplite.sock");
    let start = || builder().no_port().unix_socket(path.to_str().unwrap()).start();
    let first = start().unwrap();
    let second = start().unwrap();
    drop(first);
    assert_eq!(Connection::unix(&path).unwrap().call(["PING"]).as_str(), Some("PONG"));
    drop(second);
    assert!(!path.exists());
    // A file that is no socket is somebody's.
    std::fs::write(&path, "a letter").unwrap();
    let error = start().err().expect("the place is taken").to_string();
    assert!(error.contains("resplite.sock"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a letter");
}

#[test]
fn protected_mode_is_for_other_machines_while_there_is_no_password() {
    let Some(ip) = other_address() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("resplite.sock");
    let server = builder().bind("0.0.0.0").unix_socket(path.to_str().unwrap()).start().unwrap();
    let port = server.address().unwrap().port();
    let here = || Connection::tcp(([127, 0, 0, 1], port).into());
    let there = || Connection::tcp((ip, port).into());
    let refused = there().read_to_end();
    assert!(refused.starts_with(b"-DENIED ") && refused.ends_with(b"\r\n"), "{refused:?}");
    assert_eq!(here().call(["PING"]).as_str(), Some("PONG"));
    assert_eq!(Connection::unix(&path).unwrap().call(["PING"]).as_str(), Some("PONG"));
    let info = here().call(["INFO", "stats"]);
    assert!(info.as_str().unwrap().contains("rejected_connections:1\r\n"), "{info:?}");
    // A password is protection enough, whether it is asked for here or there.
    assert!(here().call(["CONFIG", "SET", "requirepass", "secret"]).is_ok());
    assert_eq!(there().call(["PING"]).as_error(), Some("NOAUTH Authentication required."));
    let mut client = here();
    assert!(client.call(["AUTH", "secret"]).is_ok());
    assert!(client.call(["CONFIG", "SET", "requirepass", "", "protected-mode", "no"]).is_ok());
    assert_eq!(there().call(["PING"]).as_str(), Some("PONG"));
}

#[test]
fn queued_commands_count_against_the_query_buffer_limit() {
    let server = builder().setting("client-query-buffer-limit", "1mb").unwrap().start().unwrap();
    let mut connection = Connection::tcp(server.address().unwrap());
    connection.call(["MULTI"]);
    let value = [b'x'; 100_000];
    let mut queued = 0;
    connection.send(["SET", "small", "1"]);
    while connection.try_read().is_some() {
        queued += 1;
        let _ = connection.try_send_raw(&encode([b"SET".as_slice(), b"k", &value]));
    }
    assert!((8..=11).contains(&queued), "{queued} commands were queued");
    // Short ones count with their book-keeping.
    let mut connection = Connection::tcp(server.address().unwrap());
    connection.call(["MULTI"]);
    let many: Vec<u8> = (0..20_000).flat_map(|_| encode(["PING"])).collect();
    let _ = connection.try_send_raw(&many);
    assert!(connection.read_to_end().len() < 20_000 * "+QUEUED\r\n".len());
}

#[test]
fn replies_of_a_closed_connection_reach_nobody_else() {
    let server = builder().setting("client-query-buffer-limit", "1mb").unwrap().start().unwrap();
    let mut greedy = Connection::tcp(server.address().unwrap());
    greedy.call(["MULTI"]);
    // The batch that goes over the limit has been answered into the worker's buffer when the connection ends.
    let many: Vec<u8> = (0..20_000).flat_map(|_| encode(["PING"])).collect();
    let _ = greedy.try_send_raw(&many);
    greedy.read_to_end();
    assert_eq!(Connection::tcp(server.address().unwrap()).call(["PING"]).as_str(), Some("PONG"));
}

#[test]
fn the_output_limit_holds_inside_a_pipeline() {
    let server = builder().setting("client-output-buffer-limit", "normal 1mb 0 0").unwrap().start().unwrap();
    let mut connection = Connection::tcp(server.address().unwrap());
    connection.call([b"SET".as_slice(), b"k", &[b'x'; 100_000]]);
    let mut pipeline: Vec<u8> = (0..20).flat_map(|_| encode(["GET", "k"])).collect();
    pipeline.extend(encode(["SET", "behind", "1"]));
    connection.send_raw(&pipeline);
    assert!(connection.read_to_end().len() < 20 * 100_000);
    let mut other = Connection::tcp(server.address().unwrap());
    assert!(other.call(["GET", "behind"]).is_nil(), "the pipeline went on behind the limit");
    assert_eq!(other.call(["GET", "k"]).as_bytes().map(<[u8]>::len), Some(100_000));
}

#[test]
fn a_client_that_does_not_read_is_dropped_once_it_is_over_the_soft_limit() {
    // On the real clock: the limit is one second, and nothing happens on the connection in the meantime.
    let server =
        resplite::Server::builder().setting("client-output-buffer-limit", "normal 0 1mb 1").unwrap().start().unwrap();
    let mut deaf = Connection::tcp(server.address().unwrap());
    deaf.call([b"SET".as_slice(), b"k", &vec![b'x'; 8 << 20]]);
    for _ in 0..8 {
        deaf.send(["GET", "k"]);
    }
    let mut client = server.client();
    while client.call(["INFO", "clients"]).as_str().unwrap().contains("connected_clients:1\r") {
        std::thread::yield_now();
    }
    assert!(client.call(["INFO", "stats"]).as_str().unwrap().contains("client_output_buffer_limit_disconnections:1\r"));
}

#[test]
fn a_browser_that_was_made_to_send_commands_is_cut_off() {
    let server = server();
    for line in ["POST / HTTP/1.1", "Host: 127.0.0.1"] {
        let mut connection = Connection::tcp(server.address().unwrap());
        connection.send_raw(format!("PING\r\n{line}\r\nSET attacked yes\r\n").as_bytes());
        assert_eq!(connection.read_to_end(), b"+PONG\r\n");
    }
    assert!(server.client().call(["GET", "attacked"]).is_nil());
}

#[test]
fn no_more_clients_than_allowed_are_let_in() {
    let server = builder().workers(2).setting("maxclients", "5").unwrap().start().unwrap();
    let mut connections: Vec<Connection> = (0..20).map(|_| Connection::tcp(server.address().unwrap())).collect();
    let served = connections.iter_mut().filter_map(|connection| {
        connection.send_raw(b"PING\r\n");
        connection.try_read()
    });
    assert_eq!(served.filter(|reply| reply.as_str() == Some("PONG")).count(), 5);
}
