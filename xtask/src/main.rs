//! The project's long runs: `cargo xtask <task>`; nothing here is part of the server.

mod bench;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <task>

  bench [--quick] [--rows SET,GET,..] [--rounds N]
      redis-benchmark's rows against Resplite, redis-server and valkey-server side by side; prints Markdown
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some("bench") => bench::run(&args[1..]),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
