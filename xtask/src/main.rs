//! The project's long runs: `cargo xtask <name>`; nothing here is part of the server.

mod twin;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let result = match args.next().as_deref() {
        Some("twin") => twin::run(args),
        _ => Err(format!("usage: cargo xtask <task>\n\ntasks:\n  {}", twin::USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
