//! TLS: who is let in by which certificate, what a connection can do, and who stands at the door without coming in.

use crate::support::certificates::{Authority, Files, Pair};
use crate::support::socket::encode;
use crate::support::{Connection, builder, other_address};
use resplite::Server;
use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, ClientConfig, ClientConnection, HandshakeKind};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

fn connect(server: &Server, config: &Arc<ClientConfig>) -> Connection {
    Connection::tls(server.tls_address().unwrap(), config.clone()).expect("a client with the right certificate")
}

fn is_let_in(server: &Server, config: &Arc<ClientConfig>) -> bool {
    // With TLS 1.3 a client learns only from the first answer that it was not.
    Connection::tls(server.tls_address().unwrap(), config.clone()).is_ok_and(|mut connection| {
        let _ = connection.try_send_raw(b"PING\r\n");
        connection.try_answer().is_some_and(|answer| answer.as_str() == Some("PONG"))
    })
}

#[test]
fn a_connection_can_do_all_that_one_without_tls_can() {
    let files = Files::new();
    let server = files.builder("no").start().unwrap();
    for version in [&TLS12, &TLS13] {
        let config = files.client(None, &[version]);
        let mut connection = connect(&server, &config);
        assert!(connection.call(["FLUSHALL"]).is_ok());
        assert_eq!(connection.call(["PING"]).as_str(), Some("PONG"));
        // In pieces, each in a record of its own.
        for byte in encode(["SET", "k", "some value"]) {
            connection.send_raw(&[byte]);
        }
        assert!(connection.read().is_ok());
        assert_eq!(connection.call(["GET", "k"]).as_str(), Some("some value"));
        // Many at once.
        let many: Vec<u8> = (0..10_000).flat_map(|_| encode(["INCR", "n"])).collect();
        connection.send_raw(&many);
        for number in 1..=10_000 {
            assert_eq!(connection.read().as_int(), Some(number));
        }
        // More than sockets and records hold.
        let value: Vec<u8> = (0..16 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert!(connection.call([b"SET".as_slice(), b"big", &value]).is_ok());
        connection.send(["GET", "big"]);
        connection.send(["GETRANGE", "big", "0", "9"]);
        assert!(connection.read().as_bytes() == Some(&value[..]));
        assert_eq!(connection.read().as_bytes(), Some(&value[..10]));
        // Everything is sent before anything is read.
        connection.call([b"SET".as_slice(), b"k", &[b'x'; 10_000]]);
        let many: Vec<u8> = (0..3_000).flat_map(|_| encode(["GET", "k"])).collect();
        connection.send_raw(&many);
        for _ in 0..3_000 {
            assert_eq!(connection.read().as_bytes().map(<[u8]>::len), Some(10_000));
        }
        let mut waiter = connect(&server, &config).hello3();
        waiter.send(["BLPOP", "queue", "0"]);
        assert_eq!(connection.call(["RPUSH", "queue", "element"]).as_int(), Some(1));
        assert_eq!(waiter.read().as_slice().and_then(|pair| pair[1].as_str()), Some("element"));
        waiter.call(["SUBSCRIBE", "news"]);
        assert_eq!(connection.call(["PUBLISH", "news", "hello"]).as_int(), Some(1));
        assert_eq!(waiter.read().as_slice().and_then(|push| push[2].as_str()), Some("hello"));
        // Who is sent away hears the last word.
        assert!(connection.call(["QUIT"]).is_ok());
        assert_eq!(connection.try_read(), None);
        assert!(connect(&server, &config).call(["CLIENT", "KILL", "TYPE", "pubsub"]).as_int() == Some(1));
        assert_eq!(waiter.try_read(), None);
    }
}

#[test]
fn certificates_of_clients() {
    let files = Files::new();
    let (good, strange) = (files.authority.sign(), Authority::new("strangers").sign());
    for versions in [&[&TLS12], &[&TLS13]] {
        let client = |pair: Option<&Pair>| files.client(pair, versions);
        for (auth, without, with_good, with_strange) in
            [("yes", false, true, false), ("optional", true, true, false), ("no", true, true, true)]
        {
            let server = files.builder(auth).start().unwrap();
            let given = [None, Some(&good), Some(&strange)].map(|pair| is_let_in(&server, &client(pair)));
            assert_eq!(given, [without, with_good, with_strange], "tls-auth-clients {auth}");
        }
    }
}

#[test]
fn authorities_may_lie_in_a_directory() {
    let files = Files::new();
    let other = Authority::new("other");
    let (one, two) = (files.authority.sign(), other.sign());
    std::fs::create_dir(files.path("authorities")).unwrap();
    files.write("authorities/other.pem", &other.cert);
    files.write("authorities/README", "no certificate");
    let server = files.builder("yes").setting("tls-ca-cert-dir", &files.text("authorities")).unwrap().start().unwrap();
    assert!(is_let_in(&server, &files.client(Some(&one), ALL_VERSIONS)));
    assert!(is_let_in(&server, &files.client(Some(&two), ALL_VERSIONS)));
    assert!(!is_let_in(&server, &files.client(Some(&Authority::new("third").sign()), ALL_VERSIONS)));
}

#[test]
fn certificates_end_by_the_clock_of_the_server() {
    let files = Files::new();
    let server = files.builder("yes").start().unwrap();
    let config = files.client(Some(&files.authority.sign_until(2023)), ALL_VERSIONS);
    let mut before = connect(&server, &config);
    assert!(is_let_in(&server, &config));
    server.advance(Duration::from_secs(100 * 24 * 3600));
    assert!(!is_let_in(&server, &config));
    assert_eq!(before.call(["PING"]).as_str(), Some("PONG"), "who is in stays");
}

#[test]
fn config_set_reads_certificates_again_for_those_who_come() {
    let files = Files::new();
    let server = files.builder("no").start().unwrap();
    let mut client = server.client();
    let shown = |server: &Server| {
        let (session, _) = handshake(server, &files.client(None, ALL_VERSIONS)).unwrap();
        session.peer_certificates().unwrap()[0].to_vec()
    };
    let (mut old, first) = (connect(&server, &files.client(None, ALL_VERSIONS)), shown(&server));
    files.renew("server");
    assert_eq!(shown(&server), first, "nobody has said that there is another one");
    // The name is the same, what is in the file is not. The two files belong together, so both are told of at once.
    let (cert, key) = (files.text("server.crt"), files.text("server.key"));
    assert!(client.call(["CONFIG", "SET", "tls-cert-file", &cert, "tls-key-file", &key]).is_ok());
    let second = shown(&server);
    assert_ne!(second, first);
    files.renew("other");
    let refused = client.call(["CONFIG", "SET", "timeout", "9", "tls-key-file", &files.text("other.key")]);
    assert_eq!(
        refused.as_error(),
        Some(
            "ERR CONFIG SET failed (possibly related to argument 'tls-key-file') - Unable to update TLS configuration. \
             Check server logs."
        )
    );
    assert_eq!(shown(&server), second);
    assert_eq!(client.call(["CONFIG", "GET", "tls-key-file"]).as_slice().unwrap()[1].as_str(), Some(&*key));
    assert_eq!(client.call(["CONFIG", "GET", "timeout"]).as_slice().unwrap()[1].as_str(), Some("0"));
    let pair = ["tls-cert-file", &files.text("other.crt"), "tls-key-file", &files.text("other.key")].map(str::to_owned);
    assert!(client.call(["CONFIG".to_owned(), "SET".to_owned()].into_iter().chain(pair)).is_ok());
    assert!(![first, second].contains(&shown(&server)));
    assert!(client.call(["CONFIG", "SET", "tls-auth-clients", "yes"]).is_ok());
    assert!(!is_let_in(&server, &files.client(None, ALL_VERSIONS)));
    assert_eq!(old.call(["PING"]).as_str(), Some("PONG"), "who is in stays");
}

#[test]
fn protocols_and_ciphers_are_those_that_the_settings_name() {
    let files = Files::new();
    let server = files.builder("no").setting("tls-protocols", "TLSv1.2").unwrap();
    let server = server.setting("tls-ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305").unwrap().start().unwrap();
    let (session, _) = handshake(&server, &files.client(None, ALL_VERSIONS)).unwrap();
    let suite = session.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    assert!(!is_let_in(&server, &files.client(None, &[&TLS13])));
    assert!(server.client().call(["CONFIG", "SET", "tls-protocols", "TLSv1.3"]).is_ok());
    assert!(server.client().call(["CONFIG", "SET", "tls-ciphersuites", "TLS_AES_128_GCM_SHA256"]).is_ok());
    assert!(!is_let_in(&server, &files.client(None, &[&TLS12])));
    let (session, _) = handshake(&server, &files.client(None, ALL_VERSIONS)).unwrap();
    let suite = session.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    let mut client = server.client();
    for (name, value) in [
        ("tls-protocols", "TLSv1.1"),
        ("tls-protocols", "nonsense"),
        ("tls-ciphers", "AES128-SHA"),
        ("tls-ciphersuites", "TLS_AES_128_CCM_SHA256"),
        ("tls-cert-file", ""),
    ] {
        let refused = client.call(["CONFIG", "SET", name, value]);
        assert!(refused.as_error().is_some_and(|error| error.contains("Unable to update TLS")), "{name}: {refused:?}");
    }
}

#[test]
fn earlier_sessions_are_taken_up_unless_they_are_old() {
    let files = Files::new();
    let server = files.builder("no").start().unwrap();
    for version in [&TLS12, &TLS13] {
        let config = files.client(None, &[version]);
        let kind = || handshake(&server, &config).unwrap().0.handshake_kind();
        assert_eq!(kind(), Some(HandshakeKind::Full));
        assert_eq!(kind(), Some(HandshakeKind::Resumed));
        server.advance(Duration::from_secs(300));
        assert_eq!(kind(), Some(HandshakeKind::Full));
        assert!(server.client().call(["CONFIG", "SET", "tls-session-caching", "no"]).is_ok());
        assert_eq!(kind(), Some(HandshakeKind::Full));
        assert_eq!(kind(), Some(HandshakeKind::Full));
        assert!(server.client().call(["CONFIG", "SET", "tls-session-caching", "yes"]).is_ok());
    }
}

/// A handshake and an answer, so that all that the server has to say of the session has come.
fn handshake(server: &Server, config: &Arc<ClientConfig>) -> io::Result<(ClientConnection, TcpStream)> {
    let address = server.tls_address().unwrap();
    let mut socket = TcpStream::connect(address)?;
    let mut session = ClientConnection::new(config.clone(), address.ip().into()).map_err(io::Error::other)?;
    let mut answer = [0; 7];
    let mut stream = rustls::Stream::new(&mut session, &mut socket);
    stream.write_all(b"PING\r\n")?;
    stream.read_exact(&mut answer)?;
    assert_eq!(&answer, b"+PONG\r\n");
    Ok((session, socket))
}

#[test]
fn what_cannot_be_is_told_at_the_start() {
    let files = Files::new();
    files.renew("other");
    files.write("empty", "");
    files.write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let with = |changes: &[(&str, &str)]| {
        let mut builder = files.builder("yes");
        for (name, value) in changes {
            let value = if value.contains(['.', '/']) { files.text(value) } else { (*value).to_owned() };
            builder = builder.setting(name, &value).unwrap();
        }
        builder.start().err().map(|error| error.to_string())
    };
    assert_eq!(with(&[]), None);
    for (changes, reason) in [
        (&[("tls-cert-file", "")][..], "No tls-cert-file configured!"),
        (&[("tls-key-file", "")], "No tls-key-file configured!"),
        (&[("tls-ca-cert-file", "")], "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when"),
        (&[("tls-cert-file", "none.crt")], "Failed to load certificate: "),
        (&[("tls-cert-file", "none.crt")], "No such file or directory"),
        (&[("tls-cert-file", "./empty")], "it holds no certificate in PEM format"),
        (&[("tls-key-file", "none.key")], "Failed to load private key: "),
        (&[("tls-key-file", "other.key")], "it is not the key of "),
        (&[("tls-key-file", "locked.key")], "no private key in PEM format, or one that is encrypted"),
        (&[("tls-ca-cert-file", "none.crt")], "Failed to configure CA certificate(s) file/directory: "),
        (&[("tls-ca-cert-file", "./empty")], "it holds no certificate in PEM format"),
        (&[("tls-ca-cert-dir", "./none")], "No such file or directory"),
        (&[("tls-protocols", "SSLv3")], "Invalid tls-protocols specified."),
        (&[("tls-ciphers", "RC4-SHA")], "Failed to configure ciphers: RC4-SHA"),
        (&[("tls-ciphersuites", "NONE")], "Failed to configure ciphersuites: NONE"),
    ] {
        let said = with(changes).unwrap_or_default();
        assert!(said.starts_with("Failed to configure TLS: ") && said.contains(reason), "{changes:?}: {said}");
    }
    // Without clients' certificates nobody needs to know where they come from.
    assert_eq!(with(&[("tls-ca-cert-file", ""), ("tls-auth-clients", "no")]), None);
    let refused = builder().setting("tls-key-file-pass", "secret").err().expect("it is refused").to_string();
    assert!(refused.contains("encrypted keys are not supported") && !refused.contains("secret"), "{refused}");
}

#[test]
fn who_does_not_finish_the_handshake_harms_nobody() {
    let files = Files::new();
    let server = files.builder("no").workers(1).start().unwrap();
    let address = server.tls_address().unwrap();
    let config = files.client(None, ALL_VERSIONS);
    let mut hello = Vec::new();
    ClientConnection::new(config.clone(), address.ip().into()).unwrap().write_tls(&mut hello).unwrap();
    let mut door: Vec<TcpStream> = Vec::new();
    for number in 0..300 {
        let mut socket = TcpStream::connect(address).unwrap();
        // Some say nothing at all, some stop in the middle, some do not listen to the answer.
        socket.write_all(&hello[..[0, 1, hello.len() / 2, hello.len()][number % 4]]).unwrap();
        door.push(socket);
    }
    let mut other = connect(&server, &config);
    assert_eq!(other.call(["PING"]).as_str(), Some("PONG"));
    let mut client = server.client();
    let connected = |client: &mut resplite::Client| {
        let info = client.call(["INFO", "clients"]);
        let line =
            info.as_str().unwrap().lines().find_map(|line| line.strip_prefix("connected_clients:").map(str::to_owned));
        line.unwrap().parse::<usize>().unwrap()
    };
    while connected(&mut client) < 301 {}
    // One goes on where it stopped, byte by byte, while the others stay as they are.
    let mut slow = TcpStream::connect(address).unwrap();
    slow.set_nodelay(true).unwrap();
    let mut session = ClientConnection::new(config, address.ip().into()).unwrap();
    while session.is_handshaking() {
        let mut bytes = Vec::new();
        session.write_tls(&mut bytes).unwrap();
        for byte in bytes {
            slow.write_all(&[byte]).unwrap();
            assert_eq!(other.call(["PING"]).as_str(), Some("PONG"));
        }
        session.complete_io(&mut slow).unwrap();
    }
    let mut stream = rustls::StreamOwned::new(session, slow);
    stream.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
    // Whoever is idle for too long has to go, in or not.
    server.advance(Duration::from_secs(60));
    assert_eq!(other.call(["PING"]).as_str(), Some("PONG"));
    assert!(client.call(["CONFIG", "SET", "timeout", "30"]).is_ok());
    for mut socket in door {
        // What has come before is the server's part of a handshake; behind it is the end.
        let end = socket.read_to_end(&mut Vec::new());
        assert!(end.is_ok() || end.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset));
    }
    assert_eq!(other.call(["PING"]).as_str(), Some("PONG"));
}

