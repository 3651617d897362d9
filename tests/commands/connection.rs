//! Transcripts of the connection family.

use crate::support::{check, check_resp3};

#[test]
fn names() {
    check(
        r#"
        > CLIENT GETNAME
        (nil)
        > CLIENT SETNAME bot
        OK
        > CLIENT GETNAME
        "bot"
        > CLIENT SETNAME ""
        OK
        > CLIENT GETNAME
        (nil)
        > CLIENT SETNAME "a b"
        (error) ERR Client names cannot contain spaces, newlines or special characters.
        > CLIENT GETNAME bot
        (error) ERR wrong number of arguments for 'client|getname' command
        > CLIENT ID
        (any)
        > CLIENT ID bot
        (error) ERR wrong number of arguments for 'client|id' command
        > CLIENT INFO
        (any)
        > CLIENT INFO bot
        (error) ERR wrong number of arguments for 'client|info' command
        > CLIENT NO-EVICT on
        OK
        > CLIENT NO-EVICT OFF
        OK
        > CLIENT NO-EVICT
        (error) ERR wrong number of arguments for 'client|no-evict' command
        > CLIENT NO-EVICT maybe
        (error) ERR syntax error
        > CLIENT NOTHING
        (error) ERR unknown subcommand 'NOTHING'. Try CLIENT HELP.
        > CLIENT
        (error) ERR wrong number of arguments for 'client' command
    "#,
    );
}

#[test]
fn ping_and_echo() {
    check(
        r#"
        > PING
        PONG
        > PING hello
        "hello"
        > PING a b
        (error) ERR wrong number of arguments for 'ping' command
        > ECHO hello
        "hello"
        > ECHO
        (error) ERR wrong number of arguments for 'echo' command
        > ECHO a b
        (error) ERR wrong number of arguments for 'echo' command
        > SELECT 1
        OK
        > SELECT 16
        (error) ERR DB index is out of range
        > SELECT x
        (error) ERR value is not an integer or out of range
        > SELECT 0
        OK
    "#,
    );
}

#[test]
fn quit() {
    check(
        r#"
        > QUIT
        OK
    "#,
    );
}

#[test]
fn resp3_shapes() {
    check_resp3(
        r#"
        > PING
        PONG
        > CLIENT GETNAME
        (nil)
        > CLIENT SETNAME bot
        OK
        > CLIENT GETNAME
        "bot"
    "#,
    );
}

#[test]
fn help_says_what_there_is() {
    let server = crate::support::server();
    let mut client = server.client();
    for container in ["CLIENT HELP", "MEMORY HELP", "OBJECT HELP"] {
        let reply = client.call(container.split(' '));
        let lines: Vec<&str> = reply.as_slice().unwrap_or_default().iter().filter_map(|line| line.as_str()).collect();
        let (name, _) = container.split_once(' ').expect("two words");
        assert!(lines[0].starts_with(&format!("{name} <subcommand>")), "{lines:?}");
        assert!(lines.contains(&"HELP") && lines.len() % 2 == 1, "{lines:?}");
    }
}
