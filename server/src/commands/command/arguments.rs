//! The tree of a command's arguments, read from its syntax line; nothing of how COMMAND DOCS writes it.
//!
//! `[x]` may be left out, `<x>` groups, `a | b` is a choice, `X` in capitals is a word to be written as it is, and
//! `x [x ...]` or `x ...` can be repeated. A word in capitals takes the names behind it as its values.

use crate::command::Command;

/// How an empty argument is written.
const EMPTY: &str = "\"\"";

/// An argument, or a group of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Argument {
    pub(super) name: String,
    /// In COMMAND DOCS' words.
    pub(super) kind: &'static str,
    /// The word in front of it, or the word that it is.
    pub(super) token: Option<String>,
    pub(super) optional: bool,
    pub(super) multiple: bool,
    /// The word in front is repeated with it.
    pub(super) multiple_token: bool,
    /// Which of the command's key specifications finds it.
    pub(super) key_spec: Option<usize>,
    pub(super) arguments: Vec<Argument>,
    /// The part of the syntax that it was read from, with and without its token.
    source: String,
    bare_source: String,
}

/// The arguments of a command.
pub(super) fn of(command: &Command) -> Vec<Argument> {
    let symbols = symbols(command.syntax);
    let mut parser = Parser { symbols: &symbols, at: 0, command: command.name };
    let mut arguments = parser.sequence(&[]);
    number_keys(&mut arguments, command.keys.iter().flatten().count(), &mut 0);
    arguments
}

/// Each key argument belongs to the next specification; if there are fewer of those, the last one finds the rest.
fn number_keys(arguments: &mut [Argument], specs: usize, next: &mut usize) {
    for argument in arguments {
        if matches!(argument.name.as_str(), "by-pattern" | "get-pattern") {
            // The keys that patterns lead to have a specification in common.
            argument.key_spec = Some(1);
            *next = 2;
        }
        if argument.kind == "key" && specs > 0 {
            argument.key_spec = Some((*next).min(specs - 1));
            *next += 1;
        }
        number_keys(&mut argument.arguments, specs, next);
    }
}

fn symbols(syntax: &str) -> Vec<String> {
    let mut symbols = Vec::new();
    for word in syntax.split_ascii_whitespace() {
        let inner = word.trim_start_matches(['[', '<']);
        symbols.extend(word[..word.len() - inner.len()].chars().map(String::from));
        let name = inner.trim_end_matches([']', '>']);
        // Operators of streams are words that consist of a bracket.
        if !name.is_empty() {
            symbols.push(name.to_owned());
        }
        symbols.extend(inner[name.len()..].chars().map(String::from));
    }
    symbols
}

