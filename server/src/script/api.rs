//! The table `redis`: what scripts and functions call.

use super::lua::{Function, Kind, Outcome, Raised, Stack};
use super::replies::{cut, push_error, push_reply};
use super::{functions, hex};
use crate::REDIS_VERSION;
use resplite_resp::node::Nodes;
use resplite_resp::number::write_f64;
use resplite_resp::reply::{Protocol, Reply};
use resplite_resp::request::OwnedArgs;
use sha1::{Digest, Sha1};

/// For whom a table `redis` is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    Scripts,
    Functions,
    /// A library while it is being loaded.
    Libraries,
}

const EVERYWHERE: &[(&[u8], Function)] = &[(b"log", log)];

const RUNNING: &[(&[u8], Function)] = &[
    (b"acl_check_cmd", acl_check_cmd),
    (b"call", call),
    (b"error_reply", error_reply),
    (b"pcall", pcall),
    (b"set_repl", set_repl),
    (b"setresp", setresp),
    (b"sha1hex", sha1hex),
    (b"status_reply", status_reply),
];

const IN_SCRIPTS: &[(&[u8], Function)] =
    &[(b"breakpoint", breakpoint), (b"debug", debug), (b"replicate_commands", replicate_commands)];

const IN_LIBRARIES: &[(&[u8], Function)] = &[(b"register_function", functions::register_function)];

const LOG_LEVELS: &[(&[u8], f64)] =
    &[(b"LOG_DEBUG", 0.0), (b"LOG_VERBOSE", 1.0), (b"LOG_NOTICE", 2.0), (b"LOG_WARNING", 3.0)];

const REPLICATION: &[(&[u8], f64)] = &[
    (b"REPL_NONE", 0.0),
    (b"REPL_AOF", LOGGED as f64),
    (b"REPL_SLAVE", 2.0),
    (b"REPL_REPLICA", 2.0),
    (b"REPL_ALL", 3.0),
];

/// The bit of `redis.set_repl` that stands for the log.
const LOGGED: i64 = 1;

/// Pushes the table.
pub(super) fn push(stack: &mut Stack<'_>, audience: Audience) {
    let functions: &[&[(&[u8], Function)]] = match audience {
        Audience::Scripts => &[EVERYWHERE, RUNNING, IN_SCRIPTS],
        Audience::Functions => &[EVERYWHERE, RUNNING],
        Audience::Libraries => &[EVERYWHERE, IN_LIBRARIES],
    };
    let numbers: &[&[(&[u8], f64)]] =
        if audience == Audience::Libraries { &[LOG_LEVELS] } else { &[LOG_LEVELS, REPLICATION] };
    stack.push_table(0, 32);
    for (name, function) in functions.iter().copied().flatten() {
        stack.push_function(*function);
        stack.set_field(-2, name);
    }
    for (name, number) in numbers.iter().copied().flatten() {
        stack.push_number(*number);
        stack.set_field(-2, name);
    }
    stack.push_bytes(REDIS_VERSION.as_bytes());
    stack.set_field(-2, b"REDIS_VERSION");
    stack.push_number(version_number());
    stack.set_field(-2, b"REDIS_VERSION_NUM");
}

/// The version as one number: a byte for each of its parts.
fn version_number() -> f64 {
    let parts = REDIS_VERSION.split('.').filter_map(|part| part.parse::<u32>().ok());
    parts.take(3).fold(0, |number, part| number << 8 | part).into()
}

/// Pushes an error table that has not been counted yet.
fn push_failure(stack: &mut Stack<'_>, text: &str) {
    stack.push_table(0, 1);
    stack.push_bytes(format!("ERR {text}").as_bytes());
    stack.set_field(-2, b"err");
}

fn failure(stack: &mut Stack<'_>, text: &str) -> Raised {
    push_failure(stack, text);
    stack.raise_top()
}

fn call(stack: &mut Stack<'_>) -> Outcome {
    if run(stack)? {
        return Err(stack.raise_top());
    }
    Ok(1)
}

fn pcall(stack: &mut Stack<'_>) -> Outcome {
    run(stack)?;
    Ok(1)
}

/// Runs the command that the arguments are and pushes its reply; returns whether that is an error.
fn run(stack: &mut Stack<'_>) -> Result<bool, Raised> {
    let host = stack.host();
    let (Ok(mut args), Ok(mut reply)) = (host.args.try_borrow_mut(), host.reply.try_borrow_mut()) else {
        return Err(failure(stack, "redis.call inside of another one"));
    };
    if let Err(text) = gather(stack, &mut args) {
        push_failure(stack, text);
        return Ok(true);
    }
    reply.clear();
    reply.set_protocol(host.protocol.get());
    let Some(done) = host.ask(|caller| caller.call(args.as_args(), &mut reply)) else {
        push_failure(stack, "redis.call/pcall can only be called inside a script invocation");
        return Ok(true);
    };
    if args.as_args().byte_len() > KEEP {
        *args = OwnedArgs::new();
    }
    if let Err(error) = done {
        push_error(stack, error.as_bytes());
        return Ok(true);
    }
    stack.set_top(0);
    let bytes = reply.as_bytes();
    push_reply(stack, &mut Nodes::new(&bytes))?;
    let is_error = bytes.first() == Some(&b'-');
    if reply.capacity() > KEEP {
        drop(bytes);
        *reply = Reply::new(Protocol::Resp2);
    }
    Ok(is_error)
}

/// A buffer of a call that has grown beyond this is given back.
const KEEP: usize = 1024 * 1024;

