//! Transcripts of the pub/sub family and MONITOR, and what takes more than a transcript.

use crate::support::oracle::{Kind, Oracle};
use crate::support::socket::encode;
use crate::support::{Connection, Peers, check, check_ours, check_together, check_together_in, server};
use resplite_resp::reply::Protocol;

#[test]
fn shard_channels_are_not_subscribed_to_in_a_transaction() {
    check_together(
        Peers::Both,
        r#"
        a> MULTI
        OK
        a> SSUBSCRIBE x y
        QUEUED
        a> SUNSUBSCRIBE x
        QUEUED
        a> EXEC
        1) (error) ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client
        2) 1) "sunsubscribe"
           2) "x"
           3) (integer) 0
        b> SPUBLISH x hello
        (integer) 0
        "#,
    );
}

#[test]
fn messages_come_by_name_and_by_pattern() {
    check_together(
        Peers::Both,
        r#"
        p> PUBLISH news nobody
        (integer) 0
        a> SUBSCRIBE news sport
        1) "subscribe"
        2) "news"
        3) (integer) 1
        a<
        1) "subscribe"
        2) "sport"
        3) (integer) 2
        b> PSUBSCRIBE n*
        1) "psubscribe"
        2) "n*"
        3) (integer) 1
        p> PUBLISH news hello
        (integer) 2
        a<
        1) "message"
        2) "news"
        3) "hello"
        b<
        1) "pmessage"
        2) "n*"
        3) "news"
        4) "hello"
        p> PUBLISH nothing "to\r\nmany"
        (integer) 1
        b<
        1) "pmessage"
        2) "n*"
        3) "nothing"
        4) "to\r\nmany"
        a> UNSUBSCRIBE news
        1) "unsubscribe"
        2) "news"
        3) (integer) 1
        p> PUBLISH news again
        (integer) 1
        p> PUBLISH sport ""
        (integer) 1
        a<
        1) "message"
        2) "sport"
        3) ""
        a> UNSUBSCRIBE
        1) "unsubscribe"
        2) "sport"
        3) (integer) 0
        a> UNSUBSCRIBE
        1) "unsubscribe"
        2) (nil)
        3) (integer) 0
        a> UNSUBSCRIBE other
        1) "unsubscribe"
        2) "other"
        3) (integer) 0
        b> PUNSUBSCRIBE other n*
        (any)
        b<
        (any)
        b<
        1) "punsubscribe"
        2) "n*"
        3) (integer) 0
        b> PUNSUBSCRIBE
        1) "punsubscribe"
        2) (nil)
        3) (integer) 0
        p> PUBLISH news nobody
        (integer) 0
    "#,
    );
}

#[test]
fn resp2_leaves_subscribers_few_commands() {
    check_together_in(
        Protocol::Resp2,
        Peers::Both,
        r#"
        p> SUBSCRIBE a
        1) "subscribe"
        2) "a"
        3) (integer) 1
        p> GET x
        (error) ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
        p> CONFIG GET port
        (error) ERR Can't execute 'config|get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
        p> MULTI
        (error) ERR Can't execute 'multi': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
        p> NOSUCH
        (error) ERR unknown command 'NOSUCH', with args beginning with: 
        p> GET
        (error) ERR wrong number of arguments for 'get' command
        p> PING
        1) "pong"
        2) ""
        p> PING hi
        1) "pong"
        2) "hi"
        p> PING a b
        (error) ERR wrong number of arguments for 'ping' command
        p> SSUBSCRIBE s
        1) "ssubscribe"
        2) "s"
        3) (integer) 1
        p> UNSUBSCRIBE a
        1) "unsubscribe"
        2) "a"
        3) (integer) 0
        p> GET x
        (error) ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
        p> SUNSUBSCRIBE
        1) "sunsubscribe"
        2) "s"
        3) (integer) 0
        p> GET x
        (nil)
        p> PSUBSCRIBE *
        1) "psubscribe"
        2) "*"
        3) (integer) 1
        p> RESET
        RESET
        p> PING
        PONG
        b> PUBLISH a x
        (integer) 0
        p> SUBSCRIBE a
        1) "subscribe"
        2) "a"
        3) (integer) 1
        p> QUIT
        OK
        p<
        (closed)
    "#,
    );
}

