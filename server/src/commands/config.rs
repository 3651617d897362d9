//! CONFIG: the settings seen and changed by clients.

use crate::command::{Command, Flags, Group, Handler, Locks};
use crate::config::Settings;
use crate::config::file;
use crate::config::table::{self, Changes, SETTINGS, Setting};
use crate::context::Ctx;
use crate::engine::Engine;
use crate::error::{CmdResult, CommandError};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::glob::{self, Case};
use std::collections::HashSet;
use std::sync::atomic::Ordering;

pub(crate) const COMMANDS: &[Command] = &[CONFIG];

const ADMIN: Flags = Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE);

const fn subcommand(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Server, name, handler).flag(ADMIN).since("2.0.0")
}

const CONFIG: Command = Command::container(
    Group::Server,
    "config",
    &[
        subcommand("config|get", get)
            .arity(-3)
            .doc("Settings whose names match a pattern, with their values.")
            .syntax("parameter [parameter ...]"),
        Command::control(Group::Server, "config|help", super::help)
            .arity(2)
            .flag(Flags::LOADING.with(Flags::STALE))
            .since("5.0.0")
            .doc("This list."),
        subcommand("config|resetstat", resetstat)
            .arity(2)
            .locks(Locks::All)
            .doc("Sets the counters that INFO shows back to zero."),
        subcommand("config|rewrite", rewrite)
            .arity(2)
            .since("2.8.0")
            .doc("Writes changed settings into the configuration file."),
        subcommand("config|set", set)
            .arity(-4)
            .doc("Changes settings, all of them or none.")
            .syntax("parameter value [parameter value ...]"),
    ],
)
.since("2.0.0")
.doc("The settings of the server.");

fn get(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let patterns = args.from(2);
    let wanted =
        |name: &&str| patterns.iter().any(|pattern| glob::matches(pattern, name.as_bytes(), Case::Insensitive));
    let mark = out.defer();
    let mut found = 0;
    for setting in SETTINGS {
        for name in setting.names().filter(wanted) {
            out.bulk(name);
            out.bulk(setting.value(ctx.settings()));
            found += 1;
        }
    }
    out.map_at(mark, found);
    Ok(())
}

fn set(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::SYNTAX);
    }
    let changes = changes(args.from(2))?;
    let before = ctx.settings().clone();
    let is_switch = changes.iter().any(|(setting, ..)| setting.name == "appendonly");
    if is_switch && !ctx.locked().is_none() {
        // It waits for what needs all shards, of which this transaction holds some.
        return Err(failed("appendonly", "not together with keys in a transaction"));
    }
    // Also if the names are the same: there may be others in the files.
    let tls = changes.iter().find(|(setting, ..)| setting.name.starts_with("tls-"));
    ctx.engine.change_settings(|settings| {
        apply_all(settings, &changes)?;
        tls.map_or(Ok(()), |(_, name, _)| load_tls(ctx.engine, settings, name))
    })?;
    if let Err(error) = ctx.engine.follow_settings(&before) {
        ctx.engine.change_settings(|settings| {
            // Only what this command has changed: others may have changed something meanwhile.
            for (setting, ..) in &changes {
                let value = setting.value(&before);
                setting.set(settings, &[value.as_str()]).map_err(|reason| failed(setting.name, &reason))?;
            }
            tls.map_or(Ok(()), |(_, name, _)| load_tls(ctx.engine, settings, name))
        })?;
        return Err(failed("appendonly", &error.to_string()));
    }
    ctx.engine.refresh(ctx.session);
    if ctx.settings().timeout != before.timeout {
        // Idle connections learn of the new time-out when they are woken.
        ctx.engine.registry.all().iter().for_each(|client| client.waker.wake());
    }
    out.ok();
    Ok(())
}

/// One pair of CONFIG SET: the setting, the name that was used for it, and the value.
type Change = (&'static Setting, &'static str, String);

/// What the pairs ask for, refused if one of them is unknown, cannot change or comes twice.
fn changes(pairs: Args<'_>) -> CmdResult<Vec<Change>> {
    let mut changes = Vec::new();
    let mut seen = HashSet::new();
    let mut rest = pairs.iter();
    while let (Some(given), Some(value)) = (rest.next(), rest.next()) {
        let given = String::from_utf8_lossy(given);
        let setting = table::find(&given).ok_or_else(|| {
            CommandError::text(format!("ERR Unknown option or number of arguments for CONFIG SET - '{given}'"))
        })?;
        let name = setting.names().find(|name| name.eq_ignore_ascii_case(&given)).unwrap_or(setting.name);
        match setting.changes {
            Changes::Anytime => {}
            Changes::AtStart => return Err(failed(name, "can't set immutable config")),
            Changes::Protected => return Err(failed(name, "can't set protected config")),
        }
        if !seen.insert(name) {
            return Err(failed(name, "duplicate parameter"));
        }
        let value = std::str::from_utf8(value).map_err(|_| failed(name, "argument must be UTF-8"))?;
        changes.push((setting, name, value.to_owned()));
    }
    Ok(changes)
}

fn apply_all(settings: &mut Settings, changes: &[Change]) -> CmdResult {
    for (setting, name, value) in changes {
        setting.set(settings, &[value.as_str()]).map_err(|reason| failed(name, &reason))?;
    }
    Ok(())
}

/// Has new connections met with what the settings say of TLS; why that cannot be is for the operator to read.
fn load_tls(engine: &Engine, settings: &Settings, name: &str) -> CmdResult {
    engine.tls.load(settings, &engine.clock).map_err(|reason| {
        log::warn!("CONFIG SET {name}: {reason}");
        failed(name, "Unable to update TLS configuration. Check server logs.")
    })
}

fn failed(name: &str, reason: &str) -> CommandError {
    CommandError::text(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"))
}

fn resetstat(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    ctx.locked().shards().for_each(|shard| shard.reset_stats());
    ctx.engine.stats.reset(ctx.micros());
    ctx.engine.acl.reset_counters();
    ctx.engine.command_stats.reset();
    ctx.engine.peak_memory.store(0, Ordering::Relaxed);
    out.ok();
    Ok(())
}

fn rewrite(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let settings = ctx.settings();
    if settings.config_file.is_empty() {
        return Err(CommandError::NO_CONFIG_FILE);
    }
    let users = ctx.engine.acl.declarations(settings);
    if let Err(error) = file::rewrite(settings, &users) {
        log::warn!("CONFIG REWRITE failed: {}: {error}", settings.config_file);
        return Err(CommandError::text(format!("ERR Rewriting config file: {}", file::reason(&error))));
    }
    log::info!("CONFIG REWRITE has written {}", settings.config_file);
    out.ok();
    Ok(())
}
