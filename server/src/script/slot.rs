//! A place for a reference that is lent for a while: how functions that Lua calls find the command that runs the script.

use super::host::Caller;
use std::cell::Cell;
use std::ptr::NonNull;

/// Empty, or holding what [`Slot::lend`] was given.
#[derive(Default)]
pub(super) struct Slot(Cell<Option<NonNull<dyn Caller>>>);

// SAFETY: between two calls of `lend`, when the host may go to another thread, there is nothing in it.
unsafe impl Send for Slot {}

impl Slot {
    /// Has `run` find the caller here.
    pub(super) fn lend<R>(&self, caller: &mut (dyn Caller + '_), run: impl FnOnce() -> R) -> R {
        /// Takes back what was lent, however `run` ends.
        struct Back<'s>(&'s Slot, Option<NonNull<dyn Caller>>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.0.set(self.1);
            }
        }
        let pointer: NonNull<dyn Caller + '_> = NonNull::from(caller);
        // SAFETY: only the lifetime changes, and `Back` takes the pointer away before that ends.
        let pointer: NonNull<dyn Caller + 'static> = unsafe { std::mem::transmute(pointer) };
        let _back = Back(self, self.0.replace(Some(pointer)));
        run()
    }

    /// Asks what is lent; `None` if nothing is, or if it is being asked already.
    pub(super) fn with<R>(&self, question: impl FnOnce(&mut dyn Caller) -> R) -> Option<R> {
        /// Puts back what was taken out, however the question ends.
        struct Back<'s>(&'s Slot, NonNull<dyn Caller>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.0.set(Some(self.1));
            }
        }
        let pointer = self.0.take()?;
        let mut back = Back(self, pointer);
        // SAFETY: it is being lent, and as it was taken out nobody else can use it meanwhile.
        Some(question(unsafe { back.1.as_mut() }))
    }
}
