//! Commands of the list family for twin runs.

use super::compare::Rule::Exact;
use super::generator::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry(25, Exact, "LPUSH key value.."),
    Entry(25, Exact, "RPUSH key value.."),
    Entry(3, Exact, "RPUSH key value+++"),
    Entry(3, Exact, "LPUSH key wide+++"),
    Entry(6, Exact, "LPUSHX key value.."),
    Entry(6, Exact, "RPUSHX key value.."),
    Entry(10, Exact, "LPOP key [int]"),
    Entry(10, Exact, "RPOP key [int]"),
    Entry(8, Exact, "LLEN key"),
    Entry(12, Exact, "LINDEX key index"),
    Entry(15, Exact, "LSET key index value"),
    Entry(12, Exact, "LINSERT key (BEFORE|AFTER|word) value value"),
    Entry(12, Exact, "LREM key (index|int) (value|number)"),
    Entry(6, Exact, "LTRIM key index index"),
    Entry(1, Exact, "LTRIM key int index"),
    Entry(12, Exact, "LRANGE key index index"),
    Entry(4, Exact, "LRANGE key 0 -1"),
    Entry(16, Exact, "LPOS key (value|number|member) {RANK (int|index)|COUNT int|MAXLEN int|word}"),
    Entry(12, Exact, "LMOVE key key (LEFT|RIGHT|word) (LEFT|RIGHT|word)"),
    Entry(8, Exact, "LMOVE key key (LEFT|RIGHT) (LEFT|RIGHT)"),
    Entry(8, Exact, "RPOPLPUSH key key"),
    Entry(10, Exact, "LMPOP keys (LEFT|RIGHT) {COUNT int|word}"),
    Entry(4, Exact, "LMPOP keys (LEFT|RIGHT|word) [COUNT count]"),
    Entry(4, Exact, "EXPIRE key seconds"),
];
