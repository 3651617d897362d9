//! Replies as a client sees them: decoded values with handy accessors; nothing here runs on the server's way of a
//! command.

use bytes::{Buf, Bytes, BytesMut};
use redis_protocol::resp2::decode as resp2;
use redis_protocol::resp2::types::RangeFrame as Resp2Frame;
use redis_protocol::resp3::decode::complete as resp3;
use redis_protocol::resp3::types::RangeFrame as Resp3Frame;

use crate::error::ValueError;
use crate::number::{format_f64, parse_f64, parse_i64};
use crate::reply::Protocol;

/// Deepest nesting that is decoded; no command comes near, and a server must not overflow its client's stack.
const MAX_DEPTH: usize = 256;

/// One reply.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: a null of either protocol.
    Nil,
    /// A simple string, such as `OK`.
    Simple(String),
    /// An error, its code first.
    Error(String),
    /// An integer.
    Int(i64),
    /// A string, binary safe.
    Bulk(Bytes),
    /// Values in order.
    Array(Vec<Value>),
    /// Pairs in the order in which the server wrote them.
    Map(Vec<(Value, Value)>),
    /// Members in the order in which the server wrote them.
    Set(Vec<Value>),
    /// A double.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// An integer of any size, as its decimal text.
    BigNumber(String),
    /// Text and the three letters that say of what kind.
    Verbatim {
        /// `txt` or `mkd`.
        kind: String,
        /// The text.
        text: Bytes,
    },
    /// What the server sends unasked.
    Push(Vec<Value>),
    /// A value that is described by pairs.
    Attribute {
        /// The description.
        pairs: Vec<(Value, Value)>,
        /// What is described.
        value: Box<Value>,
    },
}

impl Value {
    /// Takes one reply off the front of `bytes`; strings share its memory. `None`, and nothing taken, if it is not
    /// complete.
    pub fn decode(protocol: Protocol, bytes: &mut Bytes) -> Result<Option<Value>, ValueError> {
        let Some(len) = reply_len(bytes)? else {
            return Ok(None);
        };
        Reader { protocol, bytes: bytes.split_to(len) }.value(0).map(Some)
    }

    /// The same for a buffer that a socket fills. An incomplete reply is looked at again from its start.
    pub fn decode_mut(protocol: Protocol, bytes: &mut BytesMut) -> Result<Option<Value>, ValueError> {
        let Some(len) = reply_len(bytes)? else {
            return Ok(None);
        };
        Reader { protocol, bytes: bytes.split_to(len).freeze() }.value(0).map(Some)
    }

    /// Whether this is a null.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// Whether this is the simple string `OK`.
    pub fn is_ok(&self) -> bool {
        matches!(self, Value::Simple(text) if text == "OK")
    }

