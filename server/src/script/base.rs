//! Lua's own functions as scripts have them: without those that reach outside, and changed where frozen tables, errors
//! and chance want it.

use super::lua::{FROZEN, Function, Kind, Library, Outcome, Raised, Stack};
use super::replies::cut;
use std::ffi::{CString, c_int};

/// What the base library has and scripts do not.
const REMOVED: &[&[u8]] =
    &[b"dofile", b"getfenv", b"loadfile", b"newproxy", b"print", b"setfenv", b"module", b"require"];

/// Functions that take the place of Lua's own.
const REPLACED: &[(&[u8], Function)] = &[
    (b"collectgarbage", collectgarbage),
    (b"getmetatable", getmetatable),
    (b"load", load),
    (b"loadstring", loadstring),
    (b"pairs", pairs),
    (b"pcall", pcall),
    (b"rawget", rawget),
    (b"rawset", rawset),
    (b"setmetatable", setmetatable),
    (b"unpack", unpack),
];

/// Puts the libraries into the globals.
pub(super) fn install(stack: &mut Stack<'_>) {
    for library in [Library::Base, Library::Table, Library::String, Library::Math] {
        stack.open(library);
    }
    stack.push_globals();
    for name in REMOVED {
        stack.push_nil();
        stack.set_field(-2, name);
    }
    for (name, function) in REPLACED {
        stack.push_function(*function);
        stack.set_field(-2, name);
    }
    stack.push_next();
    stack.set_field(-2, b"next");
    stack.push_field(-1, b"string");
    for name in [b"find".as_slice(), b"match", b"gmatch", b"gfind", b"gsub"] {
        stack.push_field(-1, name);
        stack.bound_pattern(name == b"find");
        stack.set_field(-2, name);
    }
    stack.pop(1);
    stack.push_field(-1, b"table");
    stack.push_function(insert);
    stack.set_field(-2, b"insert");
    stack.pop(1);
    stack.push_field(-1, b"math");
    for (name, function) in [(b"random".as_slice(), random as Function), (b"randomseed", randomseed)] {
        stack.push_function(function);
        stack.set_field(-2, name);
    }
    stack.pop(1);
    stack.push_table(0, 1);
    stack.push_function(clock);
    stack.set_field(-2, b"clock");
    stack.set_field(-2, b"os");
    stack.pop(1);
}

/// Asks for a table as an argument.
fn want_table(stack: &mut Stack<'_>, number: c_int) -> Result<(), Raised> {
    if stack.kind(number) == Kind::Table { Ok(()) } else { Err(stack.wrong_kind(number, "table")) }
}

/// Asks for any argument.
fn want_any(stack: &mut Stack<'_>, number: c_int) -> Result<(), Raised> {
    if stack.kind(number) == Kind::None { Err(stack.bad_argument(number, "value expected")) } else { Ok(()) }
}

/// Asks for a number as an argument, or for what can be taken for one.
pub(super) fn want_number(stack: &mut Stack<'_>, number: c_int) -> Result<f64, Raised> {
    match stack.as_number(number) {
        Some(value) => Ok(value),
        None => Err(stack.wrong_kind(number, "number")),
    }
}

/// Asks for a string as an argument, or for a number that becomes one.
pub(super) fn want_string(stack: &mut Stack<'_>, number: c_int) -> Result<(), Raised> {
    if stack.make_string(number) { Ok(()) } else { Err(stack.wrong_kind(number, "string")) }
}

/// Asks for an argument as C takes it for an integer.
pub(super) fn want_integer(stack: &mut Stack<'_>, number: c_int) -> Result<i64, Raised> {
    want_number(stack, number).map(cut)
}

/// Asks for an integer that may be left out.
pub(super) fn given_integer(stack: &mut Stack<'_>, number: c_int, default: i64) -> Result<i64, Raised> {
    if matches!(stack.kind(number), Kind::None | Kind::Nil) { Ok(default) } else { want_integer(stack, number) }
}

/// As Lua's own, but for what would outlast the script: the one collector serves all of them.
fn collectgarbage(stack: &mut Stack<'_>) -> Outcome {
    let option = match stack.kind(1) {
        Kind::None | Kind::Nil => b"collect".to_vec(),
        _ => {
            want_string(stack, 1)?;
            stack.bytes(1).unwrap_or_default().to_vec()
        }
    };
    let argument = given_integer(stack, 2, 0)?;
    match &option[..] {
        b"collect" => {
            stack.collect();
            stack.push_number(0.0);
        }
        b"count" => stack.push_number(stack.memory() as f64 / 1024.0),
        b"step" => {
            let is_done = stack.collect_some(argument.clamp(0, MOST_STEP) as c_int);
            stack.push_bool(is_done);
        }
        b"stop" | b"restart" => stack.push_number(0.0),
        b"setpause" | b"setstepmul" => stack.push_number(USUAL_PACE),
        _ => {
            let why = [b"invalid option '", &option[..], b"'"].concat();
            return Err(stack.bad_argument(1, why));
        }
    }
    Ok(1)
}

