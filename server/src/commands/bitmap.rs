//! The bitmap family: strings whose bits are looked at and changed.

use super::{int, is};
use crate::command::{Command, Group, KeySpec, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::shard::Edit;
use resplite_storage::types::bitmap::{self, Field, Operation, Overflow};
use std::borrow::Cow;
use std::ops::Range;

pub(crate) const COMMANDS: &[Command] = &[SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP, BITFIELD, BITFIELD_RO];

const fn read(name: &'static str, handler: crate::command::Handler) -> Command {
    Command::read(Group::Bitmap, name, handler)
}

const fn write(name: &'static str, handler: crate::command::Handler) -> Command {
    Command::write(Group::Bitmap, name, handler)
}

const SETBIT: Command = write("setbit", setbit)
    .arity(4)
    .key(usage::UPDATE_ACCESS, 1)
    .deny_oom()
    .since("2.2.0")
    .doc("Sets or clears a bit of a string, which grows if need be; returns what it was.")
    .syntax("key offset value");

fn setbit(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let offset = offset(ctx, number::parse_i64(&args[2]))?;
    let on = match number::parse_i64(&args[3]) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(CommandError::BIT_VALUE),
    };
    let was = edit_bits(ctx, &args[1], (offset / 8 + 1) as usize, |bytes, has_grown| {
        let was = bitmap::set(bytes, offset, on);
        Edit::when(has_grown || was != on, was)
    })?;
    out.int(i64::from(was));
    Ok(())
}

/// The offset of a bit, unless it is out of reach.
fn offset(ctx: &Ctx<'_>, given: Option<i64>) -> CmdResult<u64> {
    let offset = given.and_then(|given| u64::try_from(given).ok());
    offset.filter(|offset| offset / 8 < ctx.settings().proto_max_bulk_len).ok_or(CommandError::BIT_OFFSET)
}

/// Changes the bits of a string of at least `len` bytes, as which it is made if there is none. `edit` hears whether bytes were
/// added, and says whether there is something to tell those who listen.
fn edit_bits<R>(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    len: usize,
    edit: impl FnOnce(&mut [u8], bool) -> Edit<R>,
) -> CmdResult<R> {
    let Edit { result, changed } = if ctx.peek(key).is_none() {
        let mut bytes = vec![0; len];
        let edit = edit(&mut bytes, true);
        ctx.set_raw(key, bytes);
        edit
    } else {
        let access = ctx.access();
        let edited = ctx.update_entry(key, |entry| {
            entry.note_use(access);
            let edited = entry.edit_string(|bytes| {
                let has_grown = bitmap::grow(bytes, len);
                (edit(bytes, has_grown), has_grown)
            });
            Edit::when(edited.as_ref().is_some_and(|(edit, has_grown)| edit.changed || *has_grown), edited)
        });
        edited.flatten().ok_or(CommandError::WRONG_TYPE)?.0
    };
    if changed {
        ctx.notify(EventClasses::STRING, "setbit", key);
    }
    Ok(result)
}

const GETBIT: Command = read("getbit", getbit)
    .arity(3)
    .key(usage::READ, 1)
    .fast()
    .since("2.2.0")
    .doc("A bit of a string; 0 behind its end.")
    .syntax("key offset");

fn getbit(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let offset = offset(ctx, number::parse_i64(&args[2]))?;
    let value = ctx.string(&args[1])?;
    let bit = value.is_some_and(|value| value.with_bytes(|bytes| bitmap::get(bytes, offset)));
    out.int(i64::from(bit));
    Ok(())
}

/// The part of a string that a command looks at.
struct Span {
    start: i64,
    /// Without it, the last byte.
    end: Option<i64>,
    /// They count bits, not bytes.
    in_bits: bool,
}

impl Span {
    const WHOLE: Span = Span { start: 0, end: None, in_bits: false };

    /// Whether the unit is bits.
    fn unit(word: &[u8]) -> CmdResult<bool> {
        match word {
            word if is(word, "bit") => Ok(true),
            word if is(word, "byte") => Ok(false),
            _ => Err(CommandError::SYNTAX),
        }
    }

    /// The bits of a string of `len` bytes that it covers. What is before the beginning is taken for the beginning.
    fn of(&self, len: usize) -> Range<u64> {
        let unit = if self.in_bits { 1 } else { 8 };
        let total = (len * 8 / unit) as i64;
        let from_end = |index: i64| if index < 0 { index.saturating_add(total).max(0) } else { index };
        let (start, end) = (from_end(self.start), from_end(self.end.unwrap_or(-1)).min(total - 1));
        if start > end { 0..0 } else { start as u64 * unit as u64..(end as u64 + 1) * unit as u64 }
    }
}

