//! The functions of libraries: loading, listing, carrying elsewhere and calling them. How they run is in `script.rs`.

use super::script::{call_of, end_running, is_flush_mode, reader, runner, show};
use super::{int, is};
use crate::command::{Command, Flags, Group, Handler, Locks};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::script::RestorePolicy;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::glob::{self, Case};
use resplite_storage::rdb::{self, Options};

pub(crate) const COMMANDS: &[Command] = &[FCALL, FCALL_RO, FUNCTION];

const FCALL: Command = runner("fcall", fcall)
    .since("7.0.0")
    .doc("Calls a function of a library.")
    .syntax("function numkeys [key ...] [arg ...]");

const FCALL_RO: Command = reader("fcall_ro", fcall_ro)
    .doc("Calls a function of a library that only reads.")
    .syntax("function numkeys [key ...] [arg ...]");

fn fcall(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    run(ctx, args, false, out)
}

fn fcall_ro(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    run(ctx, args, true, out)
}

fn run(ctx: &mut Ctx<'_>, args: Args<'_>, is_read_only: bool, out: &mut Reply) -> CmdResult {
    show(ctx, args);
    if !ctx.engine.scripts.has_function(&args[1]) {
        return Err(CommandError::NO_FUNCTION);
    }
    let count = int(&args[2]).map_err(|_| CommandError::BAD_NUMBER_OF_KEYS)?;
    let call = call_of(args, count, is_read_only)?;
    ctx.engine.scripts.fcall(ctx, &args[1], call, out)
}

const fn sub(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Scripting, name, handler).flag(Flags::NOSCRIPT).since("7.0.0")
}

const fn change(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::Scripting, name, handler).flag(Flags::NOSCRIPT).locks(Locks::All).since("7.0.0")
}

const FUNCTION: Command = Command::container(
    Group::Scripting,
    "function",
    &[
        change("function|delete", delete).arity(3).doc("Removes a library.").syntax("library-name"),
        sub("function|dump", dump).arity(2).locks(Locks::All).doc("All libraries as bytes that RESTORE takes."),
        change("function|flush", flush).arity(-2).doc("Removes all libraries.").syntax("[ASYNC | SYNC]"),
        Command::control(Group::Scripting, "function|help", super::help)
            .arity(2)
            .flag(Flags::LOADING.with(Flags::STALE))
            .since("7.0.0")
            .doc("This list."),
        sub("function|kill", kill)
            .arity(2)
            .flag(Flags::ALLOW_BUSY)
            .doc("Ends the running function, unless it has written."),
        sub("function|list", list)
            .arity(-2)
            .locks(Locks::All)
            .doc("The libraries and their functions.")
            .syntax("[LIBRARYNAME library-name-pattern] [WITHCODE]"),
        change("function|load", load)
            .arity(-3)
            .deny_oom()
            .doc("Loads a library from its source.")
            .syntax("[REPLACE] function-code"),
        change("function|restore", restore)
            .arity(-3)
            .deny_oom()
            .doc("Loads the libraries that DUMP gave.")
            .syntax("serialized-value [FLUSH | APPEND | REPLACE]"),
        sub("function|stats", stats)
            .arity(2)
            .flag(Flags::ALLOW_BUSY)
            .doc("What is running, and how many libraries and functions there are."),
    ],
)
.since("7.0.0")
.doc("Libraries of functions.");

fn load(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut replace = false;
    let last = args.len() - 1;
    for word in args.slice(2..last).iter() {
        if !is(word, "replace") {
            return Err(CommandError::quoting("ERR Unknown option given: ", word, ""));
        }
        replace = true;
    }
    let name = ctx.engine.scripts.load_library(ctx, &args[last], replace)?;
    ctx.count_change();
    out.bulk(name);
    Ok(())
}

fn delete(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if !ctx.engine.scripts.delete_library(&args[2]) {
        return Err(CommandError::NO_LIBRARY);
    }
    ctx.count_change();
    out.ok();
    Ok(())
}

