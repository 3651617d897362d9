//! One Lua state as a server uses it: its globals, compiled scripts and the functions of libraries.

use super::api::{self, Audience};
use super::functions::{Draft, Registered};
use super::host::{Caller, Host};
use super::lua::{Kind, Lua, OUT_OF_MEMORY, Outcome, Place, Ref, Stack};
use super::replies::{self, field};
use super::{base, bit, cjson, cmsgpack, structs};
use resplite_resp::reply::{Protocol, Reply};
use resplite_resp::request::Args;
use std::ffi::CStr;

/// A Lua state with everything that scripts can use.
pub(super) struct Interpreter {
    lua: Lua,
    /// Makes a table of every error that ends a script, and notes where it was.
    handler: Ref,
    /// The globals of scripts, as they can be written to.
    globals: Ref,
    /// The globals of libraries as their code has them, and what they show while a library is loaded and while a function
    /// runs.
    library_view: Ref,
    while_loading: Ref,
    while_running: Ref,
    /// Memory after which everything that nobody uses is freed behind a script.
    collect_at: usize,
    limit: usize,
}

/// How a script ended that did not end well.
#[derive(Debug)]
pub(super) struct Failure {
    /// Its code first.
    pub(super) text: Vec<u8>,
    /// Where: the source's name and the line.
    pub(super) place: Option<(Vec<u8>, i64)>,
    /// A command has failed and was counted then.
    pub(super) is_counted: bool,
    /// Lua itself had to give up.
    pub(super) is_fatal: bool,
}

impl Failure {
    fn of_memory() -> Self {
        Failure { text: OUT_OF_MEMORY.to_vec(), place: None, is_counted: false, is_fatal: true }
    }
}

/// Bytes of arguments that may stay behind a script until the next one.
const LEFT_BEHIND: usize = 64 * 1024;

/// Memory that stays uncollected behind a script whatever it was before.
const LEFT_ALONE: usize = 16 << 20;

