//! The subcommands of CLIENT that are about client-side caching.

use super::{int, is};
use crate::command::{Command, Flags, Group, Handler, Locks};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::tracking::{Mode, Options};
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

const fn subcommand(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::Connection, name, handler).flag(Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE))
}

pub(crate) const CACHING: Command = subcommand("client|caching", caching)
    .arity(3)
    .since("6.0.0")
    .doc("Whether the keys of the next command are remembered, in the modes OPTIN and OPTOUT.")
    .syntax("<YES | NO>");

fn caching(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mode = ctx.session.record.tracking.lock().as_ref().map(|tracked| tracked.options.mode);
    let Some(mode @ (Mode::OptIn | Mode::OptOut)) = mode else {
        return Err(CommandError::CACHING_WITHOUT_OPT);
    };
    let yes = match &args[2] {
        word if is(word, "yes") => true,
        word if is(word, "no") => false,
        _ => return Err(CommandError::SYNTAX),
    };
    match (yes, mode) {
        (true, Mode::OptOut) => return Err(CommandError::CACHING_YES_WITHOUT_OPTIN),
        (false, Mode::OptIn) => return Err(CommandError::CACHING_NO_WITHOUT_OPTOUT),
        _ => {}
    }
    ctx.session.caching = Some(yes);
    out.ok();
    Ok(())
}

pub(crate) const GETREDIR: Command = subcommand("client|getredir", getredir)
    .arity(2)
    .since("6.0.0")
    .doc("The client that is told of changed keys instead: 0 is none, -1 says that nothing is tracked.");

fn getredir(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    out.int(ctx.session.record.redirect());
    Ok(())
}

pub(crate) const TRACKING: Command = subcommand("client|tracking", tracking)
    .arity(-3)
    // All shards begin to note what changes.
    .locks(Locks::All)
    .since("6.0.0")
    .doc("Has the connection told of changes to keys that it has read.")
    .syntax("<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]");

fn tracking(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (mut options, mut opt_in, mut opt_out, mut broadcast) = (Options::default(), false, false, false);
    let mut rest = args.from(3).iter();
    while let Some(word) = rest.next() {
        match word {
            word if is(word, "redirect") => {
                let id = int(rest.next().ok_or(CommandError::SYNTAX)?)?;
                if options.redirect.is_some() {
                    return Err(CommandError::TRACKING_TWO_REDIRECTS);
                }
                let known = u64::try_from(id).ok().filter(|id| ctx.engine.registry.find(*id).is_some());
                options.redirect = Some(known.ok_or(CommandError::TRACKING_NO_CLIENT)?);
            }
            word if is(word, "prefix") => {
                options.prefixes.insert(rest.next().ok_or(CommandError::SYNTAX)?.into());
            }
            word if is(word, "bcast") => broadcast = true,
            word if is(word, "optin") => opt_in = true,
            word if is(word, "optout") => opt_out = true,
            word if is(word, "noloop") => options.no_loop = true,
            _ => return Err(CommandError::SYNTAX),
        }
    }
    match &args[2] {
        word if is(word, "on") => {}
        word if is(word, "off") => {
            end(ctx);
            out.ok();
            return Ok(());
        }
        _ => return Err(CommandError::SYNTAX),
    }
    if !broadcast && !options.prefixes.is_empty() {
        return Err(CommandError::TRACKING_PREFIX_WITHOUT_BCAST);
    }
    options.mode = match (broadcast, opt_in, opt_out) {
        (true, false, false) => Mode::Broadcast,
        (true, ..) => return Err(CommandError::TRACKING_OPT_AND_BCAST),
        (false, true, true) => return Err(CommandError::TRACKING_OPTIN_AND_OPTOUT),
        (false, true, false) => Mode::OptIn,
        (false, false, true) => Mode::OptOut,
        (false, false, false) => Mode::Default,
    };
    check_prefixes(ctx, args)?;
    ctx.engine.tracking.enable(&ctx.session.record, options)?;
    ctx.session.is_tracking = true;
    ctx.locked().shards().for_each(|shard| shard.track(true));
    out.ok();
    Ok(())
}

/// Ends the client's tracking.
pub(crate) fn end(ctx: &mut Ctx<'_>) {
    ctx.engine.tracking.disable(&ctx.session.record);
    ctx.session.is_tracking = false;
    ctx.session.caching = None;
}

/// No prefix of one client may begin with another.
fn check_prefixes(ctx: &Ctx<'_>, args: Args<'_>) -> CmdResult {
    let mut given: Vec<&[u8]> = Vec::new();
    let mut rest = args.from(3).iter();
    while let Some(word) = rest.next() {
        if is(word, "prefix") {
            given.extend(rest.next());
        } else if is(word, "redirect") {
            rest.next();
        }
    }
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    let tracked = ctx.session.record.tracking.lock();
    for prefix in &given {
        let existing = tracked.iter().flat_map(|tracked| &tracked.options.prefixes);
        if let Some(other) = existing.map(|other| &**other).find(|other| overlap(prefix, other)) {
            return Err(CommandError::prefix_overlap(prefix, "an existing prefix", other));
        }
    }
    for (at, prefix) in given.iter().enumerate() {
        if let Some(other) = given[at + 1..].iter().find(|other| overlap(prefix, other)) {
            return Err(CommandError::prefix_overlap(prefix, "another provided prefix", other));
        }
    }
    Ok(())
}

pub(crate) const TRACKINGINFO: Command = subcommand("client|trackinginfo", trackinginfo)
    .arity(2)
    .since("6.2.0")
    .doc("What the connection has tracked, and how.");

fn trackinginfo(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let record = ctx.session.record.clone();
    let tracked = record.tracking.lock();
    let mut flags = Vec::new();
    match &*tracked {
        None => flags.push("off"),
        Some(tracked) => {
            flags.push("on");
            let mode = match tracked.options.mode {
                Mode::Default => None,
                Mode::Broadcast => Some("bcast"),
                Mode::OptIn => Some("optin"),
                Mode::OptOut => Some("optout"),
            };
            flags.extend(mode);
            flags.extend(ctx.session.caching.map(|yes| if yes { "caching-yes" } else { "caching-no" }));
            flags.extend(tracked.options.no_loop.then_some("noloop"));
            flags.extend(tracked.is_broken.then_some("broken_redirect"));
        }
    }
    out.map(3);
    out.bulk("flags");
    out.set(flags.len());
    flags.iter().for_each(|flag| out.bulk(flag));
    out.bulk("redirect");
    let redirect = tracked.as_ref().map(|tracked| tracked.options.redirect.unwrap_or(0) as i64);
    out.int(redirect.unwrap_or(-1));
    out.bulk("prefixes");
    let prefixes = tracked.as_ref().map(|tracked| &tracked.options.prefixes);
    out.array(prefixes.map_or(0, |prefixes| prefixes.len()));
    prefixes.into_iter().flatten().for_each(|prefix| out.bulk(prefix));
    Ok(())
}
