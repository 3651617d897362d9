//! What a server holds, in a form in which two servers can be compared.

use super::Connection;
use super::transcript::quote;
use resplite::{Client, Value};
use std::collections::BTreeMap;

/// Databases of every server here.
const DATABASES: usize = 16;
/// Differences that a failure shows.
const MOST_SHOWN: usize = 8;

/// Whoever answers commands.
pub trait Answers {
    fn ask(&mut self, args: &[&[u8]]) -> Value;
}

impl Answers for Connection {
    fn ask(&mut self, args: &[&[u8]]) -> Value {
        self.call(args)
    }
}

impl Answers for Client {
    fn ask(&mut self, args: &[&[u8]]) -> Value {
        self.call(args)
    }
}

/// A key's value and what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    pub kind: String,
    /// Elements, or fields and values, or members and scores; in a fixed order where the server has none.
    pub value: Vec<Vec<u8>>,
    /// Milliseconds since the epoch; -1 if there is none.
    pub deadline: i64,
    pub encoding: String,
}

/// Everything, by database and key.
pub type Content = BTreeMap<(usize, Vec<u8>), Held>;

/// Asks for everything. The connection is left in database 0.
pub fn content(server: &mut impl Answers) -> Content {
    let mut content = Content::new();
    for db in 0..DATABASES {
        assert!(server.ask(&[b"SELECT", db.to_string().as_bytes()]).is_ok());
        for key in bytes(server.ask(&[b"KEYS", b"*"])) {
            let held = held(server, &key);
            content.insert((db, key), held);
        }
    }
    assert!(server.ask(&[b"SELECT", b"0"]).is_ok());
    content
}

