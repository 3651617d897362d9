//! Scripts for twin runs: the commands of all families as scripts call them, and values that scripts make up.

use super::compare::{Pair, Rule};
use super::generator::{Args, Call, Step};
use super::known::{self, Verdict};
use crate::support::frame;
use crate::support::oracle::Kind;

/// Scripts that run the command that their arguments are.
const CALLERS: [&str; 6] = [
    "return redis.call(unpack(ARGV))",
    "return redis.pcall(unpack(ARGV))",
    "redis.setresp(3) return redis.call(unpack(ARGV))",
    "redis.setresp(3) local r = redis.pcall(unpack(ARGV)) return r",
    "local ok, r = pcall(redis.call, unpack(ARGV)) return {ok, r}",
    "local r = redis.pcall(unpack(ARGV)) return {r, type(r), r}",
];

/// How many of them, the first ones, return the command's reply as it is.
const UNWRAPPED: usize = 4;

/// How deep made-up values are nested at most.
const DEPTH: u32 = 3;

/// Has most of a step's commands called by scripts, and sometimes puts a script of its own in its place.
pub fn dress(step: Step, chance: &mut fastrand::Rng) -> Step {
    if chance.u8(..12) == 0 {
        let source = made_up(chance);
        return vec![Call { client: 0, args: vec![b"EVAL".into(), source.into(), b"0".into()], rule: Rule::Exact }];
    }
    // What chance draws is looked for in the reply behind it, which must be of the same form.
    let is_tied = step.iter().any(|call| matches!(call.rule, Rule::Drawn(_) | Rule::TableOrder(_)));
    let dress = |call: Call| {
        // What ties commands together does so outside of scripts.
        let is_control =
            ["multi", "exec", "discard", "watch", "unwatch", "select"].iter().any(|name| is(&call.args, name));
        if is_control || is_tied || chance.u8(..5) == 0 {
            return call;
        }
        // Rules look at whole replies, which the last of the scripts wrap.
        let most = if call.rule == Rule::Exact { CALLERS.len() } else { UNWRAPPED };
        let caller = CALLERS[chance.usize(..most)];
        let args = [&[b"EVAL".to_vec(), caller.into(), b"0".into()], &call.args[..]].concat();
        Call { args, rule: if caller.starts_with("return") { call.rule } else { loosen(call.rule) }, ..call }
    };
    step.into_iter().map(dress).collect()
}

/// Rules that look at whole elements do not fit what a script has wrapped.
fn loosen(rule: Rule) -> Rule {
    match rule {
        Rule::Exact => Rule::Exact,
        Rule::AnyOrder(_) | Rule::TableOrder(_) | Rule::Scanned(_) => Rule::AnyOrder(1),
        Rule::Near(most) => Rule::Near(most),
        _ => Rule::Shape,
    }
}

fn is(args: &Args, name: &str) -> bool {
    args.first().is_some_and(|arg| arg.eq_ignore_ascii_case(name.as_bytes()))
}

/// A script that returns some value.
fn made_up(chance: &mut fastrand::Rng) -> String {
    let speaks = ["", "", "redis.setresp(3) "][chance.usize(..3)];
    format!("{speaks}return {}", value(chance, DEPTH))
}

fn value(chance: &mut fastrand::Rng, depth: u32) -> String {
    const ATOMS: [&str; 26] = [
        "nil",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "3.75",
        "-3.75",
        "2^31",
        "2^53",
        "2^63",
        "-2^63",
        "2^100",
        "-2^100",
        "\"\"",
        "\"text\"",
        "\"a\\r\\nb\"",
        "\"\\1\\255\"",
        "redis.error_reply(\"BAD thing\")",
        "redis.error_reply(\"thing\")",
        "redis.status_reply(\"WELL\")",
        "redis.sha1hex(\"\")",
        "function() end",
        "setmetatable({}, {__index = function() return 5 end})",
        "#KEYS",
        "ARGV",
    ];
    if depth == 0 || chance.u8(..3) == 0 {
        return ATOMS[chance.usize(..ATOMS.len())].to_owned();
    }
    let mut inner = || value(chance, depth - 1);
    let (one, two, three) = (inner(), inner(), inner());
    match chance.u8(..14) {
        0 => format!("{{ok = {one}}}"),
        1 => format!("{{err = {one}}}"),
        2 => format!("{{double = {one}}}"),
        3 => format!("{{map = {{[1] = {one}}}}}"),
        4 => format!("{{map = {{a = {one}}}, double = {two}}}"),
        5 => "{set = {a = true}}".to_owned(),
        6 => format!("{{set = {{[1] = {one}}}}}"),
        7 => "{big_number = \"12345678901234567890\"}".to_owned(),
        8 => format!("{{big_number = {one}}}"),
        9 => format!("{{verbatim_string = {{format = \"txt\", string = {one}}}}}"),
        10 => format!("{{verbatim_string = {{format = {two}, string = {one}}}}}"),
        11 => format!("{{ok = {one}, err = {two}, map = {three}}}"),
        _ => format!("{{{one}, {two}, {three}}}"),
    }
}

