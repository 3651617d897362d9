//! Transcripts of the sorted-set family.

use crate::support::{check, check_ours, check_resp3};

#[test]
fn add() {
    check(
        r#"
        > ZADD z 1 a 2 b
        (integer) 2
        > ZADD z 3 a 3 c
        (integer) 1
        > ZADD z CH 4 a 3 c
        (integer) 1
        > ZADD z NX 9 a 4 d
        (integer) 1
        > ZADD z XX 9 e 5 d
        (integer) 0
        > ZADD z XX CH 6 d
        (integer) 1
        > ZADD z GT CH 1 d
        (integer) 0
        > ZADD z GT CH 7 d
        (integer) 1
        > ZADD z LT CH 9 d
        (integer) 0
        > ZADD z LT CH 1 d
        (integer) 1
        > ZADD z GT 5 new
        (integer) 1
        > ZADD z INCR 1 a
        "5"
        > ZADD z NX INCR 1 a
        (nil)
        > ZADD z XX INCR 1 nothing
        (nil)
        > ZADD z LT INCR 1 a
        (nil)
        > ZADD missing XX 1 a
        (integer) 0
        > EXISTS missing
        (integer) 0
        > ZADD z inf top -inf bottom
        (integer) 2
        > ZADD z INCR -inf top
        (error) ERR resulting score is not a number (NaN)
        > ZRANGE z 0 -1 WITHSCORES
         1) "bottom"
         2) "-inf"
         3) "d"
         4) "1"
         5) "b"
         6) "2"
         7) "c"
         8) "3"
         9) "a"
        10) "5"
        11) "new"
        12) "5"
        13) "top"
        14) "inf"
        > ZADD z NX XX 1 a
        (error) ERR XX and NX options at the same time are not compatible
        > ZADD z GT LT 1 a
        (error) ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD z NX GT 1 a
        (error) ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD z INCR 1 a 2 b
        (error) ERR INCR option supports a single increment-element pair
        > ZADD z x a
        (error) ERR value is not a valid float
        > ZADD z nan a
        (error) ERR value is not a valid float
        > ZADD z 1
        (error) ERR wrong number of arguments for 'zadd' command
        > ZADD z 1 a 2
        (error) ERR syntax error
        > ZADD z NX 1
        (error) ERR syntax error
        > ZINCRBY z 2 a
        "7"
        > ZINCRBY z 1.5 fresh
        "1.5"
        > ZINCRBY z x a
        (error) ERR value is not a valid float
        > ZINCRBY z nx a
        (error) ERR syntax error
        > ZINCRBY z -inf top
        (error) ERR resulting score is not a number (NaN)
    "#,
    );
}

#[test]
fn look() {
    check(
        r#"
        > ZADD z 1 a 2 b 3 c
        (integer) 3
        > ZCARD z
        (integer) 3
        > ZCARD missing
        (integer) 0
        > ZSCORE z b
        "2"
        > ZSCORE z nothing
        (nil)
        > ZSCORE missing b
        (nil)
        > ZMSCORE z a nothing c
        1) "1"
        2) (nil)
        3) "3"
        > ZMSCORE missing a
        1) (nil)
        > ZRANK z a
        (integer) 0
        > ZRANK z nothing
        (nil)
        > ZREVRANK z a
        (integer) 2
        > ZREVRANK missing a
        (nil)
        > ZCOUNT z 1 2
        (integer) 2
        > ZCOUNT z (1 3
        (integer) 2
        > ZCOUNT z -inf +inf
        (integer) 3
        > ZCOUNT z x 2
        (error) ERR min or max is not a float
        > ZCOUNT missing 0 1
        (integer) 0
        > ZREM z a nothing
        (integer) 1
        > ZREM z b c
        (integer) 2
        > EXISTS z
        (integer) 0
        > ZREM missing a
        (integer) 0
    "#,
    );
    check_ours(
        r#"
        > ZADD z 1 a 2.5 b
        (integer) 2
        > ZRANK z b WITHSCORE
        1) (integer) 1
        2) "2.5"
        > ZREVRANK z b WITHSCORE
        1) (integer) 0
        2) "2.5"
        > ZRANK z nothing WITHSCORE
        (nil)
        > ZRANK z b SCORE
        (error) ERR syntax error
        > ZRANK z b WITHSCORE more
        (error) ERR wrong number of arguments for 'zrank' command
    "#,
    );
}

