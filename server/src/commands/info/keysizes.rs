//! INFO keysizes: how long the values of each type are, counted in steps that double.

use super::Lines;
use crate::context::Ctx;
use resplite_storage::entry::{Entry, ValueRef};

/// Types in the order of the lines, and what is counted of each.
const KINDS: [&str; 5] = ["strings_sizes", "lists_items", "sets_items", "zsets_items", "hashes_items"];

/// One step for nothing, and one for each power of two.
const STEPS: usize = 65;

/// Which line an entry belongs to, and its length.
fn length(entry: &Entry) -> Option<(usize, usize)> {
    Some(match entry.value() {
        ValueRef::String(string) => (0, string.len()),
        ValueRef::List(list) => (1, list.len()),
        ValueRef::Set(set) => (2, set.len()),
        ValueRef::SortedSet(set) => (3, set.len()),
        ValueRef::Hash(hash) => (4, hash.len()),
        ValueRef::Stream(_) => return None,
    })
}

/// The step of a length: 0 is nothing, then each begins at a power of two.
fn step(length: usize) -> usize {
    length.checked_ilog2().map_or(0, |log| log as usize + 1)
}

/// Where a step begins, as it is shown: 512, 1K, 2K ..
fn name(step: usize) -> String {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    match step.checked_sub(1) {
        None => "0".into(),
        Some(log) => format!("{}{}", 1 << (log % 10), UNITS[log / 10]),
    }
}

/// Writes the lines of all databases. Looks at every key.
pub(super) fn write(ctx: &mut Ctx<'_>, lines: &mut Lines) {
    for db in 0..ctx.engine.keyspace.databases() {
        let mut counts = [[0_u64; STEPS]; KINDS.len()];
        for shard in ctx.locked().shards() {
            for (kind, length) in shard.db(db).entries().filter_map(length) {
                counts[kind][step(length)] += 1;
            }
        }
        for (kind, counts) in KINDS.into_iter().zip(&counts) {
            let counted = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let shown: Vec<String> = counted.map(|(step, count)| format!("{}={count}", name(step))).collect();
            if !shown.is_empty() {
                lines.add(&format!("db{db}_distrib_{kind}"), shown.join(","));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_at_powers_of_two() {
        let shown = |length: usize| name(step(length));
        assert_eq!([0, 1, 2, 3, 4, 7, 8].map(shown), ["0", "1", "2", "2", "4", "4", "8"]);
        assert_eq!([1023, 1024, 2047, 2048, 1 << 20, usize::MAX].map(shown), ["512", "1K", "1K", "2K", "1M", "8E"]);
    }
}
