//! SORT in twin runs, on keys of its own: real servers change how a sorted set is kept when they sort it.

use super::compare::Rule::{Exact, Shape};
use super::generator::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry(10, Exact, "RPUSH 'numbers' sortable.."),
    Entry(2, Exact, "RPUSH 'numbers' number+++"),
    Entry(6, Exact, "!SADD 'int set' number.."),
    // Without zero bytes, at which texts end that are compared: where tables have what is then the same is chance.
    Entry(8, Exact, "!SADD 'set' (sortable|wide).."),
    Entry(10, Exact, "RPUSH 'words' (sortable|member).."),
    Entry(2, Exact, "RPUSH 'words' member+++"),
    Entry(10, Exact, "!ZADD 'zset' (number (sortable|wide)).."),
    Entry(
        5,
        Exact,
        "(LTRIM 'numbers' index index|LTRIM 'words' index index|SREM 'int set' number..|DEL 'int set'|ZREM 'zset' member..)",
    ),
    Entry(15, Exact, "SET weight sortable"),
    Entry(6, Exact, "SET weight (sortable|wide)"),
    Entry(6, Exact, "DEL weight weight weight"),
    Entry(10, Exact, "HSET weight (field sortable).."),
    Entry(30, Exact, "SORT ('numbers'|'int set') {ASC|DESC|ALPHA|LIMIT index index}"),
    Entry(15, Exact, "!SORT_RO ('numbers'|'words'|'zset'|'set') ALPHA {ASC|DESC|LIMIT index index|word|STORE 'd'}"),
    Entry(6, Exact, "SORT ('words'|'zset'|'set'|'missing') {ASC|DESC|LIMIT index index}"),
    // Where weights are the same it is chance in which order a table has its elements.
    Entry(40, Exact, "SORT ('numbers'|'words') BY weights {ASC|DESC|LIMIT index index|ALPHA|GET weights|GET '#'}"),
    Entry(20, Exact, "!SORT ('zset'|'set'|'int set') BY weights {ASC|DESC|LIMIT index index|GET weights|GET '#'}"),
    Entry(
        15,
        Exact,
        "!SORT ('numbers'|'words'|'zset'|'int set') BY ('nosort'|'#') {ASC|DESC|LIMIT index index|GET weights|GET '#'|ALPHA}",
    ),
    Entry(4, Shape, "!SORT 'set' BY ('nosort'|'#') {ASC|DESC|LIMIT index index|GET '#'|ALPHA}"),
    Entry(
        25,
        Exact,
        "SORT ('numbers'|'words') {BY weights|GET weights|GET '#'|LIMIT index index|DESC|ALPHA} STORE key",
    ),
    Entry(15, Exact, "!SORT ('zset'|'set'|'int set') ALPHA {GET weights|GET '#'|LIMIT index index|DESC} STORE key"),
    Entry(10, Exact, "!SORT ('set'|'int set') BY 'nosort' {GET weights|LIMIT index index|DESC} STORE key"),
    Entry(4, Exact, "SORT ('words'|'numbers'|'missing') {STORE key|STORE key|BY weights|LIMIT index|word}"),
    Entry(8, Exact, "LRANGE key 0 -1"),
    Entry(3, Exact, "EXPIRE weight seconds"),
];
