//! Lua 5.1 behind a safe interface: a state with a memory ceiling, and its stack as Rust functions see it.
//!
//! Lua reports errors by jumping over the frames that are in its way, which must not hold anything that Rust would drop. So
//! nothing that this module offers to Rust code jumps: tables are read and written without their metatables, calls are
//! protected, there are no finalizers that could run Lua code in between, and while Rust code runs an allocation is
//! refused only by the system. What went over the ceiling meanwhile is an error once the Rust function has returned. A Rust
//! function fails by leaving its error on the stack and returning [`Raised`]; the jump is made by [`enter`], behind the last
//! thing that was to be dropped.

use super::host::Host;
use mlua_sys as ffi;
use std::alloc::Layout;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::ptr::NonNull;

/// What a Rust function that Lua calls returns: how many results it has left on top of the stack.
pub(super) type Outcome = Result<c_int, Raised>;

/// A Rust function that Lua can call.
pub(super) type Function = fn(&mut Stack<'_>) -> Outcome;

/// The error is on top of the stack.
#[derive(Debug)]
pub(super) struct Raised(());

/// A value that is kept for later; it is given back by [`Stack::release`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ref(c_int);

/// What kind of value it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    None,
    Nil,
    Boolean,
    Light,
    Number,
    String,
    Table,
    Function,
    Other,
}

/// Where some function is at work.
pub(super) struct Place {
    /// As it was given when the code was loaded: `@user_script`.
    pub(super) source: Vec<u8>,
    pub(super) short_source: Vec<u8>,
    /// -1 in a function that is not Lua.
    pub(super) line: i32,
    pub(super) is_lua: bool,
}

/// Slots that a function finds free on its stack.
const ROOM: c_int = ffi::LUA_MINSTACK;
/// Instructions between two looks at whether the script should go on.
const INSTRUCTIONS: c_int = 100_000;

/// What every part of one Lua state can reach.
struct Shared {
    /// Bytes that Lua has allocated.
    memory: Cell<usize>,
    limit: Cell<usize>,
    /// Whether Rust code runs, for which no allocation may fail: how many of its functions are inside each other since Lua
    /// code last ran.
    in_rust: Cell<u32>,
    /// Whether code is asked on every line, since it was told to end.
    is_strict: Cell<bool>,
    main: Cell<*mut ffi::lua_State>,
    /// Marks the metatables of frozen tables: nothing in a script can have this as a key.
    frozen: u8,
    host: Host,
}

/// A Lua state.
pub(super) struct Lua {
    state: NonNull<ffi::lua_State>,
    shared: Box<Shared>,
}

// SAFETY: a state is not tied to the thread that made it, and it can only be used through `&mut Lua`, so by one at a time.
// What `Host` holds is `Send` by itself.
unsafe impl Send for Lua where Host: Send {}

impl Lua {
    /// A state without any library; `limit` bytes are the most that its code can allocate.
    pub(super) fn new(host: Host, limit: usize) -> Lua {
        let shared = Box::new(Shared {
            memory: Cell::new(0),
            limit: Cell::new(limit),
            in_rust: Cell::new(1),
            is_strict: Cell::new(false),
            main: Cell::new(std::ptr::null_mut()),
            frozen: 0,
            host,
        });
        // SAFETY: `allocate` is a Lua allocator, and its argument lives as long as the state does: `Lua` drops the box
        // behind it.
        let state = unsafe { ffi::lua_newstate(allocate, (&raw const *shared).cast_mut().cast()) };
        let Some(state) = NonNull::new(state) else {
            std::alloc::handle_alloc_error(Layout::new::<u64>());
        };
        shared.main.set(state.as_ptr());
        let mut lua = Lua { state, shared };
        lua.arm();
        lua
    }

    /// The main stack.
    pub(super) fn stack(&mut self) -> Stack<'_> {
        let mut stack = Stack { state: self.state.as_ptr(), shared: &self.shared, room: 0 };
        // The main stack is empty between two uses, so this cannot fail.
        let _ = stack.reserve(ROOM);
        stack
    }

    /// Bytes that Lua has allocated.
    pub(super) fn memory(&self) -> usize {
        self.shared.memory.get()
    }

    /// Sets the most bytes that Lua code can allocate.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.shared.limit.set(limit);
    }

    /// Forgets that code was told to end: what runs next is asked once in a while again.
    pub(super) fn calm(&mut self) {
        if self.shared.is_strict.get() {
            self.arm();
        }
    }

    /// Has the host asked once in a while whether running code may go on.
    fn arm(&mut self) {
        self.shared.is_strict.set(false);
        // SAFETY: the hook's only needs are a state of ours, which this is.
        unsafe { ffi::lua_sethook(self.state.as_ptr(), Some(interrupt), ffi::LUA_MASKCOUNT, INSTRUCTIONS) };
    }

    pub(super) fn host(&self) -> &Host {
        &self.shared.host
    }
}

impl Drop for Lua {
    fn drop(&mut self) {
        // SAFETY: made by `new`, closed once; the allocator's data is dropped behind this.
        unsafe { ffi::lua_close(self.state.as_ptr()) };
    }
}

