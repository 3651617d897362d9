//! Commands of the string family for twin runs.

use super::compare::Rule::{self, Exact, Near};
use super::generator::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry(40, Exact, "SET key value"),
    Entry(30, Exact, "SET key value {NX|XX|GET|KEEPTTL|EX seconds|PX millis|EXAT at|PXAT atmillis|word}"),
    Entry(25, Exact, "GET key"),
    Entry(6, Exact, "GETSET key value"),
    Entry(6, Exact, "GETDEL key"),
    Entry(12, Exact, "GETEX key {PERSIST|EX seconds|PX millis|EXAT at|PXAT atmillis|word}"),
    Entry(6, Exact, "SETNX key value"),
    Entry(6, Exact, "SETEX key seconds value"),
    Entry(6, Exact, "PSETEX key millis value"),
    Entry(10, Exact, "MSET (key value).."),
    Entry(6, Exact, "MSETNX (key value).."),
    Entry(10, Exact, "MGET key.."),
    Entry(20, Exact, "APPEND key value"),
    Entry(8, Exact, "STRLEN key"),
    Entry(15, Exact, "GETRANGE key index index"),
    Entry(5, Exact, "SUBSTR key index index"),
    Entry(12, Exact, "SETRANGE key offset value"),
    Entry(12, Exact, "INCR key"),
    Entry(6, Exact, "DECR key"),
    Entry(15, Exact, "INCRBY key int"),
    Entry(15, Exact, "DECRBY key int"),
    Entry(30, Exact, "INCRBYFLOAT key float"),
    Entry(10, Exact, "LCS key key {LEN|IDX|MINMATCHLEN int|WITHMATCHLEN|word}"),
    Entry(4, Near(3), "TTL key"),
    Entry(4, Near(3000), "PEXPIRETIME key"),
    Entry(3, Rule::Exact, "OBJECT REFCOUNT key"),
    Entry(2, Exact, "EXISTS key.."),
];
