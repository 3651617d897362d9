//! Transcripts of the deadlines of hash fields. Redis 7.0 has none: `twin::hash_deadlines` compares with Valkey.

use crate::support::transcript::{check_ours, check_ours_with, split};
use crate::support::{builder, server};
use resplite::Value;
use std::time::Duration;

const DEBUG: &[(&str, &str)] = &[("enable-debug-command", "yes")];
/// A value that only a table holds.
const LONG: &str = "a-value-that-is-longer-than-sixty-four-bytes-so-that-a-table-has-to-hold-it";

#[test]
fn fields_go_when_their_time_has_come() {
    check_ours(
        r#"
        > HSET h a 1 b 2 c 3
        (integer) 3
        > HEXPIRE h 10 FIELDS 2 a x
        1) (integer) 1
        2) (integer) -2
        > HPEXPIRE h 20000 FIELDS 1 b
        1) (integer) 1
        > HTTL h FIELDS 4 a b c x
        1) (integer) 10
        2) (integer) 20
        3) (integer) -1
        4) (integer) -2
        > HPTTL h FIELDS 1 a
        1) (integer) 10000
        > HEXPIRETIME h FIELDS 1 a
        1) (integer) 1700000010
        > HPEXPIRETIME h FIELDS 2 a c
        1) (integer) 1700000010000
        2) (integer) -1
        > OBJECT ENCODING h
        "listpackex"
        @advance 9999
        > HGETALL h
        1) "a"
        2) "1"
        3) "b"
        4) "2"
        5) "c"
        6) "3"
        @advance 1
        > HGETALL h
        1) "b"
        2) "2"
        3) "c"
        4) "3"
        > HLEN h
        (integer) 2
        @advance 10000
        > HKEYS h
        1) "c"
        > HTTL none FIELDS 2 a b
        1) (integer) -2
        2) (integer) -2
        > HEXPIRE none 10 FIELDS 2 a b
        1) (integer) -2
        2) (integer) -2
        > HPEXPIRE h 1 FIELDS 1 c
        1) (integer) 1
        > EXISTS h
        (integer) 1
        @advance 1
        > EXISTS h
        (integer) 0
        > TYPE h
        none
        "#,
    );
}

/// A key without a sweep: whoever looks finds no field whose time has come.
#[test]
fn nobody_sees_a_field_whose_time_has_come() {
    for value in ["1", LONG] {
        for (look, expected) in [
            ("HGET h a", "(nil)"),
            ("HGET h b", "\"2\""),
            ("HMGET h a b", "1) (nil)\n        2) \"2\""),
            ("HGETALL h", "1) \"b\"\n        2) \"2\""),
            ("HKEYS h", "1) \"b\""),
            ("HVALS h", "1) \"2\""),
            ("HLEN h", "(integer) 1"),
            ("HEXISTS h a", "(integer) 0"),
            ("HSTRLEN h a", "(integer) 0"),
            ("HSCAN h 0", "1) \"0\"\n        2) 1) \"b\"\n           2) \"2\""),
            ("HRANDFIELD h 5", "1) \"b\""),
            ("HRANDFIELD h", "\"b\""),
            ("HRANDFIELD h -2", "1) \"b\"\n        2) \"b\""),
            ("HINCRBY h a 5", "(integer) 5"),
            ("HINCRBYFLOAT h a 1.5", "\"1.5\""),
            ("HSETNX h a 7", "(integer) 1"),
            ("HSET h a 7", "(integer) 1"),
            ("HDEL h a", "(integer) 0"),
            ("HTTL h FIELDS 1 a", "1) (integer) -2"),
            ("HPERSIST h FIELDS 1 a", "1) (integer) -2"),
            ("HEXPIRE h 10 FIELDS 1 a", "1) (integer) -2"),
            ("HGETDEL h FIELDS 1 a", "1) (nil)"),
            ("HGETEX h PERSIST FIELDS 1 a", "1) (nil)"),
            ("HSETEX h FXX FIELDS 1 a 1", "(integer) 0"),
            ("HSETEX h FNX FIELDS 1 a 1", "(integer) 1"),
            ("COPY h other", "(integer) 1\n        > HGETALL other\n        1) \"b\"\n        2) \"2\""),
            ("RENAME h other", "OK\n        > HGETALL other\n        1) \"b\"\n        2) \"2\""),
            ("EXISTS gone", "(integer) 0"),
            ("TYPE gone", "none"),
            ("HLEN gone", "(integer) 0"),
            ("DUMP gone", "(nil)"),
            ("KEYS *", "1) \"h\""),
            ("SCAN 0 COUNT 1000", "1) \"0\"\n        2) 1) \"h\""),
            ("RANDOMKEY", "\"h\""),
            ("OBJECT ENCODING gone", "(nil)"),
            ("SETNX gone 1", "(integer) 1"),
            ("SADD gone m", "(integer) 1"),
        ] {
            check_ours_with(
                DEBUG,
                &format!(
                    r#"
        > DEBUG SET-ACTIVE-EXPIRE 0
        OK
        > HSET h a {value} b 2
        (integer) 2
        > HPEXPIRE h 100 FIELDS 1 a
        1) (integer) 1
        > HSETEX gone PX 50 FIELDS 2 a 1 b {value}
        (integer) 1
        @advance 100
        > {look}
        {expected}
        "#
                ),
            );
        }
    }
}

