//! Commands of the set family for twin runs.

use super::compare::Rule::{AnyOrder, Drawn, Exact, Scanned};
use super::generator::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry(30, Exact, "SADD key member.."),
    Entry(15, Exact, "SADD key number.."),
    Entry(2, Exact, "SADD key wide+++"),
    Entry(3, Exact, "SADD key wideint+++"),
    Entry(15, Exact, "SREM key (member|number).."),
    Entry(2, Exact, "SREM key wideint+++"),
    Entry(10, Exact, "SISMEMBER key member"),
    Entry(6, Exact, "SMISMEMBER key member.."),
    Entry(8, Exact, "SCARD key"),
    Entry(10, AnyOrder(1), "SMEMBERS key"),
    Entry(8, Exact, "!DEL 'solo'; SADD 'solo' member; SPOP 'solo'; OBJECT ENCODING 'solo'"),
    Entry(3, Exact, "!DEL 'solo'; SADD 'solo' member; SPOP 'solo' (1|2|0|'x')"),
    Entry(3, AnyOrder(1), "!SPOP key (1000000|'9223372036854775807')"),
    Entry(3, Exact, "!SPOP key (0|-1|'x'|'9223372036854775808'|0 0)"),
    Entry(4, Drawn(1), "SRANDMEMBER key; SMEMBERS same"),
    Entry(8, Drawn(1), "SRANDMEMBER key count; SMEMBERS same"),
    Entry(2, Exact, "!SRANDMEMBER key (0|'x'|1 1)"),
    Entry(10, Exact, "SMOVE key key member"),
    Entry(8, AnyOrder(1), "SINTER key.."),
    Entry(8, AnyOrder(1), "SUNION key.."),
    Entry(8, AnyOrder(1), "SDIFF key.."),
    Entry(10, Exact, "SINTERSTORE key key.."),
    Entry(6, Exact, "SUNIONSTORE key key.."),
    Entry(10, Exact, "SDIFFSTORE key key.."),
    Entry(12, Exact, "SINTERCARD keys {LIMIT int|word}"),
    Entry(6, Scanned(1), "!SSCAN key 0 COUNT 10000 {MATCH pattern}"),
    Entry(4, Exact, "!SSCAN key ('x'|0 COUNT 0|0 COUNT 'x'|0 MATCH|0 word)"),
    Entry(4, Exact, "EXPIRE key seconds"),
];
