//! Replies of commands as Lua values, and Lua values as replies.

use super::host::TABLE;
use super::lua::{Kind, OUT_OF_MEMORY, Raised, Stack};
use resplite_resp::node::{Node, Nodes};
use resplite_resp::reply::{Checkpoint, Protocol, Reply};
use std::ffi::c_int;

/// Slots of the stack that one level of nesting takes at most, either way.
const LEVEL: c_int = 8;

/// Elements that a table is made for at once; one with more grows as they come.
const MOST_AHEAD: usize = 1 << 16;

/// Pushes one reply. Errors become tables with a field `err`; what RESP3 knows besides arrays become tables that say so.
pub(super) fn push_reply(stack: &mut Stack<'_>, nodes: &mut Nodes<'_>) -> Result<(), Raised> {
    stack.reserve(LEVEL)?;
    // Nothing else stops a reply from taking more memory than there is for scripts.
    if stack.spare() == 0 {
        return Err(stack.raise_out_of_memory());
    }
    let Some(node) = nodes.next() else {
        stack.push_bool(false);
        return Ok(());
    };
    match node {
        Node::Int(number) => stack.push_number(number as f64),
        Node::Bulk(bytes) => stack.push_bytes(bytes),
        Node::Simple(text) => push_tagged(stack, b"ok", |stack| stack.push_bytes(text)),
        Node::Error(text) => push_error(stack, text),
        // A null of RESP2 is false, so that it can stand in a table; that of RESP3 is nil all the same.
        Node::Nil(Protocol::Resp2) => stack.push_bool(false),
        Node::Nil(Protocol::Resp3) => stack.push_nil(),
        Node::Bool(value) => stack.push_bool(value),
        Node::Double(value) => push_tagged(stack, b"double", |stack| stack.push_number(value)),
        Node::BigNumber(digits) => push_tagged(stack, b"big_number", |stack| stack.push_bytes(digits)),
        Node::Verbatim { kind, text } => push_tagged(stack, b"verbatim_string", |stack| {
            stack.push_table(0, 2);
            stack.push_bytes(text);
            stack.set_field(-2, b"string");
            stack.push_bytes(kind);
            stack.set_field(-2, b"format");
        }),
        Node::Array(len) | Node::Push(len) => {
            stack.push_table(len.min(MOST_AHEAD), 0);
            for number in 1..=len {
                push_reply(stack, nodes)?;
                stack.set_element(-2, c_int::try_from(number).unwrap_or(c_int::MAX));
            }
        }
        Node::Map(len) => {
            stack.push_table(0, 1);
            stack.push_table(0, len.min(MOST_AHEAD));
            for _ in 0..len {
                push_reply(stack, nodes)?;
                push_reply(stack, nodes)?;
                put(stack)?;
            }
            stack.set_field(-2, b"map");
        }
        Node::Set(len) => {
            stack.push_table(0, 1);
            stack.push_table(0, len.min(MOST_AHEAD));
            for _ in 0..len {
                push_reply(stack, nodes)?;
                stack.push_bool(true);
                put(stack)?;
            }
            stack.set_field(-2, b"set");
        }
        Node::Attribute(len) => {
            // What describes a reply is not for scripts.
            for _ in 0..len * 2 {
                push_reply(stack, nodes)?;
                stack.pop(1);
            }
            push_reply(stack, nodes)?;
        }
    }
    Ok(())
}

/// Takes a key and a value into the table below; a key that no table takes is left out.
fn put(stack: &mut Stack<'_>) -> Result<(), Raised> {
    if stack.kind(-2) == Kind::Nil || stack.number(-2).is_some_and(f64::is_nan) {
        stack.pop(2);
        return Ok(());
    }
    stack.set(-3)
}

fn push_tagged(stack: &mut Stack<'_>, tag: &[u8], push: impl FnOnce(&mut Stack<'_>)) {
    stack.push_table(0, 1);
    push(stack);
    stack.set_field(-2, tag);
}

/// Pushes the error of a command, which has been counted: whoever passes it on must not count it again.
pub(super) fn push_error(stack: &mut Stack<'_>, text: &[u8]) {
    stack.push_table(0, 2);
    stack.push_bytes(text);
    stack.set_field(-2, b"err");
    stack.push_bool(true);
    stack.set_field(-2, b"ignore_error_stats_update");
}

/// The error that a script has returned, if the reply is one: its text, and whether it has been counted.
pub(super) struct ReturnedError {
    pub(super) text: Vec<u8>,
    pub(super) is_counted: bool,
}

/// Takes the top value and writes it as a reply. `speaks` is what the script has chosen to speak: RESP2 has no truth values.
///
/// Returns the error that the value is; others inside it are not looked for.
///
/// # Errors
/// The reply would take more than `most` bytes (tables may be in each other several times), or somebody wants the script to
/// end: nothing is written, and the error is on top.
pub(super) fn write_value(
    stack: &mut Stack<'_>,
    out: &mut Reply,
    speaks: Protocol,
    most: usize,
) -> Result<Option<ReturnedError>, Raised> {
    let start = out.checkpoint();
    let mut writer = Writer { out, speaks, depth: 0, start, most, failure: None };
    let error = writer.value(stack);
    let failure = writer.failure;
    stack.pop(1);
    match failure {
        None => Ok(error),
        Some(reason) => {
            out.rollback(start);
            Err(stack.raise_plainly(reason))
        }
    }
}

