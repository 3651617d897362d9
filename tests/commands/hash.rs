//! Transcripts of the hash family.

use crate::support::{check, check_ours, check_resp3};

#[test]
fn set_and_get() {
    check(
        r#"
        > HSET bot state idle mood calm
        (integer) 2
        > HSET bot state busy name k9
        (integer) 1
        > HGET bot state
        "busy"
        > HGET bot nothing
        (nil)
        > HGET missing state
        (nil)
        > HMGET bot state nothing name
        1) "busy"
        2) (nil)
        3) "k9"
        > HMGET missing a b
        1) (nil)
        2) (nil)
        > HLEN bot
        (integer) 3
        > HLEN missing
        (integer) 0
        > HSTRLEN bot name
        (integer) 2
        > HSTRLEN bot nothing
        (integer) 0
        > HSTRLEN missing name
        (integer) 0
        > HEXISTS bot mood
        (integer) 1
        > HEXISTS bot nothing
        (integer) 0
        > HEXISTS missing mood
        (integer) 0
        > HMSET bot mood merry age 3
        OK
        > HGETALL bot
        1) "state"
        2) "busy"
        3) "mood"
        4) "merry"
        5) "name"
        6) "k9"
        7) "age"
        8) "3"
        > HKEYS bot
        1) "state"
        2) "mood"
        3) "name"
        4) "age"
        > HVALS bot
        1) "busy"
        2) "merry"
        3) "k9"
        4) "3"
        > HGETALL missing
        (empty array)
        > HKEYS missing
        (empty array)
        > HVALS missing
        (empty array)
        > HSETNX bot age 4
        (integer) 0
        > HSETNX bot tail yes
        (integer) 1
        > HSETNX fresh f v
        (integer) 1
        > HSET h "" empty "a b\x00" "\xff\r\n"
        (integer) 2
        > HGET h ""
        "empty"
        > HGET h "a b\x00"
        "\xff\r\n"
        > HSET bot odd
        (error) ERR wrong number of arguments for 'hset' command
        > HSET bot a 1 b
        (error) ERR wrong number of arguments for 'hset' command
        > HMSET bot a 1 b
        (error) ERR wrong number of arguments for 'hmset' command
        > HGET bot
        (error) ERR wrong number of arguments for 'hget' command
        > HMGET bot
        (error) ERR wrong number of arguments for 'hmget' command
        > HSETNX bot f
        (error) ERR wrong number of arguments for 'hsetnx' command
        > HGETALL
        (error) ERR wrong number of arguments for 'hgetall' command
    "#,
    );
}

#[test]
fn delete() {
    check(
        r#"
        > HSET h a 1 b 2 c 3
        (integer) 3
        > HDEL h a nothing a
        (integer) 1
        > HDEL h b c
        (integer) 2
        > EXISTS h
        (integer) 0
        > HDEL missing a
        (integer) 0
        > HDEL h
        (error) ERR wrong number of arguments for 'hdel' command
    "#,
    );
}

#[test]
fn counters() {
    check(
        r#"
        > HINCRBY h n 5
        (integer) 5
        > HINCRBY h n -7
        (integer) -2
        > HSET h n 9223372036854775807 text abc padded " 1"
        (integer) 2
        > HINCRBY h n 1
        (error) ERR increment or decrement would overflow
        > HINCRBY h n -1
        (integer) 9223372036854775806
        > HINCRBY h text 1
        (error) ERR hash value is not an integer
        > HINCRBY h padded 1
        (error) ERR hash value is not an integer
        > HINCRBY h n x
        (error) ERR value is not an integer or out of range
        > HINCRBY h n 1.5
        (error) ERR value is not an integer or out of range
        > HINCRBYFLOAT h f 10.5
        "10.5"
        > HINCRBYFLOAT h f 0.1
        "10.6"
        > HINCRBYFLOAT h f -5
        "5.6"
        > HSET h f 5.0e3
        (integer) 0
        > HINCRBYFLOAT h f 2.0e2
        "5200"
        > HINCRBYFLOAT h text 1
        (error) ERR hash value is not a float
        > HINCRBYFLOAT h f abc
        (error) ERR value is not a valid float
        > HINCRBYFLOAT h f inf
        (error) ERR value is NaN or Infinity
        > HINCRBYFLOAT h f nan
        (error) ERR value is not a valid float
        > HINCRBYFLOAT h new 3
        "3"
        > HGET h new
        "3"
    "#,
    );
}