/// Lua's allocator: Rust's, with a ceiling for Lua's own code.
///
/// # Safety
/// As Lua calls it: `data` points to a `Shared`, `block` is null or was returned by this function for `old` bytes.
unsafe extern "C" fn allocate(data: *mut c_void, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
    const ALIGN: usize = align_of::<f64>();
    // SAFETY: promised by the caller.
    let shared = unsafe { &*data.cast::<Shared>() };
    let memory = shared.memory.get();
    let may_fail = shared.in_rust.get() == 0;
    if new == 0 {
        if !block.is_null() {
            shared.memory.set(memory - old);
            // SAFETY: allocated below with this size and alignment.
            unsafe { std::alloc::dealloc(block.cast(), Layout::from_size_align_unchecked(old, ALIGN)) };
        }
        return std::ptr::null_mut();
    }
    let old = if block.is_null() { 0 } else { old };
    let after = memory - old + new;
    if may_fail && new > old {
        let limit = shared.limit.get();
        if after > limit {
            return std::ptr::null_mut();
        }
        if after > limit / 4 * 3 {
            // Near the ceiling garbage is not left to grow until it is worth collecting.
            // SAFETY: the collector's threshold is a number, which nothing relies on here.
            unsafe { ffi::lua_gc(shared.main.get(), ffi::LUA_GCRESTART, 0) };
        }
    }
    let Ok(layout) = Layout::from_size_align(new, ALIGN) else { return std::ptr::null_mut() };
    let allocated = if block.is_null() {
        // SAFETY: the size is not zero.
        unsafe { std::alloc::alloc(layout) }
    } else {
        // SAFETY: allocated by this function with the old size and this alignment; the new size is not zero.
        unsafe { std::alloc::realloc(block.cast(), Layout::from_size_align_unchecked(old, ALIGN), new) }
    };
    if allocated.is_null() {
        if !may_fail {
            std::alloc::handle_alloc_error(layout);
        }
        return std::ptr::null_mut();
    }
    shared.memory.set(after);
    allocated.cast()
}

/// What is shared by everything in a state.
///
/// # Safety
/// `state` must be alive and of a [`Lua`]; the result must not outlive it.
unsafe fn shared<'l>(state: *mut ffi::lua_State) -> &'l Shared {
    let mut data = std::ptr::null_mut();
    // SAFETY: promised by the caller; the allocator's data is what `Lua::new` made it.
    unsafe {
        ffi::lua_getallocf(state, &mut data);
        &*data.cast::<Shared>()
    }
}

/// How Lua enters every Rust function: the first upvalue is which.
///
/// # Safety
/// As Lua calls it, with an upvalue that [`Stack::push_closure`] has made.
unsafe extern "C-unwind" fn enter(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls with a live state of ours.
    let shared = unsafe { shared(state) };
    // SAFETY: the first upvalue is a `Function`, put there by `push_closure`.
    let function: Function =
        unsafe { std::mem::transmute(ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast_const()) };
    shared.in_rust.set(shared.in_rust.get() + 1);
    let outcome =
        std::panic::catch_unwind(AssertUnwindSafe(|| function(&mut Stack { state, shared, room: ROOM }).map_err(drop)));
    let outcome = outcome.unwrap_or_else(|panic| {
        // Whoever hears of it: a panic is a defect of ours, and the script is told as of any other error.
        drop(panic);
        let mut stack = Stack { state, shared, room: 1 };
        stack.set_top(0);
        stack.push_bytes(b"internal error");
        Err(())
    });
    shared.in_rust.set(shared.in_rust.get() - 1);
    match outcome {
        Ok(count) if shared.memory.get() <= shared.limit.get() || has_room(state, shared) => return count,
        Ok(_) => {
            // SAFETY: the text is one that every state holds, so nothing is allocated for it.
            unsafe {
                ffi::lua_settop(state, 0);
                ffi::lua_pushlstring_(state, OUT_OF_MEMORY.as_ptr().cast(), OUT_OF_MEMORY.len());
            }
        }
        Err(()) => {}
    }
    // SAFETY: the error is on the stack, and of this function's variables none wants to be dropped.
    unsafe { ffi::lua_error(state) }
}

/// Whether there is room below the ceiling once everything that nobody uses is gone.
#[cold]
fn has_room(state: *mut ffi::lua_State, shared: &Shared) -> bool {
    // SAFETY: collecting runs no Lua code, as there are no finalizers.
    unsafe { ffi::lua_gc(state, ffi::LUA_GCCOLLECT, 0) };
    shared.memory.get() <= shared.limit.get()
}

/// What is said when memory has run out.
pub(super) const OUT_OF_MEMORY: &[u8] = b"not enough memory";

