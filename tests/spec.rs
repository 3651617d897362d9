//! The command table against the facts of Redis' command specification: arity, flags, categories, keys, arguments.

use resplite::{Client, Server, Value};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Newest version of Redis whose facts count; what came later is left out of the comparison.
const NEWEST: (u32, u32, u32) = (7, 4, 99);

/// Differences that are meant: the command, what differs, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("bitop", "arguments", "DIFF, DIFF1, ANDOR and ONE have come with 8.2"),
    ("client kill", "arguments", "the specification marks each filter as optional; one is needed"),
    ("set", "arguments", "IFEQ, IFNE, IFDEQ and IFDNE have come with 8.4"),
    ("cluster slot-stats", "categories", "the facts have none"),
    ("xadd", "keys", "the facts have no flags here"),
    ("xreadgroup", "arguments", "CLAIM has come with 8.4"),
    ("xtrim", "arguments", "what becomes of deliveries has come with 8.2"),
];

/// Commands that another server has and Redis does not.
const ELSEWHERE: &[(&str, &str)] = &[("script show", "Valkey 8.0")];

/// Words that came after that version without the specification saying when: the command and the word.
const NEWER: &[(&str, &str)] =
    &[("zinter", "COUNT"), ("zinterstore", "COUNT"), ("zunion", "COUNT"), ("zunionstore", "COUNT")];

#[test]
fn the_command_table_agrees_with_the_specification() {
    let spec: Json = serde_json::from_str(include_str!("data/commands.json")).expect("the facts are JSON");
    let server = Server::builder().no_port().start().expect("a server without sockets starts");
    let mut client = server.client();
    client.call(["HELLO", "3"]);
    let mut differences = Vec::new();
    for info in client.call(["COMMAND"]).into_vec() {
        compare(&spec, &mut client, info.into_vec(), &mut differences);
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

/// The commands that the README says do not exist yet, each with the reason.
fn missing() -> Vec<(String, String)> {
    let readme = include_str!("../README.md");
    let section = readme.split("### Commands that do not exist yet").nth(1).expect("the README has the table");
    let section = section.split("\n#").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once(" | "));
    rows.flat_map(|(names, reason)| names.split(", ").map(|name| (name.replace('`', ""), reason.to_owned()))).collect()
}

#[test]
fn every_command_of_the_specification_is_there_or_the_readme_says_why_not() {
    let spec: Json = serde_json::from_str(include_str!("data/commands.json")).expect("the facts are JSON");
    let spec: BTreeSet<String> = spec.as_object().expect("by name").keys().cloned().collect();
    assert_eq!(spec.len(), 434, "the README says how many there are");
    let server = Server::builder().no_port().start().expect("a server without sockets starts");
    let there = server.client().call(["COMMAND", "LIST"]);
    let there: BTreeSet<String> = words(&there).iter().map(|name| name.replace('|', " ").to_uppercase()).collect();
    let missing = missing();
    let names: BTreeSet<String> = missing.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names.len(), missing.len(), "a command has one reason");
    assert!(missing.iter().all(|(_, reason)| reason.len() > 10 && reason.ends_with('.')), "each has a reason");
    let both: Vec<_> = names.intersection(&there).collect();
    assert!(both.is_empty(), "there after all: {both:?}");
    let unknown: Vec<_> = names.difference(&spec).collect();
    assert!(unknown.is_empty(), "not of the specification: {unknown:?}");
    let neither: Vec<_> = spec.iter().filter(|name| !there.contains(*name) && !names.contains(*name)).collect();
    assert!(neither.is_empty(), "neither there nor in the README: {neither:?}");
}

