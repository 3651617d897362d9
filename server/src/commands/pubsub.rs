//! The pub/sub family: messages to whoever listens at the moment. Who that is, `server/src/pubsub.rs` knows.

use crate::command::{Channels, Command, Flags, Group, Handler, KeySpec};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::pubsub::Kind;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;

pub(crate) const COMMANDS: &[Command] =
    &[SUBSCRIBE, UNSUBSCRIBE, PSUBSCRIBE, PUNSUBSCRIBE, SSUBSCRIBE, SUNSUBSCRIBE, PUBLISH, SPUBLISH, PUBSUB];

const OPEN: Flags = Flags::PUBSUB.with(Flags::LOADING).with(Flags::STALE);

const fn subscription(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::PubSub, name, handler)
        .flag(OPEN.with(Flags::NOSCRIPT).with(Flags::SUBSCRIPTION))
        .since("2.0.0")
}

const SUBSCRIBE: Command = subscription("subscribe", subscribe)
    .arity(-2)
    .channels(Channels::Names)
    .doc("Has messages to these channels come to this connection.")
    .syntax("channel [channel ...]");

fn subscribe(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    subscribe_to(ctx, args, Kind::Channel, out)
}

const PSUBSCRIBE: Command = subscription("psubscribe", psubscribe)
    .arity(-2)
    .channels(Channels::Patterns)
    .doc("Has messages to all channels that match these patterns come to this connection.")
    .syntax("pattern [pattern ...]");

fn psubscribe(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    subscribe_to(ctx, args, Kind::Pattern, out)
}

const SSUBSCRIBE: Command = subscription("ssubscribe", ssubscribe)
    .arity(-2)
    .channels(Channels::Names)
    .keys(KeySpec::channels(1, -1))
    .since("7.0.0")
    .doc("Has messages to these shard channels come to this connection.")
    .syntax("shardchannel [shardchannel ...]");

fn ssubscribe(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if !ctx.is_alone() {
        return Err(CommandError::SSUBSCRIBE_IN_TRANSACTION);
    }
    subscribe_to(ctx, args, Kind::ShardChannel, out)
}

fn subscribe_to(ctx: &mut Ctx<'_>, args: Args<'_>, kind: Kind, out: &mut Reply) -> CmdResult {
    for name in args.iter().skip(1) {
        let session = &mut *ctx.session;
        // A message that comes at once waits in the outbox until this reply is complete.
        ctx.engine.pubsub.subscribe(&mut session.subscriptions, &session.record, kind, name);
        // Who has lost the right just now was not there yet when those were looked for who have.
        if ctx.engine.refresh(session) && !session.user.may_listen(name, kind == Kind::Pattern) {
            session.closing = true;
        }
        confirm(ctx, Some(name), kind, out);
    }
    Ok(())
}

/// A reply of its own for each name: the command's name, what it was about, and how many subscriptions there are now.
fn confirm(ctx: &Ctx<'_>, name: Option<&[u8]>, kind: Kind, out: &mut Reply) {
    out.push(3);
    out.bulk(ctx.command.name);
    match name {
        Some(name) => out.bulk(name),
        None => out.nil(),
    }
    out.int(ctx.session.subscriptions.count(kind) as i64);
}

const UNSUBSCRIBE: Command = subscription("unsubscribe", unsubscribe)
    .arity(-1)
    .doc("Ends the subscriptions to these channels, or to all.")
    .syntax("[channel [channel ...]]");

fn unsubscribe(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    unsubscribe_from(ctx, args, Kind::Channel, out)
}

const PUNSUBSCRIBE: Command = subscription("punsubscribe", punsubscribe)
    .arity(-1)
    .doc("Ends the subscriptions to these patterns, or to all.")
    .syntax("[pattern [pattern ...]]");

fn punsubscribe(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    unsubscribe_from(ctx, args, Kind::Pattern, out)
}

const SUNSUBSCRIBE: Command = subscription("sunsubscribe", sunsubscribe)
    .arity(-1)
    .keys(KeySpec::channels(1, -1))
    .since("7.0.0")
    .doc("Ends the subscriptions to these shard channels, or to all.")
    .syntax("[shardchannel [shardchannel ...]]");

fn sunsubscribe(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    unsubscribe_from(ctx, args, Kind::ShardChannel, out)
}

fn unsubscribe_from(ctx: &mut Ctx<'_>, args: Args<'_>, kind: Kind, out: &mut Reply) -> CmdResult {
    if args.len() > 1 {
        args.iter().skip(1).for_each(|name| unsubscribe_one(ctx, name, kind, out));
        return Ok(());
    }
    let names: Vec<_> = ctx.session.subscriptions.names(kind).iter().cloned().collect();
    if names.is_empty() {
        confirm(ctx, None, kind, out);
    }
    names.iter().for_each(|name| unsubscribe_one(ctx, name, kind, out));
    Ok(())
}

