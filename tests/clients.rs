//! Real clients against a real port: redis-cli, redis-benchmark, redis-rs, redis-py, ioredis and what is built on them, as
//! their users call them.

mod aiogram;
mod celery;
mod node;
mod program;
mod python;
mod redis_cli;
mod redis_py;
mod redis_rs;
mod tls;
