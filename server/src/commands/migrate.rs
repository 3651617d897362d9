//! MIGRATE: keys move to another server, over a connection that is made for it.
//!
//! The shards of the keys stay locked until the target has answered, so that nobody can change what is on its way: whoever
//! wants them waits, for the time-out at most in each step. Keys in other shards are free, but for those whose thread this is.

use super::{int, is};
use crate::command::{Command, Group, KeySpec, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::net::target::{self, Failure};
use crate::notify::EventClasses;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::rdb::{self, Options};
use std::time::Duration;

pub(crate) const COMMANDS: &[Command] = &[MIGRATE];

const MIGRATE: Command = Command::write(Group::Generic, "migrate", migrate)
    .arity(-6)
    .keys(KeySpec::one(usage::ACCESS_DELETE, 3).empty_with("KEYS"))
    .keys(KeySpec::to_the_end(&["RW", "ACCESS", "DELETE", "INCOMPLETE"], 6, "KEYS").shown_from(-2))
    .categories(&["dangerous"])
    .since("2.6.0")
    .doc("Moves keys, or copies them, to another server.")
    .syntax(
        "host port <key | \"\"> destination-db timeout [COPY] [REPLACE] [AUTH auth | AUTH2 <username password>] \
         [KEYS keys [keys ...]]",
    );

/// Milliseconds that are waited if the time-out is none.
const DEFAULT_TIMEOUT: u64 = 1000;

#[derive(Default)]
struct Request<'a> {
    copy: bool,
    replace: bool,
    /// Words behind AUTH.
    login: Vec<&'a [u8]>,
    keys: Vec<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(args: Args<'a>) -> CmdResult<Self> {
        let arg = |at: usize| args.get(at).unwrap_or_default();
        let mut request = Request { keys: vec![arg(3)], ..Request::default() };
        let mut at = 6;
        while let Some(word) = args.get(at) {
            let more = args.len() - 1 - at;
            match word {
                word if is(word, "copy") => request.copy = true,
                word if is(word, "replace") => request.replace = true,
                word if is(word, "auth") && more >= 1 => {
                    request.login = vec![arg(at + 1)];
                    at += 1;
                }
                word if is(word, "auth2") && more >= 2 => {
                    request.login = vec![arg(at + 1), arg(at + 2)];
                    at += 2;
                }
                word if is(word, "keys") => {
                    if !args[3].is_empty() {
                        return Err(CommandError::MIGRATE_KEYS);
                    }
                    request.keys = args.from(at + 1).iter().collect();
                    break;
                }
                _ => return Err(CommandError::SYNTAX),
            }
            at += 1;
        }
        Ok(request)
    }
}

fn migrate(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let request = Request::parse(args)?;
    let timeout = u64::try_from(int(&args[5])?).ok().filter(|timeout| *timeout > 0).unwrap_or(DEFAULT_TIMEOUT);
    let db = int(&args[4])?;
    let mut commands = Vec::new();
    if !request.login.is_empty() {
        write_command(&mut commands, &[&[b"AUTH".as_slice()], request.login.as_slice()].concat());
    }
    write_command(&mut commands, &[b"SELECT", db.to_string().as_bytes()]);
    let keys = write_restores(ctx, &request, &mut commands);
    if keys.is_empty() {
        out.simple("NOKEY");
        return Ok(());
    }
    let mut gone = Vec::new();
    let outcome = target::send(&args[1], &args[2], Duration::from_millis(timeout), &commands).and_then(|mut target| {
        if !request.login.is_empty() {
            target.expect_ok()?;
        }
        target.expect_ok()?;
        let mut outcome = Ok(());
        for key in keys {
            match target.expect_ok() {
                Ok(()) => gone.push(key),
                // The other keys may have arrived.
                Err(Failure::Refused(error)) => outcome = outcome.and(Err(Failure::Refused(error))),
                Err(failure) => return Err(failure),
            }
        }
        outcome
    });
    if !request.copy && !gone.is_empty() {
        remove(ctx, &gone);
    }
    outcome.map_err(|failure| match failure {
        Failure::Unknown => CommandError::MIGRATE_CONNECT,
        Failure::Writing => CommandError::MIGRATE_WRITE,
        Failure::Reading => CommandError::MIGRATE_READ,
        Failure::Refused(why) => {
            CommandError::bytes([b"ERR Target instance replied with error: ", why.as_slice()].concat())
        }
    })?;
    out.ok();
    Ok(())
}

/// Writes a RESTORE for each key that is there; returns those keys.
fn write_restores<'a>(ctx: &mut Ctx<'_>, request: &Request<'a>, out: &mut Vec<u8>) -> Vec<&'a [u8]> {
    let (now, options) = (ctx.now(), Options { compress: ctx.settings().rdbcompression });
    let mut found = Vec::new();
    for key in &request.keys {
        // Where a password is the word KEYS, the empty key is not locked: nobody means it.
        if key.is_empty() && !ctx.holds(key) {
            continue;
        }
        let Some(entry) = ctx.entry(key) else { continue };
        // One that has not expired yet has at least a millisecond.
        let ttl = entry.deadline().map_or(0, |deadline| deadline.saturating_sub(now).max(1)).to_string();
        let payload = rdb::dump(entry.value(), options);
        let mut words: Vec<&[u8]> = vec![b"RESTORE", key, ttl.as_bytes(), payload.as_ref()];
        if request.replace {
            words.push(b"REPLACE");
        }
        write_command(out, &words);
        found.push(*key);
    }
    found
}

fn write_command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// Removes what has arrived elsewhere; the log hears of nothing else.
fn remove(ctx: &mut Ctx<'_>, keys: &[&[u8]]) {
    let mut removed: Vec<&[u8]> = vec![b"DEL"];
    for key in keys {
        if ctx.remove(key).is_some() {
            ctx.notify(EventClasses::GENERIC, "del", key);
            removed.push(key);
        }
    }
    ctx.log(&removed);
}