/// Tables inside each other that are written.
const MOST_DEPTH: usize = 1000;

struct Writer<'o> {
    out: &'o mut Reply,
    speaks: Protocol,
    depth: usize,
    start: Checkpoint,
    most: usize,
    /// Why nothing more is written.
    failure: Option<&'static [u8]>,
}

impl Writer<'_> {
    /// The top value, which stays.
    fn value(&mut self, stack: &mut Stack<'_>) -> Option<ReturnedError> {
        if self.failure.is_none() {
            self.failure = stack.host().step(if stack.kind(-1) == Kind::Table { TABLE } else { 1 });
        }
        if self.failure.is_none() && self.out.len_since(self.start) > self.most {
            self.failure = Some(OUT_OF_MEMORY);
        }
        if self.failure.is_some() {
            return None;
        }
        match stack.kind(-1) {
            Kind::String => self.out.bulk(stack.bytes(-1).unwrap_or_default()),
            Kind::Number => self.out.int(cut(stack.number(-1).unwrap_or_default())),
            Kind::Boolean if self.speaks == Protocol::Resp3 => self.out.bool(stack.truth(-1)),
            Kind::Boolean if stack.truth(-1) => self.out.int(1),
            Kind::Table if self.depth == MOST_DEPTH => self.out.error("ERR reached lua stack limit"),
            Kind::Table => {
                if !stack.has_room(LEVEL) {
                    self.out.error("ERR reached lua stack limit");
                    return None;
                }
                self.depth += 1;
                let error = self.table(stack);
                self.depth -= 1;
                return error.filter(|_| self.depth == 0);
            }
            _ => self.out.nil(),
        }
        None
    }

    fn table(&mut self, stack: &mut Stack<'_>) -> Option<ReturnedError> {
        if let Some(text) = field(stack, b"err") {
            stack.push_field(-1, b"ignore_error_stats_update");
            let is_counted = stack.truth(-1);
            stack.pop(1);
            self.out.error(&text);
            return Some(ReturnedError { text, is_counted });
        }
        if let Some(text) = field(stack, b"ok") {
            self.out.simple(text);
            return None;
        }
        stack.push_field(-1, b"double");
        let double = stack.number(-1);
        stack.pop(1);
        if let Some(double) = double {
            self.out.double(double);
            return None;
        }
        for (name, write) in [(b"map".as_slice(), Self::map as fn(&mut Self, &mut Stack<'_>)), (b"set", Self::set)] {
            stack.push_field(-1, name);
            if stack.kind(-1) == Kind::Table {
                write(self, stack);
                stack.pop(1);
                return None;
            }
            stack.pop(1);
        }
        if let Some(mut digits) = field(stack, b"big_number") {
            digits.iter_mut().filter(|byte| b"\r\n".contains(byte)).for_each(|byte| *byte = b' ');
            self.out.big_number(digits);
            return None;
        }
        stack.push_field(-1, b"verbatim_string");
        if stack.kind(-1) == Kind::Table
            && let (Some(text), Some(given)) = (field(stack, b"string"), field(stack, b"format"))
        {
            let mut kind = *b"   ";
            kind.iter_mut().zip(&given).for_each(|(letter, given)| *letter = *given);
            self.out.verbatim(&kind, &text);
            stack.pop(1);
            return None;
        }
        stack.pop(1);
        self.array(stack);
        None
    }

    /// The elements up to the first nil.
    fn array(&mut self, stack: &mut Stack<'_>) {
        let mark = self.out.defer();
        let mut len = 0;
        while let Ok(number) = c_int::try_from(len + 1) {
            stack.push_element(-1, number);
            let is_end = stack.kind(-1) == Kind::Nil;
            if !is_end {
                self.value(stack);
                len += 1;
            }
            stack.pop(1);
            if is_end {
                break;
            }
        }
        self.out.array_at(mark, len);
    }

    fn map(&mut self, stack: &mut Stack<'_>) {
        let mark = self.out.defer();
        let mut len = 0;
        stack.push_nil();
        while stack.next(-2) {
            stack.push_copy(-2);
            self.value(stack);
            stack.pop(1);
            self.value(stack);
            stack.pop(1);
            len += 1;
        }
        self.out.map_at(mark, len);
    }

    fn set(&mut self, stack: &mut Stack<'_>) {
        let mark = self.out.defer();
        let mut len = 0;
        stack.push_nil();
        while stack.next(-2) {
            stack.pop(1);
            self.value(stack);
            len += 1;
        }
        self.out.set_at(mark, len);
    }
}

/// A double without its fraction; -2^63 for all that is no 64 bit integer, as a processor cuts it.
pub(super) fn cut(number: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) { number as i64 } else { i64::MIN }
}

/// A field of the table on top, if it is a string.
pub(super) fn field(stack: &mut Stack<'_>, name: &[u8]) -> Option<Vec<u8>> {
    stack.push_field(-1, name);
    let text = stack.bytes(-1).map(<[u8]>::to_vec);
    stack.pop(1);
    text
}
