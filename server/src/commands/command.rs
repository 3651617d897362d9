//! COMMAND: what clients can learn of the commands; everything follows from the commands' constants.

mod arguments;

use super::is;
use crate::acl::categories;
use crate::command::{self, Command, Find, Flags, Group, Handler, KeySpec};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::names::Names;
use arguments::Argument;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::glob::{self, Case};

pub(crate) const COMMANDS: &[Command] = &[COMMAND];

const OPEN: Flags = Flags::LOADING.with(Flags::STALE);

const fn subcommand(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Server, name, handler).flag(OPEN).categories(&["connection"])
}

const COMMAND: Command = Command {
    handler: every,
    arity: -1,
    ..Command::container(
        Group::Server,
        "command",
        &[
            subcommand("command|count", count).arity(2).since("2.8.13").doc("Number of commands."),
            subcommand("command|docs", docs)
                .arity(-2)
                .since("7.0.0")
                .doc("What commands do and which arguments they take.")
                .syntax("[command-name [command-name ...]]"),
            subcommand("command|getkeys", getkeys)
                .arity(-3)
                .since("2.8.13")
                .doc("The keys among the arguments of a command.")
                .syntax("command [arg [arg ...]]"),
            subcommand("command|getkeysandflags", getkeysandflags)
                .arity(-3)
                .since("7.0.0")
                .doc("The keys among the arguments of a command, and what it does with them.")
                .syntax("command [arg [arg ...]]"),
            subcommand("command|help", super::help).arity(2).since("5.0.0").doc("This list."),
            subcommand("command|info", info)
                .arity(-2)
                .since("2.8.13")
                .doc("Facts about commands.")
                .syntax("[command-name [command-name ...]]"),
            subcommand("command|list", list)
                .arity(-2)
                .since("7.0.0")
                .doc("Names of the commands.")
                .syntax("[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]"),
        ],
    )
    .flag(OPEN)
    .categories(&["connection"])
    .since("2.8.13")
    .doc("Facts about all commands.")
};

fn every(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let all = named(ctx);
    out.array(all.len());
    all.into_iter().for_each(|command| write_info(out, command));
    Ok(())
}

/// The commands that have a name.
fn named(ctx: &Ctx<'_>) -> Vec<&'static Command> {
    command::all().filter(|command| ctx.engine.names.has(command)).collect()
}

fn count(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    out.int(named(ctx).len() as i64);
    Ok(())
}

fn info(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let names = args.from(2);
    if names.is_empty() {
        return every(ctx, args, out);
    }
    out.array(names.len());
    for name in names {
        match ctx.engine.names.find_by_full_name(name) {
            Some(command) => write_info(out, command),
            None => out.nil(),
        }
    }
    Ok(())
}

fn docs(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let wanted = args.from(2);
    let names = &ctx.engine.names;
    let found = match wanted.is_empty() {
        true => named(ctx),
        false => wanted.iter().filter_map(|name| names.find_by_full_name(name)).collect(),
    };
    out.map(found.len());
    found.into_iter().for_each(|command| write_docs(out, command));
    Ok(())
}

fn list(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mark = out.defer();
    let mut found = 0;
    let mut write = |wanted: &dyn Fn(&Command) -> bool| {
        let has_name = |command: &&&Command| ctx.engine.names.has(command);
        for command in command::numbered().iter().filter(has_name).filter(|command| wanted(command)) {
            out.bulk(command.name);
            found += 1;
        }
    };
    match args.len() {
        2 => write(&|_| true),
        5 if is(&args[2], "filterby") => {
            let value = &args[4];
            match &args[3] {
                kind if is(kind, "module") => {}
                kind if is(kind, "aclcat") => write(&|command| {
                    categories::of(command).iter().any(|category| category.as_bytes().eq_ignore_ascii_case(value))
                }),
                kind if is(kind, "pattern") => {
                    write(&|command| glob::matches(value, command.name.as_bytes(), Case::Insensitive));
                }
                _ => return Err(CommandError::SYNTAX),
            }
        }
        _ => return Err(CommandError::SYNTAX),
    }
    out.set_at(mark, found);
    Ok(())
}

fn getkeys(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let keys = keys_of(&ctx.engine.names, args.from(2))?;
    out.array(keys.len());
    keys.iter().for_each(|(key, _)| out.bulk(key));
    Ok(())
}

fn getkeysandflags(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let keys = keys_of(&ctx.engine.names, args.from(2))?;
    out.array(keys.len());
    for (key, flags) in keys {
        out.array(2);
        out.bulk(key);
        write_key_flags(out, flags);
    }
    Ok(())
}

/// A key and what a command does with it.
type KeyUse<'a> = (&'a [u8], &'static [&'static str]);

