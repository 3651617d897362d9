//! What the log says about single families of commands.

use super::*;

#[test]
fn hyperloglogs() {
    check(
        "
        > PFADD h a b
        SELECT 0
        PFADD h a b
        > PFADD h a
        > PFCOUNT h
        PFCOUNT h
        > PFCOUNT h
        > PFCOUNT h none
        > PFADD i c
        PFADD i c
        > PFMERGE h i
        PFMERGE h i
        > MULTI
        > PFCOUNT h
        > PFADD h d
        > EXEC
        MULTI
        PFCOUNT h
        PFADD h d
        EXEC
        > PFDEBUG TODENSE h
        PFDEBUG TODENSE h
        > PFDEBUG TODENSE h
        ",
    );
}

#[test]
fn places_are_logged_when_they_change() {
    check(
        "
        > GEOADD g 13.361389 38.115556 a 15.087269 37.502669 b
        SELECT 0
        here: GEOADD g 13.361389 38.115556 a 15.087269 37.502669 b
        there: zadd g 3479099956230698 a 3479447370796909 b
        > GEOADD g 13.361389 38.115556 a
        > GEOADD g NX 1 1 a
        > GEOADD g 1 x a
        > GEOADD g XX CH 1 1 a 1 1 c
        here: GEOADD g XX CH 1 1 a 1 1 c
        there: zadd g XX CH 3377822707026402 a 3377822707026402 c
        > GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 1 m
        > GEOSEARCHSTORE s g FROMLONLAT 0 0 BYRADIUS 1 m
        > GEOSEARCHSTORE s g FROMLONLAT 0 0 BYRADIUS 1000 km STOREDIST
        GEOSEARCHSTORE s g FROMLONLAT 0 0 BYRADIUS 1000 km STOREDIST
        > GEOSEARCHSTORE s g FROMLONLAT 0 0 BYRADIUS 1 m
        GEOSEARCHSTORE s g FROMLONLAT 0 0 BYRADIUS 1 m
        > GEORADIUS g 0 0 1000 km STORE s
        GEORADIUS g 0 0 1000 km STORE s
        > GEORADIUSBYMEMBER g a 1 m STOREDIST s
        GEORADIUSBYMEMBER g a 1 m STOREDIST s
        > GEORADIUSBYMEMBER g a 1 m
        > GEORADIUS missing 0 0 1 m STORE s
        GEORADIUS missing 0 0 1 m STORE s
        > GEORADIUS missing 0 0 1 m STORE s
        ",
    );
}

#[test]
fn what_is_sorted_and_kept_is_logged() {
    check(
        "
        > RPUSH l 3 1 2
        SELECT 0
        RPUSH l 3 1 2
        > SORT l
        > SORT l STORE d
        SORT l STORE d
        > SORT l BY w_* ALPHA GET # GET w_* STORE d
        SORT l BY w_* ALPHA GET # GET w_* STORE d
        > SORT l BY w_* BY x FOO STORE d
        > SADD s b a
        SADD s b a
        > SORT s STORE d
        > SORT s BY nosort STORE d
        SORT s BY nosort STORE d
        > SORT missing STORE d
        SORT missing STORE d
        > SORT missing STORE d
        > SET w_a 1 EX 10
        SET w_a 1 PXAT @10000
        > SET w_b 0
        SET w_b 0
        > SORT s BY w_* STORE d
        SORT s BY w_* STORE d
        > SORT s BY w_* ALPHA STORE d
        here: MULTI
        here: DEL d
        here: RPUSH d b a
        here: EXEC
        there: SORT s BY w_* ALPHA STORE d
        > SORT s BY w_* ALPHA LIMIT 2 2 STORE d
        here: DEL d
        there: SORT s BY w_* ALPHA LIMIT 2 2 STORE d
        > SORT s BY w_* ALPHA LIMIT 2 2 STORE d
        ",
    );
    // The weight has gone before the list is put together.
    check_ours(
        "
        > SADD s a b
        SELECT 0
        SADD s a b
        > SET w_a 1 EX 1
        SET w_a 1 PXAT @1000
        > advance 1000
        > SORT s BY w_* STORE d
        DEL w_a
        SORT s BY w_* STORE d
        ",
    );
}

