//! The keyspace of Resplite: values, their table, their deadlines and the clock; no sockets, sessions or command names.

pub mod glob;
pub mod intset;
pub mod listpack;
pub mod packed;
pub mod table;
pub mod tree;
pub mod types;