const BITCOUNT: Command = read("bitcount", bitcount)
    .arity(-2)
    .key(usage::READ, 1)
    .since("2.6.0")
    .doc("How many bits of a string, or of a part of it, are set.")
    .syntax("key [start end [BYTE | BIT]]");

fn bitcount(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let span = match args.len() {
        2 => Span::WHOLE,
        4 | 5 => {
            let (start, end) = (int(&args[2])?, int(&args[3])?);
            Span { start, end: Some(end), in_bits: args.get(4).map_or(Ok(false), Span::unit)? }
        }
        _ => return Err(CommandError::SYNTAX),
    };
    let value = ctx.string(&args[1])?;
    // Both before the beginning, the wrong way round: nothing, though each by itself would be the beginning.
    let is_reversed = span.end.is_some_and(|end| span.start < 0 && end < 0 && span.start > end);
    let count = match value {
        Some(value) if !is_reversed => value.with_bytes(|bytes| bitmap::count_in(bytes, span.of(bytes.len()))),
        _ => 0,
    };
    out.int(count as i64);
    Ok(())
}

const BITPOS: Command = read("bitpos", bitpos)
    .arity(-3)
    .key(usage::READ, 1)
    .since("2.8.7")
    .doc("The first bit of a string, or of a part of it, that is 1 or 0; -1 if there is none.")
    .syntax("key bit [start [end [BYTE | BIT]]]");

fn bitpos(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let on = match int(&args[2])? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::BIT_ARGUMENT),
    };
    let span = match args.len() {
        3 => Span::WHOLE,
        4..=6 => {
            let start = int(&args[3])?;
            let in_bits = args.get(5).map_or(Ok(false), Span::unit)?;
            Span { start, end: args.get(4).map(int).transpose()?, in_bits }
        }
        _ => return Err(CommandError::SYNTAX),
    };
    let Some(value) = ctx.string(&args[1])? else {
        out.int(if on { -1 } else { 0 });
        return Ok(());
    };
    let position = value.with_bytes(|bytes| {
        let bits = span.of(bytes.len());
        // Zeros follow a string without an end: the first of them is found if no other is.
        let beyond = (!on && span.end.is_none() && !bits.is_empty()).then_some(bits.end);
        bitmap::position(bytes, on, bits).or(beyond)
    });
    out.int(position.map_or(-1, |position| position as i64));
    Ok(())
}

const BITOP: Command = write("bitop", bitop)
    .arity(-4)
    .keys(KeySpec::one(usage::OVERWRITE, 2))
    .keys(KeySpec::range(usage::READ, 3, -1, 1))
    .deny_oom()
    .since("2.6.0")
    .doc("Combines strings bit by bit and keeps the result; returns its length in bytes.")
    .syntax("<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]");

const OPERATIONS: [(&str, Operation); 8] = [
    ("AND", Operation::And),
    ("OR", Operation::Or),
    ("XOR", Operation::Xor),
    ("NOT", Operation::Not),
    ("DIFF", Operation::Diff),
    ("DIFF1", Operation::Diff1),
    ("ANDOR", Operation::AndOr),
    ("ONE", Operation::One),
];

fn bitop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let named = OPERATIONS.into_iter().find(|(name, _)| is(&args[1], name));
    let (name, operation) = named.ok_or(CommandError::SYNTAX)?;
    match (operation, args.len() - 3) {
        (Operation::Not, 2..) => return Err(CommandError::BITOP_NOT),
        (Operation::Diff | Operation::Diff1 | Operation::AndOr, 1) => return Err(CommandError::bitop_sources(name)),
        _ => {}
    }
    let sources = ctx.entries(args.iter().skip(3)).into_iter().map(|entry| match entry {
        None => Ok(Cow::Borrowed(b"".as_slice())),
        Some(entry) => entry.string().map(Cow::from).ok_or(CommandError::WRONG_TYPE),
    });
    let result = bitmap::combine(operation, &sources.collect::<CmdResult<Vec<_>>>()?);
    out.int(result.len() as i64);
    if !result.is_empty() {
        ctx.set_raw(&args[2], result);
        ctx.notify(EventClasses::STRING, "set", &args[2]);
    } else if ctx.remove(&args[2]).is_some() {
        ctx.notify(EventClasses::GENERIC, "del", &args[2]);
    }
    Ok(())
}

const BITFIELD: Command = write("bitfield", bitfield)
    .arity(-2)
    .key(&["RW", "ACCESS", "UPDATE", "VARIABLE_FLAGS"], 1)
    .deny_oom()
    .since("3.2.0")
    .doc("Reads, sets and adds to integers of any width among a string's bits.")
    .syntax(
        "key [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] \
         <SET encoding offset value | INCRBY encoding offset increment>> ...]",
    );

/// What is done with a field.
#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

