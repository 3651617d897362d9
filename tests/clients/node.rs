//! ioredis and BullMQ: the programs in the directory beside this file, with what its package.json names.

use super::program::Interpreter;
use resplite::Server;

const NODE: Interpreter = Interpreter {
    variable: "RESPLITE_NODE",
    packages: "the packages of tests/clients/node/package.json",
    directory: "node",
    environment: &[],
};

/// Runs a program with the server's port as its argument, in RESP2 and in RESP3.
#[track_caller]
fn run(program: &str) {
    for protocol in ["2", "3"] {
        let server = Server::builder().start().unwrap();
        let port = server.address().unwrap().port().to_string();
        NODE.run(program, &[&port, protocol]);
    }
}

#[test]
fn scripts_of_ioredis() {
    run("scripts.mjs");
}

#[test]
fn queues_of_bullmq() {
    run("queues.mjs");
}
