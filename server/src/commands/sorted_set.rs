//! The sorted-set family: members in the order of their scores.

pub(crate) mod blocking;

use super::keys::{ScanOptions, to_scan};
use super::list::pop_count;
use super::{Bound, Pick, bounded, counted_keys, float, int, intersection_limit, is, positive, write_item};
use crate::command::{Command, Flags, Group, Handler, KeySpec, usage};
use crate::context::Ctx;
use crate::error::{CmdResult, CommandError};
use crate::notify::EventClasses;
use resplite_resp::number;
use resplite_resp::reply::Reply;
use resplite_resp::request::Args;
use resplite_storage::entry::{Entry, ValueRef};
use resplite_storage::shard::Edit;
use resplite_storage::types::sorted_set::{
    AddOptions, AddOutcome, Aggregate, LexRange, RankRange, ScoreRange, SortedSet, Source,
};
use resplite_storage::types::{Item, Limits};
use std::ops::Range;

pub(crate) const COMMANDS: &[Command] = &[
    ZADD,
    ZINCRBY,
    ZREM,
    ZCARD,
    ZSCORE,
    ZMSCORE,
    ZRANK,
    ZREVRANK,
    ZCOUNT,
    ZLEXCOUNT,
    ZRANGE,
    ZRANGEBYSCORE,
    ZRANGEBYLEX,
    ZREVRANGE,
    ZREVRANGEBYSCORE,
    ZREVRANGEBYLEX,
    ZRANGESTORE,
    ZREMRANGEBYRANK,
    ZREMRANGEBYSCORE,
    ZREMRANGEBYLEX,
    ZPOPMIN,
    ZPOPMAX,
    ZMPOP,
    ZRANDMEMBER,
    ZUNION,
    ZUNIONSTORE,
    ZINTER,
    ZINTERSTORE,
    ZINTERCARD,
    ZDIFF,
    ZDIFFSTORE,
    ZSCAN,
];

const fn read(name: &'static str, handler: Handler) -> Command {
    Command::read(Group::SortedSet, name, handler)
}

const fn write(name: &'static str, handler: Handler) -> Command {
    Command::write(Group::SortedSet, name, handler)
}

const ZADD: Command = write("zadd", zadd)
    .arity(-4)
    .key(usage::UPDATE, 1)
    .deny_oom()
    .fast()
    .since("1.2.0")
    .doc("Adds members or changes their scores; returns how many are new.")
    .syntax("key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]");

fn zadd(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (mut options, mut count_changed) = (AddOptions::default(), false);
    let mut at = 2;
    while let Some(word) = args.get(at) {
        match word {
            word if is(word, "nx") => options.only_new = true,
            word if is(word, "xx") => options.only_existing = true,
            word if is(word, "gt") => options.only_greater = true,
            word if is(word, "lt") => options.only_less = true,
            word if is(word, "ch") => count_changed = true,
            word if is(word, "incr") => options.increment = true,
            _ => break,
        }
        at += 1;
    }
    let pairs = args.from(at);
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(CommandError::SYNTAX);
    }
    if options.only_new && options.only_existing {
        return Err(CommandError::XX_AND_NX);
    }
    let conditions = [options.only_greater, options.only_less, options.only_new];
    if conditions.into_iter().filter(|condition| *condition).count() > 1 {
        return Err(CommandError::GT_LT_AND_NX);
    }
    if options.increment && pairs.len() > 2 {
        return Err(CommandError::INCR_PAIRS);
    }
    add_pairs(ctx, &args[1], pairs, options, count_changed, out)
}

/// The options of ZADD.
const ADD_WORDS: [&str; 6] = ["nx", "xx", "gt", "lt", "ch", "incr"];

/// Adds pairs of score and member, all of them or, if a score is no number, none.
fn add_pairs(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    pairs: Args<'_>,
    options: AddOptions,
    count_changed: bool,
    out: &mut Reply,
) -> CmdResult {
    let scores = (0..pairs.len()).step_by(2).map(|at| float(&pairs[at]));
    let scores = scores.collect::<CmdResult<Scores>>()?;
    add_all(ctx, key, &scores, |at| &pairs[2 * at + 1], options, count_changed, out)
}

/// The scores of members that are to be added.
pub(super) type Scores = smallvec::SmallVec<[f64; 4]>;