struct Step {
    field: Field,
    action: Action,
    overflow: Overflow,
}

impl Step {
    fn parse_all(ctx: &Ctx<'_>, args: Args<'_>) -> CmdResult<Vec<Step>> {
        let (mut steps, mut overflow, mut at) = (Vec::new(), Overflow::Wrap, 2);
        while let Some(word) = args.get(at) {
            let left = args.len() - at - 1;
            let takes = match word {
                word if is(word, "get") && left >= 2 => 2,
                word if (is(word, "set") || is(word, "incrby")) && left >= 3 => 3,
                word if is(word, "overflow") && left >= 1 => {
                    overflow = match &args[at + 1] {
                        kind if is(kind, "wrap") => Overflow::Wrap,
                        kind if is(kind, "sat") => Overflow::Saturate,
                        kind if is(kind, "fail") => Overflow::Fail,
                        _ => return Err(CommandError::BITFIELD_OVERFLOW),
                    };
                    at += 2;
                    continue;
                }
                _ => return Err(CommandError::SYNTAX),
            };
            let field = field(ctx, &args[at + 1], &args[at + 2])?;
            let action = match takes {
                2 => Action::Get,
                _ if is(word, "set") => Action::Set(int(&args[at + 3])?),
                _ => Action::Add(int(&args[at + 3])?),
            };
            steps.push(Step { field, action, overflow });
            at += 1 + takes;
        }
        Ok(steps)
    }

    fn is_get(&self) -> bool {
        matches!(self.action, Action::Get)
    }

    /// Writes the reply; returns whether the field was written, and whether it is another number now.
    fn run(&self, bytes: &mut [u8], out: &mut Reply) -> (bool, bool) {
        let written = match self.action {
            Action::Get => {
                out.int(self.field.get(bytes));
                return (false, false);
            }
            Action::Set(value) => self.field.set(bytes, value, self.overflow),
            Action::Add(by) => self.field.add(bytes, by, self.overflow),
        };
        let Some(written) = written else {
            out.nil();
            return (false, false);
        };
        out.int(if let Action::Set(_) = self.action { written.old } else { written.new });
        (true, written.old != written.new)
    }
}

/// A field such as `u8` or `i64` at an offset, which `#` counts in fields.
fn field(ctx: &Ctx<'_>, kind: &[u8], at: &[u8]) -> CmdResult<Field> {
    let (is_signed, width) = match kind.split_first() {
        Some((b'i', width)) => (true, width),
        Some((b'u', width)) => (false, width),
        _ => return Err(CommandError::BITFIELD_TYPE),
    };
    let width = number::parse_i64(width).and_then(|width| u8::try_from(width).ok());
    let width = width.filter(|width| Field::new(is_signed, *width, 0).is_some()).ok_or(CommandError::BITFIELD_TYPE)?;
    let given = match at.strip_prefix(b"#") {
        Some(number) => number::parse_i64(number).and_then(|number| number.checked_mul(i64::from(width))),
        None => number::parse_i64(at),
    };
    Field::new(is_signed, width, offset(ctx, given)?).ok_or(CommandError::BITFIELD_TYPE)
}

fn bitfield(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let steps = Step::parse_all(ctx, args)?;
    let len = steps.iter().filter(|step| !step.is_get()).map(|step| step.field.len_needed()).max();
    let Some(len) = len else { return get_fields(ctx, &args[1], &steps, out) };
    out.array(steps.len());
    edit_bits(ctx, &args[1], len, |bytes, has_grown| {
        let mut is_told = false;
        for step in &steps {
            let (is_written, is_changed) = step.run(bytes, out);
            is_told |= is_changed || is_written && has_grown;
        }
        Edit::when(is_told, ())
    })
}

fn get_fields(ctx: &mut Ctx<'_>, key: &[u8], steps: &[Step], out: &mut Reply) -> CmdResult {
    let value = ctx.string(key)?;
    out.array(steps.len());
    let mut get_all = |bytes: &[u8]| steps.iter().for_each(|step| out.int(step.field.get(bytes)));
    match value {
        Some(value) => value.with_bytes(get_all),
        None => get_all(b""),
    }
    Ok(())
}

const BITFIELD_RO: Command = read("bitfield_ro", bitfield_ro)
    .arity(-2)
    .key(usage::READ, 1)
    .fast()
    .since("6.0.0")
    .doc("Reads integers of any width among a string's bits.")
    .syntax("key [GET encoding offset [GET encoding offset ...]]");

fn bitfield_ro(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let steps = Step::parse_all(ctx, args)?;
    if !steps.iter().all(Step::is_get) {
        return Err(CommandError::BITFIELD_ONLY_GETS);
    }
    get_fields(ctx, &args[1], &steps, out)
}
