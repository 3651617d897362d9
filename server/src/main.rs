//! The `resplite` binary: redis-server's command line over the library.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut settings = resplite::config::Settings::default();
    let args: Vec<String> = std::env::args().collect();
    for pair in args[1..].chunks(2) {
        if let [name, value] = pair {
            settings.apply(name.trim_start_matches('-'), &[value]).unwrap();
        }
    }
    let server = resplite::Server::builder().settings(settings).start().unwrap();
    println!("Ready to accept connections on {:?}", server.addresses());
    server.wait();
}
