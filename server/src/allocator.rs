//! The binary's allocator, as far as clients can ask about it: the library itself knows of none.

use resplite::Allocator;

/// What MEMORY PURGE and MEMORY MALLOC-STATS ask.
pub(crate) const MIMALLOC: Allocator = Allocator { purge, stats };

fn purge() {
    // SAFETY: a plain call without pointers, on whatever thread. It gives back the free memory of the calling thread and what
    // no thread uses.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

fn stats() -> String {
    let version = mimalloc::MiMalloc.version();
    match mimalloc::MiMalloc::stats_json() {
        Ok(json) => format!("mimalloc {version}\n{}\n", json.to_string_lossy()),
        Err(error) => format!("mimalloc {version}: {error}\n"),
    }
}
