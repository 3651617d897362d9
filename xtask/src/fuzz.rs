//! `cargo xtask fuzz`: runs the fuzzers of the integration tests for long; what it does lives in `tests/fuzz.rs` and
//! `tests/fuzz_scripts.rs`.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const USAGE: &str = "fuzz [--seconds N] [--seed N]
      bad input against a whole server, and random Lua programs, for 600 seconds; the seed is made of the date unless it is given";

/// How long it runs unless told otherwise.
pub(crate) const SECONDS: u64 = 600;

/// Runs the fuzzer and fails if it finds something.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let (mut seconds, mut seed) = (SECONDS, None);
    let mut rest = args.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{option} needs a number"))?;
        let value = value.parse().map_err(|_| format!("{option}: {value} is not a number"))?;
        match option.as_str() {
            "--seconds" => seconds = value,
            "--seed" => seed = Some(value),
            _ => return Err(format!("unknown option {option}")),
        }
    }
    let seed = match seed {
        Some(seed) => seed,
        None => seed_of_today()?,
    };
    println!("seed {seed}, {seconds} seconds");
    let status = Command::new(env!("CARGO"))
        .args(["test", "-p", "resplite", "--test", "integration", "--"])
        .args(["fuzz::bad_input", "fuzz_scripts::random_programs", "--nocapture"])
        .env("RESPLITE_FUZZ_SECONDS", seconds.to_string())
        .env("RESPLITE_FUZZ_SEED", seed.to_string())
        .status()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err("the fuzzer has found something".to_owned()) }
}

/// A new one each day. Each server of a run takes the next number, so that days lie far apart.
#[allow(clippy::disallowed_methods, reason = "the date is the seed")]
pub(crate) fn seed_of_today() -> Result<u64, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    Ok(now.as_secs() / 86_400 * 1_000_000)
}
