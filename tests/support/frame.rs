//! Replies as bytes: where one ends and what it holds, without making values of it.

/// Length of the complete reply at the front of `bytes`, or `None` if its end has not arrived.
pub fn len(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut open) = (0, 1usize);
    while open > 0 {
        let (head, inside) = head(bytes.get(at..)?)?;
        at += head;
        open = open - 1 + inside;
    }
    (at <= bytes.len()).then_some(at)
}

/// All complete replies, one after the other.
pub fn all(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(len) = bytes.get(at..).filter(|rest| !rest.is_empty()).and_then(len) {
        found.push(&bytes[at..at + len]);
        at += len;
    }
    found
}

/// The replies inside an aggregate, in order; none of anything else.
pub fn children(bytes: &[u8]) -> Vec<&[u8]> {
    let Some((mut at, inside)) = head(bytes) else { return Vec::new() };
    let mut found = Vec::with_capacity(inside);
    for _ in 0..inside {
        let Some(len) = bytes.get(at..).and_then(len) else { break };
        found.push(&bytes[at..at + len]);
        at += len;
    }
    found
}

/// What is left when all nesting is taken away.
pub fn leaves(bytes: &[u8]) -> Vec<&[u8]> {
    match is_aggregate(bytes) {
        true => children(bytes).into_iter().flat_map(leaves).collect(),
        false => vec![bytes],
    }
}

/// Whether the reply holds others.
pub fn is_aggregate(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|kind| b"*%~>".contains(kind)) && !bytes.starts_with(b"*-1")
}

/// The text of a reply that holds none: the line of simple ones, the bytes of bulks.
pub fn text(bytes: &[u8]) -> &[u8] {
    let line = line(bytes).unwrap_or(bytes);
    match bytes.first() {
        Some(b'$' | b'=' | b'!') => bytes.get(line.len() + 2..bytes.len().saturating_sub(2)).unwrap_or(b""),
        _ => line.get(1..).unwrap_or(b""),
    }
}

fn line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.windows(2).position(|end| end == b"\r\n").map(|end| &bytes[..end])
}

/// Bytes of a reply up to the replies inside it, and how many these are.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    let line = line(bytes)?;
    let count = || std::str::from_utf8(&line[1..]).ok()?.parse::<i64>().ok();
    let end = line.len() + 2;
    match line.first()? {
        b'$' | b'=' | b'!' => Some(match usize::try_from(count()?) {
            Ok(len) => (end + len + 2, 0),
            Err(_) => (end, 0),
        }),
        b'*' | b'~' | b'>' => Some((end, usize::try_from(count()?).unwrap_or(0))),
        b'%' => Some((end, 2 * usize::try_from(count()?).unwrap_or(0))),
        _ => Some((end, 0)),
    }
}
