//! Commands of the geo family for twin runs.

use super::compare::Rule::Exact;
use super::generator::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry(40, Exact, "GEOADD key (longitude latitude member).."),
    Entry(6, Exact, "GEOADD key (longitude latitude wide)+++"),
    Entry(15, Exact, "GEOADD key {NX|XX|CH} (longitude latitude member).."),
    // Scores that are no places.
    Entry(5, Exact, "ZADD key (float member).."),
    Entry(3, Exact, "ZADD key (int member).."),
    Entry(10, Exact, "ZREM key member.."),
    Entry(12, Exact, "GEOPOS key member.."),
    Entry(12, Exact, "GEODIST key member member [unit]"),
    Entry(3, Exact, "GEODIST key wide wide"),
    Entry(10, Exact, "GEOHASH key member.."),
    Entry(
        35,
        Exact,
        "GEOSEARCH key (FROMMEMBER member|FROMLONLAT longitude latitude) (BYRADIUS radius unit|BYBOX radius radius unit) \
         {ASC|DESC|COUNT count|COUNT count ANY|WITHCOORD|WITHDIST|WITHHASH}",
    ),
    Entry(
        5,
        Exact,
        "GEOSEARCH key {FROMMEMBER member|FROMLONLAT longitude latitude} {BYRADIUS radius unit|BYBOX radius radius unit} \
         {ASC|DESC|COUNT count|ANY|STOREDIST|word|STORE key} [WITHDIST]",
    ),
    Entry(
        15,
        Exact,
        "GEOSEARCHSTORE key key (FROMMEMBER member|FROMLONLAT longitude latitude) \
         (BYRADIUS radius unit|BYBOX radius radius unit) {ASC|DESC|COUNT count|COUNT count ANY|STOREDIST|STOREDIST|WITHDIST}",
    ),
    Entry(
        15,
        Exact,
        "GEORADIUS key longitude latitude radius unit \
         {ASC|DESC|COUNT count|COUNT count ANY|WITHCOORD|WITHDIST|WITHHASH|STORE key|STOREDIST key|word}",
    ),
    Entry(
        15,
        Exact,
        "GEORADIUSBYMEMBER key member radius unit \
         {ASC|DESC|COUNT count|COUNT count ANY|WITHCOORD|WITHDIST|WITHHASH|STORE key|STOREDIST key|word}",
    ),
    Entry(6, Exact, "GEORADIUS key longitude latitude radius unit {STORE key|STOREDIST key|COUNT count}"),
    Entry(
        8,
        Exact,
        "GEORADIUS_RO key longitude latitude radius unit \
         {ASC|DESC|COUNT count|COUNT count ANY|WITHCOORD|WITHDIST|WITHHASH|STORE key|word}",
    ),
    Entry(
        8,
        Exact,
        "GEORADIUSBYMEMBER_RO key member radius unit \
         {ASC|DESC|COUNT count|COUNT count ANY|WITHCOORD|WITHDIST|WITHHASH|STOREDIST key|word}",
    ),
    Entry(4, Exact, "EXPIRE key seconds"),
];
