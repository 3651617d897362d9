//! The generic family: keys of any type, their names, deadlines and databases, and the keyspace as a whole.

use super::{int, is};
use crate::command::{Command, Flags, Group, Handler, KeySpec, Locks, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::clock::Millis;
use resplite_storage::entry::{Collection, Entry, StringRef};
use resplite_storage::glob::{self, Case};

pub(crate) const COMMANDS: &[Command] = &[
    DEL,
    UNLINK,
    EXISTS,
    TOUCH,
    TYPE,
    RENAME,
    RENAMENX,
    COPY,
    MOVE,
    EXPIRE,
    PEXPIRE,
    EXPIREAT,
    PEXPIREAT,
    TTL,
    PTTL,
    EXPIRETIME,
    PEXPIRETIME,
    PERSIST,
    KEYS,
    SCAN,
    RANDOMKEY,
    OBJECT,
    DBSIZE,
    FLUSHDB,
    FLUSHALL,
    SWAPDB,
];

const fn read(name: &'static str, handler: Handler) -> Command {
    Command::read(Group::Generic, name, handler)
}

const fn write(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::Generic, name, handler)
}

const DEL: Command = write("del", del)
    .arity(-2)
    .keys(KeySpec::range(usage::REMOVE, 1, -1, 1))
    .doc("Removes keys; returns how many existed.")
    .syntax("key [key ...]");

fn del(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut removed = 0;
    for key in args.iter().skip(1) {
        let Some(entry) = ctx.remove(key) else { continue };
        removed += 1;
        ctx.notify(EventClasses::GENERIC, "del", key);
        if ctx.settings().lazyfree_lazy_user_del {
            ctx.engine.discard_if_large(entry);
        }
    }
    out.int(removed);
    Ok(())
}

const UNLINK: Command = write("unlink", unlink)
    .arity(-2)
    .keys(KeySpec::range(usage::REMOVE, 1, -1, 1))
    .fast()
    .since("4.0.0")
    .doc("Removes keys and frees large values in the background; returns how many existed.")
    .syntax("key [key ...]");

fn unlink(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut removed = 0;
    for key in args.iter().skip(1) {
        let Some(entry) = ctx.remove(key) else { continue };
        removed += 1;
        ctx.notify(EventClasses::GENERIC, "del", key);
        ctx.engine.discard_if_large(entry);
    }
    out.int(removed);
    Ok(())
}

const EXISTS: Command = read("exists", exists)
    .arity(-2)
    .keys(KeySpec::range(usage::LOOK, 1, -1, 1))
    .fast()
    .doc("How many of these keys exist; one that is named twice counts twice.")
    .syntax("key [key ...]");

fn exists(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut found = 0;
    for key in args.iter().skip(1) {
        found += i64::from(ctx.look(key).is_some());
    }
    out.int(found);
    Ok(())
}

const TOUCH: Command = read("touch", touch)
    .arity(-2)
    .keys(KeySpec::range(usage::LOOK, 1, -1, 1))
    .fast()
    .since("3.2.1")
    .doc("Notes a use of these keys; returns how many exist.")
    .syntax("key [key ...]");

fn touch(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (now, access) = (ctx.horizon(), ctx.access());
    let mut found = 0;
    for key in args.iter().skip(1) {
        ctx.notify_miss(key);
        let at = ctx.at(key);
        // TOUCH is what touches even for a client that said CLIENT NO-TOUCH.
        found += i64::from(ctx.shard(at).read(at, now, Some(access)).is_some());
    }
    out.int(found);
    Ok(())
}

const TYPE: Command = read("type", type_name)
    .arity(2)
    .key(usage::LOOK, 1)
    .fast()
    .doc("The name of the value's type, or none.")
    .syntax("key");

fn type_name(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    out.simple(ctx.look(&args[1]).map_or("none", |entry| entry.value().type_name()));
    Ok(())
}

