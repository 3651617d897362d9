//! ACL twin runs: random rules and random commands, which this server and real ones must allow and deny alike.

use super::FAMILIES;
use super::generator::{Entry, Generator};
use crate::support::oracle::{Kind, Oracle};
use crate::support::{Connection, server};
use fastrand::Rng;
use resplite::Value;

/// Rounds of rules for each seed, and commands for each round, unless RESPLITE_TWIN_COMMANDS says otherwise.
const ROUNDS: usize = 60;
const COMMANDS: usize = 40;

#[test]
fn rules_decide_alike() {
    let commands = super::variable("RESPLITE_TWIN_COMMANDS");
    let seed = super::variable("RESPLITE_TWIN_SEED");
    let rounds = commands.map_or(ROUNDS, |commands| commands as usize / COMMANDS);
    for kind in [Kind::Redis, Kind::Valkey] {
        let Some(oracle) = Oracle::start(kind, &[]) else { continue };
        for seed in [11, 12].into_iter().filter(|_| commands.is_none()).chain(seed) {
            let ours = server();
            let address = ours.address().expect("it listens");
            let mut pair = Pair {
                kind,
                admins: [Connection::tcp(address), oracle.connect()],
                users: [Connection::tcp(address), oracle.connect()],
            };
            pair.run(seed, rounds);
        }
    }
}

/// This server and a real one: who makes the rules, and who lives by them.
struct Pair {
    kind: Kind,
    admins: [Connection; 2],
    users: [Connection; 2],
}

impl Pair {
    fn run(&mut self, seed: u64, rounds: usize) {
        let entries: Vec<&'static Entry> = FAMILIES.iter().copied().flatten().collect();
        let mut generator = Generator::of(&entries, seed);
        let mut chance = Rng::with_seed(seed);
        self.ask(&words("ACL SETUSER u reset on >pw"));
        let mut allowed = [0usize; 2];
        for _ in 0..rounds {
            let mut setuser = words("ACL SETUSER u");
            if chance.u8(..4) == 0 {
                setuser.extend(words("reset on >pw"));
            }
            for _ in 0..chance.usize(1..6) {
                let rule = if chance.u8(..8) == 0 { selector(&mut chance) } else { rule(&mut chance) };
                setuser.push(rule.into_bytes());
            }
            let [ours, theirs] = self.ask(&setuser);
            let is_open = |reply: &Value| text_of(reply).starts_with("ERR Unmatched parenthesis");
            if self.kind == Kind::Redis && is_open(&ours) && is_open(&theirs) {
                // 7.0 names the last one that is open, later versions the first.
                continue;
            }
            assert_eq!(ours, theirs, "{:?}, seed {seed}: {}", self.kind, shown(&setuser));
            if self.kind == Kind::Valkey {
                self.compare_lists(&setuser);
            }
            // A user that has been switched off or has lost its password cannot come in.
            self.ask(&words("ACL SETUSER u on >pw"));
            let login = words("AUTH u pw");
            for user in &mut self.users {
                assert!(user.call(&login).is_ok());
            }
            for call in (0..COMMANDS).flat_map(|_| generator.step()).chain(others(&mut chance)) {
                if ["multi", "exec", "discard", "watch"].iter().any(|word| call_is(&call.args, word)) {
                    continue;
                }
                let is_allowed = self.compare(&call.args, &setuser, seed);
                allowed[usize::from(is_allowed)] += 1;
            }
        }
        assert!(allowed.iter().all(|count| *count > rounds), "hardly anything is decided either way: {allowed:?}");
    }

    /// Compares what is decided about one command, dry and in earnest; returns whether it may run.
    fn compare(&mut self, args: &[Vec<u8>], rules: &[Vec<u8>], seed: u64) -> bool {
        let dry = [words("ACL DRYRUN u"), args.to_vec()].concat();
        let [ours, theirs] = self.ask(&dry).map(|reply| {
            let text = text_of(&reply);
            // 7.0 does not say who; Valkey shows a key as a whole, the others up to a zero byte.
            let text = text.replace("This user has", "User u has");
            match text.split_once('\0') {
                Some((shown, _)) => format!("{shown}' key"),
                None => text,
            }
        });
        let is_unknown = theirs.starts_with("ERR Command '") || theirs.contains("wrong number of arguments");
        let kind = self.kind;
        let context = || format!("{kind:?}, seed {seed}: {} under {}", shown(args), shown(rules));
        if is_unknown {
            // It is only about commands that both have, in the form that both have.
            return false;
        }
        if ours != theirs && [&ours, &theirs].iter().any(|reply| reply.ends_with(" key")) && self.has_unclear_keys(args)
        {
            // Where keys are announced that are not there, real servers look at none of them; and their numbers of keys
            // may be such that the command itself refuses them.
            return false;
        }
        assert_eq!(ours, theirs, "{}", context());
        let denied = self.users.each_mut().map(|user| text_of(&user.call(args)).starts_with("NOPERM"));
        assert_eq!(denied, [ours != "OK"; 2], "{}", context());
        !denied[0]
    }

