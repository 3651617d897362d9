//! Consumer groups: their administration, what is pending in them, and how it is acknowledged or claimed.

use super::ids::{interval, loose_id, start_bound, strict_id};
use super::{counted_ids, existing, reads, strict_ids, write_entry, write_id, writes};
use crate::command::{Command, Flags, Group as Family, usage};
use crate::commands::{int, is};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::number::parse_i64;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::shard::Edit;
use resplite_storage::types::stream::{Deletion, Entries, Group, Id, Pending, References, Stream};

/// How many deliveries XAUTOCLAIM claims if nothing is said, how many more it looks at, and what it takes at most.
const CLAIM_DEFAULT: usize = 100;
const CLAIM_LOOKS: usize = 10;
const CLAIM_MAX: i64 = i64::MAX / 16;

/// The event of a consumer that has come to be, by whatever command.
const NEW_CONSUMER: &str = "xgroup-createconsumer";

pub(super) const XGROUP: Command = Command::container(
    Family::Stream,
    "xgroup",
    &[
        writes("xgroup|create", create)
            .arity(-5)
            .key(usage::INSERT, 2)
            .deny_oom()
            .doc("Adds a group to a stream.")
            .syntax("key group <id | $> [MKSTREAM] [ENTRIESREAD entriesread]"),
        writes("xgroup|createconsumer", create_consumer)
            .arity(5)
            .key(usage::INSERT, 2)
            .deny_oom()
            .since("6.2.0")
            .doc("Adds a consumer to a group; returns whether it is new.")
            .syntax("key group consumer"),
        writes("xgroup|delconsumer", delete_consumer)
            .arity(5)
            .key(usage::DELETE, 2)
            .doc("Removes a consumer from a group; returns how much it had not acknowledged.")
            .syntax("key group consumer"),
        writes("xgroup|destroy", destroy)
            .arity(4)
            .key(usage::DELETE, 2)
            .doc("Removes a group; returns whether there was one.")
            .syntax("key group"),
        Command::control(Family::Stream, "xgroup|help", crate::commands::help)
            .arity(2)
            .flag(Flags::LOADING.with(Flags::STALE))
            .since("5.0.0")
            .doc("This list."),
        writes("xgroup|setid", set_id)
            .arity(-5)
            .key(usage::UPDATE, 2)
            .doc("Sets up to which id everything counts as delivered.")
            .syntax("key group <id | $> [ENTRIESREAD entriesread]"),
    ],
)
.since("5.0.0");

/// The options of XGROUP CREATE and SETID: whether to create the stream, and how many entries were read.
fn group_options(args: Args<'_>, may_create: bool) -> CmdResult<(bool, Option<u64>)> {
    let (mut creates, mut read, mut at) = (false, None, 5);
    while let Some(word) = args.get(at) {
        match (word, args.get(at + 1)) {
            (word, _) if may_create && is(word, "mkstream") => creates = true,
            (word, Some(value)) if is(word, "entriesread") => {
                read = match int(value)? {
                    -1 => None,
                    value => Some(u64::try_from(value).map_err(|_| CommandError::NEGATIVE_ENTRIES_READ)?),
                };
                at += 1;
            }
            _ => return Err(CommandError::subcommand_syntax("XGROUP", &args[1])),
        }
        at += 1;
    }
    Ok((creates, read))
}

fn create(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (creates, read) = group_options(args, true)?;
    let last_id = existing(ctx, &args[2])?.map(|stream| stream.entries().last_id());
    if last_id.is_none() && !creates {
        return Err(CommandError::XGROUP_WITHOUT_KEY);
    }
    // Each option once: MKSTREAM is one word, ENTRIESREAD is two.
    if args.len() > 8 {
        return Err(CommandError::subcommand_syntax("XGROUP", &args[1]));
    }
    let id = match &args[4] {
        b"$" => last_id.unwrap_or_default(),
        id => strict_id(id, 0)?,
    };
    let is_new = ctx.upsert(&args[2], |stream: &mut Stream| {
        let is_new = stream.add_group(&args[3], Group::new(id, read));
        Edit::when(is_new, is_new)
    })?;
    if !is_new {
        return Err(CommandError::BUSY_GROUP);
    }
    ctx.notify(EventClasses::STREAM, "xgroup-create", &args[2]);
    out.ok();
    Ok(())
}

