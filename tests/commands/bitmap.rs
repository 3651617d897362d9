//! Transcripts of the bitmap family.

use crate::support::{check, check_ours, check_resp3, server};

#[test]
fn bits_are_set_and_got() {
    check(
        r#"
        > SETBIT k 7 1
        (integer) 0
        > SETBIT k 7 1
        (integer) 1
        > GET k
        "\x01"
        > SETBIT k 7 0
        (integer) 1
        > GET k
        "\x00"
        > SETBIT k 17 1
        (integer) 0
        > GET k
        "\x00\x00@"
        > STRLEN k
        (integer) 3
        > GETBIT k 17
        (integer) 1
        > GETBIT k 16
        (integer) 0
        > GETBIT k 4294967295
        (integer) 0
        > GETBIT missing 0
        (integer) 0
        > SETBIT zero 30 0
        (integer) 0
        > GET zero
        "\x00\x00\x00\x00"
        > EXISTS missing
        (integer) 0
    "#,
    );
}

#[test]
fn bits_that_cannot_be() {
    check(
        r#"
        > SETBIT k 4294967296 1
        (error) ERR bit offset is not an integer or out of range
        > SETBIT k -1 1
        (error) ERR bit offset is not an integer or out of range
        > SETBIT k x 2
        (error) ERR bit offset is not an integer or out of range
        > SETBIT k #1 1
        (error) ERR bit offset is not an integer or out of range
        > SETBIT k 1 2
        (error) ERR bit is not an integer or out of range
        > SETBIT k 1 x
        (error) ERR bit is not an integer or out of range
        > SETBIT k 1
        (error) ERR wrong number of arguments for 'setbit' command
        > GETBIT k 4294967296
        (error) ERR bit offset is not an integer or out of range
        > EXISTS k
        (integer) 0
        > CONFIG SET proto-max-bulk-len 1mb
        OK
        > SETBIT k 8388607 1
        (integer) 0
        > STRLEN k
        (integer) 1048576
        > SETBIT k 8388608 1
        (error) ERR bit offset is not an integer or out of range
        > GETBIT k 8388608
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k SET u8 8388608 1
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k SET u8 #1048576 1
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k SET u8 #1048575 2
        1) (integer) 1
        > RPUSH list a
        (integer) 1
        > SETBIT list 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SETBIT list 0 x
        (error) ERR bit is not an integer or out of range
        > GETBIT list 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BITCOUNT list
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BITPOS list 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BITOP OR d missing list
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BITFIELD list GET u8 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BITFIELD list SET u8 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BITFIELD list
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BITFIELD_RO list GET u8 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LLEN list
        (integer) 1
    "#,
    );
}

#[test]
fn numbers_become_text() {
    check(
        r#"
        > SET k 123
        OK
        > GETBIT k 3
        (integer) 1
        > BITCOUNT k
        (integer) 10
        > OBJECT ENCODING k
        "int"
        > SETBIT k 2 1
        (integer) 1
        > OBJECT ENCODING k
        "raw"
        > SETBIT k 6 1
        (integer) 0
        > GET k
        "323"
        > INCR k
        (integer) 324
        > OBJECT ENCODING k
        "int"
        > BITFIELD k SET u8 0 49
        1) (integer) 51
        > OBJECT ENCODING k
        "raw"
        > SET k text
        OK
        > OBJECT ENCODING k
        "embstr"
        > SETBIT k 7 1
        (integer) 0
        > OBJECT ENCODING k
        "raw"
        > SETBIT new 0 1
        (integer) 0
        > OBJECT ENCODING new
        "raw"
        > BITFIELD field SET u8 0 49
        1) (integer) 0
        > OBJECT ENCODING field
        "raw"
        > GET field
        "1"
        > BITOP OR both field missing
        (integer) 1
        > OBJECT ENCODING both
        "raw"
        > INCR both
        (integer) 2
    "#,
    );
}

#[test]
fn deadlines_stay_but_for_results() {
    check(
        r#"
        > SET k a EX 100
        OK
        > SETBIT k 0 1
        (integer) 0
        > TTL k
        (integer) 100
        > BITFIELD k SET u8 0 1
        1) (integer) 225
        > TTL k
        (integer) 100
        > SET d b EX 100
        OK
        > BITOP NOT d k
        (integer) 1
        > TTL d
        (integer) -1
        > TTL k
        (integer) 100
    "#,
    );
    check_ours(
        r#"
        > SET k "\xff" PX 1000
        OK
        > BITCOUNT k
        (integer) 8
        @advance 1000
        > BITCOUNT k
        (integer) 0
        > SETBIT k 0 1
        (integer) 0
        > BITCOUNT k
        (integer) 1
        > TTL k
        (integer) -1
    "#,
    );
}