fn flush(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if !is_flush_mode(args) {
        return Err(CommandError::FUNCTION_FLUSH_MODE);
    }
    ctx.engine.scripts.flush_libraries();
    ctx.count_change();
    out.ok();
    Ok(())
}

fn kill(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    end_running(ctx, true, out)
}

fn dump(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let options = Options { compress: ctx.settings().rdbcompression };
    let codes = ctx.engine.scripts.library_codes();
    out.bulk(rdb::dump_functions(codes.iter().map(|code| &**code), options));
    Ok(())
}

fn restore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let policy = match args.get(3) {
        _ if args.len() > 4 => return Err(CommandError::subcommand_syntax("FUNCTION", &args[1])),
        None => RestorePolicy::Append,
        Some(word) if is(word, "append") => RestorePolicy::Append,
        Some(word) if is(word, "replace") => RestorePolicy::Replace,
        Some(word) if is(word, "flush") => RestorePolicy::Flush,
        Some(_) => return Err(CommandError::RESTORE_POLICY),
    };
    let codes = rdb::restore_functions(&args[2]).map_err(|error| match error {
        rdb::RestoreError::Checksum => CommandError::BAD_PAYLOAD,
        _ => CommandError::FUNCTION_PAYLOAD,
    })?;
    ctx.engine.scripts.restore_libraries(ctx, &codes, policy)?;
    ctx.count_change();
    out.ok();
    Ok(())
}

fn list(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (mut pattern, mut with_code) = (None, false);
    let mut at = 2;
    while let Some(word) = args.get(at) {
        match word {
            word if is(word, "withcode") && !with_code => with_code = true,
            word if is(word, "libraryname") && pattern.is_none() => {
                at += 1;
                pattern = Some(args.get(at).ok_or(CommandError::NO_LIBRARY_NAME)?);
            }
            word => return Err(CommandError::quoting("ERR Unknown argument ", word, "")),
        }
        at += 1;
    }
    ctx.engine.scripts.libraries(|libraries| {
        let mark = out.defer();
        let mut count = 0;
        for library in libraries {
            if pattern.is_some_and(|pattern| !glob::matches(pattern, library.name.as_bytes(), Case::Insensitive)) {
                continue;
            }
            count += 1;
            out.map(if with_code { 4 } else { 3 });
            out.bulk("library_name");
            out.bulk(&library.name);
            out.bulk("engine");
            out.bulk("LUA");
            out.bulk("functions");
            out.array(library.functions.len());
            for function in &library.functions {
                out.map(3);
                out.bulk("name");
                out.bulk(&function.name);
                out.bulk("description");
                match &function.description {
                    Some(description) => out.bulk(description),
                    None => out.nil(),
                }
                out.bulk("flags");
                out.set(function.flags.names().count());
                function.flags.names().for_each(|flag| out.simple(flag));
            }
            if with_code {
                out.bulk("library_code");
                out.bulk(&library.code);
            }
        }
        out.array_at(mark, count);
    });
    Ok(())
}

fn stats(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let scripts = &ctx.engine.scripts;
    if scripts.running.is_long() && !scripts.running.is_function() {
        return Err(CommandError::BUSY_SCRIPT);
    }
    out.map(2);
    out.bulk("running_script");
    scripts.running.shown(|shown| match shown {
        None => out.nil(),
        Some(shown) => {
            out.map(3);
            out.bulk("name");
            out.bulk(&shown.name);
            out.bulk("command");
            out.array(shown.args.len());
            shown.args.as_args().iter().for_each(|arg| out.bulk(arg));
            out.bulk("duration_ms");
            out.int(i64::try_from(shown.since.elapsed().as_millis()).unwrap_or(i64::MAX));
        }
    });
    let usage = scripts.usage();
    out.bulk("engines");
    out.map(1);
    out.bulk("LUA");
    out.map(2);
    out.bulk("libraries_count");
    out.int(usage.libraries as i64);
    out.bulk("functions_count");
    out.int(usage.functions as i64);
    Ok(())
}
