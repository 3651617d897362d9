//! An ordered index of small keys that counts: a B+ tree with rank and selection; it knows no values and no meaning of keys.
//!
//! Keys lie in leaves of up to 64, contiguous and in order. An inner node knows of each child its first key and how many
//! keys are below it, so that finding, rank and selection touch one node per level. There are no links between leaves:
//! an iterator that leaves one descends again, which costs little once per fifty keys. First keys always equal a key that
//! is in the tree, never one that was, because keys may be handles that die with their removal.

use std::ops::Range;

/// Keys in a leaf, and children of an inner node.
const MAX: usize = 64;
/// Below this a node takes from its neighbour, or joins it ...
const MIN: usize = 16;
/// ... if both together leave room for more.
const JOINED: usize = 48;
/// How full nodes are that are built from sorted keys.
const BUILT: usize = 56;
/// Leaves grow by so many keys at a time: half-empty ones should not cost what full ones do.
const STEP: usize = 8;

/// A set of keys in their order, with the position (rank) of each.
#[derive(Clone)]
pub struct Tree<K> {
    root: Node<K>,
    len: usize,
    heap_bytes: usize,
}

#[derive(Clone)]
enum Node<K> {
    Leaf(Vec<K>),
    Inner(Box<Inner<K>>),
}

/// Three parallel vectors: what a search reads is contiguous.
#[derive(Clone)]
struct Inner<K> {
    firsts: Vec<K>,
    counts: Vec<usize>,
    children: Vec<Node<K>>,
}

enum Insertion<K> {
    Present,
    Done,
    /// The node was full; this is its new right neighbour.
    Split(Node<K>),
}

enum Replacement {
    Absent,
    Done,
    /// The new key belongs into another leaf, or may.
    Elsewhere,
}

impl<K: Copy + Ord> Default for Tree<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Ord> Tree<K> {
    /// An empty tree, which allocates nothing.
    pub const fn new() -> Self {
        Tree { root: Node::Leaf(Vec::new()), len: 0, heap_bytes: 0 }
    }

    /// A tree of keys that are in order, none twice. O(n), and the leaves are nearly full.
    pub fn from_sorted(keys: &[K]) -> Self {
        debug_assert!(keys.is_sorted_by(|a, b| a < b), "keys must ascend");
        let mut bytes = 0;
        let mut level: Vec<Node<K>> = portions(keys.len())
            .map(|portion| {
                let mut leaf = Vec::new();
                reserve(&mut leaf, portion.len(), &mut bytes);
                leaf.extend_from_slice(&keys[portion]);
                Node::Leaf(leaf)
            })
            .collect();
        while level.len() > 1 {
            let count = level.len();
            let mut nodes = level.into_iter();
            level = portions(count)
                .map(|portion| {
                    let inner = Inner::of(nodes.by_ref().take(portion.len()));
                    bytes += inner.own_bytes();
                    Node::Inner(Box::new(inner))
                })
                .collect();
        }
        Tree { root: level.pop().unwrap_or(Node::Leaf(Vec::new())), len: keys.len(), heap_bytes: bytes }
    }

    /// Number of keys.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes on the heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// Adds a key; false if it is there already. O(log n); keys that arrive in order leave full leaves behind.
    pub fn insert(&mut self, key: K) -> bool {
        match self.root.insert(key, true, true, &mut self.heap_bytes) {
            Insertion::Present => return false,
            Insertion::Done => {}
            Insertion::Split(right) => {
                let left = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
                let inner = Inner::of([left, right].into_iter());
                self.heap_bytes += inner.own_bytes();
                self.root = Node::Inner(Box::new(inner));
            }
        }
        self.len += 1;
        true
    }

    /// Removes a key; false if it is not there. O(log n).
    pub fn remove(&mut self, key: &K) -> bool {
        if !self.root.remove(key, &mut self.heap_bytes) {
            return false;
        }
        self.len -= 1;
        self.lower();
        true
    }

    /// Puts `new` in the place of `old`; false if `old` is not there. `new` must not be. Cheaper than removing and
    /// inserting if the order stays as it is. O(log n).
    pub fn replace(&mut self, old: &K, new: K) -> bool {
        match self.root.replace(old, new, None, true) {
            Replacement::Absent => false,
            Replacement::Done => true,
            Replacement::Elsewhere => {
                self.remove(old);
                self.insert(new);
                true
            }
        }
    }

