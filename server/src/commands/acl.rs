//! ACL: the users seen, made, changed and removed by clients, and what was refused.

use super::{help, int, is};
use crate::acl::categories;
use crate::acl::rule::{is_name, join_selectors};
use crate::acl::selector::Selector;
use crate::acl::user::{DEFAULT, User};
use crate::command::{self, Command, Flags, Group, Handler};
use crate::context::Ctx;
use crate::engine::Engine;
use crate::error::{CmdResult, CommandError};
use crate::pubsub::Kind;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use std::path::Path;

pub(crate) const COMMANDS: &[Command] = &[ACL];

const OPEN: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE);

const fn open(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Server, name, handler).flag(OPEN).since("6.0.0")
}

const fn admin(name: &'static str, handler: Handler) -> Command {
    open(name, handler).flag(Flags::ADMIN)
}

const ACL: Command = Command::container(
    Group::Server,
    "acl",
    &[
        open("acl|cat", cat).arity(-2).doc("The categories, or the commands of one of them.").syntax("[category]"),
        admin("acl|deluser", deluser)
            .arity(-3)
            .doc("Removes users and ends their connections.")
            .syntax("username [username ...]"),
        admin("acl|dryrun", dryrun)
            .arity(-4)
            .since("7.0.0")
            .doc("Whether a user may run a command, which is not run.")
            .syntax("username command [arg [arg ...]]"),
        open("acl|genpass", genpass).arity(-2).doc("A password that nobody guesses.").syntax("[bits]"),
        admin("acl|getuser", getuser)
            .arity(3)
            .doc("Flags, hashes of passwords and rights of a user.")
            .syntax("username"),
        Command::control(Group::Server, "acl|help", help)
            .flag(Flags::LOADING.with(Flags::STALE))
            .since("6.0.0")
            .arity(2)
            .doc("This list."),
        admin("acl|list", list).arity(2).doc("All users, as an ACL file has them."),
        admin("acl|load", load).arity(2).doc("Replaces all users by those of the ACL file."),
        admin("acl|log", log)
            .arity(-2)
            .doc("What was refused of late, newest first; RESET forgets it.")
            .syntax("[count | RESET]"),
        admin("acl|save", save).arity(2).doc("Writes all users into the ACL file."),
        admin("acl|setuser", setuser)
            .arity(-3)
            .doc("Makes a user, or changes one, by rules.")
            .syntax("username [rule [rule ...]]"),
        admin("acl|users", users).arity(2).doc("The names of all users."),
        open("acl|whoami", whoami).arity(2).doc("The name of the user that the connection is."),
    ],
)
.since("6.0.0")
.doc("Who may do what.");

fn whoami(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    out.bulk(&ctx.session.user.name);
    Ok(())
}

fn users(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let all = ctx.engine.acl.all();
    out.array(all.len());
    all.iter().for_each(|user| out.bulk(&user.name));
    Ok(())
}

fn list(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let lines = ctx.engine.acl.lines();
    out.array(lines.len());
    lines.iter().for_each(|line| out.bulk(line));
    Ok(())
}

fn cat(_: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let Some(name) = one_more(args)? else {
        out.array(categories::ALL.len());
        categories::ALL.iter().for_each(|category| out.bulk(category));
        return Ok(());
    };
    let category = categories::ALL.iter().find(|category| is(name, category));
    let category = category.ok_or_else(|| CommandError::quoting("ERR Unknown category '", name, "'"))?;
    let names = command::numbered().iter().filter(|command| categories::of(command).contains(category));
    let names: Vec<&str> = names.map(|command| command.name).collect();
    out.array(names.len());
    names.iter().for_each(|name| out.bulk(name));
    Ok(())
}

/// The only argument behind the subcommand, if there is one.
fn one_more(args: Args<'_>) -> CmdResult<Option<&[u8]>> {
    if args.len() > 3 { Err(CommandError::subcommand_syntax("ACL", &args[1])) } else { Ok(args.get(2)) }
}

