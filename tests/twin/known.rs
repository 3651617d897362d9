//! The differences from real servers that are meant to be: who differs, in what, and why.

use super::compare::Pair;
use super::generator::Args;
use crate::support::frame;
use crate::support::oracle::Kind;

/// One accepted difference.
struct Known {
    server: Kind,
    /// Why ours is right: the reference is Redis 7.4.
    #[expect(dead_code, reason = "it is there to be read")]
    reason: &'static str,
    is: fn(&Args, Pair<'_>) -> bool,
}

const KNOWN: &[Known] = &[
    Known {
        server: Kind::Redis,
        reason: "Small lists and sets are listpacks since 7.2.",
        is: |args, pair| {
            command(args, "object")
                && frame::text(pair.ours) == b"listpack"
                && [b"quicklist".as_slice(), b"hashtable"].contains(&frame::text(pair.theirs))
        },
    },
    Known {
        server: Kind::Redis,
        reason: "7.0 writes scores with 17 digits, since 7.2 they have as few as tell them apart.",
        is: |args, pair| args[0].first().is_some_and(|first| first.eq_ignore_ascii_case(&b'z')) && same_numbers(pair),
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey keeps longer strings inside the key's allocation.",
        is: |args, pair| {
            let strings = [b"embstr".as_slice(), b"raw"];
            command(args, "object")
                && strings.contains(&frame::text(pair.ours))
                && strings.contains(&frame::text(pair.theirs))
        },
    },
];

/// Whether a difference is one of those that are meant to be.
pub fn is_known(server: Kind, args: &Args, pair: Pair<'_>) -> bool {
    KNOWN.iter().any(|known| known.server == server && (known.is)(args, pair))
}

fn command(args: &Args, name: &str) -> bool {
    args[0].eq_ignore_ascii_case(name.as_bytes())
}

/// Whether the replies are alike but for how the same numbers are written.
fn same_numbers(pair: Pair<'_>) -> bool {
    let number = |reply| std::str::from_utf8(frame::text(reply)).ok()?.parse::<f64>().ok();
    match (frame::is_aggregate(pair.ours), frame::is_aggregate(pair.theirs)) {
        (true, true) => {
            let (ours, theirs) = (frame::children(pair.ours), frame::children(pair.theirs));
            let same = |(ours, theirs): (&&[u8], &&[u8])| ours == theirs || same_numbers(Pair { ours, theirs });
            pair.ours.first() == pair.theirs.first() && ours.len() == theirs.len() && ours.iter().zip(&theirs).all(same)
        }
        (false, false) => {
            let (ours, theirs) = (number(pair.ours), number(pair.theirs));
            pair.ours.first() == pair.theirs.first() && ours.is_some() && ours == theirs
        }
        _ => false,
    }
}