#[test]
fn chance() {
    check(
        r#"
        > HSET h only one
        (integer) 1
        > HRANDFIELD h
        "only"
        > HRANDFIELD h 1
        1) "only"
        > HRANDFIELD h 5 WITHVALUES
        1) "only"
        2) "one"
        > HRANDFIELD h -3
        1) "only"
        2) "only"
        3) "only"
        > HRANDFIELD h -2 WITHVALUES
        1) "only"
        2) "one"
        3) "only"
        4) "one"
        > HRANDFIELD h 0
        (empty array)
        > HRANDFIELD missing
        (nil)
        > HRANDFIELD missing 2
        (empty array)
        > HRANDFIELD missing 2 WITHVALUES
        (empty array)
        > HRANDFIELD h x
        (error) ERR value is not an integer or out of range
        > HRANDFIELD h 1 VALUES
        (error) ERR syntax error
        > HRANDFIELD h 1 WITHVALUES more
        (error) ERR syntax error
        > HRANDFIELD h -9223372036854775808
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > HRANDFIELD h 9223372036854775807 WITHVALUES
        (error) ERR value is out of range
    "#,
    );
}

#[test]
fn scan() {
    check(
        r#"
        > HSET h a 1 b 2 ab 3
        (integer) 3
        > HSCAN h 0
        1) "0"
        2) 1) "a"
           2) "1"
           3) "b"
           4) "2"
           5) "ab"
           6) "3"
        > HSCAN h 0 MATCH a*
        1) "0"
        2) 1) "a"
           2) "1"
           3) "ab"
           4) "3"
        > HSCAN h 0 COUNT 1
        1) "0"
        2) 1) "a"
           2) "1"
           3) "b"
           4) "2"
           5) "ab"
           6) "3"
        > HSCAN missing 0
        1) "0"
        2) (empty array)
        > HSCAN missing 0 nonsense
        1) "0"
        2) (empty array)
        > HSCAN h x
        (error) ERR invalid cursor
        > HSCAN h 0 COUNT 0
        (error) ERR syntax error
        > HSCAN h 0 COUNT x
        (error) ERR value is not an integer or out of range
        > HSCAN h 0 MATCH
        (error) ERR syntax error
        > HSCAN h 0 nonsense
        (error) ERR syntax error
        > HSCAN h
        (error) ERR wrong number of arguments for 'hscan' command
    "#,
    );
    check_ours(
        r#"
        > HSET h a 1 b 2
        (integer) 2
        > HSCAN h 0 NOVALUES
        1) "0"
        2) 1) "a"
           2) "b"
        > HSCAN h 0 NOVALUES MATCH a
        1) "0"
        2) 1) "a"
    "#,
    );
}

#[test]
fn encodings() {
    check(
        r#"
        > HSET h f v
        (integer) 1
        > OBJECT ENCODING h
        "listpack"
        > HSET h f xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        (integer) 0
        > OBJECT ENCODING h
        "listpack"
        > HSET h f xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        (integer) 0
        > OBJECT ENCODING h
        "hashtable"
        > HSET h f v
        (integer) 0
        > OBJECT ENCODING h
        "hashtable"
    "#,
    );
}

#[test]
fn wrong_type() {
    check(
        r#"
        > SET s text
        OK
        > HSET s f v
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HMSET s f v
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HSETNX s f v
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HGET s f
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HMGET s f
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HGETALL s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HKEYS s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HVALS s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HLEN s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HSTRLEN s f
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HEXISTS s f
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HDEL s f
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HINCRBY s f 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HINCRBYFLOAT s f 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HRANDFIELD s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HSCAN s 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HSCAN s x
        (error) ERR invalid cursor
    "#,
    );
}

#[test]
fn resp3_shapes() {
    check_resp3(
        r#"
        > HSET h f v
        (integer) 1
        > HGETALL h
        1# "f" => "v"
        > HGETALL missing
        (empty hash)
        > HKEYS h
        1) "f"
        > HVALS h
        1) "v"
        > HGET missing f
        (nil)
        > HMGET h f nothing
        1) "v"
        2) (nil)
        > HRANDFIELD h 1 WITHVALUES
        1) 1) "f"
           2) "v"
        > HRANDFIELD h -2 WITHVALUES
        1) 1) "f"
           2) "v"
        2) 1) "f"
           2) "v"
        > HINCRBYFLOAT h n 1.5
        "1.5"
        > HSCAN h 0
        1) "0"
        2) 1) "f"
           2) "v"
           3) "n"
           4) "1.5"
    "#,
    );
}
