//! XREAD and XREADGROUP: what lies behind an id in several streams, for oneself or as a member of a group.

use super::groups::{Effects, edit_group, idle};
use super::ids::strict_id;
use super::{reads, write_entries, write_entry, write_fields, write_id, writes};
use crate::command::{Command, Flags, KeySpec, usage};
use crate::commands::{Awaited, int, is, timeout_millis, wait_for};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use resplite_resp::number::parse_i64;
use resplite_resp::reply::Reply;
use resplite_resp::request::{Args, OwnedArgs};
use resplite_storage::clock::Millis;
use resplite_storage::shard::Edit;
use resplite_storage::types::stream::{ConsumerId, Entries, Group, Id, Pending, Stream};
use resplite_storage::waiting::Hope;

pub(super) const XREAD: Command = reads("xread", xread)
    .arity(-4)
    .keys(KeySpec::halved(usage::READ, 1, "STREAMS"))
    .flag(Flags::BLOCKING.with(Flags::MOVABLEKEYS))
    .doc("The entries behind an id in each of several streams; may wait until there are any.")
    .syntax("[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]");

pub(super) const XREADGROUP: Command = writes("xreadgroup", xreadgroup)
    .arity(-7)
    .keys(KeySpec::halved(usage::READ, 4, "STREAMS"))
    .flag(Flags::BLOCKING.with(Flags::MOVABLEKEYS))
    .doc("Entries for a consumer of a group: new ones, or those it has not acknowledged; may wait for new ones.")
    .syntax(
        "GROUP group consumer [COUNT count] [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] \
         STREAMS key [key ...] id [id ...]",
    );

/// What is asked for.
struct Options<'a> {
    /// 0 means all.
    count: usize,
    /// Whether to wait if there is nothing, and until when.
    waits: bool,
    deadline: Option<Millis>,
    /// The group and the consumer.
    group: Option<(&'a [u8], &'a [u8])>,
    no_ack: bool,
    /// How long deliveries must have been idle to be claimed.
    claim: Option<i64>,
    /// Where the keys begin among the arguments.
    start: usize,
    keys: Args<'a>,
    ids: Args<'a>,
}

impl<'a> Options<'a> {
    fn parse(ctx: &Ctx<'_>, args: Args<'a>, is_group: bool) -> CmdResult<Self> {
        let nothing = args.from(args.len());
        let mut options = Options {
            count: 0,
            waits: false,
            deadline: None,
            group: None,
            no_ack: false,
            claim: None,
            start: 0,
            keys: nothing,
            ids: nothing,
        };
        let mut at = 1;
        while let Some(word) = args.get(at) {
            match (word, args.get(at + 1), args.get(at + 2)) {
                (word, Some(value), _) if is(word, "block") => {
                    (options.waits, options.deadline) = (true, timeout_millis(ctx, value)?);
                }
                (word, Some(value), _) if is(word, "count") => {
                    options.count = usize::try_from(int(value)?).unwrap_or(0);
                }
                (word, Some(_), _) if is(word, "streams") => {
                    let rest = args.from(at + 1);
                    if !rest.len().is_multiple_of(2) {
                        return Err(CommandError::unbalanced(ctx.command.name, if is_group { '>' } else { '$' }));
                    }
                    options.start = at + 1;
                    (options.keys, options.ids) = (rest.slice(0..rest.len() / 2), rest.from(rest.len() / 2));
                    break;
                }
                (word, Some(group), Some(consumer)) if is(word, "group") => {
                    if !is_group {
                        return Err(CommandError::GROUP_WITH_XREAD);
                    }
                    options.group = Some((group, consumer));
                    at += 1;
                }
                (word, Some(value), _) if is(word, "claim") => {
                    if !is_group {
                        return Err(CommandError::CLAIM_WITH_XREAD);
                    }
                    let idle = parse_i64(value).ok_or(CommandError::CLAIM_NOT_INTEGER)?;
                    options.claim = Some(Some(idle).filter(|idle| *idle >= 0).ok_or(CommandError::CLAIM_NEGATIVE)?);
                }
                (word, _, _) if is(word, "noack") => {
                    if !is_group {
                        return Err(CommandError::NOACK_WITH_XREAD);
                    }
                    options.no_ack = true;
                    at += 1;
                    continue;
                }
                _ => return Err(CommandError::SYNTAX),
            }
            at += 2;
        }
        if options.keys.is_empty() {
            return Err(CommandError::SYNTAX);
        }
        if is_group && options.group.is_none() {
            return Err(CommandError::MISSING_GROUP);
        }
        Ok(options)
    }