    /// Removes the keys at these ranks and shows them in order. No keys are compared, so that the visitor may end what
    /// they stand for. O(log n + removed).
    pub fn remove_range(&mut self, ranks: Range<usize>, mut visit: impl FnMut(K)) {
        let end = ranks.end.min(self.len);
        if ranks.start >= end {
            return;
        }
        self.root.remove_range(ranks.start, end, &mut self.heap_bytes, &mut visit);
        self.len -= end - ranks.start;
        if self.len == 0 {
            *self = Tree::new();
            return;
        }
        self.lower();
        self.root.repair(ranks.start, &mut self.heap_bytes);
        self.lower();
    }

    /// The key at a rank. O(log n).
    pub fn get(&self, rank: usize) -> Option<&K> {
        let (leaf, offset) = self.leaf_at(rank)?;
        leaf.get(offset)
    }

    /// The rank of a key. O(log n).
    pub fn rank(&self, key: &K) -> Option<usize> {
        let (leaf, before) = self.descend(|other| other <= key);
        leaf.binary_search(key).ok().map(|offset| before + offset)
    }

    /// How many keys come before the first that is not `before`; `before` must hold for a beginning of the order and
    /// for nothing else. O(log n).
    pub fn partition_point(&self, before: impl Fn(&K) -> bool) -> usize {
        let (leaf, skipped) = self.descend(&before);
        skipped + leaf.partition_point(before)
    }

    /// The keys at these ranks; reversible. O(log n) to begin.
    pub fn range(&self, ranks: Range<usize>) -> Keys<'_, K> {
        let end = ranks.end.min(self.len);
        Keys { tree: self, start: ranks.start.min(end), end, front: &[], back: &[] }
    }

    /// All keys; reversible.
    pub fn iter(&self) -> Keys<'_, K> {
        self.range(0..self.len)
    }

    /// The last leaf whose first key is `before`, and the number of keys in front of that leaf.
    #[inline]
    fn descend(&self, before: impl Fn(&K) -> bool) -> (&[K], usize) {
        let (mut node, mut skipped) = (&self.root, 0usize);
        loop {
            match node {
                Node::Leaf(keys) => return (keys, skipped),
                Node::Inner(inner) => {
                    let index = inner.firsts.partition_point(&before).saturating_sub(1);
                    skipped += sum(&inner.counts[..index]);
                    node = &inner.children[index];
                }
            }
        }
    }

    /// The leaf that holds a rank, and the offset in it.
    fn leaf_at(&self, rank: usize) -> Option<(&[K], usize)> {
        if rank >= self.len {
            return None;
        }
        let (mut node, mut rank) = (&self.root, rank);
        loop {
            match node {
                Node::Leaf(keys) => return Some((keys, rank)),
                Node::Inner(inner) => {
                    let (index, offset) = inner.child_of(rank);
                    (node, rank) = (&inner.children[index], offset);
                }
            }
        }
    }

    /// Drops levels that have become pointless.
    fn lower(&mut self) {
        while let Node::Inner(inner) = &mut self.root {
            if inner.children.len() > 1 {
                return;
            }
            self.heap_bytes -= inner.own_bytes();
            self.root = inner.children.pop().unwrap_or(Node::Leaf(Vec::new()));
        }
    }
}

/// Keys of a tree in order, from either end.
pub struct Keys<'a, K> {
    tree: &'a Tree<K>,
    start: usize,
    end: usize,
    /// What is left of the leaf at either end; it may reach beyond the other end.
    front: &'a [K],
    back: &'a [K],
}

impl<K> Clone for Keys<'_, K> {
    fn clone(&self) -> Self {
        Keys { ..*self }
    }
}

impl<'a, K: Copy + Ord> Iterator for Keys<'a, K> {
    type Item = &'a K;

    #[inline]
    fn next(&mut self) -> Option<&'a K> {
        if self.start >= self.end {
            return None;
        }
        if self.front.is_empty() {
            let (leaf, offset) = self.tree.leaf_at(self.start)?;
            self.front = &leaf[offset..];
        }
        let (key, rest) = self.front.split_first()?;
        self.front = rest;
        self.start += 1;
        Some(key)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.start, Some(self.end - self.start))
    }
}