fn getuser(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let Some(user) = ctx.engine.acl.find(&args[2]) else {
        out.nil();
        return Ok(());
    };
    out.map(6);
    out.bulk("flags");
    let flags: Vec<&str> = user.flags().collect();
    out.set(flags.len());
    flags.iter().for_each(|flag| out.bulk(flag));
    out.bulk("passwords");
    let passwords = user.passwords();
    out.array(passwords.len());
    passwords.for_each(|hash| out.bulk(hash));
    write_rights(out, user.root());
    out.bulk("selectors");
    out.array(user.selectors().len());
    for selector in user.selectors() {
        out.map(3);
        write_rights(out, selector);
    }
    Ok(())
}

fn write_rights(out: &mut Reply, selector: &Selector) {
    out.bulk("commands");
    out.bulk(selector.shown_commands());
    out.bulk("keys");
    out.bulk(selector.shown_keys());
    out.bulk("channels");
    out.bulk(selector.shown_channels());
}

fn setuser(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let name = &args[2];
    if !is_name(name) {
        return Err(CommandError::USER_NAME);
    }
    let rules = join_selectors(args.from(3).iter())
        .map_err(|open| CommandError::quoting("ERR Unmatched parenthesis in acl selector starting at '", open, "'."))?;
    let all_channels = ctx.settings().acl_pubsub_default;
    let acl = &ctx.engine.acl;
    // Two who change a user at the same time must not lose what one of them says.
    let _turn = acl.turn.lock();
    let before = acl.find(name);
    let mut user = before.as_deref().cloned().unwrap_or_else(|| User::new(name, all_channels));
    for rule in &rules {
        user.apply(rule, all_channels).map_err(|error| {
            CommandError::quoting("ERR Error in ACL SETUSER modifier '", rule, &format!("': {error}"))
        })?;
    }
    acl.put(user.clone());
    ctx.engine.users_changed();
    if before.is_some() {
        end_deaf(ctx, |client| (*client == *user.name).then_some(&user));
    }
    out.ok();
    Ok(())
}

/// Ends the connections that are subscribed to what their user may not hear any more; `user_of` says who has changed.
fn end_deaf<'u>(ctx: &mut Ctx<'_>, user_of: impl Fn(&[u8]) -> Option<&'u User>) {
    for client in ctx.engine.registry.all().into_iter().filter(|client| client.is_subscriber()) {
        let name = client.user.lock().name.clone();
        let Some(user) = user_of(&name).filter(|user| !user.may_listen_everywhere()) else { continue };
        let hears_too_much = [Kind::Channel, Kind::Pattern, Kind::ShardChannel].into_iter().any(|kind| {
            let names = ctx.engine.pubsub.names_of(kind, client.id);
            names.iter().any(|name| !user.may_listen(name, kind == Kind::Pattern))
        });
        if hears_too_much {
            end(ctx, client.id);
        }
    }
}

/// Ends a connection; its own one only after the reply.
fn end(ctx: &mut Ctx<'_>, id: u64) {
    if id == ctx.session.record.id {
        ctx.session.closing = true;
    } else if let Some(client) = ctx.engine.registry.find(id) {
        client.kill();
    }
}

/// Ends the connections of users who are not there any more.
fn end_orphans(ctx: &mut Ctx<'_>) {
    for client in ctx.engine.registry.all() {
        let name = client.user.lock().name.clone();
        if ctx.engine.acl.find(&name).is_none() {
            end(ctx, client.id);
        }
    }
}

fn deluser(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (mut removed, mut is_protected) = (0, false);
    let turn = ctx.engine.acl.turn.lock();
    for name in args.from(2) {
        is_protected = name == DEFAULT;
        if is_protected {
            break;
        }
        removed += i64::from(ctx.engine.acl.remove(name));
    }
    drop(turn);
    if removed > 0 {
        ctx.engine.users_changed();
        end_orphans(ctx);
    }
    if is_protected {
        return Err(CommandError::DEFAULT_USER);
    }
    out.int(removed);
    Ok(())
}

