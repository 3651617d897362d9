//! Transcripts of the stream family.

use crate::support::{check, check_ours, check_resp3};

#[test]
fn add_and_length() {
    check(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 1-2 a 2 b 3
        "1-2"
        > XADD s 1-* a 4
        "1-3"
        > XADD s 5 a 5
        "5-0"
        > XADD s 5-* a 6
        "5-1"
        > XADD s 4-* a 6
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s 5-1 a 6
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s 0-0 a 6
        (error) ERR The ID specified in XADD must be greater than 0-0
        > XADD s 0-1 a
        (error) ERR wrong number of arguments for 'xadd' command
        > XADD s 7-1
        (error) ERR wrong number of arguments for 'xadd' command
        > XADD s 7-1 a 1 b
        (error) ERR wrong number of arguments for 'xadd' command
        > XADD s x a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s 1-x a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s - a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s + a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s $ a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD none NOMKSTREAM 1-1 a 1
        (nil)
        > XADD s NOMKSTREAM 18446744073709551615-18446744073709551614 a 1
        "18446744073709551615-18446744073709551614"
        > XADD s 18446744073709551615-* a last
        "18446744073709551615-18446744073709551615"
        > XADD s * a more
        (error) ERR The stream has exhausted the last possible ID, unable to add more items
        > XADD s 18446744073709551615-18446744073709551615 a more
        (error) ERR The stream has exhausted the last possible ID, unable to add more items
        > XADD s 18446744073709551616-0 a more
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD new 0-* a 1
        "0-1"
        > XLEN s
        (integer) 7
        > XLEN none
        (integer) 0
        > TYPE s
        stream
        > OBJECT ENCODING s
        "stream"
        > EXISTS none new
        (integer) 1
        > SET text x
        OK
        > XADD text 1-1 a 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XLEN text
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XADD s
        (error) ERR wrong number of arguments for 'xadd' command
        > XLEN
        (error) ERR wrong number of arguments for 'xlen' command
        "#,
    );
}

#[test]
fn ranges() {
    check(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 1-2 a 2 b 3
        "1-2"
        > XADD s 2-0 a 4
        "2-0"
        > XADD s 3-0 c 5
        "3-0"
        > XRANGE s - +
        1) 1) "1-1"
           2) 1) "a"
              2) "1"
        2) 1) "1-2"
           2) 1) "a"
              2) "2"
              3) "b"
              4) "3"
        3) 1) "2-0"
           2) 1) "a"
              2) "4"
        4) 1) "3-0"
           2) 1) "c"
              2) "5"
        > XRANGE s 1 1
        1) 1) "1-1"
           2) 1) "a"
              2) "1"
        2) 1) "1-2"
           2) 1) "a"
              2) "2"
              3) "b"
              4) "3"
        > XRANGE s 1-2 2
        1) 1) "1-2"
           2) 1) "a"
              2) "2"
              3) "b"
              4) "3"
        2) 1) "2-0"
           2) 1) "a"
              2) "4"
        > XRANGE s (1-1 (3
        1) 1) "1-2"
           2) 1) "a"
              2) "2"
              3) "b"
              4) "3"
        2) 1) "2-0"
           2) 1) "a"
              2) "4"
        3) 1) "3-0"
           2) 1) "c"
              2) "5"
        > XRANGE s - + COUNT 2
        1) 1) "1-1"
           2) 1) "a"
              2) "1"
        2) 1) "1-2"
           2) 1) "a"
              2) "2"
              3) "b"
              4) "3"
        > XRANGE s - + COUNT 0
        (nil)
        > XRANGE s - + COUNT -1
        (nil)
        > XRANGE s + -
        (empty array)
        > XREVRANGE s + -
        1) 1) "3-0"
           2) 1) "c"
              2) "5"
        2) 1) "2-0"
           2) 1) "a"
              2) "4"
        3) 1) "1-2"
           2) 1) "a"
              2) "2"
              3) "b"
              4) "3"
        4) 1) "1-1"
           2) 1) "a"
              2) "1"
        > XREVRANGE s + - COUNT 1
        1) 1) "3-0"
           2) 1) "c"
              2) "5"
        > XREVRANGE s (3 (1-1
        1) 1) "3-0"
           2) 1) "c"
              2) "5"
        2) 1) "2-0"
           2) 1) "a"
              2) "4"
        3) 1) "1-2"
           2) 1) "a"
              2) "2"
              3) "b"
              4) "3"
        > XREVRANGE s 1 1
        1) 1) "1-2"
           2) 1) "a"
              2) "2"
              3) "b"
              4) "3"
        2) 1) "1-1"
           2) 1) "a"
              2) "1"
        > XREVRANGE s - +
        (empty array)
        > XRANGE none - +
        (empty array)
        > XRANGE s (- +
        (error) ERR Invalid stream ID specified as stream command argument
        > XRANGE s (18446744073709551615-18446744073709551615 +
        (error) ERR invalid start ID for the interval
        > XRANGE s - (0-0
        (error) ERR invalid end ID for the interval
        > XRANGE s x +
        (error) ERR Invalid stream ID specified as stream command argument
        > XRANGE s - + COUNT
        (error) ERR syntax error
        > XRANGE s - + COUNT x
        (error) ERR value is not an integer or out of range
        > XRANGE s - + NOPE 1
        (error) ERR syntax error
        > XRANGE s -
        (error) ERR wrong number of arguments for 'xrange' command
        > SET text x
        OK
        > XRANGE text - +
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XREVRANGE text + -
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn ranges_over_several_blocks() {
    check(
        r#"
        > CONFIG SET stream-node-max-entries 3
        OK
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 1-2 a 2
        "1-2"
        > XADD s 1-3 b 3
        "1-3"
        > XADD s 1-4 a 4
        "1-4"
        > XADD s 2-1 a 5
        "2-1"
        > XADD s 3-1 a 6
        "3-1"
        > XADD s 300-1 a 7
        "300-1"
        > XDEL s 1-1 1-3 300-1
        (integer) 3
        > XRANGE s - +
        1) 1) "1-2"
           2) 1) "a"
              2) "2"
        2) 1) "1-4"
           2) 1) "a"
              2) "4"
        3) 1) "2-1"
           2) 1) "a"
              2) "5"
        4) 1) "3-1"
           2) 1) "a"
              2) "6"
        > XREVRANGE s + -
        1) 1) "3-1"
           2) 1) "a"
              2) "6"
        2) 1) "2-1"
           2) 1) "a"
              2) "5"
        3) 1) "1-4"
           2) 1) "a"
              2) "4"
        4) 1) "1-2"
           2) 1) "a"
              2) "2"
        > XRANGE s 1-2 3
        1) 1) "1-2"
           2) 1) "a"
              2) "2"
        2) 1) "1-4"
           2) 1) "a"
              2) "4"
        3) 1) "2-1"
           2) 1) "a"
              2) "5"
        4) 1) "3-1"
           2) 1) "a"
              2) "6"
        > XRANGE s 1-3 1-3
        (empty array)
        > XINFO STREAM s
         1) "length"
         2) (integer) 4
         3) "radix-tree-keys"
         4) (integer) 2
         5) "radix-tree-nodes"
         6) (integer) 4
         7) "last-generated-id"
         8) "300-1"
         9) "max-deleted-entry-id"
        10) "300-1"
        11) "entries-added"
        12) (integer) 7
        13) "recorded-first-entry-id"
        14) "1-2"
        15) "groups"
        16) (integer) 0
        17) "first-entry"
        18) 1) "1-2"
            2) 1) "a"
               2) "2"
        19) "last-entry"
        20) 1) "3-1"
            2) 1) "a"
               2) "6"
        > XTRIM s MAXLEN ~ 2
        (integer) 1
        > XTRIM s MAXLEN ~ 1
        (integer) 0
        > XINFO STREAM s
         1) "length"
         2) (integer) 3
         3) "radix-tree-keys"
         4) (integer) 1
         5) "radix-tree-nodes"
         6) (integer) 2
         7) "last-generated-id"
         8) "300-1"
         9) "max-deleted-entry-id"
        10) "300-1"
        11) "entries-added"
        12) (integer) 7
        13) "recorded-first-entry-id"
        14) "1-4"
        15) "groups"
        16) (integer) 0
        17) "first-entry"
        18) 1) "1-4"
            2) 1) "a"
               2) "4"
        19) "last-entry"
        20) 1) "3-1"
            2) 1) "a"
               2) "6"
        "#,
    );
}