#[test]
fn bits_are_counted() {
    check(
        r#"
        > SET k foobar
        OK
        > BITCOUNT k
        (integer) 26
        > BITCOUNT k 0 0
        (integer) 4
        > BITCOUNT k 1 1 BYTE
        (integer) 6
        > BITCOUNT k 5 30 BIT
        (integer) 17
        > BITCOUNT k -8 -1 bit
        (integer) 4
        > BITCOUNT k 3 2
        (integer) 0
        > BITCOUNT k 0 -100
        (integer) 4
        > BITCOUNT k -5 -10
        (integer) 0
        > BITCOUNT k -50 -100
        (integer) 0
        > BITCOUNT k -100 100
        (integer) 26
        > BITCOUNT k 6 100
        (integer) 0
        > BITCOUNT k -9223372036854775808 9223372036854775807 BIT
        (integer) 26
        > BITCOUNT k 0 1 HELLO
        (error) ERR syntax error
        > BITCOUNT k 0
        (error) ERR syntax error
        > BITCOUNT k 0 1 BIT 2
        (error) ERR syntax error
        > BITCOUNT k x 1
        (error) ERR value is not an integer or out of range
        > BITCOUNT k 0 x
        (error) ERR value is not an integer or out of range
        > BITCOUNT missing
        (integer) 0
        > BITCOUNT missing 0 -1 BIT
        (integer) 0
        > SET empty ""
        OK
        > BITCOUNT empty
        (integer) 0
        > BITCOUNT empty 0 -1
        (integer) 0
    "#,
    );
    // Since 7.4 what is wrong is said before the key is looked for.
    check_ours(
        r#"
        > BITCOUNT missing 0
        (error) ERR syntax error
        > BITCOUNT missing x 1
        (error) ERR value is not an integer or out of range
        > BITPOS missing 1 x
        (error) ERR value is not an integer or out of range
        > BITPOS missing 1 0 1 HELLO
        (error) ERR syntax error
    "#,
    );
}

#[test]
fn bits_are_found() {
    check(
        r#"
        > SET k "\xff\xf0\x00"
        OK
        > BITPOS k 0
        (integer) 12
        > BITPOS k 1
        (integer) 0
        > BITPOS k 1 2
        (integer) -1
        > BITPOS k 0 2
        (integer) 16
        > BITPOS k 1 1 -1
        (integer) 8
        > BITPOS k 0 0 0
        (integer) -1
        > BITPOS k 0 8 11 BIT
        (integer) -1
        > BITPOS k 0 8 12 BIT
        (integer) 12
        > BITPOS k 1 7 15 BIT
        (integer) 7
        > BITPOS k 1 -2 -1 BYTE
        (integer) 8
        > BITPOS k 1 -5 -10
        (integer) 0
        > BITPOS k 1 2 1
        (integer) -1
        > BITPOS k 2
        (error) ERR The bit argument must be 1 or 0.
        > BITPOS k x
        (error) ERR value is not an integer or out of range
        > BITPOS k 1 x
        (error) ERR value is not an integer or out of range
        > BITPOS k 1 0 x
        (error) ERR value is not an integer or out of range
        > BITPOS k 1 0 x HELLO
        (error) ERR syntax error
        > BITPOS k 1 0 1 BIT 2
        (error) ERR syntax error
        > SET ones "\xff\xff\xff"
        OK
        > BITPOS ones 0
        (integer) 24
        > BITPOS ones 0 1
        (integer) 24
        > BITPOS ones 0 3
        (integer) -1
        > BITPOS ones 0 0 -1
        (integer) -1
        > BITPOS missing 0
        (integer) 0
        > BITPOS missing 0 5 6
        (integer) 0
        > BITPOS missing 1
        (integer) -1
        > SET empty ""
        OK
        > BITPOS empty 0
        (integer) -1
        > BITPOS empty 0 0
        (integer) -1
    "#,
    );
}

#[test]
fn strings_are_combined() {
    check(
        r#"
        > MSET a "\xf0\x0f\xaa" b "\xcc\xcc"
        OK
        > BITOP AND d a b
        (integer) 3
        > GET d
        "\xc0\x0c\x00"
        > BITOP or d a b
        (integer) 3
        > GET d
        "\xfc\xcf\xaa"
        > BITOP XOR d a b missing
        (integer) 3
        > GET d
        "<\xc3\xaa"
        > BITOP NOT d a
        (integer) 3
        > GET d
        "\x0f\xf0U"
        > BITOP NOT d d
        (integer) 3
        > GET d
        "\xf0\x0f\xaa"
        > BITOP AND d a missing
        (integer) 3
        > GET d
        "\x00\x00\x00"
        > BITOP XOR d a a
        (integer) 3
        > GET d
        "\x00\x00\x00"
        > BITOP OR d missing
        (integer) 0
        > EXISTS d
        (integer) 0
        > BITOP NOT d missing
        (integer) 0
        > RPUSH d x
        (integer) 1
        > BITOP OR d a
        (integer) 3
        > TYPE d
        string
        > SET n 12
        OK
        > BITOP OR d n b
        (integer) 2
        > GET d
        "\xfd\xfe"
        > BITOP NOT d a b
        (error) ERR BITOP NOT must be called with a single source key.
        > BITOP NAND d a b
        (error) ERR syntax error
        > BITOP AND d
        (error) ERR wrong number of arguments for 'bitop' command
    "#,
    );
}