const RENAME: Command = write("rename", rename)
    .arity(3)
    .key(usage::ACCESS_DELETE, 1)
    .key(usage::OVERWRITE, 2)
    .doc("Gives a key another name, replacing what had it.")
    .syntax("key newkey");

fn rename(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    move_value(ctx, &args[1], &args[2])?;
    out.ok();
    Ok(())
}

const RENAMENX: Command = write("renamenx", renamenx)
    .arity(3)
    .key(usage::ACCESS_DELETE, 1)
    .key(usage::INSERT_ONLY, 2)
    .fast()
    .doc("Gives a key another name if nothing has it.")
    .syntax("key newkey");

fn renamenx(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    if ctx.peek(&args[1]).is_none() {
        return Err(CommandError::NO_SUCH_KEY);
    }
    let free = ctx.peek(&args[2]).is_none();
    if free {
        move_value(ctx, &args[1], &args[2])?;
    }
    out.int(i64::from(free));
    Ok(())
}

fn move_value(ctx: &mut Ctx<'_>, from: &[u8], to: &[u8]) -> CmdResult {
    if ctx.peek(from).is_none() {
        return Err(CommandError::NO_SUCH_KEY);
    }
    if from == to {
        return Ok(());
    }
    let Some(mut entry) = ctx.remove(from) else { return Ok(()) };
    let deadline = entry.deadline();
    ctx.put(to, entry.take_value(), deadline);
    ctx.notify(EventClasses::NEW, "new", to);
    ctx.notify(EventClasses::GENERIC, "rename_from", from);
    ctx.notify(EventClasses::GENERIC, "rename_to", to);
    Ok(())
}

const COPY: Command = write("copy", copy)
    .arity(-3)
    .key(usage::READ, 1)
    .key(usage::OVERWRITE, 2)
    .deny_oom()
    .since("6.2.0")
    .doc("Copies a value with its deadline to another key or database.")
    .syntax("source destination [DB destination-db] [REPLACE]");

fn copy(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (mut db, mut replace) = (ctx.db(), false);
    let mut at = 3;
    while let Some(word) = args.get(at) {
        match word {
            word if is(word, "replace") => replace = true,
            word if is(word, "db") && at + 1 < args.len() => {
                at += 1;
                db = database(ctx, &args[at])?;
            }
            _ => return Err(CommandError::SYNTAX),
        }
        at += 1;
    }
    if db == ctx.db() && args[1] == args[2] {
        return Err(CommandError::SAME_OBJECT);
    }
    let copied = ctx.entry(&args[1]).map(|entry| (entry.clone_value(), entry.deadline()));
    let (target, now, access) = (ctx.at_db(db, &args[2]), ctx.horizon(), ctx.access());
    let copied = copied.filter(|_| replace || ctx.shard(target).peek(target, now).is_none());
    out.int(i64::from(copied.is_some()));
    if let Some((value, deadline)) = copied {
        let shard = ctx.shard(target);
        shard.purge(target, now);
        shard.put(target, value, deadline, access.first());
        ctx.notify_in(db, EventClasses::NEW, "new", &args[2]);
        ctx.notify_in(db, EventClasses::GENERIC, "copy_to", &args[2]);
    }
    Ok(())
}

/// The index of an existing database.
pub(crate) fn database(ctx: &Ctx<'_>, arg: &[u8]) -> CmdResult<usize> {
    let index = i32::try_from(int(arg)?).map_err(|_| CommandError::OUT_OF_I32)?;
    usize::try_from(index).ok().filter(|db| *db < ctx.engine.keyspace.databases()).ok_or(CommandError::DB_INDEX)
}

const MOVE: Command = write("move", move_key)
    .arity(3)
    .key(usage::UPDATE_ACCESS, 1)
    .fast()
    .doc("Moves a key to another database, unless it exists there.")
    .syntax("key db");