#[test]
fn who_does_not_speak_tls_is_sent_away() {
    let files = Files::new();
    let server = files.builder("no").port(0).start().unwrap();
    let mut other = connect(&server, &files.client(None, ALL_VERSIONS));
    let mut noise = fastrand::Rng::with_seed(1);
    let mut hello = Vec::new();
    let mut session =
        ClientConnection::new(files.client(None, ALL_VERSIONS), server.tls_address().unwrap().ip().into()).unwrap();
    session.write_tls(&mut hello).unwrap();
    let mut attempts =
        vec![b"PING\r\n".to_vec(), b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0; 100_000], vec![0x16; 100_000]];
    for _ in 0..200 {
        let mut spoilt = hello.clone();
        let at = noise.usize(..spoilt.len());
        spoilt[at] ^= 1 << noise.u8(..8);
        attempts.push([spoilt, vec![noise.u8(..); 70_000]].concat());
    }
    for bytes in attempts {
        let mut socket = TcpStream::connect(server.tls_address().unwrap()).unwrap();
        let _ = socket.write_all(&bytes);
        let mut answer = Vec::new();
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = socket.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"+") && !answer.starts_with(b"-"), "nothing is said in the clear");
        assert_eq!(other.call(["PING"]).as_str(), Some("PONG"));
    }
    // And the other way round.
    let plain = Connection::tls(server.address().unwrap(), files.client(None, ALL_VERSIONS));
    assert!(plain.is_err());
    assert_eq!(Connection::tcp(server.address().unwrap()).call(["PING"]).as_str(), Some("PONG"));
}

