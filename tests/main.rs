//! The integration tests, one binary: everything as users meet it, over sockets or in process.

#![allow(missing_docs, unreachable_pub, reason = "a test binary has no users")]

mod support;

mod acl;
mod client_eviction;
mod clients;
mod command_stats;
mod commands;
mod connection;
mod crash;
mod docs;
mod effects;
mod embed;
mod eviction;
mod faults;
mod fuzz;
mod fuzz_load;
mod fuzz_scripts;
mod histories;
mod idle;
mod interop;
mod many;
mod names;
mod queues;
mod scripts;
mod tidy;
mod tls;
mod twin;