    /// Entries of one stream to show at most.
    fn most(&self) -> usize {
        if self.count == 0 { usize::MAX } else { self.count }
    }
}

fn xread(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let options = Options::parse(ctx, args, false)?;
    let mut ids = Vec::with_capacity(options.ids.len());
    for (key, id) in options.keys.iter().zip(options.ids.iter()) {
        let entries = look(ctx, key)?.map(Stream::entries);
        ids.push(match id {
            b"$" => entries.map_or(Id::MIN, Entries::last_id),
            b"+" => entries.map_or(Id::MIN, before_last),
            b">" => return Err(CommandError::NEW_WITH_XREAD),
            id => strict_id(id, 0)?,
        });
    }
    let mut streams = Streams::new(out);
    for (key, id) in options.keys.iter().zip(&ids) {
        let Some(stream) = look(ctx, key)? else { continue };
        let entries = stream.entries();
        let Some(from) = id.next().filter(|_| entries.last_entry_id().is_some_and(|last| last > *id)) else {
            continue;
        };
        streams.begin(out, key);
        write_entries(out, entries.range(from..=Id::MAX).take(options.most()));
    }
    if !streams.end(out) {
        // What `$` and `+` mean is settled now, not when there is something.
        let mut later = OwnedArgs::new();
        args.slice(0..options.start + options.keys.len()).iter().for_each(|arg| later.push(arg));
        ids.iter().for_each(|id| later.push(id.to_string().as_bytes()));
        wait_or_nothing(ctx, &options, Hope::Entries, later.as_args(), out);
    }
    Ok(())
}

/// A stream as far as it is there to be seen. A key that gets another type while somebody waits for entries is no reason
/// to end the wait.
fn look<'c>(ctx: &'c mut Ctx<'_>, key: &[u8]) -> CmdResult<Option<&'c Stream>> {
    if !ctx.can_see(key) {
        return Ok(None);
    }
    if ctx.attempt.is_some() && ctx.check_type::<Stream>(key).is_err() {
        return Ok(None);
    }
    ctx.read::<Stream>(key)
}

/// Has the client wait if it wants to and may, or tells it that there is nothing.
fn wait_or_nothing(ctx: &mut Ctx<'_>, options: &Options<'_>, hope: Hope, args: Args<'_>, out: &mut Reply) {
    if !options.waits {
        return out.nil_array();
    }
    let keys = options.start..options.start + options.keys.len();
    let awaited = Awaited { keys, target: None, hope, deadline: options.deadline };
    wait_for(ctx, args, awaited, Reply::nil_array, out);
}

/// The id that only the last entry lies behind.
fn before_last(entries: &Entries) -> Id {
    entries.last_entry_id().map_or(entries.last_id(), |last| last.previous().unwrap_or_default())
}

/// What XREADGROUP reads of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum From {
    /// What nobody of the group has got.
    New,
    /// What this consumer has got and not acknowledged, behind an id.
    History(Id),
}

fn xreadgroup(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let options = Options::parse(ctx, args, true)?;
    let Some((group, consumer)) = options.group else { return Err(CommandError::MISSING_GROUP) };
    let mut places = Vec::with_capacity(options.ids.len());
    for (key, id) in options.keys.iter().zip(options.ids.iter()) {
        if ctx.can_see(key) && ctx.read::<Stream>(key)?.is_none_or(|stream| stream.group(group).is_none()) {
            return Err(CommandError::no_group(key, group, " in XREADGROUP with GROUP option"));
        }
        places.push(match id {
            b"$" => return Err(CommandError::DOLLAR_WITH_XREADGROUP),
            b"+" => return Err(CommandError::PLUS_WITH_XREADGROUP),
            b">" => From::New,
            id => match strict_id(id, 0)? {
                // So it is in Redis, which tells new ones by this id.
                Id::MAX => From::New,
                id => From::History(id),
            },
        });
    }
    let (now, mut streams, mut logged) = (ctx.now(), Streams::new(out), Vec::new());
    for (key, place) in options.keys.iter().zip(places) {
        if !ctx.can_see(key) {
            continue;
        }
        let mut effects = Effects::new(ctx, key, group);
        edit_group(ctx, key, group, |entries, group| {
            let (id, is_new) = group.see_consumer(consumer, now);
            effects.consumer(consumer, is_new);
            let mut reading = Reading { entries, group, effects: &mut effects, consumer: id, now, options: &options };
            match place {
                From::History(after) => {
                    streams.begin(out, key);
                    reading.history(after, out);
                }
                From::New => {
                    let claims = reading.claimable();
                    let has_new = entries.last_entry_id().is_some_and(|last| last > reading.group.last_id());
                    if has_new || !claims.is_empty() {
                        streams.begin(out, key);
                        reading.new_entries(claims, out);
                    }
                }
            }
            Edit::when(effects.is_changed(), ())
        })?;
        logged.push(effects);
    }
    logged.into_iter().for_each(|effects| effects.tell(ctx));
    if !streams.end(out) {
        wait_or_nothing(ctx, &options, Hope::Group(group.into()), args, out);
    }
    Ok(())
}

