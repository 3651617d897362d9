//! Scripts and functions: what is cached of them, what is running, and how they reach the server.
//!
//! There is one Lua state for a server, made when it is first needed. A script holds every shard, as it may use any key, so
//! a second state could never run at the same time; functions keep what they remember in one place. The state knows nothing
//! of keys or connections: it asks a [`Caller`](host::Caller).

mod api;
mod base;
mod bit;
mod caller;
mod cjson;
mod cmsgpack;
pub(crate) mod flags;
pub(crate) mod functions;
mod host;
mod interpreter;
mod lua;
mod replies;
pub(crate) mod running;
mod slot;
mod structs;

use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use caller::ScriptCaller;
use flags::ScriptFlags;
use functions::{Library, Registered};
use interpreter::{Failure, Interpreter};
use lua::Ref;
use parking_lot::Mutex;
use replies::ReturnedError;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use running::Running;
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The name of a script: the SHA-1 of its source.
pub(crate) type Sha = [u8; 20];

/// Scripts that EVAL has brought and that are kept; those of SCRIPT LOAD stay as long as the server.
const MOST_EVALUATED: usize = 500;

/// The scripts and functions of one server.
#[derive(Default)]
pub(crate) struct Scripts {
    inner: Mutex<Inner>,
    pub(crate) running: Running,
    /// What INFO shows, also to a script.
    usage: Mutex<Usage>,
    lua_bytes: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    interpreter: Option<Interpreter>,
    scripts: HashMap<Sha, Script>,
    /// Which of the scripts came by EVAL.
    evaluated: usize,
    script_bytes: usize,
    /// Goes up with every use of a script.
    uses: u64,
    evicted: u64,
    libraries: BTreeMap<String, Library>,
    /// Where each function is: its library and its place there.
    functions: HashMap<String, (String, usize)>,
}

struct Script {
    source: Box<[u8]>,
    flags: ScriptFlags,
    compiled: Ref,
    /// When it was last used, of those that EVAL has brought.
    last_use: Option<u64>,
}

/// What INFO shows.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) scripts: usize,
    pub(crate) script_bytes: usize,
    pub(crate) libraries: usize,
    pub(crate) functions: usize,
    pub(crate) library_bytes: usize,
    pub(crate) lua_bytes: usize,
    pub(crate) evicted: u64,
}

/// Whether SCRIPT LOAD or EVAL has brought a script.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Loaded,
    Evaluated,
}

/// What becomes of libraries that are there when others are restored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestorePolicy {
    Flush,
    Append,
    Replace,
}

/// The name of a script's source.
pub(crate) fn sha_of(source: &[u8]) -> Sha {
    Sha1::digest(source).into()
}

/// A name as 40 hexadecimal digits.
pub(crate) fn hex(sha: &Sha) -> [u8; 40] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 40];
    for (two, byte) in text.chunks_exact_mut(2).zip(sha) {
        two[0] = DIGITS[usize::from(byte >> 4)];
        two[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// Reads 40 hexadecimal digits.
pub(crate) fn parse_sha(text: &[u8]) -> Option<Sha> {
    let digits: &[u8; 40] = text.try_into().ok()?;
    let mut sha = [0; 20];
    for (byte, two) in sha.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(two[0])? << 4 | digit(two[1])?) as u8;
    }
    Some(sha)
}

impl Inner {
    /// The Lua state, made if there is none yet.
    fn interpreter(&mut self, ctx: &Ctx<'_>) -> &mut Interpreter {
        let limit = memory_limit(ctx);
        let interpreter = self.interpreter.get_or_insert_with(|| Interpreter::new(ctx.chance().u64(..), limit));
        interpreter.set_limit(limit);
        interpreter
    }

    /// The script of that name, if it is known.
    fn find(&mut self, sha: &Sha) -> Option<(&mut Interpreter, &Script)> {
        let script = self.scripts.get_mut(sha)?;
        if let Some(last_use) = &mut script.last_use {
            self.uses += 1;
            *last_use = self.uses;
        }
        Some((self.interpreter.as_mut()?, script))
    }

