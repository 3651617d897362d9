//! Transcripts: what redis-cli shows, as a test.
//!
//! A line that begins with `>` is a command, the lines below it are its reply. `@advance 1500` moves the clock by so many
//! milliseconds. `(any)` as a reply accepts everything.

use super::oracle::{Kind, Oracle};
use super::{Connection, builder, server};
use resplite::{ServerBuilder, Value};
use resplite_resp::request::{Batch, Decoder, Limits};
use std::time::Duration;

enum Step {
    Command { line: String, args: Vec<Vec<u8>>, expected: String },
    Advance(Duration),
}

/// Runs a transcript in process, over TCP in RESP2 and in RESP3, and on a real redis-server.
#[track_caller]
pub fn check(transcript: &str) {
    check_ours(transcript);
    let steps = parse(transcript);
    if steps.iter().any(|step| matches!(step, Step::Advance(_))) {
        return;
    }
    if let Some(oracle) = Oracle::start(Kind::Redis, &[]) {
        let mut connection = oracle.connect();
        run("on redis-server", &steps, |_| (), |args| connection.call(args), plainly);
    }
}

/// Runs a transcript in process and over TCP in RESP2 and RESP3: for what Redis 7.0 does not have or does otherwise.
#[track_caller]
pub fn check_ours(transcript: &str) {
    check_ours_with(&[], transcript);
}

/// As [`check_ours`], with settings.
#[track_caller]
pub fn check_ours_with(settings: &[(&str, &str)], transcript: &str) {
    let steps = parse(transcript);
    let server = || {
        let set =
            |builder: ServerBuilder, (name, value): &(&str, &str)| builder.setting(name, value).expect("a setting");
        settings.iter().fold(builder(), set).start().expect("a server on a free port starts")
    };
    let ours = server();
    let mut client = ours.client();
    run("in process", &steps, |by| assert!(ours.advance(by)), |args| client.call(args), plainly);
    let ours = server();
    let mut connection = Connection::tcp(ours.address().unwrap());
    run("over RESP2", &steps, |by| assert!(ours.advance(by)), |args| connection.call(args), plainly);
    let ours = server();
    let mut connection = Connection::tcp(ours.address().unwrap()).hello3();
    run("over RESP3", &steps, |by| assert!(ours.advance(by)), |args| connection.call(args), as_in_resp2);
}

/// Runs a transcript over RESP3 only and shows the replies with RESP3's types, here and on a real redis-server.
#[track_caller]
pub fn check_resp3(transcript: &str) {
    let steps = parse(transcript);
    let ours = server();
    let mut connection = Connection::tcp(ours.address().unwrap()).hello3();
    run("over RESP3", &steps, |by| assert!(ours.advance(by)), |args| connection.call(args), plainly);
    if let Some(oracle) = Oracle::start(Kind::Redis, &[]) {
        let mut connection = oracle.connect().hello3();
        run("on redis-server", &steps, |_| (), |args| connection.call(args), plainly);
    }
}

#[track_caller]
fn run(
    place: &str,
    steps: &[Step],
    mut advance: impl FnMut(Duration),
    mut call: impl FnMut(&[Vec<u8>]) -> Value,
    show: impl Fn(Value, &str) -> String,
) {
    for step in steps {
        match step {
            Step::Advance(by) => advance(*by),
            Step::Command { line, args, expected } => {
                let shown = show(call(args), expected);
                assert!(
                    expected == "(any)" || *expected == shown,
                    "{place}\n> {line}\nexpected\n{expected}\ngot\n{shown}"
                );
            }
        }
    }
}

fn plainly(value: Value, _: &str) -> String {
    show(value)
}

/// A reply of RESP3 as RESP2 has it. Streams come as a map of which RESP2 makes pairs, not a flat list. Where RESP3 has pairs of a member and its score, or of a field and its value, RESP2
/// may have a flat list: `expected` says.
pub fn as_in_resp2(value: Value, expected: &str) -> String {
    if let Value::Map(pairs) = &value {
        let pair = |(key, value): (Value, Value)| Value::Array(vec![key.to_resp2(), value.to_resp2()]);
        let nested = show(Value::Array(pairs.iter().cloned().map(pair).collect()));
        if nested == expected {
            return nested;
        }
    }
    let value = value.to_resp2();
    let shown = show(value.clone());
    if is_same_but_digits(&shown, expected) {
        return expected.to_owned();
    }
    match value {
        Value::Array(pairs) if shown != expected && pairs.iter().all(is_pair) => {
            let flat = pairs.iter().flat_map(|pair| pair.as_slice().unwrap_or_default()).cloned().collect();
            show(Value::Array(flat))
        }
        _ => shown,
    }
}

