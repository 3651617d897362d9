//! Libraries of functions: what a library's source says of itself, and what it registers while it is loaded.

use super::flags::ScriptFlags;
use super::lua::{Kind, Outcome, Raised, Ref, Stack};
use std::sync::Arc;

/// A library that is loaded.
pub(crate) struct Library {
    pub(crate) name: String,
    /// The whole source, its first line included.
    pub(crate) code: Arc<[u8]>,
    pub(crate) functions: Vec<Registered>,
}

/// A function of a library.
pub(crate) struct Registered {
    pub(crate) name: String,
    pub(crate) description: Option<Vec<u8>>,
    pub(crate) flags: ScriptFlags,
    pub(super) callback: Ref,
}

/// The functions of a library that is being loaded.
#[derive(Default)]
pub(crate) struct Draft {
    pub(super) functions: Vec<Registered>,
}

/// Whether a library or a function may be called that.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The name in a library's first line, and how many bytes that line has.
///
/// # Errors
/// What is wrong with the line, as the reply says it.
pub(crate) fn head(code: &[u8]) -> Result<(String, usize), String> {
    if !code.starts_with(b"#!") {
        return Err("Missing library metadata".into());
    }
    let Some(end) = memchr::memchr(b'\n', code) else { return Err("Invalid library metadata".into()) };
    let line = String::from_utf8_lossy(&code[2..end]);
    let mut words = line.split_ascii_whitespace();
    let engine = words.next().unwrap_or_default();
    let mut name = None;
    for word in words {
        let Some(given) = word.strip_prefix("name=") else {
            return Err(format!("Invalid metadata value given: {word}"));
        };
        if name.is_some() {
            return Err("Invalid metadata value, name argument was given multiple times".into());
        }
        name = Some(given.to_owned());
    }
    let name = name.ok_or("Library name was not given")?;
    if !is_name(name.as_bytes()) {
        return Err(LIBRARY_NAME.into());
    }
    if !engine.eq_ignore_ascii_case("lua") {
        return Err(format!("Engine '{engine}' not found"));
    }
    Ok((name, end))
}

const LIBRARY_NAME: &str =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";
const FUNCTION_NAME: &str =
    "Function names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// `redis.register_function(name, callback)`, or with a table that names more.
pub(super) fn register_function(stack: &mut Stack<'_>) -> Outcome {
    let parts = match stack.top() {
        1 => named(stack),
        2 => positional(stack),
        _ => Err("wrong number of arguments to redis.register_function".to_owned()),
    };
    let parts =
        parts.and_then(
            |(parts, callback)| {
                if is_name(&parts.name) { Ok((parts, callback)) } else { Err(FUNCTION_NAME.to_owned()) }
            },
        );
    let (parts, callback) = match parts {
        Ok(parts) => parts,
        Err(text) => return Err(failure(stack, &text)),
    };
    let host = stack.host();
    let mut draft = host.draft.borrow_mut();
    let Some(draft) = &mut *draft else {
        stack.release(callback);
        return Err(failure(stack, "redis.register_function can only be called on FUNCTION LOAD command"));
    };
    let name = String::from_utf8_lossy(&parts.name).into_owned();
    if draft.functions.iter().any(|function| function.name == name) {
        stack.release(callback);
        return Err(failure(stack, "Function already exists in the library"));
    }
    draft.functions.push(Registered { name, description: parts.description, flags: parts.flags, callback });
    Ok(0)
}

/// What a function is registered with besides its callback.
#[derive(Default)]
struct Parts {
    name: Vec<u8>,
    description: Option<Vec<u8>>,
    flags: ScriptFlags,
}

fn positional(stack: &mut Stack<'_>) -> Result<(Parts, Ref), String> {
    if !stack.make_string(1) {
        return Err("first argument to redis.register_function must be a string".into());
    }
    if stack.kind(2) != Kind::Function {
        return Err("second argument to redis.register_function must be a function".into());
    }
    let name = stack.bytes(1).unwrap_or_default().to_vec();
    Ok((Parts { name, ..Parts::default() }, stack.keep()))
}

fn named(stack: &mut Stack<'_>) -> Result<(Parts, Ref), String> {
    if stack.kind(1) != Kind::Table {
        return Err("calling redis.register_function with a single argument is only applicable to Lua table \
                    (representing named arguments)."
            .into());
    }
    let mut parts = Parts::default();
    let (mut has_name, mut callback) = (false, None);
    let mut wrong = None;
    stack.push_nil();
    while wrong.is_none() && stack.next(1) {
        let key = stack.bytes(-2).map(<[u8]>::to_vec);
        let text = |stack: &mut Stack<'_>| stack.make_string(-1).then(|| stack.bytes(-1).unwrap_or_default().to_vec());
        match key.as_deref() {
            Some(b"function_name") => match text(stack) {
                Some(name) => (parts.name, has_name) = (name, true),
                None => wrong = Some("function_name argument given to redis.register_function must be a string"),
            },
            Some(b"description") => match text(stack) {
                Some(text) => parts.description = Some(text),
                None => wrong = Some("description argument given to redis.register_function must be a string"),
            },
            Some(b"callback") if stack.kind(-1) == Kind::Function => {
                stack.push_copy(-1);
                callback = Some(stack.keep());
            }
            Some(b"callback") => wrong = Some("callback argument given to redis.register_function must be a function"),
            Some(b"flags") if stack.kind(-1) == Kind::Table => match flags(stack) {
                Some(flags) => parts.flags = flags,
                None => wrong = Some("unknown flag given"),
            },
            Some(b"flags") => {
                wrong = Some("flags argument to redis.register_function must be a table representing function flags");
            }
            _ => wrong = Some("unknown argument given to redis.register_function"),
        }
        stack.pop(1);
    }
    let wrong = match (wrong, has_name, callback) {
        (None, true, Some(callback)) => return Ok((parts, callback)),
        (wrong, has_name, callback) => {
            let is_complete = callback.is_some();
            callback.into_iter().for_each(|callback| stack.release(callback));
            match wrong {
                Some(wrong) => wrong,
                None if !has_name => "redis.register_function must get a function name argument",
                None => {
                    debug_assert!(!is_complete);
                    "redis.register_function must get a callback argument"
                }
            }
        }
    };
    Err(wrong.into())
}

/// The flags that the elements of the table on top name.
fn flags(stack: &mut Stack<'_>) -> Option<ScriptFlags> {
    let mut flags = ScriptFlags::default();
    let mut number = 1;
    loop {
        stack.push_element(-1, number);
        if stack.kind(-1) == Kind::Nil {
            stack.pop(1);
            return Some(flags);
        }
        let flag = stack.bytes(-1).and_then(ScriptFlags::named);
        stack.pop(1);
        flags = flags.with(flag?);
        number += 1;
    }
}

fn failure(stack: &mut Stack<'_>, text: &str) -> Raised {
    stack.push_table(0, 1);
    stack.push_bytes(format!("ERR {text}").as_bytes());
    stack.set_field(-2, b"err");
    stack.raise_top()
}