/// Adds a member, which `member` names, with each of the scores; at least one.
pub(super) fn add_all<'a>(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    scores: &[f64],
    member: impl Fn(usize) -> &'a [u8],
    options: AddOptions,
    count_changed: bool,
    out: &mut Reply,
) -> CmdResult {
    ctx.check_type::<SortedSet>(key)?;
    let limits = ctx.limits();
    let add_all = |set: &mut SortedSet| {
        let (mut added, mut updated, mut last) = (0, 0, AddOutcome::Refused);
        set.expect(scores.len(), member(0).len(), &limits);
        for (at, score) in scores.iter().enumerate() {
            last = set.add(member(at), *score, options, &limits);
            match last {
                AddOutcome::Added(_) => added += 1,
                AddOutcome::Updated(_) => updated += 1,
                AddOutcome::Unchanged(_) | AddOutcome::Refused | AddOutcome::NotANumber => {}
            }
        }
        Edit::when(added + updated > 0, (added, updated, last))
    };
    let (added, updated, last) = match options.only_existing {
        true => ctx.update(key, add_all)?.unwrap_or((0, 0, AddOutcome::Refused)),
        false => ctx.upsert(key, add_all)?,
    };
    if added + updated > 0 {
        ctx.notify(EventClasses::SORTED_SET, if options.increment { "zincr" } else { "zadd" }, key);
    }
    if last == AddOutcome::NotANumber {
        return Err(CommandError::SCORE_NAN);
    }
    match last.score() {
        Some(score) if options.increment => out.double(score),
        None if options.increment => out.nil(),
        _ => out.int(if count_changed { added + updated } else { added }),
    }
    Ok(())
}

const ZINCRBY: Command = write("zincrby", zincrby)
    .arity(4)
    .key(usage::UPDATE_ACCESS, 1)
    .deny_oom()
    .fast()
    .since("1.2.0")
    .doc("Adds to a member's score, which begins at 0.")
    .syntax("key increment member");

fn zincrby(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    // It is ZADD with INCR, down to the options, which leave no pair behind them.
    if ADD_WORDS.iter().any(|word| is(&args[2], word)) {
        return Err(CommandError::SYNTAX);
    }
    let options = AddOptions { increment: true, ..AddOptions::default() };
    add_pairs(ctx, &args[1], args.from(2), options, false, out)
}

const ZREM: Command = write("zrem", zrem)
    .arity(-3)
    .key(usage::DELETE, 1)
    .fast()
    .since("1.2.0")
    .doc("Removes members; returns how many existed. The key goes with its last member.")
    .syntax("key member [member ...]");

fn zrem(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let removed = ctx.update(&args[1], |set: &mut SortedSet| {
        let removed = args.iter().skip(2).filter(|member| set.remove(member)).count();
        Edit::when(removed > 0, removed)
    })?;
    let removed = removed.unwrap_or(0);
    if removed > 0 {
        ctx.notify_removal(EventClasses::SORTED_SET, "zrem", &args[1]);
    }
    out.int(removed as i64);
    Ok(())
}

const ZCARD: Command =
    read("zcard", zcard).arity(2).key(usage::LOOK, 1).fast().since("1.2.0").doc("Number of members.").syntax("key");

fn zcard(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let len = ctx.read::<SortedSet>(&args[1])?.map_or(0, SortedSet::len);
    out.int(len as i64);
    Ok(())
}

const ZSCORE: Command = read("zscore", zscore)
    .arity(3)
    .key(usage::READ, 1)
    .fast()
    .since("1.2.0")
    .doc("The score of a member, or nil.")
    .syntax("key member");

fn zscore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    match ctx.read::<SortedSet>(&args[1])?.and_then(|set| set.score(&args[2])) {
        Some(score) => out.double(score),
        None => out.nil(),
    }
    Ok(())
}

const ZMSCORE: Command = read("zmscore", zmscore)
    .arity(-3)
    .key(usage::READ, 1)
    .fast()
    .since("6.2.0")
    .doc("The scores of several members, nil for those that do not exist.")
    .syntax("key member [member ...]");

fn zmscore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let set = ctx.read::<SortedSet>(&args[1])?;
    out.array(args.len() - 2);
    for member in args.iter().skip(2) {
        match set.and_then(|set| set.score(member)) {
            Some(score) => out.double(score),
            None => out.nil(),
        }
    }
    Ok(())
}

const ZRANK: Command = read("zrank", zrank)
    .arity(-3)
    .key(usage::READ, 1)
    .fast()
    .since("2.0.0")
    .doc("How many members stand before one, counted from the least score.")
    .syntax("key member [WITHSCORE]");