impl<K: Copy + Ord> DoubleEndedIterator for Keys<'_, K> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.start >= self.end {
            return None;
        }
        if self.back.is_empty() {
            let (leaf, offset) = self.tree.leaf_at(self.end - 1)?;
            self.back = &leaf[..=offset];
        }
        let (key, rest) = self.back.split_last()?;
        self.back = rest;
        self.end -= 1;
        Some(key)
    }
}

impl<K: Copy + Ord> ExactSizeIterator for Keys<'_, K> {}

impl<K: Copy + Ord> Node<K> {
    /// Keys below this node.
    fn count(&self) -> usize {
        match self {
            Node::Leaf(keys) => keys.len(),
            Node::Inner(inner) => sum(&inner.counts),
        }
    }

    /// The least key; a node below the root is never empty.
    fn first(&self) -> K {
        match self {
            Node::Leaf(keys) => keys[0],
            Node::Inner(inner) => inner.firsts[0],
        }
    }

    /// Keys of a leaf, children of an inner node.
    fn fill(&self) -> usize {
        match self {
            Node::Leaf(keys) => keys.len(),
            Node::Inner(inner) => inner.children.len(),
        }
    }

    /// Inserts below this node; `leftmost` and `rightmost` say whether it lies at an end of the tree.
    fn insert(&mut self, key: K, leftmost: bool, rightmost: bool, bytes: &mut usize) -> Insertion<K> {
        match self {
            Node::Leaf(keys) => insert_into_leaf(keys, key, leftmost, rightmost, bytes),
            Node::Inner(inner) => inner.insert(key, leftmost, rightmost, bytes),
        }
    }

    fn remove(&mut self, key: &K, bytes: &mut usize) -> bool {
        match self {
            Node::Leaf(keys) => {
                let Ok(at) = keys.binary_search(key) else { return false };
                keys.remove(at);
                release(keys, bytes);
                true
            }
            Node::Inner(inner) => inner.remove(key, bytes),
        }
    }

    /// Replaces below this node; `upper` is the first key behind it.
    fn replace(&mut self, old: &K, new: K, upper: Option<K>, leftmost: bool) -> Replacement {
        match self {
            Node::Leaf(keys) => {
                let Ok(at) = keys.binary_search(old) else { return Replacement::Absent };
                // What is before the first key of a leaf is not known here, but greater than the old key is enough.
                let above = match at.checked_sub(1) {
                    Some(previous) => keys[previous] < new,
                    None => leftmost || *old <= new,
                };
                if above && keys.get(at + 1).copied().or(upper).is_none_or(|next| new < next) {
                    keys[at] = new;
                    return Replacement::Done;
                }
                Replacement::Elsewhere
            }
            Node::Inner(inner) => {
                let index = inner.firsts.partition_point(|first| first <= old).saturating_sub(1);
                let upper = inner.firsts.get(index + 1).copied().or(upper);
                let result = inner.children[index].replace(old, new, upper, leftmost && index == 0);
                if matches!(result, Replacement::Done) {
                    inner.firsts[index] = inner.children[index].first();
                }
                result
            }
        }
    }

    fn remove_range(&mut self, start: usize, end: usize, bytes: &mut usize, visit: &mut impl FnMut(K)) {
        match self {
            Node::Leaf(keys) => {
                keys.drain(start..end).for_each(visit);
                release(keys, bytes);
            }
            Node::Inner(inner) => inner.remove_range(start, end, bytes, visit),
        }
    }

    /// Shows all keys of a node that is going away, and takes its bytes off the books.
    fn dissolve(self, bytes: &mut usize, visit: &mut impl FnMut(K)) {
        match self {
            Node::Leaf(keys) => {
                *bytes -= keys.capacity() * size_of::<K>();
                keys.into_iter().for_each(visit);
            }
            Node::Inner(inner) => {
                *bytes -= inner.own_bytes();
                for child in inner.children {
                    child.dissolve(bytes, visit);
                }
            }
        }
    }

