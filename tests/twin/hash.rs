//! Commands of the hash family for twin runs.

use super::compare::Rule::{AnyOrder, Drawn, Exact, Scanned, TableOrder};
use super::generator::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry(50, Exact, "HSET key (field value).."),
    Entry(3, Exact, "HSET key (wide value)+++"),
    Entry(5, Exact, "HMSET key (field value).."),
    Entry(8, Exact, "HSETNX key field value"),
    Entry(20, Exact, "HGET key (field|wide)"),
    Entry(10, Exact, "HMGET key field.."),
    Entry(10, TableOrder(2), "OBJECT ENCODING key; HGETALL same"),
    Entry(5, TableOrder(1), "OBJECT ENCODING key; HKEYS same"),
    Entry(5, TableOrder(1), "OBJECT ENCODING key; HVALS same"),
    Entry(2, AnyOrder(2), "HGETALL key"),
    Entry(2, AnyOrder(1), "HKEYS key"),
    Entry(2, AnyOrder(1), "HVALS key"),
    Entry(8, Exact, "HLEN key"),
    Entry(8, Exact, "HSTRLEN key field"),
    Entry(8, Exact, "HEXISTS key field"),
    Entry(20, Exact, "HDEL key field.."),
    Entry(2, Exact, "HDEL key wide+++"),
    Entry(15, Exact, "HINCRBY key field int"),
    Entry(25, Exact, "HINCRBYFLOAT key field float"),
    Entry(4, Drawn(1), "HRANDFIELD key; HKEYS same"),
    Entry(6, Drawn(1), "HRANDFIELD key count; HKEYS same"),
    Entry(6, Drawn(2), "HRANDFIELD key count WITHVALUES; HGETALL same"),
    Entry(2, Exact, "!HRANDFIELD key ('x'|1 'nope'|1 WITHVALUES 'x')"),
    Entry(6, Scanned(2), "!HSCAN key 0 COUNT 10000 {MATCH pattern}"),
    Entry(4, Exact, "!HSCAN key ('x'|0 COUNT 0|0 COUNT 'x'|0 MATCH|0 word)"),
    Entry(4, Exact, "EXPIRE key seconds"),
];
