//! The reply writer: what a command answers, as bytes of RESP2 or RESP3, ready for a vectored write.

use std::borrow::Cow;
use std::io::IoSlice;

use bytes::Bytes;

use crate::number::write_f64;

/// From this length on a shared string rides along by reference: below it, copying costs less than one more slice to
/// write.
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

/// Replies in the order in which they were written. Methods that take a length only write the header; the elements
/// follow.
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

    /// A simple string. Line ends become spaces: what a script returns must not forge a second reply.
    #[inline]
    pub fn simple(&mut self, text: impl AsRef<[u8]>) {
        self.sentence(b'+', text.as_ref());
    }

    /// An error: its code and its text, as in `ERR syntax error`. Line ends behind it go, others become spaces.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        self.sentence(b'-', &text[..end]);
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

    /// `len` pairs follow that describe the reply behind them. RESP2 has no attributes: nothing is written, and the
    /// answer is false, so that the caller leaves them out.
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
    pub fn big_number(&mut self, digits: impl AsRef<[u8]>) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits),
            Protocol::Resp3 => self.line(b'(', digits.as_ref()),
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

    /// Leaves a place for a header that [`array_at`](Reply::array_at) and its like write once the length is known. It
    /// must be settled.
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

    /// What is to be sent, if it lies in one piece, as it does unless a long string rides along.
    #[inline]
    pub fn single(&self) -> Option<&[u8]> {
        self.rides.is_empty().then(|| &self.buffer[self.sent.buffer..])
    }

    /// Fills `slices` with what is to be sent next, for one vectored write, and returns how many were used; 0 if all is
    /// sent.
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

    /// The socket has taken `count` bytes more. Strings that are through are released; when all is sent the reply is
    /// empty again.
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

    fn sentence(&mut self, kind: u8, text: &[u8]) {
        let start = self.buffer.len() + 1;
        self.line(kind, text);
        for byte in &mut self.buffer[start..start + text.len()] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
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

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;
    use redis_protocol::resp2::decode as resp2;
    use redis_protocol::resp2::types::BytesFrame as Resp2Frame;
    use redis_protocol::resp3::decode::complete as resp3;
    use redis_protocol::resp3::types::BytesFrame as Resp3Frame;

    use super::*;
    use crate::value::Value;

    fn written(protocol: Protocol, write: impl FnOnce(&mut Reply)) -> String {
        let mut reply = Reply::new(protocol);
        write(&mut reply);
        String::from_utf8(reply.as_bytes().into_owned()).unwrap()
    }

    #[track_caller]
    fn check(write: impl Fn(&mut Reply), in_resp2: &str, in_resp3: &str) {
        assert_eq!(written(Protocol::Resp2, &write), in_resp2);
        assert_eq!(written(Protocol::Resp3, &write), in_resp3);
    }

    #[test]
    fn every_kind_in_both_protocols() {
        check(|out| out.ok(), "+OK\r\n", "+OK\r\n");
        check(|out| out.simple("QUEUED"), "+QUEUED\r\n", "+QUEUED\r\n");
        check(|out| out.int(-12), ":-12\r\n", ":-12\r\n");
        check(|out| out.bulk("a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n");
        check(|out| out.bulk(""), "$0\r\n\r\n", "$0\r\n\r\n");
        check(|out| out.bulk_int(i64::MIN), "$20\r\n-9223372036854775808\r\n", "$20\r\n-9223372036854775808\r\n");
        check(|out| out.nil(), "$-1\r\n", "_\r\n");
        check(|out| out.nil_array(), "*-1\r\n", "_\r\n");
        check(|out| out.array(9), "*9\r\n", "*9\r\n");
        check(|out| out.array(10), "*10\r\n", "*10\r\n");
        check(|out| out.array(1234), "*1234\r\n", "*1234\r\n");
        check(|out| out.map(50), "*100\r\n", "%50\r\n");
        check(|out| out.set(2), "*2\r\n", "~2\r\n");
        check(|out| out.push(3), "*3\r\n", ">3\r\n");
        check(|out| assert_eq!(out.attribute(1), out.is_resp3()), "", "|1\r\n");
        check(|out| out.double(3.0), "$1\r\n3\r\n", ",3\r\n");
        check(|out| out.double(-0.1234567891), "$13\r\n-0.1234567891\r\n", ",-0.1234567891\r\n");
        check(|out| out.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
        check(|out| out.bool(true), ":1\r\n", "#t\r\n");
        check(|out| out.bool(false), ":0\r\n", "#f\r\n");
        check(|out| out.big_number("123"), "$3\r\n123\r\n", "(123\r\n");
        check(|out| out.verbatim(b"txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
    }

    #[test]
    fn line_ends_in_errors_become_spaces() {
        let out = written(Protocol::Resp2, |out| out.error("\r\nERR a\r\nb\n\n"));
        assert_eq!(out, "-  ERR a  b\r\n");
        assert_eq!(written(Protocol::Resp2, |out| out.simple("a\r\nb")), "+a  b\r\n");
    }

    #[test]
    fn deferred_lengths_nest() {
        let out = written(Protocol::Resp3, |out| {
            out.int(1);
            let outer = out.defer();
            out.int(2);
            let inner = out.defer();
            out.shared(Bytes::from(vec![b'x'; RIDE]));
            out.map_at(inner, 12);
            out.int(3);
            out.array_at(outer, 2);
            out.int(4);
        });
        let expected = format!(":1\r\n*2\r\n:2\r\n%12\r\n$16384\r\n{}\r\n:3\r\n:4\r\n", "x".repeat(RIDE));
        assert_eq!(out, expected);
    }

    #[test]
    fn a_deferred_length_before_a_long_tail_shifts_nothing() {
        let tail = "y".repeat(2 * SHIFT);
        let out = written(Protocol::Resp2, |out| {
            out.shared(Bytes::from(vec![b'x'; RIDE]));
            let outer = out.defer();
            let inner = out.defer();
            out.raw(tail.as_bytes());
            out.shared(Bytes::from(vec![b'z'; RIDE]));
            out.array_at(inner, 7);
            out.array_at(outer, 8);
        });
        let (x, z) = ("x".repeat(RIDE), "z".repeat(RIDE));
        assert_eq!(out, format!("$16384\r\n{x}\r\n*8\r\n*7\r\n{tail}$16384\r\n{z}\r\n"));
    }

    #[test]
    fn rollback_undoes_what_a_failed_command_wrote() {
        let mut reply = Reply::new(Protocol::Resp2);
        reply.ok();
        reply.shared(Bytes::from(vec![b'x'; RIDE]));
        let before = reply.as_bytes().into_owned();
        let checkpoint = reply.checkpoint();
        reply.array(2);
        reply.shared(Bytes::from(vec![b'x'; RIDE]));
        assert_eq!(reply.len_since(checkpoint), 4 + 8 + RIDE + 2);
        reply.rollback(checkpoint);
        assert_eq!(reply.as_bytes(), before);
        assert_eq!(reply.len(), before.len());
    }

    #[derive(Debug, Clone)]
    enum Piece {
        Copied(Vec<u8>),
        Shared(usize, u8),
        Sent(usize),
    }

    fn piece() -> impl Strategy<Value = Piece> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100).prop_map(Piece::Copied),
            (RIDE - 2..RIDE + 100, any::<u8>()).prop_map(|(len, byte)| Piece::Shared(len, byte)),
            (0..3 * RIDE).prop_map(Piece::Sent),
        ]
    }

    /// The value as RESP2 tells it, and that nothing is lost on the way out.
    fn write(value: &Value, out: &mut Reply) {
        match value {
            Value::Nil => out.nil(),
            Value::Simple(text) => out.simple(text),
            Value::Error(text) => out.error(text),
            Value::Int(value) => out.int(*value),
            Value::Bulk(bytes) => out.shared(bytes.clone()),
            Value::Double(value) => out.double(*value),
            Value::Bool(value) => out.bool(*value),
            Value::BigNumber(text) => out.big_number(text),
            Value::Verbatim { text, .. } => out.verbatim(b"txt", text),
            Value::Array(values) => {
                out.array(values.len());
                values.iter().for_each(|value| write(value, out));
            }
            Value::Set(values) => {
                let mark = out.defer();
                values.iter().for_each(|value| write(value, out));
                out.set_at(mark, values.len());
            }
            Value::Push(values) => {
                out.push(values.len());
                values.iter().for_each(|value| write(value, out));
            }
            Value::Map(pairs) => {
                let mark = out.defer();
                pairs.iter().for_each(|(key, value)| {
                    write(key, out);
                    write(value, out);
                });
                out.map_at(mark, pairs.len());
            }
            Value::Attribute { pairs, value } => {
                if out.attribute(pairs.len()) {
                    pairs.iter().for_each(|(key, value)| {
                        write(key, out);
                        write(value, out);
                    });
                }
                write(value, out);
            }
        }
    }

    fn leaf() -> BoxedStrategy<Value> {
        prop_oneof![
            Just(Value::Nil),
            "[ -~]{0,12}".prop_map(Value::Simple),
            "ERR [ -~]{0,12}".prop_map(|text| Value::Error(text.trim_end().to_owned())),
            any::<i64>().prop_map(Value::Int),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Bulk(bytes.into())),
            (RIDE..RIDE + 9).prop_map(|len| Value::Bulk(vec![b'\r'; len].into())),
            any::<f64>().prop_map(Value::Double),
            any::<bool>().prop_map(Value::Bool),
            "-?[1-9][0-9]{0,40}".prop_map(Value::BigNumber),
            "[a-z\r\n]{0,20}".prop_map(|text| Value::Verbatim { kind: "txt".to_owned(), text: text.into() }),
        ]
        .boxed()
    }

    fn value() -> impl Strategy<Value = Value> {
        leaf().prop_recursive(4, 64, 6, |inner| {
            let pairs = proptest::collection::vec((leaf(), inner.clone()), 0..5);
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..14).prop_map(Value::Array),
                proptest::collection::vec(leaf(), 0..6).prop_map(Value::Set),
                pairs.clone().prop_map(Value::Map),
                (pairs, inner).prop_map(|(pairs, value)| Value::Attribute { pairs, value: Box::new(value) }),
            ]
        })
    }

    /// redis-protocol's idea of the same reply, as far as its hash tables keep it: attributes and maps are left out.
    fn from_resp3(frame: Resp3Frame) -> Value {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        match frame {
            Resp3Frame::Null => Value::Nil,
            Resp3Frame::SimpleString { data, .. } => Value::Simple(text(&data)),
            Resp3Frame::SimpleError { data, .. } => Value::Error(data.to_string()),
            Resp3Frame::Number { data, .. } => Value::Int(data),
            Resp3Frame::BlobString { data, .. } => Value::Bulk(data),
            Resp3Frame::Double { data, .. } => Value::Double(data),
            Resp3Frame::Boolean { data, .. } => Value::Bool(data),
            Resp3Frame::BigNumber { data, .. } => Value::BigNumber(text(&data)),
            Resp3Frame::VerbatimString { data, .. } => Value::Verbatim { kind: "txt".to_owned(), text: data },
            Resp3Frame::Array { data, .. } => Value::Array(data.into_iter().map(from_resp3).collect()),
            other => panic!("no such reply was written: {other:?}"),
        }
    }

    fn from_resp2(frame: Resp2Frame) -> Value {
        match frame {
            Resp2Frame::Null => Value::Nil,
            Resp2Frame::SimpleString(data) => Value::Simple(String::from_utf8(data.to_vec()).unwrap()),
            Resp2Frame::Error(data) => Value::Error(data.to_string()),
            Resp2Frame::Integer(data) => Value::Int(data),
            Resp2Frame::BulkString(data) => Value::Bulk(data),
            Resp2Frame::Array(data) => Value::Array(data.into_iter().map(from_resp2).collect()),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn bytes_leave_in_order_however_they_are_taken(pieces in proptest::collection::vec(piece(), 0..40)) {
            let mut reply = Reply::new(Protocol::Resp2);
            let (mut expected, mut sent) = (Vec::new(), Vec::new());
            for piece in pieces {
                match piece {
                    Piece::Copied(bytes) => {
                        reply.raw(&bytes);
                        expected.extend(bytes);
                    }
                    Piece::Shared(len, byte) => {
                        reply.raw_shared(vec![byte; len].into());
                        expected.resize(expected.len() + len, byte);
                    }
                    Piece::Sent(count) => {
                        let count = count.min(reply.len());
                        sent.extend_from_slice(&reply.as_bytes()[..count]);
                        reply.advance(count);
                    }
                }
                prop_assert_eq!(reply.len(), expected.len() - sent.len());
            }
            let mut slices = [IoSlice::new(&[]); 64];
            let used = reply.slices(&mut slices);
            prop_assert!(slices[..used].iter().all(|slice| !slice.is_empty()));
            let rest: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.to_vec()).collect();
            prop_assert_eq!(&rest[..], &reply.as_bytes()[..]);
            let mut appended = Reply::new(Protocol::Resp2);
            appended.append(reply);
            prop_assert_eq!(&appended.into_bytes()[..], &rest[..]);
            sent.extend(rest);
            prop_assert_eq!(sent, expected);
        }

        #[test]
        fn what_is_written_reads_back(value in value()) {
            for protocol in [Protocol::Resp2, Protocol::Resp3] {
                let mut reply = Reply::new(protocol);
                write(&value, &mut reply);
                let mut bytes = BytesMut::from(&reply.into_bytes()[..]);
                let expected = if protocol == Protocol::Resp2 { value.clone().to_resp2() } else { value.clone() };
                for cut in [1, bytes.len() / 2] {
                    let mut part = BytesMut::from(&bytes[..bytes.len() - cut]);
                    prop_assert_eq!(Value::decode_mut(protocol, &mut part), Ok(None));
                }
                prop_assert_eq!(Value::decode_mut(protocol, &mut bytes), Ok(Some(expected)));
                prop_assert!(bytes.is_empty());
            }
        }

        #[test]
        fn redis_protocol_reads_the_same(values in proptest::collection::vec(leaf(), 0..12)) {
            let value = Value::Array(values);
            let mut reply = Reply::new(Protocol::Resp3);
            write(&value, &mut reply);
            let bytes = reply.into_bytes();
            let (frame, len) = resp3::decode_bytes(&bytes).unwrap().unwrap();
            prop_assert_eq!((from_resp3(frame), len), (value, bytes.len()));
        }

        #[test]
        fn redis_protocol_reads_the_same_resp2(value in value()) {
            let mut reply = Reply::new(Protocol::Resp2);
            write(&value, &mut reply);
            let bytes = reply.into_bytes();
            let (frame, len) = resp2::decode_bytes(&bytes).unwrap().unwrap();
            prop_assert_eq!((from_resp2(frame), len), (value.to_resp2(), bytes.len()));
        }
    }
}
