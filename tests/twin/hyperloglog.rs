//! Commands of the HyperLogLog family for twin runs.

use super::compare::Rule::Exact;
use super::generator::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry(30, Exact, "PFADD key [member..]"),
    Entry(10, Exact, "PFADD key wide+++"),
    Entry(20, Exact, "PFADD key wide.."),
    Entry(12, Exact, "PFCOUNT key"),
    Entry(10, Exact, "PFCOUNT key.."),
    Entry(14, Exact, "PFMERGE key key.."),
    Entry(2, Exact, "PFMERGE key"),
    Entry(3, Exact, "PFDEBUG (ENCODING|DECODE|TODENSE) key"),
    Entry(1, Exact, "PFDEBUG GETREG key"),
    Entry(10, Exact, "GET key"),
    Entry(2, Exact, "SET key value"),
    Entry(3, Exact, "DEL key"),
    Entry(3, Exact, "COPY key key REPLACE"),
    Entry(2, Exact, "EXPIRE key seconds"),
    Entry(3, Exact, "OBJECT ENCODING key"),
];
