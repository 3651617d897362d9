//! A module per family of commands; each command has its transcript there.

mod acl;
mod bitmap;
mod blocking;
mod connection;
mod function;
mod geo;
mod hash;
mod hash_deadlines;
mod hyperloglog;
mod keys;
mod list;
mod notify;
mod persistence;
mod pubsub;
mod script;
mod script_libraries;
mod set;
mod slow;
mod sort;
mod sorted_set;
mod stream;
mod string;
mod string_compare;
mod tracking;
mod transaction;
