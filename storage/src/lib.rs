//! The keyspace of Resplite: values, their table, their deadlines and the clock; no sockets, sessions or command names.

pub mod aof;
pub mod clock;
pub mod deadlines;
pub mod disk;
pub mod entry;
pub mod glob;
pub mod intset;
pub mod keyspace;
pub mod listpack;
pub mod packed;
pub mod partial_sort;
pub mod rdb;
pub mod shard;
pub mod snapshot;
pub mod table;
pub mod tree;
pub mod types;
pub mod uses;
pub mod waiting;
