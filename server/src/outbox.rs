//! What others have to say to a client: whole frames that wait until its own connection sends them.
//!
//! Whoever publishes, on whatever thread and under whatever lock, only appends and wakes; a client that does not read is
//! dropped when more waits for it than its class allows, and never slows anybody down.

use bytes::Bytes;
use parking_lot::Mutex;
use resplite_resp::reply::{Protocol, Reply};
use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// A frame for any number of clients, encoded once for each protocol that one of them speaks.
pub(crate) struct Message<W> {
    write: W,
    encoded: [OnceCell<Bytes>; 2],
}

impl<W: Fn(&mut Reply)> Message<W> {
    /// A message that `write` writes; it must be one whole frame.
    pub(crate) fn new(write: W) -> Self {
        Message { write, encoded: [OnceCell::new(), OnceCell::new()] }
    }

    /// The message's bytes in a protocol.
    pub(crate) fn bytes(&self, protocol: Protocol) -> &Bytes {
        let place = &self.encoded[usize::from(protocol == Protocol::Resp3)];
        place.get_or_init(|| {
            let mut reply = Reply::new(protocol);
            (self.write)(&mut reply);
            reply.into_bytes()
        })
    }
}

/// The frames that wait for one client.
#[derive(Default)]
pub(crate) struct Outbox {
    /// Looked at after every command, so it costs no lock to see that nothing is there.
    has_mail: AtomicBool,
    mail: Mutex<Mail>,
}

#[derive(Default)]
struct Mail {
    frames: Option<Reply>,
    has_overflowed: bool,
}

impl Outbox {
    /// Adds a frame. If `already` bytes and what waits here come to more than `most` (0: no limit), all of it is dropped for
    /// good: the client has missed something and can only be closed.
    pub(crate) fn push(&self, frame: &Bytes, already: usize, most: u64) {
        let mut mail = self.mail.lock();
        if mail.has_overflowed {
            return;
        }
        let frames = mail.frames.get_or_insert_default();
        frames.raw_shared(frame.clone());
        if most != 0 && (frames.len() + already) as u64 > most {
            *mail = Mail { frames: None, has_overflowed: true };
        }
        self.has_mail.store(true, Ordering::Release);
    }

    /// Whether [`Outbox::drain`] has something, or the client is to be closed.
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// Moves what waits behind what `out` holds; returns false if something was dropped.
    pub(crate) fn drain(&self, out: &mut Reply) -> bool {
        if !self.has_mail() {
            return true;
        }
        let mut mail = self.mail.lock();
        if mail.has_overflowed {
            // Says so again until the client is closed.
            return false;
        }
        self.has_mail.store(false, Ordering::Release);
        let frames = mail.frames.take();
        drop(mail);
        match frames {
            Some(frames) if out.is_empty() => {
                // Nearly always: whoever only listens has nothing else to be sent.
                let protocol = out.protocol();
                *out = frames;
                out.set_protocol(protocol);
            }
            Some(frames) => out.append(frames),
            None => {}
        }
        true
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        if self.has_mail() { self.mail.lock().frames.as_ref().map_or(0, Reply::len) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_encoded_once_for_each_protocol() {
        let written = std::cell::Cell::new(0);
        let message = Message::new(|reply: &mut Reply| {
            written.set(written.get() + 1);
            reply.push(1);
            reply.bulk("x");
        });
        for _ in 0..2 {
            assert_eq!(message.bytes(Protocol::Resp2), "*1\r\n$1\r\nx\r\n");
            assert_eq!(message.bytes(Protocol::Resp3), ">1\r\n$1\r\nx\r\n");
        }
        assert_eq!(written.get(), 2);
    }

    #[test]
    fn frames_keep_their_order_and_an_overflow_is_for_good() {
        let outbox = Outbox::default();
        let mut out = Reply::new(Protocol::Resp2);
        assert!(!outbox.has_mail() && outbox.drain(&mut out) && out.is_empty());
        out.ok();
        outbox.push(&Bytes::from_static(b":1\r\n"), 0, 8);
        outbox.push(&Bytes::from_static(b":2\r\n"), 0, 8);
        assert_eq!(outbox.len(), 8);
        assert!(outbox.drain(&mut out) && !outbox.has_mail());
        assert_eq!(out.as_bytes().as_ref(), b"+OK\r\n:1\r\n:2\r\n");
        outbox.push(&Bytes::from_static(b":3\r\n"), 5, 8);
        assert!(outbox.has_mail() && outbox.len() == 0);
        outbox.push(&Bytes::from_static(b":4\r\n"), 0, 8);
        assert!(!outbox.drain(&mut out) && !outbox.drain(&mut out));
        assert_eq!(out.len(), 13);
    }
}
