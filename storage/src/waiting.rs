//! Who waits for which key, in the order in which they came; knows neither commands nor clients.

use foldhash::fast::RandomState;
use smallvec::SmallVec;
use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What a waiter hopes to find under its key. Those who hope for the same stand in one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hope {
    /// An element to take from a list.
    List,
    /// An element to take from a sorted set.
    SortedSet,
    /// New entries of a stream, which all readers get.
    Entries,
    /// New entries of a stream for this consumer group, which one of its readers gets.
    Group(Box<[u8]>),
}

/// Someone who waits. Whether he still does is his own business: a line may hold some who have gone.
pub trait Waiter: Any + Send + Sync {
    /// Whether he has neither been served nor given up.
    fn is_waiting(&self) -> bool;
}

/// Those who hope for the same, first come first.
struct Line {
    hope: Hope,
    waiters: VecDeque<Arc<dyn Waiter>>,
}

/// The lines before one key; nearly always one.
#[derive(Default)]
struct Queue {
    lines: SmallVec<[Line; 1]>,
    /// The key is in the list of those that have changed.
    is_ready: bool,
}

/// Those who wait for keys of one database in one shard.
#[derive(Default)]
pub struct Waiting {
    keys: HashMap<Box<[u8]>, Queue, RandomState>,
}

impl Waiting {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Number of keys that somebody waits for.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Number of keys before which a group's readers stand.
    pub fn by_groups(&self) -> usize {
        let has_group = |queue: &&Queue| queue.lines.iter().any(|line| matches!(line.hope, Hope::Group(_)));
        self.keys.values().filter(has_group).count()
    }

    /// The keys that somebody waits for.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.keys().map(|key| &**key)
    }

    /// Puts a waiter at the end of his line.
    pub fn add(&mut self, key: &[u8], hope: &Hope, waiter: Arc<dyn Waiter>) {
        let queue = match self.keys.get_mut(key) {
            Some(queue) => queue,
            None => self.keys.entry(key.into()).or_default(),
        };
        match queue.lines.iter_mut().find(|line| line.hope == *hope) {
            Some(line) => line.waiters.push_back(waiter),
            None => queue.lines.push(Line { hope: hope.clone(), waiters: VecDeque::from([waiter]) }),
        }
    }

    /// Takes a waiter out of his line, wherever he stands; returns whether he was there.
    pub fn remove(&mut self, key: &[u8], hope: &Hope, waiter: &Arc<dyn Waiter>) -> bool {
        let Some(queue) = self.keys.get_mut(key) else { return false };
        let Some(line) = queue.lines.iter_mut().find(|line| line.hope == *hope) else { return false };
        let Some(at) = line.waiters.iter().position(|other| Arc::ptr_eq(other, waiter)) else { return false };
        line.waiters.remove(at);
        self.tidy(key);
        true
    }

    /// Notes that a key has changed; returns whether somebody waits for it and it was not noted before.
    pub fn note_change(&mut self, key: &[u8]) -> bool {
        self.keys.get_mut(key).is_some_and(|queue| !std::mem::replace(&mut queue.is_ready, true))
    }

    /// From now on a change of this key is news again.
    pub fn forget_change(&mut self, key: &[u8]) {
        if let Some(queue) = self.keys.get_mut(key) {
            queue.is_ready = false;
        }
    }

    /// What those who wait for a key hope for.
    pub fn hopes(&self, key: &[u8]) -> SmallVec<[Hope; 1]> {
        self.keys.get(key).map(|queue| queue.lines.iter().map(|line| line.hope.clone()).collect()).unwrap_or_default()
    }

    /// The first in a line; those before him who wait no more are dropped.
    pub fn first(&mut self, key: &[u8], hope: &Hope) -> Option<Arc<dyn Waiter>> {
        let line = self.keys.get_mut(key)?.lines.iter_mut().find(|line| line.hope == *hope)?;
        while let Some(first) = line.waiters.front() {
            if first.is_waiting() {
                return Some(first.clone());
            }
            line.waiters.pop_front();
        }
        self.tidy(key);
        None
    }

    /// All who stand in a line, in order.
    pub fn all(&self, key: &[u8], hope: &Hope) -> Vec<Arc<dyn Waiter>> {
        let line = self.keys.get(key).and_then(|queue| queue.lines.iter().find(|line| line.hope == *hope));
        line.map(|line| line.waiters.iter().cloned().collect()).unwrap_or_default()
    }

    /// Drops those who wait no more from a line.
    pub fn prune(&mut self, key: &[u8], hope: &Hope) {
        let Some(queue) = self.keys.get_mut(key) else { return };
        if let Some(line) = queue.lines.iter_mut().find(|line| line.hope == *hope) {
            line.waiters.retain(|waiter| waiter.is_waiting());
        }
        self.tidy(key);
    }

    /// Drops empty lines, and the key with its last line.
    fn tidy(&mut self, key: &[u8]) {
        if let Some(queue) = self.keys.get_mut(key) {
            queue.lines.retain(|line| !line.waiters.is_empty());
            if queue.lines.is_empty() {
                self.keys.remove(key);
                if self.keys.is_empty() {
                    // Ten thousand who once waited must not leave their room behind.
                    self.keys.shrink_to_fit();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Somebody(AtomicBool);

    impl Waiter for Somebody {
        fn is_waiting(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn somebody() -> (Arc<Somebody>, Arc<dyn Waiter>) {
        let somebody = Arc::new(Somebody(AtomicBool::new(true)));
        (somebody.clone(), somebody)
    }

    #[test]
    fn lines_keep_their_order_and_forget_who_has_gone() {
        let mut waiting = Waiting::default();
        let ((first, a), (_, b), (_, c)) = (somebody(), somebody(), somebody());
        let group = Hope::Group(b"g".as_slice().into());
        waiting.add(b"key", &Hope::List, a.clone());
        waiting.add(b"key", &Hope::List, b.clone());
        waiting.add(b"key", &group, c.clone());
        assert!(waiting.first(b"key", &Hope::List).is_some_and(|found| Arc::ptr_eq(&found, &a)));
        first.0.store(false, Ordering::Relaxed);
        assert!(waiting.first(b"key", &Hope::List).is_some_and(|found| Arc::ptr_eq(&found, &b)));
        assert!(waiting.first(b"key", &Hope::SortedSet).is_none() && waiting.first(b"other", &Hope::List).is_none());
        assert_eq!(waiting.hopes(b"key").as_slice(), [Hope::List, group.clone()]);
        assert!(waiting.remove(b"key", &Hope::List, &b) && !waiting.remove(b"key", &Hope::List, &b));
        assert_eq!(waiting.hopes(b"key").as_slice(), std::slice::from_ref(&group));
        assert!(waiting.remove(b"key", &group, &c) && waiting.is_empty());
    }

    #[test]
    fn a_change_is_news_once() {
        let mut waiting = Waiting::default();
        assert!(!waiting.note_change(b"key"));
        waiting.add(b"key", &Hope::Entries, somebody().1);
        assert!(waiting.note_change(b"key") && !waiting.note_change(b"key"));
        waiting.forget_change(b"key");
        assert!(waiting.note_change(b"key"));
    }
}