fn compare(spec: &Json, client: &mut Client, info: Vec<Value>, differences: &mut Vec<String>) {
    let full_name = text(&info[0]);
    let name = full_name.replace('|', " ");
    let is_elsewhere = ELSEWHERE.iter().any(|(elsewhere, _)| *elsewhere == name);
    let Some(facts) = spec.get(name.to_uppercase()).filter(|_| !is_elsewhere) else {
        if is_elsewhere {
            return;
        }
        differences.push(format!("{name}: the specification does not know it"));
        return;
    };
    let docs = docs(client, &full_name);
    let mut check = |what: &str, ours: String, theirs: String| {
        let is_meant = EXCEPTIONS.iter().any(|exception| exception.0 == name && exception.1 == what);
        assert!(!(is_meant && ours == theirs), "{name}: {what}: the exception is not needed");
        if ours != theirs && !is_meant {
            differences.push(format!("{name}: {what}\n    ours   {ours}\n    theirs {theirs}"));
        }
    };
    check("arity", info[1].as_int().unwrap_or(0).to_string(), facts["arity"].to_string());
    check("flags", joined(words(&info[2])), joined(lower(&facts["flags"])));
    let categories = words(&info[6]).iter().map(|category| category.trim_start_matches('@').to_owned()).collect();
    check("categories", joined(categories), joined(lower(&facts["acl"])));
    check("since", field(&docs, "since"), facts["since"].as_str().unwrap_or_default().to_owned());
    check("group", field(&docs, "group"), facts["group"].as_str().unwrap_or_default().to_owned());
    let ours: Vec<String> = elements(&info[8]).iter().map(our_key_spec).collect();
    let theirs: Vec<String> = facts["key_specs"].as_array().into_iter().flatten().map(their_key_spec).collect();
    check("keys", ours.join("; "), theirs.join("; "));
    let ours = entry(&docs, "arguments").map(elements).unwrap_or_default();
    let ours: Vec<String> = ours.into_iter().map(our_argument).map(|argument| argument.to_string()).collect();
    let theirs =
        facts["arguments"].as_array().into_iter().flatten().filter_map(|argument| their_argument(&name, argument));
    let theirs: Vec<String> = theirs.map(|argument| argument.to_string()).collect();
    check("arguments", ours.join(" "), theirs.join(" "));
    for sub in info[9].clone().into_vec() {
        compare(spec, client, sub.into_vec(), differences);
    }
}

fn docs(client: &mut Client, name: &str) -> Vec<(Value, Value)> {
    let mut found = client.call(["COMMAND", "DOCS", name]).into_pairs();
    found.pop().expect("a command that exists has docs").1.into_pairs()
}

/// An argument in the form in which it is compared; groups have no names, as nothing shows them.
#[derive(Default)]
struct Argument {
    name: String,
    kind: String,
    token: Option<String>,
    flags: BTreeSet<String>,
    arguments: Vec<Argument>,
}

impl std::fmt::Display for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(token) = &self.token {
            write!(f, "{token}=")?;
        }
        let inner: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        match inner.is_empty() {
            true if self.kind == "pure-token" => write!(f, "-")?,
            true => write!(f, "{}:{}", self.name, self.kind)?,
            false => write!(f, "{}({})", self.kind, inner.join(" "))?,
        }
        self.flags.iter().try_for_each(|flag| write!(f, "+{flag}"))
    }
}

impl Argument {
    /// A group of one is that one.
    fn simplified(mut self) -> Self {
        if self.arguments.len() != 1 {
            return self;
        }
        let mut only = self.arguments.swap_remove(0);
        only.flags.extend(self.flags);
        only.token = self.token.or(only.token);
        only
    }
}

fn our_argument(value: Value) -> Argument {
    let pairs = value.into_pairs();
    let get = |name: &str| field(&pairs, name);
    let argument = Argument {
        name: get("name"),
        kind: get("type"),
        token: entry(&pairs, "token").map(|token| text(&token)),
        flags: entry(&pairs, "flags").map(|flags| words(&flags)).unwrap_or_default(),
        arguments: entry(&pairs, "arguments").map(elements).unwrap_or_default().into_iter().map(our_argument).collect(),
    };
    argument.simplified()
}

