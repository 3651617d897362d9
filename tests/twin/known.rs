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
    /// The servers hold something else from here on: the rest of the sequence is not compared.
    parts: bool,
}

const KNOWN: &[Known] = &[
    Known {
        server: Kind::Redis,
        reason: "Small lists and sets are listpacks since 7.2.",
        is: |args, pair| shows_encoding(args, pair, &[(b"listpack", b"quicklist"), (b"listpack", b"hashtable")]),
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "Since 7.2 a collection is made for as many members as the command names, even if some are the same.",
        is: |args, pair| {
            let large: [(&[u8], &[u8]); 3] =
                [(b"skiplist", b"listpack"), (b"hashtable", b"intset"), (b"hashtable", b"listpack")];
            shows_encoding(args, pair, &large)
        },
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "7.0 writes scores with 17 digits, since 7.2 they have as few as tell them apart.",
        is: |args, pair| {
            let numbers = is_sorted_set(args) || command(args, "exec");
            numbers && same_numbers(pair) || command(args, "zscan") && same_scan(pair)
        },
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "7.0 does not look at a range before it has found the key.",
        is: |args, pair| {
            let is_one = command(args, "bitcount") || command(args, "bitpos");
            let found = [b":0\r\n", b":-1\r\n".as_slice()].contains(&pair.theirs)
                || frame::text(pair.theirs).starts_with(b"WRONGTYPE");
            is_one && frame::text(pair.ours).starts_with(b"ERR ") && found
        },
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "There BITCOUNT's end may be left out, and its unit is looked at before its end.",
        is: |args, pair| {
            let is_later = args.len() == 5 && frame::text(pair.theirs) == b"ERR syntax error";
            command(args, "bitcount") && frame::text(pair.ours).starts_with(b"ERR ") && (args.len() == 3 || is_later)
        },
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey keeps longer strings inside the key's allocation.",
        is: |args, pair| shows_encoding(args, pair, &[(b"embstr", b"raw"), (b"raw", b"embstr")]),
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey keeps as text what a script has stored as a number.",
        is: |args, pair| shows_encoding(args, pair, &[(b"int", b"embstr")]),
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "7.0 takes the least number as a rank or count, which has no positive counterpart; later versions refuse it.",
        is: |args, pair| {
            (command(args, "lpos") || command(args, "lrem"))
                && frame::text(pair.ours).starts_with(b"ERR value is out of range, value")
        },
        parts: true,
    },
    Known {
        server: Kind::Redis,
        reason: "7.0 takes negative and empty cursors and refuses spaces, later versions do neither.",
        is: |args, _| {
            let cursor = if command(args, "scan") { 1 } else { 2 };
            let is_scan = args[0].to_ascii_lowercase().ends_with(b"scan");
            is_scan && args.get(cursor).is_some_and(|arg| arg.is_empty() || b"- ".contains(&arg[0]))
        },
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "WITHSCORE is there since 7.2.",
        is: |args, _| (command(args, "zrank") || command(args, "zrevrank")) && args.len() > 3,
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey refuses types that SCAN does not know.",
        is: |args, pair| command(args, "scan") && frame::text(pair.theirs).starts_with(b"ERR unknown type name"),
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "LSET's index is cut to 32 bits there, so that one far outside can be one inside.",
        is: |args, pair| command(args, "lset") && pair.theirs == b"+OK\r\n" && args[2].len() > 10,
        parts: true,
    },
    Known {
        server: Kind::Redis,
        reason: "A key that SET gave a past expiry is counted until it is swept; here it is never there.",
        is: |args, pair| command(args, "dbsize") && pair.ours < pair.theirs,
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "The copy of a small number is not shared there; here all small numbers are alike.",
        is: |args, pair| command(args, "object") && pair.ours == b":2147483647\r\n" && pair.theirs == b":1\r\n",
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey makes a skip list as soon as a long member is named, even if it is not added.",
        is: |args, pair| shows_encoding(args, pair, &[(b"listpack", b"skiplist")]),
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "Only skip lists know a negative zero, and Valkey makes one as soon as any new member is long.",
        is: |args, pair| (is_sorted_set(args) || command(args, "exec")) && same_but_zeros(pair),
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey shares no small numbers.",
        is: |args, pair| command(args, "object") && pair.ours == b":2147483647\r\n",
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey looks at GETEX's time before it looks at the key.",
        is: |args, pair| command(args, "getex") && pair.theirs.starts_with(b"-ERR"),
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey takes no hexadecimal scores and none with spaces in front.",
        is: |args, pair| {
            let odd = |arg: &Vec<u8>| arg.windows(2).any(|two| two == b"0x" || two == b" 1");
            frame::text(pair.theirs).ends_with(b"float") && args.iter().any(odd)
        },
        parts: true,
    },
    Known {
        server: Kind::Redis,
        reason: "7.0 sorts no texts as numbers any more once it has met one that is too large or too small, in any command.",
        is: |args, pair| is_unsortable(args, pair.theirs) && !pair.ours.starts_with(b"-"),
        parts: true,
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey sorts numbers that are too small, but none that are empty, hexadecimal or end at a zero byte.",
        is: |args, pair| is_unsortable(args, pair.theirs) != is_unsortable(args, pair.ours),
        parts: true,
    },
    Known {
        server: Kind::Valkey,
        reason: "Nor are there such lengths.",
        is: |args, pair| {
            frame::text(pair.theirs).starts_with(b"ERR need numeric ") && args.iter().any(|arg| arg.starts_with(b"0x"))
        },
        parts: true,
    },
    Known {
        server: Kind::Valkey,
        reason: "There a member that is to be the center but does not exist is named.",
        is: |_, pair| {
            let (ours, theirs) = (frame::text(pair.ours), frame::text(pair.theirs));
            ours == b"ERR could not decode requested zset member" && theirs.ends_with(b" does not exist")
        },
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "There an area may also be a polygon.",
        is: |_, pair| {
            let (ours, theirs) = (frame::text(pair.ours), frame::text(pair.theirs));
            ours.starts_with(b"ERR exactly one of BYRADIUS and BYBOX ")
                && theirs.starts_with(b"ERR exactly one of BYRADIUS, ")
        },
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "The same two in a transaction.",
        is: |args, pair| {
            let (ours, theirs) = (frame::children(pair.ours), frame::children(pair.theirs));
            let refused =
                |theirs| frame::text(theirs).ends_with(b"float") || frame::text(theirs).ends_with(b"'getex' command");
            let mut both = ours.iter().zip(&theirs);
            command(args, "exec")
                && ours.len() == theirs.len()
                && both.find(|(ours, theirs)| ours != theirs).is_some_and(|(_, theirs)| refused(theirs))
        },
        parts: true,
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey counts a negative offset from the other end; Redis finds nothing there.",
        is: |args, _| {
            let is_limit = |pair: &[Vec<u8>]| pair[0].eq_ignore_ascii_case(b"limit") && pair[1].starts_with(b"-");
            is_sorted_set(args) && args.windows(2).any(is_limit)
        },
        parts: true,
    },
    Known {
        server: Kind::Redis,
        reason: "Since 7.2 claiming in vain makes a consumer, and consumers have a time of their last success.",
        is: |args, pair| {
            let about = |word: &str| args.get(1).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
            let shows = |word: &[u8]| frame::leaves(pair.ours).iter().any(|leaf| frame::text(leaf) == word);
            let consumers =
                command(args, "xinfo") && (shows(b"inactive") || shows(b"active-time") || shows(b"consumers"));
            consumers && same_head(pair) || command(args, "xgroup") && about("createconsumer")
        },
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "Later versions know better how far a group has come.",
        is: same_but_progress,
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "Redis 7.4 and later know better how far a group has come.",
        is: same_but_progress,
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "`+` is an ID of XREAD since 7.4.",
        is: |args, pair| {
            (command(args, "xread") || command(args, "xreadgroup"))
                && args.iter().any(|arg| arg == b"+")
                && frame::text(pair.theirs).starts_with(b"ERR Invalid stream ID")
        },
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "Since 7.2 XSETID looks at the greatest deleted ID of empty streams too.",
        is: |args, pair| {
            command(args, "xsetid") && frame::text(pair.ours).ends_with(b"smaller than current max_deleted_entry_id")
        },
        parts: true,
    },
    Known {
        server: Kind::Redis,
        reason: "A block of which trimming leaves nothing alive goes here; there it stays, and counts, until more goes.",
        is: |args, pair| (command(args, "xinfo") || command(args, "exec")) && same_but_nodes(pair),
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "A block of which trimming leaves nothing alive goes here; there it stays, and counts, until more goes.",
        is: |args, pair| (command(args, "xinfo") || command(args, "exec")) && same_but_nodes(pair),
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "Nothing is allocated here for what COUNT only promises.",
        is: is_too_much,
        parts: true,
    },
    Known {
        server: Kind::Valkey,
        reason: "Nothing is allocated here for what COUNT only promises.",
        is: is_too_much,
        parts: true,
    },
    Known {
        server: Kind::Redis,
        reason: "7.4 says it differently, as `+` is an ID since then.",
        is: is_unbalanced,
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "7.4 says it differently, as `+` is an ID since then.",
        is: is_unbalanced,
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "Since 7.2 what a client says to itself comes behind the reply of the command that said it.",
        is: |_, pair| frame::all(pair.ours).len() > 1 && sorted_leaves(pair.ours) == sorted_leaves(pair.theirs),
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "Since 7.2 the command of one who waits is tried again as a whole, and meets what is under all of its keys.",
        is: |args, pair| {
            let key = |reply| frame::children(reply).first().map(|first| first.to_vec());
            let is_fed =
                |reply: &[u8]| reply.starts_with(b"%") || reply.starts_with(b"*") && !reply.starts_with(b"*-1");
            let (ours, theirs) = (answer(pair.ours), answer(pair.theirs));
            let more_keys = frame::children(ours).len() > frame::children(theirs).len();
            let other_key = is_fed(ours) && is_fed(theirs) && (key(ours) != key(theirs) || more_keys);
            is_waiting(args) && (answer(pair.ours).starts_with(b"-WRONGTYPE") || other_key)
        },
        parts: true,
    },
    Known {
        server: Kind::Redis,
        reason: "Since 7.2 a consumer that waits is made before it waits, and its event is told then.",
        is: |_, pair| {
            let is_event = |leaf: &&[u8]| frame::text(leaf) == b"xgroup-createconsumer";
            sorted_leaves(pair.ours).iter().any(is_event) || sorted_leaves(pair.theirs).iter().any(is_event)
        },
        parts: true,
    },
    Known {
        server: Kind::Redis,
        reason: "Since 7.2 a group's reader whose group goes is told what he would be told if he asked again.",
        is: |args, pair| {
            let theirs = answer(pair.theirs);
            let has_ended = theirs.starts_with(b"-UNBLOCKED") || theirs.starts_with(b"-NOGROUP");
            command(args, "xreadgroup") && answer(pair.ours).starts_with(b"-NOGROUP") && has_ended
        },
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "There a waiting command meets all of its keys again, here only those of the shards that have changed.",
        is: |args, pair| is_waiting(args) && answer(pair.theirs).starts_with(b"-WRONGTYPE"),
        parts: true,
    },
    Known {
        server: Kind::Valkey,
        reason: "Who has waited over RESP3 hears of what his own command did before its reply: whoever feeds him tells him.",
        is: |args, pair| {
            let has_waited = is_waiting(args) || command(args, "blmove") || command(args, "brpoplpush");
            has_waited && pair.ours.starts_with(b">") && sorted_leaves(pair.ours) == sorted_leaves(pair.theirs)
        },
        parts: false,
    },
    Known {
        server: Kind::Redis,
        reason: "Fields of hashes have deadlines since 7.4.",
        is: |args, pair| is_about_fields(args) && frame::text(pair.theirs).starts_with(b"ERR unknown command"),
        parts: true,
    },
    Known {
        server: Kind::Valkey,
        reason: "A small hash whose fields have had deadlines is a listpack of its own kind in Redis, a table in Valkey.",
        is: |args, pair| shows_encoding(args, pair, &[(b"listpackex", b"hashtable")]),
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "HGETEX takes a key for the word FIELDS there.",
        is: |args, pair| {
            let is_word = args.get(1).is_some_and(|key| key.eq_ignore_ascii_case(b"fields"));
            command(args, "hgetex") && is_word && frame::text(pair.ours).starts_with(b"ERR numfields")
        },
        parts: false,
    },
    Known {
        server: Kind::Valkey,
        reason: "HSETEX takes NX and XX there, which are about the key.",
        is: |args, pair| {
            let is_extra = |arg: &Vec<u8>| arg.eq_ignore_ascii_case(b"nx") || arg.eq_ignore_ascii_case(b"xx");
            command(args, "hsetex") && args.iter().any(is_extra) && frame::text(pair.ours) == b"ERR syntax error"
        },
        parts: true,
    },
    Known {
        server: Kind::Valkey,
        reason: "Valkey refuses MULTI and WATCH in a queue as it refuses any command there, and aborts the transaction.",
        is: |args, pair| {
            (command(args, "multi") || command(args, "watch"))
                && frame::text(answer(pair.theirs)).ends_with(b"not allowed inside a transaction")
        },
        parts: true,
    },
];

