//! The sequence of listpack nodes behind long lists: where nodes are split, filled and merged; no encodings of lists.

use super::{NodeLimit, Side, remove_equal};
use crate::listpack::{Listpack, Position};
use crate::types::members::length;
use crate::types::{Item, Limits};
use std::collections::{VecDeque, vec_deque};
use std::ops::Range;

/// What a node's size is said to grow by beyond an element's own bytes, when it is asked whether the element fits.
const ENTRY_OVERHEAD: usize = 8;
/// Header and end, of which two merged listpacks need only one.
const FRAME: usize = 7;

/// A part of a list: a listpack, or one large element by itself.
#[derive(Clone, Debug)]
pub struct Node {
    /// Kept here so that skipping a node does not touch its listpack.
    len: u32,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Packed(Listpack),
    Plain(Box<[u8]>),
}

impl From<Listpack> for Node {
    fn from(listpack: Listpack) -> Self {
        Node { len: u32::try_from(listpack.len()).unwrap_or(u32::MAX), content: Content::Packed(listpack) }
    }
}

impl Node {
    /// A node of one element alone.
    pub fn plain(element: &[u8]) -> Self {
        // The length is checked here once, so that no reader has to.
        length(element);
        Node { len: 1, content: Content::Plain(element.into()) }
    }

    /// The listpack of a packed node.
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match &self.content {
            Content::Packed(listpack) => Some(listpack),
            Content::Plain(_) => None,
        }
    }

    /// The element of a plain node.
    pub fn as_plain(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Packed(_) => None,
            Content::Plain(element) => Some(element),
        }
    }

    /// Number of elements.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "a list holds no empty nodes")]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Bytes of the listpack, or of the element.
    pub(super) fn byte_len(&self) -> usize {
        match &self.content {
            Content::Packed(listpack) => listpack.byte_len(),
            Content::Plain(element) => element.len(),
        }
    }

    /// The element at an offset within the node.
    pub(super) fn item_at(&self, offset: usize) -> Option<Item<'_>> {
        match &self.content {
            Content::Packed(listpack) => listpack.get(listpack.seek(offset as i64)?),
            Content::Plain(element) => (offset == 0).then_some(Item::Bytes(element)),
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.content {
            Content::Packed(listpack) => listpack.heap_bytes(),
            Content::Plain(element) => element.len(),
        }
    }

    fn of_one(value: &[u8], limits: &Limits) -> Self {
        if NodeLimit::is_large(limits, value.len()) {
            return Node::plain(value);
        }
        let mut listpack = Listpack::new();
        listpack.push_back(value);
        listpack.into()
    }

    fn find(&self, value: &[u8]) -> Option<Position> {
        match &self.content {
            Content::Packed(listpack) => listpack.find(listpack.start(), value, 0),
            Content::Plain(element) => (**element == *value).then_some(Position::FIRST),
        }
    }

    /// Whether the element at `at` is the outermost of the node on this side.
    fn is_outermost(&self, side: Side, at: Position) -> bool {
        match (&self.content, side) {
            (Content::Plain(_), _) => true,
            (Content::Packed(_), Side::Front) => at == Position::FIRST,
            (Content::Packed(listpack), Side::Back) => listpack.next(at) == listpack.end(),
        }
    }

    /// The listpack, if the node may take one more element of this length.
    fn room_for(&self, len: usize, limits: &Limits) -> bool {
        let Content::Packed(listpack) = &self.content else { return false };
        let bytes = listpack.byte_len() + len + ENTRY_OVERHEAD;
        !NodeLimit::is_large(limits, len) && !NodeLimit::of(limits).excludes(bytes, self.len() + 1)
    }

    /// Whether the node may become one with `other`.
    fn may_join(&self, other: &Node, limits: &Limits) -> bool {
        let (Content::Packed(one), Content::Packed(two)) = (&self.content, &other.content) else { return false };
        !NodeLimit::of(limits).excludes(one.byte_len() + two.byte_len() - FRAME, self.len() + other.len())
    }
}