/// A consumer that reads one stream.
struct Reading<'a, 'b> {
    entries: &'a Entries,
    group: &'a mut Group,
    effects: &'a mut Effects<'b>,
    consumer: ConsumerId,
    now: u64,
    options: &'a Options<'b>,
}

impl Reading<'_, '_> {
    /// Shows what the consumer has not acknowledged, and counts that as delivered once more.
    fn history(&mut self, after: Id, out: &mut Reply) {
        let ids: Vec<Id> = match (after.next(), self.group.consumer(self.consumer)) {
            (Some(from), Some(consumer)) => {
                consumer.pending().range(from..).take(self.options.most()).copied().collect()
            }
            _ => Vec::new(),
        };
        out.array(ids.len());
        for id in ids {
            let Some(entry) = self.entries.get(id) else {
                out.array(2);
                write_id(out, id);
                out.nil_array();
                continue;
            };
            write_entry(out, entry);
            let count = self.group.pending().get(&id).map_or(0, |pending| pending.count);
            self.deliver(id, count.saturating_add(1));
        }
    }

    /// What has been idle for long enough to be claimed, the longest first.
    fn claimable(&self) -> Vec<(Id, Pending)> {
        let Some(least) = self.options.claim else { return Vec::new() };
        let pending = self.group.pending().iter().map(|(id, pending)| (*id, *pending));
        let mut claims: Vec<(Id, Pending)> = pending
            .filter(|(id, pending)| idle(self.now, pending) >= least && self.entries.get(*id).is_some())
            .collect();
        claims.sort_by_key(|(id, pending)| (pending.delivered, *id));
        claims.truncate(self.options.most());
        claims
    }

    /// Shows what is claimed, and what is new behind it.
    fn new_entries(&mut self, claims: Vec<(Id, Pending)>, out: &mut Reply) {
        let mark = out.defer();
        let mut count = 0;
        for (id, pending) in claims {
            let Some(entry) = self.entries.get(id) else { continue };
            out.array(4);
            write_id(out, id);
            write_fields(out, entry);
            out.int(idle(self.now, &pending));
            out.int(pending.count as i64);
            self.group.set_active(self.consumer, self.now);
            self.deliver(id, pending.count.saturating_add(1));
            count += 1;
        }
        let from = self.group.last_id().next();
        let entries = from.map(|from| self.entries.range(from..=Id::MAX)).into_iter().flatten();
        let before = count;
        for entry in entries.take(self.options.most() - count) {
            let id = entry.id;
            match self.options.claim {
                Some(_) => {
                    out.array(4);
                    write_id(out, id);
                    write_fields(out, entry);
                    out.int(0);
                    out.int(0);
                }
                None => write_entry(out, entry),
            }
            self.group.advance(id, self.entries);
            if !self.options.no_ack {
                self.group.set_active(self.consumer, self.now);
                self.deliver(id, 1);
            }
            count += 1;
        }
        out.array_at(mark, count);
        if count > before {
            self.effects.last_id(self.group);
        }
    }

    fn deliver(&mut self, id: Id, count: u64) {
        let pending = Pending { delivered: self.now, count, consumer: self.consumer };
        self.group.set_pending(id, pending);
        self.effects.claim(self.group, id, pending);
    }
}

/// A reply of streams with entries, or none at all.
struct Streams {
    mark: Option<resplite_resp::reply::Mark>,
    start: resplite_resp::reply::Checkpoint,
    count: usize,
}

impl Streams {
    fn new(out: &mut Reply) -> Self {
        let start = out.checkpoint();
        Streams { mark: Some(out.defer()), start, count: 0 }
    }

    /// The entries of this key follow.
    fn begin(&mut self, out: &mut Reply, key: &[u8]) {
        self.count += 1;
        if !out.is_resp3() {
            out.array(2);
        }
        out.bulk(key);
    }

    /// Returns whether there was anything; if not, nothing is written.
    fn end(&mut self, out: &mut Reply) -> bool {
        match self.mark.take() {
            Some(mark) if self.count > 0 && out.is_resp3() => out.map_at(mark, self.count),
            Some(mark) if self.count > 0 => out.array_at(mark, self.count),
            _ => out.rollback(self.start),
        }
        self.count > 0
    }
}