#[test]
fn ranges_by_rank() {
    check(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d
        (integer) 4
        > ZRANGE z 0 -1
        1) "a"
        2) "b"
        3) "c"
        4) "d"
        > ZRANGE z 1 2 WITHSCORES
        1) "b"
        2) "2"
        3) "c"
        4) "3"
        > ZRANGE z -2 -1
        1) "c"
        2) "d"
        > ZRANGE z 3 1
        (empty array)
        > ZRANGE z 0 1 REV
        1) "d"
        2) "c"
        > ZRANGE z 0 1 REV WITHSCORES
        1) "d"
        2) "4"
        3) "c"
        4) "3"
        > ZRANGE missing 0 -1
        (empty array)
        > ZRANGE z x 1
        (error) ERR value is not an integer or out of range
        > ZRANGE z 0 1 LIMIT 0 1
        (error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
        > ZRANGE z 0 1 BYSCORE BYLEX
        (error) ERR syntax error
        > ZRANGE z 0 1 nonsense
        (error) ERR syntax error
        > ZREVRANGE z 0 1
        1) "d"
        2) "c"
        > ZREVRANGE z -2 -1 WITHSCORES
        1) "b"
        2) "2"
        3) "a"
        4) "1"
        > ZREVRANGE z 0 1 REV
        (error) ERR syntax error
        > ZREMRANGEBYRANK z 1 2
        (integer) 2
        > ZREMRANGEBYRANK z x 2
        (error) ERR value is not an integer or out of range
        > ZREMRANGEBYRANK missing 0 1
        (integer) 0
        > ZRANGE z 0 -1
        1) "a"
        2) "d"
    "#,
    );
}

#[test]
fn ranges_by_score() {
    check(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d
        (integer) 4
        > ZRANGE z 2 3 BYSCORE
        1) "b"
        2) "c"
        > ZRANGE z (1 +inf BYSCORE LIMIT 1 1
        1) "c"
        > ZRANGE z (1 +inf BYSCORE LIMIT 1 -1 WITHSCORES
        1) "c"
        2) "3"
        3) "d"
        4) "4"
        > ZRANGE z 3 2 BYSCORE REV
        1) "c"
        2) "b"
        > ZRANGE z 1 x BYSCORE
        (error) ERR min or max is not a float
        > ZRANGEBYSCORE z 2 3
        1) "b"
        2) "c"
        > ZRANGEBYSCORE z -inf (3 WITHSCORES
        1) "a"
        2) "1"
        3) "b"
        4) "2"
        > ZRANGEBYSCORE z -inf +inf LIMIT 1 2
        1) "b"
        2) "c"
        > ZRANGEBYSCORE z -inf +inf LIMIT 1
        (error) ERR syntax error
        > ZRANGEBYSCORE z x 1
        (error) ERR min or max is not a float
        > ZRANGEBYSCORE missing 0 1
        (empty array)
        > ZREVRANGEBYSCORE z 3 2
        1) "c"
        2) "b"
        > ZREVRANGEBYSCORE z +inf -inf WITHSCORES LIMIT 0 1
        1) "d"
        2) "4"
        > ZREMRANGEBYSCORE z 2 (4
        (integer) 2
        > ZREMRANGEBYSCORE z 1 x
        (error) ERR min or max is not a float
        > ZREMRANGEBYSCORE missing 0 1
        (integer) 0
        > ZRANGE z 0 -1
        1) "a"
        2) "d"
    "#,
    );
}