impl Interpreter {
    /// A new state; `seed` is where `math.random` begins.
    pub(super) fn new(seed: u64, limit: usize) -> Self {
        let mut lua = Lua::new(Host::new(seed & ((1 << 48) - 1)), limit);
        let mut stack = lua.stack();
        base::install(&mut stack);
        stack.push_globals();
        let globals = stack.top();
        for (name, push) in [
            (b"bit".as_slice(), bit::push as fn(&mut Stack<'_>)),
            (b"cjson", cjson::push),
            (b"cmsgpack", cmsgpack::push),
            (b"struct", structs::push),
        ] {
            push(&mut stack);
            stack.set_field(globals, name);
        }
        for name in
            [b"string".as_slice(), b"table", b"math", b"os", b"coroutine", b"bit", b"cjson", b"cmsgpack", b"struct"]
        {
            stack.push_field(globals, name);
            stack.freeze();
            stack.set_field(globals, name);
        }
        // The methods of strings are those that the table `string` shows.
        stack.push_bytes(b"");
        if stack.push_metatable(-1) {
            stack.push_field(globals, b"string");
            stack.set_field(-2, b"__index");
            stack.pop(1);
        }
        stack.pop(1);

        // Libraries have globals of their own, with another table `redis`.
        push_copy_of(&mut stack, globals);
        api::push(&mut stack, Audience::Functions);
        stack.freeze();
        stack.set_field(-2, b"redis");
        push_view(&mut stack);
        stack.push_copy(-1);
        stack.set_field(-3, b"_G");
        let library_view = stack.keep();
        let while_running = stack.keep();
        stack.push_table(0, 1);
        api::push(&mut stack, Audience::Libraries);
        refuse_unknown(&mut stack);
        stack.freeze();
        stack.set_field(-2, b"redis");
        refuse_unknown(&mut stack);
        let while_loading = stack.keep();

        api::push(&mut stack, Audience::Scripts);
        stack.freeze();
        stack.set_field(globals, b"redis");
        push_view(&mut stack);
        stack.push_copy(-1);
        stack.set_field(globals, b"_G");
        stack.set_globals(None);
        let globals = stack.keep();
        stack.push_function(handle_error);
        let handler = stack.keep();
        debug_assert_eq!(stack.top(), 0);
        let collect_at = next_collection(lua.memory(), limit);
        Interpreter { lua, handler, globals, library_view, while_loading, while_running, collect_at, limit }
    }

    /// Bytes that the state takes.
    pub(super) fn memory(&self) -> usize {
        self.lua.memory()
    }

    /// Sets the most bytes that scripts can allocate.
    pub(super) fn set_limit(&mut self, limit: usize) {
        if self.limit != limit {
            self.limit = limit;
            self.lua.set_limit(limit);
            self.collect_at = next_collection(self.lua.memory(), limit);
        }
    }

    /// Compiles a script.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn compile(&mut self, code: &[u8]) -> Result<Ref, Vec<u8>> {
        self.load(code, c"@user_script")
    }

    fn load(&mut self, code: &[u8], name: &CStr) -> Result<Ref, Vec<u8>> {
        let mut stack = self.lua.stack();
        let mut is_loaded = stack.load(code, name);
        if !is_loaded && stack.bytes(-1) == Some(OUT_OF_MEMORY) {
            // There may be garbage, which Lua does not look for before it gives up.
            stack.pop(1);
            stack.collect();
            is_loaded = stack.load(code, name);
        }
        if is_loaded {
            return Ok(stack.keep());
        }
        let text = stack.bytes(-1).unwrap_or_default().to_vec();
        stack.pop(1);
        Err(text)
    }

    /// Forgets what was compiled.
    pub(super) fn release(&mut self, function: Ref) {
        self.lua.stack().release(function);
    }

    /// Runs a script and writes what it returns; an error that it returns is written as well.
    ///
    /// # Errors
    /// The script ended before it returned.
    pub(super) fn run_script(
        &mut self,
        function: &Ref,
        keys: Args<'_>,
        argv: Args<'_>,
        caller: &mut dyn Caller,
        out: &mut Reply,
    ) -> Result<Option<replies::ReturnedError>, Failure> {
        self.set_arguments(keys, argv);
        let mut stack = self.lua.stack();
        stack.push_ref(&self.handler);
        stack.push_ref(function);
        let result = self.finish(0, caller, out);
        if keys.byte_len() + argv.byte_len() > LEFT_BEHIND {
            // They would lie there until the next script comes.
            self.set_arguments(Args::default(), Args::default());
        }
        result
    }

    /// Puts a script's arguments where it finds them.
    fn set_arguments(&mut self, keys: Args<'_>, argv: Args<'_>) {
        let mut stack = self.lua.stack();
        stack.push_ref(&self.globals);
        push_strings(&mut stack, keys);
        stack.set_field(-2, b"KEYS");
        push_strings(&mut stack, argv);
        stack.set_field(-2, b"ARGV");
        stack.pop(1);
    }

    /// Runs a function of a library, as [`Interpreter::run_script`] runs a script.
    ///
    /// # Errors
    /// The function ended before it returned.
    pub(super) fn run_function(
        &mut self,
        function: &Registered,
        keys: Args<'_>,
        argv: Args<'_>,
        caller: &mut dyn Caller,
        out: &mut Reply,
    ) -> Result<Option<replies::ReturnedError>, Failure> {
        let mut stack = self.lua.stack();
        stack.push_ref(&self.handler);
        stack.push_ref(&function.callback);
        push_strings(&mut stack, keys);
        push_strings(&mut stack, argv);
        self.finish(2, caller, out)
    }

    /// Calls what lies above the handler, which is all that is on the stack.
    fn finish(
        &mut self,
        args: i32,
        caller: &mut dyn Caller,
        out: &mut Reply,
    ) -> Result<Option<replies::ReturnedError>, Failure> {
        self.lua.host().protocol.set(Protocol::Resp2);
        let mut stack = self.lua.stack();
        if stack.spare() == 0 {
            // The arguments alone are too large, or there is garbage.
            stack.collect();
        }
        let host = stack.host();
        let (is_full, most) = (stack.spare() == 0, self.limit);
        let result = host.lend(caller, || {
            if is_full {
                return Err(Failure::of_memory());
            }
            match stack.call(args, Some(1), Some(1)) {
                Ok(()) => replies::write_value(&mut stack, out, host.protocol.get(), most)
                    .map_err(|_| take_failure(&mut stack)),
                Err(_) => Err(take_failure(&mut stack)),
            }
        });
        self.lua.stack().set_top(0);
        self.tidy();
        result
    }

    /// Loads a library: runs its code, which registers functions.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn load_library(&mut self, code: &[u8], caller: &mut dyn Caller) -> Result<Vec<Registered>, Vec<u8>> {
        let function =
            self.load(code, c"@user_function").map_err(|text| [b"Error compiling function: ", &text[..]].concat())?;
        let mut stack = self.lua.stack();
        stack.push_ref(&self.library_view);
        stack.push_ref(&self.while_loading);
        stack.refreeze(1);
        stack.pop(1);
        stack.push_ref(&self.handler);
        stack.push_ref(&function);
        stack.push_ref(&self.library_view);
        stack.set_globals(Some(2));
        let host = stack.host();
        *host.draft.borrow_mut() = Some(Draft::default());
        let done = host.lend(caller, || stack.call(0, Some(0), Some(1))).map_err(|_| take_failure(&mut stack));
        let functions = host.draft.take().map(|draft| draft.functions).unwrap_or_default();
        stack.set_top(0);
        stack.release(function);
        stack.push_ref(&self.library_view);
        stack.push_ref(&self.while_running);
        stack.refreeze(1);
        stack.set_top(0);
        self.tidy();
        match done {
            Ok(()) if functions.is_empty() => Err(b"No functions registered".to_vec()),
            Ok(()) => Ok(functions),
            Err(failure) => {
                functions.into_iter().for_each(|function| self.release(function.callback));
                Err([b"Error registering functions: ", &failure.text[..]].concat())
            }
        }
    }