fn set_id(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (_, read) = group_options(args, false)?;
    check_group(ctx, args)?;
    if args.len() > 7 {
        return Err(CommandError::subcommand_syntax("XGROUP", &args[1]));
    }
    let last_id = existing(ctx, &args[2])?.map_or(Id::MIN, |stream| stream.entries().last_id());
    let id = match &args[4] {
        b"$" => last_id,
        id => loose_id(id, 0)?,
    };
    edit_group(ctx, &args[2], &args[3], |_, group| {
        group.set_last_id(id, read);
        Edit::changed(())
    })?;
    ctx.notify(EventClasses::STREAM, "xgroup-setid", &args[2]);
    out.ok();
    Ok(())
}

fn destroy(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let existed = ctx.update(&args[2], |stream: &mut Stream| {
        let existed = stream.remove_group(&args[3]);
        Edit::when(existed, existed)
    })?;
    let existed = existed.ok_or(CommandError::XGROUP_WITHOUT_KEY)?;
    if existed {
        ctx.notify(EventClasses::STREAM, "xgroup-destroy", &args[2]);
    }
    out.int(existed.into());
    Ok(())
}

fn create_consumer(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    check_group(ctx, args)?;
    let now = ctx.now();
    let is_new = edit_group(ctx, &args[2], &args[3], |_, group| {
        let is_new = group.find_consumer(&args[4]).is_none() && group.see_consumer(&args[4], now).1;
        Edit::when(is_new, is_new)
    })?;
    let is_new = is_new.unwrap_or(false);
    if is_new {
        ctx.notify(EventClasses::STREAM, NEW_CONSUMER, &args[2]);
    }
    out.int(is_new.into());
    Ok(())
}

fn delete_consumer(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    check_group(ctx, args)?;
    let pending = edit_group(ctx, &args[2], &args[3], |_, group| {
        let pending = group.remove_consumer(&args[4]);
        Edit::when(pending.is_some(), pending)
    })?;
    let pending = pending.flatten();
    if pending.is_some() {
        ctx.notify(EventClasses::STREAM, "xgroup-delconsumer", &args[2]);
    }
    out.int(pending.unwrap_or(0) as i64);
    Ok(())
}

/// Refuses a key that is missing, no stream, or without the group.
fn check_group(ctx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let stream = existing(ctx, &args[2])?.ok_or(CommandError::XGROUP_WITHOUT_KEY)?;
    match stream.group(&args[3]) {
        Some(_) => Ok(()),
        None => Err(CommandError::no_group_of(&args[2], &args[3])),
    }
}

/// Changes a group; `None` if there is no such key or no such group.
pub(super) fn edit_group<R>(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    name: &[u8],
    edit: impl FnOnce(&Entries, &mut Group) -> Edit<R>,
) -> CmdResult<Option<R>> {
    let edited = ctx.update(key, |stream: &mut Stream| match stream.edit_group(name, edit) {
        Some(Edit { result, changed }) => Edit { result: Some(result), changed },
        None => Edit::unchanged(None),
    })?;
    Ok(edited.flatten())
}

pub(super) const XACK: Command = writes("xack", xack)
    .arity(-4)
    .key(usage::UPDATE, 1)
    .fast()
    .doc("Acknowledges deliveries; returns how many there were.")
    .syntax("key group id [id ...]");

fn xack(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if ctx.read::<Stream>(&args[1])?.is_none_or(|stream| stream.group(&args[2]).is_none()) {
        out.int(0);
        return Ok(());
    }
    let ids = strict_ids(args.from(3))?;
    let acknowledged = edit_group(ctx, &args[1], &args[2], |_, group| {
        let count = ids.iter().filter(|id| group.remove_pending(**id)).count();
        Edit::when(count > 0, count)
    })?;
    out.int(acknowledged.unwrap_or(0) as i64);
    Ok(())
}

