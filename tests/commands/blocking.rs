//! Transcripts of the commands that wait: on lists, on sorted sets, on others; several connections each.

use crate::support::{Peers, check, check_ours, check_together};

#[test]
fn what_is_there_is_taken_at_once() {
    check(
        r#"
        > RPUSH l a b c d e f g h
        (integer) 8
        > BLPOP missing l 0
        1) "l"
        2) "a"
        > BRPOP l missing 0
        1) "l"
        2) "h"
        > BLMOVE l m LEFT RIGHT 0
        "b"
        > BRPOPLPUSH l m 0
        "g"
        > BLMPOP 0 2 missing l RIGHT COUNT 2
        1) "l"
        2) 1) "f"
           2) "e"
        > BLMPOP 0 1 m LEFT
        1) "m"
        2) 1) "g"
        > LRANGE l 0 -1
        1) "c"
        2) "d"
        > ZADD z 1 a 2 b 3 c 4 d
        (integer) 4
        > BZPOPMIN missing z 0
        1) "z"
        2) "a"
        3) "1"
        > BZPOPMAX z 0
        1) "z"
        2) "d"
        3) "4"
        > BZMPOP 0 1 z MAX COUNT 5
        1) "z"
        2) 1) 1) "c"
              2) "3"
           2) 1) "b"
              2) "2"
        > EXISTS z
        (integer) 0
        "#,
    );
}

#[test]
fn arguments_that_are_refused() {
    check(
        r#"
        > BLPOP l x
        (error) ERR timeout is not a float or out of range
        > BLPOP l -1
        (error) ERR timeout is negative
        > BLPOP l
        (error) ERR wrong number of arguments for 'blpop' command
        > BRPOP l -0.1
        (error) ERR timeout is negative
        > BLMOVE a b X LEFT z
        (error) ERR syntax error
        > BLMOVE a b LEFT LEFT z
        (error) ERR timeout is not a float or out of range
        > BRPOPLPUSH a b -1
        (error) ERR timeout is negative
        > BLMPOP -1 0 a LEFT
        (error) ERR numkeys should be greater than 0
        > BLMPOP -1 1 a X
        (error) ERR syntax error
        > BLMPOP -1 1 a LEFT COUNT 0
        (error) ERR count should be greater than 0
        > BLMPOP -1 1 a LEFT
        (error) ERR timeout is negative
        > BZMPOP -1 1 a MIDDLE
        (error) ERR syntax error
        > BZMPOP -1 1 a MIN
        (error) ERR timeout is negative
        > BZPOPMAX z ""
        (error) ERR timeout is not a float or out of range
        > SET s v
        OK
        > BLPOP s 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BLMOVE s l LEFT LEFT 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BZPOPMIN s 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BZMPOP 0 1 s MIN
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > WAIT x 1
        (error) ERR value is not an integer or out of range
        > WAIT 1 -1
        (error) ERR timeout is negative
        > WAIT 1 x
        (error) ERR timeout is not an integer or out of range
        > WAIT -1 0
        (integer) 0
        > CLIENT UNBLOCK x
        (error) ERR value is not an integer or out of range
        > CLIENT UNBLOCK x foo
        (error) ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR
        > CLIENT UNBLOCK 123456
        (integer) 0
        > CLIENT PAUSE x
        (error) ERR timeout is not an integer or out of range
        > CLIENT PAUSE -1
        (error) ERR timeout is negative
        > CLIENT PAUSE x foo
        (error) ERR CLIENT PAUSE mode must be WRITE or ALL
        > CLIENT UNPAUSE
        OK
        "#,
    );
    check(
        r#"
        > XREAD BLOCK x STREAMS s $
        (error) ERR timeout is not an integer or out of range
        > XREAD BLOCK -1 STREAMS s $
        (error) ERR timeout is negative
        > XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        > XGROUP CREATE s g $ MKSTREAM
        OK
        > XREADGROUP GROUP g c BLOCK 0 STREAMS s 0
        1) 1) "s"
           2) (empty array)
        "#,
    );
    check_together(
        Peers::Modern,
        r#"
        a> BLPOP l 1e300
        (error) ERR timeout is out of range
        a> BLPOP l inf
        (error) ERR timeout is out of range
        a> BLPOP l nan
        (error) ERR timeout is not a float or out of range
        a> WAITAOF 1 0 100
        (error) ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.
        a> WAITAOF 2 0 100
        (error) ERR value is out of range, value must between 0 and 1
        a> WAITAOF x 0 100
        (error) ERR value is not an integer or out of range
        a> WAITAOF 0 -1 100
        (error) ERR value is out of range, must be positive
        a> WAITAOF 0 0 -1
        (error) ERR timeout is negative
        a> WAITAOF 0 0 0
        1) (integer) 0
        2) (integer) 0
        "#,
    );
}

