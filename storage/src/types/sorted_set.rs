//! The sorted set type: a listpack while small, a table with a tree (to clients a "skiplist") after that.

mod algebra;
mod compact;
mod index;
mod range;

pub use algebra::{Aggregate, Source};
pub use range::{LexBound, LexRange, RankRange, ScoreBound, ScoreRange};

use super::{Item, Limits, OneOf, choose};
use crate::listpack::Listpack;
use compact::Compact;
use fastrand::Rng;
use index::{Builder, Index};
use std::ops::ControlFlow;
use std::ops::Range;

/// The most bytes that the text of a score takes.
const SCORE_BYTES: usize = 32;

/// Members, each with a score, in the order of scores and then of bytes. No score is ever NaN.
#[derive(Clone)]
pub struct SortedSet {
    repr: Repr,
}

#[derive(Clone)]
enum Repr {
    Compact(Compact),
    Index(Box<Index>),
}

/// Conditions of ZADD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddOptions {
    /// NX: never change a member that is there.
    pub only_new: bool,
    /// XX: never add a member.
    pub only_existing: bool,
    /// GT: change a score only to a greater one.
    pub only_greater: bool,
    /// LT: change a score only to a smaller one.
    pub only_less: bool,
    /// INCR: the score is added to the present one.
    pub increment: bool,
}

/// What an addition did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AddOutcome {
    /// The member is new and has this score.
    Added(f64),
    /// The member's score changed to this one.
    Updated(f64),
    /// The member had this score already.
    Unchanged(f64),
    /// The options forbade it.
    Refused,
    /// The score is or would become NaN; nothing changed.
    NotANumber,
}

impl AddOutcome {
    /// The score that the member has now, where ZADD INCR replies with it.
    pub fn score(self) -> Option<f64> {
        match self {
            AddOutcome::Added(score) | AddOutcome::Updated(score) | AddOutcome::Unchanged(score) => Some(score),
            AddOutcome::Refused | AddOutcome::NotANumber => None,
        }
    }
}

impl Default for SortedSet {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for SortedSet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_map().entries(self.iter()).finish()
    }
}

impl SortedSet {
    /// An empty sorted set.
    pub fn new() -> Self {
        SortedSet { repr: Repr::Compact(Compact::default()) }
    }

    /// Takes a listpack of members and scores from a file; `None` unless it is one, in order and no member twice.
    pub fn from_listpack(listpack: Listpack) -> Option<Self> {
        Some(SortedSet { repr: Repr::Compact(Compact::from_listpack(listpack)?) })
    }

    /// A large set from `len` members in any order; `next` writes each into the empty buffer it is given and returns its
    /// score, which must not be NaN. `Ok(None)` if a member comes twice. O(n log n).
    pub fn from_unordered<E>(
        len: u64,
        limits: &Limits,
        mut next: impl FnMut(&mut Vec<u8>) -> Result<f64, E>,
    ) -> Result<Option<Self>, E> {
        let (mut builder, mut member, mut is_unique) = (Builder::new(limits), Vec::new(), true);
        for _ in 0..len {
            member.clear();
            let score = next(&mut member)?;
            builder.add(&member, score, |present, _| {
                is_unique = false;
                present
            });
            if !is_unique {
                return Ok(None);
            }
        }
        Ok(Some(SortedSet { repr: Repr::Index(Box::new(builder.finish())) }))
    }