fn move_key(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let db = database(ctx, &args[2])?;
    if db == ctx.db() {
        return Err(CommandError::SAME_OBJECT);
    }
    let (target, now, access) = (ctx.at_db(db, &args[1]), ctx.horizon(), ctx.access());
    if ctx.peek(&args[1]).is_none() || ctx.shard(target).peek(target, now).is_some() {
        out.int(0);
        return Ok(());
    }
    if let Some(mut entry) = ctx.remove(&args[1]) {
        let deadline = entry.deadline();
        ctx.shard(target).put(target, entry.take_value(), deadline, access.first());
        ctx.notify_in(db, EventClasses::NEW, "new", &args[1]);
        ctx.notify(EventClasses::GENERIC, "move_from", &args[1]);
        ctx.notify_in(db, EventClasses::GENERIC, "move_to", &args[1]);
    }
    out.int(1);
    Ok(())
}

/// How a time is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ExpireUnit {
    pub(super) seconds: bool,
    pub(super) absolute: bool,
}

impl ExpireUnit {
    /// That of an option.
    pub(super) fn of(word: &[u8]) -> Option<Self> {
        match word {
            word if is(word, "ex") => Some(ExpireUnit { seconds: true, absolute: false }),
            word if is(word, "px") => Some(ExpireUnit { seconds: false, absolute: false }),
            word if is(word, "exat") => Some(ExpireUnit { seconds: true, absolute: true }),
            word if is(word, "pxat") => Some(ExpireUnit { seconds: false, absolute: true }),
            _ => None,
        }
    }
}

const EXPIRE_SYNTAX: &str = "key seconds [NX | XX | GT | LT]";

const EXPIRE: Command = write("expire", expire)
    .arity(-3)
    .key(usage::UPDATE, 1)
    .fast()
    .doc("Has a key go after some seconds.")
    .syntax(EXPIRE_SYNTAX);

fn expire(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    expire_as(ctx, args, ExpireUnit { seconds: true, absolute: false }, out)
}

const PEXPIRE: Command = write("pexpire", pexpire)
    .arity(-3)
    .key(usage::UPDATE, 1)
    .fast()
    .since("2.6.0")
    .doc("Has a key go after some milliseconds.")
    .syntax("key milliseconds [NX | XX | GT | LT]");

fn pexpire(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    expire_as(ctx, args, ExpireUnit { seconds: false, absolute: false }, out)
}

const EXPIREAT: Command = write("expireat", expireat)
    .arity(-3)
    .key(usage::UPDATE, 1)
    .fast()
    .since("1.2.0")
    .doc("Has a key go at a Unix time in seconds.")
    .syntax("key unix-time-seconds [NX | XX | GT | LT]");

fn expireat(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    expire_as(ctx, args, ExpireUnit { seconds: true, absolute: true }, out)
}

const PEXPIREAT: Command = write("pexpireat", pexpireat)
    .arity(-3)
    .key(usage::UPDATE, 1)
    .fast()
    .since("2.6.0")
    .doc("Has a key go at a Unix time in milliseconds.")
    .syntax("key unix-time-milliseconds [NX | XX | GT | LT]");

fn pexpireat(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    expire_as(ctx, args, ExpireUnit { seconds: false, absolute: true }, out)
}

/// When EXPIRE changes a deadline.
#[derive(Default)]
pub(super) struct ExpireOptions {
    only_without: bool,
    only_with: bool,
    only_later: bool,
    only_earlier: bool,
}