/// Whether texts differ only in how many digits numbers have: a double has lost those that do not matter.
fn is_same_but_digits(one: &str, other: &str) -> bool {
    let number = |line: &str| line.split('"').nth(1)?.parse::<f64>().ok().filter(|number| number.is_finite());
    let is_same = |(one, other): (&str, &str)| {
        one == other || number(one).is_some() && number(one) == number(other) && one.find('"') == other.find('"')
    };
    one.lines().count() == other.lines().count() && one.lines().zip(other.lines()).all(is_same)
}

fn is_pair(value: &Value) -> bool {
    value.as_slice().is_some_and(|pair| pair.len() == 2)
}

fn parse(transcript: &str) -> Vec<Step> {
    let lines: Vec<&str> = transcript.lines().collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let common = lines.iter().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let mut steps: Vec<Step> = Vec::new();
    for line in lines {
        let line = line.get(common..).unwrap_or("").trim_end();
        if let Some(command) = line.strip_prefix("> ") {
            let args = split(command);
            steps.push(Step::Command { line: command.to_owned(), args, expected: String::new() });
        } else if let Some(millis) = line.strip_prefix("@advance ") {
            steps.push(Step::Advance(Duration::from_millis(millis.parse().expect("milliseconds"))));
        } else if !line.is_empty() {
            let Some(Step::Command { expected, .. }) = steps.last_mut() else {
                panic!("a reply without a command: {line}")
            };
            if !expected.is_empty() {
                expected.push('\n');
            }
            expected.push_str(line);
        }
    }
    steps
}

/// Splits a command as the inline protocol does, quotes and escapes included.
pub fn split(command: &str) -> Vec<Vec<u8>> {
    let line = format!("{command}\r\n");
    let mut batch = Batch::new();
    let decoded = Decoder::new().decode(line.as_bytes(), &Limits::default(), 1, &mut batch);
    assert!(decoded.error.is_none() && batch.len() == 1, "not a command: {command}");
    batch.args(0, line.as_bytes()).iter().map(<[u8]>::to_vec).collect()
}

/// A reply as redis-cli shows it.
pub fn show(value: Value) -> String {
    let mut text = String::new();
    write(&value, 0, &mut text);
    text.trim_end().to_owned()
}

fn write(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Nil => out.push_str("(nil)\n"),
        Value::Simple(text) => out.push_str(&format!("{text}\n")),
        Value::Error(text) => out.push_str(&format!("(error) {text}\n")),
        Value::Int(number) => out.push_str(&format!("(integer) {number}\n")),
        Value::Double(number) => out.push_str(&format!("(double) {}\n", resplite_resp::number::format_f64(*number))),
        Value::Bool(value) => out.push_str(&format!("({value})\n")),
        Value::BigNumber(digits) => out.push_str(&format!("(big) {digits}\n")),
        Value::Bulk(bytes) => out.push_str(&format!("{}\n", quote(bytes))),
        Value::Array(values) => list(values, ")", "(empty array)", indent, out),
        Value::Set(values) => list(values, "~", "(empty set)", indent, out),
        Value::Push(values) => list(values, ">", "(empty push)", indent, out),
        Value::Map(pairs) if pairs.is_empty() => out.push_str("(empty hash)\n"),
        Value::Map(pairs) => {
            for (number, (key, value)) in pairs.iter().enumerate() {
                let head = format!("{}# ", number + 1);
                if number > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str(&head);
                write(key, indent + head.len(), out);
                out.truncate(out.trim_end().len());
                out.push_str(" => ");
                write(value, indent + head.len(), out);
            }
        }
        other => out.push_str(&format!("{other:?}\n")),
    }
}

fn list(values: &[Value], mark: &str, empty: &str, indent: usize, out: &mut String) {
    if values.is_empty() {
        out.push_str(&format!("{empty}\n"));
    }
    let width = values.len().to_string().len();
    for (number, value) in values.iter().enumerate() {
        let head = format!("{:>width$}{mark} ", number + 1);
        if number > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&head);
        write(value, indent + head.len(), out);
    }
}

/// Bytes as redis-cli shows a string.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            b' '..=b'~' => text.push(char::from(*byte)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text.push('"');
    text
}
