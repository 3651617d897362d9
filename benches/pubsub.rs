//! Micro-benches of publishing: what a message costs where many others listen to something else.

use criterion::{Criterion, criterion_group, criterion_main};
use resplite::{Client, Server};
use std::hint::black_box;

const MANY: usize = 10_000;

/// A server and one who listens to all the names that `name` gives.
fn listening(verb: &str, name: impl Fn(usize) -> String) -> (Server, Client) {
    let server = Server::builder().no_port().start().expect("a server without sockets starts");
    let mut listener = server.client();
    for number in 0..MANY {
        listener.call([verb, &name(number)]);
    }
    (server, listener)
}

fn publish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    // The last one is what the others would cost without an index: nothing is certain about how its matches begin or end.
    for (what, verb, name) in [
        ("channels", "SUBSCRIBE", (|number| format!("user:{number}")) as fn(usize) -> String),
        ("patterns by prefix", "PSUBSCRIBE", |number| format!("user:{number}:*")),
        ("patterns by suffix", "PSUBSCRIBE", |number| format!("*:user:{number}")),
        ("patterns one by one", "PSUBSCRIBE", |number| format!("[u]ser:{number}:*")),
    ] {
        let (server, _listener) = listening(verb, name);
        let mut publisher = server.client();
        group.bench_function(format!("to nobody, beside {MANY} {what}"), |bencher| {
            bencher.iter(|| black_box(publisher.call(["PUBLISH", "bot:none:0", "hello"])));
        });
    }
    let server = Server::builder().no_port().start().expect("a server without sockets starts");
    let mut listeners: Vec<Client> = (0..100).map(|_| server.client()).collect();
    listeners.iter_mut().for_each(|listener| drop(listener.call(["SUBSCRIBE", "news"])));
    let mut publisher = server.client();
    group.bench_function("to 100 who take it at once", |bencher| {
        bencher.iter(|| {
            publisher.call(["PUBLISH", "news", "hello"]);
            listeners.iter_mut().for_each(|listener| drop(black_box(listener.messages())));
        });
    });
    group.finish();
}

criterion_group!(benches, publish);
criterion_main!(benches);
