//! The Redis protocol as bytes: requests in, replies out; no keys, no sockets.