fn zrank(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    rank(ctx, args, out, |rank, _| rank)
}

const ZREVRANK: Command = read("zrevrank", zrevrank)
    .arity(-3)
    .key(usage::READ, 1)
    .fast()
    .since("2.0.0")
    .doc("How many members stand behind one, counted from the greatest score.")
    .syntax("key member [WITHSCORE]");

fn zrevrank(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    rank(ctx, args, out, |rank, len| len - 1 - rank)
}

fn rank(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, show: impl Fn(usize, usize) -> usize) -> CmdResult {
    let with_score = match args.get(3) {
        None => false,
        Some(_) if args.len() > 4 => return Err(CommandError::arity(ctx.command.name)),
        Some(word) if is(word, "withscore") => true,
        Some(_) => return Err(CommandError::SYNTAX),
    };
    let set = ctx.read::<SortedSet>(&args[1])?;
    match set.and_then(|set| set.rank(&args[2]).map(|(rank, score)| (show(rank, set.len()), score))) {
        Some((rank, score)) if with_score => {
            out.array(2);
            out.int(rank as i64);
            out.double(score);
        }
        Some((rank, _)) => out.int(rank as i64),
        None if with_score => out.nil_array(),
        None => out.nil(),
    }
    Ok(())
}

const ZCOUNT: Command = read("zcount", zcount)
    .arity(4)
    .key(usage::READ, 1)
    .fast()
    .since("2.0.0")
    .doc("How many members have a score in a range.")
    .syntax("key min max");

fn zcount(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let range = ScoreRange::parse(&args[2], &args[3]).ok_or(CommandError::MIN_MAX_NOT_FLOAT)?;
    let count = ctx.read::<SortedSet>(&args[1])?.map_or(0, |set| set.ranks_by_score(range).len());
    out.int(count as i64);
    Ok(())
}

const ZLEXCOUNT: Command = read("zlexcount", zlexcount)
    .arity(4)
    .key(usage::READ, 1)
    .fast()
    .since("2.8.9")
    .doc("How many members are in a range of members, all scores being the same.")
    .syntax("key min max");

fn zlexcount(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let range = LexRange::parse(&args[2], &args[3]).ok_or(CommandError::MIN_MAX_NOT_LEX)?;
    let count = ctx.read::<SortedSet>(&args[1])?.map_or(0, |set| set.ranks_by_lex(range).len());
    out.int(count as i64);
    Ok(())
}

/// By what the ends of a range are given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// Which of the commands that answer with a range: what it leaves open, its options fill in.
#[derive(Clone, Copy)]
struct RangeCommand {
    /// `None`: BYSCORE and BYLEX say.
    by: Option<By>,
    /// `None`: REV says.
    reverse: Option<bool>,
    /// The result is stored instead of shown.
    store: bool,
}

/// A range with its ends read.
enum Ends<'a> {
    Rank(RankRange),
    Score(ScoreRange),
    Lex(LexRange<'a>),
}

struct RangeQuery<'a> {
    ends: Ends<'a>,
    reverse: bool,
    with_scores: bool,
    /// Members to skip, and to show at most (negative: all).
    limit: (i64, i64),
}