pub(super) const XACKDEL: Command = writes("xackdel", xackdel)
    .arity(-6)
    .key(usage::UPDATE_DELETE, 1)
    .fast()
    .since("8.2.0")
    .doc("Acknowledges deliveries and deletes their entries; tells what became of each.")
    .syntax("key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]");

fn xackdel(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (references, ids) = counted_ids(args, 3)?;
    let mut deleted = 0;
    let outcomes = ctx.update(&args[1], |stream: &mut Stream| {
        let before = stream.entries().len();
        let outcomes: Vec<i64> =
            ids.iter().map(|id| acknowledge_and_delete(stream, &args[2], *id, references)).collect();
        deleted = before - stream.entries().len();
        Edit::when(outcomes.iter().any(|outcome| *outcome > 0), outcomes)
    })?;
    if deleted > 0 {
        ctx.notify(EventClasses::STREAM, "xdel", &args[1]);
    }
    let outcomes = outcomes.unwrap_or_else(|| vec![super::outcome(Deletion::Missing); ids.len()]);
    out.array(outcomes.len());
    outcomes.into_iter().for_each(|outcome| out.int(outcome));
    Ok(())
}

/// An entry that was acknowledged counts as deleted even if somebody else did that.
fn acknowledge_and_delete(stream: &mut Stream, group: &[u8], id: Id, references: References) -> i64 {
    if stream.edit_group(group, |_, group| group.remove_pending(id)) != Some(true) {
        return super::outcome(Deletion::Missing);
    }
    match stream.delete(id, references) {
        Deletion::Missing => super::outcome(Deletion::Deleted),
        deletion => super::outcome(deletion),
    }
}

pub(super) const XPENDING: Command = reads("xpending", xpending)
    .arity(-3)
    .key(usage::READ, 1)
    .doc("What was delivered to a group and not yet acknowledged.")
    .syntax("key group [[IDLE min-idle-time] start end count [consumer]]");

fn xpending(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if args.len() != 3 && !(6..=9).contains(&args.len()) {
        return Err(CommandError::SYNTAX);
    }
    let (mut least_idle, mut at) = (0, 3);
    if let Some(idle) = args.get(4).filter(|_| is(&args[3], "idle")) {
        least_idle = int(idle)?;
        if args.len() < 8 {
            return Err(CommandError::SYNTAX);
        }
        at = 5;
    }
    let mut filter = None;
    if let (Some(start), Some(end), Some(count)) = (args.get(at), args.get(at + 1), args.get(at + 2)) {
        let count = usize::try_from(int(count)?).unwrap_or(0);
        filter = Some((interval(start, end)?, count));
    }
    let now = ctx.now();
    let group = ctx.read::<Stream>(&args[1])?.and_then(|stream| stream.group(&args[2]));
    let group = group.ok_or_else(|| CommandError::no_group(&args[1], &args[2], ""))?;
    let Some((ids, count)) = filter else {
        write_pending_summary(out, group);
        return Ok(());
    };
    let consumer = match args.get(at + 3) {
        Some(name) => match group.find_consumer(name) {
            Some(consumer) => Some(consumer),
            None => {
                out.array(0);
                return Ok(());
            }
        },
        None => None,
    };
    let matching = |id: &Id| {
        let pending = group.pending().get(id)?;
        (idle(now, pending) >= least_idle).then_some((*id, *pending))
    };
    let found: Vec<(Id, Pending)> = match consumer.and_then(|consumer| group.consumer(consumer)) {
        _ if ids.is_empty() => Vec::new(),
        Some(consumer) => consumer.pending().range(ids).filter_map(matching).take(count).collect(),
        None => group.pending().range(ids).filter_map(|(id, _)| matching(id)).take(count).collect(),
    };
    out.array(found.len());
    for (id, pending) in found {
        out.array(4);
        write_id(out, id);
        out.bulk(group.consumer(pending.consumer).map_or(&b""[..], |consumer| &consumer.name));
        out.int(idle(now, &pending));
        out.int(pending.count as i64);
    }
    Ok(())
}