#[test]
fn bits_are_logged_when_they_change() {
    check(
        "
        > SETBIT b 7 1
        SELECT 0
        SETBIT b 7 1
        > SETBIT b 7 1
        > SETBIT b 7 x
        > SETBIT b 100 0
        SETBIT b 100 0
        > GETBIT b 7
        > BITCOUNT b
        > BITPOS b 1
        > EXPIRE b 10
        PEXPIREAT b @10000
        > SETBIT b 7 0
        SETBIT b 7 0
        > SET n 1
        SET n 1
        > SETBIT n 2 1
        > BITOP NOT n b
        BITOP NOT n b
        > BITOP AND n missing
        BITOP AND n missing
        > BITOP AND n missing
        > BITFIELD b SET u8 0 255 INCRBY u8 0 1 GET u8 0
        BITFIELD b SET u8 0 255 INCRBY u8 0 1 GET u8 0
        > BITFIELD b SET u8 0 0
        > BITFIELD b GET u8 0
        > BITFIELD b OVERFLOW SAT INCRBY u8 0 -1
        > BITFIELD b OVERFLOW FAIL INCRBY u8 0 -1
        > BITFIELD f OVERFLOW FAIL SET u1 20 5
        here: BITFIELD f OVERFLOW FAIL SET u1 20 5
        > BITFIELD g SET u1 20 0
        BITFIELD g SET u1 20 0
        > BITFIELD_RO g GET u1 20
        ",
    );
}

#[test]
fn scripts_are_logged_by_what_they_do() {
    check(
        r##"
        > EVAL "return redis.call('SET', KEYS[1], ARGV[1])" 1 a 1
        SELECT 0
        SET a 1
        > EVAL "redis.call('INCR', 'a') redis.call('LPUSH', 'l', 'x') return redis.call('GET', 'a')" 0
        MULTI
        INCR a
        LPUSH l x
        EXEC
        > EVAL "return redis.call('GET', 'a')" 0
        > EVAL "redis.call('SET', 'a', '2') error('late')" 0
        SET a 2
        > EVAL "redis.call('SET', 'a', '3') redis.call('SELECT', 3) redis.call('SET', 'b', '4')" 0
        MULTI
        SET a 3
        SELECT 3
        SET b 4
        EXEC
        > SET a 5
        SELECT 0
        SET a 5
        > EVAL "redis.call('SET', 'a', '6', 'EX', 10) redis.pcall('INCR', 'l')" 0
        SET a 6 PXAT @10000
        > EVAL "redis.set_repl(redis.REPL_NONE) redis.call('SET', 'quiet', '1') redis.set_repl(redis.REPL_ALL) redis.call('SET', 'loud', '1')" 0
        SET loud 1
        > EVAL "redis.set_repl(redis.REPL_REPLICA) redis.call('SET', 'quiet', '2')" 0
        > MULTI
        > EVAL "redis.call('SET', 'a', '7') redis.call('SET', 'b', '8')" 0
        > SET c 9
        > EXEC
        MULTI
        SET a 7
        SET b 8
        SET c 9
        EXEC
        > EVAL "redis.call('SADD', 's', 'one') return redis.call('SPOP', 's')" 0
        MULTI
        SADD s one
        here: SREM s one
        there: SREM s one
        EXEC
        > SCRIPT LOAD "return 1"
        > SCRIPT FLUSH
        > FUNCTION LOAD "#!lua name=lib\nredis.register_function('f', function() redis.call('SET', 'f', '1') end)"
        FUNCTION LOAD "#!lua name=lib\nredis.register_function('f', function() redis.call('SET', 'f', '1') end)"
        > FCALL f 0
        SET f 1
        > FUNCTION DELETE lib
        FUNCTION DELETE lib
        > FUNCTION DELETE lib
        > FUNCTION FLUSH ASYNC
        FUNCTION FLUSH ASYNC
        "##,
    );
}