/// Takes a command's arguments from the stack.
fn gather(stack: &mut Stack<'_>, args: &mut OwnedArgs) -> Result<(), &'static str> {
    args.clear();
    let count = stack.top();
    if count == 0 {
        return Err("Please specify at least one argument for this redis lib call");
    }
    let mut bytes = 0;
    for index in 1..=count {
        let Some(text) = stack.bytes(index) else {
            let Some(number) = stack.number(index) else {
                return Err("Lua redis lib command arguments must be strings or integers");
            };
            push_number(args, number);
            continue;
        };
        bytes += text.len();
        // One string can be many arguments, each of which is a copy.
        if bytes > stack.spare().min(MOST_BYTES) {
            return Err("not enough memory");
        }
        args.push(text);
    }
    Ok(())
}

/// Bytes of a command's arguments together.
const MOST_BYTES: usize = u32::MAX as usize / 2;

/// A number as it is written without its type: whole ones as integers, others with as many digits as they need.
fn push_number(args: &mut OwnedArgs, number: f64) {
    let whole = cut(number);
    if whole as f64 == number && whole != i64::MAX {
        return args.push(itoa::Buffer::new().format(whole).as_bytes());
    }
    let mut text = Vec::with_capacity(32);
    if number.is_nan() && number.is_sign_negative() {
        text.push(b'-');
    }
    write_f64(number, &mut text);
    args.push(&text);
}

fn acl_check_cmd(stack: &mut Stack<'_>) -> Outcome {
    let mut args = OwnedArgs::new();
    if let Err(text) = gather(stack, &mut args) {
        return Err(failure(stack, text));
    }
    match stack.host().ask(|caller| caller.may_call(args.as_args())) {
        Some(Ok(may)) => stack.push_bool(may),
        _ => return Err(failure(stack, "Invalid command passed to redis.acl_check_cmd()")),
    }
    Ok(1)
}

/// A table with one field, of the one string that is the argument.
fn tagged(stack: &mut Stack<'_>, tag: &[u8], text: impl FnOnce(&[u8]) -> Vec<u8>) -> Outcome {
    if stack.top() != 1 || stack.kind(1) != Kind::String {
        push_failure(stack, "wrong number or type of arguments");
        return Ok(1);
    }
    let text = text(stack.bytes(1).unwrap_or_default());
    stack.push_table(0, 1);
    stack.push_bytes(&text);
    stack.set_field(-2, tag);
    Ok(1)
}

fn status_reply(stack: &mut Stack<'_>) -> Outcome {
    tagged(stack, b"ok", <[u8]>::to_vec)
}

/// A code is what stands behind a minus, up to the first space; what has none gets the code that says nothing.
fn error_reply(stack: &mut Stack<'_>) -> Outcome {
    tagged(stack, b"err", |text| {
        let text = text.strip_suffix(b"\r\n").unwrap_or(text);
        let coded = text.strip_prefix(b"-").unwrap_or(text);
        if coded.contains(&b' ') { coded.to_vec() } else { [b"ERR ", coded].concat() }
    })
}

fn sha1hex(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 {
        return Err(failure(stack, "wrong number of arguments"));
    }
    stack.make_string(1);
    let digest = Sha1::digest(stack.bytes(1).unwrap_or_default());
    stack.push_bytes(&hex(&digest.into()));
    Ok(1)
}

fn log(stack: &mut Stack<'_>) -> Outcome {
    let count = stack.top();
    if count < 2 {
        return Err(failure(stack, "redis.log() requires two arguments or more."));
    }
    let Some(level) = stack.number(1) else {
        return Err(failure(stack, "First argument must be a number (log level)."));
    };
    let level = match level as i64 {
        0 => log::Level::Trace,
        1 => log::Level::Debug,
        2 => log::Level::Info,
        3 => log::Level::Warn,
        _ => return Err(failure(stack, "Invalid debug level.")),
    };
    if log::log_enabled!(level) {
        let mut text = Vec::new();
        for index in 2..=count {
            stack.make_string(index);
            if index > 2 {
                text.push(b' ');
            }
            let part = stack.bytes(index).unwrap_or_default();
            text.extend_from_slice(&part[..part.len().min(MOST_LOGGED.saturating_sub(text.len()))]);
            if text.len() >= MOST_LOGGED {
                break;
            }
        }
        log::log!(level, "{}", String::from_utf8_lossy(&text));
    }
    Ok(0)
}

/// Bytes of a line of the log that come from a script.
const MOST_LOGGED: usize = 1024;

fn setresp(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 {
        return Err(failure(stack, "redis.setresp() requires one argument."));
    }
    let protocol = match stack.as_number(1).map(|version| version as i64) {
        Some(2) => Protocol::Resp2,
        Some(3) => Protocol::Resp3,
        _ => return Err(failure(stack, "RESP version must be 2 or 3.")),
    };
    stack.host().protocol.set(protocol);
    Ok(0)
}

fn set_repl(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 {
        return Err(failure(stack, "redis.set_repl() requires two arguments."));
    }
    let flags = stack.as_number(1).unwrap_or_default() as i64;
    if !(0..=3).contains(&flags) {
        let text = "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
        return Err(failure(stack, text));
    }
    stack.host().ask(|caller| caller.set_logged(flags & LOGGED != 0));
    Ok(0)
}

/// Effects are all that is ever logged, so there is nothing to choose.
fn replicate_commands(stack: &mut Stack<'_>) -> Outcome {
    stack.push_bool(true);
    Ok(1)
}

/// There is no debugger that could stop here.
fn breakpoint(stack: &mut Stack<'_>) -> Outcome {
    stack.push_bool(false);
    Ok(1)
}

/// There is no debugger that would show it.
fn debug(_: &mut Stack<'_>) -> Outcome {
    Ok(0)
}