#[test]
fn delete_and_trim() {
    check(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 1-2 a 2
        "1-2"
        > XADD s 1-3 a 3
        "1-3"
        > XADD s 1-4 a 4
        "1-4"
        > XADD s 1-5 a 5
        "1-5"
        > XDEL s 1-2 1-2 9-9
        (integer) 1
        > XDEL none 1-1
        (integer) 0
        > XDEL none x
        (integer) 0
        > XDEL s x
        (error) ERR Invalid stream ID specified as stream command argument
        > XDEL s 1-1 x
        (error) ERR Invalid stream ID specified as stream command argument
        > XTRIM s MAXLEN 3
        (integer) 1
        > XTRIM s MAXLEN = 3
        (integer) 0
        > XTRIM s MAXLEN ~ 1
        (integer) 0
        > XTRIM s MINID 1-5
        (integer) 2
        > XTRIM s MINID ~ 9
        (integer) 1
        > XTRIM s MAXLEN 0
        (integer) 0
        > XLEN s
        (integer) 0
        > EXISTS s
        (integer) 1
        > XRANGE s - +
        (empty array)
        > XADD s MAXLEN 1 2-1 a 1
        "2-1"
        > XADD s MAXLEN = 1 2-2 a 1
        "2-2"
        > XADD s MINID 2-9 2-3 a 1
        "2-3"
        > XADD s MAXLEN ~ 0 2-4 a 1
        "2-4"
        > XINFO STREAM s
         1) "length"
         2) (integer) 0
         3) "radix-tree-keys"
         4) (integer) 0
         5) "radix-tree-nodes"
         6) (integer) 1
         7) "last-generated-id"
         8) "2-4"
         9) "max-deleted-entry-id"
        10) "1-2"
        11) "entries-added"
        12) (integer) 9
        13) "recorded-first-entry-id"
        14) "0-0"
        15) "groups"
        16) (integer) 0
        17) "first-entry"
        18) (nil)
        19) "last-entry"
        20) (nil)
        > XTRIM none MAXLEN 1
        (integer) 0
        > XTRIM s MAXLEN
        (error) ERR wrong number of arguments for 'xtrim' command
        > XTRIM s MAXLEN -1
        (error) ERR The MAXLEN argument must be >= 0.
        > XTRIM s MAXLEN x
        (error) ERR value is not an integer or out of range
        > XTRIM s MINID x
        (error) ERR Invalid stream ID specified as stream command argument
        > XTRIM s NOPE 1
        (error) ERR syntax error
        > XTRIM s MAXLEN 1 MINID 1
        (error) ERR syntax error, MAXLEN and MINID options at the same time are not compatible
        > XTRIM s MAXLEN 1 LIMIT 1
        (error) ERR syntax error, LIMIT cannot be used without the special ~ option
        > XTRIM s MAXLEN = 1 LIMIT 1
        (error) ERR syntax error, LIMIT cannot be used without the special ~ option
        > XTRIM s MAXLEN ~ 1 LIMIT -1
        (error) ERR The LIMIT argument must be >= 0.
        > XTRIM s MAXLEN ~ 1 LIMIT 0
        (integer) 0
        > XTRIM s LIMIT 5
        (error) ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
        > XADD s LIMIT 5 3-1 a 1
        (error) ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
        > XADD s MAXLEN -5 3-1 a 1
        (error) ERR The MAXLEN argument must be >= 0.
        > SET text x
        OK
        > XDEL text 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XTRIM text MAXLEN 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn set_id() {
    check(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 5-0 a 2
        "5-0"
        > XSETID s 4-9
        (error) ERR The ID specified in XSETID is smaller than the target stream top item
        > XSETID s 7-1
        OK
        > XADD s 7-1 a 3
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XSETID s 8 ENTRIESADDED 1
        (error) ERR The entries_added specified in XSETID is smaller than the target stream length
        > XSETID s 8 ENTRIESADDED -1
        (error) ERR entries_added must be positive
        > XSETID s 8 ENTRIESADDED 10 MAXDELETEDID 9
        (error) ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id
        > XSETID s 8 ENTRIESADDED 10 MAXDELETEDID 3-0
        OK
        > XINFO STREAM s
         1) "length"
         2) (integer) 2
         3) "radix-tree-keys"
         4) (integer) 1
         5) "radix-tree-nodes"
         6) (integer) 2
         7) "last-generated-id"
         8) "8-0"
         9) "max-deleted-entry-id"
        10) "3-0"
        11) "entries-added"
        12) (integer) 10
        13) "recorded-first-entry-id"
        14) "1-1"
        15) "groups"
        16) (integer) 0
        17) "first-entry"
        18) 1) "1-1"
            2) 1) "a"
               2) "1"
        19) "last-entry"
        20) 1) "5-0"
            2) 1) "a"
               2) "2"
        > XSETID s 4-0
        (error) ERR The ID specified in XSETID is smaller than the target stream top item
        > XSETID s x
        (error) ERR Invalid stream ID specified as stream command argument
        > XSETID none 1-1
        (error) ERR no such key
        > XSETID s 9 NOPE 1
        (error) ERR syntax error
        > XSETID s 9 ENTRIESADDED
        (error) ERR syntax error
        > SET text x
        OK
        > XSETID text 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn read() {
    check(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XADD t 1-5 b 3
        "1-5"
        > XREAD STREAMS s 0
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
              2) 1) "2-1"
                 2) 1) "a"
                    2) "2"
        > XREAD COUNT 1 STREAMS s t 0 0
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
        2) 1) "t"
           2) 1) 1) "1-5"
                 2) 1) "b"
                    2) "3"
        > XREAD STREAMS s t 2-1 1
        1) 1) "t"
           2) 1) 1) "1-5"
                 2) 1) "b"
                    2) "3"
        > XREAD STREAMS s t 2-1 $
        (nil)
        > XREAD COUNT -1 STREAMS s 1-1
        1) 1) "s"
           2) 1) 1) "2-1"
                 2) 1) "a"
                    2) "2"
        > XREAD STREAMS none 0
        (nil)
        > XREAD BLOCK -1 STREAMS s 0
        (error) ERR timeout is negative
        > XREAD BLOCK x STREAMS s 0
        (error) ERR timeout is not an integer or out of range
        > XREAD COUNT x STREAMS s 0
        (error) ERR value is not an integer or out of range
        > XREAD STREAMS s >
        (error) ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.
        > XREAD STREAMS s x
        (error) ERR Invalid stream ID specified as stream command argument
        > XREAD NOACK STREAMS s 0
        (error) ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.
        > XREAD GROUP g c STREAMS s 0
        (error) ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.
        > XREAD NOPE STREAMS s 0
        (error) ERR syntax error
        > XREAD COUNT 5 BLOCK 5
        (error) ERR syntax error
        > SET text x
        OK
        > XREAD STREAMS text 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XREAD STREAMS s text 0 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn reading_as_pairs() {
    check_resp3(
        r#"
        > XADD s 1-1 a 1 b 2
        "1-1"
        > XADD t 2-1 c 3
        "2-1"
        > XREAD STREAMS s t 0 0
        1# "s" => 1) 1) "1-1"
              2) 1) "a"
                 2) "1"
                 3) "b"
                 4) "2"
        2# "t" => 1) 1) "2-1"
              2) 1) "c"
                 2) "3"
        > XREAD STREAMS s 5
        (nil)
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c COUNT 1 STREAMS s >
        1# "s" => 1) 1) "1-1"
              2) 1) "a"
                 2) "1"
                 3) "b"
                 4) "2"
        > XREADGROUP GROUP g c STREAMS s >
        (nil)
        > XINFO GROUPS s
        1) 1# "name" => "g"
           2# "consumers" => (integer) 1
           3# "pending" => (integer) 1
           4# "last-delivered-id" => "1-1"
           5# "entries-read" => (integer) 1
           6# "lag" => (integer) 0
        > XRANGE s - +
        1) 1) "1-1"
           2) 1) "a"
              2) "1"
              3) "b"
              4) "2"
        > XPENDING s nobody
        (error) NOGROUP No such key 's' or consumer group 'nobody'
        "#,
    );
}