/// What to think of a difference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Unknown,
    Known,
    /// Known, and the servers part ways.
    Parts,
}

/// Looks a difference up.
pub fn judge(server: Kind, args: &Args, pair: Pair<'_>) -> Verdict {
    if let Some(verdict) = super::script::judge(server, args, pair) {
        return verdict;
    }
    match KNOWN.iter().find(|known| known.server == server && (known.is)(args, pair)) {
        None => Verdict::Unknown,
        Some(known) if known.parts => Verdict::Parts,
        Some(_) => Verdict::Known,
    }
}

fn command(args: &Args, name: &str) -> bool {
    args[0].eq_ignore_ascii_case(name.as_bytes())
}

/// Whether this is a command about the deadlines of hash fields.
fn is_about_fields(args: &Args) -> bool {
    let name = args[0].to_ascii_lowercase();
    let is_other = ["hpersist", "hgetex", "hsetex", "hgetdel"].iter().any(|other| name == other.as_bytes());
    is_other
        || name.starts_with(b"h")
            && [b"expire".as_slice(), b"expireat", b"expiretime", b"ttl"].iter().any(|end| name.ends_with(end))
}

/// Whether this is a command on several keys that waits for one of them.
fn is_waiting(args: &Args) -> bool {
    ["blpop", "brpop", "blmpop", "bzpopmin", "bzpopmax", "bzmpop", "xread", "xreadgroup"]
        .iter()
        .any(|name| command(args, name))
}

