//! Real clients against a real port: redis-cli, redis-benchmark, redis-rs, redis-py and what is built on it, as their users
//! call them.

mod aiogram;
mod celery;
mod python;
mod redis_cli;
mod redis_py;
mod redis_rs;