fn held(server: &mut impl Answers, key: &[u8]) -> Held {
    let kind = text(server.ask(&[b"TYPE", key]));
    // Before the value is read: reading changes no encoding, but nobody has to believe that.
    let encoding = text(server.ask(&[b"OBJECT", b"ENCODING", key]));
    let mut value = match kind.as_str() {
        "string" => bytes(Value::Array(vec![server.ask(&[b"GET", key])])),
        "list" => bytes(server.ask(&[b"LRANGE", key, b"0", b"-1"])),
        "set" => bytes(server.ask(&[b"SMEMBERS", key])),
        "hash" => bytes(server.ask(&[b"HGETALL", key])),
        "zset" => bytes(server.ask(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"])),
        "stream" => stream(&server.ask(&[b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"])),
        other => panic!("a key of the type {other}: {}", quote(key)),
    };
    match kind.as_str() {
        "set" => value.sort_unstable(),
        "hash" => {
            let mut pairs: Vec<_> = value.chunks_exact(2).map(<[_]>::to_vec).collect();
            pairs.sort_unstable();
            let until = field_deadlines(server, key, &pairs);
            value = pairs.concat();
            value.extend(until);
        }
        // Redis 7.0 shows more digits than are needed.
        "zset" => value.iter_mut().skip(1).step_by(2).for_each(|score| {
            let number: f64 = String::from_utf8_lossy(score).parse().expect("a score");
            *score = number.to_string().into_bytes();
        }),
        _ => {}
    }
    let deadline = server.ask(&[b"PEXPIRETIME", key]).as_int().expect("a deadline or none");
    Held { kind, value, deadline, encoding }
}

/// What goes when, of those fields that have a deadline; nothing on servers whose fields have none.
fn field_deadlines(server: &mut impl Answers, key: &[u8], pairs: &[Vec<Vec<u8>>]) -> Vec<Vec<u8>> {
    let count = pairs.len().to_string();
    let mut ask: Vec<&[u8]> = vec![b"HPEXPIRETIME", key, b"FIELDS", count.as_bytes()];
    ask.extend(pairs.iter().map(|pair| &*pair[0]));
    let times = server.ask(&ask).into_vec();
    let timed =
        times.iter().zip(pairs).filter_map(|(time, pair)| Some((time.as_int().filter(|at| *at > 0)?, &pair[0])));
    timed.map(|(at, field)| [field, b" until ".as_slice(), at.to_string().as_bytes()].concat()).collect()
}

/// All that XINFO STREAM FULL tells, but for what is worked out and not kept, what servers of before 7.2 do not know, and
/// how many blocks the entries lie in, which depends on the settings.
fn stream(value: &Value) -> Vec<Vec<u8>> {
    const LEFT_OUT: [&[u8]; 5] = [b"radix-tree-keys", b"radix-tree-nodes", b"seen-time", b"active-time", b"lag"];
    let Some(elements) = value.as_slice() else {
        let number = value.as_int().map(|number| number.to_string().into_bytes());
        return vec![value.as_bytes().map(<[u8]>::to_vec).or(number).unwrap_or_default()];
    };
    let is_left_out = |at: usize| elements[at].as_bytes().is_some_and(|name| LEFT_OUT.contains(&name));
    let kept = (0..elements.len()).filter(|at| !is_left_out(*at) && (*at == 0 || !is_left_out(*at - 1)));
    kept.flat_map(|at| stream(&elements[at])).collect()
}

fn bytes(value: Value) -> Vec<Vec<u8>> {
    let elements = value.as_slice().unwrap_or_else(|| panic!("not an array: {value:?}"));
    elements.iter().map(|element| element.as_bytes().expect("bytes").to_vec()).collect()
}

fn text(value: Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value:?}")).to_owned()
}

/// Fails unless both hold the same; beyond what a string forgets on its way, `encodings` says which encodings, first and second, are as good as equal.
#[track_caller]
pub fn assert_same(what: &str, first: &Content, second: &Content, encodings: impl Fn(&str, &str) -> bool) {
    let is_same = |first: &Held, second: &Held| {
        let encoded = Held { encoding: second.encoding.clone(), ..first.clone() };
        let (one, other) = (first.encoding.as_str(), second.encoding.as_str());
        // How a string came about is forgotten when it is written as what it is.
        let is_forgotten = Some(one) == fresh_encoding(first) || Some(other) == fresh_encoding(second);
        encoded == *second && (one == other || is_forgotten || encodings(one, other))
    };
    let mut names: Vec<_> = first.keys().chain(second.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differs = |name: &&(usize, Vec<u8>)| match (first.get(*name), second.get(*name)) {
        (Some(first), Some(second)) => !is_same(first, second),
        _ => true,
    };
    let differences: Vec<_> = names.into_iter().filter(differs).collect();
    let show = |held: Option<&Held>| match held {
        None => "nothing".to_owned(),
        Some(held) => {
            let value: Vec<String> = held.value.iter().map(|element| shorten(quote(element), 100)).collect();
            let Held { kind, encoding, deadline, .. } = held;
            format!("{kind} {encoding} until {deadline}: {}", shorten(value.join(" "), 600))
        }
    };
    let shown: Vec<String> = differences
        .iter()
        .take(MOST_SHOWN)
        .map(|name| {
            let (first, second) = (show(first.get(*name)), show(second.get(*name)));
            format!("{} in database {}\n  {first}\n  {second}", quote(&name.1), name.0)
        })
        .collect();
    assert!(differences.is_empty(), "{what}: {} keys differ\n{}", differences.len(), shown.join("\n"));
}

/// The encoding that SET gives a string; `None` for anything else.
fn fresh_encoding(held: &Held) -> Option<&'static str> {
    let [value] = held.value.as_slice() else { return None };
    let is_int = |text: &str| text.parse::<i64>().is_ok_and(|number| number.to_string() == text);
    match held.kind == "string" {
        false => None,
        true if std::str::from_utf8(value).is_ok_and(is_int) => Some("int"),
        true => Some(if value.len() <= 44 { "embstr" } else { "raw" }),
    }
}

fn shorten(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}
