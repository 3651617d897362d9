//! DUMP and RESTORE: one value as bytes in the format of snapshots, to keep or to carry elsewhere.

use super::{int, is};
use crate::command::{Command, Flags, Group, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::clock::Millis;
use resplite_storage::rdb::{self, Options, RestoreError};

pub(crate) const COMMANDS: &[Command] = &[DUMP, RESTORE, RESTORE_ASKING];

const DUMP: Command = Command::read(Group::Generic, "dump", dump)
    .arity(2)
    .key(usage::READ, 1)
    .since("2.6.0")
    .doc("The value of a key as bytes that RESTORE takes, here and elsewhere.")
    .syntax("key");

fn dump(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let options = Options { compress: ctx.settings().rdbcompression };
    match ctx.entry(&args[1]) {
        Some(entry) => out.bulk(rdb::dump(entry.value(), options)),
        None => out.nil(),
    }
    Ok(())
}

const SYNTAX: &str = "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]";

const RESTORE: Command = Command::write(Group::Generic, "restore", restore)
    .arity(-4)
    .key(usage::OVERWRITE, 1)
    .deny_oom()
    .categories(&["dangerous"])
    .since("2.6.0")
    .doc("Creates a key from what DUMP gave.")
    .syntax(SYNTAX);

const RESTORE_ASKING: Command = Command::write(Group::Server, "restore-asking", restore)
    .arity(-4)
    .key(usage::OVERWRITE, 1)
    .deny_oom()
    .flag(Flags::ASKING)
    .categories(&["keyspace", "dangerous"])
    .since("3.0.0")
    .doc("As RESTORE; a cluster's nodes use it among themselves.")
    .syntax(SYNTAX);

/// The options behind the payload.
#[derive(Default)]
struct RestoreOptions {
    replace: bool,
    absolute: bool,
    idle: Option<u64>,
    frequency: Option<u8>,
}

impl RestoreOptions {
    fn parse(args: Args<'_>) -> CmdResult<Self> {
        let mut options = RestoreOptions::default();
        let mut at = 4;
        while let Some(word) = args.get(at) {
            match args.get(at + 1) {
                _ if is(word, "replace") => options.replace = true,
                _ if is(word, "absttl") => options.absolute = true,
                Some(seconds) if is(word, "idletime") && options.frequency.is_none() => {
                    let seconds = u64::try_from(int(seconds)?).map_err(|_| CommandError::INVALID_IDLETIME)?;
                    options.idle = Some(seconds);
                    at += 1;
                }
                Some(frequency) if is(word, "freq") && options.idle.is_none() => {
                    let frequency = u8::try_from(int(frequency)?).map_err(|_| CommandError::INVALID_FREQ)?;
                    options.frequency = Some(frequency);
                    at += 1;
                }
                _ => return Err(CommandError::SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }
}

fn restore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let options = RestoreOptions::parse(args)?;
    let key = &args[1];
    if !options.replace && ctx.peek(key).is_some() {
        return Err(CommandError::BUSY_KEY);
    }
    let ttl = Millis::try_from(int(&args[2])?).map_err(|_| CommandError::INVALID_TTL)?;
    let value = rdb::restore(&args[3], &ctx.limits()).map_err(|error| match error {
        RestoreError::Checksum => CommandError::BAD_PAYLOAD,
        RestoreError::Format => CommandError::BAD_FORMAT,
    })?;
    let deadline = match ttl {
        0 => None,
        at if options.absolute => Some(at),
        ttl => Some(ctx.now().saturating_add(ttl)),
    };
    out.ok();
    if deadline.is_some_and(|deadline| deadline <= ctx.horizon()) {
        // It would be gone at once.
        if ctx.remove(key).is_some() {
            ctx.log(&[b"DEL", key]);
            ctx.notify(EventClasses::GENERIC, "del", key);
        }
        return Ok(());
    }
    ctx.put(key, value, deadline);
    if let Some(deadline) = deadline {
        let at = deadline.to_string();
        let mut effect: Vec<&[u8]> = args.iter().collect();
        effect[2] = at.as_bytes();
        if !options.absolute {
            effect.push(b"ABSTTL");
        }
        ctx.log(&effect);
    }
    let now = ctx.access();
    ctx.set_uses(key, options.idle.and_then(|seconds| now.remember_idle(seconds)));
    ctx.set_uses(key, options.frequency.and_then(|frequency| now.remember_frequency(frequency)));
    ctx.notify(EventClasses::NEW, "new", key);
    ctx.notify(EventClasses::GENERIC, "restore", key);
    Ok(())
}
