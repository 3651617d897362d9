//! Lua values as JSON.

use super::Setting;
use crate::script::host::TABLE;
use crate::script::lua::{Kind, Outcome, Raised, Stack};
use resplite_resp::number::write_f64_digits;
use std::ffi::c_int;

/// Slots of the stack that one level of nesting takes at most.
const LEVEL: c_int = 3;

pub(super) fn encode(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 {
        return Err(stack.bad_argument(1, "expected 1 argument"));
    }
    let host = stack.host();
    host.with_buffer(|out| {
        let mut encoder = Encoder {
            out,
            open: Vec::new(),
            most_bytes: stack.spare(),
            most_depth: Setting::EncodeDepth.get(stack),
            precision: Setting::Precision.get(stack) as usize,
            invalid_numbers: Setting::EncodeInvalid.get(stack),
            sparse_convert: Setting::SparseConvert.get(stack) != 0,
            sparse_ratio: Setting::SparseRatio.get(stack),
            sparse_safe: Setting::SparseSafe.get(stack),
        };
        encoder.run(stack)?;
        stack.push_bytes(out);
        Ok(1)
    })
}

/// A table that is being written. It is on the stack; an object has the key of its last entry above it.
enum Open {
    Array { next: i64, len: c_int },
    Object { is_empty: bool },
}

/// Which tables are open is kept here and not on Rust's stack, so that it does not matter how deep they are.
struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    open: Vec<Open>,
    /// Bytes after which it gives up: tables that are in each other many times, and arrays that are mostly holes, can be far
    /// longer than what they are made from.
    most_bytes: usize,
    most_depth: c_int,
    precision: usize,
    invalid_numbers: c_int,
    sparse_convert: bool,
    sparse_ratio: c_int,
    sparse_safe: c_int,
}