#[test]
fn inside_a_transaction_nothing_waits() {
    check(
        r#"
        > MULTI
        OK
        > BLPOP a 0
        QUEUED
        > BRPOP a 0
        QUEUED
        > BLMOVE a b LEFT LEFT 0
        QUEUED
        > BRPOPLPUSH a b 0
        QUEUED
        > BLMPOP 0 1 a LEFT
        QUEUED
        > BZPOPMIN a 0
        QUEUED
        > BZPOPMAX a 0
        QUEUED
        > BZMPOP 0 1 a MIN
        QUEUED
        > WAIT 1 0
        QUEUED
        > EXEC
        1) (nil)
        2) (nil)
        3) (nil)
        4) (nil)
        5) (nil)
        6) (nil)
        7) (nil)
        8) (nil)
        9) (integer) 0
        "#,
    );
}

#[test]
fn first_come_first_served() {
    check_together(
        Peers::Both,
        r#"
        a> BLPOP q r 0
        (waits)
        b> BRPOP r 0
        (waits)
        c> BLPOP r 0
        (waits)
        d> RPUSH r 1 2
        (integer) 2
        a<
        1) "r"
        2) "1"
        b<
        1) "r"
        2) "2"
        @waits c
        d> EXISTS r
        (integer) 0
        d> LPUSH r 3 4
        (integer) 2
        c<
        1) "r"
        2) "4"
        d> LRANGE r 0 -1
        1) "3"
        d> RPUSH q 5
        (integer) 1
        d> LLEN q
        (integer) 1
        "#,
    );
    check_together(
        Peers::Both,
        r#"
        a> BZPOPMIN z 0
        (waits)
        b> BZPOPMAX y z 0
        (waits)
        c> BZMPOP 0 2 y z MAX COUNT 5
        (waits)
        d> ZADD z 1 a 2 b 3 c 4 d
        (integer) 4
        a<
        1) "z"
        2) "a"
        3) "1"
        b<
        1) "z"
        2) "d"
        3) "4"
        c<
        1) "z"
        2) 1) 1) "c"
              2) "3"
           2) 1) "b"
              2) "2"
        "#,
    );
}

#[test]
fn one_who_is_moved_to_feeds_the_next() {
    check_together(
        Peers::Both,
        r#"
        a> BLMOVE one two LEFT RIGHT 0
        (waits)
        b> BLMOVE two three RIGHT LEFT 0
        (waits)
        c> BRPOPLPUSH three four 0
        (waits)
        d> BLPOP four 0
        (waits)
        e> RPUSH one x y
        (integer) 2
        a<
        "x"
        b<
        "x"
        c<
        "x"
        d<
        1) "four"
        2) "x"
        e> LRANGE one 0 -1
        1) "y"
        e> EXISTS two three four
        (integer) 0
        "#,
    );
    check_together(
        Peers::Both,
        r#"
        a> BLMOVE l l LEFT RIGHT 0
        (waits)
        b> RPUSH l 1 2
        (integer) 2
        a<
        "1"
        b> LRANGE l 0 -1
        1) "2"
        2) "1"
        a> BLMOVE source target LEFT LEFT 0
        (waits)
        b> SET target text
        OK
        b> RPUSH source 1
        (integer) 1
        a<
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        b> LRANGE source 0 -1
        1) "1"
        "#,
    );
}