impl ExpireOptions {
    pub(super) fn parse<'a>(words: impl Iterator<Item = &'a [u8]>) -> CmdResult<Self> {
        let mut options = ExpireOptions::default();
        for word in words {
            match word {
                word if is(word, "nx") => options.only_without = true,
                word if is(word, "xx") => options.only_with = true,
                word if is(word, "gt") => options.only_later = true,
                word if is(word, "lt") => options.only_earlier = true,
                word => {
                    return Err(CommandError::quoting("ERR Unsupported option ", word, ""));
                }
            }
        }
        if options.only_without && (options.only_with || options.only_later || options.only_earlier) {
            return Err(CommandError::NX_AND_OTHERS);
        }
        if options.only_later && options.only_earlier {
            return Err(CommandError::GT_AND_LT);
        }
        Ok(options)
    }

    /// Whether a deadline may become `new`. A key without one counts as one that expires last of all.
    pub(super) fn allow(&self, old: Option<i64>, new: i64) -> bool {
        !(self.only_without && old.is_some()
            || self.only_with && old.is_none()
            || self.only_later && old.is_none_or(|old| new <= old)
            || self.only_earlier && old.is_some_and(|old| new >= old))
    }
}

fn expire_as(ctx: &mut Ctx<'_>, args: Args<'_>, unit: ExpireUnit, out: &mut Reply) -> CmdResult {
    let options = ExpireOptions::parse(args.iter().skip(3))?;
    let invalid = || CommandError::invalid_expire(ctx.command.name);
    let given = int(&args[2])?;
    let millis = if unit.seconds { given.checked_mul(1000).ok_or_else(invalid)? } else { given };
    let base = if unit.absolute { 0 } else { ctx.now() as i64 };
    let deadline = millis.checked_add(base).ok_or_else(invalid)?;
    let Some(old) = ctx.peek(&args[1]).map(Entry::deadline) else {
        out.int(0);
        return Ok(());
    };
    let allowed = options.allow(old.map(|old| old as i64), deadline);
    if allowed {
        // A time before 1970 is as past as any other.
        ctx.set_deadline(&args[1], Some(deadline.max(0) as Millis));
    }
    out.int(i64::from(allowed));
    Ok(())
}

const TTL: Command = read("ttl", ttl)
    .arity(2)
    .key(usage::READ, 1)
    .fast()
    .doc("Seconds until a key goes; -1 if never, -2 if there is none.")
    .syntax("key");

fn ttl(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let now = ctx.now();
    answer_deadline(ctx, args, out, |at| (at.saturating_sub(now) as i64 + 500) / 1000)
}

const PTTL: Command = read("pttl", pttl)
    .arity(2)
    .key(usage::READ, 1)
    .fast()
    .since("2.6.0")
    .doc("Milliseconds until a key goes; -1 if never, -2 if there is none.")
    .syntax("key");

fn pttl(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let now = ctx.now();
    answer_deadline(ctx, args, out, |at| at.saturating_sub(now) as i64)
}

const EXPIRETIME: Command = read("expiretime", expiretime)
    .arity(2)
    .key(usage::READ, 1)
    .fast()
    .since("7.0.0")
    .doc("Unix time in seconds at which a key goes; -1 if never, -2 if there is none.")
    .syntax("key");

fn expiretime(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_deadline(ctx, args, out, |at| (at as i64).saturating_add(500) / 1000)
}

const PEXPIRETIME: Command = read("pexpiretime", pexpiretime)
    .arity(2)
    .key(usage::READ, 1)
    .fast()
    .since("7.0.0")
    .doc("Unix time in milliseconds at which a key goes; -1 if never, -2 if there is none.")
    .syntax("key");

fn pexpiretime(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_deadline(ctx, args, out, |at| at as i64)
}

fn answer_deadline(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, show: impl Fn(Millis) -> i64) -> CmdResult {
    out.int(match ctx.look(&args[1]) {
        None => -2,
        Some(entry) => entry.deadline().map_or(-1, show),
    });
    Ok(())
}

const PERSIST: Command = write("persist", persist)
    .arity(2)
    .key(usage::UPDATE, 1)
    .fast()
    .since("2.2.0")
    .doc("Has a key stay for good; returns whether it had a deadline.")
    .syntax("key");

fn persist(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let had = ctx.peek(&args[1]).is_some_and(|entry| entry.deadline().is_some());
    if had {
        ctx.set_deadline(&args[1], None);
    }
    out.int(i64::from(had));
    Ok(())
}

