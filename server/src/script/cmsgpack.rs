//! MessagePack: the table `cmsgpack`.
//!
//! As scripts have always had it: what came into the format later, byte strings and extensions, is neither written nor read,
//! and numbers are written as integers where they are whole.

use super::base::{given_integer, want_integer, want_string};
use super::host::TABLE;
use super::lua::{Function, Kind, Outcome, Raised, Stack};
use super::replies::cut;
use rmp::{Marker, encode};
use std::ops::Range;

const FUNCTIONS: &[(&[u8], Function)] =
    &[(b"pack", pack), (b"unpack", unpack), (b"unpack_limit", unpack_limit), (b"unpack_one", unpack_one)];

const TEXTS: &[(&[u8], &[u8])] = &[
    (b"_NAME", b"cmsgpack"),
    (b"_VERSION", b"lua-cmsgpack 0.4.0"),
    (b"_COPYRIGHT", b"Copyright (C) 2012, Salvatore Sanfilippo"),
    (b"_DESCRIPTION", b"MessagePack C implementation for Lua"),
];

/// Tables inside each other that are written; what is deeper is nil.
const MOST_DEPTH: usize = 16;
/// Values that one text may have: of a table with more Lua itself would make an error.
const MOST_VALUES: usize = 1 << 26;

/// Pushes the table.
pub(super) fn push(stack: &mut Stack<'_>) {
    stack.push_library(FUNCTIONS);
    for (name, text) in TEXTS {
        stack.push_bytes(text);
        stack.set_field(-2, name);
    }
}

fn pack(stack: &mut Stack<'_>) -> Outcome {
    let count = stack.top();
    if count == 0 {
        return Err(stack.bad_argument(0, "MessagePack pack needs input."));
    }
    if !stack.has_room(count) {
        return Err(stack.bad_argument(0, "Too many arguments for MessagePack pack."));
    }
    stack.host().with_buffer(|out| {
        let most = stack.spare();
        let mut encoder = Encoder { out, most };
        for number in 1..=count {
            stack.push_copy(number);
            encoder.take_value(stack, 0)?;
        }
        stack.push_bytes(out);
        Ok(1)
    })
}

struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    /// Bytes after which it gives up: tables that are in each other many times can be far longer than what they are made
    /// from.
    most: usize,
}

