//! The Redis protocol as bytes: requests in, replies out; no keys, no sockets.

pub mod request;

pub mod reply;

pub mod node;

pub mod number;

pub mod extended;

mod shortest;

pub mod value;

pub mod error;

pub use error::{FloatError, ProtocolError, ValueError};
pub use extended::Extended;
pub use reply::{Protocol, Reply};
pub use request::{Args, Batch, Decoded, Decoder, Limits, OwnedArgs};
pub use value::Value;