    /// Compares the user's line, but for what is said of payloads, which Valkey does not show.
    fn compare_lists(&mut self, rules: &[Vec<u8>]) {
        let [ours, theirs] = self.ask(&words("ACL LIST")).map(|reply| {
            let lines = reply.into_vec();
            let line = lines.iter().map(text_of).find(|line| line.starts_with("user u ")).expect("the user is there");
            line.replace(" sanitize-payload", "").replace(" skip-sanitize-payload", "").replace(" alldbs", "")
        });
        assert_eq!(ours, theirs, "after {}", shown(rules));
    }

    fn has_unclear_keys(&mut self, args: &[Vec<u8>]) -> bool {
        let [ours, theirs] = self.ask(&[words("COMMAND GETKEYS"), args.to_vec()].concat());
        theirs.as_error().is_some() || ours != theirs
    }

    fn ask(&mut self, args: &[Vec<u8>]) -> [Value; 2] {
        self.admins.each_mut().map(|admin| admin.call(args))
    }
}

/// Commands that no family has: those with subcommands and those with channels.
fn others(chance: &mut Rng) -> Vec<super::generator::Call> {
    const LINES: [&str; 14] = [
        "CONFIG GET maxmemory",
        "CLIENT GETNAME",
        "CLIENT LIST",
        "COMMAND COUNT",
        "PUBLISH chess hi",
        "PUBLISH news hi",
        "SPUBLISH chess hi",
        "EVAL return(1) 1 a",
        "EVAL_RO return(1) 1 bee",
        "ACL WHOAMI",
        "MEMORY USAGE a",
        "OBJECT FREQ c",
        "SELECT 0",
        "PING",
    ];
    (0..6)
        .map(|_| super::generator::Call { client: 0, args: words(pick(chance, &LINES)), rule: super::Rule::Exact })
        .collect()
}

fn pick<'a>(chance: &mut Rng, from: &[&'a str]) -> &'a str {
    from[chance.usize(..from.len())]
}

const COMMAND_NAMES: &[&str] = &[
    "get",
    "SET",
    "mget",
    "del",
    "hset",
    "hgetall",
    "zadd",
    "zrange",
    "config",
    "config|get",
    "client|list",
    "client",
    "object|freq",
    "select|0",
    "select|1",
    "ping",
    "eval",
    "publish",
    "acl|whoami",
    "memory|usage",
    "nosuch",
    "config|nosuch",
    "config|nosuch|x",
    "config|get|x",
    "get|a",
    "get|a|b",
    "get|",
    "config|",
    "config|nosuch|x",
    "config|get|get",
];

fn rule(chance: &mut Rng) -> String {
    let sign = pick(chance, &["+", "+", "-"]);
    match chance.u8(..12) {
        0..3 => {
            let categories = [
                "all",
                "read",
                "write",
                "keyspace",
                "string",
                "hash",
                "list",
                "set",
                "sortedset",
                "stream",
                "bitmap",
                "hyperloglog",
                "fast",
                "slow",
                "admin",
                "dangerous",
                "connection",
                "pubsub",
                "scripting",
                "transaction",
                "blocking",
                "nosuch",
            ];
            format!("{sign}@{}", pick(chance, &categories))
        }
        3..6 => format!("{sign}{}", pick(chance, COMMAND_NAMES)),
        6..9 => {
            let kind = pick(chance, &["~", "~", "%R~", "%W~", "%RW~", "%r~", "%~", "%X~"]);
            format!("{kind}{}", pick(chance, &["*", "a*", "?", "[a-c]", "b", "c", "k*", "a-key*", ""]))
        }
        9 => format!("&{}", pick(chance, &["*", "ch*", "news", "n?ws"])),
        10 => {
            pick(chance, &["allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands"]).into()
        }
        _ => pick(chance, &["clearselectors", "nopass", "resetpass", ">other", "<other", "off", "on", "nosuch", "#12"])
            .into(),
    }
}

fn selector(chance: &mut Rng) -> String {
    let rules: Vec<String> = (0..chance.usize(..4)).map(|_| rule(chance)).collect();
    format!("({}{}", rules.join(" "), pick(chance, &[")", ")", ")", ")", ")", " "]))
}

fn call_is(args: &[Vec<u8>], name: &str) -> bool {
    args[0].eq_ignore_ascii_case(name.as_bytes())
}

fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

fn shown(args: &[Vec<u8>]) -> String {
    args.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect::<Vec<_>>().join(" ")
}

fn text_of(value: &Value) -> String {
    match value.as_error() {
        Some(error) => error.to_owned(),
        None => {
            value.as_bytes().map_or_else(|| format!("{value:?}"), |text| String::from_utf8_lossy(text).into_owned())
        }
    }
}
