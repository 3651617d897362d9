//! What the binary asks of its process: limits, signals, detaching; the only unsafe code outside of the library.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs::{File, OpenOptions};
use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;

/// Descriptors that are not clients: listeners, event loops, files.
const OWN_DESCRIPTORS: u64 = 64;

/// Raises the process' limit of open files so that `clients` fit, as far as the system lets it; returns how many fit.
pub(crate) fn make_room_for(clients: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a valid structure that lives through the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return clients;
    }
    let wanted = clients.saturating_add(OWN_DESCRIPTORS);
    if limit.rlim_cur < wanted {
        let raised = libc::rlimit { rlim_cur: wanted.min(limit.rlim_max), rlim_max: limit.rlim_max };
        // SAFETY: as above; the call only reads it.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } == 0 {
            limit = raised;
        }
    }
    clients.min(limit.rlim_cur.saturating_sub(OWN_DESCRIPTORS))
}

/// Calls `stop` on the first SIGTERM or SIGINT, from a thread of its own; the second one ends the process at once.
/// SIGHUP is ignored.
///
/// # Errors
/// The system gives no handler or no thread.
pub(crate) fn on_signal(stop: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    std::thread::Builder::new().name("resplite-signal".into()).spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            // The terminal that started the server may go, the server stays, as redis-server does.
            if signal == SIGHUP {
                continue;
            }
            if asked {
                log::warn!("Told again to stop: exiting at once");
                std::process::exit(1);
            }
            asked = true;
            log::warn!("Received {}, stopping", if signal == SIGINT { "SIGINT" } else { "SIGTERM" });
            stop();
        }
    })?;
    Ok(())
}

/// The parent of a process in the background, which waits to hear how the start went.
pub(crate) struct Parent {
    line: PipeWriter,
    null: File,
}

/// Leaves the terminal: goes on in a child process without standard input and output, while the parent waits and then
/// ends with success if the child has called [`Parent::release`], with failure if it has ended without.
/// To be called before any thread exists.
///
/// # Errors
/// The system refuses a process, a pipe or `/dev/null`.
pub(crate) fn detach() -> io::Result<Parent> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let (mut ours, line) = io::pipe()?;
    // SAFETY: no other thread exists yet, so the child is a whole copy.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        _ => {
            drop(line);
            let is_ready = ours.read_exact(&mut [0]).is_ok();
            std::process::exit(i32::from(!is_ready));
        }
    }
    // SAFETY: a plain system call.
    unsafe { libc::setsid() };
    replace(&null, libc::STDIN_FILENO);
    replace(&null, libc::STDOUT_FILENO);
    Ok(Parent { line, null })
}

impl Parent {
    /// Lets the parent end: the server is up. Until then errors still reach its terminal.
    pub(crate) fn release(mut self) {
        replace(&self.null, libc::STDERR_FILENO);
        // A parent that was killed meanwhile does not matter.
        let _ = self.line.write_all(&[1]);
    }
}

/// Has a standard descriptor mean this file.
fn replace(file: &File, standard: libc::c_int) {
    // SAFETY: both are open descriptors of this process, and nobody else owns the standard ones.
    unsafe { libc::dup2(file.as_raw_fd(), standard) };
}
