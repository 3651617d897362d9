//! What the integration tests share: transcripts, a plain socket client, real servers to compare with.

pub mod content;
pub mod frame;
pub mod oracle;
pub mod socket;
pub mod together;
pub mod transcript;

pub use socket::Connection;
pub use together::{Peers, check_together, check_together_in};
pub use transcript::{check, check_ours, check_resp3};

use std::time::Duration;

/// A server on a free port with a clock that the test moves.
pub fn server() -> resplite::Server {
    builder().start().expect("a server on a free port starts")
}

/// As [`server`], to be changed before it starts.
pub fn builder() -> resplite::ServerBuilder {
    resplite::Server::builder().frozen_clock(Duration::from_millis(1_700_000_000_000)).seed(1)
}