#[test]
fn ranges_by_member() {
    check(
        r#"
        > ZADD z 0 a 0 b 0 c 0 d
        (integer) 4
        > ZRANGE z [b (d BYLEX
        1) "b"
        2) "c"
        > ZRANGE z - + BYLEX LIMIT 1 2
        1) "b"
        2) "c"
        > ZRANGE z + - BYLEX REV
        1) "d"
        2) "c"
        3) "b"
        4) "a"
        > ZRANGE z - + BYLEX WITHSCORES
        (error) ERR syntax error, WITHSCORES not supported in combination with BYLEX
        > ZRANGE z a b BYLEX
        (error) ERR min or max not valid string range item
        > ZRANGEBYLEX z - [b
        1) "a"
        2) "b"
        > ZRANGEBYLEX z (a + LIMIT 0 1
        1) "b"
        > ZRANGEBYLEX z a +
        (error) ERR min or max not valid string range item
        > ZREVRANGEBYLEX z + (b
        1) "d"
        2) "c"
        > ZREVRANGEBYLEX z [c - LIMIT 1 1
        1) "b"
        > ZLEXCOUNT z - +
        (integer) 4
        > ZLEXCOUNT z [b [c
        (integer) 2
        > ZLEXCOUNT z b c
        (error) ERR min or max not valid string range item
        > ZLEXCOUNT missing - +
        (integer) 0
        > ZREMRANGEBYLEX z [b (d
        (integer) 2
        > ZREMRANGEBYLEX z b d
        (error) ERR min or max not valid string range item
        > ZREMRANGEBYLEX missing - +
        (integer) 0
        > ZRANGE z 0 -1
        1) "a"
        2) "d"
    "#,
    );
}

#[test]
fn range_store() {
    check(
        r#"
        > ZADD z 1 a 2 b 3 c
        (integer) 3
        > ZRANGESTORE d z 0 1
        (integer) 2
        > ZRANGE d 0 -1 WITHSCORES
        1) "a"
        2) "1"
        3) "b"
        4) "2"
        > ZRANGESTORE d z 2 3 BYSCORE
        (integer) 2
        > ZRANGE d 0 -1
        1) "b"
        2) "c"
        > ZRANGESTORE d z + - BYLEX REV LIMIT 0 1
        (integer) 1
        > ZRANGE d 0 -1
        1) "c"
        > ZRANGESTORE d missing 0 -1
        (integer) 0
        > EXISTS d
        (integer) 0
        > ZRANGESTORE d z 0 1 WITHSCORES
        (error) ERR syntax error
        > ZRANGESTORE d z x 1
        (error) ERR value is not an integer or out of range
    "#,
    );
}

#[test]
fn pop() {
    check(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d
        (integer) 4
        > ZPOPMIN z
        1) "a"
        2) "1"
        > ZPOPMAX z
        1) "d"
        2) "4"
        > ZPOPMIN z 0
        (empty array)
        > ZPOPMAX z 5
        1) "c"
        2) "3"
        3) "b"
        4) "2"
        > EXISTS z
        (integer) 0
        > ZPOPMIN z
        (empty array)
        > ZPOPMAX z 2
        (empty array)
        > ZPOPMIN z -1
        (error) ERR value is out of range, must be positive
        > ZPOPMIN z x
        (error) ERR value is out of range, must be positive
        > ZPOPMIN z 1 2
        (error) ERR syntax error
        > ZADD z 1 a 2 b 3 c
        (integer) 3
        > ZMPOP 2 missing z MIN
        1) "z"
        2) 1) 1) "a"
              2) "1"
        > ZMPOP 1 z MAX COUNT 5
        1) "z"
        2) 1) 1) "c"
              2) "3"
           2) 1) "b"
              2) "2"
        > ZMPOP 1 z MIN
        (nil)
        > ZMPOP 0 z MIN
        (error) ERR numkeys should be greater than 0
        > ZMPOP 1 z UP
        (error) ERR syntax error
        > ZMPOP 1 z MIN COUNT 0
        (error) ERR count should be greater than 0
        > ZMPOP 1 z MIN COUNT
        (error) ERR syntax error
        > ZMPOP 2 z MIN
        (error) ERR syntax error
    "#,
    );
}

