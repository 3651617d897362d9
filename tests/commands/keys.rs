//! Transcripts of the generic family.

use crate::support::{check, check_ours, server};
use std::collections::BTreeSet;

#[test]
fn exist_and_go() {
    check(
        r#"
        > MSET a 1 b 2 c 3
        OK
        > EXISTS a b a missing
        (integer) 3
        > TOUCH a b missing
        (integer) 2
        > DEL a missing
        (integer) 1
        > UNLINK b missing
        (integer) 1
        > DBSIZE
        (integer) 1
        > TYPE c
        string
        > TYPE missing
        none
        > DEL
        (error) ERR wrong number of arguments for 'del' command
        > RANDOMKEY
        "c"
        > FLUSHDB
        OK
        > RANDOMKEY
        (nil)
    "#,
    );
}

#[test]
fn names() {
    check(
        r#"
        > RENAME missing x
        (error) ERR no such key
        > RENAMENX missing x
        (error) ERR no such key
        > SET a 1 EX 100
        OK
        > RENAME a b
        OK
        > TTL b
        (integer) 100
        > SET c 3
        OK
        > RENAME c b
        OK
        > TTL b
        (integer) -1
        > GET b
        "3"
        > RENAME b b
        OK
        > RENAMENX b b
        (integer) 0
        > SET d 4
        OK
        > RENAMENX b d
        (integer) 0
        > RENAMENX b e
        (integer) 1
        > SADD s 1 2
        (integer) 2
        > RENAME s e
        OK
        > SCARD e
        (integer) 2
    "#,
    );
}

#[test]
fn copies_and_databases() {
    check(
        r#"
        > SET a 1 EX 100
        OK
        > COPY a b
        (integer) 1
        > TTL b
        (integer) 100
        > COPY a b
        (integer) 0
        > COPY a b REPLACE
        (integer) 1
        > COPY a a
        (error) ERR source and destination objects are the same
        > COPY a a DB 1
        (integer) 1
        > COPY a a DB 99
        (error) ERR DB index is out of range
        > COPY a a DB x
        (error) ERR value is not an integer or out of range
        > COPY a b NOPE
        (error) ERR syntax error
        > COPY missing b
        (integer) 0
        > MOVE a 1
        (integer) 0
        > MOVE b 1
        (integer) 1
        > MOVE missing 1
        (integer) 0
        > MOVE a 0
        (error) ERR source and destination objects are the same
        > MOVE a 99
        (error) ERR DB index is out of range
        > MOVE a x
        (error) ERR value is not an integer or out of range
        > SELECT 1
        OK
        > TTL b
        (integer) 100
        > DBSIZE
        (integer) 2
        > SWAPDB 0 1
        OK
        > DBSIZE
        (integer) 1
        > SWAPDB 0 x
        (error) ERR invalid second DB index
        > SWAPDB x 0
        (error) ERR invalid first DB index
        > SWAPDB 0 99
        (error) ERR DB index is out of range
        > FLUSHDB ASYNC
        OK
        > DBSIZE
        (integer) 0
        > SELECT 0
        OK
        > DBSIZE
        (integer) 2
        > FLUSHALL SYNC
        OK
        > FLUSHALL NOPE
        (error) ERR syntax error
        > DBSIZE
        (integer) 0
        > SELECT 16
        (error) ERR DB index is out of range
        > SELECT x
        (error) ERR value is not an integer or out of range
        > SELECT 99999999999
        (error) ERR value is out of range, value must between -2147483648 and 2147483647
        > SWAPDB 99999999999 1
        (error) ERR invalid first DB index
    "#,
    );
}

