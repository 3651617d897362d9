//! The small form of a sorted set: a listpack of members, each followed by its score, in order; also the text of scores.

use crate::listpack::{Iter, Listpack, Position};
use crate::types::Item;
use resplite_resp::number::format_f64;
use std::cmp::Ordering;
use std::ops::Range;

/// Members with scores in a listpack.
#[derive(Clone, Default)]
pub(super) struct Compact {
    listpack: Listpack,
}

impl Compact {
    /// Takes a listpack from a file; `None` unless it is pairs of a member and a score, in order and no member twice.
    pub(super) fn from_listpack(listpack: Listpack) -> Option<Self> {
        if !crate::types::keys_differ(listpack.iter(), 2) {
            return None;
        }
        let scores_are_numbers = listpack.iter().skip(1).step_by(2).all(|score| read_score(score).is_some());
        let compact = Compact { listpack };
        let in_order = |(one, other): (Scored<'_>, Scored<'_>)| compare(one, other) == Ordering::Less;
        (scores_are_numbers && compact.pairs().zip(compact.pairs().skip(1)).all(in_order)).then_some(compact)
    }

    pub(super) fn listpack(&self) -> &Listpack {
        &self.listpack
    }

    pub(super) fn len(&self) -> usize {
        self.listpack.len() / 2
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        let (_, after) = self.listpack.entry(self.find(member)?)?;
        read_score(self.listpack.get(after)?)
    }

    /// Adds a member that is not there.
    pub(super) fn insert_new(&mut self, member: &[u8], score: f64) {
        let at = self.place_of(member, score);
        let at = self.listpack.insert(at, member);
        match ScoreText::of(score) {
            ScoreText::Int(value) => self.listpack.insert(at, value),
            ScoreText::Text(text) => self.listpack.insert(at, text.as_bytes()),
        };
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        let Some(at) = self.find(member) else { return false };
        self.listpack.remove(at, 2);
        true
    }

    pub(super) fn remove_range(&mut self, ranks: Range<usize>) {
        self.listpack.remove(self.place(ranks.start), 2 * ranks.len());
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        self.pairs().enumerate().find(|(_, (other, _))| *other == member).map(|(rank, (_, score))| (rank, score))
    }

    /// How many members come before the first for which `before` does not hold.
    pub(super) fn partition_point(&self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        self.pairs().take_while(|(member, score)| member.with_bytes(|member| before(*score, member))).count()
    }

    /// Members in the order of ranks; reversible.
    pub(super) fn range(&self, ranks: Range<usize>) -> Pairs<'_> {
        Pairs { items: self.listpack.iter_between(self.place(ranks.start), self.place(ranks.end)) }
    }

    pub(super) fn pairs(&self) -> Pairs<'_> {
        Pairs { items: self.listpack.iter() }
    }

    /// Where a new member belongs: before the first that comes after it.
    fn place_of(&self, member: &[u8], score: f64) -> Position {
        let mut at = self.listpack.start();
        while let Some((other, after)) = self.listpack.entry(at) {
            let Some((other_score, next)) = self.listpack.entry(after) else { break };
            let other_score = read_score(other_score).unwrap_or(score);
            if other_score > score || (other_score == score && other.with_bytes(|other| other > member)) {
                break;
            }
            at = next;
        }
        at
    }

    fn find(&self, member: &[u8]) -> Option<Position> {
        self.listpack.find(self.listpack.start(), member, 1)
    }

    fn place(&self, rank: usize) -> Position {
        self.listpack.seek(2 * rank as i64).unwrap_or(self.listpack.end())
    }
}

/// Members with their scores, from either end.
#[derive(Clone)]
pub(super) struct Pairs<'a> {
    items: Iter<'a>,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.items.next()?;
        Some((member, read_score(self.items.next()?)?))
    }
}

impl DoubleEndedIterator for Pairs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let score = self.items.next_back()?;
        Some((self.items.next_back()?, read_score(score)?))
    }
}