#[test]
fn groups() {
    check(
        r#"
        > XGROUP CREATE s g $
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP CREATE s g $ MKSTREAM
        OK
        > XGROUP CREATE s g $ MKSTREAM
        (error) BUSYGROUP Consumer Group name already exists
        > XGROUP CREATE s h 0 ENTRIESREAD 3
        OK
        > XGROUP CREATE s i x
        (error) ERR Invalid stream ID specified as stream command argument
        > XGROUP CREATE s i 0 ENTRIESREAD -2
        (error) ERR value for ENTRIESREAD must be positive or -1
        > XGROUP CREATE s i 0 ENTRIESREAD x
        (error) ERR value is not an integer or out of range
        > XGROUP CREATE s i 0 NOPE
        (error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.
        > XGROUP CREATE s i 0 MKSTREAM ENTRIESREAD 1 MKSTREAM MKSTREAM
        (error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.
        > XGROUP CREATECONSUMER s g c
        (integer) 1
        > XGROUP CREATECONSUMER s g c
        (integer) 0
        > XGROUP CREATECONSUMER s nobody c
        (error) NOGROUP No such consumer group 'nobody' for key name 's'
        > XGROUP CREATECONSUMER none g c
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP SETID s g 5
        OK
        > XGROUP SETID s g $ ENTRIESREAD 7
        OK
        > XGROUP SETID s nobody 0
        (error) NOGROUP No such consumer group 'nobody' for key name 's'
        > XGROUP SETID none g 0
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP SETID s g x
        (error) ERR Invalid stream ID specified as stream command argument
        > XGROUP SETID s g 0 MKSTREAM
        (error) ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.
        > XGROUP DELCONSUMER s g c
        (integer) 0
        > XGROUP DELCONSUMER s g c
        (integer) 0
        > XGROUP DELCONSUMER s nobody c
        (error) NOGROUP No such consumer group 'nobody' for key name 's'
        > XGROUP DESTROY s h
        (integer) 1
        > XGROUP DESTROY s h
        (integer) 0
        > XGROUP DESTROY none h
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP NOPE s g
        (error) ERR unknown subcommand 'NOPE'. Try XGROUP HELP.
        > XGROUP CREATE s
        (error) ERR wrong number of arguments for 'xgroup|create' command
        > XINFO GROUPS s
        1)  1) "name"
            2) "g"
            3) "consumers"
            4) (integer) 0
            5) "pending"
            6) (integer) 0
            7) "last-delivered-id"
            8) "0-0"
            9) "entries-read"
           10) (integer) 7
           11) "lag"
           12) (integer) 0
        > SET text x
        OK
        > XGROUP CREATE text g 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XGROUP CREATE text g 0 MKSTREAM
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XGROUP SETID text g 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XGROUP DESTROY text g
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn read_as_a_group() {
    check(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XADD s 3-1 a 3
        "3-1"
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
        > XREADGROUP GROUP g d COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "2-1"
                 2) 1) "a"
                    2) "2"
        > XREADGROUP GROUP g c STREAMS s 0
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
        > XREADGROUP GROUP g c STREAMS s 1-1
        1) 1) "s"
           2) (empty array)
        > XREADGROUP GROUP g e NOACK STREAMS s >
        1) 1) "s"
           2) 1) 1) "3-1"
                 2) 1) "a"
                    2) "3"
        > XREADGROUP GROUP g e STREAMS s >
        (nil)
        > XREADGROUP GROUP g e STREAMS s 0
        1) 1) "s"
           2) (empty array)
        > XDEL s 1-1
        (integer) 1
        > XREADGROUP GROUP g c STREAMS s 0
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) (nil)
        > XPENDING s g
        1) (integer) 2
        2) "1-1"
        3) "2-1"
        4) 1) 1) "c"
              2) "1"
           2) 1) "d"
              2) "1"
        > XPENDING s g - + 10 nobody
        (empty array)
        > XACK s g 1-1 1-1 9-9
        (integer) 1
        > XACK s g x
        (error) ERR Invalid stream ID specified as stream command argument
        > XACK s nobody 1-1
        (integer) 0
        > XACK none g x
        (integer) 0
        > XPENDING s g
        1) (integer) 1
        2) "2-1"
        3) "2-1"
        4) 1) 1) "d"
              2) "1"
        > XINFO GROUPS s
        1)  1) "name"
            2) "g"
            3) "consumers"
            4) (integer) 3
            5) "pending"
            6) (integer) 1
            7) "last-delivered-id"
            8) "3-1"
            9) "entries-read"
           10) (integer) 3
           11) "lag"
           12) (integer) 0
        > XREADGROUP GROUP nobody c STREAMS s >
        (error) NOGROUP No such key 's' or consumer group 'nobody' in XREADGROUP with GROUP option
        > XREADGROUP GROUP g c STREAMS none >
        (error) NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option
        > XREADGROUP GROUP g c STREAMS s $
        (error) ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.
        > XREADGROUP STREAMS s > COUNT 1 STREAMS s
        (error) ERR Missing GROUP option for XREADGROUP
        > XREADGROUP COUNT 1 COUNT 1 STREAMS s >
        (error) ERR Missing GROUP option for XREADGROUP
        > XREADGROUP GROUP g c STREAMS s x
        (error) ERR Invalid stream ID specified as stream command argument
        > SET text x
        OK
        > XREADGROUP GROUP g c STREAMS text >
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XACK text g 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn pending() {
    check(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XGROUP CREATE s g 0
        OK
        > XPENDING s g
        1) (integer) 0
        2) (nil)
        3) (nil)
        4) (nil)
        > XREADGROUP GROUP g c COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
        > XREADGROUP GROUP g d COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "2-1"
                 2) 1) "a"
                    2) "2"
        > XPENDING s g
        1) (integer) 2
        2) "1-1"
        3) "2-1"
        4) 1) 1) "c"
              2) "1"
           2) 1) "d"
              2) "1"
        > XPENDING s g - + 0
        (empty array)
        > XPENDING s g - + -1
        (empty array)
        > XPENDING s g IDLE 100000 - + 5
        (empty array)
        > XPENDING s g (2-1 + 5
        (empty array)
        > XPENDING s g + - 5
        (empty array)
        > XPENDING s nobody
        (error) NOGROUP No such key 's' or consumer group 'nobody'
        > XPENDING none g
        (error) NOGROUP No such key 'none' or consumer group 'g'
        > XPENDING s g -
        (error) ERR syntax error
        > XPENDING s g - + x
        (error) ERR value is not an integer or out of range
        > XPENDING s g IDLE x - + 5
        (error) ERR value is not an integer or out of range
        > XPENDING s g IDLE 1 - +
        (error) ERR syntax error
        > XPENDING s g x + 5
        (error) ERR Invalid stream ID specified as stream command argument
        > XPENDING s g - (0-0 5
        (error) ERR invalid end ID for the interval
        > SET text x
        OK
        > XPENDING text g
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn claim() {
    check(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XADD s 3-1 a 3
        "3-1"
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c COUNT 2 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
              2) 1) "2-1"
                 2) 1) "a"
                    2) "2"
        > XCLAIM s g d 0 1-1
        1) 1) "1-1"
           2) 1) "a"
              2) "1"
        > XCLAIM s g d 100000 1-1 2-1
        (empty array)
        > XCLAIM s g d 0 1-1 2-1 JUSTID
        1) "1-1"
        2) "2-1"
        > XCLAIM s g d 0 3-1
        (empty array)
        > XCLAIM s g d 0 3-1 FORCE JUSTID
        1) "3-1"
        > XCLAIM s g d 0 9-9 FORCE
        (empty array)
        > XCLAIM s g d 0 1-1 RETRYCOUNT 7 IDLE 1000 TIME 5 LASTID 3-1
        1) 1) "1-1"
           2) 1) "a"
              2) "1"
        > XDEL s 2-1
        (integer) 1
        > XCLAIM s g d 0 2-1 1-1
        1) 1) "1-1"
           2) 1) "a"
              2) "1"
        > XPENDING s g
        1) (integer) 2
        2) "1-1"
        3) "3-1"
        4) 1) 1) "d"
              2) "2"
        > XINFO GROUPS s
        1)  1) "name"
            2) "g"
            3) "consumers"
            4) (integer) 2
            5) "pending"
            6) (integer) 2
            7) "last-delivered-id"
            8) "3-1"
            9) "entries-read"
           10) (integer) 2
           11) "lag"
           12) (integer) 1
        > XCLAIM s nobody d 0 1-1
        (error) NOGROUP No such key 's' or consumer group 'nobody'
        > XCLAIM none g d 0 1-1
        (error) NOGROUP No such key 'none' or consumer group 'g'
        > XCLAIM s g d x 1-1
        (error) ERR Invalid min-idle-time argument for XCLAIM
        > XCLAIM s g d 0 1-1 NOPE
        (error) ERR Unrecognized XCLAIM option 'NOPE'
        > XCLAIM s g d 0 x
        (error) ERR Unrecognized XCLAIM option 'x'
        > XCLAIM s g d 0 1-1 IDLE x
        (error) ERR Invalid IDLE option argument for XCLAIM
        > XCLAIM s g d 0 1-1 TIME x
        (error) ERR Invalid TIME option argument for XCLAIM
        > XCLAIM s g d 0 1-1 RETRYCOUNT x
        (error) ERR Invalid RETRYCOUNT option argument for XCLAIM
        > XCLAIM s g d 0 1-1 LASTID x
        (error) ERR Invalid stream ID specified as stream command argument
        > XCLAIM s g d 0 1-1 LASTID
        (error) ERR Unrecognized XCLAIM option 'LASTID'
        > XCLAIM s g d 0
        (error) ERR wrong number of arguments for 'xclaim' command
        > SET text x
        OK
        > XCLAIM text g d 0 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn claim_without_ids() {
    check(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XADD s 3-1 a 3
        "3-1"
        > XADD s 4-1 a 4
        "4-1"
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
              2) 1) "2-1"
                 2) 1) "a"
                    2) "2"
              3) 1) "3-1"
                 2) 1) "a"
                    2) "3"
              4) 1) "4-1"
                 2) 1) "a"
                    2) "4"
        > XAUTOCLAIM s g d 0 0 COUNT 1
        1) "2-1"
        2) 1) 1) "1-1"
              2) 1) "a"
                 2) "1"
        3) (empty array)
        > XAUTOCLAIM s g d 0 2-1 COUNT 1 JUSTID
        1) "3-1"
        2) 1) "2-1"
        3) (empty array)
        > XAUTOCLAIM s g d 100000 -
        1) "0-0"
        2) (empty array)
        3) (empty array)
        > XDEL s 1-1 3-1
        (integer) 2
        > XAUTOCLAIM s g d 0 (1-1
        1) "0-0"
        2) 1) 1) "2-1"
              2) 1) "a"
                 2) "2"
           2) 1) "4-1"
              2) 1) "a"
                 2) "4"
        3) 1) "3-1"
        > XAUTOCLAIM s g d 0 0 COUNT 1
        1) "2-1"
        2) (empty array)
        3) 1) "1-1"
        > XAUTOCLAIM s g d 0 0 JUSTID
        1) "0-0"
        2) 1) "2-1"
           2) "4-1"
        3) (empty array)
        > XPENDING s g
        1) (integer) 2
        2) "2-1"
        3) "4-1"
        4) 1) 1) "d"
              2) "2"
        > XAUTOCLAIM s g d 0 9
        1) "0-0"
        2) (empty array)
        3) (empty array)
        > XAUTOCLAIM s nobody d 0 0
        (error) NOGROUP No such key 's' or consumer group 'nobody'
        > XAUTOCLAIM none g d 0 0
        (error) NOGROUP No such key 'none' or consumer group 'g'
        > XAUTOCLAIM s g d x 0
        (error) ERR Invalid min-idle-time argument for XAUTOCLAIM
        > XAUTOCLAIM s g d 0 x
        (error) ERR Invalid stream ID specified as stream command argument
        > XAUTOCLAIM s g d 0 0 COUNT 0
        (error) ERR COUNT must be > 0
        > XAUTOCLAIM s g d 0 0 COUNT x
        (error) ERR COUNT must be > 0
        > XAUTOCLAIM s g d 0 0 NOPE
        (error) ERR syntax error
        > XAUTOCLAIM s g d 0 (18446744073709551615-18446744073709551615
        (error) ERR invalid start ID for the interval
        > SET text x
        OK
        > XAUTOCLAIM text g d 0 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn info() {
    check(
        r#"
        > XINFO STREAM none
        (error) ERR no such key
        > XINFO GROUPS none
        (error) ERR no such key
        > XINFO CONSUMERS none g
        (error) ERR no such key
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XINFO STREAM s
         1) "length"
         2) (integer) 2
         3) "radix-tree-keys"
         4) (integer) 1
         5) "radix-tree-nodes"
         6) (integer) 2
         7) "last-generated-id"
         8) "2-1"
         9) "max-deleted-entry-id"
        10) "0-0"
        11) "entries-added"
        12) (integer) 2
        13) "recorded-first-entry-id"
        14) "1-1"
        15) "groups"
        16) (integer) 0
        17) "first-entry"
        18) 1) "1-1"
            2) 1) "a"
               2) "1"
        19) "last-entry"
        20) 1) "2-1"
            2) 1) "a"
               2) "2"
        > XINFO STREAM s FULL
         1) "length"
         2) (integer) 2
         3) "radix-tree-keys"
         4) (integer) 1
         5) "radix-tree-nodes"
         6) (integer) 2
         7) "last-generated-id"
         8) "2-1"
         9) "max-deleted-entry-id"
        10) "0-0"
        11) "entries-added"
        12) (integer) 2
        13) "recorded-first-entry-id"
        14) "1-1"
        15) "entries"
        16) 1) 1) "1-1"
               2) 1) "a"
                  2) "1"
            2) 1) "2-1"
               2) 1) "a"
                  2) "2"
        17) "groups"
        18) (empty array)
        > XINFO STREAM s FULL COUNT 1
         1) "length"
         2) (integer) 2
         3) "radix-tree-keys"
         4) (integer) 1
         5) "radix-tree-nodes"
         6) (integer) 2
         7) "last-generated-id"
         8) "2-1"
         9) "max-deleted-entry-id"
        10) "0-0"
        11) "entries-added"
        12) (integer) 2
        13) "recorded-first-entry-id"
        14) "1-1"
        15) "entries"
        16) 1) 1) "1-1"
               2) 1) "a"
                  2) "1"
        17) "groups"
        18) (empty array)
        > XINFO STREAM s FULL COUNT 0
         1) "length"
         2) (integer) 2
         3) "radix-tree-keys"
         4) (integer) 1
         5) "radix-tree-nodes"
         6) (integer) 2
         7) "last-generated-id"
         8) "2-1"
         9) "max-deleted-entry-id"
        10) "0-0"
        11) "entries-added"
        12) (integer) 2
        13) "recorded-first-entry-id"
        14) "1-1"
        15) "entries"
        16) 1) 1) "1-1"
               2) 1) "a"
                  2) "1"
            2) 1) "2-1"
               2) 1) "a"
                  2) "2"
        17) "groups"
        18) (empty array)
        > XINFO STREAM s FULL COUNT -1
         1) "length"
         2) (integer) 2
         3) "radix-tree-keys"
         4) (integer) 1
         5) "radix-tree-nodes"
         6) (integer) 2
         7) "last-generated-id"
         8) "2-1"
         9) "max-deleted-entry-id"
        10) "0-0"
        11) "entries-added"
        12) (integer) 2
        13) "recorded-first-entry-id"
        14) "1-1"
        15) "entries"
        16) 1) 1) "1-1"
               2) 1) "a"
                  2) "1"
            2) 1) "2-1"
               2) 1) "a"
                  2) "2"
        17) "groups"
        18) (empty array)
        > XINFO STREAM s FULL COUNT
        (error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        > XINFO STREAM s FULL NOPE 1
        (error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        > XINFO STREAM s FULL COUNT x
        (error) ERR value is not an integer or out of range
        > XINFO STREAM s NOPE
        (error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        > XINFO GROUPS s
        (empty array)
        > XGROUP CREATE s g 1-1
        OK
        > XINFO GROUPS s
        1)  1) "name"
            2) "g"
            3) "consumers"
            4) (integer) 0
            5) "pending"
            6) (integer) 0
            7) "last-delivered-id"
            8) "1-1"
            9) "entries-read"
           10) (nil)
           11) "lag"
           12) (integer) 1
        > XINFO CONSUMERS s g
        (empty array)
        > XINFO CONSUMERS s nobody
        (error) NOGROUP No such consumer group 'nobody' for key name 's'
        > XINFO STREAM s FULL COUNT 1
         1) "length"
         2) (integer) 2
         3) "radix-tree-keys"
         4) (integer) 1
         5) "radix-tree-nodes"
         6) (integer) 2
         7) "last-generated-id"
         8) "2-1"
         9) "max-deleted-entry-id"
        10) "0-0"
        11) "entries-added"
        12) (integer) 2
        13) "recorded-first-entry-id"
        14) "1-1"
        15) "entries"
        16) 1) 1) "1-1"
               2) 1) "a"
                  2) "1"
        17) "groups"
        18) 1)  1) "name"
                2) "g"
                3) "last-delivered-id"
                4) "1-1"
                5) "entries-read"
                6) (nil)
                7) "lag"
                8) (integer) 1
                9) "pel-count"
               10) (integer) 0
               11) "pending"
               12) (empty array)
               13) "consumers"
               14) (empty array)
        > XINFO NOPE s
        (error) ERR unknown subcommand 'NOPE'. Try XINFO HELP.
        > XINFO STREAM
        (error) ERR wrong number of arguments for 'xinfo|stream' command
        > SET text x
        OK
        > XINFO STREAM text
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XINFO GROUPS text
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XINFO CONSUMERS text g
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn lag() {
    check(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XADD s 3-1 a 3
        "3-1"
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATE s h 2-1
        OK
        > XGROUP CREATE s i $
        OK
        > XINFO GROUPS s
        1)  1) "name"
            2) "g"
            3) "consumers"
            4) (integer) 0
            5) "pending"
            6) (integer) 0
            7) "last-delivered-id"
            8) "0-0"
            9) "entries-read"
           10) (nil)
           11) "lag"
           12) (integer) 3
        2)  1) "name"
            2) "h"
            3) "consumers"
            4) (integer) 0
            5) "pending"
            6) (integer) 0
            7) "last-delivered-id"
            8) "2-1"
            9) "entries-read"
           10) (nil)
           11) "lag"
           12) (nil)
        3)  1) "name"
            2) "i"
            3) "consumers"
            4) (integer) 0
            5) "pending"
            6) (integer) 0
            7) "last-delivered-id"
            8) "3-1"
            9) "entries-read"
           10) (nil)
           11) "lag"
           12) (integer) 0
        > XREADGROUP GROUP g c COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
        > XREADGROUP GROUP h c COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "3-1"
                 2) 1) "a"
                    2) "3"
        > XDEL s 2-1
        (integer) 1
        > XADD s 4-1 a 4
        "4-1"
        > XINFO GROUPS s
        1)  1) "name"
            2) "g"
            3) "consumers"
            4) (integer) 1
            5) "pending"
            6) (integer) 1
            7) "last-delivered-id"
            8) "1-1"
            9) "entries-read"
           10) (integer) 1
           11) "lag"
           12) (nil)
        2)  1) "name"
            2) "h"
            3) "consumers"
            4) (integer) 1
            5) "pending"
            6) (integer) 1
            7) "last-delivered-id"
            8) "3-1"
            9) "entries-read"
           10) (integer) 3
           11) "lag"
           12) (integer) 1
        3)  1) "name"
            2) "i"
            3) "consumers"
            4) (integer) 0
            5) "pending"
            6) (integer) 0
            7) "last-delivered-id"
            8) "3-1"
            9) "entries-read"
           10) (nil)
           11) "lag"
           12) (nil)
        "#,
    );
}