/// Lua's hook: asks the host whether the code that runs may go on.
///
/// # Safety
/// As Lua calls it, for a state of a [`Lua`].
unsafe extern "C-unwind" fn interrupt(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls with a live state of ours.
    let shared = unsafe { shared(state) };
    // SAFETY: the hook's only needs are a state of ours, which this is.
    unsafe {
        if !shared.is_strict.get() && ffi::lua_gethookmask(state) & ffi::LUA_MASKLINE != 0 {
            // A coroutine that has outlived a script which was told to end.
            ffi::lua_sethook(state, Some(interrupt), ffi::LUA_MASKCOUNT, INSTRUCTIONS);
            return;
        }
    }
    shared.in_rust.set(shared.in_rust.get() + 1);
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| shared.host.interrupt()));
    let reason = outcome.unwrap_or_else(|panic| {
        drop(panic);
        Some(b"internal error")
    });
    if let Some(reason) = reason {
        shared.is_strict.set(true);
        // SAFETY: from here on every line asks again, in this thread and in the main one, so that code which catches the
        // error gets no further. A hook finds room on its stack, and no allocation fails while Rust code runs.
        unsafe {
            for state in [state, shared.main.get()] {
                ffi::lua_sethook(state, Some(interrupt), ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT, INSTRUCTIONS);
            }
            ffi::lua_pushlstring_(state, reason.as_ptr().cast(), reason.len());
        }
    }
    shared.in_rust.set(shared.in_rust.get() - 1);
    if reason.is_some() {
        // SAFETY: the error is on the stack, and nothing here wants to be dropped.
        unsafe { ffi::lua_error(state) }
    }
}

/// `next(table [, key])`, which sees through frozen tables. Lua's own, as it is on the way of every loop over a table.
///
/// # Safety
/// As Lua calls it, for a state of a [`Lua`].
unsafe extern "C-unwind" fn next(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing here wants to be dropped, so that `luaL_checktype` and `lua_next` may jump.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        ffi::lua_settop(state, 2);
        if push_source(state, 1) {
            ffi::lua_replace(state, 1);
        }
        if ffi::lua_next(state, 1) != 0 {
            return 2;
        }
        ffi::lua_pushnil(state);
        1
    }
}

/// A function of Lua's own that matches a pattern, its second argument, once that has been looked at: matching recurses as
/// deep as a pattern has parts that repeat or capture, and nothing in Lua 5.1 stops it before the stack is full.
///
/// # Safety
/// As Lua calls it, with the function and whether it is `find` as its upvalues, which [`Stack::bound_pattern`] sees to.
unsafe extern "C-unwind" fn match_bounded(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing here wants to be dropped, so that the functions may jump.
    unsafe {
        let is_plain = ffi::lua_toboolean(state, ffi::lua_upvalueindex(2)) != 0 && ffi::lua_toboolean(state, 4) != 0;
        if ffi::lua_type(state, 2) == ffi::LUA_TSTRING && !is_plain {
            let mut len = 0;
            let start = ffi::lua_tolstring(state, 2, &mut len);
            let pattern = std::slice::from_raw_parts(start.cast::<u8>(), len);
            if len > MOST_PARTS && pattern.iter().filter(|byte| b"*+-?()".contains(byte)).count() > MOST_PARTS {
                return ffi::luaL_error(state, c"pattern too complex".as_ptr());
            }
        }
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(function) => function(state),
            None => 0,
        }
    }
}

/// Parts of a pattern that repeat or capture; each takes a few hundred bytes of the stack.
const MOST_PARTS: usize = 1000;

/// Pushes what a frozen table at `index` shows, if it is one.
///
/// # Safety
/// There must be a value at `index`, and room for three more; the state must be of a [`Lua`].
unsafe fn push_source(state: *mut ffi::lua_State, index: c_int) -> bool {
    // SAFETY: promised by the caller.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TTABLE || ffi::lua_getmetatable(state, index) == 0 {
            return false;
        }
        ffi::lua_pushlightuserdata(state, (&raw const shared(state).frozen).cast_mut().cast());
        ffi::lua_rawget_(state, -2);
        ffi::lua_remove(state, -2);
        let is_frozen = ffi::lua_type(state, -1) == ffi::LUA_TTABLE;
        if !is_frozen {
            ffi::lua_settop(state, -2);
        }
        is_frozen
    }
}

/// A stack of Lua values, as a function sees it: the first argument has the index 1, the top -1.
///
/// Every method that pushes makes room for what it pushes. Indices must be of values that are there; a table is asked for
/// where one is meant, else it panics, which the script sees as an error.
pub(super) struct Stack<'l> {
    state: *mut ffi::lua_State,
    shared: &'l Shared,
    /// Free slots that Lua has promised.
    room: c_int,
}