impl Encoder<'_> {
    /// Writes the value on top, which stays.
    fn run(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        loop {
            self.begin_value(stack)?;
            if !self.next_value(stack)? {
                return Ok(());
            }
        }
    }

    /// Writes the value on top and takes it if it is in a table; of a table this is what it begins with, and it stays.
    fn begin_value(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        if self.out.len() > self.most_bytes {
            return Err(stack.raise_out_of_memory());
        }
        stack.step(1)?;
        match stack.kind(-1) {
            Kind::String => self.string(stack, -1)?,
            Kind::Number => self.number(stack, -1)?,
            Kind::Boolean if stack.truth(-1) => self.out.extend_from_slice(b"true"),
            Kind::Boolean => self.out.extend_from_slice(b"false"),
            Kind::Table => return self.begin_table(stack),
            // The only address that scripts have.
            Kind::Nil | Kind::Light => self.out.extend_from_slice(b"null"),
            _ => return Err(self.refuse(stack, -1, "type not supported")),
        }
        if !self.open.is_empty() {
            stack.pop(1);
        }
        Ok(())
    }

    fn begin_table(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        stack.step(TABLE)?;
        let depth = self.open.len() + 1;
        if depth > self.most_depth as usize || !stack.has_room(LEVEL) {
            return Err(stack.raise(format!("Cannot serialise, excessive nesting ({depth})").as_bytes()));
        }
        if stack.push_source(-1) {
            stack.replace(-2);
        }
        match self.array_len(stack)? {
            Some(len) => {
                self.out.push(b'[');
                self.open.push(Open::Array { next: 1, len });
            }
            None => {
                self.out.push(b'{');
                stack.push_nil();
                self.open.push(Open::Object { is_empty: true });
            }
        }
        Ok(())
    }

    /// Pushes the value that comes next in the innermost table, and writes what is before it. Tables that have no more are
    /// closed; returns whether there is one that has.
    fn next_value(&mut self, stack: &mut Stack<'_>) -> Result<bool, Raised> {
        while let Some(open) = self.open.last_mut() {
            match open {
                Open::Array { next, len } if *next <= (*len).into() => {
                    if *next > 1 {
                        self.out.push(b',');
                    }
                    stack.push_element(-1, *next as c_int);
                    *next += 1;
                    return Ok(true);
                }
                Open::Array { .. } => self.out.push(b']'),
                Open::Object { is_empty } => {
                    if stack.next(-2) {
                        if !std::mem::take(is_empty) {
                            self.out.push(b',');
                        }
                        self.key(stack)?;
                        return Ok(true);
                    }
                    self.out.push(b'}');
                }
            }
            self.open.pop();
            if !self.open.is_empty() {
                stack.pop(1);
            }
        }
        Ok(false)
    }

    /// Writes the key of the value on top.
    fn key(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        match stack.kind(-2) {
            Kind::Number => {
                self.out.push(b'"');
                self.number(stack, -2)?;
                self.out.push(b'"');
            }
            Kind::String => self.string(stack, -2)?,
            _ => return Err(self.refuse(stack, -2, "table key must be a number or string")),
        }
        self.out.push(b':');
        Ok(())
    }

    fn number(&mut self, stack: &mut Stack<'_>, index: c_int) -> Result<(), Raised> {
        let number = stack.number(index).unwrap_or_default();
        if !number.is_finite() {
            let text = match self.invalid_numbers {
                0 => return Err(self.refuse(stack, index, "must not be NaN or Inf")),
                1 if number.is_nan() => "nan",
                1 if number > 0.0 => "inf",
                1 => "-inf",
                _ => "null",
            };
            self.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        write_f64_digits(number, self.precision, self.out);
        Ok(())
    }

    fn string(&mut self, stack: &mut Stack<'_>, index: c_int) -> Result<(), Raised> {
        let mut rest = stack.bytes(index).unwrap_or_default();
        self.out.push(b'"');
        while let Some(at) = rest.iter().position(|byte| ESCAPED[usize::from(*byte)]) {
            self.out.extend_from_slice(&rest[..at]);
            escape(rest[at], self.out);
            rest = &rest[at + 1..];
            if self.out.len() > self.most_bytes {
                return Err(stack.raise_out_of_memory());
            }
        }
        if rest.len() > self.most_bytes.saturating_sub(self.out.len()) {
            return Err(stack.raise_out_of_memory());
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
        Ok(())
    }

    /// Length of the table on top as an array, `None` if it is to be an object: one with other keys, or with nothing in it.
    ///
    /// # Errors
    /// It is an array with too few elements, and such arrays are not to become objects.
    fn array_len(&self, stack: &mut Stack<'_>) -> Result<Option<c_int>, Raised> {
        let (mut len, mut elements): (c_int, c_int) = (0, 0);
        stack.push_nil();
        while stack.next(-2) {
            let number = stack.number(-2).filter(|key| *key >= 1.0 && key.trunc() == *key);
            stack.pop(1);
            let Some(number) = number else {
                stack.pop(1);
                return Ok(None);
            };
            if number > len.into() {
                // Far out it turns negative, as where a processor cuts to 32 bits, and so becomes an object.
                len = if number > c_int::MAX.into() { c_int::MIN } else { number as c_int };
            }
            elements = elements.wrapping_add(1);
        }
        let enough = elements.wrapping_mul(self.sparse_ratio);
        if self.sparse_ratio > 0 && len > enough && len > self.sparse_safe {
            if !self.sparse_convert {
                return Err(self.refuse(stack, -1, "excessively sparse array"));
            }
            return Ok(None);
        }
        Ok(Some(len).filter(|len| *len > 0))
    }

    fn refuse(&self, stack: &mut Stack<'_>, index: c_int, why: &str) -> Raised {
        let text = format!("Cannot serialise {}: {why}", stack.kind_name(index));
        stack.raise(text.as_bytes())
    }
}

/// Which bytes cannot stand in a string as they are.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut byte = 0;
    while byte < 32 {
        escaped[byte] = true;
        byte += 1;
    }
    escaped[b'"' as usize] = true;
    escaped[b'\\' as usize] = true;
    escaped[b'/' as usize] = true;
    escaped[127] = true;
    escaped
};

fn escape(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        8 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        12 => b'f',
        b'\r' => b'r',
        b'"' | b'\\' | b'/' => byte,
        _ => {
            let [high, low] = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}