#[test]
fn a_transaction_feeds_when_it_is_through() {
    check_together(
        Peers::Both,
        r#"
        a> BLPOP l 0
        (waits)
        b> MULTI
        OK
        b> RPUSH l 1
        QUEUED
        b> DEL l
        QUEUED
        b> RPUSH l 2 3
        QUEUED
        b> LLEN l
        QUEUED
        b> EXEC
        1) (integer) 1
        2) (integer) 1
        3) (integer) 2
        4) (integer) 2
        a<
        1) "l"
        2) "2"
        a> BLPOP l m 0
        1) "l"
        2) "3"
        a> BLPOP l m 0
        (waits)
        b> MULTI
        OK
        b> RPUSH l 1
        QUEUED
        b> DEL l
        QUEUED
        b> EXEC
        1) (integer) 1
        2) (integer) 1
        @waits a
        b> RPUSH m 4
        (integer) 1
        a<
        1) "m"
        2) "4"
        "#,
    );
    // Of several keys that were fed together, the first in the waiter's own order.
    check_together(
        Peers::Modern,
        r#"
        a> BLPOP first second 0
        (waits)
        b> MULTI
        OK
        b> RPUSH second 2
        QUEUED
        b> RPUSH first 1
        QUEUED
        b> EXEC
        1) (integer) 1
        2) (integer) 1
        a<
        1) "first"
        2) "1"
        "#,
    );
}

#[test]
fn whatever_makes_a_key_appear_feeds() {
    check_together(
        Peers::Both,
        r#"
        b> RPUSH other 1 2
        (integer) 2
        a> BLPOP renamed 0
        (waits)
        b> RENAME other renamed
        OK
        a<
        1) "renamed"
        2) "1"
        a> BLPOP copied 0
        (waits)
        b> COPY renamed copied
        (integer) 1
        a<
        1) "copied"
        2) "2"
        a> SELECT 3
        OK
        a> BLPOP renamed 0
        (waits)
        b> MOVE renamed 3
        (integer) 1
        a<
        1) "renamed"
        2) "2"
        a> BLPOP swapped 0
        (waits)
        b> RPUSH swapped here
        (integer) 1
        @waits a
        b> SWAPDB 0 3
        OK
        a<
        1) "swapped"
        2) "here"
        a> SELECT 0
        OK
        a> BLPOP sorted 0
        (waits)
        b> SADD set 2 1
        (integer) 2
        b> SORT set DESC STORE sorted
        (integer) 2
        a<
        1) "sorted"
        2) "2"
        b> ZADD scores 1 a
        (integer) 1
        b> BZPOPMIN stored 0.01
        (nil)
        a> BZPOPMIN stored 0
        (waits)
        b> ZUNIONSTORE stored 1 scores
        (integer) 1
        a<
        1) "stored"
        2) "a"
        3) "1"
        "#,
    );
}

#[test]
fn another_type_under_the_key_is_waited_out() {
    check_together(
        Peers::Both,
        r#"
        a> BLPOP k 0
        (waits)
        b> SET k text
        OK
        b> DEL k
        (integer) 1
        b> ZADD k 1 a
        (integer) 1
        @waits a
        b> DEL k
        (integer) 1
        b> RPUSH k 1
        (integer) 1
        a<
        1) "k"
        2) "1"
        a> BZPOPMIN k 0
        (waits)
        b> RPUSH k 1
        (integer) 1
        @waits a
        b> FLUSHALL
        OK
        b> ZADD k 1 a
        (integer) 1
        a<
        1) "k"
        2) "a"
        3) "1"
        "#,
    );
}

#[test]
fn waiting_has_an_end() {
    check_together(
        Peers::Both,
        r#"
        a> BLPOP q 0.02
        (nil)
        a> BZPOPMIN q 0.001
        (nil)
        a> BLMOVE a b LEFT LEFT 0.0000001
        (nil)
        a> WAIT 1 10
        (integer) 0
        a> BLPOP q 0
        (waits)
        @unblock a
        a<
        (nil)
        a> BRPOPLPUSH q r 0
        (waits)
        @unblock a
        a<
        (nil)
        a> WAIT 3 0
        (waits)
        @unblock a
        a<
        (integer) 0
        a> BLPOP q 0
        (waits)
        @kill a
        a<
        (closed)
        b> RPUSH q 1
        (integer) 1
        b> LLEN q
        (integer) 1
        "#,
    );
    check_ours(
        r#"
        > CLIENT UNBLOCK 1 ERROR now
        (error) ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.
        > CLIENT PAUSE 1 ALL now
        (error) ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.
        "#,
    );
}

#[test]
fn time_outs_hang_on_the_clock() {
    check_together(
        Peers::None,
        r#"
        a> BLPOP q 1.5
        (waits)
        b> BZMPOP 2 1 q MIN
        (waits)
        c> WAIT 1 1500
        (waits)
        @advance 1499
        @waits a
        @waits c
        @advance 1
        a<
        (nil)
        c<
        (integer) 0
        @waits b
        @advance 100000
        b<
        (nil)
        "#,
    );
}

