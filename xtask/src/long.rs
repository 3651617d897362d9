//! `cargo xtask histories`, `crash` and `queues`: long runs of the tests of what is kept and of those who wait, with a seed
//! of their own; what they do lives in `tests/histories.rs`, `tests/crash.rs` and `tests/queues.rs`.

use std::process::Command;

/// A test that runs for as long as it is told to.
pub(crate) struct Task {
    /// How the task is called.
    pub(crate) usage: &'static str,
    filter: &'static str,
    count_name: &'static str,
    count: u64,
    count_variable: &'static str,
    seed_variable: &'static str,
}

/// Random histories on the simulated disk.
pub(crate) const HISTORIES: Task = Task {
    usage: "histories [--count 1000] [--seed N]",
    filter: "histories::",
    count_name: "--count",
    count: 1000,
    count_variable: "RESPLITE_HISTORIES",
    seed_variable: "RESPLITE_HISTORIES_SEED",
};

/// The real binary, killed at random moments.
pub(crate) const CRASH: Task = Task {
    usage: "crash [--rounds 300] [--seed N]",
    filter: "crash::",
    count_name: "--rounds",
    count: 300,
    count_variable: "RESPLITE_CRASH_ROUNDS",
    seed_variable: "RESPLITE_CRASH_SEED",
};

/// Producers and consumers that wait, under fire.
pub(crate) const QUEUES: Task = Task {
    usage: "queues [--rounds 1000] [--seed N]",
    filter: "queues::",
    count_name: "--rounds",
    count: 1000,
    count_variable: "RESPLITE_QUEUES_ROUNDS",
    seed_variable: "RESPLITE_QUEUES_SEED",
};

impl Task {
    /// Runs the tests in a release build; fails if one of them does.
    pub(crate) fn run(&self, args: &[String]) -> Result<(), String> {
        let (mut count, mut seed) = (self.count, crate::twin::today());
        for pair in args.chunks(2) {
            let [name, value] = pair else { return Err(format!("usage: cargo xtask {}", self.usage)) };
            let number = value.parse().map_err(|_| format!("{name} needs a number, not {value}"))?;
            match name.as_str() {
                "--seed" => seed = number,
                name if name == self.count_name => count = number,
                _ => return Err(format!("{name} is unknown; usage: cargo xtask {}", self.usage)),
            }
        }
        println!("{} {count}, seed {seed}", self.filter);
        let status = Command::new(env!("CARGO"))
            .args(["test", "--release", "--quiet", "--package", "resplite", "--test", "integration", self.filter])
            .args(["--", "--nocapture"])
            .env(self.count_variable, count.to_string())
            .env(self.seed_variable, seed.to_string())
            .status()
            .map_err(|error| format!("cargo does not start: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("it failed; run it again with --seed {seed}")) }
    }
}