/// The first of several replies that is no message.
fn answer(replies: &[u8]) -> &[u8] {
    frame::all(replies).into_iter().find(|reply| !reply.starts_with(b">")).unwrap_or_default()
}

/// What several replies hold when all nesting is taken away, in a fixed order.
fn sorted_leaves(replies: &[u8]) -> Vec<&[u8]> {
    let mut leaves: Vec<_> = frame::all(replies).into_iter().flat_map(frame::leaves).collect();
    leaves.sort_unstable();
    leaves
}

fn same_head(pair: Pair<'_>) -> bool {
    pair.ours.first() == pair.theirs.first()
}

/// Whether XINFO's replies differ only in how much a group has read and has yet to read.
fn same_but_progress(args: &Args, pair: Pair<'_>) -> bool {
    let (ours, theirs) = (frame::leaves(pair.ours), frame::leaves(pair.theirs));
    let is_progress = |at: usize| {
        let name = at.checked_sub(1).map(|before| frame::text(ours[before]));
        name.is_some_and(|name| name == b"lag" || name == b"entries-read")
    };
    let is_time = |at: usize| at > 0 && ours[at].starts_with(b":1") && ours[at].len() == 16;
    let same = |at: usize| ours[at] == theirs[at] || is_progress(at) || is_time(at);
    command(args, "xinfo") && ours.len() == theirs.len() && (0..ours.len()).all(same)
}

