//! Binary structures: the table `struct`.

use super::base::{given_integer, want_number, want_string};
use super::lua::{Function, Outcome, Raised, Stack};
use super::replies::cut;

const FUNCTIONS: &[(&[u8], Function)] = &[(b"pack", pack), (b"size", size), (b"unpack", unpack)];

/// Bytes that an integer may have.
const MOST_SIZE: usize = 32;
/// Where `!` without a number puts items.
const NATURAL_ALIGNMENT: i32 = 8;

/// Pushes the table.
pub(super) fn push(stack: &mut Stack<'_>) {
    stack.push_library(FUNCTIONS);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Endian {
    Little,
    Big,
}

/// A format string, of which one option after the other is read.
struct Format {
    text: Vec<u8>,
    at: usize,
    endian: Endian,
    /// A power of two.
    alignment: usize,
}

/// What stands in a format.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Item {
    option: u8,
    /// 0 where the option has none of its own.
    size: usize,
}

impl Format {
    /// The first argument, up to a zero byte.
    fn of(stack: &mut Stack<'_>) -> Result<Format, Raised> {
        want_string(stack, 1)?;
        let text = stack.bytes(1).unwrap_or_default();
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        let endian = if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };
        Ok(Format { text, at: 0, endian, alignment: 1 })
    }

    /// The next option, also one that is none.
    fn next(&mut self, stack: &mut Stack<'_>) -> Result<Option<Item>, Raised> {
        let Some(&option) = self.text.get(self.at) else { return Ok(None) };
        self.at += 1;
        stack.step(1)?;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.number(stack, 1)? as usize,
            b'i' | b'I' => {
                let size = self.number(stack, 4)?;
                if size as usize > MOST_SIZE {
                    let text = format!("integral size {size} is larger than limit of {MOST_SIZE}");
                    return Err(stack.raise(text.as_bytes()));
                }
                size as usize
            }
            _ => 0,
        };
        Ok(Some(Item { option, size }))
    }

    /// The number that comes next, if there is one; never negative.
    fn number(&mut self, stack: &mut Stack<'_>, default: i32) -> Result<i32, Raised> {
        let mut number = None;
        while let Some(digit) = self.text.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            let digit = i32::from(digit - b'0');
            let grown = number.unwrap_or(0_i32).checked_mul(10).and_then(|number| number.checked_add(digit));
            number = Some(grown.ok_or_else(|| stack.raise(b"integral size overflow"))?);
            self.at += 1;
            stack.step(1)?;
        }
        Ok(number.unwrap_or(default))
    }

    /// Bytes to leave free at a place, so that an item lies as it should.
    fn padding(&self, at: usize, item: Item) -> usize {
        if item.size == 0 || item.option == b'c' {
            return 0;
        }
        // A size that is no power of two has always been aligned like this.
        let size = item.size.min(self.alignment);
        size.wrapping_sub(at & (size - 1)) & (size - 1)
    }

    /// Obeys an option that stands for no item.
    fn obey(&mut self, stack: &mut Stack<'_>, option: u8) -> Result<(), Raised> {
        match option {
            b' ' => {}
            b'<' => self.endian = Endian::Little,
            b'>' => self.endian = Endian::Big,
            b'!' => {
                let alignment = self.number(stack, NATURAL_ALIGNMENT)?;
                if !(alignment as usize).is_power_of_two() {
                    return Err(stack.raise(format!("alignment {alignment} is not a power of 2").as_bytes()));
                }
                self.alignment = alignment as usize;
            }
            _ => return Err(stack.bad_argument(1, [b"invalid format option '", &[option][..], b"'"].concat())),
        }
        Ok(())
    }

    /// Little-endian bytes as the format wants them, or the other way round.
    fn turn(&self, bytes: &mut [u8]) {
        if self.endian == Endian::Big {
            bytes.reverse();
        }
    }
}

fn size(stack: &mut Stack<'_>) -> Outcome {
    let mut format = Format::of(stack)?;
    let mut total = 0_usize;
    while let Some(item) = format.next(stack)? {
        total += format.padding(total, item);
        let variable = match item {
            Item { option: b's', .. } => Some("s"),
            Item { option: b'c', size: 0 } => Some("c0"),
            _ => None,
        };
        if let Some(name) = variable {
            return Err(stack.bad_argument(1, format!("option '{name}' has no fixed size")));
        }
        // Letters and digits that mean nothing are passed over here, and only here.
        if !item.option.is_ascii_alphanumeric() {
            format.obey(stack, item.option)?;
        }
        total += item.size;
    }
    stack.push_number(total as f64);
    Ok(1)
}