/// Nodes, none of them empty.
#[derive(Clone, Default)]
pub(super) struct Quicklist {
    nodes: VecDeque<Node>,
    len: usize,
    node_bytes: usize,
}

impl FromIterator<Node> for Quicklist {
    fn from_iter<I: IntoIterator<Item = Node>>(nodes: I) -> Self {
        let mut quicklist = Quicklist::default();
        for node in nodes {
            if node.len() > 0 {
                quicklist.insert_node(quicklist.nodes.len(), node);
            }
        }
        quicklist
    }
}

impl Quicklist {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    pub(super) fn range(&self, range: Range<usize>) -> vec_deque::Iter<'_, Node> {
        self.nodes.range(range)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.node_bytes
    }

    /// The node of a position from the front, and the offset in it. O(nodes) from the nearer end, 32 bytes each.
    pub(super) fn locate(&self, position: usize) -> Option<(usize, usize)> {
        if position >= self.len {
            return None;
        }
        if position <= self.len / 2 {
            let mut before = 0;
            for (index, node) in self.nodes.iter().enumerate() {
                if position < before + node.len() {
                    return Some((index, position - before));
                }
                before += node.len();
            }
            return None;
        }
        let mut before = self.len;
        for (index, node) in self.nodes.iter().enumerate().rev() {
            before -= node.len();
            if position >= before {
                return Some((index, position - before));
            }
        }
        None
    }

    /// The first element equal to `value`.
    pub(super) fn find(&self, value: &[u8]) -> Option<(usize, Position)> {
        self.nodes.iter().enumerate().find_map(|(index, node)| Some((index, node.find(value)?)))
    }

    pub(super) fn push(&mut self, side: Side, value: &[u8], limits: &Limits) {
        let (outermost, new) = match side {
            Side::Front => (0, 0),
            Side::Back => (self.nodes.len().saturating_sub(1), self.nodes.len()),
        };
        if self.nodes.get(outermost).is_some_and(|node| node.room_for(value.len(), limits)) {
            self.push_into(outermost, side, value);
        } else {
            // The node that was outermost is full: it will not need the room that growing has reserved.
            if outermost < self.nodes.len() {
                self.edit(outermost, Listpack::shrink_to_fit);
            }
            self.insert_node(new, Node::of_one(value, limits));
        }
    }

    pub(super) fn pop<R>(&mut self, side: Side, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let index = match side {
            Side::Front => 0,
            Side::Back => self.nodes.len().checked_sub(1)?,
        };
        let node = self.nodes.get(index)?;
        let result = match &node.content {
            Content::Plain(element) => read(Item::Bytes(element)),
            Content::Packed(listpack) => {
                let at = match side {
                    Side::Front => listpack.start(),
                    Side::Back => listpack.previous(listpack.end())?,
                };
                let result = read(listpack.get(at)?);
                if node.len() > 1 {
                    self.edit(index, |listpack| listpack.remove(at, 1));
                    return Some(result);
                }
                result
            }
        };
        self.remove_node(index);
        Some(result)
    }

    /// Inserts next to the element at `at` of a node.
    pub(super) fn insert(&mut self, node: usize, at: Position, side: Side, value: &[u8], limits: &Limits) {
        let Some(here) = self.nodes.get(node) else { return };
        // The place between the nodes, if the value comes between two of them.
        let between = if side == Side::Front { node } else { node + 1 };
        let outermost = here.is_outermost(side, at);
        if here.room_for(value.len(), limits) {
            self.edit(node, |listpack| {
                let at = if side == Side::Front { at } else { listpack.next(at) };
                listpack.insert(at, value);
            });
            return;
        }
        if !outermost {
            self.split(node, at, side);
            let new = Node::of_one(value, limits);
            let is_plain = new.as_plain().is_some();
            self.insert_node(node + 1, new);
            if is_plain {
                self.merge_around(node + 1, limits);
                return;
            }
            // The value joins the half that does not hold its neighbour, however full; merging is for what remains.
            let (first, center) = if side == Side::Front { (node, node + 1) } else { (node + 1, node) };
            self.join(first);
            self.merge_around(center, limits);
            return;
        }
        let neighbour = if side == Side::Front { node.checked_sub(1) } else { Some(node + 1) };
        let opposite = if side == Side::Front { Side::Back } else { Side::Front };
        match neighbour.filter(|index| self.nodes.get(*index).is_some_and(|node| node.room_for(value.len(), limits))) {
            Some(index) => self.push_into(index, opposite, value),
            None => self.insert_node(between, Node::of_one(value, limits)),
        }
    }

    /// Replaces the element at a position from the front, which must exist.
    pub(super) fn replace(&mut self, position: usize, value: &[u8], limits: &Limits) {
        let Some((node, offset)) = self.locate(position) else { return };
        let here = &self.nodes[node];
        let Some(listpack) = here.as_listpack() else {
            let large = NodeLimit::is_large(limits, value.len());
            if !large {
                self.insert(node, Position::FIRST, Side::Back, value, limits);
            }
            self.remove_node(node);
            if large {
                self.insert_node(node, Node::plain(value));
            }
            return;
        };
        let Some(at) = listpack.seek(offset as i64) else { return };
        if here.room_for(value.len(), limits) {
            self.edit(node, |listpack| listpack.replace(at, value));
            return;
        }
        if !here.is_outermost(Side::Back, at) {
            self.split(node, at, Side::Back);
        }
        self.insert_node(node + 1, Node::of_one(value, limits));
        if self.nodes[node].len() == 1 {
            self.remove_node(node);
        } else {
            self.edit(node, |listpack| listpack.remove(at, 1));
            self.merge_around(node + 1, limits);
        }
    }

    /// Removes `count` elements from a position on.
    pub(super) fn remove_range(&mut self, start: usize, count: usize) {
        let Some((mut node, offset)) = self.locate(start) else { return };
        let mut left = count.min(self.len - start);
        if offset > 0 {
            left -= self.remove_from(node, offset, left);
            node += 1;
        }
        let mut whole = 0;
        while let Some(here) = self.nodes.get(node + whole).filter(|here| left > 0 && here.len() <= left) {
            left -= here.len();
            self.len -= here.len();
            self.node_bytes -= here.heap_bytes();
            whole += 1;
        }
        self.nodes.drain(node..node + whole);
        self.release();
        if left > 0 {
            self.remove_from(node, 0, left);
        }
    }

    /// Removes up to `most` elements equal to `value`, beginning at one end.
    pub(super) fn remove_equal(&mut self, side: Side, most: usize, value: &[u8]) -> usize {
        let (mut removed, count) = (0, self.nodes.len());
        for step in 0..count {
            if removed == most {
                break;
            }
            let index = if side == Side::Front { step } else { count - 1 - step };
            let before = self.nodes[index].heap_bytes();
            let node = &mut self.nodes[index];
            let gone = match &mut node.content {
                Content::Packed(listpack) => remove_equal(listpack, side, most - removed, value),
                Content::Plain(element) => usize::from(**element == *value),
            };
            // A plain node keeps its bytes until it is thrown away below.
            node.len -= gone as u32;
            self.node_bytes = self.node_bytes - before + node.heap_bytes();
            removed += gone;
        }
        self.len -= removed;
        if removed > 0 {
            let mut freed = 0;
            self.nodes.retain(|node| {
                freed += if node.len() == 0 { node.heap_bytes() } else { 0 };
                node.len() > 0
            });
            self.node_bytes -= freed;
            self.release();
        }
        removed
    }

    /// The listpack of the only node, if `fits` agrees; an empty one if there is no node.
    pub(super) fn take_single(&mut self, fits: impl FnOnce(&Node) -> bool) -> Option<Listpack> {
        if self.nodes.len() > 1 {
            return None;
        }
        let Some(node) = self.nodes.front() else { return Some(Listpack::new()) };
        if node.as_plain().is_some() || !fits(node) {
            return None;
        }
        match std::mem::take(self).nodes.pop_front()?.content {
            Content::Packed(listpack) => Some(listpack),
            Content::Plain(_) => None,
        }
    }

    /// Changes a packed node and keeps the books; a plain node stays as it is.
    fn edit<R>(&mut self, index: usize, change: impl FnOnce(&mut Listpack) -> R) {
        let node = &mut self.nodes[index];
        let Content::Packed(listpack) = &mut node.content else { return };
        let (len, bytes) = (node.len as usize, listpack.heap_bytes());
        change(listpack);
        let new_len = listpack.len();
        node.len = u32::try_from(new_len).unwrap_or(u32::MAX);
        self.len = self.len - len + new_len;
        self.node_bytes = self.node_bytes - bytes + listpack.heap_bytes();
    }

    fn push_into(&mut self, index: usize, side: Side, value: &[u8]) {
        self.edit(index, |listpack| match side {
            Side::Front => listpack.push_front(value),
            Side::Back => listpack.push_back(value),
        });
    }

    fn insert_node(&mut self, index: usize, node: Node) {
        self.len += node.len();
        self.node_bytes += node.heap_bytes();
        self.nodes.insert(index, node);
    }

    fn remove_node(&mut self, index: usize) -> Option<Node> {
        let node = self.nodes.remove(index)?;
        self.len -= node.len();
        self.node_bytes -= node.heap_bytes();
        self.release();
        Some(node)
    }

    /// Gives room for nodes back when most of it is empty.
    fn release(&mut self) {
        if self.nodes.capacity() > 4 * self.nodes.len() + 8 {
            self.nodes.shrink_to(2 * self.nodes.len());
        }
    }

    /// Removes up to `count` elements of one node, not all of them, from an offset on; returns how many.
    fn remove_from(&mut self, index: usize, offset: usize, count: usize) -> usize {
        let mut removed = 0;
        self.edit(index, |listpack| {
            if let Some(at) = listpack.seek(offset as i64) {
                removed = listpack.remove(at, count);
            }
        });
        removed
    }

    /// Cuts a packed node in two beside the element at `at`; the second half becomes the next node.
    fn split(&mut self, index: usize, at: Position, side: Side) {
        let mut tail = Listpack::new();
        self.edit(index, |listpack| {
            let at = if side == Side::Front { at } else { listpack.next(at) };
            tail = listpack.split_off(at);
        });
        self.insert_node(index + 1, tail.into());
    }

    /// Appends the node behind `index` to it; both are packed.
    fn join(&mut self, index: usize) {
        if let Some(Node { content: Content::Packed(next), .. }) = self.remove_node(index + 1) {
            self.edit(index, |listpack| listpack.append(&next));
        }
    }

    fn try_join(&mut self, index: usize, limits: &Limits) -> bool {
        let (Some(one), Some(two)) = (self.nodes.get(index), self.nodes.get(index + 1)) else { return false };
        let may_join = one.may_join(two, limits);
        if may_join {
            self.join(index);
        }
        may_join
    }

    /// Merges what fits around a node: the two before it, the two behind it, then the node with either side.
    fn merge_around(&mut self, center: usize, limits: &Limits) {
        let mut center = center;
        if center >= 2 && self.try_join(center - 2, limits) {
            center -= 1;
        }
        self.try_join(center + 1, limits);
        if center >= 1 && self.try_join(center - 1, limits) {
            center -= 1;
        }
        self.try_join(center, limits);
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.nodes.iter().all(|node| node.len() > 0));
        assert_eq!(self.len, self.nodes.iter().map(Node::len).sum::<usize>());
        assert_eq!(self.node_bytes, self.nodes.iter().map(Node::heap_bytes).sum::<usize>());
        for node in &self.nodes {
            assert_eq!(node.len(), node.as_listpack().map_or(1, Listpack::len));
        }
    }
}
