//! redis-py and `limits`: each Python file named here is a program that a bot's author could have written.

use super::python;
use resplite::Server;

/// Runs a Python program with the server's port as its argument, in RESP2 and in RESP3.
#[track_caller]
fn run(program: &str) {
    for protocol in ["2", "3"] {
        let server = Server::builder().start().unwrap();
        let port = server.address().unwrap().port().to_string();
        python::run(program, &[&port, protocol]);
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
fn an_asynchronous_listener() {
    run("async_pubsub.py");
}

#[test]
fn groups_that_lose_a_consumer() {
    run("stream_groups.py");
}

#[test]
fn the_library_itself() {
    run("library.py");
}

#[test]
fn locks_scripts_and_functions() {
    run("scripts.py");
}

#[test]
fn users_with_rights() {
    run("users.py");
}

#[test]
fn a_cache_of_its_own() {
    run("cached.py");
}

#[test]
fn exporters_and_browsers() {
    run("observers.py");
}

#[test]
fn rate_limits() {
    run("limits_rates.py");
}
