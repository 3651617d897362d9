//! aiogram: a bot whose conversations outlive the server that keeps them.

use super::python;
use resplite::Server;

#[test]
fn conversations_go_on_after_a_restart() {
    for protocol in ["2", "3"] {
        let directory = tempfile::tempdir().unwrap();
        for phase in ["begin", "finish"] {
            let server = Server::builder().dir(directory.path()).start().unwrap();
            let url = format!("redis://{}?protocol={protocol}", server.address().unwrap());
            python::run("aiogram_bot.py", &[&url, phase]);
        }
    }
}