    /// What is left to do behind code that has run.
    fn tidy(&mut self) {
        self.lua.calm();
        if self.lua.memory() > self.collect_at {
            self.lua.stack().collect();
            self.collect_at = next_collection(self.lua.memory(), self.limit);
        }
    }
}

/// Memory at which the next script leaves enough behind to be collected at once, so that the one after it begins far from
/// the ceiling.
fn next_collection(memory: usize, limit: usize) -> usize {
    (memory * 2 + LEFT_ALONE).min(limit / 2).max(memory + memory / 4)
}

/// Pushes a table of strings.
fn push_strings(stack: &mut Stack<'_>, strings: Args<'_>) {
    stack.push_table(strings.len(), 0);
    for (number, string) in (1..).zip(strings.iter()) {
        stack.push_bytes(string);
        stack.set_element(-2, number);
    }
}

/// Pushes a table with the fields of another one.
fn push_copy_of(stack: &mut Stack<'_>, table: i32) {
    stack.push_table(0, 40);
    let copy = stack.top();
    stack.push_nil();
    while stack.next(table) {
        stack.push_copy(-2);
        stack.insert(-2);
        // A key that comes from a table fits into another one.
        let _ = stack.set(copy);
    }
}

/// Has a table of globals, which is on top, refuse names that it does not have, and pushes the frozen view of it that code
/// gets.
fn push_view(stack: &mut Stack<'_>) {
    refuse_unknown(stack);
    stack.push_copy(-1);
    stack.freeze();
}

