//! The integration tests, one binary: everything as users meet it, over sockets or in process.

mod support;

mod commands;
mod connection;
mod embed;
mod tidy;