    /// The listpack, if this is the encoding.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match &self.repr {
            Repr::Compact(compact) => Some(compact.listpack()),
            Repr::Index(_) => None,
        }
    }

    /// Number of members of each bucket of the table, if there is one.
    pub fn bucket_lengths(&self) -> Option<Vec<usize>> {
        match &self.repr {
            Repr::Compact(_) => None,
            Repr::Index(index) => Some(index.bucket_lengths()),
        }
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Compact(compact) => compact.len(),
            Repr::Index(index) => index.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `listpack` or `skiplist`: the names of Redis, though the latter is a tree.
    pub fn encoding(&self) -> &'static str {
        match &self.repr {
            Repr::Compact(_) => "listpack",
            Repr::Index(_) => "skiplist",
        }
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        match &self.repr {
            Repr::Compact(compact) => compact.listpack().heap_bytes(),
            Repr::Index(index) => size_of::<Index>() + index.heap_bytes(),
        }
    }

    /// Converts ahead, as ZADD does for `added` members of at most `longest` bytes: Redis counts what a command names,
    /// not what turns out to be new. The length matters only to a set that is empty yet.
    pub fn expect(&mut self, added: usize, longest: usize, limits: &Limits) {
        let too_long = self.is_empty() && longest > limits.zset_max_listpack_value;
        if added > limits.zset_max_listpack_entries || too_long {
            self.convert(limits);
        }
    }

    /// Adds a member or changes its score. O(log n).
    pub fn add(&mut self, member: &[u8], score: f64, options: AddOptions, limits: &Limits) -> AddOutcome {
        let index = match &mut self.repr {
            Repr::Index(index) => index,
            Repr::Compact(compact) => {
                let outcome = options.decide(compact.score(member), score);
                match outcome {
                    AddOutcome::Added(score) => self.insert_compact(member, score, limits),
                    AddOutcome::Updated(score) => {
                        compact.remove(member);
                        compact.insert_new(member, score);
                    }
                    _ => {}
                }
                return outcome;
            }
        };
        let hash = index.hash(member);
        let outcome = options.decide(index.score(hash, member), score);
        match outcome {
            AddOutcome::Added(score) => index.insert_new(hash, member, score),
            AddOutcome::Updated(score) => index.set_score(hash, member, score),
            _ => {}
        }
        outcome
    }

    /// Removes a member; returns whether it existed. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.repr {
            Repr::Compact(compact) => compact.remove(member),
            Repr::Index(index) => index.remove(member),
        }
    }

    /// The score of a member. O(1).
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.repr {
            Repr::Compact(compact) => compact.score(member),
            Repr::Index(index) => index.score(index.hash(member), member),
        }
    }

    /// The rank (from 0, ascending) and the score of a member; its reverse rank is `len() - 1 - rank`. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.repr {
            Repr::Compact(compact) => compact.rank(member),
            Repr::Index(index) => index.rank(member),
        }
    }

    /// The ranks of the members whose scores are in a range; as many as ZCOUNT counts. O(log n).
    pub fn ranks_by_score(&self, range: ScoreRange) -> Range<usize> {
        let start = self.partition_point(|score, _| range.is_below(score));
        let end = self.partition_point(|score, _| range.reaches(score));
        start..end.max(start)
    }

    /// The ranks of the members in a range of members; it means something only if all scores are the same. O(log n).
    pub fn ranks_by_lex(&self, range: LexRange<'_>) -> Range<usize> {
        let start = self.partition_point(|_, member| range.is_below(member));
        let end = self.partition_point(|_, member| range.reaches(member));
        start..end.max(start)
    }

    /// The members at these ranks, in order; reversible. What the `ranks_by_..` functions return goes in here, after
    /// LIMIT has cut it: that costs nothing. O(log n) to begin.
    pub fn range(&self, ranks: Range<usize>) -> impl DoubleEndedIterator<Item = (Item<'_>, f64)> {
        match &self.repr {
            Repr::Compact(compact) => OneOf::First(compact.range(ranks)),
            Repr::Index(index) => OneOf::Second(index.range(ranks)),
        }
    }

    /// All members in order; reversible.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Item<'_>, f64)> {
        self.range(0..self.len())
    }

    /// Removes the members at these ranks; returns how many. O(log n + removed).
    pub fn remove_range(&mut self, ranks: Range<usize>) -> usize {
        let end = ranks.end.min(self.len());
        let ranks = ranks.start.min(end)..end;
        let count = ranks.len();
        match &mut self.repr {
            Repr::Compact(compact) => compact.remove_range(ranks),
            Repr::Index(index) => index.remove_range(ranks),
        }
        count
    }

    /// Removes up to `count` members with the least scores and visits each, the least first.
    pub fn pop_min(&mut self, count: usize, mut visit: impl FnMut(Item<'_>, f64)) {
        let ranks = 0..count.min(self.len());
        self.range(ranks.clone()).for_each(|(member, score)| visit(member, score));
        self.remove_range(ranks);
    }

    /// Removes up to `count` members with the greatest scores and visits each, the greatest first.
    pub fn pop_max(&mut self, count: usize, mut visit: impl FnMut(Item<'_>, f64)) {
        let ranks = self.len() - count.min(self.len())..self.len();
        self.range(ranks.clone()).rev().for_each(|(member, score)| visit(member, score));
        self.remove_range(ranks);
    }

    /// Whether saving it takes so long that it is done in parts.
    pub fn is_large(&self) -> bool {
        matches!(&self.repr, Repr::Index(index) if index.len() > super::PART)
    }

    /// Begins a picture of a large sorted set as it is now; no effect on a small one.
    pub fn begin_picture(&mut self) {
        if let Repr::Index(index) = &mut self.repr {
            index.begin_picture();
        }
    }

    /// Whether a picture has been begun and not taken to its end.
    pub fn has_picture(&self) -> bool {
        matches!(&self.repr, Repr::Index(index) if index.has_picture())
    }

    /// Visits about `most` members of the picture, each once over all calls; returns whether that was the last part.
    pub fn take_part(&mut self, most: usize, visit: impl FnMut(Item<'_>, f64)) -> bool {
        let Repr::Index(index) = &mut self.repr else { return true };
        index.take_part(most, visit)
    }

    /// Visits about `count` members from `cursor` on and returns the next cursor; 0 begins and 0 ends. A listpack is
    /// visited whole. What stays in the set from the first call to the last is visited at least once.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>, f64)) -> u64 {
        match &self.repr {
            Repr::Compact(compact) => {
                compact.pairs().for_each(|(member, score)| visit(member, score));
                0
            }
            Repr::Index(index) => index.scan(cursor, count, visit),
        }
    }

    /// A member by chance.
    pub fn random(&self, rng: &mut Rng) -> Option<(Item<'_>, f64)> {
        match &self.repr {
            Repr::Compact(compact) => {
                let rank = rng.usize(..compact.len().max(1));
                compact.range(rank..rank + 1).next()
            }
            Repr::Index(index) => index.random(rng),
        }
    }

    /// `count` different members by chance; if there are no more than that all of them, the greatest first, as Redis has it.
    pub fn sample(&self, count: usize, rng: &mut Rng) -> Vec<(Item<'_>, f64)> {
        if count >= self.len() {
            return self.iter().rev().collect();
        }
        match &self.repr {
            Repr::Compact(compact) => choose(compact.pairs().collect(), count, rng),
            Repr::Index(index) => index.sample(count, rng),
        }
    }

    /// Visits `count` members by chance, each independent of the others, until `visit` breaks off; returns whether it has.
    pub fn sample_repeating(
        &self,
        count: usize,
        rng: &mut Rng,
        mut visit: impl FnMut(Item<'_>, f64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.is_empty() {
            return ControlFlow::Continue(());
        }
        match &self.repr {
            Repr::Compact(compact) => {
                let pairs: Vec<_> = compact.pairs().collect();
                for _ in 0..count {
                    let (member, score) = pairs[rng.usize(..pairs.len())];
                    visit(member, score)?;
                }
            }
            Repr::Index(index) => {
                for (member, score) in (0..count).map_while(|_| index.random(rng)) {
                    visit(member, score)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// How many members come before the first for which `before` does not hold.
    fn partition_point(&self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        match &self.repr {
            Repr::Compact(compact) => compact.partition_point(before),
            Repr::Index(index) => index.partition_point(before),
        }
    }

    /// Adds a member that a compact set does not have yet, after leaving that form if need be.
    fn insert_compact(&mut self, member: &[u8], score: f64, limits: &Limits) {
        if let Repr::Compact(compact) = &mut self.repr {
            let fits = compact.len() < limits.zset_max_listpack_entries
                && member.len() <= limits.zset_max_listpack_value
                && compact.listpack().has_room(member.len() + SCORE_BYTES, 2);
            if fits {
                return compact.insert_new(member, score);
            }
        }
        self.convert(limits);
        if let Repr::Index(index) = &mut self.repr {
            index.insert_new(index.hash(member), member, score);
        }
    }

    fn convert(&mut self, limits: &Limits) {
        let Repr::Compact(compact) = &self.repr else { return };
        let mut builder = Builder::new(limits);
        for (member, score) in compact.pairs() {
            member.with_bytes(|member| builder.add(member, score, |_, score| score));
        }
        self.repr = Repr::Index(Box::new(builder.finish()));
    }
}

impl AddOptions {
    /// What an addition will do to a member that has the score `known`, if any.
    fn decide(self, known: Option<f64>, score: f64) -> AddOutcome {
        if score.is_nan() {
            return AddOutcome::NotANumber;
        }
        let Some(present) = known else {
            return if self.only_existing { AddOutcome::Refused } else { AddOutcome::Added(score) };
        };
        if self.only_new {
            return AddOutcome::Refused;
        }
        let score = if self.increment { present + score } else { score };
        if score.is_nan() {
            return AddOutcome::NotANumber;
        }
        if (self.only_less && score >= present) || (self.only_greater && score <= present) {
            return AddOutcome::Refused;
        }
        if score == present { AddOutcome::Unchanged(score) } else { AddOutcome::Updated(score) }
    }
}

#[cfg(test)]
mod tests {
    use super::{AddOptions, AddOutcome, LexRange, Limits, Rng, ScoreBound, ScoreRange, SortedSet};
    use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy;
    use std::collections::{BTreeMap, HashSet};
    use std::ops::ControlFlow;

    const LIMITS: Limits = Limits::DEFAULT;
    const TINY: Limits = Limits { zset_max_listpack_entries: 5, zset_max_listpack_value: 8, ..LIMITS };
    const PLAIN: AddOptions =
        AddOptions { only_new: false, only_existing: false, only_greater: false, only_less: false, increment: false };

    fn numbered(count: usize, limits: &Limits) -> SortedSet {
        let mut set = SortedSet::new();
        for number in 0..count {
            set.add(format!("m{number}").as_bytes(), number as f64, PLAIN, limits);
        }
        set
    }

    fn contents(set: &SortedSet) -> Vec<(Vec<u8>, f64)> {
        set.iter().map(|(member, score)| (member.to_vec(), score)).collect()
    }

    #[test]
    fn encodings_change_where_those_of_redis_do() {
        assert_eq!(numbered(128, &LIMITS).encoding(), "listpack");
        assert_eq!(numbered(129, &LIMITS).encoding(), "skiplist");
        for (len, encoding) in [(64, "listpack"), (65, "skiplist")] {
            let mut set = SortedSet::new();
            set.add(&vec![b'x'; len], 1.0, PLAIN, &LIMITS);
            assert_eq!(set.encoding(), encoding);
        }
        let mut set = numbered(1, &LIMITS);
        set.expect(128, 100, &LIMITS);
        assert_eq!(set.encoding(), "listpack");
        set.expect(129, 1, &LIMITS);
        assert_eq!(set.encoding(), "skiplist");
    }

    #[test]
    fn listpack_bytes_are_those_of_redis() {
        let mut set = SortedSet::new();
        for (member, score) in [("m", 1.5), ("7", -1.0), ("b", 1e-7)] {
            set.add(member.as_bytes(), score, PLAIN, &LIMITS);
        }
        let expected = b"\x1d\0\0\0\x06\0\x07\x01\xdf\xff\x02\x81b\x02\x841e-7\x05\x81m\x02\x831.5\x04\xff";
        let bytes = set.as_listpack().map(|listpack| listpack.as_bytes().to_vec());
        assert_eq!(bytes.as_deref(), Some(expected.as_slice()));
    }

    #[test]
    fn options_decide() {
        for limits in [LIMITS, Limits { zset_max_listpack_entries: 0, ..LIMITS }] {
            let mut set = SortedSet::new();
            let mut add = |score, options| set.add(b"a", score, options, &limits);
            assert_eq!(add(1.0, AddOptions { only_existing: true, ..PLAIN }), AddOutcome::Refused);
            assert_eq!(add(f64::NAN, PLAIN), AddOutcome::NotANumber);
            assert_eq!(add(1.0, AddOptions { only_greater: true, ..PLAIN }), AddOutcome::Added(1.0));
            assert_eq!(add(2.0, AddOptions { only_new: true, ..PLAIN }), AddOutcome::Refused);
            assert_eq!(add(1.0, PLAIN), AddOutcome::Unchanged(1.0));
            assert_eq!(add(1.0, AddOptions { only_greater: true, ..PLAIN }), AddOutcome::Refused);
            assert_eq!(add(0.5, AddOptions { only_greater: true, ..PLAIN }), AddOutcome::Refused);
            assert_eq!(add(2.0, AddOptions { only_less: true, ..PLAIN }), AddOutcome::Refused);
            assert_eq!(add(0.5, AddOptions { only_less: true, ..PLAIN }), AddOutcome::Updated(0.5));
            assert_eq!(add(2.0, AddOptions { increment: true, ..PLAIN }), AddOutcome::Updated(2.5));
            assert_eq!(add(f64::INFINITY, AddOptions { increment: true, ..PLAIN }), AddOutcome::Updated(f64::INFINITY));
            assert_eq!(add(f64::NEG_INFINITY, AddOptions { increment: true, ..PLAIN }), AddOutcome::NotANumber);
            assert_eq!(set.score(b"a"), Some(f64::INFINITY));
        }
    }

    #[test]
    fn members_of_one_score_are_in_the_order_of_bytes() {
        for limits in [LIMITS, TINY] {
            let mut set = SortedSet::new();
            for member in ["b", "a", "10", "9", "", "ab", "-1", "z"] {
                set.add(member.as_bytes(), 0.0, PLAIN, &limits);
            }
            let range = |min: &str, max: &str| {
                let ranks = set.ranks_by_lex(LexRange::parse(min.as_bytes(), max.as_bytes()).unwrap());
                set.range(ranks).map(|(member, _)| String::from_utf8(member.to_vec()).unwrap()).collect::<Vec<_>>()
            };
            assert_eq!(range("-", "+"), ["", "-1", "10", "9", "a", "ab", "b", "z"]);
            assert_eq!(range("[a", "(b"), ["a", "ab"]);
            assert_eq!(range("(a", "[b"), ["ab", "b"]);
            assert!(range("[b", "[a").is_empty() && range("+", "-").is_empty() && range("+", "+").is_empty());
        }
    }

    #[test]
    fn chance_reaches_every_member() {
        let repetitions = if cfg!(miri) { 500 } else { 2000 };
        for limits in [LIMITS, TINY] {
            let (set, rng) = (numbered(60, &limits), &mut Rng::with_seed(5));
            for count in [0, 1, 10, 30, 60, 61] {
                let sample: HashSet<_> =
                    set.sample(count, rng).into_iter().map(|(member, _)| member.to_vec()).collect();
                assert_eq!(sample.len(), count.min(60));
            }
            let mut seen = HashSet::new();
            let end = set.sample_repeating(repetitions, rng, |member, _| {
                seen.insert(member.to_vec());
                ControlFlow::Continue(())
            });
            assert!(end.is_continue());
            let picked: HashSet<_> =
                (0..repetitions).filter_map(|_| set.random(rng)).map(|(member, _)| member.to_vec()).collect();
            assert_eq!((seen.len(), picked.len()), (60, 60));
        }
        assert!(SortedSet::new().random(&mut Rng::with_seed(1)).is_none());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(String, f64),
        AddMany(u8, f64),
        Increment(String, f64),
        Remove(String),
        RemoveRange(usize, usize),
        Pop(bool, usize),
    }

    fn score() -> impl Strategy<Value = f64> {
        prop_oneof![
            6 => (-4i8..5).prop_map(f64::from),
            2 => (-40i8..50).prop_map(|score| f64::from(score) / 8.0),
            1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY),
            1 => any::<i64>().prop_map(|score| score as f64),
        ]
    }

    fn member() -> impl Strategy<Value = String> {
        prop_oneof![(0u8..40).prop_map(|member| member.to_string()), "[a-c]{0,3}", Just("a long member".to_owned())]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (member(), score()).prop_map(|(member, score)| Step::Add(member, score)),
            1 => (any::<u8>(), score()).prop_map(|(from, score)| Step::AddMany(from, score)),
            3 => (member(), score()).prop_map(|(member, score)| Step::Increment(member, score)),
            3 => member().prop_map(Step::Remove),
            1 => (0usize..20, 0usize..60).prop_map(|(start, end)| Step::RemoveRange(start, end)),
            1 => (any::<bool>(), 0usize..4).prop_map(|(min, count)| Step::Pop(min, count)),
        ]
    }

    /// Scores by member; its order is made when asked for.
    type Model = BTreeMap<Vec<u8>, f64>;

    fn ordered(model: &Model) -> Vec<(Vec<u8>, f64)> {
        let mut pairs: Vec<_> = model.iter().map(|(member, score)| (member.clone(), *score)).collect();
        pairs.sort_by(|one, other| one.1.total_cmp(&other.1).then_with(|| one.0.cmp(&other.0)));
        pairs
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 300 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn behaves_like_a_map_in_order(steps in prop::collection::vec(step(), 0..60), min in score(), max in score(), exclusive: (bool, bool)) {
            let (mut set, mut model) = (SortedSet::new(), Model::new());
            for step in steps {
                match step {
                    Step::Add(member, score) => {
                        let outcome = set.add(member.as_bytes(), score, PLAIN, &TINY);
                        let expected = match model.insert(member.into_bytes(), score) {
                            None => AddOutcome::Added(score),
                            Some(old) if old == score => AddOutcome::Unchanged(score),
                            Some(_) => AddOutcome::Updated(score),
                        };
                        prop_assert_eq!(outcome, expected);
                    }
                    Step::AddMany(from, score) => for number in 0..100u16 {
                        let member = (number * 7 + u16::from(from)).to_string().into_bytes();
                        let score = score + f64::from(number % 5);
                        set.add(&member, score, PLAIN, &TINY);
                        model.insert(member, score);
                    },
                    Step::Increment(member, score) => {
                        let sum = model.get(member.as_bytes()).map_or(score, |old| old + score);
                        let outcome = set.add(member.as_bytes(), score, AddOptions { increment: true, ..PLAIN }, &TINY);
                        prop_assert_eq!(outcome.score(), (!sum.is_nan()).then_some(sum));
                        if !sum.is_nan() { model.insert(member.into_bytes(), sum); }
                    }
                    Step::Remove(member) => {
                        prop_assert_eq!(set.remove(member.as_bytes()), model.remove(member.as_bytes()).is_some());
                    }
                    Step::RemoveRange(start, end) => {
                        let gone: Vec<_> = ordered(&model).into_iter().take(end).skip(start).collect();
                        prop_assert_eq!(set.remove_range(start..end), gone.len());
                        gone.iter().for_each(|(member, _)| { model.remove(member); });
                    }
                    Step::Pop(from_min, count) => {
                        let mut order = ordered(&model);
                        if !from_min { order.reverse(); }
                        order.truncate(count);
                        let mut popped = Vec::new();
                        let visit = |member: super::Item<'_>, score| popped.push((member.to_vec(), score));
                        if from_min { set.pop_min(count, visit) } else { set.pop_max(count, visit) }
                        prop_assert_eq!(&popped, &order);
                        order.iter().for_each(|(member, _)| { model.remove(member); });
                    }
                }
                prop_assert_eq!(set.len(), model.len());
            }
            let order = ordered(&model);
            prop_assert_eq!(contents(&set), &order[..]);
            prop_assert_eq!(contents(&set.clone()), &order[..]);
            for (rank, (member, score)) in order.iter().enumerate() {
                prop_assert_eq!(set.rank(member), Some((rank, *score)));
                prop_assert_eq!(set.score(member), Some(*score));
            }
            prop_assert!(set.score(b"absent").is_none() && set.rank(b"absent").is_none());
            let range = ScoreRange {
                min: ScoreBound { value: min, exclusive: exclusive.0 },
                max: ScoreBound { value: max, exclusive: exclusive.1 },
            };
            let expected: Vec<_> = order.iter().filter(|(_, score)| range.contains(*score)).cloned().collect();
            let ranks = set.ranks_by_score(range);
            prop_assert_eq!(ranks.len(), expected.len());
            let backward = set.range(ranks).rev().map(|(member, score)| (member.to_vec(), score));
            prop_assert_eq!(backward.collect::<Vec<_>>(), expected.into_iter().rev().collect::<Vec<_>>());
        }

        #[test]
        fn a_scan_sees_all_that_stays(
            stay in prop::collection::hash_set(0u32..500, 0..60),
            churn in prop::collection::vec((any::<bool>(), 500u32..560), 0..200),
            count in 1usize..12,
        ) {
            let mut set = SortedSet::new();
            for member in &stay {
                set.add(&member.to_be_bytes(), 1.0, PLAIN, &TINY);
            }
            let (mut cursor, mut seen, mut churn) = (0, HashSet::new(), churn.into_iter());
            loop {
                cursor = set.scan(cursor, count, |member, _| { seen.insert(member.to_vec()); });
                for (add, member) in churn.by_ref().take(7) {
                    let member = member.to_be_bytes();
                    if add { set.add(&member, 2.0, PLAIN, &TINY); } else { set.remove(&member); }
                }
                if cursor == 0 { break }
            }
            prop_assert!(stay.iter().all(|member| seen.contains(member.to_be_bytes().as_slice())));
        }
    }
}
