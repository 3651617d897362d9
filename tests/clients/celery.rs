//! Celery and kombu, whose broker and whose results lie on a server here.

use super::python;
use resplite::Server;

#[track_caller]
fn run(program: &str, protocol: &str) {
    let server = Server::builder().start().unwrap();
    python::run(program, &[&format!("redis://{}", server.address().unwrap()), protocol]);
}

#[test]
fn workers_over_resp2() {
    run("celery_worker.py", "2");
}

#[test]
fn workers_over_resp3() {
    run("celery_worker.py", "3");
}

#[test]
fn queues_and_exchanges() {
    for protocol in ["2", "3"] {
        run("kombu_queues.py", protocol);
    }
}
