//! The project's long runs: `cargo xtask <task>`; nothing here is part of the server.

mod bench;
mod fuzz;
mod fuzz_load;
mod twin;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((task, args)) if task == "bench" => bench::run(args),
        Some((task, args)) if task == "fuzz" => fuzz::run(args),
        Some((task, args)) if task == "fuzz-load" => fuzz_load::run(args),
        Some((task, args)) if task == "twin" => twin::run(args.iter().cloned()),
        _ => Err(format!(
            "usage: cargo xtask <task>\n\ntasks:\n  {}\n  {}\n  {}\n  {}",
            bench::USAGE,
            fuzz::USAGE,
            fuzz_load::USAGE,
            twin::USAGE
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