impl Encoder<'_> {
    /// Writes the top value and takes it; `depth` tables are around it. Writing to a vector does not fail.
    fn take_value(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raised> {
        if self.out.len() > self.most {
            return Err(stack.raise_out_of_memory());
        }
        stack.step(1)?;
        match stack.kind(-1) {
            Kind::String => {
                let text = stack.bytes(-1).unwrap_or_default();
                let len = u32::try_from(text.len()).ok().filter(|_| text.len() <= self.most - self.out.len());
                let Some(len) = len else {
                    return Err(stack.raise_out_of_memory());
                };
                let _ = encode::write_str_len(self.out, len);
                self.out.extend_from_slice(text);
            }
            Kind::Number => self.number(stack.number(-1).unwrap_or_default()),
            Kind::Boolean => drop(encode::write_bool(self.out, stack.truth(-1))),
            Kind::Table if depth < MOST_DEPTH => self.table(stack, depth)?,
            _ => drop(encode::write_nil(self.out)),
        }
        stack.pop(1);
        Ok(())
    }

    fn number(&mut self, number: f64) {
        let whole = cut(number);
        let single = number as f32;
        // The largest integer is no double: what was cut to it was something else.
        if whole as f64 == number && whole != i64::MAX {
            let _ = encode::write_sint(self.out, whole);
        } else if f64::from(single) == number {
            let _ = encode::write_f32(self.out, single);
        } else {
            let _ = encode::write_f64(self.out, number);
        }
    }

    fn table(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raised> {
        /// Slots of the stack that one level takes at most.
        const LEVEL: i32 = 6;
        stack.reserve(LEVEL)?;
        stack.step(TABLE)?;
        if stack.push_source(-1) {
            stack.replace(-2);
        }
        let (len, is_array) = measure(stack);
        if is_array {
            let _ = encode::write_array_len(self.out, len);
            for number in 1..=len {
                stack.push_element(-1, number as i32);
                self.take_value(stack, depth + 1)?;
            }
            return Ok(());
        }
        let _ = encode::write_map_len(self.out, len);
        stack.push_nil();
        while stack.next(-2) {
            stack.push_copy(-2);
            self.take_value(stack, depth + 1)?;
            self.take_value(stack, depth + 1)?;
        }
        Ok(())
    }
}

/// How many entries the table on top has, and whether their keys are all integers from 1 to that.
fn measure(stack: &mut Stack<'_>) -> (u32, bool) {
    let (mut len, mut most, mut are_numbers) = (0, 0.0, true);
    stack.push_nil();
    while stack.next(-2) {
        stack.pop(1);
        let number = stack.number(-1).filter(|key| *key >= 1.0 && *key <= i32::MAX.into() && key.fract() == 0.0);
        are_numbers &= number.is_some();
        most = number.unwrap_or_default().max(most);
        len += 1;
    }
    (len, are_numbers && most == f64::from(len))
}

fn unpack(stack: &mut Stack<'_>) -> Outcome {
    unpack_some(stack, 0, 0)
}

fn unpack_one(stack: &mut Stack<'_>) -> Outcome {
    let offset = given_integer(stack, 2, 0)?;
    stack.set_top(stack.top().min(1));
    unpack_some(stack, 1, offset)
}

fn unpack_limit(stack: &mut Stack<'_>) -> Outcome {
    let limit = want_integer(stack, 2)?;
    let offset = given_integer(stack, 3, 0)?;
    stack.set_top(1);
    unpack_some(stack, limit, offset)
}

/// Reads values until the end, or as many as `limit` from an offset; then where it has stopped is returned before them, or
/// -1 for the end.
fn unpack_some(stack: &mut Stack<'_>, limit: i64, offset: i64) -> Outcome {
    want_string(stack, 1)?;
    let len = stack.len(1);
    let (Ok(most), Ok(mut at)) = (usize::try_from(limit), usize::try_from(offset)) else {
        // The second number is not the limit, as scripts have always seen it.
        let (offset, limit) = (offset as i32, len as i32);
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {limit}.");
        return Err(stack.raise(text.as_bytes()));
    };
    if at > len {
        let text = format!("Start offset {} greater than input length {}.", offset as i32, len as i32);
        return Err(stack.raise(text.as_bytes()));
    }
    let is_all = most == 0 && at == 0;
    let before = stack.top();
    let mut decoder = Decoder { at, values: 0, open: Vec::new() };
    while decoder.at < len && (is_all || ((stack.top() - before) as usize) < most) {
        decoder.push_value(stack)?;
    }
    at = decoder.at;
    if !is_all {
        if !stack.has_room(1) {
            return Err(stack.raise(TOO_MANY));
        }
        stack.push_number(if at == len { -1.0 } else { at as f64 });
        stack.insert(before + 1);
    }
    Ok(stack.top() - before)
}

const TOO_MANY: &[u8] = b"stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)";
const TOO_DEEP: &[u8] = b"stack overflow (in function mp_decode_to_lua_array)";
const TOO_SHORT: &[u8] = b"Missing bytes in input.";
const BAD: &[u8] = b"Bad data format in input.";

/// What a value begins with.
enum Item {
    Nil,
    Bool(bool),
    Number(f64),
    String(Range<usize>),
    Array(u32),
    Map(u32),
}

/// A table that is being filled. It is on the stack, and above it the key of the value that comes next, if there is one.
struct Open {
    /// Entries that are still to come.
    left: u32,
    /// Of an array the number of the next element, of a map nothing.
    number: Option<u32>,
    has_key: bool,
}

/// Reads values from the string that is the first argument. How deep they are is bounded by Lua's stack, not by Rust's.
struct Decoder {
    at: usize,
    values: usize,
    open: Vec<Open>,
}

impl Decoder {
    /// Pushes one value.
    fn push_value(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        loop {
            self.values += 1;
            if stack.spare() == 0 || self.values > MOST_VALUES {
                return Err(stack.raise_out_of_memory());
            }
            stack.step(1)?;
            if self.at == stack.len(1) {
                return Err(stack.raise(TOO_SHORT));
            }
            if !stack.has_room(1) {
                return Err(stack.raise(TOO_MANY));
            }
            let item = match read_item(stack.bytes(1).unwrap_or_default(), &mut self.at) {
                Ok(item) => item,
                Err(text) => return Err(stack.raise(text)),
            };
            match item {
                Item::Nil => stack.push_nil(),
                Item::Bool(value) => stack.push_bool(value),
                Item::Number(value) => stack.push_number(value),
                Item::String(range) => stack.push_part(1, range),
                Item::Array(len) => {
                    stack.push_table(0, 0);
                    if !stack.has_room(1) {
                        return Err(stack.raise(TOO_DEEP));
                    }
                    if len > 0 {
                        stack.push_number(1.0);
                        self.open.push(Open { left: len, number: Some(1), has_key: true });
                        continue;
                    }
                }
                Item::Map(len) => {
                    stack.push_table(0, 0);
                    if len > 0 {
                        self.open.push(Open { left: len, number: None, has_key: false });
                        continue;
                    }
                }
            }
            if self.put(stack)? {
                return Ok(());
            }
        }
    }

    /// Puts the value on top into the table that it is in, which may be complete then and is a value itself. Returns
    /// whether there is none around it.
    fn put(&mut self, stack: &mut Stack<'_>) -> Result<bool, Raised> {
        while let Some(open) = self.open.last_mut() {
            if !open.has_key {
                open.has_key = true;
                return Ok(false);
            }
            stack.set(-3)?;
            open.left -= 1;
            if open.left > 0 {
                open.has_key = open.number.is_some();
                if let Some(number) = &mut open.number {
                    *number += 1;
                    stack.push_number((*number).into());
                }
                return Ok(false);
            }
            self.open.pop();
        }
        Ok(true)
    }
}

/// Reads what a value begins with, and all of a value that is no table.
fn read_item(text: &[u8], at: &mut usize) -> Result<Item, &'static [u8]> {
    let marker = Marker::from_u8(u8::from_be_bytes(take(text, at)?));
    Ok(match marker {
        Marker::Null => Item::Nil,
        Marker::False => Item::Bool(false),
        Marker::True => Item::Bool(true),
        Marker::FixPos(value) => Item::Number(value.into()),
        Marker::FixNeg(value) => Item::Number(value.into()),
        Marker::U8 => Item::Number(u8::from_be_bytes(take(text, at)?).into()),
        Marker::U16 => Item::Number(u16::from_be_bytes(take(text, at)?).into()),
        Marker::U32 => Item::Number(u32::from_be_bytes(take(text, at)?).into()),
        // Scripts see both as signed.
        Marker::U64 | Marker::I64 => Item::Number(i64::from_be_bytes(take(text, at)?) as f64),
        Marker::I8 => Item::Number(i8::from_be_bytes(take(text, at)?).into()),
        Marker::I16 => Item::Number(i16::from_be_bytes(take(text, at)?).into()),
        Marker::I32 => Item::Number(i32::from_be_bytes(take(text, at)?).into()),
        Marker::F32 => Item::Number(f32::from_be_bytes(take(text, at)?).into()),
        Marker::F64 => Item::Number(f64::from_be_bytes(take(text, at)?)),
        Marker::FixStr(len) => string(text, at, len.into())?,
        Marker::Str8 => {
            let len = u8::from_be_bytes(take(text, at)?);
            string(text, at, len.into())?
        }
        Marker::Str16 => {
            let len = u16::from_be_bytes(take(text, at)?);
            string(text, at, len.into())?
        }
        Marker::Str32 => {
            let len = u32::from_be_bytes(take(text, at)?);
            string(text, at, len)?
        }
        Marker::FixArray(len) => Item::Array(len.into()),
        Marker::Array16 => Item::Array(u16::from_be_bytes(take(text, at)?).into()),
        Marker::Array32 => Item::Array(u32::from_be_bytes(take(text, at)?)),
        Marker::FixMap(len) => Item::Map(len.into()),
        Marker::Map16 => Item::Map(u16::from_be_bytes(take(text, at)?).into()),
        Marker::Map32 => Item::Map(u32::from_be_bytes(take(text, at)?)),
        _ => return Err(BAD),
    })
}

fn take<const N: usize>(text: &[u8], at: &mut usize) -> Result<[u8; N], &'static [u8]> {
    let taken = text.get(*at..).and_then(<[u8]>::first_chunk).ok_or(TOO_SHORT)?;
    *at += N;
    Ok(*taken)
}

fn string(text: &[u8], at: &mut usize, len: u32) -> Result<Item, &'static [u8]> {
    let begin = *at;
    let len = len as usize;
    if text.len() - begin < len {
        return Err(TOO_SHORT);
    }
    *at += len;
    Ok(Item::String(begin..*at))
}
