//! The log of changes on disk, in the files of Redis' append-only log: the manifest, the writer, loading, checking.

pub mod batch;
pub mod check;
pub mod load;
pub mod log;
pub mod manifest;

pub use load::{LoadError, LoadOptions, Loaded, Replay, load, size};
pub use log::{Log, LogError, LogOptions, LogStats, Rewrite, SyncPolicy};