#[test]
fn algebra() {
    check(
        r#"
        > ZADD a 1 x 2 y
        (integer) 2
        > ZADD b 3 y 4 z
        (integer) 2
        > SADD s y q
        (integer) 2
        > ZUNION 2 a b
        1) "x"
        2) "z"
        3) "y"
        > ZUNION 2 a b WITHSCORES
        1) "x"
        2) "1"
        3) "z"
        4) "4"
        5) "y"
        6) "5"
        > ZUNION 2 a s WITHSCORES
        1) "q"
        2) "1"
        3) "x"
        4) "1"
        5) "y"
        6) "3"
        > ZUNION 2 a b WEIGHTS 2 -1 WITHSCORES
        1) "z"
        2) "-4"
        3) "y"
        4) "1"
        5) "x"
        6) "2"
        > ZUNION 2 a b AGGREGATE MAX WITHSCORES
        1) "x"
        2) "1"
        3) "y"
        4) "3"
        5) "z"
        6) "4"
        > ZUNION 2 a b AGGREGATE MIN WEIGHTS 1 2 WITHSCORES
        1) "x"
        2) "1"
        3) "y"
        4) "2"
        5) "z"
        6) "8"
        > ZUNION 1 missing
        (empty array)
        > ZINTER 2 a b WITHSCORES
        1) "y"
        2) "5"
        > ZINTER 3 a b s
        1) "y"
        > ZINTER 2 a missing
        (empty array)
        > ZDIFF 2 a b WITHSCORES
        1) "x"
        2) "1"
        > ZDIFF 2 missing a
        (empty array)
        > ZUNIONSTORE d 2 a b
        (integer) 3
        > ZRANGE d 0 -1 WITHSCORES
        1) "x"
        2) "1"
        3) "z"
        4) "4"
        5) "y"
        6) "5"
        > ZINTERSTORE d 2 a b WEIGHTS 1 0.5
        (integer) 1
        > ZRANGE d 0 -1 WITHSCORES
        1) "y"
        2) "3.5"
        > ZDIFFSTORE d 2 a b
        (integer) 1
        > ZRANGE d 0 -1 WITHSCORES
        1) "x"
        2) "1"
        > ZINTERSTORE d 2 a missing
        (integer) 0
        > EXISTS d
        (integer) 0
        > ZINTERCARD 2 a b
        (integer) 1
        > ZINTERCARD 2 a b LIMIT 1
        (integer) 1
        > ZINTERCARD 2 a b LIMIT -1
        (error) ERR LIMIT can't be negative
        > ZINTERCARD 2 a b LIMIT
        (error) ERR syntax error
        > ZUNION 0 a
        (error) ERR at least 1 input key is needed for 'zunion' command
        > ZUNION x a
        (error) ERR value is not an integer or out of range
        > ZUNION 3 a b
        (error) ERR syntax error
        > ZUNION 2 a b WEIGHTS 1
        (error) ERR syntax error
        > ZUNION 2 a b WEIGHTS 1 x
        (error) ERR weight value is not a float
        > ZUNION 2 a b AGGREGATE AVG
        (error) ERR syntax error
        > ZUNIONSTORE d 2 a b WITHSCORES
        (error) ERR syntax error
        > ZUNIONSTORE d 0 a
        (error) ERR at least 1 input key is needed for 'zunionstore' command
        > ZDIFF 2 a b WEIGHTS 1 2
        (error) ERR syntax error
        > ZDIFFSTORE d 0 a
        (error) ERR at least 1 input key is needed for 'zdiffstore' command
        > ZINTERSTORE d 0 a
        (error) ERR at least 1 input key is needed for 'zinterstore' command
        > ZINTER 0 a
        (error) ERR at least 1 input key is needed for 'zinter' command
        > ZINTERCARD 0 a
        (error) ERR at least 1 input key is needed for 'zintercard' command
        > SET text t
        OK
        > ZUNION 2 a text
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZINTER 2 missing text
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

#[test]
fn chance() {
    check(
        r#"
        > ZADD z 1.5 only
        (integer) 1
        > ZRANDMEMBER z
        "only"
        > ZRANDMEMBER z 2
        1) "only"
        > ZRANDMEMBER z -2
        1) "only"
        2) "only"
        > ZRANDMEMBER z 2 WITHSCORES
        1) "only"
        2) "1.5"
        > ZRANDMEMBER z 0
        (empty array)
        > ZRANDMEMBER missing
        (nil)
        > ZRANDMEMBER missing 1
        (empty array)
        > ZRANDMEMBER z x
        (error) ERR value is not an integer or out of range
        > ZRANDMEMBER z 1 SCORES
        (error) ERR syntax error
        > ZRANDMEMBER z 1 WITHSCORES more
        (error) ERR syntax error
    "#,
    );
}