impl<'a> RangeQuery<'a> {
    /// Reads the ends at `at` and the options behind them.
    fn parse(args: Args<'a>, at: usize, command: RangeCommand) -> CmdResult<Self> {
        let (mut by, mut reverse) = (command.by, command.reverse);
        let (mut with_scores, mut limit) = (false, None);
        let mut next = at + 2;
        while let Some(word) = args.get(next) {
            match word {
                word if !command.store && is(word, "withscores") => with_scores = true,
                word if is(word, "limit") && next + 2 < args.len() => {
                    limit = Some((int(&args[next + 1])?, int(&args[next + 2])?));
                    next += 2;
                }
                word if reverse.is_none() && is(word, "rev") => reverse = Some(true),
                word if by.is_none() && is(word, "byscore") => by = Some(By::Score),
                word if by.is_none() && is(word, "bylex") => by = Some(By::Lex),
                _ => return Err(CommandError::SYNTAX),
            }
            next += 1;
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        // A limit of -1 members is no limit, even where none is allowed.
        if by == By::Rank && limit.is_some_and(|(_, most)| most != -1) {
            return Err(CommandError::LIMIT_WITHOUT_BY);
        }
        if with_scores && by == By::Lex {
            return Err(CommandError::WITHSCORES_BYLEX);
        }
        // A reversed range is given with its greater end first; ranks are counted from the other end instead.
        let (first, second) = (args.get(at).unwrap_or_default(), args.get(at + 1).unwrap_or_default());
        let (min, max) = if reverse { (second, first) } else { (first, second) };
        let ends = match by {
            By::Rank => Ends::Rank(RankRange { start: int(first)?, stop: int(second)? }),
            By::Score => Ends::Score(ScoreRange::parse(min, max).ok_or(CommandError::MIN_MAX_NOT_FLOAT)?),
            By::Lex => Ends::Lex(LexRange::parse(min, max).ok_or(CommandError::MIN_MAX_NOT_LEX)?),
        };
        Ok(RangeQuery { ends, reverse, with_scores, limit: limit.unwrap_or((0, -1)) })
    }

    /// The ranks, from the least score, of what the query means in `set`.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let len = set.len();
        let ranks = match &self.ends {
            Ends::Rank(range) if self.reverse => {
                let range = range.resolve(len);
                return len - range.end..len - range.start;
            }
            Ends::Rank(range) => return range.resolve(len),
            Ends::Score(range) => set.ranks_by_score(*range),
            Ends::Lex(range) => set.ranks_by_lex(*range),
        };
        let (skip, most) = self.limit;
        let Ok(skip) = usize::try_from(skip) else { return 0..0 };
        let skip = skip.min(ranks.len());
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(ranks.len() - skip);
        if self.reverse {
            ranks.end - skip - most..ranks.end - skip
        } else {
            ranks.start + skip..ranks.start + skip + most
        }
    }

    /// Calls `visit` with the members in the query's order.
    fn for_each(&self, set: &SortedSet, ranks: Range<usize>, mut visit: impl FnMut(Item<'_>, f64)) {
        let members = set.range(ranks);
        if self.reverse {
            members.rev().for_each(|(member, score)| visit(member, score));
        } else {
            members.for_each(|(member, score)| visit(member, score));
        }
    }
}

/// Begins an array of members; with scores, RESP3 has a pair for each and RESP2 a flat list.
fn begin_members(out: &mut Reply, len: usize, with_scores: bool) {
    out.array(if with_scores && !out.is_resp3() { 2 * len } else { len });
}

fn write_member(out: &mut Reply, member: Item<'_>, score: f64, with_scores: bool) {
    if with_scores && out.is_resp3() {
        out.array(2);
    }
    write_item(out, member);
    if with_scores {
        out.double(score);
    }
}

fn answer_range(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, command: RangeCommand) -> CmdResult {
    let query = RangeQuery::parse(args, 2, command)?;
    let Some(set) = ctx.read::<SortedSet>(&args[1])? else {
        out.array(0);
        return Ok(());
    };
    let ranks = query.ranks(set);
    begin_members(out, ranks.len(), query.with_scores);
    query.for_each(set, ranks, |member, score| write_member(out, member, score, query.with_scores));
    Ok(())
}

const ZRANGE: Command = read("zrange", zrange)
    .arity(-4)
    .key(usage::READ, 1)
    .since("1.2.0")
    .doc("The members of a range of ranks, scores or members.")
    .syntax("key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]");

fn zrange(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_range(ctx, args, out, RangeCommand { by: None, reverse: None, store: false })
}

const ZREVRANGE: Command = read("zrevrange", zrevrange)
    .arity(-4)
    .key(usage::READ, 1)
    .since("1.2.0")
    .doc("The members of a range of ranks, counted from the greatest score.")
    .syntax("key start stop [WITHSCORES]");

fn zrevrange(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_range(ctx, args, out, RangeCommand { by: Some(By::Rank), reverse: Some(true), store: false })
}

const ZRANGEBYSCORE: Command = read("zrangebyscore", zrangebyscore)
    .arity(-4)
    .key(usage::READ, 1)
    .since("1.0.5")
    .doc("The members with a score in a range.")
    .syntax("key min max [WITHSCORES] [LIMIT offset count]");

fn zrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_range(ctx, args, out, RangeCommand { by: Some(By::Score), reverse: Some(false), store: false })
}

const ZREVRANGEBYSCORE: Command = read("zrevrangebyscore", zrevrangebyscore)
    .arity(-4)
    .key(usage::READ, 1)
    .since("2.2.0")
    .doc("The members with a score in a range, the greatest first.")
    .syntax("key max min [WITHSCORES] [LIMIT offset count]");

fn zrevrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_range(ctx, args, out, RangeCommand { by: Some(By::Score), reverse: Some(true), store: false })
}

