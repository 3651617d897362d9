//! What can be wrong with the bytes of a client or a server, and the texts that the other side sees.

use std::fmt;

/// A request that breaks the protocol. The connection answers with [`ProtocolError::reply`] and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The count after `*` is no integer or too large.
    InvalidMultibulkLength,
    /// More arguments than a client may send before it has authenticated.
    UnauthenticatedMultibulkLength,
    /// A longer argument than a client may send before it has authenticated.
    UnauthenticatedBulkLength,
    /// The line that starts with `*` does not end.
    TooBigMultibulkCount,
    /// The line that should hold the length of an argument does not end.
    TooBigBulkCount,
    /// An inline command does not end.
    TooBigInline,
    /// Another byte stands where an argument's `$` belongs.
    ExpectedBulk(u8),
    /// The length after `$` is no integer, negative or too large.
    InvalidBulkLength,
    /// An inline command opens a quote that it does not close, or goes on right behind a closed one.
    UnbalancedQuotes,
}

impl ProtocolError {
    /// The text of the error reply, with its code and without `-` and line end. It may hold one byte that is not UTF-8.
    pub fn reply(self) -> Vec<u8> {
        let mut text = b"ERR Protocol error: ".to_vec();
        match self {
            Self::ExpectedBulk(got) => {
                text.extend_from_slice(b"expected '$', got '");
                text.push(got);
                text.push(b'\'');
            }
            other => text.extend_from_slice(other.text().as_bytes()),
        }
        text
    }

    fn text(self) -> &'static str {
        match self {
            Self::InvalidMultibulkLength => "invalid multibulk length",
            Self::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            Self::UnauthenticatedBulkLength => "unauthenticated bulk length",
            Self::TooBigMultibulkCount => "too big mbulk count string",
            Self::TooBigBulkCount => "too big bulk count string",
            Self::TooBigInline => "too big inline request",
            Self::ExpectedBulk(_) => "expected '$'",
            Self::InvalidBulkLength => "invalid bulk length",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExpectedBulk(got) => write!(f, "expected '$', got '{}'", got.escape_ascii()),
            other => f.write_str(other.text()),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// Why two numbers could not be added as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FloatError {
    /// One of them is not a number.
    NotFloat,
    /// The sum is infinite or no number at all.
    NotFinite,
}

impl fmt::Display for FloatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFloat => "value is not a valid float",
            Self::NotFinite => "increment would produce NaN or Infinity",
        })
    }
}

impl std::error::Error for FloatError {}

/// Reply bytes that are no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    pub(crate) detail: String,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed reply: {}", self.detail)
    }
}

impl std::error::Error for ValueError {}