/// Reads arguments from symbols.
struct Parser<'a> {
    symbols: &'a [String],
    at: usize,
    command: &'static str,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.symbols.get(self.at).map(String::as_str)
    }

    fn skip(&mut self, symbol: &str) -> bool {
        let found = self.peek() == Some(symbol);
        self.at += usize::from(found);
        found
    }

    /// Arguments up to the end or one of `ends`.
    fn sequence(&mut self, ends: &[&str]) -> Vec<Argument> {
        let mut arguments = Vec::new();
        while let Some(symbol) = self.peek().filter(|symbol| !ends.contains(symbol)) {
            if symbol == "[" && self.repeat(&mut arguments) {
                continue;
            }
            if self.skip("...") {
                if let Some(last) = arguments.last_mut() {
                    last.multiple = true;
                }
                continue;
            }
            arguments.push(self.item());
        }
        arguments
    }

    /// `[x ...]` behind `x`: has the arguments before it be multiple. Returns false, and reads nothing, if it is not that.
    fn repeat(&mut self, arguments: &mut Vec<Argument>) -> bool {
        let mut depth = 0;
        let end = self.symbols[self.at..].iter().position(|symbol| {
            depth += i32::from(symbol == "[") - i32::from(symbol == "]");
            depth == 0
        });
        let Some(end) = end.map(|end| self.at + end) else { return false };
        let [repeated @ .., dots] = &self.symbols[self.at + 1..end] else { return false };
        if dots != "..." {
            return false;
        }
        let repeated = repeated.join(" ");
        for first in (0..arguments.len()).rev() {
            let group = &arguments[first..];
            let source = |argument: &Argument| argument.source.clone();
            let joined = group.iter().map(source).collect::<Vec<_>>().join(" ");
            let bare = group[0].bare_source == repeated;
            if joined != repeated && !(group.len() == 1 && bare) {
                continue;
            }
            if group.len() == 1 {
                let argument = &mut arguments[first];
                argument.multiple = true;
                argument.multiple_token = argument.token.is_some() && !bare;
            } else {
                let group = arguments.split_off(first);
                arguments.push(Argument { multiple: true, ..block(group) });
            }
            self.at = end + 1;
            return true;
        }
        false
    }

    fn item(&mut self) -> Argument {
        let start = self.at;
        let mut argument = if self.skip("[") {
            let choice = self.choice("]");
            Argument { optional: true, ..choice }
        } else if self.skip("<") {
            self.choice(">")
        } else {
            let word = self.peek().unwrap_or_default().to_owned();
            self.at += 1;
            if is_token(&word) { self.token(word) } else { self.value(word) }
        };
        argument.source = self.symbols[start..self.at].join(" ");
        if argument.bare_source.is_empty() {
            argument.bare_source = argument.source.clone();
        }
        argument
    }

    /// What stands between brackets.
    fn choice(&mut self, end: &str) -> Argument {
        let mut choices = Vec::new();
        loop {
            let mut alternative = self.sequence(&["|", end]);
            choices.push(if alternative.len() == 1 { alternative.swap_remove(0) } else { block(alternative) });
            if !self.skip("|") {
                break;
            }
        }
        self.skip(end);
        if choices.len() == 1 {
            return choices.swap_remove(0);
        }
        Argument { name: joined_names(&choices), kind: "oneof", arguments: choices, ..Argument::default() }
    }

    /// A word in capitals with the values behind it, up to what may be left out or the next such word.
    fn token(&mut self, word: String) -> Argument {
        let start = self.at;
        let mut values: Vec<Argument> = Vec::new();
        while let Some(symbol) = self.peek() {
            if symbol == "[" {
                if values.is_empty() || !self.repeat(&mut values) {
                    break;
                }
            } else if matches!(symbol, "|" | "]" | ">" | "...") || is_token(symbol) {
                break;
            } else {
                let value = self.item();
                values.push(value);
            }
        }
        let bare_source = self.symbols[start..self.at].join(" ");
        let argument = match values.len() {
            0 => Argument { name: word.to_ascii_lowercase(), kind: "pure-token", ..Argument::default() },
            1 => values.swap_remove(0),
            _ => Argument { name: word.to_ascii_lowercase(), ..block(values) },
        };
        if word == EMPTY {
            return Argument { name: "empty-string".into(), token: Some(String::new()), bare_source, ..argument };
        }
        Argument { token: Some(word), bare_source, ..argument }
    }

    fn value(&self, name: String) -> Argument {
        let kind = kind_of(self.command, &name);
        Argument { name, kind, ..Argument::default() }
    }
}

fn block(arguments: Vec<Argument>) -> Argument {
    Argument { name: joined_names(&arguments), kind: "block", arguments, ..Argument::default() }
}

fn joined_names(arguments: &[Argument]) -> String {
    arguments.iter().map(|argument| argument.name.as_str()).collect::<Vec<_>>().join("_")
}

/// Capitals, digits and dashes, or a word without any letter, such as `=`.
fn is_token(word: &str) -> bool {
    !word.contains(|character: char| character.is_ascii_lowercase())
        && !matches!(word, "[" | "]" | "<" | ">" | "|" | "...")
}