#[test]
fn resp3_pushes_between_replies() {
    check_together_in(
        Protocol::Resp3,
        Peers::Both,
        r#"
        a> SUBSCRIBE a
        1> "subscribe"
        2> "a"
        3> (integer) 1
        a> PSUBSCRIBE a*
        1> "psubscribe"
        2> "a*"
        3> (integer) 2
        a> SET x 1
        OK
        p> PUBLISH a hello
        (integer) 2
        a> GET x
        1> "message"
        2> "a"
        3> "hello"
        a<
        1> "pmessage"
        2> "a*"
        3> "a"
        4> "hello"
        a<
        "1"
        a> PING
        PONG
        a> MULTI
        OK
        a> SUBSCRIBE b
        QUEUED
        a> PING
        QUEUED
        a> UNSUBSCRIBE b
        QUEUED
        a> EXEC
        1) 1> "subscribe"
           2> "b"
           3> (integer) 3
        2) PONG
        3) 1> "unsubscribe"
           2> "b"
           3> (integer) 2
    "#,
    );
    // What a client says to itself comes behind the reply, as in Redis since 7.2.
    check_together_in(
        Protocol::Resp3,
        Peers::Modern,
        r#"
        p> SUBSCRIBE a
        1> "subscribe"
        2> "a"
        3> (integer) 1
        p> PUBLISH a mine
        (integer) 1
        p<
        1> "message"
        2> "a"
        3> "mine"
        p> MULTI
        OK
        p> PUBLISH a one
        QUEUED
        p> PUBLISH a two
        QUEUED
        p> EXEC
        1) (integer) 1
        2) (integer) 1
        p<
        1> "message"
        2> "a"
        3> "one"
        p<
        1> "message"
        2> "a"
        3> "two"
    "#,
    );
}

#[test]
fn subscribing_inside_a_transaction() {
    check_together_in(
        Protocol::Resp2,
        Peers::Both,
        r#"
        p> MULTI
        OK
        p> SUBSCRIBE q
        QUEUED
        p> GET x
        QUEUED
        p> UNSUBSCRIBE
        QUEUED
        p> PSUBSCRIBE w
        QUEUED
        p> PING
        QUEUED
        p> EXEC
        1) 1) "subscribe"
           2) "q"
           3) (integer) 1
        2) (nil)
        3) 1) "unsubscribe"
           2) "q"
           3) (integer) 0
        4) 1) "psubscribe"
           2) "w"
           3) (integer) 1
        5) 1) "pong"
           2) ""
        b> PUBLISH w x
        (integer) 1
        p<
        1) "pmessage"
        2) "w"
        3) "w"
        4) "x"
    "#,
    );
}

#[test]
fn shard_channels_are_names_of_their_own() {
    check_together(
        Peers::Both,
        r#"
        a> SSUBSCRIBE x y
        1) "ssubscribe"
        2) "x"
        3) (integer) 1
        a<
        1) "ssubscribe"
        2) "y"
        3) (integer) 2
        p> SPUBLISH x hello
        (integer) 1
        p> PUBLISH x other
        (integer) 0
        a<
        1) "smessage"
        2) "x"
        3) "hello"
        p> PUBSUB SHARDCHANNELS x*
        1) "x"
        p> PUBSUB SHARDNUMSUB x z
        1) "x"
        2) (integer) 1
        3) "z"
        4) (integer) 0
        p> PUBSUB CHANNELS
        (empty array)
        a> SUNSUBSCRIBE x
        1) "sunsubscribe"
        2) "x"
        3) (integer) 1
        a> SUNSUBSCRIBE
        1) "sunsubscribe"
        2) "y"
        3) (integer) 0
        a> SUNSUBSCRIBE
        1) "sunsubscribe"
        2) (nil)
        3) (integer) 0
        p> PUBSUB SHARDCHANNELS
        (empty array)
    "#,
    );
}

