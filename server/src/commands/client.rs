//! CLIENT: the connections, seen, named and ended by clients.

use super::connection::{NAME_RULE, client_name};
use super::{int, is, timeout_millis, tracking};
use crate::acl::Acl;
use crate::command::{Command, Flags, Group, Handler};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::registry::ClientRecord;
use crate::session::ReplyMode;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(crate) const COMMANDS: &[Command] = &[CLIENT];

const PLAIN: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE);

const fn subcommand(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Connection, name, handler).flag(PLAIN)
}

const CLIENT: Command = Command::container(
    Group::Connection,
    "client",
    &[
        tracking::CACHING,
        subcommand("client|getname", getname).arity(2).since("2.6.9").doc("The connection's name, or nil."),
        tracking::GETREDIR,
        Command::control(Group::Connection, "client|help", super::help)
            .arity(2)
            .flag(Flags::LOADING.with(Flags::STALE))
            .since("5.0.0")
            .doc("This list."),
        subcommand("client|id", id).arity(2).since("5.0.0").doc("The connection's number."),
        subcommand("client|info", info).arity(2).since("6.2.0").doc("What CLIENT LIST says of this connection."),
        subcommand("client|kill", kill)
            .arity(-3)
            .flag(Flags::ADMIN)
            .since("2.4.0")
            .doc("Ends the connection from an address, or all that pass the filters.")
            .syntax(
                "<old-format | <ID client-id | TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB> | USER username | \
                 ADDR addr | LADDR laddr | SKIPME <YES | NO> | MAXAGE maxage> ...>",
            ),
        subcommand("client|list", list)
            .arity(-2)
            .flag(Flags::ADMIN)
            .since("2.4.0")
            .doc("All connections, a line each.")
            .syntax("[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]"),
        subcommand("client|no-evict", no_evict)
            .arity(3)
            .flag(Flags::ADMIN)
            .since("7.0.0")
            .doc("Keeps the connection when memory for clients runs out.")
            .syntax("<ON | OFF>"),
        subcommand("client|no-touch", no_touch)
            .arity(3)
            .since("7.2.0")
            .doc("Lets the connection's reads leave the keys' times of use alone.")
            .syntax("<ON | OFF>"),
        subcommand("client|pause", pause)
            .arity(-3)
            .flag(Flags::ADMIN)
            .since("3.0.0")
            .doc("Keeps commands, or only those that write, from running for some milliseconds.")
            .syntax("timeout [WRITE | ALL]"),
        subcommand("client|reply", reply)
            .arity(3)
            .since("3.2.0")
            .doc("Which replies the connection wants.")
            .syntax("<ON | OFF | SKIP>"),
        subcommand("client|setinfo", setinfo)
            .arity(4)
            .since("7.2.0")
            .doc("Notes the client library's name or version.")
            .syntax("<LIB-NAME libname | LIB-VER libver>"),
        subcommand("client|setname", setname)
            .arity(3)
            .since("2.6.9")
            .doc("Names the connection.")
            .syntax("connection-name"),
        tracking::TRACKING,
        tracking::TRACKINGINFO,
        subcommand("client|unblock", unblock)
            .arity(-3)
            .flag(Flags::ADMIN)
            .since("5.0.0")
            .doc("Ends another connection's waiting.")
            .syntax("client-id [TIMEOUT | ERROR]"),
        subcommand("client|unpause", unpause)
            .arity(2)
            .flag(Flags::ADMIN)
            .since("6.2.0")
            .doc("Ends what CLIENT PAUSE began."),
    ],
)
.since("2.4.0")
.doc("The connections of the server.");

fn id(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    out.int(ctx.session.record.id as i64);
    Ok(())
}

fn getname(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    match ctx.session.record.names.lock().name.as_str() {
        "" => out.nil(),
        name => out.bulk(name),
    }
    Ok(())
}

fn setname(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    ctx.session.record.names.lock().name = client_name(&args[2], NAME_RULE)?;
    out.ok();
    Ok(())
}

