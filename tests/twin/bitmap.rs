//! Commands of the bitmap family for twin runs.

use super::compare::Rule::Exact;
use super::generator::Entry;

/// Without the operations of BITOP that neither of the real servers has.
pub const ENTRIES: &[Entry] = &[
    Entry(30, Exact, "SETBIT key bitoffset bit"),
    Entry(15, Exact, "GETBIT key bitoffset"),
    Entry(20, Exact, "BITCOUNT key [index index [(BYTE|BIT|word)]]"),
    Entry(25, Exact, "BITPOS key bit [index [index [(BYTE|BIT|word)]]]"),
    Entry(20, Exact, "BITOP (AND|OR|XOR) key key.."),
    Entry(8, Exact, "BITOP NOT key key"),
    Entry(2, Exact, "BITOP (NOT|word) key key.."),
    Entry(
        20,
        Exact,
        "BITFIELD key {GET fieldtype fieldoffset|SET fieldtype fieldoffset int|INCRBY fieldtype fieldoffset int}",
    ),
    Entry(
        25,
        Exact,
        "BITFIELD key OVERFLOW (WRAP|SAT|FAIL|WRAP|SAT|FAIL|word) ((SET|INCRBY) fieldtype fieldoffset int)..",
    ),
    Entry(
        4,
        Exact,
        "BITFIELD key GET fieldtype fieldoffset OVERFLOW FAIL INCRBY fieldtype fieldoffset int GET fieldtype fieldoffset",
    ),
    Entry(8, Exact, "BITFIELD_RO key (GET fieldtype fieldoffset).."),
    Entry(2, Exact, "BITFIELD_RO key {GET fieldtype fieldoffset|SET fieldtype fieldoffset int|OVERFLOW (SAT|word)}"),
    Entry(12, Exact, "SET key value"),
    Entry(4, Exact, "APPEND key value"),
    Entry(4, Exact, "INCR key"),
    Entry(4, Exact, "STRLEN key"),
    Entry(15, Exact, "GET key"),
    Entry(3, Exact, "EXPIRE key seconds"),
];
