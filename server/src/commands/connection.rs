//! The connection family: who the client is, which database and protocol it uses.

use super::is;
use crate::acl::refusals::{Context, Reason, Refusal};
use crate::acl::user::{self, User};
use crate::command::{Command, Flags, Group, Locks};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::number;
use resplite_resp::reply::{Protocol, Reply};
use resplite_resp::request::Args;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(crate) const COMMANDS: &[Command] = &[PING, ECHO, SELECT, HELLO, AUTH, QUIT, RESET];

const fn control(name: &'static str, handler: crate::command::Handler) -> Command {
    Command::control(Group::Connection, name, handler)
}

const PING: Command = control("ping", ping).arity(-1).fast().doc("Answers PONG, or the message.").syntax("[message]");

fn ping(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match args.len() {
        1 | 2 if ctx.session.is_restricted() => {
            out.array(2);
            out.bulk("pong");
            out.bulk(args.get(1).unwrap_or_default());
        }
        1 => out.simple("PONG"),
        2 => out.bulk(&args[1]),
        _ => return Err(CommandError::arity("ping")),
    }
    Ok(())
}

const ECHO: Command = control("echo", echo)
    .arity(2)
    .flag(Flags::LOADING.with(Flags::STALE))
    .fast()
    .doc("Answers the message.")
    .syntax("message");

fn echo(_: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    out.bulk(&args[1]);
    Ok(())
}

const SELECT: Command = control("select", select)
    .arity(2)
    .flag(Flags::LOADING.with(Flags::STALE))
    .fast()
    .doc("Chooses the database that the following commands use.")
    .syntax("index");

fn select(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let db = super::keys::database(ctx, &args[1])?;
    set_db(ctx, db);
    out.ok();
    Ok(())
}

fn set_db(ctx: &mut Ctx<'_>, db: usize) {
    ctx.session.db = db;
    ctx.session.record.db.store(db, Ordering::Relaxed);
}

const HELLO: Command = control("hello", hello)
    .arity(-1)
    .flag(Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::NO_AUTH).with(Flags::ALLOW_BUSY))
    .fast()
    .since("6.0.0")
    .doc("Chooses the protocol's version, logs in and names the connection in one step.")
    .syntax("[protover [AUTH username password] [SETNAME clientname]]");

fn hello(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let protocol = match args.get(1) {
        None => None,
        Some(version) => Some(match number::parse_i64(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(CommandError::NOPROTO),
            None => {
                return Err(CommandError::text("ERR Protocol version is not an integer or out of range"));
            }
        }),
    };
    let (mut login, mut name) = (None, None);
    let mut at = 2;
    while let Some(word) = args.get(at) {
        match word {
            word if is(word, "auth") && at + 2 < args.len() => {
                login = Some((&args[at + 1], &args[at + 2]));
                at += 3;
            }
            word if is(word, "setname") && at + 1 < args.len() => {
                name = Some(client_name(&args[at + 1], NAME_RULE)?);
                at += 2;
            }
            word => {
                let word = String::from_utf8_lossy(word);
                return Err(CommandError::text(format!("ERR Syntax error in HELLO option '{word}'")));
            }
        }
    }
    if let Some((user, password)) = login {
        log_in(ctx, user, password)?;
    }
    if ctx.session.lacks_login() {
        return Err(CommandError::text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the \
             same time",
        ));
    }
    if let Some(name) = name {
        ctx.session.record.names.lock().name = name;
    }
    if let Some(protocol) = protocol {
        set_protocol(ctx, protocol, out);
    }
    out.map(7);
    out.bulk("server");
    out.bulk("redis");
    out.bulk("version");
    out.bulk(crate::REDIS_VERSION);
    out.bulk("proto");
    out.int(if ctx.session.protocol == Protocol::Resp3 { 3 } else { 2 });
    out.bulk("id");
    out.int(ctx.session.record.id as i64);
    out.bulk("mode");
    out.bulk("standalone");
    out.bulk("role");
    out.bulk("master");
    out.bulk("modules");
    out.array(0);
    Ok(())
}

