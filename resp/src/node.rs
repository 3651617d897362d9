//! Replies node by node, borrowed from their bytes: for whoever makes something else of them without a tree in between.

use crate::number::{parse_f64, parse_i64};
use crate::reply::Protocol;
use memchr::memchr;

/// One piece of a reply. Those with a number are followed by their elements; maps and attributes have two for each pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node<'a> {
    /// A simple string.
    Simple(&'a [u8]),
    /// An error, its code first.
    Error(&'a [u8]),
    /// An integer.
    Int(i64),
    /// A string, binary safe.
    Bulk(&'a [u8]),
    /// Nothing, as either protocol writes it.
    Nil(Protocol),
    /// So many elements in order.
    Array(usize),
    /// So many pairs.
    Map(usize),
    /// So many elements without order.
    Set(usize),
    /// So many elements that nobody has asked for.
    Push(usize),
    /// So many pairs that describe what follows them.
    Attribute(usize),
    /// A double.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// An integer of any size, as decimal text.
    BigNumber(&'a [u8]),
    /// Text and the three letters that say of what kind.
    Verbatim {
        /// `txt` or `mkd`.
        kind: &'a [u8],
        /// The text.
        text: &'a [u8],
    },
}

/// The nodes of replies that [`Reply`](crate::Reply) has written; ends early where bytes are none of its.
#[derive(Debug, Clone)]
pub struct Nodes<'a> {
    left: &'a [u8],
}

impl<'a> Nodes<'a> {
    /// The nodes of one reply or of several.
    pub fn new(bytes: &'a [u8]) -> Self {
        Nodes { left: bytes }
    }

    /// The rest of the line, without its end.
    #[inline]
    fn line(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'\r', self.left)?;
        let line = &self.left[..end];
        self.left = self.left.get(end + 2..)?;
        Some(line)
    }

    #[inline]
    fn len(&mut self) -> Option<Option<usize>> {
        let len = parse_i64(self.line()?)?;
        Some(usize::try_from(len).ok())
    }

    #[inline]
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let bytes = self.left.get(..len)?;
        self.left = self.left.get(len + 2..)?;
        Some(bytes)
    }
}

impl<'a> Iterator for Nodes<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        let (kind, left) = self.left.split_first()?;
        self.left = left;
        Some(match kind {
            b'+' => Node::Simple(self.line()?),
            b'-' => Node::Error(self.line()?),
            b':' => Node::Int(parse_i64(self.line()?)?),
            b'$' => match self.len()? {
                Some(len) => Node::Bulk(self.bytes(len)?),
                None => Node::Nil(Protocol::Resp2),
            },
            b'*' => self.len()?.map_or(Node::Nil(Protocol::Resp2), Node::Array),
            b'_' => {
                self.line()?;
                Node::Nil(Protocol::Resp3)
            }
            b'%' => Node::Map(self.len()??),
            b'~' => Node::Set(self.len()??),
            b'>' => Node::Push(self.len()??),
            b'|' => Node::Attribute(self.len()??),
            b',' => Node::Double(parse_f64(self.line()?)?),
            b'#' => Node::Bool(self.line()? == b"t"),
            b'(' => Node::BigNumber(self.line()?),
            b'=' => {
                let len = self.len()??;
                let bytes = self.bytes(len)?;
                Node::Verbatim { kind: bytes.get(..3)?, text: bytes.get(4..)? }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reply;

    #[test]
    fn what_is_written_is_read() {
        let write = |protocol| {
            let mut out = Reply::new(protocol);
            out.ok();
            out.error("ERR no");
            out.int(-3);
            out.bulk("a\r\nb");
            out.nil();
            out.nil_array();
            out.array(2);
            out.map(1);
            out.set(1);
            out.push(1);
            out.double(1.5);
            out.bool(true);
            out.big_number("12");
            out.verbatim(b"txt", b"x");
            out.attribute(1);
            out.into_bytes()
        };
        let in_resp3 = write(Protocol::Resp3);
        let nodes: Vec<Node<'_>> = Nodes::new(&in_resp3).collect();
        assert_eq!(
            nodes,
            [
                Node::Simple(b"OK"),
                Node::Error(b"ERR no"),
                Node::Int(-3),
                Node::Bulk(b"a\r\nb"),
                Node::Nil(Protocol::Resp3),
                Node::Nil(Protocol::Resp3),
                Node::Array(2),
                Node::Map(1),
                Node::Set(1),
                Node::Push(1),
                Node::Double(1.5),
                Node::Bool(true),
                Node::BigNumber(b"12"),
                Node::Verbatim { kind: b"txt", text: b"x" },
                Node::Attribute(1),
            ]
        );
        let in_resp2 = write(Protocol::Resp2);
        let nodes: Vec<Node<'_>> = Nodes::new(&in_resp2).collect();
        let nil = Node::Nil(Protocol::Resp2);
        assert_eq!(nodes[4..10], [nil, nil, Node::Array(2), Node::Array(2), Node::Array(1), Node::Array(1)]);
        assert_eq!(nodes[10..], [Node::Bulk(b"1.5"), Node::Int(1), Node::Bulk(b"12"), Node::Bulk(b"x")]);
    }

    #[test]
    fn what_is_no_reply_ends_it() {
        for bytes in ["", "?", "$5\r\nab\r\n", ":x\r\n", "+OK", "=2\r\nab\r\n", "%-1\r\n"] {
            assert_eq!(Nodes::new(bytes.as_bytes()).next(), None, "{bytes:?}");
        }
    }
}