#[test]
fn a_pause_stops_messages_and_scripts_that_may_write() {
    check_together(
        Peers::Both,
        r##"
        a> FUNCTION LOAD "#!lua name=lib\nredis.register_function('f', function() return 1 end)\nredis.register_function{function_name='r', callback=function() return 2 end, flags={'no-writes'}}"
        "lib"
        a> SCRIPT LOAD "#!lua flags=no-writes\nreturn 3"
        "50ad2340de91fe7294d5c746ad721ff185c16fc5"
        a> CLIENT PAUSE 100000 WRITE
        OK
        a> EVAL_RO "return 1" 0
        (integer) 1
        a> EVAL "#!lua flags=no-writes\nreturn 3" 0
        (integer) 3
        a> EVALSHA 50ad2340de91fe7294d5c746ad721ff185c16fc5 0
        (integer) 3
        a> FCALL r 0
        (integer) 2
        b> EVAL "return 1" 0
        (waits)
        c> PUBLISH news hello
        (waits)
        d> FCALL f 0
        (waits)
        e> SPUBLISH news hello
        (waits)
        a> CLIENT UNPAUSE
        OK
        b<
        (integer) 1
        c<
        (integer) 0
        d<
        (integer) 1
        e<
        (integer) 0
        "##,
    );
}

#[test]
fn a_pause_stops_those_who_write() {
    check_together(
        Peers::Both,
        r#"
        c> MULTI
        OK
        c> INCR k
        QUEUED
        e> MULTI
        OK
        a> CLIENT PAUSE 100000 WRITE
        OK
        a> GET k
        (nil)
        a> MULTI
        OK
        a> GET k
        QUEUED
        a> EXEC
        1) (nil)
        b> SET k
        (error) ERR wrong number of arguments for 'set' command
        b> SET k 1
        (waits)
        c> EXEC
        (waits)
        e> INCR k
        (waits)
        d> BLPOP q 0
        (waits)
        a> GET k
        (nil)
        a> CLIENT UNPAUSE
        OK
        b<
        OK
        c<
        (any)
        e<
        QUEUED
        e> DISCARD
        OK
        a> RPUSH q 1
        (integer) 1
        d<
        1) "q"
        2) "1"
        a> GET k
        (any)
        "#,
    );
    check_together(
        Peers::None,
        r#"
        b> PING
        PONG
        a> CLIENT PAUSE 1000
        OK
        b> GET
        (error) ERR wrong number of arguments for 'get' command
        b> CLIENT ID x
        (error) ERR wrong number of arguments for 'client|id' command
        b> PING
        (later)
        @advance 1000
        b<
        PONG
        a> SET k v PX 10
        OK
        a> CLIENT PAUSE 1000 WRITE
        OK
        a> CLIENT PAUSE 10 WRITE
        OK
        @advance 20
        b> SET x 1
        (waits)
        @advance 979
        @waits b
        @advance 1
        b<
        OK
        "#,
    );
}

#[test]
fn readers_of_streams_all_get_what_is_new() {
    check_together(
        Peers::Both,
        r#"
        d> XADD s 1-1 old 1
        "1-1"
        a> XREAD BLOCK 0 STREAMS s $
        (waits)
        b> XREAD COUNT 1 BLOCK 0 STREAMS r s 0 1-1
        (waits)
        c> XREAD BLOCK 0 STREAMS s 3-0
        (waits)
        d> XADD s 2-1 new 2
        "2-1"
        a<
        1) 1) "s"
           2) 1) 1) "2-1"
                 2) 1) "new"
                    2) "2"
        b<
        1) 1) "s"
           2) 1) 1) "2-1"
                 2) 1) "new"
                    2) "2"
        @waits c
        d> XDEL s 1-1
        (integer) 1
        @waits c
        d> XADD s 3-1 newer 3
        "3-1"
        c<
        1) 1) "s"
           2) 1) 1) "3-1"
                 2) 1) "newer"
                    2) "3"
        a> XREAD BLOCK 0 STREAMS s 3-0
        1) 1) "s"
           2) 1) 1) "3-1"
                 2) 1) "newer"
                    2) "3"
        "#,
    );
}

