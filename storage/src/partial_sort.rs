//! Sorting only a part of a slice: what LIMIT and COUNT ask for costs less than all of it.

use std::cmp::Ordering;
use std::ops::Range;

/// Up to this length elements are put in order one by one.
const FEW: usize = 7;
/// From this length on the pivot is chosen from nine elements.
const MANY: usize = 40;

/// Moves to `wanted` what would lie there if all of `items` were sorted, in order; the rest lies anywhere on its side.
///
/// Equal elements come in the order that real servers leave them in: unchanged if all is wanted, as for any stable sort;
/// otherwise where the quicksort of Bentley and McIlroy ("Engineering a Sort Function", 1993) puts them. Input made to be
/// slow for that costs O(n log n) all the same.
pub fn sort_part<T>(items: &mut [T], wanted: Range<usize>, mut compare: impl FnMut(&T, &T) -> Ordering) {
    if wanted == (0..items.len()) {
        return items.sort_by(compare);
    }
    let depth = 2 * items.len().checked_ilog2().unwrap_or(0);
    quicksort(items, wanted.start as isize, wanted.end as isize, depth, &mut compare);
}

/// `start` and `end` of what is wanted, as seen from the first of `items`.
fn quicksort<T>(
    mut items: &mut [T],
    mut start: isize,
    mut end: isize,
    mut depth: u32,
    compare: &mut impl FnMut(&T, &T) -> Ordering,
) {
    loop {
        let len = items.len();
        if len < FEW {
            return insertion_sort(items, compare);
        }
        if depth == 0 {
            return items.sort_by(compare);
        }
        depth -= 1;
        let (less, greater) = partition(items, compare);
        if less > 1 && start < less as isize && end > 0 {
            quicksort(&mut items[..less], start, end, depth, compare);
        }
        let first = (len - greater) as isize;
        if greater <= 1 || start >= len as isize || end <= first {
            return;
        }
        items = &mut items[len - greater..];
        (start, end) = (start - first, end - first);
    }
}

fn insertion_sort<T>(items: &mut [T], compare: &mut impl FnMut(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Moves what is less than a pivot to the front and what is greater to the end; returns how many are less and how many
/// greater. Seven elements at least.
fn partition<T>(items: &mut [T], compare: &mut impl FnMut(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    let pivot = pivot(items, compare);
    items.swap(0, pivot);
    // Equal ones wait at both ends: up to `low_equal` and behind `high_equal`. The pivot is the first of them.
    let (mut low_equal, mut low, mut high, mut high_equal) = (1, 1, len - 1, len - 1);
    loop {
        while low <= high {
            match compare(&items[low], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(low_equal, low);
                    low_equal += 1;
                }
                Ordering::Less => {}
            }
            low += 1;
        }
        while low <= high {
            match compare(&items[high], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    items.swap(high, high_equal);
                    high_equal -= 1;
                }
                Ordering::Greater => {}
            }
            high -= 1;
        }
        if low > high {
            break;
        }
        items.swap(low, high);
        low += 1;
        high -= 1;
    }
    let (less, greater) = (low - low_equal, high_equal - high);
    swap_ranges(items, 0, low, low_equal.min(less));
    swap_ranges(items, low, len, greater.min(len - 1 - high_equal));
    (less, greater)
}

/// Exchanges `count` elements from `first` on with the `count` before `end`.
fn swap_ranges<T>(items: &mut [T], first: usize, end: usize, count: usize) {
    (0..count).for_each(|at| items.swap(first + at, end - count + at));
}

fn pivot<T>(items: &[T], compare: &mut impl FnMut(&T, &T) -> Ordering) -> usize {
    let (mut first, mut middle, mut last) = (0, items.len() / 2, items.len() - 1);
    if items.len() > MANY {
        let step = items.len() / 8;
        first = median(items, [first, first + step, first + 2 * step], compare);
        middle = median(items, [middle - step, middle, middle + step], compare);
        last = median(items, [last - 2 * step, last - step, last], compare);
    }
    if items.len() > FEW { median(items, [first, middle, last], compare) } else { middle }
}

/// Which of three elements lies between the others.
fn median<T>(items: &[T], [a, b, c]: [usize; 3], compare: &mut impl FnMut(&T, &T) -> Ordering) -> usize {
    let mut is_less = |one: usize, other: usize| compare(&items[one], &items[other]).is_lt();
    if is_less(a, b) {
        if is_less(b, c) {
            b
        } else if is_less(a, c) {
            c
        } else {
            a
        }
    } else if is_less(c, b) {
        b
    } else if is_less(a, c) {
        a
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::sort_part;
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn parts_are_those_of_the_whole(
            mut values in prop::collection::vec(0u8..40, 0..300),
            ends in any::<(u16, u16)>(),
        ) {
            let len = values.len();
            let (start, end) = (ends.0 as usize % (len + 1), ends.1 as usize % (len + 1));
            let wanted = start.min(end)..start.max(end);
            let mut items: Vec<(u8, usize)> = values.iter().copied().zip(0..).collect();
            sort_part(&mut items, wanted.clone(), |one, other| one.0.cmp(&other.0));
            values.sort_unstable();
            let keys: Vec<u8> = items.iter().map(|item| item.0).collect();
            prop_assert_eq!(&keys[wanted.clone()], &values[wanted.clone()]);
            if !wanted.is_empty() {
                prop_assert!(keys[..wanted.start].iter().all(|key| *key <= values[wanted.start]));
                prop_assert!(keys[wanted.end..].iter().all(|key| *key >= values[wanted.end - 1]));
            }
            let mut indexes: Vec<usize> = items.iter().map(|item| item.1).collect();
            indexes.sort_unstable();
            prop_assert_eq!(indexes, (0..len).collect::<Vec<_>>());
        }
    }

    /// McIlroy's adversary: it makes up its mind only when it is asked, always to what helps least.
    #[test]
    fn nobody_makes_it_slow() {
        const LEN: usize = 20_000;
        let gas = LEN;
        let mut values = vec![gas; LEN];
        let (mut solid, mut candidate, mut asked) = (0, 0, 0_usize);
        let mut items: Vec<usize> = (0..LEN).collect();
        sort_part(&mut items, 0..LEN - 1, |one, other| {
            asked += 1;
            if values[*one] == gas && values[*other] == gas {
                let frozen = if *one == candidate { *one } else { *other };
                values[frozen] = solid;
                solid += 1;
            }
            if values[*one] == gas {
                candidate = *one;
            } else if values[*other] == gas {
                candidate = *other;
            }
            values[*one].cmp(&values[*other])
        });
        assert!(asked < LEN * 100, "{asked} comparisons");
    }
}