#[test]
fn deadlines_of_fields_are_absolute_and_what_goes_is_removed() {
    check_ours(
        "
        > HSET h a 1 b 2 c 3 d 4
        SELECT 0
        HSET h a 1 b 2 c 3 d 4
        > HEXPIRE h 10 NX FIELDS 3 a x b
        HPEXPIREAT h @10000 FIELDS 2 a b
        > HEXPIRE h 10 NX FIELDS 1 a
        > HPEXPIRE h 20000 FIELDS 1 c
        HPEXPIREAT h @20000 FIELDS 1 c
        > HEXPIREAT h 4000000000 FIELDS 1 d
        HPEXPIREAT h 4000000000000 FIELDS 1 d
        > HPERSIST h FIELDS 3 d d x
        HPERSIST h FIELDS 1 d
        > HPERSIST h FIELDS 1 d
        > HGETEX h FIELDS 1 a
        > HGETEX h EX 30 FIELDS 2 a x
        HPEXPIREAT h @30000 FIELDS 1 a
        > HGETEX h PERSIST FIELDS 2 a d
        HPERSIST h FIELDS 1 a
        > HGETEX h PX 10000 FIELDS 1 a
        HPEXPIREAT h @10000 FIELDS 1 a
        > HINCRBYFLOAT h a 0.5
        HSETEX h KEEPTTL FIELDS 1 a 1.5
        > HINCRBYFLOAT h d 0.5
        HSET h d 4.5
        > HINCRBY h b 1
        HINCRBY h b 1
        > HSETEX h EX 10 FIELDS 2 e 1 f 2
        HSETEX h PXAT @10000 FIELDS 2 e 1 f 2
        > HSETEX h FXX KEEPTTL FIELDS 1 e 3
        HSETEX h FXX KEEPTTL FIELDS 1 e 3
        > HSETEX h FNX FIELDS 1 e 3
        > HSETEX h PXAT 1 FIELDS 2 f 3 x 3
        HDEL h f
        > HSETEX h PXAT 1 FIELDS 1 x 3
        > HEXPIRE h 0 FIELDS 2 e x
        HDEL h e
        > HGETDEL h FIELDS 2 d x
        HDEL h d
        > HGETDEL h FIELDS 1 d
        > advance 9999
        > HSET h g 1
        HSET h g 1
        > advance 1
        > HSET h g 2
        HDEL h b a
        HSET h g 2
        > HDEL h g
        HDEL h g
        > advance 10000
        > HSET h g 3
        HDEL h c
        HSET h g 3
        ",
    );
}

#[test]
fn fields_that_nobody_sweeps_go_in_front_of_what_met_them() {
    let place = tempfile::tempdir().expect("a directory");
    let start = |now| {
        let builder = builder().dir(place.path()).frozen_clock(Duration::from_millis(now));
        let builder = builder.setting("appendfsync", "always").expect("a setting");
        builder.setting("enable-debug-command", "yes").expect("a setting").start().expect("a server starts")
    };
    let server = start(START.unsigned_abs());
    let mut client = server.client();
    let mut ask = |line: &str| client.call(split(line));
    ask("DEBUG SET-ACTIVE-EXPIRE 0");
    for number in 0..100 {
        ask(&format!("HSETEX h PX 1000 FIELDS 1 f{number} 1"));
    }
    ask("HSETEX h PX 5000 FIELDS 1 later 1");
    let before = std::fs::read(place.path().join(INCREMENT)).expect("a log").len();
    assert!(server.advance(Duration::from_millis(1000)));
    assert_eq!(ask("MULTI").as_str(), Some("OK"));
    ask("HGET h f1");
    ask("HSET h f1 2");
    assert_eq!(ask("EXEC").into_vec(), [Value::Nil, Value::Int(1)]);
    drop(server);
    let log = std::fs::read(place.path().join(INCREMENT)).expect("a log");
    let records = records_of(&log[before..], START);
    let words: Vec<(&str, usize)> = records
        .iter()
        .map(|record| (record.split(' ').next().unwrap_or_default(), record.split(' ').count()))
        .collect();
    assert_eq!(words, [("MULTI", 1), ("HDEL", 66), ("HDEL", 38), ("HSET", 4), ("EXEC", 1)]);
    // In the past as well nothing goes while the log is read: it says itself what went.
    let server = start(START.unsigned_abs() + 1001);
    let mut client = server.client();
    assert_eq!(client.call(split("HGET h f1")).as_str(), Some("2"));
    assert_eq!(client.call(split("HPEXPIRETIME h FIELDS 1 later")).into_vec(), [Value::Int(START + 5000)]);
}

#[test]
fn conditions_that_others_do_not_know_are_left_out() {
    check_ours(
        "
        > SET a 1
        SELECT 0
        SET a 1
        > SET a 2 IFEQ 5
        > SET a 2 IFEQ 1
        SET a 2
        > SET a 3 IFNE 2 EX 10
        > SET a 3 IFEQ 2 EX 10
        SET a 3 PXAT @10000
        > SET a 4 IFEQ 3 KEEPTTL
        SET a 4 KEEPTTL
        > MSETEX 2 a 1 b 2 NX
        > MSETEX 2 a 1 b 2
        MULTI
        SET a 1
        SET b 2
        EXEC
        > MSETEX 1 a 1 XX PX 10000
        SET a 1 PXAT @10000
        > DELEX b IFEQ 1
        > DELEX b IFEQ 2
        DEL b
        > DELEX a
        DEL a
        > DELEX a
        ",
    );
}
