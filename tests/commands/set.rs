//! Transcripts of the set family.

use crate::support::{check, check_ours, check_resp3};

#[test]
fn add_and_remove() {
    check(
        r#"
        > SADD s 3 1 2 1
        (integer) 3
        > SADD s 2 4
        (integer) 1
        > SCARD s
        (integer) 4
        > SCARD missing
        (integer) 0
        > SMEMBERS s
        1) "1"
        2) "2"
        3) "3"
        4) "4"
        > SMEMBERS missing
        (empty array)
        > SISMEMBER s 1
        (integer) 1
        > SISMEMBER s 9
        (integer) 0
        > SISMEMBER missing 1
        (integer) 0
        > SMISMEMBER s 1 9 2
        1) (integer) 1
        2) (integer) 0
        3) (integer) 1
        > SMISMEMBER missing 1 2
        1) (integer) 0
        2) (integer) 0
        > SREM s 1 9
        (integer) 1
        > SREM s 2 3 4
        (integer) 3
        > EXISTS s
        (integer) 0
        > SREM missing 1
        (integer) 0
        > SADD s
        (error) ERR wrong number of arguments for 'sadd' command
        > SREM s
        (error) ERR wrong number of arguments for 'srem' command
        > SISMEMBER s
        (error) ERR wrong number of arguments for 'sismember' command
        > SMISMEMBER s
        (error) ERR wrong number of arguments for 'smismember' command
    "#,
    );
}

#[test]
fn move_members() {
    check(
        r#"
        > SADD a x y
        (integer) 2
        > SMOVE a b x
        (integer) 1
        > SMOVE a b nothing
        (integer) 0
        > SMOVE missing b x
        (integer) 0
        > SMEMBERS b
        1) "x"
        > SMOVE a a y
        (integer) 1
        > SMOVE a b y
        (integer) 1
        > EXISTS a
        (integer) 0
        > SET s text
        OK
        > SMOVE b s x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMOVE s b x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMOVE missing s x
        (integer) 0
    "#,
    );
}

#[test]
fn algebra() {
    check(
        r#"
        > SADD a 1 2 3
        (integer) 3
        > SADD b 2 3 4
        (integer) 3
        > SADD c 3
        (integer) 1
        > SINTER a b
        1) "2"
        2) "3"
        > SINTER a b c
        1) "3"
        > SINTER a missing
        (empty array)
        > SUNION a b
        1) "1"
        2) "2"
        3) "3"
        4) "4"
        > SUNION missing
        (empty array)
        > SDIFF a b
        1) "1"
        > SDIFF a b c
        1) "1"
        > SDIFF a missing
        1) "1"
        2) "2"
        3) "3"
        > SDIFF missing a
        (empty array)
        > SINTERSTORE d a b
        (integer) 2
        > SMEMBERS d
        1) "2"
        2) "3"
        > SUNIONSTORE d a b
        (integer) 4
        > SCARD d
        (integer) 4
        > SDIFFSTORE d a b
        (integer) 1
        > SMEMBERS d
        1) "1"
        > SDIFFSTORE d a a
        (integer) 0
        > EXISTS d
        (integer) 0
        > SINTERCARD 2 a b
        (integer) 2
        > SINTERCARD 2 a b LIMIT 1
        (integer) 1
        > SINTERCARD 2 a b LIMIT 0
        (integer) 2
        > SINTERCARD 2 a missing
        (integer) 0
        > SINTERCARD 0 a
        (error) ERR numkeys should be greater than 0
        > SINTERCARD x a
        (error) ERR numkeys should be greater than 0
        > SINTERCARD 3 a b
        (error) ERR Number of keys can't be greater than number of args
        > SINTERCARD 2 a b LIMIT -1
        (error) ERR LIMIT can't be negative
        > SINTERCARD 2 a b LIMIT
        (error) ERR syntax error
        > SINTERCARD 2 a b BOUND 1
        (error) ERR syntax error
        > SET s text
        OK
        > SINTER a s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SUNION a s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SDIFF a s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SINTERSTORE d a s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SINTER missing s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SINTERCARD 2 a s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SUNIONSTORE s a
        (integer) 3
        > SMEMBERS s
        1) "1"
        2) "2"
        3) "3"
        > SINTER
        (error) ERR wrong number of arguments for 'sinter' command
        > SINTERSTORE d
        (error) ERR wrong number of arguments for 'sinterstore' command
    "#,
    );
}