fn setinfo(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (option, value) = (&args[2], &args[3]);
    let mut names = ctx.session.record.names.lock();
    let place = match option {
        option if is(option, "lib-name") => &mut names.lib_name,
        option if is(option, "lib-ver") => &mut names.lib_version,
        option => {
            let option = String::from_utf8_lossy(option);
            return Err(CommandError::text(format!("ERR Unrecognized option '{option}'")));
        }
    };
    let option = String::from_utf8_lossy(option);
    *place = client_name(value, NAME_RULE).map_err(|_| {
        CommandError::text(format!("ERR {option} cannot contain spaces, newlines or special characters."))
    })?;
    out.ok();
    Ok(())
}

fn reply(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match &args[2] {
        mode if is(mode, "on") => {
            ctx.session.reply_mode = ReplyMode::On;
            out.ok();
        }
        mode if is(mode, "off") => ctx.session.reply_mode = ReplyMode::Off,
        mode if is(mode, "skip") => {
            if ctx.session.reply_mode != ReplyMode::Off {
                ctx.session.reply_mode = ReplyMode::SkipNext;
            }
        }
        _ => return Err(CommandError::SYNTAX),
    }
    Ok(())
}

fn no_evict(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    ctx.session.record.no_evict.store(on_or_off(&args[2])?, Ordering::Relaxed);
    out.ok();
    Ok(())
}

fn no_touch(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    ctx.session.no_touch = on_or_off(&args[2])?;
    ctx.session.record.no_touch.store(ctx.session.no_touch, Ordering::Relaxed);
    out.ok();
    Ok(())
}

fn on_or_off(word: &[u8]) -> CmdResult<bool> {
    match word {
        word if is(word, "on") => Ok(true),
        word if is(word, "off") => Ok(false),
        _ => Err(CommandError::SYNTAX),
    }
}

fn info(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let line = ctx.session.record.describe(ctx.now(), Some(ctx.command));
    out.verbatim(b"txt", format!("{line}\n").as_bytes());
    Ok(())
}

fn unblock(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if args.len() > 4 {
        return Err(CommandError::subcommand_syntax("CLIENT", &args[1]));
    }
    let with_error = match args.get(3) {
        None => false,
        Some(word) if is(word, "timeout") => false,
        Some(word) if is(word, "error") => true,
        Some(_) => return Err(CommandError::UNBLOCK_REASON),
    };
    let id = int(&args[2])?;
    let waiting = u64::try_from(id).ok().and_then(|id| match ctx.engine.registry.find(id) {
        Some(client) => client.waiting.lock().clone(),
        None => ctx.engine.waiting_room.find_local(id),
    });
    out.int(i64::from(waiting.is_some_and(|waiting| waiting.unblock(with_error))));
    Ok(())
}

fn pause(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if args.len() > 4 {
        return Err(CommandError::subcommand_syntax("CLIENT", &args[1]));
    }
    let all = match args.get(3) {
        None => true,
        Some(word) if is(word, "all") => true,
        Some(word) if is(word, "write") => false,
        Some(_) => return Err(CommandError::PAUSE_MODE),
    };
    let end = timeout_millis(ctx, &args[2])?.unwrap_or(ctx.now());
    ctx.engine.pause.begin(end, all);
    ctx.engine.ring();
    out.ok();
    Ok(())
}

fn unpause(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    ctx.engine.pause.stop();
    ctx.engine.ring();
    out.ok();
    Ok(())
}

/// A class of connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Normal,
    Master,
    Replica,
    PubSub,
}

impl Type {
    /// The class of a connection; as there is no replication, it is one of two.
    fn of(client: &ClientRecord) -> Self {
        if client.is_subscriber() { Type::PubSub } else { Type::Normal }
    }

    fn parse(word: &[u8]) -> CmdResult<Self> {
        match word {
            word if is(word, "normal") => Ok(Type::Normal),
            word if is(word, "master") => Ok(Type::Master),
            word if is(word, "replica") || is(word, "slave") => Ok(Type::Replica),
            word if is(word, "pubsub") => Ok(Type::PubSub),
            word => {
                let word = String::from_utf8_lossy(word);
                Err(CommandError::text(format!("ERR Unknown client type '{word}'")))
            }
        }
    }
}