#[test]
fn the_rules_for_strangers_hold() {
    let files = Files::new();
    let server = files.builder("no").password("secret").setting("maxclients", "2").unwrap().start().unwrap();
    let config = files.client(None, ALL_VERSIONS);
    {
        let mut stranger = connect(&server, &config);
        assert_eq!(stranger.call(["GET", "k"]).as_error(), Some("NOAUTH Authentication required."));
        stranger.send_raw(b"*11\r\n");
        assert_eq!(stranger.read().as_error(), Some("ERR Protocol error: unauthenticated multibulk length"));
        assert_eq!(stranger.try_read(), None);
    }
    let mut client = server.client();
    while client.call(["CLIENT", "LIST", "TYPE", "normal"]).as_str() != Some("") {}
    let (one, two) = (connect(&server, &config), connect(&server, &config));
    assert!(Connection::tls(server.tls_address().unwrap(), config.clone()).is_err(), "there is room for two");
    drop((one, two));
    assert!(client.call(["INFO", "stats"]).as_str().unwrap().contains("rejected_connections:1\r\n"));
}

#[test]
fn protected_mode_says_why_behind_the_handshake() {
    let Some(ip) = other_address() else { return };
    let files = Files::new();
    let server = files.builder("no").bind("0.0.0.0").start().unwrap();
    let address = server.tls_address().unwrap();
    // The certificate is for another address; who it is does not matter here.
    let mut socket = TcpStream::connect((ip, address.port())).unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(files.client(None, ALL_VERSIONS), name).unwrap();
    let mut said = String::new();
    rustls::Stream::new(&mut session, &mut socket).read_to_string(&mut said).unwrap();
    assert!(said.starts_with("-DENIED ") && said.ends_with("\r\n"), "{said}");
}