/// `None` if it came after the version that counts.
fn their_argument(command: &str, facts: &Json) -> Option<Argument> {
    let get = |name: &str| facts[name].as_str().map(str::to_owned);
    let is_newer = get("type").as_deref() == Some("pure-token")
        && NEWER.iter().any(|newer| newer.0 == command && get("token").as_deref() == Some(newer.1));
    if is_newer || get("since").is_some_and(|since| version(&since) > NEWEST) {
        return None;
    }
    let inner = facts["arguments"].as_array();
    let arguments: Vec<Argument> =
        inner.into_iter().flatten().filter_map(|inner| their_argument(command, inner)).collect();
    if inner.is_some() && arguments.is_empty() {
        return None;
    }
    let flags = ["optional", "multiple", "multiple_token"];
    let argument = Argument {
        name: get("name").unwrap_or_default(),
        kind: get("type").unwrap_or_default(),
        token: get("token"),
        flags: flags.iter().filter(|flag| facts[**flag] == true).map(|&flag| flag.to_owned()).collect(),
        arguments,
    };
    Some(argument.simplified())
}

fn version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

fn our_key_spec(spec: &Value) -> String {
    let pairs = spec.clone().into_pairs();
    let flags = entry(&pairs, "flags").map(|flags| words(&flags)).unwrap_or_default();
    let part = |name: &str| {
        let part = entry(&pairs, name).unwrap_or(Value::Nil).into_pairs();
        let mut fields: Vec<String> = entry(&part, "spec")
            .unwrap_or(Value::Nil)
            .into_pairs()
            .iter()
            .map(|(name, value)| format!("{}={}", text(name), text(value)))
            .collect();
        fields.sort();
        format!("{}({})", field(&part, "type"), fields.join(" "))
    };
    let flags: BTreeSet<String> = flags.iter().map(|flag| flag.to_lowercase()).collect();
    format!("{} {} {}", joined(flags), part("begin_search"), part("find_keys"))
}

/// The specification has key specifications in two forms: as COMMAND INFO shows them, and as their source files do.
fn their_key_spec(spec: &Json) -> String {
    let mut flags = lower(&spec["flags"]);
    for (name, value) in spec.as_object().into_iter().flatten() {
        if *value == true {
            flags.insert(name.to_lowercase());
        }
    }
    let part = |name: &str| {
        let part = &spec[name];
        let (kind, fields) = match part.get("spec") {
            Some(fields) => (part["type"].as_str().unwrap_or_default().to_owned(), fields),
            None => {
                let (kind, fields) =
                    part.as_object().into_iter().flatten().find(|(_, value)| value.is_object()).expect("a part");
                (kind.clone(), fields)
            }
        };
        let mut fields: Vec<String> = fields
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let name = match name.as_str() {
                    "pos" => "index",
                    "step" => "keystep",
                    other => other,
                };
                format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            })
            .collect();
        if kind == "range" && !fields.iter().any(|field| field.starts_with("keystep")) {
            fields.push("keystep=1".into());
        }
        fields.sort();
        format!("{kind}({})", fields.join(" "))
    };
    format!("{} {} {}", joined(flags), part("begin_search"), part("find_keys"))
}

fn lower(list: &Json) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_lowercase).collect()
}

fn joined(words: BTreeSet<String>) -> String {
    words.into_iter().collect::<Vec<_>>().join(",")
}

fn words(value: &Value) -> BTreeSet<String> {
    elements(value).iter().map(text).collect()
}

fn elements(value: impl std::borrow::Borrow<Value>) -> Vec<Value> {
    match value.borrow() {
        Value::Array(elements) | Value::Set(elements) => elements.clone(),
        _ => Vec::new(),
    }
}

fn entry(pairs: &[(Value, Value)], name: &str) -> Option<Value> {
    pairs.iter().find(|(key, _)| text(key) == name).map(|(_, value)| value.clone())
}

fn field(pairs: &[(Value, Value)], name: &str) -> String {
    entry(pairs, name).map(|value| text(&value)).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_int().map(|number| number.to_string()).or_else(|| value.as_str().map(str::to_owned)).unwrap_or_default()
}