const ZRANGEBYLEX: Command = read("zrangebylex", zrangebylex)
    .arity(-4)
    .key(usage::READ, 1)
    .since("2.8.9")
    .doc("The members of a range of members, all scores being the same.")
    .syntax("key min max [LIMIT offset count]");

fn zrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_range(ctx, args, out, RangeCommand { by: Some(By::Lex), reverse: Some(false), store: false })
}

const ZREVRANGEBYLEX: Command = read("zrevrangebylex", zrevrangebylex)
    .arity(-4)
    .key(usage::READ, 1)
    .since("2.8.9")
    .doc("The members of a range of members, the greatest first, all scores being the same.")
    .syntax("key max min [LIMIT offset count]");

fn zrevrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_range(ctx, args, out, RangeCommand { by: Some(By::Lex), reverse: Some(true), store: false })
}

const ZRANGESTORE: Command = write("zrangestore", zrangestore)
    .arity(-5)
    .key(usage::OVERWRITE, 1)
    .key(usage::READ, 2)
    .deny_oom()
    .since("6.2.0")
    .doc("Keeps the members of a range under another key; returns how many.")
    .syntax("dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]");

fn zrangestore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let query = RangeQuery::parse(args, 3, RangeCommand { by: None, reverse: None, store: true })?;
    let limits = ctx.limits();
    let mut result = SortedSet::new();
    if let Some(set) = ctx.read::<SortedSet>(&args[2])? {
        let ranks = query.ranks(set);
        let longest = set.range(ranks.clone()).map(|(member, _)| member.len()).max().unwrap_or(0);
        result.expect(ranks.len(), longest, &limits);
        query.for_each(set, ranks, |member, score| {
            member.with_bytes(|member| result.add(member, score, AddOptions::default(), &limits));
        });
    }
    store(ctx, &args[1], result, out);
    Ok(())
}

/// Keeps a result under a key and answers with its size.
fn store(ctx: &mut Ctx<'_>, key: &[u8], set: SortedSet, out: &mut Reply) {
    let len = set.len();
    ctx.store(key, set, EventClasses::SORTED_SET, ctx.command.name);
    out.int(len as i64);
}

const ZREMRANGEBYRANK: Command = write("zremrangebyrank", zremrangebyrank)
    .arity(4)
    .key(usage::DELETE, 1)
    .since("2.0.0")
    .doc("Removes the members of a range of ranks; returns how many.")
    .syntax("key start stop");

fn zremrangebyrank(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    remove_range(ctx, args, out, By::Rank)
}

const ZREMRANGEBYSCORE: Command = write("zremrangebyscore", zremrangebyscore)
    .arity(4)
    .key(usage::DELETE, 1)
    .since("1.2.0")
    .doc("Removes the members with a score in a range; returns how many.")
    .syntax("key min max");

fn zremrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    remove_range(ctx, args, out, By::Score)
}

const ZREMRANGEBYLEX: Command = write("zremrangebylex", zremrangebylex)
    .arity(4)
    .key(usage::DELETE, 1)
    .since("2.8.9")
    .doc("Removes the members of a range of members, all scores being the same; returns how many.")
    .syntax("key min max");

fn zremrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    remove_range(ctx, args, out, By::Lex)
}

fn remove_range(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, by: By) -> CmdResult {
    let query = RangeQuery::parse(args, 2, RangeCommand { by: Some(by), reverse: Some(false), store: false })?;
    let removed = ctx.update(&args[1], |set: &mut SortedSet| {
        let removed = set.remove_range(query.ranks(set));
        Edit::when(removed > 0, removed)
    })?;
    let removed = removed.unwrap_or(0);
    if removed > 0 {
        ctx.notify_removal(EventClasses::SORTED_SET, ctx.command.name, &args[1]);
    }
    out.int(removed as i64);
    Ok(())
}

const ZPOPMIN: Command = write("zpopmin", zpopmin)
    .arity(-2)
    .key(usage::ACCESS_DELETE, 1)
    .fast()
    .since("5.0.0")
    .doc("Removes the members with the least scores and returns them.")
    .syntax("key [count]");

fn zpopmin(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    pop(ctx, args, out, false)
}

const ZPOPMAX: Command = write("zpopmax", zpopmax)
    .arity(-2)
    .key(usage::ACCESS_DELETE, 1)
    .fast()
    .since("5.0.0")
    .doc("Removes the members with the greatest scores and returns them.")
    .syntax("key [count]");

fn zpopmax(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    pop(ctx, args, out, true)
}

