//! Transcripts of SORT and SORT_RO.

use crate::support::{builder, check, check_ours, check_resp3};

#[test]
fn lists_sets_and_sorted_sets_are_sorted() {
    check(
        r#"
        > RPUSH l 3 10 2.5 -1 1e1
        (integer) 5
        > SORT l
        1) "-1"
        2) "2.5"
        3) "3"
        4) "10"
        5) "1e1"
        > SORT l DESC
        1) "1e1"
        2) "10"
        3) "3"
        4) "2.5"
        5) "-1"
        > SORT_RO l ALPHA
        1) "-1"
        2) "10"
        3) "1e1"
        4) "2.5"
        5) "3"
        > SORT l DESC ASC ALPHA LIMIT 1 2
        1) "10"
        2) "1e1"
        > SORT l LIMIT -5 2
        1) "-1"
        2) "2.5"
        > SORT l LIMIT 3 -1
        1) "10"
        2) "1e1"
        > SORT l LIMIT 3 -9223372036854775808 LIMIT 4 9223372036854775807
        1) "1e1"
        > SORT l LIMIT 5 1
        (empty array)
        > SORT l LIMIT 1 0
        (empty array)
        > SADD ints 30 1 20
        (integer) 3
        > SORT ints
        1) "1"
        2) "20"
        3) "30"
        > SADD words b A a B \x00 _
        (integer) 6
        > SORT words ALPHA
        1) "A"
        2) "B"
        3) "\\x00"
        4) "_"
        5) "a"
        6) "b"
        > SORT words
        (error) ERR One or more scores can't be converted into double
        > ZADD z 3 1 2 20 1 300
        (integer) 3
        > SORT z
        1) "1"
        2) "20"
        3) "300"
        > SORT z BY nosort
        1) "300"
        2) "20"
        3) "1"
        > SORT z BY nosort DESC LIMIT 1 1
        1) "20"
        > SORT z BY nosort LIMIT 1 1
        1) "20"
        > SORT z BY nosort DESC
        1) "1"
        2) "20"
        3) "300"
        > SORT l BY nosort DESC LIMIT 1 2
        1) "-1"
        2) "2.5"
        > SORT l BY # LIMIT 0 2
        1) "3"
        2) "10"
        > SORT ints BY nosort LIMIT 1 2
        1) "20"
        2) "30"
        > SORT missing
        (empty array)
        > SORT missing BY a GET b
        (empty array)
    "#,
    );
}

#[test]
fn weights_and_results_are_looked_up() {
    check(
        r#"
        > RPUSH l a b c d
        (integer) 4
        > MSET w_a 3 w_b 1 w_c 2 o_a one o_b two other x
        OK
        > HSET h_a f 5 g first
        (integer) 2
        > HSET h_b f 7
        (integer) 1
        > HSET h_d f -2
        (integer) 1
        > SORT l BY w_*
        1) "d"
        2) "b"
        3) "c"
        4) "a"
        > SORT l BY h_*->f DESC
        1) "b"
        2) "a"
        3) "c"
        4) "d"
        > SORT l BY w_* GET # GET o_* GET h_*->f GET other GET h_*->nope GET h_*
         1) "d"
         2) (nil)
         3) "-2"
         4) (nil)
         5) (nil)
         6) (nil)
         7) "b"
         8) "two"
         9) "7"
        10) (nil)
        11) (nil)
        12) (nil)
        13) "c"
        14) (nil)
        15) (nil)
        16) (nil)
        17) (nil)
        18) (nil)
        19) "a"
        20) "one"
        21) "5"
        22) (nil)
        23) (nil)
        24) (nil)
        > SORT l BY o_* ALPHA
        1) "c"
        2) "d"
        3) "a"
        4) "b"
        > SORT l BY o_* ALPHA DESC LIMIT 0 2
        1) "b"
        2) "a"
        > SORT l BY o_*
        (error) ERR One or more scores can't be converted into double
        > SORT l BY w_*->f LIMIT 0 1
        1) "a"
        > MSET a->f 1 xbx 2
        OK
        > SORT l BY nosort GET *->f GET *-> GET x*x LIMIT 0 2
        1) (nil)
        2) (nil)
        3) (nil)
        4) (nil)
        5) (nil)
        6) "2"
        > SET a-> arrow
        OK
        > SORT l BY nosort GET *-> LIMIT 0 1
        1) "arrow"
        > SORT l BY w_* BY nosort BY h_*->f LIMIT 0 2
        1) "a"
        2) "b"
        > SORT l BY nosort GET l
        1) (nil)
        2) (nil)
        3) (nil)
        4) (nil)
    "#,
    );
}