fn is_too_much(args: &Args, pair: Pair<'_>) -> bool {
    command(args, "xautoclaim") && frame::text(pair.theirs).starts_with(b"ERR Insufficient memory")
}

fn is_unbalanced(_: &Args, pair: Pair<'_>) -> bool {
    [pair.ours, pair.theirs].iter().all(|reply| frame::text(reply).starts_with(b"ERR Unbalanced "))
}

fn is_unsortable(args: &Args, reply: &[u8]) -> bool {
    let is_refused = frame::text(reply) == b"ERR One or more scores can't be converted into double";
    is_refused && (command(args, "sort") || command(args, "sort_ro"))
}

fn is_sorted_set(args: &Args) -> bool {
    args[0].first().is_some_and(|first| first.eq_ignore_ascii_case(&b'z'))
}

/// Whether the replies are one of these pairs of encodings, ours first; those of EXEC may hold several.
fn shows_encoding(args: &Args, pair: Pair<'_>, pairs: &[(&[u8], &[u8])]) -> bool {
    let is_one = |ours, theirs| pairs.contains(&(frame::text(ours), frame::text(theirs)));
    if command(args, "exec") {
        let (ours, theirs) = (frame::children(pair.ours), frame::children(pair.theirs));
        let mut both = ours.iter().zip(&theirs);
        return ours.len() == theirs.len() && both.all(|(ours, theirs)| ours == theirs || is_one(ours, theirs));
    }
    command(args, "object") && is_one(pair.ours, pair.theirs)
}

