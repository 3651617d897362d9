//! A module per family of commands; each command has its transcript there.

mod keys;
mod string;
mod transaction;