#[test]
fn strings_are_set_against_each_other() {
    check_ours(
        r#"
        > MSET a "\xf0\x0f\xaa" b "\xcc\xcc" c "\x01\x80\xff\x81"
        OK
        > BITOP DIFF d a b
        (integer) 3
        > GET d
        "0\x03\xaa"
        > BITOP DIFF d a b c
        (integer) 4
        > GET d
        "0\x03\x00\x00"
        > BITOP DIFF1 d a b c
        (integer) 4
        > GET d
        "\r\xc0U\x81"
        > BITOP ANDOR d a b c
        (integer) 4
        > GET d
        "\xc0\x0c\xaa\x00"
        > BITOP ONE d a b c
        (integer) 4
        > GET d
        "=CU\x81"
        > BITOP ONE d a
        (integer) 3
        > GET d
        "\xf0\x0f\xaa"
        > BITOP ONE d a a a
        (integer) 3
        > GET d
        "\x00\x00\x00"
        > BITOP diff d missing a
        (integer) 3
        > GET d
        "\x00\x00\x00"
        > BITOP DIFF1 d missing missing
        (integer) 0
        > EXISTS d
        (integer) 0
        > BITOP DIFF d a
        (error) ERR BITOP DIFF must be called with at least two source keys.
        > BITOP DIFF1 d a
        (error) ERR BITOP DIFF1 must be called with at least two source keys.
        > BITOP andor d a
        (error) ERR BITOP ANDOR must be called with at least two source keys.
    "#,
    );
}

#[test]
fn fields_are_numbers() {
    check(
        r#"
        > BITFIELD k INCRBY i5 100 1 GET u4 0
        1) (integer) 1
        2) (integer) 0
        > STRLEN k
        (integer) 14
        > BITFIELD k SET i8 #1 -100 GET u8 #1 GET i8 8 GET u4 8 GET i4 12
        1) (integer) 0
        2) (integer) 156
        3) (integer) -100
        4) (integer) 9
        5) (integer) -4
        > BITFIELD k set i64 3 -9223372036854775808 get i64 3 get u63 3 get u1 3
        1) (integer) 351280770934898688
        2) (integer) -9223372036854775808
        3) (integer) 4611686018427387904
        4) (integer) 1
        > BITFIELD k GET u8 100000
        1) (integer) 0
        > BITFIELD missing GET u8 0 GET i64 7
        1) (integer) 0
        2) (integer) 0
        > EXISTS missing
        (integer) 0
        > BITFIELD k
        (empty array)
        > BITFIELD k OVERFLOW SAT
        (empty array)
        > BITFIELD_RO k GET u8 #1 GET i64 3
        1) (integer) 0
        2) (integer) -9223372036854775808
        > BITFIELD_RO k
        (empty array)
        > BITFIELD_RO missing GET u8 0
        1) (integer) 0
        > BITFIELD_RO k OVERFLOW SAT GET u1 3
        1) (integer) 1
        > BITFIELD_RO k SET u8 0 1
        (error) ERR BITFIELD_RO only supports the GET subcommand
        > BITFIELD_RO k GET u8 0 INCRBY u8 0 1
        (error) ERR BITFIELD_RO only supports the GET subcommand
    "#,
    );
}

