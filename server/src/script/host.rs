//! What the functions that scripts call have in common besides Lua's own values: the running command and buffers.

use super::functions::Draft;
use super::slot::Slot;
use crate::error::CommandError;
use resplite_resp::reply::{Protocol, Reply};
use resplite_resp::request::{Args, OwnedArgs};
use std::cell::{Cell, RefCell};

/// What a script can ask of the server while it runs.
pub(crate) trait Caller {
    /// Runs a command; its reply is all that `reply` holds.
    ///
    /// # Errors
    /// The command was refused before it ran.
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Result<(), CommandError>;

    /// Whether the user may run a command, and may use its keys and channels.
    ///
    /// # Errors
    /// There is no such command, or not with so many arguments.
    fn may_call(&mut self, args: Args<'_>) -> Result<bool, ()>;

    /// Whether what commands do from now on is logged.
    fn set_logged(&mut self, is_logged: bool);

    /// Seconds since the server came up.
    fn clock(&mut self) -> f64;

    /// Called once in a while; a reason ends the script.
    fn interrupt(&mut self) -> Option<&'static str>;
}

/// A buffer that has grown beyond this is given back.
const KEEP: usize = 1024 * 1024;

/// Steps between two looks at whether the script should go on.
const OFTEN: u32 = 1 << 14;
/// Steps that a table counts for: to walk over one can be to walk over a million places of which nothing is left.
pub(super) const TABLE: u32 = 1000;

/// Shared by all Rust functions of one Lua state.
pub(crate) struct Host {
    caller: Slot,
    pub(super) args: RefCell<OwnedArgs>,
    pub(super) reply: RefCell<Reply>,
    /// What `redis.setresp` has chosen.
    pub(super) protocol: Cell<Protocol>,
    /// The library that is being loaded.
    pub(super) draft: RefCell<Option<Draft>>,
    /// State of `math.random`.
    pub(super) random: Cell<u64>,
    buffer: RefCell<Vec<u8>>,
    /// Bytes that functions hold for the script outside of Lua.
    pub(super) held: Cell<usize>,
    steps: Cell<u32>,
}

impl Host {
    pub(super) fn new(seed: u64) -> Host {
        Host {
            caller: Slot::default(),
            args: RefCell::default(),
            reply: RefCell::default(),
            protocol: Cell::default(),
            draft: RefCell::default(),
            random: Cell::new(seed),
            buffer: RefCell::default(),
            held: Cell::new(0),
            steps: Cell::new(0),
        }
    }

    /// Lends the caller to what `run` does.
    pub(super) fn lend<R>(&self, caller: &mut dyn Caller, run: impl FnOnce() -> R) -> R {
        self.caller.lend(caller, run)
    }

    /// Asks something of the caller; `None` if no script runs, or its caller is at work already.
    pub(super) fn ask<R>(&self, question: impl FnOnce(&mut dyn Caller) -> R) -> Option<R> {
        self.caller.with(question)
    }

    /// Lends a buffer, which is empty, for what a library puts together.
    pub(super) fn with_buffer<R>(&self, build: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut buffer = self.buffer.take();
        buffer.clear();
        let result = build(&mut buffer);
        if buffer.capacity() <= KEEP {
            self.buffer.replace(buffer);
        }
        result
    }

    /// Counts steps of a Rust function that may take long; once in a while the answer is why the running code must end, if it
    /// must.
    #[inline]
    pub(super) fn step(&self, cost: u32) -> Option<&'static [u8]> {
        let steps = self.steps.get().saturating_add(cost);
        self.steps.set(if steps < OFTEN { steps } else { 0 });
        if steps < OFTEN { None } else { self.interrupt() }
    }

    /// Why the running code must end, if it must.
    pub(super) fn interrupt(&self) -> Option<&'static [u8]> {
        self.ask(|caller| caller.interrupt()).flatten().map(str::as_bytes)
    }
}