fn unsubscribe_one(ctx: &mut Ctx<'_>, name: &[u8], kind: Kind, out: &mut Reply) {
    let session = &mut *ctx.session;
    ctx.engine.pubsub.unsubscribe(&mut session.subscriptions, &session.record, kind, name);
    // What was published before belongs before the confirmation; but nothing may come between the replies inside EXEC's.
    // Who is inside the process has its messages apart from its replies.
    if ctx.is_alone() && !ctx.session.record.is_local {
        // What is lost by an overflow is noticed after the command, and ends the connection.
        ctx.session.record.outbox.drain(out);
    }
    confirm(ctx, Some(name), kind, out);
}

const PUBLISH: Command = Command::control(Group::PubSub, "publish", publish)
    .arity(3)
    .channels(Channels::First)
    .flag(OPEN.with(Flags::MAY_REPLICATE))
    .fast()
    .since("2.0.0")
    .doc("Sends a message to all who listen to the channel; returns how many that are.")
    .syntax("channel message");

fn publish(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let receivers = ctx.engine.pubsub.publish(&args[1], &args[2], ctx.settings());
    out.int(receivers as i64);
    Ok(())
}

const SPUBLISH: Command = Command::control(Group::PubSub, "spublish", spublish)
    .arity(3)
    .channels(Channels::First)
    .keys(KeySpec::channels(1, 0))
    .flag(OPEN.with(Flags::MAY_REPLICATE))
    .fast()
    .since("7.0.0")
    .doc("Sends a message to all who listen to the shard channel; returns how many that are.")
    .syntax("shardchannel message");

fn spublish(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let receivers = ctx.engine.pubsub.publish_to_shard(&args[1], &args[2], ctx.settings());
    out.int(receivers as i64);
    Ok(())
}

const fn about(name: &'static str, handler: Handler) -> Command {
    Command::control(Group::PubSub, name, handler).flag(OPEN).arity(-2).since("2.8.0")
}

const PUBSUB: Command = Command::container(
    Group::PubSub,
    "pubsub",
    &[
        about("pubsub|channels", channels).doc("The channels that somebody listens to by name.").syntax("[pattern]"),
        Command::control(Group::PubSub, "pubsub|help", super::help)
            .arity(2)
            .flag(Flags::LOADING.with(Flags::STALE))
            .since("6.2.0")
            .doc("This list."),
        about("pubsub|numpat", numpat).arity(2).doc("How many different patterns somebody listens to."),
        about("pubsub|numsub", numsub)
            .doc("How many clients listen to each of the channels by name.")
            .syntax("[channel [channel ...]]"),
        about("pubsub|shardchannels", shardchannels)
            .since("7.0.0")
            .doc("The shard channels that somebody listens to.")
            .syntax("[pattern]"),
        about("pubsub|shardnumsub", shardnumsub)
            .since("7.0.0")
            .doc("How many clients listen to each of the shard channels.")
            .syntax("[shardchannel [shardchannel ...]]"),
    ],
)
.since("2.8.0")
.doc("Who listens to what.");

fn channels(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    list_channels(ctx, args, Kind::Channel, out)
}

fn shardchannels(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    list_channels(ctx, args, Kind::ShardChannel, out)
}

fn list_channels(ctx: &mut Ctx<'_>, args: Args<'_>, kind: Kind, out: &mut Reply) -> CmdResult {
    if args.len() > 3 {
        return Err(CommandError::subcommand_syntax("PUBSUB", &args[1]));
    }
    let names = ctx.engine.pubsub.channels(kind, args.get(2));
    out.array(names.len());
    names.iter().for_each(|name| out.bulk(name));
    Ok(())
}

fn numsub(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    count_subscribers(ctx, args, Kind::Channel, out)
}

fn shardnumsub(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    count_subscribers(ctx, args, Kind::ShardChannel, out)
}

fn count_subscribers(ctx: &mut Ctx<'_>, args: Args<'_>, kind: Kind, out: &mut Reply) -> CmdResult {
    let names = args.from(2);
    out.array(2 * names.len());
    for name in names.iter() {
        out.bulk(name);
        out.int(ctx.engine.pubsub.subscriber_count(kind, name) as i64);
    }
    Ok(())
}

fn numpat(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    out.int(ctx.engine.pubsub.pattern_count() as i64);
    Ok(())
}
