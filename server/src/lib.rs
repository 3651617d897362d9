//! Resplite, the SQLite of Redis: a Redis-compatible server that lives in your process or in one small binary.

mod acl;
mod client;
mod client_eviction;
mod command;
mod command_stats;
mod commands;
pub mod config;
mod context;
mod engine;
mod error;
mod eviction;
mod journal;
mod monitor;
mod names;
mod net;
mod notify;
mod outbox;
mod pause;
mod persistence;
mod pubsub;
mod registry;
mod script;
mod server;
mod session;
mod slow;
mod stats;
mod tls;
mod tracking;
mod usage;
mod waiting;

pub use client::Client;
pub use engine::Allocator;
pub use resplite_resp::value::Value;
pub use resplite_storage::{aof, disk, rdb};
pub use server::{Server, ServerBuilder};

/// The version of Redis whose commands and replies this server has.
pub const REDIS_VERSION: &str = "7.4.2";
/// The version of Resplite.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The README's examples, run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
