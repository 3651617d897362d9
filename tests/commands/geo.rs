//! Transcripts of the geo family.

use crate::support::{check, check_resp3};

#[test]
fn places_are_added_and_shown() {
    check(
        r#"
        > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
        (integer) 2
        > TYPE Sicily
        zset
        > ZRANGE Sicily 0 -1 WITHSCORES
        1) "Palermo"
        2) "3479099956230698"
        3) "Catania"
        4) "3479447370796909"
        > GEOPOS Sicily Palermo nobody Catania
        1) 1) "13.36138933897018433"
           2) "38.11555639549629859"
        2) (nil)
        3) 1) "15.08726745843887329"
           2) "37.50266842333162032"
        > GEOHASH Sicily Palermo nobody Catania
        1) "sqc8b49rny0"
        2) (nil)
        3) "sqdtr74hyu0"
        > GEODIST Sicily Palermo Catania
        "166274.1516"
        > GEODIST Sicily Palermo Catania km
        "166.2742"
        > GEODIST Sicily Palermo Catania MI
        "103.3182"
        > GEODIST Sicily Palermo Catania ft
        "545518.8700"
        > GEODIST Sicily Palermo Palermo
        "0.0000"
        > GEODIST Sicily Palermo nobody
        (nil)
        > GEOADD far 20.08 -22.36 a 141.76 -37.09 b
        (integer) 2
        > GEODIST far a b
        "11021541.6158"
        > GEODIST missing a b
        (nil)
        > GEOPOS missing a b
        1) (nil)
        2) (nil)
        > GEOHASH missing a b
        1) (nil)
        2) (nil)
        > GEOPOS Sicily
        (empty array)
        > GEOHASH Sicily
        (empty array)
        > GEOADD edge 180 85.05112878 top -180 -85.05112878 bottom 0 0 middle
        (integer) 3
        > GEOPOS edge top bottom middle
        1) 1) "180"
           2) "85.0511287799999991"
        2) 1) "-179.99999731779098511"
           2) "-85.05112751263942528"
        3) 1) "0.00000268220901489"
           2) "0.00000126736058093"
        > GEOHASH edge top bottom middle
        1) "bp05b5048p0"
        2) "00bh0hbj200"
        3) "s0000000000"
    "#,
    );
}

#[test]
fn places_are_moved_on_conditions() {
    check(
        r#"
        > GEOADD k XX 1 2 a
        (integer) 0
        > EXISTS k
        (integer) 0
        > GEOADD k NX 1 2 a 3 4 b
        (integer) 2
        > GEOADD k NX 5 6 a 7 8 c
        (integer) 1
        > GEOADD k XX CH 5 6 a 7 8 d
        (integer) 1
        > geoadd k ch 5 6 a 7 9 c
        (integer) 1
        > GEOADD k 5 5 a
        (integer) 0
        > ZCARD k
        (integer) 3
        > GEOADD k NX XX 1 2 a
        (error) ERR syntax error
        > GEOADD k 1 2 a 3
        (error) ERR syntax error
        > GEOADD k NX CH CH
        (error) ERR syntax error
        > GEOADD k 1 2
        (error) ERR wrong number of arguments for 'geoadd' command
        > GEOADD k 1 2 new 180.1 0 b
        (error) ERR invalid longitude,latitude pair 180.100000,0.000000
        > GEOADD k 0 -85.06 b
        (error) ERR invalid longitude,latitude pair 0.000000,-85.060000
        > GEOADD k inf 0 b
        (error) ERR invalid longitude,latitude pair inf,0.000000
        > GEOADD k nan 0 b
        (error) ERR value is not a valid float
        > GEOADD k x 0 b
        (error) ERR value is not a valid float
        > ZCARD k
        (integer) 3
        > GEODIST k a c x
        (error) ERR unsupported unit provided. please use M, KM, FT, MI
        > GEODIST k a c m m
        (error) ERR syntax error
        > SET text x
        OK
        > GEOADD text 1 2 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOADD text x 2 a
        (error) ERR value is not a valid float
        > GEOPOS text a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEODIST text a b x
        (error) ERR unsupported unit provided. please use M, KM, FT, MI
        > GEOHASH text
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOSEARCH text x x x x x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEORADIUS text x x x x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
    "#,
    );
}

const SICILY: &str = r#"
        > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 Edge 17.241510 38.788135 Far
        (integer) 4"#;

