//! The HyperLogLog family: about how many different elements there have been.

use super::is;
use crate::command::{Command, Flags, Group, KeySpec, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::shard::{Edit, Expiry, NewString};
use resplite_storage::types::hyperloglog::{self, HyperLogLogError, Registers, Run};

pub(crate) const COMMANDS: &[Command] = &[PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST];

/// PFCOUNT keeps the count inside the value.
const COUNTED: &[&str] = &["RW", "ACCESS"];

impl From<HyperLogLogError> for CommandError {
    fn from(error: HyperLogLogError) -> Self {
        match error {
            HyperLogLogError::NotOne => CommandError::NOT_A_HYPERLOGLOG,
            _ => CommandError::CORRUPTED_HYPERLOGLOG,
        }
    }
}

const PFADD: Command = Command::write(Group::HyperLogLog, "pfadd", pfadd)
    .arity(-2)
    .key(usage::INSERT, 1)
    .deny_oom()
    .fast()
    .since("2.8.9")
    .doc("Adds elements; says whether the estimate may have changed.")
    .syntax("key [element [element ...]]");

fn pfadd(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let most = most_sparse(ctx);
    let is_new = !check(ctx, &args[1])?;
    if is_new {
        ctx.set_string(&args[1], NewString::Bytes(&hyperloglog::new()), Expiry::Never);
        ctx.notify_if_created(&args[1]);
    }
    let (has_changed, damage) = edit(ctx, &args[1], |bytes| {
        let (mut has_changed, mut damage) = (false, None);
        for element in args.iter().skip(2) {
            match hyperloglog::add(bytes, element, most) {
                Ok(changed) => has_changed |= changed,
                Err(error) => {
                    damage = Some(error);
                    break;
                }
            }
        }
        if is_new {
            hyperloglog::forget_count(bytes);
        }
        Ok(((has_changed, damage), has_changed))
    })?;
    if let Some(error) = damage {
        // What came before it has been added all the same, and the log says so: it fails there, too.
        return Err(error.into());
    }
    if is_new || has_changed {
        ctx.notify(EventClasses::STRING, "pfadd", &args[1]);
    }
    out.int((is_new || has_changed).into());
    Ok(())
}

const PFCOUNT: Command = Command::read(Group::HyperLogLog, "pfcount", pfcount)
    .arity(-2)
    .keys(KeySpec::range(COUNTED, 1, -1, 1))
    .flag(Flags::MAY_REPLICATE)
    .since("2.8.9")
    .doc("About how many different elements have been added, to any of the keys if there are several.")
    .syntax("key [key ...]");

fn pfcount(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut registers = Registers::default();
    if args.len() > 2 {
        for key in args.iter().skip(1) {
            merge(ctx, key, &mut registers)?;
        }
        out.int(registers.count() as i64);
        return Ok(());
    }
    // Looked up as what it is: a read, whose miss is told.
    let kept = match ctx.entry(&args[1]) {
        None => {
            out.int(0);
            return Ok(());
        }
        Some(entry) => {
            let string = entry.string().ok_or(CommandError::WRONG_TYPE)?;
            string.with_bytes(|bytes| hyperloglog::check(bytes).map(|()| hyperloglog::kept_count(bytes)))?
        }
    };
    let count = match kept {
        Some(count) => count,
        None => {
            merge(ctx, &args[1], &mut registers)?;
            let count = registers.count();
            if !ctx.engine.log.has_failed() {
                edit(ctx, &args[1], |bytes| {
                    hyperloglog::keep_count(bytes, count);
                    Ok(((), true))
                })?;
                ctx.log_besides(&[b"PFCOUNT", &args[1]]);
            }
            count
        }
    };
    out.int(count as i64);
    Ok(())
}

const PFMERGE: Command = Command::write(Group::HyperLogLog, "pfmerge", pfmerge)
    .arity(-2)
    .keys(KeySpec::one(&["RW", "ACCESS", "INSERT"], 1))
    .keys(KeySpec::range(usage::READ, 2, -1, 1))
    .deny_oom()
    .since("2.8.9")
    .doc("Adds to the first key all that the others have seen.")
    .syntax("destkey [sourcekey [sourcekey ...]]");

fn pfmerge(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let most = most_sparse(ctx);
    let mut registers = Registers::default();
    let mut is_dense = false;
    for key in args.iter().skip(1) {
        is_dense |= merge(ctx, key, &mut registers)?;
    }
    if ctx.peek(&args[1]).is_none() {
        ctx.set_string(&args[1], NewString::Bytes(&hyperloglog::new()), Expiry::Never);
        ctx.notify_if_created(&args[1]);
    }
    edit(ctx, &args[1], |bytes| {
        if is_dense {
            hyperloglog::make_dense(bytes)?;
        }
        registers.write_to(bytes, most)?;
        Ok(((), true))
    })?;
    ctx.notify(EventClasses::STRING, "pfadd", &args[1]);
    out.ok();
    Ok(())
}

const PFDEBUG: Command = Command::write(Group::HyperLogLog, "pfdebug", pfdebug)
    .arity(3)
    .key(&["RW", "ACCESS"], 2)
    .deny_oom()
    .flag(Flags::ADMIN)
    .since("2.8.9")
    .doc("Shows how a value is made: ENCODING, DECODE, GETREG; TODENSE changes it.")
    .syntax("subcommand key");

fn pfdebug(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if !check(ctx, &args[2])? {
        return Err(CommandError::NO_SUCH_HYPERLOGLOG);
    }
    match &args[1] {
        word if is(word, "encoding") => {
            out.simple(if look(ctx, &args[2], hyperloglog::is_dense)? { "dense" } else { "sparse" });
        }
        word if is(word, "decode") => {
            let words = look(ctx, &args[2], |bytes| {
                let is_sparse = !hyperloglog::is_dense(bytes);
                is_sparse.then(|| hyperloglog::runs(bytes).map(describe).collect::<Vec<_>>())
            })?;
            out.bulk(words.ok_or(CommandError::HYPERLOGLOG_NOT_SPARSE)?.join(" "));
        }
        word if is(word, "getreg") => {
            // As in Redis, who looks at the registers has the value made dense.
            to_dense(ctx, &args[2])?;
            let mut registers = Registers::default();
            merge(ctx, &args[2], &mut registers)?;
            out.array(registers.values().len());
            registers.values().iter().for_each(|value| out.int(i64::from(*value)));
        }
        word if is(word, "todense") => out.int(to_dense(ctx, &args[2])?.into()),
        word => return Err(CommandError::quoting("ERR Unknown PFDEBUG subcommand '", word, "'")),
    }
    Ok(())
}

/// A run as PFDEBUG shows it.
fn describe(run: Run) -> String {
    match run {
        Run::Zeros(len) => format!("z:{len}"),
        Run::ManyZeros(len) => format!("Z:{len}"),
        Run::Values { value, len } => format!("v:{value},{len}"),
    }
}

/// Makes a value dense; returns whether it was not.
fn to_dense(ctx: &mut Ctx<'_>, key: &[u8]) -> CmdResult<bool> {
    edit(ctx, key, |bytes| {
        let was_sparse = !hyperloglog::is_dense(bytes);
        hyperloglog::make_dense(bytes)?;
        Ok((was_sparse, was_sparse))
    })
}

const PFSELFTEST: Command = Command::control(Group::HyperLogLog, "pfselftest", pfselftest)
    .flag(Flags::ADMIN)
    .since("2.8.9")
    .doc("Adds elements and looks whether both forms agree and the estimates are as good as they should be.");

fn pfselftest(_: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    const ELEMENTS: u64 = 100_000;
    /// Six times the standard error.
    const MOST_ERROR: f64 = 0.0487;
    let (mut dense, mut sparse) = (hyperloglog::new(), hyperloglog::new());
    hyperloglog::make_dense(&mut dense)?;
    let mut next_look = 1;
    for number in 1..=ELEMENTS {
        let element = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        let changes =
            [&mut dense, &mut sparse].map(|bytes| hyperloglog::add(bytes, &element, hyperloglog::USUAL_SPARSE_BYTES));
        let [by_dense, by_sparse] = changes;
        if by_dense? != by_sparse? {
            return Err(CommandError::text("ERR TESTFAILED dense and sparse forms disagree"));
        }
        if number == next_look {
            next_look *= 10;
            let mut counts = [0; 2];
            for (bytes, count) in [&dense, &sparse].into_iter().zip(&mut counts) {
                let mut registers = Registers::default();
                registers.merge(bytes)?;
                *count = registers.count();
            }
            let error = (counts[0] as f64 - number as f64).abs();
            if counts[0] != counts[1] || error > (number as f64 * MOST_ERROR).ceil() {
                return Err(CommandError::text(format!("ERR TESTFAILED {counts:?} for {number} elements")));
            }
        }
    }
    out.ok();
    Ok(())
}

fn most_sparse(ctx: &Ctx<'_>) -> usize {
    usize::try_from(ctx.settings().hll_sparse_max_bytes).unwrap_or(usize::MAX)
}

/// Whether there is a key, which must hold a HyperLogLog then.
fn check(ctx: &mut Ctx<'_>, key: &[u8]) -> CmdResult<bool> {
    if ctx.peek(key).is_none() {
        return Ok(false);
    }
    look(ctx, key, hyperloglog::check)??;
    Ok(true)
}

/// Looks at the bytes of a key that is there.
fn look<R>(ctx: &mut Ctx<'_>, key: &[u8], look: impl FnOnce(&[u8]) -> R) -> CmdResult<R> {
    let string = ctx.peek(key).and_then(|entry| entry.string()).ok_or(CommandError::WRONG_TYPE)?;
    Ok(string.with_bytes(look))
}

/// Raises registers to those of a key; returns whether its value is dense. A missing one has none.
fn merge(ctx: &mut Ctx<'_>, key: &[u8], registers: &mut Registers) -> CmdResult<bool> {
    if !check(ctx, key)? {
        return Ok(false);
    }
    look(ctx, key, |bytes| registers.merge(bytes).map(|()| hyperloglog::is_dense(bytes)))?.map_err(Into::into)
}

/// Changes the bytes of a key that is there; `change` says what came of it and whether that is a change of the key.
fn edit<R>(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    change: impl FnOnce(&mut Vec<u8>) -> Result<(R, bool), HyperLogLogError>,
) -> CmdResult<R> {
    let access = ctx.access();
    let edited = ctx.update_entry(key, |entry| {
        entry.note_use(access);
        match entry.edit_string(change) {
            None => Edit::unchanged(Err(CommandError::WRONG_TYPE)),
            Some(Err(error)) => Edit::unchanged(Err(error.into())),
            Some(Ok((result, changed))) => Edit { result: Ok(result), changed },
        }
    });
    edited.unwrap_or(Err(CommandError::WRONG_TYPE))
}
