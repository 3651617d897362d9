//! Transcripts of the transaction family, and what takes two clients.

use crate::support::{Connection, builder, check, server};
use std::time::Duration;

#[test]
fn queue_and_run() {
    check(
        r#"
        > EXEC
        (error) ERR EXEC without MULTI
        > DISCARD
        (error) ERR DISCARD without MULTI
        > MULTI
        OK
        > SET a 1
        QUEUED
        > INCR a
        QUEUED
        > GET a
        QUEUED
        > EXEC
        1) OK
        2) (integer) 2
        3) "2"
        > MULTI
        OK
        > EXEC
        (empty array)
        > MULTI
        OK
        > SET a 9
        QUEUED
        > DISCARD
        OK
        > GET a
        "2"
    "#,
    );
}

#[test]
fn errors_before_and_during_exec() {
    check(
        r#"
        > MULTI
        OK
        > SET a
        (error) ERR wrong number of arguments for 'set' command
        > SET a 1
        QUEUED
        > EXEC
        (error) EXECABORT Transaction discarded because of previous errors.
        > GET a
        (nil)
        > MULTI
        OK
        > NOSUCH a
        (error) ERR unknown command 'NOSUCH', with args beginning with: 'a' 
        > EXEC
        (error) EXECABORT Transaction discarded because of previous errors.
        > MULTI
        OK
        > SET a text
        QUEUED
        > INCR a
        QUEUED
        > SET b after
        QUEUED
        > EXEC
        1) OK
        2) (error) ERR value is not an integer or out of range
        3) OK
        > GET b
        "after"
        > MULTI
        OK
        > MULTI
        (error) ERR MULTI calls can not be nested
        > SET c 1
        QUEUED
        > EXEC
        (any)
    "#,
    );
}

#[test]
fn watched_keys() {
    let server = builder().start().unwrap();
    let mut one = Connection::tcp(server.address().unwrap());
    let mut other = server.client();
    let attempt = |one: &mut Connection, between: &mut dyn FnMut()| {
        assert!(one.call(["WATCH", "k", "k2"]).is_ok());
        between();
        assert!(one.call(["MULTI"]).is_ok());
        one.call(["SET", "done", "1"]);
        !one.call(["EXEC"]).is_nil()
    };
    assert!(attempt(&mut one, &mut || ()));
    assert!(!attempt(&mut one, &mut || drop(other.call(["SET", "k", "v"]))));
    assert!(attempt(&mut one, &mut || drop(other.call(["GET", "k"]))));
    assert!(!attempt(&mut one, &mut || drop(other.pipeline([["SET", "k2", "v"].as_slice(), &["DEL", "k2"]]))));
    assert!(attempt(&mut one, &mut || drop(other.call(["DEL", "k2"]))), "deleting nothing changes nothing");
    assert!(!attempt(&mut one, &mut || drop(other.call(["FLUSHALL"]))), "k existed");
    assert!(attempt(&mut one, &mut || drop(other.call(["FLUSHALL"]))), "nothing existed");
    assert!(attempt(&mut one, &mut || {
        other.call(["SELECT", "1"]);
        other.call(["SET", "k", "elsewhere"]);
    }));
    other.call(["SELECT", "0"]);
    other.call(["SET", "k", "v", "PX", "10"]);
    assert!(
        !attempt(&mut one, &mut || assert!(server.advance(Duration::from_millis(10)))),
        "an expired key has changed"
    );
    assert!(!attempt(&mut one, &mut || drop(other.pipeline([["SADD", "k2", "a"].as_slice()]))));
    assert!(attempt(&mut one, &mut || drop(other.call(["SADD", "k2", "a"]))), "adding what is there changes nothing");
}

#[test]
fn watch_is_forgotten_by_unwatch_discard_and_exec() {
    let server = server();
    let mut one = Connection::tcp(server.address().unwrap());
    let mut other = server.client();
    for forget in [vec!["UNWATCH"], vec!["MULTI", "DISCARD"], vec!["MULTI", "EXEC"]] {
        assert!(one.call(["WATCH", "k"]).is_ok());
        for command in forget {
            assert!(one.call([command]).as_error().is_none());
        }
        other.call(["INCR", "k"]);
        one.call(["MULTI"]);
        one.call(["PING"]);
        assert_eq!(one.call(["EXEC"]).into_vec().len(), 1);
    }
    assert!(one.call(["MULTI"]).is_ok());
    assert_eq!(one.call(["WATCH", "k"]).as_error(), Some("ERR WATCH inside MULTI is not allowed"));
}

#[test]
fn watching_very_many_keys_takes_no_time() {
    let server = server();
    let mut connection = Connection::tcp(server.address().unwrap());
    let keys: Vec<String> = (0..400_000).map(|number| format!("k{}", number % 300_000)).collect();
    let words = std::iter::once("WATCH").chain(keys.iter().map(String::as_str));
    assert!(connection.call(words).is_ok());
    let line = connection.call(["CLIENT", "INFO"]);
    assert!(line.as_str().is_some_and(|line| line.contains(" watch=300000 ")), "{line:?}");
    connection.call(["SET", "k299999", "1"]);
    connection.call(["MULTI"]);
    assert!(connection.call(["EXEC"]).is_nil());
}