#[test]
fn areas_are_searched() {
    check(&format!(
        r#"{SICILY}
        > GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 200 km ASC
        1) "Catania"
        2) "Palermo"
        > GEOSEARCH Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST
        1) 1) "Catania"
           2) "56.4413"
           3) 1) "15.08726745843887329"
              2) "37.50266842333162032"
        2) 1) "Palermo"
           2) "190.4424"
           3) 1) "13.36138933897018433"
              2) "38.11555639549629859"
        3) 1) "Far"
           2) "279.7403"
           3) 1) "17.24151045083999634"
              2) "38.78813451624225195"
        4) 1) "Edge"
           2) "279.7405"
           3) 1) "12.7584877610206604"
              2) "38.78813451624225195"
        > GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS 200000 m DESC WITHHASH
        1) 1) "Catania"
           2) (integer) 3479447370796909
        2) 1) "Edge"
           2) (integer) 3479273021651468
        3) 1) "Palermo"
           2) (integer) 3479099956230698
        > GEOSEARCH Sicily BYRADIUS 1000 mi FROMLONLAT 15 37 COUNT 1
        1) "Catania"
        > GEOSEARCH Sicily BYRADIUS 1000 mi FROMLONLAT 15 37 COUNT 2 DESC
        1) "Edge"
        2) "Far"
        > GEOSEARCH Sicily BYRADIUS 1000 mi FROMLONLAT 15 37 COUNT 1 ANY
        1) "Palermo"
        > GEOSEARCH Sicily BYRADIUS 1000 mi FROMLONLAT 15 37 ANY COUNT 3 ASC
        1) "Catania"
        2) "Palermo"
        3) "Edge"
        > GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS 0 m
        1) "Palermo"
        > GEOSEARCH Sicily FROMLONLAT 100 0 BYRADIUS 1 m
        (empty array)
        > GEOSEARCH missing FROMMEMBER x BYRADIUS 1 m
        (empty array)
        > GEORADIUS Sicily 15 37 200 km WITHDIST ASC
        1) 1) "Catania"
           2) "56.4413"
        2) 1) "Palermo"
           2) "190.4424"
        > GEORADIUS_RO Sicily 15 37 200 km DESC COUNT 1
        1) "Palermo"
        > GEORADIUSBYMEMBER Sicily Catania 600000 ft WITHCOORD ASC COUNT 1
        1) 1) "Catania"
           2) 1) "15.08726745843887329"
              2) "37.50266842333162032"
        > GEORADIUSBYMEMBER_RO Sicily Catania 1 m
        1) "Catania"
        > GEORADIUSBYMEMBER missing x not-looked-at either
        (empty array)
    "#
    ));
}

#[test]
fn what_is_found_is_kept() {
    check(&format!(
        r#"{SICILY}
        > GEOSEARCHSTORE near Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 3
        (integer) 3
        > ZRANGE near 0 -1 WITHSCORES
        1) "Palermo"
        2) "3479099956230698"
        3) "Catania"
        4) "3479447370796909"
        5) "Far"
        6) "3481342659049484"
        > OBJECT ENCODING near
        "listpack"
        > GEOSEARCHSTORE near Sicily FROMMEMBER Palermo BYRADIUS 10 km STOREDIST
        (integer) 1
        > ZRANGE near 0 -1 WITHSCORES
        1) "Palermo"
        2) "0"
        > GEOSEARCHSTORE near Sicily FROMLONLAT 0 0 BYRADIUS 1 km
        (integer) 0
        > EXISTS near
        (integer) 0
        > GEORADIUS Sicily 15 37 200 km STORE near
        (integer) 2
        > SET far text
        OK
        > GEORADIUSBYMEMBER Sicily Palermo 1 km STOREDIST far STORE also
        (integer) 1
        > TYPE far
        string
        > GEORADIUSBYMEMBER Sicily Palermo 1 km STORE near STORE near2 STORE far
        (integer) 1
        > GEOPOS far Palermo
        1) 1) "13.36138933897018433"
           2) "38.11555639549629859"
        > ZCARD near
        (integer) 2
        > GEORADIUSBYMEMBER Sicily Palermo 1 km STORE STOREDIST STOREDIST third
        (integer) 1
        > ZRANGE third 0 -1 WITHSCORES
        1) "Palermo"
        2) "0"
        > EXISTS STOREDIST
        (integer) 0
        > GEORADIUS missing 15 37 200 km STORE near
        (integer) 0
        > EXISTS near
        (integer) 0
        > GEOSEARCHSTORE Sicily Sicily FROMMEMBER Palermo BYRADIUS 1 km
        (integer) 1
        > ZCARD Sicily
        (integer) 1
        > COMMAND GETKEYS GEORADIUS Sicily 15 37 200 km STORE near
        1) "Sicily"
        2) "near"
        > COMMAND GETKEYS GEORADIUSBYMEMBER Sicily Palermo 200 km STOREDIST near
        1) "Sicily"
        2) "near"
        > COMMAND GETKEYS GEORADIUS Sicily 15 37 200 km ASC
        1) "Sicily"
        > COMMAND GETKEYS GEOSEARCHSTORE near Sicily FROMMEMBER Palermo BYRADIUS 1 km
        1) "near"
        2) "Sicily"
    "#
    ));
}