#[test]
fn numbers_that_do_not_fit_their_field() {
    check(
        r#"
        > BITFIELD k SET u8 0 255 INCRBY u8 0 1 INCRBY u8 0 -1
        1) (integer) 0
        2) (integer) 0
        3) (integer) 255
        > BITFIELD k OVERFLOW SAT INCRBY u8 0 1 INCRBY u8 0 -1000 OVERFLOW WRAP INCRBY u8 0 -1
        1) (integer) 255
        2) (integer) 0
        3) (integer) 255
        > BITFIELD k OVERFLOW FAIL INCRBY u8 0 1 SET u8 0 256 SET u8 0 -1 SET u8 0 7
        1) (nil)
        2) (nil)
        3) (nil)
        4) (integer) 255
        > BITFIELD k SET i8 0 127 INCRBY i8 0 1 OVERFLOW SAT INCRBY i8 0 -1 SET i8 0 1000 INCRBY i8 0 1
        1) (integer) 7
        2) (integer) -128
        3) (integer) -128
        4) (integer) -128
        5) (integer) 127
        > BITFIELD k OVERFLOW SAT SET u8 0 -1 GET u8 0 OVERFLOW WRAP SET u8 0 -2 GET u8 0
        1) (integer) 127
        2) (integer) 255
        3) (integer) 255
        4) (integer) 254
        > BITFIELD k OVERFLOW SAT SET i8 0 -129 GET i8 0 SET i8 0 -9223372036854775808 GET i8 0
        1) (integer) -2
        2) (integer) -128
        3) (integer) -128
        4) (integer) 127
        > BITFIELD k OVERFLOW SAT SET i64 5 9223372036854775807 INCRBY i64 5 1 INCRBY i64 5 -1 OVERFLOW WRAP INCRBY i64 5 9223372036854775807
        1) (integer) -2305843009213693952
        2) (integer) 9223372036854775807
        3) (integer) 9223372036854775806
        4) (integer) -3
        > BITFIELD k OVERFLOW FAIL INCRBY i64 5 -9223372036854775807 GET i64 5
        1) (nil)
        2) (integer) -3
        > BITFIELD room OVERFLOW FAIL SET u1 20 2
        1) (nil)
        > STRLEN room
        (integer) 3
    "#,
    );
    check_resp3(
        r#"
        > BITFIELD k OVERFLOW FAIL SET u1 0 2 GET u1 0
        1) (nil)
        2) (integer) 0
    "#,
    );
}

#[test]
fn fields_that_cannot_be() {
    check(
        r#"
        > BITFIELD k GET u64 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET i65 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET u0 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET U8 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET u08 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET u 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET "" 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD k GET u8 x
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k GET u8 -1
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k GET u8 #-1
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k GET u8 #
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k GET u8 4294967296
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k SET u8 0 x
        (error) ERR value is not an integer or out of range
        > BITFIELD k SET u8 0 1 INCRBY u8 0 1.5
        (error) ERR value is not an integer or out of range
        > BITFIELD k OVERFLOW NONE
        (error) ERR Invalid OVERFLOW type specified
        > BITFIELD k OVERFLOW
        (error) ERR syntax error
        > BITFIELD k GET u8
        (error) ERR syntax error
        > BITFIELD k SET u8 0
        (error) ERR syntax error
        > BITFIELD k PUT u8 0 1
        (error) ERR syntax error
        > BITFIELD
        (error) ERR wrong number of arguments for 'bitfield' command
        > EXISTS k
        (integer) 0
    "#,
    );
    // Real servers take what is left of the product in 64 bits, here 0.
    check_ours(
        r#"
        > BITFIELD k SET u4 #4611686018427387904 1
        (error) ERR bit offset is not an integer or out of range
        > BITFIELD k SET u2 #-9223372036854775808 1
        (error) ERR bit offset is not an integer or out of range
    "#,
    );
}

#[test]
fn a_transaction_fails_only_when_a_bit_has_changed() {
    check(
        r#"
        > SETBIT k 1 1
        (integer) 0
        > WATCH k
        OK
        > SETBIT k 1 1
        (integer) 1
        > BITFIELD k SET u1 1 1
        1) (integer) 1
        > MULTI
        OK
        > GETBIT k 1
        QUEUED
        > EXEC
        1) (integer) 1
        > WATCH k
        OK
        > SETBIT k 2 1
        (integer) 0
        > MULTI
        OK
        > GETBIT k 2
        QUEUED
        > EXEC
        (nil)
    "#,
    );
}

#[test]
fn the_farthest_bit_takes_what_it_needs() {
    let server = server();
    let mut client = server.client();
    assert_eq!(client.call(["SETBIT", "k", "4294967295", "1"]).as_int(), Some(0));
    assert_eq!(client.call(["STRLEN", "k"]).as_int(), Some(512 << 20));
    let usage = client.call(["MEMORY", "USAGE", "k"]).as_int().unwrap();
    assert!((512 << 20..513 << 20).contains(&usage), "{usage}");
    assert_eq!(client.call(["BITPOS", "k", "1"]).as_int(), Some(4_294_967_295));
    assert_eq!(client.call(["BITCOUNT", "k"]).as_int(), Some(1));
    // A field may go on behind the last offset, as in Redis.
    client.call(["BITFIELD", "k", "SET", "u8", "4294967295", "255"]);
    assert_eq!(client.call(["STRLEN", "k"]).as_int(), Some((512 << 20) + 1));
    let usage = client.call(["MEMORY", "USAGE", "k"]).as_int().unwrap();
    assert!((512 << 20..514 << 20).contains(&usage), "{usage}");
}
