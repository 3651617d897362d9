//! The project's long runs: `cargo xtask <task>`; nothing here is part of the server.

mod bench;
mod fuzz;
mod fuzz_load;
mod long;
mod twin;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((task, args)) if task == "bench" => bench::run(args),
        Some((task, args)) if task == "fuzz" => fuzz::run(args),
        Some((task, args)) if task == "fuzz-load" => fuzz_load::run(args),
        Some((task, args)) if task == "twin" => twin::run(args.iter().cloned()),
        Some((task, args)) if task == "histories" => long::HISTORIES.run(args),
        Some((task, args)) if task == "crash" => long::CRASH.run(args),
        Some((task, args)) if task == "queues" => long::QUEUES.run(args),
        _ => Err(format!(
            "usage: cargo xtask <task>\n\ntasks:\n  {}",
            [
                bench::USAGE,
                long::CRASH.usage,
                fuzz::USAGE,
                fuzz_load::USAGE,
                long::HISTORIES.usage,
                long::QUEUES.usage,
                twin::USAGE
            ]
            .join("\n  ")
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