    /// Compiles a script and keeps it.
    fn add(&mut self, ctx: &Ctx<'_>, sha: Sha, source: &[u8], origin: Origin) -> CmdResult {
        if let Some(script) = self.scripts.get_mut(&sha) {
            if origin == Origin::Loaded && script.last_use.take().is_some() {
                self.evaluated -= 1;
            }
            return Ok(());
        }
        let (flags, begin) = flags::of_script(source).map_err(|text| CommandError::text(format!("ERR {text}")))?;
        let compiled =
            self.interpreter(ctx).compile(&source[begin..]).map_err(|text| CommandError::not_compiled(&text))?;
        self.uses += 1;
        let last_use = (origin == Origin::Evaluated).then_some(self.uses);
        if last_use.is_some() {
            self.evaluated += 1;
            if self.evaluated > MOST_EVALUATED {
                self.evict();
            }
        }
        self.script_bytes += source.len() + size_of::<Script>();
        self.scripts.insert(sha, Script { source: source.into(), flags, compiled, last_use });
        Ok(())
    }

    /// Forgets the script of EVAL's that has been used least recently.
    fn evict(&mut self) {
        let used = self.scripts.iter().filter_map(|(sha, script)| script.last_use.map(|last_use| (last_use, *sha)));
        let Some((_, oldest)) = used.min() else { return };
        if let (Some(script), Some(interpreter)) = (self.scripts.remove(&oldest), &mut self.interpreter) {
            self.script_bytes -= script.source.len() + size_of::<Script>();
            interpreter.release(script.compiled);
            self.evaluated -= 1;
            self.evicted += 1;
        }
    }

    /// The function of that name.
    fn function(&self, name: &[u8]) -> Option<&Registered> {
        find_function(&self.libraries, &self.functions, name)
    }

    /// Takes a library out.
    fn remove_library(&mut self, name: &str) -> Option<Library> {
        let library = self.libraries.remove(name)?;
        for function in &library.functions {
            self.functions.remove(&function.name);
        }
        Some(library)
    }

    fn put_library(&mut self, library: Library) {
        for (at, function) in library.functions.iter().enumerate() {
            self.functions.insert(function.name.clone(), (library.name.clone(), at));
        }
        self.libraries.insert(library.name.clone(), library);
    }

    /// Forgets what a library has in the Lua state.
    fn dismiss(&mut self, library: Library) {
        if let Some(interpreter) = &mut self.interpreter {
            library.functions.into_iter().for_each(|function| interpreter.release(function.callback));
        }
    }

    /// Runs a library's source; nothing is kept of it yet.
    fn prepare_library(&mut self, ctx: &mut Ctx<'_>, code: &[u8]) -> CmdResult<Library> {
        let wrong = |text: Vec<u8>| CommandError::bytes([b"ERR ", &text[..]].concat());
        let (name, begin) = functions::head(code).map_err(|text| wrong(text.into_bytes()))?;
        let interpreter = self.interpreter(ctx);
        let mut caller = ScriptCaller::of_library(ctx);
        let functions = interpreter.load_library(&code[begin..], &mut caller).map_err(wrong)?;
        Ok(Library { name, code: code.into(), functions })
    }

    /// The function of a library that a function of another one is called like.
    fn clash<'l>(&self, library: &'l Library) -> Option<&'l str> {
        let taken = |name: &str| self.functions.get(name).is_some_and(|(owner, _)| *owner != library.name);
        library.functions.iter().map(|function| &*function.name).find(|name| taken(name))
    }
}

impl Scripts {
    /// Keeps a script.
    ///
    /// # Errors
    /// It cannot be compiled.
    pub(crate) fn load(&self, ctx: &Ctx<'_>, source: &[u8]) -> CmdResult<Sha> {
        let sha = sha_of(source);
        let mut inner = self.inner.lock();
        inner.add(ctx, sha, source, Origin::Loaded)?;
        self.note(&inner);
        Ok(sha)
    }