#[test]
fn who_listens_to_what() {
    check_together(
        Peers::Both,
        r#"
        a> SUBSCRIBE one
        (any)
        b> SUBSCRIBE one
        (any)
        b> PSUBSCRIBE o*
        (any)
        c> PSUBSCRIBE o*
        (any)
        p> PUBSUB CHANNELS
        1) "one"
        p> PUBSUB CHANNELS t*
        (empty array)
        p> PUBSUB NUMSUB one two
        1) "one"
        2) (integer) 2
        3) "two"
        4) (integer) 0
        p> PUBSUB NUMSUB
        (empty array)
        p> PUBSUB NUMPAT
        (integer) 1
        p> PUBLISH one x
        (integer) 4
        a<
        (any)
        b<
        (any)
        b<
        (any)
        c<
        (any)
        p> PUBSUB CHANNELS a b
        (error) ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.
        p> PUBSUB NUMPAT x
        (error) ERR wrong number of arguments for 'pubsub|numpat' command
        p> PUBSUB
        (error) ERR wrong number of arguments for 'pubsub' command
        p> PUBSUB NOPE
        (error) ERR unknown subcommand 'NOPE'. Try PUBSUB HELP.
        p> PUBLISH one
        (error) ERR wrong number of arguments for 'publish' command
        p> SUBSCRIBE
        (error) ERR wrong number of arguments for 'subscribe' command
        p> COMMAND GETKEYS SPUBLISH a b
        (error) ERR The command has no key arguments
    "#,
    );
    check_ours(
        "
        > PUBSUB HELP
        (any)
    ",
    );
}

#[test]
fn confirmations_come_even_when_replies_are_off() {
    let talk = |mut connection: Connection| {
        let commands = [
            &["CLIENT", "REPLY", "OFF"][..],
            &["SET", "x", "1"],
            &["SUBSCRIBE", "a"],
            &["UNSUBSCRIBE", "a"],
            &["CLIENT", "REPLY", "ON"],
            &["CLIENT", "REPLY", "SKIP"],
            &["PSUBSCRIBE", "b"],
            &["PING"],
        ];
        commands.into_iter().for_each(|command| connection.send(command));
        assert_eq!(connection.read().into_vec()[0].as_str(), Some("subscribe"));
        assert_eq!(connection.read().into_vec()[0].as_str(), Some("unsubscribe"));
        assert_eq!(connection.read().as_str(), Some("OK"));
        assert_eq!(connection.read().into_vec()[0].as_str(), Some("psubscribe"));
        assert_eq!(connection.read().into_vec()[0].as_str(), Some("pong"));
    };
    talk(Connection::tcp(server().address().unwrap()));
    for kind in [Kind::Redis, Kind::Valkey] {
        if let Some(oracle) = Oracle::start(kind, &[]) {
            talk(oracle.connect());
        }
    }
}

