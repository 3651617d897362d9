//! The script that has been running for a while: what others may know of it, and how they have it end.

use parking_lot::Mutex;
use resplite_resp::request::OwnedArgs;
use resplite_storage::clock::Stopwatch;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

const IDLE: u8 = 0;
const LONG: u8 = 1;
const BUSY: u8 = 2;

/// The one script that can run at a time. Short ones never come here.
#[derive(Default)]
pub(crate) struct Running {
    /// Looked at before every command.
    state: AtomicU8,
    is_function: AtomicBool,
    wrote: AtomicBool,
    kill: AtomicBool,
    /// The server ends and is not to wait, nor to keep anything: SHUTDOWN NOSAVE.
    abandoned: AtomicBool,
    shown: Mutex<Option<Shown>>,
}

/// What FUNCTION STATS shows.
pub(crate) struct Shown {
    /// A function's name; a script's is its SHA-1.
    pub(crate) name: String,
    pub(crate) args: OwnedArgs,
    pub(crate) since: Stopwatch,
}

/// What came of the wish to end a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Killed {
    Yes,
    /// There is none, or none of the kind that was meant.
    NotRunning,
    /// The other kind is running.
    OtherKind,
    /// It has changed something, and must not stop half-way.
    HasWritten,
}

impl Running {
    /// Whether a script has been running for so long that others are not kept waiting but told so.
    #[inline]
    pub(crate) fn is_busy(&self) -> bool {
        self.state.load(Ordering::Acquire) == BUSY
    }

    /// Whether a script has been running for a while.
    pub(crate) fn is_long(&self) -> bool {
        self.state.load(Ordering::Acquire) != IDLE
    }

    /// Whether what is running is a function of a library.
    pub(crate) fn is_function(&self) -> bool {
        self.is_function.load(Ordering::Relaxed)
    }

    /// Shows a script that is turning out to be long.
    pub(super) fn show(&self, shown: Shown, is_function: bool) {
        // Under the lock that whoever wants to end a script takes, so that nobody is told yes and then forgotten.
        let mut place = self.shown.lock();
        self.is_function.store(is_function, Ordering::Relaxed);
        self.kill.store(false, Ordering::Relaxed);
        *place = Some(shown);
        drop(place);
        self.state.store(LONG, Ordering::Release);
    }

    /// Has others told that they need not wait.
    pub(super) fn set_busy(&self) {
        self.state.store(BUSY, Ordering::Release);
    }

    /// Says whether the script has changed something.
    pub(super) fn set_wrote(&self, wrote: bool) {
        self.wrote.store(wrote, Ordering::Relaxed);
    }

    /// Whether somebody wants the script to end.
    pub(super) fn is_killed(&self) -> bool {
        self.kill.load(Ordering::Acquire)
    }

    /// Has the script end even if it has written: nothing that was done from then on is kept.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    /// Whether the script is to end even if it has written.
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// The script has ended.
    pub(super) fn end(&self) {
        self.state.store(IDLE, Ordering::Release);
        *self.shown.lock() = None;
    }

    /// Has the running script end: a function, or a script that is none.
    pub(crate) fn kill(&self, function: bool) -> Killed {
        let shown = self.shown.lock();
        if shown.is_none() {
            return Killed::NotRunning;
        }
        if self.is_function() != function {
            return Killed::OtherKind;
        }
        if self.wrote.load(Ordering::Relaxed) {
            return Killed::HasWritten;
        }
        self.kill.store(true, Ordering::Release);
        Killed::Yes
    }

    /// Calls `visit` with what is running.
    pub(crate) fn shown<R>(&self, visit: impl FnOnce(Option<&Shown>) -> R) -> R {
        visit(self.shown.lock().as_ref())
    }
}