    /// Whether a script is kept.
    pub(crate) fn contains(&self, sha: &Sha) -> bool {
        self.inner.lock().scripts.contains_key(sha)
    }

    /// The source of a script.
    pub(crate) fn source(&self, sha: &Sha) -> Option<Box<[u8]>> {
        self.inner.lock().scripts.get(sha).map(|script| script.source.clone())
    }

    /// Forgets all scripts.
    pub(crate) fn flush(&self) {
        let mut inner = self.inner.lock();
        let scripts = std::mem::take(&mut inner.scripts);
        (inner.evaluated, inner.script_bytes) = (0, 0);
        if inner.libraries.is_empty() {
            inner.interpreter = None;
        } else if let Some(interpreter) = &mut inner.interpreter {
            scripts.into_values().for_each(|script| interpreter.release(script.compiled));
        }
        self.note(&inner);
    }

    /// Runs a script, which is compiled and kept first if it is new, and writes what it answers.
    ///
    /// # Errors
    /// It cannot be compiled, or may not run now.
    pub(crate) fn eval(&self, ctx: &mut Ctx<'_>, source: &[u8], call: Call<'_>, out: &mut Reply) -> CmdResult {
        let sha = sha_of(source);
        let mut inner = self.inner.lock();
        if !inner.scripts.contains_key(&sha) {
            inner.add(ctx, sha, source, Origin::Evaluated)?;
            self.note(&inner);
        }
        let done = run_script(&mut inner, ctx, &sha, call, out);
        self.note_memory(&inner);
        done
    }

    /// Runs a script that is kept.
    ///
    /// # Errors
    /// There is none of that name, or it may not run now.
    pub(crate) fn evalsha(&self, ctx: &mut Ctx<'_>, sha: &Sha, call: Call<'_>, out: &mut Reply) -> CmdResult {
        let mut inner = self.inner.lock();
        let done = run_script(&mut inner, ctx, sha, call, out);
        self.note_memory(&inner);
        done
    }

    /// Whether a command that may have others written for it does: a script that says that it only reads does not.
    pub(crate) fn may_write(&self, command: &str, args: Args<'_>) -> bool {
        let flags = match command {
            "eval" => flags::of_script(&args[1]).ok().map(|(flags, _)| flags),
            // While a script runs nobody can look; who asks then is told soon enough that the server is busy.
            "evalsha" => self.inner.try_lock().and_then(|inner| Some(inner.scripts.get(&parse_sha(&args[1])?)?.flags)),
            "fcall" => self.inner.try_lock().and_then(|inner| Some(inner.function(&args[1])?.flags)),
            _ => None,
        };
        !flags.is_some_and(|flags| flags.has(ScriptFlags::NO_WRITES))
    }

    /// Runs a function of a library.
    ///
    /// # Errors
    /// There is none of that name, or it may not run now.
    pub(crate) fn fcall(&self, ctx: &mut Ctx<'_>, name: &[u8], call: Call<'_>, out: &mut Reply) -> CmdResult {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let Inner { libraries, functions, interpreter, .. } = inner;
        let (Some(function), Some(interpreter)) = (find_function(libraries, functions, name), interpreter) else {
            return Err(CommandError::NO_FUNCTION);
        };
        interpreter.set_limit(memory_limit(ctx));
        let mut caller = ScriptCaller::of_function(ctx, function.flags, &call, &function.name)?;
        let result = interpreter.run_function(function, call.keys, call.argv, &mut caller, out);
        drop(caller);
        answer(ctx, result, || name.to_vec(), out);
        self.note_memory(inner);
        Ok(())
    }