/// What to think of a difference in what a script returned; `None` if none was called.
pub fn judge(server: Kind, args: &Args, pair: Pair<'_>) -> Option<Verdict> {
    if !is(args, "eval") || args.len() < 3 {
        return None;
    }
    // Tables of Lua have no order of their own, and over RESP2 they come as arrays.
    let makes_tables = [b"redis.setresp(3)".as_slice(), b"map =", b"set ="];
    let is_loose = makes_tables.iter().any(|words| args[1].windows(words.len()).any(|some| some == *words));
    let (ours, theirs) = (said(server, pair.ours, is_loose), said(server, pair.theirs, is_loose));
    if ours == theirs {
        return Some(Verdict::Known);
    }
    let caller = CALLERS.iter().find(|caller| caller.as_bytes() == args[1])?;
    if args.len() == 3 {
        return Some(Verdict::Unknown);
    }
    let refused = |said: &str| said.contains("not allowed from script");
    if server == Kind::Redis && refused(&theirs) && !refused(&ours) {
        // Waiting commands are refused to scripts before 7.2; since then they do not wait.
        return Some(Verdict::Parts);
    }
    // Where in what the script returned the command's reply is.
    let place = match caller.strip_suffix('}') {
        Some(wrapped) if wrapped.ends_with("{ok, r") => Some(1),
        Some(_) => Some(0),
        None => None,
    };
    let reply = |whole| match place {
        Some(place) => frame::children(whole).get(place).copied().unwrap_or(whole),
        None => whole,
    };
    let (ours, theirs) = (plain(reply(pair.ours)), plain(reply(pair.theirs)));
    let inner = args[3..].to_vec();
    Some(known::judge(server, &inner, Pair { ours: &ours, theirs: &theirs }))
}

/// A reply with all its nesting, with errors in Redis' words and without the place where they came from, and with what has no
/// order sorted; arrays as well if it is loose.
fn said(server: Kind, reply: &[u8], is_loose: bool) -> String {
    if !frame::is_aggregate(reply) {
        let text = String::from_utf8_lossy(&plain(reply)).into_owned();
        let number = std::str::from_utf8(frame::text(reply)).ok().and_then(|text| text.parse::<f64>().ok());
        return match number {
            // 7.0 writes doubles with 17 digits.
            Some(number) if server == Kind::Redis && !reply.starts_with(b":") => format!("{}{number}", &text[..1]),
            _ => text,
        };
    }
    let kind = char::from(reply[0]);
    let children: Vec<String> = frame::children(reply).iter().map(|child| said(server, child, is_loose)).collect();
    let mut groups: Vec<String> =
        children.chunks(if kind == '%' { 2 } else { 1 }).map(|group| group.join(" ")).collect();
    if is_loose || "%~".contains(kind) {
        groups.sort_unstable();
    }
    format!("{kind}{}[{}]", children.len(), groups.join(" | "))
}

/// A reply without the place where an error came from, and with Redis' words for what Valkey says in its own.
fn plain(reply: &[u8]) -> Vec<u8> {
    const WORDS: [(&str, &str); 5] = [
        ("Unknown command called from script", "Unknown Redis command called from script"),
        ("Wrong number of args calling command from script", "Wrong number of args calling Redis command from script"),
        ("This Valkey command is not allowed from script", "This Redis command is not allowed from script"),
        (
            "Please specify at least one argument for this call",
            "Please specify at least one argument for this redis lib call",
        ),
        (
            "Command arguments must be strings or integers",
            "Lua redis lib command arguments must be strings or integers",
        ),
    ];
    if frame::is_aggregate(reply) {
        return reply.to_vec();
    }
    let text = String::from_utf8_lossy(frame::text(reply));
    let is_error = reply.starts_with(b"-") || text.starts_with("ERR ");
    if !is_error {
        return reply.to_vec();
    }
    let mut text = text.split(" script: ").next().unwrap_or_default().trim_end().to_owned();
    if text.starts_with("ERR unknown subcommand") {
        text = "ERR Unknown Redis command called from script".into();
    }
    for (valkey, redis) in WORDS {
        text = text.replace(valkey, redis);
    }
    format!("-{text}\r\n").into_bytes()
}