    /// Refills the nodes on both sides of a rank where keys have been cut out.
    fn repair(&mut self, rank: usize, bytes: &mut usize) {
        let Node::Inner(inner) = self else { return };
        for side in [rank.checked_sub(1), Some(rank)].into_iter().flatten() {
            if side < sum(&inner.counts) {
                let (index, _) = inner.child_of(side);
                inner.rebalance(index, bytes);
            }
        }
        let len = sum(&inner.counts);
        let right = (rank < len).then(|| inner.child_of(rank));
        if let Some((index, offset)) = right {
            inner.children[index].repair(offset, bytes);
        }
        // When the cut lies between two children, the left one has a side of its own to mend.
        if let Some(left) = rank.checked_sub(1).filter(|_| right.is_none_or(|(_, offset)| offset == 0)) {
            let (index, offset) = inner.child_of(left);
            inner.children[index].repair(offset + 1, bytes);
        }
    }
}

fn insert_into_leaf<K: Copy + Ord>(
    keys: &mut Vec<K>,
    key: K,
    leftmost: bool,
    rightmost: bool,
    bytes: &mut usize,
) -> Insertion<K> {
    let at = match keys.last() {
        Some(last) if *last < key => keys.len(),
        _ => match keys.binary_search(&key) {
            Ok(_) => return Insertion::Present,
            Err(at) => at,
        },
    };
    if keys.len() < MAX {
        reserve(keys, 1, bytes);
        keys.insert(at, key);
        return Insertion::Done;
    }
    let mut right = Vec::new();
    if at == MAX && rightmost {
        reserve(&mut right, 1, bytes);
        right.push(key);
        return Insertion::Split(Node::Leaf(right));
    }
    if at == 0 && leftmost {
        reserve(&mut right, 1, bytes);
        right.push(key);
        std::mem::swap(keys, &mut right);
        return Insertion::Split(Node::Leaf(right));
    }
    reserve(&mut right, MAX / 2 + 1, bytes);
    right.extend_from_slice(&keys[MAX / 2..]);
    keys.truncate(MAX / 2);
    release(keys, bytes);
    if at <= MAX / 2 {
        reserve(keys, 1, bytes);
        keys.insert(at, key);
    } else {
        right.insert(at - MAX / 2, key);
    }
    Insertion::Split(Node::Leaf(right))
}

impl<K: Copy + Ord> Inner<K> {
    fn of(nodes: impl Iterator<Item = Node<K>>) -> Self {
        let children: Vec<Node<K>> = nodes.collect();
        Inner {
            firsts: children.iter().map(Node::first).collect(),
            counts: children.iter().map(Node::count).collect(),
            children,
        }
    }

    /// Bytes on the heap of this node, without its children's.
    fn own_bytes(&self) -> usize {
        size_of::<Self>()
            + self.firsts.capacity() * size_of::<K>()
            + self.counts.capacity() * size_of::<usize>()
            + self.children.capacity() * size_of::<Node<K>>()
    }

    /// The child that holds a rank, and the rank in it; the last child for ranks beyond.
    #[inline]
    fn child_of(&self, rank: usize) -> (usize, usize) {
        let mut rank = rank;
        for (index, count) in self.counts.iter().enumerate() {
            if rank < *count {
                return (index, rank);
            }
            rank -= count;
        }
        let last = self.counts.len() - 1;
        (last, self.counts[last] + rank)
    }

    /// Reads again what is known of a child.
    fn refresh(&mut self, index: usize) {
        self.firsts[index] = self.children[index].first();
        self.counts[index] = self.children[index].count();
    }

    fn insert(&mut self, key: K, leftmost: bool, rightmost: bool, bytes: &mut usize) -> Insertion<K> {
        let index = self.firsts.partition_point(|first| *first <= key).saturating_sub(1);
        let last = self.children.len() - 1;
        match self.children[index].insert(key, leftmost && index == 0, rightmost && index == last, bytes) {
            Insertion::Present => Insertion::Present,
            Insertion::Done => {
                self.counts[index] += 1;
                if key < self.firsts[index] {
                    self.firsts[index] = key;
                }
                Insertion::Done
            }
            Insertion::Split(node) => {
                self.refresh(index);
                self.insert_child(index + 1, node, leftmost, rightmost, bytes)
            }
        }
    }

