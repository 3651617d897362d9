//! Runs the Python programs beside this file, as processes that end in time; what they do stands in them.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Far more than any program takes on a busy machine; only what hangs gets there.
const LIMIT: Duration = Duration::from_secs(150);

/// Runs a program with these arguments until it ends, and fails with all that it said unless it ended well. A program that
/// hangs is killed together with the processes it started.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) {
    let Some(python) = python() else { return };
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut child = {
        // The command keeps the writing end, so it must be gone before the reader can see the end.
        let mut command = Command::new(python);
        command.arg(directory().join(program)).args(arguments).current_dir(directory()).process_group(0);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        command.spawn().unwrap()
    };
    let (told, heard) = channel();
    let listener = std::thread::spawn(move || {
        let mut said = Vec::new();
        let read = reader.read_to_end(&mut said);
        let _ = told.send(());
        read.map(|_| String::from_utf8_lossy(&said).into_owned())
    });
    let in_time = heard.recv_timeout(LIMIT).is_ok();
    if !in_time {
        // Not waited for yet, so the number is still that of our group and of nobody else.
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
    }
    let status = child.wait().unwrap();
    let said = listener.join().unwrap().unwrap();
    let program = [&[program], arguments].concat().join(" ");
    assert!(in_time, "{program} did not end in {LIMIT:?}:\n{said}");
    assert!(status.success(), "{program}: {status}\n{said}");
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/clients")
}

/// The Python that `./test` has prepared. Without one there is nothing to run, which is a failure where it is required.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("RESPLITE_PYTHON").map(PathBuf::from);
    assert!(
        python.is_some() || std::env::var_os("RESPLITE_REQUIRE_ORACLES").is_none(),
        "RESPLITE_PYTHON names no Python with the packages of tests/requirements.txt"
    );
    python
}