fn pop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, greatest: bool) -> CmdResult {
    let count = match args.len() {
        2 => None,
        3 => Some(positive(&args[2])?),
        _ => return Err(CommandError::SYNTAX),
    };
    let popped = ctx.update(&args[1], |set: &mut SortedSet| {
        let len = count.unwrap_or(1).min(set.len());
        // Without a count RESP3 has the one pair flat.
        let pairs = count.is_some() && out.is_resp3();
        out.array(if pairs { len } else { 2 * len });
        take(set, len, greatest, |member, score| {
            if pairs {
                out.array(2);
            }
            write_item(out, member);
            out.double(score);
        });
        Edit::when(len > 0, len)
    })?;
    match popped {
        Some(0) => {}
        Some(_) => ctx.notify_removal(EventClasses::SORTED_SET, popped_from(greatest), &args[1]),
        None => out.array(0),
    }
    Ok(())
}

/// The event of members that have gone from one end.
fn popped_from(greatest: bool) -> &'static str {
    if greatest { "zpopmax" } else { "zpopmin" }
}

fn take(set: &mut SortedSet, count: usize, greatest: bool, visit: impl FnMut(Item<'_>, f64)) {
    if greatest { set.pop_max(count, visit) } else { set.pop_min(count, visit) }
}

const ZMPOP: Command = write("zmpop", zmpop)
    .arity(-4)
    .keys(KeySpec::counted(usage::ACCESS_DELETE, 1))
    .flag(Flags::MOVABLEKEYS)
    .since("7.0.0")
    .doc("Removes members from the first of several sorted sets that has any and returns them.")
    .syntax("numkeys key [key ...] <MIN | MAX> [COUNT count]");

fn zmpop(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (keys, at) = counted_keys(args, 1)?;
    let greatest = is_max(args.get(at))?;
    let count = pop_count(args, at + 1)?;
    for key in keys.iter() {
        if ctx.peek_as::<SortedSet>(key)?.is_some() {
            return pop_pairs(ctx, key, count, greatest, out);
        }
    }
    out.nil_array();
    Ok(())
}

/// The end of a sorted set that a word names; whether it is that of the greatest scores.
fn is_max(word: Option<&[u8]>) -> CmdResult<bool> {
    match word {
        Some(word) if is(word, "min") => Ok(false),
        Some(word) if is(word, "max") => Ok(true),
        _ => Err(CommandError::SYNTAX),
    }
}

/// Removes up to `count` members of an existing set and writes its key and them.
fn pop_pairs(ctx: &mut Ctx<'_>, key: &[u8], count: usize, greatest: bool, out: &mut Reply) -> CmdResult {
    out.array(2);
    out.bulk(key);
    ctx.update(key, |set: &mut SortedSet| {
        let len = count.min(set.len());
        out.array(len);
        take(set, len, greatest, |member, score| {
            out.array(2);
            write_item(out, member);
            out.double(score);
        });
        Edit::changed(())
    })?;
    ctx.notify_removal(EventClasses::SORTED_SET, popped_from(greatest), key);
    Ok(())
}

const ZRANDMEMBER: Command = read("zrandmember", zrandmember)
    .arity(-2)
    .key(usage::READ, 1)
    .since("6.2.0")
    .doc("Members by chance, with their scores on request.")
    .syntax("key [count [WITHSCORES]]");

fn zrandmember(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let mut chance = ctx.chance();
    if args.len() == 2 {
        match ctx.read::<SortedSet>(&args[1])?.and_then(|set| set.random(&mut chance)) {
            Some((member, _)) => write_item(out, member),
            None => out.nil(),
        }
        return Ok(());
    }
    let pick = Pick::parse(&args[2])?;
    let with_scores = match args.len() {
        3 => false,
        4 if is(&args[3], "withscores") => true,
        _ => return Err(CommandError::SYNTAX),
    };
    if with_scores && int(&args[2])?.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::OUT_OF_RANGE);
    }
    let bound = Bound::new(ctx, out);
    let Some(set) = ctx.read::<SortedSet>(&args[1])? else {
        out.array(0);
        return Ok(());
    };
    match pick {
        Pick::Distinct(count) => {
            let sample = set.sample(count, &mut chance);
            begin_members(out, sample.len(), with_scores);
            sample.into_iter().for_each(|(member, score)| write_member(out, member, score, with_scores));
        }
        Pick::Repeating(count) => {
            begin_members(out, count, with_scores);
            let end = set.sample_repeating(count, &mut chance, |member, score| {
                write_member(out, member, score, with_scores);
                bound.check(out)
            });
            bounded(end)?;
        }
    }
    Ok(())
}