/// The kind of value that a name stands for.
fn kind_of(command: &str, name: &str) -> &'static str {
    match name {
        // The slot of a key can be asked for whether or not there is one.
        "key" if command == "cluster|keyslot" => "string",
        "keys" if command == "migrate" => "key",
        "key" | "key1" | "key2" | "newkey" | "source" | "destination" | "sourcekey" | "destkey" | "src" | "dst"
        | "storekey" | "storedistkey" => "key",
        "pattern" | "by-pattern" | "get-pattern" => "pattern",
        "unix-time-seconds" | "unix-time-milliseconds" => "unix-time",
        "score" | "radius" | "longitude" | "latitude" | "width" | "height" => "double",
        "increment" if command.ends_with("byfloat") => "double",
        "timeout" if !matches!(command, "wait" | "waitaof" | "migrate" | "client|pause") => "double",
        "min" | "max" if matches!(command, "zcount" | "zrangebyscore" | "zrevrangebyscore" | "zremrangebyscore") => {
            "double"
        }
        "start" | "stop" | "end" if matches!(command, "zrange" | "zrangestore") || command.starts_with('x') => "string",
        "min-idle-time" if matches!(command, "xpending" | "xreadgroup") => "integer",
        "value" if command.starts_with("bit") || command == "setbit" => "integer",
        "count" | "cursor" | "db" | "decrement" | "destination-db" | "end" | "increment" | "index" | "index1"
        | "index2" | "integer" | "len" | "limit" | "milliseconds" | "min-match-len" | "num-matches" | "numfields"
        | "numkeys" | "numreplicas" | "numlocal" | "offset" | "protover" | "rank" | "seconds" | "start" | "stop"
        | "weight" | "numids" | "entries-added" | "entriesread" | "ms" | "client-id" | "maxage" | "bit"
        | "frequency" | "ttl" | "timeout" | "bits" | "port" | "cluster-bus-port" | "slot" | "start-slot"
        | "end-slot" | "config-epoch" | "version" => "integer",
        _ => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(arguments: &[Argument]) -> String {
        let shown = arguments.iter().map(|argument| {
            let inner = if argument.arguments.is_empty() {
                format!("{}:{}", argument.name, argument.kind)
            } else {
                format!("{}({})", argument.kind, show(&argument.arguments))
            };
            let token = argument.token.as_ref().map_or(String::new(), |token| format!("{token}="));
            let flags = [(argument.optional, "?"), (argument.multiple, "*"), (argument.multiple_token, "!")];
            let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark).collect();
            format!("{token}{inner}{flags}")
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    fn check(syntax: &str, expected: &str) {
        let symbols = symbols(syntax);
        let mut parser = Parser { symbols: &symbols, at: 0, command: "test" };
        assert_eq!(show(&parser.sequence(&[])), expected, "{syntax}");
        assert_eq!(parser.at, symbols.len());
    }

    #[test]
    fn syntax_becomes_a_tree() {
        check("key", "key:key");
        check("key [key ...]", "key:key*");
        check("key value [key value ...]", "block(key:key value:string)*");
        check("[section [section ...]]", "section:string?*");
        check("[NX | XX] [GET]", "oneof(NX=nx:pure-token XX=xx:pure-token)? GET=get:pure-token?");
        check("[EX seconds | KEEPTTL]", "oneof(EX=seconds:integer KEEPTTL=keepttl:pure-token)?");
        check("[LIMIT offset count]", "LIMIT=block(offset:integer count:integer)?");
        check("[GET pattern [GET pattern ...]]", "GET=pattern:pattern?*!");
        check("[WEIGHTS weight [weight ...]]", "WEIGHTS=weight:integer?*");
        check("FIELDS numfields field [field ...]", "FIELDS=block(numfields:integer field:string*)");
        check("STREAMS key [key ...] id [id ...]", "STREAMS=block(key:key* id:string*)");
        check("[AGGREGATE <SUM | MIN>]", "AGGREGATE=oneof(SUM=sum:pure-token MIN=min:pure-token)?");
        check(
            "<LEFT | RIGHT> [a [B b] [C c]]",
            "oneof(LEFT=left:pure-token RIGHT=right:pure-token) block(a:string B=b:string? C=c:string?)?",
        );
        check(
            "[<MAXLEN | MINID> [= | ~] threshold [LIMIT count]]",
            "block(oneof(MAXLEN=maxlen:pure-token MINID=minid:pure-token) oneof(===:pure-token ~=~:pure-token)? threshold:string LIMIT=count:integer?)?",
        );
        check("<a | <ID b | C> ...>", "oneof(a:string oneof(ID=b:string C=c:pure-token)*)");
    }
}