/// Milliseconds since a delivery; none if it lies ahead.
pub(super) fn idle(now: u64, pending: &Pending) -> i64 {
    now.saturating_sub(pending.delivered) as i64
}

fn write_pending_summary(out: &mut Reply, group: &Group) {
    out.array(4);
    out.int(group.pending().len() as i64);
    let (Some((first, _)), Some((last, _))) = (group.pending().first_key_value(), group.pending().last_key_value())
    else {
        out.nil();
        out.nil();
        out.nil_array();
        return;
    };
    write_id(out, *first);
    write_id(out, *last);
    let busy = || group.consumers().filter(|consumer| !consumer.pending().is_empty());
    out.array(busy().count());
    for consumer in busy() {
        out.array(2);
        out.bulk(&consumer.name);
        out.bulk_int(consumer.pending().len() as i64);
    }
}

pub(super) const XCLAIM: Command = writes("xclaim", xclaim)
    .arity(-6)
    .key(usage::UPDATE, 1)
    .fast()
    .doc("Takes over deliveries by id; returns their entries.")
    .syntax(
        "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] \
         [FORCE] [JUSTID] [LASTID lastid]",
    );

/// What XCLAIM says behind the ids.
#[derive(Default)]
struct ClaimOptions {
    /// When the deliveries shall have happened.
    time: Option<i64>,
    count: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: Option<Id>,
}

impl ClaimOptions {
    fn parse(args: Args<'_>, now: i64) -> CmdResult<Self> {
        let (mut options, mut at) = (ClaimOptions::default(), 0);
        while let Some(word) = args.get(at) {
            let number = |value: &[u8], option: &str| {
                parse_i64(value).ok_or_else(|| CommandError::invalid_claim(&format!("{option} option"), "xclaim"))
            };
            match (word, args.get(at + 1)) {
                (word, _) if is(word, "force") => options.force = true,
                (word, _) if is(word, "justid") => options.just_id = true,
                (word, Some(value)) => {
                    match word {
                        word if is(word, "idle") => options.time = Some(now.wrapping_sub(number(value, "IDLE")?)),
                        word if is(word, "time") => options.time = Some(number(value, "TIME")?),
                        // A count below zero leaves the counting to the server.
                        word if is(word, "retrycount") => {
                            options.count = u64::try_from(number(value, "RETRYCOUNT")?).ok();
                        }
                        word if is(word, "lastid") => options.last_id = Some(strict_id(value, 0)?),
                        _ => return Err(CommandError::quoting("ERR Unrecognized XCLAIM option '", word, "'")),
                    }
                    at += 1;
                }
                _ => return Err(CommandError::quoting("ERR Unrecognized XCLAIM option '", word, "'")),
            }
            at += 1;
        }
        Ok(options)
    }
}