/// Which members of several sorted sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Algebra {
    Union,
    Intersection,
    Difference,
}

/// The options of the commands that combine sorted sets.
struct Combination {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl Combination {
    fn parse(args: Args<'_>, at: usize, keys: usize, algebra: Algebra, store: bool) -> CmdResult<Self> {
        let mut options = Combination { weights: vec![1.0; keys], aggregate: Aggregate::Sum, with_scores: false };
        let mut at = at;
        while let Some(word) = args.get(at) {
            let left = args.len() - at - 1;
            match word {
                word if algebra != Algebra::Difference && is(word, "weights") && left >= keys => {
                    for (weight, given) in options.weights.iter_mut().zip(args.from(at + 1).iter()) {
                        *weight = number::parse_f64(given).ok_or(CommandError::WEIGHT_NOT_FLOAT)?;
                    }
                    at += keys;
                }
                word if algebra != Algebra::Difference && is(word, "aggregate") && left >= 1 => {
                    at += 1;
                    options.aggregate = match &args[at] {
                        word if is(word, "sum") => Aggregate::Sum,
                        word if is(word, "min") => Aggregate::Min,
                        word if is(word, "max") => Aggregate::Max,
                        _ => return Err(CommandError::SYNTAX),
                    };
                }
                word if !store && is(word, "withscores") => options.with_scores = true,
                _ => return Err(CommandError::SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }
}

/// The keys that a count at `at` announces, and where they end.
fn input_keys<'a>(ctx: &Ctx<'_>, args: Args<'a>, at: usize) -> CmdResult<(Args<'a>, usize)> {
    let count = int(&args[at])?;
    if count < 1 {
        return Err(CommandError::no_input_keys(ctx.command.name));
    }
    let end = usize::try_from(count).ok().and_then(|count| count.checked_add(at + 1));
    match end.filter(|end| *end <= args.len()) {
        Some(end) => Ok((args.slice(at + 1..end), end)),
        None => Err(CommandError::SYNTAX),
    }
}

/// Sets and sorted sets as inputs of a combination.
fn sources<'e>(entries: &[Option<&'e Entry>]) -> CmdResult<Vec<Source<'e>>> {
    let source = |entry: &Option<&'e Entry>| match entry.map(|entry| entry.value()) {
        None => Ok(Source::Empty),
        Some(ValueRef::Set(set)) => Ok(Source::Plain(set)),
        Some(ValueRef::SortedSet(set)) => Ok(Source::Sorted(set)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    };
    entries.iter().map(source).collect()
}

/// Combines the sets that the count at `at` announces.
fn combine(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    at: usize,
    algebra: Algebra,
    store: bool,
) -> CmdResult<(SortedSet, Combination)> {
    let mut limits: Limits = ctx.limits();
    if !store {
        // What is only shown is not made small first, which would lose the sign of a zero.
        limits.zset_max_listpack_entries = 0;
    }
    let (keys, at) = input_keys(ctx, args, at)?;
    let entries = ctx.entries(keys.iter());
    let sources = sources(&entries)?;
    let options = Combination::parse(args, at, keys.len(), algebra, store)?;
    let weighted: Vec<_> = sources.iter().copied().zip(options.weights.iter().copied()).collect();
    let set = match algebra {
        Algebra::Union => SortedSet::union(&weighted, options.aggregate, &limits),
        Algebra::Intersection => SortedSet::intersection(&weighted, options.aggregate, &limits),
        Algebra::Difference => SortedSet::difference(&sources, &limits),
    };
    Ok((set, options))
}

fn answer_combination(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, algebra: Algebra) -> CmdResult {
    let (set, options) = combine(ctx, args, 1, algebra, false)?;
    begin_members(out, set.len(), options.with_scores);
    set.iter().for_each(|(member, score)| write_member(out, member, score, options.with_scores));
    Ok(())
}

fn store_combination(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply, algebra: Algebra) -> CmdResult {
    let (set, _) = combine(ctx, args, 2, algebra, true)?;
    store(ctx, &args[1], set, out);
    Ok(())
}

const COMBINE_SYNTAX: &str =
    "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]";
const STORE_SYNTAX: &str =
    "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]";