fn set_protocol(ctx: &mut Ctx<'_>, protocol: Protocol, out: &mut Reply) {
    ctx.session.protocol = protocol;
    ctx.session.record.protocol.store(if protocol == Protocol::Resp3 { 3 } else { 2 }, Ordering::Relaxed);
    out.set_protocol(protocol);
}

/// What is wrong with a connection's name.
pub(crate) const NAME_RULE: &str = "ERR Client names cannot contain spaces, newlines or special characters.";

/// A connection's name or a similar word: printable ASCII without spaces.
pub(crate) fn client_name(given: &[u8], rule: &'static str) -> CmdResult<String> {
    if given.iter().all(u8::is_ascii_graphic) {
        Ok(String::from_utf8_lossy(given).into_owned())
    } else {
        Err(CommandError::text(rule))
    }
}

const AUTH: Command = control("auth", auth)
    .arity(-2)
    .flag(Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::NO_AUTH).with(Flags::ALLOW_BUSY))
    .fast()
    .doc("Logs in with a password, or with a user's name and password.")
    .syntax("[username] password");

fn auth(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match args.len() {
        2 if ctx.engine.acl.default_user().needs_no_password() => return Err(CommandError::NO_PASSWORD),
        2 => log_in(ctx, user::DEFAULT, &args[1])?,
        3 => log_in(ctx, &args[1], &args[2])?,
        _ => return Err(CommandError::SYNTAX),
    }
    out.ok();
    Ok(())
}

/// Becomes a user; those who guess passwords are kept waiting, and what fails is noted.
fn log_in(ctx: &mut Ctx<'_>, name: &[u8], password: &[u8]) -> CmdResult {
    let (acl, now) = (&ctx.engine.acl, ctx.now());
    if let Some(millis) = acl.throttle.wait(&ctx.session.record.addr, now) {
        return Err(CommandError::throttled(millis));
    }
    match acl.find(name).filter(|user| user.admits(password)) {
        Some(user) => become_user(ctx, user, true),
        None => {
            let client = ctx.session.record.describe(now, Some(ctx.command));
            acl.throttle.note_failure(&ctx.session.record.addr, now);
            let context = if ctx.is_alone() { Context::TopLevel } else { Context::Transaction };
            let object = ctx.command.name.to_uppercase();
            let refusal =
                Refusal { reason: Reason::Auth, context, object: object.as_bytes(), user: name.into(), client };
            acl.note(refusal, now, ctx.settings());
            return Err(CommandError::WRONGPASS);
        }
    }
    Ok(())
}

fn become_user(ctx: &mut Ctx<'_>, user: Arc<User>, authenticated: bool) {
    let session = &mut *ctx.session;
    session.authenticated = authenticated;
    session.record.authenticated.store(authenticated, Ordering::Relaxed);
    *session.record.user.lock() = user.clone();
    session.user = user;
}

const QUIT: Command = control("quit", quit)
    .arity(-1)
    .flag(Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::NO_AUTH).with(Flags::ALLOW_BUSY))
    .fast()
    .doc("Closes the connection after answering.");

fn quit(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    ctx.session.closing = true;
    out.ok();
    Ok(())
}

const RESET: Command = control("reset", reset)
    .flag(Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::NO_AUTH).with(Flags::ALLOW_BUSY))
    .fast()
    .locks(Locks::Watched)
    .since("6.2.0")
    .doc("Makes the connection as it was when it was new.");

fn reset(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    super::transaction::forget(ctx);
    ctx.engine.stop_listening(ctx.session);
    if !ctx.session.record.is_local {
        // What came until now stands before the reply.
        ctx.session.record.outbox.drain(out);
    }
    set_db(ctx, 0);
    set_protocol(ctx, Protocol::Resp2, out);
    ctx.session.reply_mode = crate::session::ReplyMode::On;
    ctx.session.no_touch = false;
    super::tracking::end(ctx);
    let record = &ctx.session.record;
    record.no_touch.store(false, Ordering::Relaxed);
    record.no_evict.store(false, Ordering::Relaxed);
    record.names.lock().name.clear();
    // Whoever is inside the process has never had to log in.
    let acl = &ctx.engine.acl;
    let first = if record.is_local { acl.host.clone() } else { acl.default_user() };
    let is_open = first.is_open();
    become_user(ctx, first, is_open);
    out.simple("RESET");
    Ok(())
}
