//! Transcripts of the HyperLogLog family.

use crate::support::{builder, check};

#[test]
fn elements_are_counted() {
    check(
        r##"
        > PFADD h a b c
        (integer) 1
        > PFADD h a
        (integer) 0
        > PFADD h d
        (integer) 1
        > PFCOUNT h
        (integer) 4
        > PFCOUNT h
        (integer) 4
        > OBJECT ENCODING h
        "raw"
        > STRLEN h
        (integer) 30
        > GETRANGE h 0 15
        "HYLL\x01\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00"
        > PFADD empty
        (integer) 1
        > PFADD empty
        (integer) 0
        > PFCOUNT empty
        (integer) 0
        > PFCOUNT none
        (integer) 0
        > PFCOUNT h empty none
        (integer) 4
        > GET empty
        "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff"
        > PFADD h e f g h i j k l m n o p q r s t u v w x y z
        (integer) 1
        > PFCOUNT h
        (integer) 25
        > PFCOUNT h
        (integer) 25
        > GET h
        "HYLL\x01\x00\x00\x00\x19\x00\x00\x00\x00\x00\x00\x00DE\x8cB&\x80@\x89\x88F\xe8\x94Au\x84@\xec\x84\x0e\x80@\xc4\x84D\x90\x94Df\x80Bb\x80D<\x848\x80@\x8f\x80A\xac\x80G\xd1\x80C\xb0\x80B\xed\x84A\xfc\x8cC\x93\x84C\x18\x88@\xdf\x80Bm\x80A\xd0\x80@~\x84\b"
        > TTL h
        (integer) -1
        > PFADD
        (error) ERR wrong number of arguments for 'pfadd' command
        > PFCOUNT
        (error) ERR wrong number of arguments for 'pfcount' command
        > PFMERGE
        (error) ERR wrong number of arguments for 'pfmerge' command
        "##,
    );
}

#[test]
fn several_are_merged() {
    check(
        r##"
        > PFADD one a b c
        (integer) 1
        > PFADD two c d e
        (integer) 1
        > PFMERGE three one two
        OK
        > PFCOUNT three
        (integer) 5
        > PFCOUNT one two
        (integer) 5
        > GET three
        "HYLL\x01\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\\{\x80Dv\x80P\xb1\x84I\x8c\x80Bm\x80BZ"
        > PFMERGE three
        OK
        > PFMERGE one none
        OK
        > PFCOUNT one
        (integer) 3
        > PFMERGE new
        OK
        > GET new
        "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff"
        > PFDEBUG TODENSE two
        (integer) 1
        > PFMERGE three two
        OK
        > PFDEBUG ENCODING three
        dense
        > PFMERGE fresh two
        OK
        > PFDEBUG ENCODING fresh
        dense
        > PFCOUNT fresh
        (integer) 3
        "##,
    );
}

#[test]
fn what_is_none() {
    check(
        r##"
        > SET s text
        OK
        > PFADD s a
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > PFCOUNT s
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > PFCOUNT none s
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > PFMERGE d s
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > PFMERGE s d
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > RPUSH l a
        (integer) 1
        > PFADD l a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > PFCOUNT l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > PFMERGE l none
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > PFMERGE d l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > PFDEBUG ENCODING l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SET n 12
        OK
        > PFADD n a
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > SET bad "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
        OK
        > PFADD bad a
        (error) INVALIDOBJ Corrupted HLL object detected
        > PFCOUNT bad
        (error) INVALIDOBJ Corrupted HLL object detected
        > PFMERGE d bad
        (error) INVALIDOBJ Corrupted HLL object detected
        > PFDEBUG DECODE bad
        ""
        > PFDEBUG TODENSE bad
        (error) INVALIDOBJ Corrupted HLL object detected
        > SET short "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
        OK
        > PFADD short a
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > SET kind "HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
        OK
        > PFCOUNT kind
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        "##,
    );
}

#[test]
fn how_values_are_made() {
    check(
        r##"
        > PFADD h a
        (integer) 1
        > PFDEBUG ENCODING h
        sparse
        > PFDEBUG DECODE h
        "Z:12711 v:2,1 Z:3672"
        > PFADD h b c d e f
        (integer) 1
        > PFDEBUG decode h
        "Z:1646 v:1,1 Z:5645 v:1,1 Z:1143 v:1,1 Z:4274 v:2,1 Z:2445 v:1,1 Z:622 v:1,1 Z:603"
        > PFDEBUG TODENSE h
        (integer) 1
        > PFDEBUG TODENSE h
        (integer) 0
        > PFDEBUG ENCODING h
        dense
        > PFDEBUG DECODE h
        (error) ERR HLL encoding is not sparse
        > PFDEBUG NOSUCH h
        (error) ERR Unknown PFDEBUG subcommand 'NOSUCH'
        > PFDEBUG ENCODING none
        (error) ERR The specified key does not exist
        > PFDEBUG
        (error) ERR wrong number of arguments for 'pfdebug' command
        > PFDEBUG ENCODING
        (error) ERR wrong number of arguments for 'pfdebug' command
        > PFCOUNT h
        (integer) 6
        > PFSELFTEST
        OK
        > PFSELFTEST x
        (error) ERR wrong number of arguments for 'pfselftest' command
        "##,
    );
}

/// The sparse form grows dense where the setting says.
#[test]
fn half_a_run_behind_the_last_one_is_damage() {
    check(
        r#"
        > PFADD h
        (integer) 1
        > APPEND h a
        (integer) 19
        > PFCOUNT h h
        (error) INVALIDOBJ Corrupted HLL object detected
        > PFMERGE d h
        (error) INVALIDOBJ Corrupted HLL object detected
        "#,
    );
}

#[test]
fn a_sparse_value_grows_dense() {
    for most in [0_usize, 100, 3000, 100_000] {
        let server = builder().setting("hll-sparse-max-bytes", &most.to_string()).unwrap().start().unwrap();
        let mut client = server.client();
        let mut longest = 0;
        for number in 0..4000 {
            client.call(["PFADD", "h", &number.to_string()]);
            if client.call(["PFDEBUG", "ENCODING", "h"]).as_str() == Some("dense") {
                break;
            }
            longest = client.call(["STRLEN", "h"]).as_int().unwrap() as usize;
        }
        assert!(longest <= most.max(18), "{longest} bytes with a limit of {most}");
        assert!(longest + 2 >= most.min(3000), "{longest} bytes with a limit of {most}");
    }
}
