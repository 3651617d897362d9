//! What the integration tests share: transcripts, a plain socket client, real servers to compare with.

pub mod certificates;
pub mod content;
pub mod frame;
pub mod oracle;
pub mod running;
pub mod socket;
pub mod together;
pub mod transcript;

pub use socket::Connection;
pub use together::{Peers, check_together, check_together_in};
pub use transcript::{check, check_ours, check_resp3};

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

/// An address of this machine that is not the loopback's, if it has one. Nothing is sent.
pub fn other_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

/// A server on a free port with a clock that the test moves.
pub fn server() -> resplite::Server {
    builder().start().expect("a server on a free port starts")
}

/// As [`server`], to be changed before it starts.
pub fn builder() -> resplite::ServerBuilder {
    resplite::Server::builder().frozen_clock(Duration::from_millis(1_700_000_000_000)).seed(1)
}
