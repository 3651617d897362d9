//! Runs the programs beside this file, as processes that end in time; what they do stands in them.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Far more than any program takes on a busy machine; only what hangs gets there.
const LIMIT: Duration = Duration::from_secs(150);

/// What runs programs of one language, as `./test` has prepared it.
pub struct Interpreter {
    /// The variable of the environment that names it.
    pub variable: &'static str,
    /// What it must have installed.
    pub packages: &'static str,
    /// Where its programs lie below `tests/clients`.
    pub directory: &'static str,
    /// What its programs find in their environment beside what is there.
    pub environment: &'static [(&'static str, &'static str)],
}

impl Interpreter {
    /// Runs a program with these arguments until it ends, and fails with all that it said unless it ended well. A program
    /// that hangs is killed together with the processes it started.
    #[track_caller]
    pub fn run(&self, program: &str, arguments: &[&str]) {
        let Some(interpreter) = self.find() else { return };
        let directory = clients().join(self.directory);
        let mut command = Command::new(interpreter);
        command.arg(directory.join(program)).args(arguments).current_dir(directory);
        command.envs(self.environment.iter().copied());
        if let Err(report) = finish(command, LIMIT) {
            panic!("{program} {}: {report}", arguments.join(" "));
        }
    }

    /// Without an interpreter there is nothing to run, which is a failure where it is required.
    fn find(&self) -> Option<OsString> {
        let found = std::env::var_os(self.variable);
        assert!(
            found.is_some() || std::env::var_os("RESPLITE_REQUIRE_ORACLES").is_none(),
            "{} names nothing that has {}",
            self.variable,
            self.packages
        );
        found
    }
}

/// Waits for a command's end; an error tells how it ended and what it said.
fn finish(mut command: Command, limit: Duration) -> Result<(), String> {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let started = command.process_group(0).stdout(writer.try_clone().unwrap()).stderr(writer).spawn();
    // It holds the writing end, without whose end the reader comes to none.
    drop(command);
    let mut child = started.map_err(|error| error.to_string())?;
    let (told, heard) = channel();
    let listener = std::thread::spawn(move || {
        let mut said = Vec::new();
        let read = reader.read_to_end(&mut said);
        let _ = told.send(());
        read.map(|_| String::from_utf8_lossy(&said).into_owned())
    });
    let in_time = heard.recv_timeout(limit).is_ok();
    if !in_time {
        // Not waited for yet, so the number is still that of our group and of nobody else.
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
    }
    let status = child.wait().unwrap();
    let said = listener.join().unwrap().unwrap();
    match (in_time, status.success()) {
        (false, _) => Err(format!("no end within {limit:?}\n{said}")),
        (true, false) => Err(format!("{status}\n{said}")),
        (true, true) => Ok(()),
    }
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/clients")
}

mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<(), String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        finish(command, limit)
    }

    #[test]
    fn ends_are_told() {
        assert_eq!(shell("echo fine", LIMIT), Ok(()));
        assert_eq!(shell("echo out; echo error >&2; exit 3", LIMIT), Err("exit status: 3\nout\nerror\n".into()));
    }

    #[test]
    fn what_hangs_ends_with_its_children() {
        let report = shell("echo begun; tail -f /dev/null & wait", Duration::from_secs(1));
        assert_eq!(report, Err("no end within 1s\nbegun\n".into()));
    }
}