#[test]
fn chance() {
    check(
        r#"
        > SADD s only
        (integer) 1
        > SRANDMEMBER s
        "only"
        > SRANDMEMBER s 3
        1) "only"
        > SRANDMEMBER s -3
        1) "only"
        2) "only"
        3) "only"
        > SRANDMEMBER s 0
        (empty array)
        > SRANDMEMBER missing
        (nil)
        > SRANDMEMBER missing 2
        (empty array)
        > SRANDMEMBER s x
        (error) ERR value is not an integer or out of range
        > SRANDMEMBER s 1 2
        (error) ERR syntax error
        > SRANDMEMBER s -9223372036854775808
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > SPOP s 0
        (empty array)
        > SPOP s
        "only"
        > EXISTS s
        (integer) 0
        > SPOP s
        (nil)
        > SPOP s 2
        (empty array)
        > SADD s only
        (integer) 1
        > SPOP s 5
        1) "only"
        > SPOP s -1
        (error) ERR value is out of range, must be positive
        > SPOP s x
        (error) ERR value is out of range, must be positive
        > SPOP s 1 2
        (error) ERR syntax error
    "#,
    );
}

#[test]
fn scan() {
    check(
        r#"
        > SADD s 1 2 12
        (integer) 3
        > SSCAN s 0
        1) "0"
        2) 1) "1"
           2) "2"
           3) "12"
        > SSCAN s 0 MATCH 1*
        1) "0"
        2) 1) "1"
           2) "12"
        > SSCAN s 0 COUNT 1
        1) "0"
        2) 1) "1"
           2) "2"
           3) "12"
        > SSCAN missing 0
        1) "0"
        2) (empty array)
        > SSCAN missing 0 nonsense
        1) "0"
        2) (empty array)
        > SSCAN s x
        (error) ERR invalid cursor
        > SSCAN s 0 COUNT 0
        (error) ERR syntax error
        > SSCAN s 0 MATCH
        (error) ERR syntax error
        > SSCAN s 0 nonsense
        (error) ERR syntax error
    "#,
    );
}

#[test]
fn encodings() {
    check_ours(
        r#"
        > SADD s 1 2 3
        (integer) 3
        > OBJECT ENCODING s
        "intset"
        > SADD s text
        (integer) 1
        > OBJECT ENCODING s
        "listpack"
        > SADD s xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        (integer) 1
        > OBJECT ENCODING s
        "hashtable"
        > SREM s text
        (integer) 1
        > OBJECT ENCODING s
        "hashtable"
        > SADD n 9223372036854775807 -9223372036854775808
        (integer) 2
        > OBJECT ENCODING n
        "intset"
        > SADD n 9223372036854775808
        (integer) 1
        > OBJECT ENCODING n
        "listpack"
    "#,
    );
}

#[test]
fn wrong_type() {
    check(
        r#"
        > SET s text
        OK
        > SADD s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SREM s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SCARD s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMEMBERS s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SISMEMBER s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMISMEMBER s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SPOP s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SRANDMEMBER s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SSCAN s 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

#[test]
fn resp3_shapes() {
    check_resp3(
        r#"
        > SADD s 1
        (integer) 1
        > SMEMBERS s
        1~ "1"
        > SMEMBERS missing
        (empty set)
        > SINTER s s
        1~ "1"
        > SUNION s s
        1~ "1"
        > SDIFF s missing
        1~ "1"
        > SRANDMEMBER s 1
        1) "1"
        > SMISMEMBER s 1 2
        1) (integer) 1
        2) (integer) 0
        > SPOP s 1
        1~ "1"
        > SPOP s 1
        (empty set)
        > SPOP s
        (nil)
    "#,
    );
}