    /// The bytes of a string of any kind.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => Some(bytes),
            Value::Simple(text) | Value::BigNumber(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// The text of a string of any kind, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The text of an error.
    pub fn as_error(&self) -> Option<&str> {
        match self {
            Value::Error(text) => Some(text),
            _ => None,
        }
    }

    /// An integer, or a string or truth value that can be read as one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            Value::Bool(value) => Some(i64::from(*value)),
            _ => parse_i64(self.as_bytes()?),
        }
    }

    /// A double, or an integer or string that can be read as one.
    pub fn as_double(&self) -> Option<f64> {
        match self {
            Value::Double(value) => Some(*value),
            Value::Int(value) => Some(*value as f64),
            _ => parse_f64(self.as_bytes()?),
        }
    }

    /// A truth value, or the integer 0 or 1.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            Value::Int(value @ (0 | 1)) => Some(*value == 1),
            _ => None,
        }
    }

    /// The elements of an array, set or push.
    pub fn as_slice(&self) -> Option<&[Value]> {
        match self {
            Value::Array(values) | Value::Set(values) | Value::Push(values) => Some(values),
            _ => None,
        }
    }

    /// The elements of an array, set or push; keys and values of a map in turn; nothing for a null. Anything else
    /// stands alone.
    pub fn into_vec(self) -> Vec<Value> {
        match self {
            Value::Array(values) | Value::Set(values) | Value::Push(values) => values,
            Value::Map(pairs) => pairs.into_iter().flat_map(|(key, value)| [key, value]).collect(),
            Value::Nil => Vec::new(),
            other => vec![other],
        }
    }

    /// The pairs of a map, or of an array that RESP2 has in its place.
    pub fn into_pairs(self) -> Vec<(Value, Value)> {
        match self {
            Value::Map(pairs) => pairs,
            other => {
                let mut values = other.into_vec().into_iter();
                std::iter::from_fn(|| Some((values.next()?, values.next()?))).collect()
            }
        }
    }

    /// An error as the error that it is.
    pub fn into_result(self) -> Result<Value, String> {
        match self {
            Value::Error(text) => Err(text),
            other => Ok(other),
        }
    }

    /// The same value as RESP2 shows it: maps, sets and pushes as arrays, doubles and the like as strings, attributes
    /// gone.
    pub fn to_resp2(self) -> Value {
        match self {
            Value::Map(_) | Value::Set(_) | Value::Push(_) | Value::Array(_) => {
                Value::Array(self.into_vec().into_iter().map(Value::to_resp2).collect())
            }
            Value::Double(value) => Value::Bulk(format_f64(value).into()),
            Value::Bool(value) => Value::Int(i64::from(value)),
            Value::BigNumber(text) => Value::Bulk(text.into()),
            Value::Verbatim { text, .. } => Value::Bulk(text),
            Value::Attribute { value, .. } => value.to_resp2(),
            other => other,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Bulk(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Bulk(text.into())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Value::Bulk(Bytes::copy_from_slice(bytes))
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Value::Bulk(bytes)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Double(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Nil, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Value::Array(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(values: [T; N]) -> Self {
        Value::Array(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Value::Array(values.into_iter().map(Into::into).collect())
    }
}

/// A text equals any string reply of the same bytes, which is what a test wants to ask.
impl PartialEq<str> for Value {
    fn eq(&self, text: &str) -> bool {
        self.as_bytes() == Some(text.as_bytes())
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, text: &&str) -> bool {
        self == *text
    }
}

impl PartialEq<i64> for Value {
    fn eq(&self, value: &i64) -> bool {
        matches!(self, Value::Int(own) if own == value)
    }
}

/// Length of the reply at the front, once it is complete.
fn reply_len(bytes: &[u8]) -> Result<Option<usize>, ValueError> {
    let mut at = 0;
    let mut missing = 1_u64;
    while missing > 0 {
        let Some(line) = line_len(&bytes[at..]) else {
            return Ok(None);
        };
        missing -= 1;
        let (kind, text) = (bytes[at], &bytes[at + 1..at + line]);
        at += line + 2;
        match kind {
            b'$' | b'=' | b'!' => {
                if let Some(len) = length(text)? {
                    // The sum cannot wrap for a length that fits the memory of any machine.
                    at = at
                        .checked_add(len)
                        .and_then(|end| end.checked_add(2))
                        .ok_or_else(|| malformed("length", text))?;
                    if at > bytes.len() {
                        return Ok(None);
                    }
                }
            }
            b'*' | b'~' | b'>' => missing = more(missing, length(text)?, 1, 0)?,
            b'%' => missing = more(missing, length(text)?, 2, 0)?,
            b'|' => missing = more(missing, length(text)?, 2, 1)?,
            _ => {}
        }
    }
    Ok(Some(at))
}

/// How many values are missing after a header that announces `len` times `each`, and `extra`.
fn more(missing: u64, len: Option<usize>, each: u64, extra: u64) -> Result<u64, ValueError> {
    let announced = (len.unwrap_or(0) as u64).checked_mul(each);
    announced
        .and_then(|announced| missing.checked_add(announced)?.checked_add(extra))
        .ok_or_else(|| malformed("length", b"too large"))
}

/// Length of the first line without its end; at least its kind.
fn line_len(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let end = from + memchr::memchr(b'\r', &bytes[from..])?;
        match bytes.get(end + 1)? {
            b'\n' if end > 0 => return Some(end),
            _ => from = end + 1,
        }
    }
}

/// A length; -1 stands for null.
fn length(text: &[u8]) -> Result<Option<usize>, ValueError> {
    match parse_i64(text) {
        Some(-1) => Ok(None),
        Some(len) => usize::try_from(len).map(Some).map_err(|_| malformed("length", text)),
        None => Err(malformed("length", text)),
    }
}

fn malformed(what: &str, bytes: &[u8]) -> ValueError {
    ValueError { detail: format!("{what} '{}'", bytes[..bytes.len().min(64)].escape_ascii()) }
}

/// Takes a complete reply apart.
struct Reader {
    protocol: Protocol,
    bytes: Bytes,
}

impl Reader {
    /// Aggregates are read here and their leaves by redis-protocol: it keeps maps and sets in hash tables, which loses
    /// the server's order and refuses aggregates as keys. It also refuses errors that are not UTF-8 and verbatim kinds
    /// that it does not know.
    fn value(&mut self, depth: usize) -> Result<Value, ValueError> {
        if depth > MAX_DEPTH {
            return Err(malformed("nesting", b"too deep"));
        }
        let resp3 = self.protocol == Protocol::Resp3;
        match self.bytes.first() {
            Some(b'*') => Ok(self.header()?.map_or(Ok(Value::Nil), |len| self.values(len, depth).map(Value::Array))?),
            Some(b'-') => Ok(Value::Error(String::from_utf8_lossy(&self.line()?[1..]).into_owned())),
            Some(b'~') if resp3 => {
                let len = self.header()?.unwrap_or(0);
                self.values(len, depth).map(Value::Set)
            }
            Some(b'>') if resp3 => {
                let len = self.header()?.unwrap_or(0);
                self.values(len, depth).map(Value::Push)
            }
            Some(b'%') if resp3 => {
                let len = self.header()?.unwrap_or(0);
                self.pairs(len, depth).map(Value::Map)
            }
            Some(b'|') if resp3 => {
                let len = self.header()?.unwrap_or(0);
                let pairs = self.pairs(len, depth)?;
                Ok(Value::Attribute { pairs, value: Box::new(self.value(depth + 1)?) })
            }
            Some(b'=') if resp3 => self.verbatim(),
            _ if resp3 => self.resp3_leaf(),
            _ => self.resp2_leaf(),
        }
    }

    fn values(&mut self, len: usize, depth: usize) -> Result<Vec<Value>, ValueError> {
        // The elements are there, each at least three bytes long, so this reserves no more than a multiple of what
        // arrived.
        (0..len).map(|_| self.value(depth + 1)).collect()
    }

    fn pairs(&mut self, len: usize, depth: usize) -> Result<Vec<(Value, Value)>, ValueError> {
        (0..len).map(|_| Ok((self.value(depth + 1)?, self.value(depth + 1)?))).collect()
    }

    fn line(&mut self) -> Result<Bytes, ValueError> {
        let len = line_len(&self.bytes).ok_or_else(|| malformed("line", &self.bytes))?;
        let line = self.bytes.split_to(len);
        self.bytes.advance(2);
        Ok(line)
    }

    fn header(&mut self) -> Result<Option<usize>, ValueError> {
        length(&self.line()?[1..])
    }

    fn verbatim(&mut self) -> Result<Value, ValueError> {
        let len = self.header()?.ok_or_else(|| malformed("verbatim string", b"-1"))?;
        let body = self.bytes.split_to(len);
        self.bytes.advance(2);
        match body.get(..4) {
            Some([kind @ .., b':']) => {
                Ok(Value::Verbatim { kind: String::from_utf8_lossy(kind).into_owned(), text: body.slice(4..) })
            }
            _ => Err(malformed("verbatim string", &body)),
        }
    }

    fn resp3_leaf(&mut self) -> Result<Value, ValueError> {
        // A null of RESP2 has no place in RESP3, but servers write it there.
        if self.bytes.starts_with(b"$-1\r\n") {
            self.bytes.advance(5);
            return Ok(Value::Nil);
        }
        let decoded = resp3::decode_range(&self.bytes).map_err(|error| ValueError { detail: error.to_string() })?;
        let (frame, len) = decoded.ok_or_else(|| malformed("reply", &self.bytes))?;
        let text = |(start, end): (usize, usize)| String::from_utf8_lossy(&self.bytes[start..end]).into_owned();
        let value = match frame {
            Resp3Frame::BlobString { data: (start, end), .. } => Value::Bulk(self.bytes.slice(start..end)),
            Resp3Frame::SimpleString { data, .. } => Value::Simple(text(data)),
            Resp3Frame::BlobError { data, .. } | Resp3Frame::SimpleError { data, .. } => Value::Error(text(data)),
            Resp3Frame::BigNumber { data, .. } => Value::BigNumber(text(data)),
            Resp3Frame::Number { data, .. } => Value::Int(data),
            Resp3Frame::Double { data, .. } => Value::Double(data),
            Resp3Frame::Boolean { data, .. } => Value::Bool(data),
            Resp3Frame::Null => Value::Nil,
            _ => return Err(malformed("reply", &self.bytes)),
        };
        self.bytes.advance(len);
        Ok(value)
    }

    fn resp2_leaf(&mut self) -> Result<Value, ValueError> {
        let decoded = resp2::decode_range(&self.bytes).map_err(|error| ValueError { detail: error.to_string() })?;
        let (frame, len) = decoded.ok_or_else(|| malformed("reply", &self.bytes))?;
        let value = match frame {
            Resp2Frame::BulkString((start, end)) => Value::Bulk(self.bytes.slice(start..end)),
            Resp2Frame::SimpleString((start, end)) => {
                Value::Simple(String::from_utf8_lossy(&self.bytes[start..end]).into_owned())
            }
            Resp2Frame::Integer(value) => Value::Int(value),
            Resp2Frame::Null => Value::Nil,
            _ => return Err(malformed("reply", &self.bytes)),
        };
        self.bytes.advance(len);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(protocol: Protocol, bytes: &'static [u8]) -> Result<Option<Value>, ValueError> {
        Value::decode(protocol, &mut Bytes::from_static(bytes))
    }

    #[track_caller]
    fn check(bytes: &'static [u8], value: impl Into<Value>) {
        assert_eq!(decode(Protocol::Resp3, bytes), Ok(Some(value.into())));
    }

    #[test]
    fn replies_that_redis_protocol_would_not_keep() {
        let pair = |key: Value, value: i64| (key, Value::Int(value));
        check(
            b"%3\r\n$1\r\nb\r\n:1\r\n*1\r\n:7\r\n:2\r\n$1\r\na\r\n:3\r\n",
            Value::Map(vec![pair("b".into(), 1), pair([7].into(), 2), pair("a".into(), 3)]),
        );
        check(b"-ERR \xff\r\n", Value::Error("ERR \u{fffd}".to_owned()));
        check(b"=5\r\nxyz:1\r\n", Value::Verbatim { kind: "xyz".to_owned(), text: Bytes::from_static(b"1") });
        check(b"$-1\r\n", Value::Nil);
        check(b"*-1\r\n", Value::Nil);
        check(b",inf\r\n", f64::INFINITY);
        check(b">2\r\n+a\r\n#t\r\n", Value::Push(vec![Value::Simple("a".to_owned()), true.into()]));
        check(
            b"|1\r\n+a\r\n:1\r\n:2\r\n",
            Value::Attribute {
                pairs: vec![(Value::Simple("a".to_owned()), Value::Int(1))],
                value: Box::new(Value::Int(2)),
            },
        );
    }

    #[test]
    fn malformed_replies_are_errors() {
        for bytes in [
            b"?\r\n".as_slice(),
            b"$x\r\n",
            b"*-2\r\n",
            b"=-1\r\n",
            b"=2\r\nab\r\n",
            b":x\r\n",
            b"#x\r\n",
            b"*1\r\n\r\nx\r\n",
            b"$18446744073709551615\r\n",
            b"%9223372036854775807\r\n*9223372036854775807\r\n",
        ] {
            assert!(decode(Protocol::Resp3, bytes).is_err(), "{}", bytes.escape_ascii());
        }
        assert!(decode(Protocol::Resp2, b"%1\r\n:1\r\n:2\r\n").is_err());
        let mut deep = Bytes::from("*1\r\n".repeat(100_000) + ":1\r\n");
        assert!(Value::decode(Protocol::Resp3, &mut deep).is_err());
    }

    #[test]
    fn one_reply_at_a_time() {
        let mut bytes = BytesMut::from(&b"+OK\r\n$2\r\nab\r\n:1"[..]);
        assert!(Value::decode_mut(Protocol::Resp2, &mut bytes).unwrap().unwrap().is_ok());
        assert_eq!(Value::decode_mut(Protocol::Resp2, &mut bytes).unwrap().unwrap(), "ab");
        assert_eq!(Value::decode_mut(Protocol::Resp2, &mut bytes), Ok(None));
        assert_eq!(&bytes[..], b":1");
    }

    #[test]
    fn accessors() {
        assert_eq!(Value::from("12").as_int(), Some(12));
        assert_eq!(Value::from("1.5").as_double(), Some(1.5));
        assert_eq!(Value::from(["a", "b"]).into_pairs(), [("a".into(), "b".into())]);
        assert!(Value::from(None::<i64>).into_vec().is_empty());
        assert_eq!(Value::Int(3), 3);
        assert_eq!(Value::Error("ERR x".to_owned()).into_result(), Err("ERR x".to_owned()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(prop::sample::select(b"*$%~>|=!_#,(:+-0123tf?.;H\r\n\r\n\r\n".to_vec()), 0..60)) {
            for protocol in [Protocol::Resp2, Protocol::Resp3] {
                let mut bytes = Bytes::from(bytes.clone());
                while let Ok(Some(_)) = Value::decode(protocol, &mut bytes) {}
            }
        }
    }
}