fn list(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut clients = ctx.engine.registry.all();
    match args.get(2) {
        None => {}
        Some(word) if is(word, "type") && args.len() == 4 => {
            let wanted = Type::parse(&args[3])?;
            clients.retain(|client| Type::of(client) == wanted);
        }
        Some(word) if is(word, "id") && args.len() >= 4 => {
            let ids: Option<Vec<i64>> = args.from(3).iter().map(number::parse_i64).collect();
            let ids = ids.ok_or(CommandError::INVALID_CLIENT_ID)?;
            let find = |id: &i64| clients.binary_search_by_key(id, |client| client.id as i64).ok();
            clients = ids.iter().filter_map(find).map(|at| clients[at].clone()).collect();
        }
        Some(_) => return Err(CommandError::SYNTAX),
    }
    let own_id = ctx.session.record.id;
    let line = |client: &Arc<ClientRecord>| {
        client.describe(ctx.now(), Some(ctx.command).filter(|_| client.id == own_id)) + "\n"
    };
    out.verbatim(b"txt", clients.iter().map(line).collect::<String>().as_bytes());
    Ok(())
}

/// Which connections CLIENT KILL ends: those that pass all filters that are given.
#[derive(Default)]
struct Filters {
    id: Option<i64>,
    client_type: Option<Type>,
    user: Option<Vec<u8>>,
    addr: Option<String>,
    laddr: Option<String>,
    /// Seconds.
    max_age: Option<i64>,
    spare_self: bool,
}

impl Filters {
    fn parse(args: Args<'_>, acl: &Acl) -> CmdResult<Self> {
        let mut filters = Filters { spare_self: true, ..Filters::default() };
        let mut rest = args.iter();
        while let Some(option) = rest.next() {
            let value = rest.next().ok_or(CommandError::SYNTAX)?;
            let text = || Some(String::from_utf8_lossy(value).into_owned());
            match option {
                option if is(option, "id") => {
                    let id = number::parse_i64(value).filter(|id| *id > 0);
                    filters.id = Some(id.ok_or(CommandError::text("ERR client-id should be greater than 0"))?);
                }
                option if is(option, "maxage") => {
                    let age = number::parse_i64(value)
                        .ok_or(CommandError::text("ERR maxage is not an integer or out of range"))?;
                    if age <= 0 {
                        return Err(CommandError::text("ERR maxage should be greater than 0"));
                    }
                    filters.max_age = Some(age);
                }
                option if is(option, "type") => filters.client_type = Some(Type::parse(value)?),
                option if is(option, "addr") => filters.addr = text(),
                option if is(option, "laddr") => filters.laddr = text(),
                option if is(option, "user") => {
                    if acl.find(value).is_none() {
                        return Err(CommandError::quoting("ERR No such user '", value, "'"));
                    }
                    filters.user = Some(value.to_vec());
                }
                option if is(option, "skipme") => {
                    filters.spare_self = match value {
                        value if is(value, "yes") => true,
                        value if is(value, "no") => false,
                        _ => return Err(CommandError::SYNTAX),
                    };
                }
                _ => return Err(CommandError::SYNTAX),
            }
        }
        Ok(filters)
    }

    fn pass(&self, client: &ClientRecord, own_id: u64, now: u64) -> bool {
        let age = (now.saturating_sub(client.created) / 1000) as i64;
        !(self.spare_self && client.id == own_id)
            && self.id.is_none_or(|id| client.id as i64 == id)
            && self.client_type.is_none_or(|client_type| Type::of(client) == client_type)
            && self.user.as_ref().is_none_or(|user| client.is_user(user))
            && self.addr.as_ref().is_none_or(|addr| client.addr == *addr)
            && self.laddr.as_ref().is_none_or(|laddr| client.laddr == *laddr)
            && self.max_age.is_none_or(|least| age >= least)
    }
}

fn kill(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let is_old_form = args.len() == 3;
    let filters = if is_old_form {
        Filters { addr: Some(String::from_utf8_lossy(&args[2]).into_owned()), ..Filters::default() }
    } else {
        Filters::parse(args.from(2), &ctx.engine.acl)?
    };
    let (own_id, now) = (ctx.session.record.id, ctx.now());
    let mut doomed = ctx.engine.registry.all();
    doomed.retain(|client| filters.pass(client, own_id, now));
    for client in &doomed {
        if client.id == own_id {
            // The answer goes out first.
            ctx.session.closing = true;
        } else {
            client.kill();
        }
    }
    if !is_old_form {
        out.int(doomed.len() as i64);
    } else if doomed.is_empty() {
        return Err(CommandError::text("ERR No such client"));
    } else {
        out.ok();
    }
    Ok(())
}