/// Has the table on top refuse to be asked for what it does not have.
fn refuse_unknown(stack: &mut Stack<'_>) {
    stack.push_table(0, 1);
    stack.push_function(|stack| {
        let name = if stack.make_string(2) { stack.bytes(2).unwrap_or_default() } else { b"(null)" };
        let text = [b"Script attempted to access nonexistent global variable '", name, b"'"].concat();
        Err(stack.raise(&text))
    });
    stack.set_field(-2, b"__index");
    stack.set_metatable(-2);
}

/// Lua calls this with every error that nobody catches, while what failed is still at work.
fn handle_error(stack: &mut Stack<'_>) -> Outcome {
    let place = stack.place(1).filter(|place| place.is_lua).or_else(|| stack.place(2));
    stack.set_top(1);
    if stack.kind(1) == Kind::Table && stack.push_source(1) {
        // What everybody shares is no place for what has happened to one.
        stack.push_table(0, 3);
        stack.push_bytes(b"ERR unknown error");
        stack.set_field(-2, b"err");
        stack.replace(1);
        stack.set_top(1);
    }
    if stack.kind(1) != Kind::Table {
        let text = if stack.make_string(1) {
            stack.bytes(1).unwrap_or_default().to_vec()
        } else {
            describe(stack).into_bytes()
        };
        stack.push_table(0, 3);
        stack.push_bytes(&[b"ERR ", &text[..]].concat());
        stack.set_field(-2, b"err");
    }
    if let Some(Place { source, line, .. }) = place {
        stack.push_bytes(&source);
        stack.set_field(-2, b"source");
        stack.push_number(line.into());
        stack.set_field(-2, b"line");
    }
    Ok(1)
}

/// A value without a text of its own.
fn describe(stack: &Stack<'_>) -> String {
    match stack.kind(1) {
        Kind::Boolean => stack.truth(1).to_string(),
        _ => stack.kind_name(1).to_owned(),
    }
}

