//! Real clients against a real port: redis-cli, redis-benchmark, redis-rs and redis-py, as their users call them.

mod redis_cli;
mod redis_py;
mod redis_rs;