#[test]
fn a_slow_reader_over_tls_meets_its_limit() {
    let files = Files::new();
    let server = files.builder("no").workers(1).start().unwrap();
    let config = files.client(None, ALL_VERSIONS);
    let (mut slow, mut other) = (connect(&server, &config), connect(&server, &config));
    let mut client = server.client();
    client.call([b"SET".as_slice(), b"big", &vec![b'x'; 1 << 20]]);
    let many: Vec<u8> = (0..64).flat_map(|_| encode(["GET", "big"])).collect();
    slow.send_raw(&many);
    assert_eq!(other.call(["PING"]).as_str(), Some("PONG"));
    assert!(client.call(["CONFIG", "SET", "client-output-buffer-limit", "normal 8mb 0 0"]).is_ok());
    let mut greedy = connect(&server, &config);
    greedy.send_raw(&many);
    assert_eq!(other.call(["PING"]).as_str(), Some("PONG"));
    while greedy.try_read().is_some() {}
    assert!(
        client.call(["INFO", "stats"]).as_str().unwrap().contains("client_output_buffer_limit_disconnections:1\r\n")
    );
}

#[test]
fn what_was_answered_before_the_end_arrives_before_the_end() {
    // What sockets hold before the peer reads lies between; what TLS holds is twice the step.
    const STEP: usize = 32 * 1024;
    const MOST: usize = 6 << 20;
    let files = Files::new();
    let server = files.builder("no").workers(1).start().unwrap();
    let config = files.client(None, ALL_VERSIONS);
    let mut client = server.client();
    client.call([b"SET".as_slice(), b"big", &vec![b'x'; MOST]]);
    for length in (STEP..MOST).step_by(STEP) {
        let mut slow = connect(&server, &config);
        let id = slow.call(["CLIENT", "ID"]).as_int().unwrap().to_string();
        slow.send_raw(format!("GETRANGE big 1 {length}\r\nQUIT\r\n").as_bytes());
        // The connection has ended, or is to end once the rest has gone.
        let is_ending = |line: &str| line.is_empty() || line.contains(" cmd=quit ");
        while !client.call(["CLIENT", "LIST", "ID", &id]).as_str().is_some_and(is_ending) {}
        assert_eq!(slow.read().as_bytes().map(<[u8]>::len), Some(length));
        assert!(slow.read().is_ok());
        assert_eq!(slow.try_read(), None);
    }
}

