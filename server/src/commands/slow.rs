//! SLOWLOG and LATENCY: what took long.

mod report;

use crate::command::{self, Command, Flags, Group, Handler};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

pub(crate) const COMMANDS: &[Command] = &[SLOWLOG, LATENCY];

/// Entries that SLOWLOG GET answers if it is not told how many.
const SHOWN: usize = 10;

const fn subcommand(name: &'static str, handler: Handler, flags: Flags) -> Command {
    Command::control(Group::Server, name, handler).flag(flags.with(Flags::LOADING).with(Flags::STALE))
}

const SLOWLOG: Command = Command::container(
    Group::Server,
    "slowlog",
    &[
        subcommand("slowlog|get", get, Flags::ADMIN)
            .arity(-2)
            .since("2.2.12")
            .doc("The latest slow commands, the newest first.")
            .syntax("[count]"),
        subcommand("slowlog|help", super::help, Flags::NONE).arity(2).since("6.2.0").doc("This list."),
        subcommand("slowlog|len", len, Flags::ADMIN).arity(2).since("2.2.12").doc("Number of slow commands kept."),
        subcommand("slowlog|reset", reset, Flags::ADMIN).arity(2).since("2.2.12").doc("Forgets the slow commands."),
    ],
)
.since("2.2.12")
.doc("Commands that ran for longer than slowlog-log-slower-than says.");

fn get(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if args.len() > 3 {
        return Err(CommandError::subcommand_syntax("SLOWLOG", &args[1]));
    }
    let most = match args.get(2).map(number::parse_i64) {
        None => SHOWN,
        Some(Some(-1)) => usize::MAX,
        Some(count) => count.and_then(|count| usize::try_from(count).ok()).ok_or(CommandError::SLOWLOG_COUNT)?,
    };
    ctx.engine.slow.entries(most, |count, entries| {
        out.array(count);
        for entry in entries {
            out.array(6);
            out.int(entry.id as i64);
            out.int(entry.time as i64);
            out.int(entry.took as i64);
            out.array(entry.args.len());
            entry.args.iter().for_each(|arg| out.bulk(arg));
            out.bulk(&entry.addr);
            out.bulk(&entry.name);
        }
    });
    Ok(())
}

fn len(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    out.int(ctx.engine.slow.len() as i64);
    Ok(())
}

fn reset(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    ctx.engine.slow.reset();
    out.ok();
    Ok(())
}

const LATENCY: Command = Command::container(
    Group::Server,
    "latency",
    &[
        subcommand("latency|doctor", doctor, Flags::ADMIN.with(Flags::NOSCRIPT))
            .arity(2)
            .since("2.8.13")
            .doc("What the events say, in words, and what can be done."),
        subcommand("latency|graph", graph, Flags::ADMIN.with(Flags::NOSCRIPT))
            .arity(3)
            .since("2.8.13")
            .doc("How long an event took, as a chart.")
            .syntax("event"),
        subcommand("latency|help", super::help, Flags::NONE).arity(2).since("2.8.13").doc("This list."),
        subcommand("latency|histogram", histogram, Flags::ADMIN.with(Flags::NOSCRIPT))
            .arity(-2)
            .since("7.0.0")
            .doc("How often commands took up to how many microseconds, in steps that double.")
            .syntax("[command [command ...]]"),
        subcommand("latency|history", history, Flags::ADMIN.with(Flags::NOSCRIPT))
            .arity(3)
            .since("2.8.13")
            .doc("When an event took long, and how long in milliseconds.")
            .syntax("event"),
        subcommand("latency|latest", latest, Flags::ADMIN.with(Flags::NOSCRIPT))
            .arity(2)
            .since("2.8.13")
            .doc("The latest and the longest of each event."),
        subcommand("latency|reset", reset_events, Flags::ADMIN.with(Flags::NOSCRIPT))
            .arity(-2)
            .since("2.8.13")
            .doc("Forgets events; returns how many there were.")
            .syntax("[event [event ...]]"),
    ],
)
.since("2.8.13")
.doc("Events that took as long as latency-monitor-threshold says.");

/// Nanoseconds of the first step of the histograms that are shown.
const FIRST_STEP: u64 = 1024;

fn histogram(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let named = args.from(2);
    let mut wanted: Vec<&Command> = Vec::new();
    for command in named.iter().filter_map(|name| ctx.engine.names.find_by_full_name(name)) {
        // A container stands for what is in it.
        wanted.push(command);
        wanted.extend(command.subcommands);
    }
    if named.is_empty() {
        wanted.extend(command::numbered());
    }
    let stats = &ctx.engine.command_stats;
    let measured: Vec<_> =
        wanted.into_iter().filter_map(|command| Some((command, stats.durations(command)?))).collect();
    out.map(measured.len());
    for (command, durations) in measured {
        out.bulk(command.name);
        out.map(2);
        out.bulk("calls");
        out.int(durations.len() as i64);
        out.bulk("histogram_usec");
        let mut steps: Vec<(u64, u64)> = Vec::new();
        let mut sum = 0;
        for step in durations.iter_log(FIRST_STEP, 2.0) {
            let here = step.count_since_last_iteration();
            if here != 0 {
                sum += here;
                steps.push((durations.highest_equivalent(step.value_iterated_to()) / 1000, sum));
            }
        }
        out.map(steps.len());
        for (micros, count) in steps {
            out.int(micros as i64);
            out.int(count as i64);
        }
    }
    Ok(())
}

fn doctor(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let threshold = ctx.settings().latency_monitor_threshold;
    let text = report::doctor(&ctx.engine.slow.events(), threshold, ctx.now() / 1000);
    out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

fn graph(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let name = &args[2];
    let event = ctx.engine.slow.event(name);
    let event = event.ok_or_else(|| CommandError::quoting("ERR No samples available for event '", name, "'"))?;
    out.verbatim(b"txt", report::graph(&String::from_utf8_lossy(name), &event, ctx.now() / 1000).as_bytes());
    Ok(())
}

fn history(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let samples = ctx.engine.slow.event(&args[2]).unwrap_or_default().samples;
    out.array(samples.len());
    for (second, millis) in samples {
        out.array(2);
        out.int(second as i64);
        out.int(millis as i64);
    }
    Ok(())
}

fn latest(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let events = ctx.engine.slow.events();
    out.array(events.len());
    for (name, event) in events {
        let (second, millis) = event.samples.back().copied().unwrap_or_default();
        out.array(4);
        out.bulk(name);
        out.int(second as i64);
        out.int(millis as i64);
        out.int(event.most as i64);
    }
    Ok(())
}

fn reset_events(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    out.int(ctx.engine.slow.reset_events(args.from(2)) as i64);
    Ok(())
}