#[test]
fn conditions_are_about_the_old_deadline() {
    check_ours(
        r#"
        > HSET h a 1 b 2
        (integer) 2
        > HEXPIRE h 100 XX FIELDS 2 a b
        1) (integer) 0
        2) (integer) 0
        > HEXPIRE h 100 GT FIELDS 2 a b
        1) (integer) 0
        2) (integer) 0
        > HEXPIRE h 100 NX FIELDS 1 a
        1) (integer) 1
        > HEXPIRE h 200 NX FIELDS 2 a b
        1) (integer) 0
        2) (integer) 1
        > HEXPIRE h 150 GT FIELDS 2 a b
        1) (integer) 1
        2) (integer) 0
        > HEXPIRE h 150 LT FIELDS 2 a b
        1) (integer) 0
        2) (integer) 1
        > HPERSIST h FIELDS 3 a a x
        1) (integer) 1
        2) (integer) -1
        3) (integer) -2
        > HEXPIRE h 50 lt fields 1 a
        1) (integer) 1
        > HEXPIRE h 0 NX FIELDS 1 a
        1) (integer) 0
        > HEXPIRE h 0 XX FIELDS 1 a
        1) (integer) 2
        > HEXPIREAT h 1 FIELDS 1 b
        1) (integer) 2
        > EXISTS h
        (integer) 0
        "#,
    );
}

#[test]
fn setting_a_field_removes_its_deadline_and_adding_to_it_does_not() {
    for filler in ["1", LONG] {
        check_ours(&format!(
            r#"
            > HSETEX h PXAT 1800000000000 FIELDS 4 a 1 b 1 c 1 d {filler}
            (integer) 1
            > HINCRBY h a 5
            (integer) 6
            > HINCRBYFLOAT h a 0.5
            "6.5"
            > HSETNX h a 1
            (integer) 0
            > HSET h b 2
            (integer) 0
            > HMSET h c 2
            OK
            > HPEXPIRETIME h FIELDS 4 a b c d
            1) (integer) 1800000000000
            2) (integer) -1
            3) (integer) -1
            4) (integer) 1800000000000
            > HDEL h d
            (integer) 1
            > HSET h d 1
            (integer) 1
            > HPTTL h FIELDS 1 d
            1) (integer) -1
            > EXPIREAT h 1900000000
            (integer) 1
            > COPY h copy
            (integer) 1
            > RENAME h moved
            OK
            > MOVE moved 1
            (integer) 1
            > SELECT 1
            OK
            > HPEXPIRETIME moved FIELDS 2 a b
            1) (integer) 1800000000000
            2) (integer) -1
            > EXPIRETIME moved
            (integer) 1900000000
            > SELECT 0
            OK
            > HPEXPIRETIME copy FIELDS 2 a b
            1) (integer) 1800000000000
            2) (integer) -1
            > SET copy string
            OK
            @advance 200000000000
            > GET copy
            "string"
            "#
        ));
    }
}

