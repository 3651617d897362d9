//! Scripts: what calls of a short, a middling and a long one cost, and a job of BullMQ, whose steps are scripts.

use super::keeping::ask;
use super::{Kind, Server, Tools, machine};
use std::path::{Path, PathBuf};
use std::process::Command;

const ONE_CALL: &str = "return redis.call('INCR', KEYS[1])";

const TEN_CALLS: &str = "
local key = KEYS[1]
local count = redis.call('INCR', key .. ':count')
local last = redis.call('GET', key)
redis.call('SET', key, ARGV[1] .. count)
redis.call('HSET', key .. ':hash', 'last', last or 'none', 'count', count)
local seen = redis.call('HGET', key .. ':hash', 'count')
redis.call('ZADD', key .. ':scores', count, 'member:' .. count % 50)
redis.call('LPUSH', key .. ':list', ARGV[1])
redis.call('LTRIM', key .. ':list', 0, 9)
redis.call('SADD', key .. ':set', count % 20)
redis.call('EXPIRE', key, 3600)
return {seen, last}";

const JOBS: &str = r#"[
{"name": "mail", "user": "user:17", "tags": "Billing, invoice ,monthly", "delay": 0,
    "text": "Dear {user}, your invoice no. {id} is ready ({tags})."},
{"name": "resize", "user": "user:42", "tags": "images, thumbnails", "delay": 0,
    "text": "{name} picture {id} of {user} to 640 by 480, {tags}, at {quality} per cent"},
{"name": "remind", "user": "user:99", "tags": "calendar", "delay": 2,
    "text": "{user} wants to be reminded of {id} in two steps"},
{"name": "login", "user": "user:5", "tags": "Security,Login", "delay": 0, "text": "a new device of {user}: {tags}"}]"#;

/// A script with what is passed to it after its one key.
struct Script {
    source: &'static str,
    args: &'static [&'static str],
    /// How many keys there are: where a script leaves much behind, so few that a call finds what earlier ones left.
    keys: &'static str,
}

const ONE: Script = Script { source: ONE_CALL, args: &[], keys: "1000000" };
const TEN: Script = Script { source: TEN_CALLS, args: &["some sixteen bytes"], keys: "10000" };
const LONG: Script = Script { source: include_str!("scheduler.lua"), args: &[JOBS, "worker:1"], keys: "500" };

enum Load {
    /// Calls of a script at this pipeline, and how many.
    Calls(&'static Script, u32, u64),
    /// So many jobs of BullMQ.
    Jobs(u64),
}

const ROWS: &[(&str, Load)] = &[
    ("EVALSHA of one call, INCR, pipeline 1", Load::Calls(&ONE, 1, 200_000)),
    ("EVALSHA of one call, INCR, pipeline 16", Load::Calls(&ONE, 16, 1_000_000)),
    ("EVALSHA of ten calls, pipeline 1", Load::Calls(&TEN, 1, 100_000)),
    ("EVALSHA of ten calls, pipeline 16", Load::Calls(&TEN, 16, 200_000)),
    ("EVALSHA of 200 lines, a scheduler's step, pipeline 16", Load::Calls(&LONG, 16, 10_000)),
    ("BullMQ: add and process a job", Load::Jobs(20_000)),
];

/// Prints the table, or those of its rows that begin with one of the words in `wanted`.
pub(super) fn run(tools: &Tools, rounds: usize, wanted: Option<&str>) -> Result<(), String> {
    let is_wanted =
        |name: &str| wanted.is_none_or(|words| words.split(',').any(|word| name.to_uppercase().starts_with(word)));
    let rows: Vec<_> = ROWS.iter().filter(|(name, _)| is_wanted(name)).collect();
    // Whoever lacks the packages hears it before the other rows have taken their minutes.
    if rows.iter().any(|(_, load)| matches!(load, Load::Jobs(_))) && !packages()?.join("bullmq").is_dir() {
        return Err("bullmq is not installed in tests/clients/node; ./test installs it".to_owned());
    }
    println!("Scripts: server CPU in microseconds per operation (operations per second), {}.\n", machine());
    println!("| | Resplite | redis-server | valkey-server | ratio to the best peer | null |");
    println!("|---|---|---|---|---|---|");
    let arms = [
        (Kind::Resplite, "Resplite"),
        (Kind::Redis, "redis-server"),
        (Kind::Valkey, "valkey-server"),
        (Kind::Valkey, "valkey-server again"),
    ];
    for (name, load) in rows {
        let mut samples: [Vec<(f64, f64)>; 4] = Default::default();
        for _ in 0..rounds {
            for ((kind, arm), samples) in arms.iter().zip(&mut samples) {
                let server = tools.start(*kind, arm)?;
                samples.push(match load {
                    Load::Calls(script, depth, count) => call(&server, script, *depth, *count)?,
                    Load::Jobs(count) => work(&server, *count)?,
                });
            }
        }
        let median = |samples: &mut Vec<(f64, f64)>| {
            samples.sort_by(|one, other| one.0.total_cmp(&other.0));
            samples[samples.len() / 2]
        };
        let [ours, redis, valkey, again] = samples.each_mut().map(median);
        let show = |(cpu, rate): (f64, f64)| format!("{cpu:.2} ({rate:.0})");
        println!(
            "| {name} | {} | {} | {} | **{:.2}** | {:.2} |",
            show(ours),
            show(redis),
            show(valkey),
            ours.0 / redis.0.min(valkey.0).min(again.0),
            again.0 / valkey.0,
        );
    }
    Ok(())
}

/// CPU microseconds per call of a script, and calls per second.
fn call(server: &Server, script: &Script, depth: u32, count: u64) -> Result<(f64, f64), String> {
    let sha = ask(server, &["SCRIPT", "LOAD", script.source])?;
    let sha = sha.split("\r\n").nth(1).ok_or(format!("{}: {sha}", server.name))?;
    let call = |key| [&["EVALSHA", sha, "1", key], script.args].concat();
    // redis-benchmark ends at an error, but what the error was does not stand in its output.
    let reply = ask(server, &call("key:first"))?;
    if reply.starts_with('-') {
        return Err(format!("{}: {reply}", server.name));
    }
    server.measure(&[&["-r", script.keys], call("key:__rand_int__").as_slice()].concat(), depth, count)
}

/// CPU microseconds per job that BullMQ adds and processes, and jobs per second.
fn work(server: &Server, count: u64) -> Result<(f64, f64), String> {
    let before = server.cpu()?;
    let output = Command::new("taskset")
        .args(["-c", "1", "node"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bench/jobs.mjs"))
        .args([server.port.to_string(), count.to_string()])
        .output()
        .map_err(|error| format!("node: {error}"))?;
    let cpu = (server.cpu()? - before).as_secs_f64() * 1e6 / count as f64;
    let said = String::from_utf8_lossy(&output.stdout);
    match said.trim().split_once(' ').and_then(|(_, seconds)| seconds.parse::<f64>().ok()) {
        Some(seconds) if output.status.success() => Ok((cpu, count as f64 / seconds)),
        _ => Err(format!("{}: jobs.mjs said: {said}{}", server.name, String::from_utf8_lossy(&output.stderr))),
    }
}

/// Where the Node packages of the clients' tests are installed.
fn packages() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has a root")?;
    Ok(root.join("tests/clients/node/node_modules"))
}
