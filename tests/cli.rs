//! The binary as its users meet it: options, files, ports, signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};

/// The binary with these options, its standard streams ours.
fn resplite(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resplite"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(args: &[&str], stdin: &str) -> Output {
    let mut child = resplite(args).spawn().unwrap();
    write_stdin(child.stdin.take().unwrap(), stdin);
    child.wait_with_output().unwrap()
}

fn write_stdin(mut stdin: ChildStdin, text: &str) {
    // Who fails early does not read.
    let _ = stdin.write_all(text.as_bytes());
}

/// A running server; it is killed with the test if the test fails.
struct Running {
    child: Child,
    /// What it said until it was ready.
    said: Vec<String>,
}

impl Running {
    fn start(args: &[&str]) -> Self {
        Self::start_with(args, "")
    }

    fn start_with(args: &[&str], stdin: &str) -> Self {
        Self::of(&mut resplite(args), stdin)
    }

    fn of(command: &mut Command, stdin: &str) -> Self {
        let mut running = Running { child: command.spawn().unwrap(), said: Vec::new() };
        write_stdin(running.child.stdin.take().unwrap(), stdin);
        for line in BufReader::new(running.child.stdout.as_mut().unwrap()).lines() {
            running.said.push(line.unwrap());
            if running.said.last().unwrap().contains("Ready to accept connections") {
                return running;
            }
        }
        let mut errors = String::new();
        running.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        panic!("it did not start: {:?} {errors}", running.said);
    }

    fn address(&self) -> SocketAddr {
        let line = self.said.iter().find_map(|line| line.strip_prefix("Listening on "));
        line.expect("it says where it listens").parse().unwrap()
    }

    /// Sends an inline command and reads a line of the reply.
    fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already if all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn path(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}

#[test]
fn a_system_chosen_port_is_told_and_used() {
    let server = Running::start(&["--port", "0", "--save", "", "--appendonly", "no"]);
    assert_ne!(server.address().port(), 0);
    assert_eq!(server.ask("PING"), "+PONG");
    assert!(server.said.iter().any(|line| line.contains("Nothing is kept on disk")), "{:?}", server.said);
}

#[test]
fn signals_and_shutdown_end_it_with_success() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = path(dir.path(), "pid");
    for end in ["TERM", "INT", "SHUTDOWN NOSAVE"] {
        let server = Running::start(&["--port", "0", "--pidfile", &pid_file]);
        assert_eq!(std::fs::read_to_string(&pid_file).unwrap().trim(), server.child.id().to_string());
        if end.len() > 4 {
            assert_eq!(server.ask(end), "");
        } else {
            server.signal(end);
        }
        assert!(server.wait().success(), "{end}");
        assert!(!Path::new(&pid_file).exists(), "{end}");
    }
}

#[test]
fn a_used_port_is_told_with_a_free_one() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["--port", &port, "--bind", "127.0.0.1"], "");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains(&format!("127.0.0.1:{port}: Address already in use")), "{errors}");
    let hint = errors.split("try --port ").nth(1).expect("a hint");
    assert!(hint.trim().parse::<u16>().is_ok_and(|free| free != 0 && free.to_string() != port), "{errors}");
}

#[test]
fn wrong_options_and_files_end_it_with_a_message() {
    let dir = tempfile::tempdir().unwrap();
    let bad = path(dir.path(), "bad.conf");
    std::fs::write(&bad, "port 1\n\nmaxmemory lots\n").unwrap();
    for (args, stdin, message) in [
        (&["--foo", "bar"][..], "", ">>> 'foo \"bar\"'\nBad directive or wrong number of arguments"),
        (&["--save", "60"], "", "Invalid save parameters"),
        (&["/no/such/file"], "", "can't open config file '/no/such/file': No such file or directory"),
        (&[&bad], "", "at line 3\n>>> 'maxmemory lots'\nargument must be a memory value"),
        (&["-"], "port", "at line 1\n>>> 'port'\nwrong number of arguments"),
    ] {
        let output = run(args, stdin);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(errors.contains(message), "{args:?}: {errors}");
    }
}

#[test]
fn the_configuration_comes_from_standard_input() {
    let server = Running::start_with(&["-", "--timeout", "7"], "port 0\ntimeout 5\nrequirepass secret\n");
    assert_eq!(server.ask("GET a"), "-NOAUTH Authentication required.");
}

#[test]
fn a_file_is_overridden_by_options_and_rewritten_by_clients() {
    let dir = tempfile::tempdir().unwrap();
    let file = path(dir.path(), "resplite.conf");
    std::fs::write(&file, "# mine\nport 1\nmaxmemory 1mb\n").unwrap();
    let server = Running::start(&[&file, "--port", "0"]);
    assert_eq!(server.ask("CONFIG SET maxmemory 2mb"), "+OK");
    assert_eq!(server.ask("CONFIG REWRITE"), "+OK");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# mine\nport 0\nmaxmemory 2mb\n");
}