#[test]
fn hgetex_reads_and_sets_deadlines() {
    check_ours(
        r#"
        > HSET h a 1 b 2 c 3
        (integer) 3
        > HGETEX h FIELDS 2 a x
        1) "1"
        2) (nil)
        > HGETEX h EX 100 FIELDS 2 a x
        1) "1"
        2) (nil)
        > HGETEX h PX 1500 FIELDS 1 b
        1) "2"
        > HPTTL h FIELDS 3 a b c
        1) (integer) 100000
        2) (integer) 1500
        3) (integer) -1
        > HGETEX h EXAT 1800000000 FIELDS 1 a
        1) "1"
        > HGETEX h PXAT 1800000000001 FIELDS 1 b
        1) "2"
        > HPEXPIRETIME h FIELDS 2 a b
        1) (integer) 1800000000000
        2) (integer) 1800000000001
        > HGETEX h PERSIST FIELDS 2 a c
        1) "1"
        2) "3"
        > HPTTL h FIELDS 1 a
        1) (integer) -1
        > HGETEX h EX 0 FIELDS 1 a
        1) "1"
        > HGETEX h PXAT 1 FIELDS 2 b c
        1) "2"
        2) "3"
        > EXISTS h
        (integer) 0
        > HGETEX h EX 10 FIELDS 1 a
        1) (nil)
        > HGETEX h EX -1 FIELDS 1 a
        (error) ERR invalid expire time in 'hgetex' command
        > HGETEX h EX x FIELDS 1 a
        (error) ERR value is not an integer or out of range
        > HGETEX h EX 9223372036854775807 FIELDS 1 a
        (error) ERR invalid expire time in 'hgetex' command
        > HGETEX h EX 1 PX 1 FIELDS 1 a
        (error) ERR syntax error
        > HGETEX h EX 1 PERSIST FIELDS 1 a
        (error) ERR syntax error
        > HGETEX h KEEPTTL FIELDS 1 a
        (error) ERR syntax error
        > HGETEX h EX FIELDS 1 a
        (error) ERR syntax error
        > HGETEX h FIELDS 1 a EX 10
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > HGETEX h FIELDS 0 a
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > HGETEX h EX 10 a b c
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > SET s v
        OK
        > HGETEX s EX x FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HGETEX s EX 1 FIELDS 2 a
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        "#,
    );
}