#[test]
fn subscribers_are_shown_as_such() {
    let server = server();
    let mut admin = Connection::tcp(server.address().unwrap());
    let mut listener = Connection::tcp(server.address().unwrap());
    let id = listener.call(["CLIENT", "ID"]).as_int().unwrap().to_string();
    for args in [["SUBSCRIBE", "a"], ["PSUBSCRIBE", "b*"], ["SSUBSCRIBE", "c"]] {
        listener.call(args);
    }
    let list = |admin: &mut Connection, filter: &[&str]| {
        let args = [&["CLIENT", "LIST"], filter].concat();
        admin.call(args).as_str().unwrap_or_default().to_owned()
    };
    let line = list(&mut admin, &["TYPE", "PUBSUB"]);
    assert!(line.starts_with(&format!("id={id} ")) && line.lines().count() == 1, "{line}");
    assert!(line.contains(" flags=P ") && line.contains(" sub=1 psub=1 ssub=1 "), "{line}");
    assert!(!list(&mut admin, &["TYPE", "NORMAL"]).contains(&format!("id={id} ")));
    let info = admin.call(["INFO"]).as_str().unwrap().to_owned();
    for field in ["pubsub_channels:1", "pubsub_patterns:1", "pubsubshard_channels:1", "pubsub_clients:1"] {
        assert!(info.lines().any(|line| line == field), "{field}");
    }
    assert_eq!(admin.call(["CLIENT", "KILL", "TYPE", "pubsub"]).as_int(), Some(1));
    assert!(listener.try_read().is_none());
    // Gone with its connection: the end that it has seen comes after that.
    let info = admin.call(["INFO", "stats"]).as_str().unwrap().to_owned();
    assert!(info.contains("pubsub_channels:0\r\n") && info.contains("pubsub_patterns:0\r\n"), "{info}");
}

#[test]
fn whoever_does_not_read_is_dropped_and_nobody_waits_for_him() {
    let server = server();
    let mut publisher = Connection::tcp(server.address().unwrap());
    publisher.call(["CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0"]);
    let mut deaf = Connection::tcp(server.address().unwrap());
    let mut quick = Connection::tcp(server.address().unwrap());
    deaf.call(["SUBSCRIBE", "a"]);
    quick.call(["SUBSCRIBE", "a"]);
    let payload = "x".repeat(100_000);
    // What the kernel keeps for a socket is limited; then the rest waits here, until it is too much.
    let mut sent = 0;
    while publisher.call(["PUBLISH", "a", &payload]).as_int() == Some(2) {
        assert_eq!(quick.read().as_slice().and_then(|message| message[2].as_bytes()).map(<[u8]>::len), Some(100_000));
        sent += 1;
        assert!(sent < 10_000, "nobody is dropped");
    }
    assert!(sent >= 10, "dropped below the limit");
    let info = publisher.call(["INFO", "stats"]).as_str().unwrap().to_owned();
    assert!(info.contains("client_output_buffer_limit_disconnections:1\r\n"), "{info}");
    while deaf.try_read().is_some() {}
}

#[test]
fn a_monitor_that_does_not_read_is_dropped_as_a_normal_client() {
    let server = server();
    let mut client = Connection::tcp(server.address().unwrap());
    client.call(["CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"]);
    let mut deaf = Connection::tcp(server.address().unwrap());
    deaf.call(["MONITOR"]);
    let payload = "x".repeat(100_000);
    let mut sent = 0;
    while client.call(["CLIENT", "LIST"]).as_str().unwrap().contains(" flags=O ") {
        client.call(["ECHO", &payload]);
        sent += 1;
        assert!(sent < 10_000, "nobody is dropped");
    }
    assert!(sent >= 10, "dropped below the limit");
    while deaf.try_read().is_some() {}
}

#[test]
fn messages_keep_their_order_from_every_publisher() {
    const PUBLISHERS: usize = 4;
    const MESSAGES: usize = 500;
    let server = server();
    let address = server.address().unwrap();
    let mut listener = Connection::tcp(address);
    listener.call(["PSUBSCRIBE", "channel:*"]);
    std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            scope.spawn(move || {
                let mut connection = Connection::tcp(address);
                let channel = format!("channel:{publisher}");
                for number in 0..MESSAGES {
                    connection.send_raw(&encode(["PUBLISH", &channel, &number.to_string()]));
                }
                for _ in 0..MESSAGES {
                    assert_eq!(connection.read().as_int(), Some(1));
                }
            });
        }
        let mut next = [0; PUBLISHERS];
        for _ in 0..PUBLISHERS * MESSAGES {
            let message = listener.read().into_vec();
            let publisher: usize = message[2].as_str().unwrap()["channel:".len()..].parse().unwrap();
            assert_eq!(message[3].as_str().unwrap(), next[publisher].to_string());
            next[publisher] += 1;
        }
    });
}