#[test]
fn results_are_kept_as_lists() {
    check(
        r#"
        > RPUSH l 3 1 2
        (integer) 3
        > SORT l STORE d
        (integer) 3
        > LRANGE d 0 -1
        1) "1"
        2) "2"
        3) "3"
        > SET w_1 x
        OK
        > SET text was-here EX 100
        OK
        > SORT l DESC GET # GET w_* STORE text
        (integer) 6
        > LRANGE text 0 -1
        1) "3"
        2) ""
        3) "2"
        4) ""
        5) "1"
        6) "x"
        > TTL text
        (integer) -1
        > SORT l LIMIT 0 1 STORE other STORE l
        (integer) 1
        > LRANGE l 0 -1
        1) "1"
        > EXISTS other
        (integer) 0
        > SORT missing STORE d
        (integer) 0
        > EXISTS d
        (integer) 0
        > SORT l LIMIT 5 5 STORE text
        (integer) 0
        > EXISTS text
        (integer) 0
        > SADD set c a b
        (integer) 3
        > SORT set BY nosort STORE d
        (integer) 3
        > LRANGE d 0 -1
        1) "a"
        2) "b"
        3) "c"
        > SORT set BY nosort DESC STORE d
        (integer) 3
        > LINDEX d 0
        "c"
        > SORT d STORE e
        (error) ERR One or more scores can't be converted into double
        > EXISTS e
        (integer) 0
        > EVAL "return redis.call('SORT', KEYS[1], 'BY', 'nosort')" 1 set
        1) "a"
        2) "b"
        3) "c"
        > EVAL "return redis.call('SORT', KEYS[1], 'BY', 'nosort', 'DESC', 'LIMIT', 0, 1)" 1 set
        1) "c"
    "#,
    );
}

#[test]
fn numbers_are_those_of_c() {
    check(
        r#"
        > RPUSH l "" " 2" 0x10 1.5 "3\x00x" inf -inf "\t-1"
        (integer) 8
        > SORT l
        1) "-inf"
        2) "\t-1"
        3) ""
        4) "1.5"
        5) " 2"
        6) "3\x00x"
        7) "0x10"
        8) "inf"
        > RPUSH odd 1 nan
        (integer) 2
        > SORT odd
        (error) ERR One or more scores can't be converted into double
        > LSET odd 1 "1 "
        OK
        > SORT odd
        (error) ERR One or more scores can't be converted into double
        > LSET odd 1 " "
        OK
        > SORT odd
        (error) ERR One or more scores can't be converted into double
        > RPUSH zero "b\x00b" "b\x00a" a
        (integer) 3
        > SORT zero ALPHA
        1) "a"
        2) "b\x00b"
        3) "b\x00a"
        > SORT zero ALPHA STORE d
        (integer) 3
        > LRANGE d 0 -1
        1) "a"
        2) "b\x00a"
        3) "b\x00b"
        > LSET odd 1 1e400
        OK
        > SORT odd
        (error) ERR One or more scores can't be converted into double
    "#,
    );
    // A real server takes no number with a fraction any more once it has met one that is too small.
    check_ours(
        r#"
        > RPUSH odd 1 1e-400
        (integer) 2
        > SORT odd
        (error) ERR One or more scores can't be converted into double
        > LSET odd 1 1.5
        OK
        > SORT odd
        1) "1"
        2) "1.5"
    "#,
    );
}

#[test]
fn arguments_that_are_refused() {
    check(
        r#"
        > SET text 1
        OK
        > SORT text
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SORT text FOO
        (error) ERR syntax error
        > SORT text LIMIT 0
        (error) ERR syntax error
        > SORT text LIMIT x 0
        (error) ERR value is not an integer or out of range
        > SORT text LIMIT 0 1.5
        (error) ERR value is not an integer or out of range
        > SORT text BY
        (error) ERR syntax error
        > SORT text GET
        (error) ERR syntax error
        > SORT text STORE
        (error) ERR syntax error
        > SORT_RO text STORE d
        (error) ERR syntax error
        > SORT
        (error) ERR wrong number of arguments for 'sort' command
        > SORT_RO
        (error) ERR wrong number of arguments for 'sort_ro' command
        > COMMAND GETKEYS SORT k BY w_* GET # STORE d
        1) "k"
        2) "d"
        > COMMAND GETKEYS SORT k GET STORE STORE d STORE e
        1) "k"
        2) "e"
        > COMMAND GETKEYS SORT k STORE STORE
        1) "k"
        2) "STORE"
        > COMMAND GETKEYS SORT_RO k BY w_*
        1) "k"
        > COMMAND GETKEYSANDFLAGS SORT k LIMIT STORE STORE STORE d
        1) 1) "k"
           2) 1) RO
              2) access
        2) 1) "d"
           2) 1) OW
              2) update
    "#,
    );
}

#[test]
fn what_is_missing_is_null_in_resp3() {
    check_resp3(
        r#"
        > RPUSH l 1
        (integer) 1
        > SORT l GET w_* GET #
        1) (nil)
        2) "1"
    "#,
    );
}

#[test]
fn a_sorted_set_is_left_as_it_is() {
    check_ours(
        r#"
        > ZADD z 1 a 2 b
        (integer) 2
        > SORT z ALPHA DESC
        1) "b"
        2) "a"
        > OBJECT ENCODING z
        "listpack"
    "#,
    );
}