    fn insert_child(
        &mut self,
        at: usize,
        child: Node<K>,
        leftmost: bool,
        rightmost: bool,
        bytes: &mut usize,
    ) -> Insertion<K> {
        let before = self.own_bytes();
        if self.children.len() < MAX {
            self.put_child(at, child);
            *bytes = *bytes + self.own_bytes() - before;
            return Insertion::Done;
        }
        // Where keys arrive in order, the node that stays behind stays full.
        let split = match at {
            MAX if rightmost => MAX,
            1 if leftmost => 1,
            _ => MAX / 2,
        };
        let mut right = self.split_off(split);
        if at < split || (at == split && split != MAX) {
            self.put_child(at, child);
        } else {
            right.put_child(at - split, child);
        }
        *bytes = *bytes + self.own_bytes() + right.own_bytes() - before;
        Insertion::Split(Node::Inner(Box::new(right)))
    }

    fn put_child(&mut self, at: usize, child: Node<K>) {
        if self.children.len() == self.children.capacity() {
            let more = self.children.len().clamp(4, MAX / 4);
            self.firsts.reserve_exact(more);
            self.counts.reserve_exact(more);
            self.children.reserve_exact(more);
        }
        self.firsts.insert(at, child.first());
        self.counts.insert(at, child.count());
        self.children.insert(at, child);
    }

    fn split_off(&mut self, at: usize) -> Self {
        Inner {
            firsts: self.firsts.split_off(at),
            counts: self.counts.split_off(at),
            children: self.children.split_off(at),
        }
    }

    fn append(&mut self, other: &mut Self) {
        let len = self.children.len();
        let more = (len + other.children.len()).next_multiple_of(STEP) - len;
        self.firsts.reserve_exact(more);
        self.counts.reserve_exact(more);
        self.children.reserve_exact(more);
        self.firsts.append(&mut other.firsts);
        self.counts.append(&mut other.counts);
        self.children.append(&mut other.children);
    }

    fn remove(&mut self, key: &K, bytes: &mut usize) -> bool {
        let Some(index) = self.firsts.partition_point(|first| first <= key).checked_sub(1) else { return false };
        if !self.children[index].remove(key, bytes) {
            return false;
        }
        self.counts[index] -= 1;
        if self.counts[index] == 0 {
            self.remove_children(index..index + 1, bytes, &mut |_| ());
            return true;
        }
        self.firsts[index] = self.children[index].first();
        self.rebalance(index, bytes);
        true
    }

    fn remove_children(&mut self, range: Range<usize>, bytes: &mut usize, visit: &mut impl FnMut(K)) {
        self.firsts.drain(range.clone());
        self.counts.drain(range.clone());
        for child in self.children.drain(range) {
            child.dissolve(bytes, visit);
        }
    }

    fn remove_range(&mut self, start: usize, end: usize, bytes: &mut usize, visit: &mut impl FnMut(K)) {
        let (mut index, offset) = self.child_of(start);
        let mut left = end - start;
        if offset > 0 {
            let here = left.min(self.counts[index] - offset);
            self.children[index].remove_range(offset, offset + here, bytes, visit);
            self.counts[index] -= here;
            left -= here;
            index += 1;
        }
        let mut whole = index;
        while whole < self.counts.len() && left > 0 && self.counts[whole] <= left {
            left -= self.counts[whole];
            whole += 1;
        }
        self.remove_children(index..whole, bytes, visit);
        if left > 0 {
            self.children[index].remove_range(0, left, bytes, visit);
            self.refresh(index);
        }
    }

