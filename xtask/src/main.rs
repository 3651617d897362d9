//! The project's long runs: `cargo xtask <name>`; nothing here is part of the server.

fn main() {
    eprintln!("usage: cargo xtask <task>");
    std::process::exit(2);
}