#[test]
fn searches_that_cannot_be() {
    check(
        r#"
        > GEOADD k 1 2 a
        (integer) 1
        > GEOSEARCH k BYRADIUS 1 m ASC ASC
        (error) ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH
        > geosearch k FROMMEMBER a ASC ASC ASC
        (error) ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch
        > GEOSEARCH k FROMMEMBER a FROMLONLAT 1 2 BYRADIUS 1 m
        (error) ERR syntax error
        > GEOSEARCH k FROMMEMBER a BYRADIUS 1 m BYBOX 1 1 m
        (error) ERR syntax error
        > GEOSEARCH k FROMMEMBER nobody BYRADIUS 1 m
        (error) ERR could not decode requested zset member
        > GEOSEARCH k FROMLONLAT 1 90 BYRADIUS 1 m
        (error) ERR invalid longitude,latitude pair 1.000000,90.000000
        > GEOSEARCH k FROMMEMBER a BYRADIUS x m
        (error) ERR need numeric radius
        > GEOSEARCH k FROMMEMBER a BYRADIUS -1 m
        (error) ERR radius cannot be negative
        > GEOSEARCH k FROMMEMBER a BYRADIUS 1 y
        (error) ERR unsupported unit provided. please use M, KM, FT, MI
        > GEOSEARCH k FROMMEMBER a BYBOX x x y
        (error) ERR need numeric width
        > GEOSEARCH k FROMMEMBER a BYBOX 1 x y
        (error) ERR need numeric height
        > GEOSEARCH k FROMMEMBER a BYBOX 1 -1 y
        (error) ERR height or width cannot be negative
        > GEOSEARCH k FROMMEMBER a BYRADIUS 1 m ANY
        (error) ERR the ANY argument requires COUNT argument
        > GEOSEARCH k FROMMEMBER a BYRADIUS 1 m COUNT 0
        (error) ERR COUNT must be > 0
        > GEOSEARCH k FROMMEMBER a BYRADIUS 1 m COUNT x
        (error) ERR value is not an integer or out of range
        > GEOSEARCH k FROMMEMBER a BYRADIUS 1 m STORE d
        (error) ERR syntax error
        > GEOSEARCH k FROMMEMBER a BYRADIUS 1 m STOREDIST
        (error) ERR syntax error
        > GEOSEARCHSTORE d k FROMMEMBER a BYRADIUS 1 m WITHDIST
        (error) ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        > GEORADIUS k 1 2 3 m WITHHASH STORE d
        (error) ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        > GEORADIUS_RO k 1 2 3 m STORE d
        (error) ERR syntax error
        > GEORADIUSBYMEMBER_RO k a 3 m STOREDIST d
        (error) ERR syntax error
        > GEORADIUS k 1 2 3 m STORE
        (error) ERR syntax error
        > GEORADIUS missing 1 2 x m
        (error) ERR need numeric radius
        > GEORADIUSBYMEMBER k nobody x y
        (error) ERR could not decode requested zset member
        > EXISTS d
        (integer) 0
    "#,
    );
}

#[test]
fn degrees_are_doubles_in_resp3() {
    check_resp3(
        r#"
        > GEOADD k 13.361389 38.115556 a
        (integer) 1
        > GEOPOS k a b
        1) 1) (double) 13.361389338970184
           2) (double) 38.1155563954963
        2) (nil)
        > GEOSEARCH k FROMMEMBER a BYRADIUS 1 m WITHDIST WITHHASH WITHCOORD
        1) 1) "a"
           2) "0.0000"
           3) (integer) 3479099956230698
           4) 1) (double) 13.361389338970184
              2) (double) 38.1155563954963
        > GEODIST k a a
        "0.0000"
    "#,
    );
}