fn keys_of<'a>(names: &Names, args: Args<'a>) -> CmdResult<Vec<KeyUse<'a>>> {
    let command = command::resolve(names.find(args.name()), args)
        .map_err(|_| CommandError::text("ERR Invalid command specified"))?;
    if command.keys.iter().flatten().all(|spec| spec.is_channel) {
        return Err(CommandError::text("ERR The command has no key arguments"));
    }
    if !command.takes(args.len()) {
        return Err(CommandError::text("ERR Invalid number of arguments specified for command"));
    }
    let (mut keys, mut complete) = (Vec::new(), true);
    for spec in command.keys.iter().flatten() {
        let flags = command.key_flags(spec, args);
        let is_whole = spec.for_each(args, |index| keys.extend(args.get(index).map(|key| (key, flags))));
        // A word that is not there announces no keys.
        complete &= is_whole || spec.keyword.is_some();
    }
    if (!complete || keys.is_empty()) && !command.flags.has(Flags::NO_MANDATORY_KEYS) {
        return Err(CommandError::text("ERR Invalid arguments specified for command"));
    }
    Ok(keys)
}

fn write_info(out: &mut Reply, command: &Command) {
    let range = LegacyRange::of(command);
    out.array(10);
    out.bulk(command.name);
    out.int(command.arity.into());
    let flags: Vec<&str> = Flags::NAMES
        .iter()
        .filter(|(flag, _)| command.flags.has(*flag) || range.movable && *flag == Flags::MOVABLEKEYS)
        .map(|(_, name)| *name)
        .collect();
    out.set(flags.len());
    flags.iter().for_each(|flag| out.simple(flag));
    out.int(range.first);
    out.int(range.last);
    out.int(range.step);
    let categories = categories::of(command);
    out.set(categories.len());
    categories.iter().for_each(|category| out.simple(format!("@{category}")));
    // Hints for proxies that split a command over several servers: there is nothing to split here.
    out.set(0);
    out.set(command.keys.iter().flatten().count());
    command.keys.iter().flatten().for_each(|spec| write_key_spec(out, spec));
    out.set(command.subcommands.len());
    command.subcommands.iter().for_each(|sub| write_info(out, sub));
}

/// First key, last key and step, which is all that clients of old servers knew of a command's keys.
#[derive(Default)]
struct LegacyRange {
    first: i64,
    last: i64,
    step: i64,
    /// There are keys that the range does not name.
    movable: bool,
}

impl LegacyRange {
    fn of(command: &Command) -> Self {
        let specs: Vec<&KeySpec> = command.keys.iter().flatten().collect();
        let mut range = LegacyRange::default();
        for spec in &specs {
            let (Find::Range { last, step, .. }, None) = (spec.find, spec.keyword) else {
                range.movable = true;
                continue;
            };
            let first = spec.begin as i64;
            let last = if last >= 0 { first + i64::from(last) } else { i64::from(last) };
            if specs.len() == 1 {
                return LegacyRange { first, last, step: step as i64, movable: false };
            }
            // Only neighbours with a step of one make a range together; one that counts from the end has none behind it.
            if step != 1 || range.step != 0 && range.last != first - 1 {
                range.movable = true;
                continue;
            }
            if range.step == 0 {
                range.first = first;
            }
            range.last = last;
            range.step = 1;
        }
        range
    }
}