/// Kilobytes that one step of the collector can be asked for.
const MOST_STEP: i64 = 1 << 20;
/// What the collector's pause and its pace are, in percent.
const USUAL_PACE: f64 = 200.0;

/// A metatable is shown frozen if it belongs to more than one script.
fn getmetatable(stack: &mut Stack<'_>) -> Outcome {
    want_any(stack, 1)?;
    let is_shared = stack.kind(1) != Kind::Table || stack.push_source(1);
    if stack.kind(1) == Kind::Table && is_shared {
        stack.replace(1);
    }
    if !stack.push_metatable(1) {
        stack.push_nil();
        return Ok(1);
    }
    stack.push_field(-1, b"__metatable");
    if stack.kind(-1) != Kind::Nil {
        return Ok(1);
    }
    stack.pop(1);
    if is_shared {
        stack.freeze();
    }
    Ok(1)
}

fn setmetatable(stack: &mut Stack<'_>) -> Outcome {
    want_table(stack, 1)?;
    if !matches!(stack.kind(2), Kind::Nil | Kind::Table) {
        return Err(stack.bad_argument(2, "nil or table expected"));
    }
    if stack.push_source(1) {
        return Err(stack.raise_plainly(FROZEN.as_bytes()));
    }
    if stack.push_metatable(1) {
        stack.push_field(-1, b"__metatable");
        if stack.kind(-1) != Kind::Nil {
            return Err(stack.raise(b"cannot change a protected metatable"));
        }
    }
    stack.set_top(2);
    stack.set_metatable(1);
    Ok(1)
}

fn pairs(stack: &mut Stack<'_>) -> Outcome {
    want_table(stack, 1)?;
    stack.push_next();
    stack.push_copy(1);
    stack.push_nil();
    Ok(3)
}

fn rawget(stack: &mut Stack<'_>) -> Outcome {
    want_table(stack, 1)?;
    want_any(stack, 2)?;
    stack.set_top(2);
    if stack.push_source(1) {
        stack.replace(1);
    }
    stack.get(1);
    Ok(1)
}

fn rawset(stack: &mut Stack<'_>) -> Outcome {
    want_table(stack, 1)?;
    want_any(stack, 2)?;
    want_any(stack, 3)?;
    stack.set_top(3);
    if stack.push_source(1) {
        return Err(stack.raise_plainly(FROZEN.as_bytes()));
    }
    stack.set(1)?;
    Ok(1)
}

/// As Lua's own, but for frozen tables.
fn insert(stack: &mut Stack<'_>) -> Outcome {
    want_table(stack, 1)?;
    let mut end = stack.len(1) as i64 + 1;
    let position = match stack.top() {
        2 => end,
        3 => {
            // Lua counts elements in 32 bits.
            let position = i64::from(want_integer(stack, 2)? as c_int);
            end = end.max(position);
            position
        }
        _ => return Err(stack.raise(b"wrong number of arguments to 'insert'")),
    };
    if stack.push_source(1) {
        return Err(stack.raise_plainly(FROZEN.as_bytes()));
    }
    // Lua's own would make a place for every number down there.
    if position < 1 && end - position > MOST_MOVED {
        return Err(stack.bad_argument(2, "position out of bounds"));
    }
    let element = |number: i64| number as c_int;
    while end > position {
        stack.push_element(1, element(end - 1));
        stack.set_element(1, element(end));
        end -= 1;
    }
    stack.set_element(1, element(position));
    Ok(0)
}

/// Places below the first that `table.insert` moves elements to.
const MOST_MOVED: i64 = 1_000_000;

fn unpack(stack: &mut Stack<'_>) -> Outcome {
    want_table(stack, 1)?;
    let given = |stack: &mut Stack<'_>, number, default: i64| match stack.kind(number) {
        Kind::None | Kind::Nil => Ok(default),
        // As everywhere in Lua, numbers of elements have 32 bits.
        _ => want_integer(stack, number).map(|number| i64::from(number as c_int)),
    };
    let first = given(stack, 2, 1)?;
    let len = stack.len(1) as i64;
    let last = given(stack, 3, len)?;
    if first > last {
        return Ok(0);
    }
    let count = last - first + 1;
    let most = c_int::try_from(count).ok().filter(|count| *count < c_int::MAX / 2);
    let Some(count) = most.filter(|count| stack.has_room(*count)) else {
        return Err(stack.raise(b"too many results to unpack"));
    };
    (first..=last).for_each(|number| stack.push_element(1, number as c_int));
    Ok(count)
}

/// Of an error that is a table of ours the caller gets the text, as scripts have always had it.
fn pcall(stack: &mut Stack<'_>) -> Outcome {
    want_any(stack, 1)?;
    let args = stack.top() - 1;
    // Its place is taken before the results come, which may fill the stack.
    stack.reserve(1)?;
    stack.push_bool(true);
    stack.insert(1);
    if stack.call(args, None, None).is_ok() {
        return Ok(stack.top());
    }
    stack.reserve(2)?;
    if stack.kind(-1) == Kind::Table {
        stack.push_field(-1, b"err");
        if matches!(stack.kind(-1), Kind::String | Kind::Number) {
            stack.replace(-2);
        } else {
            stack.pop(1);
        }
    }
    stack.push_bool(false);
    stack.replace(1);
    Ok(2)
}