#[test]
fn plus_is_the_last_entry() {
    check_ours(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XREAD STREAMS s +
        1) 1) "s"
           2) 1) 1) "2-1"
                 2) 1) "a"
                    2) "2"
        > XREAD STREAMS s none + +
        1) 1) "s"
           2) 1) 1) "2-1"
                 2) 1) "a"
                    2) "2"
        > XREAD STREAMS none +
        (nil)
        > XDEL s 2-1
        (integer) 1
        > XREAD STREAMS s +
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c STREAMS s +
        (error) ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.
        > XREAD STREAMS s s
        (error) ERR Invalid stream ID specified as stream command argument
        > XREAD STREAMS s
        (error) ERR wrong number of arguments for 'xread' command
        > XREADGROUP GROUP g c STREAMS s s s
        (error) ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID, '+', or '>' must be specified.
        "#,
    );
}

#[test]
fn delete_with_references() {
    check_ours(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XADD s 3-1 a 3
        "3-1"
        > XADD s 4-1 a 4
        "4-1"
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATE s h 0
        OK
        > XREADGROUP GROUP g c COUNT 3 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
              2) 1) "2-1"
                 2) 1) "a"
                    2) "2"
              3) 1) "3-1"
                 2) 1) "a"
                    2) "3"
        > XREADGROUP GROUP h c COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
        > XACK s g 1-1
        (integer) 1
        > XACK s h 1-1
        (integer) 1
        > XDELEX s ACKED IDS 4 1-1 2-1 4-1 9-9
        1) (integer) 1
        2) (integer) 2
        3) (integer) 2
        4) (integer) -1
        > XDELEX s IDS 1 3-1
        1) (integer) 1
        > XPENDING s g
        1) (integer) 2
        2) "2-1"
        3) "3-1"
        4) 1) 1) "c"
              2) "2"
        > XDELEX s DELREF IDS 1 2-1
        1) (integer) 1
        > XPENDING s g
        1) (integer) 1
        2) "3-1"
        3) "3-1"
        4) 1) 1) "c"
              2) "1"
        > XACKDEL s g IDS 2 3-1 9-9
        1) (integer) 1
        2) (integer) -1
        > XACKDEL s nobody IDS 1 4-1
        1) (integer) -1
        > XACKDEL none g IDS 2 1-1 2-1
        1) (integer) -1
        2) (integer) -1
        > XDELEX none IDS 2 1-1 2-1
        1) (integer) -1
        2) (integer) -1
        > XREADGROUP GROUP g c STREAMS s >
        1) 1) "s"
           2) 1) 1) "4-1"
                 2) 1) "a"
                    2) "4"
        > XACKDEL s g ACKED IDS 1 4-1
        1) (integer) 2
        > XREADGROUP GROUP h c STREAMS s >
        1) 1) "s"
           2) 1) 1) "4-1"
                 2) 1) "a"
                    2) "4"
        > XACKDEL s h ACKED IDS 1 4-1
        1) (integer) 1
        > XLEN s
        (integer) 0
        > XDELEX s IDS 2 1-1
        (error) ERR The `numids` parameter must match the number of arguments
        > XDELEX s IDS 0 1-1
        (error) ERR Number of IDs must be a positive integer
        > XDELEX s IDS x 1-1
        (error) ERR Number of IDs must be a positive integer
        > XDELEX s NOPE IDS 1 1-1
        (error) ERR syntax error
        > XDELEX s IDS 1 x
        (error) ERR Invalid stream ID specified as stream command argument
        > XDELEX s KEEPREF DELREF IDS 1 1-1
        (error) ERR syntax error
        > XDELEX s IDS 1 1-1 1-2
        (error) ERR syntax error
        > XACKDEL s g KEEPREF IDS 1
        (error) ERR The `numids` parameter must match the number of arguments
        > SET text x
        OK
        > XDELEX text IDS 1 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XACKDEL text g IDS 1 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn trim_with_references() {
    check_ours(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XADD s 3-1 a 3
        "3-1"
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c COUNT 2 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
              2) 1) "2-1"
                 2) 1) "a"
                    2) "2"
        > XACK s g 1-1
        (integer) 1
        > XTRIM s MAXLEN 0 ACKED
        (integer) 1
        > XRANGE s - +
        1) 1) "2-1"
           2) 1) "a"
              2) "2"
        2) 1) "3-1"
           2) 1) "a"
              2) "3"
        > XTRIM s MAXLEN 0 DELREF
        (integer) 2
        > XPENDING s g
        1) (integer) 0
        2) (nil)
        3) (nil)
        4) (nil)
        > XADD s KEEPREF 4-1 a 4
        "4-1"
        > XADD s ACKED MAXLEN 0 5-1 a 5
        "5-1"
        > XLEN s
        (integer) 2
        > XTRIM s ACKED MINID ~ 9
        (integer) 0
        > XTRIM s MINID 9 KEEPREF
        (integer) 2
        > XADD s DELREF 9-1 a 1
        "9-1"
        "#,
    );
}

