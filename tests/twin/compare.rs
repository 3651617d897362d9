//! When two replies to the same command are the same: byte for byte, unless the command leaves something open.

use crate::support::frame;

/// What a command leaves open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// Nothing.
    Exact,
    /// The order of its elements, which come in groups of so many.
    AnyOrder(usize),
    /// The same, but only of tables: the call before is OBJECT ENCODING of the same key.
    TableOrder(usize),
    /// What a scan finds in one step: the order of elements in groups of so many, behind a cursor.
    Scanned(usize),
    /// Only what kind of reply and how many elements: chance or the layout of a table decides the rest.
    Shape,
    /// What chance draws in groups of so many; the call behind it lists all there is.
    Drawn(usize),
    /// Times: those behind the names that XINFO gives them, or the third of so many elements.
    Timed(usize),
    /// Times, which may differ by so much.
    Near(u64),
}

/// A reply of ours and one of theirs.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    pub ours: &'a [u8],
    pub theirs: &'a [u8],
}

impl Rule {
    /// The rule of one call of a template whose calls belong together.
    pub fn for_call(self, index: usize, last: usize) -> Rule {
        match self {
            Rule::Drawn(size) if index > 0 => Rule::AnyOrder(size),
            Rule::TableOrder(_) if index < last => Rule::Exact,
            rule => rule,
        }
    }

    /// Whether both replies say the same; `before` and `behind` are the replies to the neighbours in the same step.
    pub fn accepts(self, pair: Pair<'_>, before: Option<Pair<'_>>, behind: Option<Pair<'_>>) -> bool {
        let Pair { ours, theirs } = pair;
        if ours == theirs && !matches!(self, Rule::Drawn(_)) {
            return true;
        }
        match self {
            Rule::Exact => false,
            Rule::AnyOrder(size) => same_head(ours, theirs) && groups(ours, size) == groups(theirs, size),
            Rule::TableOrder(size) => {
                let packed = |reply: &[u8]| [b"listpack".as_slice(), b"intset"].contains(&frame::text(reply));
                let both_packed = before.is_some_and(|before| packed(before.ours) && packed(before.theirs));
                !both_packed && Rule::AnyOrder(size).accepts(pair, None, None)
            }
            Rule::Scanned(size) => {
                let (ours, theirs) = (frame::children(ours), frame::children(theirs));
                let ([our_cursor, ours], [their_cursor, theirs]) = (ours.as_slice(), theirs.as_slice()) else {
                    return false;
                };
                our_cursor == their_cursor && groups(ours, size) == groups(theirs, size)
            }
            Rule::Shape => same_shape(ours, theirs),
            Rule::Drawn(size) => {
                let all = behind.map(|behind| groups(behind.ours, size));
                let drawn = groups(ours, size);
                let exists = |group: &Vec<&[u8]>| match &all {
                    Some(all) => all.binary_search(group).is_ok(),
                    None => true,
                };
                ours == theirs && (!frame::is_aggregate(ours) || frame::children(ours).is_empty())
                    || same_shape(ours, theirs) && drawn.iter().all(exists)
            }
            Rule::Timed(size) => {
                let (ours, theirs) = (frame::leaves(ours), frame::leaves(theirs));
                let is_time = |at: usize| match at.checked_sub(1) {
                    _ if size > 0 => at % size == 2,
                    Some(name) if matches!(frame::text(ours[name]), b"idle" | b"inactive") => true,
                    _ => number(ours[at]).is_some_and(|number| number > i64::from(i32::MAX)),
                };
                let alike = |at: usize| {
                    let pair = Pair { ours: ours[at], theirs: theirs[at] };
                    pair.ours == pair.theirs || is_time(at) && Rule::Near(5000).accepts(pair, None, None)
                };
                ours.len() == theirs.len() && (0..ours.len()).all(alike)
            }
            Rule::Near(most) => {
                let near = |(ours, theirs): (&&[u8], &&[u8])| match (number(ours), number(theirs)) {
                    // Negative ones are no times but answers.
                    (Some(ours), Some(theirs)) if ours >= 0 && theirs >= 0 => ours.abs_diff(theirs) <= most,
                    _ => ours == theirs,
                };
                let (ours, theirs) = (frame::leaves(ours), frame::leaves(theirs));
                ours.len() == theirs.len() && ours.iter().zip(&theirs).all(near)
            }
        }
    }
}

fn number(reply: &[u8]) -> Option<i64> {
    reply.starts_with(b":").then(|| std::str::from_utf8(frame::text(reply)).ok()?.parse().ok())?
}

/// Whether both begin alike: kind and number of elements.
fn same_head(ours: &[u8], theirs: &[u8]) -> bool {
    frame::is_aggregate(ours)
        && ours.first() == theirs.first()
        && frame::children(ours).len() == frame::children(theirs).len()
}

fn same_shape(ours: &[u8], theirs: &[u8]) -> bool {
    match frame::is_aggregate(ours) {
        true => same_head(ours, theirs),
        false => ours.first() == theirs.first() && !ours.starts_with(b"-"),
    }
}

/// The elements in groups, sorted. Nested pairs count as the flat ones that they are in RESP2.
fn groups(reply: &[u8], size: usize) -> Vec<Vec<&[u8]>> {
    let leaves = frame::leaves(reply);
    let mut groups: Vec<Vec<&[u8]>> = leaves.chunks(size).map(<[_]>::to_vec).collect();
    groups.sort_unstable();
    groups
}