    /// Loads a library.
    ///
    /// # Errors
    /// Its source is wrong, or it is there already, or functions of others have the same names.
    pub(crate) fn load_library(&self, ctx: &mut Ctx<'_>, code: &[u8], replace: bool) -> CmdResult<String> {
        let mut inner = self.inner.lock();
        let (name, _) = functions::head(code).map_err(|text| CommandError::text(format!("ERR {text}")))?;
        if inner.libraries.contains_key(&name) && !replace {
            return Err(CommandError::text(format!("ERR Library '{name}' already exists")));
        }
        let library = inner.prepare_library(ctx, code)?;
        if let Some(clash) = inner.clash(&library) {
            let error = CommandError::text(format!("ERR Function {clash} already exists"));
            inner.dismiss(library);
            return Err(error);
        }
        if let Some(old) = inner.remove_library(&name) {
            inner.dismiss(old);
        }
        inner.put_library(library);
        self.note(&inner);
        Ok(name)
    }

    /// Takes a library out; returns whether it was there.
    pub(crate) fn delete_library(&self, name: &[u8]) -> bool {
        let mut inner = self.inner.lock();
        let removed = std::str::from_utf8(name).ok().and_then(|name| inner.remove_library(name));
        let was_there = removed.is_some();
        self.note(&inner);
        removed.into_iter().for_each(|library| inner.dismiss(library));
        was_there
    }

    /// Takes all libraries out.
    pub(crate) fn flush_libraries(&self) {
        let mut inner = self.inner.lock();
        inner.functions.clear();
        let libraries = std::mem::take(&mut inner.libraries);
        if inner.scripts.is_empty() {
            inner.interpreter = None;
        } else {
            libraries.into_values().for_each(|library| inner.dismiss(library));
        }
        self.note(&inner);
    }

    /// Loads several libraries, all or none.
    ///
    /// # Errors
    /// One of them cannot be loaded.
    pub(crate) fn restore_libraries(&self, ctx: &mut Ctx<'_>, codes: &[Vec<u8>], policy: RestorePolicy) -> CmdResult {
        let mut inner = self.inner.lock();
        let mut prepared: Vec<Library> = Vec::new();
        let mut wrong = None;
        for code in codes {
            match inner.prepare_library(ctx, code) {
                Ok(library) => prepared.push(library),
                Err(error) => {
                    wrong = Some(error);
                    break;
                }
            }
        }
        if wrong.is_none() {
            wrong = inner.conflict(&prepared, policy);
        }
        if let Some(wrong) = wrong {
            prepared.into_iter().for_each(|library| inner.dismiss(library));
            return Err(wrong);
        }
        let is_gone = |name: &String| policy == RestorePolicy::Flush || prepared.iter().any(|new| new.name == *name);
        let gone: Vec<String> = inner.libraries.keys().filter(|name| is_gone(name)).cloned().collect();
        for name in gone {
            let library = inner.remove_library(&name);
            library.into_iter().for_each(|library| inner.dismiss(library));
        }
        prepared.into_iter().for_each(|library| inner.put_library(library));
        self.note(&inner);
        Ok(())
    }

    /// Calls `visit` with the libraries, by name.
    pub(crate) fn libraries<R>(&self, visit: impl FnOnce(&mut dyn ExactSizeIterator<Item = &Library>) -> R) -> R {
        visit(&mut self.inner.lock().libraries.values())
    }

    /// The sources of all libraries.
    pub(crate) fn library_codes(&self) -> Vec<Arc<[u8]>> {
        self.libraries(|libraries| libraries.map(|library| library.code.clone()).collect())
    }

    /// Notes what INFO shows, behind every change of it.
    fn note(&self, inner: &Inner) {
        *self.usage.lock() = Usage {
            scripts: inner.scripts.len(),
            script_bytes: inner.script_bytes,
            libraries: inner.libraries.len(),
            functions: inner.functions.len(),
            library_bytes: inner.libraries.values().map(|library| library.code.len() + size_of::<Library>()).sum(),
            lua_bytes: 0,
            evicted: inner.evicted,
        };
        self.note_memory(inner);
    }

    /// Notes what the Lua state takes, which every script may change.
    fn note_memory(&self, inner: &Inner) {
        self.lua_bytes.store(inner.interpreter.as_ref().map_or(0, Interpreter::memory), Ordering::Relaxed);
    }