fn xclaim(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let Some(_) = ctx.read::<Stream>(&args[1])?.and_then(|stream| stream.group(&args[2])) else {
        return Err(CommandError::no_group(&args[1], &args[2], ""));
    };
    let least_idle = least_idle(&args[4], ctx.command.name)?;
    let now = ctx.now();
    let ids: Vec<Id> = args.from(5).iter().map_while(|arg| strict_id(arg, 0).ok()).collect();
    let options = ClaimOptions::parse(args.from(5 + ids.len()), now as i64)?;
    // A time that makes no sense is now: clients work it out by their own clocks.
    let delivered = options.time.and_then(|time| u64::try_from(time).ok()).filter(|time| *time <= now).unwrap_or(now);
    // A log rewritten as commands tells of deliveries whose entries are gone; elsewhere those are not brought back.
    let keeps_missing = ctx.session.is_replay && options.force && options.last_id.is_none();
    let mut effects = Effects::new(ctx, &args[1], &args[2]);
    edit_group(ctx, &args[1], &args[2], |entries, group| {
        let is_raised = options.last_id.is_some_and(|id| group.raise_last_id(id));
        let (consumer, is_new) = group.see_consumer(&args[3], now);
        effects.consumer(&args[3], is_new);
        let mark = out.defer();
        let mut count = 0;
        for id in ids {
            let pending = group.pending().get(&id).copied();
            let entry = entries.get(id);
            if entry.is_none() && !keeps_missing {
                if group.remove_pending(id) {
                    effects.acknowledge(id);
                }
                continue;
            }
            let old = match pending {
                Some(pending) if idle(now, &pending) < least_idle => continue,
                Some(pending) => pending.count,
                // A delivery that is made up counts as one, and then as claimed.
                None if options.force => 1,
                None => continue,
            };
            let step = u64::from(!options.just_id);
            let times = options.count.unwrap_or_else(|| old.saturating_add(step));
            let pending = Pending { delivered, count: times, consumer };
            group.set_pending(id, pending);
            group.set_active(consumer, now);
            effects.claim(group, id, pending);
            match entry {
                Some(entry) if !options.just_id => write_entry(out, entry),
                _ => write_id(out, id),
            }
            count += 1;
        }
        out.array_at(mark, count);
        if is_raised && effects.claims == 0 {
            effects.last_id(group);
        }
        Edit::when(is_raised || effects.is_changed, ())
    })?;
    effects.tell(ctx);
    Ok(())
}

/// The idle time that deliveries must have to be claimed.
fn least_idle(arg: &[u8], command: &str) -> CmdResult<i64> {
    let idle = parse_i64(arg).ok_or_else(|| CommandError::invalid_claim("min-idle-time", command))?;
    Ok(idle.max(0))
}

pub(super) const XAUTOCLAIM: Command = writes("xautoclaim", xautoclaim)
    .arity(-6)
    .key(usage::DELETE, 1)
    .fast()
    .since("6.2.0")
    .doc("Takes over deliveries that have been idle for long; returns where to go on, and their entries.")
    .syntax("key group consumer min-idle-time start [COUNT count] [JUSTID]");

fn xautoclaim(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let least_idle = least_idle(&args[4], ctx.command.name)?;
    let start = start_bound(&args[5])?;
    let (mut most, mut just_id, mut at) = (CLAIM_DEFAULT, false, 6);
    while let Some(word) = args.get(at) {
        match (word, args.get(at + 1)) {
            (word, Some(count)) if is(word, "count") => {
                let count = parse_i64(count).filter(|count| (1..=CLAIM_MAX).contains(count));
                most = count.and_then(|count| usize::try_from(count).ok()).ok_or(CommandError::CLAIM_COUNT)?;
                at += 1;
            }
            (word, _) if is(word, "justid") => just_id = true,
            _ => return Err(CommandError::SYNTAX),
        }
        at += 1;
    }
    let Some(_) = ctx.read::<Stream>(&args[1])?.and_then(|stream| stream.group(&args[2])) else {
        return Err(CommandError::no_group(&args[1], &args[2], ""));
    };
    let now = ctx.now();
    let mut effects = Effects::new(ctx, &args[1], &args[2]);
    edit_group(ctx, &args[1], &args[2], |entries, group| {
        let (consumer, is_new) = group.see_consumer(&args[3], now);
        effects.consumer(&args[3], is_new);
        let (mut claimed, mut deleted, mut next) = (Vec::new(), Vec::new(), None);
        for (looked, (id, pending)) in group.pending().range(start..).enumerate() {
            if looked == most.saturating_mul(CLAIM_LOOKS) || claimed.len() + deleted.len() == most {
                next = Some(*id);
                break;
            }
            if entries.get(*id).is_none() {
                deleted.push(*id);
            } else if idle(now, pending) >= least_idle {
                let count = pending.count.saturating_add(u64::from(!just_id));
                claimed.push((*id, Pending { delivered: now, count, consumer }));
            }
        }
        out.array(3);
        write_id(out, next.unwrap_or_default());
        out.array(claimed.len());
        for (id, pending) in claimed {
            group.set_pending(id, pending);
            group.set_active(consumer, now);
            effects.claim(group, id, pending);
            match entries.get(id) {
                Some(entry) if !just_id => write_entry(out, entry),
                _ => write_id(out, id),
            }
        }
        out.array(deleted.len());
        for id in deleted {
            group.remove_pending(id);
            effects.acknowledge(id);
            write_id(out, id);
        }
        Edit::when(effects.is_changed, ())
    })?;
    effects.tell(ctx);
    Ok(())
}