fn write_key_spec(out: &mut Reply, spec: &KeySpec) {
    out.map(3);
    out.bulk("flags");
    write_key_flags(out, spec.flags);
    let mut section = |name: &str, kind: &str, word: Option<(&str, &str)>, fields: &[(&str, i64)]| {
        out.bulk(name);
        out.map(2);
        out.bulk("type");
        out.bulk(kind);
        out.bulk("spec");
        out.map(fields.len() + usize::from(word.is_some()));
        if let Some((name, word)) = word {
            out.bulk(name);
            out.bulk(word);
        }
        for (name, field) in fields {
            out.bulk(name);
            out.int(*field);
        }
    };
    match spec.keyword {
        None if matches!(spec.find, Find::Unknown(_)) => section("begin_search", "unknown", None, &[]),
        None => section("begin_search", "index", None, &[("index", spec.begin as i64)]),
        Some(word) => {
            let from = spec.shown_from.unwrap_or(spec.begin as i64);
            section("begin_search", "keyword", Some(("keyword", word)), &[("startfrom", from)]);
        }
    }
    match spec.find {
        Find::Range { last, step, limit } => section(
            "find_keys",
            "range",
            None,
            &[("lastkey", last.into()), ("keystep", step as i64), ("limit", limit as i64)],
        ),
        Find::Count { count, first, step } => section(
            "find_keys",
            "keynum",
            None,
            &[("keynumidx", count as i64), ("firstkey", first as i64), ("keystep", step as i64)],
        ),
        Find::Unknown(_) => section("find_keys", "unknown", None, &[]),
    }
}

fn write_key_flags(out: &mut Reply, flags: &[&str]) {
    out.set(flags.len());
    for flag in flags {
        match *flag {
            "RO" | "RW" | "OW" | "RM" => out.simple(flag),
            other => out.simple(other.to_ascii_lowercase()),
        }
    }
}

fn write_docs(out: &mut Reply, command: &Command) {
    let arguments = arguments::of(command);
    out.bulk(command.name);
    out.map(3 + usize::from(!arguments.is_empty()) + usize::from(!command.subcommands.is_empty()));
    for (name, text) in [("summary", command.summary), ("since", command.since), ("group", command.group.name())] {
        out.bulk(name);
        out.bulk(text);
    }
    if !arguments.is_empty() {
        write_arguments(out, &arguments);
    }
    if !command.subcommands.is_empty() {
        out.bulk("subcommands");
        out.map(command.subcommands.len());
        command.subcommands.iter().for_each(|sub| write_docs(out, sub));
    }
}

fn write_arguments(out: &mut Reply, arguments: &[Argument]) {
    out.bulk("arguments");
    out.array(arguments.len());
    for argument in arguments {
        let flags: Vec<&str> = [
            (argument.optional, "optional"),
            (argument.multiple, "multiple"),
            (argument.multiple_token, "multiple_token"),
        ]
        .into_iter()
        .filter_map(|(set, name)| set.then_some(name))
        .collect();
        let is_leaf = argument.arguments.is_empty();
        let len = 2
            + usize::from(is_leaf)
            + usize::from(argument.key_spec.is_some())
            + usize::from(argument.token.is_some())
            + usize::from(!flags.is_empty())
            + usize::from(!is_leaf);
        out.map(len);
        let mut text = |name: &str, value: &str| {
            out.bulk(name);
            out.bulk(value);
        };
        text("name", &argument.name);
        text("type", argument.kind);
        if is_leaf {
            text("display_text", &argument.name);
        }
        if let Some(spec) = argument.key_spec {
            out.bulk("key_spec_index");
            out.int(spec as i64);
        }
        if let Some(token) = &argument.token {
            out.bulk("token");
            out.bulk(token);
        }
        if !flags.is_empty() {
            out.bulk("flags");
            out.set(flags.len());
            flags.iter().for_each(|flag| out.simple(flag));
        }
        if !is_leaf {
            write_arguments(out, &argument.arguments);
        }
    }
}