type Scored<'a> = (Item<'a>, f64);

fn compare(one: Scored<'_>, other: Scored<'_>) -> Ordering {
    one.1
        .partial_cmp(&other.1)
        .unwrap_or(Ordering::Equal)
        .then_with(|| one.0.with_bytes(|one| other.0.with_bytes(|other| one.cmp(other))))
}

/// The score that an entry of a listpack stands for; NaN is none.
fn read_score(item: Item<'_>) -> Option<f64> {
    match item {
        Item::Int(value) => Some(value as f64),
        Item::Bytes(text) => std::str::from_utf8(text).ok()?.parse().ok().filter(|score: &f64| !score.is_nan()),
    }
}

/// How Redis writes a score into a listpack: as an integer where that is exact and within 2^62, else as short text.
enum ScoreText {
    Int(i64),
    Text(String),
}

impl ScoreText {
    fn of(score: f64) -> Self {
        const EXACT: f64 = (1u64 << 62) as f64;
        if score.trunc() == score && score.abs() <= EXACT {
            return ScoreText::Int(score as i64);
        }
        ScoreText::Text(format_f64(score))
    }
}

#[cfg(test)]
mod tests {
    use super::{Compact, ScoreText, read_score};
    use crate::listpack::Listpack;
    use crate::types::Item;
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    fn text(score: f64) -> String {
        match ScoreText::of(score) {
            ScoreText::Int(value) => value.to_string(),
            ScoreText::Text(text) => text,
        }
    }

    #[test]
    fn scores_are_written_as_redis_writes_them() {
        let scores = [
            (1.5, "1.5"),
            (0.1, "0.1"),
            (-0.0, "0"),
            (1e20, "1e+20"),
            (1e17, "100000000000000000"),
            (9.2e18, "9.2e+18"),
            (123_456_789_012_345_678_901.0, "123456789012345680000"),
            (1.234e24, "1.234e+24"),
            (0.00012, "0.00012"),
            (1e-6, "0.000001"),
            (1.23e-6, "1.23e-6"),
            (1e-7, "1e-7"),
            (123e-9, "1.23e-7"),
            (1.7e-5, "0.000017"),
            (1.2345678e-8, "1.2345678e-8"),
            (1.23456789e-6, "1.23456789e-6"),
            (1e22, "1e+22"),
            (-1.5e-9, "-1.5e-9"),
            (2.5e-4, "0.00025"),
            (12345678901234567890.0, "12345678901234567000"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1234567890123.5, "1234567890123.5"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (-3.0, "-3"),
            (4611686018427387904.0, "4611686018427387904"),
        ];
        for (score, expected) in scores {
            assert_eq!(text(score), expected);
        }
    }

    #[test]
    fn listpacks_from_files_are_checked() {
        let build = |items: &[&str]| {
            let mut listpack = Listpack::new();
            items.iter().for_each(|item| listpack.push_back(item.as_bytes()));
            Compact::from_listpack(listpack).map(|compact| compact.len())
        };
        assert_eq!(build(&["a", "1", "b", "1", "a7", "1.5", "7", "inf"]), Some(4));
        assert_eq!(build(&[]), Some(0));
        for wrong in [
            ["a", "1", "b"].as_slice(),
            &["a", "1", "a", "2"],
            &["a", "2", "b", "1"],
            &["b", "1", "a", "1"],
            &["a", "x"],
            &["a", "nan"],
        ] {
            assert_eq!(build(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 10 } else { 2000 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn scores_read_back(bits in any::<u64>(), power in -30i32..30, value in any::<i32>()) {
            for score in [f64::from_bits(bits), f64::from(value) * 10f64.powi(power)] {
                if !score.is_nan() {
                    prop_assert_eq!(read_score(Item::Bytes(text(score).as_bytes())), Some(score));
                }
            }
        }
    }
}