#[test]
fn claim_while_reading() {
    check_ours(
        r#"
        > XADD s 1-1 a 1
        "1-1"
        > XADD s 2-1 a 2
        "2-1"
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
        > XREADGROUP GROUP g d CLAIM 0 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
                 3) (integer) 0
                 4) (integer) 1
              2) 1) "2-1"
                 2) 1) "a"
                    2) "2"
                 3) (integer) 0
                 4) (integer) 0
        > XREADGROUP GROUP g e CLAIM 100000 STREAMS s >
        (nil)
        > XREADGROUP GROUP g e CLAIM 0 COUNT 1 STREAMS s >
        1) 1) "s"
           2) 1) 1) "1-1"
                 2) 1) "a"
                    2) "1"
                 3) (integer) 0
                 4) (integer) 2
        > XREADGROUP GROUP g e CLAIM -1 STREAMS s >
        (error) ERR min-idle-time must be a positive integer
        > XREADGROUP GROUP g e CLAIM x STREAMS s >
        (error) ERR min-idle-time is not an integer
        > XREAD CLAIM 1 STREAMS s 0
        (error) ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.
        > XPENDING s g
        1) (integer) 2
        2) "1-1"
        3) "2-1"
        4) 1) 1) "d"
              2) "1"
           2) 1) "e"
              2) "1"
        "#,
    );
}