const KEYS: Command = read("keys", keys)
    .arity(2)
    .locks(Locks::All)
    .categories(&["dangerous"])
    .doc("All keys that match a pattern; walks the whole database.")
    .syntax("pattern");

fn keys(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (db, now) = (ctx.db(), ctx.horizon());
    let pattern = &args[1];
    let mark = out.defer();
    let mut found = 0;
    for shard in ctx.locked().shards() {
        for entry in shard.db(db).entries().filter(|entry| !entry.is_gone(now) && is_match(pattern, entry.key())) {
            out.bulk(entry.key());
            found += 1;
        }
    }
    out.array_at(mark, found);
    Ok(())
}

/// Whether a name matches; a lone star matches even the empty name, which no other pattern with a star does.
fn is_match(pattern: &[u8], name: &[u8]) -> bool {
    pattern == b"*" || glob::matches(pattern, name, Case::Sensitive)
}

/// What SCAN and its sisters are asked for.
pub(crate) struct ScanOptions<'a> {
    pub(crate) cursor: u64,
    pub(crate) count: usize,
    pub(crate) pattern: Option<&'a [u8]>,
    /// SCAN's TYPE.
    pub(crate) type_name: Option<&'a [u8]>,
    /// HSCAN's NOVALUES.
    pub(crate) no_values: bool,
}

impl<'a> ScanOptions<'a> {
    /// Reads the cursor and options of a scan inside a key; `special` names the one more option of the command. Nobody
    /// looks at the options if there is nothing to scan.
    pub(crate) fn parse(args: Args<'a>, exists: bool, special: &str) -> CmdResult<Self> {
        let args = if exists { args } else { args.slice(0..3) };
        Self::parse_at(args, 2, special)
    }

    fn parse_at(args: Args<'a>, at: usize, special: &str) -> CmdResult<Self> {
        let cursor = scan_cursor(args, at)?;
        let mut options = ScanOptions { cursor, count: 10, pattern: None, type_name: None, no_values: false };
        let mut at = at + 1;
        while let Some(word) = args.get(at) {
            let argument = args.get(at + 1);
            match (word, argument) {
                (word, Some(count)) if is(word, "count") => {
                    let count = int(count)?;
                    if count < 1 {
                        return Err(CommandError::SYNTAX);
                    }
                    options.count = usize::try_from(count).unwrap_or(usize::MAX);
                    at += 1;
                }
                (word, Some(pattern)) if is(word, "match") => {
                    // As a pattern `*` would not match what is empty.
                    options.pattern = (pattern != b"*").then_some(pattern);
                    at += 1;
                }
                (word, Some(name)) if is(word, "type") && special == "type" => {
                    options.type_name = Some(name);
                    at += 1;
                }
                (word, _) if is(word, "novalues") && special == "novalues" => options.no_values = true,
                _ => return Err(CommandError::SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }

    /// Writes the reply of a step: `visit` writes the elements from a cursor on and returns the next cursor and how many
    /// it wrote.
    pub(crate) fn answer(&self, out: &mut Reply, visit: impl FnOnce(u64, usize, &mut Reply) -> (u64, usize)) {
        // The next cursor stands in front of the elements, but is known behind them.
        let mut elements = Reply::new(out.protocol());
        let (next, shown) = visit(self.cursor, self.count, &mut elements);
        out.array(2);
        out.bulk(next.to_string());
        out.array(shown);
        out.append(elements);
    }

    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| is_match(pattern, name))
    }
}

fn scan_cursor(args: Args<'_>, at: usize) -> CmdResult<u64> {
    // It is read as a string of C, which a zero byte ends.
    let text = args.get(at).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
    number::parse_u64_loose(text).ok_or(CommandError::INVALID_CURSOR)
}

/// The collection that HSCAN, SSCAN or ZSCAN walks. A wrong cursor is said before a wrong type, and that before wrong
/// options.
pub(crate) fn to_scan<'c, T: Collection>(ctx: &'c mut Ctx<'_>, args: Args<'_>) -> CmdResult<Option<&'c T>> {
    scan_cursor(args, 2)?;
    ctx.read::<T>(&args[1])
}