/// Whether the replies are alike but for how the same numbers are written.
fn same_numbers(pair: Pair<'_>) -> bool {
    let alike = pair.ours.first() == pair.theirs.first();
    if frame::is_aggregate(pair.ours) {
        let (ours, theirs) = (frame::children(pair.ours), frame::children(pair.theirs));
        let same = |(ours, theirs): (&&[u8], &&[u8])| same_numbers(Pair { ours, theirs });
        return alike && ours.len() == theirs.len() && ours.iter().zip(&theirs).all(same);
    }
    let number = |reply| std::str::from_utf8(frame::text(reply)).ok()?.parse::<f64>().ok();
    let (ours, theirs) = (number(pair.ours), number(pair.theirs));
    pair.ours == pair.theirs || alike && ours.is_some() && ours == theirs
}

/// Whether the replies have the same elements in any order, if negative zeros are none.
/// Whether replies are the same but for the numbers of a stream's blocks and of the nodes above them.
fn same_but_nodes(pair: Pair<'_>) -> bool {
    let elements = |reply| {
        let texts: Vec<&[u8]> = frame::leaves(reply).into_iter().map(frame::text).collect();
        let is_count = |at: usize| at > 0 && texts[at - 1].starts_with(b"radix-tree-");
        (0..texts.len()).filter(|at| !is_count(*at)).map(|at| texts[at].to_vec()).collect::<Vec<_>>()
    };
    elements(pair.ours) == elements(pair.theirs)
}

fn same_but_zeros(pair: Pair<'_>) -> bool {
    let elements = |reply| {
        let zero = |text| if text == b"-0" { b"0".as_slice() } else { text };
        let mut elements: Vec<_> = frame::leaves(reply).into_iter().map(frame::text).map(zero).collect();
        elements.sort_unstable();
        elements
    };
    pair.ours.first() == pair.theirs.first() && elements(pair.ours) == elements(pair.theirs)
}

/// As [`same_numbers`] for ZSCAN, whose members come in any order.
fn same_scan(pair: Pair<'_>) -> bool {
    let members = |reply| {
        let leaves = frame::leaves(reply);
        let score = |score| std::str::from_utf8(frame::text(score)).ok()?.parse::<f64>().ok();
        let mut members: Vec<_> =
            leaves[1..].chunks(2).map(|two| (two[0].to_vec(), score(two[two.len() - 1]))).collect();
        members.sort_by(|one, other| one.0.cmp(&other.0));
        members
    };
    frame::is_aggregate(pair.ours) && frame::is_aggregate(pair.theirs) && members(pair.ours) == members(pair.theirs)
}
