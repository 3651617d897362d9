//! Resplite as a library.
