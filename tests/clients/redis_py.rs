//! redis-py: each Python file beside this one is a program that a bot's author could have written.

use resplite::Server;
use std::path::Path;
use std::process::Command;

/// Runs a Python program with the server's port as its argument, in RESP2 and in RESP3.
fn run(program: &str) {
    let python = std::env::var_os("RESPLITE_PYTHON");
    let Some(python) = python else {
        assert!(
            std::env::var_os("RESPLITE_REQUIRE_ORACLES").is_none(),
            "RESPLITE_PYTHON names no Python with redis-py"
        );
        return;
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/clients").join(program);
    for protocol in ["2", "3"] {
        let server = Server::builder().start().unwrap();
        let port = server.address().unwrap().port().to_string();
        let output = Command::new(&python).arg(&path).args([&port, protocol]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} in RESP{protocol}:\n{said}\n{complaints}");
    }
}

#[test]
fn the_state_of_a_bot() {
    run("bot_state.py");
}

#[test]
fn messages_and_events() {
    run("pubsub.py");
}

#[test]
fn the_library_itself() {
    run("library.py");
}