/// What a command did to a group, as commands for the log.
pub(super) struct Effects<'a> {
    key: &'a [u8],
    group: &'a [u8],
    is_logged: bool,
    is_changed: bool,
    /// A consumer that has come to be.
    new_consumer: Option<Vec<u8>>,
    /// Deliveries that were claimed.
    claims: usize,
    commands: Vec<Vec<Vec<u8>>>,
}

impl<'a> Effects<'a> {
    pub(super) fn new(ctx: &Ctx<'_>, key: &'a [u8], group: &'a [u8]) -> Self {
        let is_logged = ctx.is_logged();
        Effects { key, group, is_logged, is_changed: false, new_consumer: None, claims: 0, commands: Vec::new() }
    }

    /// Whether anything was done.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// A consumer was met for the first time.
    pub(super) fn consumer(&mut self, name: &[u8], is_new: bool) {
        if is_new {
            self.is_changed = true;
            self.new_consumer = Some(name.to_vec());
        }
    }

    /// Something was delivered.
    pub(super) fn claim(&mut self, group: &Group, id: Id, pending: Pending) {
        self.claims += 1;
        if !self.is_logged {
            self.is_changed = true;
            return;
        }
        let (id, last_id) = (id.to_string(), group.last_id().to_string());
        let (time, count) = (pending.delivered.to_string(), pending.count.to_string());
        let consumer = group.consumer(pending.consumer).map_or(&b""[..], |consumer| &consumer.name);
        self.push(|key, group| {
            let head: [&[u8]; 6] = [b"XCLAIM", key, group, consumer, b"0", id.as_bytes()];
            let times: [&[u8]; 4] = [b"TIME", time.as_bytes(), b"RETRYCOUNT", count.as_bytes()];
            [&head[..], &times, &[b"FORCE", b"JUSTID", b"LASTID", last_id.as_bytes()]].concat()
        });
    }

    /// A delivery went, as its entry is gone.
    pub(super) fn acknowledge(&mut self, id: Id) {
        let id = id.to_string();
        self.push(|key, group| vec![b"XACK", key, group, id.as_bytes()]);
    }

    /// What counts as delivered has changed.
    pub(super) fn last_id(&mut self, group: &Group) {
        let id = group.last_id().to_string();
        let read = group.entries_read().map_or_else(|| "-1".to_owned(), |read| read.to_string());
        self.push(|key, name| vec![b"XGROUP", b"SETID", key, name, id.as_bytes(), b"ENTRIESREAD", read.as_bytes()]);
    }

    /// Has the log say all this instead of the command as it was sent, and tells those who listen of the consumer.
    pub(super) fn tell(self, ctx: &mut Ctx<'_>) {
        let Effects { key, group, .. } = self;
        if self.new_consumer.is_some() {
            ctx.notify(EventClasses::STREAM, NEW_CONSUMER, key);
        }
        // Whoever claims something comes to be by that.
        if let Some(name) = self.new_consumer.filter(|_| self.claims == 0) {
            ctx.log(&[b"XGROUP", b"CREATECONSUMER", key, group, &name]);
        } else if self.commands.is_empty() {
            ctx.log_nothing();
        }
        for command in &self.commands {
            ctx.log(&command.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
    }

    fn push<'b>(&mut self, command: impl FnOnce(&'b [u8], &'b [u8]) -> Vec<&'b [u8]>)
    where
        'a: 'b,
    {
        self.is_changed = true;
        if self.is_logged {
            self.commands.push(command(self.key, self.group).into_iter().map(<[u8]>::to_vec).collect());
        }
    }
}
