//! Twin runs: random commands to this server and to real ones, every reply compared byte for byte.
//!
//! `./test` runs fixed seeds; `cargo xtask twin` sets RESPLITE_TWIN_SEED and RESPLITE_TWIN_COMMANDS for long runs with
//! seeds of their own.

mod acl;
mod bitmap;
mod compare;
pub mod generator;
mod geo;
mod hash;
mod hash_deadlines;
mod hyperloglog;
mod keys;
mod known;
mod list;
mod script;
mod script_libraries;
mod set;
mod sort;
mod sorted_set;
mod stream;
mod string;
mod together;
mod transaction;
mod twins;

use compare::Rule;
use generator::{Entry, Generator, KEYS, Step};
use resplite_resp::reply::Protocol;
use twins::{Difference, Twins};

/// Most steps between two empty keyspaces: long enough for values to grow, short enough to be shrunk at once.
const SEQUENCE: usize = 400;
/// Seeds that run every time.
const SEEDS: [u64; 2] = [1, 2];
/// Commands for each seed and protocol, unless RESPLITE_TWIN_COMMANDS says otherwise.
const COMMANDS: usize = 4000;
/// Differences of one run that are shrunk and shown before it gives up.
const MOST_SHOWN: usize = 8;

/// The templates of every family.
pub const FAMILIES: [&[Entry]; 12] = [
    string::ENTRIES,
    bitmap::ENTRIES,
    keys::ENTRIES,
    hash::ENTRIES,
    list::ENTRIES,
    set::ENTRIES,
    sorted_set::ENTRIES,
    geo::ENTRIES,
    sort::ENTRIES,
    stream::ENTRIES,
    hyperloglog::ENTRIES,
    transaction::ENTRIES,
];

/// Templates that only newer servers know.
pub const NEWER: &[Entry] = hash_deadlines::ENTRIES;

#[test]
fn strings() {
    run("strings", string::ENTRIES);
}

#[test]
fn bitmaps() {
    run("bitmaps", bitmap::ENTRIES);
}

#[test]
fn keys() {
    run("keys", keys::ENTRIES);
}

#[test]
fn hashes() {
    run("hashes", hash::ENTRIES);
}

#[test]
fn hash_deadlines() {
    run("hash_deadlines", NEWER);
}

#[test]
fn lists() {
    run("lists", list::ENTRIES);
}

#[test]
fn sets() {
    run("sets", set::ENTRIES);
}

#[test]
fn sorted_sets() {
    run("sorted_sets", sorted_set::ENTRIES);
}

#[test]
fn places() {
    run("places", geo::ENTRIES);
}

#[test]
fn sorting() {
    run("sorting", sort::ENTRIES);
}

#[test]
fn streams() {
    run("streams", stream::ENTRIES);
}

#[test]
fn hyperloglogs() {
    run("hyperloglogs", hyperloglog::ENTRIES);
}

#[test]
fn transactions() {
    run("transactions", transaction::ENTRIES);
}

#[test]
fn scripts() {
    // All but the transactions, in which known differences would hide too deep.
    let all: Vec<&'static Entry> = FAMILIES[..FAMILIES.len() - 1].iter().copied().flatten().collect();
    run_dressed("scripts", &all, Some(script::dress));
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

/// Runs a family's commands and fails with the shortest sequences that make a difference.
fn run(family: &str, entries: &'static [Entry]) {
    run_dressed(family, &entries.iter().collect::<Vec<_>>(), None);
}

/// Makes something else of a step.
type Dress = fn(Step, &mut fastrand::Rng) -> Step;

/// The same with what `dress` makes of the commands.
fn run_dressed(family: &str, entries: &[&'static Entry], dress: Option<Dress>) {
    let commands = variable("RESPLITE_TWIN_COMMANDS");
    let seed = variable("RESPLITE_TWIN_SEED");
    // A long run is about its own seed; the fixed ones have run before.
    let fixed = SEEDS.into_iter().filter(|_| commands.is_none());
    let mut shown: Vec<Difference> = Vec::new();
    for seed in fixed.chain(seed) {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let mut twins = Twins::start(protocol);
            let mut generator = Generator::of(entries, seed);
            let mut left = commands.map_or(COMMANDS, |commands| commands as usize);
            while left > 0 && shown.len() < MOST_SHOWN {
                let steps = sequence(&mut generator, &mut left, dress);
                for difference in twins.run(&steps) {
                    if shown.iter().any(|other| other.is_like(&difference)) {
                        continue;
                    }
                    let mut shortest = twins.shrink(&steps, difference);
                    shortest.origin = format!("{family}, seed {seed}, {protocol:?}");
                    if !shown.iter().any(|other| other.is_like(&shortest)) {
                        shown.push(shortest);
                    }
                }
            }
        }
    }
    let report: Vec<String> = shown.iter().map(Difference::to_string).collect();
    assert!(report.is_empty(), "{} differences\n\n{}", report.len(), report.join("\n"));
}

/// Some steps, and a look at all that they left behind.
fn sequence(generator: &mut Generator, left: &mut usize, dress: Option<Dress>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let most = generator.chance.usize(SEQUENCE / 20..SEQUENCE);
    while steps.len() < most && *left > 0 {
        let mut step = generator.step();
        if let Some(dress) = dress {
            step = dress(step, &mut generator.chance);
        }
        *left = left.saturating_sub(step.len());
        steps.push(step);
    }
    const LOOKS: [(&[&str], Rule); 8] = [
        (&["OBJECT", "ENCODING", "?"], Rule::Exact),
        (&["PEXPIRETIME", "?"], Rule::Near(3000)),
        (&["GET", "?"], Rule::Exact),
        (&["LRANGE", "?", "0", "-1"], Rule::Exact),
        (&["SMEMBERS", "?"], Rule::AnyOrder(1)),
        (&["HGETALL", "?"], Rule::AnyOrder(2)),
        (&["ZRANGE", "?", "0", "-1", "WITHSCORES"], Rule::Exact),
        (&["XINFO", "STREAM", "?", "FULL", "COUNT", "0"], Rule::Timed(0)),
    ];
    let call = |args: Vec<Vec<u8>>, rule| vec![generator::Call { client: 0, args, rule }];
    steps.push(call(vec![b"DISCARD".to_vec()], Rule::Exact));
    steps.push(call(vec![b"DBSIZE".to_vec()], Rule::Exact));
    for key in KEYS {
        for (words, rule) in LOOKS {
            let fill = |word: &&str| if *word == "?" { key.to_vec() } else { word.as_bytes().to_vec() };
            steps.push(call(words.iter().map(fill).collect(), rule));
        }
    }
    steps
}