#[test]
fn a_unix_socket_alone_opens_no_port() {
    let dir = tempfile::tempdir().unwrap();
    let dir_name = path(dir.path(), "");
    let server = Running::start(&["--port", "0", "--dir", &dir_name, "--unixsocket", "s", "--unixsocketperm", "700"]);
    let socket = path(&dir.path().canonicalize().unwrap(), "s");
    assert!(server.said.contains(&format!("Listening on unix:{socket}")), "{:?}", server.said);
    assert!(!server.said.iter().any(|line| line.contains("127.0.0.1")), "{:?}", server.said);
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert_eq!(line, "+PONG\r\n");
}

#[test]
fn a_tls_port_alone_opens_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(path(dir.path(), "server.crt"), key.cert.pem()).unwrap();
    std::fs::write(path(dir.path(), "server.key"), key.signing_key.serialize_pem()).unwrap();
    // A port that was free a moment ago, as 0 is none.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let dir_name = path(dir.path(), "");
    let options =
        ["--port", "0", "--tls-port", &port, "--bind", "127.0.0.1", "--dir", &dir_name, "--tls-auth-clients", "no"];
    let files = ["--tls-cert-file", "server.crt", "--tls-key-file", "server.key"];
    let server = Running::start(&[&options[..], &files].concat());
    let listening: Vec<&String> = server.said.iter().filter(|line| line.contains("Listening on ")).collect();
    assert_eq!(listening, [&format!("Listening on tls:127.0.0.1:{port}")]);
    let output = run(&options, "");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert_eq!(said.trim_end(), "Cannot start: Failed to configure TLS: No tls-cert-file configured!");
}

#[test]
fn the_log_goes_to_a_file_and_its_level_follows_the_settings() {
    let dir = tempfile::tempdir().unwrap();
    let log = path(dir.path(), "log");
    let server = Running::start(&["--port", "0", "--logfile", &log]);
    assert!(std::fs::read_to_string(&log).unwrap().contains(" * Ready to accept connections"));
    assert!(!server.said.iter().any(|line| line.contains("Nothing is kept")), "{:?}", server.said);
    assert_eq!(server.ask("CONFIG SET loglevel nothing"), "+OK");
    let before = std::fs::read_to_string(&log).unwrap();
    server.signal("TERM");
    assert!(server.wait().success());
    assert_eq!(std::fs::read_to_string(&log).unwrap(), before);
}

#[test]
fn in_the_background_it_says_nothing_and_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (pid_file, socket) = (path(dir.path(), "pid"), path(dir.path(), "s"));
    let output = run(&["--daemonize", "yes", "--port", "0", "--unixsocket", &socket, "--pidfile", &pid_file], "");
    assert!(output.status.success());
    assert!(output.stdout.is_empty());
    // The command ends when the server listens.
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    stream.write_all(b"SHUTDOWN\r\n").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    let failed = run(&["--daemonize", "yes", "--bind", "192.0.2.1", "--port", "7"], "");
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8(failed.stderr).unwrap().contains("Cannot start: 192.0.2.1:7"));
}

#[test]
fn version_and_help_are_printed() {
    let version = String::from_utf8(run(&["--version"], "").stdout).unwrap();
    assert!(version.starts_with("Redis server v=7.4.2 sha="), "{version}");
    assert!(version.contains("Resplite"), "{version}");
    let help = run(&["--help"], "");
    assert!(help.status.success());
    assert!(String::from_utf8(help.stdout).unwrap().contains("Listening on 127.0.0.1:6379"));
}

/// The end of the file of the log that changes go to.
fn last_increment(dir: &Path) -> std::path::PathBuf {
    let log = dir.join("appendonlydir");
    let manifest = std::fs::read_to_string(log.join("appendonly.aof.manifest")).unwrap();
    let last = manifest.lines().rfind(|line| line.ends_with("type i")).expect("an increment");
    log.join(last.split(' ').nth(1).unwrap())
}

#[test]
fn a_directory_keeps_the_data_and_belongs_to_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    let server = Running::start(&["--port", "0", "--dir", place, "--appendfsync", "always"]);
    assert_eq!(server.ask("SET key value"), "+OK");
    let second = run(&["--port", "0", "--dir", place], "");
    let errors = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && errors.contains("another server keeps its data"), "{errors}");
    server.signal("KILL");
    server.wait();
    let server = Running::start(&["--port", "0", "--dir", place]);
    assert_eq!(server.ask("STRLEN key"), ":5");
    server.signal("TERM");
    assert!(server.wait().success());
}

