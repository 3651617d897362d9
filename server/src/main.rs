//! The `resplite` binary.

fn main() {}