fn dryrun(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let user = ctx.engine.acl.find(&args[2]);
    let user = user.ok_or_else(|| CommandError::quoting("ERR User '", &args[2], "' not found"))?;
    let asked = args.from(3);
    let command = command::resolve(ctx.engine.names.find(asked.name()), asked)
        .map_err(|_| CommandError::quoting("ERR Command '", asked.name(), "' not found"))?;
    if !command.takes(asked.len()) {
        return Err(CommandError::arity(command.name));
    }
    match user.check(command, asked) {
        Ok(()) => out.ok(),
        Err(denied) => out.bulk(user.dry_error(command, asked, denied).as_bytes()),
    }
    Ok(())
}

/// Bits of a password, and the most that one can ask for.
const PASSWORD_BITS: (usize, usize) = (256, 4096);

fn genpass(_: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (usual, most) = PASSWORD_BITS;
    let bits = match one_more(args)? {
        None => usual,
        Some(given) => usize::try_from(int(given)?)
            .ok()
            .filter(|bits| (1..=most).contains(bits))
            .ok_or(CommandError::GENPASS_BITS)?,
    };
    // Not from the seeded source of chance: a password must not follow from anything that somebody else can know.
    let mut bytes = [0; PASSWORD_BITS.1 / 8];
    getrandom::fill(&mut bytes).map_err(|error| CommandError::text(format!("ERR no random numbers: {error}")))?;
    let mut hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(bits.div_ceil(4));
    out.bulk(hex);
    Ok(())
}

fn log(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut count = 10;
    match one_more(args)? {
        Some(word) if is(word, "reset") => {
            ctx.engine.acl.log.lock().clear();
            out.ok();
            return Ok(());
        }
        Some(given) => count = int(given)?.max(0) as usize,
        None => {}
    }
    let now = ctx.now();
    let log = ctx.engine.acl.log.lock();
    out.array(log.entries().len().min(count));
    for entry in log.entries().take(count) {
        out.map(10);
        out.bulk("count");
        out.int(entry.count as i64);
        out.bulk("reason");
        out.bulk(entry.reason.name());
        out.bulk("context");
        out.bulk(entry.context.name());
        out.bulk("object");
        out.bulk(&*entry.object);
        out.bulk("username");
        out.bulk(&entry.user);
        out.bulk("age-seconds");
        out.double(now.saturating_sub(entry.updated) as f64 / 1000.0);
        out.bulk("client-info");
        out.bulk(&entry.client);
        out.bulk("entry-id");
        out.int(entry.id as i64);
        out.bulk("timestamp-created");
        out.int(entry.created as i64);
        out.bulk("timestamp-last-updated");
        out.int(entry.updated as i64);
    }
    Ok(())
}

fn load(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let engine = ctx.engine;
    require_file(ctx)?;
    let _turn = engine.acl.turn.lock();
    engine.acl.load(ctx.settings()).map_err(|error| CommandError::text(format!("ERR {error}")))?;
    engine.users_changed();
    end_orphans(ctx);
    let all = engine.acl.all();
    end_deaf(ctx, |name| all.iter().find(|user| *user.name == *name).map(|user| &**user));
    out.ok();
    Ok(())
}

fn require_file(ctx: &Ctx<'_>) -> CmdResult {
    if ctx.settings().aclfile.is_empty() { Err(CommandError::NO_ACL_FILE) } else { Ok(()) }
}

fn save(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    require_file(ctx)?;
    write_file(ctx.engine, &ctx.settings().path(&ctx.settings().aclfile)).map_err(|error| {
        log::warn!("ACL SAVE failed: {error}");
        CommandError::ACL_NOT_SAVED
    })?;
    out.ok();
    Ok(())
}

fn write_file(engine: &Engine, path: &Path) -> std::io::Result<()> {
    let mut text = engine.acl.lines().join(&b'\n');
    text.push(b'\n');
    crate::config::file::replace(path, &text)
}