#[test]
fn damaged_files_are_shown_and_cut() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    let server = Running::start(&["--port", "0", "--dir", place, "--appendfsync", "always"]);
    for number in 0..3 {
        assert_eq!(server.ask(&format!("SET key{number} value")), "+OK");
    }
    assert_eq!(server.ask("SAVE"), "+OK");
    server.signal("TERM");
    assert!(server.wait().success());
    let manifest = path(&dir.path().join("appendonlydir"), "appendonly.aof.manifest");
    let snapshot = path(dir.path(), "dump.rdb");
    let well = run(&["check-aof", &manifest], "");
    let text = String::from_utf8(well.stdout).unwrap();
    assert!(well.status.success() && text.contains(", 4 commands, well"), "{text}");
    let well = run(&["check-rdb", &snapshot], "");
    let text = String::from_utf8(well.stdout).unwrap();
    assert!(well.status.success() && text.contains("3 keys, 0 of them with a deadline"), "{text}");

    // In the middle of what was promised: nothing starts on it.
    let log = last_increment(dir.path());
    let bytes = std::fs::read(&log).unwrap();
    let mut damaged = bytes.clone();
    let at = bytes.windows(4).position(|window| window == b"key1").unwrap();
    damaged[at] ^= 1;
    std::fs::write(&log, &damaged).unwrap();
    let refused = run(&["--port", "0", "--dir", place], "");
    let errors = String::from_utf8(refused.stderr).unwrap();
    let name = log.file_name().unwrap().to_str().unwrap();
    assert!(!refused.status.success(), "{errors}");
    for word in [name, "offset", "checksum", "resplite check-aof --fix"] {
        assert!(errors.contains(word), "{word}: {errors}");
    }
    let shown = run(&["check-aof", &manifest], "");
    let text = String::from_utf8(shown.stderr).unwrap();
    assert!(!shown.status.success() && text.contains("DAMAGED at offset"), "{text}");
    let cut = run(&["check-aof", "--fix", &manifest], "");
    let text = String::from_utf8(cut.stdout).unwrap();
    assert!(cut.status.success() && text.contains("bytes were cut off"), "{text}");
    let server = Running::start(&["--port", "0", "--dir", place]);
    assert_eq!((server.ask("EXISTS key0"), server.ask("EXISTS key1")), (":1".into(), ":0".into()));
    server.signal("TERM");
    server.wait();

    // A torn end was never promised.
    let torn = bytes.windows(4).position(|window| window == b"key2").unwrap();
    std::fs::write(&log, &bytes[..torn]).unwrap();
    let refused = run(&["--port", "0", "--dir", place, "--aof-load-truncated", "no"], "");
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && errors.contains(name) && errors.contains("cut short"), "{errors}");
    let server = Running::start(&["--port", "0", "--dir", place]);
    let batch = bytes[..torn].windows(10).rposition(|window| window == b"#resplite:").unwrap();
    let cut = format!("the last {} bytes, from offset {batch} on, were torn", torn - batch);
    assert!(server.said.iter().any(|line| line.contains(&cut)), "{cut}: {:?}", server.said);
    assert_eq!((server.ask("EXISTS key1"), server.ask("EXISTS key2")), (":1".into(), ":0".into()));
    drop(server);

    std::fs::write(&snapshot, b"REDIS0010 and nothing more").unwrap();
    let refused = run(&["--port", "0", "--dir", place, "--appendonly", "no"], "");
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && errors.contains("resplite check-rdb"), "{errors}");
    assert!(!run(&["check-rdb", &snapshot], "").status.success());
    assert!(!run(&["check-aof", "/no/such.manifest"], "").status.success());
    assert!(String::from_utf8(run(&["check-aof"], "").stderr).unwrap().contains("Usage"));
}

#[test]
fn without_a_directory_a_snapshot_goes_to_the_current_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = resplite(&["--port", "0"]);
    let server = Running::of(command.current_dir(dir.path()), "");
    assert_eq!(server.ask("SET key value"), "+OK");
    assert_eq!(server.ask("SAVE"), "+OK");
    assert!(dir.path().join("dump.rdb").is_file());
}

#[test]
fn the_allocator_answers_for_itself() {
    let running = Running::start(&["--port", "0"]);
    let mut stream = TcpStream::connect(running.address()).unwrap();
    stream.write_all(b"MEMORY PURGE\r\nMEMORY MALLOC-STATS\r\nQUIT\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("+OK\r\n$") && text.contains("\r\nmimalloc ") && text.contains("\"committed\""), "{text}");
}