#[test]
fn scan() {
    check(
        r#"
        > ZADD z 1 a 2 b 3 ab
        (integer) 3
        > ZSCAN z 0
        1) "0"
        2) 1) "a"
           2) "1"
           3) "b"
           4) "2"
           5) "ab"
           6) "3"
        > ZSCAN z 0 MATCH *b
        1) "0"
        2) 1) "b"
           2) "2"
           3) "ab"
           4) "3"
        > ZSCAN z 0 COUNT 1
        1) "0"
        2) 1) "a"
           2) "1"
           3) "b"
           4) "2"
           5) "ab"
           6) "3"
        > ZSCAN missing 0
        1) "0"
        2) (empty array)
        > ZSCAN missing 0 nonsense
        1) "0"
        2) (empty array)
        > ZSCAN z x
        (error) ERR invalid cursor
        > ZSCAN z 0 COUNT 0
        (error) ERR syntax error
        > ZSCAN z 0 nonsense
        (error) ERR syntax error
    "#,
    );
}

#[test]
fn encodings() {
    check(
        r#"
        > ZADD z 1 a
        (integer) 1
        > OBJECT ENCODING z
        "listpack"
        > ZADD z 1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        (integer) 1
        > OBJECT ENCODING z
        "skiplist"
        > ZREMRANGEBYRANK z 1 1
        (integer) 1
        > OBJECT ENCODING z
        "skiplist"
    "#,
    );
}

#[test]
fn scores() {
    check_ours(
        r#"
        > ZADD z 0.1 a 1e20 b 3 c -0.5 d 1e-7 e 17179869184.5 f
        (integer) 6
        > ZRANGE z 0 -1 WITHSCORES
         1) "d"
         2) "-0.5"
         3) "e"
         4) "1e-7"
         5) "a"
         6) "0.1"
         7) "c"
         8) "3"
         9) "f"
        10) "17179869184.5"
        11) "b"
        12) "1e+20"
    "#,
    );
}

#[test]
fn wrong_type() {
    check(
        r#"
        > SET s text
        OK
        > ZADD s 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZINCRBY s 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZREM s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZCARD s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZSCORE s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZMSCORE s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANK s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZREVRANK s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZCOUNT s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZLEXCOUNT s - +
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANGE s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANGEBYSCORE s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANGEBYLEX s - +
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZREVRANGE s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZREVRANGEBYSCORE s 1 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZREVRANGEBYLEX s + -
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANGESTORE d s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZREMRANGEBYRANK s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZREMRANGEBYSCORE s 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZREMRANGEBYLEX s - +
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZPOPMIN s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZPOPMAX s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZMPOP 1 s MIN
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANDMEMBER s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZUNION 1 s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZDIFF 1 s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZINTERCARD 1 s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZSCAN s 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

#[test]
fn resp3_shapes() {
    check_resp3(
        r#"
        > ZADD z 1.5 a 2 b
        (integer) 2
        > ZSCORE z a
        (double) 1.5
        > ZMSCORE z a nothing
        1) (double) 1.5
        2) (nil)
        > ZINCRBY z 1 b
        (double) 3
        > ZADD z INCR 1 b
        (double) 4
        > ZRANGE z 0 -1
        1) "a"
        2) "b"
        > ZRANGE z 0 -1 WITHSCORES
        1) 1) "a"
           2) (double) 1.5
        2) 1) "b"
           2) (double) 4
        > ZREVRANGE z 0 -1 WITHSCORES
        1) 1) "b"
           2) (double) 4
        2) 1) "a"
           2) (double) 1.5
        > ZRANDMEMBER z 5 WITHSCORES
        1) 1) "b"
           2) (double) 4
        2) 1) "a"
           2) (double) 1.5
        > ZUNION 1 z WITHSCORES
        1) 1) "a"
           2) (double) 1.5
        2) 1) "b"
           2) (double) 4
        > ZINTER 1 z
        1) "a"
        2) "b"
        > ZDIFF 1 z WITHSCORES
        1) 1) "a"
           2) (double) 1.5
        2) 1) "b"
           2) (double) 4
        > ZSCAN z 0
        1) "0"
        2) 1) "a"
           2) "1.5"
           3) "b"
           4) "4"
        > ZRANK missing a
        (nil)
        > ZPOPMIN z
        1) "a"
        2) (double) 1.5
        > ZPOPMAX z 1
        1) 1) "b"
           2) (double) 4
        > ZPOPMIN z
        (empty array)
        > ZMPOP 1 z MIN
        (nil)
    "#,
    );
}