#[test]
fn clients_are_listed_as_others_are() {
    let files = Files::new();
    let server = files.builder("no").start().unwrap();
    let mut connection = connect(&server, &files.client(None, ALL_VERSIONS));
    let list = connection.call(["CLIENT", "LIST"]);
    let list = String::from_utf8_lossy(list.as_bytes().unwrap()).into_owned();
    let address = server.tls_address().unwrap();
    assert!(list.contains(" addr=127.0.0.1:") && list.contains(&format!(" laddr={address} fd=")), "{list}");
    assert!(list.contains(" flags=N ") && !list.contains(" fd=-1 "), "{list}");
    assert_eq!(server.address(), None);
    let info = connection.call(["INFO", "server"]);
    let info = String::from_utf8_lossy(info.as_bytes().unwrap()).into_owned();
    assert!(info.contains(&format!("tcp_port:{}\r\n", address.port())), "{info}");
}

#[test]
fn a_script_that_keeps_the_thread_is_told_of_by_tls_too() {
    let files = Files::new();
    let server = files.builder("no").workers(1).setting("busy-reply-threshold", "1").unwrap().start().unwrap();
    let config = files.client(None, ALL_VERSIONS);
    let (mut runner, mut other) = (connect(&server, &config), connect(&server, &config));
    assert_eq!(other.call(["PING"]).as_str(), Some("PONG"));
    runner.send(["EVAL", "while true do end", "0"]);
    let is_busy = |answer: resplite::Value| answer.as_error().is_some_and(|error| error.starts_with("BUSY "));
    while !is_busy(other.call(["GET", "x"])) {}
    // Those who come meanwhile shake hands meanwhile.
    assert!(is_busy(connect(&server, &config).call(["GET", "x"])));
    assert!(other.call(["SCRIPT", "KILL"]).is_ok());
    assert!(runner.read().as_error().is_some());
    assert_eq!(other.call(["PING"]).as_str(), Some("PONG"));
}