    /// Whether there is a function of that name.
    pub(crate) fn has_function(&self, name: &[u8]) -> bool {
        self.inner.lock().function(name).is_some()
    }

    /// What INFO shows.
    pub(crate) fn usage(&self) -> Usage {
        Usage { lua_bytes: self.lua_bytes.load(Ordering::Relaxed), ..*self.usage.lock() }
    }
}

impl Inner {
    /// What keeps libraries from being restored beside those that stay.
    fn conflict(&self, new: &[Library], policy: RestorePolicy) -> Option<CommandError> {
        let mut names: HashMap<&str, &str> = HashMap::new();
        for (at, library) in new.iter().enumerate() {
            let is_twice = new[..at].iter().any(|other| other.name == library.name);
            if is_twice || policy == RestorePolicy::Append && self.libraries.contains_key(&library.name) {
                return Some(CommandError::text(format!("ERR Library {} already exists", library.name)));
            }
            for function in &library.functions {
                let stays =
                    |owner: &str| policy != RestorePolicy::Flush && !new.iter().any(|library| library.name == owner);
                let known = self.functions.get(&function.name).map(|(owner, _)| owner).filter(|owner| stays(owner));
                if known.is_some() || names.insert(&function.name, &library.name).is_some() {
                    return Some(CommandError::text(format!("ERR Function {} already exists", function.name)));
                }
            }
        }
        None
    }
}

fn find_function<'l>(
    libraries: &'l BTreeMap<String, Library>,
    functions: &HashMap<String, (String, usize)>,
    name: &[u8],
) -> Option<&'l Registered> {
    let (library, at) = functions.get(std::str::from_utf8(name).ok()?)?;
    libraries.get(library)?.functions.get(*at)
}

/// Most bytes that scripts may have allocated.
fn memory_limit(ctx: &Ctx<'_>) -> usize {
    usize::try_from(ctx.settings().lua_memory_limit).unwrap_or(usize::MAX)
}

/// How a script is called.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The whole command, for whoever asks what is running.
    pub(crate) args: Args<'a>,
    pub(crate) keys: Args<'a>,
    pub(crate) argv: Args<'a>,
    /// It may not write.
    pub(crate) is_read_only: bool,
}

fn run_script(inner: &mut Inner, ctx: &mut Ctx<'_>, sha: &Sha, call: Call<'_>, out: &mut Reply) -> CmdResult {
    let (interpreter, script) = inner.find(sha).ok_or(CommandError::NO_SCRIPT)?;
    interpreter.set_limit(memory_limit(ctx));
    let mut caller = ScriptCaller::of_script(ctx, script.flags, &call)?;
    let result = interpreter.run_script(&script.compiled, call.keys, call.argv, &mut caller, out);
    drop(caller);
    answer(ctx, result, || hex(sha).to_vec(), out);
    Ok(())
}

/// Does what is left to do with what a script came to: errors are counted, and written if the script did not return them.
fn answer(
    ctx: &mut Ctx<'_>,
    result: Result<Option<ReturnedError>, Failure>,
    name: impl FnOnce() -> Vec<u8>,
    out: &mut Reply,
) {
    let (text, is_counted) = match result {
        Ok(None) => return,
        Ok(Some(error)) => (error.text, error.is_counted),
        Err(failure) => {
            let text = failure.reply(&name());
            out.error(&text);
            (text, failure.is_counted)
        }
    };
    ctx.session.tally.has_failed = true;
    if !is_counted {
        ctx.engine.stats.count_error(&text);
    }
}

impl Failure {
    /// The reply: what has happened, to which script or function, and where.
    fn reply(&self, name: &[u8]) -> Vec<u8> {
        if self.is_fatal {
            return [b"ERR Error running script ", name, b", ", &self.text].concat();
        }
        let script = [&self.text, b" script: ".as_slice(), name].concat();
        match &self.place {
            Some((source, line)) => {
                [&script, b", on ".as_slice(), source, b":", line.to_string().as_bytes(), b"."].concat()
            }
            None => script,
        }
    }
}