/// Takes the error on top.
fn take_failure(stack: &mut Stack<'_>) -> Failure {
    if stack.kind(-1) != Kind::Table {
        let text = if stack.make_string(-1) { stack.bytes(-1).unwrap_or_default() } else { b"execution failure" };
        let text = text.to_vec();
        stack.pop(1);
        return Failure { text, place: None, is_counted: false, is_fatal: true };
    }
    stack.push_field(-1, b"line");
    let line = stack.number(-1).map(|line| line as i64);
    stack.pop(1);
    stack.push_field(-1, b"err");
    let text = if stack.make_string(-1) { stack.bytes(-1).map(<[u8]>::to_vec) } else { None };
    stack.pop(1);
    stack.push_field(-1, b"ignore_error_stats_update");
    let is_counted = stack.truth(-1);
    stack.pop(1);
    let place = field(stack, b"source").zip(line);
    stack.pop(1);
    Failure { text: text.unwrap_or_else(|| b"ERR unknown error".to_vec()), place, is_counted, is_fatal: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CommandError;

    /// Counts how often it is asked whether a script may go on, and says no once.
    struct Asked {
        times: usize,
        no_at: usize,
    }

    impl Caller for Asked {
        fn call(&mut self, _: Args<'_>, _: &mut Reply) -> Result<(), CommandError> {
            unreachable!("no command is called here")
        }

        fn may_call(&mut self, _: Args<'_>) -> Result<bool, ()> {
            Err(())
        }

        fn set_logged(&mut self, _: bool) {}

        fn clock(&mut self) -> f64 {
            0.0
        }

        fn interrupt(&mut self) -> Option<&'static str> {
            self.times += 1;
            (self.times == self.no_at).then_some("ended")
        }
    }

    const FOR_EVER: &str = "local n = 0\nwhile true do\nn = n + 1\nend";
    const SHORT: &str = "local n = 0\nfor i = 1, 10000 do\nn = n + 1\nend\nreturn n";

    /// The reply, and how often it was asked.
    fn run(interpreter: &mut Interpreter, code: &str, no_at: usize) -> (Vec<u8>, usize) {
        let function = interpreter.load(code.as_bytes(), c"@user_script").unwrap();
        let (mut asked, mut out) = (Asked { times: 0, no_at }, Reply::new(Protocol::Resp2));
        let ended = interpreter.run_script(&function, Args::default(), Args::default(), &mut asked, &mut out);
        interpreter.release(function);
        let reply = ended.map_or_else(|failure| failure.text, |_| out.as_bytes().to_vec());
        (reply, asked.times)
    }

    #[test]
    fn who_was_told_to_end_is_asked_on_every_line_and_the_next_one_is_not() {
        let mut interpreter = Interpreter::new(1, 16 << 20);
        assert_eq!(run(&mut interpreter, SHORT, usize::MAX), (b":10000\r\n".to_vec(), 0));
        let (reply, times) = run(&mut interpreter, FOR_EVER, 3);
        assert!(reply.starts_with(b"ERR ended"), "{}", reply.escape_ascii());
        assert_eq!(times, 3);
        // It is told once and catches that; what would be short otherwise is asked thousands of times.
        let caught = format!("pcall(function() {FOR_EVER} end)\n{SHORT}");
        let (reply, times) = run(&mut interpreter, &caught, 1);
        assert_eq!(reply, b":10000\r\n");
        assert!(times > 10_000, "{times}");
        assert_eq!(run(&mut interpreter, SHORT, usize::MAX), (b":10000\r\n".to_vec(), 0));
    }

    #[test]
    fn a_coroutine_that_was_told_to_end_and_is_kept_is_not_asked_on_every_line_for_ever() {
        let mut interpreter = Interpreter::new(1, 16 << 20);
        let library = format!(
            "local kept\nlocal function work() pcall(function() {FOR_EVER} end)\n\
             while true do\nlocal n = 0\nfor i = 1, 10000 do\nn = n + 1\nend\ncoroutine.yield(n)\nend end\n\
             redis.register_function('f', function()\n\
             kept = kept or coroutine.create(work)\nreturn select(2, coroutine.resume(kept)) end)"
        );
        let mut asked = Asked { times: 0, no_at: usize::MAX };
        let functions = interpreter.load_library(library.as_bytes(), &mut asked).unwrap();
        for (no_at, most) in [(1, usize::MAX), (usize::MAX, 1), (usize::MAX, 1)] {
            let (mut asked, mut out) = (Asked { times: 0, no_at }, Reply::new(Protocol::Resp2));
            interpreter.run_function(&functions[0], Args::default(), Args::default(), &mut asked, &mut out).unwrap();
            assert_eq!(out.as_bytes().as_ref(), b":10000\r\n");
            assert!(asked.times <= most, "{}", asked.times);
        }
    }

    #[test]
    fn what_rust_code_does_for_a_script_is_asked_too() {
        let mut interpreter = Interpreter::new(1, 64 << 20);
        for code in [
            "local t = {} for i = 1, 20000 do t[i] = i end for i = 1, 10 do cjson.encode(t) end return 1",
            "local s = '[' .. ('1,'):rep(20000) .. '1]' for i = 1, 10 do cjson.decode(s) end return 1",
            "local t = {} for i = 1, 20000 do t[i] = i end for i = 1, 10 do cmsgpack.pack(t) end return 1",
            "local t = {} for i = 1, 20000 do t[i] = i end local s = cmsgpack.pack(t) for i = 1, 10 do cmsgpack.unpack(s) end return 1",
            "local s = ('x'):rep(20000) for i = 1, 10 do struct.pack(s) end return 1",
            "local s = ('0'):rep(20000) .. '1' for i = 1, 10 do struct.size('i' .. s) end return 1",
        ] {
            let (reply, times) = run(&mut interpreter, code, usize::MAX);
            assert!(reply == b":1\r\n" || reply.starts_with(b"ERR"), "{code}: {}", reply.escape_ascii());
            assert!(times >= 5, "{code}: {times}, {}", reply.escape_ascii());
            assert_eq!(run(&mut interpreter, code, 1).0.get(..9), Some(&b"ERR ended"[..]), "{code}");
        }
    }
}
