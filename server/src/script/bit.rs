//! Operations on the bits of integers: the table `bit`.

use super::base::want_number;
use super::lua::{Function, Kind, Outcome, Raised, Stack};

const FUNCTIONS: &[(&[u8], Function)] = &[
    (b"tobit", |stack| change(stack, |bits| bits)),
    (b"bnot", |stack| change(stack, |bits| !bits)),
    (b"bswap", |stack| change(stack, u32::swap_bytes)),
    (b"tohex", tohex),
    (b"band", |stack| combine(stack, |one, other| one & other)),
    (b"bor", |stack| combine(stack, |one, other| one | other)),
    (b"bxor", |stack| combine(stack, |one, other| one ^ other)),
    (b"lshift", |stack| shift(stack, |bits, by| bits << by)),
    (b"rshift", |stack| shift(stack, |bits, by| bits >> by)),
    (b"arshift", |stack| shift(stack, |bits, by| (bits as i32 >> by) as u32)),
    (b"rol", |stack| shift(stack, u32::rotate_left)),
    (b"ror", |stack| shift(stack, u32::rotate_right)),
];

/// Pushes the table.
pub(super) fn push(stack: &mut Stack<'_>) {
    stack.push_library(FUNCTIONS);
}

/// An argument as 32 bits: rounded to an integer, to the even one of two that are as near, and cut. Beyond 2^51 other bits
/// come out, as scripts have always had it: of a double so large that it ends above its own lowest bits.
fn want_bits(stack: &mut Stack<'_>, number: i32) -> Result<u32, Raised> {
    // With this added, the fraction of a double begins with the bits of the integer.
    const ALIGN: f64 = ((1_u64 << 52) + (1 << 51)) as f64;
    Ok((want_number(stack, number)? + ALIGN).to_bits() as u32)
}

/// Pushes 32 bits as the signed integer that they are.
fn push_bits(stack: &mut Stack<'_>, bits: u32) -> Outcome {
    stack.push_number(f64::from(bits as i32));
    Ok(1)
}

fn change(stack: &mut Stack<'_>, change: impl Fn(u32) -> u32) -> Outcome {
    let bits = want_bits(stack, 1)?;
    push_bits(stack, change(bits))
}

/// One or more arguments. The first is looked at first and the others from the last, which shows where several are wrong.
fn combine(stack: &mut Stack<'_>, combine: impl Fn(u32, u32) -> u32) -> Outcome {
    let mut bits = want_bits(stack, 1)?;
    for number in (2..=stack.top()).rev() {
        bits = combine(bits, want_bits(stack, number)?);
    }
    push_bits(stack, bits)
}

fn shift(stack: &mut Stack<'_>, shift: impl Fn(u32, u32) -> u32) -> Outcome {
    let bits = want_bits(stack, 1)?;
    let by = want_bits(stack, 2)? & 31;
    push_bits(stack, shift(bits, by))
}

/// The lowest digits, eight of them or as many as asked for; in capitals if asked for by a negative number.
fn tohex(stack: &mut Stack<'_>) -> Outcome {
    const MOST: usize = 8;
    let bits = want_bits(stack, 1)?;
    let asked = match stack.kind(2) {
        Kind::None => MOST as i32,
        _ => want_bits(stack, 2)? as i32,
    };
    let text = if asked < 0 { format!("{bits:08X}") } else { format!("{bits:08x}") };
    let count = MOST.min(asked.unsigned_abs() as usize);
    stack.push_bytes(&text.as_bytes()[MOST - count..]);
    Ok(1)
}