fn loadstring(stack: &mut Stack<'_>) -> Outcome {
    want_string(stack, 1)?;
    let has_name = !matches!(stack.kind(2), Kind::None | Kind::Nil);
    if has_name {
        want_string(stack, 2)?;
    }
    let code = stack.bytes(1).unwrap_or_default().to_vec();
    let name = stack.bytes(if has_name { 2 } else { 1 }).unwrap_or_default();
    let name = up_to_zero(name);
    compile(stack, &code, &name)
}

fn load(stack: &mut Stack<'_>) -> Outcome {
    if stack.kind(1) != Kind::Function {
        return Err(stack.wrong_kind(1, "function"));
    }
    let name = match stack.kind(2) {
        Kind::None | Kind::Nil => c"=(load)".to_owned(),
        _ => {
            want_string(stack, 2)?;
            up_to_zero(stack.bytes(2).unwrap_or_default())
        }
    };
    let mut code = Vec::new();
    let answer = gather(stack, &mut code);
    // While it waited for its compiler the code counted as memory of the script.
    let held = &stack.host().held;
    held.set(held.get() - code.len());
    match answer? {
        Some(count) => Ok(count),
        None => compile(stack, &code, &name),
    }
}

/// Calls the function at 1 for pieces of code until there are no more. If something is wrong it leaves what `load` returns,
/// and says how many values that are.
fn gather(stack: &mut Stack<'_>, code: &mut Vec<u8>) -> Result<Option<c_int>, Raised> {
    loop {
        stack.push_copy(1);
        if stack.call(0, Some(1), None).is_err() {
            // What the function throws is what is wrong with its code.
            stack.push_nil();
            stack.insert(-2);
            return Ok(Some(2));
        }
        match stack.kind(-1) {
            Kind::Nil => return Ok(None),
            Kind::String | Kind::Number => {
                stack.make_string(-1);
                let piece = stack.bytes(-1).unwrap_or_default();
                if piece.is_empty() {
                    return Ok(None);
                }
                code.extend_from_slice(piece);
                let held = &stack.host().held;
                held.set(held.get() + piece.len());
                if held.get() > stack.spare() {
                    return Err(stack.raise_out_of_memory());
                }
                stack.pop(1);
            }
            _ => {
                stack.push_nil();
                stack.push_bytes(b"reader function must return a string");
                return Ok(Some(2));
            }
        }
    }
}

/// A text as C sees it.
fn up_to_zero(text: &[u8]) -> CString {
    CString::new(text.split(|byte| *byte == 0).next().unwrap_or_default()).unwrap_or_default()
}

fn compile(stack: &mut Stack<'_>, code: &[u8], name: &CString) -> Outcome {
    if stack.load(code, name) {
        // New code has the globals of the code that asked for it: those of a function are not those of scripts.
        stack.push_callers_globals();
        stack.set_globals(Some(-2));
        return Ok(1);
    }
    stack.push_nil();
    stack.insert(-2);
    Ok(2)
}

/// One step of the linear congruential generator that POSIX gives as `lrand48`: 31 bits.
fn next_random(stack: &Stack<'_>) -> u64 {
    let state = &stack.host().random;
    state.set(state.get().wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & ((1 << 48) - 1));
    state.get() >> 17
}

fn random(stack: &mut Stack<'_>) -> Outcome {
    const MOST: u64 = 0x7fff_ffff;
    let unit = (next_random(stack) % MOST) as f64 / MOST as f64;
    match stack.top() {
        0 => stack.push_number(unit),
        1 => {
            let most = want_number(stack, 1)?.trunc();
            if most < 1.0 {
                return Err(stack.bad_argument(1, "interval is empty"));
            }
            stack.push_number((unit * most).floor() + 1.0);
        }
        2 => {
            let (least, most) = (want_number(stack, 1)?.trunc(), want_number(stack, 2)?.trunc());
            if least > most {
                return Err(stack.bad_argument(2, "interval is empty"));
            }
            stack.push_number((unit * (most - least + 1.0)).floor() + least);
        }
        _ => return Err(stack.raise(b"wrong number of arguments")),
    }
    Ok(1)
}

fn randomseed(stack: &mut Stack<'_>) -> Outcome {
    let seed = want_number(stack, 1)? as i64 as u32;
    stack.host().random.set(u64::from(seed) << 16 | 0x330e);
    Ok(0)
}

/// `os.clock`: seconds since the server came up, by its clock.
fn clock(stack: &mut Stack<'_>) -> Outcome {
    let seconds = stack.host().ask(|caller| caller.clock()).unwrap_or_default();
    stack.push_number(seconds);
    Ok(1)
}