#[test]
fn hsetex_sets_all_or_nothing() {
    check_ours(
        r#"
        > HSETEX h FXX FIELDS 1 a 1
        (integer) 0
        > EXISTS h
        (integer) 0
        > HSETEX h FIELDS 1 a 1
        (integer) 1
        > HSETEX h FNX FIELDS 2 a 2 b 2
        (integer) 0
        > HSETEX h FXX FIELDS 2 a 2 b 2
        (integer) 0
        > HSETEX h FNX EX 100 FIELDS 1 b 2
        (integer) 1
        > HSETEX h EX 50 FXX FIELDS 2 a 3 b 4
        (integer) 1
        > HTTL h FIELDS 2 a b
        1) (integer) 50
        2) (integer) 50
        > HSETEX h KEEPTTL FIELDS 2 a 5 c 6
        (integer) 1
        > HTTL h FIELDS 3 a b c
        1) (integer) 50
        2) (integer) 50
        3) (integer) -1
        > HSETEX h FIELDS 1 a 7
        (integer) 1
        > HTTL h FIELDS 1 a
        1) (integer) -1
        > HGETALL h
        1) "b"
        2) "4"
        3) "c"
        4) "6"
        5) "a"
        6) "7"
        > HSETEX h FIELDS 2 d 1 d 2
        (integer) 1
        > HGET h d
        "2"
        > HSETEX h PXAT 1 FIELDS 2 a 1 new 1
        (integer) 1
        > HMGET h a new
        1) (nil)
        2) (nil)
        > HSETEX none EXAT 1 FIELDS 1 a 1
        (integer) 1
        > EXISTS none
        (integer) 0
        > HSETEX h EX -1 FIELDS 1 a 5
        (error) ERR invalid expire time in 'hsetex' command
        > HSETEX h EX x FIELDS 1 a 5
        (error) ERR value is not an integer or out of range
        > HSETEX h FNX FXX FIELDS 1 a 5
        (error) ERR syntax error
        > HSETEX h EX 1 PX 1 FIELDS 1 a 5
        (error) ERR syntax error
        > HSETEX h EX 1 KEEPTTL FIELDS 1 a 5
        (error) ERR syntax error
        > HSETEX h NX FIELDS 1 a 5
        (error) ERR syntax error
        > HSETEX h PERSIST FIELDS 1 a 5
        (error) ERR syntax error
        > HSETEX h FIELDS 2 a 5
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > HSETEX h FIELDS 1 a 5 b
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > HSETEX h FIELDS 9223372036854775807 a 5
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > HSETEX h FIELDS x a 5
        (error) ERR value is not an integer or out of range
        > SET s v
        OK
        > HSETEX s EX x FIELDS 1 a 5
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn hgetdel_takes_fields_out() {
    check_ours(
        r#"
        > HSET h a 1 b 2
        (integer) 2
        > HGETDEL h FIELDS 3 a x a
        1) "1"
        2) (nil)
        3) (nil)
        > HGETDEL none FIELDS 2 a b
        1) (nil)
        2) (nil)
        > HGETDEL h fields 1 b
        1) "2"
        > EXISTS h
        (integer) 0
        > HGETDEL h FIELDS 2 a
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > HGETDEL h FIELDS x a
        (error) ERR value is not an integer or out of range
        > HGETDEL h FIELDZ 1 a
        (error) ERR syntax error
        > SET s v
        OK
        > HGETDEL s FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn wrong_arguments_are_refused() {
    check_ours(
        r#"
        > HSET h a 1
        (integer) 1
        > HEXPIRE h 10 FIELDS 1
        (error) ERR wrong number of arguments for 'hexpire' command
        > HEXPIRE h -1 FIELDS 1 a
        (error) ERR invalid expire time in 'hexpire' command
        > HPEXPIREAT h -1 FIELDS 1 a
        (error) ERR invalid expire time in 'hpexpireat' command
        > HEXPIRE h 9223372036854775807 FIELDS 1 a
        (error) ERR invalid expire time in 'hexpire' command
        > HPEXPIRE h 9223372036854775807 FIELDS 1 a
        (error) ERR invalid expire time in 'hpexpire' command
        > HEXPIRE h x FIELDS 1 a
        (error) ERR value is not an integer or out of range
        > HEXPIRE h x FIELDS 2 a
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > HEXPIRE h 10 FIELDS 0 a
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > HEXPIRE h 10 FIELDS x a
        (error) ERR value is not an integer or out of range
        > HEXPIRE h 10 FIELDZ 1 a
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > HEXPIRE h 10 NX XX FIELDS 1 a
        (error) ERR NX and XX, GT or LT options at the same time are not compatible
        > HEXPIRE h 10 GT LT FIELDS 1 a
        (error) ERR GT and LT options at the same time are not compatible
        > HEXPIRE h 10 NY FIELDS 1 a
        (error) ERR Unsupported option NY
        > HPEXPIREAT h 9223372036854775807 FIELDS 1 a
        1) (integer) 1
        > HPEXPIRETIME h FIELDS 1 a
        1) (integer) 9223372036854775807
        > HEXPIRETIME h FIELDS 1 a
        1) (integer) 9223372036854775
        > HTTL h FIELDS 2 a
        (error) ERR syntax error
        > HTTL h FIELDZ 1 a
        (error) ERR syntax error
        > HPTTL h FIELDS 0 a
        (error) ERR syntax error
        > HEXPIRETIME h FIELDS x a
        (error) ERR value is not an integer or out of range
        > HPERSIST h FIELDS 2 a
        (error) ERR numfields should be greater than 0 and match the provided number of fields
        > HPERSIST h FIELDZ 1 a
        (error) ERR syntax error
        > SET s v
        OK
        > HEXPIRE s 10 FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HTTL s FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HPERSIST s FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn what_is_watched_changes_with_a_field_that_goes() {
    for sweeps in ["0", "1"] {
        check_ours_with(
            DEBUG,
            &format!(
                r#"
            > DEBUG SET-ACTIVE-EXPIRE {sweeps}
            OK
            > HSETEX h PX 100 FIELDS 1 a 1
            (integer) 1
            > HSET h b 1
            (integer) 1
            > WATCH h
            OK
            @advance 99
            > MULTI
            OK
            > HLEN h
            QUEUED
            > EXEC
            1) (integer) 2
            > WATCH h
            OK
            @advance 1
            > MULTI
            OK
            > HLEN h
            QUEUED
            > EXEC
            (nil)
            "#
            ),
        );
    }
}