#[test]
fn deadlines() {
    check(
        r#"
        > TTL k
        (integer) -2
        > PTTL k
        (integer) -2
        > EXPIRETIME k
        (integer) -2
        > PEXPIRETIME k
        (integer) -2
        > EXPIRE k 10
        (integer) 0
        > PERSIST k
        (integer) 0
        > SET k v
        OK
        > TTL k
        (integer) -1
        > PEXPIRETIME k
        (integer) -1
        > EXPIRE k 100 XX
        (integer) 0
        > EXPIRE k 100 GT
        (integer) 0
        > EXPIRE k 100 NX
        (integer) 1
        > EXPIRE k 200 NX
        (integer) 0
        > EXPIRE k 50 GT
        (integer) 0
        > EXPIRE k 200 GT
        (integer) 1
        > EXPIRE k 300 LT
        (integer) 0
        > EXPIRE k 100 LT
        (integer) 1
        > TTL k
        (integer) 100
        > EXPIRE k 100 NX XX
        (error) ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE k 100 GT LT
        (error) ERR GT and LT options at the same time are not compatible
        > EXPIRE k 100 NOPE
        (error) ERR Unsupported option NOPE
        > EXPIRE k x
        (error) ERR value is not an integer or out of range
        > EXPIRE k 9223372036854775807
        (error) ERR invalid expire time in 'expire' command
        > PEXPIRE k 9223372036854775807
        (error) ERR invalid expire time in 'pexpire' command
        > PERSIST k
        (integer) 1
        > PERSIST k
        (integer) 0
        > EXPIREAT k 33177117420
        (integer) 1
        > EXPIRETIME k
        (integer) 33177117420
        > PEXPIREAT k 33177117420123
        (integer) 1
        > PEXPIRETIME k
        (integer) 33177117420123
        > EXPIRE k -1
        (integer) 1
        > EXISTS k
        (integer) 0
        > SET k v
        OK
        > PEXPIREAT k 0
        (integer) 1
        > EXISTS k
        (integer) 0
    "#,
    );
    check(
        r#"
        > SET k v
        OK
        > PEXPIRE k 1500
        (integer) 1
        > TTL k
        (integer) 2
        @advance 1001
        > TTL k
        (integer) 0
        > PTTL k
        (integer) 499
        @advance 499
        > EXISTS k
        (integer) 0
    "#,
    );
}

#[test]
fn walks() {
    check(
        r#"
        > KEYS *
        (empty array)
        > SCAN 0
        1) "0"
        2) (empty array)
        > SET hello 1
        OK
        > KEYS h?llo
        1) "hello"
        > KEYS h[^e]llo
        (empty array)
        > SCAN 0 MATCH h* COUNT 100
        1) "0"
        2) 1) "hello"
        > SCAN 0 TYPE string
        1) "0"
        2) 1) "hello"
        > SCAN 0 TYPE list
        1) "0"
        2) (empty array)
        > SCAN x
        (error) ERR invalid cursor
        > SCAN 0 COUNT 0
        (error) ERR syntax error
        > SCAN 0 COUNT x
        (error) ERR value is not an integer or out of range
        > SCAN 0 MATCH
        (error) ERR syntax error
        > SCAN 0 NOVALUES
        (error) ERR syntax error
    "#,
    );
}

#[test]
fn a_scan_sees_every_key_that_stays_while_others_come_and_go() {
    let server = server();
    let mut client = server.client();
    for number in 0..500 {
        client.call(["SET".to_owned(), format!("stays{number}"), "v".to_owned()]);
    }
    let (mut cursor, mut seen, mut number) = ("0".to_owned(), BTreeSet::new(), 0);
    loop {
        let mut reply = client.call(["SCAN", &cursor, "COUNT", "7"]).into_vec();
        let keys = reply.pop().unwrap().into_vec();
        cursor = reply[0].as_str().unwrap().to_owned();
        seen.extend(keys.iter().map(|key| key.as_str().unwrap().to_owned()).filter(|key| key.starts_with("stays")));
        if cursor == "0" {
            break;
        }
        for _ in 0..40 {
            number += 1;
            client.call(["SET".to_owned(), format!("comes{number}"), "v".to_owned()]);
            client.call(["DEL".to_owned(), format!("comes{}", number - 90)]);
        }
    }
    assert_eq!(seen.len(), 500);
}

#[test]
fn object() {
    check_ours(
        r#"
        > SET k 12345678
        OK
        > OBJECT ENCODING k
        "int"
        > OBJECT REFCOUNT k
        (integer) 1
        > OBJECT IDLETIME k
        (integer) 0
        @advance 5000
        > OBJECT IDLETIME k
        (integer) 5
        > TOUCH k
        (integer) 1
        > OBJECT IDLETIME k
        (integer) 0
    "#,
    );
    check(
        r#"
        > OBJECT ENCODING missing
        (nil)
        > OBJECT IDLETIME missing
        (nil)
        > OBJECT REFCOUNT missing
        (nil)
        > OBJECT FREQ missing
        (nil)
        > SET k v
        OK
        > OBJECT FREQ k
        (error) ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
        > OBJECT NOPE k
        (error) ERR unknown subcommand 'NOPE'. Try OBJECT HELP.
        > OBJECT ENCODING
        (error) ERR wrong number of arguments for 'object|encoding' command
        > OBJECT
        (error) ERR wrong number of arguments for 'object' command
    "#,
    );
}