const SCAN: Command = read("scan", scan)
    .arity(-2)
    .locks(Locks::All)
    .since("2.8.0")
    .doc("One step of a walk over all keys; every key that stays is seen at least once.")
    .syntax("cursor [MATCH pattern] [COUNT count] [TYPE type]");

fn scan(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let options = ScanOptions::parse_at(args, 1, "type")?;
    let (db, now) = (ctx.db(), ctx.horizon());
    let mut cursor = options.cursor;
    let (mut visited, mut shown) = (0, Vec::new());
    // Empty buckets cost little, but not nothing: ten for each key that was asked for is where a step ends anyway.
    let mut steps = options.count.saturating_mul(10);
    loop {
        cursor = ctx.locked().scan(db, cursor, now, |entry| {
            visited += 1;
            let type_matches =
                options.type_name.is_none_or(|name| entry.value().type_name().as_bytes().eq_ignore_ascii_case(name));
            if type_matches && options.matches(entry.key()) {
                shown.push(entry.key().to_vec());
            }
        });
        steps -= 1;
        if cursor == 0 || visited >= options.count || steps == 0 {
            break;
        }
    }
    out.array(2);
    out.bulk(cursor.to_string());
    out.array(shown.len());
    shown.iter().for_each(|key| out.bulk(key));
    Ok(())
}

const RANDOMKEY: Command =
    read("randomkey", randomkey).locks(Locks::All).doc("A key by chance, or nil if there are none.");

fn randomkey(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let (db, now, mut chance) = (ctx.db(), ctx.horizon(), ctx.chance());
    let total = ctx.locked().len(db);
    // Keys that are due but not swept yet are drawn again; if there are only such, the answer is that there are none.
    for _ in 0..100 {
        if total == 0 {
            break;
        }
        let mut skip = chance.usize(..total);
        for shard in ctx.locked().shards() {
            let here = shard.db(db).len();
            if skip >= here {
                skip -= here;
                continue;
            }
            if let Some(entry) = shard.random(db, &mut chance).filter(|entry| !entry.is_gone(now)) {
                out.bulk(entry.key());
                return Ok(());
            }
            break;
        }
    }
    out.nil();
    Ok(())
}

const OBJECT: Command = Command::container(
    Group::Generic,
    "object",
    &[
        read("object|encoding", object_encoding)
            .arity(3)
            .key(usage::LOOK, 2)
            .since("2.2.3")
            .doc("The name of the value's encoding.")
            .syntax("key"),
        read("object|freq", object_freq)
            .arity(3)
            .key(usage::LOOK, 2)
            .since("4.0.0")
            .doc("How often the value is used, under an LFU policy.")
            .syntax("key"),
        Command::control(Group::Generic, "object|help", super::help)
            .arity(2)
            .flag(Flags::LOADING.with(Flags::STALE))
            .since("6.2.0")
            .doc("This list."),
        read("object|idletime", object_idletime)
            .arity(3)
            .key(usage::LOOK, 2)
            .since("2.2.3")
            .doc("Seconds since the value was last used.")
            .syntax("key"),
        read("object|refcount", object_refcount)
            .arity(3)
            .key(usage::LOOK, 2)
            .since("2.2.3")
            .doc("How many owners the value has: one, or very many for a small number.")
            .syntax("key"),
    ],
)
.since("2.2.3")
.doc("How a value is kept.");

fn object_encoding(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match ctx.peek(&args[2]) {
        Some(entry) => out.bulk(entry.encoding()),
        None => out.nil(),
    }
    Ok(())
}