impl<'l> Stack<'l> {
    /// What Rust functions share.
    #[inline]
    pub(super) fn host(&self) -> &'l Host {
        &self.shared.host
    }

    /// Index of the top value, which is the number of values.
    #[inline]
    pub(super) fn top(&self) -> c_int {
        // SAFETY: the state is alive as long as this is.
        unsafe { ffi::lua_gettop(self.state) }
    }

    /// Drops values from the top, or adds nils, until there are so many.
    pub(super) fn set_top(&mut self, top: c_int) {
        let grown = top - self.top();
        if grown > 0 {
            self.make_room(grown);
        }
        // SAFETY: there is room.
        unsafe { ffi::lua_settop(self.state, top) };
        self.room -= grown;
    }

    /// Drops so many values.
    #[inline]
    pub(super) fn pop(&mut self, count: c_int) {
        debug_assert!(count <= self.top());
        // SAFETY: there are so many.
        unsafe { ffi::lua_settop(self.state, -count - 1) };
        self.room += count;
    }

    /// Makes room for so many values more. The stack of one function has a limit, which deep nesting reaches; returns
    /// whether there was room.
    pub(super) fn has_room(&mut self, count: c_int) -> bool {
        if self.room >= count {
            return true;
        }
        // SAFETY: the stack grows, or the answer is no; the allocation does not fail while Rust code runs.
        if unsafe { ffi::lua_checkstack(self.state, count) } == 0 {
            return false;
        }
        self.room = count;
        true
    }

    /// Makes room for so many values more.
    ///
    /// # Errors
    /// There is none: the error is pushed.
    pub(super) fn reserve(&mut self, count: c_int) -> Result<(), Raised> {
        if self.has_room(count) { Ok(()) } else { Err(self.raise_plainly(b"stack overflow")) }
    }

    /// Makes room for what is pushed next; only what nests must reserve by itself.
    #[inline]
    fn make_room(&mut self, count: c_int) {
        if self.room < count {
            self.make_more_room(count);
        }
    }

    #[cold]
    fn make_more_room(&mut self, count: c_int) {
        assert!(self.has_room(count.max(ROOM)) || self.has_room(count), "a Lua stack is full");
    }

    #[inline]
    fn pushed(&mut self) {
        self.room -= 1;
    }

    /// What kind of value is there, if any.
    #[inline]
    pub(super) fn kind(&self, index: c_int) -> Kind {
        // SAFETY: an index beyond the top is that of no value.
        match unsafe { ffi::lua_type(self.state, index) } {
            ffi::LUA_TNONE => Kind::None,
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Kind::Light,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            _ => Kind::Other,
        }
    }

    /// Lua's name for the kind of a value.
    pub(super) fn kind_name(&self, index: c_int) -> &'static str {
        // SAFETY: the names are constants.
        let name = unsafe {
            let kind = ffi::lua_type(self.state, index);
            CStr::from_ptr(ffi::lua_typename(self.state, kind))
        };
        name.to_str().unwrap_or("?")
    }

    /// Whether the value is anything but nil and false.
    #[inline]
    pub(super) fn truth(&self, index: c_int) -> bool {
        // SAFETY: reads a value.
        unsafe { ffi::lua_toboolean(self.state, index) != 0 }
    }

    /// A number, if it is one and not a string that looks like one.
    #[inline]
    pub(super) fn number(&self, index: c_int) -> Option<f64> {
        // SAFETY: reads a number.
        (self.kind(index) == Kind::Number).then(|| unsafe { ffi::lua_tonumber(self.state, index) })
    }

    /// A number, or a string that Lua takes for one.
    pub(super) fn as_number(&self, index: c_int) -> Option<f64> {
        // SAFETY: reads a value; a string is not changed by this.
        unsafe { (ffi::lua_isnumber(self.state, index) != 0).then(|| ffi::lua_tonumber(self.state, index)) }
    }

    /// A string, if it is one.
    #[inline]
    pub(super) fn bytes(&self, index: c_int) -> Option<&[u8]> {
        if self.kind(index) != Kind::String {
            return None;
        }
        let mut len = 0;
        // SAFETY: of a string this returns where it lies. It stays there while the stack holds it, and what could take it
        // from the stack needs this stack for itself.
        unsafe {
            let start = ffi::lua_tolstring(self.state, index, &mut len);
            Some(std::slice::from_raw_parts(start.cast(), len))
        }
    }

    /// Has a number at `index` become the string that Lua would make of it; returns whether there is a string now.
    pub(super) fn make_string(&mut self, index: c_int) -> bool {
        match self.kind(index) {
            Kind::String => true,
            Kind::Number => {
                // SAFETY: changes a number on the stack, which is no key of a table that somebody walks over.
                unsafe { ffi::lua_tolstring(self.state, index, std::ptr::null_mut()) };
                true
            }
            _ => false,
        }
    }

    /// Length of a string or table.
    pub(super) fn len(&self, index: c_int) -> usize {
        // SAFETY: reads a value.
        unsafe { ffi::lua_objlen(self.state, index) }
    }

    pub(super) fn push_nil(&mut self) {
        self.make_room(1);
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnil(self.state) };
        self.pushed();
    }

    pub(super) fn push_bool(&mut self, value: bool) {
        self.make_room(1);
        // SAFETY: there is room.
        unsafe { ffi::lua_pushboolean(self.state, value.into()) };
        self.pushed();
    }

    #[inline]
    pub(super) fn push_number(&mut self, value: f64) {
        self.make_room(1);
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnumber(self.state, value) };
        self.pushed();
    }

    #[inline]
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        self.make_room(1);
        // SAFETY: there is room, and the bytes are copied.
        unsafe { ffi::lua_pushlstring_(self.state, bytes.as_ptr().cast(), bytes.len()) };
        self.pushed();
    }

    /// Pushes a part of a string.
    pub(super) fn push_part(&mut self, index: c_int, part: Range<usize>) {
        self.make_room(1);
        let part = &self.bytes(index).unwrap_or_default()[part];
        // SAFETY: there is room. The string stays where it is while the stack holds it.
        unsafe { ffi::lua_pushlstring_(self.state, part.as_ptr().cast(), part.len()) };
        self.pushed();
    }

    /// Pushes the light value that is no address.
    pub(super) fn push_null(&mut self) {
        self.make_room(1);
        // SAFETY: there is room.
        unsafe { ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut()) };
        self.pushed();
    }

    /// Pushes a value once more.
    pub(super) fn push_copy(&mut self, index: c_int) {
        self.make_room(1);
        // SAFETY: there is room.
        unsafe { ffi::lua_pushvalue(self.state, index) };
        self.pushed();
    }

    /// Pushes a Rust function.
    pub(super) fn push_function(&mut self, function: Function) {
        self.push_closure(function, 0);
    }

    /// Pushes a Rust function that keeps the `values` on top of the stack, which are taken: [`Stack::push_kept`].
    pub(super) fn push_closure(&mut self, function: Function, values: c_int) {
        self.make_room(1);
        // SAFETY: there is room; `enter` finds the function where this puts it.
        unsafe {
            ffi::lua_pushlightuserdata(self.state, function as *mut c_void);
            ffi::lua_insert(self.state, -values - 1);
            ffi::lua_pushcclosure(self.state, enter, values + 1);
        }
        self.room += values - 1;
    }

    /// Pushes the value that the running function keeps as its `number`-th, from 0.
    pub(super) fn push_kept(&mut self, number: c_int) {
        self.push_copy(ffi::lua_upvalueindex(number + 2));
    }

    /// Pushes `next`, which sees through frozen tables.
    pub(super) fn push_next(&mut self) {
        self.make_room(1);
        // SAFETY: there is room, and `next` is a function for Lua.
        unsafe { ffi::lua_pushcclosure(self.state, next, 0) };
        self.pushed();
    }

    /// Puts a function of Lua's own that matches patterns, which is on top, behind a look at its pattern; `find` takes a
    /// text instead if its fourth argument says so.
    pub(super) fn bound_pattern(&mut self, is_find: bool) {
        assert_eq!(self.kind(-1), Kind::Function, "a function is meant");
        self.push_bool(is_find);
        // SAFETY: takes both and pushes a function for Lua, which finds them.
        unsafe { ffi::lua_pushcclosure(self.state, match_bounded, 2) };
        self.room += 1;
    }

    /// Moves the top value to `index`, and what was there and above up by one.
    pub(super) fn insert(&mut self, index: c_int) {
        // SAFETY: moves values.
        unsafe { ffi::lua_insert(self.state, index) };
    }

    /// Takes the value at `index` out.
    pub(super) fn remove(&mut self, index: c_int) {
        // SAFETY: moves values.
        unsafe { ffi::lua_remove(self.state, index) };
        self.room += 1;
    }

    /// Moves the top value to `index`, in the place of what was there.
    pub(super) fn replace(&mut self, index: c_int) {
        // SAFETY: moves values.
        unsafe { ffi::lua_replace(self.state, index) };
        self.room += 1;
    }

    /// Pushes an empty table with room for so many elements and fields.
    pub(super) fn push_table(&mut self, elements: usize, fields: usize) {
        self.make_room(1);
        let most = |count: usize| c_int::try_from(count).unwrap_or(c_int::MAX >> 4);
        // SAFETY: there is room.
        unsafe { ffi::lua_createtable(self.state, most(elements), most(fields)) };
        self.pushed();
    }

    /// Pushes a table of Rust functions.
    pub(super) fn push_library(&mut self, functions: &[(&[u8], Function)]) {
        self.push_table(0, functions.len());
        for (name, function) in functions {
            self.push_function(*function);
            self.set_field(-2, name);
        }
    }

    #[inline]
    fn assert_table(&self, index: c_int) {
        assert_eq!(self.kind(index), Kind::Table, "a table is meant");
    }

    /// Pushes element `number` of a table.
    pub(super) fn push_element(&mut self, table: c_int, number: c_int) {
        self.assert_table(table);
        self.make_room(1);
        // SAFETY: a table, and there is room.
        unsafe { ffi::lua_rawgeti_(self.state, table, number) };
        self.pushed();
    }

    /// Takes the top value and makes it element `number` of a table.
    #[inline]
    pub(super) fn set_element(&mut self, table: c_int, number: c_int) {
        self.assert_table(table);
        // SAFETY: a table.
        unsafe { ffi::lua_rawseti_(self.state, table, number) };
        self.room += 1;
    }

    /// Pushes a field of a table.
    pub(super) fn push_field(&mut self, table: c_int, name: &[u8]) {
        self.assert_table(table);
        self.push_copy(table);
        self.push_bytes(name);
        // SAFETY: a table.
        unsafe { ffi::lua_rawget_(self.state, -2) };
        self.remove(-2);
    }

    /// Takes the top value and makes it a field of a table.
    pub(super) fn set_field(&mut self, table: c_int, name: &[u8]) {
        self.assert_table(table);
        self.push_copy(table);
        self.push_bytes(name);
        self.push_copy(-3);
        // SAFETY: a table.
        unsafe { ffi::lua_rawset(self.state, -3) };
        self.room += 2;
        self.pop(2);
    }

    /// Puts what a table has for the top value in its place.
    pub(super) fn get(&mut self, table: c_int) {
        self.assert_table(table);
        // SAFETY: a table.
        unsafe { ffi::lua_rawget_(self.state, table) };
    }

    /// Takes a key and, on top of it, a value, and puts them into a table.
    ///
    /// # Errors
    /// A key that no table takes: nil or not a number.
    pub(super) fn set(&mut self, table: c_int) -> Result<(), Raised> {
        self.assert_table(table);
        if self.kind(-2) == Kind::Nil {
            return Err(self.raise_plainly(b"table index is nil"));
        }
        if self.number(-2).is_some_and(f64::is_nan) {
            return Err(self.raise_plainly(b"table index is NaN"));
        }
        // SAFETY: a table, and a key that it takes.
        unsafe { ffi::lua_rawset(self.state, table) };
        self.room += 2;
        Ok(())
    }

    /// Takes a key, first nil, and pushes the next one of a table and what it has there; pushes nothing at the end. The
    /// table must not get new keys meanwhile.
    pub(super) fn next(&mut self, table: c_int) -> bool {
        self.assert_table(table);
        self.make_room(1);
        // SAFETY: a table, and a key that it has.
        let is_there = unsafe { ffi::lua_next(self.state, table) } != 0;
        self.room += if is_there { -1 } else { 1 };
        is_there
    }

    /// Pushes the metatable of a value, if it has one.
    pub(super) fn push_metatable(&mut self, index: c_int) -> bool {
        self.make_room(1);
        // SAFETY: there is room.
        let has_one = unsafe { ffi::lua_getmetatable(self.state, index) } != 0;
        if has_one {
            self.pushed();
        }
        has_one
    }

    /// Takes a table or nil and makes it the metatable of a value.
    pub(super) fn set_metatable(&mut self, index: c_int) {
        // SAFETY: what is on top is one of both; anything else would be taken for a table.
        assert!(matches!(self.kind(-1), Kind::Table | Kind::Nil), "a metatable is meant");
        // SAFETY: see above.
        unsafe { ffi::lua_setmetatable(self.state, index) };
        self.room += 1;
    }

    /// Takes a table, in which code finds its globals from now on: that of the function at `index`, or what is loaded later.
    pub(super) fn set_globals(&mut self, function: Option<c_int>) {
        self.assert_table(-1);
        // SAFETY: a table on top, and a function where one is meant.
        unsafe {
            match function {
                Some(index) => drop(ffi::lua_setfenv(self.state, index)),
                None => ffi::lua_replace(self.state, ffi::LUA_GLOBALSINDEX),
            }
        }
        self.room += 1;
    }

    /// Pushes the table in which the Lua code that has called the running function finds its globals. Functions of C and
    /// Rust in between do not count: they were made before the globals were frozen.
    pub(super) fn push_callers_globals(&mut self) {
        let mut level = 1;
        while self.place(level).is_some_and(|place| !place.is_lua) {
            level += 1;
        }
        if self.place(level).is_none() {
            return self.push_globals();
        }
        self.make_room(2);
        // SAFETY: all fields of `lua_Debug` are numbers, pointers and characters.
        let mut debug: ffi::lua_Debug = unsafe { std::mem::zeroed() };
        // SAFETY: there is room, and the level is there; what is pushed is its function, and then the globals take its place.
        unsafe {
            ffi::lua_getstack(self.state, level, &mut debug);
            ffi::lua_getinfo(self.state, c"f".as_ptr(), &mut debug);
            ffi::lua_getfenv(self.state, -1);
            ffi::lua_remove(self.state, -2);
        }
        self.pushed();
    }

    /// Pushes the table in which code that is loaded finds its globals.
    pub(super) fn push_globals(&mut self) {
        self.push_copy(ffi::LUA_GLOBALSINDEX);
    }

    /// Takes a table and pushes one that shows it and cannot be written to.
    pub(super) fn freeze(&mut self) {
        self.assert_table(-1);
        self.push_table(0, 0);
        self.push_table(0, 3);
        self.push_copy(-3);
        self.set_field(-2, b"__index");
        self.push_function(refuse_change);
        self.set_field(-2, b"__newindex");
        self.make_room(2);
        // SAFETY: a metatable is on top; the key is where `push_source` looks.
        unsafe {
            ffi::lua_pushlightuserdata(self.state, (&raw const self.shared.frozen).cast_mut().cast());
            ffi::lua_pushvalue(self.state, -4);
            ffi::lua_rawset(self.state, -3);
        }
        self.set_metatable(-2);
        self.remove(-2);
    }

    /// Pushes what a frozen table shows, if it is one.
    pub(super) fn push_source(&mut self, index: c_int) -> bool {
        self.make_room(3);
        // SAFETY: there is room.
        let is_frozen = unsafe { push_source(self.state, index) };
        if is_frozen {
            self.pushed();
        }
        is_frozen
    }

    /// Has a frozen table show another one, which is taken from the top.
    pub(super) fn refreeze(&mut self, index: c_int) {
        self.assert_table(-1);
        assert!(self.push_metatable(index), "a frozen table is meant");
        self.insert(-2);
        self.set_field(-2, b"__index");
        self.pop(1);
    }

    /// Keeps the top value, which is taken, for later.
    pub(super) fn keep(&mut self) -> Ref {
        // SAFETY: the registry is a table of Lua's own.
        let number = unsafe { ffi::luaL_ref(self.state, ffi::LUA_REGISTRYINDEX) };
        self.room += 1;
        Ref(number)
    }

    /// Pushes a value that was kept.
    #[inline]
    pub(super) fn push_ref(&mut self, kept: &Ref) {
        self.make_room(1);
        // SAFETY: there is room, and the registry is a table.
        unsafe { ffi::lua_rawgeti_(self.state, ffi::LUA_REGISTRYINDEX, kept.0) };
        self.pushed();
    }

    /// Frees everything that nothing refers to.
    pub(super) fn collect(&mut self) {
        // SAFETY: collecting runs no Lua code, as there are no finalizers.
        unsafe { ffi::lua_gc(self.state, ffi::LUA_GCCOLLECT, 0) };
    }

    /// Has the collector go on for a while; returns whether it has finished a cycle.
    pub(super) fn collect_some(&mut self, size: c_int) -> bool {
        // SAFETY: as in `collect`.
        unsafe { ffi::lua_gc(self.state, ffi::LUA_GCSTEP, size) != 0 }
    }

    /// Bytes that are allocated.
    pub(super) fn memory(&self) -> usize {
        self.shared.memory.get()
    }

    /// Forgets a value that was kept.
    pub(super) fn release(&mut self, kept: Ref) {
        // SAFETY: the number is given back once, as a `Ref` cannot be copied.
        unsafe { ffi::luaL_unref(self.state, ffi::LUA_REGISTRYINDEX, kept.0) };
    }

    /// Compiles source code and pushes it as a function, or else what is wrong with it. Compiled code is never taken: it
    /// could do anything.
    pub(super) fn load(&mut self, code: &[u8], name: &CStr) -> bool {
        self.make_room(2);
        // SAFETY: there is room.
        unsafe { ffi::lua_pushlstring_(self.state, name.as_ptr(), name.count_bytes()) };
        let mut left = code;
        if code.first() == Some(&ffi::LUA_SIGNATURE[0]) {
            // As if the first byte were any other that begins nothing.
            left = b"\x01";
        }
        let in_rust = self.shared.in_rust.replace(0);
        // SAFETY: the reader hands out the code once, and what the compiler throws is caught in here. The name is on the
        // stack, as the compiler does not keep it alive by itself.
        let status = unsafe { ffi::lua_load(self.state, read, (&raw mut left).cast(), name.as_ptr()) };
        self.shared.in_rust.set(in_rust);
        self.remove(-2);
        self.room -= 1;
        self.pushed();
        status == ffi::LUA_OK
    }

    /// Calls a function, below which lie the arguments, and leaves `results` of its results, or all of them.
    ///
    /// # Errors
    /// The error has taken the place of everything; `handler` has seen it first.
    pub(super) fn call(&mut self, args: c_int, results: Option<c_int>, handler: Option<c_int>) -> Result<(), Raised> {
        let function = self.top() - args;
        let in_rust = self.shared.in_rust.replace(0);
        // SAFETY: a function and its arguments are on the stack; what is thrown is caught.
        let status =
            unsafe { ffi::lua_pcall(self.state, args, results.unwrap_or(ffi::LUA_MULTRET), handler.unwrap_or(0)) };
        self.shared.in_rust.set(in_rust);
        self.room += function - 1 - self.top();
        self.room = self.room.max(0);
        if status == ffi::LUA_OK { Ok(()) } else { Err(Raised(())) }
    }

    /// Has one of Lua's own libraries put its functions into the globals.
    pub(super) fn open(&mut self, library: Library) {
        let (open, name) = match library {
            Library::Base => (ffi::luaopen_base as ffi::lua_CFunction, c""),
            Library::Table => (ffi::luaopen_table as ffi::lua_CFunction, c"table"),
            Library::String => (ffi::luaopen_string as ffi::lua_CFunction, c"string"),
            Library::Math => (ffi::luaopen_math as ffi::lua_CFunction, c"math"),
        };
        self.make_room(2);
        // SAFETY: there is room; it is called as Lua calls such a function, and what it throws is caught.
        unsafe {
            ffi::lua_pushcclosure(self.state, open, 0);
            ffi::lua_pushstring_(self.state, name.as_ptr());
            ffi::lua_pcall(self.state, 1, 0, 0);
        }
    }

    /// What is at work at this level: 0 is the running function, 1 who called it.
    pub(super) fn place(&self, level: c_int) -> Option<Place> {
        // SAFETY: all fields of `lua_Debug` are numbers, pointers and characters.
        let mut debug: ffi::lua_Debug = unsafe { std::mem::zeroed() };
        // SAFETY: asks for what does not push anything; the texts live as long as the function, which is at work.
        unsafe {
            if ffi::lua_getstack(self.state, level, &mut debug) == 0
                || ffi::lua_getinfo(self.state, c"Sl".as_ptr(), &mut debug) == 0
            {
                return None;
            }
            Some(Place {
                source: CStr::from_ptr(debug.source).to_bytes().to_vec(),
                short_source: CStr::from_ptr(debug.short_src.as_ptr()).to_bytes().to_vec(),
                line: debug.currentline,
                is_lua: CStr::from_ptr(debug.what) != c"C",
            })
        }
    }

    /// By which name the running function was called, and whether as a method.
    fn own_name(&self) -> (Vec<u8>, bool) {
        // SAFETY: as in `place`.
        let mut debug: ffi::lua_Debug = unsafe { std::mem::zeroed() };
        // SAFETY: as in `place`.
        unsafe {
            if ffi::lua_getstack(self.state, 0, &mut debug) == 0
                || ffi::lua_getinfo(self.state, c"n".as_ptr(), &mut debug) == 0
                || debug.name.is_null()
            {
                return (b"?".to_vec(), false);
            }
            (CStr::from_ptr(debug.name).to_bytes().to_vec(), CStr::from_ptr(debug.namewhat) == c"method")
        }
    }

    /// Pushes a text behind the place that is at work at `level`.
    pub(super) fn push_error(&mut self, level: c_int, text: &[u8]) {
        let place = self.place(level).filter(|place| place.line > 0);
        match place {
            Some(place) => {
                let line = place.line.to_string();
                self.push_bytes(&[&place.short_source, b":".as_slice(), line.as_bytes(), b": ", text].concat());
            }
            None => self.push_bytes(text),
        }
    }

    /// An error of the running function, which says where it was called.
    pub(super) fn raise(&mut self, text: &[u8]) -> Raised {
        self.make_room_for_error();
        self.push_error(1, text);
        Raised(())
    }

    /// An error that does not say where.
    pub(super) fn raise_plainly(&mut self, text: &[u8]) -> Raised {
        self.make_room_for_error();
        self.push_bytes(text);
        Raised(())
    }

    /// Of a function whose stack is full nothing but the error is needed any more.
    fn make_room_for_error(&mut self) {
        if !self.has_room(1) {
            self.set_top(0);
        }
    }

    /// An error that is the value on top.
    pub(super) fn raise_top(&mut self) -> Raised {
        Raised(())
    }

    /// Bytes that Lua code could still allocate. No allocation fails while Rust code runs, so what may grow far beyond
    /// what it is made from must look here.
    #[inline]
    pub(super) fn spare(&self) -> usize {
        self.shared.limit.get().saturating_sub(self.shared.memory.get())
    }

    /// Counts steps of a function that may take long; once in a while the host is asked whether it may go on, as it is for
    /// Lua code.
    ///
    /// # Errors
    /// It must end.
    #[inline]
    pub(super) fn step(&mut self, cost: u32) -> Result<(), Raised> {
        match self.host().step(cost) {
            Some(reason) => Err(self.raise_plainly(reason)),
            None => Ok(()),
        }
    }

    /// An error of what would take more memory than there is for Lua code. What the function has made so far is freed, so
    /// that whoever catches the error can go on.
    pub(super) fn raise_out_of_memory(&mut self) -> Raised {
        self.set_top(0);
        self.collect();
        self.raise_plainly(OUT_OF_MEMORY)
    }

    /// An argument that is not what it should be, as Lua's own functions say it.
    pub(super) fn bad_argument(&mut self, number: c_int, why: impl AsRef<[u8]>) -> Raised {
        let (name, is_method) = self.own_name();
        let text = match number - c_int::from(is_method) {
            0 if is_method => [b"calling '", &name[..], b"' on bad self (", why.as_ref(), b")"].concat(),
            number => {
                let number = number.to_string();
                [b"bad argument #", number.as_bytes(), b" to '", &name, b"' (", why.as_ref(), b")"].concat()
            }
        };
        self.raise(&text)
    }

    /// An argument that is of another kind than `expected`.
    pub(super) fn wrong_kind(&mut self, number: c_int, expected: &str) -> Raised {
        let got = if self.kind(number) == Kind::None { "no value" } else { self.kind_name(number) };
        self.bad_argument(number, format!("{expected} expected, got {got}"))
    }
}

/// One of Lua's own libraries.
#[derive(Clone, Copy)]
pub(super) enum Library {
    Base,
    Table,
    String,
    Math,
}

/// What an assignment to a frozen table calls.
pub(super) fn refuse_change(stack: &mut Stack<'_>) -> Outcome {
    Err(stack.raise(FROZEN.as_bytes()))
}

/// What is said of a change of a frozen table.
pub(super) const FROZEN: &str = "Attempt to modify a readonly table";

/// Hands the compiler its code, all at once.
///
/// # Safety
/// As Lua calls it: `left` is the slice that `Stack::load` has lent.
unsafe extern "C-unwind" fn read(_: *mut ffi::lua_State, left: *mut c_void, size: *mut usize) -> *const c_char {
    // SAFETY: promised by the caller.
    let (left, size) = unsafe { (&mut *left.cast::<&[u8]>(), &mut *size) };
    let code = std::mem::take(left);
    *size = code.len();
    code.as_ptr().cast()
}
