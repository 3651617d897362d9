//! A module per family of commands; each command has its transcript there.

mod blocking;
mod connection;
mod hash;
mod keys;
mod list;
mod notify;
mod persistence;
mod pubsub;
mod set;
mod slow;
mod sorted_set;
mod stream;
mod string;
mod tracking;
mod transaction;
