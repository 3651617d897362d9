//! Celery and kombu, whose broker and whose results lie on a server here.

use super::python;
use resplite::Server;

fn run(program: &str) {
    let server = Server::builder().start().unwrap();
    python::run(program, &[&format!("redis://{}", server.address().unwrap())]);
}

#[test]
fn workers_with_broker_and_results() {
    run("celery_worker.py");
}

#[test]
fn queues_and_exchanges() {
    run("kombu_queues.py");
}
