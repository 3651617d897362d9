//! The reply writer: what a command answers, as bytes of RESP2 or RESP3, ready for a vectored write.

use std::borrow::Cow;
use std::io::IoSlice;

use bytes::Bytes;

use crate::number::write_f64;

/// From this length on a shared string rides along by reference: below it, copying costs less than one more slice to write.
const RIDE: usize = 16 * 1024;

/// A deferred header moves the bytes behind it up to this many; beyond, it becomes a slice of its own.
const SHIFT: usize = 64 * 1024;

/// Which version of the protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// What every client starts with.
    #[default]
    Resp2,
    /// What `HELLO 3` switches to.
    Resp3,
}

/// Replies in the order in which they were written. Methods that take a length only write the header; the elements follow.
#[derive(Debug, Default)]
pub struct Reply {
    protocol: Protocol,
    buffer: Vec<u8>,
    /// Strings that are not in the buffer, in order.
    rides: Vec<Ride>,
    /// Bytes of all rides together.
    riding: usize,
    /// What the socket has taken so far.
    sent: Sent,
}

/// A string that belongs before the buffer's byte `at`.
#[derive(Debug)]
struct Ride {
    at: usize,
    bytes: Bytes,
}

/// Everything before these places has been sent; the next ride is the first one, as those that are through are dropped.
#[derive(Debug, Default, Clone, Copy)]
struct Sent {
    buffer: usize,
    ride: usize,
}

/// Where a header with a length that is not yet known belongs. Settle marks innermost first, before anything is sent.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Mark {
    at: usize,
    rides: usize,
}

/// A state of a reply to which [`Reply::rollback`] returns.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Checkpoint {
    at: usize,
    rides: usize,
    riding: usize,
}

impl Reply {
    /// An empty reply; allocates nothing.
    pub fn new(protocol: Protocol) -> Self {
        Reply { protocol, ..Self::default() }
    }