#[test]
fn nothing_comes_behind_the_end_of_a_subscription() {
    let server = server();
    let address = server.address().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut publisher = Connection::tcp(address);
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                publisher.call(["PUBLISH", "a", "x"]);
            }
        });
        let mut listener = Connection::tcp(address);
        for _ in 0..300 {
            listener.send_raw(&[encode(["SUBSCRIBE", "a"]), encode(["UNSUBSCRIBE", "a"]), encode(["PING"])].concat());
            assert_eq!(listener.read().into_vec()[0].as_str(), Some("subscribe"));
            loop {
                match listener.read().into_vec()[0].as_str() {
                    Some("message") => {}
                    other => break assert_eq!(other, Some("unsubscribe")),
                }
            }
            assert_eq!(listener.read().as_str(), Some("PONG"));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn clients_in_process_have_their_messages_apart() {
    let server = server();
    let (mut listener, mut speaker) = (server.client(), server.client());
    listener.call(["HELLO", "3"]);
    listener.call(["SUBSCRIBE", "a"]);
    speaker.call(["PUBLISH", "a", "one"]);
    speaker.call(["PUBLISH", "a", "two"]);
    assert_eq!(listener.call(["PING"]).as_str(), Some("PONG"));
    assert_eq!(
        listener.call(["UNSUBSCRIBE", "a"]).as_slice().map(|parts| parts[0].as_str()),
        Some(Some("unsubscribe"))
    );
    let messages = listener.messages();
    let texts: Vec<_> = messages.iter().map(|message| message.as_slice().unwrap()[2].as_str()).collect();
    assert_eq!(texts, [Some("one"), Some("two")]);
    assert!(listener.messages().is_empty());
}

#[test]
fn a_monitor_sees_what_runs() {
    let server = server();
    let address = server.address().unwrap();
    let mut monitor = Connection::tcp(address);
    assert_eq!(monitor.call(["MONITOR"]).as_str(), Some("OK"));
    let mut client = Connection::tcp(address);
    let own = client.call(["CLIENT", "INFO"]).as_str().unwrap().to_owned();
    let own = own.split("addr=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    for command in [
        "SET key \"a value\"",
        "GET",
        "NOSUCH",
        "CONFIG GET port",
        "LPUSH key 1",
        "SELECT 1",
        "AUTH me secret",
        "MULTI",
        "INCR n",
        "EXEC",
    ] {
        client.call(crate::support::transcript::split(command));
    }
    let lines: Vec<String> = (0..8).map(|_| monitor.read().as_str().unwrap().to_owned()).collect();
    let expected = [
        "[0 ADDR] \"CLIENT\" \"INFO\"",
        "[0 ADDR] \"SET\" \"key\" \"a value\"",
        "[0 ADDR] \"LPUSH\" \"key\" \"1\"",
        "[1 ADDR] \"SELECT\" \"1\"",
        "[1 ADDR] \"AUTH\" \"(redacted)\" \"(redacted)\"",
        "[1 ADDR] \"MULTI\"",
        "[1 ADDR] \"INCR\" \"n\"",
        "[1 ADDR] \"EXEC\"",
    ];
    for (line, expected) in lines.iter().zip(expected) {
        assert_eq!(*line, format!("1700000000.000000 {}", expected.replace("ADDR", &own)));
    }
    assert!(client.call(["CLIENT", "LIST"]).as_str().unwrap().contains(" flags=O "));
    assert_eq!(monitor.call(["GET", "key"]).as_error(), Some("ERR Replica can't interact with the keyspace"));
    assert_eq!(monitor.call(["RESET"]).as_str(), Some("RESET"));
    client.call(["PING"]);
    assert_eq!(monitor.call(["PING"]).as_str(), Some("PONG"));
    check(
        "
        > MULTI
        OK
        > MONITOR
        QUEUED
        > EXEC
        1) (error) ERR MONITOR isn't allowed for DENY BLOCKING client
    ",
    );
}
