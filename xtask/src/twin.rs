//! `cargo xtask twin`: long twin runs with a seed of their own; what they do lives in `tests/twin.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How the task is called.
pub(crate) const USAGE: &str = "twin [--commands 200000] [--seed N] [--family strings|keys|hashes|lists|sets|sorted_sets|streams|transactions|scripts|together]";

struct Options {
    /// For each family and protocol.
    commands: u64,
    seed: u64,
    family: String,
}

/// Compares this server with real ones on random commands; fails if a reply differs or a real server is missing.
pub(crate) fn run(args: impl Iterator<Item = String>) -> Result<(), String> {
    let options = Options::parse(args)?;
    let valkey = valkey_server()?;
    if find_on_path("redis-server").is_none() && std::env::var_os("RESPLITE_REDIS_SERVER").is_none() {
        return Err("redis-server is missing: install it or run ./test once".into());
    }
    println!("twin run: seed {}, {} commands for each family and protocol", options.seed, options.commands);
    let status = Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--package", "resplite", "--test", "integration"])
        .args([&format!("twin::{}", options.family), "--", "--nocapture"])
        .env("RESPLITE_TWIN_SEED", options.seed.to_string())
        .env("RESPLITE_TWIN_COMMANDS", options.commands.to_string())
        .env("RESPLITE_REQUIRE_ORACLES", "1")
        .env("RESPLITE_VALKEY_SERVER", valkey)
        .status()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("the twins differ; run it again with --seed {}", options.seed)),
    }
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Options { commands: 200_000, seed: today(), family: String::new() };
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value; usage: cargo xtask {USAGE}"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} needs a number, not {value}"));
            match name.as_str() {
                "--commands" => options.commands = number()?,
                "--seed" => options.seed = number()?,
                "--family" => options.family = value,
                _ => return Err(format!("{name} is unknown; usage: cargo xtask {USAGE}")),
            }
        }
        Ok(options)
    }
}

/// Today as a number like 20240131: a run of another day is another run.
pub(crate) fn today() -> u64 {
    let date = jiff::Timestamp::now().strftime("%Y%m%d").to_string();
    date.parse().unwrap_or(1)
}

/// The valkey-server that the tests compare with: the one that is named, on the path, or that `./test` has installed.
fn valkey_server() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("RESPLITE_VALKEY_SERVER") {
        return Ok(named.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    find_on_path("valkey-server")
        .or_else(|| find_below(&root.join("tests/.venv/lib"), "valkey-server"))
        .ok_or_else(|| "valkey-server is missing: run ./test once, it installs it".into())
}

fn find_on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}

fn find_below(directory: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?;
    entries.flatten().map(|entry| entry.path()).find_map(|path| match path.is_dir() {
        true => find_below(&path, name),
        false => path.ends_with(name).then_some(path),
    })
}
