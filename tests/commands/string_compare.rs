//! Transcripts of what changes strings only if they are what they should be: SET's newer conditions, DIGEST, DELEX, MSETEX.

use crate::support::{Peers, check_ours, check_together};

#[test]
fn set_compares() {
    check_together(
        Peers::Modern,
        r#"
        a> SET k v
        OK
        a> SET k w IFEQ x
        (nil)
        a> SET k w IFEQ v
        OK
        a> SET k z IFEQ w GET
        "w"
        a> SET k z IFEQ nope GET
        "z"
        a> SET nokey z IFEQ w GET
        (nil)
        a> SET nokey z IFEQ w
        (nil)
        a> EXISTS nokey
        (integer) 0
        a> SET k z IFEQ
        (error) ERR syntax error
        a> SET k z NX IFEQ w
        (error) ERR syntax error
        a> SET k z IFEQ z NX
        (error) ERR syntax error
        a> SET k z IFEQ z IFEQ z
        (error) ERR syntax error
        a> SET k z IFEQ z EX 100
        OK
        a> SET k y IFEQ z KEEPTTL
        OK
        a> TTL k
        (integer) 100
        a> SET k 1 IFEQ y
        OK
        a> TTL k
        (integer) -1
        a> SET k 2 IFEQ 1
        OK
        a> RPUSH l a
        (integer) 1
        a> SET l x IFEQ y
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
    check_ours(
        r#"
        > SET new v IFNE x
        OK
        > SET new w IFNE v
        (nil)
        > SET new hello IFNE x GET
        "v"
        > DIGEST new
        "9555e8555c62dcfd"
        > SET new other IFDEQ 9555e8555c62dcfe
        (nil)
        > SET new other IFDNE 9555E8555C62DCFD
        (nil)
        > SET new other IFDEQ 9555E8555C62DCFD
        OK
        > GET new
        "other"
        > SET missing x IFDEQ 9555e8555c62dcfd
        (nil)
        > SET missing x IFDNE 9555e8555c62dcfd
        OK
        > SET new x IFDEQ 123
        (error) ERR digest must be exactly 16 hexadecimal characters
        > SET new x IFDNE +555e8555c62dcfd
        (error) ERR digest must be exactly 16 hexadecimal characters
        "#,
    );
}

#[test]
fn digests_and_removal() {
    check_ours(
        r#"
        > DIGEST nokey
        (nil)
        > SET empty ""
        OK
        > DIGEST empty
        "2d06800538d394c2"
        > SET n 42
        OK
        > SET t 42x
        OK
        > SETRANGE t 2 ""
        (integer) 3
        > SET other 42
        OK
        > DELEX n IFEQ 41
        (integer) 0
        > DELEX n IFNE 42
        (integer) 0
        > DELEX n IFEQ 42
        (integer) 1
        > DELEX n IFEQ 42
        (integer) 0
        > DELEX n IFNE 42
        (integer) 0
        > DELEX empty IFDNE 2d06800538d394c2
        (integer) 0
        > DELEX empty IFDEQ 2d06800538d394c2
        (integer) 1
        > DELEX other
        (integer) 1
        > RPUSH l a
        (integer) 1
        > DIGEST l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > DELEX l IFEQ a
        (error) ERR Key should be of string type if conditions are specified
        > DELEX l IFEQ
        (error) ERR wrong number of arguments for 'delex' command
        > DELEX l IFXX a
        (error) ERR syntax error
        > DELEX l
        (integer) 1
        "#,
    );
}

#[test]
fn several_at_once() {
    check_ours(
        r#"
        > MSETEX 2 a 1 b 2
        (integer) 1
        > MGET a b
        1) "1"
        2) "2"
        > MSETEX 2 a 3 c 4 NX
        (integer) 0
        > MSETEX 2 a 3 c 4 XX
        (integer) 0
        > MSETEX 2 a 3 b 4 XX EX 100
        (integer) 1
        > TTL b
        (integer) 100
        > MSETEX 1 b 5 KEEPTTL
        (integer) 1
        > TTL b
        (integer) 100
        > MSETEX 2 c 5 d 6 NX PXAT 1
        (integer) 1
        > EXISTS c d
        (integer) 0
        > MSETEX 0 a 1
        (error) ERR invalid numkeys value
        > MSETEX x a 1
        (error) ERR invalid numkeys value
        > MSETEX 2 a 1
        (error) ERR wrong number of key-value pairs
        > MSETEX 9223372036854775807 a 1
        (error) ERR wrong number of key-value pairs
        > MSETEX 1 a 1 GET
        (error) ERR syntax error
        > MSETEX 1 a 1 IFEQ 1
        (error) ERR syntax error
        > MSETEX 1 a 1 EX 0
        (error) ERR invalid expire time in 'msetex' command
        > COMMAND GETKEYS MSETEX 2 a 1 b 2 NX
        1) "a"
        2) "b"
        "#,
    );
}

#[test]
fn unions_and_differences_are_counted() {
    check_ours(
        r#"
        > SADD a 1 2 3 x
        (integer) 4
        > SADD b 3 4 y
        (integer) 3
        > SUNIONCARD 2 a b
        (integer) 6
        > SUNIONCARD 3 a b nokey LIMIT 4
        (integer) 4
        > SUNIONCARD 2 a b APPROX LIMIT 0
        (integer) 6
        > SUNIONCARD 1 nokey
        (integer) 0
        > SDIFFCARD 2 a b
        (integer) 3
        > SDIFFCARD 2 nokey b
        (integer) 0
        > SDIFFCARD 2 a b LIMIT 2
        (integer) 2
        > SDIFFCARD 2 a b APPROX
        (error) ERR syntax error
        > SDIFFCARD 0 a
        (error) ERR numkeys should be greater than 0
        > SUNIONCARD 3 a b
        (error) ERR Number of keys can't be greater than number of args
        > SUNIONCARD 2 a b LIMIT -1
        (error) ERR LIMIT can't be negative
        > SET s x
        OK
        > SUNIONCARD 2 a s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}