    /// The protocol that is written.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether RESP3 is written.
    #[inline]
    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// Changes the protocol of what is written from now on.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.buffer.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string; it must not hold a line end.
    #[inline]
    pub fn simple(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'+', text.as_ref());
    }

    /// An error: its code and its text, as in `ERR syntax error`. Line ends are trimmed at both ends and become spaces inside.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        let text = trim_line_ends(text.as_ref());
        let start = self.buffer.len() + 1;
        self.line(b'-', text);
        let end = start + text.len();
        for byte in &mut self.buffer[start..end] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        self.header(b':', value);
    }

    /// A string, binary safe.
    #[inline]
    pub fn bulk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.buffer.reserve(bytes.len() + 32);
        self.length(b'$', bytes.len());
        self.buffer.extend_from_slice(bytes);
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// An integer as a string, as `GET` answers it.
    #[inline]
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value));
    }

    /// A string that is shared with the keyspace: a long one is not copied, and lives until it has been sent.
    pub fn shared(&mut self, bytes: Bytes) {
        if bytes.len() < RIDE {
            return self.bulk(bytes);
        }
        self.length(b'$', bytes.len());
        self.ride(bytes);
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// A string that is not there.
    #[inline]
    pub fn nil(&mut self) {
        self.buffer.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n".as_slice(),
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// An array that is not there.
    #[inline]
    pub fn nil_array(&mut self) {
        self.buffer.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n".as_slice(),
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// `len` elements follow.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.length(b'*', len);
    }

    /// `len` pairs follow; in RESP2 an array of twice as many elements.
    #[inline]
    pub fn map(&mut self, len: usize) {
        let header = self.map_header(len);
        self.length(header.0, header.1);
    }

    /// `len` elements without order follow; in RESP2 an array.
    #[inline]
    pub fn set(&mut self, len: usize) {
        self.length(self.resp3_or_array(b'~'), len);
    }

    /// `len` elements follow that no command has asked for; in RESP2 an array.
    #[inline]
    pub fn push(&mut self, len: usize) {
        self.length(self.resp3_or_array(b'>'), len);
    }

    /// `len` pairs follow that describe the reply behind them. RESP2 has no attributes: nothing is written, and the answer is false, so
    /// that the caller leaves them out.
    pub fn attribute(&mut self, len: usize) -> bool {
        if self.is_resp3() {
            self.length(b'|', len);
        }
        self.is_resp3()
    }

    /// A double; in RESP2 its text.
    pub fn double(&mut self, value: f64) {
        if self.is_resp3() {
            self.buffer.push(b',');
            write_f64(value, &mut self.buffer);
            self.buffer.extend_from_slice(b"\r\n");
            return;
        }
        // Twenty-four bytes at most, so the length takes two digits; the text is written where it will nearly lie.
        let start = self.buffer.len();
        self.buffer.extend_from_slice(b"$00\r\n");
        write_f64(value, &mut self.buffer);
        let len = self.buffer.len() - start - 5;
        if len >= 10 {
            self.buffer[start + 1] = b'0' + (len / 10) as u8;
            self.buffer[start + 2] = b'0' + (len % 10) as u8;
        } else {
            self.buffer[start + 2] = b'0' + len as u8;
            self.buffer.remove(start + 1);
        }
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// A truth value; in RESP2 `1` or `0`.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.buffer.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
        });
    }

    /// An integer of any size, as decimal text; in RESP2 a string.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// Text of a kind, which three letters name (`txt`, `mkd`); in RESP2 a string.
    pub fn verbatim(&mut self, kind: &[u8; 3], text: &[u8]) {
        if !self.is_resp3() {
            return self.bulk(text);
        }
        self.buffer.reserve(text.len() + 32);
        self.length(b'=', text.len() + 4);
        self.buffer.extend_from_slice(kind);
        self.buffer.push(b':');
        self.buffer.extend_from_slice(text);
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// Bytes that are encoded already: a message for many subscribers, the reply of a cached command.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The same, by reference if it is long.
    pub fn raw_shared(&mut self, bytes: Bytes) {
        if bytes.len() < RIDE {
            return self.raw(&bytes);
        }
        self.ride(bytes);
    }

    /// Adds everything that `other` holds and has not sent.
    pub fn append(&mut self, mut other: Reply) {
        let mut at = other.sent.buffer;
        for (i, ride) in other.rides.drain(..).enumerate() {
            self.buffer.extend_from_slice(&other.buffer[at..ride.at]);
            at = ride.at;
            let skip = if i == 0 { other.sent.ride } else { 0 };
            self.ride(ride.bytes.slice(skip..));
        }
        self.buffer.extend_from_slice(&other.buffer[at..]);
    }

    /// Leaves a place for a header that [`array_at`](Reply::array_at) and its like write once the length is known. It must be settled.
    #[inline]
    pub fn defer(&mut self) -> Mark {
        Mark { at: self.buffer.len(), rides: self.rides.len() }
    }

    /// What was written since `mark` is an array of `len` elements.
    pub fn array_at(&mut self, mark: Mark, len: usize) {
        self.header_at(mark, b'*', len);
    }

    /// What was written since `mark` is a map of `len` pairs.
    pub fn map_at(&mut self, mark: Mark, len: usize) {
        let header = self.map_header(len);
        self.header_at(mark, header.0, header.1);
    }

    /// What was written since `mark` is a set of `len` elements.
    pub fn set_at(&mut self, mark: Mark, len: usize) {
        self.header_at(mark, self.resp3_or_array(b'~'), len);
    }

    /// What was written since `mark` is a push of `len` elements.
    pub fn push_at(&mut self, mark: Mark, len: usize) {
        self.header_at(mark, self.resp3_or_array(b'>'), len);
    }

    /// The present state, to return to; it ends with the next send.
    #[inline]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { at: self.buffer.len(), rides: self.rides.len(), riding: self.riding }
    }

    /// Takes back what was written since `checkpoint`.
    pub fn rollback(&mut self, checkpoint: Checkpoint) {
        self.buffer.truncate(checkpoint.at);
        self.rides.truncate(checkpoint.rides);
        self.riding = checkpoint.riding;
    }

    /// Bytes written since `checkpoint`.
    pub fn len_since(&self, checkpoint: Checkpoint) -> usize {
        self.buffer.len() - checkpoint.at + self.riding - checkpoint.riding
    }

    /// Bytes that have not been sent.
    #[inline]
    pub fn len(&self) -> usize {
        self.buffer.len() - self.sent.buffer + self.riding - self.sent.ride
    }

    /// Whether everything has been sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops everything and keeps the buffer.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.rides.clear();
        self.riding = 0;
        self.sent = Sent::default();
    }

    /// Gives memory back beyond `capacity`; bytes that have not been sent stay.
    pub fn shrink_to(&mut self, capacity: usize) {
        self.buffer.shrink_to(capacity);
    }

    /// Bytes of memory that the buffer holds, strings by reference not counted.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Fills `slices` with what is to be sent next, for one vectored write, and returns how many were used; 0 if all is sent.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut chunks = self.chunks();
        let mut used = 0;
        for (slice, chunk) in slices.iter_mut().zip(&mut chunks) {
            *slice = IoSlice::new(chunk);
            used += 1;
        }
        used
    }

    /// The pieces that have not been sent, in order; none is empty.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = self.sent.buffer;
        let rides = self.rides.iter().enumerate().flat_map(move |(i, ride)| {
            let copied = &self.buffer[at..ride.at];
            at = ride.at;
            [copied, &ride.bytes[if i == 0 { self.sent.ride } else { 0 }..]]
        });
        let tail = self.rides.last().map_or(self.sent.buffer, |ride| ride.at);
        rides.chain([&self.buffer[tail..]]).filter(|chunk| !chunk.is_empty())
    }

    /// The socket has taken `count` bytes more. Strings that are through are released; when all is sent the reply is empty again.
    pub fn advance(&mut self, mut count: usize) {
        if count >= self.len() {
            return self.clear();
        }
        let mut through = 0;
        for ride in &self.rides {
            let copied = count.min(ride.at - self.sent.buffer);
            self.sent.buffer += copied;
            count -= copied;
            if self.sent.buffer < ride.at {
                break;
            }
            let left = ride.bytes.len() - self.sent.ride;
            if count < left {
                self.sent.ride += count;
                count = 0;
                break;
            }
            count -= left;
            self.sent.ride = 0;
            self.riding -= ride.bytes.len();
            through += 1;
        }
        self.rides.drain(..through);
        self.sent.buffer += count;
        self.forget_sent();
    }

    /// The bytes in one piece: borrowed unless a string rides along by reference.
    pub fn as_bytes(&self) -> Cow<'_, [u8]> {
        if self.rides.is_empty() {
            return Cow::Borrowed(&self.buffer[self.sent.buffer..]);
        }
        let mut bytes = Vec::with_capacity(self.len());
        for chunk in self.chunks() {
            bytes.extend_from_slice(chunk);
        }
        Cow::Owned(bytes)
    }

    /// The bytes in one piece, without a copy unless a string rides along by reference.
    pub fn into_bytes(mut self) -> Bytes {
        if self.rides.is_empty() {
            let bytes = Bytes::from(std::mem::take(&mut self.buffer));
            return bytes.slice(self.sent.buffer..);
        }
        Bytes::from(self.as_bytes().into_owned())
    }

    /// A slow reader must not make the buffer grow for ever: what it has read goes once it is the larger half.
    fn forget_sent(&mut self) {
        let sent = self.sent.buffer;
        if sent < self.buffer.len() / 2 {
            return;
        }
        self.buffer.drain(..sent);
        for ride in &mut self.rides {
            ride.at -= sent;
        }
        self.sent.buffer = 0;
    }

    fn ride(&mut self, bytes: Bytes) {
        self.riding += bytes.len();
        self.rides.push(Ride { at: self.buffer.len(), bytes });
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.buffer.reserve(text.len() + 3);
        self.buffer.push(kind);
        self.buffer.extend_from_slice(text);
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// A kind and a length. One digit, which is nearly every one, is a constant store.
    #[inline]
    fn length(&mut self, kind: u8, len: usize) {
        if len < 10 {
            self.buffer.extend_from_slice(&[kind, b'0' + len as u8, b'\r', b'\n']);
        } else if len < 100 {
            self.buffer.extend_from_slice(&[kind, b'0' + (len / 10) as u8, b'0' + (len % 10) as u8, b'\r', b'\n']);
        } else {
            self.header(kind, len as i64);
        }
    }

    #[inline]
    fn header(&mut self, kind: u8, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.line(kind, digits.format(value).as_bytes());
    }

    fn map_header(&self, len: usize) -> (u8, usize) {
        match self.protocol {
            Protocol::Resp2 => (b'*', len * 2),
            Protocol::Resp3 => (b'%', len),
        }
    }

    fn resp3_or_array(&self, kind: u8) -> u8 {
        if self.is_resp3() { kind } else { b'*' }
    }

    fn header_at(&mut self, mark: Mark, kind: u8, len: usize) {
        let end = self.buffer.len();
        self.length(kind, len);
        let header = self.buffer.len() - end;
        if end - mark.at > SHIFT {
            let bytes = Bytes::copy_from_slice(&self.buffer[end..]);
            self.buffer.truncate(end);
            self.riding += header;
            self.rides.insert(mark.rides, Ride { at: mark.at, bytes });
            return;
        }
        // The header was written at the end, so turning the tail brings it to its place.
        self.buffer[mark.at..].rotate_right(header);
        for ride in &mut self.rides[mark.rides..] {
            ride.at += header;
        }
    }
}

fn trim_line_ends(text: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    let start = text.iter().position(is_text).unwrap_or(text.len());
    let end = text.iter().rposition(is_text).map_or(start, |last| last + 1);
    &text[start..end]
}
