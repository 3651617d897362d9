//! One heap allocation that holds a small header and its bytes, behind a thin pointer of one word.
//!
//! Table slots, sorted-set members and hash fields all want "a few fixed facts plus a byte string" without a fat
//! pointer and without a second allocation; all the `unsafe` this takes is here.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// The fixed part of a [`Packed`]; it knows how many bytes follow it.
///
/// # Safety
/// `tail_len` must return the length that was given to [`Packed::new`] (or the last [`Packed::resize`]) for as long as
/// the header is not replaced: the allocation's size is computed from it.
pub unsafe trait Header: Copy {
    /// Number of bytes that follow the header.
    fn tail_len(&self) -> usize;
}

/// An owned allocation: one `H`, then `H::tail_len()` bytes. One word wide, never null.
pub struct Packed<H: Header> {
    start: NonNull<H>,
    owns: PhantomData<H>,
}

// SAFETY: a Packed owns its allocation exclusively; header and bytes have no thread affinity if `H` has none.
unsafe impl<H: Header + Send> Send for Packed<H> {}
// SAFETY: shared access only reads.
unsafe impl<H: Header + Sync> Sync for Packed<H> {}

impl<H: Header> Packed<H> {
    fn layout(tail: usize) -> Layout {
        let size = size_of::<H>().checked_add(tail).expect("allocation size overflows");
        Layout::from_size_align(size, align_of::<H>()).expect("allocation size overflows")
    }

    /// Allocates `header` followed by the concatenation of `parts`, whose total length must be `header.tail_len()`.
    pub fn new(header: H, parts: &[&[u8]]) -> Self {
        let tail = header.tail_len();
        assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), tail, "header disagrees with its bytes");
        let layout = Self::layout(tail);
        // SAFETY: the layout is not empty for a sized header; the writes below stay inside `size_of::<H>() + tail`.
        unsafe {
            let Some(start) = NonNull::new(alloc(layout).cast::<H>()) else { handle_alloc_error(layout) };
            start.write(header);
            let mut at = start.add(1).cast::<u8>();
            for part in parts {
                at.copy_from_nonoverlapping(NonNull::from(*part).cast(), part.len());
                at = at.add(part.len());
            }
            Packed { start, owns: PhantomData }
        }
    }

    /// The fixed part.
    #[inline]
    pub fn header(&self) -> &H {
        // SAFETY: `start` points at an initialised `H` that we own.
        unsafe { self.start.as_ref() }
    }

    /// The bytes behind the header.
    #[inline]
    pub fn tail(&self) -> &[u8] {
        // SAFETY: `tail_len` bytes were initialised behind the header by `new` or `resize`.
        unsafe { std::slice::from_raw_parts(self.start.add(1).cast::<u8>().as_ptr(), self.header().tail_len()) }
    }

    /// The bytes behind the header, to change in place.
    #[inline]
    pub fn tail_mut(&mut self) -> &mut [u8] {
        let len = self.header().tail_len();
        // SAFETY: as in `tail`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(1).cast::<u8>().as_ptr(), len) }
    }

    /// Replaces the header by one with the same `tail_len`.
    #[inline]
    pub fn set_header(&mut self, header: H) {
        assert_eq!(header.tail_len(), self.header().tail_len(), "the tail's length changes only by resize");
        // SAFETY: `start` points at our own `H`, which is `Copy` and so needs no drop.
        unsafe { self.start.write(header) }
    }

    /// Replaces the header by one with another `tail_len`; bytes that both lengths cover stay, new ones are zero.
    pub fn resize(&mut self, header: H) {
        let (old, new) = (self.header().tail_len(), header.tail_len());
        if old != new {
            let (before, after) = (Self::layout(old), Self::layout(new));
            // SAFETY: the block was allocated with `before`; `after` has the same alignment and a non-zero size.
            unsafe {
                let Some(start) = NonNull::new(realloc(self.start.as_ptr().cast(), before, after.size()).cast::<H>())
                else {
                    handle_alloc_error(after)
                };
                self.start = start;
                if new > old {
                    start.add(1).cast::<u8>().add(old).write_bytes(0, new - old);
                }
            }
        }
        // SAFETY: the block is ours and large enough for the header.
        unsafe { self.start.write(header) }
    }

    /// The address of the allocation, for prefetching and for telling two allocations apart.
    #[inline]
    pub fn address(&self) -> *const u8 {
        self.start.as_ptr().cast()
    }

    /// Bytes that the allocation asks for.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        size_of::<H>() + self.header().tail_len()
    }

    /// A second, borrowed handle on the same allocation.
    ///
    /// # Safety
    /// The alias must not be used after `self` is dropped or resized, nor while `self` is borrowed mutably.
    #[inline]
    pub unsafe fn alias(&self) -> PackedRef<H> {
        PackedRef { start: self.start }
    }
}

impl<H: Header> Drop for Packed<H> {
    fn drop(&mut self) {
        let layout = Self::layout(self.header().tail_len());
        // SAFETY: allocated by us with this very layout; header and bytes need no drop.
        unsafe { dealloc(self.start.as_ptr().cast(), layout) }
    }
}

/// A copyable handle on an allocation that a [`Packed`] owns; made only by [`Packed::alias`], whose contract makes
/// reading through it sound.
pub struct PackedRef<H: Header> {
    start: NonNull<H>,
}

impl<H: Header> Clone for PackedRef<H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Header> Copy for PackedRef<H> {}

// SAFETY: the owner's structure moves between threads as a whole, aliases included.
unsafe impl<H: Header + Send> Send for PackedRef<H> {}
// SAFETY: shared access only reads.
unsafe impl<H: Header + Sync> Sync for PackedRef<H> {}

impl<H: Header> PackedRef<H> {
    /// The fixed part.
    #[inline]
    pub fn header(&self) -> &H {
        // SAFETY: `alias` promises that the owner is alive and not being changed.
        unsafe { self.start.as_ref() }
    }

    /// The bytes behind the header.
    #[inline]
    pub fn tail(&self) -> &[u8] {
        // SAFETY: as in `header`; the owner keeps `tail_len` initialised bytes there.
        unsafe { std::slice::from_raw_parts(self.start.add(1).cast::<u8>().as_ptr(), self.header().tail_len()) }
    }

    /// The address of the allocation.
    #[inline]
    pub fn address(&self) -> *const u8 {
        self.start.as_ptr().cast()
    }
}

/// Asks the processor to bring the cache line of `address` closer; never faults, any address will do.
#[inline]
pub fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint and does not dereference.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Len(u32);

    // SAFETY: the length is what every call below passes.
    unsafe impl Header for Len {
        fn tail_len(&self) -> usize {
            self.0 as usize
        }
    }

    #[test]
    fn parts_are_joined_and_resizing_keeps_what_fits() {
        let mut packed = Packed::new(Len(5), &[b"he", b"llo"]);
        assert_eq!(packed.tail(), b"hello");
        packed.resize(Len(7));
        assert_eq!(packed.tail(), b"hello\0\0");
        packed.tail_mut()[5] = b'!';
        packed.resize(Len(6));
        assert_eq!(packed.tail(), b"hello!");
        packed.resize(Len(0));
        assert_eq!(packed.tail(), b"");
    }
}