#[test]
fn dumps_keep_deadlines() {
    for filler in ["1", LONG] {
        check_ours_with(
            DEBUG,
            &format!(
                r#"
            > HSET h a 1 b {filler} c 3
            (integer) 3
            > HPEXPIREAT h 1800000000000 FIELDS 1 a
            1) (integer) 1
            > HPEXPIREAT h 1700000000200 FIELDS 1 b
            1) (integer) 1
            > DEBUG RELOAD
            OK
            > HPEXPIRETIME h FIELDS 3 a b c
            1) (integer) 1800000000000
            2) (integer) 1700000000200
            3) (integer) -1
            @advance 200
            > HMGET h a b c
            1) "1"
            2) (nil)
            3) "3"
            "#
            ),
        );
    }
}

#[test]
fn info_counts_fields() {
    let server = server();
    let mut client = server.client();
    let mut ask = |line: &str| client.call(split(line));
    let value = |text: Value, name: &str| {
        let text = text.as_str().unwrap().to_owned();
        text.lines().find_map(|line| Some(line.split_once(name)?.1.to_owned())).unwrap()
    };
    ask("HSETEX h PX 100 FIELDS 2 a 1 b 1");
    ask("HSET h c 1");
    ask("HSETEX i PX 300 FIELDS 1 a 1");
    ask("HSET j a 1");
    assert_eq!(value(ask("INFO keyspace"), "subexpiry="), "2");
    assert_eq!(value(ask("INFO stats"), "expired_subkeys:"), "0");
    assert!(server.advance(Duration::from_millis(100)));
    assert_eq!(value(ask("INFO keyspace"), "subexpiry="), "1");
    assert_eq!(value(ask("INFO stats"), "expired_subkeys:"), "2");
    ask("HPERSIST i FIELDS 1 a");
    assert_eq!(value(ask("INFO keyspace"), "subexpiry="), "0");
    assert_eq!(value(ask("INFO stats"), "expired_keys:"), "0");
}

#[test]
fn many_fields_go_in_order_and_one_by_one() {
    let server = builder().setting("notify-keyspace-events", "Kh").unwrap().start().unwrap();
    let mut client = server.client();
    // More than one look of the sweep removes, in two hashes whose deadlines lie between each other.
    for number in 0..1000 {
        let (key, at) = (["h", "i"][number % 2], (1_700_000_000_100 + number).to_string());
        client.call(["HSETEX", key, "PXAT", &at, "FIELDS", "1", &number.to_string(), "v"]);
    }
    for passed in [100, 101, 350, 999, 1098] {
        let before = client.call(["TIME"]).into_vec();
        let micros = |at: usize| before[at].as_str().unwrap().parse::<u64>().unwrap();
        let now = micros(0) * 1000 + micros(1) / 1000 - 1_700_000_000_000;
        assert!(server.advance(Duration::from_millis(passed - now)));
        let left = 1000 - (passed - 99) as i64;
        let lens: i64 = ["h", "i"].map(|key| client.call(["HLEN", key]).as_int().unwrap()).iter().sum();
        assert_eq!(lens, left);
    }
    assert_eq!(client.call(["DBSIZE"]).as_int(), Some(1));
    assert!(server.advance(Duration::from_millis(1)));
    assert_eq!(client.call(["DBSIZE"]).as_int(), Some(0));
}
