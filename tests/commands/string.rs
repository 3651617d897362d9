//! Transcripts of the string family.

use crate::support::{check, check_ours};

#[test]
fn set_and_get() {
    check(
        r#"
        > GET missing
        (nil)
        > SET k hello
        OK
        > GET k
        "hello"
        > STRLEN k
        (integer) 5
        > SET k "a b\x00\xff\r\n"
        OK
        > GET k
        "a b\x00\xff\r\n"
        > SET k
        (error) ERR wrong number of arguments for 'set' command
        > GET
        (error) ERR wrong number of arguments for 'get' command
        > get k k
        (error) ERR wrong number of arguments for 'get' command
        > LPUSH list a
        (integer) 1
        > GET list
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SET list text
        OK
        > TYPE list
        string
    "#,
    );
}

#[test]
fn set_conditions() {
    check(
        r#"
        > SET k 1 XX
        (nil)
        > SET k 1 NX
        OK
        > SET k 2 NX
        (nil)
        > SET k 2 XX
        OK
        > SET k 3 NX XX
        (error) ERR syntax error
        > SET k 3 GET
        "2"
        > SET k 4 NX GET
        "3"
        > SET other 4 NX GET
        (nil)
        > GET other
        "4"
        > SET none 4 XX GET
        (nil)
        > EXISTS none
        (integer) 0
        > SET k v nope
        (error) ERR syntax error
        > SADD s m
        (integer) 1
        > SET s v GET
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SET s v NX GET
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

#[test]
fn set_expiry() {
    check(
        r#"
        > SET k v EX 100
        OK
        > TTL k
        (integer) 100
        > SET k v KEEPTTL
        OK
        > TTL k
        (integer) 100
        > SET k v
        OK
        > TTL k
        (integer) -1
        > SET k v EX 0
        (error) ERR invalid expire time in 'set' command
        > SET k v PX -5
        (error) ERR invalid expire time in 'set' command
        > SET k v EX ten
        (error) ERR value is not an integer or out of range
        > SET k v EX 9223372036854775807
        (error) ERR invalid expire time in 'set' command
        > SET k v EX 10 PX 10
        (error) ERR syntax error
        > SET k v EX 10 KEEPTTL
        (error) ERR syntax error
        > SET k v EX
        (error) ERR syntax error
        > SETEX k 10 v
        OK
        > SETEX k 0 v
        (error) ERR invalid expire time in 'setex' command
        > PSETEX k 10000 v
        OK
        > TTL k
        (integer) 10
        > PSETEX k x v
        (error) ERR value is not an integer or out of range
    "#,
    );
    check(
        r#"
        > SET k v PX 1500
        OK
        @advance 1499
        > PTTL k
        (integer) 1
        @advance 1
        > GET k
        (nil)
        > SET k v EXAT 1700000100
        OK
        > SET k2 v PXAT 1700000100000
        OK
        > EXPIRETIME k
        (integer) 1700000100
        > PEXPIRETIME k2
        (integer) 1700000100000
        > DBSIZE
        (integer) 2
        @advance 99000
        > DBSIZE
        (integer) 0
    "#,
    );
}

#[test]
fn getset_getdel_getex_setnx() {
    check(
        r#"
        > GETSET k a
        (nil)
        > GETSET k b
        "a"
        > SETNX k c
        (integer) 0
        > SETNX k2 c
        (integer) 1
        > GETDEL k
        "b"
        > GETDEL k
        (nil)
        > GETEX k2 EX 100
        "c"
        > TTL k2
        (integer) 100
        > GETEX k2
        "c"
        > TTL k2
        (integer) 100
        > GETEX k2 PERSIST
        "c"
        > TTL k2
        (integer) -1
        > GETEX k2 PERSIST EX 10
        (error) ERR syntax error
        > GETEX k2 EX 0
        (error) ERR invalid expire time in 'getex' command
        > GETEX missing EX 10
        (nil)
        > GETEX k2 EXAT 1
        "c"
        > GET k2
        (nil)
        > HSET h f v
        (integer) 1
        > GETSET h x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GETDEL h
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GETEX h
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

#[test]
fn append_and_ranges() {
    check(
        r#"
        > APPEND k hello
        (integer) 5
        > APPEND k " world"
        (integer) 11
        > OBJECT ENCODING k
        "raw"
        > GETRANGE k 0 4
        "hello"
        > GETRANGE k -5 -1
        "world"
        > SUBSTR k 0 -1
        "hello world"
        > GETRANGE k 5 3
        ""
        > GETRANGE missing 0 -1
        ""
        > GETRANGE k a b
        (error) ERR value is not an integer or out of range
        > SETRANGE k 6 redis
        (integer) 11
        > GET k
        "hello redis"
        > SETRANGE gap 3 x
        (integer) 4
        > GET gap
        "\x00\x00\x00x"
        > SETRANGE none 3 ""
        (integer) 0
        > EXISTS none
        (integer) 0
        > SETRANGE k -1 x
        (error) ERR offset is out of range
        > SETRANGE k 536870912 x
        (error) ERR string exceeds maximum allowed size (proto-max-bulk-len)
        > SADD s m
        (integer) 1
        > APPEND s x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SETRANGE s 0 x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > STRLEN s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GETRANGE s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

#[test]
fn counters() {
    check(
        r#"
        > INCR n
        (integer) 1
        > INCRBY n 41
        (integer) 42
        > DECR n
        (integer) 41
        > DECRBY n 50
        (integer) -9
        > OBJECT ENCODING n
        "int"
        > EXPIRE n 100
        (integer) 1
        > INCR n
        (integer) -8
        > TTL n
        (integer) 100
        > SET n 9223372036854775807
        OK
        > INCR n
        (error) ERR increment or decrement would overflow
        > DECRBY n -9223372036854775808
        (error) ERR decrement would overflow
        > SET n -9223372036854775808
        OK
        > DECR n
        (error) ERR increment or decrement would overflow
        > SET n " 1"
        OK
        > INCR n
        (error) ERR value is not an integer or out of range
        > SET n 01
        OK
        > INCR n
        (error) ERR value is not an integer or out of range
        > INCRBY n x
        (error) ERR value is not an integer or out of range
        > SADD s m
        (integer) 1
        > INCR s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > INCRBYFLOAT f 10.5
        "10.5"
        > INCRBYFLOAT f 0.1
        "10.6"
        > INCRBYFLOAT f -5
        "5.6"
        > SET f 5.0e3
        OK
        > INCRBYFLOAT f 2.0e2
        "5200"
        > INCRBYFLOAT f abc
        (error) ERR value is not a valid float
        > INCRBYFLOAT f inf
        (error) ERR increment would produce NaN or Infinity
        > INCRBYFLOAT s 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SET f nofloat
        OK
        > INCRBYFLOAT f 1
        (error) ERR value is not a valid float
    "#,
    );
}

#[test]
fn several_at_once() {
    check(
        r#"
        > MSET a 1 b 2
        OK
        > MGET a b missing
        1) "1"
        2) "2"
        3) (nil)
        > SADD s m
        (integer) 1
        > MGET a s
        1) "1"
        2) (nil)
        > MSET a 1 b
        (error) ERR wrong number of arguments for 'mset' command
        > MSETNX c 1 a 2
        (integer) 0
        > EXISTS c
        (integer) 0
        > MSETNX c 1 d 2
        (integer) 1
        > MSETNX c 1 d
        (error) ERR wrong number of arguments for 'msetnx' command
        > MSET s text s text2
        OK
        > GET s
        "text2"
    "#,
    );
}

#[test]
fn encodings() {
    check(
        r#"
        > SET n 12345
        OK
        > OBJECT ENCODING n
        "int"
        > SET s 12345678901234567890
        OK
        > OBJECT ENCODING s
        "embstr"
        > SET s aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        OK
        > OBJECT ENCODING s
        "embstr"
        > SET s aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        OK
        > OBJECT ENCODING s
        "raw"
        > SET n 1
        OK
        > APPEND n 2
        (integer) 2
        > OBJECT ENCODING n
        "raw"
        > INCR n
        (integer) 13
        > OBJECT ENCODING n
        "int"
        > INCRBYFLOAT n 1
        "14"
        > OBJECT ENCODING n
        "embstr"
    "#,
    );
}

#[test]
fn longest_common_subsequence() {
    check_ours(
        r#"
        > MSET a ohmytext b mynewtext
        OK
        > LCS a b
        "mytext"
        > LCS a b LEN
        (integer) 6
        > LCS a b IDX
        1) "matches"
        2) 1) 1) 1) (integer) 4
                 2) (integer) 7
              2) 1) (integer) 5
                 2) (integer) 8
           2) 1) 1) (integer) 2
                 2) (integer) 3
              2) 1) (integer) 0
                 2) (integer) 1
        3) "len"
        4) (integer) 6
        > LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
        1) "matches"
        2) 1) 1) 1) (integer) 4
                 2) (integer) 7
              2) 1) (integer) 5
                 2) (integer) 8
              3) (integer) 4
        3) "len"
        4) (integer) 6
        > LCS a missing
        ""
        > LCS a b IDX LEN
        (error) ERR If you want both the length and indexes, please just use IDX.
        > LCS a b NOPE
        (error) ERR syntax error
        > SADD s m
        (integer) 1
        > LCS a s
        (error) ERR The specified keys must contain string values
    "#,
    );
}