const ZUNION: Command = read("zunion", zunion)
    .arity(-3)
    .keys(KeySpec::counted(usage::READ, 1))
    .flag(Flags::MOVABLEKEYS)
    .since("6.2.0")
    .doc("The members of any of the sets, their scores combined.")
    .syntax(COMBINE_SYNTAX);

fn zunion(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_combination(ctx, args, out, Algebra::Union)
}

const ZUNIONSTORE: Command = write("zunionstore", zunionstore)
    .arity(-4)
    .key(usage::OVERWRITE, 1)
    .keys(KeySpec::counted(usage::READ, 2))
    .flag(Flags::MOVABLEKEYS)
    .deny_oom()
    .since("2.0.0")
    .doc("Keeps the members of any of the sets, their scores combined, under a key; returns how many.")
    .syntax(STORE_SYNTAX);

fn zunionstore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    store_combination(ctx, args, out, Algebra::Union)
}

const ZINTER: Command = read("zinter", zinter)
    .arity(-3)
    .keys(KeySpec::counted(usage::READ, 1))
    .flag(Flags::MOVABLEKEYS)
    .since("6.2.0")
    .doc("The members that all sets share, their scores combined.")
    .syntax(COMBINE_SYNTAX);

fn zinter(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_combination(ctx, args, out, Algebra::Intersection)
}

const ZINTERSTORE: Command = write("zinterstore", zinterstore)
    .arity(-4)
    .key(usage::OVERWRITE, 1)
    .keys(KeySpec::counted(usage::READ, 2))
    .flag(Flags::MOVABLEKEYS)
    .deny_oom()
    .since("2.0.0")
    .doc("Keeps the members that all sets share, their scores combined, under a key; returns how many.")
    .syntax(STORE_SYNTAX);

fn zinterstore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    store_combination(ctx, args, out, Algebra::Intersection)
}

const ZDIFF: Command = read("zdiff", zdiff)
    .arity(-3)
    .keys(KeySpec::counted(usage::READ, 1))
    .flag(Flags::MOVABLEKEYS)
    .since("6.2.0")
    .doc("The members of the first set that are in none of the others.")
    .syntax("numkeys key [key ...] [WITHSCORES]");

fn zdiff(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    answer_combination(ctx, args, out, Algebra::Difference)
}

const ZDIFFSTORE: Command = write("zdiffstore", zdiffstore)
    .arity(-4)
    .key(usage::OVERWRITE, 1)
    .keys(KeySpec::counted(usage::READ, 2))
    .flag(Flags::MOVABLEKEYS)
    .deny_oom()
    .since("6.2.0")
    .doc("Keeps the members of the first set that are in none of the others under a key; returns how many.")
    .syntax("destination numkeys key [key ...]");

fn zdiffstore(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    store_combination(ctx, args, out, Algebra::Difference)
}

const ZINTERCARD: Command = read("zintercard", zintercard)
    .arity(-3)
    .keys(KeySpec::counted(usage::READ, 1))
    .flag(Flags::MOVABLEKEYS)
    .since("7.0.0")
    .doc("How many members all sets share, counted up to a limit.")
    .syntax("numkeys key [key ...] [LIMIT limit]");

fn zintercard(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let (keys, at) = input_keys(ctx, args, 1)?;
    let entries = ctx.entries(keys.iter());
    let sources = sources(&entries)?;
    let limit = intersection_limit(args, at)?;
    out.int(SortedSet::intersection_count(&sources, limit) as i64);
    Ok(())
}

const ZSCAN: Command = read("zscan", zscan)
    .arity(-3)
    .key(usage::READ, 1)
    .since("2.8.0")
    .doc("One step of a walk over all members with their scores.")
    .syntax("key cursor [MATCH pattern] [COUNT count]");

fn zscan(ctx: &mut Ctx<'_>, args: Args<'_>, out: &mut Reply) -> CmdResult {
    let set = to_scan::<SortedSet>(ctx, args)?;
    // In a large set ZSCAN prints scores with other digits than all other commands.
    let show = match set.map(SortedSet::encoding) {
        Some("skiplist") => number::format_f64_long,
        _ => number::format_f64,
    };
    let options = ScanOptions::parse(args, set.is_some(), "")?;
    options.answer(out, |cursor, count, out| {
        let mut shown = 0;
        let next = set.map_or(0, |set| {
            set.scan(cursor, count, |member, score| {
                if member.with_bytes(|member| options.matches(member)) {
                    shown += 2;
                    write_item(out, member);
                    // Scores are text here even in RESP3.
                    out.bulk(show(score));
                }
            })
        });
        (next, shown)
    });
    Ok(())
}