#[test]
fn replies_do_not_grow_without_limit() {
    check_ours(
        r#"
        > CONFIG SET proto-max-bulk-len 1mb
        OK
        > SETRANGE big 300000 x
        (integer) 300001
        > RPUSH l b
        (integer) 1
        > SORT l ALPHA GET *ig GET *ig GET *ig STORE d
        (integer) 3
        > SORT l ALPHA GET *ig GET *ig GET *ig GET *ig STORE d
        (error) ERR value is out of range
        > SORT l ALPHA GET *ig GET *ig GET *ig GET *ig
        (error) ERR value is out of range
        > LLEN d
        (integer) 3
    "#,
    );
}

/// What elements and repeated options name lies in any shard, and nothing but the arguments says so.
#[test]
fn keys_that_no_specification_finds_are_locked() {
    let server = builder().no_port().workers(8).start().unwrap();
    let mut client = server.client();
    for at in 0..50 {
        client.call(["RPUSH", "l", &at.to_string()]);
        client.call(["SET", &format!("w_{at}"), &(50 - at).to_string()]);
        client.call(["HSET", &format!("h_{at}"), "f", &format!("v{at}")]);
    }
    client.call(["GEOADD", "g", "1", "1", "a"]);
    let by_weight = ["SORT", "l", "BY", "w_*", "GET", "h_*->f", "STORE", "other", "STORE", "sorted"];
    let near = ["GEORADIUS", "g", "1", "1", "1", "m", "STORE", "one", "STOREDIST", "two", "STORE", "three"];
    for is_queued in [false, true] {
        if is_queued {
            client.call(["MULTI"]);
        }
        client.call(by_weight);
        client.call(near);
        if is_queued {
            let replies = client.call(["EXEC"]).into_vec();
            assert_eq!(replies.iter().map(|reply| reply.as_int()).collect::<Vec<_>>(), [Some(50), Some(1)]);
        }
        assert_eq!(client.call(["LINDEX", "sorted", "0"]).as_str(), Some("v49"));
        assert_eq!(client.call(["ZCARD", "three"]).as_int(), Some(1));
        assert_eq!(client.call(["EXISTS", "other", "one", "two"]).as_int(), Some(0));
        client.call(["DEL", "sorted", "three"]);
    }
    let read = client.call(["SORT_RO", "l", "BY", "h_*->f", "ALPHA", "LIMIT", "0", "2", "GET", "w_*"]);
    let read: Vec<_> = read.as_slice().unwrap().iter().map(|weight| weight.as_str()).collect();
    assert_eq!(read, [Some("50"), Some("49")]);
}

#[test]
fn looking_up_needs_the_right_to_read_every_key() {
    check(
        r#"
        > RPUSH l 2 1
        (integer) 2
        > ACL SETUSER some on >p ~l ~w_* +@all
        OK
        > ACL SETUSER reads on >p ~l %R~* +@all
        OK
        > ACL SETUSER writes on >p ~l %W~* +@all
        OK
        > ACL SETUSER selects on >p ~l +@all (%R~* +sort_ro)
        OK
        > AUTH some p
        OK
        > SORT l BY nosort
        1) "2"
        2) "1"
        > SORT l BY # LIMIT 0 1
        1) "2"
        > SORT l BY w_*
        (error) ERR BY option of SORT denied due to insufficient ACL permissions.
        > SORT l GET # LIMIT x x
        (error) ERR GET option of SORT denied due to insufficient ACL permissions.
        > SORT l LIMIT x x BY w_*
        (error) ERR value is not an integer or out of range
        > MULTI
        OK
        > SORT_RO l BY w_*
        QUEUED
        > EXEC
        1) (error) ERR BY option of SORT denied due to insufficient ACL permissions.
        > EVAL "return redis.pcall('SORT', KEYS[1], 'BY', 'w_*')" 1 l
        (error) ERR BY option of SORT denied due to insufficient ACL permissions.
        > AUTH reads p
        OK
        > SORT l BY w_* GET # LIMIT 0 1
        1) "1"
        > AUTH writes p
        OK
        > SORT l BY w_*
        (error) ERR BY option of SORT denied due to insufficient ACL permissions.
        > AUTH selects p
        OK
        > SORT l BY w_*
        (error) ERR BY option of SORT denied due to insufficient ACL permissions.
        > SORT_RO l BY w_* GET #
        1) "1"
        2) "2"
    "#,
    );
}

#[test]
fn fields_that_have_expired_weigh_nothing() {
    check_ours(
        r#"
        > RPUSH l a b
        (integer) 2
        > HSET h_a f 5 g 1
        (integer) 2
        > HPEXPIRE h_a 100 FIELDS 1 f
        1) (integer) 1
        > SORT l BY h_*->f GET # GET h_*->f
        1) "b"
        2) (nil)
        3) "a"
        4) "5"
        @advance 100
        > SORT l BY h_*->f GET # GET h_*->f
        1) "a"
        2) (nil)
        3) "b"
        4) (nil)
    "#,
    );
}