#[test]
fn one_reader_of_a_group_gets_what_is_new() {
    check_together(
        Peers::Both,
        r#"
        d> XGROUP CREATE s g $ MKSTREAM
        OK
        d> XGROUP CREATE s h $
        OK
        a> XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS s >
        (waits)
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        (waits)
        c> XREADGROUP GROUP h c BLOCK 0 NOACK STREAMS s >
        (waits)
        d> XADD s 1-1 k v
        "1-1"
        a<
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "k"
                    2) "v"
        c<
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "k"
                    2) "v"
        @waits b
        d> XADD s 2-1 k v
        "2-1"
        b<
        1) 1) "s"
           2) 1) 1) "2-1"
                 2) 1) "k"
                    2) "v"
        d> XPENDING s g
        1) (integer) 2
        2) "1-1"
        3) "2-1"
        4) 1) 1) "a"
              2) "1"
           2) 1) "b"
              2) "1"
        d> XPENDING s h
        1) (integer) 0
        2) (nil)
        3) (nil)
        4) (nil)
        "#,
    );
}

#[test]
fn who_came_first_is_not_overtaken_through_another_key() {
    check_together(
        Peers::Both,
        r#"
        a> BLPOP q 0
        (waits)
        b> BLPOP r 0
        (waits)
        c> BLMPOP 0 2 r q LEFT
        (waits)
        d> MULTI
        OK
        d> RPUSH r 1
        QUEUED
        d> RPUSH q 2
        QUEUED
        d> EXEC
        1) (integer) 1
        2) (integer) 1
        b<
        1) "r"
        2) "1"
        a<
        1) "q"
        2) "2"
        @waits c
        d> RPUSH q 3
        (integer) 1
        c<
        1) "q"
        2) 1) "3"
        "#,
    );
}

#[test]
fn a_transaction_feeds_readers_once_with_all_it_added() {
    check_together(
        Peers::Both,
        r#"
        a> XREAD BLOCK 0 STREAMS s $
        (waits)
        d> MULTI
        OK
        d> XADD s 1-1 k v
        QUEUED
        d> XADD s 1-2 k v
        QUEUED
        d> XREAD BLOCK 0 STREAMS s $
        QUEUED
        d> EXEC
        1) "1-1"
        2) "1-2"
        3) (nil)
        a<
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "k"
                    2) "v"
              2) 1) "1-2"
                 2) 1) "k"
                    2) "v"
        "#,
    );
}

#[test]
fn readers_of_a_group_hear_when_it_goes() {
    check_together(
        Peers::Modern,
        r#"
        d> XGROUP CREATE s g $ MKSTREAM
        OK
        a> XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        (waits)
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        (waits)
        d> XGROUP DESTROY s g
        (integer) 1
        a<
        (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        b<
        (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        d> XGROUP CREATE s g $
        OK
        a> XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        (waits)
        d> DEL s
        (integer) 1
        a<
        (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        d> XGROUP CREATE s g $ MKSTREAM
        OK
        a> XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        (waits)
        d> SET s text
        OK
        a<
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        b> XREAD BLOCK 0 STREAMS t $
        (waits)
        d> SET t text
        OK
        @waits b
        d> DEL t
        (integer) 1
        d> XADD t 1-1 k v
        "1-1"
        b<
        1) 1) "t"
           2) 1) 1) "1-1"
                 2) 1) "k"
                    2) "v"
        "#,
    );
}

#[test]
fn readers_give_up_in_time() {
    check_together(
        Peers::None,
        r#"
        a> XREAD BLOCK 100 STREAMS s $
        (waits)
        d> XGROUP CREATE s g $ MKSTREAM
        OK
        b> XREADGROUP GROUP g c BLOCK 200 STREAMS s >
        (waits)
        @advance 100
        a<
        (nil)
        @waits b
        @advance 100
        b<
        (nil)
        "#,
    );
}

#[test]
fn a_deleted_consumer_that_waits_comes_back_with_the_next_entry() {
    check_together(
        Peers::Both,
        r#"
        a> XGROUP CREATE s g $ MKSTREAM
        OK
        b> XREADGROUP GROUP g waits BLOCK 0 STREAMS s >
        (waits)
        a> XGROUP DELCONSUMER s g waits
        (integer) 0
        a> XINFO CONSUMERS s g
        (empty array)
        a> XADD s 1-1 f v
        "1-1"
        b<
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "f"
                    2) "v"
        a> XGROUP DELCONSUMER s g waits
        (integer) 1
        "#,
    );
}