fn object_refcount(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match ctx.peek(&args[2]) {
        // Small numbers are said to be shared by all who hold them, as they are in Redis.
        Some(entry) if matches!(entry.string(), Some(StringRef::Int(0..10_000))) => out.int(i64::from(i32::MAX)),
        Some(_) => out.int(1),
        None => out.nil(),
    }
    Ok(())
}

fn object_idletime(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let now = ctx.access();
    match ctx.peek(&args[2]).map(Entry::access) {
        Some(uses) => out.int(now.idle_seconds(uses).ok_or(CommandError::NO_LRU)?.into()),
        None => out.nil(),
    }
    Ok(())
}

fn object_freq(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let now = ctx.access();
    match ctx.peek(&args[2]).map(Entry::access) {
        Some(uses) => out.int(now.frequency(uses).ok_or(CommandError::NO_LFU)?.into()),
        None => out.nil(),
    }
    Ok(())
}

const DBSIZE: Command = Command::read(Group::Server, "dbsize", dbsize)
    .fast()
    .locks(Locks::All)
    .categories(&["keyspace"])
    .doc("Number of keys in the database.");

fn dbsize(ctx: &mut Ctx<'_>, _: Args<'_>, out: &mut Reply) -> CmdResult {
    let db = ctx.db();
    out.int(ctx.locked().len(db) as i64);
    Ok(())
}

const FLUSHDB: Command = Command::write(Group::Server, "flushdb", flushdb)
    .arity(-1)
    .locks(Locks::All)
    .categories(&["keyspace", "dangerous"])
    .doc("Removes all keys of the database.")
    .syntax("[ASYNC | SYNC]");

fn flushdb(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let db = ctx.db();
    flush(ctx, args, db..db + 1, out)
}

const FLUSHALL: Command = Command::write(Group::Server, "flushall", flushall)
    .arity(-1)
    .locks(Locks::All)
    .categories(&["keyspace", "dangerous"])
    .doc("Removes all keys of all databases.")
    .syntax("[ASYNC | SYNC]");

fn flushall(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let databases = ctx.engine.keyspace.databases();
    flush(ctx, args, 0..databases, out)
}

fn flush(ctx: &mut Ctx<'_>, args: Args<'_>, dbs: std::ops::Range<usize>, out: &mut Reply) -> CmdResult {
    let background = match args.len() {
        1 => ctx.settings().lazyfree_lazy_user_flush,
        2 if is(&args[1], "async") => true,
        2 if is(&args[1], "sync") => false,
        _ => return Err(CommandError::SYNTAX),
    };
    ctx.log_always();
    // This may be the peak.
    ctx.engine.used_memory();
    let mut old = Vec::new();
    for shard in ctx.locked().shards() {
        old.extend(dbs.clone().map(|db| shard.clear(db)));
    }
    if background {
        ctx.engine.discard(old);
    }
    out.ok();
    Ok(())
}

const SWAPDB: Command = Command::write(Group::Server, "swapdb", swapdb)
    .arity(3)
    .fast()
    .locks(Locks::All)
    .since("4.0.0")
    .categories(&["keyspace", "dangerous"])
    .doc("Exchanges two databases for all clients at once.")
    .syntax("index1 index2");

fn swapdb(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let parse = |arg: &[u8], error: &'static str| {
        number::parse_i64(arg).and_then(|db| i32::try_from(db).ok()).ok_or(CommandError::text(error))
    };
    let one = parse(&args[1], "ERR invalid first DB index")?;
    let other = parse(&args[2], "ERR invalid second DB index")?;
    let databases = ctx.engine.keyspace.databases();
    let index = |db: i32| usize::try_from(db).ok().filter(|db| *db < databases).ok_or(CommandError::DB_INDEX);
    let (one, other) = (index(one)?, index(other)?);
    ctx.log_always();
    ctx.locked().shards().for_each(|shard| shard.swap(one, other));
    out.ok();
    Ok(())
}