fn pack(stack: &mut Stack<'_>) -> Outcome {
    let mut format = Format::of(stack)?;
    // What is missing is nil.
    stack.push_nil();
    let mut number = 2;
    stack.host().with_buffer(|out| {
        let most = stack.spare();
        while let Some(mut item) = format.next(stack)? {
            out.resize(out.len() + format.padding(out.len(), item), 0);
            let begin = out.len();
            match item.option {
                b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                    let value = wrap(want_number(stack, number)?);
                    let mut bytes = [0; MOST_SIZE];
                    bytes[..8].copy_from_slice(&value.to_le_bytes());
                    out.extend_from_slice(&bytes[..item.size]);
                    format.turn(&mut out[begin..]);
                }
                b'f' => {
                    out.extend_from_slice(&(want_number(stack, number)? as f32).to_le_bytes());
                    format.turn(&mut out[begin..]);
                }
                b'd' => {
                    out.extend_from_slice(&want_number(stack, number)?.to_le_bytes());
                    format.turn(&mut out[begin..]);
                }
                b'c' | b's' => {
                    want_string(stack, number)?;
                    let text = stack.bytes(number).unwrap_or_default();
                    if item.size == 0 {
                        item.size = text.len();
                    }
                    let Some(text) = text.get(..item.size) else {
                        return Err(stack.bad_argument(number + 1, "string too short"));
                    };
                    if text.len() > most.saturating_sub(out.len()) {
                        return Err(stack.raise_out_of_memory());
                    }
                    out.extend_from_slice(text);
                    out.extend((item.option == b's').then_some(0));
                }
                b'x' => out.push(0),
                option => format.obey(stack, option)?,
            }
            number += i32::from(item.option.is_ascii_alphabetic() && item.option != b'x');
        }
        stack.push_bytes(out);
        Ok(1)
    })
}

fn unpack(stack: &mut Stack<'_>) -> Outcome {
    const TOO_SHORT: &str = "data string too short";
    let mut format = Format::of(stack)?;
    want_string(stack, 2)?;
    let len = stack.len(2);
    // Negative places are far behind the end.
    let Some(mut at) = (given_integer(stack, 3, 1)? as usize).checked_sub(1) else {
        return Err(stack.bad_argument(3, "offset must be 1 or greater"));
    };
    let before = stack.top();
    while let Some(mut item) = format.next(stack)? {
        at = at.wrapping_add(format.padding(at, item));
        let is_there = |at: usize, size: usize| size <= len && at <= len - size;
        if !is_there(at, item.size) {
            return Err(stack.bad_argument(2, TOO_SHORT));
        }
        if !stack.has_room(2) {
            return Err(stack.raise(b"stack overflow (too many results)"));
        }
        match item.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = read_integer(&format, part(stack, at, item.size), item.option.is_ascii_lowercase());
                stack.push_number(value);
            }
            b'f' => {
                let mut bytes = [0; 4];
                bytes.copy_from_slice(part(stack, at, 4));
                format.turn(&mut bytes);
                stack.push_number(f32::from_le_bytes(bytes).into());
            }
            b'd' => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(part(stack, at, 8));
                format.turn(&mut bytes);
                stack.push_number(f64::from_le_bytes(bytes));
            }
            b'c' => {
                if item.size == 0 {
                    let given = stack.as_number(-1).filter(|_| stack.top() > before);
                    let Some(given) = given else {
                        return Err(stack.raise(b"format 'c0' needs a previous size"));
                    };
                    stack.pop(1);
                    item.size = wrap(given) as usize;
                    if !is_there(at, item.size) {
                        return Err(stack.bad_argument(2, TOO_SHORT));
                    }
                }
                stack.push_part(2, at..at + item.size);
            }
            b's' => {
                let Some(len) = part(stack, at, len - at).iter().position(|byte| *byte == 0) else {
                    return Err(stack.raise(b"unfinished string in data"));
                };
                stack.push_part(2, at..at + len);
                item.size = len + 1;
            }
            b'x' => {}
            option => format.obey(stack, option)?,
        }
        at += item.size;
    }
    stack.push_number(at.wrapping_add(1) as i64 as f64);
    Ok(stack.top() - before)
}

/// A part of the data, which is the second argument.
fn part<'s>(stack: &'s Stack<'_>, at: usize, size: usize) -> &'s [u8] {
    &stack.bytes(2).unwrap_or_default()[at..at + size]
}

/// A double as 64 bits of an integer, signed or not, as a processor cuts it.
fn wrap(number: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if number >= HALF { cut(number - HALF) as u64 ^ (1 << 63) } else { cut(number) as u64 }
}

/// Reads an integer of any size, of which the lowest 64 bits count. The sign of one that is longer is looked for where it
/// would be if it had so many bits less, as processors shift.
fn read_integer(format: &Format, bytes: &[u8], is_signed: bool) -> f64 {
    let join = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
    let bits = match format.endian {
        Endian::Little => bytes.iter().rev().fold(0, join),
        Endian::Big => bytes.iter().fold(0, join),
    };
    if !is_signed {
        return bits as f64;
    }
    let sign = u64::MAX.wrapping_shl((bytes.len() as u32 * 8).wrapping_sub(1));
    (if bits & sign == 0 { bits } else { bits | sign }) as i64 as f64
}
