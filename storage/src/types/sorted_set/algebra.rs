//! Union, intersection and difference of sorted and plain sets.

use super::index::Builder;
use super::{Repr, SortedSet};
use crate::types::set::Set;
use crate::types::{Item, Limits, OneOf};

/// How the scores that a member has in several sets become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregate {
    /// Their sum; infinities that cancel out give zero.
    #[default]
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

impl Aggregate {
    fn combine(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => number(one + other),
            Aggregate::Min if other < one => other,
            Aggregate::Max if other > one => other,
            Aggregate::Min | Aggregate::Max => one,
        }
    }
}

/// An input of union, intersection and difference; members of plain sets score 1.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// The key is absent.
    Empty,
    /// A set.
    Plain(&'a Set),
    /// A sorted set.
    Sorted(&'a SortedSet),
}

impl<'a> Source<'a> {
    /// Number of members.
    pub fn len(self) -> usize {
        match self {
            Source::Empty => 0,
            Source::Plain(set) => set.len(),
            Source::Sorted(set) => set.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The score of a member.
    pub fn score(self, member: Item<'_>) -> Option<f64> {
        match self {
            Source::Empty => None,
            Source::Plain(set) => set.contains_item(member).then_some(1.0),
            Source::Sorted(set) => member.with_bytes(|member| set.score(member)),
        }
    }

    /// Members with their scores.
    pub fn iter(self) -> impl Iterator<Item = (Item<'a>, f64)> {
        match self {
            Source::Empty => OneOf::First(None.into_iter().flatten()),
            Source::Plain(set) => OneOf::First(Some(set.iter().map(|member| (member, 1.0))).into_iter().flatten()),
            Source::Sorted(set) => OneOf::Second(set.iter()),
        }
    }
}

impl SortedSet {
    /// The members of any source, with the weighted scores combined. O(n log n).
    pub fn union(sources: &[(Source<'_>, f64)], aggregate: Aggregate, limits: &Limits) -> SortedSet {
        let mut result = Result::new(limits);
        // From the smallest to the largest, as in Redis: sums of floats depend on the order.
        for (source, weight) in by_len(sources) {
            for (member, score) in source.iter() {
                result.add(member, number(weight * score), |one, other| aggregate.combine(one, other));
            }
        }
        result.finish(limits)
    }

    /// The members of all sources, with the weighted scores combined; none if there are no sources.
    /// O(smallest source x number of sources).
    pub fn intersection(sources: &[(Source<'_>, f64)], aggregate: Aggregate, limits: &Limits) -> SortedSet {
        let mut result = Result::new(limits);
        let sources = by_len(sources);
        let Some(((smallest, weight), others)) = sources.split_first() else { return result.finish(limits) };
        for (member, score) in smallest.iter() {
            let combined = others.iter().try_fold(number(weight * score), |combined, (source, weight)| {
                // What is no number here makes the whole sum zero, unlike in the first source and in a union.
                Some(aggregate.combine(combined, weight * source.score(member)?))
            });
            if let Some(score) = combined {
                result.add(member, score, |_, score| score);
            }
        }
        result.finish(limits)
    }

    /// Number of members of all sources, counted up to `limit` (0: to the end).
    pub fn intersection_count(sources: &[Source<'_>], limit: usize) -> usize {
        let mut sources = sources.to_vec();
        sources.sort_by_key(|source| source.len());
        let Some((smallest, others)) = sources.split_first() else { return 0 };
        let common = smallest.iter().filter(|(member, _)| others.iter().all(|source| source.score(*member).is_some()));
        common.take(if limit == 0 { usize::MAX } else { limit }).count()
    }

    /// The members of the first source that are in none of the others, with their scores.
    pub fn difference(sources: &[Source<'_>], limits: &Limits) -> SortedSet {
        let mut result = Result::new(limits);
        let Some((first, others)) = sources.split_first() else { return result.finish(limits) };
        let mut others: Vec<Source<'_>> = others.iter().copied().filter(|source| !source.is_empty()).collect();
        // The larger a source, the likelier it ends the question.
        others.sort_by_key(|source| std::cmp::Reverse(source.len()));
        for (member, score) in first.iter() {
            if others.iter().all(|source| source.score(member).is_none()) {
                result.add(member, score, |_, score| score);
            }
        }
        result.finish(limits)
    }
}

/// A set in the making; in the end it takes the smaller encoding if it may.
struct Result {
    builder: Builder,
    longest: usize,
    bytes: usize,
}

impl Result {
    fn new(limits: &Limits) -> Self {
        Result { builder: Builder::new(limits), longest: 0, bytes: 0 }
    }

    fn add(&mut self, member: Item<'_>, score: f64, combine: impl FnOnce(f64, f64) -> f64) {
        self.longest = self.longest.max(member.len());
        self.bytes = self.bytes.saturating_add(member.len());
        member.with_bytes(|member| self.builder.add(member, score, combine));
    }

    fn finish(self, limits: &Limits) -> SortedSet {
        let index = self.builder.finish();
        let mut result = SortedSet::new();
        let len = index.len();
        let Repr::Compact(compact) = &mut result.repr else { return result };
        let fits = len <= limits.zset_max_listpack_entries && self.longest <= limits.zset_max_listpack_value;
        if !fits || !compact.listpack().has_room(self.bytes.saturating_add(len * super::SCORE_BYTES), 2 * len) {
            result.repr = Repr::Index(Box::new(index));
            return result;
        }
        for (member, score) in index.range(0..len) {
            member.with_bytes(|member| compact.insert_new(member, score));
        }
        result
    }
}

fn by_len<'a>(sources: &[(Source<'a>, f64)]) -> Vec<(Source<'a>, f64)> {
    let mut sources = sources.to_vec();
    sources.sort_by_key(|(source, _)| source.len());
    sources
}

/// Infinity times zero and infinity less infinity count as zero.
fn number(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::{Aggregate, Source};
    use crate::types::set::Set;
    use crate::types::sorted_set::{AddOptions, SortedSet};
    use crate::types::{Item, Limits};
    use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::{Just, Strategy};
    use std::collections::BTreeMap;

    const TINY: Limits = Limits {
        zset_max_listpack_entries: 4,
        zset_max_listpack_value: 8,
        set_max_intset_entries: 3,
        set_max_listpack_entries: 5,
        ..Limits::DEFAULT
    };

    fn sorted(pairs: &[(&str, f64)]) -> SortedSet {
        let mut set = SortedSet::new();
        for (member, score) in pairs {
            set.add(member.as_bytes(), *score, AddOptions::default(), &TINY);
        }
        set
    }

    fn contents(set: &SortedSet) -> BTreeMap<Vec<u8>, f64> {
        set.iter().map(|(member, score)| (member.to_vec(), score)).collect()
    }

    #[test]
    fn infinities_never_become_nan() {
        let (up, down) = (sorted(&[("a", f64::INFINITY)]), sorted(&[("a", f64::NEG_INFINITY)]));
        let sources = [(Source::Sorted(&up), 1.0), (Source::Sorted(&down), 1.0)];
        assert_eq!(SortedSet::union(&sources, Aggregate::Sum, &TINY).score(b"a"), Some(0.0));
        assert_eq!(SortedSet::intersection(&sources, Aggregate::Sum, &TINY).score(b"a"), Some(0.0));
        assert_eq!(SortedSet::intersection(&sources, Aggregate::Max, &TINY).score(b"a"), Some(f64::INFINITY));
        assert_eq!(SortedSet::union(&[(Source::Sorted(&up), 0.0)], Aggregate::Sum, &TINY).score(b"a"), Some(0.0));
        let weighted = [(Source::Sorted(&up), -3.0), (Source::Sorted(&up), 0.0)];
        assert_eq!(SortedSet::intersection(&weighted, Aggregate::Sum, &TINY).score(b"a"), Some(0.0));
        assert_eq!(SortedSet::union(&weighted, Aggregate::Sum, &TINY).score(b"a"), Some(f64::NEG_INFINITY));
    }

    fn member() -> impl Strategy<Value = String> {
        prop_oneof![(0u8..12).prop_map(|member| member.to_string()), "[a-c]{1,2}", Just("long member".to_owned())]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 256 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn algebra_is_that_of_maps(
            inputs in prop::collection::vec((prop::collection::btree_map(member(), -3i8..4, 0..12), -2i8..3, 0u8..6), 1..4),
            aggregate in prop_oneof![Just(Aggregate::Sum), Just(Aggregate::Min), Just(Aggregate::Max)],
            limit in 0usize..4,
        ) {
            let mut sets = Vec::new();
            for (scores, _, kind) in &inputs {
                let (mut plain, mut zset) = (Set::new(), SortedSet::new());
                for (member, score) in scores {
                    plain.insert(member.as_bytes(), &TINY);
                    zset.add(member.as_bytes(), f64::from(*score), AddOptions::default(), &TINY);
                }
                sets.push((plain, zset, *kind));
            }
            let model: Vec<BTreeMap<Vec<u8>, f64>> = inputs.iter().map(|(scores, _, kind)| {
                scores.iter().filter(|_| *kind != 0).map(|(member, score)| {
                    (member.clone().into_bytes(), if *kind == 1 { 1.0 } else { f64::from(*score) })
                }).collect()
            }).collect();
            let sources: Vec<Source<'_>> = sets.iter().map(|(plain, zset, kind)| match kind {
                0 => Source::Empty,
                1 => Source::Plain(plain),
                _ => Source::Sorted(zset),
            }).collect();
            let weighted: Vec<_> =
                sources.iter().zip(&inputs).map(|(source, input)| (*source, f64::from(input.1))).collect();
            let mut union: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
            for (scores, (_, weight, _)) in model.iter().zip(&inputs) {
                for (member, score) in scores {
                    let value = score * f64::from(*weight);
                    union.entry(member.clone()).and_modify(|old| *old = match aggregate {
                        Aggregate::Sum => *old + value,
                        Aggregate::Min => old.min(value),
                        Aggregate::Max => old.max(value),
                    }).or_insert(value);
                }
            }
            let result = SortedSet::union(&weighted, aggregate, &TINY);
            let is_small = union.len() <= 4 && union.keys().all(|member| member.len() <= 8);
            prop_assert_eq!(result.encoding(), if is_small { "listpack" } else { "skiplist" });
            prop_assert_eq!(contents(&result), union.clone());
            union.retain(|member, _| model.iter().all(|scores| scores.contains_key(member)));
            let common = if limit == 0 { union.len() } else { union.len().min(limit) };
            prop_assert_eq!(SortedSet::intersection_count(&sources, limit), common);
            prop_assert_eq!(contents(&SortedSet::intersection(&weighted, aggregate, &TINY)), union);
            let mut difference = model[0].clone();
            difference.retain(|member, _| !model[1..].iter().any(|scores| scores.contains_key(member)));
            prop_assert_eq!(contents(&SortedSet::difference(&sources, &TINY)), difference);
        }

        #[test]
        fn items_of_both_kinds_are_found(number in 0i64..100) {
            let set = sorted(&[("7", 1.0), ("a", 2.0)]);
            let expected = (number == 7).then_some(1.0);
            prop_assert_eq!(Source::Sorted(&set).score(Item::Int(number)), expected);
        }
    }
}
