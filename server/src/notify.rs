//! Keyspace notifications: which classes of events there are, and how an event becomes messages. What happens to which
//! key, the commands say where they do it.

use crate::config::Settings;
use crate::context::Ctx;
use crate::engine::Engine;
use std::fmt;

/// Classes of keyspace events, as `notify-keyspace-events` names them by letters, and in which form they are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EventClasses(u16);

impl EventClasses {
    /// `K`: told on the channel of the key.
    pub(crate) const KEYSPACE: Self = Self(1);
    /// `E`: told on the channel of the event.
    pub(crate) const KEYEVENT: Self = Self(1 << 1);
    /// `g`: what can be done to any type, as by DEL, EXPIRE and RENAME.
    pub(crate) const GENERIC: Self = Self(1 << 2);
    /// `$`.
    pub(crate) const STRING: Self = Self(1 << 3);
    /// `l`.
    pub(crate) const LIST: Self = Self(1 << 4);
    /// `s`.
    pub(crate) const SET: Self = Self(1 << 5);
    /// `h`.
    pub(crate) const HASH: Self = Self(1 << 6);
    /// `z`.
    pub(crate) const SORTED_SET: Self = Self(1 << 7);
    /// `x`: a key's time was up.
    pub(crate) const EXPIRED: Self = Self(1 << 8);
    /// `e`: a key went because memory had run out.
    pub(crate) const EVICTED: Self = Self(1 << 9);
    /// `t`.
    pub(crate) const STREAM: Self = Self(1 << 10);
    /// `m`: a key that was to be read was not there.
    pub(crate) const KEY_MISS: Self = Self(1 << 11);
    /// `d`: types of modules, of which there are none here.
    pub(crate) const MODULE: Self = Self(1 << 12);
    /// `n`: a key came to be.
    pub(crate) const NEW: Self = Self(1 << 13);
    /// `A`: all but misses and new keys.
    const ALL: Self = Self(0x17fc);

    /// Letters in the order in which they are shown; the first eleven are left out where `A` says as much.
    const LETTERS: [(char, Self); 14] = [
        ('g', Self::GENERIC),
        ('$', Self::STRING),
        ('l', Self::LIST),
        ('s', Self::SET),
        ('h', Self::HASH),
        ('z', Self::SORTED_SET),
        ('x', Self::EXPIRED),
        ('e', Self::EVICTED),
        ('t', Self::STREAM),
        ('d', Self::MODULE),
        ('n', Self::NEW),
        ('K', Self::KEYSPACE),
        ('E', Self::KEYEVENT),
        ('m', Self::KEY_MISS),
    ];

    /// Reads letters in any order; `A` stands for many.
    ///
    /// # Errors
    /// A letter that names no class, in the words that CONFIG SET answers with.
    pub fn parse(letters: &str) -> Result<Self, String> {
        let mut classes = Self::default();
        for letter in letters.chars() {
            let named = Self::LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, class)| *class);
            let class = if letter == 'A' { Some(Self::ALL) } else { named };
            classes.0 |= class.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?.0;
        }
        Ok(classes)
    }

    /// Whether nothing is told.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `classes` are among these.
    #[inline]
    pub(crate) fn has(self, classes: Self) -> bool {
        self.0 & classes.0 == classes.0
    }
}

impl fmt::Display for EventClasses {
    /// The letters in Redis' order, which does not show `n` beside `A`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.has(Self::ALL) {
            f.write_str("A")?;
            &Self::LETTERS[11..]
        } else {
            &Self::LETTERS[..]
        };
        shown.iter().filter(|(_, class)| self.has(*class)).try_for_each(|(letter, _)| write!(f, "{letter}"))
    }
}

impl Engine {
    /// Tells those who listen what has happened to a key, if the settings say that it is told.
    pub(crate) fn tell(&self, settings: &Settings, class: EventClasses, event: &str, db: usize, key: &[u8]) {
        let classes = settings.notify_keyspace_events;
        if !classes.has(class) || self.pubsub.is_deserted() {
            return;
        }
        if classes.has(EventClasses::KEYSPACE) {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.pubsub.publish(&channel, event.as_bytes(), settings);
        }
        if classes.has(EventClasses::KEYEVENT) {
            let channel = format!("__keyevent@{db}__:{event}");
            self.pubsub.publish(channel.as_bytes(), key, settings);
        }
    }
}

impl Ctx<'_> {
    /// Tells those who listen what the running command has done to a key of the selected database. Costs a test while
    /// nothing is told.
    #[inline]
    pub(crate) fn notify(&mut self, class: EventClasses, event: &str, key: &[u8]) {
        if self.notifies_any() {
            self.tell(class, event, self.session.db, key);
        }
    }

    /// As [`Ctx::notify`], for a key of any database.
    #[inline]
    pub(crate) fn notify_in(&mut self, db: usize, class: EventClasses, event: &str, key: &[u8]) {
        if self.notifies_any() {
            self.tell(class, event, db, key);
        }
    }

    /// As [`Ctx::notify`], for something taken out of a collection: says also that the key went with the last of it.
    #[inline]
    pub(crate) fn notify_removal(&mut self, class: EventClasses, event: &str, key: &[u8]) {
        if self.notifies_any() {
            self.tell(class, event, self.session.db, key);
            if self.peek(key).is_none() {
                self.tell(EventClasses::GENERIC, "del", self.session.db, key);
            }
        }
    }

    /// Says that a key is missing that is about to be read, if it is.
    #[inline]
    pub(crate) fn notify_miss(&mut self, key: &[u8]) {
        if self.notifies(EventClasses::KEY_MISS) && self.peek(key).is_none() {
            self.tell(EventClasses::KEY_MISS, "keymiss", self.session.db, key);
        }
    }

    /// Says that a key is new, if it exists: whoever has just created it may have left it empty.
    #[inline]
    pub(crate) fn notify_if_created(&mut self, key: &[u8]) {
        if self.notifies(EventClasses::NEW) && self.peek(key).is_some() {
            self.tell(EventClasses::NEW, "new", self.session.db, key);
        }
    }

    /// Whether events of a class are told to anybody at all.
    #[inline]
    pub(crate) fn notifies(&self, class: EventClasses) -> bool {
        self.session.settings.notify_keyspace_events.has(class)
    }

    #[inline]
    fn notifies_any(&self) -> bool {
        !self.session.settings.notify_keyspace_events.is_empty()
    }

    #[cold]
    fn tell(&mut self, class: EventClasses, event: &str, db: usize, key: &[u8]) {
        if self.session.is_replay {
            return;
        }
        // That a key has expired was found out before anything was done to it.
        self.note_expired();
        self.engine.tell(&self.session.settings, class, event, db, key);
    }
}

#[cfg(test)]
mod tests {
    use super::EventClasses;

    #[test]
    fn letters_are_shown_in_redis_order() {
        for (given, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("KEAmn", "AKEm"),
            ("Kg$n", "g$nK"),
            ("g$lshzxetdE", "AE"),
            ("g$lshzxetnE", "g$lshzxetnE"),
            ("xE", "xE"),
        ] {
            assert_eq!(EventClasses::parse(given).map(|classes| classes.to_string()).as_deref(), Ok(shown), "{given}");
        }
        assert!(EventClasses::parse("KQ").is_err());
    }
}