    /// Lets a child that has become small join a neighbour, or share with it. Nothing happens to an only child.
    fn rebalance(&mut self, index: usize, bytes: &mut usize) {
        if self.children[index].fill() >= MIN || self.children.len() < 2 {
            return;
        }
        let left = index.saturating_sub(1);
        let [one, two] = &mut self.children[left..left + 2] else { return };
        let joins = one.fill() + two.fill() <= JOINED;
        match (one, two) {
            (Node::Leaf(one), Node::Leaf(two)) if joins => {
                reserve(one, two.len(), bytes);
                one.append(two);
            }
            (Node::Leaf(one), Node::Leaf(two)) => {
                let half = (one.len() + two.len()) / 2;
                if one.len() < half {
                    let more = half - one.len();
                    reserve(one, more, bytes);
                    one.extend(two.drain(..more));
                } else {
                    let more = one.len() - half;
                    reserve(two, more, bytes);
                    two.splice(..0, one.drain(half..));
                }
                release(one, bytes);
                release(two, bytes);
            }
            (Node::Inner(one), Node::Inner(two)) => {
                let before = one.own_bytes() + two.own_bytes();
                if joins {
                    one.append(two);
                } else {
                    let half = (one.children.len() + two.children.len()) / 2;
                    if one.children.len() < half {
                        let rest = two.split_off(half - one.children.len());
                        one.append(two);
                        **two = rest;
                    } else {
                        let mut moved = one.split_off(half);
                        moved.append(two);
                        **two = moved;
                    }
                }
                *bytes = *bytes + one.own_bytes() + two.own_bytes() - before;
            }
            // All children of a node are of one kind.
            _ => return,
        }
        if joins {
            // What is left of the right one is empty by now.
            self.remove_children(left + 1..left + 2, bytes, &mut |_| ());
        } else {
            self.refresh(left + 1);
        }
        self.refresh(left);
    }
}

/// Room for `more` keys in a leaf, in steps.
#[inline]
fn reserve<K>(keys: &mut Vec<K>, more: usize, bytes: &mut usize) {
    let needed = keys.len() + more;
    if needed > keys.capacity() {
        let before = keys.capacity();
        keys.reserve_exact(needed.next_multiple_of(STEP) - keys.len());
        *bytes += (keys.capacity() - before) * size_of::<K>();
    }
}

/// Gives back room that a leaf no longer needs.
#[inline]
fn release<K>(keys: &mut Vec<K>, bytes: &mut usize) {
    if keys.capacity() >= keys.len() + 3 * STEP {
        let before = keys.capacity();
        keys.shrink_to((keys.len() + STEP).next_multiple_of(STEP));
        *bytes -= (before - keys.capacity()) * size_of::<K>();
    }
}

/// The sum, without the overflow checks that would keep it from being vectorised: counts of keys in memory fit.
#[inline(always)]
fn sum(counts: &[usize]) -> usize {
    counts.iter().fold(0, |sum, count| sum.wrapping_add(*count))
}

/// Cuts `len` things into as few equal portions as hold at most `BUILT` each.
fn portions(len: usize) -> impl Iterator<Item = Range<usize>> {
    let count = len.div_ceil(BUILT);
    (0..count).map(move |index| index * len / count..(index + 1) * len / count)
}

#[cfg(test)]
mod tests {
    use super::{Inner, MAX, Node, Tree};
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy;
    use std::collections::BTreeSet;

    /// Checks what every node promises, and returns the height, the keys and the bytes below it.
    fn check(node: &Node<u32>, is_root: bool) -> (usize, usize, usize) {
        match node {
            Node::Leaf(keys) => {
                assert!(keys.len() <= MAX && (is_root || !keys.is_empty()) && keys.is_sorted_by(|a, b| a < b));
                (0, keys.len(), keys.capacity() * size_of::<u32>())
            }
            Node::Inner(inner) => {
                let Inner { firsts, counts, children } = &**inner;
                assert!(children.len() <= MAX && children.len() == firsts.len() && children.len() == counts.len());
                assert!(!children.is_empty() && (!is_root || children.len() > 1));
                let (mut heights, mut len, mut bytes) = (BTreeSet::new(), 0, inner.own_bytes());
                for (index, child) in children.iter().enumerate() {
                    let (height, keys, below) = check(child, false);
                    assert_eq!((child.first(), keys), (firsts[index], counts[index]));
                    heights.insert(height);
                    len += keys;
                    bytes += below;
                }
                assert_eq!(heights.len(), 1, "all leaves lie equally deep");
                (heights.into_iter().sum::<usize>() + 1, len, bytes)
            }
        }
    }

    fn verify(tree: &Tree<u32>) -> usize {
        let (height, len, bytes) = check(&tree.root, true);
        assert_eq!((len, bytes), (tree.len(), tree.heap_bytes()));
        assert!(tree.iter().is_sorted_by(|a, b| a < b));
        height
    }

