//! `cargo xtask fuzz-load`: loads damaged files for long; what it does lives in `tests/fuzz_load.rs`.

use crate::fuzz::{SECONDS, seed_of_today};
use std::process::Command;

pub(crate) const USAGE: &str = "fuzz-load [--seconds N] [--seed N] [--target rdb|restore|aof]
      damaged snapshots, payloads and logs, for 600 seconds each; the seed is made of the date unless it is given";

/// Runs the fuzzer and fails if it finds something.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let (mut seconds, mut seed, mut target) = (SECONDS, None, None);
    let mut rest = args.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{option} needs a value"))?;
        let number = || value.parse().map_err(|_| format!("{option}: {value} is not a number"));
        match option.as_str() {
            "--seconds" => seconds = number()?,
            "--seed" => seed = Some(number()?),
            "--target" if ["rdb", "restore", "aof"].contains(&value.as_str()) => target = Some(value),
            "--target" => return Err(format!("unknown target {value}")),
            _ => return Err(format!("unknown option {option}")),
        }
    }
    let seed = match seed {
        Some(seed) => seed,
        None => seed_of_today()?,
    };
    println!("seed {seed}, {seconds} seconds");
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["test", "-p", "resplite", "--test", "integration", "--"])
        // One after the other, so that the memory of one is not taken for that of another.
        .args(["fuzz_load::", "--nocapture", "--test-threads", "1"])
        .env("RESPLITE_FUZZ_LOAD_SECONDS", seconds.to_string())
        .env("RESPLITE_FUZZ_LOAD_SEED", seed.to_string());
    if let Some(target) = target {
        command.env("RESPLITE_FUZZ_LOAD_TARGET", target);
    }
    let status = command.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err("the fuzzer has found something".to_owned()) }
}
