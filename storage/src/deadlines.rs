//! The index of what expires when, in order, for keys and for a hash's fields; it knows hashes, and never looks at the clock.

use crate::clock::Millis;
use crate::tree::Tree;

/// Deadlines of one table's entries, ordered, so that the next one is always known.
#[derive(Clone, Default)]
pub struct Deadlines {
    order: Tree<(Millis, u64)>,
    /// Entries beyond the first that share deadline and hash.
    twins: Vec<(Millis, u64)>,
    sum: u128,
}

impl Deadlines {
    /// Number of deadlines.
    pub fn len(&self) -> usize {
        self.order.len() + self.twins.len()
    }

    /// Whether nothing ever expires.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Notes that an entry with this hash expires at `at`. O(log n).
    pub fn insert(&mut self, at: Millis, hash: u64) {
        self.sum += u128::from(at);
        if !self.order.insert((at, hash)) {
            self.twins.push((at, hash));
        }
    }

    /// Forgets what `insert` noted. O(log n).
    pub fn remove(&mut self, at: Millis, hash: u64) {
        if let Some(index) = self.twins.iter().position(|twin| *twin == (at, hash)) {
            self.twins.swap_remove(index);
        } else if !self.order.remove(&(at, hash)) {
            return;
        }
        self.sum -= u128::from(at);
    }

    /// The earliest deadline and the hash of its entry.
    pub fn first(&self) -> Option<(Millis, u64)> {
        self.order.get(0).copied()
    }

    /// One of the deadlines and the hash of its entry, by its place in the order; those that share both with an earlier one come
    /// last. O(log n).
    pub fn nth(&self, index: usize) -> Option<(Millis, u64)> {
        match index.checked_sub(self.order.len()) {
            None => self.order.get(index).copied(),
            Some(behind) => self.twins.get(behind).copied(),
        }
    }

    /// The latest deadline. O(log n).
    pub fn last(&self) -> Option<Millis> {
        self.order.get(self.order.len().checked_sub(1)?).map(|(at, _)| *at)
    }

    /// Sum of all deadlines, for averages.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// Bytes of the index.
    pub fn heap_bytes(&self) -> usize {
        self.order.heap_bytes() + self.twins.capacity() * size_of::<(Millis, u64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_hashes_with_equal_deadlines_are_counted() {
        let mut deadlines = Deadlines::default();
        deadlines.insert(5, 1);
        deadlines.insert(5, 1);
        deadlines.insert(3, 9);
        assert_eq!((deadlines.len(), deadlines.first()), (3, Some((3, 9))));
        let all: Vec<_> = (0..4).map_while(|index| deadlines.nth(index)).collect();
        assert_eq!(all, [(3, 9), (5, 1), (5, 1)]);
        deadlines.remove(3, 9);
        deadlines.remove(5, 1);
        assert_eq!((deadlines.len(), deadlines.first()), (1, Some((5, 1))));
        deadlines.remove(5, 1);
        assert!(deadlines.is_empty());
    }
}