    #[test]
    fn keys_in_order_fill_the_leaves() {
        let count = if cfg!(miri) { 500 } else { 100_000u32 };
        let (mut up, mut down) = (Tree::new(), Tree::new());
        for key in 0..count {
            up.insert(key);
            down.insert(count - 1 - key);
        }
        for tree in [&up, &down] {
            verify(tree);
            assert!(tree.heap_bytes() < 6 * count as usize, "{} bytes", tree.heap_bytes());
            assert!(tree.iter().copied().eq(0..count));
        }
        assert_eq!(verify(&Tree::from_sorted(&(0..count).collect::<Vec<_>>())), verify(&up));
    }

    #[test]
    fn shrinks_back_to_nothing() {
        let count = if cfg!(miri) { 400 } else { 30_000u32 };
        let mut tree = Tree::new();
        for key in 0..count {
            tree.insert(key.wrapping_mul(2_654_435_761));
        }
        verify(&tree);
        for key in 0..count {
            assert!(tree.remove(&key.wrapping_mul(2_654_435_761)));
            if key % 1000 == 0 {
                verify(&tree);
            }
        }
        assert_eq!((tree.len(), verify(&tree)), (0, 0));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u32),
        InsertRun(u32, u32),
        Remove(u32),
        RemoveRange(prop::sample::Index, prop::sample::Index),
        Replace(prop::sample::Index, u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u32..4000).prop_map(Step::Insert),
            4 => (0u32..4000, 1u32..300).prop_map(|(from, count)| Step::InsertRun(from, count)),
            4 => (0u32..4000).prop_map(Step::Remove),
            1 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(from, to)| Step::RemoveRange(from, to)),
            4 => (any::<prop::sample::Index>(), 0u32..4000).prop_map(|(at, key)| Step::Replace(at, key)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 400 }, failure_persistence: None, ..Default::default() })]

        #[test]
        fn behaves_like_a_sorted_set(steps in prop::collection::vec(step(), 0..80)) {
            let (mut tree, mut model) = (Tree::new(), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Insert(key) => prop_assert_eq!(tree.insert(key), model.insert(key)),
                    Step::InsertRun(from, count) => for key in from..from + count {
                        prop_assert_eq!(tree.insert(key), model.insert(key));
                    },
                    Step::Remove(key) => prop_assert_eq!(tree.remove(&key), model.remove(&key)),
                    Step::RemoveRange(from, to) => {
                        let (from, to) = (from.index(model.len() + 1), to.index(model.len() + 1));
                        let gone: Vec<u32> = model.iter().copied().take(to).skip(from).collect();
                        let mut seen = Vec::new();
                        tree.remove_range(from..to, |key| seen.push(key));
                        prop_assert_eq!(&seen, &gone);
                        gone.iter().for_each(|key| { model.remove(key); });
                    }
                    Step::Replace(at, new) => {
                        let old = model.iter().nth(at.index(model.len().max(1))).copied();
                        if let Some(old) = old.filter(|old| *old == new || !model.contains(&new)) {
                            prop_assert!(tree.replace(&old, new));
                            model.remove(&old);
                            model.insert(new);
                        }
                    }
                }
                verify(&tree);
            }
            prop_assert!(tree.iter().eq(model.iter()) && tree.iter().rev().eq(model.iter().rev()));
            for (rank, key) in model.iter().enumerate() {
                prop_assert_eq!(tree.get(rank), Some(key));
                prop_assert_eq!(tree.rank(key), Some(rank));
                prop_assert_eq!(tree.partition_point(|other| other < key), rank);
                prop_assert_eq!(tree.partition_point(|other| other <= key), rank + 1);
            }
            prop_assert!(tree.get(model.len()).is_none() && tree.rank(&5000).is_none());
            let middle = model.len() / 3..model.len() / 2;
            prop_assert!(tree.range(middle.clone()).eq(model.iter().take(middle.end).skip(middle.start)));
            let (mut ends, mut taken) = (tree.iter(), 0);
            while if taken % 3 == 0 { ends.next_back() } else { ends.next() }.is_some() {
                taken += 1;
            }
            prop_assert_eq!(taken, model.len());
            let keys: Vec<u32> = model.into_iter().collect();
            verify(&Tree::from_sorted(&keys));
            prop_assert!(Tree::from_sorted(&keys).iter().eq(keys.iter()));
        }
    }
}
